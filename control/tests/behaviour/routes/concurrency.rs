//! CN: one writer at full speed, and workers that look up meanwhile.

use std::sync::atomic::{AtomicBool, Ordering};

use boundary::{ForwardingState, NextHop, PortId, Publisher, Reader};
use control::{Control, LookupFlags};
use control_api::Verb;
use packet::ethernet::Header;

use super::*;

/// Ways out, each a port and the station behind it: workers know both from one next hop.
const WAYS: [(PortId, MacAddr); 2] = [(LEFT, MacAddr([2, 0, 0, 0, 0, 11])), (RIGHT, MacAddr([2, 0, 0, 0, 1, 11]))];
const GATEWAYS: [&str; 2] = ["192.0.2.11", "198.51.100.11"];

/// A control plane with so many workers, and a route by the first way.
fn with_workers(count: usize) -> (Control, Vec<Reader<ForwardingState>>) {
    let mut setup = setup();
    let (port, mac) = WAYS[1];
    setup.neighbours.push(config::Neighbour { port, address: ip(GATEWAYS[1]), mac });
    let publisher = Publisher::new(ForwardingState::without_routes(setup.ports.iter().map(|port| port.state)));
    let workers = (0..count).map(|_| publisher.reader()).collect();
    let mut control = Control::new(setup, publisher, Vec::new(), Box::new(NoHardware), Default::default());
    ask(&mut control, message(Verb::Add, "10.0.0.0/8").to(via(ip(GATEWAYS[0]))));
    (control, workers)
}

fn ask(control: &mut Control, message: RouteMessage) {
    control.handle_request(Request::RouteMessage(message), Default::default()).unwrap();
}

/// Where a worker sends a packet to 10.1.2.3.
fn way(state: &ForwardingState) -> Option<(PortId, MacAddr)> {
    let id = state.ipv4.lookup(std::net::Ipv4Addr::new(10, 1, 2, 3))?;
    let NextHop::Neighbour(adjacency) = state.next_hop(id) else { panic!("its station is known") };
    let (header, _) = Header::parse(&adjacency.header).expect("a whole header");
    Some((adjacency.port, header.destination))
}

// holds S4.07
#[test]
fn cn_01_lookups_work_at_start_up_in_the_control_thread_and_in_workers_and_wait_for_nobody() {
    let (mut control, mut workers) = with_workers(1);
    let found = |control: &mut Control| control.routes_mut().rtalloc_table(ip("10.1.2.3"), LookupFlags::empty(), 0);
    let locked = found(&mut control).expect("before any worker looked").lock();
    assert_eq!(locked.prefix().to_string(), "10.0.0.0/8");
    std::thread::scope(|scope| {
        let worker = scope.spawn(|| (0..100_000).filter_map(|_| way(workers[0].pin())).count());
        assert_eq!(worker.join().unwrap(), 100_000, "while somebody holds the route locked");
    });
    assert!(found(&mut control).is_some());
}

#[test]
fn cn_02_03_no_worker_sees_half_a_route_or_an_older_state() {
    const CHANGES: usize = 50_000;
    let (mut control, workers) = with_workers(2);
    let is_over = &AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watch = |mut worker: Reader<ForwardingState>| {
            let (mut generation, mut seen) = (0, [0_u64; 2]);
            // Relaxed: what is looked at is what is pinned, not what the flag says.
            while !is_over.load(Ordering::Relaxed) {
                let state = worker.pin();
                assert!(state.generation >= generation, "{} after {generation}", state.generation);
                generation = state.generation;
                let way = way(state).expect("there is a route at every moment");
                seen[WAYS.iter().position(|known| *known == way).expect("a way that was asked for")] += 1;
            }
            seen
        };
        let watching: Vec<_> = workers.into_iter().map(|worker| scope.spawn(move || watch(worker))).collect();
        for change in 1..=CHANGES {
            ask(&mut control, message(Verb::Change, "10.0.0.0/8").to(via(ip(GATEWAYS[change % 2]))));
        }
        is_over.store(true, Ordering::Relaxed);
        for watcher in watching {
            assert!(watcher.join().unwrap().iter().sum::<u64>() > 0);
        }
    });
}

// holds S3.04
#[test]
fn cn_04_once_a_deletion_is_answered_no_worker_takes_the_route() {
    for _time in 0..200 {
        let (mut control, mut workers) = with_workers(1);
        let is_answered = &AtomicBool::new(false);
        std::thread::scope(|scope| {
            let worker = scope.spawn(move || {
                loop {
                    // Acquire: who sees the answer sees what was published before it.
                    let is_answered = is_answered.load(Ordering::Acquire);
                    let way = way(workers[0].pin());
                    if is_answered {
                        return way;
                    }
                }
            });
            ask(&mut control, message(Verb::Delete, "10.0.0.0/8"));
            is_answered.store(true, Ordering::Release);
            assert_eq!(worker.join().unwrap(), None);
        });
    }
}
