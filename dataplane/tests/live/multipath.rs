//! One network behind three routers on as many links, and who of them gets which flow.
//!
//! ```text
//!                                  /- right  198.51.100.10 -\
//! host left 192.0.2.10 --- ferryd --- second 10.2.0.10 ------ 10.9.0.1, 2001:db8:9::1
//!                                  \- third  10.3.0.10 -----/
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::process::{Child, Stdio};

use crate::ferryd::{Ferryd, patiently, printed};
use crate::lab::{Host, Lab, run};
use crate::links::are_up;

const LINKS: [(&str, &str, &str); 3] =
    [("right", "198.51.100", "2001:db8:2"), ("second", "10.2.0", "2001:db8:22"), ("third", "10.3.0", "2001:db8:23")];

/// Who sent, from which port, how much: all packets of a flow say the same.
type Flow = (String, u16, usize);

/// The three ways, and ferryd before them.
struct Scene {
    lab: Lab,
    namespaces: [String; 3],
    hosts: Vec<Child>,
    _ferryd: Ferryd,
}

impl Scene {
    fn new(test: &str) -> Option<Self> {
        let lab = Lab::new(test)?;
        let [_right, more @ ..] = LINKS;
        let [second, third] = more.map(|(port, network, network6)| lab.wire(port, network, network6));
        let namespaces = [lab.namespace(Host::Right), second, third];
        let ports = more.map(|(port, network, network6)| {
            let number = if port == "second" { 2 } else { 3 };
            format!(
                "[[port]]\nname = \"{port}\"\ndevice = \"net_af_packet{number},iface={port}\"\n\
                 addresses = [\"{network}.1/24\", \"{network6}::1/64\"]\n"
            )
        });
        let via =
            |family: fn(&(&str, &str, &str)) -> String| LINKS.map(|link| format!("{:?}", family(&link))).join(", ");
        let routes = format!(
            "[[route]]\nto = \"10.9.0.0/16\"\nvia = [{}]\n[[route]]\nto = \"2001:db8:9::/48\"\nvia = [{}]\n",
            via(|(_, network, _)| format!("{network}.10")),
            via(|(.., network6)| format!("{network6}::10")),
        );
        let config = lab.config(&[&ports.concat(), routes.as_str()].concat());
        // The kernel puts IPv4 fragments together before net_af_packet sees them.
        let text = fs::read_to_string(&config).expect("it was just written");
        let text = text.replace("net_af_packet0,iface=left", "net_pcap0,rx_iface_in=left,tx_iface=left");
        fs::write(&config, text).expect("the test's own folder takes files");
        let ferryd = lab.start(&config);
        let mut scene = Self { lab, namespaces, hosts: Vec::new(), _ferryd: ferryd };
        for namespace in scene.namespaces.clone() {
            run(&["ip", "-n", &namespace, "address", "add", "10.9.0.1/32", "dev", "lo"]);
            run(&["ip", "-n", &namespace, "address", "add", "2001:db8:9::1/128", "dev", "lo"]);
            scene.hosts.push(scene.listen(&namespace));
        }
        for number in 11..=60 {
            let host = scene.lab.namespace(Host::Left);
            run(&["ip", "-n", &host, "address", "add", &format!("192.0.2.{number}/24"), "dev", "host0"]);
            let address = format!("2001:db8:1::{number}/64");
            run(&["ip", "-n", &host, "address", "add", &address, "dev", "host0", "nodad"]);
        }
        // A router that is not found yet gets only the newest of what waits for it.
        for address in
            LINKS.iter().flat_map(|(_, network, network6)| [format!("{network}.10"), format!("{network6}::10")])
        {
            let ping = || printed(&scene.lab.on(Host::Left, &["ping", "-n", "-c", "1", "-W", "2", &address]));
            assert!(patiently(|| ping().contains(" 0% packet loss").then_some(())).is_some(), "{address}: {}", ping());
        }
        Some(scene)
    }

    /// Starts to write down what arrives at the network's address in a namespace.
    fn listen(&self, namespace: &str) -> Child {
        let program = format!(
            "import socket\n\
             s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)\n\
             s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)\n\
             s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)\n\
             s.bind((\"::\", 9))\n\
             with open({:?}, \"a\") as file:\n \
              print(\"listening\", file=file, flush=True)\n \
              while True:\n  \
               data, peer = s.recvfrom(65535)\n  \
               print(peer[0].removeprefix(\"::ffff:\"), peer[1], len(data), file=file, flush=True)\n",
            self.file_of(namespace).display()
        );
        let child = self
            .lab
            .command(namespace, &["/usr/bin/python3", "-c", &program])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("`ip` is there, or the lab would not be");
        let listens = || fs::read_to_string(self.file_of(namespace)).is_ok_and(|said| said.contains("listening"));
        assert!(patiently(|| listens().then_some(())).is_some(), "python does not listen");
        child
    }

