//! Gateways, and by which route each is reached (`rt_gwroute`).
//!
//! A route by a gateway is good for as long as another leads to the gateway itself: over the same port, at one step, and
//! not by a gateway again. So nothing goes round in circles, however routes are changed. Routes of a table by the same gateway
//! share what is known of it, as they share its next hop: a million of them follow a change at once, and hold one reference.
//!
//! ```text
//!   10.0.0.0/8 ----+
//!                  +--> 192.0.2.254 behind p0 --> 192.0.2.0/24 on the link of p0
//!   172.16.0.0/12 -+    (a gateway)               (its route, held)
//! ```
//!
//! A route that comes, goes or changes puts the gateways it covers in doubt. They are looked up again before workers are
//! shown anything, so that no packet leaves for a gateway that the routes do not lead to any more: it is answered as
//! unreachable. A gateway is looked for in the table of the routes that go by it; then in the main one, where most ports have
//! their networks; then in that of its port. Each table has its own answer, and is cut off by that alone.
//!
//! What a routing daemon says leads to no gateway, however specific: it has found its gateways on the links itself, and what
//! it hears from afar about the network of a link cuts nobody off there.
//!
//! Adding a route costs a search among the gateways it covers, which are few.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use boundary::PortId;
use control_api::{ApiError, ErrorKind, MetricMask, Network, RouteFlags};

use crate::control::Control;
use crate::packets::is_link_local;
use crate::rib::{Protocol, Way};
use crate::route::{Facts, RouteEntry, RouteRef};
use crate::routes::{MAIN, Routes};

/// A gateway as routes of one table go by it: its address, its port, and the table.
type Key = (IpAddr, PortId, u16);

/// All gateways that routes go by.
#[derive(Debug, Default)]
pub(crate) struct Gateways {
    known: BTreeMap<Key, Gateway>,
    /// Those that may be reached otherwise than they were.
    doubtful: BTreeSet<Key>,
}

#[derive(Debug, Default)]
struct Gateway {
    /// The route that it is reached by, if it is.
    route: Option<RouteRef>,
    /// Routes that go by it.
    users: usize,
}

impl Gateways {
    /// How many references they hold.
    pub(crate) fn references(&self) -> usize {
        self.known.values().filter(|gateway| gateway.route.is_some()).count()
    }

    /// Those behind any port, in any table, with an address in this network.
    fn within(&self, network: Network) -> impl Iterator<Item = Key> + '_ {
        let (first, last) = match network {
            Network::V4(prefix) => (IpAddr::from(prefix.address()), IpAddr::from(prefix.last())),
            Network::V6(prefix) => (prefix.address().into(), prefix.last().into()),
        };
        self.known.range((first, PortId(0), 0)..=(last, PortId(u16::MAX), u16::MAX)).map(|(key, _)| *key)
    }
}

impl Routes {
    /// The route that an entry's gateway is reached by (`rt_gwroute`).
    pub fn gwroute(&self, entry: &RouteEntry) -> Option<&RouteRef> {
        let key = key(entry.fib(), entry.facts().leads)?;
        self.gateways.known.get(&key)?.route.as_ref()
    }

    /// Whether packets can go by a route: it is up, and so is the one to its gateway (`rtisvalid`).
    pub fn is_valid(&self, entry: &RouteEntry) -> bool {
        let needs_another = key(entry.fib(), entry.facts().leads).is_some();
        entry.is_up() && (!needs_another || self.gwroute(entry).is_some_and(|route| route.is_up()))
    }

    /// Whether a gateway is reached by this route.
    pub(crate) fn is_gwroute(&self, entry: &RouteEntry) -> bool {
        let mut gateways = self.gateways.within(entry.prefix()).filter_map(|key| self.gateways.known.get(&key));
        gateways.any(|gateway| gateway.route.as_ref().is_some_and(|route| route.id() == entry.id()))
    }

    /// A route of a table goes this way from now on.
    pub(crate) fn take_gateway(&mut self, fib: u16, leads: Way) {
        let Some(key) = key(fib, leads) else { return };
        let gateway = self.gateways.known.entry(key).or_default();
        gateway.users += 1;
        if gateway.users == 1 {
            self.resolve_gateway(key);
        }
    }

