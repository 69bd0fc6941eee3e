//! Whatever the world has captured, forwarded over links of 576, 1500 and 9000 bytes.
//!
//! The corpus lies beside the repository and not in it: without it there is nothing to do, and the test says so. `ferry
//! replay` is held to the same captures with its own configuration.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use boundary::PortId;
use control::Timestamp;
use control::config::Config;
use pcaps::Capture;
use simulation::Simulation;

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/pcaps");

/// The captures of Ethernet frames.
fn captures() -> Option<Vec<PathBuf>> {
    let Ok(index) = fs::read_to_string(Path::new(CORPUS).join("INDEX.md")) else {
        // Not by `println!`, which a passing test keeps to itself.
        let _unheard = writeln!(std::io::stderr(), "skipped: there is no corpus of captures beside the repository");
        return None;
    };
    let file = |line: &str| {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let [_, file, _, _, _, _, _, _, "Ethernet", ..] = cells[..] else { return None };
        Some(Path::new(CORPUS).join(file))
    };
    Some(index.lines().filter_map(file).collect())
}

/// A router between two links, whose second carries so many bytes; less than IPv6 needs, and it has no IPv6 there.
fn router(mtu: u16) -> Simulation {
    let v6 = mtu >= 1280;
    let address = if v6 { ", \"2001:db8:2::1/64\"" } else { "" };
    let route = if v6 { "[[route]]\nto = \"::/0\"\nvia = \"2001:db8:2::2\"" } else { "" };
    let text = format!(
        r#"
        [[port]]
        name = "left"
        device = "net_null0"
        addresses = ["192.0.2.1/24", "2001:db8:1::1/64"]
        mtu = 9000
        promiscuous = true
        [[port]]
        name = "right"
        device = "net_null1"
        addresses = ["198.51.100.1/24"{address}]
        mtu = {mtu}
        promiscuous = true
        [[route]]
        to = "0.0.0.0/0"
        via = "198.51.100.2"
        {route}
        "#
    );
    let config = Config::parse("corpus.toml", &text).expect("the configuration is right");
    Simulation::new(&config, true, Timestamp::from_nanos(1_000_000_000))
}

/// Lets all frames of a capture arrive at the left; how many came in, and how many left.
fn forward(path: &Path, mtu: u16) -> (u64, u64) {
    let mut router = router(mtu);
    let (mut arrived, mut left) = (0, 0);
    let Ok(mut capture) = Capture::open(path) else { return (0, 0) };
    // What comes before the damage of a damaged file counts.
    while let Ok(Some(packet)) = capture.next_packet() {
        router.advance(router.now() + Duration::from_millis(1));
        router.arrive(PortId(0), [packet.bytes.to_vec()]);
        arrived += 1;
        for (port, frame) in router.take_sent() {
            let most = if port == PortId(0) { 9000 } else { usize::from(mtu) };
            assert!(frame.0.len() <= 14 + most, "{}: {} bytes for {most}", path.display(), frame.0.len());
            left += 1;
        }
    }
    router.advance(router.now() + Duration::from_secs(90));
    let totals = router.totals();
    assert!(totals.is_conserved(), "{}: {totals:?}", path.display());
    assert_eq!(totals.received(), arrived, "{}", path.display());
    (arrived, left)
}

#[test]
fn every_capture_of_the_corpus_obeys_the_law_whatever_the_link_out_carries() {
    let Some(captures) = captures() else { return };
    assert!(captures.len() > 500, "the index has {} captures of Ethernet", captures.len());
    for mtu in [576, 1500, 9000] {
        let sums = captures.iter().map(|path| forward(path, mtu));
        let (arrived, left) = sums.fold((0, 0), |(arrived, left), (more, less)| (arrived + more, left + less));
        assert!(left > 0);
        println!("MTU {mtu}: {arrived} frames of {} captures, {left} left", captures.len());
    }
}
