//! The configuration: one TOML file, read into a [`Config`] that cannot be invalid.
//!
//! ```toml
//! [api]
//! socket = "/run/ferry/ferry.sock"          # optional; this is the default
//!
//! [dpdk]                                    # optional, as is everything in it
//! memory_mib = 256                          # default: what DPDK takes by itself
//! huge_pages = "auto"                       # or "always", "never"
//! args = ["--log-level=pmd:debug"]          # more arguments for DPDK, for experts
//!
//! [routing]                                 # optional, as is everything in it
//! fibs = 3                                  # tables of routes there are, numbered from 0; default: those that ports and routes name
//! add_addr_allfibs = false                  # whether ports' addresses have their routes in all tables, or in the port's
//! seed = 7                                  # of how flows are divided among gateways; default: another in every run
//! symmetric = false                         # whether both directions of a conversation are one flow
//! addresses_only = false                    # whether ports and protocol are left out of it
//! count_packets = false                     # whether packets are counted for every route, unless it says otherwise itself
//!
//! [[worker]]                                # optional; default: one, on the last core ferryd may run on
//! core = 1
//! idle = "poll"                             # or "adaptive": rest ever longer while nothing comes, 100 microseconds at most
//! queues = ["left:0", "right:0"]            # what it polls; default: receive queues are spread over all workers
//!
//! [[port]]
//! name = "left"
//! device = "net_af_packet0,iface=veth0"     # a PCI address, or a virtual device with its arguments
//! addresses = ["192.0.2.1/24", "2001:db8:1::1/64"]
//! mtu = 1500                                # optional, as are the following
//! fib = 1                                   # the table that packets from here are forwarded by; default: 0
//! mac = "02:00:00:00:00:01"
//! promiscuous = true
//! reverse_path = "strict"                   # and more of what it asks of packets: see `filter.rs`
//! queues = 2                                # receive queues; default: one for each worker, as far as the device has them
//! rss = "device"                            # or "symmetric": both directions of a conversation by the same queue
//! rx_descriptors = 1024
//! tx_descriptors = 1024
//! tap = true                                # an interface of the kernel on the port, called like it; or tap = "NAME"
//! tap_netns = "bgp"                         # in this namespace (`ip netns`); default: ferryd's own
//!
//! [port.neighbours]                         # optional, as is everything in it; these are the defaults
//! resolution_rate = 1000                    # ARP requests and neighbour solicitations a second
//! max_unresolved = 1024                     # neighbours that are being asked for
//! max_known = 16384
//! queue_packets = 8                         # that wait for one neighbour
//! queue_bytes = 16384
//! duplicate_probes = 1                      # before an IPv6 address of ours is used
//! proxy_arp = false                         # whether to answer for hosts behind other ports
//! proxy_nd = []                             # for which IPv6 networks behind other ports
//!
//! [port.router_advertisements]              # optional: without it hosts are told nothing; these are the defaults
//! max_interval_seconds = 600
//! min_interval_seconds = 200                # default: a third of it
//! lifetime_seconds = 1800                   # default: three times the longest interval
//! hop_limit = 64
//! managed = false                           # addresses by DHCPv6
//! other = false                             # other configuration by DHCPv6
//! preference = "medium"                     # or "low", "high"
//! reachable_ms = 0
//! retransmit_ms = 0
//! resolvers = []                            # of names, IPv6 addresses
//!
//! [[port.router_advertisements.prefix]]     # optional; default: the port's own networks
//! prefix = "2001:db8:1::/64"
//! on_link = true
//! autonomous = true                         # default: whether it is a /64
//! valid_seconds = 2592000
//! preferred_seconds = 604800
//!
//! [[port]]
//! name = "left.100"
//! parent = "left"                           # instead of `device`: a VLAN on that port's link
//! vlan = 100                                # 1 to 4094
//! outer_vlan = 200                          # optional: a provider's tag around it (802.1ad, "QinQ")
//! protocol = "802.1ad"                      # the first tag on the wire; default: "802.1Q", with outer_vlan "802.1ad"
//! addresses = ["10.100.0.1/24"]             # and mtu: as above; default: the parent's
//!
//! [[route]]
//! to = "0.0.0.0/0"
//! via = "192.0.2.2"                         # [and dev = "left"], or dev = "left" alone,
//!                                           # or blackhole = true, or unreachable = true, or prohibit = true
//! [[route]]
//! to = "10.0.0.0/8"                         # several gateways share, each as much as it weighs: 1, if that is not said
//! via = ["192.0.2.2", { address = "192.0.2.3", weight = 2 }]
//! count = true                              # whether packets sent by it are counted; default: as `count_packets` says
//!
//! [[neighbour]]
//! port = "left"
//! address = "192.0.2.2"
//! mac = "02:00:00:00:02:02"
//! ```
//!
//! A `[[filter]]` is explained in `filter.rs`, `[icmp]` in `icmp.rs`, `[fpm]` in `fpm.rs`; `source_routes = true` in `[ip]` lets packets go the
//! way that their sender wrote into them.
//!
//! Reading has two steps. `read` turns text into values, one at a time, each with its place in the file; `check` holds the
//! values against each other: no two ports in one network, no gateway that no port reaches. Both collect what they find
//! wrong and go on, so that one run shows all [`Mistake`]s of a file, each with its line and what to write instead. What
//! has passed both is a [`Config`]: names have become [`PortId`]s, and nobody needs to check again.

