//! Telling senders what became of their packets: which error, about what never, how often, and from which address.
//!
//! The report comes from the address of the port that the packet came in through, so that a trace shows the hop by the
//! address its neighbours know (RFC 1812 section 4.3.2.4, RFC 4443 section 2.2).

use std::net::{IpAddr, Ipv4Addr};

use boundary::PortId;
use packet::extension;
use packet::icmpv4::{self, Icmpv4};
use packet::icmpv6::{self, Between};
use packet::ipv4::{self, Ipv4};
use packet::ipv6::{self, Ipv6};

use crate::control::{Control, Turn};
use crate::limits::Class;
use crate::packets::Packet;
use crate::ports::{is_martian_source_v4, is_martian_source_v6};

/// Why a packet went no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Problem {
    /// No route leads to its destination.
    NoRoute,
    /// A route says that it leads nowhere.
    Unreachable,
    /// Somebody decided that it is not to pass.
    Prohibited,
    /// Its next hop never answered.
    NoNeighbour,
    /// It is longer than this, and may not be cut.
    TooBig {
        /// What the way on carries.
        mtu: u16,
    },
    /// Somebody on its sender's own link is nearer to its destination; it was sent on all the same.
    NearerWay {
        /// The gateway there, or the destination itself.
        by: Ipv4Addr,
    },
    /// It had no hop left.
    HopsExceeded,
    /// It is for us, and nobody here listens on its port.
    NoPort,
    /// It is for us, and its protocol is not spoken here.
    NoProtocol {
        /// Where the protocol's number stands in an IPv6 packet.
        at: usize,
    },
    /// Somebody whom its source route names next is not on any link of ours.
    NotOnTheRoute,
    /// Something in its header makes no sense.
    Malformed {
        /// Where, in the packet.
        at: usize,
    },
    /// It is for us, and not all of its fragments came in time.
    NotWhole,
    /// It is for us by a routing header that has more to visit (RFC 5095).
    RoutedBySource {
        /// Where the routing header's type stands in the packet.
        at: usize,
    },
}

impl Problem {
    fn ipv4(self) -> Option<icmpv4::Error> {
        Some(match self {
            Self::NoRoute => icmpv4::Error::NetUnreachable,
            Self::Unreachable | Self::NoNeighbour => icmpv4::Error::HostUnreachable,
            Self::Prohibited => icmpv4::Error::Prohibited,
            Self::TooBig { mtu } => icmpv4::Error::FragmentationNeeded { mtu },
            Self::NearerWay { by } => icmpv4::Error::Redirect { nearer: by },
            Self::HopsExceeded => icmpv4::Error::TimeExceeded,
            Self::NoPort => icmpv4::Error::PortUnreachable,
            Self::NoProtocol { .. } => icmpv4::Error::ProtocolUnreachable,
            Self::NotOnTheRoute => icmpv4::Error::SourceRouteFailed,
            Self::Malformed { at } => icmpv4::Error::ParameterProblem { pointer: u8::try_from(at).ok()? },
            Self::NotWhole => icmpv4::Error::ReassemblyTimeExceeded,
            Self::RoutedBySource { .. } => return None,
        })
    }

    fn ipv6(self) -> Option<icmpv6::Error> {
        let pointer = |at| u32::try_from(at).unwrap_or(u32::MAX);
        Some(match self {
            Self::NoRoute => icmpv6::Error::NoRoute,
            Self::Unreachable => icmpv6::Error::RejectRoute,
            Self::Prohibited => icmpv6::Error::Prohibited,
            Self::NoNeighbour => icmpv6::Error::AddressUnreachable,
            // RFC 8200 section 5: every link carries this much, and a sender would not believe less.
            Self::TooBig { mtu } => icmpv6::Error::PacketTooBig { mtu: mtu.max(ipv6::MIN_MTU).into() },
            Self::HopsExceeded => icmpv6::Error::HopLimitExceeded,
            Self::NoPort => icmpv6::Error::PortUnreachable,
            Self::NoProtocol { at } => icmpv6::Error::UnknownNextHeader { pointer: pointer(at) },
            Self::NotWhole => icmpv6::Error::ReassemblyTimeExceeded,
            // RFC 8200 has no source route but the routing header.
            Self::NotOnTheRoute => icmpv6::Error::AddressUnreachable,
            Self::RoutedBySource { at } | Self::Malformed { at } => {
                icmpv6::Error::ErroneousField { pointer: pointer(at) }
            }
            // IPv6 says it with neighbour discovery.
            Self::NearerWay { .. } => return None,
        })
    }

    /// Whether it is about a packet that was for us.
    const fn is_local(self) -> bool {
        matches!(self.class(), Class::Local)
    }

    /// With whom it shares how often it may be told.
    const fn class(self) -> Class {
        match self {
            Self::NoRoute
            | Self::Unreachable
            | Self::Prohibited
            | Self::NoNeighbour
            | Self::NotOnTheRoute
            | Self::NearerWay { .. } => Class::Unreachable,
            Self::TooBig { .. } => Class::TooBig,
            Self::HopsExceeded => Class::HopsExceeded,
            Self::NoPort | Self::NoProtocol { .. } | Self::RoutedBySource { .. } | Self::NotWhole => Class::Local,
            Self::Malformed { .. } => Class::Malformed,
        }
    }
}

