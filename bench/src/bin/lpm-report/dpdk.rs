//! DPDK's tables among what is compared.

use std::net::{Ipv4Addr, Ipv6Addr};

use bench::noise::Keys;
pub(crate) use bench::peers::Table;

use crate::engines::Engine;

impl Engine<Ipv4Addr> for Table {
    fn name(&self) -> &'static str {
        Self::name(self)
    }

    fn sweep(&mut self, keys: &Keys<Ipv4Addr>, burst: usize) {
        for numbers in keys.numbers.chunks(burst) {
            self.lookup4(numbers);
        }
    }

    fn answers(&mut self, keys: &Keys<Ipv4Addr>) -> Vec<u32> {
        let mut words = Vec::with_capacity(keys.numbers.len());
        for numbers in keys.numbers.chunks(64) {
            self.lookup4(numbers);
            self.take_answers(numbers.len(), &mut words);
        }
        words
    }
}

impl Engine<Ipv6Addr> for Table {
    fn name(&self) -> &'static str {
        Self::name(self)
    }

    fn sweep(&mut self, keys: &Keys<Ipv6Addr>, burst: usize) {
        for addresses in keys.octets.chunks(burst) {
            self.lookup6(addresses);
        }
    }

    fn answers(&mut self, keys: &Keys<Ipv6Addr>) -> Vec<u32> {
        let mut words = Vec::with_capacity(keys.octets.len());
        for addresses in keys.octets.chunks(64) {
            self.lookup6(addresses);
            self.take_answers(addresses.len(), &mut words);
        }
        words
    }
}
