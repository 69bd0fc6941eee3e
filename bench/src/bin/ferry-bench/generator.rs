//! A paced generator and sink on two ports, by one thread on a core of its own.
//!
//! Each side sends a stream to the other and takes what the other sent, every packet of which carries a number and the time
//! it left ([`bench::stamp`]). The thread is the only one that touches the ports while a trial runs. It neither waits nor
//! calls the system, but others may have its core: how often and how long it was away is part of every outcome, because what
//! is lost meanwhile, or seems late, is nobody else's doing.
//!
//! A link between two processes is a ring: what it refuses is what a card at the other end would have dropped, so it is lost.
//! A card's own transmit ring refuses what the wire has no room for: that was never offered, and is forgone like what this
//! thread was too late for.

use std::sync::Arc;
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use bench::flows::STATIONS;
use bench::host::{Heard, Host, Station};
use bench::plan::{Plan, Stations};
use core_affinity::CoreId;
use dpdk::{Device, Eal, Mempool, MempoolConfig, Port, PortConfig, WorkerPort};
use packet::ethernet::MacAddr;
use pipeline::{Burst, Frame, Port as _};

use crate::dut::Dut;
use crate::lane::{Lane, crank};
use crate::outcome::Outcome;
use crate::progress::Progress;
use crate::traffic::Traffic;

/// Two ports, and what they send each other through whatever connects them.
#[derive(Debug)]
pub(crate) struct Generator {
    eal: Eal,
    core: usize,
    goes_first: bool,
    sides: [Side; 2],
    trial: u8,
}

/// How the ports of a generator are set up.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    /// The core its thread has.
    pub(crate) core: usize,
    /// Descriptors in the queues of each port.
    pub(crate) descriptors: [u16; 2],
    /// The longest frame, in bytes, without the frame check sequence.
    pub(crate) longest_frame: usize,
    /// Whether its thread goes before others on its core, as far as the system lets it. What they do there then waits.
    pub(crate) goes_first: bool,
}

/// One port, and the host that lives on it.
#[derive(Debug)]
pub(crate) struct Side {
    pub(crate) port: Port,
    pub(crate) queue: WorkerPort,
    host: Host,
    /// What it sends; nothing while its router has not been found.
    plan: Option<Arc<Plan>>,
    pub(crate) is_card: bool,
}

/// A load: rates, one after the other without a pause between.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    pub(crate) stages: Vec<Stage>,
    /// Whether the second port sends as well as the first.
    pub(crate) both_ways: bool,
}

/// A rate for a while.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stage {
    /// Packets a second, over both ways.
    pub(crate) rate: f64,
    pub(crate) time: Duration,
}

impl Load {
    /// One rate for a while.
    pub(crate) fn steady(rate: f64, time: Duration, both_ways: bool) -> Self {
        Self { stages: vec![Stage { rate, time }], both_ways }
    }

    pub(crate) fn time(&self) -> Duration {
        self.stages.iter().map(|stage| stage.time).sum()
    }
}

impl Generator {
    /// How much memory the EAL needs for such ports, in MiB.
    pub(crate) fn memory_mib(setup: &Setup) -> u32 {
        let pool = pool_for(setup);
        128 + pool.buffers / 1024 * (u32::from(pool.frame_room) + 512) / 1024
    }

    /// Starts both devices, which the EAL has.
    pub(crate) fn start(
        eal: &Eal,
        devices: &[Device; 2],
        stations: [Station; 2],
        setup: &Setup,
    ) -> Result<Self, String> {
        let pool = Mempool::new(eal, pool_for(setup)).map_err(|error| error.to_string())?;
        let side = |device: &Device, station: Station, descriptors: u16| {
            let config = PortConfig {
                rx_descriptors: descriptors,
                tx_descriptors: descriptors,
                mtu: u16::try_from(setup.longest_frame.saturating_sub(14).max(1500)).unwrap_or(u16::MAX),
                promiscuous: true,
                ..PortConfig::default()
            };
            let (port, queues) = Port::start(eal, device.name(), &config, &pool).map_err(|error| error.to_string())?;
            let queue = queues.into_worker_ports().remove(0);
            let host = Host::new(Station { mac: MacAddr(port.mac()), ..station });
            Ok::<_, String>(Side { port, queue, host, plan: None, is_card: device.is_pci() })
        };
        let [left, right] = setup.descriptors;
        let sides = [side(&devices[0], stations[0], left)?, side(&devices[1], stations[1], right)?];
        Ok(Self { eal: eal.clone(), core: setup.core, goes_first: setup.goes_first, sides, trial: 0 })
    }

    /// Starts the `number`-th device under test, linked to an EAL without ports of its own for it.
    pub(crate) fn linked(eal: &Eal, dut: &mut Dut, number: usize, setup: &Setup) -> Result<Self, String> {
        let devices = dut.links(number, setup.descriptors)?;
        dut.link(eal, &devices)?;
        Self::start(eal, &devices, STATIONS, setup)
    }

    /// Lets its thread go before others on its core from now on, or not.
    pub(crate) fn go_first(&mut self, goes_first: bool) {
        self.goes_first = goes_first;
    }

    /// How many cycles of its clock a second has.
    pub(crate) fn hertz(&self) -> u64 {
        self.eal.cycles_per_second()
    }

