//! The configured ports, started.

use boundary::{PortId, PortState, WorkerId};
use control::config::{self, Config, HugePages, Rss};
use control_api::{KeyKind, Link};
use dpdk::{Eal, EalConfig, MemoryChoice, PortConfig, RssKey, WorkerPort};
use packet::ethernet::MacAddr;
use packet::vlan::TagProtocol;
use tracing::{info, warn};

use crate::carrier::Carrier;
use crate::pools::{Pools, memory_for};
use crate::queues::Spread;
use crate::{StartError, queues};

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

/// Ports that run, their queues dealt out to the workers.
pub(crate) struct Started {
    pub(crate) ports: Ports,
    /// Each worker's end of every port with a device, with the receive queues it polls.
    pub(crate) of_workers: Vec<Vec<WorkerPort>>,
    /// How many receive queues each port has, by [`PortId`].
    pub(crate) queues: Vec<u16>,
    /// Who polls each of them, by their numbers over all ports.
    pub(crate) owners: Vec<WorkerId>,
}

impl Ports {
    /// Starts every port with a transmit queue for every worker, and with as many receive queues as configured.
    ///
    /// `nodes` are the NUMA nodes of the workers.
    pub(crate) fn start(eal: &Eal, config: &Config, nodes: &[Option<u32>]) -> Result<Started, StartError> {
        let mut pools = Pools::new(eal, config);
        let mut ports = Self { started: Vec::new(), drivers: Vec::new(), carriers: Vec::new(), states: Vec::new() };
        let workers = u16::try_from(config.workers().len()).expect("there are no more cores than that");
        let (mut macs, mut spread, mut queues) = (Vec::new(), Vec::new(), Vec::new());
        for (configured, device) in config.devices() {
            attach(eal, configured, device)?;
            let found = eal.ports().into_iter().find(|found| found.name == device.name());
            let node = found.as_ref().and_then(|found| found.node);
            let most = found.as_ref().map_or(workers, |found| found.rx_queues.min(workers)).max(1);
            let count = configured.queues.unwrap_or(most);
            let (port, started) =
                dpdk::Port::start(eal, device.name(), &port_config(configured, count, workers), &pools.on(node)?)
                    .map_err(|error| StartError::Port { name: configured.name.clone(), error })?;
            let mac = configured.mac.unwrap_or_else(|| MacAddr(port.mac()));
            info!("port {}: {}, {mac}, MTU {}, {}", configured.name, device, configured.mtu, port.link());
            for remark in port.remarks() {
                warn!("port {}: {remark}", configured.name);
            }
            macs.push(mac);
            spread.push(Spread { queues: count, node });
            queues.push(started);
            ports.carriers.push(Carrier::of(device));
            ports.drivers.push(found.map_or_else(String::new, |found| found.driver));
            ports.started.push(port);
        }
        let owners = config.queue_map().map_or_else(|| queues::spread(&spread, nodes), queues::as_configured);
        remark_on_nodes(config, &spread, &owners, nodes);
        ports.states = config.port_states(macs);
        for (id, (configured, state)) in (0..).map(PortId).zip(config.ports().iter().zip(&ports.states)) {
            if state.vlan.is_some() {
                info!("port {}: {}, MTU {}", configured.name, config.under(configured), state.mtu);
            }
            ports.remark_on(id, configured, state);
        }
        let of_workers = deal(queues, &owners, config.workers().len());
        let mut queues: Vec<u16> = spread.iter().map(|port| port.queues).collect();
        queues.resize(config.ports().len(), 0);
        Ok(Started { ports, of_workers, queues, owners })
    }
}

fn port_config(configured: &config::Port, queues: u16, workers: u16) -> PortConfig {
    let defaults = PortConfig::default();
    PortConfig {
        rx_queues: queues,
        tx_queues: workers,
        rx_descriptors: configured.rx_descriptors.unwrap_or(defaults.rx_descriptors),
        tx_descriptors: configured.tx_descriptors.unwrap_or(defaults.tx_descriptors),
        mtu: configured.mtu.bytes(),
        // A station that calls itself by another address than its device's hears nothing otherwise.
        promiscuous: configured.promiscuous || configured.mac.is_some(),
        rss_key: match configured.rss {
            Rss::Device => RssKey::Device,
            Rss::Symmetric => RssKey::Symmetric,
        },
    }
}

/// Each worker's end of every port: a transmit queue, and the receive queues it owns.
fn deal(queues: Vec<dpdk::Queues>, owners: &[WorkerId], workers: usize) -> Vec<Vec<WorkerPort>> {
    let mut of_workers: Vec<Vec<WorkerPort>> = (0..workers).map(|_worker| Vec::new()).collect();
    let mut owners = owners.iter();
    for dpdk::Queues { rx, tx } in queues {
        let most = rx.len();
        for (worker, tx) in of_workers.iter_mut().zip(tx) {
            worker.push(WorkerPort::new(tx, most));
        }
        for (queue, owner) in rx.into_iter().zip(owners.by_ref()) {
            let port = of_workers[owner.index()].last_mut().expect("every worker has its end of this port");
            port.take(queue);
        }
    }
    of_workers
}

/// Warns of workers that poll over the link between two NUMA nodes, and of those that poll nothing.
fn remark_on_nodes(config: &Config, ports: &[Spread], owners: &[WorkerId], nodes: &[Option<u32>]) {
    let places = queues::places(ports.iter().map(|port| port.queues));
    for ((port, queue), owner) in places.into_iter().zip(owners) {
        let (node, name) = (ports[port].node, &config.ports()[port].name);
        if let (Some(node), Some(far)) = (node, nodes[owner.index()])
            && node != far
        {
            warn!("worker {} is on NUMA node {far} and polls {name}:{queue} on node {node}; that is slower", owner.0);
        }
    }
    for worker in (0..).map(WorkerId).take(nodes.len()).filter(|worker| !owners.contains(worker)) {
        warn!(
            "worker {} polls nothing: there are {} receive queues for {} workers",
            worker.0,
            owners.len(),
            nodes.len()
        );
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

    fn spread(&self, id: PortId) -> Option<control_api::Spread> {
        let rss = self.started.get(id.index())?.rss()?;
        Some(control_api::Spread {
            hashed: rss.hashed.iter().map(|what| (*what).to_owned()).collect(),
            key: match rss.is_symmetric() {
                true => KeyKind::Symmetric,
                false if rss.key.is_empty() => KeyKind::Unknown,
                false => KeyKind::Directional,
            },
            table: rss.table.clone(),
        })
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
