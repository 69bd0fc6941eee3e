//! Packets that wait for a neighbour, and what becomes of neighbours.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use boundary::{NextHop, PortId, PuntReason};
use control_api::{Neighbour, NeighbourState, Reply, Request};
use packet::ethernet::{Header, MacAddr};
use packet::ipv4::Ipv4;
use packet::ipv6::Ipv6;

use crate::scene::*;

fn neighbours(scene: &mut Scene) -> Vec<Neighbour> {
    match scene.ask(Request::NeighShow { dev: None }) {
        Ok(Reply::Neighbours(neighbours)) => neighbours,
        other => panic!("{other:?}"),
    }
}

fn states(scene: &mut Scene) -> Vec<(IpAddr, NeighbourState)> {
    neighbours(scene).into_iter().map(|neighbour| (neighbour.dst, neighbour.state)).collect()
}

#[test]
fn a_packet_to_an_unresolved_host_waits_and_leaves_once_the_host_answers() {
    for bob in BOB.addresses() {
        let mut scene = Scene::new();
        let packet = udp(ALICE.like(bob), bob).of(100);
        scene.sends(ALICE, PuntReason::Unresolved, &packet);
        assert_eq!(scene.fate(bob), Some(NextHop::Unresolved(RIGHT)));
        assert_eq!(scene.sent.0.len(), 1, "one question and nothing else");

        scene.answers(BOB);
        let delivered = scene.take_packets_to(BOB);
        assert_eq!(delivered, [udp(ALICE.like(bob), bob).hops(63).of(100)], "a hop less, and otherwise the same");
        assert_eq!(scene.station(bob), Some(BOB.mac), "and workers can send by themselves from now on");
    }
}

#[test]
fn rfc_103_packets_that_waited_leave_in_order_and_the_newest_are_kept() {
    let mut scene = Scene::new();
    for len in 1..=20 {
        scene.sends(ALICE, PuntReason::Unresolved, &udp(ALICE.v4, BOB.v4).of(len));
    }
    assert_eq!(scene.take_questions(BOB), 1);
    scene.pass(SECOND);
    scene.answers(BOB);
    let lens: Vec<_> =
        scene.take_packets_to(BOB).iter().map(|packet| Ipv4::parse(packet).unwrap().payload().len()).collect();
    assert_eq!(lens, [13, 14, 15, 16, 17, 18, 19, 20]);
    assert_eq!(scene.control.counts().neighbour_overflowed, 12, "and those that are not kept are counted");
}

#[test]
fn rfc_102_a_host_is_asked_for_three_times_a_second_apart_whatever_is_sent_to_it() {
    for bob in BOB.addresses() {
        let mut scene = Scene::knowing(&[ALICE]);
        let start = scene.now;
        let mut asked_at = Vec::new();
        for _tenth in 0..35 {
            scene.sends(ALICE, PuntReason::Unresolved, &udp(ALICE.like(bob), bob).of(8));
            scene.control.tick(scene.now, &mut scene.sent);
            asked_at.extend((0..scene.take_questions(BOB)).map(|_question| scene.now.since(start).as_millis()));
            scene.now = scene.now + Duration::from_millis(100);
        }
        assert_eq!(asked_at, [0, 1000, 2000, 3100], "the last for what came after it was given up");
    }
}

#[test]
fn rfc_071_who_waited_for_a_host_that_never_answers_is_told() {
    for (bob, kind_and_code) in BOB.addresses().into_iter().zip([(3, 1), (1, 3)]) {
        let mut scene = Scene::knowing(&[ALICE]);
        let packet = udp(ALICE.like(bob), bob).of(8);
        scene.sends(ALICE, PuntReason::Unresolved, &packet);
        for _second in 0..2 {
            scene.pass(SECOND);
            assert!(scene.take_packets_to(ALICE).is_empty(), "not before it is given up");
        }
        scene.pass(SECOND);
        let told = Icmp::read(&scene.take_packets_to(ALICE)[0]);
        assert_eq!(told.kind_and_code(), kind_and_code);
        assert_eq!(told.source, ON_LEFT.like(bob), "by the address it came in at");
        assert_eq!(told.body, packet, "with the packet as it came");
        assert!(states(&mut scene).contains(&(bob, NeighbourState::Failed)), "and it is seen why");
        scene.pass(20 * SECOND);
        assert!(states(&mut scene).iter().all(|(dst, _)| *dst != bob), "for a while");
    }
}

