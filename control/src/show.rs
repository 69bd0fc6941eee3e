//! What people are shown: routes, neighbours, ports and counters, in the API's words.

use std::net::IpAddr;

use boundary::{PortTotals, PuntReason, Totals, Vlan};
use control_api::{
    ApiError, Counts, Drop, Link, MetricMask, Neighbour, NextHopState, Port, PortVlan, Route, RouteDetail, RouteFilter,
    RouteFlags, RouteKind, RouteMetrics, RouteStat, Speaker, Stats, Traffic, Version, WorkerStats, wire,
};
use packet::vlan::Tags;

use crate::callouts::RouteKey;
use crate::control::Control;
use crate::redirect::RedirectCounts;
use crate::rib::{Protocol, Way};
use crate::route::{LookupCounts, RouteEntry};
use crate::routes::MAIN;
use crate::time::Timestamp;

impl Control {
    /// The route a packet to `address` takes.
    pub(crate) fn route_to(&self, address: IpAddr) -> Result<Route, ApiError> {
        match self.routes.towards(MAIN, address) {
            Some(entry) => {
                self.routes.events.got(entry);
                Ok(self.shown_route(entry))
            }
            None => Err(self.nothing_leads_to(MAIN, address)),
        }
    }

    pub(crate) fn shown_routes(&self, filter: &RouteFilter) -> Result<Vec<Route>, ApiError> {
        if let Some(name) = &filter.dev {
            self.ports.named(name)?;
        }
        self.permitted_fib(filter.fib)?;
        let routes = self.routes.iter(filter.fib).filter(|entry| entry.facts().leads.is_listed());
        Ok(routes.map(|entry| self.shown_route(entry)).filter(|route| filter.selects(route)).collect())
    }

    pub(crate) fn shown_neighbours(&self, dev: Option<&str>, now: Timestamp) -> Result<Vec<Neighbour>, ApiError> {
        let only = dev.map(|name| self.ports.named(name)).transpose()?;
        let mut entries: Vec<_> = self.neighbours.iter().collect();
        entries.sort_by_key(|((address, port), _)| (*port, *address));
        let shown = entries.into_iter().filter(|((_, port), _)| only.is_none_or(|only| only == *port));
        Ok(shown
            .map(|((dst, port), entry)| {
                let (state, age) = entry.shown(now);
                Neighbour {
                    dst,
                    dev: self.ports.port(port).name.clone(),
                    lladdr: entry.mac(),
                    state,
                    age_seconds: age.map(|age| age.as_secs()),
                    router: entry.is_router(),
                }
            })
            .collect())
    }

    pub(crate) fn shown_ports(&self, name: Option<&str>) -> Result<Vec<Port>, ApiError> {
        let only = name.map(|name| self.ports.named(name)).transpose()?;
        let totals: Vec<PortTotals> = self.totals().ports().collect();
        let shown = self.ports.iter().filter(|(id, _)| only.is_none_or(|only| only == *id));
        Ok(shown
            .map(|(id, port)| {
                let status = self.hardware.status(id);
                let counted = totals.get(id.index()).copied().unwrap_or_default();
                Port {
                    ifname: port.name.clone(),
                    device: port.device.clone(),
                    vlan: port.state.vlan.map(|vlan| self.shown_vlan(vlan)),
                    tap: self.taps.shown(id),
                    driver: status.driver,
                    address: port.state.mac,
                    mtu: port.state.mtu.bytes(),
                    operstate: if self.is_admin_down(id) { Link::Down } else { status.link },
                    admin_down: self.is_admin_down(id),
                    addresses: port.addresses.clone(),
                    unused: self.unused_addresses(id),
                    rx: Traffic { packets: counted.rx_packets, bytes: counted.rx_bytes },
                    tx: Traffic { packets: counted.tx_packets, bytes: counted.tx_bytes },
                    hardware: status.counters,
                }
            })
            .collect())
    }

    fn shown_vlan(&self, vlan: Vlan) -> PortVlan {
        let Vlan { parent, tags: Tags { outer, inner } } = vlan;
        PortVlan {
            link: self.ports.port(parent).name.clone(),
            protocol: outer.protocol.name().to_owned(),
            id: inner.unwrap_or(outer).id.number(),
            outer_id: inner.map(|_inner| outer.id.number()),
        }
    }

    pub(crate) fn stats(&mut self, now: Timestamp) -> Stats {
        Stats {
            uptime_seconds: now.since(self.started).as_secs(),
            generation: self.routes.generation(),
            live_snapshots: self.routes.reclaim(),
            routes: self.routes.counts(),
            entries: Some(self.routes.entry_counts()),
            rtstat: Some(self.route_stat()),
            events: Some(self.routes.events.counts()),
            control: self.counts().named().map(|(name, count)| (name.to_owned(), count)).collect(),
            total: self.total_counts(),
            workers: self
                .workers
                .iter()
                .map(|worker| {
                    let (sleeps, slept) = worker.counters.slept();
                    WorkerStats {
                        core: worker.core,
                        turns: worker.counters.turns(),
                        idle_turns: worker.counters.idle_turns(),
                        sleeps,
                        slept_micros: u64::try_from(slept.as_micros()).unwrap_or(u64::MAX),
                        counts: counts(&worker.counters.read()),
                    }
                })
                .collect(),
        }
    }

