//! The worker threads: each on a core of its own, turning until it is told to stop.
//!
//! Between two turns a worker looks whether queues are to change hands, and rests if nothing came in and it may.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Instant;

use boundary::{Counters, Desk, QueueMap, WorkerEnd, WorkerId, handover};
use control::WorkerInfo;
use control::config::{self, Idle};
use core_affinity::CoreId;
use dpdk::{Eal, RxQueue, WorkerPort};
use pipeline::{Idleness, Rest, Worker};
use tracing::{info, warn};

use crate::end::Alarm;
use crate::queues::{Ports, places};
use crate::{StartError, cores};

/// Running workers. They stop when told to, or when this is dropped.
#[derive(Debug)]
pub(crate) struct Workers {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// All that one worker is made of.
pub(crate) struct Crew {
    core: CoreId,
    idle: Idle,
    ports: Vec<WorkerPort>,
    end: WorkerEnd,
    desk: QueueDesk,
}

/// Where a worker's receive queues come from and go to, each with the place of its port.
pub(crate) struct QueueDesk {
    desk: Desk<(usize, RxQueue)>,
    places: Arc<[(usize, u16)]>,
}

/// The map of receive queues to workers, and each worker's desk, for ports with so many queues.
pub(crate) fn desks(owners: &[WorkerId], queues: &[u16], workers: usize) -> (QueueMap, Vec<QueueDesk>) {
    let workers = u16::try_from(workers).expect("there are no more cores than that");
    let (map, desks) = handover::desks(owners, workers);
    let places: Arc<[_]> = places(queues.iter().copied()).into();
    (map, desks.into_iter().map(|desk| QueueDesk { desk, places: Arc::clone(&places) }).collect())
}

/// Puts together what belongs to each worker.
pub(crate) fn crews(
    cores: &[CoreId],
    configured: &[config::Worker],
    ports: Vec<Vec<WorkerPort>>,
    ends: Vec<WorkerEnd>,
    desks: Vec<QueueDesk>,
) -> Vec<Crew> {
    let all = cores.iter().zip(configured).zip(ports).zip(ends).zip(desks);
    let crew = |((((core, configured), ports), end), desk): ((((&CoreId, &config::Worker), _), _), _)| Crew {
        core: *core,
        idle: configured.idle,
        ports,
        end,
        desk,
    };
    all.map(crew).collect()
}

impl Workers {
    /// Starts a thread for each crew, which sounds the alarm if it ends; returns when all of them turn.
    ///
    /// # Errors
    ///
    /// When one cannot be pinned to its core or registered with DPDK; the others are stopped again.
    pub(crate) fn spawn(eal: &Eal, crews: Vec<Crew>, alarm: &Alarm) -> Result<Self, StartError> {
        let mut workers = Self { stop: Arc::default(), threads: Vec::new() };
        for (number, crew) in crews.into_iter().enumerate() {
            let (eal, stop, alarm) = (eal.clone(), Arc::clone(&workers.stop), alarm.clone());
            let (started, outcome) = mpsc::channel();
            let (core, idle) = (crew.core, crew.idle);
            let body = move || {
                let _alarm = alarm;
                work(&eal, crew, &stop, &started);
            };
            let thread = std::thread::Builder::new().name(format!("worker-{number}")).spawn(body);
            workers.threads.push(thread.map_err(StartError::Thread)?);
            outcome.recv().unwrap_or(Err(StartError::WorkerDied))?;
            match idle {
                Idle::Poll => info!("worker {number} polls on core {}", core.id),
                Idle::Adaptive => info!("worker {number} polls on core {}, and rests while nothing comes", core.id),
            }
        }
        Ok(workers)
    }

    /// Tells every worker to stop after its turn, and waits until all have. Nothing is left in their hands.
    ///
    /// # Errors
    ///
    /// When one of them had panicked, so that what was in its hands then is in nobody's accounts.
    pub(crate) fn stop(mut self) -> Result<(), StartError> {
        self.join()
    }

    fn join(&mut self) -> Result<(), StartError> {
        // Relaxed: the flag carries nothing with it; joining the threads orders all they have done.
        self.stop.store(true, Ordering::Relaxed);
        let ended: Vec<_> = self.threads.drain(..).map(JoinHandle::join).collect();
        match ended.iter().position(Result::is_err) {
            Some(number) => Err(StartError::Panicked { thread: format!("worker {number}") }),
            None => Ok(()),
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        // Only on the way out of a failed start, which has an error of its own to tell.
        let _untold = self.join();
    }
}

/// The workers as the control thread shows them to people.
pub(crate) fn shown(cores: &[CoreId], counters: &[Counters]) -> Vec<WorkerInfo> {
    let worker = |(core, counters): (&CoreId, &Counters)| WorkerInfo { core: core.id, counters: counters.clone() };
    cores.iter().zip(counters).map(worker).collect()
}

/// A worker's life.
fn work(eal: &Eal, crew: Crew, stop: &AtomicBool, started: &mpsc::Sender<Result<(), StartError>>) {
    let Crew { core, idle, ports, end, mut desk } = crew;
    let is_pinned = core_affinity::set_for_current(core);
    let registered =
        if is_pinned { eal.register_worker_thread().map_err(StartError::from) } else { Err(cores::not_there(core.id)) };
    // Whoever spawned us waits for this answer; if it is gone, there is nobody left to tell.
    let _registered = match registered {
        Ok(registered) => {
            let _nobody_waits = started.send(Ok(()));
            registered
        }
        Err(error) => {
            let _nobody_waits = started.send(Err(error));
            return;
        }
    };
    let mut worker = Worker::new(ports, end);
    match idle {
        Idle::Poll => {
            while !stop.load(Ordering::Relaxed) {
                worker.turn();
                desk.visit(&mut worker);
            }
        }
        Idle::Adaptive => {
            wake_in_time();
            let mut idleness = Idleness::default();
            while !stop.load(Ordering::Relaxed) {
                let handled = worker.turn();
                desk.visit(&mut worker);
                rest(&mut worker, idleness.after(handled));
            }
        }
    }
    worker.finish();
}

impl QueueDesk {
    /// Lets queues change hands, if any are to.
    #[inline]
    fn visit(&mut self, worker: &mut Worker<WorkerPort>) {
        if self.desk.is_called() {
            self.desk.exchange(&mut Ports { ports: worker.ports_mut(), places: &self.places });
        }
    }
}

fn rest(worker: &mut Worker<WorkerPort>, rest: Rest) {
    match rest {
        Rest::None => {}
        Rest::Spin(hints) => (0..hints).for_each(|_hint| std::hint::spin_loop()),
        Rest::Sleep(time) => {
            let lay_down = Instant::now();
            std::thread::sleep(time);
            worker.slept(lay_down.elapsed());
        }
    }
}

/// Lets the system wake this thread when its sleep is over, and not with others' within fifty microseconds.
fn wake_in_time() {
    if let Err(error) = rustix::thread::set_current_timer_slack(NonZeroU64::new(1)) {
        warn!("a worker that rests wakes up to 50 microseconds late, since its timer cannot be made exact: {error}");
    }
}
