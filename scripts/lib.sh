# Shared by the scripts beside it: what they need from the machine, and how they say what is missing.
# Sourced, not run; bash.

set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

# What building ferry takes, and what trying it does. Debian 12 and Ubuntu 24.04 have all of them under these names.
build_packages=(build-essential pkg-config libdpdk-dev libclang-dev)
lab_packages=(iproute2 ethtool iputils-ping traceroute tcpdump tcpreplay procps)
test_packages=(bird2 frr iputils-arping iputils-tracepath ndisc6 python3-scapy util-linux valgrind)

say() { printf '\033[1m==> %s\033[0m\n' "$*"; }
die() {
    printf 'error: %s\n' "$1" >&2
    shift
    (($# == 0)) || printf '  %s\n' "$@" >&2
    exit 1
}

# A namespace, a hugepage or a package each take root.
need_root() {
    ((EUID == 0)) || die "${0##*/} must run as root: it installs packages and makes network namespaces." \
        "Run it again with: sudo -E env \"PATH=\$PATH\" $0${*:+ $*}"
}

need_rust() {
    # A rustup of root's own is not always on root's PATH.
    [[ -x ${CARGO_HOME:-${HOME:-/root}/.cargo}/bin/cargo ]] && PATH=$PATH:${CARGO_HOME:-${HOME:-/root}/.cargo}/bin
    command -v cargo >/dev/null || die "there is no Rust toolchain: \`cargo\` is not on the PATH." \
        "Install Rust 1.95 or newer from https://rustup.rs and run $0 again."
}

# Where cargo puts what it builds, which CARGO_TARGET_DIR and cargo's own configuration may change.
built_files() {
    cargo metadata --no-deps --format-version 1 | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p'
}

# The namespaces of scripts/lab have fixed names, so one run at a time has them.
alone_in_the_lab() {
    exec 9>/run/lock/ferry-lab
    flock --nonblock 9 || die "another ${0##*/} is running on this machine." "Wait for it to end, or stop it with Ctrl-C."
}

# Installs those of the named packages that are not there yet.
need_packages() {
    local package missing=()
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    ((${#missing[@]})) || return 0
    command -v apt-get >/dev/null || die "these packages are missing and this system has no apt-get: ${missing[*]}" \
        "Install DPDK 22.11 or newer with its headers, libclang, pkg-config and the tools named, and run $0 again."
    say "installing ${missing[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

remove_namespace() {
    [[ -e /run/netns/$1 ]] || return 0
    # Whoever still runs in there would keep its interfaces alive.
    ip netns pids "$1" | xargs -r kill -9
    ip netns delete "$1"
}
