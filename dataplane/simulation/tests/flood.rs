//! A flood of packets to nobody, and those who have to live beside it (RFC 6583): to the unresolved addresses of a
//! connected /16 and /64, 300,000 a second, in virtual time. `ferry-bench flood` measures the same in real time.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use boundary::PortId;
use control::Timestamp;
use control::config::Config;
use control_api::{NeighbourState, Reply, Request};
use packet::arp::{Arp, Operation};
use packet::ethernet::{EtherType, Header, MacAddr};
use packet::icmpv6::Between;
use packet::ipv6::Ipv6;
use packet::ndp::{Advertisement, Message, Solicitation, solicited_node};
use simulation::{ALICE, LEFT, ON_LEFT, RIGHT, Simulation, frame, udp};

const CONFIG: &str = r#"
[[port]]
name = "left"
device = "net_null0"
mac = "02:00:00:00:00:01"
addresses = ["192.0.2.1/24", "2001:db8:1::1/64"]
[[port]]
name = "right"
device = "net_null1"
mac = "02:00:00:00:00:02"
addresses = ["10.1.0.1/16", "2001:db8:2::1/64"]
"#;

const SERVER_MAC: MacAddr = MacAddr([2, 0, 0, 0, 9, 9]);
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 20);
const SERVER6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, 0x20);
const MILLISECOND: Duration = Duration::from_millis(1);

/// The router, the server on the right that answers for itself, and what has been seen.
struct Flood {
    router: Simulation,
    /// Packets of the flow that arrived at the server.
    delivered: u64,
    /// Answers to solicitations for the router itself.
    answers: u64,
    /// Questions of the router on the right, by second.
    questions: BTreeMap<u64, u64>,
    /// A number for each packet of the flood.
    number: u32,
}

impl Flood {
    fn new() -> Self {
        let config = Config::parse("flood.toml", CONFIG).unwrap();
        let router = Simulation::new(&config, false, Timestamp::from_nanos(1_000_000_000));
        Self { router, delivered: 0, answers: 0, questions: BTreeMap::new(), number: 0 }
    }

    fn arrive(&mut self, packets: impl IntoIterator<Item = Vec<u8>>) {
        let frames: Vec<_> = packets.into_iter().map(|packet| in_frame(ON_LEFT.mac, &packet)).collect();
        self.router.arrive(LEFT, frames);
    }

    /// A millisecond of the flood: as many packets as 300,000 a second are, to addresses that nobody has.
    fn flood(&mut self) {
        let packets: Vec<_> = (0..300).map(|_| self.stranger()).collect();
        self.arrive(packets);
    }

    fn stranger(&mut self) -> Vec<u8> {
        self.number += 1;
        // Odd strides visit every address before one comes again.
        let scattered = self.number.wrapping_mul(0x9e37_79b1);
        if self.number.is_multiple_of(2) {
            let host = 256 + (scattered >> 8) % 65_000;
            udp(ALICE.v4, Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 1, 0, 0)) + host)).of(18)
        } else {
            let host = u128::from(scattered) << 16 | 0x1_0000;
            udp(ALICE.v6, Ipv6Addr::from(u128::from(SERVER6) & !0xffff | host)).of(18)
        }
    }

    /// A millisecond of an established flow of 20,000 packets a second, in both families.
    fn flow(&mut self) {
        let packets = [udp(ALICE.v4, SERVER).of(18), udp(ALICE.v6, SERVER6).of(18)];
        self.arrive(packets.iter().cycle().take(20).cloned().collect::<Vec<_>>());
    }

    /// Alice asks which station the router is, by ARP and by neighbour discovery.
    fn solicit(&mut self) {
        let mut arp = Vec::new();
        Arp::request(ALICE.mac, ALICE.v4, ON_LEFT.v4).append_to(&mut arp);
        let between = Between { source: ALICE.v6, destination: solicited_node(ON_LEFT.v6) };
        let mut solicitation = Vec::new();
        Solicitation { target: ON_LEFT.v6, source_mac: Some(ALICE.mac) }.append_to(between, &mut solicitation);
        let group = MacAddr::of_ipv6_multicast(between.destination);
        self.router.arrive(
            LEFT,
            [
                frame(ALICE.mac, MacAddr::BROADCAST, EtherType::ARP, &arp),
                frame(ALICE.mac, group, EtherType::IPV6, &solicitation),
            ],
        );
    }

    /// A millisecond passes; what left is looked at, and the server answers for itself.
    fn pass(&mut self) {
        let now = self.router.now() + MILLISECOND;
        self.router.advance(now);
        let sent: Vec<_> = self.router.take_sent().map(|(port, frame)| (port, frame.0)).collect();
        for (port, frame) in sent {
            self.look_at(port, &frame);
        }
    }

    fn look_at(&mut self, port: PortId, sent: &[u8]) {
        let (header, payload) = Header::parse(sent).unwrap();
        if port == RIGHT && header.destination == SERVER_MAC && !is_discovery(header, payload) {
            self.delivered += 1;
        } else if port == RIGHT {
            *self.questions.entry(self.router.now().as_nanos() / 1_000_000_000).or_default() += 1;
            if let Some(answer) = servers_answer(header, payload) {
                self.router.arrive(RIGHT, [answer]);
            }
        } else if is_discovery(header, payload) {
            self.answers += u64::from(header.destination == ALICE.mac && is_answer(header, payload));
        }
    }

    fn neighbours(&mut self, state: NeighbourState) -> usize {
        match self.router.ask(Request::NeighShow { dev: Some("right".to_owned()) }) {
            Ok(Reply::Neighbours(all)) => all.iter().filter(|one| one.state == state).count(),
            other => panic!("{other:?}"),
        }
    }
}

