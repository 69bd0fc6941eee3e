//! The one word that every level of the tree is made of: an answer, or where to look next.

use std::fmt::{self, Debug};

use crate::table::NextHopId;

/// An answer, or the place of a node in the arena.
///
/// ```text
///  31   30    29..27  26..0
/// | 1 |        next hop + 1, or 0 for none        |   a leaf
/// | 0 | wide | depth | offset in units of 8 bytes |   a node
/// ```
///
/// `wide` nodes hold entries, the others only answers, each as narrow as the table's next hops allow. `depth` is the
/// number of layers of a range node, and zero in the others; which kind a node is, is known by its level. Of pages and
/// small chunks nobody asks whether they are wide: they are written without, and their entry is the offset and nothing else.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
#[doc(hidden)]
pub struct Entry(u32);

impl Default for Entry {
    fn default() -> Self {
        Self::NONE
    }
}

impl Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_leaf() {
            write!(f, "{:?}", self.answer())
        } else {
            write!(f, "node at {} (wide: {}, depth: {})", self.at(), self.is_wide(), self.depth())
        }
    }
}

impl Entry {
    /// No route.
    pub(crate) const NONE: Self = Self(Self::LEAF);
    /// The node at the start of every arena, whose bytes are zero.
    pub(crate) const ZEROS: Self = Self(0);
    /// Set in answers.
    pub(crate) const LEAF: u32 = 1 << 31;
    /// Set in nodes that hold entries.
    pub(crate) const WIDE: u32 = 1 << 30;
    /// Where the depth starts; three bits.
    pub(crate) const DEPTH_SHIFT: u32 = 27;
    /// The offset's bits.
    pub(crate) const OFFSET: u32 = (1 << Self::DEPTH_SHIFT) - 1;
    /// What one step of the offset is worth.
    pub(crate) const UNIT: usize = 8;
    /// The largest arena whose every byte an offset can name.
    pub(crate) const REACH: usize = (Self::OFFSET as usize + 1) * Self::UNIT;

    /// An answer.
    #[inline]
    pub(crate) fn leaf(answer: Option<NextHopId>) -> Self {
        Self(Self::LEAF | NextHopId::word(answer))
    }

    /// A node whose anchor lies `at` bytes into the arena.
    #[expect(clippy::cast_possible_truncation, reason = "the arena ends at REACH, so the offset has 27 bits")]
    pub(crate) fn node(at: usize, wide: bool, depth: u32) -> Self {
        debug_assert!(at.is_multiple_of(Self::UNIT) && at < Self::REACH && depth < 8);
        Self((at / Self::UNIT) as u32 | if wide { Self::WIDE } else { 0 } | depth << Self::DEPTH_SHIFT)
    }

    /// The entry of a word read from the arena.
    #[inline]
    pub(crate) fn of_word(word: u32) -> Self {
        Self(word)
    }

    /// As it is written to the arena.
    #[inline]
    pub(crate) fn word(self) -> u32 {
        self.0
    }

    /// Whether it is an answer.
    #[inline]
    pub(crate) fn is_leaf(self) -> bool {
        self.0 & Self::LEAF != 0
    }

    /// The answer of a leaf.
    #[inline]
    pub(crate) fn answer(self) -> Option<NextHopId> {
        NextHopId::of_word(self.0 & !Self::LEAF)
    }

    /// The answer of a leaf, as a word: zero is "no route".
    #[inline]
    pub(crate) fn answer_word(self) -> u32 {
        self.0 & !Self::LEAF
    }

    /// Where a node's anchor lies, in bytes from the start of the arena.
    #[inline]
    pub(crate) fn at(self) -> usize {
        (self.0 & Self::OFFSET) as usize * Self::UNIT
    }

    /// Whether a node holds entries.
    #[inline]
    pub(crate) fn is_wide(self) -> bool {
        self.0 & Self::WIDE != 0
    }

    /// Layers of a range node.
    #[inline]
    pub(crate) fn depth(self) -> u32 {
        self.0 >> Self::DEPTH_SHIFT & 7
    }
}
