//! Requests that are wrong, in every field and in any order: each is refused with a reason, and then everything is as it
//! was.

use control::Fibs;
use control::events::Subscription;
use control_api::{ErrorKind, Network, PathMtu, Redirect, RouteEvent, wire};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::messages::{follower, told};
use super::*;

/// A scene with three tables, a few routes and a queue of timers.
fn three_tables() -> Scene {
    let mut scene = Scene::with(Setup { fibs: Fibs::new(3).unwrap(), ..setup() });
    scene.tell(add("10.0.0.0/8", 1)).unwrap();
    scene.tell(add("10.1.0.0/16", 2).flags(RouteFlags::PINNED | RouteFlags::STATIC)).unwrap();
    scene.tell(add("10.0.0.0/8", 3).fib(1)).unwrap();
    scene.tell(add("2001:db8:9::/48", 4)).unwrap();
    assert_eq!(
        scene.ask(Request::TimerCreate { queue: "short".parse().unwrap(), period_seconds: 10 }),
        Ok(Reply::Done)
    );
    scene
}

/// All that a request could have changed, as people and workers see it.
fn everything(scene: &mut Scene) -> (Vec<Reply>, u64) {
    let tables = (0..3).map(|fib| Request::RouteShow { filter: RouteFilter { fib, ..RouteFilter::default() } });
    let seen = tables.chain([Request::TimerList]).map(|request| scene.ask(request).unwrap()).collect();
    (seen, scene.generation())
}

fn any_address() -> impl Strategy<Value = IpAddr> {
    let known = [
        "0.0.0.0",
        "10.0.0.0",
        "10.1.2.3",
        "10.1.0.0",
        "192.0.2.0",
        "192.0.2.1",
        "192.0.2.11",
        "192.0.2.255",
        "198.51.100.9",
        "203.0.113.9",
        "224.0.0.5",
        "127.0.0.1",
        "255.255.255.255",
        "169.254.1.1",
        "::",
        "::1",
        "2001:db8::1",
        "2001:db8::11",
        "2001:db8:9::",
        "2001:db8:9::9",
        "fe80::1",
        "ff02::1",
        "::ffff:10.0.0.1",
    ];
    let random = prop_oneof![
        any::<u32>().prop_map(|bits| std::net::Ipv4Addr::from(bits).into()),
        any::<u128>().prop_map(|bits| IpAddr::from(std::net::Ipv6Addr::from(bits)))
    ];
    prop_oneof![9 => select(known.to_vec()).prop_map(ip), 1 => random]
}

/// Masks of either family, some with holes.
fn any_mask() -> impl Strategy<Value = IpAddr> {
    let known = [
        "0.0.0.0",
        "255.0.0.0",
        "255.255.0.0",
        "255.255.255.0",
        "255.255.255.255",
        "255.0.255.0",
        "0.255.255.255",
        "::",
        "ffff:ffff:ffff::",
        "ffff::ffff",
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    ];
    select(known.to_vec()).prop_map(ip)
}

fn any_network() -> impl Strategy<Value = Network> {
    let known = [
        "0.0.0.0/0",
        "10.0.0.0/8",
        "10.1.0.0/16",
        "10.2.0.0/16",
        "192.0.2.0/24",
        "192.0.2.1/32",
        "203.0.113.9/32",
        "224.0.0.0/4",
        "::/0",
        "2001:db8::/64",
        "2001:db8:9::/48",
        "fe80::/10",
    ];
    select(known.to_vec()).prop_map(|text| text.parse().unwrap())
}

fn any_port() -> impl Strategy<Value = String> {
    select(vec!["p0", "p1", "p2", "p3", "", "no such port"]).prop_map(str::to_owned)
}

fn any_target() -> impl Strategy<Value = Target> {
    prop_oneof![
        4 => (any_address(), option::of(any_port())).prop_map(|(gateway, dev)| Target::Via { gateway, dev }),
        1 => any_port().prop_map(Target::Dev),
        1 => Just(Target::Blackhole),
        1 => Just(Target::Unreachable),
    ]
}

fn any_fib() -> impl Strategy<Value = u16> {
    select(vec![0, 0, 0, 1, 2, 3, u16::MAX])
}

fn any_metrics() -> impl Strategy<Value = RouteMetrics> {
    (any::<[u32; 2]>(), any::<[u64; 6]>(), any::<u32>(), any::<u16>()).prop_map(
        |([mtu, hopcount], more, weight, locks)| {
            let [expire, recvpipe, sendpipe, ssthresh, rtt, rttvar] = more;
            let locks = MetricMask::from_bits_truncate(locks);
            RouteMetrics { locks, mtu, hopcount, expire, recvpipe, sendpipe, ssthresh, rtt, rttvar, weight }
        },
    )
}

