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
pub(super) struct Figures {
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
    pub(super) times: Times,
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
) -> Result<Vec<Figures>, String> {
    let mut figures = Vec::new();
    for target in targets.iter_mut() {
        let most = match options.most {
            Some(most) => most,
            None => highest(target, options)?,
        };
        figures.push(Figures {
            target: target.name.clone(),
            size: size.to_owned(),
            wire_bits: traffic.wire_bits(),
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
        });
    }
    // All but two of the measurements are at parts of the throughput.
    if [Measurement::Throughput, Measurement::Latency, Measurement::Recovery, Measurement::Reset]
        .into_iter()
        .any(|measurement| options.wants(measurement))
    {
        throughput(targets, &mut figures, options)?;
    }
    for (target, figures) in targets.iter_mut().zip(&mut figures) {
        if options.wants(Measurement::Latency) {
            latency(target, figures, options)?;
        }
        if options.wants(Measurement::Loss) {
            loss(target, figures, options)?;
        }
        if options.wants(Measurement::BackToBack) {
            figures.back_to_back = Some(back_to_back(target, figures.most, options)?);
        }
        if options.wants(Measurement::Recovery) {
            figures.recovery = recover(target, figures, options)?;
        }
        if options.wants(Measurement::Reset) && target.dut.is_some() {
            figures.reset = reset(target, figures, options)?;
        }
        figures.machine = std::mem::take(&mut target.machine);
    }
    Ok(figures)
}

/// What the generator can offer there, whatever comes out.
fn highest(target: &mut Target, options: &Options) -> Result<f64, String> {
    let load = Load::steady(MORE_THAN_ANYBODY_CAN, Duration::from_millis(500), options.generator.both_ways());
    Ok(target.offer_once(&load, "the highest rate")?.offered_a_second())
}

fn throughput(targets: &mut [Target], figures: &mut [Figures], options: &Options) -> Result<(), String> {
    let goal = |goal: Goal| Goal { width: options.width / 100.0, ..goal.scaled(options.scale) };
    let goals = || vec![goal(Goal::NDR), goal(Goal::PDR)];
    let mut searches: Vec<Search> =
        figures.iter().map(|figures| Search::new(goals(), figures.most / 1e4, figures.most)).collect();
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
    for (search, figures) in searches.iter().zip(figures) {
        let rates = search.bounds();
        let rate = |bounds: &Bounds| Rate {
            lower: bounds.lower,
            upper: bounds.upper,
            throughput: bounds.throughput,
            trials: search.trials().len(),
        };
        (figures.ndr, figures.pdr) = (rates.first().map(rate), rates.get(1).map(rate));
    }
    Ok(())
}

/// The loss of a trial. A rate that the generator did not reach was not carried either.
pub(crate) fn loss_ratio(outcome: &Outcome) -> f64 {
    if outcome.falls_short() { outcome.shortfall().max(outcome.loss_ratio()) } else { outcome.loss_ratio() }
}

fn latency(target: &mut Target, figures: &mut Figures, options: &Options) -> Result<(), String> {
    let Some(ndr) = figures.lossless() else { return Ok(()) };
    for percent in [10, 50, 90] {
        let rate = ndr * f64::from(percent) / 100.0;
        let time = Duration::from_secs_f64(10.0 * options.scale);
        let outcome = target.offer(rate, time, options, &format!("latency at {percent} %"))?;
        figures.latency.push(AtLoad {
            percent,
            rate,
            lost: outcome.lost(),
            lapses: outcome.lapses.count,
            times: outcome.times(),
        });
        figures.outcomes.push((format!("{}, {percent} % of NDR", target.name), outcome));
    }
    Ok(())
}

/// In steps of ten percent, until two of them lose nothing.
fn loss(target: &mut Target, figures: &mut Figures, options: &Options) -> Result<(), String> {
    for percent in (10..=100).rev().step_by(10) {
        let rate = figures.most * f64::from(percent) / 100.0;
        let time = Duration::from_secs_f64(options.scale);
        let outcome = target.offer(rate, time, options, &format!("loss at {percent} %"))?;
        figures.loss.push(LossAt { percent, rate, loss_ratio: outcome.loss_ratio() });
        if figures.loss.iter().rev().take(2).filter(|at| at.loss_ratio <= 0.0).count() == 2 {
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

fn recover(target: &mut Target, figures: &Figures, options: &Options) -> Result<Option<Recovered>, String> {
    let Some(ndr) = figures.lossless() else { return Ok(None) };
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

fn reset(target: &mut Target, figures: &Figures, options: &Options) -> Result<Option<Reset>, String> {
    let Some(ndr) = figures.lossless() else { return Ok(None) };
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

impl Figures {
    /// The rate without loss, if there is one.
    fn lossless(&self) -> Option<f64> {
        self.ndr.and_then(|rate| rate.lower)
    }
}

/// In packets a second.
const MORE_THAN_ANYBODY_CAN: f64 = 100e6;
