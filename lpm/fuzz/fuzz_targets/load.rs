//! Any file: refused, or a table whose lookups stay inside it.
#![no_main]

use std::net::{Ipv4Addr, Ipv6Addr};

use lpm::{Address, Fib};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    ask::<Ipv4Addr>(bytes);
    ask::<Ipv6Addr>(bytes);
});

/// Looks up addresses all over a file that is a table.
fn ask<A: Address>(bytes: &[u8]) {
    let Ok(fib) = Fib::<A>::load(bytes) else { return };
    let addresses: Vec<A> = (0..256_u128).map(|n| A::from_number(n.wrapping_mul(u128::MAX / 251))).collect();
    let mut answers = vec![None; addresses.len()];
    fib.lookup_burst(&addresses, &mut answers);
    for (address, answer) in addresses.iter().zip(answers) {
        assert_eq!(fib.lookup(*address), answer);
    }
}