#[test]
fn a_known_host_is_asked_again_and_stays_in_use_until_it_is_silent() {
    let mut scene = Scene::new();
    for bob in BOB.addresses() {
        scene.sends(ALICE, PuntReason::Unresolved, &udp(ALICE.like(bob), bob).of(8));
    }
    scene.answers(BOB);
    scene.take_sent();
    for _second in 0..600 {
        scene.pass(SECOND);
        for (_, question) in &scene.sent.0 {
            assert_eq!(Header::parse(question).unwrap().0.destination, BOB.mac, "it is asked itself, not everybody");
        }
        scene.answers(BOB);
        assert!(BOB.addresses().into_iter().all(|bob| scene.station(bob) == Some(BOB.mac)));
    }
    for _second in 0..130 {
        scene.pass(SECOND);
    }
    assert!(BOB.addresses().into_iter().all(|bob| scene.fate(bob) == Some(NextHop::Unresolved(RIGHT))));
    assert_eq!(states(&mut scene), []);
}

#[test]
fn routes_follow_their_gateway_as_it_comes_and_goes_and_moves() {
    let mut scene = Scene::new();
    for number in 0..10 {
        scene.add_route(&format!("10.{number}.0.0/16"), via(GATEWAY.v4));
    }
    let beyond = ip("10.7.1.1");
    assert_eq!(scene.fate(beyond), Some(NextHop::Unresolved(RIGHT)));
    scene.sends(ALICE, PuntReason::Unresolved, &udp(ALICE.v4, Ipv4Addr::new(10, 7, 1, 1)).of(8));
    scene.answers(GATEWAY);
    assert_eq!(scene.take_packets_to(GATEWAY).len(), 1);
    assert_eq!(scene.station(beyond), Some(GATEWAY.mac));

    let moved = Host { mac: MacAddr([2, 0, 0, 0, 2, 0xff]), ..GATEWAY };
    scene.introduce(moved);
    assert_eq!(scene.station(beyond), Some(moved.mac));
    assert_eq!(scene.station(ip("10.9.9.9")), Some(moved.mac));
    for _second in 0..10 {
        scene.pass(SECOND);
    }
    assert_eq!(scene.fate(beyond), Some(NextHop::Unresolved(RIGHT)));
}

#[test]
fn a_route_a_person_made_wins_over_a_known_neighbour() {
    let mut scene = Scene::knowing(&[BOB]);
    assert_eq!(scene.station(BOB.v4.into()), Some(BOB.mac));
    scene.add_route("198.51.100.20/32", control_api::Target::Blackhole);
    assert_eq!(scene.fate(BOB.v4.into()), Some(NextHop::Blackhole));
    scene.ask(Request::RouteDel { to: "198.51.100.20/32".parse().unwrap() }).unwrap();
    assert_eq!(scene.station(BOB.v4.into()), Some(BOB.mac));
}

#[test]
fn hosts_on_a_link_that_only_a_route_leads_to_are_found_too() {
    let mut scene = Scene::new();
    scene.add_route("203.0.113.0/24", control_api::Target::Dev("right".to_owned()));
    let carol = Host { v4: Ipv4Addr::new(203, 0, 113, 5), ..BOB };
    scene.sends(ALICE, PuntReason::Unresolved, &udp(ALICE.v4, carol.v4).of(8));
    scene.answers(carol);
    assert_eq!(scene.take_packets_to(carol).len(), 1);
    assert_eq!(scene.station(carol.v4.into()), Some(carol.mac));
}

#[test]
fn both_ends_of_a_link_between_two_routers_are_hosts() {
    let mut setup = setup();
    setup.ports[1] = port("right", ON_RIGHT, &["198.51.100.0/31", "2001:db8:2::1/127"], 1500);
    let mut scene = Scene::with(setup);
    let other = Host { v4: Ipv4Addr::new(198, 51, 100, 1), v6: "2001:db8:2::".parse().unwrap(), ..BOB };
    for address in other.addresses() {
        scene.sends(ALICE, PuntReason::Unresolved, &udp(ALICE.like(address), address).of(8));
        scene.answers(other);
        assert_eq!(scene.take_packets_to(other).len(), 1, "RFC 3021, RFC 6164");
    }
    assert_eq!(scene.station(other.v4.into()), Some(other.mac));
    assert_eq!(scene.fate(ip("198.51.100.0")), Some(NextHop::Local));
}

