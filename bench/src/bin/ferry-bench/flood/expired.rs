//! What a flood that asks for answers costs another host's answers (RFC 1812 4.3.2.8, RFC 4443 2.4): packets with no hop left
//! from one host, and beside them one traceroute and one path-MTU discovery of its neighbour, in both families.
//!
//! The neighbour sends its next probe when the one before has been answered, or has not for a second: that one is lost.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use packet::ethernet::{Header, MacAddr};
use packet::icmpv4::{self, Icmpv4};
use packet::icmpv6::{self, Icmpv6};
use packet::ipv4::Ipv4;
use packet::ipv6::Ipv6;
use pipeline::{MemoryFrame, MemoryPort, Worker};
use serde::Serialize;

use super::{ALICE, ALICE_MAC, ALICE6, AT_ONCE, HOPS, LEFT_MAC, Options, SERVER6, SHORT, framed, router, udp, udp6};

/// Runs the flood and prints the figures.
pub(super) fn run(options: &Options) -> Result<io::Result<()>, String> {
    let (worker, control) = router(CONFIG)?;
    let figures = Street { worker, flooder_told: 0, answer: None }.measure(options);
    drop(control);
    Ok(print(&figures, options.json))
}

/// What came of it.
#[derive(Debug, Default, Serialize)]
struct Figures {
    offered_a_second: u64,
    flooder_answers_a_second: u64,
    probes: u64,
    probes_unanswered: u64,
    answer_p99_us: u64,
    answer_max_us: u64,
}

/// The link on the left, with the host that floods and its neighbour.
struct Street {
    worker: Worker<MemoryPort>,
    flooder_told: u64,
    /// What the neighbour was told since its last probe: the kind and the code of the error.
    answer: Option<(u8, u8)>,
}

impl Street {
    fn measure(&mut self, options: &Options) -> Figures {
        // Addresses are tried before they are used.
        let settled = Instant::now() + Duration::from_secs(3);
        while Instant::now() < settled {
            self.turn();
        }
        let rate = options.rate.unwrap_or(100_000);
        let (mut offered, mut number) = (0, 0_u16);
        let (mut figures, mut waits) = (Figures::default(), Vec::new());
        let mut waiting: Option<(Instant, (u8, u8))> = None;
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(options.seconds) || waiting.is_some() {
            let micros = u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX);
            // What the machine cannot carry is left out, not made up for later.
            let behind = (rate * micros / 1_000_000).saturating_sub(offered).min(AT_ONCE);
            for _ in 0..behind {
                number = number.wrapping_add(1);
                let packet = if number.is_multiple_of(2) {
                    udp(ALICE, SERVER, 1, SHORT)
                } else {
                    udp6(ALICE6, SERVER6, 1, SHORT)
                };
                self.send(ALICE_MAC, &packet);
            }
            offered += behind;
            match waiting {
                Some((sent, expected)) if self.answer == Some(expected) => {
                    waits.push(sent.elapsed());
                    waiting = None;
                }
                Some((sent, _)) if sent.elapsed() > Duration::from_secs(1) => {
                    figures.probes_unanswered += 1;
                    waiting = None;
                }
                Some(_) => {}
                None if micros / EVERY_US >= figures.probes
                    && begin.elapsed() < Duration::from_secs(options.seconds) =>
                {
                    let (packet, expected) = probe(figures.probes);
                    figures.probes += 1;
                    self.answer = None;
                    self.send(BOB_MAC, &packet);
                    waiting = Some((Instant::now(), expected));
                }
                None => {}
            }
            self.turn();
        }
        let micros =
            |wait: Option<&Duration>| wait.map_or(0, |wait| u64::try_from(wait.as_micros()).unwrap_or(u64::MAX));
        waits.sort_unstable();
        figures.offered_a_second = offered / options.seconds.max(1);
        figures.flooder_answers_a_second = self.flooder_told / options.seconds.max(1);
        figures.answer_p99_us = micros(waits.get(waits.len() * 99 / 100));
        figures.answer_max_us = micros(waits.last());
        figures
    }

    fn send(&mut self, source: MacAddr, packet: &[u8]) {
        self.worker.ports_mut()[0].arriving.push_back(framed(source, LEFT_MAC, packet));
    }

    fn turn(&mut self) {
        self.worker.turn();
        self.worker.ports_mut()[1].sent.clear();
        for MemoryFrame(frame) in std::mem::take(&mut self.worker.ports_mut()[0].sent) {
            let Some((header, payload)) = Header::parse(&frame) else { continue };
            match (header.destination, error(payload)) {
                (ALICE_MAC, Some(_)) => self.flooder_told += 1,
                (BOB_MAC, answer @ Some(_)) => self.answer = answer,
                _other => {}
            }
        }
    }
}

