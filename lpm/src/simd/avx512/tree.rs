//! The stages of a burst, over registers of sixteen addresses each.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::instructions::*;
use super::registers::*;
use super::{Lanes, Memory};
use crate::chunk::{LARGE_BITMAP, SMALL_BITMAP};
use crate::entry::Entry;
use crate::range::{FAN_OUT, FIRST_WORD};
use crate::width::Width;

impl Lanes for Ipv4Addr {
    const ZERO: Self = Self::UNSPECIFIED;

    #[inline]
    #[cfg_attr(not(test), target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vpopcntdq"))]
    unsafe fn pages<const N: usize>(top: &[u32], memory: Memory, addresses: &[Self]) -> [__m512i; N] {
        assert_eq!(top.len(), 256);
        let top = Memory { base: top.as_ptr().cast(), far: false };
        let mut entries = [_mm512_setzero_si512(); N];
        for (entries, numbers) in entries.iter_mut().zip(v4_numbers::<N>(addresses)) {
            // Eight bits index the 256 entries of the top, all of them pages.
            let pages = top.entries(*entries, ALL_LANES, _mm512_srli_epi32::<24>(numbers));
            let position = _mm512_and_si512(_mm512_srli_epi32::<14>(numbers), all(1023));
            *entries = memory.entries(*entries, ALL_LANES, _mm512_add_epi32(offset_in_words(pages), position));
        }
        entries
    }

    #[inline]
    #[cfg_attr(not(test), target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vpopcntdq"))]
    unsafe fn below<const N: usize, const WIDTH: u32>(
        memory: Memory,
        addresses: &[Self],
        mut entries: [__m512i; N],
    ) -> [__m512i; N] {
        let numbers = v4_numbers::<N>(addresses);
        let mut below = 0;
        for (entries, numbers) in entries.iter_mut().zip(numbers) {
            *entries = in_small_chunks::<WIDTH>(memory, *entries, _mm512_srli_epi32::<8>(numbers));
            below |= nodes(*entries);
        }
        if below != 0 {
            let positions = numbers.map(|numbers| _mm512_and_si512(numbers, all(0xff)));
            in_ranges::<N, WIDTH>(memory, &mut entries, &positions);
        }
        entries
    }
}

impl Lanes for Ipv6Addr {
    const ZERO: Self = Self::UNSPECIFIED;

    #[inline]
    #[cfg_attr(not(test), target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vpopcntdq"))]
    unsafe fn pages<const N: usize>(top: &[u32], memory: Memory, addresses: &[Self]) -> [__m512i; N] {
        // Positions 64 to 127 of the top are 2000::/3.
        let global = Top64::load(&top.as_chunks::<64>().0[1]);
        let mut entries = [_mm512_setzero_si512(); N];
        for (entries, leading) in entries.iter_mut().zip(v6_words::<N, 0>(addresses)) {
            let mut pages = global.entries(_mm512_srli_epi32::<23>(leading));
            let elsewhere = _mm512_cmpneq_epi32_mask(_mm512_srli_epi32::<29>(leading), all(1));
            if elsewhere != 0 {
                let position = _mm512_srli_epi32::<23>(leading);
                assert_eq!(top.len(), 512);
                // SAFETY: 9 bits index the 512 entries of the top.
                pages = unsafe { _mm512_mask_i32gather_epi32::<4>(pages, elsewhere, position, top.as_ptr().cast()) };
            }
            let position = _mm512_and_si512(_mm512_srli_epi32::<13>(leading), all(1023));
            *entries = memory.entries(pages, nodes(pages), _mm512_add_epi32(offset_in_words(pages), position));
        }
        entries
    }

    #[inline]
    #[cfg_attr(not(test), target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vpopcntdq"))]
    unsafe fn below<const N: usize, const WIDTH: u32>(
        memory: Memory,
        addresses: &[Self],
        mut entries: [__m512i; N],
    ) -> [__m512i; N] {
        let mut below = 0;
        for (entries, leading) in entries.iter_mut().zip(v6_words::<N, 0>(addresses)) {
            *entries = in_large_chunks(memory, *entries, leading);
            below |= nodes(*entries);
        }
        // Two levels of ranges to a 32-bit word of the address.
        if below != 0 && v6_ranges::<N, WIDTH, 1>(memory, addresses, &mut entries) {
            let _deeper = v6_ranges::<N, WIDTH, 2>(memory, addresses, &mut entries)
                && v6_ranges::<N, WIDTH, 3>(memory, addresses, &mut entries);
        }
        entries
    }
}

