//! A daemon's routes outlive ferryd, in a file.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use boundary::NextHop;
use control::fpm::{Heard, Keeper, Leads, Leg, MAIN_OF_LINUX, Piece, Restored, RouteSaid, Said, SavedError, Settings};
use control::{PortInfo, Setup};
use control_api::{FpmState, Speaker, Target};
use crossbeam::channel::{Receiver, unbounded};
use packet::ethernet::MacAddr;
use proptest::prelude::*;

use crate::fpm::{bgp, settings, told, via};
use crate::scene::{ALICE, GATEWAY, Host, ON_LEFT, ON_RIGHT, Scene, ip, port, setup};

const PEER: std::net::SocketAddr =
    std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 50_000);

/// A router that has just been started, which knows nobody and has heard of no daemon.
fn started_on(ports: Vec<PortInfo>) -> Scene {
    let fpm = Settings { save_every: Duration::from_secs(60), ..settings() };
    Scene::with(Setup { ports, fpm: Some(fpm), ..setup() })
}

fn started() -> Scene {
    started_on(setup().ports)
}

/// One that a daemon has told this.
fn told_of(said: impl IntoIterator<Item = Said>) -> Scene {
    let mut scene = started();
    scene.introduce(ALICE);
    scene.introduce(GATEWAY);
    scene.hear(Heard::Came(PEER));
    scene.says(said);
    scene
}

/// What is written.
struct Shelf(Receiver<Piece>);

impl Shelf {
    /// The files that are whole.
    fn files(&self) -> Vec<String> {
        let (mut files, mut draft) = (Vec::new(), String::new());
        for piece in self.0.try_iter() {
            match piece {
                Piece::First(lines) => draft = lines,
                Piece::More(lines) => draft += &lines,
                Piece::Last(lines) => files.push(std::mem::take(&mut draft) + &lines),
            }
        }
        files
    }
}

impl Scene {
    fn kept(&mut self) -> Shelf {
        let (pieces, shelf) = unbounded();
        self.control.keep_daemon_s_routes(Keeper { pieces, failed: Arc::new(AtomicU64::new(0)) });
        Shelf(shelf)
    }

    /// What it leaves behind when it is stopped.
    fn stopped(mut self) -> String {
        let shelf = self.kept();
        self.control.save_daemon_s_routes();
        shelf.files().pop().expect("it is written at the end")
    }

    fn restores(&mut self, file: &str) -> Result<Restored, SavedError> {
        let restored = self.control.restore_daemon_s_routes(file, self.now);
        self.control.publish();
        restored
    }
}

/// Gives a file whose lines were changed the checksum that they have now.
fn resealed(file: &str) -> String {
    let (body, _end) = file.split_once("end ").unwrap();
    format!("{body}end checksum {:08x}\n", crc32fast::hash(body.as_bytes()))
}

#[test]
fn a_router_started_anew_forwards_by_the_routes_of_before_from_its_first_packet_on() {
    let file = told_of([bgp("203.0.113.0/24", "198.51.100.254"), bgp("2001:db8:be::/48", "2001:db8:2::fe")]).stopped();
    let mut scene = started();
    assert_eq!(scene.restores(&file), Ok(Restored { routes: 2, refused: 0, neighbours: 2 }));
    for to in ["203.0.113.9", "2001:db8:be::9"] {
        assert_eq!(scene.station(ip(to)), Some(GATEWAY.mac), "{to}");
    }
    let fpm = scene.fpm();
    assert_eq!((fpm.state, fpm.routes, fpm.stale, fpm.counts["restored"]), (FpmState::Lost, 2, 2, 2));
    assert_eq!(fpm.last_end.as_deref(), Some("ferryd was started anew, with the routes that it had saved"));
}

#[test]
fn the_file_says_in_words_what_the_daemon_said() {
    let legs = vec![via("192.0.2.10", 3), Leg { weight: 3, ..via("198.51.100.254", 4) }];
    let link = Leg { gateway: None, ..via("192.0.2.10", 3) };
    let limited = RouteSaid { mtu: Some(1280), ..told("203.0.2.0/24", Leads::By(via("192.0.2.10", 3))) };
    let elsewhere = RouteSaid { table: 1000, ..told("203.0.3.0/24", Leads::Unreachable) };
    let file = told_of([
        Said::Route(told("203.0.1.0/24", Leads::Among(legs))),
        Said::Route(limited),
        Said::Route(told("203.0.4.0/24", Leads::Blackhole)),
        Said::Route(RouteSaid { speaker: Speaker::Ospf, ..told("203.0.5.0/24", Leads::By(link)) }),
        Said::Route(told("2001:db8:f::/48", Leads::Prohibit)),
        Said::Route(elsewhere),
    ])
    .stopped();
    let lines: Vec<_> = file.lines().collect();
    assert_eq!(
        lines[..lines.len() - 1],
        [
            "ferry fpm routes 1",
            "route 0 203.0.1.0/24 bgp via 192.0.2.10 left 1 via 198.51.100.254 right 3 from 192.0.2.1",
            "route 0 203.0.2.0/24 bgp via 192.0.2.10 left 1 mtu 1280 from 192.0.2.1",
            "route 0 203.0.4.0/24 bgp blackhole",
            "route 0 203.0.5.0/24 ospf dev left 1 from 192.0.2.1",
            "route 0 2001:db8:f::/48 bgp prohibit",
            "route 7 203.0.3.0/24 bgp unreachable",
            "neighbour 192.0.2.10 left 02:00:00:00:01:10",
            "neighbour 198.51.100.254 right 02:00:00:00:02:fe",
        ]
    );
    let mut scene = started();
    scene.restores(&file).unwrap();
    assert_eq!(scene.stopped(), file, "and what was read is written as it was");
}

