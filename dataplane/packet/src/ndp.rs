//! IPv6 neighbour discovery (RFC 4861): which station has an address.
//!
//! Solicitations and advertisements of neighbours, and of routers, checked as their receivers must; what fails a check is
//! to be discarded in silence. Redirects are only told: a router believes none.
//! Builders make whole packets, IP header first, because half of the rules are about that header.

mod redirect;
mod router;

use std::net::Ipv6Addr;

pub use redirect::Redirect;
pub use router::{
    MAX_PREFIXES, MAX_RESOLVERS, Preference, PrefixInformation, RouterAdvertisement, RouterHeard, RouterSolicitation,
};

use crate::ethernet::MacAddr;
use crate::extension;
use crate::icmpv6::{self, Between, Icmpv6, kind};
use crate::ipv6::{self, Ipv6};

/// All nodes on the link.
pub const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// All routers on the link.
pub const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);

/// The hop limit that shows that no router was on the way.
pub const HOP_LIMIT: u8 = 255;

/// The group in which whoever has `address` listens for solicitations (RFC 4291 section 2.7.1).
pub const fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = address.octets();
    Ipv6Addr::from_octets([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a, b, c])
}

/// A message that passed its checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// Which station has the target?
    Solicitation(Solicitation),
    /// This station has the target.
    Advertisement(Advertisement),
    /// Who are the routers?
    RouterSolicitation(RouterSolicitation),
    /// This is a router.
    RouterAdvertisement(RouterHeard),
}

/// A neighbour solicitation (section 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Solicitation {
    /// The address asked for.
    pub target: Ipv6Addr,
    /// The asker's station, unless it has no address yet.
    pub source_mac: Option<MacAddr>,
}

/// A neighbour advertisement (section 4.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advertisement {
    /// Whose station it is about.
    pub target: Ipv6Addr,
    /// The station; an answer to a solicitation that came to it may leave it out.
    pub target_mac: Option<MacAddr>,
    /// The sender is a router.
    pub router: bool,
    /// It answers a solicitation of its receiver, and so shows that both directions work.
    pub solicited: bool,
    /// It is to replace what its receiver knew.
    pub overrides: bool,
}

impl Message {
    /// Reads a message from the packet it came in.
    ///
    /// # Errors
    ///
    /// The first rule of sections 6.1.1, 6.1.2, 7.1.1 and 7.1.2 that is broken, or that it is another message.
    pub fn parse(packet: &Ipv6<'_>) -> Result<Self, NdpError> {
        let upper = extension::upper(packet).ok_or(NdpError::NotNeighbourDiscovery)?;
        if upper.protocol != icmpv6::PROTOCOL {
            return Err(NdpError::NotNeighbourDiscovery);
        }
        // RFC 6980 section 5: no fragments.
        if upper.fragment_offset.is_some() {
            return Err(NdpError::Fragment);
        }
        let (source, destination) = (packet.source(), packet.destination());
        let icmp = Icmpv6::parse(upper.bytes, source, destination).map_err(|_damaged| NdpError::Damaged)?;
        if !matches!(icmp.kind(), kind::ROUTER_SOLICITATION..=kind::NEIGHBOUR_ADVERTISEMENT) {
            return Err(NdpError::NotNeighbourDiscovery);
        }
        if packet.hop_limit() != HOP_LIMIT {
            return Err(NdpError::HopLimit);
        }
        if icmp.code() != 0 {
            return Err(NdpError::Code);
        }
        match icmp.kind() {
            kind::ROUTER_SOLICITATION => return RouterSolicitation::read(&icmp, source).map(Self::RouterSolicitation),
            kind::ROUTER_ADVERTISEMENT => return RouterHeard::read(&icmp, source).map(Self::RouterAdvertisement),
            _ => {}
        }
        let (target, options) = icmp.body().split_first_chunk().ok_or(NdpError::Damaged)?;
        let target = Ipv6Addr::from_octets(*target);
        if target.is_multicast() {
            return Err(NdpError::MulticastTarget);
        }
        let macs = Options::read(options)?;
        if icmp.kind() == kind::NEIGHBOUR_SOLICITATION {
            let is_probe = source.is_unspecified();
            if is_probe && (destination != solicited_node(target) || macs.source.is_some()) {
                return Err(NdpError::Unspecified);
            }
            return Ok(Self::Solicitation(Solicitation { target, source_mac: macs.source }));
        }
        let flags = icmp.word()[0];
        let solicited = flags & SOLICITED != 0;
        if destination.is_multicast() && solicited {
            return Err(NdpError::SolicitedMulticast);
        }
        Ok(Self::Advertisement(Advertisement {
            target,
            target_mac: macs.target,
            router: flags & ROUTER != 0,
            solicited,
            overrides: flags & OVERRIDE != 0,
        }))
    }
}

