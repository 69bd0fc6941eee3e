//! Our own addresses: tried before they are used, announced, and defended.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use boundary::{PortId, PuntReason};
use control::{Hardware, HardwareStatus};
use control_api::Link;
use packet::arp::Arp;
use packet::ethernet::{EtherType, Header, MacAddr};
use packet::icmpv6::Between;
use packet::ipv6::Ipv6;
use packet::ndp::{ALL_NODES, Advertisement, Message, Solicitation, solicited_node};

use crate::scene::*;

const INTRUDER: Host = Host { mac: MacAddr([2, 0, 0, 0, 6, 6]), ..ALICE };

/// A scene whose links have just come up.
fn started() -> Scene {
    let mut scene = Scene::new();
    scene.control.announce(scene.now, &mut scene.sent);
    scene
}

/// What left about our addresses, in order: a probe or an announcement, and the address.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Said {
    Probe(IpAddr),
    Announcement(IpAddr),
}

fn said(scene: &mut Scene) -> Vec<Said> {
    let sent = scene.take_sent();
    let mut said: Vec<_> = sent.iter().map(|(port, frame)| meaning(scene.router(*port), frame)).collect();
    said.sort();
    said
}

fn meaning(own: Host, frame: &[u8]) -> Said {
    let (header, payload) = Header::parse(frame).unwrap();
    if header.ether_type == EtherType::ARP {
        assert_eq!(header.destination, MacAddr::BROADCAST);
        assert_eq!(Arp::parse(payload).unwrap(), Arp::request(own.mac, own.v4, own.v4));
        return Said::Announcement(own.v4.into());
    }
    let packet = Ipv6::parse(payload).unwrap();
    assert_eq!(header.destination, MacAddr::of_ipv6_multicast(packet.destination()));
    match Message::parse(&packet).unwrap() {
        Message::Solicitation(Solicitation { target, source_mac: None }) => {
            assert_eq!((packet.source(), packet.destination()), (Ipv6Addr::UNSPECIFIED, solicited_node(target)));
            Said::Probe(target.into())
        }
        Message::Advertisement(told) => {
            assert_eq!((packet.source(), packet.destination()), (told.target, ALL_NODES));
            assert!(!told.solicited && told.overrides && told.router && told.target_mac == Some(own.mac));
            Said::Announcement(told.target.into())
        }
        other => panic!("{other:?}"),
    }
}

/// The IPv6 addresses of both ports.
fn own_v6() -> Vec<IpAddr> {
    [ON_LEFT, ON_RIGHT].into_iter().flat_map(|own| [own.v6, own.mac.link_local()]).map(IpAddr::from).collect()
}

fn sorted(mut said: Vec<Said>) -> Vec<Said> {
    said.sort();
    said
}

fn asks_for_left(scene: &mut Scene) -> usize {
    scene.take_sent();
    let mut asked = Vec::new();
    let between = Between { source: ALICE.v6, destination: solicited_node(ON_LEFT.v6) };
    Solicitation { target: ON_LEFT.v6, source_mac: Some(ALICE.mac) }.append_to(between, &mut asked);
    let group = MacAddr::of_ipv6_multicast(between.destination);
    scene.arrives(LEFT, PuntReason::NeighbourDiscovery, frame(ALICE, group, EtherType::IPV6, &asked));
    scene.take_sent().len()
}

/// Somebody on the left tries the left port's address for himself.
fn is_tried(scene: &mut Scene, nonce: [u8; 6]) {
    let mut probe = Vec::new();
    Solicitation::append_probe(ON_LEFT.v6, nonce, &mut probe);
    let group = MacAddr::of_ipv6_multicast(solicited_node(ON_LEFT.v6));
    scene.arrives(LEFT, PuntReason::NeighbourDiscovery, frame(INTRUDER, group, EtherType::IPV6, &probe));
}

/// Somebody on the left says that he has the left port's address.
fn is_claimed(scene: &mut Scene) {
    let mut claim = Vec::new();
    let told = Advertisement {
        target: ON_LEFT.v6,
        target_mac: Some(INTRUDER.mac),
        router: false,
        solicited: false,
        overrides: true,
    };
    told.append_to(Between { source: ON_LEFT.v6, destination: ALL_NODES }, &mut claim);
    let all = MacAddr::of_ipv6_multicast(ALL_NODES);
    scene.arrives(LEFT, PuntReason::NeighbourDiscovery, frame(INTRUDER, all, EtherType::IPV6, &claim));
}

#[test]
fn an_ipv4_address_is_announced_when_its_link_comes_up_and_once_more_two_seconds_later() {
    let mut scene = started();
    let of_ipv4 = |said: Vec<Said>| -> Vec<Said> {
        let is_ipv4 = |said: &Said| matches!(said, Said::Announcement(IpAddr::V4(_)));
        said.into_iter().filter(is_ipv4).collect()
    };
    let both = || vec![Said::Announcement(ON_LEFT.v4.into()), Said::Announcement(ON_RIGHT.v4.into())];
    assert_eq!(of_ipv4(said(&mut scene)), both(), "RFC 5227 section 3");
    for second in 1..10 {
        scene.pass(SECOND);
        let expected = if second == 2 { both() } else { vec![] };
        assert_eq!(of_ipv4(said(&mut scene)), expected);
    }
}

