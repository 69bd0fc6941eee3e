//! What surrounds ferryd fails: its log, its terminal, DPDK's files.

use std::fs::{self, File, OpenOptions};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use control_api::client::Client;
use control_api::{Reply, Request};
use tempfile::TempDir;

use crate::ferryd::{Ferryd, patiently, printed};
use crate::lab::Lab;

/// A ferryd between two devices that do nothing.
struct Idle(TempDir);

impl Idle {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            r#"
[api]
socket = "{}"

[[port]]
name = "left"
device = "net_null0,no-rx=1"
addresses = ["192.0.2.1/24"]
"#,
            folder.path().join("ferry.sock").display()
        );
        fs::write(folder.path().join("ferry.toml"), text).unwrap();
        Self(folder)
    }

    fn socket(&self) -> PathBuf {
        self.0.path().join("ferry.sock")
    }

    fn config(&self) -> PathBuf {
        self.0.path().join("ferry.toml")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ferryd"));
        command.args(arguments).arg("--config").arg(self.config()).stdin(Stdio::null());
        command
    }
}

fn full_disk() -> File {
    OpenOptions::new().write(true).open("/dev/full").expect("Linux has it")
}

#[test]
fn a_log_on_a_full_disk_does_not_end_the_forwarding() {
    let idle = Idle::new();
    let mut ferryd = idle.command(&[]).stderr(full_disk()).spawn().unwrap();
    let turns = || match Client::connect(&idle.socket(), Duration::from_secs(30)).ok()?.ask(&Request::Stats) {
        Ok(Reply::Stats(stats)) => Some(stats.workers[0].turns),
        _ => None,
    };
    let before = patiently(turns).expect("it starts");
    assert!(patiently(|| turns().filter(|after| *after > before)).is_some(), "and its worker turns");
    Command::new("kill").args(["-INT", &ferryd.id().to_string()]).status().unwrap();
    assert!(ferryd.wait().unwrap().success());
}

#[test]
fn an_answer_that_cannot_be_written_is_a_failure_and_no_panic() {
    let idle = Idle::new();
    let valid = idle.command(&["--check"]).stdout(full_disk()).output().unwrap();
    assert_eq!(valid.status.code(), Some(1));
    assert!(printed(&valid).starts_with("error: cannot write the answer: No space left"), "{}", printed(&valid));
    fs::write(idle.config(), "nonsense").unwrap();
    let invalid = idle.command(&["--check"]).stderr(full_disk()).output().unwrap();
    assert_eq!(invalid.status.code(), Some(1));
}

#[test]
fn ferryd_prints_its_man_page_and_completions_and_needs_no_configuration_for_it() {
    let printed_by = |argument: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_ferryd")).arg(argument).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(printed_by("--man").contains(".TH ferryd 8"));
    for shell in ["bash", "zsh", "fish"] {
        assert!(printed_by(&format!("--completion={shell}")).contains("check"), "{shell}");
    }
}

#[test]
fn a_terminal_that_is_closed_stops_ferryd_in_order() {
    let idle = Idle::new();
    let log = idle.config().with_file_name("log");
    let ferryd =
        format!("exec {} --config {} 2>{}", env!("CARGO_BIN_EXE_ferryd"), idle.config().display(), log.display());
    let mut terminal =
        Command::new("script").args(["-qec", &ferryd, "/dev/null"]).stdout(Stdio::null()).spawn().unwrap();
    let says = |what: &str| patiently(|| fs::read_to_string(&log).ok().filter(|log| log.contains(what)));
    assert!(says("forwarding").is_some());
    terminal.kill().unwrap();
    terminal.wait().unwrap();
    let said = says("received 0 =").expect("it stops");
    assert!(said.contains("stopping on SIGHUP"), "{said}");
    assert!(!idle.socket().exists());
}

#[test]
fn a_service_that_is_hung_up_reads_its_configuration_again() {
    let idle = Idle::new();
    let mut command = idle.command(&[]);
    // Of a session of its own, as a service is: without a terminal.
    let program = command.get_program().to_owned();
    let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    command = Command::new("setsid");
    command.arg(program).args(arguments);
    let ferryd = Ferryd::start(command);
    let sound = fs::read_to_string(idle.config()).unwrap();
    fs::write(idle.config(), format!("{sound}\n[[route]]\nto = \"10.0.0.0/8\"\nblackhole = true\n")).unwrap();
    ferryd.signal("HUP");
    let says = |what: &str| patiently(|| ferryd.log().contains(what).then_some(())).is_some();
    assert!(says("route 10.0.0.0/8: - -> blackhole"), "{}", ferryd.log());
    fs::write(idle.config(), format!("{sound}\nnonsense")).unwrap();
    ferryd.signal("HUP");
    assert!(says("running on as before:"), "{}", ferryd.log());
    ferryd.signal("INT");
    let (well, log) = ferryd.wait();
    assert!(well, "{log}");
}

#[test]
fn a_second_ferryd_touches_no_device() {
    let idle = Idle::new();
    let _first = Ferryd::start(idle.command(&[]));
    let second = idle.command(&[]).output().unwrap();
    assert!(!second.status.success());
    assert!(printed(&second).contains("is in use: another ferryd is running"), "{}", printed(&second));
    assert!(!printed(&second).contains("port left"), "{}", printed(&second));
}

/// In a namespace, where a mount is nobody else's.
#[test]
fn dpdk_without_its_drivers_is_said_with_what_to_install() {
    let Some(lab) = Lab::new("dpdk_without_its_drivers_is_said_with_what_to_install") else { return };
    let config = lab.config("");
    let empty = lab.folder().join("empty");
    fs::create_dir(&empty).unwrap();
    let hidden = format!(
        "for folder in /usr/lib/*/dpdk /usr/local/lib/*/dpdk /usr/lib64/dpdk; do \
         if [ -d $folder ]; then mount --bind {} $folder; fi; done; exec {} --config {}",
        empty.display(),
        env!("CARGO_BIN_EXE_ferryd"),
        config.display()
    );
    let refused = lab.in_the_middle(&["sh", "-c", &hidden]);
    let text = printed(&refused);
    assert_eq!(refused.status.code(), Some(1), "{text}");
    assert!(text.contains("DPDK found none of its plug-ins") && text.contains("apt install librte-meta-all"), "{text}");
}
