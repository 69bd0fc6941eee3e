//! Addresses of ports that come and go while ferry runs.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use boundary::{Mtu, NextHop, PortId, PuntReason};
use control::{Kernel, Setup};
use control_api::{
    ApiError, ErrorKind, EventKind, InterfaceAddress, Port, Protocol, Reply, Request, Route, RouteFilter, Target,
};
use packet::arp::Arp;
use packet::ethernet::{EtherType, Header, MacAddr};

use super::links::Devices;
use super::messages::{follower, kinds, told};
use crate::scene::*;

impl Scene {
    fn add_address(&mut self, address: &str, dev: &str) -> Result<Reply, ApiError> {
        self.ask(Request::AddressAdd { address: address.parse().unwrap(), dev: dev.to_owned() })
    }

    fn delete_address(&mut self, address: &str, dev: &str) -> Result<Reply, ApiError> {
        self.ask(Request::AddressDel { address: ip(address), len: None, dev: dev.to_owned() })
    }

    fn route_list(&mut self) -> Vec<Route> {
        match self.ask(Request::RouteShow { filter: RouteFilter::default() }) {
            Ok(Reply::Routes(routes)) => routes,
            other => panic!("{other:?}"),
        }
    }

    fn networks(&mut self) -> BTreeSet<String> {
        self.route_list().iter().map(|route| route.dst.to_string()).collect()
    }

    /// Where a port's packets to a network are sent from.
    fn ifa(&mut self, network: &str) -> Option<IpAddr> {
        let wanted = network.parse().unwrap();
        self.route_list().iter().find(|route| route.dst == wanted)?.detail.as_ref()?.ifa
    }

    /// Seconds pass, and what is due meanwhile happens when it is due.
    fn live_through(&mut self, seconds: u32) {
        (0..10 * seconds).for_each(|_step| self.pass(Duration::from_millis(100)));
    }

    fn shown_port(&mut self, dev: &str) -> Port {
        match self.ask(Request::PortShow { name: Some(dev.to_owned()) }) {
            Ok(Reply::Ports(ports)) => ports[0].clone(),
            other => panic!("{other:?}"),
        }
    }
}

// holds X35
#[test]
fn ms_16_an_address_is_told_before_its_routes_come_and_after_they_have_gone() {
    let mut scene = Scene::new();
    let mut follower = follower(&mut scene, None);
    assert_eq!(scene.add_address("203.0.113.1/24", "left"), Ok(Reply::Done));
    let come = told(&mut follower);
    let (first, routes) = come.split_first().unwrap();
    assert_eq!((first.kind, first.dev.as_deref()), (EventKind::NewAddr, Some("left")));
    assert_eq!(first.address.map(|own| own.to_string()).as_deref(), Some("203.0.113.1/24"));
    let of = |kind| {
        let networks = ["203.0.113.1/32", "203.0.113.0/24", "203.0.113.0/32", "203.0.113.255/32"];
        networks.map(|network| (kind, network.to_owned())).to_vec()
    };
    assert_eq!(kinds(routes), of(EventKind::Add));
    assert_eq!(scene.delete_address("203.0.113.1", "left"), Ok(Reply::Done));
    let gone = told(&mut follower);
    let (last, routes) = gone.split_last().unwrap();
    assert_eq!(kinds(routes), of(EventKind::Delete));
    assert_eq!((last.kind, last.address), (EventKind::DelAddr, first.address));
}

