//! Timers on routes, as rt_timer(9) describes them, and deadlines of any kind.
//!
//! A timer calls something out for a route, some time after it was put on a queue. All timers of a queue run equally
//! long, and that is the whole trick: the order in which they were added is the order in which they expire. To add is to
//! put at the end, to look for what is due is to look at the front, to put off or to take away is to unlink, and none of
//! them depends on how many others there are. For each period there is to be a queue; who has a different period for
//! everything takes the [`Wheel`].
//!
//! ```text
//!   queues, newest first      600 s:  a -> b -> c        expires at the front, grows at the end
//!                            1200 s:  b' -> d
//!   routes                    b: b, b'                   what goes when the route goes
//! ```
//!
//! Nothing is called from in here. [`Timers::next_due`] hands out one expired timer at a time, which is then on no list
//! any more, and its owner does what is to be done. So an action may do anything: delete its route, put itself back,
//! delete the route whose timer is next, destroy its queue.
//!
//! Nor is anything looked up. The owner of a route keeps a [`RouteTimers`] beside it, as an rtentry has the head of a list,
//! and finds the route's timers by that.
//!
//! # Rules
//!
//! The numbers are those of the project's clauses for rt_timer(9); tests name the ones they hold as all tests of routes do.
//!
//! - S1.18: a timer is due at the first tick *later* than the end of its period. It is never early, and one that puts
//!   itself back does not run twice in a tick, even on a queue of period zero.
//! - S1.15: what counts is the queue's period now, not the one when the timer was added.
//! - S1.05: a route has at most one timer for an action. To add it again is to put it off, or to move it to another
//!   queue; it needs no memory and does not fail.
//! - S1.17: a queue is destroyed with its timers' actions, or without.
//! - S1.20: with a route go its timers, and none of their actions runs.
//! - Within a tick the newest queue is swept first, and each from its front.
//!
//! Time is whole seconds. It is told, and does not run backwards: an earlier moment counts as the latest one seen.

mod slab;
#[cfg(test)]
mod tests;
mod wheel;

use std::time::Duration;

pub use wheel::{DeadlineId, Wheel};

use self::slab::{Handle, Links, List, Slab};
use crate::time::Timestamp;

/// Timers on routes `R` that call out for an action `A` (rt_timer).
#[derive(Debug)]
pub struct Timers<R, A> {
    queues: Slab<Queue>,
    /// All queues, newest first.
    order: List,
    timers: Slab<Timer<A>>,
    /// The routes that have timers.
    routes: Slab<Route<R>>,
    clock: Clock,
    /// While a tick is not over: the queue to look at next.
    sweep: Option<Sweep>,
}

/// A queue of timers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QueueId(Handle);

/// A timer on a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TimerId(Handle);

/// What the owner of a route keeps beside it: where its timers are, if it has any.
#[derive(Debug, Clone, Copy, Default)]
pub struct RouteTimers(Option<Handle>);

/// How many there may be, and how often it is looked for what is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most queues.
    pub queues: usize,
    /// Most timers on all queues together.
    pub timers: usize,
    /// The time between two ticks.
    pub tick: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { queues: 1024, timers: 1 << 22, tick: Duration::from_secs(1) }
    }
}

/// Why something cannot be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TimerError {
    /// There is no room for another one.
    #[error("there is no room for another one")]
    NoBuffers,
    /// There is no such queue, or it is being destroyed.
    #[error("there is no such queue, or it is being destroyed")]
    Invalid,
}

/// What happens to the timers of a queue that goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destroy {
    /// Their actions are run, once each and in order: they come out of [`Timers::next_destroyed`].
    RunActions,
    /// They are dropped.
    Discard,
}

/// A timer that has left its queue, and whose action is to be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expired<R, A> {
    /// The route it was for.
    pub route: R,
    /// What is to be done.
    pub action: A,
    /// The queue it was on.
    pub queue: QueueId,
    /// The second in which it was added, or last put off.
    pub added: u64,
}

impl<R: Copy, A: Copy + Eq> Timers<R, A> {
    /// No queues yet.
    pub fn new(limits: Limits) -> Self {
        Self {
            queues: Slab::new(limits.queues),
            order: List::EMPTY,
            timers: Slab::new(limits.timers),
            routes: Slab::new(limits.timers),
            clock: Clock::new(limits.tick),
            sweep: None,
        }
    }

    /// Makes a queue whose timers run for `period`, in whole seconds, rounded up (rt_timer_queue_create).
    ///
    /// # Errors
    ///
    /// [`TimerError::NoBuffers`] when there are too many.
    pub fn create_queue(&mut self, period: Duration) -> Result<QueueId, TimerError> {
        let queue = Queue {
            period: whole_seconds(period),
            timers: List::EMPTY,
            count: 0,
            is_closing: false,
            in_order: Links::NOWHERE,
        };
        let index = self.queues.insert(queue).ok_or(TimerError::NoBuffers)?;
        self.order.push_front(&mut self.queues, index, |queue| &mut queue.in_order);
        Ok(QueueId(self.queues.handle(index)))
    }

