//! Whether the kernel interface under a port has a link, where the port's driver does not tell.
//!
//! `net_af_packet` calls its link up for as long as it runs, whatever becomes of the interface that it reads. The kernel
//! knows better, and says so in a file.

use std::path::PathBuf;

use control::config::Device;

/// The file in which the kernel says whether an interface has a link.
#[derive(Debug)]
pub(crate) struct Carrier(PathBuf);

impl Carrier {
    /// That of the interface under a device; nothing if there is none, or the driver tells itself.
    pub(crate) fn of(device: &Device) -> Option<Self> {
        let interface = interface_of(device.name(), device.args())?;
        let file = PathBuf::from("/sys/class/net").join(interface).join("carrier");
        // Where these files are another network's, there is nothing to ask.
        file.exists().then_some(Self(file))
    }

    /// Whether there is a link. An interface that is down, or gone, has none.
    pub(crate) fn is_there(&self) -> bool {
        std::fs::read(&self.0).is_ok_and(|said| said.starts_with(b"1"))
    }
}

fn interface_of<'a>(name: &str, args: &'a str) -> Option<&'a str> {
    let interface = args.split(',').find_map(|arg| arg.strip_prefix("iface="))?;
    (name.starts_with("net_af_packet") && !interface.contains('/')).then_some(interface)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_driver_that_does_not_tell_is_doubted() {
        assert_eq!(interface_of("net_af_packet0", "blocksz=4096,iface=veth0"), Some("veth0"));
        assert_eq!(interface_of("net_af_packet0", "iface=../eth0"), None, "no interface is called so");
        assert_eq!(interface_of("net_tap0", "iface=veth0"), None);
        assert_eq!(interface_of("net_null0", ""), None);
    }

    #[test]
    fn an_interface_that_is_not_there_has_no_link() {
        assert!(!Carrier(PathBuf::from("/sys/class/net/nobody-has-this/carrier")).is_there());
    }
}
