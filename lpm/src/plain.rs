//! Nodes that say the same everywhere.
//!
//! A lookup that has come to its answer early still has to know that it has, and a branch on that is wrong every other
//! time. An IPv4 table has no early answers: where nothing differs below a position of the top or of a page, it names a page
//! or a chunk that says one thing everywhere, and every lookup takes the same steps. All positions with the same answer
//! share one such node, and it is always the same few lines that are read for them.
//!
//! "No route" has the zeros that every arena starts with, as a page and as a chunk: an empty table has no nodes. Plain
//! chunks of other answers are made [`GROUP`] at a time, those of neighbouring next hops, into four lines. They are kept
//! until the table is empty or compiled anew; as many as the table ever had next hops, at most. Plain pages are
//! retired when the top has no more use for them.

use rustc_hash::FxHashMap;

use crate::arena::Block;
use crate::entry::Entry;
use crate::family::positions;
use crate::prefix::Address;
use crate::rib::Press;

/// The plain nodes of one arena.
#[derive(Debug, Default)]
pub(crate) struct Plain {
    /// By answer, [`GROUP`] to a block.
    chunks: FxHashMap<u32, Kept>,
    /// By answer.
    pages: FxHashMap<u32, Kept>,
}

/// A block, and the generation it was written in.
#[derive(Debug)]
struct Kept {
    block: Block,
    born: u64,
}

impl Plain {
    /// Whether answers that are gone may have left more groups than is sensible, in a table of so many routes.
    pub(crate) fn is_overgrown(&self, routes: usize) -> bool {
        self.chunks.len() > 2 * routes + TOLERATED_GROUPS
    }
}

/// The chunk that gives the answer of `leaf` for all of its positions.
pub(crate) fn chunk(leaf: Entry, press: &mut Press<'_>) -> Entry {
    let answer = leaf.answer_word();
    if answer == 0 {
        return Entry::ZEROS;
    }
    let (heap, born) = (&mut *press.heap, press.generation);
    let group = press.plain.chunks.entry(answer / GROUP).or_insert_with(|| {
        let fill = |bytes: &mut [u8]| {
            bytes.fill(0);
            for (chunk, answer) in bytes.chunks_exact_mut(CHUNK).zip(answer / GROUP * GROUP..) {
                chunk[CHUNK / 2..][..4].copy_from_slice(&answer.to_le_bytes());
            }
        };
        Kept { block: heap.alloc(GROUP as usize * CHUNK, fill), born }
    });
    Entry::node(group.block.at() + (answer % GROUP) as usize * CHUNK, false, 0)
}

/// The page that gives the answer of `leaf` for all of its positions.
pub(crate) fn page<A: Address>(leaf: Entry, press: &mut Press<'_>) -> Entry {
    let answer = leaf.answer_word();
    if answer == 0 {
        return Entry::ZEROS;
    }
    let chunk = chunk(leaf, press);
    let (heap, born) = (&mut *press.heap, press.generation);
    let page = press.plain.pages.entry(answer).or_insert_with(|| {
        let entry = chunk.word().to_ne_bytes();
        let fill =
            |bytes: &mut [u8]| bytes.chunks_exact_mut(entry.len()).for_each(|place| place.copy_from_slice(&entry));
        Kept { block: heap.alloc(positions::<A>(1) as usize * entry.len(), fill), born }
    });
    Entry::node(page.block.at(), false, 0)
}

/// Retires pages that `top` does not name, if it may have `lost` some; of a table without routes, everything.
pub(crate) fn retire_unused(top: &[u32], lost: bool, is_empty: bool, press: &mut Press<'_>) {
    let Plain { chunks, pages } = &mut *press.plain;
    let mut unused = Vec::new();
    if lost || is_empty {
        let is_unused = |page: &Kept| !top.contains(&Entry::node(page.block.at(), false, 0).word());
        unused.extend(pages.extract_if(|_answer, page| is_unused(page)).map(|(_answer, page)| page));
    }
    if is_empty {
        unused.extend(chunks.drain().map(|(_group, group)| group));
    }
    for Kept { block, born } in unused {
        press.retire(Some(block), born);
    }
}

/// Chunks to a block.
const GROUP: u32 = 16;

/// Bytes of a chunk without changes: the bitmap, and room for an answer of any width.
const CHUNK: usize = 16;

/// Groups that are no reason to compile a table anew: of 256 KiB.
const TOLERATED_GROUPS: usize = 1024;
