//! Timers on routes: what is deleted when, and in how many publishes (rt_timer(9), rows TM of the project's table).

use std::collections::BTreeMap;
use std::time::Duration;

use boundary::NextHop;
use control::config;
use control::{Fibs, Setup, TimerAction};
use control_api::{
    ErrorKind, MetricMask, Network, QueueName, Reply, Request, RouteFilter, RouteMessage, Selection, Target,
    TimerQueue, Verb,
};
use proptest::prelude::*;

use crate::scene::*;

const SECOND: Duration = Duration::from_secs(1);

fn queue(name: &str) -> QueueName {
    name.parse().unwrap()
}

fn network(text: &str) -> Network {
    text.parse().unwrap()
}

fn create(name: &str, period_seconds: u64) -> Request {
    Request::TimerCreate { queue: queue(name), period_seconds }
}

fn change(name: &str, period_seconds: u64) -> Request {
    Request::TimerChange { queue: queue(name), period_seconds }
}

fn destroy(name: &str, run_actions: bool) -> Request {
    Request::TimerDestroy { queue: queue(name), run_actions }
}

fn add(name: &str, to: &str) -> Request {
    Request::TimerAdd { queue: queue(name), fib: 0, to: network(to) }
}

fn clear(to: &str) -> Request {
    Request::TimerClear { fib: 0, to: network(to) }
}

/// A scene at second 1000, with blackholes to these networks and a queue `short` of ten seconds.
fn scene(routes: &[&str]) -> Scene {
    let mut scene = Scene::with(Setup { fibs: Fibs::new(2).unwrap(), ..setup() });
    scene.pass(999 * SECOND);
    for route in routes {
        scene.add_route(route, Target::Blackhole);
    }
    scene.done(create("short", 10));
    scene
}

impl Scene {
    fn done(&mut self, request: Request) {
        assert_eq!(self.ask(request), Ok(Reply::Done));
    }

    fn has(&mut self, to: &str) -> bool {
        let filter = RouteFilter { to: Selection::Exact(network(to)), ..RouteFilter::default() };
        self.ask(Request::RouteShow { filter }) != Ok(Reply::Routes(Vec::new()))
    }

    fn queues(&mut self) -> Vec<(String, u64, usize)> {
        let Ok(Reply::Timers(queues)) = self.ask(Request::TimerList) else { panic!("no queues") };
        let shown = |TimerQueue { queue, period_seconds, timers }| (queue.to_string(), period_seconds, timers);
        queues.into_iter().map(shown).collect()
    }

    fn timers(&mut self, name: &str) -> Option<usize> {
        self.queues().into_iter().find(|(queue, ..)| queue == name).map(|(.., timers)| timers)
    }

    fn seconds(&mut self, seconds: u64) {
        (0..seconds).for_each(|_| self.pass(SECOND));
    }
}

// holds S1.01, S1.02, S1.09, TM-01
#[test]
fn tm_01_queues_are_listed_with_their_periods_and_without_timers() {
    let mut scene = scene(&[]);
    scene.done(create("ten", 600));
    scene.done(create("twenty", 1200));
    let listed = [("arp", 1200), ("pmtu", 600), ("redirect", 600), ("short", 10), ("ten", 600), ("twenty", 1200)];
    assert_eq!(scene.queues(), listed.map(|(name, period)| (name.to_owned(), period, 0)));
}

// holds S1.05, S1.18
#[test]
fn a_route_on_a_queue_is_there_for_the_period_and_gone_at_the_tick_after_it() {
    let mut scene = scene(&["10.0.0.0/8"]);
    scene.done(add("short", "10.0.0.0/8"));
    scene.seconds(10);
    assert_eq!(scene.fate(ip("10.1.2.3")), Some(NextHop::Blackhole));
    scene.seconds(1);
    assert_eq!(scene.fate(ip("10.1.2.3")), None, "without anybody having asked for it");
    assert!(!scene.has("10.0.0.0/8"));
}

