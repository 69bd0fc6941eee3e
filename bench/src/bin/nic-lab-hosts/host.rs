//! A host at the end of a wire: it knows its router, and answers who looks for it.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use packet::arp::{Arp, Operation};
use packet::ethernet::{EtherType, Header, MacAddr};
use packet::icmpv6::{self, Between};
use packet::ipv6::Ipv6;
use packet::ndp::{Advertisement, Message};

use crate::wire::Wire;

/// A host, as it is set up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Station {
    pub(crate) name: &'static str,
    pub(crate) mac: MacAddr,
    pub(crate) v4: Ipv4Addr,
    pub(crate) v6: Ipv6Addr,
    /// Its router.
    pub(crate) via: Ipv4Addr,
}

/// The one on the left.
pub(crate) const LEFT: Station = Station {
    name: "left",
    mac: MacAddr([2, 0, 0, 0, 1, 0x10]),
    v4: Ipv4Addr::new(192, 0, 2, 10),
    v6: Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 0x10),
    via: Ipv4Addr::new(192, 0, 2, 1),
};

/// The one on the right.
pub(crate) const RIGHT: Station = Station {
    name: "right",
    mac: MacAddr([2, 0, 0, 0, 2, 0x10]),
    v4: Ipv4Addr::new(198, 51, 100, 10),
    v6: Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, 0x10),
    via: Ipv4Addr::new(198, 51, 100, 1),
};

/// A host that is there.
#[derive(Debug)]
pub(crate) struct Host {
    station: Station,
    wire: Wire,
    router: Option<MacAddr>,
}

impl Host {
    pub(crate) fn connect(station: Station, port: u16, deadline: Instant) -> Result<Self, String> {
        let wire = Wire::connect(port, deadline)
            .map_err(|error| format!("no QEMU listens for the wire of {} on TCP port {port}: {error}", station.name))?;
        Ok(Self { station, wire, router: None })
    }

    /// Asks for the router until it answers.
    pub(crate) fn find_router(&mut self, deadline: Instant) -> Result<(), String> {
        let Station { name, mac, v4, via, .. } = self.station;
        while self.router.is_none() {
            if Instant::now() > deadline {
                return Err(format!("the router at {via} never answered the ARP requests of {name}"));
            }
            let mut question = Vec::new();
            Arp::request(mac, v4, via).append_to(&mut question);
            self.send(MacAddr([0xff; 6]), EtherType::ARP, &question);
            let until = Instant::now() + Duration::from_millis(200);
            while Instant::now() < until {
                self.flush()?;
                let _not_for_us = self.receive()?;
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        Ok(())
    }

    pub(crate) fn name(&self) -> &'static str {
        self.station.name
    }

    pub(crate) fn station(&self) -> Station {
        self.station
    }

    /// Where the router is.
    pub(crate) fn router(&self) -> MacAddr {
        self.router.expect("nothing is sent before the router is found")
    }

    /// Sends a packet to `to`.
    pub(crate) fn send(&mut self, to: MacAddr, ether_type: EtherType, packet: &[u8]) {
        let header = Header { destination: to, source: self.station.mac, ether_type };
        let mut frame = [&header.to_bytes(), packet].concat();
        // A card pads its own; an emulated wire carries what it is given.
        frame.resize(frame.len().max(60), 0);
        self.wire.send(&frame);
    }

    /// The next frame that is neither a question nor an answer between neighbours.
    pub(crate) fn receive(&mut self) -> Result<Option<Vec<u8>>, String> {
        while let Some(frame) = self.wire.receive().map_err(|error| self.lost(&error))? {
            if !self.is_between_neighbours(&frame) {
                return Ok(Some(frame));
            }
        }
        Ok(None)
    }

    pub(crate) fn flush(&mut self) -> Result<(), String> {
        self.wire.flush().map_err(|error| self.lost(&error))
    }

    fn lost(&self, error: &std::io::Error) -> String {
        format!("the wire of {} broke: {error}; has the machine stopped?", self.station.name)
    }

    /// Answers a question, learns from an answer.
    fn is_between_neighbours(&mut self, frame: &[u8]) -> bool {
        let Some((header, payload)) = Header::parse(frame) else { return true };
        match header.ether_type {
            EtherType::ARP => {
                if let Ok(arp) = Arp::parse(payload) {
                    self.handle_arp(&arp);
                }
                true
            }
            EtherType::IPV6 => match Ipv6::parse(payload) {
                Ok(packet) if packet.next_header() == icmpv6::PROTOCOL => {
                    self.handle_discovery(&packet, header.source);
                    true
                }
                Ok(_) | Err(_) => false,
            },
            _ => false,
        }
    }

    fn handle_arp(&mut self, arp: &Arp) {
        match arp.operation {
            Operation::Reply if arp.sender == self.station.via => self.router = Some(arp.sender_mac),
            Operation::Request if arp.target == self.station.v4 => {
                let mut answer = Vec::new();
                arp.answered_by(self.station.mac).append_to(&mut answer);
                self.send(arp.sender_mac, EtherType::ARP, &answer);
            }
            Operation::Reply | Operation::Request => {}
        }
    }

    fn handle_discovery(&mut self, packet: &Ipv6<'_>, asker: MacAddr) {
        let Station { mac, v6, .. } = self.station;
        let Ok(Message::Solicitation(question)) = Message::parse(packet) else { return };
        if question.target != v6 {
            return;
        }
        let (answer, to) = Advertisement::answering(&question, packet.source(), mac);
        let mut packet = Vec::new();
        answer.append_to(Between { source: v6, destination: to }, &mut packet);
        self.send(asker, EtherType::IPV6, &packet);
    }
}
