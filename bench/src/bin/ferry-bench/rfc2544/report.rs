//! What was measured, as tables and pictures.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;

use super::figures::{figures, rates, yardstick};
use super::measure::{Findings, ROUNDS, Rate};
use super::target::Machine;
use crate::picture;

/// Prints tables, or JSON.
pub(super) fn print(findings: &[Findings], json: bool) -> io::Result<()> {
    let all = findings;
    let figures = figures(findings);
    let mut out = io::stdout().lock();
    if json {
        let told = serde_json::json!({ "findings": findings, "figures": figures });
        return writeln!(out, "{}", serde_json::to_string_pretty(&told).map_err(io::Error::other)?);
    }
    writeln!(out, "million packets a second, both ways together:")?;
    writeln!(
        out,
        "{:<10} {:>6} {:>9} {:>19} {:>19} {:>9} {:>7}",
        "device", "bytes", "tried", "no loss (NDR)", "0.5 % lost (PDR)", "Gbit/s", "trials"
    )?;
    for Findings { target, size, most, ndr, pdr, wire_bits, .. } in findings {
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
    if findings.iter().any(|findings| !findings.latency.is_empty()) {
        writeln!(out, "latency in microseconds, the middle of {ROUNDS} rounds:")?;
        writeln!(
            out,
            "{:<10} {:>6} {:>8} {:>9} {:>9} {:>9} {:>9} {:>15} {:>9} {:>9} {:>7}",
            "device", "bytes", "% of NDR", "Mpps", "50 %", "90 %", "99 %", "in the rounds", "99.9 %", "most", "lost"
        )?;
        for findings in findings {
            for at in &findings.latency {
                let [least, most] = at.p99_us_between;
                writeln!(
                    out,
                    "{:<10} {:>6} {:>8} {:>9.3} {:>9.1} {:>9.1} {:>9.1} {:>15} {:>9.1} {:>9.1} {:>7}",
                    findings.target,
                    findings.size,
                    at.percent,
                    at.rate / 1e6,
                    at.times.p50_us,
                    at.times.p90_us,
                    at.times.p99_us,
                    format!("{least:.1} to {most:.1}"),
                    at.times.p999_us,
                    at.times.max_us,
                    at.lost
                )?;
            }
        }
    }
    for findings in findings {
        compare(&mut out, findings, all)?;
    }
    for Findings { target, size, loss, back_to_back, recovery, reset, machine, .. } in findings {
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
    if figures.is_empty() {
        return writeln!(
            out,
            "nothing here has to be met: that is of throughput and latency with --dut ferry --dut testpmd, as without these \
             options"
        );
    }
    write!(out, "\n{figures}")
}

/// One device beside the yardstick, `dpdk-testpmd` in mac mode, if that was measured with the same frames.
fn compare(out: &mut impl Write, findings: &Findings, all: &[Findings]) -> io::Result<()> {
    let Some(yardstick) = yardstick(findings, all) else { return Ok(()) };
    let rate = |part: fn(&Findings) -> Option<Rate>| {
        let ratio = rates(part(findings), part(yardstick));
        if ratio.is_nan() { "-".to_owned() } else { format!("{ratio:.2}") }
    };
    write!(out, "{}, {} bytes: of what testpmd carries, ", findings.target, findings.size)?;
    write!(out, "{} without loss, {} with 0.5 % lost", rate(|findings| findings.ndr), rate(|findings| findings.pdr))?;
    for (ours, theirs) in findings.latency.iter().zip(&yardstick.latency) {
        let (percent, ratio) = (ours.percent, ours.times.p99_us / theirs.times.p99_us);
        write!(out, "; {ratio:.2} times its latency at {percent} % of NDR (99 %)")?;
    }
    writeln!(out)
}

/// How far that can be believed.
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
pub(super) fn draw(folder: &Path, findings: &[Findings]) -> Result<(), String> {
    let sizes: BTreeSet<&String> = findings.iter().map(|findings| &findings.size).collect();
    for size in sizes {
        let of_size = || findings.iter().filter(|findings| findings.size == *size);
        let outcomes: Vec<_> = of_size().flat_map(|f| &f.outcomes).map(|(label, at)| (label.as_str(), at)).collect();
        if !outcomes.is_empty() {
            picture::latency(folder, &format!("rfc2544-{size}"), &outcomes)?;
        }
        let losses = of_size().filter(|findings| !findings.loss.is_empty()).map(|findings| {
            let points = findings.loss.iter().map(|at| (at.rate / 1e6, (at.loss_ratio * 100.0).max(1e-4))).rev();
            (findings.target.as_str(), points.collect::<Vec<_>>())
        });
        let losses: Vec<_> = losses.collect();
        if !losses.is_empty() {
            let axes = ["million packets a second offered", "% lost"];
            picture::draw(folder, &format!("rfc2544-{size}-loss"), "frame loss", axes, &losses)?;
        }
    }
    Ok(())
}
