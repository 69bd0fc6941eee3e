//! Snapshots: one writer publishes, readers follow, and only the writer frees.
//!
//! A packet is never handled with two snapshots, because a pinned one borrows its [`Reader`] mutably. A retired snapshot
//! is freed by the publisher, never by a polling core: `retired` keeps a count of its own, so a reader that moves on only
//! decrements. Pinning costs one relaxed load and a compare while nothing is published.
//!
//! The price: a reader that stops pinning keeps one old snapshot alive. [`Publisher::reclaim`] says how many live.

use super::sync::{Arc, ArcSwap, Cache};

/// The control thread's end: the only place that publishes, and the only place that frees.
#[derive(Debug)]
pub struct Publisher<T> {
    current: Arc<ArcSwap<T>>,
    retired: Vec<Arc<T>>,
}

impl<T> Publisher<T> {
    /// Starts with `first` as the current snapshot.
    pub fn new(first: T) -> Self {
        Self { current: Arc::new(ArcSwap::from_pointee(first)), retired: Vec::new() }
    }

    /// Another reader, at the current snapshot.
    pub fn reader(&self) -> Reader<T> {
        Reader(Cache::new(Arc::clone(&self.current)))
    }

    /// The current snapshot.
    pub fn current(&self) -> Arc<T> {
        self.current.load_full()
    }

    /// The oldest snapshot that a reader may still stand on: the current one, if all have moved on.
    pub fn oldest(&self) -> Arc<T> {
        self.retired.first().map_or_else(|| self.current(), Arc::clone)
    }

    /// Makes `next` current. Each worker moves to it at the start of one of its next turns.
    pub fn publish(&mut self, next: T) {
        self.retired.push(self.current.swap(Arc::new(next)));
        self.reclaim();
    }

    /// Frees the retired snapshots that no reader holds any more; returns how many still live.
    pub fn reclaim(&mut self) -> usize {
        // A retired snapshot can only lose holders: readers load from `current`, where it no longer is.
        self.retired.retain(|snapshot| Arc::strong_count(snapshot) > 1);
        self.retired.len()
    }
}

/// A worker's end.
#[derive(Debug)]
pub struct Reader<T>(Cache<Arc<ArcSwap<T>>, Arc<T>>);

impl<T> Reader<T> {
    /// Moves to the newest snapshot and borrows it for one turn.
    ///
    /// The borrow is tied to `&mut self`: a packet can never be handled with two snapshots.
    #[inline]
    pub fn pin(&mut self) -> &T {
        self.0.load()
    }
}
