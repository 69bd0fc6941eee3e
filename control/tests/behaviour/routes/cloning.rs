//! CL: routes to hosts that are made from templates, and how long they live.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use boundary::{NextHop, PuntReason};
use control::events::Subscription;
use control::{Gateway, InterfaceHooks, LookupFlags, RouteCache, RouteEntry, RouteRef, Routes, RtRequest};
use control_api::{EventKind, RouteEvent, Verb};

use super::messages::{follower, kinds, told};
use super::*;

const ANY: RouteFlags = RouteFlags::empty();
const CLONING: RouteFlags = RouteFlags::CLONING;

/// A template on the link of p0.
fn template(prefix: &str, flags: RouteFlags) -> RouteMessage {
    message(Verb::Add, prefix).to(Target::Dev("p0".to_owned())).flags(flags | CLONING)
}

/// A scene at second 1000 with a template to 10.8.1.0/24.
fn with(flags: RouteFlags) -> Scene {
    let mut scene = scene();
    scene.pass(999 * SECOND);
    scene.tell(template("10.8.1.0/24", flags)).unwrap();
    scene
}

impl Scene {
    fn cloned(&mut self, host: &str) -> RouteRef {
        self.control.routes_mut().rtalloc1(ip(host), true, ANY).unwrap().unlock()
    }

    fn holds(&mut self, prefix: &str) -> bool {
        self.shown(0).iter().any(|shown| shown == prefix)
    }

    fn deleted(&mut self, prefix: &str) {
        self.tell(message(Verb::Delete, prefix)).unwrap();
    }

    /// Long enough for clones to be looked at, in the same second.
    fn look(&mut self) {
        self.pass(Duration::from_millis(100));
    }
}

fn heard(follower: &mut Subscription) -> Vec<(EventKind, String)> {
    kinds(&told(follower))
}

fn event(kind: EventKind, dst: &str) -> (EventKind, String) {
    (kind, dst.to_owned())
}

/// What the hooks were told, in order.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<(RtRequest, String)>>>);

impl InterfaceHooks for Log {
    fn rtrequest(&mut self, request: RtRequest, route: &RouteEntry, routes: &Routes) {
        // As a lower layer would that looks where the very host is.
        let found = routes.rtalloc1_fib(route.key(), false, ANY, 0).unwrap();
        assert!(request == RtRequest::Delete || found.is_some_and(|found| found.id() == route.id()));
        self.0.lock().unwrap().push((request, route.prefix().to_string()));
    }
}

// holds S4.03, S5.02, S5.15, X50
#[test]
fn cl_01_to_look_up_a_host_of_a_template_makes_a_route_to_it() {
    let mut scene = with(ANY);
    let clone = scene.cloned("10.8.1.5");
    assert_eq!((clone.prefix().to_string().as_str(), clone.mask()), ("10.8.1.5/32", None));
    assert_eq!(clone.parent().unwrap().prefix().to_string(), "10.8.1.0/24");
    let mut cache = RouteCache::new(ip("10.8.1.6"));
    scene.control.routes_mut().rtalloc(&mut cache);
    assert_eq!(cache.route().unwrap().prefix().to_string(), "10.8.1.6/32");
    let resolve = LookupFlags::RESOLVE;
    let found = scene.control.routes_mut().rtalloc_table(ip("10.8.1.7"), resolve, 0).unwrap();
    assert_eq!(found.prefix().to_string(), "10.8.1.7/32");
    let shown = scene.tell(message(Verb::Get, "10.8.1.5/32")).unwrap();
    assert_eq!(shown.protocol, control_api::Protocol::Cloned);
}

// holds S5.04, X50
#[test]
fn cl_02_a_clone_has_its_parent_s_flags_but_is_no_template_and_nobody_added_it() {
    let mut scene = with(RouteFlags::STATIC | RouteFlags::PROTO1);
    let expected = RouteFlags::UP | RouteFlags::HOST | RouteFlags::WASCLONED | RouteFlags::PROTO1;
    assert_eq!(scene.cloned("10.8.1.5").flags(), expected);
}

