//! ferry's worker and `dpdk-testpmd`, each in processes of their own, taking turns on the same ports of DPDK.

use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use bench::quantile::quantile;
use bench::routes::Routes;
use serde::Serialize;

use super::matrix::{Cell, Routes as Which, Source};
use super::{Options, traffic};
use crate::contestant::{Contestant, Dialect};

/// What came out for one cell: medians, both ports together.
#[derive(Debug, Serialize)]
pub(crate) struct Beside {
    #[serde(flatten)]
    pub(crate) cell: Cell,
    /// Packets a second of ferry over those of testpmd in mac mode.
    pub(crate) ratio: f64,
    pub(crate) ratio_low: f64,
    pub(crate) ratio_high: f64,
    /// Over those in io mode.
    pub(crate) ratio_io: f64,
    /// Cycles a packet that ferry takes more than testpmd in mac mode.
    pub(crate) added: f64,
    /// Cycles a packet.
    pub(crate) ferry: f64,
    pub(crate) mac: f64,
    pub(crate) io: f64,
}

/// Lets the three take turns.
pub(crate) fn measure(cell: Cell, options: &Options, routes: &Routes, hertz: f64) -> Result<Beside, String> {
    let folder = tempfile::tempdir().map_err(|error| format!("no folder for captures: {error}"))?;
    let (vdevs, buffers) = vdevs(cell, routes, folder.path())?;
    let (mut slices, mut added) = (Vec::new(), Vec::new());
    for _instance in 0..options.instances {
        let mut ferry = Contestant::start(ferry(cell, &vdevs, buffers, options)?, Dialect::Ferry)?;
        let mut testpmd = Contestant::start(testpmd(&vdevs, buffers, options.core), Dialect::Testpmd)?;
        for _slice in 0..options.slices {
            let ours = rate(&mut ferry)?;
            let mac = rate(&mut testpmd)?;
            testpmd.set_mode("io")?;
            let io = rate(&mut testpmd)?;
            testpmd.set_mode("mac")?;
            slices.push([ours, mac, io]);
            added.push(hertz / ours - hertz / mac);
        }
    }
    let ratios = || slices.iter().map(|[ours, mac, _io]| ours / mac).collect();
    let cycles = |n: usize| hertz / quantile(slices.iter().map(|slice| slice[n]).collect(), 0.5);
    Ok(Beside {
        cell,
        ratio: quantile(ratios(), 0.5),
        ratio_low: quantile(ratios(), 0.1),
        ratio_high: quantile(ratios(), 0.9),
        ratio_io: quantile(slices.iter().map(|[ours, _mac, io]| ours / io).collect(), 0.5),
        added: quantile(added, 0.5),
        ferry: cycles(0),
        mac: cycles(1),
        io: cycles(2),
    })
}

/// Two vdevs, what they replay written into `folder`, and how many buffers that takes.
fn vdevs(cell: Cell, routes: &Routes, folder: &Path) -> Result<([String; 2], u32), String> {
    if cell.source == Source::Null {
        return Ok(([0, 1].map(|port| format!("net_null{port},copy=1")), SPARE));
    }
    let packets = traffic::packets(cell, routes);
    // Few packets go to both ports, many are shared between them.
    let half = if packets.len() > 64 { packets.len() / 2 } else { packets.len() };
    let shares = [&packets[..half], &packets[packets.len() - half..]];
    for (port, share) in shares.into_iter().enumerate() {
        traffic::write(&folder.join(format!("{port}.pcap")), share)?;
    }
    let vdevs = [0, 1].map(|port| format!("net_pcap{port},rx_pcap={}/{port}.pcap,infinite_rx=1", folder.display()));
    let held = u32::try_from(2 * half).map_err(|_too_many| "a capture is too long".to_owned())?;
    Ok((vdevs, held + SPARE))
}

/// This program again, as a worker.
fn ferry(cell: Cell, vdevs: &[String], buffers: u32, options: &Options) -> Result<Command, String> {
    let this = std::env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
    let mut command = Command::new(this);
    command.arg("worker").args(["--core", &options.core.to_string(), "--buffers", &buffers.to_string()]);
    for vdev in vdevs {
        command.args(["--vdev", vdev]);
    }
    if cell.source == Source::Null {
        command.arg("--received");
    }
    if cell.routes == Which::Full {
        command.arg("--full");
        if let Some(path) = &options.routes {
            command.arg("--routes").arg(path);
        }
    }
    Ok(command)
}

