//! Several routes to one network: which of them a lookup by source and destination finds.
//!
//! Workers divide flows by [`boundary::Group`]. This is the kernels' way, for `rtalloc_mpath`: a number of 16 bits follows
//! from both addresses and a secret ([`Jitter`]), and the range of such numbers is cut into one region for each of the
//! routes, as wide as its weight (hash-threshold, RFC 2992). Of equal weights the regions are those of OpenBSD, bit for
//! bit. If a route is removed the borders move, and with them the flows between: of four, a third to a half.

use std::net::IpAddr;
use std::num::NonZeroU32;

use control_api::Family;
use packet::flow::FlowHash;

/// How what goes to one network is divided among several routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Multipath {
    /// Whether IPv4 is divided; if not, the first of several routes has everything.
    pub ipv4: bool,
    /// The same of IPv6.
    pub ipv6: bool,
    /// The secret of lookups by source.
    pub jitter: Jitter,
    /// How workers tell flows apart.
    pub flows: FlowHash,
}

impl Default for Multipath {
    fn default() -> Self {
        Self { ipv4: true, ipv6: true, jitter: Jitter::default(), flows: FlowHash::default() }
    }
}

impl Multipath {
    /// The same for a router whose secrets follow from `seed`.
    pub fn seeded(seed: u64) -> Self {
        let [.., a, b, c, d] = boundary::scramble(seed).to_be_bytes();
        let jitter = NonZeroU32::new(u32::from_be_bytes([a, b, c, d])).map(Jitter).unwrap_or_default();
        Self { jitter, flows: FlowHash { seed, ..FlowHash::default() }, ..Self::default() }
    }

    /// Whether packets of a family are divided.
    pub const fn divides(&self, family: Family) -> bool {
        match family {
            Family::Ipv4 => self.ipv4,
            Family::Ipv6 => self.ipv6,
        }
    }
}

/// A secret number, not 0, that makes this router's choice another than its neighbour's (`rt_hashjitter`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Jitter(pub NonZeroU32);

impl Default for Jitter {
    fn default() -> Self {
        Self(NonZeroU32::MIN)
    }
}

impl Jitter {
    /// The number of a pair of addresses; of two families, 0.
    pub fn hash(self, destination: IpAddr, source: IpAddr) -> u16 {
        let start = [GOLDEN, GOLDEN, self.0.get()];
        let [.., mixed] = match (destination, source) {
            (IpAddr::V4(destination), IpAddr::V4(source)) => {
                mix([GOLDEN.wrapping_add(destination.to_bits()), GOLDEN.wrapping_add(source.to_bits()), self.0.get()])
            }
            (IpAddr::V6(destination), IpAddr::V6(source)) => {
                let [to, from] = [destination, source].map(|address| words(address.to_bits()));
                [(0, 2), (1, 3), (2, 1), (3, 0)].iter().zip(from).fold(start, |[a, b, c], ((one, other), from)| {
                    mix([a.wrapping_add(to[*one]), b.wrapping_add(to[*other]), c.wrapping_add(from)])
                })
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return 0,
        };
        let [.., high, low] = mixed.to_be_bytes();
        u16::from_be_bytes([high, low])
    }
}

/// Slots of routes: each has as many as it weighs beside the others.
///
/// Weights are divided by what divides them all, and if they are still more than [`Slots::MOST`] together, each counts for
/// its share of so many, and for one at least.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slots(Vec<usize>);

impl Slots {
    /// Slots of routes that weigh so much, of which there is one at least.
    pub fn new(weights: &[u32]) -> Self {
        let weights: Vec<u64> = weights.iter().map(|weight| u64::from((*weight).max(1))).collect();
        let divisor = weights.iter().copied().fold(0, greatest_common_divisor).max(1);
        let total: u64 = weights.iter().map(|weight| weight / divisor).sum();
        let count = |weight: u64| match total <= Self::MOST as u64 {
            true => weight / divisor,
            false => (weight / divisor * Self::MOST as u64 / total).max(1),
        };
        let slots = |(place, weight): (usize, &u64)| (0..count(*weight)).map(move |_slot| place);
        Self(weights.iter().enumerate().flat_map(slots).collect())
    }

    /// Most slots there are, as long as there are no more routes.
    pub const MOST: usize = 64;

    /// The place of the route that has each slot.
    pub fn owners(&self) -> &[usize] {
        &self.0
    }

