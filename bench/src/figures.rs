//! What has to be met, and whether it is: the table that each program here ends with.
//!
//! A figure has a value that it must meet and one that is the goal, or only one of these. Only what was measured is shown:
//! a run that measured something else says nothing of the rest, which is neither met nor missed.
//!
//! A missed figure is told and fails no program. One run on a machine that others use decides nothing by itself.

use std::fmt;

use serde::Serialize;

/// A figure that was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    /// Which one, and in what unit.
    pub what: String,
    /// What was measured.
    pub measured: f64,
    /// What it has to be; none if there is but a goal.
    pub must: Option<f64>,
    /// What it should be.
    pub goal: Option<f64>,
    /// Whether less is better.
    pub at_most: bool,
    /// Whether it is what it has to be.
    pub met: bool,
    /// Whether it is what it should be.
    pub goal_met: bool,
}

impl Figure {
    /// One of which more is better.
    pub fn at_least(
        what: impl Into<String>,
        measured: f64,
        must: impl Into<Option<f64>>,
        goal: impl Into<Option<f64>>,
    ) -> Self {
        Self::new(what.into(), measured, [must.into(), goal.into()], false)
    }

    /// One of which less is better.
    pub fn at_most(
        what: impl Into<String>,
        measured: f64,
        must: impl Into<Option<f64>>,
        goal: impl Into<Option<f64>>,
    ) -> Self {
        Self::new(what.into(), measured, [must.into(), goal.into()], true)
    }

    fn new(what: String, measured: f64, [must, goal]: [Option<f64>; 2], at_most: bool) -> Self {
        let meets =
            |bound: Option<f64>| bound.is_none_or(|bound| if at_most { measured <= bound } else { measured >= bound });
        Self { what, measured, must, goal, at_most, met: meets(must), goal_met: meets(goal) }
    }

    /// What was measured, with two digits after the point, or as many as it takes not to be rounded to another verdict.
    fn shown(&self) -> String {
        if self.measured.fract() == 0.0 {
            return self.measured.to_string();
        }
        let is_held = |shown: &String| {
            let rounded =
                shown.parse().map(|shown| Self::new(String::new(), shown, [self.must, self.goal], self.at_most));
            rounded.is_ok_and(|rounded| rounded.verdict() == self.verdict())
        };
        let mut rounded = (2..10).map(|digits| format!("{:.digits$}", self.measured));
        rounded.find(is_held).unwrap_or_else(|| self.measured.to_string())
    }

    /// In a word: what is missed is in capitals.
    fn verdict(&self) -> &'static str {
        match self {
            Self { met: false, .. } => "MISSED",
            Self { goal: Some(_), goal_met: true, .. } => "goal",
            Self { must: None, .. } => "goal missed",
            Self { .. } => "met",
        }
    }
}

/// All that were measured, in order; shown as a table.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Figures(Vec<Figure>);

impl Figures {
    /// Those among `all` that have a value: what was not measured is not a number.
    pub fn measured(all: impl IntoIterator<Item = Figure>) -> Self {
        Self(all.into_iter().filter(|figure| figure.measured.is_finite()).collect())
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none was measured.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return Ok(());
        }
        let widest = self.0.iter().map(|figure| figure.what.len()).max().unwrap_or(0);
        writeln!(f, "{:<widest$}{:>12}{:>12}{:>10}", "", "measured", "must", "goal")?;
        for figure in &self.0 {
            let Figure { what, must, goal, at_most, .. } = figure;
            let sign = if *at_most { "<=" } else { ">=" };
            let must = must.map_or_else(|| "-".to_owned(), |must| format!("{sign} {must}"));
            let goal = goal.map_or_else(|| "-".to_owned(), |goal| goal.to_string());
            writeln!(f, "{what:<widest$}{:>12}{must:>12}{goal:>10}  {}", figure.shown(), figure.verdict())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_meets_what_it_has_to_be_exactly_as_well() {
        for (figure, verdict) in [
            (Figure::at_least("rate", 0.70, 0.70, 0.90), "met"),
            (Figure::at_least("rate", 0.69, 0.70, 0.90), "MISSED"),
            (Figure::at_least("rate", 0.90, 0.70, 0.90), "goal"),
            (Figure::at_most("cost", 18.0, 18.0, 8.0), "met"),
            (Figure::at_most("cost", 18.1, 18.0, 8.0), "MISSED"),
            (Figure::at_most("cost", 8.0, 18.0, 8.0), "goal"),
        ] {
            assert_eq!(figure.verdict(), verdict, "{figure:?}");
        }
    }

    #[test]
    fn a_figure_with_one_bound_is_held_against_that_one() {
        for (figure, verdict) in [
            (Figure::at_most("lost", 0.0, None, 0.0), "goal"),
            (Figure::at_most("lost", 1.0, None, 0.0), "goal missed"),
            (Figure::at_most("lost", 0.0, 0.0, None), "met"),
            (Figure::at_most("lost", 1.0, 0.0, None), "MISSED"),
        ] {
            assert_eq!(figure.verdict(), verdict, "{figure:?}");
        }
    }

    #[test]
    fn what_was_not_measured_is_not_shown() {
        let figures = Figures::measured([
            Figure::at_least("never measured", f64::NAN, 1.0, 2.0),
            Figure::at_most("lost", 0.0, None, 0.0),
            Figure::at_least("ratio", 0.756, 0.70, 0.90),
            Figure::at_least("short", 0.69961, 0.70, 0.90),
        ]);
        assert_eq!(figures.len(), 3);
        let table = "         measured        must      goal\n\
                     lost            0           -         0  goal\n\
                     ratio        0.76      >= 0.7       0.9  met\n\
                     short      0.6996      >= 0.7       0.9  MISSED\n";
        assert_eq!(figures.to_string(), table);
        assert_eq!(Figures::default().to_string(), "", "no table without figures");
    }

    #[test]
    fn a_program_reads_a_list_of_figures_with_null_for_a_bound_that_there_is_not() {
        let figures = Figures::measured([Figure::at_most("lost", 3.0, None, 0.0)]);
        let expected = serde_json::json!([{
            "what": "lost", "measured": 3.0, "must": null, "goal": 0.0, "at_most": true, "met": true, "goal_met": false
        }]);
        assert_eq!(serde_json::to_value(figures).unwrap(), expected);
    }
}