fn in_frame(router: MacAddr, packet: &[u8]) -> Vec<u8> {
    let ether_type = if packet[0] >> 4 == 4 { EtherType::IPV4 } else { EtherType::IPV6 };
    frame(ALICE.mac, router, ether_type, packet)
}

fn is_discovery(header: Header, payload: &[u8]) -> bool {
    header.ether_type == EtherType::ARP || Ipv6::parse(payload).is_ok_and(|packet| Message::parse(&packet).is_ok())
}

fn is_answer(header: Header, payload: &[u8]) -> bool {
    match header.ether_type {
        EtherType::ARP => Arp::parse(payload).is_ok_and(|arp| arp.operation == Operation::Reply),
        _ => matches!(Message::parse(&Ipv6::parse(payload).unwrap()), Ok(Message::Advertisement(_))),
    }
}

/// What the server says to a question for it.
fn servers_answer(header: Header, payload: &[u8]) -> Option<Vec<u8>> {
    let mut answer = Vec::new();
    if header.ether_type == EtherType::ARP {
        let asked = Arp::parse(payload).ok().filter(|asked| asked.target == SERVER)?;
        asked.answered_by(SERVER_MAC).append_to(&mut answer);
    } else {
        let packet = Ipv6::parse(payload).ok()?;
        let Ok(Message::Solicitation(asked)) = Message::parse(&packet) else { return None };
        if asked.target != SERVER6 {
            return None;
        }
        let (told, destination) = Advertisement::answering(&asked, packet.source(), SERVER_MAC);
        told.append_to(Between { source: SERVER6, destination }, &mut answer);
    }
    Some(frame(SERVER_MAC, header.source, header.ether_type, &answer))
}

#[test]
fn under_a_flood_to_nobody_flows_lose_nothing_questions_are_answered_and_all_is_well_five_seconds_later() {
    let mut flood = Flood::new();
    flood.arrive([udp(ALICE.v4, SERVER).of(18), udp(ALICE.v6, SERVER6).of(18)]);
    flood.pass();
    flood.pass();
    let (mut sent, mut asked) = (2, 0);
    assert_eq!(flood.delivered, sent, "the first two waited for the server");
    for millisecond in 0..2_000 {
        flood.flood();
        flood.flow();
        sent += 20;
        if millisecond % 50 == 0 {
            flood.solicit();
            asked += 2;
        }
        flood.pass();
        assert_eq!(flood.delivered, sent, "an established flow loses nothing");
        assert_eq!(flood.answers, asked, "a solicitation for the router is answered within the millisecond");
    }
    let most = *flood.questions.values().max().unwrap();
    assert!((500..=1_100).contains(&most), "{most} questions in a second, at a rate of 1000 and a tenth at once");
    assert!(flood.neighbours(NeighbourState::Incomplete) <= 1024);
    assert!(flood.neighbours(NeighbourState::Failed) <= 256);
    let counts = flood.router.counts();
    assert!(counts.neighbour_refused > 500_000, "the rest is dropped, and counted: {counts:?}");
    assert_eq!(
        flood
            .router
            .totals()
            .drops()
            .filter(|(reason, lost)| !reason.name().starts_with("punt_full") && *lost > 0)
            .count(),
        0
    );

    for _millisecond in 0..5_000 {
        flood.pass();
    }
    assert_eq!(flood.neighbours(NeighbourState::Incomplete), 0, "five seconds later");
    let before = flood.questions.values().sum::<u64>();
    flood.number = 0;
    let strangers: Vec<_> = (0..50).map(|_| flood.stranger()).collect();
    flood.arrive(strangers);
    flood.pass();
    assert_eq!(flood.questions.values().sum::<u64>(), before + 50, "everybody can be asked for again");
}
