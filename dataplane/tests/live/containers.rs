//! What the containers of `docker/compose.yaml` run, with the privileges it gives them and no container engine.

use std::path::Path;

use crate::ferryd::{Accounts, Ferryd, printed};
use crate::lab::{Host, Lab};

/// `cap_add` of every service, after `cap_drop: [ALL]`.
const PRIVILEGES: [&str; 3] = ["setpriv", "--bounding-set=-all,+net_admin,+net_raw", "--no-new-privs"];

/// A script of `docker/lab`.
fn script(name: &str) -> String {
    format!("{}/../docker/lab/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_lab_in_containers_needs_two_capabilities_and_the_kernel_in_it_keeps_silent() {
    let test = "the_lab_in_containers_needs_two_capabilities_and_the_kernel_in_it_keeps_silent";
    let Some(lab) = Lab::new(test) else { return };
    // As a container engine would, who knows nothing of ferryd.
    for (port, own) in [("left", "192.0.2.253/24"), ("right", "198.51.100.253/24")] {
        assert!(lab.in_the_middle(&["ip", "address", "add", own, "dev", port]).status.success());
    }
    let mut hosts = Vec::new();
    for (host, gateways) in
        [(Host::Left, ["192.0.2.1", "2001:db8:1::1"]), (Host::Right, ["198.51.100.1", "2001:db8:2::1"])]
    {
        let without_a_way_out = ["ip", "route", "flush", "default"];
        assert!(lab.on(host, &without_a_way_out).status.success());
        let script = script("host");
        hosts.push(lab.spawn_on(host, &[&PRIVILEGES[..], &[&script, gateways[0], gateways[1]]].concat()));
    }

    let (router, binaries) = (script("router"), Path::new(env!("CARGO_BIN_EXE_ferryd")).parent().expect("in a folder"));
    let path = std::env::var("PATH").expect("whoever runs tests has one");
    let mut command = lab.command(&lab.router(), &[&PRIVILEGES[..], &[&router]].concat());
    command.env("PATH", format!("{}:{path}", binaries.display())).env("FERRY_RUN", lab.folder());
    let ferryd = Ferryd::start(command);

    for destination in ["198.51.100.10", "2001:db8:2::10"] {
        let ping = lab.on(Host::Left, &["ping", "-n", "-c", "5", "-i", "0.2", "-W", "5", destination]);
        assert!(printed(&ping).contains(" 0% packet loss"), "{}", printed(&ping));
    }
    let kernels = printed(&lab.in_the_middle(&["ip", "-o", "address", "show", "scope", "global"]));
    assert_eq!(kernels, "", "whatever the engine gave the kernel is gone");
    let trace = printed(&lab.on(Host::Left, &["ping", "-n", "-c", "1", "-t", "1", "-W", "5", "198.51.100.10"]));
    assert!(trace.contains("From 192.0.2.1"), "the hop between them is ferryd: {trace}");
    let accounts = Accounts::of(&ferryd.stop());
    assert!(accounts.are_conserved() && accounts.transmitted > 0, "{accounts:?}");
    for host in &mut hosts {
        assert!(host.try_wait().expect("our own child").is_none(), "a host stays until it is stopped");
        host.kill().expect("it runs");
        host.wait().expect("our own child");
    }
}

#[test]
fn a_router_outside_the_labs_networks_says_which_is_missing() {
    let Some(lab) = Lab::new("a_router_outside_the_labs_networks_says_which_is_missing") else { return };
    let said = lab.in_the_middle(&[&script("router")]);
    assert!(!said.status.success());
    assert!(printed(&said).contains("no interface has an address in 192.0.2.0/24"), "{}", printed(&said));
}
