//! `ferry replay` as people run it: on our own captures, and on whatever the world has captured.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use pcaps::{Capture, CaptureWriter};
use serde_json::Value;

const OURS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../pcaps");
const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/pcaps");

/// A run of `ferry replay --json` into a folder of its own.
struct Replay {
    output: Output,
    folder: tempfile::TempDir,
}

impl Replay {
    fn of(inputs: &[(&str, &Path)]) -> Self {
        Self::with(inputs, &[])
    }

    fn with(inputs: &[(&str, &Path)], more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut ferry = Command::new(env!("CARGO_BIN_EXE_ferry"));
        ferry.args(["--json", "replay", "--config"]).arg(Path::new(OURS).join("replay.toml"));
        ferry.arg("--output").arg(folder.path()).args(more);
        for (port, capture) in inputs {
            ferry.arg("--input").arg(format!("{port}={}", capture.display()));
        }
        Self { output: ferry.output().unwrap(), folder }
    }

    fn succeeded(&self) -> bool {
        self.output.status.success()
    }

    /// What it printed, as one object.
    fn json(&self) -> Value {
        let text = String::from_utf8_lossy(&self.output.stdout);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}{}", self.complaint()))
    }

    fn complaint(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    fn count(&self, name: &str) -> u64 {
        self.json()[name].as_u64().unwrap_or_else(|| panic!("a number `{name}`"))
    }

    fn reasons(&self, kind: &str) -> BTreeMap<String, u64> {
        serde_json::from_value(self.json()[kind].clone()).unwrap()
    }

    fn is_conserved(&self) -> bool {
        let dropped: u64 = self.reasons("dropped").values().sum();
        self.count("received") == self.count("transmitted") + self.count("punted") + dropped
    }

    /// The bytes of each port's capture.
    fn written(&self) -> BTreeMap<String, Vec<u8>> {
        let files = fs::read_dir(self.folder.path()).unwrap().map(|file| file.unwrap().path());
        files.map(|path| (path.file_name().unwrap().display().to_string(), fs::read(path).unwrap())).collect()
    }

    /// The frames that left through a port.
    fn frames(&self, port: &str) -> Vec<Vec<u8>> {
        frames(&self.folder.path().join(format!("{port}.pcap")))
    }
}

fn ours(name: &str) -> PathBuf {
    Path::new(OURS).join(name)
}

fn frames(path: &Path) -> Vec<Vec<u8>> {
    let mut capture = Capture::open(path).unwrap();
    let mut frames = Vec::new();
    while let Some(packet) = capture.next_packet().unwrap() {
        frames.push(packet.bytes.to_vec());
    }
    frames
}

#[test]
fn packets_in_transit_leave_by_the_other_port_with_one_hop_less() {
    for (capture, hops) in [("transit-ipv4-udp.pcap", 14 + 8), ("transit-ipv6-udp.pcap", 14 + 7)] {
        let replay = Replay::of(&[("left", &ours(capture))]);
        let (sent, left) = (frames(&ours(capture)), replay.frames("right"));
        assert!(replay.succeeded() && replay.is_conserved(), "{}", replay.complaint());
        assert_eq!(replay.count("transmitted"), sent.len() as u64, "{capture}");
        assert_eq!(sent.len(), left.len());
        for (sent, left) in sent.iter().zip(&left) {
            assert_eq!(left[hops], sent[hops] - 1, "{capture}");
        }
    }
}

#[test]
fn a_broken_header_is_dropped_for_the_rule_it_breaks() {
    let replay = Replay::of(&[("left", &ours("bad-headers.pcap"))]);
    let dropped = replay.reasons("dropped");
    for reason in ["truncated", "bad_checksum", "bad_version", "bad_header_length", "bad_total_length"] {
        assert!(dropped.contains_key(reason), "{reason} in {dropped:?}");
    }
    assert_eq!(replay.count("transmitted"), 2, "the right one of each family");
}

