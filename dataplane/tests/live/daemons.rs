//! FRR's zebra tells ferryd its routes, is killed, and comes back, while packets go by them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use control_api::{Fpm, FpmState, Reply, Request};

use crate::ferryd::{patiently, printed};
use crate::lab::{Host, Lab};

/// A daemon of FRR's, which runs as long as this is held.
struct Frr {
    child: Child,
}

impl Frr {
    const FOLDER: &str = "/usr/lib/frr";

    /// Starts one in a namespace with these lines of configuration.
    fn start(lab: &Lab, namespace: &str, daemon: &str, arguments: &[&str], config: &str) -> Self {
        let file = |kind: &str| lab.folder().join(format!("{daemon}.{kind}"));
        fs::write(file("conf"), config).expect("the test's own folder takes files");
        let [program, conf, pid] = [PathBuf::from(Self::FOLDER).join(daemon), file("conf"), file("pid")]
            .map(|path| path.display().to_string());
        // Where zebra and others find each other, and a person finds them.
        let zserv = lab.folder().join("zserv.api").display().to_string();
        let vty = lab.folder().display().to_string();
        let common = [&program, "-f", &conf, "-i", &pid, "-z", &zserv, "--vty_socket", &vty, "-P", "0"];
        let log = fs::File::create(file("log")).expect("the test's own folder takes files");
        let child = lab
            .command(namespace, &[&common[..], &["--log", "stdout"], arguments].concat())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file can be had twice"))
            .stderr(log)
            .spawn()
            .expect("`ip` is there, or the lab would not be");
        Self { child }
    }

    /// As `kill -9` does.
    fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it was started here");
    }
}

impl Drop for Frr {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _already_waited_for = self.child.wait();
    }
}

fn has_frr(test: &str) -> bool {
    let has = PathBuf::from(Frr::FOLDER).join("zebra").exists()
        && fs::read_dir("/usr/lib")
            .into_iter()
            .flatten()
            .flatten()
            .any(|folder| folder.path().join("frr/modules").join(MODULE).exists());
    if !has {
        let _unheard = std::io::Write::write_all(
            &mut std::io::stderr(),
            format!("skipped: {test}: there is no zebra with {MODULE} (frr)\n").as_bytes(),
        );
    }
    has
}

const MODULE: &str = "dplane_fpm_nl.so";

fn fpm(lab: &Lab) -> Fpm {
    match lab.ask(&Request::FpmShow) {
        Ok(Reply::Fpm(fpm)) => fpm,
        other => panic!("{other:?}"),
    }
}

/// A configuration that listens to a daemon, with these lines more about it, and has interfaces for it on both ports; and the
/// namespace of the daemon. The host on the right has networks that only the daemon's routes lead to.
fn prepare(lab: &Lab, more: &str) -> (PathBuf, String) {
    // FRR's daemons run as a user of their own, and put sockets and process ids there.
    fs::set_permissions(lab.folder(), fs::Permissions::from_mode(0o777)).expect("the folder is the test's own");
    let daemons = lab.daemons();
    // Longer than FRR's daemons take to look for their zebra again, which is ten seconds.
    let config = lab.config(&format!("\n[fpm]\nnetns = \"{daemons}\"\nquiet_seconds = 15\n{more}"));
    let mut text = fs::read_to_string(&config).unwrap();
    for (port, tap) in [("left", "zleft"), ("right", "zright")] {
        let with_tap = format!("iface={port}\"\ntap = \"{tap}\"\ntap_netns = \"{daemons}\"");
        text = text.replacen(&format!("iface={port}\""), &with_tap, 1);
    }
    fs::write(&config, text).unwrap();
    let right = lab.namespace(Host::Right);
    for address in ["10.90.1.1/32", "10.90.2.1/32", "2001:db8:901::1/128"] {
        let added = lab.command(&right, &["ip", "address", "add", address, "dev", "lo"]).output().unwrap();
        assert!(added.status.success(), "{}", printed(&added));
    }
    (config, daemons)
}

