//! Forwarding on one core: what a packet costs ferry's worker, stage by stage, and beside `dpdk-testpmd` on the same ports.
//!
//! Over ports in memory the worker runs in this process, with its own tables or with DPDK's in their place, and every stage
//! of a burst is timed. Over `net_null` and `net_pcap` it runs in a process of its own beside testpmd, whose modes do no IP
//! work at all: `io` hands frames on, `mac` also writes two addresses. Whatever is compared takes turns in short slices,
//! because the machine has phases; ports' contestants are several fresh instances, because each has luck of its own.

pub(crate) mod beside;
mod figures;
pub(crate) mod matrix;
mod memory;
mod show;
pub(crate) mod traffic;

use std::path::PathBuf;
use std::rc::Rc;

use bench::figures::Figures;
use bench::peers::{Dpdk, Kind, Table};
use bench::quantile::quantile;
use bench::routes::Routes;
use clap::{Args, ValueEnum};
use core_affinity::CoreId;
use indicatif::{ProgressBar, ProgressStyle};
use packet::ethernet::MacAddr;
use serde::Serialize;

use self::beside::Beside;
use self::matrix::{Cell, Source};
use self::memory::{Bench, Cost, Engine, Peer};
use self::traffic::STATION;

/// Options of `ferry-bench forward`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// What to measure of all that can be, by words with commas between them, such as `memory,full,ipv4`: sources
    /// memory, null, pcap; tables one-route, full; families ipv4, ipv6, mixed; flows 1, zipf, 10k, 100k, 1m; sizes 64, imix,
    /// 1518. Each kind of word leaves the others as they are; `--only ""` is all of it, which takes hours. Without this:
    /// what has to be met, in three minutes.
    #[arg(long)]
    only: Option<String>,
    /// The full table: prefixes, one a line, gzipped or not. Without it, one is made up.
    #[arg(long)]
    routes: Option<PathBuf>,
    /// What looks up, over ports in memory; ferry if it is not given, and without `--only` rte-fib as well.
    #[arg(long, value_enum, value_delimiter = ',')]
    engines: Vec<EngineName>,
    /// Samples of a million packets for each engine, over ports in memory.
    #[arg(long, default_value_t = 9)]
    samples: usize,
    /// Fresh pairs of processes, over ports of DPDK.
    #[arg(long, default_value_t = 5)]
    instances: usize,
    /// Slices each contestant of a pair gets.
    #[arg(long, default_value_t = 3)]
    slices: usize,
    /// The core that forwards.
    #[arg(long, default_value_t = 0)]
    core: usize,
    /// Prints one JSON object instead of tables.
    #[arg(long)]
    json: bool,
    /// Draws pictures into this folder.
    #[arg(long)]
    plot: Option<PathBuf>,
}

/// What can look up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
enum EngineName {
    /// The compressed radix.
    Ferry,
    /// `rte_fib` with next hops of 4 bytes, and `rte_fib6`.
    RteFib,
    /// `rte_lpm` and `rte_lpm6`; filling them takes a minute.
    RteLpm,
}

impl EngineName {
    fn word(self) -> &'static str {
        match self {
            Self::Ferry => "ferry",
            Self::RteFib => "rte_fib",
            Self::RteLpm => "rte_lpm",
        }
    }
}

/// All that was measured.
#[derive(Debug, Default, Serialize)]
struct Report {
    /// Cycles a second of the time stamp counter, in which all cycles here are counted.
    hertz: f64,
    /// Whether testpmd and ferry had large pages.
    large_pages: bool,
    /// Whether DPDK's tables could look up with AVX-512.
    avx512: bool,
    memory: Vec<InMemory>,
    ports: Vec<Beside>,
    /// What has to be met of that.
    figures: Figures,
}

/// A worker over ports in memory.
#[derive(Debug, Serialize)]
struct InMemory {
    #[serde(flatten)]
    cell: Cell,
    engine: EngineName,
    /// Medians, in cycles per packet.
    cycles: Cost,
    nanoseconds: f64,
}

/// Measures the cells chosen, and prints what came out.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let cells = match &options.only {
        Some(only) => matrix::chosen(only)?,
        None => figures::cells(),
    };
    let routes = match &options.routes {
        Some(path) => Routes::read(path, traffic::HOPS)?,
        None => Routes::made_up(traffic::HOPS),
    };
    let bar = ProgressBar::new(cells.len() as u64);
    let style = ProgressStyle::with_template("{msg:34} [{bar:30}] {pos}/{len}, {eta} left");
    bar.set_style(style.unwrap_or_else(|_wrong| ProgressStyle::default_bar()));
    let mut report = Report {
        hertz: beside::hertz(),
        large_pages: beside::large_pages_are_free(),
        avx512: is_x86_feature_detected!("avx512f"),
        ..Report::default()
    };
    // The processes of the ports first: the tables of DPDK's that are measured in memory leave no large pages for them.
    for cell in cells.iter().filter(|cell| cell.source != Source::Memory) {
        bar.set_message(cell.to_string());
        report.ports.push(beside::measure(*cell, options, &routes, report.hertz)?);
        bar.inc(1);
    }
    let in_memory: Vec<Cell> = cells.into_iter().filter(|cell| cell.source == Source::Memory).collect();
    if !in_memory.is_empty() {
        core_affinity::set_for_current(CoreId { id: options.core });
        let mut peers = peers(options, &in_memory, &routes)?;
        for cell in in_memory {
            bar.set_message(cell.to_string());
            measure_in_memory(cell, options.samples, &mut peers, &routes, &mut report)?;
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    report.figures = figures::figures(&report);
    if let Some(folder) = &options.plot {
        show::plot(folder, &report)?;
    }
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report).map_err(|error| error.to_string())?);
    } else {
        show::tables(&report);
    }
    Ok(())
}

