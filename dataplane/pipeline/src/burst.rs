//! A burst of packets at once: the fast way to what [`forward`](crate::forward()) means for each.
//!
//! ```text
//! each frame:   plain? else by the rules -> a verdict, or a destination among those of its family
//! each family:  look up all destinations -> send on, or a verdict
//! ```
//!
//! Each pass is one short loop over arrays, so that the cache misses of the tables overlap where the destinations are looked
//! up, and nothing but the frame's place and its packet's destination is carried from one pass to the next. A family that
//! the burst has no packet of costs nothing. A property test holds it to the plain meaning.

use std::net::{Ipv4Addr, Ipv6Addr};

use boundary::{DropReason, ForwardingState, PortId, Verdict};
use lpm::{Fib, NextHopId};

use crate::classify::Class;
use crate::forward::{class_of, send_on};
use crate::plain::Plain;
use crate::port::{BURST, Frame};
use crate::transit::{Header, Ipv4Header, Ipv6Header};

/// Decides the fates of frames that came in through `ingress`, and rewrites in place what is to be sent. Returns one verdict
/// for each, in their order.
///
/// # Panics
///
/// When there are more than [`BURST`].
#[inline]
pub fn forward_burst<'p, F: Frame>(
    state: &ForwardingState,
    ingress: PortId,
    burst: &mut [F],
    passes: &'p mut Passes,
) -> &'p [Verdict] {
    forward_burst_by(&mut StateTables, state, ingress, burst, passes)
}

/// [`forward_burst`] with destinations looked up elsewhere: what other tables cost in this place is measured so.
pub fn forward_burst_by<'p, F: Frame>(
    lookup: &mut impl Lookup,
    state: &ForwardingState,
    ingress: PortId,
    burst: &mut [F],
    passes: &'p mut Passes,
) -> &'p [Verdict] {
    let Passes { ipv4, ipv6, next_hops, verdicts } = passes;
    let plain = Plain::at(state.port(ingress));
    let (table_ipv4, table_ipv6) = state.tables(ingress);
    // Most bursts are plain IPv4 from the first to the last, and then nobody asks for their places.
    let mut ahead = 0;
    for (frame, destination) in burst.iter().zip(&mut ipv4.destinations) {
        let Some(address) = plain.ipv4(frame.bytes()) else { break };
        *destination = address;
        ahead += 1;
    }
    if ahead == burst.len() {
        lookup.ipv4(table_ipv4, &ipv4.destinations[..ahead], next_hops);
        for ((frame, next_hop), verdict) in burst.iter_mut().zip(&*next_hops).zip(&mut *verdicts) {
            *verdict = send_on::<F, Ipv4Header>(state, frame, *next_hop);
        }
        return &verdicts[..ahead];
    }
    ipv4.places[..ahead].copy_from_slice(&IN_ORDER[..ahead]);
    // Beside what they count, and not in it: so they stay in registers, and no packet waits for the one before.
    let (mut ipv4_len, mut ipv6_len) = (ahead, 0);
    for (place, frame) in IN_ORDER[ahead..].iter().copied().zip(&burst[ahead..]) {
        let bytes = frame.bytes();
        if let Some(destination) = plain.ipv4(bytes) {
            ipv4.put(&mut ipv4_len, place, destination);
        } else if let Some(destination) = plain.ipv6(bytes) {
            ipv6.put(&mut ipv6_len, place, destination);
        } else {
            match by_the_rules(state, ingress, frame) {
                Class::Ipv4(destination) => ipv4.put(&mut ipv4_len, place, destination),
                Class::Ipv6(destination) => ipv6.put(&mut ipv6_len, place, destination),
                Class::Decided(verdict) => verdicts[usize::from(place)] = verdict,
            }
        }
    }
    if ipv4_len > 0 {
        lookup.ipv4(table_ipv4, &ipv4.destinations[..ipv4_len], next_hops);
        send_all::<_, Ipv4Header>(state, burst, &ipv4.places[..ipv4_len], next_hops, verdicts);
    }
    if ipv6_len > 0 {
        lookup.ipv6(table_ipv6, &ipv6.destinations[..ipv6_len], next_hops);
        send_all::<_, Ipv6Header>(state, burst, &ipv6.places[..ipv6_len], next_hops, verdicts);
    }
    &verdicts[..burst.len()]
}

