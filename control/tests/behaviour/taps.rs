//! A port with an interface of the kernel: what is the kernel's, what stays ferry's, and what the kernel may send.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use boundary::{Mtu, PortId, PuntReason};
use control::{Kernel, Setup};
use control_api::{InterfaceAddress, Reply, Request, TapCounts};
use packet::arp::Arp;
use packet::ethernet::{EtherType, Header, MacAddr};
use packet::icmpv6::Between;
use packet::ndp::{Advertisement, Solicitation, solicited_node};

use crate::scene::{ALICE, BOB, Host, LEFT, ON_LEFT, ON_RIGHT, RIGHT, Scene, frame, setup, udp};

/// What crosses to and from a kernel that is not there.
#[derive(Debug, Clone, Default)]
struct Wires(Arc<Mutex<Crossing>>);

#[derive(Debug, Default)]
struct Crossing {
    given: Vec<(PortId, Vec<u8>)>,
    sends: VecDeque<(PortId, Vec<u8>)>,
    is_full: bool,
}

impl Kernel for Wires {
    fn set_address(&mut self, _port: PortId, _own: InterfaceAddress, _is_there: bool) -> Result<(), String> {
        Ok(())
    }

    fn set_mtu(&mut self, _port: PortId, _mtu: Mtu) -> Result<(), String> {
        Ok(())
    }

    fn give(&mut self, port: PortId, frame: &[u8]) -> bool {
        let mut crossing = self.0.lock().unwrap();
        crossing.given.push((port, frame.to_vec()));
        !crossing.is_full
    }

    fn take(&mut self, frame: &mut Vec<u8>) -> Option<PortId> {
        let (port, sent) = self.0.lock().unwrap().sends.pop_front()?;
        *frame = sent;
        Some(port)
    }

    fn interface(&self, port: PortId) -> Option<(&str, Option<&str>)> {
        (port == LEFT).then_some(("tap-left", Some("daemons")))
    }
}

impl Wires {
    fn take_given(&self) -> Vec<(PortId, Vec<u8>)> {
        std::mem::take(&mut self.0.lock().unwrap().given)
    }

    /// What was given, if it is this packet from a host to its router, in a frame of its own.
    fn was_given(&self, from: Host, packet: &[u8]) -> bool {
        let expected = frame(from, ON_LEFT.mac, ether_type(packet), packet);
        self.take_given() == [(LEFT, expected)]
    }
}

fn ether_type(packet: &[u8]) -> EtherType {
    if packet[0] >> 4 == 4 { EtherType::IPV4 } else { EtherType::IPV6 }
}

/// The router with an interface on the left.
fn scene() -> (Scene, Wires) {
    let wires = Wires::default();
    let mut setup = Setup { kernel: Some(Box::new(wires.clone())), ..setup() };
    setup.ports[LEFT.index()].state.tap = true;
    let mut scene = Scene::with(setup);
    for host in [ALICE, BOB] {
        scene.introduce(host);
    }
    wires.take_given();
    (scene, wires)
}

fn counts(scene: &mut Scene) -> TapCounts {
    let Ok(Reply::Ports(ports)) = scene.ask(Request::PortShow { name: Some("left".to_owned()) }) else {
        panic!("ports are always shown")
    };
    let tap = ports[0].tap.as_ref().expect("it has one");
    assert_eq!((tap.ifname.as_str(), tap.netns.as_deref()), ("tap-left", Some("daemons")));
    tap.counts
}

