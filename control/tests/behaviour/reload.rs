//! Another configuration while ferry runs: all of it or none, and what others want stays.

mod interfaces;
mod missing;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use boundary::{Mtu, NextHop, PortId};
use control::config::Config;
use control::{Asker, Hardware, HardwareStatus, Setup};
use control_api::{
    ApiError, ConfigChange, ConfigChanges, ErrorKind, EventKind, InterfaceAddress, Link, Neighbour, NeighbourState,
    Reply, Request, Route, RouteFilter, RouteMessage, Target, Verb,
};
use packet::ethernet::MacAddr;
use proptest::prelude::*;

use crate::routes::messages::{follower, told};
use crate::scene::{LEFT, NoHardware, RIGHT, Scene};

/// Two ports, and what else is said.
fn config(rest: &str) -> Config {
    let ports = "[[port]]\nname = \"left\"\ndevice = \"net_null0\"\naddresses = [\"192.0.2.1/24\"]\n\
                 [[port]]\nname = \"right\"\ndevice = \"net_null1\"\naddresses = [\"198.51.100.1/24\"]\n";
    read(&format!("{ports}{rest}"))
}

fn read(text: &str) -> Config {
    Config::parse("ferry.toml", text).unwrap_or_else(|error| panic!("{}", error.report(false)))
}

fn route(to: &str, via: &str) -> String {
    format!("[[route]]\nto = \"{to}\"\nvia = \"{via}\"\n")
}

fn neighbour(address: &str, mac: &str) -> String {
    format!("[[neighbour]]\nport = \"right\"\naddress = \"{address}\"\nmac = \"{mac}\"\n")
}

fn scene(config: &Config) -> Scene {
    over(config, NoHardware)
}

fn over(config: &Config, hardware: impl Hardware + 'static) -> Scene {
    let states = config.port_states((1..).map(|number| MacAddr([2, 0, 0, 0, 0, number])).take(config.ports().len()));
    Scene::over(Setup::new(config, states), hardware)
}

impl Scene {
    fn reload(&mut self, config: &Config) -> Result<ConfigChanges, ApiError> {
        self.asks_for_config(config, false)
    }

    fn asks_for_config(&mut self, config: &Config, dry_run: bool) -> Result<ConfigChanges, ApiError> {
        let asker = Asker { config: Some(Box::new(config.clone())), ..Asker::ferryd() };
        let request = Request::ConfigReload { file: Some("ferry.toml".to_owned()), dry_run };
        match self.control.handle_asked(request, asker, self.now)? {
            Reply::Config(changes) => Ok(changes),
            other => panic!("{other:?}"),
        }
    }

    fn state_told(&mut self) -> (Vec<Route>, Vec<Neighbour>, Vec<Vec<InterfaceAddress>>) {
        let Ok(Reply::Routes(routes)) = self.ask(Request::RouteShow { filter: RouteFilter::default() }) else {
            panic!()
        };
        let Ok(Reply::Neighbours(mut known)) = self.ask(Request::NeighShow { dev: None }) else { panic!() };
        known.retain(|neighbour| neighbour.state == NeighbourState::Permanent);
        let Ok(Reply::Ports(ports)) = self.ask(Request::PortShow { name: None }) else { panic!() };
        let addresses = ports.into_iter().map(|mut port| {
            port.addresses.sort();
            port.addresses
        });
        (routes, known, addresses.collect())
    }

