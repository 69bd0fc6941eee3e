//! `ferryd`: the forwarder. Starts everything in the order it depends on each other, and stops it in reverse.

mod carrier;
mod cores;
mod end;
mod keep;
mod packaging;
mod pools;
mod ports;
mod queues;
mod taps;
mod workers;

use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, IsTerminal, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Instant, UNIX_EPOCH};

use boundary::{ForwardingState, RingSizes, Totals};
use clap::Parser;
use clap_complete::Shell;
use control::config::{Config, ConfigError};
use control::fpm::{Listener, ListenerError};
use control::server::{Asked, Server, ServerError};
use control::thread::ControlThread;
use control::{Control, Kernel, Setup, Timestamp};
use crossbeam::channel::Sender;
use tracing::{error, info, warn};

use crate::end::{Call, End};
use crate::keep::Shelf;
use crate::pools::frame_room;
use crate::ports::{Ports, Started, start_eal};
use crate::taps::{TapError, Taps};
use crate::workers::{Workers, crews};

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
    /// Prints this command's man page, and does nothing else.
    #[arg(long, exclusive = true)]
    man: bool,
    /// Prints what a shell needs to complete this command's options, and does nothing else.
    #[arg(long, value_name = "SHELL", exclusive = true)]
    completion: Option<Shell>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .without_time()
        // A log that takes no more, on a full disk or a closed pipe, must not end the forwarding.
        .log_internal_errors(false)
        .init();
    let outcome = match args {
        Args { man: true, .. } => packaging::print_man().map_err(StartError::Answer),
        Args { completion: Some(shell), .. } => packaging::print_completion(shell).map_err(StartError::Answer),
        Args { check: true, config, .. } => check(&config),
        Args { config, .. } => run(&config),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Whoever cannot be told has the exit code.
            let _unheard = io::stderr().write_all(error.report().as_bytes());
            ExitCode::FAILURE
        }
    }
}

/// Says that the configuration is valid, or why it is not.
fn check(path: &Path) -> Result<(), StartError> {
    let valid = Config::load(path)?;
    for remark in valid.remarks() {
        let _unheard = writeln!(io::stderr(), "warning: {remark}");
    }
    answer(format!("{}: valid\n", path.display()).as_bytes()).map_err(StartError::Answer)
}