#[test]
fn what_the_daemon_tells_as_it_was_changes_nothing_and_what_it_does_not_is_swept() {
    let said = [bgp("203.0.113.0/24", "198.51.100.254"), bgp("203.0.114.0/24", "192.0.2.10")];
    let file = told_of(said.clone()).stopped();
    let mut scene = started();
    scene.restores(&file).unwrap();
    let shown = scene.generation();
    scene.pass(Duration::from_secs(3600));
    assert_eq!(scene.fpm().stale, 2, "nobody has come: they stay");
    scene.introduce(GATEWAY);
    let shown_since = scene.generation();
    assert!(shown_since >= shown);
    scene.hear(Heard::Came(PEER));
    scene.says(said[..1].to_vec());
    assert_eq!(scene.generation(), shown_since, "it is there as it was");
    let fpm = scene.fpm();
    assert_eq!((fpm.counts["unchanged"], fpm.routes, fpm.stale), (1, 2, 1));
    scene.pass(Duration::from_secs(10));
    scene.pass(Duration::from_secs(1));
    let fpm = scene.fpm();
    assert_eq!((fpm.state, fpm.routes, fpm.stale, fpm.counts["swept"]), (FpmState::Settled, 1, 0, 1));
    assert_eq!(scene.fate(ip("203.0.114.9")), None);
}

#[test]
fn hold_seconds_bound_how_long_routes_wait_for_a_daemon_that_does_not_come() {
    let file = told_of([bgp("203.0.113.0/24", "198.51.100.254")]).stopped();
    let fpm = Settings { hold: Some(Duration::from_secs(600)), ..settings() };
    let mut scene = Scene::with(Setup { fpm: Some(fpm), ..setup() });
    scene.restores(&file).unwrap();
    scene.pass(Duration::from_secs(599));
    assert_eq!(scene.fpm().routes, 1);
    scene.pass(Duration::from_secs(1));
    scene.pass(Duration::from_secs(1));
    assert_eq!((scene.fpm().routes, scene.fate(ip("203.0.113.9"))), (0, None));
}

#[test]
fn a_gateway_of_before_is_asked_within_seconds_whether_it_is_still_there() {
    let file = told_of([bgp("203.0.113.0/24", "198.51.100.254")]).stopped();
    let mut scene = started();
    scene.restores(&file).unwrap();
    scene.take_sent();
    scene.pass(Duration::from_secs(5));
    assert_eq!(scene.take_questions(GATEWAY), 1);
    (0..4).for_each(|_| scene.pass(Duration::from_secs(1)));
    assert_eq!(scene.station(ip("203.0.113.9")), None, "it never answered");
}

#[test]
fn ports_that_are_gone_or_have_other_addresses_take_their_routes_along_and_no_others() {
    let said = [
        Said::Route(told("203.0.1.0/24", Leads::By(via("192.0.2.10", 3)))),
        Said::Route(told("203.0.2.0/24", Leads::By(via("198.51.100.254", 4)))),
        Said::Route(told("203.0.3.0/24", Leads::Among(vec![via("192.0.2.10", 3), via("198.51.100.254", 4)]))),
        Said::Route(told("203.0.4.0/24", Leads::Blackhole)),
    ];
    let file = told_of(said).stopped();
    let renumbered = port("left", ON_LEFT, &["192.168.7.1/24"], 1500);
    let right = || port("right", ON_RIGHT, &["198.51.100.1/24", "2001:db8:2::1/64"], 1400);
    for (ports, reason) in [
        (vec![renumbered, right()], "refused_gateway"),
        (vec![port("other", ON_LEFT, &["192.0.2.1/24"], 1500), right()], "refused_interface"),
    ] {
        let mut scene = started_on(ports);
        assert_eq!(scene.restores(&file), Ok(Restored { routes: 3, refused: 1, neighbours: 1 }), "{reason}");
        assert_eq!(scene.counted(reason), 1);
        assert_eq!(scene.fate(ip("203.0.1.9")), None);
        assert_eq!(scene.station(ip("203.0.2.9")), Some(GATEWAY.mac));
        assert_eq!(scene.station(ip("203.0.3.9")), Some(GATEWAY.mac), "by the gateway that is left");
        assert_eq!(scene.fate(ip("203.0.4.9")), Some(NextHop::Blackhole));
    }
}