// holds S1.19, TM-05
#[test]
fn tm_05_a_host_route_whose_time_is_over_is_deleted_with_its_timer() {
    let mut scene = scene(&["10.1.2.3/32", "2001:db8:9::1/128"]);
    for host in ["10.1.2.3/32", "2001:db8:9::1/128"] {
        scene.done(add("short", host));
    }
    assert_eq!(scene.timers("short"), Some(2));
    scene.seconds(11);
    assert!(!scene.has("10.1.2.3/32") && !scene.has("2001:db8:9::1/128"));
    assert_eq!(scene.timers("short"), Some(0));
    assert_eq!(scene.control.counts().routes_expired, 2);
}

// holds S1.19, TM-06
#[test]
fn tm_06_a_network_is_deleted_as_well_and_what_follows_from_a_port_is_not() {
    let mut scene = scene(&["10.0.0.0/24"]);
    scene.done(add("short", "10.0.0.0/24"));
    let now = scene.now;
    for connected in ["192.0.2.0/24", "192.0.2.1/32"] {
        scene.control.add_timer(network(connected), TimerAction::Delete, &queue("short"), now).unwrap();
    }
    scene.seconds(11);
    assert_eq!(["10.0.0.0/24", "192.0.2.0/24", "192.0.2.1/32"].map(|to| scene.has(to)), [false, true, true]);
    let counts = scene.control.counts();
    assert_eq!((counts.routes_expired, counts.expiries_refused), (1, 2));
}

// holds S1.05, S1.13, S1.15
#[test]
fn to_add_a_route_again_puts_its_end_off_and_to_change_the_period_moves_it() {
    let mut scene = scene(&["10.0.0.0/8"]);
    scene.done(add("short", "10.0.0.0/8"));
    scene.seconds(8);
    scene.done(add("short", "10.0.0.0/8"));
    scene.seconds(10);
    assert_eq!((scene.has("10.0.0.0/8"), scene.timers("short")), (true, Some(1)));
    scene.done(change("short", 100));
    scene.seconds(10);
    assert!(scene.has("10.0.0.0/8"));
    scene.done(change("short", 0));
    scene.seconds(1);
    assert!(!scene.has("10.0.0.0/8"));
}

// holds S1.04, S1.17, TM-13, TM-14
#[test]
fn a_queue_that_goes_takes_its_routes_along_only_if_it_is_told_to() {
    for (run_actions, is_left) in [(true, false), (false, true)] {
        let mut scene = scene(&["10.0.0.0/8", "10.9.0.0/16"]);
        scene.done(add("short", "10.0.0.0/8"));
        scene.done(add("short", "10.9.0.0/16"));
        let generation = scene.generation();
        scene.done(destroy("short", run_actions));
        assert_eq!(scene.has("10.0.0.0/8"), is_left);
        assert_eq!(scene.generation() - generation, u64::from(run_actions), "all of them at once");
        assert_eq!(scene.timers("short"), None);
        scene.seconds(20);
        assert_eq!(scene.has("10.9.0.0/16"), is_left);
        scene.done(create("short", 1));
    }
}

// holds S1.06, S1.20, TM-15
#[test]
fn tm_15_with_a_deleted_route_go_its_timers_and_a_new_one_does_not_inherit_them() {
    let mut scene = scene(&["10.0.0.0/8"]);
    let call = scene.control.timer_function(|_, called| panic!("{called:?}"));
    scene.done(add("short", "10.0.0.0/8"));
    let now = scene.now;
    scene.control.add_timer(network("10.0.0.0/8"), TimerAction::Call(call), &queue("pmtu"), now).unwrap();
    scene.done(Request::RouteDel { to: network("10.0.0.0/8") });
    assert_eq!((scene.timers("short"), scene.timers("pmtu")), (Some(0), Some(0)));
    scene.add_route("10.0.0.0/8", Target::Blackhole);
    scene.seconds(700);
    assert!(scene.has("10.0.0.0/8"));
}

#[test]
fn a_route_that_is_changed_to_lead_elsewhere_keeps_its_timer() {
    let mut scene = scene(&["10.0.0.0/8"]);
    scene.done(add("short", "10.0.0.0/8"));
    scene.done(Request::RouteReplace { to: network("10.0.0.0/8"), target: Target::Unreachable });
    scene.seconds(11);
    assert!(!scene.has("10.0.0.0/8"));
}