#[test]
fn what_is_for_us_and_not_ferry_s_business_is_the_kernel_s() {
    let (mut scene, wires) = scene();
    let tcp = |host: Host| [udp(host.v4, ON_LEFT.v4), udp(host.v6, ON_LEFT.v6)].map(|to| to.protocol(6).of(20));
    let mut fragment = udp(ALICE.v4, ON_LEFT.v4).echo(8);
    fragment[6] = 0x20;
    let fragment = with_right_checksum(fragment);
    let mut all = vec![fragment];
    all.extend(tcp(ALICE));
    all.extend([udp(ALICE.v4, ON_LEFT.v4), udp(ALICE.v6, ON_LEFT.v6), udp(ALICE.v4, ON_RIGHT.v4)].map(|to| to.of(8)));
    all.extend([udp(ALICE.v4, ON_LEFT.v4).protocol(89).of(8), udp(ALICE.v6, ON_LEFT.mac.link_local()).of(8)]);
    all.extend([udp(ALICE.v4, ON_LEFT.v4).icmp(0, 0, 8), udp(ALICE.v4, ON_LEFT.v4).icmp(3, 4, 28)]);
    all.extend([udp(ALICE.v6, ON_LEFT.v6).icmp(129, 0, 8), udp(ALICE.v6, ON_LEFT.v6).icmp(2, 0, 48)]);
    for packet in &all {
        scene.sends(ALICE, PuntReason::Local, packet);
        assert!(wires.was_given(ALICE, packet), "{packet:02x?}");
        assert!(scene.take_sent().is_empty(), "and ferry says nothing: {packet:02x?}");
    }
    assert_eq!(counts(&mut scene).to_kernel, all.len() as u64);
}

fn with_right_checksum(mut packet: Vec<u8>) -> Vec<u8> {
    packet[10..12].fill(0);
    let sum = packet::checksum::checksum(&packet[..20]);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet
}

#[test]
fn echo_requests_and_questions_for_our_addresses_stay_ferry_s() {
    let (mut scene, wires) = scene();
    for request in [udp(ALICE.v4, ON_LEFT.v4).echo(8), udp(ALICE.v6, ON_LEFT.v6).echo(8)] {
        scene.sends(ALICE, PuntReason::Local, &request);
        assert_eq!(scene.take_packets_to(ALICE).len(), 1);
    }
    let mut arp = Vec::new();
    Arp::request(ALICE.mac, ALICE.v4, ON_LEFT.v4).append_to(&mut arp);
    scene.arrives(LEFT, PuntReason::Arp, frame(ALICE, MacAddr::BROADCAST, EtherType::ARP, &arp));
    let mut asks = Vec::new();
    let between = Between { source: ALICE.v6, destination: solicited_node(ON_LEFT.v6) };
    Solicitation { target: ON_LEFT.v6, source_mac: Some(ALICE.mac) }.append_to(between, &mut asks);
    let group = MacAddr::of_ipv6_multicast(between.destination);
    scene.arrives(LEFT, PuntReason::NeighbourDiscovery, frame(ALICE, group, EtherType::IPV6, &asks));
    assert_eq!(scene.take_sent().len(), 2, "both are answered");
    assert_eq!(wires.take_given(), []);
}

#[test]
fn answers_to_questions_are_for_both_since_each_asks_for_itself() {
    let (mut scene, wires) = scene();
    let mut reply = Vec::new();
    Arp::request(ON_LEFT.mac, ON_LEFT.v4, ALICE.v4).answered_by(ALICE.mac).append_to(&mut reply);
    let padded = [&reply[..], &[0xee; 18]].concat();
    scene.arrives(LEFT, PuntReason::Arp, frame(ALICE, ON_LEFT.mac, EtherType::ARP, &padded));
    assert_eq!(wires.take_given(), [(LEFT, frame(ALICE, ON_LEFT.mac, EtherType::ARP, &reply))], "without its padding");

    let asked = Solicitation { target: ALICE.v6, source_mac: Some(ON_LEFT.mac) };
    let (answer, destination) = Advertisement::answering(&asked, ON_LEFT.v6, ALICE.mac);
    let mut told = Vec::new();
    answer.append_to(Between { source: ALICE.v6, destination }, &mut told);
    scene.sends(ALICE, PuntReason::Local, &told);
    assert!(wires.was_given(ALICE, &told));
    assert_eq!(scene.station(ALICE.v6.into()), Some(ALICE.mac), "and ferry has heard it, too");
}

