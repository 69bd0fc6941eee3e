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
use packet::ndp::{self, Advertisement, Message, RouterSolicitation, Solicitation};

use crate::control::{Control, Turn};
use crate::icmp::Problem;
use crate::neighbours::{Due, Expired, Heard, Key, Origin};
use crate::packets::Packet;
use crate::rib::Way;

impl Control {
    /// ARP came in (RFC 826, "packet reception").
    pub(crate) fn handle_arp(&mut self, port: PortId, message: &[u8], turn: &mut Turn<'_>) {
        let Ok(arp) = Arp::parse(message) else { return };
        let own_mac = self.ports.port(port).state.mac;
        // Our own, come back.
        if arp.sender_mac == own_mac {
            return;
        }
        let to_us = self.ports.port(port).has(arp.target.into());
        let is_request = arp.operation == arp::Operation::Request;
        let is_probe = arp.sender.is_unspecified();
        let for_another = is_request && !to_us && !is_probe && self.answers_for(arp.target.into(), port);
        let heard = Heard { mac: Some(arp.sender_mac), answers: to_us && !is_request, overrides: true, router: None };
        let may_enter = is_request && (to_us || for_another);
        // RFC 5227 section 2.1.1: a probe has no sender to learn; it is answered all the same.
        if !is_probe && !self.learn((arp.sender.into(), port), heard, may_enter, turn) {
            return;
        }
        if is_request && (to_us || for_another) && !arp.sender_mac.is_multicast() {
            self.counts.proxied += u64::from(for_another);
            let mut answer = Vec::with_capacity(arp::LEN);
            arp.answered_by(own_mac).append_to(&mut answer);
            self.transmit(port, arp.sender_mac, EtherType::ARP, &answer, turn);
        }
    }

    /// Whether hosts on the link of a port are to think that `address` is there, though it is behind another: a port does so
    /// that is told to, for what it would forward (RFC 1027, RFC 4861 section 7.2.8).
    fn answers_for(&self, address: IpAddr, port: PortId) -> bool {
        let settings = &self.presence.settings(port).neighbours;
        let is_told = match address {
            IpAddr::V4(_) => settings.proxy_arp,
            IpAddr::V6(_) => settings.proxy_nd.iter().any(|network| network.contains(address)),
        };
        let is_elsewhere = || match self.routes.towards(self.routes.fib_of(port), address).map(|entry| entry.way()) {
            Some(Way::Link(other) | Way::Gateway(other, _)) => other != port,
            _ => false,
        };
        is_told && is_elsewhere()
    }

    /// Neighbour discovery came in; whether it was that (RFC 4861 section 7.2).
    pub(crate) fn handle_ndp(&mut self, port: PortId, packet: &Ipv6<'_>, frame: Header, turn: &mut Turn<'_>) -> bool {
        match Message::parse(packet) {
            Ok(Message::Solicitation(asked)) => self.handle_solicitation(port, asked, packet, frame, turn),
            // Our own, come back.
            Ok(Message::Advertisement(_)) if frame.source == self.ports.port(port).state.mac => {}
            Ok(Message::Advertisement(told)) => {
                let Advertisement { target, target_mac: mac, router, solicited, overrides } = told;
                let heard = Heard { mac, answers: solicited, overrides, router: Some(router) };
                self.learn((target.into(), port), heard, false, turn);
            }
            Ok(Message::RouterSolicitation(asked)) => self.handle_router_solicitation(port, asked, packet, turn),
            Ok(Message::RouterAdvertisement(_)) if frame.source == self.ports.port(port).state.mac => {}
            Ok(Message::RouterAdvertisement(heard)) => self.router_heard(port, packet.source(), heard),
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
        let target = IpAddr::from(asked.target);
        let is_ours = self.ports.port(port).has(target);
        // RFC 4862 section 5.4.3: until we know that it is ours, others may ask; one who tries it, too, has it.
        if is_ours && !self.ports.is_usable(target, port) {
            if asker.is_unspecified() {
                self.address_tried((target, port), Solicitation::nonce_in(packet), turn);
            }
            return;
        }
        let for_another = !is_ours && self.answers_for(target, port);
        let own = self.ports.port(port).state.mac;
        if !is_ours && !for_another || frame.source == own {
            return;
        }
        if let Some(mac) = asked.source_mac {
            let heard = Heard { mac: Some(mac), answers: false, overrides: true, router: None };
            if !self.learn((asker.into(), port), heard, true, turn) {
                return;
            }
        }
        self.counts.proxied += u64::from(for_another);
        let (mut answer, destination) = Advertisement::answering(&asked, asker, own);
        // RFC 4861 sections 7.2.4 and 7.2.8: another router may have answered already, or the host itself may be there.
        answer.overrides = !for_another && !self.ports.port(port).has_anycast(target);
        let source = match for_another {
            true => self.ports.port(port).state.link_local,
            false => asked.target,
        };
        let mut answered = Vec::new();
        answer.append_to(Between { source, destination }, &mut answered);
        let to = match asked.source_mac {
            _ if destination.is_multicast() => MacAddr::of_ipv6_multicast(destination),
            Some(mac) => mac,
            None => frame.source,
        };
        self.transmit(port, to, EtherType::IPV6, &answered, turn);
    }

    /// Who asks for routers is no router himself, and where he says he is (RFC 4861 section 6.2.6).
    fn handle_router_solicitation(
        &mut self,
        port: PortId,
        asked: RouterSolicitation,
        packet: &Ipv6<'_>,
        turn: &mut Turn<'_>,
    ) {
        if let Some(mac) = asked.source_mac {
            let heard = Heard { mac: Some(mac), answers: false, overrides: true, router: Some(false) };
            if !self.learn(
                (packet.source().into(), port),
                heard,
                self.presence.settings(port).advertisements.is_some(),
                turn,
            ) {
                return;
            }
        }
        self.router_wanted(port, turn.now);
    }

    /// Takes note of where a neighbour is; whether he is to be believed, and answered, at all.
    ///
    /// One that was not known is entered only if he `talks_to_us`.
    fn learn(&mut self, key: Key, heard: Heard, talks_to_us: bool, turn: &mut Turn<'_>) -> bool {
        let (address, port) = key;
        if self.ports.own(address) || self.ports.port(port).has(address) {
            if heard.mac != Some(self.ports.port(port).state.mac) {
                self.address_claimed(key, turn);
            }
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
            || self.routes.sharing(self.routes.fib_of(port), address).iter().any(|entry| entry.way() == Way::Link(port))
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
                let source = match self.ports.speaks_on(target.into(), port) {
                    Some(IpAddr::V6(own)) => own,
                    // RFC 4862 section 5.4: nobody is asked as an address that may be another's.
                    Some(IpAddr::V4(_)) | None if !self.ports.is_usable(link_local.into(), port) => return,
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

    /// Makes a neighbour's MAC address up, for captures.
    pub(crate) fn assume(&mut self, port: PortId, address: IpAddr) {
        self.set_permanent(port, address, assumed_mac(address));
    }
}

/// A made-up station for an address: locally administered, the same every time, and telling which address it is for.
const fn assumed_mac(address: IpAddr) -> MacAddr {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            MacAddr([0x02, 0x04, a, b, c, d])
        }
        IpAddr::V6(address) => {
            let [.., a, b, c, d] = address.octets();
            MacAddr([0x02, 0x06, a, b, c, d])
        }
    }
}
