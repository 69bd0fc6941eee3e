//! What became of a trial.

use std::io::{self, Write};
use std::time::Duration;

use bench::quantile::quantile;
use bench::sequence::Counts;
use serde::{Serialize, Serializer};

/// Times in cycles; 3 digits of each count.
pub(crate) type Histogram = hdrhistogram::Histogram<u64>;

/// An empty one. What is longer than it can tell is counted as the longest.
pub(crate) fn new_histogram() -> Histogram {
    Histogram::new_with_bounds(1, LONGEST_CYCLES, 3).expect("the bounds are in order, and 3 digits are allowed")
}

/// The part of a load that the generator may fail to offer before it counts as lost.
const LARGEST_SHORTFALL: f64 = 0.01;

/// About a minute.
const LONGEST_CYCLES: u64 = 1 << 38;

/// A trial's outcome.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    /// How long packets were sent.
    pub(crate) time: Duration,
    pub(crate) streams: Vec<StreamOutcome>,
    pub(crate) lapses: Lapses,
    /// Frames that were no test packets.
    pub(crate) strangers: u64,
    pub(crate) latency: Histogram,
    pub(crate) hertz: u64,
}

/// What became of what one port sent.
#[derive(Debug, Clone)]
pub(crate) struct StreamOutcome {
    /// The side that sent it.
    pub(crate) from: usize,
    /// What the link took.
    pub(crate) sent: u64,
    /// What a link between processes had no room for: lost at its end.
    pub(crate) refused: u64,
    /// What was due and not offered: the generator was away, or the wire full.
    pub(crate) forgone: u64,
    /// What was offered and did not come out.
    pub(crate) lost: u64,
    pub(crate) counts: Counts,
    /// The longest time between two arrivals, or between the last one and the end of the load.
    pub(crate) longest_silence: Duration,
    /// That last one.
    pub(crate) silent_at_end: Duration,
    /// The highest number that another overtook.
    pub(crate) last_gap: Option<u64>,
    /// One more than the highest number that came, and than the highest that was given.
    pub(crate) ends: (u64, u64),
    /// The first number of each stage.
    pub(crate) stage_starts: Vec<u64>,
}

/// How often the generator's thread did not run when it should have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Lapses {
    pub(crate) count: u64,
    /// Of all together.
    #[serde(rename = "total_us", serialize_with = "in_micros")]
    pub(crate) total: Duration,
    #[serde(rename = "longest_us", serialize_with = "in_micros")]
    pub(crate) longest: Duration,
}

impl Lapses {
    /// Notes one.
    #[cold]
    pub(crate) fn note(&mut self, time: Duration) {
        self.count += 1;
        self.total += time;
        self.longest = self.longest.max(time);
    }
}

fn in_micros<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    time.as_micros().serialize(serializer)
}

impl StreamOutcome {
    /// The highest number that did not come out, or came late.
    pub(crate) fn last_lost(&self) -> Option<u64> {
        let (came, given) = self.ends;
        if came < given { given.checked_sub(1) } else { self.last_gap }
    }
}

impl Outcome {
    fn sum(&self, part: impl Fn(&StreamOutcome) -> u64) -> u64 {
        self.streams.iter().map(part).sum()
    }

    pub(crate) fn offered(&self) -> u64 {
        self.sum(|stream| stream.sent + stream.refused)
    }

    pub(crate) fn lost(&self) -> u64 {
        self.sum(|stream| stream.lost)
    }

    pub(crate) fn received(&self) -> u64 {
        self.sum(|stream| stream.counts.received)
    }

    pub(crate) fn forgone(&self) -> u64 {
        self.sum(|stream| stream.forgone)
    }

    /// The part of what was offered that did not come out.
    pub(crate) fn loss_ratio(&self) -> f64 {
        share(self.lost(), self.offered())
    }

    /// The part of what was due that was not offered.
    pub(crate) fn shortfall(&self) -> f64 {
        share(self.forgone(), self.offered() + self.forgone())
    }

    /// Whether so much was not offered that the load was another than the one asked for.
    pub(crate) fn falls_short(&self) -> bool {
        self.shortfall() > LARGEST_SHORTFALL
    }

    /// Whether that is since others had the generator's core, and not since it is too slow.
    pub(crate) fn was_kept_from_offering(&self) -> bool {
        let not_offered = self.time.mul_f64(self.shortfall());
        self.falls_short() && self.lapses.total >= not_offered / 2
    }

    /// Packets a second that came out.
    #[expect(clippy::cast_precision_loss, reason = "packets of a trial are far below 2^52")]
    pub(crate) fn received_a_second(&self) -> f64 {
        self.received() as f64 / self.time.as_secs_f64()
    }

    /// Packets a second that were offered.
    #[expect(clippy::cast_precision_loss, reason = "packets of a trial are far below 2^52")]
    pub(crate) fn offered_a_second(&self) -> f64 {
        self.offered() as f64 / self.time.as_secs_f64()
    }

