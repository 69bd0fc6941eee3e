//! Frames with tags through a worker: what a tag names, what it does not, and that none is left on a frame by mistake.
//!
//! ```text
//! LEFT  (device)  untagged, 802.1Q 100 = LEFT_100
//! RIGHT (device)  untagged, 802.1ad 200 around 802.1Q 100 = RIGHT_200_100
//! ```

use boundary::{Adjacency, Counters, ForwardingState, Mtu, NextHop, Publisher, RingSizes, Totals, WorkerLink, connect};
use packet::ethernet::{EtherType, Header, MacAddr};
use packet::vlan::{Tag, TagProtocol, VlanId};
use proptest::prelude::*;

use super::*;
use crate::forward::tests::{LEFT, LEFT_MAC, RIGHT, any_frame, frame, state};
use crate::memory::{MemoryFrame, MemoryPort};
use crate::worker::Worker;

const LEFT_100: PortId = PortId(2);
const RIGHT_200_100: PortId = PortId(3);
const CUSTOMER_MAC: MacAddr = MacAddr([2, 0, 0, 0, 3, 3]);

fn tag(protocol: TagProtocol, number: u16) -> Tag {
    Tag { protocol, id: VlanId::new(number).unwrap() }
}

fn dot1q_100() -> Tags {
    Tags { outer: tag(TagProtocol::Dot1q, 100), inner: None }
}

fn dot1ad_200_100() -> Tags {
    Tags { outer: tag(TagProtocol::Dot1ad, 200), inner: Some(tag(TagProtocol::Dot1q, 100)) }
}

struct Scene {
    worker: Worker<MemoryPort>,
    link: WorkerLink,
    counters: Counters,
    _publisher: Publisher<ForwardingState>,
}

impl Scene {
    /// The two ports of [`state`] with a VLAN on each; 198.51.100.128/25 is behind the one on the right.
    fn new() -> Self {
        let mut state = state();
        let [left, right] = state.ports[..] else { panic!("two ports") };
        let on = |parent, tags| Some(Vlan { parent, tags });
        let left_100 = PortState { vlan: on(LEFT, dot1q_100()), ..left };
        let right_200_100 = PortState { vlan: on(RIGHT, dot1ad_200_100()), ..right };
        state.ports = [left, right, left_100, right_200_100].into();
        let header = Header { destination: CUSTOMER_MAC, source: right.mac, ether_type: EtherType::IPV4 }.to_bytes();
        let customer = NextHop::Neighbour(Adjacency { port: RIGHT_200_100, mtu: Mtu::ETHERNET, header });
        let hop = lpm::NextHopId::new(u32::try_from(state.next_hops.len()).unwrap());
        state.next_hops = state.next_hops.iter().copied().chain([customer]).collect();
        let mut fib = lpm::FibWriter::default();
        let set = |prefix: &str, hop| lpm::Change::Set(prefix.parse().unwrap(), hop);
        state.ipv4 = fib.apply([
            set("192.0.2.1/32", lpm::NextHopId::new(2)),
            set("198.51.100.0/24", lpm::NextHopId::new(0)),
            set("198.51.100.128/25", hop),
        ]);
        let (publisher, mut links, mut counters, mut ends) =
            connect(state, 1, RingSizes { slots: 64, ..RingSizes::default() });
        let worker = Worker::new(vec![MemoryPort::default(), MemoryPort::default()], ends.remove(0));
        Self { worker, link: links.remove(0), counters: counters.remove(0), _publisher: publisher }
    }

    fn arrive(&mut self, device: PortId, frames: impl IntoIterator<Item = MemoryFrame>) -> Totals {
        self.worker.ports_mut()[device.index()].arriving.extend(frames);
        while self.worker.turn() > 0 {}
        self.counters.read()
    }

    fn sent(&mut self, device: PortId) -> Vec<MemoryFrame> {
        self.worker.ports_mut()[device.index()].sent.drain(..).collect()
    }
}

/// `frame` with these four-byte tags, the first on the wire first.
fn with(tags: &[[u8; 4]], frame: &MemoryFrame) -> MemoryFrame {
    let (addresses, rest) = frame.0.split_at(TAGS_AT);
    MemoryFrame([addresses, tags.as_flattened(), rest].concat())
}

fn count(totals: &Totals, reason: DropReason) -> u64 {
    totals.drops().find(|(counted, _)| *counted == reason).unwrap().1
}

const TAG_100: [u8; 4] = [0x81, 0x00, 0x00, 100];
const TAG_101: [u8; 4] = [0x81, 0x00, 0x00, 101];
const SERVICE_200: [u8; 4] = [0x88, 0xa8, 0x00, 200];
const SERVICE_100: [u8; 4] = [0x88, 0xa8, 0x00, 100];
const PRIORITY_5: [u8; 4] = [0x81, 0x00, 0xa0, 0x00];

