//! From what the daemon says to routes in the tables.

use std::net::IpAddr;
use std::sync::Arc;

use boundary::{Group, PortId};
use control_api::{ApiError, ErrorKind, Family, Fpm, Network, RouteFlags};
use tokio::sync::mpsc::error::TryRecvError;

use super::counts::Refused;
use super::daemon::{Daemon, Sweep};
use super::{Feed, Heard, Leads, Leg, NextHopSaid, RouteSaid, Said};
use crate::control::Control;
use crate::packets::is_link_local;
use crate::rib::{Protocol, Way};
use crate::route::{Facts, Learnt, RouteEntry};
use crate::time::Timestamp;

impl Control {
    /// From now on it is heard here what the daemon says.
    pub fn listen_to_daemon(&mut self, feed: Feed) {
        if let Some(daemon) = &mut self.daemon {
            daemon.feed = Some(feed);
        }
    }

    /// Takes the next of what was heard of the daemon; whether there was anything.
    ///
    /// What changes becomes visible to workers at the next [`Control::tick`] or [`Control::publish`].
    pub fn take_from_daemon(&mut self, now: Timestamp) -> bool {
        let Some(feed) = self.daemon.as_mut().and_then(|daemon| daemon.feed.as_mut()) else { return false };
        match feed.try_recv() {
            Ok(heard) => {
                self.hear(heard, now);
                true
            }
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => false,
        }
    }

    /// Hears of the daemon. Without `[fpm]` in the configuration nobody listens.
    pub fn hear(&mut self, heard: Heard, now: Timestamp) {
        let Some(daemon) = &mut self.daemon else { return };
        match heard {
            Heard::Came(peer) => daemon.came(peer, now),
            Heard::Left(reason) => daemon.left(reason, now),
            Heard::Said(said) => {
                daemon.speaks(now);
                said.into_iter().for_each(|said| self.take_said(said));
                self.follow_next_hops();
            }
        }
    }

    /// Sweeps what is stale and saves what has changed when it is time to, one step at each call.
    pub(crate) fn run_daemon(&mut self, now: Timestamp) {
        let Some(daemon) = &mut self.daemon else { return };
        daemon.look(now);
        if let Some(sweep) = daemon.sweep.take() {
            let rest = self.sweep_on(sweep);
            if let Some(daemon) = &mut self.daemon {
                daemon.sweep = rest;
            }
        }
        self.run_keeping(now);
    }

    pub(crate) fn shown_daemon(&self, now: Timestamp) -> Result<Fpm, ApiError> {
        self.daemon.as_ref().map(|daemon| daemon.shown(now)).ok_or_else(nobody_listens)
    }

    /// Sweeps what is stale at once; returns how many networks that were.
    pub(crate) fn sweep_daemon(&mut self) -> Result<usize, ApiError> {
        let daemon = self.daemon.as_mut().ok_or_else(nobody_listens)?;
        let before = daemon.counts.swept;
        let mut sweep = Some(daemon.sweep_now());
        while let Some(rest) = sweep {
            sweep = self.sweep_on(rest);
        }
        let swept = self.daemon.as_ref().map_or(0, |daemon| daemon.counts.swept - before);
        Ok(usize::try_from(swept).unwrap_or(usize::MAX))
    }

    /// One step of a sweep; returns where the next goes on.
    fn sweep_on(&mut self, sweep: Sweep) -> Option<Sweep> {
        let seen = self.routes.behind(sweep.stopped, Protocol::Daemon, STEP);
        let last = seen.last().map(|entry| (entry.fib(), entry.prefix()));
        // Wrapping, as the numbers of sessions do.
        let is_stale = |learnt: &Learnt| sweep.session.wrapping_sub(learnt.session) < u32::MAX / 2;
        for entry in seen {
            if let Some(learnt) = entry.facts().learnt.filter(is_stale) {
                self.take_away(entry.fib(), entry.prefix(), learnt);
                self.daemon_mut().counts.swept += 1;
            }
        }
        last.map(|last| Sweep { stopped: Some(last), ..sweep })
    }

