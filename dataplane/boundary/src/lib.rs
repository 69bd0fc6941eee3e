//! What crosses between the control thread and the workers, and nothing else.
//!
//! ```text
//!   control thread                                                   worker
//!   --------------                                                   ------
//!   Publisher<ForwardingState>  ---- snapshot, one store a batch --> Reader, one pin a turn
//!   punt::Receiver              <--- frames, with the reason ------- punt::Sender
//!   ring::Sender<PortId>        ---- frames, with the way out -----> ring::Receiver<PortId>
//!   Counters                    <--- totals, at the end of a turn -- Tally
//!   Chunk                       <--- packets of counted routes ----- Counted, in the snapshot
//!   QueueMap                    ---- who polls which queue --------> Desk, which passes queues on to other desks
//! ```
//!
//! Both sides know this crate and not each other. Nothing here blocks a worker: a snapshot is pinned with one load, a ring
//! that is full says so, counters are added up in plain memory and published once a turn, and a queue goes from one worker
//! to the other between their turns.
//!
//! [`connect`] makes both ends of the first four. Chunks are there when routes are counted; [`handover::desks`] makes both
//! ends of the last.

mod counters;
mod group;
pub mod handover;
#[cfg(test)]
mod model;
pub mod policy;
mod publish;
pub mod punt;
mod reason;
mod reclaim;
pub mod ring;
mod sent;
mod state;
mod sync;

pub use counters::{Counters, PortTotals, Tally, Totals};
pub use group::{BUCKETS, Group, Share, scramble};
pub use handover::{Desk, QueueId, QueueMap, WorkerId};
pub use policy::Policy;
pub use publish::{Publisher, Reader};
pub use reason::{DropReason, PuntClass, PuntReason, Verdict};
pub use reclaim::{References, Referred, Trash};
pub use sent::{CELLS, Chunk, CountId, Counted, CountedTable, CountedTables, Sharing, Whose};
pub use state::{Adjacency, ForwardingState, GroupId, Mtu, NextHop, PortId, PortState, Tables, Vlan};

/// Why a frame went up a punt ring, and where it had come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Punt {
    /// The port it came in through.
    pub port: PortId,
    /// What the worker could not decide.
    pub reason: PuntReason,
}

/// How large the rings between the control thread and each worker are.
#[derive(Debug, Clone, Copy)]
pub struct RingSizes {
    /// Frames a ring back can hold; each of the punt rings, one for each [`PuntClass`], holds a quarter of that.
    pub slots: usize,
    /// The longest frame that fits in a slot, in bytes.
    pub frame_len: usize,
}

impl Default for RingSizes {
    fn default() -> Self {
        Self { slots: 1024, frame_len: 2048 }
    }
}

/// A worker's ends.
#[derive(Debug)]
pub struct WorkerEnd {
    /// Which worker it is, from 0: the place of its shard among those of all.
    pub number: usize,
    /// The forwarding state, newest first.
    pub state: Reader<ForwardingState>,
    /// Where frames go that the worker cannot decide.
    pub punts: punt::Sender,
    /// Frames that the control thread sends, and through which port.
    pub originated: ring::Receiver<PortId>,
    /// What the worker counts.
    pub tally: Tally,
}

/// The control thread's ends for one worker.
#[derive(Debug)]
pub struct WorkerLink {
    /// Frames the worker could not decide.
    pub punts: punt::Receiver,
    /// Frames for the worker to send, and through which port.
    pub originate: ring::Sender<PortId>,
}

/// Both ends of everything that crosses, for as many workers as asked for and with `state` as the first snapshot.
///
/// Allocates all it will ever use: rings of `sizes` for each worker. Every port has one receive queue.
pub fn connect(
    state: ForwardingState,
    workers: usize,
    sizes: RingSizes,
) -> (Publisher<ForwardingState>, Vec<WorkerLink>, Vec<Counters>, Vec<WorkerEnd>) {
    let queues = vec![1; state.ports.len()];
    connect_queues(state, &queues, workers, sizes)
}

/// The same for ports with so many receive queues each, by [`PortId`].
pub fn connect_queues(
    state: ForwardingState,
    queues: &[u16],
    workers: usize,
    sizes: RingSizes,
) -> (Publisher<ForwardingState>, Vec<WorkerLink>, Vec<Counters>, Vec<WorkerEnd>) {
    let publisher = Publisher::new(state);
    let (mut links, mut counters, mut ends) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..workers {
        let (punts, punted) = punt::punts(sizes);
        let (originate, originated) = ring::ring(sizes.slots, sizes.frame_len);
        let (tally, counted) = Tally::new(queues);
        links.push(WorkerLink { punts: punted, originate });
        counters.push(counted);
        ends.push(WorkerEnd { number, state: publisher.reader(), punts, originated, tally });
    }
    (publisher, links, counters, ends)
}
