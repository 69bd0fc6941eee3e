//! Two hosts in network namespaces of their own, with ferryd in a third between them.
//!
//! ```text
//! host left  192.0.2.10/24      <-veth->  port left   192.0.2.1/24
//!            2001:db8:1::10/64                        2001:db8:1::1/64
//! host right 198.51.100.10/24   <-veth->  port right  198.51.100.1/24
//!            2001:db8:2::10/64                        2001:db8:2::1/64
//! ```
//!
//! A lab is made for one test and gone with it, also when the test fails: dropping it ends ferryd and deletes the
//! namespaces. Making namespaces takes root and `ip`; without them a test says that it is skipped.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use control_api::client::Client;
use control_api::{ApiError, Reply, Request};
use tempfile::TempDir;

use crate::ferryd::{Ferryd, printed};

/// One side of ferryd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Host {
    Left,
    Right,
}

/// A network with nothing running in it yet.
pub(crate) struct Lab {
    /// Told apart by process, so that a lab left by a killed run is in nobody's way.
    id: String,
    folder: TempDir,
    /// One busy worker at a time is as many as a small machine carries.
    _alone: MutexGuard<'static, ()>,
}

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

impl Lab {
    /// A lab, or `None` with the reason printed where one cannot be made.
    pub(crate) fn new(test: &str) -> Option<Self> {
        let is_root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n");
        if !is_root || Command::new("ip").arg("-V").output().is_err() {
            // Not by `println!`, which a passing test keeps to itself.
            let _unheard = writeln!(io::stderr(), "skipped: {test}: network namespaces take root and iproute2");
            return None;
        }
        let alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let id = format!("ferry-test-{}", std::process::id());
        let lab = Self { id, folder: tempfile::tempdir().expect("a folder for a test's files"), _alone: alone };
        lab.remove();
        run(&["ip", "netns", "add", &lab.router()]);
        lab.wire(port_name(Host::Left), "192.0.2", "2001:db8:1");
        lab.wire(port_name(Host::Right), "198.51.100", "2001:db8:2");
        Some(lab)
    }

    /// Makes a namespace named for `port` with a host that has .10 of the network, and a link from it to that interface
    /// where ferryd runs.
    pub(crate) fn wire(&self, port: &str, network: &str, network6: &str) -> String {
        let (namespace, router) = (self.namespace_for(port), self.router());
        run(&["ip", "-n", &namespace, "link", "add", "host0", "type", "veth", "peer", "name", port, "netns", &router]);
        // A software port reads frames before a checksum offload would have filled them in, and takes no larger ones.
        for (namespace, interface) in [(&namespace, "host0"), (&router, port)] {
            let offloads = ["tx", "off", "tso", "off", "gso", "off", "gro", "off"];
            run(&[&["ip", "netns", "exec", namespace, "ethtool", "-K", interface][..], &offloads].concat());
        }
        // The kernel's own IPv6 must not speak on ferryd's links.
        run(&["ip", "-n", &router, "link", "set", port, "addrgenmode", "none"]);
        run(&["ip", "-n", &router, "link", "set", port, "up"]);
        run(&["ip", "-n", &namespace, "link", "set", "host0", "up"]);
        run(&["ip", "-n", &namespace, "address", "add", &format!("{network}.10/24"), "dev", "host0"]);
        run(&["ip", "-n", &namespace, "address", "add", &format!("{network6}::10/64"), "dev", "host0", "nodad"]);
        run(&["ip", "-n", &namespace, "route", "add", "default", "via", &format!("{network}.1")]);
        run(&["ip", "-n", &namespace, "route", "add", "default", "via", &format!("{network6}::1")]);
        namespace
    }

    /// The configuration that fits the lab, with `more` behind it.
    pub(crate) fn config(&self, more: &str) -> PathBuf {
        let path = self.folder.path().join("ferry.toml");
        let text = format!(
            r#"
[api]
socket = "{socket}"

[[port]]
name = "left"
device = "net_af_packet0,iface=left"
addresses = ["192.0.2.1/24", "2001:db8:1::1/64"]

[[port]]
name = "right"
device = "net_af_packet1,iface=right"
addresses = ["198.51.100.1/24", "2001:db8:2::1/64"]
{more}
"#,
            socket = self.socket().display()
        );
        fs::write(&path, text).expect("the test's own folder takes files");
        path
    }

