//! ferryd over DPDK's `net_pcap`: a capture comes in, a capture goes out, and nothing but ferryd is in between.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use control_api::client::Client;
use control_api::{Reply, Request};
use pcaps::Capture;

use crate::ferryd::{Accounts, Ferryd, patiently};

const CAPTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../pcaps");

fn frames(path: &Path) -> Vec<Vec<u8>> {
    let mut capture = Capture::open(path).unwrap();
    let mut frames = Vec::new();
    while let Some(packet) = capture.next_packet().unwrap() {
        frames.push(packet.bytes.to_vec());
    }
    frames
}

/// The capture on the left, through ferryd as `pcaps/replay.toml` configures it; returns what left on the right, and what
/// ferryd counted.
fn through_ferryd(capture: &str) -> (Vec<Vec<u8>>, Accounts) {
    let folder = tempfile::tempdir().unwrap();
    let (socket, right) = (folder.path().join("ferry.sock"), folder.path().join("right.pcap"));
    let arrives = Path::new(CAPTURES).join(capture);
    let device = |number, arrives: &Path, leaves: &Path| {
        format!("net_pcap{number},rx_pcap={},tx_pcap={}", arrives.display(), leaves.display())
    };
    // Nothing comes in on the right: a capture of no packets.
    let nothing = folder.path().join("nothing.pcap");
    pcaps::CaptureWriter::create(&nothing).unwrap().finish().unwrap();
    let config = fs::read_to_string(Path::new(CAPTURES).join("replay.toml")).unwrap();
    let config = config
        .replace("net_null0", &device(0, &arrives, &folder.path().join("left.pcap")))
        .replace("net_null1", &device(1, &nothing, &right));
    let path = folder.path().join("ferry.toml");
    fs::write(&path, format!("[api]\nsocket = \"{}\"\n{config}", socket.display())).unwrap();

    let mut command = Command::new(env!("CARGO_BIN_EXE_ferryd"));
    command.arg("--config").arg(&path);
    let ferryd = Ferryd::start(command);
    let wanted = frames(&arrives).len() as u64;
    let received = || match Client::connect(&socket, Duration::from_secs(30)).ok()?.ask(&Request::Stats) {
        Ok(Reply::Stats(stats)) => (stats.total.received == wanted).then_some(()),
        _ => None,
    };
    assert!(patiently(received).is_some(), "{capture} never came in whole: {}", ferryd.log());
    let accounts = Accounts::of(&ferryd.stop());
    (frames(&right), accounts)
}

#[test]
fn a_capture_in_transit_leaves_with_one_hop_less() {
    for (capture, hops) in [("transit-ipv4-udp.pcap", 14 + 8), ("transit-ipv6-udp.pcap", 14 + 7)] {
        let arrived = frames(&Path::new(CAPTURES).join(capture));
        let (left, accounts) = through_ferryd(capture);
        // Its own announcements leave as well; what was forwarded still carries UDP.
        let forwarded: Vec<_> =
            left.iter().filter(|frame| arrived.iter().any(|sent| sent.len() == frame.len())).collect();
        let all = arrived.len() as u64;
        assert_eq!(accounts, Accounts { received: all, transmitted: all, punted: 0, dropped: 0 }, "{capture}");
        for sent in &arrived {
            let mut expected = sent[14..].to_vec();
            expected[hops - 14] -= 1;
            let is_there = forwarded.iter().any(|frame| same_but_for_checksum(&frame[14..], &expected));
            assert!(is_there, "{capture}: {sent:02x?} never left");
        }
    }
}

/// Whether two packets are the same, an IPv4 header's checksum aside.
fn same_but_for_checksum(one: &[u8], other: &[u8]) -> bool {
    let is_ipv4 = other[0] >> 4 == 4;
    let differs = |place: usize| one[place] != other[place] && !(is_ipv4 && (place == 10 || place == 11));
    one.len() == other.len() && !(0..one.len()).any(differs)
}

#[test]
fn every_packet_of_a_mixed_capture_is_accounted_for() {
    let (_left, accounts) = through_ferryd("mixed.pcap");
    let arrived = frames(&Path::new(CAPTURES).join("mixed.pcap")).len() as u64;
    assert!(accounts.received == arrived && accounts.are_conserved(), "{accounts:?}");
}
