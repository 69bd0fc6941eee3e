//! DP: what a route says of packets reaches the workers. What else becomes of packets is told by the RFCs, in the
//! simulation's tests.

use boundary::{NextHop, PuntReason};
use control_api::{EventKind, Network};

use super::messages::{follower, kinds, told};
use super::*;

/// The longest packet workers send to `address`.
fn longest(scene: &mut Scene, address: &str) -> u16 {
    match scene.fate(ip(address)) {
        Some(NextHop::Neighbour(adjacency)) => adjacency.mtu.bytes(),
        other => panic!("{other:?}"),
    }
}

fn limited(message: RouteMessage, mtu: u32) -> RouteMessage {
    message.metrics(MetricMask::MTU, RouteMetrics { mtu, ..RouteMetrics::NONE })
}

// holds S3.30, X73
#[test]
fn dp_06_workers_send_no_longer_packets_than_the_route_and_its_port_carry() {
    let mut scene = scene();
    scene.tell(add("10.0.0.0/8", 1)).unwrap();
    scene.tell(limited(add("10.1.0.0/16", 1), 1400)).unwrap();
    scene.tell(limited(add("10.2.0.0/16", 1), 9000)).unwrap();
    assert_eq!(["10.0.0.1", "10.1.0.1", "10.2.0.1"].map(|to| longest(&mut scene, to)), [1500, 1400, 1500]);
    scene.tell(limited(message(Verb::Change, "10.0.0.0/8"), 1300)).unwrap();
    assert_eq!(longest(&mut scene, "10.0.0.1"), 1300);
    scene.tell(limited(message(Verb::Change, "10.0.0.0/8"), 0)).unwrap();
    assert_eq!(longest(&mut scene, "10.0.0.1"), 1500, "0 asks for the port's");
}

// holds X73
#[test]
fn a_neighbour_that_is_found_later_is_found_for_every_route_to_it() {
    let mut scene = scene();
    let to_bob = |prefix: &str| message(Verb::Add, prefix).to(via(ip("198.51.100.20")));
    scene.tell(to_bob("10.0.0.0/8")).unwrap();
    scene.tell(limited(to_bob("10.1.0.0/16"), 1400)).unwrap();
    assert_eq!(scene.fate(ip("10.1.0.1")), Some(NextHop::Unresolved(RIGHT)));
    scene.introduce(BOB);
    assert_eq!(["10.0.0.1", "10.1.0.1"].map(|to| longest(&mut scene, to)), [1500, 1400]);
    scene.tell(limited(to_bob("10.2.0.0/16"), 1300)).unwrap();
    assert_eq!(longest(&mut scene, "10.2.0.1"), 1300);
}

// holds X72, X73
#[test]
fn dp_06_the_slow_way_has_the_same_limit_and_tells_the_sender() {
    let mut scene = scene();
    scene.introduce(ALICE);
    let to_bob = message(Verb::Add, "10.1.0.0/16").to(via(ip("198.51.100.20")));
    scene.tell(limited(to_bob, 1400)).unwrap();
    scene.introduce(BOB);
    let packet = udp(ALICE.v4, ip("10.1.0.1")).dont_fragment().of(1381);
    scene.sends(ALICE, PuntReason::TooBig, &packet);
    let told = scene.take_packets_to(ALICE);
    let [report] = &told[..] else { panic!("{told:?}") };
    let report = Icmp::read(report);
    assert_eq!((report.kind_and_code(), report.word), ((3, 4), 1400));
    let packet = udp(ALICE.v4, ip("10.1.0.1")).of(1381);
    scene.sends(ALICE, PuntReason::TooBig, &packet);
    let pieces = scene.take_packets_to(BOB);
    assert_eq!(pieces.len(), 2);
    assert!(pieces.iter().all(|piece| piece.len() <= 1400));
}

// holds S2.29, X72
#[test]
fn dp_05_who_sends_where_no_route_leads_is_told_and_a_follower_once_a_second_for_each_destination() {
    let mut scene = scene();
    let mut follower = follower(&mut scene, None);
    let on_p2 = Host { port: boundary::PortId(2), ..ALICE };
    let miss = |to: &str| (EventKind::Miss, to.to_owned());
    // RFC 1812 section 4.3.3.1 has the network unreachable, where the kernels say the host is.
    for (from, source, nowhere, code) in [
        (ALICE, "192.0.2.11", ["203.0.113.9", "203.0.113.10"], (3, 0)),
        (on_p2, "2001:db8::11", ["2001:db8:f::1", "2001:db8:f::2"], (1, 0)),
    ] {
        let send = |scene: &mut Scene, to: &str| {
            scene.sends(from, PuntReason::NoRoute, &udp(ip(source), ip(to)).of(8));
            let sent = scene.take_sent();
            let reports = sent.iter().map(|(_port, frame)| Icmp::read(&frame[14..]).kind_and_code());
            assert_eq!(reports.collect::<Vec<_>>(), [code]);
        };
        (0..3).for_each(|_packet| nowhere.iter().for_each(|to| send(&mut scene, to)));
        let hosts = nowhere.map(|to| Network::host(ip(to)).to_string());
        assert_eq!(kinds(&told(&mut follower)), hosts.each_ref().map(|host| miss(host)), "once each");
        scene.pass(SECOND);
        scene.take_sent();
        send(&mut scene, nowhere[0]);
        assert_eq!(kinds(&told(&mut follower)), [miss(&hosts[0])], "and again in the next second");
    }
}

// holds S2.29, X36
#[test]
fn dp_05_so_many_destinations_are_told_of_and_the_rest_is_counted() {
    let mut scene = scene();
    let mut follower = follower(&mut scene, None);
    for number in 0..control::MOST_MISSES + 7 {
        let there = IpAddr::from(std::net::Ipv4Addr::from(0xcb00_0000 + u32::try_from(number).unwrap()));
        scene.sends(ALICE, PuntReason::NoRoute, &udp(ALICE.v4, there).of(8));
    }
    assert_eq!(told(&mut follower).len(), control::MOST_MISSES);
    assert_eq!(scene.control.counts().misses_untold, 7);
}