    fn has_route(&mut self, to: &str) -> bool {
        self.state_told().0.iter().any(|route| route.dst.to_string() == to)
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn change(what: &str, old: Option<&str>, new: Option<&str>) -> ConfigChange {
    ConfigChange { what: what.to_owned(), old: old.map(str::to_owned), new: new.map(str::to_owned) }
}

#[test]
fn what_the_old_file_said_goes_what_the_new_one_says_comes_and_workers_see_it_at_once() {
    let gateway = neighbour("198.51.100.2", "02:00:00:00:02:02") + &neighbour("198.51.100.3", "02:00:00:00:02:03");
    let old =
        config(&(gateway.clone() + &route("10.0.0.0/8", "198.51.100.2") + &route("172.16.0.0/12", "198.51.100.2")));
    let new = config(&(gateway + &route("10.0.0.0/8", "198.51.100.3") + &route("203.0.113.0/24", "198.51.100.2")));
    let mut scene = scene(&old);
    let generation = scene.generation();
    let changes = scene.reload(&new).unwrap();
    assert_eq!(scene.generation(), generation + 1, "in one publish");
    assert!(changes.applied && changes.restart.is_empty());
    let (two, three) = ("via 198.51.100.2 dev right", "via 198.51.100.3 dev right");
    assert_eq!(
        changes.changes,
        [
            change("route 10.0.0.0/8", Some(two), Some(three)),
            change("route 172.16.0.0/12", Some(two), None),
            change("route 203.0.113.0/24", None, Some(two)),
        ]
    );
    let [station, other] = [2, 3].map(|last| Some(MacAddr([2, 0, 0, 0, 2, last])));
    assert_eq!(scene.station(ip("10.1.2.3")), other);
    assert_eq!(scene.fate(ip("172.16.0.1")), None);
    assert_eq!(scene.station(ip("203.0.113.1")), station);
    assert_eq!(scene.reload(&new).unwrap().changes, [], "and the same file again changes nothing");
    assert_eq!(scene.generation(), generation + 1);
}

#[test]
fn what_somebody_has_asked_for_stays() {
    let mut scene = scene(&config(&route("10.0.0.0/8", "198.51.100.2")));
    let via = |gateway: &str| Target::Via { gateway: ip(gateway), dev: None };
    scene.add_route("172.16.0.0/12", via("198.51.100.9"));
    let replaced = Request::RouteReplace { to: "10.0.0.0/8".parse().unwrap(), target: via("198.51.100.9") };
    assert_eq!(scene.ask(replaced), Ok(Reply::Done));
    let lladdr = MacAddr([2, 0, 0, 0, 2, 9]);
    let known = Request::NeighAdd { address: ip("198.51.100.9"), dev: "right".to_owned(), lladdr };
    assert_eq!(scene.ask(known), Ok(Reply::Done));
    let address = "203.0.113.1/24".parse().unwrap();
    assert_eq!(scene.ask(Request::AddressAdd { address, dev: "left".to_owned() }), Ok(Reply::Done));
    let before = scene.state_told();
    scene.reload(&config("")).unwrap();
    assert_eq!(
        scene.state_told(),
        before,
        "the route to 10.0.0.0/8 is not as the file said any more, and somebody's own"
    );
}

#[test]
fn what_somebody_has_asked_for_and_the_file_says_later_is_the_file_s_from_then_on() {
    let mut scene = scene(&config(""));
    scene.add_route("10.0.0.0/8", Target::Via { gateway: ip("198.51.100.2"), dev: None });
    let address = "203.0.113.1/24".parse().unwrap();
    assert_eq!(scene.ask(Request::AddressAdd { address, dev: "left".to_owned() }), Ok(Reply::Done));
    let text = "[[port]]\nname = \"left\"\ndevice = \"net_null0\"\naddresses = [\"192.0.2.1/24\", \"203.0.113.1/24\"]\n\
                [[port]]\nname = \"right\"\ndevice = \"net_null1\"\naddresses = [\"198.51.100.1/24\"]\n";
    let before = scene.state_told();
    scene.reload(&read(&format!("{text}{}", route("10.0.0.0/8", "198.51.100.2")))).unwrap();
    assert_eq!(scene.state_told(), before);
    scene.reload(&config("")).unwrap();
    assert!(!scene.has_route("10.0.0.0/8") && !scene.has_route("203.0.113.0/24"));
}

#[test]
fn a_configuration_that_is_in_somebody_s_way_changes_nothing() {
    let mut scene = scene(&config(&route("10.0.0.0/8", "198.51.100.2")));
    scene.add_route("172.16.0.0/12", Target::Blackhole);
    let address = "203.0.113.1/24".parse().unwrap();
    assert_eq!(scene.ask(Request::AddressAdd { address, dev: "left".to_owned() }), Ok(Reply::Done));
    let lladdr = MacAddr([2, 0, 0, 0, 2, 9]);
    let known = Request::NeighAdd { address: ip("198.51.100.9"), dev: "right".to_owned(), lladdr };
    assert_eq!(scene.ask(known), Ok(Reply::Done));
    let in_the_way = "[[port]]\nname = \"left\"\ndevice = \"net_null0\"\naddresses = [\"192.0.2.1/24\"]\n\
                      [[port]]\nname = \"right\"\ndevice = \"net_null1\"\n\
                      addresses = [\"198.51.100.1/24\", \"203.0.113.9/25\"]\n";
    let (before, generation) = (scene.state_told(), scene.generation());
    let configs = [
        ("another route", config(&route("172.16.0.0/12", "198.51.100.2"))),
        ("a route to the network of an address", config(&route("203.0.113.0/24", "198.51.100.2"))),
        ("another station", config(&neighbour("198.51.100.9", "02:00:00:00:02:01"))),
        ("an overlapping network", read(in_the_way)),
    ];
    for (what, config) in configs {
        let refused = scene.reload(&config).unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Exists, "{what}: {refused}");
        assert!(refused.hint.is_some(), "{what}");
        assert_eq!((scene.state_told(), scene.generation()), (before.clone(), generation), "{what}");
        assert_eq!(scene.asks_for_config(&config, true), Err(refused), "{what}: a dry run says so, too");
    }
}

#[test]
fn what_only_a_restart_changes_is_refused_with_all_the_rest_and_a_dry_run_shows_both() {
    let mut scene = scene(&config(""));
    let before = (scene.state_told(), scene.generation());
    let ports = |left: &str, right: &str| {
        read(&format!(
            "[[port]]\nname = \"left\"\ndevice = \"net_null0\"\naddresses = [\"192.0.2.1/24\"]\n{left}\n\
             [[port]]\nname = \"{right}\"\ndevice = \"net_null1\"\naddresses = [\"198.51.100.1/24\"]\n{}",
            route("10.0.0.0/8", "198.51.100.2")
        ))
    };
    #[rustfmt::skip]
    let configs = [
        ("port left: promiscuous", ports("promiscuous = true", "right"), 1),
        ("port left: mac", ports("mac = \"02:00:00:00:00:77\"", "right"), 1),
        ("port left: fib", ports("fib = 1", "right"), 1),
        ("port left: queues", ports("queues = 3", "right"), 1),
        ("port right", ports("", "rechts"), 0),
        ("[[worker]]", config(&(route("10.0.0.0/8", "198.51.100.2") + "[[worker]]\ncore = 1\n")), 1),
        ("[dpdk] memory_mib", config(&(route("10.0.0.0/8", "198.51.100.2") + "[dpdk]\nmemory_mib = 64\n")), 1),
        ("[routing] fibs", config(&(route("10.0.0.0/8", "198.51.100.2") + "[routing]\nfibs = 3\n")), 1),
        ("[api] socket", config(&(route("10.0.0.0/8", "198.51.100.2") + "[api]\nsocket = \"/run/other\"\n")), 1),
        ("[fpm]", config(&(route("10.0.0.0/8", "198.51.100.2") + "[fpm]\n")), 1),
    ];
    for (what, config, routes) in configs {
        let refused = scene.reload(&config).unwrap_err();
        assert_eq!(refused.kind, ErrorKind::RestartNeeded);
        assert!(refused.message.contains(what), "{refused}");
        let shown = scene.asks_for_config(&config, true).unwrap();
        assert_eq!(shown.restart[0].what, what);
        assert_eq!((shown.applied, shown.changes.len()), (false, routes), "{what}");
        assert_eq!((scene.state_told(), scene.generation()), before, "{what}");
    }
}

#[test]
fn what_needs_a_restart_is_shown_in_the_words_of_the_file() {
    let ports = |of_left: &str| {
        format!(
            "[[port]]\nname = \"left\"\ndevice = \"net_null0\"\naddresses = [\"192.0.2.1/24\"]\n{of_left}\n\
             [[port]]\nname = \"right\"\ndevice = \"net_null1\"\naddresses = [\"198.51.100.1/24\"]\n"
        )
    };
    let mut scene = scene(&read(&(ports("") + "[[worker]]\ncore = 0\n[fpm]\nquiet_seconds = 20\n")));
    let next = ports("mac = \"02:00:00:00:00:77\"\nrx_descriptors = 512\nrss = \"symmetric\"\ntap = true")
        + "[dpdk]\nhuge_pages = \"never\"\nargs = [\"--no-pci\"]\n[routing]\nfibs = 3\n\
           [[worker]]\ncore = 0\n[[worker]]\ncore = 1\nidle = \"adaptive\"\n\
           [fpm]\nquiet_seconds = 40\nsnapshot = \"/var/lib/ferry/fpm\"\n[[fpm.interface]]\nindex = 3\nport = \"right\"\n";
    #[rustfmt::skip]
    assert_eq!(scene.asks_for_config(&read(&next), true).unwrap().restart, [
        change("[dpdk] huge_pages", Some("auto"), Some("never")),
        change("[dpdk] args", None, Some("--no-pci")),
        change("[[worker]]", Some("core 0"), Some("core 0, core 1 idle adaptive")),
        change("[routing] fibs", None, Some("3")),
        change("[fpm] quiet_seconds", Some("20"), Some("40")),
        change("[fpm] snapshot", None, Some("/var/lib/ferry/fpm")),
        change("[[fpm.interface]]", Some(""), Some("3 is port right")),
        change("port left: mac", None, Some("02:00:00:00:00:77")),
        change("port left: rss", Some("device"), Some("symmetric")),
        change("port left: rx_descriptors", None, Some("512")),
        change("port left: tap", None, Some("left")),
    ]);
}

#[test]
fn what_the_file_says_and_somebody_has_taken_away_comes_back() {
    let text = route("10.0.0.0/8", "198.51.100.2") + &neighbour("198.51.100.2", "02:00:00:00:02:02");
    let config = config(&text);
    let mut scene = scene(&config);
    let before = scene.state_told();
    assert_eq!(scene.ask(Request::RouteDel { to: "10.0.0.0/8".parse().unwrap() }), Ok(Reply::Done));
    assert_eq!(scene.ask(Request::NeighDel { address: ip("198.51.100.2"), dev: "right".to_owned() }), Ok(Reply::Done));
    let left = Request::AddressDel { address: ip("192.0.2.1"), len: None, dev: "left".to_owned() };
    assert_eq!(scene.ask(left), Ok(Reply::Done));
    let missing = [
        change("route 10.0.0.0/8", None, Some("via 198.51.100.2 dev right")),
        change("neighbour 198.51.100.2 on right", None, Some("02:00:00:00:02:02")),
        change("address on left", None, Some("192.0.2.1/24")),
    ];
    assert_eq!(scene.asks_for_config(&config, true).unwrap().changes, missing, "a dry run shows it");
    assert_eq!(scene.reload(&config).unwrap().changes, missing);
    assert_eq!(scene.state_told(), before);
    assert_eq!(scene.reload(&config).unwrap().changes, []);
}

#[test]
fn the_broadcast_of_a_network_that_packets_may_go_to_is_no_neighbour_to_be_taken_away() {
    let text = "[[port]]\nname = \"left\"\ndevice = \"net_null0\"\naddresses = [\"192.0.2.1/24\"]\ndirected_broadcast = true\n";
    let mut scene = scene(&read(text));
    assert_eq!(scene.ask(Request::NeighFlush { dev: None, permanent: true }), Ok(Reply::Flushed(0)));
    let refused = scene.ask(Request::NeighDel { address: ip("192.0.2.255"), dev: "left".to_owned() }).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::NotAllowed);
    assert_eq!(scene.station(ip("192.0.2.255")), Some(MacAddr::BROADCAST));
}

