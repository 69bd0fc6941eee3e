//! What the actor answers.

use control_api::*;

pub(crate) fn routes() -> Reply {
    let route = |dst: &str, kind, gateway: Option<&str>, dev: Option<&str>, protocol, next_hop| Route {
        dst: dst.parse().unwrap(),
        kind,
        gateway: gateway.map(|gateway| gateway.parse().unwrap()),
        dev: dev.map(str::to_owned),
        protocol,
        next_hop,
        detail: None,
    };
    use NextHopState::{Resolved, Unresolved};
    Reply::Routes(vec![
        route("0.0.0.0/0", RouteKind::Unicast, Some("198.51.100.2"), Some("right"), Protocol::Static, Some(Resolved)),
        route("10.9.0.0/16", RouteKind::Blackhole, None, None, Protocol::Static, None),
        route("192.0.2.0/24", RouteKind::Unicast, None, Some("left"), Protocol::Connected, None),
        route("192.0.2.1/32", RouteKind::Local, None, Some("left"), Protocol::Local, None),
        route("::/0", RouteKind::Unicast, Some("fe80::1"), Some("left"), Protocol::Static, Some(Unresolved)),
    ])
}

pub(crate) fn neighbours() -> Reply {
    let neighbour = |dst: &str, mac: Option<&str>, state, age_seconds| Neighbour {
        router: false,
        dst: dst.parse().unwrap(),
        dev: "left".to_owned(),
        lladdr: mac.map(|mac| mac.parse().unwrap()),
        state,
        age_seconds,
    };
    Reply::Neighbours(vec![
        neighbour("192.0.2.2", Some("02:00:00:00:00:02"), NeighbourState::Reachable, Some(3)),
        neighbour("192.0.2.9", None, NeighbourState::Incomplete, None),
        neighbour("fe80::1", Some("02:00:00:00:00:03"), NeighbourState::Permanent, None),
    ])
}

pub(crate) fn ports() -> Reply {
    Reply::Ports(vec![Port {
        ifname: "left".to_owned(),
        device: "net_af_packet0,iface=veth0".to_owned(),
        vlan: None,
        tap: None,
        driver: "net_af_packet".to_owned(),
        address: "02:00:00:00:00:01".parse().unwrap(),
        mtu: 1500,
        operstate: Link::Up,
        admin_down: false,
        addresses: vec!["192.0.2.1/24".parse().unwrap(), "2001:db8:1::1/64".parse().unwrap()],
        unused: Vec::new(),
        rx: Traffic { packets: 1_000_000, bytes: 64_000_000 },
        tx: Traffic { packets: 17, bytes: 1088 },
        hardware: Some(Hardware { missed: 5, errors: 0, no_buffer: 0 }),
    }])
}

pub(crate) fn stats() -> Reply {
    let counts = Counts {
        received: 1000,
        transmitted: 990,
        punted: [("arp".to_owned(), 2), ("local".to_owned(), 1), ("no_route".to_owned(), 0)].into(),
        dropped: [("bad_checksum".to_owned(), 7), ("tx_full".to_owned(), 0)].into(),
        originated: 3,
        originated_lost: 0,
    };
    Reply::Stats(Stats {
        uptime_seconds: 65,
        generation: 12,
        live_snapshots: 1,
        routes: RouteCounts { ipv4: 4, ipv6: 1 },
        entries: None,
        rtstat: None,
        events: None,
        control: [].into(),
        total: counts.clone(),
        workers: vec![WorkerStats {
            core: 2,
            turns: 123_456,
            idle_turns: 123_000,
            sleeps: 3,
            slept_micros: 250,
            counts,
        }],
    })
}

pub(crate) fn map() -> Reply {
    let place = |queue: &str, core, moving| QueuePlace { queue: queue.parse().unwrap(), core, moving };
    Reply::QueueMap(vec![place("left:0", 2, false), place("left:1", 5, true), place("right:0", 2, false)])
}

pub(crate) fn rss() -> Reply {
    let share = |queue, core, packets, starved| QueueShare { queue, core, packets, starved };
    let hashed = ["IPv4 addresses", "IPv6 addresses"].map(str::to_owned).into();
    Reply::PortRss(vec![
        PortRss {
            ifname: "left".to_owned(),
            queues: vec![share(0, 2, 750, false), share(1, 5, 250, false), share(2, 5, 0, true)],
            rss: Some(Spread { hashed, key: KeyKind::Symmetric, table: vec![0, 1, 2, 0] }),
        },
        PortRss { ifname: "right".to_owned(), queues: vec![share(0, 2, 0, false)], rss: None },
    ])
}

pub(crate) fn drops() -> Reply {
    let drop = |reason: &str, packets, explanation: &str| Drop {
        reason: reason.to_owned(),
        packets,
        explanation: explanation.to_owned(),
    };
    Reply::Drops(vec![
        drop("bad_checksum", 7, "The IPv4 header checksum is wrong."),
        drop("tx_full", 0, "The port out had no room."),
    ])
}

pub(crate) fn version() -> Reply {
    Reply::Version(Version { ferryd: "0.1.0".to_owned(), protocol: 1, pid: 42 })
}

/// A route of whose entry ferryd tells more.
pub(crate) fn told_route() -> Route {
    let Reply::Routes(routes) = routes() else { unreachable!("it is what routes() makes") };
    let metrics = RouteMetrics {
        mtu: 1400,
        rtt: 250_000,
        weight: 3,
        locks: MetricMask::MTU | MetricMask::HOPCOUNT,
        ..RouteMetrics::default()
    };
    let flags = RouteFlags::UP | RouteFlags::GATEWAY | RouteFlags::STATIC | RouteFlags::PROTO1;
    let ifa = Some("198.51.100.1".parse().unwrap());
    Route {
        detail: Some(RouteDetail { fib: 0, flags, ifa, priority: 8, metrics, pksent: Some(1_234_567) }),
        ..routes[0].clone()
    }
}
