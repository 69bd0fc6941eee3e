//! The router alone: memory ports, one worker, the control plane.

use boundary::{Counters, ForwardingState, PortId, RingSizes, Totals, WorkerLink, connect};
use control::config::Config;
use control::fpm::Heard;
use control::{Control, ControlCounts, Hardware, HardwareStatus, Outbox, Setup, Timestamp, WorkerInfo};
use control_api::{ApiError, Link, Reply, Request};
use packet::ethernet::MacAddr;
use pipeline::{MemoryFrame, MemoryPort, Worker};
use std::time::Duration;

/// A router that is told when frames arrive, and what time it is.
#[derive(Debug)]
pub struct Simulation {
    worker: Worker<MemoryPort>,
    link: WorkerLink,
    control: Control,
    counters: Counters,
    now: Timestamp,
}

impl Simulation {
    /// A router as configured, at `now`. Devices are not looked at: every port is one in memory.
    pub fn new(config: &Config, assume_neighbours: bool, now: Timestamp) -> Self {
        let states = config.port_states((1..).zip(config.devices()).map(|(number, (port, _))| mac_of(number, port)));
        let ports = config.devices().map(|_port| MemoryPort::default()).collect();
        let state =
            ForwardingState::without_routes(states.iter().copied()).with_filters(config.filters().iter().cloned());
        let (publisher, mut links, mut counters, mut ends) = connect(state, 1, RINGS);
        let (link, counters, end) = (links.remove(0), counters.remove(0), ends.remove(0));
        let setup = Setup { assume_neighbours, ..Setup::new(config, states) };
        let workers = vec![WorkerInfo { core: 0, counters: counters.clone() }];
        let control = Control::new(setup, publisher, workers, Box::new(NoHardware), now);
        Self { worker: Worker::new(ports, end), link, control, counters, now }
    }

    /// Lets the time pass until `then`: what is due meanwhile happens when it is due. A clock that would run backwards
    /// stands still.
    ///
    /// Over a gap of more than two minutes, only its last part is lived through.
    pub fn advance(&mut self, then: Timestamp) {
        if then.since(self.now) > LONGEST_GAP {
            self.now = Timestamp::from_nanos(then.as_nanos() - nanos(LONGEST_GAP));
        }
        while then.since(self.now) > TICK {
            self.now = self.now + TICK;
            self.tick();
        }
        self.now = self.now.max(then);
        self.tick();
    }

    /// What time it is.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Lets `frames` arrive at `port`, and everything happen that follows from it now.
    pub fn arrive(&mut self, port: PortId, frames: impl IntoIterator<Item = Vec<u8>>) {
        self.worker.ports_mut()[port.index()].arriving.extend(frames.into_iter().map(MemoryFrame));
        self.settle();
    }

    /// Takes what has left through each port since this was last asked, in order.
    pub fn take_sent(&mut self) -> impl Iterator<Item = (PortId, MemoryFrame)> + '_ {
        (0..)
            .map(PortId)
            .zip(self.worker.ports_mut())
            .flat_map(|(id, port)| port.sent.drain(..).map(move |frame| (id, frame)))
    }

    /// Lets a port have room for so many frames until they are taken.
    pub fn set_room(&mut self, port: PortId, frames: usize) {
        self.worker.ports_mut()[port.index()].room = frames;
    }

    /// What was counted.
    pub fn totals(&self) -> Totals {
        self.counters.read()
    }

    /// What the control plane did that no worker counts.
    pub fn counts(&self) -> ControlCounts {
        self.control.counts()
    }

    /// Asks the control plane something, as `ferry` does.
    ///
    /// # Errors
    ///
    /// Why it refused.
    pub fn ask(&mut self, request: Request) -> Result<Reply, ApiError> {
        let answer = self.control.handle_request(request, self.now);
        self.settle();
        answer
    }

    /// Hears of a routing daemon, as from the thread that listens for it.
    pub fn hear(&mut self, heard: Heard) {
        self.control.hear(heard, self.now);
        self.control.publish();
        self.settle();
    }

    fn tick(&mut self) {
        self.control.tick(self.now, &mut ToRing(&mut self.link.originate));
        self.settle();
    }

    /// Turns worker and control plane in turn until neither has anything left to do.
    fn settle(&mut self) {
        loop {
            let handled = self.worker.turn();
            let Self { control, link, now, .. } = self;
            let WorkerLink { punts, originate } = link;
            // One at a time: a single large packet can become more fragments than the ring back has slots for two.
            let punted = punts.receive(|punt, frame| control.handle_punt(punt, frame, *now, &mut ToRing(originate)));
            match punted {
                Some(()) => control.publish(),
                None if handled == 0 => return,
                None => {}
            }
        }
    }
}

/// Where the control plane's frames go: to the worker, as in ferryd.
struct ToRing<'a>(&'a mut boundary::ring::Sender<PortId>);

impl Outbox for ToRing<'_> {
    fn send(&mut self, port: PortId, frame: &[u8]) {
        // The ring has a slot for every fragment of the longest packet; what is longer than a slot fits no port either.
        let _lost = self.0.send(port, frame);
    }
}

/// Ports in memory are always up.
#[derive(Debug)]
struct NoHardware;

impl Hardware for NoHardware {
    fn status(&self, _port: PortId) -> HardwareStatus {
        HardwareStatus { link: Link::Up, driver: "memory".to_owned(), counters: None }
    }
}

/// A port without an address in the configuration is given one: locally administered, and told apart by its number.
fn mac_of(number: u8, port: &control::config::Port) -> MacAddr {
    port.mac.unwrap_or(MacAddr([2, 0, 0, 0, 0, number]))
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).expect("a constant of seconds")
}

/// How closely what depends on time keeps to it.
const TICK: Duration = Duration::from_millis(100);

/// Long enough for everything that waits to have happened, short enough to live through in no time.
const LONGEST_GAP: Duration = Duration::from_secs(120);

/// A slot for the longest frame a capture may hold an Internet packet in, and slots for each of its fragments.
const RINGS: RingSizes = RingSizes { slots: 2048, frame_len: 65_536 + 64 };
