//! Links that go and come, and ports that carry more or less.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use boundary::{Mtu, NextHop, PortId, PuntReason};
use control::{BETWEEN_LOOKS, Hardware, HardwareStatus, LookupFlags, RouteCache};
use control_api::{ErrorKind, EventKind, Link, Redirect, Verb};
use packet::vlan::{Tag, TagProtocol, Tags, VlanId};

use super::messages::{follower, told};
use super::*;

/// Devices whose links can be taken away.
#[derive(Clone, Default)]
pub(super) struct Devices(Arc<Mutex<BTreeSet<PortId>>>);

impl Hardware for Devices {
    fn status(&self, port: PortId) -> HardwareStatus {
        let link = if self.0.lock().unwrap().contains(&port) { Link::Down } else { Link::Up };
        HardwareStatus { link, driver: "memory".to_owned(), counters: None }
    }

    fn set_mtu(&self, _port: PortId, mtu: Mtu) -> Result<(), String> {
        if mtu.bytes() > 2000 { Err("it has no room for more than 2000".to_owned()) } else { Ok(()) }
    }
}

struct Links {
    scene: Scene,
    devices: Devices,
}

impl Links {
    fn new() -> Self {
        let devices = Devices::default();
        Self { scene: Scene::over(setup(), devices.clone()), devices }
    }

    fn goes(&mut self, port: PortId) {
        self.devices.0.lock().unwrap().insert(port);
        self.scene.pass(BETWEEN_LOOKS);
    }

    fn comes(&mut self, port: PortId) {
        self.devices.0.lock().unwrap().remove(&port);
        self.scene.pass(BETWEEN_LOOKS);
    }

    fn letters(&mut self, prefix: &str) -> String {
        letters(&self.scene.tell(message(Verb::Get, prefix)).unwrap())
    }

    fn is_found(&mut self, address: &str) -> bool {
        self.scene.control.routes_mut().rtalloc_table(ip(address), LookupFlags::empty(), 0).is_some()
    }
}

fn carries(port: &str, mtu: u16) -> Request {
    Request::PortSet { name: port.to_owned(), mtu }
}

// holds S4.06, X19
#[test]
fn rc_12_a_route_over_a_link_that_went_is_kept_and_comes_back_with_it() {
    let mut links = Links::new();
    links.scene.tell(add("10.0.0.0/8", 1)).unwrap();
    let held = links.scene.control.routes_mut().rtalloc_table(ip("10.0.0.1"), LookupFlags::empty(), 0).unwrap();
    let id = held.id();
    links.goes(LEFT);
    assert!(!held.is_up());
    drop(held);
    links.scene.pass(SECOND);
    assert_eq!((links.letters("10.0.0.0/8").as_str(), links.is_found("10.0.0.1")), ("GS", false));
    links.comes(LEFT);
    let again = links.scene.control.routes_mut().rtalloc_table(ip("10.0.0.1"), LookupFlags::empty(), 0).unwrap();
    assert!(again.is_up() && again.id() == id);
    assert_eq!(links.scene.takes("10.0.0.1"), Some(1));
}

// holds S3.13, S3.21, X19, X56
#[test]
fn fl_10_a_static_route_over_a_link_that_went_is_kept_and_not_up() {
    let mut links = Links::new();
    links.scene.tell(add("10.0.0.0/8", 1)).unwrap();
    let before = links.scene.shown(0);
    links.goes(LEFT);
    assert_eq!([links.letters("10.0.0.0/8"), links.letters("192.0.2.0/24")], ["GS", "p"]);
    assert_eq!(links.letters("192.0.2.1/32"), "UHpl", "our own address is ours all the same");
    assert_eq!(links.scene.shown(0), before);
    links.comes(LEFT);
    assert_eq!([links.letters("10.0.0.0/8"), links.letters("192.0.2.0/24")], ["UGS", "Up"]);
}

