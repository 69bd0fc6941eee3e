//! IPv4 packets (RFC 791), checked as a router must before it looks at them (RFC 1812 section 5.2.2).

use std::net::Ipv4Addr;

use crate::checksum::{Sum, checksum};

/// Length of a header without options, in bytes.
pub const MIN_HEADER_LEN: usize = 20;

/// A validated IPv4 packet over borrowed bytes.
///
/// Holding one proves that the checks of RFC 1812 section 5.2.2 passed. It ends where its total length says: what the
/// link appended, such as padding, is not part of it.
#[derive(Debug, Clone, Copy)]
pub struct Ipv4<'a> {
    header: &'a [u8; MIN_HEADER_LEN],
    packet: &'a [u8],
}

impl<'a> Ipv4<'a> {
    /// Checks `bytes`, which start at the IP header.
    ///
    /// # Errors
    ///
    /// The first rule that is broken, in the order of RFC 1812 section 5.2.2 but for the checksum, which is verified as
    /// soon as the header's length is known to be sane.
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Self, HeaderError> {
        // (1): the link layer must have delivered a minimum header.
        let header = bytes.first_chunk::<MIN_HEADER_LEN>().ok_or(HeaderError::Truncated)?;
        // (3): version 4.
        if header[0] >> 4 != 4 {
            return Err(HeaderError::Version);
        }
        // (4): a header of at least five words, all of which must be there to be summed.
        let header_len = usize::from(header[0] & 0x0f) * 4;
        if header_len < MIN_HEADER_LEN {
            return Err(HeaderError::HeaderLength);
        }
        let options = bytes.get(MIN_HEADER_LEN..header_len).ok_or(HeaderError::Truncated)?;
        // (2): the checksum of the header is right.
        if !Sum::default().bytes(header).bytes(options).verifies() {
            return Err(HeaderError::Checksum);
        }
        // (5): the datagram must hold its own header, and have arrived whole.
        let total_len = usize::from(u16::from_be_bytes([header[2], header[3]]));
        if total_len < header_len {
            return Err(HeaderError::TotalLength);
        }
        let packet = bytes.get(..total_len).ok_or(HeaderError::Truncated)?;
        Ok(Self { header, packet })
    }

    /// Where it comes from.
    #[inline]
    pub fn source(&self) -> Ipv4Addr {
        let [.., a, b, c, d, _, _, _, _] = *self.header;
        Ipv4Addr::new(a, b, c, d)
    }

    /// Where it goes.
    #[inline]
    pub fn destination(&self) -> Ipv4Addr {
        let [.., a, b, c, d] = *self.header;
        Ipv4Addr::new(a, b, c, d)
    }

    /// Hops it may still take.
    #[inline]
    pub fn ttl(&self) -> u8 {
        self.header[8]
    }

    /// What it carries: an IANA protocol number.
    pub fn protocol(&self) -> u8 {
        self.header[9]
    }

    /// Its number among the sender's packets, shared by the fragments of one.
    pub fn identification(&self) -> u16 {
        u16::from_be_bytes([self.header[4], self.header[5]])
    }

    /// Whether routers must not fragment it.
    pub fn dont_fragment(&self) -> bool {
        self.header[6] & 0x40 != 0
    }

    /// Whether it is a fragment and not the last one.
    pub fn more_fragments(&self) -> bool {
        self.header[6] & 0x20 != 0
    }

    /// Where its payload belongs in the whole datagram's, in bytes: a multiple of eight.
    pub fn fragment_offset(&self) -> u16 {
        (u16::from_be_bytes([self.header[6], self.header[7]]) & 0x1fff) << 3
    }

    /// Whether it is any fragment but a whole datagram.
    pub fn is_fragment(&self) -> bool {
        self.more_fragments() || self.fragment_offset() != 0
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

    /// The options after the minimum header; empty in most packets.
    pub fn options(&self) -> &'a [u8] {
        &self.packet[MIN_HEADER_LEN..self.header_len()]
    }

    /// What follows the header.
    pub fn payload(&self) -> &'a [u8] {
        &self.packet[self.header_len()..]
    }

    /// Length of the header with its options, in bytes.
    pub fn header_len(&self) -> usize {
        usize::from(self.header[0] & 0x0f) * 4
    }
}

/// Why bytes are not an IPv4 packet, by the rule of RFC 1812 section 5.2.2 they break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// Rule 1, and 5: shorter than its headers, or its total length, claim.
    #[error("shorter than it claims to be")]
    Truncated,
    /// Rule 2.
    #[error("the header checksum is wrong")]
    Checksum,
    /// Rule 3.
    #[error("the version is not 4")]
    Version,
    /// Rule 4.
    #[error("the header is shorter than 20 bytes")]
    HeaderLength,
    /// Rule 5.
    #[error("the total length does not hold the header")]
    TotalLength,
}

/// Takes one hop off the time to live and mends the checksum to match (RFC 1812 section 5.3.1, RFC 1624).
///
/// `header` is one that [`Ipv4::parse`] accepted, with a time to live of at least 1. Nothing else in it changes.
#[inline]
pub fn decrement_ttl(header: &mut [u8; MIN_HEADER_LEN]) {
    // Time to live, protocol and checksum, as one number.
    let word = header[8..12].first_chunk_mut().expect("the header is longer");
    let before = u32::from_le_bytes(*word);
    // Equation 3 of RFC 1624, where the word that changed is 0x0100 less whatever it was: so the checksum is 0x0100 more, in
    // ones' complement, of whose two zeros it says the one without bits. That is so in either order of bytes (RFC 1071).
    let carry = u32::from(before >= 0xfffe_0000);
    *word = before.wrapping_add(0x0001_0000 - 1).wrapping_add(carry << 16).to_le_bytes();
}

