//! Levels 0 and 1, which have an entry for each position: what they say, and what they are to say.

use crate::arena::{Block, Heap};
use crate::entry::Entry;
use crate::family::Run;

/// A table of entries that is being replaced, to look up what it said.
pub(super) enum Table<'a> {
    Top(&'a [u32]),
    /// A page; none yet if it is new, and then all of it is stale.
    Page(Option<&'a Block>),
}

impl Table<'_> {
    /// What it says at `position`.
    pub(super) fn entry(&self, heap: &Heap, position: u16) -> Entry {
        match self {
            Self::Top(top) => Entry::of_word(top[usize::from(position)]),
            Self::Page(Some(page)) => heap.entry_of(page, usize::from(position) * size_of::<Entry>()),
            Self::Page(None) => Entry::NONE,
        }
    }
}

/// Positions `from..to` of a table now say `entry`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paint {
    pub(super) from: u32,
    pub(super) to: u32,
    pub(super) entry: Entry,
}

impl Paint {
    /// One position.
    pub(super) fn one(position: u16, entry: Entry) -> Self {
        Self { from: position.into(), to: u32::from(position) + 1, entry }
    }

    /// As a run.
    pub(super) fn run(&self) -> Run {
        Run { start: self.from, entry: self.entry }
    }

    /// Writes it into the bytes of a page.
    pub(super) fn apply(&self, page: &mut [u8]) {
        let entries = &mut page[self.from as usize * size_of::<Entry>()..self.to as usize * size_of::<Entry>()];
        for entry in entries.chunks_exact_mut(size_of::<Entry>()) {
            entry.copy_from_slice(&self.entry.word().to_ne_bytes());
        }
    }
}
