//! Sessions of a routing daemon that end, come back or do not: what stays, and what is swept.

use super::*;

#[test]
fn routes_of_a_daemon_that_is_gone_stay_and_what_it_does_not_tell_again_is_swept() {
    let mut scene = scene();
    let [kept, gone] = ["203.0.113.0/24", "203.0.114.0/24"].map(|to| bgp(to, "198.51.100.254"));
    scene.says([kept.clone(), gone]);
    scene.goes();
    let fpm = scene.fpm();
    assert_eq!((fpm.state, fpm.stale, fpm.last_end.as_deref()), (FpmState::Lost, 2, Some("it hung up")));
    scene.pass(Duration::from_secs(86_400));
    assert_eq!(scene.station(ip("203.0.114.9")), Some(GATEWAY.mac), "for ever, unless something else is said");

    scene.hear(Heard::Came(PEER));
    let generation = scene.generation();
    scene.says([kept]);
    scene.pass(Duration::from_secs(9));
    assert_eq!((scene.generation(), scene.fpm().stale), (generation, 1));
    scene.pass(Duration::from_secs(1));
    assert_eq!(["203.0.113.9", "203.0.114.9"].map(|to| scene.station(ip(to))), [Some(GATEWAY.mac), None]);
    let fpm = scene.fpm();
    assert_eq!((fpm.state, fpm.stale, fpm.routes, fpm.sessions), (FpmState::Settled, 0, 1, 2));
    assert_eq!(fpm.counts["swept"], 1);
}

#[test]
fn a_daemon_that_never_falls_silent_is_swept_behind_all_the_same() {
    let mut scene = scene();
    let [kept, gone] = ["203.0.113.0/24", "203.0.114.0/24"].map(|to| Said::Route(told(to, Leads::Blackhole)));
    scene.says([kept.clone(), gone]);
    scene.goes();
    scene.hear(Heard::Came(PEER));
    for second in 0..60 {
        assert_eq!(scene.fate(ip("203.0.114.9")), Some(NextHop::Blackhole), "after {second} s");
        scene.says([kept.clone()]);
        scene.pass(Duration::from_secs(1));
    }
    assert_eq!(["203.0.113.9", "203.0.114.9"].map(|to| scene.fate(ip(to))), [Some(NextHop::Blackhole), None]);
}

#[test]
fn a_daemon_that_does_not_come_back_loses_its_routes_when_that_is_wanted() {
    let settings = Settings { hold: Some(Duration::from_secs(600)), ..settings() };
    let mut scene = Scene::with(Setup { fpm: Some(settings), ..setup() });
    scene.introduce(GATEWAY);
    for _session in 0..2 {
        scene.hear(Heard::Came(PEER));
        scene.says([bgp("203.0.113.0/24", "198.51.100.254")]);
        scene.goes();
        scene.pass(Duration::from_secs(599));
        assert_eq!(scene.station(ip("203.0.113.9")), Some(GATEWAY.mac), "one that comes back in time keeps them");
    }
    scene.pass(Duration::from_secs(1));
    assert_eq!((scene.station(ip("203.0.113.9")), scene.fpm().routes), (None, 0));
}

#[test]
fn a_sweep_goes_through_all_tables_in_steps_and_takes_nothing_that_is_a_person_s() {
    let mut scene = scene();
    let network = |number: u32| format!("10.{}.{}.0/24", number >> 8 & 255, number & 255);
    let in_table = |table, number| RouteSaid { table, ..told(&network(number), Leads::Blackhole) };
    let legs = Leads::Among(vec![via("192.0.2.10", 3), via("198.51.100.254", 4)]);
    scene.says((0..3000).map(|number| Said::Route(in_table(MAIN_OF_LINUX, number))));
    scene.says((0..10).map(|number| Said::Route(in_table(1000, number))));
    scene.says((0..10).map(|number| Said::Route(told(&format!("2001:db8:f:{number}::/64"), Leads::Unreachable))));
    scene.says((0..3000).step_by(7).map(|number| Said::Route(told(&network(number), legs.clone()))));
    (0..3000).step_by(1000).for_each(|number| scene.add_route(&network(number), Target::Unreachable));
    let before = scene.fpm();
    assert_eq!((before.routes, before.stale), (3020, 0));
    scene.goes();
    assert_eq!(scene.ask(Request::FpmSweep), Ok(Reply::Flushed(3020)));
    assert_eq!((scene.daemon_s(0).len(), scene.daemon_s(7).len(), scene.fpm().routes), (0, 0, 0));
    assert_eq!(scene.fate(ip("10.0.0.1")), Some(NextHop::Unreachable), "a person's stays");
    assert_eq!(scene.fate(ip("10.0.1.1")), None);
}

#[test]
fn without_the_section_nobody_listens_and_that_is_said() {
    let mut scene = Scene::new();
    for request in [Request::FpmShow, Request::FpmSweep] {
        let refused = scene.ask(request).unwrap_err();
        assert_eq!(refused.kind, ErrorKind::NotFound);
        assert!(refused.hint.unwrap().contains("[fpm]"));
    }
}

#[test]
fn the_configuration_s_section_reaches_the_control_plane() {
    let config = Config::parse("ferry.toml", "[fpm]\n[[port]]\nname = \"left\"\ndevice = \"net_null0\"\n").unwrap();
    let setup = Setup::new(&config, config.port_states([MacAddr([2, 0, 0, 0, 0, 1])]));
    let mut scene = Scene::with(setup);
    assert_eq!((scene.fpm().listen.port(), scene.fpm().state), (2620, FpmState::Waiting));
}
