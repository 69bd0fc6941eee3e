//! RD and PM: what a host would learn from another router's ICMP.

use std::time::Duration;

use control::timers::Limits;
use control_api::{ErrorKind, EventKind, Network, PathMtu, Redirect, RouteStat};

use super::messages::{follower, kinds, told};
use super::*;

/// The scene of the tables of acceptance tests: at second 1000, with a default route by 192.0.2.254 if it is wanted.
fn at_1000(with_default: bool) -> Scene {
    let mut scene = scene();
    scene.pass(999 * SECOND);
    if with_default {
        scene.add_route("0.0.0.0/0", via(ip("192.0.2.254")));
    }
    scene
}

/// Packets to 203.0.113.5 better go by 192.0.2.253, says 192.0.2.254.
fn redirect() -> Redirect {
    Redirect {
        fib: 0,
        dst: Network::host(ip("203.0.113.5")),
        gateway: ip("192.0.2.253"),
        dev: None,
        author: Some(ip("192.0.2.254")),
    }
}

fn take(scene: &mut Scene, said: Redirect) -> Result<Route, ApiError> {
    route_of(scene.ask(Request::Redirect(said)))
}

fn hear(scene: &mut Scene, mtu: u16) -> Result<Route, ApiError> {
    let heard = PathMtu { fib: 0, destination: ip("203.0.113.5"), mtu, packet: 0 };
    route_of(scene.ask(Request::PathMtu(heard)))
}

fn route_of(reply: Result<Reply, ApiError>) -> Result<Route, ApiError> {
    reply.map(|reply| match reply {
        Reply::Route(route) => route,
        other => panic!("{other:?}"),
    })
}

fn stat(scene: &mut Scene) -> RouteStat {
    match scene.ask(Request::Stats) {
        Ok(Reply::Stats(stats)) => stats.rtstat.unwrap(),
        other => panic!("{other:?}"),
    }
}

fn host(scene: &mut Scene) -> Option<Route> {
    scene.tell(message(Verb::Get, "203.0.113.5/32")).ok()
}

/// The host's own route and its MTU.
fn mtu(scene: &mut Scene) -> (String, u32, bool) {
    let route = host(scene).expect("it has a route of its own");
    let metrics = &detail(&route).metrics;
    (letters(&route), metrics.mtu, metrics.locks.contains(MetricMask::MTU))
}

// holds S3.17, X66
#[test]
fn rd_01_a_redirect_makes_a_route_of_its_own_for_the_host() {
    let mut scene = at_1000(true);
    let mut follower = follower(&mut scene, None);
    let route = take(&mut scene, redirect()).unwrap();
    assert_eq!((letters(&route).as_str(), route.gateway), ("UGHD", Some(ip("192.0.2.253"))));
    assert_eq!(route.protocol, control_api::Protocol::Dynamic);
    let events = told(&mut follower);
    let host = || "203.0.113.5/32".to_owned();
    assert_eq!(kinds(&events), [(EventKind::Add, host()), (EventKind::Redirect, host())]);
    let event = &events[1];
    assert_eq!((event.gateway, event.author, &event.errno), (redirect().gateway.into(), redirect().author, &None));
    assert!(event.flags.contains(RouteFlags::DONE | RouteFlags::DYNAMIC | RouteFlags::HOST | RouteFlags::GATEWAY));
    assert_eq!(stat(&mut scene).dynamic, 1);
    scene.introduce(GATEWAY);
    assert!(scene.fate(ip("203.0.113.5")).is_some());
}

// holds S3.18, X67
#[test]
fn rd_02_a_redirect_turns_the_route_that_a_host_has() {
    let mut scene = at_1000(false);
    scene.add_route("203.0.113.5/32", via(ip("192.0.2.254")));
    let route = take(&mut scene, redirect()).unwrap();
    assert_eq!((letters(&route).as_str(), route.gateway), ("UGHMS", Some(ip("192.0.2.253"))));
    assert_eq!((stat(&mut scene).newgateway, stat(&mut scene).dynamic), (1, 0));
    scene.pass(700 * SECOND);
    scene.pass(SECOND);
    assert_eq!(host(&mut scene).map(|route| letters(&route)).as_deref(), Some("UGHMS"), "a person's stays");
}

