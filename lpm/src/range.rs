//! Below the chunks: sorted range nodes, searched five ways at a time.
//!
//! A range node resolves up to 16 bits. Its runs are kept as an implicit search tree: four keys of 16 bits fill one
//! 8-byte word and split five ways, the words of a layer follow each other, and the children of word *k* are the words
//! *5k* to *5k + 4* of the next layer, so no pointers are needed. Words lie to the left of the anchor and values to its
//! right; counted from the anchor, both begin at a place that does not depend on how many there are:
//!
//! ```text
//!  low addresses                                                           high
//!  | ... layer 2 (25 words) | layer 1 (5 words) | layer 0 (1 word) | value 0, value 1, ... | slack |
//!                                                                  ^ the anchor
//! ```
//!
//! Five ranges, four of them made by two host routes in a /24, fit a block of 16 bytes. Twenty-five take two steps, 125
//! three, 65,536 seven. A key is the last position *before* its run, so that a search counts keys that are less than the
//! position, and unused keys, all ones, are never counted.

use crate::arena::Arena;
use crate::chunk::Anchored;
use crate::entry::Entry;
use crate::family::Run;
use crate::width::Width;

/// Writes a range node.
pub(crate) fn encode(runs: &[Run], width: Width) -> Anchored {
    let width = width_for(runs, width);
    let depth = depth_for(runs.len());
    let words = FIRST_WORD[depth as usize - 1] + runs.len().div_ceil(FAN_OUT);
    let anchor = words * WORD;
    let mut bytes = vec![0; anchor + runs.len() * width.bytes() + width.slack()];
    for (n, word) in bytes[..anchor].rchunks_exact_mut(WORD).enumerate() {
        word.copy_from_slice(&keys(runs, depth, n).to_ne_bytes());
    }
    for (value, run) in bytes[anchor..].chunks_mut(width.bytes()).zip(runs) {
        width.write(run.entry, value);
    }
    Anchored { bytes, anchor, wide: width == Width::Four, depth }
}

/// The width that the values of these runs need, in a table of `width`.
fn width_for(runs: &[Run], width: Width) -> Width {
    if runs.iter().all(|run| run.entry.is_leaf()) { width } else { Width::Four }
}

/// The entry of a range node for one of its positions.
#[inline]
pub(crate) fn find(arena: &Arena, node: Entry, position: u32, width: Width) -> Entry {
    let mut k = 0;
    for first_word in &FIRST_WORD[..node.depth() as usize] {
        let word = u64::from_ne_bytes(arena.read(node.at() - WORD * (first_word + k + 1)));
        k = k * FAN_OUT + keys_below(word, position);
    }
    let width = width.in_node(node);
    width.read(arena, node.at() + k * width.bytes())
}

/// How many of the four keys in `word` are less than `position`.
#[inline]
pub(crate) fn keys_below(word: u64, position: u32) -> usize {
    (0..4).filter(|n| u32::from(key(word, *n)) < position).count()
}

/// The *n*-th key of a word.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "a key is 16 bits of the word")]
pub(crate) fn key(word: u64, n: u32) -> u16 {
    (word >> (16 * n)) as u16
}

/// Layers that it takes to tell `runs` runs apart.
fn depth_for(runs: usize) -> u32 {
    (1..=MAX_DEPTH).find(|depth| FAN_OUT.pow(*depth) >= runs).expect("a node has at most 65,536 positions")
}

/// The keys of the `n`-th word of a node with `depth` layers.
fn keys(runs: &[Run], depth: u32, n: usize) -> u64 {
    let (layer, first_word) =
        (0..depth).zip(FIRST_WORD).take_while(|(_, first)| *first <= n).last().expect("the first word is number 0");
    let k = n - first_word;
    // Runs under one child of this word.
    let span = FAN_OUT.pow(depth - 1 - layer);
    (1..FAN_OUT).rev().fold(0, |word, child| {
        let key = runs.get((FAN_OUT * k + child) * span).map_or(UNUSED, |run| run.start - 1);
        word << 16 | u64::from(key)
    })
}

/// Ways that a word of four keys splits.
pub(crate) const FAN_OUT: usize = 5;

/// Bytes of a word.
pub(crate) const WORD: usize = 8;

/// Layers of the largest node: five to the seventh is more than 65,536.
pub(crate) const MAX_DEPTH: u32 = 7;

/// The key of no run; no position is greater.
const UNUSED: u32 = 0xffff;

/// The number of the first word of each layer, counted from the anchor.
pub(crate) const FIRST_WORD: [usize; MAX_DEPTH as usize] = [0, 1, 6, 31, 156, 781, 3906];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::chunk::tests::{any_runs, any_width, expected, placed};

    proptest! {
        #[test]
        fn a_range_node_says_what_its_runs_say(
            (width, runs) in any_width().prop_flat_map(|width| (Just(width), any_runs(1 << 16, width))),
            probes in proptest::collection::vec(0..1_u32 << 16, 50),
        ) {
            let (heap, node) = placed(&encode(&runs, width));
            let edges = runs.iter().flat_map(|run| [run.start, run.start.saturating_sub(1)]);
            for position in edges.chain(probes).chain([0xffff]) {
                prop_assert!(find(heap.arena(), node, position, width) == expected(&runs, position));
            }
        }
    }

    #[test]
    fn a_node_may_change_at_every_position() {
        let runs: Vec<Run> =
            (0..1 << 16).map(|start| Run { start, entry: Entry::of_word(Entry::LEAF | (start % 255)) }).collect();
        let (heap, node) = placed(&encode(&runs, Width::One));
        assert_eq!(node.depth(), 7);
        for run in &runs {
            assert!(find(heap.arena(), node, run.start, Width::One) == run.entry);
        }
    }

    #[test]
    fn two_host_routes_in_a_slash_24_fit_sixteen_bytes() {
        let leaf = |hop| Entry::of_word(Entry::LEAF | hop);
        let runs = [(0, 0), (7, 1), (8, 0), (200, 2), (201, 0)].map(|(start, hop)| Run { start, entry: leaf(hop) });
        assert_eq!(encode(&runs, Width::One).bytes.len(), 16);
    }
}