#[test]
fn a_table_that_no_daemon_s_routes_come_into_any_more_gets_none() {
    let file = told_of([Said::Route(RouteSaid { table: 1000, ..told("203.0.1.0/24", Leads::Blackhole) })]).stopped();
    let fpm = Settings { tables: vec![(MAIN_OF_LINUX, 0)], ..settings() };
    let mut scene = Scene::with(Setup { fpm: Some(fpm), ..setup() });
    assert_eq!(scene.restores(&file), Ok(Restored { routes: 0, refused: 1, neighbours: 0 }));
    assert_eq!(scene.counted("refused_table"), 1);
}

#[test]
fn a_file_that_is_not_whole_and_sound_is_refused_with_the_reason_and_nothing_of_it_taken() {
    let good = told_of([bgp("203.0.113.0/24", "198.51.100.254")]).stopped();
    let end = good.lines().last().unwrap();
    let wanted = &end["end checksum ".len()..];
    let edited = good.replace("203.0.113.0/24", "203.0.112.0/24");
    let found = crc32fast::hash(edited.split_once("end ").unwrap().0.as_bytes());
    let meaningless = resealed(&good.replace("via 198", "by 198"));
    let other_version = good.replacen("routes 1", "routes 2", 1);
    #[rustfmt::skip]
    let refused = [
        ("",                             "it does not begin with `ferry fpm routes 1`: it is no file of routes, or one of another version".to_owned()),
        (&other_version,                 "it does not begin with `ferry fpm routes 1`: it is no file of routes, or one of another version".to_owned()),
        (good.trim_end(),                "it ends without a line `end`: it was cut off".to_owned()),
        (good.strip_suffix(&format!("{end}\n")).unwrap(), "it ends without a line `end`: it was cut off".to_owned()),
        ("ferry fpm routes 1\n",         "it ends without a line `end`: it was cut off".to_owned()),
        (&edited,                        format!("its checksum is {found:08x} and should be {wanted}: it is damaged, or somebody has edited it")),
        (&meaningless,                   "line 2 cannot be understood: `route 0 203.0.113.0/24 bgp by 198.51.100.254 right 1 from 198.51.100.1`".to_owned()),
    ];
    for (file, reason) in refused {
        let mut scene = started();
        assert_eq!(scene.restores(file).unwrap_err().to_string(), reason);
        assert_eq!((scene.fpm().state, scene.fpm().routes), (FpmState::Waiting, 0), "{reason}");
    }
}

#[test]
fn a_file_is_written_when_something_has_changed_and_no_more_often_than_is_said() {
    let mut scene = told_of([bgp("203.0.113.0/24", "198.51.100.254")]);
    let shelf = scene.kept();
    let files_after = |scene: &mut Scene, seconds: u64| {
        (0..seconds).for_each(|_| scene.pass(Duration::from_secs(1)));
        shelf.files().len()
    };
    assert_eq!(files_after(&mut scene, 70), 1);
    assert_eq!(files_after(&mut scene, 70), 0, "all is as it is written");
    scene.says([bgp("203.0.113.0/24", "198.51.100.254")]);
    assert_eq!(files_after(&mut scene, 70), 0, "and told again, it still is");
    scene.says([bgp("203.0.114.0/24", "198.51.100.254")]);
    assert_eq!(files_after(&mut scene, 60), 1);
    scene.says([bgp("203.0.115.0/24", "198.51.100.254")]);
    scene.says([bgp("203.0.116.0/24", "198.51.100.254")]);
    assert_eq!(files_after(&mut scene, 60), 1);
    assert_eq!(scene.counted("saves"), 3);
}

#[test]
fn a_gateway_that_is_found_later_or_is_another_station_is_written_as_well() {
    let mut scene = started();
    scene.hear(Heard::Came(PEER));
    scene.says([bgp("203.0.113.0/24", "198.51.100.254")]);
    let shelf = scene.kept();
    // Who is there asks all the time, and so is known or soon known again.
    let stations = |scene: &mut Scene, who: Option<Host>| {
        for _second in 0..61 {
            scene.pass(Duration::from_secs(1));
            who.into_iter().for_each(|who| scene.introduce(who));
        }
        let files = shelf.files();
        files.iter().map(|file| file.matches("neighbour ").count()).collect::<Vec<_>>()
    };
    assert_eq!(stations(&mut scene, None), [0]);
    assert_eq!(stations(&mut scene, Some(GATEWAY)), [1]);
    assert_eq!(stations(&mut scene, Some(GATEWAY)), [0; 0]);
    assert_eq!(stations(&mut scene, Some(Host { mac: MacAddr([2, 0, 0, 0, 2, 0xfd]), ..GATEWAY })), [1]);
}

