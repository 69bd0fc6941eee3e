//! Router solicitations and advertisements (RFC 4861 sections 4.1, 4.2 and 6.1): who the routers on a link are, and how
//! hosts are to use the link.

use std::net::Ipv6Addr;
use std::time::Duration;

use super::{HOP_LIMIT, NdpError, Options};
use crate::ethernet::MacAddr;
use crate::icmpv6::{self, Between, Icmpv6, kind};
use crate::ipv6;

/// A router solicitation: a host asks who the routers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouterSolicitation {
    /// The asker's station, unless it has no address yet.
    pub source_mac: Option<MacAddr>,
}

/// A router advertisement as another router hears it: what all routers of a link should say alike (section 6.2.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouterHeard {
    /// The hop limit that hosts are to use; 0 leaves it to them.
    pub hop_limit: u8,
    /// Addresses are given out by DHCPv6.
    pub managed: bool,
    /// Other configuration is.
    pub other: bool,
    /// How long the sender is a default router.
    pub lifetime: Duration,
    /// For how long hosts are to take an answer for good, in milliseconds; 0 leaves it to them.
    pub reachable_ms: u32,
    /// How long they are to wait between two questions, in milliseconds; 0 leaves it to them.
    pub retransmit_ms: u32,
    /// The longest packet the link carries, if it says.
    pub mtu: Option<u32>,
}

/// A router advertisement to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouterAdvertisement {
    /// The hop limit that hosts are to use; 0 leaves it to them.
    pub hop_limit: u8,
    /// Addresses are given out by DHCPv6.
    pub managed: bool,
    /// Other configuration is.
    pub other: bool,
    /// Whether hosts are to prefer this router to others, or others to it.
    pub preference: Preference,
    /// For how many seconds this is a default router; 0 says that it is none, or none any more.
    pub lifetime_seconds: u16,
    /// For how long hosts are to take an answer for good, in milliseconds; 0 leaves it to them.
    pub reachable_ms: u32,
    /// How long they are to wait between two questions, in milliseconds; 0 leaves it to them.
    pub retransmit_ms: u32,
    /// The router's station.
    pub source_mac: MacAddr,
    /// The longest packet the link carries.
    pub mtu: Option<u32>,
    /// The networks on the link.
    pub prefixes: Vec<PrefixInformation>,
    /// Resolvers of names (RFC 8106), good for three times the longest interval between advertisements.
    pub resolvers: Vec<Ipv6Addr>,
    /// For how many seconds they are.
    pub resolvers_seconds: u32,
}

/// A network on a link (RFC 4861 section 4.6.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrefixInformation {
    /// Its first address.
    pub prefix: Ipv6Addr,
    /// How many bits of it count.
    pub len: u8,
    /// Its hosts are on the link.
    pub on_link: bool,
    /// Hosts may make addresses of their own in it (RFC 4862).
    pub autonomous: bool,
    /// For how many seconds that is so.
    pub valid_seconds: u32,
    /// For how many seconds such addresses are good for new connections.
    pub preferred_seconds: u32,
}

/// Which of several routers hosts are to prefer (RFC 4191).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Preference {
    /// Others first.
    Low,
    /// As any.
    #[default]
    Medium,
    /// This one first.
    High,
}

impl RouterSolicitation {
    /// Section 6.1.1; the hop limit and the code have been looked at.
    pub(super) fn read(icmp: &Icmpv6<'_>, source: Ipv6Addr) -> Result<Self, NdpError> {
        let options = Options::read(icmp.body())?;
        if source.is_unspecified() && options.source.is_some() {
            return Err(NdpError::Unspecified);
        }
        Ok(Self { source_mac: options.source })
    }

    /// Appends the packet that asks, `between` the asker's address and where it asks.
    pub fn append_to(&self, between: Between, out: &mut Vec<u8>) {
        let mut body = Vec::new();
        body.extend(self.source_mac.into_iter().flat_map(|mac| station(super::SOURCE_MAC, mac)));
        append([kind::ROUTER_SOLICITATION, 0, 0, 0, 0, 0, 0, 0], &body, between, out);
    }
}

