//! Captures: reading those of others, writing our own.
//!
//! [`Capture`] reads pcap (micro- and nanosecond, both byte orders, also the "modified" kind of old Linux kernels) and
//! pcapng (several sections and interfaces, every resolution of their clocks), gzip or not. The kind of a file is what
//! its first bytes say, never its name. [`CaptureWriter`] writes the plainest kind there is: pcap, little-endian,
//! nanoseconds, Ethernet; the same packets always give the same bytes.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut capture = pcaps::Capture::open("in.pcapng.gz")?;
//! let mut copy = pcaps::CaptureWriter::create("out.pcap")?;
//! while let Some(packet) = capture.next_packet()? {
//!     if packet.link_type == pcaps::LinkType::ETHERNET {
//!         copy.write(packet.timestamp, packet.original_len, packet.bytes)?;
//!     }
//! }
//! copy.finish()?;
//! # Ok(())
//! # }
//! ```
//!
//! # Promises
//!
//! A capture comes from anywhere, so nothing it says is believed before it is measured.
//!
//! - Every packet before a damage is delivered. Then comes one [`CaptureError`] with the file, the byte at which the
//!   record that cannot be read begins, and what is wrong with it; then nothing more.
//! - No file makes the reader panic, and none keeps it busy for ever: every call consumes bytes, fails, or ends.
//! - Memory follows what a file holds, not what it claims: a packet is at most [`MAX_PACKET`] bytes, a block of pcapng
//!   at most [`MAX_BLOCK`], a section has at most [`MAX_INTERFACES`] interfaces. The sum is below 40 MB.
//!
//! What is merely odd is read as it is: a packet longer than the capture's snapshot length, a fraction of a second
//! that is more than a second, a comment that is not UTF-8. Real captures have them all.
//!
//! # Costs
//!
//! One copy of each packet into a buffer that is used again, and no allocation: from memory, a packet of 60 bytes takes
//! 30 ns and one of 1500 bytes 170 ns on a Xeon vCPU.
//!
//! # What is pcap-file's and what is ours
//!
//! The `pcap-file` crate reads the header of a pcap file, names the link types and writes our captures; in the tests its
//! `pcapng` writer makes files for us to read, and where its readers come to an end of a file they must agree with us. Records and blocks are framed and read
//! here. In the corpus (1002 captures) pcap-file 2.0.0 stops too early in 95 files that are whole: it wants a packet's
//! original length, and not only the captured one, to fit into the snapshot length. 3.0.0-rc.3 does not, and yet:
//!
//! - It stops in 24 of the whole files: a packet longer than the snapshot length (17 of them, from tcpdump's tests) or
//!   than its original length, a fraction beyond a second, and in pcapng an option of a packet or an interface that is
//!   not what the draft says. We skip options that say nothing about time.
//! - A file that ends too early is an `UnexpectedEof` without a place, and so is a record longer than its buffer.
//! - Its buffer is 8 MB, zeroed for each file, and the interfaces it keeps are not bounded.
//! - Picoseconds (`if_tsresol` 12), "modified" pcap and the upper bits of the link type field are unknown to it.
//!
//! Neither version panicked or looped on any of them.

mod classic;
mod error;
mod link_type;
mod pcapng;
mod source;
mod writer;

pub use error::{CaptureError, Damage};
pub use link_type::LinkType;
pub use pcapng::{MAX_BLOCK, MAX_INTERFACES};
pub use writer::{CaptureWriter, WriteError, Written};

use std::io::Read;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use error::{Fault, Place};
use source::Source;

/// A capture being read, packet after packet.
#[derive(Debug)]
pub struct Capture {
    place: Place,
    source: Source,
    reader: Reader,
    /// Nothing follows an end or an error.
    over: bool,
}

/// One packet of a capture, borrowed until the next is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'capture> {
    /// When it was captured, since 1970-01-01 UTC.
    ///
    /// Between the epoch and the year 2554 (what 64 bits of nanoseconds hold), whatever the file says, so that adding to
    /// it cannot overflow. A packet without a time of its own (a simple packet block) has that of the packet before it:
    /// a clock driven by a capture then stands still instead of jumping to 1970.
    pub timestamp: Duration,
    /// How long it was on the wire, in bytes; never less than `bytes.len()`.
    pub original_len: u32,
    /// What its bytes begin with.
    pub link_type: LinkType,
    /// Which interface captured it, counted from 0 in each section of a pcapng file; 0 in a pcap file.
    pub interface: u32,
    /// The bytes captured, the link layer's header first.
    pub bytes: &'capture [u8],
}

/// What kind of file a capture is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The classic one: a header, then records.
    Pcap,
    /// The one of Wireshark: blocks, in sections, from several interfaces.
    PcapNg,
}