// holds S1.06, TM-16
#[test]
fn tm_16_a_route_that_is_cleared_stays_and_says_how_many_timers_it_had() {
    let mut scene = scene(&["10.0.0.0/8"]);
    assert_eq!(scene.ask(clear("10.0.0.0/8")), Ok(Reply::TimersCleared(0)));
    scene.done(add("short", "10.0.0.0/8"));
    assert_eq!(scene.ask(clear("10.0.0.0/8")), Ok(Reply::TimersCleared(1)));
    scene.seconds(20);
    assert!(scene.has("10.0.0.0/8"));
}

// holds S1.07, S1.20, TM-17
#[test]
fn tm_17_a_call_may_delete_the_route_that_is_next_and_that_one_s_timer_never_runs() {
    let mut scene = scene(&["10.1.0.0/16", "10.2.0.0/16"]);
    let deletes = scene.control.timer_function(|control, called| {
        assert_eq!(called.route, network("10.1.0.0/16"));
        assert_eq!((called.added.as_nanos(), called.now.as_nanos()), (1_000_000_000_000, 1_011_000_000_000));
        let next = Request::RouteDel { to: network("10.2.0.0/16") };
        assert_eq!(control.handle_request(next, called.now), Ok(Reply::Done));
    });
    let never = scene.control.timer_function(|_, called| panic!("{called:?}"));
    let now = scene.now;
    for (route, function) in [("10.1.0.0/16", deletes), ("10.2.0.0/16", never)] {
        scene.control.add_timer(network(route), TimerAction::Call(function), &queue("short"), now).unwrap();
    }
    scene.seconds(20);
    assert_eq!((scene.has("10.1.0.0/16"), scene.has("10.2.0.0/16"), scene.timers("short")), (true, false, Some(0)));
}

// holds S1.07, S1.18
#[test]
fn a_call_may_put_itself_back_and_is_called_once_a_tick() {
    let mut scene = scene(&["10.0.0.0/8"]);
    scene.done(change("short", 0));
    let again = scene.control.timer_function(|control, called| {
        control.add_timer(called.route, called.action, &queue("short"), called.now).unwrap();
        let target =
            if called.now.as_nanos() / 1_000_000_000 % 2 == 0 { Target::Blackhole } else { Target::Unreachable };
        control.handle_request(Request::RouteReplace { to: called.route, target }, called.now).unwrap();
    });
    let now = scene.now;
    scene.control.add_timer(network("10.0.0.0/8"), TimerAction::Call(again), &queue("short"), now).unwrap();
    scene.pass(SECOND);
    assert_eq!(scene.fate(ip("10.1.2.3")), Some(NextHop::Unreachable));
    scene.pass(SECOND);
    assert_eq!(scene.fate(ip("10.1.2.3")), Some(NextHop::Blackhole));
    assert_eq!(scene.timers("short"), Some(1));
}

// holds S1.10, S1.18, TM-19
#[test]
fn tm_19_however_many_routes_end_in_a_tick_it_is_one_publish() {
    const ROUTES: u32 = 500_000;
    let to = |number: u32| Network::host(std::net::Ipv4Addr::from(0x0a00_0000 + number).into());
    let routes = (0..ROUTES)
        .map(|number| config::Route {
            to: to(number),
            target: config::Target::Blackhole,
            weight: 1,
            fib: 0,
            count: None,
        })
        .collect();
    let mut scene = Scene::with(Setup { routes, ..setup() });
    for number in 0..ROUTES {
        scene.done(Request::TimerAdd { queue: queue("pmtu"), fib: 0, to: to(number) });
    }
    scene.add_route("10.0.0.0/8", Target::Unreachable);
    let (before, there) = (scene.generation(), ip("10.0.0.7"));
    assert_eq!(scene.fate(there), Some(NextHop::Blackhole));
    scene.pass(600 * SECOND);
    assert_eq!((scene.generation(), scene.timers("pmtu")), (before, Some(ROUTES as usize)));
    scene.pass(SECOND);
    assert_eq!((scene.generation(), scene.timers("pmtu")), (before + 1, Some(0)));
    assert_eq!(scene.fate(there), Some(NextHop::Unreachable));
    assert_eq!(scene.control.counts().routes_expired, u64::from(ROUTES));
}

