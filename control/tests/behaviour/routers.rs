//! Router solicitations and advertisements: what hosts are told, when, and what is not believed.

use std::net::Ipv6Addr;

use boundary::{NextHop, PuntReason};
use control::Setup;
use control::config::Config;
use control_api::{Reply, Request, RouteFilter};
use packet::ethernet::{EtherType, Header, MacAddr};
use packet::icmpv6::Between;
use packet::ipv6::Ipv6;
use packet::ndp::{
    ALL_NODES, ALL_ROUTERS, Message, Preference, PrefixInformation, RouterAdvertisement, RouterHeard,
    RouterSolicitation,
};

use crate::scene::*;

/// The usual setup, with a left port that tells hosts that it is a router.
fn advertising(words: &str) -> Setup {
    let text = format!(
        "[[port]]\nname = \"left\"\ndevice = \"net_null0\"\naddresses = [\"2001:db8:1::1/64\"]\n\
         [port.router_advertisements]\n{words}\n"
    );
    let config = Config::parse("ferry.toml", &text).unwrap();
    Setup { links: vec![config.ports()[0].link.clone()], ..setup() }
}

fn started(words: &str) -> Scene {
    let mut scene = Scene::with(advertising(words));
    scene.control.announce(scene.now, &mut scene.sent);
    scene
}

/// Takes the advertisements that left.
fn told(scene: &mut Scene) -> Vec<(Vec<u8>, RouterHeard)> {
    let sent = scene.take_sent();
    let packets = sent.iter().map(|(port, frame)| (*port, Header::parse(frame).unwrap()));
    packets
        .filter(|(_, (header, _))| header.ether_type == EtherType::IPV6)
        .filter_map(|(port, (header, payload))| {
            let packet = Ipv6::parse(payload).unwrap();
            let Ok(Message::RouterAdvertisement(told)) = Message::parse(&packet) else { return None };
            assert_eq!((port, packet.source()), (LEFT, ON_LEFT.mac.link_local()));
            assert_eq!(packet.destination(), ALL_NODES);
            assert_eq!(header.destination, MacAddr::of_ipv6_multicast(ALL_NODES));
            Some((payload.to_vec(), told))
        })
        .collect()
}

fn solicits(scene: &mut Scene, source: Ipv6Addr, source_mac: Option<MacAddr>, change: impl FnOnce(&mut Vec<u8>)) {
    let mut packet = Vec::new();
    let between = Between { source, destination: ALL_ROUTERS };
    RouterSolicitation { source_mac }.append_to(between, &mut packet);
    change(&mut packet);
    let group = MacAddr::of_ipv6_multicast(ALL_ROUTERS);
    scene.arrives(LEFT, PuntReason::NeighbourDiscovery, frame(ALICE, group, EtherType::IPV6, &packet));
}

/// Lets half an hour pass, so that the next advertisement nobody asks for is minutes away.
fn settled(words: &str) -> Scene {
    let mut scene = started(words);
    for _second in 0..1800 {
        scene.pass(SECOND);
    }
    while told(&mut scene).is_empty() {
        scene.pass(SECOND);
    }
    scene.pass(10 * SECOND);
    assert_eq!(told(&mut scene).len(), 0);
    scene
}

#[test]
fn hosts_are_told_of_the_router_its_networks_and_the_mtu() {
    let mut scene =
        started("lifetime_seconds = 900\nother = true\npreference = \"high\"\nresolvers = [\"2001:db8:1::53\"]");
    for _tenth in 0..40 {
        scene.pass(SECOND / 10);
    }
    let (packet, _) = told(&mut scene).remove(0);
    let prefix = PrefixInformation {
        prefix: Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 0),
        len: 64,
        on_link: true,
        autonomous: true,
        valid_seconds: 2_592_000,
        preferred_seconds: 604_800,
    };
    let expected = RouterAdvertisement {
        hop_limit: 64,
        managed: false,
        other: true,
        preference: Preference::High,
        lifetime_seconds: 900,
        reachable_ms: 0,
        retransmit_ms: 0,
        source_mac: ON_LEFT.mac,
        mtu: Some(1500),
        prefixes: vec![prefix],
        resolvers: vec![Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 0x53)],
        resolvers_seconds: 1800,
    };
    let mut wanted = Vec::new();
    expected.append_to(Between { source: ON_LEFT.mac.link_local(), destination: ALL_NODES }, &mut wanted);
    assert_eq!(packet, wanted);
}

#[test]
fn a_port_that_is_not_told_to_tells_hosts_nothing() {
    let mut scene = Scene::new();
    scene.control.announce(scene.now, &mut scene.sent);
    for _second in 0..700 {
        scene.pass(SECOND);
        solicits(&mut scene, ALICE.v6, Some(ALICE.mac), |_packet| {});
        assert_eq!(told(&mut scene), []);
    }
}

