//! One IPv6 address, with the instructions that count bits and cut fields out of words.
//!
//! Whether a page's entry is an answer or a chunk no predictor can learn, and a wrong guess costs as much as a whole lookup.
//! So nothing is asked. An answer is carried on as if it were the node in the reserved bytes at the start of the arena,
//! which are zero, and put back by an `or`. How many lookups overlap is a matter of how few instructions each takes: there
//! are no checks of bounds either.

use std::net::Ipv6Addr;

use super::Memory;
use super::ranges::in_ranges;
use crate::chunk::LARGE_BITMAP;
use crate::entry::Entry;
use crate::family::position;
use crate::prefix::Address;
use crate::table::NextHopId;
use crate::width::Width;

/// The answer for one address.
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
pub(super) fn lookup(top: &[u32; 512], memory: Memory, width: Width, address: Ipv6Addr) -> Option<NextHopId> {
    let number = address.to_number();
    let page = top[position::<Ipv6Addr>(number, 0) as usize];
    let entry = entry_at(memory, page, place(page) + position::<Ipv6Addr>(number, 1) * 4);
    let found = in_chunk(memory, entry, position::<Ipv6Addr>(number, 2));
    if found & Entry::LEAF != 0 {
        return NextHopId::of_word(found & !Entry::LEAF);
    }
    in_ranges(memory, width, found, address)
}

/// What the chunk says for a position; of an answer, the answer itself.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
#[expect(clippy::cast_possible_truncation, reason = "two halves of 64 bits, and a size within a node")]
fn in_chunk(memory: Memory, entry: u32, position: u32) -> u32 {
    let pair = memory.long_word(((place(entry) + (position >> 5) * 8) & !answer_mask(entry)) as usize);
    let count = ((pair as u32) << (!position & 31)).count_ones();
    let nth = ((pair >> 32) as u32).wrapping_add(count);
    entry_at(memory, entry, place(entry).wrapping_add(LARGE_BITMAP as u32).wrapping_add(nth << 2))
}

/// The entry at a byte offset within `node`; of an answer, the answer itself, for which the reserved zeros are read.
#[inline]
fn entry_at(memory: Memory, node: u32, at: u32) -> u32 {
    let answer = answer_mask(node);
    memory.word((at & !answer) as usize) | node & answer
}

/// All ones for an answer, zero for a node.
#[inline]
fn answer_mask(entry: u32) -> u32 {
    (entry.cast_signed() >> 31).cast_unsigned()
}

/// Where a node's anchor lies.
#[inline]
fn place(node: u32) -> u32 {
    const { assert!(Entry::UNIT == 8) };
    (node & Entry::OFFSET) * 8
}
