//! Bursts with AVX-512: sixteen addresses to a register, up to four registers to a stage.
//!
//! The stages are those of [`Fib::lookup`](crate::Fib::lookup): top, page, chunk, ranges. Each is one short loop over the
//! registers, so that the cache misses of a stage overlap. Lanes that have their answer sit out the later stages, behind a
//! mask; a stage that no lane needs is skipped. The part of an IPv6 top where today's global addresses are, 2000::/3, fits
//! four registers: finding their pages takes no memory access at all. The top of an IPv4 table is four times as large, and
//! gathered from like the pages.
//!
//! A masked-off lane reads nothing, whatever its index is. For the others, that every index is in bounds is the promise
//! that `chunk`, `range` and `rib` write down in a table's nodes, and that `file` checks before it lets one in.
//!
//! Not every machine that tests this has AVX-512. So in this crate's unit tests the same source is made of a `model` of
//! the instructions, and held to the portable answers everywhere; `tests/bursts.rs` holds the real ones, where there are.

#[cfg(test)]
mod model;
mod registers;
mod tree;

#[cfg(test)]
use self::model as instructions;
#[cfg(not(test))]
use std::arch::x86_64 as instructions;

use self::instructions::*;
use super::Memory;
use crate::burst::BURST;
use crate::entry::Entry;
use crate::table::NextHopId;

/// What these lookups need to know of an address family.
#[doc(hidden)]
pub trait Lanes: Copy {
    /// Any address.
    const ZERO: Self;

    /// Pages and top: an entry for each address.
    ///
    /// # Safety
    ///
    /// The machine has the instructions that [`Vectors`](super::Vectors) prove.
    unsafe fn pages<const N: usize>(top: &[u32], memory: Memory, addresses: &[Self]) -> [__m512i; N];

    /// Everything below, in a table whose narrow values are two to the power of `WIDTH` bytes wide.
    ///
    /// # Safety
    ///
    /// The machine has the instructions that [`Vectors`](super::Vectors) prove, and `entries` are those of `addresses` in
    /// the snapshot whose memory this is.
    unsafe fn below<const N: usize, const WIDTH: u32>(
        memory: Memory,
        addresses: &[Self],
        entries: [__m512i; N],
    ) -> [__m512i; N];
}

/// See [`Vectors::burst`](super::Vectors::burst).
///
/// # Safety
///
/// The machine has the instructions that [`Vectors`](super::Vectors) prove.
#[cfg_attr(not(test), target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vpopcntdq"))]
pub(super) unsafe fn burst<'a, A: Lanes, const WIDTH: u32>(
    top: &[u32],
    memory: Memory,
    mut addresses: &'a [A],
    mut answers: &'a mut [Option<NextHopId>],
) {
    while addresses.len() >= BURST {
        (addresses, answers) = step::<A, WIDTH, 4>(top, memory, addresses, answers);
    }
    if addresses.len() >= BURST / 2 {
        (addresses, answers) = step::<A, WIDTH, 2>(top, memory, addresses, answers);
    }
    if addresses.len() >= LANES {
        (addresses, answers) = step::<A, WIDTH, 1>(top, memory, addresses, answers);
    }
    if !addresses.is_empty() {
        let mut padded = [A::ZERO; LANES];
        padded[..addresses.len()].copy_from_slice(addresses);
        let mut padded_answers = [None; LANES];
        step::<A, WIDTH, 1>(top, memory, &padded, &mut padded_answers);
        answers.copy_from_slice(&padded_answers[..answers.len()]);
    }
}

/// Looks up the first `N` registers' worth of addresses; returns the rest.
#[inline]
#[cfg_attr(not(test), target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vpopcntdq"))]
fn step<'a, A: Lanes, const WIDTH: u32, const N: usize>(
    top: &[u32],
    memory: Memory,
    addresses: &'a [A],
    answers: &'a mut [Option<NextHopId>],
) -> (&'a [A], &'a mut [Option<NextHopId>]) {
    let (now, later) = addresses.split_at(N * LANES);
    let (answers, answers_later) = answers.split_at_mut(N * LANES);
    // SAFETY: this function has the features.
    let entries = unsafe { A::pages::<N>(top, memory, now) };
    // SAFETY: this function has the features, and the entries are from the line above.
    let leaves = unsafe { A::below::<N, WIDTH>(memory, now, entries) };
    store(leaves, answers);
    (later, answers_later)
}

/// See [`Vectors::start`](super::Vectors::start).
///
/// # Safety
///
/// The machine has the instructions that [`Vectors`](super::Vectors) prove.
#[cfg_attr(not(test), target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vpopcntdq"))]
pub(super) unsafe fn start<A: Lanes>(top: &[u32], memory: Memory, addresses: &[A; BURST], entries: &mut [u32; BURST]) {
    // SAFETY: this function has the features.
    let found = unsafe { A::pages::<4>(top, memory, addresses) };
    for (entries, found) in entries.as_chunks_mut::<LANES>().0.iter_mut().zip(found) {
        // SAFETY: sixteen words, of any alignment.
        unsafe { _mm512_storeu_si512(entries.as_mut_ptr().cast(), found) };
    }
    memory.prefetch_nodes(found);
}

/// See [`Vectors::finish`](super::Vectors::finish).
///
/// # Safety
///
/// The machine has the instructions that [`Vectors`](super::Vectors) prove, and `entries` are of this snapshot.
#[cfg_attr(not(test), target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vpopcntdq"))]
pub(super) unsafe fn finish<A: Lanes, const WIDTH: u32>(
    memory: Memory,
    addresses: &[A; BURST],
    entries: &[u32; BURST],
    answers: &mut [Option<NextHopId>; BURST],
) {
    let mut found = [_mm512_setzero_si512(); 4];
    for (found, entries) in found.iter_mut().zip(entries.as_chunks::<LANES>().0) {
        // SAFETY: sixteen words, of any alignment.
        *found = unsafe { _mm512_loadu_si512(entries.as_ptr().cast()) };
    }
    // SAFETY: this function has the features; that the entries are from `start` is the promise of its caller.
    let leaves = unsafe { A::below::<4, WIDTH>(memory, addresses, found) };
    store(leaves, answers);
}

/// Writes leaves as answers.
#[inline]
#[cfg_attr(not(test), target_feature(enable = "avx512f"))]
#[expect(clippy::cast_possible_wrap, reason = "vectors of bits are made from signed words")]
fn store<const N: usize>(leaves: [__m512i; N], answers: &mut [Option<NextHopId>]) {
    let bits_of_answers = _mm512_set1_epi32(!Entry::LEAF as i32);
    for (answers, leaves) in answers.as_chunks_mut::<LANES>().0.iter_mut().zip(leaves) {
        let words = _mm512_and_si512(leaves, bits_of_answers);
        // SAFETY: sixteen optional next hops are sixteen words, in which zero is `None` and all else a next hop.
        unsafe { _mm512_storeu_si512(answers.as_mut_ptr().cast(), words) };
    }
}

/// Addresses to a register.
const LANES: usize = 16;
