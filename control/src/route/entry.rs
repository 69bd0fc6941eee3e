//! One route, as whoever holds it sees it.
//!
//! What a route is (its network, its table, who wants it) stays for its life. What it says (where it leads, its flags, its
//! metrics) is changed by the control thread alone, whole: a reader copies it out under a mutex that nobody keeps, so he
//! sees what was before a change or what is after it, never half of both. Workers do not come here; they have the
//! forwarding table.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use boundary::{CountId, PortId, References, Referred};
use control_api::{Family, MetricMask, Network, RouteFlags, RouteMetrics, Speaker};
use lpm::NextHopId;
use packet::ethernet::MacAddr;

use super::count::{Count, Counts};
use super::reference::RouteRef;
use crate::next_hops::Key;
use crate::rib::{Protocol, Way};

/// Which route: no two ever have the same, and a route keeps it whatever changes about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteId {
    pub(crate) fib: u16,
    pub(crate) family: Family,
    pub(crate) serial: u64,
}

/// Where a route leads (`rt_gateway`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gateway {
    /// To this neighbour; the route has [`RouteFlags::GATEWAY`].
    Address(IpAddr),
    /// To the destination itself, on this port's link.
    Link(PortId),
    /// To this station on this port's link, whatever the destination.
    Station(PortId, MacAddr),
    /// Through no port.
    Unspecified,
}

/// A route (`struct rtentry`). Reached through a [`super::RouteRef`].
#[derive(Debug)]
pub struct RouteEntry {
    id: RouteId,
    network: Network,
    protocol: Protocol,
    current: Mutex<Current>,
    lock: Lock,
    refs: References,
    /// What it has sent, once it was counted.
    count: OnceLock<Box<Count>>,
}

/// What a route says, and the next hop it holds for that.
#[derive(Debug)]
struct Current {
    facts: Facts,
    next_hop: NextHopId,
    /// What it was made from, if it was.
    origin: Option<Box<Origin>>,
}

/// Where a clone comes from.
#[derive(Debug)]
pub(crate) struct Origin {
    /// The route that it was made from (`rt_parent`), as long as that is there.
    pub(crate) parent: Option<RouteRef>,
    /// Set when somebody is the first to hold the clone, or was the last.
    pub(crate) touched: Arc<AtomicBool>,
}

/// What a route says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Where it leads.
    pub(crate) leads: Way,
    /// Its flags. [`RouteFlags::REJECT`] and [`RouteFlags::BLACKHOLE`] keep packets from where it leads.
    pub(crate) flags: RouteFlags,
    /// The address of ours that packets by it are sent from.
    pub(crate) ifa: Option<IpAddr>,
    /// What it is worth beside another to the same network: the lowest counts. It stays for the route's life.
    pub(crate) priority: u8,
    /// Its `expire` counts the seconds of the control thread's clock.
    pub(crate) metrics: RouteMetrics,
    /// It has expired and is there all the same: what it rejected it does not reject any more.
    pub(crate) has_lapsed: bool,
    /// Whether the packets that workers send by it are counted.
    pub(crate) is_counted: bool,
    /// Where it comes from, if that is a routing daemon.
    pub(crate) learnt: Option<Learnt>,
}

/// Where a daemon's route comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Learnt {
    /// The protocol that knows it.
    pub(crate) speaker: Speaker,
    /// The session in which it was told last.
    pub(crate) session: u32,
    /// What the daemon calls the next hop that it told it with; 0 if it did not name one.
    pub(crate) next_hop: u32,
}

impl Facts {
    /// What a route that leads this way says when nobody has said more.
    pub(crate) fn of(leads: Way, network: Network, protocol: Protocol) -> Self {
        let flags = RouteFlags::UP | leads.flags() | flags_of(network) | protocol.flags();
        Self {
            leads,
            flags,
            ifa: None,
            priority: protocol.priority(),
            metrics: RouteMetrics::NONE,
            has_lapsed: false,
            is_counted: false,
            learnt: None,
        }
    }

    /// What becomes of packets: silence comes before an answer, and both before where it leads.
    pub(crate) fn way(&self) -> Way {
        if self.flags.contains(RouteFlags::BLACKHOLE) {
            Way::Blackhole
        } else if self.flags.contains(RouteFlags::REJECT) && !self.has_lapsed {
            if self.leads == Way::Prohibited { Way::Prohibited } else { Way::Unreachable }
        } else {
            self.leads
        }
    }

