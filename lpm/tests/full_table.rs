//! A full table, loaded in random order, asked, dumped, and taken apart again.
//!
//! The real one is read from `shared/data` beside the workspace, when that is there. Built for release, all of it is used;
//! otherwise every tenth route, which takes a few seconds.

mod scene;

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use lpm::{Address, Change, FibWriter, NextHopId, Prefix, RouteTable};
use scene::{Noise, full_table};

// holds LK-09, LK-13, 162
#[test]
fn a_full_ipv4_table_survives_its_whole_life() {
    whole_life::<Ipv4Addr>();
}

// holds LK-09, LK-13, 162
#[test]
fn a_full_ipv6_table_survives_its_whole_life() {
    whole_life::<Ipv6Addr>();
}

fn whole_life<A: Address>() {
    let Some(mut routes) = full_table::<A>() else { return };
    let mut noise = Noise(A::BITS.into());
    noise.shuffle(&mut routes);

    let mut writer = FibWriter::default();
    let start = writer.usage();
    for batch in routes.chunks(997) {
        writer.apply(batch.iter().map(|(prefix, hop)| Change::Set(*prefix, *hop)));
    }
    let golden = table(&routes);
    let random = if cfg!(debug_assertions) { 1_000_000 } else { 10_000_000 };
    let fib = writer.snapshot();
    fib.audit(&golden, random, 1).unwrap();
    assert_eq!(writer.routes(), golden, "the dump is what went in");

    in_one_go_or_in_many_the_answers_are_the_same(&routes, &golden);
    one_at_a_time_nothing_else_changes(&mut writer, &golden, &mut noise);

    drop(fib);
    for (batch, (prefix, _)) in golden.iter().enumerate() {
        writer.apply([Change::Remove(prefix)]);
        if batch % 50_000 == 0 {
            // What is gone is the walk up to here; what is left is the rest of it.
            let left: RouteTable<A> = table(&golden.iter().skip(batch + 1).collect::<Vec<_>>());
            writer.snapshot().audit(&left, 1000, 2).unwrap();
        }
    }
    writer.reclaim();
    let end = writer.usage();
    assert_eq!((end.routes, end.fib_bytes, end.waiting_bytes), (start.routes, start.fib_bytes, start.waiting_bytes));
    assert!(end.arena_bytes <= 3 << 20, "the arena is small again: {end:?}");
}

fn table<A: Address>(routes: &[(Prefix<A>, NextHopId)]) -> RouteTable<A> {
    let mut table = RouteTable::default();
    for (prefix, hop) in routes {
        table.insert(*prefix, *hop);
    }
    table
}

fn in_one_go_or_in_many_the_answers_are_the_same<A: Address>(
    routes: &[(Prefix<A>, NextHopId)],
    golden: &RouteTable<A>,
) {
    let mut writer = FibWriter::default();
    let fib = writer.apply(routes.iter().map(|(prefix, hop)| Change::Set(*prefix, *hop)));
    fib.audit(golden, 1000, 3).unwrap();
}

/// Changes routes one by one, back and forth, and compares everything after it.
fn one_at_a_time_nothing_else_changes<A: Address>(
    writer: &mut FibWriter<A>,
    golden: &RouteTable<A>,
    noise: &mut Noise,
) {
    let routes: Vec<_> = golden.iter().collect();
    let chosen: BTreeSet<usize> = (0..20_000).map(|_| noise.below(routes.len())).collect();
    for n in &chosen {
        let (prefix, hop) = routes[*n];
        writer.apply([Change::Set(prefix, NextHopId::new(251))]);
        writer.apply([Change::Remove(prefix)]);
        writer.apply([Change::Set(prefix, hop)]);
    }
    writer.snapshot().audit(golden, 1000, 4).unwrap();
}
