//! ARP and neighbour discovery with the tools and the kernel of the hosts on the links.

use control_api::{NeighbourState, Reply, Request};

use crate::ferryd::{patiently, printed};
use crate::lab::{Host, Lab};

const RIGHT: &str = "198.51.100.10";
const RIGHT6: &str = "2001:db8:2::10";

/// The state in which ferryd knows a neighbour.
fn state_of(lab: &Lab, address: &str) -> Option<NeighbourState> {
    let Ok(Reply::Neighbours(all)) = lab.ask(&Request::NeighShow { dev: None }) else { panic!("always answered") };
    all.iter().find(|one| one.dst.to_string() == address).map(|one| one.state)
}

// holds 093, 095, 096
#[test]
fn arping_finds_ferry_s_own_addresses_and_nobody_else_s() {
    let Some(lab) = Lab::new("arping_finds_ferry_s_own_addresses_and_nobody_else_s") else { return };
    let _ferryd = lab.start(&lab.config(""));
    let arping = |address: &str, more: &[&str]| {
        lab.on(Host::Left, &[&["arping", "-I", "host0", "-c", "2", "-w", "10"], more, &[address]].concat())
    };
    let found = arping("192.0.2.1", &[]);
    assert!(printed(&found).contains("Received 2 response"), "{}", printed(&found));
    for not_there in ["192.0.2.99", "198.51.100.1"] {
        let nobody = lab.on(Host::Left, &["arping", "-I", "host0", "-c", "2", "-w", "2", not_there]);
        assert!(printed(&nobody).contains("Received 0 response"), "{}", printed(&nobody));
    }
    // A host that tries the address for itself is told that it is taken (RFC 5227 section 2.1.1).
    let tried = arping("192.0.2.1", &["-D"]);
    assert!(!tried.status.success(), "{}", printed(&tried));
}

// holds 148
#[test]
fn ndisc6_finds_ferry_s_own_addresses_and_nobody_else_s() {
    let Some(lab) = Lab::new("ndisc6_finds_ferry_s_own_addresses_and_nobody_else_s") else { return };
    let _ferryd = lab.start(&lab.config(""));
    let find = |address: &str| lab.on(Host::Left, &["ndisc6", "-1", "-q", "-r", "5", "-w", "2000", address, "host0"]);
    let found = find("2001:db8:1::1");
    assert_eq!(printed(&found).matches(':').count(), 5, "a MAC address: {}", printed(&found));
    let nobody = lab.on(Host::Left, &["ndisc6", "-1", "-q", "-r", "1", "-w", "1000", "2001:db8:1::99", "host0"]);
    assert!(!nobody.status.success(), "{}", printed(&nobody));
}

#[test]
fn both_sides_know_each_other_as_the_kernel_shows_it() {
    let Some(lab) = Lab::new("both_sides_know_each_other_as_the_kernel_shows_it") else { return };
    let _ferryd = lab.start(&lab.config(""));
    for far in [RIGHT, RIGHT6] {
        let ping = lab.on(Host::Left, &["ping", "-n", "-c", "2", "-i", "0.2", "-W", "20", far]);
        assert!(printed(&ping).contains(" 0% packet loss"), "{}", printed(&ping));
        assert_eq!(state_of(&lab, far), Some(NeighbourState::Reachable));
    }
    let known = printed(&lab.on(Host::Left, &["ip", "-6", "neigh", "show", "2001:db8:1::1"]));
    assert!(known.contains("lladdr") && known.contains("router"), "{known}");
    let flushed = lab.ask(&Request::NeighFlush { dev: Some("right".to_owned()), permanent: false });
    assert!(matches!(flushed, Ok(Reply::Flushed(2..))), "{flushed:?}");
    let ping = lab.on(Host::Left, &["ping", "-n", "-c", "1", "-W", "20", RIGHT]);
    assert!(printed(&ping).contains(" 0% packet loss"), "it is found again: {}", printed(&ping));
}

#[test]
fn rdisc6_is_told_what_the_configuration_says() {
    let Some(lab) = Lab::new("rdisc6_is_told_what_the_configuration_says") else { return };
    let told = "
[port.router_advertisements]
lifetime_seconds = 1234
resolvers = [\"2001:db8:2::53\"]
";
    let _ferryd = lab.start(&lab.config(told));
    let asked = lab.on(Host::Right, &["rdisc6", "-1", "-r", "5", "-w", "4000", "host0"]);
    let text = printed(&asked);
    for expected in ["1234", "2001:db8:2::/64", "2001:db8:2::53", "1500"] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    let silent = lab.on(Host::Left, &["rdisc6", "-1", "-r", "1", "-w", "4000", "host0"]);
    assert!(!silent.status.success(), "a port that is not told to tells nothing: {}", printed(&silent));
}

#[test]
fn an_address_that_a_host_has_already_is_not_used() {
    let Some(lab) = Lab::new("an_address_that_a_host_has_already_is_not_used") else { return };
    lab.on(Host::Right, &["ip", "address", "add", "2001:db8:2::1/64", "dev", "host0", "nodad"]);
    let _ferryd = lab.start(&lab.config(""));
    let unused = patiently(|| match lab.ask(&Request::PortShow { name: Some("right".to_owned()) }) {
        Ok(Reply::Ports(ports)) => ports[0].unused.iter().find(|unused| unused.duplicate).map(|unused| unused.address),
        other => panic!("{other:?}"),
    });
    assert_eq!(unused.map(|address| address.to_string()).as_deref(), Some("2001:db8:2::1"));
}

#[test]
fn a_host_that_tries_ferry_s_address_is_told_that_it_is_taken() {
    let Some(lab) = Lab::new("a_host_that_tries_ferry_s_address_is_told_that_it_is_taken") else { return };
    let _ferryd = lab.start(&lab.config(""));
    let found = lab.on(Host::Left, &["ndisc6", "-1", "-q", "-r", "5", "-w", "2000", "2001:db8:1::1", "host0"]);
    assert!(found.status.success(), "it is in use: {}", printed(&found));
    lab.on(Host::Left, &["ip", "address", "add", "2001:db8:1::1/64", "dev", "host0"]);
    let failed = patiently(|| {
        let shown = printed(&lab.on(Host::Left, &["ip", "-6", "address", "show", "dev", "host0"]));
        shown.contains("dadfailed").then_some(())
    });
    assert!(failed.is_some(), "{}", printed(&lab.on(Host::Left, &["ip", "-6", "address", "show", "dev", "host0"])));
}
