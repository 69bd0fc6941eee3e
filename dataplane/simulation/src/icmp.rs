//! ICMP of either family, read whole.

use std::net::IpAddr;

use packet::icmpv4::Icmpv4;
use packet::icmpv6::Icmpv6;
use packet::ipv4::Ipv4;
use packet::ipv6::Ipv6;

/// An ICMP message as it left, with all there is to look at; its checksums are right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Icmp {
    /// Who sent it.
    pub source: IpAddr,
    /// Whom to.
    pub destination: IpAddr,
    /// Hops it may take.
    pub hops: u8,
    /// Type of service, or traffic class.
    pub tos: u8,
    /// Type and code.
    pub kind_and_code: (u8, u8),
    /// The four bytes behind the checksum: an MTU, a pointer, or an echo's identifier and number.
    pub word: u32,
    /// What follows: a quote, or an echo's data.
    pub body: Vec<u8>,
}

impl Icmp {
    /// Reads a packet, and panics if there is no sound ICMP message in it.
    pub fn read(packet: &[u8]) -> Self {
        let word = |message: &[u8]| u32::from_be_bytes(*message[4..].first_chunk().expect("ICMP has eight bytes"));
        if packet[0] >> 4 == 4 {
            let ip = Ipv4::parse(packet).expect("a sound IPv4 packet");
            assert_eq!(ip.protocol(), 1, "not ICMP");
            let icmp = Icmpv4::parse(ip.payload()).expect("sound ICMP");
            Self {
                source: ip.source().into(),
                destination: ip.destination().into(),
                hops: ip.ttl(),
                tos: packet[1],
                kind_and_code: (icmp.kind(), icmp.code()),
                word: word(ip.payload()),
                body: icmp.body().to_vec(),
            }
        } else {
            let ip = Ipv6::parse(packet).expect("a sound IPv6 packet");
            assert_eq!(ip.next_header(), 58, "not ICMPv6");
            let icmp = Icmpv6::parse(ip.payload(), ip.source(), ip.destination()).expect("sound ICMPv6");
            Self {
                source: ip.source().into(),
                destination: ip.destination().into(),
                hops: ip.hop_limit(),
                tos: packet[0] << 4 | packet[1] >> 4,
                kind_and_code: (icmp.kind(), icmp.code()),
                word: word(ip.payload()),
                body: icmp.body().to_vec(),
            }
        }
    }
}
