//! Each instruction of the model, held to what is known of the real one.

#![cfg(test)]

use std::arch::x86_64 as real;
use std::mem::transmute;

use proptest::prelude::*;

use super::*;

/// Lanes 0 and on, then zeros.
fn words(lanes: &[u32]) -> __m512i {
    __m512i::of_words(|lane| lanes.get(lane).copied().unwrap_or(0))
}

/// Lanes 0 and on, then zeros.
fn long_words(lanes: &[u64]) -> __m512i {
    __m512i::of_long_words(|lane| lanes.get(lane).copied().unwrap_or(0))
}

/// Sixteen lanes that count from `first`.
fn from(first: u32) -> __m512i {
    __m512i::of_words(|lane| first + u32::try_from(lane).unwrap())
}

#[test]
fn the_lanes_are_in_the_order_of_their_parameters() {
    assert_eq!(_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15), from(0));
    assert_eq!(_mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0), long_words(&[0, 1, 2, 3, 4, 5, 6, 7]));
    assert_eq!(_mm512_set4_epi32(3, 2, 1, 0), __m512i::of_words(|lane| [0, 1, 2, 3][lane % 4]));
    assert_eq!(_mm512_set1_epi32(-1), _mm512_set1_epi64(-1));
    assert_eq!(_mm512_set1_epi64(1).word(2), 1);
    assert_eq!(_mm512_set1_epi64(1).word(3), 0, "the low half of a long word is the lower lane");
    assert_eq!(_mm512_maskz_set1_epi16(0b101, -1), words(&[0xffff, 0xffff]));
}

#[test]
fn a_shift_as_wide_as_a_lane_leaves_nothing_and_does_not_wrap_around() {
    let ones = _mm512_set1_epi32(-1);
    let distances = words(&[0, 1, 31, 32, 33, u32::MAX]);
    let left = _mm512_sllv_epi32(ones, distances);
    assert_eq!([0, 1, 2, 3, 4, 5].map(|lane| left.word(lane)), [u32::MAX, u32::MAX << 1, 1 << 31, 0, 0, 0]);
    let right = _mm512_srlv_epi32(ones, distances);
    assert_eq!([0, 1, 2, 3, 4, 5].map(|lane| right.word(lane)), [u32::MAX, u32::MAX >> 1, 1, 0, 0, 0]);
    let right = _mm512_srlv_epi64(_mm512_set1_epi64(-1), long_words(&[0, 1, 63, 64, 1 << 32]));
    assert_eq!([0, 1, 2, 3, 4].map(|lane| right.long_word(lane)), [u64::MAX, u64::MAX >> 1, 1, 0, 0]);
    assert_eq!(_mm512_slli_epi32::<31>(from(0)).word(3), 1 << 31);
    assert_eq!((_mm512_slli_epi32::<32>(ones), _mm512_srli_epi32::<32>(ones)), (words(&[]), words(&[])));
    assert_eq!(_mm512_maskz_slli_epi32::<1>(0b10, from(4)), words(&[0, 10]));
}

#[test]
fn a_mask_has_lane_0_in_its_lowest_bit() {
    assert_eq!(_mm512_movepi32_mask(words(&[1 << 31, u32::MAX >> 1, u32::MAX])), 0b101);
    assert_eq!(_mm512_test_epi32_mask(from(0), _mm512_set1_epi32(8)), 0xff00);
    assert_eq!(_mm512_mask_test_epi32_mask(0x0f0f, from(0), _mm512_set1_epi32(8)), 0x0f00);
    assert_eq!(_mm512_cmpneq_epi32_mask(from(0), _mm512_set1_epi32(2)), !0b100);
    // Without a sign: all ones is the largest.
    assert_eq!(_mm512_mask_cmpgt_epu32_mask(0b1011, words(&[u32::MAX, 3, 2, 2]), words(&[1, 2, 1, 2])), 0b0011);
    assert_eq!(_mm512_cmplt_epu16_mask(words(&[0x0001_ffff, 0x8000_0000]), words(&[0x0002_0001, 0x7fff_0001])), 0b0110);
    let blended = _mm512_mask_blend_epi32(0b10, from(0), from(100));
    assert_eq!([0, 1, 2].map(|lane| blended.word(lane)), [0, 101, 2]);
    assert_eq!(_mm512_mask_add_epi32(from(50), 1, from(1), from(2)).word(0), 3);
    assert_eq!(_mm512_mask_add_epi32(from(50), 1, from(1), from(2)).word(1), 51);
    assert_eq!(_mm512_mask_or_epi32(from(50), 1, from(1), from(2)).word(0), 3);
    assert_eq!(_mm512_mask_or_epi32(from(50), 1, from(1), from(2)).word(1), 51);
}

