//! Which flow a packet belongs to, as a number: the same for all packets of one, and spread evenly over many.
//!
//! A flow is what five fields have in common: both addresses, the protocol and both ports. A fragment shows its ports only
//! if it is the first, so of a fragment, the first one too, the addresses alone count: all fragments of a datagram are one
//! flow. So are all packets of a protocol without ports between two hosts. The flow label of IPv6 is left out, since
//! senders may change it within a connection (RFC 6437 section 3.1).
//!
//! The number is computed here from the packet's own bytes. A NIC's hash would be cheaper where there is one, and there is
//! none on half the ports a router has: what has to send a flow one way must not depend on how its packets came in.
//!
//! [`FlowHash::seed`] is a secret of each router. Without it, every router in a row would split traffic at the same flows,
//! and the second of them would have nothing left to split; and a sender could aim all his flows at one path. It costs
//! three multiplications, and for IPv6 seven.

use crate::extension::upper;
use crate::ipv4::Ipv4;
use crate::ipv6::Ipv6;
use crate::tcp;

/// How packets are told apart into flows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FlowHash {
    /// The same packets make another number with another seed.
    pub seed: u64,
    /// Whether both directions of a conversation are one flow: for what has to see both, as firewalls do.
    pub symmetric: bool,
    /// Whether ports and protocol are left out, so that everything between two hosts is one flow.
    pub addresses_only: bool,
}

impl FlowHash {
    /// The number of the flow that `packet` belongs to; of bytes that are no IP packet, any.
    pub fn of(&self, packet: &[u8]) -> u64 {
        match packet.first().map(|byte| byte >> 4) {
            Some(4) => Ipv4::parse(packet).map_or(0, |packet| self.of_ipv4(&packet)),
            Some(6) => Ipv6::parse(packet).map_or(0, |packet| self.of_ipv6(&packet)),
            _ => 0,
        }
    }

    /// The same of a packet that was checked.
    pub fn of_ipv4(&self, packet: &Ipv4<'_>) -> u64 {
        let ports = match () {
            () if self.addresses_only || packet.is_fragment() => Ports::NONE,
            () => Ports::in_payload(packet.protocol(), packet.payload()),
        };
        let [source, destination] = [packet.source(), packet.destination()].map(|end| u64::from(end.to_bits()));
        let (from, to) = self.ends((source, ports.source), (destination, ports.destination));
        self.mix([from.0 << 32 | to.0, ports.word(from.1, to.1)])
    }

    /// The same of a packet that was checked.
    pub fn of_ipv6(&self, packet: &Ipv6<'_>) -> u64 {
        let ports = match upper(packet) {
            Some(upper) if !self.addresses_only && upper.fragment_offset.is_none() => {
                Ports::in_payload(upper.protocol, upper.bytes)
            }
            _ => Ports::NONE,
        };
        let [source, destination] = [packet.source(), packet.destination()].map(|end| end.to_bits());
        let (from, to) = self.ends((source, ports.source), (destination, ports.destination));
        let addresses = [halves(from.0), halves(to.0)].concat();
        let [a, b, c, d] = addresses[..] else { unreachable!("two addresses have four halves") };
        let first = self.mix([a, b]);
        let second = self.mix([c ^ first, d]);
        self.mix([second, ports.word(from.1, to.1)])
    }

    /// The ends in the order that counts: as the packet has them, or the same in both directions.
    fn ends<T: Ord>(&self, source: (T, u16), destination: (T, u16)) -> ((T, u16), (T, u16)) {
        if self.symmetric && source > destination { (destination, source) } else { (source, destination) }
    }

    /// Both words folded into one whose every bit depends on every bit of them.
    fn mix(&self, words: [u64; 2]) -> u64 {
        let secret = self.seed ^ FIRST;
        let folded = fold(words[0] ^ secret, words[1] ^ secret.rotate_left(32) ^ SECOND);
        fold(folded ^ SECOND, secret | 1)
    }
}

/// What a packet says beyond its addresses.
#[derive(Debug, Clone, Copy)]
struct Ports {
    protocol: u8,
    source: u16,
    destination: u16,
}

