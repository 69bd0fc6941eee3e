//! What a port does on its link: how it looks for neighbours, and what it tells them.

use control_api::Network;

use super::mistake::Mistake;
use super::read::Section;
use super::value::{self, Value};

/// What a port does on its link.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkSettings {
    /// How it looks for neighbours.
    pub neighbours: NeighbourSettings,
}

/// How a port looks for neighbours: `[port.neighbours]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeighbourSettings {
    /// ARP requests and neighbour solicitations a second, all together (RFC 6583 section 7.2).
    pub resolution_rate: u32,
    /// Most neighbours that are being asked for and have not answered.
    pub max_unresolved: usize,
    /// Most neighbours that are known by what was heard.
    pub max_known: usize,
    /// Most packets that wait for one neighbour.
    pub queue_packets: usize,
    /// Most bytes that wait for one neighbour, unless the newest packet alone is longer.
    pub queue_bytes: usize,
    /// How often it is asked whether somebody else has an IPv6 address of ours before it is used; 0 never asks
    /// (RFC 4862 section 5.4, `DupAddrDetectTransmits`).
    pub duplicate_probes: u8,
    /// Whether ARP requests for hosts behind other ports are answered (RFC 1027).
    pub proxy_arp: bool,
    /// The IPv6 hosts behind other ports for which solicitations are answered (RFC 4861 section 7.2.8).
    pub proxy_nd: Vec<Network>,
}

impl Default for NeighbourSettings {
    fn default() -> Self {
        Self {
            resolution_rate: 1000,
            max_unresolved: 1024,
            max_known: 16_384,
            queue_packets: 8,
            queue_bytes: 16 << 10,
            duplicate_probes: 1,
            proxy_arp: false,
            proxy_nd: Vec::new(),
        }
    }
}

pub(super) fn read_neighbours(section: &mut Section<'_, '_>) -> NeighbourSettings {
    let default = NeighbourSettings::default();
    let mut count = |key, least, most, or: usize| {
        section.optional(key, |value| value::number(value, least..=most, "a number")).map_or(or, |said| *said.get_ref())
    };
    NeighbourSettings {
        max_unresolved: count("max_unresolved", 1, 65_536, default.max_unresolved),
        max_known: count("max_known", 1, 1 << 20, default.max_known),
        queue_packets: count("queue_packets", 1, 1024, default.queue_packets),
        queue_bytes: count("queue_bytes", 68, 1 << 20, default.queue_bytes),
        resolution_rate: section
            .optional("resolution_rate", |value| value::number(value, 1..=1_000_000, "a rate"))
            .map_or(default.resolution_rate, |said| *said.get_ref()),
        duplicate_probes: section
            .optional("duplicate_probes", |value| value::number(value, 0..=10, "a number of probes"))
            .map_or(default.duplicate_probes, |said| *said.get_ref()),
        proxy_arp: section.optional("proxy_arp", value::boolean).is_some_and(|said| *said.get_ref()),
        proxy_nd: section.list("proxy_nd", ipv6_network).into_iter().map(|said| said.into_inner()).collect(),
    }
}

fn ipv6_network(value: &Value<'_>) -> Result<Network, Mistake> {
    match value::network(value)? {
        network @ Network::V6(_) => Ok(network),
        network @ Network::V4(_) => Err(Mistake::new(value.span(), format!("{network} is not IPv6"), "here")
            .help("proxy_nd is for IPv6; for IPv4 write proxy_arp = true")),
    }
}
