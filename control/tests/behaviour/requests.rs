//! Requests: what they change, what they are refused for, and that a refused one changes nothing.

use std::net::IpAddr;

use boundary::NextHop;
use control_api::{
    ApiError, ErrorKind, InterfaceAddress, Network, NextHopState, Protocol, Reply, Request, Route, RouteFilter,
    RouteKind, Target,
};
use proptest::prelude::*;

use crate::scene::*;

fn add(to: &str, target: Target) -> Request {
    Request::RouteAdd { to: to.parse().unwrap(), target }
}

fn replace(to: &str, target: Target) -> Request {
    Request::RouteReplace { to: to.parse().unwrap(), target }
}

fn del(to: &str) -> Request {
    Request::RouteDel { to: to.parse().unwrap() }
}

fn via_dev(gateway: &str, dev: &str) -> Target {
    Target::Via { gateway: ip(gateway), dev: Some(dev.to_owned()) }
}

fn routes(scene: &mut Scene) -> Vec<Route> {
    match scene.ask(Request::RouteShow { filter: RouteFilter::default() }) {
        Ok(Reply::Routes(routes)) => routes,
        other => panic!("{other:?}"),
    }
}

/// One row per reason.
#[test]
fn a_request_that_cannot_be_is_refused_for_its_reason_and_changes_nothing() {
    let dev = |name: &str| Target::Dev(name.to_owned());
    #[rustfmt::skip]
    let refused = [
        ("there is one already",           add("10.0.0.0/8", Target::Blackhole),               ErrorKind::Exists),
        ("another target, the same route", add("10.0.0.0/8", via(BOB.v4)),                     ErrorKind::Exists),
        ("gateway on no network",          add("10.1.0.0/16", via(ip("203.0.113.1"))),         ErrorKind::UnreachableGateway),
        ("gateway behind a gateway",       add("10.1.0.0/16", via(ip("10.0.0.1"))),            ErrorKind::UnreachableGateway),
        ("gateway behind another port",    add("10.1.0.0/16", via_dev("192.0.2.9", "right")),  ErrorKind::UnreachableGateway),
        ("gateway is our own address",     add("10.1.0.0/16", via(ON_LEFT.v4)),                ErrorKind::UnreachableGateway),
        ("gateway is a broadcast",         add("10.1.0.0/16", via(ip("192.0.2.255"))),         ErrorKind::UnreachableGateway),
        ("gateway is a group",             add("10.1.0.0/16", via(ip("224.0.0.1"))),           ErrorKind::UnreachableGateway),
        ("link-local gateway, no port",    add("2001:db8:9::/48", via(ip("fe80::1"))),         ErrorKind::UnreachableGateway),
        ("gateway of the other family",    add("10.1.0.0/16", via(BOB.v6)),                    ErrorKind::FamilyMismatch),
        ("port that is not there",         add("10.1.0.0/16", dev("middle")),                  ErrorKind::UnknownPort),
        ("gateway's port is not there",    add("10.1.0.0/16", via_dev("192.0.2.9", "middle")), ErrorKind::UnknownPort),
        ("replaced by what cannot be",     replace("10.0.0.0/8", via(ip("203.0.113.1"))),      ErrorKind::UnreachableGateway),
        ("multicast",                      add("224.0.0.0/4", Target::Blackhole),              ErrorKind::Invalid),
        ("link-local",                     add("fe80::/64", dev("left")),                      ErrorKind::Invalid),
        ("nothing there to remove",        del("10.0.0.0/9"),                                  ErrorKind::NotFound),
        ("connected",                      del("192.0.2.0/24"),                                ErrorKind::NotAllowed),
        ("local",                          del("192.0.2.1/32"),                                ErrorKind::NotAllowed),
    ];
    let mut scene = Scene::new();
    scene.add_route("10.0.0.0/8", Target::Unreachable);
    let (before, generation) = (routes(&mut scene), scene.generation());
    for (why, request, kind) in refused {
        let error: ApiError = scene.ask(request).unwrap_err();
        assert_eq!(error.kind, kind, "{why}: {error}");
        assert_eq!((routes(&mut scene), scene.generation()), (before.clone(), generation), "{why}");
    }
}