fn any_message() -> impl Strategy<Value = RouteMessage> {
    let verb = select(vec![Verb::Add, Verb::Add, Verb::Delete, Verb::Change, Verb::Get, Verb::Lock]);
    let flags = option::weighted(0.3, any::<u32>().prop_map(RouteFlags::from_bits_truncate));
    let metrics = option::weighted(0.3, (any::<u16>().prop_map(MetricMask::from_bits_truncate), any_metrics()));
    let (netmask, target) = (option::of(any_mask()), option::weighted(0.8, any_target()));
    (verb, any_fib(), any_address(), netmask, target, flags, metrics).prop_map(
        |(verb, fib, dst, netmask, target, flags, metrics)| {
            let (inits, metrics) = metrics.unwrap_or((MetricMask::empty(), RouteMetrics::NONE));
            RouteMessage { fib, target, flags, inits, metrics, ..RouteMessage::new(verb, dst, netmask) }
        },
    )
}

fn any_request() -> impl Strategy<Value = Request> {
    let queue = || select(vec!["short", "pmtu", "redirect", "nobody-s"]).prop_map(|name| name.parse().unwrap());
    let seconds = || select(vec![0, 1, 10, 100 * 365 * 86400, u64::MAX]);
    prop_oneof![
        8 => any_message().prop_map(Request::RouteMessage),
        2 => (any_network(), any_target()).prop_map(|(to, target)| Request::RouteAdd { to, target }),
        2 => (any_network(), any_target()).prop_map(|(to, target)| Request::RouteReplace { to, target }),
        2 => any_network().prop_map(|to| Request::RouteDel { to }),
        1 => any_address().prop_map(|address| Request::RouteGet { address }),
        1 => (any_fib(), option::of(any_port()), any_network()).prop_map(|(fib, dev, to)| Request::RouteFlush {
            filter: RouteFilter { fib, dev, to: control_api::Selection::Root(to), ..RouteFilter::default() },
        }),
        1 => (queue(), seconds()).prop_map(|(queue, period_seconds)| Request::TimerCreate { queue, period_seconds }),
        1 => (queue(), seconds()).prop_map(|(queue, period_seconds)| Request::TimerChange { queue, period_seconds }),
        1 => (queue(), any::<bool>())
            .prop_map(|(queue, run_actions)| Request::TimerDestroy { queue, run_actions }),
        1 => (queue(), any_fib(), any_network()).prop_map(|(queue, fib, to)| Request::TimerAdd { queue, fib, to }),
        1 => (any_fib(), any_network()).prop_map(|(fib, to)| Request::TimerClear { fib, to }),
        2 => (any_fib(), any_network(), any_address(), option::of(any_port()), option::of(any_address()))
            .prop_map(|(fib, dst, gateway, dev, author)| Request::Redirect(Redirect { fib, dst, gateway, dev, author })),
        2 => (any_fib(), any_address(), any::<u16>(), any::<u16>())
            .prop_map(|(fib, destination, mtu, packet)| Request::PathMtu(PathMtu { fib, destination, mtu, packet })),
    ]
}

/// What is to hold after each request, whatever came before it.
fn a_request_is_done_or_leaves_no_trace(
    scene: &mut Scene,
    follower: &mut Subscription,
    request: Request,
) -> Result<(), TestCaseError> {
    let before = everything(scene);
    let reply = scene.ask(request.clone());
    let events = told(follower);
    match &reply {
        Err(refused) => {
            prop_assert_eq!(everything(scene), before, "{:?} was refused: {}", request, refused);
            prop_assert!(!refused.message.is_empty());
            prop_assert!(refused.kind != ErrorKind::Internal, "{:?}: {}", request, refused);
            prop_assert!(events.iter().all(|event| event.errno.is_some()), "{:?} told {:?}", request, events);
        }
        Ok(_done) => {
            // What is done may set off timers, and one of those is told of as refused if its route is pinned (TM-06).
            let sets_off_timers = matches!(
                request,
                Request::TimerChange { period_seconds: 0, .. } | Request::TimerDestroy { run_actions: true, .. }
            );
            let is_done = |event: &RouteEvent| event.errno.is_none() && event.flags.contains(RouteFlags::DONE);
            let is_of_a_pinned_route =
                |event: &RouteEvent| sets_off_timers && event.errno.as_deref() == ErrorKind::NotAllowed.errno();
            prop_assert!(events.iter().all(|event| is_done(event) || is_of_a_pinned_route(event)), "{:?}", events);
            if !request.is_change() {
                prop_assert_eq!(everything(scene), before, "{:?} changes nothing", request);
            }
        }
    }
    prop_assert!(told(follower).is_empty(), "showing tells nothing");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn after_any_requests_one_that_is_refused_leaves_everything_as_it_was(
        requests in proptest::collection::vec((any_request(), select(vec![0, 0, 0, 1, 11, 601, u32::MAX])), 1..30),
    ) {
        let mut scene = three_tables();
        let mut follower = follower(&mut scene, None);
        for (request, seconds) in requests {
            // A client could have sent it.
            let sent = wire::read_request(wire::request_line(&request).as_bytes());
            prop_assert_eq!(sent.as_ref(), Ok(&request));
            a_request_is_done_or_leaves_no_trace(&mut scene, &mut follower, request)?;
            scene.pass(seconds * SECOND);
            told(&mut follower);
        }
        // And none of it has hurt: routes that are left go, and new ones come.
        for fib in 0..3 {
            let filter = RouteFilter { fib, ..RouteFilter::default() };
            scene.ask(Request::RouteFlush { filter }).unwrap();
        }
        // By a gateway that nobody above can have cut off: whoever says `pinned` may delete or change the network of a
        // port, and a flush spares what is pinned.
        scene.tell(add("2001:db8:64::/48", 4)).unwrap();
        prop_assert_eq!(scene.takes("2001:db8:64::1"), Some(4));
    }
}