    fn take_said(&mut self, said: Said) {
        let counts = &mut self.daemon_mut().counts;
        match said {
            Said::Route(said) => {
                counts.routes += 1;
                self.learn_route(&said);
            }
            Said::Withdrawn { table, to } => {
                counts.withdrawals += 1;
                if let Some(fib) = self.daemon_mut().fib_of(table) {
                    self.withdraw(fib, to);
                }
            }
            Said::NextHop { id, what } => {
                counts.next_hops += 1;
                self.daemon_mut().set_next_hop(id, what);
            }
            Said::NextHopGone { id } => self.daemon_mut().forget_next_hop(id),
            Said::Nothing => counts.others += 1,
        }
    }

    fn learn_route(&mut self, said: &RouteSaid) {
        let Some(fib) = self.daemon_mut().fib_of(said.table) else {
            return self.daemon_mut().counts.refuse(Refused::Table);
        };
        let mut ways = std::mem::take(&mut self.daemon_mut().ways);
        match self.find_ways(said.to, &said.leads, &mut ways) {
            Ok(()) => self.install(fib, said, &ways),
            Err(reason) => {
                self.daemon_mut().counts.refuse(reason);
                self.withdraw(fib, said.to);
            }
        }
        ways.clear();
        self.daemon_mut().ways = ways;
    }

    fn withdraw(&mut self, fib: u16, to: Network) {
        let learnt = self.routes.get(fib, to, Protocol::Daemon).and_then(|entry| entry.facts().learnt);
        if let Some(learnt) = learnt {
            self.take_away(fib, to, learnt);
            self.daemon_mut().counts.removed += 1;
        }
    }

    fn take_away(&mut self, fib: u16, to: Network, learnt: Learnt) {
        self.routes.remove_all(fib, to, Protocol::Daemon);
        self.daemon_mut().withdrawn(learnt);
    }

    /// Puts a route that leads these ways into its table, unless it is there as it is.
    pub(super) fn install(&mut self, fib: u16, said: &RouteSaid, ways: &[(Way, u32)]) {
        let next_hop = if let Leads::NextHop(id) = said.leads { id } else { 0 };
        let learnt = Learnt { speaker: said.speaker, session: self.daemon_mut().session, next_hop };
        let there = self.routes.paths(fib, said.to, Protocol::Daemon).map(|paths| paths.entries());
        let before = there.and_then(|there| there[0].facts().learnt);
        match (there, ways) {
            (Some([entry]), [(leads, weight)]) => {
                let (entry, was) = (Arc::clone(entry), entry.facts());
                let facts = self.facts_of_daemon(fib, said, (*leads, *weight), learnt);
                if say_the_same(&was, &facts) {
                    entry.confirm(learnt);
                    self.daemon_mut().counts.unchanged += 1;
                } else if was.priority == facts.priority {
                    self.say_facts(&entry, facts);
                    self.daemon_mut().counts.changed += 1;
                } else {
                    self.set_of_daemon(fib, said.to, &[facts]);
                }
            }
            (there, ways) => {
                let there: Vec<_> = there.unwrap_or_default().to_vec();
                let facts: Vec<_> = ways.iter().map(|way| self.facts_of_daemon(fib, said, *way, learnt)).collect();
                if are_the_same(&there, &facts) {
                    there.iter().for_each(|entry| entry.confirm(learnt));
                    self.daemon_mut().counts.unchanged += 1;
                } else {
                    self.set_of_daemon(fib, said.to, &facts);
                }
            }
        }
        self.daemon_mut().told(before, learnt);
    }

    fn set_of_daemon(&mut self, fib: u16, to: Network, facts: &[Facts]) {
        let is_new = self.routes.get(fib, to, Protocol::Daemon).is_none();
        self.routes.set_several(fib, to, Protocol::Daemon, facts);
        facts.iter().for_each(|facts| self.assume_gateway(facts.leads));
        let counts = &mut self.daemon_mut().counts;
        let counted = if is_new { &mut counts.added } else { &mut counts.changed };
        *counted += 1;
    }

