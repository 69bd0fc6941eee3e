//! A worker: the crank that turns packets in into packets out.

use std::ops::AddAssign;
use std::time::Duration;

use boundary::punt::Sample;
use boundary::{DropReason, PortId, Punt, PuntReason, Tally, Verdict, Vlan, WorkerEnd, punt};

use crate::burst::{Lookup, Passes, StateTables, forward_burst_by};
use crate::ledger::Ledger;
use crate::port::{BURST, Burst, Frame, Port};
use crate::vlan::{self, Vlans};

/// One core's share of forwarding: some of the receive queues, a transmit queue of every port, and its ends of the boundary.
///
/// All memory it needs, it has from the start: a burst in, and a queue out for each port. Dropping it between turns loses
/// nothing, because a turn ends with every frame gone.
#[derive(Debug)]
pub struct Worker<P: Port> {
    /// Those with a device, by [`PortId`]; they come before those that are carried in others' frames.
    ports: Vec<P>,
    /// Frames on their way out, by [`PortId`]; empty between turns.
    outward: Vec<Burst<P::Frame>>,
    arrived: Burst<P::Frame>,
    vlans: Vlans<P::Frame>,
    passes: Passes,
    ledger: Ledger,
    hints: Hints,
    end: WorkerEnd,
}

impl<P: Port> Worker<P> {
    /// A worker over `ports`, which stand in the order of the forwarding state's. Ports of the state beyond them have no
    /// device: each is a VLAN on one of these, for as long as the worker lives.
    pub fn new(ports: Vec<P>, mut end: WorkerEnd) -> Self {
        let known = &end.state.pin().ports;
        let (outward, vlans) = (known.iter().map(|_port| Burst::new()).collect(), Vlans::among(known));
        let ledger = Ledger::new(end.number, known.len());
        Self {
            ports,
            outward,
            arrived: Burst::new(),
            vlans,
            passes: Passes::default(),
            ledger,
            hints: Hints::default(),
            end,
        }
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
        let state = self.end.state.pin();
        let mut handled = 0;
        for ingress in port_ids(self.ports.len()) {
            for nth in 0..self.ports[ingress.index()].queues().len() {
                self.ports[ingress.index()].receive(nth, &mut self.arrived);
                if self.arrived.is_empty() {
                    continue;
                }
                handled += self.arrived.len();
                let ahead = |frame: &P::Frame| {
                    frame.prefetch();
                    frame.bytes().len()
                };
                let bytes = self.arrived.iter().map(ahead).sum();
                let queue = self.ports[ingress.index()].queues()[nth];
                self.end.tally.received(ingress, queue, self.arrived.len(), bytes);
                let mut port = ingress;
                let mut gone = Gone::default();
                loop {
                    if state.port(port).policy.closed {
                        self.end.tally.dropped(DropReason::PortDown, self.arrived.len());
                        self.arrived.clear();
                    }
                    let verdicts = forward_burst_by(lookup, state, port, &mut self.arrived, &mut self.passes);
                    self.ledger.note(state, port, &self.arrived, verdicts);
                    if state.port(port).policy.redirects {
                        self.hints.hint_of(port, &self.arrived, verdicts, &mut self.end.punts);
                    }
                    // Often all of a burst go out of one port, where none wait yet: then they are its queue, and no frame is
                    // moved.
                    if let Some(egress) = way_of_all(verdicts)
                        && self.outward[egress.index()].is_empty()
                    {
                        let (ports, queue) = (&mut self.ports, &mut self.arrived);
                        gone += leave(ports, egress, queue, &self.vlans, &mut self.ledger, &mut self.end.tally);
                    } else {
                        part(
                            port,
                            &mut self.arrived,
                            verdicts,
                            &mut self.outward,
                            &mut self.vlans,
                            &mut self.end.punts,
                            &mut self.end.tally,
                        );
                    }
                    // Frames with tags come in a second time, through the ports that their tags name.
                    let Some(next) = self.vlans.next_burst(ingress, &mut self.arrived, &mut self.end.tally) else {
                        break;
                    };
                    port = next;
                }
                let (ports, outward) = (&mut self.ports, &mut self.outward);
                gone += flush(ports, outward, &self.vlans, &mut self.ledger, &mut self.end.tally);
                self.ledger.book(state);
                self.end.tally.transmitted(gone.sent);
                self.end.tally.dropped(DropReason::TxFull, gone.refused);
            }
        }
        handled += self.send_originated();
        self.end.tally.publish();
        handled
    }

