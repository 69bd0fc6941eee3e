//! A walk over all nodes of a file that is to become a table.

use std::collections::HashSet;
use std::marker::PhantomData;

use super::LoadError;
use crate::arena::Arena;
use crate::chunk::{LARGE_BITMAP, SMALL_BITMAP};
use crate::entry::Entry;
use crate::family::positions;
use crate::prefix::Address;
use crate::range::{FAN_OUT, FIRST_WORD, MAX_DEPTH, WORD, keys_below};
use crate::width::Width;

/// A walk over everything that a lookup could reach.
pub(super) struct Check<'a, A> {
    arena: &'a Arena,
    /// Bytes of nodes.
    len: usize,
    width: Width,
    /// Bytes of the nodes seen so far. No node is looked at twice, so they are never more than there are: a file cannot
    /// keep the walk busy for longer than it is.
    reached: usize,
    /// Pages seen so far: those that say one thing everywhere are shared.
    pages: HashSet<u32>,
    /// Small chunks seen so far, for the same reason. A set of their own: that a place holds a sound page does not make a
    /// sound chunk of it.
    small_chunks: HashSet<u32>,
    family: PhantomData<A>,
}

impl<'a, A: Address> Check<'a, A> {
    pub(super) fn new(arena: &'a Arena, len: usize, width: Width) -> Self {
        let (pages, small_chunks) = (HashSet::new(), HashSet::new());
        Self { arena, len, width, reached: 0, pages, small_chunks, family: PhantomData }
    }

    /// Whether a node that may be shared is not among those `seen`, and so yet to be checked.
    fn is_new(node: Entry, seen: &mut HashSet<u32>) -> Result<bool, LoadError> {
        if A::BITS == 32 && node.word() > Entry::OFFSET {
            return Err(LoadError::Damaged { at: node.at(), what: "an entry for IPv4 is more than an offset" });
        }
        // What IPv4 reserves is as long as a page, and its zeros are good for a page and for a chunk. IPv6 has but a line.
        let is_zeros = A::BITS == 32 && node == Entry::ZEROS;
        Ok(!is_zeros && seen.insert(node.word()))
    }

    /// Whether all that a lookup may reach from the pages of `top` is there.
    pub(super) fn top(&mut self, top: &[u32]) -> Result<(), LoadError> {
        let pages = top.iter().map(|word| Entry::of_word(*word));
        pages.filter(|page| A::BITS == 32 || !page.is_leaf()).try_for_each(|page| self.page(page))
    }

    fn page(&mut self, page: Entry) -> Result<(), LoadError> {
        if !Self::is_new(page, &mut self.pages)? {
            return Ok(());
        }
        let entries = self.claim(page.at(), positions::<A>(1) as usize * size_of::<Entry>())?;
        for at in entries.step_by(size_of::<Entry>()) {
            let chunk = self.arena.entry(at);
            match (chunk.is_leaf(), A::BITS) {
                (_, 32) => self.small_chunk(chunk)?,
                (true, _) => {}
                (false, _) => self.large_chunk(chunk)?,
            }
        }
        Ok(())
    }

    fn small_chunk(&mut self, chunk: Entry) -> Result<(), LoadError> {
        if !Self::is_new(chunk, &mut self.small_chunks)? {
            return Ok(());
        }
        let at = chunk.at();
        self.claim(at, SMALL_BITMAP)?;
        let changes = u64::from_ne_bytes(self.arena.read(at));
        let runs = changes.count_ones() as usize + 1;
        self.claim(at + SMALL_BITMAP, runs * self.width.bytes())?;
        let mut beyond = 0;
        for position in 0..u64::BITS {
            let nth = (changes >> position).count_ones() as usize;
            let word = self.width.read_word(self.arena, at + SMALL_BITMAP + nth * self.width.bytes());
            if word == self.width.beyond() {
                beyond |= 1 << position;
            } else if word & Entry::LEAF != 0 {
                return Err(LoadError::Damaged { at, what: "an answer that is no next hop" });
            }
        }
        if beyond == 0 { Ok(()) } else { self.nodes_below(at, beyond) }
    }

