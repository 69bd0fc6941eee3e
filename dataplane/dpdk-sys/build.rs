//! Finds the system's DPDK, binds the part of it the fence uses, and compiles the shim.
//!
//! DPDK is found through pkg-config and linked dynamically: its drivers are plug-ins that the EAL loads from a path
//! compiled into it, so the link line needs none of them. Statically, each driver would have to be linked whole, with
//! every library it wants.
//!
//! Both compilers (clang under bindgen, and the one that compiles the shim) must see the package's own flags. Some of
//! them decide the layout of structures: `-include rte_config.h` and the `-march` DPDK itself was built for.

use std::env;
use std::ffi::OsString;
use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;
use std::process::Command;

fn main() {
    // Cargo fails the build for this line, and shows it alone. Were we to fail as well, it would show everything else.
    if let Err(problem) = build() {
        println!("cargo::error={problem}; {WHAT_TO_INSTALL}");
    }
}

fn build() -> Result<(), String> {
    println!("cargo::rerun-if-changed=src/shim.h");
    println!("cargo::rerun-if-changed=src/shim.c");
    let dpdk = pkg_config::Config::new()
        .atleast_version(OLDEST)
        .probe("libdpdk")
        .map_err(|error| format!("no DPDK {OLDEST} or newer: {}", in_short(&error)))?;
    let mut flags: Vec<String> = dpdk.include_paths.iter().map(|path| format!("-I{}", path.display())).collect();
    flags.extend(flags_that_are_not_paths()?);
    bind(&flags)?;
    compile_the_shim(&flags)
}

/// What `pkg-config --cflags` says besides include paths, which the pkg-config crate does not pass on.
fn flags_that_are_not_paths() -> Result<Vec<String>, String> {
    let pkg_config = env::var_os("PKG_CONFIG").unwrap_or_else(|| OsString::from("pkg-config"));
    let output = Command::new(pkg_config)
        .args(["--cflags-only-other", "libdpdk"])
        .output()
        .map_err(|error| format!("pkg-config does not run: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).split_whitespace().map(str::to_owned).collect())
}

fn bind(flags: &[String]) -> Result<(), String> {
    let builder = bindgen::builder()
        .header("src/shim.h")
        .clang_args(flags)
        .allowlist_function(FUNCTIONS)
        .allowlist_var(VARIABLES)
        // An mbuf's fields move between unnamed unions from one release to the next: it is memory, and the constants
        // `FERRY_MBUF_*` say where in it a field lies.
        .opaque_type("rte_mbuf|rte_mempool")
        // DPDK's comments are doxygen, which rustdoc takes for broken links.
        .generate_comments(false)
        .prepend_enum_name(false)
        .derive_debug(true)
        .derive_default(true);
    // Without libclang, bindgen panics. Nothing of the builder is used after that.
    let bindings = panic::catch_unwind(AssertUnwindSafe(|| builder.generate()))
        .map_err(|_| "no usable libclang for bindgen".to_owned())?
        .map_err(|error| format!("bindgen failed: {error}"))?;
    let path = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?).join("bindings.rs");
    bindings.write_to_file(&path).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

fn compile_the_shim(flags: &[String]) -> Result<(), String> {
    let mut compiler = cc::Build::new();
    compiler.file("src/shim.c").opt_level(2);
    for flag in flags {
        compiler.flag(flag);
    }
    compiler.try_compile("ferry_dpdk_shim").map_err(|error| format!("the shim does not compile: {error}"))
}

/// The first line of what pkg-config itself said, if it ran.
fn in_short(error: &pkg_config::Error) -> String {
    match error {
        pkg_config::Error::Failure { output, .. } | pkg_config::Error::ProbeFailure { output, .. } => {
            String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or("").trim_end_matches('.').to_owned()
        }
        pkg_config::Error::Command { cause, .. } => format!("pkg-config does not run: {cause}"),
        other => other.to_string().lines().next().unwrap_or_default().to_owned(),
    }
}

const OLDEST: &str = "22.11";

const WHAT_TO_INSTALL: &str = "on Debian and Ubuntu: apt install libdpdk-dev libclang-dev pkg-config";

/// What the fence calls. Small enough to read, so that nothing comes in by accident.
const FUNCTIONS: &str = "ferry_.*|fdopen|rte_openlog_stream|rte_log_set_global_level|rte_strerror|rte_version\
    |rte_eal_init|rte_eal_cleanup|rte_eal_hotplug_add|rte_bus_find_by_name\
    |rte_thread_register|rte_thread_unregister|rte_get_tsc_hz\
    |rte_pktmbuf_pool_create|rte_mempool_avail_count\
    |rte_eth_find_next_owned_by|rte_eth_dev_get_name_by_port|rte_eth_dev_get_port_by_name|rte_eth_dev_info_get\
    |rte_eth_dev_configure|rte_eth_dev_adjust_nb_rx_tx_desc|rte_eth_rx_queue_setup|rte_eth_tx_queue_setup\
    |rte_eth_dev_start|rte_eth_dev_stop|rte_eth_dev_close|rte_eth_dev_socket_id\
    |rte_eth_dev_set_mtu|rte_eth_dev_get_mtu|rte_eth_macaddr_get|rte_eth_stats_get\
    |rte_eth_dev_rss_reta_update|rte_eth_dev_rss_reta_query|rte_eth_dev_rss_hash_update|rte_eth_dev_rss_hash_conf_get\
    |rte_eth_allmulticast_enable|rte_eth_promiscuous_enable|rte_eth_promiscuous_disable";

const VARIABLES: &str = "FERRY_.*|rte_eth_fp_ops|RTE_PKTMBUF_HEADROOM|RTE_MAX_ETHPORTS|RTE_MAX_LCORE|RTE_ETHER_MTU\
    |RTE_ETH_NAME_MAX_LEN|RTE_MEMPOOL_CACHE_MAX_SIZE";
