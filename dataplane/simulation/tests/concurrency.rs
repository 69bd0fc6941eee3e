//! CN: one writer changes routes as fast as it can, and workers forward meanwhile.
//!
//! ```text
//!   left 192.0.2.1/24, where packets to 10.0.0.1 come in | router | a 198.51.100.1/24 --- gateway A
//!                                                        |        | b 203.0.113.1/24 ---- gateway B
//! ```

mod scene;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use boundary::policy::Policy;
use boundary::{Counters, ForwardingState, Mtu, NextHop, PortId, PortState, RingSizes, WorkerEnd, connect};

use control::{Control, LookupFlags, PortInfo, RouteRef, Setup, Timestamp, WorkerInfo, config};
use control_api::{Reply, Request, RouteMessage, Target, Verb};
use packet::ethernet::{Header, MacAddr};
use pipeline::{Burst, MemoryFrame, Port, Worker};

use self::scene::{NoHardware, packet_to};

/// How often the route is changed.
const CHANGES: u64 = 2000;

const INSIDE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

/// A gateway: the port it is behind, its address, and its station.
#[derive(Clone, Copy)]
struct Via {
    port: PortId,
    address: Ipv4Addr,
    mac: MacAddr,
}

const A: Via = Via { port: PortId(1), address: Ipv4Addr::new(198, 51, 100, 2), mac: MacAddr([2, 0, 0, 0, 1, 2]) };
const B: Via = Via { port: PortId(2), address: Ipv4Addr::new(203, 0, 113, 2), mac: MacAddr([2, 0, 0, 0, 2, 2]) };

/// A wire that always has a packet to [`INSIDE`], or that counts what leaves and for whom.
enum Wire {
    In,
    Out { gateway: Via, sent: Arc<AtomicU64>, astray: Arc<AtomicU64> },
}

impl Port for Wire {
    type Frame = MemoryFrame;

    fn receive(&mut self, _nth: usize, burst: &mut Burst<MemoryFrame>) {
        if matches!(self, Self::In) {
            burst.extend((0..8).map(|_frame| packet_to(INSIDE)));
        }
    }

    fn transmit(&mut self, burst: &mut Burst<MemoryFrame>) {
        for frame in burst.drain(..) {
            if let Self::Out { gateway, sent, astray } = self {
                sent.fetch_add(1, Ordering::Relaxed);
                let (header, _packet) = Header::parse(&frame.0).expect("the router writes headers");
                // Torn would be: out of one gateway's port, to the other's station.
                astray.fetch_add(u64::from(header.destination != gateway.mac), Ordering::Relaxed);
            }
        }
    }

    fn originate(&mut self, bytes: &[u8]) -> Option<MemoryFrame> {
        Some(MemoryFrame(bytes.to_vec()))
    }
}

/// The control plane, a worker's end, and an end that nobody forwards with.
struct Router {
    control: Control,
    counters: Counters,
    end: Option<WorkerEnd>,
    watcher: Option<WorkerEnd>,
}

impl Router {
    fn new() -> Self {
        let port = |name: &str, number: u8, address: &str| {
            let mac = MacAddr([2, 0, 0, 0, 0, number]);
            let link_local = mac.link_local();
            PortInfo {
                name: name.to_owned(),
                device: format!("mem_{name}"),
                addresses: vec![address.parse().expect("it is one")],
                directed_broadcast: false,
                state: PortState {
                    mac,
                    mtu: Mtu::ETHERNET,
                    link_local,
                    promiscuous: false,
                    vlan: None,
                    policy: Policy::default(),
                    tap: false,
                },
            }
        };
        let ports =
            vec![port("left", 1, "192.0.2.1/24"), port("a", 2, "198.51.100.1/24"), port("b", 3, "203.0.113.1/24")];
        let first = ForwardingState::without_routes(ports.iter().map(|port| port.state));
        let (publisher, _links, mut counters, mut ends) = connect(first, 2, RingSizes { slots: 8, frame_len: 256 });
        let known = |via: Via| config::Neighbour { port: via.port, address: via.address.into(), mac: via.mac };
        let setup = Setup { ports, neighbours: vec![known(A), known(B)], ..Setup::default() };
        let workers = counters.iter().map(|counters| WorkerInfo { core: 0, counters: counters.clone() }).collect();
        let counters = counters.remove(0);
        let control = Control::new(setup, publisher, workers, Box::new(NoHardware), Timestamp::ZERO);
        let (end, watcher) = (ends.remove(0), ends.remove(0));
        Self { control, counters, end: Some(end), watcher: Some(watcher) }
    }