impl Options {
    fn engines(&self) -> Vec<EngineName> {
        match (self.engines.as_slice(), &self.only) {
            ([], Some(_)) => vec![EngineName::Ferry],
            ([], None) => vec![EngineName::Ferry, EngineName::RteFib],
            (named, _) => named.to_vec(),
        }
    }
}

/// The engines asked for, each with both tables it needs.
type Engines = Vec<(EngineName, matrix::Routes, Engine)>;

fn peers(options: &Options, cells: &[Cell], routes: &Routes) -> Result<Engines, String> {
    let mut engines: Engines = Vec::new();
    let mut started = None;
    for name in &options.engines() {
        for which in matrix::Routes::ALL.iter().copied().filter(|which| cells.iter().any(|cell| cell.routes == *which))
        {
            let engine = match name {
                EngineName::Ferry => Engine::Ferry,
                EngineName::RteFib | EngineName::RteLpm => {
                    let dpdk = match started {
                        Some(dpdk) => dpdk,
                        None => *started.insert(Dpdk::start()?),
                    };
                    Engine::Peer(Box::new(peer(dpdk, *name, which, routes)?))
                }
            };
            engines.push((*name, which, engine));
        }
    }
    Ok(engines)
}

fn peer(dpdk: Dpdk, name: EngineName, which: matrix::Routes, routes: &Routes) -> Result<Peer, String> {
    let (kinds, words) = match name {
        EngineName::RteLpm => ([Kind::Lpm, Kind::Lpm6], ["rte_lpm", "rte_lpm6"]),
        EngineName::Ferry | EngineName::RteFib => ([Kind::Fib { bytes: 4 }, Kind::Fib6], ["rte_fib", "rte_fib6"]),
    };
    let [kind4, kind6] = kinds;
    let full = which == matrix::Routes::Full;
    let groups6 = if full { if name == EngineName::RteLpm { 131_072 } else { 400_000 } } else { 1024 };
    let mut v4 = Table::new(dpdk, words[0], kind4, routes.v4.len() + 1000, 16 << 10)?;
    let mut v6 = Table::new(dpdk, words[1], kind6, routes.v6.len() + 1000, groups6)?;
    // As in the state: the second family's next hops come after the first's.
    let refused = match which {
        matrix::Routes::Full => {
            let shifted = routes.v6.iter().map(|route| (route.prefix, route.word() + traffic::HOPS));
            v4.fill4(&routes.v4) + shifted.filter(|(prefix, word)| v6.add6(*prefix, *word) != 0).count()
        }
        matrix::Routes::One => {
            let halves6 = lpm::Prefix::<std::net::Ipv6Addr>::default_route();
            let default = lpm::Prefix::<std::net::Ipv4Addr>::default_route();
            usize::from(v4.add4(default, 1) != 0) + usize::from(v6.add6(halves6, 1 + traffic::HOPS) != 0)
        }
    };
    if refused > 0 { Err(format!("{} refuses {refused} routes", name.word())) } else { Ok(Peer { v4, v6 }) }
}

/// Lets the engines take turns at one cell.
fn measure_in_memory(
    cell: Cell,
    samples: usize,
    engines: &mut Engines,
    routes: &Routes,
    report: &mut Report,
) -> Result<(), String> {
    let macs = [STATION, MacAddr([2, 0, 0, 0, 0, 2])];
    let state = traffic::state(cell.routes, routes, macs, true);
    let packets: Rc<[traffic::Packet]> = traffic::packets(cell, routes).into();
    let mut bench = Bench::new(state, packets);
    let mut taken: Vec<Vec<Cost>> = vec![Vec::new(); engines.len()];
    // The first fills the caches.
    for round in 0..=samples {
        for ((_name, which, engine), taken) in engines.iter_mut().zip(&mut taken) {
            if *which == cell.routes {
                let cost = bench.sample(engine)?;
                taken.extend((round > 0).then_some(cost));
            }
        }
    }
    for ((name, _which, _engine), taken) in engines.iter().zip(taken).filter(|(_engine, taken)| !taken.is_empty()) {
        let median = |part: fn(&Cost) -> f64| quantile(taken.iter().map(part).collect(), 0.5);
        let cycles = Cost {
            total: median(|cost| cost.total),
            receive: median(|cost| cost.receive),
            classify: median(|cost| cost.classify),
            lookup: median(|cost| cost.lookup),
            rewrite: median(|cost| cost.rewrite),
            transmit: median(|cost| cost.transmit),
        };
        let nanoseconds = cycles.total / report.hertz * 1e9;
        report.memory.push(InMemory { cell, engine: *name, cycles, nanoseconds });
    }
    Ok(())
}
