//! C. Addresses: what no router passes on, and what it passes on only where it is told to.

use boundary::{DropReason, PortId};
use packet::arp::Arp;
use packet::ethernet::Header;
use simulation::{ALICE, BOB, Host, LEFT, Outcome, Plan, RIGHT, Scene, ip, udp};

/// Alice sends from any address at all.
fn from(source: &str) -> Outcome {
    Scene::new().send(ALICE, &udp(ip(source), BOB.v4).of(8))
}

/// Alice sends to any address at all.
fn to(destination: &str) -> Outcome {
    Scene::new().send(ALICE, &udp(ALICE.v4, ip(destination)).of(8))
}

#[test]
fn rfc_023_a_source_in_network_zero_is_dropped() {
    for source in ["0.0.0.0", "0.1.2.3", "0.255.255.255"] {
        assert_eq!(from(source).dropped(), Some(DropReason::MartianSource), "{source}");
    }
}

#[test]
fn rfc_024_a_loopback_source_is_dropped() {
    for source in ["127.0.0.1", "127.255.255.255"] {
        assert_eq!(from(source).dropped(), Some(DropReason::MartianSource), "{source}");
    }
}

#[test]
fn rfc_025_a_group_or_everybody_as_source_is_dropped_in_silence() {
    for source in ["224.0.0.5", "239.255.255.255", "255.255.255.255"] {
        assert_eq!(from(source).dropped(), Some(DropReason::MartianSource), "{source}");
    }
}

#[test]
fn rfc_026_a_source_of_class_e_is_dropped_unless_the_port_is_told_otherwise() {
    assert_eq!(from("240.0.0.1").dropped(), Some(DropReason::MartianSource));
    let mut scene = Plan::default().port(LEFT, "class_e = true").open();
    let outcome = scene.send(ALICE, &udp(ip("240.0.0.1"), BOB.v4).of(8));
    assert_eq!(outcome.packets_to(BOB).len(), 1);
}

#[test]
fn rfc_027_link_local_addresses_are_not_forwarded_whatever_the_time_to_live() {
    for ttl in [1, 2, 64, 255] {
        let source = Scene::new().send(ALICE, &udp(ip("169.254.1.1"), BOB.v4).hops(ttl).of(8));
        assert_eq!(source.dropped(), Some(DropReason::LinkLocal), "{ttl}");
        let destination = Scene::new().send(ALICE, &udp(ALICE.v4, ip("169.254.1.1")).hops(ttl).of(8));
        assert_eq!(destination.dropped(), Some(DropReason::LinkLocal), "{ttl}");
    }
}

#[test]
fn rfc_028_the_broadcast_of_a_link_as_source_is_told_nothing_and_dropped_where_the_way_back_is_looked_at() {
    let spoofed = udp(ip("198.51.100.255"), BOB.v4).hops(1).of(8);
    assert!(Scene::new().send(ALICE, &spoofed).is_silent());
    for reverse_path in ["loose", "strict"] {
        let mut scene = Plan::default().port(LEFT, &format!("reverse_path = \"{reverse_path}\"")).open();
        for broadcast in ["192.0.2.255", "198.51.100.255"] {
            let outcome = scene.send(ALICE, &udp(ip(broadcast), BOB.v4).of(8));
            assert_eq!(outcome.dropped(), Some(DropReason::ReversePath), "{broadcast}");
        }
    }
}

#[test]
fn rfc_029_one_of_our_own_addresses_as_source_is_dropped_as_spoofed_where_the_way_back_is_looked_at() {
    let mut scene = Plan::default().port(LEFT, "reverse_path = \"loose\"").open();
    for (ours, to) in
        [("192.0.2.1", BOB.v4.into()), ("198.51.100.1", BOB.v4.into()), ("2001:db8:2::1", ip("2001:db8:2::20"))]
    {
        let outcome = scene.send(ALICE, &udp(ip(ours), to).of(8));
        assert_eq!(outcome.dropped(), Some(DropReason::SpoofedSource), "{ours}");
    }
}

#[test]
fn rfc_030_network_zero_and_loopback_are_no_destinations() {
    for destination in ["0.0.0.0", "0.1.2.3", "127.0.0.1"] {
        assert_eq!(to(destination).dropped(), Some(DropReason::MartianDestination), "{destination}");
    }
}