// holds X50
#[test]
fn cl_03_a_clone_has_its_parent_s_metrics_port_and_address() {
    let mut scene = scene();
    let metrics = RouteMetrics { mtu: 1400, ..RouteMetrics::NONE };
    let parent = scene.tell(template("10.8.1.0/24", ANY).metrics(MetricMask::MTU, metrics)).unwrap();
    let clone = scene.cloned("10.8.1.5");
    assert_eq!((clone.metrics().mtu, clone.port(), clone.gateway()), (1400, Some(LEFT), Gateway::Link(LEFT)));
    assert_eq!(clone.ifa(), detail(&parent).ifa);
}

// holds S2.04, S5.01, S5.03, X51
#[test]
fn cl_04_a_clone_is_told_to_the_hooks_once_and_then_to_whoever_follows() {
    let mut scene = with(ANY);
    let log = Log::default();
    scene.control.set_interface_hooks(Box::new(log.clone()));
    let mut follower = follower(&mut scene, None);
    drop(scene.cloned("10.8.1.5"));
    assert_eq!(*log.0.lock().unwrap(), [(RtRequest::Resolve, "10.8.1.5/32".to_owned())]);
    assert_eq!(heard(&mut follower), [event(EventKind::Add, "10.8.1.5/32")]);
}

// holds S2.04
#[test]
fn the_hooks_are_told_of_every_route_that_comes_and_goes() {
    let mut scene = scene();
    let log = Log::default();
    scene.control.set_interface_hooks(Box::new(log.clone()));
    scene.tell(add("10.0.0.0/8", 1)).unwrap();
    scene.deleted("10.0.0.0/8");
    let told = log.0.lock().unwrap().iter().map(|(request, _)| *request).collect::<Vec<_>>();
    assert_eq!(told, [RtRequest::Add, RtRequest::Delete]);
}

// holds S5.15
#[test]
fn cl_05_a_lookup_that_is_not_to_be_reported_finds_the_template_itself() {
    let mut scene = with(ANY);
    let mut follower = follower(&mut scene, None);
    let found = scene.control.routes_mut().rtalloc1(ip("10.8.1.5"), false, ANY).unwrap();
    assert_eq!(found.prefix().to_string(), "10.8.1.0/24");
    assert_eq!((heard(&mut follower), scene.control.routes().clones()), (Vec::new(), 0));
}

/// The hook of [`Log`] looks the very host up.
// holds S5.16
#[test]
fn cl_06_a_hook_that_looks_the_host_up_finds_the_clone() {
    let mut scene = with(ANY);
    scene.control.set_interface_hooks(Box::new(Log::default()));
    assert_eq!(scene.cloned("10.8.1.5").refs(), 1);
    assert_eq!(scene.control.routes().clones(), 1);
}

// holds S5.11, S5.17
#[test]
fn cl_07_a_template_that_is_not_to_act_is_found_itself() {
    let mut scene = with(ANY);
    let mut cache = RouteCache::new(ip("10.8.1.5"));
    scene.control.routes_mut().rtalloc_ign(&mut cache, CLONING);
    assert_eq!(cache.route().unwrap().prefix().to_string(), "10.8.1.0/24");
    let found = scene.control.routes_mut().rtalloc1(ip("10.8.1.5"), true, CLONING).unwrap();
    assert!(found.flags().contains(CLONING), "what is ignored is still told");
    assert_eq!(scene.control.routes().clones(), 0);
}

// holds S5.11
#[test]
fn cl_08_to_ignore_another_flag_changes_nothing() {
    let mut scene = with(RouteFlags::STATIC);
    let clone = scene.control.routes_mut().rtalloc1(ip("10.8.1.5"), true, RouteFlags::STATIC).unwrap();
    assert!(clone.flags().contains(RouteFlags::WASCLONED));
    assert!(clone.parent().unwrap().flags().contains(RouteFlags::STATIC));
}

