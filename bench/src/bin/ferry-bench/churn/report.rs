//! What churn cost, as a table, JSON and a picture.

use std::io::{self, Write};
use std::path::Path;

use bench::difference::Difference;
use bench::figures::{Figure, Figures};
use serde::Serialize;

use super::Slice;
use crate::outcome::Outcome;
use crate::picture;

/// What the pairs of a rate say together.
#[derive(Debug, Clone, Copy, Serialize)]
struct Finding {
    updates_a_second: f64,
    /// How many were made, on average: those asked for, as far as the generator leaves ferryd's control thread its core.
    made_a_second: f64,
    /// Packets a second offered meanwhile.
    offered_a_second: f64,
    pairs: usize,
    /// Packets lost in all slices of the rate, with churn and without.
    lost_with: u64,
    lost_without: u64,
    /// How much longer than without churn all packets would have had to be lost, in microseconds a second.
    blocked_us_a_second: f64,
    /// The same at most, with a confidence of 95 %.
    blocked_us_a_second_at_most: f64,
    /// How likely chance alone shows so much or more.
    chance: f64,
}

/// Prints a table, or JSON.
pub(super) fn print(slices: &[Slice], ndr: f64, rate: f64, json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let findings: Vec<_> = rates(slices).into_iter().map(|updates| Finding::of(slices, updates)).collect();
    let figures = Figures::measured(findings.iter().filter_map(Finding::figure));
    if json {
        let told = serde_json::json!({
            "ndr": ndr, "rate": rate, "findings": findings, "slices": slices, "figures": figures
        });
        return writeln!(out, "{}", serde_json::to_string_pretty(&told).map_err(io::Error::other)?);
    }
    writeln!(out, "{:.3} million packets a second one way, of {:.3} without loss", rate / 1e6, ndr / 1e6)?;
    writeln!(
        out,
        "{:<22} {:>10} {:>8} {:>6} {:>8} {:>10} {:>7} {:>10} {:>9} {:>9} {:>9} {:>10} {:>6}",
        "asked",
        "updates/s",
        "scrapes",
        "flaps",
        "reloads",
        "offered",
        "lost",
        "blocked us",
        "withheld",
        "99 % us",
        "most us",
        "core taken",
        "again"
    )?;
    for slice in slices {
        let Slice { done, load, blocked_us, dropped, core_taken_us, made_before, .. } = slice;
        writeln!(
            out,
            "{:<22} {:>10.0} {:>8} {:>6} {:>8} {:>10} {:>7} {:>10.1} {:>9} {:>9.1} {:>9.1} {:>7} us {:>6}{}",
            slice.label(),
            done.updates_a_second,
            done.scrapes,
            done.flaps,
            done.reloads,
            load.offered,
            load.lost,
            blocked_us,
            load.forgone,
            load.latency.p99_us,
            load.latency.max_us,
            core_taken_us,
            made_before,
            if slice.is_doubtful { " doubtful" } else { "" }
        )?;
        if !dropped.is_empty() {
            writeln!(out, "{:<22} ferryd dropped: {dropped:?}", "")?;
        }
    }
    for finding in findings {
        finding.print(&mut out)?;
    }
    if figures.is_empty() {
        return writeln!(out, "nothing here has to be met: that is of --updates 10k and 100k");
    }
    write!(out, "\n{figures}")
}

impl Finding {
    fn of(slices: &[Slice], updates: f64) -> Self {
        let of_rate = |with: bool| {
            slices.iter().filter(move |slice| slice.with_churn == with && is_same(slice.of_updates_a_second, updates))
        };
        let lost = |with: bool| of_rate(with).map(|slice| slice.load.lost).sum();
        // Both are in the order of their pairs.
        let blocked = |slice: &Slice| slice.blocked_us / slice.load.seconds;
        let pairs: Vec<_> = of_rate(true).map(blocked).zip(of_rate(false).map(blocked)).collect();
        let difference = Difference::of_pairs(&pairs);
        #[expect(clippy::cast_precision_loss, reason = "a handful of slices")]
        let average = |part: fn(&Slice) -> f64| of_rate(true).map(part).sum::<f64>() / pairs.len().max(1) as f64;
        Self {
            updates_a_second: updates,
            made_a_second: average(|slice| slice.done.updates_a_second),
            offered_a_second: average(|slice| slice.load.offered_a_second),
            pairs: pairs.len(),
            lost_with: lost(true),
            lost_without: lost(false),
            blocked_us_a_second: difference.mean,
            blocked_us_a_second_at_most: difference.at_most,
            chance: difference.chance,
        }
    }

