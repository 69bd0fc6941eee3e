//! How long the first packet after a pause waits for its worker: for one that polls without end, and for one that rests.
//!
//! A thread on one core polls a queue as a worker does its ports, and rests between its turns as `pipeline::Idleness` says;
//! another, on another core, puts the time into the queue, pauses, and does so again. What is printed is how old the time was
//! when it was found. The two cores must be left alone by others, or what is measured is the others.
//!
//! `cargo run --release -p bench --bin wake-up`

use std::num::NonZeroU64;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use core_affinity::CoreId;
use crossbeam::queue::ArrayQueue;
use pipeline::{Idleness, LONGEST_SLEEP, Rest};

/// Measures how long a packet waits after a pause.
#[derive(Debug, Parser)]
struct Args {
    /// Packets for each line.
    #[arg(long, default_value_t = 2000)]
    packets: usize,
    /// One JSON object on one line.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let Args { packets, json } = Args::parse();
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    let [other, .., worker] = cores[..] else {
        eprintln!("error: a worker and who sends to it take two cores, and there are {}", cores.len());
        return ExitCode::FAILURE;
    };
    if !json {
        println!("the first packet after a pause waits, in microseconds; the longest sleep is {LONGEST_SLEEP:?}");
        println!("{:<10}{:>12}{:>10}{:>10}{:>10}", "idle", "pause", "half", "99 %", "most");
    }
    let mut lines = Vec::new();
    for (name, is_adaptive) in [("poll", false), ("adaptive", true)] {
        for pause in PAUSES {
            let mut waited = measure(other, worker, is_adaptive, pause, packets);
            waited.sort_unstable();
            let at = |share: usize| micros(waited[(waited.len() - 1) * share / 100]);
            let [half, most_of_them, most] = [50, 99, 100].map(at);
            if json {
                lines.push(format!(
                    r#"{{"idle":"{name}","pause_us":{},"p50_us":{half:.1},"p99_us":{most_of_them:.1},"max_us":{most:.1}}}"#,
                    pause.as_micros(),
                ));
            } else {
                println!("{name:<10}{:>12}{half:>10.1}{most_of_them:>10.1}{most:>10.1}", format!("{pause:?}"));
            }
        }
    }
    if json {
        println!("[{}]", lines.join(","));
    }
    ExitCode::SUCCESS
}

/// How long each packet waited.
fn measure(from: CoreId, to: CoreId, is_adaptive: bool, pause: Duration, packets: usize) -> Vec<Duration> {
    let (queue, stop) = (ArrayQueue::<Instant>::new(64), AtomicBool::new(false));
    thread::scope(|scope| {
        let worker = scope.spawn(|| {
            core_affinity::set_for_current(to);
            // As ferryd does, so that the system wakes it when its sleep is over.
            let _late_by_fifty_microseconds = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
            let (mut idleness, mut waited) = (Idleness::default(), Vec::with_capacity(packets));
            while !stop.load(Ordering::Relaxed) {
                let mut handled = 0;
                while let Some(sent) = queue.pop() {
                    waited.push(sent.elapsed());
                    handled += 1;
                }
                match idleness.after(handled) {
                    Rest::Spin(hints) if is_adaptive => (0..hints).for_each(|_hint| std::hint::spin_loop()),
                    Rest::Sleep(time) if is_adaptive => thread::sleep(time),
                    Rest::None | Rest::Spin(_) | Rest::Sleep(_) => {}
                }
            }
            waited
        });
        core_affinity::set_for_current(from);
        for number in 0..packets {
            // Not always the same, or it would keep step with the sleeps.
            let until = Instant::now() + pause + pause * u32::try_from(number % 17).unwrap_or(0) / 64;
            while Instant::now() < until {
                std::hint::spin_loop();
            }
            let _full = queue.push(Instant::now());
        }
        while !queue.is_empty() {
            thread::yield_now();
        }
        stop.store(true, Ordering::Relaxed);
        worker.join().expect("it only counts")
    })
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// Shorter than it polls on, so long that it pauses, and such that it sleeps.
const PAUSES: [Duration; 4] =
    [Duration::from_micros(5), Duration::from_micros(50), Duration::from_millis(1), Duration::from_millis(10)];
