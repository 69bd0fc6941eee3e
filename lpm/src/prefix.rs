//! Prefixes that cannot hold host bits.
//!
//! A [`Prefix`] is a promise: its address has no bit set beyond its length, so two prefixes that cover the same
//! addresses are equal, and a table can be keyed by them. Text with host bits is refused with the prefix that was
//! probably meant.

use std::fmt::{self, Debug, Display};
use std::hash::Hash;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::family::Family;

/// An address family's address: IPv4 or IPv6, as a number whose most significant bit comes first on the wire.
///
/// Implemented for [`Ipv4Addr`] and [`Ipv6Addr`] only: the compiled table is laid out for these two.
pub trait Address: Family + Copy + Ord + Hash + Debug + Display + FromStr + Send + Sync + 'static {
    /// Bits in an address: 32 or 128.
    const BITS: u8;

    /// The address as a number, in the low [`Address::BITS`] bits.
    fn to_number(self) -> u128;

    /// The address of a number; bits above [`Address::BITS`] are ignored.
    fn from_number(number: u128) -> Self;
}

impl Address for Ipv4Addr {
    const BITS: u8 = 32;

    fn to_number(self) -> u128 {
        u128::from(u32::from(self))
    }

    #[expect(clippy::cast_possible_truncation, reason = "the bits above 32 are documented as ignored")]
    fn from_number(number: u128) -> Self {
        Self::from(number as u32)
    }
}

impl Address for Ipv6Addr {
    const BITS: u8 = 128;

    fn to_number(self) -> u128 {
        u128::from(self)
    }

    fn from_number(number: u128) -> Self {
        Self::from(number)
    }
}

/// A network: an address without host bits, and the number of leading bits that matter.
///
/// Ordered by address, then by length, so that a prefix comes right before everything it covers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix<A> {
    address: A,
    len: u8,
}

impl<A: Address> Prefix<A> {
    /// The prefix that covers every address.
    pub fn default_route() -> Self {
        Self::containing(A::from_number(0), 0)
    }

    /// The prefix that covers `address` alone.
    pub fn host(address: A) -> Self {
        Self { address, len: A::BITS }
    }

    /// A prefix from its parts.
    ///
    /// # Errors
    ///
    /// When `len` exceeds the family's address, or `address` has host bits.
    pub fn new(address: A, len: u8) -> Result<Self, PrefixError> {
        if len > A::BITS {
            return Err(PrefixError::TooLong { len: len.to_string(), longest: A::BITS });
        }
        let network = Self::containing(address, len);
        if network.address != address {
            return Err(PrefixError::HostBits { given: format!("{address}/{len}"), meant: network.to_string() });
        }
        Ok(network)
    }

    /// The prefix of length `len` that `address` lies in; a `len` beyond the family's is taken as a host's.
    pub fn containing(address: A, len: u8) -> Self {
        let len = len.min(A::BITS);
        Self { address: A::from_number(address.to_number() & Self::mask(len)), len }
    }

    /// The first address, which is also the network's.
    pub fn address(self) -> A {
        self.address
    }

    /// The last address it covers; for IPv4, the directed broadcast.
    pub fn last(self) -> A {
        A::from_number(self.address.to_number() | !Self::mask(self.len))
    }

    /// Leading bits that matter: 0 for a default route, [`Address::BITS`] for a host.
    #[expect(clippy::len_without_is_empty, reason = "the length of a prefix counts bits; no prefix is empty")]
    pub fn len(self) -> u8 {
        self.len
    }

    /// Whether `address` lies in this prefix.
    pub fn contains(self, address: A) -> bool {
        address.to_number() & Self::mask(self.len) == self.address.to_number()
    }

    /// Whether every address of `other` lies in this prefix; a prefix covers itself.
    pub fn covers(self, other: Self) -> bool {
        self.len <= other.len && self.contains(other.address)
    }

