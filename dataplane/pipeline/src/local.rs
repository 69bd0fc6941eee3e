//! Which packets for ourselves are urgent: neighbours' answers and routing sessions, before anything else.
//!
//! Asked only of packets that a route says are ours, so that a flood of those keeps no neighbour from being found and no
//! session from living ([`boundary::punt`]). What is looked at can be forged, but for neighbour discovery, whose hop limit
//! says that it comes from the link (RFC 4861 section 11.2); a forger fills the class of what he forges.

use boundary::PuntReason;
use packet::flow::{TCP, UDP};
use packet::icmpv6::{self, kind};
use packet::ipv4::Ipv4;
use packet::ipv6::Ipv6;

/// Why a packet to one of our addresses, IP header first, goes to the control thread.
#[cold]
pub(crate) fn reason(packet: &[u8]) -> PuntReason {
    match packet.first().map(|first| first >> 4) {
        Some(4) => Ipv4::parse(packet).ok().filter(|packet| packet.fragment_offset() == 0).map_or(
            PuntReason::Local,
            |packet| match is_routing(packet.protocol(), packet.payload()) {
                true => PuntReason::Routing,
                false => PuntReason::Local,
            },
        ),
        _ => Ipv6::parse(packet).map_or(PuntReason::Local, |packet| reason_v6(&packet)),
    }
}

fn reason_v6(packet: &Ipv6<'_>) -> PuntReason {
    match (packet.next_header(), packet.payload().first()) {
        (icmpv6::PROTOCOL, Some(kind::ROUTER_SOLICITATION..=kind::REDIRECT)) if packet.hop_limit() == 255 => {
            PuntReason::NeighbourDiscovery
        }
        (protocol, _) if is_routing(protocol, packet.payload()) => PuntReason::Routing,
        _ => PuntReason::Local,
    }
}

/// Whether it is of a protocol that routers speak among themselves.
fn is_routing(protocol: u8, payload: &[u8]) -> bool {
    let ports = payload.first_chunk().map(|[a, b, c, d]| [u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d])]);
    let either = |known: &[u16]| ports.is_some_and(|ports| ports.iter().any(|port| known.contains(port)));
    match protocol {
        PIM | OSPF | VRRP => true,
        TCP => either(&[BGP, LDP, MSDP]),
        UDP => either(&[RIP, RIPNG, LDP, BFD, BFD_ECHO, BFD_MULTIHOP]),
        _ => false,
    }
}

const OSPF: u8 = 89;
const PIM: u8 = 103;
const VRRP: u8 = 112;

const BGP: u16 = 179;
const RIP: u16 = 520;
const RIPNG: u16 = 521;
const MSDP: u16 = 639;
const LDP: u16 = 646;
const BFD: u16 = 3784;
const BFD_ECHO: u16 = 3785;
const BFD_MULTIHOP: u16 = 4784;

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(protocol: u8, payload: &[u8]) -> Vec<u8> {
        let (source, destination) = ([192, 0, 2, 10].into(), [192, 0, 2, 1].into());
        let builder = packet::ipv4::Builder {
            source,
            destination,
            protocol,
            ttl: 1,
            tos: 0,
            identification: 0,
            dont_fragment: false,
        };
        [&builder.header(payload.len()).unwrap()[..], payload].concat()
    }

    fn v6(next_header: u8, hop_limit: u8, payload: &[u8]) -> Vec<u8> {
        let (source, destination) = ("fe80::1".parse().unwrap(), "fe80::2".parse().unwrap());
        let builder = packet::ipv6::Builder { source, destination, next_header, hop_limit };
        [&builder.header(payload.len()).unwrap()[..], payload].concat()
    }

    #[test]
    fn what_neighbours_and_routers_say_is_told_from_the_rest() {
        let advertisement = [136, 0, 0, 0, 0, 0, 0, 0];
        let to_port = |port: u16| [&[0x80, 0][..], &port.to_be_bytes()].concat();
        let from_port = |port: u16| [&port.to_be_bytes()[..], &[0x80, 0]].concat();
        for (row, packet, expected) in [
            ("an advertisement", v6(58, 255, &advertisement), PuntReason::NeighbourDiscovery),
            ("one from afar", v6(58, 254, &advertisement), PuntReason::Local),
            ("an echo request", v6(58, 255, &[128, 0, 0, 0]), PuntReason::Local),
            ("OSPF", v4(89, &[]), PuntReason::Routing),
            ("OSPF for IPv6", v6(89, 1, &[3, 1]), PuntReason::Routing),
            ("BGP to us", v4(6, &to_port(179)), PuntReason::Routing),
            ("BGP of ours", v6(6, 64, &from_port(179)), PuntReason::Routing),
            ("BFD", v4(17, &to_port(3784)), PuntReason::Routing),
            ("a trace", v4(17, &to_port(33434)), PuntReason::Local),
            ("TCP without ports", v4(6, &[0, 179]), PuntReason::Local),
        ] {
            assert_eq!(reason(&packet), expected, "{row}");
        }
    }
}