mod check;
mod device;
mod difference;
mod filter;
mod fpm;
mod gateway;
mod icmp;
mod link;
mod mistake;
mod queues;
mod reach;
mod read;
mod restart;
mod tap;
mod value;
mod vlan;

use std::fs::File;
use std::io::{self, Read};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use boundary::policy::Filter;
use boundary::{Mtu, Policy, PortId, PortState, Vlan};
pub use control_api::{InterfaceAddress, Network};
use packet::ethernet::MacAddr;

use crate::limits::IcmpLimits;

pub(crate) use difference::{Difference, Step, are_same};

pub use device::{Device, DeviceError};
pub use link::{AdvertisedPrefix, AdvertisementSettings, LinkSettings, NeighbourSettings};
pub use mistake::{ConfigError, FileError, Mistake};
pub use queues::{Idle, Rss};
pub use tap::Tap;

use crate::fpm::Settings;
use crate::multipath::Multipath;
use crate::routes::Fibs;

/// All that ferryd is told at its start.
///
/// Only [`Config::load`] and [`Config::parse`] make one, so holding it proves what they check: at least one port and one
/// worker, names and devices and cores that occur once, networks that belong to one port, and every gateway and neighbour
/// in reach of the port it is behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    socket: PathBuf,
    dpdk: Dpdk,
    routing: Routing,
    workers: Vec<Worker>,
    ports: Vec<Port>,
    queue_map: Option<Vec<Vec<usize>>>,
    routes: Vec<Route>,
    neighbours: Vec<Neighbour>,
    filters: Vec<Filter>,
    icmp: IcmpLimits,
    source_routes: bool,
    fpm: Option<Settings>,
}

