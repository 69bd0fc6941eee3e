//! The routes of all tables, their next hops, and the publishing of what follows from them.
//!
//! This is the one place where forwarding changes. A route or a neighbour changes here at once, for the control thread's
//! own questions; workers see everything since the last [`Routes::publish`] together, or nothing of it.
//!
//! Workers forward by table 0, and what comes in through a port with a table of its own by that. Any other is only asked.
//! Which tables there are is said at the start: see [`Fibs`].

mod fibs;
mod rest;
mod several;
mod towards;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use boundary::policy::Filter;
use boundary::{Adjacency, Counted, CountedTables, ForwardingState, NextHop, PortId, PortState, Publisher, Trash};
use control_api::{EntryCounts, Family, Network, RouteCounts, RouteFlags};
use packet::ethernet::{Header, MacAddr};

use crate::callouts::{RouteKey, Timed};
use crate::cloning::{Clones, Hooks, RtRequest};
use crate::events::Events;
use crate::expiry::Expiry;
use crate::gateways::Gateways;
use crate::multipath::Multipath;
use crate::next_hops::{ByGateway, Key, NextHops, ether_type};
use crate::paths::Paths;
use crate::rib::{Left, Protocol, Table};
use crate::route::{Counters, Counts, Facts, RouteEntry};

pub use fibs::{Fibs, TooManyFibs};

/// All routes.
#[derive(Debug)]
pub struct Routes {
    main: Tables,
    /// Those beside the main table, by number.
    others: BTreeMap<u16, Tables>,
    /// The tables of ports, by [`PortId`]; a port that has no place here has the main one.
    of_ports: Vec<u16>,
    other_tables: Arc<[Option<boundary::Tables>]>,
    fibs: Fibs,
    pub(crate) next_hops: NextHops,
    pub(crate) multipath: Multipath,
    trash: Trash<RouteEntry>,
    pub(crate) counters: Counters,
    counts: Counts,
    /// Whether packets are counted for routes that nobody has said more of.
    pub(crate) are_counted: bool,
    /// Who is told of every change.
    pub(crate) events: Events,
    publisher: Publisher<ForwardingState>,
    /// What is to happen to routes later. With a route go its timers, whoever removes it.
    pub(crate) timed: Timed,
    pub(crate) expiry: Expiry,
    pub(crate) clones: Clones,
    pub(crate) hooks: Hooks,
    pub(crate) gateways: Gateways,
    /// What workers know of the ports.
    ports: Arc<[PortState]>,
    filters: Arc<[Filter]>,
    /// They have not been shown yet what they know beside tables and next hops.
    is_rest_other: bool,
}

/// A table of each family.
#[derive(Debug, Default)]
struct Tables {
    ipv4: Table<Ipv4Addr>,
    ipv6: Table<Ipv6Addr>,
}

impl Routes {
    /// No routes yet; what changes goes to `publisher`, which so many workers follow.
    pub(crate) fn new(
        publisher: Publisher<ForwardingState>,
        workers: usize,
        fibs: Fibs,
        multipath: Multipath,
        events: Events,
    ) -> Self {
        Self {
            main: Tables::default(),
            others: BTreeMap::new(),
            of_ports: Vec::new(),
            other_tables: Arc::from([]),
            fibs,
            next_hops: NextHops::default(),
            multipath,
            trash: Trash::default(),
            counters: Counters::default(),
            counts: Counts::of_workers(workers),
            are_counted: false,
            events,
            ports: Arc::clone(&publisher.current().ports),
            filters: Arc::clone(&publisher.current().filters),
            is_rest_other: false,
            publisher,
            timed: Timed::default(),
            expiry: Expiry::default(),
            clones: Clones::default(),
            hooks: Hooks::default(),
            gateways: Gateways::default(),
        }
    }

    /// Which tables there are.
    pub fn fibs(&self) -> Fibs {
        self.fibs
    }

