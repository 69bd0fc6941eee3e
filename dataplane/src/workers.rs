//! The worker threads: each on a core of its own, turning until it is told to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;

use boundary::{Counters, WorkerEnd};
use control::WorkerInfo;
use control::config::{self, Config, Core};
use core_affinity::CoreId;
use dpdk::{Eal, WorkerPort};
use pipeline::Worker;
use tracing::info;

use crate::StartError;

/// Running workers. They stop when told to, or when this is dropped.
#[derive(Debug)]
pub(crate) struct Workers {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Workers {
    /// Starts one thread per configured worker; returns when all of them turn.
    ///
    /// # Errors
    ///
    /// When one cannot be pinned to its core or registered with DPDK; the others are stopped again.
    pub(crate) fn spawn(
        eal: &Eal,
        configured: &[config::Worker],
        ports: Vec<Vec<WorkerPort>>,
        ends: Vec<WorkerEnd>,
    ) -> Result<Self, StartError> {
        let mut workers = Self { stop: Arc::default(), threads: Vec::new() };
        for (number, ((worker, ports), end)) in configured.iter().zip(ports).zip(ends).enumerate() {
            let core = core(worker.core)?;
            let (eal, stop) = (eal.clone(), Arc::clone(&workers.stop));
            let (started, outcome) = mpsc::channel();
            let body = move || work(&eal, core, Worker::new(ports, end), &stop, &started);
            let thread = std::thread::Builder::new().name(format!("worker-{number}")).spawn(body);
            workers.threads.push(thread.map_err(StartError::Thread)?);
            outcome.recv().unwrap_or(Err(StartError::WorkerDied))?;
            info!("worker {number} polls on core {}", core.id);
        }
        Ok(workers)
    }

    /// Tells every worker to stop after its turn, and waits until all have. Nothing is left in their hands.
    pub(crate) fn stop(mut self) {
        self.join();
    }

    fn join(&mut self) {
        // Relaxed: the flag carries nothing with it; joining the threads orders all they have done.
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            if let Err(panic) = thread.join() {
                std::panic::resume_unwind(panic);
            }
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.join();
        }
    }
}

/// The workers as the control thread shows them to people.
pub(crate) fn shown(config: &Config, counters: &[Counters]) -> Result<Vec<WorkerInfo>, StartError> {
    let worker = |(worker, counters): (&config::Worker, &Counters)| {
        Ok(WorkerInfo { core: core(worker.core)?.id, counters: counters.clone() })
    };
    config.workers().iter().zip(counters).map(worker).collect()
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
        if is_pinned { eal.register_worker_thread().map_err(StartError::from) } else { Err(not_there(core.id)) };
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

/// The core a worker is to poll on.
pub(crate) fn core(wanted: Core) -> Result<CoreId, StartError> {
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    let found = match wanted {
        Core::Last => cores.last(),
        Core::Number(number) => cores.iter().find(|core| core.id == number),
    };
    found.copied().ok_or_else(|| match wanted {
        Core::Number(number) => not_there(number),
        Core::Last => StartError::NoCores,
    })
}

fn not_there(core: usize) -> StartError {
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    StartError::Core { core, allowed: cores.iter().map(|core| core.id).collect() }
}
