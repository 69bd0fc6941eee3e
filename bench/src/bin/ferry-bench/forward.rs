//! Forwarding on one core: ferry's worker against `dpdk-testpmd` in mac mode, on the same vdevs.
//!
//! testpmd's mac mode swaps in two MAC addresses and does no IP work at all; ferry does all of RFC 1812's. Each figure is
//! a ratio of packets per second from slices of half a second that take turns, over fresh instances of both programs,
//! because an instance has luck of its own. Absolute figures depend on the machine's phase and are shown for orientation.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::Args;
use packet::ethernet::{EtherType, Header, MacAddr};
use packet::{ipv4, ipv6};
use pcaps::CaptureWriter;
use serde::Serialize;

use crate::contestant::{Contestant, Dialect};

/// Options of `ferry-bench forward`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Fresh pairs of processes for each workload.
    #[arg(long, default_value_t = 5)]
    instances: usize,
    /// Slices each of a pair gets.
    #[arg(long, default_value_t = 6)]
    slices: usize,
    /// The core both forward on.
    #[arg(long, default_value_t = 0)]
    core: usize,
    /// Prints one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

/// What comes in, and what ferry makes of it.
#[derive(Debug, Clone, Copy)]
enum Workload {
    /// `net_null` copies zeros into frames: no IP, so ferry receives, classifies and drops. Not forwarding, but a floor.
    Null,
    /// `net_pcap` repeats 32 frames of 60 bytes to one IPv4 destination.
    Ipv4,
    /// The same in IPv6, in frames of 62 bytes.
    Ipv6,
}

const WORKLOADS: [Workload; 3] = [Workload::Null, Workload::Ipv4, Workload::Ipv6];

impl Workload {
    fn name(self) -> &'static str {
        match self {
            Self::Null => "net_null copy, received and dropped",
            Self::Ipv4 => "net_pcap infinite_rx, IPv4, forwarded",
            Self::Ipv6 => "net_pcap infinite_rx, IPv6, forwarded",
        }
    }

    /// The two vdevs; what they replay stands in `folder`.
    fn vdevs(self, folder: &Path) -> Result<[String; 2], String> {
        let name = match self {
            Self::Null => return Ok([0, 1].map(|port| format!("net_null{port},copy=1"))),
            Self::Ipv4 => "ipv4.pcap",
            Self::Ipv6 => "ipv6.pcap",
        };
        let path = folder.join(name);
        let mut writer = CaptureWriter::create(&path).map_err(|error| error.to_string())?;
        let frame = self.frame();
        for _repeat in 0..32 {
            writer.write(Duration::ZERO, 0, &frame).map_err(|error| error.to_string())?;
        }
        writer.finish().map_err(|error| error.to_string())?;
        Ok([0, 1].map(|port| format!("net_pcap{port},rx_pcap={},infinite_rx=1", path.display())))
    }

    /// One frame to a destination that the worker's only route covers.
    fn frame(self) -> Vec<u8> {
        let (ether_type, ip) = match self {
            Self::Null => unreachable!("net_null makes its own frames"),
            Self::Ipv4 => {
                let header = ipv4::Builder {
                    source: [192, 0, 2, 10].into(),
                    destination: [198, 18, 0, 1].into(),
                    protocol: 17,
                    ttl: 64,
                    tos: 0,
                    identification: 0,
                    dont_fragment: true,
                };
                (EtherType::IPV4, header.header(26).expect("a short packet").to_vec())
            }
            Self::Ipv6 => {
                let header = ipv6::Builder {
                    source: "2001:db8:1::10".parse().expect("an address"),
                    destination: "2001:db8:18::1".parse().expect("an address"),
                    next_header: 17,
                    hop_limit: 64,
                };
                (EtherType::IPV6, header.header(8).expect("a short packet").to_vec())
            }
        };
        let stations =
            Header { destination: MacAddr([2, 0, 0, 0, 0, 1]), source: MacAddr([2, 0, 0, 0, 0, 9]), ether_type };
        let payload = if matches!(self, Self::Ipv4) { 26 } else { 8 };
        [&stations.to_bytes()[..], &ip, &vec![0; payload]].concat()
    }
}

/// One row of the report.
#[derive(Debug, Serialize)]
struct Figure {
    workload: &'static str,
    /// Packets per second of ferry over those of testpmd: the median over all slices.
    ratio: f64,
    ratio_low: f64,
    ratio_high: f64,
    /// Medians, in million packets per second, both ports together.
    ferry_mpps: f64,
    testpmd_mpps: f64,
    /// Of the time stamp counter.
    ferry_cycles: f64,
    testpmd_cycles: f64,
}

