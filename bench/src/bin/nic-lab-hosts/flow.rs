//! Numbered packets from one host to the other, and what became of them.

use std::fmt::{self, Display};

use bench::host::Station;
use packet::ethernet::{EtherType, Header};
use packet::ipv4::{self, Ipv4};
use packet::ipv6::{self, Ipv6};
use serde::Serialize;

use crate::host::Host;

/// One direction and family.
#[derive(Debug)]
pub(crate) struct Flow {
    number: u8,
    family: Family,
    /// The places of its ends among the hosts.
    ends: (usize, usize),
    stations: (Station, Station),
    names: (&'static str, &'static str),
    /// Whether a packet has come through yet.
    is_open: bool,
    sent: u32,
    received: u32,
    /// What was wrong with packets that came out, and with how many.
    misplaced: u32,
    wrong_hops: u32,
    wrong_station: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Ipv4,
    Ipv6,
}

/// What became of a flow.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    flow: String,
    sent: u32,
    received: u32,
    /// Came before or after its turn, or twice.
    misplaced: u32,
    /// Came with other than one hop less.
    wrong_hops: u32,
    /// Came from another station than the router's, or to another than the host's.
    wrong_station: u32,
}

impl Flow {
    /// Both families in both directions.
    pub(crate) fn between(hosts: &[Host; 2]) -> Vec<Self> {
        let directions =
            [(Family::Ipv4, (0, 1)), (Family::Ipv6, (0, 1)), (Family::Ipv4, (1, 0)), (Family::Ipv6, (1, 0))];
        (0..)
            .zip(directions)
            .map(|(number, (family, ends))| Self {
                number,
                family,
                ends,
                stations: (hosts[ends.0].station(), hosts[ends.1].station()),
                names: (hosts[ends.0].name(), hosts[ends.1].name()),
                is_open: false,
                sent: 0,
                received: 0,
                misplaced: 0,
                wrong_hops: 0,
                wrong_station: 0,
            })
            .collect()
    }

    pub(crate) fn from(&self) -> usize {
        self.ends.0
    }

    pub(crate) fn to(&self) -> usize {
        self.ends.1
    }

    pub(crate) fn is_open(&self) -> bool {
        self.is_open
    }

    /// Whether packets that were sent have not come out yet.
    pub(crate) fn is_waiting(&self) -> bool {
        self.received < self.sent
    }

    /// Sends a packet that is not counted.
    pub(crate) fn knock(&self, host: &mut Host) -> Result<(), String> {
        self.send_numbered(host, KNOCK)
    }

    /// Sends the next packet.
    pub(crate) fn send(&mut self, host: &mut Host) -> Result<(), String> {
        self.send_numbered(host, self.sent)?;
        self.sent += 1;
        Ok(())
    }

    /// Whether a frame carries a packet of this flow.
    pub(crate) fn is_of(&self, frame: &[u8]) -> bool {
        self.read(frame).is_some()
    }

    /// Notes a packet that came out at `host`.
    pub(crate) fn check(&mut self, frame: &[u8], host: &Host) {
        let Some(Arrived { header, hops, number }) = self.read(frame) else { return };
        self.is_open = true;
        if number == KNOCK {
            return;
        }
        self.misplaced += u32::from(number != self.received);
        self.wrong_hops += u32::from(hops != HOPS - 1);
        self.wrong_station += u32::from(header.source != host.router() || header.destination != host.station().mac);
        self.received += 1;
    }

    pub(crate) fn report(&self) -> Report {
        let Self { sent, received, misplaced, wrong_hops, wrong_station, .. } = *self;
        Report { flow: self.to_string(), sent, received, misplaced, wrong_hops, wrong_station }
    }

    fn send_numbered(&self, host: &mut Host, number: u32) -> Result<(), String> {
        let (from, to) = self.stations;
        let payload = [&UDP_HEADER[..], MARK, &[self.number], &number.to_be_bytes()].concat();
        let (ether_type, header) = match self.family {
            Family::Ipv4 => {
                let header = ipv4::Builder {
                    source: from.v4,
                    destination: to.v4,
                    protocol: UDP,
                    ttl: HOPS,
                    tos: 0,
                    identification: 0,
                    dont_fragment: true,
                };
                (EtherType::IPV4, header.header(payload.len()).map(Vec::from))
            }
            Family::Ipv6 => {
                let header = ipv6::Builder { source: from.v6, destination: to.v6, next_header: UDP, hop_limit: HOPS };
                (EtherType::IPV6, header.header(payload.len()).map(Vec::from))
            }
        };
        let header = header.expect("the payload is short");
        host.send(ether_type, &[header, payload].concat());
        host.flush()
    }

    /// What a frame carries, if it is a packet of this flow and whole.
    fn read(&self, frame: &[u8]) -> Option<Arrived> {
        let (header, packet) = Header::parse(frame)?;
        let (hops, payload) = match (self.family, header.ether_type) {
            (Family::Ipv4, EtherType::IPV4) => {
                let packet = Ipv4::parse(packet).ok()?;
                (packet.destination() == self.stations.1.v4).then(|| (packet.ttl(), packet.payload()))?
            }
            (Family::Ipv6, EtherType::IPV6) => {
                let packet = Ipv6::parse(packet).ok()?;
                (packet.destination() == self.stations.1.v6).then(|| (packet.hop_limit(), packet.payload()))?
            }
            _ => return None,
        };
        let number = payload.strip_prefix(&UDP_HEADER)?.strip_prefix(MARK)?.strip_prefix(&[self.number])?;
        Some(Arrived { header, hops, number: u32::from_be_bytes(*number.first_chunk()?) })
    }
}

impl Report {
    /// Whether every packet came out as it should.
    pub(crate) fn is_perfect(&self) -> bool {
        self.sent > 0 && self.received == self.sent && self.misplaced + self.wrong_hops + self.wrong_station == 0
    }
}

impl Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = match self.family {
            Family::Ipv4 => "IPv4",
            Family::Ipv6 => "IPv6",
        };
        write!(f, "{family} {} to {}", self.names.0, self.names.1)
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { flow, sent, received, misplaced, wrong_hops, wrong_station } = self;
        write!(f, "{flow}: sent {sent}, received {received}")?;
        if self.is_perfect() {
            return write!(f, ", all in their places, one hop less");
        }
        write!(f, "; out of place {misplaced}, wrong hops {wrong_hops}, wrong station {wrong_station}")
    }
}

/// A packet that came out.
struct Arrived {
    header: Header,
    hops: u8,
    number: u32,
}

const UDP: u8 = 17;

/// From and to the discard port, of 8 bytes and what follows; without a checksum, which nobody on the way looks at.
const UDP_HEADER: [u8; 8] = [0, 9, 0, 9, 0, 23, 0, 0];

/// By which our packets are known.
const MARK: &[u8] = b"ferry lab:";

const HOPS: u8 = 64;

/// The number of packets that are not counted.
const KNOCK: u32 = u32::MAX;
