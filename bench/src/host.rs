//! A host at the end of a link: it looks for its router, and answers who looks for it.
//!
//! It holds no link: what it says is handed to the caller, whole frames, to be sent however the caller sends.

use std::net::{Ipv4Addr, Ipv6Addr};

use packet::arp::{Arp, Operation};
use packet::ethernet::{EtherType, Header, MIN_FRAME_LEN, MacAddr};
use packet::icmpv6::{self, Between};
use packet::ipv6::Ipv6;
use packet::ndp::{Advertisement, Message};

/// How a host is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Station {
    /// Its card's address.
    pub mac: MacAddr,
    /// Its address in IPv4.
    pub v4: Ipv4Addr,
    /// Its address in IPv6.
    pub v6: Ipv6Addr,
    /// Its router.
    pub via: Ipv4Addr,
}

/// A host, and what it knows.
#[derive(Debug)]
pub struct Host {
    station: Station,
    router: Option<MacAddr>,
}

/// What a frame was to a host.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    /// A question that it answers with this frame.
    Question(Vec<u8>),
    /// Something else that neighbours say to each other.
    Talk,
    /// A packet of somebody.
    Packet,
}

impl Host {
    /// One that knows nothing yet.
    #[must_use]
    pub fn new(station: Station) -> Self {
        Self { station, router: None }
    }

    /// How it is set up.
    #[must_use]
    pub fn station(&self) -> Station {
        self.station
    }

    /// Where its router is, once that has answered.
    #[must_use]
    pub fn router(&self) -> Option<MacAddr> {
        self.router
    }

    /// Lets it know its router without asking.
    pub fn trust(&mut self, router: MacAddr) {
        self.router = Some(router);
    }

    /// The question that the router answers.
    #[must_use]
    pub fn question(&self) -> Vec<u8> {
        let Station { mac, v4, via, .. } = self.station;
        let mut question = Vec::new();
        Arp::request(mac, v4, via).append_to(&mut question);
        self.framed(MacAddr::BROADCAST, EtherType::ARP, &question)
    }

    /// A packet of its own in a frame, padded to Ethernet's least length: not everything that carries it does so.
    #[must_use]
    pub fn framed(&self, to: MacAddr, ether_type: EtherType, packet: &[u8]) -> Vec<u8> {
        let header = Header { destination: to, source: self.station.mac, ether_type };
        let mut frame = [&header.to_bytes(), packet].concat();
        frame.resize(frame.len().max(MIN_FRAME_LEN), 0);
        frame
    }

    /// Takes a frame: answers a question, learns from an answer.
    pub fn hear(&mut self, frame: &[u8]) -> Heard {
        let Some((header, payload)) = Header::parse(frame) else { return Heard::Talk };
        match header.ether_type {
            EtherType::ARP => Arp::parse(payload).map_or(Heard::Talk, |arp| self.hear_arp(&arp)),
            EtherType::IPV6 => match Ipv6::parse(payload) {
                Ok(packet) if packet.next_header() == icmpv6::PROTOCOL => self.hear_discovery(&packet, header.source),
                Ok(_) | Err(_) => Heard::Packet,
            },
            _ => Heard::Packet,
        }
    }

    fn hear_arp(&mut self, arp: &Arp) -> Heard {
        match arp.operation {
            Operation::Reply if arp.sender == self.station.via => self.router = Some(arp.sender_mac),
            Operation::Request if arp.target == self.station.v4 => {
                let mut answer = Vec::new();
                arp.answered_by(self.station.mac).append_to(&mut answer);
                return Heard::Question(self.framed(arp.sender_mac, EtherType::ARP, &answer));
            }
            Operation::Reply | Operation::Request => {}
        }
        Heard::Talk
    }

    fn hear_discovery(&self, packet: &Ipv6<'_>, asker: MacAddr) -> Heard {
        let Station { mac, v6, .. } = self.station;
        let Ok(Message::Solicitation(question)) = Message::parse(packet) else { return Heard::Talk };
        if question.target != v6 {
            return Heard::Talk;
        }
        let (answer, to) = Advertisement::answering(&question, packet.source(), mac);
        let mut packet = Vec::new();
        answer.append_to(Between { source: v6, destination: to }, &mut packet);
        Heard::Question(self.framed(asker, EtherType::IPV6, &packet))
    }
}

#[cfg(test)]
mod tests {
    use packet::ndp::{Solicitation, solicited_node};

    use super::*;

    const ROUTER: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
    const ROUTER6: Ipv6Addr = Ipv6Addr::new(0x2001, 2, 0, 1, 0, 0, 0, 1);

    fn host() -> Host {
        Host::new(Station {
            mac: MacAddr([2, 0, 0, 0, 0, 9]),
            v4: Ipv4Addr::new(198, 18, 0, 2),
            v6: Ipv6Addr::new(0x2001, 2, 0, 1, 0, 0, 0, 2),
            via: Ipv4Addr::new(198, 18, 0, 1),
        })
    }

    fn frame(ether_type: EtherType, packet: &[u8]) -> Vec<u8> {
        let header = Header { destination: MacAddr::BROADCAST, source: ROUTER, ether_type };
        [&header.to_bytes(), packet].concat()
    }

    #[test]
    fn the_answer_to_its_question_tells_it_where_its_router_is() {
        let mut host = host();
        let question = host.question();
        let (header, payload) = Header::parse(&question).unwrap();
        assert_eq!((header.destination, header.ether_type), (MacAddr::BROADCAST, EtherType::ARP));
        let mut answer = Vec::new();
        Arp::parse(payload).unwrap().answered_by(ROUTER).append_to(&mut answer);
        assert_eq!(host.hear(&frame(EtherType::ARP, &answer)), Heard::Talk);
        assert_eq!(host.router(), Some(ROUTER));
    }

    #[test]
    fn it_answers_who_looks_for_its_addresses_and_nobody_else() {
        let mut host = host();
        for (target, answers) in [(host.station().v4, true), (Ipv4Addr::new(198, 18, 0, 3), false)] {
            let mut question = Vec::new();
            Arp::request(ROUTER, Ipv4Addr::new(198, 18, 0, 1), target).append_to(&mut question);
            let heard = host.hear(&frame(EtherType::ARP, &question));
            assert_eq!(matches!(heard, Heard::Question(_)), answers, "{target}");
        }
        for (target, answers) in [(host.station().v6, true), (ROUTER6, false)] {
            let between = Between { source: ROUTER6, destination: solicited_node(target) };
            let mut question = Vec::new();
            Solicitation { target, source_mac: Some(ROUTER) }.append_to(between, &mut question);
            let heard = host.hear(&frame(EtherType::IPV6, &question));
            assert_eq!(matches!(heard, Heard::Question(_)), answers, "{target}");
        }
    }

    #[test]
    fn a_packet_of_somebody_is_left_to_the_caller() {
        assert_eq!(host().hear(&frame(EtherType::IPV4, &[0x45; 40])), Heard::Packet);
    }
}
