//! The shared pointer that snapshots are counted with. `generations` asks for it as `super::sync`, so that its model can have
//! the same file made of loom's.

pub(crate) use std::sync::Arc;
