//! What the routing table costs, and whether changing it costs the workers anything:
//! `cargo bench -p simulation --bench routes`.
//!
//! A million routes of the lengths that a full table has are added, changed and flushed through the requests a client
//! would send, with a worker that forwards meanwhile. "request to published" is all of a request but the socket: checked,
//! done, compiled and visible to workers when it returns. Memory is what the process grew by, next hops and forwarding
//! table included. It prints figures and judges nothing.

use std::collections::VecDeque;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use boundary::policy::Policy;
use boundary::{Counters, ForwardingState, Mtu, PortId, PortState, RingSizes, WorkerEnd, connect};
use control::{Control, Hardware, HardwareStatus, PortInfo, Setup, Timestamp, WorkerInfo, config};
use control_api::{Link, MetricMask, Reply, Request, RouteFilter, RouteMessage, RouteMetrics, Target, Verb};
use packet::ethernet::{EtherType, Header, MacAddr};
use pipeline::{Burst, MemoryFrame, Port, Worker};

fn main() {
    let (mut control, end, counters) = router();
    let before = resident_bytes();
    let networks = networks();
    let started = Instant::now();
    for chunk in networks.chunks(1000) {
        batch(&mut control, chunk.iter().map(|network| message(Verb::Add, *network, 1)).collect());
    }
    let took = started.elapsed();
    let grown = resident_bytes().saturating_sub(before);
    println!("{ROUTES} routes added in batches of 1000: {:.0} a second", per_second(ROUTES, took));
    println!("bytes a route, all told: {:.0}", grown as f64 / ROUTES as f64);

    println!("changes in batches of 100, request to published:");
    println!("  to another gateway  {:.0} a second", changes(&mut control, &networks, Change::Gateway));
    println!("  of the MTU          {:.0} a second", changes(&mut control, &networks, Change::Mtu));
    println!("  deleted and added   {:.0} a second", changes(&mut control, &networks, Change::DeleteAndAdd));

    under_change(&mut control, end, &counters, &networks);

    let (generation, started) = (generation(&mut control), Instant::now());
    let Ok(Reply::Flushed(flushed)) = ask(&mut control, Request::RouteFlush { filter: RouteFilter::default() }) else {
        panic!("always")
    };
    let took = started.elapsed();
    control.tick(Timestamp::ZERO, &mut Nowhere);
    let publishes = self::generation(&mut control) - generation;
    println!("{flushed} routes flushed in {:.2} s, in {publishes} publishes", took.as_secs_f64());
}

const ROUTES: usize = 1_000_000;

enum Change {
    Gateway,
    Mtu,
    DeleteAndAdd,
}

/// Changes of routes a second, spread over the table.
fn changes(control: &mut Control, networks: &[Network], change: Change) -> f64 {
    let mut at = 0;
    let mut round = |round: u8| {
        let batch: Vec<_> = (0..50)
            .flat_map(|_change| {
                at = (at + 7919) % networks.len();
                let network = networks[at];
                match change {
                    Change::Gateway => [1, 2].map(|gateway| message(Verb::Change, network, gateway + 2 * (round % 2))),
                    Change::Mtu => [1400, 1300].map(|mtu| {
                        let metrics = RouteMetrics { mtu: mtu + u32::from(round), ..RouteMetrics::NONE };
                        let target = None;
                        RouteMessage { inits: MetricMask::MTU, metrics, target, ..message(Verb::Change, network, 1) }
                    }),
                    Change::DeleteAndAdd => [
                        RouteMessage { target: None, ..message(Verb::Delete, network, 1) },
                        message(Verb::Add, network, 1),
                    ],
                }
            })
            .collect();
        let started = Instant::now();
        self::batch(control, batch);
        started.elapsed()
    };
    let took: Duration = [0, 1, 2, 3].into_iter().cycle().take(ROUNDS).map(&mut round).sum();
    per_second(ROUNDS * 100, took)
}

const ROUNDS: usize = 1000;