    fn facts_of_daemon(&self, fib: u16, said: &RouteSaid, (leads, weight): (Way, u32), learnt: Learnt) -> Facts {
        let mut facts = Facts { learnt: Some(learnt), ..Facts::of(leads, said.to, Protocol::Daemon) };
        facts.priority = learnt.speaker.priority();
        let source = said.source.filter(|source| self.ports.own(*source));
        facts.ifa = source.or_else(|| self.speaks_by(said.to, leads));
        facts.is_counted = self.routes.are_counted;
        facts.metrics.weight = weight;
        facts.metrics.mtu = self.mtu_of(leads).unwrap_or(0);
        if let Some(mtu) = said.mtu {
            facts.metrics.mtu = facts.metrics.mtu.min(mtu);
            facts.flags.insert(RouteFlags::FIXEDMTU);
        }
        self.inherit_mtu(fib, &mut facts);
        facts
    }

    /// Routes told with a next hop that is another now go where that leads. It takes a walk through all routes, and is
    /// rare: a daemon names new next hops rather.
    fn follow_next_hops(&mut self) {
        let daemon = self.daemon_mut();
        if daemon.turned.is_empty() {
            return;
        }
        let (turned, session) = (std::mem::take(&mut daemon.turned), daemon.session);
        let follows =
            |learnt: &Learnt| learnt.session == session && learnt.next_hop != 0 && turned.contains(&learnt.next_hop);
        let told = |entry: &Arc<RouteEntry>| {
            let facts = entry.facts();
            let learnt = facts.learnt.filter(follows)?;
            let is_limited = facts.flags.contains(RouteFlags::FIXEDMTU);
            let said = RouteSaid {
                table: 0,
                to: entry.prefix(),
                speaker: learnt.speaker,
                leads: Leads::NextHop(learnt.next_hop),
                mtu: is_limited.then_some(facts.metrics.mtu),
                source: facts.ifa,
            };
            Some((entry.fib(), said))
        };
        let mut told: Vec<_> = self.routes.every().filter_map(told).collect();
        // Several ways of one route stand side by side.
        told.dedup_by(|one, other| (one.0, one.1.to) == (other.0, other.1.to));
        for (fib, said) in told {
            let mut ways = Vec::new();
            match self.find_ways(said.to, &said.leads, &mut ways) {
                Ok(()) => self.install(fib, &said, &ways),
                Err(_no_way_left) => self.withdraw(fib, said.to),
            }
        }
    }

    /// The ways that a route leads, each with what it weighs: those of them that can be taken, if any can.
    fn find_ways(&self, to: Network, leads: &Leads, ways: &mut Vec<(Way, u32)>) -> Result<(), Refused> {
        let first = to.address();
        if to.len() > 0 && (first.is_multicast() || is_link_local(first)) {
            return Err(Refused::Destination);
        }
        let mut refused = None;
        let mut try_leg = |leg: &Leg, weight: u32| match self.way_by(to, leg) {
            Ok(way) => match ways.iter().position(|(known, _)| *known == way) {
                Some(place) => ways[place].1 = ways[place].1.saturating_add(weight),
                None if ways.len() < Group::MOST => ways.push((way, weight)),
                None => {}
            },
            Err(reason) => refused = refused.or(Some(reason)),
        };
        match leads {
            Leads::By(leg) => try_leg(leg, 1),
            Leads::Among(legs) => legs.iter().for_each(|leg| try_leg(leg, leg.weight)),
            Leads::NextHop(id) => match self.daemon.as_ref().and_then(|daemon| daemon.next_hop(*id)) {
                Some(NextHopSaid::Single(leg)) => try_leg(leg, 1),
                Some(NextHopSaid::Group(members)) => members.iter().for_each(|(id, weight)| {
                    if let Some(NextHopSaid::Single(leg)) = self.daemon.as_ref().and_then(|daemon| daemon.next_hop(*id))
                    {
                        try_leg(leg, *weight);
                    }
                }),
                Some(NextHopSaid::Blackhole) => ways.push((Way::Blackhole, 1)),
                None => return Err(Refused::NextHop),
            },
            Leads::Blackhole => ways.push((Way::Blackhole, 1)),
            Leads::Unreachable => ways.push((Way::Unreachable, 1)),
            Leads::Prohibit => ways.push((Way::Prohibited, 1)),
            Leads::Elsewhere => return Err(Refused::Kind),
        }
        if ways.is_empty() { Err(refused.unwrap_or(Refused::NextHop)) } else { Ok(()) }
    }

