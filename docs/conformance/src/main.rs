//! What ferry is to do, line by line, beside the tests that hold it: `scripts/rfc-report` and `scripts/route-report`.
//!
//! ```text
//!   docs/rfc-conformance.md  --> items --------.
//!   every `.rs` file         --> marked tests --+--> report: passed, failed, decided or not covered
//!   cargo test's output      --> outcomes -----'
//! ```
//!
//! The lists are tables for people to read; a test says which lines of them it holds, by its name or by a mark above it
//! ([`marks`]). Nothing else knows of the two, so neither can promise what the other does not keep: a mark for a line that
//! does not exist is an error, and a line without a test is told.
//!
//! The tests that hold something are run, and only they; or the output of a run there was is read.

mod items;
mod marks;
mod outcomes;
mod report;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, ValueEnum};

use self::items::{Item, ItemError};
use self::marks::{MarkError, MarkedTest};
use self::outcomes::{Outcomes, RunError};
use self::report::Report;

/// Says which tests hold the lines of a list, and whether they pass; the status is 0 if nothing is missing.
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    /// Which list.
    list: List,
    /// As JSON.
    #[arg(long)]
    json: bool,
    /// Only what is not held, and the sum.
    #[arg(long)]
    summary: bool,
    /// Takes the outcomes from what `cargo test` printed, instead of running the tests.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// The repository.
    #[arg(long, value_name = "DIR", default_value = ".")]
    root: PathBuf,
}

/// A list of what is to be held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum List {
    /// What the RFCs ask of an IP forwarder.
    Rfc,
    /// What the BSD manual pages and kernels say of routes.
    Routes,
}

impl List {
    fn path(self) -> &'static str {
        match self {
            Self::Rfc => "docs/rfc-conformance.md",
            Self::Routes => "docs/route-conformance.md",
        }
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

/// Prints the report; whether nothing is missing.
fn run(options: &Options) -> Result<bool, Error> {
    let items = read_items(&options.root, options.list)?;
    let tests = marked_tests(&options.root, options.list, &items)?;
    let outcomes = match &options.report {
        Some(file) => Outcomes::read(file)?,
        None => Outcomes::run(&options.root, &tests)?,
    };
    let report = Report::new(&items, &tests, &outcomes);
    let text = if options.json { report.json() } else { report.text(options.summary) };
    // Who stops reading, as `head` does, has read enough.
    let _unheard = std::io::stdout().write_all(text.as_bytes());
    Ok(report.is_complete())
}

fn read_items(root: &Path, list: List) -> Result<Vec<Item>, Error> {
    let path = root.join(list.path());
    let text = std::fs::read_to_string(&path).map_err(|error| Error::List { path, error })?;
    Ok(items::parse(&text)?)
}

/// The tests that hold items of this list; a mark that names a line of neither list is an error.
fn marked_tests(root: &Path, list: List, items: &[Item]) -> Result<Vec<MarkedTest>, Error> {
    let other = if list == List::Rfc { List::Routes } else { List::Rfc };
    let other = read_items(root, other)?;
    let tests = marks::find(root)?;
    for test in &tests {
        let is_known = |id: &&String| items.iter().chain(&other).any(|item| item.id == **id);
        if let Some(id) = test.holds.iter().find(|id| !is_known(id)) {
            return Err(MarkError::Unknown { id: id.clone(), test: test.name.clone(), place: test.place() }.into());
        }
    }
    let is_held = |id: &String| items.iter().any(|item| item.id == *id);
    Ok(tests.into_iter().filter(|test| test.holds.iter().any(is_held)).collect())
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("cannot read the list `{}`: {error}; run this in the repository, or name it with --root", path.display())]
    List { path: PathBuf, error: std::io::Error },
    #[error(transparent)]
    Item(#[from] ItemError),
    #[error(transparent)]
    Mark(#[from] MarkError),
    #[error(transparent)]
    Run(#[from] RunError),
}
