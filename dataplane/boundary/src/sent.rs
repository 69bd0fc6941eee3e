//! Packets sent by each route that somebody counts (`rt_pksent`).
//!
//! A route that is counted has a [`CountId`], and for it a cell in the shard of every worker, which that worker alone
//! writes. Whoever asks adds the cells up ([`Chunk::sum`]): a sum that is exact once workers have ended their turns.
//!
//! Workers find out whose a packet is in a table beside the forwarding table ([`Counted`]), which holds the routes that are
//! counted and those inside them, and they ask it only of packets that leave. So the forwarding table stays as small as it
//! is, routes go on sharing their next hops, and where nothing is counted there is no such table and nothing to pay. Where
//! something is, every packet sent costs a second lookup, and each route that is counted 8 bytes for each worker.
//!
//! Cells come in chunks that stay where they are. A state brings the chunks that its routes need, so a worker never meets
//! an id without its cell; an id is given to another route only when no worker uses a state any more that gave it to this
//! one.

use std::array;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lpm::{Address, Fib, FibWriter, NextHopId};

use crate::state::PortId;

/// Which count: the number of its cell in every shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CountId(u32);

impl CountId {
    /// The count of packets that are nobody's; none is kept.
    pub const NOBODY: Self = Self(0);
    /// The highest number there can be: an answer of a table has one bit more.
    pub const MAX: u32 = NextHopId::MAX_INDEX / 2;

    /// The count with this number; none beyond [`CountId::MAX`].
    pub const fn new(number: u32) -> Option<Self> {
        if number <= Self::MAX { Some(Self(number)) } else { None }
    }

    /// Its number.
    pub const fn number(self) -> u32 {
        self.0
    }

    /// Which chunk its cells are in.
    #[inline]
    pub const fn chunk(self) -> usize {
        self.0 as usize / CELLS
    }

    const fn cell(self) -> usize {
        self.0 as usize % CELLS
    }
}

/// Whose the packets to a network are, as an answer of a table of counted routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// One route's; or nobody's, if it is not counted.
    Route(CountId),
    /// One of several routes that share, by the place of these in [`CountedTable::sharing`].
    OneOf(u32),
}

impl Whose {
    /// As an answer: even for one route, odd for several.
    pub const fn answer(self) -> NextHopId {
        match self {
            Self::Route(CountId(number)) => NextHopId::new(number * 2),
            Self::OneOf(place) => NextHopId::new(place * 2 + 1),
        }
    }

    /// What an answer says.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "an answer has 31 bits")]
    pub const fn of(answer: NextHopId) -> Self {
        let number = (answer.index() / 2) as u32;
        if answer.index().is_multiple_of(2) { Self::Route(CountId(number)) } else { Self::OneOf(number) }
    }
}

/// Several routes that share what goes to a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sharing {
    /// Their next hop, a group.
    pub group: NextHopId,
    /// Each member of it that is counted, and for whom.
    pub members: Box<[(NextHopId, CountId)]>,
}

/// The routes of a table that are counted, and those inside them.
#[derive(Debug, Clone)]
pub struct CountedTable<A: Address> {
    /// Whose packets to a destination are, as [`Whose::answer`]; nobody's where there is none.
    pub fib: Fib<A>,
    /// Those that share. Every place in an answer has its own here.
    pub sharing: Arc<[Sharing]>,
}

impl<A: Address> Default for CountedTable<A> {
    fn default() -> Self {
        Self { fib: FibWriter::default().snapshot(), sharing: Arc::from([]) }
    }
}

/// The same of each family.
#[derive(Debug, Clone, Default)]
pub struct CountedTables {
    /// Of IPv4.
    pub ipv4: CountedTable<Ipv4Addr>,
    /// Of IPv6.
    pub ipv6: CountedTable<Ipv6Addr>,
}

/// All that a worker needs to know to count.
#[derive(Debug, Clone, Default)]
pub struct Counted {
    /// Of the main table.
    pub main: CountedTables,
    /// Those of ports that do not forward by the main table, by [`PortId`]; a port that has no place here does.
    pub others: Arc<[Option<CountedTables>]>,
    /// The cells. Every [`CountId`] in a table has its own here.
    pub chunks: Arc<[Arc<Chunk>]>,
}

impl Counted {
    /// The tables by which packets from `port` are counted.
    #[inline]
    pub fn tables(&self, port: PortId) -> &CountedTables {
        match self.others.get(port.index()) {
            Some(Some(tables)) => tables,
            Some(None) | None => &self.main,
        }
    }

    /// Worker number `worker` sent a packet.
    #[inline]
    pub fn sent(&self, worker: usize, id: CountId) {
        if id != CountId::NOBODY
            && let Some(Shard(cells)) = self.chunks[id.chunk()].shards.get(worker)
        {
            let cell = &cells[id.cell()];
            // Relaxed: nobody else writes here, so a load and a store make an increment; who reads is late or not.
            cell.store(cell.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        }
    }
}

/// The cells of [`CELLS`] counts, for every worker.
#[derive(Debug)]
pub struct Chunk {
    shards: Box<[Shard]>,
}

/// One worker's, on cache lines that no other writes.
#[derive(Debug)]
#[repr(align(128))]
struct Shard([AtomicU64; CELLS]);

impl Chunk {
    /// Cells at zero, for so many workers.
    pub fn new(workers: usize) -> Self {
        let shard = |_worker| Shard(array::from_fn(|_cell| AtomicU64::new(0)));
        Self { shards: (0..workers).map(shard).collect() }
    }

    /// What all workers have counted for `id`, whose cells are here.
    pub fn sum(&self, id: CountId) -> u64 {
        self.shards.iter().map(|Shard(cells)| cells[id.cell()].load(Ordering::Relaxed)).sum()
    }
}

/// How many counts have their cells in one chunk.
pub const CELLS: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_whose_a_packet_is() {
        for number in [0, 1, 2, 1023, CountId::MAX - 1] {
            for whose in [Whose::Route(CountId::new(number).unwrap()), Whose::OneOf(number)] {
                assert_eq!(Whose::of(whose.answer()), whose);
            }
        }
        assert_eq!(
            CountId::new(CountId::MAX).map(Whose::Route).map(Whose::answer),
            Some(NextHopId::new(NextHopId::MAX_INDEX))
        );
        assert_eq!(CountId::new(CountId::MAX + 1), None, "an answer has no room for it");
    }

    #[test]
    fn counts_are_the_sum_of_what_each_worker_has_written() {
        let counted = Counted { chunks: [0, 1].map(|_chunk| Arc::new(Chunk::new(2))).into(), ..Counted::default() };
        let (this, other) = (CountId::new(1025).unwrap(), CountId::new(1).unwrap());
        std::thread::scope(|scope| {
            for worker in 0..2 {
                let counted = &counted;
                scope.spawn(move || (0..10_000).for_each(|_packet| counted.sent(worker, this)));
            }
        });
        counted.sent(0, CountId::NOBODY);
        assert_eq!([this, other].map(|id| counted.chunks[id.chunk()].sum(id)), [20_000, 0]);
        assert_eq!(counted.chunks[0].sum(CountId::NOBODY), 0, "nobody's packets are not counted");
    }
}
