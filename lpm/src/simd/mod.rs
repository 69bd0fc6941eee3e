//! Lookups with the instructions that a machine has beyond those of every x86-64.
//!
//! One address is looked up by [`v4`] or [`v6`]; a burst by [`avx512`], and where there is no AVX-512, by [`v4`] or [`avx2`].
//! None of them checks bounds. That every offset they compute is inside the arena is the promise that `chunk`, `range` and `rib` write down in a table's nodes, and that
//! `file` checks before it lets one in.

#![expect(
    unsafe_code,
    reason = "reads of the arena without a check of bounds, and instructions that not all machines have"
)]

mod avx2;
mod avx512;
mod ranges;
mod v4;
mod v6;

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::arena::Arena;
use crate::burst::BURST;
use crate::entry::Entry;
use crate::fib::Fib;
use crate::prefix::Address;
use crate::range::WORD;
use crate::table::NextHopId;
use crate::width::Width;

/// Proof of what the machine has: whoever has one may use it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Vectors(Instructions);

#[derive(Debug, Clone, Copy)]
enum Instructions {
    /// Sixteen lanes, gathers and counts of bits in them.
    Avx512,
    /// Eight lanes, counts and fields of bits in a word.
    Avx2,
}

/// Does `call` with a constant that says how wide the narrow values of a table are, as a power of two.
macro_rules! by_width {
    ($width:expr, $constant:ident => $call:expr) => {
        match $width {
            Width::One => {
                const $constant: u32 = 0;
                $call
            }
            Width::Two => {
                const $constant: u32 = 1;
                $call
            }
            Width::Four => {
                const $constant: u32 = 2;
                $call
            }
        }
    };
}

impl Vectors {
    /// Asks the processor for the best it has.
    pub(crate) fn detect() -> Option<Self> {
        with_avx512().or_else(with_avx2)
    }

    /// The answer for one address.
    #[inline]
    pub(crate) fn lookup<A: Address>(self, fib: &Fib<A>, address: A) -> Option<NextHopId> {
        // One address alone asks for no lines ahead, however far they are.
        let memory = Memory { base: fib.snapshot.arena.base(), far: false };
        // SAFETY: having `self` proves the features, whichever they are.
        unsafe { A::lookup(fib.snapshot.top.as_ref(), memory, fib.snapshot.width, address) }
    }

    /// The entries of pages for a burst of up to [`BURST`] addresses, and a prefetch of the chunks they point to.
    pub(crate) fn start<A: Address>(
        self,
        top: &A::Top,
        arena: &Arena,
        addresses: &[A; BURST],
        entries: &mut [u32; BURST],
    ) {
        let (top, memory) = (top.as_ref(), Memory::of(arena));
        match self.0 {
            // SAFETY: having `self` proves the features.
            Instructions::Avx512 => unsafe { avx512::start::<A>(top, memory, addresses, entries) },
            // SAFETY: as above.
            Instructions::Avx2 => unsafe { A::start(top, memory, addresses, entries) },
        }
    }

    /// The answers of a burst whose entries [`Vectors::start`] found in the same snapshot.
    pub(crate) fn finish<A: Address>(
        self,
        arena: &Arena,
        width: Width,
        addresses: &[A; BURST],
        entries: &[u32; BURST],
        answers: &mut [Option<NextHopId>],
    ) {
        let Some(answers) = answers.as_mut_array() else {
            let mut all = [None; BURST];
            self.finish(arena, width, addresses, entries, &mut all);
            return answers.copy_from_slice(&all[..answers.len()]);
        };
        let memory = Memory::of(arena);
        match self.0 {
            // SAFETY: having `self` proves the features.
            Instructions::Avx512 => unsafe {
                by_width!(width, WIDTH => avx512::finish::<A, WIDTH>(memory, addresses, entries, answers))
            },
            // SAFETY: as above.
            Instructions::Avx2 => unsafe {
                by_width!(width, WIDTH => A::finish::<WIDTH>(memory, addresses, entries, answers))
            },
        }
    }

