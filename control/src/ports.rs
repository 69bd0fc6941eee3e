//! The ports as the control thread knows them: names, addresses, and the networks on their links.
//!
//! ferry is a strong host (RFC 1122 section 3.3.4.2): a port answers for its own addresses on the link, not for another
//! port's. A packet that reaches any port for any own address is answered all the same: routing knows them all.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use boundary::{Mtu, PortId, PortState};
use control_api::{ApiError, ErrorKind, Family, InterfaceAddress, Network};
use packet::ndp;

/// A port, from the configuration and the device under it.
#[derive(Debug, Clone)]
pub struct PortInfo {
    /// Its name in the configuration.
    pub name: String,
    /// What is under it: the device as DPDK is told, or a VLAN and the port it is on.
    pub device: String,
    /// Its addresses, the one to speak with first of each family.
    pub addresses: Vec<InterfaceAddress>,
    /// What workers know of it.
    pub state: PortState,
    /// Whether packets to the broadcast of its network become broadcasts on its link (RFC 2644).
    pub directed_broadcast: bool,
}

impl PortInfo {
    /// Its addresses of a family.
    fn of(&self, family: Family) -> impl Iterator<Item = InterfaceAddress> + '_ {
        self.addresses.iter().copied().filter(move |own| own.family() == family)
    }

    /// Whether it answers for `address` on its link.
    pub(crate) fn has(&self, address: IpAddr) -> bool {
        address == self.state.link_local || self.owns(address) || self.has_anycast(address)
    }

    /// Whether it answers for `address` as any other router on the link would.
    pub(crate) fn has_anycast(&self, address: IpAddr) -> bool {
        self.addresses.iter().any(|own| anycast(*own).is_some_and(|anycast| anycast == address))
    }

    /// Whether it listens to an IPv6 multicast group (RFC 4291 section 2.8).
    pub(crate) fn is_in(&self, group: Ipv6Addr) -> bool {
        let is_solicited = |own: IpAddr| matches!(own, IpAddr::V6(own) if ndp::solicited_node(own) == group);
        let own = self.addresses.iter().map(|own| own.address()).chain([self.state.link_local.into()]);
        group == ndp::ALL_NODES || group == ndp::ALL_ROUTERS || own.into_iter().any(is_solicited)
    }

    fn owns(&self, address: IpAddr) -> bool {
        self.addresses.iter().any(|own| own.address() == address)
    }

    /// Whether `address` is on a link of ours between two IPv6 routers (RFC 6164).
    pub(crate) fn is_between_routers(&self, address: IpAddr) -> bool {
        let networks = self.addresses.iter().map(|own| own.network());
        networks.filter(|network| network.len() == 127).any(|network| network.contains(address))
    }

    /// Whether a neighbour on its link can have `address`.
    pub(crate) fn can_have_neighbour(&self, address: IpAddr) -> bool {
        let is_on_link = match address {
            IpAddr::V6(address) if address.is_unicast_link_local() => true,
            _ => self.addresses.iter().any(|own| own.can_have_neighbour(address)),
        };
        is_on_link && !self.has(address)
    }

    /// The own address to speak with to `other` on the link, or about something that came over it.
    ///
    /// One of the same network if there is one, so that a trace shows the address the link is known by; and one that
    /// `may` be used.
    fn speaks_to(&self, other: IpAddr, may: impl Fn(IpAddr) -> bool) -> Option<IpAddr> {
        match other {
            IpAddr::V6(other) if other.is_unicast_link_local() => {
                Some(self.state.link_local.into()).filter(|own| may(*own))
            }
            _ => {
                let mut own = self.of(Family::of(other)).filter(|own| may(own.address()));
                let first = own.next();
                let same_network = first.into_iter().chain(own).find(|own| own.network().contains(other));
                same_network.or(first).map(InterfaceAddress::address)
            }
        }
    }
}

/// All ports, by [`PortId`].
#[derive(Debug)]
pub(crate) struct Ports {
    ports: Vec<PortInfo>,
    /// Own addresses that may not be used: somebody else may have them, or has.
    unusable: BTreeSet<(IpAddr, PortId)>,
}

impl Ports {
    pub(crate) const fn new(ports: Vec<PortInfo>) -> Self {
        Self { ports, unusable: BTreeSet::new() }
    }

    /// Whether an own address may be used from now on.
    pub(crate) fn set_usable(&mut self, address: IpAddr, port: PortId, is_usable: bool) {
        if is_usable {
            self.unusable.remove(&(address, port));
        } else {
            self.unusable.insert((address, port));
        }
    }

    /// Whether an own address may be used.
    pub(crate) fn is_usable(&self, address: IpAddr, port: PortId) -> bool {
        !self.unusable.contains(&(address, port))
    }

