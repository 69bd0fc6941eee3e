//! One stretch of memory per table, and the only place that hands out pieces of it.
//!
//! A table's nodes live in one [`Arena`] and name each other by offset, never by address: an entry is 32 bits wide, and
//! the whole can be moved, written to a file and read back as it is. Readers hold the arena by `Arc`, inside a snapshot.
//! The writer holds the [`Heap`], which knows what is in use.
//!
//! Why a reader and the writer never meet on one byte:
//!
//! 1. A block is written once, in [`Heap::alloc`], before anyone but the writer knows where it lies.
//! 2. A snapshot reaches readers through an `Arc`, handed over by whatever publishes it; that hand-over orders the writes
//!    of 1 before their reads.
//! 3. A block returns to the heap by [`Heap::free`] alone. The writer calls it for blocks that no snapshot still held by
//!    anyone can reach, which `generations` decides; its look at the `Arc`'s count orders the last reads before reuse.
//! 4. No reference to arena memory outlives a call, and none is made to memory that readers may see: they copy words out.
//!
//! Nothing is freed to the system before the last snapshot of an arena is gone. Growing means a larger arena with the same
//! bytes at the same offsets; who holds an older snapshot keeps the smaller one.

#![expect(unsafe_code, reason = "raw memory shared between one writer and many readers, by the four rules above")]

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;

use crate::entry::Entry;
use crate::sync::Arc;

/// Memory that snapshots share. Zeroed at birth, so that every byte can be read.
#[derive(Debug)]
#[doc(hidden)]
pub struct Arena {
    /// As the allocator gave it.
    allocation: NonNull<u8>,
    layout: Layout,
    /// The first byte of `allocation` that is aligned as we want it.
    base: *const u8,
    /// Bytes that blocks may use. After them come [`OVERHANG`] more, so that a word read at the last byte is a read of ours.
    len: usize,
}

// SAFETY: the memory is owned by this value, and who may touch which byte when is ruled by the module's four points.
unsafe impl Send for Arena {}

// SAFETY: as above; through `&Arena` there are only reads, of bytes that no one writes any more.
unsafe impl Sync for Arena {}

impl Arena {
    /// An arena of `len` bytes.
    fn new(len: usize) -> Self {
        let align = if len >= HUGE_PAGE { HUGE_PAGE } else { LINE };
        let layout = Layout::from_size_align(len + OVERHANG + align, 16).expect("an arena is at most 1 GiB");
        // SAFETY: the layout is not empty. (Zeroed and over-long instead of aligned: the allocator gets such memory from
        // the system as it is, and only what is used costs.)
        let allocation = unsafe { alloc_zeroed(layout) };
        let Some(allocation) = NonNull::new(allocation) else { handle_alloc_error(layout) };
        let base = allocation.as_ptr().wrapping_add(allocation.align_offset(align));
        let arena = Self { allocation, layout, base, len };
        arena.ask_for_huge_pages();
        arena
    }

    /// The first byte, on a cache line.
    #[inline]
    pub(crate) fn base(&self) -> *const u8 {
        self.base
    }

    /// Bytes that blocks may use.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The entry at `at`.
    ///
    /// # Panics
    ///
    /// As all reads, when there is no such place.
    #[inline]
    pub(crate) fn entry(&self, at: usize) -> Entry {
        Entry::of_word(u32::from_ne_bytes(self.read(at)))
    }

    /// `N` bytes from `at` on.
    #[inline]
    pub(crate) fn read<const N: usize>(&self, at: usize) -> [u8; N] {
        assert!(at < self.len, "an entry names a place in its own arena");
        const { assert!(N <= OVERHANG) };
        let bytes = self.base().wrapping_add(at).cast::<[u8; N]>();
        // SAFETY: `at` is inside, and N more bytes are, by the overhang. A byte array has no alignment. The bytes are
        // initialised, and not being written if they belong to a node that this snapshot reaches (rules 1 and 3).
        unsafe { bytes.read() }
    }

    /// A copy of the first `len` bytes.
    fn prefix(&self, len: usize) -> Vec<u8> {
        assert!(len <= self.len);
        let mut bytes = vec![0; len];
        // SAFETY: source and destination are `len` bytes long and distinct; only the writer calls this, between two of its
        // own writes.
        unsafe { self.base().copy_to_nonoverlapping(bytes.as_mut_ptr(), len) };
        bytes
    }

    /// Fewer page-table lines per lookup. What the system answers does not matter: it is a wish.
    fn ask_for_huge_pages(&self) {
        #[cfg(all(target_os = "linux", not(miri)))]
        if self.len >= HUGE_PAGE {
            let whole_pages = self.len / HUGE_PAGE * HUGE_PAGE;
            // SAFETY: the range is inside our own allocation, and the advice changes no byte of it.
            let _a_wish = unsafe {
                rustix::mm::madvise(self.base().cast_mut().cast(), whole_pages, rustix::mm::Advice::LinuxHugepage)
            };
        }
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this layout; the last owner is gone.
        unsafe { dealloc(self.allocation.as_ptr(), self.layout) };
    }
}

