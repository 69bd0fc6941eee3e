//! Every check by the section that asks for it, and the fast way held to the plain one.

use std::net::{IpAddr, Ipv4Addr};

use boundary::{Mtu, Policy, PortState};
use lpm::{Change, FibWriter};
use packet::ethernet::{EtherType, Header, MacAddr};
use packet::{ipv4, ipv6};
use proptest::prelude::*;

use super::*;
use crate::burst::{Passes, forward_burst};
use crate::memory::MemoryFrame;
use crate::port::BURST;

mod multipath;

pub(crate) const LEFT: PortId = PortId(0);
pub(crate) const RIGHT: PortId = PortId(1);
pub(crate) const LEFT_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
const RIGHT_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);
const HOST_MAC: MacAddr = MacAddr([2, 0, 0, 0, 1, 1]);
const NEIGHBOUR_MAC: MacAddr = MacAddr([2, 0, 0, 0, 2, 2]);

const NEIGHBOUR: u32 = 0;
const UNRESOLVED: u32 = 1;
const LOCAL: u32 = 2;
const BLACKHOLE: u32 = 3;
const UNREACHABLE: u32 = 4;

/// Two ports; 198.51.100.0/24 and 2001:db8:2::/48 lead to a neighbour on the right, others elsewhere.
pub(crate) fn state() -> ForwardingState {
    let port = |mac: MacAddr| PortState {
        mac,
        mtu: Mtu::ETHERNET,
        link_local: mac.link_local(),
        promiscuous: false,
        vlan: None,
        policy: Policy::default(),
        tap: false,
    };
    let neighbour = Adjacency {
        port: RIGHT,
        mtu: Mtu::ETHERNET,
        header: Header { destination: NEIGHBOUR_MAC, source: RIGHT_MAC, ether_type: EtherType::IPV4 }.to_bytes(),
    };
    let mut next_hops = vec![
        NextHop::Neighbour(neighbour),
        NextHop::Unresolved(LEFT),
        NextHop::Local,
        NextHop::Blackhole,
        NextHop::Unreachable,
    ];
    let mut neighbour6 = neighbour;
    neighbour6.header[12..].copy_from_slice(&EtherType::IPV6.0.to_be_bytes());
    next_hops.push(NextHop::Neighbour(neighbour6));
    let set4 = |prefix: &str, hop| Change::Set(prefix.parse().unwrap(), NextHopId::new(hop));
    let set6 = |prefix: &str, hop| Change::Set(prefix.parse().unwrap(), NextHopId::new(hop));
    let mut state = ForwardingState::without_routes([port(LEFT_MAC), port(RIGHT_MAC)]);
    state.ipv4 = FibWriter::default().apply([
        set4("192.0.2.0/24", UNRESOLVED),
        set4("192.0.2.1/32", LOCAL),
        set4("198.51.100.0/24", NEIGHBOUR),
        set4("203.0.113.0/25", BLACKHOLE),
        set4("203.0.113.128/25", UNREACHABLE),
    ]);
    state.ipv6 = FibWriter::default().apply([
        set6("2001:db8:1::/48", UNRESOLVED),
        set6("2001:db8:1::1/128", LOCAL),
        set6("2001:db8:2::/48", 5),
        set6("2001:db8:3::/48", BLACKHOLE),
        set6("2001:db8:4::/48", UNREACHABLE),
    ]);
    state.next_hops = next_hops.into();
    state
}

/// A frame from the host on the left to ferry, with `payload` bytes after the IP header.
pub(crate) fn frame(source: &str, destination: &str, hops: u8, payload: usize) -> MemoryFrame {
    let ip = match (source.parse().unwrap(), destination.parse().unwrap()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            ipv4_builder(source, destination, hops).header(payload).unwrap().to_vec()
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let builder = ipv6::Builder { source, destination, next_header: 17, hop_limit: hops };
            builder.header(payload).unwrap().to_vec()
        }
        mixed => panic!("two families: {mixed:?}"),
    };
    let ether_type = if ip[0] >> 4 == 4 { EtherType::IPV4 } else { EtherType::IPV6 };
    let ethernet = Header { destination: LEFT_MAC, source: HOST_MAC, ether_type }.to_bytes();
    MemoryFrame([&ethernet[..], &ip, &vec![0x5a; payload]].concat())
}