/// Prints what was asked for; a reader that has seen enough is no failure.
fn answer(text: &[u8]) -> io::Result<()> {
    match io::stdout().write_all(text) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Starts everything, waits to be told to stop, and stops everything.
fn run(path: &Path) -> Result<(), StartError> {
    let config = Config::load(path)?;
    config.remarks().for_each(|remark| warn!("{remark}"));
    // Whoever names it later need not stand where we do.
    let path = std::path::absolute(path).unwrap_or_else(|_error| path.to_owned());
    // From here on a signal waits until it is asked for, so that whatever was started is also stopped.
    let mut end = End::of_signals().map_err(StartError::Signals)?;
    let cores = cores::of_workers(config.workers())?;
    let other_cores = cores::without(&cores);
    cores::move_to(&other_cores);

    // First of all: whoever has the socket already has the devices, too, and must not be disturbed on them.
    let (asked, requests) = crossbeam::channel::bounded(REQUESTS);
    let server = Server::start(config.socket(), &path, asked.clone())?;
    info!("listening on {}", config.socket().display());
    let eal = start_eal(&config, other_cores)?;
    let nodes: Vec<_> = cores.iter().map(|core| cores::node_of(core.id)).collect();
    let Started { ports, of_workers, queues, owners } = Ports::start(&eal, &config, &nodes)?;
    let state =
        ForwardingState::without_routes(ports.states.iter().copied()).with_filters(config.filters().iter().cloned());
    let sizes = RingSizes { frame_len: usize::from(frame_room(&config)), ..RingSizes::default() };
    let (publisher, links, counters, ends) = boundary::connect_queues(state, &queues, config.workers().len(), sizes);
    let (queue_map, desks) = workers::desks(&owners, &queues, config.workers().len());

    let epoch = Instant::now();
    let taps = Taps::start(&config, &ports.states).map_err(|(port, error)| StartError::Tap { port, error })?;
    let kernel = taps.map(|taps| Box::new(taps) as Box<dyn Kernel>);
    // Routers in a row that divided flows alike would leave the second nothing to divide.
    let multipath = config.routing().multipath(RandomState::new().hash_one(epoch));
    let queues = control::Queues::new(queue_map, queues);
    let setup = Setup { kernel, multipath, queues, ..Setup::new(&config, ports.states.iter().copied()) };
    let mut control =
        Control::new(setup, publisher, workers::shown(&cores, &counters), Box::new(ports), Timestamp::ZERO);
    // A clock before 1970 is not set; routes then expire by it as it is.
    // Held to the end: a daemon is heard for as long as there is somebody to hear it.
    let daemon = config.fpm().map(|fpm| Listener::start(fpm.listen, fpm.netns.as_deref())).transpose()?;
    let _listener = daemon.map(|(listener, feed)| {
        info!("listening for a routing daemon at {}", listener.address());
        control.listen_to_daemon(feed);
        listener
    });
    let kept = config.fpm().and_then(|fpm| fpm.snapshot.as_deref());
    let shelf = kept.map(|path| Shelf::open(path, &mut control)).transpose().map_err(StartError::Thread)?;
    control.set_wall_clock(Box::new(|_now| UNIX_EPOCH.elapsed().unwrap_or_default()));
    let alarm = end.alarm();
    let control = ControlThread::spawn(control, links, requests, epoch, alarm.clone()).map_err(StartError::Thread)?;
    let crews = crews(&cores, config.workers(), of_workers, ends, desks);
    let workers = Workers::spawn(&eal, crews, &alarm)?;
    info!("forwarding");

    loop {
        match end.wait() {
            Call::Reload => reload(&path, &asked),
            Call::Stop(signal) => break info!("stopping on {signal}"),
            Call::Alarm => break error!("stopping, because a thread has panicked"),
        }
    }
    server.stop();
    let control = control.stop().map(|mut control| {
        // Workers go on meanwhile.
        control.save_daemon_s_routes();
        control
    });
    let workers = workers.stop();
    shelf.into_iter().for_each(Shelf::close);
    info!("{}", Summary(&Totals::of_all(&counters)));
    control.map_or_else(|| Err(StartError::Panicked { thread: "the control thread".to_owned() }), |_| workers)
}

/// Runs by the configuration as it is in the file now, or as before, if anything is wrong with it.
fn reload(path: &Path, control: &Sender<Asked>) {
    match control::server::reload(control, path) {
        Ok(told) if told.changes.is_empty() => info!("{}: nothing has changed", told.file),
        Ok(told) => {
            for control_api::ConfigChange { what, old, new } in told.changes {
                let side = |side: Option<String>| side.unwrap_or_else(|| "-".to_owned());
                info!("{what}: {} -> {}", side(old), side(new));
            }
        }
        Err(refused) => {
            warn!("running on as before: {}", refused.picture.as_ref().unwrap_or(&refused.message));
            if let Some(hint) = refused.hint {
                warn!("help: {hint}");
            }
        }
    }
}

/// Requests that may wait for the control thread; whoever asks more waits to be heard.
const REQUESTS: usize = 128;

/// Why ferryd did not start, or did not end well.
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
    #[error("port `{port}` cannot be made")]
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
    #[error("port `{port}` cannot have its interface of the kernel")]
    Tap {
        port: String,
        #[source]
        error: TapError,
    },
    #[error("core {core} is not one that ferryd may run on; those are {allowed:?}")]
    Core { core: usize, allowed: Vec<usize> },
    #[error("the system does not say which cores ferryd may run on")]
    NoCores,
    #[error("a worker thread ended before it forwarded anything")]
    WorkerDied,
    #[error("{thread} has panicked; what it said is above, and a bug")]
    Panicked { thread: String },
    #[error("a thread cannot be started")]
    Thread(#[source] io::Error),
    #[error("signals cannot be waited for")]
    Signals(#[source] io::Error),
    #[error(transparent)]
    Server(#[from] ServerError),
    #[error(transparent)]
    Daemon(#[from] ListenerError),
    #[error("cannot write the answer")]
    Answer(#[source] io::Error),
}

impl StartError {
    /// All there is to say to a person: what failed, why, and what to look at.
    fn report(&self) -> String {
        if let Self::Config(error) = self {
            return error.report(io::stderr().is_terminal());
        }
        let help = self.help().map(|help| format!("  help: {help}\n")).unwrap_or_default();
        format!("error: {}\n{help}", Chain(self))
    }

    /// Where in the configuration it can be changed, if the error itself cannot know.
    fn help(&self) -> Option<String> {
        match self {
            Self::Device { found, .. } => Some(format!("the ports DPDK has found: {found}")),
            Self::Eal(dpdk::EalError::TooFewHugePages { .. } | dpdk::EalError::HugePagesUnplaced) => {
                Some("in [dpdk], `huge_pages` says which pages to take, `memory_mib` how much".to_owned())
            }
            Self::Eal(dpdk::EalError::Start { .. }) => {
                Some("in [dpdk], `memory_mib` says how much memory to take, `args` what else DPDK is told".to_owned())
            }
            Self::Port { error: dpdk::PortError::TooFewQueues { direction, .. }, .. } => Some(match direction {
                dpdk::Direction::Receive => {
                    "write fewer `queues` in its [[port]]; some virtual devices are given more by an \
                                             argument, as in `net_af_packet0,iface=eth0,qpairs=2`"
                        .to_owned()
                }
                dpdk::Direction::Transmit => {
                    "every worker sends on every port: take a [[worker]] away; some virtual devices \
                                              are given more by an argument, as in `net_af_packet0,iface=eth0,qpairs=2`"
                        .to_owned()
                }
            }),
            Self::Tap { error, .. } => Some(error.help()),
            Self::Daemon(_) => {
                Some("in [fpm], `listen` and `netns` say where; a namespace takes CAP_SYS_ADMIN".to_owned())
            }
            Self::Mempool(_) => Some("in [dpdk], `memory_mib` says how much memory to take".to_owned()),
            Self::Core { .. } | Self::NoCores => Some("name one with `core` in a [[worker]]".to_owned()),
            _elsewhere => None,
        }
    }
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
