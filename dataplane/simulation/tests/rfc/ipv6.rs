//! I. IPv6 forwarding.

use boundary::DropReason;
use packet::ethernet::EtherType;
use simulation::{
    ALICE, BEYOND, BOB, GATEWAY, Icmp, NOWHERE, ON_LEFT, ON_RIGHT, Outcome, Plan, RIGHT, Scene, Sketch, frame, ip, udp,
};

fn to_bob() -> Sketch {
    udp(ALICE.v6, BOB.v6)
}

/// Nothing leaves of it.
fn assert_silent(outcome: &Outcome, what: &str) {
    assert!(outcome.is_silent() && outcome.transmitted == 0, "{what}: {outcome:?}");
}

/// The packet arrives as it was, but for a hop less.
fn assert_passes(packet: &[u8], what: &str) {
    let outcome = Scene::new().send(ALICE, packet);
    let mut expected = packet.to_vec();
    expected[7] -= 1;
    assert_eq!(outcome.packets_to(BOB), [&expected[..]], "{what}");
}

#[test]
fn rfc_106_a_version_that_is_not_of_the_frame_s_type_is_dropped() {
    for version in (0..16).filter(|version| *version != 6) {
        let mut packet = to_bob().of(8);
        packet[0] = version << 4;
        let outcome = Scene::new().send_frame(ALICE.port, frame(ALICE.mac, ON_LEFT.mac, EtherType::IPV6, &packet));
        assert_eq!(outcome.dropped(), Some(DropReason::BadVersion), "{version}");
    }
}

#[test]
fn rfc_107_a_packet_that_is_not_all_there_is_dropped() {
    let packet = to_bob().of(8);
    for len in 1..packet.len() {
        assert_eq!(Scene::new().send(ALICE, &packet[..len]).dropped(), Some(DropReason::Truncated), "{len}");
    }
}

#[test]
fn rfc_108_what_follows_a_packet_in_its_frame_is_not_carried_on() {
    let packet = to_bob().of(100);
    let outcome = Scene::new().send(ALICE, &[&packet[..], b"trailer"].concat());
    assert_eq!(outcome.sent[0].1.len(), 14 + packet.len());
}

#[test]
fn rfc_110_a_packet_whose_hops_run_out_is_reported_to_its_source() {
    for hops in [0, 1] {
        let outcome = Scene::new().send(ALICE, &to_bob().hops(hops).of(8));
        let told = outcome.icmp_to(ALICE);
        assert_eq!((told.kind_and_code, told.source), ((3, 0), ON_LEFT.v6.into()), "hop limit {hops}");
        assert_eq!(told.body, to_bob().hops(hops).of(8));
    }
}

#[test]
fn rfc_111_a_packet_to_the_router_needs_no_hops() {
    let reply = Scene::new().send(ALICE, &udp(ALICE.v6, ON_RIGHT.v6).hops(1).echo(8)).icmp_to(ALICE);
    assert_eq!((reply.kind_and_code, reply.source), ((129, 0), ON_RIGHT.v6.into()));
}

#[test]
fn rfc_112_a_packet_from_nobody_is_not_forwarded_and_not_reported() {
    for destination in [BOB.v6, BEYOND.v6, NOWHERE.v6] {
        assert_silent(&Scene::new().send(ALICE, &udp(ip("::"), destination).of(8)), "from ::");
        assert_silent(&Scene::new().send(ALICE, &udp(ip("::"), destination).hops(1).of(8)), "and expired");
    }
}

#[test]
fn rfc_113_a_loopback_address_from_a_wire_is_dropped() {
    assert!(Scene::new().send(ALICE, &udp(ip("::1"), BOB.v6).of(8)).dropped().is_some(), "from");
    assert!(Scene::new().send(ALICE, &udp(ALICE.v6, ip("::1")).of(8)).dropped().is_some(), "to");
}

#[test]
fn rfc_114_a_packet_from_a_group_is_dropped_and_not_reported() {
    for group in ["ff02::1", "ff0e::1"] {
        for destination in [BOB.v6, NOWHERE.v6] {
            assert!(Scene::new().send(ALICE, &udp(ip(group), destination).of(8)).dropped().is_some(), "{group}");
        }
    }
}

#[test]
fn rfc_115_a_link_local_source_is_not_forwarded() {
    let outcome = Scene::new().send(ALICE, &udp(ALICE.mac.link_local(), BOB.v6).of(8));
    assert!(outcome.packets_to(BOB).is_empty() && outcome.transmitted == 0);
}

