//! The control thread: the one place with a clock.
//!
//! It takes what workers punted and what clients ask, lets [`Control`] decide, and sends what that says. Nobody waits for
//! it but those who asked, and it waits for nobody: rings that are full lose frames and count them, and a client that is
//! gone does not get its answer.
//!
//! Workers have no way to wake it: that would be a system call on their side. So it looks by itself, again at once while
//! there is something to do, and then less and less often, [`LONGEST_NAP`] apart at most. A ping is answered well within a
//! millisecond, and an idle router costs a percent or two of one core. A request wakes it at once.
//!
//! That is two thousand looks a second of an idle router, and a longer nap is no gain: the first packet to a host that nobody
//! has spoken to waits for it, and so does the first of every conversation that begins after a silence, while what is saved is
//! a fraction of a core that no worker is on.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use boundary::{PortId, WorkerLink, punt, ring};
use control_api::{ApiError, ErrorKind};
use crossbeam::channel::{Receiver, RecvTimeoutError};

use crate::control::{Control, Outbox};
use crate::limit::TokenBucket;
use crate::server::Asked;
use crate::time::Timestamp;

/// How long it looks away when nothing happens.
pub const LONGEST_NAP: Duration = Duration::from_micros(500);

/// A running control thread. Dropping it stops it, too.
#[derive(Debug)]
pub struct ControlThread {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Control>>,
}

impl ControlThread {
    /// Starts it. `control` was made at [`Timestamp`] zero, which is `epoch` on the clock.
    ///
    /// `alarm` is dropped when the thread ends, also by a panic: so its owner can notice.
    ///
    /// # Errors
    ///
    /// When the system has no thread left.
    pub fn spawn(
        control: Control,
        links: Vec<WorkerLink>,
        requests: Receiver<Asked>,
        epoch: Instant,
        alarm: impl Send + 'static,
    ) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let life = move || {
            let _alarm = alarm;
            run(control, links, &requests, &stopped, epoch)
        };
        let thread = std::thread::Builder::new().name("control".to_owned()).spawn(life)?;
        Ok(Self { stop, thread: Some(thread) })
    }

    /// Whether it is running, as it does until it is stopped.
    pub fn is_running(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// Stops it: what workers have punted by now is still decided, and requests that wait are refused.
    ///
    /// Returns what it knew in the end; nothing, if it had panicked.
    pub fn stop(mut self) -> Option<Control> {
        self.join()
    }

    fn join(&mut self) -> Option<Control> {
        // Relaxed: nothing is handed over by it.
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take()?.join().ok()
    }
}

impl Drop for ControlThread {
    fn drop(&mut self) {
        let _what_it_knew = self.join();
    }
}

/// What the thread does until `stop` is set.
pub fn run(
    mut control: Control,
    links: Vec<WorkerLink>,
    requests: &Receiver<Asked>,
    stop: &AtomicBool,
    epoch: Instant,
) -> Control {
    let (mut punts, mut outboxes): (Vec<_>, Vec<_>) =
        links.into_iter().map(|link| (link.punts, RingOutbox { ring: link.originate, lost: 0 })).unzip();
    // The first worker sends for all: frames of ours stay in order. Without any worker nothing leaves.
    let mut nowhere = Nowhere;
    let mut nap = SHORTEST_NAP;
    let mut samples = TokenBucket::new(1, 5);
    if let Some(outbox) = outboxes.first_mut() {
        control.announce(Timestamp::ZERO + epoch.elapsed(), outbox);
    }
    loop {
        // Relaxed: see `stop`. Read before the rings, so that what was in them then is decided below.
        let is_last = stop.load(Ordering::Relaxed);
        let now = Timestamp::ZERO + epoch.elapsed();
        let out: &mut dyn Outbox = outboxes.first_mut().map_or(&mut nowhere, |outbox| outbox);
        let rounds = if is_last { LAST_ROUNDS } else { 1 };
        let is_busy = (0..rounds).take_while(|_| take_punts(&mut control, &mut punts, now, out)).count() > 0;
        let is_busy = control.take_from_kernel(out) || is_busy;
        let is_busy = control.take_from_daemon(now) || is_busy;
        control.tick(now, out);
        if is_last {
            control.take_leave(now, out);
        }
        look_at_samples(&mut control, &mut punts, &mut samples, now);
        for outbox in &mut outboxes {
            control.frames_lost(std::mem::take(&mut outbox.lost));
        }
        if is_last {
            refuse_all(requests);
            return control;
        }
        nap = if is_busy { SHORTEST_NAP } else { (nap * 2).min(LONGEST_NAP) };
        for asked in wait_for_requests(requests, nap) {
            answer(&mut control, asked, epoch);
        }
    }
}

