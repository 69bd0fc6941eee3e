//! What a flood of packets to nobody costs everybody else (RFC 6583): one worker and the control thread in real time, over
//! ports in memory.
//!
//! The worker's thread is also the wire: it offers the flood, an established flow and solicitations at their rates, takes
//! what leaves, and answers for the one server there is. A flood that the machine cannot carry is offered as fast as it can,
//! and the rate it came to is printed: the claims are about the others. [`expired`] is the flood that asks for answers.

mod expired;

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use boundary::{ForwardingState, PortId, RingSizes, connect};
use clap::{Args, ValueEnum};
use control::config::Config;
use control::server::Asked;
use control::thread::ControlThread;
use control::{Control, Hardware, HardwareStatus, Setup, Timestamp, WorkerInfo};
use control_api::Link;
use crossbeam::channel::{Sender, bounded};
use packet::arp::{Arp, Operation};
use packet::ethernet::{EtherType, Header, MacAddr};
use packet::icmpv6::Between;
use packet::ipv6::Ipv6;
use packet::ndp::{Advertisement, Message, Solicitation, solicited_node};
use packet::{ipv4, ipv6};
use pipeline::{MemoryFrame, MemoryPort, Worker};
use serde::Serialize;

/// Options of `ferry-bench flood`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// What the flood is of.
    #[arg(value_enum, default_value_t = Kind::Nobody)]
    of: Kind,
    /// Packets a second of the flood, half of them IPv6 [default: 300000 to nobody, 100000 that have expired].
    #[arg(long)]
    rate: Option<u64>,
    /// Packets a second of the established flow.
    #[arg(long, default_value_t = 20_000)]
    flow: u64,
    /// For how many seconds.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// One line of JSON instead of a table.
    #[arg(long)]
    json: bool,
}

/// What a flood is of.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    /// Packets to addresses that nobody has.
    Nobody,
    /// Packets of one host with no hop left, beside another's traceroute and path-MTU discovery.
    Expired,
}

/// What came of it.
#[derive(Debug, Default, Serialize)]
struct Figures {
    offered_a_second: u64,
    flow_sent: u64,
    flow_lost: u64,
    solicitations: u64,
    solicitations_unanswered: u64,
    answer_p99_us: u64,
    answer_max_us: u64,
    questions_a_second_most: u64,
    questions_a_second_allowed: u64,
    resident_growth_kib: u64,
    recovery_ms: u64,
}

/// Runs the flood and prints the figures.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    match options.of {
        Kind::Nobody => {
            let (worker, control) = router(CONFIG)?;
            let figures = Wire::new(worker).measure(options);
            drop(control);
            print(&figures?, options.json)
        }
        Kind::Expired => expired::run(options)?,
    }
    .map_err(|error| error.to_string())
}

/// A worker over two ports in memory, and its control thread, which stops when it is dropped.
fn router(config: &str) -> Result<(Worker<MemoryPort>, RunningControl), String> {
    let config = Config::parse("flood.toml", config).map_err(|error| error.to_string())?;
    let states = config.port_states([LEFT_MAC, RIGHT_MAC]);
    let (publisher, links, counters, mut ends) =
        connect(ForwardingState::without_routes(states.clone()), 1, RingSizes::default());
    let workers = counters.into_iter().map(|counters| WorkerInfo { core: 0, counters }).collect();
    let control = Control::new(Setup::new(&config, states), publisher, workers, Box::new(Memory), Timestamp::ZERO);
    let (asks, requests) = bounded(1);
    let thread =
        ControlThread::spawn(control, links, requests, Instant::now(), ()).map_err(|error| error.to_string())?;
    let ports = vec![MemoryPort::default(), MemoryPort::default()];
    Ok((Worker::new(ports, ends.remove(0)), RunningControl { _thread: thread, _asks: asks }))
}

/// A control thread that nobody asks anything, though somebody could; it stops when this is dropped.
struct RunningControl {
    _thread: ControlThread,
    _asks: Sender<Asked>,
}

/// Whoever is at the other ends of the two ports.
struct Wire {
    worker: Worker<MemoryPort>,
    start: Instant,
    number: u32,
    flow_delivered: u64,
    newcomer_delivered: u64,
    asked_at: Option<Instant>,
    answered_after: Vec<Duration>,
    /// Questions of the router on the right, by second.
    questions: Vec<u64>,
}

