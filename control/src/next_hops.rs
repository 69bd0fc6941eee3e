//! Next hops: one for everything that leads the same way, counted by who uses it.
//!
//! Routes do not know MAC addresses. They hold a next hop by its key, a gateway behind a port for example; when the
//! gateway is found, that one next hop changes and every route by it follows. Sharing is why: a full table has a million
//! routes and a handful of next hops.
//!
//! Routes by a gateway hold a next hop of their table's, their family's and their MTU's ([`ByGateway`]), which follows the
//! neighbour that it is: one table may have lost its way to a gateway while another has it, and IPv4 packets may go to an
//! IPv6 neighbour.
//!
//! Next hops that share are a **group**, which has an id like any other next hop and holds its members. Routes that share
//! by the same next hops with the same weights hold the same group.
//!
//! An id is used again once nothing holds it. Within one published state ids and meanings always belong together.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;

use boundary::{Adjacency, Group, GroupId, Mtu, NextHop, PortId, Share, scramble};
use control_api::Family;
use lpm::NextHopId;
use packet::ethernet::{EtherType, MacAddr};

/// What a next hop is, whether or not it can be reached just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    /// Ourselves.
    Local,
    /// Nowhere, in silence.
    Blackhole,
    /// Nowhere, and the sender is told.
    Unreachable,
    /// Whoever has the destination on this port's link.
    Link(PortId),
    /// A route that is yet to be made for the destination, through this port.
    Template(PortId),
    /// A neighbour, for those packets that are sent to it as to a gateway.
    Gateway(ByGateway),
    /// This station behind this port, for packets of this family.
    Station(PortId, MacAddr, Family),
    /// This neighbour behind this port, for packets to itself.
    Neighbour(PortId, IpAddr),
}

/// Which packets go to a gateway in the same way. In this order, so that those of one gateway stand side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ByGateway {
    pub(crate) port: PortId,
    pub(crate) address: IpAddr,
    /// The table whose routes send them there.
    pub(crate) fib: u16,
    /// What they are, whatever the gateway's address is (RFC 8950).
    pub(crate) family: Family,
    /// The longest of them; [`ByGateway::ANY_LENGTH`] if the port alone limits that.
    pub(crate) mtu: u16,
}

impl ByGateway {
    pub(crate) const ANY_LENGTH: u16 = u16::MAX;

    /// All by one gateway.
    const fn every(port: PortId, address: IpAddr) -> RangeInclusive<Key> {
        let first = Self { port, address, fib: 0, family: Family::Ipv4, mtu: 0 };
        let last = Self { port, address, fib: u16::MAX, family: Family::Ipv6, mtu: u16::MAX };
        Key::Gateway(first)..=Key::Gateway(last)
    }

    /// The way to a gateway that is reached like this, for these packets.
    fn follow(self, neighbour: NextHop) -> NextHop {
        let NextHop::Neighbour(Adjacency { port, mtu, mut header }) = neighbour else { return neighbour };
        let EtherType(ether_type) = ether_type(self.family);
        header[12..].copy_from_slice(&ether_type.to_be_bytes());
        NextHop::Neighbour(Adjacency { port, mtu: self.limit(mtu), header })
    }

    /// What they may be long, over a port that carries this.
    fn limit(self, carried: Mtu) -> Mtu {
        Mtu::new(self.mtu.max(Mtu::MIN)).map_or(carried, |limit| limit.min(carried))
    }
}

/// What an Ethernet frame says that it carries a packet of this family.
pub(crate) const fn ether_type(family: Family) -> EtherType {
    match family {
        Family::Ipv4 => EtherType::IPV4,
        Family::Ipv6 => EtherType::IPV6,
    }
}

impl Key {
    /// The port that it leads through.
    const fn port(self) -> Option<PortId> {
        match self {
            Self::Link(port)
            | Self::Neighbour(port, _)
            | Self::Gateway(ByGateway { port, .. })
            | Self::Station(port, ..) => Some(port),
            Self::Local | Self::Blackhole | Self::Unreachable | Self::Template(_) => None,
        }
    }

