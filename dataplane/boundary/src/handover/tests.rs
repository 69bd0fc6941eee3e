//! A queue is with one worker at a time, and in the end with its owner, whatever the map says in between.

use std::sync::atomic::AtomicUsize;
use std::thread;

use super::*;

/// Queues by their numbers, as the only thing a worker does with them.
#[derive(Debug, Default)]
struct Held(Vec<QueueId>);

impl Hands<QueueId> for Held {
    fn release(&mut self, queue: QueueId) -> Option<QueueId> {
        let place = self.0.iter().position(|held| *held == queue)?;
        Some(self.0.swap_remove(place))
    }

    fn take(&mut self, queue: QueueId) {
        self.0.push(queue);
    }
}

/// Desks of `workers`, with queues that are with these from the start.
fn office(owners: &[u16], workers: u16) -> (QueueMap, Vec<(Desk<QueueId>, Held)>) {
    let owners: Vec<_> = owners.iter().copied().map(WorkerId).collect();
    let (map, desks) = desks(&owners, workers);
    let held =
        |me| (0..).zip(&owners).filter(|(_, owner)| owner.index() == me).map(|(queue, _)| QueueId(queue)).collect();
    let desks = desks.into_iter().enumerate().map(|(me, desk)| (desk, Held(held(me)))).collect();
    (map, desks)
}

#[test]
fn a_queue_goes_to_its_new_owner_between_two_turns() {
    let (map, mut desks) = office(&[0, 0], 2);
    let [(first, its), (second, others)] = &mut desks[..] else { panic!("two workers") };
    assert!(!first.is_called() && !second.is_called(), "nothing is to change");

    map.assign([(QueueId(1), WorkerId(1))]);
    assert!(!map.has_arrived(QueueId(1)), "it is still where it was");
    assert!(first.is_called());
    first.exchange(its);
    assert_eq!(its.0, [QueueId(0)]);
    assert!(second.is_called() && others.0.is_empty(), "it is on its way");
    second.exchange(others);
    assert_eq!(others.0, [QueueId(1)]);
    assert!(map.has_arrived(QueueId(1)) && map.owner(QueueId(1)) == WorkerId(1));
    assert!(!first.is_called() && !second.is_called(), "all is done");
}

#[test]
fn a_queue_on_its_way_to_who_is_no_longer_its_owner_is_passed_on() {
    let (map, mut desks) = office(&[0], 3);
    map.assign([(QueueId(0), WorkerId(1))]);
    let (desk, held) = &mut desks[0];
    desk.exchange(held);
    map.assign([(QueueId(0), WorkerId(2))]);
    for (desk, held) in &mut desks {
        desk.exchange(held);
    }
    let held: Vec<_> = desks.iter().map(|(_, held)| held.0.len()).collect();
    assert_eq!(held, [0, 0, 1]);
    assert!(map.has_arrived(QueueId(0)));
}

#[test]
fn a_map_that_says_what_was_so_before_moves_nothing() {
    let (map, mut desks) = office(&[0, 1], 2);
    map.assign([(QueueId(0), WorkerId(0)), (QueueId(1), WorkerId(1))]);
    for (me, (desk, held)) in (0..).zip(&mut desks) {
        desk.exchange(held);
        assert_eq!(held.0, [QueueId(me)]);
    }
}

#[test]
fn a_queue_that_nobody_took_goes_with_the_last_desk() {
    let queue = Arc::new(());
    struct One(Option<Arc<()>>);
    impl Hands<Arc<()>> for One {
        fn release(&mut self, _queue: QueueId) -> Option<Arc<()>> {
            self.0.take()
        }
        fn take(&mut self, queue: Arc<()>) {
            self.0 = Some(queue);
        }
    }
    let (map, mut desks) = desks(&[WorkerId(0)], 2);
    map.assign([(QueueId(0), WorkerId(1))]);
    desks[0].exchange(&mut One(Some(Arc::clone(&queue))));
    assert_eq!(Arc::strong_count(&queue), 2, "it waits in the other's box");
    drop((map, desks));
    assert_eq!(Arc::strong_count(&queue), 1);
}

/// Each of many changes of the map while four workers turn: whoever holds a queue is alone with it, and in the end every
/// queue is with its owner.
#[test]
fn under_many_changes_each_queue_is_with_one_worker_and_ends_with_its_owner() {
    const QUEUES: u16 = 6;
    const WORKERS: u16 = 4;
    let owners: Vec<_> = (0..QUEUES).map(|queue| queue % WORKERS).collect();
    let (map, desks) = office(&owners, WORKERS);
    let users: Vec<AtomicUsize> = owners.iter().map(|_queue| AtomicUsize::new(0)).collect();
    let stop = AtomicBool::new(false);
    let held = thread::scope(|scope| {
        let work = |(mut desk, mut held): (Desk<QueueId>, Held)| {
            let (users, stop) = (&users, &stop);
            move || {
                while !stop.load(Ordering::Relaxed) {
                    for queue in &held.0 {
                        assert_eq!(users[queue.index()].fetch_add(1, Ordering::Relaxed), 0, "two have {queue:?}");
                        users[queue.index()].fetch_sub(1, Ordering::Relaxed);
                    }
                    if desk.is_called() {
                        desk.exchange(&mut held);
                    }
                    thread::yield_now();
                }
                held
            }
        };
        let workers: Vec<_> = desks.into_iter().map(|desk| scope.spawn(work(desk))).collect();
        for change in 0..2000_u16 {
            let queue = QueueId(change % QUEUES);
            map.assign([(queue, WorkerId(change.wrapping_mul(7) / 3 % WORKERS))]);
            if change.is_multiple_of(16) {
                thread::yield_now();
            }
        }
        while !(0..QUEUES).map(QueueId).all(|queue| map.has_arrived(queue)) {
            thread::yield_now();
        }
        stop.store(true, Ordering::Relaxed);
        workers.into_iter().map(|worker| worker.join().unwrap()).collect::<Vec<_>>()
    });
    let mut all: Vec<_> = held.iter().flat_map(|held| held.0.iter().copied()).collect();
    all.sort();
    assert_eq!(all, (0..QUEUES).map(QueueId).collect::<Vec<_>>(), "each is there, once");
    for (me, held) in (0..).zip(&held) {
        assert!(held.0.iter().all(|queue| map.owner(*queue) == WorkerId(me)));
    }
}
