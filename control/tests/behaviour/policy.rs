//! What a port's policy leaves to the control thread: telling the sender, and broadcasts on a link.

use std::net::{IpAddr, Ipv4Addr};

use boundary::{NextHop, PuntReason};
use packet::ethernet::MacAddr;

use crate::scene::*;

#[test]
fn rfc_073_what_a_filter_rejects_is_reported_as_prohibited() {
    for (source, destination, kind_and_code) in
        [(IpAddr::from(ALICE.v4), IpAddr::from(BOB.v4), (3, 13)), (ALICE.v6.into(), BOB.v6.into(), (1, 1))]
    {
        let mut scene = Scene::knowing(&[ALICE, BOB]);
        let packet = udp(source, destination).of(8);
        scene.sends(ALICE, PuntReason::Rejected, &packet);
        let told: Vec<_> = scene.take_packets_to(ALICE).iter().map(|packet| Icmp::read(packet)).collect();
        assert_eq!(told.len(), 1);
        assert_eq!((told[0].kind_and_code(), &told[0].body), (kind_and_code, &packet));
        assert!(scene.take_packets_to(BOB).is_empty(), "and it goes no further");
    }
}

#[test]
fn rfc_076_a_rejected_packet_to_a_broadcast_is_reported_to_nobody() {
    let mut scene = Scene::knowing(&[ALICE]);
    for broadcast in [ip("198.51.100.255"), ip("192.0.2.255")] {
        scene.sends(ALICE, PuntReason::Rejected, &udp(ALICE.v4, broadcast).of(8));
        assert_eq!(scene.take_sent(), [], "{broadcast}");
    }
}

const BROADCAST: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 255);

#[test]
fn rfc_035_a_directed_broadcast_is_dropped_unless_its_port_is_told_to_pass_it() {
    let mut scene = Scene::new();
    assert_eq!(scene.fate(BROADCAST.into()), Some(NextHop::Blackhole));

    let mut setup = setup();
    setup.ports[RIGHT.index()].directed_broadcast = true;
    let mut scene = Scene::with(setup);
    assert_eq!(scene.station(BROADCAST.into()), Some(MacAddr::BROADCAST), "all stations have it");
    assert_eq!(scene.fate(ip("192.0.2.255")), Some(NextHop::Blackhole), "on that port's link alone");
}

#[test]
fn rfc_034_the_address_of_a_network_itself_is_no_host_s_even_where_its_broadcast_passes() {
    let mut setup = setup();
    setup.ports[RIGHT.index()].directed_broadcast = true;
    for setup in [crate::scene::setup(), setup] {
        let mut scene = Scene::with(setup);
        assert_eq!(scene.fate(ip("198.51.100.0")), Some(NextHop::Blackhole));
    }
}

#[test]
fn no_error_is_sent_about_a_directed_broadcast_that_passes() {
    let mut setup = setup();
    setup.ports[RIGHT.index()].directed_broadcast = true;
    let mut scene = Scene::with(setup);
    scene.introduce(ALICE);
    scene.sends(ALICE, PuntReason::TtlExpired, &udp(ALICE.v4, BROADCAST).hops(1).of(8));
    scene.sends(ALICE, PuntReason::TooBig, &udp(ALICE.v4, BROADCAST).dont_fragment().of(1381));
    assert!(scene.take_packets_to(ALICE).is_empty());
}
