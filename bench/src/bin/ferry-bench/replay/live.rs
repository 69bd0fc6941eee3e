//! ferryd itself, between the links of this program: what is sent, when, and what comes out.
//!
//! The links are rings between two processes, vhost on ferryd's side and virtio_user on this. A ring that is full is waited for:
//! what is lost is lost by ferryd. One thread, on a core of its own, sends what is due and takes what has come.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use boundary::PortId;
use control_api::client::Client;
use control_api::{Link, Reply, Request, Stats};
use core_affinity::CoreId;
use dpdk::{Device, Eal, EalConfig, Mbuf, Mempool, MempoolConfig, Port, PortConfig, WorkerPort, cycles};
use pipeline::{BURST, Burst, Frame, Port as _};
use tempfile::TempDir;

use super::compare::Seen;
use super::plan::Settled;
use super::{Arrival, is_talk};
use crate::lane::cycles_of;
use crate::progress::Progress;

/// How fast a capture goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Speed {
    /// So many times as fast as it was taken.
    Times(f64),
    /// As fast as ferryd takes it.
    Most,
}

/// A ferryd, and the links to its ports.
#[derive(Debug)]
pub(super) struct Live {
    eal: Eal,
    core: usize,
    ports: Vec<WorkerPort>,
    /// Held for as long as the queues are used.
    _started: Vec<Port>,
    socket: PathBuf,
    /// A ferryd of ours; nothing if somebody else's is asked.
    own: Option<Own>,
}

/// A ferryd that was started for this, and its folder.
#[derive(Debug)]
struct Own {
    process: Child,
    folder: TempDir,
}

/// What came of sending everything.
#[derive(Debug, Default)]
pub(super) struct Sent {
    pub(super) seen: Seen,
    /// Frames that neighbours say to each other, which are not compared.
    pub(super) talk: u64,
    pub(super) seconds: f64,
    /// The furthest that the thread was behind the time at which a packet was due.
    pub(super) latest: Duration,
    /// Packets sent and frames seen in each part of the time.
    pub(super) offered: Vec<u64>,
    pub(super) came: Vec<u64>,
}

