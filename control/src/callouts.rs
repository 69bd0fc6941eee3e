//! Timers on routes, as people and the rest of the control plane use them.
//!
//! A route that is put on a queue is called out for when the queue's period is over: by default it is deleted, which is
//! what rt_timer(9) was made for. [`Control::add_timer`] calls any [`TimerFn`] instead; it runs here, between two requests,
//! and may do whatever a request may. All that a tick deletes, workers see in one publish.
//!
//! Queues have names. Three are there from the start, for the periods that routers have always had: `pmtu`, `arp` and
//! `redirect`; who needs another period makes another queue. A route keeps its timers when it is changed to lead
//! elsewhere, and loses them when it is removed, by whomever.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use control_api::{ApiError, ErrorKind, EventKind, Network, QueueName, RouteEvent, RouteFlags, TimerQueue};

use crate::control::Control;
use crate::pmtu::mtu_is_old;
use crate::redirect::redirect_is_over;
use crate::requests::is_daemon_s;
use crate::rib::Protocol;
use crate::routes::MAIN;
use crate::time::Timestamp;
use crate::timers::{Destroy, Expired, Limits, QueueId, RouteTimers, TimerError, Timers};

/// What is to be done for a route when its time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimerAction {
    /// It is deleted.
    Delete,
    /// This is called for it.
    Call(TimerFnId),
}

/// What can be called for a route.
pub type TimerFn = fn(&mut Control, Called);

/// The name of a [`TimerFn`], by which a timer for it is found again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TimerFnId(usize);

/// Which timer it was, and when it was called out for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Called {
    /// The table the route is in.
    pub fib: u16,
    /// The route.
    pub route: Network,
    /// What was to be done.
    pub action: TimerAction,
    /// When the timer was added, or last put off, to the second.
    pub added: Timestamp,
    /// The time.
    pub now: Timestamp,
}

/// A route as timers know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct RouteKey {
    pub(crate) fib: u16,
    pub(crate) network: Network,
    pub(crate) protocol: Protocol,
}

/// The timers of all routes.
#[derive(Debug)]
pub(crate) struct Timed {
    /// What they wait on.
    pub(crate) queues: Timers<RouteKey, TimerAction>,
    /// Of each route that has any, where they are.
    of_route: HashMap<RouteKey, RouteTimers>,
}

impl Default for Timed {
    fn default() -> Self {
        Self::within(Limits::default())
    }
}

impl Timed {
    /// None yet, and never more than this.
    pub(crate) fn within(limits: Limits) -> Self {
        Self { queues: Timers::new(limits), of_route: HashMap::new() }
    }

    fn add(&mut self, route: RouteKey, action: TimerAction, queue: QueueId, now: Timestamp) -> Result<(), TimerError> {
        let mut of_route = self.of_route.get(&route).copied().unwrap_or_default();
        self.queues.add(&mut of_route, route, action, queue, now)?;
        self.of_route.insert(route, of_route);
        Ok(())
    }

    /// The second in which the timer is over that deletes a route, if it has one.
    pub(crate) fn end(&self, route: RouteKey) -> Option<u64> {
        self.queues.end(*self.of_route.get(&route)?, TimerAction::Delete)
    }

    /// Takes all timers of a route away; returns how many there were.
    pub(crate) fn remove_all(&mut self, route: RouteKey) -> usize {
        // Most tables have no route with a timer, and none of theirs is to pay for being looked for.
        let of_route = if self.of_route.is_empty() { None } else { self.of_route.remove(&route) };
        of_route.map_or(0, |mut of_route| self.queues.remove_all(&mut of_route))
    }

    fn destroy_queue(&mut self, queue: QueueId, how: Destroy) -> Result<(), TimerError> {
        self.queues.destroy_queue(queue, how)?;
        if how == Destroy::Discard {
            self.of_route.retain(|_, of_route| self.queues.has_any(*of_route));
        }
        Ok(())
    }

