//! RC and LO: who holds a route, who changes it, and when it goes.

use boundary::{ForwardingState, Publisher, Reader};
use control::{Control, LookupFlags, RouteCache, RouteRef};
use control_api::{EntryCounts, ErrorKind, Verb};

use super::*;

const ANY: RouteFlags = RouteFlags::empty();

fn with_route() -> Scene {
    let mut scene = scene();
    scene.tell(add("10.0.0.0/8", 1)).unwrap();
    scene
}

fn there() -> IpAddr {
    ip("10.1.2.3")
}

impl Scene {
    fn held(&mut self) -> RouteRef {
        self.control.routes_mut().rtalloc_table(there(), LookupFlags::empty(), 0).unwrap()
    }

    fn delete(&mut self) {
        self.tell(message(Verb::Delete, "10.0.0.0/8")).unwrap();
    }

    /// The trash and the references, but those for gateways, after workers have moved on and time has passed.
    fn left(&mut self) -> (usize, u64) {
        self.generation();
        self.pass(SECOND);
        let EntryCounts { trash, references, gateways, .. } = self.entries();
        (trash, references - u64::try_from(gateways).unwrap())
    }

    fn entries(&mut self) -> EntryCounts {
        match self.ask(Request::Stats) {
            Ok(Reply::Stats(stats)) => stats.entries.unwrap(),
            other => panic!("{other:?}"),
        }
    }
}

// holds S2.10, S2.28, S5.18
#[test]
fn rc_01_a_route_that_is_found_is_locked_and_counted() {
    let mut scene = with_route();
    let locked = scene.control.routes().rtalloc1_fib(there(), true, ANY, 0).unwrap().unwrap();
    assert_eq!(locked.refs(), 1);
    drop(locked);
    assert_eq!(scene.left(), (0, 0));
}

// holds S2.14, S2.18, S5.12, S5.20
#[test]
fn rc_02_a_cache_holds_one_reference_until_it_is_dropped() {
    let mut scene = with_route();
    let mut cache = RouteCache::new(there());
    scene.control.routes().rtalloc_fib(&mut cache, 0).unwrap();
    assert_eq!(cache.route().unwrap().refs(), 1);
    drop(cache);
    assert_eq!((scene.left(), scene.takes("10.1.2.3")), ((0, 0), Some(1)));
}

// holds S2.17, S5.19, X16
#[test]
fn rc_03_freeing_a_locked_route_takes_one_reference_and_unlocks_it() {
    let mut scene = with_route();
    let (one, two) = (scene.held(), scene.held());
    let locked = scene.held().lock();
    assert_eq!(locked.refs(), 3);
    locked.free();
    assert_eq!(one.refs(), 2);
    one.lock().free();
    drop(two);
    assert_eq!(scene.left(), (0, 0));
}

// holds S2.19, S3.04, X15, X18
#[test]
fn rc_04_a_deleted_route_goes_with_its_last_reference() {
    let mut scene = with_route();
    let (one, two) = (scene.held(), scene.held());
    scene.delete();
    assert_eq!(scene.left(), (1, 2));
    drop(one);
    assert_eq!(scene.left(), (1, 1));
    drop(two);
    assert_eq!(scene.left(), (0, 0));
}

// holds S3.04, S3.13
#[test]
fn rc_05_who_holds_a_deleted_route_reads_it_as_it_was_but_not_up() {
    let mut scene = with_route();
    let held = scene.held();
    let flags = held.flags();
    scene.delete();
    assert_eq!(held.flags(), flags - RouteFlags::UP);
    assert_eq!(held.prefix().to_string(), "10.0.0.0/8");
    assert_eq!(held.gateway(), control::Gateway::Address(ip("192.0.2.11")));
    assert_eq!((held.key(), held.mask(), held.ifa()), (ip("10.0.0.0"), Some(8), Some(ip("192.0.2.1"))));
}

