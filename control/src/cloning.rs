//! Routes to hosts, each made from a template when somebody first wants to go there (`RTF_CLONING`).
//!
//! ```text
//!   10.8.1.0/24 CLONING  -- lookup of 10.8.1.5 that resolves -->  10.8.1.5 WASCLONED, which holds its parent
//!                            the hooks are told, then whoever follows the routes
//! ```
//!
//! A clone says what its parent says, but for being one itself, and lives no longer: it goes when its parent does or is
//! changed, when a better network comes to cover it, and when nobody has held it for an hour. What is pinned stays. So
//! clones follow from the templates, and nobody has to clean up after them.
//!
//! Workers make no routes. A template is a next hop that is not known yet; the first packet to a host is punted for that,
//! the control thread clones, and the packets after it go by the clone. What is punted meanwhile finds the clone there: it
//! makes nothing new. There are [`MAX_CLONES`] at most, and packets make [`RESOLVES_PER_SECOND`] at most; a packet beyond
//! either costs itself and is counted.
//!
//! The close hook of `rtfree` is the scan in [`Routes::look_after_clones`]: a reference that is a clone's first or last says
//! that it is worth it, so references are dropped on any thread and routes are changed on one.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use boundary::PortId;
use control_api::{EventKind, MetricMask, Network, RouteEvent, RouteFlags};

use crate::control::Control;
use crate::expiry::seconds;
use crate::packets::Packet;
use crate::rib::{Protocol, Way};
use crate::route::{Facts, LookupFlags, Origin, RouteEntry, RouteRef};
use crate::routes::Routes;
use crate::time::Timestamp;

/// Most routes made from others, in all tables together.
pub const MAX_CLONES: usize = 65_536;

/// Most routes that packets make in a second; a quarter of it at once.
pub const RESOLVES_PER_SECOND: u32 = 10_000;

/// What a protocol or an interface is told of routes (`ifa_rtrequest`).
///
/// It is called on the control thread, once for each, when the route is in its table or has left it. Lookups in `routes`
/// never clone, so a hook can ask for the very host it is told of.
pub trait InterfaceHooks: Send {
    /// A route was added, cloned or deleted.
    fn rtrequest(&mut self, request: RtRequest, route: &RouteEntry, routes: &Routes);
}

/// What happened to a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RtRequest {
    /// It was added (`RTM_ADD`).
    Add,
    /// It was deleted (`RTM_DELETE`).
    Delete,
    /// It was cloned, and its host is to be found (`RTM_RESOLVE`).
    Resolve,
}

/// Who is told.
#[derive(Default)]
pub(crate) struct Hooks(Option<Box<dyn InterfaceHooks>>);

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Hooks").field(&self.0.is_some()).finish()
    }
}

/// All clones, in the order of tables and hosts.
#[derive(Debug)]
pub(crate) struct Clones {
    made: BTreeMap<(u16, IpAddr), Made>,
    /// Somebody is the first to hold one of them, or was the last.
    touched: Arc<AtomicBool>,
    limit: usize,
    /// How long one is kept that nobody holds, in seconds (`rtexpire`).
    keep: u64,
    /// The second in which that was last made shorter.
    cut: u64,
    looked_at: Timestamp,
}

#[derive(Debug)]
struct Made {
    entry: Arc<RouteEntry>,
    /// Nobody holds it; what it said before it was marked for that.
    idle: Option<Unmarked>,
}

#[derive(Debug, Clone, Copy)]
struct Unmarked {
    proto3: bool,
    expire: u64,
}

impl Default for Clones {
    fn default() -> Self {
        Self {
            made: BTreeMap::new(),
            touched: Arc::default(),
            limit: MAX_CLONES,
            keep: 3600,
            cut: 0,
            looked_at: Timestamp::ZERO,
        }
    }
}

impl Unmarked {
    fn restore(self, facts: &mut Facts) {
        facts.flags.set(RouteFlags::PROTO3, self.proto3);
        facts.metrics.expire = self.expire;
    }
}