impl Wire {
    fn new(worker: Worker<MemoryPort>) -> Self {
        Self {
            worker,
            start: Instant::now(),
            number: 0,
            flow_delivered: 0,
            newcomer_delivered: 0,
            asked_at: None,
            answered_after: Vec::new(),
            questions: Vec::new(),
        }
    }

    fn measure(&mut self, options: &Options) -> Result<Figures, String> {
        // Addresses are tried before they are used, and the server is found.
        let patience = Instant::now() + Duration::from_secs(10);
        while self.flow_delivered < 2 {
            if Instant::now() > patience {
                return Err("the server was not found within ten seconds".to_owned());
            }
            self.flow_delivered = 0;
            self.send(&[udp(ALICE, SERVER, HOPS, SHORT), udp6(ALICE6, SERVER6, HOPS, SHORT)]);
            self.turn_for(Duration::from_millis(200));
        }
        self.turn_for(Duration::from_secs(1));
        let rate = options.rate.unwrap_or(300_000);
        let mut figures = Figures { questions_a_second_allowed: ALLOWED, ..Figures::default() };
        let resident = resident_kib();
        (self.flow_delivered, self.asked_at) = (0, None);
        self.answered_after.clear();
        let begin = Instant::now();
        let (mut offered, mut solicited) = (0, 0);
        while begin.elapsed() < Duration::from_secs(options.seconds) {
            let micros = u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX);
            // What the machine cannot carry is left out, not made up for later.
            let behind = (rate * micros / 1_000_000).saturating_sub(offered).min(AT_ONCE);
            let strangers: Vec<_> = (0..behind).map(|_| self.stranger()).collect();
            self.send(&strangers);
            offered += behind;
            let due = (options.flow * micros / 1_000_000).saturating_sub(figures.flow_sent).min(AT_ONCE);
            let flow: Vec<_> = (0..due).map(|_| udp(ALICE, SERVER, HOPS, SHORT)).collect();
            self.send(&flow);
            figures.flow_sent += due;
            // The next one when the one before has been answered, or has not for a second.
            let is_answered = self.asked_at.is_none_or(|asked| asked.elapsed() > Duration::from_secs(1));
            if micros / 10_000 > solicited && is_answered {
                solicited = micros / 10_000;
                figures.solicitations += 1;
                self.solicit();
            }
            self.turn();
        }
        figures.offered_a_second = offered / options.seconds.max(1);
        figures.resident_growth_kib = resident_kib().saturating_sub(resident);
        figures.recovery_ms = self.recover()?;
        figures.flow_lost = figures.flow_sent.saturating_sub(self.flow_delivered);
        self.answered_after.sort_unstable();
        let answered = self.answered_after.len();
        figures.solicitations_unanswered = figures.solicitations.saturating_sub(answered as u64);
        let micros = |at: usize| self.answered_after.get(at).map_or(0, |wait| wait.as_micros());
        figures.answer_p99_us = u64::try_from(micros(answered * 99 / 100)).unwrap_or(u64::MAX);
        figures.answer_max_us = u64::try_from(micros(answered.saturating_sub(1))).unwrap_or(u64::MAX);
        figures.questions_a_second_most = self.questions.iter().copied().max().unwrap_or(0);
        Ok(figures)
    }

    /// How long after the flood a host that nobody knew is reached.
    fn recover(&mut self) -> Result<u64, String> {
        let end = Instant::now();
        while self.newcomer_delivered == 0 {
            if end.elapsed() > Duration::from_secs(10) {
                return Err("a host that nobody knew was not found within ten seconds after the flood".to_owned());
            }
            self.send(&[udp(ALICE, NEWCOMER, HOPS, SHORT)]);
            self.turn_for(Duration::from_millis(1));
        }
        u64::try_from(end.elapsed().as_millis()).map_err(|error| error.to_string())
    }

    fn stranger(&mut self) -> Vec<u8> {
        self.number += 1;
        let scattered = self.number.wrapping_mul(0x9e37_79b1);
        if self.number.is_multiple_of(2) {
            udp(
                ALICE,
                Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 1, 0, 0)) + 256 + (scattered >> 8) % 65_000),
                HOPS,
                SHORT,
            )
        } else {
            let host = u128::from(scattered) << 16 | 0x1_0000;
            udp6(ALICE6, Ipv6Addr::from(u128::from(SERVER6) & !0xffff | host), HOPS, SHORT)
        }
    }

    fn send(&mut self, packets: &[Vec<u8>]) {
        let frames = packets.iter().map(|packet| framed(ALICE_MAC, LEFT_MAC, packet));
        self.worker.ports_mut()[0].arriving.extend(frames);
    }

    /// Alice asks which station the router is, in turn by ARP and by neighbour discovery.
    fn solicit(&mut self) {
        let mut question = Vec::new();
        let to = if self.answered_after.len().is_multiple_of(2) {
            Arp::request(ALICE_MAC, ALICE, LEFT).append_to(&mut question);
            MacAddr::BROADCAST
        } else {
            let between = Between { source: ALICE6, destination: solicited_node(LEFT6) };
            Solicitation { target: LEFT6, source_mac: Some(ALICE_MAC) }.append_to(between, &mut question);
            MacAddr::of_ipv6_multicast(between.destination)
        };
        self.asked_at = Some(Instant::now());
        self.worker.ports_mut()[0].arriving.push_back(framed(ALICE_MAC, to, &question));
    }

    fn turn_for(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.turn();
        }
    }

    fn turn(&mut self) {
        self.worker.turn();
        let sent: Vec<_> = self.worker.ports_mut().iter_mut().map(|port| std::mem::take(&mut port.sent)).collect();
        for (port, frames) in sent.into_iter().enumerate() {
            for MemoryFrame(frame) in frames {
                self.look_at(port, &frame);
            }
        }
    }

    fn look_at(&mut self, port: usize, frame: &[u8]) {
        let Some((header, payload)) = Header::parse(frame) else { return };
        let is_arp = header.ether_type == EtherType::ARP;
        let message = (!is_arp).then(|| Ipv6::parse(payload).ok().and_then(|packet| Message::parse(&packet).ok()));
        match (port, message.flatten()) {
            (0, None) if is_arp => self.hear(Arp::parse(payload).is_ok_and(|arp| arp.operation == Operation::Reply)),
            (0, Some(message)) => self.hear(matches!(message, Message::Advertisement(told) if told.solicited)),
            (1, None) if is_arp => self.answer_arp(header, payload),
            (1, Some(Message::Solicitation(asked))) => self.answer_solicitation(header, payload, asked),
            (1, None) if header.destination == SERVER_MAC => self.flow_delivered += 1,
            (1, None) if header.destination == NEWCOMER_MAC => self.newcomer_delivered += 1,
            _other => {}
        }
    }

    fn hear(&mut self, is_answer: bool) {
        if is_answer && let Some(asked) = self.asked_at.take() {
            self.answered_after.push(asked.elapsed());
        }
    }

    fn answer_arp(&mut self, header: Header, payload: &[u8]) {
        self.count_question();
        let Ok(asked) = Arp::parse(payload) else { return };
        let Some(mac) =
            [(SERVER, SERVER_MAC), (NEWCOMER, NEWCOMER_MAC)].into_iter().find(|(who, _)| *who == asked.target)
        else {
            return;
        };
        let mut answer = Vec::new();
        asked.answered_by(mac.1).append_to(&mut answer);
        self.worker.ports_mut()[1].arriving.push_back(framed(mac.1, header.source, &answer));
    }

    fn answer_solicitation(&mut self, header: Header, payload: &[u8], asked: Solicitation) {
        self.count_question();
        let Some(packet) = Ipv6::parse(payload).ok().filter(|_packet| asked.target == SERVER6) else { return };
        let (told, destination) = Advertisement::answering(&asked, packet.source(), SERVER_MAC);
        let mut answer = Vec::new();
        told.append_to(Between { source: SERVER6, destination }, &mut answer);
        self.worker.ports_mut()[1].arriving.push_back(framed(SERVER_MAC, header.source, &answer));
    }

    fn count_question(&mut self) {
        let second = usize::try_from(self.start.elapsed().as_secs()).unwrap_or(usize::MAX);
        if self.questions.len() <= second {
            self.questions.resize(second + 1, 0);
        }
        self.questions[second] += 1;
    }
}

