//! Where a load may go (RFC 6815): to the networks that are set aside for it, over links of its own.
//!
//! A generator that is pointed the wrong way is a denial of service. So it sends to 198.18.0.0/15 (RFC 2544) and 2001:2::/48
//! (RFC 5180) unless told otherwise in so many words, and it never uses an interface that carries a default route, nor one
//! that leads there: the bridge or bond it is in, the VLANs on it, the other end of its veth pair. For that there is no
//! word: who means it takes the route away first.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use dpdk::Device;
use lpm::Prefix;

/// The network of RFC 2544's appendix C.2.2.
#[must_use]
pub fn ipv4() -> Prefix<Ipv4Addr> {
    Prefix::containing(Ipv4Addr::new(198, 18, 0, 0), 15)
}

/// The network of RFC 5180's section 8, as RFC 6890 registers it.
#[must_use]
pub fn ipv6() -> Prefix<Ipv6Addr> {
    Prefix::containing(Ipv6Addr::new(0x2001, 2, 0, 0, 0, 0, 0, 0), 48)
}

/// Why a load is not let out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IsolationError {
    /// It would go from or to addresses of somebody.
    #[error(
        "{address} is outside {} and {}, the networks set aside for load (RFC 6815); if nobody but the device under test \
         can be reached, say --any-address",
        ipv4(),
        ipv6()
    )]
    Address {
        /// The first such address.
        address: IpAddr,
    },
    /// It would leave over the link that this machine reaches the world by.
    #[error(
        "`{device}` is on {interface}, which carries the default route{}: load stays on links of its own (RFC 6815); name \
         another port, or take the default route off that one",
        via.as_ref().map(|carrier| format!(" by {carrier}")).unwrap_or_default()
    )]
    DefaultRoute {
        /// The port.
        device: String,
        /// The kernel's interface it is on.
        interface: String,
        /// The interface of the route, if it is another one that this one leads to.
        via: Option<String>,
    },
}

/// Lets an address pass that is set aside for load, or any if the person said so.
///
/// # Errors
///
/// [`IsolationError::Address`].
pub fn permit(address: IpAddr, any_address: bool) -> Result<(), IsolationError> {
    let is_for_tests = match address {
        IpAddr::V4(address) => ipv4().contains(address),
        IpAddr::V6(address) => ipv6().contains(address),
    };
    if is_for_tests || any_address { Ok(()) } else { Err(IsolationError::Address { address }) }
}

/// What the kernel says of this machine's interfaces and routes.
#[derive(Debug)]
pub struct Machine {
    root: PathBuf,
}

impl Default for Machine {
    fn default() -> Self {
        Self::at("/")
    }
}

impl Machine {
    /// One whose `/proc` and `/sys` are below `root`.
    #[must_use]
    pub fn at(root: impl AsRef<Path>) -> Self {
        Self { root: root.as_ref().to_owned() }
    }

    /// Lets a device pass that does not lead to where a default route does.
    ///
    /// # Errors
    ///
    /// [`IsolationError::DefaultRoute`].
    pub fn permit(&self, device: &Device) -> Result<(), IsolationError> {
        let carriers = self.carriers();
        for interface in self.interfaces_of(device) {
            let Some(carrier) = self.leads_to(&interface).intersection(&carriers).next().cloned() else { continue };
            let via = (carrier != interface).then_some(carrier);
            return Err(IsolationError::DefaultRoute { device: device.to_string(), interface, via });
        }
        Ok(())
    }

    /// The interfaces that default routes go out of, in either family.
    fn carriers(&self) -> BTreeSet<String> {
        let v4 = self.read("proc/net/route");
        let v4 = v4.lines().filter_map(|line| {
            let [interface, destination, _gateway, flags, _references, _use, _metric, mask, ..] = words(line)[..]
            else {
                return None;
            };
            let is_default = destination == "00000000" && mask == "00000000";
            (is_default && is_in_use(flags)).then(|| interface.to_owned())
        });
        let v6 = self.read("proc/net/ipv6_route");
        let v6 = v6.lines().filter_map(|line| {
            let [destination, len, .., flags, interface] = words(line)[..] else { return None };
            let is_default = len == "00" && destination.bytes().all(|digit| digit == b'0');
            (is_default && is_in_use(flags) && interface != "lo").then(|| interface.to_owned())
        });
        v4.chain(v6).collect()
    }

