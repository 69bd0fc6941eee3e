//! What senders are told, what they never are, and what is answered at home.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use boundary::{PortId, PuntReason};
use control_api::Target;
use packet::ethernet::{EtherType, MacAddr};
use packet::ipv4::Ipv4;

use crate::scene::*;

/// Alice, known, sends to where nothing leads.
fn told_alice(scene: &mut Scene, reason: PuntReason, packet: &[u8]) -> Vec<Icmp> {
    scene.sends(ALICE, reason, packet);
    scene.take_packets_to(ALICE).iter().map(|packet| Icmp::read(packet)).collect()
}

fn far(like: IpAddr) -> IpAddr {
    if like.is_ipv4() { ip("203.0.113.9") } else { ip("2001:db8:ffff::9") }
}

#[test]
fn ttl_one_is_answered_with_time_exceeded_from_the_address_it_came_in_at() {
    for (alice, kind) in ALICE.addresses().into_iter().zip([11, 3]) {
        for hops in [0, 1] {
            let mut scene = Scene::knowing(&[ALICE]);
            let packet = udp(alice, far(alice)).hops(hops).of(32);
            let told = told_alice(&mut scene, PuntReason::TtlExpired, &packet);
            let expected = Icmp {
                source: ON_LEFT.like(alice),
                destination: alice,
                hops: 64,
                kind,
                code: 0,
                word: 0,
                body: packet,
            };
            assert_eq!(told, [expected]);
        }
    }
}

#[test]
fn a_report_has_the_precedence_of_internetwork_control() {
    let mut scene = Scene::knowing(&[ALICE]);
    scene.sends(ALICE, PuntReason::TtlExpired, &udp(ALICE.v4, far(ALICE.v4.into())).hops(1).of(8));
    assert_eq!(scene.take_packets_to(ALICE)[0][1], 0xc0, "RFC 1812 section 4.3.2.5");
}

/// RFC 1812 section 5.2.7.1 and RFC 4443 section 3.1, one row per reason.
#[test]
fn where_no_route_leads_the_sender_is_told_why_unless_it_is_to_be_silent() {
    #[rustfmt::skip]
    let rows = [
        ("no route",    None,                      PuntReason::NoRoute,     Some([(3, 0), (1, 0)])),
        ("unreachable", Some(Target::Unreachable), PuntReason::Unreachable, Some([(3, 1), (1, 6)])),
        ("blackhole",   Some(Target::Blackhole),   PuntReason::NoRoute,     None),
    ];
    for (row, target, reason, expected) in rows {
        let mut scene = Scene::knowing(&[ALICE]);
        for network in ["203.0.113.0/24", "2001:db8:ffff::/48"] {
            if let Some(target) = target.clone() {
                scene.add_route(network, target);
            }
        }
        for (place, alice) in ALICE.addresses().into_iter().enumerate() {
            let told = told_alice(&mut scene, reason, &udp(alice, far(alice)).of(8));
            let told: Vec<_> = told.iter().map(Icmp::kind_and_code).collect();
            assert_eq!(told, expected.map(|both| both[place]).into_iter().collect::<Vec<_>>(), "{row}");
        }
    }
}

#[test]
fn a_packet_too_big_for_the_next_link_is_cut_or_its_sender_told_what_fits() {
    let mut scene = Scene::knowing(&[ALICE, BOB]);
    let told = told_alice(&mut scene, PuntReason::TooBig, &udp(ALICE.v4, BOB.v4).dont_fragment().of(1381));
    assert_eq!((told[0].kind_and_code(), told[0].word), ((3, 4), 1400), "RFC 1191 section 4");
    let told = told_alice(&mut scene, PuntReason::TooBig, &udp(ALICE.v6, BOB.v6).of(1361));
    assert_eq!((told[0].kind_and_code(), told[0].word), ((2, 0), 1400));
    assert_eq!(told[0].body.len(), 1280 - 48, "as much as fits in 1280 bytes");
    assert!(scene.take_packets_to(BOB).is_empty());

    assert!(told_alice(&mut scene, PuntReason::TooBig, &udp(ALICE.v4, BOB.v4).of(1381)).is_empty());
    let pieces = scene.take_packets_to(BOB);
    let pieces: Vec<_> = pieces.iter().map(|piece| Ipv4::parse(piece).unwrap()).collect();
    assert_eq!(pieces.len(), 2);
    assert!(pieces.iter().all(|piece| piece.ttl() == 63 && piece.identification() == 7));
    assert_eq!(pieces.iter().map(|piece| piece.payload().len()).sum::<usize>(), 1381);
}

