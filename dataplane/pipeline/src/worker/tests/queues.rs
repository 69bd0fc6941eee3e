//! Receive queues that go from worker to worker while frames arrive in them.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use boundary::handover::{Hands, desks};
use boundary::{Desk, QueueId, WorkerId, connect_queues};

use super::*;

/// A receive queue that anybody may put frames into, and one worker takes them out of.
struct Queue {
    number: u16,
    arriving: Arc<Mutex<VecDeque<MemoryFrame>>>,
}

/// A port of several receive queues, and a wire that all workers send on.
struct Queued {
    queues: Vec<Queue>,
    numbers: Vec<u16>,
    wire: Arc<Mutex<Vec<MemoryFrame>>>,
}

impl Port for Queued {
    type Frame = MemoryFrame;

    fn queues(&self) -> &[u16] {
        &self.numbers
    }

    fn receive(&mut self, nth: usize, burst: &mut Burst<MemoryFrame>) {
        let mut arriving = self.queues[nth].arriving.lock().unwrap();
        let count = arriving.len().min(burst.remaining_capacity());
        burst.extend(arriving.drain(..count));
    }

    fn transmit(&mut self, burst: &mut Burst<MemoryFrame>) {
        self.wire.lock().unwrap().extend(burst.drain(..));
    }

    fn originate(&mut self, bytes: &[u8]) -> Option<MemoryFrame> {
        Some(MemoryFrame(bytes.to_vec()))
    }
}

/// The ports of a worker; only the first has receive queues.
struct Ports<'a>(&'a mut [Queued]);

impl Hands<Queue> for Ports<'_> {
    fn release(&mut self, queue: QueueId) -> Option<Queue> {
        let port = &mut self.0[0];
        let place = port.numbers.iter().position(|number| *number == queue.0)?;
        port.numbers.remove(place);
        Some(port.queues.remove(place))
    }

    fn take(&mut self, queue: Queue) {
        self.0[0].numbers.push(queue.number);
        self.0[0].queues.push(queue);
    }
}

/// The queue and the place in it of a frame made by [`marked`].
fn mark(frame: &MemoryFrame) -> (u8, u16) {
    let mark = &frame.0[frame.0.len() - 3..];
    (mark[0], u16::from_be_bytes([mark[1], mark[2]]))
}

fn marked(queue: u8, place: u16) -> MemoryFrame {
    let mut frame = transit();
    let end = frame.0.len();
    let [high, low] = place.to_be_bytes();
    frame.0[end - 3..].copy_from_slice(&[queue, high, low]);
    frame
}

#[test]
fn a_queue_that_changes_hands_loses_no_frame_and_keeps_their_order() {
    const QUEUES: u16 = 3;
    const WORKERS: u16 = 2;
    const FRAMES: u16 = 5000;
    let arriving: Vec<Arc<Mutex<VecDeque<_>>>> = (0..QUEUES).map(|_queue| Arc::default()).collect();
    let wire: Arc<Mutex<Vec<_>>> = Arc::default();
    let (_publisher, _links, counters, ends) = connect_queues(state(), &[QUEUES, 1], 2, RingSizes::default());
    let (map, desks) = desks::<Queue>(&[WorkerId(0); QUEUES as usize], WORKERS);
    let port = || Queued { queues: Vec::new(), numbers: Vec::new(), wire: Arc::clone(&wire) };
    let mut workers: Vec<_> = ends.into_iter().map(|end| Worker::new(vec![port(), port()], end)).collect();
    for (number, arriving) in (0..).zip(&arriving) {
        Ports(workers[0].ports_mut()).take(Queue { number, arriving: Arc::clone(arriving) });
    }

    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for (worker, desk) in workers.into_iter().zip(desks) {
            let (mut worker, mut desk): (Worker<Queued>, Desk<Queue>) = (worker, desk);
            let stop = &stop;
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    if worker.turn() == 0 {
                        thread::yield_now();
                    }
                    if desk.is_called() {
                        desk.exchange(&mut Ports(worker.ports_mut()));
                    }
                }
                worker.finish();
            });
        }
        let arrive = |place| {
            for (queue, arriving) in (0..).zip(&arriving) {
                arriving.lock().unwrap().push_back(marked(queue, place));
            }
        };
        for place in 0..FRAMES - 1 {
            arrive(place);
            let queue = QueueId(place % QUEUES);
            map.assign([(queue, WorkerId(place / 3 % WORKERS))]);
            if place.is_multiple_of(8) {
                thread::yield_now();
            }
        }
        map.assign((0..QUEUES).map(|queue| (QueueId(queue), WorkerId(1))));
        while !(0..QUEUES).map(QueueId).all(|queue| map.has_arrived(queue)) {
            thread::yield_now();
        }
        arrive(FRAMES - 1);
        while counters.iter().map(|counters| counters.read().received()).sum::<u64>() < u64::from(FRAMES * QUEUES) {
            thread::yield_now();
        }
        stop.store(true, Ordering::Relaxed);
    });

    let totals = Totals::of_all(&counters);
    assert!(totals.is_conserved(), "{totals:?}");
    assert_eq!(totals.transmitted(), u64::from(FRAMES * QUEUES));
    assert_eq!(totals.queues(LEFT), [u64::from(FRAMES); QUEUES as usize], "whoever polled it");
    let wire = wire.lock().unwrap();
    for queue in 0..3 {
        let left = wire.iter().map(mark).filter(|(from, _place)| *from == queue).map(|(_from, place)| place);
        assert!(left.eq(0..FRAMES), "each once, in the order it came in");
    }
    assert!(counters[1].read().received() >= u64::from(QUEUES), "the last of each was the second worker's");
}

#[test]
fn a_worker_without_a_queue_of_a_port_sends_on_it_all_the_same() {
    let (_publisher, mut links, counters, mut ends) = connect_queues(state(), &[0, 0], 1, RingSizes::default());
    let port = || Queued { queues: Vec::new(), numbers: Vec::new(), wire: Arc::default() };
    let mut worker = Worker::new(vec![port(), port()], ends.remove(0));
    links[0].originate.send(RIGHT, &[1; 60]).unwrap();
    assert_eq!(worker.turn(), 1);
    assert_eq!((counters[0].read().originated(), counters[0].read().received()), (1, 0));
}
