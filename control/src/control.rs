//! The control thread's mind, without the thread: it is told what came up and what time it is, and says what to send.
//!
//! Nothing here waits, asks a clock or touches a device, so a test or a replayed capture drives it as well as ferryd
//! does, and the same input always gives the same output.

use std::net::IpAddr;
use std::sync::Arc;

use boundary::{Counters, ForwardingState, Mtu, PortId, Publisher, Punt, PuntReason};
use control_api::{ApiError, ErrorKind, Link, Reply, Request, Spread};
use packet::ethernet::{EtherType, Header, MacAddr};

use crate::asker::Asker;
use crate::callouts::{Callouts, Timed};
use crate::cloning::RESOLVES_PER_SECOND;
use crate::config::{self, Config};
use crate::counts::ControlCounts;
use crate::events::{Cause, ClientId, Events, Queue};
use crate::expiry::Wall;
use crate::fpm::Daemon;
use crate::icmp::Problem;
use crate::limit::TokenBucket;
use crate::limits::Limits;
use crate::links::Links;
use crate::misses::Misses;
use crate::neighbours::Neighbours;
use crate::packets::Packet;
use crate::ports::Ports;
use crate::presence::Presence;
use crate::queues::Queues;
use crate::reassembly::Reassembly;
use crate::redirect::RedirectCounts;
use crate::routes::Routes;
use crate::setup::Setup;
use crate::tap::Taps;
use crate::time::Timestamp;

/// Where frames of the control thread go.
pub trait Outbox {
    /// Sends `frame`, Ethernet header first, out of `port`; or loses it, if there is no room.
    fn send(&mut self, port: PortId, frame: &[u8]);
}

/// What the devices under the ports say.
pub trait Hardware: Send {
    /// How a port's device is now.
    fn status(&self, port: PortId) -> HardwareStatus;

    /// Whether it has a link; asked every [`crate::BETWEEN_LOOKS`].
    fn link(&self, port: PortId) -> Link {
        self.status(port).link
    }

    /// How its device spreads flows over its receive queues, if it tells.
    fn spread(&self, _port: PortId) -> Option<Spread> {
        None
    }

    /// Lets it carry packets of another length while it runs.
    ///
    /// # Errors
    ///
    /// Why it cannot, for a person.
    fn set_mtu(&self, _port: PortId, _mtu: Mtu) -> Result<(), String> {
        Err("its device does not change it while it runs".to_owned())
    }
}

/// How a device is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HardwareStatus {
    /// Whether there is a link.
    pub link: Link,
    /// The driver that runs it.
    pub driver: String,
    /// What it counts itself, if it does.
    pub counters: Option<control_api::Hardware>,
}

/// A worker, as far as it is shown to people.
#[derive(Debug)]
pub struct WorkerInfo {
    /// The core it polls on.
    pub core: usize,
    /// Where its counters are read.
    pub counters: Counters,
}

/// The control plane.
pub struct Control {
    pub(crate) ports: Ports,
    pub(crate) routes: Routes,
    pub(crate) callouts: Callouts,
    pub(crate) redirects: RedirectCounts,
    pub(crate) neighbours: Neighbours,
    pub(crate) presence: Presence,
    pub(crate) limits: Limits,
    /// For routes that packets make.
    pub(crate) resolves: TokenBucket,
    pub(crate) misses: Misses,
    pub(crate) reassembly: Reassembly,
    pub(crate) source_routes: bool,
    /// Whether the routes of ports' addresses are in all tables, or each in its port's.
    pub(crate) addresses_in_all: bool,
    pub(crate) counts: ControlCounts,
    pub(crate) workers: Vec<WorkerInfo>,
    pub(crate) queues: Queues,
    pub(crate) hardware: Box<dyn Hardware>,
    pub(crate) links: Links,
    pub(crate) taps: Taps,
    pub(crate) daemon: Option<Daemon>,
    pub(crate) started: Timestamp,
    pub(crate) wall: Wall,
    /// For the next IPv4 packet of our own.
    pub(crate) identification: u16,
    pub(crate) assume_neighbours: bool,
    /// What the routers' own part of all this follows from.
    pub(crate) config: Option<Arc<Config>>,
}

