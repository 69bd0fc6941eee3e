//! What one configuration says otherwise than another, in steps that can be taken while ferryd runs, and what cannot be.
//!
//! The steps are what is done and what is shown ([`Step::shown`]), so that nobody is told another thing than what happens.
//! They are in the order of what stands on what: a route on a neighbour, that on an address, that on its port. What goes is
//! taken away in this order, and what comes is put there in the reverse of it.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::IpAddr;

use boundary::policy::ReversePath;
use boundary::{Mtu, PortId};
use control_api::{ConfigChange, InterfaceAddress, Network};
use packet::ethernet::MacAddr;

use super::{Config, Port, Route, Target, Under};

/// All that another configuration says otherwise.
#[derive(Debug, Default)]
pub(crate) struct Difference {
    /// What can change.
    pub(crate) steps: Vec<Step>,
    /// What cannot before ferryd starts anew.
    pub(crate) restart: Vec<ConfigChange>,
}

/// One thing that it says otherwise and that can change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// The routes to a network in a table.
    Routes {
        fib: u16,
        to: Network,
        before: Vec<Route>,
        after: Vec<Route>,
    },
    Neighbour {
        port: PortId,
        address: IpAddr,
        before: Option<MacAddr>,
        after: Option<MacAddr>,
    },
    /// A port has one address more, or less.
    Address {
        port: PortId,
        own: InterfaceAddress,
        is_new: bool,
    },
    Mtu {
        port: PortId,
        before: Mtu,
        after: Mtu,
    },
    /// What a port asks of packets, and what it does on its link.
    Port(PortId),
    /// Filters, and how flows are divided: what workers know beside tables and ports.
    Forwarding,
    /// Who polls which receive queue.
    Queues,
    Icmp,
    SourceRoutes,
    CountPackets,
}

impl Config {
    /// The same with its ports in the order of another, whose ports have the same names.
    ///
    /// # Errors
    ///
    /// The ports that only one of them has.
    pub(crate) fn with_ports_as(&self, other: &Self) -> Result<Self, Vec<ConfigChange>> {
        let gone = other.ports.iter().filter(|port| self.port_named(&port.name).is_none());
        let new = self.ports.iter().filter(|port| other.port_named(&port.name).is_none());
        let gone = gone.map(|port| change(format!("port {}", port.name), Some(other.under(port)), None));
        let new = new.map(|port| change(format!("port {}", port.name), None, Some(self.under(port))));
        let differing: Vec<_> = gone.chain(new).collect();
        if !differing.is_empty() {
            return Err(differing);
        }
        let places = other.ports.iter().filter_map(|port| self.port_named(&port.name)).map(PortId::index);
        let places: Vec<_> = places.collect();
        let id = |port: PortId| other.port_named(&self.port(port).name).expect("both have the same ports");
        let mut same = self.clone();
        same.ports = places.iter().map(|place| self.ports[*place].clone()).collect();
        for port in &mut same.ports {
            if let Under::Vlan(vlan) = &mut port.under {
                vlan.parent = id(vlan.parent);
            }
        }
        for route in &mut same.routes {
            match &mut route.target {
                Target::Via { port, .. } | Target::Link(port) => *port = id(*port),
                Target::Blackhole | Target::Unreachable | Target::Prohibit => {}
            }
        }
        same.neighbours.iter_mut().for_each(|neighbour| neighbour.port = id(neighbour.port));
        if let Some(map) = &self.queue_map {
            let queues = places.iter().map(|place| map.get(*place).cloned().unwrap_or_default());
            same.queue_map = Some(queues.collect());
        }
        if let Some(fpm) = &mut same.fpm {
            fpm.interfaces.iter_mut().for_each(|(_, port)| *port = id(*port));
        }
        Ok(same)
    }

    /// What `next` says otherwise, which has the same ports in the same order; `queues` is how many receive queues each has.
    pub(crate) fn difference(&self, next: &Self, queues: impl Fn(PortId) -> u16) -> Difference {
        Difference { steps: self.steps_to(next), restart: self.restart_for(next, queues) }
    }