#[test]
fn rfc_116_a_link_local_destination_that_is_not_ours_is_not_forwarded() {
    for source in [ALICE.v6, ALICE.mac.link_local()] {
        let outcome = Scene::new().send(ALICE, &udp(source, BOB.mac.link_local()).of(8));
        assert!(outcome.packets_to(BOB).is_empty() && outcome.transmitted == 0);
    }
}

#[test]
fn rfc_117_groups_of_a_node_or_a_link_are_not_forwarded() {
    for group in ["ff01::1", "ff02::1", "ff02::5", "ff02::1:ff00:99"] {
        let outcome = Scene::new().send(ALICE, &udp(ALICE.v6, ip(group)).of(8));
        assert!(outcome.packets_to(BOB).is_empty() && outcome.transmitted == 0, "{group}");
    }
}

#[test]
fn rfc_118_flow_label_and_traffic_class_pass_unchanged() {
    for word in [[0x60, 0, 0, 1], [0x6f, 0xff, 0xff, 0xff], [0x6b, 0x80, 0x12, 0x34]] {
        let mut packet = to_bob().of(8);
        packet[..4].copy_from_slice(&word);
        assert_passes(&packet, "the first word");
    }
}

#[test]
fn rfc_119_a_packet_too_big_is_never_cut_and_its_source_is_told_what_fits() {
    let mut scene = Plan::default().mtu(RIGHT, 1400).open();
    assert_eq!(scene.send(ALICE, &to_bob().long(1400)).packets_to(BOB).len(), 1, "what fits passes");
    let outcome = scene.send(ALICE, &to_bob().long(1401));
    let told = outcome.icmp_to(ALICE);
    assert_eq!((told.kind_and_code, told.word), ((2, 0), 1400));
    assert_eq!(outcome.packet_to(ALICE).len(), 1280);
    let mut narrowest = Plan::default().mtu(RIGHT, 1280).open();
    assert_eq!(narrowest.send(ALICE, &to_bob().long(1281)).icmp_to(ALICE).word, 1280);
}

/// Groups are not forwarded, so none of their packets is too big; RFC 4443 would allow to report it.
#[test]
fn rfc_120_a_group_s_packet_meets_no_mtu() {
    let mut scene = Plan::default().mtu(RIGHT, 1280).open();
    let outcome = scene.send(ALICE, &udp(ALICE.v6, ip("ff0e::1")).long(1500));
    assert_eq!(outcome.dropped(), Some(DropReason::Multicast));
}

#[test]
fn rfc_122_nothing_is_told_about_an_error_or_a_redirect() {
    for kind in [1, 2, 3, 4, 127, 137] {
        for destination in [BOB.v6, NOWHERE.v6] {
            let packet = udp(ALICE.v6, destination).hops(1).icmp(kind, 0, 48);
            assert_silent(&Scene::new().send(ALICE, &packet), "by itself");
        }
        let behind_options = [&[58, 0, 1, 4, 0, 0, 0, 0][..], &[kind, 0, 0, 0, 0, 0, 0, 0]].concat();
        let packet = to_bob().hops(1).protocol(60).with(&behind_options);
        assert_silent(&Scene::new().send(ALICE, &packet), "behind options");
    }
}

#[test]
fn rfc_123_nothing_is_told_to_a_source_that_is_no_single_host() {
    for source in ["::", "ff02::1", "ff0e::1", "::1"] {
        for destination in [BOB.v6, NOWHERE.v6, ON_RIGHT.v6] {
            let packet = udp(ip(source), destination).hops(1).of(8);
            assert_silent(&Scene::new().send(ALICE, &packet), source);
        }
    }
}

#[test]
fn rfc_124_a_quote_is_as_much_of_the_packet_as_fits_in_1280_bytes() {
    for len in [48, 1232, 1233, 1500] {
        let packet = udp(ALICE.v6, NOWHERE.v6).long(len);
        let told = Scene::new().send(ALICE, &packet).icmp_to(ALICE);
        assert_eq!(told.body, packet[..len.min(1280 - 48)], "{len}");
    }
}

#[test]
fn rfc_126_nothing_is_told_about_a_packet_that_found_no_room() {
    let mut scene = Scene::new();
    scene.set_room(RIGHT, 0);
    assert_eq!(scene.send(ALICE, &to_bob().of(8)).dropped(), Some(DropReason::TxFull));
}

