//! The tool as a person or a script meets it: a command line, what it prints, and how it exits. The ferryd on the other
//! side is an actor.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};

use control_api::*;
use packet::ethernet::MacAddr;
use tempfile::TempDir;

/// An actor that gives every request the same answer, and remembers what it was asked.
struct Ferryd {
    directory: TempDir,
    asked: Receiver<Request>,
}

impl Ferryd {
    fn that_says(answer: Result<Reply, ApiError>) -> Self {
        Self::that_writes(wire::answer_line(&answer))
    }

    fn that_writes(line: String) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join("ferry.sock")).unwrap();
        let (remember, asked) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut request = String::new();
                BufReader::new(&stream).read_line(&mut request).unwrap();
                let _test_is_over = remember.send(wire::read_request(request.as_bytes()).unwrap());
                stream.write_all(line.as_bytes()).unwrap();
            }
        });
        Self { directory, asked }
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("ferry.sock")
    }

    /// What `ferry` does with this command line.
    fn told(&self, line: &str) -> Said {
        Said::of(ferry(line).env("FERRY_SOCKET", self.socket()))
    }
}

fn ferry(line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ferry"));
    command.args(line.split_whitespace()).env_remove("FERRY_SOCKET").stdin(Stdio::null());
    command
}

/// What a command printed, and what it exited with.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    stdout: String,
    stderr: String,
    exit_code: i32,
}

impl Said {
    fn of(command: &mut Command) -> Self {
        let Output { status, stdout, stderr } = command.output().unwrap();
        let [stdout, stderr] = [stdout, stderr].map(|text| String::from_utf8(text).unwrap());
        Self { stdout, stderr, exit_code: status.code().unwrap() }
    }

    fn printed(stdout: &str) -> Self {
        Self { stdout: stdout.to_owned(), stderr: String::new(), exit_code: 0 }
    }

    fn failed(exit_code: u8, stderr: &str) -> Self {
        Self { stdout: String::new(), stderr: stderr.to_owned(), exit_code: exit_code.into() }
    }
}

