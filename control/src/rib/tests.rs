//! One table: which routes and hosts make entries, also beside the plain meaning.

use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;

/// Where a route leads, and by which next hop.
#[derive(Clone, Copy)]
struct Route {
    way: Way,
    next_hop: NextHopId,
}

impl<A: Address> Table<A>
where
    Network: From<Prefix<A>>,
{
    fn insert(&mut self, prefix: Prefix<A>, protocol: Protocol, route: Route) {
        self.set(prefix, protocol, Facts::of(route.way, prefix.into(), protocol), route.next_hop);
    }

    fn clear(&mut self, prefix: Prefix<A>, protocol: Protocol) {
        let entry = Arc::clone(self.paths(prefix, protocol).unwrap().first());
        assert!(self.remove(prefix, &entry).is_some());
    }
}

const LINK: Route = Route { way: Way::Link(PortId(0)), next_hop: NextHopId::new(1) };
const HOST: NextHopId = NextHopId::new(2);
const BLACKHOLE: Route = Route { way: Way::Blackhole, next_hop: NextHopId::new(3) };

fn prefix(text: &str) -> Prefix<Ipv4Addr> {
    text.parse().unwrap()
}

fn address(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

fn connected() -> Table<Ipv4Addr> {
    let mut table = Table::default();
    table.insert(prefix("192.0.2.0/24"), Protocol::Connected, LINK);
    table
}

#[test]
fn a_known_host_has_an_entry_of_its_own_and_loses_it() {
    let mut table = connected();
    table.host_found(address("192.0.2.7"), PortId(0), HOST);
    let fib = table.forwarding();
    assert_eq!(fib.lookup(address("192.0.2.7")), Some(HOST));
    assert_eq!(fib.lookup(address("192.0.2.8")), Some(LINK.next_hop));
    assert_eq!(table.host_lost(address("192.0.2.7"), PortId(0)), Some(HOST));
    assert_eq!(table.forwarding().lookup(address("192.0.2.7")), Some(LINK.next_hop));
}

#[test]
fn a_route_right_at_a_host_or_around_it_wins_over_the_host() {
    for above in ["192.0.2.7/32", "192.0.2.0/28"] {
        let mut table = connected();
        table.host_found(address("192.0.2.7"), PortId(0), HOST);
        table.insert(prefix(above), Protocol::Static, BLACKHOLE);
        assert_eq!(table.forwarding().lookup(address("192.0.2.7")), Some(BLACKHOLE.next_hop), "{above}");
        table.clear(prefix(above), Protocol::Static);
        assert_eq!(table.forwarding().lookup(address("192.0.2.7")), Some(HOST), "{above}, removed again");
    }
}

#[test]
fn a_host_behind_a_port_the_routes_do_not_lead_to_is_left_out() {
    let mut table = connected();
    table.host_found(address("192.0.2.7"), PortId(1), HOST);
    assert_eq!(table.forwarding().lookup(address("192.0.2.7")), Some(LINK.next_hop));
}

#[test]
fn of_two_routes_to_one_network_the_preferred_protocol_s_counts() {
    let mut table = connected();
    table.insert(prefix("192.0.2.0/24"), Protocol::Static, BLACKHOLE);
    assert_eq!(table.forwarding().lookup(address("192.0.2.7")), Some(LINK.next_hop));
    table.clear(prefix("192.0.2.0/24"), Protocol::Connected);
    assert_eq!(table.forwarding().lookup(address("192.0.2.7")), Some(BLACKHOLE.next_hop));
}

fn any_prefix<A: Address>() -> impl Strategy<Value = Prefix<A>> {
    // Few distinct bits, so that prefixes nest and collide.
    (0..64_u128, 0..=A::BITS).prop_map(|(number, len)| {
        let spread = (number >> 3 << (A::BITS - 3)) | (number & 7);
        Prefix::containing(A::from_number(spread), len)
    })
}

fn agrees<A: Address>(prefixes: &[Prefix<A>], probes: &[Prefix<A>]) -> Result<(), TestCaseError>
where
    Network: From<Prefix<A>>,
{
    let mut table = Table::default();
    for prefix in prefixes {
        table.insert(*prefix, Protocol::Static, BLACKHOLE);
    }
    for probe in probes.iter().flat_map(|probe| [probe.address(), probe.last()]) {
        let scan = prefixes.iter().filter(|prefix| prefix.contains(probe)).max_by_key(|prefix| prefix.len());
        prop_assert_eq!(table.longest_match(probe).map(|(prefix, ..)| prefix), scan.copied());
    }
    Ok(())
}

proptest! {
    #[test]
    fn the_longest_match_is_what_a_scan_of_all_routes_finds(
        v4 in proptest::collection::vec(any_prefix::<Ipv4Addr>(), 0..30),
        v6 in proptest::collection::vec(any_prefix::<Ipv6Addr>(), 0..30),
        probes4 in proptest::collection::vec(any_prefix(), 20),
        probes6 in proptest::collection::vec(any_prefix(), 20),
    ) {
        agrees(&v4, &probes4)?;
        agrees(&v6, &probes6)?;
    }
}