impl Made {
    /// What it is to say from now on, if that is something else: an idle one is marked and goes after `keep` seconds, one
    /// that is held again says what it said before.
    fn turned(&mut self, now: u64, keep: u64) -> Option<Facts> {
        let mut facts = self.entry.facts();
        let is_idle = self.entry.refs() == 0 && !facts.flags.contains(RouteFlags::LLINFO);
        match (is_idle, self.idle) {
            (true, None) => {
                let proto3 = facts.flags.contains(RouteFlags::PROTO3);
                let before = Unmarked { proto3, expire: facts.metrics.expire };
                self.idle = Some(before);
                facts.flags |= RouteFlags::PROTO3;
                let own = Some(before.expire).filter(|own| *own > 0);
                facts.metrics.expire = own.unwrap_or(u64::MAX).min(now + keep);
            }
            (false, Some(before)) => {
                self.idle = None;
                before.restore(&mut facts);
            }
            (true, Some(_)) | (false, None) => return None,
        }
        // What only a person may change is not for us to mark.
        (!facts.metrics.locks.contains(MetricMask::EXPIRE)).then_some(facts)
    }

    fn has_parent_shorter_than(&self, len: u8) -> bool {
        self.entry.parent().is_none_or(|parent| parent.prefix().len() < len)
    }
}

impl Clones {
    /// Those of a table to hosts of this network.
    fn within(&self, fib: u16, network: Network) -> impl Iterator<Item = &Made> {
        let (first, last) = match network {
            Network::V4(prefix) => (IpAddr::from(prefix.address()), IpAddr::from(prefix.last())),
            Network::V6(prefix) => (prefix.address().into(), prefix.last().into()),
        };
        self.made.range((fib, first)..=(fib, last)).map(|(_, made)| made)
    }

    fn take(&mut self, entry: Arc<RouteEntry>) {
        self.touch();
        self.made.insert((entry.fib(), entry.key()), Made { entry, idle: None });
    }

    /// A route has left its table; nothing happens unless it is one of these.
    fn forget(&mut self, entry: &RouteEntry) {
        let key = (entry.fib(), entry.key());
        if self.made.get(&key).is_some_and(|made| made.entry.id() == entry.id()) {
            self.made.remove(&key);
        }
    }

    fn mark_of(&self, entry: &RouteEntry) -> Option<Unmarked> {
        let made = self.made.get(&(entry.fib(), entry.key()))?;
        made.idle.filter(|_mark| made.entry.id() == entry.id())
    }

    /// Whether nobody holds this one is to be found out anew.
    pub(crate) fn unmark(&mut self, entry: &RouteEntry) {
        if self.mark_of(entry).is_some()
            && let Some(made) = self.made.get_mut(&(entry.fib(), entry.key()))
        {
            made.idle = None;
            self.touch();
        }
    }

    fn touch(&self) {
        // Relaxed: it says only that there is something to look at; what that is has its own counts.
        self.touched.store(true, Ordering::Relaxed);
    }

    /// Whether a look is worth it: not too soon after the last one, so that a busy holder does not keep us looking.
    fn are_worth_a_look(&mut self, now: Timestamp) -> bool {
        if self.made.is_empty() || now.since(self.looked_at) < BETWEEN_LOOKS {
            return false;
        }
        let is_time_to_cut = self.made.len() > MANY && seconds(now) >= self.cut + BETWEEN_CUTS;
        if !self.touched.swap(false, Ordering::Relaxed) && !is_time_to_cut {
            return false;
        }
        self.looked_at = now;
        true
    }

    /// Keeps idle ones for a shorter time from now on if there are many; whether it is so.
    fn cut(&mut self, now: u64) -> bool {
        let idle = self.made.values().filter(|made| made.idle.is_some()).count();
        let is_cut = idle > MANY && now >= self.cut + BETWEEN_CUTS;
        if is_cut {
            self.keep = self.keep.min(SHORTEST.max(self.keep * 2 / 3));
            self.cut = now;
        }
        is_cut
    }
}

/// Why there is no clone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoRoom;

