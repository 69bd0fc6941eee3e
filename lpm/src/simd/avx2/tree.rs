//! The stages of a burst, over registers of eight addresses each.

use std::arch::x86_64::*;
use std::net::Ipv6Addr;

use super::Memory;
use super::registers::*;
use crate::chunk::LARGE_BITMAP;
use crate::entry::Entry;
use crate::range::{FAN_OUT, FIRST_WORD, WORD};
use crate::width::Width;

/// Top and pages: an entry for each address.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn pages<const N: usize>(top: &[u32; 512], memory: Memory, addresses: &[Ipv6Addr]) -> [__m256i; N] {
    let leading = v6_words::<N, 0>(addresses);
    let mut at = [Offsets::NONE; N];
    for (at, leading) in at.iter_mut().zip(&leading) {
        *at = Offsets::of(_mm256_slli_epi32::<2>(_mm256_srli_epi32::<23>(*leading)));
    }
    settle(&mut at);
    let top = Memory { base: top.as_ptr().cast(), far: false };
    let mut entries = [_mm256_setzero_si256(); N];
    for ((entries, at), leading) in entries.iter_mut().zip(&mut at).zip(&leading) {
        *entries = top.words_at(at);
        let position = _mm256_and_si256(_mm256_srli_epi32::<11>(*leading), all(1023 << 2));
        *at = Offsets::of(or_reserved(*entries, _mm256_add_epi32(place(*entries), position)));
    }
    settle(&mut at);
    for (entries, at) in entries.iter_mut().zip(&at) {
        *entries = _mm256_or_si256(memory.words_at(at), _mm256_and_si256(*entries, answers(*entries)));
    }
    entries
}

/// Where the bitmaps of chunks are that the addresses need.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn bitmaps<const N: usize>(addresses: &[Ipv6Addr], entries: &[__m256i; N]) -> [Offsets; N] {
    let mut at = [Offsets::NONE; N];
    for ((at, entries), leading) in at.iter_mut().zip(entries).zip(v6_words::<N, 0>(addresses)) {
        // The higher eight of thirteen bits choose among the pairs of bitmap and count.
        let pair = _mm256_and_si256(_mm256_srli_epi32::<2>(leading), all(255 << 3));
        *at = Offsets::of(or_reserved(*entries, _mm256_add_epi32(place(*entries), pair)));
    }
    at
}

/// Everything below, in a table whose narrow values are two to the power of `WIDTH` bytes wide.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn below<const N: usize, const WIDTH: u32>(
    memory: Memory,
    addresses: &[Ipv6Addr],
    mut entries: [__m256i; N],
) -> [__m256i; N] {
    let mut at = bitmaps(addresses, &entries);
    settle(&mut at);
    in_large_chunks(memory, &mut entries, &mut at, &v6_words::<N, 0>(addresses));
    // Two levels of ranges to a 32-bit word of the address.
    if any_nodes(&entries) && v6_ranges::<N, WIDTH, 1>(memory, addresses, &mut entries) {
        let _deeper = v6_ranges::<N, WIDTH, 2>(memory, addresses, &mut entries)
            && v6_ranges::<N, WIDTH, 3>(memory, addresses, &mut entries);
    }
    entries
}

/// Two levels of ranges, from the `WORD`-th 32 bits of the addresses; returns whether there are deeper nodes.
#[inline]
#[target_feature(enable = "avx2")]
fn v6_ranges<const N: usize, const WIDTH: u32, const WORD: usize>(
    memory: Memory,
    addresses: &[Ipv6Addr],
    entries: &mut [__m256i; N],
) -> bool {
    let words = v6_words::<N, WORD>(addresses);
    let mut positions = words;
    positions.iter_mut().for_each(|words| *words = _mm256_srli_epi32::<16>(*words));
    if !in_ranges::<N, WIDTH>(memory, entries, &positions) {
        return false;
    }
    positions = words;
    positions.iter_mut().for_each(|words| *words = _mm256_and_si256(*words, all(0xffff)));
    in_ranges::<N, WIDTH>(memory, entries, &positions)
}

/// Large chunks: bits 19 to 32 of the address, of which `leading` has the first 32, choose.
#[inline]
#[target_feature(enable = "avx2")]
fn in_large_chunks<const N: usize>(
    memory: Memory,
    entries: &mut [__m256i; N],
    at: &mut [Offsets; N],
    leading: &[__m256i; N],
) {
    memory.prefetch_if_far(at);
    for ((at, entries), leading) in at.iter_mut().zip(&*entries).zip(leading) {
        let [even, odd] = memory.long_words_at(at);
        let bitmap = _mm256_blend_epi32::<0b1010_1010>(even, _mm256_slli_epi64::<32>(odd));
        let before = _mm256_blend_epi32::<0b1010_1010>(_mm256_srli_epi64::<32>(even), odd);
        let bytes = bits_in_bytes(_mm256_sllv_epi32(bitmap, _mm256_andnot_si256(*leading, all(31))));
        let count = _mm256_madd_epi16(_mm256_maddubs_epi16(bytes, _mm256_set1_epi8(1)), _mm256_set1_epi16(1));
        let first = _mm256_add_epi32(place(*entries), all(word(LARGE_BITMAP)));
        let nth = _mm256_slli_epi32::<2>(_mm256_add_epi32(before, count));
        *at = Offsets::of(or_reserved(*entries, _mm256_add_epi32(first, nth)));
    }
    settle(at);
    memory.prefetch_if_far(at);
    for (entries, at) in entries.iter_mut().zip(&*at) {
        *entries = values::<{ Width::Four as u32 }>(*entries, memory.words_at(at));
    }
}

