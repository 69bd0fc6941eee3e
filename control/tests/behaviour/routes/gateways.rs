//! GW: by which route a gateway is reached, and what happens when it is not.

use boundary::{NextHop, PortId};
use control::{Gateway, LookupFlags, RouteRef};
use control_api::{EntryCounts, ErrorKind, Verb};

use super::*;

const ANY: RouteFlags = RouteFlags::empty();

fn host(address: &str, target: Target) -> RouteMessage {
    message(Verb::Add, address).to(target).flags(RouteFlags::HOST)
}

fn dev(name: &str) -> Target {
    Target::Dev(name.to_owned())
}

impl Scene {
    fn found(&mut self, address: &str) -> RouteRef {
        self.control.routes_mut().rtalloc_table(ip(address), LookupFlags::empty(), 0).unwrap()
    }

    /// The route that the gateway on the way to an address is reached by.
    fn gwroute(&mut self, address: &str) -> Option<String> {
        let found = self.found(address);
        self.control.routes().gwroute(&found).map(|route| route.prefix().to_string())
    }

    fn refusal(&mut self, message: RouteMessage) -> (ErrorKind, Option<&'static str>) {
        let before = self.shown(message.fib);
        let kind = self.tell(message.clone()).unwrap_err().kind;
        assert_eq!(self.shown(message.fib), before);
        (kind, kind.errno())
    }
}

// holds S3.03, S3.11, S3.14
#[test]
fn gw_01_the_route_to_a_gateway_is_held() {
    let mut scene = scene();
    let before = scene.found("192.0.2.77").refs();
    scene.tell(add("10.0.0.0/8", 1)).unwrap();
    assert_eq!(scene.gwroute("10.0.0.1").as_deref(), Some("192.0.2.0/24"));
    assert_eq!(scene.found("192.0.2.77").refs(), before + 1);
    let found = scene.found("10.0.0.1");
    assert!(scene.control.routes().is_valid(&found));
}

/// A template on the link is for its hosts, and a gateway is one.
// holds S3.11, X46, X49
#[test]
fn gw_01_a_gateway_in_a_template_is_cloned_and_the_clone_kept() {
    let mut scene = scene();
    scene.tell(message(Verb::Add, "192.0.2.0/26").to(dev("p0")).flags(RouteFlags::CLONING)).unwrap();
    scene.tell(add("10.0.0.0/8", 1)).unwrap();
    assert_eq!(scene.gwroute("10.0.0.1").as_deref(), Some("192.0.2.11/32"));
    assert_eq!(scene.found("192.0.2.11").refs(), 2, "the gateway's and ours");
    scene.pass(7200 * SECOND);
    assert_eq!((scene.takes("10.0.0.1"), scene.control.routes().clones()), (Some(1), 1));
    scene.tell(message(Verb::Delete, "192.0.2.0/26")).unwrap();
    assert_eq!(scene.gwroute("10.0.0.1").as_deref(), Some("192.0.2.0/24"));
    assert_eq!(scene.takes("10.0.0.1"), Some(1));
}

// holds X44
#[test]
fn gw_02_a_host_is_not_its_own_gateway() {
    let mut scene = scene();
    let refused = scene.refusal(host("192.0.2.11", gateway(1, "")));
    assert_eq!(refused, (ErrorKind::GatewayItself, Some("EADDRNOTAVAIL")));
}

// holds X44
#[test]
fn gw_03_a_gateway_is_not_reached_by_the_route_that_goes_by_it() {
    let mut scene = scene();
    assert_eq!(scene.refusal(add("192.0.2.0/25", 1)), (ErrorKind::GatewayLoop, Some("EADDRINUSE")));
    scene.tell(message(Verb::Add, "192.0.2.0/25").to(dev("p0"))).unwrap();
    assert_eq!(scene.refusal(message(Verb::Change, "192.0.2.0/25").to(gateway(1, ""))).0, ErrorKind::GatewayLoop);
    scene.tell(add("0.0.0.0/0", 1)).unwrap();
    assert_eq!(scene.takes("203.0.113.9"), Some(1), "the route to everywhere leads to no gateway");
}

// holds X43
#[test]
fn gw_04_a_gateway_that_nothing_leads_to_is_refused() {
    let mut scene = scene();
    let refused = scene.refusal(message(Verb::Add, "10.0.0.0/8").to(via(ip("203.0.113.1"))));
    assert_eq!(refused, (ErrorKind::UnreachableGateway, Some("ENETUNREACH")));
}

// holds S3.06, X43
#[test]
fn gw_05_the_default_route_leads_to_no_gateway() {
    let mut scene = scene();
    scene.tell(add("0.0.0.0/0", 1)).unwrap();
    for dev in [None, Some("p0".to_owned())] {
        let target = Target::Via { gateway: ip("203.0.113.1"), dev };
        let refused = scene.refusal(message(Verb::Add, "10.0.0.0/8").to(target));
        assert_eq!(refused, (ErrorKind::UnreachableGateway, Some("ENETUNREACH")));
    }
}