fn ipv4_builder(source: Ipv4Addr, destination: Ipv4Addr, ttl: u8) -> ipv4::Builder {
    ipv4::Builder { source, destination, protocol: 17, ttl, tos: 0xff, identification: 7, dont_fragment: false }
}

const HOST: &str = "192.0.2.10";
const FAR: &str = "198.51.100.7";
const HOST6: &str = "2001:db8:1::10";
const FAR6: &str = "2001:db8:2::7";

fn fate(frame: &mut MemoryFrame) -> Verdict {
    forward(&state(), LEFT, frame)
}

#[test]
fn a_packet_in_transit_leaves_with_one_hop_less_and_nothing_else_changed() {
    for (mut sent, expected, ether_type) in [
        (frame(HOST, FAR, 64, 32), frame(HOST, FAR, 63, 32), EtherType::IPV4),
        (frame(HOST6, FAR6, 64, 32), frame(HOST6, FAR6, 63, 32), EtherType::IPV6),
        (frame(HOST, FAR, 2, 32), frame(HOST, FAR, 1, 32), EtherType::IPV4),
    ] {
        assert_eq!(fate(&mut sent), Verdict::Transmit(RIGHT));
        let (ethernet, packet) = Header::parse(&sent.0).unwrap();
        assert_eq!(ethernet, Header { destination: NEIGHBOUR_MAC, source: RIGHT_MAC, ether_type });
        assert_eq!(packet, &expected.0[14..], "the packet with its checksum as a fresh one would have");
    }
}

#[test]
fn each_kind_of_route_has_its_verdict() {
    for (destinations, verdict) in [
        (["192.0.2.1", "2001:db8:1::1"], Verdict::Punt(PuntReason::Local)),
        (["192.0.2.99", "2001:db8:1::99"], Verdict::Punt(PuntReason::Unresolved)),
        (["203.0.113.1", "2001:db8:3::1"], Verdict::Drop(DropReason::Blackhole)),
        (["203.0.113.129", "2001:db8:4::1"], Verdict::Punt(PuntReason::Unreachable)),
        (["192.88.99.1", "2001:db8:99::1"], Verdict::Punt(PuntReason::NoRoute)),
    ] {
        for destination in destinations {
            let source = if destination.contains(':') { HOST6 } else { HOST };
            let mut sent = frame(source, destination, 64, 32);
            let before = sent.clone();
            assert_eq!(fate(&mut sent), verdict, "{destination}");
            assert_eq!(sent, before, "{destination}: what is not sent keeps its bytes");
        }
    }
}

/// RFC 1812 5.3.1 and 4.2.2.9; RFC 8200 section 3.
#[test]
fn a_packet_without_a_hop_left_is_not_forwarded_but_may_be_for_us() {
    for hops in [0, 1] {
        assert_eq!(fate(&mut frame(HOST, FAR, hops, 8)), Verdict::Punt(PuntReason::TtlExpired));
        assert_eq!(fate(&mut frame(HOST6, FAR6, hops, 8)), Verdict::Punt(PuntReason::TtlExpired));
        assert_eq!(fate(&mut frame(HOST, "192.0.2.1", hops, 8)), Verdict::Punt(PuntReason::Local));
        assert_eq!(fate(&mut frame(HOST6, "2001:db8:1::1", hops, 8)), Verdict::Punt(PuntReason::Local));
    }
}

