//! `ferry-bench rfc2544`: throughput, latency, frame loss, back-to-back, recovery and reset (RFC 2544 section 26).
//!
//! Throughput is searched by MLRsearch ([`bench::mlrsearch`]), for no loss (NDR) and for half a percent (PDR), as FD.io's
//! CSIT does it. Where several devices under test are named, their trials take turns while the others are stopped: whatever
//! phase the machine is in, all see it, and ratios carry where absolute figures do not.

mod figures;
mod measure;
mod report;
mod target;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use dpdk::{Device, Eal, EalConfig};

pub(crate) use self::measure::loss_ratio;
use self::target::{Machine, Target};
use crate::cores::{self, Clearing};
use crate::dut::{Dut, Ends, Kind};
use crate::generate::{number, seconds};
use crate::generator::{Generator, Setup};
use crate::ports;
use crate::traffic::{self, Traffic};

/// Options of `ferry-bench rfc2544`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// What is measured, each started for it and linked over vhost; by turns, if there are several.
    #[arg(long = "dut", value_enum, default_values_t = [Kind::Ferry, Kind::Testpmd], conflicts_with = "ports", num_args = 1)]
    duts: Vec<Kind>,
    /// Two ports that something else connects, instead: DPDK devices, such as `0000:03:00.0`.
    #[arg(long = "port", value_name = "DEVICE", num_args = 1)]
    ports: Vec<Device>,
    /// Lengths of frames, each measured by itself; `imix` is one.
    #[arg(long, value_delimiter = ',', default_value = "64")]
    sizes: Vec<String>,
    #[command(flatten)]
    traffic: traffic::Options,
    /// Which measurements.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "throughput,latency,loss,back-to-back")]
    only: Vec<Measurement>,
    /// Multiplies how long trials are: 1, as for FD.io's CSIT, is a second each and 21 for a load to be believed, ten for
    /// latencies.
    #[arg(long, default_value = "0.1", value_parser = number)]
    scale: f64,
    /// How far apart the bounds of a rate may be when it is found, in percent of the upper one.
    #[arg(long, default_value = "0.5", value_parser = number)]
    width: f64,
    /// For how many seconds a device is offered too much before its recovery is measured.
    #[arg(long, default_value = "60", value_parser = seconds)]
    overload: f64,
    /// For how many seconds the load goes on while the device is started again.
    #[arg(long, default_value = "20", value_parser = seconds)]
    reset: f64,
    /// The highest rate to try, in packets a second over both ways; what the generator can offer if it is not given.
    #[arg(long, value_parser = number)]
    most: Option<f64>,
    #[command(flatten)]
    generator: ports::Options,
    /// The core that each device under test forwards on.
    #[arg(long, default_value_t = 0)]
    dut_core: usize,
    /// Whose ends of the links are vhost; the others are virtio_user.
    #[arg(long, value_enum, default_value_t = Ends::DeviceVhost)]
    ends: Ends,
    #[command(flatten)]
    clearing: Clearing,
    /// How often a trial is made again that lost packets while the machine kept somebody from a core.
    #[arg(long, value_name = "TIMES", default_value_t = 4)]
    again: u32,
    /// The ferryd to start, if not the one that was built with this program.
    #[arg(long, value_name = "FILE")]
    ferryd: Option<PathBuf>,
    /// Draws latencies and loss into this folder.
    #[arg(long, value_name = "DIR")]
    plot: Option<PathBuf>,
    /// Prints JSON instead of tables.
    #[arg(long)]
    json: bool,
}

/// A measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Measurement {
    /// The highest rates without loss, and with little (26.1).
    Throughput,
    /// At tenth, half and nine tenths of the former (26.2).
    Latency,
    /// From the highest rate on downwards (26.3).
    Loss,
    /// The longest burst without loss at the highest rate (26.4).
    BackToBack,
    /// How long packets are lost after too many (26.5).
    Recovery,
    /// How long none come out when the device is started again (26.6); over links with `--ends generator-vhost`.
    Reset,
}

/// Measures, and prints tables or JSON.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    if options.wants(Measurement::Reset) && options.ports.is_empty() && options.ends != Ends::GeneratorVhost {
        return Err(
            "a device is started again under a load only with --ends generator-vhost: another link may end this \
                    program with it"
                .to_owned(),
        );
    }
    let mut targets = targets(options)?;
    let (mut cleared, mut findings) = (None, Vec::new());
    for size in &options.sizes {
        let traffic = Traffic::new(&options.traffic, size)?;
        for target in &mut targets {
            target.open(&traffic, options)?;
        }
        // Not before packets come through: who still starts has yet to take the core.
        if cleared.is_none() {
            cleared = Some(options.clearing.of(options.dut_core, options.ports.is_empty())?);
        }
        findings.extend(measure::measure(&mut targets, size, &traffic, options)?);
    }
    if let Some(folder) = &options.plot {
        report::draw(folder, &findings)?;
    }
    report::print(&findings, options.json).map_err(|error| error.to_string())
}

/// Starts the devices and their links.
fn targets(options: &Options) -> Result<Vec<Target>, String> {
    let longest = options.sizes.iter().map(|size| Ok(Traffic::new(&options.traffic, size)?.longest_frame()));
    let longest_frame = longest.collect::<Result<Vec<_>, String>>()?.into_iter().max().unwrap_or(0);
    // A device that starts does so beside the generator, and would have next to nothing of a core that is the generator's first.
    let goes_first = !options.wants(Measurement::Reset);
    let setup = Setup { goes_first, ..options.generator.setup(longest_frame) };
    if !options.ports.is_empty() {
        let generator = ports::start(&options.ports, &setup)?;
        let name = options.ports.iter().map(Device::to_string).collect::<Vec<_>>().join(" to ");
        let (routers, machine) = (options.generator.routers(), Machine::default());
        return Ok(vec![Target { name, dut: None, generator, routers, machine }]);
    }
    let count = u32::try_from(options.duts.len()).unwrap_or(u32::MAX);
    let memory_mib = Generator::memory_mib(&setup).saturating_mul(count);
    let cpus = cores::all_but(options.dut_core);
    let eal = Eal::start(&EalConfig { memory_mib, cpus, ..EalConfig::default() }).map_err(|error| error.to_string())?;
    let started = options.duts.iter().enumerate().map(|(place, kind)| {
        let mut dut = Dut::new(*kind, options.dut_core, options.ends, options.ferryd.as_deref())?;
        let generator = Generator::linked(&eal, &mut dut, place, &setup)?;
        let routers = dut.routers();
        dut.pause();
        let (name, machine) = (kind.name().to_owned(), Machine::default());
        Ok(Target { name, dut: Some(dut), generator, routers, machine })
    });
    let started = started.collect::<Result<_, String>>()?;
    // Not before: what is started inherits where it may run.
    cores::keep_off(options.dut_core);
    Ok(started)
}

impl Options {
    fn wants(&self, measurement: Measurement) -> bool {
        self.only.contains(&measurement)
    }
}