#[test]
fn one_of_several_gateways_comes_back_beside_the_others() {
    let config = config(
        "[[route]]\nto = \"10.0.0.0/8\"\nvia = [\"198.51.100.2\", { address = \"198.51.100.3\", weight = 2 }]\n",
    );
    let mut scene = scene(&config);
    let mut gone = RouteMessage::new(Verb::Delete, ip("10.0.0.0"), Some(ip("255.0.0.0")));
    gone.target = Some(Target::Via { gateway: ip("198.51.100.3"), dev: None });
    scene.ask(Request::RouteMessage(gone)).unwrap();
    let (two, three) = ("via 198.51.100.2 dev right", "via 198.51.100.3 dev right weight 2");
    let both = format!("{two}, {three}");
    assert_eq!(scene.reload(&config).unwrap().changes, [change("route 10.0.0.0/8", Some(two), Some(&both))]);
    assert_eq!(scene.reload(&config).unwrap().changes, []);
}

#[test]
fn what_somebody_has_put_in_the_place_of_what_the_file_says_stays_and_is_no_difference() {
    let config = config(&(route("10.0.0.0/8", "198.51.100.2") + &neighbour("198.51.100.2", "02:00:00:00:02:02")));
    let mut scene = scene(&config);
    let other = Target::Via { gateway: ip("198.51.100.9"), dev: None };
    let replaced = Request::RouteReplace { to: "10.0.0.0/8".parse().unwrap(), target: other };
    assert_eq!(scene.ask(replaced), Ok(Reply::Done));
    let lladdr = MacAddr([2, 0, 0, 0, 2, 9]);
    let known = Request::NeighReplace { address: ip("198.51.100.2"), dev: "right".to_owned(), lladdr };
    assert_eq!(scene.ask(known), Ok(Reply::Done));
    let before = scene.state_told();
    assert_eq!(scene.reload(&config).unwrap().changes, []);
    assert_eq!(scene.state_told(), before);
}