// holds X66
#[test]
fn rd_03_only_the_gateway_in_use_may_redirect() {
    let mut scene = at_1000(true);
    let mut follower = follower(&mut scene, None);
    let before = scene.shown(0);
    let another = Redirect { author: Some(ip("192.0.2.77")), ..redirect() };
    let refused = take(&mut scene, another).unwrap_err();
    assert_eq!((refused.kind, refused.kind.errno()), (ErrorKind::Invalid, Some("EINVAL")));
    assert_eq!((stat(&mut scene).badredirect, scene.shown(0)), (1, before));
    let events = told(&mut follower);
    assert_eq!((events.len(), events[0].kind, events[0].errno.as_deref()), (1, EventKind::Redirect, Some("EINVAL")));
}

// holds X66
#[test]
fn rd_04_a_gateway_on_no_link_is_out_of_reach() {
    let mut scene = at_1000(true);
    for gateway in ["10.9.9.9", "0.0.0.0"] {
        let refused = take(&mut scene, Redirect { gateway: ip(gateway), ..redirect() }).unwrap_err();
        assert_eq!(refused.kind.errno(), Some("ENETUNREACH"), "{gateway}");
    }
}

// holds X66
#[test]
fn rd_05_our_own_address_or_a_broadcast_is_no_gateway() {
    let mut scene = at_1000(true);
    for gateway in ["192.0.2.1", "192.0.2.255", "192.0.2.0"] {
        let refused = take(&mut scene, Redirect { gateway: ip(gateway), ..redirect() }).unwrap_err();
        assert_eq!(refused.kind.errno(), Some("EHOSTUNREACH"), "{gateway}");
    }
    assert_eq!(stat(&mut scene).badredirect, 3);
}

// holds X66
#[test]
fn rd_06_a_destination_on_our_own_link_is_not_redirected() {
    let mut scene = at_1000(true);
    let on_link = Redirect { dst: Network::host(ip("198.51.100.20")), author: None, ..redirect() };
    assert_eq!(take(&mut scene, on_link).unwrap_err().kind.errno(), Some("EHOSTUNREACH"));
}

// holds X66
#[test]
fn rd_07_a_network_s_route_stays_when_one_of_its_hosts_is_redirected() {
    let mut scene = at_1000(false);
    scene.add_route("203.0.0.0/16", via(ip("192.0.2.254")));
    take(&mut scene, redirect()).unwrap();
    assert_eq!(host(&mut scene).unwrap().gateway, Some(ip("192.0.2.253")));
    let network = scene.tell(message(Verb::Get, "203.0.0.0/16")).unwrap();
    assert_eq!((letters(&network).as_str(), network.gateway), ("UGS", Some(ip("192.0.2.254"))));
}

// holds S1.07, X13, X14
#[test]
fn rd_08_what_a_redirect_made_goes_after_its_time() {
    let mut scene = at_1000(true);
    scene.control.set_redirect_timeout(Duration::from_secs(5), scene.now).unwrap();
    take(&mut scene, redirect()).unwrap();
    scene.pass(5 * SECOND);
    assert!(host(&mut scene).is_some(), "at 1005");
    scene.pass(SECOND);
    assert!(host(&mut scene).is_none(), "at 1006");
}

#[test]
fn rd_09_the_same_redirect_again_puts_the_end_off() {
    let mut scene = at_1000(true);
    scene.control.set_redirect_timeout(Duration::from_secs(5), scene.now).unwrap();
    take(&mut scene, redirect()).unwrap();
    scene.pass(4 * SECOND);
    let again = Redirect { author: Some(ip("192.0.2.253")), ..redirect() };
    take(&mut scene, again).unwrap();
    let Ok(Reply::Timers(queues)) = scene.ask(Request::TimerList) else { panic!("it is a list") };
    assert_eq!(queues.iter().map(|queue| queue.timers).sum::<usize>(), 1, "one entry");
    scene.pass(5 * SECOND);
    assert!(host(&mut scene).is_some(), "at 1009");
    scene.pass(SECOND);
    assert!(host(&mut scene).is_none(), "at 1010");
}

