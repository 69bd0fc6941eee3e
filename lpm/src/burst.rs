//! Bursts: many addresses at a time, so that their cache misses overlap.
//!
//! [`Fib::lookup_burst`] does a whole burst in one call. A worker that has just received its packets does better in two:
//! [`Fib::start`] a burst when its addresses are known, and [`Fib::finish`] it after the next burst has been received.
//! Meanwhile the lines that the second half needs are on their way.

use crate::entry::Entry;
use crate::family::position;
use crate::fib::Fib;
use crate::prefix::Address;
use crate::table::NextHopId;

/// Addresses that are looked up together.
pub const BURST: usize = 64;

/// A burst between [`Fib::start`] and [`Fib::finish`].
#[derive(Debug, Clone)]
pub struct InFlight<A> {
    addresses: [A; BURST],
    len: usize,
    /// What the pages say, in the snapshot `of`.
    entries: [u32; BURST],
    of: u64,
}

impl<A: Address> Default for InFlight<A> {
    fn default() -> Self {
        Self { addresses: [A::from_number(0); BURST], len: 0, entries: [Entry::NONE.word(); BURST], of: 0 }
    }
}

impl<A: Address> InFlight<A> {
    /// The addresses it was started with.
    pub fn addresses(&self) -> &[A] {
        &self.addresses[..self.len]
    }
}

impl<A: Address> Fib<A> {
    /// [`Fib::lookup`] for each of `addresses`, into the same places of `next_hops`.
    ///
    /// # Panics
    ///
    /// When `next_hops` is shorter than `addresses`.
    #[inline]
    pub fn lookup_burst(&self, addresses: &[A], next_hops: &mut [Option<NextHopId>]) {
        let next_hops = &mut next_hops[..addresses.len()];
        let snapshot = &*self.snapshot;
        #[cfg(target_arch = "x86_64")]
        if let Some(vectors) = snapshot.vectors {
            return vectors.burst(&snapshot.top, &snapshot.arena, snapshot.width, addresses, next_hops);
        }
        self.lookup_burst_portably(addresses, next_hops);
    }

    /// [`Fib::lookup_burst`] as machines without the vector instructions do it: in passes, one level at a time.
    ///
    /// # Panics
    ///
    /// When `next_hops` is shorter than `addresses`.
    pub fn lookup_burst_portably(&self, addresses: &[A], next_hops: &mut [Option<NextHopId>]) {
        let next_hops = &mut next_hops[..addresses.len()];
        let mut entries = [Entry::NONE; BURST];
        for (addresses, next_hops) in addresses.chunks(BURST).zip(next_hops.chunks_mut(BURST)) {
            for (entry, address) in entries.iter_mut().zip(addresses) {
                *entry = self.page_entry(address.to_number());
            }
            for ((next_hop, address), entry) in next_hops.iter_mut().zip(addresses).zip(entries) {
                *next_hop = self.answer_below(entry, address.to_number());
            }
        }
    }

    /// Begins to look up `addresses`.
    ///
    /// # Panics
    ///
    /// When there are more than [`BURST`].
    pub fn start(&self, addresses: &[A], in_flight: &mut InFlight<A>) {
        let snapshot = &*self.snapshot;
        in_flight.addresses[..addresses.len()].copy_from_slice(addresses);
        in_flight.len = addresses.len();
        in_flight.of = snapshot.number;
        #[cfg(target_arch = "x86_64")]
        if let Some(vectors) = snapshot.vectors {
            vectors.start(&snapshot.top, &snapshot.arena, &in_flight.addresses, &mut in_flight.entries);
            return;
        }
        for (entry, address) in in_flight.entries.iter_mut().zip(addresses) {
            *entry = self.page_entry(address.to_number()).word();
        }
    }

    /// Completes what [`Fib::start`] began.
    ///
    /// The answers are those of this table, whatever table the burst was started in: where that was another one, for
    /// instance the one before a change, everything is looked up now.
    ///
    /// # Panics
    ///
    /// When `next_hops` is shorter than the addresses.
    pub fn finish(&self, in_flight: &InFlight<A>, next_hops: &mut [Option<NextHopId>]) {
        let snapshot = &*self.snapshot;
        let next_hops = &mut next_hops[..in_flight.len];
        if in_flight.of != snapshot.number {
            return self.lookup_burst(in_flight.addresses(), next_hops);
        }
        #[cfg(target_arch = "x86_64")]
        if let Some(vectors) = snapshot.vectors {
            let InFlight { addresses, entries, .. } = in_flight;
            vectors.finish(&snapshot.arena, snapshot.width, addresses, entries, next_hops);
            return;
        }
        for ((next_hop, address), entry) in next_hops.iter_mut().zip(in_flight.addresses()).zip(in_flight.entries) {
            *next_hop = self.answer_below(Entry::of_word(entry), address.to_number());
        }
    }

    /// Levels 0 and 1: what the page of an address says.
    #[inline]
    pub(crate) fn page_entry(&self, number: u128) -> Entry {
        let snapshot = &*self.snapshot;
        let page = Entry::of_word(snapshot.top.as_ref()[position::<A>(number, 0) as usize]);
        if page.is_leaf() {
            return page;
        }
        snapshot.arena.entry(page.at() + position::<A>(number, 1) as usize * size_of::<Entry>())
    }
}
