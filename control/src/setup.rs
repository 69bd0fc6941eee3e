//! What a control plane starts from, and how a configuration becomes it.

use std::sync::Arc;

use boundary::PortState;

use crate::config::{self, Config};
use crate::fpm;
use crate::limits::IcmpLimits;
use crate::multipath::Multipath;
use crate::ports::PortInfo;
use crate::queues::Queues;
use crate::routes::Fibs;
use crate::tap::Kernel;
use crate::timers;

/// All that the control thread starts from.
#[derive(Debug, Default)]
pub struct Setup {
    /// The ports, by [`PortId`](boundary::PortId): the same, and in the same order, as in the first forwarding state.
    pub ports: Vec<PortInfo>,
    /// Which tables of routes there are.
    pub fibs: Fibs,
    /// The number of the table that what comes in through each port is forwarded by, in the order of `ports`; the main one,
    /// 0, for a port that has no place here.
    pub port_fibs: Vec<u16>,
    /// Whether the routes of ports' addresses are in all tables, or each in its port's (`net.add_addr_allfibs`).
    pub add_addr_allfibs: bool,
    /// Whether packets are counted for every route that does not say otherwise.
    pub count_packets: bool,
    /// How what goes to one network is divided among several routes.
    pub multipath: Multipath,
    /// Static routes.
    pub routes: Vec<config::Route>,
    /// How many timers of routes there may be.
    pub timers: timers::Limits,
    /// Static neighbours.
    pub neighbours: Vec<config::Neighbour>,
    /// What each port does on its link, in the order of `ports`; a port that has no place here does what one does by default.
    pub links: Vec<config::LinkSettings>,
    /// How many ICMP messages may leave.
    pub icmp: IcmpLimits,
    /// Whether packets go the way that their sender wrote into them (RFC 791).
    pub source_routes: bool,
    /// Whether to make MAC addresses up instead of asking for them: for captures, where nobody would answer.
    pub assume_neighbours: bool,
    /// The receive queues of the ports, if there are workers to divide them among.
    pub queues: Queues,
    /// The kernel's interfaces on ports, if there are any.
    pub kernel: Option<Box<dyn Kernel>>,
    /// How a routing daemon is listened to, if one is.
    pub fpm: Option<fpm::Settings>,
    /// The configuration all this is from, which another is held against while ferry runs.
    pub config: Option<Arc<Config>>,
}

impl Setup {
    /// What `config` says of ports whose devices are in these states, in the same order.
    pub fn new(config: &Config, states: impl IntoIterator<Item = PortState>) -> Self {
        let port = |(port, state): (&config::Port, PortState)| PortInfo {
            name: port.name.clone(),
            device: config.under(port),
            addresses: port.addresses.clone(),
            state,
            directed_broadcast: port.directed_broadcast,
        };
        Self {
            ports: config.ports().iter().zip(states).map(port).collect(),
            fibs: config.routing().fibs,
            port_fibs: config.ports().iter().map(|port| port.fib).collect(),
            add_addr_allfibs: config.routing().add_addr_allfibs,
            count_packets: config.routing().count_packets,
            multipath: config.routing().multipath(0),
            routes: config.routes().to_vec(),
            timers: timers::Limits::default(),
            neighbours: config.neighbours().to_vec(),
            links: config.ports().iter().map(|port| port.link.clone()).collect(),
            icmp: *config.icmp(),
            source_routes: config.source_routes(),
            assume_neighbours: false,
            queues: Queues::default(),
            kernel: None,
            fpm: config.fpm().cloned(),
            config: Some(Arc::new(config.clone())),
        }
    }
}
