//! Requests that change routes: each is checked to its end before anything changes.
//!
//! A route is asked for in the words of `ip(8)`, a network and where it leads, or in those of `route(4)`, with flags and
//! metrics ([`RouteMessage`]). Both end in the same table. What follows from a port's address has its route already, so
//! nobody can add another to the same network, neither here nor in the configuration.

mod message;
mod ways;

use std::net::IpAddr;
use std::sync::Arc;

use boundary::Group;
use control_api::{
    ApiError, Batch, ErrorKind, Family, Network, Refused, Route, RouteFilter, RouteFlags, RouteMessage, RouteMetrics,
    Target, Verb,
};

pub(crate) use self::message::destination;
use self::message::priority_in;
use crate::config;
use crate::control::Control;
use crate::rib::{Protocol, Way};
use crate::route::{Facts, Held, RouteEntry};
use crate::routes::MAIN;

impl Control {
    /// Adds a static route where there is none.
    pub(crate) fn add_route(&mut self, network: Network, target: &Target) -> Result<(), ApiError> {
        let leads = self.forwarded_way_of(network, target)?;
        let newcomer = Newcomer { leads, given: RouteFlags::empty(), priority: RouteMessage::STATIC_PRIORITY };
        let place = self.place_for(MAIN, network, newcomer)?;
        self.refuse_bad_gateway(MAIN, network, leads)?;
        let mut facts = self.facts_of(network, leads);
        self.inherit_mtu(MAIN, &mut facts);
        self.put(MAIN, network, facts, place);
        Ok(())
    }

    /// Adds a static route, or puts it in place of those there are.
    pub(crate) fn replace_route(&mut self, network: Network, target: &Target) -> Result<(), ApiError> {
        let leads = self.forwarded_way_of(network, target)?;
        if self.routes.get(MAIN, network, Protocol::Static).is_none_or(|entry| is_pinned(entry)) {
            let newcomer = Newcomer { leads, given: RouteFlags::empty(), priority: RouteMessage::STATIC_PRIORITY };
            self.place_for(MAIN, network, newcomer)?;
        }
        self.refuse_bad_gateway(MAIN, network, leads)?;
        self.set_static(network, leads);
        Ok(())
    }

    /// Removes a static route.
    pub(crate) fn delete_route(&mut self, network: Network) -> Result<(), ApiError> {
        let entry = self.changeable(&Asked::for_any(MAIN, network))?;
        self.routes.remove_entry(&entry);
        Ok(())
    }

    /// Removes the static routes that a filter selects, but pinned ones; returns how many.
    pub(crate) fn flush_routes(&mut self, filter: &RouteFilter) -> Result<usize, ApiError> {
        let only = filter.dev.as_deref().map(|name| self.ports.named(name)).transpose()?;
        self.existing_fib(filter.fib)?;
        // By what it says itself: to show a route as a person sees it takes longer than to delete it.
        let is_chosen = |entry: &&Arc<RouteEntry>| {
            !entry.is_pinned()
                && entry.protocol() == Protocol::Static
                && filter.family.is_none_or(|family| entry.prefix().family() == family)
                && only.is_none_or(|only| entry.port() == Some(only))
                && filter.to.selects(entry.prefix())
        };
        let chosen: Vec<_> = self.routes.iter(filter.fib).filter(is_chosen).cloned().collect();
        chosen.iter().for_each(|entry| {
            self.routes.remove_entry(entry);
        });
        Ok(chosen.len())
    }

    /// Does what messages say, one after the other; those that are refused leave the others.
    pub(crate) fn route_batch(&mut self, changes: &[RouteMessage]) -> Batch {
        let mut batch = Batch::default();
        for (place, change) in changes.iter().enumerate() {
            match self.do_to_entry(change) {
                Ok(_entry) => batch.done += 1,
                Err(error) => batch.refused.push(Refused { place, error }),
            }
        }
        batch
    }

    /// Does what a message says of one route; answers with the route as it is then, or as it was.
    pub(crate) fn route_message(&mut self, message: &RouteMessage) -> Result<Route, ApiError> {
        let entry = self.do_to_entry(message)?;
        Ok(self.answered_route(&entry))
    }

