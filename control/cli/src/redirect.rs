//! `ferry redirect`: what another router may say to a host in an ICMP redirect, said by a person.

use std::net::IpAddr;

use clap::Args;
use control_api::{Network, Reply, Request};

use crate::context::Context;
use crate::failure::Failure;
use crate::route::parse_prefix;

#[derive(Debug, Args)]
pub(crate) struct Redirect {
    /// The destination: an ADDRESS, as a rule, or a PREFIX.
    #[arg(value_name = "DESTINATION")]
    destination: String,
    /// The nearer gateway.
    #[arg(value_name = "GATEWAY")]
    gateway: IpAddr,
    /// The port the gateway is behind, where its address alone does not say.
    #[arg(long, value_name = "PORT")]
    dev: Option<String>,
    /// The gateway that says so: refused unless packets go by it now. By default you vouch for it.
    #[arg(long, value_name = "ADDRESS")]
    from: Option<IpAddr>,
    /// The table of routes; 0 is that of ports which name no other.
    #[arg(long, value_name = "N", default_value_t = 0)]
    fib: u16,
}

impl Redirect {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let Self { destination, gateway, dev, from: author, fib } = self;
        let dst = match destination.parse() {
            Ok(host) => Network::host(host),
            Err(_no_address) => parse_prefix(&destination, context.family())
                .map_err(|wrong| wrong.with_hint("see `ferry redirect --help`"))?,
        };
        let said = control_api::Redirect { fib, dst, gateway, dev, author };
        let Reply::Route(route) = context.ask(&Request::Redirect(said))? else {
            return Err(Failure::unexpected_answer());
        };
        // As with `route add`, no news is good news.
        context.say(&route, |_paint| String::new())
    }
}
