//! A worker: the crank that turns packets in into packets out.

use std::time::Duration;

use boundary::{DropReason, ForwardingState, PortId, Punt, PuntReason, Reader, Verdict, WorkerEnd, punt, ring};

use crate::burst::{Lookup, Passes, StateTables, forward_each};
use crate::exits::{Exits, Gone, port_ids};
use crate::port::{BURST, Burst, Frame, Port};
use crate::straight::send_straight_on;
use crate::transit::{Ipv4Header, Ipv6Header};

/// One core's share of forwarding: some of the receive queues, a transmit queue of every port, and its ends of the boundary.
///
/// All memory it needs, it has from the start: a burst in, and a queue out for each port. Dropping it between turns loses
/// nothing, because a turn ends with every frame gone.
#[derive(Debug)]
pub struct Worker<P: Port> {
    /// The forwarding state, newest first.
    state: Reader<ForwardingState>,
    arrived: Burst<P::Frame>,
    passes: Passes,
    hints: Hints,
    exits: Exits<P>,
    /// What the control thread wants sent.
    originated: ring::Receiver<PortId>,
}

impl<P: Port> Worker<P> {
    /// A worker over `ports`, which stand in the order of the forwarding state's. Ports of the state beyond them have no
    /// device: each is a VLAN on one of these, for as long as the worker lives.
    pub fn new(ports: Vec<P>, end: WorkerEnd) -> Self {
        let WorkerEnd { number, mut state, punts, originated, tally } = end;
        let exits = Exits::new(number, ports, state.pin(), punts, tally);
        Self { state, arrived: Burst::new(), passes: Passes::default(), hints: Hints::default(), exits, originated }
    }

    /// One turn: every queue of every port is polled once, and every frame leaves before the turn ends.
    ///
    /// Returns how many frames came in or were originated; zero is a turn in which nothing happened.
    #[inline]
    pub fn turn(&mut self) -> usize {
        self.turn_by(&mut StateTables)
    }

    /// [`Worker::turn`] with destinations looked up elsewhere: what other tables cost in this place is measured so.
    pub fn turn_by(&mut self, lookup: &mut impl Lookup) -> usize {
        let Self { state, arrived, passes, hints, exits, .. } = self;
        let state = state.pin();
        let mut handled = 0;
        for ingress in port_ids(exits.ports.len()) {
            for nth in 0..exits.ports[ingress.index()].queues().len() {
                exits.receive(ingress, nth, arrived);
                if arrived.is_empty() {
                    continue;
                }
                handled += arrived.len();
                let mut port = ingress;
                let mut gone = Gone::default();
                loop {
                    if state.port(port).policy.closed {
                        exits.tally.dropped(DropReason::PortDown, arrived.len());
                        arrived.clear();
                    }
                    let ahead = passes.look_ahead(state, port, arrived);
                    let redirects = state.port(port).policy.redirects;
                    // Who looks at packets once more before they leave, wants all of a burst at once.
                    if ahead.is_all(arrived.len()) && !redirects && state.counted.is_none() {
                        let next_hops = passes.next_hops(lookup, state, port, ahead);
                        gone += match ahead.is_ipv4() {
                            true => send_straight_on::<_, Ipv4Header>(state, port, arrived, next_hops, exits),
                            false => send_straight_on::<_, Ipv6Header>(state, port, arrived, next_hops, exits),
                        };
                    } else {
                        let verdicts = forward_each(lookup, state, port, arrived, passes, ahead);
                        exits.ledger.note(state, port, arrived, verdicts);
                        if redirects {
                            hints.hint_of(port, arrived, verdicts, &mut exits.punts);
                        }
                        gone += exits.part(port, arrived, verdicts);
                    }
                    // Frames with tags come in a second time, through the ports that their tags name.
                    let Some(next) = exits.vlans.next_burst(ingress, arrived, &mut exits.tally) else {
                        break;
                    };
                    port = next;
                }
                gone += exits.flush();
                exits.ledger.book(state);
                exits.tally.transmitted(gone.sent);
                exits.tally.dropped(DropReason::TxFull, gone.refused);
            }
        }
        handled += self.send_originated();
        self.exits.tally.publish();
        handled
    }

    /// Sends whatever the control thread still wants sent, without receiving anything more: the end of a worker.
    pub fn finish(mut self) {
        while self.send_originated() > 0 {}
        self.exits.tally.publish();
    }

    /// Counts that whoever turns this worker has slept between two turns.
    pub fn slept(&mut self, time: Duration) {
        self.exits.tally.slept(time);
    }

    /// The ports, by [`PortId`]; between turns they hold all there is.
    pub fn ports_mut(&mut self) -> &mut [P] {
        &mut self.exits.ports
    }

    /// Sends what the control thread asked to be sent, at most a burst of it.
    fn send_originated(&mut self) -> usize {
        let Self { state, exits, originated, .. } = self;
        let mut handled = 0;
        while handled < BURST {
            let state = state.pin();
            let taken = originated.receive(|egress, bytes| {
                let device = exits.vlans.get(egress).map_or(egress, |vlan| vlan.parent);
                let is_closed = [egress, device].iter().any(|port| state.port(*port).policy.closed);
                match if is_closed { None } else { exits.ports[device.index()].originate(bytes) } {
                    Some(frame) => exits.push(egress, frame),
                    None => exits.tally.originated_lost(1),
                }
            });
            if taken.is_none() {
                break;
            }
            handled += 1;
        }
        if handled > 0 {
            let gone = exits.flush();
            exits.tally.originated(gone.sent);
            exits.tally.originated_lost(gone.refused);
        }
        handled
    }
}

/// When the control thread is shown a packet that left the way it came: the first, and then one of many, so that a flood of
/// them takes no room from what it has to decide.
#[derive(Debug, Default)]
struct Hints {
    /// So many more are passed over.
    passed_over: u8,
}

impl Hints {
    /// Of the packets of a burst that leave the way they came.
    #[cold]
    fn hint_of<F: Frame>(&mut self, port: PortId, burst: &[F], verdicts: &[Verdict], punts: &mut punt::Sender) {
        for (frame, verdict) in burst.iter().zip(verdicts) {
            if *verdict == Verdict::Transmit(port) {
                self.hint(port, frame, punts);
            }
        }
    }

    fn hint<F: Frame>(&mut self, port: PortId, frame: &F, punts: &mut punt::Sender) {
        if self.passed_over == 0 {
            // A full ring has more urgent things in it.
            let _no_room = punts.send(Punt { port, reason: PuntReason::NearerWay }, frame.bytes());
        }
        self.passed_over = self.passed_over.checked_sub(1).unwrap_or(BETWEEN_HINTS);
    }
}

/// Packets between two that are shown.
const BETWEEN_HINTS: u8 = 63;

#[cfg(test)]
mod tests;
