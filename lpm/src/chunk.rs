//! Level 2: bitmaps that say where the answer changes, and the answers in the same order.
//!
//! A *small* chunk (IPv4) resolves 7 bits with two words of bitmap. Each word's values lie on its own side of it, so that
//! the count of bits in one word finds the value, and no third memory access fetches how many came before:
//!
//! ```text
//!  low addresses                                                        high
//!  | pad | v2 v1 v0 | word 0 (64 bits) | word 1 (64 bits) | v0' v1' v2' ... | slack |
//!                   ^ the anchor: where the entry points
//! ```
//!
//! Bit 0 of each word is set. The value of position *p* in word 0 is the *n*-th to the left of the anchor, in word 1 the
//! *n*-th to the right of the words, *n* being the number of bits set up to and including *p*'s.
//!
//! A *large* chunk (IPv6) resolves 13 bits with 256 pairs of 32 bits of bitmap and the number of bits in all pairs
//! before, less one; then come entries, always of four bytes. One 8-byte read finds the place, whatever the size:
//!
//! ```text
//!  | bits 0..32, -1 | bits 32..64, n-1 | ... | bits 8160..8192, m-1 | entry 0, entry 1, ... |
//!  ^ the anchor
//! ```

use crate::arena::Arena;
use crate::entry::Entry;
use crate::family::Run;
use crate::width::Width;

/// A node ready to be copied into a block.
#[derive(Debug, Default)]
#[doc(hidden)]
pub struct Anchored {
    /// The node, from its first byte.
    pub(crate) bytes: Vec<u8>,
    /// Where in `bytes` the entry points.
    pub(crate) anchor: usize,
    /// Whether the values are entries.
    pub(crate) wide: bool,
    /// Layers, of a range node; of a small chunk, the binary logarithm of the bytes of a value.
    pub(crate) depth: u32,
}

/// The width that the values of these runs need, in a table of `width`.
pub(crate) fn width_for(runs: &[Run], width: Width) -> Width {
    if runs.iter().all(|run| run.entry.is_leaf()) { width } else { Width::Four }
}

/// Writes a small chunk over 128 positions.
pub(crate) fn encode_small(runs: &[Run], width: Width) -> Anchored {
    let width = width_for(runs, width);
    let split = runs.partition_point(|run| run.start < 64);
    let (left, right) = runs.split_at(split);
    // Word 1 starts a run of its own, also where the answer does not change.
    let continued = right.first().is_none_or(|run| run.start != 64).then(|| runs[split - 1].entry);
    let anchor = (left.len() * width.bytes()).next_multiple_of(Entry::UNIT);
    let values_right = right.len() + usize::from(continued.is_some());
    let mut bytes = vec![0; anchor + SMALL_BITMAP + values_right * width.bytes() + width.slack()];
    let mut words = [0_u64, 0];
    for (n, run) in (1..).zip(left) {
        words[0] |= 1 << run.start;
        width.write(run.entry, &mut bytes[anchor - n * width.bytes()..]);
    }
    words[1] |= u64::from(continued.is_some());
    let entries_right = continued.into_iter().chain(right.iter().map(|run| run.entry));
    for (value, entry) in bytes[anchor + SMALL_BITMAP..].chunks_mut(width.bytes()).zip(entries_right) {
        width.write(entry, value);
    }
    for run in right {
        words[1] |= 1 << (run.start - 64);
    }
    bytes[anchor..anchor + 8].copy_from_slice(&words[0].to_ne_bytes());
    bytes[anchor + 8..anchor + 16].copy_from_slice(&words[1].to_ne_bytes());
    Anchored { bytes, anchor, wide: width == Width::Four, depth: width.shift() }
}

/// The entry of a small chunk for one of its 128 positions; of a leaf, the leaf itself.
///
/// Without a branch: whether a page's entry is a leaf, and which word a position is in, no predictor can learn, and a
/// wrong guess costs more than all of this. For a leaf it reads the reserved bytes at the start of the arena, zeros.
#[inline]
pub(crate) fn find_small(arena: &Arena, entry: Entry, position: u32, width: Width) -> Entry {
    let chunk = entry.or_reserved();
    let width = width.in_node(chunk);
    let right = (position >> 6) as usize;
    let word = u64::from_ne_bytes(arena.read(chunk.at() + 8 * right));
    let up_to_here = (word & (u64::MAX >> (63 - (position & 63)))).count_ones() as usize;
    let distance = up_to_here << width.shift();
    let offset = if right == 0 { distance.wrapping_neg() } else { SMALL_BITMAP + distance - width.bytes() };
    let found = width.read(arena, chunk.at().wrapping_add(offset));
    if entry.is_leaf() { entry } else { found }
}

