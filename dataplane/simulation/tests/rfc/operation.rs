//! L. Operation.

use boundary::PortId;
use control_api::{Reply, Request, Target};
use packet::ethernet::{EtherType, MacAddr};
use proptest::prelude::*;
use simulation::{ALICE, BEYOND, BOB, GATEWAY, LEFT, NOWHERE, ON_LEFT, ON_RIGHT, Plan, RIGHT, Scene, frame, ip, udp};

/// Frames of every kind that a router meets, to be damaged.
fn met() -> Vec<(PortId, Vec<u8>)> {
    let from_alice = |ether_type, packet: Vec<u8>| (LEFT, frame(ALICE.mac, ON_LEFT.mac, ether_type, &packet));
    let from_bob = |ether_type, packet: Vec<u8>| (RIGHT, frame(BOB.mac, ON_RIGHT.mac, ether_type, &packet));
    vec![
        from_alice(EtherType::IPV4, udp(ALICE.v4, BOB.v4).of(30)),
        from_alice(EtherType::IPV6, udp(ALICE.v6, BEYOND.v6).of(30)),
        from_alice(EtherType::IPV4, udp(ALICE.v4, NOWHERE.v4).hops(1).of(30)),
        from_alice(EtherType::IPV4, udp(ALICE.v4, BOB.v4).dont_fragment().long(1480)),
        from_alice(EtherType::IPV6, udp(ALICE.v6, BOB.v6).long(1480)),
        from_alice(EtherType::IPV4, udp(ALICE.v4, BOB.v4).with_options(&[7, 7, 4, 0, 0, 0, 0, 0], &[0; 30])),
        from_bob(EtherType::IPV4, udp(BOB.v4, ON_RIGHT.v4).echo(30)),
        from_bob(EtherType::IPV6, udp(BOB.v6, ON_RIGHT.v6).echo(30)),
        from_bob(
            EtherType::IPV6,
            udp(BOB.v6, ALICE.v6).protocol(0).with(&[44, 0, 5, 2, 0, 0, 1, 0, 17, 0, 0, 1, 0, 0, 0, 7]),
        ),
        (LEFT, frame(ALICE.mac, MacAddr::BROADCAST, EtherType::IPV4, &udp(ALICE.v4, ip("255.255.255.255")).of(8))),
        (LEFT, frame(ALICE.mac, MacAddr::BROADCAST, EtherType::VLAN, &[0, 5, 8, 0, 0x45])),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Whatever comes in, damaged in whatever way, is forwarded, left to the control plane or dropped for one reason.
    #[test]
    fn rfc_175_every_packet_has_one_fate_and_every_drop_one_reason(
        arriving in proptest::collection::vec(
            (any::<proptest::sample::Index>(), proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..4),
             any::<proptest::sample::Index>()),
            1..60,
        ),
    ) {
        let mut scene = Plan::default().mtu(RIGHT, 1400).open();
        let met = met();
        for (which, damage, cut) in arriving {
            let (port, mut frame) = which.get(&met).clone();
            for (at, byte) in damage {
                let at = at.index(frame.len());
                frame[at] ^= byte;
            }
            // Most keep most of their length.
            frame.truncate(frame.len() - cut.index(frame.len()) * cut.index(4) / 4);
            let outcome = scene.send_frame(port, frame);
            let (dropped, punted) = (outcome.drops.iter().map(|drop| drop.1), outcome.punts.iter().map(|punt| punt.1));
            // A host's answer to a question, which came of it, is one more that came in.
            prop_assert_eq!(outcome.received, 1 + outcome.answered.len() as u64);
            prop_assert_eq!(outcome.transmitted + dropped.sum::<u64>() + punted.sum::<u64>(), outcome.received);
        }
    }
}

#[test]
fn rfc_176_changes_lose_nothing_of_prefixes_they_do_not_touch() {
    let mut scene = Scene::new();
    let burst = [udp(ALICE.v4, BOB.v4).of(8), udp(ALICE.v4, BEYOND.v4).of(8), udp(ALICE.v6, BEYOND.v6).of(8)];
    for round in 0..200_u8 {
        for to in [format!("10.{round}.0.0/16"), format!("203.0.114.{round}/32"), format!("2001:db8:c:{round:x}::/64")]
        {
            let (to, gateway) = (to.parse().unwrap(), GATEWAY.like(ip(to.split_once('/').unwrap().0)));
            let target = if round % 2 == 0 { Target::Via { gateway, dev: None } } else { Target::Blackhole };
            assert_eq!(scene.ask(Request::RouteAdd { to, target }), Ok(Reply::Done));
            assert_eq!(scene.send_all(ALICE, &burst).transmitted, 3, "round {round}");
            if round % 3 == 0 {
                assert_eq!(scene.ask(Request::RouteDel { to }), Ok(Reply::Done));
                assert_eq!(scene.send_all(ALICE, &burst).transmitted, 3, "round {round}");
            }
        }
    }
}