impl Config {
    /// Reads the file at `path`.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or has mistakes; then with all of them.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let name = path.display().to_string();
        match read_file(path) {
            Ok(text) => Self::parse(&name, &text),
            Err(error) => Err(ConfigError::file(name, error)),
        }
    }

    /// Reads `text`; `name` is what messages call it.
    ///
    /// # Errors
    ///
    /// When it has mistakes; with all of them.
    pub fn parse(name: &str, text: &str) -> Result<Self, ConfigError> {
        let (draft, mut mistakes) = read::read(text);
        let config = check::check(draft, &mut mistakes);
        match config {
            Some(config) if mistakes.is_empty() => Ok(config),
            Some(_) | None => Err(ConfigError::mistakes(name, text, mistakes)),
        }
    }

    /// Where the API listens.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// How DPDK is started.
    pub fn dpdk(&self) -> &Dpdk {
        &self.dpdk
    }

    /// The workers; at least one.
    pub fn workers(&self) -> &[Worker] {
        &self.workers
    }

    /// The ports, by [`PortId`]; at least one, and those with devices before those on other ports' devices.
    pub fn ports(&self) -> &[Port] {
        &self.ports
    }

    /// The ports with a device, and it; by [`PortId`].
    pub fn devices(&self) -> impl Iterator<Item = (&Port, &Device)> {
        self.ports.iter().map_while(|port| match &port.under {
            Under::Device(device) => Some((port, device)),
            Under::Vlan(_) => None,
        })
    }

    /// Which worker polls each receive queue, by [`PortId`] and number, if the file says so: their places among
    /// [`workers`](Self::workers).
    pub fn queue_map(&self) -> Option<&[Vec<usize>]> {
        self.queue_map.as_deref()
    }

    /// What workers know of the ports, by [`PortId`]; `macs` are the addresses of the devices.
    ///
    /// # Panics
    ///
    /// When a device has no address.
    pub fn port_states(&self, macs: impl IntoIterator<Item = MacAddr>) -> Vec<PortState> {
        let mut states: Vec<PortState> = Vec::with_capacity(self.ports.len());
        let mut macs = macs.into_iter();
        for port in &self.ports {
            states.push(match port.under {
                Under::Device(_) => {
                    let mac = macs.next().expect("one for each device");
                    let (link_local, promiscuous) = (mac.link_local(), port.promiscuous);
                    let (policy, tap) = (port.policy, port.tap.is_some());
                    PortState { mac, mtu: port.mtu, link_local, promiscuous, policy, tap, vlan: None }
                }
                Under::Vlan(vlan) => {
                    let (mtu, policy, tap) = (port.mtu, port.policy, port.tap.is_some());
                    PortState { mtu, policy, tap, vlan: Some(vlan), ..states[vlan.parent.index()] }
                }
            });
        }
        states
    }

    /// What is under a port, in words.
    pub fn under(&self, port: &Port) -> String {
        self.shown_under(&port.under)
    }

    fn shown_under(&self, under: &Under) -> String {
        match under {
            Under::Device(device) => device.to_string(),
            Under::Vlan(vlan) => format!("vlan {} on {}", vlan.tags, self.port(vlan.parent).name),
        }
    }

    /// The port with this `id`.
    pub fn port(&self, id: PortId) -> &Port {
        &self.ports[id.index()]
    }

    /// Which port has this name.
    pub fn port_named(&self, name: &str) -> Option<PortId> {
        let place = self.ports.iter().position(|port| port.name == name)?;
        Some(PortId(u16::try_from(place).expect("check refuses more than MAX_PORTS")))
    }

    /// The tables, and how flows are divided.
    pub fn routing(&self) -> &Routing {
        &self.routing
    }

    /// The static routes; several to the same network share.
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// The static neighbours.
    pub fn neighbours(&self) -> &[Neighbour] {
        &self.neighbours
    }

    /// How many ICMP messages may leave.
    pub fn icmp(&self) -> &IcmpLimits {
        &self.icmp
    }

    /// Whether packets go the way that their sender wrote into them.
    pub fn source_routes(&self) -> bool {
        self.source_routes
    }

    /// How a routing daemon is listened to, if one is.
    pub fn fpm(&self) -> Option<&Settings> {
        self.fpm.as_ref()
    }

    /// What is no mistake, and seldom meant: whoever runs by it is told.
    pub fn remarks(&self) -> impl Iterator<Item = String> {
        self.fpm.iter().filter_map(fpm::remark)
    }

    /// The filters that ports' policies name, by their ids.
    pub fn filters(&self) -> &[Filter] {
        &self.filters
    }
}

/// The tables, and how flows are divided among several routes to one network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Routing {
    /// Which tables there are.
    pub fibs: Fibs,
    /// Whether the routes of ports' addresses are in all tables, or each in its port's.
    pub add_addr_allfibs: bool,
    /// The secret that flows are divided by; if absent, whoever starts makes one up.
    pub seed: Option<u64>,
    /// Whether both directions of a conversation are one flow.
    pub symmetric: bool,
    /// Whether ports and protocol are left out of it.
    pub addresses_only: bool,
    /// Whether packets are counted for every route that does not say otherwise.
    pub count_packets: bool,
}

impl Routing {
    /// How flows are divided; with this secret, unless the file has one.
    pub fn multipath(&self, seed: u64) -> Multipath {
        let mut multipath = Multipath::seeded(self.seed.unwrap_or(seed));
        (multipath.flows.symmetric, multipath.flows.addresses_only) = (self.symmetric, self.addresses_only);
        multipath
    }
}