    fn next_due(&mut self, now: Timestamp) -> Option<Expired<RouteKey, TimerAction>> {
        let expired = self.queues.next_due(now)?;
        self.forget_if_idle(expired.route);
        Some(expired)
    }

    fn next_destroyed(&mut self, queue: QueueId) -> Option<Expired<RouteKey, TimerAction>> {
        let expired = self.queues.next_destroyed(queue)?;
        self.forget_if_idle(expired.route);
        Some(expired)
    }

    fn forget_if_idle(&mut self, route: RouteKey) {
        if self.of_route.get(&route).is_some_and(|of_route| !self.queues.has_any(*of_route)) {
            self.of_route.remove(&route);
        }
    }
}

/// Queues by name, and what timers call.
#[derive(Debug)]
pub(crate) struct Callouts {
    queues: BTreeMap<QueueName, QueueId>,
    functions: Vec<TimerFn>,
}

/// What services call is there from the start.
impl Default for Callouts {
    fn default() -> Self {
        Self { queues: BTreeMap::new(), functions: vec![redirect_is_over, mtu_is_old] }
    }
}

impl Control {
    /// Makes `function` something a timer can call.
    pub fn timer_function(&mut self, function: TimerFn) -> TimerFnId {
        self.callouts.functions.push(function);
        TimerFnId(self.callouts.functions.len() - 1)
    }

    /// Puts a timer for the route of the main table to `network` on a queue; the one for the same action, if the route has one, is put off.
    ///
    /// # Errors
    ///
    /// When there is no such route or queue, or no room for another timer.
    pub fn add_timer(
        &mut self,
        network: Network,
        action: TimerAction,
        queue: &QueueName,
        now: Timestamp,
    ) -> Result<(), ApiError> {
        self.add_timer_in(MAIN, network, action, queue, now)
    }

    /// The same for a route of any table.
    pub(crate) fn add_timer_in(
        &mut self,
        fib: u16,
        network: Network,
        action: TimerAction,
        queue: &QueueName,
        now: Timestamp,
    ) -> Result<(), ApiError> {
        let id = self.timer_queue(queue)?;
        let route = self.timed_route(fib, network)?;
        self.routes.timed.add(route, action, id, now).map_err(|error| refused(error, queue))
    }

    /// How long routes that were learnt from a redirect are kept: for no time means that there are to be none, and all
    /// timers on the queue `redirect` are run at once.
    pub fn set_redirect_timeout(&mut self, timeout: Duration, now: Timestamp) -> Result<(), ApiError> {
        let name = service_name(REDIRECT);
        match self.callouts.queues.get(&name).copied() {
            Some(_) if timeout.is_zero() => self.take_queue_away(&name, Destroy::RunActions, now),
            Some(queue) => self.routes.timed.queues.change_queue(queue, timeout).map_err(|error| refused(error, &name)),
            None if timeout.is_zero() => Ok(()),
            None => self.make_queue(name, timeout),
        }
    }

    /// The queues that are there from the start.
    pub(crate) fn create_service_queues(&mut self) {
        for (name, seconds) in SERVICES {
            self.make_queue(service_name(name), Duration::from_secs(seconds)).expect("there is room for the first few");
        }
    }

    /// Runs what is due.
    pub(crate) fn run_timers(&mut self, now: Timestamp) {
        while let Some(expired) = self.routes.timed.next_due(now) {
            self.run_timer(expired, now);
        }
    }

    pub(crate) fn timer_queues(&self) -> Vec<TimerQueue> {
        let timers = &self.routes.timed.queues;
        let shown = |(name, id): (&QueueName, &QueueId)| {
            let (period, timers) = timers.period(*id).zip(timers.count(*id))?;
            Some(TimerQueue { queue: name.clone(), period_seconds: period.as_secs(), timers })
        };
        self.callouts.queues.iter().filter_map(shown).collect()
    }