    /// The route leads by this gateway, or is no more, for workers too when this returns.
    fn route(&mut self, via: Option<Via>) {
        let to = "10.0.0.0/8".parse().expect("it is one");
        let request = match via {
            Some(via) => {
                Request::RouteReplace { to, target: Target::Via { gateway: IpAddr::from(via.address), dev: None } }
            }
            None => Request::RouteDel { to },
        };
        assert_eq!(self.control.handle_request(request, Timestamp::ZERO), Ok(Reply::Done));
    }

    /// How many packets were not sent on.
    fn not_sent_on(&self) -> u64 {
        let totals = self.counters.read();
        totals.punted() + totals.dropped()
    }

    /// Adds a route by A whose packets are counted, and returns it.
    fn counted_route(&mut self) -> RouteRef {
        let message = RouteMessage {
            target: Some(Target::Via { gateway: IpAddr::from(A.address), dev: None }),
            count: Some(true),
            ..RouteMessage::new(Verb::Add, INSIDE.into(), None)
        };
        let answer = self.control.handle_request(Request::RouteMessage(message), Timestamp::ZERO);
        assert!(answer.is_ok(), "{answer:?}");
        let found = self.control.routes().lookup(0, INSIDE.into(), LookupFlags::empty());
        found.expect("there is a table 0").expect("it was added")
    }

    /// Waits until the worker has begun a turn that it had not begun before.
    fn next_turn(&self) {
        let turns = self.counters.turns();
        while self.counters.turns() < turns + 2 {
            std::thread::yield_now();
        }
    }
}

// holds 168
#[test]
fn cn_02_and_04_no_packet_leaves_by_a_route_that_never_was_or_is_no_more() {
    let mut router = Router::new();
    let [sent_a, sent_b, astray] = [(); 3].map(|()| Arc::new(AtomicU64::new(0)));
    let out =
        |gateway, sent: &Arc<AtomicU64>| Wire::Out { gateway, sent: Arc::clone(sent), astray: Arc::clone(&astray) };
    let wires = vec![Wire::In, out(A, &sent_a), out(B, &sent_b)];
    let mut worker = Worker::new(wires, router.end.take().expect("it is there"));
    drop(router.watcher.take());
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                worker.turn();
            }
        });
        router.route(Some(B));
        router.next_turn();
        let missing = router.not_sent_on();
        for round in 0..CHANGES {
            let (via, other) = if round % 2 == 0 { (A, &sent_b) } else { (B, &sent_a) };
            router.route(Some(via));
            if round % 100 == 0 {
                router.next_turn();
                let before = other.load(Ordering::Relaxed);
                router.next_turn();
                router.next_turn();
                assert_eq!(other.load(Ordering::Relaxed), before, "by the route before, after the acknowledgement");
            }
        }
        assert_eq!(router.not_sent_on(), missing, "the route is replaced, and never away");
        router.route(None);
        router.next_turn();
        let before = [&sent_a, &sent_b].map(|sent| sent.load(Ordering::Relaxed));
        router.next_turn();
        router.next_turn();
        assert_eq!([&sent_a, &sent_b].map(|sent| sent.load(Ordering::Relaxed)), before, "by a route that is deleted");
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(astray.load(Ordering::Relaxed), 0, "out of one gateway's port to the other's station");
    assert!(router.counters.read().is_conserved());
}

