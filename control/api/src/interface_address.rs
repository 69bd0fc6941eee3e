//! The address of a port and the network it stands in, in one: `192.0.2.1/24`.

use std::fmt::{self, Debug, Display};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use lpm::{Address, Prefix};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::network::{Family, Network};
use crate::text;

/// An address a port can have, with the length of its network.
///
/// Holding one proves that a host can have the address: it is unicast, neither loopback nor link-local IPv6 (a port gives
/// itself that one), and neither the first nor the last of its network where those two have a meaning of their own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterfaceAddress {
    address: IpAddr,
    len: u8,
}

impl InterfaceAddress {
    /// An interface address from its parts.
    ///
    /// # Errors
    ///
    /// When no port can have it.
    pub fn new(address: IpAddr, len: u8) -> Result<Self, InterfaceAddressError> {
        match address {
            IpAddr::V4(address) => check_ipv4(address, len)?,
            IpAddr::V6(address) => check_ipv6(address, len)?,
        }
        Ok(Self { address, len })
    }

    /// The port's own address.
    pub const fn address(self) -> IpAddr {
        self.address
    }

    /// Leading bits of the network.
    #[expect(clippy::len_without_is_empty, reason = "the length of a prefix counts bits; no prefix is empty")]
    pub const fn len(self) -> u8 {
        self.len
    }

    /// Its family.
    pub const fn family(self) -> Family {
        Family::of(self.address)
    }

    /// The network on the link: what a connected route leads to.
    pub fn network(self) -> Network {
        match self.address {
            IpAddr::V4(address) => Network::V4(Prefix::containing(address, self.len)),
            IpAddr::V6(address) => Network::V6(Prefix::containing(address, self.len)),
        }
    }

    /// The network's directed broadcast, which is no host; none for IPv6, nor where every address is a host's (RFC 3021).
    pub fn broadcast(self) -> Option<Ipv4Addr> {
        match self.network() {
            Network::V4(network) if network.len() < 31 => Some(network.last()),
            Network::V4(_) | Network::V6(_) => None,
        }
    }

    /// Whether a neighbour on the link can have `address`: it lies in the network, and is neither ours nor one that has
    /// a meaning of its own there.
    pub fn can_have_neighbour(self, address: IpAddr) -> bool {
        address != self.address && self.network().contains(address) && Self::new(address, self.len).is_ok()
    }
}

/// What RFC 1812 5.3.7 and RFC 1122 3.2.1.3 say no host can have.
fn check_ipv4(address: Ipv4Addr, len: u8) -> Result<(), InterfaceAddressError> {
    use InterfaceAddressError as Refused;
    check_len::<Ipv4Addr>(len)?;
    let given = format!("{address}/{len}");
    if address.is_multicast() {
        return Err(Refused::Multicast { given });
    }
    if address.is_loopback() {
        return Err(Refused::Loopback { given });
    }
    // 0/8 is "this network", 240/4 was never given out; the limited broadcast is in it.
    if address.octets()[0] == 0 || address.octets()[0] >= 240 {
        return Err(Refused::Reserved { given });
    }
    let network = Prefix::containing(address, len);
    // RFC 3021: with 31 bits both addresses are hosts', and with 32 the only one is.
    if len < 31 && address == network.address() {
        return Err(Refused::NetworkItself { given, last: network.last().to_string() });
    }
    if len < 31 && address == network.last() {
        return Err(Refused::Broadcast { given, network: network.to_string() });
    }
    Ok(())
}

/// What RFC 4291 section 2.5 says no host can have.
fn check_ipv6(address: Ipv6Addr, len: u8) -> Result<(), InterfaceAddressError> {
    use InterfaceAddressError as Refused;
    check_len::<Ipv6Addr>(len)?;
    let given = format!("{address}/{len}");
    if address.is_multicast() {
        return Err(Refused::Multicast { given });
    }
    if address.is_loopback() {
        return Err(Refused::Loopback { given });
    }
    if address.is_unicast_link_local() {
        return Err(Refused::LinkLocal { given });
    }
    if address.is_unspecified() || address.to_ipv4_mapped().is_some() {
        return Err(Refused::Reserved { given });
    }
    let network = Prefix::containing(address, len);
    // RFC 4291 2.6.1: the first address is every router's; RFC 6164: between two routers it is one of theirs.
    if len < 127 && address == network.address() {
        return Err(Refused::NetworkItself { given, last: network.last().to_string() });
    }
    Ok(())
}

fn check_len<A: Address>(len: u8) -> Result<(), InterfaceAddressError> {
    if len > A::BITS {
        return Err(InterfaceAddressError::BadLength { len: len.to_string(), longest: A::BITS });
    }
    Ok(())
}

impl Display for InterfaceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.len)
    }
}

impl Debug for InterfaceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

impl FromStr for InterfaceAddress {
    type Err = InterfaceAddressError;

