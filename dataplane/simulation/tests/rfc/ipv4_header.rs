//! A. IPv4 header validation.

use boundary::DropReason;
use packet::ethernet::EtherType;
use packet::ipv4::Ipv4;
use simulation::{ALICE, BOB, ON_LEFT, Plan, RIGHT, Scene, frame, udp, with_right_checksum};

fn whole() -> Vec<u8> {
    udp(ALICE.v4, BOB.v4).of(8)
}

/// The packet with a byte changed and the checksum it has then.
fn with_byte(mut packet: Vec<u8>, at: usize, byte: u8) -> Vec<u8> {
    packet[at] = byte;
    with_right_checksum(packet)
}

// holds DP-13
#[test]
fn rfc_001_a_packet_shorter_than_a_header_is_dropped_in_silence() {
    for len in 1..20 {
        let outcome = Scene::new().send(ALICE, &whole()[..len]);
        assert_eq!(outcome.dropped(), Some(DropReason::Truncated), "{len}");
    }
}

// holds DP-13
#[test]
fn rfc_002_a_header_with_a_wrong_checksum_is_dropped_in_silence() {
    let mut scene = Scene::new();
    for bit in 0..160 {
        let mut packet = whole();
        packet[bit / 8] ^= 0x80 >> (bit % 8);
        let dropped = scene.send(ALICE, &packet).dropped();
        // The version and the lengths are looked at before the sum is.
        let is_looked_at_before = [0, 2, 3].contains(&(bit / 8));
        assert!(dropped.is_some() && (is_looked_at_before || dropped == Some(DropReason::BadChecksum)), "bit {bit}");
    }
}

#[test]
fn rfc_003_a_version_that_is_not_of_the_frame_s_type_is_dropped_in_silence() {
    for version in (0..16).filter(|version| *version != 4) {
        let packet = with_byte(whole(), 0, version << 4 | 5);
        let outcome = Scene::new().send_frame(ALICE.port, frame(ALICE.mac, ON_LEFT.mac, EtherType::IPV4, &packet));
        assert_eq!(outcome.dropped(), Some(DropReason::BadVersion), "{version}");
    }
}

// holds DP-13
#[test]
fn rfc_004_a_header_length_below_five_words_is_dropped_in_silence() {
    for words in 0..5 {
        let mut packet = whole();
        packet[0] = 0x40 | words;
        assert_eq!(Scene::new().send(ALICE, &packet).dropped(), Some(DropReason::BadHeaderLength), "{words}");
    }
}

#[test]
fn rfc_005_a_total_length_that_does_not_hold_the_header_is_dropped_in_silence() {
    let packet = udp(ALICE.v4, BOB.v4).with_options(&[1; 4], &[0; 8]);
    let outcome = Scene::new().send(ALICE, &with_byte(packet, 3, 20));
    assert_eq!(outcome.dropped(), Some(DropReason::BadTotalLength));
}

#[test]
fn rfc_006_a_total_length_below_twenty_is_dropped_in_silence() {
    for len in 0..20 {
        let outcome = Scene::new().send(ALICE, &with_byte(whole(), 3, len));
        assert_eq!(outcome.dropped(), Some(DropReason::BadTotalLength), "{len}");
    }
}

#[test]
fn rfc_007_a_packet_that_is_not_all_there_is_dropped_and_counted() {
    let outcome = Scene::new().send(ALICE, &with_byte(whole(), 3, 29));
    assert_eq!(outcome.dropped(), Some(DropReason::Truncated));
}

#[test]
fn rfc_008_what_follows_a_packet_in_its_frame_is_not_carried_on() {
    let packet = udp(ALICE.v4, BOB.v4).of(100);
    let outcome = Scene::new().send(ALICE, &[&packet[..], b"trailer"].concat());
    assert_eq!(outcome.sent[0].1.len(), 14 + packet.len(), "nothing behind the packet");
    assert_eq!(outcome.packet_to(BOB), udp(ALICE.v4, BOB.v4).hops(63).of(100));
}

