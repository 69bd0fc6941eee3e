//! A published table as a file, so that a restart can forward before the control plane has learned its routes again.
//!
//! Since nodes name each other by offset, the file is the arena as it stands, after a header and the top:
//!
//! | bytes | what |
//! |---|---|
//! | 8 | `FERRYFIB` |
//! | 2 | byte order: 0xfeff as the writing machine stores it |
//! | 2 | version, 2 |
//! | 1 | bits of an address: 32 or 128 |
//! | 1 | bytes of an answer in narrow nodes: 1, 2 or 4 |
//! | 2 | zero |
//! | 4 | CRC-32 of all that follows |
//! | 4 | entries in the top |
//! | 8 | bytes of nodes |
//! | | the top, then the nodes |
//!
//! A lookup checks nothing, so a file is checked before it becomes a table: the checksum says that it is what was written,
//! and a walk over everything a lookup could reach says that it stays in bounds and comes to an end, whoever wrote it.
//! The bytes are read into memory of our own and not mapped. A mapped file could change after it was checked, by anybody who
//! may write it, and lookups without checks of bounds would then read anywhere: no argument for such an `unsafe` is true.
//! There is little to gain, too: the checksum reads every byte all the same, and a copy of a full table takes a millisecond.

mod check;
#[cfg(test)]
mod tests;

use std::io::{self, Read, Write};

use self::check::Check;
use crate::arena::Heap;
use crate::entry::Entry;
use crate::fib::{Fib, FibWriter, Snapshot};
use crate::prefix::Address;
use crate::sync::Arc;
use crate::width::Width;

/// Why a file is no table.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// It could not be read to its end, or has less than its header promises.
    #[error("the file cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It starts with something else.
    #[error("this is no saved forwarding table")]
    NotATable,
    /// It is from a machine that stores numbers the other way round.
    #[error("the table was saved on a machine of the other byte order")]
    OtherByteOrder,
    /// It is from another time.
    #[error("the table is saved in version {found}, this program reads version {VERSION}")]
    OtherVersion {
        /// The file's.
        found: u16,
    },
    /// It is for other addresses.
    #[error("the table is for addresses of {found} bits, {wanted} are wanted")]
    OtherFamily {
        /// The file's.
        found: u8,
        /// The caller's.
        wanted: u8,
    },
    /// It is not what was written.
    #[error("the checksum is {found:08x}, the header says {wanted:08x}: the file is damaged")]
    Checksum {
        /// Of the bytes that are there.
        found: u32,
        /// Of those that were written.
        wanted: u32,
    },
    /// Its header or a node in it makes no sense.
    #[error("the file is damaged at byte {at} of its nodes: {what}")]
    Damaged {
        /// From the first byte of the nodes.
        at: usize,
        /// What is wrong there.
        what: &'static str,
    },
}

impl<A: Address> FibWriter<A> {
    /// Writes the table as of the last batch, for [`Fib::load`].
    ///
    /// # Errors
    ///
    /// Those of `to`.
    pub fn save(&self, mut to: impl Write) -> io::Result<()> {
        let snapshot = self.snapshot().snapshot;
        let top: Vec<u8> = snapshot.top.as_ref().iter().flat_map(|entry| entry.to_ne_bytes()).collect();
        let nodes = self.nodes();
        let header = Header {
            bits: A::BITS,
            width: snapshot.width,
            top_len: snapshot.top.as_ref().len(),
            nodes_len: nodes.len(),
        };
        to.write_all(&header.to_bytes(&top, &nodes))?;
        to.write_all(&top)?;
        to.write_all(&nodes)?;
        to.flush()
    }
}

