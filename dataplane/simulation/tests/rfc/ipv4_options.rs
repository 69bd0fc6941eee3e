//! E. IPv4 options.

use std::net::{IpAddr, Ipv4Addr};

use boundary::{DropReason, PuntReason};
use packet::ipv4::Ipv4;
use simulation::{ALICE, BOB, GATEWAY, Icmp, NOWHERE, ON_LEFT, ON_RIGHT, Outcome, Plan, Scene, udp};

/// Alice sends Bob a packet with these options.
fn sent(options: &[u8]) -> Outcome {
    Scene::new().send(ALICE, &udp(ALICE.v4, BOB.v4).with_options(options, b"payload."))
}

/// The options that Bob gets, of a packet that is otherwise as it was, and one hop older.
fn arrived(options: &[u8]) -> Vec<u8> {
    let outcome = sent(options);
    let packet = Ipv4::parse(outcome.packet_to(BOB)).expect("the checksum is right");
    assert_eq!((packet.ttl(), packet.payload()), (63, &b"payload."[..]));
    packet.options().to_vec()
}

/// Where a parameter problem points that Alice is told; nobody else gets anything.
fn pointed_at(options: &[u8]) -> u8 {
    let told = sent(options).icmp_to(ALICE);
    assert_eq!((told.kind_and_code, told.source), ((12, 0), ON_LEFT.v4.into()));
    told.word.to_be_bytes()[0]
}

#[test]
fn rfc_048_an_option_nobody_knows_passes_as_it_is() {
    for options in [[0x5e, 4, 1, 2], [0x5e, 2, 0, 0], [0xde, 4, 9, 9]] {
        assert_eq!(arrived(&options), options);
    }
}

#[test]
fn rfc_049_options_that_only_fill_space_pass_as_they_are() {
    for options in [[1, 1, 1, 1], [0, 0, 0, 0], [1, 0, 0xff, 0xff]] {
        assert_eq!(arrived(&options), options);
    }
}

#[test]
fn rfc_050_a_recorded_route_gets_the_address_the_packet_leaves_with() {
    assert_eq!(arrived(&[7, 7, 4, 0, 0, 0, 0, 0]), [7, 7, 8, 198, 51, 100, 1, 0]);
}

