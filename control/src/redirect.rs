//! Redirects: another router says that a third is nearer to some destination (`rtredirect`).
//!
//! RFC 1812 section 5.2.7.2 has a router forward by its own routes alone, so an ICMP redirect that comes in changes nothing
//! here. What it would do in a host can be asked for, and then the rules of the kernels hold: who says so has to be the
//! gateway that packets go to now, and the nearer one a neighbour on the same link. A route to the host is made
//! ([`RouteFlags::DYNAMIC`]), or the gateway of the one there is changed ([`RouteFlags::MODIFIED`]). The first goes when it
//! has been on the queue `redirect` for that queue's time; without the queue there are no redirects.
//!
//! Everybody who follows what happens is told of each, taken or refused.
//!
//! The other way round, a port that is told to (`redirects` of its configuration) tells hosts on its link when their
//! packets leave the way they came: the packet goes on, and its sender hears of the gateway, or that the destination is his
//! neighbour. IPv6 hosts take a router's link-local address for its name (RFC 4861 section 8), so they are told of a
//! gateway only where the route has that address.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use boundary::PortId;
use control_api::{ApiError, ErrorKind, Family, Network, Redirect, Route, RouteFlags};
use packet::icmpv6::Between;
use packet::ipv6::Ipv6;
use packet::ndp;

use crate::callouts::{Called, REDIRECT, REDIRECT_IS_OVER, service_name};
use crate::control::{Control, Turn};
use crate::icmp::Problem;
use crate::limits::Class;
use crate::packets::{Packet, is_link_local};
use crate::rib::{Protocol, Way};
use crate::route::{Facts, RouteEntry};
use crate::time::Timestamp;

/// What became of redirects (`rtstat`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct RedirectCounts {
    /// Those refused (`rts_badredirect`).
    pub(crate) bad: u64,
    /// Routes that were made (`rts_dynamic`).
    pub(crate) dynamic: u64,
    /// Routes that got another gateway (`rts_newgateway`).
    pub(crate) new_gateway: u64,
}

impl Control {
    /// Takes a redirect; answers with the route as it is then.
    pub(crate) fn redirect(&mut self, said: &Redirect, now: Timestamp) -> Result<Route, ApiError> {
        let taken = self.take_redirect(said, now);
        let errno = taken.as_ref().err().and_then(|refused: &ApiError| refused.kind.errno());
        self.redirects.bad += u64::from(taken.is_err());
        let flags = taken.as_ref().map_or(RouteFlags::GATEWAY, |entry| entry.flags());
        self.routes.events.redirected(said, flags, errno);
        taken.map(|entry| self.answered_route(&entry))
    }

    /// A packet leaves by the port it came in through: its sender is told who is nearer, if he is on that link, if that is
    /// no route that a redirect itself or nobody's choice has made, and if the port tells at all.
    pub(crate) fn tell_nearer_way(&mut self, packet: &Packet<'_>, port: PortId, turn: &mut Turn<'_>) {
        let info = self.ports.port(port);
        // RFC 1812 section 5.2.7.2: not to who is elsewhere, and not about a source route.
        let is_source_routed = matches!(packet, Packet::V4(view) if !view.options().is_empty());
        if !info.state.policy.redirects || !info.can_have_neighbour(packet.source()) || is_source_routed {
            return;
        }
        let Some(entry) = self.routes.towards(self.routes.fib_of(port), packet.destination()) else { return };
        let is_chosen =
            entry.prefix().len() > 0 && !entry.flags().intersects(RouteFlags::DYNAMIC | RouteFlags::MODIFIED);
        let by = match entry.way() {
            Way::Gateway(out, gateway) if out == port => gateway,
            Way::Link(out) if out == port => packet.destination(),
            _ => return,
        };
        match (packet, by) {
            _ if !is_chosen => {}
            (Packet::V4(_), IpAddr::V4(by)) => self.report(Problem::NearerWay { by }, packet, port, turn),
            (Packet::V6(view), IpAddr::V6(by)) => self.redirect_v6(view, by, port, turn),
            (Packet::V4(_), IpAddr::V6(_)) | (Packet::V6(_), IpAddr::V4(_)) => {}
        }
    }

    /// RFC 4861 section 8.2: as the port's link-local address, which hosts know their router by.
    fn redirect_v6(&mut self, about: &Ipv6<'_>, target: Ipv6Addr, port: PortId, turn: &mut Turn<'_>) {
        let packet = Packet::V6(*about);
        let own = self.ports.port(port).state.link_local;
        let is_believed = target.is_unicast_link_local() || target == about.destination();
        if !is_believed || !self.ports.is_usable(own.into(), port) || !self.may_tell(Class::Unreachable, &packet, turn)
        {
            return;
        }
        let target_mac = self.neighbours.station((target.into(), port));
        let told = ndp::Redirect { target, target_mac, destination: about.destination(), about: about.bytes() };
        let mut message = Vec::new();
        told.append_to(Between { source: own, destination: about.source() }, &mut message);
        self.counts.icmp_errors += 1;
        self.originate(message, packet.source(), port, turn);
    }

