//! What a capture's bytes mean, and that no bytes at all can do harm.
//!
//! Whole pcapng files are made by pcap-file, an independent reading of the same draft; what it cannot write is put
//! together here, byte by byte.

use std::borrow::Cow;
use std::io::{Cursor, Write};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption, InterfaceTsResolution,
};
use pcap_file::pcapng::blocks::opt_common::CommonOption;
use pcap_file::pcapng::blocks::packet::PacketBlock;
use pcap_file::pcapng::blocks::section_header::SectionHeaderBlock;
use pcap_file::pcapng::blocks::simple_packet::SimplePacketBlock;
use pcap_file::pcapng::blocks::{Block, PcapNgBlock};
use pcap_file::{DataLink, Endianness};
use pcaps::{Capture, CaptureError, CaptureWriter, Damage, Format, LinkType, MAX_PACKET, WriteError, Written};
use proptest::prelude::*;

/// A packet that has outlived its capture.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Kept {
    timestamp: Duration,
    original_len: u32,
    link_type: LinkType,
    interface: u32,
    bytes: Vec<u8>,
}

impl Kept {
    fn ethernet(timestamp: Duration, bytes: &[u8]) -> Self {
        let original_len = u32::try_from(bytes.len()).expect("a test's packet is short");
        Self { timestamp, original_len, link_type: LinkType::ETHERNET, interface: 0, bytes: bytes.to_vec() }
    }
}

/// All packets of a file, and what ended it.
fn read(file: Vec<u8>) -> (Vec<Kept>, Option<CaptureError>) {
    let mut capture = match Capture::from_reader("test", Cursor::new(file)) {
        Ok(capture) => capture,
        Err(error) => return (Vec::new(), Some(error)),
    };
    let mut packets = Vec::new();
    loop {
        match capture.next_packet() {
            Ok(None) => return (packets, None),
            Ok(Some(packet)) => packets.push(Kept {
                timestamp: packet.timestamp,
                original_len: packet.original_len,
                link_type: packet.link_type,
                interface: packet.interface,
                bytes: packet.bytes.to_vec(),
            }),
            Err(error) => {
                assert_eq!(capture.next_packet().expect("one error, and no second"), None);
                return (packets, Some(error));
            }
        }
    }
}

/// All packets of a file that must be whole.
fn read_whole(file: Vec<u8>) -> Vec<Kept> {
    match read(file) {
        (packets, None) => packets,
        (_, Some(error)) => panic!("{error}"),
    }
}

/// What ends a file, as a person sees it.
fn message(file: Vec<u8>) -> String {
    read(file).1.expect("the file is not whole").to_string()
}

// pcap

/// A pcap file of these fields, in either byte order.
fn pcap(big: bool, magic: u32, version: [u16; 2], link_type: u32, records: &[(&[u32], &[u8])]) -> Vec<u8> {
    let u16 = |value: u16| if big { value.to_be_bytes() } else { value.to_le_bytes() };
    let u32 = |value: u32| if big { value.to_be_bytes() } else { value.to_le_bytes() };
    let mut file = u32(magic).to_vec();
    file.extend(version.into_iter().flat_map(u16));
    file.extend([0, 0, 65_535, link_type].into_iter().flat_map(u32));
    for (header, bytes) in records {
        file.extend(header.iter().copied().flat_map(u32));
        file.extend_from_slice(bytes);
    }
    file
}

const MICROSECONDS: u32 = 0xa1b2_c3d4;
const NANOSECONDS: u32 = 0xa1b2_3c4d;
const MODIFIED: u32 = 0xa1b2_cd34;

/// One packet of 4 bytes, captured 2 s and 7 ticks after the epoch, 60 bytes long on the wire.
fn short_pcap() -> Vec<u8> {
    pcap(false, MICROSECONDS, [2, 4], 1, &[(&[2, 7, 4, 60], b"ABCD")])
}

