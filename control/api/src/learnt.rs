//! What a router learns from another's ICMP and a person may say in its place: a nearer gateway, a path's MTU.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::network::Network;
use crate::text::is_default;

/// A gateway says that another is nearer to some destination (`rtredirect`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redirect {
    /// In which table.
    #[serde(default, skip_serializing_if = "is_default")]
    pub fib: u16,
    /// The destination; a host, as a rule.
    pub dst: Network,
    /// The nearer gateway.
    pub gateway: IpAddr,
    /// The port it is behind; needed where the address alone does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dev: Option<String>,
    /// Who says so: he must be the gateway that packets go to now. Absent, whoever asks vouches for it (`RTF_DONE`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<IpAddr>,
}

/// A packet was too big for some link on its path (`icmp_mtudisc`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PathMtu {
    /// In which table.
    #[serde(default, skip_serializing_if = "is_default")]
    pub fib: u16,
    /// Where the packet was to go.
    pub destination: IpAddr,
    /// What the link carries, in bytes; 0 if that was not said, as by routers older than RFC 1191.
    #[serde(default, skip_serializing_if = "is_default")]
    pub mtu: u16,
    /// How long the packet was, in bytes: from that the MTU is guessed that was not said.
    #[serde(default, skip_serializing_if = "is_default")]
    pub packet: u16,
}
