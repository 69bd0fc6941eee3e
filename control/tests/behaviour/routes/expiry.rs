//! EX: routes that go by themselves at their time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use boundary::NextHop;
use control_api::{ErrorKind, EventKind, PathMtu, Verb};

use super::messages::{follower, told};
use super::*;

/// By the wall clock it is so many seconds more than by the router's.
const AHEAD: u64 = 1_700_000_000;

/// A scene at second 1000, and how far its wall clock is ahead.
fn at_1000() -> (Scene, Arc<AtomicU64>) {
    let mut scene = scene();
    let ahead = Arc::new(AtomicU64::new(AHEAD));
    let clock = Arc::clone(&ahead);
    scene.control.set_wall_clock(Box::new(move |now| {
        now.since(control::Timestamp::ZERO) + Duration::from_secs(clock.load(Ordering::Relaxed))
    }));
    scene.pass(999 * SECOND);
    (scene, ahead)
}

fn expiring(message: RouteMessage, expire: u64) -> RouteMessage {
    let metrics = RouteMetrics { expire, ..RouteMetrics::NONE };
    message.metrics(MetricMask::EXPIRE, metrics)
}

impl Scene {
    /// The time passes until this second.
    pub(crate) fn until(&mut self, second: u64) {
        let then = control::Timestamp::ZERO + Duration::from_secs(second);
        self.pass(then.since(self.now));
    }

    fn is_there(&mut self, prefix: &str) -> bool {
        self.shown(0).iter().any(|shown| shown == prefix)
    }

    fn expire_of(&mut self, prefix: &str) -> u64 {
        detail(&self.tell(message(Verb::Get, prefix)).unwrap()).metrics.expire
    }
}

// holds S3.09, S3.32, X74
#[test]
fn ex_01_a_route_goes_at_its_time_and_is_shown_with_the_wall_clock_s() {
    let (mut scene, _) = at_1000();
    let mut follower = follower(&mut scene, None);
    let added = scene.tell(expiring(add("10.0.0.0/8", 1), AHEAD + 1030)).unwrap();
    assert_eq!(detail(&added).metrics.expire, AHEAD + 1030);
    assert_eq!(scene.expire_of("10.0.0.0/8"), AHEAD + 1030);
    let kept = scene.control.routes_mut().rtalloc1(ip("10.0.0.1"), false, RouteFlags::empty()).unwrap();
    assert_eq!(kept.metrics().expire, 1030, "it is kept by the router's own clock");
    drop(kept);
    scene.until(1029);
    assert_eq!(scene.takes("10.0.0.1"), Some(1));
    scene.until(1030);
    assert_eq!((scene.takes("10.0.0.1"), scene.is_there("10.0.0.0/8")), (None, false));
    assert_eq!(scene.control.counts().routes_expired, 1);
    let told: Vec<_> = told(&mut follower).iter().map(|event| (event.kind, event.metrics.expire)).collect();
    assert_eq!(told, [(EventKind::Add, AHEAD + 1030), (EventKind::Delete, AHEAD + 1030)]);
}

// holds S3.09, X74
#[test]
fn ex_02_a_time_of_zero_is_never() {
    let (mut scene, _) = at_1000();
    let added = scene.tell(expiring(add("10.0.0.0/8", 1), 0)).unwrap();
    assert_eq!(detail(&added).metrics.expire, 0);
    scene.pass(Duration::from_secs(3_000_000_000));
    assert!(scene.is_there("10.0.0.0/8"));
}

// holds X74
#[test]
fn ex_03_a_time_that_has_passed_is_taken_and_is_at_once() {
    let (mut scene, _) = at_1000();
    for (prefix, expire) in [("10.0.0.0/8", AHEAD + 999), ("172.16.0.0/12", 1)] {
        scene.tell(expiring(add(prefix, 1), expire)).unwrap();
    }
    assert!(scene.is_there("10.0.0.0/8") && scene.is_there("172.16.0.0/12"), "the answer comes first");
    scene.pass(Duration::ZERO);
    assert!(!scene.is_there("10.0.0.0/8") && !scene.is_there("172.16.0.0/12"));
}

// holds S3.32, X74
#[test]
fn ex_04_a_wall_clock_that_is_set_moves_no_deadline() {
    let (mut scene, ahead) = at_1000();
    scene.tell(expiring(add("10.0.0.0/8", 1), AHEAD + 1030)).unwrap();
    ahead.store(AHEAD - 3600, Ordering::Relaxed);
    assert_eq!(scene.expire_of("10.0.0.0/8"), AHEAD - 3600 + 1030, "it is the same moment by another name");
    scene.until(1029);
    assert!(scene.is_there("10.0.0.0/8"));
    scene.until(1030);
    assert!(!scene.is_there("10.0.0.0/8"));
}

// holds S3.09, S3.32
#[test]
fn ex_05_a_change_puts_the_time_off_or_calls_it_off() {
    let (mut scene, _) = at_1000();
    for prefix in ["10.0.0.0/8", "172.16.0.0/12"] {
        scene.tell(expiring(add(prefix, 1), AHEAD + 1030)).unwrap();
    }
    scene.tell(expiring(message(Verb::Change, "10.0.0.0/8"), AHEAD + 1040)).unwrap();
    scene.tell(expiring(message(Verb::Change, "172.16.0.0/12"), 0)).unwrap();
    scene.until(1039);
    assert!(scene.is_there("10.0.0.0/8") && scene.is_there("172.16.0.0/12"));
    scene.until(5000);
    assert!(!scene.is_there("10.0.0.0/8") && scene.is_there("172.16.0.0/12"));
}