#[test]
fn lanes_change_places_by_the_bits_of_an_index_that_count() {
    let picked = _mm512_permutex2var_epi32(from(100), words(&[0, 15, 16, 31, 32, u32::MAX]), from(200));
    assert_eq!([0, 1, 2, 3, 4, 5].map(|lane| picked.word(lane)), [100, 115, 200, 215, 100, 215]);
    let bytes = __m512i::of_bytes(&std::array::from_fn::<u8, 64, _>(|n| u8::try_from(n).unwrap()));
    let mut index = [0; 64];
    index[..5].copy_from_slice(&[3, 0x73, 0x80, 0xff, 15]);
    index[48] = 2;
    let shuffled = _mm512_shuffle_epi8(bytes, __m512i(index));
    assert_eq!(shuffled.0[..6], [3, 3, 0, 0, 15, 0], "the low four bits; nothing where the highest is on");
    assert_eq!(shuffled.0[16], 16, "each sixteen bytes for themselves");
    assert_eq!(shuffled.0[48], 50);
}

#[test]
fn halves_are_taken_and_put_back_and_words_made_wider_and_narrower() {
    let low = _mm512_castsi512_si256(from(0));
    let high = _mm512_extracti64x4_epi64::<1>(from(0));
    assert_eq!((low, low.word(7), high.word(0)), (_mm512_extracti64x4_epi64::<0>(from(0)), 7, 8));
    assert_eq!(_mm512_inserti64x4::<1>(_mm512_castsi256_si512(low), high), from(0));
    assert_eq!(_mm512_inserti64x4::<0>(from(0), high).word(0), 8);
    assert_eq!(_mm512_inserti64x4::<0>(from(0), high).word(15), 15);
    assert_ne!(_mm512_castsi256_si512(low).word(8), 0, "undefined is not to be mistaken for zero");
    let wide = _mm512_cvtepu32_epi64(_mm512_castsi512_si256(_mm512_set1_epi32(-1)));
    assert_eq!(wide, _mm512_set1_epi64(0xffff_ffff));
    assert_eq!(_mm512_cvtepi64_epi32(long_words(&[0x0000_0001_8000_0002])).word(0), 0x8000_0002);
}

#[test]
fn bits_are_counted_and_bytes_compared_lane_by_lane() {
    assert_eq!(_mm512_popcnt_epi32(words(&[0, u32::MAX, 0x8000_0001])), words(&[0, 32, 2]));
    assert_eq!(_mm512_popcnt_epi64(long_words(&[0, u64::MAX, 1 << 63 | 1])), long_words(&[0, 64, 2]));
    let apart = _mm512_sad_epu8(long_words(&[0x0100_0000_0000_00ff, 5]), long_words(&[0x0001, 7]));
    assert_eq!(apart, long_words(&[0xfe + 1, 2]));
}

#[test]
fn a_gather_reads_where_lanes_are_on_and_only_there() {
    let memory: [u32; 8] = [10, 11, 12, 13, 14, 15, 16, 17];
    let middle = memory[4..].as_ptr();
    // Far away, but for the lanes that are on; one of these lies before the base.
    let at = __m512i::of_words(|lane| [0, (-3_i32).cast_unsigned(), 3].get(lane).copied().unwrap_or(1 << 30));
    // SAFETY: lanes 0 to 2 stay within the array.
    let found = unsafe { _mm512_mask_i32gather_epi32::<4>(from(50), 0b111, at, middle.cast()) };
    assert_eq!([0, 1, 2, 3].map(|lane| found.word(lane)), [14, 11, 17, 53]);
    // SAFETY: bytes 16 and 4 of the array, and as many as a word has.
    let found = unsafe { _mm512_mask_i32gather_epi32::<1>(from(50), 0b11, words(&[0, 12]), middle.cast()) };
    assert_eq!([0, 1].map(|lane| found.word(lane)), [14, 17]);
    let at = _mm512_castsi512_si256(words(&[1, 9, (-2_i32).cast_unsigned()]));
    // SAFETY: lanes 0 and 2 are the last and the first eight bytes of the array.
    let found = unsafe { _mm512_mask_i32gather_epi64::<8>(from(50), 0b101, at, middle.cast()) };
    assert_eq!([0, 1, 2, 3, 4, 5].map(|lane| found.word(lane)), [16, 17, 52, 53, 10, 11]);
}

/// Any bits, and often those at the ends of what a lane holds.
fn any_register() -> impl Strategy<Value = __m512i> {
    let lane = prop_oneof![any::<u64>(), 0..80_u64, Just(u64::MAX), Just(0x8000_0000_8000_0000)];
    proptest::array::uniform8(lane).prop_map(|lanes| long_words(&lanes))
}

/// What is the same on both sides, and how to get from one to the other.
trait Twin: Copy {
    type Real;
    fn to_real(self) -> Self::Real;
    fn of_real(real: Self::Real) -> Self;
}

