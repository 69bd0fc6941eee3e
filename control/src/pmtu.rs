//! Path-MTU discovery: some link on the way to a destination carries less than the link here (`icmp_mtudisc`, RFC 1191,
//! RFC 8201).
//!
//! The route to that one host then says so, for ten minutes: by itself, if it is a host's, or by a route of its own made for
//! that ([`RouteFlags::DYNAMIC`]). When it has been on the queue `pmtu` for that queue's time the path may have changed: the
//! route that was made goes, and any other forgets its MTU, so that it is found anew. What is told only ever lowers an MTU,
//! and one that makes no sense stops the discovery for that route: its MTU is locked as it is.
//!
//! A router forwards by its own links and tells senders what those carry, so nobody's ICMP is taken for this by itself:
//! a stranger could slow down everybody's packets to a host with it. It is asked for.

use std::net::IpAddr;
use std::sync::Arc;

use control_api::{ApiError, ErrorKind, MetricMask, Network, PathMtu, Route, RouteFlags};
use packet::ipv6;

use crate::callouts::{Called, MTU_IS_OLD, PMTU, service_name};
use crate::control::Control;
use crate::rib::Protocol;
use crate::route::RouteEntry;
use crate::time::Timestamp;

impl Control {
    /// Hears that a packet was too big for its path; answers with the host's route as it is then.
    pub(crate) fn hear_of_mtu(&mut self, heard: &PathMtu, now: Timestamp) -> Result<Route, ApiError> {
        let PathMtu { fib, destination, .. } = *heard;
        self.existing_fib(fib)?;
        let Some(by) = self.routes.towards(fib, destination).cloned() else {
            return Err(ApiError::new(ErrorKind::NotFound, format!("no route leads to {destination}")));
        };
        if by.facts().leads.port().is_none() {
            let message = format!("packets to {destination} leave through no port");
            return Err(ApiError::new(ErrorKind::HostUnreachable, message));
        }
        let is_host_s = by.flags().contains(RouteFlags::HOST);
        let entry = if is_host_s { by } else { self.host_route(fib, destination, &by) };
        // Before the MTU: one that could never be forgotten is not learnt.
        let queue = service_name(PMTU);
        if let Err(refused) = self.add_timer_in(fib, entry.prefix(), MTU_IS_OLD, &queue, now) {
            if !is_host_s {
                self.routes.remove_entry(&entry);
            }
            return Err(refused);
        }
        self.lower(&entry, heard)?;
        Ok(self.answered_route(&entry))
    }

    /// A host's own route, which says what the one it goes by says.
    fn host_route(&mut self, fib: u16, host: IpAddr, by: &RouteEntry) -> Arc<RouteEntry> {
        let network = Network::host(host);
        let of = by.facts();
        let mut facts = self.facts_of(network, of.leads);
        facts.flags = (facts.flags - RouteFlags::STATIC) | RouteFlags::DYNAMIC;
        facts.flags |= of.flags & (RouteFlags::BLACKHOLE | RouteFlags::REJECT);
        facts.metrics = of.metrics;
        facts.ifa = of.ifa;
        self.set_facts(fib, network, facts)
    }

    fn lower(&mut self, entry: &Arc<RouteEntry>, heard: &PathMtu) -> Result<(), ApiError> {
        let _held = crate::requests::held(entry)?;
        let mut facts = entry.facts();
        if facts.metrics.locks.contains(MetricMask::MTU) {
            return Ok(());
        }
        let link = facts.leads.port().map_or(0, |port| self.ports.port(port).state.mtu.bytes());
        let mtu = if heard.mtu == 0 { plateau_below(heard.packet) } else { heard.mtu };
        if mtu < least(heard.destination) || mtu > link {
            facts.metrics.locks |= MetricMask::MTU;
            self.say_facts(entry, facts);
        } else if facts.metrics.mtu == 0 || facts.metrics.mtu > mtu.into() {
            facts.metrics.mtu = mtu.into();
            self.say_facts(entry, facts);
        }
        Ok(())
    }
}

/// What was heard of a path is old: what was made for it goes, and what is there anyway forgets it.
pub(crate) fn mtu_is_old(control: &mut Control, called: Called) {
    let Some(entry) = control.routes.get(called.fib, called.route, Protocol::Static).cloned() else { return };
    let mut facts = entry.facts();
    if facts.flags.contains(RouteFlags::DYNAMIC | RouteFlags::HOST) {
        control.counts.routes_expired += u64::from(control.routes.remove_entry(&entry));
    } else if !facts.metrics.locks.contains(MetricMask::MTU) {
        facts.metrics.mtu = 0;
        control.say_facts(&entry, facts);
    }
}

/// The likely MTU of a link that was too small for a packet of this length; 0 if there is none that small.
fn plateau_below(packet: u16) -> u16 {
    PLATEAUS.into_iter().find(|plateau| *plateau < packet).unwrap_or(0)
}

/// Less than any path should carry: who says so is mistaken, or lies.
const fn least(destination: IpAddr) -> u16 {
    match destination {
        IpAddr::V4(_) => 296,
        IpAddr::V6(_) => ipv6::MIN_MTU,
    }
}

/// What links carry (RFC 1191 section 7), the largest first.
const PLATEAUS: [u16; 13] = [65535, 65280, 32000, 17914, 9180, 8166, 4352, 2002, 1492, 1006, 508, 296, 68];

#[cfg(test)]
mod tests {
    use super::*;

    // holds X69
    #[test]
    fn pm_07_an_mtu_that_was_not_said_is_the_next_plateau_below_the_packet() {
        let below = [(65535, 65280), (1501, 1492), (1500, 1492), (1492, 1006), (297, 296), (296, 68), (68, 0), (0, 0)];
        for (packet, plateau) in below {
            assert_eq!(plateau_below(packet), plateau, "{packet}");
        }
    }
}
