//! What is printed: tables for people, lines of JSON for programs.

use control_api::*;

use crate::answers::{drops, map, neighbours, ports, routes, rss, stats, told_route, version};
use crate::{Ferryd, Said, queue};

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
fn entries_held_and_left_and_events_told_are_counted() {
    let Reply::Stats(some) = stats() else { unreachable!("it is what stats() makes") };
    let entries = Some(EntryCounts { tables: 2, live: 12, trash: 1, references: 3, gateways: 1, counted: 2 });
    let events = Some(EventCounts { subscribers: 1, built: 7, lost: 2 });
    let said = Ferryd::that_says(Ok(Reply::Stats(Stats { entries, events, ..some }))).told("stats").stdout;
    let wanted = "\nentries: 12 live in 2 tables, 2 counted, 1 in the trash, 3 references, 1 for gateways\n\
                  events: 1 subscriber listening, 7 told, 2 lost\n\n";
    assert!(said.contains(wanted), "{said}");
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
    assert!(said.exit_code == 10 && said.stderr.contains("has ended, and tells no more"), "{said:?}");
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
