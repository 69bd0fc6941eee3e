//! Who wants a route, and where it leads.

use std::net::IpAddr;

use boundary::PortId;
use control_api::{Family, RouteFlags};
use packet::ethernet::MacAddr;

use crate::next_hops::Key;

/// Who wants a route, in the order of preference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Protocol {
    /// A port's address: the address itself, and those of its network that are no host's.
    Local,
    /// A port's address: the network on its link.
    Connected,
    /// A person, in the configuration or through the API.
    Static,
    /// A routing daemon.
    Daemon,
}

impl Protocol {
    pub(super) const FIRST: Self = Self::Local;
    pub(super) const LAST: Self = Self::Daemon;

    /// What its routes are worth unless somebody says otherwise, as OpenBSD counts (`RTP_LOCAL` and so on).
    pub(crate) const fn priority(self) -> u8 {
        match self {
            Self::Local => 1,
            Self::Connected => 4,
            Self::Static => 8,
            Self::Daemon => 56,
        }
    }

    /// The flags that say so: what follows from a port's address is not for protocols or people to take away.
    pub(crate) const fn flags(self) -> RouteFlags {
        match self {
            Self::Local | Self::Connected => RouteFlags::PINNED,
            Self::Static => RouteFlags::STATIC,
            Self::Daemon => RouteFlags::empty(),
        }
    }
}

/// Where a route leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// To ourselves.
    Local,
    /// To ourselves, as to every router on the link (RFC 4291 section 2.6.1).
    Anycast,
    /// To no host: an IPv4 network's own address, or its broadcast.
    Broadcast,
    /// To the hosts on this port's link.
    Link(PortId),
    /// To this station on this port's link, whatever the host, with packets of this family.
    Station(PortId, MacAddr, Family),
    /// To a gateway on this port's link.
    Gateway(PortId, IpAddr),
    /// Nowhere, in silence.
    Blackhole,
    /// Nowhere, and the sender is told.
    Unreachable,
    /// Nowhere, and the sender is told that somebody wants it so.
    Prohibited,
}

impl Way {
    /// The next hop it takes.
    pub(crate) const fn next_hop(self) -> Key {
        match self {
            Self::Local | Self::Anycast => Key::Local,
            Self::Broadcast | Self::Blackhole => Key::Blackhole,
            Self::Link(port) => Key::Link(port),
            Self::Station(port, mac, family) => Key::Station(port, mac, family),
            Self::Gateway(port, gateway) => Key::Neighbour(port, gateway),
            Self::Unreachable | Self::Prohibited => Key::Unreachable,
        }
    }

    /// The flags that say so.
    pub(crate) const fn flags(self) -> RouteFlags {
        match self {
            Self::Local | Self::Anycast => RouteFlags::LOCAL,
            Self::Broadcast => RouteFlags::BROADCAST,
            Self::Link(_) => RouteFlags::empty(),
            Self::Station(..) => RouteFlags::LLINFO,
            Self::Gateway(..) => RouteFlags::GATEWAY,
            Self::Blackhole => RouteFlags::BLACKHOLE,
            Self::Unreachable | Self::Prohibited => RouteFlags::REJECT,
        }
    }

    /// Whether a person would look for such a route: not if it follows from an address and is no host's.
    pub(crate) const fn is_listed(self) -> bool {
        !matches!(self, Self::Broadcast | Self::Anycast)
    }

    /// The port it leaves through.
    pub(crate) const fn port(self) -> Option<PortId> {
        match self {
            Self::Link(port) | Self::Station(port, ..) | Self::Gateway(port, _) => Some(port),
            Self::Local | Self::Anycast | Self::Broadcast | Self::Blackhole | Self::Unreachable | Self::Prohibited => {
                None
            }
        }
    }
}
