//! IPv4 options (RFC 791 section 3.1), as a router handles them (RFC 1812 section 5.3.13).
//!
//! Two things are filled in on the way, a slot of a route that is recorded and a time stamp, and both go back with the
//! answer to an echo; a source route is followed or not as the router is told; all others pass as they are, known or not. What makes no sense has a place that can be
//! pointed at, in a parameter problem.

use std::net::Ipv4Addr;

use crate::checksum::checksum;
use crate::ipv4::{Ipv4, MIN_HEADER_LEN};

/// An option that makes no sense: where it stands in the packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadOption {
    /// Its first byte, counted from the beginning of the header.
    pub at: u8,
}

/// A source route (RFC 791 section 3.1), whose sender says over whom the packet is to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceRoute {
    /// Whether it may go over nobody else.
    pub is_strict: bool,
    /// Where it stands in the packet.
    pub at: u8,
    /// Who is next after the packet's destination; nobody, if the route is exhausted.
    pub next: Option<Ipv4Addr>,
}

/// Who records itself, and when.
#[derive(Debug, Clone, Copy)]
pub struct Recorder {
    /// The address that the packet leaves with.
    pub address: Ipv4Addr,
    /// Milliseconds; not since midnight UT, so that they are recorded as a time of no such standard.
    pub milliseconds: u32,
}

/// Looks at all options of `packet`, and says whether there is a source route among them.
///
/// # Errors
///
/// The first option that makes no sense.
pub fn check(packet: &Ipv4<'_>) -> Result<Option<SourceRoute>, BadOption> {
    let mut source_route = None;
    for option in walk(packet.options()) {
        let Found { at, bytes } = option?;
        match bytes[0] {
            RECORD_ROUTE => drop(slot(at, bytes, 4, 3)?),
            TIME_STAMP => drop(stamp_slot(at, bytes)?),
            kind @ (LOOSE_SOURCE_ROUTE | STRICT_SOURCE_ROUTE) => {
                // RFC 1122 section 3.2.1.8 c: there is one at most.
                if source_route.is_some() {
                    return Err(BadOption { at });
                }
                let next = slot(at, bytes, 4, 3)?.map(|place| address(&bytes[place..]));
                source_route = Some(SourceRoute { is_strict: kind == STRICT_SOURCE_ROUTE, at, next });
            }
            _ => {}
        }
    }
    Ok(source_route)
}

/// Fills in what a router is to fill in on the way, in a packet that [`check`] found nothing wrong with. A time stamp may be
/// asked of an address, and is given if that is ours.
///
/// # Errors
///
/// The time stamp option in which not even the count of those without room has room.
pub fn record(packet: &mut [u8], recorder: Recorder, is_ours: impl Fn(Ipv4Addr) -> bool) -> Result<(), BadOption> {
    with_options(packet, |option, at| match option[0] {
        RECORD_ROUTE => {
            if let Some(place) = slot(at, option, 4, 3)? {
                option[place..place + 4].copy_from_slice(&recorder.address.octets());
                option[2] += 4;
            }
            Ok(())
        }
        TIME_STAMP => stamp(option, at, recorder, &is_ours),
        _ => Ok(()),
    })
}

/// Follows the source route of a packet for us, in which [`check`] found one with somebody next: the packet goes to them,
/// and the address it leaves with takes their place in the route (RFC 1812 section 5.2.4.1).
pub fn follow(packet: &mut [u8], next: Ipv4Addr, leaves_with: Ipv4Addr) {
    packet[16..20].copy_from_slice(&next.octets());
    let followed = with_options(packet, |option, at| {
        if matches!(option[0], LOOSE_SOURCE_ROUTE | STRICT_SOURCE_ROUTE)
            && let Some(place) = slot(at, option, 4, 3)?
        {
            option[place..place + 4].copy_from_slice(&leaves_with.octets());
            option[2] += 4;
        }
        Ok(())
    });
    debug_assert_eq!(followed, Ok(()), "they were checked");
}