#[test]
fn an_address_that_is_added_is_ours_and_its_network_is_on_the_link() {
    for (own, address, host) in
        [("203.0.113.1/24", "203.0.113.1", "203.0.113.9"), ("2001:db8:9::1/64", "2001:db8:9::1", "2001:db8:9::9")]
    {
        let mut scene = Scene::new();
        let before = (scene.networks(), scene.shown_port("left"));
        scene.add_address(own, "left").unwrap();
        assert_eq!(scene.fate(ip(address)), Some(NextHop::Local));
        assert_eq!(scene.fate(ip(host)), Some(NextHop::Unresolved(LEFT)));
        assert!(scene.shown_port("left").addresses.iter().any(|shown| shown.to_string() == own));
        let routes = scene.route_list();
        let of = |protocol| routes.iter().filter(|route| route.protocol == protocol).count();
        assert_eq!((of(Protocol::Local), of(Protocol::Connected)), (5, 5));
        scene.delete_address(address, "left").unwrap();
        assert_eq!([address, host].map(|gone| scene.fate(ip(gone))), [None, None]);
        assert_eq!((scene.networks(), scene.shown_port("left")), before);
    }
}

#[test]
fn an_address_that_is_added_is_answered_for_and_one_that_is_deleted_is_not() {
    let mut scene = Scene::new();
    let asked = |scene: &mut Scene| {
        let mut arp = Vec::new();
        Arp::request(ALICE.mac, ALICE.v4, "192.0.2.77".parse().unwrap()).append_to(&mut arp);
        scene.arrives(LEFT, PuntReason::Arp, frame(ALICE, MacAddr::BROADCAST, EtherType::ARP, &arp));
        scene.take_sent().len()
    };
    assert_eq!(asked(&mut scene), 0);
    scene.add_address("192.0.2.77/24", "left").unwrap();
    assert_eq!(asked(&mut scene), 1);
    scene.delete_address("192.0.2.77", "left").unwrap();
    assert_eq!(asked(&mut scene), 0);
}

#[test]
fn a_network_stays_as_long_as_one_address_is_in_it() {
    let mut scene = Scene::new();
    scene.add_address("192.0.2.77/24", "left").unwrap();
    assert_eq!(scene.ifa("192.0.2.0/24"), Some(ip("192.0.2.1")), "the first address is the one to speak with");
    scene.delete_address("192.0.2.1", "left").unwrap();
    assert_eq!(scene.ifa("192.0.2.0/24"), Some(ip("192.0.2.77")), "and then the next");
    assert_eq!(scene.fate(ip("192.0.2.255")), Some(NextHop::Blackhole), "it is nobody's as before");
    assert_eq!(scene.fate(ip("192.0.2.1")), Some(NextHop::Unresolved(LEFT)), "it may be another's now");
    scene.delete_address("192.0.2.77", "left").unwrap();
    assert_eq!(scene.ifa("192.0.2.0/24"), None);
}

#[test]
fn an_address_that_is_nobody_s_in_one_network_may_be_ours_in_another() {
    let mut scene = Scene::new();
    scene.add_address("192.0.2.255/23", "left").unwrap();
    assert_eq!(scene.fate(ip("192.0.2.255")), Some(NextHop::Local));
    scene.delete_address("192.0.2.255", "left").unwrap();
    assert_eq!(scene.fate(ip("192.0.2.255")), Some(NextHop::Blackhole));
}

#[test]
fn routes_by_a_gateway_on_a_network_that_goes_are_out_of_reach_until_it_is_back() {
    let mut scene = Scene::new();
    scene.add_address("203.0.113.1/24", "left").unwrap();
    scene.add_route("10.0.0.0/8", Target::Via { gateway: ip("203.0.113.9"), dev: None });
    assert_eq!(scene.ifa("10.0.0.0/8"), Some(ip("203.0.113.1")));
    assert_eq!(scene.fate(ip("10.1.2.3")), Some(NextHop::Unresolved(LEFT)));
    scene.delete_address("203.0.113.1", "left").unwrap();
    assert_eq!(scene.fate(ip("10.1.2.3")), Some(NextHop::Unreachable));
    assert_eq!(scene.ifa("10.0.0.0/8"), Some(ip("192.0.2.1")), "nothing is sent from an address that is gone");
    scene.add_address("203.0.113.1/24", "left").unwrap();
    assert_eq!(scene.fate(ip("10.1.2.3")), Some(NextHop::Unresolved(LEFT)));
}

