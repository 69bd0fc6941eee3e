//! What [`crate::publish`] and [`crate::reclaim`] are made of. They ask for it as `super::sync`, so that the model can have
//! the same two files made of something that loom sees through.

pub(crate) use std::sync::Arc;
pub(crate) use std::sync::atomic::{AtomicU32, Ordering};

pub(crate) use arc_swap::{ArcSwap, Cache};