impl Solicitation {
    /// Appends the packet that asks, `between` the asker's address and where it is asked.
    pub fn append_to(&self, between: Between, out: &mut Vec<u8>) {
        let header = [kind::NEIGHBOUR_SOLICITATION, 0, 0, 0, 0, 0, 0, 0];
        append(header, self.target, self.source_mac.map(|mac| (SOURCE_MAC, mac.0)), between, out);
    }

    /// Appends the packet that asks, as nobody, whether anybody has `target`; the `nonce` tells the probe from another's
    /// (RFC 4862 section 5.4.2, RFC 7527).
    pub fn append_probe(target: Ipv6Addr, nonce: [u8; 6], out: &mut Vec<u8>) {
        let header = [kind::NEIGHBOUR_SOLICITATION, 0, 0, 0, 0, 0, 0, 0];
        let between = Between { source: Ipv6Addr::UNSPECIFIED, destination: solicited_node(target) };
        append(header, target, Some((NONCE, nonce)), between, out);
    }

    /// The nonce of a solicitation that was read from this packet.
    pub fn nonce_in(packet: &Ipv6<'_>) -> Option<[u8; 6]> {
        let upper = extension::upper(packet)?;
        let icmp = Icmpv6::parse(upper.bytes, packet.source(), packet.destination()).ok()?;
        let (_target, options) = icmp.body().split_first_chunk::<16>()?;
        Options::read(options).ok()?.nonce
    }
}

impl Advertisement {
    /// The answer of the router which has the solicited address at `mac`, and whom to send it to.
    ///
    /// A solicitation without a source, which looks for duplicates, is answered to all (section 7.2.4).
    pub fn answering(solicitation: &Solicitation, asker: Ipv6Addr, mac: MacAddr) -> (Self, Ipv6Addr) {
        let solicited = !asker.is_unspecified();
        let answer =
            Self { target: solicitation.target, target_mac: Some(mac), router: true, solicited, overrides: true };
        (answer, if solicited { asker } else { ALL_NODES })
    }

    /// Appends the packet that tells, `between` the teller's address and who is told.
    pub fn append_to(&self, between: Between, out: &mut Vec<u8>) {
        let flags = [(self.router, ROUTER), (self.solicited, SOLICITED), (self.overrides, OVERRIDE)];
        let flags = flags.into_iter().filter(|(is_set, _)| *is_set).fold(0, |all, (_, flag)| all | flag);
        let header = [kind::NEIGHBOUR_ADVERTISEMENT, 0, 0, 0, flags, 0, 0, 0];
        append(header, self.target, self.target_mac.map(|mac| (TARGET_MAC, mac.0)), between, out);
    }
}

/// Why a packet is not to be taken as neighbour discovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NdpError {
    /// It is something else.
    #[error("neither a solicitation nor an advertisement")]
    NotNeighbourDiscovery,
    /// RFC 6980: it is a fragment.
    #[error("a fragment")]
    Fragment,
    /// The checksum is wrong, or the message shorter than 24 bytes.
    #[error("damaged or too short")]
    Damaged,
    /// A router may have been on the way.
    #[error("the hop limit is not 255")]
    HopLimit,
    /// The code is not 0.
    #[error("the code is not 0")]
    Code,
    /// A group of stations has no station.
    #[error("the target is a multicast group")]
    MulticastTarget,
    /// An option has no length, or more than there is.
    #[error("an option has no length, or runs over the end")]
    Option,
    /// A solicitation without a source goes to another group than the target's, or says who sent it.
    #[error("a solicitation from no address that is no search for duplicates")]
    Unspecified,
    /// A router speaks as itself on the link.
    #[error("a router advertisement from an address that is not link-local")]
    NotLinkLocal,
    /// What was solicited goes to the one who did.
    #[error("a solicited advertisement to a group")]
    SolicitedMulticast,
}

/// Those of a message's options that mean something here; others are passed over (section 4.6).
#[derive(Default)]
struct Options {
    source: Option<MacAddr>,
    target: Option<MacAddr>,
    mtu: Option<u32>,
    nonce: Option<[u8; 6]>,
}

impl Options {
    fn read(mut options: &[u8]) -> Result<Self, NdpError> {
        let mut found = Self::default();
        while !options.is_empty() {
            let [kind, units] = *options.first_chunk().ok_or(NdpError::Option)?;
            if units == 0 {
                return Err(NdpError::Option);
            }
            let (option, rest) = options.split_at_checked(usize::from(units) * 8).ok_or(NdpError::Option)?;
            match (kind, option) {
                (SOURCE_MAC, [_, _, mac @ ..]) => found.source = mac.try_into().ok().map(MacAddr),
                (TARGET_MAC, [_, _, mac @ ..]) => found.target = mac.try_into().ok().map(MacAddr),
                (MTU, [_, _, _, _, mtu @ ..]) => found.mtu = mtu.try_into().ok().map(u32::from_be_bytes),
                (NONCE, [_, _, nonce @ ..]) => found.nonce = nonce.try_into().ok(),
                _ => {}
            }
            options = rest;
        }
        Ok(found)
    }
}

