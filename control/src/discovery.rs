//! Questions about neighbours, theirs and ours, and what is learnt from them: ARP and IPv6 neighbour discovery.
//!
//! Who says where he is, is believed if he can be on the link, is no group, and does not claim an address of ours. He is
//! entered without having been asked only if he talks to us: he will want an answer.

use std::net::IpAddr;

use boundary::PortId;
use packet::arp::{self, Arp};
use packet::ethernet::{EtherType, Header, MacAddr};
use packet::icmpv6::Between;
use packet::ipv6::Ipv6;
use packet::ndp::{self, Advertisement, Message, Solicitation};

use crate::control::{Control, Outbox, Turn};
use crate::icmp::Problem;
use crate::neighbours::{Due, Expired, Heard, Key, Origin};
use crate::packets::Packet;
use crate::ports::PortInfo;
use crate::rib::Way;
use crate::routes::MAIN;
use crate::time::Timestamp;

impl Control {
    /// Tells everybody on the links where our addresses are, for those who remember another station (RFC 5227 section 3,
    /// RFC 4861 section 7.2.6). For the start, once workers can send.
    pub fn announce(&mut self, now: Timestamp, out: &mut dyn Outbox) {
        let turn = &mut Turn { now, out };
        let own = |(id, port): (PortId, &PortInfo)| {
            let addresses = port.addresses.iter().map(|own| own.address());
            let all: Vec<IpAddr> = addresses.chain([port.state.link_local.into()]).collect();
            all.into_iter().map(move |address| (id, address))
        };
        let announced: Vec<_> = self.ports.iter().flat_map(own).collect();
        for (port, address) in announced {
            self.announce_address(port, address, turn);
        }
    }

    fn announce_address(&mut self, port: PortId, address: IpAddr, turn: &mut Turn<'_>) {
        let mac = self.ports.port(port).state.mac;
        let mut message = Vec::new();
        match address {
            IpAddr::V4(address) => {
                Arp::request(mac, address, address).append_to(&mut message);
                self.transmit(port, MacAddr::BROADCAST, EtherType::ARP, &message, turn);
            }
            IpAddr::V6(target) => {
                let told =
                    Advertisement { target, target_mac: Some(mac), router: true, solicited: false, overrides: true };
                let all = ndp::ALL_NODES;
                told.append_to(Between { source: target, destination: all }, &mut message);
                self.transmit(port, MacAddr::of_ipv6_multicast(all), EtherType::IPV6, &message, turn);
            }
        }
    }

    /// ARP came in (RFC 826, "packet reception").
    pub(crate) fn handle_arp(&mut self, port: PortId, message: &[u8], turn: &mut Turn<'_>) {
        let Ok(arp) = Arp::parse(message) else { return };
        let to_us = self.ports.port(port).has(arp.target.into());
        let is_request = arp.operation == arp::Operation::Request;
        let heard = Heard { mac: Some(arp.sender_mac), answers: to_us && !is_request, overrides: true, router: None };
        // RFC 5227 section 2.1.1: a probe has no sender to learn; it is answered all the same.
        if !arp.sender.is_unspecified() && !self.learn((arp.sender.into(), port), heard, to_us && is_request, turn) {
            return;
        }
        if to_us && is_request && !arp.sender_mac.is_multicast() {
            let mac = self.ports.port(port).state.mac;
            let mut answer = Vec::with_capacity(arp::LEN);
            arp.answered_by(mac).append_to(&mut answer);
            self.transmit(port, arp.sender_mac, EtherType::ARP, &answer, turn);
        }
    }

    /// Neighbour discovery came in; whether it was that (RFC 4861 section 7.2).
    pub(crate) fn handle_ndp(&mut self, port: PortId, packet: &Ipv6<'_>, frame: Header, turn: &mut Turn<'_>) -> bool {
        match Message::parse(packet) {
            Ok(Message::Solicitation(asked)) => self.handle_solicitation(port, asked, packet, frame, turn),
            Ok(Message::Advertisement(told)) => {
                let Advertisement { target, target_mac: mac, router, solicited, overrides } = told;
                let heard = Heard { mac, answers: solicited, overrides, router: Some(router) };
                self.learn((target.into(), port), heard, false, turn);
            }
            Err(ndp::NdpError::NotNeighbourDiscovery) => return false,
            // What breaks a rule is discarded in silence.
            Err(_broken) => {}
        }
        true
    }

