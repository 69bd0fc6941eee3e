//! All that a worker needs to know to forward: tables, next hops and ports, in one immutable value.
//!
//! What did not change between two states is shared between them, so the next one costs what changed.

use std::fmt::{self, Display};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use lpm::{Address, Fib, FibWriter, NextHopId};
use packet::ethernet::{self, MacAddr};
use packet::flow::FlowHash;
use packet::vlan::Tags;

use crate::group::Group;
use crate::policy::{Filter, FilterId, Policy};
use crate::sent::{CountId, Counted, CountedTable, Whose};

/// Which port: its place among the configured ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortId(pub u16);

impl PortId {
    /// Its place in a table of ports.
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The longest IP packet a link carries, in bytes, Ethernet header not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mtu(u16);

impl Mtu {
    /// What Ethernet carries unless told otherwise.
    pub const ETHERNET: Self = Self(1500);
    /// Smallest a port may have: every IPv4 link carries this much (RFC 791).
    pub const MIN: u16 = 68;
    /// Largest a port may have: a jumbo frame.
    pub const MAX: u16 = 9216;

    /// An MTU in bytes; `None` outside [`Mtu::MIN`] to [`Mtu::MAX`].
    pub const fn new(bytes: u16) -> Option<Self> {
        if bytes < Self::MIN || bytes > Self::MAX { None } else { Some(Self(bytes)) }
    }

    /// In bytes.
    #[inline]
    pub const fn bytes(self) -> u16 {
        self.0
    }
}

impl Display for Mtu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One generation of everything a worker forwards by.
#[derive(Debug, Clone)]
pub struct ForwardingState {
    /// Counts publishes; the first state is 0.
    pub generation: u64,
    /// Where IPv4 destinations go.
    pub ipv4: Fib<Ipv4Addr>,
    /// Where IPv6 destinations go.
    pub ipv6: Fib<Ipv6Addr>,
    /// The tables of ports that do not forward by those two, by [`PortId`]; a port that has no place here does.
    pub other_tables: Arc<[Option<Tables>]>,
    /// What the tables' next hops mean. Every [`NextHopId`] in a table has its place here.
    pub next_hops: Arc<[NextHop]>,
    /// Next hops that share. Every [`GroupId`] of a next hop has its place here.
    pub groups: Arc<[Arc<Group>]>,
    /// How the flows are told apart that groups divide among their members.
    pub flows: FlowHash,
    /// The ports, by [`PortId`]. Every [`Adjacency::port`] has its place here.
    pub ports: Arc<[PortState]>,
    /// The filters that ports name. Every [`FilterId`] of a port's [`Policy`] has its place here.
    pub filters: Arc<[Filter]>,
    /// Whose packets are counted; nobody's, mostly.
    pub counted: Option<Arc<Counted>>,
}

impl ForwardingState {
    /// Ports without any route.
    pub fn without_routes(ports: impl IntoIterator<Item = PortState>) -> Self {
        Self {
            generation: 0,
            ipv4: FibWriter::default().snapshot(),
            ipv6: FibWriter::default().snapshot(),
            other_tables: Arc::from([]),
            next_hops: Arc::from([]),
            groups: Arc::from([]),
            flows: FlowHash::default(),
            ports: ports.into_iter().collect(),
            filters: Arc::from([]),
            counted: None,
        }
    }

    /// The same with these filters, in the order of their ids.
    pub fn with_filters(self, filters: impl IntoIterator<Item = Filter>) -> Self {
        Self { filters: filters.into_iter().collect(), ..self }
    }

    /// The tables that packets from `port` are forwarded by.
    #[inline]
    pub fn tables(&self, port: PortId) -> (&Fib<Ipv4Addr>, &Fib<Ipv6Addr>) {
        match self.other_tables.get(port.index()) {
            Some(Some(tables)) => (&tables.ipv4, &tables.ipv6),
            Some(None) | None => (&self.ipv4, &self.ipv6),
        }
    }

    /// What the tables' `id` means.
    #[inline]
    pub fn next_hop(&self, id: NextHopId) -> &NextHop {
        &self.next_hops[id.index()]
    }

    /// The member of a group that `packet` goes by, IP header first.
    pub fn member(&self, group: GroupId, packet: &[u8]) -> NextHopId {
        self.groups[group.index()].member(self.flows.of(packet))
    }

