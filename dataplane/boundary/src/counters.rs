//! What a worker counts, and how others read it while it goes on counting.
//!
//! A worker adds in plain memory of its own ([`Tally`]) and publishes everything at once at the end of a turn. A reader
//! ([`Counters`]) gets all numbers as they stood at the end of one turn, so that what it reads obeys the law to the packet:
//!
//! ```text
//! received = transmitted + punted + dropped
//! ```
//!
//! Publishing is a sequence lock: some plain stores between two increments of a sequence number, once a turn. Counters of
//! what seldom happens stand first, and those before the first that has changed are left alone. Only this worker writes
//! there. A reader that came in between tries again, and gives way if that goes on: the worker may have been interrupted in
//! the middle. A worker never waits.

use std::iter;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::time::Duration;

use crossbeam::utils::{Backoff, CachePadded};

use crate::reason::{DropReason, PuntReason};
use crate::state::PortId;

/// A worker's own end.
#[derive(Debug)]
pub struct Tally {
    cells: Box<[u64]>,
    /// The first of them that has changed since the last turn; if none has, where they end.
    changed: usize,
    /// Where the cells of each port's queues begin, by [`PortId`]; and after the last, where they end.
    queues: Arc<[usize]>,
    shared: Arc<Shared>,
}

impl Tally {
    /// Counters at zero for a worker on ports with so many receive queues, by [`PortId`], and the end to read them from.
    pub fn new(queues: &[u16]) -> (Self, Counters) {
        let first = PORTS + queues.len() * PORT_CELLS;
        let ends = queues.iter().scan(first, |end, count| {
            *end += usize::from(*count);
            Some(*end)
        });
        let queues: Arc<[usize]> = iter::once(first).chain(ends).collect();
        let cells = queues.last().copied().unwrap_or(first);
        let shared = Arc::new(Shared {
            sequence: CachePadded::new(AtomicU64::new(0)),
            life: CachePadded::default(),
            cells: (0..cells).map(|_cell| AtomicU64::new(0)).collect(),
            queues: Arc::clone(&queues),
        });
        let tally = Self { cells: vec![0; cells].into(), changed: cells, queues, shared: Arc::clone(&shared) };
        (tally, Counters(shared))
    }

    /// A burst came in through a receive queue of `port`, which has a device.
    #[inline]
    pub fn received(&mut self, port: PortId, queue: u16, packets: usize, bytes: usize) {
        self.add(RECEIVED, packets);
        self.add(self.queues[port.index()] + usize::from(queue), packets);
        self.came_in(port, packets, bytes);
    }

    /// Packets among those received turned out to belong to `port`, whose frames come in through another's device.
    #[inline]
    pub fn came_in(&mut self, port: PortId, packets: usize, bytes: usize) {
        self.add(port_cell(port, RX_PACKETS), packets);
        self.add(port_cell(port, RX_BYTES), bytes);
    }

    /// Received packets, and such as were originated, left through `port`.
    #[inline]
    pub fn sent(&mut self, port: PortId, packets: usize, bytes: usize) {
        self.add(port_cell(port, TX_PACKETS), packets);
        self.add(port_cell(port, TX_BYTES), bytes);
    }

    /// Received packets were forwarded.
    #[inline]
    pub fn transmitted(&mut self, packets: usize) {
        self.add(TRANSMITTED, packets);
    }

    /// A received packet went to the control thread.
    #[inline]
    pub fn punted(&mut self, reason: PuntReason) {
        self.add(PUNTED.start + reason.index(), 1);
    }

    /// Received packets went no further.
    #[inline]
    pub fn dropped(&mut self, reason: DropReason, packets: usize) {
        self.add(DROPPED.start + reason.index(), packets);
    }

    /// Packets of the control thread left.
    #[inline]
    pub fn originated(&mut self, packets: usize) {
        self.add(ORIGINATED, packets);
    }

    /// Packets of the control thread could not leave.
    #[inline]
    pub fn originated_lost(&mut self, packets: usize) {
        self.add(ORIGINATED_LOST, packets);
    }

