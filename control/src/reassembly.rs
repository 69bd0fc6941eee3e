//! Putting together what was sent to us in pieces (RFC 791 section 3.2, RFC 8200 section 4.5).
//!
//! Only packets to our own addresses; in transit a fragment is a packet as any other. What a sender can make us keep is
//! bounded: [`MOST_BYTES`] in all, and an eighth of that for one source, so that one that floods us loses its own fragments
//! and nobody else's. What is not whole a minute after its first piece came is given up.
//!
//! Pieces that overlap are no accident: the whole datagram is dropped then, with all that still comes of it (RFC 5722, and
//! the same for IPv4). A piece that comes twice, byte for byte, is one.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use boundary::PortId;
use packet::checksum::checksum;
use packet::fragment_v6;
use packet::ipv4::Ipv4;
use packet::ipv6::Ipv6;

use crate::time::Timestamp;

/// Which datagram a fragment is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    source: IpAddr,
    destination: IpAddr,
    /// Of IPv4; zero for IPv6, whose identifications count all protocols together.
    protocol: u8,
    identification: u32,
}

/// A piece of a datagram.
#[derive(Debug)]
struct Piece<'a> {
    offset: usize,
    more: bool,
    bytes: &'a [u8],
    /// The packet it came in.
    packet: &'a [u8],
}

/// What became of a fragment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reassembled {
    /// It was the last that was missing: here is the datagram.
    Whole(Vec<u8>),
    /// Others are missing.
    Waiting,
    /// It goes no further.
    Refused(Refusal),
}

/// Why a fragment goes no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It overlaps another, or they do not agree where the datagram ends.
    Overlap,
    /// There is no room for it.
    Full,
    /// It is not the last, and does not end on eight bytes (RFC 8200 section 4.5).
    Uneven,
    /// It reaches beyond the longest packet there can be (RFC 8200 section 4.5).
    TooLong,
}

/// A datagram that is whole.
struct Whole {
    /// The packet of the first piece.
    first: Vec<u8>,
    /// All pieces together.
    payload: Vec<u8>,
}

/// A datagram that did not become whole in time, and whose sender can be told, since its beginning was here.
#[derive(Debug)]
pub(crate) struct TimedOut {
    /// The first fragment, IP header first.
    pub(crate) first: Vec<u8>,
    /// The port it came in through.
    pub(crate) from: PortId,
}

/// All datagrams that are not whole yet.
#[derive(Debug, Default)]
pub(crate) struct Reassembly {
    datagrams: HashMap<Key, Datagram>,
    /// When which is given up, the next one first: all wait equally long.
    due: VecDeque<(Timestamp, Key, u64)>,
    /// Bytes kept, by source.
    kept: HashMap<IpAddr, usize>,
    bytes: usize,
    /// Counts datagrams, so that one that is gone is told from a later one of its name.
    serial: u64,
}

#[derive(Debug)]
struct Datagram {
    serial: u64,
    from: PortId,
    /// By offset; none overlaps another.
    pieces: BTreeMap<usize, Vec<u8>>,
    /// Length of the payload, once the last piece is here.
    len: Option<usize>,
    /// The packet of the first piece.
    first: Option<Vec<u8>>,
    /// What it costs, in bytes.
    cost: usize,
    /// Whether pieces overlapped: what still comes is dropped, too.
    is_doomed: bool,
}

impl Reassembly {
    /// Takes an IPv4 fragment that came in through `from`.
    pub(crate) fn take_v4(&mut self, packet: &Ipv4<'_>, from: PortId, now: Timestamp) -> Reassembled {
        let key = Key {
            source: packet.source().into(),
            destination: packet.destination().into(),
            protocol: packet.protocol(),
            identification: packet.identification().into(),
        };
        let piece = Piece {
            offset: packet.fragment_offset().into(),
            more: packet.more_fragments(),
            bytes: packet.payload(),
            packet: packet.bytes(),
        };
        match self.take(key, &piece, from, now) {
            Ok(Some(Whole { first, payload })) => whole_v4(&first, &payload).map_or(TOO_LONG, Reassembled::Whole),
            Ok(None) => Reassembled::Waiting,
            Err(refusal) => Reassembled::Refused(refusal),
        }
    }