    fn do_to_entry(&mut self, message: &RouteMessage) -> Result<Arc<RouteEntry>, ApiError> {
        match message.verb {
            Verb::Get => self.permitted_fib(message.fib)?,
            Verb::Add | Verb::Delete | Verb::Change | Verb::Lock => self.existing_fib(message.fib)?,
        }
        match message.verb {
            Verb::Add => self.add_entry(message),
            Verb::Delete => self.delete_entry(message),
            Verb::Change => self.change_entry(message),
            Verb::Get => self.entry_asked_for(message),
            Verb::Lock => self.lock_entry(message),
        }
    }

    fn add_entry(&mut self, message: &RouteMessage) -> Result<Arc<RouteEntry>, ApiError> {
        let network = destination(message)?;
        let given = message.flags.unwrap_or(RouteFlags::STATIC);
        if given.contains(RouteFlags::GATEWAY) && !matches!(message.target, Some(Target::Via { .. })) {
            return Err(ApiError::new(ErrorKind::Invalid, format!("the route to {network} has no gateway to go to")));
        }
        let Some(target) = &message.target else {
            return Err(ApiError::new(ErrorKind::Invalid, format!("the route to {network} leads nowhere"))
                .with_hint("give it a gateway or a port, or make it a blackhole"));
        };
        let leads = self.way_of(network, target)?;
        let priority = priority_in(message)?.unwrap_or(RouteMessage::STATIC_PRIORITY);
        let place = self.place_for(message.fib, network, Newcomer { leads, given, priority })?;
        self.refuse_bad_gateway(message.fib, network, leads)?;
        let mut facts = Facts { priority, ..self.facts_of(network, leads) };
        facts.flags.remove(RouteFlags::STATIC);
        facts.flags |= given & RouteFlags::SETTABLE;
        if facts.flags.contains(RouteFlags::HOST) {
            // A host is no template for others.
            facts.flags.remove(RouteFlags::CLONING);
        }
        facts.is_counted = message.count.unwrap_or(facts.is_counted);
        self.say_metrics(&mut facts, message);
        Ok(self.put(message.fib, network, facts, place))
    }

    fn delete_entry(&mut self, message: &RouteMessage) -> Result<Arc<RouteEntry>, ApiError> {
        let network = destination(message)?;
        let asked = self.asked(network, message)?;
        let entry = self.changeable(&asked)?;
        if asked.leads.is_some_and(|leads| leads != entry.facts().leads) {
            return Err(ApiError::new(ErrorKind::NotFound, format!("the route to {network} leads elsewhere")));
        }
        self.routes.remove_entry(&entry);
        Ok(entry)
    }

    fn change_entry(&mut self, message: &RouteMessage) -> Result<Arc<RouteEntry>, ApiError> {
        let network = destination(message)?;
        let asked = self.asked(network, message)?;
        let entry = self.changeable(&asked)?;
        let _held = held(&entry)?;
        let mut facts = self.routes.unmarked(&entry);
        if let Some(leads) = asked.leads {
            self.refuse_bad_gateway(message.fib, network, leads)?;
            facts.flags -= facts.leads.flags();
            facts.flags |= leads.flags();
            facts.leads = leads;
            facts.ifa = self.speaks_by(network, leads);
        }
        if let Some(given) = message.flags {
            facts.flags = (facts.flags - RouteFlags::CHANGEABLE) | (given & RouteFlags::CHANGEABLE);
        }
        if matches!(facts.leads, Way::Blackhole | Way::Unreachable | Way::Prohibited)
            && !facts.flags.intersects(RouteFlags::BLACKHOLE | RouteFlags::REJECT)
        {
            if message.target.is_none() {
                return Err(ApiError::new(ErrorKind::Invalid, format!("the route to {network} would lead nowhere"))
                    .with_hint("give it a gateway or a port as well"));
            }
            facts.flags |= facts.leads.flags();
        }
        facts.is_counted = message.count.unwrap_or(facts.is_counted);
        self.say_metrics(&mut facts, message);
        self.say_facts(&entry, facts);
        Ok(entry)
    }

    fn lock_entry(&mut self, message: &RouteMessage) -> Result<Arc<RouteEntry>, ApiError> {
        let network = destination(message)?;
        let entry = self.changeable(&self.asked(network, message)?)?;
        let _held = held(&entry)?;
        let mut facts = entry.facts();
        facts.metrics.lock(message.inits, message.metrics.locks);
        self.routes.lock(&entry, facts);
        Ok(entry)
    }