impl<A: Address> Fib<A> {
    /// Reads a table that [`FibWriter::save`] wrote. It is as good as any other, but no writer continues it.
    ///
    /// # Errors
    ///
    /// When the bytes are not a table of this family, whole and sound.
    pub fn load(mut from: impl Read) -> Result<Self, LoadError> {
        let mut bytes = [0; HEADER];
        from.read_exact(&mut bytes)?;
        let (header, checksum) = Header::parse::<A>(&bytes)?;
        let mut body = Vec::new();
        let len = header.top_len * size_of::<Entry>() + header.nodes_len;
        // Not reserved at once: a header that lies about gigabytes must not cost them.
        if from.by_ref().take(len as u64).read_to_end(&mut body)? < len {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        let found = checksum_of(&bytes, &[&body]);
        if found != checksum {
            return Err(LoadError::Checksum { found, wanted: checksum });
        }
        let (words, nodes) = body.split_at(header.top_len * size_of::<Entry>());
        let mut top = A::empty_top();
        for (entry, word) in top.as_mut().iter_mut().zip(words.as_chunks().0) {
            *entry = u32::from_ne_bytes(*word);
        }
        if nodes[..A::RESERVED].iter().any(|byte| *byte != 0) {
            return Err(LoadError::Damaged { at: 0, what: "the reserved bytes are not zero" });
        }
        let heap = Heap::holding(A::RESERVED, nodes);
        let arena = heap.arena();
        Check::<A>::new(arena, nodes.len(), header.width).top(top.as_ref())?;
        Ok(Self { snapshot: Arc::new(Snapshot::new(top, header.width, arena)) })
    }
}

/// What the file says of itself.
struct Header {
    bits: u8,
    width: Width,
    top_len: usize,
    nodes_len: usize,
}

impl Header {
    #[expect(clippy::cast_possible_truncation, reason = "a top has at most 512 entries, an answer at most 4 bytes")]
    fn to_bytes(&self, top: &[u8], nodes: &[u8]) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..10].copy_from_slice(&BYTE_ORDER.to_ne_bytes());
        bytes[10..12].copy_from_slice(&VERSION.to_ne_bytes());
        bytes[12..14].copy_from_slice(&[self.bits, self.width.bytes() as u8]);
        bytes[20..24].copy_from_slice(&(self.top_len as u32).to_ne_bytes());
        bytes[24..32].copy_from_slice(&(self.nodes_len as u64).to_ne_bytes());
        let checksum = checksum_of(&bytes, &[top, nodes]);
        bytes[16..20].copy_from_slice(&checksum.to_ne_bytes());
        bytes
    }

    /// The header, and the checksum it promises.
    fn parse<A: Address>(bytes: &[u8; HEADER]) -> Result<(Self, u32), LoadError> {
        let [m0, m1, m2, m3, m4, m5, m6, m7, o0, o1, v0, v1, bits, width, z0, z1, rest @ ..] = *bytes;
        if [m0, m1, m2, m3, m4, m5, m6, m7] != *MAGIC {
            return Err(LoadError::NotATable);
        }
        if u16::from_ne_bytes([o0, o1]) != BYTE_ORDER {
            return Err(LoadError::OtherByteOrder);
        }
        let version = u16::from_ne_bytes([v0, v1]);
        if version != VERSION {
            return Err(LoadError::OtherVersion { found: version });
        }
        if bits != A::BITS {
            return Err(LoadError::OtherFamily { found: bits, wanted: A::BITS });
        }
        let width = match width {
            1 => Width::One,
            2 => Width::Two,
            4 => Width::Four,
            _ => return Err(LoadError::Damaged { at: 0, what: "answers of a width there is not" }),
        };
        let [c0, c1, c2, c3, t0, t1, t2, t3, n @ ..] = rest;
        let top_len = u32::from_ne_bytes([t0, t1, t2, t3]) as usize;
        let nodes_len = usize::try_from(u64::from_ne_bytes(n)).unwrap_or(usize::MAX);
        let sizes_can_be =
            top_len == A::empty_top().as_ref().len() && (A::RESERVED..=Entry::REACH).contains(&nodes_len);
        if !sizes_can_be || [z0, z1] != [0, 0] {
            return Err(LoadError::Damaged { at: 0, what: "the header promises a size there cannot be" });
        }
        Ok((Self { bits, width, top_len, nodes_len }, u32::from_ne_bytes([c0, c1, c2, c3])))
    }
}

/// The checksum of all but the checksum and what stands before it.
fn checksum_of(header: &[u8; HEADER], body: &[&[u8]]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&header[8..16]);
    hasher.update(&header[20..]);
    for part in body {
        hasher.update(part);
    }
    hasher.finalize()
}

const MAGIC: &[u8; 8] = b"FERRYFIB";

/// Reads differently where bytes are stored the other way round.
const BYTE_ORDER: u16 = 0xfeff;

/// Of the format described above.
const VERSION: u16 = 2;

/// Bytes before the top.
const HEADER: usize = 32;
