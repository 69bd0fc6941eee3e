//! LK, FB and CA: one way to look up and its wrappers, and those who keep what they found.

use std::collections::HashMap;

use boundary::PortId;
use control::{LookupError, LookupFlags, RouteCache, RouteId};
use control_api::{Network, Verb};
use lpm::Prefix;
use proptest::prelude::*;

use super::*;

const ANY: RouteFlags = RouteFlags::empty();

fn lookups(scene: &Scene) -> u64 {
    scene.control.routes().lookup_counts().lookups
}

fn cached(scene: &mut Scene, destination: &str) -> RouteCache {
    let mut cache = RouteCache::new(ip(destination));
    scene.control.routes_mut().rtalloc(&mut cache);
    cache
}

fn by(cache: &RouteCache) -> Option<String> {
    cache.route().map(|route| route.prefix().to_string())
}

// holds X28
#[test]
fn a_lookup_that_finds_nothing_is_counted_and_more_so_if_it_is_to_be_known() {
    let mut scene = scene();
    let routes = scene.control.routes_mut();
    assert!(routes.rtalloc1(ip("10.0.0.1"), false, ANY).is_none());
    assert_eq!((routes.lookup_counts().unreach, routes.lookup_counts().reported), (1, 0));
    assert!(routes.rtalloc1(ip("10.0.0.1"), true, ANY).is_none());
    assert!(routes.rtalloc1(ip("192.0.2.7"), true, ANY).is_some());
    let counts = routes.lookup_counts();
    assert_eq!((counts.lookups, counts.unreach, counts.reported), (3, 2, 1));
}

/// Numbers that look random and are the same in every run.
fn numbers(seed: u64) -> impl Iterator<Item = u64> {
    std::iter::successors(Some(seed), |state| Some(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1)))
        .map(|state| state ^ (state >> 29))
        .skip(1)
}

// holds S2.01, S2.03
#[test]
fn lk_09_a_million_prefixes_are_found_as_a_map_of_each_length_finds_them() {
    let mut setup = setup();
    let prefixes = numbers(1).take(1_000_000).map(|number| {
        // Inside 16.0.0.0/4, beside everything the ports have.
        let address = 0x1000_0000 | u32::try_from(number >> 36).unwrap();
        Prefix::containing(std::net::Ipv4Addr::from(address), u8::try_from(number % 21).unwrap() + 12)
    });
    let naive: HashMap<_, u8> = prefixes.map(|prefix| (prefix, 1 + prefix.len() % 4)).collect();
    setup.routes = naive
        .iter()
        .map(|(prefix, number)| config::Route {
            to: Network::V4(*prefix),
            target: config::Target::Via { gateway: ip(&format!("192.0.2.{}", number + 10)), port: LEFT },
            weight: 1,
            fib: 0,
            count: None,
        })
        .collect();
    let mut scene = Scene::with(setup);
    for number in numbers(2).take(200_000) {
        let address = std::net::Ipv4Addr::from(0x1000_0000 | u32::try_from(number >> 36).unwrap());
        let longest = (0..=32).rev().map(|len| Prefix::containing(address, len)).find(|at| naive.contains_key(at));
        let found = scene.control.routes_mut().rtalloc_table(address.into(), LookupFlags::empty(), 0);
        assert_eq!(found.map(|route| route.prefix()), longest.map(Network::V4), "{address}");
        let worker = scene.station(address.into()).map(|mac| mac.0[5] - 10);
        assert_eq!(worker, longest.map(|prefix| naive[&prefix]), "{address}");
    }
}

// holds S2.01, S2.03, S2.06
#[test]
fn lk_09_ipv6_prefixes_are_found_as_a_map_of_each_length_finds_them() {
    // Dense where prefixes nest, so that lookups meet many lengths.
    let address = |number: u64| std::net::Ipv6Addr::from((0x2a00 << 112) | (u128::from(number >> 40) << 80));
    let mut setup = setup();
    let prefixes = numbers(3)
        .take(250_000)
        .map(|number| Prefix::containing(address(number), u8::try_from(number % 37).unwrap() + 12));
    let naive: HashMap<_, u8> = prefixes.map(|prefix| (prefix, 1 + prefix.len() % 4)).collect();
    setup.routes = naive
        .iter()
        .map(|(prefix, number)| config::Route {
            to: Network::V6(*prefix),
            target: config::Target::Via { gateway: ip(&format!("2001:db8::{}", number + 10)), port: PortId(2) },
            weight: 1,
            fib: 0,
            count: None,
        })
        .collect();
    let mut scene = Scene::with(setup);
    for number in numbers(4).take(200_000) {
        let address = address(number);
        let longest = (0..=128).rev().map(|len| Prefix::containing(address, len)).find(|at| naive.contains_key(at));
        let found = scene.control.routes_mut().rtalloc_table(address.into(), LookupFlags::empty(), 0);
        assert_eq!(found.map(|route| route.prefix()), longest.map(Network::V6), "{address}");
        let worker = scene.station(address.into()).map(|mac| mac.0[5] - 10);
        assert_eq!(worker, longest.map(|prefix| naive[&prefix]), "{address}");
    }
}

