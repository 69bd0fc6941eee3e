//! The shared pointer that snapshots are counted with: the standard one, or loom's when its model checker looks on.

#[cfg(not(loom))]
pub(crate) use std::sync::Arc;

#[cfg(loom)]
pub(crate) use loom::sync::Arc;