/// Templates and their clones.
impl Routes {
    /// What was found for `dst`, or a clone of it: if it is a template, and to be one is not among what is ignored.
    pub(crate) fn cloned(&mut self, found: RouteRef, dst: IpAddr, report: bool, ignore: RouteFlags) -> RouteRef {
        let facts = found.facts();
        if !facts.is_template() {
            if report && facts.flags.contains(RouteFlags::XRESOLVE) {
                self.events.resolve(found.fib(), dst);
            }
            return found;
        }
        if ignore.contains(RouteFlags::CLONING) {
            return found;
        }
        match self.clone_of(&found, dst, report) {
            Ok(clone) => clone,
            Err(NoRoom) => {
                if report {
                    self.events.emit(|_events| RouteEvent {
                        flags: RouteFlags::DONE,
                        dst: Some(Network::host(dst)),
                        errno: Some("ENOBUFS".into()),
                        ..RouteEvent::new(EventKind::Miss, Some(found.fib()))
                    });
                }
                found
            }
        }
    }

    /// Makes a route to `dst` from a template.
    fn clone_of(&mut self, parent: &RouteRef, dst: IpAddr, report: bool) -> Result<RouteRef, NoRoom> {
        if self.clones.made.len() >= self.clones.limit {
            return Err(NoRoom);
        }
        let network = Network::host(dst);
        let mut facts = parent.facts();
        facts.flags -= RouteFlags::CLONING | RouteFlags::STATIC;
        facts.flags |= RouteFlags::WASCLONED | RouteFlags::HOST;
        let entry = self.insert(parent.fib(), network, Protocol::Static, facts);
        let touched = Arc::clone(&self.clones.touched);
        entry.comes_from(Origin { parent: Some(parent.clone()), touched });
        let clone = RouteRef::new(&entry);
        self.clones.take(entry);
        self.tell_hooks(RtRequest::Resolve, &clone);
        if !facts.flags.contains(RouteFlags::XRESOLVE) {
            self.events.added(&clone);
        } else if report {
            self.events.resolve(clone.fib(), dst);
        }
        Ok(clone)
    }

    /// A route was added: clones that would be made from it now go, to be made again.
    pub(crate) fn outdate_clones(&mut self, entry: &RouteEntry) {
        let network = entry.prefix();
        if !entry.flags().contains(RouteFlags::WASCLONED) {
            self.delete_clones(entry.fib(), network, |made| made.has_parent_shorter_than(network.len()));
        }
    }

    /// A route goes, or says something else: so do its clones. Those that stay know it no more if it goes.
    pub(crate) fn delete_clones_of(&mut self, parent: &RouteEntry, is_deleted: bool) {
        if !parent.flags().contains(RouteFlags::CLONING) {
            return;
        }
        let is_its = |made: &Made| made.entry.parent().is_some_and(|of| of.id() == parent.id());
        for made in self.clones.within(parent.fib(), parent.prefix()).filter(|made| is_its(made)) {
            if made.entry.is_pinned() && is_deleted {
                made.entry.forget_parent();
            }
        }
        self.delete_clones(parent.fib(), parent.prefix(), is_its);
    }

    /// Deletes those clones of a network that are to go, but pinned ones.
    fn delete_clones(&mut self, fib: u16, network: Network, are_to_go: impl Fn(&Made) -> bool) {
        if self.clones.made.is_empty() {
            return;
        }
        let chosen = self.clones.within(fib, network).filter(|made| are_to_go(made));
        let chosen: Vec<_> = chosen.map(|made| Arc::clone(&made.entry)).filter(|entry| !entry.is_pinned()).collect();
        for entry in chosen {
            self.remove_entry(&entry);
        }
    }

    /// A route has left its table: what made it, and what was made of it, knows it no more.
    pub(crate) fn part(&mut self, entry: &RouteEntry) {
        self.delete_clones_of(entry, true);
        self.clones.forget(entry);
        entry.forget_parent();
    }

