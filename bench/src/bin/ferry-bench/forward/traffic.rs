//! The packets of a cell, and the forwarding state that knows where they go.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::time::Duration;

use bench::noise::{Noise, zipf};
use bench::routes::{Route, Routes};
use boundary::{Adjacency, ForwardingState, Mtu, NextHop, Policy, PortId, PortState};
use lpm::{Address, Change, Fib, FibWriter, NextHopId, Prefix};
use packet::ethernet::{EtherType, Header, MacAddr};
use packet::{ipv4, ipv6};
use pcaps::CaptureWriter;

use super::matrix::{Cell, Family, Flows, Routes as Which, Size};

/// A frame: what it begins with, and how long it is. The rest is zeros.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Packet {
    pub(crate) head: [u8; HEAD],
    pub(crate) len: usize,
}

/// As much as any header here has, and a whole number of lines.
pub(crate) const HEAD: usize = 64;

/// The packets of a cell, in their order; those of many flows are as many as flows.
pub(crate) fn packets(cell: Cell, routes: &Routes) -> Vec<Packet> {
    let mut noise = Noise(7);
    let (count, of) = match cell.flows {
        Flows::One => (ROUND, 1),
        Flows::Zipf => (2 * FEW, FEW),
        Flows::TenThousand => (10_000, 10_000),
        Flows::HundredThousand => (100_000, 100_000),
        Flows::Million => (1_000_000, 1_000_000),
    };
    let v4: Vec<Ipv4Addr> = (0..of).map(|_flow| inside(cell.routes, &routes.v4, PUBLIC, &mut noise)).collect();
    let v6: Vec<Ipv6Addr> = (0..of).map(|_flow| inside(cell.routes, &routes.v6, PUBLIC_V6, &mut noise)).collect();
    let order: Vec<usize> = match cell.flows {
        Flows::Zipf => zipf(of, count, &mut noise),
        Flows::One | Flows::TenThousand | Flows::HundredThousand | Flows::Million => {
            (0..count).map(|n| n % of).collect()
        }
    };
    let packet = |(n, flow): (usize, usize)| {
        let len = match cell.size {
            Size::Least => LEAST,
            Size::Imix => [LEAST, 590, LEAST, LEAST, 590, LEAST, 590, LEAST, LEAST, 590, LEAST, 1514][n % 12],
            Size::Most => 1514,
        };
        match cell.family {
            Family::Ipv4 => ipv4_packet(v4[flow], len),
            Family::Ipv6 => ipv6_packet(v6[flow], len),
            Family::Mixed if n % 2 == 0 => ipv4_packet(v4[flow], len),
            Family::Mixed => ipv6_packet(v6[flow], len),
        }
    };
    order.into_iter().enumerate().map(packet).collect()
}

/// An address with a route: in a prefix of the table, each as likely, that only hosts are sent to.
fn inside<A: Address>(which: Which, routes: &[Route<A>], public: [u128; 2], noise: &mut Noise) -> A {
    loop {
        let number = match which {
            Which::One => public[0] + noise.next_wide() % (public[1] - public[0]),
            Which::Full => {
                let prefix = routes[noise.below(routes.len())].prefix;
                let first = prefix.address().to_number();
                first | noise.next_wide() & (prefix.last().to_number() ^ first)
            }
        };
        // No network that routers have rules about.
        if (public[0]..public[1]).contains(&number) && number >> (A::BITS - 8) != 127 && number >> (A::BITS - 8) != 169
        {
            return A::from_number(number);
        }
    }
}

fn ipv4_packet(destination: Ipv4Addr, len: usize) -> Packet {
    let source = Ipv4Addr::new(192, 0, 2, 10);
    let builder =
        ipv4::Builder { source, destination, protocol: 17, ttl: 64, tos: 0, identification: 0, dont_fragment: true };
    let header = builder.header(len - 14 - ipv4::MIN_HEADER_LEN).expect("a frame's packet");
    packet(EtherType::IPV4, &header, len)
}

fn ipv6_packet(destination: Ipv6Addr, len: usize) -> Packet {
    let source = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 0x10);
    let builder = ipv6::Builder { source, destination, next_header: 17, hop_limit: 64 };
    // The shortest that has something in it: 62 bytes.
    let len = len.max(62);
    packet(EtherType::IPV6, &builder.header(len - 14 - ipv6::HEADER_LEN).expect("a frame's packet"), len)
}

