//! What happens to a packet: receive, classify, look up, rewrite, transmit.
//!
//! ```text
//! receive -> plain? else classify: transit | punt | drop
//!         -> look up all destinations of the burst at once
//!         -> next hop -> TTL, MTU -> rewrite in place
//!         -> one queue per port out -> transmit; what finds no room is counted and freed
//! ```
//!
//! [`forward()`] is the meaning, one packet at a time; [`forward_burst`] is the fast way to the same answer, and a property
//! test holds the two together. A [`Worker`] turns that crank over its ports: one snapshot per turn, and every frame that
//! came in has left before the turn ends, so `received = transmitted + punted + dropped` whenever it stops.
//!
//! Everything here is generic over [`Port`] and its frames: the same code runs over DPDK's buffers and over frames in
//! memory ([`MemoryPort`]). Nothing here locks, allocates, logs or calls the system once a worker is built.

mod burst;
mod classify;
mod exits;
mod forward;
mod guard;
mod idle;
mod ledger;
mod local;
mod memory;
mod plain;
mod port;
mod straight;
mod transit;
mod vlan;
mod worker;

pub use burst::{Lookup, Passes, StateTables, forward_burst};
pub use forward::forward;
pub use idle::{Idleness, LONGEST_SLEEP, Rest};
pub use memory::{MemoryFrame, MemoryPort};
pub use port::{BURST, Burst, Frame, Port};
pub use worker::Worker;
