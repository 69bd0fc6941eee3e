//! The generator's side of whatever is between its two ports: what the options say of it, and how it is started.

use std::time::Duration;

use bench::flows::STATIONS;
use bench::isolation::Machine;
use clap::Args;
use dpdk::{Device, Eal, EalConfig};
use packet::ethernet::MacAddr;

use crate::generator::{Generator, Setup};

/// How a load is offered.
#[derive(Debug, Clone, Args)]
#[group(id = "generator")]
pub(crate) struct Options {
    /// Only from the first port to the second.
    #[arg(long)]
    one_way: bool,
    /// The core that the generator has to itself.
    #[arg(long, default_value_t = 1)]
    core: usize,
    /// Descriptors in each queue.
    #[arg(long, default_value_t = 1024)]
    descriptors: u16,
    /// The router's station on each of the ports that are given, in their order; it is asked for by ARP if this is not.
    #[arg(long, value_name = "MAC", num_args = 1)]
    router_mac: Vec<MacAddr>,
    /// How many seconds a device under test may take until packets come through.
    #[arg(long, default_value_t = 20)]
    patience: u64,
}

impl Options {
    /// Whether the second port sends as well.
    pub(crate) fn both_ways(&self) -> bool {
        !self.one_way
    }

    /// How many ways packets go.
    pub(crate) fn ways(&self) -> u32 {
        1 + u32::from(self.both_ways())
    }

    /// Descriptors in each queue.
    pub(crate) fn descriptors(&self) -> u16 {
        self.descriptors
    }

    /// How the ports are set up for frames of so many bytes at most.
    pub(crate) fn setup(&self, longest_frame: usize) -> Setup {
        Setup { core: self.core, descriptors: [self.descriptors; 2], longest_frame, goes_first: true }
    }

    /// Where the routers are, as far as it was said.
    pub(crate) fn routers(&self) -> [Option<MacAddr>; 2] {
        [0, 1].map(|side| self.router_mac.get(side).copied())
    }

    pub(crate) fn patience(&self) -> Duration {
        Duration::from_secs(self.patience)
    }
}

/// A generator on two ports that the user named, if it may send there.
pub(crate) fn start(ports: &[Device], setup: &Setup) -> Result<Generator, String> {
    let [left, right] = ports else {
        return Err(format!("a load goes from one port to another: name two with --port, not {}", ports.len()));
    };
    let devices = [left.clone(), right.clone()];
    for device in &devices {
        Machine::default().permit(device).map_err(|error| error.to_string())?;
    }
    let config =
        EalConfig { devices: devices.to_vec(), memory_mib: Generator::memory_mib(setup), ..EalConfig::default() };
    let eal = Eal::start(&config).map_err(|error| error.to_string())?;
    Generator::start(&eal, &devices, STATIONS, setup)
}