#[test]
fn a_file_that_was_refused_is_left_alone_until_a_daemon_has_said_something() {
    let mut scene = started();
    scene.restores("ferry fpm routes 2\n").unwrap_err();
    let shelf = scene.kept();
    (0..200).for_each(|_| scene.pass(Duration::from_secs(1)));
    scene.control.save_daemon_s_routes();
    assert_eq!(shelf.files(), Vec::<String>::new());
}

#[test]
fn many_routes_are_written_in_steps_and_all_of_them_are_there() {
    let network = |number: u32| format!("10.{}.{}.0/24", number >> 8 & 255, number & 255);
    let mut scene = told_of((0..3000).map(|number| bgp(&network(number), "198.51.100.254")));
    let shelf = scene.kept();
    scene.pass(Duration::from_secs(60));
    assert_eq!(shelf.0.len(), 1, "a round of the control thread does one step");
    (0..5).for_each(|_| scene.pass(Duration::from_millis(1)));
    let files = shelf.files();
    assert_eq!(files[0].lines().filter(|line| line.starts_with("route ")).count(), 3000);
    assert_eq!(started().restores(&files[0]).unwrap().routes, 3000);
}

#[test]
fn routes_of_people_are_not_in_the_file() {
    let mut scene = told_of([bgp("203.0.113.0/24", "198.51.100.254")]);
    scene.add_route("203.0.113.0/24", Target::Unreachable);
    scene.add_route("203.0.114.0/24", Target::Unreachable);
    let file = scene.stopped();
    assert_eq!(file.matches("route ").count(), 1, "{file}");
}

#[test]
fn without_the_section_nothing_is_written_or_read() {
    let file = told_of([bgp("203.0.113.0/24", "198.51.100.254")]).stopped();
    let mut scene = Scene::new();
    assert_eq!(scene.restores(&file), Ok(Restored::default()));
    let shelf = scene.kept();
    scene.control.save_daemon_s_routes();
    assert_eq!((scene.fate(ip("203.0.113.9")), shelf.files()), (None, Vec::new()));
}

proptest! {
    /// Whatever a route says, a router that is started anew says the same of it.
    #[test]
    fn what_is_written_is_what_is_read(
        routes in proptest::collection::vec((any::<u32>(), 0..=32_u8, 0..6_u8, 1..200_u32, proptest::option::of(576..1400_u32)), 0..40),
    ) {
        let speakers = [Speaker::Bgp, Speaker::Ospf, Speaker::Zstatic, Speaker::Daemon];
        let said = routes.iter().map(|(number, len, way, weight, mtu)| {
            let to = lpm::Prefix::containing(std::net::Ipv4Addr::from(*number), *len).to_string();
            let leads = match way {
                0 => Leads::Blackhole,
                1 => Leads::Unreachable,
                2 => Leads::Prohibit,
                3 => Leads::By(via("192.0.2.10", 3)),
                4 => Leads::By(Leg { gateway: None, ..via("192.0.2.10", 4) }),
                _ => Leads::Among(vec![via("192.0.2.10", 3), Leg { weight: *weight, ..via("198.51.100.254", 4) }]),
            };
            Said::Route(RouteSaid { mtu: *mtu, speaker: speakers[usize::from(*len) % 4], ..told(&to, leads) })
        });
        // Of these all may be refused, and then there is nothing to save.
        let one_at_least = [bgp("203.0.113.0/25", "198.51.100.254")];
        let file = told_of(said.chain(one_at_least)).stopped();
        let mut scene = started();
        let restored = scene.restores(&file).unwrap();
        prop_assert_eq!(restored.refused, 0);
        prop_assert_eq!(scene.fpm().routes, restored.routes);
        prop_assert_eq!(scene.stopped(), file);
    }

    #[test]
    fn no_file_is_too_strange_to_be_read_or_refused(
        at in any::<proptest::sample::Index>(), to in "[ -~]{0,12}", is_resealed in any::<bool>(),
    ) {
        let mut file = told_of([bgp("203.0.113.0/24", "198.51.100.254")]).stopped();
        let at = at.index(file.len());
        file.replace_range(at..(at + to.len()).min(file.len()), &to);
        if is_resealed && file.contains("end ") {
            file = resealed(&file);
        }
        let mut scene = started();
        if let Ok(restored) = scene.restores(&file) {
            prop_assert!(restored.routes + restored.refused <= 1);
        }
        prop_assert!(scene.fpm().routes <= 1);
    }
}
