//! A port: a device, started, with its queues.
//!
//! [`Port::start`] checks what can be checked before it touches the device, so that most mistakes in a configuration are
//! errors with both numbers in them, and not DPDK's `Invalid argument`. What a device will not do exactly as asked but
//! well enough is a [`Remark`], for the operator's log.
//!
//! A port is shared between the control thread, which has the [`Port`], and the workers, which have its queues. It is
//! stopped and closed when the last of them is dropped: no worker can be polling a queue that has gone. A closed port is
//! gone until the process ends.

use std::cell::Cell;
use std::ffi::c_int;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use dpdk_sys as sys;

use crate::eal::{self, Eal, error_text};
use crate::log;
use crate::mempool::Mempool;
use crate::queue::{RxQueue, TxQueue, WorkerPort};

/// The control thread's end of a port.
///
/// It can be sent to another thread but not shared (`Send`, not `Sync`): drivers keep sums while they answer what they
/// are asked, without a lock.
#[derive(Debug)]
pub struct Port {
    started: Arc<StartedPort>,
    mac: [u8; 6],
    remarks: Vec<Remark>,
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
        let rx = (0..config.rx_queues).map(|queue| RxQueue::new(Arc::clone(&started), queue)).collect();
        let tx = (0..config.tx_queues).map(|queue| TxQueue::new(Arc::clone(&started), queue)).collect();
        Ok((Self { started, mac: eal::mac(id), remarks, _unshared: PhantomData }, Queues { rx, tx }))
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

/// What a port does not do exactly as configured, but well enough to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Remark {
    /// A queue has another number of descriptors.
    Descriptors {
        /// Which kind of queue.
        direction: Direction,
        /// The configured number.
        wanted: u16,
        /// The number it has.
        given: u16,
    },
    /// The device knows no MTU, so how long frames may be is up to it.
    NoMtu {
        /// The configured MTU.
        wanted: u16,
    },
    /// There are several receive queues, and how frames are spread over them is up to the device.
    NoReceiveSideScaling {
        /// How many queues.
        queues: u16,
    },
    /// The device cannot be made promiscuous.
    NotPromiscuous,
    /// The device does not hear groups, and so no neighbour discovery.
    DeafToGroups,
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Descriptors { direction, wanted, given } => {
                write!(f, "{given} {direction} descriptors instead of {wanted}")
            }
            Self::NoMtu { wanted } => {
                write!(f, "no MTU can be set; whether it passes packets of {wanted} bytes is up to the device")
            }
            Self::NoReceiveSideScaling { queues } => {
                write!(f, "no receive side scaling; how it spreads frames over {queues} queues is up to the device")
            }
            Self::NotPromiscuous => f.write_str("no promiscuous mode"),
            Self::DeafToGroups => f.write_str("it refuses to hear all groups; IPv6 neighbours may not find it"),
        }
    }
}

/// Which way a queue goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the wire.
    Receive,
    /// To the wire.
    Transmit,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Receive => "receive",
            Self::Transmit => "transmit",
        })
    }
}

