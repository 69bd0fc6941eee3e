//! MS: what is told of routes, to whom, and in which words.

use control::events::{ClientId, Heard, Subscription, queue};
use control::{Asker, LookupFlags, RouteCache};
use control_api::{ErrorKind, EventCounts, EventKind, Network, RouteEvent};

use super::*;

/// Someone who follows a table, or all.
pub(crate) fn follower(scene: &mut Scene, fib: Option<u16>) -> Subscription {
    let (events, subscription) = queue();
    scene.control.follow(events, fib, None, true);
    subscription
}

/// What has been told since the last time, when nothing was lost.
pub(crate) fn told(subscription: &mut Subscription) -> Vec<RouteEvent> {
    let heard = std::iter::from_fn(|| subscription.try_next());
    heard.inspect(|heard| assert_eq!(heard.lost, 0)).map(|heard| RouteEvent::clone(&heard.event)).collect()
}

/// The same, as kinds and destinations.
pub(crate) fn kinds(events: &[RouteEvent]) -> Vec<(EventKind, String)> {
    events.iter().map(|event| (event.kind, event.dst.map(|dst| dst.to_string()).unwrap_or_default())).collect()
}

fn counts(scene: &mut Scene) -> EventCounts {
    match scene.ask(Request::Stats) {
        Ok(Reply::Stats(stats)) => stats.events.unwrap(),
        other => panic!("{other:?}"),
    }
}

/// A client with a request of this number.
const fn client(seq: u32) -> Asker {
    Asker { client: Some(ClientId(1)), pid: 4711, seq, may_change: true, queue: None, config: None }
}

fn asks(scene: &mut Scene, asker: Asker, message: RouteMessage) -> Result<Route, ApiError> {
    match scene.control.handle_asked(Request::RouteMessage(message), asker, scene.now) {
        Ok(Reply::Route(route)) => Ok(route),
        Ok(other) => panic!("{other:?}"),
        Err(refused) => Err(refused),
    }
}

// holds S2.07, S4.02, X34
#[test]
fn ms_01_a_lookup_that_is_to_be_reported_tells_of_its_miss_once() {
    let mut scene = scene();
    let mut follower = follower(&mut scene, None);
    let found = scene.control.routes().lookup(1, ip("203.0.113.9"), LookupFlags::REPORT).unwrap();
    assert!(found.is_none());
    let miss = RouteEvent {
        flags: RouteFlags::DONE,
        dst: Some(Network::host(ip("203.0.113.9"))),
        ..RouteEvent::new(EventKind::Miss, Some(1))
    };
    assert_eq!(told(&mut follower), [miss], "its destination and no more, and no error");
    scene.control.routes_mut().rtalloc(&mut RouteCache::new(ip("2001:db8:9::9")));
    assert_eq!(kinds(&told(&mut follower)), [(EventKind::Miss, "2001:db8:9::9/128".to_owned())]);
}

// holds S2.07
#[test]
fn ms_02_a_lookup_that_is_not_to_be_reported_is_counted_and_told_nobody() {
    let mut scene = scene();
    let mut follower = follower(&mut scene, None);
    let before = scene.control.routes().lookup_counts();
    assert!(scene.control.routes().lookup(1, ip("203.0.113.9"), LookupFlags::empty()).unwrap().is_none());
    assert_eq!(told(&mut follower), []);
    let after = scene.control.routes().lookup_counts();
    assert_eq!((after.unreach - before.unreach, after.reported - before.reported), (1, 0));
}

// holds X36
#[test]
fn ms_03_nothing_is_built_while_nobody_follows() {
    let mut scene = scene();
    let change = |scene: &mut Scene| {
        scene.tell(add("10.0.0.0/8", 1)).unwrap();
        scene.tell(message(Verb::Delete, "10.0.0.0/8")).unwrap();
        assert!(scene.control.routes().lookup(0, ip("203.0.113.9"), LookupFlags::REPORT).unwrap().is_none());
    };
    change(&mut scene);
    assert_eq!(counts(&mut scene), EventCounts::default());
    let follower = follower(&mut scene, None);
    change(&mut scene);
    assert_eq!(counts(&mut scene), EventCounts { subscribers: 1, built: 3, lost: 0 });
    drop(follower);
    scene.tell(add("10.0.0.0/8", 1)).unwrap();
    let after_he_left = counts(&mut scene);
    assert_eq!(after_he_left.subscribers, 0);
    scene.tell(message(Verb::Delete, "10.0.0.0/8")).unwrap();
    assert_eq!(counts(&mut scene), after_he_left);
}

