//! Numbers without a pattern, the same in every run, and the addresses made of them.

#![expect(clippy::cast_possible_truncation, reason = "places in lists that are in memory")]

use lpm::Address;

use crate::routes::Route;

/// Splitmix64.
#[derive(Debug)]
pub struct Noise(pub u64);

impl Noise {
    /// The next number.
    #[expect(clippy::should_implement_trait, reason = "there is always one")]
    pub fn next(&mut self) -> u64 {
        let number = mixed(self.0);
        self.0 = self.0.wrapping_add(STEP);
        number
    }

    /// The next number, twice as wide.
    pub fn next_wide(&mut self) -> u128 {
        u128::from(self.next()) << 64 | u128::from(self.next())
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

/// One step of splitmix64: a number that has nothing to do with `number`.
pub fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(STEP);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// Addresses to look up, in each form an engine may want.
#[derive(Debug, Clone)]
pub struct Keys<A> {
    /// As they are.
    pub addresses: Vec<A>,
    /// IPv4 addresses in the order of this machine; empty for IPv6.
    pub numbers: Vec<u32>,
    /// IPv6 addresses in network order; empty for IPv4.
    pub octets: Vec<[u8; 16]>,
}

impl<A: Address> Keys<A> {
    /// Of these addresses.
    #[expect(clippy::cast_possible_truncation, reason = "an IPv4 address has 32 bits")]
    pub fn new(addresses: Vec<A>) -> Self {
        let numbers = addresses.iter().filter(|_| A::BITS == 32).map(|address| address.to_number() as u32).collect();
        let octets =
            addresses.iter().filter(|_| A::BITS == 128).map(|address| address.to_number().to_be_bytes()).collect();
        Self { addresses, numbers, octets }
    }
}

/// Which addresses are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workload {
    /// Any address; for IPv6, any in 2000::/3.
    Uniform,
    /// A route, each as likely, and any address in it.
    InsidePrefixes,
    /// A million flows drawn like that, the n-th of them 1/n as frequent as the first.
    ZipfMillion,
    /// The same with 16,384 flows.
    ZipfFew,
}

impl Workload {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Uniform, Self::InsidePrefixes, Self::ZipfMillion, Self::ZipfFew];

    /// Its name in the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::InsidePrefixes => "inside prefixes",
            Self::ZipfMillion => "zipf, 1 M flows",
            Self::ZipfFew => "zipf, 16 k flows",
        }
    }

    /// A million addresses.
    pub fn keys<A: Address>(self, routes: &[Route<A>]) -> Keys<A> {
        let mut noise = Noise(self as u64 + 17);
        let inside = |noise: &mut Noise| {
            let prefix = routes[noise.below(routes.len())].prefix;
            let hosts = prefix.last().to_number() ^ prefix.address().to_number();
            A::from_number(prefix.address().to_number() | noise.next_wide() & hosts)
        };
        let anywhere = |noise: &mut Noise| {
            let number = noise.next_wide();
            A::from_number(if A::BITS == 128 { 1 << 125 | number >> 3 } else { number })
        };
        let addresses = match self {
            Self::Uniform => (0..KEYS).map(|_| anywhere(&mut noise)).collect(),
            Self::InsidePrefixes => (0..KEYS).map(|_| inside(&mut noise)).collect(),
            Self::ZipfMillion | Self::ZipfFew => {
                let count = if self == Self::ZipfFew { 16 << 10 } else { 1 << 20 };
                let flows: Vec<A> = (0..count).map(|_| inside(&mut noise)).collect();
                zipf(count, KEYS, &mut noise).into_iter().map(|flow| flows[flow]).collect()
            }
        };
        Keys::new(addresses)
    }
}

/// Draws `draws` of `count`, the n-th with a weight of 1/n.
pub fn zipf(count: usize, draws: usize, noise: &mut Noise) -> Vec<usize> {
    let mut sum = 0.0;
    let weights = (1..=count).map(|n| {
        sum += 1.0 / n as f64;
        sum
    });
    let up_to: Vec<f64> = weights.collect();
    let draw = |noise: &mut Noise| {
        let point = (noise.next() >> 11) as f64 / (1_u64 << 53) as f64 * sum_of(&up_to);
        up_to.partition_point(|weight| *weight < point).min(count - 1)
    };
    (0..draws).map(|_| draw(noise)).collect()
}

fn sum_of(up_to: &[f64]) -> f64 {
    up_to.last().copied().unwrap_or_default()
}

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// Addresses to a sample.
pub const KEYS: usize = 1 << 20;
