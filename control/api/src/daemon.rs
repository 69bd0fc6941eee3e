//! A routing daemon that tells ferryd its routes: which of its protocols knows a route, and how the session with it is.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// The protocol of a routing daemon that a route comes from.
///
/// Names and numbers are those of `/etc/iproute2/rt_protos` and of FRR's addition to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    /// The kernel's own, as of the addresses of its interfaces.
    Kernel,
    /// Static routes of the daemon.
    Zstatic,
    /// EIGRP.
    Eigrp,
    /// OSPF, of both versions.
    Ospf,
    /// IS-IS.
    Isis,
    /// RIP.
    Rip,
    /// RIP for IPv6.
    Ripng,
    /// Babel.
    Babel,
    /// BGP.
    Bgp,
    /// NHRP.
    Nhrp,
    /// LDP.
    Ldp,
    /// Routes for tests.
    Sharp,
    /// Policy-based routing.
    Pbr,
    /// OpenFabric.
    Openfabric,
    /// Segment routing policies.
    Srte,
    /// Zebra itself.
    Zebra,
    /// BIRD.
    Bird,
    /// Another.
    Daemon,
}

impl Speaker {
    /// The one with this number (`rtm_protocol`).
    pub const fn of_number(number: u8) -> Self {
        match number {
            2 => Self::Kernel,
            11 => Self::Zebra,
            12 => Self::Bird,
            42 => Self::Babel,
            186 => Self::Bgp,
            187 => Self::Isis,
            188 => Self::Ospf,
            189 => Self::Rip,
            190 => Self::Ripng,
            191 => Self::Nhrp,
            192 => Self::Eigrp,
            193 => Self::Ldp,
            194 => Self::Sharp,
            195 => Self::Pbr,
            196 => Self::Zstatic,
            197 => Self::Openfabric,
            198 => Self::Srte,
            _ => Self::Daemon,
        }
    }

    /// The one with this name.
    pub fn named(name: &str) -> Option<Self> {
        let numbers = [0, 2, 11, 12, 42].into_iter().chain(186..=198);
        numbers.map(Self::of_number).find(|speaker| speaker.name() == name)
    }

    /// Its name wherever it is shown.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Zstatic => "zstatic",
            Self::Eigrp => "eigrp",
            Self::Ospf => "ospf",
            Self::Isis => "isis",
            Self::Rip => "rip",
            Self::Ripng => "ripng",
            Self::Babel => "babel",
            Self::Bgp => "bgp",
            Self::Nhrp => "nhrp",
            Self::Ldp => "ldp",
            Self::Sharp => "sharp",
            Self::Pbr => "pbr",
            Self::Openfabric => "openfabric",
            Self::Srte => "srte",
            Self::Zebra => "zebra",
            Self::Bird => "bird",
            Self::Daemon => "daemon",
        }
    }

    /// What its routes are worth beside others to the same network (`RTP_*`): the lowest counts.
    pub const fn priority(self) -> u8 {
        match self {
            Self::Kernel => 4,
            Self::Zstatic => 8,
            Self::Eigrp => 28,
            Self::Ospf => 32,
            Self::Isis => 36,
            Self::Rip | Self::Ripng | Self::Babel => 40,
            Self::Bgp => 48,
            Self::Nhrp
            | Self::Ldp
            | Self::Sharp
            | Self::Pbr
            | Self::Openfabric
            | Self::Srte
            | Self::Zebra
            | Self::Bird
            | Self::Daemon => 56,
        }
    }
}

/// How the session with the routing daemon is, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fpm {
    /// Where the daemon is listened for.
    pub listen: SocketAddr,
    /// How the session is.
    pub state: FpmState,
    /// For how long it has been so.
    pub state_seconds: u64,
    /// The daemon, while it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<SocketAddr>,
    /// Sessions there were, this one among them.
    pub sessions: u64,
    /// Why the last session ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_end: Option<String>,
    /// Networks that the daemon has a route to, in all tables.
    pub routes: usize,
    /// Those of them that it has not told again since its last session ended. They are forwarded by.
    pub stale: usize,
    /// The networks by the protocol that knows their route.
    pub protocols: BTreeMap<String, usize>,
    /// Next hops and groups of them that it has named.
    pub next_hops: usize,
    /// What was counted.
    pub counts: BTreeMap<String, u64>,
}

/// How the session with the routing daemon is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FpmState {
    /// It has never come.
    Waiting,
    /// It is there, and may not have told all it knows.
    Replaying,
    /// It is there, and what it did not tell again is gone.
    Settled,
    /// It has gone; its routes stay.
    Lost,
}

impl FpmState {
    /// Its name wherever it is shown.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Replaying => "replaying",
            Self::Settled => "settled",
            Self::Lost => "lost",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::Protocol;

    #[test]
    fn a_route_of_a_daemon_is_shown_by_the_protocol_that_knows_it() {
        for number in 0..=u8::MAX {
            let speaker = Speaker::of_number(number);
            let protocol = Protocol::Daemon(speaker);
            assert_eq!(serde_json::to_value(protocol).unwrap(), speaker.name());
            assert_eq!(serde_json::from_value::<Protocol>(speaker.name().into()).unwrap(), protocol);
            assert_eq!(Speaker::named(speaker.name()), Some(speaker));
        }
        assert_eq!(Speaker::named("static"), None);
        assert_eq!(serde_json::to_value(Protocol::Static).unwrap(), "static");
        assert_eq!(serde_json::from_value::<Protocol>("connected".into()).unwrap(), Protocol::Connected);
    }
}
