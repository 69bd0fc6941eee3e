//! What routes are shown to have sent, packet in and packet out.

use std::net::IpAddr;

use control_api::{Reply, Request, Route, RouteFilter, RouteFlags, RouteMessage, Target, Verb};
use simulation::{ALICE, BEYOND, BOB, GATEWAY, Plan, RIGHT, Scene, ip, udp};

/// A route by the gateway to a network in which nobody is.
fn message(verb: Verb, host: &str) -> RouteMessage {
    RouteMessage { target: Some(by(GATEWAY.like(ip(host)))), ..RouteMessage::new(verb, ip(host), None) }
}

fn by(gateway: IpAddr) -> Target {
    Target::Via { gateway, dev: None }
}

fn tell(scene: &mut Scene, message: RouteMessage) -> Route {
    match scene.ask(Request::RouteMessage(message)) {
        Ok(Reply::Route(route)) => route,
        other => panic!("{other:?}"),
    }
}

fn pksent(route: &Route) -> Option<u64> {
    route.detail.as_ref().expect("this ferryd tells").pksent
}

fn sent_to(scene: &mut Scene, host: &str) -> Option<u64> {
    pksent(&tell(scene, RouteMessage::new(Verb::Get, ip(host), None)))
}

fn send(scene: &mut Scene, host: &str, packets: usize) -> u64 {
    let packet = udp(ALICE.like(ip(host)), ip(host)).of(8);
    scene.send_all(ALICE, vec![packet; packets]).transmitted
}

const FAR: [&str; 2] = ["10.1.2.3", "2001:db8:fa::3"];

#[test]
fn a_route_shows_what_it_sent_from_when_it_is_counted_to_when_it_is_not() {
    for host in FAR {
        let mut scene = Scene::new();
        tell(&mut scene, message(Verb::Add, host));
        send(&mut scene, host, 3);
        assert_eq!(sent_to(&mut scene, host), None, "nobody asked");
        let counted = |is_counted| RouteMessage { count: Some(is_counted), ..message(Verb::Change, host) };
        tell(&mut scene, counted(true));
        assert_eq!(sent_to(&mut scene, host), Some(0));
        assert_eq!(send(&mut scene, host, 5), 5);
        assert_eq!(sent_to(&mut scene, host), Some(5));
        tell(&mut scene, counted(false));
        send(&mut scene, host, 7);
        assert_eq!(sent_to(&mut scene, host), None);
        tell(&mut scene, counted(true));
        send(&mut scene, host, 2);
        assert_eq!(sent_to(&mut scene, host), Some(7), "it goes on where it stopped");
        let gone = tell(&mut scene, message(Verb::Delete, host));
        assert_eq!(pksent(&gone), Some(7), "and what it ends with is answered");
    }
}

#[test]
fn a_change_of_anything_else_leaves_the_count() {
    let [host, _] = FAR;
    let mut scene = Scene::new();
    tell(&mut scene, RouteMessage { count: Some(true), ..message(Verb::Add, host) });
    send(&mut scene, host, 4);
    tell(&mut scene, RouteMessage { target: Some(by(BOB.like(ip(host)))), ..message(Verb::Change, host) });
    assert_eq!(send(&mut scene, host, 4), 4);
    assert_eq!(sent_to(&mut scene, host), Some(8), "by another gateway");
}

#[test]
fn routes_of_the_configuration_are_counted_if_it_says_so() {
    let routes = "[[route]]\nto = \"10.1.0.0/16\"\nvia = \"198.51.100.254\"\ncount = true\n\
                  [[route]]\nto = \"10.2.0.0/16\"\nvia = \"198.51.100.254\"\n";
    let mut scene = Scene::with(routes);
    send(&mut scene, "10.1.2.3", 3);
    assert_eq!(["10.1.2.3", "10.2.2.3"].map(|host| sent_to(&mut scene, host)), [Some(3), None]);
}