impl RouterHeard {
    /// Section 6.1.2; the hop limit and the code have been looked at.
    pub(super) fn read(icmp: &Icmpv6<'_>, source: Ipv6Addr) -> Result<Self, NdpError> {
        if !source.is_unicast_link_local() {
            return Err(NdpError::NotLinkLocal);
        }
        let ([a, b, c, d, e, f, g, h], options) = icmp.body().split_first_chunk().ok_or(NdpError::Damaged)?;
        let options = Options::read(options)?;
        let [hop_limit, flags, high, low] = icmp.word();
        Ok(Self {
            hop_limit,
            managed: flags & MANAGED != 0,
            other: flags & OTHER != 0,
            lifetime: Duration::from_secs(u16::from_be_bytes([high, low]).into()),
            reachable_ms: u32::from_be_bytes([*a, *b, *c, *d]),
            retransmit_ms: u32::from_be_bytes([*e, *f, *g, *h]),
            mtu: options.mtu,
        })
    }
}

impl RouterAdvertisement {
    /// Appends the packet that tells, `between` the router's link-local address and who is told.
    ///
    /// Appends nothing if it does not fit in a packet that every link carries.
    pub fn append_to(&self, between: Between, out: &mut Vec<u8>) {
        let [high, low] = self.lifetime_seconds.to_be_bytes();
        let flags =
            if self.managed { MANAGED } else { 0 } | if self.other { OTHER } else { 0 } | self.preference.bits();
        let header = [kind::ROUTER_ADVERTISEMENT, 0, 0, 0, self.hop_limit, flags, high, low];
        let mut body = Vec::new();
        body.extend(self.reachable_ms.to_be_bytes());
        body.extend(self.retransmit_ms.to_be_bytes());
        body.extend(station(super::SOURCE_MAC, self.source_mac));
        if let Some(mtu) = self.mtu {
            body.extend([super::MTU, 1, 0, 0]);
            body.extend(mtu.to_be_bytes());
        }
        self.prefixes.iter().for_each(|prefix| prefix.append_to(&mut body));
        self.append_resolvers(&mut body);
        if body.len() <= usize::from(ipv6::MIN_MTU) - ipv6::HEADER_LEN - icmpv6::HEADER_LEN {
            append(header, &body, between, out);
        }
    }

    fn append_resolvers(&self, body: &mut Vec<u8>) {
        let Ok(count) = u8::try_from(self.resolvers.len()) else { return };
        if count == 0 || count > MAX_RESOLVERS {
            return;
        }
        body.extend([RESOLVERS, 1 + 2 * count, 0, 0]);
        body.extend(self.resolvers_seconds.to_be_bytes());
        body.extend(self.resolvers.iter().flat_map(|resolver| resolver.octets()));
    }
}

impl PrefixInformation {
    fn append_to(&self, body: &mut Vec<u8>) {
        let flags = if self.on_link { 0x80 } else { 0 } | if self.autonomous { 0x40 } else { 0 };
        body.extend([PREFIX, 4, self.len, flags]);
        body.extend(self.valid_seconds.to_be_bytes());
        body.extend(self.preferred_seconds.to_be_bytes());
        body.extend([0; 4]);
        body.extend(self.prefix.octets());
    }
}

impl Preference {
    const fn bits(self) -> u8 {
        match self {
            Self::Low => 0b11 << 3,
            Self::Medium => 0,
            Self::High => 0b01 << 3,
        }
    }
}

fn station(option: u8, MacAddr([a, b, c, d, e, f]): MacAddr) -> [u8; 8] {
    [option, 1, a, b, c, d, e, f]
}

fn append(header: [u8; icmpv6::HEADER_LEN], body: &[u8], between: Between, out: &mut Vec<u8>) {
    let Between { source, destination } = between;
    let ip = ipv6::Builder { source, destination, next_header: icmpv6::PROTOCOL, hop_limit: HOP_LIMIT };
    out.extend(ip.header(icmpv6::HEADER_LEN + body.len()).expect("its length was looked at"));
    icmpv6::append(header, body, between, out);
}

/// As many resolvers as an advertisement has room for beside the rest.
pub const MAX_RESOLVERS: u8 = 8;

/// As many prefixes.
pub const MAX_PREFIXES: usize = 30;