/// RFC 1812 5.2.6 and RFC 8200 section 5.
#[test]
fn a_packet_longer_than_the_link_out_carries_goes_to_the_control_thread() {
    assert_eq!(fate(&mut frame(HOST, FAR, 64, 1480)), Verdict::Transmit(RIGHT), "1500 bytes");
    assert_eq!(fate(&mut frame(HOST, FAR, 64, 1481)), Verdict::Punt(PuntReason::TooBig), "1501 bytes");
    assert_eq!(fate(&mut frame(HOST6, FAR6, 64, 1460)), Verdict::Transmit(RIGHT), "1500 bytes");
    assert_eq!(fate(&mut frame(HOST6, FAR6, 64, 1461)), Verdict::Punt(PuntReason::TooBig), "1501 bytes");
}

/// RFC 1812 5.2.2 and RFC 8200 section 3, one row per rule.
#[test]
fn a_header_that_breaks_a_rule_is_dropped_for_it() {
    type Break = fn(&mut Vec<u8>);
    #[rustfmt::skip]
    let rules: [(&str, &str, Break, DropReason); 8] = [
        ("1812 5.2.2 (1) too short",       HOST,  |f| f.truncate(14 + 19), DropReason::Truncated),
        ("1812 5.2.2 (2) checksum",        HOST,  |f| f[14 + 11] ^= 1,     DropReason::BadChecksum),
        ("1812 5.2.2 (3) version",         HOST,  |f| f[14] = 0x55,        DropReason::BadVersion),
        ("1812 5.2.2 (4) header length",   HOST,  |f| f[14] = 0x44,        DropReason::BadHeaderLength),
        ("1812 5.2.2 (5) not whole",       HOST,  |f| f.truncate(14 + 51), DropReason::Truncated),
        ("8200 3 too short",               HOST6, |f| f.truncate(14 + 39), DropReason::Truncated),
        ("8200 3 not whole",               HOST6, |f| f.truncate(14 + 71), DropReason::Truncated),
        ("8200 3 version",                 HOST6, |f| f[14] = 0x45,        DropReason::BadVersion),
    ];
    for (rule, source, break_it, reason) in rules {
        let mut sent = frame(source, if source == HOST { FAR } else { FAR6 }, 64, 32);
        break_it(&mut sent.0);
        assert_eq!(fate(&mut sent), Verdict::Drop(reason), "{rule}");
    }
}

#[test]
fn a_total_length_that_does_not_hold_the_header_is_dropped() {
    let mut sent = frame(HOST, FAR, 64, 32);
    sent.0[14 + 2..14 + 4].copy_from_slice(&19_u16.to_be_bytes());
    sent.0[14 + 10..14 + 12].fill(0);
    let sum = packet::checksum::checksum(&sent.0[14..34]);
    sent.0[14 + 10..14 + 12].copy_from_slice(&sum.to_be_bytes());
    assert_eq!(fate(&mut sent), Verdict::Drop(DropReason::BadTotalLength));
}

/// RFC 1812 5.3.7, 5.3.5.1 and 4.2.2.11; RFC 3927 section 7; RFC 4291 2.5 and 2.7.
#[test]
fn addresses_that_belong_on_no_link_are_not_forwarded() {
    use DropReason::{Broadcast, LinkLocal, MartianDestination, MartianSource, Multicast};
    for (source, destination, reason) in [
        ("0.1.2.3", FAR, MartianSource),
        ("127.0.0.1", FAR, MartianSource),
        ("224.0.0.5", FAR, MartianSource),
        ("240.0.0.1", FAR, MartianSource),
        ("255.255.255.255", FAR, MartianSource),
        ("169.254.1.1", FAR, LinkLocal),
        (HOST, "0.0.0.0", MartianDestination),
        (HOST, "127.0.0.1", MartianDestination),
        (HOST, "240.0.0.1", MartianDestination),
        (HOST, "169.254.1.1", LinkLocal),
        (HOST, "255.255.255.255", Broadcast),
        (HOST, "224.0.0.1", Multicast),
        ("::", FAR6, MartianSource),
        ("::1", FAR6, MartianSource),
        ("ff02::1", FAR6, MartianSource),
        ("fe80::1", FAR6, LinkLocal),
        (HOST6, "::", MartianDestination),
        (HOST6, "::1", MartianDestination),
        (HOST6, "fe80::1", LinkLocal),
        (HOST6, "ff02::1", Multicast),
    ] {
        let verdict = fate(&mut frame(source, destination, 64, 8));
        assert_eq!(verdict, Verdict::Drop(reason), "{source} to {destination}");
    }
}

