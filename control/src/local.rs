//! Packets for ourselves: echo requests are answered, neighbour discovery is heard, and for the rest nobody is at home.
//!
//! Fragments are put together first. A connection is refused by a reset, a datagram by an error, of which there are no more
//! than [`crate::limits`] allows. Neighbour discovery that came in fragments is not heard (RFC 6980).

use std::net::{IpAddr, Ipv6Addr};

use boundary::PortId;
use packet::ethernet::Header;
use packet::extension::{self, NO_NEXT_HEADER};
use packet::flow::UDP;
use packet::fragment_v6::Fragment;
use packet::icmpv4::{self, Icmpv4};
use packet::icmpv6::{self, Between, Icmpv6};
use packet::ipv4::{self, Ipv4};
use packet::ipv6::{self, Ipv6};
use packet::ndp;
use packet::options::{self, Recorder};
use packet::tcp::{self, Segment};

use crate::control::{Control, Turn};
use crate::icmp::{HOPS, Problem, is_echo_request_v4};
use crate::limits::Class;
use crate::options::milliseconds;
use crate::packets::Packet;
use crate::ports::{is_martian_source_v4, is_martian_source_v6};
use crate::reassembly::{Reassembled, Refusal, TimedOut};

impl Control {
    /// A packet for one of our addresses, or for a group we are in.
    pub(crate) fn deliver(&mut self, packet: Packet<'_>, from: PortId, frame: Header, turn: &mut Turn<'_>) {
        let destination = packet.destination();
        let is_own =
            (self.ports.own(destination) || self.ports.port(from).has(destination)) && self.may_be_heard(&packet, from);
        // RFC 1122 section 3.3.6: a group's frame around a packet to one is some mistake.
        let is_for_us = is_own && !frame.destination.is_multicast();
        if self.give_to_kernel(&packet, from, frame, is_for_us) {
            return;
        }
        match packet {
            Packet::V4(packet) if is_for_us => self.deliver_v4(&packet, from, turn),
            Packet::V6(packet) if is_for_us || destination.is_multicast() => {
                self.deliver_v6(&packet, from, frame, turn);
            }
            Packet::V4(_) | Packet::V6(_) => {}
        }
    }

    /// Whether an own address listens: one that may be another's hears nothing but neighbour discovery (RFC 4862 section
    /// 5.4).
    fn may_be_heard(&self, packet: &Packet<'_>, from: PortId) -> bool {
        self.ports.is_usable_anywhere(packet.destination(), from)
            || matches!(packet, Packet::V6(packet) if ndp::Message::parse(packet).is_ok())
    }

    fn deliver_v4(&mut self, packet: &Ipv4<'_>, from: PortId, turn: &mut Turn<'_>) {
        if is_martian_source_v4(packet.source()) || self.ports.own(packet.source().into()) {
            return;
        }
        if packet.is_fragment() {
            match self.reassembly.take_v4(packet, from, turn.now) {
                Reassembled::Whole(whole) => {
                    if let Ok(whole) = Ipv4::parse(&whole) {
                        self.deliver_v4(&whole, from, turn);
                    }
                }
                Reassembled::Waiting => {}
                Reassembled::Refused(refusal) => self.count_refused(refusal),
            }
            return;
        }
        match packet.protocol() {
            icmpv4::PROTOCOL => {
                if let Some(message) = Icmpv4::parse(packet.payload()).ok().filter(is_echo_request_v4) {
                    self.answer_echo_v4(packet, &message, from, turn);
                }
            }
            tcp::PROTOCOL => self.refuse_connection(&Packet::V4(*packet), packet.payload(), from, turn),
            UDP => self.report(Problem::NoPort, &Packet::V4(*packet), from, turn),
            _ => self.report(Problem::NoProtocol { at: 9 }, &Packet::V4(*packet), from, turn),
        }
    }