/// Packets a worker forwards while nothing changes and while 50 000 routes a second do, in turn.
fn under_change(control: &mut Control, end: WorkerEnd, counters: &Counters, networks: &[Network]) {
    let stop = AtomicBool::new(false);
    let mut slices = [Vec::new(), Vec::new()];
    let mut worker = Worker::new(vec![Endless::new(networks), Endless::default()], end);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                worker.turn();
                // The second port gives back what the first one is to receive again.
                let [there, back] = worker.ports_mut() else { panic!("two ports") };
                there.frames.append(&mut back.sent);
            }
        });
        let mut at = 0;
        for slice in 0..2 * SLICES {
            let is_changing = slice % 2 == 1;
            let gateway = if slice % 4 < 2 { 1 } else { 2 };
            let (started, before) = (Instant::now(), counters.read().received());
            let mut done = 0_u128;
            while started.elapsed() < SLICE {
                // Fifty thousand a second are one in twenty microseconds.
                if is_changing && (done + 100) * 20 <= started.elapsed().as_micros() {
                    at = (at + 100) % (networks.len() - 100);
                    let change = |network: &Network| message(Verb::Change, *network, gateway);
                    batch(control, networks[at..at + 100].iter().map(change).collect());
                    done += 100;
                } else {
                    std::thread::sleep(Duration::from_micros(200));
                }
            }
            let packets = counters.read().received() - before;
            slices[usize::from(is_changing)].push(packets as f64 / started.elapsed().as_secs_f64());
        }
        stop.store(true, Ordering::Relaxed);
    });
    let [quiet, changing] = slices.map(|mut slices| {
        slices.sort_by(f64::total_cmp);
        slices[slices.len() / 2]
    });
    let totals = counters.read();
    println!(
        "a worker under 50000 changes a second: {:.3} of its rate ({:.2} to {:.2} million packets a second), \
         {} of {} packets lost",
        changing / quiet,
        quiet / 1e6,
        changing / 1e6,
        totals.received() - totals.transmitted(),
        totals.received(),
    );
}

const SLICES: usize = 16;
const SLICE: Duration = Duration::from_millis(250);

/// A port whose wire comes round: what the worker sent is there to be received again.
#[derive(Default)]
struct Endless {
    /// What is to be received.
    frames: VecDeque<MemoryFrame>,
    /// What was sent, and is still on the wire.
    sent: VecDeque<MemoryFrame>,
}

impl Endless {
    /// Frames to destinations all over the table.
    fn new(networks: &[Network]) -> Self {
        let frame = |network: &Network| {
            let header = packet::ipv4::Builder {
                source: Ipv4Addr::new(192, 0, 2, 10),
                destination: network.address,
                protocol: 17,
                ttl: 255,
                tos: 0,
                identification: 0,
                dont_fragment: false,
            };
            let ethernet =
                Header { destination: LEFT_MAC, source: MacAddr([2, 0, 0, 0, 1, 1]), ether_type: EtherType::IPV4 };
            MemoryFrame([&ethernet.to_bytes()[..], &header.header(26).expect("it is short"), &[0; 26]].concat())
        };
        Self { frames: networks.iter().step_by(networks.len() / 1024).map(frame).collect(), sent: VecDeque::new() }
    }
}

impl Port for Endless {
    type Frame = MemoryFrame;

    fn receive(&mut self, _nth: usize, burst: &mut Burst<MemoryFrame>) {
        let count = self.frames.len().min(burst.remaining_capacity());
        burst.extend(self.frames.drain(..count).map(|mut frame| {
            // As it came in the first time: to the router, and with all its hops.
            frame.0[..6].copy_from_slice(&LEFT_MAC.0);
            let (ttl, sum) = (255, packet::checksum::checksum(&with_ttl(&frame.0[14..34], 255)));
            frame.0[22] = ttl;
            frame.0[24..26].copy_from_slice(&sum.to_be_bytes());
            frame
        }));
    }

    fn transmit(&mut self, burst: &mut Burst<MemoryFrame>) {
        self.sent.extend(burst.drain(..));
    }

    fn originate(&mut self, bytes: &[u8]) -> Option<MemoryFrame> {
        Some(MemoryFrame(bytes.to_vec()))
    }
}

/// A header with this time to live, and no checksum.
fn with_ttl(header: &[u8], ttl: u8) -> Vec<u8> {
    let mut header = header.to_vec();
    header[8] = ttl;
    header[10..12].fill(0);
    header
}

/// A network to route to.
#[derive(Clone, Copy)]
struct Network {
    address: Ipv4Addr,
    len: u8,
}

