//! Links that go and come while ferryd runs.

use control_api::{Protocol, Reply, Request, Route, RouteFilter, RouteFlags};

use crate::ferryd::{patiently, printed};
use crate::lab::{Host, Lab};

const RIGHT: &str = "198.51.100.10";

/// Whether the routes to the networks of a port are up; nothing while they differ.
pub(crate) fn are_up(lab: &Lab, port: &str) -> Option<bool> {
    let Ok(Reply::Routes(routes)) = lab.ask(&Request::RouteShow { filter: RouteFilter::default() }) else {
        panic!("routes are always shown")
    };
    let is_over = |route: &&Route| route.dev.as_deref() == Some(port) && route.protocol == Protocol::Connected;
    let is_up = |route: &Route| route.detail.as_ref().is_some_and(|detail| detail.flags.contains(RouteFlags::UP));
    let mut up: Vec<_> = routes.iter().filter(is_over).map(is_up).collect();
    up.dedup();
    if let [all] = up[..] { Some(all) } else { None }
}

#[test]
fn rfc_169_routes_over_a_link_that_goes_are_not_up_and_are_back_with_it() {
    let Some(lab) = Lab::new("rfc_169_routes_over_a_link_that_goes_are_not_up_and_are_back_with_it") else { return };
    let _ferryd = lab.start(&lab.config(""));
    let ping = || lab.on(Host::Left, &["ping", "-n", "-c", "1", "-W", "5", RIGHT]);
    assert!(printed(&ping()).contains(" 0% packet loss"));

    assert!(lab.on(Host::Right, &["ip", "link", "set", "host0", "down"]).status.success());
    assert!(patiently(|| (are_up(&lab, "right") == Some(false)).then_some(())).is_some(), "it is seen");
    let unreachable = printed(&ping());
    assert!(unreachable.contains("Unreachable"), "and senders are told: {unreachable}");

    assert!(lab.on(Host::Right, &["ip", "link", "set", "host0", "up"]).status.success());
    assert!(patiently(|| (are_up(&lab, "right") == Some(true)).then_some(())).is_some(), "it is back");
    // The host's own routes went with its link.
    assert!(lab.on(Host::Right, &["ip", "route", "add", "default", "via", "198.51.100.1"]).status.success());
    let reached = patiently(|| printed(&ping()).contains(" 0% packet loss").then_some(()));
    assert!(reached.is_some(), "and so is the host");
}
