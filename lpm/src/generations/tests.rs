//! Which generation pins what.

use crate::generations::{Generations, Retired};
use crate::sync::Arc;

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
