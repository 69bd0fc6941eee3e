//! Filters, and what else a port asks of packets that come in: from the file to the forwarding state's
//! [`boundary::policy`].
//!
//! ```toml
//! [[port]]
//! reverse_path = "strict"        # the way back to a packet's source leads out of this port; or "loose"; default "off"
//! class_e = true                 # 240.0.0.0/4 are addresses as any others; default false
//! redirects = true               # hosts on the link are told who there is nearer than we; default false
//! directed_broadcast = true      # packets to this network's broadcast become broadcasts on its link; default false
//! filter = "edge"                # what comes in has to pass this filter
//!
//! [[filter]]
//! name = "edge"
//! default = "accept"             # what becomes of a packet that no rule matches: "accept", "drop" or "reject"
//! rule = [                       # the first that matches decides; a key that is absent asks for nothing
//!     { action = "drop", from = "10.0.0.0/8" },
//!     { action = "reject", protocol = "tcp", to_port = 25 },
//!     { action = "accept", to = "192.0.2.0/24", protocol = "udp", to_port = "1024-65535" },
//! ]
//! ```

use boundary::policy::{Action, Filter, FilterId, Network as Addresses, Policy, Ports, ReversePath, Rule};
use control_api::Network;
use toml::Spanned;
use toml::de::DeValue;

use super::mistake::Mistake;
use super::read::{PortDraft, Section};
use super::value::{self, Value, closest, expected};

/// A filter as the file has it.
#[derive(Debug)]
pub(super) struct FilterDraft {
    name: Option<Spanned<String>>,
    otherwise: Option<Action>,
    rules: Vec<RuleDraft>,
}

#[derive(Debug)]
struct RuleDraft {
    action: Option<Action>,
    from: Option<Spanned<Network>>,
    to: Option<Spanned<Network>>,
    protocol: Option<Spanned<u8>>,
    from_port: Option<Spanned<Ports>>,
    to_port: Option<Spanned<Ports>>,
}

/// What a port asks, as the file has it.
#[derive(Debug, Default)]
pub(super) struct PolicyDraft {
    reverse_path: ReversePath,
    class_e: bool,
    redirects: bool,
    filter: Option<Spanned<String>>,
}

pub(super) fn read_policy(port: &mut Section<'_, '_>) -> PolicyDraft {
    PolicyDraft {
        reverse_path: port.optional("reverse_path", reverse_path).map(Spanned::into_inner).unwrap_or_default(),
        class_e: port.optional("class_e", value::boolean).is_some_and(Spanned::into_inner),
        redirects: port.optional("redirects", value::boolean).is_some_and(Spanned::into_inner),
        filter: port.optional("filter", value::word),
    }
}

pub(super) fn read_filter(filter: &mut Section<'_, '_>) -> FilterDraft {
    FilterDraft {
        name: filter.required("name", "name = \"edge\"", value::word),
        otherwise: filter.required("default", "default = \"accept\"", action).map(Spanned::into_inner),
        rules: filter.tables("rule", read_rule),
    }
}

fn read_rule(rule: &mut Section<'_, '_>) -> RuleDraft {
    RuleDraft {
        action: rule.required("action", "action = \"drop\"", action).map(Spanned::into_inner),
        from: rule.optional("from", value::network),
        to: rule.optional("to", value::network),
        protocol: rule.optional("protocol", protocol),
        from_port: rule.optional("from_port", ports),
        to_port: rule.optional("to_port", ports),
    }
}

/// The filters that `drafts` mean, in their order: the order of their ids.
pub(super) fn check_filters(drafts: &[FilterDraft], mistakes: &mut Vec<Mistake>) -> Vec<Filter> {
    for (place, draft) in drafts.iter().enumerate() {
        let Some(name) = &draft.name else { continue };
        let before = drafts[..place].iter().filter_map(|draft| draft.name.as_ref());
        if let Some(first) = before.into_iter().find(|first| first.get_ref() == name.get_ref()) {
            let message = format!("two filters are named `{}`", name.get_ref());
            let mistake = Mistake::new(name.span(), message, "and this one").also(first.span(), "this one");
            mistakes.push(mistake.help("give each filter a name of its own"));
        }
    }
    if let Some(beyond) = drafts.get(MAX_FILTERS) {
        let at = beyond.name.as_ref().map_or(0..0, Spanned::span);
        mistakes.push(Mistake::new(at, format!("there are more than {MAX_FILTERS} filters"), "one too many"));
    }
    let filters = drafts.iter().map(|draft| Filter {
        rules: draft.rules.iter().filter_map(|rule| check_rule(rule, mistakes)).collect(),
        // One that could not be read is a mistake already.
        otherwise: draft.otherwise.unwrap_or(Action::Drop),
    });
    filters.collect()
}

