//! What a port may ask of packets, one checklist item at a time, through the whole of `forward`.

use boundary::policy::{Action, Filter, FilterId, Policy, Ports, ReversePath, Rule};
use boundary::{DropReason, ForwardingState, PortId, PortState, PuntReason, Verdict};

use crate::forward::forward;
use crate::forward::tests::{LEFT, RIGHT, frame, state};
use crate::memory::MemoryFrame;

const HOST: &str = "192.0.2.10";
const FAR: &str = "198.51.100.7";
const HOST6: &str = "2001:db8:1::10";
const FAR6: &str = "2001:db8:2::7";

fn with_policy(policy: Policy) -> ForwardingState {
    let mut state = state();
    state.ports = state.ports.iter().map(|port| PortState { policy, promiscuous: true, ..*port }).collect();
    state
}

fn with_filter(rules: Vec<Rule>, otherwise: Action) -> ForwardingState {
    with_policy(Policy { filter: Some(FilterId(0)), ..Policy::default() }).with_filters([Filter { rules, otherwise }])
}

fn fate(state: &ForwardingState, ingress: PortId, mut frame: MemoryFrame) -> Verdict {
    forward(state, ingress, &mut frame)
}

#[test]
fn rfc_172_the_way_back_is_not_looked_at_unless_asked_for() {
    assert_eq!(fate(&state(), LEFT, frame("192.88.99.1", FAR, 64, 8)), Verdict::Transmit(RIGHT));
}

#[test]
fn rfc_172_a_loose_port_takes_a_source_that_some_route_leads_to() {
    let loose = with_policy(Policy { reverse_path: ReversePath::Loose, ..Policy::default() });
    let wrong = Verdict::Drop(DropReason::ReversePath);
    for (source, ingress, verdict) in [
        (HOST, LEFT, Verdict::Transmit(RIGHT)),
        ("198.51.100.9", LEFT, Verdict::Transmit(RIGHT)),
        ("192.88.99.1", LEFT, wrong),
        ("203.0.113.1", LEFT, wrong),
        ("203.0.113.129", LEFT, wrong),
    ] {
        assert_eq!(fate(&loose, ingress, frame(source, FAR, 64, 8)), verdict, "{source}");
    }
    assert_eq!(fate(&loose, LEFT, frame("2001:db8:99::1", FAR6, 64, 8)), wrong);
    assert_eq!(fate(&loose, LEFT, frame("2001:db8:3::1", FAR6, 64, 8)), wrong, "a blackhole keeps sources out");
}

#[test]
fn rfc_172_a_strict_port_takes_a_source_whose_route_leads_out_of_it() {
    let strict = with_policy(Policy { reverse_path: ReversePath::Strict, ..Policy::default() });
    let wrong = Verdict::Drop(DropReason::ReversePath);
    for (source, destination, ingress, verdict) in [
        (HOST, FAR, LEFT, Verdict::Transmit(RIGHT)),
        (HOST6, FAR6, LEFT, Verdict::Transmit(RIGHT)),
        ("198.51.100.9", FAR, RIGHT, Verdict::Transmit(RIGHT)),
        ("198.51.100.9", FAR, LEFT, wrong),
        ("2001:db8:2::9", FAR6, LEFT, wrong),
        (HOST, FAR, RIGHT, wrong),
        (HOST, "192.0.2.1", RIGHT, wrong),
    ] {
        assert_eq!(fate(&strict, ingress, frame(source, destination, 64, 8)), verdict, "{source} on {ingress:?}");
    }
}

#[test]
fn rfc_029_one_of_our_own_addresses_as_source_is_counted_as_spoofed() {
    for reverse_path in [ReversePath::Loose, ReversePath::Strict] {
        let state = with_policy(Policy { reverse_path, ..Policy::default() });
        for (source, destination) in [("192.0.2.1", FAR), ("2001:db8:1::1", FAR6)] {
            let spoofed = frame(source, destination, 64, 8);
            assert_eq!(fate(&state, LEFT, spoofed), Verdict::Drop(DropReason::SpoofedSource), "{source}");
        }
    }
}

#[test]
fn a_neighbour_can_still_be_found_and_heard_by_its_link_local_address() {
    let strict = with_policy(Policy { reverse_path: ReversePath::Strict, ..Policy::default() });
    let heard = frame("fe80::1", "2001:db8:1::1", 255, 8);
    assert_eq!(fate(&strict, LEFT, heard), Verdict::Punt(PuntReason::Local));
}