    fn route_stat(&self) -> RouteStat {
        let LookupCounts { unreach, wildcard, .. } = self.routes.lookup_counts();
        let RedirectCounts { bad: badredirect, dynamic, new_gateway: newgateway } = self.redirects;
        RouteStat { badredirect, dynamic, newgateway, unreach, wildcard }
    }

    pub(crate) fn drops(&self) -> Vec<Drop> {
        let shown = |(reason, packets): (boundary::DropReason, u64)| Drop {
            reason: reason.name().to_owned(),
            packets,
            explanation: reason.explanation().to_owned(),
        };
        self.totals().drops().map(shown).collect()
    }

    pub(crate) fn version() -> Version {
        Version { ferryd: env!("CARGO_PKG_VERSION").to_owned(), protocol: wire::VERSION, pid: std::process::id() }
    }

    /// All workers added up, and the frames that did not even get to one.
    fn total_counts(&self) -> Counts {
        let mut total = counts(&self.totals());
        total.originated_lost += self.counts.frames_lost;
        total
    }

    pub(crate) fn totals(&self) -> Totals {
        Totals::of_all(self.workers.iter().map(|worker| &worker.counters))
    }

    /// A route as it is answered: that it is done is said by the answer alone (X32).
    pub(crate) fn answered_route(&self, entry: &RouteEntry) -> Route {
        let mut route = self.shown_route(entry);
        if let Some(detail) = &mut route.detail {
            detail.flags |= RouteFlags::DONE;
        }
        route
    }

    pub(crate) fn shown_route(&self, entry: &RouteEntry) -> Route {
        let facts = entry.facts();
        let (port, gateway) = match facts.leads {
            Way::Gateway(port, gateway) => (Some(port), Some(gateway)),
            Way::Link(port) | Way::Station(port, ..) => (Some(port), None),
            Way::Local => (self.ports.owner(entry.key()), None),
            Way::Anycast | Way::Broadcast | Way::Blackhole | Way::Unreachable | Way::Prohibited => (None, None),
        };
        Route {
            dst: entry.prefix(),
            kind: match facts.way() {
                Way::Local | Way::Anycast => RouteKind::Local,
                Way::Link(_) | Way::Station(..) | Way::Gateway(..) => RouteKind::Unicast,
                Way::Broadcast | Way::Blackhole => RouteKind::Blackhole,
                Way::Unreachable => RouteKind::Unreachable,
                Way::Prohibited => RouteKind::Prohibit,
            },
            gateway,
            dev: port.map(|id| self.ports.port(id).name.clone()),
            protocol: match entry.protocol() {
                Protocol::Local => control_api::Protocol::Local,
                Protocol::Connected => control_api::Protocol::Connected,
                Protocol::Static if facts.flags.contains(RouteFlags::WASCLONED) => control_api::Protocol::Cloned,
                Protocol::Static if facts.flags.contains(RouteFlags::DYNAMIC) => control_api::Protocol::Dynamic,
                Protocol::Static => control_api::Protocol::Static,
                Protocol::Daemon => {
                    let speaker = facts.learnt.map_or(Speaker::Daemon, |learnt| learnt.speaker);
                    control_api::Protocol::Daemon(speaker)
                }
            },
            next_hop: gateway.zip(port).map(|(gateway, port)| match self.routes.neighbour(gateway, port) {
                Some(_) => NextHopState::Resolved,
                None => NextHopState::Unresolved,
            }),
            detail: Some(RouteDetail {
                fib: entry.fib(),
                flags: facts.flags,
                ifa: facts.ifa,
                priority: entry.priority(),
                metrics: RouteMetrics { expire: self.shown_end(entry, &facts.metrics), ..facts.metrics },
                pksent: entry.pksent(),
            }),
        }
    }
}

impl Control {
    /// When a route goes by itself, by the wall clock: at its time, or when a timer that deletes it is over. A timer does
    /// not show where only a person is to change the time (OpenBSD's `rt_timer_add` writes it there).
    fn shown_end(&self, entry: &RouteEntry, metrics: &RouteMetrics) -> u64 {
        let key = RouteKey { fib: entry.fib(), network: entry.prefix(), protocol: entry.protocol() };
        let is_locked = metrics.locks.contains(MetricMask::EXPIRE);
        let timer = self.routes.timed.end(key).filter(|_end| !is_locked);
        let end = match metrics.expire {
            0 => timer.unwrap_or(0),
            expire => timer.map_or(expire, |end| end.min(expire)),
        };
        self.wall.ahead().shown(end)
    }
}

fn counts(totals: &Totals) -> Counts {
    let punted = |(reason, count): (PuntReason, u64)| (reason.name().to_owned(), count);
    let dropped = |(reason, count): (boundary::DropReason, u64)| (reason.name().to_owned(), count);
    Counts {
        received: totals.received(),
        transmitted: totals.transmitted(),
        punted: totals.punts().map(punted).collect(),
        dropped: totals.drops().map(dropped).collect(),
        originated: totals.originated(),
        originated_lost: totals.originated_lost(),
    }
}