#[test]
fn what_is_in_the_way_of_an_address_is_said_and_nothing_changes() {
    let mut scene = Scene::new();
    let by = |gateway| Target::Via { gateway: ip(gateway), dev: None };
    scene.add_route("203.0.113.0/24", by("198.51.100.254"));
    scene.add_route("10.0.0.0/8", by("192.0.2.99"));
    let lladdr = MacAddr([2, 0, 0, 0, 0, 9]);
    scene.ask(Request::NeighAdd { address: ip("192.0.2.98"), dev: "left".to_owned(), lladdr }).unwrap();
    let before = (scene.networks(), scene.shown_port("left"), scene.shown_port("right"));
    for (address, dev, kind, message) in [
        ("192.0.2.1/24", "left", ErrorKind::Exists, "192.0.2.1 is an address of port `left` already"),
        ("192.0.2.1/24", "right", ErrorKind::Exists, "192.0.2.1 is an address of port `left` already"),
        (
            "192.0.2.7/24",
            "right",
            ErrorKind::Exists,
            "ports `left` and `right` would be in the same network, 192.0.2.0/24",
        ),
        (
            "192.0.2.7/16",
            "right",
            ErrorKind::Exists,
            "the networks of ports `left` and `right` would overlap: 192.0.2.0/24 and 192.0.0.0/16",
        ),
        ("203.0.113.1/24", "left", ErrorKind::Exists, "there is a route to 203.0.113.0/24 already"),
        ("192.0.2.99/24", "left", ErrorKind::Exists, "the route to 10.0.0.0/8 goes by the gateway 192.0.2.99"),
        ("192.0.2.98/24", "left", ErrorKind::Exists, "there is a static neighbour 192.0.2.98 on `left`"),
        ("203.0.114.1/24", "middle", ErrorKind::UnknownPort, "there is no port `middle`"),
    ] {
        let refused = scene.add_address(address, dev).unwrap_err();
        assert_eq!((refused.kind, refused.message.as_str()), (kind, message), "{address} on {dev}");
        assert!(refused.hint.is_some(), "{address} on {dev}");
    }
    for (address, len, dev) in
        [("192.0.2.7", None, "left"), ("192.0.2.1", None, "right"), ("192.0.2.1", Some(25), "left")]
    {
        let refused = scene.ask(Request::AddressDel { address: ip(address), len, dev: dev.to_owned() }).unwrap_err();
        assert_eq!(refused.kind, ErrorKind::NotFound, "{refused:?}");
    }
    assert_eq!((scene.networks(), scene.shown_port("left"), scene.shown_port("right")), before);
}

#[test]
fn a_link_that_is_too_small_for_ipv6_gets_no_address_of_it() {
    let mut setup = setup();
    setup.ports[0] = port("left", ON_LEFT, &["192.0.2.1/24"], 576);
    let mut scene = Scene::with(setup);
    let refused = scene.add_address("2001:db8:1::1/64", "left").unwrap_err();
    assert_eq!(refused.message, "an MTU of 576 is too small for IPv6, which needs 1280");
}

#[test]
fn an_address_that_is_added_is_tried_before_it_is_used_and_announced() {
    let mut scene = Scene::new();
    scene.control.announce(scene.now, &mut scene.sent);
    scene.live_through(10);
    scene.take_sent();
    scene.add_address("2001:db8:1::77/64", "left").unwrap();
    assert_eq!(scene.shown_port("left").unused.len(), 1, "it is tried");
    scene.live_through(10);
    let sent = scene.take_sent();
    let from_nobody = |(_, frame): &(PortId, Vec<u8>)| frame[22..38] == [0; 16];
    let probes = sent.iter().take_while(|sent| from_nobody(sent)).count();
    assert!(probes == 1 && sent.len() > 1, "it is asked for once, and then announced: {sent:?}");
    assert!(!sent[1..].iter().any(from_nobody));
    assert!(scene.shown_port("left").unused.is_empty());
    scene.add_address("192.0.2.77/24", "left").unwrap();
    scene.pass(Duration::ZERO);
    let announced = scene.take_sent();
    let header = announced.first().and_then(|(_, frame)| Header::parse(frame)).map(|(header, _)| header);
    assert_eq!(header.map(|header| header.ether_type), Some(EtherType::ARP));
    scene.live_through(10);
    scene.take_sent();
    scene.add_address("2001:db8:1::78/64", "left").unwrap();
    scene.delete_address("2001:db8:1::78", "left").unwrap();
    scene.live_through(60);
    assert!(scene.take_sent().is_empty(), "of what is gone nothing more is said");
}

