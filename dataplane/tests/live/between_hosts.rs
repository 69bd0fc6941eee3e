//! ferryd between two hosts, driven by the tools people drive routers with.

use control_api::{Network, Reply, Request, Target};

use crate::ferryd::{Accounts, patiently, printed};
use crate::lab::{Host, Lab};

const LEFT: &str = "192.0.2.10";
const RIGHT: &str = "198.51.100.10";
const RIGHT6: &str = "2001:db8:2::10";

/// How often ferryd dropped a packet for `reason`.
fn drops(lab: &Lab, reason: &str) -> u64 {
    let Ok(Reply::Drops(drops)) = lab.ask(&Request::Drops) else { panic!("drops are always answered") };
    drops.iter().find(|drop| drop.reason == reason).map_or(0, |drop| drop.packets)
}

/// Sends packets from the left host with scapy; `packets` is a Python expression that gives them.
fn send(lab: &Lab, packets: &str) {
    let program = format!("from scapy.all import *; sendp({packets}, iface='host0', verbose=0)");
    let sent = lab.on(Host::Left, &["/usr/bin/python3", "-c", &program]);
    assert!(sent.status.success(), "scapy: {}", printed(&sent));
}

#[test]
fn hosts_reach_each_other_in_both_families() {
    let Some(lab) = Lab::new("hosts_reach_each_other_in_both_families") else { return };
    let ferryd = lab.start(&lab.config(""));
    for far in [RIGHT, RIGHT6] {
        // The first packet finds nobody resolved: it waits for its neighbour, and none is lost.
        let ping = lab.on(Host::Left, &["ping", "-n", "-c", "5", "-i", "0.05", "-W", "20", far]);
        assert!(printed(&ping).contains(" 0% packet loss"), "{}", printed(&ping));
    }
    let log = ferryd.stop();
    let accounts = Accounts::of(&log);
    // Ten each way; those that waited for a neighbour were punted, and sent by the control thread.
    assert!(accounts.received >= 20 && accounts.transmitted > 0 && accounts.are_conserved(), "{log}");
}

#[test]
fn a_traceroute_shows_ferry_as_the_hop_between() {
    let Some(lab) = Lab::new("a_traceroute_shows_ferry_as_the_hop_between") else { return };
    let _ferryd = lab.start(&lab.config(""));
    for (far, near) in [(RIGHT, "192.0.2.1"), (RIGHT6, "2001:db8:1::1")] {
        let trace = lab.on(Host::Left, &["traceroute", "-n", "-q", "1", "-w", "20", "-m", "4", far]);
        let text = printed(&trace);
        let hops: Vec<_> = text.lines().skip(1).filter_map(|line| line.split_whitespace().nth(1)).collect();
        assert_eq!(hops, [near, far], "{text}");
    }
}

#[test]
fn ferry_answers_pings_to_its_own_addresses() {
    let Some(lab) = Lab::new("ferry_answers_pings_to_its_own_addresses") else { return };
    let _ferryd = lab.start(&lab.config(""));
    for own in ["192.0.2.1", "198.51.100.1", "2001:db8:1::1", "2001:db8:2::1"] {
        // An IPv6 address is ferry's once nobody else has claimed it, a second or two after the start.
        let ping = ["ping", "-n", "-c", "2", "-i", "0.05", "-W", "1", "-s", "1400", own];
        let ping = || printed(&lab.on(Host::Left, &ping));
        assert!(patiently(|| ping().contains(" 0% packet loss").then_some(())).is_some(), "{}", ping());
    }
}

#[test]
fn a_packet_arrives_with_one_hop_less() {
    let Some(lab) = Lab::new("a_packet_arrives_with_one_hop_less") else { return };
    let _ferryd = lab.start(&lab.config(""));
    let capture = ["tcpdump", "-n", "-v", "-l", "--immediate-mode", "-i", "host0", "-c", "1", "icmp and ip[8] == 16"];
    let mut watching = lab.spawn_on(Host::Right, &capture);
    let arrived = patiently(|| {
        lab.on(Host::Left, &["ping", "-n", "-c", "1", "-t", "17", "-W", "1", RIGHT]);
        watching.try_wait().expect("our own child")
    });
    assert!(arrived.is_some_and(|status| status.success()), "no packet with a time to live of 16 arrived");
}

