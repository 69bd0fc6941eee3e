//! The instructions that the lookups use, as plain arithmetic over bytes: for machines that have none of them.
//!
//! Names, parameters and meanings are those of `std::arch::x86_64`, as Intel's manual gives them for each lane. What the
//! manual leaves undefined is filled with something that no lookup can use, and a lane that is off reads no memory here
//! either. [`tests`] hold each of them to examples, to the halves that AVX2 has of it, and to the real one where it exists.

#![expect(non_camel_case_types, reason = "the names of `std::arch`")]
#![expect(unreachable_pub, reason = "in the place of `std::arch`, whose items are public")]

mod tests;

/// 64 bytes, the lowest first, that are lanes of whatever width an instruction sees in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct __m512i([u8; 64]);

/// Half of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C, align(32))]
pub struct __m256i([u8; 32]);

/// A bit for each of eight lanes, lane 0 in the lowest.
pub type __mmask8 = u8;

/// A bit for each of sixteen lanes.
pub type __mmask16 = u16;

/// A bit for each of 32 lanes.
pub type __mmask32 = u32;

impl __m512i {
    /// Made of 32-bit lanes.
    fn of_words(lane: impl FnMut(usize) -> u32) -> Self {
        Self::of_bytes(std::array::from_fn::<u32, 16, _>(lane).map(u32::to_le_bytes).as_flattened())
    }

    /// Made of 64-bit lanes.
    fn of_long_words(lane: impl FnMut(usize) -> u64) -> Self {
        Self::of_bytes(std::array::from_fn::<u64, 8, _>(lane).map(u64::to_le_bytes).as_flattened())
    }

    fn of_bytes(bytes: &[u8]) -> Self {
        Self(*bytes.as_array().expect("64 of them"))
    }

    fn word(self, lane: usize) -> u32 {
        u32::from_le_bytes(self.0.as_chunks().0[lane])
    }

    fn long_word(self, lane: usize) -> u64 {
        u64::from_le_bytes(self.0.as_chunks().0[lane])
    }

    fn short(self, lane: usize) -> u16 {
        u16::from_le_bytes(self.0.as_chunks().0[lane])
    }
}

impl __m256i {
    fn word(self, lane: usize) -> u32 {
        u32::from_le_bytes(self.0.as_chunks().0[lane])
    }
}

/// The mask of those of sixteen lanes for which `is_on` says so.
fn mask_of(is_on: impl Fn(usize) -> bool) -> __mmask16 {
    (0..16).filter(|lane| is_on(*lane)).fold(0, |mask, lane| mask | 1 << lane)
}

// From and to memory.

pub unsafe fn _mm512_loadu_si512(from: *const __m512i) -> __m512i {
    // SAFETY: 64 bytes to read, by the caller; any bytes are a register.
    unsafe { from.read_unaligned() }
}

pub unsafe fn _mm512_storeu_si512(to: *mut __m512i, a: __m512i) {
    // SAFETY: 64 bytes to write, by the caller.
    unsafe { to.cast::<[u8; 64]>().write_unaligned(a.0) };
}

pub unsafe fn _mm512_mask_i32gather_epi32<const SCALE: i32>(
    src: __m512i,
    lanes: __mmask16,
    at: __m512i,
    base: *const i32,
) -> __m512i {
    __m512i::of_words(|lane| {
        if lanes >> lane & 1 == 0 {
            return src.word(lane);
        }
        // SAFETY: lanes that are on have a word to read there, by the caller.
        unsafe { place(base.cast(), at.word(lane), SCALE).cast::<u32>().read_unaligned() }
    })
}

pub unsafe fn _mm512_mask_i32gather_epi64<const SCALE: i32>(
    src: __m512i,
    lanes: __mmask8,
    at: __m256i,
    base: *const i64,
) -> __m512i {
    __m512i::of_long_words(|lane| {
        if lanes >> lane & 1 == 0 {
            return src.long_word(lane);
        }
        // SAFETY: lanes that are on have a long word to read there, by the caller.
        unsafe { place(base.cast(), at.word(lane), SCALE).cast::<u64>().read_unaligned() }
    })
}

/// Where a gather reads: its indices are signed.
fn place(base: *const u8, index: u32, scale: i32) -> *const u8 {
    base.wrapping_offset(index.cast_signed() as isize * scale as isize)
}

// From constants.

pub fn _mm512_setzero_si512() -> __m512i {
    __m512i([0; 64])
}

pub fn _mm512_set1_epi32(a: i32) -> __m512i {
    __m512i::of_words(|_lane| a.cast_unsigned())
}

