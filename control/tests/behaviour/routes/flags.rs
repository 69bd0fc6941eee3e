//! FL: what a route is, and who may say so.

use boundary::NextHop;
use control_api::{ErrorKind, RouteFlags, Verb};

use super::*;

const ANY: RouteFlags = RouteFlags::empty();

// holds S3.13
#[test]
fn fl_01_a_route_is_up_whatever_is_said() {
    let mut scene = scene();
    assert_eq!(letters(&scene.tell(add("10.0.0.0/8", 1).flags(ANY)).unwrap()), "UG");
    assert_eq!(letters(&scene.tell(message(Verb::Change, "10.0.0.0/8").flags(ANY)).unwrap()), "UG");
}

// holds S3.14, X37
#[test]
fn fl_02_a_route_by_a_gateway_names_one() {
    let mut scene = scene();
    let before = scene.shown(0);
    for target in [None, Some(Target::Blackhole), Some(Target::Dev("p0".to_owned()))] {
        let without = RouteMessage { target, ..add("10.0.0.0/8", 1).flags(RouteFlags::GATEWAY) };
        assert_eq!(scene.tell(without).unwrap_err().kind, ErrorKind::Invalid);
    }
    assert_eq!(scene.tell(message(Verb::Add, "10.0.0.0/8")).unwrap_err().kind, ErrorKind::Invalid);
    assert_eq!(scene.shown(0), before);
}

// holds S3.21
#[test]
fn fl_03_what_a_person_adds_is_static() {
    let mut scene = scene();
    scene.add_route("10.0.0.0/8", gateway(1, ""));
    assert_eq!(letters(&scene.tell(message(Verb::Get, "10.0.0.0/8")).unwrap()), "UGS");
    assert_eq!(letters(&scene.tell(add("10.1.0.0/16", 1)).unwrap()), "UGS");
}

// holds S3.23, X38
#[test]
fn fl_04_a_protocol_s_flags_are_kept_and_cleared_by_a_change() {
    let mut scene = scene();
    let protocol = RouteFlags::PROTO1 | RouteFlags::PROTO2 | RouteFlags::PROTO3;
    assert_eq!(letters(&scene.tell(add("10.0.0.0/8", 1).flags(protocol | RouteFlags::STATIC)).unwrap()), "UGS123");
    let kept = scene.tell(message(Verb::Change, "10.0.0.0/8").to(gateway(2, ""))).unwrap();
    assert_eq!(letters(&kept), "UGS123", "nothing was said of flags");
    let cleared = scene.tell(message(Verb::Change, "10.0.0.0/8").flags(RouteFlags::STATIC)).unwrap();
    assert_eq!(letters(&cleared), "UGS");
}

// holds S3.25
#[test]
fn fl_05_our_own_address_is_local_and_nobody_deletes_it() {
    let mut scene = scene();
    let own = scene.tell(message(Verb::Get, "192.0.2.1")).unwrap();
    assert_eq!(letters(&own), "UHpl");
    for given in [ANY, RouteFlags::PINNED] {
        let error = scene.tell(message(Verb::Delete, "192.0.2.1").flags(given)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotAllowed);
    }
    assert_eq!(scene.fate(ip("192.0.2.1")), Some(NextHop::Local));
}

// holds S3.26, X30
#[test]
fn fl_06_the_broadcast_address_of_a_link_is_marked_and_not_forwarded() {
    let mut scene = scene();
    let broadcast = scene.tell(message(Verb::Get, "192.0.2.255")).unwrap();
    assert_eq!(letters(&broadcast), "UHpb");
    assert_eq!(scene.fate(ip("192.0.2.255")), Some(NextHop::Blackhole));
}

// holds S3.27, X30
#[test]
fn fl_07_groups_are_marked() {
    let mut scene = scene();
    let groups = scene.tell(message(Verb::Add, "224.0.0.0/4").to(Target::Dev("p0".to_owned()))).unwrap();
    assert_eq!(letters(&groups), "USm");
    let groups = scene.tell(message(Verb::Add, "ff02::/16").to(Target::Dev("p2".to_owned()))).unwrap();
    assert_eq!(letters(&groups), "USm");
}

