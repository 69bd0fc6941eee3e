//! What is known of the daemon: its session, its next hops, how many of its routes are stale, and when they are swept.
//!
//! ```text
//!   waiting --came--> replaying --quiet, or long enough--> settled
//!                      ^    |                                |
//!                     came  +-----------left-----------------+
//!                      |                 v
//!                      +----------- lost --held long enough--> its routes are swept
//! ```
//!
//! Sessions are numbered, and a route bears the number of the one in which it was told last: a lower one than the current
//! is what makes it stale. Nothing is written to a million routes when a session ends.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use boundary::PortId;
use control_api::{Fpm, FpmState, Network, Speaker};

use super::counts::Counts;
use super::saved::Keeping;
use super::{Feed, NextHopSaid, Settings};
use crate::rib::Way;
use crate::route::Learnt;
use crate::time::Timestamp;

/// The daemon, as far as it is known.
#[derive(Debug)]
pub(crate) struct Daemon {
    settings: Settings,
    pub(super) feed: Option<Feed>,
    state: FpmState,
    /// Since when it is so.
    since: Timestamp,
    heard_at: Timestamp,
    peer: Option<SocketAddr>,
    sessions: u64,
    last_end: Option<String>,
    /// The number that routes told now bear.
    pub(super) session: u32,
    /// Valid in one session: the next counts anew.
    next_hops: BTreeMap<u32, NextHopSaid>,
    /// Those that are others than when routes were told with them.
    pub(super) turned: BTreeSet<u32>,
    /// How many networks each protocol has a route to.
    networks: BTreeMap<Speaker, usize>,
    stale: usize,
    pub(super) sweep: Option<Sweep>,
    pub(super) counts: Counts,
    pub(super) keeping: Keeping,
    /// Where the route leads that is being looked at; kept for its memory.
    pub(super) ways: Vec<(Way, u32)>,
}

/// A walk through all tables that takes stale routes away.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sweep {
    /// Where it stopped.
    pub(super) stopped: Option<(u16, Network)>,
    /// Routes told last in this session or before it are stale.
    pub(super) session: u32,
}

impl Daemon {
    pub(crate) fn new(settings: Settings, now: Timestamp) -> Self {
        Self {
            settings,
            feed: None,
            state: FpmState::Waiting,
            since: now,
            heard_at: now,
            peer: None,
            sessions: 0,
            last_end: None,
            session: 1,
            next_hops: BTreeMap::new(),
            turned: BTreeSet::new(),
            networks: BTreeMap::new(),
            stale: 0,
            sweep: None,
            counts: Counts::default(),
            keeping: Keeping::default(),
            ways: Vec::new(),
        }
    }

    /// It has come.
    pub(super) fn came(&mut self, peer: SocketAddr, now: Timestamp) {
        self.sessions += 1;
        (self.peer, self.heard_at) = (Some(peer), now);
        // What is about to go gets another chance.
        self.sweep = None;
        self.turn(FpmState::Replaying, now);
    }

    /// It has gone: what it told is stale.
    pub(super) fn left(&mut self, reason: String, now: Timestamp) {
        (self.peer, self.last_end) = (None, Some(reason));
        self.session = self.session.wrapping_add(1);
        self.stale = self.routes();
        self.next_hops.clear();
        self.turned.clear();
        self.sweep = None;
        self.turn(FpmState::Lost, now);
    }

    /// It says something.
    pub(super) fn speaks(&mut self, now: Timestamp) {
        self.heard_at = now;
    }

    /// Begins to sweep when it is time to.
    pub(super) fn look(&mut self, now: Timestamp) {
        let Settings { quiet, sweep, hold, .. } = self.settings;
        match self.state {
            FpmState::Replaying if now.since(self.heard_at) >= quiet || now.since(self.since) >= sweep => {
                self.turn(FpmState::Settled, now);
                self.sweep_stale();
            }
            FpmState::Lost if hold.is_some_and(|hold| now.since(self.since) >= hold) => self.sweep_stale(),
            FpmState::Waiting | FpmState::Replaying | FpmState::Settled | FpmState::Lost => {}
        }
    }

    /// So much time lies between two files of its routes.
    pub(super) fn save_every(&self) -> Duration {
        self.settings.save_every
    }

