//! Lookups with the instructions that a machine has beyond those of every x86-64.
//!
//! A burst is looked up by [`avx512`] or by [`avx2`], one address by [`one`]. None of them checks bounds. That every offset
//! they compute is inside the arena is the promise that `chunk`, `range` and `rib` write down in a table's nodes, and that
//! `file` checks before it lets one in.

#![expect(
    unsafe_code,
    reason = "reads of the arena without a check of bounds, and instructions that not all machines have"
)]

mod avx2;
mod avx512;
mod one;

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::arena::Arena;
use crate::burst::BURST;
use crate::fib::Fib;
use crate::prefix::Address;
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

/// Calls a function whose last parameter is how wide the narrow values of a table are, as a power of two.
macro_rules! by_width {
    ($width:expr, $module:ident::$function:ident::<$address:ident>$arguments:tt) => {
        match $width {
            Width::One => $module::$function::<$address, 0> $arguments,
            Width::Two => $module::$function::<$address, 1> $arguments,
            Width::Four => $module::$function::<$address, 2> $arguments,
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
        // SAFETY: having `self` proves the features, whichever they are.
        unsafe { one::lookup(&fib.snapshot, address) }
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
            Instructions::Avx2 => unsafe { avx2::start::<A>(top, memory, addresses, entries) },
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
                by_width!(width, avx512::finish::<A>(memory, addresses, entries, answers))
            },
            // SAFETY: as above.
            Instructions::Avx2 => unsafe { by_width!(width, avx2::finish::<A>(memory, addresses, entries, answers)) },
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
            Instructions::Avx512 => unsafe { by_width!(width, avx512::burst::<A>(top, memory, addresses, answers)) },
            // SAFETY: as above.
            Instructions::Avx2 => unsafe { by_width!(width, avx2::burst::<A>(top, memory, addresses, answers)) },
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

/// Everything [`avx2`] and [`one`] use, if the machine has it.
fn with_avx2() -> Option<Vectors> {
    let all = is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("popcnt");
    all.then_some(Vectors(Instructions::Avx2))
}

/// What the lookups need to know of an address family.
#[doc(hidden)]
pub trait VectorFamily: avx512::Lanes + avx2::Lanes + one::Chunks {}

impl VectorFamily for Ipv4Addr {}

impl VectorFamily for Ipv6Addr {}

/// The memory of an arena. Whoever reads answers for the offsets: they come from entries of a published snapshot.
#[derive(Debug, Clone, Copy)]
#[doc(hidden)]
pub struct Memory {
    /// The first byte.
    base: *const u8,
    /// Whether there is more of it than the caches of a core hold.
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

    /// A 64-bit word at a byte offset.
    #[inline]
    fn long_word(self, at: usize) -> u64 {
        let word = self.base.wrapping_add(at).cast::<u64>();
        // SAFETY: a bitmap, or keys, of a node reached from the top, or reserved bytes.
        unsafe { word.read_unaligned() }
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

/// The largest arena whose lines come soon enough for a burst's reads to overlap by themselves. A full table's is that
/// large, and for it a prefetch of each line cost more than it gained; with a million host routes on top it gains a fifth.
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
