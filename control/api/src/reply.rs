//! What ferryd answers.

mod neighbour;
mod port;
mod route;
mod stats;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use self::neighbour::{Neighbour, NeighbourState};
pub use self::port::{Hardware, Link, Port, PortTap, PortVlan, TapCounts, Traffic, UnusedAddress};
pub use self::route::{NextHopState, Protocol, Route, RouteDetail, RouteKind};
pub use self::stats::{Counts, EntryCounts, EventCounts, RouteCounts, RouteStat, Stats, WorkerStats};
use crate::configuration::ConfigChanges;
use crate::daemon::Fpm;
use crate::event::Told;
use crate::queue::{PortRss, QueuePlace};
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