    /// For whom a packet counts that was sent, IP header first, by what a table of counted routes answers.
    #[inline]
    pub fn count_of<A: Address>(&self, table: &CountedTable<A>, answer: Option<NextHopId>, packet: &[u8]) -> CountId {
        match answer.map(Whose::of) {
            None => CountId::NOBODY,
            Some(Whose::Route(id)) => id,
            Some(Whose::OneOf(place)) => {
                let sharing = &table.sharing[place as usize];
                let NextHop::Group(group) = self.next_hop(sharing.group) else { return CountId::NOBODY };
                let member = self.member(*group, packet);
                let counted = sharing.members.iter().find(|(next_hop, _)| *next_hop == member);
                counted.map_or(CountId::NOBODY, |(_, id)| *id)
            }
        }
    }

    /// Whether a next hop, or any member of a group, leads out of `port`.
    pub fn leads_out_of(&self, next_hop: &NextHop, port: PortId) -> bool {
        match next_hop {
            NextHop::Neighbour(adjacency) => adjacency.port == port,
            NextHop::Unresolved(through) => *through == port,
            // Members are no groups, so this goes one step down at most.
            NextHop::Group(group) => {
                let members = self.groups[group.index()].members();
                members.iter().any(|member| self.leads_out_of(self.next_hop(*member), port))
            }
            NextHop::Local | NextHop::Blackhole | NextHop::Unreachable => false,
        }
    }

    /// The port with this `id`.
    #[inline]
    pub fn port(&self, id: PortId) -> &PortState {
        &self.ports[id.index()]
    }

    /// The filter with this `id`.
    pub fn filter(&self, id: FilterId) -> &Filter {
        &self.filters[usize::from(id.0)]
    }
}

/// A table of each family.
#[derive(Debug, Clone)]
pub struct Tables {
    /// Where IPv4 destinations go.
    pub ipv4: Fib<Ipv4Addr>,
    /// Where IPv6 destinations go.
    pub ipv6: Fib<Ipv6Addr>,
}

/// A port, as far as forwarding knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortState {
    /// The station's own address: frames to others are not for us, and ours leave with it as their source.
    pub mac: MacAddr,
    /// The longest packet that leaves through it.
    pub mtu: Mtu,
    /// Its own IPv6 link-local address, the one link-local destination that is ours.
    pub link_local: Ipv6Addr,
    /// Whether frames to any station are taken for ours.
    pub promiscuous: bool,
    /// What it asks of packets that come in.
    pub policy: Policy,
    /// Whether the kernel has an interface on it, which is to hear groups of the link.
    pub tap: bool,
    /// Whose frames carry it, if it has no device of its own.
    pub vlan: Option<Vlan>,
}

/// A port that is a network among others on the link of a device.
///
/// Its frames are the device's with tags. The tags come off when a frame comes in and go on when it leaves, so that
/// nothing in between knows of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vlan {
    /// The port with the device.
    pub parent: PortId,
    /// The tags that tell this network from the others.
    pub tags: Tags,
}

/// Which group of next hops: its place in [`ForwardingState::groups`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(pub u32);

impl GroupId {
    /// Its place in a table of groups.
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a route leads to.
///
/// A worker reads one for every packet: half a line of the caches, so that none lies in two, and found by a shift.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(align(32))]
pub enum NextHop {
    /// A neighbour whose MAC address is known.
    Neighbour(Adjacency),
    /// Several that share; none of them is a group itself.
    Group(GroupId),
    /// A neighbour on this port's link that must be found first: a connected network, or a gateway without a MAC address
    /// yet.
    Unresolved(PortId),
    /// One of our own addresses.
    Local,
    /// Nowhere, in silence.
    Blackhole,
    /// Nowhere, and the sender is told.
    Unreachable,
}

const _: () = assert!(size_of::<NextHop>() == 32);

/// A neighbour, ready to send to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Adjacency {
    /// The port it is behind.
    pub port: PortId,
    /// The longest packet the way to it carries.
    pub mtu: Mtu,
    /// The Ethernet header of every frame to it.
    pub header: [u8; ethernet::HEADER_LEN],
}
