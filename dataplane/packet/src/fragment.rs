//! Cutting an IPv4 packet into fragments (RFC 791 section 3.2, RFC 1812 section 5.2.6).
//!
//! Each fragment is as long as the link allows, in order, so there are as few as can be. A fragment may be cut again:
//! offsets add up, and only the piece that was last stays last. The identification is never touched (RFC 6864).

use crate::checksum::checksum;
use crate::ipv4::{Ipv4, MIN_HEADER_LEN};

/// Cuts `packet` for a link that carries `mtu` bytes and hands each fragment to `each`; `scratch` is overwritten.
///
/// # Errors
///
/// [`Uncuttable`] when no fragment may or can be made; then `each` was not called.
pub fn fragment(
    packet: &Ipv4<'_>,
    mtu: u16,
    scratch: &mut Vec<u8>,
    mut each: impl FnMut(&[u8]),
) -> Result<(), Uncuttable> {
    let payload = packet.payload();
    let start = usize::from(packet.fragment_offset());
    let is_beyond_reassembly = start + payload.len() > usize::from(u16::MAX);
    if packet.dont_fragment() || is_beyond_reassembly {
        return Err(Uncuttable);
    }
    let copied_options = CopiedOptions::of(packet.options());
    let whole_header = &packet.bytes()[..packet.header_len()];
    if room(whole_header.len(), mtu) == 0 {
        return Err(Uncuttable);
    }
    let mut done = 0;
    while done < payload.len() || done == 0 {
        scratch.clear();
        if done == 0 {
            scratch.extend(whole_header);
        } else {
            scratch.extend(&whole_header[..MIN_HEADER_LEN]);
            scratch.extend(copied_options.bytes());
        }
        let fits = room(scratch.len(), mtu);
        let left = payload.len() - done;
        // The last piece need not end on eight bytes.
        let is_last = left <= usize::from(mtu) - scratch.len();
        let len = if is_last { left } else { fits };
        finish_header(scratch, packet, len, start + done, !is_last);
        scratch.extend(&payload[done..done + len]);
        each(scratch);
        done += len.max(1);
    }
    Ok(())
}

/// It must not be fragmented, or not by anyone: the link is too narrow for its header, or it reaches beyond 65535 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Uncuttable;

/// Payload of a fragment that is not the last: whole units of eight bytes.
fn room(header_len: usize, mtu: u16) -> usize {
    usize::from(mtu).saturating_sub(header_len) & !7
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a piece is no longer than the packet, and ends within 65535 bytes"
)]
fn finish_header(header: &mut [u8], packet: &Ipv4<'_>, payload_len: usize, offset: usize, more: bool) {
    let total_len = (header.len() + payload_len) as u16;
    let more = if more || packet.more_fragments() { 0x2000 } else { 0 };
    // The reserved bit passes as it came (RFC 1812 section 4.2.2.3).
    let reserved = u16::from_be_bytes([header[6], header[7]]) & 0x8000;
    header[0] = 0x40 | (header.len() / 4) as u8;
    header[2..4].copy_from_slice(&total_len.to_be_bytes());
    header[6..8].copy_from_slice(&(reserved | more | (offset / 8) as u16).to_be_bytes());
    header[10..12].fill(0);
    let sum = checksum(header);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
}

/// The options that every fragment has, not only the first: those with the copied flag (RFC 791 section 3.1).
struct CopiedOptions {
    options: [u8; 40],
    len: usize,
}

impl CopiedOptions {
    /// Options behind one that is broken are not copied: nobody can say where they begin.
    fn of(mut options: &[u8]) -> Self {
        let mut copied = Self { options: [END; 40], len: 0 };
        while let [kind, rest @ ..] = options {
            match *kind {
                END => break,
                NO_OPERATION => options = rest,
                kind => {
                    let len = rest.first().map_or(0, |len| usize::from(*len));
                    let Some((option, after)) = options.split_at_checked(len).filter(|_| len >= 2) else { break };
                    if kind & COPIED != 0 {
                        copied.options[copied.len..copied.len + len].copy_from_slice(option);
                        copied.len += len;
                    }
                    options = after;
                }
            }
        }
        // A header is whole words; what is missing ends the list.
        copied.len = copied.len.next_multiple_of(4);
        copied
    }

    fn bytes(&self) -> &[u8] {
        &self.options[..self.len]
    }
}