#[test]
fn a_route_whose_link_is_down_is_not_missing() {
    let config = config(&route("10.0.0.0/8", "198.51.100.2"));
    let mut scene = scene(&config);
    assert_eq!(scene.ask(Request::PortTurn { name: "right".to_owned(), up: false }), Ok(Reply::Done));
    assert_eq!(scene.reload(&config).unwrap().changes, []);
}

#[test]
fn ports_may_be_in_another_order() {
    let mut scene = scene(&config(""));
    let text = format!(
        "[[port]]\nname = \"right\"\ndevice = \"net_null1\"\naddresses = [\"198.51.100.1/24\"]\n\
         [[port]]\nname = \"left\"\ndevice = \"net_null0\"\naddresses = [\"192.0.2.1/24\"]\n{}",
        route("10.0.0.0/8", "198.51.100.2")
    );
    let changes = scene.reload(&read(&text)).unwrap().changes;
    assert_eq!(changes, [change("route 10.0.0.0/8", None, Some("via 198.51.100.2 dev right"))]);
    assert_eq!(scene.fate(ip("10.1.2.3")), Some(NextHop::Unresolved(RIGHT)));
}

#[test]
fn a_port_s_policy_and_filter_and_limits_are_those_of_the_new_file() {
    let mut scene = scene(&config(""));
    let text = "[[port]]\nname = \"left\"\ndevice = \"net_null0\"\naddresses = [\"192.0.2.1/24\"]\n\
                reverse_path = \"strict\"\nfilter = \"edge\"\ndirected_broadcast = true\n\
                [[port]]\nname = \"right\"\ndevice = \"net_null1\"\naddresses = [\"198.51.100.1/24\"]\n\
                [[filter]]\nname = \"edge\"\ndefault = \"drop\"\n[ip]\nsource_routes = true\n\
                [icmp]\nerror_rate = 10\n[routing]\nsymmetric = true\nseed = 5\n";
    let changes = scene.reload(&read(text)).unwrap().changes;
    let named: Vec<_> = changes.iter().map(|change| change.what.as_str()).collect();
    #[rustfmt::skip]
    assert_eq!(named, [
        "port left: reverse_path", "port left: directed_broadcast", "port left: filter", "[[filter]]",
        "[routing]: how flows are divided", "[icmp]", "[ip] source_routes",
    ]);
    let state = scene.state.pin();
    let policy = state.port(LEFT).policy;
    assert_eq!(policy.reverse_path, boundary::policy::ReversePath::Strict);
    assert_eq!(state.filter(policy.filter.unwrap()).otherwise, boundary::policy::Action::Drop);
    assert!(state.flows.symmetric && state.flows.seed == 5);
    assert_eq!(scene.station(ip("192.0.2.255")), Some(MacAddr::BROADCAST));
    scene.reload(&config("")).unwrap();
    assert_eq!(scene.fate(ip("192.0.2.255")), Some(NextHop::Blackhole));
    let state = scene.state.pin();
    assert!(state.port(LEFT).policy.is_lenient() && state.filters.is_empty() && !state.flows.symmetric);
}