/// One request, right but for one field.
#[test]
fn a_request_that_is_wrong_in_one_field_is_refused_for_that_field() {
    let right = || add("10.9.0.0/16", 1);
    let to = |target| right().to(target);
    let gateway = |text: &str| to(via(ip(text)));
    let masked = |mask: &str| RouteMessage { netmask: Some(ip(mask)), ..right() };
    let dev = |name: &str| to(Target::Via { gateway: ip("192.0.2.11"), dev: Some(name.to_owned()) });
    #[rustfmt::skip]
    let wrong = [
        ("a table that cannot be",          right().fib(3),                                 ErrorKind::Invalid),
        ("a mask with a hole",              masked("255.0.255.0"),                          ErrorKind::Invalid),
        ("a mask of the other family",      masked("ffff::"),                               ErrorKind::FamilyMismatch),
        ("a gateway of the other family",   gateway("2001:db8::11"),                        ErrorKind::FamilyMismatch),
        ("a gateway on no link",            gateway("203.0.113.1"),                         ErrorKind::UnreachableGateway),
        ("a gateway that is us",            gateway("192.0.2.1"),                           ErrorKind::UnreachableGateway),
        ("a gateway that is a broadcast",   gateway("192.0.2.255"),                         ErrorKind::UnreachableGateway),
        ("a port that is not there",        dev("p9"),                                      ErrorKind::UnknownPort),
        ("a gateway that is the host",      add("192.0.2.11", 1),                           ErrorKind::GatewayItself),
        ("a gateway by the route itself",   add("192.0.2.0/25", 1),                         ErrorKind::GatewayLoop),
        ("no way to go",                    RouteMessage { target: None, ..right() },       ErrorKind::Invalid),
        ("a gateway without an address",    to(Target::Blackhole).flags(RouteFlags::GATEWAY), ErrorKind::Invalid),
        ("a route that is there",           add("10.0.0.0/8", 1),                           ErrorKind::Exists),
        ("a port's own network",            add("192.0.2.0/24", 1),                         ErrorKind::Exists),
        ("a route that is not there",       message(Verb::Delete, "10.9.0.0/16"),           ErrorKind::NotFound),
        ("a change of what is not there",   right_as(Verb::Change),                         ErrorKind::NotFound),
        ("a lock of what is not there",     message(Verb::Lock, "10.9.0.0/16"),             ErrorKind::NotFound),
        ("a pinned route",                  message(Verb::Delete, "10.1.0.0/16"),           ErrorKind::NotAllowed),
        ("a port's own address",            message(Verb::Delete, "192.0.2.1/32"),          ErrorKind::NotAllowed),
    ];
    let mut scene = three_tables();
    let mut follower = follower(&mut scene, None);
    for (what, request, kind) in wrong {
        let before = everything(&mut scene);
        let refused = scene.tell(request).unwrap_err();
        assert_eq!(refused.kind, kind, "{what}: {refused}");
        assert_eq!(everything(&mut scene), before, "{what}");
        let events = told(&mut follower);
        assert_eq!(events.len(), 1, "{what}");
        assert_eq!(events[0].errno.as_deref(), kind.errno(), "{what}");
    }
    scene.tell(right()).unwrap();
}

fn right_as(verb: Verb) -> RouteMessage {
    RouteMessage { verb, ..add("10.9.0.0/16", 1) }
}
