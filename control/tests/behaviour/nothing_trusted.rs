//! Whatever comes up from the links, the control plane neither falls over nor sends what no link carries.

use std::net::IpAddr;

use boundary::{PortId, PuntReason};
use packet::ethernet::{EtherType, MacAddr};
use packet::ipv4::Ipv4;
use packet::ipv6::Ipv6;
use proptest::prelude::*;

use crate::scene::*;

/// Addresses that mean something to the router, so that what is random gets somewhere.
fn any_address(is_ipv4: bool) -> impl Strategy<Value = IpAddr> {
    let known = if is_ipv4 {
        vec!["192.0.2.1", "192.0.2.10", "192.0.2.255", "198.51.100.20", "10.0.0.1", "224.0.0.1", "0.0.0.0", "127.0.0.1"]
    } else {
        vec![
            "2001:db8:1::1",
            "2001:db8:1::10",
            "2001:db8:2::20",
            "2001:db8:ffff::1",
            "fe80::1",
            "ff02::1",
            "::",
            "ff02::1:ff00:1",
            "fe80::ff:fe00:1",
        ]
    };
    proptest::sample::select(known).prop_map(ip)
}

fn any_packet() -> impl Strategy<Value = Vec<u8>> {
    let protocols = vec![0_u8, 1, 6, 17, 43, 44, 58, 59, 60, 132];
    any::<bool>()
        .prop_flat_map(move |is_ipv4| {
            (
                any_address(is_ipv4),
                any_address(is_ipv4),
                proptest::sample::select(protocols.clone()),
                proptest::sample::select(vec![0_u8, 1, 2, 64, 255]),
                any::<bool>(),
                prop_oneof![
                    proptest::collection::vec(any::<u8>(), 0..80),
                    proptest::collection::vec(
                        proptest::sample::select(vec![0_u8, 1, 43, 58, 60, 128, 135, 136]),
                        0..80
                    ),
                    (1300..1500_usize).prop_map(|len| vec![0; len]),
                ],
                proptest::option::of((0..200_u8, 0..2_u8)),
            )
        })
        .prop_map(|(source, destination, protocol, hops, dont_fragment, payload, icmp)| {
            let sketch = Sketch { source, destination, protocol, hops, dont_fragment };
            match icmp {
                Some((kind, code)) => sketch.icmp(kind, code, payload.len()),
                None => sketch.with(&payload),
            }
        })
}

fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let types = vec![EtherType::ARP, EtherType::IPV4, EtherType::IPV6, EtherType(0x88cc)];
    let stations = vec![ON_LEFT.mac, ON_RIGHT.mac, MacAddr::BROADCAST, MacAddr([0x33, 0x33, 0, 0, 0, 1])];
    let rubbish = (proptest::sample::select(types), proptest::collection::vec(any::<u8>(), 0..80));
    let rubbish = rubbish.prop_map(|(ether_type, bytes)| (ether_type, bytes));
    let packets =
        any_packet().prop_map(|packet| (if packet[0] >> 4 == 4 { EtherType::IPV4 } else { EtherType::IPV6 }, packet));
    (prop_oneof![1 => rubbish, 4 => packets], proptest::sample::select(stations))
        .prop_map(|((ether_type, payload), station)| frame(ALICE, station, ether_type, &payload))
}

/// What leaves when these frames come up, and a second passes after every so many.
fn play(frames: &[(u16, PuntReason, Vec<u8>)], every: usize) -> Vec<(PortId, Vec<u8>)> {
    let mut scene = Scene::knowing(&[ALICE]);
    for (number, (port, reason, frame)) in frames.iter().enumerate() {
        scene.arrives(PortId(*port), *reason, frame.clone());
        if number % every == 0 {
            scene.pass(SECOND);
            scene.answers(BOB);
        }
    }
    scene.pass(SECOND);
    scene.take_sent()
}

proptest! {
    #[test]
    fn any_frames_are_decided_and_what_leaves_is_whole_and_fits(
        frames in proptest::collection::vec((0..3_u16, proptest::sample::select(PuntReason::ALL), any_frame()), 0..60),
        every in 1..20_usize,
    ) {
        let sent = play(&frames, every);
        prop_assert_eq!(&sent, &play(&frames, every), "and the same the second time");
        for (port, frame) in sent {
            let mtu = if port == LEFT { 1500 } else { 1400 };
            let (header, payload) = packet::ethernet::Header::parse(&frame).unwrap();
            prop_assert!(payload.len() <= mtu);
            prop_assert_eq!(header.source, if port == LEFT { ON_LEFT.mac } else { ON_RIGHT.mac });
            match header.ether_type {
                EtherType::IPV4 => prop_assert!(Ipv4::parse(payload).is_ok()),
                EtherType::IPV6 => prop_assert!(Ipv6::parse(payload).is_ok()),
                _ => prop_assert!(packet::arp::Arp::parse(payload).is_ok()),
            }
        }
    }
}
