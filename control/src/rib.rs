//! The routes of one family, and the forwarding table that follows from them.
//!
//! Two things are told apart here. A **route** is what somebody wants: a port's address, or a person. A **host** is a
//! neighbour whose MAC address is known; it appears in the forwarding table alone, as the most specific route to itself,
//! for as long as it is known and only where the routes lead to its link anyway. So a packet to a host that nobody has
//! talked to yet meets the network's own entry and is held until the host is found, and a route that a person put above
//! the host, or right at it, wins.
//!
//! For one network there may be routes of each protocol; those count that are worth most of those that can be used, and of
//! two worth the same, those of the first in the order of [`Protocol`]. So a person's route may stand in for a daemon's,
//! or the other way round. Which of several of one protocol count is the business of [`Paths`].
//!
//! Every change of routes or hosts is written down as the few changes of the forwarding table that follow, and they are
//! applied together when [`Table::forwarding`] is asked for.

mod counting;
mod several;
#[cfg(test)]
mod tests;
mod way;

use std::collections::{BTreeMap, btree_map};
use std::sync::Arc;

use boundary::PortId;
use control_api::{Family, Network};
use lpm::{Address, Change, Fib, FibWriter, NextHopId, Prefix};

use crate::next_hops::Member;
use crate::paths::Paths;
use crate::route::{Facts, RouteEntry, RouteId};
use counting::Counting;
pub(crate) use way::{Protocol, Way};

/// A neighbour whose MAC address is known.
#[derive(Debug, Clone, Copy)]
struct Host {
    next_hop: NextHopId,
    /// Whether the routes lead to its link, so that it has an entry of its own.
    is_entered: bool,
}

/// The routes and hosts of a family, in one table; by default the one that workers forward by.
#[derive(Debug)]
pub(crate) struct Table<A: Address> {
    fib: u16,
    routes: BTreeMap<(Prefix<A>, Protocol), Paths>,
    /// Routes there ever were: the next one's number.
    serial: u64,
    listed: usize,
    /// Routes that are counted.
    counted: usize,
    hosts: BTreeMap<(A, PortId), Host>,
    forwarding: Option<Forwarding<A>>,
    /// Nothing unless routes are counted.
    counting: Option<Counting<A>>,
}

/// What there is of a protocol's routes to a network but one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    None,
    Others,
}

/// The forwarding table of workers, and how far it is behind.
#[derive(Debug)]
struct Forwarding<A: Address> {
    writer: FibWriter<A>,
    changes: Vec<Change<A>>,
}

impl<A: Address> Default for Table<A> {
    fn default() -> Self {
        let forwarding = Some(Forwarding { writer: FibWriter::default(), changes: Vec::new() });
        Self {
            fib: 0,
            routes: BTreeMap::new(),
            serial: 0,
            listed: 0,
            counted: 0,
            hosts: BTreeMap::new(),
            forwarding,
            counting: None,
        }
    }
}

