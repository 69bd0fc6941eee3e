//! What a file can say, and files as they are read; `mistakes` has a row for every mistake one can have.

mod mistakes;

use std::time::Duration;

use packet::ndp::Preference;

use super::*;
use mistakes::PORTS;

/// Two ports, and everything a file can say.
const FULL: &str = r#"
[api]
socket = "/tmp/ferry.sock"

[dpdk]
memory_mib = 256
huge_pages = "never"
args = ["--log-level=pmd:debug"]

[[worker]]
core = 2
[[worker]]
core = 3

[[port]]
name = "left"
device = "net_af_packet0,iface=veth0"
addresses = ["192.0.2.1/24", "2001:db8:1::1/64"]
mtu = 9000
mac = "02:00:00:00:00:01"
promiscuous = true
rx_descriptors = 1024
tx_descriptors = 512

[port.neighbours]
resolution_rate = 50
max_unresolved = 100
max_known = 1000
queue_packets = 3
queue_bytes = 4500
duplicate_probes = 3
proxy_arp = true
proxy_nd = ["2001:db8:9::/48"]

[port.router_advertisements]
min_interval_seconds = 10
max_interval_seconds = 30
lifetime_seconds = 0
hop_limit = 32
managed = true
other = true
preference = "low"
reachable_ms = 20000
retransmit_ms = 500
resolvers = ["2001:db8:1::53"]

[[port.router_advertisements.prefix]]
prefix = "2001:db8:8::/64"
on_link = false
autonomous = false
valid_seconds = 7200
preferred_seconds = 3600

[[port]]
name = "right"
device = "0000:03:00.0"
addresses = ["198.51.100.1/24"]

[[route]]
to = "0.0.0.0/0"
via = "198.51.100.2"
[[route]]
to = "::/0"
via = "fe80::1"
dev = "left"
[[route]]
to = "203.0.113.0/24"
dev = "right"
[[route]]
to = "10.9.0.0/16"
blackhole = true
[[route]]
to = "10.8.0.0/16"
unreachable = true
blackhole = false

[[neighbour]]
port = "right"
address = "198.51.100.2"
mac = "02:00:00:00:02:02"
"#;

#[test]
fn everything_a_file_can_say_is_understood() {
    let config = Config::parse("ferry.toml", FULL).unwrap();
    let (left, right) = (PortId(0), PortId(1));
    assert_eq!(config.socket(), Path::new("/tmp/ferry.sock"));
    let args = vec!["--log-level=pmd:debug".to_owned()];
    assert_eq!(config.dpdk(), &Dpdk { memory_mib: Some(256), huge_pages: HugePages::Never, args });
    assert_eq!(config.workers(), [2, 3].map(|core| Worker { core: Core::Number(core), idle: Idle::Poll }));
    assert_eq!(
        config.port(left),
        &Port {
            name: "left".to_owned(),
            under: Under::Device("net_af_packet0,iface=veth0".parse().unwrap()),
            addresses: ["192.0.2.1/24", "2001:db8:1::1/64"].map(|text| text.parse().unwrap()).to_vec(),
            mtu: Mtu::new(9000).unwrap(),
            mac: Some(MacAddr([2, 0, 0, 0, 0, 1])),
            promiscuous: true,
            policy: Policy::default(),
            directed_broadcast: false,
            queues: None,
            rss: Rss::Device,
            rx_descriptors: Some(1024),
            tx_descriptors: Some(512),
            tap: None,
            fib: 0,
            link: LinkSettings {
                neighbours: NeighbourSettings {
                    resolution_rate: 50,
                    max_unresolved: 100,
                    max_known: 1000,
                    queue_packets: 3,
                    queue_bytes: 4500,
                    duplicate_probes: 3,
                    proxy_arp: true,
                    proxy_nd: vec!["2001:db8:9::/48".parse().unwrap()],
                },
                advertisements: Some(AdvertisementSettings {
                    min_interval: Duration::from_secs(10),
                    max_interval: Duration::from_secs(30),
                    lifetime_seconds: 0,
                    hop_limit: 32,
                    managed: true,
                    other: true,
                    preference: Preference::Low,
                    reachable_ms: 20_000,
                    retransmit_ms: 500,
                    prefixes: vec![AdvertisedPrefix {
                        prefix: lpm::Prefix::containing("2001:db8:8::".parse().unwrap(), 64),
                        on_link: false,
                        autonomous: false,
                        valid_seconds: 7200,
                        preferred_seconds: 3600,
                    }],
                    resolvers: vec!["2001:db8:1::53".parse().unwrap()],
                }),
            },
        }
    );
    assert_eq!(config.port_named("right"), Some(right));
    let targets: Vec<_> = config.routes().iter().map(|route| route.target).collect();
    let via = |gateway: &str, port| Target::Via { gateway: gateway.parse().unwrap(), port };
    assert_eq!(
        targets,
        [via("198.51.100.2", right), via("fe80::1", left), Target::Link(right), Target::Blackhole, Target::Unreachable]
    );
    let neighbour =
        Neighbour { port: right, address: "198.51.100.2".parse().unwrap(), mac: MacAddr([2, 0, 0, 0, 2, 2]) };
    assert_eq!(config.neighbours(), [neighbour]);
}

