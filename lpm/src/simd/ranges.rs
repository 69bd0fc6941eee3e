//! Range nodes, for one address: what is left of a lookup when its chunk has no answer.

use std::arch::x86_64::*;

use super::Memory;
use crate::entry::Entry;
use crate::family::position;
use crate::prefix::Address;
use crate::range::{FAN_OUT, FIRST_WORD, WORD};
use crate::table::NextHopId;
use crate::width::Width;

/// Levels 3 and on: the answer for an address whose chunk says `node`.
///
/// Not inlined: it would have those who rarely come here save registers for it.
#[inline(never)]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
pub(super) fn in_ranges<A: Address>(memory: Memory, width: Width, mut node: u32, address: A) -> Option<NextHopId> {
    let mut level = 3;
    while node & Entry::LEAF == 0 {
        node = in_range(memory, width, node, position::<A>(address.to_number(), level));
        level += 1;
    }
    NextHopId::of_word(node & !Entry::LEAF)
}

/// What a range node says for a position.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn in_range(memory: Memory, width: Width, node: u32, position: u32) -> u32 {
    let node = Entry::of_word(node);
    let at = node.at();
    let mut k = 0;
    for first_word in &FIRST_WORD[..node.depth() as usize] {
        k = k * FAN_OUT + keys_below(memory.long_word(at - WORD * (first_word + k + 1)), position);
    }
    let shift = width.in_node(node).shift();
    let found = memory.word(at + (k << shift));
    if node.is_wide() { found } else { _bzhi_u32(found, 8 << shift) | Entry::LEAF }
}

/// How many of the four keys in `word` are less than `position`.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
#[expect(clippy::cast_possible_truncation, reason = "a position of a range node has 16 bits")]
fn keys_below(word: u64, position: u32) -> usize {
    let keys = _mm_cvtsi64_si128(word.cast_signed());
    let position = _mm_set1_epi16(position as i16);
    // What is left of the position after a key is taken off: nothing, where the key is not less.
    let not_less = _mm_cmpeq_epi16(_mm_subs_epu16(position, keys), _mm_setzero_si128());
    // Two bits for each of the four; above them is the unused half.
    FAN_OUT - 1 - (_mm_movemask_epi8(not_less) & 0xff).count_ones() as usize / 2
}
