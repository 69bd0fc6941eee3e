//! Questions from the links and what is learnt from them: ARP and IPv6 neighbour discovery, one row per rule.

use std::net::{Ipv4Addr, Ipv6Addr};

use boundary::{NextHop, PuntReason};
use control_api::{NeighbourState, Reply, Request};
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
fn rfc_093_a_request_for_the_port_s_address_is_answered_to_the_asker_alone() {
    let mut scene = Scene::new();
    let request = Arp::request(ALICE.mac, ALICE.v4, ON_LEFT.v4);
    arp(&mut scene, ALICE, request);
    assert_eq!(arp_answers(&mut scene), [(ALICE.mac, request.answered_by(ON_LEFT.mac))]);
    assert_eq!(scene.station(ALICE.v4.into()), Some(ALICE.mac), "and the asker is known by it");
}

#[test]
fn rfc_094_a_request_for_another_port_s_address_is_left_alone() {
    let mut scene = Scene::new();
    arp(&mut scene, ALICE, Arp::request(ALICE.mac, ALICE.v4, ON_RIGHT.v4));
    assert_eq!(arp_answers(&mut scene), [], "a strong host, as `ports` says");
}

#[test]
fn rfc_095_a_request_for_another_s_address_is_left_to_him() {
    let mut scene = Scene::new();
    arp(&mut scene, ALICE, Arp::request(ALICE.mac, ALICE.v4, Ipv4Addr::new(192, 0, 2, 99)));
    assert_eq!(arp_answers(&mut scene), []);
    assert_eq!(scene.fate(ALICE.v4.into()), Some(NextHop::Unresolved(LEFT)));
}

#[test]
fn rfc_096_a_probe_is_answered_and_nobody_is_known_by_it() {
    let mut scene = Scene::new();
    arp(&mut scene, ALICE, Arp::request(ALICE.mac, Ipv4Addr::UNSPECIFIED, ON_LEFT.v4));
    assert_eq!(arp_answers(&mut scene).len(), 1, "RFC 5227 section 2.1.1");
    assert_eq!(scene.fate(ALICE.v4.into()), Some(NextHop::Unresolved(LEFT)));
}

#[test]
fn rfc_097_a_group_of_stations_is_not_believed_to_have_an_address() {
    for (claim, mac) in [("a group", MacAddr([3, 0, 0, 0, 0, 1])), ("all", MacAddr::BROADCAST), ("none", MacAddr::ZERO)]
    {
        let mut scene = Scene::new();
        arp(&mut scene, ALICE, Arp::request(mac, ALICE.v4, ON_LEFT.v4));
        assert_eq!((scene.station(ALICE.v4.into()), arp_answers(&mut scene)), (None, vec![]), "{claim}");
        let mut scene = Scene::knowing(&[ALICE]);
        arp(&mut scene, ALICE, Arp { sender_mac: mac, ..arp_reply(ALICE, ON_LEFT) });
        assert_eq!(scene.station(ALICE.v4.into()), Some(ALICE.mac), "{claim}, in a reply");
    }
}

#[test]
fn rfc_099_who_cannot_be_where_he_says_he_is_is_not_believed() {
    let off_link = Host { v4: Ipv4Addr::new(203, 0, 113, 9), ..ALICE };
    let broadcast = Host { v4: Ipv4Addr::new(192, 0, 2, 255), ..ALICE };
    for (claim, who) in [("off the link", off_link), ("a broadcast", broadcast)] {
        let mut scene = Scene::new();
        arp(&mut scene, who, Arp::request(who.mac, who.v4, ON_LEFT.v4));
        assert_eq!(scene.station(who.v4.into()), None, "{claim}");
        assert_eq!(arp_answers(&mut scene), [], "{claim}");
    }
}