// holds S3.01
#[test]
fn every_change_of_a_table_is_told_in_order_whoever_makes_it() {
    let mut scene = scene();
    let mut follower = follower(&mut scene, None);
    scene.tell(add("10.0.0.0/8", 1)).unwrap();
    scene.tell(message(Verb::Change, "10.0.0.0/8").to(gateway(2, "10.0.0.0/8"))).unwrap();
    scene.add_route("10.1.0.0/16", Target::Blackhole);
    let replaced = Request::RouteReplace { to: "10.1.0.0/16".parse().unwrap(), target: Target::Unreachable };
    assert_eq!(scene.ask(replaced), Ok(Reply::Done));
    assert_eq!(scene.ask(Request::RouteFlush { filter: RouteFilter::default() }), Ok(Reply::Flushed(2)));
    let seen: Vec<_> = told(&mut follower).iter().map(|event| (event.kind, event.flags.letters())).collect();
    let event = |kind, letters: &str| (kind, letters.to_owned());
    assert_eq!(
        seen,
        [
            event(EventKind::Add, "UGS"),
            event(EventKind::Change, "UGS"),
            event(EventKind::Add, "USB"),
            event(EventKind::Delete, "SB"),
            event(EventKind::Add, "URS"),
            event(EventKind::Delete, "GS"),
            event(EventKind::Delete, "RS"),
        ]
    );
}

// holds S1.19, TM-05
#[test]
fn a_route_that_a_timer_deletes_is_told() {
    let mut scene = scene();
    scene.tell(add("10.0.0.0/8", 1)).unwrap();
    let (queue, to) = ("pmtu".parse().unwrap(), "10.0.0.0/8".parse().unwrap());
    assert_eq!(scene.ask(Request::TimerAdd { queue, fib: 0, to }), Ok(Reply::Done));
    let mut follower = follower(&mut scene, None);
    scene.pass(601 * SECOND);
    scene.pass(SECOND);
    assert_eq!(kinds(&told(&mut follower)), [(EventKind::Delete, "10.0.0.0/8".to_owned())]);
}

// holds S1.19, TM-06
#[test]
fn a_timer_that_may_not_delete_its_route_tells_so() {
    let mut scene = scene();
    let (queue, connected) = ("pmtu".parse().unwrap(), "192.0.2.0/24".parse().unwrap());
    scene.control.add_timer(connected, control::TimerAction::Delete, &queue, scene.now).unwrap();
    let mut follower = follower(&mut scene, None);
    scene.pass(601 * SECOND);
    scene.pass(SECOND);
    let refused = RouteEvent {
        errno: Some("EADDRINUSE".into()),
        dst: Some(connected),
        ..RouteEvent::new(EventKind::Delete, Some(0))
    };
    assert_eq!(told(&mut follower), [refused]);
    assert!(scene.shown(0).contains(&connected.to_string()));
}

// holds X36
#[test]
fn ms_14_one_who_never_reads_costs_a_bounded_queue_and_learns_what_he_lost() {
    const EVENTS: u64 = 100_000;
    let mut scene = scene();
    let mut follower = follower(&mut scene, None);
    for _event in 0..EVENTS {
        assert!(scene.control.routes().lookup(0, ip("203.0.113.9"), LookupFlags::REPORT).unwrap().is_none());
    }
    let kept = u64::try_from(control::events::QUEUE_EVENTS).unwrap();
    assert_eq!(counts(&mut scene), EventCounts { subscribers: 1, built: EVENTS, lost: EVENTS - kept });
    assert_eq!(told(&mut follower).len(), control::events::QUEUE_EVENTS, "the oldest are there");
    scene.tell(add("10.0.0.0/8", 1)).unwrap();
    let Some(Heard { lost, event }) = follower.try_next() else { panic!("there is room again") };
    assert_eq!((lost, event.kind), (EVENTS - kept, EventKind::Add));
}

// holds S3.19, X32
#[test]
fn ms_05_what_was_added_is_answered_and_told_as_it_stands_and_as_done() {
    let mut scene = scene();
    let mut follower = follower(&mut scene, None);
    let route = asks(&mut scene, client(7), add("10.0.0.0/8", 1)).unwrap();
    let done = RouteFlags::UP | RouteFlags::DONE | RouteFlags::GATEWAY | RouteFlags::STATIC;
    assert_eq!(detail(&route).flags, done);
    let event = RouteEvent {
        flags: done,
        seq: 7,
        pid: 4711,
        dst: Some("10.0.0.0/8".parse().unwrap()),
        gateway: Some(ip("192.0.2.11")),
        dev: Some("p0".to_owned()),
        ifa: Some(ip("192.0.2.1")),
        metrics: detail(&route).metrics,
        ..RouteEvent::new(EventKind::Add, Some(0))
    };
    assert_eq!(told(&mut follower), [event]);
    let stored = scene.control.routes().lookup(0, ip("10.0.0.1"), LookupFlags::empty()).unwrap().unwrap();
    assert_eq!(stored.flags(), done - RouteFlags::DONE, "no route is done");
}