    /// The next hop it takes: of a template, the route that is to be made for a destination.
    pub(crate) fn next_hop(&self) -> Key {
        match self.way().port().filter(|_| self.is_template()) {
            Some(port) => Key::Template(port),
            None => self.way().next_hop(),
        }
    }

    /// Whether routes are made from it. One that swallows or rejects its packets needs none for that.
    pub(crate) fn is_template(&self) -> bool {
        self.flags.contains(RouteFlags::CLONING) && self.way().port().is_some()
    }

    /// Takes the metrics in `inits`, as a person gives them, over a port that carries `port_mtu`.
    ///
    /// An MTU that is given is fixed; 0 asks for the port's, and more than that is none of the port's.
    pub(crate) fn set_metrics(&mut self, inits: MetricMask, given: &RouteMetrics, port_mtu: Option<u32>) {
        self.metrics.set(inits, given);
        if inits.contains(MetricMask::MTU) {
            self.flags.set(RouteFlags::FIXEDMTU, given.mtu != 0);
        }
        if inits.contains(MetricMask::EXPIRE) {
            self.has_lapsed = false;
        }
        if let Some(port_mtu) = port_mtu
            && (self.metrics.mtu == 0 || self.metrics.mtu > port_mtu)
        {
            self.metrics.mtu = port_mtu;
        }
    }
}

impl RouteEntry {
    pub(crate) fn new(id: RouteId, network: Network, protocol: Protocol, facts: Facts, next_hop: NextHopId) -> Self {
        let (current, lock) = (Mutex::new(Current { facts, next_hop, origin: None }), Lock::default());
        Self { id, network, protocol, current, lock, refs: References::default(), count: OnceLock::new() }
    }

    /// Which route it is.
    pub const fn id(&self) -> RouteId {
        self.id
    }

    /// The number of the table it is in.
    pub const fn fib(&self) -> u16 {
        self.id.fib
    }

    /// Its destinations.
    pub const fn prefix(&self) -> Network {
        self.network
    }

    /// The first of its destinations (`rt_key`).
    pub fn key(&self) -> IpAddr {
        self.network.address()
    }

    /// How many leading bits of the key count (`rt_mask`); all of a host's, which has no mask.
    pub fn mask(&self) -> Option<u8> {
        let is_host = self.network == Network::host(self.network.address());
        (!is_host).then(|| self.network.len())
    }

    /// Where it leads.
    pub fn gateway(&self) -> Gateway {
        match self.facts().leads {
            Way::Gateway(_, address) => Gateway::Address(address),
            Way::Link(port) => Gateway::Link(port),
            Way::Station(port, mac, _) => Gateway::Station(port, mac),
            Way::Local | Way::Anycast | Way::Broadcast | Way::Blackhole | Way::Unreachable | Way::Prohibited => {
                Gateway::Unspecified
            }
        }
    }

    /// The port packets by it leave through (`rt_ifp`).
    pub fn port(&self) -> Option<PortId> {
        self.facts().leads.port()
    }

    /// The address of ours that packets by it are sent from (`rt_ifa`).
    pub fn ifa(&self) -> Option<IpAddr> {
        self.facts().ifa
    }

    /// Its flags (`rt_flags`).
    pub fn flags(&self) -> RouteFlags {
        self.facts().flags
    }

    /// Whether it is in its table ([`RouteFlags::UP`]).
    pub fn is_up(&self) -> bool {
        self.flags().contains(RouteFlags::UP)
    }

    /// Its metrics (`rt_mtu`, `rt_weight`, `rt_expire` among them); the time to expire is in seconds of the control thread's
    /// clock.
    pub fn metrics(&self) -> RouteMetrics {
        self.facts().metrics
    }

    /// What it is worth beside another route to the same network: the lowest counts.
    pub fn priority(&self) -> u8 {
        self.facts().priority
    }

    /// Packets that workers have sent by it, if they are counted (`rt_pksent`). The sum is exact once workers have ended
    /// their turns, and final once they have moved on to a state without the route.
    pub fn pksent(&self) -> Option<u64> {
        self.facts().is_counted.then(|| self.count.get().map_or(0, |count| count.sent()))
    }

    /// Where its packets are counted, in a count of `counts` if it had none yet; none if there is none left.
    pub(crate) fn count_from(&self, counts: &mut Counts) -> Option<CountId> {
        if let Some(count) = self.count.get() {
            return Some(count.id());
        }
        let count = counts.give()?;
        Some(self.count.get_or_init(|| Box::new(count)).id())
    }

