//! One worker over ports in memory, timed by stages, with its own tables or with DPDK's in their place.
//!
//! A port copies the next packet's header into a buffer that is free, as a card would, and frees a buffer when it is sent.
//! So the worker and its table are measured without any driver, and what the ports cost is told apart.

use std::cell::{Cell as Shared, RefCell};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::rc::Rc;

use bench::peers::Table;
use boundary::{ForwardingState, RingSizes, connect};
use lpm::{Fib, NextHopId};
use pipeline::{Burst, Frame, Lookup, Port, StateTables, Worker};
use serde::Serialize;

use super::traffic::{HEAD, Packet};

/// What a packet costs, in cycles of the time stamp counter: medians.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Cost {
    /// All of a turn, without a look at the clock in between.
    pub(crate) total: f64,
    /// Parts of it, from turns of their own in which each stage looks at the clock.
    pub(crate) receive: f64,
    pub(crate) classify: f64,
    pub(crate) lookup: f64,
    pub(crate) rewrite: f64,
    pub(crate) transmit: f64,
}

impl Cost {
    /// Without the ports: what forwarding takes.
    pub(crate) fn forwarding(&self) -> f64 {
        self.total - self.receive - self.transmit
    }
}

/// A worker over two ports in memory.
pub(crate) struct Bench {
    worker: Worker<MemoryPort>,
    watch: Rc<Watch>,
    counters: boundary::Counters,
    _rest: (boundary::Publisher<ForwardingState>, Vec<boundary::WorkerLink>),
}

impl Bench {
    /// Over packets, which are repeated without end, half of them on either port.
    pub(crate) fn new(state: ForwardingState, packets: Rc<[Packet]>) -> Self {
        let (publisher, links, mut counters, mut ends) = connect(state, 1, RingSizes::default());
        let watch = Rc::new(Watch::default());
        let free = Rc::new(RefCell::new((0..BUFFERS).map(|_buffer| Slot::default()).collect::<Vec<_>>()));
        let port = |n: usize| MemoryPort {
            packets: Rc::clone(&packets),
            next: n * packets.len() / 2,
            free: Rc::clone(&free),
            watch: Rc::clone(&watch),
        };
        let worker = Worker::new(vec![port(0), port(1)], ends.remove(0));
        Self { worker, watch, counters: counters.remove(0), _rest: (publisher, links) }
    }

    /// Cycles per packet of one sample by each way of timing: the whole, and by stages.
    pub(crate) fn sample(&mut self, engine: &mut Engine) -> Result<Cost, String> {
        let before = self.counters.read();
        let total = self.turns(engine);
        self.watch.start();
        let _slower = self.turns(engine);
        let packets = self.watch.stop();
        let after = self.counters.read();
        let lost = (after.received() - before.received()) - (after.transmitted() - before.transmitted());
        if lost > 0 {
            return Err(format!(
                "{lost} packets of a benchmark were not forwarded: {:?}",
                after.drops().collect::<Vec<_>>()
            ));
        }
        let stage = |stage: Stage| ratio(self.watch.sums[stage as usize].get(), packets);
        Ok(Cost {
            total,
            receive: stage(Stage::Receive),
            classify: stage(Stage::Classify),
            lookup: stage(Stage::Lookup),
            rewrite: stage(Stage::Rewrite),
            transmit: stage(Stage::Transmit),
        })
    }

    fn turns(&mut self, engine: &mut Engine) -> f64 {
        let start = dpdk::cycles();
        let mut packets = 0;
        while packets < SAMPLE {
            let more = match engine {
                Engine::Ferry => self.worker.turn_by(&mut Timed(&mut StateTables, &self.watch)),
                Engine::Peer(peer) => self.worker.turn_by(&mut Timed(&mut **peer, &self.watch)),
            };
            // Who drops packets drops their buffers, and with the last of those nothing more comes in.
            if more == 0 {
                break;
            }
            packets += more;
        }
        ratio(dpdk::cycles() - start, packets)
    }
}

/// What looks destinations up.
pub(crate) enum Engine {
    /// The tables of the forwarding state.
    Ferry,
    /// DPDK's.
    Peer(Box<Peer>),
}

/// Tables of DPDK's that hold what ours do.
pub(crate) struct Peer {
    pub(crate) v4: Table,
    pub(crate) v6: Table,
}

