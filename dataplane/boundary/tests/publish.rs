//! Snapshots are published, followed and freed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use boundary::Publisher;

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