/// Devices that take any MTU, but for the right one if it is stubborn.
struct Devices {
    mtus: [Arc<AtomicU16>; 2],
    is_stubborn: bool,
}

impl Hardware for Devices {
    fn status(&self, _port: PortId) -> HardwareStatus {
        HardwareStatus { link: Link::Up, driver: "memory".to_owned(), counters: None }
    }

    fn set_mtu(&self, port: PortId, mtu: Mtu) -> Result<(), String> {
        if self.is_stubborn && port == RIGHT {
            return Err("it is as it is".to_owned());
        }
        self.mtus[port.index()].store(mtu.bytes(), Ordering::Relaxed);
        Ok(())
    }
}

#[test]
fn a_device_that_keeps_its_mtu_keeps_everything_as_it_was() {
    let mtus: [Arc<AtomicU16>; 2] = Default::default();
    let devices = |is_stubborn| Devices { mtus: mtus.clone(), is_stubborn };
    let smaller = read(&format!(
        "[[port]]\nname = \"left\"\ndevice = \"net_null0\"\naddresses = [\"192.0.2.1/24\"]\nmtu = 1400\n\
         [[port]]\nname = \"right\"\ndevice = \"net_null1\"\naddresses = [\"198.51.100.1/24\"]\nmtu = 1300\n{}",
        route("10.0.0.0/8", "198.51.100.2")
    ));
    let mut stubborn = over(&config(""), devices(true));
    let before = stubborn.state_told();
    let refused = stubborn.reload(&smaller).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::RestartNeeded);
    assert!(refused.message.contains("`right` keeps its MTU: it is as it is"), "{refused}");
    assert_eq!(stubborn.state_told(), before);
    let device = || mtus.each_ref().map(|mtu| mtu.load(Ordering::Relaxed));
    assert_eq!(device(), [1500, 0], "the left one took it, and took it back");
    let mut willing = over(&config(""), devices(false));
    willing.reload(&smaller).unwrap();
    assert_eq!(device(), [1400, 1300]);
    assert_eq!(willing.state.pin().port(RIGHT).mtu.bytes(), 1300);
}

