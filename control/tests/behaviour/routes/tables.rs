//! FB: tables by number.

use boundary::NextHop;
use control::{Fibs, LookupFlags, config};
use control_api::{ErrorKind, PathMtu, Redirect, Verb};

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

/// Nobody says how many tables there are: the main one is, and those that ports and routes of the configuration name.
fn named_tables() -> Scene {
    let [of_port, of_route] = [4, 7];
    let route = config::Route {
        to: "10.0.0.0/8".parse().unwrap(),
        target: config::Target::Blackhole,
        weight: 1,
        fib: of_route,
        count: None,
    };
    let port_fibs = vec![0, of_port, 0];
    Scene::with(Setup { fibs: Fibs::default(), port_fibs, routes: vec![route], ..setup() })
}

// holds S4.01, X27
#[test]
fn fb_04_in_a_table_that_could_be_and_is_not_there_nothing_is_found_and_nothing_can_be_changed() {
    let mut scene = named_tables();
    let there = ip("192.0.2.7");
    let counts = scene.control.routes().lookup_counts();
    let routes = scene.control.routes_mut();
    assert!(routes.rtalloc_table(there, LookupFlags::REPORT, 250).is_none());
    assert!(
        routes.rtalloc1_fib(there, true, RouteFlags::empty(), 250).unwrap().is_none(),
        "no error: EINVAL is FB-03's"
    );
    let after = routes.lookup_counts();
    assert_eq!((after.unreach - counts.unreach, after.reported - counts.reported), (2, 2), "and both are misses");
    assert_eq!(scene.shown(250), Vec::<String>::new());
    let error = scene.tell(message(Verb::Get, "192.0.2.7").fib(250)).unwrap_err();
    assert_eq!(error.to_string(), "no route leads to 192.0.2.7: there is no table 250");

    let (network, queue) = ("10.0.0.0/8".parse().unwrap(), "pmtu".parse().unwrap());
    let destination = ip("10.0.0.1");
    let changes = [Verb::Add, Verb::Delete, Verb::Change, Verb::Lock]
        .map(|verb| Request::RouteMessage(RouteMessage { verb, ..add("10.0.0.0/8", 1) }.fib(250)));
    let others = [
        Request::RouteFlush { filter: RouteFilter { fib: 250, ..RouteFilter::default() } },
        Request::TimerAdd { queue, fib: 250, to: network },
        Request::TimerClear { fib: 250, to: network },
        Request::Redirect(Redirect { fib: 250, dst: network, gateway: ip("192.0.2.11"), dev: None, author: None }),
        Request::PathMtu(PathMtu { fib: 250, destination, mtu: 1400, packet: 1500 }),
    ];
    for request in changes.into_iter().chain(others) {
        let error = scene.ask(request.clone()).unwrap_err();
        assert_eq!((error.kind, error.kind.errno()), (ErrorKind::NoSuchTable, Some("EAFNOSUPPORT")), "{request:?}");
        assert_eq!(error.to_string(), "there is no table 250");
    }
    let Ok(Reply::Batch(batch)) = scene.ask(Request::RouteBatch { changes: vec![add("10.0.0.0/8", 1).fib(250)] })
    else {
        panic!("each of a batch has its answer")
    };
    assert_eq!((batch.done, batch.refused[0].error.kind), (0, ErrorKind::NoSuchTable));
}

// holds S2.02
#[test]
fn tables_that_ports_and_routes_of_the_configuration_name_are_there() {
    let mut scene = named_tables();
    for fib in [0, 4, 7] {
        scene.tell(add("172.16.0.0/12", 1).fib(fib)).unwrap();
        assert!(scene.shown(fib).contains(&"172.16.0.0/12".to_owned()), "{fib}");
    }
    assert_eq!(scene.tell(add("172.16.0.0/12", 1).fib(5)).unwrap_err().kind, ErrorKind::NoSuchTable);
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
fn a_table_costs_nothing_before_its_first_route_and_is_kept() {
    let mut scene = Scene::with(Setup { fibs: Fibs::new(65_535).unwrap(), ..setup() });
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