#[test]
fn a_link_local_neighbour_may_talk_to_us() {
    let ours = LEFT_MAC.link_local().to_string();
    for destination in ["2001:db8:1::1", &ours] {
        assert_eq!(fate(&mut frame("fe80::1", destination, 255, 8)), Verdict::Punt(PuntReason::Local));
    }
}

#[test]
fn rfc_041_a_frame_is_taken_when_it_is_sent_to_us() {
    let mut others = frame(HOST, FAR, 64, 8);
    others.0[..6].copy_from_slice(&HOST_MAC.0);
    assert_eq!(fate(&mut others), Verdict::Drop(DropReason::NotOurMac));

    let mut promiscuous = state();
    promiscuous.ports = promiscuous.ports.iter().map(|port| PortState { promiscuous: true, ..*port }).collect();
    assert_eq!(forward(&promiscuous, LEFT, &mut others), Verdict::Transmit(RIGHT));
}

/// RFC 1812 5.3.4.
#[test]
fn rfc_039_040_a_packet_the_link_broadcast_is_not_passed_on() {
    for group in [MacAddr::BROADCAST, MacAddr([1, 0, 0x5e, 0, 0, 1])] {
        for mut sent in [frame(HOST, FAR, 64, 8), frame(HOST6, FAR6, 64, 8)] {
            sent.0[..6].copy_from_slice(&group.0);
            assert_eq!(fate(&mut sent), Verdict::Drop(DropReason::LinkBroadcast));
        }
    }
}

// holds 032
#[test]
fn a_group_of_the_link_is_the_kernel_s_where_it_has_an_interface() {
    let mut tapped = state();
    tapped.ports = tapped.ports.iter().map(|port| PortState { tap: true, ..*port }).collect();
    for (source, group, without) in [
        (HOST, "224.0.0.5", DropReason::Multicast),
        (HOST, "255.255.255.255", DropReason::Broadcast),
        (HOST6, "ff02::5", DropReason::Multicast),
    ] {
        let mut sent = frame(source, group, 1, 8);
        assert_eq!(forward(&tapped, LEFT, &mut sent), Verdict::Punt(PuntReason::LinkGroup), "{group}");
        assert_eq!(fate(&mut sent), Verdict::Drop(without), "{group}");
    }
    for (source, group) in [(HOST, "239.1.2.3"), (HOST, "224.0.1.5"), (HOST6, "ff05::5"), (HOST6, "ff12::5")] {
        let verdict = forward(&tapped, LEFT, &mut frame(source, group, 64, 8));
        assert_eq!(verdict, Verdict::Drop(DropReason::Multicast), "{group}");
    }
}

/// A frame of which only the beginning is in its buffer.
#[derive(Debug, Clone)]
struct CutFrame(MemoryFrame, usize);

impl Frame for CutFrame {
    fn bytes(&self) -> &[u8] {
        self.0.bytes()
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        self.0.bytes_mut()
    }

    fn whole_len(&self) -> usize {
        self.1
    }

    fn truncate(&mut self, len: usize) {
        self.0.truncate(len);
        self.1 = self.0.0.len();
    }

    fn cut_front(&mut self, len: usize) {
        self.0.cut_front(len);
    }

    fn grow_front(&mut self, len: usize) -> bool {
        self.0.grow_front(len)
    }
}

