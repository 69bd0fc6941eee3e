//! Which route a packet to an address takes.

use std::net::IpAddr;
use std::sync::Arc;

use super::Routes;
use crate::paths::Paths;
use crate::rib::Way;
use crate::route::RouteEntry;

impl Routes {
    /// The routes that share what goes to `address`; none if none leads there.
    pub(crate) fn sharing(&self, fib: u16, address: IpAddr) -> &[Arc<RouteEntry>] {
        self.paths_towards(fib, address).map(Paths::sharing).unwrap_or_default()
    }

    fn paths_towards(&self, fib: u16, address: IpAddr) -> Option<&Paths> {
        let tables = self.tables(fib)?;
        match address {
            IpAddr::V4(address) => tables.ipv4.longest_match(address).map(|(.., paths)| paths),
            IpAddr::V6(address) => tables.ipv6.longest_match(address).map(|(.., paths)| paths),
        }
    }

    /// The route that workers send `packet` by, which goes to `address`: of several that share, the one of its flow.
    pub(crate) fn of_packet(&self, fib: u16, address: IpAddr, packet: &[u8]) -> Option<&Arc<RouteEntry>> {
        let paths = self.paths_towards(fib, address)?;
        let Some(group) = paths.group() else { return Some(paths.first()) };
        let member = self.next_hops.member(group, self.multipath.flows.of(packet));
        paths.sharing().iter().find(|entry| entry.next_hop() == member)
    }

    /// The route a packet to `address` takes.
    pub(crate) fn towards(&self, fib: u16, address: IpAddr) -> Option<&Arc<RouteEntry>> {
        self.paths_towards(fib, address).map(Paths::first)
    }

    /// The route that a packet to `address` would take if no daemon knew any.
    pub(crate) fn own_towards(&self, fib: u16, address: IpAddr) -> Option<&Arc<RouteEntry>> {
        let tables = self.tables(fib)?;
        match address {
            IpAddr::V4(address) => tables.ipv4.longest_own(address).map(|(.., paths)| paths.first()),
            IpAddr::V6(address) => tables.ipv6.longest_own(address).map(|(.., paths)| paths.first()),
        }
    }

    /// Where `packet`, which goes to `address`, goes by a table.
    pub(crate) fn way(&self, fib: u16, address: IpAddr, packet: &[u8]) -> Option<Way> {
        self.of_packet(fib, address, packet).map(|entry| self.passable(entry))
    }
}
