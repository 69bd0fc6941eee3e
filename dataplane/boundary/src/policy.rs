//! What a port asks of packets that come in through it, beyond what every router asks of all.
//!
//! By default nothing, and then it costs nothing: a worker looks once whether there is a [`Policy`] at all. A port that
//! checks the way back ([`ReversePath`]) pays one more look-up per packet, a port with a [`Filter`] one comparison per rule.

use std::net::IpAddr;

use lpm::Prefix;

/// What a port asks of packets that come in through it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Policy {
    /// Whether the way back to a packet's source is looked at.
    pub reverse_path: ReversePath,
    /// Whether 240.0.0.0/4 are addresses as any others (RFC 1812 section 5.3.7 says they are not, by default).
    pub class_e: bool,
    /// The filter it has: its place among those of the forwarding state.
    pub filter: Option<FilterId>,
    /// Whether a host on its link is told when its packets leave the way they came, and somebody is nearer.
    pub redirects: bool,
    /// Whether nothing comes in through it at all: a person has taken it down.
    pub closed: bool,
}

impl Policy {
    /// Whether packets have to be looked at any further.
    #[inline]
    pub const fn is_lenient(&self) -> bool {
        matches!((self.reverse_path, self.filter), (ReversePath::Off, None))
    }
}

/// How a packet's source is held against the routes (RFC 3704).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ReversePath {
    /// It is not.
    #[default]
    Off,
    /// There is some route to it, the default route included, that does not discard.
    Loose,
    /// The route to it leads out of the port the packet came in through.
    Strict,
}

/// Which of the forwarding state's filters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FilterId(pub u16);

/// Rules, of which the first that matches a packet decides (RFC 1812 section 5.3.9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// The rules, in their order.
    pub rules: Vec<Rule>,
    /// What becomes of packets that no rule matches.
    pub otherwise: Action,
}

/// What a filter does with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It goes on.
    Accept,
    /// It goes no further, in silence.
    Drop,
    /// It goes no further, and the sender is told that it is prohibited.
    Reject,
}

/// A rule of a filter. What it does not name, it does not ask about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What becomes of packets it matches.
    pub action: Action,
    /// Where they come from.
    pub from: Option<Network>,
    /// Where they go.
    pub to: Option<Network>,
    /// What they carry, by IANA protocol number.
    pub protocol: Option<u8>,
    /// The port they come from.
    pub from_port: Option<Ports>,
    /// The port they go to.
    pub to_port: Option<Ports>,
}

/// Addresses that share their first bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// Of IPv4.
    V4(Prefix<std::net::Ipv4Addr>),
    /// Of IPv6.
    V6(Prefix<std::net::Ipv6Addr>),
}

impl Network {
    fn contains(&self, address: IpAddr) -> bool {
        match (self, address) {
            (Self::V4(prefix), IpAddr::V4(address)) => prefix.contains(address),
            (Self::V6(prefix), IpAddr::V6(address)) => prefix.contains(address),
            (Self::V4(_), IpAddr::V6(_)) | (Self::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

/// Ports of TCP, UDP and their like, from one to another, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// The first.
    pub first: u16,
    /// The last.
    pub last: u16,
}

impl Ports {
    const fn contains(self, port: u16) -> bool {
        self.first <= port && port <= self.last
    }
}

/// What of a packet a filter looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Looks {
    /// Where it comes from.
    pub source: IpAddr,
    /// Where it goes.
    pub destination: IpAddr,
    /// What it carries, by IANA protocol number.
    pub protocol: u8,
    /// The ports it goes from and to.
    pub ports: SeenPorts,
}

/// The ports of a packet, as far as it shows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeenPorts {
    /// From and to these.
    Shown(u16, u16),
    /// A fragment without the beginning: they stood in another.
    Elsewhere,
    /// Its protocol has none.
    None,
    /// They should be there and are not: the packet is too short, or what stands before them cannot be followed. Such a
    /// packet gets past no filter that asks for ports (RFC 1858, RFC 3128, RFC 7112 section 5).
    Hidden,
}

impl Filter {
    /// What becomes of a packet that looks like this.
    ///
    /// A later fragment shows no ports. A rule that asks for ports and accepts, accepts it too, for without its first
    /// fragment it is of no use; one that asks for ports and does not accept passes it over.
    pub fn judge(&self, looks: &Looks) -> Action {
        if looks.ports == SeenPorts::Hidden && self.rules.iter().any(Rule::asks_for_ports) {
            return Action::Drop;
        }
        self.rules.iter().find(|rule| rule.matches(looks)).map_or(self.otherwise, |rule| rule.action)
    }
}

impl Rule {
    /// A rule that matches every packet.
    pub const fn of(action: Action) -> Self {
        Self { action, from: None, to: None, protocol: None, from_port: None, to_port: None }
    }

