//! What ferryd answers.

use std::collections::BTreeMap;
use std::net::IpAddr;

use packet::ethernet::MacAddr;
use serde::{Deserialize, Serialize};

use crate::configuration::ConfigChanges;
use crate::daemon::{Fpm, Speaker};
use crate::event::Told;
use crate::flags::RouteFlags;
use crate::interface_address::InterfaceAddress;
use crate::metrics::RouteMetrics;
use crate::network::Network;
use crate::queue::{PortRss, QueuePlace};
use crate::text;
use crate::timer::TimerQueue;

/// The answer to a [`crate::Request`] that was not refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// It is done, and the workers forward by it from their next turn on.
    Done,
    /// The routes asked for, in the order of their networks, IPv4 first.
    Routes(Vec<Route>),
    /// The route a destination takes.
    Route(Route),
    /// So many routes were removed.
    Flushed(usize),
    /// What became of a batch.
    Batch(Batch),
    /// The neighbours, in the order of their ports and addresses.
    Neighbours(Vec<Neighbour>),
    /// The ports, in the order of the configuration.
    Ports(Vec<Port>),
    /// The ports that have receive queues, in the order of the configuration.
    PortRss(Vec<PortRss>),
    /// The receive queues of all ports, in the order of the configuration.
    QueueMap(Vec<QueuePlace>),
    /// The queues of timers, in the order of their names.
    Timers(Vec<TimerQueue>),
    /// So many timers were taken off their queues.
    TimersCleared(usize),
    /// What was counted, and how the process is.
    Stats(Stats),
    /// Every reason once, in the order of the checks that give it.
    Drops(Vec<Drop>),
    /// How the session with the routing daemon is.
    Fpm(Fpm),
    /// What another configuration changes.
    Config(ConfigChanges),
    /// Something happened; the answer to no request, but to having asked to follow.
    Event(Told),
    /// Who is there.
    Version(Version),
}

/// What became of a batch of changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// So many were done.
    pub done: usize,
    /// The others, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<Refused>,
}

/// A change of a batch that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Which: its place in the batch, counted from 0.
    pub place: usize,
    /// Why.
    pub error: crate::error::ApiError,
}

/// A route, as `ip -j route` shows one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Which destinations.
    pub dst: Network,
    /// What happens to them.
    #[serde(rename = "type")]
    pub kind: RouteKind,
    /// The neighbour they are sent to, if not to the destinations themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<IpAddr>,
    /// The port they leave through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dev: Option<String>,
    /// Who put it there.
    pub protocol: Protocol,
    /// Whether the gateway's MAC address is known; absent without a gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_hop: Option<NextHopState>,
    /// What its entry says beyond that; absent from a ferryd that does not tell.
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<RouteDetail>,
}

/// What the entry of a route says, in the words of `route(4)`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteDetail {
    /// The table it is in.
    pub fib: u16,
    /// Its flags.
    pub flags: RouteFlags,
    /// The address of ours that packets by it are sent from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ifa: Option<IpAddr>,
    /// What it is worth beside another to the same network: the lowest counts.
    pub priority: u8,
    /// Its metrics, and which of them are locked.
    #[serde(default, skip_serializing_if = "text::is_default")]
    pub metrics: RouteMetrics,
    /// Packets that workers have sent by it (`rmx_pksent`); absent unless they are counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pksent: Option<u64>,
}

impl RouteDetail {
    /// Whether its priority is not what routes of its kind have by themselves.
    pub fn is_prioritised(&self) -> bool {
        self.flags.contains(RouteFlags::STATIC) && self.priority != crate::message::RouteMessage::STATIC_PRIORITY
    }
}

/// What happens to a route's destinations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RouteKind {
    /// They are forwarded.
    Unicast,
    /// They are ours.
    Local,
    /// They are dropped in silence.
    Blackhole,
    /// They are dropped, and the sender is told.
    Unreachable,
    /// They are dropped, and the sender is told that somebody wants it so.
    Prohibit,
}

