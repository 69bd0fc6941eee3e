//! Which core is whose: one for each worker, and the others for everybody else.
//!
//! A worker polls without end, so whatever else the system runs on its core takes turns with it: packets wait meanwhile,
//! for milliseconds. ferryd's own threads therefore go elsewhere, as long as there is an elsewhere.

use control::config::{Core, Worker};
use core_affinity::CoreId;
use rustix::thread::{CpuSet, sched_setaffinity};
use tracing::warn;

use crate::StartError;

/// The core of each worker.
pub(crate) fn of_workers(workers: &[Worker]) -> Result<Vec<CoreId>, StartError> {
    let allowed = core_affinity::get_core_ids().unwrap_or_default();
    workers.iter().map(|worker| choose(worker.core, &allowed)).collect()
}

fn choose(wanted: Core, allowed: &[CoreId]) -> Result<CoreId, StartError> {
    match wanted {
        Core::Last => allowed.last().copied().ok_or(StartError::NoCores),
        Core::Number(number) => allowed.iter().find(|core| core.id == number).copied().ok_or_else(|| not_there(number)),
    }
}

/// The cores we may use that no worker polls on.
pub(crate) fn without(workers: &[CoreId]) -> Vec<usize> {
    let allowed = core_affinity::get_core_ids().unwrap_or_default();
    allowed.into_iter().filter(|core| !workers.contains(core)).map(|core| core.id).collect()
}

/// Moves the calling thread to `cores`, and with it every thread it starts from now on.
pub(crate) fn move_to(cores: &[usize]) {
    if cores.is_empty() {
        return warn!("a worker polls on every core there is; control and API take their turns with them");
    }
    let mut set = CpuSet::new();
    cores.iter().filter(|core| **core < CpuSet::MAX_CPU).for_each(|core| set.set(*core));
    if let Err(error) = sched_setaffinity(None, &set) {
        warn!("control and API may take turns with the workers, since they cannot be kept to cores {cores:?}: {error}");
    }
}

/// Core `core` is not ours to use.
pub(crate) fn not_there(core: usize) -> StartError {
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    StartError::Core { core, allowed: cores.iter().map(|core| core.id).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_core_is_the_last_we_may_use_and_others_go_by_their_number() {
        let two = [CoreId { id: 2 }, CoreId { id: 5 }];
        assert_eq!(choose(Core::Last, &two).unwrap().id, 5);
        assert_eq!(choose(Core::Last, &two[..1]).unwrap().id, 2, "even if it is the only one");
        assert_eq!(choose(Core::Number(2), &two).unwrap().id, 2);
        assert!(matches!(choose(Core::Number(3), &two), Err(StartError::Core { core: 3, .. })));
        assert!(matches!(choose(Core::Last, &[]), Err(StartError::NoCores)));
    }

    #[test]
    fn everybody_else_gets_what_workers_leave() {
        let all = core_affinity::get_core_ids().unwrap();
        let (last, others) = all.split_last().unwrap();
        assert_eq!(without(&[*last]), others.iter().map(|core| core.id).collect::<Vec<_>>());
        assert!(without(&all).is_empty());
    }
}