#[test]
fn who_follows_is_told_of_every_route_and_address_that_goes_or_comes() {
    let mut scene = scene(&config(&route("10.0.0.0/8", "198.51.100.2")));
    let mut follower = follower(&mut scene, None);
    let text = "[[port]]\nname = \"left\"\ndevice = \"net_null0\"\naddresses = [\"203.0.113.1/24\"]\n\
                [[port]]\nname = \"right\"\ndevice = \"net_null1\"\naddresses = [\"198.51.100.1/24\"]\n";
    scene.reload(&read(&format!("{text}{}", route("172.16.0.0/12", "198.51.100.2")))).unwrap();
    let told: Vec<_> = told(&mut follower);
    let routes =
        |kind| told.iter().filter(|event| event.kind == kind).filter_map(|event| event.dst).collect::<Vec<_>>();
    assert!(routes(EventKind::Delete).contains(&"10.0.0.0/8".parse().unwrap()), "{told:?}");
    assert!(routes(EventKind::Add).contains(&"172.16.0.0/12".parse().unwrap()), "{told:?}");
    let address = |kind| told.iter().find(|event| event.kind == kind).and_then(|event| event.address);
    assert_eq!(address(EventKind::DelAddr), Some("192.0.2.1/24".parse().unwrap()));
    assert_eq!(address(EventKind::NewAddr), Some("203.0.113.1/24".parse().unwrap()));
}

#[test]
fn a_port_that_is_told_to_advertise_does_and_one_that_is_told_to_stop_takes_leave() {
    let advertising = |section: &str| {
        read(&format!(
            "[[port]]\nname = \"left\"\ndevice = \"net_null0\"\naddresses = [\"2001:db8:1::1/64\"]\n{section}\n\
             [[port]]\nname = \"right\"\ndevice = \"net_null1\"\naddresses = [\"198.51.100.1/24\"]\n"
        ))
    };
    let mut scene = scene(&advertising(""));
    scene.control.announce(scene.now, &mut scene.sent);
    let advertised = |scene: &mut Scene| {
        let before = scene.control.counts().router_advertisements;
        (0..20).for_each(|_second| scene.pass(std::time::Duration::from_secs(1)));
        scene.control.counts().router_advertisements - before
    };
    assert_eq!(advertised(&mut scene), 0);
    scene.reload(&advertising("[port.router_advertisements]")).unwrap();
    assert!(advertised(&mut scene) > 0);
    scene.reload(&advertising("")).unwrap();
    assert_eq!(advertised(&mut scene), 1, "the last one");
    assert_eq!(advertised(&mut scene), 0);
}

