//! Makes the captures in this folder, always the same ones: `cargo run -p pcaps --bin make-captures -- pcaps`.
//!
//! Each shows one thing, and its name says which. They fit `replay.toml`, where ferry stands between a host and the
//! world:
//!
//! ```text
//!   host 192.0.2.10 --- left [ferry] right --- 198.51.100.2 next hop --- 203.0.113.0/24
//!    2001:db8:1::10                            2001:db8:2::2             2001:db8:3::/48
//! ```
//!
//! All is captured on `left`, but `way-back`. Every frame is right in all that its capture is not about, and says in its
//! payload why it is there. They are to judge the pipeline, so nothing here is shared with it, not even the checksum.

mod frame;

use std::net::IpAddr;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use frame::{Frame, Link, Mac, Packet, UDP, arp_request, neighbour_advertisement, neighbour_solicitation};
use pcaps::{CaptureWriter, WriteError};

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1) else {
        eprintln!("usage: make-captures FOLDER");
        return ExitCode::from(2);
    };
    match write_captures(Path::new(&folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("make-captures: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write_captures(folder: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let scenes = [
        ("transit-ipv4-udp", transit_ipv4_udp()),
        ("transit-ipv6-udp", transit_ipv6_udp()),
        ("ttl-expires", ttl_expires()),
        ("mtu-exceeded", mtu_exceeded()),
        ("bad-headers", bad_headers()),
        ("never-forwarded", never_forwarded()),
        ("options-and-fragments", options_and_fragments()),
        ("routes-that-end", routes_that_end()),
        ("arp-and-nd", arp_and_nd()),
        ("echo-to-router", echo_to_router()),
        ("not-ip", not_ip()),
    ];
    for (name, frames) in &scenes {
        write(&folder.join(name).with_extension("pcap"), frames)?;
    }
    write(&folder.join("way-back.pcap"), &way_back())?;
    write(&folder.join("mixed.pcap"), &mixed(&scenes))?;
    for (name, file) in [("raw-ip.pcap", raw_ip()?), ("damaged.pcap", damaged()?)] {
        let path = folder.join(name);
        std::fs::write(&path, file).map_err(|error| format!("cannot write `{}`: {error}", path.display()))?;
    }
    Ok(())
}

/// One frame a millisecond.
fn write(path: &Path, frames: &[Frame]) -> Result<(), WriteError> {
    let mut capture = CaptureWriter::create(path)?;
    write_frames(&mut capture, frames)?;
    capture.finish()?;
    Ok(())
}

fn write_frames<W: std::io::Write>(capture: &mut CaptureWriter<W>, frames: &[Frame]) -> Result<(), WriteError> {
    let mut now = START;
    for frame in frames {
        capture.write(now, 0, frame)?;
        now += Duration::from_millis(1);
    }
    Ok(())
}

fn transit_ipv4_udp() -> Vec<Frame> {
    let to = |destination, say: &str| Packet::new(HOST, destination).udp(say).on(LEFT);
    vec![
        to(FAR, "far, by the default route"),
        to("203.0.113.8", "another far one"),
        to("203.0.113.127", "the last of its network"),
        to(NEXT_HOP, "the next hop itself, by the connected route"),
        Packet::new(HOST, FAR).ttl(2).udp("arrives with one turn left").on(LEFT),
        Packet::new(HOST, FAR).ttl(255).udp("the longest life").on(LEFT),
        Packet::new(HOST, FAR).dont_fragment().udp("not to be fragmented").on(LEFT),
        // 20 + 8 + 1472 bytes.
        Packet::new(HOST, FAR).udp(&long("as long as the link allows", 1472)).on(LEFT),
    ]
}

fn transit_ipv6_udp() -> Vec<Frame> {
    let to = |destination, say: &str| Packet::new(HOST6, destination).udp(say).on(LEFT);
    vec![
        to(FAR6, "far, by the default route"),
        to("2001:db8:3::8", "another far one"),
        to("2001:db8:3:ffff:ffff:ffff:ffff:ffff", "the last of its network"),
        to(NEXT_HOP6, "the next hop itself, by the connected route"),
        Packet::new(HOST6, FAR6).ttl(2).udp("arrives with one turn left").on(LEFT),
        Packet::new(HOST6, FAR6).ttl(255).udp("the longest life").on(LEFT),
        // 40 + 8 + 1452 bytes.
        Packet::new(HOST6, FAR6).udp(&long("as long as the link allows", 1452)).on(LEFT),
    ]
}

/// What comes in on `right`.
fn way_back() -> Vec<Frame> {
    vec![
        Packet::new(FAR, HOST).ttl(57).udp("an answer").on(RIGHT),
        Packet::new(FAR6, HOST6).ttl(57).udp("an answer").on(RIGHT),
        Packet::new(FAR, "192.0.2.99").ttl(57).udp("to a host nobody has seen").on(RIGHT),
        Packet::new(FAR6, "2001:db8:1::99").ttl(57).udp("to a host nobody has seen").on(RIGHT),
    ]
}

fn ttl_expires() -> Vec<Frame> {
    let mut frames = Vec::new();
    for (from, to) in [(HOST, FAR), (HOST6, FAR6)] {
        frames.push(Packet::new(from, to).ttl(1).udp("1: expires here").on(LEFT));
        frames.push(Packet::new(from, to).ttl(0).udp("0: expired before").on(LEFT));
        frames.push(Packet::new(from, to).ttl(1).echo(7, "1: as traceroute asks").on(LEFT));
        frames.push(Packet::new(from, to).ttl(2).udp("2: goes on").on(LEFT));
    }
    // An error about these would be an error about an error, or about a part of a packet (RFC 1122 3.2.2, RFC 4443 2.4).
    frames.push(Packet::new(HOST, FAR).ttl(1).icmp_error("1: no error about an error").on(LEFT));
    frames.push(Packet::new(HOST6, FAR6).ttl(1).icmp_error("1: no error about an error").on(LEFT));
    frames.push(
        Packet::new(HOST, FAR).ttl(1).fragment(64, false).raw(UDP, b"1: no error about a later fragment").on(LEFT),
    );
    frames
}

fn mtu_exceeded() -> Vec<Frame> {
    vec![
        Packet::new(HOST, FAR).dont_fragment().udp(&long("1501 bytes, not to be fragmented", 1473)).on(LEFT),
        Packet::new(HOST, FAR).udp(&long("1501 bytes, may be fragmented", 1473)).on(LEFT),
        Packet::new(HOST6, FAR6).udp(&long("1501 bytes, a router does not fragment", 1453)).on(LEFT),
        Packet::new(HOST, FAR).dont_fragment().udp(&long("1500 bytes, just fits", 1472)).on(LEFT),
    ]
}

/// One frame for each rule of RFC 1812 5.2.2 and of RFC 8200 3, wrong in nothing else, and then a right one of each.
fn bad_headers() -> Vec<Frame> {
    let ipv4 = |say| Packet::new(HOST, FAR).udp(say);
    let ipv6 = |say| Packet::new(HOST6, FAR6).udp(say);
    let thousand = 1000_u16.to_be_bytes();
    vec![
        ipv4("rule 1").damaged(|packet| packet.truncate(19)).on_short(LEFT),
        ipv4("rule 2: the checksum is wrong").damaged(|packet| packet[10] ^= 0x55).on(LEFT),
        ipv4("rule 3: version 5").damaged(|packet| packet[0] = 0x55).summed().on(LEFT),
        ipv4("rule 4: a header of 16 bytes").damaged(|packet| packet[0] = 0x44).summed().on(LEFT),
        ipv4("rule 5: a total length of 19").damaged(|packet| packet[2..4].copy_from_slice(&[0, 19])).summed().on(LEFT),
        ipv4("a total length of 1000").damaged(|packet| packet[2..4].copy_from_slice(&thousand)).summed().on(LEFT),
        ipv4("60 bytes of header in 52").damaged(|packet| packet[0] = 0x4f).summed().on(LEFT),
        ipv6("shorter than a header").damaged(|packet| packet.truncate(39)).on_short(LEFT),
        ipv6("version 4 in a frame of IPv6").damaged(|packet| packet[0] = 0x40).on(LEFT),
        ipv6("a payload length of 1000").damaged(|packet| packet[4..6].copy_from_slice(&thousand)).on(LEFT),
        ipv4("all is right").on(LEFT),
        ipv6("all is right").on(LEFT),
    ]
}

/// Addresses that have no business on a link, or none beyond it (RFC 1812 5.3.4, 5.3.5 and 5.3.7, RFC 4291 2.5).
fn never_forwarded() -> Vec<Frame> {
    let mut frames = Vec::new();
    for source in ["0.0.0.0", "127.0.0.1", "224.0.0.5", "240.0.0.1", "255.255.255.255", "169.254.1.1"] {
        frames.push(Packet::new(source, FAR).udp("from nowhere").on(LEFT));
    }
    for source in ["::", "::1", "ff02::1", "fe80::10"] {
        frames.push(Packet::new(source, FAR6).udp("from nowhere").on(LEFT));
    }
    for destination in ["0.0.0.0", "127.0.0.1", "240.0.0.1", "169.254.1.1"] {
        frames.push(Packet::new(HOST, destination).udp("to nowhere").on(LEFT));
    }
    for destination in ["::", "::1", "fe80::99"] {
        frames.push(Packet::new(HOST6, destination).udp("to nowhere").on(LEFT));
    }
    let broadcast = Link { to: frame::BROADCAST, ..LEFT };
    frames.push(Packet::new(HOST, "255.255.255.255").udp("to all on this link").on(broadcast));
    frames.push(Packet::new(HOST, "233.252.0.1").udp("to a group").on(LEFT.to_group("233.252.0.1")));
    frames.push(Packet::new(HOST6, "ff0e::db8:0:1").udp("to a group").on(LEFT.to_group("ff0e::db8:0:1")));
    frames.push(Packet::new(HOST, FAR).udp("to one host, in a frame to all").on(broadcast));
    frames
}

fn options_and_fragments() -> Vec<Frame> {
    const NO_OPERATION: [u8; 4] = [1, 1, 1, 0];
    const ROUTER_ALERT: [u8; 4] = [148, 4, 0, 0];
    const RECORD_ROUTE: [u8; 12] = [7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let whole = Packet::new(HOST, FAR).datagram("the first of two fragments, and the second");
    let whole6 = Packet::new(HOST6, FAR6).datagram("the first of two fragments, and the second");
    vec![
        Packet::new(HOST, FAR).options(&NO_OPERATION).udp("an option that does nothing").on(LEFT),
        Packet::new(HOST, FAR).options(&ROUTER_ALERT).udp("router alert").on(LEFT),
        Packet::new(HOST, FAR).options(&RECORD_ROUTE).udp("record route").on(LEFT),
        Packet::new(HOST, FAR).fragment(0, true).raw(UDP, &whole[..32]).on(LEFT),
        Packet::new(HOST, FAR).fragment(32, false).raw(UDP, &whole[32..]).on(LEFT),
        Packet::new(HOST6, FAR6).extension(0, &[5, 2, 0, 0, 1, 0]).udp("hop by hop: router alert").on(LEFT),
        Packet::new(HOST6, FAR6).extension(60, &[1, 4, 0, 0, 0, 0]).udp("destination options: padding").on(LEFT),
        Packet::new(HOST6, FAR6).extension(43, &[253, 0, 0, 0, 0, 0]).udp("routing of an experiment, done").on(LEFT),
        Packet::new(HOST6, FAR6).extension(44, &[0, 1, 0, 0, 0, 1]).raw(UDP, &whole6[..32]).on(LEFT),
        Packet::new(HOST6, FAR6).extension(44, &[0, 32, 0, 0, 0, 1]).raw(UDP, &whole6[32..]).on(LEFT),
    ]
}

/// The routes of `replay.toml` that lead nowhere, and one that leads to a next hop of unknown MAC.
fn routes_that_end() -> Vec<Frame> {
    vec![
        Packet::new(HOST, "198.18.0.1").udp("into a blackhole").on(LEFT),
        Packet::new(HOST6, "2001:db8:dead::1").udp("into a blackhole").on(LEFT),
        Packet::new(HOST, "198.19.0.1").udp("said to be unreachable").on(LEFT),
        Packet::new(HOST6, "2001:db8:beef::1").udp("said to be unreachable").on(LEFT),
        Packet::new(HOST, "203.0.113.200").udp("its next hop is unknown").on(LEFT),
        Packet::new(HOST6, "2001:db8:4::1").udp("its next hop is unknown").on(LEFT),
        Packet::new(HOST, "198.51.100.77").udp("a neighbour nobody has seen").on(LEFT),
    ]
}

fn arp_and_nd() -> Vec<Frame> {
    vec![
        arp_request(HOST_MAC, HOST, ROUTER),
        arp_request(HOST_MAC, HOST, "192.0.2.99"),
        // Gratuitous: the host tells its own address (RFC 5227).
        arp_request(HOST_MAC, HOST, HOST),
        neighbour_solicitation(HOST_MAC, HOST6, ROUTER6, LEFT.to_solicited(ROUTER6)),
        // Is it still there? (RFC 4861 7.3)
        neighbour_solicitation(HOST_MAC, HOST6, ROUTER6, LEFT),
        neighbour_solicitation(HOST_MAC, HOST6, "2001:db8:1::99", LEFT.to_solicited("2001:db8:1::99")),
        neighbour_advertisement(HOST_MAC, HOST6, LEFT.to_group("ff02::1")),
        Packet::new(HOST, ROUTER).echo(1, "now that we know each other").on(LEFT),
        Packet::new(HOST6, ROUTER6).echo(1, "now that we know each other").on(LEFT),
    ]
}

fn echo_to_router() -> Vec<Frame> {
    let mut frames = Vec::new();
    for sequence in 1..=3 {
        frames.push(Packet::new(HOST, ROUTER).echo(sequence, "the near side").on(LEFT));
        frames.push(Packet::new(HOST6, ROUTER6).echo(sequence, "the near side").on(LEFT));
    }
    frames.push(Packet::new(HOST, "198.51.100.1").echo(1, "the far side").on(LEFT));
    frames.push(Packet::new(HOST6, "2001:db8:2::1").echo(1, "the far side").on(LEFT));
    frames.push(Packet::new(HOST, ROUTER).udp("no one listens").on(LEFT));
    frames
}

fn not_ip() -> Vec<Frame> {
    let inner = Packet::new(HOST, FAR).udp("IPv4 behind a tag").bytes();
    let tag = |tag: &[u8]| [tag, &inner].concat();
    let lldp = Link { to: [0x01, 0x80, 0xc2, 0, 0, 0x0e], ..LEFT };
    let bridges = Link { to: [0x01, 0x80, 0xc2, 0, 0, 0], ..LEFT };
    vec![
        LEFT.frame(0x8100, &tag(&[0, 10, 0x08, 0x00])),
        LEFT.frame(0x88a8, &tag(&[0, 20, 0x81, 0x00, 0, 10, 0x08, 0x00])),
        // MPLS: label 16, bottom of stack, TTL 64.
        LEFT.frame(0x8847, &tag(&[0x00, 0x01, 0x01, 0x40])),
        LEFT.frame(0x88b5, b"for local experiments"),
        lldp.frame(0x88cc, b"\x02\x07\x04\x02\0\0\0\x01\x10\x04\x05\x05host\x06\x02\0\x78\0\0"),
        // A length in place of a type: IEEE 802.2, spanning tree.
        bridges.frame(38, &[&[0x42, 0x42, 0x03][..], &[0; 35]].concat()),
        // Ten bytes, the rest was lost.
        LEFT.frame(0x0800, &inner)[..10].to_vec(),
    ]
}

/// All scenes at once, taking turns, so that neighbours in a burst fare differently.
fn mixed(scenes: &[(&str, Vec<Frame>)]) -> Vec<Frame> {
    let turns = scenes.iter().map(|(_, frames)| frames.len()).max().unwrap_or_default();
    (0..turns).flat_map(|turn| scenes.iter().filter_map(move |(_, frames)| frames.get(turn).cloned())).collect()
}

/// Packets without Ethernet: link type 101, which a replay refuses by its name.
fn raw_ip() -> Result<Vec<u8>, WriteError> {
    let packets = [Packet::new(HOST, FAR), Packet::new(HOST6, FAR6)].map(|packet| packet.udp("no Ethernet").bytes());
    let mut file = in_memory(&packets)?;
    file[20..24].copy_from_slice(&101_u32.to_le_bytes());
    Ok(file)
}

/// Cut in the middle of the third packet: two are to be processed, and the third named with its place, byte 183.
fn damaged() -> Result<Vec<u8>, WriteError> {
    let mut file = in_memory(&transit_ipv4_udp()[..3])?;
    file.truncate(file.len() - 33);
    Ok(file)
}

fn in_memory(frames: &[Frame]) -> Result<Vec<u8>, WriteError> {
    let mut file = Vec::new();
    let mut capture = CaptureWriter::new("memory", &mut file)?;
    write_frames(&mut capture, frames)?;
    capture.finish()?;
    Ok(file)
}

/// A text made longer with dots.
fn long(say: &str, len: usize) -> String {
    format!("{say:.<len$}")
}

/// 2026-01-01 00:00:00 UTC.
const START: Duration = Duration::from_secs(1_767_225_600);

const HOST: &str = "192.0.2.10";
const HOST6: &str = "2001:db8:1::10";
const ROUTER: &str = "192.0.2.1";
const ROUTER6: &str = "2001:db8:1::1";
const NEXT_HOP: &str = "198.51.100.2";
const NEXT_HOP6: &str = "2001:db8:2::2";
const FAR: &str = "203.0.113.7";
const FAR6: &str = "2001:db8:3::7";

const HOST_MAC: Mac = [2, 0, 0, 0, 1, 0x10];
/// From the host to the router.
const LEFT: Link = Link { to: [2, 0, 0, 0, 0, 1], from: HOST_MAC };
/// From the next hop to the router.
const RIGHT: Link = Link { to: [2, 0, 0, 0, 0, 2], from: [2, 0, 0, 0, 2, 2] };

/// An address that is written in this program.
fn ip(address: &str) -> IpAddr {
    address.parse().expect("a constant of this program")
}
