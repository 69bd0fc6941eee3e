//! A burst of packets at once: the fast way to what [`forward`](crate::forward()) means for each.
//!
//! ```text
//! each frame:   plain? else by the rules -> a verdict, or a destination among those of its family
//! each family:  look up all destinations -> send on, or a verdict
//! ```
//!
//! Each pass is one short loop over arrays, so that the cache misses of the tables overlap where the destinations are looked
//! up, and nothing but the frame's place and four facts about its packet is carried from one pass to the next. A family that
//! the burst has no packet of costs nothing. A property test holds it to the plain meaning.

use std::net::{Ipv4Addr, Ipv6Addr};

use arrayvec::ArrayVec;
use boundary::{DropReason, ForwardingState, PortId, Verdict};
use lpm::{Fib, NextHopId};
use packet::ipv4::decrement_ttl;
use packet::ipv6::decrement_hop_limit;

use crate::classify::{Class, Transit};
use crate::forward::{class_of, send_on};
use crate::plain::Plain;
use crate::port::{BURST, Frame};

/// Decides the fates of frames that came in through `ingress`, and rewrites in place what is to be sent. Leaves one verdict
/// for each, in their order, in `verdicts`.
///
/// # Panics
///
/// When there are more than [`BURST`].
#[inline]
pub fn forward_burst<F: Frame>(
    state: &ForwardingState,
    ingress: PortId,
    burst: &mut [F],
    verdicts: &mut ArrayVec<Verdict, BURST>,
) {
    forward_burst_by(&mut StateTables, state, ingress, burst, verdicts);
}

/// [`forward_burst`] with destinations looked up elsewhere: what other tables cost in this place is measured so.
pub fn forward_burst_by<F: Frame>(
    lookup: &mut impl Lookup,
    state: &ForwardingState,
    ingress: PortId,
    burst: &mut [F],
    verdicts: &mut ArrayVec<Verdict, BURST>,
) {
    let mut ipv4 = Waiting::of(Ipv4Addr::UNSPECIFIED);
    let mut ipv6 = Waiting::of(Ipv6Addr::UNSPECIFIED);
    // Beside what they count, and not in it: so they stay in registers, and no packet waits for the one before.
    let (mut ipv4_len, mut ipv6_len) = (0, 0);
    let plain = Plain::at(state.port(ingress));
    *verdicts = [UNDECIDED; BURST].into();
    verdicts.truncate(burst.len());
    for (place, frame) in (0..).zip(burst.iter()) {
        let bytes = frame.bytes();
        if let Some(seen) = plain.ipv4(bytes) {
            ipv4.put(&mut ipv4_len, place, seen.destination, seen.transit());
        } else if let Some(seen) = plain.ipv6(bytes) {
            ipv6.put(&mut ipv6_len, place, seen.destination, seen.transit());
        } else {
            match by_the_rules(state, ingress, frame) {
                Class::Ipv4(destination, transit) => ipv4.put(&mut ipv4_len, place, destination, transit),
                Class::Ipv6(destination, transit) => ipv6.put(&mut ipv6_len, place, destination, transit),
                Class::Decided(verdict) => verdicts[usize::from(place)] = verdict,
            }
        }
    }
    let (table_ipv4, table_ipv6) = state.tables(ingress);
    let mut hops = [None; BURST];
    if ipv4_len > 0 {
        lookup.ipv4(table_ipv4, &ipv4.destinations[..ipv4_len], &mut hops);
        send_all(state, burst, &ipv4.packets[..ipv4_len], &hops, verdicts, decrement_ttl);
    }
    if ipv6_len > 0 {
        lookup.ipv6(table_ipv6, &ipv6.destinations[..ipv6_len], &mut hops);
        send_all(state, burst, &ipv6.packets[..ipv6_len], &hops, verdicts, decrement_hop_limit);
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
    packets: [Packet; BURST],
}

/// What forwarding has to know of one beside its destination.
#[derive(Debug, Clone, Copy)]
struct Packet {
    /// In the burst.
    place: u8,
    transit: Transit,
}

impl<A: Copy> Waiting<A> {
    /// None yet; `nowhere` stands where none is.
    #[inline(always)]
    fn of(nowhere: A) -> Self {
        let transit = Transit { hops_left: 0, total_len: 0, from_link_local: false };
        Self { destinations: [nowhere; BURST], packets: [Packet { place: 0, transit }; BURST] }
    }

    /// Puts one after the first `len`, which are one more from then on.
    #[inline(always)]
    fn put(&mut self, len: &mut usize, place: u8, destination: A, transit: Transit) {
        self.destinations[*len] = destination;
        self.packets[*len] = Packet { place, transit };
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
fn send_all<F: Frame, const HEADER_LEN: usize>(
    state: &ForwardingState,
    burst: &mut [F],
    packets: &[Packet],
    hops: &[Option<NextHopId>; BURST],
    verdicts: &mut [Verdict],
    take_hop: impl Fn(&mut [u8; HEADER_LEN]) + Copy,
) {
    for (Packet { place, transit }, hop) in packets.iter().zip(hops) {
        let place = usize::from(*place);
        verdicts[place] = send_on(state, &mut burst[place], *transit, *hop, take_hop);
    }
}

/// Stands where a verdict will.
const UNDECIDED: Verdict = Verdict::Drop(DropReason::TxFull);