#[test]
fn a_route_may_have_several_gateways_that_share() {
    let text = format!(
        "{PORTS}[[route]]\nto = \"0.0.0.0/0\"\nvia = [\"192.0.2.2\", {{ address = \"192.0.2.3\", weight = 2 }}]\n"
    );
    let config = Config::parse("ferry.toml", &text).unwrap();
    let shown: Vec<_> = config.routes().iter().map(|route| (route.target, route.weight)).collect();
    let via = |gateway: &str| Target::Via { gateway: gateway.parse().unwrap(), port: PortId(0) };
    assert_eq!(shown, [(via("192.0.2.2"), 1), (via("192.0.2.3"), 2)]);
}

// holds S2.02
#[test]
fn fb_05_the_file_says_how_many_tables_there_are_and_which_one_a_port_has() {
    let with = |routing: &str, port: &str| {
        let text = format!("[routing]\n{routing}\n[[port]]\nname = \"left\"\ndevice = \"net_null0\"\n{port}\n");
        Config::parse("ferry.toml", &text)
    };
    let config = with("fibs = 3\nadd_addr_allfibs = true\nseed = 7\nsymmetric = true", "fib = 2").unwrap();
    assert_eq!((config.routing().fibs.count(), config.routing().add_addr_allfibs), (3, true));
    assert_eq!(config.ports()[0].fib, 2);
    let flows = config.routing().multipath(9).flows;
    assert_eq!((flows.seed, flows.symmetric, flows.addresses_only), (7, true, false));
    assert_eq!(with("fibs = 0", "").unwrap().routing().fibs.count(), 1);
    let error = with("fibs = 70000", "").unwrap_err().report(false);
    assert!(error.contains("70000 tables are more than there can be: the limit is 65535"), "{error}");
    let error = with("fibs = 3", "fib = 3").unwrap_err().report(false);
    assert!(error.contains("there is no table 3: the last one is 2"), "{error}");
}

#[test]
fn a_router_that_names_no_networks_tells_hosts_of_those_it_is_in() {
    let text = "[[port]]\nname = \"left\"\ndevice = \"net_null0\"\n\
                addresses = [\"192.0.2.1/24\", \"2001:db8:1::1/64\", \"2001:db8:2::1/48\"]\n[port.router_advertisements]\n";
    let config = Config::parse("ferry.toml", text).unwrap();
    let told = config.ports()[0].link.advertisements.as_ref().unwrap();
    let prefixes: Vec<_> = told.prefixes.iter().map(|told| (told.prefix.to_string(), told.autonomous)).collect();
    assert_eq!(prefixes, [("2001:db8:1::/64".to_owned(), true), ("2001:db8:2::/48".to_owned(), false)]);
    assert_eq!((told.max_interval.as_secs(), told.min_interval.as_secs(), told.lifetime_seconds), (600, 200, 1800));
}

#[test]
fn one_port_is_enough_and_the_rest_has_defaults() {
    let config = Config::parse("ferry.toml", "[[port]]\nname = \"left\"\ndevice = \"net_null0\"\n").unwrap();
    assert_eq!(config.socket(), Path::new("/run/ferry/ferry.sock"));
    assert_eq!(config.workers(), [Worker { core: Core::Last, idle: Idle::Poll }]);
    assert_eq!(config.dpdk(), &Dpdk::default());
    assert_eq!(config.ports()[0].mtu, Mtu::ETHERNET);
    assert!(!config.ports()[0].promiscuous);
}

#[test]
fn a_hundred_thousand_routes_are_read() {
    let mut text = PORTS.to_owned();
    for route in 0..100_000_u32 {
        let to = std::net::Ipv4Addr::from(0x0a00_0000 + (route << 4));
        text.push_str(&format!("[[route]]\nto = \"{to}/28\"\nvia = \"192.0.2.2\"\n"));
    }
    assert_eq!(Config::parse("ferry.toml", &text).unwrap().routes().len(), 100_000);
}

#[test]
fn a_file_that_cannot_be_read_is_refused_for_its_reason() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ferry.toml");
    let reason = |path: &Path| Config::load(path).unwrap_err().report(false);

    assert!(reason(&path).contains("ferry.toml`: there is no such file\n  help: check the path"));
    assert!(reason(directory.path()).contains("it is a directory"));

    std::fs::write(&path, b"[api]\nsocket = \"\xff\"\n").unwrap();
    assert!(reason(&path).contains("it is not UTF-8 text: line 2, at byte 16 of the file"));

    File::create(&path).unwrap().set_len(MAX_FILE_BYTES + 1).unwrap();
    assert!(reason(&path).contains("it is longer than 16 MiB"));

    std::fs::write(&path, PORTS).unwrap();
    assert_eq!(Config::load(&path).unwrap().ports().len(), 2);
    // As when it is replaced between a check and a start.
    std::fs::remove_file(&path).unwrap();
    assert!(reason(&path).contains("there is no such file"));
}

#[test]
fn the_configurations_we_hand_out_are_valid() {
    let readme = include_str!("../../../README.md");
    let (_, example) = readme.split_once("```toml\n").expect("the README has a configuration to copy");
    let (example, _) = example.split_once("```").expect("which ends");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ferry.toml");
    for (text, whose) in [(example, "the README's"), (include_str!("../../../pcaps/replay.toml"), "the replay's")] {
        std::fs::write(&path, text).unwrap();
        let config = Config::load(&path).unwrap_or_else(|error| panic!("{whose}:\n{}", error.report(false)));
        assert_eq!(config.devices().count(), 2, "{whose}");
    }
}
