//! Routes that go by themselves at a given time (`rmx_expire`).
//!
//! A person says the time by the wall clock, and is told it by that; a route keeps it as seconds of the control thread's
//! own clock, which nobody sets back. So the wall clock is looked at once a request, where it comes in, and a clock that
//! jumps between two requests moves no deadline.
//!
//! What is due in a tick is deleted in one publish. A pinned route is nobody's to take away, time's included: it stays, but
//! if it rejects what it is asked for, it rejects no more (`rt_check` looks at the time before it refuses).
//!
//! A route without a time costs nothing here.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::control::Control;
use crate::route::{RouteEntry, RouteId};
use crate::time::Timestamp;
use crate::timers::{DeadlineId, Wheel};

/// What the time is by the wall clock when it is this moment: since the start of 1970.
pub type WallClock = Box<dyn Fn(Timestamp) -> Duration + Send>;

/// The wall clock beside the control thread's.
pub(crate) struct Wall {
    clock: WallClock,
    ahead: Ahead,
}

/// By how many seconds the wall clock was ahead when it was last looked at; each copy tells the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ahead(Arc<AtomicI64>);

impl Default for Wall {
    /// A clock that is the wall clock: that of a capture.
    fn default() -> Self {
        Self { clock: Box::new(|now| now.since(Timestamp::ZERO)), ahead: Ahead::default() }
    }
}

impl Wall {
    /// Looks at both clocks.
    pub(crate) fn look(&self, now: Timestamp) {
        let wall = i64::try_from((self.clock)(now).as_secs()).unwrap_or(i64::MAX);
        // Relaxed: it is read by the thread that writes it.
        self.ahead.0.store(wall.saturating_sub_unsigned(seconds(now)), Ordering::Relaxed);
    }

    /// What it is ahead by, also later.
    pub(crate) fn ahead(&self) -> &Ahead {
        &self.ahead
    }
}

impl Ahead {
    /// The second in which what a person wants at `wall` is due; 0 is never, here as there.
    pub(crate) fn deadline(&self, wall: u64) -> u64 {
        match wall {
            0 => 0,
            // What would have been due before time began is due in its first second.
            wall => wall.saturating_sub_signed(self.seconds()).max(1),
        }
    }

    /// The same by the wall clock.
    pub(crate) fn shown(&self, deadline: u64) -> u64 {
        match deadline {
            0 => 0,
            deadline => deadline.saturating_add_signed(self.seconds()).max(1),
        }
    }

    fn seconds(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wall").field("ahead", &self.ahead).finish_non_exhaustive()
    }
}

/// Which route goes when.
#[derive(Debug)]
pub(crate) struct Expiry {
    deadlines: Wheel<Arc<RouteEntry>>,
    of_route: HashMap<RouteId, DeadlineId>,
}

impl Default for Expiry {
    fn default() -> Self {
        Self { deadlines: Wheel::new(Duration::from_secs(1)), of_route: HashMap::new() }
    }
}

impl Expiry {
    /// A route is in its table, or says something else than before.
    pub(crate) fn follow(&mut self, entry: &Arc<RouteEntry>) {
        let facts = entry.facts();
        let expire = if facts.has_lapsed { 0 } else { facts.metrics.expire };
        let at = Timestamp::ZERO + Duration::from_secs(expire);
        match self.of_route.get(&entry.id()) {
            _ if expire == 0 => self.forget(entry),
            // One that has fallen due is gone from the wheel, and is armed anew.
            Some(deadline) if self.deadlines.rearm(*deadline, at) => {}
            Some(_) | None => {
                let deadline = self.deadlines.arm(at, Arc::clone(entry));
                self.of_route.insert(entry.id(), deadline);
            }
        }
    }

    /// A route has left its table.
    pub(crate) fn forget(&mut self, entry: &RouteEntry) {
        // Most tables have no route with a time, and none of theirs is to pay for being looked for.
        if !self.of_route.is_empty()
            && let Some(deadline) = self.of_route.remove(&entry.id())
        {
            self.deadlines.cancel(deadline);
        }
    }

    /// Takes one route whose time has come.
    pub(crate) fn next_due(&mut self, now: Timestamp) -> Option<Arc<RouteEntry>> {
        let entry = self.deadlines.pop_due(now)?;
        self.of_route.remove(&entry.id());
        Some(entry)
    }
}

impl Control {
    /// Gives it another wall clock than one that shows the same as its own: ferryd's.
    pub fn set_wall_clock(&mut self, clock: WallClock) {
        self.wall.clock = clock;
    }

    /// Deletes the routes whose time has come.
    pub(crate) fn run_expiry(&mut self, now: Timestamp) {
        while let Some(entry) = self.routes.expiry.next_due(now) {
            if self.routes.is_held_again(&entry) {
                continue;
            }
            if entry.is_pinned() {
                self.counts.expiries_refused += 1;
                let mut facts = entry.facts();
                facts.has_lapsed = true;
                self.routes.change(&entry, facts);
            } else if self.routes.remove_entry(&entry) {
                self.counts.routes_expired += 1;
            }
        }
    }
}

/// Whole seconds of the control thread's clock.
pub(crate) fn seconds(now: Timestamp) -> u64 {
    now.since(Timestamp::ZERO).as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ahead(seconds: i64) -> Ahead {
        Ahead(Arc::new(AtomicI64::new(seconds)))
    }

    // holds X74
    #[test]
    fn a_time_is_the_same_on_the_way_in_and_out_and_never_stays_never() {
        for seconds in [-500, 0, 1_700_000_000] {
            let clock = ahead(seconds);
            assert_eq!((clock.deadline(0), clock.shown(0)), (0, 0));
            assert_eq!(clock.shown(clock.deadline(1_700_000_030)), 1_700_000_030);
        }
        assert_eq!(ahead(1_700_000_000).deadline(1_700_001_030), 1030);
    }

    #[test]
    fn a_time_before_time_began_or_after_its_end_is_one_all_the_same() {
        assert_eq!(ahead(1_700_000_000).deadline(5), 1);
        assert_eq!(ahead(-500).deadline(u64::MAX), u64::MAX);
        assert_eq!(ahead(i64::MAX).shown(u64::MAX), u64::MAX);
    }
}
