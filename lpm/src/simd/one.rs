//! One address, with the instructions that count bits and cut fields out of words.
//!
//! Whether a page's entry is an answer or a chunk, which word of a bitmap a position is in, how wide a value is: no
//! predictor can learn any of it, and a wrong guess costs as much as a whole lookup. So nothing is asked. An answer is
//! carried on as if it were the node in the reserved bytes at the start of the arena, which are zero, and put back by an
//! `or`. How many lookups overlap is a matter of how few instructions each takes: there are no checks of bounds either.

use std::arch::x86_64::*;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::Memory;
use crate::chunk::{LARGE_BITMAP, SMALL_BITMAP};
use crate::entry::Entry;
use crate::family::position;
use crate::fib::Snapshot;
use crate::prefix::Address;
use crate::range::{FAN_OUT, FIRST_WORD, WORD};
use crate::table::NextHopId;
use crate::width::Width;

/// What these lookups need to know of an address family.
#[doc(hidden)]
pub trait Chunks: Copy {
    /// What the chunk says for a position; of an answer, the answer itself.
    ///
    /// # Safety
    ///
    /// The machine has the instructions of [`Avx2`](super::avx2::Avx2).
    unsafe fn in_chunk(memory: Memory, entry: u32, position: u32) -> u32;
}

/// The answer for one address.
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
pub(super) fn lookup<A: Address>(snapshot: &Snapshot<A>, address: A) -> Option<NextHopId> {
    let memory = Memory::of(&snapshot.arena);
    let number = address.to_number();
    let entry = page_entry::<A>(&snapshot.top, memory, number);
    // SAFETY: this function has the features.
    let found = unsafe { A::in_chunk(memory, entry, position::<A>(number, 2)) };
    if found & Entry::LEAF != 0 { answer(found) } else { in_ranges(snapshot, found, address) }
}

/// Levels 3 and on: the answer for an address whose chunk says `node`.
///
/// Not inlined: it would have those who rarely come here save registers for it.
#[inline(never)]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn in_ranges<A: Address>(snapshot: &Snapshot<A>, mut node: u32, address: A) -> Option<NextHopId> {
    let memory = Memory::of(&snapshot.arena);
    let mut level = 3;
    while node & Entry::LEAF == 0 {
        node = in_range(memory, snapshot.width, node, position::<A>(address.to_number(), level));
        level += 1;
    }
    answer(node)
}

/// Levels 0 and 1.
#[inline]
fn page_entry<A: Address>(top: &A::Top, memory: Memory, number: u128) -> u32 {
    let page = top.as_ref()[position::<A>(number, 0) as usize];
    let answer = answer_mask(page);
    let at = place(page) + position::<A>(number, 1) * 4;
    // For an answer, the reserved zeros.
    memory.word((at & !answer) as usize) | page & answer
}

/// The answer of a leaf.
#[inline]
fn answer(leaf: u32) -> Option<NextHopId> {
    NextHopId::of_word(leaf & !Entry::LEAF)
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

impl Chunks for Ipv4Addr {
    #[inline]
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    unsafe fn in_chunk(memory: Memory, entry: u32, position: u32) -> u32 {
        let chunk = entry & !answer_mask(entry);
        let right = position >> 6;
        let word = memory.long_word((place(chunk) + 8 * right) as usize);
        let others = (word << (!position & 63)).count_ones().wrapping_sub(1);
        // To the left, value *n* is at -1 - n: all bits of *n* the other way round.
        let nth = others ^ right.wrapping_sub(1);
        let shift = chunk >> Entry::DEPTH_SHIFT & 7;
        const { assert!(SMALL_BITMAP == 16) };
        let at = (place(chunk) + 16 * right).wrapping_add(nth << shift);
        let found = memory.word(at as usize);
        // Few chunks are, so this can be learned after all; and an entry is not to be marked as an answer.
        if chunk & Entry::WIDE != 0 {
            return found;
        }
        _bzhi_u32(found, 8 << shift) | entry & answer_mask(entry) | Entry::LEAF
    }
}

impl Chunks for Ipv6Addr {
    #[inline]
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    #[expect(clippy::cast_possible_truncation, reason = "two halves of 64 bits, and a size within a node")]
    unsafe fn in_chunk(memory: Memory, entry: u32, position: u32) -> u32 {
        let answer = answer_mask(entry);
        let pair = memory.long_word(((place(entry) + (position >> 5) * 8) & !answer) as usize);
        let count = ((pair as u32) << (!position & 31)).count_ones();
        let nth = ((pair >> 32) as u32).wrapping_add(count);
        let at = place(entry).wrapping_add(LARGE_BITMAP as u32).wrapping_add(nth << 2);
        memory.word((at & !answer) as usize) | entry & answer
    }
}