#[test]
fn rfc_009_padding_never_carries_old_bytes() {
    let mut scene = Scene::new();
    let ipv4 = (0..=26).map(|len| (EtherType::IPV4, udp(ALICE.v4, BOB.v4).of(len)));
    let ipv6 = (1..=6).map(|len| (EtherType::IPV6, udp(ALICE.v6, BOB.v6).of(len)));
    for (ether_type, packet) in ipv4.chain(ipv6) {
        let mut padded = frame(ALICE.mac, ON_LEFT.mac, ether_type, &packet);
        padded.resize(60, 0xee);
        let outcome = scene.send_frame(ALICE.port, padded);
        let [(RIGHT, sent)] = &outcome.sent[..] else { panic!("{outcome:?}") };
        assert_eq!(sent.len(), 60, "as long as a frame has to be");
        let behind = &sent[14 + packet.len()..];
        assert!(behind.iter().all(|byte| *byte == 0), "{ether_type:?} {}: {behind:02x?}", packet.len());
    }
}

#[test]
fn rfc_010_the_reserved_flag_passes_as_it_is_also_in_fragments() {
    let mut scene = Plan::default().mtu(RIGHT, 1400).open();
    let outcome = scene.send(ALICE, &with_byte(whole(), 6, 0x80));
    assert_eq!(outcome.packet_to(BOB)[6], 0x80);
    let outcome = scene.send(ALICE, &with_byte(udp(ALICE.v4, BOB.v4).long(1401), 6, 0x80));
    let flags: Vec<_> = outcome.packets_to(BOB).iter().map(|fragment| fragment[6] & 0xe0).collect();
    assert_eq!(flags, [0xa0, 0x80], "reserved, and more fragments but in the last");
}

#[test]
fn rfc_011_the_type_of_service_passes_as_it_is() {
    let mut scene = Scene::new();
    for tos in 0..=255 {
        assert_eq!(scene.send(ALICE, &udp(ALICE.v4, BOB.v4).tos(tos).of(8)).packet_to(BOB)[1], tos);
    }
}

/// Every identification gives another sum, so this meets all of them: 0x0000 and 0xffff too.
// holds DP-01
#[test]
fn rfc_012_the_checksum_is_right_after_the_hop_whatever_it_was() {
    let mut scene = Scene::new();
    let numbers: Vec<_> = (0..=u16::MAX).collect();
    for numbers in numbers.chunks(1024) {
        let numbered = |hops, number: &u16| udp(ALICE.v4, BOB.v4).hops(hops).identification(*number).of(0);
        let outcome = scene.send_all(ALICE, numbers.iter().map(|number| numbered(64, number)));
        let expected: Vec<_> = numbers.iter().map(|number| numbered(63, number)).collect();
        assert!(outcome.packets_to(BOB) == expected);
    }
}

// holds DP-01, DP-13
#[test]
fn rfc_013_a_hop_changes_the_time_to_live_and_the_checksum_and_nothing_else() {
    let sketch = udp(ALICE.v4, BOB.v4).identification(0xbeef).tos(0xb9).dont_fragment();
    // By the worker alone, and by the slow way.
    for sent in [sketch.with(&[7; 99]), sketch.with_options(&[1, 1, 0x5e, 2], &[7; 99])] {
        let outcome = Scene::new().send(ALICE, &sent);
        let arrived = outcome.packet_to(BOB);
        assert!(Ipv4::parse(arrived).is_ok(), "the checksum is right");
        let differing: Vec<_> = (0..sent.len()).filter(|at| sent[*at] != arrived[*at]).collect();
        assert!(arrived.len() == sent.len() && differing.iter().all(|at| [8, 10, 11].contains(at)), "{differing:?}");
        assert_eq!(arrived[8], 63);
    }
}