    /// What has to be met at this rate, if anything. What is lost without churn as well is not lost to it.
    fn figure(&self) -> Option<Figure> {
        #[expect(clippy::cast_precision_loss, reason = "packets of a trial are far below 2^52")]
        let lost = self.lost_with.saturating_sub(self.lost_without) as f64;
        let (asked, made) = (self.updates_a_second / 1e3, self.made_a_second / 1e3);
        let what =
            format!("lost to {asked} k updates a second ({made:.1} k made) at {:.2} Mpps", self.offered_a_second / 1e6);
        let (must, goal) = if is_same(self.updates_a_second, 10e3) {
            (Some(0.0), None)
        } else if is_same(self.updates_a_second, 100e3) {
            (None, Some(0.0))
        } else {
            return None;
        };
        Some(Figure::at_most(what, lost, must, goal))
    }

    fn print(&self, out: &mut impl Write) -> io::Result<()> {
        let Self { updates_a_second, pairs, lost_with, lost_without, chance, .. } = self;
        writeln!(
            out,
            "{updates_a_second:.0} updates a second: {lost_with} lost with churn and {lost_without} without, in {pairs} pairs; \
             blocked {:.1} us a second longer, at most {:.1} us (95 %); chance alone shows so much with {:.0} %",
            self.blocked_us_a_second,
            self.blocked_us_a_second_at_most,
            chance * 100.0
        )
    }
}

impl Slice {
    fn label(&self) -> String {
        let (updates, pair) = (self.of_updates_a_second, self.pair + 1);
        if self.with_churn { format!("{pair}: {updates:.0} updates/s") } else { format!("{pair}: no churn") }
    }
}

/// The rates of updates, from the lowest.
fn rates(slices: &[Slice]) -> Vec<f64> {
    let mut rates: Vec<f64> = slices.iter().map(|slice| slice.of_updates_a_second).collect();
    rates.sort_by(f64::total_cmp);
    rates.dedup();
    rates
}

fn is_same(rate: f64, other: f64) -> bool {
    rate.total_cmp(&other).is_eq()
}

/// Draws the latencies with each rate of updates, and without any, into a folder.
pub(super) fn draw(folder: Option<&Path>, slices: &[Slice]) -> Result<(), String> {
    let Some(folder) = folder else { return Ok(()) };
    let all_of = |is_wanted: &dyn Fn(&Slice) -> bool| {
        slices.iter().filter(|slice| is_wanted(slice)).map(|slice| &slice.outcome).cloned().reduce(Outcome::and)
    };
    let mut lines: Vec<_> =
        all_of(&|slice| !slice.with_churn).map(|all| ("no churn".to_owned(), all)).into_iter().collect();
    for updates in rates(slices) {
        let all = all_of(&|slice| slice.with_churn && is_same(slice.of_updates_a_second, updates));
        lines.extend(all.map(|all| (format!("{updates:.0} updates a second"), all)));
    }
    let lines: Vec<_> = lines.iter().map(|(label, all)| (label.as_str(), all)).collect();
    picture::latency(folder, "churn", &lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(updates_a_second: f64, lost_with: u64, lost_without: u64) -> Option<(f64, bool, bool)> {
        let finding = Finding {
            updates_a_second,
            made_a_second: updates_a_second,
            offered_a_second: 3.2e6,
            pairs: 6,
            lost_with,
            lost_without,
            blocked_us_a_second: 0.0,
            blocked_us_a_second_at_most: 0.0,
            chance: 1.0,
        };
        finding.figure().map(|figure| (figure.measured, figure.met, figure.goal_met))
    }

    #[test]
    fn nothing_may_be_lost_to_ten_thousand_updates_and_nothing_should_be_to_a_hundred_thousand() {
        assert_eq!(verdict(10e3, 0, 0), Some((0.0, true, true)));
        assert_eq!(verdict(10e3, 1, 0), Some((1.0, false, true)));
        assert_eq!(verdict(100e3, 1, 0), Some((1.0, true, false)));
        assert_eq!(verdict(1e3, 1, 0), None);
    }

    #[test]
    fn what_is_lost_without_churn_as_well_is_not_lost_to_it() {
        assert_eq!(verdict(10e3, 700, 400), Some((300.0, false, true)));
        assert_eq!(verdict(10e3, 400, 700), Some((0.0, true, true)));
    }
}
