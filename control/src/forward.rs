//! The slow way through the router: packets a worker could not forward, and our own.
//!
//! Every packet that comes up is decided again from the start, with the newest routes: while it was on its way up its
//! neighbour may have been found, or its route may have gone. So there is one way through here whatever the reason was.

use std::net::IpAddr;

use boundary::{Mtu, PortId};
use packet::ethernet::{EtherType, Header, MacAddr};
use packet::fragment::fragment;
use packet::fragment_v6;
use packet::ipv4::{self, Ipv4};
use packet::ipv6::{self, Ipv6};

use crate::control::{Control, Turn};
use crate::icmp::Problem;
use crate::neighbours::{Key, Origin, Wanted};
use crate::packets::{Packet, is_link_local};
use crate::rib::Way;

impl Control {
    /// Decides a packet in transit that came in through `from`, in the order of RFC 1812 section 5.2.1.
    pub(crate) fn forward(&mut self, packet: Packet<'_>, from: PortId, frame: Header, turn: &mut Turn<'_>) {
        let destination = packet.destination();
        let is_unicast_frame = !frame.destination.is_multicast();
        if destination.is_multicast() || is_link_local(destination) || !is_unicast_frame {
            return;
        }
        let way = self.way_of_packet(&packet, from, turn.now);
        if matches!(way, Some(Way::Local | Way::Anycast)) {
            self.deliver(packet, from, frame, turn);
            return;
        }
        // RFC 1812 section 5.3.1, RFC 4443 section 3.3: the last hop there was brought it here.
        if packet.hops() <= 1 {
            self.report(Problem::HopsExceeded, &packet, from, turn);
            return;
        }
        // RFC 4443 section 3.1: back where it came from, it would go to and fro.
        if way == Some(Way::Link(from)) && self.ports.port(from).is_between_routers(destination) {
            self.report(Problem::NoNeighbour, &packet, from, turn);
            return;
        }
        let neighbour = match way {
            Some(Way::Link(port)) => (destination, port),
            Some(Way::Gateway(port, gateway)) => (gateway, port),
            Some(Way::Station(port, mac, _)) => {
                return self.leave(port, mac, packet.bytes(), Origin::Received(from), turn);
            }
            Some(Way::Unreachable) => return self.report(Problem::Unreachable, &packet, from, turn),
            Some(Way::Prohibited) => return self.report(Problem::Prohibited, &packet, from, turn),
            None => {
                self.packet_missed(self.routes.fib_of(from), destination, turn.now);
                return self.report(Problem::NoRoute, &packet, from, turn);
            }
            Some(Way::Local | Way::Anycast | Way::Broadcast | Way::Blackhole) => return,
        };
        if neighbour.1 == from {
            self.tell_nearer_way(&packet, from, turn);
        }
        self.send_to(neighbour, packet.bytes(), Origin::Received(from), turn);
    }

    /// Sends a packet of our own; one to a link-local address goes out of `port`, any other where the routes lead.
    pub(crate) fn originate(&mut self, packet: Vec<u8>, destination: IpAddr, port: PortId, turn: &mut Turn<'_>) {
        let neighbour = match self.routes.way(self.routes.fib_of(port), destination, &packet) {
            _ if is_link_local(destination) => (destination, port),
            Some(Way::Link(port)) => (destination, port),
            Some(Way::Gateway(port, gateway)) => (gateway, port),
            Some(Way::Station(port, mac, _)) => return self.leave(port, mac, &packet, Origin::Ours, turn),
            Some(Way::Local | Way::Anycast | Way::Broadcast | Way::Blackhole | Way::Unreachable | Way::Prohibited)
            | None => return,
        };
        self.send_to(neighbour, &packet, Origin::Ours, turn);
    }

    /// Sends a packet to a neighbour, once it is known which station that is.
    fn send_to(&mut self, neighbour: Key, packet: &[u8], origin: Origin, turn: &mut Turn<'_>) {
        let (address, port) = neighbour;
        if self.assume_neighbours && self.neighbours.has_room_for(neighbour) {
            self.assume(port, address);
        }
        match self.neighbours.want(neighbour, packet, origin, turn.now) {
            Wanted::Known(mac) => self.leave(port, mac, packet, origin, turn),
            Wanted::Ask => self.ask(neighbour, None, turn),
            Wanted::Waits => {}
            Wanted::Refused => self.counts.neighbour_refused += 1,
        }
    }