/// Two levels of ranges, from the `WORD`-th 32 bits of the addresses; returns whether there are deeper nodes.
#[inline]
#[cfg_attr(not(test), target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vpopcntdq"))]
#[cfg_attr(
    test,
    expect(clippy::redundant_closure, reason = "the model's function could stand for it, not the real one")
)]
fn v6_ranges<const N: usize, const WIDTH: u32, const WORD: usize>(
    memory: Memory,
    addresses: &[Ipv6Addr],
    entries: &mut [__m512i; N],
) -> bool {
    let words = v6_words::<N, WORD>(addresses);
    if !in_ranges::<N, WIDTH>(memory, entries, &words.map(|word| _mm512_srli_epi32::<16>(word))) {
        return false;
    }
    in_ranges::<N, WIDTH>(memory, entries, &words.map(|word| _mm512_and_si512(word, all(0xffff))))
}

/// Small chunks: the lowest six bits of `positions` choose. Every entry is one.
#[inline]
#[cfg_attr(not(test), target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vpopcntdq"))]
fn in_small_chunks<const WIDTH: u32>(memory: Memory, chunks: __m512i, positions: __m512i) -> __m512i {
    let positions = _mm512_and_si512(positions, all(63));
    let anchor = _mm512_slli_epi32::<3>(chunks);
    let distance = _mm512_slli_epi32::<WIDTH>(ones_after(memory.long_words(ALL_LANES, chunks), positions));
    // The word that ends with the value: what comes before belongs to the chunk as well.
    let first = all(word(SMALL_BITMAP + (1 << WIDTH) - size_of::<u32>()));
    let words = memory.words(chunks, ALL_LANES, _mm512_add_epi32(_mm512_add_epi32(anchor, first), distance));
    let (values, beyond) = match WIDTH {
        0 => (_mm512_srli_epi32::<24>(words), Width::One.beyond()),
        1 => (_mm512_srli_epi32::<16>(words), Width::Two.beyond()),
        _ => (words, Width::Four.beyond()),
    };
    let answers = _mm512_or_si512(values, all(Entry::LEAF));
    let lanes = !_mm512_cmpneq_epi32_mask(values, all(beyond));
    if lanes == 0 {
        return answers;
    }
    let nodes = ones_after(memory.long_words(lanes, _mm512_sub_epi32(chunks, all(1))), positions);
    let first = _mm512_sub_epi32(anchor, all(word(SMALL_BITMAP)));
    memory.words(answers, lanes, _mm512_sub_epi32(first, _mm512_slli_epi32::<2>(nodes)))
}

/// For each lane, how many bits its 64-bit word has from its position on.
#[inline]
#[cfg_attr(not(test), target_feature(enable = "avx512f,avx512dq,avx512vpopcntdq"))]
fn ones_after(words: [__m512i; 2], positions: __m512i) -> __m512i {
    let halves = [_mm512_castsi512_si256(positions), _mm512_extracti64x4_epi64::<1>(positions)];
    let counts = [0, 1].map(|half| {
        let after = _mm512_srlv_epi64(words[half], _mm512_cvtepu32_epi64(halves[half]));
        _mm512_cvtepi64_epi32(_mm512_popcnt_epi64(after))
    });
    _mm512_inserti64x4::<1>(_mm512_castsi256_si512(counts[0]), counts[1])
}

/// Large chunks: bits 19 to 32 of the address, of which `leading` has the first 32, choose.
#[inline]
#[cfg_attr(not(test), target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vpopcntdq"))]
fn in_large_chunks(memory: Memory, entries: __m512i, leading: __m512i) -> __m512i {
    let lanes = nodes(entries);
    let anchor = _mm512_and_si512(entries, all(Entry::OFFSET));
    let pair = _mm512_and_si512(_mm512_srli_epi32::<5>(leading), all(255));
    let [low, high] = memory.long_words(lanes, _mm512_add_epi32(anchor, pair));
    let bitmaps = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    let bitmap = _mm512_permutex2var_epi32(low, bitmaps, high);
    let before = _mm512_permutex2var_epi32(low, _mm512_add_epi32(bitmaps, all(1)), high);
    let unused_bits = _mm512_andnot_si512(leading, all(31));
    let up_to_here = _mm512_srlv_epi32(all(u32::MAX), unused_bits);
    let count = _mm512_add_epi32(before, _mm512_popcnt_epi32(_mm512_and_si512(bitmap, up_to_here)));
    let first = _mm512_add_epi32(_mm512_add_epi32(anchor, anchor), all(word(LARGE_BITMAP / size_of::<Entry>())));
    memory.entries(entries, lanes, _mm512_add_epi32(first, count))
}

