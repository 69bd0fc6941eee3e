//! The device under test, in a process of its own: ferryd, or `dpdk-testpmd` in mac or io mode, on two vhost ports.
//!
//! Of a link one end is vhost and the other virtio_user, and [`Ends`] says which is whose. What is not measured now is stopped
//! by signal: all that run share two cores.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bench::flows::STATIONS;
use clap::ValueEnum;
use control_api::client::Client;
use control_api::{Reply, Request, Stats};
use dpdk::{Device, Eal};
use packet::ethernet::MacAddr;
use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use tempfile::TempDir;

use crate::cores::{self, Presence};

/// Which program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// ferryd.
    Ferry,
    /// DPDK's own, which exchanges MAC addresses and looks at nothing else.
    Testpmd,
    /// The same without even that: nearly a wire, and so what the links, the generator and the machine lose by themselves.
    TestpmdIo,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ferry => "ferry",
            Self::Testpmd => "testpmd",
            Self::TestpmdIo => "testpmd-io",
        }
    }
}

/// Who has which end of the links.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Ends {
    /// The device has the ends of vhost, as a router of virtual machines does, and so the work of copying.
    DeviceVhost,
    /// The generator has them. A device may then go and come back: DPDK 22.11's `virtio_user`, as a server, ends its process
    /// about every other time that a device connects again.
    GeneratorVhost,
}

/// A device under test that runs.
#[derive(Debug)]
pub(crate) struct Dut {
    kind: Kind,
    core: usize,
    ends: Ends,
    ferryd: PathBuf,
    folder: TempDir,
    process: Option<Child>,
    is_paused: bool,
    /// Where this program might run when it was started, and so where it may.
    cpus: CpuSet,
    /// The thread that forwards, once it was found.
    worker: Option<Pid>,
    away: Option<Away>,
}

/// How long a worker did without its core.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Away {
    /// Somebody else ran there.
    pub(crate) preempted: Duration,
    /// Nobody did: the hypervisor took it, or the worker slept.
    pub(crate) stolen: Duration,
}

impl Away {
    pub(crate) fn total(self) -> Duration {
        self.preempted + self.stolen
    }

    /// Between two moments so far apart, at which it did not run.
    fn between(before: Presence, after: Presence, apart: Duration) -> Self {
        let preempted = after.waited.saturating_sub(before.waited);
        let ran = after.ran.saturating_sub(before.ran);
        Self { preempted, stolen: apart.saturating_sub(ran + preempted) }
    }
}

impl Dut {
    /// One that will forward on `core`, and has yet to be started.
    pub(crate) fn new(kind: Kind, core: usize, ends: Ends, ferryd: Option<&Path>) -> Result<Self, String> {
        let folder = tempfile::Builder::new().prefix("ferry-bench-").tempdir();
        let folder = folder.map_err(|error| format!("no folder for the links: {error}"))?;
        let ferryd = match ferryd {
            Some(path) => path.to_owned(),
            None => beside_this("ferryd")?,
        };
        let cpus = sched_getaffinity(None).map_err(|error| format!("no cores to run on: {error}"))?;
        let (process, worker, away) = (None, None, None);
        Ok(Self { kind, core, ends, ferryd, folder, process, is_paused: false, cpus, worker, away })
    }

    /// Attaches the generator's ends of the links and starts it; its ports connect to them.
    pub(crate) fn link(&mut self, eal: &Eal, devices: &[Device; 2]) -> Result<(), String> {
        // A virtio_user server waits for who connects to it; a vhost server has to be there before.
        let waits = self.ends == Ends::DeviceVhost;
        if waits {
            self.start()?;
        }
        for device in devices {
            eal.attach(device).map_err(|error| format!("{error}\n{}", self.log()))?;
        }
        if !waits {
            self.start()?;
        }
        Ok(())
    }

    /// Starts it where this program might run when this was made, whatever it is kept to since.
    fn start(&mut self) -> Result<(), String> {
        let ours = sched_getaffinity(None).and_then(|ours| sched_setaffinity(None, &self.cpus).map(|()| ours));
        let process = self.command();
        let _elsewhere = ours.and_then(|ours| sched_setaffinity(None, &ours));
        self.process = Some(process?);
        Ok(())
    }