fn print(figures: &Figures, json: bool) -> io::Result<()> {
    use std::io::Write;
    let mut out = io::stdout().lock();
    if json {
        return writeln!(out, "{}", serde_json::to_string(figures).map_err(io::Error::other)?);
    }
    let Figures { flow_sent, flow_lost, solicitations, solicitations_unanswered, .. } = figures;
    writeln!(out, "flood                 {:>9} packets a second to nobody", figures.offered_a_second)?;
    writeln!(out, "flow                  {flow_sent:>9} packets, {flow_lost} lost")?;
    writeln!(out, "solicitations         {solicitations:>9} to the router, {solicitations_unanswered} unanswered")?;
    writeln!(
        out,
        "answered after        {:>9} us (99 %), {} us at most",
        figures.answer_p99_us, figures.answer_max_us
    )?;
    let (most, allowed) = (figures.questions_a_second_most, figures.questions_a_second_allowed);
    writeln!(out, "questions a second    {most:>9} at most; {allowed} are allowed, and a tenth of them at once")?;
    writeln!(out, "memory                {:>9} KiB more", figures.resident_growth_kib)?;
    writeln!(out, "recovered after       {:>9} ms", figures.recovery_ms)
}

/// The memory this process has in use, with what it offers.
fn resident_kib() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// A packet of IPv4, IPv6 or ARP in a frame.
fn framed(source: MacAddr, destination: MacAddr, packet: &[u8]) -> MemoryFrame {
    let ether_type = match packet[0] >> 4 {
        4 => EtherType::IPV4,
        6 => EtherType::IPV6,
        _hardware => EtherType::ARP,
    };
    let header = Header { destination, source, ether_type };
    MemoryFrame([&header.to_bytes(), packet].concat())
}

