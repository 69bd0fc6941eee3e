//! Any changes, in any batches: the compiled table answers as the golden one.

mod scene;

use std::net::{Ipv4Addr, Ipv6Addr};

use lpm::{Address, Change, FibWriter, RouteTable};
use proptest::prelude::*;
use scene::{agree, any_batches, change, edges};

/// Applies the batches, and checks after each that the new table is right and, at the end, that no older one has moved.
fn every_table_stays_right<A: Address>(batches: &[Vec<Change<A>>], probes: &[u128]) -> Result<(), TestCaseError> {
    let mut golden = RouteTable::default();
    let mut writer = FibWriter::default();
    let mut held = Vec::new();
    for (n, batch) in batches.iter().enumerate() {
        change(&mut golden, batch);
        let fib = writer.apply(batch.iter().copied());
        let mut asked = edges(&golden);
        asked.extend(probes.iter().map(|probe| A::from_number(*probe)));
        agree(&fib, &golden, &asked)?;
        if n % 3 == 0 {
            held.push((fib, golden.clone(), asked));
        }
    }
    prop_assert_eq!(writer.routes(), golden);
    for (fib, golden, asked) in &held {
        agree(fib, golden, asked)?;
    }
    Ok(())
}

/// Applies the batches, then takes every route back out.
fn nothing_is_left_of_a_table_that_was_emptied<A: Address>(batches: &[Vec<Change<A>>]) -> Result<(), TestCaseError> {
    let mut writer = FibWriter::default();
    for batch in batches {
        writer.apply(batch.iter().copied());
    }
    for (prefix, _) in writer.routes().iter() {
        writer.apply([Change::Remove(prefix)]);
    }
    writer.reclaim();
    let usage = writer.usage();
    prop_assert_eq!((usage.routes, usage.fib_bytes, usage.waiting_bytes, usage.live_snapshots), (0, 0, 0, 1));
    Ok(())
}

proptest! {
    #[test]
    fn any_batches_of_ipv4_routes_give_the_answers_of_the_golden_table(
        batches in any_batches::<Ipv4Addr>(), probes in proptest::collection::vec(any::<u128>(), 20),
    ) {
        every_table_stays_right(&batches, &probes)?;
    }

    #[test]
    fn any_batches_of_ipv6_routes_give_the_answers_of_the_golden_table(
        batches in any_batches::<Ipv6Addr>(), probes in proptest::collection::vec(any::<u128>(), 20),
    ) {
        every_table_stays_right(&batches, &probes)?;
    }

    #[test]
    fn an_emptied_table_has_no_nodes_left(v4 in any_batches::<Ipv4Addr>(), v6 in any_batches::<Ipv6Addr>()) {
        nothing_is_left_of_a_table_that_was_emptied(&v4)?;
        nothing_is_left_of_a_table_that_was_emptied(&v6)?;
    }
}
