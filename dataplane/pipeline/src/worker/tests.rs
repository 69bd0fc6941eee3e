//! The law: every frame that came in is accounted for, whatever it was and however full the ways out are.

use boundary::punt::Sample;
use boundary::{Adjacency, NextHop};
use boundary::{Counters, Publisher, PuntReason, RingSizes, Totals, WorkerLink, connect};
use lpm::{Change, FibWriter, NextHopId};
use proptest::prelude::*;

use super::*;
use crate::forward::forward;
use crate::forward::tests::{LEFT, RIGHT, any_frame, frame, state};
use crate::memory::{MemoryFrame, MemoryPort};

mod queues;

/// A worker over two ports in memory, and the other ends of its boundary.
struct Scene {
    worker: Worker<MemoryPort>,
    link: WorkerLink,
    counters: Counters,
    publisher: Publisher<ForwardingState>,
}

impl Scene {
    fn with_slots(slots: usize) -> Self {
        let sizes = RingSizes { slots, ..RingSizes::default() };
        let (publisher, mut links, mut counters, mut ends) = connect(state(), 1, sizes);
        let (link, counters, end) = (links.remove(0), counters.remove(0), ends.remove(0));
        Self { worker: Worker::new(vec![MemoryPort::default(), MemoryPort::default()], end), link, counters, publisher }
    }

    fn arrive(&mut self, frames: impl IntoIterator<Item = MemoryFrame>) {
        self.worker.ports_mut()[LEFT.index()].arriving.extend(frames);
    }

    /// Turns until nothing happens any more; returns what was counted.
    fn run(&mut self) -> Totals {
        while self.worker.turn() > 0 {}
        self.counters.read()
    }

    fn drops(&self, wanted: DropReason) -> u64 {
        self.counters.read().drops().find(|(reason, _)| *reason == wanted).unwrap().1
    }
}

fn transit() -> MemoryFrame {
    frame("192.0.2.10", "198.51.100.7", 64, 26)
}

fn to_us() -> MemoryFrame {
    frame("192.0.2.10", "192.0.2.1", 64, 26)
}

#[test]
fn what_comes_in_on_one_port_leaves_by_another() {
    let mut scene = Scene::with_slots(8);
    scene.arrive([transit(), transit()]);
    let totals = scene.run();
    assert_eq!((totals.received(), totals.transmitted()), (2, 2));
    assert_eq!(scene.worker.ports_mut()[RIGHT.index()].sent.len(), 2);
    let [left, right] = totals.ports().collect::<Vec<_>>()[..] else { panic!("two ports") };
    assert_eq!((left.rx_packets, left.rx_bytes, left.tx_packets), (2, 120, 0));
    assert_eq!((right.rx_packets, right.tx_packets, right.tx_bytes), (0, 2, 120));
}

#[test]
fn a_port_without_room_costs_the_frame_and_counts_it() {
    let mut scene = Scene::with_slots(8);
    scene.worker.ports_mut()[RIGHT.index()].room = 3;
    scene.arrive((0..10).map(|_frame| transit()));
    let totals = scene.run();
    assert_eq!((totals.transmitted(), scene.drops(DropReason::TxFull)), (3, 7));
    assert_eq!(totals.ports().nth(RIGHT.index()).unwrap().tx_packets, 3);
}

#[test]
fn what_comes_in_through_a_port_that_is_down_is_dropped_whatever_it_is() {
    let mut scene = Scene::with_slots(8);
    let mut down = state();
    std::sync::Arc::make_mut(&mut down.ports)[LEFT.index()].policy.closed = true;
    scene.publisher.publish(down);
    scene.arrive([transit(), to_us()]);
    let totals = scene.run();
    assert_eq!((totals.received(), scene.drops(DropReason::PortDown)), (2, 2));
    assert!(totals.is_conserved());
    scene.link.originate.send(LEFT, &[1; 60]).unwrap();
    let totals = scene.run();
    assert_eq!((totals.originated(), totals.originated_lost()), (0, 1), "nor does anything leave");
    scene.publisher.publish(state());
    scene.arrive([transit()]);
    assert_eq!(scene.run().transmitted(), 1, "and is forwarded when it is up");
}

#[test]
fn a_full_punt_ring_costs_the_frame_and_counts_it() {
    let mut scene = Scene::with_slots(8);
    scene.arrive((0..5).map(|_frame| to_us()));
    let totals = scene.run();
    assert_eq!((totals.punted(), scene.drops(DropReason::PuntFullLocal)), (2, 3));
    let punt = scene.link.punts.receive(|punt, bytes| (punt, bytes.to_vec()));
    assert_eq!(punt, Some((Punt { port: LEFT, reason: PuntReason::Local }, to_us().0)), "as it came in");
}

