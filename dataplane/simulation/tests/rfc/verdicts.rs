//! What becomes of packets that no route, or a route that leads nowhere, is for.

use control_api::{Reply, Request, Target};
use simulation::{ALICE, Outcome, Scene, ip, udp};

/// A router that discards these networks in three ways.
fn scene() -> Scene {
    let mut scene = Scene::new();
    for (target, networks) in [
        (Target::Blackhole, ["10.1.0.0/16", "2001:db8:a::/48"]),
        (Target::Unreachable, ["10.2.0.0/16", "2001:db8:b::/48"]),
        (Target::Prohibit, ["10.3.0.0/16", "2001:db8:c::/48"]),
    ] {
        for network in networks {
            let to = network.parse().expect("it is one");
            assert_eq!(scene.ask(Request::RouteAdd { to, target: target.clone() }), Ok(Reply::Done));
        }
    }
    scene
}

fn sent_to(destination: &str) -> Outcome {
    let destination = ip(destination);
    scene().send(ALICE, &udp(ALICE.like(destination), destination).of(8))
}

#[test]
fn rfc_074_a_route_that_discards_is_silent_or_says_why() {
    let silent = sent_to("10.1.0.1");
    assert!(silent.is_silent() && silent.transmitted == 0, "{silent:?}");
    assert_eq!(sent_to("10.2.0.1").icmp_to(ALICE).kind_and_code, (3, 1));
    assert_eq!(sent_to("10.3.0.1").icmp_to(ALICE).kind_and_code, (3, 13));
}

#[test]
fn rfc_121_each_reason_has_its_code_in_ipv6() {
    assert!(sent_to("2001:db8:a::1").is_silent());
    assert_eq!(sent_to("2001:db8:b::1").icmp_to(ALICE).kind_and_code, (1, 6), "a reject route");
    assert_eq!(sent_to("2001:db8:c::1").icmp_to(ALICE).kind_and_code, (1, 1), "prohibited");
}
