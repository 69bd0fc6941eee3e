//! What can be wrong with a capture, said to a person who has the file at hand.
//!
//! Each message is whole by itself; there is no chain of sources to print after it.

use std::io;

use crate::MAX_PACKET;
use crate::pcapng::{MAX_BLOCK, MAX_INTERFACES};

/// Why a capture cannot be read, or not any further.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// There is nothing to read.
    #[error("cannot open capture `{file}`: {error}")]
    Open {
        /// The capture.
        file: String,
        /// What the system said.
        error: io::Error,
    },
    /// The first bytes are not those of a capture.
    #[error("`{file}` is not a capture: wanted pcap or pcapng, gzip or not, found {found}")]
    NotACapture {
        /// The capture.
        file: String,
        /// What the first bytes look like.
        found: String,
    },
    /// A record or block cannot be read. The packets before it were delivered.
    #[error("`{file}` is damaged at byte {offset}{stream}: {damage}", stream = if *.gzip { " after decompression" } else { "" })]
    Damaged {
        /// The capture.
        file: String,
        /// Where the record or block begins; when `gzip`, in what the file decompresses to.
        offset: u64,
        /// Whether the file is compressed.
        gzip: bool,
        /// What is wrong there.
        damage: Damage,
    },
    /// The system failed to read.
    #[error("cannot read on in capture `{file}` after byte {offset}: {error}")]
    Read {
        /// The capture.
        file: String,
        /// Where the last record or block begins.
        offset: u64,
        /// What the system said.
        error: io::Error,
    },
}

/// What is wrong with a record or block.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// The file is too short.
    #[error("the file ends inside {what}: {wanted} bytes wanted, {found} found")]
    EndsInside {
        /// What is incomplete.
        what: &'static str,
        /// Its length.
        wanted: usize,
        /// How much of it there is.
        found: usize,
    },
    /// A header of a version whose layout nobody described.
    #[error("version {major}.{minor} of {format}; only {known} is known")]
    Version {
        /// The format.
        format: &'static str,
        /// The version found.
        major: u16,
        /// Its second part.
        minor: u16,
        /// The versions that can be read.
        known: &'static str,
    },
    /// A packet longer than any.
    #[error("a packet of {claimed} bytes; the longest is {MAX_PACKET}")]
    PacketTooLong {
        /// The length in its header.
        claimed: u32,
    },
    /// A block longer than any, or shorter than its frame, or not in words.
    #[error("a block of {claimed} bytes; wanted a multiple of 4 between 12 and {MAX_BLOCK}")]
    BlockLength {
        /// The length at its beginning.
        claimed: u32,
    },
    /// The lengths before and after a block disagree.
    #[error("a block that begins as {leading} bytes long ends as {trailing} bytes long")]
    BlockEnd {
        /// The length at its beginning.
        leading: u32,
        /// The length at its end.
        trailing: u32,
    },
    /// Something in a block is longer than what is left of the block.
    #[error("{what} of {wanted} bytes in a block that has {left} left")]
    Overruns {
        /// What does not fit.
        what: &'static str,
        /// Its length.
        wanted: usize,
        /// What the block has left for it.
        left: usize,
    },
    /// A section of unknown byte order.
    #[error("a section header without byte order: {found:#010x} instead of 0x1a2b3c4d or its reverse")]
    ByteOrder {
        /// What stands there.
        found: u32,
    },
    /// A packet from nowhere.
    #[error("a packet of interface {wanted}, in a section that has described {described} so far")]
    NoSuchInterface {
        /// The number in the packet's block.
        wanted: u32,
        /// How many there are.
        described: usize,
    },
    /// More interfaces than we keep.
    #[error("a section of more than {MAX_INTERFACES} interfaces")]
    TooManyInterfaces,
    /// An option about time that cannot be read.
    #[error("an interface's option {name} of {found} bytes; wanted {wanted}")]
    ClockOption {
        /// The option.
        name: &'static str,
        /// The length it must have.
        wanted: usize,
        /// The length it has.
        found: usize,
    },
    /// What is compressed is damaged itself.
    #[error("the gzip stream is damaged ({0})")]
    Gzip(String),
}

/// What goes wrong inside, where neither file nor offset is known.
#[derive(Debug)]
pub(crate) enum Fault {
    Damage(Damage),
    Io(io::Error),
}

impl From<Damage> for Fault {
    fn from(damage: Damage) -> Self {
        Self::Damage(damage)
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Which file a fault is in.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) file: String,
    pub(crate) gzip: bool,
}

impl Place {
    pub(crate) fn error(&self, offset: u64, fault: Fault) -> CaptureError {
        let (file, gzip) = (self.file.clone(), self.gzip);
        match fault {
            Fault::Damage(damage) => CaptureError::Damaged { file, offset, gzip, damage },
            Fault::Io(error) if gzip && is_decoders(&error) => {
                CaptureError::Damaged { file, offset, gzip, damage: Damage::Gzip(error.to_string()) }
            }
            Fault::Io(error) => CaptureError::Read { file, offset, error },
        }
    }

    /// The error for a file that begins with `magic`, or is shorter than one.
    pub(crate) fn not_a_capture(&self, magic: &[u8]) -> CaptureError {
        let inside = if self.gzip { "gzip of " } else { "" };
        let found = match known_magic(magic) {
            Some(name) => format!("{inside}{name}"),
            None => format!("{inside}a file that begins with {magic:02x?}"),
        };
        CaptureError::NotACapture { file: self.file.clone(), found }
    }
}

/// Whether the decoder found fault, and not the system below it.
fn is_decoders(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof)
}

/// Names what is often mistaken for a capture, and what to do about it.
fn known_magic(magic: &[u8]) -> Option<&'static str> {
    Some(match magic {
        [] => "an empty file",
        b"vers" => "text, perhaps a pointer of Git LFS: fetch the file itself with `git lfs pull`",
        b"snoo" => "a capture of snoop: convert it with `editcap -F pcap`",
        [0x1f, 0x8b, ..] => "gzip: unpack it once",
        [0x28, 0xb5, 0x2f, 0xfd] => "zstd: unpack it first",
        [0xfd, b'7', b'z', b'X'] => "xz: unpack it first",
        [b'B', b'Z', b'h', _] => "bzip2: unpack it first",
        [0x04, 0x22, 0x4d, 0x18] => "lz4: unpack it first",
        [b'P', b'K', 0x03, 0x04] => "a zip archive: unpack it first",
        _ => return None,
    })
}
