//! Links that go and come, and ports that come to carry more or less: what that does to routes.
//!
//! ```text
//!   device -- every 100 ms --> is there a link? -- other than before --> next hops: at once, however many routes
//!                                                                  \---> routes: up no more, or again
//! ```
//!
//! A route over a port without a link stays in its table and loses [`RouteFlags::UP`]: it is shown, nobody finds it, and it
//! comes back with the link. It is as if it were not there: another to the same network takes over, or one to a wider. What
//! was made by itself, a clone or what a redirect said, goes for good, but for a clone by which a gateway is reached.
//!
//! A person can take a port down (`ferry port set PORT down`): then it is as if it had no link, and what comes in through it all
//! the same is dropped, whatever its device thinks. A VLAN goes down with the port whose device it is on.
//!
//! Workers follow in two steps, [`BETWEEN_LOOKS`] after the link at most. First the port's next hops turn, which takes as
//! long as there are next hops: from then on nothing is sent into the void, and senders are told. Then the routes turn one
//! by one, and packets take what is left.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use boundary::{Mtu, PortId};
use control_api::{ApiError, ErrorKind, Family, Link, RouteFlags};

use crate::control::Control;
use crate::ports::PortInfo;
use crate::route::RouteEntry;
use crate::routes::Routes;
use crate::time::Timestamp;

/// How often devices are asked whether they have a link.
pub const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// What was seen of the links.
#[derive(Debug, Default)]
pub(crate) struct Links {
    looked_at: Option<Timestamp>,
    /// The ports that a person has taken down.
    taken_down: BTreeSet<PortId>,
}

impl Control {
    /// Asks every device whether it has a link, unless that was asked just now.
    pub(crate) fn watch_links(&mut self, now: Timestamp) {
        if self.links.looked_at.is_some_and(|looked_at| now.since(looked_at) < BETWEEN_LOOKS) {
            return;
        }
        self.links.looked_at = Some(now);
        let ports: Vec<_> = self.ports.iter().map(|(port, _)| port).collect();
        for port in ports {
            let link = self.link(port);
            // A device that does not tell is taken to have one.
            let has_link = link != Link::Down;
            if has_link != self.routes.next_hops.has_link(port) {
                self.turn(port, link);
            }
        }
    }

    /// Whether a port has a link, as far as routes are concerned.
    fn link(&self, port: PortId) -> Link {
        if self.is_admin_down(port) { Link::Down } else { self.hardware.link(port) }
    }

    /// Whether a person has taken a port down, or the one whose device it is on.
    pub(crate) fn is_admin_down(&self, port: PortId) -> bool {
        let parent = self.ports.port(port).state.vlan.map(|vlan| vlan.parent);
        [Some(port), parent].into_iter().flatten().any(|port| self.links.taken_down.contains(&port))
    }

    /// A person takes a port down, or up again.
    pub(crate) fn turn_port_by_hand(&mut self, name: &str, up: bool) -> Result<(), ApiError> {
        let port = self.ports.named(name)?;
        let is_news = if up { self.links.taken_down.remove(&port) } else { self.links.taken_down.insert(port) };
        if !is_news {
            return Ok(());
        }
        tracing::info!("port {name}: taken {} by hand", if up { "up" } else { "down" });
        self.routes.set_closed(port, !up);
        self.routes.publish();
        // With it goes and comes what is on it.
        let on_it = |(_, info): &(PortId, &PortInfo)| info.state.vlan.is_some_and(|vlan| vlan.parent == port);
        let ports: Vec<_> = std::iter::once(port).chain(self.ports.iter().filter(on_it).map(|(id, _)| id)).collect();
        for port in ports {
            let link = self.link(port);
            if (link != Link::Down) != self.routes.next_hops.has_link(port) {
                self.turn(port, link);
            }
        }
        Ok(())
    }

    fn turn(&mut self, port: PortId, link: Link) {
        let info = self.ports.port(port);
        let mtu = info.state.mtu.bytes();
        if link == Link::Down {
            tracing::warn!("port {}: the link is down", info.name);
        } else {
            tracing::info!("port {}: the link is up again", info.name);
        }
        self.routes.next_hops.set_link(port, link != Link::Down);
        self.routes.publish();
        self.routes.turn_port(port);
        self.routes.events.link(port, link, mtu);
        if link != Link::Down {
            self.presence.link_came_up(port);
        }
    }

    /// A person lets a port carry packets of another length.
    pub(crate) fn set_port(&mut self, name: &str, bytes: u16) -> Result<(), ApiError> {
        let port = self.ports.named(name)?;
        let Some(mtu) = Mtu::new(bytes) else {
            let message = format!("an MTU is {} to {} bytes, not {bytes}", Mtu::MIN, Mtu::MAX);
            return Err(ApiError::new(ErrorKind::Invalid, message));
        };
        self.refuse_mtu(port, mtu)?;
        self.hardware.set_mtu(port, mtu).map_err(|reason| {
            ApiError::new(ErrorKind::Invalid, format!("port `{name}` keeps its MTU: {reason}"))
                .with_hint("set it in the configuration, and start ferryd anew")
        })?;
        self.set_port_mtu(port, mtu);
        Ok(())
    }

