//! What an IPv6 packet carries behind its extension headers (RFC 8200 section 4).
//!
//! A router forwards without looking; this is for packets that end here, or that an error might be reported about.

use crate::ipv6::{HEADER_LEN, Ipv6};

/// The upper layer of a packet, as far as this packet shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Upper<'a> {
    /// What it is, by IANA protocol number.
    pub protocol: u8,
    /// Its bytes: all of them, or in a fragment some.
    pub bytes: &'a [u8],
    /// Where the number of the protocol stands in the packet, for a report that it is not known.
    pub protocol_at: usize,
    /// Where `bytes` belong, when the packet is a fragment: 0 for the first.
    pub fragment_offset: Option<u16>,
    /// A routing header with segments still to visit stands before it; where its type stands in the packet.
    pub routed_at: Option<usize>,
}

/// Walks the chain of headers.
///
/// `None` when the chain runs over the end of the packet, or has more than [`MAX_HEADERS`] headers, which nobody sends
/// for a good reason.
pub fn upper<'a>(packet: &Ipv6<'a>) -> Option<Upper<'a>> {
    let mut upper = Upper {
        protocol: packet.next_header(),
        bytes: packet.payload(),
        protocol_at: 6,
        fragment_offset: None,
        routed_at: None,
    };
    for _header in 0..MAX_HEADERS {
        // Behind a fragment that is not the first stands no header, but a piece out of the middle.
        if upper.fragment_offset.is_some_and(|offset| offset != 0) {
            return Some(upper);
        }
        let at = packet.total_len() - upper.bytes.len();
        debug_assert!(at >= HEADER_LEN, "the chain starts behind the fixed header");
        let header_len = match upper.protocol {
            FRAGMENT => {
                let [_, _, high, low, ..] = *upper.bytes.first_chunk::<8>()?;
                upper.fragment_offset = Some(u16::from_be_bytes([high, low]) & 0xfff8);
                8
            }
            HOP_BY_HOP | ROUTING | DESTINATION_OPTIONS => {
                let [_, len, _routing_type, segments_left] = *upper.bytes.first_chunk()?;
                if upper.protocol == ROUTING && segments_left != 0 {
                    upper.routed_at = Some(at + 2);
                }
                (usize::from(len) + 1) * 8
            }
            _ => return Some(upper),
        };
        let (header, rest) = upper.bytes.split_at_checked(header_len)?;
        (upper.protocol, upper.protocol_at, upper.bytes) = (header[0], at, rest);
    }
    None
}

/// Most headers [`upper`] walks: each of them once, destination options twice (RFC 8200 section 4.1), and some to spare.
pub const MAX_HEADERS: usize = 8;

/// The number that says nothing follows (RFC 8200 section 4.7).
pub const NO_NEXT_HEADER: u8 = 59;

pub(crate) const HOP_BY_HOP: u8 = 0;
pub(crate) const ROUTING: u8 = 43;
pub(crate) const FRAGMENT: u8 = 44;
pub(crate) const DESTINATION_OPTIONS: u8 = 60;

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use proptest::prelude::*;

    use super::*;
    use crate::ipv6::Builder;

    fn packet(next_header: u8, payload: &[u8]) -> Vec<u8> {
        let builder =
            Builder { source: Ipv6Addr::LOCALHOST, destination: Ipv6Addr::LOCALHOST, next_header, hop_limit: 64 };
        let mut packet = builder.header(payload.len()).unwrap().to_vec();
        packet.extend(payload);
        packet
    }

    fn with_upper<R>(packet: &[u8], look: impl FnOnce(Option<Upper<'_>>) -> R) -> R {
        look(upper(&Ipv6::parse(packet).unwrap()))
    }

    #[test]
    fn the_upper_layer_is_found_behind_any_headers() {
        with_upper(&packet(58, b"message"), |upper| {
            let upper = upper.unwrap();
            assert_eq!((upper.protocol, upper.bytes, upper.protocol_at), (58, &b"message"[..], 6));
        });
        let hop_by_hop_then_options =
            [&[60, 0, 1, 4, 0, 0, 0, 0], &[17, 0, 1, 4, 0, 0, 0, 0], &b"datagram"[..]].concat();
        with_upper(&packet(0, &hop_by_hop_then_options), |upper| {
            let upper = upper.unwrap();
            assert_eq!((upper.protocol, upper.bytes, upper.protocol_at), (17, &b"datagram"[..], 48));
        });
    }

    #[test]
    fn a_fragment_says_so_and_only_the_first_shows_its_headers() {
        let first = [&[60, 0, 0, 1, 0, 0, 0, 9], &[58, 0, 1, 4, 0, 0, 0, 0], &b"message"[..]].concat();
        with_upper(&packet(44, &first), |upper| {
            let upper = upper.unwrap();
            assert_eq!((upper.protocol, upper.fragment_offset), (58, Some(0)));
        });
        let later = [&[60, 0, 0, 8, 0, 0, 0, 9], &b"a piece out of the middle"[..]].concat();
        with_upper(&packet(44, &later), |upper| {
            let upper = upper.unwrap();
            assert_eq!((upper.protocol, upper.fragment_offset), (60, Some(8)));
        });
    }

    #[test]
    fn a_routing_header_with_segments_left_is_pointed_at() {
        with_upper(&packet(43, &[58, 0, 0, 1, 0, 0, 0, 0]), |upper| assert_eq!(upper.unwrap().routed_at, Some(42)));
        with_upper(&packet(43, &[58, 0, 0, 0, 0, 0, 0, 0]), |upper| assert_eq!(upper.unwrap().routed_at, None));
    }

    #[test]
    fn a_chain_without_end_is_given_up() {
        let endless = [60, 0, 1, 4, 0, 0, 0, 0].repeat(100);
        with_upper(&packet(60, &endless), |upper| assert_eq!(upper, None));
        with_upper(&packet(60, &[58, 1, 0, 0, 0, 0, 0, 0]), |upper| assert_eq!(upper, None, "over the end"));
    }

    proptest! {
        #[test]
        fn any_chain_can_be_walked(
            next_header in prop_oneof![Just(0_u8), Just(43), Just(44), Just(60), any::<u8>()],
            payload in proptest::collection::vec(prop_oneof![Just(0_u8), Just(43), Just(44), Just(60), any::<u8>()], 1..90),
        ) {
            let packet = packet(next_header, &payload);
            with_upper(&packet, |upper| {
                if let Some(upper) = upper {
                    prop_assert!(upper.protocol_at < packet.len());
                }
                Ok(())
            })?;
        }
    }
}