impl Control {
    /// Starts at `now` with what `setup` says, and publishes it.
    pub fn new(
        setup: Setup,
        publisher: Publisher<ForwardingState>,
        workers: Vec<WorkerInfo>,
        hardware: Box<dyn Hardware>,
        now: Timestamp,
    ) -> Self {
        let Setup {
            ports,
            fibs,
            port_fibs,
            add_addr_allfibs,
            count_packets,
            multipath,
            routes,
            timers,
            neighbours,
            mut links,
            icmp,
            source_routes,
            assume_neighbours,
            queues,
            kernel,
            fpm,
            config,
        } = setup;
        links.resize(ports.len(), config::LinkSettings::default());
        let wall = Wall::default();
        let events = Events::new(ports.iter().map(|port| port.name.clone()).collect(), wall.ahead().clone());
        let mut control = Self {
            neighbours: Neighbours::new(links.iter().map(|link| link.neighbours.clone())),
            presence: Presence::new(links),
            taps: Taps::new(kernel, ports.len()),
            daemon: fpm.map(|settings| Daemon::new(settings, now)),
            ports: Ports::new(ports),
            routes: Routes::new(publisher, workers.len(), fibs, multipath, events),
            callouts: Callouts::default(),
            redirects: RedirectCounts::default(),
            limits: Limits::new(icmp),
            resolves: TokenBucket::new(RESOLVES_PER_SECOND, RESOLVES_PER_SECOND / 4),
            misses: Misses::default(),
            reassembly: Reassembly::default(),
            source_routes,
            addresses_in_all: add_addr_allfibs,
            counts: ControlCounts::default(),
            workers,
            queues,
            hardware,
            links: Links::default(),
            started: now,
            wall,
            identification: 0,
            assume_neighbours,
            config,
        };
        control.routes.timed = Timed::within(timers);
        control.routes.are_counted = count_packets;
        control.create_service_queues();
        let of_daemon = control.daemon.iter().flat_map(Daemon::fibs);
        control.routes.set_tables(port_fibs, routes.iter().map(|route| route.fib).chain(of_daemon));
        control.add_port_routes();
        for config::Neighbour { port, address, mac } in neighbours {
            control.set_permanent(port, address, mac);
        }
        for route in routes {
            control.add_configured(route);
        }
        control.routes.publish();
        control
    }

    /// Decides a frame that a worker could not, as it came in through the port that `punt` names.
    ///
    /// What changes becomes visible to workers at the next [`Control::tick`] or [`Control::publish`], so that many frames
    /// make one change.
    pub fn handle_punt(&mut self, punt: Punt, frame: &[u8], now: Timestamp, out: &mut dyn Outbox) {
        let turn = &mut Turn { now, out };
        let Some((header, payload)) = Header::parse(frame) else { return };
        if self.ports.get(punt.port).is_none() || header.source.is_multicast() {
            return;
        }
        if header.ether_type == EtherType::ARP {
            self.share_arp(punt.port, header, payload);
            self.handle_arp(punt.port, payload, turn);
            return;
        }
        let Some(packet) = Packet::in_frame(header, payload) else { return };
        match punt.reason {
            PuntReason::Arp => {}
            PuntReason::NeighbourDiscovery | PuntReason::Routing | PuntReason::Local | PuntReason::LinkGroup => {
                self.deliver(packet, punt.port, header, turn);
            }
            PuntReason::Options => match packet {
                Packet::V4(packet) => self.forward_with_options(&packet, punt.port, header, turn),
                Packet::V6(_) => self.forward(packet, punt.port, header, turn),
            },
            PuntReason::Rejected => self.report(Problem::Prohibited, &packet, punt.port, turn),
            PuntReason::NearerWay => self.tell_nearer_way(&packet, punt.port, turn),
            PuntReason::TtlExpired
            | PuntReason::NoRoute
            | PuntReason::Unreachable
            | PuntReason::Unresolved
            | PuntReason::TooBig => self.forward(packet, punt.port, header, turn),
        }
    }

