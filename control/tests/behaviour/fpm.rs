//! What a routing daemon tells, and what becomes of it: routes, their owners, sessions that end and come back.

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

/// The router that the recorded streams were written for: three links, whose interfaces have the numbers 2 to 4.
fn recorded() -> Scene {
    let hosts = [ALICE, GATEWAY, ON_RIGHT];
    let ports = (0..).zip(hosts).map(|(number, mac)| {
        let addresses = [format!("10.0.{number}.1/24"), v6(number)];
        port(&format!("rv{number}"), mac, &addresses.each_ref().map(String::as_str), 1500)
    });
    let settings = Settings {
        interfaces: vec![(2, PortId(0)), (3, PortId(1)), (4, PortId(2))],
        listen: "127.0.0.1:0".parse().unwrap(),
        ..settings()
    };
    let mut scene = Scene::with(Setup { ports: ports.collect(), fpm: Some(settings), ..Setup::default() });
    scene.hear(Heard::Came(PEER));
    scene
}

fn v6(number: u8) -> String {
    if number == 0 { "2001:db8::1/64".to_owned() } else { format!("2001:db8:{number}::1/64") }
}

const RECORDED: [(&[u8], &str); 2] = [
    (include_bytes!("../fpm/static_nhg_on_1.fpm"), include_str!("../fpm/static_nhg_on_1.final.tsv")),
    (include_bytes!("../fpm/static_nhg_off.fpm"), include_str!("../fpm/static_nhg_off.final.tsv")),
];