fn packet(ether_type: EtherType, header: &[u8], len: usize) -> Packet {
    let ethernet = Header { destination: STATION, source: MacAddr([2, 0, 0, 0, 0, 9]), ether_type }.to_bytes();
    let mut head = [0; HEAD];
    head[..14].copy_from_slice(&ethernet);
    head[14..14 + header.len()].copy_from_slice(header);
    Packet { head, len }
}

/// Writes packets as a capture.
pub(crate) fn write(path: &Path, packets: &[Packet]) -> Result<(), String> {
    let mut writer = CaptureWriter::create(path).map_err(|error| error.to_string())?;
    let mut frame = [0; 1514];
    for Packet { head, len } in packets {
        frame[..HEAD].copy_from_slice(head);
        writer.write(Duration::ZERO, 0, &frame[..*len]).map_err(|error| error.to_string())?;
    }
    writer.finish().map(drop).map_err(|error| error.to_string())
}

/// What two ports with these addresses forward by: every second next hop is behind the second port.
pub(crate) fn state(which: Which, routes: &Routes, macs: [MacAddr; 2], promiscuous: bool) -> ForwardingState {
    let port = |mac: MacAddr| PortState {
        mac,
        mtu: Mtu::ETHERNET,
        link_local: mac.link_local(),
        promiscuous,
        tap: false,
        vlan: None,
        policy: Policy::default(),
    };
    let mut state = ForwardingState::without_routes(macs.map(port));
    let hops = |ether_type: EtherType| {
        (0..HOPS).map(move |n| {
            let out = usize::from(n % 2 == 0);
            let destination = MacAddr([2, 0, 0, 0, 2, 2]);
            let header = Header { destination, source: macs[out], ether_type }.to_bytes();
            let port = PortId(u16::from(n % 2 == 0));
            NextHop::Neighbour(Adjacency { port, mtu: Mtu::ETHERNET, header })
        })
    };
    state.next_hops = hops(EtherType::IPV4).chain(hops(EtherType::IPV6)).collect();
    state.ipv4 = table(which, &routes.v4, 0);
    state.ipv6 = table(which, &routes.v6, HOPS);
    state
}

fn table<A: Address>(which: Which, routes: &[Route<A>], first_hop: u32) -> Fib<A> {
    let hop = |hop: NextHopId| NextHopId::new(first_hop + u32::try_from(hop.index()).expect("there are few"));
    match which {
        Which::One => FibWriter::default().apply([Change::Set(Prefix::default_route(), hop(NextHopId::new(0)))]),
        Which::Full => FibWriter::default().apply(routes.iter().map(|route| Change::Set(route.prefix, hop(route.hop)))),
    }
}

/// Next hops of each family.
pub(crate) const HOPS: u32 = 254;

/// Of the shortest frame, without its check sequence.
const LEAST: usize = 60;

/// Packets of one flow.
const ROUND: usize = 32;

/// Destinations that some are asked for far more often than others.
const FEW: usize = 16_384;

/// Unicast addresses of the internet, and of IPv6's part in use.
const PUBLIC: [u128; 2] = [1 << 24, 224 << 24];
const PUBLIC_V6: [u128; 2] = [0x2 << 124, 0x4 << 124];

/// Whom all frames are sent to: the first port in memory; ports of DPDK are promiscuous.
pub(crate) const STATION: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);

#[cfg(test)]
mod tests {
    use boundary::Verdict;
    use pcaps::Capture;
    use pipeline::{MemoryFrame, forward};

    use super::*;
    use crate::forward::matrix;

    /// A few routes of each family, with gaps between them.
    fn routes() -> Routes {
        fn of<A: Address>(prefixes: &[&str]) -> Vec<Route<A>>
        where
            Prefix<A>: std::str::FromStr<Err: std::fmt::Debug>,
        {
            let route = |(n, prefix): (u32, &&str)| Route { prefix: prefix.parse().unwrap(), hop: NextHopId::new(n) };
            (0..).zip(prefixes).map(route).collect()
        }
        Routes {
            v4: of(&["0.0.0.0/5", "11.0.0.0/8", "100.64.0.0/10", "192.88.99.0/24", "223.255.255.255/32"]),
            v6: of(&["2001:db8::/32", "2400:1000::/20", "2a00::1/128"]),
        }
    }

