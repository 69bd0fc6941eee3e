//! A route, in the words of `ip -j route`.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::daemon::Speaker;
use crate::flags::RouteFlags;
use crate::metrics::RouteMetrics;
use crate::network::Network;
use crate::text;

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