#[test]
fn what_expires_or_does_not_fit_is_answered() {
    for (capture, reason) in [("ttl-expires.pcap", "ttl_expired"), ("mtu-exceeded.pcap", "too_big")] {
        let replay = Replay::of(&[("left", &ours(capture))]);
        assert!(replay.succeeded() && replay.is_conserved(), "{}", replay.complaint());
        assert!(replay.reasons("punts")[reason] > 0, "{capture}");
        assert!(!replay.frames("left").is_empty(), "{capture}: the sender hears of it");
    }
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let inputs = [("left", ours("mixed.pcap")), ("right", ours("way-back.pcap"))];
    let inputs = inputs.each_ref().map(|(port, path)| (*port, path.as_path()));
    for more in [&[][..], &["--assume-neighbours"]] {
        let (once, twice) = (Replay::with(&inputs, more), Replay::with(&inputs, more));
        assert!(once.succeeded() && once.is_conserved(), "{}", once.complaint());
        assert_eq!(once.written(), twice.written());
        assert_eq!(once.written().len(), 2, "one capture for each port");
    }
}

#[test]
fn an_assumed_neighbour_needs_no_answer() {
    let capture = ours("routes-that-end.pcap");
    let asking = Replay::of(&[("left", &capture)]);
    let assuming = Replay::with(&[("left", &capture)], &["--assume-neighbours"]);
    assert!(asking.reasons("punts").contains_key("unresolved"));
    let left = |replay: &Replay| replay.count("transmitted") + replay.count("originated");
    assert!(assuming.is_conserved() && left(&assuming) > 0);
    let arp = |replay: &Replay| replay.frames("right").iter().filter(|frame| frame[12..14] == [8, 6]).count();
    assert!(arp(&asking) > 0, "without the option it asks");
    assert_eq!(arp(&assuming), 0, "with it, it does not");
}

#[test]
fn a_damaged_capture_is_replayed_up_to_the_damage() {
    let replay = Replay::of(&[("left", &ours("damaged.pcap"))]);
    assert!(!replay.succeeded());
    assert_eq!(replay.count("received"), 2);
    assert!(replay.is_conserved());
    assert!(
        replay.complaint().contains("damaged.pcap") && replay.complaint().contains("byte 183"),
        "{}",
        replay.complaint()
    );
}

#[test]
fn a_capture_that_is_not_ethernet_is_refused_by_name() {
    let replay = Replay::of(&[("left", &ours("raw-ip.pcap"))]);
    assert!(!replay.succeeded());
    assert!(replay.json()["error"]["message"].as_str().unwrap().contains("RAW"), "{}", replay.json());
}

#[test]
fn a_wrong_argument_is_answered_with_what_would_be_right() {
    for (input, expected) in [
        (("middle", ours("mixed.pcap")), "left, right"),
        (("left", ours("absent.pcap")), "absent.pcap"),
        (("left", PathBuf::from("/dev/null")), "/dev/null"),
    ] {
        let replay = Replay::of(&[(input.0, &input.1)]);
        assert!(!replay.succeeded());
        let message = replay.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn a_full_disk_is_reported_and_not_a_success() {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/dev/full", folder.path().join("right.pcap")).unwrap();
    let mut ferry = Command::new(env!("CARGO_BIN_EXE_ferry"));
    ferry.arg("replay").arg("--config").arg(ours("replay.toml")).arg("--output").arg(folder.path());
    let output = ferry.arg("--input").arg(format!("left={}", ours("mixed.pcap").display())).output().unwrap();
    assert!(!output.status.success());
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(complaint.contains("right.pcap") && complaint.contains("No space left"), "{complaint}");
    assert_eq!(output.status.code(), Some(1), "the output could not be written");
}

#[test]
fn a_capture_is_never_replayed_onto_itself() {
    let folder = tempfile::tempdir().unwrap();
    let (input, elsewhere) = (folder.path().join("right.pcap"), folder.path().join("linked.pcap"));
    fs::copy(ours("way-back.pcap"), &input).unwrap();
    fs::hard_link(&input, &elsewhere).unwrap();
    for name in [&input, &elsewhere] {
        let mut ferry = Command::new(env!("CARGO_BIN_EXE_ferry"));
        ferry.arg("replay").arg("--config").arg(ours("replay.toml")).arg("--output").arg(folder.path());
        let output = ferry.arg("--input").arg(format!("right={}", name.display())).output().unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && complaint.contains("would be overwritten"), "{complaint}");
        assert_eq!(fs::read(&input).unwrap(), fs::read(ours("way-back.pcap")).unwrap());
    }
}

#[test]
fn every_damaged_capture_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("other.pcap");
    let whole = fs::read(ours("way-back.pcap")).unwrap();
    fs::write(&other, &whole[..whole.len() - 1]).unwrap();
    let replay = Replay::of(&[("left", &ours("damaged.pcap")), ("right", &other)]);
    let complaint = replay.complaint();
    assert!(
        !replay.succeeded() && complaint.contains("damaged.pcap") && complaint.contains("other.pcap"),
        "{complaint}"
    );
}