    /// The part of a small chunk to the left of its anchor, where positions `beyond` have nodes.
    fn nodes_below(&mut self, at: usize, beyond: u64) -> Result<(), LoadError> {
        let len = SMALL_BITMAP + beyond.count_ones() as usize * size_of::<Entry>();
        let first = at.checked_sub(len).ok_or(LoadError::Damaged { at, what: "entries begin before the file" })?;
        self.claim(first, len)?;
        let nodes_at = at - SMALL_BITMAP;
        if u64::from_ne_bytes(self.arena.read(nodes_at)) != beyond {
            return Err(LoadError::Damaged { at, what: "a chunk's values and bitmaps disagree" });
        }
        (first..nodes_at).step_by(size_of::<Entry>()).try_for_each(|at| self.below(self.arena.entry(at), 2))
    }

    fn large_chunk(&mut self, chunk: Entry) -> Result<(), LoadError> {
        let at = chunk.at();
        let mut runs = 0_u32;
        for pair in self.claim(at, LARGE_BITMAP)?.step_by(8) {
            let bitmap = u32::from_ne_bytes(self.arena.read(pair));
            let before = u32::from_ne_bytes(self.arena.read(pair + 4));
            if before != runs.wrapping_sub(1) || (runs == 0 && bitmap & 1 == 0) {
                return Err(LoadError::Damaged { at: pair, what: "a bitmap is miscounted" });
            }
            runs += bitmap.count_ones();
        }
        let entries = self.claim(at + LARGE_BITMAP, runs as usize * size_of::<Entry>())?;
        entries.step_by(size_of::<Entry>()).try_for_each(|at| self.below(self.arena.entry(at), 2))
    }

    /// Values of a node on `level`: answers, whatever they say, or entries.
    fn values(&mut self, node: Entry, at: usize, len: usize, level: usize) -> Result<(), LoadError> {
        let values = self.claim(at, len)?;
        match self.width.in_node(node) {
            Width::One | Width::Two => Ok(()),
            Width::Four => {
                values.step_by(size_of::<Entry>()).try_for_each(|at| self.below(self.arena.entry(at), level))
            }
        }
    }

    /// What an entry of a chunk or range node on `level` points to.
    fn below(&mut self, entry: Entry, level: usize) -> Result<(), LoadError> {
        if entry.is_leaf() {
            return Ok(());
        }
        let (at, level) = (entry.at(), level + 1);
        if level + 1 >= A::CUTS.len() {
            return Err(LoadError::Damaged { at, what: "a node for more bits than an address has" });
        }
        if !(1..=MAX_DEPTH).contains(&entry.depth()) {
            return Err(LoadError::Damaged { at, what: "a range node without layers" });
        }
        let last_value = self.last_value(entry, level, 0, 0)?;
        self.values(entry, at, (last_value + 1) * self.width.in_node(entry).bytes(), level)
    }

    /// The last value that a search may come to from word `k` of `layer`.
    fn last_value(&mut self, node: Entry, level: usize, layer: usize, k: usize) -> Result<usize, LoadError> {
        let behind = WORD * (FIRST_WORD[layer] + k + 1);
        let at = node.at();
        let at = at.checked_sub(behind).ok_or(LoadError::Damaged { at, what: "keys begin before the file" })?;
        self.claim(at, WORD)?;
        let word = u64::from_ne_bytes(self.arena.read(at));
        let children = FAN_OUT * k..=FAN_OUT * k + keys_below(word, positions::<A>(level) - 1);
        if layer + 1 == node.depth() as usize {
            return Ok(*children.end());
        }
        let mut last = 0;
        for child in children {
            last = last.max(self.last_value(node, level, layer + 1, child)?);
        }
        Ok(last)
    }

    /// The places from `at` on, for `len` bytes, if they are all there and not too many.
    fn claim(&mut self, at: usize, len: usize) -> Result<std::ops::Range<usize>, LoadError> {
        let end = at + len;
        if end > self.len {
            return Err(LoadError::Damaged { at, what: "a node reaches beyond the file" });
        }
        self.reached += len;
        if self.reached > self.len {
            return Err(LoadError::Damaged { at, what: "nodes overlap" });
        }
        Ok(at..end)
    }
}