    /// The longest time in which nothing of some stream came out.
    pub(crate) fn longest_silence(&self) -> Duration {
        self.streams.iter().map(|stream| stream.longest_silence).max().unwrap_or_default()
    }

    /// The longest time in which nothing came out, of the stream that was silent least.
    pub(crate) fn silence_of_all(&self) -> Duration {
        self.streams.iter().map(|stream| stream.longest_silence).min().unwrap_or_default()
    }

    /// With the times that packets of another took among its own.
    #[must_use]
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.latency.add(&other.latency).expect("both have the same bounds");
        self
    }

    /// How long packets took.
    pub(crate) fn times(&self) -> Times {
        let at = |quantile| self.micros(self.latency.value_at_quantile(quantile));
        Times {
            samples: self.latency.len(),
            min_us: self.micros(self.latency.min()),
            p50_us: at(0.5),
            p90_us: at(0.9),
            p99_us: at(0.99),
            p999_us: at(0.999),
            max_us: self.micros(self.latency.max()),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a minute of cycles")]
    pub(crate) fn micros(&self, cycles: u64) -> f64 {
        cycles as f64 * 1e6 / self.hertz as f64
    }

    /// As JSON tells it.
    pub(crate) fn summary(&self) -> Summary {
        Summary {
            seconds: self.time.as_secs_f64(),
            offered: self.offered(),
            offered_a_second: self.offered_a_second(),
            sent: self.sum(|stream| stream.sent),
            refused: self.sum(|stream| stream.refused),
            forgone: self.forgone(),
            received: self.received(),
            received_a_second: self.received_a_second(),
            lost: self.lost(),
            loss_ratio: self.loss_ratio(),
            shortfall: self.shortfall(),
            longest_silence_us: self.longest_silence().as_micros(),
            duplicates: self.sum(|stream| stream.counts.duplicates),
            reordered: self.sum(|stream| stream.counts.reordered),
            reordered_by_at_most: self.streams.iter().map(|s| s.counts.reordered_by_at_most).max().unwrap_or(0),
            strangers: self.strangers,
            lapses: self.lapses,
            latency: self.times(),
        }
    }

    /// The whole distribution in microseconds, in the form that HdrHistogram's plotters read (`.hgrm`).
    pub(crate) fn write_hgrm(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{:>12} {:>14} {:>10} {:>14}\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)")?;
        let mut total = 0;
        for step in self.latency.iter_quantiles(5) {
            total += step.count_since_last_iteration();
            let (value, quantile) = (self.micros(step.value_iterated_to()), step.quantile_iterated_to());
            write!(out, "{value:>12.3} {quantile:>2.12} {total:>10}")?;
            if quantile < 1.0 { writeln!(out, " {:>14.2}", 1.0 / (1.0 - quantile))? } else { writeln!(out)? }
        }
        let scale = |cycles: f64| cycles * 1e6 / self.per_second();
        let (mean, deviation) = (scale(self.latency.mean()), scale(self.latency.stdev()));
        writeln!(out, "#[Mean    = {mean:>12.3}, StdDeviation   = {deviation:>12.3}]")?;
        writeln!(out, "#[Max     = {:>12.3}, Total count    = {total:>12}]", self.micros(self.latency.max()))
    }

    #[expect(clippy::cast_precision_loss, reason = "a clock's frequency")]
    fn per_second(&self) -> f64 {
        self.hertz as f64
    }
}

/// A trial in numbers, all streams together.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Summary {
    pub(crate) seconds: f64,
    pub(crate) offered: u64,
    pub(crate) offered_a_second: f64,
    pub(crate) sent: u64,
    pub(crate) refused: u64,
    pub(crate) forgone: u64,
    pub(crate) received: u64,
    pub(crate) received_a_second: f64,
    pub(crate) lost: u64,
    /// Of what was offered.
    pub(crate) loss_ratio: f64,
    /// The part of what was due that was not offered.
    pub(crate) shortfall: f64,
    pub(crate) longest_silence_us: u128,
    pub(crate) duplicates: u64,
    pub(crate) reordered: u64,
    pub(crate) reordered_by_at_most: u64,
    pub(crate) strangers: u64,
    pub(crate) lapses: Lapses,
    pub(crate) latency: Times,
}

/// Percentiles of the time that packets took.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Times {
    pub(crate) samples: u64,
    pub(crate) min_us: f64,
    pub(crate) p50_us: f64,
    pub(crate) p90_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) p999_us: f64,
    pub(crate) max_us: f64,
}

impl Times {
    /// Of each percentile the middle one; not a number if nobody has samples, of which those without say nothing.
    pub(crate) fn middle(of: &[Self]) -> Self {
        let middle = |part: fn(&Self) -> f64| quantile(Self::taken(of).map(part).collect(), 0.5);
        Self {
            samples: of.iter().map(|times| times.samples).sum(),
            min_us: middle(|times| times.min_us),
            p50_us: middle(|times| times.p50_us),
            p90_us: middle(|times| times.p90_us),
            p99_us: middle(|times| times.p99_us),
            p999_us: middle(|times| times.p999_us),
            max_us: middle(|times| times.max_us),
        }
    }

