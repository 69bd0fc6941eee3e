//! What a port does on its link: how it looks for neighbours, and what it tells them.

use std::net::{IpAddr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::time::Duration;

use control_api::Network;
use lpm::Prefix;
use packet::ndp::{MAX_PREFIXES, MAX_RESOLVERS, Preference};

use super::mistake::Mistake;
use super::read::Section;
use super::value::{self, Value};

/// What a port does on its link.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkSettings {
    /// How it looks for neighbours.
    pub neighbours: NeighbourSettings,
    /// What it tells hosts as a router, if anything.
    pub advertisements: Option<AdvertisementSettings>,
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

/// What a port tells hosts as a router: `[port.router_advertisements]` (RFC 4861 section 6.2.1). Without that table it
/// tells them nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdvertisementSettings {
    /// Least time between two advertisements that nobody asked for.
    pub min_interval: Duration,
    /// Most time between them.
    pub max_interval: Duration,
    /// For how many seconds this is a default router; 0 says that it is none.
    pub lifetime_seconds: u16,
    /// The hop limit hosts are to use; 0 leaves it to them.
    pub hop_limit: u8,
    /// Addresses are given out by DHCPv6.
    pub managed: bool,
    /// Other configuration is.
    pub other: bool,
    /// Whether hosts are to prefer this router (RFC 4191).
    pub preference: Preference,
    /// For how long hosts are to take an answer for good; 0 leaves it to them.
    pub reachable_ms: u32,
    /// How long they are to wait between two questions; 0 leaves it to them.
    pub retransmit_ms: u32,
    /// The networks on the link; if the file names none, the port's own.
    pub prefixes: Vec<AdvertisedPrefix>,
    /// Resolvers of names (RFC 8106).
    pub resolvers: Vec<Ipv6Addr>,
}

/// A network that a port tells hosts of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdvertisedPrefix {
    /// The network.
    pub prefix: Prefix<Ipv6Addr>,
    /// Its hosts are on the link.
    pub on_link: bool,
    /// Hosts may make addresses of their own in it (RFC 4862), which takes a /64.
    pub autonomous: bool,
    /// For how many seconds that is so.
    pub valid_seconds: u32,
    /// For how many seconds such addresses are good for new connections.
    pub preferred_seconds: u32,
}

impl Default for AdvertisementSettings {
    fn default() -> Self {
        Self {
            min_interval: Duration::from_secs(200),
            max_interval: Duration::from_secs(600),
            lifetime_seconds: 1800,
            hop_limit: 64,
            managed: false,
            other: false,
            preference: Preference::Medium,
            reachable_ms: 0,
            retransmit_ms: 0,
            prefixes: Vec::new(),
            resolvers: Vec::new(),
        }
    }
}

impl AdvertisedPrefix {
    /// What is said of a network if nobody says otherwise: 30 days, and 7 for new connections.
    fn of(prefix: Prefix<Ipv6Addr>) -> Self {
        Self {
            prefix,
            on_link: true,
            autonomous: prefix.len() == 64,
            valid_seconds: 2_592_000,
            preferred_seconds: 604_800,
        }
    }

    /// The same, if it is an IPv6 network.
    pub(super) fn of_network(network: Network) -> Option<Self> {
        match network {
            Network::V6(prefix) => Some(Self::of(prefix)),
            Network::V4(_) => None,
        }
    }
}