// holds X32, X39
#[test]
fn ms_06_what_was_refused_is_told_with_its_error_and_not_as_done() {
    let mut scene = scene();
    scene.tell(add("10.0.0.0/8", 1)).unwrap();
    let mut follower = follower(&mut scene, None);
    let refused = asks(&mut scene, client(8), add("10.0.0.0/8", 2)).unwrap_err();
    assert_eq!(refused.kind.errno(), Some("EEXIST"));
    let told = told(&mut follower);
    assert_eq!(kinds(&told), [(EventKind::Add, "10.0.0.0/8".to_owned())]);
    let RouteEvent { errno, flags, seq, pid, gateway, .. } = &told[0];
    assert_eq!((errno.as_deref(), *seq, *pid, *gateway), (Some("EEXIST"), 8, 4711, Some(ip("192.0.2.12"))));
    assert!(!flags.contains(RouteFlags::DONE));
}

// holds X33
#[test]
fn ms_07_what_was_deleted_is_told_as_it_was_but_up() {
    let mut scene = scene();
    scene.tell(add("10.0.0.0/8", 1)).unwrap();
    let mut follower = follower(&mut scene, None);
    let route = asks(&mut scene, client(9), message(Verb::Delete, "10.0.0.0/8")).unwrap();
    let was = RouteFlags::DONE | RouteFlags::GATEWAY | RouteFlags::STATIC;
    assert_eq!((detail(&route).flags, route.gateway), (was, Some(ip("192.0.2.11"))));
    let told = told(&mut follower);
    assert_eq!(kinds(&told), [(EventKind::Delete, "10.0.0.0/8".to_owned())]);
    assert_eq!((told[0].flags, told[0].gateway, told[0].seq), (was, Some(ip("192.0.2.11")), 9));
}

// holds X25
#[test]
fn ms_08_what_is_not_there_cannot_be_deleted() {
    let mut scene = scene();
    let refused = scene.tell(message(Verb::Delete, "10.0.0.0/8")).unwrap_err();
    assert_eq!((refused.kind, refused.kind.errno()), (ErrorKind::NotFound, Some("ESRCH")));
}

// holds X38
#[test]
fn ms_09_a_gateway_behind_another_port_takes_the_route_there() {
    let mut scene = scene();
    scene.tell(add("10.0.0.0/8", 1)).unwrap();
    let mut follower = follower(&mut scene, None);
    let change = message(Verb::Change, "10.0.0.0/8").to(via(ip("198.51.100.11")));
    assert_eq!(scene.tell(change).unwrap().dev.as_deref(), Some("p1"));
    assert_eq!(told(&mut follower)[0].dev.as_deref(), Some("p1"));
    assert_eq!(scene.tell(message(Verb::Get, "10.0.0.1")).unwrap().dev.as_deref(), Some("p1"));
}

// holds X24, X25
#[test]
fn ms_10_a_route_is_asked_for_exactly_by_its_best_match_or_with_bits_beyond_its_mask() {
    let mut scene = scene();
    scene.tell(add("10.0.0.0/8", 1)).unwrap();
    let mut other = follower(&mut scene, None);
    let (queue, mut own) = queue();
    scene.control.follow(queue, None, client(1).client, true);
    for asked in ["10.0.0.0/8", "10.1.2.3", "10.1.2.3/8"] {
        let route = asks(&mut scene, client(3), message(Verb::Get, asked)).unwrap();
        assert_eq!(route.dst.to_string(), "10.0.0.0/8", "{asked}");
        assert_eq!(kinds(&told(&mut own)), [(EventKind::Get, "10.0.0.0/8".to_owned())], "{asked}");
    }
    let refused = asks(&mut scene, client(3), message(Verb::Get, "10.0.0.0/9")).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::NotFound);
    assert_eq!(told(&mut own)[0].errno.as_deref(), Some("ESRCH"));
    assert_eq!(told(&mut other), [], "nothing has happened");
    let without = br#"{"version":1,"request":{"command":"route_message","verb":"get"}}"#;
    assert_eq!(control_api::wire::read_request(without).unwrap_err().kind, ErrorKind::Invalid);
}

