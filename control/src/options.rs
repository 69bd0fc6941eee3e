//! IPv4 packets with options: the slow way, and what a router fills in on it (RFC 1812 section 5.3.13).
//!
//! A recorded route and a time stamp are filled in, what makes no sense is reported with a pointer to it, and all other
//! options pass as they are, known or not: a router alert is for protocols that are not spoken here (RFC 6398). A source
//! route is for the sender to say over whom a packet goes, around every filter; packets with one are dropped (RFC 6274),
//! unless the configuration lets them be followed as RFC 1812 section 5.2.4.1 has it.

use std::net::{IpAddr, Ipv4Addr};

use boundary::PortId;
use packet::ethernet::Header;
use packet::ipv4::Ipv4;
use packet::options::{self, Recorder, SourceRoute};

use crate::control::{Control, Turn};
use crate::icmp::Problem;
use crate::packets::Packet;
use crate::rib::Way;
use crate::time::Timestamp;

impl Control {
    /// Decides a packet with options that came in through `from`.
    pub(crate) fn forward_with_options(&mut self, packet: &Ipv4<'_>, from: PortId, frame: Header, turn: &mut Turn<'_>) {
        let source_route = match options::check(packet) {
            Ok(source_route) => source_route,
            Err(bad) => return self.refuse_options(packet, bad.at, from, turn),
        };
        let mut bytes = packet.bytes().to_vec();
        if let Some(route) = source_route {
            match self.follow_source_route(packet, route, from, turn) {
                Some(Followed::AsItIs) => {}
                Some(Followed::On(next, leaves_with)) => options::follow(&mut bytes, next, leaves_with),
                None => return,
            }
        }
        self.record_and_forward(bytes, from, frame, turn);
    }

    /// Fills in what is to be filled in, if the packet leaves, and lets it go on.
    fn record_and_forward(&mut self, mut bytes: Vec<u8>, from: PortId, frame: Header, turn: &mut Turn<'_>) {
        let Ok(packet) = Ipv4::parse(&bytes) else { return };
        let destination = packet.destination();
        // What does not leave, or has no hop left to, is reported or delivered as it came.
        let leaves_with = match self.leaves_through(destination, packet.bytes(), from) {
            Some(port) if packet.ttl() > 1 => self.leaves_with(destination, port),
            _ => None,
        };
        if let Some(address) = leaves_with {
            let recorder = Recorder { address, milliseconds: milliseconds(turn.now) };
            let before = bytes.clone();
            if let Err(bad) = options::record(&mut bytes, recorder, |address| self.ports.own(address.into())) {
                if let Ok(packet) = Ipv4::parse(&before) {
                    self.refuse_options(&packet, bad.at, from, turn);
                }
                return;
            }
        }
        if let Ok(packet) = Ipv4::parse(&bytes) {
            self.forward(Packet::V4(packet), from, frame, turn);
        }
    }

    /// What becomes of a packet with a source route; nothing if it goes no further.
    fn follow_source_route(
        &mut self,
        packet: &Ipv4<'_>,
        route: SourceRoute,
        from: PortId,
        turn: &mut Turn<'_>,
    ) -> Option<Followed> {
        if !self.source_routes {
            self.counts.source_routes += 1;
            return None;
        }
        if !self.ports.own(packet.destination().into()) {
            // RFC 1812 section 5.2.4.1: on its way to who is next, unless it was to go over nobody else.
            if route.is_strict {
                self.refuse_options(packet, route.at, from, turn);
            }
            return (!route.is_strict).then_some(Followed::AsItIs);
        }
        let Some(next) = route.next else { return Some(Followed::AsItIs) };
        let is_reachable = match self.routes.way(self.routes.fib_of(from), next.into(), packet.bytes()) {
            Some(Way::Link(_)) => true,
            Some(Way::Gateway(..)) => !route.is_strict,
            _ => false,
        };
        let leaves_with = self.leaves_through(next, packet.bytes(), from).and_then(|port| self.leaves_with(next, port));
        match leaves_with.filter(|_| is_reachable) {
            Some(leaves_with) => Some(Followed::On(next, leaves_with)),
            None => {
                self.counts.source_routes += 1;
                self.report(Problem::NotOnTheRoute, &Packet::V4(*packet), from, turn);
                None
            }
        }
    }

    fn refuse_options(&mut self, packet: &Ipv4<'_>, at: u8, from: PortId, turn: &mut Turn<'_>) {
        self.counts.bad_options += 1;
        self.report(Problem::Malformed { at: at.into() }, &Packet::V4(*packet), from, turn);
    }

    /// The port that `packet`, which came in through `from`, leaves through to `destination`, if it does.
    fn leaves_through(&self, destination: Ipv4Addr, packet: &[u8], from: PortId) -> Option<PortId> {
        self.routes.way(self.routes.fib_of(from), destination.into(), packet).and_then(Way::port)
    }

    /// The address of ours that a packet to `destination` leaves with through `port`.
    fn leaves_with(&self, destination: Ipv4Addr, port: PortId) -> Option<Ipv4Addr> {
        match self.ports.speaks_to(destination.into(), port)? {
            IpAddr::V4(own) => Some(own),
            IpAddr::V6(_) => None,
        }
    }
}

/// Where a packet with a source route goes.
enum Followed {
    /// Where its destination says: it is exhausted, or who is to follow it is still to come.
    AsItIs,
    /// To who is next on it; with which address it leaves.
    On(Ipv4Addr, Ipv4Addr),
}

/// As RFC 791 lets a router say that does not know the time of day: the option says that it is none.
#[expect(clippy::cast_possible_truncation, reason = "a time stamp counts milliseconds modulo 2^31")]
pub(crate) const fn milliseconds(now: Timestamp) -> u32 {
    (now.as_nanos() / 1_000_000) as u32 & !(1 << 31)
}