/// What of an echo request's options belongs into the answer, in whole words, and who that goes to first: a route that is
/// recorded and time stamps go on, and a source route is gone back (RFC 1122 section 3.2.2.6, RFC 1812 section 4.3.3.6).
pub fn answering(request: &Ipv4<'_>) -> (Vec<u8>, Ipv4Addr) {
    let mut options = Vec::new();
    let mut first = request.source();
    for Found { bytes, .. } in walk(request.options()).map_while(Result::ok) {
        match *bytes {
            [RECORD_ROUTE | TIME_STAMP, ..] => options.extend(bytes),
            [kind @ (LOOSE_SOURCE_ROUTE | STRICT_SOURCE_ROUTE), _, pointer, ref slots @ ..] => {
                // Who stands before the pointer was visited, and nobody else is on the way back.
                let slots = slots.as_chunks::<4>().0;
                let visited = &slots[..slots.len().min(usize::from(pointer.saturating_sub(4) / 4))];
                if let Some((last, before)) = visited.split_last() {
                    first = Ipv4Addr::from_octets(*last);
                    let len = u8::try_from(3 + visited.len() * 4).expect("no longer than it came");
                    options.extend([kind, len, 4]);
                    options.extend(before.iter().rev().flatten());
                    options.extend(request.source().octets());
                }
            }
            _ => {}
        }
    }
    options.resize(options.len().next_multiple_of(4), END);
    (options, first)
}

/// Lets `change` work on every option, and mends the header's checksum.
fn with_options(
    packet: &mut [u8],
    mut change: impl FnMut(&mut [u8], u8) -> Result<(), BadOption>,
) -> Result<(), BadOption> {
    let header_len = usize::from(packet[0] & 0x0f) * 4;
    let (fixed, options) = packet[..header_len].split_at_mut(MIN_HEADER_LEN);
    let places: Vec<_> =
        walk(options).collect::<Result<Vec<_>, _>>()?.iter().map(|found| (found.at, found.bytes.len())).collect();
    let mut changed = Ok(());
    for (at, len) in places {
        let start = usize::from(at) - MIN_HEADER_LEN;
        changed = changed.and_then(|()| change(&mut options[start..start + len], at));
    }
    fixed[10..12].fill(0);
    let sum = checksum(&packet[..header_len]);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    changed
}

/// An option of more than one byte.
struct Found<'a> {
    at: u8,
    bytes: &'a [u8],
}

/// The options but for those that only fill space, up to the first that does not say where it ends.
fn walk(options: &[u8]) -> impl Iterator<Item = Result<Found<'_>, BadOption>> {
    let mut done = 0;
    std::iter::from_fn(move || {
        while options.get(done) == Some(&NO_OPERATION) {
            done += 1;
        }
        let rest = &options[done..];
        let at = place(done);
        match *rest {
            [] | [END, ..] => None,
            [_, len, ..] if len >= 2 && usize::from(len) <= rest.len() => {
                done += usize::from(len);
                Some(Ok(Found { at, bytes: &rest[..usize::from(len)] }))
            }
            [..] => {
                done = options.len();
                Some(Err(BadOption { at }))
            }
        }
    })
}

/// Where in an option of slots the next one stands, in bytes; `None` when all are full. The first slot can be at `first`,
/// counted from 1, behind `head` bytes.
fn slot(at: u8, option: &[u8], first: u8, head: usize) -> Result<Option<usize>, BadOption> {
    slots(at, option, first, head, 4)
}

fn slots(at: u8, option: &[u8], first: u8, head: usize, slot_len: usize) -> Result<Option<usize>, BadOption> {
    let pointer = *option.get(2).ok_or(BadOption { at })?;
    if option.len() < head || pointer < first {
        return Err(BadOption { at });
    }
    let start = usize::from(pointer) - 1;
    if start >= option.len() {
        return Ok(None);
    }
    // RFC 791: some room, but not enough for a whole slot, is a mistake of the sender's.
    if start + slot_len > option.len() { Err(BadOption { at }) } else { Ok(Some(start)) }
}

/// The next slot for a time stamp, and what it is to hold.
fn stamp_slot(at: u8, option: &[u8]) -> Result<Option<usize>, BadOption> {
    let flag = option.get(3).ok_or(BadOption { at })? & 0x0f;
    let slot_len = match flag {
        STAMPS_ALONE => 4,
        STAMPS_WITH_ADDRESSES | STAMPS_OF_THE_NAMED => 8,
        _ => return Err(BadOption { at }),
    };
    slots(at, option, 5, 4, slot_len)
}