// holds S1.18, TM-24
#[test]
fn tm_24_a_leap_of_the_clock_ends_all_that_is_over_in_one_publish() {
    let mut scene = scene(&["10.1.0.0/16", "10.2.0.0/16"]);
    scene.done(add("short", "10.1.0.0/16"));
    scene.seconds(5);
    scene.done(add("pmtu", "10.2.0.0/16"));
    let generation = scene.generation();
    scene.pass(3600 * SECOND);
    assert_eq!((scene.has("10.1.0.0/16"), scene.has("10.2.0.0/16")), (false, false));
    assert_eq!(scene.generation(), generation + 1);
}

// holds S1.17, TM-25
#[test]
fn tm_25_redirects_that_are_switched_off_end_at_once_and_can_be_switched_on_again() {
    let mut scene = scene(&["10.1.0.1/32", "10.1.0.2/32"]);
    for route in ["10.1.0.1/32", "10.1.0.2/32"] {
        scene.done(add("redirect", route));
    }
    let generation = scene.generation();
    scene.done(change("redirect", 0));
    assert_eq!((scene.has("10.1.0.1/32"), scene.has("10.1.0.2/32")), (false, false));
    assert_eq!((scene.generation(), scene.timers("redirect")), (generation + 1, None));
    scene.done(change("redirect", 0));
    assert_eq!(scene.ask(add("redirect", "10.1.0.0/16")).unwrap_err().kind, ErrorKind::NotFound);
    scene.done(change("redirect", 30));
    scene.done(change("redirect", 40));
    assert!(scene.queues().contains(&("redirect".to_owned(), 40, 0)));
}

/// One row per reason.
#[test]
fn a_request_that_cannot_be_is_refused_for_its_reason_and_changes_nothing() {
    #[rustfmt::skip]
    let refused = [
        ("there is one already",           create("short", 5),             ErrorKind::Exists),
        ("one of those always there",      create("pmtu", 5),              ErrorKind::Exists),
        ("no queue to change",             change("long", 5),              ErrorKind::NotFound),
        ("no queue to destroy",            destroy("long", true),          ErrorKind::NotFound),
        ("no queue to be on",              add("long", "10.0.0.0/8"),      ErrorKind::NotFound),
        ("no route to be on it",           add("short", "10.0.0.0/9"),     ErrorKind::NotFound),
        ("a route that cannot be deleted", add("short", "192.0.2.0/24"),   ErrorKind::NotAllowed),
        ("an address of ours",             add("short", "192.0.2.1/32"),   ErrorKind::NotAllowed),
        ("a broadcast nobody sees",        add("short", "192.0.2.255/32"), ErrorKind::NotFound),
        ("no route to clear",              clear("10.0.0.0/9"),            ErrorKind::NotFound),
        ("a queue that is always there",   destroy("arp", false),          ErrorKind::NotAllowed),
        ("that of what redirects made",    destroy("redirect", false),     ErrorKind::NotAllowed),
    ];
    let mut scene = scene(&["10.0.0.0/8"]);
    scene.done(add("short", "10.0.0.0/8"));
    let (before, generation) = (scene.queues(), scene.generation());
    for (why, request, kind) in refused {
        let error = scene.ask(request).unwrap_err();
        assert_eq!(error.kind, kind, "{why}: {error}");
        assert_eq!((scene.queues(), scene.generation()), (before.clone(), generation), "{why}");
    }
}

/// When the route of a table to 10.0.0.0/8 goes.
fn end(scene: &mut Scene, fib: u16) -> Option<u64> {
    let Ok(Reply::Routes(routes)) = scene.ask(Request::RouteShow { filter: RouteFilter { fib, ..Default::default() } })
    else {
        panic!("routes are shown")
    };
    let route = routes.iter().find(|route| route.dst == network("10.0.0.0/8"))?;
    Some(route.detail.as_ref().unwrap().metrics.expire)
}

