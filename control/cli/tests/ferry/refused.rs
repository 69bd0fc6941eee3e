//! What fails, what is said of it, and the exit code.

use std::process::Stdio;

use control_api::*;

use crate::answers::routes;
use crate::{Ferryd, Said, ferry};

#[test]
fn a_refusal_is_said_with_its_hint_and_in_the_exit_code() {
    let refusal = ApiError::new(ErrorKind::Exists, "there is a route to 10.0.0.0/8 already").with_hint("replace it");
    let ferryd = Ferryd::that_says(Err(refusal));
    let line = "route add 10.0.0.0/8 dev left";
    let text = "ferry: there is a route to 10.0.0.0/8 already\n  help: replace it\n";
    assert_eq!(ferryd.told(line), Said::failed(4, text));
    let json = concat!(
        r#"{"error":{"kind":"exists","message":"there is a route to 10.0.0.0/8 already","hint":"replace it"}}"#,
        "\n"
    );
    assert_eq!(ferryd.told(&format!("-j {line}")), Said { exit_code: 4, ..Said::printed(json) });
}

#[test]
fn where_no_ferryd_runs_it_says_so_and_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("ferry.sock");
    let shown = socket.display();
    let said = Said::of(ferry("stats").arg("--socket").arg(&socket));
    assert_eq!(
        said,
        Said::failed(
            10,
            &format!(
                "ferry: no ferryd is running at `{shown}`: there is no such socket\n  \
                 help: start it with `ferryd --config FILE`, or point at its socket with `--socket PATH`\n"
            )
        )
    );
    let said = Said::of(ferry("stats -j").arg("-s").arg(&socket));
    assert!(said.stdout.starts_with(r#"{"error":{"kind":"not_running""#) && said.exit_code == 10, "{said:?}");
    assert_eq!(said.stderr, "");
}

#[test]
fn the_version_of_who_asks_is_said_where_no_ferryd_runs_and_the_command_fails_all_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("ferry.sock");
    let said = Said::of(ferry("version").arg("--socket").arg(&socket));
    let version = format!("ferry {}, protocol {}\n", env!("CARGO_PKG_VERSION"), wire::VERSION);
    assert_eq!((said.stdout, said.exit_code), (version, 10));
    assert!(said.stderr.starts_with("ferry: no ferryd is running"), "{}", said.stderr);
    let said = Said::of(ferry("version -j").arg("--socket").arg(&socket));
    assert!(said.stdout.starts_with(r#"{"error":{"kind":"not_running""#) && said.exit_code == 10, "{said:?}");
}

#[test]
fn an_answer_that_is_none_is_reported() {
    for (line, message) in [
        ("", "hung up before it answered"),
        ("nonsense\n", "ferryd's answer makes no sense"),
        ("{\"version\":2,\"ok\":\"done\"}\n", "the answer is of version 2, and version 1 is spoken here"),
        ("{\"version\":1,\"ok\":\"done\"}\n", "ferryd answered another question than the one it was asked"),
        ("{\"version\":1}\n", "has neither `ok` nor `error`"),
    ] {
        let said = Ferryd::that_writes(line.to_owned()).told("stats");
        assert!(said.stderr.contains(message) && said.exit_code != 0, "{line}: {said:?}");
    }
}

#[test]
fn a_command_line_that_makes_no_sense_is_refused_before_anyone_is_asked() {
    for line in [
        "route add 10.0.0.1/8 dev left",
        "route add 10.0.0.0/8",
        "route get left",
        "route get 10.0.0.1/8",
        "route change 10.0.0.0/8",
        "route lock 10.0.0.0/8",
        "route lock 10.0.0.0/8 speed",
        "route show --fib 65536",
        "route replace 10.0.0.0/8 dev left mtu 1400",
        "neigh show dev",
        "neigh show left right",
        "-6 route add 10.0.0.0/8 dev left",
        "rout-e",
        "route ad 1 2 3 --fast",
        "-4 -6 route",
        "timer create short",
        "timer create Short 10",
        "timer create short -1",
        "timer create short 1.5",
        "timer change short 18446744073709551616",
        "timer add short",
        "timer add short 10.0.0.1/8",
        "-6 timer clear 10.0.0.0/8",
        "",
    ] {
        let said = Said::of(&mut ferry(line));
        assert!(said.exit_code == 2 && said.stdout.is_empty() && !said.stderr.is_empty(), "ferry {line}: {said:?}");
        let said = Said::of(&mut ferry(&format!("{line} --json")));
        assert!(said.stdout.starts_with(r#"{"error":{"kind":"usage","#), "ferry {line} --json: {said:?}");
        assert!(said.stderr.is_empty() && said.exit_code == 2, "ferry {line} --json: {said:?}");
    }
}

#[test]
fn help_is_no_failure_and_names_the_exit_codes() {
    let said = Said::of(&mut ferry("--help"));
    assert!(said.exit_code == 0 && said.stdout.contains("Exit codes:"), "{said:?}");
    assert!(Said::of(&mut ferry("route add --help")).stdout.contains("via GATEWAY [dev PORT]"));
}

#[test]
fn a_route_that_is_not_there_is_answered_with_how_one_is_written() {
    for (line, usage) in [
        (
            "route add",
            "ferry route add PREFIX via GATEWAY [dev PORT]\n       ferry route add PREFIX dev PORT [lladdr MAC]\n",
        ),
        ("route replace", "ferry route replace PREFIX via GATEWAY [dev PORT]\n"),
        ("route del", "ferry route del PREFIX [via GATEWAY] [dev PORT] [priority N] [pinned]\n"),
    ] {
        let said = Said::of(&mut ferry(line));
        assert!(said.exit_code == 2 && said.stderr.contains(&format!("Usage: {usage}")), "{said:?}");
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure_and_a_full_disk_is() {
    let Reply::Routes(some) = routes() else { unreachable!("it is what routes() makes") };
    let many = Reply::Routes(some.into_iter().cycle().take(20_000).collect());
    let ferryd = Ferryd::that_says(Ok(many));
    let mut child =
        ferry("route").arg("-s").arg(ferryd.socket()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");

    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = ferry("route").arg("-s").arg(ferryd.socket()).stdout(full).stderr(Stdio::piped()).spawn().unwrap();
    let output = output.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("ferry: cannot write the answer: No space left"));

    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let status = ferry("route get").arg("nonsense").stderr(full).status().unwrap();
    assert_eq!(status.code(), Some(2), "a failure that cannot be told is the same failure");
}

#[test]
fn a_replay_with_a_wrong_configuration_shows_the_line_to_people_and_names_it_to_programs() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("ferry.toml");
    std::fs::write(&config, "[[port]]\nname = \"left\"\ndevice = \"eth0\"\n").unwrap();
    let replay = |options: &str| {
        let mut command = ferry(&format!("{options} replay --input left=none.pcap --output"));
        Said::of(command.arg(directory.path().join("out")).arg("--config").arg(&config))
    };
    let said = replay("-4");
    assert!(said.stderr.contains("ferry.toml:3:10]\n") && said.stderr.contains("device = \"eth0\"\n"), "{said:?}");
    let said = replay("-j");
    assert!(said.stdout.contains("`; line 3, column 10: `eth0` is not a device of DPDK\"}}"), "{said:?}");
    assert_eq!((said.stderr.as_str(), said.exit_code), ("", 3));
}
