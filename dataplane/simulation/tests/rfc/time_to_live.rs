//! B. TTL.

use boundary::PuntReason;
use packet::ipv4::Ipv4;
use simulation::{ALICE, BOB, Icmp, ON_LEFT, ON_RIGHT, Outcome, Scene, Sketch, ip, udp, with_right_checksum};

fn expiring() -> Sketch {
    udp(ALICE.v4, BOB.v4).hops(1)
}

/// Nothing leaves, and nothing is forwarded.
fn assert_silent(outcome: &Outcome) {
    assert!(outcome.is_silent() && outcome.transmitted == 0, "{outcome:?}");
}

// holds DP-02, X72
#[test]
fn rfc_014_a_packet_whose_time_runs_out_is_reported_to_its_source() {
    let outcome = Scene::new().send(ALICE, &expiring().of(8));
    let told = outcome.icmp_to(ALICE);
    assert_eq!((told.kind_and_code, told.source, told.destination), ((11, 0), ON_LEFT.v4.into(), ALICE.v4.into()));
    assert_eq!(told.body, expiring().of(8), "the header as it was received");
    assert_eq!((outcome.transmitted, outcome.punted_for(PuntReason::TtlExpired)), (0, 1));
}

// holds DP-02
#[test]
fn rfc_015_a_packet_without_any_time_to_live_is_as_one_whose_time_ran_out() {
    let told = Scene::new().send(ALICE, &expiring().hops(0).of(8)).icmp_to(ALICE);
    assert_eq!(told.kind_and_code, (11, 0));
}

#[test]
fn rfc_016_a_packet_with_one_hop_left_after_this_one_is_forwarded() {
    let outcome = Scene::new().send(ALICE, &expiring().hops(2).of(8));
    assert_eq!(Ipv4::parse(outcome.packet_to(BOB)).unwrap().ttl(), 1);
}

#[test]
fn rfc_017_a_packet_to_the_router_needs_no_time_to_live() {
    for hops in [0, 1] {
        let request = udp(ALICE.v4, ON_RIGHT.v4).hops(hops).echo(8);
        let reply = Scene::new().send(ALICE, &request).icmp_to(ALICE);
        assert_eq!((reply.kind_and_code, reply.source), ((0, 0), ON_RIGHT.v4.into()), "TTL {hops}");
        assert_eq!(reply.body, Icmp::read(&request).body);
    }
}

#[test]
fn rfc_018_a_multicast_packet_whose_time_runs_out_is_not_reported() {
    for group in ["224.0.0.5", "239.1.2.3"] {
        assert_silent(&Scene::new().send(ALICE, &udp(ALICE.v4, ip(group)).hops(1).of(8)));
    }
}

// holds DP-14
#[test]
fn rfc_019_a_later_fragment_whose_time_runs_out_is_not_reported() {
    let mut fragment = expiring().of(8);
    fragment[7] = 1;
    assert_silent(&Scene::new().send(ALICE, &with_right_checksum(fragment)));
}

#[test]
fn rfc_020_an_icmp_error_whose_time_runs_out_is_not_reported() {
    for kind in [3, 4, 5, 11, 12] {
        assert_silent(&Scene::new().send(ALICE, &expiring().icmp(kind, 0, 28)));
    }
}

#[test]
fn rfc_021_an_echo_request_whose_time_runs_out_is_reported() {
    assert_eq!(Scene::new().send(ALICE, &expiring().echo(8)).icmp_to(ALICE).kind_and_code, (11, 0));
}

#[test]
fn rfc_022_icmp_of_an_unknown_type_is_taken_for_an_error() {
    assert_silent(&Scene::new().send(ALICE, &expiring().icmp(44, 0, 28)));
}
