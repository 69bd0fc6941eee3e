//! `ferry-bench churn`: packets lost while routes change, counters are read and neighbours come and go.
//!
//! The flows go one way at a part of what ferryd carries without loss. Slices with churn take turns with slices without,
//! which tell what the machine loses by itself. Each update adds or deletes a host route over one of the very destinations
//! of the flows, to the same gateway: a packet may see the route or not, and must come out either way. What is lost is told
//! as the time for which that is all packets (CSIT's *effective blocked time*).
//!
//! Everything but the worker, and so the control thread, the clients here and the generator, shares the other core. While
//! the generator is away nothing is offered, and the ring that brings packets back is deep enough to keep what comes
//! meanwhile: what is lost is lost by ferryd.

mod clients;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use bench::mlrsearch::{Goal, Measured, Search, Trial};
use clap::Args;
use control_api::Stats;
use dpdk::{Eal, EalConfig};
use serde::Serialize;

use self::clients::{Churn, Clients, Done};
use crate::dut::{Dut, Kind};
use crate::generate::{number, seconds};
use crate::generator::{Generator, Load, Setup};
use crate::outcome::{Outcome, Summary};
use crate::picture;
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
    /// Routes that are there before, beside those of the flows.
    #[arg(long, default_value_t = 100_000)]
    routes: u32,
    /// How long each slice is, in seconds.
    #[arg(long, default_value = "5", value_parser = seconds)]
    seconds: f64,
    /// How often each slice is measured.
    #[arg(long, default_value_t = 2)]
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
    /// What was asked for; nothing of anything in the slices without churn.
    updates_a_second: Option<f64>,
    done: Done,
    load: Summary,
    /// For how long all packets would have had to be lost.
    blocked_us: f64,
    /// What ferryd says it dropped, by reason.
    dropped: BTreeMap<String, u64>,
    #[serde(skip)]
    outcome: Outcome,
}

/// Measures, and prints a table or JSON.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let traffic = Traffic::new(&options.traffic, &options.size)?;
    let setup = Setup { core: options.core, descriptors: [1024, DEEP], longest_frame: traffic.longest_frame() };
    let config = EalConfig { memory_mib: Generator::memory_mib(&setup), ..EalConfig::default() };
    let eal = Eal::start(&config).map_err(|error| error.to_string())?;
    let dut = Dut::start(Kind::Ferry, options.dut_core, options.ferryd.as_deref())?;
    let mut generator = Generator::linked(&eal, &dut, 0, &setup)?;
    generator.open(&traffic, dut.routers(), false, Duration::from_secs(20))?;
    let clients = Clients::new(&dut)?;
    clients.fill(options.routes)?;
    let ndr = match options.ndr {
        Some(ndr) => ndr,
        None => lossless(&mut generator)?,
    };
    let rate = ndr * f64::from(options.percent) / 100.0;
    let mut slices = Vec::new();
    for _round in 0..options.rounds {
        for updates in &options.updates {
            for updates in [None, Some(*updates)] {
                slices.push(slice(&mut generator, &dut, &clients, updates, rate, options)?);
            }
        }
    }
    if let Some(folder) = &options.plot {
        let labels: Vec<String> = slices.iter().map(Slice::label).collect();
        let first = slices.len().min(2 * options.updates.len());
        let outcomes: Vec<_> =
            labels.iter().map(String::as_str).zip(slices.iter().map(|slice| &slice.outcome)).collect();
        picture::latency(folder, "churn", &outcomes[..first])?;
    }
    print(&slices, ndr, rate, options.json).map_err(|error| error.to_string())
}

