//! Another configuration while ferryd runs: all of it or none.
//!
//! ```text
//!   the file --> Config, read and checked elsewhere --> what it says otherwise: steps --> is anything in the way?
//!                                                                        what goes, what comes --> one publish
//! ```
//!
//! Two files are held against each other, the one that ferryd runs by and the new one. What the old one said and the new one
//! does not is taken back, if it is still as the old one said; what the new one says anew is put there. Everything else stays
//! as it is: what was asked for since, made by itself, learnt from redirects or told by a routing daemon. Where the two want
//! different things, as a route of the file to where somebody has asked for another, the whole is refused. What both files say
//! and somebody has taken away comes back, unless somebody has put something else in its place (`missing`).
//!
//! **Promised.** Everything that can be refused is asked before the first step, the devices last, so that a configuration that
//! is refused leaves all as it was. Workers are shown everything at once: a packet sees all of it or none, and one that both
//! configurations forward is forwarded meanwhile.
//!
//! **Cost.** The control thread is away for as long as its steps take, some microseconds for each route that is other; punted
//! packets wait that long, and workers not at all. A file is read and checked by the thread that was asked.

mod missing;

use std::net::IpAddr;
use std::sync::Arc;

use boundary::{Mtu, PortId};
use control_api::{
    ApiError, ConfigChange, ConfigChanges, ErrorKind, Family, InterfaceAddress, Network, PortQueue, QueuePlace,
};
use packet::ethernet::MacAddr;

use crate::addresses::{Leaving, is_learnt};
use crate::config::{self, Config, Difference, Step};
use crate::control::Control;
use crate::limits::Limits;
use crate::multipath::Multipath;
use crate::rib::{Protocol, Way};
use crate::route::RouteEntry;
use crate::time::Timestamp;

impl Control {
    /// Runs by `next` from now on, or only says what that would change.
    pub(crate) fn reload(
        &mut self,
        next: &Config,
        file: String,
        dry_run: bool,
        now: Timestamp,
    ) -> Result<ConfigChanges, ApiError> {
        let Some(running) = self.config.clone() else {
            return Err(ApiError::new(ErrorKind::NotSupported, "this router was not made from a configuration"));
        };
        let same_ports = match next.with_ports_as(&running) {
            Ok(next) => next,
            Err(ports) if dry_run => {
                return Ok(ConfigChanges { file, applied: false, changes: Vec::new(), restart: ports });
            }
            Err(ports) => return Err(needs_restart(&file, &ports)),
        };
        let next = same_ports;
        let Difference { steps, restart } = running.difference(&next, |port| self.queues.of_port(port));
        if !restart.is_empty() && !dry_run {
            return Err(needs_restart(&file, &restart));
        }
        let steps = self.with_missing(steps, &running, &next);
        self.refuse_steps(&steps, &running)?;
        if !dry_run {
            self.ask_devices(&steps)?;
            self.take_steps(&steps, &next, now);
        }
        let changes: Vec<_> = steps.iter().flat_map(|step| step.shown(&running, &next)).collect();
        if !dry_run {
            if !changes.is_empty() {
                let count = changes.len();
                tracing::info!("running by {file}: {count} change{}", if count == 1 { "" } else { "s" });
            }
            next.remarks().for_each(|remark| tracing::warn!("{remark}"));
            self.config = Some(Arc::new(next));
        }
        Ok(ConfigChanges { file, applied: !dry_run, changes, restart })
    }

    /// Everything that can be in the way, but for devices.
    fn refuse_steps(&self, steps: &[Step], running: &Config) -> Result<(), ApiError> {
        let leaving = self.leaving(steps);
        for step in steps {
            match step {
                Step::Address { port, own, is_new: true } if !self.has_address(*port, *own) => {
                    self.refuse_new_address(*port, *own, steps, &leaving)?;
                }
                Step::Mtu { port, after, .. } => self.refuse_mtu_beside_others(*port, *after, &leaving)?,
                Step::Neighbour { port, address, before, after: Some(mac) } => {
                    self.refuse_neighbour((*address, *port), *before, *mac, running)?;
                }
                Step::Routes { fib, to, after, .. } if !after.is_empty() => {
                    self.refuse_network(*to, running)?;
                    self.refuse_routes(*fib, after, running, &leaving)?;
                }
                Step::Routes { .. }
                | Step::Neighbour { after: None, .. }
                | Step::Address { .. }
                | Step::Port(_)
                | Step::Forwarding
                | Step::Queues
                | Step::Icmp
                | Step::SourceRoutes
                | Step::CountPackets => {}
            }
        }
        Ok(())
    }

