//! What differs between IPv4 and IPv6 in the compiled table: where the levels are cut.

use std::fmt::Debug;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::arena::{Arena, Block, Heap};
use crate::chunk::{self, Anchored};
use crate::entry::Entry;
use crate::plain;
use crate::prefix::Address;
use crate::rib::Press;
#[cfg(target_arch = "x86_64")]
use crate::simd::VectorFamily as Vectors;
use crate::table::NextHopId;
use crate::width::Width;

/// The cut of one address family. Sealed: it stands in a private module.
///
/// Level *n* resolves the bits from `CUTS[n]` up to `CUTS[n + 1]`: level 0 is the top, in the snapshot itself; level 1 a
/// page, one entry per position; level 2 a chunk, a bitmap over the positions where the answer changes; all further levels
/// are range nodes. In the top and the pages of an IPv6 table answers are entries, in those of IPv4 they are `plain` nodes.
pub trait Family: Vectors {
    /// Bit positions between the levels, from 0 to the length of an address.
    const CUTS: &'static [u8];

    /// One entry for each position of level 0.
    type Top: Copy + Debug + Send + Sync + AsRef<[u32]> + AsMut<[u32]>;

    /// Bytes at the start of every arena that are in no block, and zero for ever: what a lookup reads where it has nothing
    /// to read, so that it need not ask whether it has.
    const RESERVED: usize;

    /// A top whose every position says that there is no route.
    fn empty_top() -> Self::Top;

    /// What the top, level 0, or a page, level 1, has in it to say `entry`.
    #[doc(hidden)]
    fn in_table(level: usize, entry: Entry, press: &mut Press<'_>) -> Entry;

    /// The answer that an entry of the top or of a page stands for, where it stands for one.
    #[doc(hidden)]
    fn answer_in_table(level: usize, entry: Entry, arena: &Arena, width: Width) -> Option<NextHopId>;

    /// Writes a chunk.
    #[doc(hidden)]
    fn encode_chunk(runs: &[Run], width: Width) -> Anchored;

    /// Copies a chunk with other entries at the starts of runs that are of one position each; `None` where writing it anew
    /// is as quick.
    #[doc(hidden)]
    fn patch_chunk(heap: &mut Heap, chunk: &Block, runs: &mut dyn Iterator<Item = Run>) -> Option<Block>;

    /// Reads a chunk: the entry for `position`. Of a leaf, the leaf itself.
    #[doc(hidden)]
    fn find_in_chunk(arena: &Arena, chunk: Entry, position: u32, width: Width) -> Entry;
}

/// From `start` on, up to the next run, positions of a node say `entry`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[doc(hidden)]
pub struct Run {
    pub(crate) start: u32,
    pub(crate) entry: Entry,
}

/// Positions of a level: two to the power of its bits.
pub(crate) fn positions<A: Address>(level: usize) -> u32 {
    1 << (A::CUTS[level + 1] - A::CUTS[level])
}

/// Where the address of a number lies within `level`.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "masked to the bits of a level, at most 16")]
pub(crate) fn position<A: Address>(number: u128, level: usize) -> u32 {
    (number >> (A::BITS - A::CUTS[level + 1])) as u32 & (positions::<A>(level) - 1)
}

impl Family for Ipv4Addr {
    const CUTS: &'static [u8] = &[0, 8, 18, 24, 32];

    type Top = [u32; 256];

    /// A page.
    const RESERVED: usize = 4096;

    fn empty_top() -> Self::Top {
        [Entry::ZEROS.word(); 256]
    }

    fn in_table(level: usize, entry: Entry, press: &mut Press<'_>) -> Entry {
        match (entry.is_leaf(), level) {
            (false, _) => entry,
            (true, 0) => plain::page::<Self>(entry, press),
            (true, _) => plain::chunk(entry, press),
        }
    }

    fn answer_in_table(level: usize, entry: Entry, arena: &Arena, width: Width) -> Option<NextHopId> {
        let chunk = if level == 0 { arena.entry(entry.at()) } else { entry };
        chunk::find_small(arena, chunk, 0, width).answer()
    }

    fn encode_chunk(runs: &[Run], width: Width) -> Anchored {
        chunk::encode_small(runs, width)
    }

    fn patch_chunk(_heap: &mut Heap, _chunk: &Block, _runs: &mut dyn Iterator<Item = Run>) -> Option<Block> {
        None
    }

    #[inline]
    fn find_in_chunk(arena: &Arena, chunk: Entry, position: u32, width: Width) -> Entry {
        chunk::find_small(arena, chunk, position, width)
    }
}

impl Family for Ipv6Addr {
    const CUTS: &'static [u8] = &[0, 9, 19, 32, 48, 64, 80, 96, 112, 128];

    type Top = [u32; 512];

    /// A line.
    const RESERVED: usize = 64;

    fn empty_top() -> Self::Top {
        [Entry::NONE.word(); 512]
    }

    fn in_table(_level: usize, entry: Entry, _press: &mut Press<'_>) -> Entry {
        entry
    }

    fn answer_in_table(_level: usize, entry: Entry, _arena: &Arena, _width: Width) -> Option<NextHopId> {
        entry.answer()
    }

    fn encode_chunk(runs: &[Run], width: Width) -> Anchored {
        chunk::encode_large(runs, width)
    }

    fn patch_chunk(heap: &mut Heap, chunk: &Block, runs: &mut dyn Iterator<Item = Run>) -> Option<Block> {
        Some(heap.alloc_copy(chunk, |bytes| chunk::patch_large(bytes, runs)))
    }

    #[inline]
    fn find_in_chunk(arena: &Arena, chunk: Entry, position: u32, _width: Width) -> Entry {
        chunk::find_large(arena, chunk, position)
    }
}

/// Where there are no vector lookups, every family has them all.
#[cfg(not(target_arch = "x86_64"))]
#[doc(hidden)]
pub trait Vectors: Copy {}

#[cfg(not(target_arch = "x86_64"))]
impl<A: Copy> Vectors for A {}
