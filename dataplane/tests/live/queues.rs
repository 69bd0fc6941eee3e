//! Several workers on the queues of one port, and queues that go from one to the other under traffic.

use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;

use control_api::{PortRss, QueuePlace, Reply, Request};

use crate::ferryd::{Accounts, patiently, printed};
use crate::lab::{Host, Lab};

const FLOWS: usize = 32;
const ROUNDS: usize = 100;

/// A number of UDP datagrams from so many ports each, a round every few milliseconds.
const SENDER: &str = "
import socket, sys, time
flows, rounds = int(sys.argv[1]), int(sys.argv[2])
sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(flows)]
for number, sender in enumerate(sockets):
    sender.bind(('192.0.2.10', 20000 + number))
for place in range(rounds):
    for sender in sockets:
        sender.sendto(place.to_bytes(4, 'big'), ('198.51.100.10', 9999))
    time.sleep(0.005)
";

/// Says `ready`, and how many datagrams came that are later than all before them of their flow; ends when all are there, or
/// none came for ten seconds.
const RECEIVER: &str = "
import socket, sys
wanted = int(sys.argv[1])
receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
receiver.bind(('198.51.100.10', 9999))
receiver.settimeout(10)
open(sys.argv[2], 'w').close()
last, count = {}, 0
try:
    while count < wanted:
        payload, sender = receiver.recvfrom(64)
        place = int.from_bytes(payload, 'big')
        if place > last.get(sender, -1):
            count += 1
        last[sender] = place
except TimeoutError:
    pass
print(count)
";

/// Two queues of each port, and two workers that leave the machine's cores to the hosts while nothing comes.
fn config(lab: &Lab, cores: [usize; 2]) -> PathBuf {
    let worker = |core| format!("[[worker]]\ncore = {core}\nidle = \"adaptive\"\n");
    let path = lab.config(&cores.map(worker).concat());
    let text = fs::read_to_string(&path).unwrap();
    let text = text.replace("iface=left", "iface=left,qpairs=2").replace("iface=right", "iface=right,qpairs=2");
    fs::write(&path, text).unwrap();
    path
}

fn map(lab: &Lab, request: &Request) -> Vec<QueuePlace> {
    match lab.ask(request) {
        Ok(Reply::QueueMap(map)) => map,
        other => panic!("no map: {other:?}"),
    }
}

fn rss(lab: &Lab, port: &str) -> PortRss {
    match lab.ask(&Request::PortRss { name: Some(port.to_owned()) }) {
        Ok(Reply::PortRss(mut ports)) => ports.remove(0),
        other => panic!("no queues: {other:?}"),
    }
}

#[test]
fn queues_change_hands_under_traffic_and_nothing_is_lost_or_out_of_order() {
    let test = "queues_change_hands_under_traffic_and_nothing_is_lost_or_out_of_order";
    let Some(lab) = Lab::new(test) else { return };
    let cores: Vec<usize> = core_affinity::get_core_ids().unwrap_or_default().into_iter().map(|core| core.id).collect();
    let [one, two, ..] = cores[..] else {
        let _unheard = writeln!(io::stderr(), "skipped: {test}: two workers take two cores");
        return;
    };
    let ferryd = lab.start(&config(&lab, [one, two]));
    let first = map(&lab, &Request::QueueMapShow);
    let polled: Vec<_> = first.iter().map(|place| (place.queue.to_string(), place.core)).collect();
    let spread = [("left:0", one), ("left:1", two), ("right:0", one), ("right:1", two)];
    assert_eq!(polled, spread.map(|(queue, core)| (queue.to_owned(), core)));
    // Both hosts are known before the count begins.
    let ping = lab.on(Host::Left, &["ping", "-n", "-c", "2", "-i", "0.2", "-W", "5", "198.51.100.10"]);
    assert!(printed(&ping).contains("bytes from"), "{}", printed(&ping));

    let (all, ready) = (FLOWS * ROUNDS, lab.folder().join("ready"));
    let ready_path = ready.to_str().expect("a test's folder has a plain name");
    let receiver = lab.spawn_on(Host::Right, &["/usr/bin/python3", "-c", RECEIVER, &all.to_string(), ready_path]);
    assert!(patiently(|| ready.exists().then_some(())).is_some(), "nobody receives");
    let arguments = ["/usr/bin/python3", "-c", SENDER, &FLOWS.to_string(), &ROUNDS.to_string()];
    let mut sender = lab.spawn_on(Host::Left, &arguments);
    let mut changes = 0;
    while sender.try_wait().expect("our own child").is_none() {
        let queues = first.iter().enumerate().map(|(place, queue)| {
            let core = if (place + changes) % 3 == 0 { one } else { two };
            QueuePlace { core, ..queue.clone() }
        });
        map(&lab, &Request::QueueMapSet { queues: queues.collect() });
        changes += 1;
    }
    let received = receiver.wait_with_output().expect("our own child");
    assert_eq!(String::from_utf8_lossy(&received.stdout).trim(), all.to_string(), "after {changes} changes of the map");

    assert!(changes > 10, "{changes}");
    let settled = patiently(|| {
        let map = map(&lab, &Request::QueueMapShow);
        map.iter().all(|place| !place.moving).then_some(map)
    });
    assert!(settled.is_some(), "queues are still on their way");
    let left = rss(&lab, "left");
    assert!(left.queues.iter().all(|queue| queue.packets > 0 && !queue.starved), "flows are spread: {left:?}");
    let through_queues: u64 = left.queues.iter().map(|queue| queue.packets).sum();
    assert!(through_queues >= all as u64);
    let Ok(Reply::Stats(stats)) = lab.ask(&Request::Stats) else { panic!("counters are always shown") };
    assert!(stats.workers.iter().all(|worker| worker.sleeps > 0 && worker.idle_turns > 0), "{:?}", stats.workers);
    let accounts = Accounts::of(&ferryd.stop());
    assert!(accounts.are_conserved(), "{accounts:?}");
    assert!(accounts.transmitted >= all as u64);
}