impl Ports {
    /// Nothing is said that all fragments of a datagram would say.
    const NONE: Self = Self { protocol: 0, source: 0, destination: 0 };

    fn in_payload(protocol: u8, payload: &[u8]) -> Self {
        let ports = matches!(protocol, TCP | UDP | DCCP | SCTP | UDP_LITE).then(|| payload.first_chunk::<4>());
        match ports.flatten() {
            Some([a, b, c, d]) => {
                let [source, destination] = [[*a, *b], [*c, *d]].map(u16::from_be_bytes);
                Self { protocol, source, destination }
            }
            None => Self { protocol, ..Self::NONE },
        }
    }

    fn word(self, from: u16, to: u16) -> u64 {
        u64::from(self.protocol) << 32 | u64::from(from) << 16 | u64::from(to)
    }
}

/// The product of both, its halves laid over each other.
fn fold(one: u64, other: u64) -> u64 {
    let [high, low] = halves(u128::from(one) * u128::from(other));
    high ^ low
}

#[expect(clippy::cast_possible_truncation, reason = "halves are what is wanted")]
fn halves(number: u128) -> [u64; 2] {
    [(number >> 64) as u64, number as u64]
}

/// The first digits of pi and of e, in binary: numbers with nothing up their sleeves.
const FIRST: u64 = 0x243f_6a88_85a3_08d3;
const SECOND: u64 = 0xb7e1_5162_8aed_2a6b;