    /// The route to exactly a network, or without a mask the one that a packet to the address takes.
    fn entry_asked_for(&self, message: &RouteMessage) -> Result<Arc<RouteEntry>, ApiError> {
        if message.netmask.is_none() {
            let found = self.routes.towards(message.fib, message.dst).cloned();
            let found = found.ok_or_else(|| self.nothing_leads_to(message.fib, message.dst))?;
            self.routes.events.got(&found);
            return Ok(found);
        }
        let network = destination(message)?;
        let asked = self.asked(network, message)?;
        // Whoever does not say which of several is told of the one that counts.
        let found = self.routes.all(message.fib, network).into_iter().find(|entry| asked.means(entry));
        let found = found.cloned();
        let found = found.ok_or_else(|| ApiError::new(ErrorKind::NotFound, format!("no route leads to {network}")))?;
        self.routes.events.got(&found);
        Ok(found)
    }

    /// What to say to who asks for the way to an address that no route leads to.
    pub(crate) fn nothing_leads_to(&self, fib: u16, address: IpAddr) -> ApiError {
        let refused = |message| ApiError::new(ErrorKind::NotFound, message);
        match self.routes.down_towards(fib, address) {
            None if !self.routes.has_table(fib) => {
                refused(format!("no route leads to {address}: there is no table {fib}"))
            }
            None => refused(format!("no route leads to {address}")),
            Some((entry, port)) => {
                refused(format!("no route leads to {address} while the one to {} is not up", entry.prefix()))
                    .with_hint(format!("see to the link of port `{}`", self.ports.port(port).name))
            }
        }
    }

    /// Adds a route of the configuration; one to the same network as another shares with it.
    pub(crate) fn add_configured(&mut self, config::Route { to, target, weight, fib, count }: config::Route) {
        let mut facts = self.facts_of(to, target.into());
        facts.is_counted = count.unwrap_or(facts.is_counted);
        facts.metrics.weight = weight;
        self.inherit_mtu(fib, &mut facts);
        self.put(fib, to, facts, Place::Beside);
    }

    pub(crate) fn set_static(&mut self, network: Network, leads: Way) {
        let mut facts = self.facts_of(network, leads);
        self.inherit_mtu(MAIN, &mut facts);
        self.put(MAIN, network, facts, Place::Alone);
    }

    pub(crate) fn set_facts(&mut self, fib: u16, network: Network, facts: Facts) -> Arc<RouteEntry> {
        self.put(fib, network, facts, Place::Alone)
    }

    fn put(&mut self, fib: u16, network: Network, facts: Facts, place: Place) -> Arc<RouteEntry> {
        let entry = match place {
            Place::Alone => self.routes.set(fib, network, Protocol::Static, facts),
            Place::Beside => self.routes.add(fib, network, Protocol::Static, facts),
        };
        self.assume_gateway(facts.leads);
        entry
    }

    /// A route that is there says something else from now on.
    pub(crate) fn say_facts(&mut self, entry: &Arc<RouteEntry>, facts: Facts) {
        self.routes.change(entry, facts);
        self.assume_gateway(facts.leads);
    }

    pub(crate) fn assume_gateway(&mut self, leads: Way) {
        if let Way::Gateway(port, gateway) = leads
            && self.assume_neighbours
            && self.neighbours.has_room_for((gateway, port))
        {
            self.assume(port, gateway);
        }
    }

    /// What a static route says of itself unless a person says more.
    pub(crate) fn facts_of(&self, network: Network, leads: Way) -> Facts {
        let mut facts = Facts::of(leads, network, Protocol::Static);
        facts.ifa = self.speaks_by(network, leads);
        facts.metrics.mtu = self.mtu_of(leads).unwrap_or(0);
        facts.is_counted = self.routes.are_counted;
        facts
    }

    fn say_metrics(&self, facts: &mut Facts, message: &RouteMessage) {
        let given = RouteMetrics { expire: self.wall.ahead().deadline(message.metrics.expire), ..message.metrics };
        facts.set_metrics(message.inits, &given, self.mtu_of(facts.leads));
        facts.metrics.lock(message.inits, message.metrics.locks);
        self.inherit_mtu(message.fib, facts);
    }

