//! Who is on the links of a scene.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use boundary::PortId;
use packet::ethernet::MacAddr;

/// The port of `192.0.2.1/24` and `2001:db8:1::1/64`.
pub const LEFT: PortId = PortId(0);
/// The port of `198.51.100.1/24` and `2001:db8:2::1/64`.
pub const RIGHT: PortId = PortId(1);

/// A host on one of the links, or the router as that link sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Host {
    /// The router's port it is behind.
    pub port: PortId,
    /// Its station.
    pub mac: MacAddr,
    /// Its IPv4 address.
    pub v4: Ipv4Addr,
    /// Its IPv6 address.
    pub v6: Ipv6Addr,
}

/// A host on the left.
pub const ALICE: Host = Host {
    port: LEFT,
    mac: MacAddr([2, 0, 0, 0, 1, 0x10]),
    v4: Ipv4Addr::new(192, 0, 2, 10),
    v6: Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 0x10),
};
/// A host on the right.
pub const BOB: Host = Host {
    port: RIGHT,
    mac: MacAddr([2, 0, 0, 0, 2, 0x20]),
    v4: Ipv4Addr::new(198, 51, 100, 20),
    v6: Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, 0x20),
};
/// The next router on the right.
pub const GATEWAY: Host = Host {
    port: RIGHT,
    mac: MacAddr([2, 0, 0, 0, 2, 0xfe]),
    v4: Ipv4Addr::new(198, 51, 100, 254),
    v6: Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, 0xfe),
};
/// A host in the networks behind the gateway: its packets come and go with the gateway's station.
pub const BEYOND: Host =
    Host { v4: Ipv4Addr::new(203, 0, 113, 9), v6: Ipv6Addr::new(0x2001, 0xdb8, 0xbe, 0, 0, 0, 0, 9), ..GATEWAY };
/// Where no route leads.
pub const NOWHERE: Host =
    Host { v4: Ipv4Addr::new(10, 99, 0, 1), v6: Ipv6Addr::new(0x2001, 0xdb8, 0xdead, 0, 0, 0, 0, 1), ..GATEWAY };
/// The router, as the left link sees it.
pub const ON_LEFT: Host = Host {
    port: LEFT,
    mac: MacAddr([2, 0, 0, 0, 0, 1]),
    v4: Ipv4Addr::new(192, 0, 2, 1),
    v6: Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 1),
};
/// The router, as the right link sees it.
pub const ON_RIGHT: Host = Host {
    port: RIGHT,
    mac: MacAddr([2, 0, 0, 0, 0, 2]),
    v4: Ipv4Addr::new(198, 51, 100, 1),
    v6: Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, 1),
};

impl Host {
    /// Its address of the family of `other`.
    pub fn like(&self, other: impl Into<IpAddr>) -> IpAddr {
        if other.into().is_ipv4() { self.v4.into() } else { self.v6.into() }
    }

    /// Its address of either family.
    pub fn addresses(&self) -> [IpAddr; 2] {
        [self.v4.into(), self.v6.into()]
    }

    /// The router on its link.
    pub(crate) fn router(&self) -> Self {
        if self.port == LEFT { ON_LEFT } else { ON_RIGHT }
    }
}
