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

use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::marker::PhantomData;

use crate::arena::{Arena, Heap};
use crate::chunk::{LARGE_BITMAP, SMALL_BITMAP};
use crate::entry::Entry;
use crate::family::positions;
use crate::fib::{Fib, FibWriter, Snapshot};
use crate::prefix::Address;
use crate::range::{FAN_OUT, FIRST_WORD, MAX_DEPTH, WORD, keys_below};
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

/// A walk over everything that a lookup could reach.
struct Check<'a, A> {
    arena: &'a Arena,
    /// Bytes of nodes.
    len: usize,
    width: Width,
    /// Bytes of the nodes seen so far. No node is looked at twice, so they are never more than there are: a file cannot
    /// keep the walk busy for longer than it is.
    reached: usize,
    /// Pages seen so far: those that say one thing everywhere are shared.
    pages: HashSet<u32>,
    /// Small chunks seen so far, for the same reason. A set of their own: that a place holds a sound page does not make a
    /// sound chunk of it.
    small_chunks: HashSet<u32>,
    family: PhantomData<A>,
}

impl<'a, A: Address> Check<'a, A> {
    fn new(arena: &'a Arena, len: usize, width: Width) -> Self {
        let (pages, small_chunks) = (HashSet::new(), HashSet::new());
        Self { arena, len, width, reached: 0, pages, small_chunks, family: PhantomData }
    }

    /// Whether a node that may be shared is not among those `seen`, and so yet to be checked.
    fn is_new(node: Entry, seen: &mut HashSet<u32>) -> Result<bool, LoadError> {
        if A::BITS == 32 && node.word() > Entry::OFFSET {
            return Err(LoadError::Damaged { at: node.at(), what: "an entry for IPv4 is more than an offset" });
        }
        // What IPv4 reserves is as long as a page, and its zeros are good for a page and for a chunk. IPv6 has but a line.
        let is_zeros = A::BITS == 32 && node == Entry::ZEROS;
        Ok(!is_zeros && seen.insert(node.word()))
    }

    fn top(&mut self, top: &[u32]) -> Result<(), LoadError> {
        let pages = top.iter().map(|word| Entry::of_word(*word));
        pages.filter(|page| A::BITS == 32 || !page.is_leaf()).try_for_each(|page| self.page(page))
    }

    fn page(&mut self, page: Entry) -> Result<(), LoadError> {
        if !Self::is_new(page, &mut self.pages)? {
            return Ok(());
        }
        let entries = self.claim(page.at(), positions::<A>(1) as usize * size_of::<Entry>())?;
        for at in entries.step_by(size_of::<Entry>()) {
            let chunk = self.arena.entry(at);
            match (chunk.is_leaf(), A::BITS) {
                (_, 32) => self.small_chunk(chunk)?,
                (true, _) => {}
                (false, _) => self.large_chunk(chunk)?,
            }
        }
        Ok(())
    }

    fn small_chunk(&mut self, chunk: Entry) -> Result<(), LoadError> {
        if !Self::is_new(chunk, &mut self.small_chunks)? {
            return Ok(());
        }
        let at = chunk.at();
        self.claim(at, SMALL_BITMAP)?;
        let changes = u64::from_ne_bytes(self.arena.read(at));
        let runs = changes.count_ones() as usize + 1;
        self.claim(at + SMALL_BITMAP, runs * self.width.bytes())?;
        let mut beyond = 0;
        for position in 0..u64::BITS {
            let nth = (changes >> position).count_ones() as usize;
            let word = self.width.read_word(self.arena, at + SMALL_BITMAP + nth * self.width.bytes());
            if word == self.width.beyond() {
                beyond |= 1 << position;
            } else if word & Entry::LEAF != 0 {
                return Err(LoadError::Damaged { at, what: "an answer that is no next hop" });
            }
        }
        if beyond == 0 { Ok(()) } else { self.nodes_below(at, beyond) }
    }

    /// The part of a small chunk to the left of its anchor, where positions `beyond` have nodes.
    fn nodes_below(&mut self, at: usize, beyond: u64) -> Result<(), LoadError> {
        let len = SMALL_BITMAP + beyond.count_ones() as usize * size_of::<Entry>();
        let first = at.checked_sub(len).ok_or(LoadError::Damaged { at, what: "entries begin before the file" })?;
        self.claim(first, len)?;
        let nodes_at = at - SMALL_BITMAP;
        if u64::from_ne_bytes(self.arena.read(nodes_at)) != beyond {
            return Err(LoadError::Damaged { at, what: "a chunk's values and bitmaps disagree" });
        }
        (first..nodes_at).step_by(size_of::<Entry>()).try_for_each(|at| self.below(self.arena.entry(at), 2))
    }

