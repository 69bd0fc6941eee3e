//! ICMP for IPv4 (RFC 792, RFC 1812 section 4.3): echo, and the errors a router reports.
//!
//! What is built here is the message alone; the IP header around it is [`crate::ipv4::Builder`]'s.

use std::net::Ipv4Addr;

use crate::checksum::Sum;
use crate::ipv4;

/// The IANA protocol number.
pub const PROTOCOL: u8 = 1;

/// Length of the part every message has, in bytes.
pub const HEADER_LEN: usize = 8;

/// Longest packet that reports an error, IP header included, in bytes (RFC 1812 section 4.3.2.3).
pub const MAX_ERROR_LEN: usize = 576;

/// A message's type: a question or an answer, or else an error.
pub mod kind {
    /// The answer to an echo request.
    pub const ECHO_REPLY: u8 = 0;
    /// A destination cannot be reached.
    pub const UNREACHABLE: u8 = 3;
    /// Somebody else is nearer.
    pub const REDIRECT: u8 = 5;
    /// Please answer with the same data.
    pub const ECHO_REQUEST: u8 = 8;
    /// The time to live ran out.
    pub const TIME_EXCEEDED: u8 = 11;
    /// A header makes no sense.
    pub const PARAMETER_PROBLEM: u8 = 12;
}

/// A message with the right checksum over borrowed bytes.
#[derive(Debug, Clone, Copy)]
pub struct Icmpv4<'a> {
    header: &'a [u8; HEADER_LEN],
    message: &'a [u8],
}

impl<'a> Icmpv4<'a> {
    /// Checks `bytes`, all that the IP packet carries.
    ///
    /// # Errors
    ///
    /// When they are shorter than a header, or damaged.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, IcmpError> {
        let header = bytes.first_chunk().ok_or(IcmpError::Truncated)?;
        if !Sum::default().bytes(bytes).verifies() {
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

    /// What follows the header: data of an echo, the packet an error is about.
    pub fn body(&self) -> &'a [u8] {
        &self.message[HEADER_LEN..]
    }
}

/// Why bytes are not an ICMP message, of either family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IcmpError {
    /// Shorter than a header.
    #[error("shorter than an ICMP header")]
    Truncated,
    /// Damaged on the way.
    #[error("the ICMP checksum is wrong")]
    Checksum,
}

/// Whether a message of type `kind` reports an error, so that none may be reported about it (RFC 1812 section 4.3.2.7).
///
/// A type that is not known might be one, and is taken for one (RFC 1122 section 3.2.2).
pub const fn is_error(kind: u8) -> bool {
    let is_known_query = matches!(kind, 0 | 8 | 9 | 10 | 13..=18 | 30 | 37 | 38 | 42 | 43);
    !is_known_query
}

/// An error a router reports, with its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// 3/0: no route leads there.
    NetUnreachable,
    /// 3/1: the last hop does not answer, or a route says so.
    HostUnreachable,
    /// 3/2: this host does not speak the protocol.
    ProtocolUnreachable,
    /// 3/3: nobody listens on the port.
    PortUnreachable,
    /// 3/4: it does not fit in the next link, and must not be fragmented (RFC 1191 section 4).
    FragmentationNeeded {
        /// The longest packet that does.
        mtu: u16,
    },
    /// 3/5: who is next on its source route cannot be reached.
    SourceRouteFailed,
    /// 3/13: somebody decided that it is not to pass (RFC 1812 section 5.2.7.1).
    Prohibited,
    /// 5/1: this host, or gateway, on the sender's own link is nearer to the destination.
    Redirect {
        /// Its address.
        nearer: Ipv4Addr,
    },
    /// 11/0: the time to live ran out on the way.
    TimeExceeded,
    /// 11/1: not all fragments came in time.
    ReassemblyTimeExceeded,
    /// 12/0: a header field makes no sense.
    ParameterProblem {
        /// Where it stands in the packet.
        pointer: u8,
    },
}

impl Error {
    const fn header(self) -> [u8; HEADER_LEN] {
        let (kind, code, word) = match self {
            Self::NetUnreachable => (kind::UNREACHABLE, 0, 0),
            Self::HostUnreachable => (kind::UNREACHABLE, 1, 0),
            Self::ProtocolUnreachable => (kind::UNREACHABLE, 2, 0),
            Self::PortUnreachable => (kind::UNREACHABLE, 3, 0),
            Self::FragmentationNeeded { mtu } => (kind::UNREACHABLE, 4, mtu as u32),
            Self::SourceRouteFailed => (kind::UNREACHABLE, 5, 0),
            Self::Prohibited => (kind::UNREACHABLE, 13, 0),
            Self::Redirect { nearer } => (kind::REDIRECT, 1, nearer.to_bits()),
            Self::TimeExceeded => (kind::TIME_EXCEEDED, 0, 0),
            Self::ReassemblyTimeExceeded => (kind::TIME_EXCEEDED, 1, 0),
            Self::ParameterProblem { pointer } => (kind::PARAMETER_PROBLEM, 0, (pointer as u32) << 24),
        };
        let [a, b, c, d] = u32::to_be_bytes(word);
        [kind, code, 0, 0, a, b, c, d]
    }
}