#[test]
fn the_broadcast_of_a_network_comes_and_goes_with_it() {
    let mut setup = setup();
    setup.ports[0].directed_broadcast = true;
    let mut scene = Scene::with(setup);
    scene.add_address("203.0.113.1/24", "left").unwrap();
    assert_eq!(scene.station(ip("203.0.113.255")), Some(MacAddr::BROADCAST));
    scene.delete_address("203.0.113.1", "left").unwrap();
    assert_eq!(scene.fate(ip("203.0.113.255")), None);
}

/// A kernel that notes what it is to have, and refuses one address.
#[derive(Debug, Default, Clone)]
struct Noting(Arc<Mutex<Vec<(PortId, String, bool)>>>);

impl Kernel for Noting {
    fn give(&mut self, _port: PortId, _frame: &[u8]) -> bool {
        true
    }

    fn take(&mut self, _frame: &mut Vec<u8>) -> Option<PortId> {
        None
    }

    fn interface(&self, _port: PortId) -> Option<(&str, Option<&str>)> {
        Some(("left", None))
    }

    fn set_address(&mut self, port: PortId, own: InterfaceAddress, is_there: bool) -> Result<(), String> {
        if own.address() == ip("203.0.113.66") {
            return Err("no room".to_owned());
        }
        self.0.lock().unwrap().push((port, own.to_string(), is_there));
        Ok(())
    }

    fn set_mtu(&mut self, port: PortId, mtu: Mtu) -> Result<(), String> {
        self.0.lock().unwrap().push((port, format!("mtu {mtu}"), true));
        Ok(())
    }
}

#[test]
fn the_kernel_s_interface_of_a_port_has_the_port_s_addresses() {
    let kernel = Noting::default();
    let mut setup = Setup { kernel: Some(Box::new(kernel.clone())), ..setup() };
    setup.ports[0].state.tap = true;
    let mut scene = Scene::with(setup);
    scene.add_address("203.0.113.1/24", "left").unwrap();
    scene.add_address("203.0.114.1/24", "right").unwrap();
    scene.delete_address("203.0.113.1", "left").unwrap();
    let own = || "203.0.113.1/24".to_owned();
    assert_eq!(*kernel.0.lock().unwrap(), [(LEFT, own(), true), (LEFT, own(), false)], "and no other port's");
    let before = scene.networks();
    let refused = scene.add_address("203.0.113.66/24", "left").unwrap_err();
    assert_eq!(refused.message, "the kernel's interface of port `left` refuses 203.0.113.66/24: no room");
    assert_eq!(scene.networks(), before);
}

#[test]
fn the_kernel_s_interface_of_a_port_carries_what_the_port_does() {
    let kernel = Noting::default();
    let mut setup = Setup { kernel: Some(Box::new(kernel.clone())), ..setup() };
    setup.ports[0].state.tap = true;
    let mut scene = Scene::over(setup, Devices::default());
    for name in ["left", "right"] {
        assert_eq!(scene.ask(Request::PortSet { name: name.to_owned(), mtu: 1400 }), Ok(Reply::Done));
    }
    assert_eq!(*kernel.0.lock().unwrap(), [(LEFT, "mtu 1400".to_owned(), true)], "and no other port's");
}