/// testpmd with its commands on another core, and as many buffers.
fn testpmd(vdevs: &[String], buffers: u32, core: usize) -> Command {
    let commands = usize::from(core == 0);
    let mut command = Command::new("stdbuf");
    command.args(["-oL", "dpdk-testpmd", "--lcores", &format!("0@{commands},1@{core}"), "--no-pci", "--no-telemetry"]);
    match large_pages_are_free() {
        true => command.arg("--in-memory"),
        false => command.args(["--no-huge", "-m", "2048", &format!("--file-prefix=bench{}", std::process::id())]),
    };
    for vdev in vdevs {
        command.args(["--vdev", vdev]);
    }
    let mbufs = format!("--total-num-mbufs={buffers}");
    command.args(["--", "-i", "--no-flush-rx", "--no-mlockall", &mbufs]);
    if buffers > MANY {
        command.arg(format!("--mbuf-size={}", HEADROOM + SMALL));
    }
    command
}

/// More buffers than this are small ones, or there would not be memory for them.
pub(crate) const MANY: u32 = 262_144;

/// How long a frame fits a small buffer, in bytes. The same for both: a source whose buffers lie further apart is slower.
pub(crate) const SMALL: u16 = 128;

/// What DPDK leaves before a frame, which testpmd counts with it.
const HEADROOM: u16 = 128;

/// Buffers beside those of a capture.
const SPARE: u32 = 16_384;

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
const SLICE: Duration = Duration::from_millis(400);

pub(crate) fn large_pages_are_free() -> bool {
    let free = "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages";
    std::fs::read_to_string(free).is_ok_and(|pages| pages.trim().parse().is_ok_and(|pages: u32| pages >= 256))
}

/// How fast the time stamp counter runs, measured against the clock.
pub(crate) fn hertz() -> f64 {
    let (started, before) = (Instant::now(), dpdk::cycles());
    sleep(Duration::from_millis(200));
    let (elapsed, cycles) = (started.elapsed(), dpdk::cycles() - before);
    #[expect(clippy::cast_precision_loss, reason = "a fifth of a second has far fewer than 2^52 cycles")]
    let cycles = cycles as f64;
    cycles / elapsed.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::forward::matrix;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    fn arguments(command: &Command) -> Vec<String> {
        command.get_args().map(|argument| argument.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn both_forward_between_the_same_ports_with_as_many_buffers() {
        let folder = tempfile::tempdir().unwrap();
        let none = Routes { v4: Vec::new(), v6: Vec::new() };
        let cell = matrix::chosen("pcap,one-route,1,64,ipv4").unwrap()[0];
        let (vdevs, buffers) = vdevs(cell, &none, folder.path()).unwrap();
        assert_eq!(buffers, 2 * 32 + SPARE, "a capture is held once for each port");
        let options = Line::parse_from(["forward", "--core", "1"]).options;
        let ours = arguments(&ferry(cell, &vdevs, buffers, &options).unwrap());
        let theirs = arguments(&testpmd(&vdevs, buffers, options.core));
        for vdev in &vdevs {
            assert!(ours.contains(vdev) && theirs.contains(vdev), "{vdev}");
        }
        let after = |word: &str| ours[ours.iter().position(|argument| argument == word).unwrap() + 1].clone();
        assert_eq!([after("--core"), after("--buffers")], ["1".to_owned(), buffers.to_string()]);
        assert!(theirs.contains(&format!("--total-num-mbufs={buffers}")) && theirs.contains(&"0@0,1@1".to_owned()));
    }

    #[test]
    fn what_ferry_drops_counts_only_where_no_frame_is_a_packet() {
        let options = Line::parse_from(["forward"]).options;
        for (words, counts) in [("pcap,one-route,1,64,ipv4", false), ("null", true)] {
            let cell = matrix::chosen(words).unwrap()[0];
            let ours = arguments(&ferry(cell, &[], SPARE, &options).unwrap());
            assert_eq!(ours.contains(&"--received".to_owned()), counts, "{words}");
        }
    }

    #[test]
    fn many_packets_are_shared_between_the_ports_and_few_come_from_both() {
        let none = Routes { v4: Vec::new(), v6: Vec::new() };
        for (words, each) in [("pcap,one-route,1,64,ipv4", 32), ("pcap,one-route,10k,64,ipv4", 5000)] {
            let folder = tempfile::tempdir().unwrap();
            vdevs(matrix::chosen(words).unwrap()[0], &none, folder.path()).unwrap();
            for port in 0..2 {
                let mut capture = pcaps::Capture::open(folder.path().join(format!("{port}.pcap"))).unwrap();
                let mut packets = 0;
                while capture.next_packet().unwrap().is_some() {
                    packets += 1;
                }
                assert_eq!(packets, each, "{words}");
            }
        }
    }
}