/// Appends a report of `error` about `packet`, which starts at its IP header.
///
/// It quotes as much of the packet as lets the report fit in [`MAX_ERROR_LEN`] behind a header without options.
pub fn append_error(error: Error, packet: &[u8], out: &mut Vec<u8>) {
    let quote = &packet[..packet.len().min(MAX_ERROR_LEN - ipv4::MIN_HEADER_LEN - HEADER_LEN)];
    append(error.header(), quote, out);
}

/// Appends the answer to `request`: its identifier, sequence number and data, unchanged.
pub fn append_echo_reply(request: &Icmpv4<'_>, out: &mut Vec<u8>) {
    let mut header = *request.header;
    header[..4].copy_from_slice(&[kind::ECHO_REPLY, 0, 0, 0]);
    append(header, request.body(), out);
}

fn append(mut header: [u8; HEADER_LEN], body: &[u8], out: &mut Vec<u8>) {
    let sum = Sum::default().bytes(&header).bytes(body).checksum();
    header[2..4].copy_from_slice(&sum.to_be_bytes());
    out.extend(header);
    out.extend(body);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn echo_request(data: &[u8]) -> Vec<u8> {
        let mut message = Vec::new();
        append([kind::ECHO_REQUEST, 0, 0, 0, 0x12, 0x34, 0, 1], data, &mut message);
        message
    }

    #[test]
    fn a_damaged_or_short_message_is_refused() {
        let mut message = echo_request(b"data");
        assert!(Icmpv4::parse(&message).is_ok());
        assert_eq!(Icmpv4::parse(&message[..7]).err(), Some(IcmpError::Truncated));
        message[9] ^= 1;
        assert_eq!(Icmpv4::parse(&message).err(), Some(IcmpError::Checksum));
    }

    /// RFC 792 and RFC 1191, one row per error.
    #[test]
    fn an_error_has_its_type_code_and_mtu_and_quotes_the_packet() {
        #[rustfmt::skip]
        let errors = [
            (Error::NetUnreachable,                    [3, 0],  [0, 0, 0, 0]),
            (Error::HostUnreachable,                   [3, 1],  [0, 0, 0, 0]),
            (Error::ProtocolUnreachable,               [3, 2],  [0, 0, 0, 0]),
            (Error::PortUnreachable,                   [3, 3],  [0, 0, 0, 0]),
            (Error::FragmentationNeeded { mtu: 1400 }, [3, 4],  [0, 0, 5, 0x78]),
            (Error::SourceRouteFailed,                 [3, 5],  [0, 0, 0, 0]),
            (Error::ReassemblyTimeExceeded,            [11, 1], [0, 0, 0, 0]),
            (Error::ParameterProblem { pointer: 20 },  [12, 0], [20, 0, 0, 0]),
            (Error::Prohibited,                        [3, 13], [0, 0, 0, 0]),
            (Error::Redirect { nearer: [192, 0, 2, 9].into() }, [5, 1], [192, 0, 2, 9]),
            (Error::TimeExceeded,                      [11, 0], [0, 0, 0, 0]),
        ];
        for (error, kind_and_code, rest) in errors {
            let mut message = Vec::new();
            append_error(error, &[0x45; 60], &mut message);
            assert!(Icmpv4::parse(&message).is_ok(), "{error:?}");
            assert_eq!((&message[..2], &message[4..8]), (&kind_and_code[..], &rest[..]), "{error:?}");
            assert_eq!(message[8..], [0x45; 60]);
        }
    }

    #[test]
    fn an_error_quotes_as_much_as_fits_in_576_bytes() {
        let mut message = Vec::new();
        append_error(Error::TimeExceeded, &[0x45; 1500], &mut message);
        assert_eq!(ipv4::MIN_HEADER_LEN + message.len(), 576);
    }

    #[test]
    fn an_echo_comes_back_with_its_data_identifier_and_sequence_number() {
        for data in [&b""[..], b"odd", &[0xa5; 1472]] {
            let request = echo_request(data);
            let mut reply = Vec::new();
            append_echo_reply(&Icmpv4::parse(&request).unwrap(), &mut reply);
            assert_eq!(Icmpv4::parse(&reply).unwrap().kind(), kind::ECHO_REPLY);
            assert_eq!(reply[4..], request[4..]);
        }
    }

    #[test]
    fn a_type_nobody_knows_is_taken_for_an_error() {
        assert!([3, 4, 5, 11, 12, 44, 255].into_iter().all(is_error));
        assert!(![0, 8, 13, 14, 17, 18].into_iter().any(is_error));
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_asked_whether_they_are_icmp(message in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(icmp) = Icmpv4::parse(&message) {
                prop_assert_eq!(icmp.body().len() + HEADER_LEN, message.len());
                append_echo_reply(&icmp, &mut Vec::new());
            }
        }
    }
}
