//! `ferry-bench replay`: captures into a running ferryd, and whether it does with each packet what the model says.
//!
//! The model is that of `ferry replay`: the worker and the control plane that ferryd runs, in memory, by the capture's clock.
//! Both run by one configuration ([`plan`]). What comes out of ferryd's ports is held against what the model lets leave, frame
//! by frame ([`compare`]), and ferryd's counters against the model's, reason by reason. Each packet that the model drops or
//! punts in silence is so seen twice: nothing came out, and one more was counted for that reason.
//!
//! What hangs on time is told apart. What neighbours say to each other is not compared. How many ICMP messages may leave hangs
//! on the pace: where either side has held some back, the answers may differ, and do not count against ferryd. Fragments to be
//! reassembled and neighbours to be found take the capture's time in the model, and so may differ at another pace than its own.

mod compare;
mod live;
mod model;
mod plan;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use boundary::PortId;
use clap::Args;
use control::Timestamp;
use control::config::Config;
use control_api::Stats;
use dpdk::Device;
use packet::ethernet::{EtherType, Header};
use pcaps::{Capture, LinkType};
use serde::Serialize;

use self::compare::{Compared, Counted};
pub(crate) use self::live::Speed;
use self::live::{FRAME_ROOM, Live, Sent};
use self::model::Model;
use self::plan::{PLAIN, Settled};
use crate::dut::beside_this;
use crate::picture;
use crate::progress::Progress;

/// Options of `ferry-bench replay`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Lets a capture arrive at a port; once for each capture.
    #[arg(long = "input", value_name = "PORT=CAPTURE", required = true)]
    inputs: Vec<String>,
    /// The configuration that both run by. Without one: the ports `left` and `right`, and a default route to the right.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How fast: 1 as the capture was taken, 10 ten times as fast, `max` as fast as ferryd takes it.
    #[arg(long, default_value = "1", value_parser = speed)]
    speed: Speed,
    /// Gives every gateway and every host on a link that packets go to a station, instead of letting ferryd ask for it.
    #[arg(long)]
    assume_neighbours: bool,
    /// Only the first so many packets.
    #[arg(long, value_name = "PACKETS")]
    most: Option<usize>,
    /// A link to a port of a ferryd that runs already, by the same configuration; once for each port with a device, in its
    /// order. Without any, a ferryd is started.
    #[arg(long = "link", value_name = "DEVICE", requires_all = ["config", "socket"])]
    links: Vec<Device>,
    /// Where that ferryd listens.
    #[arg(long, value_name = "PATH", requires = "links")]
    socket: Option<PathBuf>,
    /// The core that the thread has which sends and receives.
    #[arg(long, default_value_t = 1)]
    core: usize,
    /// The core that ferryd's worker has.
    #[arg(long, default_value_t = 0)]
    dut_core: usize,
    /// How many seconds ferryd may take until it is there.
    #[arg(long, default_value_t = 30)]
    patience: u64,
    /// The ferryd to start, if not the one that was built with this program.
    #[arg(long, value_name = "FILE")]
    ferryd: Option<PathBuf>,
    /// Draws what was offered and what came out into this folder.
    #[arg(long, value_name = "DIR")]
    plot: Option<PathBuf>,
    /// Prints one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

/// A frame that is to arrive at a port.
#[derive(Debug, Clone)]
struct Arrival {
    time: Timestamp,
    port: PortId,
    bytes: Vec<u8>,
}

/// What came of it.
#[derive(Debug, Serialize)]
struct Report {
    packets: usize,
    /// Frames of the capture that no port carries, and that neither side was given.
    left_out: usize,
    seconds: f64,
    packets_per_second: f64,
    /// The furthest that a packet left later than it was due.
    latest_us: f64,
    #[serde(flatten)]
    compared: Compared,
    /// Frames that neighbours say to each other; not compared.
    talk: u64,
    dropped: BTreeMap<String, Beside>,
    punted: BTreeMap<String, Beside>,
    /// Answers held back because there were too many: where there are any, answers may differ.
    limited: Beside,
    /// Whether ferryd did with every packet what the model says.
    agrees: bool,
}

/// A number of the model, and ferryd's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
struct Beside {
    model: u64,
    ferryd: u64,
}

impl Beside {
    fn agrees(self) -> bool {
        self.model == self.ferryd
    }
}

