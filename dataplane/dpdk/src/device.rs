//! What a configuration may name as a port: a card by its PCI address, or a virtual device by its driver.

use std::fmt;
use std::str::FromStr;

/// A device, as the configuration names it; parsing is the only way to one.
///
/// - `0000:03:00.0`, or `03:00.0` in domain 0: a PCI address.
/// - `net_af_packet0,iface=veth0`: a virtual device. Its name begins with its driver's (`net_...`), arguments follow.
///
/// A PCI device may have arguments as well: `03:00.0,representor=[0-3]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    bus: Bus,
    name: String,
    arguments: String,
}

/// The DPDK bus a device is found on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bus {
    Pci,
    Virtual,
}

impl Device {
    /// Its name, which is also the name of its port: `0000:03:00.0`, `net_af_packet0`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What follows the first comma; empty if nothing does.
    #[must_use]
    pub fn arguments(&self) -> &str {
        &self.arguments
    }

    /// Whether it is a card on the PCI bus.
    #[must_use]
    pub fn is_pci(&self) -> bool {
        self.bus == Bus::Pci
    }

    pub(crate) fn bus(&self) -> Bus {
        self.bus
    }

    /// The value of the argument `key`, if it has one.
    pub(crate) fn argument(&self, key: &str) -> Option<&str> {
        self.arguments.split(',').filter_map(|pair| pair.split_once('=')).find(|(k, _)| *k == key).map(|(_, v)| v)
    }
}

impl FromStr for Device {
    type Err = DeviceError;

    fn from_str(text: &str) -> Result<Self, DeviceError> {
        let (name, arguments) = text.split_once(',').unwrap_or((text, ""));
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(DeviceError::Blank(text.to_owned()));
        }
        let (bus, name) = if name.contains(':') {
            (Bus::Pci, pci_address(name).ok_or_else(|| DeviceError::PciAddress(name.to_owned()))?)
        } else {
            (Bus::Virtual, virtual_name(name)?)
        };
        Ok(Self { bus, name, arguments: arguments.to_owned() })
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if self.arguments.is_empty() { Ok(()) } else { write!(f, ",{}", self.arguments) }
    }
}

/// Why a text names no device.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// It has blanks or control characters in it.
    #[error("device `{0}` has a blank in it; arguments are separated by commas alone")]
    Blank(String),
    /// It has a colon, so it should be a PCI address.
    #[error("`{0}` is not a PCI address such as `0000:03:00.0` or `03:00.0`")]
    PciAddress(String),
    /// It is not the name of a driver, perhaps that of a kernel interface.
    #[error(
        "`{0}` is neither a PCI address nor a virtual device, whose name begins with `net_`; \
         the kernel's interface of that name would be `net_af_packet0,iface={0}`"
    )]
    NotADriver(String),
    /// Longer than DPDK can keep.
    #[error("device name `{name}` is longer than {} bytes", LONGEST_NAME)]
    TooLong {
        /// The name.
        name: String,
    },
}

/// `[domain:]bus:device.function` in hexadecimal, written out in full.
fn pci_address(text: &str) -> Option<String> {
    let (bus_and_domain, device_and_function) = text.rsplit_once(':')?;
    let (domain, bus) = bus_and_domain.rsplit_once(':').unwrap_or(("0", bus_and_domain));
    let (device, function) = device_and_function.split_once('.')?;
    let [domain, bus, device, function] =
        [hex(domain, u32::MAX)?, hex(bus, 0xff)?, hex(device, 0x1f)?, hex(function, 7)?];
    Some(format!("{domain:04x}:{bus:02x}:{device:02x}.{function}"))
}

fn hex(digits: &str, most: u32) -> Option<u32> {
    // `from_str_radix` would accept a sign.
    if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u32::from_str_radix(digits, 16).ok().filter(|number| *number <= most)
}

fn virtual_name(text: &str) -> Result<String, DeviceError> {
    if !text.starts_with("net_") {
        return Err(DeviceError::NotADriver(text.to_owned()));
    }
    if text.len() > LONGEST_NAME {
        return Err(DeviceError::TooLong { name: text.to_owned() });
    }
    Ok(text.to_owned())
}

/// DPDK's limit, less the NUL.
const LONGEST_NAME: usize = dpdk_sys::RTE_ETH_NAME_MAX_LEN as usize - 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pci_address_is_written_out_in_full() {
        for text in ["0000:03:00.0", "03:00.0", "0:3:0.0"] {
            let device: Device = text.parse().unwrap();
            assert_eq!(device.name(), "0000:03:00.0", "{text}");
            assert!(device.is_pci(), "{text}");
        }
    }

    #[test]
    fn a_virtual_device_is_a_driver_and_its_arguments() {
        let device: Device = "net_af_packet0,iface=veth0,qpairs=2".parse().unwrap();
        assert_eq!(device.name(), "net_af_packet0");
        assert_eq!(device.arguments(), "iface=veth0,qpairs=2");
        assert_eq!(device.argument("iface"), Some("veth0"));
        assert_eq!(device.argument("nothing"), None);
        assert_eq!(device.to_string(), "net_af_packet0,iface=veth0,qpairs=2");
        assert!(!device.is_pci());
    }

    #[test]
    fn what_is_not_a_device_says_what_one_looks_like() {
        let refused: [(&str, DeviceError); 7] = [
            ("eth0", DeviceError::NotADriver("eth0".into())),
            ("", DeviceError::NotADriver("".into())),
            ("03:00", DeviceError::PciAddress("03:00".into())),
            ("03:20.0", DeviceError::PciAddress("03:20.0".into())),
            ("03:00.8", DeviceError::PciAddress("03:00.8".into())),
            ("03:+0.0", DeviceError::PciAddress("03:+0.0".into())),
            ("net_null0, copy=1", DeviceError::Blank("net_null0, copy=1".into())),
        ];
        for (text, error) in refused {
            assert_eq!(text.parse::<Device>(), Err(error), "{text}");
        }
        let long = format!("net_{}", "x".repeat(60));
        assert_eq!(long.parse::<Device>(), Err(DeviceError::TooLong { name: long.clone() }));
    }
}