    /// The leading `len` of [`Address::BITS`] bits set.
    fn mask(len: u8) -> u128 {
        let all = u128::MAX >> (128 - u32::from(A::BITS));
        match len {
            0 => 0,
            len => all & (all << (A::BITS - len)),
        }
    }
}

impl<A: Address> Display for Prefix<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.len)
    }
}

impl<A: Address> Debug for Prefix<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

impl<A: Address> FromStr for Prefix<A> {
    type Err = PrefixError;

    /// Reads `ADDRESS/LEN`; an address alone is a host's prefix, as in `ip(8)`.
    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let (address, len) = match text.split_once('/') {
            Some((address, len)) => (address, Some(len)),
            None => (text, None),
        };
        let address = address.parse().map_err(|_not_an_address| PrefixError::BadAddress {
            given: address.to_owned(),
            family: if A::BITS == 32 { "IPv4" } else { "IPv6" },
        })?;
        match len {
            None => Ok(Self::host(address)),
            Some(len) => match len.parse() {
                Ok(len) => Self::new(address, len),
                Err(_not_a_number) => Err(PrefixError::TooLong { len: len.to_owned(), longest: A::BITS }),
            },
        }
    }
}

/// Why text is not a prefix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PrefixError {
    /// The part before the slash is no address of the family.
    #[error("`{given}` is not an {family} address")]
    BadAddress {
        /// What stood there.
        given: String,
        /// `IPv4` or `IPv6`.
        family: &'static str,
    },
    /// The part after the slash is no length of the family.
    #[error("`/{len}` is not a prefix length from /0 to /{longest}")]
    TooLong {
        /// What stood there.
        len: String,
        /// The longest prefix of the family.
        longest: u8,
    },
    /// The address has bits set that the length says do not matter.
    #[error("`{given}` has host bits set; the network is `{meant}`")]
    HostBits {
        /// What stood there.
        given: String,
        /// The same with the host bits cleared.
        meant: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_bits_are_refused_with_the_network_that_was_meant() {
        let refused = "10.1.2.3/8".parse::<Prefix<Ipv4Addr>>().unwrap_err();
        assert_eq!(refused.to_string(), "`10.1.2.3/8` has host bits set; the network is `10.0.0.0/8`");
    }

    #[test]
    fn text_that_is_no_prefix_is_refused_for_its_reason() {
        for (text, reason) in [
            ("10.0.0.0/33", "`/33` is not a prefix length from /0 to /32"),
            ("10.0.0.0/", "`/` is not a prefix length from /0 to /32"),
            ("10.0.0.0/-1", "`/-1` is not a prefix length from /0 to /32"),
            ("10.0.0/8", "`10.0.0` is not an IPv4 address"),
            ("2001:db8::/32", "`2001:db8::` is not an IPv4 address"),
        ] {
            assert_eq!(text.parse::<Prefix<Ipv4Addr>>().unwrap_err().to_string(), reason, "{text}");
        }
    }

    #[test]
    fn a_default_route_covers_everything_and_a_host_only_itself() {
        let default = Prefix::<Ipv6Addr>::default_route();
        let host = Prefix::host(Ipv6Addr::LOCALHOST);
        assert!(default.covers(host) && !host.covers(default));
        assert_eq!(default.last(), Ipv6Addr::from(u128::MAX));
        assert!(host.contains(Ipv6Addr::LOCALHOST) && !host.contains(Ipv6Addr::UNSPECIFIED));
    }

    #[test]
    fn a_prefix_prints_as_it_is_written() {
        for text in ["0.0.0.0/0", "192.0.2.0/24", "192.0.2.1/32"] {
            assert_eq!(text.parse::<Prefix<Ipv4Addr>>().unwrap().to_string(), text);
        }
        assert_eq!("192.0.2.1".parse::<Prefix<Ipv4Addr>>().unwrap().to_string(), "192.0.2.1/32");
    }
}