    /// Sends a packet to a station: a hop less, if it is not ours, and in pieces, if it has to and may be.
    pub(crate) fn leave(&mut self, port: PortId, mac: MacAddr, packet: &[u8], origin: Origin, turn: &mut Turn<'_>) {
        let mtu = self.mtu_of_path(port, packet, origin);
        let mut leaving = packet.to_vec();
        if matches!(origin, Origin::Received(_)) {
            take_hop(&mut leaving);
        }
        match Packet::parse(&leaving) {
            None => {}
            Some(Packet::V4(_)) if leaving.len() <= usize::from(mtu) => {
                self.transmit(port, mac, EtherType::IPV4, &leaving, turn);
            }
            Some(Packet::V6(_)) if leaving.len() <= usize::from(mtu) => {
                self.transmit(port, mac, EtherType::IPV6, &leaving, turn);
            }
            Some(Packet::V4(view)) if !view.dont_fragment() => self.leave_in_pieces(port, mac, &view, mtu, turn),
            Some(Packet::V6(view)) if origin == Origin::Ours => self.leave_in_pieces_v6(port, mac, &view, mtu, turn),
            Some(Packet::V4(_) | Packet::V6(_)) => {
                // Quoted as it came: the receiver of the report looks for what it sent.
                if let (Origin::Received(from), Some(packet)) = (origin, Packet::parse(packet)) {
                    self.report(Problem::TooBig { mtu }, &packet, from, turn);
                }
            }
        }
    }

    /// The longest packet that the way of this one carries: what its port does, or its route, if that says less.
    fn mtu_of_path(&self, port: PortId, packet: &[u8], origin: Origin) -> u16 {
        let carried = self.ports.port(port).state.mtu.bytes();
        let (Origin::Received(from), Some(view)) = (origin, Packet::parse(packet)) else { return carried };
        let route = self.routes.of_packet(self.routes.fib_of(from), view.destination(), packet);
        let limit = route.map(|entry| entry.metrics().mtu).filter(|mtu| *mtu > 0);
        limit.and_then(|mtu| u16::try_from(mtu).ok()).map_or(carried, |mtu| mtu.max(Mtu::MIN).min(carried))
    }

    fn leave_in_pieces(&mut self, port: PortId, mac: MacAddr, packet: &Ipv4<'_>, mtu: u16, turn: &mut Turn<'_>) {
        // What cannot be cut after all has a header as long as the link, or reaches beyond what anyone can put together.
        let _uncuttable = fragment(packet, mtu, &mut Vec::new(), |piece| {
            self.transmit(port, mac, EtherType::IPV4, piece, turn);
        });
    }

    /// RFC 8200 section 4.5: whoever sends an IPv6 packet cuts it, and nobody else.
    fn leave_in_pieces_v6(&mut self, port: PortId, mac: MacAddr, packet: &Ipv6<'_>, mtu: u16, turn: &mut Turn<'_>) {
        let identification = self.next_identification().into();
        fragment_v6::fragment(packet, mtu, identification, |piece| {
            self.transmit(port, mac, EtherType::IPV6, piece, turn);
        });
    }

    /// Hands a frame to the outbox.
    pub(crate) fn transmit(
        &mut self,
        port: PortId,
        to: MacAddr,
        ether_type: EtherType,
        payload: &[u8],
        turn: &mut Turn<'_>,
    ) {
        let header = Header { destination: to, source: self.ports.port(port).state.mac, ether_type };
        turn.out.send(port, &[&header.to_bytes(), payload].concat());
    }
}

/// Takes a hop off a packet that has at least one left.
fn take_hop(packet: &mut [u8]) {
    match packet.first().map(|first| first >> 4) {
        Some(4) => packet.first_chunk_mut().into_iter().for_each(ipv4::decrement_ttl),
        Some(6) => packet.first_chunk_mut().into_iter().for_each(ipv6::decrement_hop_limit),
        _ => {}
    }
}