/// The longest packet a capture may hold, in bytes: what libpcap accepts. A longer one is a damage.
pub const MAX_PACKET: usize = 256 * 1024;

impl Capture {
    /// Opens the capture at `path`; it may also be a pipe.
    ///
    /// # Errors
    ///
    /// [`CaptureError`] when there is no such file, it may not be read, is a directory, is no capture or its header is
    /// damaged.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, CaptureError> {
        let path = path.as_ref();
        let name = path.display().to_string();
        match source::open_file(path) {
            Ok(file) => Self::from_reader(name, file),
            Err(error) => Err(CaptureError::Open { file: name, error }),
        }
    }

    /// Reads a capture from anywhere. Errors call it `name`.
    ///
    /// # Errors
    ///
    /// [`CaptureError`] when it is no capture or its header is damaged.
    pub fn from_reader(name: impl Into<String>, reader: impl Read + Send + 'static) -> Result<Self, CaptureError> {
        let file = name.into();
        let (mut source, gzip) = match Source::open(reader) {
            Ok(opened) => opened,
            Err(error) => return Err(CaptureError::Open { file, error }),
        };
        let place = Place { file, gzip };
        if let Err(error) = source.grow_record(MAGIC_LEN) {
            return Err(place.error(0, error.into()));
        }
        let reader = if classic::is_magic(source.record()) {
            classic::Reader::start(&mut source).map(Reader::Pcap)
        } else if pcapng::is_magic(source.record()) {
            pcapng::Reader::start(&mut source).map(Reader::PcapNg)
        } else {
            return Err(place.not_a_capture(source.record()));
        };
        match reader {
            Ok(reader) => Ok(Self { place, source, reader, over: false }),
            Err(fault) => Err(place.error(0, fault)),
        }
    }

    /// The next packet, or `None` at the end.
    ///
    /// # Errors
    ///
    /// [`CaptureError`] where the file is damaged or cannot be read on; after it, and after the end, there is only `None`.
    pub fn next_packet(&mut self) -> Result<Option<Packet<'_>>, CaptureError> {
        if self.over {
            return Ok(None);
        }
        let found = match &mut self.reader {
            Reader::Pcap(reader) => reader.next_record(&mut self.source),
            Reader::PcapNg(reader) => reader.next_packet(&mut self.source),
        };
        match found {
            Ok(Some(record)) => Ok(Some(record.borrow(&self.source))),
            Ok(None) => {
                self.over = true;
                Ok(None)
            }
            Err(fault) => {
                self.over = true;
                Err(self.place.error(self.source.record_offset(), fault))
            }
        }
    }

    /// What kind of file this is.
    pub fn format(&self) -> Format {
        match self.reader {
            Reader::Pcap(_) => Format::Pcap,
            Reader::PcapNg(_) => Format::PcapNg,
        }
    }

    /// The link types of the interfaces known so far in this section, in their order.
    ///
    /// A pcap file has one interface, known from the start; a pcapng file describes its own as it goes along.
    pub fn link_types(&self) -> impl Iterator<Item = LinkType> {
        let (one, several) = match &self.reader {
            Reader::Pcap(reader) => (Some(reader.link_type()), None),
            Reader::PcapNg(reader) => (None, Some(reader.link_types())),
        };
        one.into_iter().chain(several.into_iter().flatten())
    }

    /// What errors call it.
    pub fn name(&self) -> &str {
        &self.place.file
    }
}

#[derive(Debug)]
enum Reader {
    Pcap(classic::Reader),
    PcapNg(pcapng::Reader),
}

/// A packet that lies somewhere in the source's record.
#[derive(Debug)]
struct Record {
    timestamp: Duration,
    original_len: u32,
    link_type: LinkType,
    interface: u32,
    bytes: Range<usize>,
}

impl Record {
    fn borrow<'source>(&self, source: &'source Source) -> Packet<'source> {
        let bytes = &source.record()[self.bytes.clone()];
        let captured = u32::try_from(bytes.len()).expect("a packet is at most MAX_PACKET bytes");
        Packet {
            timestamp: self.timestamp,
            original_len: self.original_len.max(captured),
            link_type: self.link_type,
            interface: self.interface,
            bytes,
        }
    }
}

/// A packet's length, if it is one we accept.
fn packet_len(claimed: u32) -> Result<usize, Fault> {
    match usize::try_from(claimed) {
        Ok(len) if len <= MAX_PACKET => Ok(len),
        _ => Err(Damage::PacketTooLong { claimed }.into()),
    }
}

/// Both formats tell themselves by their first four bytes.
const MAGIC_LEN: usize = 4;
