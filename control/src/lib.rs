//! The decisions: routes, next hops, neighbours, ICMP, and the server that takes requests.
//!
//! ```text
//!             requests --> requests --> routes: rib, next hops ---- publish --> workers
//!                                         ^
//!  punts -> control -+--> discovery --> neighbours --- who waited --+
//!                   +--> local ------> icmp                        |
//!                   +--> forward ------------------ frames ------- + --------> outbox
//! ```
//!
//! [`Control`] is all of it as one state machine: it is told what came up and what time it is, and says what to send.
//! The control thread around it is the only place with a clock. What is to happen later waits in [`timers`]; who follows what
//! happens is told by [`events`].

mod addresses;
mod asker;
mod callouts;
mod cloning;
pub mod config;
mod control;
mod counts;
mod discovery;
pub mod events;
mod expiry;
mod forward;
pub mod fpm;
mod gateways;
mod icmp;
mod limit;
mod limits;
mod links;
mod local;
mod martians;
mod misses;
mod multipath;
mod neighbours;
mod next_hops;
mod options;
mod packets;
mod paths;
mod pmtu;
mod ports;
mod presence;
mod queues;
mod reassembly;
mod redirect;
mod reload;
mod requests;
mod rib;
mod route;
mod routes;
pub mod server;
mod setup;
mod show;
mod tap;
pub mod thread;
mod time;
pub mod timers;

pub use asker::Asker;
pub use callouts::{Called, TimerAction, TimerFn, TimerFnId};
pub use cloning::{InterfaceHooks, MAX_CLONES, RESOLVES_PER_SECOND, RtRequest};
pub use control::{Control, Hardware, HardwareStatus, Outbox, WorkerInfo};
pub use counts::ControlCounts;
pub use expiry::WallClock;
pub use limits::{IcmpLimits, Rate};
pub use links::BETWEEN_LOOKS;
pub use misses::MOST as MOST_MISSES;
pub use multipath::{Jitter, Multipath, Slots};
pub use ports::PortInfo;
pub use queues::Queues;
pub use route::{
    FlowCache, Gateway, LockedRoute, LookupCounts, LookupError, LookupFlags, NeighbourRef, RouteCache, RouteEntry,
    RouteId, RouteRef, TableGuard,
};
pub use routes::{Fibs, Routes, TooManyFibs};
pub use setup::Setup;
pub use tap::Kernel;
pub use time::Timestamp;
