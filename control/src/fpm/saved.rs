//! The daemon's routes in a file, so that ferryd forwards by them from its first packet on after it was started anew.
//!
//! Without it a restart loses all that a daemon knows until it has noticed, connected and told everything again: seconds for
//! zebra's own routes, minutes for BGP's. With `snapshot` in `[fpm]` the routes are written down while they change, and
//! when ferryd ends. When it starts they are taken as if a daemon had told them and gone: they are *stale* from the
//! beginning, forwarded by, and swept by the same rules as after any other loss of the daemon. A route that the daemon then
//! tells as it was changes nothing.
//!
//! ```text
//!   ferry fpm routes 1
//!   route 0 203.0.113.0/24 bgp via 192.0.2.10 left 1 via 198.51.100.254 right 3 mtu 1400 from 192.0.2.1
//!   route 0 203.0.114.0/24 zstatic blackhole
//!   neighbour 192.0.2.10 left 02:00:00:00:00:0a
//!   end checksum 0f3a6c51
//! ```
//!
//! **What is saved** is what the daemon said, in words, with ports by their names: not the compiled table. That could be
//! read back in a few milliseconds, but workers would then forward by a table that nobody owns: no route explains it, no
//! neighbour that changes reaches it, and the first change would have to compile all routes all the same. Compiling is the
//! small part: the routes of a million networks are read, checked against the ports and in their tables in 3.2 s, and in the
//! forwarding table 0.2 s later (`cargo bench -p control --bench resync`). It all happens before a worker polls for the first
//! time. Gateways' stations are saved, too, so that nothing waits for an answer; they are *stale*, and asked within seconds
//! whether they are still there. What a person has added by a request is not saved; it belongs into the configuration.
//!
//! **What is checked.** A file that is cut off, damaged or of another version is refused whole, with the reason. A route in a
//! sound file is checked like one that the daemon tells: a port that is gone, or has other addresses, takes only its routes
//! along, which are counted as refused.
//!
//! **What it costs.** A step of a walk in each round of the control thread, about a thousand routes, every so many seconds
//! and only if something has changed: 0.8 s and 65 MiB in all for a million. The lines go to whoever writes them to the
//! disk. Routes that change while the walk is under way are in the file as they were or as they are.

mod lines;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use boundary::PortId;
use control_api::{Network, RouteFlags};
use crossbeam::channel::Sender;
use packet::ethernet::MacAddr;

pub use lines::SavedError;
use lines::{HEADER, Line, SavedRoute, SavedWay, sound_lines};

use super::counts::Refused;
use super::learn::STEP;
use crate::control::Control;
use crate::neighbours::Heard;
use crate::rib::{Protocol, Way};
use crate::route::RouteEntry;
use crate::time::Timestamp;

/// Where the lines of a file go.
#[derive(Debug, Clone)]
pub struct Keeper {
    /// In their order; whoever reads them writes them down.
    pub pieces: Sender<Piece>,
    /// How many files could not be written.
    pub failed: Arc<AtomicU64>,
}

/// A part of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// The first lines of a new file.
    First(String),
    /// More of it.
    More(String),
    /// Its last line: it is whole.
    Last(String),
}

/// What came of a file that was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Restored {
    /// Networks that have their route again.
    pub routes: usize,
    /// Those whose route leads nowhere any more.
    pub refused: usize,
    /// Gateways whose station is known.
    pub neighbours: usize,
}

/// A walk through all tables that writes the daemon's routes down.
#[derive(Debug)]
pub(super) struct Saving {
    /// Where it stopped.
    stopped: Option<(u16, Network)>,
    gateways: Gateways,
    checksum: crc32fast::Hasher,
}

/// Those that routes go by, each with its station, if that is known.
type Gateways = BTreeMap<(IpAddr, PortId), Option<MacAddr>>;

/// When the next file is due, and what is in the last.
#[derive(Debug, Default)]
pub(super) struct Keeping {
    keeper: Option<Keeper>,
    under_way: Option<Saving>,
    /// When it was last asked whether another file is due.
    asked: Timestamp,
    /// How many changes the last file had seen.
    changes: u64,
    /// What it said of gateways.
    gateways: Gateways,
}

