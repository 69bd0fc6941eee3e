//! What is compared, behind one trait: ours, and the tables of the registry. DPDK's are in `dpdk`.

use std::hint::black_box;
use std::net::{Ipv4Addr, Ipv6Addr};

use bench::noise::Keys;
use bench::peers::LARGEST_BURST;
use bench::routes::{Route, word};
use ip_network_table_deps_treebitmap::IpLookupTable;
use lpm::{Address, Fib};
use prefix_trie::PrefixMap;

/// A table that answers.
pub(crate) trait Engine<A: Address> {
    fn name(&self) -> &'static str;

    /// Whether it looks up more than one address at a time.
    fn has_bursts(&self) -> bool {
        true
    }

    /// Looks up all keys, `burst` at a time, and does away with the answers.
    fn sweep(&mut self, keys: &Keys<A>, burst: usize);

    /// The answers to all keys, as words.
    fn answers(&mut self, keys: &Keys<A>) -> Vec<u32>;
}

/// Our table.
pub(crate) struct Ours<A: Address>(pub(crate) Fib<A>);

impl<A: Address> Engine<A> for Ours<A> {
    fn name(&self) -> &'static str {
        "ferry lpm"
    }

    fn sweep(&mut self, keys: &Keys<A>, burst: usize) {
        if burst == 1 {
            for address in &keys.addresses {
                black_box(self.0.lookup(*address));
            }
            return;
        }
        let mut answers = [None; LARGEST_BURST];
        for addresses in keys.addresses.chunks(burst) {
            self.0.lookup_burst(addresses, &mut answers);
            black_box(&mut answers);
        }
    }

    fn answers(&mut self, keys: &Keys<A>) -> Vec<u32> {
        let mut answers = vec![None; keys.addresses.len()];
        for (addresses, answers) in keys.addresses.chunks(64).zip(answers.chunks_mut(64)) {
            self.0.lookup_burst(addresses, answers);
        }
        for (address, answer) in keys.addresses.iter().zip(&answers) {
            assert_eq!(self.0.lookup(*address), *answer, "{address} alone and in a burst");
        }
        answers.into_iter().map(word).collect()
    }
}

/// A table that answers one address at a time, by a function.
pub(crate) struct OneByOne<F> {
    name: &'static str,
    lookup: F,
}

impl<A: Address, F: FnMut(A) -> u32> Engine<A> for OneByOne<F> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn has_bursts(&self) -> bool {
        false
    }

    fn sweep(&mut self, keys: &Keys<A>, _burst: usize) {
        for address in &keys.addresses {
            black_box((self.lookup)(*address));
        }
    }

    fn answers(&mut self, keys: &Keys<A>) -> Vec<u32> {
        keys.addresses.iter().map(|address| (self.lookup)(*address)).collect()
    }
}

/// The crate `ip_network_table-deps-treebitmap`, filled.
pub(crate) fn treebitmap4(routes: &[Route<Ipv4Addr>]) -> IpLookupTable<Ipv4Addr, u32> {
    let mut table = IpLookupTable::new();
    for route in routes {
        table.insert(route.prefix.address(), route.prefix.len().into(), route.word());
    }
    table
}

/// The same for IPv6.
pub(crate) fn treebitmap6(routes: &[Route<Ipv6Addr>]) -> IpLookupTable<Ipv6Addr, u32> {
    let mut table = IpLookupTable::new();
    for route in routes {
        table.insert(route.prefix.address(), route.prefix.len().into(), route.word());
    }
    table
}

/// The crate `prefix-trie`, filled.
pub(crate) fn prefix_trie4(routes: &[Route<Ipv4Addr>]) -> PrefixMap<(u32, u8), u32> {
    routes.iter().map(|route| ((u32::from(route.prefix.address()), route.prefix.len()), route.word())).collect()
}

/// The same for IPv6.
pub(crate) fn prefix_trie6(routes: &[Route<Ipv6Addr>]) -> PrefixMap<(u128, u8), u32> {
    routes.iter().map(|route| ((u128::from(route.prefix.address()), route.prefix.len()), route.word())).collect()
}

/// As an engine.
pub(crate) fn of_treebitmap4(table: IpLookupTable<Ipv4Addr, u32>) -> impl Engine<Ipv4Addr> {
    let lookup = move |address| table.longest_match(address).map_or(0, |(_, _, hop)| *hop);
    OneByOne { name: TREEBITMAP, lookup }
}

/// As an engine.
pub(crate) fn of_treebitmap6(table: IpLookupTable<Ipv6Addr, u32>) -> impl Engine<Ipv6Addr> {
    let lookup = move |address| table.longest_match(address).map_or(0, |(_, _, hop)| *hop);
    OneByOne { name: TREEBITMAP, lookup }
}

/// As an engine.
pub(crate) fn of_prefix_trie4(table: PrefixMap<(u32, u8), u32>) -> impl Engine<Ipv4Addr> {
    let lookup = move |address| table.get_lpm(&(u32::from(address), 32)).map_or(0, |(_, hop)| *hop);
    OneByOne { name: PREFIX_TRIE, lookup }
}

/// As an engine.
pub(crate) fn of_prefix_trie6(table: PrefixMap<(u128, u8), u32>) -> impl Engine<Ipv6Addr> {
    let lookup = move |address| table.get_lpm(&(u128::from(address), 128)).map_or(0, |(_, hop)| *hop);
    OneByOne { name: PREFIX_TRIE, lookup }
}

pub(crate) const TREEBITMAP: &str = "crate treebitmap";
pub(crate) const PREFIX_TRIE: &str = "crate prefix-trie";