impl<A: Address> Table<A>
where
    Network: From<Prefix<A>>,
{
    /// A table beside that; whether workers forward by it, or it is only asked.
    pub(crate) fn beside(fib: u16, is_forwarded_by: bool) -> Self {
        let table = Self { fib, ..Self::default() };
        if is_forwarded_by { table } else { Self { forwarding: None, ..table } }
    }

    /// Adds a route, or puts it in place of the protocol's routes there were, which are no longer up: those come beside it.
    pub(crate) fn set(
        &mut self,
        prefix: Prefix<A>,
        protocol: Protocol,
        facts: Facts,
        next_hop: NextHopId,
    ) -> (Arc<RouteEntry>, Option<Paths>) {
        let entry = self.made(prefix, protocol, facts, next_hop);
        let before = self.routes.insert((prefix, protocol), Paths::One(Arc::clone(&entry)));
        before.iter().flat_map(Paths::entries).for_each(|entry| self.left(entry));
        self.follow(prefix);
        (entry, before)
    }

    /// Adds a route beside the protocol's routes there are, or as its first.
    pub(crate) fn add(
        &mut self,
        prefix: Prefix<A>,
        protocol: Protocol,
        facts: Facts,
        next_hop: NextHopId,
    ) -> Arc<RouteEntry> {
        let entry = self.made(prefix, protocol, facts, next_hop);
        match self.routes.entry((prefix, protocol)) {
            btree_map::Entry::Vacant(free) => {
                free.insert(Paths::One(Arc::clone(&entry)));
            }
            btree_map::Entry::Occupied(mut paths) => paths.get_mut().add(Arc::clone(&entry)),
        }
        self.follow(prefix);
        entry
    }

    /// Removes a route, which is no longer up, if it is there. The others of its protocol stay: it comes with whether there
    /// are any.
    pub(crate) fn remove(&mut self, prefix: Prefix<A>, entry: &RouteEntry) -> Option<(Arc<RouteEntry>, Left)> {
        let btree_map::Entry::Occupied(mut paths) = self.routes.entry((prefix, entry.protocol())) else { return None };
        let removed = match paths.get_mut().take(entry.id()) {
            Some(taken) => (taken, Left::Others),
            None if paths.get().first().id() == entry.id() => (Arc::clone(paths.remove().first()), Left::None),
            None => return None,
        };
        self.left(&removed.0);
        self.follow(prefix);
        Some(removed)
    }

    /// A route of this table says something else from now on; whether there are others of its protocol.
    pub(crate) fn change(&mut self, prefix: Prefix<A>, entry: &RouteEntry, facts: Facts, next_hop: NextHopId) -> Left {
        self.listed -= usize::from(entry.facts().leads.is_listed());
        self.listed += usize::from(facts.leads.is_listed());
        self.counted -= usize::from(entry.facts().is_counted);
        self.counted += usize::from(facts.is_counted);
        entry.say(facts, next_hop);
        let beside = match self.routes.get_mut(&(prefix, entry.protocol())) {
            Some(paths @ Paths::Several(_)) => {
                paths.arrange();
                Left::Others
            }
            Some(Paths::One(_)) | None => Left::None,
        };
        self.follow(prefix);
        beside
    }

    /// A protocol's routes to exactly `prefix`.
    pub(crate) fn paths(&self, prefix: Prefix<A>, protocol: Protocol) -> Option<&Paths> {
        self.routes.get(&(prefix, protocol))
    }

    /// The next hops of a protocol's routes to `prefix` that share; none where one route has everything.
    pub(crate) fn members(&self, prefix: Prefix<A>, protocol: Protocol) -> Vec<Member> {
        self.paths(prefix, protocol).map(Paths::members).unwrap_or_default()
    }

    /// Those that share have this next hop together from now on; returns the one they had.
    pub(crate) fn set_group(
        &mut self,
        prefix: Prefix<A>,
        protocol: Protocol,
        group: Option<NextHopId>,
    ) -> Option<NextHopId> {
        let before = self.routes.get_mut(&(prefix, protocol)).and_then(|paths| paths.set_group(group));
        self.follow_entry(prefix);
        before
    }

    /// The routes to exactly `prefix` that count, of all protocols.
    pub(crate) fn best(&self, prefix: Prefix<A>) -> Option<(Protocol, &Paths)> {
        let usable = self.of_protocols(prefix).filter(|(_, paths)| paths.first().is_up());
        // Most networks have routes of one protocol, of which nothing needs to be known.
        usable.reduce(|one, other| if other.1.first().priority() < one.1.first().priority() { other } else { one })
    }

    /// Every route to exactly `prefix`, those that cannot be used included, in the order of protocols.
    pub(crate) fn all(&self, prefix: Prefix<A>) -> impl Iterator<Item = &Arc<RouteEntry>> {
        self.of_protocols(prefix).flat_map(|(_, paths)| paths.entries())
    }

    /// The first protocol's first route to exactly `prefix`, up or not.
    pub(crate) fn first(&self, prefix: Prefix<A>) -> Option<&Arc<RouteEntry>> {
        self.of_protocols(prefix).next().map(|(_, paths)| paths.first())
    }

    fn of_protocols(&self, prefix: Prefix<A>) -> impl Iterator<Item = (Protocol, &Paths)> {
        let of_prefix = (prefix, Protocol::FIRST)..=(prefix, Protocol::LAST);
        self.routes.range(of_prefix).map(|((_, protocol), paths)| (*protocol, paths))
    }

    /// A protocol's route to `prefix` is up no more, or again: another may take over.
    pub(crate) fn turned(&mut self, prefix: Prefix<A>, protocol: Protocol) {
        if let Some(paths) = self.routes.get_mut(&(prefix, protocol)) {
            paths.arrange();
        }
        self.follow(prefix);
    }

    /// The most specific route that contains `address` and is up.
    ///
    /// Prefixes are ordered so that one comes right before all that it covers. So the last one up to `address` either
    /// contains it, and nothing more specific does, or whatever contains both is no longer than what they share.
    pub(crate) fn longest_match(&self, address: A) -> Option<(Prefix<A>, Protocol, &Paths)> {
        self.longest_of(address, |prefix| self.best(prefix))
    }

    /// The same of those routes that no daemon knows.
    pub(crate) fn longest_own(&self, address: A) -> Option<(Prefix<A>, Protocol, &Paths)> {
        self.longest_of(address, |prefix| {
            let own = self.of_protocols(prefix).filter(|(protocol, _)| *protocol != Protocol::Daemon);
            own.filter(|(_, paths)| paths.first().is_up()).min_by_key(|(protocol, _)| *protocol)
        })
    }

    fn longest_of<'t>(
        &'t self,
        address: A,
        best: impl Fn(Prefix<A>) -> Option<(Protocol, &'t Paths)>,
    ) -> Option<(Prefix<A>, Protocol, &'t Paths)> {
        let mut at = Prefix::host(address);
        loop {
            let ((candidate, _), _) = self.routes.range(..=(at, Protocol::LAST)).next_back()?;
            let candidate = *candidate;
            let shared = if candidate.contains(address) {
                if let Some((protocol, paths)) = best(candidate) {
                    return Some((candidate, protocol, paths));
                }
                // None of its routes can be used: the next one up is asked.
                candidate.len().checked_sub(1)?
            } else {
                shared_len(candidate.address(), address)
            };
            at = Prefix::containing(address, shared);
        }
    }

    /// A neighbour's MAC address is known: its own next hop is this.
    pub(crate) fn host_found(&mut self, address: A, port: PortId, next_hop: NextHopId) {
        let is_entered = self.leads_to_link(address, port);
        self.hosts.insert((address, port), Host { next_hop, is_entered });
        self.follow_entry(Prefix::host(address));
    }

    /// A neighbour's MAC address is known no more; returns the next hop it had.
    pub(crate) fn host_lost(&mut self, address: A, port: PortId) -> Option<NextHopId> {
        let host = self.hosts.remove(&(address, port))?;
        self.follow_entry(Prefix::host(address));
        Some(host.next_hop)
    }

    /// A known neighbour's own next hop.
    pub(crate) fn host(&self, address: A, port: PortId) -> Option<NextHopId> {
        self.hosts.get(&(address, port)).map(|host| host.next_hop)
    }

    /// Whether the forwarding table is behind.
    pub(crate) fn is_changed(&self) -> bool {
        self.forwarding.as_ref().is_some_and(|forwarding| !forwarding.changes.is_empty())
    }

    /// The forwarding table as it follows from routes and hosts.
    pub(crate) fn forwarding(&mut self) -> Fib<A> {
        let Some(Forwarding { writer, changes }) = &mut self.forwarding else { return FibWriter::default().snapshot() };
        if changes.is_empty() { writer.snapshot() } else { writer.apply(changes.drain(..)) }
    }

    /// Every route, those that do not count included, in the order of their prefixes and then of preference.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<RouteEntry>> {
        self.routes.values().flat_map(Paths::entries)
    }

    /// How many routes there are, of those that are listed.
    pub(crate) fn listed(&self) -> usize {
        self.listed
    }

    /// How many of them are counted.
    pub(crate) fn counted(&self) -> usize {
        self.counted
    }

    /// A route of this table that is of use to nobody yet.
    fn made(&mut self, prefix: Prefix<A>, protocol: Protocol, facts: Facts, next_hop: NextHopId) -> Arc<RouteEntry> {
        let family = if A::BITS == 32 { Family::Ipv4 } else { Family::Ipv6 };
        let id = RouteId { fib: self.fib, family, serial: self.serial };
        self.serial += 1;
        self.listed += usize::from(facts.leads.is_listed());
        self.counted += usize::from(facts.is_counted);
        Arc::new(RouteEntry::new(id, prefix.into(), protocol, facts, next_hop))
    }

    /// A route has left the table.
    fn left(&mut self, entry: &RouteEntry) {
        // Before workers see it: whoever keeps the route asks again from now on.
        entry.take_down();
        self.listed -= usize::from(entry.facts().leads.is_listed());
        self.counted -= usize::from(entry.facts().is_counted);
    }

    /// The route to `prefix` changed: so does its entry, and those of hosts inside that lead elsewhere now.
    fn follow(&mut self, prefix: Prefix<A>) {
        if self.forwarding.is_none() {
            return;
        }
        self.follow_entry(prefix);
        let inside = (prefix.address(), PortId(0))..=(prefix.last(), PortId(u16::MAX));
        let turned: Vec<_> = self
            .hosts
            .range(inside)
            .filter(|((address, port), host)| host.is_entered != self.leads_to_link(*address, *port))
            .map(|(key, _)| *key)
            .collect();
        for (address, port) in turned {
            self.hosts.entry((address, port)).and_modify(|host| host.is_entered = !host.is_entered);
            self.follow_entry(Prefix::host(address));
        }
    }

    fn follow_entry(&mut self, prefix: Prefix<A>) {
        let change = match self.entry(prefix) {
            Some(next_hop) => Change::Set(prefix, next_hop),
            None => Change::Remove(prefix),
        };
        if let Some(forwarding) = &mut self.forwarding {
            forwarding.changes.push(change);
            self.follow_count(prefix);
        }
    }

    /// What the forwarding table has for exactly `prefix`.
    fn entry(&self, prefix: Prefix<A>) -> Option<NextHopId> {
        let is_host = prefix.len() == A::BITS;
        let host = is_host.then(|| self.host_entry(prefix.address())).flatten();
        host.or_else(|| self.best(prefix).and_then(|(_, paths)| paths.next_hop()))
    }

    /// The next hop of a known host, if the routes lead to its link.
    fn host_entry(&self, address: A) -> Option<NextHopId> {
        let of_address = (address, PortId(0))..=(address, PortId(u16::MAX));
        self.hosts.range(of_address).find(|(_, host)| host.is_entered).map(|(_, host)| host.next_hop)
    }

    fn leads_to_link(&self, address: A, port: PortId) -> bool {
        // Each host of a template has its own route to be reached by.
        let leads = |route: &Arc<RouteEntry>| route.way() == Way::Link(port) && !route.facts().is_template();
        // RFC 4443 section 3.1, RFC 6164 section 5: what came in over a link between two IPv6 routers must not go back over
        // it. Workers do not ask where a packet came from, so those to the other end itself are the control thread's.
        let is_between_routers = |network: Prefix<A>| A::BITS == 128 && network.len() == 127;
        let found = self.longest_match(address).filter(|(network, ..)| !is_between_routers(*network));
        found.is_some_and(|(_, _, paths)| paths.sharing().iter().any(leads))
    }
}

/// Leading bits that two addresses share.
fn shared_len<A: Address>(one: A, other: A) -> u8 {
    let differing = (one.to_number() ^ other.to_number()) << (128 - u32::from(A::BITS));
    u8::try_from(differing.leading_zeros()).unwrap_or(A::BITS).min(A::BITS)
}