/// A datagram, whole or not at all, with so many hops left.
fn udp(source: Ipv4Addr, destination: Ipv4Addr, ttl: u8, payload: &[u8]) -> Vec<u8> {
    let ip = ipv4::Builder { source, destination, protocol: 17, ttl, tos: 0, identification: 0, dont_fragment: true };
    [&ip.header(payload.len()).expect("it fits an Ethernet frame")[..], payload].concat()
}

fn udp6(source: Ipv6Addr, destination: Ipv6Addr, hop_limit: u8, payload: &[u8]) -> Vec<u8> {
    let ip = ipv6::Builder { source, destination, next_header: 17, hop_limit };
    [&ip.header(payload.len()).expect("it fits an Ethernet frame")[..], payload].concat()
}

/// Ports in memory are always up.
struct Memory;

impl Hardware for Memory {
    fn status(&self, _port: PortId) -> HardwareStatus {
        HardwareStatus { link: Link::Up, driver: "memory".to_owned(), counters: None }
    }
}

/// Most packets of a kind that are offered between two turns of the worker.
const AT_ONCE: u64 = 64;

/// What the configuration below says by saying nothing.
const ALLOWED: u64 = 1000;

/// A payload for the shortest frame.
const SHORT: &[u8] = &[0; 18];

const HOPS: u8 = 64;
const LEFT: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const LEFT6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 1);
const ALICE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 10);
const ALICE6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 0x10);
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 20);
const SERVER6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, 0x20);
const NEWCOMER: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 30);
const LEFT_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
const RIGHT_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);
const ALICE_MAC: MacAddr = MacAddr([2, 0, 0, 0, 1, 0x10]);
const SERVER_MAC: MacAddr = MacAddr([2, 0, 0, 0, 2, 0x20]);
const NEWCOMER_MAC: MacAddr = MacAddr([2, 0, 0, 0, 2, 0x30]);

const CONFIG: &str = r#"
[[port]]
name = "left"
device = "net_null0"
addresses = ["192.0.2.1/24", "2001:db8:1::1/64"]
[[port]]
name = "right"
device = "net_null1"
addresses = ["10.1.0.1/16", "2001:db8:2::1/64"]
"#;