    fn large_chunk(&mut self, chunk: Entry) -> Result<(), LoadError> {
        let at = chunk.at();
        let mut runs = 0_u32;
        for pair in self.claim(at, LARGE_BITMAP)?.step_by(8) {
            let bitmap = u32::from_ne_bytes(self.arena.read(pair));
            let before = u32::from_ne_bytes(self.arena.read(pair + 4));
            if before != runs.wrapping_sub(1) || (runs == 0 && bitmap & 1 == 0) {
                return Err(LoadError::Damaged { at: pair, what: "a bitmap is miscounted" });
            }
            runs += bitmap.count_ones();
        }
        let entries = self.claim(at + LARGE_BITMAP, runs as usize * size_of::<Entry>())?;
        entries.step_by(size_of::<Entry>()).try_for_each(|at| self.below(self.arena.entry(at), 2))
    }

    /// Values of a node on `level`: answers, whatever they say, or entries.
    fn values(&mut self, node: Entry, at: usize, len: usize, level: usize) -> Result<(), LoadError> {
        let values = self.claim(at, len)?;
        match self.width.in_node(node) {
            Width::One | Width::Two => Ok(()),
            Width::Four => {
                values.step_by(size_of::<Entry>()).try_for_each(|at| self.below(self.arena.entry(at), level))
            }
        }
    }

    /// What an entry of a chunk or range node on `level` points to.
    fn below(&mut self, entry: Entry, level: usize) -> Result<(), LoadError> {
        if entry.is_leaf() {
            return Ok(());
        }
        let (at, level) = (entry.at(), level + 1);
        if level + 1 >= A::CUTS.len() {
            return Err(LoadError::Damaged { at, what: "a node for more bits than an address has" });
        }
        if !(1..=MAX_DEPTH).contains(&entry.depth()) {
            return Err(LoadError::Damaged { at, what: "a range node without layers" });
        }
        let last_value = self.last_value(entry, level, 0, 0)?;
        self.values(entry, at, (last_value + 1) * self.width.in_node(entry).bytes(), level)
    }

    /// The last value that a search may come to from word `k` of `layer`.
    fn last_value(&mut self, node: Entry, level: usize, layer: usize, k: usize) -> Result<usize, LoadError> {
        let behind = WORD * (FIRST_WORD[layer] + k + 1);
        let at = node.at();
        let at = at.checked_sub(behind).ok_or(LoadError::Damaged { at, what: "keys begin before the file" })?;
        self.claim(at, WORD)?;
        let word = u64::from_ne_bytes(self.arena.read(at));
        let children = FAN_OUT * k..=FAN_OUT * k + keys_below(word, positions::<A>(level) - 1);
        if layer + 1 == node.depth() as usize {
            return Ok(*children.end());
        }
        let mut last = 0;
        for child in children {
            last = last.max(self.last_value(node, level, layer + 1, child)?);
        }
        Ok(last)
    }

    /// The places from `at` on, for `len` bytes, if they are all there and not too many.
    fn claim(&mut self, at: usize, len: usize) -> Result<std::ops::Range<usize>, LoadError> {
        let end = at + len;
        if end > self.len {
            return Err(LoadError::Damaged { at, what: "a node reaches beyond the file" });
        }
        self.reached += len;
        if self.reached > self.len {
            return Err(LoadError::Damaged { at, what: "nodes overlap" });
        }
        Ok(at..end)
    }
}

const MAGIC: &[u8; 8] = b"FERRYFIB";

/// Reads differently where bytes are stored the other way round.
const BYTE_ORDER: u16 = 0xfeff;

/// Of the format described above.
const VERSION: u16 = 2;