#[test]
fn a_pcap_is_read_in_both_byte_orders_and_resolutions_and_in_the_modified_kind() {
    let long: &[u32] = &[2, 7, 4, 60];
    let longer: &[u32] = &[2, 7, 4, 60, 3, 0x0800_0000];
    for big in [false, true] {
        for (magic, header, nanoseconds) in
            [(MICROSECONDS, long, 7000), (NANOSECONDS, long, 7), (MODIFIED, longer, 7000)]
        {
            let packets = read_whole(pcap(big, magic, [2, 4], 1, &[(header, b"ABCD"), (header, b"EFGH")]));
            let first = Kept { original_len: 60, ..Kept::ethernet(Duration::new(2, nanoseconds), b"ABCD") };
            let second = Kept { bytes: b"EFGH".to_vec(), ..first.clone() };
            assert_eq!(packets, [first, second], "magic {magic:#x}, big {big}");
        }
    }
}

#[test]
fn the_lengths_of_an_old_pcap_come_in_the_other_order() {
    for (version, header) in [([2, 2], [2, 7, 60, 4]), ([2, 3], [2, 7, 60, 4]), ([2, 3], [2, 7, 4, 60])] {
        let packets = read_whole(pcap(true, MICROSECONDS, version, 1, &[(&header, b"ABCD")]));
        assert_eq!((packets[0].original_len, packets[0].bytes.len()), (60, 4), "{version:?} {header:?}");
    }
}

#[test]
fn a_version_that_nobody_described_is_refused() {
    for version in [[1, 4], [2, 5], [543, 1]] {
        let file = pcap(false, MICROSECONDS, version, 1, &[]);
        let [major, minor] = version;
        assert_eq!(
            message(file),
            format!("`test` is damaged at byte 0: version {major}.{minor} of pcap; only 2.0 to 2.4 is known")
        );
    }
}

#[test]
fn what_is_odd_in_a_pcap_is_read_as_it_is() {
    // A link type with the length of a frame check sequence above it, a fraction of more than a second, an original
    // length below the captured one, and a packet beyond the snapshot length.
    let long = vec![b'x'; 70_000];
    let file = pcap(
        false,
        MICROSECONDS,
        [2, 4],
        0x4000_0001,
        &[(&[2, 1_000_007, 4, 0], b"ABCD"), (&[3, 0, 70_000, 70_000], &long)],
    );
    let odd = Kept::ethernet(Duration::new(3, 7000), b"ABCD");
    assert_eq!(read_whole(file), [odd, Kept::ethernet(Duration::from_secs(3), &long)]);
}

#[test]
fn a_pcap_knows_its_link_type_before_any_packet() {
    let file = pcap(false, MICROSECONDS, [2, 4], 127, &[]);
    let capture = Capture::from_reader("test", Cursor::new(file)).expect("a header is enough");
    assert_eq!(capture.format(), Format::Pcap);
    assert_eq!(capture.link_types().map(|link| link.to_string()).collect::<Vec<_>>(), ["IEEE802_11_RADIOTAP (127)"]);
}

// pcapng

fn section(endianness: Endianness) -> Block<'static> {
    SectionHeaderBlock { endianness, ..Default::default() }.into_block()
}