impl Live {
    /// Starts a ferryd on `dut_core` that runs by what is settled, and links every port of it.
    pub(super) fn start(settled: &Settled, ferryd: &Path, core: usize) -> Result<Self, String> {
        let folder = tempfile::Builder::new().prefix("ferry-bench-").tempdir();
        let folder = folder.map_err(|error| format!("no folder for the links: {error}"))?;
        let link = |number: usize| folder.path().join(format!("link{number}"));
        let count = settled.ports.len();
        let devices =
            (0..count).map(|number| format!("net_vhost{number},iface={},queues=1,client=1", link(number).display()));
        let devices: Vec<_> = devices.collect();
        let (config, socket) = (folder.path().join("ferry.toml"), folder.path().join("api"));
        fs::write(&config, settled.text_over(&devices, &socket))
            .map_err(|error| format!("cannot write {}: {error}", config.display()))?;
        let log = File::create(folder.path().join("log")).map_err(|error| format!("no log for ferryd: {error}"))?;
        let mut command = Command::new(ferryd);
        command.arg("--config").arg(config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let process = command.spawn().map_err(|error| format!("{} does not start: {error}", ferryd.display()))?;
        let own = Own { process, folder };
        let ends = (0..count).map(|number| {
            let path = own.folder.path().join(format!("link{number}"));
            format!("net_virtio_user{number},path={},server=1,queues=1,queue_size={DEEP}", path.display())
        });
        let ends =
            ends.map(|end| end.parse::<Device>().map_err(|error| error.to_string())).collect::<Result<_, _>>()?;
        Self::over(ends, socket, core, Some(own))
    }

    /// Takes links to a ferryd that runs already and is asked at `socket`.
    pub(super) fn beside(links: Vec<Device>, socket: PathBuf, core: usize) -> Result<Self, String> {
        Self::over(links, socket, core, None)
    }

    fn over(links: Vec<Device>, socket: PathBuf, core: usize, own: Option<Own>) -> Result<Self, String> {
        let buffers = 4 * u32::from(DEEP) * u32::try_from(links.len()).unwrap_or(1) + 4095;
        let pool = MempoolConfig { buffers, frame_room: FRAME_ROOM, ..MempoolConfig::default() };
        let memory_mib = 128 + buffers / 1024 * (u32::from(FRAME_ROOM) + 512) / 1024;
        let config = EalConfig { memory_mib, ..EalConfig::default() };
        let eal = Eal::start(&config).map_err(|error| error.to_string())?;
        let pool = Mempool::new(&eal, pool).map_err(|error| error.to_string())?;
        let (mut started, mut ports) = (Vec::new(), Vec::new());
        for link in &links {
            eal.attach(link).map_err(|error| error.to_string())?;
            let config = PortConfig {
                rx_descriptors: DEEP,
                tx_descriptors: 1024,
                mtu: FRAME_ROOM - 18,
                promiscuous: true,
                ..PortConfig::default()
            };
            let (port, queues) = Port::start(&eal, link.name(), &config, &pool).map_err(|error| error.to_string())?;
            ports.push(queues.into_worker_ports().remove(0));
            started.push(port);
        }
        Ok(Self { eal, core, ports, _started: started, socket, own })
    }

    /// Waits until every port of ferryd has a link, and uses all its addresses.
    pub(super) fn open(&mut self, patience: Duration) -> Result<(), String> {
        let deadline = Instant::now() + patience;
        loop {
            let waits_for = match self.ask(&Request::PortShow { name: None }) {
                Ok(Reply::Ports(ports)) => {
                    let is_not_ready =
                        |port: &&control_api::Port| port.operstate == Link::Down || !port.unused.is_empty();
                    ports.iter().find(is_not_ready).map(|port| format!("its port `{}` is not ready", port.ifname))
                }
                Ok(_another) => return Err("ferryd answered another question than the one it was asked".to_owned()),
                Err(error) => Some(error),
            };
            self.drain();
            let Some(waits_for) = waits_for else { return Ok(()) };
            if let Some(own) = &mut self.own
                && let Ok(Some(status)) = own.process.try_wait()
            {
                return Err(format!("ferryd has ended ({status}):\n{}", own.log()));
            }
            if Instant::now() > deadline {
                return Err(format!("ferryd is not there within {patience:?}: {waits_for}"));
            }
            sleep(Duration::from_millis(20));
        }
    }

    /// What ferryd has counted.
    pub(super) fn stats(&self) -> Result<Stats, String> {
        match self.ask(&Request::Stats)? {
            Reply::Stats(stats) => Ok(stats),
            _another => Err("ferryd answered another question than the one it was asked".to_owned()),
        }
    }

    /// Sends everything at its time, and takes what comes until `expected` frames have or none does any more.
    pub(super) fn send(
        &mut self,
        arrivals: &[Arrival],
        speed: Speed,
        expected: usize,
        progress: &Progress,
    ) -> Result<Sent, String> {
        self.drain();
        let (eal, core) = (self.eal.clone(), self.core);
        let ports = &mut self.ports;
        scope(|scope| {
            let thread = scope.spawn(move || {
                core_affinity::set_for_current(CoreId { id: core });
                let _registered = eal.register_worker_thread().map_err(|error| error.to_string())?;
                let hertz = eal.cycles_per_second();
                Ok(Sending::new(ports, arrivals, speed, hertz).run(expected))
            });
            let begin = Instant::now();
            while !thread.is_finished() {
                progress.at(begin.elapsed());
                sleep(Duration::from_millis(50));
            }
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    fn ask(&self, request: &Request) -> Result<Reply, String> {
        let client = Client::connect(&self.socket, Duration::from_secs(10));
        client.and_then(|mut client| client.ask(request)).map_err(|error| error.to_string())
    }

    /// Takes what has come, and forgets it: what ferryd says when it comes up.
    fn drain(&mut self) {
        for port in &mut self.ports {
            loop {
                let mut burst: Burst<Mbuf> = Burst::new();
                port.receive(0, &mut burst);
                if burst.is_empty() {
                    break;
                }
            }
        }
    }
}

impl Own {
    /// The end of what it said.
    fn log(&self) -> String {
        let text = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let _already_gone = self.process.kill();
        let _already_waited_for = self.process.wait();
    }
}

/// The thread's work.
struct Sending<'a> {
    ports: &'a mut [WorkerPort],
    arrivals: &'a [Arrival],
    speed: Speed,
    hertz: u64,
    begin: u64,
    /// What waits for room in a ring: frames of one port at a time, so that what arrives stays in order.
    waiting: Burst<Mbuf>,
    at: PortId,
    next: usize,
    sent: Sent,
}

impl<'a> Sending<'a> {
    fn new(ports: &'a mut [WorkerPort], arrivals: &'a [Arrival], speed: Speed, hertz: u64) -> Self {
        let sent = Sent { offered: vec![0; PARTS], came: vec![0; PARTS], ..Sent::default() };
        Self { ports, arrivals, speed, hertz, begin: cycles(), waiting: Burst::new(), at: PortId(0), next: 0, sent }
    }

    fn run(mut self, expected: usize) -> Sent {
        let mut last = self.begin;
        while self.next < self.arrivals.len() || !self.waiting.is_empty() {
            self.send();
            self.receive();
            last = cycles();
        }
        self.sent.seconds = self.seconds(last - self.begin);
        let (mut silent_since, soon, late) = (last, self.hertz * 3 / 10, self.hertz * LAST_WAIT);
        loop {
            if self.receive() > 0 {
                silent_since = cycles();
            }
            let silent = cycles() - silent_since;
            if silent > late || (silent > soon && self.sent.seen.len() >= expected) {
                return self.sent;
            }
        }
    }

    /// Sends what is due, as far as there is room.
    fn send(&mut self) {
        if self.waiting.is_empty() {
            let now = cycles();
            while self.waiting.len() < BURST
                && let Some(arrival) = self.arrivals.get(self.next)
                && self.due(arrival) <= now
                && (self.waiting.is_empty() || self.at == arrival.port)
            {
                let Some(frame) = self.ports[arrival.port.index()].originate(&arrival.bytes) else { break };
                if let Speed::Times(_) = self.speed {
                    let late = Duration::from_secs_f64(self.seconds(now - self.due(arrival)));
                    self.sent.latest = self.sent.latest.max(late);
                }
                self.waiting.push(frame);
                self.at = arrival.port;
                self.next += 1;
            }
        }
        let before = self.waiting.len();
        self.ports[self.at.index()].transmit(&mut self.waiting);
        let part = self.part();
        self.sent.offered[part] += (before - self.waiting.len()) as u64;
    }

    /// Takes what has come; how many frames.
    fn receive(&mut self) -> usize {
        let part = self.part();
        let mut came = 0;
        for (port, queue) in (0..).map(PortId).zip(self.ports.iter_mut()) {
            let mut burst: Burst<Mbuf> = Burst::new();
            queue.receive(0, &mut burst);
            came += burst.len();
            for frame in &burst {
                if is_talk(frame.bytes()) {
                    self.sent.talk += 1;
                } else {
                    self.sent.seen.push((port, frame.bytes().to_vec()));
                }
            }
        }
        self.sent.came[part] += came as u64;
        came
    }

    /// When a packet is to leave, in cycles.
    fn due(&self, arrival: &Arrival) -> u64 {
        match self.speed {
            Speed::Most => self.begin,
            Speed::Times(times) => {
                let first = self.arrivals.first().map_or(arrival.time, |first| first.time);
                self.begin + cycles_of(arrival.time.since(first).as_secs_f64() / times, self.hertz)
            }
        }
    }

    /// Which part of the time it is, as far as that can be known: by packets.
    fn part(&self) -> usize {
        (self.next * PARTS / self.arrivals.len().max(1)).min(PARTS - 1)
    }

    #[expect(clippy::cast_precision_loss, reason = "cycles of a replay are far below 2^52")]
    fn seconds(&self, cycles: u64) -> f64 {
        cycles as f64 / self.hertz as f64
    }
}

/// Room of a buffer: the longest frame there is.
pub(super) const FRAME_ROOM: u16 = 9216 + 18 + 8;

/// Descriptors of the rings that bring frames back: what comes while this thread is away waits there.
const DEEP: u16 = 4096;

/// For how many seconds without any frame the last ones are waited for: as long as neighbours take to be given up.
const LAST_WAIT: u64 = 5;

/// Parts that the packets are counted in, for pictures.
pub(super) const PARTS: usize = 50;