pub fn _mm512_set1_epi64(a: i64) -> __m512i {
    __m512i::of_long_words(|_lane| a.cast_unsigned())
}

pub fn _mm512_maskz_set1_epi16(lanes: __mmask32, a: i16) -> __m512i {
    let lane = |lane: usize| if lanes >> lane & 1 == 1 { a.cast_unsigned() } else { 0 };
    __m512i::of_bytes(std::array::from_fn::<u16, 32, _>(lane).map(u16::to_le_bytes).as_flattened())
}

/// The first argument is the highest lane of each four.
pub fn _mm512_set4_epi32(d: i32, c: i32, b: i32, a: i32) -> __m512i {
    __m512i::of_words(|lane| [a, b, c, d][lane % 4].cast_unsigned())
}

/// The first argument is the lowest lane.
#[rustfmt::skip]
pub fn _mm512_setr_epi32(
    e0: i32, e1: i32, e2: i32, e3: i32, e4: i32, e5: i32, e6: i32, e7: i32,
    e8: i32, e9: i32, e10: i32, e11: i32, e12: i32, e13: i32, e14: i32, e15: i32,
) -> __m512i {
    let lanes = [e0, e1, e2, e3, e4, e5, e6, e7, e8, e9, e10, e11, e12, e13, e14, e15];
    __m512i::of_words(|lane| lanes[lane].cast_unsigned())
}

/// The first argument is the highest lane.
pub fn _mm512_set_epi64(e7: i64, e6: i64, e5: i64, e4: i64, e3: i64, e2: i64, e1: i64, e0: i64) -> __m512i {
    __m512i::of_long_words(|lane| [e0, e1, e2, e3, e4, e5, e6, e7][lane].cast_unsigned())
}

// Bits.

pub fn _mm512_and_si512(a: __m512i, b: __m512i) -> __m512i {
    __m512i::of_words(|lane| a.word(lane) & b.word(lane))
}

/// It is the first argument that is inverted.
pub fn _mm512_andnot_si512(a: __m512i, b: __m512i) -> __m512i {
    __m512i::of_words(|lane| !a.word(lane) & b.word(lane))
}

pub fn _mm512_or_si512(a: __m512i, b: __m512i) -> __m512i {
    __m512i::of_words(|lane| a.word(lane) | b.word(lane))
}

pub fn _mm512_mask_or_epi32(src: __m512i, lanes: __mmask16, a: __m512i, b: __m512i) -> __m512i {
    _mm512_mask_blend_epi32(lanes, src, _mm512_or_si512(a, b))
}

pub fn _mm512_popcnt_epi32(a: __m512i) -> __m512i {
    __m512i::of_words(|lane| a.word(lane).count_ones())
}

pub fn _mm512_popcnt_epi64(a: __m512i) -> __m512i {
    __m512i::of_long_words(|lane| a.long_word(lane).count_ones().into())
}

// Shifts: all bits go where the distance is as wide as a lane or wider.

pub fn _mm512_slli_epi32<const BITS: u32>(a: __m512i) -> __m512i {
    __m512i::of_words(|lane| a.word(lane).unbounded_shl(BITS))
}

pub fn _mm512_maskz_slli_epi32<const BITS: u32>(lanes: __mmask16, a: __m512i) -> __m512i {
    _mm512_mask_blend_epi32(lanes, _mm512_setzero_si512(), _mm512_slli_epi32::<BITS>(a))
}

pub fn _mm512_srli_epi32<const BITS: u32>(a: __m512i) -> __m512i {
    __m512i::of_words(|lane| a.word(lane).unbounded_shr(BITS))
}

pub fn _mm512_sllv_epi32(a: __m512i, bits: __m512i) -> __m512i {
    __m512i::of_words(|lane| a.word(lane).unbounded_shl(bits.word(lane)))
}

pub fn _mm512_srlv_epi32(a: __m512i, bits: __m512i) -> __m512i {
    __m512i::of_words(|lane| a.word(lane).unbounded_shr(bits.word(lane)))
}

pub fn _mm512_srlv_epi64(a: __m512i, bits: __m512i) -> __m512i {
    __m512i::of_long_words(|lane| {
        let bits = u32::try_from(bits.long_word(lane)).unwrap_or(u32::MAX);
        a.long_word(lane).unbounded_shr(bits)
    })
}

// Sums.

pub fn _mm512_add_epi32(a: __m512i, b: __m512i) -> __m512i {
    __m512i::of_words(|lane| a.word(lane).wrapping_add(b.word(lane)))
}

pub fn _mm512_mask_add_epi32(src: __m512i, lanes: __mmask16, a: __m512i, b: __m512i) -> __m512i {
    _mm512_mask_blend_epi32(lanes, src, _mm512_add_epi32(a, b))
}

