//! What was measured, as tables and pictures.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;

use super::measure::{Figures, Rate};
use super::target::Machine;
use crate::picture;

/// Prints tables, or JSON.
pub(super) fn print(figures: &[Figures], json: bool) -> io::Result<()> {
    let all = figures;
    let mut out = io::stdout().lock();
    if json {
        return writeln!(out, "{}", serde_json::to_string_pretty(figures).map_err(io::Error::other)?);
    }
    writeln!(out, "million packets a second, both ways together:")?;
    writeln!(
        out,
        "{:<10} {:>6} {:>9} {:>19} {:>19} {:>9} {:>7}",
        "device", "bytes", "tried", "no loss (NDR)", "0.5 % lost (PDR)", "Gbit/s", "trials"
    )?;
    for Figures { target, size, most, ndr, pdr, wire_bits, .. } in figures {
        let rate = |rate: &Option<Rate>| rate.as_ref().map_or_else(|| "-".to_owned(), between);
        let carried = ndr.as_ref().map_or(0.0, |rate| rate.throughput * wire_bits / 1e9);
        let trials = ndr.as_ref().map_or(0, |rate| rate.trials);
        writeln!(
            out,
            "{target:<10} {size:>6} {:>9.3} {:>19} {:>19} {carried:>9.3} {trials:>7}",
            most / 1e6,
            rate(ndr),
            rate(pdr)
        )?;
    }
    if figures.iter().any(|figures| !figures.latency.is_empty()) {
        writeln!(out, "latency in microseconds:")?;
        writeln!(
            out,
            "{:<10} {:>6} {:>8} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>7}",
            "device", "bytes", "% of NDR", "Mpps", "50 %", "90 %", "99 %", "99.9 %", "most", "lost"
        )?;
        for figures in figures {
            for at in &figures.latency {
                writeln!(
                    out,
                    "{:<10} {:>6} {:>8} {:>9.3} {:>9.1} {:>9.1} {:>9.1} {:>9.1} {:>9.1} {:>7}",
                    figures.target,
                    figures.size,
                    at.percent,
                    at.rate / 1e6,
                    at.times.p50_us,
                    at.times.p90_us,
                    at.times.p99_us,
                    at.times.p999_us,
                    at.times.max_us,
                    at.lost
                )?;
            }
        }
    }
    for figures in figures {
        compare(&mut out, figures, all)?;
    }
    for Figures { target, size, loss, back_to_back, recovery, reset, machine, .. } in figures {
        if !loss.is_empty() {
            let steps = loss.iter().map(|at| format!("{} %: {:.4} %", at.percent, at.loss_ratio * 100.0));
            let steps: Vec<_> = steps.collect();
            writeln!(out, "{target}, {size} bytes: lost at parts of the highest rate: {}", steps.join(", "))?;
        }
        if let Some(burst) = back_to_back {
            let (packets, rate, repetitions) = (burst.packets, burst.rate / 1e6, burst.repetitions);
            writeln!(
                out,
                "{target}, {size} bytes: the longest burst at {rate:.3} Mpps without loss has {packets:.0} packets, the \
                 average of {repetitions}"
            )?;
        }
        if let Some(recovery) = recovery {
            writeln!(
                out,
                "{target}, {size} bytes: after {} s of {:.3} Mpps, the last packet is lost {:.3} ms into {:.3} Mpps",
                recovery.overload_seconds,
                recovery.overload / 1e6,
                recovery.milliseconds,
                recovery.then / 1e6
            )?;
        }
        if let Some(reset) = reset {
            let came_back = if reset.recovered { "" } else { ", and nothing came out at the end" };
            writeln!(
                out,
                "{target}, {size} bytes: killed and started again at {:.3} Mpps, nothing comes out for {:.0} ms{came_back}",
                reset.rate / 1e6,
                reset.milliseconds
            )?;
        }
        say_what_the_machine_did(&mut out, target, size, machine)?;
    }
    Ok(())
}

/// One device beside the yardstick, `dpdk-testpmd` in mac mode, if that was measured with the same frames.
fn compare(out: &mut impl Write, figures: &Figures, all: &[Figures]) -> io::Result<()> {
    let yardstick = all.iter().find(|other| other.target == "testpmd" && other.size == figures.size);
    let Some(yardstick) = yardstick.filter(|yardstick| yardstick.target != figures.target) else { return Ok(()) };
    let rate = |part: fn(&Figures) -> Option<Rate>| {
        let lower = |figures| part(figures).and_then(|rate| rate.lower);
        lower(figures)
            .zip(lower(yardstick))
            .map_or_else(|| "-".to_owned(), |(ours, theirs)| format!("{:.2}", ours / theirs))
    };
    write!(out, "{}, {} bytes: of what testpmd carries, ", figures.target, figures.size)?;
    write!(out, "{} without loss, {} with 0.5 % lost", rate(|figures| figures.ndr), rate(|figures| figures.pdr))?;
    for (ours, theirs) in figures.latency.iter().zip(&yardstick.latency) {
        let (percent, ratio) = (ours.percent, ours.times.p99_us / theirs.times.p99_us);
        write!(out, "; {ratio:.2} times its latency at {percent} % of NDR (99 %)")?;
    }
    writeln!(out)
}

/// How far the figures can be believed.
fn say_what_the_machine_did(out: &mut impl Write, target: &str, size: &str, machine: &Machine) -> io::Result<()> {
    let percent = |seconds: f64| 100.0 * seconds / machine.seconds.max(1e-9);
    writeln!(
        out,
        "{target}, {size} bytes: of {} trials {} were made again and {} are doubtful, since the machine may have lost the \
         packets; others had its core for {:.2} % of the time, nobody for {:.2} %; the generator was away for {:.2} %",
        machine.trials,
        machine.made_again,
        machine.doubtful,
        percent(machine.device_preempted_seconds),
        percent(machine.device_stolen_seconds),
        percent(machine.generator_away_seconds)
    )
}

/// The bounds of a rate, in millions.
fn between(rate: &Rate) -> String {
    let bound = |bound: Option<f64>| bound.map_or_else(|| "-".to_owned(), |bound| format!("{:.3}", bound / 1e6));
    format!("{} to {}", bound(rate.lower), bound(rate.upper))
}

/// Draws latencies, and loss against the rate.
pub(super) fn draw(folder: &Path, figures: &[Figures]) -> Result<(), String> {
    let sizes: BTreeSet<&String> = figures.iter().map(|figures| &figures.size).collect();
    for size in sizes {
        let of_size = || figures.iter().filter(|figures| figures.size == *size);
        let outcomes: Vec<_> = of_size().flat_map(|f| &f.outcomes).map(|(label, at)| (label.as_str(), at)).collect();
        if !outcomes.is_empty() {
            picture::latency(folder, &format!("rfc2544-{size}"), &outcomes)?;
        }
        let losses = of_size().filter(|figures| !figures.loss.is_empty()).map(|figures| {
            let points = figures.loss.iter().map(|at| (at.rate / 1e6, (at.loss_ratio * 100.0).max(1e-4))).rev();
            (figures.target.as_str(), points.collect::<Vec<_>>())
        });
        let losses: Vec<_> = losses.collect();
        if !losses.is_empty() {
            let axes = ["million packets a second offered", "% lost"];
            picture::draw(folder, &format!("rfc2544-{size}-loss"), "frame loss", axes, &losses)?;
        }
    }
    Ok(())
}
