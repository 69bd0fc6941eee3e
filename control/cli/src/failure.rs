//! Why a command did not do what it was told: said to a person or a program, and in the exit code.

use std::io::{IsTerminal, Write as _};
use std::process::ExitCode;

use clap::error::ErrorKind as ClapKind;
use control::config::{ConfigError, Mistake};
use control_api::{ApiError, ErrorKind};
use serde::Serialize;

use crate::context;

/// A command that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Failure {
    kind: String,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    #[serde(skip)]
    exit_code: u8,
    /// What a person sees in place of the message, where words alone do not show it.
    #[serde(skip)]
    picture: Option<String>,
    /// Whether standard output has its one line of JSON already.
    #[serde(skip)]
    answered: bool,
}

impl Failure {
    /// A failure of some kind: the name in its JSON, and the exit code.
    pub(crate) fn new(kind: &str, exit_code: u8, message: impl Into<String>) -> Self {
        Self { kind: kind.to_owned(), message: message.into(), hint: None, exit_code, picture: None, answered: false }
    }

    /// A command line that makes no sense.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new("usage", USAGE, message)
    }

    /// What nobody expected.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal.name(), ErrorKind::Internal.exit_code(), message)
    }

    /// An answer to another question.
    pub(crate) fn unexpected_answer() -> Self {
        Self::internal("ferryd answered another question than the one it was asked")
    }

    /// A configuration with mistakes: to a person each in its line, to a program each in words.
    pub(crate) fn of_a_config(error: &ConfigError) -> Self {
        let place = |mistake: &Mistake| format!("; line {}, column {}: {mistake}", mistake.line(), mistake.column());
        let mistakes: String = error.all().iter().map(place).collect();
        let kind = ErrorKind::Invalid;
        let failure = Self::new(kind.name(), kind.exit_code(), format!("{error}{mistakes}"));
        Self { picture: Some(error.report(std::io::stderr().is_terminal())), ..failure }
    }

    /// The same in the line of a file.
    pub(crate) fn in_line(self, number: usize) -> Self {
        Self { message: format!("line {number}: {}", self.message), ..self }
    }

    /// The same of a command that has printed an answer all the same.
    pub(crate) fn after_an_answer(self) -> Self {
        Self { answered: true, ..self }
    }

    /// The same with what to do about it.
    pub(crate) fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// An answer that was printed, and whose exit code is news itself: nothing more is said.
    pub(crate) fn told_in_the_answer(exit_code: u8) -> Self {
        Self { picture: Some(String::new()), ..Self::new("told", exit_code, "see the answer") }.after_an_answer()
    }

    /// What to do about it.
    #[cfg(test)]
    pub(crate) fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Says it, and gives the code to exit with.
    pub(crate) fn report(&self, json: bool) -> ExitCode {
        if json && !self.answered {
            let line = serde_json::to_string(&Said { error: self }).expect("a structure of text is JSON");
            // The exit code says it as well, to whoever cannot be told.
            let _unheard = context::print(&format!("{line}\n"));
        } else {
            let _unheard = std::io::stderr().write_all(self.text().as_bytes());
        }
        ExitCode::from(self.exit_code)
    }

    /// How a person reads it.
    fn text(&self) -> String {
        let help = self.hint.as_ref().map(|hint| format!("  help: {hint}\n")).unwrap_or_default();
        self.picture.clone().unwrap_or_else(|| format!("ferry: {}\n{help}", self.message))
    }
}

/// How a program reads it.
#[derive(Serialize)]
struct Said<'f> {
    error: &'f Failure,
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        let ApiError { kind, message, hint, picture } = error;
        Self { hint, picture, ..Self::new(kind.name(), kind.exit_code(), message) }
    }
}

/// Says what clap has to say: help where it was asked for, and otherwise what is wrong with the command line.
pub(crate) fn of_the_command_line(error: &clap::Error) -> ExitCode {
    let is_help = matches!(error.kind(), ClapKind::DisplayHelp | ClapKind::DisplayVersion);
    // There are no parsed arguments to ask.
    let wants_json = std::env::args_os().any(|arg| arg == "-j" || arg == "--json");
    if !is_help && wants_json {
        return Failure::usage(first_paragraph(error)).with_hint("see `ferry --help`").report(true);
    }
    let _unheard = error.print();
    if is_help { ExitCode::SUCCESS } else { ExitCode::from(USAGE) }
}

/// What is wrong, without the usage that follows for people.
fn first_paragraph(error: &clap::Error) -> String {
    if error.kind() == ClapKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return "the command is missing".to_owned();
    }
    let text = error.to_string();
    let lines: Vec<_> = text.lines().take_while(|line| !line.is_empty()).map(str::trim).collect();
    let paragraph = lines.join(" ");
    paragraph.strip_prefix("error: ").unwrap_or(&paragraph).to_owned()
}

const USAGE: u8 = 2;