    fn steps_to(&self, next: &Self) -> Vec<Step> {
        let mut steps = self.routes_to(next);
        steps.extend(self.neighbours_to(next));
        for ((port, old), new) in (0..).map(PortId).zip(&self.ports).zip(&next.ports) {
            let address = |own: &InterfaceAddress, is_new| Step::Address { port, own: *own, is_new };
            let gone = old.addresses.iter().filter(|own| !new.addresses.contains(own));
            let come = new.addresses.iter().filter(|own| !old.addresses.contains(own));
            steps.extend(gone.map(|own| address(own, false)).chain(come.map(|own| address(own, true))));
            if old.mtu != new.mtu {
                steps.push(Step::Mtu { port, before: old.mtu, after: new.mtu });
            }
            let asks = |port: &Port| (port.policy, port.directed_broadcast);
            if asks(old) != asks(new) || old.link != new.link {
                steps.push(Step::Port(port));
            }
        }
        let (old, new) = (&self.routing, &next.routing);
        let flows = |routing: &super::Routing| (routing.symmetric, routing.addresses_only);
        let other_seed = new.seed.is_some() && new.seed != old.seed;
        let others = [
            (self.filters != next.filters || flows(old) != flows(new) || other_seed, Step::Forwarding),
            (next.queue_map.is_some() && self.queue_map != next.queue_map, Step::Queues),
            (self.icmp != next.icmp, Step::Icmp),
            (self.source_routes != next.source_routes, Step::SourceRoutes),
            (old.count_packets != new.count_packets, Step::CountPackets),
        ];
        steps.extend(others.into_iter().filter(|(is_other, _)| *is_other).map(|(_, step)| step));
        steps
    }

    /// The routes to each network in each table, as this one says them and as `next` does.
    pub(crate) fn routes_beside(&self, next: &Self) -> BTreeMap<(u16, Network), [Vec<Route>; 2]> {
        let mut places: BTreeMap<(u16, Network), [Vec<Route>; 2]> = BTreeMap::new();
        for (side, config) in [self, next].into_iter().enumerate() {
            for route in &config.routes {
                places.entry((route.fib, route.to)).or_default()[side].push(*route);
            }
        }
        places
    }

    fn routes_to(&self, next: &Self) -> Vec<Step> {
        let others = self.routes_beside(next).into_iter().filter(|(_, [before, after])| !are_same(before, after));
        others.map(|((fib, to), [before, after])| Step::Routes { fib, to, before, after }).collect()
    }

    fn neighbours_to(&self, next: &Self) -> Vec<Step> {
        let mut places: BTreeMap<(PortId, IpAddr), [Option<MacAddr>; 2]> = BTreeMap::new();
        for (side, config) in [self, next].into_iter().enumerate() {
            for neighbour in &config.neighbours {
                places.entry((neighbour.port, neighbour.address)).or_default()[side] = Some(neighbour.mac);
            }
        }
        let others = places.into_iter().filter(|(_, [before, after])| before != after);
        others.map(|((port, address), [before, after])| Step::Neighbour { port, address, before, after }).collect()
    }
}

