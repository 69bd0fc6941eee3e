//! Questions from the links and what is learnt from them: ARP and IPv6 neighbour discovery, one row per rule.

use std::net::{Ipv4Addr, Ipv6Addr};

use boundary::{NextHop, PuntReason};
use packet::arp::{Arp, Operation};
use packet::ethernet::{EtherType, Header, MacAddr};
use packet::icmpv6::Between;
use packet::ipv6::Ipv6;
use packet::ndp::{ALL_NODES, Advertisement, Message, Solicitation, solicited_node};

use crate::scene::*;

const INTRUDER: MacAddr = MacAddr([2, 0, 0, 0, 6, 6]);

fn arp(scene: &mut Scene, from: Host, message: Arp) {
    let mut bytes = Vec::new();
    message.append_to(&mut bytes);
    scene.arrives(from.port, PuntReason::Arp, frame(from, MacAddr::BROADCAST, EtherType::ARP, &bytes));
    scene.pass(std::time::Duration::ZERO);
}

fn arp_reply(from: Host, to: Host) -> Arp {
    Arp { operation: Operation::Reply, sender_mac: from.mac, sender: from.v4, target_mac: to.mac, target: to.v4 }
}

fn arp_answers(scene: &mut Scene) -> Vec<(MacAddr, Arp)> {
    let sent = scene.take_sent();
    sent.iter()
        .map(|(_, frame)| Header::parse(frame).unwrap())
        .map(|(header, payload)| (header.destination, Arp::parse(payload).unwrap()))
        .collect()
}

#[test]
fn a_request_for_the_port_s_address_is_answered_to_the_asker_alone() {
    let mut scene = Scene::new();
    let request = Arp::request(ALICE.mac, ALICE.v4, ON_LEFT.v4);
    arp(&mut scene, ALICE, request);
    assert_eq!(arp_answers(&mut scene), [(ALICE.mac, request.answered_by(ON_LEFT.mac))]);
    assert_eq!(scene.station(ALICE.v4.into()), Some(ALICE.mac), "and the asker is known by it");
}

#[test]
fn a_request_for_another_s_address_is_left_to_him() {
    let mut scene = Scene::new();
    let others = [("foreign", Ipv4Addr::new(192, 0, 2, 99)), ("another port's: strong host", ON_RIGHT.v4)];
    for (whose, target) in others {
        arp(&mut scene, ALICE, Arp::request(ALICE.mac, ALICE.v4, target));
        assert_eq!(arp_answers(&mut scene), [], "{whose}");
        assert_eq!(scene.fate(ALICE.v4.into()), Some(NextHop::Unresolved), "{whose}");
    }
}

#[test]
fn a_probe_is_answered_and_nobody_is_known_by_it() {
    let mut scene = Scene::new();
    arp(&mut scene, ALICE, Arp::request(ALICE.mac, Ipv4Addr::UNSPECIFIED, ON_LEFT.v4));
    assert_eq!(arp_answers(&mut scene).len(), 1, "RFC 5227 section 2.1.1");
    assert_eq!(scene.fate(ALICE.v4.into()), Some(NextHop::Unresolved));
}

#[test]
fn who_cannot_be_where_he_says_he_is_is_not_believed() {
    let off_link = Host { v4: Ipv4Addr::new(203, 0, 113, 9), ..ALICE };
    let broadcast = Host { v4: Ipv4Addr::new(192, 0, 2, 255), ..ALICE };
    let group = Host { mac: MacAddr([3, 0, 0, 0, 0, 1]), ..ALICE };
    let everybody = Host { mac: MacAddr::BROADCAST, ..ALICE };
    for (claim, who) in [("off the link", off_link), ("a broadcast", broadcast), ("a group", group), ("all", everybody)]
    {
        let mut scene = Scene::new();
        arp(&mut scene, Host { mac: ALICE.mac, ..who }, Arp::request(who.mac, who.v4, ON_LEFT.v4));
        assert_eq!(scene.station(who.v4.into()), None, "{claim}");
        assert_eq!(arp_answers(&mut scene), [], "{claim}");
    }
}

