//! What a routing daemon tells, and what becomes of it: routes and their owners here, its sessions and recorded streams below.

mod recorded;
mod sessions;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use boundary::{NextHop, PortId, PuntReason};
use control::config::Config;
use control::fpm::{Heard, Leads, Leg, Listener, MAIN_OF_LINUX, NextHopSaid, RouteSaid, Said, Settings, read};
use control::{Setup, events};
use control_api::{
    ErrorKind, EventKind, Fpm, FpmState, Protocol, Reply, Request, Route, RouteFilter, RouteFlags, RouteKind,
    RouteMessage, Speaker, Target, Verb,
};
use packet::ethernet::{EtherType, Header, MacAddr};
use proptest::prelude::*;

use crate::routes::detail;
use crate::scene::{ALICE, GATEWAY, Host, ON_LEFT, ON_RIGHT, Scene, ip, port, setup, udp};

const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 50_000);

/// A router whose gateways are known, with a daemon that has come.
pub(crate) fn scene() -> Scene {
    let mut scene = Scene::with(Setup { fpm: Some(settings()), ..setup() });
    scene.introduce(ALICE);
    scene.introduce(GATEWAY);
    scene.hear(Heard::Came(PEER));
    scene
}

pub(crate) fn settings() -> Settings {
    Settings {
        quiet: Duration::from_secs(10),
        sweep: Duration::from_secs(60),
        tables: vec![(MAIN_OF_LINUX, 0), (1000, 7)],
        interfaces: vec![(3, PortId(0)), (4, PortId(1))],
        ..Settings::default()
    }
}

pub(crate) fn via(gateway: &str, interface: u32) -> Leg {
    Leg { gateway: Some(ip(gateway)), interface, weight: 1, is_encapsulated: false }
}

pub(crate) fn told(to: &str, leads: Leads) -> RouteSaid {
    RouteSaid { table: MAIN_OF_LINUX, to: to.parse().unwrap(), speaker: Speaker::Bgp, leads, mtu: None, source: None }
}

pub(crate) fn bgp(to: &str, gateway: &str) -> Said {
    Said::Route(told(to, Leads::By(via(gateway, 0))))
}

impl Scene {
    /// Hears of the daemon, and shows workers what came of it.
    pub(crate) fn hear(&mut self, heard: Heard) {
        self.control.hear(heard, self.now);
        self.control.publish();
    }

    pub(crate) fn says(&mut self, said: impl IntoIterator<Item = Said>) {
        self.hear(Heard::Said(said.into_iter().collect()));
    }

    pub(crate) fn goes(&mut self) {
        self.hear(Heard::Left("it hung up".to_owned()));
    }

