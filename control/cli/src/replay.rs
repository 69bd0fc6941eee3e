//! `ferry replay`: captures through the same worker and control plane that ferryd runs, offline.
//!
//! Ports are in memory and the clock is the captures': nothing waits, nothing needs DPDK or root, and the same input gives
//! the same bytes. Several captures are merged by their time stamps. A damaged one is replayed up to the damage.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use boundary::PortId;
use clap::Args;
use control::Timestamp;
use control::config::{Config, ConfigError};
use control_api::{ApiError, ErrorKind};
use pcaps::{Capture, CaptureError, CaptureWriter, LinkType, WriteError};
use pipeline::BURST;
use serde::Serialize;
use simulation::Simulation;

use crate::context::Context;
use crate::failure::Failure;

/// Arguments of `ferry replay`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The configuration, as ferryd reads it; its devices are not touched.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Lets a capture arrive at a port; once for each capture.
    #[arg(long = "input", value_name = "PORT=CAPTURE", required = true)]
    inputs: Vec<String>,
    /// Where `PORT.pcap` is written for each port; made if it is not there.
    #[arg(long, value_name = "DIR")]
    output: PathBuf,
    /// Gives every neighbour a MAC address instead of asking for it: in a capture, nobody answers.
    #[arg(long)]
    assume_neighbours: bool,
}

impl Options {
    /// Replays, and prints what became of the packets; also of those before a damage.
    pub(crate) fn run(&self, context: &Context) -> Result<(), Failure> {
        let (report, damage) = replay(self)?;
        context.say(&report, |_paint| report.to_string())?;
        if damage.is_empty() {
            return Ok(());
        }
        let damage: Vec<_> = damage.iter().map(ToString::to_string).collect();
        Err(Failure::from(ApiError::new(ErrorKind::Invalid, damage.join("; "))).after_an_answer())
    }
}

/// Replays everything; the damages that ended captures early come beside the report of what came before them.
fn replay(options: &Options) -> Result<(Report, Vec<ReplayError>), ReplayError> {
    let config = Config::load(&options.config)?;
    let mut sources = options.inputs.iter().map(|input| Source::open(input, &config)).collect::<Result<Vec<_>, _>>()?;
    let mut outputs = Outputs::create(&options.output, &config, &sources)?;
    let mut damage = Vec::new();
    for source in &mut sources {
        damage.extend(source.advance().err());
    }

    let started = Instant::now();
    let first =
        sources.iter().filter_map(|source| source.next.as_ref()).map(|next| next.time).min().unwrap_or_default();
    let mut simulation = Simulation::new(&config, options.assume_neighbours, first);
    while let Some(source) = earliest(&mut sources) {
        let port = source.port;
        let mut frames = Vec::new();
        let begins = source.next.as_ref().map_or(first, |next| next.time);
        let mut ends = begins;
        // What arrives at a port within a turn's time is one burst.
        while let Some(next) = source.next.take_if(|next| frames.len() < BURST && next.time.since(begins) <= TURN) {
            ends = ends.max(next.time);
            frames.push(next.bytes);
            damage.extend(source.advance().err());
        }
        simulation.advance(ends);
        outputs.write(&mut simulation)?;
        simulation.arrive(port, frames);
        outputs.write(&mut simulation)?;
    }
    // Whoever still waits for an answer gets none, and is told so.
    simulation.advance(simulation.now() + AFTERMATH);
    outputs.write(&mut simulation)?;
    outputs.finish()?;
    Ok((Report::new(&simulation, &config, started.elapsed()), damage))
}

/// The source whose next packet came first; of two that came together, the one named first.
fn earliest(sources: &mut [Source]) -> Option<&mut Source> {
    sources
        .iter_mut()
        .filter(|source| source.next.is_some())
        .min_by_key(|source| source.next.as_ref().map(|next| next.time))
}

/// A capture, and the port it arrives at.
struct Source {
    port: PortId,
    capture: Capture,
    /// Which file it is, by whatever name: device and inode.
    identity: Option<(u64, u64)>,
    next: Option<Arrival>,
}

