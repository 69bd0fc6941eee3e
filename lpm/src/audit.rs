//! Whether a published table says what its routes say.
//!
//! The comparison is with [`RouteTable::runs`], which shares nothing with the compiled form: at both ends of every run of
//! addresses with one answer, so at both sides of every edge, and at random addresses in between. It reads the snapshot
//! as a worker does, alone and in bursts, so it may run beside the workers; a full table takes well under a second.

use crate::burst::BURST;
use crate::fib::Fib;
use crate::prefix::Address;
use crate::table::{NextHopId, RouteTable};

/// What an audit that found nothing wrong has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Audit {
    /// Runs of addresses with one answer.
    pub runs: usize,
    /// Addresses compared, each alone and in a burst.
    pub addresses: usize,
}

/// An address that a table answers wrongly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{address} goes to {found:?}, its routes say {expected:?}")]
pub struct Disagreement<A: Address> {
    /// The address.
    pub address: A,
    /// What the table answers.
    pub found: Option<NextHopId>,
    /// What the routes say.
    pub expected: Option<NextHopId>,
}

impl<A: Address> Fib<A> {
    /// Compares this table with `routes` at every edge and at `random` further addresses, drawn from `seed`.
    ///
    /// # Errors
    ///
    /// The first address on which they disagree.
    pub fn audit(&self, routes: &RouteTable<A>, random: usize, seed: u64) -> Result<Audit, Disagreement<A>> {
        let runs = routes.runs();
        let mut comparison = Comparison::new(self);
        let last_addresses = runs.iter().skip(1).map(|(first, _)| first.to_number() - 1).chain([u128::MAX]);
        for ((first, expected), last) in runs.iter().zip(last_addresses) {
            comparison.add(*first, *expected)?;
            comparison.add(A::from_number(last), *expected)?;
        }
        let mut noise = Noise(seed);
        for _each in 0..random {
            let address = A::from_number(u128::from(noise.next()) << 64 | u128::from(noise.next()));
            let (_, expected) = runs[runs.partition_point(|(first, _)| *first <= address) - 1];
            comparison.add(address, expected)?;
        }
        comparison.compare()?;
        Ok(Audit { runs: runs.len(), addresses: runs.len() * 2 + random })
    }
}

/// A burst of addresses, and what they should answer.
struct Comparison<'a, A: Address> {
    fib: &'a Fib<A>,
    addresses: Vec<A>,
    expected: Vec<Option<NextHopId>>,
}

impl<'a, A: Address> Comparison<'a, A> {
    fn new(fib: &'a Fib<A>) -> Self {
        Self { fib, addresses: Vec::with_capacity(BURST), expected: Vec::with_capacity(BURST) }
    }

    /// Compares `address`, soon.
    fn add(&mut self, address: A, expected: Option<NextHopId>) -> Result<(), Disagreement<A>> {
        self.addresses.push(address);
        self.expected.push(expected);
        if self.addresses.len() == BURST { self.compare() } else { Ok(()) }
    }

    /// Compares what was added since the last time.
    fn compare(&mut self) -> Result<(), Disagreement<A>> {
        let mut in_burst = [None; BURST];
        self.fib.lookup_burst(&self.addresses, &mut in_burst);
        for ((address, expected), in_burst) in self.addresses.drain(..).zip(self.expected.drain(..)).zip(in_burst) {
            for found in [self.fib.lookup(address), in_burst] {
                if found != expected {
                    return Err(Disagreement { address, found, expected });
                }
            }
        }
        Ok(())
    }
}

/// Numbers without a pattern: splitmix64.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::{Change, FibWriter, Prefix};

    #[test]
    fn a_table_that_lacks_a_route_is_found_out_at_the_route() {
        let prefix: Prefix<Ipv4Addr> = "192.0.2.64/26".parse().unwrap();
        let mut writer = FibWriter::default();
        let without = writer.snapshot();
        let with = writer.apply([Change::Set(prefix, NextHopId::new(3))]);
        let routes = writer.routes();
        assert_eq!(with.audit(&routes, 1000, 1), Ok(Audit { runs: 3, addresses: 1006 }));
        let found_out = without.audit(&routes, 0, 1).unwrap_err();
        assert_eq!(found_out.to_string(), "192.0.2.64 goes to None, its routes say Some(NextHopId(3))");
    }
}