    /// Whether there is a table of this number.
    pub fn has_table(&self, fib: u16) -> bool {
        fib == MAIN || self.others.contains_key(&fib) || self.fibs.named().is_some_and(|count| fib < count)
    }

    /// The numbers of all tables there are.
    pub(crate) fn numbers(&self) -> Vec<u16> {
        if let Some(count) = self.fibs.named() {
            return (0..count).collect();
        }
        std::iter::once(MAIN).chain(self.others.keys().copied()).collect()
    }

    /// Lets workers forward what comes in through each port by the table of this number, and makes those of `named`. It is
    /// said before there is any route, and stays.
    pub(crate) fn set_tables(&mut self, of_ports: Vec<u16>, named: impl Iterator<Item = u16>) {
        let of_ports_others = of_ports.iter().map(|fib| (*fib, true));
        for (fib, is_forwarded_by) in of_ports_others.chain(named.map(|fib| (fib, false))) {
            if fib != MAIN {
                self.others.entry(fib).or_insert_with(|| Tables::beside(fib, is_forwarded_by));
            }
        }
        self.of_ports = of_ports;
    }

    /// The number of the table that what comes in through a port is forwarded by.
    pub(crate) fn fib_of(&self, port: PortId) -> u16 {
        self.of_ports.get(port.index()).copied().unwrap_or(MAIN)
    }

    /// Adds a route to a table, or puts it in place of the protocol's routes there were.
    pub(crate) fn set(&mut self, fib: u16, network: Network, protocol: Protocol, facts: Facts) -> Arc<RouteEntry> {
        let entry = self.insert(fib, network, protocol, facts);
        self.tell_hooks(RtRequest::Add, &entry);
        self.events.added(&entry);
        entry
    }

    /// The same, and nobody is told.
    pub(crate) fn insert(
        &mut self,
        fib: u16,
        network: Network,
        protocol: Protocol,
        mut facts: Facts,
    ) -> Arc<RouteEntry> {
        self.say_if_up(&mut facts);
        // Held before the old one is released: a gateway that stays the same stays resolved.
        let next_hop = self.hold(fib, network.family(), facts);
        let tables = self.made(fib);
        let (entry, before) = match network {
            Network::V4(prefix) => tables.ipv4.set(prefix, protocol, facts, next_hop),
            Network::V6(prefix) => tables.ipv6.set(prefix, protocol, facts, next_hop),
        };
        self.take_gateway(fib, facts.leads);
        self.doubt_gateways(fib, network, protocol);
        self.retire_all(before);
        self.expiry.follow(&entry);
        self.outdate_clones(&entry);
        entry
    }

    /// Adds a route to a table, beside the protocol's routes there are.
    pub(crate) fn add(&mut self, fib: u16, network: Network, protocol: Protocol, mut facts: Facts) -> Arc<RouteEntry> {
        self.say_if_up(&mut facts);
        let next_hop = self.hold(fib, network.family(), facts);
        let tables = self.made(fib);
        let entry = match network {
            Network::V4(prefix) => tables.ipv4.add(prefix, protocol, facts, next_hop),
            Network::V6(prefix) => tables.ipv6.add(prefix, protocol, facts, next_hop),
        };
        self.take_gateway(fib, facts.leads);
        self.doubt_gateways(fib, network, protocol);
        self.divide(&entry);
        self.expiry.follow(&entry);
        self.outdate_clones(&entry);
        self.tell_hooks(RtRequest::Add, &entry);
        self.events.added(&entry);
        entry
    }

    /// A route that is in its table says something else from now on.
    pub(crate) fn change(&mut self, entry: &Arc<RouteEntry>, facts: Facts) {
        self.say(entry, facts);
        self.events.changed(entry);
        self.delete_clones_of(entry, false);
    }