#[test]
fn rfc_127_what_came_in_over_a_link_between_two_routers_does_not_go_back_over_it() {
    let mut setup = setup();
    setup.ports[1] = port("right", ON_RIGHT, &["2001:db8:2::/127"], 1500);
    let mut scene = Scene::with(setup);
    let other = Host { v6: "2001:db8:2::1".parse().unwrap(), ..BOB };
    scene.introduce(ALICE);
    scene.sends(ALICE, PuntReason::Unresolved, &udp(ALICE.v6, other.v6).of(8));
    scene.answers(other);
    assert_eq!(scene.take_packets_to(other).len(), 1, "from elsewhere it goes there");
    assert_eq!(
        scene.fate(other.v6.into()),
        Some(NextHop::Unresolved(RIGHT)),
        "by the control thread, which knows the way in"
    );

    let beyond = Host { v6: "2001:db8:66::1".parse().unwrap(), ..other };
    scene.add_route("2001:db8:66::/48", via(other.v6));
    scene.sends(beyond, PuntReason::Unresolved, &udp(beyond.v6, other.v6).of(8));
    let told = scene.take_packets_to(other);
    assert_eq!(told.len(), 1, "one packet to there: the report");
    assert_eq!(Icmp::read(&told[0]).kind_and_code(), (1, 3));
    assert_eq!(scene.station(beyond.v6.into()), Some(other.mac), "routes by the other end are the workers' as ever");
}

#[test]
fn nobody_is_asked_for_a_network_s_own_address_or_its_broadcast() {
    let mut scene = Scene::new();
    for nobody in ["198.51.100.0", "198.51.100.255"] {
        assert_eq!(scene.fate(ip(nobody)), Some(NextHop::Blackhole));
        scene.sends(ALICE, PuntReason::Unresolved, &udp(ALICE.v4, ip(nobody)).of(8));
        assert_eq!(scene.take_sent(), [], "{nobody}");
    }
}

#[test]
fn rfc_104_a_scan_of_a_network_leaves_known_neighbours_in_use_and_asks_a_bounded_number_of_questions() {
    let mut setup = setup();
    setup.ports[1] = port("right", ON_RIGHT, &["10.0.0.1/16", "2001:db8:2::1/64"], 1400);
    let mut scene = Scene::with(setup);
    let bob = Host { v4: Ipv4Addr::new(10, 0, 0, 20), ..BOB };
    scene.sends(ALICE, PuntReason::Unresolved, &udp(ALICE.v4, bob.v4).of(8));
    scene.answers(bob);
    scene.take_sent();
    for _second in 0..3 {
        let mut asked = 0;
        for number in 256..65_535_u32 {
            let destination = Ipv4Addr::from(0x0a00_0000 + number);
            scene.sends(ALICE, PuntReason::Unresolved, &udp(ALICE.v4, destination).of(8));
        }
        scene.pass(SECOND);
        asked += scene.take_sent().len();
        assert!(asked <= 1100, "{asked}");
        assert_eq!(scene.station(bob.v4.into()), Some(bob.mac));
        assert!(neighbours(&mut scene).len() <= 1 + 1024 + 256, "unresolved ones, and such as have failed");
    }
    for _second in 0..28 {
        scene.pass(SECOND);
    }
    assert_eq!(neighbours(&mut scene).len(), 1, "and all of it is forgotten");
}

#[test]
fn what_the_configuration_says_of_a_neighbour_no_message_changes() {
    let mut setup = setup();
    let neighbour = control::config::Neighbour { port: RIGHT, address: BOB.v4.into(), mac: BOB.mac };
    setup.neighbours.push(neighbour);
    let mut scene = Scene::with(setup);
    assert_eq!(scene.station(BOB.v4.into()), Some(BOB.mac), "known from the start");
    scene.introduce(Host { mac: MacAddr([2, 0, 0, 0, 6, 6]), ..BOB });
    scene.pass(Duration::from_secs(3600));
    assert_eq!(scene.station(BOB.v4.into()), Some(BOB.mac));
    assert!(states(&mut scene).contains(&(BOB.v4.into(), NeighbourState::Permanent)));
}

