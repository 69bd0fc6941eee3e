//! What has to be met: ferryd beside `dpdk-testpmd` in mac mode, over the same links with the same frames.

use bench::figures::{Figure, Figures};

use super::measure::{Findings, Rate};
use crate::dut::Kind;

/// Two figures for each length of frames that both were measured with.
pub(super) fn figures(findings: &[Findings]) -> Figures {
    let ferry = findings.iter().filter(|findings| findings.target == Kind::Ferry.name());
    let pairs = ferry.filter_map(|ours| Some((ours, yardstick(ours, findings)?)));
    Figures::measured(pairs.flat_map(|(ours, theirs)| {
        let size = &ours.size;
        let rate = rates(ours.ndr, theirs.ndr);
        let latency = ratio(p99_at_half(ours), p99_at_half(theirs));
        [
            Figure::at_least(format!("{size} bytes: NDR, of testpmd mac's"), rate, 0.85, 1.0),
            Figure::at_most(format!("{size} bytes: latency at 50 % of NDR, 99 %, of testpmd mac's"), latency, 2.0, 1.2),
        ]
    }))
}

/// What a device is held against, if that was measured with the same frames.
pub(super) fn yardstick<'a>(of: &Findings, all: &'a [Findings]) -> Option<&'a Findings> {
    let is_yardstick = |other: &&Findings| other.target == Kind::Testpmd.name() && other.size == of.size;
    all.iter().find(is_yardstick).filter(|yardstick| yardstick.target != of.target)
}

fn p99_at_half(findings: &Findings) -> Option<f64> {
    let half = findings.latency.iter().find(|at| at.percent == 50);
    half.map(|at| at.times.p99_us)
}

/// Of theirs, what ours carries without loss: nothing at all if every rate loses. Not a number where either was not searched, and
/// where theirs carries all that can be offered, which says what the generator does and not what testpmd would.
pub(super) fn rates(ours: Option<Rate>, theirs: Option<Rate>) -> f64 {
    match (ours, theirs) {
        (Some(ours), Some(Rate { lower: Some(theirs), upper: Some(_), .. })) => ours.lower.unwrap_or(0.0) / theirs,
        _ => f64::NAN,
    }
}

/// Not a number where either was not measured.
fn ratio(ours: Option<f64>, theirs: Option<f64>) -> f64 {
    ours.zip(theirs).map_or(f64::NAN, |(ours, theirs)| ours / theirs)
}

#[cfg(test)]
mod tests {
    use super::super::measure::{AtLoad, Rate};
    use super::super::target::Machine;
    use super::*;
    use crate::outcome::{Outcome, new_histogram};

    /// A device that carries so many packets a second, each of which takes so long at half of it.
    fn findings(kind: Kind, size: &str, rate: f64, micros: u64) -> Findings {
        let mut latency = new_histogram();
        latency.record(micros).unwrap();
        let times = Outcome::of_latencies(latency, 1_000_000).times();
        let p99_us_between = [times.p99_us; 2];
        let at_half = AtLoad { percent: 50, rate: rate / 2.0, lost: 0, lapses: 0, times, p99_us_between };
        let ndr = Rate { lower: Some(rate), upper: Some(1.005 * rate), throughput: rate, trials: 1 };
        Findings {
            ndr: Some(ndr),
            latency: vec![at_half],
            machine: Machine::default(),
            ..Findings::new(kind.name(), size, 672.0, 1e7)
        }
    }

    fn verdicts(figures: &Figures) -> Vec<String> {
        let table = figures.to_string();
        table.lines().skip(1).map(|line| line.rsplit("  ").next().unwrap_or_default().to_owned()).collect()
    }

    #[test]
    fn ferry_is_held_against_testpmd_in_mac_mode_with_frames_of_the_same_length() {
        let all = [
            findings(Kind::Ferry, "64", 0.9e6, 30),
            findings(Kind::TestpmdIo, "64", 2e6, 1),
            findings(Kind::Testpmd, "64", 1e6, 20),
            findings(Kind::Ferry, "1518", 0.5e6, 300),
            findings(Kind::Testpmd, "1518", 1e6, 100),
        ];
        assert_eq!(verdicts(&figures(&all)), ["met", "met", "MISSED", "MISSED"]);
        let lengths = figures(&all).to_string().lines().skip(1).map(|line| line[..4].to_owned()).collect::<Vec<_>>();
        assert_eq!(lengths, ["64 b", "64 b", "1518", "1518"]);
    }

    #[test]
    fn without_somebody_to_compare_with_nothing_has_to_be_met() {
        assert!(figures(&[findings(Kind::Ferry, "64", 1e6, 20)]).is_empty());
        assert!(figures(&[findings(Kind::Testpmd, "64", 1e6, 20)]).is_empty());
        let others = [findings(Kind::Ferry, "64", 1e6, 20), findings(Kind::Testpmd, "imix", 1e6, 20)];
        assert!(figures(&others).is_empty());
    }

    #[test]
    fn a_yardstick_that_carries_whatever_is_offered_measures_the_generator_and_gives_no_rate() {
        let mut theirs = findings(Kind::Testpmd, "64", 1e6, 20);
        theirs.ndr = theirs.ndr.map(|ndr| Rate { upper: None, ..ndr });
        assert_eq!(verdicts(&figures(&[findings(Kind::Ferry, "64", 0.5e6, 20), theirs])), ["goal"], "latency alone");
    }

    #[test]
    fn ferry_that_loses_at_every_rate_carries_nothing_of_what_testpmd_does() {
        let mut ours = findings(Kind::Ferry, "64", 1e6, 20);
        ours.ndr = ours.ndr.map(|ndr| Rate { lower: None, throughput: 0.0, ..ndr });
        ours.latency.clear();
        let figures = figures(&[ours, findings(Kind::Testpmd, "64", 1e6, 20)]);
        assert_eq!(verdicts(&figures), ["MISSED"], "there is no latency at half of nothing");
    }

    #[test]
    fn a_rate_that_was_not_searched_is_no_figure() {
        let ours = Findings { ndr: None, ..findings(Kind::Ferry, "64", 1e6, 20) };
        assert_eq!(verdicts(&figures(&[ours, findings(Kind::Testpmd, "64", 1e6, 20)])), ["goal"], "latency alone");
    }
}
