//! What the scenarios share: a process of their own, and a small forwarder's parts.
//!
//! DPDK starts once per process, and a test binary is one process with many tests. So each scenario runs [`alone`]: the
//! test starts its own binary again, for that test only, and there the scenario takes place. Thus `cargo test` works as
//! well as `cargo nextest`, which gives every test a process anyway.

#![allow(dead_code, reason = "each test binary uses a part of this")]

use std::any::type_name;
use std::env;
use std::process::Command;

use dpdk::{Device, Eal, EalConfig, Mbuf, MemoryChoice, Mempool, MempoolConfig, Port, PortConfig, Queues, WorkerPort};
use pipeline::{Burst, Frame, Port as _};

/// Runs `scenario` in a process of its own. To be called with a closure, directly in the test.
pub(crate) fn alone<F: FnOnce()>(scenario: F) {
    if env::var_os(ALONE).is_some() {
        return scenario();
    }
    let test = test_of(type_name::<F>());
    let run = Command::new(env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(ALONE, "1")
        .output()
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{test} alone: {}\n{said}", run.status);
    assert!(said.contains("1 passed"), "{test} did not run alone\n{said}");
}

/// A closure's type is named after the function it stands in: `binary::module::test::{{closure}}`.
fn test_of(closure: &str) -> &str {
    let path = closure.trim_end_matches("::{{closure}}");
    path.split_once("::").expect("a test is in a crate").1
}

/// Little memory, ordinary pages, these devices.
pub(crate) fn config(devices: &[&str]) -> EalConfig {
    EalConfig {
        memory: MemoryChoice::Ordinary,
        memory_mib: 64,
        devices: devices.iter().map(|text| text.parse::<Device>().unwrap()).collect(),
        ..EalConfig::default()
    }
}

pub(crate) fn start(devices: &[&str]) -> Eal {
    Eal::start(&config(devices)).unwrap()
}

/// Few buffers, so that a lost one shows.
pub(crate) fn pool(eal: &Eal) -> Mempool {
    Mempool::new(eal, MempoolConfig { buffers: BUFFERS, cache: 32, ..MempoolConfig::default() }).unwrap()
}

/// One queue each way, with few descriptors.
pub(crate) fn port(eal: &Eal, name: &str, pool: &Mempool) -> (Port, WorkerPort) {
    let config = PortConfig { rx_descriptors: 128, tx_descriptors: 128, ..PortConfig::default() };
    let (port, queues) = Port::start(eal, name, &config, pool).unwrap();
    (port, only(queues))
}

pub(crate) fn only(queues: Queues) -> WorkerPort {
    let mut ports = queues.into_worker_ports();
    assert_eq!(ports.len(), 1);
    ports.remove(0)
}

/// A burst of frames, each of `len` bytes of its number.
pub(crate) fn numbered(port: &mut WorkerPort, numbers: impl IntoIterator<Item = u8>, len: usize) -> Burst<Mbuf> {
    numbers.into_iter().map(|number| port.originate(&vec![number; len]).unwrap()).collect()
}

/// The first byte of every frame.
pub(crate) fn numbers(burst: &Burst<Mbuf>) -> Vec<u8> {
    burst.iter().map(|frame| frame.bytes()[0]).collect()
}

pub(crate) const BUFFERS: u32 = 2047;

const ALONE: &str = "FERRY_TEST_ALONE";
