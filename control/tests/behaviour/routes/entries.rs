//! LK and HN: what is in the table, and what is found there.

use control_api::{ErrorKind, RouteFlags, Verb};
use proptest::prelude::*;

use super::*;

// holds S2.01, S5.01
#[test]
fn lk_01_in_an_empty_table_nothing_is_found() {
    let mut scene = scene();
    assert_eq!(scene.takes("10.0.0.1"), None);
    assert_eq!(scene.fate(ip("10.0.0.1")), None);
}

// holds X23
#[test]
fn lk_02_the_default_route_is_found_for_every_address() {
    let mut scene = scene();
    scene.tell(add("0.0.0.0/0", 1)).unwrap();
    for address in ["203.0.113.9", "0.0.0.0", "255.255.255.255"] {
        assert_eq!(scene.takes(address), Some(1), "{address}");
    }
}

// holds X23
#[test]
fn lk_03_without_a_default_route_the_unspecified_address_is_not_found() {
    assert_eq!(scene().takes("0.0.0.0"), None);
}

fn rttest1() -> Scene {
    let mut scene = scene();
    for (prefix, number) in [
        ("10.0.0.0/8", 1),
        ("10.0.0.0/16", 4),
        ("10.0.0.0/10", 4),
        ("10.8.0.0/16", 3),
        ("10.8.0.0/24", 1),
        ("10.8.1.0/24", 2),
        ("10.8.3.0/24", 3),
        ("10.8.4.0/24", 4),
    ] {
        scene.tell(add(prefix, number)).unwrap();
    }
    scene
}

// holds S2.01, X22
#[test]
fn lk_04_the_longest_of_nested_prefixes_is_found() {
    let mut scene = rttest1();
    for (address, number, by) in [
        ("10.8.1.9", Some(2), "10.8.1.0/24"),
        ("10.8.2.9", Some(3), "10.8.0.0/16"),
        ("10.8.0.1", Some(1), "10.8.0.0/24"),
        ("10.0.0.1", Some(4), "10.0.0.0/16"),
        ("10.63.0.1", Some(4), "10.0.0.0/10"),
        ("10.64.0.1", Some(1), "10.0.0.0/8"),
    ] {
        assert_eq!(scene.takes(address), number, "{address}");
        assert_eq!(scene.tell(message(Verb::Get, address)).unwrap().dst.to_string(), by);
    }
    assert_eq!(scene.takes("11.0.0.1"), None);
}

// holds X22
#[test]
fn lk_05_deleting_one_of_several_masks_leaves_the_others() {
    let mut scene = rttest1();
    scene.tell(message(Verb::Delete, "10.0.0.0/16")).unwrap();
    assert_eq!(scene.tell(message(Verb::Get, "10.0.0.1")).unwrap().dst.to_string(), "10.0.0.0/10");
    assert_eq!(scene.takes("10.0.0.1"), Some(4));
    scene.tell(message(Verb::Delete, "10.0.0.0/10")).unwrap();
    assert_eq!(scene.takes("10.0.0.1"), Some(1));
}

// holds S2.01
#[test]
fn lk_06_prefixes_of_two_and_four_addresses() {
    let mut scene = scene();
    scene.tell(add("203.0.113.0/30", 1)).unwrap();
    scene.tell(add("203.0.113.0/31", 2)).unwrap();
    let found = [0, 1, 2, 3, 4].map(|host| scene.takes(&format!("203.0.113.{host}")));
    assert_eq!(found, [Some(2), Some(2), Some(1), Some(1), None]);
}

// holds S2.01
#[test]
fn lk_07_the_halves_of_all_addresses_come_before_the_whole() {
    let mut scene = scene();
    for (prefix, number) in [("0.0.0.0/0", 3), ("0.0.0.0/1", 1), ("128.0.0.0/1", 2)] {
        scene.tell(add(prefix, number)).unwrap();
    }
    assert_eq!([scene.takes("127.255.255.255"), scene.takes("128.0.0.0")], [Some(1), Some(2)]);
}

// holds X22, X24
#[test]
fn lk_08_of_all_lengths_the_longest_that_is_left_is_found() {
    let mut scene = scene();
    for len in 0..=32 {
        scene.tell(add(&format!("10.255.255.255/{len}"), 1 + len % 4)).unwrap();
    }
    for len in (0..=32).rev() {
        let found = scene.tell(message(Verb::Get, "10.255.255.255")).unwrap();
        assert_eq!(found.dst.len(), len);
        assert_eq!(scene.takes("10.255.255.255"), Some(1 + len % 4));
        scene.tell(message(Verb::Delete, &format!("10.255.255.255/{len}"))).unwrap();
    }
    assert_eq!(scene.takes("10.255.255.255"), None);
}