#[test]
fn rfc_098_who_claims_our_address_is_not_believed_and_the_address_is_defended() {
    let mut scene = Scene::new();
    let claim = Arp::request(INTRUDER, ON_LEFT.v4, ON_LEFT.v4);
    let defence = (MacAddr::BROADCAST, Arp::request(ON_LEFT.mac, ON_LEFT.v4, ON_LEFT.v4));
    for second in 0..21 {
        arp(&mut scene, Host { mac: INTRUDER, ..ALICE }, claim);
        assert_eq!(scene.fate(ON_LEFT.v4.into()), Some(NextHop::Local));
        let expected = if second % 10 == 0 { vec![defence] } else { vec![] };
        assert_eq!(arp_answers(&mut scene), expected, "once in ten seconds (RFC 5227 section 2.4 c)");
        scene.pass(SECOND);
    }
    assert_eq!(scene.control.counts().address_conflicts, 21);
    arp(&mut scene, ALICE, Arp::request(ON_LEFT.mac, ON_LEFT.v4, ON_LEFT.v4));
    assert_eq!(scene.control.counts().address_conflicts, 21, "our own announcement, come back, is none");
}

#[test]
fn rfc_100_an_announcement_refreshes_who_is_known_and_enters_nobody() {
    let moved = Host { mac: INTRUDER, ..ALICE };
    let announcement = Arp::request(moved.mac, moved.v4, moved.v4);
    let mut scene = Scene::new();
    arp(&mut scene, moved, announcement);
    assert_eq!(scene.fate(ALICE.v4.into()), Some(NextHop::Unresolved(LEFT)), "nobody knew him");

    let mut scene = Scene::knowing(&[ALICE]);
    arp(&mut scene, moved, announcement);
    assert_eq!(scene.station(ALICE.v4.into()), Some(moved.mac), "RFC 826 merges what it knows already");
}

#[test]
fn rfc_100_a_reply_nobody_asked_for_enters_nobody() {
    let mut scene = Scene::new();
    arp(&mut scene, ALICE, arp_reply(ALICE, ON_LEFT));
    assert_eq!(scene.fate(ALICE.v4.into()), Some(NextHop::Unresolved(LEFT)));
}

#[test]
fn rfc_101_arp_that_is_not_for_ipv4_over_ethernet_is_ignored() {
    let mut scene = Scene::new();
    let mut message = Vec::new();
    Arp::request(ALICE.mac, ALICE.v4, ON_LEFT.v4).append_to(&mut message);
    for broken in 0..8 {
        let mut message = message.clone();
        message[broken] ^= 0x10;
        scene.arrives(LEFT, PuntReason::Arp, frame(ALICE, MacAddr::BROADCAST, EtherType::ARP, &message));
    }
    scene.arrives(LEFT, PuntReason::Arp, frame(ALICE, MacAddr::BROADCAST, EtherType::ARP, &message[..20]));
    scene.pass(std::time::Duration::ZERO);
    assert_eq!(scene.take_sent(), []);
    assert_eq!(scene.fate(ALICE.v4.into()), Some(NextHop::Unresolved(LEFT)), "nor is anybody known by it");
    scene.arrives(LEFT, PuntReason::Arp, frame(ALICE, MacAddr::BROADCAST, EtherType::ARP, &message));
    assert_eq!(arp_answers(&mut scene).len(), 1, "an unbroken one is answered");
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
fn rfc_150_a_solicitation_for_an_own_address_is_answered_and_the_asker_is_known_by_it() {
    let own = [ON_LEFT.v6, ON_LEFT.mac.link_local()];
    let asked_at = |target| [solicited_node(target), target];
    for (target, destination) in own.into_iter().flat_map(|target| asked_at(target).map(|at| (target, at))) {
        let mut scene = Scene::new();
        solicits(&mut scene, ALICE, ALICE.v6, Solicitation { target, source_mac: Some(ALICE.mac) }, destination);
        let answer =
            Advertisement { target, target_mac: Some(ON_LEFT.mac), router: true, solicited: true, overrides: true };
        assert_eq!(advertised(&mut scene), [(ALICE.mac, ALICE.v6, answer)]);
        assert_eq!(scene.station(ALICE.v6.into()), Some(ALICE.mac));
        let known = scene.ask(Request::NeighShow { dev: None });
        let Ok(Reply::Neighbours(known)) = known else { panic!("{known:?}") };
        assert_eq!(known[0].state, NeighbourState::Stale, "he said it himself, and has not answered");
    }
}

#[test]
fn a_solicitation_that_does_not_say_which_station_asks_is_answered_to_where_it_came_from() {
    let mut scene = Scene::new();
    solicits(&mut scene, ALICE, ALICE.v6, Solicitation { target: ON_LEFT.v6, source_mac: None }, ON_LEFT.v6);
    assert_eq!(advertised(&mut scene)[0].0, ALICE.mac);
    assert_eq!(scene.fate(ALICE.v6.into()), Some(NextHop::Unresolved(LEFT)), "but nobody is known by it");
}

#[test]
fn rfc_148_a_solicitation_for_another_s_address_is_left_to_him() {
    for target in [Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 0x99), ON_RIGHT.v6] {
        let mut scene = Scene::new();
        let asked = Solicitation { target, source_mac: Some(ALICE.mac) };
        solicits(&mut scene, ALICE, ALICE.v6, asked, solicited_node(target));
        assert_eq!(advertised(&mut scene), []);
        assert_eq!(scene.fate(ALICE.v6.into()), Some(NextHop::Unresolved(LEFT)));
    }
}