/// Decides at most [`PUNTS_A_ROUND`] frames of each worker; whether there were any.
fn take_punts(control: &mut Control, punts: &mut [punt::Receiver], now: Timestamp, out: &mut dyn Outbox) -> bool {
    let mut is_busy = false;
    for punts in punts {
        for _frame in 0..PUNTS_A_ROUND {
            if punts.receive(|punt, frame| control.handle_punt(punt, frame, now, out)).is_none() {
                break;
            }
            is_busy = true;
        }
    }
    is_busy
}

/// Logs samples of martians, at most a few and then one a second: while nobody looks, workers take no more.
fn look_at_samples(control: &mut Control, punts: &mut [punt::Receiver], limit: &mut TokenBucket, now: Timestamp) {
    for punts in punts {
        while punts.has_samples() && limit.take(now) {
            punts.sample(|sample, frame| control.log_martian(sample, frame));
        }
    }
}

/// The requests that wait, at most [`REQUESTS_A_ROUND`]; naps until there is one, or for so long.
fn wait_for_requests(requests: &Receiver<Asked>, nap: Duration) -> impl Iterator<Item = Asked> {
    let first = match requests.recv_timeout(nap) {
        Ok(asked) => Some(asked),
        Err(RecvTimeoutError::Timeout) => None,
        Err(RecvTimeoutError::Disconnected) => {
            // Nobody can ask any more; without this it would not nap at all.
            std::thread::sleep(nap);
            None
        }
    };
    first.into_iter().flat_map(|first| std::iter::once(first).chain(requests.try_iter().take(REQUESTS_A_ROUND - 1)))
}

fn answer(control: &mut Control, asked: Asked, epoch: Instant) {
    let answer = control.handle_asked(asked.request, asked.asker, Timestamp::ZERO + epoch.elapsed());
    // The client may be gone, and that is its own business.
    let _gone = asked.reply.send(answer);
}

fn refuse_all(requests: &Receiver<Asked>) {
    for asked in requests.try_iter() {
        let refused = ApiError::new(ErrorKind::ShuttingDown, "ferryd is stopping");
        let _gone = asked.reply.send(Err(refused));
    }
}

/// Frames to a worker, which sends them.
struct RingOutbox {
    ring: ring::Sender<PortId>,
    lost: u64,
}

impl Outbox for RingOutbox {
    fn send(&mut self, port: PortId, frame: &[u8]) {
        if self.ring.send(port, frame).is_err() {
            self.lost += 1;
        }
    }
}

struct Nowhere;

impl Outbox for Nowhere {
    fn send(&mut self, _port: PortId, _frame: &[u8]) {}
}

const SHORTEST_NAP: Duration = Duration::from_micros(20);

/// So many frames of a worker are decided before somebody else's turn comes.
const PUNTS_A_ROUND: usize = 64;

/// So many rounds at the end, which empties any ring, but ends even if workers go on.
const LAST_ROUNDS: usize = 1024;

/// So many requests, before punts are looked at again.
const REQUESTS_A_ROUND: usize = 16;