    fn answer_echo_v4(&mut self, packet: &Ipv4<'_>, request: &Icmpv4<'_>, from: PortId, turn: &mut Turn<'_>) {
        let mut message = Vec::new();
        icmpv4::append_echo_reply(request, &mut message);
        let (options, first) = options::answering(packet);
        let ip = ipv4::Builder {
            source: packet.destination(),
            destination: first,
            protocol: icmpv4::PROTOCOL,
            ttl: HOPS,
            // RFC 1812 section 4.3.3.6 and RFC 1349 section 5.1: the same as the request's.
            tos: packet.bytes()[1],
            identification: self.next_identification(),
            dont_fragment: false,
        };
        let mut answer = ip.header_with(&options, message.len()).map(|header| [&header[..], &message].concat());
        if let Some(answer) = answer.as_mut().filter(|_| !options.is_empty()) {
            let recorder = Recorder { address: packet.destination(), milliseconds: milliseconds(turn.now) };
            // Not even the count of missing stamps has room: RFC 791 has nothing better than to send it as it is.
            let _full = options::record(answer, recorder, |address| self.ports.own(address.into()));
        }
        self.answer_echo(answer, packet.source().into(), first.into(), from, turn);
    }

    /// Says that there is no connection, and none to be had.
    fn refuse_connection(&mut self, packet: &Packet<'_>, segment: &[u8], from: PortId, turn: &mut Turn<'_>) {
        let (asker, asked) = (packet.source(), packet.destination());
        let Ok(segment) = Segment::parse(segment, asker, asked) else { return };
        let Some(reset) = segment.refused(asked, asker) else { return };
        if !self.limits.allow(Class::Local, asker, turn.now) {
            self.counts.icmp_limited += 1;
            return;
        }
        let header = match (asked, asker) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => ipv4::Builder {
                source,
                destination,
                protocol: tcp::PROTOCOL,
                ttl: HOPS,
                tos: 0,
                identification: self.next_identification(),
                dont_fragment: true,
            }
            .header(reset.len())
            .map(|header| header.to_vec()),
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                ipv6::Builder { source, destination, next_header: tcp::PROTOCOL, hop_limit: HOPS }
                    .header(reset.len())
                    .map(|header| header.to_vec())
            }
            _ => None,
        };
        if let Some(header) = header {
            self.counts.resets += 1;
            self.originate([&header[..], &reset].concat(), asker, from, turn);
        }
    }

    fn deliver_v6(&mut self, packet: &Ipv6<'_>, from: PortId, frame: Header, turn: &mut Turn<'_>) {
        let is_from_somebody = !is_martian_source_v6(packet.source()) && !self.ports.own(packet.source().into());
        match Fragment::of(packet) {
            Some(fragment) if is_from_somebody => self.put_together_v6(packet, &fragment, from, turn),
            Some(_) => {}
            None if self.handle_ndp(from, packet, frame, turn) || !is_from_somebody => {}
            None => self.take_v6(packet, from, turn),
        }
    }

    fn put_together_v6(&mut self, packet: &Ipv6<'_>, fragment: &Fragment<'_>, from: PortId, turn: &mut Turn<'_>) {
        match self.reassembly.take_v6(packet, fragment, from, turn.now) {
            Reassembled::Whole(whole) => {
                // One header of fragments in another is nobody's honest work.
                if let Ok(whole) = Ipv6::parse(&whole)
                    && Fragment::of(&whole).is_none()
                {
                    self.take_v6(&whole, from, turn);
                }
            }
            Reassembled::Waiting => {}
            Reassembled::Refused(refusal) => {
                self.count_refused(refusal);
                // RFC 8200 section 4.5: the payload's length, in its two bytes from the fifth on, cannot be right.
                if refusal == Refusal::Uneven {
                    self.report(Problem::Malformed { at: 4 }, &Packet::V6(*packet), from, turn);
                }
            }
        }
    }

    fn count_refused(&mut self, refusal: Refusal) {
        match refusal {
            Refusal::Overlap => self.counts.fragments_overlapping += 1,
            Refusal::Full => self.counts.fragments_refused += 1,
            Refusal::Uneven | Refusal::TooLong => self.counts.fragments_malformed += 1,
        }
    }

    /// Gives up datagrams that did not become whole in time.
    pub(crate) fn give_up_fragments(&mut self, turn: &mut Turn<'_>) {
        while let Some(timed_out) = self.reassembly.next_due(turn.now) {
            self.counts.fragments_timed_out += 1;
            if let Some(TimedOut { first, from }) = timed_out
                && let Some(first) = Packet::parse(&first)
            {
                self.report(Problem::NotWhole, &first, from, turn);
            }
        }
    }

    /// A whole IPv6 packet that is no neighbour discovery.
    fn take_v6(&mut self, packet: &Ipv6<'_>, from: PortId, turn: &mut Turn<'_>) {
        let Some(upper) = extension::upper(packet) else { return };
        let packet_v6 = Packet::V6(*packet);
        // RFC 5095: where it leads after us is not for it to say.
        if let Some(at) = upper.routed_at {
            self.report(Problem::RoutedBySource { at }, &packet_v6, from, turn);
            return;
        }
        match upper.protocol {
            icmpv6::PROTOCOL => {
                if let Ok(message) = Icmpv6::parse(upper.bytes, packet.source(), packet.destination())
                    && (message.kind(), message.code()) == (icmpv6::kind::ECHO_REQUEST, 0)
                {
                    self.answer_echo_v6(packet, &message, from, turn);
                }
            }
            tcp::PROTOCOL if !packet.destination().is_multicast() => {
                self.refuse_connection(&packet_v6, upper.bytes, from, turn);
            }
            tcp::PROTOCOL | NO_NEXT_HEADER => {}
            UDP => self.report(Problem::NoPort, &packet_v6, from, turn),
            _ => self.report(Problem::NoProtocol { at: upper.protocol_at }, &packet_v6, from, turn),
        }
    }

    fn answer_echo_v6(&mut self, packet: &Ipv6<'_>, request: &Icmpv6<'_>, from: PortId, turn: &mut Turn<'_>) {
        let asker = packet.source();
        let Some(source) = self.answers_as(packet.destination(), asker, from) else { return };
        let between = Between { source, destination: asker };
        let mut message = Vec::new();
        icmpv6::append_echo_reply(request, between, &mut message);
        let ip = ipv6::Builder { source, destination: asker, next_header: icmpv6::PROTOCOL, hop_limit: HOPS };
        let answer = ip.header(message.len()).map(|header| [&header[..], &message].concat());
        self.answer_echo(answer, asker.into(), asker.into(), from, turn);
    }

    /// RFC 4443 section 4.2: as the address that was asked, or for a group we are in, as one of the port's.
    fn answers_as(&self, asked: Ipv6Addr, asker: Ipv6Addr, from: PortId) -> Option<Ipv6Addr> {
        if !asked.is_multicast() {
            return Some(asked);
        }
        if !self.ports.port(from).is_in(asked) {
            return None;
        }
        match self.ports.speaks_to(asker.into(), from)? {
            IpAddr::V6(own) => Some(own),
            IpAddr::V4(_) => None,
        }
    }

    /// Answers who asked, by way of who is `first` on the way back to him.
    fn answer_echo(
        &mut self,
        answer: Option<Vec<u8>>,
        asker: IpAddr,
        first: IpAddr,
        from: PortId,
        turn: &mut Turn<'_>,
    ) {
        let Some(answer) = answer else { return };
        if !self.limits.allow(Class::Echo, asker, turn.now) {
            self.counts.icmp_limited += 1;
            return;
        }
        self.counts.echo_replies += 1;
        self.originate(answer, first, from, turn);
    }
}