    /// References held outside the table (`rt_refcnt`).
    pub fn refs(&self) -> u32 {
        self.refs.count()
    }

    pub(crate) const fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// A copy of what it says.
    pub(crate) fn facts(&self) -> Facts {
        self.current().facts
    }

    /// What becomes of packets by it.
    pub(crate) fn way(&self) -> Way {
        self.current().facts.way()
    }

    /// The next hop it holds.
    pub(crate) fn next_hop(&self) -> NextHopId {
        self.current().next_hop
    }

    /// From now on it says this.
    pub(crate) fn say(&self, facts: Facts, next_hop: NextHopId) {
        let mut current = self.current();
        (current.facts, current.next_hop) = (facts, next_hop);
    }

    /// Whether only somebody who says so may change it.
    pub(crate) fn is_pinned(&self) -> bool {
        self.flags().contains(RouteFlags::PINNED)
    }

    /// The route it was made from, if it was (`rt_parent`).
    pub fn parent(&self) -> Option<RouteRef> {
        self.current().origin.as_ref().and_then(|origin| origin.parent.clone())
    }

    /// It was made from another route.
    pub(crate) fn comes_from(&self, origin: Origin) {
        self.current().origin = Some(Box::new(origin));
    }

    /// What it was made from is gone.
    pub(crate) fn forget_parent(&self) {
        // Let go after the lock: that counts on the parent.
        let _parent = self.current().origin.as_mut().and_then(|origin| origin.parent.take());
    }

    /// It has left its table.
    pub(crate) fn take_down(&self) {
        self.current().facts.flags.remove(RouteFlags::UP);
    }

    /// The daemon has told it again.
    pub(crate) fn confirm(&self, by: Learnt) {
        self.current().facts.learnt = Some(by);
    }

    /// Sets or clears a flag that follows from the routes beside it.
    pub(crate) fn set_flag(&self, flag: RouteFlags, is_set: bool) {
        self.current().facts.flags.set(flag, is_set);
    }

    /// Changes its metrics, in one step for everybody who reads them; but not its time to go, which the control thread
    /// has to know.
    pub(crate) fn edit_metrics(&self, edit: impl FnOnce(&mut RouteMetrics)) {
        let mut metrics = self.metrics();
        let expire = metrics.expire;
        edit(&mut metrics);
        metrics.expire = expire;
        self.current().facts.metrics = metrics;
    }

    pub(crate) fn count_reference(&self) {
        if self.refs.add() {
            self.touch();
        }
    }

    pub(crate) fn uncount_reference(&self) {
        if self.refs.remove() {
            self.touch();
        }
    }

    /// The close hook of `rtfree`, and its opposite.
    fn touch(&self) {
        if let Some(origin) = &self.current().origin {
            // Relaxed: it tells only that there is something to look at.
            origin.touched.store(true, Ordering::Relaxed);
        }
    }

    pub(crate) const fn lock(&self) -> &Lock {
        &self.lock
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        // Nobody panics while they hold it: facts are copied in and out, nothing else.
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Referred for RouteEntry {
    fn refs(&self) -> u32 {
        self.refs.count()
    }
}

/// The flags that a destination brings along.
fn flags_of(network: Network) -> RouteFlags {
    let mut flags = RouteFlags::empty();
    flags.set(RouteFlags::HOST, network == Network::host(network.address()));
    flags.set(RouteFlags::MULTICAST, network.address().is_multicast());
    flags
}

/// A lock that is held as long as its holder likes (`rt_mtx`): between those who change a route, never on a worker's way.
#[derive(Debug, Default)]
pub(crate) struct Lock {
    is_held: Mutex<bool>,
    is_free: Condvar,
}

impl Lock {
    /// Waits until nobody holds it, and then holds it.
    pub(crate) fn acquire(&self) {
        let held = self.is_held.lock().unwrap_or_else(PoisonError::into_inner);
        let free = self.is_free.wait_while(held, |held| *held);
        *free.unwrap_or_else(PoisonError::into_inner) = true;
    }

    /// Lets it go.
    pub(crate) fn release(&self) {
        *self.is_held.lock().unwrap_or_else(PoisonError::into_inner) = false;
        self.is_free.notify_one();
    }

    /// Holds it if nobody else does.
    pub(crate) fn try_acquire(&self) -> bool {
        !std::mem::replace(&mut *self.is_held.lock().unwrap_or_else(PoisonError::into_inner), true)
    }
}