impl Control {
    /// From now on the daemon's routes are kept there.
    pub fn keep_daemon_s_routes(&mut self, keeper: Keeper) {
        if let Some(daemon) = &mut self.daemon {
            daemon.keeping.keeper = Some(keeper);
        }
    }

    /// Takes the routes of a file as the daemon's, who has gone. Workers see them at the next [`Control::publish`].
    ///
    /// Without `[fpm]` in the configuration nothing is taken.
    ///
    /// # Errors
    ///
    /// When the file is not whole and sound; then nothing of it is taken.
    pub fn restore_daemon_s_routes(&mut self, file: &str, now: Timestamp) -> Result<Restored, SavedError> {
        let lines = sound_lines(file)?;
        let mut restored = Restored::default();
        if self.daemon.is_none() {
            return Ok(restored);
        }
        for line in lines {
            match line {
                Line::Route(route) => match self.restore_route(&route) {
                    Ok(()) => restored.routes += 1,
                    Err(reason) => {
                        restored.refused += 1;
                        self.daemon_mut().counts.refuse(reason);
                    }
                },
                Line::Neighbour { address, port, mac } => {
                    restored.neighbours += usize::from(self.restore_neighbour(address, port, mac, now));
                }
            }
        }
        let daemon = self.daemon_mut();
        daemon.counts.restored += restored.routes as u64;
        daemon.left("ferryd was started anew, with the routes that it had saved".to_owned(), now);
        Ok(restored)
    }

    fn restore_route(&mut self, route: &SavedRoute<'_>) -> Result<(), Refused> {
        if !self.daemon_mut().fibs().any(|fib| fib == route.fib) {
            return Err(Refused::Table);
        }
        let mut ways = Vec::new();
        let mut refused = None;
        for way in &route.ways {
            let way = match *way {
                SavedWay::Blackhole => Ok((Way::Blackhole, 1)),
                SavedWay::Unreachable => Ok((Way::Unreachable, 1)),
                SavedWay::Prohibited => Ok((Way::Prohibited, 1)),
                SavedWay::Port { gateway, port, weight } => match self.ports.named(port) {
                    Ok(port) => self.way_through(route.said.to, gateway, Some(port)).map(|way| (way, weight)),
                    Err(_no_such_port) => Err(Refused::Interface),
                },
            };
            match way {
                Ok(way) => ways.push(way),
                Err(reason) => refused = Some(reason),
            }
        }
        if ways.is_empty() {
            return Err(refused.unwrap_or(Refused::NextHop));
        }
        self.install(route.fib, &route.said, &ways);
        Ok(())
    }

    /// Whether it is known now: it may have been already, or have no port any more.
    fn restore_neighbour(&mut self, address: IpAddr, port: &str, mac: MacAddr, now: Timestamp) -> bool {
        let Ok(port) = self.ports.named(port) else { return false };
        if self.ports.own(address)
            || !self.can_be_neighbour(address, port)
            || self.neighbours.station((address, port)).is_some()
        {
            return false;
        }
        let heard = Heard { mac: Some(mac), answers: false, overrides: true, router: None };
        let found = self.neighbours.hear((address, port), heard, true, now);
        if found.is_some() {
            self.routes.neighbour_found(address, port, &self.ports.port(port).state, mac);
        }
        found.is_some()
    }

    /// Writes on, or begins to when it is time and something has changed.
    pub(super) fn run_keeping(&mut self, now: Timestamp) {
        let Some(daemon) = &mut self.daemon else { return };
        if daemon.keeping.keeper.is_none() {
            return;
        }
        if daemon.keeping.under_way.is_some() {
            self.save_on();
        } else if now.since(daemon.keeping.asked) >= daemon.save_every() {
            daemon.keeping.asked = now;
            if self.is_other_than_saved() {
                self.begin_saving();
            }
        }
    }

    /// Whether routes have changed, or a gateway is another station than the file says.
    fn is_other_than_saved(&self) -> bool {
        let Some(daemon) = &self.daemon else { return false };
        let is_other = |(key, saved): (&(IpAddr, PortId), &Option<MacAddr>)| {
            self.neighbours.station(*key).is_some_and(|station| Some(station) != *saved)
        };
        daemon.counts.changes() != daemon.keeping.changes || daemon.keeping.gateways.iter().any(is_other)
    }

