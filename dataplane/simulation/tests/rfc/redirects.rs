//! E. Redirects: those we send, and those that come.

use boundary::PuntReason;
use control_api::{Reply, Request, RouteFilter};
use packet::ipv4::Ipv4;
use simulation::{ALICE, BEYOND, BOB, GATEWAY, Icmp, ON_RIGHT, Outcome, Plan, RIGHT, Scene, udp};

fn telling() -> Scene {
    Plan::default().port(RIGHT, "redirects = true").open()
}

/// The packet goes on to the host, and nobody else hears anything.
fn assert_only_forwarded(outcome: &Outcome, to: simulation::Host) {
    assert_eq!(Ipv4::parse(outcome.packet_to(to)).unwrap().ttl(), 63);
    assert_eq!(outcome.transmitted, 1);
}

/// What the host on the right was told.
fn told(outcome: &Outcome) -> Icmp {
    let [told] = outcome.packets_to(BOB)[..] else { panic!("{outcome:?}") };
    Icmp::read(told)
}

// holds X68, RD-11
#[test]
fn rfc_089_a_host_whose_packets_leave_the_way_they_came_is_told_of_the_gateway_there() {
    let packet = udp(BOB.v4, BEYOND.v4).of(8);
    let outcome = telling().send(BOB, &packet);
    let [gone_on] = outcome.packets_to(GATEWAY)[..] else { panic!("{outcome:?}") };
    assert_eq!(Ipv4::parse(gone_on).unwrap().ttl(), 63, "the packet goes on");
    let told = told(&outcome);
    assert_eq!((told.kind_and_code, told.source, told.word), ((5, 1), ON_RIGHT.v4.into(), GATEWAY.v4.to_bits()));
    assert_eq!(told.body[12..], packet[12..], "from the addresses on");
    assert_eq!((outcome.transmitted, outcome.punted_for(PuntReason::NearerWay)), (1, 0));
}

// holds X68, RD-11
#[test]
fn rfc_089_a_host_is_told_that_another_is_its_neighbour() {
    let outcome = telling().send(BOB, &udp(BOB.v4, GATEWAY.v4).of(8));
    assert_eq!((told(&outcome).word, outcome.packets_to(GATEWAY).len()), (GATEWAY.v4.to_bits(), 1));
}

// holds X68, RD-11
#[test]
fn rfc_089_by_default_nobody_is_told() {
    assert_only_forwarded(&Scene::new().send(BOB, &udp(BOB.v4, BEYOND.v4).of(8)), GATEWAY);
}

// holds X68, RD-11
#[test]
fn rfc_089_who_is_not_on_the_link_or_goes_another_way_is_not_told() {
    assert_only_forwarded(&telling().send(BOB, &udp([203, 0, 113, 77], BEYOND.v4).of(8)), GATEWAY);
    assert_only_forwarded(&telling().send(ALICE, &udp(ALICE.v4, BEYOND.v4).of(8)), GATEWAY);
}

// holds X68, RD-11
#[test]
fn rfc_089_nobody_is_told_of_the_default_route_or_of_what_a_redirect_made() {
    let mut scene = Plan::default()
        .port(RIGHT, "redirects = true")
        .and("[[route]]\nto = \"0.0.0.0/0\"\nvia = \"198.51.100.254\"")
        .open();
    assert_only_forwarded(&scene.send(BOB, &udp(BOB.v4, [9, 9, 9, 9]).of(8)), GATEWAY);
    let made = control_api::Redirect {
        fib: 0,
        dst: "9.9.9.9/32".parse().unwrap(),
        gateway: GATEWAY.v4.into(),
        dev: None,
        author: None,
    };
    assert!(matches!(scene.ask(Request::Redirect(made)), Ok(Reply::Route(_))));
    // The first is shown to the control thread, and the next are not for a while: ask it anew.
    for _shown_again in 0..64 {
        assert_only_forwarded(&scene.send(BOB, &udp(BOB.v4, [9, 9, 9, 9]).of(8)), GATEWAY);
    }
}

#[test]
fn rfc_089_nobody_is_told_about_an_error_or_a_later_fragment() {
    let error = udp(BOB.v4, BEYOND.v4).icmp(3, 1, 40);
    assert_only_forwarded(&telling().send(BOB, &error), GATEWAY);
    let mut fragment = udp(BOB.v4, BEYOND.v4).of(8);
    fragment[7] = 1;
    assert_only_forwarded(&telling().send(BOB, &simulation::with_right_checksum(fragment)), GATEWAY);
}

#[test]
fn rfc_090_a_redirect_that_comes_in_changes_nothing() {
    let mut scene = Scene::new();
    let routes = |scene: &mut Scene| scene.ask(Request::RouteShow { filter: RouteFilter::default() }).unwrap();
    let before = routes(&mut scene);
    for code in 0..4 {
        // From the gateway in use, about a packet that went by it: BOB is nearer.
        let quoted = [&BOB.v4.octets()[..], &udp(ON_RIGHT.v4, BEYOND.v4).of(8)].concat();
        let message = [&[5, code, 0, 0][..], &quoted].concat();
        let packet = udp(GATEWAY.v4, ON_RIGHT.v4).protocol(1).with(&with_sum(message));
        let outcome = scene.send(GATEWAY, &packet);
        assert!(outcome.is_silent(), "{code}: {outcome:?}");
    }
    assert_eq!(routes(&mut scene), before);
    let outcome = scene.send(ALICE, &udp(ALICE.v4, BEYOND.v4).of(8));
    assert_only_forwarded(&outcome, GATEWAY);
}

fn with_sum(mut message: Vec<u8>) -> Vec<u8> {
    let sum = packet::checksum::checksum(&message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    message
}