/// Range nodes: the 16 bits in each lane of `positions` choose. Returns whether there are nodes below.
#[inline]
#[cfg_attr(not(test), target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vpopcntdq"))]
fn in_ranges<const N: usize, const WIDTH: u32>(
    memory: Memory,
    entries: &mut [__m512i; N],
    positions: &[__m512i; N],
) -> bool {
    let mut k = [_mm512_setzero_si512(); N];
    for (layer, first_word) in (0..).zip(FIRST_WORD) {
        let mut any = 0;
        for n in 0..N {
            let depth = _mm512_and_si512(_mm512_srli_epi32::<{ Entry::DEPTH_SHIFT }>(entries[n]), all(7));
            let lanes = _mm512_mask_cmpgt_epu32_mask(nodes(entries[n]), depth, all(layer));
            any |= lanes;
            if lanes == 0 {
                continue;
            }
            let anchor = _mm512_and_si512(entries[n], all(Entry::OFFSET));
            let place = _mm512_sub_epi32(_mm512_sub_epi32(anchor, all(word(first_word + 1))), k[n]);
            let words = memory.long_words(lanes, place);
            let below = keys_below(words, positions[n]);
            let five_k = _mm512_add_epi32(_mm512_slli_epi32::<2>(k[n]), k[n]);
            k[n] = _mm512_mask_add_epi32(k[n], lanes, five_k, below);
        }
        if any == 0 {
            break;
        }
    }
    const { assert!(FAN_OUT == 5) };
    let mut below = 0;
    for (entries, k) in entries.iter_mut().zip(k) {
        let lanes = nodes(*entries);
        if lanes == 0 {
            continue;
        }
        let wide = wide::<WIDTH>(lanes, *entries);
        let anchor = _mm512_slli_epi32::<3>(_mm512_and_si512(*entries, all(Entry::OFFSET)));
        let at = _mm512_add_epi32(anchor, _mm512_sllv_epi32(k, _mm512_mask_blend_epi32(wide, all(WIDTH), all(2))));
        *entries = values::<WIDTH>(memory, *entries, lanes, wide, at);
        below |= nodes(*entries);
    }
    below != 0
}

/// For each lane, how many of the four keys in its 64-bit word are less than its position.
#[inline]
#[cfg_attr(not(test), target_feature(enable = "avx512f,avx512bw,avx512dq"))]
fn keys_below(words: [__m512i; 2], positions: __m512i) -> __m512i {
    let four_times = _mm512_set1_epi64(0x0100_0100_0100_0100);
    let second_lane = _mm512_set_epi64(
        0x0808_0808_0808_0808,
        0,
        0x0808_0808_0808_0808,
        0,
        0x0808_0808_0808_0808,
        0,
        0x0808_0808_0808_0808,
        0,
    );
    let copy = _mm512_or_si512(four_times, second_lane);
    let halves = [_mm512_castsi512_si256(positions), _mm512_extracti64x4_epi64::<1>(positions)];
    let counts = [0, 1].map(|half| {
        let position = _mm512_shuffle_epi8(_mm512_cvtepu32_epi64(halves[half]), copy);
        let less = _mm512_cmplt_epu16_mask(words[half], position);
        let ones = _mm512_maskz_set1_epi16(less, 1);
        _mm512_cvtepi64_epi32(_mm512_sad_epu8(ones, _mm512_setzero_si512()))
    });
    _mm512_inserti64x4::<1>(_mm512_castsi256_si512(counts[0]), counts[1])
}

/// The values at byte offsets: entries from wide nodes, from others answers. Lanes that are off keep what they have.
#[inline]
#[cfg_attr(not(test), target_feature(enable = "avx512f"))]
fn values<const WIDTH: u32>(
    memory: Memory,
    entries: __m512i,
    lanes: __mmask16,
    wide: __mmask16,
    at: __m512i,
) -> __m512i {
    let values = memory.words(entries, lanes, at);
    if WIDTH == 2 {
        return values;
    }
    let narrow = lanes & !wide;
    let answers = _mm512_and_si512(values, all((1 << (8 << WIDTH)) - 1));
    _mm512_mask_or_epi32(values, narrow, answers, all(Entry::LEAF))
}

/// The lanes whose entry is a wide node.
#[inline]
#[cfg_attr(not(test), target_feature(enable = "avx512f"))]
fn wide<const WIDTH: u32>(lanes: __mmask16, entries: __m512i) -> __mmask16 {
    if WIDTH == 2 { lanes } else { _mm512_mask_test_epi32_mask(lanes, entries, all(Entry::WIDE)) }
}