#[test]
fn rfc_149_a_search_for_duplicates_of_an_own_address_is_answered_to_all() {
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
fn rfc_143_a_message_that_may_have_been_routed_here_is_ignored() {
    no_solicitation_is_heard(&[("hop limit 254", |p| p[7] = 254), ("hop limit 1", |p| p[7] = 1)]);
}

#[test]
fn rfc_152_an_advertisement_enters_nobody_and_without_authority_replaces_nobody() {
    let told = |overrides| Advertisement {
        target: ALICE.v6,
        target_mac: Some(INTRUDER),
        router: false,
        solicited: false,
        overrides,
    };
    let mut scene = Scene::new();
    advertises(&mut scene, ALICE, told(true), ALL_NODES);
    assert_eq!(scene.fate(ALICE.v6.into()), Some(NextHop::Unresolved(LEFT)), "nobody knew him");

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
fn rfc_139_the_first_address_of_a_network_is_answered_for_as_any_router_on_the_link_would() {
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

/// A solicitation of ALICE for the left port's address, byte by byte: the IPv6 header, ICMPv6 and its options.
fn plain_solicitation() -> Vec<u8> {
    let mut packet = Vec::new();
    let between = Between { source: ALICE.v6, destination: solicited_node(ON_LEFT.v6) };
    Solicitation { target: ON_LEFT.v6, source_mac: Some(ALICE.mac) }.append_to(between, &mut packet);
    packet
}

fn plain_advertisement() -> Vec<u8> {
    let mut packet = Vec::new();
    let between = Between { source: ALICE.v6, destination: ON_LEFT.v6 };
    let told =
        Advertisement { target: ALICE.v6, target_mac: Some(INTRUDER), router: false, solicited: true, overrides: true };
    told.append_to(between, &mut packet);
    packet
}

/// Breaks a message with `change`, puts its lengths and checksum right, and lets it arrive.
fn arrives_changed(scene: &mut Scene, mut packet: Vec<u8>, change: impl FnOnce(&mut Vec<u8>)) {
    change(&mut packet);
    let payload = u16::try_from(packet.len() - 40).unwrap();
    packet[4..6].copy_from_slice(&payload.to_be_bytes());
    if packet[6] == 58 {
        resum(&mut packet);
    }
    arrives_as_it_is(scene, &packet);
}

fn arrives_as_it_is(scene: &mut Scene, packet: &[u8]) {
    let destination = Ipv6::parse(packet).unwrap().destination();
    let to = if destination.is_multicast() { MacAddr::of_ipv6_multicast(destination) } else { ON_LEFT.mac };
    let reason = if destination.is_multicast() { PuntReason::NeighbourDiscovery } else { PuntReason::Local };
    scene.arrives(LEFT, reason, frame(ALICE, to, EtherType::IPV6, packet));
    scene.pass(std::time::Duration::ZERO);
}

fn resum(packet: &mut [u8]) {
    packet[42..44].fill(0);
    let (source, destination) = (ipv6_at(packet, 8), ipv6_at(packet, 24));
    let len = u32::try_from(packet.len() - 40).unwrap();
    let sum = packet::checksum::Sum::pseudo_ipv6(source, destination, 58, len).bytes(&packet[40..]).checksum();
    packet[42..44].copy_from_slice(&sum.to_be_bytes());
}

fn ipv6_at(packet: &[u8], at: usize) -> Ipv6Addr {
    Ipv6Addr::from_octets(packet[at..at + 16].try_into().unwrap())
}

fn set_source(packet: &mut [u8], source: Ipv6Addr) {
    packet[8..24].copy_from_slice(&source.octets());
}

fn set_destination(packet: &mut [u8], destination: Ipv6Addr) {
    packet[24..40].copy_from_slice(&destination.octets());
}

/// What breaks a message, by the rule it breaks.
type Broken = (&'static str, fn(&mut Vec<u8>));

/// Each of these solicitations is neither answered nor is anything learnt from it.
fn no_solicitation_is_heard(broken: &[Broken]) {
    for (rule, change) in broken {
        let mut scene = Scene::new();
        arrives_changed(&mut scene, plain_solicitation(), change);
        assert_eq!(scene.take_sent(), [], "{rule}");
        assert_eq!(scene.fate(ALICE.v6.into()), Some(NextHop::Unresolved(LEFT)), "{rule}");
    }
    let mut scene = Scene::new();
    arrives_changed(&mut scene, plain_solicitation(), |_unbroken| {});
    assert_eq!(advertised(&mut scene).len(), 1, "an unbroken one is");
}

#[test]
fn rfc_144_a_solicitation_that_is_damaged_short_or_of_another_code_is_ignored() {
    no_solicitation_is_heard(&[("code 1", |p| p[41] = 1), ("23 bytes", |p| p.truncate(40 + 23))]);
    let mut damaged = plain_solicitation();
    damaged[43] ^= 1;
    let mut scene = Scene::new();
    arrives_as_it_is(&mut scene, &damaged);
    assert_eq!(scene.take_sent(), [], "checksum");
}

#[test]
fn rfc_145_a_solicitation_for_a_group_is_ignored() {
    no_solicitation_is_heard(&[("target ff02::1", |p| p[48..64].copy_from_slice(&ALL_NODES.octets()))]);
}

#[test]
fn rfc_146_a_message_with_an_option_of_no_length_is_ignored_whole() {
    no_solicitation_is_heard(&[
        ("the first option", |p| p[65] = 0),
        ("a later one", |p| p.extend([14, 0, 0, 0, 0, 0, 0, 0])),
        ("longer than the message", |p| p[65] = 2),
    ]);
}

#[test]
fn rfc_147_a_solicitation_from_nobody_that_is_no_search_for_duplicates_is_ignored() {
    no_solicitation_is_heard(&[
        ("says which station", |p| set_source(p, Ipv6Addr::UNSPECIFIED)),
        ("to the address itself", |p| {
            set_source(p, Ipv6Addr::UNSPECIFIED);
            set_destination(p, ON_LEFT.v6);
            p.truncate(40 + 24);
        }),
    ]);
}

/// RFC 4861 section 7.1.2.
#[test]
fn rfc_151_an_advertisement_that_breaks_a_rule_changes_nothing() {
    let broken: [Broken; 7] = [
        ("hop limit", |p| p[7] = 254),
        ("code", |p| p[41] = 1),
        ("24 bytes", |p| p.truncate(40 + 23)),
        ("target a group", |p| p[48..64].copy_from_slice(&ALL_NODES.octets())),
        ("solicited, to a group", |p| set_destination(p, ALL_NODES)),
        ("option without a length", |p| p[65] = 0),
        ("a second option without one", |p| p.extend([14, 0, 0, 0, 0, 0, 0, 0])),
    ];
    for (rule, change) in broken {
        let mut scene = Scene::knowing(&[ALICE]);
        arrives_changed(&mut scene, plain_advertisement(), change);
        assert_eq!(scene.station(ALICE.v6.into()), Some(ALICE.mac), "{rule}");
    }
    let mut scene = Scene::knowing(&[ALICE]);
    let mut damaged = plain_advertisement();
    damaged[43] ^= 1;
    arrives_as_it_is(&mut scene, &damaged);
    assert_eq!(scene.station(ALICE.v6.into()), Some(ALICE.mac), "checksum");
    arrives_changed(&mut scene, plain_advertisement(), |_unbroken| {});
    assert_eq!(scene.station(ALICE.v6.into()), Some(INTRUDER), "an unbroken one does");
}

#[test]
fn rfc_153_another_station_without_authority_makes_a_reachable_neighbour_stale_and_no_more() {
    let mut scene = Scene::new();
    scene.sends(ALICE, PuntReason::Unresolved, &udp(ALICE.v6, BOB.v6).of(8));
    scene.answers(BOB);
    let state = |scene: &mut Scene| match scene.ask(Request::NeighShow { dev: Some("right".to_owned()) }) {
        Ok(Reply::Neighbours(all)) => all.iter().map(|one| (one.lladdr, one.state)).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    assert_eq!(state(&mut scene), [(Some(BOB.mac), NeighbourState::Reachable)]);
    let told =
        Advertisement { target: BOB.v6, target_mac: Some(INTRUDER), router: false, solicited: true, overrides: false };
    let mut packet = Vec::new();
    told.append_to(Between { source: BOB.v6, destination: ON_RIGHT.v6 }, &mut packet);
    scene.arrives(RIGHT, PuntReason::Local, frame(BOB, ON_RIGHT.mac, EtherType::IPV6, &packet));
    assert_eq!(state(&mut scene), [(Some(BOB.mac), NeighbourState::Stale)]);
    assert_eq!(scene.station(BOB.v6.into()), Some(BOB.mac));
}

#[test]
fn rfc_155_neighbour_discovery_in_fragments_is_ignored() {
    // A fragment header that says that it is all of it: an atomic fragment is one, too (RFC 6980 section 5).
    let in_fragments = |packet: &mut Vec<u8>| {
        packet[6] = 44;
        packet.splice(40..40, [58, 0, 0, 0, 0, 0, 0, 1]);
    };
    let mut scene = Scene::new();
    arrives_changed(&mut scene, plain_solicitation(), in_fragments);
    assert_eq!(scene.take_sent(), []);
    assert_eq!(scene.fate(ALICE.v6.into()), Some(NextHop::Unresolved(LEFT)));

    for kind in [133, 134, 137] {
        let mut scene = Scene::knowing(&[ALICE]);
        arrives_changed(&mut scene, plain_solicitation(), |packet| {
            packet[40] = kind;
            resum(packet);
            in_fragments(packet);
        });
        assert_eq!(scene.take_sent(), [], "kind {kind}");
    }
    let mut scene = Scene::knowing(&[ALICE]);
    arrives_changed(&mut scene, plain_advertisement(), in_fragments);
    assert_eq!(scene.station(ALICE.v6.into()), Some(ALICE.mac));
}

#[test]
fn options_that_nobody_knows_here_are_passed_over() {
    let mut scene = Scene::new();
    // A nonce (RFC 3971), and one of a kind that nobody has been given.
    let more: &[u8] = &[14, 1, 1, 2, 3, 4, 5, 6, 253, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    arrives_changed(&mut scene, plain_solicitation(), |packet| packet.extend(more));
    assert_eq!(advertised(&mut scene).len(), 1);
    assert_eq!(scene.station(ALICE.v6.into()), Some(ALICE.mac));
}
