//! DP and RJ: what routes do to packets.
//!
//! Tests bear the numbers of `docs/route-conformance.md`.

use boundary::{DropReason, PuntReason};
use control_api::{ErrorKind, Reply, Request, Route, RouteFlags, RouteMessage, Target, Verb};
use packet::ethernet::{Header, MacAddr};
use packet::ipv4::Ipv4;
use simulation::{ALICE, BEYOND, BOB, GATEWAY, LEFT, NOWHERE, ON_LEFT, ON_RIGHT, Plan, RIGHT, Scene, frame, ip, udp};

/// A network in which nobody is, and a host there.
const FAR: [(&str, &str); 2] = [("10.1.0.0/16", "10.1.2.3"), ("2001:db8:fa::/48", "2001:db8:fa::3")];

fn message(verb: Verb, prefix: &str) -> RouteMessage {
    let (address, len) = prefix.split_once('/').unwrap();
    let len = len.parse::<u32>().unwrap();
    let mask = match ip(address) {
        std::net::IpAddr::V4(_) => std::net::Ipv4Addr::from(!u32::MAX.checked_shr(len).unwrap_or(0)).into(),
        std::net::IpAddr::V6(_) => std::net::Ipv6Addr::from(!u128::MAX.checked_shr(len).unwrap_or(0)).into(),
    };
    RouteMessage::new(verb, ip(address), Some(mask))
}

fn tell(scene: &mut Scene, message: RouteMessage) -> Route {
    match scene.ask(Request::RouteMessage(message)) {
        Ok(Reply::Route(route)) => route,
        other => panic!("{other:?}"),
    }
}

/// A route by the gateway, with these flags.
fn add(scene: &mut Scene, prefix: &str, flags: RouteFlags) {
    let gateway = GATEWAY.like(ip(prefix.split_once('/').unwrap().0));
    let target = Some(Target::Via { gateway, dev: None });
    tell(scene, RouteMessage { target, flags: Some(flags), ..message(Verb::Add, prefix) });
}

fn change(scene: &mut Scene, prefix: &str, flags: RouteFlags) {
    tell(scene, RouteMessage { flags: Some(flags), ..message(Verb::Change, prefix) });
}

// holds S3.03
#[test]
fn dp_03_a_packet_to_a_host_on_the_link_goes_to_its_station() {
    for destination in BOB.addresses() {
        let outcome = Scene::new().send(ALICE, &udp(ALICE.like(destination), destination).of(8));
        let [(RIGHT, sent)] = &outcome.sent[..] else { panic!("{outcome:?}") };
        let (header, _) = Header::parse(sent).unwrap();
        assert_eq!((header.source, header.destination), (ON_RIGHT.mac, BOB.mac));
    }
}

// holds S3.03, S3.14
#[test]
fn dp_04_a_packet_by_a_gateway_goes_to_its_station_with_its_own_destination() {
    let outcome = Scene::new().send(ALICE, &udp(ALICE.v4, BEYOND.v4).of(8));
    assert_eq!(Ipv4::parse(outcome.packet_to(GATEWAY)).unwrap().destination(), BEYOND.v4);
    let outcome = Scene::new().send(ALICE, &udp(ALICE.v6, BEYOND.v6).of(8));
    assert_eq!(outcome.packet_to(GATEWAY)[24..40], BEYOND.v6.octets());
}

// holds X72
#[test]
fn dp_06_a_packet_too_long_for_its_link_is_told_or_cut() {
    let mut scene = Plan::default().mtu(LEFT, 9000).open();
    let told = scene.send(ALICE, &udp(ALICE.v4, BOB.v4).dont_fragment().long(1501)).icmp_to(ALICE);
    assert_eq!((told.kind_and_code, told.word), ((3, 4), 1500));
    assert_eq!(scene.send(ALICE, &udp(ALICE.v4, BOB.v4).long(1501)).packets_to(BOB).len(), 2);
    let told = scene.send(ALICE, &udp(ALICE.v6, BOB.v6).long(1501)).icmp_to(ALICE);
    assert_eq!((told.kind_and_code, told.word), ((2, 0), 1500));
    for fits in [udp(ALICE.v4, BOB.v4).dont_fragment().long(1500), udp(ALICE.v6, BOB.v6).long(1500)] {
        assert_eq!(scene.send(ALICE, &fits).packets_to(BOB).len(), 1);
    }
}

// holds S3.16, X72, RJ-02
#[test]
fn dp_07_a_packet_to_what_is_rejected_is_told_so() {
    for [v4, v6] in [["/16", "/48"], ["/32", "/128"]] {
        let mut scene = Scene::new();
        for ((_, host), (len, code)) in FAR.into_iter().zip([(v4, (3, 1)), (v6, (1, 6))]) {
            add(&mut scene, &format!("{host}{len}"), RouteFlags::REJECT);
            let outcome = scene.send(ALICE, &udp(ALICE.like(ip(host)), ip(host)).of(8));
            assert_eq!(outcome.icmp_to(ALICE).kind_and_code, code, "{host}{len}");
        }
    }
}