fn stamp(option: &mut [u8], at: u8, recorder: Recorder, is_ours: impl Fn(Ipv4Addr) -> bool) -> Result<(), BadOption> {
    let flag = option[3] & 0x0f;
    let Some(start) = stamp_slot(at, option)? else {
        // RFC 791: those that found no room are counted, in four bits.
        if option[3] >> 4 == 0x0f {
            return Err(BadOption { at });
        }
        option[3] += 0x10;
        return Ok(());
    };
    let stamp = recorder.milliseconds | NOT_SINCE_MIDNIGHT;
    let stamp_at = match flag {
        STAMPS_ALONE => start,
        STAMPS_OF_THE_NAMED if !is_ours(address(&option[start..])) => return Ok(()),
        STAMPS_OF_THE_NAMED => start + 4,
        _with_addresses => {
            option[start..start + 4].copy_from_slice(&recorder.address.octets());
            start + 4
        }
    };
    option[stamp_at..stamp_at + 4].copy_from_slice(&stamp.to_be_bytes());
    option[2] += place_after(stamp_at, start);
    Ok(())
}

fn address(bytes: &[u8]) -> Ipv4Addr {
    Ipv4Addr::from_octets(*bytes.first_chunk().expect("a slot holds an address"))
}

#[expect(clippy::cast_possible_truncation, reason = "a header has at most 60 bytes")]
const fn place(done: usize) -> u8 {
    (MIN_HEADER_LEN + done) as u8
}

#[expect(clippy::cast_possible_truncation, reason = "a header has at most 60 bytes")]
const fn place_after(stamp_at: usize, start: usize) -> u8 {
    (stamp_at - start + 4) as u8
}

const END: u8 = 0;
const NO_OPERATION: u8 = 1;
const RECORD_ROUTE: u8 = 7;
const TIME_STAMP: u8 = 68;
const LOOSE_SOURCE_ROUTE: u8 = 131;
const STRICT_SOURCE_ROUTE: u8 = 137;

const STAMPS_ALONE: u8 = 0;
const STAMPS_WITH_ADDRESSES: u8 = 1;
const STAMPS_OF_THE_NAMED: u8 = 3;

