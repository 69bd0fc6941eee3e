//! ARP for IPv4 over Ethernet (RFC 826): which station has an address.
//!
//! Other pairs of hardware and protocol are possible on paper and never met: they are refused, in silence, as the RFC
//! asks of who does not speak them.

use std::net::Ipv4Addr;

use crate::ethernet::{EtherType, MacAddr};

/// Length of a message for IPv4 over Ethernet, in bytes.
pub const LEN: usize = 28;

/// A message: who asks or answers, and about whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arp {
    /// Asked or answered.
    pub operation: Operation,
    /// The sender's station.
    pub sender_mac: MacAddr,
    /// The sender's address; unspecified in a probe (RFC 5227).
    pub sender: Ipv4Addr,
    /// In a reply the asker's station; in a request without meaning.
    pub target_mac: MacAddr,
    /// In a request the address asked for; in a reply the asker's.
    pub target: Ipv4Addr,
}

/// What a message wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Who has the target address?
    Request,
    /// The sender has the sender address.
    Reply,
}

impl Arp {
    /// Reads the message at the start of `bytes`; what the link appended, such as padding, is not looked at.
    ///
    /// # Errors
    ///
    /// The first field, in the order of the RFC's algorithm for receivers, that is not IPv4 over Ethernet's.
    pub fn parse(bytes: &[u8]) -> Result<Self, ArpError> {
        let message = bytes.first_chunk::<LEN>().ok_or(ArpError::Truncated)?;
        let [h0, h1, p0, p1, hardware_len, protocol_len, o0, o1, addresses @ ..] = *message;
        // ?Do I have the hardware type in ar$hrd? [optionally check the hardware length ar$hln]
        if u16::from_be_bytes([h0, h1]) != ETHERNET || hardware_len != 6 {
            return Err(ArpError::Hardware);
        }
        // ?Do I speak the protocol in ar$pro? [optionally check the protocol length ar$pln]
        if u16::from_be_bytes([p0, p1]) != EtherType::IPV4.0 || protocol_len != 4 {
            return Err(ArpError::Protocol);
        }
        let operation = match u16::from_be_bytes([o0, o1]) {
            REQUEST => Operation::Request,
            REPLY => Operation::Reply,
            _ => return Err(ArpError::Operation),
        };
        let [a, b, c, d, e, f, s0, s1, s2, s3, g, h, i, j, k, l, t0, t1, t2, t3] = addresses;
        Ok(Self {
            operation,
            sender_mac: MacAddr([a, b, c, d, e, f]),
            sender: Ipv4Addr::new(s0, s1, s2, s3),
            target_mac: MacAddr([g, h, i, j, k, l]),
            target: Ipv4Addr::new(t0, t1, t2, t3),
        })
    }

    /// The question which station has `target`.
    pub const fn request(sender_mac: MacAddr, sender: Ipv4Addr, target: Ipv4Addr) -> Self {
        Self { operation: Operation::Request, sender_mac, sender, target_mac: MacAddr::ZERO, target }
    }

    /// The answer to this request: the address it asks for is at `mac`.
    #[must_use]
    pub const fn answered_by(&self, mac: MacAddr) -> Self {
        Self {
            operation: Operation::Reply,
            sender_mac: mac,
            sender: self.target,
            target_mac: self.sender_mac,
            target: self.sender,
        }
    }

    /// Appends the message as it stands on the wire.
    pub fn append_to(&self, out: &mut Vec<u8>) {
        let operation = match self.operation {
            Operation::Request => REQUEST,
            Operation::Reply => REPLY,
        };
        out.extend(ETHERNET.to_be_bytes());
        out.extend(EtherType::IPV4.0.to_be_bytes());
        out.extend([6, 4]);
        out.extend(operation.to_be_bytes());
        out.extend(self.sender_mac.0);
        out.extend(self.sender.octets());
        out.extend(self.target_mac.0);
        out.extend(self.target.octets());
    }
}

/// Why bytes are not ARP for IPv4 over Ethernet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ArpError {
    /// Shorter than a message.
    #[error("shorter than an ARP message")]
    Truncated,
    /// Hardware other than Ethernet, or addresses of another length than its.
    #[error("the hardware is not Ethernet")]
    Hardware,
    /// A protocol other than IPv4, or addresses of another length than its.
    #[error("the protocol is not IPv4")]
    Protocol,
    /// Neither a request nor a reply.
    #[error("neither a request nor a reply")]
    Operation,
}

const ETHERNET: u16 = 1;
const REQUEST: u16 = 1;
const REPLY: u16 = 2;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Its name, what breaks it, and what is said then.
    type Rule = (&'static str, fn(&mut Vec<u8>), ArpError);

    fn request() -> Arp {
        Arp::request("02:00:00:00:00:01".parse().unwrap(), Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 2))
    }

    fn bytes(message: Arp) -> Vec<u8> {
        let mut bytes = Vec::new();
        message.append_to(&mut bytes);
        bytes
    }

    /// RFC 826, one row per question a receiver asks itself.
    #[test]
    fn a_message_that_is_not_for_ipv4_over_ethernet_is_refused() {
        #[rustfmt::skip]
        let rules: [Rule; 8] = [
            ("whole message",     |m| m.truncate(27), ArpError::Truncated),
            ("empty",             |m| m.clear(),      ArpError::Truncated),
            ("hardware type",     |m| m[1] = 6,       ArpError::Hardware),
            ("hardware length",   |m| m[4] = 8,       ArpError::Hardware),
            ("protocol type",     |m| m[2] = 0x86,    ArpError::Protocol),
            ("protocol length",   |m| m[5] = 16,      ArpError::Protocol),
            ("operation 0",       |m| m[7] = 0,       ArpError::Operation),
            ("operation 3: RARP", |m| m[7] = 3,       ArpError::Operation),
        ];
        for (rule, break_it, refused) in rules {
            let mut message = bytes(request());
            break_it(&mut message);
            assert_eq!(Arp::parse(&message).err(), Some(refused), "{rule}");
        }
    }

    #[test]
    fn a_message_reads_back_as_it_was_written_whatever_padding_follows() {
        let mut padded = bytes(request());
        assert_eq!(padded.len(), LEN);
        padded.resize(46, 0xaa);
        assert_eq!(Arp::parse(&padded), Ok(request()));
    }

    #[test]
    fn an_answer_names_the_asked_address_and_goes_to_the_asker() {
        let mac = "02:00:00:00:00:02".parse().unwrap();
        let answer = request().answered_by(mac);
        assert_eq!(answer.operation, Operation::Reply);
        assert_eq!((answer.sender_mac, answer.sender), (mac, request().target));
        assert_eq!((answer.target_mac, answer.target), (request().sender_mac, request().sender));
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_asked_whether_they_are_arp(
            mut message in proptest::collection::vec(any::<u8>(), 0..60),
            header in any::<bool>(),
        ) {
            if header && message.len() >= 8 {
                message[..8].copy_from_slice(&[0, 1, 8, 0, 6, 4, 0, 1]);
            }
            if let Ok(arp) = Arp::parse(&message) {
                prop_assert_eq!(&bytes(arp), &message[..LEN]);
            }
        }
    }
}
