//! Which snapshots are still held, and what may be reused because they are not.
//!
//! Each publication retires the blocks it replaced. A retired block was born in some generation and was last reachable
//! from the one before its retirement, so it is garbage once none of *those* generations is held: a reader stalled on
//! generation 5 pins what generation 5 can reach, and nothing that was born later. Memory is therefore bounded by one
//! table per distinct snapshot held plus the current one, however fast the writer goes: the generations in between, which
//! nobody holds, are merged into their elders.
//!
//! A generation is held while its `Arc` has an owner besides this list. `Arc::get_mut` is the test: it succeeds only for
//! a sole owner, and then everything other owners did with the snapshot happened before. Nobody can take a new hold on
//! such a snapshot, since there is no `Arc` left to clone: "free" never becomes "held" again.

use std::collections::VecDeque;

use super::sync::Arc;

/// The published snapshots that may still be held, oldest first; the last is the current one.
#[derive(Debug)]
pub(crate) struct Generations<S, B> {
    held: VecDeque<Generation<S, B>>,
}

/// One published snapshot, and what was last reachable from it.
#[derive(Debug)]
struct Generation<S, B> {
    number: u64,
    snapshot: Arc<S>,
    retired: Vec<Retired<B>>,
}

/// A block that newer generations do without.
#[derive(Debug)]
pub(crate) struct Retired<B> {
    /// The block.
    pub(crate) block: B,
    /// The first generation that could reach it.
    pub(crate) born: u64,
}

impl<S, B> Generations<S, B> {
    /// Starts with `first` as generation 0.
    pub(crate) fn new(first: S) -> Self {
        Self { held: VecDeque::from([Generation { number: 0, snapshot: Arc::new(first), retired: Vec::new() }]) }
    }

    /// The current snapshot.
    pub(crate) fn current(&self) -> &Arc<S> {
        &self.held.back().expect("the current generation is never reclaimed").snapshot
    }

    /// The number the next generation will have.
    pub(crate) fn next_number(&self) -> u64 {
        self.held.back().map_or(0, |current| current.number + 1)
    }

    /// How many snapshots may still be held, the current one included.
    pub(crate) fn live(&self) -> usize {
        self.held.len()
    }

    /// Makes `next` current. What it replaced, in `retired`, stays until no snapshot that reaches it is held.
    pub(crate) fn publish(&mut self, next: S, retired: &mut Vec<Retired<B>>) {
        let number = self.next_number();
        if let Some(replaced) = self.held.back_mut() {
            replaced.retired.append(retired);
        }
        self.held.push_back(Generation { number, snapshot: Arc::new(next), retired: Vec::new() });
    }

    /// Gives every block to `free` that no held snapshot reaches, and forgets the snapshots nobody holds.
    pub(crate) fn reclaim(&mut self, mut free: impl FnMut(B)) {
        for _each in 1..self.held.len() {
            // Oldest first, each put back behind the current one if it stays; a full turn restores the order.
            let Some(mut oldest) = self.held.pop_front() else { break };
            if Arc::get_mut(&mut oldest.snapshot).is_none() {
                self.held.push_back(oldest);
                continue;
            }
            let kept = self.held.back_mut().filter(|elder| elder.number < oldest.number);
            match kept {
                None => oldest.retired.into_iter().for_each(|retired| free(retired.block)),
                Some(elder) => {
                    for retired in oldest.retired {
                        if retired.born <= elder.number {
                            elder.retired.push(retired);
                        } else {
                            free(retired.block);
                        }
                    }
                }
            }
        }
        // The current one was never popped: it is now in front of those that stayed.
        self.held.rotate_left(1);
    }

    /// Takes everything that waits, whoever may hold it: for when the blocks' memory itself has been replaced.
    pub(crate) fn take_waiting(&mut self) -> impl Iterator<Item = B> + '_ {
        self.held.iter_mut().flat_map(|generation| generation.retired.drain(..)).map(|retired| retired.block)
    }
}