#[test]
fn rfc_128_extension_headers_are_not_inspected_in_transit() {
    let options = [17, 0, 1, 4, 0, 0, 0, 0];
    let unknown_options_that_ask_to_be_dropped = [17, 0, 0xde, 4, 0, 0, 0, 0];
    let routing = [17, 0, 0, 1, 0, 0, 0, 0];
    for (what, next, header) in [
        ("destination options", 60, options),
        ("an unknown option", 60, unknown_options_that_ask_to_be_dropped),
        ("a routing header", 43, routing),
        ("an experiment", 253, [0xff; 8]),
        ("mobility", 135, options),
    ] {
        assert_passes(&to_bob().protocol(next).with(&[&header[..], &[7; 24]].concat()), what);
    }
}

#[test]
fn rfc_129_130_hop_by_hop_options_are_not_processed_whatever_they_ask_for() {
    for option in [0x01, 0x05, 0x3e, 0x7e, 0xbe, 0xfe] {
        let header = [17, 0, option, 4, 0, 0, 0, 0];
        assert_passes(&to_bob().protocol(0).with(&[&header[..], &[7; 24]].concat()), "hop-by-hop");
    }
}

#[test]
fn rfc_131_a_dozen_extension_headers_pass() {
    let chain: Vec<u8> = [60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 17]
        .into_iter()
        .flat_map(|next: u8| [next, 0, 1, 4, 0, 0, 0, 0])
        .chain([7; 24])
        .collect();
    assert_passes(&to_bob().protocol(60).with(&chain), "twelve");
}

#[test]
fn rfc_132_hop_by_hop_options_that_are_not_first_are_not_looked_at() {
    let chain = [&[0, 0, 1, 4, 0, 0, 0, 0][..], &[17, 0, 0xde, 4, 0, 0, 0, 0], &[7; 24]].concat();
    assert_passes(&to_bob().protocol(60).with(&chain), "second");
}

#[test]
fn rfc_133_a_source_route_to_the_router_goes_no_further() {
    let routing = [&[17, 2, 0, 1, 0, 0, 0, 0][..], &BOB.v6.octets(), &[7; 24]].concat();
    let outcome = Scene::new().send(ALICE, &udp(ALICE.v6, ON_LEFT.v6).protocol(43).with(&routing));
    let told = outcome.icmp_to(ALICE);
    assert_eq!((told.kind_and_code, told.word), ((4, 0), 42), "at the routing type");
}

#[test]
fn rfc_134_an_unknown_next_header_to_the_router_is_reported() {
    let told = Scene::new().send(ALICE, &udp(ALICE.v6, ON_LEFT.v6).protocol(253).of(8)).icmp_to(ALICE);
    assert_eq!((told.kind_and_code, told.word), ((4, 1), 6));
}

#[test]
fn rfc_135_a_packet_without_a_next_header_passes() {
    assert_passes(&to_bob().protocol(59).of(0), "empty");
    assert_passes(&to_bob().protocol(59).of(20), "with bytes behind it");
}

#[test]
fn rfc_136_fragments_pass_untouched_atomic_ones_too() {
    for offset_and_more in [[0, 0], [0, 1], [0, 8], [0x7f, 0xf9]] {
        let [high, low] = offset_and_more;
        let fragment = [&[17, 0, high, low, 0, 0, 0, 9][..], &[7; 24]].concat();
        assert_passes(&to_bob().protocol(44).with(&fragment), "a fragment");
    }
}

#[test]
fn rfc_140_an_unknown_informational_message_to_the_router_is_taken_in_silence() {
    for kind in [200, 255] {
        assert_silent(&Scene::new().send(ALICE, &udp(ALICE.v6, ON_LEFT.v6).icmp(kind, 0, 8)), "to us");
    }
}

#[test]
fn rfc_141_an_echo_is_answered_by_the_address_that_was_asked_with_the_same_data() {
    for own in [ON_LEFT.v6, ON_RIGHT.v6, ON_LEFT.mac.link_local()] {
        for len in [0, 56, 1452] {
            let request = udp(ALICE.v6, own).echo(len);
            let reply = Scene::new().send(ALICE, &request).icmp_to(ALICE);
            assert_eq!((reply.kind_and_code, reply.source, reply.destination), ((129, 0), own.into(), ALICE.v6.into()));
            let asked = Icmp::read(&request);
            assert_eq!((reply.word, reply.body), (asked.word, asked.body));
        }
    }
    let reply = Scene::new().send(GATEWAY, &udp(BEYOND.v6, ON_LEFT.v6).echo(8)).icmp_to(BEYOND);
    assert_eq!(reply.source, ON_LEFT.v6, "from far away too");
}
