//! The format of Wireshark: blocks, of which three kinds hold packets.
//!
//! ```text
//! block    type  length  body  length        a multiple of 4 bytes, the length twice
//! section  a header block, which tells the byte order and forgets all interfaces before it
//! ```
//!
//! The [draft](https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html) is the reference. Blocks are framed
//! first and read second: a block of an unknown kind is passed over, one whose two lengths disagree is a damage, and
//! nothing inside a block can lead outside of it. The length of a whole section, which a header may state, is not used.
//!
//! A section of an unknown version is a damage, although the draft has it passed over: packets are not lost in silence.
//!
//! Of an interface we keep what a packet needs: link type, snapshot length, clock. Of options we read the two about
//! the clock, for without them every time stamp would be quietly wrong; the others may be what they like.

use std::time::Duration;

use pcap_file::Endianness;

use crate::error::{Damage, Fault};
use crate::source::{Fields, Source};
use crate::{LinkType, Record, packet_len};

/// The longest block of a pcapng file, in bytes: what libpcap accepts. A longer one is a damage.
pub const MAX_BLOCK: usize = 16 * 1024 * 1024;

/// The most interfaces a section of a pcapng file may describe. One more is a damage.
pub const MAX_INTERFACES: usize = 65_536;

/// Whether a file that begins so is ours to read.
pub(crate) fn is_magic(magic: &[u8]) -> bool {
    magic == SECTION_HEADER.to_be_bytes()
}

/// What the section so far says of its packets.
#[derive(Debug)]
pub(crate) struct Reader {
    order: Endianness,
    interfaces: Vec<Interface>,
    /// Of the latest packet.
    timestamp: Duration,
}

#[derive(Debug)]
struct Interface {
    link_type: LinkType,
    snapshot_len: u32,
    clock: Clock,
}

impl Reader {
    /// Reads the first section's header.
    pub(crate) fn start(source: &mut Source) -> Result<Self, Fault> {
        let mut reader = Self { order: Endianness::Big, interfaces: Vec::new(), timestamp: Duration::ZERO };
        match reader.read_block(source)? {
            Some(SECTION_HEADER) => Ok(reader),
            _ => unreachable!("is_magic saw a section header"),
        }
    }

    pub(crate) fn link_types(&self) -> impl Iterator<Item = LinkType> {
        self.interfaces.iter().map(|interface| interface.link_type)
    }

    /// The next packet, or `None` at the end.
    pub(crate) fn next_packet(&mut self, source: &mut Source) -> Result<Option<Record>, Fault> {
        loop {
            source.next_record();
            let Some(kind) = self.read_block(source)? else { return Ok(None) };
            let body = &source.record()[HEAD_LEN..source.record().len() - TAIL_LEN];
            let fields = Fields { rest: body, order: self.order };
            let record = match kind {
                INTERFACE_DESCRIPTION => {
                    self.describe_interface(fields)?;
                    continue;
                }
                ENHANCED_PACKET => self.enhanced_packet(fields)?,
                SIMPLE_PACKET => self.simple_packet(fields)?,
                PACKET => self.packet(fields)?,
                _ => continue,
            };
            self.timestamp = record.timestamp;
            return Ok(Some(record));
        }
    }

    /// Reads a block into the source's record, and enters the section if it is a header. Returns its kind.
    fn read_block(&mut self, source: &mut Source) -> Result<Option<u32>, Fault> {
        let found = source.grow_record(SHORTEST_BLOCK)?;
        if found == 0 {
            return Ok(None);
        }
        if found < SHORTEST_BLOCK {
            return Err(Damage::EndsInside { what: "a block's header", wanted: SHORTEST_BLOCK, found }.into());
        }
        // A section header reads the same in both byte orders, and tells which one holds from here on.
        let is_section = is_magic(&source.record()[..4]);
        if is_section {
            self.order = byte_order(&source.record()[HEAD_LEN..])?;
        }
        let mut head = Fields { rest: source.record(), order: self.order };
        let (kind, claimed) = head.u32().zip(head.u32()).expect("the record has SHORTEST_BLOCK bytes");
        let len = block_len(claimed)?;
        let found = source.grow_record(len)?;
        if found < len {
            return Err(Damage::EndsInside { what: "a block", wanted: len, found }.into());
        }
        let mut tail = Fields { rest: &source.record()[len - TAIL_LEN..], order: self.order };
        let trailing = tail.u32().expect("the record has len bytes");
        if trailing != claimed {
            return Err(Damage::BlockEnd { leading: claimed, trailing }.into());
        }
        if is_section {
            self.enter_section(Fields { rest: &source.record()[HEAD_LEN..len - TAIL_LEN], order: self.order })?;
        }
        Ok(Some(kind))
    }

