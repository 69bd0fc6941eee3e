//! Measuring on a machine that others use too.
//!
//! The processors may be siblings of one core, and that core's sibling somebody else's. So engines take turns, sample by
//! sample, and a short loop that fits the first cache is timed before and after each sample: only samples between two quick
//! ones count. What is timed is the processor's time of this thread, so that being interrupted costs nothing. Ratios of engines measured in turns survive what absolute figures do not.

use std::cell::Cell;
use std::hint::black_box;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// Tells whether the machine is quiet just now.
pub(crate) struct Gate {
    table: Vec<u32>,
    places: Vec<u32>,
    /// The shortest the probe has taken so far: on a machine that was never quiet yet, that is to be learned.
    best: Cell<Duration>,
    /// How long one comparison may wait for quiet.
    patience: Duration,
}

impl Gate {
    /// Learns, for a second, how fast this machine is.
    pub(crate) fn new(patience: Duration) -> Self {
        let places = (0..2048_u64).map(|n| (bench::noise::mixed(n) % 4096) as u32).collect();
        let gate = Self { table: (0..4096).collect(), places, best: Cell::new(Duration::MAX), patience };
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(1) {
            gate.probe();
        }
        gate
    }

    /// Whether the probe takes what it can take at best, or nearly.
    pub(crate) fn is_quiet(&self) -> bool {
        self.probe();
        let probe = self.probe().min(self.probe());
        probe.as_secs_f64() * QUIET <= self.best.get().as_secs_f64()
    }

    fn probe(&self) -> Duration {
        let start = Instant::now();
        let mut sum = 0_u32;
        for _round in 0..12 {
            for places in self.places.as_chunks::<8>().0 {
                for place in places {
                    sum = sum.wrapping_add(self.table[*place as usize & 4095]);
                }
            }
        }
        black_box(sum);
        let probe = start.elapsed();
        self.best.set(self.best.get().min(probe));
        probe
    }
}

/// The samples of one thing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Samples {
    quiet: Vec<f64>,
    noisy: Vec<f64>,
}

impl Samples {
    /// Times `work` once, and files the time by whether the machine was quiet.
    pub(crate) fn time(&mut self, gate: &Gate, work: impl FnOnce()) {
        let before = gate.is_quiet();
        let start = processor_time();
        work();
        let seconds = (processor_time() - start).as_secs_f64();
        if before && gate.is_quiet() { self.quiet.push(seconds) } else { self.noisy.push(seconds) }
    }

    /// Quiet samples so far.
    pub(crate) fn quiet(&self) -> usize {
        self.quiet.len()
    }

    /// Nearly the fastest of the quiet samples, the 5th percentile; of all, where too few are quiet. Strangers only ever
    /// make a sample longer.
    pub(crate) fn seconds(&self) -> f64 {
        if self.quiet.len() >= ENOUGH {
            return percentile(&self.quiet, 5);
        }
        let all: Vec<f64> = self.quiet.iter().chain(&self.noisy).copied().collect();
        percentile(&all, 5)
    }
}

/// What this thread has computed for.
pub(crate) fn processor_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::from_secs(now.tv_sec.unsigned_abs()) + Duration::from_nanos(now.tv_nsec.unsigned_abs())
}

/// Lets each of `count` pieces of work take turns until each has `wanted` quiet samples, or it takes too long.
pub(crate) fn in_turns(gate: &Gate, count: usize, wanted: usize, mut work: impl FnMut(usize)) -> Vec<Samples> {
    let mut samples = vec![Samples::default(); count];
    // Once for the caches, and for the page tables.
    (0..count).for_each(&mut work);
    let start = Instant::now();
    while start.elapsed() < gate.patience {
        for (n, samples) in samples.iter_mut().enumerate() {
            samples.time(gate, || work(n));
        }
        if samples.iter().all(|samples| samples.quiet() >= wanted) {
            break;
        }
    }
    samples
}

/// The value that `percent` of the values do not exceed.
pub(crate) fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}

/// A probe at 82 % of the best is quiet.
const QUIET: f64 = 0.82;

/// Quiet samples that can do without the others.
const ENOUGH: usize = 10;