    /// What is in the way of an address; a port that gets another MTU is large enough, as the file was checked.
    fn refuse_new_address(
        &self,
        port: PortId,
        own: InterfaceAddress,
        steps: &[Step],
        leaving: &Leaving,
    ) -> Result<(), ApiError> {
        if !steps.iter().any(|step| matches!(step, Step::Mtu { port: resized, .. } if *resized == port)) {
            self.refuse_small_mtu(port, own)?;
        }
        self.refuse_address(port, own, leaving)
    }

    /// Neighbours that somebody has set are not the file's to change, and ports are none.
    fn refuse_neighbour(
        &self,
        (address, port): (IpAddr, PortId),
        before: Option<MacAddr>,
        mac: MacAddr,
        running: &Config,
    ) -> Result<(), ApiError> {
        let name = &self.ports.port(port).name;
        if let Some((owner, _)) = self.asked_for(running).find(|(_, own)| own.address() == address) {
            let owner = &self.ports.port(owner).name;
            let message = format!("the neighbour {address} on `{name}` has an address of port `{owner}`");
            return Err(ApiError::new(ErrorKind::Exists, message)
                .with_hint(format!("take it away first: `address del {address} dev {owner}`")));
        }
        let there = self.neighbours.station((address, port)).filter(|_| self.neighbours.is_permanent((address, port)));
        if let Some(there) = there.filter(|there| *there != mac && Some(*there) != before) {
            let message = format!("somebody has said that the neighbour {address} on `{name}` is {there}, not {mac}");
            return Err(ApiError::new(ErrorKind::Exists, message)
                .with_hint(format!("write that into the file, or `neigh del {address} dev {name}` first")));
        }
        Ok(())
    }

    /// What follows from an address that somebody has asked for has its route already.
    fn refuse_network(&self, to: Network, running: &Config) -> Result<(), ApiError> {
        let is_there = |own: &InterfaceAddress| own.network() == to || Network::host(own.address()) == to;
        let Some((owner, own)) = self.asked_for(running).find(|(_, own)| is_there(own)) else { return Ok(()) };
        let owner = &self.ports.port(owner).name;
        let message = format!("the route to {to} follows from the address {own} of port `{owner}` already");
        Err(ApiError::new(ErrorKind::Exists, message)
            .with_hint(format!("take it away first: `address del {own} dev {owner}`")))
    }

    /// Routes that somebody has asked for are not the file's to change.
    fn refuse_routes(
        &self,
        fib: u16,
        wanted: &[config::Route],
        running: &Config,
        leaving: &Leaving,
    ) -> Result<(), ApiError> {
        for route in wanted {
            let leads = Way::from(route.target);
            if let Way::Gateway(_, gateway) = leads
                && self.asked_for(running).any(|(_, own)| own.address() == gateway)
            {
                let message = format!("the gateway {gateway} of the route to {} is an own address", route.to);
                return Err(ApiError::new(ErrorKind::UnreachableGateway, message)
                    .with_hint("name the router at the other end of the link, or take the address away first"));
            }
            let there = self.routes.all(fib, route.to).into_iter();
            let mut others = there.filter(|entry| entry.protocol() == Protocol::Static);
            let is_in_the_way = |entry: &&Arc<RouteEntry>| {
                !leaving.has(entry)
                    && !is_learnt(entry)
                    && wanted.iter().all(|route| Way::from(route.target) != entry.facts().leads)
                    && entry.priority() == Protocol::Static.priority()
            };
            if others.any(|entry| is_in_the_way(&entry)) {
                let message = format!("somebody has asked for another route to {} while ferryd runs", route.to);
                return Err(ApiError::new(ErrorKind::Exists, message)
                    .with_hint("write that route into the file, or delete it first: see `route show`"));
            }
        }
        Ok(())
    }

