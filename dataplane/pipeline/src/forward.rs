//! Forwarding: the plain meaning, and the fast way beside it.

use std::net::{Ipv4Addr, Ipv6Addr};

use arrayvec::ArrayVec;
use boundary::{Adjacency, DropReason, ForwardingState, NextHop, PortId, PuntReason, Verdict};
use lpm::NextHopId;
use packet::ethernet;
use packet::ipv4::decrement_ttl;
use packet::ipv6::decrement_hop_limit;

use crate::classify::{Class, Transit, classify};
use crate::local;
use crate::port::{BURST, Frame};

/// Decides the fate of one frame that came in through `ingress` and, if it is to be sent, rewrites it in place.
///
/// This is the meaning of forwarding, one packet at a time. [`forward_burst`] is the fast way to the same answer. A frame
/// that is not to be sent keeps its bytes as they came.
pub fn forward<F: Frame>(state: &ForwardingState, ingress: PortId, frame: &mut F) -> Verdict {
    let (ipv4, ipv6) = state.tables(ingress);
    match class_of(state, ingress, frame) {
        Class::Decided(verdict) => verdict,
        Class::Ipv4(destination, transit) => send_on(state, frame, transit, ipv4.lookup(destination), decrement_ttl),
        Class::Ipv6(destination, transit) => {
            send_on(state, frame, transit, ipv6.lookup(destination), decrement_hop_limit)
        }
    }
}

/// Three passes over a burst: classify, look up, rewrite. Leaves one verdict per frame, in their order, in `verdicts`.
///
/// Each pass is one short loop, so that the cache misses of the tables overlap in the middle one.
pub fn forward_burst<F: Frame>(
    state: &ForwardingState,
    ingress: PortId,
    burst: &mut [F],
    verdicts: &mut ArrayVec<Verdict, BURST>,
) {
    let mut pending = ArrayVec::<Pending, BURST>::new();
    let mut ipv4 = ArrayVec::<Ipv4Addr, BURST>::new();
    let mut ipv6 = ArrayVec::<Ipv6Addr, BURST>::new();
    pending.extend(burst.iter().map(|frame| match class_of(state, ingress, frame) {
        Class::Ipv4(destination, transit) => {
            ipv4.push(destination);
            Pending::Ipv4(transit)
        }
        Class::Ipv6(destination, transit) => {
            ipv6.push(destination);
            Pending::Ipv6(transit)
        }
        Class::Decided(verdict) => Pending::Decided(verdict),
    }));

    let mut hops_ipv4 = [None; BURST];
    let mut hops_ipv6 = [None; BURST];
    let (table_ipv4, table_ipv6) = state.tables(ingress);
    table_ipv4.lookup_burst(&ipv4, &mut hops_ipv4);
    table_ipv6.lookup_burst(&ipv6, &mut hops_ipv6);

    let mut hops_ipv4 = hops_ipv4.into_iter();
    let mut hops_ipv6 = hops_ipv6.into_iter();
    verdicts.clear();
    verdicts.extend(burst.iter_mut().zip(pending).map(|(frame, pending)| match pending {
        Pending::Decided(verdict) => verdict,
        Pending::Ipv4(transit) => send_on(state, frame, transit, hops_ipv4.next().flatten(), decrement_ttl),
        Pending::Ipv6(transit) => send_on(state, frame, transit, hops_ipv6.next().flatten(), decrement_hop_limit),
    }));
}

/// A frame of a burst while the tables are asked for all of them: its [`Class`] without the destination, which is one of
/// those being looked up.
#[derive(Debug, Clone, Copy)]
enum Pending {
    Ipv4(Transit),
    Ipv6(Transit),
    Decided(Verdict),
}

/// What `frame` is. One that did not fit its buffer is no truncated packet, though its beginning looks like one.
#[inline]
fn class_of<F: Frame>(state: &ForwardingState, ingress: PortId, frame: &F) -> Class {
    match classify(state, ingress, frame.bytes()) {
        Class::Decided(Verdict::Drop(DropReason::Truncated)) if frame.whole_len() > frame.bytes().len() => {
            Class::Decided(Verdict::Drop(DropReason::FrameTooLong))
        }
        class => class,
    }
}

