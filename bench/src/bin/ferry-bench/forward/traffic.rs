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