    pub(crate) fn mtu_of(&self, leads: Way) -> Option<u32> {
        leads.port().map(|port| self.ports.port(port).state.mtu.bytes().into())
    }

    /// The address of ours that packets by a route are sent from.
    pub(crate) fn speaks_by(&self, network: Network, leads: Way) -> Option<IpAddr> {
        match leads {
            Way::Gateway(port, gateway) if Family::of(gateway) == network.family() => {
                self.ports.speaks_to(gateway, port)
            }
            Way::Gateway(port, _) | Way::Link(port) | Way::Station(port, ..) => {
                self.ports.speaks_to(network.address(), port)
            }
            Way::Local | Way::Anycast | Way::Broadcast | Way::Blackhole | Way::Unreachable | Way::Prohibited => None,
        }
    }

    /// Refuses a table there cannot be. One that could be and is not has nothing to be found in it.
    pub(crate) fn permitted_fib(&self, fib: u16) -> Result<(), ApiError> {
        let fibs = self.routes.fibs();
        if fibs.has(fib) {
            return Ok(());
        }
        Err(ApiError::new(ErrorKind::Invalid, format!("there is no table {fib}"))
            .with_hint(format!("name one from 0 to {}", fibs.count() - 1)))
    }

    /// Refuses a table that is not there to be changed.
    pub(crate) fn existing_fib(&self, fib: u16) -> Result<(), ApiError> {
        self.permitted_fib(fib)?;
        if self.routes.has_table(fib) {
            return Ok(());
        }
        Err(ApiError::new(ErrorKind::NoSuchTable, format!("there is no table {fib}")).with_hint(
            "make it in the configuration: `fib` of a [[port]] or a [[route]] names one, `fibs` in [routing] makes so many",
        ))
    }

    /// Where a new static route belongs among those to its network.
    ///
    /// Routes of different priority stand in for each other; of the same priority there may be several if the newcomer
    /// is meant to share, each to another place. One that is pinned takes the place of those that are not.
    fn place_for(&self, fib: u16, network: Network, newcomer: Newcomer) -> Result<Place, ApiError> {
        let refused = |message: String, hint| Err(ApiError::new(ErrorKind::Exists, message).with_hint(hint));
        let Newcomer { leads, given, priority } = newcomer;
        let there = self.but_daemon_s(fib, network);
        if there.is_empty() {
            return Ok(Place::Alone);
        }
        if there.iter().any(|entry| entry.protocol() != Protocol::Static) {
            return refused(
                format!("the route to {network} follows from a port's address already"),
                "leave it, or take the address away: `address del`",
            );
        }
        if there.iter().any(|entry| is_pinned(entry)) {
            return refused(format!("there is a route to {network}"), "use `route replace` to change it");
        }
        // A clone makes room for what is really wanted.
        let is_cloned = there.iter().all(|entry| entry.flags().contains(RouteFlags::WASCLONED));
        if is_cloned || given.contains(RouteFlags::PINNED) {
            return Ok(Place::Alone);
        }
        let mut equal = there.iter().filter(|entry| entry.priority() == priority).peekable();
        if equal.peek().is_some() && !given.contains(RouteFlags::MPATH) {
            return refused(
                format!("there is a route to {network}"),
                "use `route replace` to change it, or say `mpath` to share with it",
            );
        }
        if equal.any(|entry| entry.facts().leads == leads) {
            return refused(
                format!("there is a route to {network} that leads there"),
                "use `route change` to change it",
            );
        }
        if there.len() >= Group::MOST {
            return Err(ApiError::new(
                ErrorKind::TooMany,
                format!("there are {} routes to {network} already, which is as many as can be", there.len()),
            )
            .with_hint("delete one of them first"));
        }
        Ok(Place::Beside)
    }

    /// The routes to a network that no daemon knows, in the order in which they count.
    fn but_daemon_s(&self, fib: u16, network: Network) -> Vec<&Arc<RouteEntry>> {
        let mut there = self.routes.all(fib, network);
        there.retain(|entry| entry.protocol() != Protocol::Daemon);
        there
    }

    /// What a message says about which route to its network it means.
    fn asked(&self, network: Network, message: &RouteMessage) -> Result<Asked, ApiError> {
        let leads = message.target.as_ref().map(|target| self.way_of(network, target)).transpose()?;
        let given = message.flags.unwrap_or_default();
        Ok(Asked { fib: message.fib, network, leads, priority: priority_in(message)?, given })
    }