/// Runs it.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let (name, text) = match &options.config {
        None => ("the plain router".to_owned(), PLAIN.to_owned()),
        Some(path) => {
            let text =
                std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()));
            (path.display().to_string(), text?)
        }
    };
    let asked = Config::parse(&name, &text).map_err(|error| error.report(false))?;
    let (arrivals, left_out) = read(&options.inputs, &asked, options.most)?;
    let made_up = options.assume_neighbours.then_some(&arrivals[..]);
    let settled = Settled::new(&name, &text, options.dut_core, made_up)?;
    let model = Model::of(&settled.config, &arrivals);
    let mut live = match &options.socket {
        Some(socket) => Live::beside(options.links.clone(), socket.clone(), options.core)?,
        None => {
            let ferryd = options.ferryd.clone().map_or_else(|| beside_this("ferryd"), Ok)?;
            Live::start(&settled, &ferryd, options.core)?
        }
    };
    live.open(Duration::from_secs(options.patience))?;
    let before = live.stats()?;
    let progress = Progress::new("replaying", time_of(&arrivals, options.speed));
    let sent = live.send(&arrivals, options.speed, model.leaving.len(), &progress)?;
    drop(progress);
    let after = live.stats()?;
    if let Some(folder) = &options.plot {
        plot(folder, &sent)?;
    }
    let port = |port: PortId| settled.ports.get(port.index()).cloned().unwrap_or_default();
    let report = Report::new(&model, sent, [&before, &after], arrivals.len(), left_out, port);
    print(&report, options.json).map_err(|error| error.to_string())?;
    if report.agrees { Ok(()) } else { Err("ferryd did otherwise than the model says".to_owned()) }
}

/// All frames in the order of their times, and how many no port carries.
fn read(inputs: &[String], config: &Config, most: Option<usize>) -> Result<(Vec<Arrival>, usize), String> {
    let (mut arrivals, mut left_out) = (Vec::new(), 0);
    for input in inputs {
        let (name, path) =
            input.split_once('=').ok_or_else(|| format!("`--input {input}` is not of the form PORT=CAPTURE"))?;
        let devices: Vec<_> = config.devices().map(|(port, _device)| port.name.as_str()).collect();
        let port = config.port_named(name).filter(|_| devices.contains(&name));
        let port =
            port.ok_or_else(|| format!("there is no port `{name}` with a device; there are: {}", devices.join(", ")))?;
        let longest = usize::from(config.port(port).mtu.bytes()) + HEADERS;
        let mut capture = Capture::open(path).map_err(|error| error.to_string())?;
        while let Some(packet) = capture.next_packet().map_err(|error| error.to_string())? {
            if packet.link_type != LinkType::ETHERNET {
                return Err(format!("`{path}` holds {} packets, and ports are Ethernet", packet.link_type));
            }
            if !(HEADER..=longest.min(FRAME_ROOM.into())).contains(&packet.bytes.len()) {
                left_out += 1;
                continue;
            }
            let nanos = u64::try_from(packet.timestamp.as_nanos()).unwrap_or(u64::MAX);
            arrivals.push(Arrival { time: Timestamp::from_nanos(nanos), port, bytes: packet.bytes.to_vec() });
        }
    }
    // Those of one time stay in the order in which they were read.
    arrivals.sort_by_key(|arrival| arrival.time);
    arrivals.truncate(most.unwrap_or(usize::MAX));
    if arrivals.is_empty() {
        return Err("there is no packet to replay".to_owned());
    }
    Ok((arrivals, left_out))
}

fn time_of(arrivals: &[Arrival], speed: Speed) -> Duration {
    match (arrivals.first(), arrivals.last(), speed) {
        (Some(first), Some(last), Speed::Times(times)) => last.time.since(first.time).div_f64(times),
        _ => Duration::ZERO,
    }
}

/// Whether neighbours say this to each other of their own accord: questions for stations, announcements, advertisements.
/// When they do hangs on clocks, and what they say on what was said before.
fn is_talk(frame: &[u8]) -> bool {
    let Some((header, payload)) = Header::parse(frame) else { return false };
    match header.ether_type {
        EtherType::ARP => payload.get(7) == Some(&1),
        EtherType::IPV6 => {
            let kind = payload.get(40);
            let is_icmp = payload.get(6) == Some(&58) && payload.get(7) == Some(&255);
            is_icmp && (matches!(kind, Some(134 | 135)) || (kind == Some(&136) && header.destination.is_multicast()))
        }
        _other => false,
    }
}

impl Report {
    fn new(
        model: &Model,
        sent: Sent,
        [before, after]: [&Stats; 2],
        packets: usize,
        left_out: usize,
        port: impl Fn(PortId) -> String,
    ) -> Self {
        let dropped = beside(&model.dropped, &before.total.dropped, &after.total.dropped);
        let punted = beside(&model.punted, &before.total.punted, &after.total.punted);
        let held_back = |stats: &Stats| stats.control.get("icmp_limited").copied().unwrap_or(0);
        let limited = Beside { model: model.limited, ferryd: held_back(after) - held_back(before) };
        let compared = Compared::new(model, sent.seen, port);
        let is_done = |counted: Counted| counted.said == counted.done;
        let answers_count = limited == Beside::default();
        let agrees = is_done(compared.forwarded)
            && (!answers_count || (is_done(compared.answers) && compared.unexpected == 0))
            && dropped.values().chain(punted.values()).all(|beside| beside.agrees());
        #[expect(clippy::cast_precision_loss, reason = "packets of a capture are far below 2^52")]
        let packets_per_second = packets as f64 / sent.seconds.max(1e-9);
        Self {
            packets,
            left_out,
            seconds: sent.seconds,
            packets_per_second,
            latest_us: sent.latest.as_secs_f64() * 1e6,
            compared,
            talk: sent.talk,
            dropped,
            punted,
            limited,
            agrees,
        }
    }
}

