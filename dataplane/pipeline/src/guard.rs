//! What a port with a policy asks of a packet before any route to its destination is looked up.
//!
//! Only ports that are told to pay for this. It is [`boundary::policy`] applied to bytes: the way back to the source
//! (RFC 3704), and the filter (RFC 1812 section 5.3.9). Neighbour discovery is not asked: a link that could not find its
//! router would be none.

use std::net::IpAddr;

use boundary::policy::{Action, Looks, Policy, ReversePath, SeenPorts};
use boundary::{DropReason, ForwardingState, NextHop, PortId, PuntReason, Verdict};
use packet::extension;
use packet::flow::{DCCP, SCTP, TCP, UDP, UDP_LITE};
use packet::ipv4::Ipv4;
use packet::ipv6::Ipv6;

/// What a port of this policy makes of an IPv4 packet; nothing if it may go on.
#[cold]
pub(crate) fn ipv4(state: &ForwardingState, policy: Policy, ingress: PortId, packet: &Ipv4<'_>) -> Option<Verdict> {
    let source = packet.source();
    let next_hop = || state.tables(ingress).0.lookup(source).map(|id| state.next_hop(id));
    reverse_path(state, policy, ingress, next_hop).map(Verdict::Drop).or_else(|| {
        filtered(state, policy, || Looks {
            source: source.into(),
            destination: packet.destination().into(),
            protocol: packet.protocol(),
            ports: ports_v4(packet),
        })
    })
}

/// The same of an IPv6 packet. Nobody looks for the way back to a link-local source: it is on the link it came from.
#[cold]
pub(crate) fn ipv6(state: &ForwardingState, policy: Policy, ingress: PortId, packet: &Ipv6<'_>) -> Option<Verdict> {
    let source = packet.source();
    let next_hop = || state.tables(ingress).1.lookup(source).map(|id| state.next_hop(id));
    let wrong = if source.is_unicast_link_local() { None } else { reverse_path(state, policy, ingress, next_hop) };
    wrong.map(Verdict::Drop).or_else(|| {
        filtered(state, policy, || {
            let (protocol, ports) = upper_v6(packet);
            Looks { source: source.into(), destination: IpAddr::V6(packet.destination()), protocol, ports }
        })
    })
}

fn reverse_path<'s>(
    state: &ForwardingState,
    policy: Policy,
    ingress: PortId,
    next_hop: impl FnOnce() -> Option<&'s NextHop>,
) -> Option<DropReason> {
    if policy.reverse_path == ReversePath::Off {
        return None;
    }
    let next_hop = match next_hop() {
        // Nobody but us sends from our addresses.
        Some(NextHop::Local) => return Some(DropReason::SpoofedSource),
        // A route that discards is how a whole network of sources is kept out.
        None | Some(NextHop::Blackhole | NextHop::Unreachable) => return Some(DropReason::ReversePath),
        Some(next_hop) => next_hop,
    };
    let is_wrong = policy.reverse_path == ReversePath::Strict && !state.leads_out_of(next_hop, ingress);
    is_wrong.then_some(DropReason::ReversePath)
}

fn filtered(state: &ForwardingState, policy: Policy, looks: impl FnOnce() -> Looks) -> Option<Verdict> {
    match state.filter(policy.filter?).judge(&looks()) {
        Action::Accept => None,
        Action::Drop => Some(Verdict::Drop(DropReason::Filtered)),
        Action::Reject => Some(Verdict::Punt(PuntReason::Rejected)),
    }
}

fn ports_v4(packet: &Ipv4<'_>) -> SeenPorts {
    match packet.fragment_offset() {
        0 => ports(packet.protocol(), packet.payload()),
        offset => later_fragment(packet.protocol(), offset),
    }
}

fn upper_v6(packet: &Ipv6<'_>) -> (u8, SeenPorts) {
    // A chain that cannot be followed to its end hides what it carries.
    let Some(upper) = extension::upper(packet) else { return (packet.next_header(), SeenPorts::Hidden) };
    let ports = match upper.fragment_offset {
        None | Some(0) => ports(upper.protocol, upper.bytes),
        Some(offset) => later_fragment(upper.protocol, offset),
    };
    (upper.protocol, ports)
}

/// RFC 1858 and RFC 3128: a fragment that begins eight bytes in could overwrite what the first one showed of TCP.
const fn later_fragment(protocol: u8, offset: u16) -> SeenPorts {
    if protocol == TCP && offset == 8 { SeenPorts::Hidden } else { SeenPorts::Elsewhere }
}

/// The ports of what `payload` begins with.
fn ports(protocol: u8, payload: &[u8]) -> SeenPorts {
    // RFC 1858: of TCP up to its flags, so that a tiny fragment shows all that is decided by.
    let needed = match protocol {
        TCP => 16,
        UDP | UDP_LITE | DCCP | SCTP => 4,
        _ => return SeenPorts::None,
    };
    match *payload {
        [a, b, c, d, ..] if payload.len() >= needed => {
            SeenPorts::Shown(u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]))
        }
        _ => SeenPorts::Hidden,
    }
}

#[cfg(test)]
mod tests;
