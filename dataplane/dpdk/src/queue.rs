//! A worker's end of a port: its queues.
//!
//! The hot path. One burst is one indirect call into the driver, through the table DPDK's own inline functions use; no
//! function of ours or DPDK's lies between. (Measured: 0.2 ns a packet less than a call through C, at bursts of 32.)
//! The callbacks DPDK can hang on a queue are not run; nothing here installs any.

use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::Arc;

use dpdk_sys as sys;
use pipeline::Burst;

use crate::mbuf::Mbuf;
use crate::port::StartedPort;

/// A receive queue of one port.
///
/// Not `Clone`, and polled through `&mut`: two threads on one queue would be a data race inside the driver, so the
/// borrow checker rules it out. It holds its port, which therefore runs as long as it can be polled.
#[derive(Debug)]
pub struct RxQueue {
    hooks: Hooks,
    queue: u16,
    _port: Arc<StartedPort>,
}

impl RxQueue {
    pub(crate) fn new(port: Arc<StartedPort>, queue: u16) -> Self {
        Self { hooks: Hooks::of(port.id()), queue, _port: port }
    }

    /// Its number among those of its port.
    #[must_use]
    pub fn number(&self) -> u16 {
        self.queue
    }

    /// Adds the frames that have arrived to `burst`, at most as many as it has room for.
    #[inline]
    pub fn receive(&mut self, burst: &mut Burst<Mbuf>) {
        let held = burst.len();
        let (Some(receive), data) = self.hooks.receive(self.queue) else { return };
        let room = burst.spare_capacity_mut();
        // SAFETY: `data` is the queue's, which is set up, and of which we are the only user. `Mbuf` is a transparent
        // non-null pointer, and `room` is where the driver may write so many of them.
        let received = unsafe { receive(data, room.as_mut_ptr().cast(), as_u16(room.len())) };
        // SAFETY: the driver has written that many, not more than asked for, each to an mbuf that is now ours alone.
        unsafe { burst.set_len(held + usize::from(received)) };
    }
}

/// A transmit queue of one port. Like [`RxQueue`], it has one user and holds its port.
#[derive(Debug)]
pub struct TxQueue {
    hooks: Hooks,
    queue: u16,
    port: Arc<StartedPort>,
}

impl TxQueue {
    pub(crate) fn new(port: Arc<StartedPort>, queue: u16) -> Self {
        Self { hooks: Hooks::of(port.id()), queue, port }
    }

    /// Sends from the front of `burst`, in order. What the ring had no room for stays in `burst`, still ours.
    ///
    /// Frames go out as they are: none is padded to Ethernet's least length, which cards do by themselves.
    #[inline]
    pub fn transmit(&mut self, burst: &mut Burst<Mbuf>) {
        let held = burst.len();
        let (Some(transmit), data) = self.hooks.transmit(self.queue) else { return };
        let first = burst.as_mut_ptr();
        // SAFETY: `data` is the queue's, which is set up, and of which we are the only user. `Mbuf` is a transparent
        // non-null pointer, and `held` of them lie there.
        let sent = usize::from(unsafe { transmit(data, first.cast(), as_u16(held)) });
        // The driver owns the first `sent` now: they leave the burst without being dropped, and the others move up.
        let left = held - sent;
        // SAFETY: both ranges lie within the `held` buffers of the burst; `copy` allows them to overlap.
        unsafe { first.copy_from(first.wrapping_add(sent), left) };
        // SAFETY: the first `left` are the ones that were not sent, each once.
        unsafe { burst.set_len(left) };
    }
}

/// One port as one worker sees it: what [`pipeline`] forwards between.
///
/// A worker sends on every port and receives on some of them: it holds a transmit queue of its own, and those receive
/// queues that are its to poll. They come and go between its turns.
#[derive(Debug)]
pub struct WorkerPort {
    rx: Vec<RxQueue>,
    /// Of the queues in `rx`.
    numbers: Vec<u16>,
    tx: TxQueue,
}

impl WorkerPort {
    /// Of a transmit queue, and as yet no receive queue of the same port; with room for `most` of those.
    #[must_use]
    pub fn new(tx: TxQueue, most: usize) -> Self {
        Self { rx: Vec::with_capacity(most), numbers: Vec::with_capacity(most), tx }
    }

    /// Polls one more receive queue of the port. Without memory from the system, as long as there is room.
    pub fn take(&mut self, queue: RxQueue) {
        self.numbers.push(queue.queue);
        self.rx.push(queue);
    }

    /// Polls a receive queue no longer, if it did.
    pub fn release(&mut self, number: u16) -> Option<RxQueue> {
        let place = self.numbers.iter().position(|held| *held == number)?;
        self.numbers.remove(place);
        Some(self.rx.remove(place))
    }
}

impl pipeline::Port for WorkerPort {
    type Frame = Mbuf;

    #[inline]
    fn queues(&self) -> &[u16] {
        &self.numbers
    }

    #[inline]
    fn receive(&mut self, nth: usize, burst: &mut Burst<Mbuf>) {
        if let Some(queue) = self.rx.get_mut(nth) {
            queue.receive(burst);
        }
    }

    #[inline]
    fn transmit(&mut self, burst: &mut Burst<Mbuf>) {
        self.tx.transmit(burst);
    }

    #[inline]
    fn originate(&mut self, bytes: &[u8]) -> Option<Mbuf> {
        self.tx.port.pool().originate(bytes)
    }
}

/// A port's entry in DPDK's table of drivers' functions.
///
/// Read anew for every burst, as DPDK does itself: a driver may exchange its functions while the port runs, for instance
/// when the card is pulled.
#[derive(Debug)]
struct Hooks(NonNull<sys::rte_eth_fp_ops>);

// SAFETY: the table is a static of DPDK's, meant to be read by every thread.
unsafe impl Send for Hooks {}

type BurstFunction = Option<unsafe extern "C" fn(*mut c_void, *mut *mut sys::rte_mbuf, u16) -> u16>;

impl Hooks {
    fn of(port: u16) -> Self {
        let table = (&raw mut sys::rte_eth_fp_ops).cast::<sys::rte_eth_fp_ops>();
        let entry = table.wrapping_add(usize::from(port));
        Self(NonNull::new(entry).expect("an element of a static is not at address zero"))
    }

    #[inline]
    fn receive(&self, queue: u16) -> (BurstFunction, *mut c_void) {
        let entry = self.0.as_ptr();
        // SAFETY: an element of the table, whose fields are pointers, written and read whole.
        let function = unsafe { (*entry).rx_pkt_burst };
        // SAFETY: as above.
        let queues = unsafe { (*entry).rxq.data };
        // SAFETY: it has an element for each queue of a port that is started, and this one is.
        (function, unsafe { queues.wrapping_add(usize::from(queue)).read() })
    }

    #[inline]
    fn transmit(&self, queue: u16) -> (BurstFunction, *mut c_void) {
        let entry = self.0.as_ptr();
        // SAFETY: as in `receive`.
        let function = unsafe { (*entry).tx_pkt_burst };
        // SAFETY: as in `receive`.
        let queues = unsafe { (*entry).txq.data };
        // SAFETY: as in `receive`.
        (function, unsafe { queues.wrapping_add(usize::from(queue)).read() })
    }
}

/// A burst's length.
#[inline]
fn as_u16(len: usize) -> u16 {
    u16::try_from(len).expect("a burst is 64 frames at most")
}

const _: () = assert!(size_of::<Mbuf>() == size_of::<*mut sys::rte_mbuf>());
