//! The configured ports, started.

use boundary::{PortId, PortState};
use control::config::{self, Config, HugePages};
use control_api::Link;
use dpdk::{Eal, EalConfig, MemoryChoice, Mempool, MempoolConfig, PortConfig, WorkerPort};
use packet::ethernet::MacAddr;
use packet::vlan::TagProtocol;
use tracing::{info, warn};

use crate::StartError;
use crate::carrier::Carrier;

/// Ports that run: the control thread's ends, and what forwarding knows of each, by [`PortId`].
#[derive(Debug)]
pub(crate) struct Ports {
    started: Vec<dpdk::Port>,
    drivers: Vec<String>,
    /// What the kernel says of the interfaces under them, where it has to be asked.
    carriers: Vec<Option<Carrier>>,
    pub(crate) states: Vec<PortState>,
}

/// Starts DPDK as configured, its own threads on `cores`, with the cards it is to take; virtual devices are attached with
/// their ports.
pub(crate) fn start_eal(config: &Config, cores: Vec<usize>) -> Result<Eal, StartError> {
    let mut cards = Vec::new();
    for (port, device) in config.devices() {
        let device = device_of(port, device)?;
        if device.is_pci() {
            cards.push(device);
        }
    }
    let wanted = EalConfig {
        memory: match config.dpdk().huge_pages {
            HugePages::Auto => MemoryChoice::Automatic,
            HugePages::Always => MemoryChoice::HugePages,
            HugePages::Never => MemoryChoice::Ordinary,
        },
        memory_mib: config.dpdk().memory_mib.unwrap_or_else(|| memory_for(config)),
        devices: cards,
        cpus: cores,
        extra_arguments: config.dpdk().args.clone(),
        ..EalConfig::default()
    };
    let eal = Eal::start(&wanted)?;
    info!("{}; memory: {}", dpdk::version(), eal.memory());
    Ok(eal)
}

impl Ports {
    /// Starts every port with a queue each way for every worker.
    ///
    /// Returns, for each worker, its end of every port.
    pub(crate) fn start(eal: &Eal, config: &Config) -> Result<(Self, Vec<Vec<WorkerPort>>), StartError> {
        let pool = Mempool::new(eal, pool_for(config))?;
        let mut ports = Self { started: Vec::new(), drivers: Vec::new(), carriers: Vec::new(), states: Vec::new() };
        let mut of_workers: Vec<Vec<WorkerPort>> = config.workers().iter().map(|_worker| Vec::new()).collect();
        let workers = u16::try_from(config.workers().len()).expect("there are no more cores than that");
        let mut macs = Vec::new();
        for (configured, device) in config.devices() {
            let defaults = PortConfig::default();
            let wanted = PortConfig {
                rx_queues: workers,
                tx_queues: workers,
                rx_descriptors: configured.rx_descriptors.unwrap_or(defaults.rx_descriptors),
                tx_descriptors: configured.tx_descriptors.unwrap_or(defaults.tx_descriptors),
                mtu: configured.mtu.bytes(),
                // A station that calls itself by another address than its device's hears nothing otherwise.
                promiscuous: configured.promiscuous || configured.mac.is_some(),
            };
            attach(eal, configured, device)?;
            let (port, queues) = dpdk::Port::start(eal, device.name(), &wanted, &pool)
                .map_err(|error| StartError::Port { name: configured.name.clone(), error })?;
            let mac = configured.mac.unwrap_or_else(|| MacAddr(port.mac()));
            info!("port {}: {}, {mac}, MTU {}, {}", configured.name, device, configured.mtu, port.link());
            for remark in port.remarks() {
                warn!("port {}: {remark}", configured.name);
            }
            for (worker, queue) in of_workers.iter_mut().zip(queues.into_worker_ports()) {
                worker.push(queue);
            }
            macs.push(mac);
            let found = eal.ports().into_iter().find(|found| found.name == port.name());
            ports.carriers.push(Carrier::of(device));
            ports.drivers.push(found.map_or_else(String::new, |found| found.driver));
            ports.started.push(port);
        }
        ports.states = config.port_states(macs);
        for (id, (configured, state)) in (0..).map(PortId).zip(config.ports().iter().zip(&ports.states)) {
            if state.vlan.is_some() {
                info!("port {}: {}, MTU {}", configured.name, config.under(configured), state.mtu);
            }
            ports.remark_on(id, configured, state);
        }
        Ok((ports, of_workers))
    }
}

