//! BIRD over ferry: sessions of BGP between a host on a link and a daemon on the kernel's interface of ferry's port.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use control_api::{PortTap, Reply, Request};

use crate::ferryd::{Ferryd, patiently, printed};
use crate::lab::{Host, Lab};

/// A BIRD, which runs as long as this is held.
struct Bird<'l> {
    lab: &'l Lab,
    namespace: String,
    control: PathBuf,
    child: Child,
}

impl<'l> Bird<'l> {
    /// Starts one in a namespace, which says to each of `neighbours` that `route` is behind it.
    fn start(lab: &'l Lab, namespace: &str, local: u32, neighbours: &[(&str, u32)], routes: [&str; 2]) -> Self {
        let file = |kind: &str| lab.folder().join(format!("bird-{local}.{kind}"));
        let mut config = format!("router id 192.0.2.{};\nlog \"{}\" all;\n", local % 250, file("log").display());
        config.push_str("protocol device { scan time 1; }\n");
        for (number, route) in (4..).step_by(2).zip(routes) {
            let static_route = format!("protocol static {{ ipv{number}; route {route} blackhole; }}\n");
            config.push_str(&static_route);
        }
        for (place, (neighbour, remote)) in neighbours.iter().enumerate() {
            let family = if neighbour.contains(':') { "ipv6" } else { "ipv4" };
            config.push_str(&format!(
                "protocol bgp peer{place} {{ local as {local}; neighbor {neighbour} as {remote}; \
                 connect delay time 1; connect retry time 2; error wait time 1, 2; direct; \
                 {family} {{ import all; export all; next hop self; }}; }}\n"
            ));
        }
        fs::write(file("conf"), config).expect("the test's own folder takes files");
        let control = file("ctl");
        let arguments = ["-f", "-c", &file("conf").display().to_string(), "-s", &control.display().to_string()];
        let child = lab
            .command(namespace, &[&["bird"][..], &arguments].concat())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("`ip` is there, or the lab would not be");
        Self { lab, namespace: namespace.to_owned(), control, child }
    }

    /// What `birdc` prints.
    fn says(&self, question: &[&str]) -> String {
        let client = ["birdc", "-s", &self.control.display().to_string()].map(str::to_owned);
        let command: Vec<&str> = client.iter().map(String::as_str).chain(question.iter().copied()).collect();
        printed(&self.lab.command(&self.namespace, &command).output().expect("bird brings it along"))
    }

    /// Waits until so many sessions are established.
    fn wait_for_sessions(&self, count: usize) {
        let established = || {
            let protocols = self.says(&["show", "protocols"]);
            (protocols.matches("Established").count() == count).then_some(())
        };
        let all = || self.says(&["show", "protocols", "all"]);
        assert!(patiently(established).is_some(), "{}", all());
    }

    /// Waits until a route has come over a session.
    fn wait_for_route(&self, route: &str) {
        let there = || self.says(&["show", "route", route]).contains("[peer").then_some(());
        assert!(patiently(there).is_some(), "{route}: {}", self.says(&["show", "route"]));
    }
}

impl Drop for Bird<'_> {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _already_waited_for = self.child.wait();
    }
}

fn has_bird(test: &str) -> bool {
    let has = Command::new("bird").arg("--version").output().is_ok();
    if !has {
        let _unheard = std::io::Write::write_all(
            &mut std::io::stderr(),
            format!("skipped: {test}: there is no BIRD (bird2)\n").as_bytes(),
        );
    }
    has
}

fn tap(lab: &Lab, port: &str) -> PortTap {
    let asked = lab.ask(&Request::PortShow { name: Some(port.to_owned()) });
    let Ok(Reply::Ports(ports)) = asked else { panic!("{asked:?}") };
    ports[0].tap.clone().expect("the port has one")
}

