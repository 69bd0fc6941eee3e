//! `ferry-bench generate`: offers a load on two ports, and tells what came of it.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use dpdk::Device;

use crate::generator::Load;
use crate::outcome::{Outcome, StreamOutcome};
use crate::ports;
use crate::progress::Progress;
use crate::traffic::{self, Traffic};

/// Options of `ferry-bench generate`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The two ports, each a DPDK device: `net_virtio_user0,path=/run/left.sock`, `net_memif0,...`, `0000:03:00.0`.
    #[arg(long = "port", value_name = "DEVICE", required = true, num_args = 1)]
    ports: Vec<Device>,
    /// Lengths of frames by turns, with the frame check sequence as RFC 2544 counts them; `imix` is 7 of 64, 4 of 570 and 1
    /// of 1518 bytes. Test packets of IPv6 have at least 84.
    #[arg(long, default_value = "64")]
    size: String,
    #[command(flatten)]
    traffic: traffic::Options,
    /// Packets a second, over both ways; 1.5M and 200k are numbers.
    #[arg(long, default_value = "100k", value_parser = number)]
    rate: f64,
    /// For how many seconds.
    #[arg(long, default_value_t = 10.0, value_parser = seconds)]
    seconds: f64,
    #[command(flatten)]
    generator: ports::Options,
    /// Writes the distribution of latencies, for HdrHistogram's plotters.
    #[arg(long, value_name = "FILE")]
    hgrm: Option<PathBuf>,
    /// Draws the distribution of latencies into this folder.
    #[arg(long, value_name = "DIR")]
    plot: Option<PathBuf>,
    /// Prints one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

/// Runs it.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let traffic = Traffic::new(&options.traffic, &options.size)?;
    let asked = &options.generator;
    let mut generator = ports::start(&options.ports, &asked.setup(traffic.longest_frame()))?;
    generator.open(&traffic, asked.routers(), asked.both_ways(), asked.patience())?;
    let load = Load::steady(options.rate, Duration::from_secs_f64(options.seconds), asked.both_ways());
    let outcome = generator.run(&load, &Progress::new("offering the load", load.time()))?;
    if let Some(path) = &options.hgrm {
        let written = File::create(path).and_then(|file| {
            let mut file = BufWriter::new(file);
            outcome.write_hgrm(&mut file)?;
            file.flush()
        });
        written.map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    if let Some(folder) = &options.plot {
        crate::picture::latency(folder, "generate", &[("generate", &outcome)])?;
    }
    print(&outcome, &traffic, options.json).map_err(|error| error.to_string())
}

fn print(outcome: &Outcome, traffic: &Traffic, json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let summary = outcome.summary();
    if json {
        return writeln!(out, "{}", serde_json::to_string_pretty(&summary).map_err(io::Error::other)?);
    }
    let rate = outcome.offered_a_second();
    writeln!(
        out,
        "offered {:.3} million packets a second for {:.2} s: {:.3} Gbit/s of wire",
        rate / 1e6,
        summary.seconds,
        rate * traffic.wire_bits() / 1e9
    )?;
    writeln!(
        out,
        "{:<16} {:>12} {:>12} {:>10} {:>10} {:>10} {:>10} {:>10} {:>10}",
        "from", "sent", "received", "lost", "of them", "twice", "out of", "furthest", "not"
    )?;
    writeln!(
        out,
        "{:<16} {:>12} {:>12} {:>10} {:>10} {:>10} {:>10} {:>10} {:>10}",
        "", "", "", "", "refused", "", "order", "by", "offered"
    )?;
    for stream in &outcome.streams {
        let StreamOutcome { from, sent, refused, forgone, lost, counts, .. } = stream;
        writeln!(
            out,
            "{:<16} {:>12} {:>12} {:>10} {:>10} {:>10} {:>10} {:>10} {:>10}",
            ["the first port", "the second port"][*from],
            sent,
            counts.received,
            lost,
            refused,
            counts.duplicates,
            counts.reordered,
            counts.reordered_by_at_most,
            forgone
        )?;
    }
    let times = summary.latency;
    writeln!(out, "latency in microseconds, of {} packets:", times.samples)?;
    writeln!(out, "{:>10} {:>10} {:>10} {:>10} {:>10} {:>10}", "least", "50 %", "90 %", "99 %", "99.9 %", "most")?;
    writeln!(
        out,
        "{:>10.1} {:>10.1} {:>10.1} {:>10.1} {:>10.1} {:>10.1}",
        times.min_us, times.p50_us, times.p90_us, times.p99_us, times.p999_us, times.max_us
    )?;
    let lapses = summary.lapses;
    if lapses.count > 0 {
        writeln!(
            out,
            "the generator was away {} times, {} us at most, {} us in all: others had its core; times of those turns are \
             left out",
            lapses.count,
            lapses.longest.as_micros(),
            lapses.total.as_micros()
        )?;
    }
    if summary.strangers > 0 {
        writeln!(out, "{} frames came that were no test packets", summary.strangers)?;
    }
    Ok(())
}

/// Reads a number such as 100, 2.5M or 10k.
pub(crate) fn number(text: &str) -> Result<f64, String> {
    let (digits, unit) = match text.strip_suffix(['k', 'K']) {
        Some(digits) => (digits, 1e3),
        None => text.strip_suffix('M').map_or((text, 1.0), |digits| (digits, 1e6)),
    };
    match digits.parse::<f64>() {
        Ok(number) if number.is_finite() && number > 0.0 => Ok(number * unit),
        _ => Err(format!("`{text}` is no number above 0 such as 250000, 250k or 1.5M")),
    }
}

/// Reads a time in seconds, of a day at most.
pub(crate) fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.001..=86_400.0).contains(&seconds) => Ok(seconds),
        _ => Err(format!("`{text}` is no number of seconds from 0.001 to 86400")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_may_be_told_in_thousands_and_millions() {
        for (text, number_meant) in [("100", 100.0), ("2.5k", 2500.0), ("1.5M", 1.5e6)] {
            assert_eq!(number(text), Ok(number_meant), "{text}");
        }
        for text in ["", "k", "-1", "0", "inf", "1G", "NaN"] {
            assert!(number(text).is_err(), "{text}");
        }
        assert!(seconds("0").is_err() && seconds("1e9").is_err() && seconds("0.5").is_ok());
    }
}
