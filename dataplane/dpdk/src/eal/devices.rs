//! Devices, one by one, and what commonly is the matter with one that does not come up.
//!
//! Virtual devices are attached after the start and not by `--vdev`: one that fails would else fail the whole start, and
//! DPDK would not say which. PCI cards can be named only at the start; which of them came up is looked up afterwards.

use std::ffi::c_int;
use std::fs;
use std::path::Path;

use dpdk_sys as sys;

use super::{EalError, c_string, is_root, port_id};
use crate::device::Device;
use crate::log;

/// Attaches a virtual device.
pub(super) fn attach_virtual(device: &Device) -> Result<(), EalError> {
    if port_id(device.name()).is_some() {
        return Err(EalError::DeviceTwice { name: device.name().to_owned() });
    }
    let name = c_string(device.name());
    let arguments = c_string(device.arguments());
    let (result, log) = log::during(|| {
        // SAFETY: three C strings, which DPDK copies.
        unsafe { sys::rte_eal_hotplug_add(c"vdev".as_ptr(), name.as_ptr(), arguments.as_ptr()) }
    });
    match result {
        0 if port_id(device.name()).is_some() => {
            log::keep(log);
            Ok(())
        }
        NO_DRIVER => Err(EalError::NoDriver { device: device.to_string() }),
        _ => Err(EalError::Device { device: device.to_string(), hint: driver_hint(device, &log), log }),
    }
}

/// Whether a card that was named at the start came up.
pub(super) fn find_pci(device: &Device) -> Result<(), EalError> {
    if port_id(device.name()).is_some() {
        return Ok(());
    }
    Err(EalError::Device { device: device.to_string(), hint: card_hint(device), log: log::take() })
}

/// What commonly is the matter with a virtual device. Drivers that sit on a kernel interface take its name as `iface`.
fn driver_hint(device: &Device, log: &[String]) -> String {
    let on_the_kernel = |drivers: &[&str]| drivers.iter().any(|driver| device.name().starts_with(driver));
    match device.argument("iface") {
        None if on_the_kernel(&["net_af_packet", "net_af_xdp"]) => {
            format!(
                ": name the interface it is to use, as in `{},iface=eth0`; there are {}",
                device.name(),
                interfaces()
            )
        }
        Some(interface)
            if on_the_kernel(&["net_af_packet", "net_af_xdp", "net_pcap"])
                && !Path::new(INTERFACES).join(interface).exists() =>
        {
            format!(": there is no interface `{interface}` here; there are {}", interfaces())
        }
        Some(interface) if on_the_kernel(&["net_af_packet", "net_af_xdp", "net_pcap"]) && !is_root() => {
            format!(
                ": no permission to open a packet socket on `{interface}`, perhaps; \
                 run as root, or with CAP_NET_RAW and CAP_NET_ADMIN"
            )
        }
        // The EAL says that the driver refused, and the driver not why.
        _ if !device.arguments().is_empty() && log.iter().all(|line| line.starts_with("EAL:")) => {
            ": its driver may not know one of its arguments".to_owned()
        }
        _ => String::new(),
    }
}

/// The kernel's network interfaces that this process can see.
fn interfaces() -> String {
    names_in(INTERFACES, |_any| true)
}

/// Whether a card is there, and whose it is.
fn card_hint(device: &Device) -> String {
    let card = Path::new(PCI_CARDS).join(device.name());
    if !card.exists() {
        return format!(": there is no card at this address; network cards here: {}", network_cards());
    }
    if !is_network_card(&card) {
        return format!(": what is at this address is no network card; network cards here: {}", network_cards());
    }
    let driver = fs::read_link(card.join("driver")).ok();
    match driver.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy()) {
        None => ": no kernel driver has it; bind it to vfio-pci".to_owned(),
        Some(driver) if driver == "vfio-pci" => String::new(),
        Some(driver) => format!(": the kernel's driver `{driver}` has it; most cards must be bound to vfio-pci"),
    }
}

/// The addresses of the machine's network cards, whoever has them.
fn network_cards() -> String {
    names_in(PCI_CARDS, is_network_card)
}

fn is_network_card(card: &Path) -> bool {
    fs::read_to_string(card.join("class")).is_ok_and(|class| class.starts_with(PCI_CLASS_NETWORK))
}

/// The names of those in `folder` that are `wanted`, for people.
fn names_in(folder: &str, wanted: impl Fn(&Path) -> bool) -> String {
    let found = fs::read_dir(folder).into_iter().flatten().flatten().filter(|entry| wanted(&entry.path()));
    let mut names: Vec<_> = found.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// Where the kernel lists its network interfaces.
const INTERFACES: &str = "/sys/class/net";

/// Where the kernel lists what is on the PCI bus, a folder for each.
const PCI_CARDS: &str = "/sys/bus/pci/devices";

/// How the class of a network card begins.
const PCI_CLASS_NETWORK: &str = "0x02";

/// `-EFAULT`: what attaching a virtual device answers when no driver claims its name.
const NO_DRIVER: c_int = -14;
