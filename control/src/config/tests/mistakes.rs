//! A row for every mistake a file can have.

use crate::config::*;

/// Eight lines that are right; what a row of [`ROWS`] says begins at line 9.
pub(super) const PORTS: &str = r#"[[port]]
name = "left"
device = "net_null0"
addresses = ["192.0.2.1/24", "2001:db8:1::1/64"]
[[port]]
name = "right"
device = "net_null1"
addresses = ["198.51.100.1/24"]
"#;

/// What follows [`PORTS`], and all that is said about it: line, column, message.
#[rustfmt::skip]
const ROWS: &[(&str, &[&str])] = &[
    // Syntax.
    ("[[route]\n", &[
        "9:9 unclosed array table, expected `]`",
    ]),
    ("to = 10.0.0.0/8\n", &[
        "9:10 invalid float, expected nothing",
    ]),
    ("mac = \"02:00\n", &[
        "9:13 invalid basic string, expected `\"`",
    ]),
    ("mtu = 1500\nmtu = 9000\n", &[
        "10:1 this key is there a second time",
    ]),
    ("[[route]]\nto = \n[[route]]\nvia = [1\n", &[
        "10:6 string values must be quoted, expected literal string",
        "12:9 unclosed array, expected `]`",
    ]),
    // Keys.
    ("mut = 1500\n", &[
        "9:1 this port has no key `mut`",
    ]),
    ("colour = \"blue\"\n", &[
        "9:1 this port has no key `colour`",
    ]),
    ("[dpkd]\n", &[
        "9:2 the file has no key `dpkd`",
    ]),
    ("[[neighbor]]\n", &[
        "9:3 the file has no key `neighbor`",
    ]),
    ("[route]\nto = \"10.0.0.0/8\"\n", &[
        "9:1 expected a list of tables, found a table",
    ]),
    ("[[api]]\n", &[
        "9:1 expected a table, found a list",
    ]),
    ("[[port]]\n", &[
        "9:1 this port has no `name`",
        "9:1 this port has no `device`",
    ]),
    ("[[neighbour]]\n", &[
        "9:1 this neighbour has no `port`",
        "9:1 this neighbour has no `address`",
        "9:1 this neighbour has no `mac`",
    ]),
    ("[[worker]]\n", &[
        "9:1 this worker has no `core`",
    ]),
    ("[[route]]\nblackhole = true\n", &[
        "9:1 this route has no `to`",
    ]),
    // Values by themselves.
    ("mtu = \"1500\"\n", &[
        "9:7 expected a whole number, found text",
    ]),
    ("mtu = 1500.0\n", &[
        "9:7 expected a whole number, found a number with a fraction",
    ]),
    ("mtu = 67\n", &[
        "9:7 expected an MTU from 68 to 9216, found 67",
    ]),
    ("mtu = 9217\n", &[
        "9:7 expected an MTU from 68 to 9216, found 9217",
    ]),
    ("mtu = -1\n", &[
        "9:7 expected an MTU from 68 to 9216, found -1",
    ]),
    ("mtu = 99999999999999999999999999999999999999999999\n", &[
        "9:7 expected an MTU from 68 to 9216, found 99999999999999999999999999999999999999999999",
    ]),
    ("promiscuous = \"yes\"\n", &[
        "9:15 expected true or false, found text",
    ]),
    ("mac = \"02:00:00:00:00\"\n", &[
        "9:7 `02:00:00:00:00` is not a MAC address; it is written like `02:00:5e:10:00:01`",
    ]),
    ("mac = \"01:00:5e:00:00:01\"\n", &[
        "9:7 `01:00:5e:00:00:01` is the address of a group of stations",
    ]),
    ("mac = \"00:00:00:00:00:00\"\n", &[
        "9:7 `00:00:00:00:00:00` is no station's address",
    ]),
    ("rx_descriptors = 1000\n", &[
        "9:18 1000 descriptors are not a power of two",
    ]),
    ("tx_descriptors = 32\n", &[
        "9:18 expected a number of descriptors from 64 to 32768, found 32",
    ]),
    ("[port.neighbours]\nresolution_rate = 0\nqueue_bytes = 67\nproxy_nd = [\"10.0.0.0/8\"]\nmax_knwon = 1\n", &[
        "10:19 expected a rate from 1 to 1000000, found 0",
        "11:15 expected a number from 68 to 1048576, found 67",
        "12:13 10.0.0.0/8 is not IPv6",
        "13:1 `[port.neighbours]` has no key `max_knwon`",
    ]),
    ("[port.router_advertisements]\nmax_interval_seconds = 100\nmin_interval_seconds = 76\nlifetime_seconds = 99\npreference = \"top\"\nresolvers = [\"192.0.2.53\"]\n", &[
        "11:24 76 s is more than three quarters of the longest interval, 100 s",
        "12:20 99 s are over before the next advertisement, 100 s later",
        "13:14 `top` is no preference",
        "14:14 192.0.2.53 is not IPv6",
    ]),
    ("[port.router_advertisements]\n[[port.router_advertisements.prefix]]\nprefix = \"2001:db8::/56\"\nautonomous = true\nvalid_seconds = 1\n", &[
        "11:10 addresses would be preferred for 604800 s, and valid for 1 s",
        "12:14 hosts make themselves addresses in a /64, not in 2001:db8::/56",
    ]),
    ("[[port]]\nname = \"../up\"\ndevice = \"net_null2\"\n", &[
        "10:8 `../up` cannot name a port",
    ]),
    ("[[port]]\nname = \"\"\ndevice = \"net_null2\"\n", &[
        "10:8 `` cannot name a port",
    ]),
    ("[[port]]\nname = \"up\"\ndevice = \"eth0\"\n", &[
        "11:10 `eth0` is not a device of DPDK",
    ]),
    ("[[port]]\nname = \"up\"\ndevice = \"net_pcap0,,rx_pcap=x\"\n", &[
        "11:10 `` is not an argument in `net_pcap0,,rx_pcap=x`; arguments are `KEY=VALUE` with a comma between",
    ]),
    ("[[port]]\nname = \"up\"\ndevice = \"net_null2\"\naddresses = \"203.0.113.1/24\"\n", &[
        "12:13 expected a list in brackets, found text",
    ]),
    ("[[port]]\nname = \"up\"\ndevice = \"net_null2\"\naddresses = [\"203.0.113.0/24\", \"203.0.113.255/24\", \"224.0.0.1/24\", 7]\n", &[
        "12:14 `203.0.113.0/24` is the network itself; a port needs an address in it, up to 203.0.113.255",
        "12:32 `203.0.113.255/24` is the broadcast address of 203.0.113.0/24; a port needs an address of its own",
        "12:52 `224.0.0.1/24` is a multicast address, which no port can have",
        "12:68 expected text in quotes, found a number",
    ]),
    ("[[worker]]\ncore = 1024\n", &[
        "10:8 expected a core from 0 to 1023, found 1024",
    ]),
    ("[dpdk]\nmemory_mib = 1\nhuge_pages = \"alway\"\nargs = [\"\"]\n", &[
        "10:14 expected an amount of MiB from 16 to 1048576, found 1",
        "11:14 `alway` is not a way to use huge pages",
        "12:9 an argument for DPDK cannot be empty or hold a NUL",
    ]),
    ("[dpdk]\nhuge_pages = true\n", &[
        "10:14 expected text in quotes, found true or false",
    ]),
    ("[api]\nsocket = \"\"\n", &[
        "10:10 this is not the path of a socket",
    ]),
    ("[[route]]\nto = \"10.0.0.1/8\"\nblackhole = true\n", &[
        "10:6 `10.0.0.1/8` has host bits set; the network is `10.0.0.0/8`",
    ]),
    ("[[route]]\nto = \"default\"\nblackhole = true\n", &[
        "10:6 `default` is not a network; one is written like `192.0.2.0/24` or `2001:db8::/32`",
    ]),
    ("[[route]]\nto = \"0.0.0.0/0\"\nvia = \"198.51.100.2/24\"\n", &[
        "11:7 `198.51.100.2/24` is not an IP address",
    ]),
    // Ports against each other.
    ("[[port]]\nname = \"left\"\ndevice = \"net_null2\"\n", &[
        "10:8 two ports are named `left`",
    ]),
    ("[[port]]\nname = \"up\"\ndevice = \"net_null1,copy=1\"\n", &[
        "11:10 two ports are on the device `net_null1`",
    ]),
    ("[[port]]\nname = \"up\"\ndevice = \"net_null2\"\naddresses = [\"192.0.2.2/24\"]\n", &[
        "12:14 two ports are in the same network, 192.0.2.0/24",
    ]),
    ("[[port]]\nname = \"up\"\ndevice = \"net_null2\"\naddresses = [\"192.0.2.129/25\"]\n", &[
        "12:14 the networks of two ports overlap: 192.0.2.0/24 and 192.0.2.128/25",
    ]),
    ("[[port]]\nname = \"up\"\ndevice = \"net_null2\"\naddresses = [\"192.0.0.1/16\"]\n", &[
        "12:14 the networks of two ports overlap: 192.0.2.0/24 and 192.0.0.0/16",
    ]),
    ("[[port]]\nname = \"up\"\ndevice = \"net_null2\"\naddresses = [\"192.0.2.1/32\"]\n", &[
        "12:14 the address 192.0.2.1 is there twice",
    ]),
    ("[[port]]\nname = \"up\"\ndevice = \"net_null2\"\naddresses = [\"2001:db8::1/64\"]\nmtu = 1279\n", &[
        "13:7 an MTU of 1279 is too small for IPv6, which needs 1280",
    ]),
    ("[[worker]]\ncore = 1\n[[worker]]\ncore = 1\n", &[
        "12:8 two workers are to poll on core 1",
    ]),
    // Routes.
    ("[[route]]\nto = \"10.0.0.0/8\"\n", &[
        "9:1 this route leads nowhere",
    ]),
    ("[[route]]\nto = \"10.0.0.0/8\"\nblackhole = false\n", &[
        "9:1 this route leads nowhere",
    ]),
    ("[[route]]\nto = \"10.0.0.0/8\"\nvia = \"192.0.2.2\"\nblackhole = true\n", &[
        "12:13 a route leads to one place only",
    ]),
    ("[[route]]\nto = \"10.0.0.0/8\"\nunreachable = true\nblackhole = true\n", &[
        "11:15 a route leads to one place only",
    ]),
    ("[[route]]\nto = \"10.0.0.0/8\"\nvia = \"203.0.113.1\"\n", &[
        "11:7 203.0.113.1 is in no port's network, so nobody could reach it",
    ]),
    ("[[route]]\nto = \"0.0.0.0/0\"\nvia = [\"192.0.2.2\", \"192.0.2.2\"]\n", &[
        "11:21 the gateway 192.0.2.2 is there twice",
    ]),
    ("[[route]]\nto = \"0.0.0.0/0\"\nvia = [{ address = \"192.0.2.2\", weight = 0, wait = 1 }]\n", &[
        "11:42 expected a weight from 1 to 4294967295, found 0",
        "11:45 this gateway has no key `wait`",
    ]),
    ("[[route]]\nto = \"::/0\"\nvia = \"2001:db8:2::2\"\n", &[
        "11:7 2001:db8:2::2 is in no port's network, so nobody could reach it",
    ]),
    ("[[route]]\nto = \"10.0.0.0/8\"\nvia = \"192.0.2.1\"\n", &[
        "11:7 192.0.2.1 is our own address, not a neighbour's",
    ]),
    ("[[route]]\nto = \"10.0.0.0/8\"\nvia = \"192.0.2.255\"\n", &[
        "11:7 no neighbour can have 192.0.2.255: it has a meaning of its own in 192.0.2.0/24",
    ]),
    ("[[route]]\nto = \"10.0.0.0/8\"\nvia = \"224.0.0.5\"\n", &[
        "11:7 224.0.0.5 is a multicast address, which no neighbour has",
    ]),
    ("[[route]]\nto = \"10.0.0.0/8\"\nvia = \"0.0.0.0\"\n", &[
        "11:7 0.0.0.0 is the unspecified address, which no neighbour has",
    ]),
    ("[[route]]\nto = \"10.0.0.0/8\"\nvia = \"2001:db8:1::2\"\n", &[
        "11:7 an IPv4 route cannot go via the IPv6 gateway 2001:db8:1::2",
    ]),
    ("[[route]]\nto = \"10.0.0.0/8\"\nvia = \"192.0.2.2\"\ndev = \"right\"\n", &[
        "11:7 192.0.2.2 is on the network of port `left`",
    ]),
    ("[[route]]\nto = \"10.0.0.0/8\"\nvia = \"192.0.2.2\"\ndev = \"lefr\"\n", &[
        "12:7 there is no port named `lefr`",
    ]),
    ("[[route]]\nto = \"10.0.0.0/8\"\ndev = \"uplink\"\n", &[
        "11:7 there is no port named `uplink`",
    ]),
    ("[[route]]\nto = \"::/0\"\nvia = \"fe80::1\"\n", &[
        "11:7 the link-local address fe80::1 may be on every link",
    ]),
    ("[[route]]\nto = \"10.0.0.0/8\"\nblackhole = true\n[[route]]\nto = \"10.0.0.0/8\"\ndev = \"left\"\n", &[
        "13:6 there are two routes to 10.0.0.0/8",
    ]),
    ("[[route]]\nto = \"192.0.2.0/24\"\ndev = \"left\"\n", &[
        "10:6 192.0.2.0/24 is the network of a port, which has its route already",
    ]),
    ("[[route]]\nto = \"192.0.2.1/32\"\nblackhole = true\n", &[
        "10:6 192.0.2.1/32 is an address of our own, which has its route already",
    ]),
    ("[[route]]\nto = \"224.0.0.0/4\"\nblackhole = true\n[[route]]\nto = \"fe80::/10\"\ndev = \"left\"\n", &[
        "10:6 224.0.0.0/4 is multicast, which is not forwarded",
        "13:6 fe80::/10 is link-local, which is not forwarded",
    ]),
    // Neighbours.
    ("[[neighbour]]\nport = \"up\"\naddress = \"192.0.2.2\"\nmac = \"02:00:00:00:00:02\"\n", &[
        "10:8 there is no port named `up`",
    ]),
    ("[[neighbour]]\nport = \"right\"\naddress = \"192.0.2.2\"\nmac = \"02:00:00:00:00:02\"\n", &[
        "11:11 192.0.2.2 is on the network of port `left`",
    ]),
    ("[[neighbour]]\nport = \"left\"\naddress = \"192.0.2.2\"\nmac = \"ff:ff:ff:ff:ff:ff\"\n", &[
        "12:7 `ff:ff:ff:ff:ff:ff` is the address of a group of stations",
    ]),
    ("[[neighbour]]\nport = \"left\"\naddress = \"192.0.2.2\"\nmac = \"02:00:00:00:00:02\"\n[[neighbour]]\nport = \"left\"\naddress = \"192.0.2.2\"\nmac = \"02:00:00:00:00:03\"\n", &[
        "15:11 the neighbour 192.0.2.2 is there twice",
    ]),
    // One typing error is one mistake, and two are two.
    ("[[port]]\nname = \"up\"\ndevice = \"net_null2\"\naddresses = [\"203.0.113.1-24\"]\n[[route]]\nto = \"10.0.0.0/8\"\nvia = \"203.0.113.2\"\n", &[
        "12:14 `203.0.113.1-24` is not an address with the length of its network; one is written like `192.0.2.1/24`",
    ]),
    ("[[port]]\nname = \"u p\"\ndevice = \"net_null2\"\n[[route]]\nto = \"10.0.0.0/8\"\ndev = \"u p\"\n", &[
        "10:8 `u p` cannot name a port",
    ]),
    ("[[route]]\nto = \"10.0.0.0/8\"\nvia = \"192.0.2\"\n", &[
        "11:7 `192.0.2` is not an IP address",
    ]),
    ("[[route]]\nto = \"10.0.0.0/33\"\nvia = \"203.0.113.1\"\n", &[
        "10:6 `/33` is not a prefix length from /0 to /32",
        "11:7 203.0.113.1 is in no port's network, so nobody could reach it",
    ]),
];

