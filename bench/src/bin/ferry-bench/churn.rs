//! `ferry-bench churn`: packets lost while routes and configurations change, counters are read and neighbours come and go.
//!
//! The flows go one way at a part of what ferryd carries without loss. Each update adds or deletes a host route over one of
//! the very destinations of the flows, to the same gateway: a packet may see the route or not, and must come out either way.
//! What is lost is told as the time for which that is all packets (CSIT's *effective blocked time*).
//!
//! A machine that others use loses packets by itself, so slices are measured in pairs, one with churn and one without, the
//! first of a pair by turns the one and the other and the rates in an order drawn by lot. Whether churn loses more is what
//! [`bench::difference`] makes of the pairs: how likely chance alone shows what was seen, and what the loss is at most.
//!
//! Everything but the worker, and so the control thread, the clients here and the generator, shares the other core. While
//! the generator is away nothing is offered, and the ring that brings packets back is deep enough to keep what comes
//! meanwhile: what is lost is lost by ferryd, or since somebody had its worker's core ([`bench::blame`]).

mod clients;
mod report;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use bench::blame::{Circumstances, ring_lasts};
use bench::mlrsearch::{Goal, Measured, Search, Trial};
use bench::noise::Noise;
use clap::Args;
use control_api::Stats;
use dpdk::{Eal, EalConfig};
use serde::Serialize;

use self::clients::{Churn, Clients, Done};
use crate::cores::{self, Clearing};
use crate::dut::{Away, Dut, Ends, Kind};
use crate::generate::{number, seconds};
use crate::generator::{Generator, Load, Setup};
use crate::outcome::{Outcome, Summary};
use crate::progress::Progress;
use crate::rfc2544::loss_ratio;
use crate::traffic::{self, Traffic};

/// Options of `ferry-bench churn`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    traffic: traffic::Options,
    /// Length of frames, with the frame check sequence.
    #[arg(long, default_value = "64")]
    size: String,
    /// Route updates a second, each rate in slices of its own; 0 is none, with everything else going on.
    #[arg(long, value_delimiter = ',', value_parser = number_or_none, default_value = "1k,10k,100k")]
    updates: Vec<f64>,
    /// Updates in a request.
    #[arg(long, default_value_t = 100)]
    batch: usize,
    /// Readings of all counters a second.
    #[arg(long, default_value_t = 10)]
    scrapes: u32,
    /// Neighbours a second that come, move to another station, and go.
    #[arg(long, default_value_t = 10)]
    flaps: u32,
    /// Configurations a second that ferryd is to run by from then on: two by turns, one of which has a hundred routes more.
    #[arg(long, default_value_t = 1)]
    reloads: u32,
    /// Routes that are there before, beside those of the flows.
    #[arg(long, default_value_t = 100_000)]
    routes: u32,
    /// How long each slice is, in seconds.
    #[arg(long, default_value = "2", value_parser = seconds)]
    seconds: f64,
    /// How many pairs of slices there are for each rate.
    #[arg(long, default_value_t = 6)]
    rounds: u32,
    /// What ferryd carries without loss, in packets a second; it is searched, shortly, if it is not given.
    #[arg(long, value_parser = number)]
    ndr: Option<f64>,
    /// Which part of it is offered, in percent.
    #[arg(long, default_value_t = 80, value_parser = clap::value_parser!(u32).range(1..=100))]
    percent: u32,
    /// The core that the generator shares with all but the worker.
    #[arg(long, default_value_t = 1)]
    core: usize,
    /// The core that the worker has.
    #[arg(long, default_value_t = 0)]
    dut_core: usize,
    #[command(flatten)]
    clearing: Clearing,
    /// How often a slice is made again that lost packets while somebody had the worker's core.
    #[arg(long, value_name = "TIMES", default_value_t = 4)]
    again: u32,
    /// The ferryd to start, if not the one that was built with this program.
    #[arg(long, value_name = "FILE")]
    ferryd: Option<PathBuf>,
    /// Draws latencies into this folder.
    #[arg(long, value_name = "DIR")]
    plot: Option<PathBuf>,
    /// Prints JSON instead of a table.
    #[arg(long)]
    json: bool,
}