    /// Whether an own address may be used, whatever port it is on; a link-local one is on `port`.
    pub(crate) fn is_usable_anywhere(&self, address: IpAddr, port: PortId) -> bool {
        self.unusable.is_empty() || self.is_usable(address, self.owner(address).unwrap_or(port))
    }

    /// The own address to speak with to `other` on the link of `port`.
    pub(crate) fn speaks_on(&self, other: IpAddr, port: PortId) -> Option<IpAddr> {
        self.get(port)?.speaks_to(other, |own| self.is_usable(own, port))
    }

    /// The ports with their ids.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (PortId, &PortInfo)> {
        self.ports.iter().enumerate().map(|(index, port)| {
            (PortId(u16::try_from(index).expect("the forwarding state numbers ports with 16 bits")), port)
        })
    }

    /// The port with this id; `None` for an id that nobody was given.
    pub(crate) fn get(&self, id: PortId) -> Option<&PortInfo> {
        self.ports.get(id.index())
    }

    /// The port with this id, which came from here.
    pub(crate) fn port(&self, id: PortId) -> &PortInfo {
        self.get(id).expect("routes and neighbours name ports that are there")
    }

    /// A port has one more address.
    pub(crate) fn add_address(&mut self, id: PortId, own: InterfaceAddress) {
        if let Some(port) = self.ports.get_mut(id.index()) {
            port.addresses.push(own);
        }
    }

    /// A port has an address no more.
    pub(crate) fn remove_address(&mut self, id: PortId, own: InterfaceAddress) {
        if let Some(port) = self.ports.get_mut(id.index()) {
            port.addresses.retain(|other| *other != own);
        }
    }

    /// Whether packets to the broadcast of a port's network become broadcasts on its link from now on.
    pub(crate) fn set_directed_broadcast(&mut self, id: PortId, directed_broadcast: bool) {
        if let Some(port) = self.ports.get_mut(id.index()) {
            port.directed_broadcast = directed_broadcast;
        }
    }

    /// A port carries packets of this length from now on.
    pub(crate) fn set_mtu(&mut self, id: PortId, mtu: Mtu) {
        if let Some(port) = self.ports.get_mut(id.index()) {
            port.state.mtu = mtu;
        }
    }

    /// The port a person calls `name`.
    pub(crate) fn named(&self, name: &str) -> Result<PortId, ApiError> {
        self.iter().find(|(_, port)| port.name == name).map(|(id, _)| id).ok_or_else(|| {
            let names: Vec<_> = self.ports.iter().map(|port| port.name.as_str()).collect();
            ApiError::new(ErrorKind::UnknownPort, format!("there is no port `{name}`"))
                .with_hint(format!("name one of: {}", names.join(", ")))
        })
    }

    /// Whether `address` is one of ours, on whatever port; link-local ones belong to their port alone.
    pub(crate) fn own(&self, address: IpAddr) -> bool {
        self.ports.iter().any(|port| port.owns(address) || port.has_anycast(address))
    }

    /// The port that has `address`.
    pub(crate) fn owner(&self, address: IpAddr) -> Option<PortId> {
        self.iter().find(|(_, port)| port.owns(address)).map(|(id, _)| id)
    }

    /// The port on whose network `address` can be a neighbour; of nested networks the narrowest.
    pub(crate) fn on_link(&self, address: IpAddr) -> Option<PortId> {
        let networks = self.iter().flat_map(|(id, port)| port.addresses.iter().map(move |own| (id, *own)));
        networks.filter(|(_, own)| own.can_have_neighbour(address)).max_by_key(|(_, own)| own.len()).map(|(id, _)| id)
    }

    /// Whether `address` is the broadcast of a network on a link.
    pub(crate) fn is_broadcast(&self, address: Ipv4Addr) -> bool {
        self.ports.iter().flat_map(|port| &port.addresses).any(|own| own.broadcast() == Some(address))
    }

    /// The own address to speak with to `other` about something that came in through `port`: the port's, or if it has
    /// none another's, for links without addresses of their own (RFC 7404, RFC 1812 section 2.2.7).
    pub(crate) fn speaks_to(&self, other: IpAddr, port: PortId) -> Option<IpAddr> {
        let others = self.iter().map(|(id, _)| id);
        std::iter::once(port).chain(others).find_map(|port| self.speaks_on(other, port))
    }
}

/// Addresses of an IPv4 network that are no host's: its own, where it has one, and its broadcast.
pub(crate) fn not_hosts(own: InterfaceAddress) -> impl Iterator<Item = IpAddr> {
    let network = own.broadcast().map(|_| own.network().address());
    network.into_iter().chain(own.broadcast().map(IpAddr::from))
}

