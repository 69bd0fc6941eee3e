//! Bytes from a file, plain or decompressed, one record at a time.
//!
//! A record is grown as its headers tell how long it is, and grown no faster than its bytes arrive: a file of a hundred
//! bytes that claims a block of ten megabytes costs a hundred bytes.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use pcap_file::Endianness;

/// A stream, and the record last read from it.
pub(crate) struct Source {
    reader: Box<dyn Read + Send>,
    /// Where the record begins in the stream.
    offset: u64,
    /// A buffer used again for every record, of which `len` bytes are the record's.
    buffer: Vec<u8>,
    len: usize,
}

impl Source {
    /// Reads from `reader`, through gzip if its first bytes say so. Tells whether they do.
    pub(crate) fn open(mut reader: impl Read + Send + 'static) -> io::Result<(Self, bool)> {
        let mut magic = Vec::with_capacity(GZIP.len());
        reader.by_ref().take(GZIP.len() as u64).read_to_end(&mut magic)?;
        let gzip = magic == GZIP;
        let plain = BufReader::with_capacity(CHUNK, Cursor::new(magic).chain(reader));
        let source = if gzip {
            Self::new(BufReader::with_capacity(CHUNK, MultiGzDecoder::new(plain)))
        } else {
            Self::new(plain)
        };
        Ok((source, gzip))
    }

    fn new(reader: impl Read + Send + 'static) -> Self {
        Self { reader: Box::new(reader), offset: 0, buffer: Vec::new(), len: 0 }
    }

    /// Leaves the last record behind; the next one begins here.
    pub(crate) fn next_record(&mut self) {
        self.offset += self.len as u64;
        self.len = 0;
    }

    /// Reads until the record has `len` bytes, or the stream ends. Returns how many it has.
    pub(crate) fn grow_record(&mut self, len: usize) -> io::Result<usize> {
        while self.len < len {
            if self.buffer.len() == self.len {
                self.buffer.resize(len.min((2 * self.len).max(CHUNK)), 0);
            }
            let room = len.min(self.buffer.len());
            match self.reader.read(&mut self.buffer[self.len..room]) {
                Ok(0) => break,
                Ok(read) => self.len += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.len)
    }

    /// The record so far.
    pub(crate) fn record(&self) -> &[u8] {
        &self.buffer[..self.len]
    }

    /// Where the record begins in the stream.
    pub(crate) fn record_offset(&self) -> u64 {
        self.offset
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("offset", &self.offset).field("len", &self.len).finish_non_exhaustive()
    }
}

/// Opens a file, but no directory: those open well and fail later, with less to say.
pub(crate) fn open_file(path: &Path) -> io::Result<File> {
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a directory, wanted a file"));
    }
    Ok(file)
}

/// The fields of a record, taken one after another. `None` when there are no more bytes.
#[derive(Debug)]
pub(crate) struct Fields<'record> {
    pub(crate) rest: &'record [u8],
    pub(crate) order: Endianness,
}

impl<'record> Fields<'record> {
    pub(crate) fn u16(&mut self) -> Option<u16> {
        let bytes = self.array()?;
        Some(if self.order.is_big() { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        let bytes = self.array()?;
        Some(if self.order.is_big() { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    pub(crate) fn take(&mut self, len: usize) -> Option<&'record [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*taken)
    }
}

/// How much is read at once, and what the record's buffer begins with.
const CHUNK: usize = 64 * 1024;

const GZIP: [u8; 2] = [0x1f, 0x8b];
