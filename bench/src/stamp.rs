//! What a test packet carries to be known again, in the last 18 bytes of a packet of 46: the least an Ethernet frame holds.
//!
//! ```text
//! 0       2        3       4              10             18
//! | mark  | stream | trial | number       | cycles       |
//! ```
//!
//! The number counts the packets of a stream in a trial from 0. The trial tells a packet that was long on its way from
//! those of the trial that runs now; it is the last byte of its number, which is enough while packets live for seconds.
//! The time is the sender's own clock, so a packet must come back to who sent it to say how long it took.

use packet::ethernet::{EtherType, HEADER_LEN};
use packet::{ipv4, ipv6};

/// What a test packet says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Which stream it is of.
    pub stream: u8,
    /// Which trial it is of.
    pub trial: u8,
    /// Its place in the stream, from 0.
    pub number: u64,
    /// When it was sent, in the sender's cycles.
    pub cycles: u64,
}

impl Stamp {
    /// How long it is, in bytes.
    pub const LEN: usize = 18;

    /// The largest number there is room for.
    pub const LAST_NUMBER: u64 = (1 << 48) - 1;

    /// As it is carried.
    #[inline]
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[..2].copy_from_slice(&MARK);
        bytes[2] = self.stream;
        bytes[3] = self.trial;
        bytes[4..10].copy_from_slice(&self.number.to_be_bytes()[2..]);
        bytes[10..].copy_from_slice(&self.cycles.to_be_bytes());
        bytes
    }

    /// The stamp of a frame, if it is a test packet.
    ///
    /// Only what leads there is looked at: whether the packet is as it should be is not asked for every one of millions.
    #[inline]
    #[must_use]
    pub fn of_frame(frame: &[u8]) -> Option<Self> {
        let ether_type = u16::from_be_bytes(*frame.get(12..14)?.first_chunk()?);
        let header_len = match EtherType(ether_type) {
            EtherType::IPV4 => usize::from(frame.get(HEADER_LEN)? & 0x0f) * 4,
            EtherType::IPV6 => ipv6::HEADER_LEN,
            _ => return None,
        };
        Self::read(frame.get(HEADER_LEN + header_len + UDP_HEADER_LEN..)?)
    }

    fn read(payload: &[u8]) -> Option<Self> {
        let bytes: &[u8; Self::LEN] = payload.first_chunk()?;
        if bytes[..2] != MARK {
            return None;
        }
        let mut number = [0; 8];
        number[2..].copy_from_slice(&bytes[4..10]);
        let cycles = *bytes[10..].first_chunk().expect("18 bytes less 10");
        Some(Self {
            stream: bytes[2],
            trial: bytes[3],
            number: u64::from_be_bytes(number),
            cycles: u64::from_be_bytes(cycles),
        })
    }
}

/// The least length of a frame that carries one over IPv4, without the frame check sequence.
pub const LEAST_FRAME_IPV4: usize = HEADER_LEN + ipv4::MIN_HEADER_LEN + UDP_HEADER_LEN + Stamp::LEN;

/// The same over IPv6.
pub const LEAST_FRAME_IPV6: usize = HEADER_LEN + ipv6::HEADER_LEN + UDP_HEADER_LEN + Stamp::LEN;

pub(crate) const UDP_HEADER_LEN: usize = 8;

/// By which our packets are known: no text, and no likely length or address.
const MARK: [u8; 2] = [0xfe, 0x88];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_stamp_fits_the_shortest_frame_of_ethernet_in_ipv4() {
        assert_eq!(LEAST_FRAME_IPV4, 60);
        assert_eq!(LEAST_FRAME_IPV6, 80);
    }

    #[test]
    fn what_is_no_test_packet_has_no_stamp() {
        assert_eq!(Stamp::of_frame(&[]), None);
        assert_eq!(Stamp::of_frame(&[0; 60]), None, "no IP");
        let mut short = vec![0; LEAST_FRAME_IPV4 - 1];
        short[12..15].copy_from_slice(&[8, 0, 0x45]);
        assert_eq!(Stamp::of_frame(&short), None, "a byte short");
        short.push(0);
        assert_eq!(Stamp::of_frame(&short), None, "no mark");
    }

    proptest! {
        #[test]
        fn a_stamp_is_read_as_it_was_written(
            stream in any::<u8>(), trial in any::<u8>(), number in 0..=Stamp::LAST_NUMBER, cycles in any::<u64>(),
            is_ipv6 in any::<bool>(),
        ) {
            let stamp = Stamp { stream, trial, number, cycles };
            let mut frame = vec![0; if is_ipv6 { LEAST_FRAME_IPV6 } else { LEAST_FRAME_IPV4 }];
            frame[12..15].copy_from_slice(if is_ipv6 { &[0x86, 0xdd, 0x60] } else { &[8, 0, 0x45] });
            let at = frame.len() - Stamp::LEN;
            frame[at..].copy_from_slice(&stamp.to_bytes());
            prop_assert_eq!(Stamp::of_frame(&frame), Some(stamp));
        }
    }
}
