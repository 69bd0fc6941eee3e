//! F. Fragmentation.

use std::time::Duration;

use packet::checksum::checksum;
use packet::ipv4::Ipv4;
use simulation::{ALICE, BOB, Icmp, ON_LEFT, ON_RIGHT, Plan, RIGHT, Scene, udp, with_right_checksum};

fn narrow() -> Scene {
    Plan::default().mtu(RIGHT, 1400).open()
}

/// A packet with this in its flags and fragment offset.
fn placed(packet: Vec<u8>, flags_and_offset: u16) -> Vec<u8> {
    let mut packet = packet;
    packet[6..8].copy_from_slice(&flags_and_offset.to_be_bytes());
    with_right_checksum(packet)
}

/// A whole packet, cut into fragments with so many bytes of payload.
fn cut(whole: &[u8], room: usize) -> Vec<Vec<u8>> {
    let (header, payload) = whole.split_at(usize::from(whole[0] & 0x0f) * 4);
    let pieces = payload.chunks(room).enumerate().map(|(number, piece)| {
        let mut fragment = [header, piece].concat();
        let len = u16::try_from(fragment.len()).unwrap();
        fragment[2..4].copy_from_slice(&len.to_be_bytes());
        let more = if (number + 1) * room < payload.len() { 0x2000 } else { 0 };
        placed(fragment, more | u16::try_from(number * room / 8).unwrap())
    });
    pieces.collect()
}

const MORE: u16 = 0x2000;

#[test]
fn rfc_059_a_packet_one_byte_too_long_becomes_two_fragments_that_make_it_up_again() {
    let sent = udp(ALICE.v4, BOB.v4).long(1401);
    let outcome = narrow().send(ALICE, &sent);
    let fragments: Vec<_> = outcome.packets_to(BOB).into_iter().map(|piece| Ipv4::parse(piece).unwrap()).collect();
    assert_eq!(fragments.iter().map(|piece| piece.fragment_offset()).collect::<Vec<_>>(), [0, 1376]);
    assert!(fragments.iter().all(|piece| piece.total_len() <= 1400 && piece.ttl() == 63));
    assert_eq!(fragments.iter().map(|piece| piece.more_fragments()).collect::<Vec<_>>(), [true, false]);
    assert_eq!(fragments.iter().flat_map(|piece| piece.payload()).copied().collect::<Vec<_>>(), sent[20..]);
}

#[test]
fn rfc_060_a_packet_that_just_fits_is_not_cut() {
    let outcome = narrow().send(ALICE, &udp(ALICE.v4, BOB.v4).long(1400));
    assert_eq!(outcome.packet_to(BOB).len(), 1400);
}

#[test]
fn rfc_061_a_packet_that_must_not_be_cut_is_reported_with_what_fits() {
    let told = narrow().send(ALICE, &udp(ALICE.v4, BOB.v4).dont_fragment().long(1401)).icmp_to(ALICE);
    assert_eq!((told.kind_and_code, told.word), ((3, 4), 1400), "in the low 16 bits");
}

#[test]
fn rfc_062_a_fragment_that_is_cut_again_keeps_its_place_and_that_more_follow() {
    let sent = placed(udp(ALICE.v4, BOB.v4).icmp(8, 0, 1392), MORE | 100);
    let outcome = narrow().send(ALICE, &sent);
    let fragments: Vec<_> = outcome.packets_to(BOB).into_iter().map(|piece| Ipv4::parse(piece).unwrap()).collect();
    assert_eq!(fragments.iter().map(|piece| piece.fragment_offset()).collect::<Vec<_>>(), [800, 2176]);
    assert!(fragments.iter().all(|piece| piece.more_fragments()));
    assert_eq!(fragments.iter().flat_map(|piece| piece.payload()).copied().collect::<Vec<_>>(), sent[20..]);
}

#[test]
fn rfc_063_only_options_that_are_to_be_copied_are_in_later_fragments() {
    let options = [0x5e, 4, 1, 1, 0x94, 4, 0, 0];
    let outcome = narrow().send(ALICE, &udp(ALICE.v4, BOB.v4).with_options(&options, &[0xa5; 1400]));
    let fragments: Vec<_> = outcome.packets_to(BOB).into_iter().map(|piece| Ipv4::parse(piece).unwrap()).collect();
    assert_eq!(fragments.len(), 2);
    assert_eq!((fragments[0].options(), fragments[1].options()), (&options[..], &[0x94, 4, 0, 0][..]));
}

#[test]
fn rfc_064_a_later_fragment_that_must_not_be_cut_is_dropped_without_a_word() {
    let outcome = narrow().send(ALICE, &placed(udp(ALICE.v4, BOB.v4).long(1401), 0x4000 | 100));
    assert!(outcome.is_silent());
}