    /// Decides a request of ferryd's own. One that is refused leaves everything as it was; one that is not is visible to
    /// workers when this returns.
    ///
    /// # Errors
    ///
    /// Why it is refused.
    pub fn handle_request(&mut self, request: Request, now: Timestamp) -> Result<Reply, ApiError> {
        self.handle_asked(request, Asker::ferryd(), now)
    }

    /// Decides somebody's request in the same way, and tells whoever follows what happens what came of it.
    ///
    /// # Errors
    ///
    /// Why it is refused.
    pub fn handle_asked(&mut self, request: Request, asker: Asker, now: Timestamp) -> Result<Reply, ApiError> {
        self.wall.look(now);
        self.routes.events.follow_from(Cause::of(&asker));
        let about = self.routes.events.about(&request);
        let reply = if request.is_change() && !asker.may_change {
            Err(may_only_look())
        } else {
            self.decide(request, asker, now)
        };
        if let (Some(about), Err(refused)) = (about, &reply) {
            self.routes.events.refused(about, refused.kind);
        }
        self.routes.events.follow_from(Cause::default());
        self.publish();
        reply
    }

    fn decide(&mut self, request: Request, asker: Asker, now: Timestamp) -> Result<Reply, ApiError> {
        match request {
            Request::RouteAdd { to, target } => self.add_route(to, &target).map(|()| Reply::Done),
            Request::RouteReplace { to, target } => self.replace_route(to, &target).map(|()| Reply::Done),
            Request::RouteDel { to } => self.delete_route(to).map(|()| Reply::Done),
            Request::RouteGet { address } => self.route_to(address).map(Reply::Route),
            Request::RouteShow { filter } => self.shown_routes(&filter).map(Reply::Routes),
            Request::RouteMessage(message) => self.route_message(&message).map(Reply::Route),
            Request::RouteBatch { changes } => Ok(Reply::Batch(self.route_batch(&changes))),
            Request::RouteFlush { filter } => self.flush_routes(&filter).map(Reply::Flushed),
            Request::NeighShow { dev } => self.shown_neighbours(dev.as_deref(), now).map(Reply::Neighbours),
            Request::NeighAdd { address, dev, lladdr } => {
                self.add_neighbour(address, &dev, lladdr).map(|()| Reply::Done)
            }
            Request::NeighReplace { address, dev, lladdr } => {
                self.replace_neighbour(address, &dev, lladdr).map(|()| Reply::Done)
            }
            Request::NeighDel { address, dev } => self.delete_neighbour(address, &dev).map(|()| Reply::Done),
            Request::NeighFlush { dev, permanent } => {
                self.flush_neighbours(dev.as_deref(), permanent).map(Reply::Flushed)
            }
            Request::AddressAdd { address, dev } => self.add_address(&dev, address, now).map(|()| Reply::Done),
            Request::AddressDel { address, len, dev } => self.delete_address(&dev, address, len).map(|()| Reply::Done),
            Request::PortShow { name } => self.shown_ports(name.as_deref()).map(Reply::Ports),
            Request::PortSet { name, mtu } => self.set_port(&name, mtu).map(|()| Reply::Done),
            Request::PortTurn { name, up } => self.turn_port_by_hand(&name, up).map(|()| Reply::Done),
            Request::PortRss { name } => self.shown_rss(name.as_deref()).map(Reply::PortRss),
            Request::QueueMapShow => Ok(Reply::QueueMap(self.queue_map())),
            Request::QueueMapSet { queues } => self.set_queue_map(&queues).map(Reply::QueueMap),
            Request::TimerList => Ok(Reply::Timers(self.timer_queues())),
            Request::TimerCreate { queue, period_seconds } => {
                self.create_timer_queue(queue, period_seconds).map(|()| Reply::Done)
            }
            Request::TimerChange { queue, period_seconds } => {
                self.change_timer_queue(&queue, period_seconds, now).map(|()| Reply::Done)
            }
            Request::TimerDestroy { queue, run_actions } => {
                self.destroy_timer_queue(&queue, run_actions, now).map(|()| Reply::Done)
            }
            Request::TimerAdd { queue, fib, to } => self.arm_route(&queue, fib, to, now).map(|()| Reply::Done),
            Request::TimerClear { fib, to } => self.clear_timers(fib, to).map(Reply::TimersCleared),
            Request::Redirect(said) => self.redirect(&said, now).map(Reply::Route),
            Request::PathMtu(heard) => self.hear_of_mtu(&heard, now).map(Reply::Route),
            Request::FpmShow => self.shown_daemon(now).map(Reply::Fpm),
            Request::FpmSweep => self.sweep_daemon().map(Reply::Flushed),
            Request::ConfigReload { file, dry_run } => {
                let next = asker.config.ok_or_else(|| {
                    ApiError::new(ErrorKind::Invalid, "a configuration is read over a connection, and there is none")
                })?;
                self.reload(&next, file.unwrap_or_default(), dry_run, now).map(Reply::Config)
            }
            Request::Monitor { fib, loopback } => self.follow_for(asker, fib, loopback).map(|()| Reply::Done),
            Request::Stats => Ok(Reply::Stats(self.stats(now))),
            Request::Drops => Ok(Reply::Drops(self.drops())),
            Request::Version => Ok(Reply::Version(Self::version())),
        }
    }