fn interface(link: DataLink, snapshot_len: u32, options: Vec<InterfaceDescriptionOption<'static>>) -> Block<'static> {
    InterfaceDescriptionBlock { linktype: link, snaplen: snapshot_len, options }.into_block()
}

fn enhanced(interface_id: u32, timestamp: Duration, bytes: &'static [u8]) -> Block<'static> {
    let original_len = u32::try_from(bytes.len()).expect("a test's packet is short");
    let options = vec![EnhancedPacketOption::Common(CommonOption::Comment("seen".into()))];
    EnhancedPacketBlock { interface_id, timestamp, original_len, data: Cow::Borrowed(bytes), options }.into_block()
}

/// A pcapng file of these blocks, the first of which is a section header.
fn pcapng(endianness: Endianness, blocks: &[Block<'_>]) -> Vec<u8> {
    let mut writer = PcapNgWriter::with_endianness(Vec::new(), endianness).expect("a Vec takes anything");
    for block in blocks {
        writer.write_block(block).expect("a Vec takes anything");
    }
    writer.into_inner()
}

/// A block as it stands in the file, little-endian.
fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(body.len() + 12).expect("a test's block is short").to_le_bytes();
    [&kind.to_le_bytes(), &len, body, &len].concat()
}

/// An empty little-endian section, and an Ethernet interface with these options.
fn section_and_interface(options: &[u8]) -> Vec<u8> {
    let section = block(0x0a0d_0d0a, &[0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255]);
    let interface = block(1, &[&[1, 0, 0, 0, 0, 0, 0, 0], options].concat());
    [section, interface].concat()
}

#[test]
fn a_packet_is_of_its_own_interface_and_its_clock() {
    use InterfaceDescriptionOption::{IfTsOffset, IfTsResol};
    for endianness in [Endianness::Big, Endianness::Little] {
        let file = pcapng(
            endianness,
            &[
                interface(DataLink::ETHERNET, 0, vec![]),
                interface(DataLink::LINUX_SLL, 0, vec![IfTsResol(InterfaceTsResolution::NANO)]),
                interface(
                    DataLink::RAW,
                    0,
                    vec![
                        IfTsResol(InterfaceTsResolution::new(true, 20).expect("a resolution it knows")),
                        IfTsOffset(1_000),
                    ],
                ),
                enhanced(2, Duration::from_millis(2_000_500), b"RAW"),
                enhanced(0, Duration::from_micros(3), b"ETHERNET"),
                enhanced(1, Duration::from_nanos(5), b"SLL"),
            ],
        );
        let expected = [(2, 101, 2_000_500_000_000, "RAW"), (0, 1, 3_000, "ETHERNET"), (1, 113, 5, "SLL")];
        let expected = expected.map(|(interface, link, nanoseconds, bytes)| Kept {
            link_type: LinkType::new(link),
            interface,
            ..Kept::ethernet(Duration::from_nanos(nanoseconds), bytes.as_bytes())
        });
        assert_eq!(read_whole(file), expected, "{endianness:?}");
    }
}

#[test]
fn a_new_section_forgets_the_interfaces_and_may_change_the_byte_order() {
    for (first, second) in [(Endianness::Big, Endianness::Little), (Endianness::Little, Endianness::Big)] {
        let file = pcapng(
            first,
            &[
                interface(DataLink::RAW, 0, vec![]),
                enhanced(0, Duration::from_secs(1), b"one"),
                section(second),
                interface(DataLink::ETHERNET, 0, vec![]),
                enhanced(0, Duration::from_secs(2), b"two"),
                section(second),
            ],
        );
        let mut lonely = file.clone();
        let links = read_whole(file).iter().map(|packet| packet.link_type).collect::<Vec<_>>();
        assert_eq!(links, [LinkType::new(101), LinkType::ETHERNET]);

        // The last section has no interface, so this packet is of none.
        let big = second.is_big();
        let u32 = |value: u32| if big { value.to_be_bytes() } else { value.to_le_bytes() };
        lonely.extend([6, 32, 0, 0, 0, 0, 0, 32].into_iter().flat_map(u32));
        let (packets, error) = read(lonely);
        assert_eq!(packets.len(), 2);
        let CaptureError::Damaged { damage, .. } = error.expect("the packet is of no interface") else { panic!() };
        assert_eq!(damage.to_string(), "a packet of interface 0, in a section that has described 0 so far");
    }
}

#[test]
fn a_simple_packet_is_cut_at_the_snapshot_length_and_keeps_the_time_of_the_one_before() {
    let file = pcapng(
        Endianness::Little,
        &[
            interface(DataLink::ETHERNET, 4, vec![]),
            enhanced(0, Duration::from_secs(9), b"full"),
            SimplePacketBlock { original_len: 60, data: Cow::Borrowed(b"ABCD") }.into_block(),
            SimplePacketBlock { original_len: 3, data: Cow::Borrowed(b"EFG") }.into_block(),
        ],
    );
    let nine = Duration::from_secs(9);
    let cut = Kept { original_len: 60, ..Kept::ethernet(nine, b"ABCD") };
    assert_eq!(read_whole(file), [Kept::ethernet(nine, b"full"), cut, Kept::ethernet(nine, b"EFG")]);
}

#[test]
fn an_obsolete_packet_block_is_read_too() {
    let obsolete = PacketBlock {
        interface_id: 1,
        drop_count: 77,
        timestamp: Duration::from_micros(5),
        original_len: 9,
        data: Cow::Borrowed(b"old"),
        options: vec![],
    };
    let blocks = [interface(DataLink::RAW, 0, vec![]), interface(DataLink::ETHERNET, 0, vec![]), obsolete.into_block()];
    for endianness in [Endianness::Big, Endianness::Little] {
        let old = Kept { original_len: 9, interface: 1, ..Kept::ethernet(Duration::from_micros(5), b"old") };
        assert_eq!(read_whole(pcapng(endianness, &blocks)), [old]);
    }
}

#[test]
fn options_that_say_nothing_about_time_may_be_anything() {
    // A MAC address of one byte and a name that is not UTF-8, then picoseconds: only the last counts.
    let mut file = section_and_interface(&[6, 0, 1, 0, 1, 0, 0, 0, 2, 0, 1, 0, 0xff, 0, 0, 0, 9, 0, 1, 0, 12, 0, 0, 0]);
    file.extend(block(0x0bad_cafe, b"a kind of the future"));
    // A comment that is not UTF-8.
    let packet = [[0, 0, 7_000, 3, 3].map(u32::to_le_bytes).concat(), b"ABC\0\x01\0\x01\0\xff\0\0\0".to_vec()].concat();
    file.extend(block(6, &packet));
    assert_eq!(read_whole(file), [Kept::ethernet(Duration::from_nanos(7), b"ABC")]);
}

#[test]
fn what_is_wrong_with_a_pcapng_is_said_with_its_place() {
    let good = section_and_interface(&[]);
    assert_eq!(good.len(), 48);
    let with = |block: Vec<u8>| [good.clone(), block].concat();
    let words = |words: &[u32]| words.iter().copied().flat_map(u32::to_le_bytes).collect::<Vec<_>>();
    #[rustfmt::skip]
    let rows: [(Vec<u8>, &str); 13] = [
        (with(b"half".to_vec()),
            "byte 48: the file ends inside a block's header: 12 bytes wanted, 4 found"),
        (with(words(&[6, 64, 0])),
            "byte 48: the file ends inside a block: 64 bytes wanted, 12 found"),
        (with(words(&[6, 0, 0])),
            "byte 48: a block of 0 bytes; wanted a multiple of 4 between 12 and 16777216"),
        (with(words(&[6, 33, 0])),
            "byte 48: a block of 33 bytes; wanted a multiple of 4 between 12 and 16777216"),
        (with(words(&[6, u32::MAX - 3, 0])),
            "byte 48: a block of 4294967292 bytes; wanted a multiple of 4 between 12 and 16777216"),
        (with(words(&[6, 16, 0, 20])),
            "byte 48: a block that begins as 16 bytes long ends as 20 bytes long"),
        (with(block(6, &[0; 8])),
            "byte 48: a packet's time and lengths of 16 bytes in a block that has 4 left"),
        (with(block(6, &words(&[0, 0, 0, 5, 5, 0]))),
            "byte 48: a packet of 5 bytes in a block that has 4 left"),
        (with(block(6, &words(&[0, 0, 0, 262_145, 5, 0]))),
            "byte 48: a packet of 262145 bytes; the longest is 262144"),
        (with(block(6, &words(&[3, 0, 0, 0, 0]))),
            "byte 48: a packet of interface 3, in a section that has described 1 so far"),
        (with(block(0x0a0d_0d0a, &[0; 16])),
            "byte 48: a section header without byte order: 0x00000000 instead of 0x1a2b3c4d or its reverse"),
        (with(block(0x0a0d_0d0a, &words(&[0x1a2b_3c4d, 2, 0, 0]))),
            "byte 48: version 2.0 of pcapng; only 1 is known"),
        (section_and_interface(&[9, 0, 2, 0, 6, 0, 0, 0]),
            "byte 28: an interface's option if_tsresol of 2 bytes; wanted 1"),
    ];
    for (file, wanted) in rows {
        assert_eq!(message(file), format!("`test` is damaged at {wanted}"));
    }
}

// gzip

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("a Vec takes anything");
    encoder.finish().expect("a Vec takes anything")
}

/// 40 000 packets that do not compress, each of 64 bytes.
fn many_packets() -> Vec<u8> {
    let mut random = 1_u64;
    let mut file = Vec::new();
    let mut writer = CaptureWriter::new("test", &mut file).expect("a Vec takes anything");
    for second in 0..40_000 {
        let bytes = std::array::from_fn::<u8, 64, _>(|_| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            random.to_be_bytes()[0]
        });
        writer.write(Duration::from_secs(second), 64, &bytes).expect("a Vec takes anything");
    }
    writer.finish().expect("a Vec takes anything");
    file
}