fn routes() -> Reply {
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

fn neighbours() -> Reply {
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

fn ports() -> Reply {
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

fn stats() -> Reply {
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

fn map() -> Reply {
    let place = |queue: &str, core, moving| QueuePlace { queue: queue.parse().unwrap(), core, moving };
    Reply::QueueMap(vec![place("left:0", 2, false), place("left:1", 5, true), place("right:0", 2, false)])
}

fn rss() -> Reply {
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

fn drops() -> Reply {
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

fn version() -> Reply {
    Reply::Version(Version { ferryd: "0.1.0".to_owned(), protocol: 1, pid: 42 })
}

#[test]
fn people_read_tables() {
    #[rustfmt::skip]
    let tables = [
        ("route show", routes(), "\
destination   type       via           dev    protocol   next hop
0.0.0.0/0     unicast    198.51.100.2  right  static     resolved
10.9.0.0/16   blackhole                       static
192.0.2.0/24  unicast                  left   connected
192.0.2.1/32  local                    left   local
::/0          unicast    fe80::1       left   static     unresolved
"),
        ("neigh show", neighbours(), "\
address    dev   lladdr             state       confirmed
192.0.2.2  left  02:00:00:00:00:02  REACHABLE   3 s ago
192.0.2.9  left                     INCOMPLETE
fe80::1    left  02:00:00:00:00:03  PERMANENT
"),
        ("-6 neigh", neighbours(), "\
address  dev   lladdr             state      confirmed
fe80::1  left  02:00:00:00:00:03  PERMANENT
"),
        ("port show", ports(), "\
port  link  mtu   address            driver         device
left  UP    1500  02:00:00:00:00:01  net_af_packet  net_af_packet0,iface=veth0

port  addresses
left  192.0.2.1/24 2001:db8:1::1/64

port  rx packets    rx bytes  tx packets  tx bytes  missed  errors  no buffer
left   1 000 000  64 000 000          17     1 088       5       0          0
"),
        ("stats", stats(), "\
up 1 min 5 s, 4 IPv4 and 1 IPv6 routes, generation 12, 1 snapshot in memory

        received  transmitted  punted  dropped  originated  lost    turns
core 2     1 000          990       3        7           3     0  123 456
total      1 000          990       3        7           3     0

punted  packets
arp           2
local         1

dropped       packets
bad_checksum        7
"),
        ("worker map", map(), "\
queue    core
left:0   2
left:1   5     on its way
right:0  2
"),
        ("port rss", rss(), "\
queue    core  packets  share
left:0   2         750  75.0 %
left:1   5         250  25.0 %
left:2   5           0  0.0 %   starved
right:0  2           0  -

left: hashes IPv4 addresses, IPv6 addresses, symmetric key; of 4 entries of its table each queue has 2, 1, 1
"),
        ("drops", drops(), "\
reason        packets  meaning
bad_checksum        7  The IPv4 header checksum is wrong.
"),
        ("drops --all", drops(), "\
reason        packets  meaning
bad_checksum        7  The IPv4 header checksum is wrong.
tx_full             0  The port out had no room.
"),
        ("version", version(), "ferry 0.1.0, ferryd 0.1.0 (process 42), protocol 1\n"),
        ("route add default via 192.0.2.2", Reply::Done, ""),
        ("route show", Reply::Routes(Vec::new()), "no routes\n"),
        ("drops", Reply::Drops(Vec::new()), "nothing was dropped\n"),
    ];
    for (line, reply, table) in tables {
        assert_eq!(Ferryd::that_says(Ok(reply)).told(line), Said::printed(table), "ferry {line}");
    }
}

#[test]
fn programs_read_one_line_of_json() {
    #[rustfmt::skip]
    let lines = [
        ("-j route show", Reply::Routes(Vec::new()), "[]"),
        ("route show --json", routes(), concat!(
            r#"[{"dst":"0.0.0.0/0","type":"unicast","gateway":"198.51.100.2","dev":"right","protocol":"static","next_hop":"resolved"},"#,
            r#"{"dst":"10.9.0.0/16","type":"blackhole","protocol":"static"},"#,
            r#"{"dst":"192.0.2.0/24","type":"unicast","dev":"left","protocol":"connected"},"#,
            r#"{"dst":"192.0.2.1/32","type":"local","dev":"left","protocol":"local"},"#,
            r#"{"dst":"::/0","type":"unicast","gateway":"fe80::1","dev":"left","protocol":"static","next_hop":"unresolved"}]"#)),
        ("route -j add blackhole 10.9.0.0/16", Reply::Done, r#"{"done":true}"#),
        ("route replace 10.0.0.0/8 dev left -j", Reply::Done, r#"{"done":true}"#),
        ("-j route del 10.0.0.0/8", Reply::Done, r#"{"done":true}"#),
        ("-j -4 neigh show", neighbours(), concat!(
            r#"[{"dst":"192.0.2.2","dev":"left","lladdr":"02:00:00:00:00:02","state":["REACHABLE"],"age_seconds":3},"#,
            r#"{"dst":"192.0.2.9","dev":"left","state":["INCOMPLETE"]}]"#)),
        ("-j port show", ports(), concat!(
            r#"[{"ifname":"left","device":"net_af_packet0,iface=veth0","driver":"net_af_packet","address":"02:00:00:00:00:01","#,
            r#""mtu":1500,"operstate":"UP","addresses":["192.0.2.1/24","2001:db8:1::1/64"],"#,
            r#""rx":{"packets":1000000,"bytes":64000000},"tx":{"packets":17,"bytes":1088},"#,
            r#""hardware":{"missed":5,"errors":0,"no_buffer":0}}]"#)),
        ("-j stats", stats(), concat!(
            r#"{"uptime_seconds":65,"generation":12,"live_snapshots":1,"routes":{"ipv4":4,"ipv6":1},"#,
            r#""total":{"received":1000,"transmitted":990,"punted":{"arp":2,"local":1,"no_route":0},"#,
            r#""dropped":{"bad_checksum":7,"tx_full":0},"originated":3,"originated_lost":0},"#,
            r#""workers":[{"core":2,"turns":123456,"idle_turns":123000,"sleeps":3,"slept_micros":250,"received":1000,"transmitted":990,"punted":{"arp":2,"local":1,"no_route":0},"#,
            r#""dropped":{"bad_checksum":7,"tx_full":0},"originated":3,"originated_lost":0}]}"#)),
        ("-j drops", drops(), concat!(
            r#"[{"reason":"bad_checksum","packets":7,"explanation":"The IPv4 header checksum is wrong."},"#,
            r#"{"reason":"tx_full","packets":0,"explanation":"The port out had no room."}]"#)),
        ("-j version", version(), r#"{"ferry":"0.1.0","ferryd":"0.1.0","pid":42,"protocol":1}"#),
    ];
    for (line, reply, json) in lines {
        assert_eq!(Ferryd::that_says(Ok(reply)).told(line), Said::printed(&format!("{json}\n")), "ferry {line}");
    }
}

#[test]
fn the_route_a_packet_takes_is_one_line() {
    let Reply::Routes(routes) = routes() else { unreachable!("it is what routes() makes") };
    for (address, route, line) in [
        ("203.0.113.1", 0, "203.0.113.1 via 198.51.100.2 dev right by 0.0.0.0/0 proto static, resolved\n"),
        ("10.9.1.1", 1, "blackhole 10.9.1.1 by 10.9.0.0/16 proto static\n"),
        ("192.0.2.7", 2, "192.0.2.7 dev left by 192.0.2.0/24 proto connected\n"),
        ("192.0.2.1", 3, "local 192.0.2.1 dev left by 192.0.2.1/32 proto local\n"),
    ] {
        let ferryd = Ferryd::that_says(Ok(Reply::Route(routes[route].clone())));
        assert_eq!(ferryd.told(&format!("route get {address}")), Said::printed(line));
        assert_eq!(ferryd.asked.recv().unwrap(), Request::RouteGet { address: address.parse().unwrap() });
    }
}

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

fn queue(name: &str) -> QueueName {
    name.parse().unwrap()
}

// holds S1.01
#[test]
fn queues_of_timers_are_a_table_or_json_and_what_is_cleared_is_counted() {
    let row = |name, period_seconds, timers| TimerQueue { queue: queue(name), period_seconds, timers };
    let queues = Reply::Timers(vec![row("arp", 1200, 0), row("short", 10, 1_000_000)]);
    let ferryd = Ferryd::that_says(Ok(queues));
    let table = "queue  seconds     timers\narp      1 200          0\nshort       10  1 000 000\n";
    assert_eq!(ferryd.told("timer"), Said::printed(table));
    let json = concat!(
        r#"[{"queue":"arp","period_seconds":1200,"timers":0},{"queue":"short","period_seconds":10,"timers":1000000}]"#,
        "\n"
    );
    assert_eq!(ferryd.told("-j timer list"), Said::printed(json));
    let ferryd = Ferryd::that_says(Ok(Reply::TimersCleared(1)));
    assert_eq!(ferryd.told("timer clear default"), Said::printed("1 timer\n"));
    assert_eq!(ferryd.told("-j timer clear default"), Said::printed("{\"done\":true,\"timers\":1}\n"));
    let ferryd = Ferryd::that_says(Ok(Reply::Done));
    assert_eq!(ferryd.told("timer create short 10"), Said::printed(""));
    assert_eq!(ferryd.told("-j timer add short default"), Said::printed("{\"done\":true}\n"));
}

/// A route of whose entry ferryd tells more.
fn told_route() -> Route {
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

#[test]
fn an_entry_is_shown_with_the_letters_of_route_and_its_metrics() {
    let ferryd = Ferryd::that_says(Ok(Reply::Route(told_route())));
    let line = "default via 198.51.100.2 dev right by 0.0.0.0/0 proto static, resolved\n";
    let (flags, metrics) = ("flags UGS1 table 0 priority 8 src 198.51.100.1", "mtu lock 1400 hopcount lock 0");
    let told = format!("{line}    {flags} {metrics} rtt 250000 weight 3 pksent 1234567\n");
    assert_eq!(ferryd.told("route get default"), Said::printed(&told));
    let few = format!("{line}    {flags} mtu 1400 weight 3 pksent 1234567\n");
    assert_eq!(ferryd.told("route get default --compat freebsd12"), Said::printed(&few));
    let json = concat!(
        r#"{"dst":"0.0.0.0/0","type":"unicast","gateway":"198.51.100.2","dev":"right","protocol":"static","next_hop":"resolved","#,
        r#""fib":0,"flags":["up","gateway","static","proto1"],"ifa":"198.51.100.1","priority":8,"#,
        r#""metrics":{"locks":["mtu","hopcount"],"mtu":1400,"rtt":250000,"weight":3},"pksent":1234567}"#,
        "\n"
    );
    assert_eq!(ferryd.told("-j route get default"), Said::printed(json));
    let table = "\
destination  type     via           dev    protocol  next hop  flags     pksent
0.0.0.0/0    unicast  198.51.100.2  right  static    resolved  UGS1   1 234 567
";
    let ferryd = Ferryd::that_says(Ok(Reply::Routes(vec![told_route()])));
    assert_eq!(ferryd.told("route show"), Said::printed(table));
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

#[test]
fn entries_held_and_left_and_events_told_are_counted() {
    let Reply::Stats(some) = stats() else { unreachable!("it is what stats() makes") };
    let entries = Some(EntryCounts { tables: 2, live: 12, trash: 1, references: 3, gateways: 1, counted: 2 });
    let events = Some(EventCounts { subscribers: 1, built: 7, lost: 2 });
    let said = Ferryd::that_says(Ok(Reply::Stats(Stats { entries, events, ..some }))).told("stats").stdout;
    let wanted = "\nentries: 12 live in 2 tables, 2 counted, 1 in the trash, 3 references, 1 for gateways\n\
                  events: 1 subscriber listening, 7 told, 2 lost\n\n";
    assert!(said.contains(wanted), "{said}");
}

#[test]
fn a_refusal_is_said_with_its_hint_and_in_the_exit_code() {
    let refusal = ApiError::new(ErrorKind::Exists, "there is a route to 10.0.0.0/8 already").with_hint("replace it");
    let ferryd = Ferryd::that_says(Err(refusal));
    let line = "route add 10.0.0.0/8 dev left";
    let text = "ferry: there is a route to 10.0.0.0/8 already\n  help: replace it\n";
    assert_eq!(ferryd.told(line), Said::failed(4, text));
    let json = concat!(
        r#"{"error":{"kind":"exists","message":"there is a route to 10.0.0.0/8 already","hint":"replace it"}}"#,
        "\n"
    );
    assert_eq!(ferryd.told(&format!("-j {line}")), Said { exit_code: 4, ..Said::printed(json) });
}

#[test]
fn where_no_ferryd_runs_it_says_so_and_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("ferry.sock");
    let shown = socket.display();
    let said = Said::of(ferry("stats").arg("--socket").arg(&socket));
    assert_eq!(
        said,
        Said::failed(
            10,
            &format!(
                "ferry: no ferryd is running at `{shown}`: there is no such socket\n  \
                 help: start it with `ferryd --config FILE`, or point at its socket with `--socket PATH`\n"
            )
        )
    );
    let said = Said::of(ferry("stats -j").arg("-s").arg(&socket));
    assert!(said.stdout.starts_with(r#"{"error":{"kind":"not_running""#) && said.exit_code == 10, "{said:?}");
    assert_eq!(said.stderr, "");
}

#[test]
fn an_answer_that_is_none_is_reported() {
    for (line, message) in [
        ("", "hung up before it answered"),
        ("nonsense\n", "ferryd's answer makes no sense"),
        ("{\"version\":2,\"ok\":\"done\"}\n", "the answer is of version 2, and version 1 is spoken here"),
        ("{\"version\":1,\"ok\":\"done\"}\n", "ferryd answered another question than the one it was asked"),
        ("{\"version\":1}\n", "has neither `ok` nor `error`"),
    ] {
        let said = Ferryd::that_writes(line.to_owned()).told("stats");
        assert!(said.stderr.contains(message) && said.exit_code != 0, "{line}: {said:?}");
    }
}

#[test]
fn a_command_line_that_makes_no_sense_is_refused_before_anyone_is_asked() {
    for line in [
        "route add 10.0.0.1/8 dev left",
        "route add 10.0.0.0/8",
        "route get left",
        "route get 10.0.0.1/8",
        "route change 10.0.0.0/8",
        "route lock 10.0.0.0/8",
        "route lock 10.0.0.0/8 speed",
        "route show --fib 65536",
        "route replace 10.0.0.0/8 dev left mtu 1400",
        "neigh show dev",
        "neigh show left right",
        "-6 route add 10.0.0.0/8 dev left",
        "rout-e",
        "route ad 1 2 3 --fast",
        "-4 -6 route",
        "timer create short",
        "timer create Short 10",
        "timer create short -1",
        "timer create short 1.5",
        "timer change short 18446744073709551616",
        "timer add short",
        "timer add short 10.0.0.1/8",
        "-6 timer clear 10.0.0.0/8",
        "",
    ] {
        let said = Said::of(&mut ferry(line));
        assert!(said.exit_code == 2 && said.stdout.is_empty() && !said.stderr.is_empty(), "ferry {line}: {said:?}");
        let said = Said::of(&mut ferry(&format!("{line} --json")));
        assert!(said.stdout.starts_with(r#"{"error":{"kind":"usage","#), "ferry {line} --json: {said:?}");
        assert!(said.stderr.is_empty() && said.exit_code == 2, "ferry {line} --json: {said:?}");
    }
}

#[test]
fn help_is_no_failure_and_names_the_exit_codes() {
    let said = Said::of(&mut ferry("--help"));
    assert!(said.exit_code == 0 && said.stdout.contains("Exit codes:"), "{said:?}");
    assert!(Said::of(&mut ferry("route add --help")).stdout.contains("via GATEWAY [dev PORT]"));
}

#[test]
fn a_route_that_is_not_there_is_answered_with_how_one_is_written() {
    for (line, usage) in [
        (
            "route add",
            "ferry route add PREFIX via GATEWAY [dev PORT]\n       ferry route add PREFIX dev PORT [lladdr MAC]\n",
        ),
        ("route replace", "ferry route replace PREFIX via GATEWAY [dev PORT]\n"),
        ("route del", "ferry route del PREFIX [via GATEWAY] [dev PORT] [priority N] [pinned]\n"),
    ] {
        let said = Said::of(&mut ferry(line));
        assert!(said.exit_code == 2 && said.stderr.contains(&format!("Usage: {usage}")), "{said:?}");
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure_and_a_full_disk_is() {
    let Reply::Routes(some) = routes() else { unreachable!("it is what routes() makes") };
    let many = Reply::Routes(some.into_iter().cycle().take(20_000).collect());
    let ferryd = Ferryd::that_says(Ok(many));
    let mut child =
        ferry("route").arg("-s").arg(ferryd.socket()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");

    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = ferry("route").arg("-s").arg(ferryd.socket()).stdout(full).stderr(Stdio::piped()).spawn().unwrap();
    let output = output.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("ferry: cannot write the answer: No space left"));

    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let status = ferry("route get").arg("nonsense").stderr(full).status().unwrap();
    assert_eq!(status.code(), Some(2), "a failure that cannot be told is the same failure");
}

#[test]
fn a_replay_with_a_wrong_configuration_shows_the_line_to_people_and_names_it_to_programs() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("ferry.toml");
    std::fs::write(&config, "[[port]]\nname = \"left\"\ndevice = \"eth0\"\n").unwrap();
    let replay = |options: &str| {
        let mut command = ferry(&format!("{options} replay --input left=none.pcap --output"));
        Said::of(command.arg(directory.path().join("out")).arg("--config").arg(&config))
    };
    let said = replay("-4");
    assert!(said.stderr.contains("ferry.toml:3:10]\n") && said.stderr.contains("device = \"eth0\"\n"), "{said:?}");
    let said = replay("-j");
    assert!(said.stdout.contains("`; line 3, column 10: `eth0` is not a device of DPDK\"}}"), "{said:?}");
    assert_eq!((said.stderr.as_str(), said.exit_code), ("", 3));
}

fn events() -> String {
    let add = RouteEvent {
        flags: RouteFlags::UP | RouteFlags::DONE | RouteFlags::GATEWAY | RouteFlags::STATIC,
        seq: 3,
        pid: 4711,
        dst: Some("10.0.0.0/8".parse().unwrap()),
        gateway: Some("192.0.2.2".parse().unwrap()),
        dev: Some("left".to_owned()),
        ..RouteEvent::new(EventKind::Add, Some(0))
    };
    let refused = RouteEvent {
        errno: Some("EEXIST".into()),
        dst: Some("10.0.0.0/8".parse().unwrap()),
        ..RouteEvent::new(EventKind::Add, Some(0))
    };
    let link = RouteEvent {
        dev: Some("left".to_owned()),
        operstate: Some(Link::Down),
        mtu: Some(1500),
        ..RouteEvent::new(EventKind::IfInfo, None)
    };
    let told = [(0, add), (2, refused), (0, link)].map(|(lost, event)| Ok(Reply::Event(Told { lost, event })));
    let answers = std::iter::once(Ok(Reply::Done)).chain(told);
    answers.map(|answer| wire::answer_line(&answer)).collect()
}

// holds S3.01
#[test]
fn ms_04_what_happens_is_a_line_each_for_a_person_and_for_a_program() {
    let ferryd = Ferryd::that_writes(events());
    let said = ferryd.told("monitor --fib 1");
    assert_eq!(
        said.stdout,
        "add 10.0.0.0/8 via 192.0.2.2 dev left flags UGS table 0 pid 4711 seq 3\n\
         (2 events lost)\n\
         add 10.0.0.0/8 table 0 failed EEXIST\n\
         ifinfo dev left link DOWN mtu 1500\n"
    );
    assert_eq!(said.exit_code, 10, "ferryd hung up: {}", said.stderr);
    assert_eq!(ferryd.asked.recv(), Ok(Request::Monitor { fib: Some(1), loopback: true }));

    let said = ferryd.told("monitor --json");
    let lines: Vec<_> = said.stdout.lines().collect();
    assert_eq!(
        lines[..3],
        [
            "{\"type\":\"add\",\"fib\":0,\"flags\":[\"up\",\"gateway\",\"done\",\"static\"],\"seq\":3,\"pid\":4711,\
             \"dst\":\"10.0.0.0/8\",\"gateway\":\"192.0.2.2\",\"dev\":\"left\"}",
            "{\"lost\":2,\"type\":\"add\",\"fib\":0,\"errno\":\"EEXIST\",\"dst\":\"10.0.0.0/8\"}",
            "{\"type\":\"ifinfo\",\"dev\":\"left\",\"operstate\":\"DOWN\",\"mtu\":1500}",
        ]
    );
    assert!(lines[3].starts_with("{\"error\":{\"kind\":\"shutting_down\""), "and an error is JSON too: {}", lines[3]);
}