    /// The answers of all of `addresses`, into the same places of `answers`, which is as long.
    pub(crate) fn burst<A: Address>(
        self,
        top: &A::Top,
        arena: &Arena,
        width: Width,
        addresses: &[A],
        answers: &mut [Option<NextHopId>],
    ) {
        debug_assert_eq!(addresses.len(), answers.len());
        let (top, memory) = (top.as_ref(), Memory::of(arena));
        match self.0 {
            // SAFETY: having `self` proves the features.
            Instructions::Avx512 => unsafe {
                by_width!(width, WIDTH => avx512::burst::<A, WIDTH>(top, memory, addresses, answers))
            },
            // SAFETY: as above.
            Instructions::Avx2 => unsafe {
                by_width!(width, WIDTH => A::burst::<WIDTH>(top, memory, addresses, answers))
            },
        }
    }
}

/// Everything [`avx512`] uses, if the machine has it.
fn with_avx512() -> Option<Vectors> {
    let all = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512vpopcntdq");
    // What it has for sixteen lanes, it has for one address and for eight, too.
    with_avx2().filter(|_one_address| all).map(|_one_address| Vectors(Instructions::Avx512))
}

/// Everything else here uses, if the machine has it.
fn with_avx2() -> Option<Vectors> {
    let all = is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("popcnt");
    all.then_some(Vectors(Instructions::Avx2))
}

/// The lookups of an address family.
#[doc(hidden)]
pub trait VectorFamily: avx512::Lanes {
    /// See [`Vectors::lookup`].
    ///
    /// # Safety
    ///
    /// The machine has what [`with_avx2`] asks for; `top`, `memory` and `width` are of one snapshot.
    unsafe fn lookup(top: &[u32], memory: Memory, width: Width, address: Self) -> Option<NextHopId>;

    /// See [`Vectors::burst`]; narrow values are two to the power of `WIDTH` bytes wide.
    ///
    /// # Safety
    ///
    /// As for [`VectorFamily::lookup`].
    unsafe fn burst<const WIDTH: u32>(
        top: &[u32],
        memory: Memory,
        addresses: &[Self],
        answers: &mut [Option<NextHopId>],
    );

    /// See [`Vectors::start`].
    ///
    /// # Safety
    ///
    /// As for [`VectorFamily::lookup`].
    unsafe fn start(top: &[u32], memory: Memory, addresses: &[Self; BURST], entries: &mut [u32; BURST]);

    /// See [`Vectors::finish`].
    ///
    /// # Safety
    ///
    /// As for [`VectorFamily::lookup`], and `entries` are those of `addresses` in the same snapshot.
    unsafe fn finish<const WIDTH: u32>(
        memory: Memory,
        addresses: &[Self; BURST],
        entries: &[u32; BURST],
        answers: &mut [Option<NextHopId>; BURST],
    );
}

impl VectorFamily for Ipv4Addr {
    #[inline]
    unsafe fn lookup(top: &[u32], memory: Memory, width: Width, address: Self) -> Option<NextHopId> {
        // SAFETY: this function's own promise.
        unsafe { by_width!(width, WIDTH => v4::lookup::<WIDTH>(whole(top), memory, address)) }
    }

    #[inline]
    unsafe fn burst<const WIDTH: u32>(
        top: &[u32],
        memory: Memory,
        addresses: &[Self],
        answers: &mut [Option<NextHopId>],
    ) {
        // SAFETY: this function's own promise.
        unsafe { v4::burst::<WIDTH>(whole(top), memory, addresses, answers) }
    }

    #[inline]
    unsafe fn start(top: &[u32], memory: Memory, addresses: &[Self; BURST], entries: &mut [u32; BURST]) {
        // SAFETY: this function's own promise.
        unsafe { v4::start(whole(top), memory, addresses, entries) }
    }