    /// A route of a table does not go this way any more.
    pub(crate) fn leave_gateway(&mut self, fib: u16, leads: Way) {
        let Some(key) = key(fib, leads) else { return };
        let Some(gateway) = self.gateways.known.get_mut(&key) else { return };
        gateway.users -= 1;
        if gateway.users == 0 {
            self.gateways.known.remove(&key);
            self.follow_gateway(key);
        }
    }

    /// A route came, went or changed: what it covers may be reached otherwise.
    pub(crate) fn doubt_gateways(&mut self, fib: u16, network: Network, protocol: Protocol) {
        if protocol != Protocol::Daemon && !self.gateways.known.is_empty() {
            let is_looked_at = |(_, port, of): &Key| [*of, MAIN, self.fib_of(*port)].contains(&fib);
            let concerned: Vec<_> = self.gateways.within(network).filter(is_looked_at).collect();
            self.gateways.doubtful.extend(concerned);
        }
    }

    /// Looks those in doubt up again.
    pub(crate) fn resolve_gateways(&mut self) {
        // To look one up may make a route to it, which puts it in doubt once more: then that is found.
        while let Some(key) = self.gateways.doubtful.pop_first() {
            self.resolve_gateway(key);
        }
    }

    fn resolve_gateway(&mut self, key: Key) {
        let (address, port, fib) = key;
        let found = self.route_to_gateway(fib, port, address).map(RouteRef::new);
        let found = found.map(|found| self.cloned(found, address, true, RouteFlags::empty()));
        let is_at_one_step =
            |route: &RouteRef| !route.flags().contains(RouteFlags::GATEWAY) && route.port() == Some(port);
        if let Some(gateway) = self.gateways.known.get_mut(&key) {
            gateway.route = found.filter(is_at_one_step);
        }
        self.follow_gateway(key);
    }

    /// Tells the next hops of its table's routes whether packets may go to a gateway.
    fn follow_gateway(&mut self, key: Key) {
        let (address, port, fib) = key;
        let is_lost = |gateway: &Gateway| !gateway.route.as_ref().is_some_and(|route| leads_over(route, port));
        let is_cut_off = self.gateways.known.get(&key).is_some_and(is_lost);
        self.next_hops.cut_off(port, address, fib, is_cut_off);
    }

    /// The same for a gateway that routes may go by already: then it is known, unless something has put it in doubt.
    fn route_to_known_gateway(&self, fib: u16, port: PortId, address: IpAddr) -> Option<&RouteEntry> {
        let key = (address, port, fib);
        let known = self.gateways.known.get(&key).filter(|_known| !self.gateways.doubtful.contains(&key));
        match known.and_then(|gateway| gateway.route.as_ref()) {
            Some(route) => Some(route),
            None => self.route_to_gateway(fib, port, address).map(Arc::as_ref),
        }
    }

    /// The most specific route to a gateway; the one to everywhere leads to none.
    fn route_to_gateway(&self, fib: u16, port: PortId, address: IpAddr) -> Option<&Arc<RouteEntry>> {
        let covering = |fib| self.own_towards(fib, address).filter(|entry| entry.prefix().len() > 0);
        covering(fib).or_else(|| covering(MAIN)).or_else(|| covering(self.fib_of(port)))
    }

    /// Where packets by a route go just now; nowhere, if that is to a gateway that cannot be reached.
    pub(crate) fn passable(&self, entry: &RouteEntry) -> Way {
        match entry.way() {
            Way::Gateway(port, gateway) if self.next_hops.is_cut_off(port, gateway, entry.fib()) => Way::Unreachable,
            way => way,
        }
    }
}

/// Why a gateway cannot be one, whoever wants it (`rt_setgate`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadGateway {
    #[error("the gateway {gateway} is the destination itself")]
    Itself { gateway: IpAddr },
    #[error("the gateway {gateway} would be reached by the route to {network} itself")]
    Loop { gateway: IpAddr, network: Network },
    #[error("the gateway {gateway} is behind a gateway itself: see {by}")]
    BehindAnother { gateway: IpAddr, by: Network },
}