/// Measures every workload and prints the table, or JSON.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| format!("no folder for captures: {error}"))?;
    let hertz = dpdk_cycles_per_second();
    let mut figures = Vec::new();
    for workload in WORKLOADS {
        eprintln!("{}: {} instances of {} slices", workload.name(), options.instances, options.slices);
        figures.push(measure(workload, options, folder.path(), hertz)?);
    }
    if options.json {
        println!("{}", serde_json::to_string_pretty(&figures).map_err(|error| error.to_string())?);
        return Ok(());
    }
    println!(
        "{:<40} {:>7} {:>15} {:>12} {:>12} {:>14}",
        "workload", "ratio", "q10-q90", "ferry Mpps", "testpmd", "cycles/packet"
    );
    for figure in figures {
        println!(
            "{:<40} {:>7.2} {:>15} {:>12.1} {:>12.1} {:>14}",
            figure.workload,
            figure.ratio,
            format!("{:.2}-{:.2}", figure.ratio_low, figure.ratio_high),
            figure.ferry_mpps,
            figure.testpmd_mpps,
            format!("{:.0} vs {:.0}", figure.ferry_cycles, figure.testpmd_cycles),
        );
    }
    Ok(())
}

fn measure(workload: Workload, options: &Options, folder: &Path, hertz: f64) -> Result<Figure, String> {
    let vdevs = workload.vdevs(folder)?;
    let (mut ratios, mut ferry_rates, mut testpmd_rates) = (Vec::new(), Vec::new(), Vec::new());
    for _instance in 0..options.instances {
        let mut ferry = Contestant::start(ferry_worker(&vdevs, options.core)?, Dialect::Ferry)?;
        let mut testpmd = Contestant::start(testpmd(&vdevs, options.core), Dialect::Testpmd)?;
        for _slice in 0..options.slices {
            let (ours, theirs) = (rate(&mut ferry)?, rate(&mut testpmd)?);
            ratios.push(ours / theirs);
            ferry_rates.push(ours);
            testpmd_rates.push(theirs);
        }
    }
    let (ours, theirs) = (quantile(&mut ferry_rates, 0.5), quantile(&mut testpmd_rates, 0.5));
    Ok(Figure {
        workload: workload.name(),
        ratio: quantile(&mut ratios, 0.5),
        ratio_low: quantile(&mut ratios, 0.1),
        ratio_high: quantile(&mut ratios, 0.9),
        ferry_mpps: ours / 1e6,
        testpmd_mpps: theirs / 1e6,
        ferry_cycles: hertz / ours,
        testpmd_cycles: hertz / theirs,
    })
}

/// Packets per second over one slice, after a moment to get warm again.
fn rate(contestant: &mut Contestant) -> Result<f64, String> {
    contestant.forwarding(|contestant| {
        sleep(WARM_UP);
        let (started, before) = (Instant::now(), contestant.packets()?);
        sleep(SLICE);
        let (ended, after) = (Instant::now(), contestant.packets()?);
        #[expect(clippy::cast_precision_loss, reason = "a slice has far fewer than 2^52 packets")]
        let packets = (after - before) as f64;
        Ok(packets / (ended - started).as_secs_f64())
    })
}

const WARM_UP: Duration = Duration::from_millis(100);
const SLICE: Duration = Duration::from_millis(500);

/// This program again, as a worker.
fn ferry_worker(vdevs: &[String], core: usize) -> Result<Command, String> {
    let this = std::env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
    let mut command = Command::new(this);
    command.arg("worker").arg("--core").arg(core.to_string());
    for vdev in vdevs {
        command.arg("--vdev").arg(vdev);
    }
    Ok(command)
}

/// testpmd with its commands on another core, and the memory ferry would choose.
fn testpmd(vdevs: &[String], core: usize) -> Command {
    let commands = usize::from(core == 0);
    let mut command = Command::new("stdbuf");
    command.args(["-oL", "dpdk-testpmd", "--lcores", &format!("0@{commands},1@{core}"), "--no-pci", "--no-telemetry"]);
    match hugepages_are_free() {
        true => command.args(["--in-memory", "-m", "256"]),
        false => command.args(["--no-huge", "-m", "512", &format!("--file-prefix=bench{}", std::process::id())]),
    };
    for vdev in vdevs {
        command.arg("--vdev").arg(vdev);
    }
    command.args(["--", "-i", "--no-flush-rx", "--no-mlockall", "--total-num-mbufs=16384"]);
    command
}

fn hugepages_are_free() -> bool {
    let free = PathBuf::from("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages");
    std::fs::read_to_string(free).is_ok_and(|pages| pages.trim().parse().is_ok_and(|pages: u32| pages >= 256))
}

/// How fast the time stamp counter runs, measured against the clock.
fn dpdk_cycles_per_second() -> f64 {
    let (started, before) = (Instant::now(), dpdk::cycles());
    sleep(Duration::from_millis(200));
    let (elapsed, cycles) = (started.elapsed(), dpdk::cycles() - before);
    #[expect(clippy::cast_precision_loss, reason = "a fifth of a second has far fewer than 2^52 cycles")]
    let cycles = cycles as f64;
    cycles / elapsed.as_secs_f64()
}

/// The value below which `share` of the values lie.
fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index"
    )]
    let index = ((values.len() - 1) as f64 * share).round() as usize;
    values[index]
}
