//! Writing captures: pcap, little-endian, nanoseconds, Ethernet, and nothing else.
//!
//! One kind is enough, since every tool reads it, and it makes two runs comparable byte by byte: the file holds the
//! packets and nothing about when, where or by whom it was written.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use pcap_file::pcap::{PcapHeader, PcapTsResolution, PcapWriteError, PcapWriter, RawPcapPacket};
use pcap_file::{DataLink, Endianness};

use crate::MAX_PACKET;

/// A capture being written.
///
/// It is complete only after [`finish`](Self::finish): a disk may turn out to be full at the last moment.
#[derive(Debug)]
#[must_use = "a capture is complete after `finish`"]
pub struct CaptureWriter<W: Write> {
    name: String,
    out: PcapWriter<BufWriter<W>>,
    written: Written,
}

/// What a finished capture holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// How many packets.
    pub packets: u64,
    /// How many bytes of packets, headers not counted.
    pub bytes: u64,
}

/// Why a capture could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The file cannot be made.
    #[error("cannot create capture `{file}`: {error}")]
    Create {
        /// The capture.
        file: String,
        /// What the system said.
        error: io::Error,
    },
    /// The file cannot be written on.
    #[error("cannot write capture `{file}` after {packets} packets: {error}; what was written is incomplete")]
    Write {
        /// The capture.
        file: String,
        /// How many packets were accepted before.
        packets: u64,
        /// What the system said.
        error: io::Error,
    },
    /// No reader would take it.
    #[error("a packet of {len} bytes for capture `{file}`; the longest is {MAX_PACKET}")]
    PacketTooLong {
        /// The capture.
        file: String,
        /// Its length.
        len: usize,
    },
}

impl CaptureWriter<File> {
    /// Writes to a new file, in place of any that was there.
    ///
    /// # Errors
    ///
    /// [`WriteError`] when it cannot be created.
    pub fn create(path: impl AsRef<Path>) -> Result<Self, WriteError> {
        let path = path.as_ref();
        let name = path.display().to_string();
        match File::create(path) {
            Ok(file) => Self::new(name, file),
            Err(error) => Err(WriteError::Create { file: name, error }),
        }
    }
}

impl<W: Write> CaptureWriter<W> {
    /// Writes to anything. Errors call it `name`.
    ///
    /// # Errors
    ///
    /// [`WriteError`] when the capture's header cannot be written.
    pub fn new(name: impl Into<String>, writer: W) -> Result<Self, WriteError> {
        let name = name.into();
        let header = PcapHeader {
            version_major: 2,
            version_minor: 4,
            ts_correction: 0,
            ts_accuracy: 0,
            snaplen: SNAPSHOT_LEN,
            datalink: DataLink::ETHERNET,
            ts_resolution: PcapTsResolution::NanoSecond,
            endianness: Endianness::Little,
        };
        match PcapWriter::with_header(BufWriter::with_capacity(64 * 1024, writer), header) {
            Ok(out) => Ok(Self { name, out, written: Written::default() }),
            Err(error) => Err(WriteError::Write { file: name, packets: 0, error: into_io(error) }),
        }
    }

    /// Appends a packet, captured `timestamp` after 1970-01-01 UTC.
    ///
    /// The format's clock ends in the year 2106; a later packet is written as of its last second. An original length
    /// below that of `bytes` is written as the latter.
    ///
    /// # Errors
    ///
    /// [`WriteError`] when the packet is too long for a capture, or the file cannot be written.
    pub fn write(&mut self, timestamp: Duration, original_len: u32, bytes: &[u8]) -> Result<(), WriteError> {
        let captured = match u32::try_from(bytes.len()) {
            Ok(len) if len <= SNAPSHOT_LEN => len,
            _ => return Err(WriteError::PacketTooLong { file: self.name.clone(), len: bytes.len() }),
        };
        let record = RawPcapPacket {
            ts_sec: u32::try_from(timestamp.as_secs()).unwrap_or(u32::MAX),
            ts_frac: timestamp.subsec_nanos(),
            incl_len: captured,
            orig_len: original_len.max(captured),
            data: Cow::Borrowed(bytes),
        };
        self.out.write_raw_packet(&record).map_err(|error| self.error(error))?;
        self.written.packets += 1;
        self.written.bytes += u64::from(captured);
        Ok(())
    }

    /// Writes what is left and tells what the capture holds.
    ///
    /// # Errors
    ///
    /// [`WriteError`] when that fails; the file is then incomplete.
    pub fn finish(mut self) -> Result<Written, WriteError> {
        match self.out.flush() {
            Ok(()) => Ok(self.written),
            Err(error) => Err(self.error(error)),
        }
    }

    fn error(&self, error: PcapWriteError) -> WriteError {
        WriteError::Write { file: self.name.clone(), packets: self.written.packets, error: into_io(error) }
    }
}

fn into_io(error: PcapWriteError) -> io::Error {
    match error {
        PcapWriteError::Io(error) | PcapWriteError::FieldWriteFailed(_, error) => error,
        PcapWriteError::Validation(error) => io::Error::other(error),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "256 KiB")]
const SNAPSHOT_LEN: u32 = MAX_PACKET as u32;
