//! All orders of a control thread's, a worker's and a holder's steps around something that is deleted, by loom.
//!
//! [`Publisher`], [`Reader`], [`References`] and [`Trash`] are the project's own, from the same files, made of loom's types
//! instead of the standard ones. What loom cannot see into is `arc_swap`: here the current snapshot is behind a lock, and
//! what both promise is the same, an `Arc` cloned while it is current. What `control::Routes` does around them when a route
//! goes is [`delete`] here: unlinked and published without, then to the trash, emptied as far as workers have moved on.
//!
//! Two tests break that on purpose: a model that cannot fail shows nothing.

use std::sync::Arc as Ghost;
use std::sync::atomic::{AtomicBool, Ordering};

use loom::cell::UnsafeCell;
use loom::thread;

use publish::Publisher;
use reclaim::{References, Referred, Trash};
use sync::Arc;

#[expect(clippy::duplicate_mod, unreachable_pub, reason = "the same file, made of what loom sees through")]
#[path = "publish.rs"]
mod publish;

#[expect(clippy::duplicate_mod, unreachable_pub, dead_code, reason = "the same file, made of what loom sees through")]
#[path = "reclaim.rs"]
mod reclaim;

/// What the two are made of here.
mod sync {
    use loom::sync::Mutex;

    pub(super) use loom::sync::Arc;
    pub(super) use loom::sync::atomic::{AtomicU32, Ordering};

    /// The place that readers find the current snapshot in.
    #[derive(Debug)]
    pub(super) struct ArcSwap<T>(Mutex<Arc<T>>);

    impl<T> ArcSwap<T> {
        pub(super) fn from_pointee(first: T) -> Self {
            Self(Mutex::new(Arc::new(first)))
        }

        pub(super) fn load_full(&self) -> Arc<T> {
            Arc::clone(&self.0.lock().expect("nobody panics with it"))
        }

        pub(super) fn swap(&self, next: Arc<T>) -> Arc<T> {
            std::mem::replace(&mut self.0.lock().expect("nobody panics with it"), next)
        }
    }

    /// A snapshot that is kept for as long as it is current.
    #[derive(Debug)]
    pub(super) struct Cache<S, A>(S, A);

    impl<T> Cache<Arc<ArcSwap<T>>, Arc<T>> {
        pub(super) fn new(place: Arc<ArcSwap<T>>) -> Self {
            let current = place.load_full();
            Self(place, current)
        }

        pub(super) fn load(&mut self) -> &Arc<T> {
            let current = self.0.load_full();
            if !Arc::ptr_eq(&current, &self.1) {
                self.1 = current;
            }
            &self.1
        }
    }
}

/// A forwarding state, with the one route there is or without it.
#[derive(Debug)]
struct Snapshot {
    generation: u64,
    route: Option<Ghost<Memory>>,
}

/// A route.
struct Entry {
    refs: References,
    memory: Ghost<Memory>,
}

impl Referred for Entry {
    fn refs(&self) -> u32 {
        self.refs.count()
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.memory.free();
    }
}

/// Where a route lies. Loom watches that reading it and freeing it are in an order, and we that it is the right one.
#[derive(Debug)]
struct Memory {
    place: UnsafeCell<()>,
    is_freed: AtomicBool,
    frees: thread::ThreadId,
}

impl Memory {
    fn of_this_thread() -> Self {
        Self { place: UnsafeCell::new(()), is_freed: AtomicBool::new(false), frees: thread::current().id() }
    }

    fn read(&self) {
        self.place.with(|_place| assert!(!self.is_freed(), "used after it was freed"));
    }

    fn free(&self) {
        assert_eq!(thread::current().id(), self.frees, "only the control thread frees");
        self.place.with_mut(|_place| self.is_freed.store(true, Ordering::SeqCst));
    }

    fn is_freed(&self) -> bool {
        self.is_freed.load(Ordering::SeqCst)
    }
}

/// A reference, as `control::RouteRef` is one.
struct Reference(Arc<Entry>);

impl Reference {
    fn new(entry: &Arc<Entry>) -> Self {
        entry.refs.add();
        Self(Arc::clone(entry))
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        self.0.refs.remove();
    }
}

/// What is done otherwise than it should be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Broken {
    Nothing,
    /// What left is freed although a worker may still have a snapshot with it.
    FreedTooEarly,
    /// Somebody uses it without a reference.
    NotHeld,
}

/// Deletes a route while a worker forwards by it and somebody else holds it.
#[expect(clippy::arc_with_non_send_sync, reason = "loom runs all of its threads in one")]
fn delete(broken: Broken) {
    let memory = Ghost::new(Memory::of_this_thread());
    let entry = Arc::new(Entry { refs: References::default(), memory: Ghost::clone(&memory) });
    let mut publisher = Publisher::new(Snapshot { generation: 0, route: Some(Ghost::clone(&memory)) });
    let mut reader = publisher.reader();
    let reference = (broken != Broken::NotHeld).then(|| Reference::new(&entry));
    let (held, mut trash) = (Ghost::clone(&memory), Trash::default());

    let worker = thread::spawn(move || {
        for _turn in 0..2 {
            reader.pin().route.iter().for_each(|route| route.read());
        }
    });
    let holder = thread::spawn(move || {
        held.read();
        drop(reference);
    });

    publisher.publish(Snapshot { generation: 1, route: None });
    trash.take(entry, 1);
    let oldest = match broken {
        Broken::FreedTooEarly => publisher.current().generation,
        Broken::Nothing | Broken::NotHeld => publisher.oldest().generation,
    };
    trash.empty(oldest);

    worker.join().expect("it ran to its end");
    holder.join().expect("it ran to its end");
    assert_eq!(publisher.reclaim(), 0, "nobody has a snapshot any more");
    assert_eq!(trash.empty(publisher.oldest().generation), 0, "nor the route");
    assert!(memory.is_freed(), "so it is gone");
}

// holds S2.19, S3.05, X15, X18
#[test]
fn cn_05_what_is_deleted_is_freed_once_neither_a_worker_nor_a_holder_needs_it_and_by_the_control_thread() {
    loom::model(|| delete(Broken::Nothing));
}

#[test]
#[should_panic(expected = "Causality violation")]
fn cn_05_a_model_that_frees_before_workers_have_moved_on_is_found_out() {
    loom::model(|| delete(Broken::FreedTooEarly));
}

#[test]
#[should_panic(expected = "Causality violation")]
fn cn_05_a_model_in_which_somebody_uses_what_he_does_not_hold_is_found_out() {
    loom::model(|| delete(Broken::NotHeld));
}
