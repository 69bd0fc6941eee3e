//! `ferry route`: in the words of `ip route`.

use std::net::IpAddr;

use clap::{Args, Subcommand};
use control_api::{
    Family, Network, NetworkError, NextHopState, Reply, Request, Route as Shown, RouteFilter, RouteKind, Selection,
    Target,
};

use crate::context::Context;
use crate::failure::Failure;
use crate::table::{Table, Tone, toned, word};

#[derive(Debug, Args)]
pub(crate) struct Route {
    /// What to do; `show` if nothing is said.
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show routes: all, PREFIX, root PREFIX (and below), match PREFIX (and above); [dev PORT].
    #[command(visible_alias = "list")]
    #[command(override_usage = "ferry route show [[root|match] PREFIX] [dev PORT]")]
    Show {
        /// Which routes.
        #[arg(value_name = "WHICH")]
        words: Vec<String>,
    },
    /// Add a route: PREFIX via GATEWAY [dev PORT], PREFIX dev PORT, blackhole PREFIX, unreachable PREFIX.
    #[command(override_usage = ADD_USAGE)]
    Add {
        /// The route; PREFIX may be `default`.
        #[arg(value_name = "ROUTE", required = true)]
        words: Vec<String>,
    },
    /// Add a route, or put it in place of the one to the same PREFIX.
    #[command(override_usage = REPLACE_USAGE)]
    Replace {
        /// The route, as for `add`.
        #[arg(value_name = "ROUTE", required = true)]
        words: Vec<String>,
    },
    /// Delete a route.
    #[command(visible_alias = "delete")]
    #[command(override_usage = "ferry route del PREFIX")]
    Del {
        /// Its PREFIX, or `default`.
        #[arg(value_name = "PREFIX", required = true)]
        words: Vec<String>,
    },
    /// Ask which route a packet to ADDRESS takes.
    Get {
        /// The packet's destination.
        address: String,
    },
}

const ADD_USAGE: &str = "\
ferry route add PREFIX via GATEWAY [dev PORT]
       ferry route add PREFIX dev PORT
       ferry route add blackhole|unreachable PREFIX";

const REPLACE_USAGE: &str = "\
ferry route replace PREFIX via GATEWAY [dev PORT]
       ferry route replace PREFIX dev PORT
       ferry route replace blackhole|unreachable PREFIX";

impl Route {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let family = context.family();
        match self.verb.unwrap_or(Verb::Show { words: Vec::new() }) {
            Verb::Show { words } => show(context, filter(&words, family)?),
            Verb::Add { words } => {
                let (to, target) = route(&words, family)?;
                change(context, &Request::RouteAdd { to, target })
            }
            Verb::Replace { words } => {
                let (to, target) = route(&words, family)?;
                change(context, &Request::RouteReplace { to, target })
            }
            Verb::Del { words } => change(context, &Request::RouteDel { to: prefix_alone(&words, family)? }),
            Verb::Get { address } => get(context, parse_address(&address)?),
        }
    }
}

fn change(context: &Context, request: &Request) -> Result<(), Failure> {
    let Reply::Done = context.ask(request)? else { return Err(Failure::unexpected_answer()) };
    // As with `ip`, no news is good news.
    context.say(&serde_json::json!({ "done": true }), |_paint| String::new())
}

fn get(context: &Context, address: IpAddr) -> Result<(), Failure> {
    let Reply::Route(route) = context.ask(&Request::RouteGet { address })? else {
        return Err(Failure::unexpected_answer());
    };
    context.say(&route, |_paint| {
        let kind = if route.kind == RouteKind::Unicast { String::new() } else { format!("{} ", route.kind.name()) };
        let via = route.gateway.map(|gateway| format!(" via {gateway}")).unwrap_or_default();
        let dev = route.dev.as_ref().map(|dev| format!(" dev {dev}")).unwrap_or_default();
        let state = route.next_hop.map(|state| format!(", {}", state.name())).unwrap_or_default();
        format!("{kind}{address}{via}{dev} by {} proto {}{state}\n", route.dst, route.protocol.name())
    })
}

fn show(context: &Context, filter: RouteFilter) -> Result<(), Failure> {
    let Reply::Routes(routes) = context.ask(&Request::RouteShow { filter })? else {
        return Err(Failure::unexpected_answer());
    };
    context.say(&routes, |paint| {
        let mut table = Table::new(["destination", "type", "via", "dev", "protocol", "next hop"]);
        routes.iter().for_each(|route| table.row(row(route)));
        if table.is_empty() { "no routes\n".to_owned() } else { table.render(paint) }
    })
}

