//! All routes of one protocol to a network at once, as a daemon says them.
//!
//! One after the other they would be divided anew for each, and a group of next hops made for every number of them on the
//! way: here there is one group, the last, which routes by the same next hops share.

use std::net::Ipv4Addr;
use std::sync::Arc;

use control_api::Network;
use lpm::{NextHopId, Prefix};

use super::{MAIN, Routes};
use crate::callouts::RouteKey;
use crate::cloning::RtRequest;
use crate::paths::Paths;
use crate::rib::Protocol;
use crate::route::{Facts, RouteEntry};

impl Routes {
    /// Puts routes that say this, of which there is one at least, in the place of the protocol's routes there were.
    pub(crate) fn set_several(&mut self, fib: u16, network: Network, protocol: Protocol, said: &[Facts]) {
        let held = |facts: &Facts| {
            let mut facts = *facts;
            self.say_if_up(&mut facts);
            (facts, self.hold(fib, network.family(), facts))
        };
        let several: Vec<(Facts, NextHopId)> = said.iter().map(held).collect();
        let tables = self.made(fib);
        let before = match network {
            Network::V4(prefix) => tables.ipv4.set_several(prefix, protocol, several),
            Network::V6(prefix) => tables.ipv6.set_several(prefix, protocol, several),
        };
        said.iter().for_each(|facts| self.take_gateway(fib, facts.leads));
        self.doubt_gateways(fib, network, protocol);
        self.retire_all(before);
        let entries = self.paths(fib, network, protocol).map(|paths| paths.entries().to_vec()).unwrap_or_default();
        if let Some(first) = entries.first() {
            self.divide(first);
            self.outdate_clones(first);
        }
        for entry in &entries {
            self.expiry.follow(entry);
            self.tell_hooks(RtRequest::Add, entry);
            self.events.added(entry);
        }
    }

    /// Removes all routes of a protocol to a network.
    pub(crate) fn remove_all(&mut self, fib: u16, network: Network, protocol: Protocol) {
        let Some(tables) = self.tables_mut(fib) else { return };
        let before = match network {
            Network::V4(prefix) => tables.ipv4.remove_all(prefix, protocol),
            Network::V6(prefix) => tables.ipv6.remove_all(prefix, protocol),
        };
        self.timed.remove_all(RouteKey { fib, network, protocol });
        self.retire_all(before);
    }

    pub(super) fn retire_all(&mut self, before: Option<Paths>) {
        let Some(before) = before else { return };
        before.group().into_iter().for_each(|group| self.next_hops.release(group));
        before.entries().iter().for_each(|entry| self.retire(Arc::clone(entry)));
    }

    /// The first route of a protocol to each of up to `most` networks, of all tables, behind where one stopped.
    pub(crate) fn behind(
        &self,
        stopped: Option<(u16, Network)>,
        protocol: Protocol,
        most: usize,
    ) -> Vec<Arc<RouteEntry>> {
        let from = stopped.map_or(MAIN, |(fib, _)| fib);
        let tables = std::iter::once((MAIN, &self.main)).chain(self.others.iter().map(|(fib, tables)| (*fib, tables)));
        let rest = tables.filter(|(fib, _)| *fib >= from).flat_map(|(fib, tables)| {
            let stopped = stopped.filter(|(at, _)| *at == fib).map(|(_, network)| network);
            let (ipv4, ipv6) = match stopped {
                None => (None, None),
                Some(Network::V4(prefix)) => (Some(prefix), None),
                // Behind the last there can be of IPv4.
                Some(Network::V6(prefix)) => (Some(Prefix::host(Ipv4Addr::BROADCAST)), Some(prefix)),
            };
            tables.ipv4.behind(ipv4, protocol).chain(tables.ipv6.behind(ipv6, protocol))
        });
        rest.take(most).cloned().collect()
    }
}
