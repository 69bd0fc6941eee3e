//! Addresses of ports: the routes that follow from them, and addresses that come and go while ferry runs.
//!
//! What follows from an address is a route to itself, one to the network on its link, and routes to those addresses of the
//! network that are no host's. Two addresses can ask for the same route: one to a network they are both in, or one to an
//! address that is nobody's in a wide network and ours in a narrow one. So whenever an address comes or goes, each of its
//! routes is asked for anew, of all addresses there are ([`Control::renew`]); at the start of all of them.
//!
//! Addresses of the configuration are there whenever ferryd starts; one that is added at run time is tried, announced and
//! defended as they are, and gone when ferryd ends. What is refused in a configuration is refused here, in the same words.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use boundary::PortId;
use control_api::{ApiError, ErrorKind, EventKind, Family, InterfaceAddress, Network, RouteFlags};
use packet::ethernet::MacAddr;

use crate::control::Control;
use crate::ports::{self, PortInfo};
use crate::rib::{Protocol, Way};
use crate::route::{Facts, RouteEntry, RouteId};
use crate::time::Timestamp;

impl Control {
    /// The routes that follow from the ports' addresses.
    pub(crate) fn add_port_routes(&mut self) {
        let ports = self.ports.iter();
        let all: Vec<_> = ports.flat_map(|(port, info)| info.addresses.iter().map(move |own| (port, *own))).collect();
        for (port, own) in all {
            self.renew_routes_of(port, own);
            self.set_broadcast(port, own, true);
        }
    }

    /// Gives a port one more address.
    pub(crate) fn add_address(&mut self, dev: &str, own: InterfaceAddress, now: Timestamp) -> Result<(), ApiError> {
        let port = self.ports.named(dev)?;
        self.refuse_small_mtu(port, own)?;
        self.refuse_address(port, own, &Leaving::default())?;
        self.tell_kernel(port, own, true)?;
        self.put_address(port, own, now);
        Ok(())
    }

    /// An address that nothing is in the way of is a port's from now on.
    pub(crate) fn put_address(&mut self, port: PortId, own: InterfaceAddress, now: Timestamp) {
        for learnt in self.learnt_routes(port, own) {
            self.routes.remove_entry(&learnt);
        }
        self.forget_neighbour((own.address(), port));
        self.ports.add_address(port, own);
        self.routes.events.address(EventKind::NewAddr, port, own);
        self.renew_routes_of(port, own);
        self.set_broadcast(port, own, true);
        self.try_address(port, own.address(), now);
    }

    /// Takes an address of a port away; `len`, if it is said, is that of its network.
    pub(crate) fn delete_address(&mut self, dev: &str, address: IpAddr, len: Option<u8>) -> Result<(), ApiError> {
        let port = self.ports.named(dev)?;
        let info = self.ports.port(port);
        let own = info.addresses.iter().copied().find(|own| own.address() == address);
        let Some(own) = own.filter(|own| len.is_none_or(|len| len == own.len())) else {
            let wanted = len.map_or_else(|| address.to_string(), |len| format!("{address}/{len}"));
            let there: Vec<_> = info.addresses.iter().map(ToString::to_string).collect();
            let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
            return Err(ApiError::new(ErrorKind::NotFound, format!("port `{dev}` has no address {wanted}"))
                .with_hint(format!("those it has: {there}")));
        };
        self.tell_kernel(port, own, false)?;
        self.take_address(port, own);
        Ok(())
    }

    /// An address is a port's no more.
    pub(crate) fn take_address(&mut self, port: PortId, own: InterfaceAddress) {
        let address = own.address();
        self.ports.remove_address(port, own);
        self.set_broadcast(port, own, false);
        self.renew_routes_of(port, own);
        self.speak_by_others(address);
        self.leave_address(port, address);
        self.routes.events.address(EventKind::DelAddr, port, own);
    }

    /// RFC 8200 section 5: a link that carries IPv6 carries 1280 bytes.
    pub(crate) fn refuse_small_mtu(&self, port: PortId, own: InterfaceAddress) -> Result<(), ApiError> {
        let PortInfo { name, state, .. } = self.ports.port(port);
        if own.family() == Family::Ipv6 && state.mtu.bytes() < packet::ipv6::MIN_MTU {
            let least = packet::ipv6::MIN_MTU;
            let message = format!("an MTU of {} is too small for IPv6, which needs {least}", state.mtu);
            return Err(ApiError::new(ErrorKind::Invalid, message)
                .with_hint(format!("give it more first: `port set {name} mtu {least}`")));
        }
        Ok(())
    }

