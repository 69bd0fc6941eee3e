//! A router with two links, hosts on them, and a clock that only moves when it is told to.
//!
//! ```text
//!   ALICE 192.0.2.10 --- left 192.0.2.1 | router | right 198.51.100.1 --- 198.51.100.20 BOB
//!                                                                    \--- 198.51.100.254 GATEWAY
//! ```
//! IPv6 is the same with 2001:db8:1:: on the left and 2001:db8:2:: on the right.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use boundary::{
    ForwardingState, Mtu, NextHop, Policy, PortId, PortState, Publisher, Punt, PuntReason, Reader, RingSizes, connect,
};
use control::{Control, Hardware, HardwareStatus, Outbox, PortInfo, Setup, Timestamp, WorkerInfo};
use control_api::{ApiError, Link, Reply, Request, Target};
use packet::arp::{Arp, Operation};
use packet::checksum::{Sum, checksum};
use packet::ethernet::{EtherType, Header, MacAddr};
use packet::icmpv6::Between;
use packet::ipv4::Ipv4;
use packet::ipv6::Ipv6;
use packet::ndp::{Advertisement, Message, Solicitation};
use packet::{ipv4, ipv6};

pub(crate) const LEFT: PortId = PortId(0);
pub(crate) const RIGHT: PortId = PortId(1);

/// A host on one of the links.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Host {
    pub(crate) port: PortId,
    pub(crate) mac: MacAddr,
    pub(crate) v4: Ipv4Addr,
    pub(crate) v6: Ipv6Addr,
}

pub(crate) const ALICE: Host = Host {
    port: LEFT,
    mac: MacAddr([2, 0, 0, 0, 1, 0x10]),
    v4: Ipv4Addr::new(192, 0, 2, 10),
    v6: Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 0x10),
};
pub(crate) const BOB: Host = Host {
    port: RIGHT,
    mac: MacAddr([2, 0, 0, 0, 2, 0x20]),
    v4: Ipv4Addr::new(198, 51, 100, 20),
    v6: Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, 0x20),
};
pub(crate) const GATEWAY: Host = Host {
    port: RIGHT,
    mac: MacAddr([2, 0, 0, 0, 2, 0xfe]),
    v4: Ipv4Addr::new(198, 51, 100, 254),
    v6: Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, 0xfe),
};

/// The router itself, as its links see it.
pub(crate) const ON_LEFT: Host = Host {
    port: LEFT,
    mac: MacAddr([2, 0, 0, 0, 0, 1]),
    v4: Ipv4Addr::new(192, 0, 2, 1),
    v6: Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 1),
};
pub(crate) const ON_RIGHT: Host = Host {
    port: RIGHT,
    mac: MacAddr([2, 0, 0, 0, 0, 2]),
    v4: Ipv4Addr::new(198, 51, 100, 1),
    v6: Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, 1),
};

impl Host {
    /// Its address of the family of `other`.
    pub(crate) fn like(&self, other: IpAddr) -> IpAddr {
        if other.is_ipv4() { self.v4.into() } else { self.v6.into() }
    }

    pub(crate) fn addresses(&self) -> [IpAddr; 2] {
        [self.v4.into(), self.v6.into()]
    }
}

pub(crate) struct Scene {
    pub(crate) control: Control,
    pub(crate) now: Timestamp,
    pub(crate) sent: Sent,
    pub(crate) state: Reader<ForwardingState>,
}

/// Frames that left, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Sent(pub(crate) Vec<(PortId, Vec<u8>)>);

impl Outbox for Sent {
    fn send(&mut self, port: PortId, frame: &[u8]) {
        self.0.push((port, frame.to_vec()));
    }
}

pub(crate) struct NoHardware;

impl Hardware for NoHardware {
    fn status(&self, _port: PortId) -> HardwareStatus {
        HardwareStatus { link: Link::Up, driver: "memory".to_owned(), counters: None }
    }
}

pub(crate) fn port(name: &str, host: Host, addresses: &[&str], mtu: u16) -> PortInfo {
    PortInfo {
        name: name.to_owned(),
        device: format!("mem_{name}"),
        addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
        state: PortState {
            mac: host.mac,
            mtu: Mtu::new(mtu).unwrap(),
            link_local: host.mac.link_local(),
            promiscuous: false,
            vlan: None,
            policy: Policy::default(),
            tap: false,
        },
        directed_broadcast: false,
    }
}

