//! Frames that arrive one after another at a router with everything switched on, read out of bytes.

use boundary::PortId;
use control::config::Config;
use packet::checksum::checksum;
use packet::ethernet::{EtherType, Header, MacAddr};
use packet::ipv4::Ipv4;
use packet::ipv6::Ipv6;
use simulation::{ALICE, BOB, NOWHERE, ON_LEFT, ON_RIGHT, Simulation, frame, udp};
use std::time::Duration;

/// Every way through the router that the configuration opens.
const CONFIG: &str = r#"
[ip]
source_routes = true
[[filter]]
name = "edge"
default = "accept"
rule = [
    { action = "drop", from = "10.66.0.0/16" },
    { action = "reject", protocol = "tcp", to_port = 25 },
    { action = "drop", protocol = "udp", to_port = "5000-5010" },
]
[[port]]
name = "left"
device = "net_null0"
addresses = ["192.0.2.1/24", "2001:db8:1::1/64"]
mac = "02:00:00:00:00:01"
filter = "edge"
reverse_path = "loose"
class_e = true
[[port]]
name = "right"
device = "net_null1"
addresses = ["198.51.100.1/24", "2001:db8:2::1/64"]
mac = "02:00:00:00:00:02"
mtu = 1280
directed_broadcast = true
promiscuous = true
[[route]]
to = "0.0.0.0/0"
via = "198.51.100.254"
[[route]]
to = "::/0"
via = "2001:db8:2::fe"
[[route]]
to = "10.99.0.0/16"
unreachable = true
"#;

const MTU: [usize; 2] = [1500, 1280];

/// Plays a script: a byte that says through which port, and whether a second passes first; the frame's length in two bytes;
/// the frame. Whatever is in it, every frame is accounted for and what leaves is whole and fits its link.
pub(crate) fn play(script: &[u8]) {
    let config = Config::parse("fuzz.toml", CONFIG).expect("the configuration is right");
    let mut router = Simulation::new(&config, true, control::Timestamp::from_nanos(1_000_000_000));
    let mut received = 0;
    let mut rest = script;
    while let [control, high, low, after @ ..] = rest {
        let (frame, after) = after.split_at(usize::from(u16::from_be_bytes([*high, *low])).min(after.len()));
        rest = after;
        if control & 0x80 != 0 {
            router.advance(router.now() + Duration::from_secs(1));
        }
        router.arrive(PortId(u16::from(control & 1)), [frame.to_vec()]);
        received += 1;
        check(&mut router);
    }
    router.advance(router.now() + Duration::from_secs(70));
    check(&mut router);
    assert_eq!(router.totals().received(), received);
}

fn check(router: &mut Simulation) {
    let sent: Vec<_> = router.take_sent().collect();
    for (port, sent) in sent {
        let (header, packet) = Header::parse(&sent.0).expect("what leaves has a header");
        assert!(packet.len() <= MTU[port.index()], "{} bytes out of {port:?}", packet.len());
        match header.ether_type {
            EtherType::IPV4 => drop(Ipv4::parse(packet).expect("what leaves is sound")),
            EtherType::IPV6 => drop(Ipv6::parse(packet).expect("what leaves is sound")),
            EtherType::ARP => drop(packet::arp::Arp::parse(packet).expect("what leaves is sound")),
            other => panic!("{other:?} leaves nowhere"),
        }
    }
    let totals = router.totals();
    assert!(totals.is_conserved(), "{totals:?}");
}

/// A frame as it stands in a script.
pub(crate) fn record(control: u8, frame: &[u8]) -> Vec<u8> {
    let len = u16::try_from(frame.len()).expect("no frame is that long");
    [&[control][..], &len.to_be_bytes(), frame].concat()
}

/// Gives the IPv4 header in a frame, if there is room for one, the checksum it should have.
pub(crate) fn mend(frame: &mut [u8]) {
    if frame.len() >= 34 && frame[12..14] == [0x08, 0x00] {
        let end = (14 + usize::from(frame[14] & 0x0f) * 4).min(frame.len());
        frame[24..26].fill(0);
        let sum = checksum(&frame[14..end]);
        frame[24..26].copy_from_slice(&sum.to_be_bytes());
    }
}