#[test]
fn a_route_is_in_force_when_the_request_is_answered_and_gone_when_it_is_deleted() {
    let mut scene = Scene::new();
    let there = ip("10.1.2.3");
    for (target, fate) in [
        (Target::Blackhole, NextHop::Blackhole),
        (Target::Unreachable, NextHop::Unreachable),
        (Target::Dev("left".to_owned()), NextHop::Unresolved(LEFT)),
        (via(GATEWAY.v4), NextHop::Unresolved(RIGHT)),
    ] {
        scene.ask(add("10.0.0.0/8", target)).unwrap();
        assert_eq!(scene.fate(there), Some(fate));
        scene.ask(del("10.0.0.0/8")).unwrap();
        assert_eq!(scene.fate(there), None);
    }
}

#[test]
fn a_replaced_route_never_leaves_a_hole_and_keeps_a_gateway_that_stays() {
    let mut scene = Scene::knowing(&[GATEWAY]);
    scene.ask(replace("0.0.0.0/0", via(GATEWAY.v4))).unwrap();
    let generation = scene.generation();
    scene.ask(replace("0.0.0.0/0", via_dev("198.51.100.254", "right"))).unwrap();
    assert_eq!(scene.station(ip("203.0.113.9")), Some(GATEWAY.mac));
    scene.ask(replace("0.0.0.0/0", Target::Blackhole)).unwrap();
    assert_eq!(scene.fate(ip("203.0.113.9")), Some(NextHop::Blackhole));
    assert!(scene.generation() <= generation + 2, "each in one step");
}

#[test]
fn routes_are_shown_in_order_with_all_that_is_known_of_them() {
    let mut scene = Scene::knowing(&[GATEWAY]);
    scene.add_route("0.0.0.0/0", via(GATEWAY.v4));
    scene.add_route("10.0.0.0/8", via(ALICE.v4));
    let shown = routes(&mut scene);
    let dsts: Vec<_> = shown.iter().map(|route| route.dst.to_string()).collect();
    #[rustfmt::skip]
    assert_eq!(dsts, [
        "0.0.0.0/0", "10.0.0.0/8", "192.0.2.0/24", "192.0.2.1/32", "198.51.100.0/24", "198.51.100.1/32",
        "2001:db8:1::/64", "2001:db8:1::1/128", "2001:db8:2::/64", "2001:db8:2::1/128",
    ]);
    let expected = Route {
        dst: "0.0.0.0/0".parse().unwrap(),
        kind: RouteKind::Unicast,
        gateway: Some(GATEWAY.v4.into()),
        dev: Some("right".to_owned()),
        protocol: Protocol::Static,
        next_hop: Some(NextHopState::Resolved),
        detail: shown[0].detail.clone(),
    };
    assert_eq!(shown[0], expected);
    assert_eq!(shown[1].next_hop, Some(NextHopState::Unresolved));
    assert_eq!(scene.ask(Request::RouteGet { address: ip("203.0.113.9") }), Ok(Reply::Route(expected)));
    let nowhere = scene.ask(Request::RouteGet { address: ip("2001:db8:ffff::") }).unwrap_err();
    assert_eq!(nowhere.kind, ErrorKind::NotFound);
    let filter = RouteFilter { dev: Some("middle".to_owned()), ..RouteFilter::default() };
    assert_eq!(scene.ask(Request::RouteShow { filter }).unwrap_err().kind, ErrorKind::UnknownPort);
}

#[test]
fn ports_and_counters_are_shown_as_they_are() {
    let mut scene = Scene::new();
    let Ok(Reply::Ports(ports)) = scene.ask(Request::PortShow { name: Some("right".to_owned()) }) else {
        panic!("a port of this name is there")
    };
    assert_eq!((ports.len(), ports[0].ifname.as_str(), ports[0].device.as_str()), (1, "right", "mem_right"));
    assert_eq!((ports[0].mtu, ports[0].address, ports[0].driver.as_str()), (1400, ON_RIGHT.mac, "memory"));
    scene.pass(90 * SECOND);
    let Ok(Reply::Stats(stats)) = scene.ask(Request::Stats) else { panic!("always") };
    assert_eq!((stats.uptime_seconds, stats.generation, stats.workers.len()), (90, scene.generation(), 1));
    assert_eq!(stats.routes.ipv4 + stats.routes.ipv6, routes(&mut scene).len(), "as many as are shown");
    let Ok(Reply::Drops(drops)) = scene.ask(Request::Drops) else { panic!("always") };
    assert_eq!(drops.len(), boundary::DropReason::ALL.len(), "every reason, also those at zero");
    assert!(scene.ask(Request::Version).is_ok());
}