    /// Gives a queue another period, which counts for the timers on it, too, from the next tick on
    /// (rt_timer_queue_change).
    ///
    /// # Errors
    ///
    /// [`TimerError::Invalid`] when there is no such queue.
    pub fn change_queue(&mut self, queue: QueueId, period: Duration) -> Result<(), TimerError> {
        let index = self.open(queue)?;
        self.queues.at_mut(index).period = whole_seconds(period);
        Ok(())
    }

    /// Takes a queue away (rt_timer_queue_destroy). With [`Destroy::RunActions`] it takes nothing new from now on, its
    /// timers come out of [`Timers::next_destroyed`], and after the last one it is gone.
    ///
    /// # Errors
    ///
    /// [`TimerError::Invalid`] when there is no such queue.
    pub fn destroy_queue(&mut self, queue: QueueId, timers: Destroy) -> Result<(), TimerError> {
        let index = self.open(queue)?;
        match timers {
            Destroy::RunActions => self.queues.at_mut(index).is_closing = true,
            Destroy::Discard => {
                while let Some(timer) = self.queues.at(index).timers.first() {
                    self.take(timer);
                }
                self.drop_queue(index);
            }
        }
        Ok(())
    }

    /// Takes the next timer of a queue that is destroyed with its actions; nothing once the queue is gone.
    pub fn next_destroyed(&mut self, queue: QueueId) -> Option<Expired<R, A>> {
        let index = self.queues.find(queue.0)?;
        let Queue { timers, is_closing, .. } = self.queues.at(index);
        match (is_closing, timers.first()) {
            (false, _) => None,
            (true, Some(timer)) => Some(self.take(timer)),
            (true, None) => {
                self.drop_queue(index);
                None
            }
        }
    }

    /// Puts a timer for `route` on a queue; the route's timer for the same action, wherever it is, is the one that is
    /// put there (rt_timer_add). `of_route` is what is kept beside the route, and always the same for it.
    ///
    /// # Errors
    ///
    /// [`TimerError::Invalid`] when there is no such queue, [`TimerError::NoBuffers`] when there are too many timers;
    /// the latter never for a timer that is there already.
    pub fn add(
        &mut self,
        of_route: &mut RouteTimers,
        route: R,
        action: A,
        queue: QueueId,
        now: Timestamp,
    ) -> Result<TimerId, TimerError> {
        let queue = self.open(queue)?;
        let added = self.clock.see(now);
        let known = self.find(*of_route);
        let index = if let Some(index) = known.and_then(|route| self.timer(route, action)) {
            self.leave_queue(index);
            let timer = self.timers.at_mut(index);
            (timer.queue, timer.added) = (queue, added);
            index
        } else {
            if self.timers.is_full() {
                return Err(TimerError::NoBuffers);
            }
            let place = || self.routes.insert(Route { route, timers: List::EMPTY });
            let route = known.or_else(place).ok_or(TimerError::NoBuffers)?;
            of_route.0 = Some(self.routes.handle(route));
            let (in_queue, in_route) = (Links::NOWHERE, Links::NOWHERE);
            let timer = Timer { route, action, queue, added, in_queue, in_route };
            let index = self.timers.insert(timer).expect("it is not full");
            self.routes.at_mut(route).timers.push_back(&mut self.timers, index, |timer| &mut timer.in_route);
            index
        };
        let Queue { timers, count, .. } = self.queues.at_mut(queue);
        timers.push_back(&mut self.timers, index, |timer| &mut timer.in_queue);
        *count += 1;
        Ok(TimerId(self.timers.handle(index)))
    }

    /// Takes a timer away without running its action; whether it was there.
    pub fn remove(&mut self, timer: TimerId) -> bool {
        let Some(index) = self.timers.find(timer.0) else { return false };
        self.take(index);
        true
    }

    /// Takes all timers of a route away without running their actions; returns how many there were
    /// (rt_timer_remove_all).
    pub fn remove_all(&mut self, of_route: &mut RouteTimers) -> usize {
        let Some(route) = self.find(std::mem::take(of_route)) else { return 0 };
        let (mut next, mut removed) = (self.routes.remove(route).timers.first(), 0);
        while let Some(index) = next {
            next = self.timers.at(index).in_route.next();
            self.leave_queue(index);
            self.timers.remove(index);
            removed += 1;
        }
        removed
    }

    /// Whether a route has a timer.
    pub fn has_any(&self, of_route: RouteTimers) -> bool {
        self.find(of_route).is_some()
    }

    /// The second in which the period of a route's timer for an action is over, as its queue is now.
    pub fn end(&self, of_route: RouteTimers, action: A) -> Option<u64> {
        let Timer { queue, added, .. } = self.timers.at(self.timer(self.find(of_route)?, action)?);
        Some(added.saturating_add(self.queues.at(*queue).period))
    }

