//! Text in columns, for people.

use std::fmt::Write;

/// Whether colours are wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paint {
    pub(crate) on: bool,
}

/// What a word means to the one who looks for trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Nothing in particular.
    Plain,
    /// As it should be.
    Good,
    /// Maybe on its way there.
    Doubtful,
    /// As it should not be.
    Bad,
}

impl Tone {
    const fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Good => "\x1b[32m",
            Self::Doubtful => "\x1b[33m",
            Self::Bad => "\x1b[31m",
        }
    }
}

/// One word of a row, and where in its column it stands.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    text: String,
    tone: Tone,
    is_number: bool,
}

/// A word.
pub(crate) fn word(text: impl Into<String>) -> Cell {
    Cell { text: text.into(), tone: Tone::Plain, is_number: false }
}

/// A word that means something to the one who looks for trouble.
pub(crate) fn toned(text: impl Into<String>, tone: Tone) -> Cell {
    Cell { tone, ..word(text) }
}

/// A count, in groups of three digits.
pub(crate) fn count(number: u64) -> Cell {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    Cell { is_number: true, ..word(text) }
}

/// Rows under a header, each column as wide as its widest word.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<Cell>>,
}

impl Table {
    pub(crate) fn new<'h>(header: impl IntoIterator<Item = &'h str>) -> Self {
        Self { rows: vec![header.into_iter().map(word).collect()] }
    }

    pub(crate) fn row(&mut self, row: impl Into<Vec<Cell>>) {
        self.rows.push(row.into());
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.len() == 1
    }

    pub(crate) fn render(&self, paint: Paint) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width_of =
            |column: usize| self.rows.iter().filter_map(|row| row.get(column)).map(Cell::width).max().unwrap_or(0);
        let widths: Vec<_> = (0..columns).map(width_of).collect();
        // The header stands over its column's numbers, not over the gap before them.
        let numbers: Vec<_> = (0..columns)
            .map(|column| self.rows.iter().any(|row| row.get(column).is_some_and(|cell| cell.is_number)))
            .collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for ((cell, width), to_the_right) in row.iter().zip(&widths).zip(&numbers) {
                let gap = " ".repeat(width - cell.width());
                let shown = cell.shown(paint);
                let padded = if *to_the_right { format!("{gap}{shown}") } else { format!("{shown}{gap}") };
                let separator = if line.is_empty() { "" } else { "  " };
                let _memory = write!(line, "{separator}{padded}");
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

impl Cell {
    fn width(&self) -> usize {
        self.text.chars().count()
    }

    fn shown(&self, paint: Paint) -> String {
        match self.tone {
            tone if paint.on && tone != Tone::Plain => format!("{}{}\x1b[0m", tone.code(), self.text),
            Tone::Plain | Tone::Good | Tone::Doubtful | Tone::Bad => self.text.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_to_the_left_and_numbers_to_the_right_of_their_column() {
        let mut table = Table::new(["reason", "packets", "meaning"]);
        table.row([word("no"), count(1_234_567), word("first")]);
        table.row([toned("truncated", Tone::Bad), count(12), word("")]);
        assert_eq!(
            table.render(Paint { on: false }),
            "reason       packets  meaning\nno         1 234 567  first\ntruncated         12\n"
        );
    }

    #[test]
    fn colours_change_nothing_about_the_columns() {
        let mut table = Table::new(["link", "mtu"]);
        table.row([toned("UP", Tone::Good), count(1500)]);
        assert_eq!(table.render(Paint { on: true }), "link    mtu\n\x1b[32mUP\x1b[0m    1 500\n");
    }
}