pub(crate) fn setup() -> Setup {
    let left = port("left", ON_LEFT, &["192.0.2.1/24", "2001:db8:1::1/64"], 1500);
    let right = port("right", ON_RIGHT, &["198.51.100.1/24", "2001:db8:2::1/64"], 1400);
    Setup { ports: vec![left, right], ..Setup::default() }
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self::with(setup())
    }

    pub(crate) fn with(setup: Setup) -> Self {
        Self::over(setup, NoHardware)
    }

    /// A scene over devices that say what they are told to.
    pub(crate) fn over(setup: Setup, hardware: impl Hardware + 'static) -> Self {
        let first = ForwardingState::without_routes(setup.ports.iter().map(|port| port.state));
        let (publisher, _links, counters, ends) = connect(first, 1, RingSizes { slots: 1, frame_len: 64 });
        let state = Publisher::reader(&publisher);
        let workers = counters.into_iter().map(|counters| WorkerInfo { core: 1, counters }).collect();
        drop(ends);
        let now = Timestamp::from_nanos(1_000_000_000);
        let control = Control::new(setup, publisher, workers, Box::new(hardware), now);
        Self { control, now, sent: Sent::default(), state }
    }

    /// A scene in which these hosts are known.
    pub(crate) fn knowing(hosts: &[Host]) -> Self {
        let mut scene = Self::new();
        for host in hosts {
            scene.introduce(*host);
        }
        scene
    }

    /// Lets a host become known in both families.
    pub(crate) fn introduce(&mut self, host: Host) {
        self.asks_for_router(host);
        self.sent.0.clear();
        self.pass(Duration::ZERO);
    }

    /// A host asks which station the router is, in both families.
    pub(crate) fn asks_for_router(&mut self, host: Host) {
        let router = self.router(host.port);
        let mut arp = Vec::new();
        Arp::request(host.mac, host.v4, router.v4).append_to(&mut arp);
        self.arrives(host.port, PuntReason::Arp, frame(host, MacAddr::BROADCAST, EtherType::ARP, &arp));
        let mut asked = Vec::new();
        let between = Between { source: host.v6, destination: packet::ndp::solicited_node(router.v6) };
        Solicitation { target: router.v6, source_mac: Some(host.mac) }.append_to(between, &mut asked);
        let group = MacAddr::of_ipv6_multicast(between.destination);
        self.arrives(host.port, PuntReason::NeighbourDiscovery, frame(host, group, EtherType::IPV6, &asked));
    }

    pub(crate) fn router(&self, port: PortId) -> Host {
        if port == LEFT { ON_LEFT } else { ON_RIGHT }
    }

    /// A worker punts a frame.
    pub(crate) fn arrives(&mut self, port: PortId, reason: PuntReason, frame: Vec<u8>) {
        self.control.handle_punt(Punt { port, reason }, &frame, self.now, &mut self.sent);
    }

    /// A worker punts a packet that `host` sent to the router.
    pub(crate) fn sends(&mut self, host: Host, reason: PuntReason, packet: &[u8]) {
        let ether_type = if packet[0] >> 4 == 4 { EtherType::IPV4 } else { EtherType::IPV6 };
        let router = self.router(host.port).mac;
        self.arrives(host.port, reason, frame(host, router, ether_type, packet));
    }

    /// Time passes.
    pub(crate) fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
        self.control.tick(self.now, &mut self.sent);
    }

    pub(crate) fn ask(&mut self, request: Request) -> Result<Reply, ApiError> {
        self.control.handle_request(request, self.now)
    }

    pub(crate) fn add_route(&mut self, to: &str, target: Target) {
        assert_eq!(self.ask(Request::RouteAdd { to: to.parse().unwrap(), target }), Ok(Reply::Done));
    }

    /// What workers do with a packet to `address`.
    pub(crate) fn fate(&mut self, address: IpAddr) -> Option<NextHop> {
        let state = self.state.pin();
        let id = match address {
            IpAddr::V4(address) => state.ipv4.lookup(address),
            IpAddr::V6(address) => state.ipv6.lookup(address),
        };
        id.map(|id| *state.next_hop(id))
    }

    /// What workers do with a packet to `address` that comes in through `port`.
    pub(crate) fn fate_from(&mut self, port: PortId, address: IpAddr) -> Option<NextHop> {
        let state = self.state.pin();
        let (ipv4, ipv6) = state.tables(port);
        let id = match address {
            IpAddr::V4(address) => ipv4.lookup(address),
            IpAddr::V6(address) => ipv6.lookup(address),
        };
        id.map(|id| *state.next_hop(id))
    }

    /// Where workers send flows to `address`, and how many of a group's buckets go there; of a single next hop, all.
    pub(crate) fn divided(&mut self, address: IpAddr) -> Vec<(NextHop, usize)> {
        let fate = self.fate(address);
        let state = self.state.pin();
        match fate {
            Some(NextHop::Group(group)) => {
                let group = &state.groups[group.index()];
                let members = group.members().iter().map(|member| *state.next_hop(*member));
                members.zip(group.shares()).collect()
            }
            Some(single) => vec![(single, boundary::BUCKETS)],
            None => Vec::new(),
        }
    }

    /// The station workers send a packet to `address` to.
    pub(crate) fn station(&mut self, address: IpAddr) -> Option<MacAddr> {
        match self.fate(address)? {
            NextHop::Neighbour(adjacency) => Header::parse(&adjacency.header).map(|(header, _)| header.destination),
            NextHop::Group(_) | NextHop::Unresolved(_) | NextHop::Local | NextHop::Blackhole | NextHop::Unreachable => {
                None
            }
        }
    }

    pub(crate) fn generation(&mut self) -> u64 {
        self.state.pin().generation
    }

    /// Takes all that left.
    pub(crate) fn take_sent(&mut self) -> Vec<(PortId, Vec<u8>)> {
        std::mem::take(&mut self.sent.0)
    }

    /// Takes the questions for a host out of what left, and counts them.
    pub(crate) fn take_questions(&mut self, host: Host) -> usize {
        let before = self.sent.0.len();
        self.sent.0.retain(|(port, frame)| *port != host.port || !asks_for(host, frame));
        before - self.sent.0.len()
    }

    /// The host answers everything that asked for it.
    pub(crate) fn answers(&mut self, host: Host) {
        let (questions, others) =
            self.take_sent().into_iter().partition(|(port, frame)| *port == host.port && asks_for(host, frame));
        self.sent.0 = others;
        let questions: Vec<(PortId, Vec<u8>)> = questions;
        for (_, question) in questions {
            let (header, payload) = Header::parse(&question).unwrap();
            let (reason, answer) = if header.ether_type == EtherType::ARP {
                (PuntReason::Arp, arp_answer(host, payload))
            } else {
                (PuntReason::Local, ndp_answer(host, payload))
            };
            self.arrives(host.port, reason, frame(host, header.source, header.ether_type, &answer));
        }
        self.pass(Duration::ZERO);
    }

    /// Takes what left for a host: the packets, by IP header.
    pub(crate) fn take_packets_to(&mut self, host: Host) -> Vec<Vec<u8>> {
        let (to_host, others) = self
            .take_sent()
            .into_iter()
            .partition(|(port, frame)| *port == host.port && Header::parse(frame).unwrap().0.destination == host.mac);
        self.sent.0 = others;
        let to_host: Vec<(PortId, Vec<u8>)> = to_host;
        to_host
            .into_iter()
            .map(|(port, frame)| {
                let (header, payload) = Header::parse(&frame).unwrap();
                assert_eq!(header.source, self.router(port).mac, "frames leave with the port's own address");
                payload.to_vec()
            })
            .collect()
    }
}

