//! Telling whoever wants to know what happens to routes, addresses and links: the routing socket's other half.
//!
//! ```text
//!   Routes, Control -- emit --> Events --+--> queue of a subscriber --> his connection
//!     one writer                         +--> queue of another
//! ```
//!
//! Every change of a table is told where it is made ([`Routes`](crate::Routes)); what is no change, as a redirect or a link
//! that goes, by whoever notices it, with `Events::emit`. While nobody listens an event is not even built: one load of a
//! count is all it costs. When somebody does, it is built once and shared.
//!
//! A request for a route is told with its answer, done or refused, to whoever asked and to everybody else; but the answer
//! to a mere question only to him.
//!
//! Nobody is waited for. A queue that is full loses what comes next, and its subscriber is told how much before the next
//! event that he gets: he then asks for what he follows as a whole. So one who never reads costs the memory of
//! [`QUEUE_EVENTS`] events and no time.

mod queue;
mod subject;

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use boundary::PortId;
use control_api::{
    ErrorKind, EventCounts, EventKind, InterfaceAddress, Link, Network, Redirect, Request, RouteEvent, RouteFlags,
    RouteMetrics,
};

use crate::asker::Asker;
use crate::expiry::Ahead;
use crate::rib::Way;
use crate::route::RouteEntry;
use queue::Subscriber;
pub(crate) use subject::Subject;

pub use queue::{Heard, QUEUE_EVENTS, Queue, Subscription, queue};

/// A client, as long as it is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientId(pub u64);

/// Whose request something follows from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Cause {
    /// Who asked; nobody, if it happened by itself.
    client: Option<ClientId>,
    pid: u32,
    seq: u32,
}

impl Cause {
    pub(crate) const fn of(asker: &Asker) -> Self {
        Self { client: asker.client, pid: asker.pid, seq: asker.seq }
    }
}

/// Where events go.
#[derive(Debug, Default)]
pub(crate) struct Events {
    /// What ports are called.
    names: Vec<String>,
    /// What routes call their time to expire by, to be told by the wall clock.
    wall: Ahead,
    subscribers: Mutex<Vec<Subscriber>>,
    /// How many they are.
    listening: AtomicUsize,
    cause: Cause,
    built: AtomicU64,
    lost: AtomicU64,
}

impl Events {
    /// Nobody listens yet; `names` are the ports'.
    pub(crate) fn new(names: Vec<String>, wall: Ahead) -> Self {
        Self { names, wall, ..Self::default() }
    }

    /// From now on events go to this queue too: those of all tables and of `fib`, or of every table if none is named.
    ///
    /// What follows from requests of `client`, who reads from it, only with `loopback`.
    pub(crate) fn subscribe(&mut self, queue: Queue, fib: Option<u16>, client: Option<ClientId>, loopback: bool) {
        let subscribers = self.subscribers.get_mut().unwrap_or_else(PoisonError::into_inner);
        subscribers.push(Subscriber::new(queue, fib, client, loopback));
        *self.listening.get_mut() = subscribers.len();
    }

    /// What happens from now on follows from this request, or from none.
    pub(crate) fn follow_from(&mut self, cause: Cause) {
        self.cause = cause;
    }

    /// What a request for a route is about, in case it is refused; nothing while nobody would be told.
    pub(crate) fn about(&self, request: &Request) -> Option<Subject> {
        if self.are_followed() { Subject::of(request) } else { None }
    }

    /// Whether anybody listens.
    pub(crate) fn are_followed(&self) -> bool {
        // Relaxed: whoever begins to listen just now hears of what happens after, and this may have happened before.
        self.listening.load(Ordering::Relaxed) > 0
    }

    /// Tells everybody who wants to know; builds the event only if there is somebody.
    pub(crate) fn emit(&self, build: impl FnOnce(&Self) -> RouteEvent) {
        if self.are_followed() {
            self.deliver(build(self));
        }
    }

    /// What was told so far.
    pub(crate) fn counts(&self) -> EventCounts {
        // Relaxed: counters tell nothing but themselves.
        EventCounts {
            subscribers: self.listening.load(Ordering::Relaxed),
            built: self.built.load(Ordering::Relaxed),
            lost: self.lost.load(Ordering::Relaxed),
        }
    }

    #[cold]
    fn deliver(&self, event: RouteEvent) {
        self.built.fetch_add(1, Ordering::Relaxed);
        let event = Arc::new(RouteEvent { pid: self.cause.pid, seq: self.cause.seq, ..event });
        let mut subscribers = self.subscribers.lock().unwrap_or_else(PoisonError::into_inner);
        subscribers.retain_mut(|subscriber| match subscriber.tell(&event, self.cause.client) {
            Ok(lost) => {
                self.lost.fetch_add(lost, Ordering::Relaxed);
                true
            }
            Err(queue::Gone) => false,
        });
        self.listening.store(subscribers.len(), Ordering::Relaxed);
    }
}

