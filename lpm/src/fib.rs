//! The compiled table, and the writer that publishes it.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::arena::{Arena, Block, Heap};
use crate::entry::Entry;
use crate::family::{Family, position};
use crate::generations::{Generations, Retired};
use crate::plain::Plain;
use crate::prefix::Address;
use crate::range;
use crate::rib::{Press, Rib, Scratch};
#[cfg(target_arch = "x86_64")]
use crate::simd::Vectors;
use crate::sync::Arc;
use crate::table::{Change, NextHopId, RouteTable};
use crate::width::Width;

/// The writer's end: owns the routes, and publishes each batch of changes as one new [`Fib`].
///
/// A publication costs what changed, not what there is: the nodes on the way to each changed route are written anew, all
/// others are shared with the snapshot before. The old nodes are reused when no one holds a snapshot that reaches them;
/// only this type ever frees them.
#[derive(Debug)]
pub struct FibWriter<A: Address> {
    rib: Rib<A>,
    heap: Heap,
    plain: Plain,
    generations: Generations<Snapshot<A>, Block>,
    /// Answers in narrow nodes are this wide.
    width: Width,
    /// Blocks that wait in `generations`, in bytes.
    waiting: usize,
    /// Since this generation the arena is the present one.
    moved: u64,
    retired: Vec<Retired<Block>>,
    scratch: Scratch,
}

impl<A: Address> Default for FibWriter<A> {
    fn default() -> Self {
        let (heap, rib) = (Heap::with_capacity(A::RESERVED, 0), Rib::default());
        let width = Width::One;
        let empty = Snapshot::new(rib.top(), width, heap.arena());
        Self {
            rib,
            heap,
            plain: Plain::default(),
            generations: Generations::new(empty),
            width,
            waiting: 0,
            moved: 0,
            retired: Vec::new(),
            scratch: Scratch::default(),
        }
    }
}

impl<A: Address> Clone for FibWriter<A> {
    /// A writer with the same routes and a memory of its own: compiled anew.
    fn clone(&self) -> Self {
        let mut routes = Vec::with_capacity(self.rib.len());
        self.rib.for_each(|prefix, next_hop| routes.push(Change::Set(prefix, next_hop)));
        let mut copy = Self::default();
        copy.apply(routes);
        copy
    }
}

impl<A: Address> FibWriter<A> {
    /// Applies a batch, in order, and returns the table that has all of it.
    ///
    /// A first batch with a whole table in it is the way to load one; it is fastest in the order of the prefixes.
    ///
    /// # Panics
    ///
    /// When the compiled table would take more than 1 GiB: about thirty million host routes.
    pub fn apply(&mut self, changes: impl IntoIterator<Item = Change<A>>) -> Fib<A> {
        let mut changed = false;
        let mut widest = self.width;
        for change in changes {
            let (prefix, next_hop) = match change {
                Change::Set(prefix, next_hop) => (prefix, Some(next_hop)),
                Change::Remove(prefix) => (prefix, None),
            };
            changed |= self.rib.set(prefix, next_hop) != next_hop;
            widest = next_hop.map_or(widest, |next_hop| widest.max(Width::of(next_hop)));
        }
        if changed {
            self.compile(widest);
            self.publish();
        }
        self.snapshot()
    }

    /// The table as of the last batch.
    pub fn snapshot(&self) -> Fib<A> {
        Fib { snapshot: Arc::clone(self.generations.current()) }
    }

    /// Reuses what no reader needs any more. [`FibWriter::apply`] does so by itself; call this when there is nothing to
    /// apply and readers have moved on.
    pub fn reclaim(&mut self) {
        let (heap, waiting) = (&mut self.heap, &mut self.waiting);
        self.generations.reclaim(|block| {
            *waiting -= block.len_bytes();
            heap.free(block);
        });
    }

    /// The routes, in the order of their prefixes.
    pub fn routes(&self) -> RouteTable<A> {
        let mut routes = RouteTable::default();
        self.rib.for_each(|prefix, next_hop| {
            routes.insert(prefix, next_hop);
        });
        routes
    }

    /// What the table takes.
    pub fn usage(&self) -> Usage {
        Usage {
            routes: self.rib.len(),
            fib_bytes: self.heap.in_use() - self.waiting,
            waiting_bytes: self.waiting,
            arena_bytes: self.heap.top(),
            live_snapshots: self.generations.live(),
            next_hop_bytes: self.width.bytes(),
        }
    }

    /// The bytes of all nodes, among them some that are free.
    pub(crate) fn nodes(&self) -> Vec<u8> {
        self.heap.bytes()
    }

    /// Compiles what changed; all of it in a new arena if next hops got wider, or too much of the old one is idle.
    fn compile(&mut self, width: Width) {
        if width > self.width {
            self.start_over(width);
        }
        self.compile_changes();
        let idle = self.heap.top() - (self.heap.in_use() - self.waiting);
        if idle > self.heap.top() / 2 + TOLERATED_IDLE || self.plain.is_overgrown(self.rib.len()) {
            self.start_over(self.rib.width());
            self.compile_changes();
        }
    }