/// Sends a packet on to where its next hop is, or says why not. `take_hop` takes one off what its header says is left.
#[inline]
fn send_on<F: Frame, const HEADER_LEN: usize>(
    state: &ForwardingState,
    frame: &mut F,
    transit: Transit,
    next_hop: Option<NextHopId>,
    take_hop: impl FnOnce(&mut [u8; HEADER_LEN]),
) -> Verdict {
    let adjacency = match decide(state, frame.bytes(), transit, next_hop) {
        Ok(adjacency) => adjacency,
        Err(verdict) => return verdict,
    };
    let (ethernet, packet) = frame.bytes_mut().split_first_chunk_mut().expect("classify found an Ethernet header");
    *ethernet = adjacency.header;
    take_hop(packet.first_chunk_mut().expect("classify found an IP header"));
    trim(frame, transit.total_len);
    Verdict::Transmit(adjacency.port)
}

/// The neighbour a packet is to be sent to, or why it is not sent.
#[inline]
fn decide<'s>(
    state: &'s ForwardingState,
    frame: &[u8],
    transit: Transit,
    next_hop: Option<NextHopId>,
) -> Result<&'s Adjacency, Verdict> {
    // Nearly all packets are done with here: they go to a neighbour, and nothing speaks against it.
    if let Some(id) = next_hop
        && let NextHop::Neighbour(adjacency) = state.next_hop(id)
        && transit.may_pass(adjacency)
    {
        return Ok(adjacency);
    }
    decide_in_order(state, frame, transit, next_hop)
}

impl Transit {
    /// Whether none of the rules of [`decide_in_order`] keeps it from a neighbour.
    #[inline]
    fn may_pass(self, adjacency: &Adjacency) -> bool {
        self.hops_left > 1 && self.total_len <= usize::from(adjacency.mtu.bytes()) && !self.from_link_local
    }
}

/// The same, rule by rule in the order in which they are asked.
#[inline(never)]
fn decide_in_order<'s>(
    state: &'s ForwardingState,
    frame: &[u8],
    transit: Transit,
    next_hop: Option<NextHopId>,
) -> Result<&'s Adjacency, Verdict> {
    let next_hop = match next_hop.map(|id| state.next_hop(id)) {
        // RFC 2991: all packets of a flow go by the same member.
        Some(NextHop::Group(group)) => state.next_hop(state.member(*group, &frame[ethernet::HEADER_LEN..])),
        Some(next_hop) => next_hop,
        None if transit.from_link_local => return Err(Verdict::Drop(DropReason::LinkLocal)),
        None => return Err(Verdict::Punt(PuntReason::NoRoute)),
    };
    // RFC 1812 4.2.2.9: what is for us needs no hops left.
    if *next_hop == NextHop::Local {
        return Err(Verdict::Punt(local::reason(&frame[ethernet::HEADER_LEN..])));
    }
    // RFC 4291 2.5.6: a packet from a link-local source goes no further than this router.
    if transit.from_link_local {
        return Err(Verdict::Drop(DropReason::LinkLocal));
    }
    match next_hop {
        NextHop::Blackhole => return Err(Verdict::Drop(DropReason::Blackhole)),
        NextHop::Unreachable => return Err(Verdict::Punt(PuntReason::Unreachable)),
        NextHop::Local | NextHop::Unresolved(_) | NextHop::Neighbour(_) | NextHop::Group(_) => {}
    }
    // RFC 1812 5.3.1 and RFC 8200 section 3: it must have a hop left after this one.
    if transit.hops_left <= 1 {
        return Err(Verdict::Punt(PuntReason::TtlExpired));
    }
    let NextHop::Neighbour(adjacency) = next_hop else {
        return Err(Verdict::Punt(PuntReason::Unresolved));
    };
    // RFC 1812 5.2.6 and RFC 8200 section 5: too long for the link; fragments and answers are the control thread's.
    if transit.total_len > usize::from(adjacency.mtu.bytes()) {
        return Err(Verdict::Punt(PuntReason::TooBig));
    }
    Ok(adjacency)
}

/// Cuts off what the link in appended to the packet: padding up to a minimum frame stays, as zeros (RFC 894).
#[inline]
fn trim<F: Frame>(frame: &mut F, total_len: usize) {
    let end = ethernet::HEADER_LEN + total_len;
    // The whole length: what follows may also be in further buffers.
    if frame.whole_len() > end {
        let kept = end.max(frame.bytes().len().min(ethernet::MIN_FRAME_LEN));
        frame.bytes_mut()[end..kept].fill(0);
        frame.truncate(kept);
    }
}

#[cfg(test)]
pub(crate) mod tests;