    /// The lowest and the highest 99 %, of those with samples; not numbers if there are none.
    pub(crate) fn p99_between(of: &[Self]) -> [f64; 2] {
        let p99 = || Self::taken(of).map(|times| times.p99_us);
        [p99().fold(f64::NAN, f64::min), p99().fold(f64::NAN, f64::max)]
    }

    /// Those with samples: of a trial in which nothing came out every percentile is zero.
    fn taken(of: &[Self]) -> impl Iterator<Item = &Self> {
        of.iter().filter(|times| times.samples > 0)
    }
}

/// So many cycles of a clock.
#[expect(clippy::cast_precision_loss, reason = "cycles of a trial are far below 2^52")]
pub(crate) fn duration(cycles: u64, hertz: u64) -> Duration {
    Duration::from_secs_f64(cycles as f64 / hertz as f64)
}

#[expect(clippy::cast_precision_loss, reason = "packets of a trial are far below 2^52")]
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
impl Outcome {
    /// Of a second of which nothing is known but these latencies, in cycles of a clock of so many hertz.
    pub(crate) fn of_latencies(latency: Histogram, hertz: u64) -> Self {
        let (time, lapses) = (Duration::from_secs(1), Lapses::default());
        Self { time, streams: Vec::new(), lapses, strangers: 0, latency, hertz }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(micros: f64) -> Times {
        Times {
            samples: 10,
            min_us: micros,
            p50_us: micros,
            p90_us: micros,
            p99_us: 2.0 * micros,
            p999_us: micros,
            max_us: micros,
        }
    }

    #[test]
    fn a_round_in_which_nothing_came_out_is_not_one_of_no_time() {
        let none = Times { samples: 0, ..times(0.0) };
        let rounds = [none, none, times(3.0), times(1.0), times(2.0)];
        let middle = Times::middle(&rounds);
        assert_eq!((middle.samples, middle.p50_us, middle.p99_us), (30, 2.0, 4.0));
        assert_eq!(Times::p99_between(&rounds), [2.0, 6.0]);
        assert!(Times::middle(&[none]).p99_us.is_nan());
        assert!(Times::p99_between(&[none]).iter().all(|p99| p99.is_nan()));
    }

    #[test]
    fn one_round_with_a_stall_does_not_move_the_middle() {
        let middle = Times::middle(&[times(3.0), times(1000.0), times(1.0)]);
        assert_eq!((middle.samples, middle.p50_us, middle.p99_us), (30, 3.0, 6.0));
    }

    /// Of a second, in which some of a million packets that were due were not offered while the generator was away.
    fn short(forgone: u64, away: Duration) -> Outcome {
        let stream = StreamOutcome {
            from: 0,
            sent: 1_000_000 - forgone,
            refused: 0,
            forgone,
            lost: 0,
            counts: Counts::default(),
            longest_silence: Duration::ZERO,
            silent_at_end: Duration::ZERO,
            last_gap: None,
            ends: (0, 0),
            stage_starts: vec![0],
        };
        let lapses = Lapses { count: 1, total: away, longest: away };
        Outcome { streams: vec![stream], lapses, ..Outcome::of_latencies(new_histogram(), 1_000_000_000) }
    }

    #[test]
    fn a_generator_is_kept_from_offering_by_others_and_else_too_slow() {
        let ms = Duration::from_millis;
        assert!(short(200_000, ms(200)).was_kept_from_offering());
        assert!(!short(200_000, ms(20)).was_kept_from_offering(), "it was there most of the time");
        assert!(!short(5_000, ms(5)).was_kept_from_offering(), "half a percent is no other load");
    }

    #[test]
    fn the_exported_distribution_counts_every_sample_and_ends_at_the_whole() {
        let mut latency = new_histogram();
        (1..=1000_u64).for_each(|micros| latency.saturating_record(micros * 1000));
        let outcome = Outcome::of_latencies(latency, 1_000_000_000);
        let mut text = Vec::new();
        outcome.write_hgrm(&mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        let rows: Vec<Vec<f64>> = text
            .lines()
            .filter(|line| !line.starts_with('#') && !line.contains("Value") && !line.is_empty())
            .map(|line| line.split_whitespace().map(|word| word.parse().unwrap()).collect())
            .collect();
        assert!(rows.windows(2).all(|pair| pair[0][0] <= pair[1][0] && pair[0][1] <= pair[1][1]), "{text}");
        assert_eq!(rows.last().unwrap()[1..], [1.0, 1000.0], "{text}");
        let median = rows.iter().find(|row| row[1] >= 0.5).unwrap();
        assert!((499.0..=502.0).contains(&median[0]), "{text}");
        assert!(text.ends_with("Total count    =         1000]\n"), "{text}");
    }
}