// holds S3.22, X71, RJ-06
#[test]
fn dp_08_a_packet_that_is_swallowed_is_counted_and_nobody_told() {
    let mut scene = Scene::new();
    for (network, host) in FAR {
        add(&mut scene, network, RouteFlags::BLACKHOLE);
        let outcome = scene.send(ALICE, &udp(ALICE.like(ip(host)), ip(host)).of(8));
        assert_eq!(outcome.dropped(), Some(DropReason::Blackhole));
    }
}

// holds S3.25
#[test]
fn dp_09_a_packet_to_one_of_our_addresses_goes_to_the_control_thread() {
    for own in [ON_LEFT, ON_RIGHT].into_iter().flat_map(|own| own.addresses()) {
        let outcome = Scene::new().send(ALICE, &udp(ALICE.like(own), own).protocol(6).of(20));
        assert_eq!((outcome.punted_for(PuntReason::Local), outcome.transmitted), (1, 0), "{own}");
    }
}

// holds S3.26, X72
#[test]
fn dp_10_a_broadcast_is_dropped_and_counted() {
    let directed = Scene::new().send(ALICE, &udp(ALICE.v4, ip("198.51.100.255")).of(8));
    assert!(directed.dropped().is_some(), "{directed:?}");
    let limited = udp(ALICE.v4, ip("255.255.255.255")).of(8);
    for station in [ON_LEFT.mac, MacAddr::BROADCAST] {
        let frame = frame(ALICE.mac, station, packet::ethernet::EtherType::IPV4, &limited);
        let outcome = Scene::new().send_frame(LEFT, frame);
        assert_eq!(outcome.dropped(), Some(DropReason::Broadcast));
    }
}

// holds S3.27, X72
#[test]
fn dp_11_what_belongs_on_no_other_link_is_not_forwarded() {
    for (source, destination) in [
        ("192.0.2.10", "224.0.0.5"),
        ("192.0.2.10", "239.1.1.1"),
        ("192.0.2.10", "169.254.7.7"),
        ("169.254.7.7", "198.51.100.20"),
        ("192.0.2.10", "127.0.0.1"),
        ("127.0.0.1", "198.51.100.20"),
        ("0.0.0.7", "198.51.100.20"),
        ("2001:db8:1::10", "ff0e::1"),
        ("2001:db8:1::10", "fe80::7"),
        ("fe80::7", "2001:db8:2::20"),
        ("::1", "2001:db8:2::20"),
        ("2001:db8:1::10", "::1"),
    ] {
        let outcome = Scene::new().send(ALICE, &udp(ip(source), ip(destination)).of(8));
        assert!(outcome.transmitted == 0 && outcome.packets_to(BOB).is_empty(), "{source} > {destination}");
    }
}

// holds S2.29, S5.25, RJ-01
#[test]
fn without_a_route_whoever_asks_and_whoever_sends_is_told() {
    let mut scene = Scene::new();
    for nowhere in NOWHERE.addresses() {
        let refused = scene.ask(Request::RouteGet { address: nowhere }).unwrap_err();
        assert_eq!(refused.kind, ErrorKind::NotFound);
        let told = scene.send(ALICE, &udp(ALICE.like(nowhere), nowhere).of(8)).icmp_to(ALICE);
        assert_eq!(told.kind_and_code, if nowhere.is_ipv4() { (3, 0) } else { (1, 0) });
    }
}

// holds S3.16, X38
#[test]
fn rj_05_rejecting_is_switched_on_and_off_and_packets_follow() {
    let mut scene = Scene::new();
    for (network, host) in FAR {
        let packet = udp(ALICE.like(ip(host)), ip(host)).of(8);
        add(&mut scene, network, RouteFlags::STATIC);
        for _time in 0..3 {
            assert_eq!(scene.send(ALICE, &packet).packets_to(GATEWAY).len(), 1);
            change(&mut scene, network, RouteFlags::STATIC | RouteFlags::REJECT);
            assert_eq!(scene.send(ALICE, &packet).packets_to(ALICE).len(), 1, "told");
            change(&mut scene, network, RouteFlags::STATIC);
        }
    }
}

// holds X71
#[test]
fn rj_07_what_swallows_and_rejects_is_silent() {
    let mut scene = Scene::new();
    for (network, host) in FAR {
        add(&mut scene, network, RouteFlags::REJECT | RouteFlags::BLACKHOLE);
        let outcome = scene.send(ALICE, &udp(ALICE.like(ip(host)), ip(host)).of(8));
        assert_eq!(outcome.dropped(), Some(DropReason::Blackhole));
    }
}

// holds S3.22
#[test]
fn rj_08_a_more_specific_route_below_one_that_swallows_is_used() {
    let mut scene = Scene::new();
    for ((network, host), wide) in FAR.into_iter().zip(["10.0.0.0/8", "2001:db8::/32"]) {
        add(&mut scene, wide, RouteFlags::BLACKHOLE);
        add(&mut scene, network, RouteFlags::empty());
        let outcome = scene.send(ALICE, &udp(ALICE.like(ip(host)), ip(host)).of(8));
        assert_eq!(outcome.packets_to(GATEWAY).len(), 1, "{host}");
    }
    assert_eq!(scene.send(ALICE, &udp(ALICE.v4, ip("10.2.0.1")).of(8)).dropped(), Some(DropReason::Blackhole));
}