impl RouteKind {
    /// The word for it in `ip(8)`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unicast => "unicast",
            Self::Local => "local",
            Self::Blackhole => "blackhole",
            Self::Unreachable => "unreachable",
            Self::Prohibit => "prohibit",
        }
    }
}

/// Who put a route there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// A person, in the configuration or through the API.
    Static,
    /// A port's address: the network on its link.
    Connected,
    /// A port's address: the address itself.
    Local,
    /// A template, when somebody wanted to go there.
    Cloned,
    /// A redirect, or the discovery of a path's MTU.
    Dynamic,
    /// A routing daemon, by a protocol of its.
    #[serde(untagged)]
    Daemon(Speaker),
}

impl Protocol {
    /// Its name wherever it is shown.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Static => "static",
            Self::Connected => "connected",
            Self::Local => "local",
            Self::Cloned => "cloned",
            Self::Dynamic => "dynamic",
            Self::Daemon(speaker) => speaker.name(),
        }
    }
}

/// Whether packets can leave for a next hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NextHopState {
    /// Its MAC address is known.
    Resolved,
    /// It is not.
    Unresolved,
}

impl NextHopState {
    /// Its name wherever it is shown.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Resolved => "resolved",
            Self::Unresolved => "unresolved",
        }
    }
}

/// A neighbour, as `ip -j neigh` shows one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Neighbour {
    /// Its address.
    pub dst: IpAddr,
    /// The port it is behind.
    pub dev: String,
    /// Its MAC address, if known.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "text::optional")]
    pub lladdr: Option<MacAddr>,
    /// What is known of it.
    #[serde(with = "text::listed")]
    pub state: NeighbourState,
    /// How long ago that was last confirmed, in seconds; absent if nobody has to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_seconds: Option<u64>,
    /// Whether it says of itself that it is a router.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub router: bool,
}

/// What is known of a neighbour (RFC 4861 section 7.3.2, in the words of `ip(8)`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum NeighbourState {
    /// It was asked for and has not answered.
    Incomplete,
    /// It answered not long ago.
    Reachable,
    /// It answered long ago, or said itself where it is.
    Stale,
    /// The same, and we sent to it since.
    Delay,
    /// It is being asked whether it is still there.
    Probe,
    /// A person says so, in the configuration or through the API.
    Permanent,
    /// It never answered.
    Failed,
}

impl NeighbourState {
    /// The word for it in `ip(8)`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Incomplete => "INCOMPLETE",
            Self::Reachable => "REACHABLE",
            Self::Stale => "STALE",
            Self::Delay => "DELAY",
            Self::Probe => "PROBE",
            Self::Permanent => "PERMANENT",
            Self::Failed => "FAILED",
        }
    }
}

/// A port, close to what `ip -j -s link` and `ip -j addr` show of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// Its name in the configuration.
    pub ifname: String,
    /// The device under it, as DPDK is told; or which VLAN it is, on which port.
    pub device: String,
    /// The VLAN it is; absent for a port with a device of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vlan: Option<PortVlan>,
    /// The interface of the kernel on it; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tap: Option<PortTap>,
    /// The driver DPDK found for it.
    pub driver: String,
    /// Its MAC address.
    #[serde(with = "text")]
    pub address: MacAddr,
    /// The longest packet it carries, in bytes.
    pub mtu: u16,
    /// Whether there is a link.
    pub operstate: Link,
    /// Whether a person has taken it down, or the port whose device it is on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub admin_down: bool,
    /// Its IP addresses.
    pub addresses: Vec<InterfaceAddress>,
    /// Those of them, and of its link-local ones, that are not used, because another host may have them or has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unused: Vec<UnusedAddress>,
    /// What came in through it.
    pub rx: Traffic,
    /// What left through it.
    pub tx: Traffic,
    /// What the device itself counts; absent where it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hardware: Option<Hardware>,
}

/// An interface of the kernel on a port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortTap {
    /// Its name.
    pub ifname: String,
    /// The namespace it is in, if not ferryd's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub netns: Option<String>,
    /// What crossed.
    #[serde(flatten)]
    pub counts: TapCounts,
}

