use boundary::policy::{Action, Filter, FilterId, Network, Policy, Ports, ReversePath, Rule};

use crate::config::Config;

const PORT: &str = "[[port]]\nname = \"left\"\ndevice = \"net_null0\"\naddresses = [\"192.0.2.1/24\"]\n";

#[test]
fn everything_a_port_can_ask_of_packets_is_understood() {
    let text = r#"
reverse_path = "strict"
class_e = true
redirects = true
directed_broadcast = true
filter = "edge"
[[filter]]
name = "other"
default = "reject"
[[filter]]
name = "edge"
default = "accept"
rule = [
    { action = "drop", from = "10.0.0.0/8" },
    { action = "reject", protocol = "tcp", to_port = 25 },
    { action = "accept", to = "2001:db8::/32", protocol = 17, from_port = 53, to_port = "1024-65535" },
]
"#;
    let config = Config::parse("ferry.toml", &format!("{PORT}{text}")).unwrap();
    let port = &config.ports()[0];
    assert!(port.directed_broadcast);
    assert_eq!(
        port.policy,
        Policy {
            reverse_path: ReversePath::Strict,
            class_e: true,
            filter: Some(FilterId(1)),
            redirects: true,
            closed: false
        }
    );
    let ports = |first, last| Some(Ports { first, last });
    let edge = Filter {
        rules: vec![
            Rule { from: Some(Network::V4("10.0.0.0/8".parse().unwrap())), ..Rule::of(Action::Drop) },
            Rule { protocol: Some(6), to_port: ports(25, 25), ..Rule::of(Action::Reject) },
            Rule {
                to: Some(Network::V6("2001:db8::/32".parse().unwrap())),
                protocol: Some(17),
                from_port: ports(53, 53),
                to_port: ports(1024, 65535),
                ..Rule::of(Action::Accept)
            },
        ],
        otherwise: Action::Accept,
    };
    assert_eq!(config.filters(), [Filter { rules: Vec::new(), otherwise: Action::Reject }, edge]);
}

#[test]
fn a_port_that_asks_for_nothing_pays_for_nothing() {
    let config = Config::parse("ferry.toml", PORT).unwrap();
    assert!(config.ports()[0].policy.is_lenient());
}

/// What follows [`PORT`], and all that is said about it: line, column, message.
#[rustfmt::skip]
const ROWS: &[(&str, &[&str])] = &[
    ("reverse_path = \"strikt\"\n", &[
        "5:16 `strikt` is not something the way back can be looked at",
    ]),
    ("filter = \"edge\"\n", &[
        "5:10 there is no filter named `edge`",
    ]),
    ("[[filter]]\n", &[
        "5:1 this filter has no `name`",
        "5:1 this filter has no `default`",
    ]),
    ("[[filter]]\nname = \"a\"\ndefault = \"drop\"\n[[filter]]\nname = \"a\"\ndefault = \"drop\"\n", &[
        "9:8 two filters are named `a`",
    ]),
    ("[[filter]]\nname = \"a\"\ndefault = \"allow\"\n", &[
        "7:11 `allow` is not something a filter can do",
    ]),
    ("[[filter]]\nname = \"a\"\ndefault = \"drop\"\n[[filter.rule]]\nfrom = \"10.0.0.0/8\"\n", &[
        "8:1 this rule has no `action`",
    ]),
    ("[[filter]]\nname = \"a\"\ndefault = \"drop\"\n[[filter.rule]]\naction = \"drop\"\nform = \"10.0.0.0/8\"\n", &[
        "10:1 this rule has no key `form`",
    ]),
    ("[[filter]]\nname = \"a\"\ndefault = \"drop\"\nrule = [{ action = \"drop\", from = \"10.0.0.0/8\", to = \"::/0\" }]\n", &[
        "8:54 no packet goes from 10.0.0.0/8 to ::/0",
    ]),
    ("[[filter]]\nname = \"a\"\ndefault = \"drop\"\nrule = [{ action = \"drop\", protocol = \"icmp\", to_port = 7 }]\n", &[
        "8:57 protocol 1 has no ports",
    ]),
    ("[[filter]]\nname = \"a\"\ndefault = \"drop\"\nrule = [{ action = \"drop\", to_port = \"90-80\" }]\n", &[
        "8:38 `90-80` is not a range of ports",
    ]),
    ("[[filter]]\nname = \"a\"\ndefault = \"drop\"\nrule = [{ action = \"drop\", protocol = 256, from_port = true }]\n", &[
        "8:39 expected a protocol's number from 0 to 255, found 256",
        "8:56 expected a port or a range of them, found true or false",
    ]),
];

#[test]
fn what_is_wrong_is_said_where_it_is_wrong() {
    for (text, expected) in ROWS {
        let error = Config::parse("ferry.toml", &format!("{PORT}{text}")).unwrap_err();
        let said: Vec<_> =
            error.all().iter().map(|mistake| format!("{}:{} {mistake}", mistake.line(), mistake.column())).collect();
        assert_eq!(said, *expected, "{text}");
    }
}