#[test]
fn a_bird_on_ferry_s_port_and_one_on_the_link_are_peers_in_both_families() {
    let test = "a_bird_on_ferry_s_port_and_one_on_the_link_are_peers_in_both_families";
    let Some(lab) = Lab::new(test).filter(|_lab| has_bird(test)) else { return };
    let daemons = lab.daemons();
    let config = lab.config("");
    let text = fs::read_to_string(&config).unwrap();
    let tap_on_left = format!("iface=left\"\ntap = \"bgp-left\"\ntap_netns = \"{daemons}\"");
    fs::write(&config, text.replacen("iface=left\"", &tap_on_left, 1)).unwrap();
    let ferryd = lab.start(&config);

    let addresses = printed(&lab.command(&daemons, &["ip", "address", "show", "bgp-left"]).output().unwrap());
    for own in ["inet 192.0.2.1/24", "inet6 2001:db8:1::1/64", "state U"] {
        assert!(addresses.contains(own), "{own} in {addresses}");
    }
    // The kernel asks its neighbour for an echo over ferry, and hears the answer, once ferry knows that nobody else has
    // the address.
    for far in ["192.0.2.10", "2001:db8:1::10"] {
        let ping = ["ping", "-n", "-c", "2", "-i", "0.1", "-W", "1", far];
        let ping = || printed(&lab.command(&daemons, &ping).output().expect("`ip` is there, or the lab would not be"));
        let heard = patiently(|| ping().contains(" 0% packet loss").then_some(()));
        assert!(heard.is_some(), "{}\n{}", ping(), ferryd.log());
    }
    let near = [("192.0.2.10", 65010), ("2001:db8:1::10", 65010)];
    let far = [("192.0.2.1", 65001), ("2001:db8:1::1", 65001)];
    let ours = Bird::start(&lab, &daemons, 65001, &near, ["10.65.1.0/24", "2001:db8:651::/48"]);
    let theirs = Bird::start(&lab, &lab.namespace(Host::Left), 65010, &far, ["10.65.10.0/24", "2001:db8:6510::/48"]);
    ours.wait_for_sessions(2);
    theirs.wait_for_sessions(2);
    for route in ["10.65.10.0/24", "2001:db8:6510::/48"] {
        ours.wait_for_route(route);
    }
    for route in ["10.65.1.0/24", "2001:db8:651::/48"] {
        theirs.wait_for_route(route);
    }
    // Ferry still answers what is its own to answer, and forwards as ever.
    for to in ["192.0.2.1", "198.51.100.10"] {
        let ping = lab.on(Host::Left, &["ping", "-n", "-c", "2", "-i", "0.1", "-W", "20", to]);
        assert!(printed(&ping).contains(" 0% packet loss"), "{}", printed(&ping));
    }
    let crossed = tap(&lab, "left");
    assert!(crossed.counts.to_kernel > 10 && crossed.counts.from_kernel > 10, "{crossed:?}");
    assert_eq!((crossed.ifname.as_str(), crossed.counts.refused), ("bgp-left", 0));
    drop((ours, theirs));
    ferryd.stop();
    let gone = lab.command(&daemons, &["ip", "link", "show", "bgp-left"]).output().unwrap();
    assert!(!gone.status.success(), "the interface is gone with ferryd");
}

