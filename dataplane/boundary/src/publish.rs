//! Snapshots: one writer publishes, readers follow, and only the writer frees.
//!
//! A packet is never handled with two snapshots, because a pinned one borrows its [`Reader`] mutably. A retired snapshot
//! is freed by the publisher, never by a polling core: `retired` keeps a count of its own, so a reader that moves on only
//! decrements. Pinning costs one relaxed load and a compare while nothing is published.
//!
//! The price: a reader that stops pinning keeps one old snapshot alive. [`Publisher::reclaim`] says how many live.

use std::sync::Arc;

use arc_swap::{ArcSwap, Cache};

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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn a_reader_sees_what_was_published_last() {
        let mut publisher = Publisher::new(1);
        let mut reader = publisher.reader();
        assert_eq!(*reader.pin(), 1);
        publisher.publish(2);
        publisher.publish(3);
        assert_eq!(*reader.pin(), 3);
    }

    #[test]
    fn a_retired_snapshot_lives_until_its_last_reader_moves_on() {
        let mut publisher = Publisher::new(1);
        let mut reader = publisher.reader();
        reader.pin();
        publisher.publish(2);
        assert_eq!(publisher.reclaim(), 1, "the reader still stands on the first");
        assert_eq!(*publisher.oldest(), 1);
        reader.pin();
        assert_eq!(publisher.reclaim(), 0);
        assert_eq!(*publisher.oldest(), 2);
    }

    #[test]
    fn only_the_publisher_frees() {
        struct Freed(Arc<std::sync::Mutex<Vec<std::thread::ThreadId>>>);
        impl Drop for Freed {
            fn drop(&mut self) {
                self.0.lock().unwrap().push(std::thread::current().id());
            }
        }
        let freed = Arc::default();
        let done = AtomicBool::new(false);
        let mut publisher = Publisher::new(Freed(Arc::clone(&freed)));
        let mut reader = publisher.reader();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Acquire) {
                    reader.pin();
                }
                reader
            });
            for _publish in 0..100 {
                publisher.publish(Freed(Arc::clone(&freed)));
                std::thread::yield_now();
            }
            done.store(true, Ordering::Release);
        });
        publisher.reclaim();
        drop(publisher);
        let me = std::thread::current().id();
        assert_eq!(freed.lock().unwrap().len(), 101);
        assert!(freed.lock().unwrap().iter().all(|thread| *thread == me), "a worker freed a snapshot");
    }
}