/// What a slice came to.
#[derive(Debug, Serialize)]
struct Slice {
    /// Which pair it is of; those of a rate are counted by themselves.
    pair: u32,
    /// The rate of updates that the pair is about.
    of_updates_a_second: f64,
    with_churn: bool,
    done: Done,
    load: Summary,
    /// For how long all packets would have had to be lost.
    blocked_us: f64,
    /// What ferryd says it dropped, by reason.
    dropped: BTreeMap<String, u64>,
    /// For how long others, or nobody, had the worker's core.
    core_taken_us: u128,
    /// How often it was made before, and did not count since the machine may have lost the packets.
    made_before: u32,
    /// Whether the machine may have lost these as well.
    is_doubtful: bool,
    #[serde(skip)]
    outcome: Outcome,
}

/// What is offered in every slice.
#[derive(Debug, Clone, Copy)]
struct Offer {
    /// What ferryd carries without loss, in packets a second.
    ndr: f64,
    /// Which part of it.
    percent: u32,
}

impl Offer {
    fn rate(self) -> f64 {
        self.ndr * f64::from(self.percent) / 100.0
    }
}

/// What measures, and what is measured.
struct Bench<'a> {
    options: &'a Options,
    /// Before the generator, so that it ends first: a link is closed by asking the other end, which does not answer while it
    /// is stopped.
    dut: Dut,
    generator: Generator,
    clients: Clients,
}

/// Measures, and prints a table or JSON.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let traffic = Traffic::new(&options.traffic, &options.size)?;
    let setup = Setup {
        core: options.core,
        descriptors: [DESCRIPTORS, DEEP],
        longest_frame: traffic.longest_frame(),
        goes_first: false,
    };
    let cpus = cores::all_but(options.dut_core);
    let config = EalConfig { memory_mib: Generator::memory_mib(&setup), cpus, ..EalConfig::default() };
    let eal = Eal::start(&config).map_err(|error| error.to_string())?;
    let mut dut = Dut::new(Kind::Ferry, options.dut_core, Ends::DeviceVhost, options.ferryd.as_deref())?;
    let mut generator = Generator::linked(&eal, &mut dut, 0, &setup)?;
    cores::keep_off(options.dut_core);
    generator.open(&traffic, dut.routers(), false, Duration::from_secs(20))?;
    let clients = Clients::new(&dut)?;
    clients.fill(options.routes)?;
    let _cleared = options.clearing.of(options.dut_core, true)?;
    let mut bench = Bench { options, dut, generator, clients };
    bench.dut.pause();
    let ndr = match options.ndr {
        Some(ndr) => ndr,
        None => bench.lossless()?,
    };
    let offer = Offer { ndr, percent: options.percent };
    let mut slices = Vec::new();
    let mut lot = Noise(u64::from(options.rounds));
    for pair in 0..options.rounds {
        for updates in drawn(&options.updates, &mut lot) {
            let first = pair % 2 == 1;
            for with_churn in [first, !first] {
                slices.push(bench.slice(pair, updates, with_churn, offer.rate())?);
            }
        }
    }
    report::draw(options.plot.as_deref(), &slices)?;
    report::print(&slices, offer, options.json).map_err(|error| error.to_string())
}

/// The rates, in an order by lot.
fn drawn(rates: &[f64], lot: &mut Noise) -> Vec<f64> {
    let mut rates = rates.to_vec();
    for place in (1..rates.len()).rev() {
        rates.swap(place, lot.below(place + 1));
    }
    rates
}