/// The first address of an IPv6 network, which is every router's on the link (RFC 4291 section 2.6.1); none between two
/// routers, where it is one of theirs (RFC 6164).
pub(crate) fn anycast(own: InterfaceAddress) -> Option<IpAddr> {
    match own.network() {
        Network::V6(network) if network.len() < 127 => Some(network.address().into()),
        Network::V6(_) | Network::V4(_) => None,
    }
}

/// Whether nobody can have sent from `source`, so that nobody is to be told (RFC 1812 section 5.3.7).
pub(crate) const fn is_martian_source_v4(source: Ipv4Addr) -> bool {
    source.octets()[0] == 0 || source.is_loopback() || source.octets()[0] >= 224
}

/// The same of IPv6 (RFC 4291 section 2.5, RFC 4443 section 2.4 e.6).
pub(crate) const fn is_martian_source_v6(source: Ipv6Addr) -> bool {
    source.is_unspecified() || source.is_loopback() || source.is_multicast()
}

#[cfg(test)]
mod tests {
    use packet::ethernet::MacAddr;

    use super::*;

    fn port(name: &str, addresses: &[&str]) -> PortInfo {
        let mac = MacAddr([2, 0, 0, 0, 0, 1]);
        PortInfo {
            name: name.to_owned(),
            device: String::new(),
            addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
            state: PortState {
                mac,
                mtu: Mtu::ETHERNET,
                link_local: mac.link_local(),
                promiscuous: false,
                vlan: None,
                policy: boundary::Policy::default(),
                tap: false,
            },
            directed_broadcast: false,
        }
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_narrowest_network_says_which_link_a_neighbour_is_on() {
        let ports = Ports::new(vec![port("wide", &["10.0.0.1/8"]), port("narrow", &["10.1.0.1/16"])]);
        assert_eq!(ports.on_link(ip("10.1.2.3")), Some(PortId(1)));
        assert_eq!(ports.on_link(ip("10.2.2.3")), Some(PortId(0)));
        assert_eq!(ports.on_link(ip("11.0.0.1")), None);
    }

    #[test]
    fn a_network_s_own_address_and_broadcast_are_no_neighbours_except_between_two_routers() {
        let ports =
            Ports::new(vec![port("lan", &["192.0.2.1/24"]), port("p2p", &["198.51.100.0/31", "2001:db8::1/127"])]);
        for nobody in ["192.0.2.0", "192.0.2.255", "192.0.2.1"] {
            assert_eq!(ports.on_link(ip(nobody)), None, "{nobody}");
        }
        assert_eq!(ports.on_link(ip("198.51.100.1")), Some(PortId(1)), "RFC 3021");
        assert_eq!(ports.on_link(ip("2001:db8::")), Some(PortId(1)), "RFC 6164");
    }

    #[test]
    fn a_port_speaks_with_the_address_of_the_listener_s_network() {
        let port = port("lan", &["192.0.2.1/24", "198.51.100.1/24", "2001:db8::1/64"]);
        assert_eq!(port.speaks_to(ip("198.51.100.9"), |_own| true), Some(ip("198.51.100.1")));
        assert_eq!(port.speaks_to(ip("203.0.113.9"), |_own| true), Some(ip("192.0.2.1")), "or else with its first");
        assert_eq!(port.speaks_to(ip("2001:db8:9::9"), |_own| true), Some(ip("2001:db8::1")));
        assert_eq!(port.speaks_to(ip("fe80::9"), |_own| true), Some(port.state.link_local.into()));
    }

    #[test]
    fn nobody_speaks_with_an_address_that_may_be_another_s() {
        let mut ports = Ports::new(vec![port("lan", &["2001:db8::1/64", "2001:db8::2/64"])]);
        let listener = ip("2001:db8::9");
        for (own, next) in [("2001:db8::1", Some(ip("2001:db8::2"))), ("2001:db8::2", None)] {
            assert_eq!(ports.speaks_to(listener, PortId(0)), Some(ip(own)));
            ports.set_usable(ip(own), PortId(0), false);
            assert_eq!(ports.speaks_to(listener, PortId(0)), next);
            assert!(!ports.is_usable_anywhere(ip(own), PortId(0)));
        }
        ports.set_usable(ip("2001:db8::1"), PortId(0), true);
        assert_eq!(ports.speaks_to(listener, PortId(0)), Some(ip("2001:db8::1")));
    }

    #[test]
    fn a_port_without_addresses_speaks_with_another_s() {
        let ports = Ports::new(vec![port("bare", &[]), port("lan", &["192.0.2.1/24"])]);
        assert_eq!(ports.speaks_to(ip("203.0.113.9"), PortId(0)), Some(ip("192.0.2.1")));
    }
}