#[test]
fn gzip_is_seen_through_also_in_several_members() {
    let file = short_pcap();
    let (one, two) = file.split_at(30);
    let members = [gzip(one), gzip(&[]), gzip(two)].concat();
    assert_eq!(read_whole(gzip(&file)), read_whole(file.clone()));
    assert_eq!(read_whole(members), read_whole(file));
}

#[test]
fn a_damage_in_gzip_is_placed_in_what_it_decompresses_to() {
    let mut file = short_pcap();
    file.truncate(43);
    assert_eq!(
        message(gzip(&file)),
        "`test` is damaged at byte 24 after decompression: the file ends inside a packet: 4 bytes wanted, 3 found"
    );
}

#[test]
fn what_came_before_a_damage_of_gzip_itself_is_delivered() {
    let file = many_packets();
    let packed = gzip(&file);
    let mut flipped = packed.clone();
    let last = flipped.len() - 6;
    flipped[last] ^= 1;
    let mut truncated = packed;
    truncated.truncate(truncated.len() / 2);
    for (what, damaged, at_least) in [("truncated", truncated, 19_000), ("a wrong checksum", flipped, 40_000)] {
        let (packets, error) = read(damaged);
        assert!(packets.len() >= at_least, "{what}: {} packets", packets.len());
        let Some(CaptureError::Damaged { damage: Damage::Gzip(_), offset, .. }) = error else {
            panic!("{what}: {error:?}")
        };
        assert_eq!(offset, 24 + 80 * packets.len() as u64, "{what}");
    }
}

