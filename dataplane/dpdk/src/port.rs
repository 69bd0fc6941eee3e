//! A port: a device, started, with its queues.
//!
//! [`Port::start`] checks what can be checked before it touches the device, so that most mistakes in a configuration are
//! errors with both numbers in them, and not DPDK's `Invalid argument`. What a device will not do exactly as asked but
//! well enough is a [`Remark`], for the operator's log.
//!
//! A port is shared between the control thread, which has the [`Port`], and the workers, which have its queues. It is
//! stopped and closed when the last of them is dropped: no worker can be polling a queue that has gone. A closed port is
//! gone until the process ends.

mod setup;
mod trouble;

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use dpdk_sys as sys;

use crate::eal::{self, Eal};
use crate::mempool::Mempool;
use crate::queue::{RxQueue, TxQueue, WorkerPort};
use crate::rss::{Rss, RssKey};

use setup::{Setup, check, check_mtu};
pub use trouble::{Direction, PortError, Remark};

/// The control thread's end of a port.
///
/// It can be sent to another thread but not shared (`Send`, not `Sync`): drivers keep sums while they answer what they
/// are asked, without a lock.
#[derive(Debug)]
pub struct Port {
    started: Arc<StartedPort>,
    mac: [u8; 6],
    remarks: Vec<Remark>,
    rss: Option<Rss>,
    _unshared: PhantomData<Cell<()>>,
}

/// How to start a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortConfig {
    /// Receive queues: mostly one for each worker that polls it.
    pub rx_queues: u16,
    /// Transmit queues: one per worker that sends on it, mostly all of them.
    pub tx_queues: u16,
    /// Descriptors of each receive queue; clamped to what the device can do.
    pub rx_descriptors: u16,
    /// Descriptors of each transmit queue; likewise.
    pub tx_descriptors: u16,
    /// Largest IP packet, in bytes.
    pub mtu: u16,
    /// Whether to receive frames that are for other MAC addresses.
    pub promiscuous: bool,
    /// How flows are spread over several receive queues, where the device hashes them.
    pub rss_key: RssKey,
}

impl Default for PortConfig {
    fn default() -> Self {
        Self {
            rx_queues: 1,
            tx_queues: 1,
            rx_descriptors: 1024,
            tx_descriptors: 1024,
            mtu: DEFAULT_MTU,
            promiscuous: false,
            rss_key: RssKey::Device,
        }
    }
}

impl PortConfig {
    /// How long a frame may be in the device at this MTU, in bytes: the least
    /// [`frame_room`](crate::MempoolConfig::frame_room) of its buffers.
    #[must_use]
    pub fn longest_frame(&self) -> u16 {
        self.mtu.saturating_add(FRAME_OVERHEAD)
    }
}

/// A started port's queues, to be dealt out to the workers.
#[derive(Debug)]
pub struct Queues {
    /// The receive queues, in the order of their numbers.
    pub rx: Vec<RxQueue>,
    /// The transmit queues, likewise.
    pub tx: Vec<TxQueue>,
}

impl Queues {
    /// One [`WorkerPort`] for each transmit queue; the first ones have a receive queue as well, as far as those go.
    #[must_use]
    pub fn into_worker_ports(self) -> Vec<WorkerPort> {
        let most = self.rx.len();
        let mut rx = self.rx.into_iter();
        let dealt = self.tx.into_iter().map(|tx| {
            let mut port = WorkerPort::new(tx, most);
            rx.next().into_iter().for_each(|queue| port.take(queue));
            port
        });
        dealt.collect()
    }
}

impl Port {
    /// Starts the device named `name`, with buffers from `pool` to receive into.
    ///
    /// # Errors
    ///
    /// [`PortError`]; the device is then as before, and may be started otherwise.
    pub fn start(eal: &Eal, name: &str, config: &PortConfig, pool: &Mempool) -> Result<(Self, Queues), PortError> {
        let claim = Claim::new(eal, name)?;
        let id = claim.id;
        let info = eal::device_info(id).ok_or_else(|| PortError::Silent { name: name.to_owned() })?;
        check(name, config, &info, pool)?;
        let mut remarks = Vec::new();
        let setup = Setup { id, name, config, info: &info, pool };
        setup.configure(&mut remarks)?;
        setup.queues(&mut remarks)?;
        setup.mtu(&mut remarks)?;
        setup.step("start", || {
            // SAFETY: the port exists and is configured, its queues are set up; `claim` makes us the only one to.
            unsafe { sys::rte_eth_dev_start(id) }
        })?;
        let started = Arc::new(StartedPort { claim, pool: pool.clone() });
        setup.promiscuous(&mut remarks)?;
        setup.groups(&mut remarks);
        let rss = setup.rss(&mut remarks)?;
        let rx = (0..config.rx_queues).map(|queue| RxQueue::new(Arc::clone(&started), queue)).collect();
        let tx = (0..config.tx_queues).map(|queue| TxQueue::new(Arc::clone(&started), queue)).collect();
        Ok((Self { started, mac: eal::mac(id), remarks, rss, _unshared: PhantomData }, Queues { rx, tx }))
    }

