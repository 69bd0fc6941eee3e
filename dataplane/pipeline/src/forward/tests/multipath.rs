//! Several next hops to one network: how flows are divided, and what keeps them together.

use std::collections::HashMap;
use std::sync::Arc;

use boundary::{Group, GroupId, Share, scramble};
use packet::flow::FlowHash;

use super::*;

const FLOWS: u16 = 32_768;

/// 203.0.113.0/24 and 2001:db8:9::/48 go by neighbours behind as many ports, with these weights; a neighbour is named by
/// its place. None of the tests depends on the seed, but for the luck of lots.
fn divided(weights: &[(u16, u32)], seed: u64) -> ForwardingState {
    let mut state = state();
    let neighbour = |number: u16| Adjacency { port: PortId(number), mtu: Mtu::ETHERNET, header: [0; 14] };
    let hops = (0..16).map(|number| NextHop::Neighbour(neighbour(number)));
    state.next_hops = hops.chain([NextHop::Group(GroupId(0)), NextHop::Unresolved(RIGHT)]).collect();
    let share = |(number, weight): &(u16, u32)| Share {
        next_hop: NextHopId::new(u32::from(*number)),
        name: scramble(u64::from(*number)),
        weight: *weight,
    };
    state.groups = Arc::from([Arc::new(Group::new(&weights.iter().map(share).collect::<Vec<_>>()))]);
    state.flows = FlowHash { seed, ..FlowHash::default() };
    state.ipv4 = FibWriter::default().apply([Change::Set("203.0.113.0/24".parse().unwrap(), NextHopId::new(16))]);
    state.ipv6 = FibWriter::default().apply([Change::Set("2001:db8:9::/48".parse().unwrap(), NextHopId::new(16))]);
    state
}

/// A packet of the flow with this number, in either family; `payload` bytes follow its ports.
fn packet_of(flow: u16, is_ipv6: bool, payload: usize) -> MemoryFrame {
    let (source, destination) = if is_ipv6 { (HOST6, "2001:db8:9::9") } else { (HOST, "203.0.113.9") };
    let mut sent = frame(source, destination, 64, 4 + payload);
    let ports = sent.0.len() - 4 - payload;
    sent.0[ports..ports + 2].copy_from_slice(&flow.to_be_bytes());
    sent
}

fn way_of(state: &ForwardingState, mut sent: MemoryFrame) -> PortId {
    match forward(state, LEFT, &mut sent) {
        Verdict::Transmit(port) => port,
        other => panic!("{other:?}"),
    }
}

/// The way of every flow.
fn ways(state: &ForwardingState, is_ipv6: bool) -> Vec<PortId> {
    (0..FLOWS).map(|flow| way_of(state, packet_of(flow, is_ipv6, 8))).collect()
}

#[test]
fn rfc_164_each_way_gets_the_share_of_its_weight() {
    for weights in [[(1, 1), (2, 1)], [(1, 2), (2, 1)], [(1, 11), (2, 45)]] {
        for is_ipv6 in [false, true] {
            let mut got = HashMap::new();
            ways(&divided(&weights, 1), is_ipv6).into_iter().for_each(|way| *got.entry(way).or_insert(0_u32) += 1);
            let total: u32 = weights.iter().map(|(_, weight)| weight).sum();
            for (number, weight) in weights {
                let (wanted, got) = (u32::from(FLOWS) * weight / total, got[&PortId(number)]);
                assert!(got.abs_diff(wanted) * 100 < wanted * 15, "{weights:?}: {number} has {got}, not {wanted}");
            }
        }
    }
}

#[test]
fn rfc_165_a_flow_keeps_its_way_and_routers_with_other_seeds_divide_otherwise() {
    let weights = [(1, 1), (2, 1)];
    let (one, other) = (divided(&weights, 1), divided(&weights, 2));
    for is_ipv6 in [false, true] {
        let first = ways(&one, is_ipv6);
        let longer = (0..FLOWS).map(|flow| way_of(&one, packet_of(flow, is_ipv6, 900)));
        assert!(first.iter().copied().eq(longer), "whatever else a packet says");
        // What one router sent one way, the next one divides again: a quarter each, of those who agree and who do not.
        let agree = first.iter().zip(ways(&other, is_ipv6)).filter(|(one, other)| *one == other).count();
        assert!(agree.abs_diff(usize::from(FLOWS) / 2) < usize::from(FLOWS) / 20, "{agree} agree");
    }
}

