//! The configuration that both run by: the model, and ferryd between the links of this program.
//!
//! What would make them differ without anybody being wrong is settled in it: each port has its MAC address, flows are divided
//! by a known secret, and neighbours that the capture needs are known, if that is asked for. What has no meaning here goes:
//! taps, a routing daemon, queues of other devices.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;

use boundary::PortId;
use control::config::{Config, Target};
use control_api::Network;
use packet::ethernet::{Header, MacAddr};
use packet::ipv4::Ipv4;
use packet::ipv6::Ipv6;
use toml::{Table, Value};

use super::Arrival;

/// A configuration, and its text.
#[derive(Debug)]
pub(super) struct Settled {
    pub(super) text: String,
    pub(super) config: Config,
    /// The names of the ports with a device, in the order of their ids.
    pub(super) ports: Vec<String>,
}

/// A router with a default route, for captures that come without a configuration: what arrives on the left leaves on the
/// right, whatever the capture's networks are.
pub(super) const PLAIN: &str = r#"
[[port]]
name = "left"
device = "net_null0"
addresses = ["100.64.255.1/30", "fd00:0:0:1::1/64"]
promiscuous = true

[[port]]
name = "right"
device = "net_null1"
addresses = ["100.64.255.5/30", "fd00:0:0:2::1/64"]
promiscuous = true

[[route]]
to = "0.0.0.0/0"
via = "100.64.255.6"

[[route]]
to = "::/0"
via = "fd00:0:0:2::2"

[[neighbour]]
port = "right"
address = "100.64.255.6"
mac = "02:00:00:00:02:02"

[[neighbour]]
port = "right"
address = "fd00:0:0:2::2"
mac = "02:00:00:00:02:02"
"#;

impl Settled {
    /// What `text` means for both; with neighbours made up, so that none of `arrivals` has to wait for one.
    pub(super) fn new(name: &str, text: &str, core: usize, arrivals: Option<&[Arrival]>) -> Result<Self, String> {
        let asked = Config::parse(name, text).map_err(|error| error.report(false))?;
        let mut file: Table = text.parse().map_err(|error| format!("{name}: {error}"))?;
        ["fpm", "dpdk", "api", "worker"].iter().for_each(|section| {
            file.remove(*section);
        });
        file.insert("worker".to_owned(), Value::Array(vec![Value::Table(Table::from_iter([entry("core", core)?]))]));
        let routing = file.entry("routing").or_insert_with(|| Value::Table(Table::new()));
        if let Value::Table(routing) = routing {
            routing.entry("seed").or_insert(Value::Integer(0));
        }
        let (mut number, mut ports) = (0_u8, Vec::new());
        for port in sections(&mut file, "port") {
            ["tap", "tap_netns", "queues", "rss", "rx_descriptors", "tx_descriptors"].iter().for_each(|key| {
                port.remove(*key);
            });
            if port.contains_key("device") {
                number += 1;
                port.entry("mac").or_insert_with(|| MacAddr([2, 0, 0, 0, 0, number]).to_string().into());
                ports.extend(port.get("name").and_then(Value::as_str).map(str::to_owned));
            }
        }
        if let Some(arrivals) = arrivals {
            let made_up = made_up(&asked, arrivals);
            let there = file.entry("neighbour").or_insert_with(|| Value::Array(Vec::new()));
            if let Value::Array(there) = there {
                there.extend(made_up.into_iter().map(|(port, address)| {
                    let mac = station(port, address).to_string();
                    let port = asked.port(port).name.clone();
                    let words = [("port", port), ("address", address.to_string()), ("mac", mac)];
                    Value::Table(words.into_iter().map(|(key, word)| (key.to_owned(), word.into())).collect())
                }));
            }
        }
        let text = file.to_string();
        let config = Config::parse(name, &text).map_err(|error| error.report(false))?;
        Ok(Self { text, config, ports })
    }

    /// The same for a ferryd whose ports have these devices, in the order of ids, and that listens at `api`.
    pub(super) fn text_over(&self, devices: &[String], api: &Path) -> String {
        let mut file: Table = self.text.parse().expect("it was made from a table");
        let mut devices = devices.iter();
        for port in sections(&mut file, "port").filter(|port| port.contains_key("device")) {
            port.extend(devices.next().map(|device| ("device".to_owned(), device.as_str().into())));
        }
        let api = Table::from_iter([("socket".to_owned(), api.display().to_string().into())]);
        file.insert("api".to_owned(), api.into());
        file.to_string()
    }
}

