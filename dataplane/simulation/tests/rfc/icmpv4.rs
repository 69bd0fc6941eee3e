//! G. ICMPv4.

use boundary::DropReason;
use packet::checksum::checksum;
use packet::ethernet::{EtherType, MacAddr};
use simulation::{
    ALICE, BEYOND, BOB, GATEWAY, Host, Icmp, LEFT, NOWHERE, ON_LEFT, ON_RIGHT, Plan, RIGHT, Scene, Sketch, frame, ip,
    udp, with_right_checksum,
};

/// A packet that something is to be told about, were it not for what it is.
fn nowhere() -> Sketch {
    udp(ALICE.v4, NOWHERE.v4)
}

/// Nothing at all comes of this packet.
fn assert_nothing_is_told(packet: &[u8], what: &str) {
    let outcome = Scene::new().send(ALICE, packet);
    assert!(outcome.is_silent() && outcome.transmitted == 0, "{what}: {outcome:?}");
}

#[test]
fn rfc_070_without_a_route_the_network_is_unreachable() {
    let told = Scene::new().send(ALICE, &nowhere().of(8)).icmp_to(ALICE);
    assert_eq!((told.kind_and_code, told.word), ((3, 0), 0));
}

// holds DP-14
#[test]
fn rfc_075_nothing_is_told_about_an_error() {
    for kind in [3, 4, 5, 11, 12] {
        assert_nothing_is_told(&nowhere().icmp(kind, 0, 28), "no route");
        assert_nothing_is_told(&nowhere().hops(1).icmp(kind, 0, 28), "no time");
    }
}

// holds DP-14
#[test]
fn rfc_076_nothing_is_told_about_a_packet_to_many() {
    for many in ["224.0.0.1", "239.255.0.1", "255.255.255.255", "198.51.100.255", "192.0.2.255"] {
        for hops in [1, 64] {
            assert_nothing_is_told(&udp(ALICE.v4, ip(many)).hops(hops).of(8), many);
        }
    }
}

#[test]
fn rfc_077_nothing_is_told_about_a_packet_in_a_frame_to_many() {
    for station in [MacAddr::BROADCAST, MacAddr([1, 0, 0x5e, 0, 0, 1])] {
        let outcome = Scene::new().send_frame(LEFT, frame(ALICE.mac, station, EtherType::IPV4, &nowhere().of(8)));
        assert_eq!(outcome.dropped(), Some(DropReason::LinkBroadcast));
    }
}

#[test]
fn rfc_078_nothing_is_told_to_a_source_that_is_no_single_host() {
    for source in ["0.0.0.0", "0.1.2.3", "224.0.0.5", "255.255.255.255", "192.0.2.255", "127.0.0.1", "240.0.0.1"] {
        assert_nothing_is_told(&udp(ip(source), NOWHERE.v4).of(8), source);
        assert_nothing_is_told(&udp(ip(source), BOB.v4).hops(1).of(8), source);
    }
}

#[test]
fn rfc_079_nothing_is_told_about_a_header_that_is_wrong() {
    let mut wrong_sum = nowhere().of(8);
    wrong_sum[10] ^= 1;
    assert_nothing_is_told(&wrong_sum, "checksum");
    for (what, at, byte) in [("version", 0, 0x55), ("header length", 0, 0x44), ("total length", 3, 19)] {
        let mut packet = nowhere().of(8);
        packet[at] = byte;
        let outcome =
            Scene::new().send_frame(LEFT, frame(ALICE.mac, ON_LEFT.mac, EtherType::IPV4, &with_right_checksum(packet)));
        assert!(outcome.dropped().is_some(), "{what}: {outcome:?}");
    }
}

#[test]
fn rfc_080_a_quote_is_as_much_of_the_packet_as_fits_in_576_bytes_and_as_it_was() {
    for len in [28, 548, 549, 1500] {
        let packet = nowhere().hops(2).long(len);
        let told = Scene::new().send(ALICE, &packet).icmp_to(ALICE);
        assert_eq!(told.body, packet[..len.min(576 - 28)], "{len}");
    }
}

#[test]
fn rfc_081_an_error_comes_from_the_port_it_leaves_by() {
    let told = Scene::new().send(ALICE, &nowhere().of(8)).icmp_to(ALICE);
    assert_eq!(told.source, ON_LEFT.v4);
    let told = Scene::new().send(GATEWAY, &udp(BEYOND.v4, NOWHERE.v4).of(8)).icmp_to(BEYOND);
    assert_eq!((told.source, told.destination), (ON_RIGHT.v4.into(), BEYOND.v4.into()));
}

