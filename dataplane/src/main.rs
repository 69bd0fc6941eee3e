//! `ferryd`: the forwarder. Starts everything in the order it depends on each other, and stops it in reverse.

mod ports;
mod workers;

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use boundary::{ForwardingState, RingSizes, Totals};
use clap::Parser;
use control::config::{Config, ConfigError};
use control::server::{Server, ServerError};
use control::thread::ControlThread;
use control::{Control, Setup, Timestamp};
use packet::ethernet;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tracing::info;

use crate::ports::{Ports, start_eal};
use crate::workers::Workers;

/// Forwards IPv4 and IPv6 packets between DPDK ports.
#[derive(Debug, Parser)]
#[command(name = "ferryd", version)]
struct Args {
    /// The configuration: ports, routes, neighbours, workers.
    #[arg(short, long, value_name = "FILE", default_value = "/etc/ferry/ferry.toml")]
    config: PathBuf,
    /// Only says whether the configuration is valid, and where it is not.
    #[arg(long)]
    check: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .without_time()
        .init();
    let outcome = match args.check {
        true => {
            Config::load(&args.config).map(|_valid| println!("{}: valid", args.config.display())).map_err(Into::into)
        }
        false => run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(StartError::Config(error)) => {
            eprint!("{}", error.report(io::stderr().is_terminal()));
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {}", Chain(&error));
            ExitCode::FAILURE
        }
    }
}

/// Starts everything, waits to be told to stop, and stops everything.
fn run(args: &Args) -> Result<(), StartError> {
    let config = Config::load(&args.config)?;
    // From here on a signal waits until it is asked for, so that whatever was started is also stopped.
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(StartError::Signals)?;

    let eal = start_eal(&config)?;
    let (ports, worker_ports) = Ports::start(&eal, &config)?;
    let state = ForwardingState::without_routes(ports.states.iter().copied());
    let sizes = RingSizes { frame_len: longest_frame(&config), ..RingSizes::default() };
    let (publisher, links, counters, ends) = boundary::connect(state, config.workers().len(), sizes);

    let epoch = Instant::now();
    let setup = Setup::new(&config, ports.states.iter().copied());
    let control = Control::new(setup, publisher, workers::shown(&config, &counters)?, Box::new(ports), Timestamp::ZERO);
    let (asked, requests) = crossbeam::channel::bounded(REQUESTS);
    let control = ControlThread::spawn(control, links, requests, epoch).map_err(StartError::Thread)?;
    let server = Server::start(config.socket(), asked)?;
    info!("listening on {}", config.socket().display());
    let workers = Workers::spawn(&eal, config.workers(), worker_ports, ends)?;
    info!("forwarding");

    let signal = signals.forever().next();
    info!("stopping on {}", signal.and_then(signal_hook::low_level::signal_name).unwrap_or("no signal"));
    server.stop();
    let _what_it_knew = control.stop();
    workers.stop();
    info!("{}", Summary(&Totals::of_all(&counters)));
    Ok(())
}

/// Requests that may wait for the control thread; whoever asks more waits to be heard.
const REQUESTS: usize = 128;

/// The longest frame a worker may have to hand over, in bytes, with room for the tags of two VLANs.
fn longest_frame(config: &Config) -> usize {
    let longest = config.ports().iter().map(|port| usize::from(port.mtu.bytes())).max().unwrap_or_default();
    (ethernet::HEADER_LEN + 8 + longest).max(RingSizes::default().frame_len)
}

/// Why ferryd did not start.
#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("port `{port}` has no device that DPDK knows")]
    DeviceName {
        port: String,
        #[source]
        error: dpdk::DeviceError,
    },
    #[error("port `{port}` cannot be made; DPDK has found {found}")]
    Device {
        port: String,
        #[source]
        error: Box<dpdk::EalError>,
        found: String,
    },
    #[error(transparent)]
    Eal(#[from] dpdk::EalError),
    #[error("no memory for packet buffers")]
    Mempool(#[from] dpdk::MempoolError),
    #[error("port `{name}` cannot be started")]
    Port {
        name: String,
        #[source]
        error: dpdk::PortError,
    },
    #[error("core {core} is not one that ferryd may run on; those are {allowed:?}. Change `core` of a [[worker]].")]
    Core { core: usize, allowed: Vec<usize> },
    #[error("the system does not say which cores ferryd may run on; name one with `core` in a [[worker]]")]
    NoCores,
    #[error("a worker thread ended before it forwarded anything")]
    WorkerDied,
    #[error("a thread cannot be started")]
    Thread(#[source] io::Error),
    #[error("signals cannot be waited for")]
    Signals(#[source] io::Error),
    #[error(transparent)]
    Server(#[from] ServerError),
}

/// An error with what it came from, in one line.
struct Chain<'a>(&'a dyn std::error::Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

/// What became of every packet.
struct Summary<'a>(&'a Totals);

impl std::fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let totals = self.0;
        write!(
            f,
            "received {} = transmitted {} + punted {} + dropped {}; originated {}",
            totals.received(),
            totals.transmitted(),
            totals.punted(),
            totals.dropped(),
            totals.originated(),
        )?;
        let lost = totals.drops().filter(|(_, packets)| *packets > 0);
        for (place, (reason, packets)) in lost.enumerate() {
            write!(f, "{} {} {packets}", if place == 0 { "; dropped for" } else { "," }, reason.name())?;
        }
        Ok(())
    }
}
