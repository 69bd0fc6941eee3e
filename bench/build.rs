//! Compiles the calls to DPDK's own tables that are compared with, and tells `instruction-count` its compiler.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed={SHIM}");
    let compiler = std::env::var_os("RUSTC").and_then(|rustc| Command::new(rustc).arg("--version").output().ok());
    let compiler = compiler.and_then(|output| String::from_utf8(output.stdout).ok()).unwrap_or_default();
    println!("cargo::rustc-env=BENCH_COMPILER={}", compiler.trim());
    // Where the libraries are, cargo learns from the probe; which of them, the report's declarations say.
    let dpdk = match pkg_config::Config::new().atleast_version("22.11").probe("libdpdk") {
        Ok(dpdk) => dpdk,
        Err(problem) => {
            println!("cargo::error=no DPDK 22.11 or newer to compare with: {problem}");
            return;
        }
    };
    let mut compiler = cc::Build::new();
    compiler.file(SHIM).opt_level(3).includes(&dpdk.include_paths);
    // What else the package was compiled with decides the layout of its structures.
    let cflags = Command::new("pkg-config").args(["--cflags-only-other", "libdpdk"]).output();
    let cflags = cflags.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    for flag in cflags.split_whitespace() {
        compiler.flag(flag);
    }
    if let Err(problem) = compiler.try_compile("lpm_report_peers") {
        println!("cargo::error=the calls to DPDK's tables do not compile: {problem}");
    }
}

const SHIM: &str = "src/peers.c";