/// Why a port could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PortError {
    /// The configuration names a device DPDK does not have.
    #[error("no device named `{name}`; there are {probed:?}")]
    UnknownDevice {
        /// The name in the configuration.
        name: String,
        /// What DPDK has, so that the message is enough to fix the file.
        probed: Vec<String>,
    },
    /// The driver does not answer.
    #[error("the driver of `{name}` does not tell what the device can do")]
    Silent {
        /// The port.
        name: String,
    },
    /// A port can be started once.
    #[error("port `{name}` is started already")]
    AlreadyStarted {
        /// Its name.
        name: String,
    },
    /// The device has fewer queues than there are workers to use them.
    #[error("`{name}` has {available} {direction} queues, {wanted} are wanted, one for each worker")]
    TooFewQueues {
        /// The port.
        name: String,
        /// Which kind of queue.
        direction: Direction,
        /// How many the device has.
        available: u16,
        /// How many were asked for.
        wanted: u16,
    },
    /// A port needs a queue each way.
    #[error("`{name}` is configured without a {direction} queue, it needs at least one")]
    NoQueue {
        /// The port.
        name: String,
        /// Which kind of queue.
        direction: Direction,
    },
    /// The device does not do packets of this size.
    #[error("`{name}` can have an MTU of {least} to {most} bytes, {wanted} are wanted")]
    Mtu {
        /// The port.
        name: String,
        /// The configured MTU.
        wanted: u16,
        /// The device's smallest.
        least: u16,
        /// The device's largest.
        most: u16,
    },
    /// A frame must fit one buffer.
    #[error("buffers have room for frames of {room} bytes, an MTU of {mtu} on `{name}` takes {needed}")]
    BuffersTooSmall {
        /// The port.
        name: String,
        /// The configured MTU.
        mtu: u16,
        /// How long a frame may then be.
        needed: usize,
        /// What the pool's buffers have.
        room: usize,
    },
    /// The driver refused.
    #[error("`{name}` refuses to {step}: {reason}{}", eal::said(.log))]
    Refused {
        /// The port.
        name: String,
        /// At what.
        step: String,
        /// The driver's error number, in words.
        reason: String,
        /// What DPDK said.
        log: Vec<String>,
    },
}

/// The caller holds the table of ports.
fn unknown(name: &str) -> PortError {
    PortError::UnknownDevice {
        name: name.to_owned(),
        probed: eal::list_ports().into_iter().map(|port| port.name).collect(),
    }
}

/// Everything that can be known to fail beforehand.
fn check(name: &str, config: &PortConfig, info: &sys::rte_eth_dev_info, pool: &Mempool) -> Result<(), PortError> {
    for (direction, wanted, available) in [
        (Direction::Receive, config.rx_queues, info.max_rx_queues),
        (Direction::Transmit, config.tx_queues, info.max_tx_queues),
    ] {
        if wanted == 0 {
            return Err(PortError::NoQueue { name: name.to_owned(), direction });
        }
        if wanted > available {
            return Err(PortError::TooFewQueues { name: name.to_owned(), direction, available, wanted });
        }
    }
    check_mtu(name, config, info, pool)
}

fn check_mtu(name: &str, config: &PortConfig, info: &sys::rte_eth_dev_info, pool: &Mempool) -> Result<(), PortError> {
    let (least, most) = (info.min_mtu, info.max_mtu);
    if !(least..=most).contains(&config.mtu) {
        return Err(PortError::Mtu { name: name.to_owned(), wanted: config.mtu, least, most });
    }
    let needed = usize::from(config.longest_frame());
    let room = pool.frame_room();
    if needed > room {
        return Err(PortError::BuffersTooSmall { name: name.to_owned(), mtu: config.mtu, needed, room });
    }
    Ok(())
}

/// The steps to a started port.
struct Setup<'a> {
    id: u16,
    name: &'a str,
    config: &'a PortConfig,
    info: &'a sys::rte_eth_dev_info,
    pool: &'a Mempool,
}

