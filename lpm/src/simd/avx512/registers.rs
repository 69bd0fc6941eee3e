//! Registers of sixteen addresses: how they are filled from memory, and what is asked of all their lanes at once.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::instructions::*;
use super::{LANES, Memory};
use crate::entry::Entry;

impl Memory {
    /// 32-bit words at byte offsets; `other` in the lanes that are off.
    #[inline]
    #[cfg_attr(not(test), target_feature(enable = "avx512f"))]
    pub(super) fn words(self, other: __m512i, lanes: __mmask16, at: __m512i) -> __m512i {
        // SAFETY: each lane that is on reads a value of a node reached from the top, and values have slack after them.
        unsafe { _mm512_mask_i32gather_epi32::<1>(other, lanes, at, self.base.cast()) }
    }

    /// Entries at offsets in units of an entry; `other` in the lanes that are off.
    #[inline]
    #[cfg_attr(not(test), target_feature(enable = "avx512f"))]
    pub(super) fn entries(self, other: __m512i, lanes: __mmask16, at: __m512i) -> __m512i {
        // SAFETY: each lane that is on reads an entry of a page or a large chunk reached from the top.
        unsafe { _mm512_mask_i32gather_epi32::<4>(other, lanes, at, self.base.cast()) }
    }

    /// 64-bit words at offsets in units of 8 bytes, first of the lower then of the higher eight lanes; 0 where off.
    #[inline]
    #[cfg_attr(not(test), target_feature(enable = "avx512f"))]
    pub(super) fn long_words(self, lanes: __mmask16, at: __m512i) -> [__m512i; 2] {
        let zero = _mm512_setzero_si512();
        let (low, high) = (_mm512_castsi512_si256(at), _mm512_extracti64x4_epi64::<1>(at));
        let [low_lanes, high_lanes] = lanes.to_le_bytes();
        [
            // SAFETY: each lane that is on reads a bitmap, or keys, of a node reached from the top.
            unsafe { _mm512_mask_i32gather_epi64::<8>(zero, low_lanes, low, self.base.cast()) },
            // SAFETY: as above.
            unsafe { _mm512_mask_i32gather_epi64::<8>(zero, high_lanes, high, self.base.cast()) },
        ]
    }

    /// Asks for the lines at the anchors of entries that are nodes; for the others, for the reserved one.
    #[inline]
    #[cfg_attr(not(test), target_feature(enable = "avx512f,avx512dq"))]
    pub(super) fn prefetch_nodes(self, entries: [__m512i; 4]) {
        let mut anchors = [[0_u32; LANES]; 4];
        for (anchors, entries) in anchors.iter_mut().zip(entries) {
            let offsets = _mm512_maskz_slli_epi32::<3>(nodes(entries), entries);
            let bytes = _mm512_and_si512(offsets, all(Entry::OFFSET << 3));
            // SAFETY: sixteen words, of any alignment.
            unsafe { _mm512_storeu_si512(anchors.as_mut_ptr().cast(), bytes) };
        }
        for anchor in anchors.as_flattened() {
            self.prefetch(*anchor as usize);
        }
    }
}

/// A table of 64 entries in registers.
pub(super) struct Top64([__m512i; 4]);

impl Top64 {
    #[inline]
    #[cfg_attr(not(test), target_feature(enable = "avx512f"))]
    pub(super) fn load(top: &[u32; 64]) -> Self {
        let mut registers = [_mm512_setzero_si512(); 4];
        for (register, entries) in registers.iter_mut().zip(top.as_chunks::<LANES>().0) {
            // SAFETY: sixteen words, of any alignment.
            *register = unsafe { _mm512_loadu_si512(entries.as_ptr().cast()) };
        }
        Self(registers)
    }

