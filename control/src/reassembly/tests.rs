use std::net::Ipv4Addr;

use packet::ipv4::Builder;
use proptest::prelude::*;

use super::*;

const START: Timestamp = Timestamp::ZERO;

/// A fragment of a datagram whose payload counts up; `bytes` of it from `offset` on.
fn fragment_of(source: u32, identification: u16, offset: usize, bytes: usize, more: bool) -> Vec<u8> {
    let builder = Builder {
        source: Ipv4Addr::from_bits(source),
        destination: Ipv4Addr::new(192, 0, 2, 1),
        protocol: 1,
        ttl: 64,
        tos: 0,
        identification,
        dont_fragment: false,
    };
    let mut packet = builder.header(bytes).unwrap().to_vec();
    let field = u16::try_from(offset / 8).unwrap() | if more { 0x2000 } else { 0 };
    packet[6..8].copy_from_slice(&field.to_be_bytes());
    packet[10..12].fill(0);
    let sum = checksum(&packet);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet.extend((offset..offset + bytes).map(|i| u8::try_from(i % 251).unwrap()));
    packet
}

fn fragment(offset: usize, bytes: usize, more: bool) -> Vec<u8> {
    fragment_of(0xc000_020a, 7, offset, bytes, more)
}

fn take(reassembly: &mut Reassembly, packet: &[u8]) -> Reassembled {
    reassembly.take_v4(&Ipv4::parse(packet).unwrap(), PortId(0), START)
}

#[test]
fn pieces_in_any_order_become_the_datagram_they_were() {
    let pieces = [fragment(0, 800, true), fragment(800, 800, true), fragment(1600, 5, false)];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut reassembly = Reassembly::default();
        assert_eq!(take(&mut reassembly, &pieces[order[0]]), Reassembled::Waiting);
        assert_eq!(take(&mut reassembly, &pieces[order[0]]), Reassembled::Waiting, "twice is once");
        assert_eq!(take(&mut reassembly, &pieces[order[1]]), Reassembled::Waiting);
        let whole = fragment(0, 1605, false);
        assert_eq!(take(&mut reassembly, &pieces[order[2]]), Reassembled::Whole(whole));
        assert_eq!((reassembly.bytes(), reassembly.kept.len()), (0, 0), "and nothing is kept");
    }
}

#[test]
fn rfc_067_pieces_that_overlap_or_disagree_doom_the_datagram() {
    let overlap = Reassembled::Refused(Refusal::Overlap);
    for (row, second) in [
        ("over the end of another", fragment(792, 16, true)),
        ("over its beginning", fragment(400, 1600, true)),
        ("inside of it", fragment(80, 8, true)),
        ("from where it begins", fragment(0, 8, true)),
        ("an end before what is there", fragment(80, 8, false)),
        ("one byte other", {
            let mut other = fragment(0, 800, true);
            other[30] ^= 1;
            other
        }),
    ] {
        let mut reassembly = Reassembly::default();
        assert_eq!(take(&mut reassembly, &fragment(0, 800, true)), Reassembled::Waiting);
        assert_eq!(take(&mut reassembly, &second), overlap, "{row}");
        assert_eq!(take(&mut reassembly, &fragment(800, 8, false)), overlap, "{row}: and all that still comes");
        assert!(reassembly.next_due(START + PATIENCE).expect("it is forgotten").is_none(), "{row}: in silence");
        assert_eq!(reassembly.bytes(), 0);
    }
    let mut reassembly = Reassembly::default();
    take(&mut reassembly, &fragment(800, 8, false));
    assert_eq!(take(&mut reassembly, &fragment(1600, 8, true)), overlap, "behind the end");
    let mut reassembly = Reassembly::default();
    take(&mut reassembly, &fragment(800, 8, false));
    assert_eq!(take(&mut reassembly, &fragment(808, 8, false)), overlap, "two ends");
}

#[test]
fn rfc_067_only_a_datagram_whose_beginning_is_here_is_reported_when_its_time_is_over() {
    let mut reassembly = Reassembly::default();
    let first = fragment(0, 800, true);
    take(&mut reassembly, &first);
    take(&mut reassembly, &fragment_of(0xc000_020a, 8, 800, 8, false));
    let almost = START + (PATIENCE - Duration::from_nanos(1));
    assert!(reassembly.next_due(almost).is_none());
    let now = START + PATIENCE;
    assert_eq!(reassembly.next_due(now).unwrap().unwrap().first, first);
    assert!(reassembly.next_due(now).unwrap().is_none(), "nobody could tell whose the other is");
    assert!(reassembly.next_due(now).is_none());
    assert_eq!(reassembly.bytes(), 0);
}

#[test]
fn a_piece_that_no_sender_cuts_is_refused() {
    let mut reassembly = Reassembly::default();
    assert_eq!(take(&mut reassembly, &fragment(0, 801, true)), Reassembled::Refused(Refusal::Uneven));
    assert_eq!(take(&mut reassembly, &fragment(65_528, 8, false)), TOO_LONG);
    take(&mut reassembly, &fragment(0, 8, true));
    take(&mut reassembly, &fragment(8, 65_504, true));
    assert_eq!(take(&mut reassembly, &fragment(65_512, 23, false)), TOO_LONG, "with its header it is");
    assert_eq!(reassembly.bytes(), 0);
}

#[test]
fn rfc_067_a_flood_of_fragments_is_bounded_and_leaves_other_sources_their_room() {
    let mut reassembly = Reassembly::default();
    for identification in 0..=u16::MAX {
        take(&mut reassembly, &fragment_of(1, identification, 0, 1024, true));
        assert!(reassembly.bytes() <= MOST_BYTES / SHARES);
    }
    let half = fragment_of(2, 7, 0, 800, true);
    assert_eq!(take(&mut reassembly, &half), Reassembled::Waiting);
    assert!(matches!(take(&mut reassembly, &fragment_of(2, 7, 800, 8, false)), Reassembled::Whole(_)));
    // From many sources, the oldest make room.
    for source in 0..20_000 {
        take(&mut reassembly, &fragment_of(source, 7, 8, 1024, true));
        assert!(reassembly.bytes() <= MOST_BYTES);
    }
    assert!(reassembly.datagrams.len() < 4096 && reassembly.due.len() < 10_000);
    while reassembly.next_due(START + PATIENCE).is_some() {}
    assert_eq!((reassembly.bytes(), reassembly.kept.len(), reassembly.datagrams.len()), (0, 0, 0));
}

proptest! {
    #[test]
    fn what_is_kept_is_counted_to_the_byte(
        fragments in proptest::collection::vec((0..3_u32, 0..3_u16, 0..12_usize, 0..40_usize, any::<bool>()), 0..200),
    ) {
        let mut reassembly = Reassembly::default();
        for (source, identification, offset, bytes, more) in fragments {
            let packet = fragment_of(source, identification, offset * 8, bytes, more);
            if let Reassembled::Whole(whole) = take(&mut reassembly, &packet) {
                let whole = Ipv4::parse(&whole).unwrap();
                prop_assert!(!whole.is_fragment());
                let counted = (0..whole.payload().len()).map(|i| u8::try_from(i % 251).unwrap());
                prop_assert!(whole.payload().iter().copied().eq(counted), "as it was before it was cut");
            }
            let costs: usize = reassembly.datagrams.values().map(|datagram| datagram.cost).sum();
            prop_assert_eq!((costs, costs), (reassembly.bytes(), reassembly.kept.values().sum()));
        }
        while reassembly.next_due(START + PATIENCE).is_some() {}
        prop_assert_eq!((reassembly.bytes(), reassembly.kept.len()), (0, 0));
    }
}