// holds S3.38
#[test]
fn where_all_routes_are_counted_they_add_up_to_what_was_transmitted() {
    let sections =
        "[routing]\ncount_packets = true\n[[route]]\nto = \"10.2.0.0/16\"\nvia = \"198.51.100.254\"\ncount = false\n";
    let mut scene = Plan::default().and(sections).open();
    let hosts: [IpAddr; 5] = [BOB.v4.into(), BOB.v6.into(), GATEWAY.v4.into(), BEYOND.v4.into(), BEYOND.v6.into()];
    let packets = hosts.iter().zip(1..).flat_map(|(host, times)| vec![udp(ALICE.like(*host), *host).of(8); times]);
    let transmitted = scene.send_all(ALICE, packets).transmitted;
    assert_eq!(transmitted, 15);
    let Ok(Reply::Routes(routes)) = scene.ask(Request::RouteShow { filter: RouteFilter::default() }) else {
        panic!("always")
    };
    assert_eq!(routes.iter().filter_map(pksent).sum::<u64>(), transmitted);
    assert_eq!(sent_to(&mut scene, &BOB.v4.to_string()), Some(1 + 3), "two hosts on its link");
    assert_eq!(sent_to(&mut scene, "10.2.2.3"), None, "unless a route says otherwise");
}

#[test]
fn routes_that_share_count_each_what_their_gateway_got() {
    let [host, _] = FAR;
    let mut scene = Scene::new();
    let shared = |gateway: IpAddr| RouteMessage {
        target: Some(by(gateway)),
        flags: Some(RouteFlags::STATIC | RouteFlags::MPATH),
        count: Some(true),
        ..RouteMessage::new(Verb::Add, ip(host), Some(ip("255.255.255.0")))
    };
    tell(&mut scene, shared(GATEWAY.v4.into()));
    tell(&mut scene, shared(BOB.v4.into()));
    let packets = (0..200).map(|number| udp(ALICE.v4, ip(&format!("10.1.2.{number}"))).of(8));
    let outcome = scene.send_all(ALICE, packets);
    let got = [GATEWAY, BOB].map(|gateway| outcome.packets_to(gateway).len() as u64);
    assert!(got.iter().all(|packets| *packets > 0), "{got:?}");
    let Ok(Reply::Routes(routes)) = scene.ask(Request::RouteShow { filter: RouteFilter::default() }) else {
        panic!("always")
    };
    let of = |gateway: IpAddr| routes.iter().find(|route| route.gateway == Some(gateway) && pksent(route).is_some());
    assert_eq!([GATEWAY, BOB].map(|gateway| of(gateway.v4.into()).and_then(pksent)), got.map(Some));
}

// holds S3.38, DP-12
#[test]
fn a_route_shows_only_what_its_port_took() {
    let [host, _] = FAR;
    let mut scene = Scene::new();
    tell(&mut scene, RouteMessage { count: Some(true), ..message(Verb::Add, host) });
    scene.set_room(RIGHT, 2);
    assert_eq!(send(&mut scene, host, 9), 2);
    assert_eq!(sent_to(&mut scene, host), Some(2));
}

// holds CL-03, X50
#[test]
fn a_clone_counts_for_itself_and_starts_with_nothing() {
    let mut scene = Scene::new();
    let template = RouteMessage {
        target: Some(Target::Dev("right".to_owned())),
        flags: Some(RouteFlags::STATIC | RouteFlags::CLONING),
        count: Some(true),
        ..RouteMessage::new(Verb::Add, ip("10.1.2.0"), Some(ip("255.255.255.0")))
    };
    tell(&mut scene, template);
    send(&mut scene, "10.1.2.3", 1);
    let clone = tell(&mut scene, RouteMessage::new(Verb::Get, ip("10.1.2.3"), None));
    assert!(clone.detail.as_ref().is_some_and(|detail| detail.flags.contains(RouteFlags::WASCLONED)), "{clone:?}");
    assert_eq!(pksent(&clone), Some(0), "nobody has answered for it yet");
}
