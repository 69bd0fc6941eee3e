//! Which core is whose: one for each worker, and the others for everybody else.
//!
//! A worker polls without end, so whatever else the system runs on its core takes turns with it: packets wait meanwhile,
//! for milliseconds. ferryd's own threads therefore go elsewhere, as long as there is an elsewhere.

use std::fs;
use std::path::Path;

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

/// The NUMA node a core is on, if the system tells.
pub(crate) fn node_of(core: usize) -> Option<u32> {
    node_in(Path::new(CORES), core)
}

fn node_in(cores: &Path, core: usize) -> Option<u32> {
    // The folder of a core has a link `node0` to the node it is on.
    let entries = fs::read_dir(cores.join(format!("cpu{core}"))).ok()?;
    let names = entries.flatten().map(|entry| entry.file_name());
    names.filter_map(|name| name.to_str()?.strip_prefix("node")?.parse().ok()).next()
}

/// Where the kernel tells of cores, a folder for each.
const CORES: &str = "/sys/devices/system/cpu";

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
    fn the_node_of_a_core_is_the_one_its_folder_names() {
        let machine = tempfile::tempdir().unwrap();
        for folder in ["cpu0/topology", "cpu0/node0", "cpu12/node1", "cpu12/nodes", "cpu3/cache"] {
            fs::create_dir_all(machine.path().join(folder)).unwrap();
        }
        let nodes = [0, 12, 3, 99].map(|core| node_in(machine.path(), core));
        assert_eq!(nodes, [Some(0), Some(1), None, None], "one does not tell, and one is not there");
    }

    #[test]
    fn everybody_else_gets_what_workers_leave() {
        let all = core_affinity::get_core_ids().unwrap();
        let (last, others) = all.split_last().unwrap();
        assert_eq!(without(&[*last]), others.iter().map(|core| core.id).collect::<Vec<_>>());
        assert!(without(&all).is_empty());
    }
}
