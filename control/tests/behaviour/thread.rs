//! The control thread, with its rings and its clock.

use std::time::{Duration, Instant};

use boundary::{ForwardingState, Punt, PuntReason, RingSizes, WorkerEnd, connect};
use control::server::Asked;
use control::thread::ControlThread;
use control::{Asker, Control, Timestamp, WorkerInfo};
use control_api::{ApiError, ErrorKind, Reply, Request};
use crossbeam::channel::{Sender, unbounded};
use packet::arp::Arp;
use packet::ethernet::{EtherType, MacAddr};
use tokio::sync::oneshot;

use crate::scene::*;

const PATIENCE: Duration = Duration::from_secs(10);

/// A control thread that has announced itself, a worker's end without a worker, and a way to ask.
fn start() -> (ControlThread, WorkerEnd, Sender<Asked>) {
    let setup = setup();
    let first = ForwardingState::without_routes(setup.ports.iter().map(|port| port.state));
    let (publisher, links, counters, mut ends) = connect(first, 1, RingSizes::default());
    let workers = counters.into_iter().map(|counters| WorkerInfo { core: 1, counters }).collect();
    let control = Control::new(setup, publisher, workers, Box::new(NoHardware), Timestamp::ZERO);
    let (ask, asked) = unbounded();
    let thread = ControlThread::spawn(control, links, asked, Instant::now(), ()).unwrap();
    let mut worker = ends.pop().unwrap();
    for _announcement in 0..6 {
        wait_for(|| worker.originated.receive(|_, _| ()));
    }
    (thread, worker, ask)
}

fn ask(requests: &Sender<Asked>, request: Request) -> Result<Reply, ApiError> {
    let (reply, answer) = oneshot::channel();
    requests.send(Asked { request, asker: Asker::ferryd(), reply }).unwrap();
    answer.blocking_recv().unwrap()
}

fn wait_for<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "it never came");
        std::thread::yield_now();
    }
}

#[test]
fn a_punted_question_is_answered_through_the_ring() {
    let (thread, mut worker, _requests) = start();
    let mut question = Vec::new();
    Arp::request(ALICE.mac, ALICE.v4, ON_LEFT.v4).append_to(&mut question);
    let question = frame(ALICE, MacAddr::BROADCAST, EtherType::ARP, &question);
    worker.punts.send(Punt { port: LEFT, reason: PuntReason::Arp }, &question).unwrap();
    let (port, answer) = wait_for(|| worker.originated.receive(|port, frame| (port, frame.to_vec())));
    assert_eq!(port, LEFT);
    assert_eq!(answer[..6], ALICE.mac.0);
    wait_for(|| worker.state.pin().ipv4.lookup(ALICE.v4).filter(|_| worker.state.pin().generation > 1));
    thread.stop().unwrap();
}

#[test]
fn a_request_is_answered_once_workers_see_its_effect() {
    let (thread, mut worker, requests) = start();
    let before = worker.state.pin().generation;
    let request = Request::RouteAdd { to: "10.0.0.0/8".parse().unwrap(), target: via(BOB.v4) };
    assert_eq!(ask(&requests, request.clone()), Ok(Reply::Done));
    assert_eq!(worker.state.pin().generation, before + 1);
    assert_eq!(ask(&requests, request).unwrap_err().kind, ErrorKind::Exists);
    thread.stop().unwrap();
}

#[test]
fn a_client_that_is_gone_is_nobody_s_trouble() {
    let (thread, _worker, requests) = start();
    let (reply, answer) = oneshot::channel();
    drop(answer);
    requests.send(Asked { request: Request::Stats, asker: Asker::ferryd(), reply }).unwrap();
    assert!(ask(&requests, Request::Stats).is_ok());
    drop(requests);
    assert!(thread.is_running());
    thread.stop().unwrap();
}

#[test]
fn what_was_punted_before_the_stop_is_decided_and_what_has_no_room_is_counted() {
    let (thread, mut worker, _requests) = start();
    let expired = udp(ALICE.v4, ip("203.0.113.9")).hops(1).of(8);
    let mut question = Vec::new();
    Arp::request(ALICE.mac, ALICE.v4, ON_LEFT.v4).append_to(&mut question);
    worker
        .punts
        .send(Punt { port: LEFT, reason: PuntReason::Arp }, &frame(ALICE, ON_LEFT.mac, EtherType::ARP, &question))
        .unwrap();
    for _packet in 0..100 {
        let punt = Punt { port: LEFT, reason: PuntReason::TtlExpired };
        worker.punts.send(punt, &frame(ALICE, ON_LEFT.mac, EtherType::IPV4, &expired)).unwrap();
    }
    let control = thread.stop().unwrap();
    let mut sent = 0;
    while worker.originated.receive(|_, _| ()).is_some() {
        sent += 1;
    }
    assert_eq!((sent, control.counts().icmp_errors, control.counts().frames_lost), (101, 100, 0));
}
