//! What is measured, and trials of it that can be believed.
//!
//! A trial that lost packets while the machine kept the device or the generator from its core is made again, a few times
//! ([`bench::blame`] says when). What cannot be had better counts as it is. All of it is told.

use std::time::Duration;

use bench::blame::{Circumstances, ring_lasts};
use packet::ethernet::MacAddr;
use serde::Serialize;

use super::Options;
use crate::dut::{Away, Dut};
use crate::generator::{Generator, Load};
use crate::outcome::Outcome;
use crate::progress::Progress;
use crate::traffic::Traffic;

/// What is measured.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) name: String,
    /// The process, if it is ours.
    pub(super) dut: Option<Dut>,
    pub(super) generator: Generator,
    pub(super) routers: [Option<MacAddr>; 2],
    /// What the machine did to the trials so far.
    pub(super) machine: Machine,
}

/// What the machine did to trials.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(super) struct Machine {
    /// All that were made.
    pub(super) trials: u32,
    /// Of these, how many were made again and do not count: the machine may have lost the packets.
    pub(super) made_again: u32,
    /// How many count although it may have, since making them again brought nothing better.
    pub(super) doubtful: u32,
    /// How long all of them took.
    pub(super) seconds: f64,
    /// For how long others had the core of the device's worker meanwhile.
    pub(super) device_preempted_seconds: f64,
    /// For how long nobody had it: the hypervisor took it.
    pub(super) device_stolen_seconds: f64,
    /// For how long the generator was without its own.
    pub(super) generator_away_seconds: f64,
}

impl Target {
    /// Finds the way through it for such packets.
    pub(super) fn open(&mut self, traffic: &Traffic, options: &Options) -> Result<(), String> {
        let (routers, both_ways, patience) =
            (self.routers, options.generator.both_ways(), options.generator.patience());
        self.with(|generator, _dut| generator.open(traffic, routers, both_ways, patience))
    }

    /// Does something while it runs.
    pub(super) fn with<T>(
        &mut self,
        work: impl FnOnce(&mut Generator, Option<&mut Dut>) -> Result<T, String>,
    ) -> Result<T, String> {
        let Self { dut, generator, .. } = self;
        match dut {
            Some(dut) => dut.running(|dut| work(generator, Some(dut))),
            None => work(generator, None),
        }
    }

    /// Offers a load once, whatever the machine does meanwhile.
    pub(super) fn offer_once(&mut self, load: &Load, what: &str) -> Result<Outcome, String> {
        let progress = Progress::new(format!("{}: {what}", self.name), load.time());
        self.with(|generator, _dut| generator.run(load, &progress))
    }

    /// Offers a rate for a while, and again if what it lost may be the machine's.
    pub(super) fn offer(
        &mut self,
        rate: f64,
        time: Duration,
        options: &Options,
        what: &str,
    ) -> Result<Outcome, String> {
        let load = Load::steady(rate, time, options.generator.both_ways());
        let mut again = options.again;
        loop {
            let outcome = self.offer_once(&load, what)?;
            let away = self.dut.as_ref().and_then(Dut::away);
            self.machine.note(&outcome, away);
            if !is_of_the_machine(rate, &outcome, away, options) {
                return Ok(outcome);
            }
            if again == 0 {
                self.machine.doubtful += 1;
                return Ok(outcome);
            }
            again -= 1;
            self.machine.made_again += 1;
        }
    }
}

impl Machine {
    fn note(&mut self, outcome: &Outcome, away: Option<Away>) {
        let away = away.unwrap_or_default();
        self.trials += 1;
        self.seconds += outcome.time.as_secs_f64();
        self.device_preempted_seconds += away.preempted.as_secs_f64();
        self.device_stolen_seconds += away.stolen.as_secs_f64();
        self.generator_away_seconds += outcome.lapses.total.as_secs_f64();
    }
}

/// Whether the machine, and not the device, may have lost packets, or kept the generator from offering them.
fn is_of_the_machine(rate: f64, outcome: &Outcome, away: Option<Away>, options: &Options) -> bool {
    let circumstances = Circumstances {
        ring: ring_lasts(options.generator.descriptors(), rate, options.generator.ways()),
        silence: outcome.silence_of_all(),
        device_away: away.map(Away::total),
        generator_away: outcome.lapses.longest,
    };
    outcome.was_kept_from_offering() || outcome.lost() > 0 && circumstances.blame_the_machine()
}
