//! A burst that is all plain packets of one family goes straight on: rewritten and gone in one pass.
//!
//! The passes over any burst ([`crate::burst`]) end with a list of verdicts, and frames are parted by it. Here no frame is
//! looked at a second time. If all packets have one next hop, as those of a flow do, it is read once and the burst leaves
//! whole; if not, each frame is put in its queue when it is rewritten, and the wait for the length of that queue is hidden
//! behind the work on the next frame. A property test holds this to the plain meaning.

use boundary::{Adjacency, ForwardingState, NextHop, PortId};
use lpm::NextHopId;

use crate::exits::{Exits, Gone};
use crate::forward::{send_on_by_the_rules, send_to, send_to_neighbour};
use crate::port::{Burst, Frame, Port};
use crate::transit::Header;

/// Sends on the packets of a burst that came in through `ingress`, each to its next hop, or does with it what the rules say.
/// They are plain, and `H` is their header.
///
/// A function of its own, to have all registers for itself.
#[inline(never)]
pub(crate) fn send_straight_on<P: Port, H: Header>(
    state: &ForwardingState,
    ingress: PortId,
    burst: &mut Burst<P::Frame>,
    next_hops: &[Option<NextHopId>],
    exits: &mut Exits<P>,
) -> Gone {
    if let Some(adjacency) = neighbour_of_all(state, next_hops) {
        let mut bytes = 0;
        let stays = |frame: &mut P::Frame| {
            let goes = send_to::<_, H>(adjacency, frame);
            bytes += frame.bytes().len();
            !goes
        };
        let Some(sent) = burst.iter_mut().position(stays) else {
            return exits.send_whole(adjacency.port, burst, bytes);
        };
        burst.drain(..sent).for_each(|frame| exits.push(adjacency.port, frame));
    }
    for (mut frame, next_hop) in burst.drain(..).zip(next_hops) {
        if let Some(egress) = send_to_neighbour::<_, H>(state, &mut frame, *next_hop) {
            exits.push(egress, frame);
        } else {
            let verdict = send_on_by_the_rules::<_, H>(state, &mut frame, *next_hop);
            exits.take(ingress, frame, verdict, None);
        }
    }
    Gone::default()
}

/// The neighbour that all packets go to, if they do.
#[inline]
fn neighbour_of_all<'s>(state: &'s ForwardingState, next_hops: &[Option<NextHopId>]) -> Option<&'s Adjacency> {
    let (first, last) = (next_hops.first()?, next_hops.last()?);
    // In mixed traffic these differ already.
    if first != last {
        return None;
    }
    // Without a way out in the middle, so that it is done by vectors.
    let differ = next_hops.iter().fold(false, |differ, next_hop| differ | (next_hop != first));
    match first.map(|id| state.next_hop(id)) {
        Some(NextHop::Neighbour(adjacency)) if !differ => Some(adjacency),
        _ => None,
    }
}