// holds X53
#[test]
fn cl_09_the_second_lookup_finds_what_the_first_made() {
    let mut scene = with(ANY);
    let first = scene.cloned("10.8.1.5");
    let mut follower = follower(&mut scene, None);
    assert_eq!(scene.cloned("10.8.1.5").id(), first.id());
    assert_eq!((heard(&mut follower), scene.control.routes().clones()), (Vec::new(), 1));
}

// holds S3.20, S5.06, X34, X51
#[test]
fn cl_10_a_clone_that_is_to_be_resolved_outside_is_asked_for_instead() {
    let mut scene = with(RouteFlags::XRESOLVE);
    let mut follower = follower(&mut scene, None);
    assert_eq!(scene.cloned("10.8.1.5").prefix().to_string(), "10.8.1.5/32");
    let asked = RouteEvent {
        flags: RouteFlags::DONE,
        dst: Some("10.8.1.5/32".parse().unwrap()),
        ..RouteEvent::new(EventKind::Resolve, Some(0))
    };
    assert_eq!(told(&mut follower), [asked]);
}

// holds S3.20, S5.07
#[test]
fn cl_11_who_resolves_it_outside_says_so_with_a_change_and_packets_go_there() {
    let mut scene = with(RouteFlags::XRESOLVE);
    let mut follower = follower(&mut scene, None);
    drop(scene.cloned("10.8.1.5"));
    drop(scene.cloned("10.8.1.5"));
    let asked = event(EventKind::Resolve, "10.8.1.5/32");
    assert_eq!(heard(&mut follower), [asked.clone(), asked], "it is asked for as long as it is not resolved");
    let lladdr = MacAddr([2, 0, 0, 0, 9, 9]);
    let found = Target::Station { dev: "p0".to_owned(), lladdr };
    let changed = scene.tell(message(Verb::Change, "10.8.1.5/32").to(found).flags(ANY)).unwrap();
    assert_eq!(letters(&changed), "UHcL");
    assert_eq!(heard(&mut follower), [event(EventKind::Change, "10.8.1.5/32")]);
    let clone = scene.cloned("10.8.1.5");
    assert_eq!((heard(&mut follower), clone.gateway()), (Vec::new(), Gateway::Station(LEFT, lladdr)));
    assert_eq!(scene.station(ip("10.8.1.5")), Some(lladdr));
}

// holds S5.06
#[test]
fn cl_12_a_lookup_that_resolves_and_does_not_report_asks_nobody() {
    let mut scene = with(RouteFlags::XRESOLVE);
    let mut follower = follower(&mut scene, None);
    let clone = scene.control.routes_mut().rtalloc_table(ip("10.8.1.5"), LookupFlags::RESOLVE, 0).unwrap();
    assert!(clone.flags().contains(RouteFlags::WASCLONED));
    assert_eq!(heard(&mut follower), []);
}

// holds S5.05
#[test]
fn cl_13_the_obsolete_kind_of_template_is_taken_and_is_none() {
    let mut scene = scene();
    let route = scene.tell(add("10.8.1.0/24", 1).flags(RouteFlags::PRCLONING)).unwrap();
    assert_eq!(letters(&route), "UG");
    assert_eq!(scene.cloned("10.8.1.5").prefix().to_string(), "10.8.1.0/24");
}

// holds X54
#[test]
fn cl_14_with_a_template_go_its_clones() {
    let mut scene = with(ANY);
    let before = scene.shown(0);
    for host in ["10.8.1.5", "10.8.1.6", "10.8.1.7"] {
        drop(scene.cloned(host));
    }
    let held = scene.cloned("10.8.1.5");
    let mut follower = follower(&mut scene, None);
    scene.deleted("10.8.1.0/24");
    let gone = ["10.8.1.5/32", "10.8.1.6/32", "10.8.1.7/32", "10.8.1.0/24"];
    assert_eq!(heard(&mut follower), gone.map(|dst| event(EventKind::Delete, dst)));
    assert_eq!(scene.shown(0).len(), before.len() - 1);
    assert!(!held.is_up() && held.parent().is_none(), "a clone that is held keeps nobody else");
    assert_eq!((scene.fate(ip("10.8.1.5")), scene.control.routes().clones()), (None, 0));
}

