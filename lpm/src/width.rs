//! How many bytes an answer takes in nodes that hold nothing else.

use crate::arena::Arena;
use crate::entry::Entry;
use crate::table::NextHopId;

/// One byte while every next hop's index is below 254, two below 65,534, else a whole entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[doc(hidden)]
pub enum Width {
    /// Next hops up to index 253, and "none".
    One = 0,
    /// Next hops up to index 65,533, and "none".
    Two = 1,
    /// All of them, and other nodes: entries.
    Four = 2,
}

impl Width {
    /// The least width that `next_hop` fits in.
    pub(crate) fn of(next_hop: NextHopId) -> Self {
        match NextHopId::word(Some(next_hop)) {
            0..=0xfe => Self::One,
            0xff..=0xfffe => Self::Two,
            _ => Self::Four,
        }
    }

    /// The value of a small chunk that is no answer, but says that a node has it.
    #[inline]
    pub(crate) const fn beyond(self) -> u32 {
        match self {
            Self::One => 0xff,
            Self::Two => 0xffff,
            Self::Four => Entry::LEAF,
        }
    }

    /// The value at `at`, and nothing of what comes after it.
    #[inline]
    pub(crate) fn read_word(self, arena: &Arena, at: usize) -> u32 {
        match self {
            Self::One => u8::from_le_bytes(arena.read(at)).into(),
            Self::Two => u16::from_le_bytes(arena.read(at)).into(),
            Self::Four => u32::from_le_bytes(arena.read(at)),
        }
    }

    /// The width of values in a node: of its entries if it is wide, else the table's.
    #[inline]
    pub(crate) fn in_node(self, node: Entry) -> Self {
        if node.is_wide() { Self::Four } else { self }
    }

    /// Bytes.
    #[inline]
    pub(crate) fn bytes(self) -> usize {
        1 << self.shift()
    }

    /// Bytes to leave after the last value, so that a lookup, which reads whole words, stays inside the node.
    pub(crate) fn slack(self) -> usize {
        4 - self.bytes()
    }

    /// The binary logarithm of [`Width::bytes`].
    #[inline]
    pub(crate) fn shift(self) -> u32 {
        self as u32
    }

    /// The value at `at`, as an entry. Without a branch: which width a node has is anyone's guess.
    #[inline]
    pub(crate) fn read(self, arena: &Arena, at: usize) -> Entry {
        // A narrow value has slack after it, so the word is the node's own.
        let word = arena.entry(at).word();
        let unused_bits = 32 - (8 << self.shift());
        let is_narrow = (self.shift() >> 1) ^ 1;
        Entry::of_word(word & (u32::MAX >> unused_bits) | is_narrow << Entry::LEAF.trailing_zeros())
    }

    /// Writes `entry` in front of `bytes`; in the narrow widths it is an answer that fits.
    pub(crate) fn write(self, entry: Entry, bytes: &mut [u8]) {
        let word = match self {
            Self::Four => entry.word(),
            Self::One | Self::Two => {
                debug_assert!(entry.is_leaf());
                entry.word() & !Entry::LEAF
            }
        };
        // The low bytes hold the value, and come first: `lib.rs` sees to it that the machine is little-endian.
        bytes[..self.bytes()].copy_from_slice(&word.to_le_bytes()[..self.bytes()]);
    }
}
