//! Who polls which receive queue, and how a queue goes from one worker to another while both run.
//!
//! ```text
//!   QueueMap --- "queue 3 is worker 1's" ---> every Desk          (one store, and a call)
//!   worker 0, between two turns: has queue 3 ---> its owner's box (the queue itself, and a call)
//!   worker 1, between two turns: its box ---> its ports
//! ```
//!
//! A queue is a value that cannot be copied, and whoever has it polls it: so never do two. The control thread writes into
//! the map who is to have it, and waits for nobody. Whoever has it gives it away between two turns, when no frame of it is
//! in his hands; what arrives on the way waits in the queue. On the way it is for a turn of each of the two at most.
//!
//! It costs a worker one load a turn, of a flag that nobody writes as long as nothing is to change.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};

use crossbeam::queue::ArrayQueue;
use crossbeam::utils::CachePadded;

/// A receive queue of any port: they are numbered through, those of the first port first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueId(pub u16);

impl QueueId {
    /// Its place in whatever is indexed by queue.
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A worker, numbered as the configuration has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerId(pub u16);

impl WorkerId {
    /// Its place in whatever is indexed by worker.
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The map and the desk of each of `workers`, for queues that are with their `owners` from the start, by [`QueueId`].
///
/// # Panics
///
/// When an owner is none of the workers.
pub fn desks<Q>(owners: &[WorkerId], workers: u16) -> (QueueMap, Vec<Desk<Q>>) {
    assert!(owners.iter().all(|owner| owner.0 < workers), "a queue belongs to a worker that there is");
    let places = |owners: &[WorkerId]| owners.iter().map(|owner| AtomicU16::new(owner.0)).collect();
    let calls = (0..workers).map(|_worker| CachePadded::new(AtomicBool::new(false)));
    let shared = Arc::new(Shared { owners: places(owners), holders: places(owners), calls: calls.collect() });
    // Every queue there is once, so each box has room for all that can ever be in it.
    let boxes: Arc<[_]> = (0..workers).map(|_worker| ArrayQueue::new(owners.len().max(1))).collect();
    let desk = |me| Desk { me: WorkerId(me), shared: Arc::clone(&shared), boxes: Arc::clone(&boxes) };
    let desks = (0..workers).map(desk).collect();
    (QueueMap(shared), desks)
}

/// The control thread's end: who is to poll each queue.
#[derive(Debug)]
pub struct QueueMap(Arc<Shared>);

impl QueueMap {
    /// How many queues there are.
    pub fn queues(&self) -> usize {
        self.0.owners.len()
    }

    /// Gives queues to other workers; they change hands as soon as those who have them end their turn.
    pub fn assign(&self, owners: impl IntoIterator<Item = (QueueId, WorkerId)>) {
        for (queue, owner) in owners {
            debug_assert!(owner.index() < self.0.calls.len(), "a queue belongs to a worker that there is");
            // Relaxed: the calls below publish it.
            self.0.owners[queue.index()].store(owner.0, Ordering::Relaxed);
        }
        // Whoever has one of them now is known only to himself.
        (0..).zip(&self.0.calls).for_each(|(worker, _call)| self.0.call(WorkerId(worker)));
    }

    /// Who is to poll a queue.
    pub fn owner(&self, queue: QueueId) -> WorkerId {
        self.0.owner(queue)
    }

    /// Whether its owner has it yet.
    pub fn has_arrived(&self, queue: QueueId) -> bool {
        // Relaxed: for people to see, ordered with nothing.
        self.0.holders[queue.index()].load(Ordering::Relaxed) == self.owner(queue).0
    }
}

/// What a worker's queues are in.
pub trait Hands<Q> {
    /// Lets go of a queue, if it is in them.
    fn release(&mut self, queue: QueueId) -> Option<Q>;

    /// Takes a queue, to be polled from the next turn on.
    fn take(&mut self, queue: Q);
}

/// A worker's end: where it gets queues, and gives them to others.
#[derive(Debug)]
pub struct Desk<Q> {
    me: WorkerId,
    shared: Arc<Shared>,
    /// What is on its way to each worker.
    boxes: Arc<[ArrayQueue<(QueueId, Q)>]>,
}

impl<Q> Desk<Q> {
    /// Whether there may be something to [exchange](Self::exchange).
    #[inline]
    pub fn is_called(&self) -> bool {
        // Relaxed: what there is to see is ordered by the swap in `exchange`.
        self.shared.calls[self.me.index()].load(Ordering::Relaxed)
    }

    /// Takes what is here for this worker, and passes on what others are to have. To be done between two turns.
    pub fn exchange(&mut self, hands: &mut impl Hands<Q>) {
        // Acquire: all that was written before any call since the last time is seen below. A call that comes in later
        // stands, and is for the next time.
        self.shared.calls[self.me.index()].swap(false, Ordering::Acquire);
        while let Some((queue, taken)) = self.boxes[self.me.index()].pop() {
            hands.take(taken);
            self.shared.holders[queue.index()].store(self.me.0, Ordering::Relaxed);
        }
        for queue in (0..).map(QueueId).take(self.shared.owners.len()) {
            let owner = self.shared.owner(queue);
            if owner != self.me
                && let Some(given) = hands.release(queue)
            {
                let put = self.boxes[owner.index()].push((queue, given));
                assert!(put.is_ok(), "a box has room for every queue there is");
                self.shared.call(owner);
            }
        }
    }
}

#[derive(Debug)]
struct Shared {
    /// Who is to have each queue.
    owners: Box<[AtomicU16]>,
    /// Who took it last.
    holders: Box<[AtomicU16]>,
    /// Whether each worker is to look at its desk.
    calls: Box<[CachePadded<AtomicBool>]>,
}

impl Shared {
    fn owner(&self, queue: QueueId) -> WorkerId {
        WorkerId(self.owners[queue.index()].load(Ordering::Relaxed))
    }

    fn call(&self, worker: WorkerId) {
        // Release: whoever sees the call sees what it is about. A swap and not a store: a store would cut off the calls
        // before it, and with them what those are about.
        self.calls[worker.index()].swap(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests;