/// The route that a gateway is reached by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reached {
    pub(crate) network: Network,
    pub(crate) is_by_gateway: bool,
}

impl BadGateway {
    /// What is wrong with a route to `network` by a gateway that is reached like this without it.
    pub(crate) fn of(network: Network, gateway: IpAddr, reached: Option<Reached>) -> Option<Self> {
        if network == Network::host(gateway) {
            return Some(Self::Itself { gateway });
        }
        let is_narrower = reached.is_none_or(|reached| reached.network.len() <= network.len());
        if network.contains(gateway) && network.len() > 0 && is_narrower {
            return Some(Self::Loop { gateway, network });
        }
        let by = reached.filter(|reached| reached.is_by_gateway)?.network;
        Some(Self::BehindAnother { gateway, by })
    }

    /// What to do about it.
    pub(crate) const fn hint(self) -> &'static str {
        match self {
            Self::Itself { .. } => "name a port, or another router",
            Self::Loop { .. } => "name a gateway that is reached by another route",
            Self::BehindAnother { .. } => "name the router that is on a port's network",
        }
    }

    const fn kind(self) -> ErrorKind {
        match self {
            Self::Itself { .. } => ErrorKind::GatewayItself,
            Self::Loop { .. } => ErrorKind::GatewayLoop,
            Self::BehindAnother { .. } => ErrorKind::UnreachableGateway,
        }
    }
}

impl Control {
    /// Refuses a route by a gateway that it cannot be reached by.
    pub(crate) fn refuse_bad_gateway(&self, fib: u16, network: Network, leads: Way) -> Result<(), ApiError> {
        let Way::Gateway(port, gateway) = leads else { return Ok(()) };
        // A link-local one is reached by its port.
        let is_elsewhere = is_link_local(gateway) && network != Network::host(gateway);
        if is_elsewhere {
            return Ok(());
        }
        let found = self.routes.route_to_known_gateway(fib, port, gateway);
        let reached = found.map(|entry| Reached {
            network: entry.prefix(),
            is_by_gateway: entry.flags().contains(RouteFlags::GATEWAY),
        });
        if let Some(bad) = BadGateway::of(network, gateway, reached) {
            return Err(ApiError::new(bad.kind(), bad.to_string()).with_hint(bad.hint()));
        }
        // Without a link nothing leads there now; it will be seen when the link comes.
        if found.is_none() && self.routes.next_hops.has_link(port) {
            let name = &self.ports.port(port).name;
            let message = format!("no route leads to the gateway {gateway} over `{name}`");
            return Err(ApiError::new(ErrorKind::UnreachableGateway, message)
                .with_hint("see `route show` for the networks of ports"));
        }
        Ok(())
    }

    /// A route by a gateway carries no more than the one to the gateway, unless its MTU is locked.
    pub(crate) fn inherit_mtu(&self, fib: u16, facts: &mut Facts) {
        if let Way::Gateway(port, gateway) = facts.leads
            && let Some(route) = self.routes.route_to_known_gateway(fib, port, gateway)
            && !facts.metrics.locks.contains(MetricMask::MTU)
        {
            let of_gateway = route.metrics().mtu;
            if of_gateway > 0 && facts.metrics.mtu > of_gateway {
                facts.metrics.mtu = of_gateway;
            }
        }
    }
}

/// The gateway of routes that lead this way. A link-local one is reached by its port, without any route.
fn key(fib: u16, leads: Way) -> Option<Key> {
    match leads {
        Way::Gateway(port, gateway) if !is_link_local(gateway) => Some((gateway, port, fib)),
        Way::Gateway(..) | Way::Link(_) | Way::Station(..) | Way::Local | Way::Anycast => None,
        Way::Broadcast | Way::Blackhole | Way::Unreachable | Way::Prohibited => None,
    }
}

/// Whether packets by a route come to the hosts of a port's link.
fn leads_over(entry: &RouteEntry, port: PortId) -> bool {
    match entry.way() {
        Way::Link(over) | Way::Station(over, ..) => over == port,
        Way::Gateway(..) | Way::Local | Way::Anycast | Way::Broadcast => false,
        Way::Blackhole | Way::Unreachable | Way::Prohibited => false,
    }
}