    /// Writes down what has changed since the last time, at the end, and lets go of whoever writes.
    pub fn save_daemon_s_routes(&mut self) {
        if self.daemon.as_ref().is_none_or(|daemon| daemon.keeping.keeper.is_none()) {
            return;
        }
        // Where nothing was heard, a file that was refused stays for a person to look at.
        if self.daemon_mut().keeping.under_way.is_some() || self.is_other_than_saved() {
            self.begin_saving();
        }
        while self.daemon_mut().keeping.under_way.is_some() {
            self.save_on();
        }
        self.daemon_mut().keeping.keeper = None;
    }

    fn begin_saving(&mut self) {
        let daemon = self.daemon_mut();
        let header = format!("{HEADER}\n");
        let mut checksum = crc32fast::Hasher::new();
        checksum.update(header.as_bytes());
        daemon.keeping.changes = daemon.counts.changes();
        daemon.keeping.under_way = Some(Saving { stopped: None, gateways: Gateways::new(), checksum });
        daemon.keeping.send(Piece::First(header));
    }

    fn save_on(&mut self) {
        let Some(mut saving) = self.daemon_mut().keeping.under_way.take() else { return };
        let seen = self.routes.behind(saving.stopped, Protocol::Daemon, STEP);
        let mut text = String::new();
        for entry in &seen {
            self.write_route(entry, &mut text, &mut saving.gateways);
        }
        let is_last = seen.is_empty();
        if is_last {
            self.write_stations(&saving.gateways, &mut text);
        }
        saving.checksum.update(text.as_bytes());
        saving.stopped = seen.last().map(|entry| (entry.fib(), entry.prefix()));
        let daemon = self.daemon_mut();
        if is_last {
            let _memory = writeln!(text, "end checksum {:08x}", saving.checksum.finalize());
            daemon.counts.saves += 1;
            daemon.keeping.gateways = saving.gateways;
            daemon.keeping.send(Piece::Last(text));
        } else {
            daemon.keeping.send(Piece::More(text));
            daemon.keeping.under_way = Some(saving);
        }
    }

    /// A line for the route whose first way this is.
    fn write_route(&self, first: &Arc<RouteEntry>, text: &mut String, gateways: &mut Gateways) {
        let (fib, to) = (first.fib(), first.prefix());
        let Some(paths) = self.routes.paths(fib, to, Protocol::Daemon) else { return };
        let facts = first.facts();
        let Some(learnt) = facts.learnt else { return };
        let before = text.len();
        let _memory = write!(text, "route {fib} {to} {}", learnt.speaker.name());
        for entry in paths.entries() {
            let facts = entry.facts();
            let weight = facts.metrics.weight;
            let name = |port| &self.ports.port(port).name;
            let _memory = match facts.leads {
                Way::Gateway(port, gateway) => {
                    gateways.insert((gateway, port), self.neighbours.station((gateway, port)));
                    write!(text, " via {gateway} {} {weight}", name(port))
                }
                Way::Link(port) => write!(text, " dev {} {weight}", name(port)),
                Way::Blackhole => write!(text, " blackhole"),
                Way::Unreachable => write!(text, " unreachable"),
                Way::Prohibited => write!(text, " prohibit"),
                Way::Local | Way::Anycast | Way::Broadcast | Way::Station(..) => {
                    // No daemon's route leads there.
                    return text.truncate(before);
                }
            };
        }
        if facts.flags.contains(RouteFlags::FIXEDMTU) {
            let _memory = write!(text, " mtu {}", facts.metrics.mtu);
        }
        if let Some(source) = facts.ifa {
            let _memory = write!(text, " from {source}");
        }
        text.push('\n');
    }

    fn write_stations(&self, gateways: &Gateways, text: &mut String) {
        for ((gateway, port), station) in gateways {
            if let Some(mac) = station {
                let _memory = writeln!(text, "neighbour {gateway} {} {mac}", self.ports.port(*port).name);
            }
        }
    }
}

impl Keeping {
    fn send(&self, piece: Piece) {
        if let Some(keeper) = &self.keeper {
            // Whoever wrote has gone only if it has panicked, and said so.
            let _gone = keeper.pieces.send(piece);
        }
    }

    /// How many files could not be written.
    pub(super) fn failed(&self) -> u64 {
        // Relaxed: a count, and nothing besides.
        self.keeper.as_ref().map_or(0, |keeper| keeper.failed.load(Ordering::Relaxed))
    }
}