    /// Compiles what changed into the present arena.
    fn compile_changes(&mut self) {
        let moves = self.heap.moves();
        let generation = self.generations.next_number();
        let (heap, retired, plain) = (&mut self.heap, &mut self.retired, &mut self.plain);
        let mut press = Press { heap, retired, plain, width: self.width, generation, scratch: &mut self.scratch };
        self.rib.compile(&mut press);
        for retired in &mut self.retired {
            self.waiting += retired.block.len_bytes();
            retired.born = retired.born.max(self.moved);
        }
        if self.heap.moves() != moves {
            // Whoever holds an older snapshot has the older arena; in this one nobody can reach what was retired.
            self.moved = generation;
            let unreachable =
                self.generations.take_waiting().chain(self.retired.drain(..).map(|retired| retired.block));
            unreachable.for_each(|block| self.heap.free(block));
            self.waiting = 0;
        }
    }

    /// Leaves the present arena to those who hold its snapshots, and takes an empty one, with answers of `width`.
    fn start_over(&mut self, width: Width) {
        self.width = width;
        self.heap = Heap::with_capacity(A::RESERVED, self.heap.in_use() - self.waiting);
        self.plain = Plain::default();
        self.moved = self.generations.next_number();
        self.rib.forget_compiled();
        self.generations.take_waiting().for_each(drop);
        self.retired.clear();
        self.waiting = 0;
    }

    /// Makes what is compiled the current snapshot.
    fn publish(&mut self) {
        let snapshot = Snapshot::new(self.rib.top(), self.width, self.heap.arena());
        self.generations.publish(snapshot, &mut self.retired);
        if self.waiting > TOLERATED_WAITING || self.generations.next_number().is_multiple_of(RECLAIM_EVERY) {
            self.reclaim();
        }
    }
}

/// What a table takes, as [`FibWriter::usage`] tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// Routes in the table.
    pub routes: usize,
    /// Bytes of nodes in the current snapshot.
    pub fib_bytes: usize,
    /// Bytes of nodes that only older snapshots reach.
    pub waiting_bytes: usize,
    /// Bytes of the arena that were ever touched: the two above, and what is free for reuse.
    pub arena_bytes: usize,
    /// Snapshots that someone may still hold, the current one included.
    pub live_snapshots: usize,
    /// Bytes of an answer in nodes that hold only answers: 1, 2 or 4.
    pub next_hop_bytes: usize,
}

/// An immutable forwarding table. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Fib<A: Address> {
    pub(crate) snapshot: Arc<Snapshot<A>>,
}

/// What a [`Fib`] shares.
#[derive(Debug)]
pub(crate) struct Snapshot<A: Address> {
    /// Unlike any other snapshot's, of any table.
    pub(crate) number: u64,
    pub(crate) top: <A as Family>::Top,
    pub(crate) width: Width,
    pub(crate) arena: Arc<Arena>,
    /// The vector instructions, if the machine has them.
    #[cfg(target_arch = "x86_64")]
    pub(crate) vectors: Option<Vectors>,
}

impl<A: Address> Snapshot<A> {
    /// A snapshot unlike any other.
    pub(crate) fn new(top: A::Top, width: Width, arena: &Arc<Arena>) -> Self {
        Self {
            // Relaxed: the number only has to differ from others.
            number: NEXT_SNAPSHOT.fetch_add(1, Ordering::Relaxed),
            top,
            width,
            arena: Arc::clone(arena),
            #[cfg(target_arch = "x86_64")]
            vectors: Vectors::detect(),
        }
    }
}

impl<A: Address> Fib<A> {
    /// The next hop of the longest prefix that contains `address`, or `None` without any.
    #[inline]
    pub fn lookup(&self, address: A) -> Option<NextHopId> {
        #[cfg(target_arch = "x86_64")]
        if let Some(vectors) = self.snapshot.vectors {
            return vectors.lookup(self, address);
        }
        self.lookup_portably(address)
    }

    /// [`Fib::lookup`] with the instructions that whatever it is compiled into may use.
    #[inline(always)]
    pub(crate) fn lookup_portably(&self, address: A) -> Option<NextHopId> {
        let number = address.to_number();
        self.answer_below(self.page_entry(number), number)
    }

    /// Levels 2 and on: the answer for an address whose page says `entry`.
    #[inline(always)]
    pub(crate) fn answer_below(&self, entry: Entry, number: u128) -> Option<NextHopId> {
        let snapshot = &*self.snapshot;
        let entry = A::find_in_chunk(&snapshot.arena, entry, position::<A>(number, 2), snapshot.width);
        if entry.is_leaf() { entry.answer() } else { self.answer_in_ranges(entry, number) }
    }

    /// Levels 3 and on: the answer for an address whose chunk says `entry`.
    ///
    /// Not inlined: it would have those who rarely come here save registers for it.
    #[inline(never)]
    pub(crate) fn answer_in_ranges(&self, mut entry: Entry, number: u128) -> Option<NextHopId> {
        let snapshot = &*self.snapshot;
        let mut level = 3;
        while !entry.is_leaf() {
            entry = range::find(&snapshot.arena, entry, position::<A>(number, level), snapshot.width);
            level += 1;
        }
        entry.answer()
    }
}

/// Snapshots are numbered across all tables, from 1.
static NEXT_SNAPSHOT: AtomicU64 = AtomicU64::new(1);

/// Publications between two looks at who still holds what: a look costs a few atomic operations per live snapshot.
const RECLAIM_EVERY: u64 = 8;

/// From so many bytes that wait for readers on, every publication looks.
const TOLERATED_WAITING: usize = 256 << 10;

/// Free bytes that are no reason to compile a table anew.
const TOLERATED_IDLE: usize = 1 << 20;