// holds S2.19, X15
#[test]
fn rc_06_the_last_reference_of_a_route_that_is_up_takes_nothing_with_it() {
    let mut scene = with_route();
    let id = scene.held().id();
    assert_eq!((scene.left(), scene.takes("10.1.2.3")), ((0, 0), Some(1)));
    assert_eq!(scene.held().id(), id);
}

// holds S2.22, S5.23
#[test]
fn rc_07_references_from_many_threads_are_all_counted() {
    let mut scene = with_route();
    let locked = scene.held().lock();
    let kept = std::thread::scope(|scope| {
        let threads = [(); 8].map(|()| scope.spawn(|| (0..1000).map(|_| locked.add_ref()).collect::<Vec<_>>()));
        threads.map(|thread| thread.join().unwrap())
    });
    assert_eq!(locked.refs(), 8001);
    std::thread::scope(|scope| {
        for kept in kept {
            scope.spawn(move || drop(kept));
        }
    });
    assert_eq!(locked.refs(), 1);
    drop(locked);
    assert_eq!(scene.left(), (0, 0));
}

// holds S2.23
#[test]
fn a_reference_is_taken_away_from_a_locked_route() {
    let mut scene = with_route();
    let locked = scene.held().lock();
    let more = locked.add_ref();
    assert_eq!(locked.refs(), 2);
    locked.rem_ref(more);
    assert_eq!(locked.refs(), 1);
}

// holds S3.05, X15
#[test]
fn rc_10_nobody_holds_a_fresh_route() {
    let mut scene = with_route();
    assert_eq!(scene.left(), (0, 0));
    assert_eq!(scene.held().refs(), 1, "but who asks");
}

// holds S4.06, S2.24
#[test]
fn rc_11_to_free_no_route_does_nothing() {
    let mut scene = with_route();
    let none: Option<RouteRef> = scene.control.routes_mut().rtalloc_table(ip("172.16.0.1"), LookupFlags::empty(), 0);
    none.into_iter().for_each(RouteRef::free);
}

// holds X18
#[test]
fn rc_13_a_route_is_deleted_once() {
    let mut scene = with_route();
    let held = scene.held();
    scene.delete();
    let again = scene.tell(message(Verb::Delete, "10.0.0.0/8")).unwrap_err();
    assert_eq!((again.kind, scene.left()), (ErrorKind::NotFound, (1, 1)));
    drop(held);
    assert_eq!(scene.left(), (0, 0));
}

/// A control plane with so many workers.
fn with_workers(count: usize) -> (Control, Vec<Reader<ForwardingState>>) {
    let setup = setup();
    let publisher = Publisher::new(ForwardingState::without_routes(setup.ports.iter().map(|port| port.state)));
    let workers = (0..count).map(|_| publisher.reader()).collect();
    let mut control = Control::new(setup, publisher, Vec::new(), Box::new(NoHardware), Default::default());
    for message in [add("10.0.0.0/8", 1), message(Verb::Delete, "10.0.0.0/8")] {
        control.handle_request(Request::RouteMessage(message), Default::default()).unwrap();
    }
    (control, workers)
}

fn trash(control: &mut Control) -> usize {
    control.tick(Default::default(), &mut Sent::default());
    match control.handle_request(Request::Stats, Default::default()) {
        Ok(Reply::Stats(stats)) => stats.entries.unwrap().trash,
        other => panic!("{other:?}"),
    }
}

// holds S2.19
#[test]
fn rc_14_a_deleted_route_waits_for_every_worker() {
    let (mut control, mut workers) = with_workers(2);
    assert_eq!(trash(&mut control), 1);
    workers[0].pin();
    assert_eq!(trash(&mut control), 1, "the second stands where it stood");
    workers[1].pin();
    assert_eq!(trash(&mut control), 0);
}