#[test]
fn cn_03_whoever_reads_never_goes_back_and_never_sees_half_of_a_change() {
    let mut router = Router::new();
    let mut watcher = router.watcher.take().expect("it is there");
    let done = AtomicBool::new(false);
    let seen = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let (mut newest, mut seen) = (0, 0_u64);
            while !done.load(Ordering::Relaxed) {
                let state = watcher.state.pin();
                assert!(state.generation >= newest, "{} after {newest}", state.generation);
                seen += u64::from(state.generation > newest);
                newest = state.generation;
                if let Some(NextHop::Neighbour(adjacency)) = state.ipv4.lookup(INSIDE).map(|id| state.next_hop(id)) {
                    let station = Header::parse(&adjacency.header).expect("it is one").0.destination;
                    assert!([A, B].iter().any(|via| (via.port, via.mac) == (adjacency.port, station)), "{adjacency:?}");
                }
            }
            seen
        });
        for round in 0..CHANGES {
            router.route(Some(if round % 2 == 0 { A } else { B }));
        }
        done.store(true, Ordering::Relaxed);
        reader.join().expect("it found nothing wrong")
    });
    assert!(seen > 0, "the reader followed");
}

// holds S3.10, S3.38
#[test]
fn mt_11_a_million_packets_by_two_workers_are_counted_to_the_packet() {
    const PACKETS: u64 = 1_000_000;
    let mut router = Router::new();
    let route = router.counted_route();
    let [sent, astray] = [(); 2].map(|()| Arc::new(AtomicU64::new(0)));
    std::thread::scope(|scope| {
        for end in [router.end.take(), router.watcher.take()].into_iter().flatten() {
            let out = || Wire::Out { gateway: A, sent: Arc::clone(&sent), astray: Arc::clone(&astray) };
            let mut worker = Worker::new(vec![Wire::In, out(), out()], end);
            scope.spawn(move || {
                let mut handled = 0;
                while handled < PACKETS / 2 {
                    handled += worker.turn() as u64;
                }
            });
        }
    });
    assert_eq!((sent.load(Ordering::Relaxed), route.pksent()), (PACKETS, Some(PACKETS)));
}

// holds S3.38
#[test]
fn a_route_that_is_deleted_ends_with_what_it_sent_and_the_next_begins_with_nothing() {
    let mut router = Router::new();
    let [sent, astray] = [(); 2].map(|()| Arc::new(AtomicU64::new(0)));
    let out = || Wire::Out { gateway: A, sent: Arc::clone(&sent), astray: Arc::clone(&astray) };
    let mut worker = Worker::new(vec![Wire::In, out(), out()], router.end.take().expect("it is there"));
    drop(router.watcher.take());
    let stop = AtomicBool::new(false);
    let mut total = 0;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                worker.turn();
            }
        });
        for round in 0..200 {
            let route = router.counted_route();
            router.next_turn();
            let delete = Request::RouteDel { to: control_api::Network::host(INSIDE.into()) };
            assert_eq!(router.control.handle_request(delete, Timestamp::ZERO), Ok(Reply::Done));
            // Its cells are given to another at once, if they are free: while a worker may write there, they are not.
            let next = (round % 2 == 0).then(|| router.counted_route());
            router.next_turn();
            total += route.pksent().expect("it is counted");
            if let Some(next) = next {
                let delete = Request::RouteDel { to: control_api::Network::host(INSIDE.into()) };
                assert_eq!(router.control.handle_request(delete, Timestamp::ZERO), Ok(Reply::Done));
                router.next_turn();
                total += next.pksent().expect("it is counted");
            }
            drop(route);
            router.control.tick(Timestamp::ZERO, &mut Nowhere);
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(total, sent.load(Ordering::Relaxed));
}

struct Nowhere;

impl control::Outbox for Nowhere {
    fn send(&mut self, _port: PortId, _frame: &[u8]) {}
}