#[test]
fn zebra_is_killed_and_comes_back_and_no_packet_by_its_routes_is_lost() {
    let test = "zebra_is_killed_and_comes_back_and_no_packet_by_its_routes_is_lost";
    let Some(lab) = Lab::new(test).filter(|_lab| has_frr(test)) else { return };
    let (config, daemons) = prepare(&lab, "");
    let ferryd = lab.start(&config);
    let zebra = || Frr::start(&lab, &daemons, "zebra", &["-M", "dplane_fpm_nl"], "fpm address 127.0.0.1\n");
    let kept = "ip route 10.90.1.0/24 198.51.100.10\nipv6 route 2001:db8:901::/48 2001:db8:2::10\n";
    let staticd = |more: &str| Frr::start(&lab, &daemons, "staticd", &[], &format!("{kept}{more}"));
    let (first, statics) = (zebra(), staticd("ip route 10.90.2.0/24 198.51.100.10\n"));
    let logs = || {
        let of = |daemon| fs::read_to_string(lab.folder().join(format!("{daemon}.log"))).unwrap_or_default();
        format!("{:?}\n{}\n{}\n{}", fpm(&lab), of("zebra"), of("staticd"), ferryd.log())
    };
    let told = || (fpm(&lab).protocols.get("zstatic") == Some(&3)).then_some(());
    assert!(patiently(told).is_some(), "{}", logs());
    for to in ["10.90.1.1", "10.90.2.1", "2001:db8:901::1"] {
        let ping = || printed(&lab.on(Host::Left, &["ping", "-n", "-c", "2", "-i", "0.1", "-W", "1", to]));
        let heard = patiently(|| ping().contains(" 0% packet loss").then_some(()));
        assert!(heard.is_some(), "{to}: {}\n{}", ping(), logs());
    }

    let pings = ["10.90.1.1", "2001:db8:901::1"]
        .map(|to| lab.spawn_on(Host::Left, &["ping", "-n", "-i", "0.02", "-c", "1700", "-W", "2", to]));
    drop(statics);
    first.kill();
    let lost = || (fpm(&lab).state == FpmState::Lost).then_some(());
    assert!(patiently(lost).is_some(), "{}", logs());
    assert_eq!(fpm(&lab).stale, fpm(&lab).routes);
    // The kernel keeps what zebra told it, and zebra would find it there again.
    let _second = (zebra(), staticd(""));
    let settled = || {
        let fpm = fpm(&lab);
        (fpm.state == FpmState::Settled && fpm.stale == 0).then_some(())
    };
    assert!(patiently(settled).is_some(), "{}", logs());
    for ping in pings {
        let said = printed(&ping.wait_with_output().expect("it was started here"));
        assert!(said.contains("1700 received, 0% packet loss"), "{said}\n{}", logs());
    }
    assert!(fpm(&lab).counts["swept"] > 0, "{}", logs());
    let gone = lab.on(Host::Left, &["ping", "-n", "-c", "1", "-W", "2", "10.90.2.1"]);
    assert!(!gone.status.success(), "{}\n{}", printed(&gone), logs());
    ferryd.stop();
}

#[test]
fn ferryd_is_killed_and_forwards_by_zebra_s_routes_again_before_zebra_is_back() {
    let test = "ferryd_is_killed_and_forwards_by_zebra_s_routes_again_before_zebra_is_back";
    let Some(lab) = Lab::new(test).filter(|_lab| has_frr(test)) else { return };
    let saved = lab.folder().join("kept/fpm");
    let (config, daemons) = prepare(&lab, &format!("snapshot = \"{}\"\nsnapshot_seconds = 1\n", saved.display()));
    let ferryd = lab.start(&config);
    let zebra = || Frr::start(&lab, &daemons, "zebra", &["-M", "dplane_fpm_nl"], "fpm address 127.0.0.1\n");
    let kept = "ip route 10.90.1.0/24 198.51.100.10\nipv6 route 2001:db8:901::/48 2001:db8:2::10\n";
    let staticd = |more: &str| Frr::start(&lab, &daemons, "staticd", &[], &format!("{kept}{more}"));
    let (first, statics) = (zebra(), staticd("ip route 10.90.2.0/24 198.51.100.10\n"));
    let told = || (fpm(&lab).protocols.get("zstatic") == Some(&3)).then_some(());
    assert!(patiently(told).is_some(), "{:?}\n{}", fpm(&lab), ferryd.log());
    let ping = |to| lab.on(Host::Left, &["ping", "-n", "-c", "3", "-i", "0.2", "-W", "2", to]);
    let heard = |to| patiently(|| printed(&ping(to)).contains(" 0% packet loss").then_some(()));
    for to in ["10.90.1.1", "10.90.2.1", "2001:db8:901::1"] {
        assert!(heard(to).is_some(), "{to}: {}", ferryd.log());
    }
    let is_saved = || {
        let file = fs::read_to_string(&saved).unwrap_or_default();
        let parts =
            ["10.90.1.0/24 zstatic", "10.90.2.0/24 zstatic", "2001:db8:901::/48 zstatic", "neighbour 198.51.100.10"];
        parts.iter().all(|part| file.contains(part)).then_some(())
    };
    assert!(patiently(is_saved).is_some(), "{:?}\n{}", fs::read_to_string(&saved), ferryd.log());

    drop(statics);
    first.kill();
    ferryd.signal("KILL");
    let (well, _log) = ferryd.wait();
    assert!(!well);
    let ferryd = lab.start(&config);
    for to in ["10.90.1.1", "10.90.2.1", "2001:db8:901::1"] {
        let said = printed(&ping(to));
        assert!(said.contains(" 0% packet loss"), "{to}: {said}\n{}", ferryd.log());
    }
    let back = fpm(&lab);
    assert_eq!((back.state, back.stale, back.sessions), (FpmState::Lost, back.routes, 0), "{}", ferryd.log());
    assert!(back.counts["restored"] >= 3, "{back:?}");

    let _second = (zebra(), staticd(""));
    let settled = || {
        let fpm = fpm(&lab);
        (fpm.state == FpmState::Settled && fpm.stale == 0).then_some(())
    };
    assert!(patiently(settled).is_some(), "{:?}\n{}", fpm(&lab), ferryd.log());
    assert!(!ping("10.90.2.1").status.success(), "zebra did not tell it again");
    assert!(ping("10.90.1.1").status.success(), "{}", ferryd.log());
    ferryd.stop();
    let file = fs::read_to_string(&saved).unwrap();
    assert!(file.contains("10.90.1.0/24") && !file.contains("10.90.2.0/24"), "written at the end: {file}");
}