    pub(crate) fn create_timer_queue(&mut self, queue: QueueName, period_seconds: u64) -> Result<(), ApiError> {
        if self.callouts.queues.contains_key(&queue) {
            return Err(ApiError::new(ErrorKind::Exists, format!("there is a timer queue `{queue}`"))
                .with_hint("use `timer change` to give it another period"));
        }
        self.make_queue(queue, Duration::from_secs(period_seconds))
    }

    pub(crate) fn change_timer_queue(
        &mut self,
        queue: &QueueName,
        period_seconds: u64,
        now: Timestamp,
    ) -> Result<(), ApiError> {
        let period = Duration::from_secs(period_seconds);
        if *queue == service_name(REDIRECT) {
            return self.set_redirect_timeout(period, now);
        }
        let id = self.timer_queue(queue)?;
        self.routes.timed.queues.change_queue(id, period).map_err(|error| refused(error, queue))
    }

    pub(crate) fn destroy_timer_queue(
        &mut self,
        queue: &QueueName,
        run_actions: bool,
        now: Timestamp,
    ) -> Result<(), ApiError> {
        if SERVICES.iter().any(|(service, _)| service_name(service) == *queue) {
            return Err(ApiError::new(ErrorKind::NotAllowed, format!("the timer queue `{queue}` is always there"))
                .with_hint("take routes off it with `timer clear`, or give it another period with `timer change`"));
        }
        self.take_queue_away(queue, if run_actions { Destroy::RunActions } else { Destroy::Discard }, now)
    }

    /// A person wants a static route to be deleted later.
    pub(crate) fn arm_route(
        &mut self,
        queue: &QueueName,
        fib: u16,
        network: Network,
        now: Timestamp,
    ) -> Result<(), ApiError> {
        let protocol = self.timed_route(fib, network)?.protocol;
        if protocol == Protocol::Daemon {
            return Err(is_daemon_s(network));
        }
        if protocol != Protocol::Static {
            return Err(ApiError::new(
                ErrorKind::NotAllowed,
                format!("the route to {network} follows from a port's address and cannot be removed, now or later"),
            )
            .with_hint("name a static route"));
        }
        self.add_timer_in(fib, network, TimerAction::Delete, queue, now)
    }

    /// Takes all timers of a route away; returns how many there were.
    pub(crate) fn clear_timers(&mut self, fib: u16, network: Network) -> Result<usize, ApiError> {
        let route = self.timed_route(fib, network)?;
        Ok(self.routes.timed.remove_all(route))
    }

    fn make_queue(&mut self, name: QueueName, period: Duration) -> Result<(), ApiError> {
        let id = self.routes.timed.queues.create_queue(period).map_err(|error| refused(error, &name))?;
        self.callouts.queues.insert(name, id);
        Ok(())
    }

    fn take_queue_away(&mut self, name: &QueueName, how: Destroy, now: Timestamp) -> Result<(), ApiError> {
        let id = self.timer_queue(name)?;
        self.routes.timed.destroy_queue(id, how).map_err(|error| refused(error, name))?;
        while let Some(expired) = self.routes.timed.next_destroyed(id) {
            self.run_timer(expired, now);
        }
        self.callouts.queues.remove(name);
        Ok(())
    }

    fn run_timer(&mut self, expired: Expired<RouteKey, TimerAction>, now: Timestamp) {
        let Expired { route, action, added, .. } = expired;
        let RouteKey { fib, network, protocol } = route;
        match action {
            TimerAction::Delete if !self.is_pinned(route) => {
                self.counts.routes_expired += u64::from(self.routes.remove(fib, network, protocol).is_some());
            }
            TimerAction::Delete => {
                tracing::warn!(%network, "a timer cannot delete a pinned route, as those of a port's addresses are");
                self.counts.expiries_refused += 1;
                self.routes.events.emit(|_events| RouteEvent {
                    errno: ErrorKind::NotAllowed.errno().map(Cow::from),
                    dst: Some(network),
                    ..RouteEvent::new(EventKind::Delete, Some(fib))
                });
            }
            TimerAction::Call(TimerFnId(function)) => {
                let added = Timestamp::ZERO + Duration::from_secs(added);
                self.callouts.functions[function](self, Called { fib, route: network, action, added, now });
            }
        }
    }