/// How DPDK is started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dpdk {
    /// Memory to take, in MiB; if absent, DPDK decides.
    pub memory_mib: Option<u32>,
    /// Whether to take huge pages.
    pub huge_pages: HugePages,
    /// Further arguments, as DPDK reads them.
    pub args: Vec<String>,
}

/// Whether to take huge pages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum HugePages {
    /// If there are some.
    #[default]
    Auto,
    /// Yes; without them ferryd does not start.
    Always,
    /// No.
    Never,
}

/// A thread that polls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Worker {
    /// The core it polls on.
    pub core: Core,
    /// What it does while nothing comes in.
    pub idle: Idle,
}

/// Which core a worker polls on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Core {
    /// The last of those ferryd may run on: the first ones are where the rest of the system lives.
    Last,
    /// This one.
    Number(usize),
}

/// A port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// What people call it; letters, digits, `.`, `_` and `-`, so that it can name a file.
    pub name: String,
    /// What is under it.
    pub under: Under,
    /// Its own addresses, each with the network it stands in.
    pub addresses: Vec<InterfaceAddress>,
    /// The longest packet it carries.
    pub mtu: Mtu,
    /// Its MAC address, if not the device's own.
    pub mac: Option<MacAddr>,
    /// Whether it takes frames to any station.
    pub promiscuous: bool,
    /// What it asks of packets that come in.
    pub policy: Policy,
    /// Whether packets to the broadcast of its network become broadcasts on its link (RFC 2644).
    pub directed_broadcast: bool,
    /// How many receive queues it has; if absent, one for each worker, as far as its device has them.
    pub queues: Option<u16>,
    /// How flows come to be spread over them.
    pub rss: Rss,
    /// How many frames the device can hold for a worker to take; if absent, the device decides.
    pub rx_descriptors: Option<u16>,
    /// How many frames it can hold that are to leave; if absent, the device decides.
    pub tx_descriptors: Option<u16>,
    /// The interface that the kernel has on it.
    pub tap: Option<Tap>,
    /// The table that what comes in through it is forwarded by.
    pub fib: u16,
    /// What it does on its link.
    pub link: LinkSettings,
}

/// What is under a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Under {
    /// A device of its own.
    Device(Device),
    /// A VLAN on the device of a port that has one.
    Vlan(Vlan),
}

/// A static route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// Which destinations.
    pub to: Network,
    /// Where they go.
    pub target: Target,
    /// What it gets beside others to the same destinations.
    pub weight: u32,
    /// The table it is in.
    pub fib: u16,
    /// Whether packets sent by it are counted, if that is said.
    pub count: Option<bool>,
}

/// Where a static route leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Target {
    /// To a gateway of the route's family, in reach of the port.
    Via {
        /// The gateway.
        gateway: IpAddr,
        /// The port it is behind.
        port: PortId,
    },
    /// To the hosts on a port's link themselves.
    Link(PortId),
    /// Nowhere, in silence.
    Blackhole,
    /// Nowhere, and the sender is told.
    Unreachable,
    /// Nowhere, and the sender is told that somebody wants it so.
    Prohibit,
}

/// A neighbour whose MAC address nobody needs to ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Neighbour {
    /// The port it is behind.
    pub port: PortId,
    /// Its address, in one of the port's networks or link-local.
    pub address: IpAddr,
    /// Its MAC address.
    pub mac: MacAddr,
}

/// Most ports there can be.
pub const MAX_PORTS: usize = 128;

/// The longest file read, in bytes: room for a hundred thousand static routes, and no more.
pub const MAX_FILE_BYTES: u64 = 16 << 20;

fn read_file(path: &Path) -> Result<String, FileError> {
    let mut bytes = Vec::new();
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(FileError::Directory);
    }
    // A pipe does not tell its length, and a file may grow: what counts is what was read.
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(FileError::TooLarge);
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        FileError::NotText { line: good.iter().filter(|byte| **byte == b'\n').count() + 1, offset: good.len() }
    })
}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing,
            io::ErrorKind::PermissionDenied => Self::PermissionDenied,
            _other => Self::Unreadable(error),
        }
    }
}

#[cfg(test)]
mod tests;