    /// The entries at the lowest six bits of each position.
    #[inline]
    #[cfg_attr(not(test), target_feature(enable = "avx512f"))]
    pub(super) fn entries(&self, positions: __m512i) -> __m512i {
        let [a, b, c, d] = self.0;
        let low = _mm512_permutex2var_epi32(a, positions, b);
        let high = _mm512_permutex2var_epi32(c, positions, d);
        _mm512_mask_blend_epi32(_mm512_test_epi32_mask(positions, all(32)), low, high)
    }
}

/// The lanes whose entry is a node.
#[inline]
#[cfg_attr(not(test), target_feature(enable = "avx512dq"))]
pub(super) fn nodes(entries: __m512i) -> __mmask16 {
    !_mm512_movepi32_mask(entries)
}

/// Where nodes lie, in units of an entry.
#[inline]
#[cfg_attr(not(test), target_feature(enable = "avx512f"))]
pub(super) fn offset_in_words(entries: __m512i) -> __m512i {
    _mm512_slli_epi32::<1>(_mm512_and_si512(entries, all(Entry::OFFSET)))
}

/// The same word in every lane.
#[inline]
#[cfg_attr(not(test), target_feature(enable = "avx512f"))]
#[expect(clippy::cast_possible_wrap, reason = "vectors of bits are made from signed words")]
pub(super) fn all(word: u32) -> __m512i {
    _mm512_set1_epi32(word as i32)
}

/// A small number for [`all`].
#[expect(clippy::cast_possible_truncation, reason = "sizes within a node")]
pub(super) const fn word(number: usize) -> u32 {
    number as u32
}

/// IPv4 addresses as numbers, sixteen to a register.
#[inline]
#[cfg_attr(not(test), target_feature(enable = "avx512f,avx512bw"))]
pub(super) fn v4_numbers<const N: usize>(addresses: &[Ipv4Addr]) -> [__m512i; N] {
    let mut numbers = [_mm512_setzero_si512(); N];
    for (numbers, addresses) in numbers.iter_mut().zip(addresses.as_chunks::<LANES>().0) {
        // SAFETY: sixteen addresses are 64 bytes, of any alignment.
        let bytes = unsafe { _mm512_loadu_si512(addresses.as_ptr().cast()) };
        *numbers = swap_bytes(bytes);
    }
    numbers
}

/// The `WORD`-th 32 bits of IPv6 addresses as numbers, sixteen to a register.
#[inline]
#[cfg_attr(not(test), target_feature(enable = "avx512f,avx512bw"))]
pub(super) fn v6_words<const N: usize, const WORD: usize>(addresses: &[Ipv6Addr]) -> [__m512i; N] {
    let nth = all(word(WORD));
    // Of two registers with four addresses each, the words of eight addresses; in the lower half.
    let pick = _mm512_add_epi32(_mm512_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28, 0, 0, 0, 0, 0, 0, 0, 0), nth);
    let mut words = [_mm512_setzero_si512(); N];
    for (words, addresses) in words.iter_mut().zip(addresses.as_chunks::<LANES>().0) {
        let mut quarters = [_mm512_setzero_si512(); 4];
        for (quarter, addresses) in quarters.iter_mut().zip(addresses.as_chunks::<4>().0) {
            // SAFETY: four addresses are 64 bytes, of any alignment.
            *quarter = unsafe { _mm512_loadu_si512(addresses.as_ptr().cast()) };
        }
        let [a, b, c, d] = quarters;
        let high = _mm512_castsi512_si256(_mm512_permutex2var_epi32(c, pick, d));
        *words = swap_bytes(_mm512_inserti64x4::<1>(_mm512_permutex2var_epi32(a, pick, b), high));
    }
    words
}

/// From network order.
#[inline]
#[cfg_attr(not(test), target_feature(enable = "avx512f,avx512bw"))]
fn swap_bytes(words: __m512i) -> __m512i {
    let order = _mm512_set4_epi32(0x0c0d_0e0f, 0x0809_0a0b, 0x0405_0607, 0x0001_0203);
    _mm512_shuffle_epi8(words, order)
}

/// All lanes on.
pub(super) const ALL_LANES: __mmask16 = u16::MAX;