impl Twin for __m512i {
    type Real = real::__m512i;

    fn to_real(self) -> real::__m512i {
        // SAFETY: both are 64 bytes, of which any will do.
        unsafe { transmute::<Self, real::__m512i>(self) }
    }

    fn of_real(real: real::__m512i) -> Self {
        // SAFETY: as above.
        unsafe { transmute::<real::__m512i, Self>(real) }
    }
}

impl Twin for __m256i {
    type Real = real::__m256i;

    fn to_real(self) -> real::__m256i {
        // SAFETY: both are 32 bytes, of which any will do.
        unsafe { transmute::<Self, real::__m256i>(self) }
    }

    fn of_real(real: real::__m256i) -> Self {
        // SAFETY: as above.
        unsafe { transmute::<real::__m256i, Self>(real) }
    }
}

macro_rules! masks_are_their_own_twins {
    ($($mask:ty)*) => {
        $(impl Twin for $mask {
            type Real = Self;

            fn to_real(self) -> Self {
                self
            }

            fn of_real(real: Self) -> Self {
                real
            }
        })*
    };
}

masks_are_their_own_twins!(u8 u16 u32);

/// The lower and the higher half.
fn halves(a: __m512i) -> [real::__m256i; 2] {
    [_mm512_castsi512_si256(a), _mm512_extracti64x4_epi64::<1>(a)].map(Twin::to_real)
}

/// Both put together.
fn joined(halves: [real::__m256i; 2]) -> __m512i {
    let [low, high] = halves.map(<__m256i as Twin>::of_real);
    __m512i::of_bytes([low.0, high.0].as_flattened())
}

/// What AVX2 can do of it, on each half.
#[target_feature(enable = "avx2")]
fn agrees_with_avx2(a: __m512i, b: __m512i, memory: &[u8; 1024]) -> Result<(), TestCaseError> {
    use std::arch::x86_64::*;
    macro_rules! by_halves {
        ($model:ident, $avx2:expr) => {{
            let ([a0, a1], [b0, b1]) = (halves(a), halves(b));
            prop_assert_eq!(super::$model(a, b), joined([$avx2(a0, b0), $avx2(a1, b1)]), "{}", stringify!($model));
        }};
    }
    by_halves!(_mm512_and_si512, _mm256_and_si256);
    by_halves!(_mm512_andnot_si512, _mm256_andnot_si256);
    by_halves!(_mm512_or_si512, _mm256_or_si256);
    by_halves!(_mm512_add_epi32, _mm256_add_epi32);
    by_halves!(_mm512_sub_epi32, _mm256_sub_epi32);
    by_halves!(_mm512_sllv_epi32, _mm256_sllv_epi32);
    by_halves!(_mm512_srlv_epi32, _mm256_srlv_epi32);
    by_halves!(_mm512_srlv_epi64, _mm256_srlv_epi64);
    by_halves!(_mm512_sad_epu8, _mm256_sad_epu8);
    by_halves!(_mm512_shuffle_epi8, _mm256_shuffle_epi8);
    let [a0, a1] = halves(a);
    prop_assert_eq!(super::_mm512_slli_epi32::<3>(a), joined([_mm256_slli_epi32::<3>(a0), _mm256_slli_epi32::<3>(a1)]));
    prop_assert_eq!(super::_mm512_srli_epi32::<26>(a), joined([a0, a1].map(|a| _mm256_srli_epi32::<26>(a))));
    let wider = [_mm256_castsi256_si128(a0), _mm256_extracti128_si256::<1>(a0)].map(|a| _mm256_cvtepu32_epi64(a));
    prop_assert_eq!(super::_mm512_cvtepu32_epi64(super::_mm512_castsi512_si256(a)), joined(wider));
    let signs = [a0, a1].map(|a| _mm256_movemask_ps(_mm256_castsi256_ps(a)).to_le_bytes()[0]);
    prop_assert_eq!(super::_mm512_movepi32_mask(a), u16::from_le_bytes(signs));
    // Indices of the first quarter kilobyte, which lie in it with whatever they are scaled by; some lanes off.
    let (at, on) = (super::_mm512_srli_epi32::<25>(a), super::_mm512_movepi32_mask(b));
    let ([at0, at1], [b0, b1], base) = (halves(at), halves(b), memory.as_ptr());
    // SAFETY: indices of 7 bits, four times, within the memory.
    let found = unsafe { super::_mm512_mask_i32gather_epi32::<4>(b, on, at, base.cast()) };
    // SAFETY: as above.
    let low = unsafe { _mm256_mask_i32gather_epi32::<4>(b0, base.cast(), at0, b0) };
    // SAFETY: as above.
    let high = unsafe { _mm256_mask_i32gather_epi32::<4>(b1, base.cast(), at1, b1) };
    prop_assert_eq!(found, joined([low, high]));
    Ok(())
}