fn entry(key: &str, number: usize) -> Result<(String, Value), String> {
    let number = i64::try_from(number).map_err(|_too_large| format!("{key} {number} is too large"))?;
    Ok((key.to_owned(), Value::Integer(number)))
}

fn sections<'f>(file: &'f mut Table, name: &str) -> impl Iterator<Item = &'f mut Table> {
    let sections = file.get_mut(name).and_then(Value::as_array_mut);
    sections.into_iter().flatten().filter_map(Value::as_table_mut)
}

/// Neighbours that nobody tells the station of and that packets would wait for: gateways, and destinations on a link.
fn made_up(config: &Config, arrivals: &[Arrival]) -> BTreeSet<(PortId, IpAddr)> {
    let gateways = config.routes().iter().filter_map(|route| match route.target {
        Target::Via { gateway, port } => Some((port, gateway)),
        Target::Link(_) | Target::Blackhole | Target::Unreachable | Target::Prohibit => None,
    });
    let on_link = arrivals.iter().filter_map(|arrival| destination(&arrival.bytes)).filter_map(|address| {
        let ports = (0..).map(PortId).zip(config.ports());
        let mut near = ports.filter(|(_, port)| port.addresses.iter().any(|own| own.can_have_neighbour(address)));
        near.next().map(|(port, _)| (port, address))
    });
    let own =
        |address: &IpAddr| config.ports().iter().flat_map(|port| &port.addresses).any(|own| own.address() == *address);
    let anycast = |address: &IpAddr| {
        let networks = config.ports().iter().flat_map(|port| &port.addresses).map(|own| own.network());
        networks.filter(|network| matches!(network, Network::V6(_))).any(|network| network.address() == *address)
    };
    let known: BTreeSet<_> = config.neighbours().iter().map(|known| (known.port, known.address)).collect();
    let wanted = gateways.chain(on_link).filter(|(_, address)| !own(address) && !anycast(address));
    wanted.filter(|neighbour| !known.contains(neighbour)).collect()
}

/// Made up from what it is for, so that it is the same wherever it is made up.
fn station(port: PortId, address: IpAddr) -> MacAddr {
    let [.., a, b, c] = match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
    .to_be_bytes();
    let [_, port] = port.0.to_be_bytes();
    MacAddr([2, 0xfe, port, a, b, c])
}

fn destination(frame: &[u8]) -> Option<IpAddr> {
    let (_, payload) = Header::parse(frame)?;
    match payload.first()? >> 4 {
        4 => Some(Ipv4::parse(payload).ok()?.destination().into()),
        6 => Some(Ipv6::parse(payload).ok()?.destination().into()),
        _other => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plain_router_is_one_that_ferryd_takes_on_other_devices() {
        let settled = Settled::new("plain", PLAIN, 0, Some(&[])).unwrap();
        assert_eq!(settled.ports, ["left", "right"]);
        let devices = ["net_vhost0,iface=/run/l".to_owned(), "net_vhost1,iface=/run/r".to_owned()];
        let text = settled.text_over(&devices, Path::new("/run/api"));
        let config = Config::parse("live", &text).unwrap_or_else(|error| panic!("{}", error.report(false)));
        let named: Vec<_> = config.devices().map(|(_, device)| device.to_string()).collect();
        assert_eq!(named, devices);
        assert!(config.ports().iter().all(|port| port.mac.is_some()) && config.routing().seed == Some(0));
    }

    #[test]
    fn gateways_and_hosts_on_the_links_are_made_up_once_and_those_that_are_known_are_left() {
        let text = PLAIN.to_owned() + "[[route]]\nto = \"10.0.0.0/8\"\nvia = \"100.64.255.2\"\n";
        let settled = Settled::new("plain", &text, 0, Some(&[])).unwrap();
        let known: Vec<_> = settled.config.neighbours().iter().map(|known| known.address.to_string()).collect();
        assert_eq!(known, ["100.64.255.6", "fd00:0:0:2::2", "100.64.255.2"]);
        let again = Settled::new("plain", &settled.text, 0, Some(&[])).unwrap();
        assert_eq!(again.text, settled.text);
    }
}
