//! The packets that nearly all are: for us, whole, unicast, and with nothing about them that has a rule of its own.
//!
//! [`Plain`] finds such a packet out with a few comparisons of whole words, in a third of the instructions that
//! [`classify`](crate::classify::classify()) takes to ask one rule after the other. What it does not take for plain is asked
//! them all: to refuse a packet is never wrong, only slow, so each test here may be wider than the rule it stands for.

use std::net::{Ipv4Addr, Ipv6Addr};

use boundary::PortState;
use packet::ethernet::{self, HEADER_LEN};
use packet::{ipv4, ipv6};

/// What is plain on a port.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plain {
    /// Of the station a frame is sent to, as [`station`] reads it, these bits...
    looked_at: u64,
    /// ...must be these.
    wanted: u64,
}

impl Plain {
    /// On a port with a policy nothing is; elsewhere what is sent to it, or to any station if it is promiscuous.
    #[inline]
    pub(crate) fn at(port: &PortState) -> Self {
        let [a, b, c, d, e, f] = port.mac.0;
        if !port.policy.is_lenient() {
            Self { looked_at: 0, wanted: 1 }
        } else if port.promiscuous {
            Self { looked_at: GROUP, wanted: 0 }
        } else {
            Self { looked_at: STATION, wanted: u64::from_le_bytes([a, b, c, d, e, f, 0, 0]) }
        }
    }

    /// Where a plain IPv4 packet goes: one without options, whose checksum is right, and which is as long as it says.
    #[inline(always)]
    pub(crate) fn ipv4(self, frame: &[u8]) -> Option<Ipv4Addr> {
        let head = frame.first_chunk::<IPV4_HEAD>()?;
        if !self.takes(head) || kind(head) & IPV4_BITS != IPV4 {
            return None;
        }
        let header = head.last_chunk::<{ ipv4::MIN_HEADER_LEN }>()?;
        let total_len = usize::from(u16::from_be_bytes([header[2], header[3]]));
        let [.., s, _, _, _, a, b, c, d] = *header;
        let special = SPECIAL[usize::from(s)] | SPECIAL[usize::from(a)];
        let whole = (ipv4::MIN_HEADER_LEN..=frame.len() - HEADER_LEN).contains(&total_len);
        (whole & verifies(header) & !special).then_some(Ipv4Addr::new(a, b, c, d))
    }

    /// Where a plain IPv6 packet goes: one between unicast addresses of more than one link, which is as long as it says.
    #[inline(always)]
    pub(crate) fn ipv6(self, frame: &[u8]) -> Option<Ipv6Addr> {
        let head = frame.first_chunk::<IPV6_HEAD>()?;
        if !self.takes(head) || kind(head) & IPV6_BITS != IPV6 {
            return None;
        }
        let header = head.last_chunk::<{ ipv6::HEADER_LEN }>()?;
        let total_len = ipv6::HEADER_LEN + usize::from(u16::from_be_bytes([header[4], header[5]]));
        let destination = header.last_chunk::<16>()?;
        let special = SPECIAL_V6[usize::from(header[8])] | SPECIAL_V6[usize::from(destination[0])];
        // More than its header, or there must be no header to follow.
        let whole = (ipv6::HEADER_LEN + 1..=frame.len() - HEADER_LEN).contains(&total_len);
        (whole & !special).then_some(Ipv6Addr::from_octets(*destination))
    }

    #[inline(always)]
    fn takes<const LEN: usize>(self, head: &[u8; LEN]) -> bool {
        station(head) & self.looked_at == self.wanted
    }
}

/// Whether the checksum of a header is right.
///
/// RFC 1071: its ones' complement sum is zero then. It may be taken by words of 64 bits, with their carries, and not be folded
/// to sixteen: since no header with a version is nothing but zeros, it is one that 0xffff divides.
#[inline(always)]
fn verifies(header: &[u8; ipv4::MIN_HEADER_LEN]) -> bool {
    let (words, rest) = header.as_chunks::<8>();
    let [first, second] = [0, 1].map(|n| u64::from_ne_bytes(words[n]));
    let last = rest.first_chunk().map_or(0, |rest| u32::from_ne_bytes(*rest));
    let (sum, carry) = first.overflowing_add(second);
    let (sum, again) = sum.overflowing_add(u64::from(last) + u64::from(carry));
    // As `is_multiple_of(0xffff)`, in one multiplication: the multiples of an odd number, times its inverse, are the least.
    const INVERSE: u64 = 0xfffe_fffe_fffe_ffff;
    const _: () = assert!(INVERSE.wrapping_mul(0xffff) == 1);
    (sum + u64::from(again)).wrapping_mul(INVERSE) <= u64::MAX / 0xffff
}

