//! What churn cost, as a table, JSON and a picture.

use std::io::{self, Write};
use std::path::Path;

use bench::difference::Difference;
use serde::Serialize;

use super::Slice;
use crate::outcome::Outcome;
use crate::picture;

/// What the pairs of a rate say together.
#[derive(Debug, Clone, Copy, Serialize)]
struct Finding {
    updates_a_second: f64,
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
    if json {
        let told = serde_json::json!({ "ndr": ndr, "rate": rate, "findings": findings, "slices": slices });
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
    Ok(())
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
        Self {
            updates_a_second: updates,
            pairs: pairs.len(),
            lost_with: lost(true),
            lost_without: lost(false),
            blocked_us_a_second: difference.mean,
            blocked_us_a_second_at_most: difference.at_most,
            chance: difference.chance,
        }
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
