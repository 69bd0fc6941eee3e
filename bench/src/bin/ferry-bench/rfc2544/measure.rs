//! The measurements themselves.

use std::time::Duration;

use bench::mlrsearch::{Bounds, Goal, Measured, Search, Trial};
use bench::recovery::recovery;
use serde::Serialize;

use super::target::{Machine, Target};
use super::{Measurement, Options};
use crate::generator::{Load, Stage};
use crate::outcome::{Outcome, Times};
use crate::progress::Progress;
use crate::traffic::Traffic;

/// What was measured of a target with frames of a size.
#[derive(Debug, Serialize)]
pub(super) struct Findings {
    pub(super) target: String,
    pub(super) size: String,
    /// Bits on the wire for a packet.
    pub(super) wire_bits: f64,
    /// The highest rate tried, in packets a second.
    pub(super) most: f64,
    pub(super) ndr: Option<Rate>,
    pub(super) pdr: Option<Rate>,
    pub(super) latency: Vec<AtLoad>,
    pub(super) loss: Vec<LossAt>,
    pub(super) back_to_back: Option<Burst>,
    pub(super) recovery: Option<Recovered>,
    pub(super) reset: Option<Reset>,
    pub(super) machine: Machine,
    #[serde(skip)]
    pub(super) outcomes: Vec<(String, Outcome)>,
}

/// What a search found, in packets a second.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Rate {
    pub(super) lower: Option<f64>,
    pub(super) upper: Option<f64>,
    pub(super) throughput: f64,
    /// How many trials it took, those of all goals together.
    pub(super) trials: usize,
}

/// Latency at a part of the rate without loss.
#[derive(Debug, Clone, Serialize)]
pub(super) struct AtLoad {
    pub(super) percent: u32,
    pub(super) rate: f64,
    pub(super) lost: u64,
    pub(super) lapses: u64,
    /// Of each percentile the middle one of the rounds.
    pub(super) times: Times,
    /// The 99 % of the rounds with the lowest, and with the highest.
    pub(super) p99_us_between: [f64; 2],
}

impl AtLoad {
    fn of(percent: u32, rate: f64, rounds: &[Outcome]) -> Self {
        let times: Vec<Times> = rounds.iter().map(Outcome::times).collect();
        Self {
            percent,
            rate,
            lost: rounds.iter().map(Outcome::lost).sum(),
            lapses: rounds.iter().map(|outcome| outcome.lapses.count).sum(),
            times: Times::middle(&times),
            p99_us_between: Times::p99_between(&times),
        }
    }
}

/// Loss at a part of the highest rate.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct LossAt {
    pub(super) percent: u32,
    pub(super) rate: f64,
    pub(super) loss_ratio: f64,
}

/// The longest burst without loss.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Burst {
    /// At which rate.
    pub(super) rate: f64,
    /// On average over the repetitions.
    pub(super) packets: f64,
    pub(super) repetitions: u32,
}

/// How it went on after too many packets.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Recovered {
    pub(super) overload: f64,
    pub(super) overload_seconds: f64,
    pub(super) then: f64,
    /// From the lower rate to the last packet lost.
    pub(super) milliseconds: f64,
}

/// How it went on after a restart.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Reset {
    pub(super) rate: f64,
    /// For how long nothing came out.
    pub(super) milliseconds: f64,
    /// Whether packets came through again before the load ended.
    pub(super) recovered: bool,
}

/// All that the options ask for, of all targets, which take turns.
pub(super) fn measure(
    targets: &mut [Target],
    size: &str,
    traffic: &Traffic,
    options: &Options,
) -> Result<Vec<Findings>, String> {
    let mut findings = Vec::new();
    for target in targets.iter_mut() {
        let most = match options.most {
            Some(most) => most,
            None => highest(target, options)?,
        };
        findings.push(Findings::new(&target.name, size, traffic.wire_bits(), most));
    }
    // All but two of the measurements are at parts of the throughput.
    if [Measurement::Throughput, Measurement::Latency, Measurement::Recovery, Measurement::Reset]
        .into_iter()
        .any(|measurement| options.wants(measurement))
    {
        throughput(targets, &mut findings, options)?;
    }
    if options.wants(Measurement::Latency) {
        latency(targets, &mut findings, options)?;
    }
    for (target, findings) in targets.iter_mut().zip(&mut findings) {
        if options.wants(Measurement::Loss) {
            loss(target, findings, options)?;
        }
        if options.wants(Measurement::BackToBack) {
            findings.back_to_back = Some(back_to_back(target, findings.most, options)?);
        }
        if options.wants(Measurement::Recovery) {
            findings.recovery = recover(target, findings, options)?;
        }
        if options.wants(Measurement::Reset) && target.dut.is_some() {
            findings.reset = reset(target, findings, options)?;
        }
        findings.machine = std::mem::take(&mut target.machine);
    }
    Ok(findings)
}

