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
//!
//! Most bursts are plain packets of one family, from the first to the last ([`Ahead::is_all`]); there is a shorter way for
//! those ([`crate::straight`]).

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
    let ahead = passes.look_ahead(state, ingress, burst);
    forward_each(&mut StateTables, state, ingress, burst, passes, ahead)
}

/// The frames that a burst begins with: so many plain packets of one family, whose destinations have been read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ahead {
    ipv4: usize,
    /// Zero, if the first is IPv4.
    ipv6: usize,
}

impl Ahead {
    /// Whether these are all of so many frames.
    #[inline]
    pub(crate) fn is_all(self, frames: usize) -> bool {
        self.ipv4 + self.ipv6 == frames
    }

    /// Whether they are IPv4; otherwise they are IPv6.
    #[inline]
    pub(crate) fn is_ipv4(self) -> bool {
        self.ipv4 > 0
    }
}

/// The passes that follow over any burst: decides the fates of frames, and rewrites in place what is to be sent. Returns one
/// verdict for each, in their order.
pub(crate) fn forward_each<'p, F: Frame>(
    lookup: &mut impl Lookup,
    state: &ForwardingState,
    ingress: PortId,
    burst: &mut [F],
    passes: &'p mut Passes,
    ahead: Ahead,
) -> &'p [Verdict] {
    let Passes { ipv4, ipv6, next_hops, verdicts } = passes;
    let plain = Plain::at(state.port(ingress));
    let (table_ipv4, table_ipv6) = state.tables(ingress);
    // Beside what they count, and not in it: so they stay in registers, and no packet waits for the one before.
    let Ahead { ipv4: mut ipv4_len, ipv6: mut ipv6_len } = ahead;
    ipv4.places[..ipv4_len].copy_from_slice(&IN_ORDER[..ipv4_len]);
    ipv6.places[..ipv6_len].copy_from_slice(&IN_ORDER[..ipv6_len]);
    let begun = ipv4_len + ipv6_len;
    for (place, frame) in IN_ORDER[begun..].iter().copied().zip(&burst[begun..]) {
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

impl Passes {
    /// The first pass, over frames that came in through `ingress`. A function of its own, to have all registers for itself.
    #[inline(never)]
    pub(crate) fn look_ahead<F: Frame>(&mut self, state: &ForwardingState, ingress: PortId, burst: &[F]) -> Ahead {
        let plain = Plain::at(state.port(ingress));
        let ipv4 = self.ipv4.fill(burst, |frame| plain.ipv4(frame));
        let ipv6 = if ipv4 == 0 { self.ipv6.fill(burst, |frame| plain.ipv6(frame)) } else { 0 };
        Ahead { ipv4, ipv6 }
    }

    /// The next hops of the packets `ahead`.
    #[inline]
    pub(crate) fn next_hops(
        &mut self,
        lookup: &mut impl Lookup,
        state: &ForwardingState,
        ingress: PortId,
        ahead: Ahead,
    ) -> &[Option<NextHopId>] {
        let Self { ipv4, ipv6, next_hops, .. } = self;
        let (table_ipv4, table_ipv6) = state.tables(ingress);
        if ahead.is_ipv4() {
            lookup.ipv4(table_ipv4, &ipv4.destinations[..ahead.ipv4], next_hops);
            &next_hops[..ahead.ipv4]
        } else {
            lookup.ipv6(table_ipv6, &ipv6.destinations[..ahead.ipv6], next_hops);
            &next_hops[..ahead.ipv6]
        }
    }
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
    /// Puts in the destinations of frames from the first on, as long as they have one; returns how many do. Their places
    /// are not put in.
    #[inline(always)]
    fn fill<F: Frame>(&mut self, burst: &[F], destination: impl Fn(&[u8]) -> Option<A>) -> usize {
        let mut len = 0;
        for (frame, waiting) in burst.iter().zip(&mut self.destinations) {
            let Some(destination) = destination(frame.bytes()) else { break };
            *waiting = destination;
            len += 1;
        }
        len
    }

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
