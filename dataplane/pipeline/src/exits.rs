//! The ways out of a worker: a queue for each port, the ring to the control thread, and nowhere.
//!
//! Every frame that came in goes one of these ways and is counted there, under one name. Queues are filled while a burst is
//! forwarded and empty when it is done, so a queue holds no more than came in with one burst.

use std::ops::AddAssign;

use boundary::punt::Sample;
use boundary::{ForwardingState, PortId, Punt, Tally, Verdict, Vlan, punt};

use crate::ledger::Ledger;
use crate::port::{Burst, Frame, Port};
use crate::vlan::{self, Vlans};

/// All that a frame can go through, and who counts it.
#[derive(Debug)]
pub(crate) struct Exits<P: Port> {
    /// Those with a device, by [`PortId`]; they come before those that are carried in others' frames.
    pub(crate) ports: Vec<P>,
    /// Frames on their way out, by [`PortId`].
    outward: Vec<Queue<P::Frame>>,
    pub(crate) vlans: Vlans<P::Frame>,
    pub(crate) ledger: Ledger,
    pub(crate) punts: punt::Sender,
    pub(crate) tally: Tally,
}

impl<P: Port> Exits<P> {
    /// Those of the worker with this number, over `ports` and the other ports of `state`.
    pub(crate) fn new(
        number: usize,
        ports: Vec<P>,
        state: &ForwardingState,
        punts: punt::Sender,
        tally: Tally,
    ) -> Self {
        let known = &state.ports;
        let outward = known.iter().map(|_port| Queue::default()).collect();
        Self { ports, outward, vlans: Vlans::among(known), ledger: Ledger::new(number, known.len()), punts, tally }
    }

    /// Polls the `nth` receive queue of a port that this worker has; `burst` is empty.
    #[inline]
    pub(crate) fn receive(&mut self, ingress: PortId, nth: usize, burst: &mut Burst<P::Frame>) {
        let port = &mut self.ports[ingress.index()];
        port.receive(nth, burst);
        if burst.is_empty() {
            return;
        }
        let ahead = |frame: &P::Frame| {
            frame.prefetch();
            frame.bytes().len()
        };
        let bytes = burst.iter().map(ahead).sum();
        self.tally.received(ingress, port.queues()[nth], burst.len(), bytes);
    }

    /// Parts a burst that came in through `ingress` by its verdicts.
    #[inline]
    pub(crate) fn part(&mut self, ingress: PortId, burst: &mut Burst<P::Frame>, verdicts: &[Verdict]) -> Gone {
        if let Some(egress) = way_of_all(verdicts) {
            return self.send_whole(egress, burst, bytes_of(burst));
        }
        let mut before = None;
        for (frame, verdict) in burst.drain(..).zip(verdicts) {
            self.take(ingress, frame, *verdict, before);
            before = Some(*verdict);
        }
        Gone::default()
    }

    /// Lets a frame that came in through `ingress` go the way of its verdict; the one of the frame before it, if there was
    /// one, is `before`.
    #[inline(always)]
    pub(crate) fn take(&mut self, ingress: PortId, frame: P::Frame, verdict: Verdict, before: Option<Verdict>) {
        match verdict {
            // Without a branch on which port it is: that is for nobody to foresee.
            Verdict::Transmit(egress) => self.push(egress, frame),
            verdict => self.not_sent(ingress, frame, verdict, before),
        }
    }

    /// Adds a frame to the queue of `egress`.
    #[inline(always)]
    pub(crate) fn push(&mut self, egress: PortId, frame: P::Frame) {
        self.outward[egress.index()].push(frame);
    }

