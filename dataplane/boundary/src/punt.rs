//! The way up for frames that a worker cannot decide: a ring for each class of them.
//!
//! A flood of one class fills its own ring and no other, and the control thread takes from the rings in turn, of the urgent
//! ones more (`SHARES`). So neighbours are heard and routing sessions live while somebody sends a million packets a second
//! to one of our addresses, and a worker needs neither a clock nor a count for that: whether there is room is all it asks.
//!
//! Beside them goes a small ring of samples: the beginnings of a few frames that were dropped for reasons somebody will want
//! to look into ([`DropReason::is_martian`]). They are counted as dropped; that a sample finds no room is no loss.

use crate::reason::{DropReason, PuntClass};
use crate::ring::{self, Full};
use crate::state::PortId;
use crate::{Punt, RingSizes};

/// Both ends: a ring for each class, each with a quarter of the slots.
pub(crate) fn punts(sizes: RingSizes) -> (Sender, Receiver) {
    let rings = [(); CLASSES].map(|()| ring::ring(sizes.slots.div_ceil(4), sizes.frame_len));
    let mut receivers = Vec::with_capacity(CLASSES);
    let senders = rings.map(|(sender, receiver)| {
        receivers.push(receiver);
        sender
    });
    let receivers = <[_; CLASSES]>::try_from(receivers).expect("one for each");
    let (samples, seen) = ring::ring(SAMPLES, SAMPLE_LEN);
    (Sender { rings: senders, samples }, Receiver { rings: receivers, shares: SHARES, samples: seen })
}

/// The worker's end.
#[derive(Debug)]
pub struct Sender {
    rings: [ring::Sender<Punt>; CLASSES],
    samples: ring::Sender<Sample>,
}

impl Sender {
    /// Copies `frame` into the ring of its class.
    ///
    /// # Errors
    ///
    /// What to count it as, when that ring has no room for it.
    pub fn send(&mut self, punt: Punt, frame: &[u8]) -> Result<(), DropReason> {
        let class = punt.reason.class();
        self.rings[class.index()].send(punt, frame).map_err(|Full| class.no_room())
    }

    /// Shows the control thread the beginning of a frame that was dropped, if it has looked at those before.
    pub fn show(&mut self, sample: Sample, frame: &[u8]) {
        let _enough_are_waiting = self.samples.send(sample, &frame[..frame.len().min(SAMPLE_LEN)]);
    }
}

/// The control thread's end.
#[derive(Debug)]
pub struct Receiver {
    rings: [ring::Receiver<Punt>; CLASSES],
    /// What is left of each class's share in this round.
    shares: [u8; CLASSES],
    samples: ring::Receiver<Sample>,
}

impl Receiver {
    /// Hands the next frame to `take`: the oldest of the most urgent class that has not had its share of this round;
    /// `None` when there is none of any class.
    pub fn receive<R>(&mut self, take: impl FnOnce(Punt, &[u8]) -> R) -> Option<R> {
        let class = self.next().or_else(|| {
            self.shares = SHARES;
            self.next()
        })?;
        self.shares[class] -= 1;
        self.rings[class].receive(take)
    }

    /// Hands a sample of what was dropped to `look`; `None` when there is none.
    pub fn sample<R>(&mut self, look: impl FnOnce(Sample, &[u8]) -> R) -> Option<R> {
        self.samples.receive(look)
    }

    /// Whether samples wait.
    pub fn has_samples(&self) -> bool {
        !self.samples.is_empty()
    }

    /// Whether no frame waits.
    pub fn is_empty(&self) -> bool {
        self.rings.iter().all(ring::Receiver::is_empty)
    }

    fn next(&self) -> Option<usize> {
        (0..CLASSES).find(|class| self.shares[*class] > 0 && !self.rings[*class].is_empty())
    }
}

/// What a sample is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// The port the frame came in through.
    pub port: PortId,
    /// Why it was dropped.
    pub reason: DropReason,
}

const CLASSES: usize = PuntClass::ALL.len();

/// How many frames of each class are taken in a round, in the order of [`PuntClass::ALL`], while others wait.
const SHARES: [u8; CLASSES] = [16, 16, 8, 8, 8, 8];

/// How many samples wait to be looked at, and how long one is, in bytes: an Ethernet and an IPv6 header.
const SAMPLES: usize = 8;
const SAMPLE_LEN: usize = 54;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reason::PuntReason;

    fn punt(reason: PuntReason) -> Punt {
        Punt { port: PortId(0), reason }
    }

    fn received(punts: &mut Receiver, at_most: usize) -> Vec<PuntReason> {
        std::iter::from_fn(|| punts.receive(|punt, _frame| punt.reason)).take(at_most).collect()
    }

    #[test]
    fn a_full_class_leaves_the_others_their_room() {
        let (mut sender, mut receiver) = punts(RingSizes { slots: 8, frame_len: 4 });
        for frame in 0..10 {
            let taken = sender.send(punt(PuntReason::Local), &[frame]);
            let expected = if frame < 2 { Ok(()) } else { Err(DropReason::PuntFullLocal) };
            assert_eq!(taken, expected);
        }
        for other in [PuntReason::Arp, PuntReason::Routing, PuntReason::TtlExpired, PuntReason::Unresolved] {
            assert_eq!(sender.send(punt(other), &[0]), Ok(()));
        }
        assert_eq!(received(&mut receiver, 100).len(), 6);
        assert!(receiver.is_empty());
    }

    #[test]
    fn every_class_has_its_share_of_a_round_and_the_urgent_ones_the_first() {
        let (mut sender, mut receiver) = punts(RingSizes { slots: 400, frame_len: 4 });
        for _frame in 0..100 {
            for reason in [PuntReason::Local, PuntReason::Arp] {
                sender.send(punt(reason), &[0]).unwrap();
            }
        }
        let round = received(&mut receiver, 24);
        assert_eq!(round[..16], [PuntReason::Arp; 16]);
        assert_eq!(round[16..], [PuntReason::Local; 8]);
        assert_eq!(received(&mut receiver, 1), [PuntReason::Arp], "and so on");
        assert_eq!(received(&mut receiver, 1000).len(), 175, "until there is none");
    }

    #[test]
    fn a_few_samples_wait_to_be_looked_at_and_no_more() {
        let (mut sender, mut receiver) = punts(RingSizes { slots: 4, frame_len: 4 });
        let sample = Sample { port: PortId(1), reason: DropReason::MartianSource };
        for frame in 0..20 {
            sender.show(sample, &[frame; 100]);
        }
        let seen: Vec<_> = std::iter::from_fn(|| receiver.sample(|sample, frame| (sample, frame.to_vec()))).collect();
        assert_eq!(seen.len(), SAMPLES);
        assert_eq!(seen[0], (sample, vec![0; SAMPLE_LEN]), "its beginning");
        assert!(receiver.is_empty(), "and none of them is a punt");
    }

    #[test]
    fn frames_of_a_class_come_up_in_the_order_they_were_sent() {
        let (mut sender, mut receiver) = punts(RingSizes { slots: 400, frame_len: 4 });
        for frame in 0..100 {
            sender.send(punt(PuntReason::Local), &[frame]).unwrap();
        }
        for expected in 0..100 {
            assert_eq!(receiver.receive(|_punt, frame| frame[0]), Some(expected));
        }
    }
}
