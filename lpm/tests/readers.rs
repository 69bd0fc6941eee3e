//! Readers beside a writer at full speed: each burst is answered from one generation, and no reader is ever stopped.

#![expect(clippy::cast_possible_truncation, reason = "the numbers of these scenes are small")]

mod scene;

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use arc_swap::{ArcSwap, Cache};
use lpm::{Address, BURST, Change, Fib, FibWriter, NextHopId, Prefix};
use scene::Noise;

#[test]
fn every_burst_is_answered_from_one_generation() {
    generations_are_never_mixed::<Ipv4Addr>(0x0a00_0000, 20);
    generations_are_never_mixed::<Ipv6Addr>(0x2001_0db8 << 96, 110);
}

/// Every generation sends all of some routes to one next hop of its own, wider and narrower ones by turns, and changes
/// which longer routes there are below them. Whatever a burst finds, it is one next hop, and never an older one than before.
fn generations_are_never_mixed<A: Address>(base: u128, shift: u8) {
    let prefix_of = |n: u128, longer: u8| {
        let len = (A::BITS - shift + 10 + longer).min(A::BITS);
        Prefix::containing(A::from_number(base | n << (shift - 10)), len)
    };
    let routes = 600_u128;
    let mut writer = FibWriter::default();
    let current = ArcSwap::from_pointee(writer.apply((0..routes).map(|n| Change::Set(prefix_of(n, 0), hop(0)))));
    let (done, bursts) = (AtomicBool::new(false), AtomicUsize::new(0));
    let generations = if cfg!(debug_assertions) { 1000 } else { 5000 };

    thread::scope(|scope| {
        for reader in 0..2 {
            let (current, done, bursts) = (&current, &done, &bursts);
            scope.spawn(move || {
                let mut cache = Cache::new(current);
                let mut noise = Noise(reader);
                let mut newest = 0;
                while !done.load(Ordering::Relaxed) {
                    let addresses: [A; BURST] =
                        std::array::from_fn(|_| prefix_of(noise.below(routes as usize) as u128, 0).last());
                    let fib: &Fib<A> = cache.load();
                    let mut answers = [None; BURST];
                    fib.lookup_burst(&addresses, &mut answers);
                    let generation = generation(answers[0]);
                    assert!(answers.iter().all(|answer| *answer == Some(hop(generation))), "{answers:?}");
                    assert!(generation >= newest, "{generation} after {newest}");
                    newest = generation;
                    bursts.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        // If this thread panics the readers have to stop all the same.
        let stop = StopOnDrop(&done);
        let mut noise = Noise(7);
        for generation in 1..=generations {
            let mut batch: Vec<_> = (0..routes).map(|n| Change::Set(prefix_of(n, 0), hop(generation))).collect();
            for _each in 0..20 {
                let mut longer = || prefix_of(noise.below(routes as usize) as u128, 1 + noise.next() as u8 % 10);
                batch.push(Change::Remove(longer()));
                batch.push(Change::Set(longer(), hop(generation)));
            }
            // Longer routes of older generations must not outlive theirs.
            let old: Vec<_> = writer.routes().iter().filter(|(_, old)| *old != hop(generation)).collect();
            batch.splice(0..0, old.into_iter().map(|(prefix, _)| Change::Set(prefix, hop(generation))));
            current.store(Arc::new(writer.apply(batch)));
            assert!(writer.usage().live_snapshots <= 16, "{:?}", writer.usage());
        }
        // Without a second core the readers may not have had a turn yet.
        while bursts.load(Ordering::Relaxed) < 10 {
            thread::yield_now();
        }
        drop(stop);
    });
}

/// The next hop of a generation; its index says which, and is sometimes narrow, mostly wide.
fn hop(generation: u32) -> NextHopId {
    NextHopId::new(generation)
}

fn generation(answer: Option<NextHopId>) -> u32 {
    answer.expect("every address is covered in every generation").index() as u32
}

struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_stalled_reader_costs_one_table_however_fast_the_writer_is() {
    let mut writer = FibWriter::<Ipv4Addr>::default();
    let prefix_of = |n: u32| Prefix::containing(Ipv4Addr::from(n << 12), 24);
    let stalled = writer.apply((0..1 << 16).map(|n| Change::Set(prefix_of(n), hop(n % 250))));
    let table = writer.usage().fib_bytes;
    for n in 0..100_000_u32 {
        let _published = writer.apply([Change::Set(prefix_of(n.wrapping_mul(2_654_435_761) >> 16), hop(n % 251))]);
        if n.is_multiple_of(1000) {
            let usage = writer.usage();
            assert!(usage.waiting_bytes <= table + (512 << 10), "after {n}: {usage:?}, the table took {table}");
            assert!(usage.live_snapshots <= 10, "after {n}: {usage:?}");
        }
    }
    assert_eq!(stalled.lookup(Ipv4Addr::new(0, 0, 16, 9)), Some(hop(1)), "and it still reads what it held");
    drop(stalled);
    writer.reclaim();
    assert_eq!((writer.usage().waiting_bytes, writer.usage().live_snapshots), (0, 1));
}

#[test]
fn next_hops_get_wider_under_the_readers_and_narrow_again_with_the_table() {
    let mut writer = FibWriter::<Ipv4Addr>::default();
    let prefix_of = |n: u32| Prefix::containing(Ipv4Addr::from(n << 8), 24);
    let mut held = Vec::new();
    for (wide, bytes) in [(253, 1), (254, 2), (65_533, 2), (65_534, 4), (1 << 24, 4)] {
        let fib = writer.apply([Change::Set(prefix_of(wide), hop(wide)), Change::Set(prefix_of(7), hop(bytes))]);
        assert_eq!(writer.usage().next_hop_bytes, bytes as usize);
        held.push((fib, wide, bytes));
    }
    for (fib, wide, bytes) in &held {
        assert_eq!(fib.lookup(prefix_of(*wide).last()), Some(hop(*wide)));
        assert_eq!(fib.lookup(prefix_of(7).last()), Some(hop(*bytes)));
    }
    // Enough narrow routes come and go for the table to be compiled anew.
    writer.apply(writer.routes().iter().map(|(prefix, _)| Change::Remove(prefix)).collect::<Vec<_>>());
    writer.apply((0..1 << 19).map(|n| Change::Set(Prefix::host(Ipv4Addr::from(n << 13)), hop(1))));
    writer.apply((1..1 << 19).map(|n| Change::Remove(Prefix::host(Ipv4Addr::from(n << 13)))));
    assert_eq!(writer.usage().next_hop_bytes, 1);
    assert!(writer.usage().arena_bytes < 1 << 20, "{:?}", writer.usage());
}

#[test]
fn an_empty_table_takes_a_few_kilobytes_and_a_default_route_no_more() {
    let mut writer = FibWriter::<Ipv6Addr>::default();
    let empty = writer.usage().arena_bytes;
    assert!(empty < 100, "{empty}");
    let fib = writer.apply([Change::Set(Prefix::default_route(), hop(3))]);
    assert_eq!(writer.usage().arena_bytes, empty);
    assert_eq!(fib.lookup(Ipv6Addr::LOCALHOST), Some(hop(3)));
    assert!(size_of::<FibWriter<Ipv6Addr>>() < 4096);
    let _one_route = writer.apply([Change::Set("2001:db8::/32".parse().unwrap(), hop(1))]);
    assert!(writer.usage().arena_bytes < 8192, "{:?}", writer.usage());
}