#[test]
fn an_exact_fit_is_neither_cut_nor_reported() {
    let mut scene = Scene::knowing(&[ALICE, BOB]);
    scene.sends(ALICE, PuntReason::TooBig, &udp(ALICE.v4, BOB.v4).of(1380));
    scene.sends(ALICE, PuntReason::TooBig, &udp(ALICE.v6, BOB.v6).of(1360));
    assert_eq!(scene.take_packets_to(BOB).len(), 2);
    assert!(scene.take_packets_to(ALICE).is_empty());
}

/// RFC 1812 section 4.3.2.7, one row per rule.
#[test]
fn no_error_is_ever_sent_about_these_ipv4_packets() {
    let far = Ipv4Addr::new(203, 0, 113, 9);
    let later_fragment = |mut packet: Vec<u8>| {
        packet[7] = 8;
        right_checksum(packet)
    };
    let from = |source: &str| udp(ip(source), far).hops(1).of(8);
    #[rustfmt::skip]
    let never = [
        ("an ICMP error",                udp(ALICE.v4, far).hops(1).icmp(3, 1, 28)),
        ("a redirect",                   udp(ALICE.v4, far).hops(1).icmp(5, 1, 28)),
        ("ICMP of an unknown type",      udp(ALICE.v4, far).hops(1).icmp(44, 0, 28)),
        ("ICMP without a type",          udp(ALICE.v4, far).hops(1).protocol(1).of(0)),
        ("a fragment but the first",     later_fragment(udp(ALICE.v4, far).hops(1).of(8))),
        ("to a multicast address",       udp(ALICE.v4, ip("224.0.0.5")).hops(1).of(8)),
        ("to the limited broadcast",     udp(ALICE.v4, ip("255.255.255.255")).hops(1).of(8)),
        ("to a network's broadcast",     udp(ALICE.v4, ip("198.51.100.255")).hops(2).of(8)),
        ("from 0/8",                     from("0.0.0.0")),
        ("from loopback",                from("127.0.0.1")),
        ("from a multicast address",     from("224.0.0.5")),
        ("from 240/4",                   from("240.0.0.1")),
        ("from the limited broadcast",   from("255.255.255.255")),
        ("from a network's broadcast",   from("192.0.2.255")),
        ("from one of our addresses",    from("198.51.100.1")),
    ];
    for (rule, packet) in never {
        let mut scene = Scene::knowing(&[ALICE, BOB]);
        scene.sends(ALICE, PuntReason::TtlExpired, &packet);
        assert_eq!(scene.take_sent(), [], "{rule}");
    }
    let mut scene = Scene::knowing(&[ALICE]);
    let in_a_group_s_frame = frame(ALICE, MacAddr::BROADCAST, EtherType::IPV4, &udp(ALICE.v4, far).hops(1).of(8));
    scene.arrives(LEFT, PuntReason::TtlExpired, in_a_group_s_frame);
    assert_eq!(scene.take_sent(), [], "came in a link-layer broadcast");
    assert_eq!(told_alice(&mut scene, PuntReason::TtlExpired, &udp(ALICE.v4, far).hops(1).echo(8)).len(), 1, "a query");
}

/// RFC 4443 section 2.4 e, one row per rule.
#[test]
fn no_error_is_ever_sent_about_these_ipv6_packets() {
    let far = Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 9);
    let from = |source: &str| udp(ip(source), far).hops(1).of(8);
    let error_behind_options = [&[58, 0, 1, 4, 0, 0, 0, 0], &[1, 0, 0, 0, 0, 0, 0, 0][..]].concat();
    let later_fragment = [58, 0, 0, 8, 0, 0, 0, 1, 128, 0, 0, 0, 0, 0, 0, 0];
    #[rustfmt::skip]
    let never = [
        ("an ICMPv6 error",           udp(ALICE.v6, far).hops(1).icmp(1, 0, 40)),
        ("an error behind options",   udp(ALICE.v6, far).hops(1).protocol(60).with(&error_behind_options)),
        ("a redirect",                udp(ALICE.v6, far).hops(1).icmp(137, 0, 40)),
        ("a fragment but the first",  udp(ALICE.v6, far).hops(1).protocol(44).with(&later_fragment)),
        ("to a multicast address",    udp(ALICE.v6, ip("ff0e::1")).hops(1).of(8)),
        ("from ::",                   from("::")),
        ("from ::1",                  from("::1")),
        ("from a multicast address",  from("ff02::1")),
        ("from one of our addresses", from("2001:db8:2::1")),
    ];
    for (rule, packet) in never {
        let mut scene = Scene::knowing(&[ALICE, BOB]);
        scene.sends(ALICE, PuntReason::TtlExpired, &packet);
        assert_eq!(scene.take_sent(), [], "{rule}");
    }
    let mut scene = Scene::knowing(&[ALICE]);
    assert_eq!(told_alice(&mut scene, PuntReason::TtlExpired, &udp(ALICE.v6, far).hops(1).echo(8)).len(), 1, "a query");
}