    /// RFC 8200 section 5, of addresses that the file does not know.
    fn refuse_mtu_beside_others(&self, port: PortId, mtu: Mtu, leaving: &Leaving) -> Result<(), ApiError> {
        let info = self.ports.port(port);
        let stays = |own: &&InterfaceAddress| !leaving.addresses.contains(&(port, **own));
        let has_ipv6 = info.addresses.iter().filter(stays).any(|own| own.family() == Family::Ipv6);
        if has_ipv6 && mtu.bytes() < packet::ipv6::MIN_MTU {
            let message = format!("an MTU of {mtu} is too small for IPv6, which port `{}` speaks", info.name);
            return Err(ApiError::new(ErrorKind::Invalid, message).with_hint("take its IPv6 addresses away first"));
        }
        Ok(())
    }

    /// Addresses that ports have and the file does not know: somebody has asked for them.
    fn asked_for<'c>(&'c self, running: &'c Config) -> impl Iterator<Item = (PortId, InterfaceAddress)> + 'c {
        let of_port = move |(port, info): (PortId, &'c crate::ports::PortInfo)| {
            let own = info.addresses.iter().filter(move |own| !running.port(port).addresses.contains(own));
            own.map(move |own| (port, *own))
        };
        self.ports.iter().flat_map(of_port)
    }

    /// All that goes, as it is.
    fn leaving(&self, steps: &[Step]) -> Leaving {
        let mut leaving = Leaving::default();
        for step in steps {
            match step {
                Step::Routes { fib, before, after, .. } => {
                    let gone = self.gone(*fib, before, after);
                    leaving.routes.extend(gone.into_iter().map(|entry| entry.id()));
                }
                Step::Neighbour { port, address, after: None, .. } => leaving.neighbours.push((*address, *port)),
                Step::Address { port, own, is_new: false } => leaving.addresses.push((*port, *own)),
                Step::Neighbour { .. }
                | Step::Address { .. }
                | Step::Mtu { .. }
                | Step::Port(_)
                | Step::Forwarding
                | Step::Queues
                | Step::Icmp
                | Step::SourceRoutes
                | Step::CountPackets => {}
            }
        }
        leaving
    }

    /// The routes that the file said and says no more, if they lead to where it said.
    fn gone(&self, fib: u16, before: &[config::Route], after: &[config::Route]) -> Vec<Arc<RouteEntry>> {
        let mut gone = Vec::new();
        for route in before.iter().filter(|route| after.iter().all(|other| other.target != route.target)) {
            gone.extend(self.said(fib, route));
        }
        gone
    }

    /// The route that the file means, if it is there.
    fn said(&self, fib: u16, route: &config::Route) -> Option<Arc<RouteEntry>> {
        let leads = Way::from(route.target);
        let is_it = |entry: &&Arc<RouteEntry>| {
            entry.protocol() == Protocol::Static && !is_learnt(entry) && entry.facts().leads == leads
        };
        self.routes.all(fib, route.to).into_iter().find(is_it).cloned()
    }

    /// What devices and the kernel may refuse; whatever they have taken until one of them does, they take back.
    ///
    /// MTUs come first: the kernel gives no IPv6 address to an interface that is too small for IPv6.
    fn ask_devices(&mut self, steps: &[Step]) -> Result<(), ApiError> {
        let (mut steps, others): (Vec<_>, Vec<_>) = steps.iter().partition(|step| matches!(step, Step::Mtu { .. }));
        steps.extend(others);
        for (place, step) in steps.iter().enumerate() {
            let Err(refused) = self.ask_device(step, false) else { continue };
            for taken in steps[..place].iter().rev() {
                if let Err(error) = self.ask_device(taken, true) {
                    tracing::error!("a device does not go back to how it was: {error}");
                }
            }
            return Err(refused);
        }
        Ok(())
    }