    /// Sends all of a burst, which has so many bytes, out of one port. If none wait there yet, the burst is the queue, and no
    /// frame is moved.
    #[inline]
    pub(crate) fn send_whole(&mut self, egress: PortId, burst: &mut Burst<P::Frame>, bytes: usize) -> Gone {
        let Self { ports, outward, vlans, ledger, tally, .. } = self;
        let waiting = &mut outward[egress.index()];
        if waiting.frames.is_empty() {
            leave(ports, egress, burst, bytes, vlans, ledger, tally)
        } else {
            waiting.frames.extend(burst.drain(..));
            waiting.bytes += bytes;
            Gone::default()
        }
    }

    /// Sends each queue out of its port.
    #[inline]
    pub(crate) fn flush(&mut self) -> Gone {
        let Self { ports, outward, vlans, ledger, tally, .. } = self;
        let mut gone = Gone::default();
        for (egress, queue) in port_ids(outward.len()).zip(outward) {
            if !queue.frames.is_empty() {
                let bytes = std::mem::take(&mut queue.bytes);
                gone += leave(ports, egress, &mut queue.frames, bytes, vlans, ledger, tally);
            }
        }
        gone
    }

    /// Does with a frame what its verdict says, which is not to send it on.
    #[cold]
    #[inline(never)]
    fn not_sent(&mut self, ingress: PortId, frame: P::Frame, verdict: Verdict, before: Option<Verdict>) {
        match verdict {
            Verdict::Transmit(_) => unreachable!("it has its queue"),
            Verdict::Punt(reason) => match self.punts.send(Punt { port: ingress, reason }, frame.bytes()) {
                Ok(()) => self.tally.punted(reason),
                Err(no_room) => self.tally.dropped(no_room, 1),
            },
            Verdict::Drop(reason) => {
                self.tally.dropped(reason, 1);
                // One of several alike is enough to find out who it is.
                if reason.is_martian() && before != Some(verdict) {
                    self.punts.show(Sample { port: ingress, reason }, frame.bytes());
                }
            }
            Verdict::Tagged => self.vlans.set_aside(frame),
        }
    }
}

/// Frames on their way out of a port.
#[derive(Debug)]
struct Queue<F> {
    frames: Burst<F>,
    /// Of all of them. Counted as they come: who rewrites a frame knows its length, and to ask all again takes longer.
    bytes: usize,
}

impl<F: Frame> Queue<F> {
    #[inline(always)]
    fn push(&mut self, frame: F) {
        self.bytes += frame.bytes().len();
        self.frames.push(frame);
    }
}

impl<F> Default for Queue<F> {
    fn default() -> Self {
        Self { frames: Burst::new(), bytes: 0 }
    }
}

/// What became of frames that were to be sent.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Gone {
    /// So many have left.
    pub(crate) sent: usize,
    /// So many found no room, and were freed.
    pub(crate) refused: usize,
}

impl AddAssign for Gone {
    fn add_assign(&mut self, more: Self) {
        self.sent += more.sent;
        self.refused += more.refused;
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

/// Sends a queue of so many bytes out of its port, and is left with an empty one.
fn leave<P: Port>(
    ports: &mut [P],
    egress: PortId,
    queue: &mut Burst<P::Frame>,
    bytes: usize,
    vlans: &Vlans<P::Frame>,
    ledger: &mut Ledger,
    tally: &mut Tally,
) -> Gone {
    let held = queue.len();
    let sent = match vlans.get(egress) {
        None => send(&mut ports[egress.index()], egress, queue, bytes, tally),
        Some(vlan) => send_tagged(&mut ports[vlan.parent.index()], egress, vlan, queue, ledger, tally),
    };
    ledger.settle(egress, sent);
    queue.clear();
    Gone { sent, refused: held - sent }
}

/// Sends what it can of `queue`, which has so many bytes, out of `port`; returns how many frames that were.
#[inline]
fn send<P: Port>(port: &mut P, egress: PortId, queue: &mut Burst<P::Frame>, bytes: usize, tally: &mut Tally) -> usize {
    let frames = queue.len();
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
pub(crate) fn port_ids(ports: usize) -> impl Iterator<Item = PortId> {
    (0..ports as u16).map(PortId)
}