#[test]
fn who_claims_our_address_is_not_believed() {
    let mut scene = Scene::new();
    let claim = Arp::request(INTRUDER, ON_LEFT.v4, ON_LEFT.v4);
    arp(&mut scene, Host { mac: INTRUDER, ..ALICE }, claim);
    assert_eq!(scene.fate(ON_LEFT.v4.into()), Some(NextHop::Local));
    assert_eq!((arp_answers(&mut scene), scene.control.counts().address_conflicts), (vec![], 1));
}

#[test]
fn an_announcement_refreshes_who_is_known_and_enters_nobody() {
    let moved = Host { mac: INTRUDER, ..ALICE };
    let announcement = Arp::request(moved.mac, moved.v4, moved.v4);
    let mut scene = Scene::new();
    arp(&mut scene, moved, announcement);
    assert_eq!(scene.fate(ALICE.v4.into()), Some(NextHop::Unresolved), "nobody knew him");

    let mut scene = Scene::knowing(&[ALICE]);
    arp(&mut scene, moved, announcement);
    assert_eq!(scene.station(ALICE.v4.into()), Some(moved.mac), "RFC 826 merges what it knows already");
}

#[test]
fn a_reply_nobody_asked_for_enters_nobody() {
    let mut scene = Scene::new();
    arp(&mut scene, ALICE, arp_reply(ALICE, ON_LEFT));
    assert_eq!(scene.fate(ALICE.v4.into()), Some(NextHop::Unresolved));
}

#[test]
fn arp_that_is_not_for_ipv4_over_ethernet_is_ignored() {
    let mut scene = Scene::new();
    let mut message = Vec::new();
    Arp::request(ALICE.mac, ALICE.v4, ON_LEFT.v4).append_to(&mut message);
    for broken in 0..8 {
        let mut message = message.clone();
        message[broken] ^= 0x10;
        scene.arrives(LEFT, PuntReason::Arp, frame(ALICE, MacAddr::BROADCAST, EtherType::ARP, &message));
    }
    scene.arrives(LEFT, PuntReason::Arp, frame(ALICE, MacAddr::BROADCAST, EtherType::ARP, &message[..20]));
    assert_eq!(scene.take_sent(), []);
}

/// A solicitation as it comes in: from whom, for what, and where to.
fn solicits(scene: &mut Scene, from: Host, source: Ipv6Addr, asked: Solicitation, destination: Ipv6Addr) {
    let mut packet = Vec::new();
    asked.append_to(Between { source, destination }, &mut packet);
    let to = if destination.is_multicast() { MacAddr::of_ipv6_multicast(destination) } else { ON_LEFT.mac };
    let reason = if destination.is_multicast() { PuntReason::NeighbourDiscovery } else { PuntReason::Local };
    scene.arrives(from.port, reason, frame(from, to, EtherType::IPV6, &packet));
    scene.pass(std::time::Duration::ZERO);
}

fn advertises(scene: &mut Scene, from: Host, told: Advertisement, destination: Ipv6Addr) {
    let mut packet = Vec::new();
    told.append_to(Between { source: from.v6, destination }, &mut packet);
    scene.arrives(from.port, PuntReason::Local, frame(from, ON_LEFT.mac, EtherType::IPV6, &packet));
    scene.pass(std::time::Duration::ZERO);
}

fn advertised(scene: &mut Scene) -> Vec<(MacAddr, Ipv6Addr, Advertisement)> {
    let sent = scene.take_sent();
    sent.iter()
        .map(|(_, frame)| Header::parse(frame).unwrap())
        .map(|(header, payload)| {
            let packet = Ipv6::parse(payload).unwrap();
            match Message::parse(&packet) {
                Ok(Message::Advertisement(told)) => (header.destination, packet.destination(), told),
                other => panic!("{other:?}"),
            }
        })
        .collect()
}