#[test]
fn in_a_capture_neighbours_are_made_up_instead_of_asked_for() {
    let mut scene = Scene::with(control::Setup { assume_neighbours: true, ..setup() });
    scene.add_route("10.0.0.0/8", via(GATEWAY.v4));
    assert_eq!(scene.station(ip("10.1.1.1")).unwrap().to_string(), "02:04:c6:33:64:fe", "a gateway at once");
    for number in 0x100..0x1100_u16 {
        let host = Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, number);
        scene.sends(ALICE, PuntReason::Unresolved, &udp(ALICE.v6, host).of(8));
    }
    assert_eq!(scene.take_sent().len(), 0x1000, "as many at once as there are");
    for bob in BOB.addresses() {
        scene.sends(ALICE, PuntReason::Unresolved, &udp(ALICE.like(bob), bob).of(8));
        let sent = scene.take_sent();
        assert_eq!(sent.len(), 1, "nobody is asked, and the packet leaves");
        scene.pass(Duration::ZERO);
        let station = scene.station(bob).unwrap();
        assert_eq!(Header::parse(&sent[0].1).unwrap().0.destination, station);
    }
}

#[test]
fn a_packet_that_waited_is_cut_or_reported_if_it_does_not_fit() {
    let mut scene = Scene::knowing(&[ALICE]);
    scene.sends(ALICE, PuntReason::Unresolved, &udp(ALICE.v4, BOB.v4).of(1440));
    scene.sends(ALICE, PuntReason::Unresolved, &udp(ALICE.v4, BOB.v4).dont_fragment().of(1440));
    scene.sends(ALICE, PuntReason::Unresolved, &udp(ALICE.v6, BOB.v6).of(1440));
    scene.answers(BOB);
    assert_eq!(scene.take_packets_to(BOB).len(), 2, "the first in two fragments");
    let told: Vec<_> = scene.take_packets_to(ALICE).iter().map(|told| Icmp::read(told).kind_and_code()).collect();
    assert_eq!(told, [(3, 4), (2, 0)]);
}

#[test]
fn neighbours_are_shown_by_port_and_address() {
    let mut scene = Scene::knowing(&[BOB, ALICE]);
    scene.sends(ALICE, PuntReason::Unresolved, &udp(ALICE.v4, GATEWAY.v4).of(8));
    let shown: Vec<_> = neighbours(&mut scene).into_iter().map(|n| (n.dev, n.dst, n.lladdr, n.state)).collect();
    let (left, right) = ("left".to_owned(), "right".to_owned());
    let stale = NeighbourState::Stale;
    assert_eq!(
        shown,
        [
            (left.clone(), ALICE.v4.into(), Some(ALICE.mac), stale),
            (left, ALICE.v6.into(), Some(ALICE.mac), stale),
            (right.clone(), BOB.v4.into(), Some(BOB.mac), stale),
            (right.clone(), GATEWAY.v4.into(), None, NeighbourState::Incomplete),
            (right, BOB.v6.into(), Some(BOB.mac), stale),
        ]
    );
    let unknown = scene.ask(Request::NeighShow { dev: Some("middle".to_owned()) }).unwrap_err();
    assert_eq!(unknown.kind, control_api::ErrorKind::UnknownPort);
}

#[test]
fn a_frame_from_nowhere_and_bytes_that_are_no_packet_do_nothing() {
    let mut scene = Scene::new();
    scene.arrives(PortId(9), PuntReason::Unresolved, vec![0; 60]);
    for reason in PuntReason::ALL {
        for len in 0..60 {
            scene.arrives(LEFT, *reason, vec![0x45; len]);
        }
    }
    assert_eq!(scene.take_sent(), []);
}