#[test]
fn a_flood_of_one_error_is_limited_and_leaves_the_others_their_share() {
    let mut scene = Scene::knowing(&[ALICE, BOB]);
    let expired = udp(ALICE.v4, far(ALICE.v4.into())).hops(1).of(8);
    for _packet in 0..90 {
        assert_eq!(told_alice(&mut scene, PuntReason::TtlExpired, &expired).len(), 1, "three traces of 30 hops");
    }
    for _packet in 0..100_000 {
        scene.sends(ALICE, PuntReason::TtlExpired, &expired);
    }
    assert!(scene.take_packets_to(ALICE).len() < 1_000);
    assert!(scene.control.counts().icmp_limited > 90_000);
    let told = told_alice(&mut scene, PuntReason::TooBig, &udp(ALICE.v4, BOB.v4).dont_fragment().of(1381));
    assert_eq!(told[0].kind_and_code(), (3, 4), "path MTU discovery goes on");
    scene.pass(SECOND);
    assert_eq!(told_alice(&mut scene, PuntReason::TtlExpired, &expired).len(), 1, "and so do traces a second later");
}

#[test]
fn an_echo_of_any_own_address_is_answered_by_it_with_the_same_data() {
    let own = [ON_LEFT, ON_RIGHT].into_iter().flat_map(|own| own.addresses());
    let own = own.chain([ON_LEFT.mac.link_local().into()]);
    for address in own {
        for len in [0, 56, 1400] {
            let mut scene = Scene::knowing(&[ALICE]);
            // A hop limit of 1 is enough to get here.
            let request = udp(ALICE.like(address), address).hops(1).echo(len);
            let answers = told_alice(&mut scene, PuntReason::Local, &request);
            assert_eq!(answers.len(), 1, "{address}");
            let asked = Icmp::read(&request);
            let kind = if address.is_ipv4() { 0 } else { 129 };
            let expected = Icmp { source: address, destination: asked.source, hops: 64, kind, ..asked };
            assert_eq!(answers[0], expected);
        }
    }
}

#[test]
fn an_echo_from_far_away_goes_back_the_way_routes_lead() {
    let mut scene = Scene::knowing(&[GATEWAY]);
    scene.add_route("0.0.0.0/0", via(GATEWAY.v4));
    scene.sends(ALICE, PuntReason::Local, &udp(ip("203.0.113.9"), ON_LEFT.v4).echo(8));
    assert_eq!(Icmp::read(&scene.take_packets_to(GATEWAY)[0]).destination, ip("203.0.113.9"));
}

#[test]
fn an_echo_of_a_group_on_the_link_is_answered_by_the_port_if_it_is_in_it() {
    let mut scene = Scene::knowing(&[ALICE]);
    for (group, is_in) in [("ff02::1", true), ("ff02::2", true), ("ff02::1:ff00:1", true), ("ff02::5", false)] {
        let IpAddr::V6(address) = ip(group) else { panic!("IPv6") };
        let packet = udp(ALICE.v6, address).hops(1).echo(8);
        let station = MacAddr::of_ipv6_multicast(address);
        scene.arrives(LEFT, PuntReason::NeighbourDiscovery, frame(ALICE, station, EtherType::IPV6, &packet));
        let answers = scene.take_packets_to(ALICE);
        assert_eq!(answers.len(), usize::from(is_in), "{group}");
        assert!(answers.iter().all(|answer| Icmp::read(answer).source == IpAddr::from(ON_LEFT.v6)), "{group}");
    }
}