    fn sweep_stale(&mut self) {
        if self.stale > 0 && self.sweep.is_none() {
            self.sweep = Some(Sweep { stopped: None, session: self.session.wrapping_sub(1) });
        }
    }

    fn turn(&mut self, state: FpmState, now: Timestamp) {
        (self.state, self.since) = (state, now);
    }

    /// Which table of ours one of the daemon's is.
    pub(super) fn fib_of(&self, table: u32) -> Option<u16> {
        self.settings.tables.iter().find(|(of_daemon, _)| *of_daemon == table).map(|(_, fib)| *fib)
    }

    /// Our tables that routes of the daemon's come into.
    pub(crate) fn fibs(&self) -> impl Iterator<Item = u16> + '_ {
        self.settings.tables.iter().map(|(_, fib)| *fib)
    }

    /// The port that the configuration says an interface is on.
    pub(super) fn port_of(&self, interface: u32) -> Option<PortId> {
        self.settings.interfaces.iter().find(|(number, _)| *number == interface).map(|(_, port)| *port)
    }

    pub(super) fn next_hop(&self, id: u32) -> Option<&NextHopSaid> {
        self.next_hops.get(&id)
    }

    /// A next hop is this from now on. Routes that were told with it when it was another follow.
    pub(super) fn set_next_hop(&mut self, id: u32, what: NextHopSaid) {
        if self.next_hops.len() >= MOST_NEXT_HOPS && !self.next_hops.contains_key(&id) {
            return;
        }
        if let Some(before) = self.next_hops.get(&id)
            && *before != what
        {
            let groups = self.next_hops.iter().filter(
                |(_, other)| matches!(other, NextHopSaid::Group(members) if members.iter().any(|(of, _)| *of == id)),
            );
            self.turned.extend(groups.map(|(group, _)| *group).chain([id]));
        }
        self.next_hops.insert(id, what);
    }

    pub(super) fn forget_next_hop(&mut self, id: u32) {
        self.next_hops.remove(&id);
    }

    /// A network's route was told: what it was before, if there was one, and what it is now.
    pub(super) fn told(&mut self, before: Option<Learnt>, now: Learnt) {
        if before.map(|before| before.speaker) != Some(now.speaker) {
            *self.networks.entry(now.speaker).or_default() += 1;
            before.into_iter().for_each(|before| self.uncount(before.speaker));
        }
        self.refresh(before);
    }

    /// A network has no route any more.
    pub(super) fn withdrawn(&mut self, before: Learnt) {
        self.uncount(before.speaker);
        self.refresh(Some(before));
    }

    fn refresh(&mut self, before: Option<Learnt>) {
        let was_stale = before.is_some_and(|before| before.session != self.session);
        self.stale -= usize::from(was_stale);
    }

    fn uncount(&mut self, speaker: Speaker) {
        if let Some(networks) = self.networks.get_mut(&speaker) {
            *networks -= 1;
        }
    }

    fn routes(&self) -> usize {
        self.networks.values().sum()
    }

    /// How it is, as people are shown it.
    pub(super) fn shown(&self, now: Timestamp) -> Fpm {
        let known = self.networks.iter().filter(|(_, networks)| **networks > 0);
        let failed = [("saves_failed", self.keeping.failed())];
        Fpm {
            listen: self.settings.listen,
            state: self.state,
            state_seconds: now.since(self.since).as_secs(),
            peer: self.peer,
            sessions: self.sessions,
            last_end: self.last_end.clone(),
            routes: self.routes(),
            stale: self.stale,
            protocols: known.map(|(speaker, networks)| (speaker.name().to_owned(), *networks)).collect(),
            next_hops: self.next_hops.len(),
            counts: self.counts.named().chain(failed).map(|(name, count)| (name.to_owned(), count)).collect(),
        }
    }

    /// Sweeps at once; nothing to do while a daemon is telling its routes anew would be the daemon's to say.
    pub(super) fn sweep_now(&mut self) -> Sweep {
        self.sweep = None;
        Sweep { stopped: None, session: self.session.wrapping_sub(1) }
    }
}

/// More than any daemon has; further ones are as if they had not been told.
const MOST_NEXT_HOPS: usize = 1 << 20;
