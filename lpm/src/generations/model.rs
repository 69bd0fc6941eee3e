//! All orders of a writer's and two readers' steps, by loom, over the project's own [`Generations`]: the same file, made of
//! loom's `Arc` instead of the standard one.
//!
//! The place that readers find the current snapshot in is a lock here, since loom cannot see inside `arc_swap`; what both
//! promise is the same, an `Arc` cloned while it is current.

use loom::cell::UnsafeCell;
use loom::sync::{Arc, Mutex};
use loom::thread;

use generations::{Generations, Retired};

#[expect(clippy::duplicate_mod, dead_code, reason = "the same file, made of what loom sees through")]
#[path = "../generations.rs"]
mod generations;

/// What it is made of here.
mod sync {
    pub(super) use loom::sync::Arc;
}

/// Which block a snapshot reads, and what it has to find there.
#[derive(Debug)]
struct Snapshot {
    block: usize,
    content: u32,
}

/// As many blocks as writing three times needs while one reader sits on the first.
type Blocks = Arc<[UnsafeCell<u32>; 3]>;

/// Three times written and published, while two readers read.
fn write_and_read(freed: Freed) {
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
        let mut retired = vec![Retired { block: old, born }];
        if freed == Freed::AtOnce {
            free.extend(retired.drain(..).map(|retired| retired.block));
        }
        generations.publish(Snapshot { block, content }, &mut retired);
        *current.lock().unwrap() = Arc::clone(generations.current());
        generations.reclaim(|block| free.push(block));
    }
    for reader in readers {
        reader.join().unwrap();
    }
    generations.reclaim(|block| free.push(block));
    assert_eq!((generations.live(), free.len()), (1, 2));
}

/// When what a snapshot replaced may be written again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Freed {
    /// When `Generations` say so.
    ByGenerations,
    /// At once, which is wrong: a model that cannot fail shows nothing.
    AtOnce,
}

#[test]
fn no_block_is_written_while_a_snapshot_that_reaches_it_is_held() {
    loom::model(|| write_and_read(Freed::ByGenerations));
}

#[test]
#[should_panic(expected = "Causality violation")]
fn a_block_that_is_free_as_soon_as_it_is_replaced_is_written_under_a_reader() {
    loom::model(|| write_and_read(Freed::AtOnce));
}
