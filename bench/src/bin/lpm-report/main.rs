//! `lpm-report`: the compressed radix beside the tables of DPDK and of the registry.
//!
//! All engines get the same routes and the same keys, in one process, on one pinned thread, in turns. Before anything is
//! timed, every engine's answer to every key is compared with ours; one that disagrees ends the report.

#![expect(clippy::cast_possible_truncation, reason = "measurements: noise becomes indices, and small counts words")]

mod dpdk;
mod engines;
mod heap;
mod measure;
mod report;
mod updates;
mod worker;

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use lpm::{Address, Change, Fib, FibWriter, Prefix, RouteTable};

use crate::engines::{Engine, Ours};
use crate::measure::{Gate, in_turns};
use crate::report::{Lookups, Report, Table};
use bench::figures::{Figure, Figures};
use bench::noise::Keys;
use bench::noise::{KEYS, Noise, Workload};
use bench::peers::{Dpdk, Kind};
use bench::routes::Routes;
use bench::routes::{Route, word};

/// Measures longest-prefix match against DPDK's tables and the registry's.
#[derive(Parser, Debug)]
struct Args {
    /// Prefixes, one per line, plain or gzipped; without, a table is made up with the lengths of a real one.
    #[arg(long)]
    routes: Option<PathBuf>,
    /// How many different next hops the routes go to.
    #[arg(long, default_value_t = 254)]
    next_hops: u32,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    /// Writes pictures into this directory.
    #[arg(long)]
    plot: Option<PathBuf>,
    /// Quiet samples wanted of each measurement.
    #[arg(long, default_value_t = 25)]
    samples: usize,
    /// Seconds that one comparison waits for these, at most.
    #[arg(long, default_value_t = 4)]
    patience: u64,
    /// Leaves out engines with this in their name: `rte_lpm` takes a minute to load a full table.
    #[arg(long)]
    without: Vec<String>,
    /// Addresses at a time.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 32, 64, 256], value_parser = clap::value_parser!(u16).range(1..=256))]
    bursts: Vec<u16>,
    /// Addresses, one per line, for `--print-matches`.
    #[arg(long, requires = "print_matches")]
    keys: Option<PathBuf>,
    /// Prints the matching prefix and next hop of each key, and measures nothing.
    #[arg(long, requires = "keys")]
    print_matches: bool,
}

impl Args {
    /// Whether an engine is to be left out.
    fn is_without(&self, engine: &str) -> bool {
        self.without.iter().any(|part| engine.contains(part))
    }
}

#[global_allocator]
static HEAP: heap::Counted = heap::Counted;

fn main() -> ExitCode {
    let args = Args::parse();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("lpm-report: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), String> {
    let routes = match &args.routes {
        Some(path) => Routes::read(path, args.next_hops)?,
        None => Routes::made_up(args.next_hops),
    };
    if let Some(keys) = &args.keys {
        return print_matches(&routes, keys);
    }
    let dpdk = Dpdk::start()?;
    core_affinity::set_for_current(core_affinity::CoreId { id: 0 });
    let report = measure_all(args, &routes, dpdk)?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report).map_err(|error| error.to_string())?);
    } else {
        print!("{}", report.text());
    }
    if let Some(directory) = &args.plot {
        report.plot(directory).map_err(|error| format!("cannot write pictures to {}: {error}", directory.display()))?;
    }
    Ok(())
}

/// Says where each key goes, by the golden table, and refuses to if the compiled one goes elsewhere.
fn print_matches(routes: &Routes, keys: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(keys).map_err(|error| format!("cannot read {}: {error}", keys.display()))?;
    let (golden4, golden6) = (golden(&routes.v4), golden(&routes.v6));
    let (fib4, fib6) = (load(&routes.v4).1, load(&routes.v6).1);
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Ok(address) = line.parse::<Ipv4Addr>() {
            println!("{}", matched(address, &golden4, &fib4)?);
        } else if let Ok(address) = line.parse::<Ipv6Addr>() {
            println!("{}", matched(address, &golden6, &fib6)?);
        } else {
            return Err(format!("`{line}` is not an address"));
        }
    }
    Ok(())
}