/// One row per thing that is for us and gets no answer at all.
#[test]
fn some_packets_for_us_are_taken_in_silence() {
    let fragment = |mut packet: Vec<u8>| {
        packet[6] = 0x20;
        right_checksum(packet)
    };
    let damaged = |mut packet: Vec<u8>| {
        *packet.last_mut().unwrap() ^= 1;
        packet
    };
    #[rustfmt::skip]
    let silent = [
        ("an echo reply",                 udp(ALICE.v4, ON_LEFT.v4).icmp(0, 0, 8)),
        ("a source quench",               udp(ALICE.v4, ON_LEFT.v4).icmp(4, 0, 28)),
        ("a redirect",                    udp(ALICE.v4, ON_LEFT.v4).icmp(5, 1, 28)),
        ("a damaged echo request",        damaged(udp(ALICE.v4, ON_LEFT.v4).echo(8))),
        ("a fragment",                    fragment(udp(ALICE.v4, ON_LEFT.v4).echo(8))),
        ("an echo request from nowhere",  udp(ip("127.0.0.1"), ON_LEFT.v4).echo(8)),
        ("TCP",                           udp(ALICE.v4, ON_LEFT.v4).protocol(6).of(20)),
        ("ICMPv6 of an unknown type",     udp(ALICE.v6, ON_LEFT.v6).icmp(200, 0, 8)),
        ("a damaged ICMPv6 echo request", damaged(udp(ALICE.v6, ON_LEFT.v6).echo(8))),
        ("a router advertisement",        udp(ALICE.v6, ON_LEFT.v6).hops(255).icmp(134, 0, 8)),
        ("no next header",                udp(ALICE.v6, ON_LEFT.v6).protocol(59).of(0)),
    ];
    for (what, packet) in silent {
        let mut scene = Scene::knowing(&[ALICE]);
        let generation = scene.generation();
        assert_eq!(told_alice(&mut scene, PuntReason::Local, &packet), [], "{what}");
        scene.pass(std::time::Duration::ZERO);
        assert_eq!(scene.generation(), generation, "{what}: and nothing is learnt from it");
    }
}

/// One row per thing that is for us and not spoken here.
#[test]
fn what_is_for_us_and_not_spoken_here_is_reported_by_the_address_it_was_sent_to() {
    let routing = [17, 0, 0, 1, 0, 0, 0, 0];
    #[rustfmt::skip]
    let reported = [
        ("UDP: the end of a trace",      udp(ALICE.v4, ON_RIGHT.v4).of(8),                            (3, 3), 0),
        ("UDP over IPv6",                udp(ALICE.v6, ON_RIGHT.v6).of(8),                            (1, 4), 0),
        ("an unknown protocol",          udp(ALICE.v4, ON_RIGHT.v4).protocol(132).of(8),              (3, 2), 0),
        ("an unknown next header",       udp(ALICE.v6, ON_RIGHT.v6).protocol(132).of(8),              (4, 1), 6),
        ("a source route with more hops", udp(ALICE.v6, ON_RIGHT.v6).protocol(43).with(&routing),     (4, 0), 42),
    ];
    for (what, packet, kind_and_code, word) in reported {
        let mut scene = Scene::knowing(&[ALICE]);
        let told = told_alice(&mut scene, PuntReason::Local, &packet);
        assert_eq!(told.len(), 1, "{what}");
        assert_eq!((told[0].kind_and_code(), told[0].word), (kind_and_code, word), "{what}");
        assert_eq!(told[0].source, ON_RIGHT.like(told[0].destination), "{what}");
    }
}

#[test]
fn a_port_without_addresses_reports_with_another_s() {
    let mut setup = setup();
    setup.ports.push(port("bare", Host { port: PortId(2), mac: MacAddr([2, 0, 0, 0, 0, 3]), ..ON_LEFT }, &[], 1500));
    let mut scene = Scene::with(setup);
    scene.introduce(ALICE);
    let packet = udp(ALICE.v4, ip("203.0.113.9")).hops(1).of(8);
    scene.arrives(
        PortId(2),
        PuntReason::TtlExpired,
        frame(ALICE, MacAddr([2, 0, 0, 0, 0, 3]), EtherType::IPV4, &packet),
    );
    assert_eq!(Icmp::read(&scene.take_packets_to(ALICE)[0]).source, IpAddr::from(ON_LEFT.v4));
}

fn right_checksum(mut packet: Vec<u8>) -> Vec<u8> {
    packet[10..12].fill(0);
    let sum = packet::checksum::checksum(&packet[..20]);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet
}