    /// Reads `ADDRESS/LEN`. The length is not optional: a port alone in its network is rarely what was meant.
    fn from_str(given: &str) -> Result<Self, InterfaceAddressError> {
        let (address, len) = given.split_once('/').map_or((given, None), |(address, len)| (address, Some(len)));
        let Ok(address) = address.parse::<IpAddr>() else {
            return Err(InterfaceAddressError::NoAddress { given: given.to_owned() });
        };
        let Some(len) = len else {
            return Err(InterfaceAddressError::NoLength { given: given.to_owned() });
        };
        let longest = if address.is_ipv4() { Ipv4Addr::BITS } else { Ipv6Addr::BITS };
        match len.parse() {
            Ok(bits) if len.bytes().all(|digit| digit.is_ascii_digit()) => Self::new(address, bits),
            Ok(_) | Err(_) => Err(InterfaceAddressError::BadLength {
                len: len.to_owned(),
                longest: u8::try_from(longest).unwrap_or(u8::MAX),
            }),
        }
    }
}

impl Serialize for InterfaceAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        text::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for InterfaceAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::deserialize(deserializer)
    }
}

/// Why a port cannot have an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InterfaceAddressError {
    /// No address stands before the slash.
    #[error("`{given}` is not an address with the length of its network; one is written like `192.0.2.1/24`")]
    NoAddress {
        /// What stood there.
        given: String,
    },
    /// An address stands alone.
    #[error("`{given}` does not say how long its network's prefix is; write `{given}/LENGTH`")]
    NoLength {
        /// What stood there.
        given: String,
    },
    /// The length is none of the family's.
    #[error("`/{len}` is not a prefix length from /0 to /{longest}")]
    BadLength {
        /// What stood there.
        len: String,
        /// The longest of the family.
        longest: u8,
    },
    /// A group's address.
    #[error("`{given}` is a multicast address, which no port can have")]
    Multicast {
        /// What stood there.
        given: String,
    },
    /// The host itself.
    #[error("`{given}` is a loopback address, which never appears on a link")]
    Loopback {
        /// What stood there.
        given: String,
    },
    /// IPv6 link-local.
    #[error("`{given}` is a link-local address; a port makes its own from its MAC address")]
    LinkLocal {
        /// What stood there.
        given: String,
    },
    /// Not for hosts.
    #[error("`{given}` lies in a range that no host can have an address in")]
    Reserved {
        /// What stood there.
        given: String,
    },
    /// The network's first address.
    #[error("`{given}` is the network itself; a port needs an address in it, up to {last}")]
    NetworkItself {
        /// What stood there.
        given: String,
        /// The network's last address.
        last: String,
    },
    /// The network's last address.
    #[error("`{given}` is the broadcast address of {network}; a port needs an address of its own")]
    Broadcast {
        /// What stood there.
        given: String,
        /// The network.
        network: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_address_keeps_its_host_bits_and_knows_its_network() {
        let ours: InterfaceAddress = "192.0.2.1/24".parse().unwrap();
        assert_eq!(ours.to_string(), "192.0.2.1/24");
        assert_eq!(ours.network().to_string(), "192.0.2.0/24");
        assert_eq!(ours.broadcast(), Some(Ipv4Addr::new(192, 0, 2, 255)));
    }

    #[test]
    fn between_two_routers_every_address_is_a_hosts() {
        for text in ["192.0.2.0/31", "192.0.2.1/31", "192.0.2.1/32", "2001:db8::/127", "2001:db8::1/128"] {
            assert_eq!(text.parse::<InterfaceAddress>().unwrap().broadcast(), None, "{text}");
        }
    }

    #[test]
    fn what_no_port_can_have_is_refused_for_its_reason() {
        #[rustfmt::skip]
        let refused = [
            ("left",            "`left` is not an address with the length of its network; one is written like `192.0.2.1/24`"),
            ("192.0.2.1",       "`192.0.2.1` does not say how long its network's prefix is; write `192.0.2.1/LENGTH`"),
            ("192.0.2.1/33",    "`/33` is not a prefix length from /0 to /32"),
            ("192.0.2.1/+24",   "`/+24` is not a prefix length from /0 to /32"),
            ("2001:db8::1/129", "`/129` is not a prefix length from /0 to /128"),
            ("224.0.0.5/24",    "`224.0.0.5/24` is a multicast address, which no port can have"),
            ("ff02::1/64",      "`ff02::1/64` is a multicast address, which no port can have"),
            ("127.0.0.1/8",     "`127.0.0.1/8` is a loopback address, which never appears on a link"),
            ("fe80::1/64",      "`fe80::1/64` is a link-local address; a port makes its own from its MAC address"),
            ("0.0.0.0/24",      "`0.0.0.0/24` lies in a range that no host can have an address in"),
            ("192.0.2.0/24",    "`192.0.2.0/24` is the network itself; a port needs an address in it, up to 192.0.2.255"),
            ("192.0.2.255/24",  "`192.0.2.255/24` is the broadcast address of 192.0.2.0/24; a port needs an address of its own"),
            ("2001:db8::/64",   "`2001:db8::/64` is the network itself; a port needs an address in it, up to 2001:db8::ffff:ffff:ffff:ffff"),
        ];
        for (text, reason) in refused {
            assert_eq!(text.parse::<InterfaceAddress>().unwrap_err().to_string(), reason);
        }
    }

    #[test]
    fn a_neighbour_is_another_host_of_the_network() {
        let ours: InterfaceAddress = "192.0.2.1/24".parse().unwrap();
        for (address, can) in [("192.0.2.2", true), ("192.0.2.1", false), ("192.0.2.255", false), ("192.0.3.1", false)]
        {
            assert_eq!(ours.can_have_neighbour(address.parse().unwrap()), can, "{address}");
        }
    }
}