/// Bytes before the top.
const HEADER: usize = 32;

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;
    use crate::{Change, NextHopId, Prefix};

    /// Routes on all levels, in several places.
    fn some_table<A: Address>() -> FibWriter<A> {
        let mut writer = FibWriter::default();
        let lens = (0..=A::BITS).flat_map(|len| (0..4_u32).map(move |n| (len, n)));
        writer.apply(lens.map(|(len, n)| {
            let number = 0x2001_0db8_1234_5678_9abc_def0_1234_5678_u128.rotate_left(n * 40) >> (128 - A::BITS);
            Change::Set(Prefix::containing(A::from_number(number), len), NextHopId::new(u32::from(len) + n))
        }));
        writer
    }

    fn file_of<A: Address>(writer: &FibWriter<A>) -> Vec<u8> {
        let mut file = Vec::new();
        writer.save(&mut file).unwrap();
        file
    }

    fn saved<A: Address>() -> Vec<u8> {
        file_of(&some_table::<A>())
    }

    /// A file with routes to the first 256 addresses of the first `eights` /8s.
    fn saved_24s(eights: u8, hop: u32) -> Vec<u8> {
        let mut writer = FibWriter::<Ipv4Addr>::default();
        let prefixes = (0..eights).map(|eight| Prefix::containing(Ipv4Addr::new(eight, 0, 0, 0), 24));
        writer.apply(prefixes.map(|prefix| Change::Set(prefix, NextHopId::new(hop))));
        file_of(&writer)
    }

    /// The `n`-th word after the header: of the top, and then of the nodes.
    fn word(file: &[u8], n: usize) -> u32 {
        u32::from_ne_bytes(*file[HEADER + 4 * n..].first_chunk().unwrap())
    }

    /// What somebody makes of a file: some words are others, and the checksum is right.
    fn forged(mut file: Vec<u8>, changes: &[(usize, u32)]) -> Vec<u8> {
        for (n, value) in changes {
            file[HEADER + 4 * n..][..4].copy_from_slice(&value.to_ne_bytes());
        }
        resealed(file)
    }

    /// Makes the checksum right again after the bytes were changed.
    fn resealed(mut file: Vec<u8>) -> Vec<u8> {
        let header: [u8; HEADER] = *file.first_chunk().unwrap();
        let checksum = checksum_of(&header, &[&file[HEADER..]]);
        file[16..20].copy_from_slice(&checksum.to_ne_bytes());
        file
    }

    fn a_saved_table_answers_as_before<A: Address>() {
        let fib = Fib::<A>::load(&saved::<A>()[..]).unwrap();
        let audit = fib.audit(&some_table::<A>().routes(), 10_000, 1).unwrap();
        assert!(audit.runs > 50, "{audit:?}");
    }

    #[test]
    fn a_loaded_table_answers_as_the_saved_one_did() {
        a_saved_table_answers_as_before::<Ipv4Addr>();
        a_saved_table_answers_as_before::<Ipv6Addr>();
        let empty = file_of(&FibWriter::<Ipv4Addr>::default());
        assert_eq!(Fib::<Ipv4Addr>::load(&empty[..]).unwrap().lookup(Ipv4Addr::LOCALHOST), None);
    }

    #[test]
    fn a_file_that_is_none_is_refused_for_its_reason() {
        let good = saved::<Ipv4Addr>();
        let changed = |at: usize, byte: u8| {
            let mut file = good.clone();
            file[at] = byte;
            file
        };
        let mut other_byte_order = good.clone();
        other_byte_order[8..10].reverse();
        #[rustfmt::skip]
        let refused: [(Vec<u8>, &str); 8] = [
            (changed(0, b'X'), "this is no saved forwarding table"),
            (other_byte_order, "the table was saved on a machine of the other byte order"),
            (changed(10, 9), "the table is saved in version 9, this program reads version 2"),
            (changed(12, 128), "the table is for addresses of 128 bits, 32 are wanted"),
            (changed(13, 3), "the file is damaged at byte 0 of its nodes: answers of a width there is not"),
            (changed(31, 1), "the file is damaged at byte 0 of its nodes: the header promises a size there cannot be"),
            (good[..good.len() - 1].to_vec(), "the file cannot be read: unexpected end of file"),
            (good[..20].to_vec(), "the file cannot be read: failed to fill whole buffer"),
        ];
        for (file, reason) in refused {
            assert_eq!(Fib::<Ipv4Addr>::load(&file[..]).unwrap_err().to_string(), reason);
        }
        let mut damaged = good.clone();
        *damaged.last_mut().unwrap() ^= 0x10;
        assert!(matches!(Fib::<Ipv4Addr>::load(&damaged[..]), Err(LoadError::Checksum { .. })));
    }

    #[test]
    fn a_chunk_that_sends_an_address_beyond_itself_to_nothing_is_refused() {
        let mut writer = FibWriter::<Ipv4Addr>::default();
        writer.apply([Change::Set("10.0.0.0/24".parse().unwrap(), NextHopId::new(253))]);
        let mut file = file_of(&writer);
        let nodes = HEADER + 1024;
        let changed = file[nodes..].iter().rposition(|byte| *byte == 254).unwrap();
        file[nodes + changed] = 255;
        let error = Fib::<Ipv4Addr>::load(&resealed(file)[..]).unwrap_err().to_string();
        assert!(error.contains("a chunk's values and bitmaps disagree"), "{error}");
    }

    #[test]
    fn flags_in_an_entry_for_ipv4_are_refused() {
        let mut file = saved::<Ipv4Addr>();
        file[HEADER + 3] = 0x40;
        let error = Fib::<Ipv4Addr>::load(&resealed(file)[..]).unwrap_err().to_string();
        assert!(error.contains("an entry for IPv4 is more than an offset"), "{error}");
    }

    #[test]
    fn a_page_where_an_ipv6_table_has_only_its_reserved_line_is_refused() {
        let empty = file_of(&FibWriter::<Ipv6Addr>::default());
        let error = Fib::<Ipv6Addr>::load(&forged(empty, &[(64, 0)])[..]).unwrap_err().to_string();
        assert!(error.contains("a node reaches beyond the file"), "{error}");
    }

    #[test]
    fn a_sound_chunk_that_is_named_as_a_page_is_refused() {
        // Read as an entry, the next hop lies far outside.
        let file = saved_24s(1, 1 << 24);
        let page = Entry::of_word(word(&file, 0)).at();
        let chunk = word(&file, 256 + page / 4);
        let error = Fib::<Ipv4Addr>::load(&forged(file, &[(1, chunk)])[..]).unwrap_err().to_string();
        assert!(error.contains("a node reaches beyond the file"), "{error}");
    }

    #[test]
    fn a_sound_page_that_is_named_as_a_chunk_is_refused() {
        let file = saved_24s(2, 7);
        let (first, second) = (word(&file, 0), word(&file, 1));
        let [first_at, second_at] = [first, second].map(|page| 256 + Entry::of_word(page).at() / 4);
        // The chunk at 255 times 8 is among the reserved zeros and sound; as a chunk's value, 255 is "beyond".
        let file = forged(file, &[(first_at + 2, 255), (second_at + 1, first)]);
        let error = Fib::<Ipv4Addr>::load(&file[..]).unwrap_err().to_string();
        assert!(error.contains("a chunk's values and bitmaps disagree"), "{error}");
    }

    /// A file of some table with words changed anywhere.
    fn made_up<A: Address>(changes: &[(usize, u32)]) -> Vec<u8> {
        let file = saved::<A>();
        let words = (file.len() - HEADER) / 4;
        let changes: Vec<(usize, u32)> = changes.iter().map(|(n, value)| (n % words, *value)).collect();
        forged(file, &changes)
    }

    /// Loads it, and if that succeeds, looks up everywhere.
    fn is_refused_or_harmless<A: Address>(file: &[u8], probes: &[u128]) {
        let Ok(fib) = Fib::<A>::load(file) else { return };
        let routes = some_table::<A>().routes();
        let ends = routes.iter().flat_map(|(prefix, _)| [prefix.address(), prefix.last()]);
        let addresses: Vec<A> = ends.chain(probes.iter().map(|probe| A::from_number(*probe))).collect();
        let mut answers = vec![None; addresses.len()];
        fib.lookup_burst(&addresses, &mut answers);
        for (address, answer) in addresses.iter().zip(answers) {
            assert_eq!(fib.lookup(*address), answer, "{address}");
        }
    }

    proptest! {
        #[test]
        fn a_made_up_file_is_refused_or_harmless(
            changes in proptest::collection::vec((any::<usize>(), prop_oneof![any::<u32>(), 0..1_u32 << 14]), 1..6),
            probes in proptest::collection::vec(any::<u128>(), 50),
        ) {
            is_refused_or_harmless::<Ipv4Addr>(&made_up::<Ipv4Addr>(&changes), &probes);
            is_refused_or_harmless::<Ipv6Addr>(&made_up::<Ipv6Addr>(&changes), &probes);
        }
    }
}