impl Lookup for Peer {
    fn ipv4(&mut self, _ours: &Fib<Ipv4Addr>, destinations: &[Ipv4Addr], next_hops: &mut [Option<NextHopId>]) {
        let mut numbers = [0; pipeline::BURST];
        numbers.iter_mut().zip(destinations).for_each(|(number, address)| *number = u32::from(*address));
        self.v4.lookup4(&numbers[..destinations.len()]);
        self.v4.answers(destinations.len(), next_hops);
    }

    fn ipv6(&mut self, _ours: &Fib<Ipv6Addr>, destinations: &[Ipv6Addr], next_hops: &mut [Option<NextHopId>]) {
        let mut octets = [[0; 16]; pipeline::BURST];
        octets.iter_mut().zip(destinations).for_each(|(octets, address)| *octets = address.octets());
        self.v6.lookup6(&octets[..destinations.len()]);
        self.v6.answers(destinations.len(), next_hops);
    }
}

/// A lookup with a look at the clock before and after.
struct Timed<'a, L>(&'a mut L, &'a Watch);

impl<L: Lookup> Lookup for Timed<'_, L> {
    fn ipv4(&mut self, table: &Fib<Ipv4Addr>, destinations: &[Ipv4Addr], next_hops: &mut [Option<NextHopId>]) {
        self.1.before_lookup();
        self.0.ipv4(table, destinations, next_hops);
        self.1.ends(Stage::Lookup);
    }

    fn ipv6(&mut self, table: &Fib<Ipv6Addr>, destinations: &[Ipv6Addr], next_hops: &mut [Option<NextHopId>]) {
        self.1.before_lookup();
        self.0.ipv6(table, destinations, next_hops);
        self.1.ends(Stage::Lookup);
    }
}

/// What a worker is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// In no stage of a burst.
    Between,
    Receive,
    Classify,
    Lookup,
    /// And the way to the port's queue.
    Rewrite,
    Transmit,
}

/// Adds up what each stage takes, while it is started.
#[derive(Debug, Default)]
struct Watch {
    runs: Shared<bool>,
    after_lookup: Shared<bool>,
    since: Shared<u64>,
    sums: [Shared<u64>; 6],
    packets: Shared<usize>,
}

impl Watch {
    fn start(&self) {
        self.sums.iter().for_each(|sum| sum.set(0));
        self.packets.set(0);
        self.since.set(dpdk::cycles());
        self.runs.set(true);
    }

    /// How many packets there were.
    fn stop(&self) -> usize {
        self.runs.set(false);
        self.packets.get()
    }

    /// What was done since the last look was of this stage.
    #[inline]
    fn ends(&self, stage: Stage) {
        if self.runs.get() {
            let now = dpdk::cycles();
            let sum = &self.sums[stage as usize];
            sum.set(sum.get() + now - self.since.get());
            self.since.set(now);
            self.after_lookup.set(stage == Stage::Lookup);
        }
    }

    /// A burst of both families is looked up and rewritten twice.
    #[inline]
    fn before_lookup(&self) {
        self.ends(if self.after_lookup.get() { Stage::Rewrite } else { Stage::Classify });
    }
}

/// A port whose wire is a list of packets.
struct MemoryPort {
    packets: Rc<[Packet]>,
    next: usize,
    /// Buffers, which all ports share; the last to be freed is the first to be taken.
    free: Rc<RefCell<Vec<Slot>>>,
    watch: Rc<Watch>,
}

impl Port for MemoryPort {
    type Frame = Slot;

    fn receive(&mut self, _nth: usize, burst: &mut Burst<Slot>) {
        self.watch.ends(Stage::Between);
        let mut free = self.free.borrow_mut();
        while !burst.is_full()
            && let Some(mut slot) = free.pop()
        {
            let Packet { head, len } = &self.packets[self.next];
            self.next = if self.next + 1 == self.packets.len() { 0 } else { self.next + 1 };
            slot.0.bytes[..HEAD].copy_from_slice(head);
            slot.0.len = *len;
            burst.push(slot);
        }
        self.watch.packets.set(self.watch.packets.get() + burst.len());
        self.watch.ends(Stage::Receive);
    }

    fn transmit(&mut self, burst: &mut Burst<Slot>) {
        self.watch.ends(Stage::Rewrite);
        self.free.borrow_mut().extend(burst.drain(..));
        self.watch.ends(Stage::Transmit);
    }