    /// Takes one timer that is due at `now`; nothing when this tick is over, or not yet due.
    ///
    /// A tick sees every queue once. What actions do meanwhile counts: timers they take away do not expire, and queues
    /// they make are for the next tick.
    pub fn next_due(&mut self, now: Timestamp) -> Option<Expired<R, A>> {
        if self.sweep.is_none() && self.clock.ticks(now) {
            self.sweep = Some(Sweep { second: self.clock.latest, queue: self.order.first() });
        }
        let Sweep { second, mut queue } = self.sweep?;
        while let Some(index) = queue {
            let Queue { period, timers, in_order, .. } = self.queues.at(index);
            // Strictly: a timer added in this very second has not run for even a part of it for sure.
            let is_due = |timer: &u32| self.timers.at(*timer).added.saturating_add(*period) < second;
            if let Some(timer) = timers.first().filter(is_due) {
                self.sweep = Some(Sweep { second, queue });
                return Some(self.take(timer));
            }
            queue = in_order.next();
        }
        self.sweep = None;
        None
    }

    /// How many timers are on a queue; nothing, if there is no such queue.
    pub fn count(&self, queue: QueueId) -> Option<usize> {
        self.queues.find(queue.0).map(|index| self.queues.at(index).count)
    }

    /// How long timers on a queue run; nothing, if there is no such queue.
    pub fn period(&self, queue: QueueId) -> Option<Duration> {
        self.queues.find(queue.0).map(|index| Duration::from_secs(self.queues.at(index).period))
    }

    /// How many timers there are on all queues together.
    pub fn len(&self) -> usize {
        self.timers.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The index of a queue that takes timers.
    fn open(&self, queue: QueueId) -> Result<u32, TimerError> {
        self.queues.find(queue.0).filter(|index| !self.queues.at(*index).is_closing).ok_or(TimerError::Invalid)
    }

    /// The index of a route that has timers.
    fn find(&self, of_route: RouteTimers) -> Option<u32> {
        of_route.0.and_then(|handle| self.routes.find(handle))
    }

    /// A route's timer for an action. There are as many to look through as there are kinds of actions, at most.
    fn timer(&self, route: u32, action: A) -> Option<u32> {
        let mut next = self.routes.at(route).timers.first();
        while let Some(index) = next {
            let timer = self.timers.at(index);
            if timer.action == action {
                return Some(index);
            }
            next = timer.in_route.next();
        }
        None
    }

    /// Takes a timer off all lists and out.
    fn take(&mut self, index: u32) -> Expired<R, A> {
        let queue = QueueId(self.queues.handle(self.timers.at(index).queue));
        self.leave_queue(index);
        let place = self.timers.at(index).route;
        let Route { route, timers } = self.routes.at_mut(place);
        let route = *route;
        timers.unlink(&mut self.timers, index, |timer| &mut timer.in_route);
        if timers.is_empty() {
            self.routes.remove(place);
        }
        let Timer { action, added, .. } = self.timers.remove(index);
        Expired { route, action, queue, added }
    }

    fn leave_queue(&mut self, index: u32) {
        let Queue { timers, count, .. } = self.queues.at_mut(self.timers.at(index).queue);
        timers.unlink(&mut self.timers, index, |timer| &mut timer.in_queue);
        *count -= 1;
    }

    /// Takes an empty queue away. A tick that would have looked at it next goes on after it.
    fn drop_queue(&mut self, index: u32) {
        if let Some(sweep) = &mut self.sweep
            && sweep.queue == Some(index)
        {
            sweep.queue = self.queues.at(index).in_order.next();
        }
        self.order.unlink(&mut self.queues, index, |queue| &mut queue.in_order);
        self.queues.remove(index);
    }
}

#[derive(Debug)]
struct Queue {
    period: u64,
    timers: List,
    count: usize,
    /// Its timers are being run, and it takes no more.
    is_closing: bool,
    in_order: Links,
}

#[derive(Debug)]
struct Timer<A> {
    added: u64,
    queue: u32,
    route: u32,
    in_queue: Links,
    in_route: Links,
    action: A,
}

/// A route with its timers, at least one.
#[derive(Debug)]
struct Route<R> {
    route: R,
    timers: List,
}

/// A tick that is not over.
#[derive(Debug, Clone, Copy)]
struct Sweep {
    second: u64,
    queue: Option<u32>,
}

/// Whole seconds that never run backwards, and when the next tick is.
#[derive(Debug)]
struct Clock {
    latest: u64,
    tick: Duration,
    next_tick: Timestamp,
}

impl Clock {
    fn new(tick: Duration) -> Self {
        Self { latest: 0, tick: tick.max(Duration::from_nanos(1)), next_tick: Timestamp::ZERO }
    }

    /// The second it is.
    fn see(&mut self, now: Timestamp) -> u64 {
        self.latest = self.latest.max(now.since(Timestamp::ZERO).as_secs());
        self.latest
    }

    /// Whether there is a tick at `now`. One that comes late stands for all that were missed.
    fn ticks(&mut self, now: Timestamp) -> bool {
        self.see(now);
        if now < self.next_tick {
            return false;
        }
        let tick = u64::try_from(self.tick.as_nanos()).unwrap_or(u64::MAX);
        self.next_tick = Timestamp::from_nanos(now.as_nanos() / tick * tick) + self.tick;
        true
    }
}

fn whole_seconds(period: Duration) -> u64 {
    period.as_secs().saturating_add(u64::from(period.subsec_nanos() > 0))
}
