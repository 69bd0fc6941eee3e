//! Redirects (RFC 4861 section 4.5): somebody on a host's own link is nearer to where its packets go.

use std::net::Ipv6Addr;

use super::{HOP_LIMIT, TARGET_MAC};
use crate::ethernet::MacAddr;
use crate::icmpv6::{self, Between, HEADER_LEN, MAX_ERROR_LEN, kind};
use crate::ipv6;

/// A redirect to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Redirect<'a> {
    /// Who is nearer: the link-local address of a router, or the destination itself.
    pub target: Ipv6Addr,
    /// The station of the target, if it is known.
    pub target_mac: Option<MacAddr>,
    /// Where the packets go.
    pub destination: Ipv6Addr,
    /// One of the packets, IP header first.
    pub about: &'a [u8],
}

impl Redirect<'_> {
    /// Appends the packet that tells, `between` the teller's link-local address and the host.
    ///
    /// It quotes as much of the packet as lets it fit in [`MAX_ERROR_LEN`], in whole units of eight bytes.
    pub fn append_to(&self, between: Between, out: &mut Vec<u8>) {
        let mut body = [self.target.octets(), self.destination.octets()].concat();
        if let Some(mac) = self.target_mac {
            body.extend([TARGET_MAC, 1]);
            body.extend(mac.0);
        }
        let room = MAX_ERROR_LEN - ipv6::HEADER_LEN - HEADER_LEN - body.len() - OPTION_HEAD;
        let quote = &self.about[..self.about.len().min(room) / UNIT * UNIT];
        let units = (OPTION_HEAD + quote.len()) / UNIT;
        body.extend([REDIRECTED, u8::try_from(units).expect("1280 bytes are 160 units"), 0, 0, 0, 0, 0, 0]);
        body.extend(quote);

        let Between { source, destination } = between;
        let ip = ipv6::Builder { source, destination, next_header: icmpv6::PROTOCOL, hop_limit: HOP_LIMIT };
        out.extend(ip.header(HEADER_LEN + body.len()).expect("it fits in 1280 bytes"));
        icmpv6::append([kind::REDIRECT, 0, 0, 0, 0, 0, 0, 0], &body, between, out);
    }
}

/// The option that quotes (section 4.6.3), what of it stands before the quote, and the unit its length is said in.
const REDIRECTED: u8 = 4;
const OPTION_HEAD: usize = 8;
const UNIT: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::icmpv6::Icmpv6;
    use crate::ipv6::Ipv6;

    const ROUTER: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
    const NEARER: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2);
    const HOST: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 3);
    const FAR: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 9, 0, 0, 0, 0, 4);

    fn told(target_mac: Option<MacAddr>, about_len: usize) -> Vec<u8> {
        let mut packet = Vec::new();
        let about = vec![0xa5; about_len];
        let redirect = Redirect { target: NEARER, target_mac, destination: FAR, about: &about };
        redirect.append_to(Between { source: ROUTER, destination: HOST }, &mut packet);
        packet
    }

    #[test]
    fn a_host_is_told_who_is_nearer_to_whom_with_the_station_and_a_quote() {
        let packet = told(Some(MacAddr([2, 0, 0, 0, 0, 2])), 63);
        let ip = Ipv6::parse(&packet).unwrap();
        assert_eq!((ip.hop_limit(), ip.source(), ip.destination()), (255, ROUTER, HOST));
        let icmp = Icmpv6::parse(ip.payload(), ip.source(), ip.destination()).unwrap();
        assert_eq!((icmp.kind(), icmp.code(), icmp.word()), (137, 0, [0; 4]));
        let expected = [
            &NEARER.octets()[..],
            &FAR.octets(),
            &[2, 1, 2, 0, 0, 0, 0, 2],
            // A head, and seven whole units of what was quoted.
            &[4, 8, 0, 0, 0, 0, 0, 0],
            &[0xa5; 56],
        ];
        assert_eq!(icmp.body(), expected.concat());
    }

    #[test]
    fn however_long_the_packet_the_message_fits_every_link() {
        for (mac, len) in [(None, 1280), (Some(MacAddr([2, 0, 0, 0, 0, 2])), 1280), (None, 9000)] {
            let packet = told(mac, len);
            assert!(packet.len() > 1280 - UNIT && packet.len() <= 1280, "{}", packet.len());
        }
        assert_eq!(told(None, 0).len(), 40 + 8 + 32 + 8);
    }
}