    /// Ends a turn: readers see all that was counted until now.
    #[inline]
    pub fn publish(&mut self) {
        add(&self.shared.life.turns, 1);
        let first = std::mem::replace(&mut self.changed, self.cells.len());
        let changed = &self.cells[first..];
        if changed.is_empty() {
            add(&self.shared.life.idle_turns, 1);
            return;
        }
        // Only this thread writes the sequence, so a load and a store make an increment.
        let sequence = self.shared.sequence.load(Ordering::Relaxed);
        self.shared.sequence.store(sequence + 1, Ordering::Relaxed);
        // Release: a reader that sees one of the cells below also sees the odd sequence number above.
        fence(Ordering::Release);
        for (cell, value) in self.shared.cells[first..].iter().zip(changed) {
            cell.store(*value, Ordering::Relaxed);
        }
        // Release: a reader that sees this even number also sees all cells above.
        self.shared.sequence.store(sequence + 2, Ordering::Release);
    }

    /// The worker has slept between two turns.
    pub fn slept(&mut self, time: Duration) {
        add(&self.shared.life.sleeps, 1);
        add(&self.shared.life.slept_nanos, u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    #[inline]
    fn add(&mut self, cell: usize, count: usize) {
        self.cells[cell] += count as u64;
        if count > 0 {
            self.changed = self.changed.min(cell);
        }
    }
}

/// Where a worker's counters are read, from any thread. Cloning reads the same ones.
#[derive(Debug, Clone)]
pub struct Counters(Arc<Shared>);

impl Counters {
    /// All counters as they stood at the end of one of the worker's turns.
    pub fn read(&self) -> Totals {
        let backoff = Backoff::new();
        loop {
            // Acquire: the cells below are no older than this number.
            let before = self.0.sequence.load(Ordering::Acquire);
            let cells: Box<[u64]> = self.0.cells.iter().map(|cell| cell.load(Ordering::Relaxed)).collect();
            // Acquire: if a cell above was already of a later turn, so is the number read below.
            fence(Ordering::Acquire);
            if before.is_multiple_of(2) && self.0.sequence.load(Ordering::Relaxed) == before {
                return Totals { cells, queues: Arc::clone(&self.0.queues) };
            }
            backoff.snooze();
        }
    }

    /// Turns the worker has taken: a number that stands still is a worker that does.
    pub fn turns(&self) -> u64 {
        self.0.life.turns.load(Ordering::Relaxed)
    }

    /// Those of them in which nothing happened.
    pub fn idle_turns(&self) -> u64 {
        self.0.life.idle_turns.load(Ordering::Relaxed)
    }

    /// How often it slept after such turns, and how long in all.
    pub fn slept(&self) -> (u64, Duration) {
        let Life { sleeps, slept_nanos, .. } = &*self.0.life;
        (sleeps.load(Ordering::Relaxed), Duration::from_nanos(slept_nanos.load(Ordering::Relaxed)))
    }
}

/// Counters at one moment: of a worker, or of several added up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Totals {
    cells: Box<[u64]>,
    /// As in [`Tally`].
    queues: Arc<[usize]>,
}

impl Totals {
    /// The counters of all workers added up; all zero without any worker.
    pub fn of_all<'a>(workers: impl IntoIterator<Item = &'a Counters>) -> Self {
        let sum = workers.into_iter().map(Counters::read).reduce(|mut sum, worker| {
            sum.cells.iter_mut().zip(worker.cells).for_each(|(sum, count)| *sum += count);
            sum
        });
        sum.unwrap_or_else(|| Self { cells: vec![0; PORTS].into(), queues: [PORTS].into() })
    }

    /// Packets that came in.
    pub fn received(&self) -> u64 {
        self.cells[RECEIVED]
    }

    /// Received packets that were forwarded.
    pub fn transmitted(&self) -> u64 {
        self.cells[TRANSMITTED]
    }

    /// Received packets that went to the control thread.
    pub fn punted(&self) -> u64 {
        self.cells[PUNTED].iter().sum()
    }

    /// Received packets that went no further.
    pub fn dropped(&self) -> u64 {
        self.cells[DROPPED].iter().sum()
    }

