//! What is told, how often, and what is answered: where sections G and I leave something to the configuration.

use std::net::IpAddr;
use std::time::Duration;

use simulation::{ALICE, BOB, Host, Icmp, NOWHERE, ON_LEFT, ON_RIGHT, Outcome, Plan, RIGHT, Scene, udp};

fn expiring() -> Vec<u8> {
    udp(ALICE.v4, BOB.v4).hops(1).of(8)
}

#[test]
fn rfc_073_what_is_prohibited_is_reported_or_met_with_silence_as_the_filter_is_told() {
    for (default, told) in [("reject", Some((3, 13))), ("drop", None)] {
        let filter = format!("[[filter]]\nname = \"none\"\ndefault = \"{default}\"");
        let mut scene = Plan::default().port(simulation::LEFT, "filter = \"none\"").and(&filter).open();
        let outcome = scene.send(ALICE, &udp(ALICE.v4, BOB.v4).of(8));
        let said: Vec<_> = outcome.packets_to(ALICE).iter().map(|packet| Icmp::read(packet).kind_and_code).collect();
        assert_eq!(said, told.into_iter().collect::<Vec<_>>(), "{default}");
        assert!(outcome.packets_to(BOB).is_empty());
    }
}

#[test]
fn rfc_074_a_blackhole_is_silent_and_an_unreachable_route_is_not() {
    for (route, told) in [("blackhole = true", None), ("unreachable = true", Some((3, 1)))] {
        let mut scene = Scene::with(&format!("[[route]]\nto = \"10.99.0.0/16\"\n{route}"));
        let outcome = scene.send(ALICE, &udp(ALICE.v4, NOWHERE.v4).of(8));
        let said: Vec<_> = outcome.packets_to(ALICE).iter().map(|packet| Icmp::read(packet).kind_and_code).collect();
        assert_eq!(said, told.into_iter().collect::<Vec<_>>(), "{route}");
    }
}

fn reports(outcome: &Outcome) -> usize {
    outcome.packets_to(ALICE).len()
}

#[test]
fn rfc_084_a_flood_is_answered_as_the_configuration_allows_and_another_source_not_less() {
    let limits = "[icmp]\nerror_rate_per_source = 50\nerror_burst_per_source = 20";
    let mut scene = Scene::with(limits);
    let mut told = 0;
    for _tenth in 0..10 {
        told += reports(&scene.send_all(ALICE, std::iter::repeat_n(expiring(), 500)));
        let other = scene.send(BOB, &udp(BOB.v4, ALICE.v4).hops(1).of(8));
        assert_eq!(other.packets_to(BOB).len(), 1, "a trace of somebody else's");
        told += reports(&scene.pass(Duration::from_millis(100)));
    }
    assert!((60..=75).contains(&told), "20 at once and 50 a second: {told}");
    assert!(scene.counts().icmp_limited > 4_000, "the others are counted");
}

/// In virtual time, the flood half and half of both families; the other host is on the flooder's own link.
#[test]
fn rfc_084_085_a_hundred_thousand_expired_packets_a_second_cost_another_host_no_answer() {
    let mut scene = Plan::default().mtu(RIGHT, 1400).open();
    let v6 = std::net::Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 0x77);
    let carol = Host { mac: packet::ethernet::MacAddr([2, 0, 0, 0, 1, 0x77]), v4: [192, 0, 2, 77].into(), v6, ..ALICE };
    scene.introduce(carol);
    let both = [expiring(), udp(ALICE.v6, BOB.v6).hops(1).of(8)];
    let flood: Vec<_> = both.iter().cycle().take(1000).collect();
    let mut told = 0;
    for hundredth in 0..100 {
        told += reports(&scene.send_all(ALICE, &flood));
        if hundredth % 10 == 0 {
            for (asked, kind_and_code) in [
                (udp(carol.v4, BOB.v4).hops(1).of(8), (11, 0)),
                (udp(carol.v6, BOB.v6).hops(1).of(8), (3, 0)),
                (udp(carol.v4, BOB.v4).dont_fragment().long(1401), (3, 4)),
                (udp(carol.v6, BOB.v6).long(1401), (2, 0)),
            ] {
                assert_eq!(scene.send(carol, &asked).icmp_to(carol).kind_and_code, kind_and_code, "{hundredth}");
            }
        }
        told += reports(&scene.pass(Duration::from_millis(10)));
    }
    assert!((300..=420).contains(&told), "the flooder's two addresses, 100 at once and 100 a second each: {told}");
}

#[test]
fn rfc_085_path_mtu_discovery_goes_on_under_a_flood_of_other_errors() {
    let mut scene = Plan::default().mtu(RIGHT, 1400).open();
    scene.send_all(ALICE, std::iter::repeat_n(expiring(), 5_000));
    let told = scene.send(ALICE, &udp(ALICE.v4, BOB.v4).dont_fragment().long(1401)).icmp_to(ALICE);
    assert_eq!((told.kind_and_code, told.word), ((3, 4), 1400));
    let v6 = scene.send(ALICE, &udp(ALICE.v6, BOB.v6).long(1401)).icmp_to(ALICE);
    assert_eq!((v6.kind_and_code, v6.word), ((2, 0), 1400));
}

#[test]
fn rfc_086_an_echo_of_any_own_address_is_answered_by_it_with_the_same_data() {
    for own in [ON_LEFT.v4, ON_RIGHT.v4] {
        for len in [0, 56, 1472] {
            let request = udp(ALICE.v4, own).echo(len);
            let reply = Scene::new().send(ALICE, &request).icmp_to(ALICE);
            assert_eq!((reply.kind_and_code, reply.source), ((0, 0), own.into()));
            assert_eq!((reply.body, reply.word), (Icmp::read(&request).body, Icmp::read(&request).word));
        }
    }
}

#[test]
fn a_connection_to_us_is_refused_with_a_reset() {
    let mut segment = vec![0x9c, 0x40, 0, 22, 0, 0, 0, 100, 0, 0, 0, 0, 5 << 4, 2, 0xff, 0xff, 0, 0, 0, 0];
    for (source, own) in [(IpAddr::from(ALICE.v4), IpAddr::from(ON_RIGHT.v4)), (ALICE.v6.into(), ON_RIGHT.v6.into())] {
        segment[16..18].fill(0);
        let sum = match (source, own) {
            (IpAddr::V4(source), IpAddr::V4(own)) => packet::checksum::Sum::pseudo_ipv4(source, own, 6, 20),
            (IpAddr::V6(source), IpAddr::V6(own)) => packet::checksum::Sum::pseudo_ipv6(source, own, 6, 20),
            _ => unreachable!("both of one family"),
        };
        let sum = sum.bytes(&segment).checksum();
        segment[16..18].copy_from_slice(&sum.to_be_bytes());
        let mut scene = Scene::new();
        let outcome = scene.send(ALICE, &udp(source, own).protocol(6).with(&segment));
        let answer = outcome.packet_to(ALICE);
        let reset = &answer[answer.len() - 20..];
        assert_eq!(reset[..14], [0, 22, 0x9c, 0x40, 0, 0, 0, 0, 0, 0, 0, 101, 5 << 4, 0x14]);
        assert_eq!(scene.counts().resets, 1);
    }
}