pub(crate) fn frame(from: Host, to: MacAddr, ether_type: EtherType, payload: &[u8]) -> Vec<u8> {
    let header = Header { destination: to, source: from.mac, ether_type };
    [&header.to_bytes(), payload].concat()
}

fn asks_for(host: Host, frame: &[u8]) -> bool {
    let (header, payload) = Header::parse(frame).unwrap();
    match header.ether_type {
        EtherType::ARP => {
            Arp::parse(payload).is_ok_and(|arp| arp.operation == Operation::Request && arp.target == host.v4)
        }
        EtherType::IPV6 => matches!(
            Message::parse(&Ipv6::parse(payload).unwrap()),
            Ok(Message::Solicitation(asked)) if asked.target == host.v6 || asked.target == host.mac.link_local()
        ),
        _ => false,
    }
}

fn arp_answer(host: Host, question: &[u8]) -> Vec<u8> {
    let mut answer = Vec::new();
    Arp::parse(question).unwrap().answered_by(host.mac).append_to(&mut answer);
    answer
}

fn ndp_answer(host: Host, question: &[u8]) -> Vec<u8> {
    let question = Ipv6::parse(question).unwrap();
    let Ok(Message::Solicitation(asked)) = Message::parse(&question) else { panic!("not a solicitation") };
    let (answer, destination) = Advertisement::answering(&asked, question.source(), host.mac);
    let mut packet = Vec::new();
    answer.append_to(Between { source: asked.target, destination }, &mut packet);
    packet
}

