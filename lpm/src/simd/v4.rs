//! IPv4 addresses, with an instruction that counts bits: four reads each, and nothing is asked.
//!
//! Every address takes the same way, from the top by a page and the bitmap of a chunk to a value: where nothing differs, page
//! and chunk are `plain`. So no branch depends on what a node says, and an address takes 25 to 30 instructions. Only the few
//! whose chunk has a node for them are seen to afterwards.
//!
//! A burst goes in three passes of one far read each: places in pages, entries of pages, bitmaps and values. The first two
//! ask for the lines of the next, so the misses of 64 addresses overlap, and no pass waits for more than it must. Vectors
//! would not help: between the reads there is hardly anything to compute. So AVX2 is left off, lest the compiler use it.

use std::net::Ipv4Addr;

use super::Memory;
use super::ranges::in_ranges;
use crate::burst::BURST;
use crate::chunk::SMALL_BITMAP;
use crate::entry::Entry;
use crate::table::NextHopId;
use crate::width::Width;

/// The answer for one address.
#[target_feature(enable = "sse2,bmi1,bmi2,popcnt")]
pub(super) fn lookup<const WIDTH: u32>(top: &[u32; 256], memory: Memory, address: Ipv4Addr) -> Option<NextHopId> {
    let chunk = entry(memory, place_in_page(top, address));
    let answer = NextHopId::of_word(value::<WIDTH>(memory, chunk, address));
    if is_beyond::<WIDTH>(answer) {
        let node = memory.word(place_of_node(memory, chunk, address) as usize);
        // SAFETY: who has these features has AVX2, too: `with_avx2` asks for all or none.
        return unsafe { in_ranges(memory, width::<WIDTH>(), node, address) };
    }
    answer
}

/// See [`Vectors::burst`](super::Vectors::burst).
#[target_feature(enable = "sse2,bmi1,bmi2,popcnt")]
pub(super) fn burst<const WIDTH: u32>(
    top: &[u32; 256],
    memory: Memory,
    addresses: &[Ipv4Addr],
    answers: &mut [Option<NextHopId>],
) {
    let mut entries = [0; BURST];
    let (whole, rest) = addresses.as_chunks::<BURST>();
    let (whole_answers, rest_answers) = answers.as_chunks_mut::<BURST>();
    // Loops of a length that the compiler knows take fewer instructions.
    for (addresses, answers) in whole.iter().zip(whole_answers) {
        start(top, memory, addresses, &mut entries);
        finish::<WIDTH>(memory, addresses, &entries, answers);
    }
    if !rest.is_empty() {
        start(top, memory, rest, &mut entries[..rest.len()]);
        finish::<WIDTH>(memory, rest, &entries[..rest.len()], rest_answers);
    }
}

/// See [`Vectors::start`](super::Vectors::start).
#[inline]
#[target_feature(enable = "sse2,bmi1,bmi2,popcnt")]
pub(super) fn start(top: &[u32; 256], memory: Memory, addresses: &[Ipv4Addr], entries: &mut [u32]) {
    for (place, address) in entries.iter_mut().zip(addresses) {
        *place = place_in_page(top, *address);
        memory.prefetch(*place as usize * size_of::<Entry>());
    }
    for place in entries {
        *place = entry(memory, *place);
        memory.prefetch(*place as usize * Entry::UNIT);
    }
}

/// See [`Vectors::finish`](super::Vectors::finish).
#[inline]
#[target_feature(enable = "sse2,bmi1,bmi2,popcnt")]
pub(super) fn finish<const WIDTH: u32>(
    memory: Memory,
    addresses: &[Ipv4Addr],
    entries: &[u32],
    answers: &mut [Option<NextHopId>],
) {
    debug_assert!(addresses.len() == answers.len() && entries.len() == answers.len());
    // "Beyond" is the largest value there is. To look for it among the answers afterwards takes fewer instructions, but has
    // to wait until they are all written, behind whatever else the caller has written. And one maximum of all would wait for
    // itself: it takes two instructions, one after the other, to make it.
    let mut most = [0; 4];
    let (fours, rest) = answers.as_chunks_mut::<4>();
    let (addresses_of_fours, addresses_of_rest) = addresses.as_chunks::<4>();
    let (chunks_of_fours, chunks_of_rest) = entries.as_chunks::<4>();
    for ((answers, addresses), chunks) in fours.iter_mut().zip(addresses_of_fours).zip(chunks_of_fours) {
        for n in 0..4 {
            let word = value::<WIDTH>(memory, chunks[n], addresses[n]);
            most[n] = most[n].max(word);
            answers[n] = NextHopId::of_word(word);
        }
    }
    for ((answer, address), chunk) in rest.iter_mut().zip(addresses_of_rest).zip(chunks_of_rest) {
        let word = value::<WIDTH>(memory, *chunk, *address);
        most[0] = most[0].max(word);
        *answer = NextHopId::of_word(word);
    }
    if most.contains(&width::<WIDTH>().beyond()) {
        finish_beyond::<WIDTH>(memory, addresses, entries, answers);
    }
}