/// All of it, where there is all of it.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vpopcntdq")]
fn agrees_with_avx512(a: __m512i, b: __m512i, memory: &[u8; 1024]) -> Result<(), TestCaseError> {
    macro_rules! agree {
        ($($name:ident $(::<$constant:literal>)? ($($argument:expr),*);)*) => {
            $({
                let real = real::$name $(::<$constant>)? ($(Twin::to_real($argument)),*);
                prop_assert_eq!($name $(::<$constant>)? ($($argument),*), Twin::of_real(real), "{}", stringify!($name));
            })*
        };
    }
    let half = _mm512_castsi512_si256(a);
    let [m0, m1, m2, m3] = b.word(0).to_le_bytes();
    let (lanes, many_lanes) = (u16::from_le_bytes([m0, m1]), u32::from_le_bytes([m0, m1, m2, m3]));
    agree! {
        _mm512_setzero_si512();
        _mm512_and_si512(a, b);
        _mm512_andnot_si512(a, b);
        _mm512_or_si512(a, b);
        _mm512_mask_or_epi32(a, lanes, a, b);
        _mm512_popcnt_epi32(a);
        _mm512_popcnt_epi64(a);
        _mm512_slli_epi32::<3>(a);
        _mm512_maskz_slli_epi32::<3>(lanes, a);
        _mm512_srli_epi32::<26>(a);
        _mm512_sllv_epi32(a, b);
        _mm512_srlv_epi32(a, b);
        _mm512_srlv_epi64(a, b);
        _mm512_add_epi32(a, b);
        _mm512_mask_add_epi32(a, lanes, a, b);
        _mm512_sub_epi32(a, b);
        _mm512_sad_epu8(a, b);
        _mm512_movepi32_mask(a);
        _mm512_test_epi32_mask(a, b);
        _mm512_mask_test_epi32_mask(lanes, a, b);
        _mm512_cmpneq_epi32_mask(a, b);
        _mm512_mask_cmpgt_epu32_mask(lanes, a, b);
        _mm512_cmplt_epu16_mask(a, b);
        _mm512_mask_blend_epi32(lanes, a, b);
        _mm512_permutex2var_epi32(a, b, b);
        _mm512_shuffle_epi8(a, b);
        _mm512_castsi512_si256(a);
        _mm512_extracti64x4_epi64::<1>(a);
        _mm512_inserti64x4::<1>(b, half);
        _mm512_cvtepu32_epi64(half);
        _mm512_cvtepi64_epi32(a);
    }
    prop_assert_eq!(
        _mm512_maskz_set1_epi16(many_lanes, 1),
        Twin::of_real(real::_mm512_maskz_set1_epi16(many_lanes, 1))
    );
    let (at, base) = (_mm512_srli_epi32::<25>(a), memory.as_ptr());
    // SAFETY: indices of 7 bits, four times, within the memory.
    let model = unsafe { _mm512_mask_i32gather_epi32::<4>(b, lanes, at, base.cast()) };
    // SAFETY: as above.
    let found = unsafe { real::_mm512_mask_i32gather_epi32::<4>(b.to_real(), lanes, at.to_real(), base.cast()) };
    prop_assert_eq!(model, Twin::of_real(found));
    let at = _mm512_castsi512_si256(_mm512_srli_epi32::<1>(at));
    // SAFETY: indices of 6 bits, eight times, within the memory.
    let model = unsafe { _mm512_mask_i32gather_epi64::<8>(b, m0, at, base.cast()) };
    // SAFETY: as above.
    let found = unsafe { real::_mm512_mask_i32gather_epi64::<8>(b.to_real(), m0, at.to_real(), base.cast()) };
    prop_assert_eq!(model, Twin::of_real(found));
    Ok(())
}

/// A kilobyte in which no two words are alike.
fn memory() -> [u8; 1024] {
    let words: [u32; 256] = std::array::from_fn(|n| u32::try_from(n).unwrap().wrapping_mul(0x9e37_79b1));
    *words.map(u32::to_le_bytes).as_flattened().as_array().unwrap()
}

proptest! {
    #[test]
    fn each_half_is_what_avx2_makes_of_it(a in any_register(), b in any_register()) {
        if is_x86_feature_detected!("avx2") {
            // SAFETY: it has just been found.
            unsafe { agrees_with_avx2(a, b, &memory()) }?;
        }
    }
}

#[test]
fn each_gives_what_the_real_one_gives() {
    if crate::simd::with_avx512().is_none() {
        eprintln!("skipped: this machine has no AVX-512 to hold the model of it to");
        return;
    }
    proptest!(|(a in any_register(), b in any_register())| {
        // SAFETY: it has just been found.
        unsafe { agrees_with_avx512(a, b, &memory()) }?;
    });
}
