//! I. IPv6 that ends here: fragments, and what is told of packets that go no further.

use std::net::Ipv6Addr;
use std::time::Duration;

use boundary::{DropReason, PuntReason};
use packet::ipv6::Ipv6;
use simulation::{ALICE, BOB, Icmp, LEFT, NOWHERE, ON_LEFT, ON_RIGHT, Outcome, Plan, Scene, ip, udp};

fn whole() -> Vec<u8> {
    udp(ALICE.v6, BOB.v6).of(8)
}

fn send(packet: &[u8]) -> Outcome {
    Scene::new().send(ALICE, packet)
}

/// What `packet`, from Alice, is told.
fn told(packet: &[u8]) -> Icmp {
    send(packet).icmp_to(ALICE)
}

#[test]
fn rfc_109_a_packet_without_the_payload_that_its_header_announces_is_dropped() {
    let jumbo_option = [17, 0, 0xc2, 4, 0, 1, 0, 0];
    for destination in [BOB.v6, ON_LEFT.v6] {
        for (what, next_header, behind) in [("UDP", 17, [0xa5; 8]), ("a jumbogram", 0, jumbo_option)] {
            let packet = [udp(ALICE.v6, destination).protocol(next_header).of(0), behind.repeat(9)].concat();
            assert_eq!(send(&packet).dropped(), Some(DropReason::Truncated), "{what}");
        }
    }
}

#[test]
fn rfc_121_each_reason_why_a_destination_is_unreachable_has_its_code() {
    assert_eq!(told(&udp(ALICE.v6, NOWHERE.v6).of(8)).kind_and_code, (1, 0), "no route");
    let mut scene = Scene::with("[[route]]\nto = \"2001:db8:dead::/48\"\nunreachable = true");
    let rejected = scene.send(ALICE, &udp(ALICE.v6, NOWHERE.v6).of(8));
    assert_eq!(rejected.icmp_to(ALICE).kind_and_code, (1, 6), "a route that rejects");
    let filter = "[[filter]]\nname = \"none\"\ndefault = \"reject\"";
    let mut scene = Plan::default().port(LEFT, "filter = \"none\"").and(filter).open();
    assert_eq!(scene.send(ALICE, &whole()).icmp_to(ALICE).kind_and_code, (1, 1), "prohibited");
    let mut scene = Scene::new();
    scene.send(ALICE, &udp(ALICE.v6, ip("2001:db8:2::99")).of(8));
    let outcome = scene.pass(Duration::from_secs(10));
    let last = outcome.packets_to(ALICE).last().map(|packet| Icmp::read(packet).kind_and_code);
    assert_eq!(last, Some((1, 3)), "nobody there");
}

#[test]
fn rfc_125_a_flood_is_answered_by_a_token_bucket_that_lets_a_trace_through() {
    let mut scene = Scene::with("[icmp]\nerror_rate_per_source = 10\nerror_burst_per_source = 90");
    let expiring = udp(ALICE.v6, BOB.v6).hops(1).of(8);
    let trace = scene.send_all(ALICE, std::iter::repeat_n(&expiring, 90));
    assert_eq!(trace.packets_to(ALICE).len(), 90, "three to each of thirty hops");
    assert!(scene.send(ALICE, &expiring).is_silent());
    scene.pass(Duration::from_millis(500));
    assert_eq!(scene.send_all(ALICE, std::iter::repeat_n(&expiring, 90)).packets_to(ALICE).len(), 5);
}

/// A fragment of a packet to `destination`.
fn fragment(destination: Ipv6Addr, next_header: u8, offset: usize, more: bool, piece: &[u8]) -> Vec<u8> {
    let place = u16::try_from(offset).unwrap() | u16::from(more);
    let [high, low] = place.to_be_bytes();
    let header = [next_header, 0, high, low, 0, 0, 0, 7];
    udp(ALICE.v6, destination).protocol(44).with(&[&header[..], piece].concat())
}

#[test]
fn rfc_137_a_first_fragment_without_all_headers_passes_unless_a_filter_would_have_to_see_them() {
    let hidden = fragment(BOB.v6, 60, 0, true, &[6, 3, 1, 4, 0, 0, 0, 0]);
    assert_eq!(send(&hidden).packets_to(BOB).len(), 1);
    let filter = "[[filter]]\nname = \"a\"\ndefault = \"accept\"\nrule = [{ action = \"drop\", to_port = 23 }]";
    let mut scene = Plan::default().port(LEFT, "filter = \"a\"").and(filter).open();
    assert_eq!(scene.send(ALICE, &hidden).dropped(), Some(DropReason::Filtered));
}