    /// The place of the route that `hash` belongs to.
    pub fn route(&self, hash: u16) -> usize {
        // The first region has one number more than the others: 0, which is in nobody's.
        let width = usize::from(u16::MAX) / self.0.len() + 1;
        let slot = usize::from(hash).saturating_sub(1) / width;
        self.0.get(slot).or_else(|| self.0.first()).copied().unwrap_or(0)
    }
}

const fn greatest_common_divisor(one: u64, other: u64) -> u64 {
    if other == 0 { one } else { greatest_common_divisor(other, one % other) }
}

/// Bob Jenkins's mix of three words, of which the last depends on every bit of all.
const fn mix([mut a, mut b, mut c]: [u32; 3]) -> [u32; 3] {
    let mut round = 0;
    while round < SHIFTS.len() {
        let [one, two, three] = SHIFTS[round];
        a = a.wrapping_sub(b).wrapping_sub(c) ^ (c >> one);
        b = b.wrapping_sub(c).wrapping_sub(a) ^ (a << two);
        c = c.wrapping_sub(a).wrapping_sub(b) ^ (b >> three);
        round += 1;
    }
    [a, b, c]
}

const SHIFTS: [[u32; 3]; 3] = [[13, 8, 13], [12, 16, 5], [3, 10, 15]];

/// The golden ratio, as an arbitrary start.
const GOLDEN: u32 = 0x9e37_79b9;

#[expect(clippy::cast_possible_truncation, reason = "words are what is wanted")]
const fn words(address: u128) -> [u32; 4] {
    [(address >> 96) as u32, (address >> 64) as u32, (address >> 32) as u32, address as u32]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many hashes each route gets.
    fn regions(weights: &[u32]) -> Vec<usize> {
        let slots = Slots::new(weights);
        let mut regions = vec![0; weights.len()];
        (0..=u16::MAX).for_each(|hash| regions[slots.route(hash)] += 1);
        regions
    }

    fn hash(jitter: u32, destination: &str, source: &str) -> u16 {
        Jitter(NonZeroU32::new(jitter).unwrap()).hash(destination.parse().unwrap(), source.parse().unwrap())
    }

    // holds S4.05, X60
    #[test]
    fn mp_02_the_border_of_two_regions_is_where_the_kernel_has_it() {
        let slots = Slots::new(&[1, 1]);
        assert_eq!([0, 32_768, 32_769, 65_535].map(|hash| slots.route(hash)), [0, 0, 1, 1]);
    }

    // holds X60
    #[test]
    fn mp_03_regions_are_as_wide_as_the_kernel_s() {
        assert_eq!(regions(&[1; 2]), [32_769, 32_767]);
        assert_eq!(regions(&[1; 3]), [21_847, 21_846, 21_843]);
        assert_eq!(regions(&[1; 4]), [16_385, 16_384, 16_384, 16_383]);
        assert_eq!(regions(&[1; 5]), [13_109, 13_108, 13_108, 13_108, 13_103]);
        assert_eq!(regions(&[1; 8]), [8_193, 8_192, 8_192, 8_192, 8_192, 8_192, 8_192, 8_191]);
    }

    // holds X60
    #[test]
    fn mp_04_and_05_pairs_of_ipv4_addresses_have_their_known_hashes() {
        for (jitter, destination, source, expected, of_two, of_four) in [
            (1, "10.8.1.1", "192.0.2.1", 0x36da, 0, 0),
            (1, "10.8.1.1", "192.0.2.2", 0x1719, 0, 0),
            (1, "10.8.1.2", "192.0.2.1", 0x9f61, 1, 2),
            (0x1234_5678, "10.8.1.1", "192.0.2.1", 0xce6d, 1, 3),
            (0x1234_5678, "198.51.100.7", "203.0.113.9", 0x264e, 0, 0),
        ] {
            let hash = hash(jitter, destination, source);
            assert_eq!(hash, expected, "{jitter} {destination} {source}");
            assert_eq!((Slots::new(&[1; 2]).route(hash), Slots::new(&[1; 4]).route(hash)), (of_two, of_four));
        }
    }

    // holds X60
    #[test]
    fn mp_06_pairs_of_ipv6_addresses_have_their_known_hashes() {
        assert_eq!(hash(1, "2001:db8::1", "2001:db8:1::1"), 0xbffa);
        assert_eq!(hash(1, "2001:db8::1", "2001:db8:1::2"), 0x1bd5);
        assert_eq!(hash(1, "::", "::"), 0xcf95);
    }

    // holds S3.08, S3.40, X63
    #[test]
    fn mp_10_weights_are_slots() {
        assert_eq!(Slots::new(&[1, 2, 3]).owners(), [0, 1, 1, 2, 2, 2]);
        assert_eq!(regions(&[1, 2, 3]), [10_924, 21_846, 32_766]);
        assert_eq!(Slots::new(&[200, 100]).owners(), [0, 0, 1]);
        let most = Slots::new(&[1_000_000, 1]);
        assert_eq!((most.owners().len(), most.owners().last()), (64, Some(&1)), "few slots, and one for everybody");
    }

    // holds X62
    #[test]
    fn mp_11_every_hash_has_a_route_whatever_the_weights() {
        assert_eq!(regions(&[3, 1]), [49_153, 16_383]);
        assert_eq!(regions(&[3, 2, 1]).iter().sum::<usize>(), 65_536);
    }

    // holds X60
    #[test]
    fn mp_23_at_most_half_of_the_flows_move_when_a_route_is_removed() {
        let moved = |gone: usize| {
            let (four, three) = (Slots::new(&[1; 4]), Slots::new(&[1; 3]));
            let after = |hash| three.route(hash) + usize::from(three.route(hash) >= gone);
            (0..=u16::MAX).filter(|hash| four.route(*hash) != after(*hash)).count()
        };
        // Regions differ by a number or two.
        let wanted = [65_536 / 2, 65_536 / 3, 65_536 / 3, 65_536 / 2];
        let moved = [0, 1, 2, 3].map(moved);
        assert!(moved.iter().zip(wanted).all(|(moved, wanted)| moved.abs_diff(wanted) < 4), "{moved:?}");
    }
}