    /// Forgets the interfaces of the section before.
    fn enter_section(&mut self, mut body: Fields<'_>) -> Result<(), Fault> {
        let overruns = overruns("a section header", 16, &body);
        let header = (|| Some((body.u32()?, body.u16()?, body.u16()?, body.take(8)?)))();
        let (_order, major, minor, _section_len) = header.ok_or(overruns)?;
        // The draft's "1.0"; 1.2 was written by some and is the same.
        if major != 1 {
            return Err(Damage::Version { format: "pcapng", major, minor, known: "1" }.into());
        }
        self.interfaces.clear();
        Ok(())
    }

    fn describe_interface(&mut self, mut body: Fields<'_>) -> Result<(), Fault> {
        if self.interfaces.len() == MAX_INTERFACES {
            return Err(Damage::TooManyInterfaces.into());
        }
        let overruns = overruns("an interface description", 8, &body);
        let header = (|| Some((body.u16()?, body.u16()?, body.u32()?)))();
        let (link_type, _reserved, snapshot_len) = header.ok_or(overruns)?;
        let clock = Clock::from_options(body)?;
        self.interfaces.push(Interface { link_type: LinkType::new(link_type.into()), snapshot_len, clock });
        Ok(())
    }

    fn enhanced_packet(&self, mut body: Fields<'_>) -> Result<Record, Fault> {
        let overruns = overruns("an enhanced packet's header", 20, &body);
        let interface = body.u32().ok_or(overruns)?;
        self.timed_packet(interface, body)
    }

    /// The obsolete kind, which counts drops between interface and time stamp.
    fn packet(&self, mut body: Fields<'_>) -> Result<Record, Fault> {
        let overruns = overruns("a packet's header", 20, &body);
        let (interface, _drops) = body.u16().zip(body.u16()).ok_or(overruns)?;
        self.timed_packet(interface.into(), body)
    }

    /// What both kinds with a time stamp have in common.
    fn timed_packet(&self, number: u32, mut body: Fields<'_>) -> Result<Record, Fault> {
        let overruns = overruns("a packet's time and lengths", 16, &body);
        let header = (|| Some((body.u32()?, body.u32()?, body.u32()?, body.u32()?)))();
        let (high, low, captured, original_len) = header.ok_or(overruns)?;
        let interface = self.interface(number)?;
        let captured = packet_len(captured)?;
        fits("a packet", captured, &body)?;
        Ok(Record {
            timestamp: interface.clock.since_epoch(u64::from(high) << 32 | u64::from(low)),
            original_len,
            link_type: interface.link_type,
            interface: number,
            bytes: HEAD_LEN + 20..HEAD_LEN + 20 + captured,
        })
    }

    /// The kind without time stamp and interface: it is of the first one, and cut at its snapshot length.
    fn simple_packet(&self, mut body: Fields<'_>) -> Result<Record, Fault> {
        let overruns = overruns("a simple packet's header", 4, &body);
        let original_len = body.u32().ok_or(overruns)?;
        let interface = self.interface(0)?;
        let captured = match interface.snapshot_len {
            0 => original_len,
            limit => original_len.min(limit),
        };
        let captured = packet_len(captured)?;
        fits("a packet", captured, &body)?;
        Ok(Record {
            timestamp: self.timestamp,
            original_len,
            link_type: interface.link_type,
            interface: 0,
            bytes: HEAD_LEN + 4..HEAD_LEN + 4 + captured,
        })
    }

    fn interface(&self, number: u32) -> Result<&Interface, Fault> {
        let described = self.interfaces.len();
        let interface = usize::try_from(number).ok().and_then(|index| self.interfaces.get(index));
        interface.ok_or_else(|| Damage::NoSuchInterface { wanted: number, described }.into())
    }
}

/// How an interface counts time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Clock {
    resolution: Resolution,
    /// Seconds to add.
    offset: i64,
}

/// How much of a second one tick is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Resolution {
    /// Ten to minus this.
    Decimal(u8),
    /// Two to minus this.
    Binary(u8),
}

impl Clock {
    /// Reads `if_tsresol` and `if_tsoffset`, and passes over all others.
    fn from_options(mut options: Fields<'_>) -> Result<Self, Fault> {
        let mut clock = Self { resolution: Resolution::Decimal(6), offset: 0 };
        while !options.rest.is_empty() {
            let overruns = overruns("an option's header", 4, &options);
            let (code, len) = options.u16().zip(options.u16()).ok_or(overruns)?;
            if code == END_OF_OPTIONS {
                break;
            }
            fits("an option", len.into(), &options)?;
            let value = options.take(len.into()).expect("it fits");
            // The padding of the last option may be missing.
            let padding = usize::from(len).next_multiple_of(4) - usize::from(len);
            options.take(padding.min(options.rest.len()));
            match code {
                IF_TSRESOL => clock.resolution = Resolution::from_byte(clock_option("if_tsresol", value)?),
                IF_TSOFFSET => {
                    let bytes: [u8; 8] = clock_option("if_tsoffset", value)?;
                    clock.offset =
                        if options.order.is_big() { i64::from_be_bytes(bytes) } else { i64::from_le_bytes(bytes) };
                }
                _ => {}
            }
        }
        Ok(clock)
    }

