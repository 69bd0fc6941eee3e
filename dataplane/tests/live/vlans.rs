//! VLANs between ferry's and the kernel's, where the kernel knows any: one tag, and one around another. And with frames made
//! by hand, which any kernel lets through.

use std::io::{self, Write as _};

use control_api::{Port, Reply, Request};

use crate::ferryd::{patiently, printed};
use crate::lab::{Host, Lab};

/// Two networks on the link on the left, and two on the right whose tags stand within another.
const VLANS: &str = r#"
[[port]]
name = "left.100"
parent = "left"
vlan = 100
addresses = ["10.100.0.1/24", "2001:db8:100::1/64"]

[[port]]
name = "left.101"
parent = "left"
vlan = 101
addresses = ["10.101.0.1/24"]

[[port]]
name = "right.200.100"
parent = "right"
vlan = 100
outer_vlan = 200
protocol = "802.1Q"
mtu = 1496
addresses = ["10.200.0.1/24", "2001:db8:200::1/64"]

[[neighbour]]
port = "right.200.100"
address = "10.200.0.99"
mac = "02:00:00:00:99:99"
"#;

/// A lab on a kernel that has VLANs to offer; `None` with the reason printed where one cannot be made.
fn lab_with_vlans(test: &str) -> Option<Lab> {
    let lab = Lab::new(test)?;
    let made = ["ip", "link", "add", "link", "host0", "name", "probe", "type", "vlan", "id", "9"];
    if !lab.on(Host::Left, &made).status.success() {
        let _unheard = writeln!(io::stderr(), "skipped: {test}: the kernel knows no VLANs (8021q)");
        return None;
    }
    lab.on(Host::Left, &["ip", "link", "delete", "probe"]);
    Some(lab)
}

/// Gives a host an interface on `link`, and addresses in `network` and `network6` there.
fn join(lab: &Lab, host: Host, link: &str, id: u16, networks: Option<(&str, &str)>) {
    let name = format!("{link}.{id}");
    let run = |command: &[&str]| {
        let output = lab.on(host, command);
        assert!(output.status.success(), "{command:?}: {}", printed(&output));
    };
    run(&["ip", "link", "add", "link", link, "name", &name, "type", "vlan", "id", &id.to_string()]);
    run(&["ip", "link", "set", &name, "up"]);
    if let Some((network, network6)) = networks {
        run(&["ip", "address", "add", &format!("{network}.10/24"), "dev", &name]);
        run(&["ip", "address", "add", &format!("{network6}::10/64"), "dev", &name, "nodad"]);
    }
}

fn ports(lab: &Lab) -> Vec<Port> {
    let Ok(Reply::Ports(ports)) = lab.ask(&Request::PortShow { name: None }) else { panic!("ports are always shown") };
    ports
}

#[test]
fn hosts_on_vlans_reach_each_other_and_those_without() {
    let Some(lab) = lab_with_vlans("hosts_on_vlans_reach_each_other_and_those_without") else { return };
    join(&lab, Host::Left, "host0", 100, Some(("10.100.0", "2001:db8:100")));
    join(&lab, Host::Right, "host0", 200, None);
    join(&lab, Host::Right, "host0.200", 100, Some(("10.200.0", "2001:db8:200")));
    let ferryd = lab.start(&lab.config(VLANS));
    // Each from the network its tags name, to a tag around another, to no tag, and to ferry itself.
    for (from, to) in [
        ("10.100.0.10", "10.200.0.10"),
        ("2001:db8:100::10", "2001:db8:200::10"),
        ("10.100.0.10", "198.51.100.10"),
        ("192.0.2.10", "10.200.0.10"),
        ("10.100.0.10", "10.100.0.1"),
        ("10.100.0.10", "10.200.0.1"),
    ] {
        // What it is sent from says which network it is sent on.
        let on = if from.starts_with("192") { "host0" } else { "host0.100" };
        let gateway = match (on, from.contains(':')) {
            ("host0", _) => "192.0.2.1",
            (_, false) => "10.100.0.1",
            (_, true) => "2001:db8:100::1",
        };
        let length = if from.contains(':') { 128 } else { 32 };
        lab.on(Host::Left, &["ip", "route", "replace", &format!("{to}/{length}"), "via", gateway, "dev", on]);
        let back = format!("{from}/{length}");
        let (gateway, on) = match (to.contains("200"), from.contains(':')) {
            (true, true) => ("2001:db8:200::1", "host0.200.100"),
            (true, false) => ("10.200.0.1", "host0.200.100"),
            (false, _) => ("198.51.100.1", "host0"),
        };
        lab.on(Host::Right, &["ip", "route", "replace", &back, "via", gateway, "dev", on]);
        let ping = lab.on(Host::Left, &["ping", "-n", "-c", "3", "-i", "0.05", "-W", "20", "-I", from, to]);
        assert!(printed(&ping).contains(" 0% packet loss"), "{from} to {to}: {}\n{}", printed(&ping), ferryd.log());
    }
    let shown = ports(&lab);
    let names: Vec<_> = shown.iter().map(|port| port.ifname.as_str()).collect();
    assert_eq!(names, ["left", "right", "left.100", "left.101", "right.200.100"]);
    let [left, _right, on_100, on_101, around] = &shown[..] else { panic!("five ports") };
    assert_eq!(on_100.device, "vlan 100 on left");
    let vlan = around.vlan.as_ref().expect("it is one");
    assert_eq!((vlan.link.as_str(), vlan.protocol.as_str(), vlan.id), ("right", "802.1Q", 100));
    assert_eq!((vlan.outer_id, around.mtu, on_100.mtu), (Some(200), 1496, 1500));
    assert!(on_100.rx.packets > 0 && around.tx.packets > 0 && on_101.rx.packets == 0, "{shown:?}");
    assert!(left.rx.packets > on_100.rx.packets, "the device counts all");
}

