//! What became of a packet, and the one name for each way it can fare.
//!
//! The name is the same in the code, the counters, the JSON, the metrics and the tool's rows; the first line of a
//! variant's documentation is the explanation a person reads there.

use crate::state::PortId;

/// What a worker decided about one packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is rewritten and leaves through this port.
    Transmit(PortId),
    /// The control thread decides.
    Punt(PuntReason),
    /// It goes no further.
    Drop(DropReason),
    /// It carries VLAN tags: which port it came in through is to be found out first.
    Tagged,
}

/// Defines an enum of reasons whose names and explanations stand once, beside each other.
macro_rules! reasons {
    ($(#[$about:meta])* $Reason:ident { $(#[doc = $first:literal] $(#[doc = $more:literal])* $Variant:ident = $name:literal,)+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum $Reason {
            $(#[doc = $first] $(#[doc = $more])* $Variant,)+
        }

        impl $Reason {
            /// Every reason, in the order of the checks that give it.
            pub const ALL: &[Self] = &[$(Self::$Variant,)+];

            /// Its name wherever it is counted or shown.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$Variant => $name,)+
                }
            }

            /// What it means, in a sentence for people.
            pub const fn explanation(self) -> &'static str {
                match self {
                    $(Self::$Variant => $first.trim_ascii(),)+
                }
            }

            /// Its place in [`Self::ALL`].
            #[inline]
            pub const fn index(self) -> usize {
                self as usize
            }
        }
    };
}

reasons! {
    /// Why a packet went no further.
    DropReason {
        /// The frame is shorter than an Ethernet header.
        FrameTooShort = "frame_too_short",
        /// The frame is longer than a buffer for its port's MTU, and not taken in pieces.
        FrameTooLong = "frame_too_long",
        /// The frame was sent to another station.
        NotOurMac = "not_our_mac",
        /// The frame carries VLAN tags that no port is configured for.
        UnknownVlan = "unknown_vlan",
        /// The frame carries a protocol that ferry does not speak.
        UnknownEtherType = "unknown_ether_type",
        /// The packet is shorter than its headers claim (RFC 1812 5.2.2 rule 1, RFC 8200 section 3).
        Truncated = "truncated",
        /// The version in the IP header is not that of the frame's type (RFC 1812 5.2.2 rule 3).
        BadVersion = "bad_version",
        /// The IPv4 header is shorter than 20 bytes (RFC 1812 5.2.2 rule 4).
        BadHeaderLength = "bad_header_length",
        /// The IPv4 header checksum is wrong (RFC 1812 5.2.2 rule 2).
        BadChecksum = "bad_checksum",
        /// The IPv4 total length does not hold the header (RFC 1812 5.2.2 rule 5).
        BadTotalLength = "bad_total_length",
        /// A unicast packet came in a broadcast or multicast frame (RFC 1812 5.3.4).
        LinkBroadcast = "link_broadcast",
        /// No host can have sent from this source address (RFC 1812 5.3.7, RFC 4291 2.5).
        MartianSource = "martian_source",
        /// No packet to this destination belongs on a link (RFC 1812 5.3.7, RFC 4291 2.5).
        MartianDestination = "martian_destination",
        /// The source is one of our own addresses: somebody pretends to be us.
        SpoofedSource = "spoofed_source",
        /// No route leads back to the source the way the packet came (RFC 3704).
        ReversePath = "reverse_path",
        /// A filter of the port it came in through says so (RFC 1812 5.3.9).
        Filtered = "filtered",
        /// Link-local addresses are not forwarded (RFC 3927 section 7, RFC 4291 2.5.6).
        LinkLocal = "link_local",
        /// The limited broadcast is never forwarded (RFC 1812 5.3.5.1).
        Broadcast = "broadcast",
        /// Multicast is not forwarded.
        Multicast = "multicast",
        /// A route says to discard it in silence.
        Blackhole = "blackhole",
        /// Too many frames about neighbours waited for the control thread, or this one was too long to wait.
        PuntFullNeighbours = "punt_full_neighbours",
        /// Too many frames of routing protocols waited for the control thread, or this one was too long to wait.
        PuntFullRouting = "punt_full_routing",
        /// Too many packets to our own addresses waited for the control thread, or this one was too long to wait.
        PuntFullLocal = "punt_full_local",
        /// Too many packets to be reported to their senders waited for the control thread, or this one was too long to wait.
        PuntFullErrors = "punt_full_errors",
        /// Too many packets longer than the link out waited for the control thread, or this one was too long to wait.
        PuntFullTooBig = "punt_full_too_big",
        /// Too many packets of other kinds waited for the control thread, or this one was too long to wait.
        PuntFullOther = "punt_full_other",
        /// The port it came in through is down, because a person wants it so.
        PortDown = "port_down",
        /// The port out had no room.
        TxFull = "tx_full",
    }
}

