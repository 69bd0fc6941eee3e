//! MP: several routes to one network. The known answers of hashes and slots are tested where those are made.

use boundary::{BUCKETS, NextHop};
use control::{Gateway, Multipath};
use control_api::ErrorKind;
use packet::ethernet::Header;

use super::*;

const NETWORK: &str = "10.8.0.0/16";
const INSIDE: &str = "10.8.1.1";

fn mpath(number: u8) -> RouteMessage {
    add(NETWORK, number).flags(RouteFlags::STATIC | RouteFlags::MPATH)
}

fn weighing(number: u8, weight: u32) -> RouteMessage {
    mpath(number).metrics(MetricMask::WEIGHT, RouteMetrics { weight, ..RouteMetrics::NONE })
}

/// A scene in which these gateways share.
fn shared_by(numbers: &[u8]) -> Scene {
    let mut scene = scene();
    for number in numbers {
        scene.tell(mpath(*number)).unwrap();
    }
    scene
}

/// Of each route to the network, in the order in which they count: the gateway's number, the priority, and the flags.
fn listed(scene: &mut Scene) -> Vec<(u8, u8, RouteFlags)> {
    let Ok(Reply::Routes(routes)) = scene.ask(Request::RouteShow { filter: RouteFilter::default() }) else {
        panic!("always")
    };
    let ours = routes.iter().filter(|route| route.dst.to_string() == NETWORK);
    ours.map(|route| {
        let Some(IpAddr::V4(gateway)) = route.gateway else { panic!("{route:?}") };
        (gateway.octets()[3] - 10, detail(route).priority, detail(route).flags)
    })
    .collect()
}

/// The gateways' numbers that workers send flows to, each with its share in percent.
fn shares(scene: &mut Scene) -> Vec<(u8, usize)> {
    let mut shares: Vec<_> = scene
        .divided(ip(INSIDE))
        .into_iter()
        .map(|(hop, buckets)| {
            let NextHop::Neighbour(adjacency) = hop else { panic!("{hop:?}") };
            let station = Header::parse(&adjacency.header).unwrap().0.destination;
            (station.0[5] - 10, (buckets * 100 + BUCKETS / 2) / BUCKETS)
        })
        .collect();
    shares.sort_unstable();
    shares
}

fn near(found: &[(u8, usize)], wanted: &[(u8, usize)]) -> bool {
    found.len() == wanted.len()
        && found.iter().zip(wanted).all(|(found, wanted)| found.0 == wanted.0 && found.1.abs_diff(wanted.1) <= 4)
}

fn found(scene: &mut Scene, destination: &str, source: Option<&str>) -> Option<Gateway> {
    scene.control.routes_mut().rtalloc_mpath(ip(destination), source.map(ip), 0).map(|route| route.gateway())
}

fn by(number: u8) -> Option<Gateway> {
    Some(Gateway::Address(ip(&format!("192.0.2.{}", number + 10))))
}

// holds S4.04, S4.05
#[test]
fn mp_01_a_route_that_is_alone_is_found_whatever_the_source() {
    let mut scene = scene();
    scene.tell(add(NETWORK, 1)).unwrap();
    assert_eq!(found(&mut scene, INSIDE, Some("192.0.2.1")), by(1));
    assert_eq!(found(&mut scene, INSIDE, None), by(1));
    assert_eq!(found(&mut scene, "10.9.0.1", Some("192.0.2.1")), None);
}

// holds S4.05, X58, X60
#[test]
fn mp_04_routes_that_share_are_found_by_source() {
    let mut scene = shared_by(&[1, 2]);
    assert_eq!(found(&mut scene, INSIDE, Some("192.0.2.1")), by(1), "0x36da");
    assert_eq!(found(&mut scene, "10.8.1.2", Some("192.0.2.1")), by(2), "0x9f61");
    let mut scene = shared_by(&[1, 2, 3, 4]);
    assert_eq!(found(&mut scene, "10.8.1.2", Some("192.0.2.1")), by(3));
}

