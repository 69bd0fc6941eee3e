//! The worker threads: each on a core of its own, turning until it is told to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;

use boundary::{Counters, WorkerEnd};
use control::WorkerInfo;
use core_affinity::CoreId;
use dpdk::{Eal, WorkerPort};
use pipeline::Worker;
use tracing::info;

use crate::end::Alarm;
use crate::{StartError, cores};

/// Running workers. They stop when told to, or when this is dropped.
#[derive(Debug)]
pub(crate) struct Workers {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Workers {
    /// Starts one thread on each of `cores`, which sounds the alarm if it ends; returns when all of them turn.
    ///
    /// # Errors
    ///
    /// When one cannot be pinned to its core or registered with DPDK; the others are stopped again.
    pub(crate) fn spawn(
        eal: &Eal,
        cores: &[CoreId],
        ports: Vec<Vec<WorkerPort>>,
        ends: Vec<WorkerEnd>,
        alarm: &Alarm,
    ) -> Result<Self, StartError> {
        let mut workers = Self { stop: Arc::default(), threads: Vec::new() };
        for (number, ((core, ports), end)) in cores.iter().copied().zip(ports).zip(ends).enumerate() {
            let (eal, stop, alarm) = (eal.clone(), Arc::clone(&workers.stop), alarm.clone());
            let (started, outcome) = mpsc::channel();
            let body = move || {
                let _alarm = alarm;
                work(&eal, core, Worker::new(ports, end), &stop, &started);
            };
            let thread = std::thread::Builder::new().name(format!("worker-{number}")).spawn(body);
            workers.threads.push(thread.map_err(StartError::Thread)?);
            outcome.recv().unwrap_or(Err(StartError::WorkerDied))?;
            info!("worker {number} polls on core {}", core.id);
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
fn work(
    eal: &Eal,
    core: CoreId,
    mut worker: Worker<WorkerPort>,
    stop: &AtomicBool,
    started: &mpsc::Sender<Result<(), StartError>>,
) {
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
    while !stop.load(Ordering::Relaxed) {
        worker.turn();
    }
    worker.finish();
}
