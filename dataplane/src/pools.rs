//! Packet buffers: a pool on each NUMA node that has ports, so that a card writes into memory beside it.
//!
//! A frame keeps its buffer on its way through, whichever port it leaves by, and the buffer goes back to where it came from.

use control::config::Config;
use dpdk::{Eal, EalConfig, Mempool, MempoolConfig, MempoolError, PortConfig};
use tracing::{info, warn};

/// The pools made so far, by the node of the ports they are for.
#[derive(Debug)]
pub(crate) struct Pools<'a> {
    eal: &'a Eal,
    wanted: MempoolConfig,
    made: Vec<(Option<u32>, Mempool)>,
}

impl<'a> Pools<'a> {
    pub(crate) fn new(eal: &'a Eal, config: &Config) -> Self {
        Self { eal, wanted: pool_for(config), made: Vec::new() }
    }

    /// The pool for ports on this node; that there is one more is said.
    pub(crate) fn on(&mut self, node: Option<u32>) -> Result<Mempool, MempoolError> {
        if let Some((_node, pool)) = self.made.iter().find(|(made, _pool)| *made == node) {
            return Ok(pool.clone());
        }
        let wanted = MempoolConfig { node, ..self.wanted };
        let pool = match (Mempool::new(self.eal, wanted), node) {
            (Err(error), Some(node)) => {
                warn!("the ports on NUMA node {node} take buffers from other nodes' memory, which is slower: {error}");
                Mempool::new(self.eal, self.wanted)?
            }
            (pool, _node) => pool?,
        };
        let (buffers, room) = (pool.buffers(), pool.frame_room());
        match node {
            Some(node) => info!("{buffers} buffers for frames of {room} bytes on NUMA node {node}"),
            None => info!("{buffers} buffers for frames of {room} bytes"),
        }
        self.made.push((node, pool.clone()));
        Ok(pool)
    }
}

/// Buffers enough that every descriptor of every queue can hold one while every worker has its hands full.
fn pool_for(config: &Config) -> MempoolConfig {
    let defaults = (PortConfig::default(), MempoolConfig::default());
    let workers = u32::try_from(config.workers().len()).expect("there are no more cores than that");
    let descriptors: u32 = config
        .devices()
        .map(|(port, _device)| {
            let received = port.rx_descriptors.unwrap_or(defaults.0.rx_descriptors);
            let sent = port.tx_descriptors.unwrap_or(defaults.0.tx_descriptors);
            u32::from(received) * port.queues.map_or(workers, u32::from) + u32::from(sent) * workers
        })
        .sum();
    let in_hand =
        (defaults.1.cache * 2 + BURST_BUFFERS * u32::try_from(config.devices().count()).unwrap_or(u32::MAX)) * workers;
    // DPDK's pools are smallest in memory at one less than a power of two.
    let buffers = (descriptors + in_hand).next_power_of_two() - 1;
    MempoolConfig { buffers: buffers.max(defaults.1.buffers), frame_room: frame_room(config), ..defaults.1 }
}

/// Room for the longest frame there can be, on whichever port: of a buffer, and of a slot to the control thread. In bytes.
pub(crate) fn frame_room(config: &Config) -> u16 {
    let longest =
        |port: &control::config::Port| PortConfig { mtu: port.mtu.bytes(), ..PortConfig::default() }.longest_frame();
    config.ports().iter().map(longest).fold(MempoolConfig::default().frame_room, u16::max)
}

/// Memory for the pool, in MiB, and as much again as the drivers take for their rings.
pub(crate) fn memory_for(config: &Config) -> u32 {
    let pool = pool_for(config);
    let bytes = u64::from(pool.buffers) * (u64::from(pool.frame_room) + BUFFER_OVERHEAD);
    u32::try_from(bytes >> 20).unwrap_or(u32::MAX).saturating_mul(2).max(EalConfig::default().memory_mib)
}

/// A burst in and a burst out, per port.
const BURST_BUFFERS: u32 = 2 * 64;

/// DPDK's own header of a buffer, its headroom and its place in the pool, in bytes.
const BUFFER_OVERHEAD: u64 = 128 + 128 + 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(port: &str, workers: usize) -> MempoolConfig {
        let workers: String = (0..workers).map(|core| format!("[[worker]]\ncore = {core}\n")).collect();
        let text = format!("[[port]]\nname = \"left\"\ndevice = \"net_null0\"\n{port}{workers}");
        pool_for(&Config::parse("ferry.toml", &text).unwrap())
    }

    #[test]
    fn every_descriptor_of_every_queue_has_a_buffer() {
        assert_eq!(pool("", 1).buffers, MempoolConfig::default().buffers, "of which there are always enough for a few");
        let many = pool("queues = 16\nrx_descriptors = 4096\n", 2).buffers;
        assert!(many > 16 * 4096 + 2 * 1024 && (many + 1).is_power_of_two(), "{many}");
        assert!(pool("mtu = 9000\n", 1).frame_room > 9000);
    }
}
