//! `ferry pmtu`: what a router on the way may say to a host about what its link carries, said by a person.

use std::net::IpAddr;

use clap::Args;
use control_api::{PathMtu, Reply, Request};

use crate::context::Context;
use crate::failure::Failure;

#[derive(Debug, Args)]
pub(crate) struct Pmtu {
    /// Where the packet was to go.
    #[arg(value_name = "ADDRESS")]
    destination: IpAddr,
    /// What the link carries, in bytes; 0 if that was not said.
    #[arg(value_name = "MTU")]
    mtu: u16,
    /// How long the packet was: from that the MTU is guessed that was not said.
    #[arg(long, value_name = "BYTES", default_value_t = 0)]
    packet: u16,
    /// The table of routes; 0 is that of ports which name no other.
    #[arg(long, value_name = "N", default_value_t = 0)]
    fib: u16,
}

impl Pmtu {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let Self { destination, mtu, packet, fib } = self;
        let heard = PathMtu { fib, destination, mtu, packet };
        let Reply::Route(route) = context.ask(&Request::PathMtu(heard))? else {
            return Err(Failure::unexpected_answer());
        };
        context.say(&route, |_paint| {
            let metrics = route.detail.as_ref().map(|detail| detail.metrics).unwrap_or_default();
            let lock = if metrics.locks.contains(control_api::MetricMask::MTU) { " lock" } else { "" };
            format!("{} mtu{lock} {}\n", route.dst, metrics.mtu)
        })
    }
}