fn said_about(text: &str) -> Vec<String> {
    let error = Config::parse("ferry.toml", text).unwrap_err();
    error.all().iter().map(|mistake| format!("{}:{} {mistake}", mistake.line(), mistake.column())).collect()
}

#[test]
fn a_mistake_is_named_at_its_place() {
    for (text, said) in ROWS {
        assert_eq!(said_about(&format!("{PORTS}{text}")), *said, "{text}");
    }
}

#[test]
fn a_mistake_is_shown_with_its_line_and_what_to_write_instead() {
    let text = format!("{PORTS}mut = 1500\n[[port]]\nname = \"left\"\ndevice = \"eth0\"\n");
    let report = Config::parse("ferry.toml", &text).unwrap_err().report(false);
    insta::assert_snapshot!(report, @r#"
      × this port has no key `mut`
        ╭─[ferry.toml:9:1]
      8 │ addresses = ["198.51.100.1/24"]
      9 │ mut = 1500
        · ─┬─
        ·  ╰── nobody knows this
     10 │ [[port]]
        ╰────
      help: did you mean `mtu`?

      × two ports are named `left`
       ╭─[ferry.toml:2:8]
     1 │ [[port]]
     2 │ name = "left"
       ·        ───┬──
       ·           ╰── this one
     3 │ device = "net_null0"
       ╰────
        ╭─[ferry.toml:11:8]
     10 │ [[port]]
     11 │ name = "left"
        ·        ───┬──
        ·           ╰── and this one
     12 │ device = "eth0"
        ╰────
      help: give each port a name of its own

      × `eth0` is not a device of DPDK
        ╭─[ferry.toml:12:10]
     11 │ name = "left"
     12 │ device = "eth0"
        ·          ───┬──
        ·             ╰── here
        ╰────
      help: for the kernel's interface `eth0`, write "net_af_packet0,iface=eth0"

    there are 3 mistakes in `ferry.toml`
    "#);
}

#[test]
fn a_file_without_a_port_is_no_configuration() {
    assert_eq!(said_about(""), ["1:1 there is no port, so there is nothing to forward between"]);
    assert_eq!(said_about("# ports = none\n"), ["1:1 there is no port, so there is nothing to forward between"]);
}

#[test]
fn a_port_may_have_several_addresses_in_one_network_and_networks_within_another() {
    let port = |gateway: &str| {
        format!(
            "[[port]]\nname = \"left\"\ndevice = \"net_null0\"\n\
             addresses = [\"192.0.2.1/24\", \"192.0.2.2/24\", \"192.0.2.129/25\"]\n\
             [[route]]\nto = \"0.0.0.0/0\"\nvia = \"{gateway}\"\n"
        )
    };
    assert!(Config::parse("ferry.toml", &port("192.0.2.130")).is_ok());
    let said = ["7:7 no neighbour can have 192.0.2.128: it has a meaning of its own in 192.0.2.128/25"];
    assert_eq!(said_about(&port("192.0.2.128")), said, "the narrowest network decides");
}

#[test]
fn a_line_and_a_column_count_characters_whatever_the_line_ends_with() {
    let text = format!("{PORTS}# für später\r\n[[route]]\r\nto = \"10.0.0.0/8\"  \r\n\tdev = \"übel\"\r\n");
    assert_eq!(said_about(&text), ["12:8 there is no port named `übel`"]);
}

#[test]
fn a_mistake_made_a_thousand_times_is_shown_a_few_times_and_counted() {
    let text = format!("{PORTS}{}", "[[route]]\nto = \"10.0.0.0/8\"\n".repeat(1000));
    let error = Config::parse("ferry.toml", &text).unwrap_err();
    assert_eq!(error.to_string(), "there are 1999 mistakes in `ferry.toml`; these are the first 24");
    assert_eq!(error.all().len(), 24);
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text in r#"([\[\]a-z_= ."\n0-9:/\t,{}#'\\-]|\[\[port\]\]\n|\PC){0,80}"#) {
        // Whatever is wrong with it is also fit to be shown.
        if let Err(error) = Config::parse("ferry.toml", &text) {
            proptest::prop_assert!(error.report(false).contains("ferry.toml"));
        }
    }
}

#[test]
fn rfc_142_a_port_with_an_mtu_below_1280_is_refused_ipv6_with_what_to_do() {
    let with = |mtu: u16| {
        format!("[[port]]\nname = \"left\"\ndevice = \"net_null0\"\naddresses = [\"2001:db8::1/64\"]\nmtu = {mtu}\n")
    };
    assert_eq!(said_about(&with(1279)), ["5:7 an MTU of 1279 is too small for IPv6, which needs 1280"]);
    assert!(Config::parse("ferry.toml", &with(1280)).is_ok());
    assert!(Config::parse("ferry.toml", &with(1279).replace("2001:db8::1/64", "192.0.2.1/24")).is_ok());
}