// holds S2.06, S5.14
#[test]
fn lk_10_ipv6_is_looked_up_in_the_same_way() {
    let mut scene = scene();
    for (prefix, number) in [("::/0", 1), ("2001:db8::/32", 2), ("2001:db8:4::/48", 3), ("2001:db8:4::5/128", 4)] {
        scene.tell(add(prefix, number)).unwrap();
    }
    let found = ["2001:db8:4::5", "2001:db8:4::6", "2001:db8:5::", "2001:db9::"].map(|to| scene.takes(to));
    assert_eq!(found, [Some(4), Some(3), Some(2), Some(1)]);
}

// holds X24, X25
#[test]
fn lk_11_bits_beyond_the_mask_do_not_count() {
    let mut scene = scene();
    assert_eq!(scene.tell(add("10.1.2.3/8", 1)).unwrap().dst.to_string(), "10.0.0.0/8");
    assert_eq!(scene.tell(message(Verb::Get, "10.9.9.9/8")).unwrap().dst.to_string(), "10.0.0.0/8");
    assert_eq!(scene.tell(message(Verb::Get, "10.0.0.0/9")).unwrap_err().kind, ErrorKind::NotFound);
    scene.tell(message(Verb::Delete, "10.7.7.7/8")).unwrap();
}

// holds X26
#[test]
fn lk_12_a_mask_with_a_hole_is_refused() {
    let mut scene = scene();
    let before = scene.shown(0);
    for mask in ["255.0.255.0", "0.0.0.1", "127.255.255.255"] {
        for verb in [Verb::Add, Verb::Delete, Verb::Change, Verb::Get, Verb::Lock] {
            let given = RouteMessage { netmask: Some(ip(mask)), ..add("10.0.0.0/8", 1) };
            let error = scene.tell(RouteMessage { verb, ..given }).unwrap_err();
            assert_eq!((error.kind, error.kind.errno()), (ErrorKind::Invalid, Some("EINVAL")), "{mask}");
        }
    }
    let mixed = RouteMessage { netmask: Some(ip("ffff::")), ..add("10.0.0.0/8", 1) };
    assert_eq!(scene.tell(mixed).unwrap_err().kind, ErrorKind::FamilyMismatch);
    assert_eq!(scene.shown(0), before);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    // holds X24
    #[test]
    fn lk_13_what_was_added_in_any_order_is_listed_sorted_and_gone_when_deleted(
        prefixes in proptest::collection::btree_map(any::<u32>(), 8..=32_u8, 1..200),
    ) {
        let mut scene = scene();
        let empty = scene.shown(0);
        let text = |(address, len): (&u32, &u8)| format!("{}/{len}", std::net::Ipv4Addr::from(*address | 0x0100_0000));
        let given: Vec<_> = prefixes.iter().map(text).filter(|prefix| !prefix.starts_with("169.254")).collect();
        let added: Vec<_> = given.iter().rev().filter_map(|prefix| scene.tell(add(prefix, 1)).ok()).collect();
        let listed = scene.shown(0);
        prop_assert_eq!(listed.len(), empty.len() + added.len());
        let networks: Vec<control_api::Network> = listed.iter().map(|text| text.parse().unwrap()).collect();
        prop_assert!(networks.is_sorted());
        for network in listed.iter().filter(|network| !empty.contains(network)) {
            scene.tell(message(Verb::Delete, network)).unwrap();
        }
        prop_assert_eq!(scene.shown(0), empty);
    }
}

// holds S3.02
#[test]
fn hn_01_a_network_has_a_key_and_a_mask() {
    let mut scene = scene();
    let route = scene.tell(add("10.8.1.0/24", 1)).unwrap();
    assert_eq!(route.dst.to_string(), "10.8.1.0/24");
    assert!(!detail(&route).flags.contains(RouteFlags::HOST));
}

// holds S3.15
#[test]
fn hn_02_a_host_has_no_mask_whatever_is_given() {
    let mut scene = scene();
    let route = scene.tell(add("10.8.1.1/24", 1).flags(RouteFlags::HOST)).unwrap();
    assert_eq!((route.dst.to_string().as_str(), letters(&route).as_str()), ("10.8.1.1/32", "UGH"));
    assert_eq!(scene.takes("10.8.1.2"), None);
}