    fn handle_solicitation(
        &mut self,
        port: PortId,
        asked: Solicitation,
        packet: &Ipv6<'_>,
        frame: Header,
        turn: &mut Turn<'_>,
    ) {
        let asker = packet.source();
        if !self.ports.port(port).has(asked.target.into()) {
            return;
        }
        if let Some(mac) = asked.source_mac {
            let heard = Heard { mac: Some(mac), answers: false, overrides: true, router: None };
            if !self.learn((asker.into(), port), heard, true, turn) {
                return;
            }
        }
        let own = self.ports.port(port).state.mac;
        let (mut answer, destination) = Advertisement::answering(&asked, asker, own);
        // RFC 4861 section 7.2.4: another router may have answered already, and that is as good.
        answer.overrides = !self.ports.port(port).has_anycast(asked.target.into());
        let mut answered = Vec::new();
        answer.append_to(Between { source: asked.target, destination }, &mut answered);
        let to = match asked.source_mac {
            _ if destination.is_multicast() => MacAddr::of_ipv6_multicast(destination),
            Some(mac) => mac,
            None => frame.source,
        };
        self.transmit(port, to, EtherType::IPV6, &answered, turn);
    }

    /// Takes note of where a neighbour is; whether he is to be believed, and answered, at all.
    ///
    /// One that was not known is entered only if he `talks_to_us`.
    fn learn(&mut self, key: Key, heard: Heard, talks_to_us: bool, turn: &mut Turn<'_>) -> bool {
        let (address, port) = key;
        if self.ports.own(address) || self.ports.port(port).has(address) {
            self.counts.address_conflicts += 1;
            return false;
        }
        let is_station = heard.mac.is_none_or(|mac| !mac.is_multicast() && mac != MacAddr::ZERO);
        if !is_station || !self.can_be_neighbour(address, port) {
            return false;
        }
        if let Some((mac, waited)) = self.neighbours.hear(key, heard, talks_to_us, turn.now) {
            self.routes.neighbour_found(address, port, &self.ports.port(port).state, mac);
            for waiting in waited {
                self.leave(port, mac, &waiting.packet, waiting.origin, turn);
            }
        }
        true
    }

    /// Whether the addresses of the port, or a route, say that `address` is on its link.
    pub(crate) fn can_be_neighbour(&self, address: IpAddr, port: PortId) -> bool {
        self.ports.port(port).can_have_neighbour(address)
            || self.routes.sharing(MAIN, address).iter().any(|entry| entry.way() == Way::Link(port))
    }

    /// A neighbour's time has come: ask again, or give up and tell those who waited.
    pub(crate) fn handle_due(&mut self, expired: Expired, turn: &mut Turn<'_>) {
        let Expired { key, due, waited } = expired;
        let (address, port) = key;
        match due {
            Due::AskAll => self.ask(key, None, turn),
            Due::Ask(mac) => self.ask(key, Some(mac), turn),
            Due::Lost => self.routes.neighbour_lost(address, port),
            Due::Nothing | Due::Forget => {}
        }
        for waiting in waited {
            self.counts.neighbour_lost += 1;
            if let (Origin::Received(from), Some(packet)) = (waiting.origin, Packet::parse(&waiting.packet)) {
                self.report(Problem::NoNeighbour, &packet, from, turn);
            }
        }
    }

    /// Asks which station a neighbour is: the one it was, or everybody.
    pub(crate) fn ask(&mut self, key: Key, station: Option<MacAddr>, turn: &mut Turn<'_>) {
        let (target, port) = key;
        let own_mac = self.ports.port(port).state.mac;
        let mut question = Vec::new();
        let (to, ether_type) = match target {
            IpAddr::V4(target) => {
                let Some(IpAddr::V4(own)) = self.ports.speaks_to(target.into(), port) else { return };
                Arp::request(own_mac, own, target).append_to(&mut question);
                (station.unwrap_or(MacAddr::BROADCAST), EtherType::ARP)
            }
            IpAddr::V6(target) => {
                let link_local = self.ports.port(port).state.link_local;
                let source = match self.ports.port(port).speaks_to(target.into()) {
                    Some(IpAddr::V6(own)) => own,
                    Some(IpAddr::V4(_)) | None => link_local,
                };
                let destination = if station.is_some() { target } else { ndp::solicited_node(target) };
                let asked = Solicitation { target, source_mac: Some(own_mac) };
                asked.append_to(Between { source, destination }, &mut question);
                (station.unwrap_or_else(|| MacAddr::of_ipv6_multicast(destination)), EtherType::IPV6)
            }
        };
        self.counts.questions += 1;
        self.transmit(port, to, ether_type, &question, turn);
    }
}