/// A header to build: no options, not a fragment unless it says so.
#[derive(Debug, Clone, Copy)]
pub struct Builder {
    /// Where it comes from.
    pub source: Ipv4Addr,
    /// Where it goes.
    pub destination: Ipv4Addr,
    /// An IANA protocol number.
    pub protocol: u8,
    /// Hops it may take.
    pub ttl: u8,
    /// Precedence and type of service; 0xc0 is internetwork control.
    pub tos: u8,
    /// Its number among the sender's packets.
    pub identification: u16,
    /// Whether routers must not fragment it.
    pub dont_fragment: bool,
}

impl Builder {
    /// The header of a packet with `payload_len` bytes after it; `None` when no IPv4 packet can be that long.
    pub fn header(&self, payload_len: usize) -> Option<[u8; MIN_HEADER_LEN]> {
        let total_len = u16::try_from(payload_len.checked_add(MIN_HEADER_LEN)?).ok()?;
        let mut header = [0; MIN_HEADER_LEN];
        header[0] = 0x45;
        header[1] = self.tos;
        header[2..4].copy_from_slice(&total_len.to_be_bytes());
        header[4..6].copy_from_slice(&self.identification.to_be_bytes());
        header[6] = if self.dont_fragment { 0x40 } else { 0 };
        header[8] = self.ttl;
        header[9] = self.protocol;
        header[12..16].copy_from_slice(&self.source.octets());
        header[16..20].copy_from_slice(&self.destination.octets());
        let sum = checksum(&header);
        header[10..12].copy_from_slice(&sum.to_be_bytes());
        Some(header)
    }

    /// The same with `options`, which are whole words and at most ten; `None` also when they are not.
    pub fn header_with(&self, options: &[u8], payload_len: usize) -> Option<Vec<u8>> {
        let words = u8::try_from(options.len() / 4).ok().filter(|words| *words <= 10)?;
        let mut header = self.header(payload_len.checked_add(options.len())?)?.to_vec();
        header.extend(options);
        header[0] += words;
        header[10..12].fill(0);
        let sum = checksum(&header);
        header[10..12].copy_from_slice(&sum.to_be_bytes());
        options.len().is_multiple_of(4).then_some(header)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header(ttl: u8, identification: u16) -> [u8; MIN_HEADER_LEN] {
        let builder = Builder {
            source: Ipv4Addr::new(192, 0, 2, 1),
            destination: Ipv4Addr::new(198, 51, 100, 1),
            protocol: 17,
            ttl,
            tos: 0,
            identification,
            dont_fragment: true,
        };
        builder.header(0).unwrap()
    }

    fn with_right_checksum(mut packet: Vec<u8>) -> Vec<u8> {
        packet[10..12].fill(0);
        let sum = checksum(&packet[..usize::from(packet[0] & 0x0f) * 4]);
        packet[10..12].copy_from_slice(&sum.to_be_bytes());
        packet
    }

    /// RFC 1812 section 5.2.2, one row per rule.
    #[test]
    fn a_packet_that_breaks_a_rule_is_refused_for_it() {
        let whole = header(64, 1).to_vec();
        #[rustfmt::skip]
        let rules = [
            ("(1) shorter than a header", whole[..19].to_vec(), HeaderError::Truncated),
            ("(2) checksum", { let mut p = whole.clone(); p[11] ^= 1; p }, HeaderError::Checksum),
            ("(3) version", { let mut p = whole.clone(); p[0] = 0x65; p }, HeaderError::Version),
            ("(4) header length", { let mut p = whole.clone(); p[0] = 0x44; p }, HeaderError::HeaderLength),
            ("(5) options not there", { let mut p = whole.clone(); p[0] = 0x4f; p }, HeaderError::Truncated),
            ("(5) total length", { let mut p = whole.clone(); p[3] = 19; with_right_checksum(p) }, HeaderError::TotalLength),
            ("(5) not whole", { let mut p = whole.clone(); p[3] = 21; with_right_checksum(p) }, HeaderError::Truncated),
        ];
        for (rule, packet, broken) in rules {
            assert_eq!(Ipv4::parse(&packet).err(), Some(broken), "{rule}");
        }
        assert!(Ipv4::parse(&whole).is_ok());
    }

    #[test]
    fn padding_behind_a_packet_is_not_part_of_it() {
        let mut padded = header(64, 1).to_vec();
        padded.resize(46, 0xaa);
        assert_eq!(Ipv4::parse(&padded).unwrap().total_len(), MIN_HEADER_LEN);
    }

    #[test]
    fn a_hop_changes_the_time_to_live_and_the_checksum_and_nothing_else() {
        // Every identification gives another checksum, so this passes all of them, 0x0000 and 0xffff among them.
        for identification in 0..=u16::MAX {
            let before = header(64, identification);
            let mut after = before;
            decrement_ttl(&mut after);
            assert_eq!(after, header(63, identification));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_asked_whether_they_are_a_packet(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(packet) = Ipv4::parse(&with_right_checksum_if_long(bytes)) {
                prop_assert_eq!(packet.header_len() + packet.payload().len(), packet.total_len());
                prop_assert_eq!(packet.options().len() + MIN_HEADER_LEN, packet.header_len());
            }
        }
    }

    fn with_right_checksum_if_long(bytes: Vec<u8>) -> Vec<u8> {
        let whole = bytes.len() >= 60;
        if whole { with_right_checksum(bytes) } else { bytes }
    }
}