// holds S4.05, X64
#[test]
fn mp_07_a_pair_of_addresses_keeps_its_route_whatever_else_changes() {
    let mut scene = shared_by(&[1, 2, 3]);
    let ways: Vec<_> = (0..100).map(|n| found(&mut scene, INSIDE, Some(&format!("198.51.100.{n}")))).collect();
    for round in 0..20_u8 {
        scene.tell(add(&format!("10.{}.0.0/16", 20 + round), 1)).unwrap();
        let again: Vec<_> = (0..100).map(|n| found(&mut scene, INSIDE, Some(&format!("198.51.100.{n}")))).collect();
        assert_eq!(again, ways);
    }
}

// holds S4.05, X61
#[test]
fn mp_08_without_a_source_the_first_route_is_found() {
    let mut scene = shared_by(&[2, 1, 3]);
    assert_eq!(found(&mut scene, "10.8.1.2", None), by(2));
}

// holds S4.05
#[test]
fn mp_09_a_family_that_is_not_divided_takes_the_first_route() {
    let multipath = Multipath { ipv4: false, ..Multipath::default() };
    let mut scene = Scene::with(Setup { multipath, ..setup() });
    scene.tell(mpath(1)).unwrap();
    scene.tell(mpath(2)).unwrap();
    assert_eq!(found(&mut scene, "10.8.1.2", Some("192.0.2.1")), by(1));
    assert_eq!(scene.takes(INSIDE), Some(1), "and so do workers");
}

// holds S3.08, S3.40, X63
#[test]
fn mp_12_a_weight_of_nothing_is_one() {
    let mut scene = scene();
    let added = scene.tell(weighing(1, 0)).unwrap();
    assert_eq!(detail(&added).metrics.weight, 1);
    scene.tell(weighing(2, 0)).unwrap();
    assert!(near(&shares(&mut scene), &[(1, 50), (2, 50)]));
}

// holds S3.08, S3.40, X63
#[test]
fn mp_13_a_weight_that_changes_changes_the_shares_in_one_publish() {
    let mut scene = scene();
    scene.tell(weighing(1, 1)).unwrap();
    scene.tell(weighing(2, 3)).unwrap();
    assert!(near(&shares(&mut scene), &[(1, 25), (2, 75)]));
    let generation = scene.generation();
    let change = message(Verb::Change, NETWORK).to(gateway(2, NETWORK));
    let changed = scene.tell(change.metrics(MetricMask::WEIGHT, RouteMetrics { weight: 4, ..RouteMetrics::NONE }));
    assert_eq!(detail(&changed.unwrap()).metrics.weight, 4);
    assert_eq!(scene.generation(), generation + 1);
    assert!(near(&shares(&mut scene), &[(1, 20), (2, 80)]));
}

// holds X58, X63
#[test]
fn mp_14_a_gateway_has_one_route_of_a_priority() {
    let mut scene = shared_by(&[1, 2]);
    assert_eq!(scene.tell(mpath(1)).unwrap_err().kind, ErrorKind::Exists);
    assert_eq!(listed(&mut scene).len(), 2);
}

// holds X59
#[test]
fn mp_15_and_16_of_several_routes_the_one_meant_has_to_be_said() {
    let mut scene = shared_by(&[1, 2]);
    for verb in [Verb::Delete, Verb::Change] {
        for unknown in [message(verb, NETWORK).to(gateway(3, NETWORK)), message(verb, NETWORK)] {
            let unknown = unknown.metrics(MetricMask::MTU, RouteMetrics { mtu: 1400, ..RouteMetrics::NONE });
            assert_eq!(scene.tell(unknown).unwrap_err().kind, ErrorKind::NotFound, "{verb:?}");
        }
    }
    assert_eq!(scene.ask(Request::RouteDel { to: NETWORK.parse().unwrap() }).unwrap_err().kind, ErrorKind::NotFound);
    scene.tell(message(Verb::Delete, NETWORK).to(gateway(1, NETWORK))).unwrap();
    let left = listed(&mut scene);
    assert!(left.len() == 1 && left[0].0 == 2 && !left[0].2.contains(RouteFlags::MPATH), "{left:?}");
    assert_eq!(scene.takes(INSIDE), Some(2));
    scene.ask(Request::RouteDel { to: NETWORK.parse().unwrap() }).unwrap();
    assert_eq!(scene.takes(INSIDE), None);
}

