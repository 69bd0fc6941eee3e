//! Where somebody wants a route to lead, with the names of ports and the links of gateways found.

use std::net::IpAddr;

use boundary::PortId;
use control_api::{ApiError, ErrorKind, Family, Network, Target};

use crate::config;
use crate::control::Control;
use crate::packets::is_link_local;
use crate::rib::Way;

impl Control {
    /// Where a person wants a route for packets in transit to lead.
    pub(super) fn forwarded_way_of(&self, network: Network, target: &Target) -> Result<Way, ApiError> {
        if network.address().is_multicast() && network.len() > 0 {
            let message = format!("{network} is multicast, which is not forwarded");
            return Err(ApiError::new(ErrorKind::Invalid, message));
        }
        let leads = self.way_of(network, target)?;
        if let Way::Gateway(port, gateway) = leads
            && !self.ports.port(port).can_have_neighbour(gateway)
        {
            let name = &self.ports.port(port).name;
            let message = format!("the gateway {gateway} is not on the network of port `{name}`");
            return Err(ApiError::new(ErrorKind::UnreachableGateway, message)
                .with_hint("see `port show` for the networks there are"));
        }
        Ok(leads)
    }

    /// Where a person wants a route to lead, with names and gateways found.
    pub(super) fn way_of(&self, network: Network, target: &Target) -> Result<Way, ApiError> {
        let refused = |message| Err(ApiError::new(ErrorKind::Invalid, message));
        if is_link_local(network.address()) && network.len() > 0 {
            return refused(format!("{network} is link-local, which is not forwarded"));
        }
        match target {
            Target::Blackhole => Ok(Way::Blackhole),
            Target::Unreachable => Ok(Way::Unreachable),
            Target::Prohibit => Ok(Way::Prohibited),
            Target::Dev(name) => Ok(Way::Link(self.ports.named(name)?)),
            Target::Station { dev, lladdr } if lladdr.is_multicast() || lladdr.0 == [0; 6] => {
                refused(format!("{lladdr} is no station's address, so nobody on `{dev}` has it"))
            }
            Target::Station { dev, lladdr } => Ok(Way::Station(self.ports.named(dev)?, *lladdr, network.family())),
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

    /// The port a gateway is behind: the one that is named, as it is.
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
            Some(port) => Ok(port),
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
            config::Target::Prohibit => Self::Prohibited,
        }
    }
}