// holds X12
#[test]
fn a_route_tells_when_a_timer_will_delete_it() {
    let mut scene = scene(&["10.0.0.0/8"]);
    assert_eq!(end(&mut scene, 0), Some(0), "never");
    scene.done(add("short", "10.0.0.0/8"));
    assert_eq!(end(&mut scene, 0), Some(1010));
    scene.done(change("short", 60));
    assert_eq!(end(&mut scene, 0), Some(1060));
    let mut lock = RouteMessage::new(Verb::Lock, ip("10.0.0.0"), Some(ip("255.0.0.0")));
    (lock.inits, lock.metrics.locks) = (MetricMask::EXPIRE, MetricMask::EXPIRE);
    scene.ask(Request::RouteMessage(lock.clone())).unwrap();
    assert_eq!(end(&mut scene, 0), Some(0), "a person alone says when");
    lock.metrics.locks = MetricMask::empty();
    scene.ask(Request::RouteMessage(lock)).unwrap();
    assert_eq!(scene.ask(clear("10.0.0.0/8")), Ok(Reply::TimersCleared(1)));
    assert_eq!(end(&mut scene, 0), Some(0));
}

// holds S1.05, S1.06
#[test]
fn a_timer_is_for_the_route_of_one_table() {
    let mut scene = scene(&["10.0.0.0/8"]);
    let other = RouteMessage::new(Verb::Add, ip("10.0.0.0"), Some(ip("255.0.0.0")));
    scene.ask(Request::RouteMessage(RouteMessage { fib: 1, target: Some(Target::Blackhole), ..other })).unwrap();
    let of_other = |to| Request::TimerAdd { queue: queue("short"), fib: 1, to };
    assert_eq!(scene.ask(of_other(network("10.1.0.0/16"))).unwrap_err().kind, ErrorKind::NotFound);
    scene.done(of_other(network("10.0.0.0/8")));
    assert_eq!((end(&mut scene, 0), end(&mut scene, 1)), (Some(0), Some(1010)));
    assert_eq!(scene.ask(clear("10.0.0.0/8")), Ok(Reply::TimersCleared(0)), "the main table's has none");
    scene.seconds(11);
    assert_eq!((end(&mut scene, 0), end(&mut scene, 1)), (Some(0), None));
}

// holds S1.14
#[test]
fn a_period_of_a_century_or_of_all_time_is_a_period() {
    let mut scene = scene(&["10.0.0.0/8"]);
    for (name, seconds) in [("century", 100 * 365 * 86_400), ("ever", u64::MAX)] {
        scene.done(create(name, seconds));
        scene.done(add(name, "10.0.0.0/8"));
        scene.seconds(3);
        assert!(scene.has("10.0.0.0/8"));
    }
}

// holds S1.02
#[test]
fn there_is_an_end_to_queues() {
    let mut scene = scene(&[]);
    let refused = (0..2000).find_map(|number| scene.ask(create(&format!("q{number}"), 5)).err()).unwrap();
    assert_eq!(refused.kind, ErrorKind::Busy);
    scene.done(destroy("q7", false));
    scene.done(create("another", 5));
}

/// What people ask, in any order: queues `a` to `d`, and routes 10.0.0.0/16 to 10.5.0.0/16.
#[derive(Debug, Clone)]
enum Step {
    Create(u8, u64),
    Change(u8, u64),
    Destroy(u8, bool),
    AddRoute(u8),
    DeleteRoute(u8),
    Arm(u8, u8),
    Clear(u8),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let period = || prop_oneof![0..5_u64, 0..60_u64, any::<u64>()];
    let (queues, routes) = (0..4_u8, 0..6_u8);
    prop_oneof![
        2 => (queues.clone(), period()).prop_map(|(queue, period)| Step::Create(queue, period)),
        1 => (queues.clone(), period()).prop_map(|(queue, period)| Step::Change(queue, period)),
        1 => (queues.clone(), any::<bool>()).prop_map(|(queue, runs)| Step::Destroy(queue, runs)),
        4 => routes.clone().prop_map(Step::AddRoute),
        1 => routes.clone().prop_map(Step::DeleteRoute),
        6 => (queues, routes.clone()).prop_map(|(queue, route)| Step::Arm(queue, route)),
        1 => routes.prop_map(Step::Clear),
        5 => prop_oneof![3 => 0..3_u64, 1 => 0..100_u64].prop_map(Step::Pass),
    ]
}