    /// Packets of the control thread that left.
    pub fn originated(&self) -> u64 {
        self.cells[ORIGINATED]
    }

    /// Packets of the control thread that could not leave.
    pub fn originated_lost(&self) -> u64 {
        self.cells[ORIGINATED_LOST]
    }

    /// Punted packets by reason, every reason once.
    pub fn punts(&self) -> impl Iterator<Item = (PuntReason, u64)> + '_ {
        PuntReason::ALL.iter().copied().zip(self.cells[PUNTED].iter().copied())
    }

    /// Dropped packets by reason, every reason once.
    pub fn drops(&self) -> impl Iterator<Item = (DropReason, u64)> + '_ {
        DropReason::ALL.iter().copied().zip(self.cells[DROPPED].iter().copied())
    }

    /// What went through each port, by [`PortId`].
    pub fn ports(&self) -> impl Iterator<Item = PortTotals> + '_ {
        self.cells[PORTS..self.queues[0]].as_chunks::<PORT_CELLS>().0.iter().map(|cells| PortTotals {
            rx_packets: cells[RX_PACKETS],
            rx_bytes: cells[RX_BYTES],
            tx_packets: cells[TX_PACKETS],
            tx_bytes: cells[TX_BYTES],
        })
    }

    /// Packets that came in through each receive queue of `port`, by their numbers; none for a port without a device.
    ///
    /// Together they are what came in through the port.
    pub fn queues(&self, port: PortId) -> &[u64] {
        match self.queues.get(port.index()..port.index() + 2) {
            Some(bounds) => &self.cells[bounds[0]..bounds[1]],
            None => &[],
        }
    }

    /// Whether every packet received is accounted for. It always is; this says so to tests and to people.
    pub fn is_conserved(&self) -> bool {
        self.received() == self.transmitted() + self.punted() + self.dropped()
    }
}

/// What went through a port.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PortTotals {
    /// Frames that came in.
    pub rx_packets: u64,
    /// Their bytes, Ethernet header first, without the check sequence.
    pub rx_bytes: u64,
    /// Frames that left, forwarded or originated.
    pub tx_packets: u64,
    /// Their bytes.
    pub tx_bytes: u64,
}

#[derive(Debug)]
struct Shared {
    /// Odd while the worker publishes.
    sequence: CachePadded<AtomicU64>,
    life: CachePadded<Life>,
    cells: Box<[AtomicU64]>,
    queues: Arc<[usize]>,
}

/// Signs of life, which are ordered with nothing.
#[derive(Debug, Default)]
struct Life {
    turns: AtomicU64,
    idle_turns: AtomicU64,
    sleeps: AtomicU64,
    slept_nanos: AtomicU64,
}

