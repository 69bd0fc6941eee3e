//! Requests that are wrong, in every field and in any order: each is refused with a reason, and then everything is as it
//! was.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use control::Fibs;
use control::events::Subscription;
use control_api::{ErrorKind, Network, PathMtu, QueueName, Redirect, RouteEvent, wire};
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
    let weight = prop_oneof![select(vec![0, 1, u32::MAX]), any::<u32>()];
    (any::<[u32; 2]>(), any::<[u64; 6]>(), weight, any::<u16>()).prop_map(|([mtu, hopcount], more, weight, locks)| {
        let [expire, recvpipe, sendpipe, ssthresh, rtt, rttvar] = more;
        let locks = MetricMask::from_bits_truncate(locks);
        RouteMetrics { locks, mtu, hopcount, expire, recvpipe, sendpipe, ssthresh, rtt, rttvar, weight }
    })
}

fn any_message() -> impl Strategy<Value = RouteMessage> {
    let verb = select(vec![Verb::Add, Verb::Add, Verb::Delete, Verb::Change, Verb::Get, Verb::Lock]);
    let flags = option::weighted(0.3, any::<u32>().prop_map(RouteFlags::from_bits_truncate));
    let metrics = option::weighted(0.3, (any::<u16>().prop_map(MetricMask::from_bits_truncate), any_metrics()));
    let (netmask, target) = (option::of(any_mask()), option::weighted(0.8, any_target()));
    let priority = option::weighted(0.3, select(vec![0, 1, 8, 9, 63, 64, u8::MAX]));
    (verb, any_fib(), any_address(), netmask, target, flags, metrics, priority).prop_map(
        |(verb, fib, dst, netmask, target, flags, metrics, priority)| {
            let (inits, metrics) = metrics.unwrap_or((MetricMask::empty(), RouteMetrics::NONE));
            RouteMessage { fib, target, flags, inits, metrics, priority, ..RouteMessage::new(verb, dst, netmask) }
        },
    )
}

/// Changes that people ask for one at a time, or as a batch.
fn any_request() -> impl Strategy<Value = Request> {
    let batch = proptest::collection::vec(any_message(), 0..6).prop_map(|changes| Request::RouteBatch { changes });
    prop_oneof![16 => any_single_request(), 1 => batch]
}

