//! A neighbour, in the words of `ip -j neigh`.

use std::net::IpAddr;

use packet::ethernet::MacAddr;
use serde::{Deserialize, Serialize};

use crate::text;

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