    /// Cells with few packets, of all tables, families and sizes.
    fn cells() -> impl Iterator<Item = Cell> {
        let all = matrix::chosen("memory,1,zipf").unwrap().into_iter();
        all.filter(|cell| cell.flows == Flows::One || cell.size == Size::Least)
    }

    fn frames(packets: &[Packet]) -> impl Iterator<Item = MemoryFrame> {
        packets.iter().map(|Packet { head, len }| {
            let mut bytes = head.to_vec();
            bytes.resize(*len, 0);
            MemoryFrame(bytes)
        })
    }

    #[test]
    fn every_packet_of_every_cell_is_forwarded() {
        let routes = routes();
        for cell in cells() {
            let state = state(cell.routes, &routes, [STATION, MacAddr([2, 0, 0, 0, 0, 2])], false);
            for mut frame in frames(&packets(cell, &routes)) {
                let verdict = forward(&state, PortId(0), &mut frame);
                assert!(matches!(verdict, Verdict::Transmit(_)), "{cell}: {verdict:?} for {frame:?}");
            }
        }
    }

    #[test]
    fn a_full_table_s_next_hops_are_behind_either_port() {
        let routes = routes();
        let state = state(Which::Full, &routes, [STATION; 2], true);
        for hops in [0..HOPS, HOPS..2 * HOPS] {
            let behind_second = hops.filter(|n| {
                let hop = state.next_hop(NextHopId::new(*n));
                matches!(hop, NextHop::Neighbour(Adjacency { port: PortId(1), .. }))
            });
            assert_eq!(behind_second.count(), 127);
        }
    }

    #[test]
    fn frames_are_as_long_as_the_cell_says_without_their_check_sequence() {
        for cell in cells() {
            let lens: Vec<usize> = packets(cell, &routes()).iter().map(|packet| packet.len).collect();
            let shortest = if cell.family == Family::Ipv4 { [60].as_slice() } else { &[60, 62] };
            match cell.size {
                Size::Least => assert!(lens.iter().all(|len| shortest.contains(len)), "{cell}"),
                Size::Imix => {
                    let of_len = |wanted: &[usize]| lens[..12].iter().filter(|len| wanted.contains(len)).count();
                    assert_eq!([of_len(shortest), of_len(&[590]), of_len(&[1514])], [7, 4, 1], "{cell}");
                }
                Size::Most => assert!(lens.iter().all(|len| *len == 1514), "{cell}"),
            }
        }
    }

    #[test]
    fn of_many_destinations_a_few_are_asked_for_most() {
        let cell = matrix::chosen("memory,full,zipf,64,ipv4").unwrap()[0];
        let mut asked = std::collections::HashMap::<[u8; 4], usize>::new();
        // So wide a network that no two of the destinations are the same.
        let wide = Routes { v4: routes().v4[..1].to_vec(), ..routes() };
        for packet in packets(cell, &wide) {
            *asked.entry(packet.head[30..34].try_into().unwrap()).or_default() += 1;
        }
        let mut counts: Vec<usize> = asked.into_values().collect();
        counts.sort_unstable_by(|one, other| other.cmp(one));
        assert!(counts.len() > 1000 && counts.len() <= FEW, "{} destinations", counts.len());
        // The hundred first of 16,384 by 1/n are half of all, give or take a little.
        let first: usize = counts[..100].iter().sum();
        assert!((0.45..0.56).contains(&(first as f64 / (2 * FEW) as f64)), "{first} of {}", 2 * FEW);
    }

    #[test]
    fn what_is_written_as_a_capture_is_what_ports_in_memory_receive() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("0.pcap");
        let packets = packets(matrix::chosen("pcap,one-route,mixed,1,imix").unwrap()[0], &routes());
        write(&path, &packets).unwrap();
        let mut capture = Capture::open(&path).unwrap();
        for MemoryFrame(bytes) in frames(&packets) {
            assert_eq!(capture.next_packet().unwrap().unwrap().bytes, bytes);
        }
        assert!(capture.next_packet().unwrap().is_none());
    }
}