/// One rate of updates, or nothing but the flows.
fn slice(
    generator: &mut Generator,
    dut: &Dut,
    clients: &Clients,
    updates: Option<f64>,
    rate: f64,
    options: &Options,
) -> Result<Slice, String> {
    let before = dut.stats()?;
    let load = Load::steady(rate, Duration::from_secs_f64(options.seconds), false);
    let churn = updates.map(|updates| Churn {
        updates,
        batch: options.batch.max(1),
        scrapes: options.scrapes,
        flaps: options.flaps,
    });
    let what = updates.map_or_else(|| "without churn".to_owned(), |updates| format!("{updates:.0} updates a second"));
    let progress = Progress::new(what, load.time());
    let (outcome, done) = clients.during(churn, || generator.run(&load, &progress))?;
    let dropped = dropped_between(before.as_ref(), dut.stats()?.as_ref());
    #[expect(clippy::cast_precision_loss, reason = "packets of a trial are far below 2^52")]
    let blocked_us = outcome.lost() as f64 / rate * 1e6;
    Ok(Slice { updates_a_second: updates, done, load: outcome.summary(), blocked_us, dropped, outcome })
}

/// A short search, in trials of a quarter of a second.
fn lossless(generator: &mut Generator) -> Result<f64, String> {
    let most = Load::steady(100e6, Duration::from_millis(500), false);
    let most = generator.run(&most, &Progress::hidden())?.offered_a_second();
    let mut search = Search::new(vec![Goal { width: 0.02, ..Goal::NDR.scaled(0.25) }], most / 1e4, most);
    while let Some(Trial { load, time }) = search.next() {
        let progress = Progress::new(format!("{:.3} Mpps, in search of the rate without loss", load / 1e6), time);
        let outcome = generator.run(&Load::steady(load, time, false), &progress)?;
        search.note(Measured { load, time, loss_ratio: loss_ratio(&outcome) });
    }
    let lower = search.bounds().first().and_then(|bounds| bounds.lower);
    lower.ok_or_else(|| "ferryd carries no rate without loss on this machine now; name one with --ndr".to_owned())
}

fn dropped_between(before: Option<&Stats>, after: Option<&Stats>) -> BTreeMap<String, u64> {
    let (Some(before), Some(after)) = (before, after) else { return BTreeMap::new() };
    let earlier = |reason: &String| before.total.dropped.get(reason).copied().unwrap_or(0);
    let dropped = after.total.dropped.iter().map(|(reason, count)| (reason.clone(), count - earlier(reason)));
    dropped.filter(|(_reason, count)| *count > 0).collect()
}

impl Slice {
    fn label(&self) -> String {
        self.updates_a_second.map_or_else(|| "no churn".to_owned(), |updates| format!("{updates:.0} updates/s"))
    }
}

fn print(slices: &[Slice], ndr: f64, rate: f64, json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if json {
        let told = serde_json::json!({ "ndr": ndr, "rate": rate, "slices": slices });
        return writeln!(out, "{}", serde_json::to_string_pretty(&told).map_err(io::Error::other)?);
    }
    writeln!(out, "{:.3} million packets a second one way, of {:.3} without loss", rate / 1e6, ndr / 1e6)?;
    writeln!(
        out,
        "{:<20} {:>10} {:>8} {:>7} {:>11} {:>7} {:>11} {:>11} {:>9} {:>9}",
        "asked", "updates/s", "scrapes", "flaps", "offered", "lost", "blocked us", "not offered", "99 % us", "most us"
    )?;
    for slice in slices {
        let Slice { done, load, blocked_us, dropped, .. } = slice;
        writeln!(
            out,
            "{:<20} {:>10.0} {:>8} {:>7} {:>11} {:>7} {:>11.1} {:>11} {:>9.1} {:>9.1}",
            slice.label(),
            done.updates_a_second,
            done.scrapes,
            done.flaps,
            load.offered,
            load.lost,
            blocked_us,
            load.forgone,
            load.latency.p99_us,
            load.latency.max_us
        )?;
        if !dropped.is_empty() {
            writeln!(out, "{:<20} ferryd dropped: {dropped:?}", "")?;
        }
    }
    let sum = |with: bool| {
        let of = slices.iter().filter(|slice| slice.updates_a_second.is_some() == with);
        of.map(|slice| slice.load.lost).sum::<u64>()
    };
    writeln!(out, "lost with churn: {}; without: {}", sum(true), sum(false))
}

/// Reads a number such as 10k, or 0.
fn number_or_none(text: &str) -> Result<f64, String> {
    if text == "0" { Ok(0.0) } else { number(text) }
}

/// Descriptors of the ring that brings packets back: the most that virtio_user takes.
const DEEP: u16 = 8192;