    /// A number that says which it is, the same in every run: lots of groups are drawn with it.
    fn name(self) -> u64 {
        let words = |one: u64, [high, low]: [u64; 2]| scramble(one ^ scramble(high ^ scramble(low)));
        match self {
            Self::Local => words(1, [0, 0]),
            Self::Blackhole => words(2, [0, 0]),
            Self::Unreachable => words(3, [0, 0]),
            Self::Link(port) => words(4, [port.0.into(), 0]),
            // However long packets may be, flows go where they went.
            Self::Gateway(ByGateway { port, address, .. }) => Self::Neighbour(port, address).name(),
            Self::Neighbour(port, IpAddr::V4(address)) => words(5, [port.0.into(), address.to_bits().into()]),
            Self::Neighbour(port, IpAddr::V6(address)) => {
                let [high, low] = halves(address.to_bits());
                words(words(6, [high, low]), [port.0.into(), 0])
            }
            Self::Template(port) => words(7, [port.0.into(), 0]),
            Self::Station(port, MacAddr(mac), family) => {
                let [a, b, c, d, e, f] = mac;
                words(
                    8 + u64::from(family == Family::Ipv6),
                    [port.0.into(), u64::from_be_bytes([0, 0, a, b, c, d, e, f])],
                )
            }
        }
    }

    /// What workers do until more is known.
    const fn first_meaning(self) -> NextHop {
        match self {
            Self::Local => NextHop::Local,
            Self::Blackhole => NextHop::Blackhole,
            Self::Unreachable => NextHop::Unreachable,
            Self::Link(port)
            | Self::Neighbour(port, _)
            | Self::Gateway(ByGateway { port, .. })
            | Self::Template(port)
            | Self::Station(port, ..) => NextHop::Unresolved(port),
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "halves are what is wanted")]
const fn halves(number: u128) -> [u64; 2] {
    [(number >> 64) as u64, number as u64]
}

/// A next hop of a group, and what it weighs there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Member {
    pub(crate) next_hop: NextHopId,
    pub(crate) weight: u32,
}

/// The table of next hops.
#[derive(Debug, Default)]
pub(crate) struct NextHops {
    slots: Vec<Slot>,
    ids: BTreeMap<Key, NextHopId>,
    /// Slots that nothing holds, the one to use next at the end.
    free: Vec<NextHopId>,
    shared: Option<Arc<[NextHop]>>,
    /// Gateways that no route leads to, each with the table that it is so for.
    cut_off: BTreeSet<(PortId, IpAddr, u16)>,
    /// Ports without a link: packets do not go there, whatever leads to them.
    without_link: BTreeSet<PortId>,
    /// The groups, by their members in the order of ids.
    of_members: BTreeMap<Arc<[Member]>, NextHopId>,
    /// By [`GroupId`]. A place that is free keeps what was there until it is used again.
    groups: Vec<Arc<Group>>,
    free_groups: Vec<GroupId>,
    shared_groups: Option<Arc<[Arc<Group>]>>,
}

#[derive(Debug)]
struct Slot {
    what: What,
    holders: usize,
    meaning: NextHop,
}

/// What is in a slot.
#[derive(Debug)]
enum What {
    Single(Key),
    Group(GroupId, Arc<[Member]>),
}

impl NextHops {
    /// The next hop of this key, made if need be, with one holder more.
    pub(crate) fn hold(&mut self, key: Key) -> NextHopId {
        if let Some(id) = self.ids.get(&key) {
            self.slots[id.index()].holders += 1;
            return *id;
        }
        let meaning = match key {
            Key::Gateway(by) => {
                let neighbour = self.ids.get(&Key::Neighbour(by.port, by.address));
                neighbour.map_or(NextHop::Unresolved(by.port), |id| by.follow(self.slots[id.index()].meaning))
            }
            key => key.first_meaning(),
        };
        let id = self.take_slot(Slot { what: What::Single(key), holders: 1, meaning });
        self.ids.insert(key, id);
        id
    }

    /// The next hop of a group of these, made if need be, with one holder more. They are in the order of their ids, single
    /// next hops that are held, and no more than [`Group::MOST`].
    pub(crate) fn hold_group(&mut self, members: &[Member]) -> NextHopId {
        if let Some(id) = self.of_members.get(members) {
            self.slots[id.index()].holders += 1;
            return *id;
        }
        let share = |member: &Member| {
            let name = match &self.slots[member.next_hop.index()].what {
                What::Single(key) => key.name(),
                What::Group(..) => unreachable!("members of groups are single"),
            };
            Share { next_hop: member.next_hop, name, weight: member.weight }
        };
        let group = Arc::new(Group::new(&members.iter().map(share).collect::<Vec<_>>()));
        let place = self.free_groups.pop().unwrap_or_else(|| {
            let place = u32::try_from(self.groups.len()).expect("groups are fewer than next hops");
            self.groups.push(Arc::clone(&group));
            GroupId(place)
        });
        self.groups[place.index()] = group;
        self.shared_groups = None;
        members.iter().for_each(|member| self.slots[member.next_hop.index()].holders += 1);
        let members: Arc<[Member]> = members.into();
        let what = What::Group(place, Arc::clone(&members));
        let id = self.take_slot(Slot { what, holders: 1, meaning: NextHop::Group(place) });
        self.of_members.insert(members, id);
        id
    }

