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

/// The IPv6 packet to BEYOND goes on to the gateway; returns what the host on the right was told meanwhile.
fn told_v6(scene: &mut Scene, destination: std::net::Ipv6Addr) -> Option<(Icmp, u8)> {
    let outcome = scene.send(BOB, &udp(BOB.v6, destination).of(64));
    assert_eq!((outcome.packets_to(GATEWAY).len(), outcome.transmitted), (1, 1), "the packet goes on: {outcome:?}");
    match outcome.packets_to(BOB)[..] {
        [] => None,
        [told] => Some((Icmp::read(told), told[7])),
        _ => panic!("{outcome:?}"),
    }
}

/// A network by the gateway's link-local address.
const BY_LINK_LOCAL: &str = "[[route]]\nto = \"2001:db8:cafe::/48\"\nvia = \"fe80::ff:fe00:2fe\"\ndev = \"right\"";
const IN_IT: std::net::Ipv6Addr = std::net::Ipv6Addr::new(0x2001, 0xdb8, 0xcafe, 0, 0, 0, 0, 1);

/// RFC 4861 section 8.2.
#[test]
fn an_ipv6_host_whose_packets_leave_the_way_they_came_is_told_of_the_gateway_there() {
    let mut scene = Plan::default().port(RIGHT, "redirects = true").and(BY_LINK_LOCAL).open();
    // The gateway is found with the first packet, which the control plane sends on itself.
    let outcome = scene.send(BOB, &udp(BOB.v6, IN_IT).of(64));
    assert_eq!(outcome.packets_to(GATEWAY).len(), 1);
    let [told] = outcome.packets_to(BOB)[..] else { panic!("{outcome:?}") };
    let told = Icmp::read(told);
    let gateway = GATEWAY.mac.link_local();
    assert_eq!((told.kind_and_code, told.source, told.hops), ((137, 0), ON_RIGHT.mac.link_local().into(), 255));
    assert_eq!(told.body[..32], [gateway.octets(), IN_IT.octets()].concat());
    // The next packet is the worker's, and the control plane is shown a copy.
    let (told, _) = told_v6(&mut scene, IN_IT).expect("it is told again");
    assert_eq!(told.body[..32], [gateway.octets(), IN_IT.octets()].concat());
    assert_eq!(told.body[32..40], [&[2, 1][..], &GATEWAY.mac.0].concat(), "with the gateway's station");
    let packet = udp(BOB.v6, IN_IT).of(64);
    assert_eq!(told.body[40..42], [4, u8::try_from(1 + packet.len() / 8).unwrap()]);
    assert_eq!(told.body[56..80], packet[8..32], "quoted from its addresses on: the hop is taken already");
}

#[test]
fn an_ipv6_host_is_told_that_another_is_its_neighbour() {
    let mut scene = telling();
    let (told, hops) = told_v6(&mut scene, GATEWAY.v6).expect("both are on one link");
    assert_eq!((told.kind_and_code, hops), ((137, 0), 255));
    assert_eq!(told.body[..32], [GATEWAY.v6.octets(), GATEWAY.v6.octets()].concat());
}

#[test]
fn an_ipv6_host_is_not_told_what_it_would_not_believe_and_by_default_nothing() {
    assert_eq!(told_v6(&mut telling(), BEYOND.v6), None, "by a gateway whose link-local address is not known");
    assert_eq!(told_v6(&mut Scene::new(), GATEWAY.v6), None, "by default");
    let stranger = udp(std::net::Ipv6Addr::new(0x2001, 0xdb8, 9, 0, 0, 0, 0, 9), GATEWAY.v6).of(8);
    assert!(telling().send(BOB, &stranger).packets_to(BOB).is_empty(), "whose source is not on the link");
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