/// What may happen to a router; most of it collides with what happened before.
#[derive(Debug, Clone)]
enum Event {
    Ask(Request),
    Introduce(Host),
    Forget,
}

fn any_event() -> impl Strategy<Value = Event> {
    let networks = [
        "0.0.0.0/0",
        "10.0.0.0/8",
        "10.1.0.0/16",
        "10.1.2.3/32",
        "192.0.2.0/24",
        "192.0.2.0/28",
        "192.0.2.10/32",
        "198.51.100.20/32",
        "198.51.100.0/25",
        "198.51.100.1/32",
        "::/0",
        "2001:db8:1::/64",
        "2001:db8:1::10/128",
        "2001:db8:2::/96",
        "2001:db8:9::/48",
    ];
    let networks = networks.map(|text| text.parse::<Network>().unwrap());
    let targets = [
        Target::Blackhole,
        Target::Unreachable,
        Target::Dev("left".to_owned()),
        Target::Dev("right".to_owned()),
        Target::Dev("middle".to_owned()),
        via(ALICE.v4),
        via(BOB.v4),
        via(GATEWAY.v4),
        via(GATEWAY.v6),
        via(BOB.v6),
        via(ip("10.1.2.3")),
        via_dev("fe80::1", "left"),
    ];
    let network = proptest::sample::select(networks.to_vec());
    let target = proptest::sample::select(targets.to_vec());
    let request = (0..4, network, target).prop_map(|(which, to, target)| match which {
        0 | 1 => Request::RouteAdd { to, target },
        2 => Request::RouteReplace { to, target },
        _ => Request::RouteDel { to },
    });
    prop_oneof![
        6 => request.prop_map(Event::Ask),
        2 => proptest::sample::select(vec![ALICE, BOB, GATEWAY]).prop_map(Event::Introduce),
        1 => Just(Event::Forget),
    ]
}

/// Addresses at, in and beside everything above.
fn probes() -> Vec<IpAddr> {
    let probes = [
        "0.0.0.0",
        "10.0.0.1",
        "10.1.2.2",
        "10.1.2.3",
        "10.1.2.4",
        "10.2.0.0",
        "192.0.2.0",
        "192.0.2.1",
        "192.0.2.9",
        "192.0.2.10",
        "192.0.2.11",
        "192.0.2.16",
        "192.0.2.255",
        "192.0.3.0",
        "198.51.100.0",
        "198.51.100.1",
        "198.51.100.20",
        "198.51.100.21",
        "198.51.100.128",
        "198.51.100.254",
        "198.51.100.255",
        "203.0.113.9",
        "::",
        "2001:db8:1::",
        "2001:db8:1::1",
        "2001:db8:1::10",
        "2001:db8:1::11",
        "2001:db8:2::1",
        "2001:db8:2::20",
        "2001:db8:2::fe",
        "2001:db8:2:0:1::",
        "2001:db8:9::1",
        "ffff::",
    ];
    probes.map(ip).to_vec()
}

