//! Whatever ARP and neighbour discovery say, valid, mutated or made up: what they have no say in stays as it is.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use boundary::{NextHop, PuntReason};
use control_api::{Reply, Request, RouteFilter};
use packet::arp::{Arp, Operation};
use packet::ethernet::{EtherType, MacAddr};
use packet::icmpv6::Between;
use packet::ndp::{ALL_NODES, ALL_ROUTERS, Advertisement, RouterSolicitation, Solicitation, solicited_node};
use proptest::prelude::*;

use crate::scene::*;

const FIXED: Host = Host {
    port: LEFT,
    mac: MacAddr([2, 0, 0, 0, 7, 7]),
    v4: Ipv4Addr::new(192, 0, 2, 77),
    v6: Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 0x77),
};

fn any_mac() -> impl Strategy<Value = MacAddr> {
    let known = vec![ALICE.mac, FIXED.mac, BOB.mac, ON_LEFT.mac, MacAddr::BROADCAST, MacAddr::ZERO];
    prop_oneof![proptest::sample::select(known), any::<[u8; 6]>().prop_map(MacAddr)]
}

fn any_v4() -> impl Strategy<Value = Ipv4Addr> {
    let known = vec![
        ALICE.v4,
        FIXED.v4,
        BOB.v4,
        ON_LEFT.v4,
        ON_RIGHT.v4,
        Ipv4Addr::UNSPECIFIED,
        Ipv4Addr::BROADCAST,
        Ipv4Addr::new(192, 0, 2, 255),
        Ipv4Addr::new(192, 0, 2, 0),
        Ipv4Addr::LOCALHOST,
        Ipv4Addr::new(224, 0, 0, 1),
    ];
    prop_oneof![proptest::sample::select(known), any::<u8>().prop_map(|host| Ipv4Addr::new(192, 0, 2, host))]
}

fn any_v6() -> impl Strategy<Value = Ipv6Addr> {
    let known = vec![
        ALICE.v6,
        FIXED.v6,
        BOB.v6,
        ON_LEFT.v6,
        ON_RIGHT.v6,
        ON_LEFT.mac.link_local(),
        ALICE.mac.link_local(),
        Ipv6Addr::UNSPECIFIED,
        Ipv6Addr::LOCALHOST,
        ALL_NODES,
        ALL_ROUTERS,
        solicited_node(ON_LEFT.v6),
        Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 0),
    ];
    prop_oneof![
        proptest::sample::select(known),
        any::<u16>().prop_map(|host| Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, host))
    ]
}

fn any_arp() -> impl Strategy<Value = Vec<u8>> {
    (any::<bool>(), any_mac(), any_v4(), any_mac(), any_v4()).prop_map(
        |(is_request, sender_mac, sender, target_mac, target)| {
            let operation = if is_request { Operation::Request } else { Operation::Reply };
            let mut message = Vec::new();
            Arp { operation, sender_mac, sender, target_mac, target }.append_to(&mut message);
            message
        },
    )
}

fn any_ndp() -> impl Strategy<Value = Vec<u8>> {
    let between = (any_v6(), any_v6()).prop_map(|(source, destination)| Between { source, destination });
    (0..4_u8, between, any_v6(), proptest::option::of(any_mac()), any::<[bool; 3]>(), any::<[u8; 6]>()).prop_map(
        |(kind, between, target, mac, [router, solicited, overrides], nonce)| {
            let mut packet = Vec::new();
            match kind {
                0 => Solicitation { target, source_mac: mac }.append_to(between, &mut packet),
                1 => Solicitation::append_probe(target, nonce, &mut packet),
                2 => RouterSolicitation { source_mac: mac }.append_to(between, &mut packet),
                _ => Advertisement { target, target_mac: mac, router, solicited, overrides }
                    .append_to(between, &mut packet),
            }
            packet
        },
    )
}

/// A message, which station its frame says it is from, and a byte of it that is changed on the way.
fn any_message() -> impl Strategy<Value = (EtherType, Vec<u8>, MacAddr)> {
    let arp = any_arp().prop_map(|message| (EtherType::ARP, message));
    let ndp = any_ndp().prop_map(|message| (EtherType::IPV6, message));
    let damage = proptest::option::weighted(0.3, (any::<prop::sample::Index>(), any::<u8>()));
    (prop_oneof![arp, ndp], damage, any_mac()).prop_map(|((ether_type, mut message), damage, source)| {
        if let Some((at, value)) = damage {
            let at = at.index(message.len());
            message[at] = value;
            // Half of the mutants would be lost on a checksum.
            if ether_type == EtherType::IPV6 && message.len() >= 44 && value.is_multiple_of(2) {
                with_right_sum(&mut message);
            }
        }
        (ether_type, message, source)
    })
}

fn with_right_sum(packet: &mut [u8]) {
    packet[42..44].fill(0);
    let address = |at: usize| Ipv6Addr::from_octets(packet[at..at + 16].try_into().unwrap());
    let len = u32::try_from(packet.len() - 40).unwrap();
    let sum = packet::checksum::Sum::pseudo_ipv6(address(8), address(24), 58, len).bytes(&packet[40..]).checksum();
    packet[42..44].copy_from_slice(&sum.to_be_bytes());
}

/// What no message from the left link has a say in.
fn untouchable(scene: &mut Scene) -> (Reply, Vec<Option<NextHop>>, Vec<Option<MacAddr>>) {
    let routes = scene.ask(Request::RouteShow { filter: RouteFilter::default() }).unwrap();
    let own = [ON_LEFT, ON_RIGHT].into_iter().flat_map(|own| own.addresses());
    let fates = own.map(|address| scene.fate(address)).collect();
    let fixed = FIXED.addresses().into_iter().chain(BOB.addresses());
    let stations = fixed.map(|address| scene.station(address)).collect();
    (routes, fates, stations)
}

proptest! {
    #[test]
    fn what_the_link_says_changes_neither_routes_nor_own_addresses_nor_static_neighbours_nor_other_links(
        messages in proptest::collection::vec(any_message(), 0..80),
        is_started in any::<bool>(),
    ) {
        let mut scene = Scene::knowing(&[ALICE, BOB]);
        for address in FIXED.addresses() {
            let add = Request::NeighAdd { address, dev: "left".to_owned(), lladdr: FIXED.mac };
            scene.ask(add).unwrap();
        }
        if is_started {
            scene.control.announce(scene.now, &mut scene.sent);
        }
        let before = untouchable(&mut scene);
        for (ether_type, message, source) in messages {
            let from = Host { mac: source, ..ALICE };
            let reason = if ether_type == EtherType::ARP { PuntReason::Arp } else { PuntReason::NeighbourDiscovery };
            scene.arrives(LEFT, reason, frame(from, MacAddr::BROADCAST, ether_type, &message));
        }
        scene.pass(SECOND / 100);
        prop_assert_eq!(untouchable(&mut scene), before);
        let Ok(Reply::Neighbours(known)) = scene.ask(Request::NeighShow { dev: Some("left".to_owned()) }) else {
            panic!("it is always answered");
        };
        for one in known {
            prop_assert!(one.lladdr.is_none_or(|mac| !mac.is_multicast() && mac != MacAddr::ZERO), "{:?}", one);
            prop_assert!(is_on_the_left(one.dst), "{:?}", one);
        }
    }
}

fn is_on_the_left(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.octets()[..3] == [192, 0, 2] && !ON_LEFT.addresses().contains(&address.into()),
        IpAddr::V6(address) => address.is_unicast_link_local() || address.segments()[..4] == [0x2001, 0xdb8, 1, 0],
    }
}