#[test]
fn rfc_050_an_echo_s_answer_carries_the_record_on_with_the_address_that_was_asked() {
    let request = udp(ALICE.v4, ON_RIGHT.v4).echo(56);
    let message = Icmp::read(&request);
    let with_options = |options: &[u8]| udp(ALICE.v4, ON_RIGHT.v4).protocol(1).with_options(options, &request[20..]);
    let answered = |options: &[u8]| {
        let outcome = Scene::new().send(ALICE, &with_options(options));
        let reply = outcome.icmp_to(ALICE);
        assert_eq!((reply.kind_and_code, reply.source, &reply.body), ((0, 0), ON_RIGHT.v4.into(), &message.body));
        Ipv4::parse(outcome.packet_to(ALICE)).unwrap().options().to_vec()
    };
    let recorded = answered(&[7, 15, 8, 192, 0, 2, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(recorded, [7, 15, 12, 192, 0, 2, 10, 198, 51, 100, 1, 0, 0, 0, 0, 0]);
    let full = [7, 7, 8, 10, 0, 0, 1, 0];
    assert_eq!(answered(&full), full, "without truncation");
    let stamped = answered(&[68, 12, 5, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(stamped[..8], [68, 12, 13, 1, 198, 51, 100, 1]);
    assert!(answered(&[0x94, 4, 0, 0]).is_empty(), "what asks routers for something is not repeated");
}

#[test]
fn rfc_053_an_echo_that_came_over_a_source_route_is_answered_over_it() {
    let mut scene = Scene::with("[ip]\nsource_routes = true");
    let request = udp(ALICE.v4, ON_LEFT.v4).echo(8);
    let options = [131, 7, 8, 198, 51, 100, 254, 0];
    let outcome = scene.send(ALICE, &udp(ALICE.v4, ON_LEFT.v4).protocol(1).with_options(&options, &request[20..]));
    let packet = Ipv4::parse(outcome.packet_to(GATEWAY)).unwrap();
    assert_eq!(packet.destination(), GATEWAY.v4, "over whom it came");
    assert_eq!(packet.options(), [131, 7, 4, 192, 0, 2, 10, 0], "and from there to who asked");
}

#[test]
fn rfc_051_a_recorded_route_that_is_full_stays_as_it_is() {
    let full = [7, 7, 8, 10, 0, 0, 1, 0];
    assert_eq!(arrived(&full), full);
}

#[test]
fn rfc_052_a_time_stamp_is_given_as_it_is_asked_for_and_counted_where_it_has_no_room() {
    let alone = arrived(&[68, 8, 5, 0, 0, 0, 0, 0]);
    assert_eq!((&alone[..4], alone[4] & 0x80), (&[68, 8, 9, 0][..], 0x80), "a time that is not since midnight");
    let named = arrived(&[68, 12, 5, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(named[..8], [68, 12, 13, 1, 198, 51, 100, 1]);
    let asked = arrived(&[68, 12, 5, 3, 198, 51, 100, 1, 0, 0, 0, 0]);
    assert_eq!((asked[2], asked[8] & 0x80), (13, 0x80));
    let asked_of_another = [68, 12, 5, 3, 10, 0, 0, 1, 0, 0, 0, 0];
    assert_eq!(arrived(&asked_of_another), asked_of_another);
    assert_eq!(arrived(&[68, 8, 9, 0x20, 1, 2, 3, 4]), [68, 8, 9, 0x30, 1, 2, 3, 4], "one more had no room");
    assert_eq!(pointed_at(&[68, 8, 9, 0xf0, 1, 2, 3, 4]), 20, "and when that is full too, it is a mistake");
}

#[test]
fn rfc_053_a_packet_with_a_source_route_is_dropped_and_counted_by_default() {
    for kind in [131, 137] {
        for destination in [ON_LEFT.v4, BOB.v4] {
            let mut scene = Scene::new();
            let packet = udp(ALICE.v4, destination).with_options(&[kind, 7, 4, 198, 51, 100, 20, 0], &[0; 8]);
            let outcome = scene.send(ALICE, &packet);
            assert!(outcome.is_silent());
            assert_eq!((outcome.punted_for(PuntReason::Options), scene.counts().source_routes), (1, 1));
        }
    }
}

/// A source route over us to Bob, and on to somebody else.
fn over_us(kind: u8, pointer: u8, next: Ipv4Addr) -> Vec<u8> {
    let [a, b, c, d] = next.octets();
    udp(ALICE.v4, ON_LEFT.v4).with_options(&[kind, 11, pointer, a, b, c, d, 10, 0, 0, 1, 0], &[0; 8])
}

#[test]
fn rfc_053_a_source_route_is_followed_where_the_configuration_says_so() {
    for kind in [131, 137] {
        let mut scene = Scene::with("[ip]\nsource_routes = true");
        let outcome = scene.send(ALICE, &over_us(kind, 4, BOB.v4));
        let packet = Ipv4::parse(outcome.packet_to(BOB)).unwrap();
        assert_eq!(packet.destination(), BOB.v4);
        assert_eq!(
            packet.options(),
            [kind, 11, 8, 198, 51, 100, 1, 10, 0, 0, 1, 0],
            "we took the place of who was next"
        );
        let nowhere = scene.send(ALICE, &over_us(kind, 4, NOWHERE.v4)).icmp_to(ALICE);
        assert_eq!(nowhere.kind_and_code, (3, 5), "source route failed");
    }
}

#[test]
fn rfc_053_a_source_route_that_is_exhausted_makes_a_packet_ours() {
    let mut scene = Scene::with("[ip]\nsource_routes = true");
    let told = scene.send(ALICE, &over_us(131, 12, BOB.v4)).icmp_to(ALICE);
    assert_eq!(told.kind_and_code, (3, 3), "and nobody here listens");
}

#[test]
fn rfc_054_a_strict_source_route_over_somebody_who_is_not_on_it_is_dropped() {
    let packet = udp(ALICE.v4, BOB.v4).with_options(&[137, 7, 4, 10, 0, 0, 1, 0], &[0; 8]);
    assert!(Scene::new().send(ALICE, &packet).is_silent());
    let mut scene = Scene::with("[ip]\nsource_routes = true");
    let told = scene.send(ALICE, &packet).icmp_to(ALICE);
    assert_eq!((told.kind_and_code, told.word.to_be_bytes()[0]), ((12, 0), 20));
    let loose = udp(ALICE.v4, BOB.v4).with_options(&[131, 7, 4, 10, 0, 0, 1, 0], &[0; 8]);
    assert_eq!(scene.send(ALICE, &loose).packets_to(BOB).len(), 1, "a loose one may go over anybody");
}

#[test]
fn rfc_055_an_option_too_short_for_itself_is_pointed_at() {
    assert_eq!(pointed_at(&[0x5e, 0, 0, 0]), 20);
    assert_eq!(pointed_at(&[1, 0x5e, 1, 0]), 21);
}

#[test]
fn rfc_056_an_option_beyond_the_header_is_pointed_at() {
    assert_eq!(pointed_at(&[1, 1, 0x5e, 3]), 22);
    assert_eq!(pointed_at(&[1, 1, 1, 7]), 23);
}

#[test]
fn rfc_057_a_router_alert_is_no_reason_to_stop_a_packet() {
    assert_eq!(arrived(&[0x94, 4, 0, 0]), [0x94, 4, 0, 0]);
}

#[test]
fn rfc_058_packets_with_options_take_a_slow_way_that_is_bounded() {
    let mut scene = Scene::new();
    let slow = udp(ALICE.v4, BOB.v4).with_options(&[1, 1, 1, 1], &[0; 8]);
    let plain = udp(ALICE.v4, BOB.v4).of(8);
    let flood = (0..20_000).map(|number| if number % 100 == 0 { &plain } else { &slow });
    let outcome = scene.send_all(ALICE, flood);
    assert_eq!(outcome.transmitted, 200, "plain traffic loses nothing");
    let (taken, lost) = (outcome.punted_for(PuntReason::Options), outcome.dropped_for(DropReason::PuntFullOther));
    assert_eq!(taken + lost, 19_800, "and all the others are accounted for");
    assert!(taken < 4_096, "of which only as many wait as there is room for: {taken}");
}

#[test]
fn a_packet_with_options_that_expires_is_reported_as_it_came() {
    let packet = udp(ALICE.v4, BOB.v4).hops(1).with_options(&[7, 7, 4, 0, 0, 0, 0, 0], &[0; 8]);
    let told = Scene::new().send(ALICE, &packet).icmp_to(ALICE);
    assert_eq!((told.kind_and_code, told.body), ((11, 0), packet));
}

#[test]
fn a_packet_with_options_goes_past_the_same_policy_as_any_other() {
    let filter = "[[filter]]\nname = \"none\"\ndefault = \"drop\"";
    let mut scene = Plan::default().port(simulation::LEFT, "filter = \"none\"").and(filter).open();
    let packet = udp(ALICE.v4, BOB.v4).with_options(&[1, 1, 1, 1], &[0; 8]);
    assert_eq!(scene.send(ALICE, &packet).dropped(), Some(DropReason::Filtered));
    let spoofed = udp("127.0.0.1".parse::<IpAddr>().unwrap(), BOB.v4).with_options(&[1, 1, 1, 1], &[0; 8]);
    assert_eq!(Scene::new().send(ALICE, &spoofed).dropped(), Some(DropReason::MartianSource));
}