fn check_rule(draft: &RuleDraft, mistakes: &mut Vec<Mistake>) -> Option<Rule> {
    if let (Some(from), Some(to)) = (&draft.from, &draft.to)
        && from.get_ref().family() != to.get_ref().family()
    {
        let message = format!("no packet goes from {} to {}", from.get_ref(), to.get_ref());
        let mistake = Mistake::new(to.span(), message, "of another family than").also(from.span(), "this");
        mistakes.push(mistake.help("write a rule for each family"));
    }
    let asks_for_ports = draft.from_port.as_ref().or(draft.to_port.as_ref());
    if let (Some(ports), Some(protocol)) = (asks_for_ports, &draft.protocol)
        && !WITH_PORTS.contains(protocol.get_ref())
    {
        let message = format!("protocol {} has no ports", protocol.get_ref());
        let mistake = Mistake::new(ports.span(), message, "asked for here").also(protocol.span(), "this protocol");
        mistakes.push(mistake.help("ask for ports of tcp, udp, udplite, dccp or sctp"));
    }
    let network = |network: &Option<Spanned<Network>>| network.as_ref().map(|network| addresses(*network.get_ref()));
    let ports = |ports: &Option<Spanned<Ports>>| ports.as_ref().map(|ports| *ports.get_ref());
    Some(Rule {
        action: draft.action?,
        from: network(&draft.from),
        to: network(&draft.to),
        protocol: draft.protocol.as_ref().map(|protocol| *protocol.get_ref()),
        from_port: ports(&draft.from_port),
        to_port: ports(&draft.to_port),
    })
}

/// What `port` asks, if the filter it names is there.
pub(super) fn check_policy(port: &PortDraft, filters: &[FilterDraft], mistakes: &mut Vec<Mistake>) -> Policy {
    let PolicyDraft { reverse_path, class_e, redirects, filter } = &port.policy;
    let filter = filter.as_ref().and_then(|wanted| {
        let named = |draft: &FilterDraft| draft.name.as_ref().is_some_and(|name| name.get_ref() == wanted.get_ref());
        let place = filters.iter().position(named);
        if place.is_none() {
            mistakes.push(no_such_filter(wanted, filters));
        }
        place.and_then(|place| u16::try_from(place).ok()).map(FilterId)
    });
    Policy { reverse_path: *reverse_path, class_e: *class_e, filter, redirects: *redirects, closed: false }
}

fn no_such_filter(wanted: &Spanned<String>, filters: &[FilterDraft]) -> Mistake {
    let message = format!("there is no filter named `{}`", wanted.get_ref());
    let mistake = Mistake::new(wanted.span(), message, "this filter");
    let names: Vec<_> =
        filters.iter().filter_map(|draft| draft.name.as_ref()).map(|name| name.get_ref().as_str()).collect();
    match closest(wanted.get_ref(), &names) {
        Some(name) => mistake.help(format!("did you mean `{name}`?")),
        None if names.is_empty() => mistake.help("add a [[filter]] of that name, with a `default`"),
        None => mistake.help(format!("name one of: {}", names.join(", "))),
    }
}

const fn addresses(network: Network) -> Addresses {
    match network {
        Network::V4(prefix) => Addresses::V4(prefix),
        Network::V6(prefix) => Addresses::V6(prefix),
    }
}

fn action(value: &Value<'_>) -> Result<Action, Mistake> {
    value::one_of(
        value,
        "a filter can do",
        &[("accept", Action::Accept), ("drop", Action::Drop), ("reject", Action::Reject)],
    )
}

fn reverse_path(value: &Value<'_>) -> Result<ReversePath, Mistake> {
    value::one_of(
        value,
        "the way back can be looked at",
        &[("off", ReversePath::Off), ("loose", ReversePath::Loose), ("strict", ReversePath::Strict)],
    )
}

/// A protocol by its name, or by its number.
fn protocol(value: &Value<'_>) -> Result<u8, Mistake> {
    if matches!(value.get_ref(), DeValue::Integer(_)) {
        return value::number(value, 0..=u8::MAX, "a protocol's number");
    }
    value::one_of(value, "a protocol is named", &PROTOCOLS)
}

/// A port by its number, or ports from one to another.
fn ports(value: &Value<'_>) -> Result<Ports, Mistake> {
    let range = match value.get_ref() {
        DeValue::Integer(_) => {
            return value::number(value, 0..=u16::MAX, "a port").map(|port| Ports { first: port, last: port });
        }
        DeValue::String(range) => range,
        _other => return Err(expected("a port or a range of them", value)),
    };
    let ends = range.split_once('-').and_then(|(first, last)| Some((first.parse().ok()?, last.parse().ok()?)));
    match ends {
        Some((first, last)) if first <= last => Ok(Ports { first, last }),
        _ => Err(Mistake::new(value.span(), format!("`{range}` is not a range of ports"), "here")
            .help("write it like \"1024-65535\", the smaller one first")),
    }
}

const PROTOCOLS: [(&str, u8); 11] = [
    ("icmp", 1),
    ("igmp", 2),
    ("tcp", 6),
    ("udp", 17),
    ("dccp", 33),
    ("gre", 47),
    ("esp", 50),
    ("icmpv6", 58),
    ("ospf", 89),
    ("sctp", 132),
    ("udplite", 136),
];

const WITH_PORTS: [u8; 5] = [6, 17, 33, 132, 136];

/// Most filters there can be: as many as ports, so that each can have its own.
const MAX_FILTERS: usize = super::MAX_PORTS;

#[cfg(test)]
mod tests;