/// Frames that get far: of every protocol and every part of the router.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let v4 = |packet: Vec<u8>| frame(ALICE.mac, ON_LEFT.mac, EtherType::IPV4, &packet);
    let v6 = |packet: Vec<u8>| frame(ALICE.mac, ON_LEFT.mac, EtherType::IPV6, &packet);
    let fragment = |next_header: u8, place: u16, piece: &[u8]| {
        let [high, low] = place.to_be_bytes();
        udp(ALICE.v6, ON_LEFT.v6).protocol(44).with(&[&[next_header, 0, high, low, 0, 0, 0, 7][..], piece].concat())
    };
    let placed = |mut packet: Vec<u8>, place: u16| {
        packet[6..8].copy_from_slice(&place.to_be_bytes());
        simulation::with_right_checksum(packet)
    };
    let chain = [&[60, 0, 1, 4, 0, 0, 0, 0][..], &[43, 0, 1, 4, 0, 0, 0, 0], &[58, 0, 0, 1, 0, 0, 0, 0]].concat();
    let mut arp = Vec::new();
    packet::arp::Arp::request(ALICE.mac, ALICE.v4, ON_LEFT.v4).append_to(&mut arp);
    let target = ON_LEFT.v6.octets();
    let solicits = [&[135, 0, 0, 0, 0, 0, 0, 0][..], &target, &[1, 1, 2, 0, 0, 0, 1, 0x10]].concat();
    vec![
        v4(udp(ALICE.v4, BOB.v4).of(64)),
        v4(udp(ALICE.v4, BOB.v4).hops(1).of(64)),
        v4(udp(ALICE.v4, BOB.v4).long(1400)),
        v4(udp(ALICE.v4, BOB.v4).dont_fragment().long(1400)),
        v4(udp(ALICE.v4, NOWHERE.v4).of(64)),
        v4(udp(ALICE.v4, ON_RIGHT.v4).echo(64)),
        v4(udp(ALICE.v4, ON_LEFT.v4).of(8)),
        v4(udp(ALICE.v4, ON_LEFT.v4).protocol(6).of(20)),
        v4(udp(ALICE.v4, ON_LEFT.v4).protocol(132).of(20)),
        v4(udp(ALICE.v4, BOB.v4).icmp(11, 0, 40)),
        v4(placed(udp(ALICE.v4, ON_LEFT.v4).echo(64), 0x2000)),
        v4(placed(udp(ALICE.v4, ON_LEFT.v4).protocol(1).of(64), 9)),
        v4(placed(udp(ALICE.v4, BOB.v4).long(1400), 0x2010)),
        v4(udp(ALICE.v4, BOB.v4).with_options(&[7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0], &[0; 8])),
        v4(udp(ALICE.v4, BOB.v4).with_options(&[68, 12, 5, 1, 0, 0, 0, 0, 0, 0, 0, 0], &[0; 1300])),
        v4(udp(ALICE.v4, ON_LEFT.v4).with_options(&[131, 7, 4, 198, 51, 100, 20, 0], &[0; 8])),
        v4(udp(ALICE.v4, ON_LEFT.v4).with_options(&[137, 7, 4, 198, 51, 100, 20, 0], &[0; 8])),
        v6(udp(ALICE.v6, BOB.v6).of(64)),
        v6(udp(ALICE.v6, BOB.v6).hops(1).of(64)),
        v6(udp(ALICE.v6, BOB.v6).long(1400)),
        v6(udp(ALICE.v6, ON_LEFT.v6).echo(64)),
        v6(udp(ALICE.v6, ON_LEFT.v6).of(8)),
        v6(udp(ALICE.v6, ON_LEFT.v6).protocol(200).of(8)),
        v6(udp(ALICE.v6, ON_LEFT.v6).protocol(60).with(&chain)),
        v6(udp(ALICE.v6, ON_LEFT.v6).hops(255).protocol(58).with(&solicits)),
        v6(fragment(58, 1, &[128; 64])),
        v6(fragment(58, 64, &[1; 64])),
        v6(fragment(17, 0, &[0; 8])),
        frame(ALICE.mac, MacAddr::BROADCAST, EtherType::ARP, &arp),
        frame(ALICE.mac, ON_LEFT.mac, EtherType::VLAN, &[0, 100, 8, 0, 0x45, 0, 0, 20]),
    ]
}