/// Writes a large chunk over 8192 positions.
pub(crate) fn encode_large(runs: &[Run], _width: Width) -> Anchored {
    let mut bytes = vec![0; LARGE_BITMAP + 4 * runs.len()];
    let mut runs_before = 0_u32;
    let mut rest = runs;
    for (n, pair) in (0_u32..).zip(bytes[..LARGE_BITMAP].chunks_exact_mut(8)) {
        let (here, after) = rest.split_at(rest.partition_point(|run| run.start < (n + 1) * 32));
        let bitmap = here.iter().fold(0_u32, |bitmap, run| bitmap | 1 << (run.start % 32));
        pair[..4].copy_from_slice(&bitmap.to_ne_bytes());
        pair[4..].copy_from_slice(&runs_before.wrapping_sub(1).to_ne_bytes());
        runs_before += bitmap.count_ones();
        rest = after;
    }
    for (value, run) in bytes[LARGE_BITMAP..].chunks_exact_mut(4).zip(runs) {
        Width::Four.write(run.entry, value);
    }
    Anchored { bytes, anchor: 0, wide: true, depth: 0 }
}

/// Puts other entries where runs of the chunk in `bytes` start.
pub(crate) fn patch_large(bytes: &mut [u8], runs: &mut dyn Iterator<Item = Run>) {
    let (bitmap, entries) = bytes.split_at_mut(LARGE_BITMAP);
    let (words, entries) = (bitmap.as_chunks::<4>().0, entries.as_chunks_mut::<4>().0);
    for run in runs {
        let pair = (run.start >> 5) as usize * 2;
        let (bitmap, before) = (u32::from_ne_bytes(words[pair]), u32::from_ne_bytes(words[pair + 1]));
        debug_assert!(bitmap >> (run.start & 31) & 1 != 0, "a run starts there");
        let up_to_here = (bitmap & (u32::MAX >> (31 - (run.start & 31)))).count_ones();
        entries[before.wrapping_add(up_to_here) as usize] = run.entry.word().to_ne_bytes();
    }
}

/// The entry of a large chunk for one of its 8192 positions; of a leaf, the leaf itself.
#[inline]
pub(crate) fn find_large(arena: &Arena, chunk: Entry, position: u32) -> Entry {
    if chunk.is_leaf() {
        return chunk;
    }
    let pair_at = chunk.at() + (position >> 5) as usize * 8;
    let bitmap = u32::from_ne_bytes(arena.read(pair_at));
    let before = u32::from_ne_bytes(arena.read(pair_at + 4));
    let up_to_here = (bitmap & (u32::MAX >> (31 - (position & 31)))).count_ones();
    arena.entry(chunk.at() + LARGE_BITMAP + 4 * before.wrapping_add(up_to_here) as usize)
}

/// Bytes of bitmap in a small chunk.
pub(crate) const SMALL_BITMAP: usize = 16;

/// Bytes of bitmap and counts in a large chunk.
pub(crate) const LARGE_BITMAP: usize = 2048;

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::arena::Heap;
    use crate::table::NextHopId;

    /// Runs over `positions`, the first at 0, neighbours different, next hops that fit the width.
    pub(crate) fn any_runs(positions: u32, width: Width) -> impl Strategy<Value = Vec<Run>> {
        let hops = match width {
            Width::One => 0..255_u32,
            Width::Two => 0..65_535,
            Width::Four => 0..1 << 24,
        };
        let starts = proptest::collection::btree_set(1..positions, 0..(positions as usize).min(700));
        (starts, proptest::collection::vec(hops, 701)).prop_map(|(starts, hops)| {
            let mut runs = vec![Run { start: 0, entry: Entry::NONE }];
            for (start, hop) in starts.into_iter().zip(hops) {
                let entry = Entry::leaf(Some(NextHopId::new(hop)));
                if runs.last().is_some_and(|last| last.entry != entry) {
                    runs.push(Run { start, entry });
                }
            }
            runs
        })
    }

    pub(crate) fn any_width() -> impl Strategy<Value = Width> {
        prop_oneof![Just(Width::One), Just(Width::Two), Just(Width::Four)]
    }

    /// The entry of the run that `position` lies in: what every kind of node has to answer.
    pub(crate) fn expected(runs: &[Run], position: u32) -> Entry {
        runs[runs.partition_point(|run| run.start <= position) - 1].entry
    }

    /// Puts a node into a heap of its own, between two other blocks that say something else everywhere.
    pub(crate) fn placed(node: &Anchored) -> (Heap, Entry) {
        let mut heap = Heap::with_capacity(0);
        heap.alloc(64, |bytes| bytes.fill(0xa5));
        let block = heap.alloc(node.bytes.len(), |bytes| bytes[..node.bytes.len()].copy_from_slice(&node.bytes));
        heap.alloc(64, |bytes| bytes.fill(0xa5));
        (heap, Entry::node(block.at() + node.anchor, node.wide, node.depth))
    }

    proptest! {
        #[test]
        fn a_small_chunk_says_what_its_runs_say(
            (width, runs) in any_width().prop_flat_map(|width| (Just(width), any_runs(128, width))),
        ) {
            let (heap, chunk) = placed(&encode_small(&runs, width));
            for position in 0..128 {
                prop_assert!(find_small(heap.arena(), chunk, position, width) == expected(&runs, position));
            }
        }

        #[test]
        fn a_large_chunk_says_what_its_runs_say(runs in any_runs(8192, Width::Four)) {
            let (heap, chunk) = placed(&encode_large(&runs, Width::One));
            for position in 0..8192 {
                prop_assert!(find_large(heap.arena(), chunk, position) == expected(&runs, position));
            }
        }
    }
}