/// Range nodes: the 16 bits in each lane of `positions` choose. Returns whether there are nodes below.
#[inline]
#[target_feature(enable = "avx2")]
fn in_ranges<const N: usize, const WIDTH: u32>(
    memory: Memory,
    entries: &mut [__m256i; N],
    positions: &[__m256i; N],
) -> bool {
    if memory.far {
        let mut at = [Offsets::NONE; N];
        for (at, entries) in at.iter_mut().zip(&*entries) {
            *at = Offsets::of(or_reserved(*entries, _mm256_sub_epi32(place(*entries), all(word(WORD)))));
        }
        settle(&mut at);
        memory.prefetch_all(&at);
    }
    let mut k = [_mm256_setzero_si256(); N];
    for (layer, first_word) in (0..).zip(FIRST_WORD) {
        let mut any = 0;
        for ((k, entries), positions) in k.iter_mut().zip(&*entries).zip(positions) {
            let depth = _mm256_and_si256(_mm256_srli_epi32::<DEPTH_SHIFT>(*entries), all(7));
            let lanes = _mm256_andnot_si256(answers(*entries), _mm256_cmpgt_epi32(depth, all(layer)));
            let some = signs(lanes);
            any |= some;
            if some == 0 {
                continue;
            }
            let words = _mm256_slli_epi32::<3>(_mm256_add_epi32(*k, all(word(first_word + 1))));
            let mut at = [Offsets::of(_mm256_and_si256(lanes, _mm256_sub_epi32(place(*entries), words)))];
            settle(&mut at);
            let below = keys_below(memory.long_words_at(&at[0]), *positions);
            let five_k = _mm256_add_epi32(_mm256_slli_epi32::<2>(*k), *k);
            *k = blend(*k, _mm256_add_epi32(five_k, below), lanes);
        }
        if any == 0 {
            break;
        }
    }
    const { assert!(FAN_OUT == 5 && WORD == 8) };
    for (entries, k) in entries.iter_mut().zip(k) {
        if signs(*entries) == ALL_LANES {
            continue;
        }
        let distance = _mm256_sllv_epi32(k, range_scale::<WIDTH>(*entries));
        let mut at = [Offsets::of(or_reserved(*entries, _mm256_add_epi32(place(*entries), distance)))];
        settle(&mut at);
        *entries = values::<WIDTH>(*entries, memory.words_at(&at[0]));
    }
    any_nodes(entries)
}

/// For each lane, how many of the four keys in its 64-bit word are less than its position.
#[inline]
#[target_feature(enable = "avx2")]
fn keys_below(words: [__m256i; 2], positions: __m256i) -> __m256i {
    let copies = [_mm256_set1_epi64x(0x0100_0100_0100_0100), _mm256_set1_epi64x(0x0504_0504_0504_0504)];
    let odd_lane = _mm256_set_epi64x(0x0808_0808_0808_0808, 0, 0x0808_0808_0808_0808, 0);
    let counts = [0, 1].map(|half| {
        let position = _mm256_shuffle_epi8(positions, _mm256_or_si256(copies[half], odd_lane));
        // What is left of the position after a key is taken off: nothing, where the key is not less.
        let left = _mm256_subs_epu16(position, words[half]);
        _mm256_sad_epu8(_mm256_min_epu16(left, _mm256_set1_epi16(1)), _mm256_setzero_si256())
    });
    _mm256_or_si256(counts[0], _mm256_slli_epi64::<32>(counts[1]))
}

/// Values read from nodes, as entries; answers stay as they are.
#[inline]
#[target_feature(enable = "avx2")]
fn values<const WIDTH: u32>(entries: __m256i, values: __m256i) -> __m256i {
    let values = if WIDTH == 2 {
        values
    } else {
        // Narrow nodes are those whose bit 30 is off.
        let answers = _mm256_or_si256(_mm256_and_si256(values, all((1 << (8 << WIDTH)) - 1)), all(Entry::LEAF));
        blend(answers, values, _mm256_slli_epi32::<1>(entries))
    };
    blend(values, entries, entries)
}

/// All ones for an answer, zero for a node.
#[inline]
#[target_feature(enable = "avx2")]
fn answers(entries: __m256i) -> __m256i {
    _mm256_srai_epi32::<31>(entries)
}

/// Offsets in nodes; for answers, that of the reserved zeros.
#[inline]
#[target_feature(enable = "avx2")]
fn or_reserved(entries: __m256i, offsets: __m256i) -> __m256i {
    _mm256_andnot_si256(answers(entries), offsets)
}

/// Where nodes lie, in bytes.
#[inline]
#[target_feature(enable = "avx2")]
fn place(entries: __m256i) -> __m256i {
    _mm256_slli_epi32::<3>(_mm256_and_si256(entries, all(Entry::OFFSET)))
}

/// The binary logarithm of the bytes of a range node's values.
#[inline]
#[target_feature(enable = "avx2")]
fn range_scale<const WIDTH: u32>(entries: __m256i) -> __m256i {
    blend(all(WIDTH), all(2), _mm256_slli_epi32::<1>(entries))
}

/// [`Entry::DEPTH_SHIFT`], as the shifts here take it.
const DEPTH_SHIFT: i32 = Entry::DEPTH_SHIFT.cast_signed();
