//! What a frame is, before any table is asked: a packet in transit, or something already decided.
//!
//! The checks stand in the order the RFCs give them, each with its section. None of them changes a byte.

use std::net::{Ipv4Addr, Ipv6Addr};

use boundary::{DropReason, ForwardingState, PortId, PortState, PuntReason, Verdict};
use packet::ethernet::{self, EtherType};
use packet::icmpv6;
use packet::ipv4::{self, Ipv4};
use packet::ipv6::{self, Ipv6};

use crate::{guard, local};

/// What a frame is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Class {
    /// An IPv4 packet without options whose destination decides.
    Ipv4(Ipv4Addr),
    /// An IPv6 packet whose destination decides.
    Ipv6(Ipv6Addr),
    /// Its fate needs no table.
    Decided(Verdict),
}

/// What `frame`, which came in through `ingress`, is.
#[inline]
pub(crate) fn classify(state: &ForwardingState, ingress: PortId, frame: &[u8]) -> Class {
    let port = state.port(ingress);
    let Some((ethernet, payload)) = ethernet::Header::parse(frame) else {
        return drop(DropReason::FrameTooShort);
    };
    let to_group = ethernet.destination.is_multicast();
    if ethernet.destination != port.mac && !to_group && !port.promiscuous {
        return drop(DropReason::NotOurMac);
    }
    match ethernet.ether_type {
        EtherType::IPV4 => ipv4(state, ingress, payload, to_group),
        EtherType::IPV6 => ipv6(state, ingress, payload, to_group),
        EtherType::ARP => Class::Decided(Verdict::Punt(PuntReason::Arp)),
        EtherType::VLAN | EtherType::SERVICE_VLAN => Class::Decided(Verdict::Tagged),
        _ => drop(DropReason::UnknownEtherType),
    }
}

#[inline]
fn ipv4(state: &ForwardingState, ingress: PortId, payload: &[u8], to_group: bool) -> Class {
    let packet = match Ipv4::parse(payload) {
        Ok(packet) => packet,
        Err(error) => {
            return drop(match error {
                ipv4::HeaderError::Truncated => DropReason::Truncated,
                ipv4::HeaderError::Version => DropReason::BadVersion,
                ipv4::HeaderError::HeaderLength => DropReason::BadHeaderLength,
                ipv4::HeaderError::Checksum => DropReason::BadChecksum,
                ipv4::HeaderError::TotalLength => DropReason::BadTotalLength,
            });
        }
    };
    let (source, destination) = (packet.source(), packet.destination());
    let port = state.port(ingress);
    // RFC 1812 5.3.5.1 and 5.2.3: neither the limited broadcast nor a group is forwarded.
    if destination.is_broadcast() {
        return to_many(port.tap, DropReason::Broadcast);
    }
    if destination.is_multicast() {
        // RFC 5771 section 4: 224.0.0.0/24 is for the link, and what routers tell each other goes there.
        return to_many(port.tap && destination.octets()[..3] == [224, 0, 0], DropReason::Multicast);
    }
    // RFC 1812 5.3.4: what the link broadcasts, a router does not pass on.
    if to_group {
        return drop(DropReason::LinkBroadcast);
    }
    // RFC 1812 5.3.7 and 4.2.2.11: networks 0 and 127, class D and E name no host that could have sent this...
    if is_martian(source, port) || source.is_multicast() {
        return drop(DropReason::MartianSource);
    }
    // ...nor one it could be for.
    if is_martian(destination, port) {
        return drop(DropReason::MartianDestination);
    }
    // RFC 3927 section 7: not forwarded, whatever the time to live.
    if source.is_link_local() || destination.is_link_local() {
        return drop(DropReason::LinkLocal);
    }
    if !port.policy.is_lenient()
        && let Some(verdict) = guard::ipv4(state, port.policy, ingress, &packet)
    {
        return Class::Decided(verdict);
    }
    // RFC 1812 5.3.13: nearly no packet has any, so they take the slow way.
    if packet.header_len() != ipv4::MIN_HEADER_LEN {
        return Class::Decided(Verdict::Punt(PuntReason::Options));
    }
    Class::Ipv4(destination)
}

#[inline]
fn ipv6(state: &ForwardingState, ingress: PortId, payload: &[u8], to_group: bool) -> Class {
    let port = state.port(ingress);
    let packet = match Ipv6::parse(payload) {
        Ok(packet) => packet,
        Err(ipv6::HeaderError::Truncated) => return drop(DropReason::Truncated),
        Err(ipv6::HeaderError::Version) => return drop(DropReason::BadVersion),
    };
    let (source, destination) = (packet.source(), packet.destination());
    // RFC 4291 2.7: groups stay on the link; the neighbour discovery of RFC 4861 is addressed to some of them.
    if destination.is_multicast() {
        return match packet.next_header() {
            icmpv6::PROTOCOL => Class::Decided(Verdict::Punt(PuntReason::NeighbourDiscovery)),
            // RFC 4291 2.7: of the link's scope, and no transient groups.
            _ => to_many(port.tap && destination.segments()[0] == 0xff02, DropReason::Multicast),
        };
    }
    if to_group {
        return drop(DropReason::LinkBroadcast);
    }
    // RFC 4291 2.5.2, 2.5.3 and 2.7: the unspecified, the loopback and group addresses send nothing over a link...
    if source.is_unspecified() || source.is_loopback() || source.is_multicast() {
        return drop(DropReason::MartianSource);
    }
    // ...and the first two receive nothing.
    if destination.is_unspecified() || destination.is_loopback() {
        return drop(DropReason::MartianDestination);
    }
    if !port.policy.is_lenient()
        && let Some(verdict) = guard::ipv6(state, port.policy, ingress, &packet)
    {
        return Class::Decided(verdict);
    }
    // RFC 4291 2.5.6: a link-local address is ours or nobody's beyond the link.
    if destination.is_unicast_link_local() {
        return match destination == port.link_local {
            true => Class::Decided(Verdict::Punt(local::reason(packet.bytes()))),
            false => drop(DropReason::LinkLocal),
        };
    }
    Class::Ipv6(destination)
}

/// Whether no host has this address: networks 0 and 127, and class E with the limited broadcast, unless the port's policy
/// says that the addresses of class E are as any others.
#[inline]
fn is_martian(address: Ipv4Addr, port: &PortState) -> bool {
    match address.octets()[0] {
        0 | 127 => true,
        240.. => !port.policy.class_e || address.is_broadcast(),
        _ => false,
    }
}

/// What is for more than one: the kernel's, where it `hears` it, and otherwise not passed on for `reason`.
#[cold]
fn to_many(hears: bool, reason: DropReason) -> Class {
    if hears { Class::Decided(Verdict::Punt(PuntReason::LinkGroup)) } else { drop(reason) }
}

fn drop(reason: DropReason) -> Class {
    Class::Decided(Verdict::Drop(reason))
}
