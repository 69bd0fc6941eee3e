//! Streams that a zebra has sent, as they are and damaged, through the listener.

use super::*;

/// The router that the recorded streams were written for: three links, whose interfaces have the numbers 2 to 4.
fn recorded() -> Scene {
    let hosts = [ALICE, GATEWAY, ON_RIGHT];
    let ports = (0..).zip(hosts).map(|(number, mac)| {
        let addresses = [format!("10.0.{number}.1/24"), v6(number)];
        port(&format!("rv{number}"), mac, &addresses.each_ref().map(String::as_str), 1500)
    });
    let settings = Settings {
        interfaces: vec![(2, PortId(0)), (3, PortId(1)), (4, PortId(2))],
        listen: "127.0.0.1:0".parse().unwrap(),
        ..settings()
    };
    let mut scene = Scene::with(Setup { ports: ports.collect(), fpm: Some(settings), ..Setup::default() });
    scene.hear(Heard::Came(PEER));
    scene
}

fn v6(number: u8) -> String {
    if number == 0 { "2001:db8::1/64".to_owned() } else { format!("2001:db8:{number}::1/64") }
}

const RECORDED: [(&[u8], &str); 2] = [
    (include_bytes!("../../fpm/static_nhg_on_1.fpm"), include_str!("../../fpm/static_nhg_on_1.final.tsv")),
    (include_bytes!("../../fpm/static_nhg_off.fpm"), include_str!("../../fpm/static_nhg_off.final.tsv")),
];