#[test]
fn an_ipv6_address_is_tried_before_it_is_used_and_then_announced() {
    let mut scene = started();
    scene.take_sent();
    scene.pass(SECOND / 4);
    let probes: Vec<_> = own_v6().into_iter().map(Said::Probe).collect();
    assert_eq!(said(&mut scene), sorted(probes), "RFC 4862 section 5.4.2");
    assert_eq!(asks_for_left(&mut scene), 0, "who asks for it meanwhile gets no answer");
    scene.sends(ALICE, PuntReason::Local, &udp(ALICE.v6, ON_LEFT.v6).echo(8));
    assert_eq!(scene.take_sent(), [], "and it does not listen");
    scene.pass(SECOND);
    let announced = said(&mut scene).into_iter().filter(|said| matches!(said, Said::Announcement(IpAddr::V6(_))));
    assert_eq!(announced.count(), 4, "RFC 4861 section 7.2.6");
    assert_eq!(asks_for_left(&mut scene), 1);
}

#[test]
fn an_address_that_somebody_has_is_not_used_until_he_is_gone_for_a_minute() {
    for conflict in [is_claimed, |scene: &mut Scene| is_tried(scene, [9; 6])] {
        let mut scene = started();
        scene.pass(SECOND / 2);
        conflict(&mut scene);
        scene.pass(5 * SECOND);
        assert_eq!(asks_for_left(&mut scene), 0);
        scene.sends(ALICE, PuntReason::TtlExpired, &udp(ALICE.v6, BOB.v6).hops(1).of(8));
        assert!(scene.take_packets_to(ALICE).is_empty(), "nothing is said as that address");
        for _second in 0..60 {
            scene.pass(SECOND);
        }
        assert_eq!(asks_for_left(&mut scene), 1, "it is tried again");
    }
}

#[test]
fn a_probe_of_ours_that_comes_back_is_no_conflict() {
    let mut scene = started();
    scene.pass(SECOND / 2);
    let sent = scene.take_sent();
    for (port, probe) in sent.into_iter().filter(|(port, _)| *port == LEFT) {
        scene.arrives(port, PuntReason::NeighbourDiscovery, probe);
    }
    scene.pass(SECOND);
    assert_eq!(asks_for_left(&mut scene), 1, "RFC 7527");
    assert_eq!(scene.control.counts().address_conflicts, 0);
}

#[test]
fn an_address_in_use_is_defended_once_in_ten_seconds_and_stays_in_use() {
    let mut scene = started();
    for _second in 0..5 {
        scene.pass(SECOND);
    }
    scene.take_sent();
    let mut defended = 0;
    for _second in 0..30 {
        is_claimed(&mut scene);
        defended += said(&mut scene).len();
        assert_eq!(asks_for_left(&mut scene), 1);
        scene.pass(SECOND);
        // Alice is asked for, too.
        scene.take_sent();
    }
    assert_eq!(defended, 3);
}

#[test]
fn addresses_are_used_at_once_where_nobody_is_to_be_asked() {
    let text = "[[port]]\nname = \"left\"\ndevice = \"net_null0\"\n[port.neighbours]\nduplicate_probes = 0\n";
    let config = control::config::Config::parse("ferry.toml", text).unwrap();
    let links = vec![config.ports()[0].link.clone()];
    let mut scene = Scene::with(control::Setup { links, ..setup() });
    scene.control.announce(scene.now, &mut scene.sent);
    assert_eq!(asks_for_left(&mut scene), 1);
}

#[test]
fn nobody_is_asked_for_as_an_address_that_may_be_another_s() {
    let mut scene = started();
    scene.take_sent();
    scene.sends(ALICE, PuntReason::Unresolved, &udp(ALICE.v6, BOB.v6).of(8));
    assert_eq!(scene.take_sent(), []);
    for _second in 0..2 {
        scene.pass(SECOND);
    }
    assert!(scene.take_questions(BOB) > 0, "but as soon as it is ours");
}

/// A device of the left port whose link is taken away.
#[derive(Clone, Default)]
struct Pulled(Arc<AtomicBool>);

impl Hardware for Pulled {
    fn status(&self, port: PortId) -> HardwareStatus {
        let is_down = port == LEFT && self.0.load(Ordering::Relaxed);
        let link = if is_down { Link::Down } else { Link::Up };
        HardwareStatus { link, driver: "memory".to_owned(), counters: None }
    }
}

#[test]
fn addresses_are_tried_and_announced_again_when_their_link_comes_up_again() {
    let cable = Pulled::default();
    let mut scene = Scene::over(setup(), cable.clone());
    scene.control.announce(scene.now, &mut scene.sent);
    for _second in 0..5 {
        scene.pass(SECOND);
    }
    cable.0.store(true, Ordering::Relaxed);
    scene.pass(SECOND);
    scene.take_sent();
    cable.0.store(false, Ordering::Relaxed);
    for _tenth in 0..6 {
        scene.pass(SECOND / 10);
    }
    let [left, left6] = ON_LEFT.addresses();
    let link_local = ON_LEFT.mac.link_local().into();
    assert_eq!(said(&mut scene), sorted(vec![Said::Announcement(left), Said::Probe(left6), Said::Probe(link_local)]));
}