#[test]
fn a_packet_too_long_for_the_vlan_it_leaves_by_is_reported_with_that_length() {
    let Some(lab) = lab_with_vlans("a_packet_too_long_for_the_vlan_it_leaves_by_is_reported_with_that_length") else {
        return;
    };
    join(&lab, Host::Right, "host0", 200, None);
    join(&lab, Host::Right, "host0.200", 100, Some(("10.200.0", "2001:db8:200")));
    for (to, gateway) in [("192.0.2.0/24", "10.200.0.1"), ("2001:db8:1::/64", "2001:db8:200::1")] {
        lab.on(Host::Right, &["ip", "route", "replace", to, "via", gateway, "dev", "host0.200.100"]);
    }
    let _ferryd = lab.start(&lab.config(VLANS));
    // As long as the link on the left carries, and two bytes longer than the VLAN on the right does.
    for (to, data, answer) in [("10.200.0.10", "1470", "mtu = 1496"), ("2001:db8:200::10", "1450", "mtu=1496")] {
        let ping = ["ping", "-n", "-c", "2", "-i", "0.2", "-W", "20", "-M", "do", "-s", data, to];
        let text = printed(&lab.on(Host::Left, &ping));
        assert!(text.contains(answer), "{text}");
    }
}

/// A host on VLAN 100 as scapy plays it: it makes itself known, and asks for an echo near and far.
const PLAY: &str = r#"
from scapy.all import *
conf.verb = 0
router = None
def ask(to, packet, of):
    frame = Ether(dst=to, src="02:00:00:00:01:64") / Dot1Q(vlan=100) / packet
    answer = srp1(frame, iface="host0", timeout=20)
    tags = [answer[Dot1Q].vlan] if answer is not None and Dot1Q in answer else None
    print(of.__name__, tags)
    return answer
arp = ask("ff:ff:ff:ff:ff:ff", ARP(op=1, hwsrc="02:00:00:00:01:64", psrc="10.100.0.10", pdst="10.100.0.1"), ARP)
router = arp[ARP].hwsrc
for far in ["10.100.0.1", "198.51.100.10"]:
    ask(router, IP(src="10.100.0.10", dst=far) / ICMP(id=7) / (b"x" * 32), ICMP)
"#;

#[test]
fn frames_with_tags_are_answered_with_the_same() {
    let Some(lab) = Lab::new("frames_with_tags_are_answered_with_the_same") else { return };
    let _ferryd = lab.start(&lab.config(VLANS));
    let played = lab.on(Host::Left, &["/usr/bin/python3", "-c", PLAY]);
    let text = printed(&played);
    let answers: Vec<_> = text.lines().filter(|line| line.contains("[100]")).collect();
    assert_eq!(answers.len(), 3, "one to each question, with the tag it was asked with: {text}");
    let ports = ports(&lab);
    let on = |name: &str| ports.iter().find(|port| port.ifname == name).unwrap();
    assert!(on("left.100").rx.packets >= 3 && on("left.100").tx.packets >= 3, "{ports:?}");
    assert_eq!(on("left.101").rx.packets, 0);
}

#[test]
fn what_leaves_by_a_vlan_within_another_has_both_tags() {
    let Some(lab) = Lab::new("what_leaves_by_a_vlan_within_another_has_both_tags") else { return };
    let _ferryd = lab.start(&lab.config(VLANS));
    let filter = "vlan 200 and vlan 100 and icmp";
    let capture = ["tcpdump", "-n", "-e", "-l", "--immediate-mode", "-i", "host0", "-c", "1", filter];
    let mut watching = lab.spawn_on(Host::Right, &capture);
    let seen = patiently(|| {
        lab.on(Host::Left, &["ping", "-n", "-c", "1", "-W", "1", "10.200.0.99"]);
        watching.try_wait().expect("our own child")
    });
    assert!(seen.is_some_and(|status| status.success()), "no packet with both tags arrived");
    let text = printed(&watching.wait_with_output().expect("our own child"));
    assert!(text.contains("vlan 200") && text.contains("vlan 100") && text.contains("> 02:00:00:00:99:99"), "{text}");
}