    /// The kernel's interfaces that a device uses: those its arguments name, or those of the card.
    fn interfaces_of(&self, device: &Device) -> BTreeSet<String> {
        if device.is_pci() {
            let card = self.root.join("sys/bus/pci/devices").join(device.name());
            // A virtio card's interface is that of the device behind it.
            let folders =
                names(&card).into_iter().filter(|name| name.starts_with("virtio")).map(|name| card.join(name));
            return folders.chain([card.clone()]).flat_map(|folder| names(&folder.join("net"))).collect();
        }
        let values = device.arguments().split(',').filter_map(|pair| pair.split_once('='));
        let values = values.map(|(_, value)| value).filter(|value| !value.is_empty() && !value.contains('/'));
        values.filter(|value| self.interface(value).exists()).map(str::to_owned).collect()
    }

    /// The interface itself and all that frames on it may come to, or come from.
    fn leads_to(&self, interface: &str) -> BTreeSet<String> {
        let mut reached = BTreeSet::new();
        let mut ahead = vec![interface.to_owned()];
        while let Some(interface) = ahead.pop() {
            let folder = self.interface(&interface);
            let links = names(&folder).into_iter();
            ahead.extend(links.filter_map(|name| {
                Some(name.strip_prefix("upper_").or_else(|| name.strip_prefix("lower_"))?.to_owned())
            }));
            ahead.extend(self.other_end(&interface));
            reached.insert(interface);
            ahead.retain(|next| !reached.contains(next));
        }
        reached
    }

    /// The other end of a veth pair, if it is here.
    fn other_end(&self, interface: &str) -> Option<String> {
        let number = |of: &str, what: &str| fs::read_to_string(self.interface(of).join(what)).ok();
        let (index, link) = (number(interface, "ifindex")?, number(interface, "iflink")?);
        let interfaces = names(&self.root.join("sys/class/net"));
        interfaces.into_iter().find(|other| {
            other != interface
                && number(other, "ifindex").as_deref() == Some(&link)
                && number(other, "iflink").as_deref() == Some(&index)
        })
    }

    fn interface(&self, name: &str) -> PathBuf {
        self.root.join("sys/class/net").join(name)
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root.join(path)).unwrap_or_default()
    }
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

/// Of `RTF_UP`, and not `RTF_REJECT`: the kernel keeps a default route to nowhere in IPv6.
fn is_in_use(flags: &str) -> bool {
    u32::from_str_radix(flags, 16).is_ok_and(|flags| flags & 0x201 == 1)
}

