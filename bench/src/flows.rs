//! Who talks to whom: by a pattern, towards routes, or as in a capture.
//!
//! The hosts of a pattern live in the networks set aside for load ([`crate::isolation`]), half of them on each side:
//!
//! | | left | right |
//! |---|---|---|
//! | the router's link | 198.18.0.0/24, 2001:2:0:a::/64 | 198.19.0.0/24, 2001:2:0:b::/64 |
//! | the router on it | `.1`, `::1` | `.1`, `::1` |
//! | the host that is the gateway | `.2`, `::2` | `.2`, `::2` |
//! | networks behind the gateway | 198.18.0.0/16, 2001:2:0:1::/64 | 198.19.0.0/16, 2001:2:0:2::/64 |

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use lpm::{Address, Prefix};
use packet::ethernet::{EtherType, Header, MacAddr};
use packet::ipv4::Ipv4;
use packet::ipv6::Ipv6;
use pcaps::Capture;

use crate::host::Station;
use crate::plan::Flow;
use crate::prefixes::Prefixes;

/// Flows, and the order in which their packets follow each other: places in `flows`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flows {
    /// Each once.
    pub flows: Vec<Flow>,
    /// Again and again.
    pub order: Vec<u32>,
}

/// Which families a pattern has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Families {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
    /// By turns.
    Both,
}

impl Flows {
    /// `count` flows from hosts on the left to hosts on the right, one packet of each in turn.
    #[must_use]
    pub fn pattern(count: u32, families: Families) -> Self {
        Self::in_turn((0..count).map(|number| between(number, None, families)).collect())
    }

    /// One flow from the left into each route of a file, one packet of each in turn, in an order that has nothing to do
    /// with that of the routes; `most` of them at most.
    #[must_use]
    pub fn into_routes(routes: &Prefixes, families: Families, most: usize) -> Self {
        let v4 = routes.v4.iter().map(|prefix| IpAddr::from(inside(*prefix)));
        let v6 = routes.v6.iter().map(|prefix| IpAddr::from(inside(*prefix)));
        let mut destinations: Vec<IpAddr> = match families {
            Families::Ipv4 => v4.collect(),
            Families::Ipv6 => v6.collect(),
            Families::Both => v4.chain(v6).collect(),
        };
        destinations.sort_by_cached_key(|destination| scattered(&destination.to_string()));
        destinations.truncate(most);
        Self::in_turn((0..).zip(destinations).map(|(number, to)| between(number, Some(to), families)).collect())
    }

    /// The flows of a capture's IP packets over Ethernet, in its own order: who says more there says more here.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or has no such packet.
    pub fn of_capture(path: &Path) -> Result<Self, String> {
        let mut capture = Capture::open(path).map_err(|error| error.to_string())?;
        let (mut found, mut places) = (Self::default(), HashMap::new());
        while let Some(packet) = capture.next_packet().map_err(|error| error.to_string())? {
            if packet.link_type != pcaps::LinkType::ETHERNET {
                continue;
            }
            let Some(flow) = flow_of(packet.bytes) else { continue };
            let place = *places.entry(flow).or_insert_with(|| {
                found.flows.push(flow);
                found.flows.len() - 1
            });
            found.order.push(u32::try_from(place).map_err(|_| "more flows than fit 32 bits".to_owned())?);
        }
        if found.flows.is_empty() {
            return Err(format!("{} has no IP packet over Ethernet, so there is nothing to send", path.display()));
        }
        Ok(found)
    }

    /// The same the other way: each answers.
    #[must_use]
    pub fn reversed(&self) -> Self {
        let back = |flow: &Flow| Flow {
            source: flow.destination,
            destination: flow.source,
            source_port: flow.destination_port,
            destination_port: flow.source_port,
        };
        Self { flows: self.flows.iter().map(back).collect(), order: self.order.clone() }
    }

    /// All addresses they go from and to.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.flows.iter().flat_map(|flow| [flow.source, flow.destination])
    }

    fn in_turn(flows: Vec<Flow>) -> Self {
        let order = (0..).take(flows.len()).collect();
        Self { flows, order }
    }
}

/// The gateways of the pattern on both sides; a card brings its own address.
pub const STATIONS: [Station; 2] = [
    Station {
        mac: MacAddr([2, 0, 0, 0, 1, 2]),
        v4: Ipv4Addr::new(198, 18, 0, 2),
        v6: Ipv6Addr::new(0x2001, 2, 0, 0xa, 0, 0, 0, 2),
        via: Ipv4Addr::new(198, 18, 0, 1),
    },
    Station {
        mac: MacAddr([2, 0, 0, 0, 2, 2]),
        v4: Ipv4Addr::new(198, 19, 0, 2),
        v6: Ipv6Addr::new(0x2001, 2, 0, 0xb, 0, 0, 0, 2),
        via: Ipv4Addr::new(198, 19, 0, 1),
    },
];