#[test]
fn our_own_packets_to_a_host_wait_for_it_too() {
    let mut scene = Scene::new();
    for router in ON_LEFT.addresses() {
        scene.sends(ALICE, PuntReason::Local, &udp(ALICE.like(router), router).echo(56));
        assert_eq!(scene.take_packets_to(ALICE).len(), 0);
        scene.answers(ALICE);
        let reply = scene.take_packets_to(ALICE).pop().unwrap();
        let hops = if router.is_ipv4() {
            Ipv4::parse(&reply).unwrap().ttl()
        } else {
            Ipv6::parse(&reply).unwrap().hop_limit()
        };
        assert_eq!(hops, 64, "and no hop is taken off");
    }
}

#[test]
fn rfc_072_a_packet_to_a_host_that_is_not_known_yet_waits_and_nobody_is_told_at_once() {
    for bob in BOB.addresses() {
        let mut scene = Scene::knowing(&[ALICE]);
        for _packet in 0..3 {
            scene.sends(ALICE, PuntReason::Unresolved, &udp(ALICE.like(bob), bob).of(8));
        }
        assert!(scene.take_packets_to(ALICE).is_empty());
        scene.answers(BOB);
        assert_eq!(scene.take_packets_to(BOB).len(), 3);
    }
}

#[test]
fn rfc_105_a_host_that_moves_to_another_station_is_followed() {
    let moved = Host { mac: MacAddr([2, 0, 0, 0, 2, 0x21]), ..BOB };
    for bob in BOB.addresses() {
        let mut scene = Scene::knowing(&[ALICE]);
        scene.sends(ALICE, PuntReason::Unresolved, &udp(ALICE.like(bob), bob).of(8));
        scene.answers(BOB);
        assert_eq!(scene.station(bob), Some(BOB.mac));
        // It says nothing, and the old station is silent: a minute and a half, and then five seconds and three questions.
        let mut silent_for = 0;
        while scene.station(bob) == Some(BOB.mac) {
            scene.pass(SECOND);
            silent_for += 1;
            assert!(silent_for <= 100, "a stale entry is not used for longer");
        }
        scene.take_sent();
        scene.sends(ALICE, PuntReason::Unresolved, &udp(ALICE.like(bob), bob).of(8));
        scene.answers(moved);
        assert_eq!(scene.station(bob), Some(moved.mac));
    }
}

#[test]
fn rfc_154_a_host_is_solicited_three_times_a_second_apart_and_each_of_the_newest_packets_is_reported() {
    let mut scene = Scene::knowing(&[ALICE]);
    for packet in 1..=10 {
        scene.sends(ALICE, PuntReason::Unresolved, &udp(ALICE.v6, BOB.v6).of(packet));
    }
    let mut questions = scene.take_questions(BOB);
    for _second in 0..3 {
        scene.pass(SECOND);
        questions += scene.take_questions(BOB);
    }
    assert_eq!(questions, 3);
    let told: Vec<_> = scene.take_packets_to(ALICE).iter().map(|told| Icmp::read(told)).collect();
    assert!(told.iter().all(|told| told.kind_and_code() == (1, 3)));
    let lens: Vec<_> = told.iter().map(|told| told.body.len() - 40).collect();
    assert_eq!(lens, [3, 4, 5, 6, 7, 8, 9, 10]);
}

#[test]
fn rfc_158_a_scan_of_a_64_leaves_neighbours_in_use_and_memory_and_questions_bounded() {
    let mut scene = Scene::new();
    scene.sends(ALICE, PuntReason::Unresolved, &udp(ALICE.v6, BOB.v6).of(8));
    scene.answers(BOB);
    scene.take_sent();
    let mut number = 0x1_0000_u128;
    for _second in 0..3 {
        for _packet in 0..60_000 {
            number += 1;
            let destination = Ipv6Addr::from(u128::from(BOB.v6) & !0xffff_ffff | number << 8);
            scene.sends(ALICE, PuntReason::Unresolved, &udp(ALICE.v6, destination).of(8));
        }
        scene.pass(SECOND);
        let asked = scene.take_sent().len();
        assert!(asked <= 1100, "{asked}");
        assert_eq!(scene.station(BOB.v6.into()), Some(BOB.mac));
        assert!(neighbours(&mut scene).len() <= 1 + 1024 + 256);
    }
}

