//! Registers of eight addresses: how they are filled from memory, and what AVX2 has no instruction for.

use std::arch::x86_64::*;
use std::hint::black_box;
use std::net::Ipv6Addr;

use super::{LANES, Memory};

/// Offsets in bytes, one for each address of a register, in memory.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(32))]
#[doc(hidden)]
pub(super) struct Offsets([u32; LANES]);

impl Offsets {
    /// None yet. Arrays of them are used again by each stage: while a stage waits for its lines, its stores wait with it,
    /// and there is room for some dozens.
    pub(super) const NONE: Self = Self([0; LANES]);

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn of(register: __m256i) -> Self {
        let mut offsets = Self::NONE;
        // SAFETY: eight words, of any alignment.
        unsafe { _mm256_storeu_si256(offsets.0.as_mut_ptr().cast(), register) };
        offsets
    }
}

/// Has the compiler read the offsets again from where they are: if it knows what they are, it takes them out of the
/// registers one by one, in twice the instructions.
#[inline]
pub(super) fn settle(offsets: &mut [Offsets]) {
    black_box(offsets);
}

impl Memory {
    /// 32-bit words at byte offsets.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn words_at(self, at: &Offsets) -> __m256i {
        let [a, b, c, d, e, f, g, h] = at.0.map(|at| self.word(at as usize).cast_signed());
        _mm256_setr_epi32(a, b, c, d, e, f, g, h)
    }

    /// 64-bit words at byte offsets, of the even lanes and of the odd.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn long_words_at(self, at: &Offsets) -> [__m256i; 2] {
        let [a, b, c, d, e, f, g, h] = at.0;
        let even = _mm256_set_m128i(self.pair(e, g), self.pair(a, c));
        let odd = _mm256_set_m128i(self.pair(f, h), self.pair(b, d));
        [even, odd]
    }

    /// Two 64-bit words.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn pair(self, low: u32, high: u32) -> __m128i {
        let [low, high] = [low, high].map(|at| self.base.wrapping_add(at as usize).cast());
        // SAFETY: a bitmap, or keys, of a node reached from the top, or reserved bytes.
        let low = unsafe { _mm_load_sd(low) };
        // SAFETY: as above.
        _mm_castpd_si128(unsafe { _mm_loadh_pd(low, high) })
    }

    /// Asks for the lines at byte offsets.
    #[inline]
    pub(super) fn prefetch_all(self, at: &[Offsets]) {
        for at in at.iter().flat_map(|at| at.0) {
            self.prefetch(at as usize);
        }
    }

    /// The same, if the table is too large for the reads of a burst to overlap by themselves.
    #[inline]
    pub(super) fn prefetch_if_far(self, at: &[Offsets]) {
        if self.far {
            self.prefetch_all(at);
        }
    }
}

/// How many bits are set in each byte.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn bits_in_bytes(words: __m256i) -> __m256i {
    let counts = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
    let half = _mm256_set1_epi8(15);
    let low = _mm256_shuffle_epi8(counts, _mm256_and_si256(words, half));
    let high = _mm256_shuffle_epi8(counts, _mm256_and_si256(_mm256_srli_epi16::<4>(words), half));
    _mm256_add_epi8(low, high)
}

/// `on` where the sign of `lanes` is set, else `off`.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn blend(off: __m256i, on: __m256i, lanes: __m256i) -> __m256i {
    let (off, on, lanes) = (_mm256_castsi256_ps(off), _mm256_castsi256_ps(on), _mm256_castsi256_ps(lanes));
    _mm256_castps_si256(_mm256_blendv_ps(off, on, lanes))
}

/// Whether any entry is a node.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn any_nodes<const N: usize>(entries: &[__m256i; N]) -> bool {
    signs(entries.iter().fold(all(u32::MAX), |all, entries| _mm256_and_si256(all, *entries))) != ALL_LANES
}

/// A bit for each lane: its sign.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn signs(lanes: __m256i) -> i32 {
    _mm256_movemask_ps(_mm256_castsi256_ps(lanes))
}

/// The same word in every lane.
#[inline]
#[target_feature(enable = "avx2")]
#[expect(clippy::cast_possible_wrap, reason = "vectors of bits are made from signed words")]
pub(super) fn all(word: u32) -> __m256i {
    _mm256_set1_epi32(word as i32)
}

/// A small number for [`all`].
#[expect(clippy::cast_possible_truncation, reason = "sizes within a node")]
pub(super) const fn word(number: usize) -> u32 {
    number as u32
}

/// The `WORD`-th 32 bits of IPv6 addresses as numbers, eight to a register.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn v6_words<const N: usize, const WORD: usize>(addresses: &[Ipv6Addr]) -> [__m256i; N] {
    let mut words = [_mm256_setzero_si256(); N];
    for (words, addresses) in words.iter_mut().zip(addresses.as_chunks::<LANES>().0) {
        let (low, high) = addresses.split_at(LANES / 2);
        let mut pairs = [_mm256_setzero_si256(); LANES / 2];
        for (pair, (low, high)) in pairs.iter_mut().zip(low.iter().zip(high)) {
            let [low, high] = [low, high].map(|address| {
                // SAFETY: an address is sixteen bytes, of any alignment.
                unsafe { _mm_loadu_si128(std::ptr::from_ref(address).cast()) }
            });
            *pair = _mm256_set_m128i(high, low);
        }
        let [a, b, c, d] = pairs;
        let (ab, cd) = if WORD < 2 {
            (_mm256_unpacklo_epi32(a, b), _mm256_unpacklo_epi32(c, d))
        } else {
            (_mm256_unpackhi_epi32(a, b), _mm256_unpackhi_epi32(c, d))
        };
        let nth = if WORD.is_multiple_of(2) { _mm256_unpacklo_epi64(ab, cd) } else { _mm256_unpackhi_epi64(ab, cd) };
        *words = swap_bytes(nth);
    }
    words
}

/// From network order.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn swap_bytes(words: __m256i) -> __m256i {
    let order = _mm_set_epi32(0x0c0d_0e0f, 0x0809_0a0b, 0x0405_0607, 0x0001_0203);
    _mm256_shuffle_epi8(words, _mm256_broadcastsi128_si256(order))
}

/// A bit for each lane.
pub(super) const ALL_LANES: i32 = 0xff;