/// The `number`-th flow, to its host on the right or to somebody else.
fn between(number: u32, to: Option<IpAddr>, families: Families) -> Flow {
    let is_ipv4 = match (to, families) {
        (Some(to), _) => to.is_ipv4(),
        (None, Families::Ipv4) => true,
        (None, Families::Ipv6) => false,
        (None, Families::Both) => number.is_multiple_of(2),
    };
    // The first 256 addresses are those of the links.
    let host = 256 + number % HOSTS;
    let v4 = |network: [u8; 2]| {
        let network = u32::from(Ipv4Addr::new(network[0], network[1], 0, 0));
        IpAddr::from(Ipv4Addr::from(network | host))
    };
    let v6 = |subnet: u16| {
        let network = u128::from(Ipv6Addr::new(0x2001, 2, 0, subnet, 0, 0, 0, 0));
        IpAddr::from(Ipv6Addr::from(network | u128::from(host)))
    };
    let source = if is_ipv4 { v4([198, 18]) } else { v6(1) };
    let destination = to.unwrap_or_else(|| if is_ipv4 { v4([198, 19]) } else { v6(2) });
    // More flows than hosts differ by their port.
    let source_port = 1024 + u16::try_from(number / HOSTS % 64_000).expect("less than 64,000");
    Flow { source, destination, source_port, destination_port: DISCARD }
}

/// An address in a prefix, the same each time and neither its first nor its last where it has others.
fn inside<A: Address>(prefix: Prefix<A>) -> A {
    let size = prefix.last().to_number() - prefix.address().to_number();
    let offset = if size < 2 { 0 } else { 1 + u128::from(scattered(&prefix.to_string())) % (size - 1) };
    A::from_number(prefix.address().to_number() + offset)
}

/// A number that has nothing to do with the order of texts (FNV-1a).
fn scattered(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Who talks to whom in a frame, if it is an IP packet; ports are those of its first four bytes, as TCP and UDP have them.
fn flow_of(frame: &[u8]) -> Option<Flow> {
    let (header, packet) = Header::parse(frame)?;
    let (source, destination, payload): (IpAddr, IpAddr, _) = match header.ether_type {
        EtherType::IPV4 => {
            let packet = Ipv4::parse(packet).ok()?;
            (packet.source().into(), packet.destination().into(), packet.payload())
        }
        EtherType::IPV6 => {
            let packet = Ipv6::parse(packet).ok()?;
            (packet.source().into(), packet.destination().into(), packet.payload())
        }
        _ => return None,
    };
    let port = |at: usize| payload.get(at..at + 2).map_or(0, |port| u16::from_be_bytes([port[0], port[1]]));
    Some(Flow { source, destination, source_port: port(0), destination_port: port(2) })
}

/// Hosts on each side.
const HOSTS: u32 = 65_000;

/// Where nobody answers (RFC 863).
const DISCARD: u16 = 9;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::isolation::permit;

    #[test]
    fn rfc_178_every_address_of_a_pattern_is_set_aside_for_load() {
        for families in [Families::Ipv4, Families::Ipv6, Families::Both] {
            let flows = Flows::pattern(200_000, families);
            assert_eq!(flows.flows.iter().collect::<HashSet<_>>().len(), 200_000, "each flow once");
            assert!(flows.addresses().all(|address| permit(address, false).is_ok()));
            assert!(flows.reversed().addresses().all(|address| permit(address, false).is_ok()));
        }
        for station in STATIONS {
            assert!(
                [station.v4.into(), station.v6.into(), station.via.into()].iter().all(|a| permit(*a, false).is_ok())
            );
        }
    }

    #[test]
    fn each_route_gets_a_flow_to_an_address_in_it() {
        let mut routes = Prefixes::default();
        for prefix in ["10.0.0.0/8", "192.0.2.0/31", "192.0.2.7/32", "203.0.113.0/24"] {
            routes.v4.insert(prefix.parse().unwrap());
        }
        let flows = Flows::into_routes(&routes, Families::Both, 10);
        assert_eq!(flows.flows.len(), 4);
        for prefix in &routes.v4 {
            let reached = |flow: &Flow| matches!(flow.destination, IpAddr::V4(to) if prefix.contains(to));
            assert_eq!(flows.flows.iter().filter(|flow| reached(flow)).count(), 1, "{prefix}");
        }
        assert_eq!(Flows::into_routes(&routes, Families::Both, 2).flows.len(), 2);
        assert_eq!(Flows::into_routes(&routes, Families::Ipv6, 2).flows.len(), 0);
    }

    #[test]
    fn a_capture_gives_its_flows_in_its_own_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.pcap");
        let mut writer = pcaps::CaptureWriter::create(&path).unwrap();
        let stations = crate::plan::Stations { source: MacAddr::ZERO, destination: MacAddr::ZERO };
        let pattern = Flows::pattern(2, Families::Ipv4);
        let plan = crate::plan::Plan::new(&pattern.flows, vec![1, 0, 1], &[60], stations).unwrap();
        for number in 0..3 {
            let mut frame = [0; crate::plan::Plan::LONGEST];
            let len = plan.write(crate::stamp::Stamp { stream: 0, trial: 0, number, cycles: 0 }, &mut frame);
            writer.write(std::time::Duration::ZERO, 0, &frame[..len]).unwrap();
        }
        writer.finish().unwrap();
        let flows = Flows::of_capture(&path).unwrap();
        assert_eq!(flows, Flows { flows: vec![pattern.flows[1], pattern.flows[0]], order: vec![0, 1, 0] });
    }

    #[test]
    fn answers_go_where_questions_came_from() {
        let flows = Flows::pattern(3, Families::Both);
        assert_eq!(flows.reversed().reversed(), flows);
        assert_eq!(flows.reversed().flows[0].destination, flows.flows[0].source);
    }
}
