//! However a burst is looked up, in whatever length, it gets the answers its addresses get one by one.

mod scene;

use std::net::{Ipv4Addr, Ipv6Addr};

use lpm::{Address, BURST, Change, Fib, FibWriter, InFlight, NextHopId};
use proptest::prelude::*;
use scene::{any_batches, edges};

/// Answers that were there before; none may be left, none beyond the burst touched.
const OLD: Option<NextHopId> = Some(NextHopId::new(99_999));

/// Looks up `addresses` in every way there is.
fn all_ways_agree<A: Address>(fib: &Fib<A>, other: &Fib<A>, addresses: &[A]) -> Result<(), TestCaseError> {
    let mut expected: Vec<_> = addresses.iter().map(|address| fib.lookup(*address)).collect();
    expected.push(OLD);

    let mut answers = vec![OLD; addresses.len() + 1];
    fib.lookup_burst(addresses, &mut answers);
    prop_assert_eq!(&answers, &expected, "in one burst of {}", addresses.len());

    answers.fill(OLD);
    fib.lookup_burst_portably(addresses, &mut answers);
    prop_assert_eq!(&answers, &expected, "portably");

    expected.pop();
    for started_in in [fib, other] {
        let mut in_flight = InFlight::default();
        for (addresses, expected) in addresses.chunks(BURST).zip(expected.chunks(BURST)) {
            let mut answers = [OLD; BURST + 1];
            started_in.start(addresses, &mut in_flight);
            prop_assert_eq!(in_flight.addresses(), addresses);
            fib.finish(&in_flight, &mut answers);
            prop_assert_eq!(&answers[..addresses.len()], expected, "in two steps");
            prop_assert_eq!(answers[BURST], OLD);
        }
    }
    Ok(())
}

fn bursts_of_any_length_agree<A: Address>(
    batches: &[Vec<Change<A>>],
    probes: &[u128],
    len: usize,
) -> Result<(), TestCaseError> {
    let mut writer = FibWriter::default();
    let mut before = writer.snapshot();
    for batch in batches {
        let fib = writer.apply(batch.iter().copied());
        let mut addresses = edges(&writer.routes());
        addresses.extend(probes.iter().map(|probe| A::from_number(*probe)));
        addresses.truncate(len);
        all_ways_agree(&fib, &before, &addresses)?;
        before = fib;
    }
    Ok(())
}

proptest! {
    #[test]
    fn all_ways_to_look_up_an_ipv4_burst_agree(
        batches in any_batches::<Ipv4Addr>(), probes in proptest::collection::vec(any::<u128>(), 20), len in 0..200_usize,
    ) {
        bursts_of_any_length_agree(&batches, &probes, len)?;
    }

    #[test]
    fn all_ways_to_look_up_an_ipv6_burst_agree(
        batches in any_batches::<Ipv6Addr>(), probes in proptest::collection::vec(any::<u128>(), 20), len in 0..200_usize,
    ) {
        bursts_of_any_length_agree(&batches, &probes, len)?;
    }
}