/// One line: the address, the prefix it matches, and its next hop.
fn matched<A: Address>(address: A, golden: &RouteTable<A>, fib: &Fib<A>) -> Result<String, String> {
    let expected = golden.longest_match(address);
    let (hop, found) = (expected.map(|(_, hop)| hop), fib.lookup(address));
    if hop != found {
        return Err(format!("{address} goes to {found:?}, its routes say {hop:?}"));
    }
    Ok(match expected {
        Some((prefix, hop)) => format!("{address} {prefix} {}", hop.index()),
        None => format!("{address} -"),
    })
}

fn golden<A: Address>(routes: &[Route<A>]) -> RouteTable<A> {
    let mut table = RouteTable::default();
    for route in routes {
        table.insert(route.prefix, route.hop);
    }
    table
}

fn load<A: Address>(routes: &[Route<A>]) -> (FibWriter<A>, Fib<A>) {
    let mut writer = FibWriter::default();
    let fib = writer.apply(routes.iter().map(|route| Change::Set(route.prefix, route.hop)));
    (writer, fib)
}

fn measure_all(args: &Args, routes: &Routes, dpdk: Dpdk) -> Result<Report, String> {
    let gate = Gate::new(Duration::from_secs(args.patience));
    let mut tables = Vec::new();
    let mut lookups = Vec::new();

    let (mut writer4, fib4, ours4) = build_ours(&routes.v4, V4);
    tables.push(ours4);
    let fill_fib = |bytes, name| {
        let table = dpdk::Table::new(dpdk, name, Kind::Fib { bytes }, routes.v4.len() + 1000, 16 << 10)?;
        Ok::<_, String>((table, name))
    };
    let mut fib_4b = filled4(dpdk, fill_fib(4, RTE_FIB_4B)?, &routes.v4, &mut tables);
    let fib_2b = filled4(dpdk, fill_fib(2, RTE_FIB_2B)?, &routes.v4, &mut tables);
    let mut peers4: Vec<Box<dyn Engine<Ipv4Addr>>> = vec![Box::new(fib_2b)];
    if !args.is_without("rte_lpm x4") {
        let lpm = dpdk::Table::new(dpdk, "rte_lpm x4", Kind::Lpm, routes.v4.len() + 1000, 16 << 10)?;
        peers4.push(Box::new(filled4(dpdk, (lpm, "rte_lpm x4"), &routes.v4, &mut tables)));
    }
    peers4.push(Box::new(built(V4, engines::TREEBITMAP, &mut tables, || {
        engines::of_treebitmap4(engines::treebitmap4(&routes.v4))
    })));
    peers4.push(Box::new(built(V4, engines::PREFIX_TRIE, &mut tables, || {
        engines::of_prefix_trie4(engines::prefix_trie4(&routes.v4))
    })));
    let mut worker = Vec::new();
    peers4.retain(|engine| !args.is_without(engine.name()));
    for workload in Workload::ALL {
        let keys = workload.keys(&routes.v4);
        let mut ours = Ours(fib4.clone());
        let mut engines: Vec<&mut dyn Engine<Ipv4Addr>> = vec![&mut ours, &mut fib_4b];
        engines.extend(peers4.iter_mut().map(|engine| &mut **engine as &mut dyn Engine<Ipv4Addr>));
        lookups.extend(compare(args, &gate, V4, workload.name(), &keys, &mut engines)?);
        worker.push((workload.name(), worker::measure(&gate, args.samples, &keys, &fib4, &mut fib_4b)));
    }

    let changes = updates::changes(&routes.v4, 400_000);
    let publishing = updates::publishing(&gate, &mut writer4, &changes);
    let reader = updates::reader(&mut writer4, &changes, &Workload::InsidePrefixes.keys(&routes.v4));
    let updates_per_second = updates_of_others(&gate, &routes.v4, &changes, &mut fib_4b, publishing);
    drop((peers4, fib_4b));

    let hosts = hosts_on_top(&routes.v4);
    lookups.extend(measure_hosts(args, &gate, dpdk, &hosts, &mut tables)?);
    lookups.extend(measure_v6(args, &gate, dpdk, &routes.v6, &mut tables)?);

    let mut report = Report {
        routes_v4: routes.v4.len(),
        routes_v6: routes.v6.len(),
        next_hops: args.next_hops,
        engines: tables,
        lookups,
        worker,
        publishing,
        reader,
        updates_per_second,
        figures: Figures::default(),
    };
    report.figures = figures(&report);
    Ok(report)
}