/// The plain meaning: who is there, who is on which queue since when.
#[derive(Debug, Default)]
struct Model {
    periods: BTreeMap<u8, u64>,
    routes: BTreeMap<u8, Option<(u8, u64)>>,
    /// The second of the last tick: there is one in each.
    ticked: u64,
}

impl Model {
    /// Whether a request is granted, and what becomes of it if it is.
    fn does(&mut self, step: &Step, now: u64) -> bool {
        let on = |armed: &Option<(u8, u64)>, queue: u8| armed.is_some_and(|(on, _)| on == queue);
        match *step {
            Step::Create(queue, period) => {
                let is_new = !self.periods.contains_key(&queue);
                self.periods.entry(queue).or_insert(period);
                is_new
            }
            Step::Change(queue, period) => self.periods.get_mut(&queue).map(|old| *old = period).is_some(),
            Step::Destroy(queue, true) => {
                self.routes.retain(|_, armed| !on(armed, queue));
                self.periods.remove(&queue).is_some()
            }
            Step::Destroy(queue, false) => {
                self.routes.values_mut().filter(|armed| on(armed, queue)).for_each(|armed| *armed = None);
                self.periods.remove(&queue).is_some()
            }
            Step::AddRoute(route) => {
                let is_new = !self.routes.contains_key(&route);
                self.routes.entry(route).or_insert(None);
                is_new
            }
            Step::DeleteRoute(route) => self.routes.remove(&route).is_some(),
            Step::Arm(queue, route) => match self.routes.get_mut(&route) {
                Some(armed) if self.periods.contains_key(&queue) => {
                    *armed = Some((queue, now));
                    true
                }
                Some(_) | None => false,
            },
            Step::Clear(route) => self.routes.get_mut(&route).map(|armed| *armed = None).is_some(),
            Step::Pass(_) => true,
        }
    }

    fn tick(&mut self, now: u64) {
        if std::mem::replace(&mut self.ticked, now) == now {
            return;
        }
        let periods = &self.periods;
        let is_over = |(queue, added): (u8, u64)| added.saturating_add(periods[&queue]) < now;
        self.routes.retain(|_, armed| !armed.is_some_and(is_over));
    }
}

proptest! {
    // holds S1.01, S1.03, S1.04, S1.05, S1.06, S1.15, S1.17, S1.18, S1.19, S1.20
    #[test]
    fn whatever_is_asked_in_whatever_order_the_routes_that_are_there_are_those_that_should_be(
        steps in proptest::collection::vec(step(), 0..80),
    ) {
        let name = |queue: u8| char::from(b'a' + queue).to_string();
        let to = |route: u8| format!("10.{route}.0.0/16");
        let mut scene = Scene::new();
        let mut model = Model::default();
        let mut now = 1;
        for step in steps {
            let request = match step {
                Step::Create(queue, period) => create(&name(queue), period),
                Step::Change(queue, period) => change(&name(queue), period),
                Step::Destroy(queue, runs) => destroy(&name(queue), runs),
                Step::AddRoute(route) => Request::RouteAdd { to: network(&to(route)), target: Target::Blackhole },
                Step::DeleteRoute(route) => Request::RouteDel { to: network(&to(route)) },
                Step::Arm(queue, route) => add(&name(queue), &to(route)),
                Step::Clear(route) => clear(&to(route)),
                Step::Pass(seconds) => {
                    now += seconds;
                    scene.pass(Duration::from_secs(seconds));
                    model.tick(now);
                    continue;
                }
            };
            prop_assert_eq!(scene.ask(request).is_ok(), model.does(&step, now), "{:?}", step);
            for route in 0..6 {
                prop_assert_eq!(scene.has(&to(route)), model.routes.contains_key(&route), "{} after {:?}", route, step);
            }
            for queue in 0..4 {
                let on_it = model.routes.values().filter(|armed| armed.is_some_and(|(on, _)| on == queue)).count();
                prop_assert_eq!(scene.timers(&name(queue)), model.periods.get(&queue).map(|_| on_it));
            }
        }
    }
}