/// What workers should do with a packet to `address`, from what people are shown: a scan, as plain as can be.
fn expected(routes: &[Route], known: &[Host], address: IpAddr) -> Option<NextHop> {
    if ["192.0.2.0", "192.0.2.255", "198.51.100.0", "198.51.100.255"].map(ip).contains(&address) {
        return Some(NextHop::Blackhole);
    }
    if ["2001:db8:1::", "2001:db8:2::"].map(ip).contains(&address) {
        return Some(NextHop::Local);
    }
    let route = most_specific(routes, address)?;
    let neighbour = route.gateway.unwrap_or(address);
    let port = if route.dev.as_deref() == Some("left") { LEFT } else { RIGHT };
    let is_over_its_link =
        |other: &Route| other.kind == RouteKind::Unicast && other.gateway.is_none() && other.dev == route.dev;
    // A link-local gateway is on the link of the port that is named, whatever the routes say.
    let is_link_local = |gateway| matches!(gateway, IpAddr::V6(gateway) if gateway.is_unicast_link_local());
    let is_reached = |gateway| is_link_local(gateway) || most_specific(routes, gateway).is_some_and(is_over_its_link);
    Some(match route.kind {
        RouteKind::Local => NextHop::Local,
        RouteKind::Blackhole => NextHop::Blackhole,
        RouteKind::Unreachable | RouteKind::Prohibit => NextHop::Unreachable,
        RouteKind::Unicast if route.gateway.is_some_and(|gateway| !is_reached(gateway)) => NextHop::Unreachable,
        RouteKind::Unicast => {
            let host = known.iter().find(|host| host.port == port && host.addresses().contains(&neighbour));
            // A route to a gateway carries no more than its own metric says, which it has from whatever its gateway was
            // reached by when it was set (GW-09, X73).
            let own = route.gateway.and(route.detail.as_ref()).map(|detail| detail.metrics.mtu);
            host.map_or(NextHop::Unresolved(port), |host| neighbour_hop(*host, address, own))
        }
    })
}

fn most_specific(routes: &[Route], address: IpAddr) -> Option<&Route> {
    let preference = |route: &&Route| match route.protocol {
        Protocol::Local => 2,
        Protocol::Connected => 1,
        Protocol::Static | Protocol::Cloned | Protocol::Dynamic | Protocol::Daemon(_) => 0,
    };
    let matching = routes.iter().filter(|route| route.dst.contains(address));
    matching.max_by_key(|route| (route.dst.len(), preference(route)))
}

fn neighbour_hop(host: Host, address: IpAddr, own_mtu: Option<u32>) -> NextHop {
    use packet::ethernet::{EtherType, Header};
    let (source, mtu) = if host.port == LEFT { (ON_LEFT.mac, 1500) } else { (ON_RIGHT.mac, 1400) };
    let ether_type = if address.is_ipv4() { EtherType::IPV4 } else { EtherType::IPV6 };
    let mtu = own_mtu.map_or(mtu, |own| mtu.min(own));
    NextHop::Neighbour(boundary::Adjacency {
        port: host.port,
        mtu: boundary::Mtu::new(u16::try_from(mtu).unwrap()).unwrap(),
        header: Header { destination: host.mac, source, ether_type }.to_bytes(),
    })
}

proptest! {
    #[test]
    fn after_any_events_workers_do_what_a_scan_of_the_routes_shown_says(
        events in proptest::collection::vec(any_event(), 0..40),
    ) {
        let mut scene = Scene::new();
        let mut known: Vec<Host> = Vec::new();
        for event in events {
            match event {
                Event::Ask(request) => {
                    let (before, generation) = (routes(&mut scene), scene.generation());
                    if scene.ask(request.clone()).is_err() {
                        prop_assert_eq!(&routes(&mut scene), &before, "{:?}", request);
                        prop_assert_eq!(scene.generation(), generation, "{:?}", request);
                    }
                }
                Event::Introduce(host) => {
                    scene.introduce(host);
                    known.retain(|other| other.port != host.port || other.mac != host.mac);
                    known.push(host);
                }
                Event::Forget => {
                    // Everybody was introduced unasked, and is silent when asked.
                    for _second in 0..10 {
                        scene.pass(SECOND);
                    }
                    known.clear();
                }
            }
            let shown = routes(&mut scene);
            for probe in probes() {
                prop_assert_eq!(scene.fate(probe), expected(&shown, &known, probe), "{}", probe);
            }
        }
    }
}

#[test]
fn an_address_alone_in_its_network_is_ours_and_leads_to_no_link() {
    let mut setup = setup();
    setup.ports[1].addresses.push("203.0.113.1/32".parse::<InterfaceAddress>().unwrap());
    let mut scene = Scene::with(setup);
    assert_eq!(scene.fate(ip("203.0.113.1")), Some(NextHop::Local));
    assert_eq!(scene.ask(add("10.0.0.0/8", via(ip("203.0.113.1")))).unwrap_err().kind, ErrorKind::UnreachableGateway);
}