/// Our table, and what it took; the shortest of three times, since strangers only ever make it longer.
fn build_ours<A: Address>(routes: &[Route<A>], family: &'static str) -> (FibWriter<A>, Fib<A>, Table) {
    let mut best = f64::INFINITY;
    for _time in 0..2 {
        let start = Instant::now();
        let _forgotten = load(routes);
        best = best.min(start.elapsed().as_secs_f64());
    }
    let start = Instant::now();
    let (writer, fib) = load(routes);
    let build_seconds = best.min(start.elapsed().as_secs_f64());
    let megabytes = mebibytes(writer.usage().arena_bytes);
    (writer, fib, Table { engine: OURS, family, build_seconds, megabytes, refused: 0 })
}

/// Fills a table of DPDK's, and notes what it took.
fn filled4(
    dpdk: Dpdk,
    (mut table, engine): (dpdk::Table, &'static str),
    routes: &[Route<Ipv4Addr>],
    tables: &mut Vec<Table>,
) -> dpdk::Table {
    let start = Instant::now();
    let refused = table.fill4(routes);
    let build_seconds = start.elapsed().as_secs_f64();
    // Its tables were allocated when it was created, before; all that DPDK has is the upper bound there is.
    let before: f64 = tables.iter().filter(|table| table.engine.starts_with("rte_")).map(|table| table.megabytes).sum();
    let megabytes = mebibytes(dpdk.heap_bytes()) - before;
    tables.push(Table { engine, family: V4, build_seconds, megabytes, refused });
    table
}

/// Builds a table of the registry's, and notes what it took: time, and what it left allocated.
fn built<T>(family: &'static str, engine: &'static str, tables: &mut Vec<Table>, build: impl FnOnce() -> T) -> T {
    let (before, start) = (heap::allocated(), Instant::now());
    let table = build();
    let build_seconds = start.elapsed().as_secs_f64();
    let megabytes = mebibytes(heap::allocated() - before);
    tables.push(Table { engine, family, build_seconds, megabytes, refused: 0 });
    table
}

/// Checks that all engines agree on all keys, then lets them take turns.
fn compare<A: Address>(
    args: &Args,
    gate: &Gate,
    family: &'static str,
    workload: &'static str,
    keys: &Keys<A>,
    engines: &mut [&mut dyn Engine<A>],
) -> Result<Vec<Lookups>, String> {
    eprintln!("measuring {family}, {workload}");
    let expected = engines[0].answers(keys);
    for engine in engines.iter_mut().skip(1) {
        let found = engine.answers(keys);
        if let Some(n) = (0..expected.len()).find(|n| found[*n] != expected[*n]) {
            let (address, found, expected) = (keys.addresses[n], found[n], expected[n]);
            return Err(format!("{} sends {address} to {found}, ours to {expected}", engine.name()));
        }
    }
    let mut lookups = Vec::new();
    for burst in args.bursts.iter().map(|burst| usize::from(*burst)) {
        let taking_part: Vec<usize> = (0..engines.len()).filter(|n| burst == 1 || engines[*n].has_bursts()).collect();
        let samples = in_turns(gate, taking_part.len(), args.samples, |n| engines[taking_part[n]].sweep(keys, burst));
        for (n, samples) in taking_part.iter().zip(samples) {
            let (engine, millions) = (engines[*n].name(), keys.addresses.len() as f64 / samples.seconds() / 1e6);
            lookups.push(Lookups { family, workload, engine, burst, millions, quiet_samples: samples.quiet() });
        }
    }
    lookups.sort_by_key(|lookups| engines.iter().position(|engine| engine.name() == lookups.engine));
    Ok(lookups)
}

/// What the same changes cost in the others, which no one may read meanwhile, or which show a batch piece by piece.
fn updates_of_others(
    gate: &Gate,
    routes: &[Route<Ipv4Addr>],
    changes: &[Change<Ipv4Addr>],
    fib: &mut dpdk::Table,
    ours: updates::Publishing,
) -> Vec<(&'static str, f64)> {
    let in_fib = updates::in_place(gate, changes, |change| {
        match change {
            Change::Set(prefix, hop) => fib.add4(prefix, word(Some(hop))),
            Change::Remove(prefix) => fib.delete4(prefix),
        };
    });
    let mut bitmap = engines::treebitmap4(routes);
    let in_bitmap = updates::in_place(gate, changes, |change| {
        match change {
            Change::Set(prefix, hop) => bitmap.insert(prefix.address(), prefix.len().into(), word(Some(hop))),
            Change::Remove(prefix) => bitmap.remove(prefix.address(), prefix.len().into()),
        };
    });
    let mut trie = engines::prefix_trie4(routes);
    let in_trie = updates::in_place(gate, changes, |change| {
        match change {
            Change::Set(prefix, hop) => trie.insert((prefix.address().into(), prefix.len()), word(Some(hop))),
            Change::Remove(prefix) => trie.remove(&(prefix.address().into(), prefix.len())),
        };
    });
    vec![
        ("ferry lpm, one snapshot per route", ours.one_route_per_second),
        ("ferry lpm, one snapshot per 10,000 routes", ours.batched_routes_per_second),
        ("rte_fib 4 B, in place", in_fib),
        ("crate treebitmap, without readers", in_bitmap),
        ("crate prefix-trie, without readers", in_trie),
    ]
}

/// The table with a million random host routes on top.
fn hosts_on_top(routes: &[Route<Ipv4Addr>]) -> Vec<Route<Ipv4Addr>> {
    let mut noise = Noise(4);
    let mut all = golden(routes);
    while all.len() < routes.len() + (1 << 20) {
        let route = routes[noise.below(routes.len())];
        all.insert(Prefix::host(Ipv4Addr::from(noise.next() as u32)), route.hop);
    }
    all.iter().map(|(prefix, hop)| Route { prefix, hop }).collect()
}

fn measure_hosts(
    args: &Args,
    gate: &Gate,
    dpdk: Dpdk,
    routes: &[Route<Ipv4Addr>],
    tables: &mut Vec<Table>,
) -> Result<Vec<Lookups>, String> {
    let mut these = Vec::new();
    let (_writer, fib, ours) = build_ours(routes, V4_HOSTS);
    these.push(Table { engine: OURS, ..ours });
    let peer = dpdk::Table::new(dpdk, RTE_FIB_4B, Kind::Fib { bytes: 4 }, routes.len() + 1000, (1 << 20) + (32 << 10))?;
    let mut peer = filled4(dpdk, (peer, RTE_FIB_4B), routes, &mut these);
    tables.extend(these.into_iter().map(|table| Table { family: V4_HOSTS, ..table }));
    let keys = Workload::InsidePrefixes.keys(routes);
    compare(args, gate, V4_HOSTS, Workload::InsidePrefixes.name(), &keys, &mut [&mut Ours(fib), &mut peer])
}

fn measure_v6(
    args: &Args,
    gate: &Gate,
    dpdk: Dpdk,
    routes: &[Route<Ipv6Addr>],
    tables: &mut Vec<Table>,
) -> Result<Vec<Lookups>, String> {
    let (_writer, fib, ours) = build_ours(routes, V6);
    tables.push(ours);
    let mut peers: Vec<Box<dyn Engine<Ipv6Addr>>> = Vec::new();
    for (engine, kind, groups) in [(RTE_FIB6, Kind::Fib6, 400_000), ("rte_lpm6", Kind::Lpm6, 131_072)] {
        let before = dpdk.heap_bytes();
        let mut table = dpdk::Table::new(dpdk, engine, kind, routes.len() + 1000, groups)?;
        let start = Instant::now();
        let refused = table.fill6(routes);
        let build_seconds = start.elapsed().as_secs_f64();
        let megabytes = mebibytes(dpdk.heap_bytes() - before);
        tables.push(Table { engine, family: V6, build_seconds, megabytes, refused });
        peers.push(Box::new(table));
    }
    peers.push(Box::new(built(V6, engines::TREEBITMAP, tables, || {
        engines::of_treebitmap6(engines::treebitmap6(routes))
    })));
    peers.push(Box::new(built(V6, engines::PREFIX_TRIE, tables, || {
        engines::of_prefix_trie6(engines::prefix_trie6(routes))
    })));
    peers.retain(|engine| !args.is_without(engine.name()));
    let mut lookups = Vec::new();
    for workload in Workload::ALL {
        let mut ours = Ours(fib.clone());
        let mut engines: Vec<&mut dyn Engine<Ipv6Addr>> = vec![&mut ours];
        engines.extend(peers.iter_mut().map(|engine| &mut **engine as &mut dyn Engine<Ipv6Addr>));
        lookups.extend(compare(args, gate, V6, workload.name(), &workload.keys(routes), &mut engines)?);
    }
    Ok(lookups)
}

/// What has to be met, and by how much it is.
fn figures(report: &Report) -> Figures {
    let ratio = |family, workload: Workload, peer, burst| {
        report.millions(family, workload.name(), OURS, burst) / report.millions(family, workload.name(), peer, burst)
    };
    let ours = |family| report.engines.iter().find(move |table| (table.engine, table.family) == (OURS, family));
    let memory = |family| ours(family).map_or(f64::NAN, |table| table.megabytes);
    let build = |family| ours(family).map_or(f64::NAN, |table| table.build_seconds);
    let in_worker = report.worker.iter().find(|(workload, _)| *workload == Workload::ZipfMillion.name());
    let in_worker =
        in_worker.map_or(f64::NAN, |(_, worker)| worker.rte_fib / worker.ours.min(worker.ours_in_two_steps));
    use Workload::{InsidePrefixes, Uniform, ZipfFew};
    let published = report.publishing;
    #[rustfmt::skip]
    let at_least = [
        ("v4 uniform, by 64, to rte_fib 4 B", ratio(V4, Uniform, RTE_FIB_4B, 64), 3.0, 4.0),
        ("v4 uniform, by 64, to rte_fib 2 B", ratio(V4, Uniform, RTE_FIB_2B, 64), 2.0, 3.0),
        ("v4 inside prefixes, by 64, to rte_fib 4 B", ratio(V4, InsidePrefixes, RTE_FIB_4B, 64), 1.3, 1.6),
        ("v4 inside prefixes, by 64, to rte_fib 2 B", ratio(V4, InsidePrefixes, RTE_FIB_2B, 64), 0.9, 1.2),
        ("v4 zipf over 1 M flows, in a worker, to rte_fib 4 B", in_worker, 1.5, 2.0),
        ("v4 zipf over 16 k flows, by 64, to rte_fib 4 B", ratio(V4, ZipfFew, RTE_FIB_4B, 64), 0.5, 0.8),
        ("v4 uniform, one at a time, to rte_fib 4 B", ratio(V4, Uniform, RTE_FIB_4B, 1), 2.5, 4.0),
        ("v4 inside prefixes, one at a time, to rte_fib 4 B", ratio(V4, InsidePrefixes, RTE_FIB_4B, 1), 2.5, 4.0),
        ("v6 inside prefixes, by 64, to rte_fib6", ratio(V6, InsidePrefixes, RTE_FIB6, 64), 1.8, 2.5),
        ("v4 with 1 M hosts, inside prefixes, by 64, to rte_fib 4 B", ratio(V4_HOSTS, InsidePrefixes, RTE_FIB_4B, 64), 1.0, 1.5),
        ("one-route publications per second", published.one_route_per_second, 400e3, 600e3),
        ("routes per second by 10,000", published.batched_routes_per_second, 1e6, 2e6),
    ];
    #[rustfmt::skip]
    let at_most = [
        ("v4 memory, MiB", memory(V4), 5.0, 4.0),
        ("v6 memory, MiB", memory(V6), 3.0, 2.0),
        ("bulk load of both, s", build(V4) + build(V6), 0.6, 0.15),
        ("one-route publication, p99, microseconds", published.p99_microseconds, 5.0, 4.0),
        ("reader's slow-down beside 10 k routes/s, percent", report.reader.slow_down() * 100.0, 10.0, 5.0),
    ];
    let at_least = at_least.map(|(what, measured, must, goal)| Figure::at_least(what, measured, must, goal));
    let at_most = at_most.map(|(what, measured, must, goal)| Figure::at_most(what, measured, must, goal));
    Figures::measured(at_least.into_iter().chain(at_most))
}

fn mebibytes(bytes: usize) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

const _: () = assert!(KEYS.is_multiple_of(64 * 4));

const OURS: &str = "ferry lpm";
const RTE_FIB_4B: &str = "rte_fib 4 B";
const RTE_FIB_2B: &str = "rte_fib 2 B";
const RTE_FIB6: &str = "rte_fib6 4 B";
const V4: &str = "v4";
const V4_HOSTS: &str = "v4+1M/32";
const V6: &str = "v6";