fn any_single_request() -> impl Strategy<Value = Request> {
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

/// Seconds since 1970, as a clock shows them that somebody plays with.
fn any_wall_clock() -> impl Strategy<Value = u64> {
    prop_oneof![select(vec![0, 1, 1_700_000_000, u64::MAX / 2, u64::MAX]), any::<u64>()]
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
        Ok(Reply::Batch(batch)) => {
            let Request::RouteBatch { changes } = &request else { panic!("only that is answered so") };
            prop_assert_eq!(batch.done + batch.refused.len(), changes.len());
            prop_assert!(batch.refused.iter().all(|refused| refused.error.kind != ErrorKind::Internal));
            if batch.done == 0 {
                prop_assert_eq!(everything(scene), before, "{:?}", request);
            }
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
        requests in proptest::collection::vec(
            (any_request(), select(vec![0, 0, 0, 1, 11, 601, u32::MAX]), option::weighted(0.1, any_wall_clock())), 1..30,
        ),
    ) {
        let mut scene = three_tables();
        let mut follower = follower(&mut scene, None);
        let wall = Arc::new(AtomicU64::new(0));
        let clock = Arc::clone(&wall);
        scene.control.set_wall_clock(Box::new(move |_now| Duration::from_secs(clock.load(Ordering::Relaxed))));
        for (request, seconds, jump) in requests {
            jump.into_iter().for_each(|to| wall.store(to, Ordering::Relaxed));
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

/// A line with one value that is another, at any depth.
fn with_another_value(line: &str, place: prop::sample::Index, value: &serde_json::Value) -> String {
    fn places(value: &serde_json::Value, at: &str, found: &mut Vec<String>) {
        found.push(at.to_owned());
        match value {
            serde_json::Value::Object(map) => {
                map.iter().for_each(|(key, value)| places(value, &format!("{at}/{key}"), found))
            }
            serde_json::Value::Array(list) => {
                list.iter().enumerate().for_each(|(index, value)| places(value, &format!("{at}/{index}"), found));
            }
            _ => {}
        }
    }
    let mut tree = serde_json::from_str(line).unwrap();
    let mut found = Vec::new();
    places(&tree, "", &mut found);
    *tree.pointer_mut(&found[place.index(found.len())]).unwrap() = value.clone();
    tree.to_string()
}

fn any_value() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::json;
    select(vec![
        json!(null),
        json!(true),
        json!(-1),
        json!(0),
        json!(1.5),
        json!(1e300),
        json!(u64::MAX),
        json!(""),
        json!("10.0.0.0/8"),
        json!("10.0.0.1/8"),
        json!("\u{0}"),
        json!([]),
        json!([1, 2]),
        json!({}),
        json!({"via": {}}),
    ])
}

proptest! {
    /// What the parser lets through is a request that it would write itself, and is decided as any other.
    #[test]
    fn a_line_that_is_nearly_a_request_is_read_or_refused_with_a_reason(
        request in any_request(),
        place in any::<prop::sample::Index>(),
        value in any_value(),
    ) {
        let line = with_another_value(&wire::request_line(&request), place, &value);
        match wire::read_request(line.as_bytes()) {
            Ok(read) => {
                let again = wire::read_request(wire::request_line(&read).as_bytes());
                prop_assert_eq!(again.as_ref(), Ok(&read), "{}", line);
                let mut scene = three_tables();
                let mut follower = follower(&mut scene, None);
                a_request_is_done_or_leaves_no_trace(&mut scene, &mut follower, read)?;
            }
            Err(refused) => {
                let kinds = [ErrorKind::Invalid, ErrorKind::NotSupported, ErrorKind::UnsupportedVersion];
                prop_assert!(kinds.contains(&refused.kind), "{}: {:?}", line, refused);
                prop_assert!(!refused.message.is_empty());
            }
        }
    }
}

/// One request that is no message, right but for one field.
#[test]
fn a_request_of_timers_or_of_what_was_heard_that_is_wrong_in_one_field_is_refused_for_that_field() {
    let [short, nobody_s]: [QueueName; 2] = ["short", "nobody-s"].map(|name| name.parse().unwrap());
    let (there, nowhere): (Network, Network) = ("10.0.0.0/8".parse().unwrap(), "172.16.0.0/12".parse().unwrap());
    let timer = |queue: &QueueName, fib, to| Request::TimerAdd { queue: queue.clone(), fib, to };
    let redirect = Redirect {
        fib: 0,
        dst: "10.0.0.9/32".parse().unwrap(),
        gateway: ip("192.0.2.12"),
        dev: None,
        author: Some(ip("192.0.2.11")),
    };
    let redirected = |change: &dyn Fn(&mut Redirect)| {
        let mut said = redirect.clone();
        change(&mut said);
        Request::Redirect(said)
    };
    let heard = |fib, to: &str| Request::PathMtu(PathMtu { fib, destination: ip(to), mtu: 1400, packet: 1500 });
    let flush = |filter| Request::RouteFlush { filter };
    let dev = || Some("p9".to_owned());
    let priority = |priority| Request::RouteMessage(add("10.9.0.0/16", 1).priority(priority));
    #[rustfmt::skip]
    let wrong = [
        ("a queue that is there",         Request::TimerCreate { queue: short.clone(), period_seconds: 1 },       ErrorKind::Exists),
        ("a queue that is not there",     Request::TimerChange { queue: nobody_s.clone(), period_seconds: 1 },    ErrorKind::NotFound),
        ("a queue that is not there",     Request::TimerDestroy { queue: nobody_s.clone(), run_actions: true },   ErrorKind::NotFound),
        ("a queue that is not there",     timer(&nobody_s, 0, there),                                             ErrorKind::NotFound),
        ("a route that is not there",     timer(&short, 0, nowhere),                                              ErrorKind::NotFound),
        ("a table that cannot be",        timer(&short, 3, there),                                                ErrorKind::Invalid),
        ("a table that cannot be",        Request::TimerClear { fib: 3, to: there },                              ErrorKind::Invalid),
        ("a table that cannot be",        redirected(&|said| said.fib = 3),                                       ErrorKind::Invalid),
        ("a gateway of the other family", redirected(&|said| said.gateway = ip("2001:db8::12")),                  ErrorKind::FamilyMismatch),
        ("a gateway on no link",          redirected(&|said| said.gateway = ip("203.0.113.1")),                   ErrorKind::UnreachableGateway),
        ("a gateway that is us",          redirected(&|said| said.gateway = ip("192.0.2.1")),                     ErrorKind::HostUnreachable),
        ("a port that is not there",      redirected(&|said| said.dev = dev()),                                   ErrorKind::UnknownPort),
        ("from who is not the gateway",   redirected(&|said| said.author = Some(ip("192.0.2.13"))),               ErrorKind::Invalid),
        ("of a pinned route",             redirected(&|said| (said.dst, said.author) = ("10.1.0.9/32".parse().unwrap(), None)), ErrorKind::NotAllowed),
        ("a table that cannot be",        heard(3, "10.0.0.9"),                                                   ErrorKind::Invalid),
        ("where no route leads",          heard(0, "203.0.113.9"),                                                ErrorKind::NotFound),
        ("to ourselves",                  heard(0, "192.0.2.1"),                                                  ErrorKind::HostUnreachable),
        ("a table that cannot be",        flush(RouteFilter { fib: 3, ..RouteFilter::default() }),                ErrorKind::Invalid),
        ("a port that is not there",      flush(RouteFilter { dev: dev(), ..RouteFilter::default() }),            ErrorKind::UnknownPort),
        ("no priority",                   priority(0),                                                            ErrorKind::Invalid),
        ("no priority",                   priority(64),                                                           ErrorKind::Invalid),
        ("a port that is not there",      Request::PortSet { name: "p9".to_owned(), mtu: 1500 },                  ErrorKind::UnknownPort),
    ];
    let mut scene = three_tables();
    for (what, request, kind) in wrong {
        let before = everything(&mut scene);
        let refused = scene.ask(request.clone()).unwrap_err();
        assert_eq!(refused.kind, kind, "{what}: {refused}");
        assert_eq!(everything(&mut scene), before, "{what}: {request:?}");
    }
    scene.ask(Request::Redirect(redirect)).unwrap();
    scene.ask(timer(&short, 0, there)).unwrap();
}

/// One message, right but for one field.
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
