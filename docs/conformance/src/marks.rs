//! Which tests there are, and what they hold.
//!
//! ```text
//! // holds S2.04, X17, CL-04
//! #[test]
//! fn rfc_012_a_sentence()       // holds 012
//! fn lk_03_a_sentence()         // holds LK-03
//! fn rfc_048_049_a_sentence()   // holds 048 and 049
//! fn mp_04_and_05_a_sentence()  // holds MP-04 and MP-05
//! ```
//!
//! The mark stands in the lines above a test, or in a documentation test, above the code that it is about. Source is read
//! by line, as `grep` would: whoever asks what holds a clause needs no tool.

use std::fs;
use std::path::{Path, PathBuf};

/// A test that holds something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MarkedTest {
    /// Its function.
    pub(crate) name: String,
    pub(crate) holds: Vec<String>,
    pub(crate) file: PathBuf,
    pub(crate) line: usize,
    /// Whether it is in a function's documentation.
    pub(crate) is_doc: bool,
}

impl MarkedTest {
    pub(crate) fn place(&self) -> String {
        format!("{}:{}", self.file.display(), self.line)
    }
}

/// All tests of the repository that hold something, in the order of their files.
pub(crate) fn find(root: &Path) -> Result<Vec<MarkedTest>, MarkError> {
    let mut files = Vec::new();
    collect(root, &mut files)?;
    files.sort();
    let mut tests = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).map_err(|error| MarkError::Read { path: file.clone(), error })?;
        let shown = file.strip_prefix(root).unwrap_or(&file);
        tests.extend(parse(shown, &text)?);
    }
    Ok(tests)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), MarkError> {
    let refused = |error| MarkError::Read { path: folder.to_owned(), error };
    for entry in fs::read_dir(folder).map_err(refused)? {
        let entry = entry.map_err(refused)?;
        let (path, name) = (entry.path(), entry.file_name());
        let kind = entry.file_type().map_err(refused)?;
        // What cargo and git keep is not source; neither is what a link leads to.
        if kind.is_dir() && name != "target" && !name.as_encoded_bytes().starts_with(b".") {
            collect(&path, files)?;
        } else if kind.is_file() && path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

fn parse(file: &Path, text: &str) -> Result<Vec<MarkedTest>, MarkError> {
    let mut tests = Vec::new();
    let (mut holds, mut is_test, mut is_doc) = (Vec::new(), false, false);
    for (line, source) in (1..).zip(text.lines()) {
        let source = source.trim();
        let documented = source.strip_prefix("///").map(str::trim_start);
        if let Some(ids) = documented.unwrap_or(source).strip_prefix("// holds ") {
            holds.extend(crate::items::ids(ids));
            is_doc |= documented.is_some();
        } else if source.starts_with("#[test]") || source.starts_with("#[tokio::test") {
            is_test = true;
        } else if let Some(name) = function(source) {
            let mut holds = std::mem::take(&mut holds);
            if is_test || is_doc {
                holds.splice(0..0, named(name));
            } else if let Some(id) = holds.first() {
                let place = format!("{}:{line}", file.display());
                return Err(MarkError::NoTest { id: id.clone(), place });
            }
            if !holds.is_empty() {
                tests.push(MarkedTest { name: name.to_owned(), holds, file: file.to_owned(), line, is_doc });
            }
            (is_test, is_doc) = (false, false);
        }
    }
    Ok(tests)
}

/// The name of the function that begins on this line.
fn function(source: &str) -> Option<&str> {
    let (before, after) = source.split_once("fn ")?;
    let is_head = before.split_whitespace().all(|word| word == "async" || word == "const" || word.starts_with("pub"));
    let name = after.split(['(', '<']).next()?;
    (is_head && !name.is_empty()).then_some(name)
}

/// The items that a test's name begins with.
fn named(name: &str) -> Vec<String> {
    let mut words = name.split('_');
    let prefix = words.next().unwrap_or_default();
    let digits = if prefix == "rfc" { 3 } else { 2 };
    if prefix != "rfc" && prefix.len() != 2 {
        return Vec::new();
    }
    let is_number = |word: &str| word.len() == digits && word.bytes().all(|byte| byte.is_ascii_digit());
    let numbers = words.take_while(|word| *word == "and" || is_number(word)).filter(|word| is_number(word));
    let id = |number: &str| match prefix {
        "rfc" => number.to_owned(),
        family => format!("{}-{number}", family.to_uppercase()),
    };
    numbers.map(id).collect()
}

/// Why the marks cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MarkError {
    #[error("cannot read `{}`: {error}", path.display())]
    Read { path: PathBuf, error: std::io::Error },
    #[error("{place} holds `{id}` and is no test; the mark belongs right above one")]
    NoTest { id: String, place: String },
    #[error("{place}: `{test}` holds `{id}`, which is in neither list; correct the number")]
    Unknown { id: String, test: String, place: String },
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found in these lines; they are not written as source, in which this program would find them.
    fn found(lines: &[&str]) -> Vec<(String, Vec<String>)> {
        let tests = parse(Path::new("a.rs"), &lines.join("\n")).unwrap();
        tests.into_iter().map(|test| (test.name, test.holds)).collect()
    }

    fn one(name: &str, holds: &[&str]) -> Vec<(String, Vec<String>)> {
        vec![(name.to_owned(), holds.iter().map(|id| (*id).to_owned()).collect())]
    }

    #[test]
    fn a_mark_is_for_the_test_below_it() {
        let lines =
            ["// holds S2.04, X17", "// holds X18", "#[test]", "fn a_sentence() {}", "#[test]", "fn other() {}"];
        assert_eq!(found(&lines), one("a_sentence", &["S2.04", "X17", "X18"]));
    }

    #[test]
    fn a_name_can_be_a_mark() {
        let test = |name: &str| found(&["#[test]", &format!("fn {name}() {{}}")]);
        assert_eq!(test("rfc_012_it_is_so"), one("rfc_012_it_is_so", &["012"]));
        assert_eq!(test("rfc_048_049_both_are_so"), one("rfc_048_049_both_are_so", &["048", "049"]));
        assert_eq!(test("lk_03_it_is_so"), one("lk_03_it_is_so", &["LK-03"]));
        assert_eq!(test("mp_04_and_05_both_are_so"), one("mp_04_and_05_both_are_so", &["MP-04", "MP-05"]));
        assert_eq!(test("it_is_3_times_so"), []);
        assert_eq!(found(&["fn rfc_012_no_test() {}"]), []);
    }

    #[test]
    fn a_proof_in_the_documentation_is_a_test() {
        let lines = ["/// ```compile_fail", "/// // holds S2.23", "/// code", "/// ```", "pub fn rc_08_not_twice() {}"];
        assert_eq!(found(&lines), one("rc_08_not_twice", &["RC-08", "S2.23"]));
    }

    #[test]
    fn a_mark_above_something_else_is_refused() {
        let error = parse(Path::new("a.rs"), "// holds S2.04\nfn helper() {}").unwrap_err();
        assert_eq!(error.to_string(), "a.rs:2 holds `S2.04` and is no test; the mark belongs right above one");
    }
}