#[test]
fn a_map_that_cannot_be_is_refused_and_the_one_there_is_stays() {
    let Some(lab) = Lab::new("a_map_that_cannot_be_is_refused_and_the_one_there_is_stays") else { return };
    let _ferryd = lab.start(&lab.config(""));
    let before = map(&lab, &Request::QueueMapShow);
    assert_eq!(before.len(), 2);
    for (queue, core) in [("left:1", before[0].core), ("left:0", before[0].core + 4096)] {
        let queues = vec![QueuePlace { queue: queue.parse().unwrap(), core, moving: false }];
        assert!(lab.ask(&Request::QueueMapSet { queues }).is_err());
        assert_eq!(map(&lab, &Request::QueueMapShow), before);
    }
}

#[test]
fn more_queues_than_a_device_has_are_refused_with_what_to_write() {
    let Some(lab) = Lab::new("more_queues_than_a_device_has_are_refused_with_what_to_write") else { return };
    let path = lab.config("");
    let text = fs::read_to_string(&path).unwrap().replace("name = \"left\"", "name = \"left\"\nqueues = 3");
    fs::write(&path, text).unwrap();
    let refused = lab.ferryd(&["--config", path.to_str().expect("a test's folder has a plain name")]);
    let said = printed(&refused);
    assert!(!refused.status.success(), "{said}");
    assert!(said.contains("`net_af_packet0` can have 1 receive queues, 3 are wanted"), "{said}");
    assert!(said.contains("write fewer `queues`") && said.contains("qpairs=2"), "{said}");
}

#[test]
fn a_reload_gives_queues_to_the_workers_that_the_file_names_then() {
    let test = "a_reload_gives_queues_to_the_workers_that_the_file_names_then";
    let Some(lab) = Lab::new(test) else { return };
    let cores: Vec<usize> = core_affinity::get_core_ids().unwrap_or_default().into_iter().map(|core| core.id).collect();
    let [one, two, ..] = cores[..] else {
        let _unheard = writeln!(io::stderr(), "skipped: {test}: two workers take two cores");
        return;
    };
    let path = config(&lab, [one, two]);
    let text = fs::read_to_string(&path).unwrap();
    let naming = |of_one: &str, of_two: &str| {
        let worker =
            |core: usize, queues: &str| (format!("core = {core}\n"), format!("core = {core}\nqueues = [{queues}]\n"));
        [worker(one, of_one), worker(two, of_two)].iter().fold(text.clone(), |text, (old, new)| text.replace(old, new))
    };
    let (left, right) = (r#""left:0", "left:1""#, r#""right:0", "right:1""#);
    fs::write(&path, naming(left, right)).unwrap();
    let ferryd = lab.start(&path);
    let polled = |core| {
        let map = map(&lab, &Request::QueueMapShow);
        let of_core = map.iter().filter(|place| place.core == core && !place.moving);
        of_core.map(|place| place.queue.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(
        (polled(one), polled(two)),
        (["left:0", "left:1"].map(str::to_owned).to_vec(), ["right:0", "right:1"].map(str::to_owned).to_vec())
    );

    fs::write(&path, naming(right, left)).unwrap();
    let told = lab.ask(&Request::ConfigReload { file: None, dry_run: false });
    let Ok(Reply::Config(changes)) = told else { panic!("{told:?}") };
    assert!(changes.applied && changes.changes.len() == 1, "{changes:?}");
    let there = || (polled(one) == ["right:0", "right:1"] && polled(two) == ["left:0", "left:1"]).then_some(());
    assert!(patiently(there).is_some(), "{:?}", map(&lab, &Request::QueueMapShow));
    let ping = lab.on(Host::Left, &["ping", "-n", "-c", "2", "-i", "0.2", "-W", "5", "198.51.100.10"]);
    assert!(printed(&ping).contains("bytes from"), "{}", printed(&ping));
    let accounts = Accounts::of(&ferryd.stop());
    assert!(accounts.are_conserved(), "{accounts:?}");
}