/// A piece of the arena. Not `Copy`: whoever has it may free it, once.
#[derive(Debug)]
#[doc(hidden)]
pub struct Block {
    /// In units of [`Heap::GRAIN`].
    start: u32,
    /// In units of [`Heap::GRAIN`].
    len: u32,
}

impl Block {
    /// Its first byte's place in the arena.
    pub(crate) fn at(&self) -> usize {
        self.start as usize * Heap::GRAIN
    }

    /// Its size.
    pub(crate) fn len_bytes(&self) -> usize {
        self.len as usize * Heap::GRAIN
    }
}

/// The writer's view of an arena: what is in use, what is free, and where the unused rest begins.
#[derive(Debug)]
#[doc(hidden)]
pub struct Heap {
    arena: Arc<Arena>,
    /// Every block lies below.
    top: usize,
    /// Free blocks by size class.
    free: Vec<Vec<u32>>,
    /// Bytes in blocks that are not free.
    in_use: usize,
    /// How often the arena was replaced by a larger one.
    moves: u64,
}

impl Heap {
    /// Blocks start and end at multiples of this.
    const GRAIN: usize = 16;

    /// A heap with room for `len` bytes, after `reserved` that stay zero; it grows when that is not enough.
    pub(crate) fn with_capacity(reserved: usize, len: usize) -> Self {
        let arena = Arc::new(Arena::new(reserved + len));
        Self { arena, top: reserved, free: Vec::new(), in_use: 0, moves: 0 }
    }

    /// A heap with all of these bytes, the first `reserved` of which are zero. Nothing in it is ever freed.
    pub(crate) fn holding(reserved: usize, bytes: &[u8]) -> Self {
        let mut heap = Self::with_capacity(reserved, bytes.len());
        let blocks = &bytes[reserved..];
        heap.alloc(blocks.len(), |block| block[..blocks.len()].copy_from_slice(blocks));
        heap
    }

    /// A copy of the reserved bytes and of all blocks, used and free.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.arena.prefix(self.top)
    }

    /// The memory, for a snapshot to hold.
    pub(crate) fn arena(&self) -> &Arc<Arena> {
        &self.arena
    }

    /// Bytes of the arena that were ever used.
    pub(crate) fn top(&self) -> usize {
        self.top
    }

    /// Bytes in blocks that are not free.
    pub(crate) fn in_use(&self) -> usize {
        self.in_use
    }

    /// How often the arena was replaced by a larger one: blocks born before are unseen by newer snapshots' elders.
    pub(crate) fn moves(&self) -> u64 {
        self.moves
    }

    /// A block of at least `len` bytes, filled by `fill`, which sees all of it; what it leaves alone is unspecified.
    ///
    /// # Panics
    ///
    /// When the arena would outgrow what an entry can name, 1 GiB.
    pub(crate) fn alloc(&mut self, len: usize, fill: impl FnOnce(&mut [u8])) -> Block {
        let block = self.take(len);
        // SAFETY: inside the arena, by `take`.
        let first = unsafe { self.arena.base().cast_mut().add(block.at()) };
        // SAFETY: the block was free, so no snapshot reaches it (rule 3) and no other reference exists (rule 4).
        fill(unsafe { std::slice::from_raw_parts_mut(first, block.len_bytes()) });
        block
    }

    /// A block with the bytes of `original`, changed by `change`.
    pub(crate) fn alloc_copy(&mut self, original: &Block, change: impl FnOnce(&mut [u8])) -> Block {
        let copy = self.take(original.len_bytes());
        // SAFETY: inside the arena, as every block.
        let from = unsafe { self.arena.base().add(original.at()) };
        // SAFETY: inside the arena, by `take`.
        let to = unsafe { self.arena.base().cast_mut().add(copy.at()) };
        // SAFETY: both are that long, and two blocks in use never overlap.
        unsafe { from.copy_to_nonoverlapping(to, copy.len_bytes()) };
        // SAFETY: as in `alloc`.
        change(unsafe { std::slice::from_raw_parts_mut(to, copy.len_bytes()) });
        copy
    }

    /// The entry `at` bytes into a block.
    pub(crate) fn entry_of(&self, block: &Block, at: usize) -> Entry {
        self.arena.entry(block.at() + at)
    }

    /// Takes a block back. The caller answers for rule 3: no snapshot that anyone holds reaches it.
    pub(crate) fn free(&mut self, block: Block) {
        self.in_use -= block.len_bytes();
        let class = class_of(block.len_bytes());
        if self.free.len() <= class {
            self.free.resize_with(class + 1, Vec::new);
        }
        self.free[class].push(block.start);
    }

    /// A free block of the size, or a new one.
    #[expect(clippy::cast_possible_truncation, reason = "an arena is at most 1 GiB")]
    fn take(&mut self, len: usize) -> Block {
        let len = rounded(len);
        self.in_use += len;
        let units = (len / Self::GRAIN) as u32;
        if let Some(start) = self.free.get_mut(class_of(len)).and_then(Vec::pop) {
            return Block { start, len: units };
        }
        // A block of up to a line never straddles two; the others start on one.
        let aligned = self.top.next_multiple_of(len.min(LINE));
        self.keep_gap(aligned);
        self.top = aligned + len;
        self.reserve(self.top);
        Block { start: (aligned / Self::GRAIN) as u32, len: units }
    }

    /// What alignment skips, from the top up to `aligned`, becomes free blocks of one grain each.
    #[expect(clippy::cast_possible_truncation, reason = "an arena is at most 1 GiB")]
    fn keep_gap(&mut self, aligned: usize) {
        for start in (self.top..aligned).step_by(Self::GRAIN) {
            self.in_use += Self::GRAIN;
            self.free(Block { start: (start / Self::GRAIN) as u32, len: 1 });
        }
    }

    /// Moves to a larger arena unless `len` bytes fit.
    fn reserve(&mut self, len: usize) {
        if len <= self.arena.len {
            return;
        }
        assert!(len <= Entry::REACH, "a table outgrew its arena: {len} bytes, an entry can name {}", Entry::REACH);
        let larger = Arena::new((len * 2).next_power_of_two().clamp(SMALLEST, Entry::REACH));
        // SAFETY: the old arena is whole and shorter than the new one, which nobody else knows yet. Readers of the old one
        // only read.
        unsafe { self.arena.base().copy_to_nonoverlapping(larger.base().cast_mut(), self.arena.len) };
        self.arena = Arc::new(larger);
        self.moves += 1;
    }
}

