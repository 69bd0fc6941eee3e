//! How a scene is set up, in the words of the configuration.

use std::fmt::Write;

use boundary::PortId;
use control::config::Config;

use crate::host::{BEYOND, GATEWAY, RIGHT};
use crate::scene::Scene;

/// A configuration of two ports, to be varied: routes to [`BEYOND`] by [`GATEWAY`], an MTU of 1500, and nothing else.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// More keys of each port, by [`PortId`].
    keys: [String; 2],
    mtu: [Option<u16>; 2],
    more: String,
}

impl Plan {
    /// With this MTU of a port.
    #[must_use]
    pub fn mtu(mut self, port: PortId, mtu: u16) -> Self {
        self.mtu[port.index()] = Some(mtu);
        self
    }

    /// With a line more in a port's section, such as `promiscuous = true`.
    #[must_use]
    pub fn port(mut self, port: PortId, line: &str) -> Self {
        writeln!(self.keys[port.index()], "{line}").expect("a string takes all");
        self
    }

    /// With more sections, such as `[[route]]`.
    #[must_use]
    pub fn and(mut self, sections: &str) -> Self {
        self.more.push_str(sections);
        self.more.push('\n');
        self
    }

    /// The configuration; panics with all its mistakes if it has any.
    pub fn config(&self) -> Config {
        Config::parse("scene.toml", &self.text()).unwrap_or_else(|error| panic!("{error:?}\n{}", self.text()))
    }

    /// The scene, with every host known in both families.
    pub fn open(&self) -> Scene {
        Scene::between_hosts(&self.config())
    }

    /// The scene, with nobody on the links.
    pub fn open_deserted(&self) -> Scene {
        Scene::deserted(&self.config())
    }

    fn text(&self) -> String {
        let Self { keys: [left, right], more, .. } = self;
        let mtu = |port: PortId| self.mtu[port.index()].unwrap_or(1500);
        let (left_mtu, right_mtu) = (mtu(crate::LEFT), mtu(RIGHT));
        let (network, gateway) = (BEYOND.v4.to_bits() & !0xff, GATEWAY.v4);
        let (network_v6, gateway_v6) = (BEYOND.v6.to_bits() & !0xffff, GATEWAY.v6);
        let (network, network_v6) = (std::net::Ipv4Addr::from(network), std::net::Ipv6Addr::from(network_v6));
        format!(
            r#"
            [[port]]
            name = "left"
            device = "net_null0"
            addresses = ["192.0.2.1/24", "2001:db8:1::1/64"]
            mtu = {left_mtu}
            {left}
            [[port]]
            name = "right"
            device = "net_null1"
            addresses = ["198.51.100.1/24", "2001:db8:2::1/64"]
            mtu = {right_mtu}
            {right}
            [[route]]
            to = "{network}/24"
            via = "{gateway}"
            [[route]]
            to = "{network_v6}/48"
            via = "{gateway_v6}"
            {more}
            "#
        )
    }
}
