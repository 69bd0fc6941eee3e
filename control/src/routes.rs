//! The routes of both families, their next hops, and the publishing of what follows from them.
//!
//! This is the one place where forwarding changes. A route or a neighbour changes here at once, for the control thread's
//! own questions; workers see everything since the last [`Routes::publish`] together, or nothing of it.

use std::net::IpAddr;

use boundary::{Adjacency, ForwardingState, NextHop, PortId, PortState, Publisher};
use control_api::{Network, RouteCounts};
use lpm::Prefix;
use packet::ethernet::{EtherType, Header, MacAddr};

use crate::callouts::{RouteKey, Timed};
use crate::next_hops::{Key, NextHops};
use crate::rib::{Protocol, Route, Table, Way};

/// All routes.
#[derive(Debug)]
pub(crate) struct Routes {
    ipv4: Table<std::net::Ipv4Addr>,
    ipv6: Table<std::net::Ipv6Addr>,
    next_hops: NextHops,
    publisher: Publisher<ForwardingState>,
    /// What is to happen to routes later. With a route go its timers, whoever removes it.
    pub(crate) timed: Timed,
}

/// A route with all that says which it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    /// Which destinations.
    pub(crate) network: Network,
    /// Who wants it.
    pub(crate) protocol: Protocol,
    /// Where it leads.
    pub(crate) way: Way,
}

impl Routes {
    /// No routes yet; what changes goes to `publisher`.
    pub(crate) fn new(publisher: Publisher<ForwardingState>) -> Self {
        Self {
            ipv4: Table::default(),
            ipv6: Table::default(),
            next_hops: NextHops::default(),
            publisher,
            timed: Timed::default(),
        }
    }

    /// Adds a route, or puts it in place of the protocol's route there was.
    pub(crate) fn set(&mut self, network: Network, protocol: Protocol, way: Way) {
        // Held before the old one is released: a gateway that stays the same stays resolved.
        let route = Route { way, next_hop: self.next_hops.hold(way.next_hop()) };
        let before = match network {
            Network::V4(prefix) => self.ipv4.insert(prefix, protocol, route),
            Network::V6(prefix) => self.ipv6.insert(prefix, protocol, route),
        };
        if let Some(before) = before {
            self.next_hops.release(before.next_hop);
        }
    }

    /// Removes a protocol's route; whether there was one.
    pub(crate) fn remove(&mut self, network: Network, protocol: Protocol) -> bool {
        let removed = match network {
            Network::V4(prefix) => self.ipv4.remove(prefix, protocol),
            Network::V6(prefix) => self.ipv6.remove(prefix, protocol),
        };
        if let Some(route) = removed {
            self.next_hops.release(route.next_hop);
            self.timed.remove_all(RouteKey { network, protocol });
        }
        removed.is_some()
    }

    /// A protocol's route to exactly `network`.
    pub(crate) fn get(&self, network: Network, protocol: Protocol) -> Option<Way> {
        let route = match network {
            Network::V4(prefix) => self.ipv4.get(prefix, protocol),
            Network::V6(prefix) => self.ipv6.get(prefix, protocol),
        };
        route.map(|route| route.way)
    }

    /// The route to exactly `network` that counts.
    pub(crate) fn best(&self, network: Network) -> Option<Found> {
        let best = match network {
            Network::V4(prefix) => self.ipv4.best(prefix),
            Network::V6(prefix) => self.ipv6.best(prefix),
        };
        best.map(|(protocol, route)| Found { network, protocol, way: route.way })
    }

    /// The route a packet to `address` takes.
    pub(crate) fn towards(&self, address: IpAddr) -> Option<Found> {
        match address {
            IpAddr::V4(address) => self.ipv4.longest_match(address).map(found),
            IpAddr::V6(address) => self.ipv6.longest_match(address).map(found),
        }
    }

    /// Where a packet to `address` goes.
    pub(crate) fn way(&self, address: IpAddr) -> Option<Way> {
        self.towards(address).map(|route| route.way)
    }

    /// Every route, IPv4 first, in the order of networks.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Found> + '_ {
        self.ipv4.iter().map(found).chain(self.ipv6.iter().map(found))
    }

    /// How many there are, as many as are shown.
    pub(crate) fn counts(&self) -> RouteCounts {
        RouteCounts { ipv4: self.ipv4.listed(), ipv6: self.ipv6.listed() }
    }

    /// A neighbour was found, or found to be another station than before: what goes to it goes there.
    pub(crate) fn neighbour_found(&mut self, address: IpAddr, port: PortId, state: &PortState, mac: MacAddr) {
        let id = self.neighbour(address, port).unwrap_or_else(|| self.host_found(address, port));
        let ether_type = if address.is_ipv4() { EtherType::IPV4 } else { EtherType::IPV6 };
        let header = Header { destination: mac, source: state.mac, ether_type }.to_bytes();
        self.next_hops.set(id, NextHop::Neighbour(Adjacency { port, mtu: state.mtu, header }));
    }

    /// A neighbour answers no more: what goes to it waits until it is found again.
    pub(crate) fn neighbour_lost(&mut self, address: IpAddr, port: PortId) {
        let lost = match address {
            IpAddr::V4(address) => self.ipv4.host_lost(address, port),
            IpAddr::V6(address) => self.ipv6.host_lost(address, port),
        };
        if let Some(id) = lost {
            self.next_hops.set(id, NextHop::Unresolved);
            self.next_hops.release(id);
        }
    }

    /// The next hop of a known neighbour.
    pub(crate) fn neighbour(&self, address: IpAddr, port: PortId) -> Option<lpm::NextHopId> {
        match address {
            IpAddr::V4(address) => self.ipv4.host(address, port),
            IpAddr::V6(address) => self.ipv6.host(address, port),
        }
    }

    fn host_found(&mut self, address: IpAddr, port: PortId) -> lpm::NextHopId {
        let id = self.next_hops.hold(Key::Neighbour(port, address));
        match address {
            IpAddr::V4(address) => self.ipv4.host_found(address, port, id),
            IpAddr::V6(address) => self.ipv6.host_found(address, port, id),
        }
        id
    }

    /// Shows workers everything that changed since the last time, at once; does nothing when nothing did.
    pub(crate) fn publish(&mut self) {
        if !self.ipv4.is_changed() && !self.ipv6.is_changed() && !self.next_hops.is_changed() {
            return;
        }
        let current = self.publisher.current();
        self.publisher.publish(ForwardingState {
            generation: current.generation + 1,
            ipv4: self.ipv4.forwarding(),
            ipv6: self.ipv6.forwarding(),
            next_hops: self.next_hops.share(),
            ports: current.ports.clone(),
        });
    }

    /// How many times the state was published.
    pub(crate) fn generation(&self) -> u64 {
        self.publisher.current().generation
    }

    /// Frees what no worker uses any more; returns how many states are still in memory, the current one among them.
    pub(crate) fn reclaim(&mut self) -> usize {
        self.publisher.reclaim() + 1
    }
}

fn found<A: lpm::Address>((prefix, protocol, route): (Prefix<A>, Protocol, &Route)) -> Found
where
    Network: From<Prefix<A>>,
{
    Found { network: prefix.into(), protocol, way: route.way }
}
