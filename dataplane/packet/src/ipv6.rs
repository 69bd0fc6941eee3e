//! IPv6 packets (RFC 8200), checked as a router must; what comes after the fixed header is the end hosts' business.

use std::net::Ipv6Addr;

use crate::extension::NO_NEXT_HEADER;

/// Length of the fixed header, in bytes.
pub const HEADER_LEN: usize = 40;

/// Smallest MTU a link that carries IPv6 may have, in bytes (RFC 8200 section 5).
pub const MIN_MTU: u16 = 1280;

/// A validated IPv6 packet over borrowed bytes. It ends where its payload length says.
#[derive(Debug, Clone, Copy)]
pub struct Ipv6<'a> {
    header: &'a [u8; HEADER_LEN],
    packet: &'a [u8],
}

impl<'a> Ipv6<'a> {
    /// Checks `bytes`, which start at the IP header.
    ///
    /// # Errors
    ///
    /// The first rule of RFC 8200 section 3 that is broken.
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Self, HeaderError> {
        let header = bytes.first_chunk::<HEADER_LEN>().ok_or(HeaderError::Truncated)?;
        if header[0] >> 4 != 6 {
            return Err(HeaderError::Version);
        }
        let payload_len = usize::from(u16::from_be_bytes([header[4], header[5]]));
        let packet = bytes.get(..HEADER_LEN + payload_len).ok_or(HeaderError::Truncated)?;
        // No header follows in no bytes, and a jumbogram's length stands where nobody looks for it here (RFC 2675).
        if payload_len == 0 && header[6] != NO_NEXT_HEADER {
            return Err(HeaderError::Truncated);
        }
        Ok(Self { header, packet })
    }

    /// Where it comes from.
    #[inline]
    pub fn source(&self) -> Ipv6Addr {
        let octets = self.header[8..24].first_chunk().expect("sixteen bytes");
        Ipv6Addr::from_octets(*octets)
    }

    /// Where it goes.
    #[inline]
    pub fn destination(&self) -> Ipv6Addr {
        let octets = self.header.last_chunk().expect("sixteen bytes");
        Ipv6Addr::from_octets(*octets)
    }

    /// Hops it may still take.
    #[inline]
    pub fn hop_limit(&self) -> u8 {
        self.header[7]
    }

    /// What follows the fixed header: an extension header or an upper layer, by IANA protocol number.
    #[inline]
    pub fn next_header(&self) -> u8 {
        self.header[6]
    }

    /// Header and payload, in bytes: what an MTU limits.
    #[inline]
    pub fn total_len(&self) -> usize {
        self.packet.len()
    }

    /// The packet's bytes, header first, nothing after its end.
    pub fn bytes(&self) -> &'a [u8] {
        self.packet
    }

    /// What follows the fixed header.
    pub fn payload(&self) -> &'a [u8] {
        &self.packet[HEADER_LEN..]
    }
}

/// Why bytes are not an IPv6 packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// Shorter than its header, its payload length or the header that is to follow claims.
    #[error("shorter than it claims to be")]
    Truncated,
    /// The version is not 6.
    #[error("the version is not 6")]
    Version,
}

/// Takes one hop off the hop limit.
///
/// `header` is one that [`Ipv6::parse`] accepted, with a hop limit of at least 1. Nothing else in it changes.
#[inline]
pub fn decrement_hop_limit(header: &mut [u8; HEADER_LEN]) {
    header[7] = header[7].wrapping_sub(1);
}

/// A fixed header to build.
#[derive(Debug, Clone, Copy)]
pub struct Builder {
    /// Where it comes from.
    pub source: Ipv6Addr,
    /// Where it goes.
    pub destination: Ipv6Addr,
    /// What follows, by IANA protocol number.
    pub next_header: u8,
    /// Hops it may take.
    pub hop_limit: u8,
}

impl Builder {
    /// The header of a packet with `payload_len` bytes after it; `None` when no plain IPv6 packet can be that long.
    pub fn header(&self, payload_len: usize) -> Option<[u8; HEADER_LEN]> {
        let payload_len = u16::try_from(payload_len).ok()?;
        let mut header = [0; HEADER_LEN];
        header[0] = 0x60;
        header[4..6].copy_from_slice(&payload_len.to_be_bytes());
        header[6] = self.next_header;
        header[7] = self.hop_limit;
        header[8..24].copy_from_slice(&self.source.octets());
        header[24..40].copy_from_slice(&self.destination.octets());
        Some(header)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet() -> Vec<u8> {
        let builder = Builder {
            source: "2001:db8::1".parse().unwrap(),
            destination: "2001:db8:1::1".parse().unwrap(),
            next_header: 59,
            hop_limit: 64,
        };
        let mut packet = builder.header(8).unwrap().to_vec();
        packet.extend([0; 8]);
        packet
    }

    /// RFC 8200 section 3, one row per rule.
    #[test]
    fn a_packet_that_breaks_a_rule_is_refused_for_it() {
        let whole = packet();
        let mut other_version = whole.clone();
        other_version[0] = 0x45;
        assert_eq!(Ipv6::parse(&whole[..39]).err(), Some(HeaderError::Truncated), "shorter than a header");
        assert_eq!(Ipv6::parse(&whole[..47]).err(), Some(HeaderError::Truncated), "payload not whole");
        assert_eq!(Ipv6::parse(&other_version).err(), Some(HeaderError::Version), "version");
        assert!(Ipv6::parse(&whole).is_ok());
        let mut empty = whole;
        empty[4..6].fill(0);
        assert!(Ipv6::parse(&empty).is_ok(), "nothing follows, as it says");
        empty[6] = 17;
        assert_eq!(Ipv6::parse(&empty).err(), Some(HeaderError::Truncated), "a header in no bytes");
    }

    #[test]
    fn a_packet_ends_where_its_payload_length_says() {
        let mut padded = packet();
        padded.extend([0xaa; 12]);
        let parsed = Ipv6::parse(&padded).unwrap();
        assert_eq!(parsed.total_len(), 48);
        assert_eq!(parsed.source().to_string(), "2001:db8::1");
        assert_eq!(parsed.destination().to_string(), "2001:db8:1::1");
    }

    #[test]
    fn a_hop_changes_the_hop_limit_and_nothing_else() {
        let mut after = packet();
        decrement_hop_limit(after.first_chunk_mut().unwrap());
        let mut expected = packet();
        expected[7] = 63;
        assert_eq!(after, expected);
    }
}