    /// The time of a tick, no earlier than the epoch and no later than 64 bits of nanoseconds allow.
    fn since_epoch(self, ticks: u64) -> Duration {
        let ticks = i128::from(ticks);
        let nanoseconds = match self.resolution {
            // 2^64 * 10^9 is below 2^94.
            Resolution::Decimal(digits @ 0..=9) => ticks * 10_i128.pow(9 - u32::from(digits)),
            Resolution::Decimal(digits) => ticks / 10_i128.checked_pow(u32::from(digits) - 9).unwrap_or(i128::MAX),
            Resolution::Binary(digits) => (ticks * 1_000_000_000) >> digits,
        };
        let nanoseconds = nanoseconds + i128::from(self.offset) * 1_000_000_000;
        Duration::from_nanos(u64::try_from(nanoseconds.max(0)).unwrap_or(u64::MAX))
    }
}

impl Resolution {
    /// The highest bit tells the base, the others the exponent: both are below 128.
    fn from_byte([byte]: [u8; 1]) -> Self {
        match byte & 0x80 {
            0 => Self::Decimal(byte),
            _ => Self::Binary(byte & 0x7f),
        }
    }
}

fn clock_option<const N: usize>(name: &'static str, value: &[u8]) -> Result<[u8; N], Fault> {
    value.try_into().map_err(|_| Damage::ClockOption { name, wanted: N, found: value.len() }.into())
}

fn byte_order(magic: &[u8]) -> Result<Endianness, Fault> {
    let found = Fields { rest: magic, order: Endianness::Big }.u32().unwrap_or_default();
    match found {
        BYTE_ORDER => Ok(Endianness::Big),
        _ if found == BYTE_ORDER.swap_bytes() => Ok(Endianness::Little),
        _ => Err(Damage::ByteOrder { found }.into()),
    }
}

fn block_len(claimed: u32) -> Result<usize, Fault> {
    match usize::try_from(claimed) {
        Ok(len) if (SHORTEST_BLOCK..=MAX_BLOCK).contains(&len) && len.is_multiple_of(4) => Ok(len),
        _ => Err(Damage::BlockLength { claimed }.into()),
    }
}

fn fits(what: &'static str, len: usize, body: &Fields<'_>) -> Result<(), Fault> {
    if len <= body.rest.len() { Ok(()) } else { Err(overruns(what, len, body).into()) }
}

fn overruns(what: &'static str, wanted: usize, body: &Fields<'_>) -> Damage {
    Damage::Overruns { what, wanted, left: body.rest.len() }
}

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

const BYTE_ORDER: u32 = 0x1a2b_3c4d;

const END_OF_OPTIONS: u16 = 0;
const IF_TSRESOL: u16 = 9;
const IF_TSOFFSET: u16 = 14;

/// Type and length before a block's body.
const HEAD_LEN: usize = 8;
/// Length after a block's body.
const TAIL_LEN: usize = 4;
const SHORTEST_BLOCK: usize = HEAD_LEN + TAIL_LEN;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_is_worth_what_its_interface_says() {
        use Resolution::{Binary, Decimal};
        #[rustfmt::skip]
        let rows = [
            ("microseconds",           Decimal(6),   0,         1_500_000,  1_500_000_000),
            ("nanoseconds",            Decimal(9),   0,         7,          7),
            ("picoseconds",            Decimal(12),  0,         7_999,      7),
            ("seconds",                Decimal(0),   0,         3,          3_000_000_000),
            ("finer than any",         Decimal(127), 0,         u64::MAX,   0),
            ("1/1024 seconds",         Binary(10),   0,         1_536,      1_500_000_000),
            ("2^-32 seconds (NTP)",    Binary(32),   0,         1 << 31,    500_000_000),
            ("2^-127 seconds",         Binary(127),  0,         u64::MAX,   0),
            ("an offset",              Decimal(0),   10,        5,          15_000_000_000),
            ("an offset back",         Decimal(0),   -2,        5,          3_000_000_000),
            ("before the epoch",       Decimal(0),   -9,        5,          0),
            ("the earliest",           Decimal(0),   i64::MIN,  0,          0),
            ("after 2554",             Decimal(0),   i64::MAX,  u64::MAX,   u64::MAX),
        ];
        for (name, resolution, offset, ticks, nanoseconds) in rows {
            let clock = Clock { resolution, offset };
            assert_eq!(clock.since_epoch(ticks), Duration::from_nanos(nanoseconds), "{name}");
        }
    }

    #[test]
    fn the_byte_of_a_resolution_tells_base_and_exponent() {
        assert_eq!(Resolution::from_byte([6]), Resolution::Decimal(6));
        assert_eq!(Resolution::from_byte([0x80 | 32]), Resolution::Binary(32));
    }
}