#[test]
fn rc_15_a_worker_that_is_gone_holds_nothing_up() {
    let (mut control, mut workers) = with_workers(2);
    workers[0].pin();
    assert_eq!(trash(&mut control), 1);
    drop(workers.pop());
    assert_eq!(trash(&mut control), 0);
}

// holds S2.19, X18
#[test]
fn routes_that_were_replaced_or_deleted_by_the_thousand_leave_nothing_behind() {
    let mut scene = scene();
    let live = scene.entries().live;
    for round in 0..3000_u32 {
        let to = "10.0.0.0/8".parse().unwrap();
        let number = u8::try_from(1 + round % 4).unwrap();
        scene.ask(Request::RouteReplace { to, target: gateway(number, "") }).unwrap();
    }
    assert_eq!(scene.left(), (0, 0));
    scene.delete();
    assert_eq!((scene.left(), scene.entries().live), ((0, 0), live));
}

// holds S2.10, S2.20, S3.12, S5.22
#[test]
fn lo_01_two_who_lock_the_same_route_lose_nothing() {
    let mut scene = with_route();
    let before = scene.held().metrics().mtu;
    std::thread::scope(|scope| {
        for held in [scene.held(), scene.held()] {
            scope.spawn(move || {
                let mut held = held;
                for _time in 0..100_000 {
                    let mut locked = held.lock();
                    let mtu = locked.metrics().mtu;
                    locked.edit_metrics(|metrics| metrics.mtu = mtu + 1);
                    held = locked.unlock();
                }
            });
        }
    });
    assert_eq!(scene.held().metrics().mtu, before + 200_000);
}

// holds S2.20, S2.21, S5.22
#[test]
fn lo_02_a_route_is_locked_unlocked_and_locked_again() {
    let mut scene = with_route();
    let unlocked = scene.held().lock().unlock();
    assert_eq!((unlocked.refs(), unlocked.is_up()), (1, true));
    assert_eq!(unlocked.lock().unlock().refs(), 1);
}

/// What workers are made of cannot even name what could make them wait.
#[test]
fn lo_03_workers_know_neither_locks_nor_references() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../dataplane/");
    for workers_room in ["pipeline", "boundary", "packet", "dpdk"] {
        let manifest = std::fs::read_to_string(format!("{folder}{workers_room}/Cargo.toml")).unwrap();
        assert!(!manifest.lines().any(|line| line.starts_with("control")), "{workers_room} depends on control");
    }
}

// holds S3.12
#[test]
fn lo_04_a_lock_is_of_one_route() {
    let mut scene = with_route();
    scene.tell(add("172.16.0.0/12", 2)).unwrap();
    let _one = scene.held().lock();
    let other = scene.control.routes_mut().rtalloc1(ip("172.16.0.1"), false, ANY).unwrap();
    std::thread::scope(|scope| scope.spawn(|| other.unlock().lock().free()).join().unwrap());
}

// holds S2.10
#[test]
fn lo_05_a_locked_route_is_forwarded_by_and_whoever_asks_to_change_it_is_refused() {
    let mut scene = with_route();
    let locked = scene.held().lock();
    for _packet in 0..10_000 {
        assert!(scene.station(there()).is_some());
    }
    for verb in [Verb::Change, Verb::Lock] {
        let error = scene.tell(message(verb, "10.0.0.0/8")).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Busy);
    }
    scene.tell(add("10.1.0.0/16", 2)).unwrap();
    drop(locked);
    scene.tell(message(Verb::Change, "10.0.0.0/8").to(gateway(2, ""))).unwrap();
}

// holds S2.08
#[test]
#[cfg_attr(debug_assertions, should_panic(expected = "the guard of this table"))]
fn lo_06_the_guard_of_one_table_is_no_other_s() {
    let scene = with_route();
    let routes = scene.control.routes();
    let guard = routes.hold_table(1).unwrap();
    routes.lookup_in(&guard, 0, there(), LookupFlags::empty());
}
