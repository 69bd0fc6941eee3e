//! ICMPv6 (RFC 4443): echo, and the errors a router reports. Neighbour discovery is [`crate::ndp`].
//!
//! The checksum covers the IP addresses too, so both reading and building ask for them. What is built here is the
//! message alone; the IP header around it is [`crate::ipv6::Builder`]'s.

use std::net::Ipv6Addr;

use crate::checksum::Sum;
use crate::icmpv4::IcmpError;
use crate::ipv6;

/// The IANA protocol number.
pub const PROTOCOL: u8 = 58;

/// Length of the part every message has, in bytes.
pub const HEADER_LEN: usize = 8;

/// Longest packet that reports an error, IP header included, in bytes: what every link carries (RFC 4443 section 2.4 c).
pub const MAX_ERROR_LEN: usize = ipv6::MIN_MTU as usize;

/// A message's type: below 128 an error, from there on information.
pub mod kind {
    /// A destination cannot be reached.
    pub const UNREACHABLE: u8 = 1;
    /// It does not fit in the next link.
    pub const PACKET_TOO_BIG: u8 = 2;
    /// The hop limit ran out.
    pub const TIME_EXCEEDED: u8 = 3;
    /// A header makes no sense to its receiver.
    pub const PARAMETER_PROBLEM: u8 = 4;
    /// Please answer with the same data.
    pub const ECHO_REQUEST: u8 = 128;
    /// The answer to an echo request.
    pub const ECHO_REPLY: u8 = 129;
    /// A host asks for routers.
    pub const ROUTER_SOLICITATION: u8 = 133;
    /// A router says what it is.
    pub const ROUTER_ADVERTISEMENT: u8 = 134;
    /// Which station has an address?
    pub const NEIGHBOUR_SOLICITATION: u8 = 135;
    /// This station has the address.
    pub const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
    /// There is a better way; no error in name, but none may be reported about it either.
    pub const REDIRECT: u8 = 137;
}

/// A message with the right checksum over borrowed bytes.
#[derive(Debug, Clone, Copy)]
pub struct Icmpv6<'a> {
    header: &'a [u8; HEADER_LEN],
    message: &'a [u8],
}

impl<'a> Icmpv6<'a> {
    /// Checks `bytes`, all that a packet between these addresses carries after its last extension header.
    ///
    /// # Errors
    ///
    /// When they are shorter than a header, or damaged.
    pub fn parse(bytes: &'a [u8], source: Ipv6Addr, destination: Ipv6Addr) -> Result<Self, IcmpError> {
        let header = bytes.first_chunk().ok_or(IcmpError::Truncated)?;
        let len = u32::try_from(bytes.len()).map_err(|_longer_than_any_packet| IcmpError::Truncated)?;
        if !Sum::pseudo_ipv6(source, destination, PROTOCOL, len).bytes(bytes).verifies() {
            return Err(IcmpError::Checksum);
        }
        Ok(Self { header, message: bytes })
    }

    /// Its type; see [`kind`].
    pub fn kind(&self) -> u8 {
        self.header[0]
    }

    /// Which of its kind.
    pub fn code(&self) -> u8 {
        self.header[1]
    }

    /// The four bytes after the checksum, whose meaning depends on the type.
    pub fn word(&self) -> [u8; 4] {
        let [.., a, b, c, d] = *self.header;
        [a, b, c, d]
    }

    /// What follows the header: data of an echo, the packet an error is about.
    pub fn body(&self) -> &'a [u8] {
        &self.message[HEADER_LEN..]
    }
}

/// Whether no error may be reported about a message of type `kind` (RFC 4443 section 2.4 e.1 and e.2).
pub const fn is_error(kind: u8) -> bool {
    kind < 128 || kind == kind::REDIRECT
}

/// An error a router reports, with its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// 1/0: no route leads there.
    NoRoute,
    /// 1/1: somebody decided that it is not to pass.
    Prohibited,
    /// 1/3: the last hop does not answer.
    AddressUnreachable,
    /// 1/4: nobody listens on the port.
    PortUnreachable,
    /// 1/6: a route says that it leads nowhere.
    RejectRoute,
    /// 2/0: it does not fit in the next link.
    PacketTooBig {
        /// The longest packet that does.
        mtu: u32,
    },
    /// 3/0: the hop limit ran out on the way.
    HopLimitExceeded,
    /// 3/1: not all fragments came in time.
    ReassemblyTimeExceeded,
    /// 4/0: a header field makes no sense.
    ErroneousField {
        /// Where it stands in the packet.
        pointer: u32,
    },
    /// 4/1: a next header is not known here.
    UnknownNextHeader {
        /// Where its number stands in the packet.
        pointer: u32,
    },
}

impl Error {
    const fn header(self) -> [u8; HEADER_LEN] {
        let (kind, code, word) = match self {
            Self::NoRoute => (kind::UNREACHABLE, 0, 0),
            Self::Prohibited => (kind::UNREACHABLE, 1, 0),
            Self::AddressUnreachable => (kind::UNREACHABLE, 3, 0),
            Self::PortUnreachable => (kind::UNREACHABLE, 4, 0),
            Self::RejectRoute => (kind::UNREACHABLE, 6, 0),
            Self::PacketTooBig { mtu } => (kind::PACKET_TOO_BIG, 0, mtu),
            Self::HopLimitExceeded => (kind::TIME_EXCEEDED, 0, 0),
            Self::ReassemblyTimeExceeded => (kind::TIME_EXCEEDED, 1, 0),
            Self::ErroneousField { pointer } => (kind::PARAMETER_PROBLEM, 0, pointer),
            Self::UnknownNextHeader { pointer } => (kind::PARAMETER_PROBLEM, 1, pointer),
        };
        let [a, b, c, d] = u32::to_be_bytes(word);
        [kind, code, 0, 0, a, b, c, d]
    }
}

