//! What happens to routes, addresses and links, as whoever follows it is told: the messages of `route(4)`.
//!
//! An event says what was given and no more: a lookup that found nothing has a destination and neither gateway nor port.
//! One that was asked for names who asked and carries the number he gave his request, so that an answer is known among
//! everything else that is told.

use std::borrow::Cow;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::flags::RouteFlags;
use crate::interface_address::InterfaceAddress;
use crate::metrics::RouteMetrics;
use crate::network::Network;
use crate::reply::Link;
use crate::text::is_default;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteEvent {
    /// What happened (`rtm_type`).
    #[serde(rename = "type")]
    pub kind: EventKind,
    /// In which table; absent if it is of all tables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fib: Option<u16>,
    /// The flags of the route it is about (`rtm_flags`), and [`RouteFlags::DONE`] if what was to be done is done.
    #[serde(default, skip_serializing_if = "is_default")]
    pub flags: RouteFlags,
    /// In the kernels' word, why it was not done (`rtm_errno`); absent if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errno: Option<Cow<'static, str>>,
    /// The number that who asked for it gave the request (`rtm_seq`).
    #[serde(default, skip_serializing_if = "is_default")]
    pub seq: u32,
    /// The process that asked for it (`rtm_pid`); 0 if nobody did.
    #[serde(default, skip_serializing_if = "is_default")]
    pub pid: u32,
    /// The destinations (`RTA_DST`, and `RTA_NETMASK` unless it is a host).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dst: Option<Network>,
    /// Where they go (`RTA_GATEWAY`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<IpAddr>,
    /// The port (`RTA_IFP`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dev: Option<String>,
    /// The address of ours that packets are sent from (`RTA_IFA`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ifa: Option<IpAddr>,
    /// Who sent the redirect (`RTA_AUTHOR`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<IpAddr>,
    /// The port's address that came or went, with its network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<InterfaceAddress>,
    /// Whether the port has a link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operstate: Option<Link>,
    /// What the port carries, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u16>,
    /// The route's metrics (`rtm_rmx`).
    #[serde(default, skip_serializing_if = "is_default")]
    pub metrics: RouteMetrics,
}

/// An event, as one who follows what happens is told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// How many events before this one he was not told, because he had not read those before them.
    #[serde(default, skip_serializing_if = "is_default")]
    pub lost: u64,
    /// What happened.
    #[serde(flatten)]
    pub event: RouteEvent,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum EventKind {
    /// A route was added (`RTM_ADD`).
    Add,
    /// A route was deleted; told as it was (`RTM_DELETE`).
    Delete,
    /// A route was changed; told as it is (`RTM_CHANGE`).
    Change,
    /// A route was asked for (`RTM_GET`).
    Get,
    /// Metrics of a route were locked or unlocked (`RTM_LOCK`).
    Lock,
    /// A lookup found nothing (`RTM_MISS`).
    Miss,
    /// Somebody outside is to find what a destination leads to (`RTM_RESOLVE`).
    Resolve,
    /// A router said that another is nearer (`RTM_REDIRECT`).
    Redirect,
    /// A port has another address (`RTM_NEWADDR`).
    NewAddr,
    /// A port has lost an address (`RTM_DELADDR`).
    DelAddr,
    /// A port's link, or what it carries, is another (`RTM_IFINFO`).
    IfInfo,
}

impl EventKind {
    /// Its name wherever it is shown.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Delete => "delete",
            Self::Change => "change",
            Self::Get => "get",
            Self::Lock => "lock",
            Self::Miss => "miss",
            Self::Resolve => "resolve",
            Self::Redirect => "redirect",
            Self::NewAddr => "newaddr",
            Self::DelAddr => "deladdr",
            Self::IfInfo => "ifinfo",
        }
    }
}

impl RouteEvent {
    /// An event of which nothing else is known.
    pub const fn new(kind: EventKind, fib: Option<u16>) -> Self {
        Self {
            kind,
            fib,
            flags: RouteFlags::empty(),
            errno: None,
            seq: 0,
            pid: 0,
            dst: None,
            gateway: None,
            dev: None,
            ifa: None,
            author: None,
            address: None,
            operstate: None,
            mtu: None,
            metrics: RouteMetrics::NONE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_written_with_what_was_given_and_no_more() {
        let mut miss = RouteEvent::new(EventKind::Miss, Some(1));
        miss.dst = Some("203.0.113.9/32".parse().unwrap());
        miss.flags = RouteFlags::DONE;
        let json = r#"{"type":"miss","fib":1,"flags":["done"],"dst":"203.0.113.9/32"}"#;
        assert_eq!(serde_json::to_string(&miss).unwrap(), json);
        assert_eq!(serde_json::from_str::<RouteEvent>(json).unwrap(), miss);
    }

    #[test]
    fn a_kind_is_shown_by_the_name_it_is_written_by() {
        for kind in [
            EventKind::Add,
            EventKind::Delete,
            EventKind::Change,
            EventKind::Get,
            EventKind::Lock,
            EventKind::Miss,
            EventKind::Resolve,
            EventKind::Redirect,
            EventKind::NewAddr,
            EventKind::DelAddr,
            EventKind::IfInfo,
        ] {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
    }
}