/// The neighbour's next packet, and the kind and the code of the error that it is to be told.
fn probe(number: u64) -> (Vec<u8>, (u8, u8)) {
    match number % 4 {
        0 => (udp(BOB, SERVER, 1, SHORT), (icmpv4::kind::TIME_EXCEEDED, 0)),
        1 => (udp(BOB, SERVER, HOPS, LONG), (icmpv4::kind::UNREACHABLE, 4)),
        2 => (udp6(BOB6, SERVER6, 1, SHORT), (icmpv6::kind::TIME_EXCEEDED, 0)),
        _ => (udp6(BOB6, SERVER6, HOPS, LONG), (icmpv6::kind::PACKET_TOO_BIG, 0)),
    }
}

/// The kind and the code of an error, if a packet is one.
fn error(packet: &[u8]) -> Option<(u8, u8)> {
    if let Ok(packet) = Ipv4::parse(packet) {
        let message = Icmpv4::parse(packet.payload()).ok()?;
        return icmpv4::is_error(message.kind()).then(|| (message.kind(), message.code()));
    }
    let packet = Ipv6::parse(packet).ok()?;
    let message = Icmpv6::parse(packet.payload(), packet.source(), packet.destination()).ok()?;
    icmpv6::is_error(message.kind()).then(|| (message.kind(), message.code()))
}

fn print(figures: &Figures, json: bool) -> io::Result<()> {
    use std::io::Write;
    let mut out = io::stdout().lock();
    if json {
        return writeln!(out, "{}", serde_json::to_string(figures).map_err(io::Error::other)?);
    }
    let Figures { probes, probes_unanswered, .. } = figures;
    writeln!(out, "flood                 {:>9} packets a second with no hop left", figures.offered_a_second)?;
    writeln!(out, "told to the flooder   {:>9} answers a second", figures.flooder_answers_a_second)?;
    writeln!(out, "the neighbour's       {probes:>9} probes, {probes_unanswered} unanswered")?;
    writeln!(out, "answered after        {:>9} us (99 %), {} us at most", figures.answer_p99_us, figures.answer_max_us)
}

/// From one probe of the neighbour to the next, in microseconds: as traceroute and a host that looks for its MTU send them.
const EVERY_US: u64 = 50_000;

/// More than the link on the right takes.
const LONG: &[u8] = &[0; 1400];
const BOB: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 11);
const BOB6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 0x11);
const BOB_MAC: MacAddr = MacAddr([2, 0, 0, 0, 1, 0x11]);
const SERVER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 20);

const CONFIG: &str = r#"
[[port]]
name = "left"
device = "net_null0"
addresses = ["192.0.2.1/24", "2001:db8:1::1/64"]
[[port]]
name = "right"
device = "net_null1"
mtu = 1280
addresses = ["198.51.100.1/24", "2001:db8:2::1/64"]

[[neighbour]]
port = "left"
address = "192.0.2.10"
mac = "02:00:00:00:01:10"
[[neighbour]]
port = "left"
address = "2001:db8:1::10"
mac = "02:00:00:00:01:10"
[[neighbour]]
port = "left"
address = "192.0.2.11"
mac = "02:00:00:00:01:11"
[[neighbour]]
port = "left"
address = "2001:db8:1::11"
mac = "02:00:00:00:01:11"
[[neighbour]]
port = "right"
address = "198.51.100.20"
mac = "02:00:00:00:02:20"
[[neighbour]]
port = "right"
address = "2001:db8:2::20"
mac = "02:00:00:00:02:20"
"#;