fn row(route: &Shown) -> [crate::table::Cell; 6] {
    let next_hop = match route.next_hop {
        Some(state @ NextHopState::Resolved) => toned(state.name(), Tone::Good),
        Some(state @ NextHopState::Unresolved) => toned(state.name(), Tone::Doubtful),
        None => word(""),
    };
    [
        word(route.dst.to_string()),
        word(route.kind.name()),
        word(route.gateway.map(|gateway| gateway.to_string()).unwrap_or_default()),
        word(route.dev.clone().unwrap_or_default()),
        word(route.protocol.name()),
        next_hop,
    ]
}

/// Reads `[unicast|blackhole|unreachable] [to] PREFIX [via GATEWAY] [dev PORT]`.
fn route(words: &[String], family: Option<Family>) -> Result<(Network, Target), Failure> {
    let mut words = Words(words);
    let kind = words.take_one_of(&["unicast", "blackhole", "unreachable"]).unwrap_or("unicast");
    words.take_one_of(&["to"]);
    let prefix = words.next("a PREFIX or `default`")?;
    let (mut gateway, mut dev) = (None, None);
    while !words.is_empty() {
        match words.take_one_of(&["via", "dev"]) {
            Some("via") if gateway.is_none() => gateway = Some(parse_address(words.next("a GATEWAY after `via`")?)?),
            Some("dev") if dev.is_none() => dev = Some(words.next("a PORT after `dev`")?.to_owned()),
            Some(again) => return Err(usage(format!("`{again}` is there twice"))),
            None => return Err(words.unexpected("`via GATEWAY` or `dev PORT`")),
        }
    }
    let to = parse_prefix_beside(prefix, family, gateway)?;
    let target = match (kind, gateway, dev) {
        ("blackhole", None, None) => Target::Blackhole,
        ("unreachable", None, None) => Target::Unreachable,
        ("unicast", Some(gateway), dev) => Target::Via { gateway, dev },
        ("unicast", None, Some(dev)) => Target::Dev(dev),
        ("unicast", None, None) => {
            return Err(usage("the route leads nowhere: `via GATEWAY` or `dev PORT` is missing"));
        }
        (kind, _, _) => return Err(usage(format!("a route that is {kind} has neither `via` nor `dev`"))),
    };
    Ok((to, target))
}

/// Reads `[unicast|blackhole|unreachable] [to] PREFIX`: a prefix has one route, so more would say nothing.
fn prefix_alone(words: &[String], family: Option<Family>) -> Result<Network, Failure> {
    let mut words = Words(words);
    words.take_one_of(&["unicast", "blackhole", "unreachable"]);
    words.take_one_of(&["to"]);
    let prefix = parse_prefix(words.next("a PREFIX or `default`")?, family)?;
    if words.is_empty() { Ok(prefix) } else { Err(words.unexpected("nothing more")) }
}

/// Reads `[to] [[root|match|exact] PREFIX] [dev PORT]`.
fn filter(words: &[String], family: Option<Family>) -> Result<RouteFilter, Failure> {
    let mut words = Words(words);
    let mut filter = RouteFilter { family, ..RouteFilter::default() };
    while !words.is_empty() {
        words.take_one_of(&["to"]);
        match words.take_one_of(&["root", "match", "exact", "dev"]) {
            Some("dev") => filter.dev = Some(words.next("a PORT after `dev`")?.to_owned()),
            Some("root") => filter.to = Selection::Root(parse_prefix(words.next("a PREFIX after `root`")?, family)?),
            Some("match") => filter.to = Selection::Match(parse_prefix(words.next("a PREFIX after `match`")?, family)?),
            Some(_exact) => filter.to = Selection::Exact(parse_prefix(words.next("a PREFIX after `exact`")?, family)?),
            None => filter.to = Selection::Exact(parse_prefix(words.next("a PREFIX")?, family)?),
        }
    }
    Ok(filter)
}

pub(crate) fn parse_prefix(text: &str, family: Option<Family>) -> Result<Network, Failure> {
    parse_prefix_beside(text, family, None)
}

/// Reads a prefix; `default` is of the family asked for, or else of the gateway's, or else IPv4 as in `ip`.
fn parse_prefix_beside(text: &str, family: Option<Family>, gateway: Option<IpAddr>) -> Result<Network, Failure> {
    if text == "default" {
        let family = family.or_else(|| gateway.map(Family::of)).unwrap_or(Family::Ipv4);
        return Ok(family.default_route());
    }
    let network: Network = text.parse().map_err(|error: NetworkError| usage(error.to_string()))?;
    match family {
        Some(family) if family != network.family() => Err(usage(format!("`{text}` is not an {family} network"))),
        Some(_) | None => Ok(network),
    }
}

fn parse_address(text: &str) -> Result<IpAddr, Failure> {
    text.parse().map_err(|_no_address| usage(format!("`{text}` is not an IP address")))
}

