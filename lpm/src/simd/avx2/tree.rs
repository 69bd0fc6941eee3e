//! The stages of a burst, over registers of eight addresses each.

use std::arch::x86_64::*;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::registers::*;
use super::{Lanes, Memory};
use crate::chunk::{LARGE_BITMAP, SMALL_BITMAP};
use crate::entry::Entry;
use crate::range::{FAN_OUT, FIRST_WORD, WORD};
use crate::width::Width;

impl Lanes for Ipv4Addr {
    const ZERO: Self = Self::UNSPECIFIED;

    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn pages<const N: usize>(top: &[u32], memory: Memory, addresses: &[Self]) -> [__m256i; N] {
        let top: &[u32; 64] = &top.as_chunks().0[0];
        let numbers = v4_numbers::<N>(addresses);
        let mut at = [_mm256_setzero_si256(); N];
        let mut in_page = at;
        for ((at, in_page), numbers) in at.iter_mut().zip(&mut in_page).zip(numbers) {
            // Six bits index the 64 entries of the top.
            *at = _mm256_slli_epi32::<2>(_mm256_srli_epi32::<26>(numbers));
            *in_page = _mm256_and_si256(_mm256_srli_epi32::<13>(numbers), all(2047 << 2));
        }
        in_pages(top, memory, Offsets::new().set(&at), &in_page)
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn bitmaps<const N: usize>(addresses: &[Self], entries: &[__m256i; N]) -> [__m256i; N] {
        let mut at = v4_numbers::<N>(addresses);
        for (at, entries) in at.iter_mut().zip(entries) {
            // The higher of seven bits chooses between two words.
            let right = _mm256_and_si256(_mm256_srli_epi32::<11>(*at), all(8));
            *at = _mm256_andnot_si256(answers(*entries), _mm256_add_epi32(place(*entries), right));
        }
        at
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn below<const N: usize, const WIDTH: u32>(
        memory: Memory,
        addresses: &[Self],
        mut entries: [__m256i; N],
    ) -> [__m256i; N] {
        let numbers = v4_numbers::<N>(addresses);
        // SAFETY: this function has the features.
        let bitmaps = unsafe { Self::bitmaps(addresses, &entries) };
        in_small_chunks::<N, WIDTH>(memory, &mut entries, Offsets::new().set(&bitmaps), &numbers);
        if any_nodes(&entries) {
            let mut positions = numbers;
            positions.iter_mut().for_each(|numbers| *numbers = _mm256_and_si256(*numbers, all(0xff)));
            in_ranges::<N, WIDTH>(memory, &mut entries, &positions);
        }
        entries
    }
}

impl Lanes for Ipv6Addr {
    const ZERO: Self = Self::UNSPECIFIED;

    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn pages<const N: usize>(top: &[u32], memory: Memory, addresses: &[Self]) -> [__m256i; N] {
        let top: &[u32; 512] = &top.as_chunks().0[0];
        let mut at = [_mm256_setzero_si256(); N];
        let mut in_page = at;
        for ((at, in_page), leading) in at.iter_mut().zip(&mut in_page).zip(v6_words::<N, 0>(addresses)) {
            // Nine bits index the 512 entries of the top.
            *at = _mm256_slli_epi32::<2>(_mm256_srli_epi32::<23>(leading));
            *in_page = _mm256_and_si256(_mm256_srli_epi32::<11>(leading), all(1023 << 2));
        }
        in_pages(top, memory, Offsets::new().set(&at), &in_page)
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn bitmaps<const N: usize>(addresses: &[Self], entries: &[__m256i; N]) -> [__m256i; N] {
        let mut at = v6_words::<N, 0>(addresses);
        for (at, entries) in at.iter_mut().zip(entries) {
            // The higher eight of thirteen bits choose among the pairs of bitmap and count.
            let pair = _mm256_and_si256(_mm256_srli_epi32::<2>(*at), all(255 << 3));
            *at = _mm256_andnot_si256(answers(*entries), _mm256_add_epi32(place(*entries), pair));
        }
        at
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn below<const N: usize, const WIDTH: u32>(
        memory: Memory,
        addresses: &[Self],
        mut entries: [__m256i; N],
    ) -> [__m256i; N] {
        // SAFETY: this function has the features.
        let bitmaps = unsafe { Self::bitmaps(addresses, &entries) };
        in_large_chunks(memory, &mut entries, Offsets::new().set(&bitmaps), &v6_words::<N, 0>(addresses));
        // Two levels of ranges to a 32-bit word of the address.
        if any_nodes(&entries) && v6_ranges::<N, WIDTH, 1>(memory, addresses, &mut entries) {
            let _deeper = v6_ranges::<N, WIDTH, 2>(memory, addresses, &mut entries)
                && v6_ranges::<N, WIDTH, 3>(memory, addresses, &mut entries);
        }
        entries
    }
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

/// Levels 0 and 1: the entries at offsets in the top, and at offsets in the pages that these are.
#[inline]
#[target_feature(enable = "avx2")]
fn in_pages<const TOP: usize, const N: usize>(
    top: &[u32; TOP],
    memory: Memory,
    at: &Offsets<N>,
    in_page: &[__m256i; N],
) -> [__m256i; N] {
    let top = Memory { base: top.as_ptr().cast(), far: false };
    let mut pages = [_mm256_setzero_si256(); N];
    let mut places = pages;
    for (((pages, places), at), in_page) in pages.iter_mut().zip(&mut places).zip(&at.0).zip(in_page) {
        *pages = top.words_at(at);
        *places = _mm256_andnot_si256(answers(*pages), _mm256_add_epi32(place(*pages), *in_page));
    }
    for (pages, at) in pages.iter_mut().zip(&Offsets::new().set(&places).0) {
        *pages = _mm256_or_si256(memory.words_at(at), _mm256_and_si256(*pages, answers(*pages)));
    }
    pages
}

/// Small chunks: bits 17 to 24 of the address, which is `numbers`, choose.
#[inline]
#[target_feature(enable = "avx2")]
fn in_small_chunks<const N: usize, const WIDTH: u32>(
    memory: Memory,
    entries: &mut [__m256i; N],
    bitmaps: &Offsets<N>,
    numbers: &[__m256i; N],
) {
    memory.prefetch_if_far(bitmaps);
    let mut at = [_mm256_setzero_si256(); N];
    for (((at, entries), bitmaps), numbers) in at.iter_mut().zip(&*entries).zip(&bitmaps.0).zip(numbers) {
        let positions = _mm256_srli_epi32::<8>(*numbers);
        let unused_bits = halves(_mm256_andnot_si256(positions, all(63)));
        let [even, odd] = memory.long_words_at(bitmaps);
        let even = bits_in_words(_mm256_sllv_epi64(even, unused_bits[0]));
        let odd = bits_in_words(_mm256_sllv_epi64(odd, unused_bits[1]));
        let count = _mm256_or_si256(even, _mm256_slli_epi64::<32>(odd));
        // Left of the anchor, value *n* is at -1 - n; right of the bitmap at n. Less one is all bits the other way round.
        let minus_one = all(u32::MAX);
        let right = _mm256_and_si256(_mm256_srli_epi32::<6>(positions), all(1));
        let nth = _mm256_xor_si256(_mm256_add_epi32(count, minus_one), _mm256_add_epi32(right, minus_one));
        const { assert!(SMALL_BITMAP == 16) };
        let chunks = _mm256_andnot_si256(answers(*entries), *entries);
        let start = _mm256_add_epi32(place(chunks), _mm256_slli_epi32::<4>(right));
        *at = _mm256_add_epi32(start, _mm256_sllv_epi32(nth, chunk_scale::<WIDTH>(chunks)));
    }
    let mut offsets = Offsets::new();
    let at = offsets.set(&at);
    memory.prefetch_if_far(at);
    for (entries, at) in entries.iter_mut().zip(&at.0) {
        *entries = values::<WIDTH>(*entries, memory.words_at(at));
    }
}

/// Large chunks: bits 19 to 32 of the address, of which `leading` has the first 32, choose.
#[inline]
#[target_feature(enable = "avx2")]
fn in_large_chunks<const N: usize>(
    memory: Memory,
    entries: &mut [__m256i; N],
    bitmaps: &Offsets<N>,
    leading: &[__m256i; N],
) {
    memory.prefetch_if_far(bitmaps);
    let mut at = [_mm256_setzero_si256(); N];
    for (((at, entries), bitmaps), leading) in at.iter_mut().zip(&*entries).zip(&bitmaps.0).zip(leading) {
        let [even, odd] = memory.long_words_at(bitmaps);
        let bitmap = _mm256_blend_epi32::<0b1010_1010>(even, _mm256_slli_epi64::<32>(odd));
        let before = _mm256_blend_epi32::<0b1010_1010>(_mm256_srli_epi64::<32>(even), odd);
        let bytes = bits_in_bytes(_mm256_sllv_epi32(bitmap, _mm256_andnot_si256(*leading, all(31))));
        let count = _mm256_madd_epi16(_mm256_maddubs_epi16(bytes, _mm256_set1_epi8(1)), _mm256_set1_epi16(1));
        let first = _mm256_add_epi32(place(*entries), all(word(LARGE_BITMAP)));
        let nth = _mm256_slli_epi32::<2>(_mm256_add_epi32(before, count));
        *at = _mm256_andnot_si256(answers(*entries), _mm256_add_epi32(first, nth));
    }
    let mut offsets = Offsets::new();
    let at = offsets.set(&at);
    memory.prefetch_if_far(at);
    for (entries, at) in entries.iter_mut().zip(&at.0) {
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
        let mut at = *entries;
        at.iter_mut()
            .for_each(|at| *at = _mm256_andnot_si256(answers(*at), _mm256_sub_epi32(place(*at), all(word(WORD)))));
        memory.prefetch_all(Offsets::new().set(&at));
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
            let at = _mm256_and_si256(lanes, _mm256_sub_epi32(place(*entries), words));
            let below = keys_below(memory.long_words_at(&Offsets::new().set(&[at]).0[0]), *positions);
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
        let at = _mm256_andnot_si256(answers(*entries), _mm256_add_epi32(place(*entries), distance));
        *entries = values::<WIDTH>(*entries, memory.words_at(&Offsets::new().set(&[at]).0[0]));
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

/// Where nodes lie, in bytes.
#[inline]
#[target_feature(enable = "avx2")]
fn place(entries: __m256i) -> __m256i {
    _mm256_slli_epi32::<3>(_mm256_and_si256(entries, all(Entry::OFFSET)))
}

/// The binary logarithm of the bytes of a small chunk's values.
#[inline]
#[target_feature(enable = "avx2")]
fn chunk_scale<const WIDTH: u32>(entries: __m256i) -> __m256i {
    if WIDTH == 2 { all(2) } else { _mm256_and_si256(_mm256_srli_epi32::<DEPTH_SHIFT>(entries), all(7)) }
}

/// The binary logarithm of the bytes of a range node's values.
#[inline]
#[target_feature(enable = "avx2")]
fn range_scale<const WIDTH: u32>(entries: __m256i) -> __m256i {
    blend(all(WIDTH), all(2), _mm256_slli_epi32::<1>(entries))
}

/// [`Entry::DEPTH_SHIFT`], as the shifts here take it.
const DEPTH_SHIFT: i32 = Entry::DEPTH_SHIFT.cast_signed();