/// The bit of a time that is not counted from midnight UT.
const NOT_SINCE_MIDNIGHT: u32 = 1 << 31;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ipv4::Builder;

    const OURS: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
    const RECORDER: Recorder = Recorder { address: OURS, milliseconds: 5 };

    fn packet(options: &[u8]) -> Vec<u8> {
        let builder = Builder {
            source: Ipv4Addr::new(192, 0, 2, 1),
            destination: Ipv4Addr::new(198, 51, 100, 7),
            protocol: 17,
            ttl: 63,
            tos: 0,
            identification: 7,
            dont_fragment: false,
        };
        let mut padded = options.to_vec();
        padded.resize(options.len().next_multiple_of(4), END);
        let mut packet = builder.header(padded.len() + 8).unwrap().to_vec();
        packet[0] += u8::try_from(padded.len() / 4).unwrap();
        packet.extend(padded);
        let sum = {
            packet[10..12].fill(0);
            checksum(&packet)
        };
        packet[10..12].copy_from_slice(&sum.to_be_bytes());
        packet.extend([0xa5; 8]);
        packet
    }

    fn checked(options: &[u8]) -> Result<Option<SourceRoute>, BadOption> {
        check(&Ipv4::parse(&packet(options)).unwrap())
    }

    /// The options after a router has filled in what it has to.
    fn recorded(options: &[u8]) -> Result<Vec<u8>, BadOption> {
        let mut packet = packet(options);
        record(&mut packet, RECORDER, |address| address == OURS)?;
        Ok(Ipv4::parse(&packet).expect("the checksum was mended").options()[..options.len()].to_vec())
    }

    #[test]
    fn rfc_050_a_recorded_route_gets_the_address_the_packet_leaves_with() {
        assert_eq!(recorded(&[7, 7, 4, 0, 0, 0, 0]).unwrap(), [7, 7, 8, 198, 51, 100, 1]);
        assert_eq!(recorded(&[1, 7, 7, 4, 0, 0, 0, 0]).unwrap(), [1, 7, 7, 8, 198, 51, 100, 1], "wherever it stands");
        let second = [7, 11, 8, 10, 0, 0, 1, 0, 0, 0, 0];
        assert_eq!(recorded(&second).unwrap(), [7, 11, 12, 10, 0, 0, 1, 198, 51, 100, 1]);
    }

    #[test]
    fn rfc_051_a_recorded_route_that_is_full_stays_as_it_is() {
        let full = [7, 7, 8, 10, 0, 0, 1];
        assert_eq!(recorded(&full).unwrap(), full);
    }

    #[test]
    fn rfc_052_a_time_stamp_is_filled_in_as_its_flag_asks_or_counted_as_missing() {
        #[rustfmt::skip]
        let rows: [(&str, &[u8], &[u8]); 6] = [
            ("alone",            &[68, 8, 5, 0, 0, 0, 0, 0],
                                 &[68, 8, 9, 0, 0x80, 0, 0, 5]),
            ("with our address", &[68, 12, 5, 1, 0, 0, 0, 0, 0, 0, 0, 0],
                                 &[68, 12, 13, 1, 198, 51, 100, 1, 0x80, 0, 0, 5]),
            ("asked of us",      &[68, 12, 5, 3, 198, 51, 100, 1, 0, 0, 0, 0],
                                 &[68, 12, 13, 3, 198, 51, 100, 1, 0x80, 0, 0, 5]),
            ("asked of another", &[68, 12, 5, 3, 10, 0, 0, 1, 0, 0, 0, 0],
                                 &[68, 12, 5, 3, 10, 0, 0, 1, 0, 0, 0, 0]),
            ("full",             &[68, 8, 9, 0, 1, 2, 3, 4],
                                 &[68, 8, 9, 0x10, 1, 2, 3, 4]),
            ("full of addresses", &[68, 12, 13, 0x21, 10, 0, 0, 1, 1, 2, 3, 4],
                                 &[68, 12, 13, 0x31, 10, 0, 0, 1, 1, 2, 3, 4]),
        ];
        for (row, options, expected) in rows {
            assert_eq!(recorded(options).unwrap(), expected, "{row}");
        }
        assert_eq!(recorded(&[68, 8, 9, 0xf0, 1, 2, 3, 4]), Err(BadOption { at: 20 }), "even the count is full");
    }

    #[test]
    fn a_source_route_is_seen_with_whoever_is_next() {
        let route = |kind, pointer| [kind, 11, pointer, 10, 0, 0, 1, 10, 0, 0, 2];
        let seen =
            |is_strict, next: Option<[u8; 4]>| Some(SourceRoute { is_strict, at: 20, next: next.map(Into::into) });
        assert_eq!(checked(&route(131, 4)), Ok(seen(false, Some([10, 0, 0, 1]))));
        assert_eq!(checked(&route(137, 8)), Ok(seen(true, Some([10, 0, 0, 2]))));
        assert_eq!(checked(&route(137, 12)), Ok(seen(true, None)));
        assert_eq!(checked(&[7, 7, 4, 0, 0, 0, 0]), Ok(None));
    }

    #[test]
    fn a_source_route_that_is_followed_swaps_who_is_next_for_us() {
        let mut packet = packet(&[131, 11, 4, 10, 0, 0, 1, 10, 0, 0, 2]);
        follow(&mut packet, Ipv4Addr::new(10, 0, 0, 1), OURS);
        let followed = Ipv4::parse(&packet).unwrap();
        assert_eq!(followed.destination(), Ipv4Addr::new(10, 0, 0, 1));
        assert_eq!(followed.options()[..11], [131, 11, 8, 198, 51, 100, 1, 10, 0, 0, 2]);
    }

    #[test]
    fn an_answer_carries_records_and_stamps_on_and_goes_back_over_a_source_route() {
        let answering = |options: &[u8]| answering(&Ipv4::parse(&packet(options)).unwrap());
        let (sender, [a, b]) = (Ipv4Addr::new(192, 0, 2, 1), [[10, 0, 0, 1], [10, 0, 0, 2]]);
        #[rustfmt::skip]
        let rows: [(&str, &[u8], &[u8], Ipv4Addr); 5] = [
            ("a record",         &[7, 7, 4, 0, 0, 0, 0],              &[7, 7, 4, 0, 0, 0, 0, 0],              sender),
            ("a stamp, and one that stays behind",
                                 &[0x94, 4, 0, 0, 68, 8, 5, 0, 1, 2, 3, 4], &[68, 8, 5, 0, 1, 2, 3, 4],       sender),
            ("a route over two", &[131, 11, 12, 10, 0, 0, 1, 10, 0, 0, 2],
                                 &[131, 11, 4, 10, 0, 0, 1, 192, 0, 2, 1, 0],                                 b.into()),
            ("over one of two",  &[137, 11, 8, 10, 0, 0, 1, 10, 0, 0, 2], &[137, 7, 4, 192, 0, 2, 1, 0],      a.into()),
            ("over nobody",      &[137, 7, 4, 10, 0, 0, 1],           &[],                                    sender),
        ];
        for (row, options, expected, first) in rows {
            assert_eq!(answering(options), (expected.to_vec(), first), "{row}");
        }
    }

    /// RFC 791, one row per way to be wrong: the options, and where they are.
    #[test]
    fn what_makes_no_sense_is_pointed_at() {
        #[rustfmt::skip]
        let rows: [(&str, &[u8], u8); 12] = [
            ("rfc_055: length 0",              &[0x5e, 0, 0, 0],             20),
            ("rfc_055: length 1",              &[1, 0x5e, 1, 0],             21),
            ("rfc_056: beyond the header",     &[1, 1, 0x5e, 9],             22),
            ("without a length",               &[1, 1, 1, 0x5e],             23),
            ("a record without a pointer",     &[7, 2, 0, 0],                20),
            ("a pointer before the slots",     &[7, 7, 3, 0, 0, 0, 0],       20),
            ("room for less than a slot",      &[7, 6, 4, 0, 0, 0],          20),
            ("a time stamp without flags",     &[68, 3, 5, 0],               20),
            ("with an unknown flag",           &[68, 8, 5, 2, 0, 0, 0, 0],   20),
            ("with a pointer into its head",   &[68, 8, 4, 0, 0, 0, 0, 0],   20),
            ("room for an address alone",      &[68, 8, 5, 1, 0, 0, 0, 0],   20),
            ("two source routes",              &[131, 3, 4, 137, 3, 4, 0, 0], 23),
        ];
        for (row, options, at) in rows {
            assert_eq!(checked(options), Err(BadOption { at }), "{row}");
        }
    }

    #[test]
    fn what_nobody_knows_and_what_fills_space_is_all_right() {
        for options in [&[0x5e, 4, 1, 2][..], &[1, 1, 1, 1], &[0, 0xff, 0xff, 0xff], &[0x94, 4, 0, 0]] {
            assert_eq!(checked(options), Ok(None));
            assert_eq!(recorded(options).unwrap(), options, "and passes as it is");
        }
    }

    proptest! {
        #[test]
        fn any_options_are_refused_or_filled_in_within_their_room(
            options in proptest::collection::vec(
                prop_oneof![Just(1_u8), Just(7), Just(68), Just(131), Just(137), 0..12_u8, any::<u8>()], 0..=40,
            ),
        ) {
            let before = packet(&options);
            let mut after = before.clone();
            if check(&Ipv4::parse(&before).unwrap()).is_ok() && record(&mut after, RECORDER, |_| true).is_ok() {
                let after_view = Ipv4::parse(&after).unwrap();
                prop_assert_eq!(after_view.payload(), Ipv4::parse(&before).unwrap().payload());
                prop_assert!(check(&after_view).is_ok(), "and makes sense to the next router");
            }
            let (answered, _) = answering(&Ipv4::parse(&before).unwrap());
            prop_assert!(answered.len() % 4 == 0 && answered.len() <= 40);
        }
    }
}