    fn way_by(&self, to: Network, leg: &Leg) -> Result<Way, Refused> {
        if leg.is_encapsulated {
            return Err(Refused::Encapsulation);
        }
        self.way_through(to, leg.gateway, self.port_of_interface(leg.interface))
    }

    /// The way by a gateway, if one is said, on a port, if that is.
    pub(super) fn way_through(
        &self,
        to: Network,
        gateway: Option<IpAddr>,
        port: Option<PortId>,
    ) -> Result<Way, Refused> {
        match (gateway, port) {
            (None, Some(port)) => Ok(Way::Link(port)),
            (None, None) => Err(Refused::Interface),
            // IPv4 by an IPv6 neighbour (RFC 8950) is forwarded like anything by it; the other way round nobody wants.
            (Some(gateway), _) if gateway.is_ipv4() && to.family() == Family::Ipv6 => Err(Refused::Family),
            (Some(gateway), _) if to == Network::host(gateway) => Err(Refused::GatewayItself),
            (Some(gateway), Some(port)) => match self.ports.port(port).can_have_neighbour(gateway) {
                true => Ok(Way::Gateway(port, gateway)),
                false => Err(Refused::Gateway),
            },
            // A daemon beside the ports' interfaces: where its gateway is, its address says.
            (Some(gateway), None) => match self.ports.on_link(gateway).filter(|_| !self.ports.own(gateway)) {
                Some(port) => Ok(Way::Gateway(port, gateway)),
                None if is_link_local(gateway) => Err(Refused::Interface),
                None => Err(Refused::Gateway),
            },
        }
    }

    /// The port that an interface of the kernel is on.
    fn port_of_interface(&self, interface: u32) -> Option<PortId> {
        if interface == 0 {
            return None;
        }
        self.daemon.as_ref().and_then(|daemon| daemon.port_of(interface)).or_else(|| self.taps.port_of(interface))
    }

    /// Only what has heard of the daemon comes here.
    pub(super) fn daemon_mut(&mut self) -> &mut Daemon {
        self.daemon.as_mut().expect("somebody listens to it")
    }
}

/// Whether two routes to one network say the same, whatever the links are just now.
fn say_the_same(one: &Facts, other: &Facts) -> bool {
    let follow_from_others = RouteFlags::UP | RouteFlags::MPATH;
    let essence = |facts: &Facts| Facts {
        flags: facts.flags - follow_from_others,
        learnt: facts.learnt.map(|learnt| Learnt { session: 0, next_hop: 0, ..learnt }),
        ..*facts
    };
    essence(one) == essence(other)
}

fn are_the_same(there: &[Arc<RouteEntry>], said: &[Facts]) -> bool {
    let is_there = |facts: &Facts| there.iter().any(|entry| say_the_same(&entry.facts(), facts));
    there.len() == said.len() && said.iter().all(is_there)
}

fn nobody_listens() -> ApiError {
    ApiError::new(ErrorKind::NotFound, "no routing daemon is listened to")
        .with_hint("add a section [fpm] to the configuration, and start ferryd anew")
}

/// So many routes are looked at at once, to sweep them or to save them.
pub(super) const STEP: usize = 1024;
