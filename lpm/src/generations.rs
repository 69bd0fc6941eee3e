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

use crate::sync::Arc;

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

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// Publishes `name` and retires `block`, which lived since `born`.
    fn step(generations: &mut Generations<&'static str, u32>, name: &'static str, block: u32, born: u64) {
        generations.publish(name, &mut vec![Retired { block, born }]);
    }

    fn reclaimed(generations: &mut Generations<&'static str, u32>) -> Vec<u32> {
        let mut free = Vec::new();
        generations.reclaim(|block| free.push(block));
        free.sort_unstable();
        free
    }

    #[test]
    fn what_nobody_holds_is_free_at_once() {
        let mut generations = Generations::new("zero");
        step(&mut generations, "one", 10, 0);
        step(&mut generations, "two", 11, 0);
        assert_eq!(reclaimed(&mut generations), [10, 11]);
        assert_eq!((generations.live(), **generations.current()), (1, "two"));
    }

    #[test]
    fn a_stalled_reader_pins_what_it_can_reach_and_nothing_younger() {
        let mut generations = Generations::new("zero");
        step(&mut generations, "one", 10, 0);
        let stalled = Arc::clone(generations.current());
        step(&mut generations, "two", 20, 0);
        step(&mut generations, "three", 30, 1);
        step(&mut generations, "four", 40, 2);
        assert_eq!(reclaimed(&mut generations), [10, 40], "born after generation 1, or gone before it");
        assert_eq!(generations.live(), 2);
        drop(stalled);
        assert_eq!(reclaimed(&mut generations), [20, 30]);
    }

    #[test]
    fn the_order_of_generations_survives_a_reclaim_with_several_held() {
        let mut generations = Generations::new("zero");
        let zero = Arc::clone(generations.current());
        step(&mut generations, "one", 1, 0);
        step(&mut generations, "two", 2, 1);
        let two = Arc::clone(generations.current());
        step(&mut generations, "three", 3, 2);
        step(&mut generations, "four", 4, 1);
        assert_eq!(reclaimed(&mut generations), [2], "only generation 1 reached it");
        assert_eq!((generations.live(), **generations.current()), (3, "four"));
        drop(zero);
        assert_eq!(reclaimed(&mut generations), [1]);
        drop(two);
        assert_eq!(reclaimed(&mut generations), [3, 4]);
        assert_eq!(generations.live(), 1);
    }
}

/// All orders of a writer's and two readers' steps, by loom: `RUSTFLAGS="--cfg loom" cargo test -p lpm --release model`.
///
/// The place that readers find the current snapshot in is a lock here, since loom cannot see inside `arc_swap`; what both
/// promise is the same, an `Arc` cloned while it is current.
#[cfg(all(test, loom))]
mod model {
    use loom::cell::UnsafeCell;
    use loom::sync::{Arc, Mutex};
    use loom::thread;

    use super::*;

    /// Which block a snapshot reads, and what it has to find there.
    #[derive(Debug)]
    struct Snapshot {
        block: usize,
        content: u32,
    }

    /// As many blocks as writing three times needs while one reader sits on the first.
    type Blocks = Arc<[UnsafeCell<u32>; 3]>;

    #[test]
    fn no_block_is_written_while_a_snapshot_that_reaches_it_is_held() {
        loom::model(|| {
            let blocks: Blocks = Arc::new([UnsafeCell::new(0), UnsafeCell::new(0), UnsafeCell::new(0)]);
            let mut generations = Generations::new(Snapshot { block: 0, content: 0 });
            let current = Arc::new(Mutex::new(Arc::clone(generations.current())));
            let readers: Vec<_> = (0..2)
                .map(|_| {
                    let (blocks, current) = (Arc::clone(&blocks), Arc::clone(&current));
                    thread::spawn(move || {
                        let snapshot: Arc<Snapshot> = Arc::clone(&current.lock().unwrap());
                        blocks[snapshot.block].with(|content| {
                            // SAFETY: not at all, if the protocol is wrong: loom watches this access for a conflict.
                            #[expect(unsafe_code, reason = "loom's cell stands for the arena")]
                            let content = unsafe { *content };
                            assert_eq!(content, snapshot.content);
                        });
                    })
                })
                .collect();

            let mut free = vec![2, 1];
            let mut in_use = (0, 0);
            for content in 1..=3 {
                // With a reader on each of two older generations there may be none: then this one is merged with the next.
                let Some(block) = free.pop() else {
                    generations.reclaim(|block| free.push(block));
                    continue;
                };
                blocks[block].with_mut(|place| {
                    // SAFETY: as above.
                    #[expect(unsafe_code, reason = "loom's cell stands for the arena")]
                    unsafe {
                        *place = content;
                    }
                });
                let (old, born) = std::mem::replace(&mut in_use, (block, generations.next_number()));
                generations.publish(Snapshot { block, content }, &mut vec![Retired { block: old, born }]);
                *current.lock().unwrap() = Arc::clone(generations.current());
                generations.reclaim(|block| free.push(block));
            }
            for reader in readers {
                reader.join().unwrap();
            }
            generations.reclaim(|block| free.push(block));
            assert_eq!((generations.live(), free.len()), (1, 2));
        });
    }
}
