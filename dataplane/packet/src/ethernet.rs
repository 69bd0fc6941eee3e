//! Ethernet frames: two addresses and a type (IEEE 802.3 clause 3, RFC 894, RFC 2464).

use std::fmt::{self, Debug, Display};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Length of a header without tags, in bytes.
pub const HEADER_LEN: usize = 14;

/// Where a header without tags says what follows, in bytes.
pub const TYPE_AT: usize = 12;

/// Shortest frame on a wire without its check sequence, in bytes; what is shorter is padded.
pub const MIN_FRAME_LEN: usize = 60;

/// A station's address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacAddr(pub [u8; 6]);

impl MacAddr {
    /// Every station on the link.
    pub const BROADCAST: Self = Self([0xff; 6]);
    /// No station: the target of an ARP request that asks for it.
    pub const ZERO: Self = Self([0; 6]);

    /// Whether it names a group of stations; the broadcast address is one.
    #[inline]
    pub const fn is_multicast(self) -> bool {
        self.0[0] & 1 != 0
    }

    /// The group an IPv4 multicast group is sent to (RFC 1112 section 6.4).
    pub const fn of_ipv4_multicast(group: Ipv4Addr) -> Self {
        let [_, b, c, d] = group.octets();
        Self([0x01, 0x00, 0x5e, b & 0x7f, c, d])
    }

    /// The group an IPv6 multicast group is sent to (RFC 2464 section 7).
    pub const fn of_ipv6_multicast(group: Ipv6Addr) -> Self {
        let [.., a, b, c, d] = group.octets();
        Self([0x33, 0x33, a, b, c, d])
    }

    /// The link-local address this station gives itself (RFC 4291 appendix A: modified EUI-64).
    pub const fn link_local(self) -> Ipv6Addr {
        let [a, b, c, d, e, f] = self.0;
        Ipv6Addr::from_octets([0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f])
    }
}

impl Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl Debug for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

impl FromStr for MacAddr {
    type Err = MacAddrError;

    /// Reads six pairs of hexadecimal digits with colons between them.
    fn from_str(text: &str) -> Result<Self, MacAddrError> {
        let refused = || MacAddrError { given: text.to_owned() };
        let mut octets = [0; 6];
        let mut pairs = text.split(':');
        for octet in &mut octets {
            let pair = pairs.next().filter(|pair| pair.len() == 2 && pair.bytes().all(|b| b.is_ascii_hexdigit()));
            *octet = u8::from_str_radix(pair.ok_or_else(refused)?, 16).map_err(|_not_hex| refused())?;
        }
        if pairs.next().is_some() { Err(refused()) } else { Ok(Self(octets)) }
    }
}

/// Text that is no station's address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not a MAC address; it is written like `02:00:5e:10:00:01`")]
pub struct MacAddrError {
    given: String,
}

/// What a frame carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EtherType(pub u16);

impl EtherType {
    /// IPv4 (RFC 894).
    pub const IPV4: Self = Self(0x0800);
    /// Address resolution for IPv4 (RFC 826).
    pub const ARP: Self = Self(0x0806);
    /// An IEEE 802.1Q tag follows.
    pub const VLAN: Self = Self(0x8100);
    /// An IEEE 802.1ad service tag follows.
    pub const SERVICE_VLAN: Self = Self(0x88a8);
    /// IPv6 (RFC 2464).
    pub const IPV6: Self = Self(0x86dd);
}

/// A header without tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// To which station.
    pub destination: MacAddr,
    /// From which station.
    pub source: MacAddr,
    /// What follows.
    pub ether_type: EtherType,
}

impl Header {
    /// Reads the header at the start of `frame`, and what follows it; `None` when the frame is shorter than a header.
    #[inline]
    pub fn parse(frame: &[u8]) -> Option<(Self, &[u8])> {
        let (header, payload) = frame.split_first_chunk::<HEADER_LEN>()?;
        let [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, t0, t1] = *header;
        let header = Self {
            destination: MacAddr([d0, d1, d2, d3, d4, d5]),
            source: MacAddr([s0, s1, s2, s3, s4, s5]),
            ether_type: EtherType(u16::from_be_bytes([t0, t1])),
        };
        Some((header, payload))
    }

    /// The header as it stands on the wire.
    pub const fn to_bytes(self) -> [u8; HEADER_LEN] {
        let [d0, d1, d2, d3, d4, d5] = self.destination.0;
        let [s0, s1, s2, s3, s4, s5] = self.source.0;
        let [t0, t1] = self.ether_type.0.to_be_bytes();
        [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, t0, t1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_reads_back_as_it_was_written() {
        let header = Header {
            destination: "02:00:00:00:00:01".parse().unwrap(),
            source: "02:00:00:00:00:02".parse().unwrap(),
            ether_type: EtherType::IPV6,
        };
        let mut frame = header.to_bytes().to_vec();
        frame.push(0x60);
        assert_eq!(Header::parse(&frame), Some((header, &[0x60][..])));
        assert_eq!(Header::parse(&frame[..13]), None);
    }

    #[test]
    fn text_that_is_no_mac_address_is_refused() {
        for text in
            ["", "02:00:00:00:00", "02:00:00:00:00:00:00", "2:0:0:0:0:0", "+2:00:00:00:00:00", "02-00-00-00-00-00"]
        {
            assert!(text.parse::<MacAddr>().is_err(), "{text}");
        }
        assert_eq!("AA:bb:0c:00:00:01".parse::<MacAddr>().unwrap().to_string(), "aa:bb:0c:00:00:01");
    }

    #[test]
    fn groups_map_to_the_addresses_the_rfcs_give() {
        let group = Ipv4Addr::new(224, 129, 2, 3);
        assert_eq!(MacAddr::of_ipv4_multicast(group).to_string(), "01:00:5e:01:02:03");
        let group = "ff02::1:ff00:1234".parse().unwrap();
        assert_eq!(MacAddr::of_ipv6_multicast(group).to_string(), "33:33:ff:00:12:34");
        let station: MacAddr = "34:56:78:9a:bc:de".parse().unwrap();
        assert_eq!(station.link_local().to_string(), "fe80::3656:78ff:fe9a:bcde");
    }
}