// holds 038
#[test]
fn damaged_and_martian_packets_are_dropped_for_their_reasons() {
    let Some(lab) = Lab::new("damaged_and_martian_packets_are_dropped_for_their_reasons") else { return };
    let ferryd = lab.start(&lab.config(""));
    let log = ferryd.log();
    let mac = log
        .lines()
        .find(|line| line.contains("port left"))
        .and_then(|line| line.split([' ', ',']).find(|word| word.matches(':').count() == 5));
    let ethernet = format!("Ether(dst='{}')", mac.unwrap_or_else(|| panic!("the log names the port's MAC: {log}")));
    for (packet, reason) in [
        ("IP(dst='198.51.100.10', chksum=1)", "bad_checksum"),
        ("IP(dst='198.51.100.10', version=5)", "bad_version"),
        ("IP(dst='198.51.100.10', ihl=4)", "bad_header_length"),
        ("IP(dst='198.51.100.10', src='127.0.0.1')", "martian_source"),
        ("IP(dst='240.0.0.1')", "martian_destination"),
        ("IP(dst='224.0.0.9')", "multicast"),
        ("Dot1Q(vlan=9)/IP(dst='198.51.100.10')", "unknown_vlan"),
    ] {
        let before = drops(&lab, reason);
        send(&lab, &format!("[{ethernet}/{packet}/UDP()/(b'x'*32)]*3"));
        assert!(patiently(|| (drops(&lab, reason) >= before + 3).then_some(())).is_some(), "{reason}: {packet}");
    }
    let log = ferryd.stop();
    let martian = log.lines().find(|line| line.contains("dropped as martian")).unwrap_or_default();
    for what in ["port=\"left\"", "station=", "source=", "destination=\"198.51.100.10\"", "127.0.0.1"] {
        assert!(martian.contains(what), "{what}: {martian}");
    }
}

// holds 014, 061, 070, 110
#[test]
fn a_sender_learns_why_its_packet_goes_nowhere() {
    let Some(lab) = Lab::new("a_sender_learns_why_its_packet_goes_nowhere") else { return };
    let routes = "
mtu = 1400
[[route]]
to = \"203.0.113.0/24\"
unreachable = true
";
    let _ferryd = lab.start(&lab.config(routes));
    for (command, answer) in [
        (vec!["ping", "-n", "-c", "1", "-W", "20", "203.0.113.1"], "Destination Host Unreachable"),
        (vec!["ping", "-n", "-c", "1", "-W", "20", "192.88.99.1"], "Destination Net Unreachable"),
        (vec!["ping", "-n", "-c", "1", "-W", "20", "-t", "1", RIGHT], "Time to live exceeded"),
        (vec!["ping", "-n", "-c", "1", "-W", "20", "2001:db8:99::1"], "No route"),
        (vec!["ping", "-n", "-c", "1", "-W", "20", "-t", "1", RIGHT6], "Hop limit"),
        (vec!["ping", "-n", "-c", "1", "-W", "20", "-M", "do", "-s", "1400", RIGHT], "mtu = 1400"),
    ] {
        let ping = lab.on(Host::Left, &command);
        assert!(printed(&ping).contains(answer), "{command:?}: {}", printed(&ping));
    }
    lab.on(Host::Right, &["ip", "link", "set", "host0", "mtu", "1400"]);
    let fragmented = lab.on(Host::Left, &["ping", "-n", "-c", "2", "-W", "20", "-M", "dont", "-s", "1450", RIGHT]);
    assert!(printed(&fragmented).contains(" 0% packet loss"), "{}", printed(&fragmented));
}

#[test]
fn a_route_can_be_added_and_taken_back_while_packets_flow() {
    let Some(lab) = Lab::new("a_route_can_be_added_and_taken_back_while_packets_flow") else { return };
    let _ferryd = lab.start(&lab.config(""));
    let to: Network = "203.0.113.7/32".parse().unwrap();
    lab.on(Host::Right, &["ip", "address", "add", "203.0.113.7/32", "dev", "lo"]);
    let ping = ["ping", "-n", "-c", "1", "-W", "20", "203.0.113.7"];
    assert!(printed(&lab.on(Host::Left, &ping)).contains("Net Unreachable"));

    let target = Target::Via { gateway: RIGHT.parse().unwrap(), dev: None };
    lab.ask(&Request::RouteAdd { to, target: target.clone() }).unwrap();
    let twice = lab.ask(&Request::RouteAdd { to, target }).unwrap_err();
    assert_eq!(twice.kind.name(), "exists");
    assert!(printed(&lab.on(Host::Left, &ping)).contains(" 0% packet loss"));

    lab.ask(&Request::RouteDel { to }).unwrap();
    assert!(printed(&lab.on(Host::Left, &ping)).contains("Net Unreachable"));
}

