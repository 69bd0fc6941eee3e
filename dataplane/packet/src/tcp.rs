//! TCP (RFC 9293), as far as somebody needs it who never opens a connection: refusing one.

use std::net::IpAddr;

use crate::checksum::Sum;

/// The IANA protocol number.
pub const PROTOCOL: u8 = 6;

/// Length of a header without options, in bytes.
pub const HEADER_LEN: usize = 20;

/// A segment with the right checksum over borrowed bytes.
#[derive(Debug, Clone, Copy)]
pub struct Segment<'a> {
    header: &'a [u8; HEADER_LEN],
    data_len: usize,
}

impl<'a> Segment<'a> {
    /// Checks `bytes`, all that a packet between these addresses carries.
    ///
    /// # Errors
    ///
    /// When they are shorter than their header, or damaged.
    pub fn parse(bytes: &'a [u8], source: IpAddr, destination: IpAddr) -> Result<Self, SegmentError> {
        let header = bytes.first_chunk::<HEADER_LEN>().ok_or(SegmentError::Truncated)?;
        let header_len = usize::from(header[12] >> 4) * 4;
        if header_len < HEADER_LEN {
            return Err(SegmentError::Truncated);
        }
        let data_len = bytes.len().checked_sub(header_len).ok_or(SegmentError::Truncated)?;
        match pseudo(source, destination, bytes.len()).is_some_and(|sum| sum.bytes(bytes).verifies()) {
            true => Ok(Self { header, data_len }),
            false => Err(SegmentError::Checksum),
        }
    }

    /// Whether it is a refusal itself.
    pub fn is_reset(&self) -> bool {
        self.header[13] & RST != 0
    }

    /// The refusal to send back, where no connection is (RFC 9293 section 3.10.7.1); none of a refusal.
    ///
    /// `from` and `to` are the addresses of the answer.
    pub fn refused(&self, from: IpAddr, to: IpAddr) -> Option<[u8; HEADER_LEN]> {
        if self.is_reset() {
            return None;
        }
        let flags = self.header[13];
        // What is acknowledged is what the other side expects next; who acknowledged nothing is told what was seen.
        let (sequence, acknowledged, answer) = if flags & ACK != 0 {
            (self.word(8), 0, RST)
        } else {
            let seen = u32::from(flags & SYN != 0) + u32::from(flags & FIN != 0);
            let len = u32::try_from(self.data_len).ok()?;
            (0, self.word(4).wrapping_add(len).wrapping_add(seen), RST | ACK)
        };
        let mut header = [0; HEADER_LEN];
        header[0..2].copy_from_slice(&self.header[2..4]);
        header[2..4].copy_from_slice(&self.header[0..2]);
        header[4..8].copy_from_slice(&sequence.to_be_bytes());
        header[8..12].copy_from_slice(&acknowledged.to_be_bytes());
        header[12] = 5 << 4;
        header[13] = answer;
        let sum = pseudo(from, to, HEADER_LEN)?.bytes(&header).checksum();
        header[16..18].copy_from_slice(&sum.to_be_bytes());
        Some(header)
    }

    fn word(&self, at: usize) -> u32 {
        u32::from_be_bytes(*self.header[at..].first_chunk().expect("a header has five words"))
    }
}

/// Why bytes are not a TCP segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SegmentError {
    /// Shorter than its header, or the header than it can be.
    #[error("shorter than its header claims")]
    Truncated,
    /// Damaged on the way.
    #[error("the TCP checksum is wrong")]
    Checksum,
}

/// The sum over what the checksum covers besides the segment; none if the addresses are not of one family, or the segment
/// is longer than any packet.
fn pseudo(source: IpAddr, destination: IpAddr, len: usize) -> Option<Sum> {
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            Some(Sum::pseudo_ipv4(source, destination, PROTOCOL, u16::try_from(len).ok()?))
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            Some(Sum::pseudo_ipv6(source, destination, PROTOCOL, u32::try_from(len).ok()?))
        }
        _ => None,
    }
}

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ends(is_ipv4: bool) -> (IpAddr, IpAddr) {
        let pair = if is_ipv4 { ("192.0.2.10", "192.0.2.1") } else { ("2001:db8::10", "2001:db8::1") };
        (pair.0.parse().unwrap(), pair.1.parse().unwrap())
    }

    fn segment(is_ipv4: bool, flags: u8, data: &[u8]) -> Vec<u8> {
        let (source, destination) = ends(is_ipv4);
        let mut segment = vec![0x9c, 0x40, 0, 80, 0, 0, 0, 100, 0, 0, 0, 7, 5 << 4, flags, 0, 0, 0, 0, 0, 0];
        segment.extend(data);
        let sum = pseudo(source, destination, segment.len()).unwrap().bytes(&segment).checksum();
        segment[16..18].copy_from_slice(&sum.to_be_bytes());
        segment
    }

    /// RFC 9293 section 3.10.7.1: flags and data in; sequence number, acknowledgement and flags out.
    #[test]
    fn a_segment_to_nobody_is_refused_with_the_numbers_its_sender_will_believe() {
        for is_ipv4 in [true, false] {
            for (row, flags, data, sequence, acknowledged, answer) in [
                ("a connection", SYN, &b""[..], 0, 101, RST | ACK),
                ("data that acknowledges nothing", 0, b"data", 0, 104, RST | ACK),
                ("an acknowledgement", ACK, b"data", 7, 0, RST),
            ] {
                let (source, destination) = ends(is_ipv4);
                let bytes = segment(is_ipv4, flags, data);
                let refused =
                    Segment::parse(&bytes, source, destination).unwrap().refused(destination, source).unwrap();
                let answered = Segment::parse(&refused, destination, source).expect("its checksum is right");
                assert_eq!(refused[..4], [0, 80, 0x9c, 0x40], "{row}");
                assert_eq!(
                    (answered.word(4), answered.word(8), refused[13]),
                    (sequence, acknowledged, answer),
                    "{row}"
                );
            }
        }
    }

    #[test]
    fn a_refusal_is_not_refused_and_what_is_damaged_is_none() {
        let (source, destination) = ends(true);
        let reset = segment(true, RST, b"");
        assert_eq!(Segment::parse(&reset, source, destination).unwrap().refused(destination, source), None);
        let mut damaged = segment(true, SYN, b"data");
        damaged[21] ^= 1;
        assert_eq!(Segment::parse(&damaged, source, destination).err(), Some(SegmentError::Checksum));
        assert_eq!(Segment::parse(&damaged[..19], source, destination).err(), Some(SegmentError::Truncated));
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_asked_whether_they_are_tcp(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let (source, destination) = ends(true);
            if let Ok(segment) = Segment::parse(&bytes, source, destination) {
                let _answer = segment.refused(destination, source);
            }
        }
    }
}
