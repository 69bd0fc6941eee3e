use std::path::PathBuf;

use super::*;

const LIST: &str = "
| # | level | reference | asked |
|---|---|---|---|
| 001 | must | RFC 1 | one |
| 002 | should | RFC 2 | two |
| 003 | decide | RFC 3 | either |

| # | decided |
|---|---|
| 003 | this |
";

fn test(name: &str, holds: &[&str]) -> MarkedTest {
    let holds = holds.iter().map(|id| (*id).to_owned()).collect();
    MarkedTest { name: name.to_owned(), holds, file: PathBuf::from("a.rs"), line: 1, is_doc: false }
}

fn text(list: &str, tests: &[MarkedTest], ran: &str) -> (bool, String) {
    let items = crate::items::parse(list).unwrap();
    let report = Report::new(&items, tests, &Outcomes::parse(ran));
    (report.is_complete(), report.text(false))
}

#[test]
fn a_line_tells_what_holds_it_and_the_last_one_the_sums() {
    let tests = [test("it_is_one", &["001"]), test("it_is_two", &["002"])];
    let ran = "test it_is_one ... ok\ntest it_is_two ... ok\n";
    let expected = "\
001    must   passed       RFC 1: one
       - passed  it_is_one  (a.rs:1)
002    should passed       RFC 2: two
       - passed  it_is_two  (a.rs:1)
003    decide decided      RFC 3: either
       = this
must 1/1, should 1/1, decided 1/1
";
    assert_eq!(text(LIST, &tests, ran), (true, expected.to_owned()));
}

#[test]
fn a_must_that_fails_or_is_not_there_or_could_not_run_is_missing() {
    let tests = [test("it_is_one", &["001"])];
    for ran in ["test it_is_one ... FAILED\n", "", "test it_is_one ... ignored\n"] {
        assert!(!text(LIST, &tests, ran).0, "{ran}");
    }
    assert!(!text(LIST, &[], "").0, "not covered");
    assert!(text(LIST, &tests, "test it_is_one ... ok\n").0, "a should may be missing");
}

#[test]
fn words_are_enough_for_a_clause_that_only_tells_and_never_for_a_must() {
    let clauses = "| clause | asked | answered by |\n|---|---|---|\n| S1.01 | it was so | the manual |\n";
    assert!(text(clauses, &[], "").0);
    assert!(!text(&format!("{LIST}| 001 | words |\n"), &[], "").0);
}

#[test]
fn a_clause_is_held_by_the_tests_of_the_items_it_names() {
    let list = "
| clause | asked | held by |
|---|---|---|
| S1.01 | one | TM-01 |

| test | asked |
|---|---|
| TM-01 | one |
";
    let tests = [test("tm_01_it_is_so", &["TM-01"])];
    assert!(text(list, &tests, "test tm_01_it_is_so ... ok\n").0);
    assert!(text(list, &tests, "").1.ends_with("clauses 0/1, tests 0/1\n"));
}
