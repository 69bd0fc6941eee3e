//! A packet of either family, checked, behind the Ethernet header it came with.

use std::net::IpAddr;

use packet::ethernet::{EtherType, Header};
use packet::ipv4::Ipv4;
use packet::ipv6::Ipv6;

/// An IP packet.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Packet<'a> {
    /// IPv4.
    V4(Ipv4<'a>),
    /// IPv6.
    V6(Ipv6<'a>),
}

impl<'a> Packet<'a> {
    /// The packet in a frame whose header was read already; `None` when there is no valid one.
    ///
    /// Workers have checked it. It is checked again, because that is how a view comes to be.
    pub(crate) fn in_frame(header: Header, payload: &'a [u8]) -> Option<Self> {
        match header.ether_type {
            EtherType::IPV4 => Ipv4::parse(payload).ok().map(Self::V4),
            EtherType::IPV6 => Ipv6::parse(payload).ok().map(Self::V6),
            _ => None,
        }
    }

    /// The packet that `bytes` are.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        match bytes.first()? >> 4 {
            4 => Ipv4::parse(bytes).ok().map(Self::V4),
            6 => Ipv6::parse(bytes).ok().map(Self::V6),
            _ => None,
        }
    }

    /// Where a packet comes from and goes, of which this is the beginning: its header is not checked.
    pub(crate) fn addresses_of(beginning: &[u8]) -> Option<(IpAddr, IpAddr)> {
        let v4 = |at: usize| beginning.get(at..)?.first_chunk().map(|octets: &[u8; 4]| IpAddr::from(*octets));
        let v6 = |at: usize| beginning.get(at..)?.first_chunk().map(|octets: &[u8; 16]| IpAddr::from(*octets));
        match beginning.first()? >> 4 {
            4 => v4(12).zip(v4(16)),
            6 => v6(8).zip(v6(24)),
            _ => None,
        }
    }

    pub(crate) fn source(&self) -> IpAddr {
        match self {
            Self::V4(packet) => packet.source().into(),
            Self::V6(packet) => packet.source().into(),
        }
    }

    pub(crate) fn destination(&self) -> IpAddr {
        match self {
            Self::V4(packet) => packet.destination().into(),
            Self::V6(packet) => packet.destination().into(),
        }
    }

    /// Time to live, or hop limit.
    pub(crate) fn hops(&self) -> u8 {
        match self {
            Self::V4(packet) => packet.ttl(),
            Self::V6(packet) => packet.hop_limit(),
        }
    }

    /// Header first, nothing after its end.
    pub(crate) fn bytes(&self) -> &'a [u8] {
        match self {
            Self::V4(packet) => packet.bytes(),
            Self::V6(packet) => packet.bytes(),
        }
    }
}

/// Whether an address belongs to one link alone, so that it says nothing without the port.
pub(crate) const fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}