    /// Starts ferryd on `config` in the middle; returns once it forwards.
    pub(crate) fn start(&self, config: &Path) -> Ferryd {
        // `ip netns exec` becomes ferryd, so that a signal to the one is for the other.
        Ferryd::start(self.command(&self.router(), &[env!("CARGO_BIN_EXE_ferryd"), "--config", path_text(config)]))
    }

    /// Runs a command on a host to its end.
    pub(crate) fn on(&self, host: Host, command: &[&str]) -> Output {
        self.command(&self.namespace(host), command).output().expect("`ip` is there, or the lab would not be")
    }

    /// Starts a command on a host and leaves it running, with its output piped.
    pub(crate) fn spawn_on(&self, host: Host, command: &[&str]) -> Child {
        self.command(&self.namespace(host), command)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("`ip` is there, or the lab would not be")
    }

    /// Runs a command where ferryd runs, to its end.
    pub(crate) fn in_the_middle(&self, command: &[&str]) -> Output {
        self.command(&self.router(), command).output().expect("`ip` is there, or the lab would not be")
    }

    /// Runs `ferryd` with `arguments` in the middle to its end.
    pub(crate) fn ferryd(&self, arguments: &[&str]) -> Output {
        self.in_the_middle(&[&[env!("CARGO_BIN_EXE_ferryd")], arguments].concat())
    }

    /// Asks the running ferryd.
    pub(crate) fn ask(&self, request: &Request) -> Result<Reply, ApiError> {
        Client::connect(&self.socket(), Duration::from_secs(30))?.ask(request)
    }

    /// Where ferryd listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("ferry.sock")
    }

    /// A place for files of the test.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A command in a namespace of the lab.
    pub(crate) fn command(&self, namespace: &str, command: &[&str]) -> Command {
        let mut all = Command::new("ip");
        all.args(["netns", "exec", namespace]).args(command);
        all
    }

    /// A namespace beside the hosts', for daemons on interfaces of ferryd's.
    pub(crate) fn daemons(&self) -> String {
        self.namespace_for("daemons")
    }

    /// One more namespace, which goes with the lab.
    pub(crate) fn namespace_for(&self, whom: &str) -> String {
        let namespace = format!("{}-{whom}", self.id);
        run(&["ip", "netns", "add", &namespace]);
        run(&["ip", "-n", &namespace, "link", "set", "lo", "up"]);
        namespace
    }

    pub(crate) fn namespace(&self, host: Host) -> String {
        format!("{}-{}", self.id, port_name(host))
    }

    pub(crate) fn router(&self) -> String {
        format!("{}-router", self.id)
    }

    fn remove(&self) {
        let all = fs::read_dir("/run/netns").into_iter().flatten().flatten();
        let all = all.map(|entry| entry.file_name().to_string_lossy().into_owned());
        for namespace in all.filter(|name| name.starts_with(&format!("{}-", self.id))) {
            let inside = Command::new("ip").args(["netns", "pids", &namespace]).output();
            for process in inside.iter().flat_map(|found| found.stdout.split(|byte| *byte == b'\n')) {
                if let Ok(process @ [_, ..]) = std::str::from_utf8(process).map(str::as_bytes) {
                    let process = String::from_utf8_lossy(process).into_owned();
                    let _already_gone = Command::new("kill").args(["-9", &process]).output();
                }
            }
            let _not_there = Command::new("ip").args(["netns", "delete", &namespace]).output();
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.remove();
    }
}

pub(crate) fn run(command: &[&str]) {
    let output = Command::new(command[0]).args(&command[1..]).output().expect("a command every lab needs");
    assert!(output.status.success(), "{command:?}: {}", printed(&output));
}

fn path_text(path: &Path) -> &str {
    path.to_str().expect("a test's folder has a plain name")
}

fn port_name(host: Host) -> &'static str {
    match host {
        Host::Left => "left",
        Host::Right => "right",
    }
}
