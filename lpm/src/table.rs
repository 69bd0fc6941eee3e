//! The golden table: routes in order, and the longest match anyone can check by eye.

use std::collections::BTreeMap;
use std::fmt::{self, Debug};
use std::num::NonZeroU32;

use crate::prefix::{Address, Prefix};

/// Which next hop: an index into a table that the forwarding state keeps beside the FIB.
///
/// Kept as the index plus one, so that an `Option<NextHopId>` is four bytes and a burst of answers is an array of words
/// in which zero is "no route".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct NextHopId(NonZeroU32);

impl NextHopId {
    /// The highest index there can be: one bit of a word says that it is an answer, and zero that there is none.
    pub const MAX_INDEX: u32 = (1 << 31) - 2;

    /// The next hop at `index`.
    ///
    /// # Panics
    ///
    /// When `index` exceeds [`NextHopId::MAX_INDEX`].
    pub const fn new(index: u32) -> Self {
        assert!(index <= Self::MAX_INDEX, "a next hop's index needs 31 bits at most");
        Self(NonZeroU32::MIN.saturating_add(index))
    }

    /// Its place in the table of next hops.
    #[inline]
    pub const fn index(self) -> usize {
        self.0.get() as usize - 1
    }

    /// An answer as a word: zero is "no route".
    #[inline]
    pub(crate) fn word(answer: Option<Self>) -> u32 {
        answer.map_or(0, |hop| hop.0.get())
    }

    /// The answer a word stands for.
    #[inline]
    pub(crate) fn of_word(word: u32) -> Option<Self> {
        NonZeroU32::new(word).map(Self)
    }
}

impl Debug for NextHopId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NextHopId").field(&self.index()).finish()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_optional_next_hop_is_one_word() {
        assert_eq!(size_of::<Option<NextHopId>>(), 4);
        assert_eq!(NextHopId::new(0).index(), 0);
        assert_eq!(NextHopId::new(NextHopId::MAX_INDEX).index(), NextHopId::MAX_INDEX as usize);
    }
}
