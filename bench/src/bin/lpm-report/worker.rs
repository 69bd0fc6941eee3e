//! Lookups where they happen: in a worker that moves packets.
//!
//! The worker here cycles through packet buffers in bursts of 64. For each it prefetches, reads and writes two lines, as
//! receiving and rewriting do, and looks up the addresses of the burst it received three turns ago. What the lookup costs
//! is what the turn takes longer than without it.

#![expect(unsafe_code, reason = "a prefetch is an unsafe function")]

use std::hint::black_box;
use std::net::Ipv4Addr;

use lpm::{BURST, Fib, InFlight};

use crate::dpdk::Table;
use crate::measure::{Gate, Samples, in_turns};
use bench::noise::Keys;

/// Nanoseconds per packet.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub(crate) struct Worker {
    /// Without any lookup.
    pub(crate) touching: f64,
    /// What `rte_fib` adds.
    pub(crate) rte_fib: f64,
    /// What our table adds.
    pub(crate) ours: f64,
    /// What our table adds when each burst is started one turn and finished the next.
    pub(crate) ours_in_two_steps: f64,
}

/// Lets a worker without lookups, one with each table, and one that looks up in two steps take turns.
pub(crate) fn measure(
    gate: &Gate,
    wanted: usize,
    keys: &Keys<Ipv4Addr>,
    fib: &Fib<Ipv4Addr>,
    peer: &mut Table,
) -> Worker {
    let mut buffers = vec![Buffer([0; BUFFER_BYTES]); BUFFERS];
    let mut answers = [None; BURST];
    let mut in_flight: [InFlight<Ipv4Addr>; 2] = Default::default();
    let samples = in_turns(gate, 4, wanted, |n| {
        let turns = keys.addresses.len() / BURST;
        for turn in 0..turns {
            touch(&mut buffers, turn);
            let earlier = |turns_ago: usize| (turn + turns - turns_ago) % turns * BURST;
            match n {
                0 => {}
                1 => peer.lookup4(&keys.numbers[earlier(3)..][..BURST]),
                2 => fib.lookup_burst(&keys.addresses[earlier(3)..][..BURST], &mut answers),
                _ => {
                    fib.start(&keys.addresses[earlier(2)..][..BURST], &mut in_flight[turn % 2]);
                    fib.finish(&in_flight[(turn + 1) % 2], &mut answers);
                }
            }
            black_box(&mut answers);
        }
    });
    let nanoseconds = |samples: &Samples| samples.seconds() * 1e9 / keys.addresses.len() as f64;
    let touching = nanoseconds(&samples[0]);
    Worker {
        touching,
        rte_fib: nanoseconds(&samples[1]) - touching,
        ours: nanoseconds(&samples[2]) - touching,
        ours_in_two_steps: nanoseconds(&samples[3]) - touching,
    }
}

/// Receives burst `turn`: asks for the lines of the next, reads and writes those of this one.
fn touch(buffers: &mut [Buffer], turn: usize) {
    let bursts = buffers.len() / BURST;
    for buffer in &buffers[(turn + 1) % bursts * BURST..][..BURST] {
        prefetch(&buffer.0[0]);
        prefetch(&buffer.0[DATA]);
    }
    for buffer in &mut buffers[turn % bursts * BURST..][..BURST] {
        let seen = buffer.0[8].wrapping_add(buffer.0[DATA + 30]);
        buffer.0[40] = seen;
        buffer.0[DATA + 22] = seen.wrapping_sub(1);
    }
}

/// A hint that `line` is wanted soon. Elsewhere than on x86 the caches are left to guess.
fn prefetch(line: &u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 has SSE, and a prefetch changes nothing that a program can see.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(std::ptr::from_ref(line).cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = line;
}

/// A packet buffer: two lines of description, some room, and the packet.
#[derive(Clone)]
#[repr(align(64))]
struct Buffer([u8; BUFFER_BYTES]);

/// Where the packet starts.
const DATA: usize = 256;

const BUFFER_BYTES: usize = 2304;

/// As many as a queue or two have: more than fit the second cache.
const BUFFERS: usize = 2048;