    #[inline]
    unsafe fn finish<const WIDTH: u32>(
        memory: Memory,
        addresses: &[Self; BURST],
        entries: &[u32; BURST],
        answers: &mut [Option<NextHopId>; BURST],
    ) {
        // SAFETY: this function's own promise.
        unsafe { v4::finish::<WIDTH>(memory, addresses, entries, answers) }
    }
}

impl VectorFamily for Ipv6Addr {
    #[inline]
    unsafe fn lookup(top: &[u32], memory: Memory, width: Width, address: Self) -> Option<NextHopId> {
        // SAFETY: this function's own promise.
        unsafe { v6::lookup(whole(top), memory, width, address) }
    }

    #[inline]
    unsafe fn burst<const WIDTH: u32>(
        top: &[u32],
        memory: Memory,
        addresses: &[Self],
        answers: &mut [Option<NextHopId>],
    ) {
        // SAFETY: this function's own promise.
        unsafe { avx2::burst::<WIDTH>(whole(top), memory, addresses, answers) }
    }

    #[inline]
    unsafe fn start(top: &[u32], memory: Memory, addresses: &[Self; BURST], entries: &mut [u32; BURST]) {
        // SAFETY: this function's own promise.
        unsafe { avx2::start(whole(top), memory, addresses, entries) }
    }

    #[inline]
    unsafe fn finish<const WIDTH: u32>(
        memory: Memory,
        addresses: &[Self; BURST],
        entries: &[u32; BURST],
        answers: &mut [Option<NextHopId>; BURST],
    ) {
        // SAFETY: this function's own promise.
        unsafe { avx2::finish::<WIDTH>(memory, addresses, entries, answers) }
    }
}

/// A top, which is all of its family's entries.
#[inline]
fn whole<const N: usize>(top: &[u32]) -> &[u32; N] {
    top.as_array().expect("a top of its family's size")
}

/// The memory of an arena. Whoever reads answers for the offsets: they come from entries of a published snapshot.
#[derive(Debug, Clone, Copy)]
#[doc(hidden)]
pub struct Memory {
    /// The first byte.
    base: *const u8,
    /// Whether there is more of it than [`NEAR`]. Asked by the IPv6 stages of [`avx2`] alone: [`v4`] asks for its lines
    /// ahead whatever the size, and the gathers of [`avx512`] overlap.
    far: bool,
}

impl Memory {
    #[inline]
    fn of(arena: &Arena) -> Self {
        Self { base: arena.base(), far: arena.len() > NEAR }
    }

    /// A 32-bit word at a byte offset.
    #[inline]
    fn word(self, at: usize) -> u32 {
        let word = self.base.wrapping_add(at).cast::<u32>();
        // SAFETY: an entry or a value of a node reached from the top, or reserved bytes.
        unsafe { word.read_unaligned() }
    }

    /// A byte at an offset.
    #[inline]
    fn byte(self, at: usize) -> u8 {
        // SAFETY: a value of a node reached from the top.
        unsafe { self.base.wrapping_add(at).read() }
    }

    /// A 16-bit word at a byte offset.
    #[inline]
    fn short(self, at: usize) -> u16 {
        let short = self.base.wrapping_add(at).cast::<u16>();
        // SAFETY: a value of a node reached from the top.
        unsafe { short.read_unaligned() }
    }

    /// A 64-bit word at a byte offset.
    #[inline]
    fn long_word(self, at: usize) -> u64 {
        let word = self.base.wrapping_add(at).cast::<u64>();
        // SAFETY: a bitmap, or keys, of a node reached from the top, or reserved bytes.
        unsafe { word.read_unaligned() }
    }

    /// Asks for the line where the search of a range node begins.
    #[inline]
    fn prefetch_node(self, node: u32) {
        self.prefetch((Entry::of_word(node).at()).wrapping_sub(WORD));
    }

    /// Asks for the line at a byte offset.
    #[inline]
    fn prefetch(self, at: usize) {
        // SAFETY: every x86-64 has SSE, and a prefetch changes nothing that a program can see.
        unsafe {
            std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(self.base.wrapping_add(at).cast());
        }
    }
}