#[test]
fn rfc_174_a_flood_to_the_router_leaves_arp_and_routing_their_way_up() {
    let mut scene = Scene::with_slots(64);
    let mut arp = to_us();
    arp.0[12..14].copy_from_slice(&[0x08, 0x06]);
    let mut bgp = to_us();
    bgp.0[14 + 9] = 6;
    bgp.0[34..38].copy_from_slice(&[0x80, 0, 0, 179]);
    bgp.0[24..26].fill(0);
    let sum = packet::checksum::checksum(&bgp.0[14..34]);
    bgp.0[24..26].copy_from_slice(&sum.to_be_bytes());
    let flood = (0..1000).map(|number| match number % 100 {
        0 => arp.clone(),
        1 => bgp.clone(),
        _ => to_us(),
    });
    scene.arrive(flood);
    let totals = scene.run();
    let punted = |wanted| totals.punts().find(|(reason, _)| *reason == wanted).unwrap().1;
    assert_eq!((punted(PuntReason::Arp), punted(PuntReason::Routing), punted(PuntReason::Local)), (10, 10, 16));
    assert_eq!(scene.drops(DropReason::PuntFullLocal), 964);
    let first = std::iter::from_fn(|| scene.link.punts.receive(|punt, _frame| punt.reason)).take(20);
    assert!(first.into_iter().all(|reason| reason != PuntReason::Local), "and they are heard first");
}

#[test]
fn rfc_038_a_martian_is_counted_and_a_sample_of_it_shown_with_who_sent_it() {
    let mut scene = Scene::with_slots(8);
    scene.arrive(
        (0..1000).map(|number| frame(if number % 2 == 0 { "127.0.0.1" } else { "192.0.2.10" }, "198.51.100.7", 9, 8)),
    );
    scene.run();
    assert_eq!(scene.drops(DropReason::MartianSource), 500);
    let seen = std::iter::from_fn(|| scene.link.punts.sample(|sample, frame| (sample, frame.to_vec())));
    let seen: Vec<_> = seen.collect();
    assert_eq!(seen.len(), 8, "a few, however many there were");
    let martian = frame("127.0.0.1", "198.51.100.7", 9, 8).0;
    assert!(
        seen.iter().all(|seen| *seen == (Sample { port: LEFT, reason: DropReason::MartianSource }, martian.clone()))
    );
}

#[test]
fn rfc_058_a_flood_of_packets_with_options_costs_plain_traffic_nothing() {
    let mut scene = Scene::with_slots(64);
    let mut optional = transit();
    optional.0[14] = 0x46;
    optional.0[34..38].copy_from_slice(&[1, 1, 1, 1]);
    optional.0[24..26].fill(0);
    let sum = packet::checksum::checksum(&optional.0[14..38]);
    optional.0[24..26].copy_from_slice(&sum.to_be_bytes());
    scene.arrive((0..1000).map(|number| if number % 10 == 0 { transit() } else { optional.clone() }));
    let totals = scene.run();
    assert_eq!(totals.transmitted(), 100, "every plain packet");
    assert_eq!((totals.punted(), scene.drops(DropReason::PuntFullOther)), (16, 884));
}

#[test]
fn what_the_control_thread_sends_leaves_and_is_counted_apart() {
    let mut scene = Scene::with_slots(8);
    scene.worker.ports_mut()[RIGHT.index()].room = 1;
    for frame in [[1_u8; 60], [2; 60]] {
        scene.link.originate.send(RIGHT, &frame).unwrap();
    }
    let totals = scene.run();
    assert_eq!((totals.originated(), totals.originated_lost()), (1, 1));
    assert_eq!((totals.received(), totals.transmitted()), (0, 0));
    assert_eq!(scene.worker.ports_mut()[RIGHT.index()].sent, [MemoryFrame(vec![1; 60])]);
}

#[test]
fn a_worker_that_ends_sends_what_waits_and_receives_nothing_more() {
    let mut scene = Scene::with_slots(200);
    scene.arrive([transit()]);
    for _frame in 0..150 {
        scene.link.originate.send(RIGHT, &[1; 60]).unwrap();
    }
    let Scene { worker, counters, .. } = scene;
    worker.finish();
    assert_eq!((counters.read().originated(), counters.read().received()), (150, 0));
}

#[test]
fn a_worker_follows_what_is_published() {
    let mut scene = Scene::with_slots(8);
    let mut next = state();
    next.ipv4 = FibWriter::default().snapshot();
    scene.publisher.publish(next);
    scene.arrive([transit()]);
    assert_eq!(scene.run().punts().find(|(reason, _)| *reason == PuntReason::NoRoute).unwrap().1, 1);
}

