//! What was counted, and how the process is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

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
