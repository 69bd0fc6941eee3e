//! `ferry config`: the configuration that ferryd runs by, and another in its place.
//!
//! What a script wants to know of a configuration that is only looked at is in the exit code ([`DIFF_CODES`]).

use std::path::PathBuf;

use clap::{Args, Subcommand};
use control_api::{ConfigChange, ConfigChanges, ErrorKind, Reply, Request};

use crate::context::Context;
use crate::failure::Failure;
use crate::table::{Paint, Table, Tone, toned, word};

#[derive(Debug, Args)]
pub(crate) struct Config {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Let ferryd read its configuration again and run by it: all of it, or none if anything of it cannot be done.
    ///
    /// What the last configuration said and this one does not is taken back. What was asked for since, learnt, or told by a
    /// routing daemon stays; what it says and somebody has taken away comes back.
    #[command(after_help = DIFF_CODES)]
    Reload {
        /// The configuration; the one that ferryd was started with, if none is named.
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        /// Only say what would change, and what keeps it from changing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Show what a configuration would change, as `reload --dry-run`.
    #[command(after_help = DIFF_CODES)]
    Diff {
        /// The configuration; the one that ferryd was started with, if none is named.
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
}

impl Config {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let (file, dry_run) = match self.verb {
            Verb::Reload { file, dry_run } => (file, dry_run),
            Verb::Diff { file } => (file, true),
        };
        // ferryd stands in another folder.
        let file = file.map(|file| std::path::absolute(&file).unwrap_or(file).display().to_string());
        let Reply::Config(changes) = context.ask(&Request::ConfigReload { file, dry_run })? else {
            return Err(Failure::unexpected_answer());
        };
        context.say(&changes, |paint| shown(&changes, paint))?;
        match exit_code(&changes) {
            0 => Ok(()),
            news => Err(Failure::told_in_the_answer(news)),
        }
    }
}

/// Of a configuration that was only looked at, whether it can be reloaded.
fn exit_code(told: &ConfigChanges) -> u8 {
    match told {
        ConfigChanges { applied: true, .. } => 0,
        ConfigChanges { restart, .. } if !restart.is_empty() => ErrorKind::RestartNeeded.exit_code(),
        ConfigChanges { changes, .. } if !changes.is_empty() => DIFFERS,
        ConfigChanges { .. } => 0,
    }
}

/// What `diff` exits with when there is something to reload.
pub(crate) const DIFFERS: u8 = 12;

const DIFF_CODES: &str = "\
Exit codes of `diff` and `reload --dry-run`:
   0  nothing would change
  12  something would change, and `reload` does it
   8  something would change that only a start can: `reload` refuses it
others as in `ferry --help`: 3 for a file with mistakes, 4 for one that is in the way of what somebody has asked for";

fn shown(told: &ConfigChanges, paint: Paint) -> String {
    let ConfigChanges { file, applied, changes, restart } = told;
    let mut text = match (applied, changes.len() + restart.len()) {
        (true, 0) => format!("{file}: nothing has changed\n"),
        (false, 0) => format!("{file}: nothing would change\n"),
        (true, _) => format!("{file}: ferryd runs by it\n"),
        (false, _) => format!("{file}: nothing has changed yet\n"),
    };
    text.push_str(&table(changes, paint));
    if !restart.is_empty() {
        text.push_str("ferryd has to be started anew for this, and reloads none of it before:\n");
        text.push_str(&table(restart, paint));
    }
    text
}

fn table(changes: &[ConfigChange], paint: Paint) -> String {
    if changes.is_empty() {
        return String::new();
    }
    let mut table = Table::new(["", "what", "was", "is"]);
    for ConfigChange { what, old, new } in changes {
        let sign = match (old, new) {
            (None, Some(_)) => toned("+", Tone::Good),
            (Some(_), None) => toned("-", Tone::Bad),
            (Some(_), Some(_)) | (None, None) => toned("~", Tone::Doubtful),
        };
        let side = |side: &Option<String>| word(side.clone().unwrap_or_default());
        table.row([sign, word(what.clone()), side(old), side(new)]);
    }
    table.render(paint)
}
