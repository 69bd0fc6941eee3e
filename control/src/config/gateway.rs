//! Gateways of the file's routes, and by what they are reached.
//!
//! The rules are those that a request meets ([`crate::gateways`]): a gateway is neither the destination itself, nor reached
//! by the very route that goes by it, nor behind another gateway. What it is reached by is asked of the file: of the routes
//! in its table and the networks of the table's ports, and of the main table where those do not cover it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::Range;

use control_api::{Family, Network};
use lpm::Prefix;
use toml::Spanned;

use super::mistake::Mistake;
use super::reach::Ports;
use super::read::RouteDraft;
use crate::gateways::{BadGateway, Reached};
use crate::packets::is_link_local;
use crate::routes::MAIN;

/// Says which gateways of these routes cannot be one; ports' networks are in all tables, or each in its port's.
pub(super) fn check_gateways(drafts: &[RouteDraft], ports: &Ports<'_>, are_in_all: bool, mistakes: &mut Vec<Mistake>) {
    let to = |draft| Some(((fib_of(draft), *draft.to.as_ref()?.get_ref()), draft));
    let file = File { routes: drafts.iter().filter_map(to).collect(), ports, are_in_all };
    for draft in drafts {
        let Some(to) = &draft.to else { continue };
        for via in &draft.via {
            mistakes.extend(file.wrong_with(to, fib_of(draft), &via.gateway));
        }
    }
}

/// All that leads to a gateway.
struct File<'d> {
    routes: HashMap<(u16, Network), &'d RouteDraft>,
    ports: &'d Ports<'d>,
    are_in_all: bool,
}

/// What it is reached by, and where that stands.
type Found = (Reached, Range<usize>);

impl File<'_> {
    fn wrong_with(&self, to: &Spanned<Network>, fib: u16, via: &Spanned<IpAddr>) -> Option<Mistake> {
        let (network, gateway) = (*to.get_ref(), *via.get_ref());
        if network.family() != Family::of(gateway) || is_link_local(gateway) {
            return None;
        }
        // That it is out of reach is said elsewhere.
        self.ports.network_of(gateway)?;
        let found = self.covering(fib, gateway, network).or_else(|| self.covering(MAIN, gateway, network));
        let (reached, at) = found.map_or((None, None), |(reached, at)| (Some(reached), Some(at)));
        let bad = BadGateway::of(network, gateway, reached)?;
        let mistake = Mistake::new(via.span(), bad.to_string(), "this gateway").help(bad.hint());
        Some(match (bad, at) {
            (BadGateway::BehindAnother { .. }, Some(at)) => mistake.also(at, "it is reached by this"),
            _ => mistake.also(to.span(), "this route"),
        })
    }

    /// The most specific of a table's routes to a gateway, but the one that goes by it.
    fn covering(&self, fib: u16, gateway: IpAddr, but: Network) -> Option<Found> {
        let bits = if gateway.is_ipv4() { 32 } else { 128 };
        let route = |len| {
            let network = within(gateway, len);
            let draft = self.routes.get(&(fib, network)).filter(|_draft| network != but)?;
            let at = draft.to.as_ref()?.span();
            Some((Reached { network, is_by_gateway: !draft.via.is_empty() }, at))
        };
        let by_route = (1..=bits).rev().find_map(route);
        let by_port = self.ports.network_of(gateway).filter(|(of_port, ..)| self.are_in_all || *of_port == fib);
        let by_port = by_port.map(|(_, network, at)| (Reached { network, is_by_gateway: false }, at));
        by_port.into_iter().chain(by_route).max_by_key(|(reached, _)| reached.network.len())
    }
}

/// The network of this length that an address is in.
fn within(address: IpAddr, len: u8) -> Network {
    match address {
        IpAddr::V4(address) => Prefix::containing(address, len).into(),
        IpAddr::V6(address) => Prefix::containing(address, len).into(),
    }
}

pub(super) fn fib_of(draft: &RouteDraft) -> u16 {
    draft.fib.as_ref().map_or(MAIN, |fib| *fib.get_ref())
}

#[cfg(test)]
mod tests {
    use super::super::Config;

    /// All that is said of a file with one port and these routes: line, column, message.
    fn said_of(routes: &str) -> Vec<String> {
        let port =
            "[[port]]\nname = \"left\"\ndevice = \"net_null0\"\naddresses = [\"192.0.2.1/24\", \"2001:db8:1::1/64\"]\n";
        match Config::parse("ferry.toml", &format!("{port}{routes}")) {
            Ok(_config) => Vec::new(),
            Err(error) => error.all().iter().map(|said| format!("{}:{} {said}", said.line(), said.column())).collect(),
        }
    }

    fn route(to: &str, via: &str) -> String {
        format!("[[route]]\nto = \"{to}\"\nvia = {via}\n")
    }

    // holds X43, X44, X45
    #[test]
    fn a_gateway_that_a_request_would_be_refused_for_is_a_mistake_of_the_file_with_its_place() {
        let rows = [
            (route("192.0.2.7/32", "\"192.0.2.7\""), vec!["7:7 the gateway 192.0.2.7 is the destination itself"]),
            (
                route("192.0.2.0/25", "\"192.0.2.7\""),
                vec!["7:7 the gateway 192.0.2.7 would be reached by the route to 192.0.2.0/25 itself"],
            ),
            (
                route("2001:db8:1::/96", "\"2001:db8:1::7\""),
                vec!["7:7 the gateway 2001:db8:1::7 would be reached by the route to 2001:db8:1::/96 itself"],
            ),
            (
                route("10.0.0.0/8", "[\"192.0.2.9\", \"192.0.2.7\"]") + &route("192.0.2.7/32", "\"192.0.2.9\""),
                vec!["7:21 the gateway 192.0.2.7 is behind a gateway itself: see 192.0.2.7/32"],
            ),
            (
                route("192.0.2.7/32", "\"192.0.2.8\"") + &route("192.0.2.8/32", "\"192.0.2.7\""),
                vec![
                    "7:7 the gateway 192.0.2.8 is behind a gateway itself: see 192.0.2.8/32",
                    "10:7 the gateway 192.0.2.7 is behind a gateway itself: see 192.0.2.7/32",
                ],
            ),
        ];
        for (routes, expected) in rows {
            assert_eq!(said_of(&routes), expected, "{routes}");
        }
    }

    // holds X43
    #[test]
    fn a_route_of_another_table_or_a_wider_one_is_not_what_a_gateway_is_reached_by() {
        let of_table_1 = route("192.0.2.7/32", "\"192.0.2.8\"") + "fib = 1\n";
        let wider = route("0.0.0.0/0", "\"192.0.2.8\"") + &route("192.0.0.0/16", "\"192.0.2.9\"");
        let routes = of_table_1 + &route("10.0.0.0/8", "\"192.0.2.7\"") + &wider;
        assert_eq!(said_of(&routes), Vec::<String>::new());
    }

    #[test]
    fn of_a_gateway_out_of_reach_that_is_all_that_is_said() {
        let said = said_of(&route("203.0.113.0/24", "\"203.0.113.7\""));
        assert_eq!(said, ["7:7 203.0.113.7 is in no port's network, so nobody could reach it"]);
    }
}