#[test]
fn a_change_of_a_template_takes_the_clones_that_say_what_it_said() {
    let mut scene = with(ANY);
    drop(scene.cloned("10.8.1.5"));
    scene.tell(message(Verb::Change, "10.8.1.0/24").to(gateway(1, ""))).unwrap();
    assert!(!scene.holds("10.8.1.5/32"));
    assert_eq!(scene.cloned("10.8.1.5").gateway(), Gateway::Address(ip("192.0.2.11")));
}

// holds X55
#[test]
fn cl_15_a_better_network_takes_the_clones_that_it_covers() {
    let mut scene = scene();
    scene.tell(template("10.8.0.0/16", ANY)).unwrap();
    drop((scene.cloned("10.8.1.5"), scene.cloned("10.8.2.5")));
    scene.tell(add("10.8.1.0/24", 1)).unwrap();
    assert_eq!((scene.holds("10.8.1.5/32"), scene.holds("10.8.2.5/32")), (false, true));
    assert_eq!(scene.takes("10.8.1.5"), Some(1));
}

// holds X55
#[test]
fn cl_16_a_worse_network_takes_none() {
    let mut scene = with(ANY);
    drop(scene.cloned("10.8.1.5"));
    scene.tell(add("10.0.0.0/8", 1)).unwrap();
    assert!(scene.holds("10.8.1.5/32"));
}

// holds X39
#[test]
fn cl_17_a_clone_makes_room_for_a_route_that_a_person_adds() {
    let mut scene = with(ANY);
    drop(scene.cloned("10.8.1.5"));
    let route = scene.tell(add("10.8.1.5", 1).flags(RouteFlags::HOST | RouteFlags::STATIC)).unwrap();
    assert_eq!((letters(&route).as_str(), scene.takes("10.8.1.5")), ("UGHS", Some(1)));
    assert_eq!(scene.control.routes().clones(), 0);
}

// holds X52
#[test]
fn cl_18_where_there_is_no_room_the_template_is_found_and_it_is_told_why() {
    let mut scene = with(ANY);
    scene.control.set_clone_limit(1);
    drop(scene.cloned("10.8.1.5"));
    let mut follower = follower(&mut scene, None);
    assert_eq!(scene.cloned("10.8.1.6").prefix().to_string(), "10.8.1.0/24");
    let told = told(&mut follower);
    assert_eq!(kinds(&told), [event(EventKind::Miss, "10.8.1.6/32")]);
    assert_eq!(told[0].errno.as_deref(), Some("ENOBUFS"));
    assert_eq!(scene.cloned("10.8.1.5").prefix().to_string(), "10.8.1.5/32");
}

// holds X57
#[test]
fn cl_19_what_rejects_or_swallows_makes_no_routes() {
    let mut scene = scene();
    scene.tell(template("10.1.0.0/16", RouteFlags::REJECT)).unwrap();
    scene.tell(template("10.2.0.0/16", RouteFlags::BLACKHOLE)).unwrap();
    for (host, fate) in [("10.1.0.1", NextHop::Unreachable), ("10.2.0.1", NextHop::Blackhole)] {
        assert_eq!(scene.cloned(host).mask(), Some(16));
        scene.sends(BOB, PuntReason::Unreachable, &udp(BOB.v4, ip(host)).of(8));
        scene.pass(Duration::ZERO);
        assert_eq!(scene.fate(ip(host)), Some(fate));
    }
    assert_eq!(scene.control.routes().clones(), 0);
}

