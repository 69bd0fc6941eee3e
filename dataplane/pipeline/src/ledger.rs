//! Whose each packet on its way out is, of routes that are counted.
//!
//! A packet counts for its route when the port has taken it, and by then it is only a frame in a queue. So while anything
//! is counted there is a list beside each queue that says for each frame in it whose it is; and when the port has taken
//! some from the front of the queue, the list says who has sent them.
//!
//! Forwarding itself knows nothing of this. Whose a packet is, is looked up when it is rewritten already: its destination
//! is still the same.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use arrayvec::ArrayVec;
use boundary::{CountId, ForwardingState, PortId, Verdict};
use packet::{ethernet, ipv4, ipv6};

use crate::port::{BURST, Frame};

/// A worker's account of the queues out; empty while nothing is counted, and between turns.
#[derive(Debug)]
pub(crate) struct Ledger {
    /// Which worker's it is.
    worker: usize,
    /// Of each port, whose the frames in its queue are, in their order.
    leaving: Vec<ArrayVec<CountId, BURST>>,
    /// Whose packets have been sent.
    sent: ArrayVec<CountId, BURST>,
}

impl Ledger {
    /// For so many ports.
    pub(crate) fn new(worker: usize, ports: usize) -> Self {
        Self { worker, leaving: (0..ports).map(|_port| ArrayVec::new()).collect(), sent: ArrayVec::new() }
    }

    /// Notes whose the frames of a burst are that are to be sent, before they go into their queues.
    ///
    /// A queue holds no more than came in with one burst, so there is room for all.
    #[inline]
    pub(crate) fn note<F: Frame>(
        &mut self,
        state: &ForwardingState,
        ingress: PortId,
        burst: &[F],
        verdicts: &[Verdict],
    ) {
        if state.counted.is_some() {
            self.note_each(state, ingress, burst, verdicts);
        }
    }

    #[inline(never)]
    fn note_each<F: Frame>(&mut self, state: &ForwardingState, ingress: PortId, burst: &[F], verdicts: &[Verdict]) {
        let Some(counted) = &state.counted else { return };
        let tables = counted.tables(ingress);
        let leaving = burst.iter().zip(verdicts).filter_map(|(frame, verdict)| match verdict {
            Verdict::Transmit(egress) => Some((*egress, &frame.bytes()[ethernet::HEADER_LEN..])),
            Verdict::Punt(_) | Verdict::Drop(_) | Verdict::Tagged => None,
        });
        let leaving: ArrayVec<(PortId, &[u8]), BURST> = leaving.collect();
        let mut ipv4 = ArrayVec::<Ipv4Addr, BURST>::new();
        let mut ipv6 = ArrayVec::<Ipv6Addr, BURST>::new();
        for (_, packet) in &leaving {
            match destination(packet) {
                IpAddr::V4(address) => ipv4.push(address),
                IpAddr::V6(address) => ipv6.push(address),
            }
        }
        let (mut answers_ipv4, mut answers_ipv6) = ([None; BURST], [None; BURST]);
        tables.ipv4.fib.lookup_burst(&ipv4, &mut answers_ipv4);
        tables.ipv6.fib.lookup_burst(&ipv6, &mut answers_ipv6);
        let (mut answers_ipv4, mut answers_ipv6) = (answers_ipv4.into_iter(), answers_ipv6.into_iter());
        for (egress, packet) in &leaving {
            let whose = match destination(packet) {
                IpAddr::V4(_) => state.count_of(&tables.ipv4, answers_ipv4.next().flatten(), packet),
                IpAddr::V6(_) => state.count_of(&tables.ipv6, answers_ipv6.next().flatten(), packet),
            };
            self.leaving[egress.index()].push(whose);
        }
    }

    /// The frame at this place in the queue of `egress` will not be sent, and leaves the queue.
    #[cold]
    pub(crate) fn strike(&mut self, egress: PortId, place: usize) {
        let _whose = self.leaving[egress.index()].pop_at(place);
    }

    /// So many frames from the front of the queue of `egress` have been sent, and the others will not be.
    #[inline]
    pub(crate) fn settle(&mut self, egress: PortId, sent: usize) {
        let leaving = &mut self.leaving[egress.index()];
        if !leaving.is_empty() {
            self.sent.extend(leaving.drain(..).take(sent));
        }
    }

    /// Counts what has been sent.
    #[inline]
    pub(crate) fn book(&mut self, state: &ForwardingState) {
        if let Some(counted) = &state.counted {
            self.sent.drain(..).for_each(|whose| counted.sent(self.worker, whose));
        }
    }
}

/// Where a packet goes that has been forwarded, so that its header is there and has been looked at.
#[inline]
fn destination(packet: &[u8]) -> IpAddr {
    match packet[0] >> 4 {
        4 => {
            let octets = packet[..ipv4::MIN_HEADER_LEN].last_chunk().expect("four bytes");
            Ipv4Addr::from_octets(*octets).into()
        }
        _ => {
            let octets = packet[..ipv6::HEADER_LEN].last_chunk().expect("sixteen bytes");
            Ipv6Addr::from_octets(*octets).into()
        }
    }
}

#[cfg(test)]
mod tests;