    /// Takes an IPv6 fragment that came in through `from`.
    pub(crate) fn take_v6(
        &mut self,
        packet: &Ipv6<'_>,
        fragment: &fragment_v6::Fragment<'_>,
        from: PortId,
        now: Timestamp,
    ) -> Reassembled {
        // RFC 6946: a fragment that is all there is has nothing to do with any other.
        if fragment.offset == 0 && !fragment.more {
            return fragment.whole(fragment.piece).map_or(TOO_LONG, Reassembled::Whole);
        }
        let key = Key {
            source: packet.source().into(),
            destination: packet.destination().into(),
            protocol: 0,
            identification: fragment.identification,
        };
        let piece = Piece {
            offset: fragment.offset.into(),
            more: fragment.more,
            bytes: fragment.piece,
            packet: packet.bytes(),
        };
        match self.take(key, &piece, from, now) {
            Ok(Some(Whole { first, payload })) => {
                let first = Ipv6::parse(&first).ok();
                let first = first.as_ref().and_then(fragment_v6::Fragment::of);
                first.and_then(|first| first.whole(&payload)).map_or(TOO_LONG, Reassembled::Whole)
            }
            Ok(None) => Reassembled::Waiting,
            Err(refusal) => Reassembled::Refused(refusal),
        }
    }

    /// Takes a datagram whose time is over by `now` away; nothing if there is none. One that was doomed, or has no
    /// beginning, is `Some(None)`.
    pub(crate) fn next_due(&mut self, now: Timestamp) -> Option<Option<TimedOut>> {
        loop {
            let (at, key, serial) = *self.due.front()?;
            if at > now {
                return None;
            }
            self.due.pop_front();
            if self.datagrams.get(&key).is_some_and(|datagram| datagram.serial == serial) {
                let datagram = self.remove(&key)?;
                let from = datagram.from;
                return Some(datagram.first.filter(|_| !datagram.is_doomed).map(|first| TimedOut { first, from }));
            }
        }
    }

    /// Bytes that are kept.
    #[cfg(test)]
    fn bytes(&self) -> usize {
        self.bytes
    }

    /// Puts a piece to the others.
    fn take(&mut self, key: Key, piece: &Piece<'_>, from: PortId, now: Timestamp) -> Result<Option<Whole>, Refusal> {
        let end = piece.offset + piece.bytes.len();
        if piece.more && !piece.bytes.len().is_multiple_of(8) {
            return Err(Refusal::Uneven);
        }
        if end > LONGEST {
            return Err(Refusal::TooLong);
        }
        if let Some(datagram) = self.datagrams.get(&key) {
            if datagram.is_doomed {
                return Err(Refusal::Overlap);
            }
            if datagram.has(piece) {
                return Ok(None);
            }
            if datagram.contradicts(piece, end) {
                self.doom(&key);
                return Err(Refusal::Overlap);
            }
        }
        self.make_room(key.source, PIECE_COST + piece.bytes.len() + first_len(piece))?;
        let datagram = self.datagram(key, from, now);
        if !piece.more {
            datagram.len = Some(end);
        }
        if piece.offset == 0 {
            datagram.first = Some(piece.packet.to_vec());
        }
        datagram.pieces.insert(piece.offset, piece.bytes.to_vec());
        let cost = PIECE_COST + piece.bytes.len() + first_len(piece);
        datagram.cost += cost;
        self.bytes += cost;
        *self.kept.entry(key.source).or_default() += cost;
        if !self.datagrams.get(&key).is_some_and(Datagram::is_whole) {
            return Ok(None);
        }
        let whole = self.remove(&key);
        Ok(whole.and_then(|datagram| {
            let payload = datagram.pieces.into_values().collect::<Vec<_>>().concat();
            datagram.first.map(|first| Whole { first, payload })
        }))
    }

    /// The datagram of this name, begun if need be.
    fn datagram(&mut self, key: Key, from: PortId, now: Timestamp) -> &mut Datagram {
        let Self { datagrams, due, serial, bytes, kept, .. } = self;
        datagrams.entry(key).or_insert_with(|| {
            *serial += 1;
            *bytes += DATAGRAM_COST;
            *kept.entry(key.source).or_default() += DATAGRAM_COST;
            due.push_back((now + PATIENCE, key, *serial));
            Datagram {
                serial: *serial,
                from,
                pieces: BTreeMap::new(),
                len: None,
                first: None,
                cost: DATAGRAM_COST,
                is_doomed: false,
            }
        })
    }