/// The largest arena whose lines come soon enough for the reads of an IPv6 burst to overlap by themselves, without a
/// prefetch for each. A full table stays well below; one with many host routes on top does not. Nothing depends on where
/// exactly this lies but speed.
const NEAR: usize = 8 << 20;

// The loads in `avx2` and `avx512` take an address for its bytes in network order; the standard library does not promise that it is
// stored so, but here it is checked.
const _: () = {
    // SAFETY: both are four bytes, and any bytes are an array of bytes.
    let v4: [u8; 4] = unsafe { std::mem::transmute(Ipv4Addr::new(1, 2, 3, 4)) };
    assert!(matches!(v4, [1, 2, 3, 4]));
    // SAFETY: as above, sixteen.
    let v6: [u8; 16] = unsafe { std::mem::transmute(Ipv6Addr::new(0x0102, 0x0304, 0, 0, 0, 0, 0, 0x0f10)) };
    assert!(matches!(v6, [1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 15, 16]));
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Change, FibWriter, Prefix};

    /// All that this machine has, not only the best; AVX-512 by its model, which every machine has.
    fn ways() -> impl Iterator<Item = Vectors> {
        with_avx2().into_iter().flat_map(|avx2| [Vectors(Instructions::Avx512), avx2])
    }

    /// A table with routes on all levels, of answers as wide as `widest`, and addresses at and around their edges.
    fn table<A: Address>(widest: u32, seeds: &[(u128, u8)]) -> (Fib<A>, Vec<A>) {
        let prefix = |(seed, len): &(u128, u8)| {
            let near = 0x2001_0db8_u128 << 96 | seed >> 28;
            Prefix::containing(A::from_number(near >> (128 - A::BITS)), len % (A::BITS + 1))
        };
        let prefixes: Vec<Prefix<A>> = seeds.iter().map(prefix).collect();
        let changes = (0..).zip(&prefixes).map(|(n, prefix)| Change::Set(*prefix, NextHopId::new(n * widest / 64)));
        let ends = prefixes.iter().flat_map(|prefix| [prefix.address().to_number(), prefix.last().to_number()]);
        let around = ends.flat_map(|number| [number.saturating_sub(1), number, number.saturating_add(1)]);
        (FibWriter::default().apply(changes), around.map(A::from_number).collect())
    }

    fn every_way_agrees<A: Address>(widest: u32, seeds: &[(u128, u8)]) -> Result<(), TestCaseError> {
        let (fib, addresses) = table::<A>(widest, seeds);
        let snapshot = &*fib.snapshot;
        let (top, arena, width) = (&snapshot.top, &*snapshot.arena, snapshot.width);
        for way in ways() {
            let mut answers = vec![None; addresses.len()];
            way.burst(top, arena, width, &addresses, &mut answers);
            for (address, answer) in addresses.iter().zip(&answers) {
                prop_assert_eq!(fib.lookup_portably(*address), *answer, "{} by {:?}", address, way);
                prop_assert_eq!(way.lookup(&fib, *address), *answer, "{} alone", address);
            }
            for (addresses, answers) in addresses.chunks(BURST).zip(answers.chunks(BURST)) {
                let mut padded = [A::from_number(0); BURST];
                padded[..addresses.len()].copy_from_slice(addresses);
                let (mut entries, mut in_two_steps) = ([0; BURST], [None; BURST]);
                way.start(top, arena, &padded, &mut entries);
                way.finish(arena, width, &padded, &entries, &mut in_two_steps[..answers.len()]);
                prop_assert_eq!(&in_two_steps[..answers.len()], answers, "in two steps by {:?}", way);
            }
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn every_way_gives_the_portable_answers(
            widest in prop_oneof![Just(64_u32), Just(6400), Just(1 << 22)],
            seeds in proptest::collection::vec((any::<u128>(), any::<u8>()), 1..64),
        ) {
            every_way_agrees::<Ipv4Addr>(widest, &seeds)?;
            every_way_agrees::<Ipv6Addr>(widest, &seeds)?;
        }
    }
}