#[test]
fn a_claim_of_two_gigabytes_in_a_file_that_decompresses_to_many_costs_no_memory() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let file = pcap(false, MICROSECONDS, [2, 4], 1, &[(&[0, 0, 0x7fff_ffff, 0], &[0; 1 << 16])]);
    encoder.write_all(&file).expect("a Vec takes anything");
    for _ in 0..512 {
        encoder.write_all(&[0; 1 << 16]).expect("a Vec takes anything");
    }
    let packed = encoder.finish().expect("a Vec takes anything");
    assert_eq!(
        message(packed),
        "`test` is damaged at byte 24 after decompression: a packet of 2147483647 bytes; the longest is 262144"
    );
}

// not a capture

#[test]
fn what_is_not_a_capture_is_named_as_what_it_is() {
    let not = "`test` is not a capture: wanted pcap or pcapng, gzip or not, found";
    let pointer = b"version https://git-lfs.github.com/spec/v1".to_vec();
    #[rustfmt::skip]
    let rows = [
        (vec![],                     "an empty file"),
        (vec![0xd4, 0xc3],           "a file that begins with [d4, c3]"),
        (b"GET / HTTP".to_vec(),     "a file that begins with [47, 45, 54, 20]"),
        (b"snoop\0\0\0".to_vec(),    "a capture of snoop: convert it with `editcap -F pcap`"),
        (gzip(b""),                  "gzip of an empty file"),
        (gzip(&gzip(&short_pcap())), "gzip of gzip: unpack it once"),
        (pointer, "text, perhaps a pointer of Git LFS: fetch the file itself with `git lfs pull`"),
    ];
    for (file, found) in rows {
        assert_eq!(message(file), format!("{not} {found}"));
    }
}