    /// From now on a port carries packets of this length, as its device does.
    pub(crate) fn set_port_mtu(&mut self, port: PortId, mtu: Mtu) {
        self.ports.set_mtu(port, mtu);
        self.set_tap_mtu(port, mtu);
        self.routes.set_port_mtu(port, mtu);
        let link = self.link(port);
        self.routes.events.link(port, link, mtu.bytes());
    }

    /// The kernel's interface of a port, if it has one, carries packets of this length.
    pub(crate) fn set_tap_mtu(&mut self, port: PortId, mtu: Mtu) {
        if self.ports.port(port).state.tap
            && let Err(reason) = self.taps.set_mtu(port, mtu)
        {
            let name = &self.ports.port(port).name;
            tracing::warn!("port {name}: its interface of the kernel does not take an MTU of {mtu}: {reason}");
        }
    }

    fn refuse_mtu(&self, port: PortId, mtu: Mtu) -> Result<(), ApiError> {
        let info = self.ports.port(port);
        let speaks_ipv6 = info.addresses.iter().any(|own| own.family() == Family::Ipv6);
        // RFC 8200 section 5.
        if speaks_ipv6 && mtu.bytes() < packet::ipv6::MIN_MTU {
            let message = format!("an MTU of {mtu} is too small for IPv6, which port `{}` speaks", info.name);
            return Err(ApiError::new(ErrorKind::Invalid, message)
                .with_hint(format!("give it {} at least, or take its IPv6 addresses away", packet::ipv6::MIN_MTU)));
        }
        // A VLAN's frames are its device's.
        let parent = info.state.vlan.map(|vlan| self.ports.port(vlan.parent));
        let too_small = parent.filter(|parent| parent.state.mtu < mtu);
        let on_it = |(_, other): &(PortId, &PortInfo)| other.state.vlan.is_some_and(|vlan| vlan.parent == port);
        let too_large = self.ports.iter().filter(on_it).map(|(_, other)| other).find(|other| other.state.mtu > mtu);
        if let Some(other) = too_small.or(too_large) {
            let message = format!("`{}` cannot have {mtu} while `{}` has {}", info.name, other.name, other.state.mtu);
            return Err(
                ApiError::new(ErrorKind::Invalid, message).with_hint("give a VLAN no more than the port that it is on")
            );
        }
        Ok(())
    }
}

impl Routes {
    /// The link of a port went, or came.
    pub(crate) fn turn_port(&mut self, port: PortId) {
        let has_link = self.next_hops.has_link(port);
        for entry in self.over(port) {
            let is_made = entry.flags().intersects(RouteFlags::WASCLONED | RouteFlags::DYNAMIC);
            if !has_link && is_made && !self.is_gwroute(&entry) {
                self.remove_entry(&entry);
            } else {
                self.turn(&entry);
            }
        }
    }

    /// A port carries packets of another length (`rt_updatemtu`).
    ///
    /// No route carries more than its port. Those carry more that carried all of it before, unless somebody gave them
    /// their MTU, and those to hosts and by gateways do not: what is beyond those may carry less.
    pub(crate) fn set_port_mtu(&mut self, port: PortId, mtu: Mtu) {
        self.set_mtu_of_port(port, mtu);
        let (mtu, stays) = (u32::from(mtu.bytes()), RouteFlags::FIXEDMTU | RouteFlags::GATEWAY | RouteFlags::HOST);
        for entry in self.over(port) {
            let mut facts = entry.facts();
            if facts.metrics.mtu > mtu || !facts.flags.intersects(stays) {
                facts.metrics.mtu = mtu;
            }
            // Also where nothing is said anew: the next hop carries more or less.
            self.change(&entry, facts);
        }
    }

    /// The most specific route to an address that would be taken if its port had a link, and the port.
    pub(crate) fn down_towards(&self, fib: u16, address: IpAddr) -> Option<(&Arc<RouteEntry>, PortId)> {
        if self.next_hops.have_links() {
            return None;
        }
        let down = self.iter(fib).filter(|entry| !entry.is_up() && entry.prefix().contains(address));
        let down = down.filter_map(|entry| entry.port().map(|port| (entry, port)));
        down.max_by_key(|(entry, _)| entry.prefix().len())
    }

    /// The routes of all tables that lead over a port.
    fn over(&self, port: PortId) -> Vec<Arc<RouteEntry>> {
        self.every().filter(|entry| entry.port() == Some(port)).cloned().collect()
    }
}