/// The names in a folder, in their order; none if it is not there.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    /// A machine made of files, with a default route over `eth0`.
    struct Files(TempDir);

    impl Files {
        fn with_default_route_over_eth0() -> Self {
            let files = Self(tempfile::tempdir().unwrap());
            files.write(
                "proc/net/route",
                "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n\
                 eth0 00000000 0102A8C0 0003 0 0 0 00000000 0 0 0\n\
                 eth1 0000120A 00000000 0001 0 0 0 0000FFFF 0 0 0\n",
            );
            for (index, interface) in ["eth0", "eth1", "eth2"].into_iter().enumerate() {
                files.write(&format!("sys/class/net/{interface}/ifindex"), &index.to_string());
                files.write(&format!("sys/class/net/{interface}/iflink"), &index.to_string());
            }
            files
        }

        fn write(&self, path: &str, text: &str) {
            let path = self.0.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }

        fn permit(&self, device: &str) -> Result<(), IsolationError> {
            Machine::at(self.0.path()).permit(&device.parse().unwrap())
        }

        fn refuses(&self, device: &str, over: &str, by: Option<&str>) {
            let (device, interface, via) = (device.to_owned(), over.to_owned(), by.map(str::to_owned));
            assert_eq!(self.permit(&device.clone()), Err(IsolationError::DefaultRoute { device, interface, via }));
        }
    }

    #[test]
    fn rfc_178_load_goes_to_the_networks_set_aside_for_it_and_elsewhere_only_if_a_person_says_so() {
        for (address, is_for_tests) in [
            ("198.18.0.0", true),
            ("198.19.255.255", true),
            ("198.17.255.255", false),
            ("198.20.0.0", false),
            ("192.0.2.1", false),
            ("2001:2::", true),
            ("2001:2:0:ffff:ffff:ffff:ffff:ffff", true),
            ("2001:2:1::", false),
            ("2001:db8::1", false),
        ] {
            let address: IpAddr = address.parse().unwrap();
            assert_eq!(permit(address, false).is_ok(), is_for_tests, "{address}");
            assert_eq!(permit(address, true), Ok(()), "{address}");
        }
        let refused = permit("192.0.2.1".parse().unwrap(), false).unwrap_err().to_string();
        assert!(refused.contains("198.18.0.0/15 and 2001:2::/48") && refused.contains("--any-address"), "{refused}");
    }

    #[test]
    fn rfc_178_load_does_not_leave_by_the_interface_of_the_default_route() {
        let machine = Files::with_default_route_over_eth0();
        machine.refuses("net_af_packet0,iface=eth0", "eth0", None);
        machine.refuses("net_pcap0,rx_pcap=x.pcap,tx_iface=eth0", "eth0", None);
        for allowed in ["net_af_packet0,iface=eth1", "net_null0", "net_vhost0,iface=/run/eth0", "net_tap0,iface=tap9"] {
            assert_eq!(machine.permit(allowed), Ok(()), "{allowed}");
        }
        let refused = machine.permit("net_af_packet0,iface=eth0").unwrap_err().to_string();
        assert!(refused.contains("carries the default route") && refused.contains("another port"), "{refused}");
    }

    #[test]
    fn rfc_178_nor_by_one_that_leads_there() {
        let machine = Files::with_default_route_over_eth0();
        machine.write("sys/class/net/eth1/upper_br0/ifindex", "7");
        machine.write("sys/class/net/br0/lower_eth0/ifindex", "1");
        machine.refuses("net_af_packet0,iface=eth1", "eth1", Some("eth0"));
        machine.write("sys/class/net/eth0/iflink", "2");
        machine.write("sys/class/net/eth2/iflink", "0");
        machine.refuses("net_af_packet0,iface=eth2", "eth2", Some("eth0"));
    }

    #[test]
    fn rfc_178_nor_by_the_card_of_it_be_it_a_virtio_one() {
        let machine = Files::with_default_route_over_eth0();
        machine.write("sys/bus/pci/devices/0000:03:00.0/net/eth1/ifindex", "1");
        machine.write("sys/bus/pci/devices/0000:04:00.0/virtio3/net/eth0/ifindex", "0");
        assert_eq!(machine.permit("03:00.0"), Ok(()));
        assert_eq!(machine.permit("05:00.0"), Ok(()), "a card that the kernel has given away");
        machine.refuses("0000:04:00.0", "eth0", None);
    }

    #[test]
    fn rfc_178_a_default_route_of_ipv6_counts_as_well_but_not_one_to_nowhere() {
        let machine = Files::with_default_route_over_eth0();
        let zeros = "0".repeat(32);
        machine.write(
            "proc/net/ipv6_route",
            &format!(
                "{zeros} 00 {zeros} 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003 eth1\n\
                 {zeros} 00 {zeros} 00 {zeros} ffffffff 00000001 00000000 00200200 lo\n"
            ),
        );
        machine.refuses("net_af_packet0,iface=eth1", "eth1", None);
        assert_eq!(machine.permit("net_af_packet0,iface=eth2"), Ok(()));
    }
}
