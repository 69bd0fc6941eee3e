//! What zebra writes to the Forwarding Plane Manager: frames, netlink messages in them, and what those say.
//!
//! ```text
//!   version 1 | kind 1 (netlink) | length, 2 bytes, big endian, with these 4 | netlink messages, one or more
//! ```
//!
//! A change of a route is a withdrawal and a route in one frame: read as what it is, a route in the place of another. Who
//! took it for two changes would have no route for a moment, at nearly every update of BGP.
//!
//! A frame is read whole or not at all. What is well-formed and means nothing here is passed on as [`Said::Nothing`], so
//! that it is counted; what no zebra writes ends the session with a reason for a person ([`Unreadable`]).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use control_api::{Network, Speaker};
use lpm::Prefix;
use netlink_packet_core::{NetlinkBuffer, NlasIterator};

/// One thing the daemon says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// This is the route to a network from now on, in the place of what there was.
    Route(RouteSaid),
    /// There is no route to a network any more.
    Withdrawn {
        /// The daemon's number of the table.
        table: u32,
        /// Which destinations.
        to: Network,
    },
    /// What a next hop, or a group of them, is from now on.
    NextHop {
        /// What the daemon calls it.
        id: u32,
        /// What it is.
        what: NextHopSaid,
    },
    /// A next hop is not used any more.
    NextHopGone {
        /// What the daemon calls it.
        id: u32,
    },
    /// Something about bridges, labels, rules or else that a forwarder of IP has no use for.
    Nothing,
}

/// A route as the daemon says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteSaid {
    /// The daemon's number of the table.
    pub table: u32,
    /// Which destinations.
    pub to: Network,
    /// Whose route it is.
    pub speaker: Speaker,
    /// Where it leads.
    pub leads: Leads,
    /// The longest packet it carries, if that is said.
    pub mtu: Option<u32>,
    /// The address to send packets of one's own from, if that is said.
    pub source: Option<IpAddr>,
}

/// Where a route of the daemon leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leads {
    /// One way.
    By(Leg),
    /// Several ways, which share.
    Among(Vec<Leg>),
    /// To what was said of this next hop.
    NextHop(u32),
    /// Nowhere, in silence.
    Blackhole,
    /// Nowhere, and the sender is told.
    Unreachable,
    /// Nowhere, and the sender is told that somebody wants it so.
    Prohibit,
    /// Where this forwarder sends nothing: routes for local, broadcast and multicast destinations, or by source.
    Elsewhere,
}

/// One way of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leg {
    /// The neighbour; nobody, if the destinations are on the link themselves.
    pub gateway: Option<IpAddr>,
    /// The kernel's number of the interface; 0 if that is not said.
    pub interface: u32,
    /// How much it gets beside the others.
    pub weight: u32,
    /// Packets are to be wrapped into others, which is not done here.
    pub is_encapsulated: bool,
}

/// What a next hop is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextHopSaid {
    /// One way.
    Single(Leg),
    /// Several, by what the daemon calls them, each with what it weighs.
    Group(Vec<(u32, u32)>),
    /// Nowhere.
    Blackhole,
}

/// Why a stream is no zebra's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unreadable {
    /// The header's first byte.
    #[error("it speaks version {found} of the FPM's protocol, ferry speaks version 1")]
    Version {
        /// What it was.
        found: u8,
    },
    /// The header's second byte says protobuf.
    #[error("it sends protobuf, ferry reads netlink: start zebra with `-M dplane_fpm_nl`")]
    Protobuf,
    /// The header's second byte.
    #[error("it sends messages of kind {found}, ferry reads kind 1, netlink")]
    Kind {
        /// What it was.
        found: u8,
    },
    /// A frame that is shorter than its header.
    #[error("it sent a frame of {found} bytes, and the header alone has 4")]
    Frame {
        /// How long it says it is.
        found: u16,
    },
    /// A netlink message that is not as long as it says, or says something in a way that it cannot be said in.
    #[error("it sent {0} that cannot be read")]
    Message(&'static str),
}

/// Reads what the whole frames at the beginning of `bytes` say, until `most` things are said or more; returns how many
/// bytes that were. What one frame says stays together.
///
/// # Errors
///
/// When a frame is no zebra's. What came before it has been said; it says nothing itself.
pub fn read(bytes: &[u8], said: &mut Vec<Said>, most: usize) -> Result<usize, Unreadable> {
    let mut taken = 0;
    while said.len() < most
        && let Some((frame, length)) = first_frame(&bytes[taken..])?
    {
        let whole = said.len();
        if let Err(unreadable) = read_frame(frame, said) {
            said.truncate(whole);
            return Err(unreadable);
        }
        taken += length;
    }
    Ok(taken)
}