pub(super) fn read_advertisements(section: &mut Section<'_, '_>) -> AdvertisementSettings {
    let seconds = |section: &mut Section<'_, '_>, key, range: RangeInclusive<u16>| {
        section.optional(key, |value| value::number(value, range, "a number of seconds"))
    };
    let longest = seconds(section, "max_interval_seconds", 4..=1800);
    let max = longest.as_ref().map_or(600, |said| *said.get_ref());
    let shortest = seconds(section, "min_interval_seconds", 3..=1350);
    let min = shortest.as_ref().map_or_else(|| (max / 3).max(3), |said| *said.get_ref());
    if let Some(said) = shortest.filter(|_said| u32::from(min) * 4 > u32::from(max) * 3) {
        let message = format!("{min} s is more than three quarters of the longest interval, {max} s");
        let help = format!("write {} or less", max / 4 * 3);
        section.blame(Mistake::new(said.span(), message, "too long").help(help));
    }
    let lifetime = seconds(section, "lifetime_seconds", 0..=9000);
    let lifetime_seconds = lifetime.as_ref().map_or_else(|| (3 * max).min(9000), |said| *said.get_ref());
    if let Some(said) = lifetime.filter(|_said| lifetime_seconds != 0 && lifetime_seconds < max) {
        let message = format!("{lifetime_seconds} s are over before the next advertisement, {max} s later");
        section.blame(Mistake::new(said.span(), message, "too short").help("write 0, or the longest interval or more"));
    }
    let mut millis = |key| {
        let said = section.optional(key, |value| value::number(value, 0..=3_600_000, "a number of milliseconds"));
        said.map_or(0, |said| *said.get_ref())
    };
    let (reachable_ms, retransmit_ms) = (millis("reachable_ms"), millis("retransmit_ms"));
    let default = AdvertisementSettings::default();
    let hop_limit = section.optional("hop_limit", |value| value::number(value, 0..=255, "a hop limit"));
    let mut flag = |key| section.optional(key, value::boolean).is_some_and(|said| *said.get_ref());
    let (managed, other) = (flag("managed"), flag("other"));
    AdvertisementSettings {
        min_interval: Duration::from_secs(min.into()),
        max_interval: Duration::from_secs(max.into()),
        lifetime_seconds,
        hop_limit: hop_limit.map_or(default.hop_limit, |said| *said.get_ref()),
        managed,
        other,
        preference: section.optional("preference", preference).map_or(default.preference, |said| *said.get_ref()),
        reachable_ms,
        retransmit_ms,
        prefixes: at_most(section.tables("prefix", read_prefix), MAX_PREFIXES, section),
        resolvers: section
            .list("resolvers", ipv6_address)
            .into_iter()
            .map(|said| said.into_inner())
            .take(MAX_RESOLVERS.into())
            .collect(),
    }
}

fn at_most(
    prefixes: Vec<Option<AdvertisedPrefix>>,
    most: usize,
    section: &mut Section<'_, '_>,
) -> Vec<AdvertisedPrefix> {
    if prefixes.len() > most {
        let message = format!("there is room for {most} prefixes in an advertisement, not for {}", prefixes.len());
        section.blame(Mistake::new(section.place(), message, "in here"));
    }
    prefixes.into_iter().flatten().collect()
}

fn read_prefix(section: &mut Section<'_, '_>) -> Option<AdvertisedPrefix> {
    let network = section.required("prefix", "prefix = \"2001:db8:1::/64\"", ipv6_network);
    let mut flag = |key| section.optional(key, value::boolean);
    let (on_link, autonomous) = (flag("on_link"), flag("autonomous"));
    let mut seconds = |key, or: u32| {
        let said = section.optional(key, |value| value::number(value, 0..=u32::MAX, "a number of seconds"));
        said.map_or(or, |said| *said.get_ref())
    };
    let (valid_seconds, preferred_seconds) =
        (seconds("valid_seconds", 2_592_000), seconds("preferred_seconds", 604_800));
    let network = network?;
    let Network::V6(prefix) = *network.get_ref() else { return None };
    if let Some(said) = autonomous.as_ref().filter(|said| *said.get_ref() && prefix.len() != 64) {
        let mistake =
            Mistake::new(said.span(), format!("hosts make themselves addresses in a /64, not in {prefix}"), "here");
        section.blame(mistake.also(network.span(), "this prefix").help("write autonomous = false"));
    }
    if preferred_seconds > valid_seconds {
        let message =
            format!("addresses would be preferred for {preferred_seconds} s, and valid for {valid_seconds} s");
        section.blame(
            Mistake::new(network.span(), message, "in this prefix")
                .help("write preferred_seconds no longer than valid_seconds"),
        );
    }
    let default = AdvertisedPrefix::of(prefix);
    Some(AdvertisedPrefix {
        on_link: on_link.map_or(default.on_link, |said| *said.get_ref()),
        autonomous: autonomous.map_or(default.autonomous, |said| *said.get_ref()),
        valid_seconds,
        preferred_seconds,
        ..default
    })
}

fn preference(value: &Value<'_>) -> Result<Preference, Mistake> {
    match value::word(value)?.as_str() {
        "low" => Ok(Preference::Low),
        "medium" => Ok(Preference::Medium),
        "high" => Ok(Preference::High),
        other => Err(Mistake::new(value.span(), format!("`{other}` is no preference"), "here")
            .help("write \"low\", \"medium\" or \"high\"")),
    }
}

fn ipv6_address(value: &Value<'_>) -> Result<Ipv6Addr, Mistake> {
    match value::parsed_address(value)? {
        IpAddr::V6(address) => Ok(address),
        IpAddr::V4(address) => Err(Mistake::new(value.span(), format!("{address} is not IPv6"), "here")),
    }
}