// holds X58
#[test]
fn mp_18_routes_stand_in_the_order_of_their_priorities() {
    let mut scene = scene();
    for (number, priority) in [(3, 13), (1, 11), (4, 14), (2, 12)] {
        scene.tell(add(NETWORK, number).priority(priority)).unwrap();
    }
    assert_eq!(listed(&mut scene).iter().map(|route| route.1).collect::<Vec<_>>(), [11, 12, 13, 14]);
    assert!(listed(&mut scene).iter().all(|route| !route.2.contains(RouteFlags::MPATH)), "none of them shares");
    for (number, next) in [(1, Some(2)), (2, Some(3)), (3, Some(4)), (4, None)] {
        assert_eq!(scene.takes(INSIDE), Some(number));
        scene.tell(message(Verb::Delete, NETWORK).priority(number + 10)).unwrap();
        assert_eq!(scene.takes(INSIDE), next);
    }
}

// holds X58
#[test]
fn mp_20_who_does_not_mean_to_share_does_not() {
    let mut scene = scene();
    scene.tell(mpath(1)).unwrap();
    let error = scene.tell(add(NETWORK, 2)).unwrap_err();
    assert_eq!((error.kind, error.kind.errno()), (ErrorKind::Exists, Some("EEXIST")));
    assert!(error.hint.unwrap().contains("mpath"));
    scene.tell(add(NETWORK, 2).priority(9)).unwrap();
    assert_eq!(scene.takes(INSIDE), Some(1));
}

// holds X59
#[test]
fn mp_21_a_route_among_several_keeps_its_gateway() {
    let mut scene = shared_by(&[1, 2]);
    let mtu =
        |message: RouteMessage| message.metrics(MetricMask::MTU, RouteMetrics { mtu: 1400, ..RouteMetrics::NONE });
    let elsewhere = message(Verb::Change, NETWORK).to(gateway(3, NETWORK));
    assert_eq!(scene.tell(elsewhere.clone()).unwrap_err().kind, ErrorKind::NotFound, "rttest13, 25");
    assert_eq!(scene.tell(mtu(message(Verb::Change, NETWORK))).unwrap_err().kind, ErrorKind::NotFound, "rttest23");
    let changed = scene.tell(mtu(message(Verb::Change, NETWORK).to(gateway(2, NETWORK)))).unwrap();
    assert_eq!(detail(&changed).metrics.mtu, 1400, "rttest22");
    let mut scene = shared_by(&[1]);
    assert!(scene.tell(elsewhere).is_ok(), "one that is alone may go elsewhere");
}

// holds X63
#[test]
fn mp_22_there_are_64_routes_to_a_network_at_most() {
    let mut scene = scene();
    let beyond = |number: u8| mpath(0).to(via(ip(&format!("192.0.2.{}", 100 + number))));
    for number in 0..64 {
        scene.tell(beyond(number)).unwrap();
    }
    let generation = scene.generation();
    let error = scene.tell(beyond(64)).unwrap_err();
    assert_eq!((error.kind, error.kind.errno()), (ErrorKind::TooMany, Some("E2BIG")));
    assert_eq!((scene.generation(), listed_len(&mut scene)), (generation, 64));
}

fn listed_len(scene: &mut Scene) -> usize {
    scene.shown(0).iter().filter(|network| *network == NETWORK).count()
}