// holds X19, X73
#[test]
fn rfc_169_routes_over_a_link_that_went_are_not_used_a_tenth_of_a_second_later() {
    let mut links = Links::new();
    links.scene.tell(add("10.0.0.0/8", 1)).unwrap();
    links.scene.tell(message(Verb::Add, "172.16.0.0/12").to(via(ip("198.51.100.20")))).unwrap();
    links.devices.0.lock().unwrap().insert(LEFT);
    links.scene.pass(BETWEEN_LOOKS);
    for destination in ["10.0.0.1", "192.0.2.11", "192.0.2.77"] {
        assert_eq!(links.scene.fate(ip(destination)), None, "{destination}");
    }
    assert_eq!(links.scene.fate(ip("172.16.0.1")), Some(NextHop::Unresolved(RIGHT)), "over the other port");
    assert_eq!(links.scene.fate(ip("192.0.2.1")), Some(NextHop::Local));
}

// holds X19
#[test]
fn rfc_170_static_routes_are_back_when_the_link_is() {
    let mut links = Links::new();
    links.scene.tell(add("10.0.0.0/8", 1)).unwrap();
    links.goes(LEFT);
    links.comes(LEFT);
    assert_eq!(links.scene.takes("10.0.0.1"), Some(1));
    assert!(matches!(links.scene.fate(ip("192.0.2.11")), Some(NextHop::Neighbour(_))), "and so are its hosts");
}