impl Setup<'_> {
    /// No offload is asked for. Several receive queues want flows spread over them by hash.
    fn configure(&self, remarks: &mut Vec<Remark>) -> Result<(), PortError> {
        let mut conf = sys::rte_eth_conf::default();
        conf.rxmode.mtu = u32::from(self.config.mtu);
        let queues = self.config.rx_queues;
        let flows = sys::FERRY_RSS_FLOWS & self.info.flow_type_rss_offloads;
        if queues > 1 && flows != 0 {
            conf.rxmode.mq_mode = sys::RTE_ETH_MQ_RX_RSS;
            conf.rx_adv_conf.rss_conf.rss_hf = flows;
        } else if queues > 1 {
            remarks.push(Remark::NoReceiveSideScaling { queues });
        }
        self.step("be configured", || {
            // SAFETY: the port exists and is not started, and is ours to start; DPDK copies the configuration.
            unsafe { sys::rte_eth_dev_configure(self.id, queues, self.config.tx_queues, &raw const conf) }
        })
    }

    fn queues(&self, remarks: &mut Vec<Remark>) -> Result<(), PortError> {
        let (rx_wanted, tx_wanted) = (self.config.rx_descriptors, self.config.tx_descriptors);
        let (mut rx, mut tx) = (rx_wanted, tx_wanted);
        self.step("take a number of descriptors", || {
            // SAFETY: the port exists; two numbers to read and write.
            unsafe { sys::rte_eth_dev_adjust_nb_rx_tx_desc(self.id, &raw mut rx, &raw mut tx) }
        })?;
        for (direction, wanted, given) in [(Direction::Receive, rx_wanted, rx), (Direction::Transmit, tx_wanted, tx)] {
            if given != wanted {
                remarks.push(Remark::Descriptors { direction, wanted, given });
            }
        }
        // SAFETY: the port exists.
        let socket = unsafe { sys::rte_eth_dev_socket_id(self.id) }.cast_unsigned();
        for queue in 0..self.config.rx_queues {
            self.step(&format!("set up receive queue {queue}"), || {
                // SAFETY: the port is configured with that many queues; null stands for the driver's defaults; the pool
                // lives as long as the EAL, so longer than the port.
                unsafe { sys::rte_eth_rx_queue_setup(self.id, queue, rx, socket, std::ptr::null(), self.pool.as_ptr()) }
            })?;
        }
        for queue in 0..self.config.tx_queues {
            self.step(&format!("set up transmit queue {queue}"), || {
                // SAFETY: as above.
                unsafe { sys::rte_eth_tx_queue_setup(self.id, queue, tx, socket, std::ptr::null()) }
            })?;
        }
        Ok(())
    }

    /// Cards have taken the MTU from the configuration. Devices with a kernel interface below want to be told.
    fn mtu(&self, remarks: &mut Vec<Remark>) -> Result<(), PortError> {
        let wanted = self.config.mtu;
        let supported = self.step_if_supported(&format!("take an MTU of {wanted}"), || {
            // SAFETY: the port exists, and is ours to start.
            unsafe { sys::rte_eth_dev_set_mtu(self.id, wanted) }
        })?;
        if !supported && wanted != DEFAULT_MTU {
            remarks.push(Remark::NoMtu { wanted });
        }
        Ok(())
    }

    fn promiscuous(&self, remarks: &mut Vec<Remark>) -> Result<(), PortError> {
        let wanted = self.config.promiscuous;
        let step = if wanted { "become promiscuous" } else { "receive its own frames only" };
        let supported = self.step_if_supported(step, || {
            if wanted {
                // SAFETY: the port is started.
                unsafe { sys::rte_eth_promiscuous_enable(self.id) }
            } else {
                // SAFETY: the port is started.
                unsafe { sys::rte_eth_promiscuous_disable(self.id) }
            }
        })?;
        if wanted && !supported {
            remarks.push(Remark::NotPromiscuous);
        }
        Ok(())
    }

    /// A router hears what is sent to groups: solicitations for its addresses, and what other routers say. A device that has
    /// no filter for them has none to open.
    fn groups(&self, remarks: &mut Vec<Remark>) {
        let step = "hear all groups";
        // SAFETY: the port is started.
        let opened = self.step_if_supported(step, || unsafe { sys::rte_eth_allmulticast_enable(self.id) });
        if opened.is_err() {
            remarks.push(Remark::DeafToGroups);
        }
    }

    fn step(&self, step: &str, call: impl FnOnce() -> c_int) -> Result<(), PortError> {
        let (result, log) = log::during(call);
        if result >= 0 {
            log::keep(log);
            return Ok(());
        }
        Err(PortError::Refused { name: self.name.to_owned(), step: step.to_owned(), reason: error_text(-result), log })
    }

    /// As [`step`](Self::step); false if the device says it cannot do that at all.
    fn step_if_supported(&self, step: &str, call: impl FnOnce() -> c_int) -> Result<bool, PortError> {
        let mut supported = true;
        self.step(step, || match call() {
            NOT_SUPPORTED => {
                supported = false;
                0
            }
            result => result,
        })?;
        Ok(supported)
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

/// `-ENOTSUP`.
const NOT_SUPPORTED: c_int = -95;