proptest! {
    // holds S2.05, S2.16, S5.11, S5.13, S5.17
    #[test]
    fn lk_14_every_wrapper_finds_what_the_core_finds(
        prefixes in proptest::collection::vec((0..64_u32, 0..=32_u8, 0..3_u16), 0..30),
        asked in proptest::collection::vec((0..64_u32, any::<bool>(), any::<u32>(), 0..4_u16), 20),
    ) {
        let spread = |number: u32| std::net::Ipv4Addr::from((number >> 3 << 29) | (number & 7));
        let mut scene = Scene::with(Setup { fibs: Fibs::new(3).unwrap(), ..setup() });
        for (number, len, fib) in prefixes {
            let _may_be_there = scene.tell(add(&format!("{}/{len}", spread(number)), 1).fib(fib));
        }
        let routes = scene.control.routes_mut();
        for (number, report, flags, fib) in asked {
            let (dst, ignore) = (IpAddr::from(spread(number)), RouteFlags::from_bits_truncate(flags));
            let core = routes.lookup(fib, dst, LookupFlags::empty());
            let id = core.as_ref().ok().and_then(|found| found.as_ref().map(|route| route.id()));
            let mut found: Vec<Option<RouteId>> = Vec::new();
            let from_cache = |fill: &mut dyn FnMut(&mut RouteCache)| {
                let mut cache = RouteCache::new(dst);
                fill(&mut cache);
                cache.route().map(|route| route.id())
            };
            found.push(routes.rtalloc1_fib(dst, report, ignore, fib).ok().flatten().map(|route| route.id()));
            found.push(routes.rtalloc_table(dst, LookupFlags::REPORT, fib).map(|route| route.id()));
            found.push(from_cache(&mut |cache| assert_eq!(routes.rtalloc_fib(cache, fib).is_err(), fib == 3)));
            found.push(from_cache(&mut |cache| assert_eq!(routes.rtalloc_ign_fib(cache, ignore, fib).is_err(), fib == 3)));
            if fib == 0 {
                found.push(routes.rtalloc1(dst, report, ignore).map(|route| route.id()));
                found.push(from_cache(&mut |cache| routes.rtalloc(cache)));
                found.push(from_cache(&mut |cache| routes.rtalloc_ign(cache, ignore)));
            }
            prop_assert!(found.iter().all(|one| *one == id), "{}: {:?} {:?}", dst, id, found);
        }
    }
}

// holds S2.26
#[test]
fn fb_02_functions_without_a_table_look_up_in_the_main_one() {
    let mut scene = scene();
    scene.tell(add("10.0.0.0/8", 1)).unwrap();
    scene.tell(add("10.0.0.0/16", 2).fib(1)).unwrap();
    let found = scene.control.routes_mut().rtalloc1(ip("10.0.0.1"), false, ANY).unwrap();
    assert_eq!((found.prefix().to_string(), found.fib()), ("10.0.0.0/8".to_owned(), 0));
    drop(found);
    assert_eq!(by(&cached(&mut scene, "10.0.0.1")).unwrap(), "10.0.0.0/8");
}

// holds S2.09
#[test]
fn a_table_there_cannot_be_is_an_error_of_every_lookup_that_can_say_so() {
    let mut scene = Scene::with(Setup { fibs: Fibs::new(3).unwrap(), ..setup() });
    let routes = scene.control.routes_mut();
    let expected = LookupError::NoSuchTable { fib: 3, fibs: routes.fibs() };
    assert_eq!(expected.errno(), "EINVAL");
    assert_eq!(routes.rtalloc1_fib(ip("10.0.0.1"), true, ANY, 3).unwrap_err(), expected);
    let mut cache = RouteCache::new(ip("192.0.2.7"));
    routes.rtalloc(&mut cache);
    cache.release();
    assert_eq!(routes.rtalloc_fib(&mut cache, 3), Err(expected));
    assert!(cache.route().is_none());
    assert_eq!(routes.lookup_counts().lookups, 1);
}