/// What the generator can offer there, whatever comes out.
fn highest(target: &mut Target, options: &Options) -> Result<f64, String> {
    let load = Load::steady(MORE_THAN_ANYBODY_CAN, Duration::from_millis(500), options.generator.both_ways());
    Ok(target.offer_once(&load, "the highest rate")?.offered_a_second())
}

fn throughput(targets: &mut [Target], findings: &mut [Findings], options: &Options) -> Result<(), String> {
    let goal = |goal: Goal| Goal { width: options.width / 100.0, ..goal.scaled(options.scale) };
    let goals = || vec![goal(Goal::NDR), goal(Goal::PDR)];
    let mut searches: Vec<Search> =
        findings.iter().map(|findings| Search::new(goals(), findings.most / 1e4, findings.most)).collect();
    loop {
        let mut is_done = true;
        for (target, search) in targets.iter_mut().zip(&mut searches) {
            let Some(Trial { load, time }) = search.next() else { continue };
            is_done = false;
            let what = format!("trial {} at {:.3} Mpps", search.trials().len() + 1, load / 1e6);
            let outcome = target.offer(load, time, options, &what)?;
            search.note(Measured { load, time, loss_ratio: loss_ratio(&outcome) });
        }
        if is_done {
            break;
        }
    }
    for (search, findings) in searches.iter().zip(findings) {
        let rates = search.bounds();
        let rate = |bounds: &Bounds| Rate {
            lower: bounds.lower,
            upper: bounds.upper,
            throughput: bounds.throughput,
            trials: search.trials().len(),
        };
        (findings.ndr, findings.pdr) = (rates.first().map(rate), rates.get(1).map(rate));
    }
    Ok(())
}

/// The loss of a trial. A rate that the generator did not reach was not carried either.
pub(crate) fn loss_ratio(outcome: &Outcome) -> f64 {
    if outcome.falls_short() { outcome.shortfall().max(outcome.loss_ratio()) } else { outcome.loss_ratio() }
}

/// In rounds in which all targets take turns. Close to the highest rate what waits during a stall takes ten times as long to
/// go away, and one stall of a fifth of a millisecond is a hundredth of a fifth of a second's packets: the percentiles of all
/// rounds together would be those of the worst. So the middle one counts, of each percentile, and how far they are apart is told.
fn latency(targets: &mut [Target], findings: &mut [Findings], options: &Options) -> Result<(), String> {
    for percent in [10, 50, 90] {
        let mut rounds: Vec<Vec<Outcome>> = targets.iter().map(|_target| Vec::new()).collect();
        for round in 1..=ROUNDS {
            for ((target, findings), outcomes) in targets.iter_mut().zip(&*findings).zip(&mut rounds) {
                let Some(rate) = findings.at(percent) else { continue };
                let time = Duration::from_secs_f64(10.0 * options.scale / f64::from(ROUNDS));
                let what = format!("latency at {percent} %, {round} of {ROUNDS}");
                outcomes.push(target.offer(rate, time, options, &what)?);
            }
        }
        for (findings, outcomes) in findings.iter_mut().zip(rounds) {
            let Some(rate) = findings.at(percent) else { continue };
            findings.latency.push(AtLoad::of(percent, rate, &outcomes));
            let all = outcomes.into_iter().reduce(Outcome::and);
            findings.outcomes.extend(all.map(|all| (format!("{}, {percent} % of NDR", findings.target), all)));
        }
    }
    Ok(())
}

/// In steps of ten percent, until two of them lose nothing.
fn loss(target: &mut Target, findings: &mut Findings, options: &Options) -> Result<(), String> {
    for percent in (10..=100).rev().step_by(10) {
        let rate = findings.most * f64::from(percent) / 100.0;
        let time = Duration::from_secs_f64(options.scale);
        let outcome = target.offer(rate, time, options, &format!("loss at {percent} %"))?;
        findings.loss.push(LossAt { percent, rate, loss_ratio: outcome.loss_ratio() });
        if findings.loss.iter().rev().take(2).filter(|at| at.loss_ratio <= 0.0).count() == 2 {
            break;
        }
    }
    Ok(())
}