fn transit() -> MemoryFrame {
    frame("192.0.2.10", "198.51.100.7", 64, 40)
}

fn to_customer() -> MemoryFrame {
    frame("192.0.2.10", "198.51.100.200", 64, 40)
}

/// The same to the station that the port on the right is.
fn to_right() -> MemoryFrame {
    let mut frame = transit();
    frame.0[..6].copy_from_slice(&[2, 0, 0, 0, 0, 2]);
    frame
}

#[test]
fn rfc_042_a_tag_of_network_zero_is_read_as_if_it_were_not_there() {
    let mut scene = Scene::new();
    scene.arrive(LEFT, [transit()]);
    let untagged = scene.sent(RIGHT);
    let totals = scene.arrive(LEFT, [with(&[PRIORITY_5], &transit())]);
    assert_eq!(scene.sent(RIGHT), untagged, "the priority is gone as well");
    assert_eq!((totals.received(), totals.transmitted()), (2, 2));
    assert_eq!(totals.ports().next().unwrap().rx_packets, 2, "counted once by the port it came in through");
}

#[test]
fn rfc_043_a_tag_that_no_port_is_configured_for_is_dropped_and_counted() {
    let mut scene = Scene::new();
    let totals = scene.arrive(LEFT, [with(&[TAG_101], &transit()), with(&[[0x81, 0, 0x0f, 0xff]], &transit())]);
    assert_eq!(count(&totals, DropReason::UnknownVlan), 2);
    let totals = scene.arrive(RIGHT, [with(&[TAG_100], &to_right())]);
    assert_eq!(count(&totals, DropReason::UnknownVlan), 3, "a network of another link");
    assert!(totals.is_conserved() && totals.transmitted() == 0);
}

#[test]
fn rfc_044_only_configured_stacks_of_tags_are_accepted() {
    let mut scene = Scene::new();
    let totals = scene.arrive(RIGHT, [with(&[SERVICE_200, TAG_100], &to_right())]);
    assert_eq!((totals.received(), totals.transmitted()), (1, 1));
    let others: [&[[u8; 4]]; 6] = [
        &[SERVICE_200, TAG_100, TAG_100],
        &[SERVICE_200],
        &[TAG_100, SERVICE_200],
        &[SERVICE_100, TAG_100],
        &[[0x81, 0x00, 0x00, 200], TAG_100],
        &[SERVICE_200, PRIORITY_5],
    ];
    let totals = scene.arrive(RIGHT, others.map(|tags| with(tags, &to_right())));
    assert_eq!((totals.transmitted(), count(&totals, DropReason::UnknownVlan)), (1, 6));
}

#[test]
fn rfc_045_a_frame_leaves_with_the_tags_of_its_way_out_and_no_others() {
    let mut scene = Scene::new();
    for tags in [&[][..], &[TAG_100], &[PRIORITY_5]] {
        scene.arrive(LEFT, [with(tags, &transit()), with(tags, &to_customer())]);
        let sent = scene.sent(RIGHT);
        let [plain, tagged] = &sent[..] else { panic!("both leave on the right") };
        assert_eq!(&plain.0[6..14], [2, 0, 0, 0, 0, 2, 0x08, 0x00], "the port's own address, and no tag");
        assert_eq!(plain.0.len(), transit().0.len());
        assert_eq!(tagged.0[..6], CUSTOMER_MAC.0);
        assert_eq!(tagged.0[6..12], [2, 0, 0, 0, 0, 2]);
        assert_eq!(&tagged.0[12..22], [&SERVICE_200[..], &TAG_100, &[0x08, 0x00]].concat());
        assert_eq!(tagged.0[22..], MemoryFrame(plain_rest("198.51.100.200")).0[..], "with one hop less");
    }
}

/// What follows the header of a frame to `destination` that has left.
fn plain_rest(destination: &str) -> Vec<u8> {
    frame("192.0.2.10", destination, 63, 40).0[14..].to_vec()
}

#[test]
fn each_port_counts_its_own_and_the_device_counts_all() {
    let mut scene = Scene::new();
    let totals = scene.arrive(LEFT, [transit(), with(&[TAG_100], &to_customer()), with(&[TAG_100], &to_customer())]);
    let len = transit().0.len() as u64;
    let [left, right, left_100, right_200_100] = totals.ports().collect::<Vec<_>>()[..] else { panic!("four ports") };
    assert_eq!((left.rx_packets, left.rx_bytes), (3, 3 * len + 8));
    assert_eq!((left_100.rx_packets, left_100.rx_bytes), (2, 2 * len));
    assert_eq!((right.tx_packets, right.tx_bytes), (3, 3 * len + 16));
    assert_eq!((right_200_100.tx_packets, right_200_100.tx_bytes), (2, 2 * len));
    assert_eq!((totals.received(), totals.transmitted()), (3, 3));
}

