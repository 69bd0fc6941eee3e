//! MT: what is measured of a path, kept, locked and told.

use control_api::Verb;

use super::*;

const NONE: RouteMetrics = RouteMetrics::NONE;

fn mtu(mtu: u32) -> RouteMetrics {
    RouteMetrics { mtu, ..NONE }
}

// holds S3.28, S3.31, S3.33, S3.34, S3.35, S3.40
#[test]
fn mt_01_every_metric_is_kept_and_told_and_freebsd_12_tells_few() {
    let mut scene = scene();
    let given = RouteMetrics {
        locks: MetricMask::empty(),
        mtu: 1400,
        hopcount: 5,
        expire: 0,
        recvpipe: 1 << 40,
        sendpipe: 7,
        ssthresh: 8,
        rtt: 9,
        rttvar: 10,
        weight: 3,
    };
    scene.tell(add("10.0.0.0/8", 1).metrics(MetricMask::all(), given)).unwrap();
    let told = detail(&scene.tell(message(Verb::Get, "10.0.0.1")).unwrap()).metrics;
    assert_eq!(told, given);
    assert_eq!(told.as_freebsd_12(), RouteMetrics { mtu: 1400, weight: 3, ..NONE });
}

// holds S3.28
#[test]
fn mt_03_what_is_not_meant_is_not_taken() {
    let mut scene = scene();
    let given = RouteMetrics { mtu: 1300, hopcount: 5, rtt: 6, weight: 7, locks: MetricMask::all(), ..NONE };
    let route = scene.tell(add("10.0.0.0/8", 1).metrics(MetricMask::HOPCOUNT, given)).unwrap();
    let expected = RouteMetrics { mtu: 1500, hopcount: 5, locks: MetricMask::HOPCOUNT, ..NONE };
    assert_eq!(detail(&route).metrics, expected);
}

// holds S3.29, X38
#[test]
fn mt_04_a_lock_is_changed_only_where_it_is_meant() {
    let mut scene = scene();
    scene.tell(add("10.0.0.0/8", 1)).unwrap();
    let locked = RouteMetrics { locks: MetricMask::MTU, ..NONE };
    scene.tell(message(Verb::Lock, "10.0.0.0/8").metrics(MetricMask::MTU, locked)).unwrap();
    let route = scene.tell(message(Verb::Lock, "10.0.0.0/8").metrics(MetricMask::RTT, NONE)).unwrap();
    assert_eq!(detail(&route).metrics, RouteMetrics { locks: MetricMask::MTU, ..mtu(1500) });
    let route = scene.tell(message(Verb::Lock, "10.0.0.0/8").metrics(MetricMask::MTU, NONE)).unwrap();
    assert_eq!(detail(&route).metrics.locks, MetricMask::empty());
}

// holds S3.29
#[test]
fn mt_05_a_person_changes_what_is_locked() {
    let mut scene = scene();
    let locked = RouteMetrics { locks: MetricMask::MTU, ..mtu(1400) };
    scene.tell(add("10.0.0.0/8", 1).metrics(MetricMask::MTU, locked)).unwrap();
    let still = RouteMetrics { locks: MetricMask::MTU, ..mtu(1300) };
    let route = scene.tell(message(Verb::Change, "10.0.0.0/8").metrics(MetricMask::MTU, still)).unwrap();
    assert_eq!(detail(&route).metrics, still);
}

// holds S3.07, S3.30, X30
#[test]
fn mt_07_an_mtu_is_the_port_s_unless_it_is_less() {
    let mut scene = scene();
    for (prefix, given, taken) in [("10.0.0.0/16", 0, 1500), ("10.1.0.0/16", 9000, 1500), ("10.2.0.0/16", 1280, 1280)] {
        let route = scene.tell(add(prefix, 1).metrics(MetricMask::MTU, mtu(given))).unwrap();
        assert_eq!(detail(&route).metrics.mtu, taken, "{given}");
    }
}

// holds X38
#[test]
fn mt_08_an_mtu_that_is_given_is_fixed() {
    let mut scene = scene();
    let route = scene.tell(add("10.0.0.0/8", 1)).unwrap();
    assert!(!detail(&route).flags.contains(RouteFlags::FIXEDMTU));
    scene.tell(message(Verb::Change, "10.0.0.0/8").metrics(MetricMask::MTU, mtu(1442))).unwrap();
    let route = scene.tell(message(Verb::Get, "10.0.0.1")).unwrap();
    assert_eq!(detail(&route).metrics.mtu, 1442);
    assert!(detail(&route).flags.contains(RouteFlags::FIXEDMTU));
}

// holds X31
#[test]
fn mt_10_an_mtu_of_nothing_is_the_port_s_again() {
    let mut scene = scene();
    scene.tell(add("10.0.0.0/8", 1).metrics(MetricMask::MTU, mtu(1442))).unwrap();
    let route = scene.tell(message(Verb::Change, "10.0.0.0/8").metrics(MetricMask::MTU, mtu(0))).unwrap();
    assert_eq!(detail(&route).metrics.mtu, 1500);
    assert!(!detail(&route).flags.contains(RouteFlags::FIXEDMTU));
}

// holds S3.40
#[test]
fn a_weight_is_at_least_one() {
    let mut scene = scene();
    let weightless = RouteMetrics { weight: 0, ..NONE };
    let route = scene.tell(add("10.0.0.0/8", 1).metrics(MetricMask::WEIGHT, weightless)).unwrap();
    assert_eq!(detail(&route).metrics.weight, 1);
}
