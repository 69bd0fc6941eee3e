//! What changes cost: the writer, and the readers beside it.

use std::hint::black_box;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, Cache};
use lpm::{Change, FibWriter, NextHopId};

use crate::measure::{Gate, Samples, percentile};
use bench::noise::Keys;
use bench::noise::Noise;
use bench::routes::Route;

/// Changes to a full table: half of them to another next hop, a quarter withdrawals, a quarter what was withdrawn coming
/// back.
pub(crate) fn changes(routes: &[Route<Ipv4Addr>], count: usize) -> Vec<Change<Ipv4Addr>> {
    let mut noise = Noise(99);
    let mut withdrawn: Vec<Route<Ipv4Addr>> = Vec::new();
    let mut changes = Vec::with_capacity(count);
    while changes.len() < count {
        let route = routes[noise.below(routes.len())];
        match noise.below(4) {
            0 | 1 => changes.push(Change::Set(route.prefix, NextHopId::new(noise.below(254) as u32))),
            2 => {
                changes.push(Change::Remove(route.prefix));
                withdrawn.push(route);
            }
            _ => changes.extend(withdrawn.pop().map(|route| Change::Set(route.prefix, route.hop))),
        }
    }
    changes
}

/// What publishing costs.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub(crate) struct Publishing {
    /// Publications of one route per second.
    pub(crate) one_route_per_second: f64,
    pub(crate) p50_microseconds: f64,
    pub(crate) p99_microseconds: f64,
    /// Routes per second in batches of 10,000.
    pub(crate) batched_routes_per_second: f64,
}

/// Publishes `changes` one by one and in batches, to a worker's kind of place, and takes the time.
pub(crate) fn publishing(gate: &Gate, writer: &mut FibWriter<Ipv4Addr>, changes: &[Change<Ipv4Addr>]) -> Publishing {
    let current = ArcSwap::from_pointee(writer.snapshot());
    let mut each = Vec::new();
    let mut one_route = Samples::default();
    for part in changes.chunks(PART).take(PARTS) {
        let quiet = one_route.quiet();
        let mut times = Vec::with_capacity(PART);
        one_route.time(gate, || {
            for change in part {
                let start = Instant::now();
                current.store(Arc::new(writer.apply([*change])));
                times.push(start.elapsed().as_secs_f64());
            }
        });
        if one_route.quiet() > quiet || each.is_empty() {
            each.extend(times);
        }
    }
    let mut batched = Samples::default();
    for batch in changes.chunks_exact(PART) {
        batched.time(gate, || current.store(Arc::new(writer.apply(batch.iter().copied()))));
    }
    Publishing {
        one_route_per_second: PART as f64 / one_route.seconds(),
        p50_microseconds: percentile(&each, 50) * 1e6,
        p99_microseconds: percentile(&each, 99) * 1e6,
        batched_routes_per_second: PART as f64 / batched.seconds(),
    }
}

/// Changes per second of a table that readers cannot use meanwhile, or that shows a batch piece by piece.
pub(crate) fn in_place(gate: &Gate, changes: &[Change<Ipv4Addr>], mut apply: impl FnMut(Change<Ipv4Addr>)) -> f64 {
    let mut samples = Samples::default();
    for part in changes.chunks(PART).take(PARTS) {
        samples.time(gate, || part.iter().for_each(|change| apply(*change)));
    }
    PART as f64 / samples.seconds()
}

/// A reader's lookups per second with and without a writer beside it.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub(crate) struct Reader {
    pub(crate) alone: f64,
    /// While 10,000 routes per second are published one by one.
    pub(crate) beside_writer: f64,
}

impl Reader {
    /// The share of its speed that the writer costs it.
    pub(crate) fn slow_down(self) -> f64 {
        1.0 - self.beside_writer / self.alone
    }
}

/// Reads on this core, while a thread on the other publishes or sleeps, by turns.
pub(crate) fn reader(writer: &mut FibWriter<Ipv4Addr>, changes: &[Change<Ipv4Addr>], keys: &Keys<Ipv4Addr>) -> Reader {
    let current = ArcSwap::from_pointee(writer.snapshot());
    let (writing, done, published) = (AtomicBool::new(false), AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            core_affinity::set_for_current(core_affinity::CoreId { id: 1 });
            let mut next = changes.iter().cycle();
            while !done.load(Ordering::Relaxed) {
                let tick = Instant::now();
                if writing.load(Ordering::Relaxed) {
                    for change in next.by_ref().take(10) {
                        current.store(Arc::new(writer.apply([*change])));
                    }
                    published.fetch_add(10, Ordering::Relaxed);
                }
                thread::sleep(Duration::from_millis(1).saturating_sub(tick.elapsed()));
            }
        });
        let mut cache = Cache::new(&current);
        let mut answers = [None; 64];
        let mut read = |window: Duration| {
            let (start, mut bursts) = (Instant::now(), 0_u32);
            while start.elapsed() < window {
                for addresses in keys.addresses.chunks_exact(64).skip(bursts as usize % 8192).take(1024) {
                    cache.load().lookup_burst(addresses, &mut answers);
                    black_box(&mut answers);
                    bursts += 1;
                }
            }
            f64::from(bursts) * 64.0 / start.elapsed().as_secs_f64()
        };
        let (mut alone, mut beside) = (Vec::new(), Vec::new());
        for _turn in 0..TURNS {
            alone.push(read(WINDOW));
            writing.store(true, Ordering::Relaxed);
            beside.push(read(WINDOW));
            writing.store(false, Ordering::Relaxed);
        }
        done.store(true, Ordering::Relaxed);
        // The better windows of each: the others had strangers on the core.
        Reader { alone: percentile(&alone, 75), beside_writer: percentile(&beside, 75) }
    })
}

/// Changes between two looks at the gate, and in a batch.
const PART: usize = 10_000;

/// Parts, at most.
const PARTS: usize = 40;

/// How long the reader reads before the writer starts or stops.
const WINDOW: Duration = Duration::from_millis(100);

const TURNS: usize = 30;