/// The type of a frame, and the first two bytes of its packet, as a little-endian number.
#[inline(always)]
fn kind<const LEN: usize>(head: &[u8; LEN]) -> u32 {
    u32::from_le_bytes(*head[ethernet::TYPE_AT..].first_chunk().expect("a frame's head is longer"))
}

/// The station a frame is sent to, and two bytes of the one it is from.
#[inline(always)]
fn station<const LEN: usize>(head: &[u8; LEN]) -> u64 {
    u64::from_le_bytes(*head.first_chunk().expect("a frame's head is longer"))
}

/// The first octets of IPv4 addresses that some rule is about: network 0, loopback, link-local, groups, class E.
const SPECIAL: [bool; 256] = octets(&[(0, 0), (127, 127), (169, 169), (224, 255)]);

/// The same of IPv6 addresses: unspecified and loopback, link-local, groups.
const SPECIAL_V6: [bool; 256] = octets(&[(0, 0), (0xfe, 0xfe), (0xff, 0xff)]);

/// A table in which the octets of these ranges, each with its ends, are marked.
const fn octets(mut ranges: &[(usize, usize)]) -> [bool; 256] {
    let mut marked = [false; 256];
    while let [(first, last), rest @ ..] = ranges {
        let mut octet = *first;
        while octet <= *last {
            marked[octet] = true;
            octet += 1;
        }
        ranges = rest;
    }
    marked
}

/// A frame's header and its packet's, without options.
const IPV4_HEAD: usize = HEADER_LEN + ipv4::MIN_HEADER_LEN;
const IPV6_HEAD: usize = HEADER_LEN + ipv6::HEADER_LEN;

/// The bits of [`kind`] that say IPv4 without options...
const IPV4_BITS: u32 = 0x00ff_ffff;
const IPV4: u32 = 0x0045_0008;

/// ...and those that say IPv6.
const IPV6_BITS: u32 = 0x00f0_ffff;
const IPV6: u32 = 0x0060_dd86;

/// All of a station's address, and the bit in it that says it is a group's.
const STATION: u64 = 0x0000_ffff_ffff_ffff;
const GROUP: u64 = 1;

#[cfg(test)]
mod tests {
    use boundary::PortState;
    use boundary::policy::{Policy, ReversePath};
    use proptest::prelude::*;

    use super::*;
    use crate::classify::{Class, classify};
    use crate::forward::tests::{LEFT, any_frame, frame, state};

    /// What a plain frame is.
    fn class(plain: Plain, frame: &[u8]) -> Option<Class> {
        plain.ipv4(frame).map(Class::Ipv4).or_else(|| plain.ipv6(frame).map(Class::Ipv6))
    }

    fn port() -> PortState {
        *state().port(LEFT)
    }

    #[test]
    fn what_nearly_all_packets_are_is_plain() {
        for (source, destination) in [("192.0.2.10", "198.51.100.7"), ("2001:db8:1::10", "2001:db8:2::7")] {
            assert!(class(Plain::at(&port()), &frame(source, destination, 64, 8).0).is_some(), "{source}");
        }
    }

    #[test]
    fn nothing_is_plain_on_a_port_with_a_policy() {
        let policy = Policy { reverse_path: ReversePath::Loose, ..Policy::default() };
        let guarded = Plain::at(&PortState { policy, ..port() });
        assert!(class(guarded, &frame("192.0.2.10", "198.51.100.7", 64, 8).0).is_none());
    }

    #[test]
    fn a_promiscuous_port_takes_any_station_s_frames_for_plain_but_no_group_s() {
        let promiscuous = Plain::at(&PortState { promiscuous: true, ..port() });
        let mut sent = frame("192.0.2.10", "198.51.100.7", 64, 8);
        sent.0[..6].copy_from_slice(&[2, 9, 9, 9, 9, 9]);
        assert!(class(promiscuous, &sent.0).is_some());
        assert!(class(Plain::at(&port()), &sent.0).is_none());
        sent.0[0] = 3;
        assert!(class(promiscuous, &sent.0).is_none());
    }

    proptest! {
        #[test]
        fn what_is_plain_is_what_the_rules_say_it_is(frame in any_frame(), promiscuous: bool) {
            let mut state = state();
            state.ports = state.ports.iter().map(|port| PortState { promiscuous, ..*port }).collect();
            let ruled = classify(&state, LEFT, &frame.0);
            if let Some(plain) = class(Plain::at(state.port(LEFT)), &frame.0) {
                prop_assert_eq!(format!("{plain:?}"), format!("{ruled:?}"));
            }
        }
    }
}
