//! Bursts of IPv6 addresses with AVX2: eight to a register, up to eight registers to a stage.
//!
//! The stages are those of [`avx512`](super::avx512). What AVX2 does not have is made of what it has: a mask is the sign of
//! a lane, which is just where an entry says that it is an answer; bits are counted by looking up half bytes; words of 64
//! bits are two registers, one of the even lanes and one of the odd, so that nothing crosses lanes.
//!
//! AVX2 has gathers, but some processors take them apart into as many steps as forty, and others were slowed down to make
//! them safe. So there are none here: a stage computes its offsets eight at a time, leaves them in memory, and reads the
//! arena one word at a time from there. An answer reads the reserved zeros at the start of the arena, so that nobody asks which it is.

mod registers;
mod tree;

use std::arch::x86_64::*;
use std::net::Ipv6Addr;

use self::registers::{all, settle};
use super::Memory;
use crate::burst::BURST;
use crate::entry::Entry;
use crate::table::NextHopId;

/// See [`Vectors::burst`](super::Vectors::burst).
#[target_feature(enable = "avx2")]
pub(super) fn burst<'a, const WIDTH: u32>(
    top: &[u32; 512],
    memory: Memory,
    mut addresses: &'a [Ipv6Addr],
    mut answers: &'a mut [Option<NextHopId>],
) {
    while addresses.len() >= BURST {
        (addresses, answers) = step::<WIDTH, 8>(top, memory, addresses, answers);
    }
    if addresses.len() >= BURST / 2 {
        (addresses, answers) = step::<WIDTH, 4>(top, memory, addresses, answers);
    }
    while addresses.len() >= LANES {
        (addresses, answers) = step::<WIDTH, 1>(top, memory, addresses, answers);
    }
    if !addresses.is_empty() {
        let mut padded = [Ipv6Addr::UNSPECIFIED; LANES];
        padded[..addresses.len()].copy_from_slice(addresses);
        let mut padded_answers = [None; LANES];
        step::<WIDTH, 1>(top, memory, &padded, &mut padded_answers);
        answers.copy_from_slice(&padded_answers[..answers.len()]);
    }
}

/// Looks up the first `N` registers' worth of addresses; returns the rest.
#[inline]
#[target_feature(enable = "avx2")]
fn step<'a, const WIDTH: u32, const N: usize>(
    top: &[u32; 512],
    memory: Memory,
    addresses: &'a [Ipv6Addr],
    answers: &'a mut [Option<NextHopId>],
) -> (&'a [Ipv6Addr], &'a mut [Option<NextHopId>]) {
    let (now, later) = addresses.split_at(N * LANES);
    let (answers, answers_later) = answers.split_at_mut(N * LANES);
    let entries = tree::pages::<N>(top, memory, now);
    store(tree::below::<N, WIDTH>(memory, now, entries), answers);
    (later, answers_later)
}

/// See [`Vectors::start`](super::Vectors::start).
#[target_feature(enable = "avx2")]
pub(super) fn start(top: &[u32; 512], memory: Memory, addresses: &[Ipv6Addr; BURST], entries: &mut [u32; BURST]) {
    let found = tree::pages::<8>(top, memory, addresses);
    for (entries, found) in entries.as_chunks_mut::<LANES>().0.iter_mut().zip(found) {
        // SAFETY: eight words, of any alignment.
        unsafe { _mm256_storeu_si256(entries.as_mut_ptr().cast(), found) };
    }
    let mut at = tree::bitmaps(addresses, &found);
    settle(&mut at);
    memory.prefetch_all(&at);
}

/// See [`Vectors::finish`](super::Vectors::finish).
#[target_feature(enable = "avx2")]
pub(super) fn finish<const WIDTH: u32>(
    memory: Memory,
    addresses: &[Ipv6Addr; BURST],
    entries: &[u32; BURST],
    answers: &mut [Option<NextHopId>; BURST],
) {
    let mut found = [_mm256_setzero_si256(); 8];
    for (found, entries) in found.iter_mut().zip(entries.as_chunks::<LANES>().0) {
        // SAFETY: eight words, of any alignment.
        *found = unsafe { _mm256_loadu_si256(entries.as_ptr().cast()) };
    }
    store(tree::below::<8, WIDTH>(memory, addresses, found), answers);
}

/// Writes leaves as answers.
#[inline]
#[target_feature(enable = "avx2")]
fn store<const N: usize>(leaves: [__m256i; N], answers: &mut [Option<NextHopId>]) {
    for (answers, leaves) in answers.as_chunks_mut::<LANES>().0.iter_mut().zip(leaves) {
        let words = _mm256_and_si256(leaves, all(!Entry::LEAF));
        // SAFETY: eight optional next hops are eight words, in which zero is `None` and all else a next hop.
        unsafe { _mm256_storeu_si256(answers.as_mut_ptr().cast(), words) };
    }
}

/// Addresses to a register.
const LANES: usize = 8;