/// What each side counted, of all reasons that either did.
fn beside(
    model: &BTreeMap<String, u64>,
    before: &BTreeMap<String, u64>,
    after: &BTreeMap<String, u64>,
) -> BTreeMap<String, Beside> {
    let of = |counts: &BTreeMap<String, u64>, reason: &String| counts.get(reason).copied().unwrap_or(0);
    let reasons: BTreeSet<_> = model.keys().chain(after.keys()).collect();
    let sides = reasons.into_iter().map(|reason| {
        let ferryd = of(after, reason) - of(before, reason);
        (reason.clone(), Beside { model: of(model, reason), ferryd })
    });
    sides.filter(|(_, beside)| *beside != Beside::default()).collect()
}

fn print(report: &Report, json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if json {
        return writeln!(out, "{}", serde_json::to_string_pretty(report).map_err(io::Error::other)?);
    }
    let Report { packets, seconds, packets_per_second, compared, limited, .. } = report;
    writeln!(out, "{packets} packets in {seconds:.3} s: {packets_per_second:.0} a second")?;
    if report.latest_us > 1000.0 {
        writeln!(out, "the latest left {:.1} ms after it was due: others had the core", report.latest_us / 1000.0)?;
    }
    if report.left_out > 0 {
        writeln!(
            out,
            "{} frames of the captures are longer or shorter than the ports carry, and left out",
            report.left_out
        )?;
    }
    writeln!(out, "{:<28} {:>10} {:>10} {:>10} {:>10}", "frames", "said", "as said", "differs", "lost")?;
    for (what, Counted { said, done, differs, lost }) in
        [("forwarded", compared.forwarded), ("answers of ferryd's own", compared.answers)]
    {
        writeln!(out, "{what:<28} {said:>10} {done:>10} {differs:>10} {lost:>10}")?;
    }
    writeln!(out, "{:<28} {:>10} {:>10}", "not expected", "", compared.unexpected)?;
    writeln!(out, "{:<28} {:>10} {:>10}", "packets, by reason", "model", "ferryd")?;
    for (verdict, reasons) in [("dropped", &report.dropped), ("punted", &report.punted)] {
        for (reason, beside) in reasons {
            let mark = if beside.agrees() { "" } else { "  differs" };
            writeln!(out, "{:<28} {:>10} {:>10}{mark}", format!("{verdict} {reason}"), beside.model, beside.ferryd)?;
        }
    }
    if *limited != Beside::default() {
        let Beside { model, ferryd } = limited;
        writeln!(
            out,
            "ICMP messages held back: {model} by the model, {ferryd} by ferryd; which ones hangs on the pace, so"
        )?;
        writeln!(out, "answers may differ, and do not count")?;
    }
    for example in &compared.examples {
        writeln!(out, "  {example}")?;
    }
    writeln!(out, "{}", if report.agrees { "ferryd did what the model says" } else { "ferryd did otherwise" })
}

/// What was offered and what came out, over the packets of the capture.
fn plot(folder: &std::path::Path, sent: &Sent) -> Result<(), String> {
    #[expect(clippy::cast_precision_loss, reason = "packets of a capture are far below 2^52")]
    let points = |counts: &[u64]| {
        let part = 100.0 / counts.len().max(1) as f64;
        let points =
            counts.iter().enumerate().map(|(place, count)| ((place + 1) as f64 * part, (*count as f64).max(0.1)));
        points.collect::<Vec<_>>()
    };
    let lines = [("offered", points(&sent.offered)), ("came out", points(&sent.came))];
    picture::draw(folder, "replay", "frames, over the capture", ["percent of the capture's packets", "frames"], &lines)
}

/// Reads 1, 0.5, 10 or `max`.
fn speed(text: &str) -> Result<Speed, String> {
    match text.parse::<f64>() {
        _ if text == "max" => Ok(Speed::Most),
        Ok(times) if (1e-3..=1e6).contains(&times) => Ok(Speed::Times(times)),
        _ => Err(format!("`{text}` is no speed: write a number from 0.001 to 1000000, or `max`")),
    }
}

/// Longer than anybody waits for a neighbour.
const AFTERMATH: Duration = Duration::from_secs(10);

/// An Ethernet header; and with two tags.
const HEADER: usize = 14;
const HEADERS: usize = HEADER + 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_is_a_multiple_or_the_most() {
        assert_eq!(speed("10"), Ok(Speed::Times(10.0)));
        assert_eq!(speed("max"), Ok(Speed::Most));
        assert!(["", "0", "-1", "inf", "fast"].iter().all(|text| speed(text).is_err()));
    }

    #[test]
    fn every_reason_that_either_side_counted_is_told() {
        let counts = |counts: &[(&str, u64)]| counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        let told = beside(
            &counts(&[("a", 2)]),
            &counts(&[("a", 5), ("b", 1), ("c", 9)]),
            &counts(&[("a", 7), ("b", 2), ("c", 9)]),
        );
        let expected = [("a", Beside { model: 2, ferryd: 2 }), ("b", Beside { model: 0, ferryd: 1 })];
        assert_eq!(told, expected.into_iter().map(|(name, beside)| (name.to_owned(), beside)).collect());
    }
}