/// The messages of the first frame, and how long it is; nothing, if it is not there yet.
fn first_frame(bytes: &[u8]) -> Result<Option<(&[u8], usize)>, Unreadable> {
    let Some((&[version, kind, high, low], behind)) = bytes.split_first_chunk::<HEADER_LEN>() else { return Ok(None) };
    match (version, kind) {
        (VERSION, NETLINK) => {}
        (VERSION, PROTOBUF) => return Err(Unreadable::Protobuf),
        (VERSION, found) => return Err(Unreadable::Kind { found }),
        (found, _) => return Err(Unreadable::Version { found }),
    }
    let found = u16::from_be_bytes([high, low]);
    let length = usize::from(found);
    let payload = length.checked_sub(HEADER_LEN).ok_or(Unreadable::Frame { found })?;
    Ok(behind.get(..payload).map(|messages| (messages, length)))
}

fn read_frame(mut messages: &[u8], said: &mut Vec<Said>) -> Result<(), Unreadable> {
    let begun = said.len();
    while !messages.is_empty() {
        let message =
            NetlinkBuffer::new_checked(messages).map_err(|_short| Unreadable::Message("a netlink message"))?;
        let one = read_message(message.message_type(), message.payload())?;
        if let Said::Route(RouteSaid { table, to, .. }) = &one {
            let withdrawn = Said::Withdrawn { table: *table, to: *to };
            if let Some(place) = said[begun..].iter().rposition(|before| *before == withdrawn) {
                said.remove(begun + place);
            }
        }
        said.push(one);
        let length = usize::try_from(message.length()).unwrap_or(usize::MAX);
        messages = messages.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(())
}

fn read_message(kind: u16, payload: &[u8]) -> Result<Said, Unreadable> {
    match kind {
        NEW_ROUTE => read_route(payload, true),
        DEL_ROUTE => read_route(payload, false),
        NEW_NEXT_HOP => read_next_hop(payload),
        DEL_NEXT_HOP => {
            let id = next_hop_attributes(payload)?.id.ok_or(BAD_NEXT_HOP)?;
            Ok(Said::NextHopGone { id })
        }
        _of_no_use => Ok(Said::Nothing),
    }
}

/// `struct rtmsg` and its attributes.
fn read_route(payload: &[u8], is_new: bool) -> Result<Said, Unreadable> {
    let (header, attributes) = payload.split_first_chunk::<12>().ok_or(BAD_ROUTE)?;
    let [family, to_len, source_len, _tos, table, protocol, _scope, kind, ..] = *header;
    let mut found = RouteAttributes { table: table.into(), ..RouteAttributes::default() };
    for attribute in NlasIterator::new(attributes) {
        let attribute = attribute.map_err(|_cut_off| BAD_ROUTE)?;
        found.take(attribute.kind(), attribute.value())?;
    }
    let to = match (family, found.to) {
        (INET, None) => Network::V4(prefix(Ipv4Addr::UNSPECIFIED, to_len)?),
        (INET, Some(IpAddr::V4(to))) => Network::V4(prefix(to, to_len)?),
        (INET6, None) => Network::V6(prefix(Ipv6Addr::UNSPECIFIED, to_len)?),
        (INET6, Some(IpAddr::V6(to))) => Network::V6(prefix(to, to_len)?),
        (INET | INET6, Some(_of_the_other)) => return Err(BAD_ROUTE),
        // Labels, and groups of multicast.
        _other => return Ok(Said::Nothing),
    };
    let table = found.table;
    if !is_new {
        return Ok(Said::Withdrawn { table, to });
    }
    let leads = match kind {
        _ if source_len > 0 => Leads::Elsewhere,
        UNICAST => found.leads(),
        BLACKHOLE => Leads::Blackhole,
        UNREACHABLE => Leads::Unreachable,
        PROHIBIT => Leads::Prohibit,
        _other => Leads::Elsewhere,
    };
    let RouteAttributes { mtu, source, .. } = found;
    Ok(Said::Route(RouteSaid { table, to, speaker: Speaker::of_number(protocol), leads, mtu, source }))
}

/// A network whose length fits its family. Bits beyond it do not count, as for the kernel.
fn prefix<A: lpm::Address>(address: A, len: u8) -> Result<Prefix<A>, Unreadable> {
    if len <= A::BITS { Ok(Prefix::containing(address, len)) } else { Err(BAD_ROUTE) }
}

#[derive(Debug, Default)]
struct RouteAttributes {
    table: u32,
    to: Option<IpAddr>,
    gateway: Option<IpAddr>,
    interface: u32,
    next_hop: Option<u32>,
    among: Option<Vec<Leg>>,
    is_encapsulated: bool,
    mtu: Option<u32>,
    source: Option<IpAddr>,
}

impl RouteAttributes {
    fn take(&mut self, kind: u16, value: &[u8]) -> Result<(), Unreadable> {
        match kind {
            RTA_DST => self.to = Some(address(value).ok_or(BAD_ROUTE)?),
            RTA_OIF => self.interface = number(value).ok_or(BAD_ROUTE)?,
            RTA_GATEWAY => self.gateway = Some(address(value).ok_or(BAD_ROUTE)?),
            RTA_VIA => self.gateway = Some(via(value).ok_or(BAD_ROUTE)?),
            RTA_PREFSRC => self.source = Some(address(value).ok_or(BAD_ROUTE)?),
            RTA_METRICS => self.mtu = mtu(value)?,
            RTA_MULTIPATH => self.among = Some(legs(value)?),
            RTA_TABLE => self.table = number(value).ok_or(BAD_ROUTE)?,
            RTA_ENCAP | RTA_ENCAP_TYPE => self.is_encapsulated = true,
            RTA_NH_ID => self.next_hop = Some(number(value).ok_or(BAD_ROUTE)?),
            _of_no_use => {}
        }
        Ok(())
    }

    fn leads(&mut self) -> Leads {
        match (self.next_hop, self.among.take()) {
            (Some(id), _) => Leads::NextHop(id),
            (None, Some(legs)) => Leads::Among(legs),
            (None, None) => Leads::By(self.leg(1)),
        }
    }

    const fn leg(&self, weight: u32) -> Leg {
        let Self { gateway, interface, is_encapsulated, .. } = *self;
        Leg { gateway, interface, weight, is_encapsulated }
    }
}

/// A list of `struct rtnexthop`, each with attributes of its own.
fn legs(mut list: &[u8]) -> Result<Vec<Leg>, Unreadable> {
    let mut legs = Vec::new();
    while !list.is_empty() {
        let (&[low, high, _flags, hops, a, b, c, d], _) = list.split_first_chunk::<8>().ok_or(BAD_ROUTE)?;
        let length = usize::from(u16::from_ne_bytes([low, high]));
        let attributes = list.get(8..length).ok_or(BAD_ROUTE)?;
        let mut found = RouteAttributes::default();
        for attribute in NlasIterator::new(attributes) {
            let attribute = attribute.map_err(|_cut_off| BAD_ROUTE)?;
            // None has a list of its own: that would never end.
            if attribute.kind() != RTA_MULTIPATH {
                found.take(attribute.kind(), attribute.value())?;
            }
        }
        found.interface = u32::from_ne_bytes([a, b, c, d]);
        legs.push(found.leg(u32::from(hops) + 1));
        list = list.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(legs)
}

/// The MTU among a route's metrics; one that is 0 says nothing.
fn mtu(metrics: &[u8]) -> Result<Option<u32>, Unreadable> {
    let mut mtu = None;
    for metric in NlasIterator::new(metrics) {
        let metric = metric.map_err(|_cut_off| BAD_ROUTE)?;
        if metric.kind() == RTAX_MTU {
            mtu = Some(number(metric.value()).ok_or(BAD_ROUTE)?).filter(|mtu| *mtu > 0);
        }
    }
    Ok(mtu)
}

#[derive(Debug, Default)]
struct NextHopAttributes {
    id: Option<u32>,
    group: Option<Vec<(u32, u32)>>,
    is_blackhole: bool,
    gateway: Option<IpAddr>,
    interface: u32,
    is_encapsulated: bool,
}

/// `struct nhmsg` and its attributes.
fn next_hop_attributes(payload: &[u8]) -> Result<NextHopAttributes, Unreadable> {
    let attributes = payload.get(8..).ok_or(BAD_NEXT_HOP)?;
    let mut found = NextHopAttributes::default();
    for attribute in NlasIterator::new(attributes) {
        let attribute = attribute.map_err(|_cut_off| BAD_NEXT_HOP)?;
        let value = attribute.value();
        match attribute.kind() {
            NHA_ID => found.id = Some(number(value).ok_or(BAD_NEXT_HOP)?),
            NHA_GROUP => found.group = Some(members(value)?),
            NHA_BLACKHOLE => found.is_blackhole = true,
            NHA_OIF => found.interface = number(value).ok_or(BAD_NEXT_HOP)?,
            NHA_GATEWAY => found.gateway = Some(address(value).ok_or(BAD_NEXT_HOP)?),
            NHA_ENCAP_TYPE | NHA_ENCAP => found.is_encapsulated = true,
            _of_no_use => {}
        }
    }
    Ok(found)
}

fn read_next_hop(payload: &[u8]) -> Result<Said, Unreadable> {
    let NextHopAttributes { id, group, is_blackhole, gateway, interface, is_encapsulated } =
        next_hop_attributes(payload)?;
    let what = match group {
        Some(members) => NextHopSaid::Group(members),
        None if is_blackhole => NextHopSaid::Blackhole,
        None => NextHopSaid::Single(Leg { gateway, interface, weight: 1, is_encapsulated }),
    };
    Ok(Said::NextHop { id: id.ok_or(BAD_NEXT_HOP)?, what })
}

/// A list of `struct nexthop_grp`: a next hop, and one less than it weighs.
fn members(list: &[u8]) -> Result<Vec<(u32, u32)>, Unreadable> {
    let (members, rest) = list.as_chunks::<8>();
    let member = |&[a, b, c, d, weight, high, _, _]: &[u8; 8]| {
        // The kernel took the upper byte of the weight from what was reserved, later than FRR 8.
        (u32::from_ne_bytes([a, b, c, d]), u32::from(u16::from_le_bytes([weight, high])) + 1)
    };
    if rest.is_empty() { Ok(members.iter().map(member).collect()) } else { Err(BAD_NEXT_HOP) }
}

/// `struct rtvia`: a family, and an address of it.
fn via(value: &[u8]) -> Option<IpAddr> {
    address(value.get(2..)?)
}

fn address(value: &[u8]) -> Option<IpAddr> {
    match value.len() {
        4 => Some(IpAddr::from(<[u8; 4]>::try_from(value).ok()?)),
        16 => Some(IpAddr::from(<[u8; 16]>::try_from(value).ok()?)),
        _neither => None,
    }
}

fn number(value: &[u8]) -> Option<u32> {
    Some(u32::from_ne_bytes(value.try_into().ok()?))
}

const BAD_ROUTE: Unreadable = Unreadable::Message("a route");
const BAD_NEXT_HOP: Unreadable = Unreadable::Message("a next hop");

const HEADER_LEN: usize = 4;
const VERSION: u8 = 1;
const NETLINK: u8 = 1;
const PROTOBUF: u8 = 2;

/// The longest frame there can be.
pub(super) const LONGEST_FRAME: usize = u16::MAX as usize;

// <linux/rtnetlink.h>, <linux/nexthop.h>.
const NEW_ROUTE: u16 = 24;
const DEL_ROUTE: u16 = 25;
const NEW_NEXT_HOP: u16 = 104;
const DEL_NEXT_HOP: u16 = 105;
const INET: u8 = 2;
const INET6: u8 = 10;
const UNICAST: u8 = 1;
const BLACKHOLE: u8 = 6;
const UNREACHABLE: u8 = 7;
const PROHIBIT: u8 = 8;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PREFSRC: u16 = 7;
const RTA_METRICS: u16 = 8;
const RTA_MULTIPATH: u16 = 9;
const RTA_TABLE: u16 = 15;
const RTA_VIA: u16 = 18;
const RTA_ENCAP_TYPE: u16 = 21;
const RTA_ENCAP: u16 = 22;
const RTA_NH_ID: u16 = 30;
const RTAX_MTU: u16 = 2;
const NHA_ID: u16 = 1;
const NHA_GROUP: u16 = 2;
const NHA_BLACKHOLE: u16 = 4;
const NHA_OIF: u16 = 5;
const NHA_GATEWAY: u16 = 6;
const NHA_ENCAP_TYPE: u16 = 7;
const NHA_ENCAP: u16 = 8;