#[test]
fn a_solicitation_for_an_own_address_is_answered_and_the_asker_is_known_by_it() {
    let own = [ON_LEFT.v6, ON_LEFT.mac.link_local()];
    let asked_at = |target| [solicited_node(target), target];
    for (target, destination) in own.into_iter().flat_map(|target| asked_at(target).map(|at| (target, at))) {
        let mut scene = Scene::new();
        solicits(&mut scene, ALICE, ALICE.v6, Solicitation { target, source_mac: Some(ALICE.mac) }, destination);
        let answer =
            Advertisement { target, target_mac: Some(ON_LEFT.mac), router: true, solicited: true, overrides: true };
        assert_eq!(advertised(&mut scene), [(ALICE.mac, ALICE.v6, answer)]);
        assert_eq!(scene.station(ALICE.v6.into()), Some(ALICE.mac));
    }
}

#[test]
fn a_solicitation_that_does_not_say_which_station_asks_is_answered_to_where_it_came_from() {
    let mut scene = Scene::new();
    solicits(&mut scene, ALICE, ALICE.v6, Solicitation { target: ON_LEFT.v6, source_mac: None }, ON_LEFT.v6);
    assert_eq!(advertised(&mut scene)[0].0, ALICE.mac);
    assert_eq!(scene.fate(ALICE.v6.into()), Some(NextHop::Unresolved), "but nobody is known by it");
}

#[test]
fn a_solicitation_for_another_s_address_is_left_to_him() {
    for target in [Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 0x99), ON_RIGHT.v6] {
        let mut scene = Scene::new();
        let asked = Solicitation { target, source_mac: Some(ALICE.mac) };
        solicits(&mut scene, ALICE, ALICE.v6, asked, solicited_node(target));
        assert_eq!(advertised(&mut scene), []);
        assert_eq!(scene.fate(ALICE.v6.into()), Some(NextHop::Unresolved));
    }
}

#[test]
fn a_search_for_duplicates_of_an_own_address_is_answered_to_all() {
    let mut scene = Scene::new();
    let asked = Solicitation { target: ON_LEFT.v6, source_mac: None };
    solicits(&mut scene, ALICE, Ipv6Addr::UNSPECIFIED, asked, solicited_node(ON_LEFT.v6));
    let [(mac, destination, told)] = advertised(&mut scene)[..] else { panic!("one answer") };
    assert_eq!((mac, destination), (MacAddr::of_ipv6_multicast(ALL_NODES), ALL_NODES));
    assert!(!told.solicited && told.overrides);
}

#[test]
fn an_asker_off_the_link_is_neither_believed_nor_answered() {
    let mut scene = Scene::new();
    let elsewhere = Ipv6Addr::new(0x2001, 0xdb8, 9, 0, 0, 0, 0, 9);
    let asked = Solicitation { target: ON_LEFT.v6, source_mac: Some(ALICE.mac) };
    solicits(&mut scene, ALICE, elsewhere, asked, solicited_node(ON_LEFT.v6));
    assert_eq!(scene.take_sent(), []);
}

#[test]
fn a_message_that_may_have_been_routed_here_is_ignored() {
    let mut scene = Scene::new();
    let mut packet = Vec::new();
    let between = Between { source: ALICE.v6, destination: solicited_node(ON_LEFT.v6) };
    Solicitation { target: ON_LEFT.v6, source_mac: Some(ALICE.mac) }.append_to(between, &mut packet);
    packet[7] = 254;
    let group = MacAddr::of_ipv6_multicast(between.destination);
    scene.arrives(LEFT, PuntReason::NeighbourDiscovery, frame(ALICE, group, EtherType::IPV6, &packet));
    assert_eq!(scene.take_sent(), []);
}