    /// Other metrics of a route are locked from now on.
    pub(crate) fn lock(&mut self, entry: &Arc<RouteEntry>, facts: Facts) {
        self.say(entry, facts);
        self.events.locked(entry);
    }

    fn say(&mut self, entry: &Arc<RouteEntry>, mut facts: Facts) {
        self.say_if_up(&mut facts);
        let next_hop = self.hold(entry.fib(), entry.prefix().family(), facts);
        let (before, led) = (entry.next_hop(), entry.facts().leads);
        let tables = self.made(entry.fib());
        let beside = match entry.prefix() {
            Network::V4(prefix) => tables.ipv4.change(prefix, entry, facts, next_hop),
            Network::V6(prefix) => tables.ipv6.change(prefix, entry, facts, next_hop),
        };
        if beside == Left::Others {
            self.divide(entry);
        }
        self.next_hops.release(before);
        self.take_gateway(entry.fib(), facts.leads);
        self.leave_gateway(entry.fib(), led);
        self.doubt_gateways(entry.fib(), entry.prefix(), entry.protocol());
        self.clones.unmark(entry);
        self.expiry.follow(entry);
    }

    /// A route is up if what it leads through has a link.
    fn say_if_up(&self, facts: &mut Facts) {
        let has_link = facts.leads.port().is_none_or(|port| self.next_hops.has_link(port));
        facts.flags.set(RouteFlags::UP, has_link);
    }

    /// Holds the next hop of a table's route for packets of a family that says this.
    fn hold(&mut self, fib: u16, family: Family, facts: Facts) -> lpm::NextHopId {
        let mut key = facts.next_hop();
        if let Key::Neighbour(port, address) = key {
            let mtu = self.limit(port, facts.metrics.mtu).unwrap_or(ByGateway::ANY_LENGTH);
            key = Key::Gateway(ByGateway { port, address, fib, family, mtu });
        }
        let id = self.next_hops.hold(key);
        if let Key::Station(port, mac, family) = key {
            let station = adjacency(port, &self.ports[port.index()], mac, family);
            self.next_hops.set(id, NextHop::Neighbour(station));
        }
        id
    }

    /// A route's MTU, if that is less than its port carries anyway.
    fn limit(&self, port: PortId, mtu: u32) -> Option<u16> {
        let carried = self.ports[port.index()].mtu.bytes();
        u16::try_from(mtu).ok().filter(|mtu| (1..carried).contains(mtu))
    }

    /// The same where workers are not concerned and nobody is to be told.
    pub(crate) fn note(&mut self, entry: &Arc<RouteEntry>, facts: Facts) {
        entry.say(facts, entry.next_hop());
        self.expiry.follow(entry);
    }

    /// Removes a protocol's route, if there is one; of several the one that counts first.
    pub(crate) fn remove(&mut self, fib: u16, network: Network, protocol: Protocol) -> Option<Arc<RouteEntry>> {
        let entry = Arc::clone(self.get(fib, network, protocol)?);
        self.remove_entry(&entry).then_some(entry)
    }

    /// Removes a route; whether it was there. The others to its network stay.
    pub(crate) fn remove_entry(&mut self, entry: &RouteEntry) -> bool {
        let (fib, network, protocol) = (entry.fib(), entry.prefix(), entry.protocol());
        let Some(tables) = self.tables_mut(fib) else { return false };
        let removed = match network {
            Network::V4(prefix) => tables.ipv4.remove(prefix, entry),
            Network::V6(prefix) => tables.ipv6.remove(prefix, entry),
        };
        match removed {
            None => return false,
            Some((removed, Left::None)) => {
                self.timed.remove_all(RouteKey { fib, network, protocol });
                self.retire(removed);
            }
            Some((removed, Left::Others)) => {
                self.divide(entry);
                self.retire(removed);
            }
        }
        true
    }