    pub(crate) fn timer_queue(&self, name: &QueueName) -> Result<QueueId, ApiError> {
        self.callouts.queues.get(name).copied().ok_or_else(|| no_queue(name))
    }

    fn is_pinned(&self, RouteKey { fib, network, protocol }: RouteKey) -> bool {
        let route = self.routes.get(fib, network, protocol);
        route.is_some_and(|entry| entry.flags().contains(RouteFlags::PINNED))
    }

    /// The route to exactly `network` that timers are put on.
    fn timed_route(&self, fib: u16, network: Network) -> Result<RouteKey, ApiError> {
        self.existing_fib(fib)?;
        let best = self.routes.first(fib, network).filter(|entry| entry.facts().leads.is_listed());
        best.map(|entry| entry.protocol()).map(|protocol| RouteKey { fib, network, protocol }).ok_or_else(|| {
            ApiError::new(ErrorKind::NotFound, format!("there is no route to {network}"))
                .with_hint("see `route show` for those there are")
        })
    }
}

fn refused(error: TimerError, queue: &QueueName) -> ApiError {
    match error {
        TimerError::Invalid => no_queue(queue),
        TimerError::NoBuffers => ApiError::new(ErrorKind::Busy, "there are as many timers as there is room for")
            .with_hint("wait for some to run out, or take some away with `timer clear` or `timer destroy`"),
    }
}

fn no_queue(queue: &QueueName) -> ApiError {
    ApiError::new(ErrorKind::NotFound, format!("there is no timer queue `{queue}`"))
        .with_hint("see `timer list` for those there are")
}

pub(crate) fn service_name(name: &str) -> QueueName {
    name.parse().expect("names of ours are names")
}

pub(crate) const PMTU: &str = "pmtu";

pub(crate) const REDIRECT: &str = "redirect";

/// What is done for a route that was on the queue `redirect`, or `pmtu`: their places among the functions there are.
pub(crate) const REDIRECT_IS_OVER: TimerAction = TimerAction::Call(TimerFnId(0));
pub(crate) const MTU_IS_OLD: TimerAction = TimerAction::Call(TimerFnId(1));

/// Ten minutes for what path-MTU discovery and redirects say, twenty for what ARP says.
const SERVICES: [(&str, u64); 3] = [(PMTU, 600), ("arp", 1200), (REDIRECT, 600)];

#[cfg(test)]
mod tests {
    use super::*;

    // holds S1.20
    #[test]
    fn nothing_is_kept_of_a_route_that_has_no_timers_any_more() {
        let second = |second| Timestamp::ZERO + Duration::from_secs(second);
        let route = |text: &str| RouteKey { fib: MAIN, network: text.parse().unwrap(), protocol: Protocol::Static };
        let [a, b, c, d] = ["10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16", "10.4.0.0/16"].map(route);
        let mut timed = Timed::default();
        let [one, other] = [(); 2].map(|()| timed.queues.create_queue(Duration::ZERO).unwrap());
        for (route, queue) in [(a, one), (b, one), (c, other), (d, other)] {
            timed.add(route, TimerAction::Delete, queue, second(1000)).unwrap();
        }
        assert_eq!(timed.remove_all(a), 1);
        timed.destroy_queue(other, Destroy::Discard).unwrap();
        assert_eq!(timed.of_route.keys().copied().collect::<Vec<_>>(), [b]);
        assert_eq!(timed.next_due(second(1001)).map(|expired| expired.route), Some(b));
        assert!(timed.of_route.is_empty() && timed.queues.is_empty());
        assert_eq!(timed.add(c, TimerAction::Delete, other, second(1001)), Err(TimerError::Invalid));
        assert!(timed.of_route.is_empty());
    }
}