#[test]
fn rfc_047_a_frame_longer_than_its_buffer_is_dropped_for_that() {
    for (source, destination) in [(HOST, FAR), (HOST6, FAR6)] {
        let mut long = frame(source, destination, 64, 8930);
        long.0.truncate(2048);
        let mut cut = CutFrame(long, 9000);
        assert_eq!(forward(&state(), LEFT, &mut cut), Verdict::Drop(DropReason::FrameTooLong));
        // The packet is whole, and what follows it is not carried on.
        let mut trailed = CutFrame(frame(source, destination, 64, 40), 9000);
        assert_eq!(forward(&state(), LEFT, &mut trailed), Verdict::Transmit(RIGHT));
        assert_eq!(trailed.1, trailed.0.0.len());
    }
}

#[test]
fn rfc_047_short_frames_and_such_as_are_too_long_for_the_way_out_have_their_verdicts() {
    for len in 0..60 {
        let mut short = frame(HOST, FAR, 64, 100);
        short.0.truncate(len);
        let reason = if len < 14 { DropReason::FrameTooShort } else { DropReason::Truncated };
        assert_eq!(fate(&mut short), Verdict::Drop(reason), "{len}");
    }
    for (source, destination) in [(HOST, FAR), (HOST6, FAR6)] {
        assert_eq!(fate(&mut frame(source, destination, 64, 8946)), Verdict::Punt(PuntReason::TooBig));
    }
}

#[test]
fn rfc_046_what_is_no_ip_is_sorted_by_its_type() {
    for (ether_type, verdict) in [
        (EtherType::ARP, Verdict::Punt(PuntReason::Arp)),
        (EtherType::VLAN, Verdict::Tagged),
        (EtherType::SERVICE_VLAN, Verdict::Tagged),
        (EtherType(0x88cc), Verdict::Drop(DropReason::UnknownEtherType)),
        (EtherType(46), Verdict::Drop(DropReason::UnknownEtherType)),
    ] {
        let mut sent = frame(HOST, FAR, 64, 8);
        sent.0[12..14].copy_from_slice(&ether_type.0.to_be_bytes());
        assert_eq!(fate(&mut sent), verdict, "{ether_type:?}");
    }
    assert_eq!(fate(&mut MemoryFrame(vec![0; 13])), Verdict::Drop(DropReason::FrameTooShort));
}

#[test]
fn neighbour_discovery_to_a_group_goes_to_the_control_thread() {
    let mut sent = frame("::", "ff02::1:ff00:1", 255, 24);
    sent.0[14 + 6] = 58;
    sent.0[..6].copy_from_slice(&MacAddr::of_ipv6_multicast("ff02::1:ff00:1".parse().unwrap()).0);
    assert_eq!(fate(&mut sent), Verdict::Punt(PuntReason::NeighbourDiscovery));
}

/// RFC 894; what a short packet is padded with must never be what a buffer happened to hold.
#[test]
fn padding_leaves_as_zeros_and_a_longer_trailer_not_at_all() {
    let mut padded = frame(HOST, FAR, 64, 1);
    padded.0.resize(60, 0xaa);
    assert_eq!(fate(&mut padded), Verdict::Transmit(RIGHT));
    assert_eq!(padded.0.len(), 60);
    assert!(padded.0[35..].iter().all(|byte| *byte == 0));

    let mut trailed = frame(HOST, FAR, 64, 60);
    trailed.0.extend([0xaa; 8]);
    assert_eq!(fate(&mut trailed), Verdict::Transmit(RIGHT));
    assert_eq!(trailed.0.len(), 14 + 80);
}

