//! Level 2: bitmaps that say where the answer changes, and the answers in the same order.
//!
//! A *small* chunk (IPv4) resolves 6 bits with one word of bitmap, and its answers follow, the last one first:
//!
//! ```text
//!  low addresses                                                          high
//!  | pad | ... node 1, node 0 | nodes (64 bits) | changes (64 bits) | v0 v1 v2 ... |
//!                                               ^ the anchor: where the entry points
//! ```
//!
//! Bit *p* of the changes is set where position *p + 1* has another answer than *p*. So a shift by *p* leaves the changes
//! after *p*, and their number is that of the value: one shift, one count, one read.
//!
//! A position with more below it has the value [`Width::beyond`], which is no answer. Only chunks with such positions have
//! the part to the left: a bit for each of them, and the entries of their nodes, again the last one first and found by
//! a shift and a count. Those who do not go there need not know that it exists.
//!
//! A *large* chunk (IPv6) resolves 13 bits with 256 pairs of 32 bits of bitmap and the number of bits in all pairs
//! before, less one; then come entries, always of four bytes. One 8-byte read finds the place, whatever the size:
//!
//! ```text
//!  | bits 0..32, -1 | bits 32..64, n-1 | ... | bits 8160..8192, m-1 | entry 0, entry 1, ... |
//!  ^ the anchor
//! ```

use crate::arena::{Arena, LINE};
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
    /// Layers, of a range node.
    pub(crate) depth: u32,
}

/// Writes a small chunk over 64 positions. A run of a node is one position long.
pub(crate) fn encode_small(runs: &[Run], width: Width) -> Anchored {
    let below: Vec<Run> = runs.iter().rev().filter(|run| !run.entry.is_leaf()).copied().collect();
    let right = SMALL_BITMAP + runs.len() * width.bytes();
    let anchor = if below.is_empty() { 0 } else { SMALL_BITMAP + room_for(below.len(), right) };
    let mut bytes = vec![0; anchor + right];
    let changes = runs.iter().skip(1).fold(0_u64, |changes, run| changes | 1 << (run.start - 1));
    bytes[anchor..][..SMALL_BITMAP].copy_from_slice(&changes.to_ne_bytes());
    for (value, run) in bytes[anchor + SMALL_BITMAP..].chunks_exact_mut(width.bytes()).zip(runs.iter().rev()) {
        let word = if run.entry.is_leaf() { run.entry.answer_word() } else { width.beyond() };
        value.copy_from_slice(&word.to_le_bytes()[..width.bytes()]);
    }
    if !below.is_empty() {
        let (entries, nodes) = bytes[..anchor].split_at_mut(anchor - SMALL_BITMAP);
        nodes.copy_from_slice(&below.iter().fold(0_u64, |nodes, run| nodes | 1 << run.start).to_ne_bytes());
        for (entry, run) in entries.rchunks_exact_mut(size_of::<Entry>()).zip(&below) {
            entry.copy_from_slice(&run.entry.word().to_ne_bytes());
        }
    }
    Anchored { bytes, anchor, ..Anchored::default() }
}

/// Bytes for the entries of so many nodes in a small chunk: if it has more than a line, as many as put both bitmaps and the
/// first values into the same one.
fn room_for(nodes: usize, right: usize) -> usize {
    let entries = nodes * size_of::<Entry>();
    entries.next_multiple_of(if entries + SMALL_BITMAP + right > LINE { LINE } else { Entry::UNIT })
}

/// What a small chunk says for one of its 64 positions: an answer, or a node below.
#[inline]
pub(crate) fn find_small(arena: &Arena, chunk: Entry, position: u32, width: Width) -> Entry {
    let changes = u64::from_ne_bytes(arena.read(chunk.at()));
    let nth = (changes >> position).count_ones() as usize;
    let word = width.read_word(arena, chunk.at() + SMALL_BITMAP + nth * width.bytes());
    if word == width.beyond() {
        return node_in_small(arena, chunk, position);
    }
    Entry::of_word(Entry::LEAF | word)
}

/// The node below a position of a small chunk that has one.
pub(crate) fn node_in_small(arena: &Arena, chunk: Entry, position: u32) -> Entry {
    let nodes_at = chunk.at() - SMALL_BITMAP;
    let nodes = u64::from_ne_bytes(arena.read(nodes_at));
    arena.entry(nodes_at - (nodes >> position).count_ones() as usize * size_of::<Entry>())
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

/// Bytes of a bitmap in a small chunk.
pub(crate) const SMALL_BITMAP: usize = 8;

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
            Width::One => 0..254_u32,
            Width::Two => 0..65_534,
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
        let mut heap = Heap::with_capacity(64, 0);
        heap.alloc(64, |bytes| bytes.fill(0xa5));
        let block = heap.alloc(node.bytes.len(), |bytes| bytes[..node.bytes.len()].copy_from_slice(&node.bytes));
        heap.alloc(64, |bytes| bytes.fill(0xa5));
        (heap, Entry::node(block.at() + node.anchor, node.wide, node.depth))
    }

    proptest! {
        #[test]
        fn a_small_chunk_says_what_its_runs_say(
            (width, runs) in any_width().prop_flat_map(|width| (Just(width), any_runs(64, width))),
            below in any::<u64>(),
        ) {
            // Some of those that are one position long lead to nodes.
            let ends: Vec<u32> = runs.iter().skip(1).map(|run| run.start).chain([64]).collect();
            let with_nodes: Vec<Run> = runs.iter().zip(ends).map(|(run, end)| {
                let is_node = end == run.start + 1 && below >> run.start & 1 != 0;
                let entry = if is_node { Entry::node(1024 + 64 * run.start as usize, false, 1) } else { run.entry };
                Run { entry, ..*run }
            }).collect();
            let (heap, chunk) = placed(&encode_small(&with_nodes, width));
            for position in 0..64 {
                prop_assert!(find_small(heap.arena(), chunk, position, width) == expected(&with_nodes, position));
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
