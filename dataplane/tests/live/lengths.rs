//! Packets up to jumbo length, and those that are too long for the way on, with the tools that find that out.

use std::fs;
use std::path::PathBuf;

use crate::ferryd::{Accounts, patiently, printed};
use crate::lab::{Host, Lab};

const RIGHT: [&str; 2] = ["198.51.100.10", "2001:db8:2::10"];

/// The lab's links with MTUs of their own, on hosts and in ferry.
fn with_mtus(lab: &Lab, left: u16, right: u16) -> PathBuf {
    let config = lab.config("");
    let mut text = fs::read_to_string(&config).unwrap();
    for (host, port, mtu) in [(Host::Left, "left", left), (Host::Right, "right", right)] {
        let command = ["ip", "link", "set", "host0", "mtu", &mtu.to_string()];
        assert!(lab.on(host, &command).status.success());
        let command = ["ip", "link", "set", port, "mtu", &mtu.to_string()];
        assert!(lab.in_the_middle(&command).status.success());
        let number = u8::from(host == Host::Right);
        // `net_af_packet` has no frames of jumbo length.
        let device = format!("net_pcap{number},rx_iface_in={port},tx_iface={port}\"\nmtu = {mtu}");
        text = text.replace(&format!("net_af_packet{number},iface={port}\""), &device);
    }
    fs::write(&config, text).unwrap();
    config
}

/// Lets everybody find each other, and the devices wake up.
fn meet(lab: &Lab) {
    for to in RIGHT {
        let met = patiently(|| ping(lab, to, 56, &[]).contains(" 0% packet loss").then_some(()));
        assert!(met.is_some(), "{to} is not there");
    }
}

fn ping(lab: &Lab, to: &str, data: usize, more: &[&str]) -> String {
    let data = data.to_string();
    let command = [&["ping", "-n", "-c", "3", "-i", "0.1", "-W", "20", "-s", &data][..], more, &[to]].concat();
    printed(&lab.on(Host::Left, &command))
}

#[test]
fn packets_of_jumbo_length_cross_whole() {
    let Some(lab) = Lab::new("packets_of_jumbo_length_cross_whole") else { return };
    let ferryd = lab.start(&with_mtus(&lab, 9000, 9000));
    meet(&lab);
    // As long as the links carry: 9000 bytes with the headers of IP and ICMP.
    for (to, data) in RIGHT.into_iter().zip([9000 - 28, 9000 - 48]) {
        let text = ping(&lab, to, data, &["-M", "do"]);
        assert!(text.contains(" 0% packet loss"), "{text}\n{}", ferryd.log());
    }
    assert!(Accounts::of(&ferryd.stop()).are_conserved());
}

// holds 061, 119
#[test]
fn a_jumbo_packet_to_a_link_of_ordinary_length_is_cut_or_reported() {
    let Some(lab) = Lab::new("a_jumbo_packet_to_a_link_of_ordinary_length_is_cut_or_reported") else { return };
    let ferryd = lab.start(&with_mtus(&lab, 9000, 1500));
    meet(&lab);
    let reported = [("mtu = 1500", 8000), ("mtu=1500", 8000)];
    for (to, (answer, data)) in RIGHT.into_iter().zip(reported) {
        let text = ping(&lab, to, data, &["-M", "do"]);
        assert!(text.contains(answer), "{text}");
    }
    let text = ping(&lab, RIGHT[0], 8000, &["-M", "dont"]);
    assert!(text.contains(" 0% packet loss"), "in pieces there, and the answer in pieces back: {text}");
    assert!(Accounts::of(&ferryd.stop()).are_conserved());
}

#[test]
fn tracepath_finds_the_least_length_of_the_way() {
    let Some(lab) = Lab::new("tracepath_finds_the_least_length_of_the_way") else { return };
    let _ferryd = lab.start(&with_mtus(&lab, 1500, 1400));
    meet(&lab);
    for (to, family) in RIGHT.into_iter().zip(["-4", "-6"]) {
        let found = patiently(|| {
            let traced = printed(&lab.on(Host::Left, &["tracepath", family, "-n", "-m", "4", to]));
            traced.contains("Resume: pmtu 1400").then_some(traced)
        });
        let found = found.unwrap_or_else(|| panic!("no path of 1400 bytes to {to}"));
        assert!(found.contains("reached"), "{found}");
    }
}
