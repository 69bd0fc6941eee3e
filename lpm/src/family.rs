//! What differs between IPv4 and IPv6 in the compiled table: where the levels are cut.

use std::fmt::Debug;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::arena::{Arena, Block, Heap};
use crate::chunk::{self, Anchored};
use crate::entry::Entry;
use crate::prefix::Address;
#[cfg(target_arch = "x86_64")]
use crate::simd::VectorFamily as Vectors;
use crate::width::Width;

/// The cut of one address family. Sealed: it stands in a private module.
///
/// Level *n* resolves the bits from `CUTS[n]` up to `CUTS[n + 1]`: level 0 is the top, in the snapshot itself; level 1 a
/// page, one entry per position; level 2 a chunk, a bitmap over the positions where the answer changes; all further levels
/// are range nodes.
pub trait Family: Vectors {
    /// Bit positions between the levels, from 0 to the length of an address.
    const CUTS: &'static [u8];

    /// One entry for each position of level 0.
    type Top: Copy + Debug + Send + Sync + AsRef<[u32]> + AsMut<[u32]>;

    /// A top whose every position says the same.
    fn top(entry: u32) -> Self::Top;

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
    const CUTS: &'static [u8] = &[0, 6, 17, 24, 32];

    type Top = [u32; 64];

    fn top(entry: u32) -> Self::Top {
        [entry; 64]
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

    fn top(entry: u32) -> Self::Top {
        [entry; 512]
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