#[test]
fn the_first_few_come_soon_and_then_they_are_as_far_apart_as_is_said() {
    let mut scene = started("max_interval_seconds = 60\nmin_interval_seconds = 45");
    let start = scene.now;
    let mut times = Vec::new();
    for _tenth in 0..6000 {
        scene.pass(SECOND / 10);
        times.extend(told(&mut scene).iter().map(|_| scene.now.since(start).as_secs_f32()));
    }
    assert!(times[0] >= 1.0 && times[0] < 4.0, "once the address is ours: {times:?}");
    assert!(times[2] < 40.0, "{times:?}");
    assert!(times[2..].windows(2).all(|pair| (44.8..=60.2).contains(&(pair[1] - pair[0]))), "{times:?}");
}

#[test]
fn who_asks_for_routers_is_answered_within_half_a_second_and_a_flood_once_in_three() {
    let mut scene = settled("");
    solicits(&mut scene, ALICE.v6, Some(ALICE.mac), |_packet| {});
    scene.pass(SECOND / 2);
    assert_eq!(told(&mut scene).len(), 1);
    assert_eq!(scene.station(ALICE.v6.into()), Some(ALICE.mac), "and is known by it");
    let mut answered = 0;
    for _hundredth in 0..1000 {
        solicits(&mut scene, ALICE.v6, Some(ALICE.mac), |_packet| {});
        scene.pass(SECOND / 100);
        answered += told(&mut scene).len();
    }
    assert!((2..=4).contains(&answered), "{answered} in ten seconds");
}

/// RFC 4861 section 6.1.1.
#[test]
fn rfc_156_a_router_solicitation_that_breaks_a_rule_is_ignored() {
    type Broken = (&'static str, Ipv6Addr, Option<MacAddr>, fn(&mut Vec<u8>));
    let broken: [Broken; 6] = [
        ("hop limit", ALICE.v6, None, |p| p[7] = 254),
        ("checksum", ALICE.v6, None, |p| p[42] ^= 1),
        ("code, checksum put right", ALICE.v6, None, |p| {
            p[41] = 1;
            p[43] = p[43].wrapping_sub(1);
        }),
        ("7 bytes, checksum put right", ALICE.v6, None, |p| {
            p.truncate(47);
            p[5] = 7;
            p[43] = p[43].wrapping_add(1);
        }),
        ("option without a length", ALICE.v6, Some(ALICE.mac), |p| {
            p[49] = 0;
            p[43] = p[43].wrapping_add(1);
        }),
        ("from nobody, with a station", Ipv6Addr::UNSPECIFIED, Some(ALICE.mac), |_packet| {}),
    ];
    for (rule, source, station, change) in broken {
        let mut scene = settled("");
        solicits(&mut scene, source, station, change);
        scene.pass(SECOND);
        assert_eq!(told(&mut scene), [], "{rule}");
        assert_eq!(scene.fate(ALICE.v6.into()), Some(NextHop::Unresolved(LEFT)), "{rule}");
    }
    let mut scene = settled("");
    solicits(&mut scene, Ipv6Addr::UNSPECIFIED, None, |_packet| {});
    scene.pass(SECOND);
    assert_eq!(told(&mut scene).len(), 1, "from nobody, without one, is a host that starts");
}

#[test]
fn rfc_157_what_another_router_says_changes_neither_routes_nor_addresses() {
    let mut scene = started("");
    scene.pass(5 * SECOND);
    let (routes, generation) = (shown_routes(&mut scene), scene.generation());
    let prefix = PrefixInformation {
        prefix: Ipv6Addr::new(0x2001, 0xdb8, 0x66, 0, 0, 0, 0, 0),
        len: 64,
        on_link: true,
        autonomous: true,
        valid_seconds: 3600,
        preferred_seconds: 3600,
    };
    let rogue = RouterAdvertisement {
        hop_limit: 1,
        managed: true,
        other: true,
        preference: Preference::High,
        lifetime_seconds: 9000,
        reachable_ms: 1,
        retransmit_ms: 1,
        source_mac: ALICE.mac,
        mtu: Some(1280),
        prefixes: vec![prefix],
        resolvers: Vec::new(),
        resolvers_seconds: 0,
    };
    let mut packet = Vec::new();
    rogue.append_to(Between { source: ALICE.mac.link_local(), destination: ALL_NODES }, &mut packet);
    let all = MacAddr::of_ipv6_multicast(ALL_NODES);
    scene.arrives(LEFT, PuntReason::NeighbourDiscovery, frame(ALICE, all, EtherType::IPV6, &packet));
    scene.pass(SECOND);
    assert_eq!((shown_routes(&mut scene), scene.generation()), (routes, generation));
    assert_eq!(scene.control.counts().router_inconsistencies, 1, "but it is counted (RFC 4861 section 6.2.7)");
}

fn shown_routes(scene: &mut Scene) -> Reply {
    scene.ask(Request::RouteShow { filter: RouteFilter::default() }).unwrap()
}

#[test]
fn a_router_that_stops_says_so() {
    let mut scene = settled("");
    scene.control.take_leave(scene.now, &mut scene.sent);
    let told = told(&mut scene);
    assert_eq!(told.len(), 1);
    assert!(told[0].1.lifetime.is_zero(), "RFC 4861 section 6.2.5");
}