const PREFIX: u8 = 3;
const RESOLVERS: u8 = 25;
const MANAGED: u8 = 0x80;
const OTHER: u8 = 0x40;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipv6::Ipv6;
    use crate::ndp::{ALL_NODES, ALL_ROUTERS, Message};

    const ROUTER: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
    const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);

    fn advertisement() -> RouterAdvertisement {
        let prefix = PrefixInformation {
            prefix: Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 0),
            len: 64,
            on_link: true,
            autonomous: true,
            valid_seconds: 2_592_000,
            preferred_seconds: 604_800,
        };
        RouterAdvertisement {
            hop_limit: 64,
            managed: false,
            other: true,
            preference: Preference::High,
            lifetime_seconds: 1800,
            reachable_ms: 30_000,
            retransmit_ms: 1000,
            source_mac: MAC,
            mtu: Some(1500),
            prefixes: vec![prefix],
            resolvers: vec![ROUTER],
            resolvers_seconds: 1800,
        }
    }

    fn packet(between: Between, build: impl Fn(Between, &mut Vec<u8>)) -> Vec<u8> {
        let mut packet = Vec::new();
        build(between, &mut packet);
        packet
    }

    fn told(advertisement: &RouterAdvertisement, source: Ipv6Addr) -> Vec<u8> {
        packet(Between { source, destination: ALL_NODES }, |between, out| advertisement.append_to(between, out))
    }

    fn parse(packet: &[u8]) -> Result<Message, NdpError> {
        Message::parse(&Ipv6::parse(packet).unwrap())
    }

    #[test]
    fn what_a_router_says_is_laid_out_as_hosts_read_it() {
        let packet = told(&advertisement(), ROUTER);
        let message = &packet[40..];
        assert_eq!(message[4..8], [64, OTHER | 0b01 << 3, 0x07, 0x08], "hop limit, flags, lifetime");
        assert_eq!(message[16..24], [1, 1, 2, 0, 0, 0, 0, 1], "the station");
        assert_eq!(message[24..32], [5, 1, 0, 0, 0, 0, 0x05, 0xdc], "the MTU");
        assert_eq!(message[32..36], [3, 4, 64, 0xc0], "the prefix");
        assert_eq!(message[64..68], [25, 3, 0, 0], "the resolvers");
        assert_eq!(message.len(), 64 + 24);
    }

    #[test]
    fn another_router_reads_what_all_should_say_alike() {
        let expected = RouterHeard {
            hop_limit: 64,
            managed: false,
            other: true,
            lifetime: Duration::from_secs(1800),
            reachable_ms: 30_000,
            retransmit_ms: 1000,
            mtu: Some(1500),
        };
        let packet = told(&advertisement(), ROUTER);
        assert_eq!(parse(&packet), Ok(Message::RouterAdvertisement(expected)));
    }

    #[test]
    fn an_advertisement_comes_from_a_link_local_address() {
        let packet = told(&advertisement(), Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));
        assert_eq!(parse(&packet), Err(NdpError::NotLinkLocal));
    }

    #[test]
    fn a_host_without_an_address_does_not_say_which_station_it_is() {
        let asked = |source, source_mac| {
            let asked = RouterSolicitation { source_mac };
            packet(Between { source, destination: ALL_ROUTERS }, |between, out| asked.append_to(between, out))
        };
        for (source, source_mac) in [(ROUTER, Some(MAC)), (ROUTER, None), (Ipv6Addr::UNSPECIFIED, None)] {
            let read = parse(&asked(source, source_mac));
            assert_eq!(read, Ok(Message::RouterSolicitation(RouterSolicitation { source_mac })));
        }
        assert_eq!(parse(&asked(Ipv6Addr::UNSPECIFIED, Some(MAC))), Err(NdpError::Unspecified));
    }

    #[test]
    fn the_most_there_may_be_to_say_fits_in_every_link() {
        let mut most = advertisement();
        most.prefixes = vec![most.prefixes[0]; MAX_PREFIXES];
        most.resolvers = vec![ROUTER; usize::from(MAX_RESOLVERS)];
        let packet = told(&most, ROUTER);
        assert!(!packet.is_empty() && packet.len() <= 1280, "{}", packet.len());
        most.prefixes.extend(most.prefixes.clone());
        assert_eq!(told(&most, ROUTER), [], "and what does not is not sent");
    }
}
