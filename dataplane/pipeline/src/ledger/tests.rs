//! What a worker counts for routes: what it sent, to the packet, and nothing else.

use std::sync::Arc;

use boundary::{
    Chunk, Counted, CountedTable, CountedTables, Group, GroupId, NextHop, Publisher, RingSizes, Share, Sharing, Totals,
    Whose, connect, scramble,
};
use lpm::{Change, FibWriter, NextHopId};
use proptest::prelude::*;

use super::*;
use crate::forward::tests::{LEFT, RIGHT, any_frame, frame, state};
use crate::memory::{MemoryFrame, MemoryPort};
use crate::worker::Worker;

/// Two workers over ports in memory, by the same states.
struct Scene {
    workers: Vec<Worker<MemoryPort>>,
    counters: Vec<boundary::Counters>,
    publisher: Publisher<ForwardingState>,
    chunk: Arc<Chunk>,
}

fn id(number: u32) -> CountId {
    CountId::new(number).unwrap()
}

/// What is counted for each.
const WIDE: u32 = 1;
const WIDE6: u32 = 2;

impl Scene {
    fn new(mut state: ForwardingState, tables: CountedTables) -> Self {
        let chunk = Arc::new(Chunk::new(2));
        state.counted =
            Some(Arc::new(Counted { main: tables, others: Arc::from([]), chunks: [Arc::clone(&chunk)].into() }));
        let (publisher, _links, counters, ends) = connect(state, 2, RingSizes { slots: 256, ..RingSizes::default() });
        let ports = || vec![MemoryPort::default(), MemoryPort::default()];
        Self { workers: ends.into_iter().map(|end| Worker::new(ports(), end)).collect(), counters, publisher, chunk }
    }

    /// The usual state, with the routes to 198.51.100.0/24 and 2001:db8:2::/48 counted, and none inside them.
    fn usual() -> Self {
        Self::new(state(), counted(&[("198.51.100.0/24", Whose::Route(id(WIDE)))], &[]))
    }

    fn arrive(&mut self, worker: usize, frames: impl IntoIterator<Item = MemoryFrame>) {
        self.workers[worker].ports_mut()[LEFT.index()].arriving.extend(frames);
    }

    fn run(&mut self) -> Totals {
        self.workers.iter_mut().for_each(|worker| while worker.turn() > 0 {});
        Totals::of_all(&self.counters)
    }

    fn counted(&self, number: u32) -> u64 {
        self.chunk.sum(id(number))
    }
}

fn counted(ipv4: &[(&str, Whose)], sharing: &[Sharing]) -> CountedTables {
    let set = |(network, whose): &(&str, Whose)| Change::Set(network.parse().unwrap(), whose.answer());
    let fib = FibWriter::default().apply(ipv4.iter().map(set));
    let set6 = Change::Set("2001:db8:2::/48".parse().unwrap(), Whose::Route(id(WIDE6)).answer());
    CountedTables {
        ipv4: CountedTable { fib, sharing: sharing.into() },
        ipv6: CountedTable { fib: FibWriter::default().apply([set6]), sharing: Arc::from([]) },
    }
}

fn transit() -> MemoryFrame {
    frame("192.0.2.10", "198.51.100.7", 64, 26)
}

#[test]
fn a_packet_counts_for_its_route_in_either_family_whichever_worker_sent_it() {
    let mut scene = Scene::usual();
    scene.arrive(0, (0..100).map(|_frame| transit()));
    scene.arrive(1, (0..50).map(|_frame| transit()));
    scene.arrive(1, [frame("2001:db8:1::10", "2001:db8:2::7", 64, 26)]);
    assert_eq!(scene.run().transmitted(), 151);
    assert_eq!([WIDE, WIDE6].map(|number| scene.counted(number)), [150, 1]);
}

// holds S3.38
#[test]
fn dp_12_what_the_ring_refuses_is_not_counted() {
    let mut scene = Scene::usual();
    scene.workers[0].ports_mut()[RIGHT.index()].room = 3;
    scene.arrive(0, (0..10).map(|_frame| transit()));
    let totals = scene.run();
    assert_eq!((totals.transmitted(), scene.counted(WIDE)), (3, 3));
    let refused = totals.drops().find(|(reason, _)| *reason == boundary::DropReason::TxFull);
    assert_eq!(refused.map(|(_, packets)| packets), Some(7));
}

