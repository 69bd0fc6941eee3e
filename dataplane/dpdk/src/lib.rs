//! The fence: DPDK as owned Rust types.
//!
//! Behind it lies C with its own rules: one start per process, one thread per queue, one free per buffer, close before
//! free, and nothing after the end. In front of it those rules are types, and nothing is named `rte_*`:
//!
//! | DPDK's rule | here |
//! |---|---|
//! | started once per process | a second [`Eal::start`] is an error value |
//! | a queue has one poller | [`RxQueue`] and [`TxQueue`] are not `Clone` and want `&mut` |
//! | a buffer has one owner | [`Mbuf`] moves; dropping it gives it back; what a ring refuses stays in the burst |
//! | stop a port before its queues go | the port stops when the last of [`Port`] and its queues is dropped |
//! | close ports before the EAL ends | every port, queue, pool and worker thread holds the EAL; the last one ends it |
//! | no buffer outlives its memory | the EAL ends only if every buffer is home, else it is left standing |
//!
//! ```no_run
//! use dpdk::{Eal, EalConfig, Mempool, MempoolConfig, Port, PortConfig};
//!
//! let config = EalConfig { devices: vec!["net_af_packet0,iface=veth0".parse()?], ..EalConfig::default() };
//! let eal = Eal::start(&config)?;
//! println!("packet memory: {}", eal.memory());
//! let pool = Mempool::new(&eal, MempoolConfig::default())?;
//! let (port, queues) = Port::start(&eal, "net_af_packet0", &PortConfig::default(), &pool)?;
//! println!("{} is {}", port.name(), port.link());
//! for mut worker_port in queues.into_worker_ports() {
//!     std::thread::spawn({
//!         let eal = eal.clone();
//!         move || {
//!             let _registered = eal.register_worker_thread()?;
//!             let mut burst = pipeline::Burst::new();
//!             pipeline::Port::receive(&mut worker_port, 0, &mut burst);
//!             Ok::<_, dpdk::EalError>(())
//!         }
//!     });
//! }
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! # How the fence is kept
//!
//! Each type's documentation states its invariants and who establishes them; each `unsafe` block does one operation and
//! names the invariant it rests on. What a block may always assume, because constructors and [`Eal`] see to it: while a
//! value of this crate exists, DPDK is initialised and its memory is mapped.

// UNSAFETY: this crate exists to call C, so that no other has to.
#![allow(unsafe_code, reason = "the fence around DPDK; its job")]

mod clock;
mod device;
mod eal;
mod log;
mod mbuf;
mod memory;
mod mempool;
mod port;
mod queue;
mod rss;
mod worker;

pub use clock::cycles;
pub use device::{Device, DeviceError};
pub use eal::{Eal, EalConfig, EalError, PortInfo, version};
pub use log::LogLevel;
pub use mbuf::Mbuf;
pub use memory::{Memory, MemoryChoice};
pub use mempool::{Mempool, MempoolConfig, MempoolError};
pub use port::{Direction, Link, Port, PortConfig, PortError, PortStats, Queues, Remark};
pub use queue::{RxQueue, TxQueue, WorkerPort};
pub use rss::{Rss, RssKey};
pub use worker::WorkerThread;