#[test]
fn a_port_with_a_table_of_its_own_forwards_by_it() {
    let mut state = state();
    let nowhere = Change::Set("0.0.0.0/0".parse().unwrap(), NextHopId::new(BLACKHOLE));
    let tables =
        boundary::Tables { ipv4: FibWriter::default().apply([nowhere]), ipv6: FibWriter::default().snapshot() };
    state.other_tables = [None, Some(tables)].into();
    assert_eq!(forward(&state, LEFT, &mut frame(HOST, FAR, 64, 8)), Verdict::Transmit(RIGHT));
    let through_right = |mut sent: MemoryFrame| {
        sent.0[..6].copy_from_slice(&RIGHT_MAC.0);
        let (mut burst, mut passes) = ([sent.clone()], Passes::default());
        let verdicts = forward_burst(&state, RIGHT, &mut burst, &mut passes);
        assert_eq!(forward(&state, RIGHT, &mut sent), verdicts[0]);
        verdicts[0]
    };
    assert_eq!(through_right(frame(HOST, FAR, 64, 8)), Verdict::Drop(DropReason::Blackhole));
    assert_eq!(through_right(frame(HOST6, FAR6, 64, 8)), Verdict::Punt(PuntReason::NoRoute));
}

/// Frames of every kind the tests above know, and damage done to them.
pub(crate) fn any_frame() -> impl Strategy<Value = MemoryFrame> {
    let address = prop_oneof![
        Just("192.0.2.10"),
        Just("192.0.2.1"),
        Just("192.0.2.99"),
        Just("198.51.100.7"),
        Just("203.0.113.1"),
        Just("203.0.113.129"),
        Just("192.88.99.1"),
        Just("127.0.0.1"),
        Just("224.0.0.1"),
        Just("169.254.0.1"),
    ];
    let address6 = prop_oneof![
        Just("2001:db8:1::10"),
        Just("2001:db8:1::1"),
        Just("2001:db8:2::7"),
        Just("2001:db8:3::1"),
        Just("2001:db8:4::1"),
        Just("2001:db8:99::1"),
        Just("::1"),
        Just("::"),
        Just("ff02::1"),
        Just("fe80::1"),
    ];
    let pair = prop_oneof![(address.clone(), address), (address6.clone(), address6)];
    let whole = (pair, 0..4_u8, prop_oneof![0..90_usize, 1440..1500_usize])
        .prop_map(|((source, destination), hops, payload)| frame(source, destination, hops, payload));
    let damage = prop_oneof![
        4 => Just(None),
        1 => (any::<prop::sample::Index>(), any::<u8>()).prop_map(Some),
    ];
    (whole, damage, prop_oneof![Just(0), Just(0), 0..30_usize], any::<bool>()).prop_map(
        |(mut frame, damage, resized, longer)| {
            if let Some((place, value)) = damage {
                let place = place.index(frame.0.len());
                frame.0[place] = value;
            }
            let len = if longer { frame.0.len() + resized } else { frame.0.len().saturating_sub(resized) };
            frame.0.resize(len, 0xaa);
            frame
        },
    )
}

proptest! {
    #[test]
    fn a_burst_fares_exactly_as_its_frames_would_one_by_one(
        mut bursts in proptest::collection::vec(proptest::collection::vec(any_frame(), 0..=BURST), 1..3),
    ) {
        let state = state();
        // The same for all of them: what one leaves behind there is nothing to the next.
        let mut passes = Passes::default();
        for burst in &mut bursts {
            let mut alone = burst.clone();
            let verdicts = forward_burst(&state, LEFT, burst, &mut passes);
            prop_assert_eq!(verdicts.len(), burst.len());
            for (frame, verdict) in alone.iter_mut().zip(verdicts) {
                prop_assert_eq!(forward(&state, LEFT, frame), *verdict);
            }
            prop_assert_eq!(&alone, burst, "and leaves the same bytes behind");
        }
    }

    #[test]
    fn any_bytes_at_all_have_a_fate(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut frame = MemoryFrame([&LEFT_MAC.0[..], &bytes].concat());
        let before = frame.clone();
        if !matches!(fate(&mut frame), Verdict::Transmit(_)) {
            prop_assert_eq!(frame, before);
        }
    }
}