#[test]
fn a_change_that_says_nothing_of_the_time_leaves_it() {
    let (mut scene, _) = at_1000();
    scene.tell(expiring(add("10.0.0.0/8", 1), AHEAD + 1030)).unwrap();
    scene.tell(message(Verb::Change, "10.0.0.0/8").to(gateway(2, ""))).unwrap();
    let mut held = scene.control.routes_mut().rtalloc1(ip("10.0.0.1"), false, RouteFlags::empty()).unwrap();
    held.edit_metrics(|metrics| metrics.expire = 0);
    drop(held);
    scene.until(1029);
    assert_eq!(scene.takes("10.0.0.1"), Some(2));
    scene.until(1030);
    assert!(!scene.is_there("10.0.0.0/8"));
}

// holds X74
#[test]
fn ex_06_the_earliest_goes_first_each_in_its_own_second_and_all_of_a_second_in_one_publish() {
    let (mut scene, _) = at_1000();
    scene.tell(expiring(add("10.1.0.0/16", 1), AHEAD + 1060)).unwrap();
    for third in 2..50 {
        scene.tell(expiring(add(&format!("10.{third}.0.0/16"), 1), AHEAD + 1030)).unwrap();
    }
    let before = scene.generation();
    scene.until(1030);
    assert_eq!(scene.generation(), before + 1);
    assert_eq!((scene.control.counts().routes_expired, scene.is_there("10.1.0.0/16")), (48, true));
    scene.until(1059);
    assert_eq!(scene.generation(), before + 1);
    scene.until(1060);
    assert_eq!((scene.control.counts().routes_expired, scene.generation()), (49, before + 2));
}

// holds S3.25, S3.32
#[test]
fn ex_07_our_own_address_does_not_expire() {
    let (mut scene, _) = at_1000();
    for given in [RouteFlags::empty(), RouteFlags::PINNED] {
        let error = scene.tell(expiring(message(Verb::Change, "192.0.2.1"), AHEAD + 1001).flags(given)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotAllowed);
    }
    scene.until(2000);
    assert_eq!(scene.fate(ip("192.0.2.1")), Some(NextHop::Local));
}

// holds S3.16, X70
#[test]
fn rj_03_a_route_that_rejects_does_so_until_its_time() {
    let (mut scene, _) = at_1000();
    scene.tell(add("10.0.0.0/8", 2)).unwrap();
    for (prefix, flags) in
        [("10.1.0.0/16", RouteFlags::REJECT), ("10.2.0.0/16", RouteFlags::REJECT | RouteFlags::PINNED)]
    {
        scene.tell(expiring(add(prefix, 1).flags(flags), AHEAD + 1030)).unwrap();
    }
    scene.until(1029);
    assert_eq!([scene.fate(ip("10.1.0.1")), scene.fate(ip("10.2.0.1"))], [Some(NextHop::Unreachable); 2]);
    scene.until(1031);
    assert_eq!([scene.takes("10.1.0.1"), scene.takes("10.2.0.1")], [Some(2), Some(1)]);
    assert_eq!(scene.control.counts().expiries_refused, 1, "what is pinned stays, and forwards");
}

/// A request can say a time for the pinned route that did not go, and it rejects again until then.
#[test]
fn a_route_that_has_lapsed_rejects_again_when_it_is_given_another_time() {
    let (mut scene, _) = at_1000();
    let flags = RouteFlags::REJECT | RouteFlags::PINNED;
    scene.tell(expiring(add("10.2.0.0/16", 1).flags(flags), AHEAD + 1030)).unwrap();
    scene.until(1030);
    assert_eq!(scene.takes("10.2.0.1"), Some(1));
    scene.tell(expiring(message(Verb::Change, "10.2.0.0/16").flags(flags), AHEAD + 1040)).unwrap();
    assert_eq!(scene.fate(ip("10.2.0.1")), Some(NextHop::Unreachable));
    scene.until(1040);
    assert_eq!(scene.takes("10.2.0.1"), Some(1));
}

#[test]
fn nothing_is_left_of_a_deadline_whose_route_was_deleted() {
    let (mut scene, _) = at_1000();
    for round in 0..3 {
        scene.tell(expiring(add("10.0.0.0/8", 1), AHEAD + 1030 + round)).unwrap();
        scene.tell(message(Verb::Delete, "10.0.0.0/8")).unwrap();
    }
    scene.tell(add("10.0.0.0/8", 1)).unwrap();
    scene.until(1100);
    assert_eq!((scene.takes("10.0.0.1"), scene.control.counts().routes_expired), (Some(1), 0));
}

// holds S3.29
#[test]
fn mt_06_a_locked_time_is_not_touched_by_what_is_learnt() {
    let (mut scene, _) = at_1000();
    let locked = RouteMetrics { expire: AHEAD + 9000, locks: MetricMask::EXPIRE, ..RouteMetrics::NONE };
    let host = add("203.0.113.5", 1).flags(RouteFlags::HOST).metrics(MetricMask::EXPIRE, locked);
    scene.tell(host).unwrap();
    let heard = PathMtu { fib: 0, destination: ip("203.0.113.5"), mtu: 1400, packet: 0 };
    scene.ask(Request::PathMtu(heard)).unwrap();
    assert_eq!(scene.expire_of("203.0.113.5/32"), AHEAD + 9000);
    scene.until(8999);
    assert!(scene.is_there("203.0.113.5/32"));
    scene.until(9000);
    assert!(!scene.is_there("203.0.113.5/32"));
}