impl Ports {
    /// Warns of what a driver cannot do of what a port is to be.
    fn remark_on(&self, id: PortId, port: &config::Port, state: &PortState) {
        let driver = &self.drivers[state.vlan.map_or(id, |vlan| vlan.parent).index()];
        if driver != "net_af_packet" {
            return;
        }
        let name = &port.name;
        if state.vlan.is_some_and(|vlan| vlan.tags.outer.protocol == TagProtocol::Dot1ad) {
            warn!("port {name}: {driver} takes the first tag of every frame for one of 802.1Q, so none comes in here");
        }
        if port.tap.as_ref().is_some_and(|tap| tap.netns.is_none()) {
            warn!("port {name}: the kernel hears its frames twice, since {driver} leaves them to it; see `tap_netns`");
        }
    }
}

impl control::Hardware for Ports {
    fn status(&self, id: PortId) -> control::HardwareStatus {
        let vlan = self.states[id.index()].vlan;
        let device = vlan.map_or(id, |vlan| vlan.parent).index();
        let port = &self.started[device];
        let has_carrier = self.carriers[device].as_ref().is_none_or(Carrier::is_there);
        let link = if port.link().up && has_carrier { Link::Up } else { Link::Down };
        // What the device counts is the device's, and not any one VLAN's.
        if let Some(vlan) = vlan {
            return control::HardwareStatus {
                link,
                driver: vlan.tags.outer.protocol.name().to_owned(),
                counters: None,
            };
        }
        let stats = port.stats();
        control::HardwareStatus {
            link,
            driver: self.drivers[id.index()].clone(),
            counters: Some(control_api::Hardware {
                missed: stats.rx_missed,
                errors: stats.rx_errors + stats.tx_errors,
                no_buffer: stats.rx_no_buffer,
            }),
        }
    }

    fn set_mtu(&self, id: PortId, mtu: boundary::Mtu) -> Result<(), String> {
        // A VLAN has no device: what it carries is between those who use it, and no more than the port's it is on.
        if self.states[id.index()].vlan.is_some() {
            return Ok(());
        }
        self.started[id.index()].set_mtu(mtu.bytes()).map_err(|error| error.to_string())
    }
}

/// Attaches the device of a port, if it is a virtual one: cards are there from the start.
fn attach(eal: &Eal, port: &config::Port, device: &config::Device) -> Result<(), StartError> {
    let device = device_of(port, device)?;
    if device.is_pci() {
        return Ok(());
    }
    eal.attach(&device).map_err(|error| {
        let found: Vec<_> = eal.ports().into_iter().map(|found| found.name).collect();
        let found = if found.is_empty() { "none so far".to_owned() } else { found.join(", ") };
        StartError::Device { port: port.name.clone(), error: Box::new(error), found }
    })
}

fn device_of(port: &config::Port, device: &config::Device) -> Result<dpdk::Device, StartError> {
    device.to_string().parse().map_err(|error| StartError::DeviceName { port: port.name.clone(), error })
}

/// Buffers enough that every descriptor of every queue can hold one while every worker has its hands full.
fn pool_for(config: &Config) -> MempoolConfig {
    let defaults = (PortConfig::default(), MempoolConfig::default());
    let descriptors: u32 = config
        .devices()
        .map(|(port, _device)| {
            u32::from(port.rx_descriptors.unwrap_or(defaults.0.rx_descriptors))
                + u32::from(port.tx_descriptors.unwrap_or(defaults.0.tx_descriptors))
        })
        .sum();
    let workers = u32::try_from(config.workers().len()).expect("there are no more cores than that");
    let in_hand =
        (defaults.1.cache * 2 + BURST_BUFFERS * u32::try_from(config.devices().count()).unwrap_or(u32::MAX)) * workers;
    // DPDK's pools are smallest in memory at one less than a power of two.
    let buffers = (descriptors * workers + in_hand).next_power_of_two() - 1;
    MempoolConfig { buffers: buffers.max(defaults.1.buffers), frame_room: frame_room(config), ..defaults.1 }
}

/// Room for the longest frame there can be, on whichever port: of a buffer, and of a slot to the control thread. In bytes.
pub(crate) fn frame_room(config: &Config) -> u16 {
    let longest = |port: &config::Port| PortConfig { mtu: port.mtu.bytes(), ..PortConfig::default() }.longest_frame();
    config.ports().iter().map(longest).fold(MempoolConfig::default().frame_room, u16::max)
}

/// Memory for the pool, in MiB, and as much again as the drivers take for their rings.
fn memory_for(config: &Config) -> u32 {
    let pool = pool_for(config);
    let bytes = u64::from(pool.buffers) * (u64::from(pool.frame_room) + BUFFER_OVERHEAD);
    u32::try_from(bytes >> 20).unwrap_or(u32::MAX).saturating_mul(2).max(EalConfig::default().memory_mib)
}

/// A burst in and a burst out, per port.
const BURST_BUFFERS: u32 = 2 * 64;

/// DPDK's own header of a buffer, its headroom and its place in the pool, in bytes.
const BUFFER_OVERHEAD: u64 = 128 + 128 + 64;