/// Frames between a port and the kernel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TapCounts {
    /// Given to the kernel.
    pub to_kernel: u64,
    /// Sent by the kernel, and passed on.
    pub from_kernel: u64,
    /// For the kernel, which took no more.
    pub lost: u64,
    /// Sent by the kernel and not passed on: from another station than the port's, or too long for its link.
    pub refused: u64,
}

/// A VLAN on a port's link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortVlan {
    /// The port with the device.
    pub link: String,
    /// The kind of the first tag on the wire: `802.1Q` or `802.1ad`.
    pub protocol: String,
    /// Its number.
    pub id: u16,
    /// The number of the provider's tag around it, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outer_id: Option<u16>,
}

/// An address of a port that is not used (RFC 4862 section 5.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnusedAddress {
    /// The address.
    pub address: IpAddr,
    /// Whether another host has it; otherwise that is being asked.
    pub duplicate: bool,
}

/// Whether there is a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Link {
    /// There is.
    Up,
    /// There is none.
    Down,
    /// The device does not tell.
    Unknown,
}

impl Link {
    /// The word for it in `ip(8)`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Up => "UP",
            Self::Down => "DOWN",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// Packets and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// How many.
    pub packets: u64,
    /// Their bytes, Ethernet header first, without the check sequence.
    pub bytes: u64,
}

/// What a device counts of frames that no worker ever saw.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hardware {
    /// Frames it had no room for: workers too slow, or too few descriptors.
    pub missed: u64,
    /// Frames it received broken.
    pub errors: u64,
    /// Frames it had no buffer for: too little memory.
    pub no_buffer: u64,
}

/// What was counted, and how the process is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Seconds since it started.
    pub uptime_seconds: u64,
    /// How many times the forwarding state was published.
    pub generation: u64,
    /// Forwarding states in memory: the current one, and those a worker has not let go of.
    pub live_snapshots: usize,
    /// Routes in the tables.
    pub routes: RouteCounts,
    /// Entries of routes, in all tables; absent from a ferryd that does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entries: Option<EntryCounts>,
    /// What became of lookups and redirects (`rtstat`); absent from a ferryd that does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtstat: Option<RouteStat>,
    /// Who follows what happens, and what they were told; absent from a ferryd that does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<EventCounts>,
    /// What the control thread did with the packets that workers left to it, and others it sent; absent from a ferryd that
    /// does not tell.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub control: BTreeMap<String, u64>,
    /// All workers added up.
    pub total: Counts,
    /// Each of them.
    pub workers: Vec<WorkerStats>,
}

/// Routes in the tables.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteCounts {
    /// To IPv4 networks.
    pub ipv4: usize,
    /// To IPv6 networks.
    pub ipv6: usize,
}

/// Entries of routes, and who holds them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryCounts {
    /// Tables there are: the main one, and each that ever had a route.
    pub tables: usize,
    /// Entries in them.
    pub live: usize,
    /// Entries that have left, and are kept for those who hold them and for workers that have not moved on.
    pub trash: usize,
    /// References held to either outside the tables.
    pub references: u64,
    /// Those of them that are held for gateways: one for all routes by the same.
    #[serde(default)]
    pub gateways: usize,
    /// Entries whose packets are counted.
    #[serde(default)]
    pub counted: usize,
}

/// What became of lookups and redirects, by the kernels' names (`struct rtstat`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteStat {
    /// Redirects that were refused (`rts_badredirect`).
    pub badredirect: u64,
    /// Routes that redirects made (`rts_dynamic`).
    pub dynamic: u64,
    /// Routes that redirects gave another gateway (`rts_newgateway`).
    pub newgateway: u64,
    /// Lookups of the control plane that found nothing (`rts_unreach`).
    pub unreach: u64,
    /// Lookups of the control plane that found the default route (`rts_wildcard`).
    pub wildcard: u64,
}