/// Events of the kinds there are, each with what is known of it.
impl Events {
    /// A route was added. Of a clone that somebody outside is to resolve it is asked for instead, and nothing else told.
    pub(crate) fn added(&self, entry: &RouteEntry) {
        let asks_outside = RouteFlags::WASCLONED | RouteFlags::XRESOLVE;
        if entry.flags().contains(asks_outside) {
            self.resolve(entry.fib(), entry.key());
        } else {
            self.emit(|events| events.route(EventKind::Add, entry));
        }
    }

    /// A route was deleted, and is told as it was.
    pub(crate) fn deleted(&self, entry: &RouteEntry) {
        self.emit(|events| events.route(EventKind::Delete, entry));
    }

    /// A route was changed.
    pub(crate) fn changed(&self, entry: &RouteEntry) {
        self.emit(|events| events.route(EventKind::Change, entry));
    }

    /// A route was asked for, and is the answer.
    pub(crate) fn got(&self, entry: &RouteEntry) {
        self.emit(|events| events.route(EventKind::Get, entry));
    }

    /// Metrics of a route were locked or unlocked.
    pub(crate) fn locked(&self, entry: &RouteEntry) {
        self.emit(|events| events.route(EventKind::Lock, entry));
    }

    /// A request was refused.
    pub(crate) fn refused(&self, subject: Subject, kind: ErrorKind) {
        self.emit(|_events| RouteEvent { errno: kind.errno().map(Cow::Borrowed), ..subject.event() });
    }

    /// A lookup that was to be reported found nothing.
    pub(crate) fn missed(&self, fib: u16, dst: IpAddr) {
        self.emit(|_events| about(EventKind::Miss, fib, dst));
    }

    /// Somebody outside is to find what a destination leads to, and to say so with a change of its route.
    pub(crate) fn resolve(&self, fib: u16, dst: IpAddr) {
        self.emit(|_events| about(EventKind::Resolve, fib, dst));
    }

    /// A redirect was taken, or refused: told in any case, with who sent it.
    pub(crate) fn redirected(&self, said: &Redirect, flags: RouteFlags, errno: Option<&'static str>) {
        self.emit(|_events| RouteEvent {
            flags: flags | RouteFlags::DONE,
            errno: errno.map(Cow::Borrowed),
            dst: Some(said.dst),
            gateway: Some(said.gateway),
            author: said.author,
            ..RouteEvent::new(EventKind::Redirect, Some(said.fib))
        });
    }

    /// A port has another address, or one less; the routes that follow are told after, or before.
    pub(crate) fn address(&self, kind: EventKind, port: PortId, address: InterfaceAddress) {
        self.emit(|events| RouteEvent {
            flags: RouteFlags::DONE,
            dev: events.name(port),
            address: Some(address),
            ..RouteEvent::new(kind, None)
        });
    }

    /// A port's link is another, or what it carries.
    pub(crate) fn link(&self, port: PortId, link: Link, mtu: u16) {
        self.emit(|events| RouteEvent {
            flags: RouteFlags::DONE,
            dev: events.name(port),
            operstate: Some(link),
            mtu: Some(mtu),
            ..RouteEvent::new(EventKind::IfInfo, None)
        });
    }

    /// A route as it is now, in an event of this kind.
    pub(crate) fn route(&self, kind: EventKind, entry: &RouteEntry) -> RouteEvent {
        let facts = entry.facts();
        let gateway = match facts.leads {
            Way::Gateway(_, gateway) => Some(gateway),
            Way::Local
            | Way::Anycast
            | Way::Broadcast
            | Way::Link(_)
            | Way::Station(..)
            | Way::Blackhole
            | Way::Unreachable
            | Way::Prohibited => None,
        };
        RouteEvent {
            flags: facts.flags | RouteFlags::DONE,
            dst: Some(entry.prefix()),
            gateway,
            dev: facts.leads.port().and_then(|port| self.name(port)),
            ifa: facts.ifa,
            metrics: RouteMetrics { expire: self.wall.shown(facts.metrics.expire), ..facts.metrics },
            ..RouteEvent::new(kind, Some(entry.fib()))
        }
    }

    fn name(&self, port: PortId) -> Option<String> {
        self.names.get(port.index()).cloned()
    }
}

/// An event that has a destination and nothing else.
fn about(kind: EventKind, fib: u16, dst: IpAddr) -> RouteEvent {
    RouteEvent { flags: RouteFlags::DONE, dst: Some(Network::host(dst)), ..RouteEvent::new(kind, Some(fib)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    // holds X36
    #[test]
    fn fb_07_who_follows_one_table_hears_of_it_and_of_what_is_of_all() {
        let mut events = Events::new(vec!["left".to_owned()], Ahead::default());
        let (queue, mut subscription) = queue();
        events.subscribe(queue, Some(1), None, true);
        let destination = "203.0.113.9".parse().unwrap();
        events.missed(0, destination);
        events.missed(1, destination);
        events.link(PortId(0), Link::Down, 1500);
        let heard: Vec<_> = std::iter::from_fn(|| subscription.try_next()).collect();
        let heard: Vec<_> = heard.iter().map(|heard| (heard.event.kind, heard.event.fib)).collect();
        assert_eq!(heard, [(EventKind::Miss, Some(1)), (EventKind::IfInfo, None)]);
    }
}
