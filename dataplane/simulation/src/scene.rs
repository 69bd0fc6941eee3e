//! A router between two links, and the hosts on them.
//!
//! ```text
//!   ALICE 192.0.2.10 --- left 192.0.2.1 | router | right 198.51.100.1 --- 198.51.100.20  BOB
//!                                                                    \--- 198.51.100.254 GATEWAY --- 203.0.113.9 BEYOND
//! ```
//! IPv6 is the same with `2001:db8:1::/64` on the left, `2001:db8:2::/64` on the right and `2001:db8:be::/48` beyond.

use std::time::Duration;

use boundary::{PortId, Totals};
use control::config::Config;
use control::fpm::Heard;
use control::{ControlCounts, Timestamp};
use control_api::{ApiError, Reply, Request};
use packet::arp::{Arp, Operation};
use packet::ethernet::{EtherType, Header, MacAddr};
use packet::icmpv6::Between;
use packet::ipv6::Ipv6;
use packet::ndp::{Advertisement, Message, Solicitation, solicited_node};

use crate::host::{ALICE, BOB, GATEWAY, Host};
use crate::outcome::Outcome;
use crate::plan::Plan;
use crate::router::Simulation;

/// A router, its links, and who is on them.
#[derive(Debug)]
pub struct Scene {
    router: Simulation,
    /// Who answers when asked for.
    present: Vec<Host>,
    /// What was counted when it was last told.
    told: Totals,
}

impl Scene {
    /// The scene of [`Plan::default`], with every host known in both families.
    #[expect(clippy::new_without_default, reason = "a scene is set up by name")]
    pub fn new() -> Self {
        Plan::default().open()
    }

    /// The same with more sections in its configuration.
    pub fn with(sections: &str) -> Self {
        Plan::default().and(sections).open()
    }

    pub(crate) fn deserted(config: &Config) -> Self {
        let router = Simulation::new(config, false, Timestamp::from_nanos(1_000_000_000_000));
        let told = router.totals();
        let mut scene = Self { router, present: Vec::new(), told };
        // Whatever a router has to say when it comes up, it has said by then.
        scene.pass(COMES_UP);
        scene
    }

    pub(crate) fn between_hosts(config: &Config) -> Self {
        let mut scene = Self::deserted(config);
        for host in [ALICE, BOB, GATEWAY] {
            scene.introduce(host);
        }
        scene
    }

    /// Lets a host come up: it becomes known in both families, and answers from now on.
    pub fn introduce(&mut self, host: Host) {
        self.present.push(host);
        let mut arp = Vec::new();
        Arp::request(host.mac, host.v4, host.router().v4).append_to(&mut arp);
        self.send_frame(host.port, frame(host.mac, MacAddr::BROADCAST, EtherType::ARP, &arp));
        let target = host.router().v6;
        let between = Between { source: host.v6, destination: solicited_node(target) };
        let mut asks = Vec::new();
        Solicitation { target, source_mac: Some(host.mac) }.append_to(between, &mut asks);
        let group = MacAddr::of_ipv6_multicast(between.destination);
        self.send_frame(host.port, frame(host.mac, group, EtherType::IPV6, &asks));
    }

    /// Lets a host go down: it is as known as before, and answers no more.
    pub fn leave(&mut self, host: Host) {
        self.present.retain(|present| present.mac != host.mac);
    }

    /// A host sends the router a packet.
    pub fn send(&mut self, host: Host, packet: &[u8]) -> Outcome {
        self.send_all(host, [packet])
    }

    /// A host sends the router packets, all at once.
    pub fn send_all<P: AsRef<[u8]>>(&mut self, host: Host, packets: impl IntoIterator<Item = P>) -> Outcome {
        let frames = packets.into_iter().map(|packet| {
            let packet = packet.as_ref();
            let ether_type = if packet[0] >> 4 == 4 { EtherType::IPV4 } else { EtherType::IPV6 };
            frame(host.mac, host.router().mac, ether_type, packet)
        });
        self.router.arrive(host.port, frames);
        self.tell()
    }