// holds S3.06, X45
#[test]
fn gw_06_a_port_that_is_named_is_taken_and_the_gateway_is_reached_when_a_route_leads_to_it_there() {
    let mut scene = scene();
    let target = Target::Via { gateway: ip("192.0.2.77"), dev: Some("p1".to_owned()) };
    let route = scene.tell(message(Verb::Add, "10.0.0.0/8").to(target)).unwrap();
    assert_eq!((route.dev.as_deref(), scene.gwroute("10.0.0.1")), (Some("p1"), None));
    assert_eq!(scene.fate(ip("10.0.0.1")), Some(NextHop::Unreachable));
    scene.tell(host("192.0.2.77", dev("p1"))).unwrap();
    assert_eq!(scene.gwroute("10.0.0.1").as_deref(), Some("192.0.2.77/32"));
    assert_eq!(scene.fate(ip("10.0.0.1")), Some(NextHop::Unresolved(RIGHT)));
}

// holds X43, X45
#[test]
fn gw_07_a_gateway_behind_a_gateway_is_refused() {
    let mut scene = scene();
    scene.tell(host("192.0.2.77", gateway(1, ""))).unwrap();
    let refused = scene.refusal(message(Verb::Add, "10.0.0.0/8").to(via(ip("192.0.2.77"))));
    assert_eq!(refused, (ErrorKind::UnreachableGateway, Some("ENETUNREACH")));
}

// holds X46, X48
#[test]
fn gw_08_a_gateway_whose_route_has_gone_is_looked_up_again_or_cannot_be_reached() {
    let mut scene = scene();
    scene.tell(message(Verb::Add, "192.0.2.0/28").to(dev("p0"))).unwrap();
    scene.tell(add("10.0.0.0/8", 1)).unwrap();
    assert_eq!(scene.gwroute("10.0.0.1").as_deref(), Some("192.0.2.0/28"));
    scene.tell(message(Verb::Delete, "192.0.2.0/28")).unwrap();
    assert_eq!((scene.gwroute("10.0.0.1").as_deref(), scene.takes("10.0.0.1")), (Some("192.0.2.0/24"), Some(1)));
    scene.tell(message(Verb::Delete, "192.0.2.0/24").flags(RouteFlags::PINNED)).unwrap();
    assert_eq!((scene.gwroute("10.0.0.1"), scene.fate(ip("10.0.0.1"))), (None, Some(NextHop::Unreachable)));
    let found = scene.found("10.0.0.1");
    assert!(found.is_up() && !scene.control.routes().is_valid(&found));
    scene.tell(message(Verb::Add, "192.0.2.0/24").to(dev("p0"))).unwrap();
    assert_eq!(scene.takes("10.0.0.1"), Some(1), "and it is reached again");
}

// holds X46
#[test]
fn gw_08_a_table_whose_way_to_a_gateway_has_gone_is_cut_off_and_the_others_are_not() {
    let mut scene = Scene::with(Setup { port_fibs: vec![0, 2, 3], ..setup() });
    scene.tell(message(Verb::Delete, "192.0.2.0/24").flags(RouteFlags::PINNED)).unwrap();
    for fib in [2, 3] {
        scene.tell(host("192.0.2.11", dev("p0")).fib(fib)).unwrap();
        scene.tell(add("10.0.0.0/8", 1).fib(fib)).unwrap();
    }
    let fates = |scene: &mut Scene| [RIGHT, PortId(2)].map(|port| scene.fate_from(port, ip("10.0.0.1")));
    let [Some(NextHop::Neighbour(one)), Some(NextHop::Neighbour(other))] = fates(&mut scene) else { panic!("both go") };
    assert_eq!(one, other);
    scene.tell(message(Verb::Delete, "192.0.2.11/32").fib(2)).unwrap();
    assert_eq!(fates(&mut scene), [Some(NextHop::Unreachable), Some(NextHop::Neighbour(other))]);
    scene.tell(host("192.0.2.11", dev("p0")).fib(2)).unwrap();
    assert_eq!(fates(&mut scene), [Some(NextHop::Neighbour(one)); 2], "and it is reached again");
}

/// A route of one table may lead to a router on a link of another, as where VRFs leak into each other.
// holds X43, X46
#[test]
fn a_gateway_on_the_link_of_another_table_s_port_is_reached_by_that_table() {
    let mut scene = Scene::with(Setup { port_fibs: vec![0, 2, 0], ..setup() });
    scene.tell(message(Verb::Add, "10.0.0.0/8").to(via(ip("198.51.100.9")))).unwrap();
    assert_eq!(scene.gwroute("10.0.0.1").as_deref(), Some("198.51.100.0/24"));
    assert_eq!(scene.fate(ip("10.0.0.1")), Some(NextHop::Unresolved(RIGHT)));
    scene.tell(message(Verb::Delete, "198.51.100.0/24").fib(2).flags(RouteFlags::PINNED)).unwrap();
    assert_eq!((scene.gwroute("10.0.0.1"), scene.fate(ip("10.0.0.1"))), (None, Some(NextHop::Unreachable)));
}

