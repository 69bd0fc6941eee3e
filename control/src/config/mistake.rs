//! What is wrong with a configuration, shown where it is wrong.

use std::fmt::{self, Display};
use std::io;
use std::ops::Range;
use std::sync::Arc;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};

use super::MAX_FILE_BYTES;

/// Why there is no [`super::Config`].
///
/// Its `Display` is one line; [`ConfigError::report`] is for the person who wrote the file.
#[derive(Debug)]
pub struct ConfigError(Box<Problem>);

#[derive(Debug)]
enum Problem {
    File { name: String, error: FileError },
    Mistakes { name: String, shown: Vec<Mistake>, count: usize },
}

impl ConfigError {
    pub(super) fn file(name: String, error: FileError) -> Self {
        Self(Box::new(Problem::File { name, error }))
    }

    /// The mistakes in `text`, in the order of their places.
    pub(super) fn mistakes(name: &str, text: &str, mut shown: Vec<Mistake>) -> Self {
        shown.sort_by_key(|mistake| mistake.0.at.start);
        let count = shown.len();
        shown.truncate(MOST_SHOWN);
        let source = Arc::new(NamedSource::new(name, text.to_owned()));
        for mistake in &mut shown {
            mistake.locate(text, &source);
        }
        Self(Box::new(Problem::Mistakes { name: name.to_owned(), shown, count }))
    }

    /// The mistakes in the file; none when it could not be read at all. The first few dozen, if there are more.
    pub fn all(&self) -> &[Mistake] {
        match &*self.0 {
            Problem::File { .. } => &[],
            Problem::Mistakes { shown, .. } => shown,
        }
    }

    /// Everything there is to say, each mistake with its line and a marker under it.
    pub fn report(&self, colour: bool) -> String {
        let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let handler = GraphicalReportHandler::new_themed(theme)
            .with_links(false)
            .with_width(REPORT_WIDTH)
            .with_wrap_lines(false)
            .with_context_lines(1);
        let mut report = String::new();
        for mistake in self.all() {
            // Writing to memory cannot fail, so only a defect of the renderer could: its message is still worth showing.
            if handler.render_report(&mut report, mistake).is_err() {
                report.push_str(&format!("{}:{} {mistake}", mistake.line(), mistake.column()));
            }
            report.push('\n');
        }
        report.push_str(&self.to_string());
        if let Problem::File { error, .. } = &*self.0 {
            report.push_str(&format!("\n  help: {}", error.hint()));
        }
        report.push('\n');
        report
    }
}

impl Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Problem::File { name, error } => write!(f, "cannot use the configuration `{name}`: {error}"),
            Problem::Mistakes { name, count: 1, .. } => write!(f, "there is a mistake in `{name}`"),
            Problem::Mistakes { name, shown, count } if *count > shown.len() => {
                write!(f, "there are {count} mistakes in `{name}`; these are the first {}", shown.len())
            }
            Problem::Mistakes { name, count, .. } => write!(f, "there are {count} mistakes in `{name}`"),
        }
    }
}

impl std::error::Error for ConfigError {}

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// There is none.
    #[error("there is no such file")]
    Missing,
    /// This user may not read it.
    #[error("this user may not read it")]
    PermissionDenied,
    /// It is a directory.
    #[error("it is a directory")]
    Directory,
    /// It is longer than any configuration.
    #[error("it is longer than {} MiB", MAX_FILE_BYTES >> 20)]
    TooLarge,
    /// It is not UTF-8.
    #[error("it is not UTF-8 text: line {line}, at byte {offset} of the file")]
    NotText {
        /// The line, counted from 1.
        line: usize,
        /// The byte, counted from 0.
        offset: usize,
    },
    /// Anything else.
    #[error("reading it failed: {0}")]
    Unreadable(io::Error),
}

impl FileError {
    fn hint(&self) -> &'static str {
        match self {
            Self::Missing => "check the path; the README has a configuration to start from",
            Self::PermissionDenied => "run as the user it belongs to, or allow others to read it",
            Self::Directory => "name the file in it",
            Self::TooLarge => "check the path: a configuration is a TOML file",
            Self::NotText { .. } => "save it as UTF-8",
            Self::Unreadable(_) => "check the path and the disk it is on",
        }
    }
}

/// One mistake, and its place. Small to pass on: what it says is behind a pointer.
#[derive(Debug, Clone)]
pub struct Mistake(Box<Said>);

#[derive(Debug, Clone)]
struct Said {
    message: String,
    at: Range<usize>,
    marker: String,
    also: Option<(Range<usize>, String)>,
    help: Option<String>,
    line: usize,
    column: usize,
    /// All of the file, shared by its mistakes.
    source: Option<Arc<NamedSource<String>>>,
}

impl Mistake {
    /// What is wrong at `at`, and what the marker there says.
    pub(super) fn new(at: Range<usize>, message: impl Into<String>, marker: impl Into<String>) -> Self {
        let (message, marker) = (message.into(), marker.into());
        Self(Box::new(Said { message, at, marker, also: None, help: None, line: 0, column: 0, source: None }))
    }

    /// The same with a sentence on what to write instead.
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// The same with a second place that has to do with it.
    pub(super) fn also(mut self, at: Range<usize>, marker: impl Into<String>) -> Self {
        self.0.also = Some((at, marker.into()));
        self
    }

    /// The line it is in, counted from 1.
    pub fn line(&self) -> usize {
        self.0.line
    }

    /// The character in the line where it begins, counted from 1.
    pub fn column(&self) -> usize {
        self.0.column
    }

    /// Finds its line and column, and keeps its places inside the text.
    fn locate(&mut self, text: &str, source: &Arc<NamedSource<String>>) {
        let said = &mut *self.0;
        said.source = Some(Arc::clone(source));
        let fit = |at: &Range<usize>| at.start.min(text.len())..at.end.min(text.len());
        said.at = fit(&said.at);
        said.also = said.also.take().map(|(at, marker)| (fit(&at), marker));
        let before = &text[..text.floor_char_boundary(said.at.start)];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        said.line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        said.column = before[line_start..].chars().count() + 1;
    }
}

impl Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Mistake {}

impl Diagnostic for Mistake {
    fn help<'a>(&'a self) -> Option<Box<dyn Display + 'a>> {
        self.0.help.as_ref().map(|help| Box::new(help) as Box<dyn Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.0.source.as_deref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let here = LabeledSpan::new_primary_with_span(Some(self.0.marker.clone()), self.0.at.clone());
        let there = self.0.also.clone().map(|(at, marker)| LabeledSpan::new_with_span(Some(marker), at));
        Some(Box::new(std::iter::once(here).chain(there)))
    }
}

/// More than these are one mistake made many times.
const MOST_SHOWN: usize = 24;

const REPORT_WIDTH: usize = 120;