#[test]
fn what_is_punted_or_dropped_counts_for_nobody() {
    let mut scene = Scene::usual();
    scene.arrive(0, [frame("192.0.2.10", "198.51.100.7", 1, 26), frame("127.0.0.1", "198.51.100.7", 64, 26)]);
    assert_eq!(scene.run().transmitted(), 0);
    assert_eq!(scene.counted(WIDE), 0);
}

#[test]
fn a_route_inside_one_that_is_counted_keeps_its_packets_to_itself() {
    let inside = [("198.51.100.0/24", Whose::Route(id(WIDE))), ("198.51.100.128/25", Whose::Route(CountId::NOBODY))];
    let mut scene = Scene::new(state(), counted(&inside, &[]));
    scene.arrive(0, [transit(), frame("192.0.2.10", "198.51.100.200", 64, 26)]);
    assert_eq!(scene.run().transmitted(), 2);
    assert_eq!(scene.counted(WIDE), 1);
}

#[test]
fn of_routes_that_share_the_one_of_the_member_that_sent_a_packet_has_it() {
    let mut state = state();
    let NextHop::Neighbour(neighbour) = state.next_hops[0] else { panic!("it is one") };
    let of_member = |number: u32| Share { next_hop: NextHopId::new(number), name: scramble(number.into()), weight: 1 };
    let group = Group::new(&[of_member(6), of_member(7)]);
    let members = [neighbour; 2].map(NextHop::Neighbour);
    state.next_hops = state.next_hops.iter().copied().chain(members).chain([NextHop::Group(GroupId(0))]).collect();
    state.groups = Arc::from([Arc::new(group.clone())]);
    state.ipv4 = FibWriter::default().apply([Change::Set("198.51.100.0/24".parse().unwrap(), NextHopId::new(8))]);
    let sharing =
        Sharing { group: NextHopId::new(8), members: [(NextHopId::new(6), id(6)), (NextHopId::new(7), id(7))].into() };
    let flow = |number: u8| frame("192.0.2.10", &format!("198.51.100.{number}"), 64, 26);
    let of_first = |frame: &MemoryFrame| group.member(state.flows.of(&frame.0[14..])) == NextHopId::new(6);
    let first = (1..255).filter(|number| of_first(&flow(*number))).count() as u64;
    let mut scene = Scene::new(state, counted(&[("198.51.100.0/24", Whose::OneOf(0))], &[sharing]));
    scene.arrive(0, (1..255).map(flow));
    assert_eq!(scene.run().transmitted(), 254);
    assert_eq!([6, 7].map(|number| scene.counted(number)), [first, 254 - first]);
}

#[test]
fn a_frame_that_leaves_the_queue_unsent_is_not_counted_and_those_around_it_are() {
    let networks = ["198.51.100.1/32", "198.51.100.2/32", "198.51.100.3/32"];
    let whose = [1, 2, 3].map(|number| Whose::Route(id(number)));
    let networks: Vec<_> = networks.into_iter().zip(whose).collect();
    let scene = Scene::new(state(), counted(&networks, &[]));
    let state = scene.publisher.current();
    let burst = [1, 2, 3].map(|last| frame("192.0.2.10", &format!("198.51.100.{last}"), 63, 26));
    let mut ledger = Ledger::new(0, 2);
    ledger.note(&state, LEFT, &burst, &[Verdict::Transmit(RIGHT); 3]);
    ledger.strike(RIGHT, 1);
    ledger.settle(RIGHT, 2);
    ledger.book(&state);
    assert_eq!([1, 2, 3].map(|number| scene.counted(number)), [1, 0, 1]);
}

#[test]
fn nothing_is_counted_once_nobody_asks_any_more() {
    let mut scene = Scene::usual();
    scene.arrive(0, [transit()]);
    scene.run();
    scene.publisher.publish(state());
    scene.arrive(0, [transit()]);
    assert_eq!(scene.run().transmitted(), 2);
    assert_eq!(scene.counted(WIDE), 1);
}

proptest! {
    #[test]
    fn the_counts_of_all_routes_are_what_was_transmitted(
        left in proptest::collection::vec(any_frame(), 0..200),
        right in proptest::collection::vec(any_frame(), 0..20),
        room in 0..100_usize,
    ) {
        let mut scene = Scene::new(state(), counted(&[("0.0.0.0/0", Whose::Route(id(WIDE)))], &[]));
        let ports = scene.workers[0].ports_mut();
        ports[RIGHT.index()].room = room;
        ports[RIGHT.index()].arriving.extend(right);
        scene.arrive(0, left);
        let totals = scene.run();
        prop_assert_eq!(scene.counted(WIDE) + scene.counted(WIDE6), totals.transmitted());
    }
}