#[test]
fn every_packet_is_accounted_for_when_ferryd_stops_under_load() {
    let Some(lab) = Lab::new("every_packet_is_accounted_for_when_ferryd_stops_under_load") else { return };
    let ferryd = lab.start(&lab.config(""));
    let mut load = lab.spawn_on(Host::Left, &["ping", "-n", "-q", "-i", "0.001", RIGHT]);
    let is_loaded = patiently(|| match lab.ask(&Request::Stats) {
        Ok(Reply::Stats(stats)) if stats.total.received > 500 => Some(()),
        _ => None,
    });
    assert!(is_loaded.is_some(), "no load arrived");
    let log = ferryd.stop();
    load.kill().unwrap();
    load.wait().unwrap();
    let accounts = Accounts::of(&log);
    assert!(accounts.received > 500 && accounts.are_conserved(), "{accounts:?}");
}

#[test]
fn ferryd_starts_again_after_it_was_killed() {
    let Some(lab) = Lab::new("ferryd_starts_again_after_it_was_killed") else { return };
    let config = lab.config("");
    let killed = lab.start(&config);
    killed.signal("KILL");
    assert!(!killed.wait().0);
    assert!(lab.socket().exists(), "a killed process leaves its socket behind");
    let ferryd = lab.start(&config);
    let ping = lab.on(Host::Left, &["ping", "-n", "-c", "1", "-W", "20", RIGHT]);
    assert!(printed(&ping).contains(" 0% packet loss"), "{}", printed(&ping));
    ferryd.stop();
    assert!(!lab.socket().exists(), "a stopped one does not");
}

#[test]
fn a_second_ferryd_is_refused_and_the_first_does_not_notice() {
    let Some(lab) = Lab::new("a_second_ferryd_is_refused_and_the_first_does_not_notice") else { return };
    let config = lab.config("");
    let _first = lab.start(&config);
    let second = lab.ferryd(&["--config", config.to_str().unwrap()]);
    assert!(!second.status.success());
    assert!(printed(&second).contains("ferry.sock"), "names the socket: {}", printed(&second));
    let ping = lab.on(Host::Left, &["ping", "-n", "-c", "1", "-W", "20", RIGHT]);
    assert!(printed(&ping).contains(" 0% packet loss"), "{}", printed(&ping));
}

#[test]
fn a_device_that_is_not_there_is_named_with_what_is() {
    let Some(lab) = Lab::new("a_device_that_is_not_there_is_named_with_what_is") else { return };
    let config = lab.config("[[port]]\nname = \"third\"\ndevice = \"net_af_packet2,iface=absent\"\n");
    let refused = lab.ferryd(&["--config", config.to_str().unwrap()]);
    let text = printed(&refused);
    assert!(!refused.status.success());
    assert!(text.contains("third") && text.contains("net_af_packet2,iface=absent"), "{text}");
    assert!(text.contains("net_af_packet0") && text.contains("net_af_packet1"), "lists what was found: {text}");
}

#[test]
fn a_check_prints_where_the_file_is_wrong_and_touches_nothing() {
    let Some(lab) = Lab::new("a_check_prints_where_the_file_is_wrong_and_touches_nothing") else { return };
    let good = lab.config("");
    let fine = lab.ferryd(&["--check", "--config", good.to_str().unwrap()]);
    assert!(fine.status.success(), "{}", printed(&fine));
    assert!(!lab.socket().exists());
    let doubtful = lab.config("[fpm]\nquiet_seconds = 5\n");
    let fine = lab.ferryd(&["--check", "--config", doubtful.to_str().unwrap()]);
    assert!(fine.status.success() && printed(&fine).contains("warning: [fpm] quiet_seconds = 5"), "{}", printed(&fine));

    let broken = lab.config("[[route]]\nto = \"10.0.0.1/8\"\nvia = \"192.0.2.2\"\n");
    let refused = lab.ferryd(&["--check", "--config", broken.to_str().unwrap()]);
    let text = printed(&refused);
    assert!(!refused.status.success());
    assert!(text.contains("ferry.toml:15:6") && text.contains("10.0.0.0/8"), "line, column and what was meant: {text}");

    let missing = lab.ferryd(&["--check", "--config", lab.folder().join("gone.toml").to_str().unwrap()]);
    assert!(!missing.status.success());
    assert!(printed(&missing).contains("gone.toml"), "{}", printed(&missing));
}

