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

/// One change to a table of routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change<A: Address> {
    /// Sends the prefix to the next hop, whether or not it was there before.
    Set(Prefix<A>, NextHopId),
    /// Forgets the prefix, if it was there.
    Remove(Prefix<A>),
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

    /// The routes that contain all of `prefix`, itself among them if it is there; the shortest first.
    pub fn covering(&self, prefix: Prefix<A>) -> impl Iterator<Item = (Prefix<A>, NextHopId)> + '_ {
        let outer = (0..=prefix.len()).map(move |len| Prefix::containing(prefix.address(), len));
        outer.filter_map(|outer| self.get(outer).map(|next_hop| (outer, next_hop)))
    }

    /// The routes that `prefix` contains, itself among them if it is there; in the order of their prefixes.
    pub fn covered(&self, prefix: Prefix<A>) -> impl Iterator<Item = (Prefix<A>, NextHopId)> + '_ {
        let from_here = self.routes.range(prefix..).map(|(inner, next_hop)| (*inner, *next_hop));
        from_here.take_while(move |(inner, _)| prefix.covers(*inner))
    }

    /// The changes that turn this table into `newer`: removals and insertions, in the order of their prefixes.
    pub fn diff<'a>(&'a self, newer: &'a Self) -> impl Iterator<Item = Change<A>> + 'a {
        let (mut old, mut new) = (self.iter().peekable(), newer.iter().peekable());
        std::iter::from_fn(move || {
            loop {
                let (old_prefix, new_prefix) = (old.peek().map(|route| route.0), new.peek().map(|route| route.0));
                if old_prefix == new_prefix {
                    let (was, is) = (old.next()?, new.next()?);
                    if was != is {
                        return Some(Change::Set(is.0, is.1));
                    }
                } else if new_prefix.is_none_or(|new| old_prefix.is_some_and(|old| old < new)) {
                    return old.next().map(|(prefix, _)| Change::Remove(prefix));
                } else {
                    return new.next().map(|(prefix, next_hop)| Change::Set(prefix, next_hop));
                }
            }
        })
    }

    /// The whole address space, cut at every edge of every route: the first address of each run of addresses with one
    /// answer, in order, and that answer.
    ///
    /// The same meaning as [`RouteTable::longest_match`] at every address, in one walk over the routes with a stack of
    /// those that cover the current one. For comparing a whole table.
    pub fn runs(&self) -> Vec<(A, Option<NextHopId>)> {
        let mut runs = Runs { runs: vec![(A::from_number(0), None)] };
        let mut covering: Vec<(Prefix<A>, NextHopId)> = Vec::new();
        for (prefix, next_hop) in self.iter() {
            runs.close_until(&mut covering, |outer| outer.covers(prefix));
            runs.start(prefix.address(), Some(next_hop));
            covering.push((prefix, next_hop));
        }
        runs.close_until(&mut covering, |_outer| false);
        runs.runs
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

/// Runs in the making.
struct Runs<A> {
    runs: Vec<(A, Option<NextHopId>)>,
}

impl<A: Address> Runs<A> {
    /// From `first` on, the answer is `next_hop`.
    fn start(&mut self, first: A, next_hop: Option<NextHopId>) {
        self.runs.pop_if(|(at, _)| *at == first);
        match self.runs.last() {
            Some((_, same)) if *same == next_hop => {}
            _ => self.runs.push((first, next_hop)),
        }
    }

    /// Ends the innermost routes, each where it ends, until one that `covers` what comes next.
    fn close_until(&mut self, covering: &mut Vec<(Prefix<A>, NextHopId)>, covers: impl Fn(Prefix<A>) -> bool) {
        while let Some((inner, _)) = covering.pop_if(|(outer, _)| !covers(*outer)) {
            let beyond = inner.last().to_number().wrapping_add(1);
            let is_the_end = A::from_number(beyond).to_number() == 0;
            if !is_the_end {
                self.start(A::from_number(beyond), covering.last().map(|(_, next_hop)| *next_hop));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    fn table(routes: &[(&str, u32)]) -> RouteTable<Ipv4Addr> {
        let mut table = RouteTable::default();
        for (prefix, hop) in routes {
            table.insert(prefix.parse().unwrap(), NextHopId::new(*hop));
        }
        table
    }

    /// Any table of nested and colliding routes.
    fn any_table<A: Address>() -> impl Strategy<Value = RouteTable<A>> {
        let route = (any::<u128>(), 0..=A::BITS, 0..4_u128, 0..5_u32).prop_map(|(noise, len, top, hop)| {
            let number = top << (A::BITS - 2) | (noise & noise.rotate_left(7) & (u128::MAX >> (130 - A::BITS)));
            (Prefix::containing(A::from_number(number), len), NextHopId::new(hop))
        });
        proptest::collection::vec(route, 0..40).prop_map(|routes| {
            let mut table = RouteTable::default();
            for (prefix, hop) in routes {
                table.insert(prefix, hop);
            }
            table
        })
    }

    fn texts(routes: impl Iterator<Item = (Prefix<Ipv4Addr>, NextHopId)>) -> Vec<String> {
        routes.map(|(prefix, _)| prefix.to_string()).collect()
    }

    #[test]
    fn covering_routes_come_from_outside_in_and_covered_ones_in_order() {
        let table = table(&[
            ("0.0.0.0/0", 0),
            ("10.0.0.0/8", 1),
            ("10.1.0.0/16", 2),
            ("10.1.2.0/24", 3),
            ("10.2.0.0/16", 4),
            ("11.0.0.0/8", 5),
        ]);
        let prefix: Prefix<Ipv4Addr> = "10.1.0.0/16".parse().unwrap();
        assert_eq!(texts(table.covering(prefix)), ["0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16"]);
        assert_eq!(texts(table.covered(prefix)), ["10.1.0.0/16", "10.1.2.0/24"]);
        let absent: Prefix<Ipv4Addr> = "10.0.0.0/9".parse().unwrap();
        assert_eq!(texts(table.covered(absent)), ["10.1.0.0/16", "10.1.2.0/24", "10.2.0.0/16"]);
        assert_eq!(texts(table.covered(Prefix::default_route())).len(), table.len());
    }

    /// Whether the two slow ways to an answer agree at the edges and at `probes`.
    fn runs_say_what_longest_match_says<A: Address>(
        table: &RouteTable<A>,
        probes: &[u128],
    ) -> Result<(), TestCaseError> {
        let runs = table.runs();
        prop_assert!(runs.is_sorted_by(|a, b| a.0 < b.0 && a.1 != b.1));
        let edges = table.iter().flat_map(|(prefix, _)| {
            let (first, last) = (prefix.address().to_number(), prefix.last().to_number());
            [first, first.wrapping_sub(1), last, last.wrapping_add(1)]
        });
        for address in edges.chain(probes.iter().copied()).map(A::from_number) {
            let in_runs = runs[runs.partition_point(|(first, _)| *first <= address) - 1].1;
            prop_assert_eq!(in_runs, table.longest_match(address).map(|(_, hop)| hop), "{}", address);
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn the_runs_of_a_table_say_what_the_longest_match_says(
            v4 in any_table::<Ipv4Addr>(), v6 in any_table::<Ipv6Addr>(),
            probes in proptest::collection::vec(any::<u128>(), 20),
        ) {
            runs_say_what_longest_match_says(&v4, &probes)?;
            runs_say_what_longest_match_says(&v6, &probes)?;
        }

        #[test]
        fn the_diff_of_two_tables_turns_one_into_the_other_and_touches_nothing_else(
            old in any_table::<Ipv4Addr>(), new in any_table::<Ipv4Addr>(),
        ) {
            let mut turned = old.clone();
            for change in old.diff(&new) {
                match change {
                    Change::Set(prefix, hop) => prop_assert_ne!(turned.insert(prefix, hop), Some(hop)),
                    Change::Remove(prefix) => prop_assert!(turned.remove(prefix).is_some()),
                }
            }
            prop_assert_eq!(turned, new);
        }
    }

    #[test]
    fn an_optional_next_hop_is_one_word() {
        assert_eq!(size_of::<Option<NextHopId>>(), 4);
        assert_eq!(NextHopId::new(0).index(), 0);
        assert_eq!(NextHopId::new(NextHopId::MAX_INDEX).index(), NextHopId::MAX_INDEX as usize);
    }
}