    fn originate(&mut self, _bytes: &[u8]) -> Option<Slot> {
        None
    }
}

/// A buffer, which a frame starts at the beginning of.
#[derive(Debug, Default)]
struct Slot(Box<Buffer>);

#[derive(Debug)]
#[repr(align(64))]
struct Buffer {
    bytes: [u8; ROOM],
    len: usize,
}

impl Default for Buffer {
    fn default() -> Self {
        Self { bytes: [0; ROOM], len: 0 }
    }
}

impl Frame for Slot {
    #[inline]
    fn bytes(&self) -> &[u8] {
        &self.0.bytes[..self.0.len]
    }

    #[inline]
    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.0.bytes[..self.0.len]
    }

    fn truncate(&mut self, len: usize) {
        self.0.len = self.0.len.min(len);
    }

    fn cut_front(&mut self, _len: usize) {
        unreachable!("no packet here has a tag");
    }

    fn grow_front(&mut self, _len: usize) -> bool {
        false
    }
}

#[expect(clippy::cast_precision_loss, reason = "far less than 2^52")]
fn ratio(cycles: u64, packets: usize) -> f64 {
    cycles as f64 / packets.max(1) as f64
}

/// As many buffers as the rings of two ports hold.
const BUFFERS: usize = 2048;

/// As in a pool's.
const ROOM: usize = 2048;

/// Packets to a sample.
const SAMPLE: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use bench::routes::Routes;
    use packet::ethernet::MacAddr;

    use super::*;
    use crate::forward::{matrix, traffic};

    fn bench(packets: &[Packet]) -> Bench {
        let none = Routes { v4: Vec::new(), v6: Vec::new() };
        let macs = [traffic::STATION, MacAddr([2, 0, 0, 0, 0, 2])];
        Bench::new(traffic::state(matrix::Routes::One, &none, macs, true), packets.into())
    }

    fn packets(of: &str) -> Vec<Packet> {
        let cell = matrix::chosen(&format!("memory,one-route,1,64,{of}")).unwrap()[0];
        traffic::packets(cell, &Routes { v4: Vec::new(), v6: Vec::new() })
    }

    #[test]
    fn each_stage_of_a_burst_takes_time_and_leaves_some_to_the_others() {
        for family in ["ipv4", "ipv6", "mixed"] {
            let cost = bench(&packets(family)).sample(&mut Engine::Ferry).unwrap();
            let stages = [cost.receive, cost.classify, cost.lookup, cost.rewrite, cost.transmit];
            assert!(stages.iter().all(|cycles| *cycles > 0.0), "{family}: {cost:?}");
            assert!(cost.total > 0.0 && cost.forwarding() < cost.total, "{family}: {cost:?}");
        }
    }

    #[test]
    fn a_sample_in_which_a_packet_is_not_forwarded_is_no_figure() {
        let mut packets = packets("ipv4");
        packets[31].head[24] ^= 1;
        let refusal = bench(&packets).sample(&mut Engine::Ferry).unwrap_err();
        assert!(refusal.contains("were not forwarded") && refusal.contains("BadChecksum"), "{refusal}");
    }

    #[test]
    fn what_stages_take_adds_up_to_what_passed_while_the_watch_ran() {
        let watch = Watch::default();
        watch.ends(Stage::Receive);
        assert!(watch.sums.iter().all(|sum| sum.get() == 0), "it is not started");
        watch.start();
        let started = watch.since.get();
        for stage in [Stage::Receive, Stage::Classify, Stage::Lookup, Stage::Rewrite, Stage::Transmit, Stage::Between] {
            watch.ends(stage);
        }
        let summed: u64 = watch.sums.iter().map(Shared::get).sum();
        assert_eq!(summed, watch.since.get() - started, "each cycle is of one stage");
        assert!(summed > 0);
    }

    #[test]
    fn the_second_family_of_a_burst_is_looked_up_after_the_first_was_rewritten() {
        let watch = Watch::default();
        watch.start();
        watch.before_lookup();
        watch.ends(Stage::Lookup);
        let classified = watch.sums[Stage::Classify as usize].get();
        watch.before_lookup();
        assert!(watch.sums[Stage::Rewrite as usize].get() > 0);
        assert_eq!(watch.sums[Stage::Classify as usize].get(), classified);
    }
}
