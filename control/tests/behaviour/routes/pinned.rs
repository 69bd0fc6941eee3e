//! PN: routes that are not for protocols or people to take away.

use control_api::{ErrorKind, EventKind, Verb};

use super::messages::{follower, kinds, told};
use super::*;

const ANY: RouteFlags = RouteFlags::empty();
const PINNED: RouteFlags = RouteFlags::PINNED;

impl Scene {
    fn errno_of(&mut self, message: RouteMessage) -> Option<&'static str> {
        let before = self.shown(0);
        let error = self.tell(message).unwrap_err();
        assert_eq!(self.shown(0), before);
        error.kind.errno()
    }
}

// holds S3.24, X40
#[test]
fn pn_01_the_network_of_a_port_is_pinned() {
    let mut scene = scene();
    for prefix in ["192.0.2.0/24", "2001:db8::/64", "198.51.100.1/32"] {
        let route = scene.tell(message(Verb::Get, prefix)).unwrap();
        assert!(detail(&route).flags.contains(PINNED), "{prefix}");
    }
}

// holds S3.24, X40
#[test]
fn pn_02_who_does_not_say_so_does_not_delete_it() {
    let mut scene = scene();
    assert_eq!(scene.errno_of(message(Verb::Delete, "192.0.2.0/24")), Some("EADDRINUSE"));
    scene.tell(add("10.0.0.0/8", 1).flags(PINNED)).unwrap();
    assert_eq!(scene.errno_of(message(Verb::Delete, "10.0.0.0/8")), Some("EADDRINUSE"));
}

// holds X40
#[test]
fn pn_03_who_says_so_deletes_it() {
    let mut scene = scene();
    let deleted = scene.tell(message(Verb::Delete, "192.0.2.0/24").flags(PINNED)).unwrap();
    assert_eq!((letters(&deleted).as_str(), scene.fate(ip("192.0.2.77"))), ("p", None));
}

// holds X40
#[test]
fn pn_04_a_pinned_route_takes_the_place_of_one_that_is_not() {
    let mut scene = scene();
    scene.tell(add("10.0.0.0/8", 1)).unwrap();
    let mut follower = follower(&mut scene, None);
    scene.tell(add("10.0.0.0/8", 2).flags(PINNED)).unwrap();
    let told = told(&mut follower);
    let there = || "10.0.0.0/8".to_owned();
    assert_eq!(kinds(&told), [(EventKind::Delete, there()), (EventKind::Add, there())]);
    assert_eq!([told[0].gateway, told[1].gateway], [Some(ip("192.0.2.11")), Some(ip("192.0.2.12"))]);
    assert_eq!(scene.takes("10.0.0.1"), Some(2));
}

// holds X40
#[test]
fn pn_05_a_pinned_route_does_not_take_the_place_of_a_pinned_one() {
    let mut scene = scene();
    scene.tell(add("10.0.0.0/8", 1).flags(PINNED)).unwrap();
    assert_eq!(scene.errno_of(add("10.0.0.0/8", 2).flags(PINNED)), Some("EEXIST"));
    let connected = message(Verb::Add, "192.0.2.0/24").to(Target::Dev("p1".to_owned())).flags(PINNED);
    assert_eq!(scene.errno_of(connected), Some("EEXIST"));
}

// holds X40
#[test]
fn pn_06_nor_does_one_that_is_not_pinned() {
    let mut scene = scene();
    scene.tell(add("10.0.0.0/8", 1).flags(PINNED)).unwrap();
    assert_eq!(scene.errno_of(add("10.0.0.0/8", 2)), Some("EEXIST"));
    assert_eq!(scene.takes("10.0.0.1"), Some(1));
}

// holds X40
#[test]
fn pn_07_a_flush_leaves_what_is_pinned() {
    let mut scene = scene();
    let before = scene.shown(0).len();
    scene.tell(add("10.0.0.0/8", 1).flags(PINNED)).unwrap();
    scene.tell(add("10.1.0.0/16", 1)).unwrap();
    assert_eq!(scene.ask(Request::RouteFlush { filter: RouteFilter::default() }), Ok(Reply::Flushed(1)));
    assert_eq!((scene.shown(0).len(), scene.takes("10.1.0.1")), (before + 1, Some(1)));
}

// holds S3.24
#[test]
fn pn_08_it_is_changed_only_by_who_says_so() {
    let mut scene = scene();
    scene.tell(add("10.0.0.0/8", 1).flags(PINNED)).unwrap();
    let change = || message(Verb::Change, "10.0.0.0/8").to(gateway(2, ""));
    assert_eq!(scene.errno_of(change()), Some("EADDRINUSE"));
    assert_eq!(scene.errno_of(change().flags(RouteFlags::PROTO1)), Some("EADDRINUSE"));
    assert_eq!(letters(&scene.tell(change().flags(PINNED)).unwrap()), "UGp", "and it stays pinned");
    assert_eq!(scene.takes("10.0.0.1"), Some(2));
    assert_eq!(scene.tell(change().flags(ANY)).unwrap_err().kind, ErrorKind::NotAllowed);
}
