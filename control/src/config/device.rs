//! What is under a port, as DPDK is told: a PCI address or a virtual device, and its arguments.
//!
//! Whether DPDK has a driver for it is seen when ferryd starts; here it only has to be something DPDK could know.

use std::fmt::{self, Display};
use std::str::FromStr;

/// A device: `0000:03:00.0`, or `net_af_packet0,iface=veth0`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Device {
    name: String,
    args: String,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Pci,
    Virtual,
}

impl Device {
    /// What DPDK calls it: the full PCI address, or the virtual device's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What follows the name, without the comma between; often nothing.
    pub fn args(&self) -> &str {
        &self.args
    }

    /// Whether DPDK makes the device itself, rather than finding it on a bus.
    pub fn is_virtual(&self) -> bool {
        self.kind == Kind::Virtual
    }
}

impl Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.args.as_str() {
            "" => f.write_str(&self.name),
            args => write!(f, "{},{args}", self.name),
        }
    }
}

impl FromStr for Device {
    type Err = DeviceError;

    fn from_str(given: &str) -> Result<Self, DeviceError> {
        let (name, args) = match given.split_once(',') {
            Some((name, args)) => (name, Some(args)),
            None => (given, None),
        };
        let (name, kind) = match pci_address(name) {
            Some(address) => (address, Kind::Pci),
            None => (virtual_name(name)?, Kind::Virtual),
        };
        let args = args.map_or(Ok(""), |args| check_args(given, args))?;
        Ok(Self { name, args: args.to_owned(), kind })
    }
}

/// The full form of a PCI address, `DOMAIN:BUS:DEVICE.FUNCTION`; the domain may be left out, and is then 0.
fn pci_address(text: &str) -> Option<String> {
    let (bus_and_device, function) = text.rsplit_once('.')?;
    let mut parts = bus_and_device.rsplit(':');
    let (device, bus) = (parts.next()?, parts.next()?);
    let domain = parts.next().unwrap_or("0000");
    let hex = |part: &str, digits: std::ops::RangeInclusive<usize>| {
        digits.contains(&part.len()) && part.bytes().all(|digit| digit.is_ascii_hexdigit())
    };
    let is_address = parts.next().is_none()
        && hex(domain, 4..=8)
        && hex(bus, 2..=2)
        && hex(device, 2..=2)
        && matches!(function.as_bytes(), [b'0'..=b'7']);
    is_address.then(|| format!("{domain}:{bus}:{device}.{function}").to_ascii_lowercase())
}

fn virtual_name(name: &str) -> Result<String, DeviceError> {
    let given = name.to_owned();
    let is_word = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if name.is_empty() || !is_word {
        return Err(DeviceError::BadName { given });
    }
    if name.len() > MAX_NAME_BYTES {
        return Err(DeviceError::LongName { given });
    }
    // Every virtual network device of DPDK begins like this; a name that does not is usually a kernel interface's.
    if !["net_", "eth_", "virtio_user"].iter().any(|start| name.starts_with(start)) {
        return Err(DeviceError::KernelInterface { given });
    }
    Ok(given)
}

/// Arguments are `KEY=VALUE` or `KEY`, with commas between.
fn check_args<'a>(given: &str, args: &'a str) -> Result<&'a str, DeviceError> {
    let wrong = |part: &str| part.trim().is_empty() || part.starts_with('=') || part.chars().any(char::is_control);
    match args.split(',').find(|part| wrong(part)) {
        None => Ok(args),
        Some(part) => Err(DeviceError::BadArgument { given: given.to_owned(), part: part.to_owned() }),
    }
}

/// The longest name DPDK keeps of a device, less the byte that ends it.
const MAX_NAME_BYTES: usize = 63;

/// Why text is no device.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// Neither a PCI address nor a name.
    #[error("`{given}` is neither a PCI address nor the name of a virtual device")]
    BadName {
        /// What stood there.
        given: String,
    },
    /// DPDK would cut the name.
    #[error("`{given}` is longer than the {MAX_NAME_BYTES} bytes DPDK keeps of a device's name")]
    LongName {
        /// What stood there.
        given: String,
    },
    /// A name, but none that DPDK gives to its own.
    #[error("`{given}` is not a device of DPDK")]
    KernelInterface {
        /// What stood there.
        given: String,
    },
    /// Commas with nothing between, or an argument without a name.
    #[error("`{part}` is not an argument in `{given}`; arguments are `KEY=VALUE` with a comma between")]
    BadArgument {
        /// All that stood there.
        given: String,
        /// The argument.
        part: String,
    },
}

impl DeviceError {
    /// What to write instead.
    pub fn hint(&self) -> String {
        match self {
            Self::KernelInterface { given } => {
                format!("for the kernel's interface `{given}`, write \"net_af_packet0,iface={given}\"")
            }
            Self::BadName { .. } | Self::LongName { .. } | Self::BadArgument { .. } => {
                "write it like \"0000:03:00.0\" or \"net_af_packet0,iface=veth0\"".to_owned()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_told_to_dpdk_as_it_was_written() {
        for (text, name, is_virtual) in [
            ("net_af_packet0,iface=veth0,blocksz=4096", "net_af_packet0", true),
            ("net_pcap0,rx_pcap=/tmp/in put.pcap", "net_pcap0", true),
            ("virtio_user0", "virtio_user0", true),
            ("0000:03:00.0", "0000:03:00.0", false),
            ("0000:03:00.1,representor=[0,1]", "0000:03:00.1", false),
        ] {
            let device: Device = text.parse().unwrap();
            assert_eq!((device.to_string().as_str(), device.name(), device.is_virtual()), (text, name, is_virtual));
        }
    }

    #[test]
    fn one_pci_device_has_one_name() {
        let [short, long]: [Device; 2] = ["3B:00.1", "0000:3b:00.1"].map(|text| text.parse().unwrap());
        assert_eq!(short, long);
    }

    #[test]
    fn text_that_is_no_device_is_refused_for_its_reason() {
        for (text, reason) in [
            ("", "`` is neither a PCI address nor the name of a virtual device"),
            ("net null0", "`net null0` is neither a PCI address nor the name of a virtual device"),
            ("03:00.8", "`03:00.8` is neither a PCI address nor the name of a virtual device"),
            ("eth0", "`eth0` is not a device of DPDK"),
            ("net_null0,", "`` is not an argument in `net_null0,`; arguments are `KEY=VALUE` with a comma between"),
            ("net_tap0,=x", "`=x` is not an argument in `net_tap0,=x`; arguments are `KEY=VALUE` with a comma between"),
        ] {
            assert_eq!(text.parse::<Device>().unwrap_err().to_string(), reason);
        }
    }
}