    /// The routes beside `entry` are others than before, or it is: what goes to their network is divided anew.
    fn divide(&mut self, entry: &RouteEntry) {
        let (fib, network, protocol) = (entry.fib(), entry.prefix(), entry.protocol());
        // Nearly all are alone, and have nobody to share with.
        let Some(Paths::Several(_)) = self.paths(fib, network, protocol) else { return };
        let tables = self.tables(fib).expect("it has these routes");
        let members = match network {
            Network::V4(prefix) => tables.ipv4.members(prefix, protocol),
            Network::V6(prefix) => tables.ipv6.members(prefix, protocol),
        };
        let is_divided = members.len() > 1 && self.multipath.divides(network.family());
        let group = is_divided.then(|| self.next_hops.hold_group(&members));
        let tables = self.made(fib);
        let before = match network {
            Network::V4(prefix) => tables.ipv4.set_group(prefix, protocol, group),
            Network::V6(prefix) => tables.ipv6.set_group(prefix, protocol, group),
        };
        before.into_iter().for_each(|before| self.next_hops.release(before));
    }

    /// A protocol's routes to exactly `network`.
    pub(crate) fn paths(&self, fib: u16, network: Network, protocol: Protocol) -> Option<&Paths> {
        let tables = self.tables(fib)?;
        match network {
            Network::V4(prefix) => tables.ipv4.paths(prefix, protocol),
            Network::V6(prefix) => tables.ipv6.paths(prefix, protocol),
        }
    }

    /// A protocol's route to exactly `network`; of several the one that counts first.
    pub(crate) fn get(&self, fib: u16, network: Network, protocol: Protocol) -> Option<&Arc<RouteEntry>> {
        self.paths(fib, network, protocol).map(Paths::first)
    }

    /// The first route to exactly `network`, up or not.
    pub(crate) fn first(&self, fib: u16, network: Network) -> Option<&Arc<RouteEntry>> {
        let tables = self.tables(fib)?;
        match network {
            Network::V4(prefix) => tables.ipv4.first(prefix),
            Network::V6(prefix) => tables.ipv6.first(prefix),
        }
    }

    /// Every route to exactly `network`, in the order in which they count; those that cannot be used included.
    pub(crate) fn all(&self, fib: u16, network: Network) -> Vec<&Arc<RouteEntry>> {
        let Some(tables) = self.tables(fib) else { return Vec::new() };
        let mut all: Vec<_> = match network {
            Network::V4(prefix) => tables.ipv4.all(prefix).collect(),
            Network::V6(prefix) => tables.ipv6.all(prefix).collect(),
        };
        all.sort_by_key(|entry| (!entry.is_up(), entry.priority()));
        all
    }

