//! Receive queues: who polls which at first, and where they lie in a worker's hands.
//!
//! Unless the configuration says who polls what, the queues of a port are spread over the workers on its NUMA node, or over
//! all if none is there; each goes to one that has the fewest so far. From then on they go where `ferry worker map` says.

use boundary::handover::Hands;
use boundary::{QueueId, WorkerId};
use dpdk::{RxQueue, WorkerPort};

/// A port, as far as its queues are to be spread.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spread {
    /// How many receive queues it has.
    pub(crate) queues: u16,
    /// The NUMA node it is on.
    pub(crate) node: Option<u32>,
}

/// The worker of each queue, by [`QueueId`], for workers on these NUMA nodes.
pub(crate) fn spread(ports: &[Spread], workers: &[Option<u32>]) -> Vec<WorkerId> {
    let mut held = vec![0_u32; workers.len()];
    let queues = ports.iter().flat_map(|port| (0..port.queues).map(move |_queue| port.node));
    let owner = |node: Option<u32>| {
        let is_near = |worker: &usize| node.is_some() && workers[*worker] == node;
        let is_any_near = (0..workers.len()).any(|worker| is_near(&worker));
        let candidates = (0..workers.len()).filter(|worker| !is_any_near || is_near(worker));
        let chosen = candidates.min_by_key(|worker| held[*worker]).expect("there is a worker, and it is one of them");
        held[chosen] += 1;
        worker(chosen)
    };
    queues.map(owner).collect()
}

/// The worker of each queue, by [`QueueId`], as the configuration has them by port and number.
pub(crate) fn as_configured(map: &[Vec<usize>]) -> Vec<WorkerId> {
    map.iter().flatten().copied().map(worker).collect()
}

fn worker(place: usize) -> WorkerId {
    WorkerId(u16::try_from(place).expect("there are no more workers than cores"))
}

/// Where each queue belongs: its port's place, and its number there; by [`QueueId`].
pub(crate) fn places(counts: impl IntoIterator<Item = u16>) -> Vec<(usize, u16)> {
    counts.into_iter().enumerate().flat_map(|(port, count)| (0..count).map(move |number| (port, number))).collect()
}

/// A worker's ports, as what its queues are in.
pub(crate) struct Ports<'a> {
    pub(crate) ports: &'a mut [WorkerPort],
    pub(crate) places: &'a [(usize, u16)],
}

impl Hands<(usize, RxQueue)> for Ports<'_> {
    fn release(&mut self, queue: QueueId) -> Option<(usize, RxQueue)> {
        let (port, number) = self.places[queue.index()];
        self.ports[port].release(number).map(|queue| (port, queue))
    }

    fn take(&mut self, (port, queue): (usize, RxQueue)) {
        self.ports[port].take(queue);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread_over(ports: &[(u16, Option<u32>)], workers: &[Option<u32>]) -> Vec<u16> {
        let ports: Vec<_> = ports.iter().map(|(queues, node)| Spread { queues: *queues, node: *node }).collect();
        spread(&ports, workers).into_iter().map(|worker| worker.0).collect()
    }

    #[test]
    fn queues_are_spread_evenly_over_all_workers() {
        assert_eq!(spread_over(&[(2, None), (2, None)], &[None; 2]), [0, 1, 0, 1]);
        assert_eq!(spread_over(&[(1, None), (1, None), (1, None)], &[None; 2]), [0, 1, 0], "also over several ports");
        assert_eq!(spread_over(&[(3, None)], &[None]), [0, 0, 0]);
        assert_eq!(spread_over(&[(1, None)], &[None; 3]), [0], "some may be left without one");
    }

    #[test]
    fn a_port_is_polled_from_its_own_numa_node_if_a_worker_is_there() {
        let nodes = [Some(0), Some(0), Some(1)];
        assert_eq!(spread_over(&[(2, Some(1)), (2, Some(0))], &nodes), [2, 2, 0, 1]);
        assert_eq!(spread_over(&[(3, Some(7))], &nodes), [0, 1, 2], "nobody is on node 7");
        assert_eq!(spread_over(&[(3, None)], &nodes), [0, 1, 2], "a virtual device is nowhere");
    }

    #[test]
    fn a_configured_map_is_followed_whatever_the_nodes_are() {
        let owners = as_configured(&[vec![1, 0], vec![1]]);
        assert_eq!(owners.iter().map(|owner| owner.0).collect::<Vec<_>>(), [1, 0, 1]);
        assert_eq!(places([2, 0, 1]), [(0, 0), (0, 1), (2, 0)]);
    }
}