/// Adds to what only this thread writes, so that a load and a store will do.
#[inline]
fn add(to: &AtomicU64, count: u64) {
    to.store(to.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
}

// Where each counter stands among the cells: first what seldom happens.
const PUNTED: Range<usize> = 0..PuntReason::ALL.len();
const DROPPED: Range<usize> = PUNTED.end..PUNTED.end + DropReason::ALL.len();
const ORIGINATED: usize = DROPPED.end;
const ORIGINATED_LOST: usize = ORIGINATED + 1;
const RECEIVED: usize = ORIGINATED + 2;
const TRANSMITTED: usize = ORIGINATED + 3;
const PORTS: usize = ORIGINATED + 4;

// And each port's among its own.
const RX_PACKETS: usize = 0;
const RX_BYTES: usize = 1;
const TX_PACKETS: usize = 2;
const TX_BYTES: usize = 3;
const PORT_CELLS: usize = 4;

#[inline]
fn port_cell(port: PortId, cell: usize) -> usize {
    PORTS + port.index() * PORT_CELLS + cell
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_sees_a_turn_once_it_has_ended() {
        let (mut tally, counters) = Tally::new(&[1, 1]);
        tally.received(PortId(1), 0, 2, 120);
        tally.punted(PuntReason::Arp);
        tally.dropped(DropReason::NotOurMac, 1);
        assert_eq!(counters.read().received(), 0);
        tally.publish();
        let totals = counters.read();
        assert!(totals.is_conserved());
        assert_eq!(totals.ports().nth(1).unwrap(), PortTotals { rx_packets: 2, rx_bytes: 120, ..Default::default() });
        assert_eq!(totals.drops().find(|(reason, _)| *reason == DropReason::NotOurMac).unwrap().1, 1);
        assert_eq!(counters.turns(), 1);
    }

    #[test]
    fn what_was_counted_in_one_turn_is_read_after_any_other() {
        let (mut tally, counters) = Tally::new(&[1]);
        tally.received(PortId(0), 0, 2, 120);
        tally.dropped(DropReason::TxFull, 1);
        tally.punted(PuntReason::Arp);
        tally.publish();
        for turn in 2..5 {
            tally.received(PortId(0), 0, 1, 60);
            tally.transmitted(1);
            tally.dropped(DropReason::TxFull, 0);
            tally.publish();
            let totals = counters.read();
            assert!(totals.is_conserved(), "{totals:?}");
            assert_eq!((totals.received(), totals.dropped(), totals.punted()), (turn + 1, 1, 1));
        }
    }

    #[test]
    fn a_turn_in_which_nothing_was_counted_is_an_idle_one() {
        let (mut tally, counters) = Tally::new(&[1]);
        tally.publish();
        tally.received(PortId(0), 0, 1, 60);
        tally.publish();
        tally.publish();
        assert_eq!((counters.turns(), counters.idle_turns()), (3, 2));
        tally.slept(Duration::from_micros(30));
        tally.slept(Duration::from_micros(12));
        assert_eq!(counters.slept(), (2, Duration::from_micros(42)));
    }

    #[test]
    fn the_law_holds_in_every_reading_while_a_worker_counts() {
        const TURNS: u64 = 100_000;
        let (mut tally, counters) = Tally::new(&[1]);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for _turn in 0..TURNS {
                    tally.received(PortId(0), 0, 3, 180);
                    tally.transmitted(1);
                    tally.punted(PuntReason::Local);
                    tally.dropped(DropReason::TxFull, 1);
                    tally.publish();
                }
            });
            while counters.read().received() < 3 * TURNS {
                let totals = counters.read();
                assert!(totals.is_conserved(), "{totals:?}");
                assert_eq!(totals.ports().next().unwrap().rx_packets, totals.received());
            }
        });
    }

    #[test]
    fn workers_add_up() {
        let (mut one, first) = Tally::new(&[1]);
        let (mut two, second) = Tally::new(&[1]);
        for tally in [&mut one, &mut two] {
            tally.received(PortId(0), 0, 1, 60);
            tally.transmitted(1);
            tally.sent(PortId(0), 1, 60);
            tally.publish();
        }
        let all = Totals::of_all([&first, &second]);
        assert_eq!((all.received(), all.transmitted()), (2, 2));
        assert_eq!(all.ports().next().unwrap().tx_bytes, 120);
    }

    #[test]
    fn what_came_in_through_the_queues_of_a_port_adds_up_to_what_came_in_through_it() {
        let (mut tally, counters) = Tally::new(&[2, 1, 0]);
        for (port, queue, packets) in [(0, 0, 3), (0, 1, 4), (1, 0, 5)] {
            tally.received(PortId(port), queue, packets, 0);
        }
        // A VLAN has no queue of its own.
        tally.came_in(PortId(2), 2, 0);
        tally.publish();
        let totals = Totals::of_all([&counters, &counters]);
        assert_eq!(totals.queues(PortId(0)), [6, 8]);
        assert_eq!(totals.queues(PortId(1)), [10]);
        assert_eq!((totals.queues(PortId(2)), totals.queues(PortId(3))), (&[][..], &[][..]));
        let ports: Vec<_> = totals.ports().map(|port| port.rx_packets).collect();
        assert_eq!(ports, [14, 10, 4]);
        assert!(Totals::of_all([]).queues(PortId(0)).is_empty());
    }
}
