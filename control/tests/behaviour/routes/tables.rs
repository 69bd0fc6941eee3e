//! FB: tables by number.

use boundary::NextHop;
use control::Fibs;
use control_api::{ErrorKind, Verb};

use super::*;

fn three_tables() -> Scene {
    Scene::with(Setup { fibs: Fibs::new(3).unwrap(), ..setup() })
}

// holds S2.02, S2.09
#[test]
fn fb_01_a_route_is_in_its_table_and_in_no_other() {
    let mut scene = three_tables();
    scene.tell(add("10.0.0.0/8", 1).fib(1)).unwrap();
    let found =
        [0, 1, 2].map(|fib| scene.tell(message(Verb::Get, "10.0.0.1").fib(fib)).ok().and_then(|route| route.gateway));
    assert_eq!(found, [None, Some(ip("192.0.2.11")), None]);
    assert_eq!(scene.fate(ip("10.0.0.1")), None, "workers forward by table 0");
    assert_eq!((scene.shown(1), scene.shown(2)), (vec!["10.0.0.0/8".to_owned()], vec![]));
}

// holds S2.09
#[test]
fn fb_03_a_table_there_cannot_be_is_refused_in_every_request() {
    let mut scene = three_tables();
    for verb in [Verb::Add, Verb::Delete, Verb::Change, Verb::Get, Verb::Lock] {
        let error = scene.tell(RouteMessage { verb, ..add("10.0.0.0/8", 1) }.fib(3)).unwrap_err();
        assert_eq!((error.kind, error.kind.errno()), (ErrorKind::Invalid, Some("EINVAL")), "{verb:?}");
    }
    let filter = RouteFilter { fib: 3, ..RouteFilter::default() };
    assert_eq!(scene.ask(Request::RouteFlush { filter: filter.clone() }).unwrap_err().kind, ErrorKind::Invalid);
    assert_eq!(scene.ask(Request::RouteShow { filter }).unwrap_err().kind, ErrorKind::Invalid);
}

// holds S2.02
#[test]
fn fb_05_there_is_one_table_at_least_and_65535_at_most() {
    assert_eq!(Fibs::new(0).unwrap().count(), 1);
    assert_eq!(Fibs::new(65_535).unwrap().count(), 65_535);
    assert_eq!(
        Fibs::new(70_000).unwrap_err().to_string(),
        "70000 tables are more than there can be: the limit is 65535"
    );
}

// holds S2.02
#[test]
fn fb_08_what_is_deleted_in_one_table_stays_in_another() {
    let mut scene = three_tables();
    scene.tell(add("0.0.0.0/0", 1)).unwrap();
    let there = message(Verb::Add, "0.0.0.0/0").to(via(ip("198.51.100.20")));
    scene.tell(there.fib(1)).unwrap();
    scene.tell(message(Verb::Delete, "0.0.0.0/0")).unwrap();
    assert_eq!(scene.takes("203.0.113.9"), None);
    let other = scene.tell(message(Verb::Get, "203.0.113.9").fib(1)).unwrap();
    assert_eq!((other.gateway, other.dev.as_deref()), (Some(ip("198.51.100.20")), Some("p1")));
}

// holds S2.02
#[test]
fn a_table_is_made_by_its_first_route_and_kept() {
    let mut scene = scene();
    for fib in [1, 65_534] {
        scene.tell(add("10.0.0.0/8", 1).fib(fib)).unwrap();
        scene.tell(add("2001:db8:4::/48", 1).fib(fib)).unwrap();
    }
    let Ok(Reply::Stats(stats)) = scene.ask(Request::Stats) else { panic!("always") };
    let entries = stats.entries.unwrap();
    assert_eq!((entries.tables, entries.trash), (3, 0));
    assert_eq!(entries.references, u64::try_from(entries.gateways).unwrap(), "held by nobody else");
}

/// Three tables; what comes in through p1 is forwarded by table 1.
fn divided(add_addr_allfibs: bool) -> Scene {
    Scene::with(Setup { fibs: Fibs::new(3).unwrap(), port_fibs: vec![0, 1, 0], add_addr_allfibs, ..setup() })
}

// holds S2.02, X42
#[test]
fn fb_06_the_routes_of_a_port_s_address_are_in_its_table_or_in_all() {
    for (add_addr_allfibs, expected) in [(false, [false, true, false]), (true, [true; 3])] {
        let mut scene = divided(add_addr_allfibs);
        let found = [0, 1, 2].map(|fib| scene.tell(message(Verb::Get, "198.51.100.0/24").fib(fib)).is_ok());
        assert_eq!(found, expected);
        let found = [0, 1, 2].map(|fib| scene.tell(message(Verb::Get, "198.51.100.1").fib(fib)).is_ok());
        assert_eq!(found, expected);
    }
}

// holds S2.02, S2.09
#[test]
fn what_comes_in_through_a_port_with_a_table_of_its_own_is_forwarded_by_that() {
    let mut scene = divided(false);
    let there = ip("10.0.0.1");
    scene.tell(add("10.0.0.0/8", 1)).unwrap();
    assert!(matches!(scene.fate_from(LEFT, there), Some(NextHop::Neighbour(_))));
    assert_eq!(scene.fate_from(RIGHT, there), None);
    scene.tell(message(Verb::Add, "10.0.0.0/8").to(Target::Blackhole).fib(1)).unwrap();
    assert_eq!(scene.fate_from(RIGHT, there), Some(NextHop::Blackhole));
    assert!(matches!(scene.fate_from(LEFT, there), Some(NextHop::Neighbour(_))));
    scene.tell(message(Verb::Add, "10.0.0.0/8").to(Target::Unreachable).fib(2)).unwrap();
    assert_eq!(scene.fate_from(RIGHT, there), Some(NextHop::Blackhole), "nobody forwards by table 2");
    scene.tell(message(Verb::Delete, "10.0.0.0/8").fib(1)).unwrap();
    assert_eq!(scene.fate_from(RIGHT, there), None);
}

#[test]
fn a_neighbour_that_is_found_is_known_in_the_table_of_its_port() {
    let mut scene = divided(false);
    let bob = BOB.v4.into();
    assert_eq!(scene.fate_from(RIGHT, bob), Some(NextHop::Unresolved(RIGHT)));
    scene.introduce(BOB);
    assert!(matches!(scene.fate_from(RIGHT, bob), Some(NextHop::Neighbour(_))));
    assert_eq!(scene.fate_from(LEFT, bob), None, "the other table does not lead there");
}