#[test]
fn a_path_that_cannot_be_read_says_why() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let missing = Capture::open(dir.path().join("missing.pcap")).expect_err("there is no such file").to_string();
    assert!(missing.starts_with("cannot open capture `") && missing.contains("No such file"), "{missing}");
    let directory = Capture::open(dir.path()).expect_err("it is a directory").to_string();
    assert!(directory.ends_with("it is a directory, wanted a file"), "{directory}");
}

// writing

#[test]
fn a_written_capture_is_these_very_bytes() {
    let mut file = Vec::new();
    let mut writer = CaptureWriter::new("test", &mut file).expect("a Vec takes anything");
    writer.write(Duration::new(2, 7), 60, b"ABCD").expect("a Vec takes anything");
    writer.finish().expect("a Vec takes anything");
    let mut expected = pcap(false, NANOSECONDS, [2, 4], 1, &[(&[2, 7, 4, 60], b"ABCD")]);
    expected[16..20].copy_from_slice(&262_144_u32.to_le_bytes());
    assert_eq!(file, expected);
}

#[test]
fn a_writer_takes_what_a_reader_takes() {
    let mut file = Vec::new();
    let mut writer = CaptureWriter::new("test", &mut file).expect("a Vec takes anything");
    writer.write(Duration::MAX, 0, &vec![0; MAX_PACKET]).expect("the longest packet, after the format's clock ends");
    let error = writer.write(Duration::ZERO, 0, &vec![0; MAX_PACKET + 1]).expect_err("one byte more");
    assert_eq!(error.to_string(), "a packet of 262145 bytes for capture `test`; the longest is 262144");
    writer.finish().expect("a Vec takes anything");
    let packets = read_whole(file);
    assert_eq!((packets[0].bytes.len(), packets[0].timestamp.as_secs()), (MAX_PACKET, u32::MAX.into()));
}

#[test]
fn a_full_disk_is_reported_with_the_path() {
    let full = std::path::Path::new("/dev/full");
    if !full.exists() {
        // Not by `println!`, which a passing test keeps to itself.
        let _unheard = writeln!(std::io::stderr(), "skipped: this system has no /dev/full");
        return;
    }
    let mut writer = CaptureWriter::create(full).expect("it opens");
    writer.write(Duration::ZERO, 4, b"ABCD").expect("it fits into the buffer");
    let error = writer.finish().expect_err("the disk is full");
    assert!(error.to_string().starts_with("cannot write capture `/dev/full` after 1 packets: No space"), "{error}");
    let WriteError::Write { error, .. } = error else { panic!("{error}") };
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
}

#[test]
fn a_capture_in_a_missing_directory_is_not_created() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let error = CaptureWriter::create(dir.path().join("no/such/out.pcap")).expect_err("no such directory").to_string();
    assert!(error.starts_with("cannot create capture `") && error.contains("no/such/out.pcap"), "{error}");
}

// any bytes