/// The protocol number of TCP, whose header begins with its ports like those of the four below.
pub const TCP: u8 = tcp::PROTOCOL;
/// The protocol number of UDP.
pub const UDP: u8 = 17;
/// The protocol number of DCCP (RFC 4340).
pub const DCCP: u8 = 33;
/// The protocol number of SCTP (RFC 9260).
pub const SCTP: u8 = 132;
/// The protocol number of UDP-Lite (RFC 3828).
pub const UDP_LITE: u8 = 136;

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;
    use crate::{ipv4, ipv6};

    const SEEDED: FlowHash = FlowHash { seed: 7, symmetric: false, addresses_only: false };

    /// A datagram between hosts and ports with these numbers.
    #[derive(Debug, Clone, Copy)]
    struct Datagram {
        hosts: [u8; 2],
        ports: [u16; 2],
    }

    impl Datagram {
        fn payload(self) -> Vec<u8> {
            [self.ports[0].to_be_bytes(), self.ports[1].to_be_bytes(), [0, 8], [0, 0]].concat()
        }

        fn v4(self, protocol: u8) -> Vec<u8> {
            let [source, destination] = self.hosts.map(|host| Ipv4Addr::new(192, 0, 2, host));
            let header = ipv4::Builder {
                source,
                destination,
                protocol,
                ttl: 64,
                tos: 0,
                identification: 1,
                dont_fragment: false,
            };
            [&header.header(8).unwrap()[..], &self.payload()].concat()
        }

        fn v6(self, next_header: u8, before: &[u8]) -> Vec<u8> {
            let [source, destination] = self.hosts.map(|host| Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, host.into()));
            let builder = ipv6::Builder { source, destination, next_header, hop_limit: 64 };
            [&builder.header(before.len() + 8).unwrap()[..], before, &self.payload()].concat()
        }
    }

    const ONE: Datagram = Datagram { hosts: [1, 2], ports: [1000, 53] };

    #[test]
    fn each_of_the_five_fields_makes_another_flow() {
        let others = [
            Datagram { hosts: [3, 2], ..ONE },
            Datagram { hosts: [1, 3], ..ONE },
            Datagram { ports: [1001, 53], ..ONE },
            Datagram { ports: [1000, 54], ..ONE },
        ];
        for other in others {
            assert_ne!(SEEDED.of(&ONE.v4(UDP)), SEEDED.of(&other.v4(UDP)), "{other:?}");
            assert_ne!(SEEDED.of(&ONE.v6(UDP, &[])), SEEDED.of(&other.v6(UDP, &[])), "{other:?}");
        }
        assert_ne!(SEEDED.of(&ONE.v4(UDP)), SEEDED.of(&ONE.v4(TCP)));
        assert_ne!(SEEDED.of(&ONE.v6(UDP, &[])), SEEDED.of(&ONE.v6(TCP, &[])));
    }

    #[test]
    fn what_follows_extension_headers_is_the_same_flow() {
        let options = [UDP, 0, 1, 4, 0, 0, 0, 0];
        assert_eq!(SEEDED.of(&ONE.v6(60, &options)), SEEDED.of(&ONE.v6(UDP, &[])));
    }

    #[test]
    fn of_fragments_the_addresses_alone_count() {
        let fragments = |flags: u16, ports: [u16; 2]| {
            let mut packet = Datagram { ports, ..ONE }.v4(UDP);
            packet[6..8].copy_from_slice(&flags.to_be_bytes());
            packet[10..12].fill(0);
            let sum = crate::checksum::checksum(&packet[..20]);
            packet[10..12].copy_from_slice(&sum.to_be_bytes());
            SEEDED.of(&packet)
        };
        assert_eq!(fragments(0x2000, [1000, 53]), fragments(3, [0xdead, 0xbeef]), "the first and a later one");
        let fragments6 = |offset: u16, ports: [u16; 2]| {
            let [high, low] = offset.to_be_bytes();
            SEEDED.of(&Datagram { ports, ..ONE }.v6(44, &[UDP, 0, high, low, 0, 0, 0, 9]))
        };
        assert_eq!(fragments6(1, [1000, 53]), fragments6(0x100, [0xdead, 0xbeef]));
        let hosts = FlowHash { addresses_only: true, ..SEEDED };
        assert_eq!(hosts.of(&ONE.v4(UDP)), hosts.of(&Datagram { ports: [7, 7], ..ONE }.v4(TCP)), "or where asked for");
    }

    #[test]
    fn another_seed_makes_other_numbers() {
        assert_ne!(SEEDED.of(&ONE.v4(UDP)), FlowHash { seed: 8, ..SEEDED }.of(&ONE.v4(UDP)));
    }

    #[test]
    fn many_flows_are_spread_evenly_whatever_they_differ_in() {
        let by_port = |number: u16| Datagram { ports: [1024 + number, 80], ..ONE }.v4(TCP);
        let by_host = |number: u16| {
            let [high, low] = number.to_be_bytes();
            let mut packet = ONE.v4(TCP);
            // The checksum would have to follow; a view does not ask once it is made, so neither do we.
            packet[14..16].copy_from_slice(&[high, low]);
            packet[10..12].fill(0);
            let sum = crate::checksum::checksum(&packet[..20]);
            packet[10..12].copy_from_slice(&sum.to_be_bytes());
            packet
        };
        for (name, flow) in [("ports", &by_port as &dyn Fn(u16) -> Vec<u8>), ("hosts", &by_host)] {
            let mut boxes = [0_u32; 64];
            (0..32_768).for_each(|number| boxes[(SEEDED.of(&flow(number)) >> 58) as usize] += 1);
            // 512 are expected in each, give or take 22.4 (one deviation): none is five away.
            assert!(boxes.iter().all(|count| count.abs_diff(512) < 112), "{name}: {boxes:?}");
        }
    }

    proptest! {
        #[test]
        fn both_directions_are_one_flow_if_asked_for(hosts: [u8; 2], ports: [u16; 2]) {
            let (there, back) = (Datagram { hosts, ports }, Datagram { hosts: [hosts[1], hosts[0]], ports: [ports[1], ports[0]] });
            let symmetric = FlowHash { symmetric: true, ..SEEDED };
            prop_assert_eq!(symmetric.of(&there.v4(TCP)), symmetric.of(&back.v4(TCP)));
            prop_assert_eq!(symmetric.of(&there.v6(TCP, &[])), symmetric.of(&back.v6(TCP, &[])));
            if hosts[0] != hosts[1] || ports[0] != ports[1] {
                prop_assert_ne!(SEEDED.of(&there.v4(TCP)), SEEDED.of(&back.v4(TCP)));
            }
        }

        #[test]
        fn any_bytes_have_a_number(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            prop_assert_eq!(SEEDED.of(&bytes), SEEDED.of(&bytes));
        }
    }
}
