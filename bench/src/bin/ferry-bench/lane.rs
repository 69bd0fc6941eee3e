//! One side of a generator during a trial, and the loop that turns both.

use std::sync::Arc;

use bench::pace::Pace;
use bench::plan::Plan;
use bench::sequence::Sequence;
use bench::stamp::Stamp;
use dpdk::{Mbuf, cycles};
use pipeline::{BURST, Burst, Frame, Port as _};

use crate::generator::{Load, Side};
use crate::outcome::{Histogram, Lapses, Outcome, StreamOutcome, duration, new_histogram};

/// What one side sends and takes.
pub(crate) struct Lane<'a> {
    side: &'a mut Side,
    /// Which side it is, and the number of its stream.
    number: u8,
    /// What it sends, if it does.
    plan: Option<&'a Arc<Plan>>,
    /// What the other side sends.
    others: Option<&'a Arc<Plan>>,
    pace: Pace,
    /// The number of its next packet.
    next: u64,
    sent: u64,
    refused: u64,
    /// Not sent, since this thread was away or no buffer was free.
    forgone: u64,
    /// What came in here.
    sequence: Sequence,
    latency: Histogram,
    strangers: u64,
    last_arrival: Option<u64>,
    longest_silence: u64,
    silent_at_end: u64,
    /// The first number of each stage.
    stage_starts: Vec<u64>,
    scratch: Box<[u8; Plan::LONGEST]>,
}

impl<'a> Lane<'a> {
    pub(crate) fn new(
        side: &'a mut Side,
        number: u8,
        plan: Option<&'a Arc<Plan>>,
        others: Option<&'a Arc<Plan>>,
        hertz: u64,
    ) -> Self {
        Self {
            side,
            number,
            plan,
            others,
            pace: Pace::new(0.0, hertz, 0),
            next: 0,
            sent: 0,
            refused: 0,
            forgone: 0,
            sequence: Sequence::default(),
            latency: new_histogram(),
            strangers: 0,
            last_arrival: None,
            longest_silence: 0,
            silent_at_end: 0,
            stage_starts: Vec::new(),
            scratch: Box::new([0; Plan::LONGEST]),
        }
    }

    /// Begins a stage; what was due in the one before and waits is forgone.
    fn begin(&mut self, rate: f64, hertz: u64, now: u64) {
        self.end_stage();
        self.pace = Pace::new(rate, hertz, now);
        self.stage_starts.push(self.next);
    }

    fn end_stage(&mut self) {
        self.forgone += self.pace.forgone();
    }

    /// Looks at a link that is silent: one between processes lets a device that was started again in when it is asked.
    fn look(&mut self, now: u64, silence: u64) {
        if self.last_arrival.is_none_or(|last| now.saturating_sub(last) > silence) {
            let _state = self.side.port.link();
        }
    }

    /// Ends the load that began then.
    fn end(&mut self, begin: u64, now: u64) {
        self.end_stage();
        self.silent_at_end = now.saturating_sub(self.last_arrival.unwrap_or(begin));
    }

    /// Sends what is due, at most a burst; how many it tried.
    #[inline]
    fn send(&mut self, trial: u8, now: u64) -> u64 {
        let Some(plan) = self.plan else { return 0 };
        let due = self.pace.take(now, BURST as u64);
        if due == 0 {
            return 0;
        }
        let mut burst: Burst<Mbuf> = Burst::new();
        let cycles = cycles();
        for _packet in 0..due {
            let len = plan.write(Stamp { stream: self.number, trial, number: self.next, cycles }, &mut self.scratch);
            let Some(frame) = self.side.queue.originate(&self.scratch[..len]) else {
                self.forgone += due - burst.len() as u64;
                break;
            };
            burst.push(frame);
            self.next += 1;
        }
        let offered = burst.len() as u64;
        self.side.queue.transmit(&mut burst);
        self.refused += burst.len() as u64;
        self.sent += offered - burst.len() as u64;
        offered
    }

    /// Takes what has come. How long it took counts if this thread was there when it came.
    #[inline]
    fn receive(&mut self, trial: u8, times_count: bool) -> u64 {
        let mut burst: Burst<Mbuf> = Burst::new();
        self.side.queue.receive(0, &mut burst);
        if burst.is_empty() {
            return 0;
        }
        let now = cycles();
        let mut arrived = 0;
        for frame in &burst {
            match Stamp::of_frame(frame.bytes()) {
                Some(stamp) if stamp.stream == 1 - self.number && stamp.trial == trial => {
                    arrived += 1;
                    self.sequence.note(stamp.number, |number| self.others.map_or(0, |plan| plan.flow_of(number)));
                    if times_count {
                        self.latency.saturating_record(now.saturating_sub(stamp.cycles));
                    }
                }
                // Of an earlier trial, or turned back: it does not count.
                Some(_stamp) => {}
                None => {
                    self.strangers += 1;
                    self.side.hear(frame.bytes());
                }
            }
        }
        if arrived > 0 {
            let before = self.last_arrival.replace(now).unwrap_or(now);
            self.longest_silence = self.longest_silence.max(now - before);
        }
        arrived
    }
}