#[test]
fn rfc_082_an_error_has_a_time_to_live_of_its_own() {
    for hops in [2, 64, 255] {
        assert_eq!(Scene::new().send(ALICE, &nowhere().hops(hops).of(8)).icmp_to(ALICE).hops, 64);
    }
}

#[test]
fn rfc_083_an_error_has_the_precedence_of_internetwork_control() {
    assert_eq!(Scene::new().send(ALICE, &nowhere().of(8)).icmp_to(ALICE).tos, 0xc0);
}

#[test]
fn rfc_085_a_flood_leaves_path_mtu_discovery_to_the_others() {
    let mut scene = Plan::default().mtu(RIGHT, 1400).open();
    let carol = Host { mac: MacAddr([2, 0, 0, 0, 1, 0x77]), v4: [192, 0, 2, 77].into(), ..ALICE };
    scene.introduce(carol);
    // A flood of expiring packets, and then one of packets that are too big themselves.
    for flood in [udp(ALICE.v4, BOB.v4).hops(1).of(8), udp(ALICE.v4, BOB.v4).dont_fragment().long(1401)] {
        let told = scene.send_all(ALICE, vec![flood; 20_000]).packets_to(ALICE).len();
        assert!(told < 2_000, "limited: {told}");
        let told = scene.send(carol, &udp(carol.v4, BOB.v4).dont_fragment().long(1401)).icmp_to(carol);
        assert_eq!((told.kind_and_code, told.word), ((3, 4), 1400));
    }
}

#[test]
fn rfc_087_an_echo_to_a_broadcast_address_is_ignored() {
    for many in ["192.0.2.255", "255.255.255.255", "192.0.2.0"] {
        let packet = udp(ALICE.v4, ip(many)).echo(8);
        assert_nothing_is_told(&packet, many);
        let outcome = Scene::new().send_frame(LEFT, frame(ALICE.mac, MacAddr::BROADCAST, EtherType::IPV4, &packet));
        assert!(outcome.is_silent(), "{many}");
    }
}

#[test]
fn rfc_088_source_quench_is_ignored_and_never_sent() {
    assert_nothing_is_told(&udp(ALICE.v4, ON_LEFT.v4).icmp(4, 0, 28), "received");
    let mut scene = Scene::new();
    scene.set_room(RIGHT, 0);
    let outcome = scene.send_all(ALICE, vec![udp(ALICE.v4, BOB.v4).of(8); 100]);
    assert_eq!((outcome.dropped(), outcome.received), (Some(DropReason::TxFull), 100), "in silence");
}

#[test]
fn rfc_090_a_redirect_changes_nothing() {
    let mut scene = Scene::new();
    let mut redirect = [&[5, 1, 0, 0][..], &BOB.v4.octets(), &udp(ALICE.v4, BEYOND.v4).of(8)].concat();
    let sum = checksum(&redirect);
    redirect[2..4].copy_from_slice(&sum.to_be_bytes());
    for own in [ON_RIGHT.v4, ON_LEFT.v4] {
        assert!(scene.send(GATEWAY, &udp(GATEWAY.v4, own).protocol(1).with(&redirect)).is_silent());
    }
    let outcome = scene.send(ALICE, &udp(ALICE.v4, BEYOND.v4).of(8));
    assert_eq!(outcome.packets_to(GATEWAY).len(), 1, "as before");
}

#[test]
fn rfc_091_icmp_with_a_wrong_checksum_is_dropped_in_silence() {
    let mut damaged = udp(ALICE.v4, ON_LEFT.v4).echo(8);
    *damaged.last_mut().unwrap() ^= 1;
    assert_nothing_is_told(&damaged, "an echo request");
}

#[test]
fn rfc_092_extensions_of_somebody_else_s_error_pass_unchanged() {
    // A quote of 128 bytes, said in words of four (RFC 4884 section 4), and an extension structure behind it.
    let extension = [0x20, 0, 0, 0, 0, 8, 1, 1, 0, 0x10, 0x01, 0xff];
    let mut error = [&[11, 0, 0, 0, 0, 32, 0, 0][..], &[0x45; 128], &extension].concat();
    let sum = checksum(&error);
    error[2..4].copy_from_slice(&sum.to_be_bytes());
    let outcome = Scene::new().send(GATEWAY, &udp(BEYOND.v4, ALICE.v4).protocol(1).with(&error));
    assert_eq!(&outcome.packet_to(ALICE)[20..], &error[..]);
    assert_eq!(Icmp::read(outcome.packet_to(ALICE)).kind_and_code, (11, 0));
}