// holds X25
#[test]
fn mp_24_whoever_does_not_say_which_is_told_of_the_first() {
    let mut scene = shared_by(&[2, 1]);
    let asked = scene.tell(message(Verb::Get, NETWORK)).unwrap();
    assert_eq!(asked.gateway, Some(ip("192.0.2.12")));
    let asked = scene.tell(message(Verb::Get, NETWORK).to(gateway(1, NETWORK))).unwrap();
    assert_eq!(asked.gateway, Some(ip("192.0.2.11")));
    assert_eq!(letters(&asked), "UGS");
}

#[test]
fn routes_that_share_share_in_ipv6_as_well() {
    let mut scene = scene();
    for number in [1, 2] {
        let both = RouteFlags::STATIC | RouteFlags::MPATH;
        scene.tell(add("2001:db8:8::/48", number).flags(both)).unwrap();
    }
    assert_eq!(scene.divided(ip("2001:db8:8::1")).len(), 2);
    let route = scene.control.routes_mut().rtalloc_mpath(ip("2001:db8:8::1"), Some(ip("2001:db8::5")), 0).unwrap();
    assert!(route.flags().contains(RouteFlags::MPATH));
}

#[test]
fn a_priority_there_is_not_is_refused() {
    let mut scene = scene();
    for priority in [0, 64, 255] {
        assert_eq!(scene.tell(add(NETWORK, 1).priority(priority)).unwrap_err().kind, ErrorKind::Invalid);
    }
    assert_eq!(scene.tell(message(Verb::Delete, NETWORK).priority(9)).unwrap_err().kind, ErrorKind::NotFound);
}

#[test]
fn one_route_of_many_is_one_publish_and_leaves_nothing_behind() {
    let mut scene = scene();
    let generation = scene.generation();
    for number in [1, 2, 3] {
        scene.tell(mpath(number)).unwrap();
    }
    assert_eq!(scene.generation(), generation + 3);
    let Ok(Reply::Flushed(flushed)) = scene.ask(Request::RouteFlush { filter: RouteFilter::default() }) else {
        panic!("always")
    };
    assert_eq!((flushed, scene.fate(ip(INSIDE))), (3, None));
    scene.pass(SECOND);
    let Ok(Reply::Stats(stats)) = scene.ask(Request::Stats) else { panic!("always") };
    assert_eq!(stats.entries.unwrap().trash, 0);
}

#[test]
fn a_route_of_the_configuration_may_have_several_gateways() {
    let by = |number: u8, weight| config::Route {
        to: NETWORK.parse().unwrap(),
        target: config::Target::Via { gateway: ip(&format!("192.0.2.{}", number + 10)), port: LEFT },
        weight,
        fib: 0,
        count: None,
    };
    let mut scene = Scene::with(Setup { routes: vec![by(1, 1), by(2, 3)], ..setup() });
    assert!(near(&shares(&mut scene), &[(1, 25), (2, 75)]));
    assert!(listed(&mut scene).iter().all(|route| route.2.contains(RouteFlags::MPATH)));
}

#[test]
fn a_batch_is_one_publish_and_what_is_refused_of_it_leaves_the_rest() {
    let mut scene = scene();
    let generation = scene.generation();
    let changes = vec![mpath(1), mpath(1), mpath(2), message(Verb::Delete, "10.99.0.0/16"), add("10.9.0.0/16", 3)];
    let Ok(Reply::Batch(batch)) = scene.ask(Request::RouteBatch { changes }) else { panic!("always") };
    let refused: Vec<_> = batch.refused.iter().map(|refused| (refused.place, refused.error.kind)).collect();
    assert_eq!((batch.done, refused), (3, vec![(1, ErrorKind::Exists), (3, ErrorKind::NotFound)]));
    assert_eq!(scene.generation(), generation + 1);
    assert_eq!((shares(&mut scene).len(), scene.takes("10.9.0.1")), (2, Some(3)));
}