#[test]
fn rfc_159_neighbours_in_use_are_asked_again_before_new_ones_are_asked_for() {
    let mut scene = Scene::with(limited("resolution_rate = 10"));
    scene.sends(ALICE, PuntReason::Unresolved, &udp(ALICE.v6, BOB.v6).of(8));
    scene.answers(BOB);
    let mut number = 0x1_0000_u128;
    for _tenth in 0..1200 {
        for _packet in 0..10 {
            number += 1;
            let destination = Ipv6Addr::from(u128::from(BOB.v6) & !0xffff_ffff | number << 8);
            scene.sends(ALICE, PuntReason::Unresolved, &udp(ALICE.v6, destination).of(8));
        }
        scene.take_sent();
        scene.asks_for_router(ALICE);
        assert_eq!(scene.take_packets_to(ALICE).len(), 2, "who asks for us is answered whatever else there is to do");
        scene.pass(SECOND / 10);
        scene.answers(BOB);
        assert_eq!(
            scene.station(BOB.v6.into()),
            Some(BOB.mac),
            "for two minutes, and no question got lost in the scan"
        );
        scene.take_sent();
    }
}

#[test]
fn rfc_160_a_port_s_resolution_rate_and_queues_are_what_the_configuration_says() {
    let mut scene =
        Scene::with(limited("resolution_rate = 50\nmax_unresolved = 20\nqueue_packets = 2\nqueue_bytes = 200"));
    for number in 0..1000_u32 {
        let destination = Ipv4Addr::from(u32::from(Ipv4Addr::new(198, 51, 100, 2)) + number % 200);
        for len in [50, 60, 70] {
            scene.sends(ALICE, PuntReason::Unresolved, &udp(ALICE.v4, destination).of(len));
        }
        scene.pass(SECOND / 1000);
    }
    let asked = scene.take_sent().len();
    assert!((20..=55).contains(&asked), "{asked}");
    let unresolved = states(&mut scene).iter().filter(|(_, state)| *state == NeighbourState::Incomplete).count();
    assert_eq!(unresolved, 20);
    let first = Host { v4: Ipv4Addr::new(198, 51, 100, 2), ..BOB };
    let mut answer = Vec::new();
    let reply = packet::arp::Arp::request(ON_RIGHT.mac, ON_RIGHT.v4, first.v4).answered_by(first.mac);
    reply.append_to(&mut answer);
    scene.arrives(RIGHT, PuntReason::Arp, frame(first, ON_RIGHT.mac, packet::ethernet::EtherType::ARP, &answer));
    let lens: Vec<_> = scene.take_packets_to(first).iter().map(Vec::len).collect();
    assert_eq!(lens, [20 + 60, 20 + 70], "two packets, and less than 200 bytes");
}

#[test]
fn rfc_161_routes_by_link_local_neighbours_work_over_a_port_without_addresses() {
    let mut setup = setup();
    setup.ports[1] = port("right", ON_RIGHT, &[], 1400);
    let mut scene = Scene::with(setup);
    scene.introduce(ALICE);
    let gateway = Host { v6: GATEWAY.mac.link_local(), ..GATEWAY };
    let target = control_api::Target::Via { gateway: gateway.v6.into(), dev: Some("right".to_owned()) };
    scene.add_route("2001:db8:9::/48", target);
    let beyond = ip("2001:db8:9::9");
    scene.sends(ALICE, PuntReason::Unresolved, &udp(ALICE.v6, beyond).of(8));
    scene.answers(gateway);
    assert_eq!(scene.take_packets_to(gateway).len(), 1);
    assert_eq!(scene.station(beyond), Some(gateway.mac));
    // What comes in over it and goes nowhere is reported by an address of another port.
    scene.sends(gateway, PuntReason::TtlExpired, &udp(beyond, ALICE.v6).hops(1).of(8));
    let told = Icmp::read(&scene.take_packets_to(gateway)[0]);
    assert_eq!((told.kind_and_code(), told.source), ((3, 0), ON_LEFT.v6.into()));
}

/// The usual setup, with these words in the right port's `[port.neighbours]`.
fn limited(words: &str) -> control::Setup {
    let text = format!("[[port]]\nname = \"right\"\ndevice = \"net_null0\"\n[port.neighbours]\n{words}\n");
    let config = control::config::Config::parse("ferry.toml", &text).unwrap();
    let links = vec![control::config::LinkSettings::default(), config.ports()[0].link.clone()];
    control::Setup { links, ..setup() }
}