// holds S2.19, S3.23, X20
#[test]
fn cl_20_a_clone_that_nobody_holds_goes_after_an_hour_unless_somebody_comes_to_hold_it() {
    let mut scene = with(ANY);
    let held = scene.cloned("10.8.1.5");
    scene.look();
    assert_eq!(held.metrics().expire, 0);
    drop(held);
    scene.look();
    let expires = |scene: &mut Scene| {
        let route = scene.tell(message(Verb::Get, "10.8.1.5/32")).unwrap();
        (detail(&route).metrics.expire, letters(&route))
    };
    assert_eq!(expires(&mut scene), (4600, "UHc3".to_owned()));
    scene.until(2000);
    let held = scene.cloned("10.8.1.5");
    scene.look();
    assert_eq!(expires(&mut scene), (0, "UHc".to_owned()));
    drop(held);
    scene.look();
    assert_eq!(expires(&mut scene), (5600, "UHc3".to_owned()));
    scene.until(5599);
    assert!(scene.holds("10.8.1.5/32"));
    let mut follower = follower(&mut scene, None);
    scene.until(5600);
    assert!(!scene.holds("10.8.1.5/32"));
    assert_eq!(heard(&mut follower), [event(EventKind::Delete, "10.8.1.5/32")]);
}

#[test]
fn a_clone_that_is_held_again_in_the_last_moment_stays() {
    let mut scene = with(ANY);
    drop(scene.cloned("10.8.1.5"));
    scene.look();
    scene.until(4599);
    let _held = scene.cloned("10.8.1.5");
    scene.until(4600);
    scene.until(9000);
    assert!(scene.holds("10.8.1.5/32"));
}

// holds X20
#[test]
fn cl_21_where_nothing_is_kept_a_clone_goes_with_who_held_it() {
    let mut scene = with(ANY);
    scene.control.set_clone_expiry(Duration::ZERO);
    let held = scene.cloned("10.8.1.5");
    scene.look();
    assert!(scene.holds("10.8.1.5/32"));
    drop(held);
    scene.look();
    assert!(!scene.holds("10.8.1.5/32"));
}

// holds X20
#[test]
fn cl_22_many_that_nobody_holds_are_kept_for_a_shorter_time_and_not_shorter_than_ten_seconds() {
    let mut scene = with(ANY);
    for host in 1..=200 {
        drop(scene.cloned(&format!("10.8.1.{host}")));
    }
    scene.look();
    let kept = |scene: &Scene| scene.control.routes().clones_are_kept().as_secs();
    assert_eq!((kept(&scene), scene.control.routes().clones()), (2400, 200));
    assert_eq!(detail(&scene.tell(message(Verb::Get, "10.8.1.9/32")).unwrap()).metrics.expire, 3400);
    scene.until(1599);
    assert_eq!(kept(&scene), 2400, "not twice within ten minutes");
    scene.until(1600);
    assert_eq!(kept(&scene), 1600);
    scene.until(2000);
    scene.control.set_clone_expiry(Duration::from_secs(14));
    scene.until(2200);
    assert_eq!((kept(&scene), scene.control.routes().clones()), (10, 200));
    scene.until(2210);
    assert_eq!(scene.control.routes().clones(), 0);
}

// holds S2.04
#[test]
fn cl_23_a_burst_to_new_hosts_makes_a_route_for_each_and_no_more() {
    let mut scene = scene();
    scene.tell(template("10.8.0.0/16", ANY)).unwrap();
    let mut follower = follower(&mut scene, None);
    assert_eq!(scene.fate(ip("10.8.3.7")), Some(NextHop::Unresolved(LEFT)), "workers ask for it");
    for round in 0..3 {
        for host in 0..1000_u16 {
            let [third, fourth] = host.to_be_bytes();
            let to = ip(&format!("10.8.{third}.{fourth}"));
            scene.sends(BOB, PuntReason::Unresolved, &udp(BOB.v4, to).of(8));
        }
        scene.pass(Duration::ZERO);
        assert_eq!(scene.control.routes().clones(), 1000, "{round}");
    }
    let adds = heard(&mut follower).into_iter().filter(|(kind, _)| *kind == EventKind::Add).count();
    assert_eq!((adds, scene.control.counts().resolves_refused), (1000, 0));
}