    fn take_redirect(&mut self, said: &Redirect, now: Timestamp) -> Result<Arc<RouteEntry>, ApiError> {
        let Redirect { fib, dst, gateway, ref dev, author } = *said;
        self.existing_fib(fib)?;
        self.timer_queue(&service_name(REDIRECT))?;
        if dst.family() != Family::of(gateway) {
            let message = format!("{dst} is {}, its gateway {gateway} is {}", dst.family(), Family::of(gateway));
            return Err(ApiError::new(ErrorKind::FamilyMismatch, message));
        }
        let port = self.attached(gateway, dev.as_deref())?;
        let current = self.routes.towards(fib, dst.address()).cloned();
        if let (Some(author), Some(current)) = (author, &current)
            && current.facts().leads != Way::Gateway(port, author)
        {
            let message = format!("packets to {dst} do not go by {author} on the link of {gateway}");
            return Err(ApiError::new(ErrorKind::Invalid, message)
                .with_hint("see `route get` for the gateway they go by: it alone may redirect them"));
        }
        if !self.ports.port(port).can_have_neighbour(gateway) {
            let message = format!("the gateway {gateway} is an address of ours, or nobody's");
            return Err(ApiError::new(ErrorKind::HostUnreachable, message).with_hint("name a router on the link"));
        }
        let leads = Way::Gateway(port, gateway);
        let entry = match current {
            Some(current) if current.prefix() == dst || current.prefix().len() > 0 => {
                if !current.flags().contains(RouteFlags::GATEWAY) {
                    let message = format!("packets to {dst} go by no gateway that could redirect them");
                    return Err(ApiError::new(ErrorKind::HostUnreachable, message));
                }
                if current.flags().contains(RouteFlags::PINNED) {
                    let message = format!("the route to {} is pinned", current.prefix());
                    return Err(ApiError::new(ErrorKind::NotAllowed, message)
                        .with_hint("say `route change ... pinned` to give it another gateway all the same"));
                }
                if current.prefix() == dst {
                    self.put_by(&current, leads)?;
                    current
                } else {
                    self.branch_off(fib, dst, leads)
                }
            }
            Some(_) | None => self.branch_off(fib, dst, leads),
        };
        self.keep_for_a_time(entry, now)
    }

    /// The port whose network a gateway is on, whoever has the address there.
    fn attached(&self, gateway: IpAddr, dev: Option<&str>) -> Result<PortId, ApiError> {
        let wanted = dev.map(|name| self.ports.named(name)).transpose()?;
        let contains =
            |port: &PortId| self.ports.port(*port).addresses.iter().any(|own| own.network().contains(gateway));
        let found = match wanted {
            Some(port) => Some(port).filter(|port| is_link_local(gateway) || contains(port)),
            None => self.ports.on_link(gateway).or_else(|| self.ports.iter().map(|(id, _)| id).find(contains)),
        };
        found.ok_or_else(|| {
            ApiError::new(ErrorKind::UnreachableGateway, format!("the gateway {gateway} is on no port's network"))
                .with_hint("see `port show` for the networks there are")
        })
    }

    /// A route of its own for what went by a wider one, or by none.
    fn branch_off(&mut self, fib: u16, dst: Network, leads: Way) -> Arc<RouteEntry> {
        let mut facts = self.facts_of(dst, leads);
        facts.flags = (facts.flags - RouteFlags::STATIC) | RouteFlags::DYNAMIC;
        self.redirects.dynamic += 1;
        self.set_facts(fib, dst, facts)
    }

    /// Another gateway for a route that has one.
    fn put_by(&mut self, entry: &Arc<RouteEntry>, leads: Way) -> Result<(), ApiError> {
        let _held = crate::requests::held(entry)?;
        let facts = entry.facts();
        let flags = facts.flags | RouteFlags::MODIFIED;
        self.say_facts(entry, Facts { leads, flags, ifa: self.speaks_by(entry.prefix(), leads), ..facts });
        self.redirects.new_gateway += 1;
        Ok(())
    }

    /// Puts what a redirect made, or changed, on the queue that ends it; a route that cannot go again is not kept.
    fn keep_for_a_time(&mut self, entry: Arc<RouteEntry>, now: Timestamp) -> Result<Arc<RouteEntry>, ApiError> {
        let queue = service_name(REDIRECT);
        match self.add_timer_in(entry.fib(), entry.prefix(), REDIRECT_IS_OVER, &queue, now) {
            Err(refused) if entry.flags().contains(RouteFlags::DYNAMIC) => {
                self.routes.remove_entry(&entry);
                Err(refused)
            }
            // A person's route stays when its time is over, so it matters little whether that is noticed.
            Ok(()) | Err(_) => Ok(entry),
        }
    }
}

/// The time of a redirect is over: what it made goes, and what it changed stays.
pub(crate) fn redirect_is_over(control: &mut Control, called: Called) {
    if let Some(entry) = control.routes.get(called.fib, called.route, Protocol::Static).cloned()
        && entry.flags().contains(RouteFlags::DYNAMIC | RouteFlags::HOST)
    {
        control.counts.routes_expired += u64::from(control.routes.remove_entry(&entry));
    }
}