// holds S3.15, X21
#[test]
fn hn_03_a_host_route_comes_before_the_network_it_is_in() {
    let mut scene = scene();
    scene.tell(add("10.8.1.0/24", 1)).unwrap();
    scene.tell(add("10.8.1.1", 2)).unwrap();
    assert_eq!([scene.takes("10.8.1.1"), scene.takes("10.8.1.2")], [Some(2), Some(1)]);
}

// holds X21, X39
#[test]
fn hn_04_a_mask_of_all_ones_is_a_host() {
    let mut scene = scene();
    let route = scene.tell(add("10.8.1.1/32", 1)).unwrap();
    assert!(detail(&route).flags.contains(RouteFlags::HOST));
    let error = scene.tell(add("10.8.1.1", 1).flags(RouteFlags::HOST)).unwrap_err();
    assert_eq!((error.kind, error.kind.errno()), (ErrorKind::Exists, Some("EEXIST")));
}

// holds X22, X24
#[test]
fn hn_05_a_mask_says_which_of_two_is_deleted() {
    let mut scene = scene();
    scene.tell(add("10.8.1.0/24", 1)).unwrap();
    scene.tell(add("10.8.1.1", 2)).unwrap();
    scene.tell(message(Verb::Delete, "10.8.1.1/24")).unwrap();
    assert_eq!([scene.takes("10.8.1.1"), scene.takes("10.8.1.2")], [Some(2), None]);
}

// holds X23
#[test]
fn hn_06_nobody_s_address_takes_the_place_of_the_default_route() {
    let mut setup = setup();
    setup.ports[1].addresses = "0.0.0.0/32".parse().into_iter().collect();
    let mut scene = Scene::with(setup);
    scene.tell(add("0.0.0.0/0", 1)).unwrap();
    assert_eq!(scene.takes("0.0.0.0"), Some(1));
}

/// A port's network has its route, so neither a person nor a configuration can give it another.
// holds X39, X40
#[test]
fn a_static_route_to_a_port_s_own_network_is_refused_as_in_a_configuration() {
    let mut scene = scene();
    let before = scene.shown(0);
    for prefix in ["192.0.2.0/24", "192.0.2.1/32", "192.0.2.255/32", "2001:db8::/64"] {
        let to = prefix.parse().unwrap();
        for request in [
            Request::RouteAdd { to, target: Target::Blackhole },
            Request::RouteReplace { to, target: Target::Blackhole },
            Request::RouteMessage(message(Verb::Add, prefix).to(Target::Blackhole)),
        ] {
            assert_eq!(scene.ask(request).unwrap_err().kind, ErrorKind::Exists, "{prefix}");
        }
    }
    assert_eq!(scene.shown(0), before);
}

// holds X38
#[test]
fn a_change_of_what_is_not_there_adds_nothing() {
    let mut scene = scene();
    for verb in [Verb::Change, Verb::Lock, Verb::Delete] {
        let error = scene.tell(RouteMessage { verb, ..add("10.0.0.0/8", 1) }).unwrap_err();
        assert_eq!((error.kind, error.kind.errno()), (ErrorKind::NotFound, Some("ESRCH")), "{verb:?}");
    }
    scene.tell(add("10.0.0.0/8", 1)).unwrap();
    assert_eq!(
        scene.tell(message(Verb::Change, "10.0.0.0/8").to(gateway(2, ""))).unwrap().gateway,
        Some(ip("192.0.2.12"))
    );
    assert_eq!(scene.takes("10.1.1.1"), Some(2));
}

#[test]
fn a_flush_takes_what_it_selects_and_leaves_what_is_pinned() {
    let mut scene = scene();
    let before = scene.shown(0);
    scene.tell(add("10.0.0.0/8", 1)).unwrap();
    scene.tell(add("10.1.0.0/16", 1)).unwrap();
    scene.tell(add("10.2.0.0/16", 1).flags(RouteFlags::PINNED)).unwrap();
    scene.tell(add("172.16.0.0/12", 2).fib(7)).unwrap();
    assert_eq!(scene.ask(Request::RouteFlush { filter: RouteFilter::default() }), Ok(Reply::Flushed(2)));
    assert_eq!(scene.shown(7), ["172.16.0.0/12"]);
    scene.tell(message(Verb::Delete, "10.2.0.0/16").flags(RouteFlags::PINNED)).unwrap();
    assert_eq!(scene.shown(0), before);
}