    /// The route that is asked for, if somebody who gives these flags may change or delete it. Of several to one network
    /// it has to be said which one is meant; one that is alone is meant whatever is said of where it leads.
    fn changeable(&self, asked: &Asked) -> Result<Arc<RouteEntry>, ApiError> {
        let network = asked.network;
        let refused = |message: String| ApiError::new(ErrorKind::NotAllowed, message);
        let there = self.but_daemon_s(asked.fib, network);
        let meant: Vec<_> = there.iter().filter(|entry| asked.means(entry)).collect();
        let entry = match (&there[..], &meant[..]) {
            ([only], _) if asked.priority.is_none_or(|priority| priority == only.priority()) => *only,
            (_, [one]) => one,
            ([], _) if self.routes.get(asked.fib, network, Protocol::Daemon).is_some() => {
                return Err(is_daemon_s(network));
            }
            ([], _) => {
                return Err(ApiError::new(ErrorKind::NotFound, format!("there is no route to {network}"))
                    .with_hint("see `route show` for those there are"));
            }
            (_, []) => {
                return Err(ApiError::new(ErrorKind::NotFound, format!("none of the routes to {network} is that one"))
                    .with_hint("see `route show` for those there are"));
            }
            (_, [_, ..]) => {
                return Err(ApiError::new(ErrorKind::NotFound, format!("there are several routes to {network}"))
                    .with_hint("say which: `via GATEWAY`, or `priority N`"));
            }
        };
        let is_ours = entry.flags().intersects(RouteFlags::LOCAL | RouteFlags::BROADCAST);
        match entry.protocol() {
            Protocol::Local | Protocol::Connected if is_ours || !asked.given.contains(RouteFlags::PINNED) => {
                Err(refused(format!("the route to {network} follows from a port's address and cannot be removed"))
                    .with_hint("take the address away: `address del`, or in the configuration and `config reload`"))
            }
            Protocol::Static if is_pinned(entry) && !asked.given.contains(RouteFlags::PINNED) => {
                Err(refused(format!("the route to {network} is pinned"))
                    .with_hint("say `pinned` to change or delete it all the same"))
            }
            Protocol::Daemon => Err(is_daemon_s(network)),
            Protocol::Local | Protocol::Connected | Protocol::Static => Ok(Arc::clone(entry)),
        }
    }
}

/// A route that is to be added.
#[derive(Debug, Clone, Copy)]
struct Newcomer {
    leads: Way,
    given: RouteFlags,
    priority: u8,
}

/// Where it belongs among the static routes to its network.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// There is none, or it takes the place of all.
    Alone,
    /// It is one more.
    Beside,
}

/// Which route somebody means.
#[derive(Debug, Clone, Copy)]
struct Asked {
    fib: u16,
    network: Network,
    /// Where it leads, if that is said.
    leads: Option<Way>,
    priority: Option<u8>,
    /// Flags that say what may be done with it.
    given: RouteFlags,
}

impl Asked {
    /// Whichever there is.
    const fn for_any(fib: u16, network: Network) -> Self {
        Self { fib, network, leads: None, priority: None, given: RouteFlags::empty() }
    }

    fn means(&self, entry: &RouteEntry) -> bool {
        self.leads.is_none_or(|leads| entry.facts().leads == leads)
            && self.priority.is_none_or(|priority| entry.priority() == priority)
    }
}

/// The lock of a route that is to be changed: nobody waits here for who has it.
pub(crate) fn held(entry: &Arc<RouteEntry>) -> Result<Held, ApiError> {
    Held::at_once(entry).ok_or_else(|| {
        let message = format!("the route to {} is locked by somebody who changes it", entry.prefix());
        ApiError::new(ErrorKind::Busy, message).with_hint("ask again")
    })
}

/// What a routing daemon knows is for it to change.
pub(crate) fn is_daemon_s(network: Network) -> ApiError {
    let message = format!("the route to {network} is the routing daemon's, which would tell it again");
    ApiError::new(ErrorKind::NotAllowed, message)
        .with_hint("change it there; a static route of a lower `priority` comes before it")
}

/// Whether only somebody who says so may change it.
fn is_pinned(entry: &RouteEntry) -> bool {
    entry.flags().contains(RouteFlags::PINNED)
}