impl Control {
    /// Tells the sender of `packet`, which came in through `from`, unless nobody is ever to be told of such a packet.
    pub(crate) fn report(&mut self, problem: Problem, packet: &Packet<'_>, from: PortId, turn: &mut Turn<'_>) {
        if !self.may_tell(problem.class(), packet, turn) {
            return;
        }
        let own =
            if problem.is_local() { Some(packet.destination()) } else { self.ports.speaks_to(packet.source(), from) };
        let report = match (packet, own) {
            (Packet::V4(packet), Some(IpAddr::V4(own))) => {
                problem.ipv4().and_then(|error| self.error_v4(error, packet, own))
            }
            (Packet::V6(packet), Some(IpAddr::V6(own))) => {
                problem.ipv6().and_then(|error| error_v6(error, packet, own))
            }
            _ => None,
        };
        let Some(report) = report else { return };
        self.counts.icmp_errors += 1;
        self.originate(report, packet.source(), from, turn);
    }

    /// Whether the sender of `packet` may be told something of this class now: if anybody, and if not too often.
    pub(crate) fn may_tell(&mut self, class: Class, packet: &Packet<'_>, turn: &Turn<'_>) -> bool {
        if !self.may_report(packet) {
            return false;
        }
        let may = self.limits.allow(class, packet.source(), turn.now);
        self.counts.icmp_limited += u64::from(!may);
        may
    }

    fn may_report(&self, packet: &Packet<'_>) -> bool {
        !self.ports.own(packet.source())
            && match packet {
                Packet::V4(packet) => {
                    let nobody = |address| self.ports.is_broadcast(address);
                    may_report_v4(packet) && !nobody(packet.source()) && !nobody(packet.destination())
                }
                Packet::V6(packet) => may_report_v6(packet),
            }
    }

    fn error_v4(&mut self, error: icmpv4::Error, about: &Ipv4<'_>, own: Ipv4Addr) -> Option<Vec<u8>> {
        let mut message = Vec::new();
        icmpv4::append_error(error, about.bytes(), &mut message);
        let ip = ipv4::Builder {
            source: own,
            destination: about.source(),
            protocol: icmpv4::PROTOCOL,
            ttl: HOPS,
            // RFC 1812 section 4.3.2.5: internetwork control.
            tos: 0xc0,
            identification: self.next_identification(),
            dont_fragment: false,
        };
        Some([&ip.header(message.len())?[..], &message].concat())
    }

    /// The number of the next IPv4 packet of our own.
    pub(crate) fn next_identification(&mut self) -> u16 {
        self.identification = self.identification.wrapping_add(1);
        self.identification
    }
}

fn error_v6(error: icmpv6::Error, about: &Ipv6<'_>, own: std::net::Ipv6Addr) -> Option<Vec<u8>> {
    let between = Between { source: own, destination: about.source() };
    let mut message = Vec::new();
    icmpv6::append_error(error, about.bytes(), between, &mut message);
    let ip = ipv6::Builder {
        source: between.source,
        destination: between.destination,
        next_header: icmpv6::PROTOCOL,
        hop_limit: HOPS,
    };
    Some([&ip.header(message.len())?[..], &message].concat())
}

/// RFC 1812 section 4.3.2.7: about which packets no error is ever sent.
fn may_report_v4(packet: &Ipv4<'_>) -> bool {
    let destination = packet.destination();
    let is_first = packet.fragment_offset() == 0;
    let to_one = !destination.is_multicast() && !destination.is_broadcast();
    is_first && to_one && !is_martian_source_v4(packet.source()) && !is_icmp_error_v4(packet)
}

/// A first fragment has the type in front, whatever became of the rest; a packet too short for one is left alone.
fn is_icmp_error_v4(packet: &Ipv4<'_>) -> bool {
    packet.protocol() == icmpv4::PROTOCOL && packet.payload().first().is_none_or(|kind| icmpv4::is_error(*kind))
}

/// RFC 4443 section 2.4 e: about which packets no error is ever sent.
fn may_report_v6(packet: &Ipv6<'_>) -> bool {
    !packet.destination().is_multicast() && !is_martian_source_v6(packet.source()) && !is_icmp_error_v6(packet)
}

/// A chain of headers that cannot be followed may hide an error, and so does a fragment that is not the first.
fn is_icmp_error_v6(packet: &Ipv6<'_>) -> bool {
    let Some(upper) = extension::upper(packet) else { return true };
    let is_later = upper.fragment_offset.is_some_and(|offset| offset != 0);
    is_later || upper.protocol == icmpv6::PROTOCOL && upper.bytes.first().is_none_or(|kind| icmpv6::is_error(*kind))
}

/// Whether `message` asks for an echo.
pub(crate) fn is_echo_request_v4(message: &Icmpv4<'_>) -> bool {
    (message.kind(), message.code()) == (icmpv4::kind::ECHO_REQUEST, 0)
}

/// Hops of a packet of our own (RFC 1700's default).
pub(crate) const HOPS: u8 = 64;
