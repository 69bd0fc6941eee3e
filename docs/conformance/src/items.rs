//! The lists: tables in Markdown, one item a row.
//!
//! The first row of a table says what its columns are, by these names; others are for people only.
//!
//! | column | |
//! |---|---|
//! | `#`, `clause`, `test` | the first: the item's number |
//! | `level` | `must`, `should` or `decide`; a table without it is all must |
//! | `reference` | where it is asked |
//! | `asked` | what is asked, or what goes in and what comes out |
//! | `held by` | numbers of other items whose tests hold this one too |
//! | `decided`, `answered by` | the choice that was made, or the text that answers it, where no test can |
//!
//! A table without `asked` says more of items that were there before.

use serde::Serialize;

/// A line of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) id: String,
    pub(crate) kind: Kind,
    pub(crate) level: Level,
    pub(crate) reference: String,
    pub(crate) asked: String,
    /// Items whose tests hold this one too.
    pub(crate) held_by: Vec<String>,
    /// What was chosen, or what answers it.
    pub(crate) decided: Option<String>,
}

impl Item {
    /// Whether words can be enough: for what is to be decided, and for a clause that only tells. A must needs a test.
    pub(crate) fn is_decidable(&self) -> bool {
        match self.kind {
            Kind::Check => self.level != Level::Must,
            Kind::Clause => true,
            Kind::Test => false,
        }
    }
}

/// What an item is a line of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A checklist.
    Check,
    /// The clauses of a page.
    Clause,
    /// The acceptance tests.
    Test,
}

/// How much an item binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    Must,
    Should,
    Decide,
}

/// Reads the items of a list, in their order.
pub(crate) fn parse(text: &str) -> Result<Vec<Item>, ItemError> {
    let mut items: Vec<Item> = Vec::new();
    let mut table: Option<Table> = None;
    for (line, row) in (1..).zip(text.lines()) {
        let Some(cells) = cells(row) else {
            table = None;
            continue;
        };
        match &table {
            None => table = Some(Table::of(&cells)),
            Some(_) if cells.iter().all(|cell| cell.starts_with("--")) => {}
            Some(Table { kind: None, .. }) => {}
            Some(Table { kind: Some(kind), columns }) => {
                let cell = |name: &str| {
                    let column = columns.iter().position(|column| column == name)?;
                    cells.get(column).filter(|cell| !cell.is_empty())
                };
                let id = &cells[0];
                let decided = cell("decided").or_else(|| cell("answered by")).cloned();
                let Some(asked) = cell("asked") else {
                    let item = items.iter_mut().find(|item| item.id == *id);
                    let item = item.ok_or_else(|| ItemError::Unknown { id: id.clone(), line })?;
                    item.decided = decided;
                    continue;
                };
                if items.iter().any(|item| item.id == *id) {
                    return Err(ItemError::Twice { id: id.clone(), line });
                }
                items.push(Item {
                    id: id.clone(),
                    kind: *kind,
                    level: cell("level").map_or(Ok(Level::Must), |level| self::level(level, line))?,
                    reference: cell("reference").cloned().unwrap_or_default(),
                    asked: asked.clone(),
                    held_by: cell("held by").map(|ids| self::ids(ids)).unwrap_or_default(),
                    decided,
                });
            }
        }
    }
    Ok(items)
}

struct Table {
    /// What its rows are; `None` for a table that is for people only.
    kind: Option<Kind>,
    columns: Vec<String>,
}

impl Table {
    fn of(head: &[String]) -> Self {
        let kind = match head[0].as_str() {
            "#" => Some(Kind::Check),
            "clause" => Some(Kind::Clause),
            "test" => Some(Kind::Test),
            _for_people => None,
        };
        Self { kind, columns: head.to_vec() }
    }
}

/// The cells of a table's row; `\|` is a bar in a cell.
fn cells(row: &str) -> Option<Vec<String>> {
    let row = row.trim().strip_prefix('|')?.strip_suffix('|')?.replace("\\|", "\u{0}");
    Some(row.split('|').map(|cell| cell.trim().replace('\u{0}', "|")).collect())
}

fn level(text: &str, line: usize) -> Result<Level, ItemError> {
    match text {
        "must" => Ok(Level::Must),
        "should" => Ok(Level::Should),
        "decide" => Ok(Level::Decide),
        other => Err(ItemError::Level { found: other.to_owned(), line }),
    }
}

/// Numbers with commas between them.
pub(crate) fn ids(text: &str) -> Vec<String> {
    text.split(',').map(|id| id.trim().to_owned()).filter(|id| !id.is_empty()).collect()
}

/// Why a list cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ItemError {
    #[error("line {line} of the list says more of `{id}`, which no line before it asks for")]
    Unknown { id: String, line: usize },
    #[error("line {line} of the list is the second one about `{id}`")]
    Twice { id: String, line: usize },
    #[error("line {line} of the list has the level `{found}`; there are must, should and decide")]
    Level { found: String, line: usize },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_names_its_columns_and_later_ones_say_what_was_decided() {
        let text = "
# A list
| # | level | reference | asked |
|---|---|---|---|
| 001 | must | RFC 1 | one \\| two |
| 002 | decide | RFC 2 | either |

| # | decided |
|---|---|
| 002 | this |

| clause | asked | held by |
|---|---|---|
| S1.01 | three | TM-01, TM-02 |

| for people | only |
|---|---|
| S9.99 | nothing |
";
        let items = parse(text).unwrap();
        assert_eq!(items.iter().map(|item| item.id.as_str()).collect::<Vec<_>>(), ["001", "002", "S1.01"]);
        assert_eq!((items[0].level, items[0].asked.as_str()), (Level::Must, "one | two"));
        assert_eq!((items[1].level, items[1].decided.as_deref()), (Level::Decide, Some("this")));
        assert_eq!((items[2].kind, items[2].held_by.len()), (Kind::Clause, 2));
    }

    #[test]
    fn what_stands_there_twice_or_is_decided_without_being_asked_is_refused() {
        let head = "| # | level | asked |\n|---|---|---|\n| 001 | must | one |\n";
        let second = parse(&format!("{head}| 001 | must | one |\n")).unwrap_err();
        assert_eq!(second.to_string(), "line 4 of the list is the second one about `001`");
        let unknown = parse(&format!("{head}\n| # | decided |\n|---|---|\n| 007 | so |\n")).unwrap_err();
        assert_eq!(unknown.to_string(), "line 7 of the list says more of `007`, which no line before it asks for");
        let level = parse("| # | level | asked |\n|---|---|---|\n| 001 | may | one |\n").unwrap_err();
        assert_eq!(level.to_string(), "line 3 of the list has the level `may`; there are must, should and decide");
    }
}
