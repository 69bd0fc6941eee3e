//! How tests ended, as `cargo test` tells.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Serialize;

use crate::marks::MarkedTest;

/// How a test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    Passed,
    /// It found something missing on this machine, and said so.
    Skipped,
    /// There was no word of it.
    NotRun,
    Failed,
}

/// How tests ended, by function.
///
/// Functions of one name in several places count as one, which is as good as the worst of them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcomes(HashMap<String, Outcome>);

impl Outcomes {
    /// Runs these tests and no others.
    pub(crate) fn run(root: &Path, tests: &[MarkedTest]) -> Result<Self, RunError> {
        let packages = tests.iter().map(|test| package(root, &test.file)).collect::<Result<BTreeSet<_>, _>>()?;
        let names: BTreeSet<_> = tests.iter().map(|test| test.name.as_str()).collect();
        let mut cargo = Command::new(std::env::var_os("CARGO").as_deref().unwrap_or_else(|| OsStr::new("cargo")));
        cargo.current_dir(root).args(["test", "--no-fail-fast"]);
        cargo.args(packages.iter().flat_map(|package| ["-p", package])).arg("--").args(names);
        let mut child =
            cargo.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(|error| RunError::Cargo { error })?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let told = std::thread::spawn(move || passed_on(stderr));
        let mut text = String::new();
        let read = stdout.map_or(Ok(0), |mut stdout| stdout.read_to_string(&mut text));
        read.map_err(|error| RunError::Cargo { error })?;
        text.push_str(&told.join().unwrap_or_default());
        child.wait().map_err(|error| RunError::Cargo { error })?;
        let outcomes = Self::parse(&text);
        if outcomes.0.is_empty() && !tests.is_empty() { Err(RunError::Nothing) } else { Ok(outcomes) }
    }

    /// What a run there was printed to `file`.
    pub(crate) fn read(file: &Path) -> Result<Self, RunError> {
        let refused = |error| RunError::Report { path: file.to_owned(), error };
        let bytes = std::fs::read(file).map_err(refused)?;
        Ok(Self::parse(&String::from_utf8_lossy(&bytes)))
    }

    pub(crate) fn of(&self, test: &MarkedTest) -> Outcome {
        self.0.get(&test.name).copied().unwrap_or(Outcome::NotRun)
    }

    /// What `text`, printed by a run, says.
    pub(crate) fn parse(text: &str) -> Self {
        let mut outcomes = Self::default();
        let mut begun: Option<&str> = None;
        for line in text.lines() {
            // `skipped: name: why`, which a test writes past what holds its output back.
            if let Some((_, skipped)) = line.split_once("skipped: ")
                && let Some((name, _why)) = skipped.split_once(": ")
            {
                outcomes.note(function(name), Outcome::Skipped);
            }
            let (name, end) = match line.strip_prefix("test ").and_then(|line| line.split_once(" ... ")) {
                Some((name, end)) => (Some(name), end),
                // Where tests run one at a time, what one writes stands between its name and its end.
                None => (begun.take(), line),
            };
            let Some(name) = name else { continue };
            match end.split([',', ' ']).next() {
                Some("ok") => outcomes.note(function(name), Outcome::Passed),
                Some("FAILED") => outcomes.note(function(name), Outcome::Failed),
                Some("ignored") => outcomes.note(function(name), Outcome::Skipped),
                _not_yet => begun = Some(name),
            }
        }
        outcomes
    }

    fn note(&mut self, name: &str, outcome: Outcome) {
        let noted = self.0.entry(name.to_owned()).or_insert(outcome);
        *noted = (*noted).max(outcome);
    }
}

/// The function in `module::function`, `module::function - should panic`, or
/// `file.rs - module::function (line 8) - compile fail`.
fn function(name: &str) -> &str {
    let name = name.split_once(" (line ").map_or(name, |(name, _)| name);
    let name = name.rsplit_once(".rs - ").map_or(name, |(_, name)| name);
    let name = name.split(" - ").next().unwrap_or(name);
    name.rsplit("::").next().unwrap_or(name)
}

/// The package a file belongs to.
fn package(root: &Path, file: &Path) -> Result<String, RunError> {
    for folder in file.ancestors().skip(1) {
        let Ok(manifest) = std::fs::read_to_string(root.join(folder).join("Cargo.toml")) else { continue };
        let name = manifest.lines().find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
        if let Some(name) = name {
            return Ok(name.to_owned());
        }
    }
    Err(RunError::NoPackage { file: file.to_owned() })
}

/// Passes on what cargo says on the way, and keeps it.
fn passed_on(stderr: Option<impl Read>) -> String {
    let mut kept = String::new();
    for line in stderr.into_iter().flat_map(|stderr| BufReader::new(stderr).lines()).map_while(Result::ok) {
        eprintln!("{line}");
        kept.push_str(&line);
        kept.push('\n');
    }
    kept
}

/// Why there are no outcomes.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    #[error("cannot run cargo: {error}; install Rust, or give the output of `cargo test` with --report")]
    Cargo { error: io::Error },
    #[error("no test was run: they did not build, see above")]
    Nothing,
    #[error("cannot read the report `{}`: {error}; it is what `cargo test` printed", path.display())]
    Report { path: PathBuf, error: io::Error },
    #[error("`{}` belongs to no package: no folder above it has a Cargo.toml with a name", file.display())]
    NoPackage { file: PathBuf },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(text: &str, name: &str) -> Outcome {
        Outcomes::parse(text).0.get(name).copied().unwrap_or(Outcome::NotRun)
    }

    #[test]
    fn a_test_is_known_by_its_function_wherever_it_is() {
        assert_eq!(outcome("test a::b::it_is_so ... ok", "it_is_so"), Outcome::Passed);
        assert_eq!(outcome("test it_is_so - should panic ... FAILED", "it_is_so"), Outcome::Failed);
        assert_eq!(
            outcome("test src/a.rs - a::not_twice (line 15) - compile fail ... ok", "not_twice"),
            Outcome::Passed
        );
        assert_eq!(outcome("test a::slow ... ignored, takes long", "slow"), Outcome::Skipped);
        assert_eq!(outcome("test a::other ... ok", "it_is_so"), Outcome::NotRun);
    }

    #[test]
    fn what_is_skipped_or_fails_in_one_place_has_not_passed() {
        let text = "skipped: it_is_so: this takes root\ntest a::it_is_so ... ok\n";
        assert_eq!(outcome(text, "it_is_so"), Outcome::Skipped);
        assert_eq!(outcome("test a::both ... FAILED\ntest b::both ... ok\n", "both"), Outcome::Failed);
    }

    #[test]
    fn what_a_test_prints_may_stand_before_its_end() {
        assert_eq!(outcome("test a::it_is_so ... some words\nok\n", "it_is_so"), Outcome::Passed);
    }
}
