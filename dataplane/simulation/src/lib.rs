//! A whole router in memory: one worker, the control plane, and a clock that is told the time.
//!
//! Everything happens in one thread and in one order: the same frames at the same times give the same bytes. `ferry replay`
//! lets captures arrive at it.

mod router;

pub use router::Simulation;
