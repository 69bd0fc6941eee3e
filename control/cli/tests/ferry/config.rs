//! `ferry config`: what is asked, what a person and a program read, and the exit code by which a script decides.

use control_api::*;

use crate::{Ferryd, Said};

fn change(what: &str, old: Option<&str>, new: Option<&str>) -> ConfigChange {
    ConfigChange { what: what.to_owned(), old: old.map(str::to_owned), new: new.map(str::to_owned) }
}

fn told(applied: bool, changes: &[ConfigChange], restart: &[ConfigChange]) -> Reply {
    let (changes, restart) = (changes.to_vec(), restart.to_vec());
    Reply::Config(ConfigChanges { file: "/etc/ferry.toml".to_owned(), applied, changes, restart })
}

fn exit(code: i32, stdout: &str) -> Said {
    Said { exit_code: code, ..Said::printed(stdout) }
}

#[test]
fn the_words_become_the_request_they_mean_and_a_file_is_named_from_where_the_person_stands() {
    let here = std::env::current_dir().unwrap().join("new.toml").display().to_string();
    let asked = |file: Option<&str>, dry_run| Request::ConfigReload { file: file.map(str::to_owned), dry_run };
    for (line, request) in [
        ("config reload", asked(None, false)),
        ("config reload --dry-run", asked(None, true)),
        ("config diff", asked(None, true)),
        ("config reload new.toml", asked(Some(&here), false)),
        ("config diff /etc/ferry.toml", asked(Some("/etc/ferry.toml"), true)),
    ] {
        let ferryd = Ferryd::that_says(Err(ApiError::new(ErrorKind::Busy, "an actor")));
        ferryd.told(line);
        assert_eq!(ferryd.asked.recv().unwrap(), request, "ferry {line}");
    }
}

#[test]
fn the_exit_code_of_a_diff_says_whether_there_is_a_difference_and_whether_it_can_be_reloaded() {
    let reloadable = [change("route 10.0.0.0/8", None, Some("via 192.0.2.2 dev left"))];
    let restart = [change("[[worker]]", Some("core 0"), Some("core 1"))];
    let route = "   what              was  is\n+  route 10.0.0.0/8       via 192.0.2.2 dev left\n";
    let worker = "ferryd has to be started anew for this, and reloads none of it before:\n   \
                  what        was     is\n~  [[worker]]  core 0  core 1\n";
    for line in ["config diff", "config reload --dry-run"] {
        for (answer, said) in [
            (told(false, &[], &[]), exit(0, "/etc/ferry.toml: nothing would change\n")),
            (told(false, &reloadable, &[]), exit(12, &format!("/etc/ferry.toml: nothing has changed yet\n{route}"))),
            (told(false, &[], &restart), exit(8, &format!("/etc/ferry.toml: nothing has changed yet\n{worker}"))),
            (
                told(false, &reloadable, &restart),
                exit(8, &format!("/etc/ferry.toml: nothing has changed yet\n{route}{worker}")),
            ),
        ] {
            assert_eq!(Ferryd::that_says(Ok(answer)).told(line), said, "ferry {line}");
        }
    }
}

#[test]
fn a_reload_that_was_done_is_no_failure_whatever_it_changed() {
    let gone = [change("route 10.0.0.0/8", Some("blackhole"), None)];
    let text =
        "/etc/ferry.toml: ferryd runs by it\n   what              was        is\n-  route 10.0.0.0/8  blackhole\n";
    assert_eq!(Ferryd::that_says(Ok(told(true, &gone, &[]))).told("config reload"), exit(0, text));
    let nothing = "/etc/ferry.toml: nothing has changed\n";
    assert_eq!(Ferryd::that_says(Ok(told(true, &[], &[]))).told("config reload"), exit(0, nothing));
}

#[test]
fn a_program_reads_the_same_in_one_line_and_the_same_exit_code() {
    let restart = [change("port left: fib", Some("0"), Some("1"))];
    let json = concat!(
        r#"{"file":"/etc/ferry.toml","applied":false,"changes":[],"#,
        r#""restart":[{"what":"port left: fib","old":"0","new":"1"}]}"#,
        "\n"
    );
    assert_eq!(Ferryd::that_says(Ok(told(false, &[], &restart))).told("config diff --json"), exit(8, json));
    let json = concat!(r#"{"file":"/etc/ferry.toml","applied":false,"changes":[]}"#, "\n");
    assert_eq!(Ferryd::that_says(Ok(told(false, &[], &[]))).told("-j config diff"), exit(0, json));
}

#[test]
fn a_file_with_mistakes_is_shown_as_ferryd_sees_it() {
    let refused = ApiError::new(ErrorKind::Invalid, "there is a mistake").with_picture("  x a picture\n".to_owned());
    let ferryd = Ferryd::that_says(Err(refused));
    assert_eq!(ferryd.told("config reload"), Said::failed(3, "  x a picture\n"));
    let json = "{\"error\":{\"kind\":\"invalid\",\"message\":\"there is a mistake\"}}\n";
    assert_eq!(ferryd.told("config diff -j"), exit(3, json));
}

#[test]
fn what_to_do_with_the_configuration_has_to_be_said() {
    let said = Said::of(&mut crate::ferry("config"));
    assert!(said.exit_code == 2 && said.stderr.contains("reload") && said.stderr.contains("diff"), "{said:?}");
    let help = Said::of(&mut crate::ferry("config diff --help")).stdout;
    assert!(help.contains("Exit codes of `diff`") && help.contains("  12  "), "{help}");
}