    /// Refuses an address that would be in two places, or in the way of what somebody wants and what does not leave.
    pub(crate) fn refuse_address(
        &self,
        port: PortId,
        own: InterfaceAddress,
        leaving: &Leaving,
    ) -> Result<(), ApiError> {
        let exists = |message: String, hint: &str| Err(ApiError::new(ErrorKind::Exists, message).with_hint(hint));
        let (info, address) = (self.ports.port(port), own.address());
        let name = &info.name;
        let ports = self.ports.iter();
        let there = ports.flat_map(|(port, info)| info.addresses.iter().map(move |own| (port, &info.name, *own)));
        for (owner, other, theirs) in there.filter(|(port, _, own)| !leaving.addresses.contains(&(*port, *own))) {
            if theirs.address() == address {
                return exists(format!("{address} is an address of port `{other}` already"), "give it another");
            }
            let (ours, theirs) = (own.network(), theirs.network());
            if owner == port {
                continue;
            }
            if ours.covers(theirs) || theirs.covers(ours) {
                let message = match ours == theirs {
                    true => format!("ports `{other}` and `{name}` would be in the same network, {ours}"),
                    false => format!("the networks of ports `{other}` and `{name}` would overlap: {theirs} and {ours}"),
                };
                return exists(message, "give each port a network of its own");
            }
        }
        let is_neighbour = self.neighbours.is_permanent((address, port));
        if is_neighbour && !leaving.neighbours.contains(&(address, port)) {
            return exists(format!("there is a static neighbour {address} on `{name}`"), "delete it first");
        }
        let by_it =
            |entry: &&Arc<RouteEntry>| matches!(entry.facts().leads, Way::Gateway(_, gateway) if gateway == address);
        let stays = |entry: &&Arc<RouteEntry>| !is_learnt(entry) && !leaving.has(entry);
        if let Some(entry) = self.routes.every().filter(by_it).find(stays) {
            return exists(
                format!("the route to {} goes by the gateway {address}", entry.prefix()),
                "change that first",
            );
        }
        let asked_for = self.static_routes(port, own).into_iter().find(|entry| stays(&entry));
        match asked_for {
            Some(entry) => exists(format!("there is a route to {} already", entry.prefix()), "delete it first"),
            None => Ok(()),
        }
    }

    /// Routes that nobody has asked for, and that make room for those of an address.
    fn learnt_routes(&self, port: PortId, own: InterfaceAddress) -> Vec<Arc<RouteEntry>> {
        self.static_routes(port, own).into_iter().filter(|entry| is_learnt(entry)).collect()
    }

    /// Routes to where those of an address are to lead that follow from no address.
    fn static_routes(&self, port: PortId, own: InterfaceAddress) -> Vec<Arc<RouteEntry>> {
        let follows = routes_of(port, own, false);
        let places =
            follows.into_iter().flat_map(|route| self.fibs_of(port).into_iter().map(move |fib| (fib, route.network)));
        let there = places.flat_map(|(fib, network)| self.routes.all(fib, network));
        there.filter(|entry| entry.protocol() == Protocol::Static).cloned().collect()
    }

    /// The tables in which a port's addresses have their routes.
    fn fibs_of(&self, port: PortId) -> Vec<u16> {
        if self.addresses_in_all { self.routes.numbers() } else { vec![self.routes.fib_of(port)] }
    }

    /// An address has come or gone: those routes that follow from it are as all addresses together want them.
    pub(crate) fn renew_routes_of(&mut self, port: PortId, own: InterfaceAddress) {
        for Following { network, protocol, .. } in routes_of(port, own, false) {
            for fib in self.fibs_of(port) {
                self.renew(fib, network, protocol);
            }
        }
    }

    /// A route that follows from addresses is there if one of them wants it, and as the first of those does.
    fn renew(&mut self, fib: u16, network: Network, protocol: Protocol) {
        let there = self.routes.get(fib, network, protocol).cloned();
        match (there, self.wanted(fib, network, protocol)) {
            (None, None) => {}
            (None, Some(facts)) => {
                self.routes.set(fib, network, protocol, facts);
            }
            (Some(entry), None) => {
                self.routes.remove_entry(&entry);
            }
            (Some(entry), Some(wanted)) => {
                let facts = entry.facts();
                if (facts.leads, facts.ifa) != (wanted.leads, wanted.ifa) {
                    self.routes.change(&entry, Facts { is_counted: facts.is_counted, ..wanted });
                }
            }
        }
    }

