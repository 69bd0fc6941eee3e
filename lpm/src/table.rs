//! The golden table: routes in order, and the longest match anyone can check by eye.

use std::collections::BTreeMap;

use crate::prefix::{Address, Prefix};

/// Which next hop: an index into a table that the forwarding state keeps beside the FIB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NextHopId(u32);

impl NextHopId {
    /// The next hop at `index`.
    pub const fn new(index: u32) -> Self {
        Self(index)
    }

    /// Its place in the table of next hops.
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Routes of one family: exact, mutable, ordered by prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteTable<A: Address> {
    routes: BTreeMap<Prefix<A>, NextHopId>,
}

impl<A: Address> Default for RouteTable<A> {
    fn default() -> Self {
        Self { routes: BTreeMap::new() }
    }
}

impl<A: Address> RouteTable<A> {
    /// Sends `prefix` to `next_hop`; returns where it went before.
    pub fn insert(&mut self, prefix: Prefix<A>, next_hop: NextHopId) -> Option<NextHopId> {
        self.routes.insert(prefix, next_hop)
    }

    /// Forgets `prefix`; returns where it went.
    pub fn remove(&mut self, prefix: Prefix<A>) -> Option<NextHopId> {
        self.routes.remove(&prefix)
    }

    /// Where exactly `prefix` goes, more and less specific routes aside.
    pub fn get(&self, prefix: Prefix<A>) -> Option<NextHopId> {
        self.routes.get(&prefix).copied()
    }

    /// The most specific route that contains `address`.
    ///
    /// One exact query per length, longest first: obvious, and what every faster table is held against.
    pub fn longest_match(&self, address: A) -> Option<(Prefix<A>, NextHopId)> {
        (0..=A::BITS).rev().find_map(|len| {
            let prefix = Prefix::containing(address, len);
            self.get(prefix).map(|next_hop| (prefix, next_hop))
        })
    }

    /// All routes, in the order of their prefixes.
    pub fn iter(&self) -> impl Iterator<Item = (Prefix<A>, NextHopId)> + '_ {
        self.routes.iter().map(|(prefix, next_hop)| (*prefix, *next_hop))
    }

    /// How many routes there are.
    pub fn len(&self) -> usize {
        self.routes.len()
    }

    /// Whether there is no route at all.
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }
}