#[test]
fn a_flood_to_new_hosts_makes_so_many_a_second_and_the_rest_is_counted() {
    let mut scene = scene();
    scene.tell(template("10.8.0.0/16", ANY)).unwrap();
    for host in 0..10_000_u16 {
        let [third, fourth] = host.to_be_bytes();
        scene.sends(BOB, PuntReason::Unresolved, &udp(BOB.v4, ip(&format!("10.8.{third}.{fourth}"))).of(8));
    }
    let made = u64::try_from(scene.control.routes().clones()).unwrap();
    assert_eq!(made, u64::from(control::RESOLVES_PER_SECOND / 4));
    assert_eq!(scene.control.counts().resolves_refused, 10_000 - made);
}

#[test]
fn a_packet_makes_a_route_of_its_own_that_the_next_ones_go_by() {
    let mut scene = with(ANY);
    let host = Host { v4: "10.8.1.5".parse().unwrap(), ..ALICE };
    scene.sends(BOB, PuntReason::Unresolved, &udp(BOB.v4, host.v4).of(8));
    scene.answers(host);
    assert_eq!(scene.take_packets_to(host).len(), 1);
    assert_eq!((scene.station(host.v4.into()), scene.holds("10.8.1.5/32")), (Some(host.mac), true));
}

// holds S2.16
#[test]
fn cl_24_functions_that_take_a_table_s_number_clone_nothing() {
    let mut scene = with(ANY);
    let found = scene.control.routes().rtalloc1_fib(ip("10.8.1.5"), true, ANY, 0).unwrap().unwrap();
    assert_eq!(found.prefix().to_string(), "10.8.1.0/24");
    let mut cache = RouteCache::new(ip("10.8.1.5"));
    scene.control.routes().rtalloc_fib(&mut cache, 0).unwrap();
    assert_eq!(cache.route().unwrap().prefix().to_string(), "10.8.1.0/24");
    assert_eq!(scene.control.routes_mut().clones(), 0);
}

// holds X40, X54
#[test]
fn cl_25_a_pinned_clone_outlives_its_parent() {
    let mut scene = with(RouteFlags::PINNED);
    assert!(scene.cloned("10.8.1.5").flags().contains(RouteFlags::PINNED));
    scene.tell(message(Verb::Delete, "10.8.1.0/24").flags(RouteFlags::PINNED)).unwrap();
    assert!(scene.holds("10.8.1.5/32") && scene.cloned("10.8.1.5").parent().is_none());
    assert_eq!(scene.control.routes().clones(), 1);
}

/// Any table has its templates, and a clone is in its parent's.
#[test]
fn a_clone_is_in_the_table_of_its_parent() {
    let mut scene = scene();
    scene.tell(template("10.8.1.0/24", ANY).fib(3)).unwrap();
    let clone = scene.control.routes_mut().rtalloc_table(ip("10.8.1.5"), LookupFlags::RESOLVE, 3).unwrap();
    assert_eq!((clone.fib(), clone.flags().contains(RouteFlags::WASCLONED)), (3, true));
    assert!(!scene.holds("10.8.1.5/32"));
}

#[test]
fn ipv6_has_templates_too() {
    let mut scene = scene();
    scene.tell(message(Verb::Add, "2001:db8:8::/64").to(Target::Dev("p2".to_owned())).flags(CLONING)).unwrap();
    assert_eq!(scene.cloned("2001:db8:8::5").prefix().to_string(), "2001:db8:8::5/128");
    scene.deleted("2001:db8:8::/64");
    assert_eq!(scene.control.routes().clones(), 0);
}