    /// Room for so many bytes more of `source`: within its own share, and at the cost of the oldest in all.
    fn make_room(&mut self, source: IpAddr, cost: usize) -> Result<(), Refusal> {
        let cost = cost + DATAGRAM_COST;
        if self.kept.get(&source).copied().unwrap_or_default() + cost > MOST_BYTES / SHARES {
            return Err(Refusal::Full);
        }
        while self.bytes + cost > MOST_BYTES {
            let (_, oldest, serial) = self.due.pop_front().ok_or(Refusal::Full)?;
            if self.datagrams.get(&oldest).is_some_and(|datagram| datagram.serial == serial) {
                self.remove(&oldest);
            }
        }
        Ok(())
    }

    /// Forgets the pieces of a datagram, but not that there was one.
    fn doom(&mut self, key: &Key) {
        let Some(datagram) = self.datagrams.get_mut(key) else { return };
        datagram.is_doomed = true;
        datagram.pieces.clear();
        datagram.first = None;
        let freed = std::mem::replace(&mut datagram.cost, DATAGRAM_COST) - DATAGRAM_COST;
        self.release(key.source, freed);
    }

    fn remove(&mut self, key: &Key) -> Option<Datagram> {
        let datagram = self.datagrams.remove(key)?;
        self.release(key.source, datagram.cost);
        Some(datagram)
    }

    fn release(&mut self, source: IpAddr, cost: usize) {
        self.bytes -= cost;
        if let Some(kept) = self.kept.get_mut(&source) {
            *kept -= cost;
            if *kept == 0 {
                self.kept.remove(&source);
            }
        }
    }
}

impl Datagram {
    /// Whether exactly this piece is here already.
    fn has(&self, piece: &Piece<'_>) -> bool {
        let ends_alike = piece.more != (self.len == Some(piece.offset + piece.bytes.len()));
        ends_alike && self.pieces.get(&piece.offset).is_some_and(|known| known == piece.bytes)
    }

    /// Whether a piece that ends at `end` overlaps another, or they disagree about the end.
    fn contradicts(&self, piece: &Piece<'_>, end: usize) -> bool {
        let reaches_in = self
            .pieces
            .range(..end)
            .next_back()
            .is_some_and(|(start, bytes)| start + bytes.len() > piece.offset || *start == piece.offset);
        let last_end = self.pieces.last_key_value().map_or(0, |(start, bytes)| start + bytes.len());
        let is_beyond = self.len.is_some_and(|len| end > len || !piece.more && end != len);
        reaches_in || is_beyond || !piece.more && end < last_end
    }

    fn is_whole(&self) -> bool {
        let kept: usize = self.pieces.values().map(Vec::len).sum();
        self.first.is_some() && self.len == Some(kept)
    }
}

/// The first piece's packet is kept beside the piece, to be quoted and for its header.
fn first_len(piece: &Piece<'_>) -> usize {
    if piece.offset == 0 { piece.packet.len() } else { 0 }
}

/// The datagram that begins as `first` does, and carries `payload`; `None` if no packet is that long.
fn whole_v4(first: &[u8], payload: &[u8]) -> Option<Vec<u8>> {
    let header_len = usize::from(first[0] & 0x0f) * 4;
    let len = u16::try_from(header_len + payload.len()).ok()?;
    let mut packet = [&first[..header_len], payload].concat();
    packet[2..4].copy_from_slice(&len.to_be_bytes());
    packet[6] &= 0x40;
    packet[7] = 0;
    packet[10..12].fill(0);
    let sum = checksum(&packet[..header_len]);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    Some(packet)
}

const TOO_LONG: Reassembled = Reassembled::Refused(Refusal::TooLong);

/// How long a datagram may take to become whole (RFC 1122 section 3.3.2, RFC 8200 section 4.5).
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Most memory that pieces take, in bytes.
pub(crate) const MOST_BYTES: usize = 4 << 20;

/// How many sources can have their share of that at the same time: each share holds several of the longest packets.
const SHARES: usize = 8;

/// The longest payload there can be, in bytes.
const LONGEST: usize = u16::MAX as usize;

/// What keeping a piece, and a datagram, costs besides its bytes.
const PIECE_COST: usize = 64;
const DATAGRAM_COST: usize = 256;

#[cfg(test)]
mod tests;
