//! The compiled table: the address space cut at every edge of every route, and binary search.
//!
//! Each run of addresses with one answer is one entry, so a table of *n* routes has at most 2*n* + 1 of them. A lookup is
//! one binary search. Publishing rebuilds the whole table: right for hundreds of routes, too dear for a full table.

use std::sync::Arc;

use crate::prefix::{Address, Prefix};
use crate::table::{NextHopId, RouteTable};

/// One change to a table of routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change<A: Address> {
    /// Sends the prefix to the next hop, whether or not it was there before.
    Set(Prefix<A>, NextHopId),
    /// Forgets the prefix, if it was there.
    Remove(Prefix<A>),
}

/// The writer's end: owns the routes, and publishes each batch of changes as one new [`Fib`].
#[derive(Debug, Clone)]
pub struct FibWriter<A: Address> {
    routes: RouteTable<A>,
    current: Fib<A>,
}

impl<A: Address> Default for FibWriter<A> {
    fn default() -> Self {
        Self { routes: RouteTable::default(), current: Fib { runs: Arc::from([(A::from_number(0), None)]) } }
    }
}

impl<A: Address> FibWriter<A> {
    /// Applies a batch, in order, and returns the table that has all of it.
    pub fn apply(&mut self, changes: impl IntoIterator<Item = Change<A>>) -> Fib<A> {
        for change in changes {
            match change {
                Change::Set(prefix, next_hop) => self.routes.insert(prefix, next_hop),
                Change::Remove(prefix) => self.routes.remove(prefix),
            };
        }
        self.current = Fib::compile(&self.routes);
        self.current.clone()
    }

    /// The table as of the last batch.
    pub fn snapshot(&self) -> Fib<A> {
        self.current.clone()
    }
}

/// An immutable forwarding table. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Fib<A> {
    /// First address of a run, and the answer for the whole run; in order, the first at address zero.
    runs: Arc<[(A, Option<NextHopId>)]>,
}

impl<A: Address> Fib<A> {
    /// Walks the routes in order with a stack of those that cover the current one.
    fn compile(routes: &RouteTable<A>) -> Self {
        let mut runs = Runs { runs: vec![(A::from_number(0), None)] };
        let mut covering: Vec<(Prefix<A>, NextHopId)> = Vec::new();
        for (prefix, next_hop) in routes.iter() {
            runs.close_until(&mut covering, |outer| outer.covers(prefix));
            runs.start(prefix.address(), Some(next_hop));
            covering.push((prefix, next_hop));
        }
        runs.close_until(&mut covering, |_outer| false);
        Self { runs: runs.runs.into() }
    }

    /// The next hop of the longest prefix that contains `address`, or `None` without any.
    #[inline]
    pub fn lookup(&self, address: A) -> Option<NextHopId> {
        let after = self.runs.partition_point(|(first, _)| *first <= address);
        self.runs[after - 1].1
    }

    /// [`Fib::lookup`] for each of `addresses`, into the same places of `next_hops`.
    ///
    /// # Panics
    ///
    /// When `next_hops` is shorter than `addresses`.
    #[inline]
    pub fn lookup_burst(&self, addresses: &[A], next_hops: &mut [Option<NextHopId>]) {
        let next_hops = &mut next_hops[..addresses.len()];
        for (next_hop, address) in next_hops.iter_mut().zip(addresses) {
            *next_hop = self.lookup(*address);
        }
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

    fn any_prefix<A: Address>() -> impl Strategy<Value = Prefix<A>> {
        // Few distinct leading bits, so that prefixes nest and collide.
        (any::<u128>(), 0..=A::BITS, 0..8_u128).prop_map(|(noise, len, top)| {
            let number = (top << (A::BITS - 3)) | (noise & noise.rotate_left(7) & (u128::MAX >> (131 - A::BITS)));
            Prefix::containing(A::from_number(number), len)
        })
    }

    fn any_change<A: Address>() -> impl Strategy<Value = Change<A>> {
        prop_oneof![
            3 => (any_prefix(), 0..20_u32).prop_map(|(prefix, hop)| Change::Set(prefix, NextHopId::new(hop))),
            1 => any_prefix().prop_map(Change::Remove),
        ]
    }

    fn agrees_after<A: Address>(changes: &[Change<A>], probes: &[u128]) -> Result<(), TestCaseError> {
        let mut golden = RouteTable::default();
        for change in changes {
            match *change {
                Change::Set(prefix, hop) => golden.insert(prefix, hop),
                Change::Remove(prefix) => golden.remove(prefix),
            };
        }
        let fib = FibWriter::default().apply(changes.iter().copied());
        // Random addresses rarely land on an edge, so ask on both sides of every edge as well.
        let edges = golden.iter().flat_map(|(prefix, _)| {
            let (first, last) = (prefix.address().to_number(), prefix.last().to_number());
            [first, first.wrapping_sub(1), last, last.wrapping_add(1)]
        });
        for address in edges.chain(probes.iter().copied()).map(A::from_number) {
            let expected = golden.longest_match(address).map(|(_, hop)| hop);
            prop_assert_eq!(fib.lookup(address), expected, "{}", address);
            let mut burst = [None];
            fib.lookup_burst(&[address], &mut burst);
            prop_assert_eq!(burst[0], expected, "{} in a burst", address);
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn the_fib_agrees_with_the_golden_table_after_any_changes(
            v4 in proptest::collection::vec(any_change::<Ipv4Addr>(), 0..60),
            v6 in proptest::collection::vec(any_change::<Ipv6Addr>(), 0..60),
            probes in proptest::collection::vec(any::<u128>(), 50),
        ) {
            agrees_after(&v4, &probes)?;
            agrees_after(&v6, &probes)?;
        }
    }

    #[test]
    fn a_reader_keeps_the_table_it_holds_while_the_writer_moves_on() {
        let mut writer = FibWriter::<Ipv4Addr>::default();
        let prefix: Prefix<Ipv4Addr> = "192.0.2.0/24".parse().unwrap();
        let before = writer.apply([Change::Set(prefix, NextHopId::new(1))]);
        let after = writer.apply([Change::Remove(prefix)]);
        assert_eq!(before.lookup(prefix.address()), Some(NextHopId::new(1)));
        assert_eq!(after.lookup(prefix.address()), None);
    }
}