/// Routes as the independent decoder of the streams writes them: prefix, type, and ways.
type Written = BTreeMap<(String, u16), (&'static str, BTreeSet<String>)>;

fn written(scene: &mut Scene) -> Written {
    let mut found = Written::new();
    for fib in [0, 7] {
        for route in scene.daemon_s(fib) {
            let interface = route.dev.as_ref().map(|dev| dev.replace("rv", "").parse::<u32>().unwrap() + 2);
            let weight = route.detail.as_ref().unwrap().metrics.weight;
            let gateway = route.gateway.map_or_else(|| "-".to_owned(), |gateway| gateway.to_string());
            let (_, ways) =
                found.entry((route.dst.to_string(), fib)).or_insert_with(|| (route.kind.name(), BTreeSet::new()));
            ways.extend(interface.map(|interface| format!("{gateway}@{interface}*{weight}")));
        }
    }
    found
}

#[test]
fn recorded_streams_through_the_listener_leave_exactly_the_routes_they_end_with() {
    for (stream, final_table) in RECORDED {
        let mut scene = recorded();
        let (listener, feed) = Listener::start("127.0.0.1:0".parse().unwrap(), None).unwrap();
        scene.control.listen_to_daemon(feed);
        let mut zebra = TcpStream::connect(listener.address()).unwrap();
        // In pieces that fit nothing.
        for piece in stream.chunks(61) {
            zebra.write_all(piece).unwrap();
        }
        drop(zebra);
        let begun = Instant::now();
        while scene.fpm().last_end.as_deref() != Some("it hung up") {
            assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", scene.fpm());
            scene.control.take_from_daemon(scene.now);
        }
        let expected: BTreeMap<_, _> = final_table
            .lines()
            .map(|line| line.split('\t').collect::<Vec<_>>())
            // Nobody forwards to a link-local network.
            .filter(|columns| columns[2] != "fe80::/64")
            .map(|columns| {
                ((columns[2].to_owned(), 0), ("unicast", columns[4].split(',').map(str::to_owned).collect()))
            })
            .collect();
        assert_eq!(written(&mut scene), expected);
        assert_eq!(scene.fpm().stale, expected.len());
    }
}

/// The plain meaning of a stream: the last that was said of each network.
#[derive(Debug, Default)]
struct Plain {
    hops: BTreeMap<u32, NextHopSaid>,
    routes: BTreeMap<(String, u16), RouteSaid>,
}

impl Plain {
    fn hear(&mut self, said: &Said) {
        let fib = |table| [(MAIN_OF_LINUX, 0), (1000, 7)].iter().find(|(of, _)| *of == table).map(|(_, fib)| *fib);
        match said {
            Said::Route(route) => {
                let place = fib(route.table).map(|fib| (route.to.to_string(), fib));
                place.map(|place| self.routes.insert(place, self.resolved(route)));
            }
            Said::Withdrawn { table, to } => {
                fib(*table).map(|fib| self.routes.remove(&(to.to_string(), fib)));
            }
            Said::NextHop { id, what } => {
                self.hops.insert(*id, what.clone());
            }
            Said::NextHopGone { .. } | Said::Nothing => {}
        }
    }

    /// A route that says itself where it leads.
    fn resolved(&self, route: &RouteSaid) -> RouteSaid {
        let Leads::NextHop(id) = route.leads else { return route.clone() };
        let single = |(id, weight): &(u32, u32)| match self.hops.get(id) {
            Some(NextHopSaid::Single(leg)) => Some(Leg { weight: *weight, ..*leg }),
            _ => None,
        };
        let legs = match self.hops.get(&id) {
            Some(NextHopSaid::Single(leg)) => vec![*leg],
            Some(NextHopSaid::Group(members)) => members.iter().filter_map(single).collect(),
            Some(NextHopSaid::Blackhole) | None => Vec::new(),
        };
        RouteSaid { leads: Leads::Among(legs), ..route.clone() }
    }
}

#[test]
fn after_every_frame_of_the_recorded_streams_the_tables_are_what_was_said_last() {
    for (stream, _) in RECORDED {
        let (mut scene, mut plain, mut taken) = (recorded(), Plain::default(), 0);
        while taken < stream.len() {
            let mut said = Vec::new();
            taken += read(&stream[taken..], &mut said, 1).unwrap();
            said.iter().for_each(|said| plain.hear(said));
            scene.says(said);
            let mut alone = recorded();
            alone.says(plain.routes.values().cloned().map(Said::Route));
            assert_eq!(written(&mut scene), written(&mut alone), "up to byte {taken}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Whatever comes over the socket, the counts are those of the tables, and a session that ends and sweeps leaves none.
    #[test]
    fn a_damaged_stream_leaves_tables_and_counts_that_agree(
        which in 0..RECORDED.len(),
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..12),
        pieces in 1_usize..400,
        breaks in proptest::collection::vec(any::<proptest::sample::Index>(), 0..3),
    ) {
        let mut stream = RECORDED[which].0.to_vec();
        for (at, byte) in damage {
            let at = at.index(stream.len());
            stream[at] ^= byte;
        }
        let mut scene = recorded();
        let breaks: Vec<_> = breaks.iter().map(|at| at.index(stream.len())).collect();
        let mut taken = 0;
        loop {
            let mut said = Vec::new();
            let outcome = read(&stream[taken..], &mut said, pieces % 7 + 1);
            let is_over = said.is_empty();
            scene.says(said);
            let (all, fpm) = (written(&mut scene), scene.fpm());
            prop_assert_eq!(fpm.routes, all.len());
            prop_assert!(fpm.stale <= fpm.routes);
            let Ok(more) = outcome else { break };
            if breaks.iter().any(|at| (taken..taken + more).contains(at)) {
                scene.goes();
                scene.hear(Heard::Came(PEER));
            }
            taken += more;
            if is_over {
                break;
            }
        }
        scene.goes();
        prop_assert_eq!(scene.fpm().stale, scene.fpm().routes);
        scene.ask(Request::FpmSweep).unwrap();
        prop_assert_eq!(written(&mut scene), Written::new());
        prop_assert_eq!(scene.fpm().routes, 0);
    }
}

#[test]
fn a_newcomer_takes_the_place_of_a_daemon_and_a_broken_one_is_let_go_with_a_reason() {
    let mut scene = recorded();
    let (listener, feed) = Listener::start("127.0.0.1:0".parse().unwrap(), None).unwrap();
    scene.control.listen_to_daemon(feed);
    let until = |scene: &mut Scene, end: &str| {
        let begun = Instant::now();
        while !scene.fpm().last_end.is_some_and(|found| found.contains(end)) {
            assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", scene.fpm());
            scene.control.take_from_daemon(scene.now);
        }
    };
    let mut first = TcpStream::connect(listener.address()).unwrap();
    first.write_all(RECORDED[0].0).unwrap();
    let mut second = TcpStream::connect(listener.address()).unwrap();
    until(&mut scene, "another came");
    second.write_all(&[1, 2, 0, 8, 0, 0, 0, 0]).unwrap();
    until(&mut scene, "protobuf");
    assert_eq!(scene.fpm().state, FpmState::Lost);
    drop((first, second));
}

#[test]
fn an_address_that_is_taken_is_said_with_the_address() {
    let (listener, _feed) = Listener::start("127.0.0.1:0".parse().unwrap(), None).unwrap();
    let refused = Listener::start(listener.address(), None).unwrap_err();
    assert!(refused.to_string().contains(&listener.address().to_string()), "{refused}");
}