proptest! {
    #[test]
    fn every_frame_received_is_transmitted_punted_or_dropped(
        left in proptest::collection::vec(any_frame(), 0..200),
        right in proptest::collection::vec(any_frame(), 0..20),
        room in 0..100_usize,
        slots in 1..100_usize,
    ) {
        let mut scene = Scene::with_slots(slots);
        scene.worker.ports_mut()[RIGHT.index()].room = room;
        let arrived = left.len() + right.len();
        scene.worker.ports_mut()[RIGHT.index()].arriving.extend(right);
        scene.arrive(left);
        let totals = scene.run();
        prop_assert_eq!(totals.received(), arrived as u64);
        prop_assert!(totals.is_conserved(), "{:?}", totals);
        let sent: usize = scene.worker.ports_mut().iter().map(|port| port.sent.len()).sum();
        prop_assert_eq!(totals.transmitted(), sent as u64);
        let mut punted = 0;
        while scene.link.punts.receive(|_punt, _bytes| ()).is_some() {
            punted += 1;
        }
        prop_assert_eq!(totals.punted(), punted);
    }

    #[test]
    fn a_frame_fares_in_a_worker_as_it_would_alone_in_whatever_company_it_comes(
        frames in company(),
        watched: bool,
    ) {
        let mut scene = Scene::with_slots(1024);
        let mut state = state_with_two_ways_out();
        // With redirects every packet is looked at once more before it leaves.
        std::sync::Arc::make_mut(&mut state.ports)[LEFT.index()].policy.redirects = watched;
        scene.publisher.publish(state.clone());
        let mut expected = [Vec::new(), Vec::new()];
        let (mut punts, mut drops) = (0, 0);
        for mut frame in frames.clone() {
            match forward(&state, LEFT, &mut frame) {
                Verdict::Transmit(egress) => expected[egress.index()].push(frame),
                Verdict::Punt(_) => punts += 1,
                Verdict::Drop(_) | Verdict::Tagged => drops += 1,
            }
        }
        scene.arrive(frames);
        let totals = scene.run();
        let hints = totals.punts().find(|(reason, _)| *reason == PuntReason::NearerWay).unwrap().1;
        prop_assert_eq!((totals.punted() - hints, totals.dropped()), (punts, drops));
        for (port, expected) in scene.worker.ports_mut().iter().zip(expected) {
            prop_assert_eq!(&port.sent, &expected, "with the same bytes, and in the order they came");
        }
    }
}

/// The usual ports and next hops, and a half of each family's far networks behind a neighbour on the left.
fn state_with_two_ways_out() -> ForwardingState {
    let mut state = state();
    let near = |hop: &NextHop| match *hop {
        NextHop::Neighbour(adjacency) => NextHop::Neighbour(Adjacency { port: LEFT, ..adjacency }),
        other => other,
    };
    let left = u32::try_from(state.next_hops.len()).unwrap();
    state.next_hops = state.next_hops.iter().copied().chain(state.next_hops.iter().map(near)).collect();
    let set = |prefix: &str, hop| Change::Set(prefix.parse().unwrap(), NextHopId::new(hop));
    let ipv4 =
        [set("198.51.100.0/25", 0), set("198.51.100.128/25", left), set("192.0.2.0/24", 1), set("192.0.2.1/32", 2)];
    state.ipv4 = FibWriter::default().apply(ipv4);
    let set = |prefix: &str, hop| Change::Set(prefix.parse().unwrap(), NextHopId::new(hop));
    state.ipv6 = FibWriter::default().apply([
        set("2001:db8:2::/49", 5),
        set("2001:db8:2:8000::/49", left + 5),
        set("2001:db8:1::1/128", 2),
    ]);
    state
}

/// Frames of which now all are plain and of one family, now nearly all, and now anything.
fn company() -> impl Strategy<Value = Vec<MemoryFrame>> {
    let plain = |source: &'static str, prefix: &'static str| {
        (prop_oneof![4 => Just(64), 1 => 0..3_u8], any::<u8>(), 0..40_usize)
            .prop_map(move |(hops, host, payload)| frame(source, &format!("{prefix}{host:x}"), hops, payload))
    };
    let ipv4 = (prop_oneof![4 => Just(64), 1 => 0..3_u8], any::<u8>(), 0..40_usize)
        .prop_map(|(hops, host, payload)| frame("192.0.2.10", &format!("198.51.100.{host}"), hops, payload));
    let ipv6 = prop_oneof![plain("2001:db8:1::10", "2001:db8:2::"), plain("2001:db8:1::10", "2001:db8:2:8000::")];
    let one_flow = Just(()).prop_map(|()| transit());
    let many = |frame: BoxedStrategy<MemoryFrame>| proptest::collection::vec(frame, 0..150);
    prop_oneof![
        many(ipv4.clone().boxed()),
        many(ipv6.clone().boxed()),
        many(one_flow.boxed()),
        many(prop_oneof![30 => ipv4.boxed(), 1 => ipv6.boxed(), 1 => any_frame()].boxed()),
        many(any_frame().boxed()),
    ]
}
