//! DP: what a route says of packets reaches the workers. What else becomes of packets is told by the RFCs, in the
//! simulation's tests.

use boundary::NextHop;

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
    scene.sends(ALICE, boundary::PuntReason::TooBig, &packet);
    let told = scene.take_packets_to(ALICE);
    let [report] = &told[..] else { panic!("{told:?}") };
    let report = Icmp::read(report);
    assert_eq!((report.kind_and_code(), report.word), ((3, 4), 1400));
    let packet = udp(ALICE.v4, ip("10.1.0.1")).of(1381);
    scene.sends(ALICE, boundary::PuntReason::TooBig, &packet);
    let pieces = scene.take_packets_to(BOB);
    assert_eq!(pieces.len(), 2);
    assert!(pieces.iter().all(|piece| piece.len() <= 1400));
}