    /// A frame arrives at a port.
    pub fn send_frame(&mut self, port: PortId, frame: Vec<u8>) -> Outcome {
        self.router.arrive(port, [frame]);
        self.tell()
    }

    /// Time passes, and what is due meanwhile happens when it is due.
    pub fn pass(&mut self, time: Duration) -> Outcome {
        let then = self.router.now() + time;
        let mut outcome = Outcome::default();
        while self.router.now() < then {
            // In steps, so that hosts answer when they are asked.
            self.router.advance(then.min(self.router.now() + STEP));
            outcome = outcome.and(self.tell());
        }
        outcome
    }

    /// Lets a port have room for so many frames at a time.
    pub fn set_room(&mut self, port: PortId, frames: usize) {
        self.router.set_room(port, frames);
    }

    /// Asks the control plane something, as `ferry` does.
    ///
    /// # Errors
    ///
    /// Why it refused.
    pub fn ask(&mut self, request: Request) -> Result<Reply, ApiError> {
        self.router.ask(request)
    }

    /// Hears of a routing daemon.
    pub fn hear(&mut self, heard: Heard) {
        self.router.hear(heard);
    }

    /// What the control plane did that no worker counts.
    pub fn counts(&self) -> ControlCounts {
        self.router.counts()
    }

    /// What time it is.
    pub fn now(&self) -> Timestamp {
        self.router.now()
    }

    /// What happened since this was last asked, with every host that was asked for having answered.
    fn tell(&mut self) -> Outcome {
        let (mut sent, mut answered) = (Vec::new(), Vec::new());
        loop {
            let left: Vec<_> = self.router.take_sent().map(|(port, frame)| (port, frame.0)).collect();
            if left.is_empty() {
                break;
            }
            for (port, frame) in left {
                let answer =
                    self.present.iter().filter(|host| host.port == port).find_map(|host| answer(*host, &frame));
                match answer {
                    Some(answer) => {
                        self.router.arrive(port, [answer]);
                        answered.push((port, frame));
                    }
                    None => sent.push((port, frame)),
                }
            }
        }
        let now = self.router.totals();
        let outcome = Outcome { sent, answered, ..Outcome::between(&self.told, &now) };
        self.told = now;
        outcome
    }
}

/// A frame from one station to another.
pub fn frame(from: MacAddr, to: MacAddr, ether_type: EtherType, payload: &[u8]) -> Vec<u8> {
    let header = Header { destination: to, source: from, ether_type };
    [&header.to_bytes(), payload].concat()
}

/// What a host says to a frame that asks for it.
fn answer(host: Host, asks: &[u8]) -> Option<Vec<u8>> {
    let (header, payload) = Header::parse(asks)?;
    let mut answer = Vec::new();
    if header.ether_type == EtherType::ARP {
        let asked = Arp::parse(payload).ok()?;
        (asked.operation == Operation::Request && asked.target == host.v4).then_some(())?;
        asked.answered_by(host.mac).append_to(&mut answer);
    } else {
        let asked_by = Ipv6::parse(payload).ok()?.source();
        let Ok(Message::Solicitation(asked)) = Message::parse(&Ipv6::parse(payload).ok()?) else { return None };
        [host.v6, host.mac.link_local()].contains(&asked.target).then_some(())?;
        let (told, destination) = Advertisement::answering(&asked, asked_by, host.mac);
        let told = Advertisement { router: host == GATEWAY, ..told };
        told.append_to(Between { source: asked.target, destination }, &mut answer);
    }
    Some(frame(host.mac, header.source, header.ether_type, &answer))
}

/// Longer than duplicate address detection and all announcements take.
const COMES_UP: Duration = Duration::from_secs(5);

/// Shorter than anybody waits for an answer.
const STEP: Duration = Duration::from_millis(100);