    /// One holder less; after the last one the id is free.
    pub(crate) fn release(&mut self, id: NextHopId) {
        let slot = &mut self.slots[id.index()];
        slot.holders -= 1;
        if slot.holders > 0 {
            return;
        }
        self.free.push(id);
        match &slot.what {
            What::Single(key) => {
                self.ids.remove(key);
            }
            What::Group(place, members) => {
                self.free_groups.push(*place);
                let members = Arc::clone(members);
                self.of_members.remove(&members);
                members.iter().for_each(|member| self.release(member.next_hop));
            }
        }
    }

    fn take_slot(&mut self, slot: Slot) -> NextHopId {
        self.shared = None;
        if let Some(id) = self.free.pop() {
            self.slots[id.index()] = slot;
            return id;
        }
        let index = u32::try_from(self.slots.len()).expect("a next hop takes memory that 2^32 of them would not have");
        self.slots.push(slot);
        NextHopId::new(index)
    }

    /// The member of a group that a flow with this number goes by; of a single next hop, that itself.
    pub(crate) fn member(&self, id: NextHopId, flow: u64) -> NextHopId {
        match self.slots[id.index()].what {
            What::Single(_) => id,
            What::Group(place, _) => self.groups[place.index()].member(flow),
        }
    }

    /// From now on a neighbour is reached like this, by all next hops that lead to it; `id` is its own.
    pub(crate) fn set_neighbour(&mut self, id: NextHopId, port: PortId, address: IpAddr, meaning: NextHop) {
        self.set(id, meaning);
        let followers = self.ids.range(ByGateway::every(port, address)).map(|(key, id)| (*key, *id));
        for (key, id) in followers.collect::<Vec<_>>() {
            if let Key::Gateway(by) = key {
                self.set(id, by.follow(meaning));
            }
        }
    }

    /// From now on workers do this.
    pub(crate) fn set(&mut self, id: NextHopId, meaning: NextHop) {
        let slot = &mut self.slots[id.index()];
        if slot.meaning != meaning {
            slot.meaning = meaning;
            self.shared = None;
        }
    }

    /// Whether packets may leave through a port: all that goes there turns at once.
    pub(crate) fn set_link(&mut self, port: PortId, has_link: bool) {
        let is_other = if has_link { self.without_link.remove(&port) } else { self.without_link.insert(port) };
        if is_other {
            self.shared = None;
        }
    }

    /// Whether packets may leave through a port.
    pub(crate) fn has_link(&self, port: PortId) -> bool {
        !self.without_link.contains(&port)
    }

    /// Whether packets may leave through every port.
    pub(crate) fn have_links(&self) -> bool {
        self.without_link.is_empty()
    }

    /// A port carries packets of this length from now on.
    pub(crate) fn set_mtu(&mut self, port: PortId, mtu: Mtu) {
        for slot in &mut self.slots {
            if let NextHop::Neighbour(adjacency) = &mut slot.meaning
                && adjacency.port == port
            {
                adjacency.mtu = match slot.what {
                    What::Single(Key::Gateway(by)) => by.limit(mtu),
                    What::Single(_) | What::Group(..) => mtu,
                };
                self.shared = None;
            }
        }
    }

    /// Whether packets may go to a gateway, known or not, by the routes of a table.
    pub(crate) fn cut_off(&mut self, port: PortId, address: IpAddr, fib: u16, is_cut_off: bool) {
        let gateway = (port, address, fib);
        let is_other = if is_cut_off { self.cut_off.insert(gateway) } else { self.cut_off.remove(&gateway) };
        if is_other {
            self.shared = None;
        }
    }

    /// Whether packets may not go to a gateway by the routes of a table.
    pub(crate) fn is_cut_off(&self, port: PortId, address: IpAddr, fib: u16) -> bool {
        self.cut_off.contains(&(port, address, fib))
    }

