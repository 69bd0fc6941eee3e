//! ferry's worker with two ports and one route per family or a full table, forwarding until its standard input ends.

use std::io::{BufRead, stdin};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use bench::routes::Routes;
use boundary::{Mtu, RingSizes, connect};
use clap::Args;
use core_affinity::CoreId;
use dpdk::{Eal, EalConfig, Mempool, MempoolConfig, Port, PortConfig};
use packet::ethernet::MacAddr;
use pipeline::Worker;

use crate::forward;
use crate::forward::beside::{MANY, SMALL};
use crate::forward::matrix::Routes as Which;
use crate::forward::traffic::HOPS;

/// Options of the hidden subcommand.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[arg(long)]
    core: usize,
    #[arg(long = "vdev")]
    vdevs: Vec<String>,
    #[arg(long)]
    buffers: u32,
    /// A full table, of these prefixes or made up.
    #[arg(long)]
    full: bool,
    #[arg(long)]
    routes: Option<PathBuf>,
    /// Counts what came in instead of what left: of a source whose frames are no packets all are dropped.
    #[arg(long)]
    received: bool,
}

/// Forwards on the core, and prints how many packets left whenever a line is read.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let devices = options.vdevs.iter().map(|vdev| vdev.parse()).collect::<Result<Vec<dpdk::Device>, _>>();
    let devices = devices.map_err(|error| error.to_string())?;
    let buffers = MempoolConfig { buffers: options.buffers, ..MempoolConfig::default() };
    // Of many frames none is long, and small buffers leave more of them in memory.
    let (frame_room, mtu) =
        if options.buffers > MANY { (SMALL, Mtu::MIN) } else { (buffers.frame_room, Mtu::ETHERNET.bytes()) };
    let memory_mib = options.buffers / 1024 * (u32::from(frame_room) + 320) / 1024 + 128;
    let config = EalConfig { devices: devices.clone(), memory_mib, ..EalConfig::default() };
    let eal = Eal::start(&config).map_err(|error| error.to_string())?;
    let pool = Mempool::new(&eal, MempoolConfig { frame_room, ..buffers }).map_err(|error| error.to_string())?;
    let (mut ports, mut queues, mut macs) = (Vec::new(), Vec::new(), Vec::new());
    for device in &devices {
        let (port, queue) = Port::start(&eal, device.name(), &PortConfig { mtu, ..PortConfig::default() }, &pool)
            .map_err(|error| error.to_string())?;
        macs.push(MacAddr(port.mac()));
        queues.extend(queue.into_worker_ports());
        ports.push(port);
    }
    let macs: [MacAddr; 2] = macs.try_into().map_err(|_others| "there are to be two ports".to_owned())?;
    let (which, routes) = match (&options.routes, options.full) {
        (Some(path), _) => (Which::Full, Routes::read(path, HOPS)?),
        (None, true) => (Which::Full, Routes::made_up(HOPS)),
        (None, false) => (Which::One, Routes { v4: Vec::new(), v6: Vec::new() }),
    };
    let state = forward::traffic::state(which, &routes, macs, true);
    let (_publisher, _links, counters, mut ends) = connect(state, 1, RingSizes::default());
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
            let counted = counters[0].read();
            println!("{}", if options.received { counted.received() } else { counted.transmitted() });
        }
        stop.store(true, Ordering::Relaxed);
    });
    Ok(())
}
