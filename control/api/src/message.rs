//! A request for one route, with all that `route(4)` lets one say of it.
//!
//! [`crate::Request::RouteAdd`] and its like say a route as `ip(8)` does: a network and where it leads. This says it as a
//! routing socket does: an address and perhaps a mask, flags, and metrics with the bits of those that are meant. Both end
//! in the same table by the same rules.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::flags::RouteFlags;
use crate::metrics::{MetricMask, RouteMetrics};
use crate::request::Target;
use crate::text::is_default;

/// One request for one route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteMessage {
    /// What to do.
    pub verb: Verb,
    /// In which table; 0 is the one workers forward by.
    #[serde(default, skip_serializing_if = "is_default")]
    pub fib: u16,
    /// The destination; bits beyond the mask do not count.
    pub dst: IpAddr,
    /// The bits of it that count. Without one it is a host; to [`Verb::Get`], a packet's destination.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub netmask: Option<IpAddr>,
    /// Where packets go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
    /// What it is worth beside others to the same network, from 1 to [`RouteMessage::LAST_PRIORITY`]: the lowest counts.
    /// Absent from an addition, it is [`RouteMessage::STATIC_PRIORITY`]; elsewhere it says which of several is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    /// Flags to give it; [`RouteFlags::MPATH`] lets it share with those that have its priority. Absent from a change, they stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flags: Option<RouteFlags>,
    /// Whether packets sent by it are counted. Absent from an addition, it is as the configuration says; from a change, as
    /// it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<bool>,
    /// The metrics, or the locks of metrics, that are meant.
    #[serde(default, skip_serializing_if = "is_default")]
    pub inits: MetricMask,
    /// Their values, and their locks.
    #[serde(default, skip_serializing_if = "is_default")]
    pub metrics: RouteMetrics,
}

/// What to do with a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Add it (`RTM_ADD`).
    Add,
    /// Delete it (`RTM_DELETE`).
    Delete,
    /// Change where it leads, its metrics, flags and locks (`RTM_CHANGE`).
    Change,
    /// Tell what it is (`RTM_GET`).
    Get,
    /// Lock and unlock its metrics (`RTM_LOCK`).
    Lock,
}

impl RouteMessage {
    /// The priority of what a person adds without saying more (`RTP_STATIC`).
    pub const STATIC_PRIORITY: u8 = 8;

    /// The last there is (`RTP_MAX`).
    pub const LAST_PRIORITY: u8 = 63;

    /// A request that says no more than which route.
    pub const fn new(verb: Verb, dst: IpAddr, netmask: Option<IpAddr>) -> Self {
        Self {
            verb,
            fib: 0,
            dst,
            netmask,
            target: None,
            priority: None,
            flags: None,
            count: None,
            inits: MetricMask::empty(),
            metrics: RouteMetrics::NONE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ErrorKind, Request, wire};

    #[test]
    fn a_message_says_only_what_it_means() {
        let get = RouteMessage::new(Verb::Get, "10.0.0.1".parse().unwrap(), None);
        let json = r#"{"command":"route_message","verb":"get","dst":"10.0.0.1"}"#;
        assert_eq!(serde_json::to_string(&Request::RouteMessage(get.clone())).unwrap(), json);
        assert_eq!(serde_json::from_str::<Request>(json).unwrap(), Request::RouteMessage(get));
    }

    // holds S2.08
    #[test]
    fn a_message_with_a_word_nobody_knows_is_refused() {
        for word in [r#""flags":["rnh_locked"]"#, r#""inits":["speed"]"#, r#""fib":70000"#, r#""fib":-1"#, r#""gw":1"#]
        {
            let line = format!(
                r#"{{"version":1,"request":{{"command":"route_message","verb":"add","dst":"10.0.0.1",{word}}}}}"#
            );
            assert_eq!(wire::read_request(line.as_bytes()).unwrap_err().kind, ErrorKind::Invalid, "{word}");
        }
    }
}