/// A frame that is to arrive.
struct Arrival {
    time: Timestamp,
    bytes: Vec<u8>,
}

impl Source {
    /// Opens the capture of a `PORT=CAPTURE`.
    fn open(input: &str, config: &Config) -> Result<Self, ReplayError> {
        let Some((name, path)) = input.split_once('=') else {
            return Err(ReplayError::Input { given: input.to_owned() });
        };
        // What arrives at a VLAN arrives at the device it is on, with its tags.
        let devices = || config.devices().map(|(port, _device)| port.name.as_str());
        let port = config.port_named(name).filter(|_port| devices().any(|known| known == name));
        let port = port.ok_or_else(|| ReplayError::UnknownPort {
            name: name.to_owned(),
            known: devices().collect::<Vec<_>>().join(", "),
        })?;
        let capture = Capture::open(path)?;
        // One that cannot hold a frame at all is refused before anything is replayed.
        let types: Vec<_> = capture.link_types().collect();
        if let [other] = types[..]
            && other != LinkType::ETHERNET
        {
            return Err(ReplayError::LinkType { file: path.to_owned(), link_type: other });
        }
        Ok(Self { port, capture, identity: identity(Path::new(path)), next: None })
    }

    /// Reads the next frame; there is none after an error.
    fn advance(&mut self) -> Result<(), ReplayError> {
        self.next = None;
        let Some(packet) = self.capture.next_packet()? else { return Ok(()) };
        let link_type = packet.link_type;
        if link_type != LinkType::ETHERNET {
            return Err(ReplayError::LinkType { file: self.capture.name().to_owned(), link_type });
        }
        let nanos = u64::try_from(packet.timestamp.as_nanos()).unwrap_or(u64::MAX);
        self.next = Some(Arrival { time: Timestamp::from_nanos(nanos), bytes: packet.bytes.to_vec() });
        Ok(())
    }
}

/// Tells a file from every other; `None` for what is no file, such as a pipe.
fn identity(path: &Path) -> Option<(u64, u64)> {
    let found = fs::metadata(path).ok()?;
    found.is_file().then(|| (found.dev(), found.ino()))
}

/// A capture for each port.
struct Outputs(Vec<CaptureWriter<fs::File>>);

impl Outputs {
    /// Makes the captures; none of them in the place of one that is about to be read.
    fn create(folder: &Path, config: &Config, sources: &[Source]) -> Result<Self, ReplayError> {
        let made = fs::create_dir_all(folder);
        made.map_err(|error| ReplayError::Folder { folder: folder.display().to_string(), error })?;
        let paths = config.devices().map(|(port, _device)| folder.join(format!("{}.pcap", port.name)));
        let paths: Vec<_> = paths.collect();
        let is_read = |path: &&PathBuf| {
            identity(path).is_some_and(|found| sources.iter().any(|source| source.identity == Some(found)))
        };
        if let Some(path) = paths.iter().find(is_read) {
            return Err(ReplayError::Overwrites { file: path.display().to_string() });
        }
        Ok(Self(paths.iter().map(CaptureWriter::create).collect::<Result<_, _>>()?))
    }

    /// Writes what has left, as of now.
    fn write(&mut self, simulation: &mut Simulation) -> Result<(), ReplayError> {
        let now = Duration::from_nanos(simulation.now().as_nanos());
        for (port, frame) in simulation.take_sent() {
            let original_len = u32::try_from(frame.0.len()).unwrap_or(u32::MAX);
            self.0[port.index()].write(now, original_len, &frame.0)?;
        }
        Ok(())
    }

    fn finish(self) -> Result<(), ReplayError> {
        for writer in self.0 {
            writer.finish()?;
        }
        Ok(())
    }
}