    const fn asks_for_ports(&self) -> bool {
        self.from_port.is_some() || self.to_port.is_some()
    }

    fn matches(&self, looks: &Looks) -> bool {
        let asked = |network: Option<Network>, address| network.is_none_or(|network| network.contains(address));
        asked(self.from, looks.source)
            && asked(self.to, looks.destination)
            && self.protocol.is_none_or(|protocol| protocol == looks.protocol)
            && self.matches_ports(looks.ports)
    }

    fn matches_ports(&self, seen: SeenPorts) -> bool {
        if !self.asks_for_ports() {
            return true;
        }
        match seen {
            SeenPorts::Shown(from, to) => {
                self.from_port.is_none_or(|ports| ports.contains(from))
                    && self.to_port.is_none_or(|ports| ports.contains(to))
            }
            SeenPorts::Elsewhere => self.action == Action::Accept,
            SeenPorts::None | SeenPorts::Hidden => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(source: &str, destination: &str, protocol: u8, ports: SeenPorts) -> Looks {
        Looks { source: source.parse().unwrap(), destination: destination.parse().unwrap(), protocol, ports }
    }

    fn v4(prefix: &str) -> Option<Network> {
        Some(Network::V4(prefix.parse().unwrap()))
    }

    const SSH: Option<Ports> = Some(Ports { first: 22, last: 22 });

    /// Include and exclude; any, a prefix, a protocol, a port.
    #[test]
    fn the_first_rule_that_matches_decides_and_the_default_if_none_does() {
        let filter = Filter {
            rules: vec![
                Rule { from: v4("192.0.2.7/32"), ..Rule::of(Action::Accept) },
                Rule { from: v4("192.0.2.0/24"), ..Rule::of(Action::Drop) },
                Rule { protocol: Some(6), to_port: SSH, ..Rule::of(Action::Reject) },
            ],
            otherwise: Action::Accept,
        };
        let shown = SeenPorts::Shown(40_000, 22);
        for (row, seen, action) in [
            ("an exception above", looks("192.0.2.7", "10.0.0.1", 6, shown), Action::Accept),
            ("a prefix", looks("192.0.2.8", "10.0.0.1", 6, shown), Action::Drop),
            ("a port", looks("198.51.100.1", "10.0.0.1", 6, shown), Action::Reject),
            ("the port of another protocol", looks("198.51.100.1", "10.0.0.1", 17, shown), Action::Accept),
            ("a port of the other family", looks("2001:db8::1", "2001:db8::2", 6, shown), Action::Reject),
            ("another port", looks("198.51.100.1", "10.0.0.1", 6, SeenPorts::Shown(22, 23)), Action::Accept),
        ] {
            assert_eq!(filter.judge(&seen), action, "{row}");
        }
    }

    #[test]
    fn a_later_fragment_fares_by_the_rules_it_shows_enough_for() {
        let later = looks("198.51.100.1", "10.0.0.1", 6, SeenPorts::Elsewhere);
        let rule = |action| Rule { protocol: Some(6), to_port: SSH, ..Rule::of(action) };
        let filter = |action, otherwise| Filter { rules: vec![rule(action)], otherwise };
        assert_eq!(filter(Action::Accept, Action::Drop).judge(&later), Action::Accept);
        assert_eq!(filter(Action::Drop, Action::Accept).judge(&later), Action::Accept);
    }

    #[test]
    fn what_hides_its_ports_gets_past_no_filter_that_asks_for_them() {
        let hidden = looks("198.51.100.1", "10.0.0.1", 6, SeenPorts::Hidden);
        let asks = Rule { protocol: Some(17), to_port: SSH, ..Rule::of(Action::Drop) };
        let filter = Filter { rules: vec![asks], otherwise: Action::Accept };
        assert_eq!(filter.judge(&hidden), Action::Drop);
        let asks_not = Filter { rules: vec![Rule { from: v4("10.0.0.0/8"), ..Rule::of(Action::Drop) }], ..filter };
        assert_eq!(asks_not.judge(&hidden), Action::Accept);
    }
}