// holds S3.17, S3.18, S3.19, S3.24, X38
#[test]
fn fl_08_flags_that_are_not_to_be_given_are_passed_over() {
    let mut scene = scene();
    let system = RouteFlags::all() - RouteFlags::SETTABLE - RouteFlags::GATEWAY;
    assert_eq!(letters(&scene.tell(add("10.0.0.0/8", 1).flags(system)).unwrap()), "UG");
    let fixed = RouteFlags::all() - RouteFlags::CHANGEABLE - RouteFlags::HOST;
    let changed = scene.tell(message(Verb::Change, "10.0.0.0/8").flags(fixed)).unwrap();
    assert_eq!(detail(&changed).flags, RouteFlags::UP | RouteFlags::GATEWAY | RouteFlags::DONE);
}

#[test]
fn fl_09_a_host_is_no_template() {
    let mut scene = scene();
    let cloning = RouteFlags::CLONING;
    assert_eq!(letters(&scene.tell(add("10.0.0.0/8", 1).flags(cloning)).unwrap()), "UGC");
    assert_eq!(letters(&scene.tell(add("10.0.0.1", 1).flags(cloning | RouteFlags::HOST)).unwrap()), "UGH");
}

// holds S3.16, S3.22, X71
#[test]
fn fl_11_a_route_that_rejects_comes_to_swallow_and_to_forward_again() {
    let mut scene = scene();
    let there = ip("10.0.0.1");
    let mut change = |flags| {
        let verb = if scene.fate(there).is_none() { Verb::Add } else { Verb::Change };
        let route = scene.tell(RouteMessage { verb, ..add("10.0.0.1", 1).flags(flags | RouteFlags::HOST) }).unwrap();
        (letters(&route), scene.fate(there).unwrap())
    };
    assert_eq!(change(RouteFlags::REJECT), ("UGHR".to_owned(), NextHop::Unreachable));
    assert_eq!(change(RouteFlags::BLACKHOLE), ("UGHB".to_owned(), NextHop::Blackhole));
    let both = RouteFlags::BLACKHOLE | RouteFlags::REJECT;
    assert_eq!(change(both), ("UGHRB".to_owned(), NextHop::Blackhole), "silence comes first");
    let (forwards, fate) = change(ANY);
    assert!(forwards == "UGH" && matches!(fate, NextHop::Neighbour(_)), "{forwards} {fate:?}");
}

#[test]
fn a_route_that_leads_nowhere_cannot_be_told_to_forward() {
    let mut scene = scene();
    scene.tell(message(Verb::Add, "10.0.0.0/8").to(Target::Blackhole)).unwrap();
    let error = scene.tell(message(Verb::Change, "10.0.0.0/8").flags(RouteFlags::STATIC)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid);
    assert_eq!(scene.fate(ip("10.0.0.1")), Some(NextHop::Blackhole));
    scene.tell(message(Verb::Change, "10.0.0.0/8").to(gateway(1, "")).flags(RouteFlags::STATIC)).unwrap();
    assert_eq!(scene.takes("10.0.0.1"), Some(1));
}

// holds S3.24, X40
#[test]
fn a_pinned_route_is_changed_and_deleted_only_by_who_says_so() {
    let mut scene = scene();
    let pinned = RouteFlags::PINNED;
    assert_eq!(letters(&scene.tell(add("10.0.0.0/8", 1).flags(pinned)).unwrap()), "UGp");
    for verb in [Verb::Change, Verb::Delete, Verb::Lock] {
        let error = scene.tell(message(verb, "10.0.0.0/8")).unwrap_err();
        assert_eq!((error.kind, error.kind.errno()), (ErrorKind::NotAllowed, Some("EADDRINUSE")), "{verb:?}");
    }
    let replaced = Request::RouteReplace { to: "10.0.0.0/8".parse().unwrap(), target: Target::Blackhole };
    assert_eq!(scene.ask(replaced).unwrap_err().kind, ErrorKind::Exists);
    scene.tell(message(Verb::Change, "10.0.0.0/8").to(gateway(2, "")).flags(pinned)).unwrap();
    let deleted = scene.tell(message(Verb::Delete, "10.0.0.0/8").flags(pinned)).unwrap();
    assert_eq!(letters(&deleted), "Gp", "as it was, but not up");
    assert_eq!(scene.takes("10.0.0.1"), None);
}
