use super::*;

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
    assert_eq!(config.workers(), [2, 3].map(|core| Worker { core: Core::Number(core) }));
    assert_eq!(
        config.port(left),
        &Port {
            name: "left".to_owned(),
            device: "net_af_packet0,iface=veth0".parse().unwrap(),
            addresses: ["192.0.2.1/24", "2001:db8:1::1/64"].map(|text| text.parse().unwrap()).to_vec(),
            mtu: Mtu::new(9000).unwrap(),
            mac: Some(MacAddr([2, 0, 0, 0, 0, 1])),
            promiscuous: true,
            rx_descriptors: Some(1024),
            tx_descriptors: Some(512),
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
fn one_port_is_enough_and_the_rest_has_defaults() {
    let config = Config::parse("ferry.toml", "[[port]]\nname = \"left\"\ndevice = \"net_null0\"\n").unwrap();
    assert_eq!(config.socket(), Path::new("/run/ferry/ferry.sock"));
    assert_eq!(config.workers(), [Worker { core: Core::Last }]);
    assert_eq!(config.dpdk(), &Dpdk::default());
    assert_eq!(config.ports()[0].mtu, Mtu::ETHERNET);
    assert!(!config.ports()[0].promiscuous);
}