    /// Every route of a table, IPv4 first, in the order of networks.
    pub(crate) fn iter(&self, fib: u16) -> impl Iterator<Item = &Arc<RouteEntry>> + '_ {
        self.tables(fib).into_iter().flat_map(|tables| tables.ipv4.iter().chain(tables.ipv6.iter()))
    }

    /// How many there are in the main table, as many as are shown.
    pub(crate) fn counts(&self) -> RouteCounts {
        RouteCounts { ipv4: self.main.ipv4.listed(), ipv6: self.main.ipv6.listed() }
    }

    /// How many entries there are, in which state.
    pub(crate) fn entry_counts(&self) -> EntryCounts {
        let (live, references) =
            self.every().fold((0, 0), |(live, references), entry| (live + 1, references + u64::from(entry.refs())));
        let tables = std::iter::once(&self.main).chain(self.others.values());
        let counted = tables.map(|tables| tables.ipv4.counted() + tables.ipv6.counted()).sum();
        EntryCounts {
            tables: 1 + self.others.len(),
            live,
            trash: self.trash.len(),
            references: references + self.trash.references(),
            gateways: self.gateways.references(),
            counted,
        }
    }

    /// Every route of every table.
    pub(crate) fn every(&self) -> impl Iterator<Item = &Arc<RouteEntry>> {
        let tables = std::iter::once(&self.main).chain(self.others.values());
        tables.flat_map(|tables| tables.ipv4.iter().chain(tables.ipv6.iter()))
    }

    /// A route is up no more, or again, and nobody is told.
    pub(crate) fn turn(&mut self, entry: &RouteEntry) {
        let mut facts = entry.facts();
        self.say_if_up(&mut facts);
        entry.say(facts, entry.next_hop());
        let tables = self.made(entry.fib());
        match entry.prefix() {
            Network::V4(prefix) => tables.ipv4.turned(prefix, entry.protocol()),
            Network::V6(prefix) => tables.ipv6.turned(prefix, entry.protocol()),
        }
        self.divide(entry);
        self.doubt_gateways(entry.fib(), entry.prefix(), entry.protocol());
    }

    fn tables(&self, fib: u16) -> Option<&Tables> {
        if fib == MAIN { Some(&self.main) } else { self.others.get(&fib) }
    }

    fn tables_mut(&mut self, fib: u16) -> Option<&mut Tables> {
        if fib == MAIN { Some(&mut self.main) } else { self.others.get_mut(&fib) }
    }

    /// The tables of this number: one that is there costs nothing until it has a route.
    fn made(&mut self, fib: u16) -> &mut Tables {
        if fib == MAIN { &mut self.main } else { self.others.entry(fib).or_insert_with(|| Tables::beside(fib, false)) }
    }

    /// A route has left its table: its next hop is free, and its memory once nobody needs it.
    fn retire(&mut self, entry: Arc<RouteEntry>) {
        self.part(&entry);
        self.tell_hooks(RtRequest::Delete, &entry);
        self.events.deleted(&entry);
        self.next_hops.release(entry.next_hop());
        self.leave_gateway(entry.fib(), entry.facts().leads);
        self.doubt_gateways(entry.fib(), entry.prefix(), entry.protocol());
        self.expiry.forget(&entry);
        // Workers know the tables they forward by, as of the next state that is published.
        let is_known = entry.fib() == MAIN || self.of_ports.contains(&entry.fib());
        let generation = if is_known { self.generation() + 1 } else { 0 };
        self.trash.take(entry, generation);
        if self.trash.is_full() {
            self.trash.empty(self.publisher.oldest().generation);
        }
    }

    /// A neighbour was found, or found to be another station than before: what goes to it goes there.
    pub(crate) fn neighbour_found(&mut self, address: IpAddr, port: PortId, state: &PortState, mac: MacAddr) {
        let id = self.neighbour(address, port).unwrap_or_else(|| self.host_found(address, port));
        let reached = NextHop::Neighbour(adjacency(port, state, mac, Family::of(address)));
        self.next_hops.set_neighbour(id, port, address, reached);
    }

    /// A neighbour answers no more: what goes to it waits until it is found again.
    pub(crate) fn neighbour_lost(&mut self, address: IpAddr, port: PortId) {
        self.others.values_mut().for_each(|tables| {
            tables.host_lost(address, port);
        });
        if let Some(id) = self.main.host_lost(address, port) {
            self.next_hops.set_neighbour(id, port, address, NextHop::Unresolved(port));
            self.next_hops.release(id);
        }
    }

    /// The next hop of a known neighbour.
    pub(crate) fn neighbour(&self, address: IpAddr, port: PortId) -> Option<lpm::NextHopId> {
        match address {
            IpAddr::V4(address) => self.main.ipv4.host(address, port),
            IpAddr::V6(address) => self.main.ipv6.host(address, port),
        }
    }

    fn host_found(&mut self, address: IpAddr, port: PortId) -> lpm::NextHopId {
        let id = self.next_hops.hold(Key::Neighbour(port, address));
        std::iter::once(&mut self.main).chain(self.others.values_mut()).for_each(|tables| match address {
            IpAddr::V4(address) => tables.ipv4.host_found(address, port, id),
            IpAddr::V6(address) => tables.ipv6.host_found(address, port, id),
        });
        id
    }

    /// Shows workers everything that changed since the last time, at once; does nothing when nothing did.
    pub(crate) fn publish(&mut self) {
        self.resolve_gateways();
        let is_rest_other = std::mem::take(&mut self.is_rest_other);
        let are_others_changed = self.others.values().any(Tables::are_changed);
        let is_same = !self.main.are_changed() && !are_others_changed && !self.next_hops.is_changed();
        if is_same && !is_rest_other {
            return;
        }
        if are_others_changed {
            self.other_tables = self.of_ports.iter().map(|fib| Some(self.others.get_mut(fib)?.forwarding())).collect();
        }
        let boundary::Tables { ipv4, ipv6 } = self.main.forwarding();
        let counted = self.counted();
        let current = self.publisher.current();
        self.publisher.publish(ForwardingState {
            generation: current.generation + 1,
            ipv4,
            ipv6,
            other_tables: Arc::clone(&self.other_tables),
            next_hops: self.next_hops.share(),
            groups: self.next_hops.share_groups(),
            flows: self.multipath.flows,
            ports: Arc::clone(&self.ports),
            filters: Arc::clone(&self.filters),
            counted,
        });
    }

    /// What workers are to count by; nothing if they are to count nothing.
    fn counted(&mut self) -> Option<Arc<Counted>> {
        let is_counting =
            |routes: &Self| std::iter::once(&routes.main).chain(routes.others.values()).any(Tables::is_counting);
        if !is_counting(self) {
            return None;
        }
        let main = self.main.counting(&mut self.counts);
        let others = self.of_ports.iter().map(|fib| Some(self.others.get_mut(fib)?.counting(&mut self.counts)));
        let others = others.collect();
        is_counting(self).then(|| Arc::new(Counted { main, others, chunks: self.counts.share() }))
    }

    /// How many times the state was published.
    pub(crate) fn generation(&self) -> u64 {
        self.publisher.current().generation
    }

    /// Frees what no worker and nobody else uses any more; returns how many states are still in memory, the current one
    /// among them.
    pub(crate) fn reclaim(&mut self) -> usize {
        let states = self.publisher.reclaim() + 1;
        self.trash.empty(self.publisher.oldest().generation);
        states
    }
}