/// Routes as the independent decoder of the streams writes them: prefix, type, and ways.
type Written = BTreeMap<(String, u16), (&'static str, BTreeSet<String>)>;

fn written(scene: &mut Scene) -> Written {
    let mut found = Written::new();
    for fib in [0, 7] {
        for route in scene.daemon_s(fib) {
            let interface = route.dev.as_ref().map(|dev| dev.replace("rv", "").parse::<u32>().unwrap() + 2);
            let weight = route.detail.as_ref().unwrap().metrics.weight;
            let gateway = route.gateway.map_or_else(|| "-".to_owned(), |gateway| gateway.to_string());
            let (_, ways) =
                found.entry((route.dst.to_string(), fib)).or_insert_with(|| (route.kind.name(), BTreeSet::new()));
            ways.extend(interface.map(|interface| format!("{gateway}@{interface}*{weight}")));
        }
    }
    found
}

#[test]
fn recorded_streams_through_the_listener_leave_exactly_the_routes_they_end_with() {
    for (stream, final_table) in RECORDED {
        let mut scene = recorded();
        let (listener, feed) = Listener::start("127.0.0.1:0".parse().unwrap(), None).unwrap();
        scene.control.listen_to_daemon(feed);
        let mut zebra = TcpStream::connect(listener.address()).unwrap();
        // In pieces that fit nothing.
        for piece in stream.chunks(61) {
            zebra.write_all(piece).unwrap();
        }
        drop(zebra);
        let begun = Instant::now();
        while scene.fpm().last_end.as_deref() != Some("it hung up") {
            assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", scene.fpm());
            scene.control.take_from_daemon(scene.now);
        }
        let expected: BTreeMap<_, _> = final_table
            .lines()
            .map(|line| line.split('\t').collect::<Vec<_>>())
            // Nobody forwards to a link-local network.
            .filter(|columns| columns[2] != "fe80::/64")
            .map(|columns| {
                ((columns[2].to_owned(), 0), ("unicast", columns[4].split(',').map(str::to_owned).collect()))
            })
            .collect();
        assert_eq!(written(&mut scene), expected);
        assert_eq!(scene.fpm().stale, expected.len());
    }
}

/// The plain meaning of a stream: the last that was said of each network.
#[derive(Debug, Default)]
struct Plain {
    hops: BTreeMap<u32, NextHopSaid>,
    routes: BTreeMap<(String, u16), RouteSaid>,
}

impl Plain {
    fn hear(&mut self, said: &Said) {
        let fib = |table| [(MAIN_OF_LINUX, 0), (1000, 7)].iter().find(|(of, _)| *of == table).map(|(_, fib)| *fib);
        match said {
            Said::Route(route) => {
                let place = fib(route.table).map(|fib| (route.to.to_string(), fib));
                place.map(|place| self.routes.insert(place, self.resolved(route)));
            }
            Said::Withdrawn { table, to } => {
                fib(*table).map(|fib| self.routes.remove(&(to.to_string(), fib)));
            }
            Said::NextHop { id, what } => {
                self.hops.insert(*id, what.clone());
            }
            Said::NextHopGone { .. } | Said::Nothing => {}
        }
    }

    /// A route that says itself where it leads.
    fn resolved(&self, route: &RouteSaid) -> RouteSaid {
        let Leads::NextHop(id) = route.leads else { return route.clone() };
        let single = |(id, weight): &(u32, u32)| match self.hops.get(id) {
            Some(NextHopSaid::Single(leg)) => Some(Leg { weight: *weight, ..*leg }),
            _ => None,
        };
        let legs = match self.hops.get(&id) {
            Some(NextHopSaid::Single(leg)) => vec![*leg],
            Some(NextHopSaid::Group(members)) => members.iter().filter_map(single).collect(),
            Some(NextHopSaid::Blackhole) | None => Vec::new(),
        };
        RouteSaid { leads: Leads::Among(legs), ..route.clone() }
    }
}

#[test]
fn after_every_frame_of_the_recorded_streams_the_tables_are_what_was_said_last() {
    for (stream, _) in RECORDED {
        let (mut scene, mut plain, mut taken) = (recorded(), Plain::default(), 0);
        while taken < stream.len() {
            let mut said = Vec::new();
            taken += read(&stream[taken..], &mut said, 1).unwrap();
            said.iter().for_each(|said| plain.hear(said));
            scene.says(said);
            let mut alone = recorded();
            alone.says(plain.routes.values().cloned().map(Said::Route));
            assert_eq!(written(&mut scene), written(&mut alone), "up to byte {taken}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Whatever comes over the socket, the counts are those of the tables, and a session that ends and sweeps leaves none.
    #[test]
    fn a_damaged_stream_leaves_tables_and_counts_that_agree(
        which in 0..RECORDED.len(),
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..12),
        pieces in 1_usize..400,
        breaks in proptest::collection::vec(any::<proptest::sample::Index>(), 0..3),
    ) {
        let mut stream = RECORDED[which].0.to_vec();
        for (at, byte) in damage {
            let at = at.index(stream.len());
            stream[at] ^= byte;
        }
        let mut scene = recorded();
        let breaks: Vec<_> = breaks.iter().map(|at| at.index(stream.len())).collect();
        let mut taken = 0;
        loop {
            let mut said = Vec::new();
            let outcome = read(&stream[taken..], &mut said, pieces % 7 + 1);
            let is_over = said.is_empty();
            scene.says(said);
            let (all, fpm) = (written(&mut scene), scene.fpm());
            prop_assert_eq!(fpm.routes, all.len());
            prop_assert!(fpm.stale <= fpm.routes);
            let Ok(more) = outcome else { break };
            if breaks.iter().any(|at| (taken..taken + more).contains(at)) {
                scene.goes();
                scene.hear(Heard::Came(PEER));
            }
            taken += more;
            if is_over {
                break;
            }
        }
        scene.goes();
        prop_assert_eq!(scene.fpm().stale, scene.fpm().routes);
        scene.ask(Request::FpmSweep).unwrap();
        prop_assert_eq!(written(&mut scene), Written::new());
        prop_assert_eq!(scene.fpm().routes, 0);
    }
}

#[test]
fn a_newcomer_takes_the_place_of_a_daemon_and_a_broken_one_is_let_go_with_a_reason() {
    let mut scene = recorded();
    let (listener, feed) = Listener::start("127.0.0.1:0".parse().unwrap(), None).unwrap();
    scene.control.listen_to_daemon(feed);
    let until = |scene: &mut Scene, end: &str| {
        let begun = Instant::now();
        while !scene.fpm().last_end.is_some_and(|found| found.contains(end)) {
            assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", scene.fpm());
            scene.control.take_from_daemon(scene.now);
        }
    };
    let mut first = TcpStream::connect(listener.address()).unwrap();
    first.write_all(RECORDED[0].0).unwrap();
    let mut second = TcpStream::connect(listener.address()).unwrap();
    until(&mut scene, "another came");
    second.write_all(&[1, 2, 0, 8, 0, 0, 0, 0]).unwrap();
    until(&mut scene, "protobuf");
    assert_eq!(scene.fpm().state, FpmState::Lost);
    drop((first, second));
}

#[test]
fn an_address_that_is_taken_is_said_with_the_address() {
    let (listener, _feed) = Listener::start("127.0.0.1:0".parse().unwrap(), None).unwrap();
    let refused = Listener::start(listener.address(), None).unwrap_err();
    assert!(refused.to_string().contains(&listener.address().to_string()), "{refused}");
}

#[test]
fn the_configuration_s_section_reaches_the_control_plane() {
    let config = Config::parse("ferry.toml", "[fpm]\n[[port]]\nname = \"left\"\ndevice = \"net_null0\"\n").unwrap();
    let setup = Setup::new(&config, config.port_states([MacAddr([2, 0, 0, 0, 0, 1])]));
    let mut scene = Scene::with(setup);
    assert_eq!((scene.fpm().listen.port(), scene.fpm().state), (2620, FpmState::Waiting));
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