    /// Sends whatever the control thread still wants sent, without receiving anything more: the end of a worker.
    pub fn finish(mut self) {
        while self.send_originated() > 0 {}
        self.end.tally.publish();
    }

    /// Counts that whoever turns this worker has slept between two turns.
    pub fn slept(&mut self, time: Duration) {
        self.end.tally.slept(time);
    }

    /// The ports, by [`PortId`]; between turns they hold all there is.
    pub fn ports_mut(&mut self) -> &mut [P] {
        &mut self.ports
    }

    /// Sends what the control thread asked to be sent, at most a burst of it.
    fn send_originated(&mut self) -> usize {
        let mut handled = 0;
        while handled < BURST {
            let Self { ports, outward, vlans, end, .. } = self;
            let WorkerEnd { state, originated, tally, .. } = end;
            let state = state.pin();
            let taken = originated.receive(|egress, bytes| {
                let device = vlans.get(egress).map_or(egress, |vlan| vlan.parent);
                let is_closed = [egress, device].iter().any(|port| state.port(*port).policy.closed);
                match if is_closed { None } else { ports[device.index()].originate(bytes) } {
                    Some(frame) => outward[egress.index()].push(frame),
                    None => tally.originated_lost(1),
                }
            });
            if taken.is_none() {
                break;
            }
            handled += 1;
        }
        if handled > 0 {
            let Self { ports, outward, vlans, ledger, end, .. } = self;
            let gone = flush(ports, outward, vlans, ledger, &mut end.tally);
            self.end.tally.originated(gone.sent);
            self.end.tally.originated_lost(gone.refused);
        }
        handled
    }
}

/// Parts a burst that came in through `ingress` by its verdicts: into the queues out, up the punt ring, or nowhere.
#[inline]
fn part<F: Frame>(
    ingress: PortId,
    burst: &mut Burst<F>,
    verdicts: &[Verdict],
    outward: &mut [Burst<F>],
    vlans: &mut Vlans<F>,
    punts: &mut punt::Sender,
    tally: &mut Tally,
) {
    // One by one, and without a branch on the way: which way the next goes is for nobody to foresee.
    for (place, (frame, verdict)) in burst.drain(..).zip(verdicts).enumerate() {
        if let Verdict::Transmit(egress) = *verdict {
            outward[egress.index()].push(frame);
        } else {
            not_sent(ingress, frame, &verdicts[..=place], vlans, punts, tally);
        }
    }
}

/// Does with a frame what its verdict says, which is not to send it on. It is the last of `verdicts`; those before it are of
/// the frames before.
#[cold]
#[inline(never)]
fn not_sent<F: Frame>(
    ingress: PortId,
    frame: F,
    verdicts: &[Verdict],
    vlans: &mut Vlans<F>,
    punts: &mut punt::Sender,
    tally: &mut Tally,
) {
    let (verdict, before) = verdicts.split_last().expect("a frame has one");
    match *verdict {
        Verdict::Transmit(_) => unreachable!("it has its queue"),
        Verdict::Punt(reason) => match punts.send(Punt { port: ingress, reason }, frame.bytes()) {
            Ok(()) => tally.punted(reason),
            Err(no_room) => tally.dropped(no_room, 1),
        },
        Verdict::Drop(reason) => {
            tally.dropped(reason, 1);
            // One of several alike is enough to find out who it is.
            if reason.is_martian() && before.last() != Some(verdict) {
                punts.show(Sample { port: ingress, reason }, frame.bytes());
            }
        }
        Verdict::Tagged => vlans.set_aside(frame),
    }
}