/// An echo request to us, cut into fragments of so many bytes.
fn cut_echo(len: usize, room: usize) -> (Vec<u8>, Vec<Vec<u8>>) {
    let request = udp(ALICE.v6, ON_RIGHT.v6).echo(len);
    let message = &request[40..];
    let pieces = message.chunks(room).enumerate().map(|(number, piece)| {
        let offset = number * room;
        fragment(ON_RIGHT.v6, 58, offset, offset + piece.len() < message.len(), piece)
    });
    let pieces = pieces.collect();
    (request, pieces)
}

#[test]
fn rfc_138_fragments_to_us_that_overlap_are_dropped_in_silence() {
    let (_, pieces) = cut_echo(2000, 1024);
    let mut scene = Scene::new();
    let overlapping = fragment(ON_RIGHT.v6, 58, 512, true, &[0xa5; 64]);
    for packet in [&pieces[0], &overlapping, &pieces[1]] {
        assert!(scene.send(ALICE, packet).is_silent());
    }
    assert!(scene.pass(Duration::from_secs(70)).is_silent(), "nor is it told later");
    assert_eq!(scene.counts().fragments_overlapping, 2);
}

#[test]
fn an_echo_request_in_fragments_is_answered_in_fragments() {
    let (request, pieces) = cut_echo(3000, 1024);
    let outcome = Scene::new().send_all(ALICE, pieces.iter().rev());
    let mut message = vec![0; request.len() - 40];
    for packet in outcome.packets_to(ALICE) {
        assert!(packet.len() <= 1500);
        let packet = Ipv6::parse(packet).unwrap();
        let piece = packet::fragment_v6::Fragment::of(&packet).unwrap();
        message[usize::from(piece.offset)..][..piece.piece.len()].copy_from_slice(piece.piece);
    }
    assert_eq!((message[0], &message[4..]), (129, &request[44..]), "with the same data");
}

#[test]
fn a_datagram_that_does_not_become_whole_is_reported_if_its_beginning_came() {
    let (_, pieces) = cut_echo(2000, 1024);
    let mut scene = Scene::new();
    scene.send(ALICE, &pieces[0]);
    let told = scene.pass(Duration::from_secs(61)).icmp_to(ALICE);
    assert_eq!((told.kind_and_code, told.body), ((3, 1), pieces[0].clone()));
    scene.send(ALICE, &pieces[1]);
    assert!(scene.pass(Duration::from_secs(61)).is_silent());
}

#[test]
fn a_fragment_that_is_alone_is_a_packet_whatever_others_came() {
    let request = udp(ALICE.v6, ON_RIGHT.v6).echo(64);
    let mut scene = Scene::new();
    scene.send(ALICE, &fragment(ON_RIGHT.v6, 58, 0, true, &[0xa5; 64]));
    let outcome = scene.send(ALICE, &fragment(ON_RIGHT.v6, 58, 0, false, &request[40..]));
    assert_eq!(outcome.icmp_to(ALICE).kind_and_code, (129, 0), "RFC 6946");
}

#[test]
fn a_fragment_that_no_sender_cuts_is_pointed_at() {
    let told = send(&fragment(ON_LEFT.v6, 17, 0, true, &[0xa5; 63])).icmp_to(ALICE);
    assert_eq!((told.kind_and_code, told.word), ((4, 0), 4), "the payload's length");
    assert!(send(&fragment(ON_LEFT.v6, 17, 65_528, false, &[0xa5; 64])).is_silent(), "about a later one never");
}

#[test]
fn rfc_139_the_address_of_a_network_itself_is_every_router_s() {
    let reply = told(&udp(ALICE.v6, ip("2001:db8:1::")).echo(8));
    assert_eq!((reply.kind_and_code, reply.source), ((129, 0), ip("2001:db8:1::")));
}

#[test]
fn neighbour_discovery_in_fragments_is_not_heard() {
    let target = ON_LEFT.v6.octets();
    let message = [&[135, 0, 0, 0, 0, 0, 0, 0][..], &target, &[1, 1, 2, 0, 0, 0, 9, 9]].concat();
    let mut scene = Scene::new();
    let outcome = scene.send(ALICE, &fragment(ON_LEFT.v6, 58, 0, false, &message));
    assert!(outcome.is_silent(), "RFC 6980: {outcome:?}");
    assert_eq!(outcome.punted_for(PuntReason::Local), 1);
}