#[test]
fn what_is_punted_comes_from_the_port_its_tags_name_and_without_them() {
    let mut scene = Scene::new();
    let to_us = frame("192.0.2.10", "192.0.2.1", 64, 8);
    scene.arrive(LEFT, [with(&[TAG_100], &to_us)]);
    let punted = scene.link.punts.receive(|punt, bytes| (punt.port, bytes.to_vec()));
    assert_eq!(punted, Some((LEFT_100, to_us.0)));
}

#[test]
fn what_the_control_thread_sends_gets_the_tags_of_its_port() {
    let mut scene = Scene::new();
    scene.link.originate.send(RIGHT_200_100, &transit().0).unwrap();
    let totals = scene.arrive(LEFT, []);
    assert_eq!(scene.sent(RIGHT), [with(&[SERVICE_200, TAG_100], &transit())]);
    assert_eq!((totals.originated(), totals.originated_lost()), (1, 0));
}

#[test]
fn a_device_without_room_costs_the_frame_and_no_port_counts_it_as_sent() {
    let mut scene = Scene::new();
    scene.worker.ports_mut()[RIGHT.index()].room = 1;
    let totals = scene.arrive(LEFT, [to_customer(), to_customer(), to_customer()]);
    assert_eq!((totals.transmitted(), count(&totals, DropReason::TxFull)), (1, 2));
    assert_eq!(totals.ports().nth(RIGHT_200_100.index()).unwrap().tx_packets, 1);
    assert!(totals.is_conserved());
}

#[test]
fn a_frame_to_another_station_is_dropped_whatever_its_tags() {
    let mut scene = Scene::new();
    let mut others = transit();
    others.0[..6].copy_from_slice(&CUSTOMER_MAC.0);
    let totals = scene.arrive(LEFT, [with(&[TAG_100], &others), with(&[TAG_101], &others)]);
    assert_eq!(count(&totals, DropReason::NotOurMac), 2);
}

fn any_tags() -> impl Strategy<Value = Vec<[u8; 4]>> {
    let known = prop_oneof![Just(TAG_100), Just(TAG_101), Just(SERVICE_200), Just(PRIORITY_5)];
    proptest::collection::vec(known, 0..4)
}

proptest! {
    #[test]
    fn every_frame_with_tags_is_transmitted_punted_or_dropped(
        frames in proptest::collection::vec((any_tags(), any_frame(), 0..60_usize), 0..200),
    ) {
        let mut scene = Scene::new();
        let arrived = frames.len() as u64;
        // Some are cut, also within their tags.
        let frames = frames.into_iter().map(|(tags, frame, cut)| {
            let mut frame = with(&tags, &pad(frame));
            if cut < 30 {
                frame.0.truncate(cut);
            }
            frame
        });
        let totals = scene.arrive(LEFT, frames);
        prop_assert_eq!(totals.received(), arrived);
        prop_assert!(totals.is_conserved(), "{:?}", totals);
        prop_assert_eq!(totals.transmitted(), scene.sent(LEFT).len() as u64 + scene.sent(RIGHT).len() as u64);
    }

    #[test]
    fn a_frame_fares_with_tags_as_it_would_without_them(frame in any_frame()) {
        let fates = [(LEFT, &[][..]), (LEFT_100, &[TAG_100]), (LEFT, &[PRIORITY_5])].map(|(port, tags)| {
            let mut scene = Scene::new();
            let totals = scene.arrive(LEFT, [with(tags, &pad(frame.clone()))]);
            let punted = scene.link.punts.receive(|punt, bytes| (punt.port == port, punt.reason, bytes.to_vec()));
            let drops: Vec<_> = totals.drops().collect();
            (scene.sent(RIGHT), punted, drops)
        });
        prop_assume!(!matches!(Tags::parse(&frame.0), Ok(tagged) if tagged.wire_len > 0));
        prop_assert_eq!(&fates[1], &fates[0]);
        prop_assert_eq!(&fates[2], &fates[0]);
    }
}

/// Tags need two addresses to stand behind.
fn pad(mut frame: MemoryFrame) -> MemoryFrame {
    if frame.0.len() < TAGS_AT + 2 {
        frame.0 =
            Header { destination: LEFT_MAC, source: CUSTOMER_MAC, ether_type: EtherType(0xffff) }.to_bytes().into();
    }
    frame
}