pub fn _mm512_sub_epi32(a: __m512i, b: __m512i) -> __m512i {
    __m512i::of_words(|lane| a.word(lane).wrapping_sub(b.word(lane)))
}

/// The sum over the eight bytes of a lane of how far those of `a` and `b` are apart.
pub fn _mm512_sad_epu8(a: __m512i, b: __m512i) -> __m512i {
    let apart = |lane: usize| (8 * lane..8 * lane + 8).map(|n| u64::from(a.0[n].abs_diff(b.0[n])));
    __m512i::of_long_words(|lane| apart(lane).sum())
}

// Comparisons.

pub fn _mm512_movepi32_mask(a: __m512i) -> __mmask16 {
    mask_of(|lane| a.word(lane) >> 31 == 1)
}

pub fn _mm512_test_epi32_mask(a: __m512i, b: __m512i) -> __mmask16 {
    mask_of(|lane| a.word(lane) & b.word(lane) != 0)
}

pub fn _mm512_mask_test_epi32_mask(lanes: __mmask16, a: __m512i, b: __m512i) -> __mmask16 {
    lanes & _mm512_test_epi32_mask(a, b)
}

pub fn _mm512_cmpneq_epi32_mask(a: __m512i, b: __m512i) -> __mmask16 {
    mask_of(|lane| a.word(lane) != b.word(lane))
}

pub fn _mm512_mask_cmpgt_epu32_mask(lanes: __mmask16, a: __m512i, b: __m512i) -> __mmask16 {
    lanes & mask_of(|lane| a.word(lane) > b.word(lane))
}

pub fn _mm512_cmplt_epu16_mask(a: __m512i, b: __m512i) -> __mmask32 {
    (0..32).filter(|lane| a.short(*lane) < b.short(*lane)).fold(0, |mask, lane| mask | 1 << lane)
}

// Lanes that change places.

/// The second where the lane is on, else the first.
pub fn _mm512_mask_blend_epi32(lanes: __mmask16, a: __m512i, b: __m512i) -> __m512i {
    __m512i::of_words(|lane| if lanes >> lane & 1 == 1 { b.word(lane) } else { a.word(lane) })
}

/// Four bits of an index choose a lane, the next one of which register; the others do not matter.
pub fn _mm512_permutex2var_epi32(a: __m512i, index: __m512i, b: __m512i) -> __m512i {
    __m512i::of_words(|lane| {
        let from = index.word(lane) as usize;
        if from & 16 == 0 { a.word(from & 15) } else { b.word(from & 15) }
    })
}

/// Within each sixteen bytes, four bits of an index choose one; an index with its highest bit on chooses zero.
pub fn _mm512_shuffle_epi8(a: __m512i, index: __m512i) -> __m512i {
    __m512i(std::array::from_fn(|n| {
        let from = index.0[n];
        if from & 0x80 == 0 { a.0[n / 16 * 16 + usize::from(from & 15)] } else { 0 }
    }))
}

pub fn _mm512_castsi512_si256(a: __m512i) -> __m256i {
    _mm512_extracti64x4_epi64::<0>(a)
}

/// The higher half is undefined.
pub fn _mm512_castsi256_si512(a: __m256i) -> __m512i {
    __m512i::of_bytes([a.0, [0xa5; 32]].as_flattened())
}

pub fn _mm512_extracti64x4_epi64<const HALF: i32>(a: __m512i) -> __m256i {
    let half = if HALF & 1 == 0 { a.0.first_chunk() } else { a.0.last_chunk() };
    __m256i(*half.expect("half of 64 bytes"))
}

pub fn _mm512_inserti64x4<const HALF: i32>(a: __m512i, b: __m256i) -> __m512i {
    let [low, high] = [_mm512_castsi512_si256(a), _mm512_extracti64x4_epi64::<1>(a)];
    __m512i::of_bytes(if HALF & 1 == 0 { [b.0, high.0] } else { [low.0, b.0] }.as_flattened())
}

/// Zeros above.
pub fn _mm512_cvtepu32_epi64(a: __m256i) -> __m512i {
    __m512i::of_long_words(|lane| a.word(lane).into())
}

/// What is above goes.
#[expect(clippy::cast_possible_truncation, reason = "that is what it does")]
pub fn _mm512_cvtepi64_epi32(a: __m512i) -> __m256i {
    let words: [u32; 8] = std::array::from_fn(|lane| a.long_word(lane) as u32);
    __m256i(*words.map(u32::to_le_bytes).as_flattened().as_array().expect("32 of them"))
}
