//! Requests that change routes: each is checked to its end before anything changes.

use std::net::IpAddr;

use boundary::PortId;
use control_api::{ApiError, ErrorKind, Family, Network, Target};

use crate::config;
use crate::control::Control;
use crate::packets::is_link_local;
use crate::rib::{Protocol, Way};

impl Control {
    /// Adds a static route where there is none.
    pub(crate) fn add_route(&mut self, network: Network, target: &Target) -> Result<(), ApiError> {
        let way = self.way_of(network, target)?;
        if self.routes.get(network, Protocol::Static).is_some() {
            return Err(ApiError::new(ErrorKind::Exists, format!("there is a route to {network}"))
                .with_hint("use `route replace` to change it"));
        }
        self.set_static(network, way);
        Ok(())
    }

    /// Adds a static route, or puts it in place of the one there is.
    pub(crate) fn replace_route(&mut self, network: Network, target: &Target) -> Result<(), ApiError> {
        let way = self.way_of(network, target)?;
        self.set_static(network, way);
        Ok(())
    }

    /// Removes a static route.
    pub(crate) fn delete_route(&mut self, network: Network) -> Result<(), ApiError> {
        if self.routes.remove(network, Protocol::Static) {
            return Ok(());
        }
        Err(match self.routes.best(network) {
            Some(_) => ApiError::new(
                ErrorKind::NotAllowed,
                format!("the route to {network} follows from a port's address and cannot be removed"),
            )
            .with_hint("change the port's addresses in the configuration"),
            None => ApiError::new(ErrorKind::NotFound, format!("there is no route to {network}"))
                .with_hint("see `route show` for those there are"),
        })
    }

    pub(crate) fn set_static(&mut self, network: Network, way: Way) {
        self.routes.set(network, Protocol::Static, way);
        if let Way::Gateway(port, gateway) = way
            && self.assume_neighbours
            && self.neighbours.has_room_for((gateway, port))
        {
            self.assume(port, gateway);
        }
    }

    /// Where a person wants a route to lead, with names and gateways found.
    fn way_of(&self, network: Network, target: &Target) -> Result<Way, ApiError> {
        let refused = |message| Err(ApiError::new(ErrorKind::Invalid, message));
        if network.address().is_multicast() && network.len() > 0 {
            return refused(format!("{network} is multicast, which is not forwarded"));
        }
        if is_link_local(network.address()) && network.len() > 0 {
            return refused(format!("{network} is link-local, which is not forwarded"));
        }
        match target {
            Target::Blackhole => Ok(Way::Blackhole),
            Target::Unreachable => Ok(Way::Unreachable),
            Target::Dev(name) => Ok(Way::Link(self.ports.named(name)?)),
            Target::Via { gateway, dev } => {
                let port = dev.as_deref().map(|name| self.ports.named(name)).transpose()?;
                if network.family() != Family::of(*gateway) {
                    return Err(ApiError::new(
                        ErrorKind::FamilyMismatch,
                        format!("{network} is {}, its gateway {gateway} is {}", network.family(), Family::of(*gateway)),
                    ));
                }
                let port = self.port_of_gateway(*gateway, port)?;
                Ok(Way::Gateway(port, *gateway))
            }
        }
    }

    /// The port a gateway is behind.
    fn port_of_gateway(&self, gateway: IpAddr, wanted: Option<PortId>) -> Result<PortId, ApiError> {
        let refused = |message| ApiError::new(ErrorKind::UnreachableGateway, message);
        if self.ports.own(gateway) {
            return Err(refused(format!("the gateway {gateway} is an own address"))
                .with_hint("name the router at the other end of the link"));
        }
        match wanted {
            None if is_link_local(gateway) && gateway.is_ipv6() => {
                Err(refused(format!("the gateway {gateway} is link-local, and no port is named"))
                    .with_hint("name the port: `via ADDRESS dev PORT`"))
            }
            None => self.ports.on_link(gateway).ok_or_else(|| {
                refused(format!("the gateway {gateway} is on no port's network"))
                    .with_hint("see `port show` for the networks there are")
            }),
            Some(port) if self.ports.port(port).can_have_neighbour(gateway) => Ok(port),
            Some(port) => {
                let name = &self.ports.port(port).name;
                Err(refused(format!("the gateway {gateway} is not on the network of port `{name}`"))
                    .with_hint("see `port show` for the networks there are"))
            }
        }
    }
}

impl From<config::Target> for Way {
    /// The configuration has found ports and gateways already.
    fn from(target: config::Target) -> Self {
        match target {
            config::Target::Via { gateway, port } => Self::Gateway(port, gateway),
            config::Target::Link(port) => Self::Link(port),
            config::Target::Blackhole => Self::Blackhole,
            config::Target::Unreachable => Self::Unreachable,
        }
    }
}
