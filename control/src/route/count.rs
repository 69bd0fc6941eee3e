//! What a route has sent, if somebody counts it (`rt_pksent`).
//!
//! Workers count; what is here gives out the cells in which they do, and adds them up. A route that is counted for the
//! first time gets a count of its own and keeps it as long as there is an entry, counted or not. The entry goes when nobody
//! holds it and no worker uses a state any more that has it (see [`boundary::Trash`]), so the count of a route that is deleted
//! becomes final while it can still be read, and its cells are free when nobody writes there any more.

use std::sync::{Arc, Mutex, PoisonError};

use boundary::{Chunk, CountId};

/// All counts.
#[derive(Debug)]
pub(crate) struct Counts {
    workers: usize,
    chunks: Vec<Arc<Chunk>>,
    shared: Option<Arc<[Arc<Chunk>]>>,
    /// Those that had a route which is gone. An entry may end in whoever held it last.
    free: Arc<Mutex<Vec<CountId>>>,
    /// The first that nobody ever had.
    next: u32,
}

impl Counts {
    /// None yet, of so many workers.
    pub(crate) fn of_workers(workers: usize) -> Self {
        let next = CountId::NOBODY.number() + 1;
        Self { workers, chunks: Vec::new(), shared: None, free: Arc::default(), next }
    }

    /// One that nobody has; none if there are as many as can be.
    pub(crate) fn give(&mut self) -> Option<Count> {
        let freed = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let id = freed.or_else(|| CountId::new(self.next))?;
        self.next = self.next.max(id.number() + 1);
        while self.chunks.len() <= id.chunk() {
            self.chunks.push(Arc::new(Chunk::new(self.workers)));
            self.shared = None;
        }
        let chunk = Arc::clone(&self.chunks[id.chunk()]);
        let before = chunk.sum(id);
        Some(Count { id, chunk, before, free: Arc::clone(&self.free) })
    }

    /// The cells of all, for workers.
    pub(crate) fn share(&mut self) -> Arc<[Arc<Chunk>]> {
        Arc::clone(self.shared.get_or_insert_with(|| self.chunks.as_slice().into()))
    }
}

/// A route's.
#[derive(Debug)]
pub(crate) struct Count {
    id: CountId,
    chunk: Arc<Chunk>,
    /// What was counted there for others before.
    before: u64,
    free: Arc<Mutex<Vec<CountId>>>,
}

impl Count {
    pub(crate) const fn id(&self) -> CountId {
        self.id
    }

    /// Packets that were sent.
    pub(crate) fn sent(&self) -> u64 {
        self.chunk.sum(self.id) - self.before
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(self.id);
    }
}

#[cfg(test)]
mod tests {
    use boundary::Counted;

    use super::*;

    #[test]
    fn a_count_that_is_given_again_starts_anew() {
        let mut counts = Counts::of_workers(2);
        let first = counts.give().unwrap();
        let counted = Counted { chunks: counts.share(), ..Counted::default() };
        (0..2).for_each(|worker| counted.sent(worker, first.id()));
        assert_eq!(first.sent(), 2);
        let id = first.id();
        drop(first);
        let second = counts.give().unwrap();
        assert_eq!((second.id(), second.sent()), (id, 0), "the same cells, without what was there");
        counted.sent(1, second.id());
        assert_eq!(second.sent(), 1);
    }

    #[test]
    fn there_are_as_many_as_are_asked_for_each_with_cells_of_its_own() {
        let mut counts = Counts::of_workers(1);
        let given: Vec<_> = (0..3000).map(|_route| counts.give().unwrap()).collect();
        let counted = Counted { chunks: counts.share(), ..Counted::default() };
        for (number, count) in given.iter().enumerate() {
            (0..=number % 3).for_each(|_packet| counted.sent(0, count.id()));
        }
        assert!(given.iter().enumerate().all(|(number, count)| count.sent() == number as u64 % 3 + 1));
        assert!(given.iter().all(|count| count.id() != CountId::NOBODY));
    }
}