#[test]
fn a_route_may_make_its_table() {
    let mut scene = scene(&config(""));
    let text = "[[route]]\nto = \"10.0.0.0/8\"\nblackhole = true\nfib = 7\n";
    scene.reload(&config(text)).unwrap();
    let filter = RouteFilter { fib: 7, ..RouteFilter::default() };
    let Ok(Reply::Routes(routes)) = scene.ask(Request::RouteShow { filter }) else { panic!() };
    assert_eq!(routes.len(), 1);
}

/// Sections that may be there or not, in any combination.
fn sections() -> impl Strategy<Value = String> {
    let gateways = proptest::collection::btree_map(0..4_u8, 1..4_u8, 0..3);
    let routes = proptest::collection::btree_map(0..4_u8, (0..3_u8, gateways, any::<bool>()), 0..4);
    let neighbours = proptest::collection::btree_map(2..6_u8, 1..3_u8, 0..3);
    let extra = (any::<bool>(), any::<bool>(), 0..3_u8);
    (routes, neighbours, extra).prop_map(|(routes, neighbours, (count, broadcast, address))| {
        let mut text = format!(
            "[routing]\ncount_packets = {count}\n\
             [[port]]\nname = \"left\"\ndevice = \"net_null0\"\naddresses = [\"192.0.2.1/24\"]\n\
             directed_broadcast = {broadcast}\n\
             [[port]]\nname = \"right\"\ndevice = \"net_null1\"\naddresses = [\"198.51.100.1/24\"{}]\n",
            ["", ", \"203.0.113.1/24\"", ", \"203.0.113.1/25\", \"2001:db8::1/64\""][usize::from(address)]
        );
        for (to, (kind, gateways, is_counted)) in routes {
            text.push_str(&format!("[[route]]\nto = \"10.{to}.0.0/16\"\n"));
            let via = gateways
                .iter()
                .map(|(last, weight)| format!("{{ address = \"198.51.100.{}\", weight = {weight} }}", last + 2));
            match (kind, gateways.len()) {
                (0, _) | (_, 0) => text.push_str("blackhole = true\n"),
                (1, _) => text.push_str(&format!("via = [{}]\n", via.collect::<Vec<_>>().join(", "))),
                _ => text.push_str("dev = \"left\"\n"),
            }
            if is_counted {
                text.push_str("count = true\n");
            }
        }
        for (last, mac) in neighbours {
            text.push_str(&neighbour(&format!("198.51.100.{last}"), &format!("02:00:00:00:02:0{mac}")));
        }
        text
    })
}

proptest! {
    /// The fast way is to take steps from one to the other; the plain one, to start with the other. What somebody has taken
    /// away meanwhile makes no difference.
    #[test]
    fn whoever_comes_from_another_configuration_forwards_as_whoever_starts_with_this_one(
        texts in proptest::collection::vec(sections(), 2..4), is_flushed in any::<bool>(),
    ) {
        let configs: Vec<_> = texts.iter().map(|text| read(text)).collect();
        let mut coming = scene(&configs[0]);
        for config in &configs[1..] {
            if is_flushed {
                coming.ask(Request::RouteFlush { filter: RouteFilter::default() }).unwrap();
                coming.ask(Request::NeighFlush { dev: None, permanent: true }).unwrap();
            }
            coming.reload(config).unwrap();
        }
        let mut starting = scene(configs.last().unwrap());
        // Several to one network are shown in the order in which they came.
        let shown = |scene: &mut Scene| {
            let (mut routes, neighbours, addresses) = scene.state_told();
            routes.sort_by_key(|route| (route.dst, route.gateway));
            (routes, neighbours, addresses)
        };
        prop_assert_eq!(shown(&mut coming), shown(&mut starting));
        for (net, last) in (0..4_u8).flat_map(|net| [1, 2, 255].map(|last| (net, last))) {
            let probes = [[10, net, 0, last], [198, 51, 100, last], [203, 0, 113, last], [192, 0, 2, last]];
            for probe in probes.map(IpAddr::from) {
                let divided = |scene: &mut Scene| {
                    let mut divided = scene.divided(probe);
                    divided.sort_by_key(|share| format!("{share:?}"));
                    divided
                };
                prop_assert_eq!(divided(&mut coming), divided(&mut starting), "{}", probe);
            }
        }
    }
}