/// The size a block of `len` bytes really gets: one, two or four grains, then whole lines, then eighths of a page.
fn rounded(len: usize) -> usize {
    match len {
        0..=16 => 16,
        17..=32 => 32,
        33..=4096 => len.next_multiple_of(LINE),
        _ => len.next_multiple_of(512),
    }
}

/// Consecutive numbers for the sizes of [`rounded`].
fn class_of(rounded: usize) -> usize {
    match rounded {
        16 => 0,
        32 => 1,
        33..=4096 => 1 + rounded / LINE,
        _ => 57 + rounded / 512,
    }
}

/// Bytes after the last block that may be read (and mean nothing).
const OVERHANG: usize = 64;

/// A cache line.
pub(crate) const LINE: usize = 64;

/// From this size on an arena is aligned for, and asks for, large pages.
const HUGE_PAGE: usize = 2 << 20;

/// The first arena of a table that holds anything.
const SMALLEST: usize = 32 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_has_a_class_of_its_own() {
        let sizes: Vec<usize> = (1..400_000).map(rounded).collect();
        for pair in sizes.windows(2) {
            let step = class_of(pair[1]) - class_of(pair[0]);
            assert_eq!(step, usize::from(pair[0] != pair[1]), "{pair:?}");
        }
    }

    #[test]
    fn a_freed_block_is_the_next_of_its_size() {
        let mut heap = Heap::with_capacity(64, 0);
        let first = heap.alloc(40, |bytes| bytes.fill(1));
        let second = heap.alloc(40, |bytes| bytes.fill(2));
        let (at, top) = (first.at(), heap.top());
        heap.free(first);
        assert_eq!(heap.alloc(64, |_same_class| ()).at(), at);
        assert_eq!((heap.top(), heap.in_use()), (top, 128));
        assert_eq!(heap.entry_of(&second, 60).word(), 0x0202_0202);
    }

    #[test]
    fn a_heap_that_grows_keeps_every_byte_at_its_offset() {
        let mut heap = Heap::with_capacity(64, 0);
        let blocks: Vec<Block> =
            (0..5000_u32).map(|n| heap.alloc(48, |bytes| bytes[..4].copy_from_slice(&n.to_ne_bytes()))).collect();
        assert!(heap.moves() > 1, "it had to move");
        for (n, block) in (0..).zip(&blocks) {
            assert_eq!(heap.entry_of(block, 0).word(), n, "block {n}");
        }
    }

    #[test]
    fn no_small_block_straddles_a_line() {
        let mut heap = Heap::with_capacity(64, 0);
        for len in [16, 16, 64, 32, 16, 32, 200, 16, 64, 32] {
            let block = heap.alloc(len, |_bytes| ());
            let lines = block.at() / LINE..=(block.at() + block.len_bytes() - 1) / LINE;
            assert!(block.len_bytes() > LINE || lines.start() == lines.end(), "{block:?}");
        }
    }
}
