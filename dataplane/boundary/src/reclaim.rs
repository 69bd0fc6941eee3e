//! What has left its table and is not yet freed: routes on their way out (`rttrash`).
//!
//! A thing that left may still be needed by somebody who holds a reference to it ([`References`]), and by a worker whose
//! snapshot is older than the first one without it. When neither is left, the control thread frees it: it looks, for all
//! of them together, as often as time passes and whenever many have gathered. A worker that stands still, or a holder
//! that never lets go, costs memory and no more.
//!
//! `model` goes through the orders in which this can happen.

use super::sync::{Arc, AtomicU32, Ordering};

/// How many references are held to a thing from outside of its table (`rt_refcnt`).
#[derive(Debug, Default)]
pub struct References(AtomicU32);

impl References {
    /// How many.
    pub fn count(&self) -> u32 {
        // Acquire: whoever sees a reference gone sees what its holder did.
        self.0.load(Ordering::Acquire)
    }

    /// One more; whether it is the first.
    pub fn add(&self) -> bool {
        // Relaxed: a new reference is made from one there is, or by the table, and tells nothing.
        self.0.fetch_add(1, Ordering::Relaxed) == 0
    }

    /// One less; whether it was the last.
    pub fn remove(&self) -> bool {
        // Release: see `count`.
        let before = self.0.fetch_sub(1, Ordering::Release);
        debug_assert!(before > 0, "every reference is counted when it is made");
        before == 1
    }
}

/// A thing that references are held to.
pub trait Referred {
    /// How many.
    fn refs(&self) -> u32;
}

/// Things on their way out.
#[derive(Debug)]
pub struct Trash<T> {
    left: Vec<Left<T>>,
    /// How many there were when it was last looked at.
    looked_at: usize,
}

#[derive(Debug)]
struct Left<T> {
    thing: Arc<T>,
    /// The first snapshot without it.
    generation: u64,
}

impl<T> Default for Trash<T> {
    fn default() -> Self {
        Self { left: Vec::new(), looked_at: 0 }
    }
}

impl<T: Referred> Trash<T> {
    /// Takes a thing that has left its table; snapshots from `generation` on are without it.
    pub fn take(&mut self, thing: Arc<T>, generation: u64) {
        self.left.push(Left { thing, generation });
    }

    /// Frees those nobody holds, now that no worker uses a snapshot before `oldest`; returns how many are left.
    pub fn empty(&mut self, oldest: u64) -> usize {
        self.left.retain(|left| left.generation > oldest || left.is_held());
        self.looked_at = self.left.len();
        self.looked_at
    }

    /// Whether so many have gathered since the last look that another is worth it: as many as were left then, at least,
    /// so that a table that is emptied at once is not looked through for each of its routes.
    pub fn is_full(&self) -> bool {
        self.left.len() > 2 * self.looked_at + BATCH
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.left.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// References held to them.
    pub fn references(&self) -> u64 {
        self.left.iter().map(|left| u64::from(left.thing.refs())).sum()
    }
}

impl<T: Referred> Left<T> {
    /// Whether somebody holds it, or has counted himself out and not yet let go: then he would be the one to free it.
    fn is_held(&self) -> bool {
        self.thing.refs() > 0 || Arc::strong_count(&self.thing) > 1
    }
}

const BATCH: usize = 1024;
