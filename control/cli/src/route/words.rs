//! The words of a command line, and what one of them can be: a prefix, an address, a flag, a metric.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use control_api::{Family, MetricMask, Network, NetworkError, RouteFilter, RouteFlags, Selection};
use packet::ethernet::MacAddr;

use crate::failure::Failure;

/// The words that are left.
pub(super) struct Words<'w>(pub(super) &'w [String]);

impl<'w> Words<'w> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn next(&mut self, expected: &str) -> Result<&'w str, Failure> {
        let Some((first, rest)) = self.0.split_first() else {
            return Err(usage(format!("expected {expected}, and the line ends")));
        };
        self.0 = rest;
        Ok(first)
    }

    pub(super) fn take_one_of(&mut self, keywords: &[&'static str]) -> Option<&'static str> {
        let (first, rest) = self.0.split_first()?;
        let keyword = keywords.iter().find(|keyword| first == *keyword)?;
        self.0 = rest;
        Some(keyword)
    }

    /// The flag that the next word sets, or with `no` before it clears.
    pub(super) fn take_flag(&mut self) -> Option<(RouteFlags, bool)> {
        let (first, rest) = self.0.split_first()?;
        let may_be_typed =
            |flag: &RouteFlags| (RouteFlags::SETTABLE | RouteFlags::MPATH).contains(*flag) && *flag != RouteFlags::HOST;
        let (name, is_set) = match first.strip_prefix("no") {
            Some(name) => (name, false),
            None => (first.as_str(), true),
        };
        let flag = RouteFlags::named(name).filter(may_be_typed)?;
        self.0 = rest;
        Some((flag, is_set))
    }

    pub(super) fn take_metric(&mut self) -> Option<MetricMask> {
        let (first, rest) = self.0.split_first()?;
        let metric = MetricMask::named(first)?;
        self.0 = rest;
        Some(metric)
    }

    pub(super) fn number(&mut self) -> Result<u64, Failure> {
        let text = self.next("a NUMBER")?;
        text.parse().map_err(|_no_number| usage(format!("`{text}` is not a number")))
    }

    pub(super) fn priority(&mut self) -> Result<u8, Failure> {
        let number = self.number()?;
        u8::try_from(number).map_err(|_too_much| usage(format!("{number} is no priority: give one from 1 to 63")))
    }

    pub(super) fn unexpected(&self, expected: &str) -> Failure {
        usage(format!("expected {expected}, found `{}`", self.0.join(" ")))
    }
}

/// Reads `[to] [[root|match|exact] PREFIX] [dev PORT]`.
pub(super) fn filter(words: &[String], family: Option<Family>) -> Result<RouteFilter, Failure> {
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
pub(super) fn parse_prefix_beside(
    text: &str,
    family: Option<Family>,
    gateway: Option<IpAddr>,
) -> Result<Network, Failure> {
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

pub(super) fn parse_address(text: &str) -> Result<IpAddr, Failure> {
    text.parse().map_err(|_no_address| usage(format!("`{text}` is not an IP address")))
}

pub(super) fn parse_mac(text: &str) -> Result<MacAddr, Failure> {
    text.parse().map_err(|_no_mac| usage(format!("`{text}` is not a MAC address")))
}

pub(super) fn usage(message: impl Into<String>) -> Failure {
    Failure::usage(message).with_hint("see `ferry route --help`")
}

/// The mask that says how long a network's prefix is.
pub(super) fn netmask_of(network: Network) -> IpAddr {
    let len = u32::from(network.len());
    match network {
        Network::V4(_) => Ipv4Addr::from(!u32::MAX.checked_shr(len).unwrap_or(0)).into(),
        Network::V6(_) => Ipv6Addr::from(!u128::MAX.checked_shr(len).unwrap_or(0)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn a_mask_has_as_many_ones_as_its_network_is_long() {
        for (network, mask) in [
            ("0.0.0.0/0", "0.0.0.0"),
            ("10.0.0.0/9", "255.128.0.0"),
            ("::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("::/0", "::"),
        ] {
            assert_eq!(netmask_of(network.parse().unwrap()), mask.parse::<IpAddr>().unwrap(), "{network}");
        }
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
            let expected = RouteFilter { dev: dev.map(str::to_owned), to, ..RouteFilter::default() };
            assert_eq!(filter(&words(line), None), Ok(expected), "{line}");
        }
    }
}