/// It is on its link, whatever the routes are.
// holds X48
#[test]
fn a_link_local_gateway_takes_no_route_to_be_reached() {
    let mut scene = scene();
    let target = Target::Via { gateway: ip("fe80::9"), dev: Some("p2".to_owned()) };
    scene.tell(message(Verb::Add, "2001:db8:be::/48").to(target)).unwrap();
    let found = scene.found("2001:db8:be::1");
    assert!(scene.control.routes().is_valid(&found));
    assert_eq!(scene.fate(ip("2001:db8:be::1")), Some(NextHop::Unresolved(PortId(2))));
}

// holds X45
#[test]
fn a_gateway_that_comes_to_be_behind_another_is_not_gone_to() {
    let mut scene = scene();
    scene.tell(add("10.0.0.0/8", 1)).unwrap();
    scene.tell(host("192.0.2.11", gateway(2, ""))).unwrap();
    assert_eq!((scene.gwroute("10.0.0.1"), scene.fate(ip("10.0.0.1"))), (None, Some(NextHop::Unreachable)));
    scene.tell(message(Verb::Delete, "192.0.2.11/32")).unwrap();
    assert_eq!(scene.takes("10.0.0.1"), Some(1));
}

// holds X47
#[test]
fn gw_09_a_route_carries_no_more_than_the_one_to_its_gateway_unless_that_is_locked() {
    let mut scene = scene();
    let mtu = |mtu| RouteMetrics { mtu, ..RouteMetrics::NONE };
    scene.tell(message(Verb::Add, "192.0.2.0/28").to(dev("p0")).metrics(MetricMask::MTU, mtu(1400))).unwrap();
    let route = scene.tell(add("10.0.0.0/8", 1).metrics(MetricMask::MTU, mtu(1500))).unwrap();
    assert_eq!(detail(&route).metrics.mtu, 1400);
    let locked = RouteMetrics { locks: MetricMask::MTU, ..mtu(1500) };
    let route = scene.tell(add("10.1.0.0/16", 1).metrics(MetricMask::MTU, locked)).unwrap();
    assert_eq!(detail(&route).metrics.mtu, 1500);
}

/// Of people: a routing daemon may know an IPv6 router for IPv4 (RFC 8950).
#[test]
fn gw_10_a_gateway_is_of_its_destination_s_family() {
    let mut scene = scene();
    let (kind, errno) = scene.refusal(message(Verb::Add, "10.0.0.0/8").to(via(ip("2001:db8::11"))));
    assert_eq!((kind, errno), (ErrorKind::FamilyMismatch, Some("EINVAL")));
}

// holds S3.11
#[test]
fn gw_11_with_the_last_route_by_a_gateway_goes_the_reference_to_its_route() {
    let mut scene = scene();
    let before = scene.found("192.0.2.77").refs();
    let gateways = |scene: &mut Scene| match scene.ask(Request::Stats) {
        Ok(Reply::Stats(stats)) => stats.entries.map(|EntryCounts { gateways, .. }| gateways),
        other => panic!("{other:?}"),
    };
    scene.tell(add("10.0.0.0/8", 1)).unwrap();
    scene.tell(add("10.1.0.0/16", 1)).unwrap();
    assert_eq!(gateways(&mut scene), Some(1), "routes by one gateway share it");
    scene.tell(message(Verb::Delete, "10.1.0.0/16")).unwrap();
    assert_eq!(scene.found("192.0.2.77").refs(), before + 1);
    scene.tell(message(Verb::Change, "10.0.0.0/8").to(gateway(2, ""))).unwrap();
    assert_eq!(scene.found("192.0.2.77").refs(), before + 1);
    scene.tell(message(Verb::Delete, "10.0.0.0/8")).unwrap();
    assert_eq!((scene.found("192.0.2.77").refs(), gateways(&mut scene)), (before, Some(0)));
}

// holds X43, X45
#[test]
fn gw_12_two_gateways_do_not_lead_to_each_other() {
    let mut scene = scene();
    scene.tell(host("192.0.2.11", gateway(2, ""))).unwrap();
    assert_eq!(scene.refusal(host("192.0.2.12", gateway(1, ""))).0, ErrorKind::UnreachableGateway);
    assert_eq!(scene.takes("192.0.2.11"), Some(2));
}

/// Ports' routes are in the main table, and reach the gateways of all.
#[test]
fn a_gateway_of_another_table_is_reached_by_the_main_one() {
    let mut scene = scene();
    scene.tell(add("10.0.0.0/8", 1).fib(2)).unwrap();
    let found = scene.control.routes().rtalloc1_fib(ip("10.0.0.1"), false, ANY, 2).unwrap().unwrap();
    assert_eq!(found.gateway(), Gateway::Address(ip("192.0.2.11")));
    assert_eq!(scene.control.routes().gwroute(&found).unwrap().prefix().to_string(), "192.0.2.0/24");
}