/// The kernel may know no VLANs, so the other end is a ferryd as well: what one puts a tag on, the other takes it off.
#[test]
fn birds_on_the_vlan_of_two_ferryds_are_peers() {
    let test = "birds_on_the_vlan_of_two_ferryds_are_peers";
    let Some(lab) = Lab::new(test).filter(|_lab| has_bird(test)) else { return };
    let daemons = lab.daemons();
    let vlan = |parent: &str, host: u8| {
        format!(
            "\n[[port]]\nname = \"vlan-{host}\"\nparent = \"{parent}\"\nvlan = 100\ntap = true\n\
             tap_netns = \"{daemons}-{host}\"\naddresses = [\"10.100.0.{host}/24\", \"2001:db8:100::{host}/64\"]\n"
        )
    };
    let [first, second] = [1, 2].map(|host| lab.namespace_for(&format!("daemons-{host}")));
    let one = lab.start(&lab.config(&vlan("right", 1)));
    let other = lab.folder().join("other.toml");
    let text = format!(
        "[api]\nsocket = \"{}\"\n[[worker]]\ncore = 0\n[[port]]\nname = \"up\"\ndevice = \"net_af_packet0,iface=host0\"\n{}",
        lab.folder().join("other.sock").display(),
        vlan("up", 2)
    );
    fs::write(&other, text).unwrap();
    let ferryd = [env!("CARGO_BIN_EXE_ferryd"), "--config", other.to_str().unwrap()];
    let two = Ferryd::start(lab.command(&lab.namespace(Host::Right), &ferryd));

    let (to_two, to_one) = ([("10.100.0.2", 65002)], [("10.100.0.1", 65001), ("2001:db8:100::1", 65001)]);
    let to_two = [to_two[0], ("2001:db8:100::2", 65002)];
    let ours = Bird::start(&lab, &first, 65001, &to_two, ["10.65.1.0/24", "2001:db8:651::/48"]);
    let theirs = Bird::start(&lab, &second, 65002, &to_one, ["10.65.2.0/24", "2001:db8:652::/48"]);
    ours.wait_for_sessions(2);
    theirs.wait_for_sessions(2);
    ours.wait_for_route("10.65.2.0/24");
    theirs.wait_for_route("2001:db8:651::/48");
    drop((ours, theirs));
    two.stop();
    one.stop();
}

#[test]
fn a_namespace_that_is_not_there_is_said_with_what_to_do() {
    let Some(lab) = Lab::new("a_namespace_that_is_not_there_is_said_with_what_to_do") else { return };
    let config = lab.config("");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replacen("iface=left\"", "iface=left\"\ntap = true\ntap_netns = \"gone\"", 1)).unwrap();
    let refused = lab.ferryd(&["--config", config.to_str().unwrap()]);
    let text = printed(&refused);
    assert!(!refused.status.success());
    assert!(text.contains("port `left`") && text.contains("`gone`") && text.contains("ip netns add gone"), "{text}");
}

#[test]
fn a_reload_changes_the_interface_of_a_port_as_it_changes_the_port() {
    let Some(lab) = Lab::new("a_reload_changes_the_interface_of_a_port_as_it_changes_the_port") else { return };
    let daemons = lab.daemons();
    let config = lab.config("");
    let text = fs::read_to_string(&config).unwrap();
    let tap_on_left = format!("iface=left\"\ntap = \"tap-left\"\ntap_netns = \"{daemons}\"");
    let text = text.replacen("iface=left\"", &tap_on_left, 1);
    fs::write(&config, &text).unwrap();
    let ferryd = lab.start(&config);
    let shown = || printed(&lab.command(&daemons, &["ip", "address", "show", "tap-left"]).output().unwrap());
    assert!(shown().contains("mtu 1500") && shown().contains("inet 192.0.2.1/24"), "{}", shown());

    let other = text.replacen("\"192.0.2.1/24\"", "\"192.0.2.7/24\"", 1).replacen("tap = ", "mtu = 1400\ntap = ", 1);
    fs::write(&config, other).unwrap();
    let told = lab.ask(&Request::ConfigReload { file: None, dry_run: false });
    let Ok(Reply::Config(changes)) = told else { panic!("{told:?}") };
    assert!(changes.applied && changes.changes.len() == 3, "{changes:?}");
    let after = shown();
    assert!(after.contains("mtu 1400") && after.contains("inet 192.0.2.7/24"), "{after}");
    assert!(!after.contains("192.0.2.1/24") && after.contains("inet6 2001:db8:1::1/64"), "{after}");

    fs::write(&config, text.replacen("tap-left", "tap-other", 1)).unwrap();
    let refused = lab.ask(&Request::ConfigReload { file: None, dry_run: false }).unwrap_err();
    assert!(refused.message.contains("port left: tap from tap-left in "), "{refused}");
    assert_eq!(shown(), after, "and nothing has changed");
    ferryd.stop();
}