    fn ask_device(&mut self, step: &Step, back: bool) -> Result<(), ApiError> {
        match *step {
            Step::Mtu { port, after, .. } => {
                // What the file said may be another than what somebody has set since.
                let running = self.ports.port(port).state.mtu;
                let mtu = if back { running } else { after };
                self.hardware.set_mtu(port, mtu).map_err(|reason| {
                    let name = &self.ports.port(port).name;
                    ApiError::new(ErrorKind::RestartNeeded, format!("port `{name}` keeps its MTU: {reason}"))
                        .with_hint("start ferryd anew for that")
                })?;
                // One that is to carry less does so when the addresses that ask for more are gone.
                if after > running {
                    self.set_tap_mtu(port, mtu);
                }
                Ok(())
            }
            Step::Address { port, own, is_new } if self.has_address(port, own) != is_new => {
                self.tell_kernel(port, own, is_new != back)
            }
            Step::Address { .. }
            | Step::Routes { .. }
            | Step::Neighbour { .. }
            | Step::Port(_)
            | Step::Forwarding
            | Step::Queues
            | Step::Icmp
            | Step::SourceRoutes
            | Step::CountPackets => Ok(()),
        }
    }

    fn take_steps(&mut self, steps: &[Step], next: &Config, now: Timestamp) {
        steps.iter().for_each(|step| self.let_go(step));
        steps.iter().rev().for_each(|step| self.put_there(step, next, now));
        if self.addresses_in_all {
            // A route may have made its table.
            self.add_port_routes();
        }
    }

    /// What goes with a step.
    fn let_go(&mut self, step: &Step) {
        match step {
            Step::Routes { fib, before, after, .. } => {
                for entry in self.gone(*fib, before, after) {
                    self.routes.remove_entry(&entry);
                }
            }
            Step::Neighbour { port, address, before: Some(mac), after: None } => {
                let key = (*address, *port);
                if self.neighbours.is_permanent(key) && self.neighbours.station(key) == Some(*mac) {
                    self.forget_neighbour(key);
                }
            }
            Step::Address { port, own, is_new: false } => {
                if self.has_address(*port, *own) {
                    self.take_address(*port, *own);
                }
            }
            Step::Neighbour { .. }
            | Step::Address { .. }
            | Step::Mtu { .. }
            | Step::Port(_)
            | Step::Forwarding
            | Step::Queues
            | Step::Icmp
            | Step::SourceRoutes
            | Step::CountPackets => {}
        }
    }

    /// What comes with a step.
    fn put_there(&mut self, step: &Step, next: &Config, now: Timestamp) {
        match step {
            Step::Routes { fib, to, after, .. } => {
                // What was made by itself makes room for what is really wanted.
                let learnt = self.routes.all(*fib, *to).into_iter().filter(|entry| is_learnt(entry));
                let learnt: Vec<_> = learnt.take_while(|_| !after.is_empty()).cloned().collect();
                for entry in learnt {
                    self.routes.remove_entry(&entry);
                }
                after.iter().for_each(|route| self.put_configured(*route));
            }
            Step::Neighbour { port, address, after: Some(mac), .. } => self.set_permanent(*port, *address, *mac),
            Step::Address { port, own, is_new: true } => {
                if !self.has_address(*port, *own) {
                    self.put_address(*port, *own, now);
                }
            }
            Step::Mtu { port, after, .. } => self.set_port_mtu(*port, *after),
            Step::Port(port) => self.set_port_keys(*port, next.port(*port)),
            Step::Forwarding => {
                let multipath = self.divided_as(next);
                self.routes.set_forwarding(next.filters().iter().cloned(), multipath);
            }
            Step::Queues => self.set_queues(next),
            Step::Icmp => self.limits = Limits::new(*next.icmp()),
            Step::SourceRoutes => self.source_routes = next.source_routes(),
            Step::CountPackets => self.count_as(next),
            Step::Neighbour { after: None, .. } | Step::Address { is_new: false, .. } => {}
        }
    }

