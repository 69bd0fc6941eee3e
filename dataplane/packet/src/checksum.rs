//! The Internet checksum (RFC 1071), and its update when a header changes (RFC 1624).
//!
//! Summing costs about one addition per four bytes; an update costs three, whatever the header's length. An update of a
//! right checksum gives the very bytes a fresh sum would; of a wrong one, a wrong one: damage is never mended in transit.

use std::net::{Ipv4Addr, Ipv6Addr};

/// A sum in the making: ones' complement, not yet folded.
///
/// It is taken of the words as the machine reads them, four bytes at a time, and brought into network order once, at the
/// end: a ones' complement sum comes out the same in any order of bytes and any width of words (RFC 1071 section 2).
#[derive(Debug, Clone, Copy, Default)]
pub struct Sum(u64);

impl Sum {
    /// Adds bytes as 16-bit words; an odd last byte is padded with a zero.
    ///
    /// Only the last piece of a message may have an odd length.
    #[inline]
    #[must_use]
    pub fn bytes(self, bytes: &[u8]) -> Self {
        let (words, rest) = bytes.as_chunks::<4>();
        let mut last = [0; 4];
        last[..rest.len()].copy_from_slice(rest);
        let sum = words.iter().map(|word| u64::from(u32::from_ne_bytes(*word))).sum::<u64>();
        Self(self.0 + sum + u64::from(u32::from_ne_bytes(last)))
    }

    /// Adds one 16-bit word.
    #[inline]
    #[must_use]
    pub fn word(self, word: u16) -> Self {
        Self(self.0 + u64::from(word.to_be()))
    }

    /// The checksum field that makes a message of this sum verify.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "folded until the carries are gone")]
    pub fn checksum(self) -> u16 {
        let mut sum = self.0;
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        !u16::from_be(sum as u16)
    }

    /// Whether a message whose checksum field was summed along is undamaged.
    #[inline]
    pub fn verifies(self) -> bool {
        self.checksum() == 0
    }

    /// The pseudo-header of UDP and TCP over IPv4 (RFC 768).
    pub fn pseudo_ipv4(source: Ipv4Addr, destination: Ipv4Addr, protocol: u8, length: u16) -> Self {
        Self::default().bytes(&source.octets()).bytes(&destination.octets()).word(u16::from(protocol)).word(length)
    }

    /// The pseudo-header of IPv6's upper layers (RFC 8200 section 8.1), ICMPv6 among them.
    pub fn pseudo_ipv6(source: Ipv6Addr, destination: Ipv6Addr, next_header: u8, length: u32) -> Self {
        Self::default()
            .bytes(&source.octets())
            .bytes(&destination.octets())
            .bytes(&length.to_be_bytes())
            .word(u16::from(next_header))
    }
}

/// The checksum field for `bytes`, in which that field is zero.
pub fn checksum(bytes: &[u8]) -> u16 {
    Sum::default().bytes(bytes).checksum()
}

/// The checksum after a 16-bit word of the message went from `old` to `new` (RFC 1624, equation 3).
#[inline]
pub fn update(checksum: u16, old: u16, new: u16) -> u16 {
    Sum::default().word(!checksum).word(!old).word(new).checksum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_worked_example_of_rfc_1071_sums_as_printed_there() {
        // Section 3: the words 0001 f203 f4f5 f6f7 sum to ddf2.
        assert_eq!(checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), !0xddf2);
    }

    #[test]
    fn the_example_that_broke_rfc_1141_is_right() {
        // RFC 1624 section 4: checksum dd2f, a word goes from 5555 to 3285, and the new checksum is 0000.
        assert_eq!(update(0xdd2f, 0x5555, 0x3285), 0x0000);
    }

    /// RFC 1071 section 1 to the letter: big-endian words of 16 bits, one after the other.
    fn by_the_letter(bytes: &[u8]) -> u16 {
        bytes.chunks(2).fold(0, |sum: u16, word| {
            let word = u16::from_be_bytes([word[0], word.get(1).copied().unwrap_or(0)]);
            let (sum, carry) = sum.overflowing_add(word);
            sum + u16::from(carry)
        })
    }

    proptest! {
        #[test]
        fn a_sum_is_the_one_the_rfc_describes(
            even in proptest::collection::vec(any::<[u8; 2]>(), 0..40),
            last in proptest::collection::vec(any::<u8>(), 0..80),
        ) {
            let whole = [even.as_flattened(), &last].concat();
            prop_assert_eq!(!checksum(&whole), by_the_letter(&whole));
            prop_assert_eq!(Sum::default().bytes(even.as_flattened()).bytes(&last).checksum(), checksum(&whole), "in pieces");
        }

        #[test]
        fn an_update_gives_what_a_fresh_sum_would(
            mut message in proptest::collection::vec(any::<u8>(), 4..64),
            new in any::<u16>(),
        ) {
            // A message of zeros only has two right checksums; headers begin with a version that is not zero.
            message[0] |= 0x40;
            let old = u16::from_be_bytes([message[2], message[3]]);
            let before = checksum(&message);
            message[2..4].copy_from_slice(&new.to_be_bytes());
            prop_assert_eq!(update(before, old, new), checksum(&message));
        }

        #[test]
        fn a_message_verifies_with_its_checksum_and_with_no_other(
            message in proptest::collection::vec(any::<u8>(), 0..64),
            damage in 1..0xffff_u16,
        ) {
            let field = checksum(&message);
            prop_assert!(Sum::default().word(field).bytes(&message).verifies());
            prop_assert!(!Sum::default().word(field ^ damage).bytes(&message).verifies());
        }
    }
}
