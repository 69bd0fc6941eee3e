//! What the tests of this crate share: changes that nest and collide, and every address worth asking about.

#![allow(
    dead_code,
    clippy::allow_attributes,
    clippy::cast_possible_truncation,
    reason = "each test binary uses a part of it; test sizes are small"
)]

use std::io::{Read, Write as _};

use lpm::{Address, Change, Fib, NextHopId, Prefix, RouteTable};
use proptest::prelude::*;

/// Prefixes of all lengths with few distinct leading bits in each level, so that they nest, collide and share nodes.
pub(crate) fn any_prefix<A: Address>() -> impl Strategy<Value = Prefix<A>> {
    let sparse = (any::<u128>(), any::<u128>()).prop_map(|(a, b)| a & b & a.rotate_left(13));
    let noise = prop_oneof![4 => sparse, 1 => any::<u128>(), 1 => Just(0), 1 => Just(u128::MAX)];
    let len = prop_oneof![3 => 0..=A::BITS, 1 => Just(A::BITS), 1 => (A::BITS / 4 - 1)..=(A::BITS / 2)];
    // Half of them in the space where today's routes are, 2000::/3 and so on.
    let top = prop_oneof![Just(1), 0..8_u128];
    (noise, len, top).prop_map(|(noise, len, top)| {
        let number = (top << (A::BITS - 3)) | (noise & (u128::MAX >> (131 - u32::from(A::BITS))));
        Prefix::containing(A::from_number(number), len)
    })
}

/// Next hops: mostly few, sometimes ones that need wider answers.
pub(crate) fn any_hop() -> impl Strategy<Value = NextHopId> {
    let wide = prop_oneof![250..260_u32, 65_530..65_540_u32, Just(NextHopId::MAX_INDEX), Just(1 << 24)];
    prop_oneof![200 => 0..8_u32, 1 => wide].prop_map(NextHopId::new)
}

/// A change; removals often hit, because `prefixes` are few.
pub(crate) fn any_change<A: Address>(prefixes: Vec<Prefix<A>>) -> impl Strategy<Value = Change<A>> {
    let known = proptest::sample::select(prefixes);
    prop_oneof![
        3 => (known.clone(), any_hop()).prop_map(|(prefix, hop)| Change::Set(prefix, hop)),
        2 => known.prop_map(Change::Remove),
    ]
}

/// Batches of changes to a few prefixes.
pub(crate) fn any_batches<A: Address>() -> impl Strategy<Value = Vec<Vec<Change<A>>>> {
    proptest::collection::vec(any_prefix::<A>(), 1..40).prop_flat_map(|prefixes| {
        let batch = proptest::collection::vec(any_change(prefixes), 0..12);
        proptest::collection::vec(batch, 1..12)
    })
}

/// The same changes, as the golden table takes them.
pub(crate) fn change<A: Address>(golden: &mut RouteTable<A>, changes: &[Change<A>]) {
    for change in changes {
        match *change {
            Change::Set(prefix, hop) => golden.insert(prefix, hop),
            Change::Remove(prefix) => golden.remove(prefix),
        };
    }
}

/// Both sides of both ends of every route. Random addresses rarely land there.
pub(crate) fn edges<A: Address>(golden: &RouteTable<A>) -> Vec<A> {
    let around = |prefix: Prefix<A>| {
        let (first, last) = (prefix.address().to_number(), prefix.last().to_number());
        [first, first.wrapping_sub(1), last, last.wrapping_add(1)].map(A::from_number)
    };
    golden.iter().flat_map(|(prefix, _)| around(prefix)).collect()
}

/// Whether `fib` answers as the golden table does, alone and in a burst.
pub(crate) fn agree<A: Address>(fib: &Fib<A>, golden: &RouteTable<A>, addresses: &[A]) -> Result<(), TestCaseError> {
    let mut burst = vec![Some(NextHopId::new(4711)); addresses.len()];
    fib.lookup_burst(addresses, &mut burst);
    for (address, in_burst) in addresses.iter().zip(burst) {
        let expected = golden.longest_match(*address).map(|(_, hop)| hop);
        prop_assert_eq!(fib.lookup(*address), expected, "{}", address);
        prop_assert_eq!(in_burst, expected, "{} in a burst", address);
    }
    Ok(())
}

/// Numbers without a pattern, the same in every run: splitmix64.
pub(crate) struct Noise(pub(crate) u64);

impl Noise {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("less than a usize")
    }

    /// Any order.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for n in (1..items.len()).rev() {
            items.swap(n, self.below(n + 1));
        }
    }
}

/// The routes of the real full table that are of this family, in the order of the file; every tenth if this is not an
/// optimised build. `None`, and a word about it, where the data is not there.
pub(crate) fn full_table<A: Address>() -> Option<Vec<(Prefix<A>, NextHopId)>> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/routes/bart_prefixes_2024plus.txt.gz");
    let Ok(compressed) = std::fs::File::open(file) else {
        // Not by `println!`, which a passing test keeps to itself.
        let thread = std::thread::current();
        let test = thread.name().unwrap_or("a test");
        let _unheard = writeln!(std::io::stderr(), "skipped: {test}: the table {file} is not here");
        return None;
    };
    let mut text = String::new();
    flate2::read::GzDecoder::new(compressed).read_to_string(&mut text).expect("the table is gzip of text");
    let step = if cfg!(debug_assertions) { 10 } else { 1 };
    let prefixes = text.lines().filter_map(|line| line.trim_end().parse::<Prefix<A>>().ok()).step_by(step);
    let mut noise = Noise(0);
    Some(prefixes.map(|prefix| (prefix, NextHopId::new((noise.next() % 254) as u32))).collect())
}
