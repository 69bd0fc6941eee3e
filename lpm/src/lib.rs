//! Longest-prefix match: which next hop an address goes to.
//!
//! Two tables for two jobs. A [`RouteTable`] is exact, mutable and ordered; it explains itself and may allocate. A
//! [`Fib`] is what a worker needs and nothing else: immutable, shared, and a lookup in it can neither fail nor allocate.
//! A [`FibWriter`] owns the routes and turns each batch of [`Change`]s into the next `Fib`; who holds an older one keeps
//! reading the older answers, undisturbed. How that works, and what it costs, [`design`] shows by example.
//!
//! ```
//! use lpm::{Change, FibWriter, NextHopId, Prefix};
//! use std::net::Ipv4Addr;
//!
//! let via = NextHopId::new(7);
//! let mut writer = FibWriter::<Ipv4Addr>::default();
//! let fib = writer.apply([Change::Set("10.0.0.0/8".parse().unwrap(), via)]);
//! assert_eq!(fib.lookup(Ipv4Addr::new(10, 1, 2, 3)), Some(via));
//! assert_eq!(fib.lookup(Ipv4Addr::new(11, 1, 2, 3)), None);
//! ```

#[doc = include_str!("../DESIGN.md")]
pub mod design {}

mod arena;
mod audit;
mod burst;
mod chunk;
mod entry;
mod family;
mod fib;
mod file;
mod generations;
#[cfg(test)]
#[path = "generations/model.rs"]
mod generations_model;
#[cfg(test)]
#[path = "generations/tests.rs"]
mod generations_tests;
mod plain;
mod prefix;
mod range;
mod rib;
#[cfg(target_arch = "x86_64")]
mod simd;
mod sweep;
mod sync;
mod table;
mod width;

pub use audit::{Audit, Disagreement};
pub use burst::{BURST, InFlight};
pub use fib::{Fib, FibWriter, Usage};
pub use file::LoadError;
pub use prefix::{Address, Prefix, PrefixError};
pub use table::{Change, NextHopId, RouteTable};

#[cfg(target_endian = "big")]
compile_error!(
    "the nodes of a compiled table keep narrow values in the low bytes of words: little-endian machines only"
);
