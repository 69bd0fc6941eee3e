//! MS: what is told of routes, to whom, and in which words.

use control::events::{Heard, Subscription, queue};
use control::{LookupFlags, RouteCache};
use control_api::{EventCounts, EventKind, Network, RouteEvent};

use super::*;

/// Someone who follows a table, or all.
pub(crate) fn follower(scene: &mut Scene, fib: Option<u16>) -> Subscription {
    let (events, subscription) = queue();
    scene.control.follow(events, fib, None);
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

#[test]
fn a_route_that_a_timer_deletes_is_told() {
    let mut scene = scene();
    scene.tell(add("10.0.0.0/8", 1)).unwrap();
    let (queue, to) = ("pmtu".parse().unwrap(), "10.0.0.0/8".parse().unwrap());
    assert_eq!(scene.ask(Request::TimerAdd { queue, to }), Ok(Reply::Done));
    let mut follower = follower(&mut scene, None);
    scene.pass(601 * SECOND);
    scene.pass(SECOND);
    assert_eq!(kinds(&told(&mut follower)), [(EventKind::Delete, "10.0.0.0/8".to_owned())]);
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