#[test]
fn rfc_031_a_destination_of_class_e_is_dropped_unless_the_port_is_told_otherwise() {
    assert_eq!(to("240.0.0.1").dropped(), Some(DropReason::MartianDestination));
    let open = Plan::default().port(LEFT, "class_e = true");
    let packet = udp(ALICE.v4, ip("240.0.0.1"));
    let told = open.clone().open().send(ALICE, &packet.of(8)).icmp_to(ALICE);
    assert_eq!(told.kind_and_code, (3, 0), "looked up as any other");
    let mut scene = open.and("[[route]]\nto = \"240.0.0.0/8\"\nvia = \"198.51.100.20\"").open();
    assert_eq!(scene.send(ALICE, &packet.of(8)).packet_to(BOB), packet.hops(63).of(8), "and forwarded as any other");
}

#[test]
fn rfc_032_the_limited_broadcast_is_never_forwarded() {
    assert_eq!(to("255.255.255.255").dropped(), Some(DropReason::Broadcast));
    let mut scene = Plan::default().port(LEFT, "class_e = true").port(RIGHT, "directed_broadcast = true").open();
    let outcome = scene.send(ALICE, &udp(ALICE.v4, ip("255.255.255.255")).of(8));
    assert_eq!(outcome.dropped(), Some(DropReason::Broadcast), "whatever the ports are told");
}

#[test]
fn rfc_033_a_group_is_never_forwarded() {
    for group in ["224.0.0.1", "224.0.1.1", "239.1.2.3"] {
        assert_eq!(to(group).dropped(), Some(DropReason::Multicast), "{group}");
    }
}

#[test]
fn rfc_034_a_network_s_own_address_is_dropped_in_silence() {
    for nobody in ["192.0.2.0", "198.51.100.0"] {
        assert_eq!(to(nobody).dropped(), Some(DropReason::Blackhole), "{nobody}");
    }
}

#[test]
fn rfc_035_a_directed_broadcast_passes_only_out_of_a_port_that_is_told_so() {
    assert_eq!(to("198.51.100.255").dropped(), Some(DropReason::Blackhole));
    let mut scene = Plan::default().port(RIGHT, "directed_broadcast = true").open();
    let outcome = scene.send(ALICE, &udp(ALICE.v4, ip("198.51.100.255")).of(8));
    let everybody = Host { mac: packet::ethernet::MacAddr::BROADCAST, ..BOB };
    assert_eq!(outcome.packet_to(everybody), udp(ALICE.v4, ip("198.51.100.255")).hops(63).of(8));
    assert_eq!(scene.send(ALICE, &udp(ALICE.v4, ip("192.0.2.255")).of(8)).dropped(), Some(DropReason::Blackhole));
}

#[test]
fn rfc_037_a_packet_from_an_address_to_itself_is_forwarded() {
    let outcome = Scene::new().send(ALICE, &udp(BOB.v4, BOB.v4).of(8));
    assert_eq!(outcome.packets_to(BOB).len(), 1);
}

/// A link of two: neither address stands for the network or for everybody (RFC 3021).
#[test]
fn rfc_036_on_a_link_of_two_both_addresses_are_hosts() {
    const ONE: PortId = PortId(2);
    for (own, other) in [("203.0.114.0", "203.0.114.1"), ("203.0.114.1", "203.0.114.0")] {
        let port = format!("[[port]]\nname = \"pair\"\ndevice = \"net_null2\"\naddresses = [\"{own}/31\"]\n");
        let mut scene = Scene::with(&port);
        let reply = scene.send(ALICE, &udp(ALICE.v4, ip(own)).echo(8)).icmp_to(ALICE);
        assert_eq!((reply.kind_and_code, reply.source), ((0, 0), ip(own)), "ours answers");
        let outcome = scene.send(ALICE, &udp(ALICE.v4, ip(other)).of(8));
        let [(ONE, asks)] = &outcome.sent[..] else { panic!("{outcome:?}") };
        let (_, question) = Header::parse(asks).unwrap();
        assert_eq!(Arp::parse(question).unwrap().target, ip(other), "the other's station is asked for");
    }
}
