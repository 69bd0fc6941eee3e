//! Next hops: one for everything that leads the same way, counted by who uses it.
//!
//! Routes do not know MAC addresses. They hold a next hop by its key, a gateway behind a port for example; when the
//! gateway is found, that one next hop changes and every route by it follows. Sharing is why: a full table has a million
//! routes and a handful of next hops.
//!
//! An id is used again once nothing holds it. Within one published state ids and meanings always belong together.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use boundary::{Mtu, NextHop, PortId};
use control_api::Family;
use lpm::NextHopId;
use packet::ethernet::MacAddr;

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
    /// This station behind this port, for packets of this family.
    Station(PortId, MacAddr, Family),
    /// This neighbour behind this port.
    Neighbour(PortId, IpAddr),
}

impl Key {
    /// The port that it leads through.
    const fn port(self) -> Option<PortId> {
        match self {
            Self::Link(port) | Self::Neighbour(port, _) | Self::Station(port, ..) => Some(port),
            Self::Local | Self::Blackhole | Self::Unreachable | Self::Template(_) => None,
        }
    }

    /// What workers do until more is known.
    const fn first_meaning(self) -> NextHop {
        match self {
            Self::Local => NextHop::Local,
            Self::Blackhole => NextHop::Blackhole,
            Self::Unreachable => NextHop::Unreachable,
            Self::Link(port) | Self::Neighbour(port, _) | Self::Template(port) | Self::Station(port, ..) => {
                NextHop::Unresolved(port)
            }
        }
    }
}

/// The table of next hops.
#[derive(Debug, Default)]
pub(crate) struct NextHops {
    slots: Vec<Slot>,
    ids: BTreeMap<Key, NextHopId>,
    /// Slots that nothing holds, the one to use next at the end.
    free: Vec<NextHopId>,
    shared: Option<Arc<[NextHop]>>,
    /// Neighbours that no route leads to: packets for others do not go there.
    cut_off: BTreeSet<(PortId, IpAddr)>,
    /// Ports without a link: packets do not go there, whatever leads to them.
    without_link: BTreeSet<PortId>,
}

#[derive(Debug)]
struct Slot {
    key: Key,
    holders: usize,
    meaning: NextHop,
}

impl NextHops {
    /// The next hop of this key, made if need be, with one holder more.
    pub(crate) fn hold(&mut self, key: Key) -> NextHopId {
        if let Some(id) = self.ids.get(&key) {
            self.slots[id.index()].holders += 1;
            return *id;
        }
        let slot = Slot { key, holders: 1, meaning: key.first_meaning() };
        let id = if let Some(id) = self.free.pop() {
            self.slots[id.index()] = slot;
            id
        } else {
            let index =
                u32::try_from(self.slots.len()).expect("a next hop takes memory that 2^32 of them would not have");
            self.slots.push(slot);
            NextHopId::new(index)
        };
        self.ids.insert(key, id);
        self.shared = None;
        id
    }

    /// One holder less; after the last one the id is free.
    pub(crate) fn release(&mut self, id: NextHopId) {
        let slot = &mut self.slots[id.index()];
        slot.holders -= 1;
        if slot.holders == 0 {
            self.ids.remove(&slot.key);
            self.free.push(id);
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
                adjacency.mtu = mtu;
                self.shared = None;
            }
        }
    }

    /// Whether packets may go to a neighbour, known or not.
    pub(crate) fn cut_off(&mut self, port: PortId, address: IpAddr, is_cut_off: bool) {
        let neighbour = (port, address);
        let is_other = if is_cut_off { self.cut_off.insert(neighbour) } else { self.cut_off.remove(&neighbour) };
        if is_other {
            self.shared = None;
        }
    }

    /// Whether packets may not go to a neighbour.
    pub(crate) fn is_cut_off(&self, port: PortId, address: IpAddr) -> bool {
        self.cut_off.contains(&(port, address))
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
        match slot.key {
            Key::Neighbour(port, address) if self.is_cut_off(port, address) => NextHop::Unreachable,
            key if key.port().is_some_and(|port| !self.has_link(port)) => NextHop::Unreachable,
            _ => slot.meaning,
        }
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
