//! The routes to measure with: from a file of prefixes, or made up with the lengths of a real table.

#![expect(clippy::cast_possible_truncation, reason = "hashes are cut to what is wanted of them")]

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;

use lpm::{Address, NextHopId, Prefix};

use crate::noise::{Noise, mixed};
use crate::prefixes::Prefixes;

/// The routes of both families, in the order of their prefixes.
#[derive(Debug, Clone)]
pub struct Routes {
    /// Those of IPv4.
    pub v4: Vec<Route<Ipv4Addr>>,
    /// Those of IPv6.
    pub v6: Vec<Route<Ipv6Addr>>,
}

/// A route, as all engines get it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route<A: Address> {
    /// Where it is for.
    pub prefix: Prefix<A>,
    /// Where it leads.
    pub hop: NextHopId,
}

impl<A: Address> Route<A> {
    /// The next hop as the other engines get it: zero is "no route".
    pub fn word(self) -> u32 {
        word(Some(self.hop))
    }
}

/// An answer as a word: zero is "no route".
pub fn word(answer: Option<NextHopId>) -> u32 {
    answer.map_or(0, |hop| u32::try_from(hop.index() + 1).expect("a next hop has 31 bits"))
}

impl Routes {
    /// Reads one prefix per line, from plain or gzipped text.
    ///
    /// # Errors
    ///
    /// In words: what could not be read, and where.
    pub fn read(path: &Path, next_hops: u32) -> Result<Self, String> {
        let Prefixes { v4, v6 } = Prefixes::read(path)?;
        Ok(Self { v4: with_hops(v4, next_hops), v6: with_hops(v6, next_hops) })
    }

    /// As many routes of each length as in a full table of 2024, most of the longer ones near each other.
    pub fn made_up(next_hops: u32) -> Self {
        let v4 = made_up::<Ipv4Addr>(LENGTHS_V4, 0x0100_0000, 0xdfff_ffff);
        let v6 = made_up::<Ipv6Addr>(LENGTHS_V6, 0x2001 << 112, (0x2a10 << 112) - 1);
        Self { v4: with_hops(v4, next_hops), v6: with_hops(v6, next_hops) }
    }
}

/// Gives each prefix a next hop that only it decides.
fn with_hops<A: Address>(prefixes: BTreeSet<Prefix<A>>, next_hops: u32) -> Vec<Route<A>> {
    let hop = |prefix: Prefix<A>| {
        let number = prefix.address().to_number();
        let hash = mixed((number >> 64) as u64 ^ mixed(number as u64) ^ u64::from(prefix.len()));
        NextHopId::new((hash % u64::from(next_hops)) as u32)
    };
    prefixes.into_iter().map(|prefix| Route { prefix, hop: hop(prefix) }).collect()
}

/// Most prefixes lie a little after one made before them, as allocations do, the others anywhere in some regions.
fn made_up<A: Address>(lengths: &[(u8, usize)], first: u128, last: u128) -> BTreeSet<Prefix<A>> {
    let mut noise = Noise(1);
    let (region_bits, regions) = if A::BITS == 32 { (18, 6000) } else { (109, 350) };
    let regions: Vec<u128> =
        (0..regions).map(|_| (first + noise.next_wide() % (last - first)) >> region_bits << region_bits).collect();
    let mut made: BTreeSet<Prefix<A>> = BTreeSet::new();
    let mut order: Vec<u128> = Vec::new();
    for (len, count) in lengths {
        let wanted = made.len() + count;
        let size = 1_u128 << (A::BITS - len);
        while made.len() < wanted {
            let number = if order.is_empty() || noise.below(16) == 0 {
                regions[noise.below(regions.len())] + noise.next_wide() % (1 << region_bits)
            } else {
                order[noise.below(order.len())].wrapping_add(size * noise.below(64) as u128)
            };
            if (first..=last).contains(&number) {
                let prefix = Prefix::containing(A::from_number(number), *len);
                if made.insert(prefix) {
                    order.push(prefix.address().to_number());
                }
            }
        }
    }
    made
}

/// How many prefixes of each length there were.
const LENGTHS_V4: &[(u8, usize)] = &[
    (8, 16),
    (9, 13),
    (10, 38),
    (11, 103),
    (12, 299),
    (13, 581),
    (14, 1203),
    (15, 2100),
    (16, 13_490),
    (17, 8235),
    (18, 13_798),
    (19, 24_870),
    (20, 42_611),
    (21, 50_750),
    (22, 108_623),
    (23, 96_510),
    (24, 537_698),
    (28, 75),
    (32, 886),
];

/// The same for IPv6.
const LENGTHS_V6: &[(u8, usize)] = &[
    (29, 4371),
    (32, 22_548),
    (33, 2926),
    (34, 2603),
    (36, 5996),
    (40, 13_418),
    (42, 2301),
    (44, 14_365),
    (46, 7745),
    (48, 75_488),
    (56, 65),
    (64, 184),
    (112, 20),
    (128, 186),
];
