//! Changes to a table, written as bytes: what the fuzzer plays with, and the corpus keeps.
//!
//! The first byte chooses the family. Then come steps of eight bytes: what to do, the length of a prefix, a next hop, how
//! far to shift, and four bytes of address. Every step is a change; some also end a batch, and then the published table
//! has to answer as the golden one at both sides of every edge.

use std::net::{Ipv4Addr, Ipv6Addr};

use lpm::{Address, Change, FibWriter, NextHopId, Prefix, RouteTable};

/// Plays a script.
///
/// # Panics
///
/// When the compiled table disagrees with the golden one.
pub(crate) fn play(script: &[u8]) {
    match script.split_first() {
        Some((family, steps)) if family % 2 == 0 => play_in::<Ipv4Addr>(steps),
        Some((_, steps)) => play_in::<Ipv6Addr>(steps),
        None => {}
    }
}

fn play_in<A: Address>(steps: &[u8]) {
    let mut golden = RouteTable::default();
    let mut writer = FibWriter::default();
    let mut held = Vec::new();
    let mut batch = Vec::new();
    for [what, len, hop, shift, address @ ..] in steps.as_chunks::<8>().0 {
        let leading = u128::from(u32::from_be_bytes(*address)) << (A::BITS - 32) >> (shift % 8 * (A::BITS / 8));
        let prefix = Prefix::containing(A::from_number(leading), len % (A::BITS + 1));
        // Some next hops need wider answers than the others.
        let hop = u32::from(*hop) << ((what >> 4 & 3) * 8);
        let hop = NextHopId::new(hop.min(NextHopId::MAX_INDEX));
        if what & 1 == 0 {
            golden.insert(prefix, hop);
            batch.push(Change::Set(prefix, hop));
        } else {
            golden.remove(prefix);
            batch.push(Change::Remove(prefix));
        }
        if what & 2 == 0 {
            let fib = writer.apply(batch.drain(..));
            fib.audit(&golden, 16, u64::from(*shift)).unwrap();
            if what & 4 == 0 {
                held.push((fib, golden.clone()));
            }
            if what & 8 == 0 {
                held.clear();
            }
        }
    }
    let fib = writer.apply(batch);
    fib.audit(&golden, 16, 0).unwrap();
    for (fib, golden) in held {
        fib.audit(&golden, 0, 0).unwrap();
    }
}