/// OpenBSD's function has no error to give.
// holds S4.01
#[test]
fn in_a_table_there_cannot_be_nothing_is_found() {
    let mut scene = scene();
    assert!(scene.control.routes_mut().rtalloc_table(ip("192.0.2.7"), LookupFlags::empty(), 65_535).is_none());
}

// holds S2.11, S2.13, S5.08, S5.09
#[test]
fn ca_01_a_new_cache_has_nothing_but_its_destination() {
    let cache = RouteCache::new(ip("10.0.0.1"));
    assert!(cache.route().is_none() && cache.lle().is_none());
    assert_eq!(cache.dst(), ip("10.0.0.1"));
}

// holds S2.15, S5.10
#[test]
fn ca_02_a_cache_with_a_route_that_is_up_does_not_look_up() {
    let mut scene = scene();
    let mut cache = cached(&mut scene, "192.0.2.7");
    let neighbour = cache.lle().unwrap();
    assert_eq!((neighbour.address, neighbour.port), (ip("192.0.2.7"), LEFT));
    let before = lookups(&scene);
    scene.control.routes_mut().rtalloc(&mut cache);
    assert_eq!((before, lookups(&scene)), (1, 1));
}

// holds S2.15, S5.10
#[test]
fn ca_03_a_cache_whose_route_was_deleted_looks_up_again() {
    let mut scene = scene();
    scene.tell(add("0.0.0.0/0", 2)).unwrap();
    scene.tell(add("10.0.0.0/8", 1)).unwrap();
    let mut cache = cached(&mut scene, "10.0.0.1");
    let kept = cache.route().unwrap().clone();
    scene.tell(message(Verb::Delete, "10.0.0.0/8")).unwrap();
    scene.control.routes_mut().rtalloc(&mut cache);
    assert_eq!((by(&cache).unwrap().as_str(), kept.refs()), ("0.0.0.0/0", 1));
    assert_eq!(cache.lle().unwrap().address, ip("192.0.2.12"));
}

// holds S2.15, S5.10
#[test]
fn ca_04_a_cache_keeps_its_route_beside_a_better_one() {
    let mut scene = scene();
    scene.tell(add("10.0.0.0/8", 1)).unwrap();
    let mut cache = cached(&mut scene, "10.8.1.1");
    scene.tell(add("10.8.1.0/24", 2)).unwrap();
    scene.control.routes_mut().rtalloc(&mut cache);
    assert_eq!(by(&cache).unwrap(), "10.0.0.0/8");
    assert_eq!(by(&cached(&mut scene, "10.8.1.1")).unwrap(), "10.8.1.0/24");
}

// holds S2.15
#[test]
fn a_cache_whose_route_leads_out_of_no_port_looks_up_each_time() {
    let mut scene = scene();
    scene.tell(message(Verb::Add, "10.0.0.0/8").to(Target::Blackhole)).unwrap();
    let mut cache = cached(&mut scene, "10.0.0.1");
    scene.control.routes_mut().rtalloc(&mut cache);
    assert_eq!((lookups(&scene), cache.route().unwrap().refs()), (2, 1));
    assert_eq!(cache.lle(), None);
}

// holds S2.16
#[test]
fn ca_06_to_ignore_nothing_is_to_look_up_in_the_table() {
    let mut scene = scene();
    scene.tell(add("10.0.0.0/8", 1).fib(2)).unwrap();
    let (mut one, mut other) = (RouteCache::new(ip("10.0.0.1")), RouteCache::new(ip("10.0.0.1")));
    scene.control.routes().rtalloc_ign_fib(&mut one, ANY, 2).unwrap();
    scene.control.routes().rtalloc_fib(&mut other, 2).unwrap();
    assert_eq!(one.route().unwrap().id(), other.route().unwrap().id());
}

// holds S2.12, S5.14
#[test]
fn ca_07_a_cache_takes_destinations_of_either_family() {
    let mut scene = scene();
    assert_eq!(by(&cached(&mut scene, "2001:db8::7")).unwrap(), "2001:db8::/64");
}

// holds S2.24
#[test]
fn ca_08_a_cache_is_released_as_often_as_one_likes() {
    let mut scene = scene();
    let mut cache = cached(&mut scene, "192.0.2.7");
    let kept = cache.route().unwrap().clone();
    assert_eq!(kept.refs(), 2);
    cache.release();
    cache.release();
    assert_eq!(kept.refs(), 1);
    RouteCache::new(ip("::")).release();
}

