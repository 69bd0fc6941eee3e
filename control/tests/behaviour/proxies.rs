//! A port that answers for hosts behind other ports, where it is told to.

use std::net::{Ipv4Addr, Ipv6Addr};

use boundary::PuntReason;
use packet::arp::{Arp, Operation};
use packet::ethernet::{EtherType, Header, MacAddr};
use packet::icmpv6::Between;
use packet::ipv6::Ipv6;
use packet::ndp::{ALL_NODES, Advertisement, Message, Solicitation, solicited_node};

use crate::scene::*;

fn scene(words: &str) -> Scene {
    let text = format!("[[port]]\nname = \"left\"\ndevice = \"net_null0\"\n[port.neighbours]\n{words}\n");
    let config = control::config::Config::parse("ferry.toml", &text).unwrap();
    Scene::with(control::Setup { links: vec![config.ports()[0].link.clone()], ..setup() })
}

fn asks(scene: &mut Scene, sender: Ipv4Addr, target: Ipv4Addr) -> Option<Arp> {
    let mut request = Vec::new();
    Arp::request(ALICE.mac, sender, target).append_to(&mut request);
    scene.arrives(LEFT, PuntReason::Arp, frame(ALICE, MacAddr::BROADCAST, EtherType::ARP, &request));
    let sent = scene.take_sent();
    sent.first().map(|(_, frame)| Arp::parse(Header::parse(frame).unwrap().1).unwrap())
}

fn solicits(scene: &mut Scene, source: Ipv6Addr, target: Ipv6Addr) -> Option<(Ipv6Addr, Advertisement)> {
    let mut request = Vec::new();
    let between = Between { source, destination: solicited_node(target) };
    let source_mac = (!source.is_unspecified()).then_some(ALICE.mac);
    Solicitation { target, source_mac }.append_to(between, &mut request);
    let group = MacAddr::of_ipv6_multicast(between.destination);
    scene.arrives(LEFT, PuntReason::NeighbourDiscovery, frame(ALICE, group, EtherType::IPV6, &request));
    let sent = scene.take_sent();
    sent.first().map(|(_, frame)| {
        let packet = Ipv6::parse(Header::parse(frame).unwrap().1).unwrap();
        match Message::parse(&packet) {
            Ok(Message::Advertisement(told)) => (packet.destination(), told),
            other => panic!("{other:?}"),
        }
    })
}

#[test]
fn a_port_answers_arp_for_hosts_behind_others_only_if_it_is_told_to() {
    assert_eq!(asks(&mut scene("proxy_arp = false"), ALICE.v4, BOB.v4), None);
    let mut scene = scene("proxy_arp = true");
    let answer = asks(&mut scene, ALICE.v4, BOB.v4).unwrap();
    assert_eq!((answer.operation, answer.sender, answer.sender_mac), (Operation::Reply, BOB.v4, ON_LEFT.mac));
    scene.pass(SECOND);
    assert_eq!(scene.station(ALICE.v4.into()), Some(ALICE.mac), "and knows who asked");
    assert_eq!(scene.control.counts().proxied, 1);
}

#[test]
fn nobody_is_answered_for_who_is_not_behind_another_port_or_is_only_being_tried() {
    let mut scene = scene("proxy_arp = true");
    for (whose, sender, target) in [
        ("on the same link", ALICE.v4, Ipv4Addr::new(192, 0, 2, 99)),
        ("nowhere", ALICE.v4, Ipv4Addr::new(203, 0, 113, 1)),
        ("tried (RFC 5227)", Ipv4Addr::UNSPECIFIED, BOB.v4),
        ("announced", BOB.v4, BOB.v4),
    ] {
        assert_eq!(asks(&mut scene, sender, target), None, "{whose}");
    }
}

#[test]
fn a_port_answers_solicitations_for_the_networks_it_is_told_without_authority() {
    let mut scene = scene("proxy_nd = [\"2001:db8:2::/64\"]");
    let (destination, told) = solicits(&mut scene, ALICE.v6, BOB.v6).unwrap();
    assert_eq!((destination, told.target, told.target_mac), (ALICE.v6, BOB.v6, Some(ON_LEFT.mac)));
    assert!(told.solicited && !told.overrides, "RFC 4861 section 7.2.8");
    let (destination, told) = solicits(&mut scene, Ipv6Addr::UNSPECIFIED, BOB.v6).unwrap();
    assert_eq!((destination, told.solicited), (ALL_NODES, false), "nobody else is to take the address");
    assert_eq!(solicits(&mut scene, ALICE.v6, Ipv6Addr::new(0x2001, 0xdb8, 3, 0, 0, 0, 0, 1)), None, "no such network");
    assert_eq!(solicits(&mut scene, ALICE.v6, "2001:db8:1::99".parse().unwrap()), None, "on the same link");
}
