//! Those who keep ferryd's control thread busy, each over a connection of its own.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use bench::flows::STATIONS;
use control_api::client::Client;
use control_api::{Reply, Request, RouteMessage, Target, Verb};
use packet::ethernet::MacAddr;
use serde::Serialize;

use crate::dut::Dut;

/// Where ferryd listens.
#[derive(Debug)]
pub(super) struct Clients {
    socket: PathBuf,
    /// The configurations that ferryd runs by, by turns: the last is the one that it was started with.
    configs: [PathBuf; 2],
}

/// How busy it is to be kept, in numbers a second.
#[derive(Debug, Clone, Copy)]
pub(super) struct Churn {
    pub(super) updates: f64,
    /// Updates in a request.
    pub(super) batch: usize,
    pub(super) scrapes: u32,
    pub(super) flaps: u32,
    pub(super) reloads: u32,
}

/// What was done.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(super) struct Done {
    pub(super) updates: u64,
    pub(super) updates_a_second: f64,
    pub(super) scrapes: u64,
    pub(super) flaps: u64,
    pub(super) reloads: u64,
}

impl Clients {
    pub(super) fn new(dut: &Dut) -> Result<Self, String> {
        let own = dut.config();
        let other = own.with_file_name("other.toml");
        let written = fs::read_to_string(&own).and_then(|text| fs::write(&other, text + &more_routes()));
        written.map_err(|error| format!("cannot write {}: {error}", other.display()))?;
        let clients = Self { socket: dut.api(), configs: [other, own] };
        clients.connect()?;
        Ok(clients)
    }

    fn connect(&self) -> Result<Client, String> {
        connect(&self.socket)
    }

    /// Adds so many routes, so that the table is not an empty one.
    pub(super) fn fill(&self, routes: u32) -> Result<(), String> {
        let mut client = self.connect()?;
        // Of 24 bits, upwards from 1.0.0.0: none is where the flows are, or in ferryd's own networks.
        let add = |number: u32| {
            let network = IpAddr::from(Ipv4Addr::from((1 << 24) + (number << 8)));
            update(Verb::Add, network, Some(Ipv4Addr::new(255, 255, 255, 0)))
        };
        let most = routes.min((197 - 1) << 16);
        for first in (0..most).step_by(1000) {
            let changes: Vec<_> = (first..most.min(first + 1000)).map(add).collect();
            change(&mut client, changes)?;
        }
        Ok(())
    }

    /// Churns while something is done, if there is to be churn.
    pub(super) fn during<T>(
        &self,
        churn: Option<Churn>,
        work: impl FnOnce() -> Result<T, String>,
    ) -> Result<(T, Done), String> {
        let Some(churn) = churn else { return Ok((work()?, Done::default())) };
        let stop = AtomicBool::new(false);
        scope(|scope| {
            let begin = Instant::now();
            let updates = scope.spawn(|| self.updates(churn, &stop));
            let scrapes = scope.spawn(|| self.again(churn.scrapes, &stop, scrape));
            let flaps = scope.spawn(|| self.again(churn.flaps, &stop, flap));
            let reloads = scope.spawn(|| self.reloads(churn.reloads, &stop));
            let worked = work();
            let seconds = begin.elapsed().as_secs_f64();
            stop.store(true, Ordering::Relaxed);
            let joined = [updates, scrapes, flaps, reloads]
                .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            let [updates, scrapes, flaps, reloads] = joined;
            let (updates, scrapes, flaps, reloads) = (updates?, scrapes?, flaps?, reloads?);
            #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
            let updates_a_second = updates as f64 / seconds;
            Ok((worked?, Done { updates, updates_a_second, scrapes, flaps, reloads }))
        })
    }

    /// Adds and deletes host routes over the destinations of the flows, at the rate; how many it came to.
    fn updates(&self, churn: Churn, stop: &AtomicBool) -> Result<u64, String> {
        let mut client = self.connect()?;
        let begin = Instant::now();
        let (mut done, mut place, mut verb) = (0, 0, Verb::Add);
        while !stop.load(Ordering::Relaxed) {
            #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
            let due = begin.elapsed().as_secs_f64() * churn.updates - done as f64;
            if due < 1.0 || churn.updates <= 0.0 {
                sleep(Duration::from_millis(1));
                continue;
            }
            let mut changes = Vec::with_capacity(churn.batch);
            while changes.len() < churn.batch && place < HOSTS {
                changes.push(update(verb, host(place), None));
                place += 1;
            }
            if place == HOSTS {
                (place, verb) = (0, if verb == Verb::Add { Verb::Delete } else { Verb::Add });
            }
            done += changes.len() as u64;
            change(&mut client, changes)?;
        }
        // The table is left as it was found.
        let left = if verb == Verb::Add { 0..0 } else { place..HOSTS };
        let left: Vec<u32> = if verb == Verb::Add { (0..place).collect() } else { left.collect() };
        for places in left.chunks(1000) {
            change(&mut client, places.iter().map(|place| update(Verb::Delete, host(*place), None)).collect())?;
        }
        Ok(done)
    }

