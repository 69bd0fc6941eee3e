//! The requests that words of a command line become.

use control_api::*;
use packet::ethernet::MacAddr;

use crate::{Ferryd, Said, queue};

#[test]
fn words_become_the_request_they_mean() {
    let via = Target::Via { gateway: "fe80::1".parse().unwrap(), dev: Some("left".to_owned()) };
    let only = |to| Request::RouteShow { filter: RouteFilter { to, ..RouteFilter::default() } };
    let ten: Network = "10.0.0.0/8".parse().unwrap();
    for (line, request) in [
        ("route add default via fe80::1 dev left", Request::RouteAdd { to: "::/0".parse().unwrap(), target: via }),
        ("route replace unreachable 10.0.0.0/8", Request::RouteReplace { to: ten, target: Target::Unreachable }),
        ("-6 route del default", Request::RouteDel { to: "::/0".parse().unwrap() }),
        ("route delete 10.0.0.0/8", Request::RouteDel { to: ten }),
        ("route", only(Selection::All)),
        ("ro sh root 10.0.0.0/8", only(Selection::Root(ten))),
        ("neigh show dev left", Request::NeighShow { dev: Some("left".to_owned()) }),
        ("neighbour", Request::NeighShow { dev: None }),
        (
            "neigh add 192.0.2.7 lladdr 02:00:00:00:00:07 dev left",
            Request::NeighAdd {
                address: "192.0.2.7".parse().unwrap(),
                dev: "left".to_owned(),
                lladdr: MacAddr([2, 0, 0, 0, 0, 7]),
            },
        ),
        (
            "neigh replace fe80::7 dev left lladdr 02:00:00:00:00:07 nud permanent",
            Request::NeighReplace {
                address: "fe80::7".parse().unwrap(),
                dev: "left".to_owned(),
                lladdr: MacAddr([2, 0, 0, 0, 0, 7]),
            },
        ),
        (
            "neigh del fe80::7 dev left",
            Request::NeighDel { address: "fe80::7".parse().unwrap(), dev: "left".to_owned() },
        ),
        ("neigh flush", Request::NeighFlush { dev: None, permanent: false }),
        ("neigh flush dev left --permanent", Request::NeighFlush { dev: Some("left".to_owned()), permanent: true }),
        ("port show right", Request::PortShow { name: Some("right".to_owned()) }),
        ("port", Request::PortShow { name: None }),
        ("worker map", Request::QueueMapShow),
        ("worker map show", Request::QueueMapShow),
        (
            "worker map set left:0=2 v.100:17=5",
            Request::QueueMapSet {
                queues: vec![
                    QueuePlace { queue: "left:0".parse().unwrap(), core: 2, moving: false },
                    QueuePlace { queue: "v.100:17".parse().unwrap(), core: 5, moving: false },
                ],
            },
        ),
        ("port rss", Request::PortRss { name: None }),
        ("port rss left", Request::PortRss { name: Some("left".to_owned()) }),
        ("port set right down", Request::PortTurn { name: "right".to_owned(), up: false }),
        ("port set right up", Request::PortTurn { name: "right".to_owned(), up: true }),
        ("port set right mtu 1400", Request::PortSet { name: "right".to_owned(), mtu: 1400 }),
        ("timer", Request::TimerList),
        ("timer list", Request::TimerList),
        ("timer create short 10", Request::TimerCreate { queue: queue("short"), period_seconds: 10 }),
        ("timer change pmtu 0", Request::TimerChange { queue: queue("pmtu"), period_seconds: 0 }),
        ("timer destroy short", Request::TimerDestroy { queue: queue("short"), run_actions: false }),
        ("timer destroy --run-actions short", Request::TimerDestroy { queue: queue("short"), run_actions: true }),
        ("timer add short 10.0.0.0/8", Request::TimerAdd { queue: queue("short"), fib: 0, to: ten }),
        (
            "-6 timer add short default",
            Request::TimerAdd { queue: queue("short"), fib: 0, to: "::/0".parse().unwrap() },
        ),
        ("timer clear 10.0.0.0/8", Request::TimerClear { fib: 0, to: ten }),
        ("timer clear 10.0.0.0/8 --fib 7", Request::TimerClear { fib: 7, to: ten }),
        ("timer add short 10.0.0.0/8 --fib 7", Request::TimerAdd { queue: queue("short"), fib: 7, to: ten }),
    ] {
        let ferryd = Ferryd::that_says(Err(ApiError::new(ErrorKind::Busy, "an actor")));
        ferryd.told(line);
        assert_eq!(ferryd.asked.recv().unwrap(), request, "ferry {line}");
    }
}

#[test]
fn words_that_only_route_has_become_messages() {
    let default = |verb| RouteMessage::new(verb, "0.0.0.0".parse().unwrap(), Some("0.0.0.0".parse().unwrap()));
    let left = Some(Target::Dev("left".to_owned()));
    let metrics = RouteMetrics { locks: MetricMask::MTU, mtu: 1400, ..RouteMetrics::default() };
    let locked = RouteMetrics { locks: MetricMask::MTU | MetricMask::RTT, ..RouteMetrics::default() };
    let inits = MetricMask::MTU | MetricMask::RTT | MetricMask::WEIGHT;
    #[rustfmt::skip]
    let messages = [
        ("route --fib 7 add default dev left", RouteMessage { fib: 7, target: left.clone(), ..default(Verb::Add) }),
        ("route add default dev left proto1 nostatic mtu lock 1400", RouteMessage {
            target: left, flags: Some(RouteFlags::PROTO1), inits: MetricMask::MTU, metrics, ..default(Verb::Add)
        }),
        ("route add default dev left count", RouteMessage {
            target: Some(Target::Dev("left".to_owned())), count: Some(true), ..default(Verb::Add)
        }),
        ("route change default nocount", RouteMessage { count: Some(false), ..default(Verb::Change) }),
        ("route change default reject", RouteMessage {
            flags: Some(RouteFlags::STATIC | RouteFlags::REJECT), ..default(Verb::Change)
        }),
        ("route lock default mtu rtt unlock weight", RouteMessage { inits, metrics: locked, ..default(Verb::Lock) }),
        ("route delete default --fib 7", RouteMessage { fib: 7, ..default(Verb::Delete) }),
        ("route del default pinned", RouteMessage { flags: Some(RouteFlags::PINNED), ..default(Verb::Delete) }),
        ("route get default", default(Verb::Get)),
        ("route get 10.0.0.1 --fib 7", RouteMessage {
            fib: 7, ..RouteMessage::new(Verb::Get, "10.0.0.1".parse().unwrap(), None)
        }),
    ];
    for (line, message) in messages {
        let ferryd = Ferryd::that_says(Err(ApiError::new(ErrorKind::Busy, "an actor")));
        ferryd.told(line);
        assert_eq!(ferryd.asked.recv().unwrap(), Request::RouteMessage(message), "ferry {line}");
    }
    let ferryd = Ferryd::that_says(Ok(Reply::Flushed(3)));
    assert_eq!(ferryd.told("route flush root 10.0.0.0/8 --fib 7"), Said::printed("3 routes deleted\n"));
    let to = Selection::Root("10.0.0.0/8".parse().unwrap());
    let filter = RouteFilter { fib: 7, to, ..RouteFilter::default() };
    assert_eq!(ferryd.asked.recv().unwrap(), Request::RouteFlush { filter });
    assert_eq!(ferryd.told("route flush -j"), Said::printed("{\"flushed\":3}\n"));
}