/// BGP unnumbered finds its neighbours by them.
#[test]
fn router_advertisements_are_for_daemons_too_and_other_discovery_is_not() {
    let (mut scene, wires) = scene();
    let to_all = udp(ALICE.mac.link_local(), "ff02::1".parse::<std::net::Ipv6Addr>().unwrap()).hops(255);
    for (kind, is_heard) in [(133, false), (134, true), (135, false), (137, false)] {
        let packet = to_all.icmp(kind, 0, 36);
        let arrived = frame(ALICE, MacAddr([0x33, 0x33, 0, 0, 0, 1]), EtherType::IPV6, &packet);
        scene.arrives(LEFT, PuntReason::NeighbourDiscovery, arrived.clone());
        assert_eq!(wires.take_given(), if is_heard { vec![(LEFT, arrived)] } else { vec![] }, "{kind}");
    }
}

#[test]
fn groups_of_the_link_are_the_kernel_s_to_hear() {
    let (mut scene, wires) = scene();
    let ospf = udp(ALICE.v4, std::net::Ipv4Addr::new(224, 0, 0, 5)).protocol(89).of(24);
    let ospf6 = udp(ALICE.mac.link_local(), "ff02::5".parse::<std::net::Ipv6Addr>().unwrap()).protocol(89).of(24);
    let everybody = udp(ALICE.v4, std::net::Ipv4Addr::BROADCAST).of(8);
    for packet in [&ospf, &ospf6, &everybody] {
        let to = MacAddr([1, 0, 0x5e, 0, 0, 5]);
        let arrived = frame(ALICE, to, ether_type(packet), packet);
        scene.arrives(LEFT, PuntReason::LinkGroup, arrived.clone());
        assert_eq!(wires.take_given(), [(LEFT, arrived)]);
    }
}

#[test]
fn a_port_without_an_interface_answers_for_itself() {
    let (mut scene, wires) = scene();
    scene.sends(BOB, PuntReason::Local, &udp(BOB.v4, ON_RIGHT.v4).of(8));
    assert_eq!(scene.take_packets_to(BOB).len(), 1, "nobody listens there");
    assert_eq!(wires.take_given(), []);
}

#[test]
fn what_the_kernel_sends_leaves_through_its_port() {
    let (mut scene, wires) = scene();
    let to_alice = |source: MacAddr, len: usize| {
        let header = Header { destination: ALICE.mac, source, ether_type: EtherType::IPV4 };
        [&header.to_bytes()[..], &vec![0x45; len]].concat()
    };
    let (good, longest) = (to_alice(ON_LEFT.mac, 40), to_alice(ON_LEFT.mac, 1500));
    let sends = [good.clone(), to_alice(BOB.mac, 40), longest.clone(), to_alice(ON_LEFT.mac, 1501), vec![1; 13]];
    wires.0.lock().unwrap().sends.extend(sends.map(|frame| (LEFT, frame)));
    assert!(scene.control.take_from_kernel(&mut scene.sent));
    assert!(!scene.control.take_from_kernel(&mut scene.sent), "there is no more");
    assert_eq!(scene.take_sent(), [(LEFT, good), (LEFT, longest)]);
    let counts = counts(&mut scene);
    assert_eq!((counts.from_kernel, counts.refused), (2, 3), "of another station, too long, no frame at all");
}

#[test]
fn what_the_kernel_has_no_room_for_is_counted() {
    let (mut scene, wires) = scene();
    wires.0.lock().unwrap().is_full = true;
    scene.sends(ALICE, PuntReason::Local, &udp(ALICE.v4, ON_LEFT.v4).of(8));
    assert_eq!((counts(&mut scene).to_kernel, counts(&mut scene).lost), (0, 1));
    assert_ne!(LEFT, RIGHT);
}
