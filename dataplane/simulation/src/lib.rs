//! A whole router in memory: one worker, the control plane, and a clock that is told the time.
//!
//! ```text
//!   frames --> Simulation: memory ports -- worker -- control plane --> frames, counters
//!                              ^
//!   ALICE ---------- left      |      right ---------- BOB, GATEWAY --- BEYOND
//!   packets --> Scene: hosts that answer when they are asked --------> Outcome
//! ```
//!
//! [`Simulation`] is the router alone: `ferry replay` lets captures arrive at it. [`Scene`] puts it between hosts, so that
//! a test of what an RFC asks for is a few lines: a packet goes in, and its [`Outcome`] says what left, what was counted
//! and why. Both run everything in one thread and in one order: the same packets at the same times give the same bytes,
//! and no test waits for anything.
//!
//! ```
//! use simulation::{ALICE, BOB, Scene, udp};
//!
//! let mut scene = Scene::new();
//! let outcome = scene.send(ALICE, &udp(ALICE.v4, BOB.v4).hops(2).of(8));
//! assert_eq!(outcome.packet_to(BOB), udp(ALICE.v4, BOB.v4).hops(1).of(8));
//! ```
//!
//! Helpers panic, as an assertion would, where what left is not what was asked for.

mod host;
mod icmp;
mod outcome;
mod plan;
mod router;
mod scene;
mod sketch;

pub use host::{ALICE, BEYOND, BOB, GATEWAY, Host, LEFT, NOWHERE, ON_LEFT, ON_RIGHT, RIGHT};
pub use icmp::Icmp;
pub use outcome::Outcome;
pub use plan::Plan;
pub use router::Simulation;
pub use scene::{Scene, frame};
pub use sketch::{Sketch, ip, udp, with_right_checksum};
