//! Where an IPv4 table says one thing everywhere, it says it once.

use std::net::Ipv4Addr;

use lpm::{Change, FibWriter, NextHopId, Prefix};

fn set(prefix: &str, hop: u32) -> Change<Ipv4Addr> {
    Change::Set(prefix.parse().unwrap(), NextHopId::new(hop))
}

#[test]
fn an_empty_table_has_no_nodes_and_a_default_route_takes_one_page() {
    let mut writer = FibWriter::default();
    assert_eq!(writer.usage().fib_bytes, 0);
    assert!(writer.usage().arena_bytes <= 4096);
    let fib = writer.apply([set("0.0.0.0/0", 3)]);
    assert_eq!(fib.lookup(Ipv4Addr::LOCALHOST), Some(NextHopId::new(3)));
    assert_eq!(writer.usage().fib_bytes, 4096 + 256);
    assert!(size_of::<FibWriter<Ipv4Addr>>() < 4096);
}

#[test]
fn positions_with_the_same_answer_share_one_chunk() {
    let mut writer = FibWriter::default();
    let all_of_ten = (0..1024_u32).map(|n| Prefix::containing(Ipv4Addr::from(10 << 24 | n << 14), 18));
    writer.apply(all_of_ten.map(|prefix| Change::Set(prefix, NextHopId::new(5))));
    assert_eq!(writer.usage().fib_bytes, 4096 + 256, "a page and a group of chunks");
}

#[test]
fn a_default_route_that_moves_from_hop_to_hop_leaves_no_pages_behind() {
    let mut writer = FibWriter::default();
    for hop in 0..250 {
        let fib = writer.apply([set("0.0.0.0/0", hop)]);
        assert_eq!(fib.lookup(Ipv4Addr::LOCALHOST), Some(NextHopId::new(hop)));
    }
    writer.reclaim();
    assert_eq!(writer.usage().fib_bytes, 4096 + 16 * 256, "one page, and the chunks of 250 next hops");
}

#[test]
fn a_plain_page_goes_with_the_last_position_that_names_it() {
    let mut writer = FibWriter::default();
    writer.apply([set("0.0.0.0/0", 1), set("10.0.0.0/9", 2)]);
    assert_eq!(writer.usage().fib_bytes, 2 * 4096 + 256, "the page of 10, and that of hop 1");
    writer.apply([Change::Remove("0.0.0.0/0".parse().unwrap())]);
    assert_eq!(writer.usage().fib_bytes, 4096 + 256, "no shorter route: the page of 10");
    writer.apply([set("11.0.0.0/8", 1)]);
    assert_eq!(writer.usage().fib_bytes, 2 * 4096 + 256, "the page of 10, and that of hop 1");
    writer.apply([set("11.0.0.0/9", 2)]);
    assert_eq!(writer.usage().fib_bytes, 2 * 4096 + 256, "a longer route: the pages of 10 and 11");
}

#[test]
fn next_hops_that_come_and_go_do_not_pile_up() {
    let mut writer = FibWriter::default();
    for hop in (0..1 << 20).step_by(16) {
        let fib = writer.apply([set("10.0.0.0/9", hop)]);
        assert_eq!(fib.lookup(Ipv4Addr::new(10, 1, 2, 3)), Some(NextHopId::new(hop)));
    }
    assert!(writer.usage().arena_bytes < 1 << 20, "{:?}", writer.usage());
}

#[test]
fn a_snapshot_keeps_the_plain_nodes_that_a_newer_one_does_without() {
    let mut writer = FibWriter::default();
    let held = writer.apply([set("0.0.0.0/0", 1), set("10.0.0.0/9", 2)]);
    writer.apply([Change::Remove("0.0.0.0/0".parse().unwrap()), Change::Remove("10.0.0.0/9".parse().unwrap())]);
    writer.apply((0..64).map(|n| set(&format!("{n}.0.0.0/8"), 100 + n)));
    assert_eq!(held.lookup(Ipv4Addr::new(9, 9, 9, 9)), Some(NextHopId::new(1)));
    assert_eq!(held.lookup(Ipv4Addr::new(10, 1, 2, 3)), Some(NextHopId::new(2)));
    drop(held);
    writer.reclaim();
    assert_eq!(writer.usage().waiting_bytes, 0);
}