#[test]
fn an_advertisement_enters_nobody_and_without_authority_replaces_nobody() {
    let told = |overrides| Advertisement {
        target: ALICE.v6,
        target_mac: Some(INTRUDER),
        router: false,
        solicited: false,
        overrides,
    };
    let mut scene = Scene::new();
    advertises(&mut scene, ALICE, told(true), ALL_NODES);
    assert_eq!(scene.fate(ALICE.v6.into()), Some(NextHop::Unresolved), "nobody knew him");

    let mut scene = Scene::knowing(&[ALICE]);
    advertises(&mut scene, ALICE, told(false), ALL_NODES);
    assert_eq!(scene.station(ALICE.v6.into()), Some(ALICE.mac), "override clear");
    advertises(&mut scene, ALICE, told(true), ALL_NODES);
    assert_eq!(scene.station(ALICE.v6.into()), Some(INTRUDER), "override set");
}

#[test]
fn a_gateway_with_a_link_local_address_is_found_behind_the_port_it_was_given_with() {
    let mut scene = Scene::new();
    let gateway = GATEWAY.mac.link_local();
    let target = control_api::Target::Via { gateway: gateway.into(), dev: Some("right".to_owned()) };
    scene.add_route("2001:db8:9::/48", target);
    let beyond = Ipv6Addr::new(0x2001, 0xdb8, 9, 0, 0, 0, 0, 9);
    scene.sends(ALICE, PuntReason::Unresolved, &udp(ALICE.v6, beyond).of(8));
    let (_, question) = scene.sent.0.last().unwrap();
    let question = Ipv6::parse(&question[14..]).unwrap();
    assert_eq!(question.source(), ON_RIGHT.mac.link_local(), "asked as the link-local address of that port");
    scene.answers(Host { v6: gateway, ..GATEWAY });
    assert_eq!(scene.station(beyond.into()), Some(GATEWAY.mac));
    assert_eq!(scene.take_packets_to(GATEWAY).len(), 1);
}

#[test]
fn the_first_address_of_a_network_is_answered_for_as_any_router_on_the_link_would() {
    let anycast = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 0);
    let mut scene = Scene::new();
    let asked = Solicitation { target: anycast, source_mac: Some(ALICE.mac) };
    solicits(&mut scene, ALICE, ALICE.v6, asked, solicited_node(anycast));
    let [(_, _, told)] = advertised(&mut scene)[..] else { panic!("one answer") };
    assert!(told.solicited && !told.overrides, "RFC 4861 section 7.2.4");
    assert_eq!(scene.fate(anycast.into()), Some(NextHop::Local));
    scene.sends(ALICE, PuntReason::Local, &udp(ALICE.v6, anycast).echo(8));
    assert_eq!(Icmp::read(&scene.take_packets_to(ALICE)[0]).source, std::net::IpAddr::from(anycast));
}

#[test]
fn at_the_start_everybody_is_told_where_our_addresses_are() {
    let mut scene = Scene::new();
    scene.control.announce(scene.now, &mut scene.sent);
    let sent = scene.take_sent();
    assert_eq!(sent.len(), 6, "two addresses and the link-local one of each port");
    for (port, frame) in sent {
        let own = scene.router(port);
        let (header, payload) = Header::parse(&frame).unwrap();
        if header.ether_type == EtherType::ARP {
            assert_eq!(header.destination, MacAddr::BROADCAST);
            assert_eq!(Arp::parse(payload).unwrap(), Arp::request(own.mac, own.v4, own.v4));
        } else {
            let packet = Ipv6::parse(payload).unwrap();
            let Ok(Message::Advertisement(told)) = Message::parse(&packet) else { panic!("an advertisement") };
            assert_eq!((packet.source(), packet.destination()), (told.target, ALL_NODES));
            assert!(!told.solicited && told.overrides && told.target_mac == Some(own.mac));
        }
    }
}
