//! What a package has beside the tool: completions and man pages, made by the tool itself.

use crate::{Said, ferry};

#[test]
fn each_shell_gets_what_it_completes_commands_by() {
    for shell in ["bash", "zsh", "fish"] {
        let said = Said::of(&mut ferry(&format!("completion {shell}")));
        assert!(said.exit_code == 0 && said.stderr.is_empty(), "{shell}: {said:?}");
        for word in ["monitor", "route", "json"] {
            assert!(said.stdout.contains(word), "{shell} does not know `{word}`");
        }
    }
    let json = Said::of(&mut ferry("completion bash --json")).stdout;
    assert!(json.starts_with("{\"script\":") && json.lines().count() == 1, "{json}");
    let said = Said::of(&mut ferry("completion csh"));
    assert!(said.exit_code == 2 && said.stderr.contains("possible values: bash"), "{said:?}");
}

#[test]
fn every_command_has_a_man_page() {
    let directory = tempfile::tempdir().unwrap();
    let into = directory.path().join("man1");
    let said = Said::of(ferry("man").arg(&into));
    assert_eq!((said.exit_code, said.stderr.as_str()), (0, ""));
    for page in ["ferry.1", "ferry-route.1", "ferry-route-add.1", "ferry-worker-map-set.1", "ferry-config-diff.1"] {
        assert!(said.stdout.contains(&format!("{}\n", into.join(page).display())), "{page}: {}", said.stdout);
        let text = std::fs::read_to_string(into.join(page)).unwrap();
        assert!(text.contains(".TH") && text.contains(".SH SYNOPSIS"), "{page}: {text}");
    }
    assert!(std::fs::read_to_string(into.join("ferry.1")).unwrap().contains("Exit codes"));
    assert!(!said.stdout.contains("-help"), "{}", said.stdout);
    let said = Said::of(&mut ferry("man /proc/here --json"));
    assert!(said.exit_code == 1 && said.stdout.contains("cannot be written into `/proc/here`"), "{said:?}");
}