    /// Lets ferryd run by one configuration and by the other; how often, and in the end by its own.
    fn reloads(&self, times: u32, stop: &AtomicBool) -> Result<u64, String> {
        let done =
            self.again(times, stop, |client, number| reload(client, &self.configs[usize::from(number % 2 == 1)]))?;
        if done % 2 == 1 {
            reload(&mut self.connect()?, &self.configs[1])?;
        }
        Ok(done)
    }

    /// Asks something so many times a second.
    fn again(
        &self,
        times: u32,
        stop: &AtomicBool,
        ask: impl Fn(&mut Client, u64) -> Result<(), String>,
    ) -> Result<u64, String> {
        let mut client = self.connect()?;
        let (begin, mut done) = (Instant::now(), 0_u32);
        while !stop.load(Ordering::Relaxed) {
            if begin.elapsed().as_secs_f64() * f64::from(times) < f64::from(done) + 1.0 {
                sleep(Duration::from_millis(5));
                continue;
            }
            ask(&mut client, u64::from(done))?;
            done += 1;
        }
        Ok(u64::from(done))
    }
}

fn connect(socket: &Path) -> Result<Client, String> {
    Client::connect(socket, Duration::from_secs(10)).map_err(|error| error.to_string())
}

fn change(client: &mut Client, changes: Vec<RouteMessage>) -> Result<(), String> {
    match client.ask(&Request::RouteBatch { changes }).map_err(|error| error.to_string())? {
        Reply::Batch(batch) if batch.refused.is_empty() => Ok(()),
        Reply::Batch(batch) => {
            Err(format!("ferryd refused {} updates, such as {:?}", batch.refused.len(), batch.refused[0]))
        }
        _another => Err(ANOTHER.to_owned()),
    }
}

/// All that a monitoring system reads.
fn scrape(client: &mut Client, _number: u64) -> Result<(), String> {
    for request in [Request::Stats, Request::Drops, Request::PortShow { name: None }, Request::NeighShow { dev: None }]
    {
        client.ask(&request).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// ferryd runs by this file from now on.
fn reload(client: &mut Client, file: &Path) -> Result<(), String> {
    let request = Request::ConfigReload { file: Some(file.display().to_string()), dry_run: false };
    client.ask(&request).map(|_done| ()).map_err(|error| error.to_string())
}

/// Routes to where no flow goes.
fn more_routes() -> String {
    let route = |number: u8| format!("\n[[route]]\nto = \"203.0.113.{number}/32\"\nvia = \"{}\"\n", STATIONS[1].v4);
    (0..100).map(route).collect()
}

/// A neighbour of its own comes, moves to another station, and goes.
fn flap(client: &mut Client, number: u64) -> Result<(), String> {
    let (address, dev) = (IpAddr::from(Ipv4Addr::new(198, 19, 0, 99)), "right".to_owned());
    let request = match number % 3 {
        2 => Request::NeighDel { address, dev },
        station => {
            let lladdr = MacAddr([2, 0, 0, 0, 9, u8::from(station == 1)]);
            Request::NeighReplace { address, dev, lladdr }
        }
    };
    client.ask(&request).map(|_done| ()).map_err(|error| error.to_string())
}

/// Of a route to the gateway on the right.
fn update(verb: Verb, dst: IpAddr, netmask: Option<Ipv4Addr>) -> RouteMessage {
    let target = (verb == Verb::Add).then(|| Target::Via { gateway: STATIONS[1].v4.into(), dev: None });
    RouteMessage { target, ..RouteMessage::new(verb, dst, netmask.map(IpAddr::from)) }
}

/// A destination of a flow by pattern, and many beside them.
fn host(place: u32) -> IpAddr {
    Ipv4Addr::from(u32::from(Ipv4Addr::new(198, 19, 1, 0)) + place).into()
}

/// Host routes that come and go.
const HOSTS: u32 = 10_000;

const ANOTHER: &str = "ferryd answered another question than the one it was asked";