/// A packet of up to 2000 bytes, of before 2106.
fn any_packet() -> impl Strategy<Value = Kept> {
    let bytes = proptest::collection::vec(any::<u8>(), 0..2000);
    (any::<u32>(), 0..1_000_000_000_u32, bytes, 0..9000_u32).prop_map(|(seconds, nanoseconds, bytes, longer)| {
        let kept = Kept::ethernet(Duration::new(seconds.into(), nanoseconds), &bytes);
        Kept { original_len: kept.original_len + longer, ..kept }
    })
}

/// Files near to valid ones, with which to start breaking.
fn any_valid_file() -> impl Strategy<Value = Vec<u8>> {
    let kinds = [
        short_pcap(),
        pcap(true, MODIFIED, [2, 4], 1, &[(&[2, 7, 4, 60, 0, 0], b"ABCD"), (&[2, 7, 4, 60, 0, 0], b"ABCD")]),
        [section_and_interface(&[9, 0, 1, 0, 0x8a, 0, 0, 0]), block(6, &[0; 24]), block(3, &[0; 8])].concat(),
        pcapng(
            Endianness::Big,
            &[
                interface(DataLink::ETHERNET, 0, vec![InterfaceDescriptionOption::IfTsOffset(5)]),
                enhanced(0, Duration::from_secs(9), b"packet"),
                section(Endianness::Little),
                interface(DataLink::RAW, 4, vec![]),
                SimplePacketBlock { original_len: 60, data: Cow::Borrowed(b"ABCD") }.into_block(),
            ],
        ),
    ];
    let kinds = kinds.iter().cloned().chain(kinds.iter().map(|file| gzip(file))).collect::<Vec<_>>();
    proptest::sample::select(kinds)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_was_written_is_read_again(packets in proptest::collection::vec(any_packet(), 0..20)) {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("out.pcap");
        let mut writer = CaptureWriter::create(&path).expect("the directory is ours");
        for packet in &packets {
            writer.write(packet.timestamp, packet.original_len, &packet.bytes).expect("the disk has room");
        }
        let bytes = packets.iter().map(|packet| packet.bytes.len() as u64).sum();
        prop_assert_eq!(writer.finish().expect("the disk has room"), Written { packets: packets.len() as u64, bytes });
        prop_assert_eq!(read_whole(std::fs::read(&path).expect("it was written")), packets);
    }

    #[test]
    fn a_truncated_capture_gives_its_first_packets_and_then_the_place(
        packets in proptest::collection::vec(any_packet(), 1..8), cut in any::<prop::sample::Index>(),
    ) {
        let mut file = Vec::new();
        let mut writer = CaptureWriter::new("test", &mut file).expect("a Vec takes anything");
        for packet in &packets {
            writer.write(packet.timestamp, packet.original_len, &packet.bytes).expect("a Vec takes anything");
        }
        writer.finish().expect("a Vec takes anything");
        file.truncate(24 + cut.index(file.len() - 24));
        let cut = file.len();
        let (found, error) = read(file);
        prop_assert_eq!(&found[..], &packets[..found.len()]);
        let whole = 24 + found.iter().map(|packet| 16 + packet.bytes.len()).sum::<usize>();
        match error {
            None => prop_assert_eq!(whole, cut),
            Some(CaptureError::Damaged { offset, gzip: false, damage: Damage::EndsInside { .. }, .. }) =>
                prop_assert_eq!(offset, whole as u64),
            Some(other) => prop_assert!(false, "{}", other),
        }
    }

    #[test]
    fn no_bytes_make_the_reader_panic_or_run_for_ever(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        read(bytes);
    }

    #[test]
    fn no_bytes_after_a_good_beginning_do_either(
        file in any_valid_file(), bytes in proptest::collection::vec(any::<u8>(), 0..400),
    ) {
        read([file, bytes].concat());
    }

    #[test]
    fn no_flipped_bytes_and_no_cut_do_either(
        mut file in any_valid_file(),
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
    ) {
        for (at, with) in flips {
            let at = at.index(file.len());
            file[at] ^= with;
        }
        file.truncate(cut.index(file.len() + 1));
        read(file);
    }
}