reasons! {
    /// What a worker could not decide in place.
    PuntReason {
        /// It is ARP.
        Arp = "arp",
        /// It is IPv6 neighbour discovery, or other ICMPv6 to a group on the link.
        NeighbourDiscovery = "neighbour_discovery",
        /// It is for one of our own addresses, and of a protocol that routers speak among themselves.
        Routing = "routing",
        /// It is for one of our own addresses.
        Local = "local",
        /// Its header has options (RFC 1812 5.3.13).
        Options = "options",
        /// A filter of the port it came in through rejects it, and the sender is told (RFC 1812 5.3.9).
        Rejected = "rejected",
        /// It is for a group on the link, or for everybody, and the kernel has an interface on the port that hears it.
        LinkGroup = "link_group",
        /// Its time to live ran out here (RFC 1812 5.3.1, RFC 4443 3.3).
        TtlExpired = "ttl_expired",
        /// No route leads to its destination (RFC 1812 5.2.7.1, RFC 4443 3.1).
        NoRoute = "no_route",
        /// A route says that its destination is unreachable.
        Unreachable = "unreachable",
        /// The next hop's MAC address is not known yet.
        Unresolved = "unresolved",
        /// It is longer than the link out can carry (RFC 1812 5.2.6, RFC 4443 3.2).
        TooBig = "too_big",
        /// A copy of one that left by the port it came in through: its sender may go a nearer way (RFC 1812 5.2.7.2).
        /// The packet itself is counted as transmitted, and its copy not at all.
        NearerWay = "nearer_way",
    }
}

reasons! {
    /// Which reasons share a way to the control thread, the urgent ones first.
    PuntClass {
        /// ARP and neighbour discovery: without them there are no neighbours.
        Neighbours = "neighbours",
        /// Protocols that routers speak among themselves.
        Routing = "routing",
        /// Packets to our own addresses.
        Local = "local",
        /// Packets to be reported to their senders.
        Errors = "errors",
        /// Packets longer than the link out: path MTU discovery hangs on them.
        TooBig = "too_big",
        /// Packets that take the slow way through the router: to neighbours not known yet, and with options.
        Other = "other",
    }
}

impl PuntReason {
    /// The class it shares its way up with.
    #[inline]
    pub const fn class(self) -> PuntClass {
        match self {
            Self::Arp | Self::NeighbourDiscovery => PuntClass::Neighbours,
            Self::Routing | Self::LinkGroup => PuntClass::Routing,
            Self::Local => PuntClass::Local,
            Self::Rejected | Self::TtlExpired | Self::NoRoute | Self::Unreachable | Self::NearerWay => {
                PuntClass::Errors
            }
            Self::TooBig => PuntClass::TooBig,
            Self::Unresolved | Self::Options => PuntClass::Other,
        }
    }
}

impl DropReason {
    /// Whether a packet says by its addresses that somebody on the link is mistaken, or lies (RFC 1812 section 5.3.7).
    #[inline]
    pub const fn is_martian(self) -> bool {
        matches!(self, Self::MartianSource | Self::MartianDestination | Self::SpoofedSource | Self::ReversePath)
    }
}

impl PuntClass {
    /// What a frame of it is counted as that there was no room for.
    pub const fn no_room(self) -> DropReason {
        match self {
            Self::Neighbours => DropReason::PuntFullNeighbours,
            Self::Routing => DropReason::PuntFullRouting,
            Self::Local => DropReason::PuntFullLocal,
            Self::Errors => DropReason::PuntFullErrors,
            Self::TooBig => DropReason::PuntFullTooBig,
            Self::Other => DropReason::PuntFullOther,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_reason_has_a_name_of_its_own_and_its_place() {
        let names: Vec<_> = DropReason::ALL
            .iter()
            .map(|reason| reason.name())
            .chain(PuntReason::ALL.iter().map(|reason| reason.name()))
            .collect();
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
        for (place, reason) in DropReason::ALL.iter().enumerate() {
            assert_eq!(reason.index(), place);
        }
    }

    #[test]
    fn a_reason_explains_itself_in_a_sentence() {
        assert_eq!(DropReason::TxFull.explanation(), "The port out had no room.");
        assert!(PuntReason::ALL.iter().all(|reason| reason.explanation().ends_with('.')));
    }
}