/// Halves the length of the burst, from two seconds on, and takes the average of some such searches.
fn back_to_back(target: &mut Target, rate: f64, options: &Options) -> Result<Burst, String> {
    let repetitions = 5;
    let mut sum = 0.0;
    for repetition in 0..repetitions {
        let (mut carried, mut lost) = (0.0, 2.0 * options.scale);
        while lost - carried > (lost * 0.01_f64).max(32.0 / rate) {
            let seconds = if carried > 0.0 { f64::midpoint(carried, lost) } else { lost / 4.0 };
            let what = format!("burst {} of {:.0} packets", repetition + 1, rate * seconds);
            let outcome = target.offer(rate, Duration::from_secs_f64(seconds), options, &what)?;
            if outcome.lost() == 0 { carried = seconds } else { lost = seconds }
        }
        sum += carried * rate;
    }
    Ok(Burst { rate, packets: sum / f64::from(repetitions), repetitions })
}

fn recover(target: &mut Target, findings: &Findings, options: &Options) -> Result<Option<Recovered>, String> {
    let Some(ndr) = findings.lossless() else { return Ok(None) };
    let (overload, then) = (ndr * 1.1, ndr * 0.5);
    let stages = vec![
        Stage { rate: overload, time: Duration::from_secs_f64(options.overload) },
        Stage { rate: then, time: Duration::from_secs_f64(options.overload.min(5.0)) },
    ];
    let load = Load { stages, both_ways: options.generator.both_ways() };
    let outcome = target.offer_once(&load, "recovery from too much")?;
    let rate = then / if options.generator.both_ways() { 2.0 } else { 1.0 };
    let recovered = outcome.streams.iter().map(|stream| recovery(stream.stage_starts[1], rate, stream.last_lost()));
    let milliseconds = recovered.max().unwrap_or_default().as_secs_f64() * 1e3;
    Ok(Some(Recovered { overload, overload_seconds: options.overload, then, milliseconds }))
}

fn reset(target: &mut Target, findings: &Findings, options: &Options) -> Result<Option<Reset>, String> {
    let Some(ndr) = findings.lossless() else { return Ok(None) };
    let rate = ndr * 0.5;
    let load = Load::steady(rate, Duration::from_secs_f64(options.reset), options.generator.both_ways());
    let progress = Progress::new(format!("{}: started again under load", target.name), load.time());
    let outcome = target.with(|generator, dut| {
        let mut dut = dut;
        generator.run_while(&load, |elapsed| {
            progress.at(elapsed);
            match dut.take_if(|_dut| elapsed > Duration::from_secs_f64(options.reset / 8.0)) {
                Some(dut) => dut.restart(),
                None => Ok(()),
            }
        })
    })?;
    let silence = outcome.longest_silence();
    let recovered = outcome.streams.iter().all(|stream| stream.silent_at_end < Duration::from_millis(100));
    Ok(Some(Reset { rate, milliseconds: silence.as_secs_f64() * 1e3, recovered }))
}

impl Findings {
    /// None so far.
    pub(super) fn new(target: &str, size: &str, wire_bits: f64, most: f64) -> Self {
        Self {
            target: target.to_owned(),
            size: size.to_owned(),
            wire_bits,
            most,
            ndr: None,
            pdr: None,
            latency: Vec::new(),
            loss: Vec::new(),
            back_to_back: None,
            recovery: None,
            reset: None,
            machine: Machine::default(),
            outcomes: Vec::new(),
        }
    }

    /// The rate without loss, if there is one.
    pub(super) fn lossless(&self) -> Option<f64> {
        self.ndr.and_then(|rate| rate.lower)
    }

    /// A part of that.
    fn at(&self, percent: u32) -> Option<f64> {
        self.lossless().map(|ndr| ndr * f64::from(percent) / 100.0)
    }
}

/// Of each load whose latency is measured: as many times as RFC 2544 26.2 has it repeated.
pub(super) const ROUNDS: u32 = 20;

/// In packets a second.
const MORE_THAN_ANYBODY_CAN: f64 = 100e6;