    /// What workers do.
    #[cfg(test)]
    pub(crate) fn meaning(&self, id: NextHopId) -> NextHop {
        self.slots[id.index()].meaning
    }

    /// Whether something changed since it was last shared.
    pub(crate) fn is_changed(&self) -> bool {
        self.shared.is_none()
    }

    /// The table for workers, by id; a copy only if something changed.
    pub(crate) fn share(&mut self) -> Arc<[NextHop]> {
        if let Some(shared) = &self.shared {
            return Arc::clone(shared);
        }
        let shared: Arc<[NextHop]> = self.slots.iter().map(|slot| self.shown(slot)).collect();
        self.shared = Some(Arc::clone(&shared));
        shared
    }

    /// What workers do by a slot: it knows its station, and here is known whether that may be used.
    fn shown(&self, slot: &Slot) -> NextHop {
        let What::Single(key) = slot.what else { return slot.meaning };
        match key {
            Key::Gateway(by) if self.is_cut_off(by.port, by.address, by.fib) => NextHop::Unreachable,
            key if key.port().is_some_and(|port| !self.has_link(port)) => NextHop::Unreachable,
            _ => slot.meaning,
        }
    }

    /// The groups for workers; a copy only if there is another one.
    pub(crate) fn share_groups(&mut self) -> Arc<[Arc<Group>]> {
        Arc::clone(self.shared_groups.get_or_insert_with(|| self.groups.as_slice().into()))
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn gateway(last: u8) -> Key {
        Key::Neighbour(PortId(0), Ipv4Addr::new(192, 0, 2, last).into())
    }

    #[test]
    fn what_leads_the_same_way_shares_a_next_hop() {
        let mut hops = NextHops::default();
        assert_eq!(hops.hold(gateway(1)), hops.hold(gateway(1)));
        assert_ne!(hops.hold(gateway(1)), hops.hold(gateway(2)));
        assert_ne!(hops.hold(gateway(2)), hops.hold(Key::Link(PortId(0))));
    }

    #[test]
    fn an_id_is_used_again_only_after_its_last_holder_left() {
        let mut hops = NextHops::default();
        let first = hops.hold(gateway(1));
        hops.hold(gateway(1));
        hops.release(first);
        assert_ne!(hops.hold(gateway(2)), first, "one still holds it");
        hops.release(first);
        let reused = hops.hold(Key::Blackhole);
        assert_eq!(reused, first);
        assert_eq!(hops.meaning(reused), NextHop::Blackhole, "and means what its new holder wants");
    }

    #[test]
    fn routes_that_share_by_the_same_next_hops_hold_one_group_and_the_group_holds_them() {
        let mut hops = NextHops::default();
        let [one, other] = [1, 2].map(|last| hops.hold(gateway(last)));
        let even = [one, other].map(|next_hop| Member { next_hop, weight: 1 });
        let group = hops.hold_group(&even);
        assert_eq!(hops.hold_group(&even), group);
        assert_ne!(hops.hold_group(&even.map(|member| Member { weight: 2, ..member })), group);
        hops.release(one);
        assert_eq!(hops.hold(gateway(1)), one, "the groups still hold it");
        let NextHop::Group(place) = hops.meaning(group) else { panic!("it is a group") };
        assert_eq!(hops.share_groups()[place.index()].members(), [one, other]);
        assert!([one, other].contains(&hops.member(group, 7)));
    }

    #[test]
    fn a_group_that_nothing_holds_lets_its_members_go() {
        let mut hops = NextHops::default();
        let [one, other] = [1, 2].map(|last| hops.hold(gateway(last)));
        let group = hops.hold_group(&[one, other].map(|next_hop| Member { next_hop, weight: 1 }));
        [one, other].into_iter().for_each(|id| hops.release(id));
        hops.release(group);
        let mut reused = [3, 4, 5].map(|last| hops.hold(gateway(last)));
        reused.sort();
        assert_eq!(reused, [one, other, group]);
    }

    #[test]
    fn the_shared_table_is_copied_only_when_something_changed() {
        let mut hops = NextHops::default();
        let id = hops.hold(Key::Link(PortId(0)));
        let before = hops.share();
        hops.hold(Key::Link(PortId(0)));
        hops.set(id, NextHop::Unresolved(PortId(0)));
        assert!(Arc::ptr_eq(&before, &hops.share()));
        hops.set(id, NextHop::Unreachable);
        assert!(!Arc::ptr_eq(&before, &hops.share()));
    }
}