/// The answers of those whose chunk has a node for them: again in passes, since in a table of many host routes that may be
/// half of a burst.
#[inline(never)]
#[target_feature(enable = "sse2,bmi1,bmi2,popcnt")]
fn finish_beyond<const WIDTH: u32>(
    memory: Memory,
    addresses: &[Ipv4Addr],
    entries: &[u32],
    answers: &mut [Option<NextHopId>],
) {
    let (mut lanes, mut count) = ([0_u8; BURST], 0);
    for (lane, answer) in (0..).zip(&*answers) {
        lanes[count] = lane;
        count += usize::from(is_beyond::<WIDTH>(*answer));
    }
    let lanes = lanes[..count].iter().map(|lane| usize::from(*lane));
    let mut nodes = [0; BURST];
    for (node, lane) in nodes.iter_mut().zip(lanes.clone()) {
        *node = place_of_node(memory, entries[lane], addresses[lane]);
        memory.prefetch(*node as usize);
    }
    for node in &mut nodes[..count] {
        *node = memory.word(*node as usize);
        memory.prefetch_node(*node);
    }
    for (node, lane) in nodes.iter().zip(lanes) {
        // SAFETY: as in `lookup`.
        answers[lane] = unsafe { in_ranges(memory, width::<WIDTH>(), *node, addresses[lane]) };
    }
}

/// Levels 0 and 1: where the entry for an address is in its page, in entries from the start of the arena.
#[inline]
fn place_in_page(top: &[u32; 256], address: Ipv4Addr) -> u32 {
    let page = top[usize::from(address.octets()[0])];
    const { assert!(Entry::UNIT == 2 * size_of::<Entry>()) };
    page * 2 + (u32::from(address) >> 14 & 0x3ff)
}

/// The entry at a place in a page.
#[inline]
fn entry(memory: Memory, place: u32) -> u32 {
    memory.word(place as usize * size_of::<Entry>())
}

/// Level 2: the value of a chunk for an address.
#[inline]
#[target_feature(enable = "sse2,bmi1,bmi2,popcnt")]
fn value<const WIDTH: u32>(memory: Memory, chunk: u32, address: Ipv4Addr) -> u32 {
    let at = chunk as usize * Entry::UNIT;
    let nth = (memory.long_word(at) >> position(address)).count_ones() as usize;
    let at = at + SMALL_BITMAP + (nth << WIDTH);
    match width::<WIDTH>() {
        Width::One => memory.byte(at).into(),
        Width::Two => memory.short(at).into(),
        Width::Four => memory.word(at),
    }
}

/// Where level 3 begins: the place, in bytes, of the node that the chunk has for an address.
#[inline]
#[target_feature(enable = "sse2,bmi1,bmi2,popcnt")]
fn place_of_node(memory: Memory, chunk: u32, address: Ipv4Addr) -> u32 {
    let nodes_at = chunk * word(Entry::UNIT) - word(SMALL_BITMAP);
    nodes_at - (memory.long_word(nodes_at as usize) >> position(address)).count_ones() * word(size_of::<Entry>())
}

/// The position in a chunk: the lowest six bits of an octet, and so no shift at all.
#[inline]
fn position(address: Ipv4Addr) -> u32 {
    u32::from(address.octets()[2]) & 63
}

/// Whether what stands for an answer says that a node has it.
#[inline]
fn is_beyond<const WIDTH: u32>(answer: Option<NextHopId>) -> bool {
    NextHopId::word(answer) == width::<WIDTH>().beyond()
}

/// The width that `WIDTH` is the binary logarithm of.
const fn width<const WIDTH: u32>() -> Width {
    match WIDTH {
        0 => Width::One,
        1 => Width::Two,
        _ => Width::Four,
    }
}

/// A size within a node.
#[expect(clippy::cast_possible_truncation, reason = "a few bytes")]
const fn word(size: usize) -> u32 {
    size as u32
}
