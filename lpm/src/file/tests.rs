//! What is saved, what is refused, and that what is not refused does no harm.

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