const END: u8 = 0;
const NO_OPERATION: u8 = 1;
const COPIED: u8 = 0x80;

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;
    use crate::ipv4::Builder;

    fn packet(options: &[u8], payload_len: usize, flags_and_offset: u16) -> Vec<u8> {
        let builder = Builder {
            source: Ipv4Addr::new(192, 0, 2, 1),
            destination: Ipv4Addr::new(198, 51, 100, 1),
            protocol: 17,
            ttl: 63,
            tos: 0xff,
            identification: 0x1234,
            dont_fragment: false,
        };
        let mut packet = builder.header(options.len() + payload_len).unwrap().to_vec();
        packet.extend(options);
        packet[0] = 0x45 + u8::try_from(options.len() / 4).unwrap();
        packet[6..8].copy_from_slice(&flags_and_offset.to_be_bytes());
        packet[10..12].fill(0);
        let sum = checksum(&packet);
        packet[10..12].copy_from_slice(&sum.to_be_bytes());
        packet.extend((0..payload_len).map(|i| u8::try_from(i % 251).unwrap()));
        packet
    }

    fn cut(packet: &[u8], mtu: u16) -> Result<Vec<Vec<u8>>, Uncuttable> {
        let mut fragments = Vec::new();
        fragment(&Ipv4::parse(packet).unwrap(), mtu, &mut Vec::new(), |piece| fragments.push(piece.to_vec()))?;
        Ok(fragments)
    }

    fn views(fragments: &[Vec<u8>]) -> Vec<Ipv4<'_>> {
        fragments.iter().map(|piece| Ipv4::parse(piece).unwrap()).collect()
    }

    #[test]
    fn one_byte_too_many_makes_two_fragments_and_an_exact_fit_one() {
        let fragments = cut(&packet(&[], 1381, 0), 1400).unwrap();
        let fragments = views(&fragments);
        assert_eq!(fragments.iter().map(|f| f.fragment_offset()).collect::<Vec<_>>(), [0, 1376]);
        assert_eq!(fragments.iter().map(|f| f.more_fragments()).collect::<Vec<_>>(), [true, false]);
        assert!(fragments.iter().all(|f| f.identification() == 0x1234 && f.ttl() == 63 && f.bytes()[1] == 0xff));
        assert_eq!(cut(&packet(&[], 1380, 0), 1400).unwrap().len(), 1);
    }

    #[test]
    fn offsets_add_up_when_a_fragment_is_cut_again_and_it_stays_in_the_middle() {
        let more_at_800 = 0x2000 | 100;
        let fragments = cut(&packet(&[], 160, more_at_800), 100).unwrap();
        let fragments = views(&fragments);
        assert_eq!(fragments.iter().map(|f| f.fragment_offset()).collect::<Vec<_>>(), [800, 880]);
        assert!(fragments.iter().all(|f| f.more_fragments()));
    }

    #[test]
    fn only_options_with_the_copied_flag_are_in_later_fragments() {
        // Record route, which is not copied; no operation; router alert, which is.
        let options = [7, 7, 4, 0, 0, 0, 0, 1, 0x94, 4, 0, 0];
        let fragments = cut(&packet(&options, 200, 0), 100).unwrap();
        let fragments = views(&fragments);
        assert_eq!(fragments[0].options(), options);
        assert!(fragments.len() > 2);
        assert!(fragments[1..].iter().all(|f| f.options() == [0x94, 4, 0, 0]));
    }

    #[test]
    fn the_reserved_bit_passes_as_it_came() {
        let fragments = cut(&packet(&[], 200, 0x8000), 100).unwrap();
        assert!(fragments.iter().all(|piece| piece[6] & 0x80 != 0));
    }

    #[test]
    fn what_must_not_or_cannot_be_cut_is_left_whole() {
        assert_eq!(cut(&packet(&[], 200, 0x4000), 100), Err(Uncuttable), "don't fragment");
        assert_eq!(cut(&packet(&[], 200, 0x1fff), 100), Err(Uncuttable), "beyond 65535 bytes");
        assert_eq!(cut(&packet(&[1; 40], 200, 0), 60), Err(Uncuttable), "no room for eight bytes");
    }

    proptest! {
        #[test]
        fn fragments_are_few_fit_and_hold_the_payload(
            options in proptest::collection::vec(prop_oneof![Just(1_u8), Just(7), Just(0x94), 0..8_u8], 0..=10),
            payload_len in 1..4000_usize,
            offset in 0..1000_u16,
            mtu in 68..1500_u16,
        ) {
            let options: Vec<u8> = options.iter().flat_map(|byte| [*byte, 4, 0, 0]).collect();
            let packet = packet(&options, payload_len, offset);
            let whole = Ipv4::parse(&packet).unwrap();
            let fragments = cut(&packet, mtu).unwrap();
            let fragments = views(&fragments);
            let mut payload: Vec<u8> = Vec::new();
            for (place, piece) in fragments.iter().enumerate() {
                let is_last = place + 1 == fragments.len();
                prop_assert!(piece.total_len() <= usize::from(mtu));
                prop_assert!(is_last || piece.total_len() + 8 > usize::from(mtu), "as long as can be");
                prop_assert_eq!(usize::from(piece.fragment_offset()), usize::from(offset) * 8 + payload.len());
                prop_assert_eq!(piece.more_fragments(), !is_last);
                payload.extend(piece.payload());
            }
            prop_assert_eq!(&payload[..], whole.payload());
        }
    }
}
