//! Networks of either family.

use std::fmt::{self, Debug, Display};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use lpm::{Prefix, PrefixError};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::text;

/// An address family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}

impl Family {
    /// The family `address` belongs to.
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::Ipv4,
            IpAddr::V6(_) => Self::Ipv6,
        }
    }

    /// The network that covers every address of the family.
    pub fn default_route(self) -> Network {
        match self {
            Self::Ipv4 => Network::V4(Prefix::default_route()),
            Self::Ipv6 => Network::V6(Prefix::default_route()),
        }
    }
}

impl Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ipv4 => "IPv4",
            Self::Ipv6 => "IPv6",
        })
    }
}

/// A network of either family; written `192.0.2.0/24` or `2001:db8::/32`, and a host without its length, as in `ip(8)`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Network {
    /// An IPv4 network.
    V4(Prefix<Ipv4Addr>),
    /// An IPv6 network.
    V6(Prefix<Ipv6Addr>),
}

impl Network {
    /// The network of `address` alone.
    pub fn host(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::V4(Prefix::host(address)),
            IpAddr::V6(address) => Self::V6(Prefix::host(address)),
        }
    }

    /// Its family.
    pub const fn family(self) -> Family {
        match self {
            Self::V4(_) => Family::Ipv4,
            Self::V6(_) => Family::Ipv6,
        }
    }

    /// The first address.
    pub fn address(self) -> IpAddr {
        match self {
            Self::V4(prefix) => prefix.address().into(),
            Self::V6(prefix) => prefix.address().into(),
        }
    }

    /// Leading bits that matter.
    #[expect(clippy::len_without_is_empty, reason = "the length of a prefix counts bits; no prefix is empty")]
    pub fn len(self) -> u8 {
        match self {
            Self::V4(prefix) => prefix.len(),
            Self::V6(prefix) => prefix.len(),
        }
    }

    /// Whether it covers every address of its family.
    pub fn is_default(self) -> bool {
        self.len() == 0
    }

    /// Whether `address` lies in it; an address of the other family does not.
    pub fn contains(self, address: IpAddr) -> bool {
        match (self, address) {
            (Self::V4(prefix), IpAddr::V4(address)) => prefix.contains(address),
            (Self::V6(prefix), IpAddr::V6(address)) => prefix.contains(address),
            (Self::V4(_), IpAddr::V6(_)) | (Self::V6(_), IpAddr::V4(_)) => false,
        }
    }

    /// Whether every address of `other` lies in it; a network covers itself.
    pub fn covers(self, other: Self) -> bool {
        match (self, other) {
            (Self::V4(prefix), Self::V4(other)) => prefix.covers(other),
            (Self::V6(prefix), Self::V6(other)) => prefix.covers(other),
            (Self::V4(_), Self::V6(_)) | (Self::V6(_), Self::V4(_)) => false,
        }
    }
}

impl From<Prefix<Ipv4Addr>> for Network {
    fn from(prefix: Prefix<Ipv4Addr>) -> Self {
        Self::V4(prefix)
    }
}

impl From<Prefix<Ipv6Addr>> for Network {
    fn from(prefix: Prefix<Ipv6Addr>) -> Self {
        Self::V6(prefix)
    }
}

impl Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(prefix) => Display::fmt(prefix, f),
            Self::V6(prefix) => Display::fmt(prefix, f),
        }
    }
}

impl Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(given: &str) -> Result<Self, NetworkError> {
        let (address, _len) = given.split_once('/').unwrap_or((given, ""));
        match address.parse() {
            Ok(IpAddr::V4(_)) => Ok(Self::V4(given.parse()?)),
            Ok(IpAddr::V6(_)) => Ok(Self::V6(given.parse()?)),
            Err(_neither) => Err(NetworkError::NoAddress { given: given.to_owned() }),
        }
    }
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        text::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::deserialize(deserializer)
    }
}

/// Why text is not a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// What stands before the slash is an address of neither family.
    #[error("`{given}` is not a network; one is written like `192.0.2.0/24` or `2001:db8::/32`")]
    NoAddress {
        /// What stood there.
        given: String,
    },
    /// It is an address, but not a network's.
    #[error(transparent)]
    Prefix(#[from] PrefixError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_reads_back_as_it_was_written() {
        for text in ["0.0.0.0/0", "192.0.2.0/24", "::/0", "2001:db8::/32", "2001:db8::1/128"] {
            let network: Network = text.parse().unwrap();
            assert_eq!(network.to_string(), text);
            let json = serde_json::to_string(&network).unwrap();
            assert_eq!(serde_json::from_str::<Network>(&json).unwrap(), network);
        }
        assert_eq!("2001:db8::1".parse::<Network>().unwrap().to_string(), "2001:db8::1/128");
    }

    #[test]
    fn text_that_is_no_network_is_refused_for_its_reason() {
        for (text, reason) in [
            ("left", "`left` is not a network; one is written like `192.0.2.0/24` or `2001:db8::/32`"),
            ("10.0.0.0/33", "`/33` is not a prefix length from /0 to /32"),
            ("2001:db8::1/64", "`2001:db8::1/64` has host bits set; the network is `2001:db8::/64`"),
        ] {
            assert_eq!(text.parse::<Network>().unwrap_err().to_string(), reason);
        }
    }

    #[test]
    fn families_do_not_cover_each_other() {
        let everything = Family::Ipv4.default_route();
        assert!(everything.covers("10.0.0.0/8".parse().unwrap()) && everything.is_default());
        assert!(!everything.covers("::/0".parse().unwrap()));
        assert!(!everything.contains("::1".parse().unwrap()));
    }
}
