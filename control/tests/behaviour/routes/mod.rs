//! The acceptance tests of routes, each named by its number; `route` in the library says how they name what they hold.
//!
//! ```text
//!   11 12 13 14 --- p0 192.0.2.1/24    | router | p1 198.51.100.1/24
//!   (gateways)                         |        | p2 2001:db8::1/64 --- 11 12 13 14 (gateways)
//! ```
//! The gateways are known, so that workers tell them apart.

mod addresses;
mod cloning;
mod concurrency;
mod deletion;
mod entries;
mod expiry;
mod flags;
mod forwarding;
mod gateways;
mod learnt;
mod links;
mod lookups;
pub(crate) mod messages;
mod metrics;
mod multipath;
mod pinned;
mod references;
mod rejected;
mod sequences;
mod tables;

use std::net::IpAddr;

use control::{Fibs, Setup, config};
use control_api::{
    ApiError, MetricMask, Reply, Request, Route, RouteDetail, RouteFilter, RouteFlags, RouteMessage, RouteMetrics,
    Target, Verb,
};
use packet::ethernet::MacAddr;

use crate::scene::*;

pub(crate) fn setup() -> Setup {
    let p0 = port("p0", ON_LEFT, &["192.0.2.1/24"], 1500);
    let p1 = port("p1", ON_RIGHT, &["198.51.100.1/24"], 1500);
    let p2 = port("p2", GATEWAY, &["2001:db8::1/64"], 1500);
    let known = |port: u16, network: &str, number: u8| config::Neighbour {
        port: boundary::PortId(port),
        address: ip(&format!("{network}{number}")),
        mac: MacAddr([2, 0, 0, 0, 0, number]),
    };
    let neighbours = (11..=14).flat_map(|number| [known(0, "192.0.2.", number), known(2, "2001:db8::", number)]);
    let fibs = Fibs::new(8).unwrap();
    Setup { ports: vec![p0, p1, p2], fibs, neighbours: neighbours.collect(), ..Setup::default() }
}

pub(crate) fn scene() -> Scene {
    Scene::with(setup())
}

/// A request for a network as one types it; bits beyond the length stay.
pub(crate) fn message(verb: Verb, prefix: &str) -> RouteMessage {
    let (address, len) = prefix.split_once('/').map_or((prefix, None), |(address, len)| (address, Some(len)));
    let dst = ip(address);
    let mask = |len: u32| match dst {
        IpAddr::V4(_) => std::net::Ipv4Addr::from(!u32::MAX.checked_shr(len).unwrap_or(0)).into(),
        IpAddr::V6(_) => std::net::Ipv6Addr::from(!u128::MAX.checked_shr(len).unwrap_or(0)).into(),
    };
    RouteMessage::new(verb, dst, len.map(|len| mask(len.parse().unwrap())))
}

/// By the gateway with this number.
pub(crate) fn gateway(number: u8, prefix: &str) -> Target {
    let network = if prefix.contains(':') { "2001:db8::" } else { "192.0.2." };
    via(ip(&format!("{network}{}", number + 10)))
}

/// What can be said of a route in a test, one step after the other.
pub(crate) trait Says: Sized {
    fn to(self, target: Target) -> Self;
    fn flags(self, flags: RouteFlags) -> Self;
    fn metrics(self, inits: MetricMask, metrics: RouteMetrics) -> Self;
    fn fib(self, fib: u16) -> Self;
    fn priority(self, priority: u8) -> Self;
}

impl Says for RouteMessage {
    fn to(self, target: Target) -> Self {
        Self { target: Some(target), ..self }
    }

    fn flags(self, flags: RouteFlags) -> Self {
        Self { flags: Some(flags), ..self }
    }

    fn metrics(self, inits: MetricMask, metrics: RouteMetrics) -> Self {
        Self { inits, metrics, ..self }
    }

    fn fib(self, fib: u16) -> Self {
        Self { fib, ..self }
    }

    fn priority(self, priority: u8) -> Self {
        Self { priority: Some(priority), ..self }
    }
}

pub(crate) fn add(prefix: &str, number: u8) -> RouteMessage {
    message(Verb::Add, prefix).to(gateway(number, prefix))
}

impl Scene {
    pub(crate) fn tell(&mut self, message: RouteMessage) -> Result<Route, ApiError> {
        self.ask(Request::RouteMessage(message)).map(|reply| match reply {
            Reply::Route(route) => route,
            other => panic!("{other:?}"),
        })
    }

    /// The routes of a table, as text.
    pub(crate) fn shown(&mut self, fib: u16) -> Vec<String> {
        let filter = RouteFilter { fib, ..RouteFilter::default() };
        match self.ask(Request::RouteShow { filter }) {
            Ok(Reply::Routes(routes)) => routes.iter().map(|route| route.dst.to_string()).collect(),
            other => panic!("{other:?}"),
        }
    }

    /// The number of the gateway that packets go to; the control thread and workers agree.
    pub(crate) fn takes(&mut self, address: &str) -> Option<u8> {
        let asked = self.tell(message(Verb::Get, address)).ok().and_then(|route| route.gateway);
        let asked = asked.map(|gateway| match gateway {
            IpAddr::V4(gateway) => gateway.octets()[3] - 10,
            IpAddr::V6(gateway) => gateway.to_string().rsplit(':').next().unwrap().parse::<u8>().unwrap() - 10,
        });
        // The neighbours' MAC addresses end in the number as it is, in either family.
        let worker = self.station(ip(address)).map(|mac| mac.0[5] - 10);
        assert_eq!(worker, asked, "{address}");
        asked
    }
}

pub(crate) fn detail(route: &Route) -> &RouteDetail {
    route.detail.as_ref().expect("this ferryd tells")
}

pub(crate) fn letters(route: &Route) -> String {
    detail(route).flags.letters()
}