#[test]
fn rfc_026_a_source_of_class_e_is_no_martian_where_the_port_says_so() {
    let open = with_policy(Policy { class_e: true, ..Policy::default() });
    assert_eq!(fate(&state(), LEFT, frame("240.0.0.1", FAR, 64, 8)), Verdict::Drop(DropReason::MartianSource));
    assert_eq!(fate(&open, LEFT, frame("240.0.0.1", FAR, 64, 8)), Verdict::Transmit(RIGHT));
    let broadcast = frame("255.255.255.255", FAR, 64, 8);
    assert_eq!(fate(&open, LEFT, broadcast), Verdict::Drop(DropReason::MartianSource));
}

#[test]
fn rfc_031_a_destination_of_class_e_is_looked_up_where_the_port_says_so() {
    let open = with_policy(Policy { class_e: true, ..Policy::default() });
    let to_class_e = || frame(HOST, "240.0.0.1", 64, 8);
    assert_eq!(fate(&state(), LEFT, to_class_e()), Verdict::Drop(DropReason::MartianDestination));
    assert_eq!(fate(&open, LEFT, to_class_e()), Verdict::Punt(PuntReason::NoRoute));
    let broadcast = frame(HOST, "255.255.255.255", 64, 8);
    assert_eq!(fate(&open, LEFT, broadcast), Verdict::Drop(DropReason::Broadcast));
}

#[test]
fn rfc_173_a_filter_drops_in_silence_or_rejects_as_it_is_told() {
    let to_domain = Some(Ports { first: 0x5a5a, last: 0x5a5a });
    let rule = |action| Rule { protocol: Some(17), to_port: to_domain, ..Rule::of(action) };
    for (action, verdict) in [
        (Action::Accept, Verdict::Transmit(RIGHT)),
        (Action::Drop, Verdict::Drop(DropReason::Filtered)),
        (Action::Reject, Verdict::Punt(PuntReason::Rejected)),
    ] {
        let included = with_filter(vec![rule(action)], Action::Drop);
        assert_eq!(fate(&included, LEFT, frame(HOST, FAR, 64, 8)), verdict);
        assert_eq!(fate(&included, LEFT, frame(HOST6, FAR6, 64, 8)), verdict);
        let by_default = with_filter(Vec::new(), action);
        assert_eq!(fate(&by_default, LEFT, frame(HOST, FAR, 64, 0)), verdict);
    }
}

/// A TCP fragment of `len` bytes that begins `offset` bytes into the datagram.
fn tcp_fragment(offset: u16, len: usize) -> MemoryFrame {
    let mut frame = frame(HOST, FAR, 64, len);
    frame.0[14 + 9] = 6;
    frame.0[14 + 6..14 + 8].copy_from_slice(&(0x2000 | (offset / 8)).to_be_bytes());
    frame.0[14 + 10..14 + 12].fill(0);
    let sum = packet::checksum::checksum(&frame.0[14..34]);
    frame.0[14 + 10..14 + 12].copy_from_slice(&sum.to_be_bytes());
    frame
}

#[test]
fn rfc_068_a_fragment_that_could_deceive_a_filter_is_dropped_where_one_asks_for_ports() {
    let telnet = Some(Ports { first: 23, last: 23 });
    let asks = with_filter(vec![Rule { to_port: telnet, ..Rule::of(Action::Drop) }], Action::Accept);
    let asks_not = with_filter(vec![Rule { protocol: Some(47), ..Rule::of(Action::Drop) }], Action::Accept);
    let dropped = Verdict::Drop(DropReason::Filtered);
    for (row, offset, len, verdict) in [
        ("a tiny first fragment", 0, 8, dropped),
        ("a first fragment up to the flags", 0, 16, Verdict::Transmit(RIGHT)),
        ("one that would overwrite the flags", 8, 32, dropped),
        ("any other", 16, 32, Verdict::Transmit(RIGHT)),
    ] {
        assert_eq!(fate(&asks, LEFT, tcp_fragment(offset, len)), verdict, "{row}");
        assert_eq!(fate(&asks_not, LEFT, tcp_fragment(offset, len)), Verdict::Transmit(RIGHT), "{row}");
    }
}

#[test]
fn rfc_137_a_chain_that_hides_what_it_carries_gets_past_no_filter_that_asks_for_ports() {
    let telnet = Some(Ports { first: 23, last: 23 });
    let asks = with_filter(vec![Rule { to_port: telnet, ..Rule::of(Action::Drop) }], Action::Accept);
    // The first fragment, whose destination options go on in the next.
    let mut first = frame(HOST6, FAR6, 64, 16);
    first.0[14 + 6] = 44;
    first.0[54..70].copy_from_slice(&[60, 0, 0, 1, 0, 0, 0, 9, 6, 3, 1, 4, 0, 0, 0, 0]);
    assert_eq!(fate(&asks, LEFT, first.clone()), Verdict::Drop(DropReason::Filtered));
    assert_eq!(fate(&state(), LEFT, first), Verdict::Transmit(RIGHT), "and without a filter nobody looks");
}