/// What became of every packet.
#[derive(Debug, Serialize)]
struct Report {
    received: u64,
    transmitted: u64,
    punted: u64,
    /// Only the reasons that had a packet.
    dropped: BTreeMap<&'static str, u64>,
    /// Why packets went to the control plane.
    punts: BTreeMap<&'static str, u64>,
    /// Packets the control plane sent of its own.
    originated: u64,
    ports: BTreeMap<String, PortReport>,
    /// How fast it went, on this machine.
    packets_per_second: u64,
}

#[derive(Debug, Serialize)]
struct PortReport {
    rx_packets: u64,
    rx_bytes: u64,
    tx_packets: u64,
    tx_bytes: u64,
}

impl Report {
    fn new(simulation: &Simulation, config: &Config, elapsed: Duration) -> Self {
        let totals = simulation.totals();
        let ports = config.ports().iter().zip(totals.ports()).map(|(port, counted)| {
            let boundary::PortTotals { rx_packets, rx_bytes, tx_packets, tx_bytes } = counted;
            (port.name.clone(), PortReport { rx_packets, rx_bytes, tx_packets, tx_bytes })
        });
        let nanos = elapsed.as_nanos().max(1);
        Self {
            received: totals.received(),
            transmitted: totals.transmitted(),
            punted: totals.punted(),
            dropped: totals
                .drops()
                .filter(|(_, count)| *count > 0)
                .map(|(reason, count)| (reason.name(), count))
                .collect(),
            punts: totals
                .punts()
                .filter(|(_, count)| *count > 0)
                .map(|(reason, count)| (reason.name(), count))
                .collect(),
            originated: totals.originated(),
            ports: ports.collect(),
            packets_per_second: u64::try_from(u128::from(totals.received()) * 1_000_000_000 / nanos)
                .unwrap_or(u64::MAX),
        }
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let dropped: u64 = self.dropped.values().sum();
        writeln!(
            f,
            "received {} = transmitted {} + punted {} + dropped {dropped}; originated {}",
            self.received, self.transmitted, self.punted, self.originated
        )?;
        for (what, reasons) in [("punted", &self.punts), ("dropped", &self.dropped)] {
            for (reason, packets) in reasons {
                writeln!(f, "  {what} {packets:>8}  {reason}")?;
            }
        }
        for (name, port) in &self.ports {
            writeln!(f, "  port {name}: rx {} packets, tx {} packets", port.rx_packets, port.tx_packets)?;
        }
        writeln!(f, "{} packets per second", self.packets_per_second)
    }
}

/// Why a replay failed.
#[derive(Debug, thiserror::Error)]
enum ReplayError {
    #[error(transparent)]
    Config(#[from] Box<ConfigError>),
    #[error("`--input {given}` is not of the form PORT=CAPTURE")]
    Input { given: String },
    #[error("the configuration has no port `{name}`; it has {known}")]
    UnknownPort { name: String, known: String },
    #[error(transparent)]
    Capture(#[from] CaptureError),
    #[error(
        "`{file}` holds {link_type} packets; ferry forwards between Ethernet ports and replays Ethernet captures only"
    )]
    LinkType { file: String, link_type: LinkType },
    #[error("`{file}` is an input and would be overwritten by the output; choose another folder with --output")]
    Overwrites { file: String },
    #[error("cannot make the folder `{folder}`: {error}")]
    Folder { folder: String, error: std::io::Error },
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl From<ConfigError> for ReplayError {
    fn from(error: ConfigError) -> Self {
        Self::Config(Box::new(error))
    }
}

impl From<ReplayError> for Failure {
    fn from(error: ReplayError) -> Self {
        match &error {
            ReplayError::Config(config) => Self::of_a_config(config),
            ReplayError::Folder { .. } | ReplayError::Write(_) => Self::internal(error.to_string()),
            _what_was_given => Self::from(ApiError::new(ErrorKind::Invalid, error.to_string())),
        }
    }
}

/// How much of a capture's time is one burst: about what a worker takes for a turn.
const TURN: Duration = Duration::from_micros(50);

/// Longer than anybody waits for a neighbour.
const AFTERMATH: Duration = Duration::from_secs(10);