fn append(
    header: [u8; icmpv6::HEADER_LEN],
    target: Ipv6Addr,
    option: Option<(u8, [u8; 6])>,
    between: Between,
    out: &mut Vec<u8>,
) {
    let mut body = [0; 24];
    body[..16].copy_from_slice(&target.octets());
    let body = match option {
        None => &body[..16],
        Some((kind, value)) => {
            body[16..18].copy_from_slice(&[kind, 1]);
            body[18..].copy_from_slice(&value);
            &body[..]
        }
    };
    let Between { source, destination } = between;
    let ip = ipv6::Builder { source, destination, next_header: icmpv6::PROTOCOL, hop_limit: HOP_LIMIT };
    out.extend(ip.header(icmpv6::HEADER_LEN + body.len()).expect("a message of 32 bytes fits in a packet"));
    icmpv6::append(header, body, between, out);
}

const SOURCE_MAC: u8 = 1;
const TARGET_MAC: u8 = 2;
const MTU: u8 = 5;
const NONCE: u8 = 14;
const ROUTER: u8 = 0x80;
const SOLICITED: u8 = 0x40;
const OVERRIDE: u8 = 0x20;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ASKER: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2);
    const TARGET: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0x12, 0x3456);
    const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);
    const GROUP: Ipv6Addr = solicited_node(TARGET);

    /// Its name, what breaks it, and what is said then.
    type Rule = (&'static str, fn(&mut Sent), NdpError);

    /// A message as a sender that breaks rules would build it.
    struct Sent {
        source: Ipv6Addr,
        destination: Ipv6Addr,
        hop_limit: u8,
        message: Vec<u8>,
        damage: u8,
        fragment: bool,
    }

    impl Sent {
        fn parse(self) -> Result<Message, NdpError> {
            let between = Between { source: self.source, destination: self.destination };
            let mut upper = Vec::new();
            let (header, body) = self.message.split_at(8);
            icmpv6::append(header.try_into().unwrap(), body, between, &mut upper);
            upper[3] ^= self.damage;
            let next_header = if self.fragment { 44 } else { icmpv6::PROTOCOL };
            if self.fragment {
                upper.splice(..0, [icmpv6::PROTOCOL, 0, 0, 0, 0, 0, 0, 1]);
            }
            let ip = ipv6::Builder {
                source: self.source,
                destination: self.destination,
                next_header,
                hop_limit: self.hop_limit,
            };
            let packet = [&ip.header(upper.len()).unwrap()[..], &upper].concat();
            Message::parse(&Ipv6::parse(&packet).unwrap())
        }
    }

    fn message(kind: u8, flags: u8, option: u8) -> Vec<u8> {
        [&[kind, 0, 0, 0, flags, 0, 0, 0], &TARGET.octets()[..], &[option, 1], &MAC.0].concat()
    }

    fn solicitation() -> Sent {
        let message = message(135, 0, SOURCE_MAC);
        Sent { source: ASKER, destination: GROUP, hop_limit: 255, message, damage: 0, fragment: false }
    }

    fn advertisement() -> Sent {
        let message = message(136, SOLICITED | OVERRIDE, TARGET_MAC);
        Sent { source: TARGET, destination: ASKER, hop_limit: 255, message, damage: 0, fragment: false }
    }

    #[test]
    fn a_message_that_keeps_the_rules_is_read() {
        let read = solicitation().parse();
        assert_eq!(read, Ok(Message::Solicitation(Solicitation { target: TARGET, source_mac: Some(MAC) })));
        let expected =
            Advertisement { target: TARGET, target_mac: Some(MAC), router: false, solicited: true, overrides: true };
        assert_eq!(advertisement().parse(), Ok(Message::Advertisement(expected)));
    }

    /// RFC 4861 section 7.1.1, one row per rule.
    #[test]
    fn a_solicitation_that_breaks_a_rule_is_refused() {
        #[rustfmt::skip]
        let rules: [Rule; 11] = [
            ("hop limit",                     |s| s.hop_limit = 254,          NdpError::HopLimit),
            ("checksum",                      |s| s.damage = 1,               NdpError::Damaged),
            ("code",                          |s| s.message[1] = 1,           NdpError::Code),
            ("24 bytes",                      |s| s.message.truncate(23),     NdpError::Damaged),
            ("target not multicast",          |s| s.message[8] = 0xff,        NdpError::MulticastTarget),
            ("options have a length",         |s| s.message[25] = 0,          NdpError::Option),
            ("options end in the message",    |s| s.message[25] = 2,          NdpError::Option),
            (":: goes to the target's group", |s| { s.source = Ipv6Addr::UNSPECIFIED; s.destination = TARGET; s.message.truncate(24) }, NdpError::Unspecified),
            (":: has no link-layer address",  |s| s.source = Ipv6Addr::UNSPECIFIED, NdpError::Unspecified),
            ("RFC 6980: no fragments",        |s| s.fragment = true,          NdpError::Fragment),
            ("another message",               |s| s.message[0] = 137,         NdpError::NotNeighbourDiscovery),
        ];
        for (rule, break_it, refused) in rules {
            let mut sent = solicitation();
            break_it(&mut sent);
            assert_eq!(sent.parse(), Err(refused), "{rule}");
        }
    }

    /// RFC 4861 section 7.1.2, one row per rule.
    #[test]
    fn an_advertisement_that_breaks_a_rule_is_refused() {
        #[rustfmt::skip]
        let rules: [Rule; 8] = [
            ("hop limit",                  |s| s.hop_limit = 64,               NdpError::HopLimit),
            ("checksum",                   |s| s.damage = 1,                   NdpError::Damaged),
            ("code",                       |s| s.message[1] = 1,               NdpError::Code),
            ("24 bytes",                   |s| s.message.truncate(16),         NdpError::Damaged),
            ("target not multicast",       |s| s.message[8] = 0xff,            NdpError::MulticastTarget),
            ("solicited to a group",       |s| s.destination = ALL_NODES,      NdpError::SolicitedMulticast),
            ("options have a length",      |s| s.message[25] = 0,              NdpError::Option),
            ("RFC 6980: no fragments",     |s| s.fragment = true,              NdpError::Fragment),
        ];
        for (rule, break_it, refused) in rules {
            let mut sent = advertisement();
            break_it(&mut sent);
            assert_eq!(sent.parse(), Err(refused), "{rule}");
        }
    }

    #[test]
    fn what_is_built_is_read_back() {
        let between = Between { source: ASKER, destination: GROUP };
        let asked = Solicitation { target: TARGET, source_mac: Some(MAC) };
        let mut packet = Vec::new();
        asked.append_to(between, &mut packet);
        assert_eq!(Message::parse(&Ipv6::parse(&packet).unwrap()), Ok(Message::Solicitation(asked)));

        let (answer, destination) = Advertisement::answering(&asked, ASKER, MAC);
        assert_eq!((destination, answer.solicited, answer.router), (ASKER, true, true));
        packet.clear();
        answer.append_to(Between { source: TARGET, destination }, &mut packet);
        assert_eq!(Message::parse(&Ipv6::parse(&packet).unwrap()), Ok(Message::Advertisement(answer)));
    }

    #[test]
    fn a_search_for_duplicates_is_answered_to_all_and_not_as_solicited() {
        let asked = Solicitation { target: TARGET, source_mac: None };
        let mut packet = Vec::new();
        asked.append_to(Between { source: Ipv6Addr::UNSPECIFIED, destination: GROUP }, &mut packet);
        assert_eq!(Message::parse(&Ipv6::parse(&packet).unwrap()), Ok(Message::Solicitation(asked)));
        let (answer, destination) = Advertisement::answering(&asked, Ipv6Addr::UNSPECIFIED, MAC);
        assert_eq!((destination, answer.solicited, answer.overrides), (ALL_NODES, false, true));
    }

    #[test]
    fn a_probe_comes_from_nobody_and_carries_its_nonce() {
        let mut packet = Vec::new();
        Solicitation::append_probe(TARGET, [1, 2, 3, 4, 5, 6], &mut packet);
        let packet = Ipv6::parse(&packet).unwrap();
        let asked = Solicitation { target: TARGET, source_mac: None };
        assert_eq!((packet.source(), packet.destination()), (Ipv6Addr::UNSPECIFIED, GROUP));
        assert_eq!(Message::parse(&packet), Ok(Message::Solicitation(asked)));
        assert_eq!(Solicitation::nonce_in(&packet), Some([1, 2, 3, 4, 5, 6]));
    }

    #[test]
    fn a_solicited_node_group_ends_in_the_address_s_last_three_bytes() {
        assert_eq!(solicited_node(TARGET).to_string(), "ff02::1:ff12:3456");
    }

    proptest! {
        #[test]
        fn any_message_can_be_asked_whether_it_is_neighbour_discovery(
            kind in 133..=136_u8,
            message in proptest::collection::vec(any::<u8>(), 8..80),
        ) {
            let mut sent = solicitation();
            sent.message = message;
            sent.message[..2].copy_from_slice(&[kind, 0]);
            let _checked = sent.parse();
        }
    }
}