#[test]
fn someone_without_the_right_to_is_told_what_is_missing() {
    let Some(lab) = Lab::new("someone_without_the_right_to_is_told_what_is_missing") else { return };
    let config = lab.config("");
    let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"];
    let ferryd = [env!("CARGO_BIN_EXE_ferryd"), "--config", config.to_str().unwrap()];
    let refused_with = |what: &str| {
        let refused = lab.in_the_middle(&[&nobody[..], &ferryd].concat());
        let text = printed(&refused);
        assert!(!refused.status.success() && !text.contains("panicked"), "{text}");
        assert!(text.contains(what), "{text}");
    };
    refused_with("this user may not make the socket");
    std::fs::set_permissions(lab.folder(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    refused_with("no permission to open a packet socket on `left`");
}

#[test]
fn a_client_that_sends_garbage_harms_nobody() {
    let Some(lab) = Lab::new("a_client_that_sends_garbage_harms_nobody") else { return };
    let _ferryd = lab.start(&lab.config(""));
    let hanging = std::os::unix::net::UnixStream::connect(lab.socket()).unwrap();
    let mut garbage = std::os::unix::net::UnixStream::connect(lab.socket()).unwrap();
    std::io::Write::write_all(&mut garbage, b"\x00\xff not json {\n").unwrap();
    assert!(matches!(lab.ask(&Request::Stats), Ok(Reply::Stats(_))));
    let ping = lab.on(Host::Left, &["ping", "-n", "-c", "1", "-W", "20", RIGHT]);
    assert!(printed(&ping).contains(" 0% packet loss"), "{}", printed(&ping));
    drop(hanging);
}

// holds 071
#[test]
fn an_unknown_neighbour_is_reported_to_the_sender() {
    let Some(lab) = Lab::new("an_unknown_neighbour_is_reported_to_the_sender") else { return };
    let _ferryd = lab.start(&lab.config(""));
    for (nobody, answer) in
        [("198.51.100.99", "Destination Host Unreachable"), ("2001:db8:2::99", "Address unreachable")]
    {
        let ping = lab.on(Host::Left, &["ping", "-n", "-c", "1", "-W", "30", nobody]);
        assert!(printed(&ping).contains(answer), "{}", printed(&ping));
    }
    let from_us = lab.on(Host::Right, &["ping", "-n", "-c", "1", "-W", "20", LEFT]);
    assert!(printed(&from_us).contains(" 0% packet loss"), "{}", printed(&from_us));
}

#[test]
fn a_worker_has_its_core_to_itself() {
    let Some(lab) = Lab::new("a_worker_has_its_core_to_itself") else { return };
    if std::thread::available_parallelism().is_ok_and(|cores| cores.get() == 1) {
        return println!("skipped: a_worker_has_its_core_to_itself: there is one core for everybody");
    }
    let ferryd = lab.start(&lab.config(""));
    let threads = std::fs::read_dir(format!("/proc/{}/task", ferryd.id())).unwrap().flatten().map(|thread| {
        let status = std::fs::read_to_string(thread.path().join("status")).unwrap();
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
        (field("Name:"), field("Cpus_allowed:"))
    });
    let (workers, others): (Vec<_>, Vec<_>) = threads.partition(|(name, _)| name.starts_with("worker"));
    assert_eq!(workers.len(), 1);
    assert!(others.iter().any(|(name, _)| name == "control"), "{others:?}");
    for (name, cores) in &others {
        assert!(!share_a_core(cores, &workers[0].1), "{name} may run on {cores}, the worker on {}", workers[0].1);
    }
}

/// Whether two masks, as the kernel writes them in hexadecimal digits and commas, have a bit in common.
fn share_a_core(one: &str, other: &str) -> bool {
    let digits = |mask: &str| mask.chars().rev().filter_map(|digit| digit.to_digit(16)).collect::<Vec<_>>();
    digits(one).iter().zip(digits(other)).any(|(one, other)| one & other != 0)
}
