//! ferry's worker with two ports and one route per family, forwarding each way until its standard input ends.

use std::io::{BufRead, stdin};
use std::sync::atomic::{AtomicBool, Ordering};

use boundary::{Adjacency, ForwardingState, Mtu, NextHop, Policy, PortId, PortState, RingSizes, connect};
use clap::Args;
use core_affinity::CoreId;
use dpdk::{Eal, EalConfig, Mempool, MempoolConfig, Port, PortConfig};
use lpm::{Change, FibWriter, NextHopId, Prefix};
use packet::ethernet::{EtherType, Header, MacAddr};
use pipeline::Worker;

/// Options of the hidden subcommand.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[arg(long)]
    core: usize,
    #[arg(long = "vdev")]
    vdevs: Vec<String>,
}

/// Forwards on the core, and prints how many packets came in whenever a line is read.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let devices = options.vdevs.iter().map(|vdev| vdev.parse()).collect::<Result<Vec<dpdk::Device>, _>>();
    let devices = devices.map_err(|error| error.to_string())?;
    let config = EalConfig { devices: devices.clone(), ..EalConfig::default() };
    let eal = Eal::start(&config).map_err(|error| error.to_string())?;
    let pool = Mempool::new(&eal, MempoolConfig::default()).map_err(|error| error.to_string())?;
    let (mut ports, mut queues, mut states) = (Vec::new(), Vec::new(), Vec::new());
    for device in &devices {
        let (port, queue) =
            Port::start(&eal, device.name(), &PortConfig::default(), &pool).map_err(|error| error.to_string())?;
        let mac = MacAddr(port.mac());
        let state = PortState {
            mac,
            mtu: Mtu::ETHERNET,
            link_local: mac.link_local(),
            promiscuous: true,
            tap: false,
            vlan: None,
            policy: Policy::default(),
        };
        states.push(state);
        queues.extend(queue.into_worker_ports());
        ports.push(port);
    }
    let (_publisher, _links, counters, mut ends) = connect(forwarding(states), 1, RingSizes::default());
    let mut worker = Worker::new(queues, ends.remove(0));
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            core_affinity::set_for_current(CoreId { id: options.core });
            let _registered = eal.register_worker_thread();
            while !stop.load(Ordering::Relaxed) {
                worker.turn();
            }
        });
        for _question in stdin().lock().lines() {
            println!("{}", counters[0].read().received());
        }
        stop.store(true, Ordering::Relaxed);
    });
    Ok(())
}

/// Everything in both families leaves through the second port; what came in there goes out of it again.
fn forwarding(states: Vec<PortState>) -> ForwardingState {
    let out = PortId(1);
    let source = states[out.index()].mac;
    let neighbour = |ether_type| {
        let destination = MacAddr([2, 0, 0, 0, 2, 2]);
        let header = Header { destination, source, ether_type }.to_bytes();
        NextHop::Neighbour(Adjacency { port: out, mtu: Mtu::ETHERNET, header })
    };
    let mut state = ForwardingState::without_routes(states);
    state.next_hops = [neighbour(EtherType::IPV4), neighbour(EtherType::IPV6)].into();
    state.ipv4 = FibWriter::default().apply([Change::Set(Prefix::default_route(), NextHopId::new(0))]);
    state.ipv6 = FibWriter::default().apply([Change::Set(Prefix::default_route(), NextHopId::new(1))]);
    state
}
