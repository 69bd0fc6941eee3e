//! K. Routing state.

use control_api::{ErrorKind, Network, Reply, Request, RouteMessage, Target, Verb};
use simulation::{ALICE, BEYOND, BOB, GATEWAY, Host, Scene, ip, udp};

fn via(host: Host, to: &str) -> Target {
    Target::Via { gateway: host.like(ip(to.split_once('/').unwrap().0)), dev: None }
}

fn add(scene: &mut Scene, to: &str, by: Host) {
    let added = scene.ask(Request::RouteAdd { to: to.parse().unwrap(), target: via(by, to) });
    assert_eq!(added, Ok(Reply::Done), "{to}");
}

#[test]
fn rfc_163_prefixes_of_every_extreme_length_are_exact() {
    #[rustfmt::skip]
    let tables = [
        [("0.0.0.0/0", BOB), ("10.0.0.7/32", GATEWAY), ("10.0.0.8/31", ALICE)],
        [("::/0", BOB), ("2001:db8:a::7/128", GATEWAY), ("2001:db8:a::8/127", ALICE)],
    ];
    let asked = [("6", BOB), ("7", GATEWAY), ("8", ALICE), ("9", ALICE), ("10", BOB)];
    for (table, network) in tables.into_iter().zip(["10.0.0.", "2001:db8:a::"]) {
        let mut scene = Scene::new();
        table.into_iter().for_each(|(to, by)| add(&mut scene, to, by));
        for (host, by) in asked {
            let destination = ip(&format!("{network}{host}"));
            let outcome = scene.send(GATEWAY, &udp(BEYOND.like(destination), destination).of(8));
            assert_eq!(outcome.packets_to(by).len(), 1, "{destination}");
        }
    }
}

#[test]
fn rfc_163_bits_beyond_a_prefix_are_masked_or_refused() {
    assert!("10.1.2.3/8".parse::<Network>().is_err(), "where a person may have meant something else");
    let mut scene = Scene::new();
    let add = RouteMessage::new(Verb::Add, ip("10.1.2.3"), Some(ip("255.0.0.0")));
    match scene.ask(Request::RouteMessage(RouteMessage { target: Some(via(BOB, "10.0.0.0/8")), ..add })) {
        Ok(Reply::Route(route)) => assert_eq!(route.dst.to_string(), "10.0.0.0/8"),
        other => panic!("{other:?}"),
    }
    let with_a_hole = RouteMessage::new(Verb::Add, ip("10.1.2.3"), Some(ip("255.0.255.0")));
    let refused = scene.ask(Request::RouteMessage(with_a_hole)).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Invalid);
}

/// How many times workers were shown something new.
fn shown(scene: &mut Scene) -> u64 {
    match scene.ask(Request::Stats) {
        Ok(Reply::Stats(stats)) => stats.generation,
        other => panic!("{other:?}"),
    }
}

/// Workers see a table before a request and after it, and none between: there is no moment without the prefix.
#[test]
fn rfc_168_a_prefix_that_is_deleted_and_added_at_once_is_never_missing() {
    const TO: &str = "203.0.113.0/24";
    let message =
        |verb, target| RouteMessage { target, ..RouteMessage::new(verb, ip("203.0.113.0"), Some(ip("255.255.255.0"))) };
    let at_once = |by| {
        let target = via(by, TO);
        let changes = vec![message(Verb::Delete, None), message(Verb::Add, Some(target.clone()))];
        [Request::RouteBatch { changes }, Request::RouteReplace { to: TO.parse().unwrap(), target }]
    };
    let mut scene = Scene::new();
    for (round, by) in [BOB, GATEWAY].into_iter().cycle().take(20).enumerate() {
        let before = shown(&mut scene);
        let [batch, replace] = at_once(by);
        match scene.ask(if round % 4 < 2 { batch } else { replace }) {
            Ok(Reply::Done) => {}
            Ok(Reply::Batch(batch)) => assert_eq!((batch.done, batch.refused), (2, vec![])),
            other => panic!("{other:?}"),
        }
        assert_eq!(shown(&mut scene), before + 1, "one table after the other");
        let outcome = scene.send_all(ALICE, vec![udp(ALICE.v4, BEYOND.v4).of(8); 8]);
        assert_eq!((outcome.packets_to(by).len(), outcome.transmitted), (8, 8));
    }
}
