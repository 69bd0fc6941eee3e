//! A port: what it is on its link, and what went through it.

use std::net::IpAddr;

use packet::ethernet::MacAddr;
use serde::{Deserialize, Serialize};

use crate::interface_address::InterfaceAddress;
use crate::text;

/// A port, close to what `ip -j -s link` and `ip -j addr` show of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// Its name in the configuration.
    pub ifname: String,
    /// The device under it, as DPDK is told; or which VLAN it is, on which port.
    pub device: String,
    /// The VLAN it is; absent for a port with a device of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vlan: Option<PortVlan>,
    /// The interface of the kernel on it; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tap: Option<PortTap>,
    /// The driver DPDK found for it.
    pub driver: String,
    /// Its MAC address.
    #[serde(with = "text")]
    pub address: MacAddr,
    /// The longest packet it carries, in bytes.
    pub mtu: u16,
    /// Whether there is a link.
    pub operstate: Link,
    /// Whether a person has taken it down, or the port whose device it is on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub admin_down: bool,
    /// Its IP addresses.
    pub addresses: Vec<InterfaceAddress>,
    /// Those of them, and of its link-local ones, that are not used, because another host may have them or has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unused: Vec<UnusedAddress>,
    /// What came in through it.
    pub rx: Traffic,
    /// What left through it.
    pub tx: Traffic,
    /// What the device itself counts; absent where it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hardware: Option<Hardware>,
}

/// An interface of the kernel on a port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortTap {
    /// Its name.
    pub ifname: String,
    /// The namespace it is in, if not ferryd's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub netns: Option<String>,
    /// What crossed.
    #[serde(flatten)]
    pub counts: TapCounts,
}

/// Frames between a port and the kernel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TapCounts {
    /// Given to the kernel.
    pub to_kernel: u64,
    /// Sent by the kernel, and passed on.
    pub from_kernel: u64,
    /// For the kernel, which took no more.
    pub lost: u64,
    /// Sent by the kernel and not passed on: from another station than the port's, or too long for its link.
    pub refused: u64,
}

/// A VLAN on a port's link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortVlan {
    /// The port with the device.
    pub link: String,
    /// The kind of the first tag on the wire: `802.1Q` or `802.1ad`.
    pub protocol: String,
    /// Its number.
    pub id: u16,
    /// The number of the provider's tag around it, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outer_id: Option<u16>,
}

/// An address of a port that is not used (RFC 4862 section 5.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnusedAddress {
    /// The address.
    pub address: IpAddr,
    /// Whether another host has it; otherwise that is being asked.
    pub duplicate: bool,
}

/// Whether there is a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Link {
    /// There is.
    Up,
    /// There is none.
    Down,
    /// The device does not tell.
    Unknown,
}

impl Link {
    /// The word for it in `ip(8)`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Up => "UP",
            Self::Down => "DOWN",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// Packets and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// How many.
    pub packets: u64,
    /// Their bytes, Ethernet header first, without the check sequence.
    pub bytes: u64,
}

/// What a device counts of frames that no worker ever saw.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hardware {
    /// Frames it had no room for: workers too slow, or too few descriptors.
    pub missed: u64,
    /// Frames it received broken.
    pub errors: u64,
    /// Frames it had no buffer for: too little memory.
    pub no_buffer: u64,
}