/// As many as [`ROUTES`], each once, six in ten of them /24 as in a full table, and in no order.
fn networks() -> Vec<Network> {
    let mut seen = std::collections::HashSet::new();
    let mut state = 1_u64;
    let mut next = || {
        state = boundary::scramble(state);
        state
    };
    let mut networks = Vec::with_capacity(ROUTES);
    while networks.len() < ROUTES {
        let drawn = next();
        let number = u32::try_from(drawn >> 32).expect("what is left are 32 bits");
        let len = match drawn % 10 {
            0..=5 => 24,
            6 => 23,
            7 => 22,
            8 => 20,
            _nine => 19,
        };
        let address = Ipv4Addr::from(number & (u32::MAX << (32 - len)));
        let is_routable = matches!(address.octets()[0], 11..=126 | 128..=168 | 170..=191 | 199..=202);
        if is_routable && seen.insert((address, len)) {
            networks.push(Network { address, len });
        }
    }
    networks
}

/// By the gateway with this number, of four that are known.
fn message(verb: Verb, network: Network, gateway: u8) -> RouteMessage {
    let mask = IpAddr::from(Ipv4Addr::from(u32::MAX << (32 - network.len)));
    let gateway = IpAddr::from(Ipv4Addr::new(198, 51, 100, gateway + 1));
    let target = Some(Target::Via { gateway, dev: None });
    RouteMessage { target, ..RouteMessage::new(verb, network.address.into(), Some(mask)) }
}

fn batch(control: &mut Control, changes: Vec<RouteMessage>) {
    match ask(control, Request::RouteBatch { changes }) {
        Ok(Reply::Batch(batch)) => assert!(batch.refused.is_empty(), "{:?}", batch.refused.first()),
        other => panic!("{other:?}"),
    }
}

fn ask(control: &mut Control, request: Request) -> Result<Reply, control_api::ApiError> {
    black_box(control.handle_request(request, Timestamp::ZERO))
}

fn generation(control: &mut Control) -> u64 {
    match ask(control, Request::Stats) {
        Ok(Reply::Stats(stats)) => stats.generation,
        other => panic!("{other:?}"),
    }
}

fn per_second(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

/// The memory the process has, as the kernel counts it.
fn resident_bytes() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("Linux has it");
    let resident = pages.split_whitespace().nth(1).and_then(|pages| pages.parse::<usize>().ok());
    resident.expect("it is the second number") * 4096
}

const LEFT_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);

/// Two ports, four gateways behind the second, one worker.
fn router() -> (Control, WorkerEnd, Counters) {
    let port = |name: &str, mac: MacAddr, address: &str| PortInfo {
        name: name.to_owned(),
        device: format!("mem_{name}"),
        addresses: vec![address.parse().expect("it is one")],
        directed_broadcast: false,
        state: PortState {
            mac,
            mtu: Mtu::ETHERNET,
            link_local: mac.link_local(),
            promiscuous: false,
            vlan: None,
            policy: Policy::default(),
            tap: false,
        },
    };
    let right_mac = MacAddr([2, 0, 0, 0, 0, 2]);
    let ports = vec![port("left", LEFT_MAC, "192.0.2.1/24"), port("right", right_mac, "198.51.100.1/24")];
    let first = ForwardingState::without_routes(ports.iter().map(|port| port.state));
    let (publisher, _links, mut counters, mut ends) = connect(first, 1, RingSizes { slots: 64, frame_len: 2048 });
    let gateway = |number: u8| config::Neighbour {
        port: PortId(1),
        address: Ipv4Addr::new(198, 51, 100, number + 1).into(),
        mac: MacAddr([2, 0, 0, 0, 2, number]),
    };
    let setup = Setup { ports, neighbours: (1..=4).map(gateway).collect(), ..Setup::default() };
    let counters = counters.remove(0);
    let workers = vec![WorkerInfo { core: 0, counters: counters.clone() }];
    let control = Control::new(setup, publisher, workers, Box::new(NoHardware), Timestamp::ZERO);
    (control, ends.remove(0), counters)
}

struct NoHardware;

impl Hardware for NoHardware {
    fn status(&self, _port: PortId) -> HardwareStatus {
        HardwareStatus { link: Link::Up, driver: "memory".to_owned(), counters: None }
    }
}

struct Nowhere;

impl control::Outbox for Nowhere {
    fn send(&mut self, _port: PortId, _frame: &[u8]) {}
}