fn usage(message: impl Into<String>) -> Failure {
    Failure::usage(message).with_hint("see `ferry route --help`")
}

/// The words that are left.
struct Words<'w>(&'w [String]);

impl<'w> Words<'w> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn next(&mut self, expected: &str) -> Result<&'w str, Failure> {
        let Some((first, rest)) = self.0.split_first() else {
            return Err(usage(format!("expected {expected}, and the line ends")));
        };
        self.0 = rest;
        Ok(first)
    }

    fn take_one_of(&mut self, keywords: &[&'static str]) -> Option<&'static str> {
        let (first, rest) = self.0.split_first()?;
        let keyword = keywords.iter().find(|keyword| first == *keyword)?;
        self.0 = rest;
        Some(keyword)
    }

    fn unexpected(&self, expected: &str) -> Failure {
        usage(format!("expected {expected}, found `{}`", self.0.join(" ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    fn via(gateway: &str, dev: Option<&str>) -> Target {
        Target::Via { gateway: gateway.parse().unwrap(), dev: dev.map(str::to_owned) }
    }

    #[test]
    fn a_route_is_read_as_ip_reads_it() {
        for (line, to, target) in [
            ("10.0.0.0/8 via 192.0.2.2", "10.0.0.0/8", via("192.0.2.2", None)),
            ("10.0.0.0/8 via 192.0.2.2 dev left", "10.0.0.0/8", via("192.0.2.2", Some("left"))),
            ("10.0.0.0/8 dev left via 192.0.2.2", "10.0.0.0/8", via("192.0.2.2", Some("left"))),
            ("unicast to 10.0.0.0/8 dev left", "10.0.0.0/8", Target::Dev("left".to_owned())),
            ("10.0.0.1 dev left", "10.0.0.1/32", Target::Dev("left".to_owned())),
            ("blackhole 10.9.0.0/16", "10.9.0.0/16", Target::Blackhole),
            ("unreachable 2001:db8::/32", "2001:db8::/32", Target::Unreachable),
            ("default via 192.0.2.2", "0.0.0.0/0", via("192.0.2.2", None)),
            ("default via fe80::1 dev left", "::/0", via("fe80::1", Some("left"))),
            ("unreachable default", "0.0.0.0/0", Target::Unreachable),
        ] {
            assert_eq!(route(&words(line), None), Ok((to.parse().unwrap(), target)), "{line}");
        }
        assert_eq!(prefix_alone(&words("default"), Some(Family::Ipv6)), Ok("::/0".parse().unwrap()));
        assert!(prefix_alone(&words("10.0.0.0/8"), Some(Family::Ipv6)).is_err());
        assert_eq!(prefix_alone(&words("blackhole 10.0.0.0/8"), None), Ok("10.0.0.0/8".parse().unwrap()));
    }

    #[test]
    fn words_that_make_no_route_are_refused_for_their_reason() {
        for (line, reason) in [
            ("blackhole", "expected a PREFIX or `default`, and the line ends"),
            ("10.0.0.0/8", "the route leads nowhere: `via GATEWAY` or `dev PORT` is missing"),
            ("10.0.0.0/8 via", "expected a GATEWAY after `via`, and the line ends"),
            ("10.0.0.0/8 via left", "`left` is not an IP address"),
            ("10.0.0.0/8 via 192.0.2.2 via 192.0.2.3", "`via` is there twice"),
            ("10.0.0.0/8 via 192.0.2.2 metric 5", "expected `via GATEWAY` or `dev PORT`, found `metric 5`"),
            ("10.0.0.1/8 dev left", "`10.0.0.1/8` has host bits set; the network is `10.0.0.0/8`"),
            ("blackhole 10.0.0.0/8 dev left", "a route that is blackhole has neither `via` nor `dev`"),
        ] {
            let expected = Failure::usage(reason).with_hint("see `ferry route --help`");
            assert_eq!(route(&words(line), None), Err(expected), "{line}");
        }
        assert!(prefix_alone(&words("10.0.0.0/8 via 192.0.2.2"), None).is_err());
    }

    #[test]
    fn what_to_show_is_read_as_ip_reads_it() {
        let prefix = "10.0.0.0/8".parse().unwrap();
        for (line, to, dev) in [
            ("", Selection::All, None),
            ("10.0.0.0/8", Selection::Exact(prefix), None),
            ("exact 10.0.0.0/8", Selection::Exact(prefix), None),
            ("root 10.0.0.0/8 dev left", Selection::Root(prefix), Some("left")),
            ("dev left to match 10.0.0.0/8", Selection::Match(prefix), Some("left")),
        ] {
            let expected = RouteFilter { family: None, dev: dev.map(str::to_owned), to };
            assert_eq!(filter(&words(line), None), Ok(expected), "{line}");
        }
    }
}