/// What a packet is to look like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sketch {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) protocol: u8,
    pub(crate) hops: u8,
    pub(crate) dont_fragment: bool,
}

/// A packet with a UDP header's worth of payload from one address to another.
pub(crate) fn udp(source: impl Into<IpAddr>, destination: impl Into<IpAddr>) -> Sketch {
    Sketch { source: source.into(), destination: destination.into(), protocol: 17, hops: 64, dont_fragment: false }
}

impl Sketch {
    pub(crate) fn hops(self, hops: u8) -> Self {
        Self { hops, ..self }
    }

    pub(crate) fn protocol(self, protocol: u8) -> Self {
        Self { protocol, ..self }
    }

    pub(crate) fn dont_fragment(self) -> Self {
        Self { dont_fragment: true, ..self }
    }

    /// The packet with this payload.
    pub(crate) fn with(self, payload: &[u8]) -> Vec<u8> {
        let header = match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let Self { protocol, hops: ttl, dont_fragment, .. } = self;
                let builder =
                    ipv4::Builder { source, destination, protocol, ttl, tos: 0, identification: 7, dont_fragment };
                builder.header(payload.len()).unwrap().to_vec()
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let Self { protocol: next_header, hops: hop_limit, .. } = self;
                ipv6::Builder { source, destination, next_header, hop_limit }.header(payload.len()).unwrap().to_vec()
            }
            _ => panic!("both of one family"),
        };
        [&header, payload].concat()
    }

    /// The packet with so many bytes of payload.
    pub(crate) fn of(self, payload_len: usize) -> Vec<u8> {
        self.with(&vec![0xa5; payload_len])
    }

    /// The packet with an echo request of so many bytes of data.
    pub(crate) fn echo(self, data_len: usize) -> Vec<u8> {
        let (kind, protocol) = if self.source.is_ipv4() { (8, 1) } else { (128, 58) };
        self.protocol(protocol).icmp(kind, 0, data_len)
    }

    /// The packet with an ICMP message of its family.
    pub(crate) fn icmp(self, kind: u8, code: u8, data_len: usize) -> Vec<u8> {
        let mut message = vec![kind, code, 0, 0, 0x12, 0x34, 0, 1];
        message.extend((0..data_len).map(|i| u8::try_from(i % 251).unwrap()));
        let sum = match (self.source, self.destination) {
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let len = u32::try_from(message.len()).unwrap();
                Sum::pseudo_ipv6(source, destination, 58, len).bytes(&message).checksum()
            }
            _ => checksum(&message),
        };
        message[2..4].copy_from_slice(&sum.to_be_bytes());
        let protocol = if self.source.is_ipv4() { 1 } else { 58 };
        self.protocol(protocol).with(&message)
    }
}

/// An ICMP message of either family as it left, with all that is to be looked at; its checksums are right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Icmp {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) hops: u8,
    pub(crate) kind: u8,
    pub(crate) code: u8,
    pub(crate) word: u32,
    pub(crate) body: Vec<u8>,
}

impl Icmp {
    pub(crate) fn read(packet: &[u8]) -> Self {
        let word = |bytes: &[u8]| u32::from_be_bytes(bytes[4..8].try_into().unwrap());
        if packet[0] >> 4 == 4 {
            let ip = Ipv4::parse(packet).unwrap();
            assert_eq!(ip.protocol(), 1);
            let icmp = packet::icmpv4::Icmpv4::parse(ip.payload()).unwrap();
            Self {
                source: ip.source().into(),
                destination: ip.destination().into(),
                hops: ip.ttl(),
                kind: icmp.kind(),
                code: icmp.code(),
                word: word(ip.payload()),
                body: icmp.body().to_vec(),
            }
        } else {
            let ip = Ipv6::parse(packet).unwrap();
            assert_eq!(ip.next_header(), 58);
            let icmp = packet::icmpv6::Icmpv6::parse(ip.payload(), ip.source(), ip.destination()).unwrap();
            Self {
                source: ip.source().into(),
                destination: ip.destination().into(),
                hops: ip.hop_limit(),
                kind: icmp.kind(),
                code: icmp.code(),
                word: word(ip.payload()),
                body: icmp.body().to_vec(),
            }
        }
    }

    pub(crate) fn kind_and_code(&self) -> (u8, u8) {
        (self.kind, self.code)
    }
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(crate) fn via(gateway: impl Into<IpAddr>) -> Target {
    Target::Via { gateway: gateway.into(), dev: None }
}

pub(crate) const SECOND: Duration = Duration::from_secs(1);
