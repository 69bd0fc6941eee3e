//! Fragments of IPv6 packets (RFC 8200 section 4.5): reading one, and cutting a packet of our own.
//!
//! Only whoever sends a packet cuts it, and only whoever it is for puts it together again: nothing of this is for packets
//! in transit.

use crate::extension::{DESTINATION_OPTIONS, FRAGMENT, HOP_BY_HOP, MAX_HEADERS, ROUTING};
use crate::ipv6::{HEADER_LEN, Ipv6};

/// A fragment, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fragment<'a> {
    /// What every fragment of the packet begins with, up to the fragment header.
    pub unfragmentable: &'a [u8],
    /// Where in that the number stands that says that a fragment header follows.
    pub next_header_at: usize,
    /// What follows the fragment header in the whole packet, by IANA protocol number.
    pub next_header: u8,
    /// Where its piece belongs, in bytes: a multiple of eight.
    pub offset: u16,
    /// Whether it is not the last.
    pub more: bool,
    /// Which of its sender's packets it is of.
    pub identification: u32,
    /// Its piece.
    pub piece: &'a [u8],
}

impl<'a> Fragment<'a> {
    /// The fragment that `packet` is; `None` if it is none, or its headers cannot be followed.
    pub fn of(packet: &Ipv6<'a>) -> Option<Self> {
        let bytes = packet.bytes();
        let (mut next_header, mut next_header_at, mut at) = (packet.next_header(), 6, HEADER_LEN);
        for _header in 0..MAX_HEADERS {
            match next_header {
                FRAGMENT => {
                    let [next, _, high, low, a, b, c, d] = *bytes.get(at..)?.first_chunk()?;
                    let offset_and_more = u16::from_be_bytes([high, low]);
                    return Some(Self {
                        unfragmentable: &bytes[..at],
                        next_header_at,
                        next_header: next,
                        offset: offset_and_more & !7,
                        more: offset_and_more & 1 != 0,
                        identification: u32::from_be_bytes([a, b, c, d]),
                        piece: &bytes[at + FRAGMENT_LEN..],
                    });
                }
                HOP_BY_HOP | ROUTING | DESTINATION_OPTIONS => {
                    let [next, len] = *bytes.get(at..)?.first_chunk()?;
                    (next_header, next_header_at) = (next, at);
                    at += (usize::from(len) + 1) * 8;
                }
                _ => return None,
            }
        }
        None
    }

    /// The whole packet that this first fragment begins and `payload` goes on with; `None` if no packet is that long.
    pub fn whole(&self, payload: &[u8]) -> Option<Vec<u8>> {
        let mut packet = [self.unfragmentable, payload].concat();
        let len = u16::try_from(packet.len() - HEADER_LEN).ok()?;
        packet[4..6].copy_from_slice(&len.to_be_bytes());
        packet[self.next_header_at] = self.next_header;
        Some(packet)
    }
}

/// Cuts `packet`, of ours and without extension headers, for a link that carries `mtu` bytes, and hands each fragment to
/// `each`.
pub fn fragment(packet: &Ipv6<'_>, mtu: u16, identification: u32, mut each: impl FnMut(&[u8])) {
    let room = usize::from(mtu).saturating_sub(HEADER_LEN + FRAGMENT_LEN) & !7;
    let payload = packet.payload();
    let mut scratch = Vec::with_capacity(usize::from(mtu));
    for (number, piece) in payload.chunks(room.max(8)).enumerate() {
        let offset = number * room.max(8);
        let more = u16::from(offset + piece.len() < payload.len());
        scratch.clear();
        scratch.extend(&packet.bytes()[..HEADER_LEN]);
        let (Ok(offset), Ok(len)) = (u16::try_from(offset), u16::try_from(FRAGMENT_LEN + piece.len())) else { return };
        scratch[4..6].copy_from_slice(&len.to_be_bytes());
        scratch[6] = FRAGMENT;
        scratch.extend([packet.next_header(), 0]);
        scratch.extend((offset | more).to_be_bytes());
        scratch.extend(identification.to_be_bytes());
        scratch.extend(piece);
        each(&scratch);
    }
}

/// Length of a fragment header, in bytes.
const FRAGMENT_LEN: usize = 8;

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use proptest::prelude::*;

    use super::*;
    use crate::ipv6::Builder;

    fn packet(next_header: u8, payload: &[u8]) -> Vec<u8> {
        let builder =
            Builder { source: Ipv6Addr::LOCALHOST, destination: Ipv6Addr::LOCALHOST, next_header, hop_limit: 64 };
        [&builder.header(payload.len()).unwrap()[..], payload].concat()
    }

    #[test]
    fn a_fragment_is_found_behind_the_headers_that_every_hop_may_look_at() {
        let payload = [&[44, 0, 1, 4, 0, 0, 0, 0], &[58, 0, 0, 9, 0, 0, 0, 7], &b"piece"[..]].concat();
        let bytes = packet(0, &payload);
        let fragment = Fragment::of(&Ipv6::parse(&bytes).unwrap()).unwrap();
        assert_eq!((fragment.offset, fragment.more, fragment.identification), (8, true, 7));
        assert_eq!((fragment.next_header, fragment.next_header_at, fragment.piece), (58, 40, &b"piece"[..]));
        assert_eq!(fragment.unfragmentable.len(), 48);
        assert_eq!(Fragment::of(&Ipv6::parse(&packet(58, b"whole")).unwrap()), None);
        assert_eq!(Fragment::of(&Ipv6::parse(&packet(44, b"short")).unwrap()), None);
    }

    proptest! {
        #[test]
        fn what_was_cut_fits_and_can_be_put_together_again(len in 0..9000_usize, mtu in 1280..1500_u16) {
            let payload: Vec<u8> = (0..len).map(|i| u8::try_from(i % 251).unwrap()).collect();
            let whole = packet(58, &payload);
            let mut pieces = Vec::new();
            let mut first = None;
            fragment(&Ipv6::parse(&whole).unwrap(), mtu, 9, |piece| {
                assert!(piece.len() <= usize::from(mtu));
                let view = Ipv6::parse(piece).unwrap();
                let fragment = Fragment::of(&view).unwrap();
                assert_eq!((usize::from(fragment.offset), fragment.identification), (pieces.len(), 9));
                pieces.extend(fragment.piece);
                assert_eq!(fragment.more, pieces.len() < len);
                first.get_or_insert_with(|| piece.to_vec());
            });
            if let Some(first) = first {
                let fragment = Fragment::of(&Ipv6::parse(&first).unwrap()).unwrap();
                prop_assert_eq!(fragment.whole(&pieces).unwrap(), whole);
            }
        }
    }
}