#[test]
fn packets_from_long_ago_and_far_ahead_do_not_upset_the_clock() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("times.pcap");
    let frame = &frames(&ours("transit-ipv4-udp.pcap"))[0];
    let mut writer = CaptureWriter::create(&path).unwrap();
    for seconds in [4_000_000_000, 5, 0, 4_294_967_295, 1] {
        writer.write(std::time::Duration::from_secs(seconds), 0, frame).unwrap();
    }
    writer.finish().unwrap();
    let replay = Replay::of(&[("left", &path)]);
    assert!(replay.succeeded(), "{}", replay.complaint());
    assert_eq!(replay.count("transmitted"), 5);
}

/// A row of the corpus's index: the file, its packets, and whether a replay can take all of it.
struct Row {
    file: String,
    packets: u64,
    is_ethernet: bool,
    is_whole: bool,
}

fn rows() -> Option<Vec<Row>> {
    let Ok(index) = fs::read_to_string(Path::new(CORPUS).join("INDEX.md")) else {
        // Not by `println!`, which a passing test keeps to itself.
        let _unheard = writeln!(std::io::stderr(), "skipped: there is no corpus of captures beside the repository");
        return None;
    };
    let row = |line: &str| {
        let cells = line.split('|').map(str::trim).collect::<Vec<_>>();
        let [_, file, _, _, _, packets, _, _, link_types, _, notes, ..] = cells[..] else { return None };
        Some(Row {
            file: file.to_owned(),
            packets: packets.parse().ok()?,
            is_ethernet: link_types == "Ethernet",
            // The index's own reader does not look at versions.
            is_whole: !notes.contains("FILE ERROR") && !file.contains("invalid-vers"),
        })
    };
    Some(index.lines().filter_map(row).collect())
}

/// The most memory any replay so far has held at once, in bytes.
fn most_memory() -> u64 {
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_CHILDREN).unwrap();
    u64::try_from(usage.max_rss()).unwrap() * 1024
}

#[test]
fn every_capture_of_the_corpus_obeys_the_law_twice_the_same_within_bounded_memory() {
    let Some(rows) = rows() else { return };
    assert!(rows.len() > 900, "the index has {} rows", rows.len());
    let (mut wrong, mut whole) = (Vec::new(), 0);
    for row in &rows {
        let path = Path::new(CORPUS).join(&row.file);
        let replay = Replay::with(&[("left", &path)], &["--assume-neighbours"]);
        let printed = replay.json();
        if replay.output.status.code().is_none_or(|code| code == 101) {
            wrong.push(format!("{}: crashed: {}", row.file, replay.complaint()));
        } else if printed.get("error").is_some() {
            // Refused before anything was replayed: there is nothing to count.
            if replay.succeeded() || (row.is_ethernet && row.is_whole) {
                wrong.push(format!("{}: refused: {printed}", row.file));
            }
        } else if !replay.is_conserved() {
            wrong.push(format!("{}: breaks the law: {printed}", row.file));
        } else if row.is_ethernet && row.is_whole && replay.succeeded() {
            whole += 1;
            if replay.count("received") != row.packets {
                wrong.push(format!("{}: {} packets of {}", row.file, replay.count("received"), row.packets));
            }
            let again = Replay::with(&[("left", &path)], &["--assume-neighbours"]);
            if again.written() != replay.written() {
                wrong.push(format!("{}: another time, other bytes", row.file));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {} files:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
    assert!(most_memory() < 200 << 20, "{} bytes", most_memory());
    println!("{} captures replayed, {whole} of them whole, in at most {} MiB", rows.len(), most_memory() >> 20);
}
