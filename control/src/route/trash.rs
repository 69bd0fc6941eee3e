//! Routes that have left their tables and are not yet freed (`rttrash`).
//!
//! A route goes when nobody holds a reference to it and every worker has moved on to a forwarding state without it. The
//! control thread looks, for all of them together, as often as time passes and whenever many have gathered; a worker that
//! stands still, or a holder that never lets go, costs memory and no more.

use std::sync::Arc;

use super::entry::RouteEntry;

/// Routes on their way out.
#[derive(Debug, Default)]
pub(crate) struct Trash {
    left: Vec<Left>,
    /// How many there were when it was last looked at.
    looked_at: usize,
}

#[derive(Debug)]
struct Left {
    entry: Arc<RouteEntry>,
    /// The first forwarding state without it.
    generation: u64,
}

impl Trash {
    /// Takes a route that has left its table; forwarding states from `generation` on are without it.
    pub(crate) fn take(&mut self, entry: Arc<RouteEntry>, generation: u64) {
        self.left.push(Left { entry, generation });
    }

    /// Frees those nobody holds, now that no worker uses a state before `oldest`; returns how many are left.
    pub(crate) fn empty(&mut self, oldest: u64) -> usize {
        self.left.retain(|left| left.entry.refs() > 0 || left.generation > oldest);
        self.looked_at = self.left.len();
        self.looked_at
    }

    /// Whether so many have gathered since the last look that another is worth it: as many as were left then, at least,
    /// so that a table that is emptied at once is not looked through for each of its routes.
    pub(crate) fn is_full(&self) -> bool {
        self.left.len() > 2 * self.looked_at + BATCH
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.left.len()
    }

    /// References held to routes that have left.
    pub(crate) fn references(&self) -> u64 {
        self.left.iter().map(|left| u64::from(left.entry.refs())).sum()
    }
}

const BATCH: usize = 1024;