/// Who a message goes from and to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Between {
    /// From whom.
    pub source: Ipv6Addr,
    /// To whom.
    pub destination: Ipv6Addr,
}

/// Appends a report of `error` about `packet`, which starts at its IP header.
///
/// It quotes as much of the packet as lets the report fit in [`MAX_ERROR_LEN`].
pub fn append_error(error: Error, packet: &[u8], between: Between, out: &mut Vec<u8>) {
    let quote = &packet[..packet.len().min(MAX_ERROR_LEN - ipv6::HEADER_LEN - HEADER_LEN)];
    append(error.header(), quote, between, out);
}

/// Appends the answer to `request`: its identifier, sequence number and data, unchanged.
pub fn append_echo_reply(request: &Icmpv6<'_>, between: Between, out: &mut Vec<u8>) {
    let [a, b, c, d] = request.word();
    append([kind::ECHO_REPLY, 0, 0, 0, a, b, c, d], request.body(), between, out);
}

/// Appends a message, its checksum filled in.
pub(crate) fn append(mut header: [u8; HEADER_LEN], body: &[u8], between: Between, out: &mut Vec<u8>) {
    // A body too long for the sum's length field is too long for any packet: no header can be built for it either.
    let len = u32::try_from(HEADER_LEN + body.len()).unwrap_or(u32::MAX);
    let pseudo = Sum::pseudo_ipv6(between.source, between.destination, PROTOCOL, len);
    let sum = pseudo.bytes(&header).bytes(body).checksum();
    header[2..4].copy_from_slice(&sum.to_be_bytes());
    out.extend(header);
    out.extend(body);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BETWEEN: Between = Between {
        source: Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1),
        destination: Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 1),
    };

    fn parse(message: &[u8]) -> Result<Icmpv6<'_>, IcmpError> {
        Icmpv6::parse(message, BETWEEN.source, BETWEEN.destination)
    }

    fn echo_request(data: &[u8]) -> Vec<u8> {
        let mut message = Vec::new();
        append([kind::ECHO_REQUEST, 0, 0, 0, 0x12, 0x34, 0, 1], data, BETWEEN, &mut message);
        message
    }

    #[test]
    fn a_damaged_or_short_message_or_one_to_another_address_is_refused() {
        let mut message = echo_request(b"data");
        assert!(parse(&message).is_ok());
        assert_eq!(parse(&message[..7]).err(), Some(IcmpError::Truncated));
        let elsewhere = Icmpv6::parse(&message, BETWEEN.source, Ipv6Addr::LOCALHOST);
        assert_eq!(elsewhere.err(), Some(IcmpError::Checksum), "the checksum covers the addresses");
        message[9] ^= 1;
        assert_eq!(parse(&message).err(), Some(IcmpError::Checksum));
    }

    /// RFC 4443 section 3, one row per error.
    #[test]
    fn an_error_has_its_type_code_and_word_and_quotes_the_packet() {
        #[rustfmt::skip]
        let errors = [
            (Error::NoRoute,                           [1, 0], 0_u32),
            (Error::Prohibited,                        [1, 1], 0),
            (Error::AddressUnreachable,                [1, 3], 0),
            (Error::PortUnreachable,                   [1, 4], 0),
            (Error::RejectRoute,                       [1, 6], 0),
            (Error::PacketTooBig { mtu: 1400 },        [2, 0], 1400),
            (Error::HopLimitExceeded,                  [3, 0], 0),
            (Error::ReassemblyTimeExceeded,            [3, 1], 0),
            (Error::ErroneousField { pointer: 42 },    [4, 0], 42),
            (Error::UnknownNextHeader { pointer: 6 },  [4, 1], 6),
        ];
        for (error, kind_and_code, word) in errors {
            let mut message = Vec::new();
            append_error(error, &[0x60; 60], BETWEEN, &mut message);
            let icmp = parse(&message).unwrap();
            assert_eq!([icmp.kind(), icmp.code()], kind_and_code, "{error:?}");
            assert_eq!((icmp.word(), icmp.body()), (word.to_be_bytes(), &[0x60; 60][..]), "{error:?}");
        }
    }

    #[test]
    fn an_error_quotes_as_much_as_fits_in_1280_bytes() {
        let mut message = Vec::new();
        append_error(Error::HopLimitExceeded, &[0x60; 1500], BETWEEN, &mut message);
        assert_eq!(ipv6::HEADER_LEN + message.len(), 1280);
    }

    #[test]
    fn an_echo_comes_back_with_its_data_identifier_and_sequence_number() {
        for data in [&b""[..], b"odd", &[0xa5; 1452]] {
            let request = echo_request(data);
            let mut reply = Vec::new();
            append_echo_reply(&parse(&request).unwrap(), BETWEEN, &mut reply);
            assert_eq!(parse(&reply).unwrap().kind(), kind::ECHO_REPLY);
            assert_eq!(reply[4..], request[4..]);
        }
    }

    #[test]
    fn redirects_are_not_reported_about_any_more_than_errors() {
        assert!([0, 1, 4, 127, 137].into_iter().all(is_error));
        assert!(![128, 129, 135, 136, 200].into_iter().any(is_error));
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_asked_whether_they_are_icmpv6(message in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(icmp) = parse(&message) {
                prop_assert_eq!(icmp.body().len() + HEADER_LEN, message.len());
            }
        }
    }
}