    /// Finds the routers, unless they are given, and waits until packets of every stream come through.
    pub(crate) fn open(
        &mut self,
        traffic: &Traffic,
        routers: [Option<MacAddr>; 2],
        both_ways: bool,
        patience: Duration,
    ) -> Result<(), String> {
        let deadline = Instant::now() + patience;
        for (side, router) in self.sides.iter_mut().zip(routers) {
            match router {
                Some(router) => side.host.trust(router),
                None => side.find_router(deadline)?,
            }
        }
        for from in 0..2 {
            let Side { host, .. } = &self.sides[from];
            let stations =
                Stations { source: host.station().mac, destination: host.router().expect("found or given just above") };
            self.sides[from].plan = Some(Arc::new(traffic.plan(from, stations)?));
        }
        let knock = Load::steady(1000.0, Duration::from_millis(100), both_ways);
        loop {
            let outcome = self.run(&knock, &Progress::hidden())?;
            let Some(silent) = outcome.streams.iter().find(|stream| stream.counts.received == 0) else { return Ok(()) };
            if Instant::now() > deadline {
                let (from, to) = (&self.sides[silent.from].port, &self.sides[1 - silent.from].port);
                return Err(format!(
                    "no packet from {} came out at {} within {patience:?}; does the device under test route {} there?",
                    from.name(),
                    to.name(),
                    traffic.destinations(silent.from),
                ));
            }
            sleep(Duration::from_millis(100));
        }
    }

    /// Offers a load and tells what became of it.
    pub(crate) fn run(&mut self, load: &Load, progress: &Progress) -> Result<Outcome, String> {
        self.run_while(load, |elapsed| {
            progress.at(elapsed);
            Ok(())
        })
    }

    /// The same, and calls `meanwhile` now and then, on another thread than the load's, until it fails.
    pub(crate) fn run_while(
        &mut self,
        load: &Load,
        mut meanwhile: impl FnMut(Duration) -> Result<(), String>,
    ) -> Result<Outcome, String> {
        self.trial = self.trial.wrapping_add(1);
        let (eal, hertz, core, trial) = (self.eal.clone(), self.hertz(), self.core, self.trial);
        let goes_first = self.goes_first;
        let [left, right] = &mut self.sides;
        let plans = [left.plan.clone(), right.plan.clone()];
        let [there, back] = [plans[0].as_ref(), plans[1].as_ref().filter(|_plan| load.both_ways)];
        let mut lanes = [Lane::new(left, 0, there, back, hertz), Lane::new(right, 1, back, there, hertz)];
        scope(|scope| {
            let thread = scope.spawn(move || {
                core_affinity::set_for_current(CoreId { id: core });
                if goes_first {
                    // Who may not takes turns with the others, and what that cost is in the lapses.
                    let _refused = rustix::process::setpriority_process(None, FIRST);
                }
                let _registered = eal.register_worker_thread().map_err(|error| error.to_string())?;
                Ok(crank(&mut lanes, load, trial, hertz))
            });
            let begin = Instant::now();
            let mut going = Ok(());
            while !thread.is_finished() {
                going = going.and_then(|()| meanwhile(begin.elapsed()));
                // Seldom: on a machine of two cores this thread takes the generator's.
                sleep(Duration::from_millis(if begin.elapsed() < Duration::from_secs(1) { 20 } else { 100 }));
            }
            let outcome = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            going.and(outcome)
        })
    }
}

impl Side {
    fn find_router(&mut self, deadline: Instant) -> Result<(), String> {
        while self.host.router().is_none() {
            if Instant::now() > deadline {
                let Station { v4, via, .. } = self.host.station();
                return Err(format!(
                    "nobody at {} answers the ARP requests of {v4} for {via}; give its address with --router, or its \
                     station with --router-mac",
                    self.port.name()
                ));
            }
            let question = self.host.question();
            self.say(&question);
            let until = Instant::now() + Duration::from_millis(200);
            while Instant::now() < until {
                let mut burst = Burst::new();
                self.queue.receive(0, &mut burst);
                burst.iter().for_each(|frame| self.hear(frame.bytes()));
                sleep(Duration::from_millis(1));
            }
        }
        Ok(())
    }

    /// Takes a frame that is no test packet.
    #[cold]
    pub(crate) fn hear(&mut self, frame: &[u8]) {
        if let Heard::Question(answer) = self.host.hear(frame) {
            self.say(&answer);
        }
    }

    fn say(&mut self, frame: &[u8]) {
        let mut burst = Burst::new();
        burst.extend(self.queue.originate(frame));
        // A link that has no room loses it, and whoever asked asks again.
        self.queue.transmit(&mut burst);
    }
}

/// The nicest that a thread can be to itself.
const FIRST: i32 = -20;

/// Buffers for both ports' rings, for bursts, and for what waits in caches.
fn pool_for(setup: &Setup) -> MempoolConfig {
    let frame_room = u16::try_from(setup.longest_frame.max(2048)).unwrap_or(u16::MAX);
    MempoolConfig {
        buffers: 2 * setup.descriptors.map(u32::from).iter().sum::<u32>() + 4095,
        frame_room,
        ..MempoolConfig::default()
    }
}
