//! `ferry-bench` and the devices it starts, for a moment and at rates that any machine carries: what is measured is that
//! measuring works, not the machine.

use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// Runs `ferry-bench` with a ferryd that was built beside it; none of it if there is no such, or no right to use it.
fn ferry_bench(test: &str, arguments: &[&str]) -> Option<Output> {
    let program = Path::new(env!("CARGO_BIN_EXE_ferry-bench"));
    let ferryd = program.with_file_name("ferryd");
    let lacks = if !ferryd.exists() {
        "ferryd is not built; cargo build -p dataplane does it"
    } else if !rustix::process::geteuid().is_root() {
        "another core than the caller's takes root"
    } else if std::thread::available_parallelism().map_or(1, std::num::NonZero::get) < 2 {
        "there is one core for the device and the generator"
    } else {
        return Some(Command::new(program).args(arguments).arg("--ferryd").arg(ferryd).output().unwrap());
    };
    // Not by `eprintln!`, which a test's harness keeps to itself.
    let _unheard = writeln!(io::stderr(), "skipped: {test}: {lacks}");
    None
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn rfc_177_recovery_from_overload_is_measured_and_told() {
    let arguments = "rfc2544 --dut ferry --clear-core=false --most 2000 --scale 0.05 --again 0 \
                     --overload 0.5 --only recovery --json";
    let arguments: Vec<&str> = arguments.split(' ').collect();
    let Some(output) = ferry_bench("recovery", &arguments) else { return };
    let figures = &json(&output)["findings"][0];
    let recovery = &figures["recovery"];
    let ndr = figures["ndr"]["lower"].as_f64().expect("a rate without loss");
    let close = |value: &Value, part: f64| (value.as_f64().unwrap() / ndr - part).abs() < 1e-9;
    assert!(close(&recovery["overload"], 1.1) && close(&recovery["then"], 0.5), "{figures:#}");
    assert!(recovery["milliseconds"].as_f64().unwrap() >= 0.0, "{figures:#}");
}

#[test]
fn routes_change_while_a_load_goes_on() {
    let arguments = "churn --clear-core=false --ndr 2000 --updates 500 --reloads 10 --routes 100 \
                     --seconds 1 --rounds 1 --again 0 --json";
    let arguments: Vec<&str> = arguments.split(' ').collect();
    let Some(output) = ferry_bench("churn", &arguments) else { return };
    let figures = json(&output);
    let [without, with] = &figures["slices"].as_array().unwrap()[..] else { panic!("two slices: {figures:#}") };
    assert_eq!((&without["with_churn"], &with["with_churn"]), (&Value::Bool(false), &Value::Bool(true)));
    let finding = &figures["findings"][0];
    assert_eq!(finding["pairs"], 1);
    assert!((0.0..=1.0).contains(&finding["chance"].as_f64().unwrap()), "{figures:#}");
    assert_eq!(without["done"]["updates"], 0);
    assert!(with["done"]["updates"].as_u64().unwrap() > 0, "{figures:#}");
    assert!(with["done"]["scrapes"].as_u64().unwrap() > 0, "{figures:#}");
    assert!(with["done"]["reloads"].as_u64().unwrap() > 0, "{figures:#}");
    assert!(with["load"]["received"].as_u64().unwrap() > 0, "{figures:#}");
}

#[test]
fn a_device_that_is_killed_under_a_load_and_started_again_forwards_again() {
    let arguments = "rfc2544 --dut ferry --clear-core=false --most 2000 --scale 0.05 --again 0 --only reset \
                     --ends generator-vhost --reset 10 --json";
    let arguments: Vec<&str> = arguments.split(' ').collect();
    let Some(output) = ferry_bench("reset", &arguments) else { return };
    let reset = &json(&output)["findings"][0]["reset"];
    assert_eq!(reset["recovered"], true, "{reset:#}");
    assert!(reset["milliseconds"].as_f64().unwrap() > 0.0, "{reset:#}");
}

#[test]
fn a_device_is_started_again_only_over_links_that_survive_it() {
    let Some(output) = ferry_bench("reset", &["rfc2544", "--only", "reset"]) else { return };
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("--ends generator-vhost"), "{said}");
}

#[test]
fn ferryd_does_with_every_packet_of_a_capture_what_the_model_says() {
    let pcaps = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pcaps");
    let (config, capture) = (pcaps.join("replay.toml"), pcaps.join("mixed.pcap"));
    let (config, input) = (config.display().to_string(), format!("left={}", capture.display()));
    let arguments =
        ["replay", "--config", &config, "--input", &input, "--speed", "10", "--assume-neighbours", "--json"];
    let Some(output) = ferry_bench("replay", &arguments) else { return };
    let figures = json(&output);
    assert_eq!(figures["agrees"], true, "{figures:#}");
    assert!(figures["forwarded"]["said"].as_u64().unwrap() > 0, "{figures:#}");
    assert_eq!(figures["forwarded"]["said"], figures["forwarded"]["done"], "{figures:#}");
}
