//! Every capture of the corpus, against what an independent dissector says of it.
//!
//! The corpus lies beside the repository and not in it: without it there is nothing to do, and the test says so. Its
//! `INDEX.md` is a table with a row per file: packets, format, link types, and the error that ends a damaged one.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use flate2::read::MultiGzDecoder;
use pcap_file::pcap::PcapReader;
use pcap_file::pcapng::PcapNgReader;
use pcap_file::pcapng::blocks::Block;
use pcaps::{Capture, CaptureError, LinkType};

#[test]
fn every_capture_of_the_corpus_is_read_as_its_index_says() {
    let Some(rows) = rows() else { return };
    let mut wrong = Vec::new();
    for row in &rows {
        let seen = Seen::read(&row.path());
        if let Err(difference) = row.agrees_with(&seen) {
            wrong.push(format!("{}: {difference}", row.file));
        }
    }
    assert!(wrong.is_empty(), "{} of {} files:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
    println!("{} captures read", rows.len());
}

#[test]
fn what_pcap_file_reads_to_the_end_we_read_the_same_byte_by_byte() {
    let Some(rows) = rows() else { return };
    let known = |row: &&Row| row.error.is_none() && !UNKNOWN_VERSIONS.iter().any(|(file, _)| row.file == *file);
    let mut stopped = 0;
    for row in rows.iter().filter(known) {
        let mut file = Vec::new();
        let mut raw = File::open(row.path()).expect("the index names files");
        let read = if row.file.ends_with(".gz") {
            MultiGzDecoder::new(raw).read_to_end(&mut file)
        } else {
            raw.read_to_end(&mut file)
        };
        read.expect("the corpus can be read");
        let Some(theirs) = read_with_pcap_file(&file) else {
            stopped += 1;
            continue;
        };
        let mut ours = Capture::open(row.path()).expect("the file is whole");
        let mut theirs = theirs.into_iter();
        while let Some(packet) = ours.next_packet().expect("the file is whole") {
            let ours = (Some(packet.timestamp), packet.original_len, packet.bytes.to_vec());
            let theirs = theirs.next().map(|(time, len, bytes)| (time.or(Some(packet.timestamp)), len, bytes));
            assert_eq!(Some(ours), theirs, "{}", row.file);
        }
        assert_eq!(theirs.next(), None, "{}", row.file);
    }
    assert_eq!(stopped, 24, "the essay of the crate counts and explains these");
}

/// Time (a simple packet has none), original length and bytes of a packet.
type Theirs = (Option<Duration>, u32, Vec<u8>);

/// All packets of a file as pcap-file sees them, unless it stops before the end.
fn read_with_pcap_file(file: &[u8]) -> Option<Vec<Theirs>> {
    let mut packets = Vec::new();
    if let Ok(mut reader) = PcapReader::new(file) {
        while let Some(packet) = reader.next_packet() {
            let packet = packet.ok()?;
            packets.push((Some(packet.timestamp()), packet.orig_len(), packet.data().to_vec()));
        }
        return Some(packets);
    }
    let mut reader = PcapNgReader::new(file).ok()?;
    while let Some(block) = reader.next_block() {
        match block.ok()?.0 {
            Block::EnhancedPacket(packet) => {
                packets.push((Some(packet.timestamp), packet.original_len, packet.data.to_vec()));
            }
            Block::Packet(packet) => packets.push((Some(packet.timestamp), packet.original_len, packet.data.to_vec())),
            Block::SimplePacket(packet) => packets.push((None, packet.original_len, packet.data.to_vec())),
            _ => {}
        }
    }
    Some(packets)
}

/// A row of the index.
#[derive(Debug)]
struct Row {
    file: String,
    packets: usize,
    format: String,
    link_types: BTreeSet<String>,
    /// What ends the file, if it is damaged.
    error: Option<String>,
}

impl Row {
    fn parse(line: &str) -> Option<Self> {
        let cells = line.split('|').map(str::trim).collect::<Vec<_>>();
        let [_, file, _, _, _, packets, _, format, link_types, _, notes, ..] = cells[..] else { return None };
        Some(Self {
            file: file.to_owned(),
            packets: packets.parse().ok()?,
            format: format.to_owned(),
            link_types: link_types.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect(),
            error: notes.split_once("FILE ERROR ").map(|(_, error)| error.to_owned()),
        })
    }

    fn path(&self) -> PathBuf {
        Path::new(CORPUS).join(&self.file)
    }

    fn agrees_with(&self, seen: &Seen) -> Result<(), String> {
        if let Some((_, why)) = UNKNOWN_VERSIONS.iter().find(|(file, _)| self.file == *file) {
            return match &seen.error {
                Some(error) if error.contains(why) => Ok(()),
                other => Err(format!("wanted `{why}`, found {other:?}")),
            };
        }
        match (&self.error, &seen.error) {
            (None, None) => {}
            (Some(wanted), Some(found)) if found.contains(ours(wanted)) => {}
            (wanted, found) => return Err(format!("wanted {wanted:?}, found {found:?}")),
        }
        if self.packets != seen.packets {
            return Err(format!("wanted {} packets, found {}", self.packets, seen.packets));
        }
        let mut link_types = self.link_types.clone();
        if SECTIONS_WITHOUT_PACKETS.contains(&&*self.file) {
            link_types.remove("Ethernet");
        }
        if self.format.starts_with("pcap") && link_types != seen.link_types {
            return Err(format!("wanted {link_types:?}, found {:?}", seen.link_types));
        }
        Ok(())
    }
}

/// What was read of a file.
#[derive(Debug, Default)]
struct Seen {
    packets: usize,
    link_types: BTreeSet<String>,
    error: Option<String>,
}

impl Seen {
    fn read(path: &Path) -> Self {
        let mut seen = Self::default();
        if let Err(error) = seen.read_on(path) {
            seen.error = Some(error.to_string());
        }
        seen
    }

    fn read_on(&mut self, path: &Path) -> Result<(), CaptureError> {
        let mut capture = Capture::open(path)?;
        while let Some(packet) = capture.next_packet()? {
            self.packets += 1;
            assert!(packet.original_len as usize >= packet.bytes.len());
            // Interfaces without packets count too, and are forgotten with their section.
            self.link_types.extend(capture.link_types().map(index_name));
        }
        self.link_types.extend(capture.link_types().map(index_name));
        Ok(())
    }
}

/// The index's rows, or nothing but a message.
fn rows() -> Option<Vec<Row>> {
    let Ok(index) = std::fs::read_to_string(Path::new(CORPUS).join("INDEX.md")) else {
        // Not by `println!`, which a passing test keeps to itself.
        let _unheard = writeln!(std::io::stderr(), "skipped: there is no corpus at {CORPUS}");
        return None;
    };
    let rows = index.lines().filter_map(Row::parse).collect::<Vec<_>>();
    assert!(rows.len() > 900, "the index has {} rows that can be read", rows.len());
    Some(rows)
}

/// What our message has in it when the index has `error`.
fn ours(error: &str) -> &str {
    match error.split(' ').next() {
        Some("truncated") => "the file ends inside a record's header",
        Some("bogus") => "the longest is 262144",
        // All of these begin with "vers", as a pointer of Git LFS does.
        Some("unknown") => "a pointer of Git LFS",
        _ => error,
    }
}

/// What the index calls a link type: by a name of its own, or by number.
fn index_name(link_type: LinkType) -> String {
    match link_type.number() {
        0 | 108 => "NULL/loop",
        1 => "Ethernet",
        8 => "SLIP",
        9 => "PPP",
        10 => "FDDI",
        12 => "RAW12",
        50 => "PPP-HDLC",
        101 => "RAW",
        104 => "C-HDLC",
        105 => "802.11",
        107 => "FRELAY",
        113 => "SLL",
        127 => "radiotap",
        228 => "IPv4",
        229 => "IPv6",
        276 => "SLL2",
        number => return number.to_string(),
    }
    .to_owned()
}

/// The index does not look at versions. libpcap, whose tests three of these are, refuses them as we do.
const UNKNOWN_VERSIONS: [(&str, &str); 5] = [
    ("formats/libpcap__tests_pcap-invalid-version-1.pcap", "version 1.4 of pcap"),
    ("formats/libpcap__tests_pcap-invalid-version-2.pcap", "version 2.5 of pcap"),
    ("formats/libpcap__tests_pcapng-invalid-vers-1.pcapng", "version 0.1 of pcapng"),
    ("formats/gopacket__pcapgo_tests_be_test901.pcapng", "version 2.0 of pcapng"),
    ("formats/gopacket__pcapgo_tests_le_test901.pcapng", "version 2.0 of pcapng"),
];

/// Sections that describe Ethernet and hold no packets, before the last section: their interfaces are never seen.
const SECTIONS_WITHOUT_PACKETS: [&str; 2] =
    ["formats/gopacket__pcapgo_tests_be_test200.pcapng", "formats/gopacket__pcapgo_tests_le_test200.pcapng"];

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/pcaps");
