//! The lines of a list, and how each fares.

use std::fmt::Write;

use serde::Serialize;

use crate::items::{Item, Kind, Level};
use crate::marks::MarkedTest;
use crate::outcomes::{Outcome, Outcomes};

/// How an item fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Passed,
    /// What was chosen stands in the list, or the text that answers it; its tests pass, if it has any.
    Decided,
    /// Its tests could not run here.
    Skipped,
    Failed,
    NotCovered,
}

impl Verdict {
    fn is_held(self) -> bool {
        matches!(self, Self::Passed | Self::Decided)
    }

    fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Decided => "decided",
            Self::Skipped => "skipped",
            Self::Failed => "FAILED",
            Self::NotCovered => "NOT COVERED",
        }
    }
}

/// How each item of a list fares.
#[derive(Debug, Serialize)]
pub(crate) struct Report<'a> {
    items: Vec<Line<'a>>,
    sums: Vec<Sum>,
}

#[derive(Debug, Serialize)]
struct Line<'a> {
    item: &'a str,
    level: Level,
    #[serde(skip_serializing_if = "str::is_empty")]
    reference: &'a str,
    asked: &'a str,
    verdict: Verdict,
    #[serde(skip_serializing_if = "Option::is_none")]
    decided: Option<&'a str>,
    tests: Vec<Ran<'a>>,
    #[serde(skip)]
    kind: Kind,
}

#[derive(Debug, Serialize)]
struct Ran<'a> {
    name: &'a str,
    file: String,
    outcome: Outcome,
}

#[derive(Debug, Serialize)]
struct Sum {
    of: &'static str,
    held: usize,
    all: usize,
}

impl<'a> Report<'a> {
    pub(crate) fn new(items: &'a [Item], tests: &'a [MarkedTest], outcomes: &Outcomes) -> Self {
        let items: Vec<_> = items.iter().map(|item| Line::new(item, tests, outcomes)).collect();
        let sum = |of, is_of: &dyn Fn(&Line<'_>) -> bool| {
            let all = items.iter().filter(|line| is_of(line)).count();
            let held = items.iter().filter(|line| is_of(line) && line.verdict.is_held()).count();
            (all > 0).then_some(Sum { of, held, all })
        };
        let is_check = |line: &Line<'_>, level| line.kind == Kind::Check && line.level == level;
        let sums = [
            sum("must", &|line| is_check(line, Level::Must)),
            sum("should", &|line| is_check(line, Level::Should)),
            sum("decided", &|line| is_check(line, Level::Decide)),
            sum("clauses", &|line| line.kind == Kind::Clause),
            sum("tests", &|line| line.kind == Kind::Test),
        ];
        let sums = sums.into_iter().flatten().collect();
        Self { items, sums }
    }

    /// Whether all that must be held is, and what there is to decide is decided.
    pub(crate) fn is_complete(&self) -> bool {
        self.items.iter().all(|line| match line.level {
            Level::Must | Level::Decide => line.verdict.is_held(),
            Level::Should => line.verdict != Verdict::Failed,
        })
    }

    pub(crate) fn json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("a report is plain data");
        text.push('\n');
        text
    }

    /// A line for each item, or only for those that are not held, and the sums.
    pub(crate) fn text(&self, only_missing: bool) -> String {
        let mut text = String::new();
        for line in self.items.iter().filter(|line| !(only_missing && line.verdict.is_held())) {
            line.append_to(&mut text);
        }
        let sums: Vec<_> = self.sums.iter().map(|Sum { of, held, all }| format!("{of} {held}/{all}")).collect();
        text.push_str(&sums.join(", "));
        text.push('\n');
        text
    }
}

impl<'a> Line<'a> {
    fn new(item: &'a Item, tests: &'a [MarkedTest], outcomes: &Outcomes) -> Self {
        let holds_it = |test: &&MarkedTest| test.holds.iter().any(|id| *id == item.id || item.held_by.contains(id));
        let ran = |test: &'a MarkedTest| Ran { name: &test.name, file: test.place(), outcome: outcomes.of(test) };
        let tests: Vec<_> = tests.iter().filter(holds_it).map(ran).collect();
        let verdict = match tests.iter().map(|test| test.outcome).max() {
            Some(Outcome::Failed) => Verdict::Failed,
            Some(Outcome::NotRun | Outcome::Skipped) => {
                // What could be run passed; an item that is held elsewhere too is held.
                let passed = tests.iter().any(|test| test.outcome == Outcome::Passed);
                if passed { Verdict::Passed } else { Verdict::Skipped }
            }
            Some(Outcome::Passed) if item.level == Level::Decide && item.decided.is_none() => Verdict::NotCovered,
            Some(Outcome::Passed) if item.decided.is_none() => Verdict::Passed,
            Some(Outcome::Passed) => Verdict::Decided,
            None if item.decided.is_some() && item.is_decidable() => Verdict::Decided,
            None => Verdict::NotCovered,
        };
        let Item { id, kind, level, reference, asked, decided, .. } = item;
        Self { item: id, kind: *kind, level: *level, reference, asked, verdict, decided: decided.as_deref(), tests }
    }

    fn append_to(&self, text: &mut String) {
        let Self { item, level, reference, asked, verdict, .. } = self;
        let level = match (self.kind, level) {
            (Kind::Check, Level::Must) => "must   ",
            (Kind::Check, Level::Should) => "should ",
            (Kind::Check, Level::Decide) => "decide ",
            (Kind::Clause | Kind::Test, _) => "",
        };
        let reference = if reference.is_empty() { String::new() } else { format!("{reference}: ") };
        writeln!(text, "{item:<6} {level}{:<11}  {reference}{asked}", verdict.word()).expect("a string takes all");
        if let Some(decided) = self.decided {
            writeln!(text, "       = {decided}").expect("a string takes all");
        }
        for Ran { name, file, outcome } in &self.tests {
            let word = match outcome {
                Outcome::Passed => "passed",
                Outcome::Skipped => "skipped",
                Outcome::NotRun => "not run",
                Outcome::Failed => "FAILED",
            };
            writeln!(text, "       - {word}  {name}  ({file})").expect("a string takes all");
        }
    }
}

#[cfg(test)]
mod tests;