impl Step {
    /// It in the words of the file; `old` and `new` have the same ports in the same order.
    pub(crate) fn shown(&self, old: &Config, new: &Config) -> Vec<ConfigChange> {
        let name = |port: PortId| &new.port(port).name;
        let one = |what: String, old, new| vec![change(what, old, new)];
        match self {
            Self::Routes { fib, to, before, after } => {
                let table = if *fib == 0 { String::new() } else { format!(" in table {fib}") };
                one(format!("route {to}{table}"), new.way(before), new.way(after))
            }
            Self::Neighbour { port, address, before, after } => {
                let what = format!("neighbour {address} on {}", name(*port));
                one(what, before.map(|mac| mac.to_string()), after.map(|mac| mac.to_string()))
            }
            Self::Address { port, own, is_new } => {
                let (gone, come) = if *is_new { (None, Some(own)) } else { (Some(own), None) };
                one(format!("address on {}", name(*port)), gone.map(ToString::to_string), come.map(ToString::to_string))
            }
            Self::Mtu { port, before, after } => {
                one(format!("port {}: mtu", name(*port)), Some(before.to_string()), Some(after.to_string()))
            }
            Self::Port(port) => port_keys(old.port(*port), new.port(*port)),
            Self::Forwarding => {
                let flows = |config: &Config| {
                    let super::Routing { seed, symmetric, addresses_only, .. } = config.routing;
                    (seed, symmetric, addresses_only)
                };
                let filters = (old.filters != new.filters).then(|| change("[[filter]]".to_owned(), None, None));
                let is_other = flows(old) != flows(new);
                let flows = is_other.then(|| change("[routing]: how flows are divided".to_owned(), None, None));
                filters.into_iter().chain(flows).collect()
            }
            Self::Queues => one("[[worker]] queues".to_owned(), None, None),
            Self::Icmp => one("[icmp]".to_owned(), None, None),
            Self::SourceRoutes => both("[ip] source_routes".to_owned(), old.source_routes, new.source_routes),
            Self::CountPackets => {
                let count = |config: &Config| config.routing.count_packets;
                both("[routing] count_packets".to_owned(), count(old), count(new))
            }
        }
    }
}

impl Config {
    /// Where routes to one network lead; nothing if there are none.
    fn way(&self, routes: &[Route]) -> Option<String> {
        let leads = |route: &Route| {
            let weight = if route.weight == 1 { String::new() } else { format!(" weight {}", route.weight) };
            let count = match route.count {
                None => "",
                Some(true) => " count",
                Some(false) => " not counted",
            };
            match route.target {
                Target::Via { gateway, port } => format!("via {gateway} dev {}{weight}{count}", self.port(port).name),
                Target::Link(port) => format!("dev {}{count}", self.port(port).name),
                Target::Blackhole => format!("blackhole{count}"),
                Target::Unreachable => format!("unreachable{count}"),
                Target::Prohibit => format!("prohibit{count}"),
            }
        };
        (!routes.is_empty()).then(|| routes.iter().map(leads).collect::<Vec<_>>().join(", "))
    }
}

/// Whether both say the same of a network, in whatever order.
pub(crate) fn are_same(before: &[Route], after: &[Route]) -> bool {
    before.len() == after.len() && before.iter().all(|route| after.contains(route))
}

/// What of a port can change and is other, but for its addresses and its MTU.
fn port_keys(old: &Port, new: &Port) -> Vec<ConfigChange> {
    let key = |what: &str| format!("port {}: {what}", new.name);
    let switch = |what: &str, old: bool, new: bool| if old == new { Vec::new() } else { both(key(what), old, new) };
    let mut keys = Vec::new();
    if old.policy.reverse_path != new.policy.reverse_path {
        let mode = |port: &Port| match port.policy.reverse_path {
            ReversePath::Off => "off",
            ReversePath::Loose => "loose",
            ReversePath::Strict => "strict",
        };
        keys.extend(both(key("reverse_path"), mode(old), mode(new)));
    }
    keys.extend(switch("class_e", old.policy.class_e, new.policy.class_e));
    keys.extend(switch("redirects", old.policy.redirects, new.policy.redirects));
    keys.extend(switch("directed_broadcast", old.directed_broadcast, new.directed_broadcast));
    let sections = [
        ("filter", old.policy.filter != new.policy.filter),
        ("neighbours", old.link.neighbours != new.link.neighbours),
        ("router_advertisements", old.link.advertisements != new.link.advertisements),
    ];
    keys.extend(sections.iter().filter(|(_, is_other)| *is_other).map(|(what, _)| change(key(what), None, None)));
    keys
}

pub(super) fn change(what: String, old: Option<String>, new: Option<String>) -> ConfigChange {
    ConfigChange { what, old, new }
}

fn both(what: String, old: impl Display, new: impl Display) -> Vec<ConfigChange> {
    vec![change(what, Some(old.to_string()), Some(new.to_string()))]
}