    /// The generator's ends of the links, with so many descriptors each.
    pub(crate) fn links(&self, number: usize, descriptors: [u16; 2]) -> Result<[Device; 2], String> {
        let link = |side: usize| {
            let (path, mac) = (socket(self.folder.path(), side), STATIONS[side].mac);
            let id = 2 * number + side;
            let (path, size) = (path.display(), descriptors[side]);
            let text = match self.ends {
                Ends::DeviceVhost => {
                    format!("net_virtio_user{id},path={path},server=1,queues=1,queue_size={size},mac={mac}")
                }
                Ends::GeneratorVhost => format!("net_vhost{id},iface={path},queues=1"),
            };
            text.parse::<Device>().map_err(|error| error.to_string())
        };
        Ok([link(0)?, link(1)?])
    }

    /// The stations of its ports.
    pub(crate) fn routers(&self) -> [Option<MacAddr>; 2] {
        [Some(PORTS[0]), Some(PORTS[1])]
    }

    /// Where ferryd listens; testpmd listens to nobody.
    pub(crate) fn api(&self) -> PathBuf {
        self.folder.path().join("api")
    }

    /// The file that ferryd was started with.
    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("ferry.toml")
    }

    /// What it has counted, if it tells.
    pub(crate) fn stats(&self) -> Result<Option<Stats>, String> {
        if self.kind != Kind::Ferry {
            return Ok(None);
        }
        let client = Client::connect(&self.api(), Duration::from_secs(10));
        match client.and_then(|mut client| client.ask(&Request::Stats)) {
            Ok(Reply::Stats(stats)) => Ok(Some(stats)),
            Ok(_another) => Err("ferryd answered another question than the one it was asked".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Lets it run while something is done, and stops it again.
    pub(crate) fn running<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, String>) -> Result<T, String> {
        let (before, begin) = (self.presence(), Instant::now());
        self.resume();
        let done = work(self);
        // It stops at once, and what it takes to see that it has is not its time.
        self.signal(Signal::STOP);
        let apart = begin.elapsed();
        self.pause();
        self.away = before.zip(self.presence()).map(|(before, after)| Away::between(before, after, apart));
        if let Some(Ok(Some(status))) = self.process.as_mut().map(Child::try_wait) {
            return Err(format!("{} has ended ({status}):\n{}", self.kind.name(), self.log()));
        }
        done.map_err(|error| format!("{}: {error}", self.kind.name()))
    }

    /// How long its worker was kept from its core when it last ran; nothing if no thread is pinned there.
    pub(crate) fn away(&self) -> Option<Away> {
        self.away
    }

    /// Of its worker, so far.
    pub(crate) fn presence(&mut self) -> Option<Presence> {
        self.worker = self.worker.or_else(|| cores::pinned_to(self.core, self.process.as_ref()?.id()));
        cores::presence(self.worker?)
    }

    pub(crate) fn pause(&mut self) {
        self.signal(Signal::STOP);
        self.is_paused = true;
        self.worker.into_iter().for_each(cores::await_stop);
    }

    pub(crate) fn resume(&mut self) {
        if self.is_paused {
            self.signal(Signal::CONT);
            self.is_paused = false;
        }
    }

    /// Kills it as a crash would, and starts it again.
    pub(crate) fn restart(&mut self) -> Result<(), String> {
        self.end();
        self.worker = None;
        self.start()
    }

    /// The end of what it said.
    pub(crate) fn log(&self) -> String {
        let text = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }

    /// The device's ends of the links.
    fn devices(&self) -> [String; 2] {
        [0, 1].map(|side| {
            let path = socket(self.folder.path(), side);
            let path = path.display();
            match self.ends {
                Ends::DeviceVhost => format!("net_vhost{side},iface={path},queues=1,client=1"),
                Ends::GeneratorVhost => {
                    format!("net_virtio_user{side},path={path},queues=1,queue_size=1024,mac={}", PORTS[side])
                }
            }
        })
    }

    fn command(&self) -> Result<Child, String> {
        let (kind, core, folder, devices) = (self.kind, self.core, self.folder.path(), self.devices());
        let mut command = match kind {
            Kind::Ferry => {
                let path = folder.join("ferry.toml");
                fs::write(&path, config(&devices, core, &self.api()))
                    .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
                let mut command = Command::new(&self.ferryd);
                command.arg("--config").arg(path).stdin(Stdio::null());
                command
            }
            Kind::Testpmd | Kind::TestpmdIo => {
                let mode = if kind == Kind::TestpmdIo { "io" } else { "mac" };
                let commands = usize::from(core == 0);
                let mut command = Command::new("dpdk-testpmd");
                command.args(["--lcores", &format!("0@{commands},1@{core}"), "--no-pci", "--no-telemetry"]);
                // One file for all memory: virtio_user hands it to the other end, which takes a few files at most.
                command.args(["--in-memory", "--single-file-segments", "-m", "256"]);
                command.args(["--vdev", &devices[0], "--vdev", &devices[1]]);
                // Without a terminal it forwards until its input ends, which it never does.
                command.args(["--", &format!("--forward-mode={mode}"), "--no-flush-rx", "--no-mlockall"]);
                command.arg("--total-num-mbufs=32768").stdin(Stdio::piped());
                command
            }
        };
        let log = File::create(folder.join("log")).map_err(|error| format!("no log for {}: {error}", kind.name()))?;
        let other = log.try_clone().map_err(|error| format!("no log for {}: {error}", kind.name()))?;
        let hint = match kind {
            Kind::Ferry => "build it with: cargo build --release -p dataplane",
            Kind::Testpmd | Kind::TestpmdIo => "install it with: apt install dpdk-dev",
        };
        let shown = command.get_program().to_string_lossy().into_owned();
        command.stdout(log).stderr(other).spawn().map_err(|error| format!("{shown} does not start: {error}; {hint}"))
    }

    fn signal(&self, signal: Signal) {
        // It can only be gone, which the next measurement finds out.
        let _gone = self.process.as_ref().map(|process| kill_process(Pid::from_child(process), signal));
    }

    fn end(&mut self) {
        self.resume();
        if let Some(mut process) = self.process.take() {
            let _already_gone = process.kill();
            let _already_waited_for = process.wait();
        }
    }
}

impl Drop for Dut {
    fn drop(&mut self) {
        self.end();
    }
}

/// A program that was built together with this one.
pub(crate) fn beside_this(name: &str) -> Result<PathBuf, String> {
    let this = std::env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
    let path = this.with_file_name(name);
    if path.exists() {
        return Ok(path);
    }
    Err(format!("there is no {}; build it with: cargo build --release -p dataplane -p cli", path.display()))
}

fn socket(folder: &Path, side: usize) -> PathBuf {
    folder.join(["left", "right"][side])
}

/// ferryd's configuration: the one that goes with the generator, for other devices and on another core.
fn config(devices: &[String; 2], core: usize, api: &Path) -> String {
    let mut file: toml::Table = include_str!("../../../ferry.toml").parse().expect("the file is TOML");
    let api = toml::Table::from_iter([("socket".to_owned(), api.display().to_string().into())]);
    file.insert("api".to_owned(), api.into());
    for (side, device) in devices.iter().enumerate() {
        file["port"][side]["device"] = device.as_str().into();
    }
    file["worker"][0]["core"] = i64::try_from(core).expect("cores are few").into();
    file.to_string()
}

/// The stations of the ports of a device under test.
const PORTS: [MacAddr; 2] = [MacAddr([2, 0, 0, 0, 0, 1]), MacAddr([2, 0, 0, 0, 0, 2])];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_neither_ran_nor_waited_was_robbed_or_slept() {
        let [s0, s1, s2] = [0, 1, 2].map(Duration::from_secs);
        let before = Presence { ran: s1, waited: s0 };
        let after = Presence { ran: s2 + s1, waited: s1 };
        let away = Away::between(before, after, Duration::from_secs(10));
        assert_eq!(away, Away { preempted: s1, stolen: Duration::from_secs(7) });
        assert_eq!(
            Away::between(before, after, s1),
            Away { preempted: s1, stolen: s0 },
            "clocks may differ by a little"
        );
    }

    #[test]
    fn the_configuration_of_the_device_under_test_is_one_that_ferryd_takes() {
        let devices =
            ["net_vhost0,iface=/run/left,client=1".to_owned(), "net_vhost1,iface=/run/right,client=1".to_owned()];
        let text = config(&devices, 0, Path::new("/run/api"));
        let config = control::config::Config::parse("ferry.toml", &text).unwrap();
        let macs: Vec<_> = config.ports().iter().filter_map(|port| port.mac).collect();
        assert_eq!(macs, PORTS);
        let known: Vec<_> = config.neighbours().iter().map(|known| (known.address, known.mac)).collect();
        let stations = STATIONS.iter().flat_map(|host| [(host.v4.into(), host.mac), (host.v6.into(), host.mac)]);
        assert_eq!(known, Vec::from_iter(stations), "the generator's own");
    }
}