    fn has_address(&self, port: PortId, own: InterfaceAddress) -> bool {
        self.ports.port(port).addresses.contains(&own)
    }

    /// A route of the file is there, and as it says.
    fn put_configured(&mut self, route: config::Route) {
        let Some(entry) = self.said(route.fib, &route) else { return self.add_configured(route) };
        let mut facts = entry.facts();
        let before = (facts.metrics.weight, facts.is_counted);
        facts.metrics.weight = route.weight;
        facts.is_counted = route.count.unwrap_or(self.routes.are_counted);
        if before != (facts.metrics.weight, facts.is_counted) {
            self.say_facts(&entry, facts);
        }
    }

    fn set_port_keys(&mut self, port: PortId, said: &config::Port) {
        self.routes.set_policy(port, said.policy);
        self.neighbours.set_settings(port, said.link.neighbours.clone());
        self.presence.set_settings(port, said.link.clone());
        if self.ports.port(port).directed_broadcast == said.directed_broadcast {
            return;
        }
        let own = self.ports.port(port).addresses.clone();
        if !said.directed_broadcast {
            for broadcast in own.iter().filter_map(|own| own.broadcast()) {
                self.forget_neighbour((broadcast.into(), port));
            }
        }
        self.ports.set_directed_broadcast(port, said.directed_broadcast);
        for own in own {
            self.renew_routes_of(port, own);
            self.set_broadcast(port, own, true);
        }
    }

    /// Who has no seed in the file keeps the one he made up.
    fn divided_as(&self, next: &Config) -> Multipath {
        let there = self.routes.multipath;
        let flows = next.routing().multipath(there.flows.seed).flows;
        match next.routing().seed {
            Some(seed) if seed != there.flows.seed => next.routing().multipath(seed),
            Some(_) | None => Multipath { flows, ..there },
        }
    }

    fn set_queues(&mut self, next: &Config) {
        let Some(map) = next.queue_map() else { return };
        let places = (0..)
            .map(PortId)
            .zip(map)
            .flat_map(|(port, workers)| (0..).zip(workers).map(move |(queue, worker)| (port, queue, *worker)));
        let place = |(port, queue, worker): (PortId, u16, usize)| {
            let queue = PortQueue { port: next.port(port).name.clone(), queue };
            Some(QueuePlace { queue, core: self.workers.get(worker)?.core, moving: false })
        };
        let places: Vec<_> = places.filter_map(place).collect();
        if let Err(refused) = self.set_queue_map(&places) {
            tracing::error!("a defect: the queues of a configuration that was checked are refused: {refused}");
        }
    }

    /// Routes that say nothing of it themselves are counted, or not, as all are.
    fn count_as(&mut self, next: &Config) {
        self.routes.are_counted = next.routing().count_packets;
        let follows = |entry: &&Arc<RouteEntry>| entry.protocol() != Protocol::Static;
        let mut silent: Vec<_> = self.routes.every().filter(follows).cloned().collect();
        let of_file = next.routes().iter().filter(|route| route.count.is_none());
        silent.extend(of_file.filter_map(|route| self.said(route.fib, route)));
        for entry in silent {
            let mut facts = entry.facts();
            if facts.is_counted != self.routes.are_counted {
                facts.is_counted = self.routes.are_counted;
                self.say_facts(&entry, facts);
            }
        }
    }
}

fn needs_restart(file: &str, changes: &[ConfigChange]) -> ApiError {
    let said = |side: &Option<String>| side.clone().unwrap_or_else(|| "nothing".to_owned());
    let one = |change: &ConfigChange| format!("{} from {} to {}", change.what, said(&change.old), said(&change.new));
    let all: Vec<_> = changes.iter().map(one).collect();
    let message = format!("`{file}` changes what only a restart can: {}", all.join("; "));
    ApiError::new(ErrorKind::RestartNeeded, message)
        .with_hint("start ferryd anew, or take that back; nothing has changed")
}