/// Who follows what happens to routes, addresses and links.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventCounts {
    /// How many do.
    pub subscribers: usize,
    /// Events that were made to be told: none while nobody follows.
    pub built: u64,
    /// Events that somebody was not told, because he did not read those before.
    pub lost: u64,
}

/// What a worker counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerStats {
    /// The core it polls on.
    pub core: usize,
    /// Turns it has taken: a number that stands still is a worker that does.
    pub turns: u64,
    /// Those of them in which nothing came in.
    #[serde(default)]
    pub idle_turns: u64,
    /// How often it slept after such turns.
    #[serde(default)]
    pub sleeps: u64,
    /// How long it slept in all, in microseconds.
    #[serde(default)]
    pub slept_micros: u64,
    /// Its packets.
    #[serde(flatten)]
    pub counts: Counts,
}

/// What became of packets. `received` is the sum of `transmitted`, all of `punted` and all of `dropped`, always.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Packets that came in.
    pub received: u64,
    /// Those that were forwarded.
    pub transmitted: u64,
    /// Those the control thread decided, by reason.
    pub punted: BTreeMap<String, u64>,
    /// Those that went no further, by reason.
    pub dropped: BTreeMap<String, u64>,
    /// Packets of our own that left.
    pub originated: u64,
    /// Packets of our own that could not leave.
    pub originated_lost: u64,
}

/// Packets dropped for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drop {
    /// The reason's name, the same wherever it is counted.
    pub reason: String,
    /// How many.
    pub packets: u64,
    /// What it means, in a sentence.
    pub explanation: String,
}

/// Who is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// The version of ferryd.
    pub ferryd: String,
    /// The version of this protocol, [`crate::wire::VERSION`].
    pub protocol: u32,
    /// Its process.
    pub pid: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_has_the_fields_that_ip_gives_it() {
        let route = Route {
            dst: "10.0.0.0/8".parse().unwrap(),
            kind: RouteKind::Unicast,
            gateway: Some("192.0.2.2".parse().unwrap()),
            dev: Some("left".to_owned()),
            protocol: Protocol::Static,
            next_hop: Some(NextHopState::Unresolved),
            detail: None,
        };
        let json = r#"{"dst":"10.0.0.0/8","type":"unicast","gateway":"192.0.2.2","dev":"left","protocol":"static","next_hop":"unresolved"}"#;
        assert_eq!(serde_json::to_string(&route).unwrap(), json);
        assert_eq!(serde_json::from_str::<Route>(json).unwrap(), route);
    }

    #[test]
    fn a_neighbour_has_the_fields_that_ip_gives_it() {
        let neighbour = Neighbour {
            dst: "2001:db8::2".parse().unwrap(),
            dev: "left".to_owned(),
            lladdr: Some(MacAddr([2, 0, 0, 0, 0, 9])),
            state: NeighbourState::Reachable,
            age_seconds: Some(3),
            router: false,
        };
        let json =
            r#"{"dst":"2001:db8::2","dev":"left","lladdr":"02:00:00:00:00:09","state":["REACHABLE"],"age_seconds":3}"#;
        assert_eq!(serde_json::to_string(&neighbour).unwrap(), json);
        assert_eq!(serde_json::from_str::<Neighbour>(json).unwrap(), neighbour);

        let asked = r#"{"dst":"192.0.2.2","dev":"left","state":["INCOMPLETE"]}"#;
        assert_eq!(serde_json::from_str::<Neighbour>(asked).unwrap().lladdr, None);
    }

    #[test]
    fn a_word_is_the_same_in_json_and_in_a_table() {
        for state in [NeighbourState::Incomplete, NeighbourState::Permanent, NeighbourState::Failed] {
            assert_eq!(serde_json::to_value(state).unwrap(), state.name());
        }
        for kind in
            [RouteKind::Unicast, RouteKind::Local, RouteKind::Blackhole, RouteKind::Unreachable, RouteKind::Prohibit]
        {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
        for protocol in [Protocol::Static, Protocol::Connected, Protocol::Local, Protocol::Cloned] {
            assert_eq!(serde_json::to_value(protocol).unwrap(), protocol.name());
        }
    }
}