    /// Marks the clones that nobody holds, and unmarks those that somebody holds again.
    ///
    /// Of many that nobody holds, each is kept for a shorter time than the one before, down to ten seconds.
    pub(crate) fn look_after_clones(&mut self, now: Timestamp) {
        if !self.clones.are_worth_a_look(now) {
            return;
        }
        let (second, keep) = (seconds(now), self.clones.keep);
        let turned = self.clones.made.values_mut().filter_map(|made| {
            let facts = made.turned(second, keep)?;
            Some((Arc::clone(&made.entry), facts))
        });
        let turned: Vec<_> = turned.collect();
        for (entry, facts) in turned {
            if keep == 0 && facts.metrics.expire <= second && facts.metrics.expire > 0 {
                self.remove_entry(&entry);
            } else {
                self.note(&entry, facts);
            }
        }
        if self.clones.cut(second) {
            let latest = second + self.clones.keep;
            let idle = self.clones.made.values().filter(|made| made.idle.is_some()).map(|made| Arc::clone(&made.entry));
            let too_long: Vec<_> = idle.filter(|entry| entry.metrics().expire > latest).collect();
            for entry in too_long {
                let mut facts = entry.facts();
                facts.metrics.expire = latest;
                self.note(&entry, facts);
            }
        }
    }

    /// What a route says, or if it is a clone that is marked as held by nobody, what it said before that.
    pub(crate) fn unmarked(&self, entry: &RouteEntry) -> Facts {
        let mut facts = entry.facts();
        if let Some(before) = self.clones.mark_of(entry) {
            before.restore(&mut facts);
        }
        facts
    }

    /// A clone that was to go says again what it said before, if somebody has come to hold it just now; whether it is so.
    pub(crate) fn is_held_again(&mut self, entry: &Arc<RouteEntry>) -> bool {
        let is_held_again = entry.refs() > 0 && self.clones.mark_of(entry).is_some();
        if is_held_again {
            self.note(entry, self.unmarked(entry));
            self.clones.unmark(entry);
        }
        is_held_again
    }

    /// Tells the hooks, if there are any.
    pub(crate) fn tell_hooks(&mut self, request: RtRequest, entry: &RouteEntry) {
        if let Some(mut hooks) = self.hooks.0.take() {
            hooks.rtrequest(request, entry, self);
            self.hooks.0 = Some(hooks);
        }
    }

    /// How many clones there are.
    pub fn clones(&self) -> usize {
        self.clones.made.len()
    }

    /// How long a clone is kept that nobody holds (`rtexpire`).
    pub fn clones_are_kept(&self) -> Duration {
        Duration::from_secs(self.clones.keep)
    }
}

impl Control {
    /// From now on these are told of every route.
    pub fn set_interface_hooks(&mut self, hooks: Box<dyn InterfaceHooks>) {
        self.routes.hooks = Hooks(Some(hooks));
    }

    /// Keeps a clone that nobody holds for so long, in whole seconds; for no time is to delete it at once.
    pub fn set_clone_expiry(&mut self, keep: Duration) {
        self.routes.clones.keep = keep.as_secs();
    }

    /// Makes so many clones and no more.
    pub fn set_clone_limit(&mut self, limit: usize) {
        self.routes.clones.limit = limit;
    }

    /// Where a packet goes, by a route of its own if what leads there is a template.
    pub(crate) fn way_of_packet(&mut self, packet: &Packet<'_>, from: PortId, now: Timestamp) -> Option<Way> {
        let (destination, fib) = (packet.destination(), self.routes.fib_of(from));
        let is_template = |entry: &Arc<RouteEntry>| entry.facts().is_template();
        if !self.routes.towards(fib, destination).is_some_and(is_template) {
            return self.routes.way(fib, destination, packet.bytes());
        }
        if !self.resolves.take(now) {
            self.counts.resolves_refused += 1;
            return Some(Way::Blackhole);
        }
        let flags = LookupFlags::REPORT | LookupFlags::RESOLVE;
        let found = self.routes.alloc(fib, destination, flags, RouteFlags::empty()).unwrap_or(None);
        found.map(|route| self.routes.passable(&route))
    }
}

/// How often clones are looked at, at most.
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// How many idle clones are many (`rtq_toomany`).
const MANY: usize = 128;

/// Between two cuts of how long idle clones are kept, in seconds (`rtq_timeout`).
const BETWEEN_CUTS: u64 = 600;

/// The shortest that idle clones are kept after cuts, in seconds (`rtq_minreallyold`).
const SHORTEST: u64 = 10;
