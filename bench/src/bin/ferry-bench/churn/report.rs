//! What churn cost, as a table, JSON and a picture.

use std::io::{self, Write};
use std::path::Path;

use bench::difference::Difference;
use bench::figures::{Figure, Figures};
use serde::Serialize;

use super::{Offer, Slice};
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
pub(super) fn print(slices: &[Slice], offer: Offer, json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let findings: Vec<_> = rates(slices).into_iter().map(|updates| Finding::of(slices, updates)).collect();
    let verdicts: Vec<_> = findings.iter().filter_map(|finding| finding.verdict(offer)).collect();
    let figures = Figures::measured(verdicts.iter().flatten().cloned());
    let without: Vec<_> = verdicts.iter().filter_map(|verdict| verdict.as_ref().err()).collect();
    let (ndr, rate) = (offer.ndr, offer.rate());
    if json {
        let told = serde_json::json!({
            "ndr": ndr, "rate": rate, "findings": findings, "slices": slices, "figures": figures,
            "without_figure": without
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
    for why in &without {
        writeln!(out, "{why}")?;
    }
    if figures.is_empty() && without.is_empty() {
        return writeln!(out, "nothing here has to be met: that is of --updates 10k and 100k");
    }
    if figures.is_empty() { Ok(()) } else { write!(out, "\n{figures}") }
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

    /// What has to be met at this rate of updates, if anything, or why nothing can be said of it.
    ///
    /// None may be lost at 80 % of what is carried without loss, so another part or far fewer updates are another question.
    /// Where slices without churn lose packets as well, the machine does, and those lost with churn may be its too.
    fn verdict(&self, offer: Offer) -> Option<Result<Figure, String>> {
        let (must, goal) = if is_same(self.updates_a_second, 10e3) {
            (Some(0.0), None)
        } else if is_same(self.updates_a_second, 100e3) {
            (None, Some(0.0))
        } else {
            return None;
        };
        let (asked, made) = (self.updates_a_second / 1e3, self.made_a_second / 1e3);
        let what = format!(
            "lost to {asked} k updates a second ({made:.1} k made) at {:.2} of {:.2} Mpps",
            self.offered_a_second / 1e6,
            offer.rate() / 1e6
        );
        let (with, without) = (self.lost_with, self.lost_without);
        Some(if offer.percent != PERCENT {
            Err(format!(
                "{what}: not measured, since that is of {PERCENT} % of the rate without loss, not {} %",
                offer.percent
            ))
        } else if made < LEAST_MADE * asked {
            Err(format!("{what}: not measured, since too few updates were made"))
        } else if with > 0 && without > 0 {
            Err(format!("{what}: {with}; {without} were lost without churn as well: nothing can be said of 0 here"))
        } else {
            #[expect(clippy::cast_precision_loss, reason = "packets of a trial are far below 2^52")]
            Ok(Figure::at_most(what, with as f64, must, goal))
        })
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

/// Which part of the rate without loss is offered where something has to be met.
const PERCENT: u32 = 80;

/// Which part of the updates asked for has to have been made.
const LEAST_MADE: f64 = 0.8;

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

    const OFFER: Offer = Offer { ndr: 4e6, percent: 80 };

    fn finding(updates_a_second: f64, lost_with: u64, lost_without: u64) -> Finding {
        Finding {
            updates_a_second,
            made_a_second: updates_a_second,
            offered_a_second: 3e6,
            pairs: 6,
            lost_with,
            lost_without,
            blocked_us_a_second: 0.0,
            blocked_us_a_second_at_most: 0.0,
            chance: 1.0,
        }
    }

    fn verdict(updates_a_second: f64, lost_with: u64, lost_without: u64) -> Option<Result<(f64, bool, bool), String>> {
        let verdict = finding(updates_a_second, lost_with, lost_without).verdict(OFFER);
        verdict.map(|verdict| verdict.map(|figure| (figure.measured, figure.met, figure.goal_met)))
    }

    #[test]
    fn nothing_may_be_lost_to_ten_thousand_updates_and_nothing_should_be_to_a_hundred_thousand() {
        assert_eq!(verdict(10e3, 0, 0), Some(Ok((0.0, true, true))));
        assert_eq!(verdict(10e3, 1, 0), Some(Ok((1.0, false, true))));
        assert_eq!(verdict(100e3, 1, 0), Some(Ok((1.0, true, false))));
        assert_eq!(verdict(1e3, 1, 0), None);
    }

    #[test]
    fn what_is_lost_beside_losses_without_churn_is_neither_met_nor_missed() {
        assert_eq!(verdict(10e3, 0, 700), Some(Ok((0.0, true, true))), "nothing was lost to churn, whatever else was");
        for (with, without) in [(700, 400), (400, 700)] {
            let why = verdict(10e3, with, without).unwrap().unwrap_err();
            let expected =
                format!("Mpps: {with}; {without} were lost without churn as well: nothing can be said of 0 here");
            assert!(why.ends_with(&expected), "{why}");
        }
    }

    #[test]
    fn a_figure_says_what_was_offered_of_what_was_to_be() {
        let figure = finding(10e3, 0, 0).verdict(OFFER).unwrap().unwrap();
        assert_eq!(figure.what, "lost to 10 k updates a second (10.0 k made) at 3.00 of 3.20 Mpps");
    }

    #[test]
    fn another_load_or_far_fewer_updates_than_asked_for_are_not_what_has_to_be_met() {
        let half = finding(10e3, 0, 0).verdict(Offer { percent: 50, ..OFFER }).unwrap().unwrap_err();
        assert!(half.contains("10 k updates") && half.contains("80 % of the rate without loss, not 50 %"), "{half}");
        let made = |made_a_second| Finding { made_a_second, ..finding(100e3, 0, 0) }.verdict(OFFER).unwrap();
        assert!(made(80e3).is_ok());
        let few = made(79e3).unwrap_err();
        assert!(few.contains("100 k updates a second (79.0 k made)") && few.contains("too few"), "{few}");
    }
}
