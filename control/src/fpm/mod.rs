//! A routing daemon's routes: what zebra tells its Forwarding Plane Manager, which is us.
//!
//! ```text
//!   zebra -M dplane_fpm_nl          fpm thread                          control thread
//!   ----------------------          ----------                          --------------
//!   connects, writes       -- TCP -->  read frames: message  -- Heard -->  learn: routes, next hops
//!   reads nothing                   (a bounded channel)                  daemon: sessions, stale routes, the sweep
//! ```
//!
//! **What is promised.** A route that the daemon tells again as it is changes nothing: no table, no publish. When the daemon
//! goes, its routes stay and are forwarded by; they are *stale*. When it comes back it tells everything it knows anew and
//! nothing marks the end of that, so the telling is over when it has said nothing for a while, or when it has taken long
//! enough ([`Settings`]). What it has not told again by then is swept, about a thousand routes at a time. So a daemon that is
//! killed and started again costs no packet.
//!
//! Where the configuration names a file for it, the routes outlive ferryd as well (`saved.rs`).
//!
//! **Whose route counts.** What follows from a port's address comes first, then what is worth most: a person's static route
//! is worth 8, OSPF's 32, BGP's 48 ([`Speaker::priority`](control_api::Speaker::priority)), so that a static route comes
//! before a daemon's, or with `priority 60` stands in for it when it goes.
//!
//! **What is not taken** is counted under the name of the reason ([`Refused`]), and takes the place of what was there before
//! as well: a daemon that changes a route wants the old one no more.
//!
//! **What it costs.** A route takes twelve bytes more than a person's. Between the threads wait [`BATCHES`] batches of
//! [`BATCH`] things said or a little more; behind them the daemon waits, not a worker and no punted packet. To look for stale
//! routes takes one walk through all tables, in steps.

mod counts;
mod daemon;
mod learn;
mod listener;
mod message;
mod saved;
#[cfg(test)]
mod tests;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use boundary::PortId;
use tokio::sync::mpsc;

pub use counts::Refused;
pub(crate) use daemon::Daemon;
pub use listener::{Listener, ListenerError};
pub use message::{Leads, Leg, NextHopSaid, RouteSaid, Said, Unreadable, read};
pub use saved::{Keeper, Piece, Restored, SavedError};

/// How a routing daemon is listened to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where it connects to.
    pub listen: SocketAddr,
    /// In this network namespace; ferryd's own, if none is named.
    pub netns: Option<String>,
    /// A daemon that has come back and says nothing for so long has told all it knows.
    pub quiet: Duration,
    /// At the latest it has after so long.
    pub sweep: Duration,
    /// For how long its routes stay when it does not come back; for ever, if that is not said.
    pub hold: Option<Duration>,
    /// The file that its routes are kept in while ferryd does not run, if they are.
    pub snapshot: Option<PathBuf>,
    /// How long after the last time it is written again, if something has changed.
    pub save_every: Duration,
    /// The daemon's tables whose routes are taken, and the number of the table each is here.
    pub tables: Vec<(u32, u16)>,
    /// The kernel's numbers of interfaces, and the port each is on, beside those that ports have themselves.
    pub interfaces: Vec<(u32, PortId)>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(Ipv4Addr::LOCALHOST.into(), PORT),
            netns: None,
            quiet: Duration::from_secs(30),
            sweep: Duration::from_secs(120),
            hold: None,
            snapshot: None,
            save_every: Duration::from_secs(60),
            tables: vec![(MAIN_OF_LINUX, 0)],
            interfaces: Vec::new(),
        }
    }
}

/// What is heard of the daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// It has come, from this address. What it says from now on it says anew.
    Came(SocketAddr),
    /// It has said this, in this order.
    Said(Vec<Said>),
    /// It has gone, for this reason.
    Left(String),
}

/// Where the control thread hears of the daemon.
pub type Feed = mpsc::Receiver<Heard>;

/// Where zebra connects to unless told otherwise.
pub const PORT: u16 = 2620;

/// The number of Linux's main table (`RT_TABLE_MAIN`).
pub const MAIN_OF_LINUX: u32 = 254;

/// So much of what was said goes to the control thread together: less than a millisecond's work.
pub const BATCH: usize = 256;

/// So many of these may wait.
pub const BATCHES: usize = 16;