    /// The name of its device.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.started.claim.name
    }

    /// Its MAC address, as the device has it.
    #[must_use]
    pub fn mac(&self) -> [u8; 6] {
        self.mac
    }

    /// What it did not do exactly as configured.
    #[must_use]
    pub fn remarks(&self) -> &[Remark] {
        &self.remarks
    }

    /// How it spreads flows over its receive queues; nothing if it has one, or does it in a way that only itself knows.
    #[must_use]
    pub fn rss(&self) -> Option<&Rss> {
        self.rss.as_ref()
    }

    /// The largest IP packet, in bytes, as the device has it.
    #[must_use]
    pub fn mtu(&self) -> u16 {
        let mut mtu = 0;
        // SAFETY: room for the answer; fails only for a port that does not exist, and this one does.
        unsafe { sys::rte_eth_dev_get_mtu(self.started.id(), &raw mut mtu) };
        mtu
    }

    /// Lets the device carry packets of another length while it runs; its buffers keep their room.
    ///
    /// # Errors
    ///
    /// When the device cannot, or the buffers have no room for them.
    pub fn set_mtu(&self, mtu: u16) -> Result<(), PortError> {
        let StartedPort { claim, pool } = &*self.started;
        let (id, name) = (claim.id, claim.name.as_str());
        let info = eal::device_info(id).ok_or_else(|| PortError::Silent { name: name.to_owned() })?;
        let config = PortConfig { mtu, ..PortConfig::default() };
        check_mtu(name, &config, &info, pool)?;
        Setup { id, name, config: &config, info: &info, pool }.step(&format!("take an MTU of {mtu}"), || {
            // SAFETY: the port is started, and `self` is the only handle that changes it.
            unsafe { sys::rte_eth_dev_set_mtu(id, mtu) }
        })
    }

    /// The link as it is now; asking does not wait for one to come up.
    #[must_use]
    pub fn link(&self) -> Link {
        let mut link = sys::ferry_link::default();
        // SAFETY: room for the answer, which on failure is a link that is down.
        unsafe { sys::ferry_link_get_nowait(self.started.id(), &raw mut link) };
        Link {
            up: link.up != 0,
            speed_mbps: Some(link.speed_mbps).filter(|speed| ![0, sys::FERRY_SPEED_UNKNOWN].contains(speed)),
            full_duplex: link.full_duplex != 0,
        }
    }

    /// The device's counters since it was started. What it does not count is zero.
    #[must_use]
    pub fn stats(&self) -> PortStats {
        let mut stats = sys::rte_eth_stats::default();
        // SAFETY: room for the answer, which on failure stays zero.
        unsafe { sys::rte_eth_stats_get(self.started.id(), &raw mut stats) };
        PortStats {
            rx_packets: stats.ipackets,
            rx_bytes: stats.ibytes,
            rx_missed: stats.imissed,
            rx_errors: stats.ierrors,
            rx_no_buffer: stats.rx_nombuf,
            tx_packets: stats.opackets,
            tx_bytes: stats.obytes,
            tx_errors: stats.oerrors,
        }
    }
}

/// A link's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Whether frames can pass.
    pub up: bool,
    /// Its speed in Mbit/s, where the device can tell.
    pub speed_mbps: Option<u32>,
    /// Whether both ends may send at once.
    pub full_duplex: bool,
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.up, self.speed_mbps) {
            (false, _) => f.write_str("down"),
            (true, None) => f.write_str("up"),
            (true, Some(speed)) => {
                write!(f, "up, {speed} Mbit/s, {} duplex", if self.full_duplex { "full" } else { "half" })
            }
        }
    }
}

/// A port's counters, as the device keeps them. Bytes are without the frame check sequence on most devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PortStats {
    /// Frames received (and handed to us).
    pub rx_packets: u64,
    /// Their bytes.
    pub rx_bytes: u64,
    /// Frames the device dropped since its queue was full: the workers were too slow.
    pub rx_missed: u64,
    /// Frames that arrived broken.
    pub rx_errors: u64,
    /// Times no buffer was free to receive into: the pool is too small.
    pub rx_no_buffer: u64,
    /// Frames sent.
    pub tx_packets: u64,
    /// Their bytes.
    pub tx_bytes: u64,
    /// Frames the device could not send.
    pub tx_errors: u64,
}

/// The caller holds the table of ports.
fn unknown(name: &str) -> PortError {
    PortError::UnknownDevice {
        name: name.to_owned(),
        probed: eal::list_ports().into_iter().map(|port| port.name).collect(),
    }
}

/// The right to start one port, and to have it started.
#[derive(Debug)]
struct Claim {
    eal: Eal,
    id: u16,
    name: String,
}

impl Claim {
    fn new(eal: &Eal, name: &str) -> Result<Self, PortError> {
        let mut claimed = eal.port_table();
        let id = eal::port_id(name).ok_or_else(|| unknown(name))?;
        if claimed.insert(id) {
            Ok(Self { eal: eal.clone(), id, name: name.to_owned() })
        } else {
            Err(PortError::AlreadyStarted { name: name.to_owned() })
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.eal.port_table().remove(&self.id);
    }
}

/// A port that runs. The last holder's drop stops and closes it, and only then lets go of its pool and of the EAL.
#[derive(Debug)]
pub(crate) struct StartedPort {
    claim: Claim,
    pool: Mempool,
}

impl StartedPort {
    pub(crate) fn id(&self) -> u16 {
        self.claim.id
    }

    pub(crate) fn pool(&self) -> &Mempool {
        &self.pool
    }
}

impl Drop for StartedPort {
    fn drop(&mut self) {
        let _unchanged = self.claim.eal.port_table();
        // A driver that will not stop is closed all the same; there is nobody left to tell.
        // SAFETY: started by `Port::start`, and no queue is left to poll it: each holds `self`.
        unsafe { sys::rte_eth_dev_stop(self.id()) };
        // SAFETY: as above; stopped. Gives the buffers in its rings back to their pools.
        unsafe { sys::rte_eth_dev_close(self.id()) };
    }
}

/// Ethernet's, and what every device can do.
const DEFAULT_MTU: u16 = 1500;

/// Around an IP packet: the Ethernet header, two VLAN tags, and the frame check sequence while it is in the device.
const FRAME_OVERHEAD: u16 = 14 + 2 * 4 + 4;