#[test]
fn rfc_065_fragments_in_transit_pass_one_by_one() {
    let fragments = cut(&udp(ALICE.v4, BOB.v4).of(4000), 1024);
    let outcome = Scene::new().send_all(ALICE, &fragments);
    assert_eq!((outcome.transmitted, outcome.punts.len()), (4, 0));
    let payloads: Vec<_> = outcome.packets_to(BOB).iter().map(|packet| packet[20..].to_vec()).collect();
    assert_eq!(payloads, fragments.iter().map(|packet| packet[20..].to_vec()).collect::<Vec<_>>());
}

#[test]
fn rfc_066_a_fragment_that_reaches_beyond_the_longest_packet_is_not_put_together() {
    let beyond = placed(udp(ALICE.v4, ON_LEFT.v4).of(16), 0x1fff);
    let mut scene = Scene::new();
    assert!(scene.send(ALICE, &beyond).is_silent());
    assert_eq!(scene.counts().fragments_malformed, 1);
    let in_transit = placed(udp(ALICE.v4, BOB.v4).of(16), 0x1fff);
    assert_eq!(scene.send(ALICE, &in_transit).packets_to(BOB).len(), 1, "whoever it is for decides");
    let to_be_cut = placed(udp(ALICE.v4, BOB.v4).long(1401), 0x1fff);
    assert!(narrow().send(ALICE, &to_be_cut).is_silent(), "but no more such are made");
}

#[test]
fn rfc_067_fragments_to_us_that_overlap_are_dropped_in_silence() {
    let whole = udp(ALICE.v4, ON_LEFT.v4).echo(2000);
    let fragments = cut(&whole, 1024);
    let mut scene = Scene::new();
    let overlapping = placed(udp(ALICE.v4, ON_LEFT.v4).protocol(1).of(64), MORE | 64);
    for packet in [&fragments[0], &overlapping, &fragments[1]] {
        assert!(scene.send(ALICE, packet).is_silent());
    }
    assert!(scene.pass(Duration::from_secs(70)).is_silent(), "and nobody is told of it later");
    assert_eq!((scene.counts().fragments_overlapping, scene.counts().fragments_timed_out), (2, 1));
}

#[test]
fn rfc_067_a_datagram_that_does_not_become_whole_is_reported_if_its_beginning_came() {
    let fragments = cut(&udp(ALICE.v4, ON_LEFT.v4).of(2000), 1024);
    let mut scene = Scene::new();
    scene.send(ALICE, &fragments[0]);
    assert!(scene.pass(Duration::from_secs(59)).is_silent());
    let told = scene.pass(Duration::from_secs(2)).icmp_to(ALICE);
    assert_eq!((told.kind_and_code, told.source), ((11, 1), ON_LEFT.v4.into()));
    assert_eq!(told.body, fragments[0][..548], "as much as fits in 576 bytes");

    let mut scene = Scene::new();
    scene.send(ALICE, &fragments[1]);
    assert!(scene.pass(Duration::from_secs(70)).is_silent());
}

#[test]
fn rfc_067_a_flood_of_fragments_is_bounded_and_another_s_still_become_whole() {
    let mut scene = Scene::new();
    for numbers in (0..=u16::MAX).collect::<Vec<_>>().chunks(128) {
        let first = |number: &u16| placed(udp(ALICE.v4, ON_LEFT.v4).identification(*number).of(512), MORE);
        scene.send_all(ALICE, numbers.iter().map(first));
    }
    assert!(scene.counts().fragments_refused > 60_000, "{:?}", scene.counts());
    let outcome = scene.send_all(BOB, cut(&udp(BOB.v4, ON_RIGHT.v4).echo(1200), 1024));
    assert_eq!(outcome.icmp_to(BOB).kind_and_code, (0, 0));
}

#[test]
fn rfc_069_the_identification_is_the_sender_s_for_every_fragment() {
    let outcome = narrow().send(ALICE, &udp(ALICE.v4, BOB.v4).identification(0xbeef).long(4000));
    let fragments = outcome.packets_to(BOB);
    assert_eq!(fragments.len(), 3);
    assert!(fragments.iter().all(|piece| Ipv4::parse(piece).unwrap().identification() == 0xbeef));
}

#[test]
fn rfc_086_an_echo_request_in_fragments_is_answered_in_fragments() {
    let request = udp(ALICE.v4, ON_RIGHT.v4).echo(5000);
    let mut fragments = cut(&request, 1480);
    fragments.reverse();
    let outcome = Scene::new().send_all(ALICE, fragments);
    let pieces: Vec<_> = outcome.packets_to(ALICE).into_iter().map(|piece| Ipv4::parse(piece).unwrap()).collect();
    assert!(pieces.iter().all(|piece| piece.total_len() <= 1500 && piece.source() == ON_RIGHT.v4));
    let message: Vec<u8> = pieces.iter().flat_map(|piece| piece.payload()).copied().collect();
    assert_eq!((message[0], checksum(&message)), (0, 0), "a sound echo reply");
    assert_eq!(message[8..], Icmp::read(&request).body, "with the same data");
}
