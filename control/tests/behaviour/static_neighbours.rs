//! Neighbours that people set, and take away, while the router runs.

use boundary::{NextHop, PuntReason};
use control_api::{ErrorKind, NeighbourState, Reply, Request};
use packet::ethernet::MacAddr;
use std::net::IpAddr;

use crate::scene::*;

const OTHER: MacAddr = MacAddr([2, 0, 0, 0, 6, 6]);

fn add(address: impl Into<IpAddr>, dev: &str, lladdr: MacAddr) -> Request {
    Request::NeighAdd { address: address.into(), dev: dev.to_owned(), lladdr }
}

fn replace(address: impl Into<IpAddr>, dev: &str, lladdr: MacAddr) -> Request {
    Request::NeighReplace { address: address.into(), dev: dev.to_owned(), lladdr }
}

fn delete(address: impl Into<IpAddr>, dev: &str) -> Request {
    Request::NeighDel { address: address.into(), dev: dev.to_owned() }
}

fn state_of(scene: &mut Scene, address: IpAddr) -> Option<NeighbourState> {
    match scene.ask(Request::NeighShow { dev: None }) {
        Ok(Reply::Neighbours(all)) => all.iter().find(|one| one.dst == address).map(|one| one.state),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_neighbour_that_is_added_is_used_at_once_and_stays() {
    let mut scene = Scene::new();
    for bob in BOB.addresses() {
        assert_eq!(scene.ask(add(bob, "right", BOB.mac)), Ok(Reply::Done));
        assert_eq!(scene.station(bob), Some(BOB.mac));
        scene.introduce(Host { mac: OTHER, ..BOB });
        scene.pass(3600 * SECOND);
        assert_eq!(scene.station(bob), Some(BOB.mac), "whatever is said on the link");
        assert_eq!(state_of(&mut scene, bob), Some(NeighbourState::Permanent));
    }
}

#[test]
fn what_waited_for_a_neighbour_leaves_when_it_is_added() {
    let mut scene = Scene::new();
    scene.sends(ALICE, PuntReason::Unresolved, &udp(ALICE.v4, BOB.v4).of(8));
    scene.take_sent();
    scene.ask(add(BOB.v4, "right", BOB.mac)).unwrap();
    scene.pass(SECOND);
    assert_eq!(scene.take_packets_to(BOB), [udp(ALICE.v4, BOB.v4).hops(63).of(8)]);
    assert_eq!(scene.take_sent(), [], "and nobody is asked for it any more");
}

#[test]
fn a_second_one_is_refused_and_a_replacement_is_not() {
    let mut scene = Scene::knowing(&[BOB]);
    scene.ask(add(BOB.v4, "right", BOB.mac)).expect("one that was learnt is in nobody's way");
    let refused = scene.ask(add(BOB.v4, "right", OTHER)).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Exists);
    assert_eq!(scene.station(BOB.v4.into()), Some(BOB.mac), "and all is as it was");
    scene.ask(replace(BOB.v4, "right", OTHER)).unwrap();
    assert_eq!(scene.station(BOB.v4.into()), Some(OTHER));
}

#[test]
fn a_neighbour_that_is_deleted_is_found_again_when_it_is_wanted() {
    let mut scene = Scene::new();
    scene.ask(add(BOB.v4, "right", OTHER)).unwrap();
    scene.ask(delete(BOB.v4, "right")).unwrap();
    assert_eq!(scene.fate(BOB.v4.into()), Some(NextHop::Unresolved(RIGHT)));
    assert_eq!(scene.ask(delete(BOB.v4, "right")).unwrap_err().kind, ErrorKind::NotFound);
    scene.sends(ALICE, PuntReason::Unresolved, &udp(ALICE.v4, BOB.v4).of(8));
    scene.answers(BOB);
    assert_eq!(scene.station(BOB.v4.into()), Some(BOB.mac));
}

#[test]
fn a_flush_takes_what_was_learnt_and_what_was_set_only_if_that_is_said() {
    let mut scene = Scene::knowing(&[ALICE, BOB]);
    scene.ask(add(GATEWAY.v4, "right", GATEWAY.mac)).unwrap();
    let flush = |dev: Option<&str>, permanent| Request::NeighFlush { dev: dev.map(str::to_owned), permanent };
    assert_eq!(scene.ask(flush(Some("left"), false)), Ok(Reply::Flushed(2)));
    assert_eq!((scene.station(ALICE.v4.into()), scene.station(BOB.v4.into())), (None, Some(BOB.mac)));
    assert_eq!(scene.ask(flush(None, false)), Ok(Reply::Flushed(2)));
    assert_eq!((scene.station(BOB.v4.into()), scene.station(GATEWAY.v4.into())), (None, Some(GATEWAY.mac)));
    assert_eq!(scene.ask(flush(None, true)), Ok(Reply::Flushed(1)));
    assert_eq!(scene.station(GATEWAY.v4.into()), None);
    assert_eq!(scene.ask(flush(Some("middle"), true)).unwrap_err().kind, ErrorKind::UnknownPort);
}

#[test]
fn what_cannot_be_a_neighbour_is_refused_and_nothing_changes() {
    let mut scene = Scene::new();
    let before = scene.generation();
    for (request, kind) in [
        (add(BOB.v4, "middle", BOB.mac), ErrorKind::UnknownPort),
        (add(BOB.v4, "left", BOB.mac), ErrorKind::UnreachableGateway),
        (add(ip("203.0.113.9"), "left", BOB.mac), ErrorKind::UnreachableGateway),
        (add(ip("192.0.2.255"), "left", BOB.mac), ErrorKind::UnreachableGateway),
        (add(ip("ff02::1"), "left", BOB.mac), ErrorKind::UnreachableGateway),
        (add(ON_LEFT.v4, "left", BOB.mac), ErrorKind::Invalid),
        (add(ON_RIGHT.v6, "left", BOB.mac), ErrorKind::Invalid),
        (replace(ALICE.v4, "left", MacAddr::BROADCAST), ErrorKind::Invalid),
        (replace(ALICE.v4, "left", MacAddr::ZERO), ErrorKind::Invalid),
    ] {
        assert_eq!(scene.ask(request.clone()).unwrap_err().kind, kind, "{request:?}");
    }
    assert_eq!(scene.generation(), before);
}
