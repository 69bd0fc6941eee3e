//! The classic format: one header, then records of a header and a packet each.
//!
//! ```text
//! file     magic  major minor  zone  accuracy  snapshot-length  link-type       24 bytes
//! record   seconds  fraction  captured-length  original-length                  16 bytes, "modified" 24
//!          the packet                                                           captured-length bytes
//! ```
//!
//! The magic number tells the byte order, whether fractions are micro- or nanoseconds, and whether records have the
//! eight bytes more that a Linux kernel of the last century gave them (an interface and a protocol, which we skip).
//! The snapshot length is not believed: captures with longer packets are common.

use std::time::Duration;

use pcap_file::Endianness;
use pcap_file::pcap::{PcapHeader, PcapParseError, PcapTsResolution};

use crate::error::{Damage, Fault};
use crate::source::{Fields, Source};
use crate::{LinkType, Record, packet_len};

/// Whether a file that begins so is ours to read.
pub(crate) fn is_magic(magic: &[u8]) -> bool {
    let Some(magic) = magic.first_chunk().map(|magic| u32::from_be_bytes(*magic)) else { return false };
    [MICROSECONDS, NANOSECONDS, MODIFIED].into_iter().any(|known| magic == known || magic == known.swap_bytes())
}

/// What the file's header says of its records.
#[derive(Debug)]
pub(crate) struct Reader {
    order: Endianness,
    nanoseconds_per_tick: u64,
    link_type: LinkType,
    header_len: usize,
    lengths: Lengths,
}

/// Which length comes first in a record's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lengths {
    CapturedFirst,
    OriginalFirst,
    /// Either, so the smaller is the captured one.
    SmallerIsCaptured,
}

impl Reader {
    /// Reads the file's header.
    pub(crate) fn start(source: &mut Source) -> Result<Self, Fault> {
        let found = source.grow_record(FILE_HEADER_LEN)?;
        let Some(bytes) = source.record().first_chunk::<FILE_HEADER_LEN>() else {
            return Err(ends_inside("the file's header", FILE_HEADER_LEN, found));
        };
        let (header, header_len) = parse_header(*bytes);
        let (major, minor) = (header.version_major, header.version_minor);
        let lengths = match (major, minor) {
            (2, 0..=2) => Lengths::OriginalFirst,
            (2, 3) => Lengths::SmallerIsCaptured,
            (2, 4) => Lengths::CapturedFirst,
            _ => return Err(Damage::Version { format: "pcap", major, minor, known: "2.0 to 2.4" }.into()),
        };
        Ok(Self {
            order: header.endianness,
            nanoseconds_per_tick: match header.ts_resolution {
                PcapTsResolution::MicroSecond => 1_000,
                PcapTsResolution::NanoSecond => 1,
            },
            // The bits above are the length of a frame check sequence, and flags.
            link_type: LinkType::new(u32::from(header.datalink) & 0x03ff_ffff),
            header_len,
            lengths,
        })
    }

    pub(crate) fn link_type(&self) -> LinkType {
        self.link_type
    }

    /// The next packet, or `None` at the end.
    pub(crate) fn next_record(&self, source: &mut Source) -> Result<Option<Record>, Fault> {
        source.next_record();
        let found = source.grow_record(self.header_len)?;
        if found == 0 {
            return Ok(None);
        }
        let Some((timestamp, captured, original)) = self.parse_record_header(source.record()) else {
            return Err(ends_inside("a record's header", self.header_len, found));
        };
        let captured = packet_len(captured)?;
        let end = self.header_len + captured;
        let found = source.grow_record(end)?;
        if found < end {
            return Err(ends_inside("a packet", captured, found - self.header_len));
        }
        Ok(Some(Record {
            timestamp,
            original_len: original,
            link_type: self.link_type,
            interface: 0,
            bytes: self.header_len..end,
        }))
    }

    /// Time, captured length and original length, unless the header is incomplete.
    fn parse_record_header(&self, header: &[u8]) -> Option<(Duration, u32, u32)> {
        if header.len() < self.header_len {
            return None;
        }
        let mut fields = Fields { rest: header, order: self.order };
        let seconds = u64::from(fields.u32()?);
        let fraction = u64::from(fields.u32()?);
        // 2^32 of either is far from what 64 bits of nanoseconds hold.
        let timestamp = Duration::from_nanos(seconds * 1_000_000_000 + fraction * self.nanoseconds_per_tick);
        let lengths = (fields.u32()?, fields.u32()?);
        let (captured, original) = match self.lengths {
            Lengths::CapturedFirst => lengths,
            Lengths::OriginalFirst => (lengths.1, lengths.0),
            Lengths::SmallerIsCaptured => (lengths.0.min(lengths.1), lengths.0.max(lengths.1)),
        };
        Some((timestamp, captured, original))
    }
}

/// The file's header, and how long the headers of its records are.
fn parse_header(mut bytes: [u8; FILE_HEADER_LEN]) -> (PcapHeader, usize) {
    let mut header_len = 16;
    for (modified, plain) in
        [(MODIFIED.to_be_bytes(), MICROSECONDS.to_be_bytes()), (MODIFIED.to_le_bytes(), MICROSECONDS.to_le_bytes())]
    {
        if bytes.starts_with(&modified) {
            bytes[..4].copy_from_slice(&plain);
            header_len = 24;
        }
    }
    match PcapHeader::from_slice(&bytes) {
        Ok((_, header)) => (header, header_len),
        Err(PcapParseError::IncompleteBuffer(..) | PcapParseError::Validation(_)) => {
            unreachable!("24 bytes that passed is_magic")
        }
    }
}

fn ends_inside(what: &'static str, wanted: usize, found: usize) -> Fault {
    Damage::EndsInside { what, wanted, found }.into()
}

const FILE_HEADER_LEN: usize = 24;

const MICROSECONDS: u32 = 0xa1b2_c3d4;
const NANOSECONDS: u32 = 0xa1b2_3c4d;
/// Alexey Kuznetsov's, of Linux kernels of the last century.
const MODIFIED: u32 = 0xa1b2_cd34;