    fn file_of(&self, namespace: &str) -> std::path::PathBuf {
        self.lab.folder().join(format!("{namespace}.arrived"))
    }

    /// Sends packets of many flows, and long datagrams from many addresses, until there arrived something of all of them: a
    /// busy machine loses some. Returns which way they went.
    fn ways(&self) -> BTreeMap<Flow, usize> {
        for namespace in &self.namespaces {
            fs::write(self.file_of(namespace), "").expect("the test's own folder takes files");
        }
        let program = "import socket, time\n\
            def send(family, source, port, to, size):\n \
             with socket.socket(family, socket.SOCK_DGRAM) as s:\n  \
              s.bind((source, port))\n  \
              s.sendto(bytes(size), (to, 9))\n  \
              time.sleep(0.0005)\n\
            ipv4 = socket.AF_INET, \"192.0.2.\", \"10.9.0.1\"\n\
            ipv6 = socket.AF_INET6, \"2001:db8:1::\", \"2001:db8:9::1\"\n\
            for family, host, to in ipv4, ipv6:\n \
             for port in range(20000, 20100): send(family, host + \"10\", port, to, 100)\n \
             for number in range(11, 61): send(family, host + str(number), 30000, to, 4000)\n";
        let ways = patiently(|| {
            let sent = self.lab.on(Host::Left, &["/usr/bin/python3", "-c", program]);
            assert!(sent.status.success(), "{}", printed(&sent));
            let ways = self.arrived();
            (ways.len() >= 300).then_some(ways)
        });
        ways.unwrap_or_else(|| {
            let arrived = KINDS.map(|kind| shares(&self.arrived(), kind));
            panic!("of 100, 100, 50 and 50 there arrived {arrived:?}")
        })
    }

    /// Which way what has arrived went; panics if anything went two ways.
    fn arrived(&self) -> BTreeMap<Flow, usize> {
        let mut ways = BTreeMap::new();
        for (way, namespace) in self.namespaces.iter().enumerate() {
            let arrived = fs::read_to_string(self.file_of(namespace)).expect("it was made");
            for line in arrived.lines().filter(|line| line.split(' ').count() == 3) {
                let words: Vec<_> = line.split(' ').collect();
                let flow = (words[0].to_owned(), words[1].parse().unwrap(), words[2].parse().unwrap());
                let before = ways.insert(flow.clone(), way);
                assert!(before.is_none_or(|before| before == way), "{flow:?} went {way} and {before:?}");
            }
        }
        ways
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        for host in &mut self.hosts {
            let _already_gone = host.kill();
            let _already_waited_for = host.wait();
        }
    }
}

/// Short and long ones, in both families.
const KINDS: [(bool, bool); 4] = [(false, false), (false, true), (true, false), (true, true)];

/// How many of the flows of a kind went each way.
fn shares(ways: &BTreeMap<Flow, usize>, kind: (bool, bool)) -> [usize; 3] {
    let mut shares = [0; 3];
    let alike = ways.iter().filter(|((source, _, len), _)| (*len > 1500, source.contains(':')) == kind);
    alike.for_each(|(_, way)| shares[*way] += 1);
    shares
}

// holds 164
#[test]
fn rfc_165_166_167_flows_keep_their_way_datagrams_stay_whole_and_a_link_that_goes_moves_its_own() {
    let Some(scene) =
        Scene::new("rfc_165_166_167_flows_keep_their_way_datagrams_stay_whole_and_a_link_that_goes_moves_its_own")
    else {
        return;
    };
    let before = scene.ways();
    for kind @ (is_long, is_ipv6) in KINDS {
        let shares = shares(&before, kind);
        assert!(shares.iter().all(|share| *share > 0), "long {is_long}, IPv6 {is_ipv6}: {shares:?}");
    }
    assert_eq!(scene.ways(), before, "and go there again");

    run(&["ip", "-n", &scene.namespaces[1], "link", "set", "host0", "down"]);
    assert!(patiently(|| (are_up(&scene.lab, "second") == Some(false)).then_some(())).is_some(), "it is seen");
    let after = scene.ways();
    let mut moved = [0; 3];
    for (flow, way) in &before {
        match (way, after[flow]) {
            (1, now) => moved[now] += 1,
            (way, now) => assert_eq!(*way, now, "{flow:?} has nothing to do with that link"),
        }
    }
    assert!(moved[0] > 0 && moved[1] == 0 && moved[2] > 0, "its own go both other ways: {moved:?}");
}