#[test]
fn a_port_that_a_person_takes_down_is_as_one_without_a_link_and_is_shown_apart() {
    let mut links = Links::new();
    links.scene.tell(add("10.0.0.0/8", 1)).unwrap();
    let turn = |up| Request::PortTurn { name: "p0".to_owned(), up };
    let shown = |links: &mut Links| match links.scene.ask(Request::PortShow { name: Some("p0".to_owned()) }) {
        Ok(Reply::Ports(ports)) => {
            (ports[0].operstate, ports[0].admin_down, links.scene.state.pin().ports[0].policy.closed)
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(links.scene.ask(turn(false)), Ok(Reply::Done));
    assert_eq!(shown(&mut links), (Link::Down, true, true));
    assert_eq!((links.letters("10.0.0.0/8").as_str(), links.is_found("10.0.0.1")), ("GS", false), "at once");
    assert_eq!(links.scene.ask(turn(false)), Ok(Reply::Done), "once more is no other");
    links.comes(LEFT);
    assert!(!links.is_found("10.0.0.1"), "whatever its device says");

    // A link that went meanwhile is still gone when the port is up.
    links.goes(LEFT);
    assert_eq!(links.scene.ask(turn(true)), Ok(Reply::Done));
    assert_eq!(shown(&mut links), (Link::Down, false, false));
    links.comes(LEFT);
    assert!(links.is_found("10.0.0.1"));
    let error = links.scene.ask(Request::PortTurn { name: "p9".to_owned(), up: false }).unwrap_err();
    assert_eq!(error.kind, ErrorKind::UnknownPort);
}

// holds X29, X73
#[test]
fn what_a_link_that_went_led_to_takes_a_wider_route_or_none() {
    let mut links = Links::new();
    links.scene.tell(message(Verb::Add, "10.0.0.0/8").to(via(ip("198.51.100.20")))).unwrap();
    links.scene.tell(add("10.1.0.0/16", 1)).unwrap();
    links.goes(LEFT);
    assert_eq!(links.scene.fate(ip("10.1.0.1")), Some(NextHop::Unresolved(RIGHT)));
    assert_eq!(links.scene.tell(message(Verb::Get, "10.1.0.1")).unwrap().dst.to_string(), "10.0.0.0/8");
    links.scene.tell(message(Verb::Delete, "10.0.0.0/8")).unwrap();
    assert_eq!((links.scene.fate(ip("10.1.0.1")), links.is_found("10.1.0.1")), (None, false));
    links.scene.introduce(BOB);
    links.scene.sends(BOB, PuntReason::NoRoute, &udp(BOB.v4, ip("10.1.0.1")).of(8));
    let told = links.scene.take_packets_to(BOB).pop().map(|packet| Icmp::read(&packet)).unwrap();
    assert_eq!((told.kind, told.code), (3, 0), "as if there were no route");
    let error = links.scene.tell(message(Verb::Get, "10.1.0.1")).unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    assert_eq!(error.hint.as_deref(), Some("see to the link of port `p0`"));
}

// holds S2.15
#[test]
fn ca_05_a_cache_whose_port_has_gone_looks_up_again() {
    let mut links = Links::new();
    links.scene.tell(add("10.0.0.0/8", 1)).unwrap();
    let mut cache = RouteCache::new(ip("10.0.0.1"));
    links.scene.control.routes_mut().rtalloc(&mut cache);
    links.goes(LEFT);
    links.scene.control.routes_mut().rtalloc(&mut cache);
    assert!(cache.route().is_none());
    links.comes(LEFT);
    links.scene.control.routes_mut().rtalloc(&mut cache);
    assert!(cache.route().is_some());
}

// holds X49, X56
#[test]
fn clones_over_a_link_that_went_are_gone_but_for_one_that_is_a_gateway_s() {
    let mut links = Links::new();
    let template = |prefix| message(Verb::Add, prefix).to(Target::Dev("p0".to_owned())).flags(RouteFlags::CLONING);
    links.scene.tell(template("192.0.2.0/26")).unwrap();
    links.scene.tell(add("10.0.0.0/8", 1)).unwrap();
    for host in ["192.0.2.20", "192.0.2.21"] {
        drop(links.scene.control.routes_mut().rtalloc1(ip(host), true, RouteFlags::empty()));
    }
    assert_eq!(links.scene.control.routes().clones(), 3);
    links.goes(LEFT);
    assert_eq!(links.scene.control.routes().clones(), 1);
    assert!(!links.letters("192.0.2.11/32").contains('U'));
    links.comes(LEFT);
    assert!(links.letters("192.0.2.11/32").contains('U'));
    assert_eq!(links.scene.takes("10.0.0.1"), Some(1));
}

// holds X56
#[test]
fn rd_12_what_a_redirect_made_is_gone_with_its_link() {
    let mut links = Links::new();
    links.scene.add_route("0.0.0.0/0", via(ip("192.0.2.254")));
    let said = Redirect {
        fib: 0,
        dst: "203.0.113.5/32".parse().unwrap(),
        gateway: ip("192.0.2.253"),
        dev: None,
        author: Some(ip("192.0.2.254")),
    };
    links.scene.ask(Request::Redirect(said)).unwrap();
    assert_eq!(links.letters("203.0.113.5/32"), "UGHD");
    links.goes(LEFT);
    links.comes(LEFT);
    let left = links.scene.tell(message(Verb::Get, "203.0.113.5")).unwrap();
    assert_eq!(left.dst.to_string(), "0.0.0.0/0", "what a person added is back");
}

#[test]
fn a_route_that_is_added_over_a_link_that_is_down_is_not_up_until_it_comes() {
    let mut links = Links::new();
    links.goes(LEFT);
    assert_eq!(letters(&links.scene.tell(add("10.0.0.0/8", 1)).unwrap()), "GS");
    let other = links.scene.tell(message(Verb::Change, "10.0.0.0/8").to(via(ip("198.51.100.20")))).unwrap();
    assert_eq!(letters(&other), "UGS", "another port has one");
    assert_eq!(letters(&links.scene.tell(message(Verb::Change, "10.0.0.0/8").to(gateway(1, ""))).unwrap()), "GS");
    links.comes(LEFT);
    assert_eq!((links.letters("10.0.0.0/8").as_str(), links.scene.takes("10.0.0.1")), ("UGS", Some(1)));
}

#[test]
fn a_link_that_goes_is_told_once_and_in_two_publishes() {
    let mut links = Links::new();
    for third in 0..50 {
        links.scene.tell(add(&format!("10.{third}.0.0/16"), 1)).unwrap();
    }
    let mut follower = follower(&mut links.scene, Some(7));
    let before = links.scene.generation();
    links.goes(LEFT);
    links.scene.pass(SECOND);
    assert_eq!(links.scene.generation(), before + 2, "next hops, and then routes");
    let told = told(&mut follower);
    let seen = |event: &control_api::RouteEvent| (event.kind, event.dev.clone(), event.operstate, event.mtu);
    let expected = (EventKind::IfInfo, Some("p0".to_owned()), Some(Link::Down), Some(1500));
    assert_eq!(told.iter().map(seen).collect::<Vec<_>>(), [expected], "to those of every table");
}

// holds X31
#[test]
fn mt_09_what_a_port_carries_lowers_every_route_and_raises_few() {
    let mut links = Links::new();
    let metrics = RouteMetrics { mtu: 1442, ..RouteMetrics::NONE };
    links.scene.tell(message(Verb::Add, "10.1.0.0/16").to(Target::Dev("p0".to_owned()))).unwrap();
    let fixed = message(Verb::Add, "10.2.0.0/16").to(Target::Dev("p0".to_owned()));
    links.scene.tell(fixed.metrics(MetricMask::MTU, metrics)).unwrap();
    links.scene.tell(add("10.3.0.0/16", 1)).unwrap();
    let mut mtus = |bytes| {
        links.scene.ask(carries("p0", bytes)).unwrap();
        ["10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16"].map(|prefix| {
            let route = links.scene.tell(message(Verb::Get, prefix)).unwrap();
            detail(&route).metrics.mtu
        })
    };
    assert_eq!(mtus(1400), [1400, 1400, 1400]);
    assert_eq!(mtus(1600), [1600, 1400, 1400]);
}

// holds X31, X73
#[test]
fn workers_know_what_a_port_carries_now() {
    let mut links = Links::new();
    links.scene.tell(add("10.0.0.0/8", 1)).unwrap();
    links.scene.ask(carries("p0", 1400)).unwrap();
    let Some(NextHop::Neighbour(adjacency)) = links.scene.fate(ip("10.0.0.1")) else { panic!("it is known") };
    assert_eq!(adjacency.mtu.bytes(), 1400);
    let Ok(Reply::Ports(ports)) = links.scene.ask(Request::PortShow { name: Some("p0".to_owned()) }) else {
        panic!("there is one")
    };
    assert_eq!(ports[0].mtu, 1400);
}

#[test]
fn rfc_142_a_port_that_speaks_ipv6_does_not_come_to_carry_less_than_ipv6_needs() {
    let mut links = Links::new();
    let error = links.scene.ask(carries("p2", 1279)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid);
    assert_eq!(error.message, "an MTU of 1279 is too small for IPv6, which port `p2` speaks");
    links.scene.ask(carries("p2", 1280)).unwrap();
    links.scene.ask(carries("p0", 1279)).unwrap();
}

#[test]
fn what_a_device_cannot_carry_changes_nothing() {
    let mut links = Links::new();
    for (port, mtu, kind) in [
        ("p0", 2001, ErrorKind::Invalid),
        ("p0", 67, ErrorKind::Invalid),
        ("p0", 9217, ErrorKind::Invalid),
        ("p9", 1500, ErrorKind::UnknownPort),
    ] {
        assert_eq!(links.scene.ask(carries(port, mtu)).unwrap_err().kind, kind, "{port} {mtu}");
    }
    let error = links.scene.ask(carries("p0", 2001)).unwrap_err();
    assert_eq!(error.message, "port `p0` keeps its MTU: it has no room for more than 2000");
    let Ok(Reply::Ports(ports)) = links.scene.ask(Request::PortShow { name: None }) else { panic!("always") };
    assert!(ports.iter().all(|port| port.mtu == 1500));
}

#[test]
fn a_vlan_carries_no_more_than_the_port_it_is_on() {
    let mut setup = setup();
    let outer = Tag { protocol: TagProtocol::Dot1q, id: VlanId::new(100).unwrap() };
    setup.ports[1].state.vlan = Some(boundary::Vlan { parent: LEFT, tags: Tags { outer, inner: None } });
    let mut scene = Scene::over(setup, Devices::default());
    let error = scene.ask(carries("p1", 1600)).unwrap_err();
    assert_eq!(error.message, "`p1` cannot have 1600 while `p0` has 1500");
    assert_eq!(scene.ask(carries("p0", 1400)).unwrap_err().message, "`p0` cannot have 1400 while `p1` has 1500");
    scene.ask(carries("p1", 1400)).unwrap();
    scene.ask(carries("p0", 1400)).unwrap();
}

#[test]
fn a_device_that_does_not_tell_is_taken_to_have_a_link() {
    struct Silent;
    impl Hardware for Silent {
        fn status(&self, _port: PortId) -> HardwareStatus {
            HardwareStatus { link: Link::Unknown, driver: String::new(), counters: None }
        }
    }
    let mut scene = Scene::over(setup(), Silent);
    scene.tell(add("10.0.0.0/8", 1)).unwrap();
    scene.pass(Duration::from_secs(10));
    assert_eq!(scene.takes("10.0.0.1"), Some(1));
}

impl Links {
    /// Adds a route over p0 or p1 to the network that several lead to.
    fn add_over(&mut self, port: PortId, priority: u8) {
        let gateway = if port == LEFT { "192.0.2.11" } else { "198.51.100.20" };
        self.scene.tell(message(Verb::Add, "10.8.0.0/16").to(via(ip(gateway))).priority(priority)).unwrap();
    }

    /// The priorities of those routes in the order in which they count, and which of them are up.
    fn order(&mut self) -> Vec<(u8, bool)> {
        let Ok(Reply::Routes(routes)) = self.scene.ask(Request::RouteShow { filter: RouteFilter::default() }) else {
            panic!("always")
        };
        let ours = routes.iter().filter(|route| route.dst.to_string() == "10.8.0.0/16");
        ours.map(|route| (detail(route).priority, detail(route).flags.contains(RouteFlags::UP))).collect()
    }

    fn taken(&mut self) -> u8 {
        let found = self.scene.control.routes_mut().rtalloc_table(ip("10.8.1.1"), LookupFlags::empty(), 0);
        found.unwrap().priority()
    }
}

// holds X19, X58
#[test]
fn mp_17_another_route_stands_in_while_the_first_has_no_link() {
    let mut links = Links::new();
    for (port, priority) in [(LEFT, 16), (RIGHT, 17), (RIGHT, 18)] {
        links.add_over(port, priority);
    }
    assert_eq!(links.taken(), 16);
    links.goes(LEFT);
    assert_eq!((links.taken(), links.order()), (17, vec![(17, true), (18, true), (16, false)]));
    links.comes(LEFT);
    assert_eq!((links.taken(), links.order()), (16, vec![(16, true), (17, true), (18, true)]));
}

// holds X19, X58
#[test]
fn mp_19_a_route_that_comes_without_a_link_stands_behind_the_others() {
    let mut links = Links::new();
    links.goes(RIGHT);
    for (port, priority) in [(LEFT, 16), (RIGHT, 17), (LEFT, 18)] {
        links.add_over(port, priority);
    }
    assert_eq!(links.order(), [(16, true), (18, true), (17, false)]);
}

// holds X58
#[test]
fn a_route_without_a_link_shares_no_more_until_it_is_back() {
    let mut links = Links::new();
    for gateway in ["192.0.2.11", "198.51.100.20"] {
        let both = RouteFlags::STATIC | RouteFlags::MPATH;
        links.scene.tell(message(Verb::Add, "10.8.0.0/16").to(via(ip(gateway))).flags(both)).unwrap();
    }
    assert_eq!(links.scene.divided(ip("10.8.1.1")).len(), 2);
    links.goes(RIGHT);
    assert_eq!(links.scene.takes("10.8.1.1"), Some(1));
    links.comes(RIGHT);
    assert_eq!(links.scene.divided(ip("10.8.1.1")).len(), 2);
}
