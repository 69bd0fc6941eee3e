//! RJ: what rejects packets and what swallows them.

use boundary::{NextHop, PuntReason};
use control::{LookupError, RouteCache};
use control_api::Verb;

use super::*;

const REJECT: RouteFlags = RouteFlags::REJECT;
const BLACKHOLE: RouteFlags = RouteFlags::BLACKHOLE;

fn bob_to(destination: &str) -> Vec<u8> {
    udp(ip("198.51.100.20"), ip(destination)).of(8)
}

impl Scene {
    /// The ICMP type and code that a host on p1 is answered with for a packet to an address, if it is.
    fn answered(&mut self, destination: &str, reason: PuntReason) -> Option<(u8, u8)> {
        let asker = Host { v4: "198.51.100.20".parse().unwrap(), ..BOB };
        self.introduce(asker);
        self.sends(asker, reason, &bob_to(destination));
        let answer = self.take_packets_to(asker).pop().map(|packet| Icmp::read(&packet));
        answer.map(|icmp| (icmp.kind, icmp.code))
    }
}

// holds S2.29, S5.25
#[test]
fn rj_01_who_needs_a_route_is_told_that_there_is_none() {
    let mut scene = scene();
    let mut cache = RouteCache::new(ip("203.0.113.9"));
    scene.control.routes_mut().rtalloc(&mut cache);
    let error = cache.require_route().unwrap_err();
    assert_eq!(error, LookupError::HostUnreachable { destination: ip("203.0.113.9") });
    assert_eq!(error.errno(), "EHOSTUNREACH");
}

// holds S3.16, X70
#[test]
fn rj_02_what_rejects_answers_that_the_host_is_unreachable_for_hosts_and_networks() {
    let mut scene = scene();
    scene.tell(add("10.0.0.0/8", 1).flags(REJECT)).unwrap();
    scene.tell(add("172.16.0.1", 1).flags(REJECT | RouteFlags::HOST)).unwrap();
    for destination in ["10.0.0.1", "172.16.0.1"] {
        assert_eq!(scene.fate(ip(destination)), Some(NextHop::Unreachable));
        assert_eq!(scene.answered(destination, PuntReason::Unreachable), Some((3, 1)), "{destination}");
    }
}

// holds S3.16, X70
#[test]
fn rj_04_a_route_whose_gateway_s_route_rejects_does_too() {
    let mut scene = scene();
    scene.tell(add("10.0.0.0/8", 1)).unwrap();
    let flags = REJECT | RouteFlags::HOST;
    scene.tell(message(Verb::Add, "192.0.2.11").to(Target::Dev("p0".to_owned())).flags(flags)).unwrap();
    assert_eq!(scene.fate(ip("10.0.0.1")), Some(NextHop::Unreachable));
    assert_eq!(scene.answered("10.0.0.1", PuntReason::Unreachable), Some((3, 1)));
    scene.tell(message(Verb::Delete, "192.0.2.11/32")).unwrap();
    assert_eq!(scene.takes("10.0.0.1"), Some(1));
}

// holds S3.16
#[test]
fn rj_05_a_default_route_comes_to_reject_and_to_forward_again() {
    let mut scene = scene();
    scene.tell(add("0.0.0.0/0", 1)).unwrap();
    let change = |flags| message(Verb::Change, "0.0.0.0/0").flags(flags | RouteFlags::STATIC);
    assert_eq!(letters(&scene.tell(change(REJECT)).unwrap()), "UGRS");
    assert_eq!(scene.fate(ip("203.0.113.9")), Some(NextHop::Unreachable));
    assert_eq!(letters(&scene.tell(change(RouteFlags::empty())).unwrap()), "UGS");
    assert_eq!(scene.takes("203.0.113.9"), Some(1));
}

// holds S3.22, X71
#[test]
fn rj_06_what_swallows_packets_says_nothing() {
    let mut scene = scene();
    scene.tell(add("10.0.0.0/8", 1).flags(BLACKHOLE)).unwrap();
    assert_eq!(scene.fate(ip("10.0.0.1")), Some(NextHop::Blackhole));
    assert_eq!(scene.answered("10.0.0.1", PuntReason::Unreachable), None);
}

// holds S3.22, X71
#[test]
fn rj_07_silence_comes_before_an_answer() {
    let mut scene = scene();
    scene.tell(add("10.0.0.0/8", 1).flags(BLACKHOLE | REJECT)).unwrap();
    assert_eq!(scene.fate(ip("10.0.0.1")), Some(NextHop::Blackhole));
    assert_eq!(scene.answered("10.0.0.1", PuntReason::Unreachable), None);
}

// holds S3.22
#[test]
fn rj_08_a_better_route_inside_what_swallows_is_forwarded_by() {
    let mut scene = scene();
    scene.tell(message(Verb::Add, "10.0.0.0/8").to(Target::Blackhole)).unwrap();
    scene.tell(add("10.1.0.0/16", 1)).unwrap();
    assert_eq!((scene.takes("10.1.0.1"), scene.fate(ip("10.2.0.1"))), (Some(1), Some(NextHop::Blackhole)));
}
