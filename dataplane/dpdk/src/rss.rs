//! Receive side scaling: how a device spreads flows over its receive queues.
//!
//! The device hashes the addresses of a packet, and its ports where it has any, with a secret key; the hash picks an entry
//! of an indirection table, and the entry names a queue. So a flow keeps to one queue, and its packets to their order. The
//! table is filled evenly here; what the device then has is read back, since drivers differ in what they let be set.

use dpdk_sys as sys;

/// How a device spreads flows, as it says itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rss {
    /// What of a packet is hashed.
    pub hashed: Vec<&'static str>,
    /// The secret; empty if the device does not tell it.
    pub key: Vec<u8>,
    /// The queue for each part of the hashes; empty if the device does not tell it.
    pub table: Vec<u16>,
}

/// With which key a device is to hash.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RssKey {
    /// Its driver's own.
    #[default]
    Device,
    /// One by which both directions of a conversation have the same hash: two bytes, repeated.
    Symmetric,
}

impl Rss {
    /// Whether both directions of a conversation have the same hash.
    #[must_use]
    pub fn is_symmetric(&self) -> bool {
        // Shifting the input by the length of an address or a port leaves the hash as it is if the key repeats itself so.
        self.key.len() > 2 && self.key.chunks(2).all(|pair| pair == &self.key[..pair.len()])
    }
}

/// A key of `len` bytes by which source and destination are alike.
pub(crate) fn symmetric_key(len: usize) -> Vec<u8> {
    [0x6d, 0x5a].into_iter().cycle().take(len).collect()
}

/// What the bits of `flows` stand for.
pub(crate) fn hashed(flows: u64) -> Vec<&'static str> {
    let known = [
        (sys::FERRY_RSS_IPV4, "IPv4 addresses"),
        (sys::FERRY_RSS_IPV4_PORTS, "IPv4 TCP and UDP ports"),
        (sys::FERRY_RSS_IPV6, "IPv6 addresses"),
        (sys::FERRY_RSS_IPV6_PORTS, "IPv6 TCP and UDP ports"),
    ];
    known.into_iter().filter(|(bits, _name)| flows & bits != 0).map(|(_bits, name)| name).collect()
}

/// A table of `len` entries in which each of `queues` has as many as any other, or one more.
pub(crate) fn even_table(len: u16, queues: u16) -> Vec<sys::rte_eth_rss_reta_entry64> {
    let mut groups = empty_table(len);
    let entries = groups.iter_mut().flat_map(|group| group.reta.iter_mut());
    entries.take(usize::from(len)).zip((0..queues).cycle()).for_each(|(entry, queue)| *entry = queue);
    groups
}

/// Room for a table of `len` entries, all of them asked for.
pub(crate) fn empty_table(len: u16) -> Vec<sys::rte_eth_rss_reta_entry64> {
    let groups = usize::from(len).div_ceil(GROUP);
    let mask = |group: usize| match usize::from(len) - group * GROUP {
        GROUP.. => u64::MAX,
        some => (1 << some) - 1,
    };
    (0..groups).map(|group| sys::rte_eth_rss_reta_entry64 { mask: mask(group), reta: [0; GROUP] }).collect()
}

/// The first `len` entries of a table.
pub(crate) fn entries(groups: &[sys::rte_eth_rss_reta_entry64], len: u16) -> Vec<u16> {
    groups.iter().flat_map(|group| group.reta).take(usize::from(len)).collect()
}

/// Entries that DPDK sets and asks for at once.
const GROUP: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_gives_every_queue_as_much_as_any_other() {
        for (len, queues) in [(128, 2), (128, 3), (512, 5), (72, 7), (1, 1)] {
            let groups = even_table(len, queues);
            let table = entries(&groups, len);
            let shares: Vec<_> =
                (0..queues).map(|queue| table.iter().filter(|entry| **entry == queue).count()).collect();
            let (least, most) = (shares.iter().min().unwrap(), shares.iter().max().unwrap());
            assert!(most - least <= 1, "{shares:?}");
            let asked: u32 = groups.iter().map(|group| group.mask.count_ones()).sum();
            assert_eq!((table.len(), asked), (usize::from(len), u32::from(len)), "no more than there is");
        }
    }

    /// Toeplitz, bit by bit, as cards do it.
    fn hash(key: &[u8], input: &[u8]) -> u32 {
        let bit = |bytes: &[u8], at: usize| bytes[at / 8] >> (7 - at % 8) & 1 == 1;
        let window = |at: usize| (0..32).fold(0, |word, next| word << 1 | u32::from(bit(key, at + next)));
        (0..input.len() * 8).filter(|at| bit(input, *at)).fold(0, |hash, at| hash ^ window(at))
    }

    #[test]
    fn with_the_symmetric_key_both_directions_of_a_conversation_have_one_hash() {
        let key = symmetric_key(40);
        let rss = |key| Rss { hashed: Vec::new(), key, table: Vec::new() };
        assert!(rss(key.clone()).is_symmetric());
        let there = [[192, 0, 2, 10], [198, 51, 100, 20], [0xc3, 0x51, 0, 80]].concat();
        let back = [[198, 51, 100, 20], [192, 0, 2, 10], [0, 80, 0xc3, 0x51]].concat();
        assert_eq!(hash(&key, &there), hash(&key, &back));
        let other: Vec<u8> = (0..40).collect();
        assert!(!rss(other.clone()).is_symmetric());
        assert_ne!(hash(&other, &there), hash(&other, &back));
        assert!(!rss(Vec::new()).is_symmetric(), "of a key that is not told, nothing is known");
    }
}