impl Bench<'_> {
    /// One slice, and again if what it lost may be the machine's.
    fn slice(&mut self, pair: u32, updates: f64, with_churn: bool, rate: f64) -> Result<Slice, String> {
        let mut made_before = 0;
        loop {
            let slice = self.slice_once(pair, updates, with_churn, rate)?;
            if !slice.is_doubtful || made_before == self.options.again {
                return Ok(Slice { made_before, ..slice });
            }
            made_before += 1;
        }
    }

    fn slice_once(&mut self, pair: u32, updates: f64, with_churn: bool, rate: f64) -> Result<Slice, String> {
        let Self { options, generator, dut, clients } = self;
        let before = dut.running(|dut| dut.stats())?;
        let load = Load::steady(rate, Duration::from_secs_f64(options.seconds), false);
        let churn = with_churn.then(|| Churn {
            updates,
            batch: options.batch.max(1),
            scrapes: options.scrapes,
            flaps: options.flaps,
            reloads: options.reloads,
        });
        let what = if with_churn { format!("{updates:.0} updates a second") } else { "without churn".to_owned() };
        let progress = Progress::new(format!("pair {}: {what}", pair + 1), load.time());
        let (outcome, done) = dut.running(|_dut| clients.during(churn, || generator.run(&load, &progress)))?;
        let away = dut.away();
        let dropped = dropped_between(before.as_ref(), dut.running(|dut| dut.stats())?.as_ref());
        #[expect(clippy::cast_precision_loss, reason = "packets of a trial are far below 2^52")]
        let blocked_us = outcome.lost() as f64 / rate * 1e6;
        Ok(Slice {
            pair,
            of_updates_a_second: updates,
            with_churn,
            done,
            load: outcome.summary(),
            blocked_us,
            dropped,
            core_taken_us: away.unwrap_or_default().total().as_micros(),
            made_before: 0,
            is_doubtful: is_of_the_machine(rate, &outcome, away),
            outcome,
        })
    }

    /// A short search, in trials of an eighth of a slice. The clients are idle, so the generator may go first.
    fn lossless(&mut self) -> Result<f64, String> {
        self.generator.go_first(true);
        let found = self.search();
        self.generator.go_first(false);
        found
    }

    fn search(&mut self) -> Result<f64, String> {
        let Self { options, generator, dut, .. } = self;
        let most = Load::steady(100e6, Duration::from_millis(500), false);
        let most = dut.running(|_dut| generator.run(&most, &Progress::hidden()))?.offered_a_second();
        let goal = Goal { width: 0.02, ..Goal::NDR.scaled(options.seconds / 8.0) };
        let mut search = Search::new(vec![goal], most / 1e4, most);
        while let Some(Trial { load, time }) = search.next() {
            let progress = Progress::new(format!("{:.3} Mpps, in search of the rate without loss", load / 1e6), time);
            let mut again = options.again;
            let outcome = loop {
                let outcome = dut.running(|_dut| generator.run(&Load::steady(load, time, false), &progress))?;
                let is_doubtful = outcome.was_kept_from_offering() || is_of_the_machine(load, &outcome, dut.away());
                if again == 0 || !is_doubtful {
                    break outcome;
                }
                again -= 1;
            };
            search.note(Measured { load, time, loss_ratio: loss_ratio(&outcome) });
        }
        let lower = search.bounds().first().and_then(|bounds| bounds.lower);
        lower.ok_or_else(|| "ferryd carries no rate without loss on this machine now; name one with --ndr".to_owned())
    }
}

/// Whether somebody had the worker's core while packets were lost. That the generator was away loses none here.
fn is_of_the_machine(rate: f64, outcome: &Outcome, away: Option<Away>) -> bool {
    let circumstances = Circumstances {
        ring: ring_lasts(DESCRIPTORS, rate, 1),
        silence: outcome.silence_of_all(),
        device_away: away.map(Away::total),
        generator_away: Duration::ZERO,
    };
    outcome.lost() > 0 && circumstances.blame_the_machine()
}

fn dropped_between(before: Option<&Stats>, after: Option<&Stats>) -> BTreeMap<String, u64> {
    let (Some(before), Some(after)) = (before, after) else { return BTreeMap::new() };
    let earlier = |reason: &String| before.total.dropped.get(reason).copied().unwrap_or(0);
    let dropped = after.total.dropped.iter().map(|(reason, count)| (reason.clone(), count - earlier(reason)));
    dropped.filter(|(_reason, count)| *count > 0).collect()
}

/// Reads a number such as 10k, or 0.
fn number_or_none(text: &str) -> Result<f64, String> {
    if text == "0" { Ok(0.0) } else { number(text) }
}

/// Descriptors of the ring that brings packets to ferryd.
const DESCRIPTORS: u16 = 1024;

/// Descriptors of the ring that brings packets back: the most that virtio_user takes.
const DEEP: u16 = 8192;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_drawn_in_every_order_and_none_is_left_out() {
        let (rates, mut lot) = ([1.0, 2.0, 3.0], Noise(1));
        let mut orders = std::collections::BTreeSet::new();
        for _round in 0..100 {
            let drawn = drawn(&rates, &mut lot);
            orders.insert(drawn.iter().map(|rate| rate.to_bits()).collect::<Vec<_>>());
            let mut sorted = drawn;
            sorted.sort_by(f64::total_cmp);
            assert_eq!(sorted, rates);
        }
        assert_eq!(orders.len(), 6);
    }
}