    /// Does what is due by `now`, shows workers what changed, and frees what they no longer use. As often as one likes.
    pub fn tick(&mut self, now: Timestamp, out: &mut dyn Outbox) {
        let turn = &mut Turn { now, out };
        self.run_presence(turn);
        self.send_released(turn);
        while let Some(expired) = self.neighbours.next_due(now) {
            self.handle_due(expired, turn);
        }
        self.watch_links(now);
        self.give_up_fragments(turn);
        self.run_timers(now);
        self.routes.look_after_clones(now);
        self.run_expiry(now);
        self.run_daemon(now);
        self.publish();
        self.routes.reclaim();
    }

    /// Shows workers everything that changed since the last time, at once; does nothing when nothing did.
    pub fn publish(&mut self) {
        self.routes.publish();
    }

    /// From now on what happens goes to this queue too: of all tables, or of one and what concerns all.
    ///
    /// What follows from requests of `client`, who reads from it, goes there only with `loopback` (`SO_USELOOPBACK`).
    pub fn follow(&mut self, queue: Queue, fib: Option<u16>, client: Option<ClientId>, loopback: bool) {
        self.routes.events.subscribe(queue, fib, client, loopback);
    }

    fn follow_for(&mut self, asker: Asker, fib: Option<u16>, loopback: bool) -> Result<(), ApiError> {
        if let Some(fib) = fib {
            self.permitted_fib(fib)?;
        }
        let queue = asker.queue.ok_or_else(|| {
            ApiError::new(ErrorKind::Invalid, "what happens is told over a connection, and there is none")
        })?;
        self.follow(queue, fib, asker.client, loopback);
        Ok(())
    }

    /// The routes of all tables, to look up in.
    pub fn routes(&self) -> &Routes {
        &self.routes
    }

    /// The same for lookups that may make a route.
    pub fn routes_mut(&mut self) -> &mut Routes {
        &mut self.routes
    }

    /// What was done that no worker counts.
    pub fn counts(&self) -> ControlCounts {
        ControlCounts { neighbour_overflowed: self.neighbours.overflowed(), ..self.counts }
    }

    /// Frames that the outbox had no room for.
    pub(crate) fn frames_lost(&mut self, frames: u64) {
        self.counts.frames_lost += frames;
    }

    pub(crate) fn set_permanent(&mut self, port: PortId, address: IpAddr, mac: MacAddr) {
        self.neighbours.set_permanent((address, port), mac);
        self.routes.neighbour_found(address, port, &self.ports.port(port).state, mac);
    }
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Control").field("ports", &self.ports).field("counts", &self.counts).finish_non_exhaustive()
    }
}

/// What one call is given: the time, and where frames go.
pub(crate) struct Turn<'a> {
    pub(crate) now: Timestamp,
    pub(crate) out: &'a mut dyn Outbox,
}

fn may_only_look() -> ApiError {
    ApiError::new(ErrorKind::PermissionDenied, "this user may look, and may not change anything")
        .with_hint("ask as root, or as the user that ferryd runs as")
}
