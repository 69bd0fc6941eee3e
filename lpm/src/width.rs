//! How many bytes an answer takes in nodes that hold nothing else.

use crate::arena::Arena;
use crate::entry::Entry;
use crate::table::NextHopId;

/// One byte while every next hop's index is below 255, two below 65,535, else a whole entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[doc(hidden)]
pub enum Width {
    /// Next hops up to index 254, and "none".
    One = 1,
    /// Next hops up to index 65,534, and "none".
    Two = 2,
    /// All of them, and other nodes: entries.
    Four = 4,
}

impl Width {
    /// The least width that `next_hop` fits in.
    pub(crate) fn of(next_hop: NextHopId) -> Self {
        match NextHopId::word(Some(next_hop)) {
            0..=0xff => Self::One,
            0x100..=0xffff => Self::Two,
            _ => Self::Four,
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
        self as usize
    }

    /// Bytes to leave after the last value, so that a vector lookup, which reads whole words, stays inside the node.
    pub(crate) fn slack(self) -> usize {
        4 - self.bytes()
    }

    /// The value at `at`, as an entry.
    #[inline]
    pub(crate) fn read(self, arena: &Arena, at: usize) -> Entry {
        match self {
            Self::One => Entry::of_word(Entry::LEAF | u32::from(u8::from_ne_bytes(arena.read(at)))),
            Self::Two => Entry::of_word(Entry::LEAF | u32::from(u16::from_ne_bytes(arena.read(at)))),
            Self::Four => arena.entry(at),
        }
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
        // The low bytes hold the value: the machine is little-endian, or there would be no table (see `lib.rs`).
        bytes[..self.bytes()].copy_from_slice(&word.to_le_bytes()[..self.bytes()]);
    }
}