impl Tables {
    fn beside(fib: u16, is_forwarded_by: bool) -> Self {
        Self { ipv4: Table::beside(fib, is_forwarded_by), ipv6: Table::beside(fib, is_forwarded_by) }
    }

    fn are_changed(&self) -> bool {
        self.ipv4.is_changed() || self.ipv6.is_changed()
    }

    const fn is_counting(&self) -> bool {
        self.ipv4.is_counting() || self.ipv6.is_counting()
    }

    fn counting(&mut self, counts: &mut Counts) -> CountedTables {
        CountedTables { ipv4: self.ipv4.counting(counts), ipv6: self.ipv6.counting(counts) }
    }

    fn forwarding(&mut self) -> boundary::Tables {
        boundary::Tables { ipv4: self.ipv4.forwarding(), ipv6: self.ipv6.forwarding() }
    }

    fn host_lost(&mut self, address: IpAddr, port: PortId) -> Option<lpm::NextHopId> {
        match address {
            IpAddr::V4(address) => self.ipv4.host_lost(address, port),
            IpAddr::V6(address) => self.ipv6.host_lost(address, port),
        }
    }
}

/// A station behind a port, for packets of a family.
fn adjacency(port: PortId, state: &PortState, mac: MacAddr, family: Family) -> Adjacency {
    let header = Header { destination: mac, source: state.mac, ether_type: ether_type(family) }.to_bytes();
    Adjacency { port, mtu: state.mtu, header }
}

/// The table that workers forward by.
pub(crate) const MAIN: u16 = 0;