    pub(crate) fn fpm(&mut self) -> Fpm {
        match self.ask(Request::FpmShow) {
            Ok(Reply::Fpm(fpm)) => fpm,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn counted(&mut self, name: &str) -> u64 {
        self.fpm().counts[name]
    }

    /// The routes that a daemon knows, of a table.
    pub(crate) fn daemon_s(&mut self, fib: u16) -> Vec<Route> {
        let filter = RouteFilter { fib, ..RouteFilter::default() };
        let Ok(Reply::Routes(mut routes)) = self.ask(Request::RouteShow { filter }) else { panic!("they are shown") };
        routes.retain(|route| matches!(route.protocol, Protocol::Daemon(_)));
        routes
    }
}

#[test]
fn a_route_is_forwarded_by_and_shown_with_whose_it_is() {
    let mut scene = scene();
    scene.says([bgp("203.0.113.0/24", "198.51.100.254"), bgp("2001:db8:be::/48", "2001:db8:2::fe")]);
    for to in ["203.0.113.9", "2001:db8:be::9"] {
        assert_eq!(scene.station(ip(to)), Some(GATEWAY.mac), "{to}");
    }
    let routes = scene.daemon_s(0);
    let shown: Vec<_> = routes.iter().map(|route| (route.dst.to_string(), route.protocol.name())).collect();
    assert_eq!(shown, [("203.0.113.0/24".to_owned(), "bgp"), ("2001:db8:be::/48".to_owned(), "bgp")]);
    assert_eq!(routes[0].detail.as_ref().unwrap().priority, 48);
    let fpm = scene.fpm();
    assert_eq!((fpm.state, fpm.routes, fpm.stale, fpm.protocols["bgp"]), (FpmState::Replaying, 2, 0, 2));
    scene.says(routes.iter().map(|route| Said::Withdrawn { table: MAIN_OF_LINUX, to: route.dst }));
    assert_eq!(scene.fate(ip("203.0.113.9")), None);
    assert_eq!((scene.fpm().routes, scene.fpm().protocols.len()), (0, 0));
}

#[test]
fn blackhole_unreachable_and_prohibit_are_what_they_are_called() {
    let mut scene = scene();
    let kinds = [Leads::Blackhole, Leads::Unreachable, Leads::Prohibit];
    scene.says((1..).zip(kinds).map(|(number, leads)| Said::Route(told(&format!("203.0.{number}.0/24"), leads))));
    let kinds: Vec<_> = scene.daemon_s(0).iter().map(|route| route.kind).collect();
    assert_eq!(kinds, [RouteKind::Blackhole, RouteKind::Unreachable, RouteKind::Prohibit]);
    assert_eq!(scene.fate(ip("203.0.1.1")), Some(NextHop::Blackhole));
    assert_eq!(scene.fate(ip("203.0.2.1")), Some(NextHop::Unreachable));
}

#[test]
fn several_gateways_share_by_their_weights_whether_told_in_the_route_or_as_a_group() {
    let mut scene = scene();
    let legs = [via("192.0.2.10", 3), Leg { weight: 3, ..via("198.51.100.254", 4) }];
    let single = |(id, leg): (u32, Leg)| Said::NextHop { id, what: NextHopSaid::Single(leg) };
    scene.says((1..).zip(legs).map(single).chain([
        Said::NextHop { id: 9, what: NextHopSaid::Group(vec![(1, 1), (2, 3)]) },
        Said::Route(told("203.0.1.0/24", Leads::Among(legs.to_vec()))),
        Said::Route(told("203.0.2.0/24", Leads::NextHop(9))),
    ]));
    let [one, other] = ["203.0.1.1", "203.0.2.1"].map(|to| scene.divided(ip(to)));
    assert_eq!(one, other);
    let least = one.iter().map(|(_, share)| *share).min().unwrap();
    assert!(one.len() == 2 && least.abs_diff(boundary::BUCKETS / 4) < boundary::BUCKETS / 20, "{one:?}");
    assert_eq!(scene.fpm().next_hops, 3);
    assert_eq!((scene.daemon_s(0).len(), scene.fpm().routes), (4, 2), "each way is shown, each network counts once");
}

#[test]
fn a_next_hop_that_turns_takes_the_routes_told_with_it_along() {
    let mut scene = scene();
    let hop = |gateway, interface| Said::NextHop { id: 5, what: NextHopSaid::Single(via(gateway, interface)) };
    let group = Said::NextHop { id: 6, what: NextHopSaid::Group(vec![(5, 1)]) };
    let routes = [("203.0.1.0/24", 5), ("203.0.2.0/24", 6)];
    let routes = routes.map(|(to, id)| Said::Route(told(to, Leads::NextHop(id))));
    scene.says([hop("192.0.2.10", 3), group].into_iter().chain(routes));
    assert_eq!(scene.station(ip("203.0.2.1")), Some(ALICE.mac));
    scene.says([hop("198.51.100.254", 4)]);
    assert_eq!(["203.0.1.1", "203.0.2.1"].map(|to| scene.station(ip(to))), [Some(GATEWAY.mac); 2]);
    let generation = scene.generation();
    scene.says([hop("198.51.100.254", 4), Said::NextHopGone { id: 5 }]);
    assert_eq!(scene.generation(), generation, "told again it is the same, and gone it is not missed");
    assert_eq!(scene.station(ip("203.0.1.1")), Some(GATEWAY.mac));
}

#[test]
fn what_is_not_taken_is_counted_by_its_reason_and_leaves_nothing_of_what_was_there() {
    let mut scene = scene();
    let by = |leg| Leads::By(leg);
    let encapsulated = Leg { is_encapsulated: true, ..via("192.0.2.10", 3) };
    let nowhere = Leg { gateway: None, interface: 0, weight: 1, is_encapsulated: false };
    let other = |to: &str, leads| told(to, leads);
    #[rustfmt::skip]
    let refused = [
        ("refused_table",          RouteSaid { table: 99, ..told("203.0.113.0/24", by(via("192.0.2.10", 3))) }),
        ("refused_kind",           other("203.0.113.0/24", Leads::Elsewhere)),
        ("refused_destination",    other("fe80::/64", by(via("fe80::2", 3)))),
        ("refused_destination",    other("224.0.0.0/4", by(via("192.0.2.10", 3)))),
        ("refused_interface",      other("203.0.113.0/24", by(nowhere))),
        ("refused_interface",      other("2001:db8:be::/48", by(via("fe80::2", 77)))),
        ("refused_gateway",        other("203.0.113.0/24", by(via("198.51.100.254", 3)))),
        ("refused_gateway",        other("203.0.113.0/24", by(via("10.9.9.9", 0)))),
        ("refused_gateway",        other("203.0.113.0/24", by(via("192.0.2.1", 3)))),
        ("refused_family",         other("2001:db8:be::/48", by(via("192.0.2.10", 3)))),
        ("refused_gateway_itself", other("192.0.2.10/32", by(via("192.0.2.10", 3)))),
        ("refused_encapsulation",  other("203.0.113.0/24", by(encapsulated))),
        ("refused_next_hop",       other("203.0.113.0/24", Leads::NextHop(1234))),
    ];
    for (reason, route) in refused {
        let (before, to) = (scene.counted(reason), route.to);
        scene.says([bgp("203.0.113.0/24", "192.0.2.10")]);
        let is_ours = route.table == MAIN_OF_LINUX;
        scene.says([Said::Route(route)]);
        assert_eq!(scene.counted(reason), before + 1, "{reason}");
        let stays = !is_ours || to.to_string() != "203.0.113.0/24";
        assert_eq!(scene.station(ip("203.0.113.9")), stays.then_some(ALICE.mac), "{reason}");
    }
    scene.says([Said::Nothing]);
    assert_eq!(scene.counted("others"), 1);
}

/// RFC 8950: what routers exchange over links that have IPv6 addresses alone.
#[test]
fn ipv4_packets_go_to_an_ipv6_gateway_as_ipv4_packets() {
    let mut scene = scene();
    let said = [("203.0.113.0/24", "2001:db8:2::fe"), ("2001:db8:be::/48", "2001:db8:2::fe")];
    scene.says(said.map(|(to, by)| Said::Route(told(to, Leads::By(via(by, 4))))));
    for (to, ether_type) in [("203.0.113.9", EtherType::IPV4), ("2001:db8:be::9", EtherType::IPV6)] {
        let Some(NextHop::Neighbour(adjacency)) = scene.fate(ip(to)) else { panic!("{to} is reached") };
        let (header, _) = Header::parse(&adjacency.header).unwrap();
        assert_eq!((header.destination, header.ether_type), (GATEWAY.mac, ether_type), "{to}");
    }
    let [ipv4, _] = &scene.daemon_s(0)[..] else { panic!("both are shown") };
    assert_eq!((ipv4.gateway, detail(ipv4).ifa), (Some(ip("2001:db8:2::fe")), Some(ip("198.51.100.1"))));
}

#[test]
fn an_ipv4_packet_waits_for_its_ipv6_gateway_to_be_found() {
    let mut scene = Scene::with(Setup { fpm: Some(settings()), ..setup() });
    scene.hear(Heard::Came(PEER));
    let by = via(&GATEWAY.mac.link_local().to_string(), 4);
    scene.says([Said::Route(told("203.0.113.0/24", Leads::By(by)))]);
    assert_eq!(scene.fate(ip("203.0.113.9")), Some(NextHop::Unresolved(PortId(1))));
    let packet = udp(ALICE.v4, std::net::Ipv4Addr::new(203, 0, 113, 9)).of(8);
    scene.sends(ALICE, PuntReason::Unresolved, &packet);
    assert!(scene.take_packets_to(GATEWAY).is_empty());
    scene.answers(Host { v6: GATEWAY.mac.link_local(), ..GATEWAY });
    let sent = scene.take_packets_to(GATEWAY);
    assert!(matches!(&sent[..], [packet] if packet[0] >> 4 == 4), "{sent:?}");
    assert_eq!(scene.station(ip("203.0.113.9")), Some(GATEWAY.mac), "and the next are the workers'");
}

#[test]
fn of_several_ways_those_that_can_be_taken_are() {
    let mut scene = scene();
    let legs = vec![via("10.9.9.9", 0), via("198.51.100.254", 4)];
    scene.says([Said::Route(told("203.0.113.0/24", Leads::Among(legs)))]);
    assert_eq!(scene.station(ip("203.0.113.9")), Some(GATEWAY.mac));
}

#[test]
fn tables_are_those_that_the_configuration_maps() {
    let mut scene = scene();
    scene.says([Said::Route(RouteSaid { table: 1000, ..told("203.0.113.0/24", Leads::Blackhole) })]);
    assert_eq!((scene.daemon_s(0).len(), scene.daemon_s(7).len()), (0, 1));
    assert_eq!(scene.fate(ip("203.0.113.9")), None);
}

#[test]
fn a_port_s_route_comes_first_and_then_what_is_worth_most() {
    let mut scene = scene();
    let to = "203.0.113.0/24".parse().unwrap();
    // The port's own network, as the daemon sees it too.
    let on_link = Leg { gateway: None, interface: 4, weight: 1, is_encapsulated: false };
    let kernel = RouteSaid { speaker: Speaker::Kernel, ..told("198.51.100.0/24", Leads::By(on_link)) };
    scene.says([Said::Route(kernel), bgp("203.0.113.0/24", "198.51.100.254")]);
    let Ok(Reply::Route(found)) = scene.ask(Request::RouteGet { address: ip("198.51.100.9") }) else { panic!() };
    assert_eq!(found.protocol, Protocol::Connected);

    scene.add_route("203.0.113.0/24", Target::Blackhole);
    assert_eq!(scene.fate(ip("203.0.113.9")), Some(NextHop::Blackhole), "a person's 8 comes before 48");
    assert_eq!(scene.ask(Request::RouteDel { to }), Ok(Reply::Done));
    assert_eq!(scene.station(ip("203.0.113.9")), Some(GATEWAY.mac), "and the daemon's is there still");

    let stand_in = RouteMessage {
        target: Some(Target::Blackhole),
        priority: Some(60),
        ..RouteMessage::new(Verb::Add, ip("203.0.113.0"), Some(ip("255.255.255.0")))
    };
    scene.ask(Request::RouteMessage(stand_in)).unwrap();
    assert_eq!(scene.station(ip("203.0.113.9")), Some(GATEWAY.mac), "one of 60 waits");
    scene.says([Said::Withdrawn { table: MAIN_OF_LINUX, to }]);
    assert_eq!(scene.fate(ip("203.0.113.9")), Some(NextHop::Blackhole), "until the daemon's is gone");
}

#[test]
fn a_person_cannot_take_a_daemon_s_route_away() {
    let mut scene = scene();
    scene.says([bgp("203.0.113.0/24", "198.51.100.254")]);
    let to = "203.0.113.0/24".parse().unwrap();
    let refused = scene.ask(Request::RouteDel { to }).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::NotAllowed);
    assert!(refused.message.contains("routing daemon"), "{refused:?}");
    assert_eq!(scene.ask(Request::RouteFlush { filter: RouteFilter::default() }), Ok(Reply::Flushed(0)));
    let queue = "short".parse().unwrap();
    scene.ask(Request::TimerCreate { queue, period_seconds: 1 }).unwrap();
    let timed = scene.ask(Request::TimerAdd { queue: "short".parse().unwrap(), fib: 0, to }).unwrap_err();
    assert_eq!(timed.kind, ErrorKind::NotAllowed);
    assert_eq!(scene.station(ip("203.0.113.9")), Some(GATEWAY.mac));
}

/// The network of a link, in halves, comes over BGP: packets to hosts there may go astray, those by the gateway do not.
#[test]
fn what_a_daemon_hears_about_the_network_of_a_link_cuts_no_gateway_off() {
    let mut scene = scene();
    scene.says([bgp("203.0.113.0/24", "198.51.100.254")]);
    scene.says([bgp("198.51.100.128/25", "192.0.2.10"), Said::Route(told("198.51.100.254/32", Leads::Blackhole))]);
    assert_eq!(scene.station(ip("203.0.113.9")), Some(GATEWAY.mac));
}

#[test]
fn a_route_told_as_it_is_changes_nothing_and_one_told_otherwise_is_changed_in_place() {
    let mut scene = scene();
    let (queue, mut heard) = events::queue();
    scene.says([bgp("203.0.113.0/24", "198.51.100.254")]);
    scene.control.follow(queue, None, None, true);
    let generation = scene.generation();
    scene.says([bgp("203.0.113.0/24", "198.51.100.254")]);
    assert_eq!((scene.generation(), scene.counted("unchanged")), (generation, 1));
    assert!(heard.try_next().is_none());
    scene.says([bgp("203.0.113.0/24", "192.0.2.10")]);
    let event = heard.try_next().expect("a change is told").event;
    assert_eq!((event.kind, event.gateway), (EventKind::Change, Some(ip("192.0.2.10"))));
    assert!(heard.try_next().is_none(), "and nothing else");
    assert_eq!((scene.generation(), scene.station(ip("203.0.113.9"))), (generation + 1, Some(ALICE.mac)));
}

#[test]
fn an_mtu_and_a_source_that_the_daemon_names_are_the_route_s() {
    let mut scene = scene();
    let by = Leads::By(via("198.51.100.254", 4));
    let said = RouteSaid { mtu: Some(1300), source: Some(ON_LEFT.v4.into()), ..told("203.0.113.0/24", by) };
    scene.says([Said::Route(said)]);
    let detail = scene.daemon_s(0)[0].detail.clone().unwrap();
    assert_eq!((detail.metrics.mtu, detail.ifa), (1300, Some(ON_LEFT.v4.into())));
    assert!(detail.flags.contains(RouteFlags::FIXEDMTU));
    let Some(NextHop::Neighbour(adjacency)) = scene.fate(ip("203.0.113.9")) else { panic!("it is known") };
    assert_eq!(adjacency.mtu.bytes(), 1300);
}