#[test]
fn rfc_166_all_fragments_of_a_datagram_go_the_same_way() {
    let state = divided(&[(1, 1), (2, 1), (3, 1), (4, 1)], 1);
    for flow in 0..200_u16 {
        let fragment = |flags_and_offset: u16, ports: u16| {
            let mut sent = packet_of(ports, false, 8);
            // The addresses differ from datagram to datagram, or all would go one way whatever was looked at.
            sent.0[14 + 14..14 + 16].copy_from_slice(&flow.to_be_bytes());
            sent.0[14 + 6..14 + 8].copy_from_slice(&flags_and_offset.to_be_bytes());
            sent.0[14 + 10..14 + 12].fill(0);
            let sum = packet::checksum::checksum(&sent.0[14..34]);
            sent.0[14 + 10..14 + 12].copy_from_slice(&sum.to_be_bytes());
            way_of(&state, sent)
        };
        let first = fragment(0x2000, flow);
        assert_eq!([fragment(0x2003, 0xdead), fragment(0x0006, 0xbeef)], [first; 2], "flow {flow}");
    }
}

#[test]
fn rfc_166_all_fragments_of_an_ipv6_datagram_go_the_same_way() {
    let state = divided(&[(1, 1), (2, 1), (3, 1), (4, 1)], 1);
    let mut taken = std::collections::HashSet::new();
    for flow in 0..200_u16 {
        let fragment = |offset_and_more: u16, ports: u16| {
            let mut sent = frame(HOST6, "2001:db8:9::9", 64, 24);
            sent.0[14 + 22..14 + 24].copy_from_slice(&flow.to_be_bytes());
            sent.0[14 + 6] = 44;
            sent.0[54..62].copy_from_slice(&[17, 0, 0, 0, 0, 0, 0, 7]);
            sent.0[56..58].copy_from_slice(&offset_and_more.to_be_bytes());
            sent.0[62..64].copy_from_slice(&ports.to_be_bytes());
            way_of(&state, sent)
        };
        let first = fragment(1, flow);
        assert_eq!([fragment(25, 0xdead), fragment(48, 0xbeef)], [first; 2], "flow {flow}");
        taken.insert(first.0);
    }
    assert_eq!(taken.len(), 4, "and datagrams of many senders go all ways");
}

#[test]
fn rfc_167_only_the_flows_of_a_member_that_leaves_move() {
    let (all, fewer) = (divided(&[(1, 1), (2, 2), (3, 1)], 1), divided(&[(1, 1), (3, 1)], 1));
    for is_ipv6 in [false, true] {
        for (flow, (before, after)) in ways(&all, is_ipv6).into_iter().zip(ways(&fewer, is_ipv6)).enumerate() {
            assert!(before == after || before == PortId(2), "flow {flow} went from {before:?} to {after:?}");
        }
    }
}

#[test]
fn a_member_that_is_not_found_yet_is_the_control_thread_s_and_the_others_are_not_disturbed() {
    let mut state = divided(&[(1, 1), (2, 1)], 1);
    let before = ways(&state, false);
    state.next_hops = state
        .next_hops
        .iter()
        .enumerate()
        .map(|(n, hop)| if n == 2 { NextHop::Unresolved(RIGHT) } else { *hop })
        .collect();
    for (flow, way) in (0..200).zip(before) {
        let verdict = forward(&state, LEFT, &mut packet_of(flow, false, 8));
        let expected = if way == PortId(2) { Verdict::Punt(PuntReason::Unresolved) } else { Verdict::Transmit(way) };
        assert_eq!(verdict, expected);
    }
}

#[test]
fn what_goes_by_a_group_obeys_the_same_rules() {
    let state = divided(&[(1, 1), (2, 1)], 1);
    let with_hops = |hops| forward(&state, LEFT, &mut frame(HOST, "203.0.113.9", hops, 8));
    assert_eq!(with_hops(1), Verdict::Punt(PuntReason::TtlExpired));
    assert!(matches!(with_hops(2), Verdict::Transmit(_)));
    assert_eq!(forward(&state, LEFT, &mut packet_of(1, false, 1480)), Verdict::Punt(PuntReason::TooBig));
    assert_eq!(
        forward(&state, LEFT, &mut frame("fe80::1", "2001:db8:9::9", 64, 8)),
        Verdict::Drop(DropReason::LinkLocal)
    );
}