// holds S2.27, S2.29, S5.24, S5.25
#[test]
fn ca_09_a_cache_that_finds_nothing_has_nothing() {
    let mut scene = scene();
    scene.tell(add("10.0.0.0/8", 1)).unwrap();
    let mut cache = cached(&mut scene, "10.0.0.1");
    let kept = cache.route().unwrap().clone();
    scene.tell(message(Verb::Delete, "10.0.0.0/8")).unwrap();
    scene.control.routes_mut().rtalloc(&mut cache);
    assert!(cache.route().is_none());
    assert_eq!(kept.refs(), 1, "the one it had is let go");
    let error = cache.require_route().unwrap_err();
    assert_eq!((error, error.errno()), (LookupError::HostUnreachable { destination: ip("10.0.0.1") }, "EHOSTUNREACH"));
}

// holds S2.15, X75
#[test]
fn ca_11_packets_take_a_better_route_while_there_is_one() {
    let mut scene = scene();
    scene.tell(add("0.0.0.0/0", 1)).unwrap();
    assert_eq!(scene.takes("10.0.3.1"), Some(1));
    scene.tell(add("10.0.3.0/24", 2)).unwrap();
    assert_eq!(scene.takes("10.0.3.1"), Some(2));
    scene.tell(message(Verb::Delete, "10.0.3.0/24")).unwrap();
    assert_eq!(scene.takes("10.0.3.1"), Some(1));
}

// holds X38
#[test]
fn a_change_is_seen_by_whoever_holds_the_route_and_makes_no_other() {
    let mut scene = scene();
    scene.tell(add("10.0.0.0/8", 1)).unwrap();
    let cache = cached(&mut scene, "10.0.0.1");
    let route = cache.route().unwrap();
    let id = route.id();
    scene.tell(message(Verb::Change, "10.0.0.0/8").to(gateway(2, ""))).unwrap();
    assert_eq!((route.id(), route.gateway()), (id, control::Gateway::Address(ip("192.0.2.12"))));
    assert!(route.is_up());
}

/// The gateway of a flow, and how many lookups it took to know.
fn of_flow(scene: &mut Scene, cache: &mut control::FlowCache, dst: &str, src: &str) -> (Option<control::Gateway>, u64) {
    let before = scene.control.routes().lookup_counts().lookups;
    let gateway = cache.route(scene.control.routes_mut(), ip(dst), ip(src)).map(|route| route.gateway());
    (gateway, scene.control.routes().lookup_counts().lookups - before)
}

// holds X75
#[test]
fn ca_10_and_11_a_flow_asks_again_after_every_change_and_not_before() {
    let mut scene = scene();
    let mut cache = control::FlowCache::default();
    let by = |number: u8| Some(control::Gateway::Address(ip(&format!("192.0.2.{}", number + 10))));
    scene.tell(add("0.0.0.0/0", 1)).unwrap();
    let mut ask = |scene: &mut Scene| of_flow(scene, &mut cache, "10.0.3.1", "198.51.100.9");
    assert_eq!([ask(&mut scene), ask(&mut scene)], [(by(1), 1), (by(1), 0)]);
    scene.tell(add("10.0.3.0/24", 2)).unwrap();
    assert_eq!([ask(&mut scene), ask(&mut scene)], [(by(2), 1), (by(2), 0)]);
    scene.tell(message(Verb::Delete, "10.0.3.0/24")).unwrap();
    assert_eq!(ask(&mut scene), (by(1), 1));
    scene.tell(message(Verb::Change, "0.0.0.0/0").to(gateway(3, "0.0.0.0/0"))).unwrap();
    assert_eq!(ask(&mut scene), (by(3), 1));
}

// holds X75
#[test]
fn ca_12_the_source_counts_only_where_routes_share() {
    let mut scene = scene();
    let mut cache = control::FlowCache::default();
    scene.tell(add("10.0.0.0/8", 1)).unwrap();
    let mut lookups = |scene: &mut Scene, src: &str| of_flow(scene, &mut cache, "10.0.0.1", src).1;
    assert_eq!(["198.51.100.1", "198.51.100.2"].map(|src| lookups(&mut scene, src)), [1, 0]);
    scene.tell(add("10.0.0.0/8", 2).flags(RouteFlags::STATIC | RouteFlags::MPATH)).unwrap();
    let sources = ["198.51.100.1", "198.51.100.1", "198.51.100.2", "198.51.100.2"];
    assert_eq!(sources.map(|src| lookups(&mut scene, src)), [1, 0, 1, 0]);
}