#[test]
fn rd_10_a_pinned_route_is_not_redirected() {
    let mut scene = at_1000(false);
    let pinned = RouteFlags::PINNED | RouteFlags::STATIC;
    for prefix in ["203.0.113.5/32", "203.0.113.0/24"] {
        let route = message(Verb::Add, prefix).to(via(ip("192.0.2.254"))).flags(pinned);
        scene.tell(route).unwrap();
        assert_eq!(take(&mut scene, redirect()).unwrap_err().kind, ErrorKind::NotAllowed, "{prefix}");
        scene.tell(message(Verb::Delete, prefix).flags(pinned)).unwrap();
    }
}

#[test]
fn a_redirect_is_of_one_family_and_one_table() {
    let mut scene = at_1000(true);
    let mixed = Redirect { gateway: ip("2001:db8::11"), ..redirect() };
    assert_eq!(take(&mut scene, mixed).unwrap_err().kind, ErrorKind::FamilyMismatch);
    let route = take(&mut scene, Redirect { fib: 7, ..redirect() }).unwrap();
    assert_eq!(detail(&route).fib, 7, "and the author of a route that is not there is not asked for");
    assert!(host(&mut scene).is_none(), "table 0 is left alone");
    scene.pass(601 * SECOND);
    scene.pass(SECOND);
    assert_eq!(scene.shown(7), [""; 0], "its time is over in its table");
}

#[test]
fn without_their_queue_there_are_no_redirects() {
    let mut scene = at_1000(true);
    take(&mut scene, redirect()).unwrap();
    scene.control.set_redirect_timeout(Duration::ZERO, scene.now).unwrap();
    assert!(host(&mut scene).is_none(), "those there were have gone");
    assert_eq!(take(&mut scene, redirect()).unwrap_err().kind, ErrorKind::NotFound);
    assert!(host(&mut scene).is_none());
}

// holds S1.08, X69
#[test]
fn pm_01_a_host_whose_path_carries_less_gets_a_route_of_its_own_that_says_so() {
    let mut scene = at_1000(true);
    let route = hear(&mut scene, 1400).unwrap();
    assert_eq!((letters(&route).as_str(), route.gateway), ("UGHD", Some(ip("192.0.2.254"))));
    assert_eq!(mtu(&mut scene), ("UGHD".to_owned(), 1400, false));
}

// holds S1.08, X14
#[test]
fn pm_02_it_goes_after_ten_minutes() {
    let mut scene = at_1000(true);
    hear(&mut scene, 1400).unwrap();
    scene.pass(600 * SECOND);
    assert!(host(&mut scene).is_some());
    scene.pass(SECOND);
    assert!(host(&mut scene).is_none());
}

// holds X14
#[test]
fn pm_03_a_route_that_is_there_anyway_forgets_its_mtu_and_stays() {
    let mut scene = at_1000(false);
    scene.add_route("203.0.113.5/32", via(ip("192.0.2.254")));
    hear(&mut scene, 1400).unwrap();
    assert_eq!(mtu(&mut scene), ("UGHS".to_owned(), 1400, false));
    scene.pass(601 * SECOND);
    assert_eq!(mtu(&mut scene), ("UGHS".to_owned(), 0, false));
    hear(&mut scene, 1450).unwrap();
    assert_eq!(mtu(&mut scene).1, 1450, "and finds it anew");
}

// holds X69
#[test]
fn pm_04_what_is_heard_only_lowers() {
    let mut scene = at_1000(true);
    for (heard, then) in [(1400, 1400), (1450, 1400), (1300, 1300)] {
        hear(&mut scene, heard).unwrap();
        assert_eq!(mtu(&mut scene).1, then);
    }
}

// holds S3.29
#[test]
fn pm_05_an_mtu_that_is_locked_stays() {
    let mut scene = at_1000(false);
    let metrics = RouteMetrics { mtu: 1480, locks: MetricMask::MTU, ..RouteMetrics::NONE };
    let route = message(Verb::Add, "203.0.113.5/32").to(via(ip("192.0.2.254"))).metrics(MetricMask::MTU, metrics);
    scene.tell(route).unwrap();
    hear(&mut scene, 1400).unwrap();
    assert_eq!(mtu(&mut scene), ("UGHS".to_owned(), 1480, true));
}