/// The port through which all leave, if they do.
#[inline]
fn way_of_all(verdicts: &[Verdict]) -> Option<PortId> {
    let first = verdicts.first()?;
    match first {
        Verdict::Transmit(egress) if verdicts.iter().all(|verdict| verdict == first) => Some(*egress),
        Verdict::Transmit(_) | Verdict::Punt(_) | Verdict::Drop(_) | Verdict::Tagged => None,
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

/// What became of frames that were to be sent.
#[derive(Debug, Clone, Copy, Default)]
struct Gone {
    /// So many have left.
    sent: usize,
    /// So many found no room, and were freed.
    refused: usize,
}

impl AddAssign for Gone {
    fn add_assign(&mut self, more: Self) {
        self.sent += more.sent;
        self.refused += more.refused;
    }
}

/// Sends each queue out of its port.
#[inline]
fn flush<P: Port>(
    ports: &mut [P],
    queues: &mut [Burst<P::Frame>],
    vlans: &Vlans<P::Frame>,
    ledger: &mut Ledger,
    tally: &mut Tally,
) -> Gone {
    let mut gone = Gone::default();
    for (egress, queue) in port_ids(queues.len()).zip(queues) {
        if !queue.is_empty() {
            gone += leave(ports, egress, queue, vlans, ledger, tally);
        }
    }
    gone
}

/// Sends a queue out of its port, and is left with an empty one.
fn leave<P: Port>(
    ports: &mut [P],
    egress: PortId,
    queue: &mut Burst<P::Frame>,
    vlans: &Vlans<P::Frame>,
    ledger: &mut Ledger,
    tally: &mut Tally,
) -> Gone {
    let held = queue.len();
    let sent = match vlans.get(egress) {
        None => send(&mut ports[egress.index()], egress, queue, tally),
        Some(vlan) => send_tagged(&mut ports[vlan.parent.index()], egress, vlan, queue, ledger, tally),
    };
    ledger.settle(egress, sent);
    queue.clear();
    Gone { sent, refused: held - sent }
}

/// Sends what it can of `queue` out of `port`; returns how many frames that were.
#[inline]
fn send<P: Port>(port: &mut P, egress: PortId, queue: &mut Burst<P::Frame>, tally: &mut Tally) -> usize {
    let (frames, bytes) = (queue.len(), bytes_of(queue));
    port.transmit(queue);
    let sent = frames - queue.len();
    tally.sent(egress, sent, bytes - bytes_of(queue));
    sent
}

/// The same out of the device of `vlan`, with its tags. Both the device and the port `egress` count what leaves.
fn send_tagged<P: Port>(
    device: &mut P,
    egress: PortId,
    vlan: Vlan,
    queue: &mut Burst<P::Frame>,
    ledger: &mut Ledger,
    tally: &mut Tally,
) -> usize {
    let mut tagged = 0;
    queue.retain(|frame| {
        let has_room = vlan::tag(frame, vlan.tags);
        if has_room {
            tagged += 1;
        } else {
            ledger.strike(egress, tagged);
        }
        has_room
    });
    let (frames, bytes) = (queue.len(), bytes_of(queue));
    device.transmit(queue);
    let (sent, bytes) = (frames - queue.len(), bytes - bytes_of(queue));
    tally.sent(vlan.parent, sent, bytes);
    tally.sent(egress, sent, bytes - sent * vlan.tags.wire_len());
    sent
}

#[inline]
fn bytes_of<F: Frame>(frames: &[F]) -> usize {
    frames.iter().map(|frame| frame.bytes().len()).sum()
}

#[expect(clippy::cast_possible_truncation, reason = "ports are numbered by u16, so there are no more of them")]
fn port_ids(ports: usize) -> impl Iterator<Item = PortId> {
    (0..ports as u16).map(PortId)
}

#[cfg(test)]
mod tests;