/// The thread's work: all stages, and then what is still on its way.
pub(crate) fn crank(lanes: &mut [Lane<'_>; 2], load: &Load, trial: u8, hertz: u64) -> Outcome {
    // What lies in the rings is of no trial that counts.
    let empty = cycles() + hertz / 1000;
    while cycles() < empty {
        lanes.iter_mut().for_each(|lane| {
            lane.receive(trial, false);
        });
    }
    let ways = lanes.iter().filter(|lane| lane.plan.is_some()).count().max(1);
    let last = cycles();
    let mut turns = Turns { lapses: Lapses::default(), last, handled: 0, hertz, look: hertz / LOOK, looked: last };
    let begin = turns.last;
    for stage in &load.stages {
        let begin = turns.last;
        #[expect(clippy::cast_precision_loss, reason = "two at most")]
        lanes.iter_mut().for_each(|lane| lane.begin(stage.rate / ways as f64, hertz, begin));
        let end = begin + cycles_of(stage.time.as_secs_f64(), hertz);
        while turns.last < end {
            turns.turn(lanes, trial, true);
        }
    }
    let time = turns.last - begin;
    lanes.iter_mut().for_each(|lane| lane.end(begin, turns.last));
    let last_wait = cycles_of(LAST_WAIT, hertz);
    let mut silent_since = turns.last;
    while is_any_missing(lanes) && turns.last - silent_since < last_wait {
        if turns.turn(lanes, trial, false) > 0 {
            silent_since = turns.last;
        }
    }
    outcome(lanes, time, turns.lapses, hertz)
}

/// The turns of the crank, and the times between them that are too long.
struct Turns {
    lapses: Lapses,
    last: u64,
    /// Packets that were handled then.
    handled: u64,
    hertz: u64,
    /// How long a link may be silent before it is looked at, and when that was done last.
    look: u64,
    looked: u64,
}

impl Turns {
    /// Sends, if it is still time, and takes what has come.
    #[inline]
    fn turn(&mut self, lanes: &mut [Lane<'_>; 2], trial: u8, sends: bool) -> u64 {
        let now = cycles();
        let away = now - self.last;
        let was_here = away < self.hertz / LAPSE + self.handled * (self.hertz / SLOWEST);
        if !was_here {
            self.lapses.note(duration(away, self.hertz));
        }
        self.last = now;
        if now - self.looked > self.look {
            lanes.iter_mut().for_each(|lane| lane.look(now, self.look));
            self.looked = now;
        }
        let (mut sent, mut arrived) = (0, 0);
        for lane in lanes {
            if sends {
                sent += lane.send(trial, now);
            }
            arrived += lane.receive(trial, was_here);
        }
        self.handled = sent + arrived;
        arrived
    }
}

fn is_any_missing(lanes: &[Lane<'_>; 2]) -> bool {
    let [left, right] = lanes;
    right.sequence.counts().received < left.sent || left.sequence.counts().received < right.sent
}

fn outcome(lanes: &[Lane<'_>; 2], time: u64, lapses: Lapses, hertz: u64) -> Outcome {
    let streams = [(0, 1), (1, 0)].into_iter().filter_map(|(from, to)| {
        let (sender, receiver) = (&lanes[from], &lanes[to]);
        sender.plan?;
        // A card that refuses is full of what it sends: the wire is the limit, and nobody was offered these.
        let (refused, forgone) = match sender.side.is_card {
            true => (0, sender.forgone + sender.refused),
            false => (sender.refused, sender.forgone),
        };
        Some(StreamOutcome {
            from,
            sent: sender.sent,
            refused,
            forgone,
            lost: (sender.sent + refused).saturating_sub(receiver.sequence.counts().received),
            counts: receiver.sequence.counts(),
            longest_silence: duration(receiver.longest_silence.max(receiver.silent_at_end), hertz),
            silent_at_end: duration(receiver.silent_at_end, hertz),
            last_gap: receiver.sequence.last_gap(),
            ends: (receiver.sequence.next(), sender.next),
            stage_starts: sender.stage_starts.clone(),
        })
    });
    let streams = streams.collect();
    let mut latency = new_histogram();
    for lane in lanes {
        latency.add(&lane.latency).expect("both have the same bounds");
    }
    let strangers = lanes.iter().map(|lane| lane.strangers).sum();
    Outcome { time: duration(time, hertz), streams, lapses, strangers, latency, hertz }
}

/// So many seconds of a clock that ticks `hertz` times in one.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "cycles of a trial are far below 2^52"
)]
pub(crate) fn cycles_of(seconds: f64, hertz: u64) -> u64 {
    (seconds * hertz as f64) as u64
}

/// A turn that comes later than this part of a second after the one before is a lapse, if what was handled in that does not
/// explain it.
const LAPSE: u64 = 40_000;

/// Packets a second that the thread handles at the least, when it has its core.
const SLOWEST: u64 = 5_000_000;

/// A link that was silent for this part of a second is looked at.
const LOOK: u64 = 10;

/// For how many seconds without any packet the last ones are waited for.
const LAST_WAIT: f64 = 0.05;