    /// What is wanted of a route by the first address that does; an address of ours comes before one that is nobody's.
    fn wanted(&self, fib: u16, network: Network, protocol: Protocol) -> Option<Facts> {
        let ports = self.ports.iter();
        let ports = ports.filter(|(port, _)| self.addresses_in_all || self.routes.fib_of(*port) == fib);
        let follow = ports.flat_map(|(port, info)| {
            // What follows from an address lies in its network: nearly all are done with by that.
            let own = info.addresses.iter().filter(|own| own.network().covers(network));
            own.flat_map(move |own| {
                let routes = routes_of(port, *own, info.directed_broadcast).into_iter();
                routes.map(move |route| (route, *own, info))
            })
        });
        let same = follow.filter(|(route, ..)| (route.network, route.protocol) == (network, protocol));
        let (route, own, info) = same.min_by_key(|(route, ..)| route.leads != Way::Local)?;
        let mut facts = Facts::of(route.leads, network, protocol);
        facts.ifa = Some(own.address());
        facts.metrics.mtu = info.state.mtu.bytes().into();
        facts.is_counted = self.routes.are_counted;
        Some(facts)
    }

    /// RFC 2644: where it is asked for, all stations on the link are who has the network's broadcast.
    pub(crate) fn set_broadcast(&mut self, port: PortId, own: InterfaceAddress, is_there: bool) {
        let info = self.ports.port(port);
        let Some(broadcast) = own.broadcast().filter(|_| info.directed_broadcast) else { return };
        if is_there {
            self.set_permanent(port, broadcast.into(), MacAddr::BROADCAST);
        } else if info.addresses.iter().all(|other| other.broadcast() != Some(broadcast)) {
            self.forget_neighbour((broadcast.into(), port));
        }
    }

    /// An address is gone: what was sent from it is sent from another.
    fn speak_by_others(&mut self, gone: IpAddr) {
        let of_it: Vec<_> = self.routes.every().filter(|entry| entry.ifa() == Some(gone)).cloned().collect();
        for entry in of_it {
            let facts = entry.facts();
            self.say_facts(&entry, Facts { ifa: self.speaks_by(entry.prefix(), facts.leads), ..facts });
        }
    }

    pub(crate) fn tell_kernel(&mut self, port: PortId, own: InterfaceAddress, is_there: bool) -> Result<(), ApiError> {
        if !self.ports.port(port).state.tap {
            return Ok(());
        }
        self.taps.set_address(port, own, is_there).map_err(|reason| {
            let name = &self.ports.port(port).name;
            ApiError::new(
                ErrorKind::Internal,
                format!("the kernel's interface of port `{name}` refuses {own}: {reason}"),
            )
        })
    }
}

/// What goes at the same time, and so is in nobody's way.
#[derive(Debug, Default)]
pub(crate) struct Leaving {
    pub(crate) addresses: Vec<(PortId, InterfaceAddress)>,
    pub(crate) neighbours: Vec<(IpAddr, PortId)>,
    pub(crate) routes: BTreeSet<RouteId>,
}

impl Leaving {
    pub(crate) fn has(&self, entry: &RouteEntry) -> bool {
        self.routes.contains(&entry.id())
    }
}

/// A route that follows from an address.
#[derive(Debug, Clone, Copy)]
struct Following {
    network: Network,
    protocol: Protocol,
    leads: Way,
}

/// All that follow from one; the broadcast is left out where all stations have it.
fn routes_of(port: PortId, own: InterfaceAddress, directed_broadcast: bool) -> Vec<Following> {
    let (itself, network) = (Network::host(own.address()), own.network());
    let local = |network, leads| Following { network, protocol: Protocol::Local, leads };
    // Nobody's address would take the place of the default route (`rt_ifa_addlocal`).
    let ours = (!own.address().is_unspecified()).then(|| local(itself, Way::Local));
    // A network of one address has no link to lead to.
    let connected =
        (network != itself).then_some(Following { network, protocol: Protocol::Connected, leads: Way::Link(port) });
    let is_everybody_s = |nobody: &IpAddr| directed_broadcast && own.broadcast().is_some_and(|all| *nobody == all);
    let nobody_s = ports::not_hosts(own).filter(|nobody| !is_everybody_s(nobody));
    let nobody_s = nobody_s.map(|nobody| local(Network::host(nobody), Way::Broadcast));
    let anycast = ports::anycast(own).map(|anycast| local(Network::host(anycast), Way::Anycast));
    ours.into_iter().chain(connected).chain(nobody_s).chain(anycast).collect()
}

/// Whether nobody has asked for it: it was made from another, or by a redirect.
pub(crate) fn is_learnt(entry: &RouteEntry) -> bool {
    entry.flags().intersects(RouteFlags::WASCLONED | RouteFlags::DYNAMIC)
}
