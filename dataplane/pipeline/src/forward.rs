//! Forwarding: what it means, one packet at a time. [`crate::burst`] is the fast way to the same answer.

use boundary::{Adjacency, DropReason, ForwardingState, NextHop, PortId, PuntReason, Verdict};
use lpm::NextHopId;
use packet::ethernet;

use crate::classify::{Class, classify};
use crate::local;
use crate::port::Frame;
use crate::transit::{Header, Ipv4Header, Ipv6Header, Transit};

/// Decides the fate of one frame that came in through `ingress` and, if it is to be sent, rewrites it in place.
///
/// This is the meaning of forwarding, one packet at a time. [`forward_burst`](crate::forward_burst) is the fast way to the same answer. A frame
/// that is not to be sent keeps its bytes as they came.
pub fn forward<F: Frame>(state: &ForwardingState, ingress: PortId, frame: &mut F) -> Verdict {
    let (ipv4, ipv6) = state.tables(ingress);
    match class_of(state, ingress, frame) {
        Class::Decided(verdict) => verdict,
        Class::Ipv4(destination) => send_on::<_, Ipv4Header>(state, frame, ipv4.lookup(destination)),
        Class::Ipv6(destination) => send_on::<_, Ipv6Header>(state, frame, ipv6.lookup(destination)),
    }
}

/// What `frame` is. One that did not fit its buffer is no truncated packet, though its beginning looks like one.
#[inline]
pub(crate) fn class_of<F: Frame>(state: &ForwardingState, ingress: PortId, frame: &F) -> Class {
    match classify(state, ingress, frame.bytes()) {
        Class::Decided(Verdict::Drop(DropReason::Truncated)) if frame.whole_len() > frame.bytes().len() => {
            Class::Decided(Verdict::Drop(DropReason::FrameTooLong))
        }
        class => class,
    }
}

/// Sends a packet on to where its next hop is, or says why not. It is one that [`classify()`] lets go on.
#[inline(always)]
pub(crate) fn send_on<F: Frame, H: Header>(
    state: &ForwardingState,
    frame: &mut F,
    next_hop: Option<NextHopId>,
) -> Verdict {
    match send_to_neighbour::<F, H>(state, frame, next_hop) {
        Some(egress) => Verdict::Transmit(egress),
        None => send_on_by_the_rules::<F, H>(state, frame, next_hop),
    }
}

/// What becomes of nearly all packets: they go to a neighbour, and nothing speaks against it. Returns the port it is behind;
/// `None`, and the frame is as it was, if it is not so.
#[inline(always)]
pub(crate) fn send_to_neighbour<F: Frame, H: Header>(
    state: &ForwardingState,
    frame: &mut F,
    next_hop: Option<NextHopId>,
) -> Option<PortId> {
    match state.next_hop(next_hop?) {
        NextHop::Neighbour(adjacency) => send_to::<F, H>(adjacency, frame).then_some(adjacency.port),
        _ => None,
    }
}

/// Rewrites a packet for its neighbour, if no rule keeps it from there.
#[inline(always)]
pub(crate) fn send_to<F: Frame, H: Header>(adjacency: &Adjacency, frame: &mut F) -> bool {
    let transit = transit_of::<F, H>(frame);
    let may_pass = transit.may_pass(adjacency);
    if may_pass {
        rewrite::<F, H>(frame, transit, adjacency);
    }
    may_pass
}

/// Sends a packet on by the rules, or says why not.
#[inline(never)]
pub(crate) fn send_on_by_the_rules<F: Frame, H: Header>(
    state: &ForwardingState,
    frame: &mut F,
    next_hop: Option<NextHopId>,
) -> Verdict {
    let transit = transit_of::<F, H>(frame);
    match decide_in_order(state, frame.bytes(), transit, next_hop) {
        Ok(adjacency) => {
            rewrite::<F, H>(frame, transit, adjacency);
            Verdict::Transmit(adjacency.port)
        }
        Err(verdict) => verdict,
    }
}

/// What the header of a packet says that forwarding asks about.
#[inline(always)]
fn transit_of<F: Frame, H: Header>(frame: &F) -> Transit {
    let packet = frame.bytes().get(ethernet::HEADER_LEN..).unwrap_or_default();
    H::at(packet).expect("classify found an IP header").transit()
}

/// Rewrites a packet in place for its neighbour.
#[inline(always)]
fn rewrite<F: Frame, H: Header>(frame: &mut F, transit: Transit, adjacency: &Adjacency) {
    let (ethernet, packet) = frame.bytes_mut().split_first_chunk_mut().expect("classify found an Ethernet header");
    *ethernet = adjacency.header;
    H::at_mut(packet).expect("classify found an IP header").take_hop();
    trim(frame, transit.total_len as usize);
}

/// The neighbour a packet is to be sent to, or why it is not sent: rule by rule, in the order in which they are asked.
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
    if transit.total_len > u32::from(adjacency.mtu.bytes()) {
        return Err(Verdict::Punt(PuntReason::TooBig));
    }
    Ok(adjacency)
}

/// Cuts off what the link in appended to the packet: padding up to a minimum frame stays, as zeros (RFC 894).
#[inline(always)]
fn trim<F: Frame>(frame: &mut F, total_len: usize) {
    let end = ethernet::HEADER_LEN + total_len;
    // The whole length: what follows may also be in further buffers.
    if frame.whole_len() > end {
        cut(frame, end);
    }
}

/// The same of a frame that has something after `end`.
#[inline(never)]
fn cut<F: Frame>(frame: &mut F, end: usize) {
    let kept = end.max(frame.bytes().len().min(ethernet::MIN_FRAME_LEN));
    frame.bytes_mut()[end..kept].fill(0);
    frame.truncate(kept);
}

#[cfg(test)]
pub(crate) mod tests;
