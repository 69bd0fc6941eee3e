//! L. Operation.

use std::net::IpAddr;
use std::time::Duration;

use boundary::PortId;
use control::fpm::{Heard, Leads, Leg, MAIN_OF_LINUX, RouteSaid, Said};
use control_api::{FpmState, Reply, Request, Speaker, Target};
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

/// Packets to every network of the daemon in every millisecond, of which a tenth goes while it is away.
#[test]
fn rfc_171_a_routing_daemon_that_comes_back_costs_no_packet_and_what_it_does_not_tell_again_is_swept() {
    let mut scene = Scene::with("[fpm]\nquiet_seconds = 2\nsweep_seconds = 30\n");
    let networks = |number: u8| [format!("100.64.{number}.0/24"), format!("2001:db8:a:{number:x}::/64")];
    let told = |number: u8| {
        networks(number).map(|to| {
            let gateway = Some(GATEWAY.like(ip(to.split_once('/').unwrap().0)));
            let leg = Leg { gateway, interface: 0, weight: 1, is_encapsulated: false };
            let (table, to, leads) = (MAIN_OF_LINUX, to.parse().unwrap(), Leads::By(leg));
            Said::Route(RouteSaid { table, to, speaker: Speaker::Bgp, leads, mtu: None, source: None })
        })
    };
    let packets = |number: u8| {
        let [v4, v6] = [format!("100.64.{number}.9"), format!("2001:db8:a:{number:x}::9")].map(|to| ip(&to));
        let (IpAddr::V4(v4), IpAddr::V6(v6)) = (v4, v6) else { unreachable!("they are written so") };
        [udp(ALICE.v4, v4).of(8), udp(ALICE.v6, v6).of(8)]
    };
    let is_kept = |number: &u8| !number.is_multiple_of(10);
    let (kept, gone): (Vec<u8>, Vec<u8>) = (0..50).partition(is_kept);
    let of = |numbers: &[u8]| numbers.iter().flat_map(|number| packets(*number)).collect::<Vec<_>>();
    let (to_kept, to_gone) = (of(&kept), of(&gone));
    let fpm = |scene: &mut Scene| match scene.ask(Request::FpmShow) {
        Ok(Reply::Fpm(fpm)) => fpm,
        other => panic!("{other:?}"),
    };
    let published = |scene: &mut Scene| match scene.ask(Request::Stats) {
        Ok(Reply::Stats(stats)) => stats.generation,
        other => panic!("{other:?}"),
    };
    let peer = "127.0.0.1:50000".parse().unwrap();
    scene.hear(Heard::Came(peer));
    scene.hear(Heard::Said((0..50).flat_map(told).collect()));
    let before = published(&mut scene);

    // Told again one network in ten milliseconds, as of a daemon that is slow.
    let (left, back, over) = (100, 600, 600 + 10 * 50 + 2000);
    for millisecond in 0..over + 500 {
        match millisecond {
            at if at == left => scene.hear(Heard::Left("it was killed".to_owned())),
            at if at == back => scene.hear(Heard::Came(peer)),
            at if (back..back + 450).contains(&at) && at % 10 == 5 => {
                let number = kept[(at - back) / 10];
                scene.hear(Heard::Said(told(number).into()));
            }
            _ => {}
        }
        assert_eq!(scene.send_all(ALICE, &to_kept).transmitted, to_kept.len() as u64, "after {millisecond} ms");
        let transmitted = scene.send_all(ALICE, &to_gone).transmitted;
        match millisecond {
            0..2900 => assert_eq!(transmitted, to_gone.len() as u64, "nothing is swept after {millisecond} ms"),
            2900..3300 => {}
            _ => assert_eq!(transmitted, 0, "all is swept after {millisecond} ms"),
        }
        if millisecond == 2900 {
            assert_eq!(published(&mut scene), before, "what is told again as it was is no news to workers");
            assert_eq!(fpm(&mut scene).stale, 10);
        }
        scene.pass(Duration::from_millis(1));
    }
    let fpm = fpm(&mut scene);
    assert_eq!((fpm.state, fpm.routes, fpm.stale, fpm.sessions), (FpmState::Settled, 90, 0, 2));
    assert_eq!((fpm.counts["unchanged"], fpm.counts["swept"]), (90, 10));
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
