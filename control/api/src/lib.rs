//! What is said between a running ferryd and those who talk to it: types, and nothing that decides.
//!
//! ```text
//!   client                                                          ferryd
//!   ------                                                          ------
//!   Request   -- {"version":1,"request":{"command":"stats"}}\n  -->  control thread
//!   Reply     <- {"version":1,"ok":{"stats":{...}}}\n           ---  decided,
//!   ApiError  <- {"version":1,"error":{"kind":"exists",...}}\n  ---  or refused
//! ```
//!
//! A line is a JSON object; each [`Request`] gets one line back, in order, a [`Reply`] or an [`ApiError`] ([`wire`] has
//! the rules). Between them come the events of whoever follows what happens ([`Request::Monitor`]). Whoever can open the socket can speak it with a shell; [`client`] does it in Rust and blocks.
//!
//! The words are those of `ip(8)`, and where `ip -j` has an object for a thing, its fields have the same names here.
//! Names of ports and reasons are text: this crate is all a client links, and it knows neither ports nor workers.

pub mod client;
mod configuration;
mod daemon;
mod error;
mod event;
mod flags;
mod interface_address;
mod learnt;
mod message;
mod metrics;
mod network;
mod queue;
mod reply;
mod request;
mod text;
mod timer;
pub mod wire;

pub use configuration::{ConfigChange, ConfigChanges};
pub use daemon::{Fpm, FpmState, Speaker};
pub use error::{ApiError, ErrorKind};
pub use event::{EventKind, RouteEvent, Told};
pub use flags::RouteFlags;
pub use interface_address::{InterfaceAddress, InterfaceAddressError};
pub use learnt::{PathMtu, Redirect};
pub use message::{RouteMessage, Verb};
pub use metrics::{MetricMask, RouteMetrics};
pub use network::{Family, Network, NetworkError};
pub use queue::{KeyKind, PortQueue, PortQueueError, PortRss, QueuePlace, QueueShare, Spread};
pub use reply::{
    Batch, Counts, Drop, EntryCounts, EventCounts, Hardware, Link, Neighbour, NeighbourState, NextHopState, Port,
    PortTap, PortVlan, Protocol, Refused, Reply, Route, RouteCounts, RouteDetail, RouteKind, RouteStat, Stats,
    TapCounts, Traffic, UnusedAddress, Version, WorkerStats,
};
pub use request::{Request, RouteFilter, Selection, Target};
pub use timer::{QueueName, QueueNameError, TimerQueue};

/// Where ferryd listens unless told otherwise.
pub const DEFAULT_SOCKET: &str = "/run/ferry/ferry.sock";