// holds X37
#[test]
fn ms_11_who_may_only_look_may_ask_for_a_route_and_change_none() {
    let mut scene = scene();
    scene.tell(add("10.0.0.0/8", 1)).unwrap();
    let mut follower = follower(&mut scene, None);
    let anybody = || Asker { may_change: false, ..client(1) };
    assert!(asks(&mut scene, anybody(), message(Verb::Get, "10.0.0.1")).is_ok());
    told(&mut follower);
    let changes = [
        add("10.1.0.0/16", 1),
        message(Verb::Delete, "10.0.0.0/8"),
        message(Verb::Change, "10.0.0.0/8").flags(RouteFlags::PROTO1),
        message(Verb::Lock, "10.0.0.0/8").metrics(MetricMask::MTU, RouteMetrics::NONE),
    ];
    for change in changes {
        let refused = asks(&mut scene, anybody(), change.clone()).unwrap_err();
        assert_eq!((refused.kind, refused.kind.errno()), (ErrorKind::PermissionDenied, Some("EACCES")), "{change:?}");
        assert_eq!(told(&mut follower)[0].errno.as_deref(), Some("EACCES"), "{change:?}");
    }
    let others = [
        Request::RouteFlush { filter: RouteFilter::default() },
        Request::TimerCreate { queue: "short".parse().unwrap(), period_seconds: 1 },
        Request::TimerClear { fib: 0, to: "10.0.0.0/8".parse().unwrap() },
    ];
    for other in others {
        let refused = scene.control.handle_asked(other, anybody(), scene.now).unwrap_err();
        assert_eq!(refused.kind, ErrorKind::PermissionDenied);
    }
    assert_eq!(
        scene.shown(0),
        [
            "10.0.0.0/8",
            "192.0.2.0/24",
            "192.0.2.1/32",
            "198.51.100.0/24",
            "198.51.100.1/32",
            "2001:db8::/64",
            "2001:db8::1/128"
        ]
    );
}

// holds X37
#[test]
fn ms_13_a_route_without_anywhere_to_go_is_refused() {
    let mut scene = scene();
    let nowhere = message(Verb::Add, "10.0.0.0/8");
    for refused in [nowhere.clone(), nowhere.flags(RouteFlags::GATEWAY)] {
        assert_eq!(scene.tell(refused).unwrap_err().kind, ErrorKind::Invalid);
    }
}

// holds X36
#[test]
fn ms_15_who_does_not_want_to_hear_himself_does_not_and_others_do() {
    let mut scene = scene();
    let mut other = follower(&mut scene, None);
    let mut sender = {
        let (queue, subscription) = queue();
        let asker = Asker { queue: Some(queue), ..client(1) };
        let follows = Request::Monitor { fib: None, loopback: false };
        assert_eq!(scene.control.handle_asked(follows, asker, scene.now), Ok(Reply::Done));
        subscription
    };
    asks(&mut scene, client(2), add("10.0.0.0/8", 1)).unwrap();
    assert_eq!((told(&mut sender).len(), told(&mut other).len()), (0, 1));
    scene.tell(add("10.1.0.0/16", 1)).unwrap();
    assert_eq!((told(&mut sender).len(), told(&mut other).len()), (1, 1), "what others do he hears");
}

#[test]
fn metrics_that_are_locked_are_told_as_locked_and_not_as_a_change() {
    let mut scene = scene();
    scene.tell(add("10.0.0.0/8", 1)).unwrap();
    let mut follower = follower(&mut scene, None);
    let locks = RouteMetrics { locks: MetricMask::MTU, ..RouteMetrics::NONE };
    scene.tell(message(Verb::Lock, "10.0.0.0/8").metrics(MetricMask::MTU, locks)).unwrap();
    let told = told(&mut follower);
    assert_eq!(kinds(&told), [(EventKind::Lock, "10.0.0.0/8".to_owned())]);
    assert_eq!(told[0].metrics.locks, MetricMask::MTU);
}

#[test]
fn a_table_that_cannot_be_is_not_followed() {
    let mut setup = setup();
    setup.fibs = Fibs::new(2).unwrap();
    let mut scene = Scene::with(setup);
    let (queue, _subscription) = queue();
    let asker = Asker { queue: Some(queue), ..client(1) };
    let follows = Request::Monitor { fib: Some(2), loopback: true };
    assert_eq!(scene.control.handle_asked(follows, asker, scene.now).unwrap_err().kind, ErrorKind::Invalid);
    assert_eq!(counts(&mut scene).subscribers, 0);
}