/// What the passes over a burst hand each other. Who forwards has it from the start: to clear it for every burst would take
/// more than some of the passes do.
#[derive(Debug)]
pub struct Passes {
    ipv4: Waiting<Ipv4Addr>,
    ipv6: Waiting<Ipv6Addr>,
    next_hops: [Option<NextHopId>; BURST],
    verdicts: [Verdict; BURST],
}

impl Default for Passes {
    fn default() -> Self {
        Self {
            ipv4: Waiting { destinations: [Ipv4Addr::UNSPECIFIED; BURST], places: [0; BURST] },
            ipv6: Waiting { destinations: [Ipv6Addr::UNSPECIFIED; BURST], places: [0; BURST] },
            next_hops: [None; BURST],
            // Stands where none has been yet.
            verdicts: [Verdict::Drop(DropReason::TxFull); BURST],
        }
    }
}

/// Finds the next hops of many destinations.
pub trait Lookup {
    /// Those of `destinations` into the same places of `next_hops`, which is not shorter; `table` is the one to ask.
    fn ipv4(&mut self, table: &Fib<Ipv4Addr>, destinations: &[Ipv4Addr], next_hops: &mut [Option<NextHopId>]);

    /// The same for IPv6.
    fn ipv6(&mut self, table: &Fib<Ipv6Addr>, destinations: &[Ipv6Addr], next_hops: &mut [Option<NextHopId>]);
}

/// Asks the tables of the forwarding state.
#[derive(Debug, Clone, Copy, Default)]
pub struct StateTables;

impl Lookup for StateTables {
    #[inline]
    fn ipv4(&mut self, table: &Fib<Ipv4Addr>, destinations: &[Ipv4Addr], next_hops: &mut [Option<NextHopId>]) {
        table.lookup_burst(destinations, next_hops);
    }

    #[inline]
    fn ipv6(&mut self, table: &Fib<Ipv6Addr>, destinations: &[Ipv6Addr], next_hops: &mut [Option<NextHopId>]) {
        table.lookup_burst(destinations, next_hops);
    }
}

/// The packets of one family whose destinations are to be looked up. How many there are is for the caller to know.
#[derive(Debug)]
struct Waiting<A> {
    destinations: [A; BURST],
    /// In the burst.
    places: [u8; BURST],
}

impl<A> Waiting<A> {
    /// Puts one after the first `len`, which are one more from then on.
    #[inline(always)]
    fn put(&mut self, len: &mut usize, place: u8, destination: A) {
        self.destinations[*len] = destination;
        self.places[*len] = place;
        *len += 1;
    }
}

/// What the rules say of a frame that is not plain.
#[cold]
#[inline(never)]
fn by_the_rules<F: Frame>(state: &ForwardingState, ingress: PortId, frame: &F) -> Class {
    class_of(state, ingress, frame)
}

/// Sends on all packets of one family, or says why not.
#[inline]
fn send_all<F: Frame, H: Header>(
    state: &ForwardingState,
    burst: &mut [F],
    places: &[u8],
    next_hops: &[Option<NextHopId>; BURST],
    verdicts: &mut [Verdict; BURST],
) {
    for (place, next_hop) in places.iter().zip(next_hops) {
        let place = usize::from(*place);
        verdicts[place] = send_on::<F, H>(state, &mut burst[place], *next_hop);
    }
}

/// The places of a burst.
const IN_ORDER: [u8; BURST] = {
    let mut places = [0; BURST];
    let mut place = 1;
    while place < BURST {
        places[place] = places[place - 1] + 1;
        place += 1;
    }
    places
};