// holds S3.29
#[test]
fn mt_06_a_time_that_is_locked_is_not_touched_by_what_is_learnt() {
    let mut scene = at_1000(false);
    let metrics = RouteMetrics { expire: 5000, locks: MetricMask::EXPIRE, ..RouteMetrics::NONE };
    let route = message(Verb::Add, "203.0.113.5/32").to(via(ip("192.0.2.254"))).metrics(MetricMask::EXPIRE, metrics);
    scene.tell(route).unwrap();
    hear(&mut scene, 1400).unwrap();
    take(&mut scene, redirect()).unwrap();
    let route = host(&mut scene).unwrap();
    assert_eq!((detail(&route).metrics.expire, detail(&route).metrics.mtu), (5000, 1400));
    assert!(detail(&route).metrics.locks.contains(MetricMask::EXPIRE));
}

// holds X69
#[test]
fn pm_06_an_mtu_that_makes_no_sense_locks_the_one_there_is() {
    for nonsense in [200, 9000] {
        let mut scene = at_1000(true);
        hear(&mut scene, nonsense).unwrap();
        assert_eq!(mtu(&mut scene), ("UGHD".to_owned(), 1500, true), "{nonsense}");
        hear(&mut scene, 1400).unwrap();
        assert_eq!(mtu(&mut scene), ("UGHD".to_owned(), 1500, true), "{nonsense}, and then for good");
    }
}

// holds X69
#[test]
fn pm_07_an_mtu_that_is_not_said_is_guessed_from_the_packet() {
    let mut scene = at_1000(true);
    let mut guess = |packet| {
        let heard = PathMtu { fib: 0, destination: ip("203.0.113.5"), mtu: 0, packet };
        route_of(scene.ask(Request::PathMtu(heard))).unwrap();
        mtu(&mut scene)
    };
    assert_eq!(guess(1500), ("UGHD".to_owned(), 1492, false));
    assert_eq!(guess(1492), ("UGHD".to_owned(), 1006, false));
    assert_eq!(guess(68), ("UGHD".to_owned(), 1006, true), "nothing is smaller");
}

// holds X69
#[test]
fn pm_08_without_room_for_a_timer_nothing_is_learnt() {
    let timers = Limits { timers: 0, ..Limits::default() };
    let mut scene = Scene::with(Setup { timers, ..setup() });
    scene.add_route("203.0.113.5/32", via(ip("192.0.2.254")));
    assert_eq!(hear(&mut scene, 1400).unwrap_err().kind, ErrorKind::Busy);
    assert_eq!(mtu(&mut scene).1, 1500);
    scene.tell(message(Verb::Delete, "203.0.113.5/32")).unwrap();
    scene.add_route("0.0.0.0/0", via(ip("192.0.2.254")));
    assert_eq!(hear(&mut scene, 1400).unwrap_err().kind, ErrorKind::Busy);
    assert_eq!(take(&mut scene, redirect()).unwrap_err().kind, ErrorKind::Busy);
    assert!(host(&mut scene).is_none());
}

#[test]
fn a_path_through_no_port_has_no_mtu_and_one_in_ipv6_is_never_less_than_1280() {
    let mut scene = at_1000(false);
    assert_eq!(hear(&mut scene, 1400).unwrap_err().kind, ErrorKind::NotFound);
    scene.add_route("203.0.113.0/24", Target::Blackhole);
    assert_eq!(hear(&mut scene, 1400).unwrap_err().kind, ErrorKind::HostUnreachable);
    let heard = PathMtu { fib: 0, destination: ip("2001:db8::77"), mtu: 1279, packet: 0 };
    let route = route_of(scene.ask(Request::PathMtu(heard))).unwrap();
    assert_eq!((letters(&route).as_str(), detail(&route).metrics.mtu), ("UHD", 1500));
    assert!(detail(&route).metrics.locks.contains(MetricMask::MTU));
}
