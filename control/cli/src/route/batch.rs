//! `ferry route batch`: many changes, read from a file, in steps that packets see whole.

use std::io::Read as _;
use std::path::Path;

use control_api::{Batch, Family, Refused, Reply, Request, RouteMessage, Verb as Message};

use super::typed::{Typed, changed, deletion, route};
use super::words::usage;
use crate::context::Context;
use crate::failure::Failure;

/// Does what the lines of `file` say, by the table `fib`.
pub(super) fn run(context: &Context, file: &Path, fib: u16) -> Result<(), Failure> {
    let text = read(file)?;
    let changes = changes_of(&text, context.family(), fib)?;
    let mut all = Batch::default();
    for (number, step) in changes.chunks(STEP).enumerate() {
        let changes = step.iter().map(|(_line, change)| change.clone()).collect();
        let Reply::Batch(batch) = context.ask(&Request::RouteBatch { changes })? else {
            return Err(Failure::unexpected_answer());
        };
        all.done += batch.done;
        let place = |refused: Refused| Refused { place: number * STEP + refused.place, ..refused };
        all.refused.extend(batch.refused.into_iter().map(place));
    }
    context.say(&all, |_paint| {
        let refused = all.refused.iter().map(|refused| {
            let line = changes.get(refused.place).map_or(0, |(line, _change)| *line);
            format!("line {line}: {}\n", refused.error)
        });
        let done = if all.done == 1 { "1 change done\n".to_owned() } else { format!("{} changes done\n", all.done) };
        refused.chain([done]).collect()
    })?;
    match all.refused.first() {
        None => Ok(()),
        Some(first) => {
            let message = format!("{} of {} changes were refused", all.refused.len(), changes.len());
            Err(Failure::new(first.error.kind.name(), first.error.kind.exit_code(), message).after_an_answer())
        }
    }
}

fn read(file: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = if file == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).map(|_bytes| ())
    } else {
        std::fs::read_to_string(file).map(|read| text = read)
    };
    read.map(|()| text).map_err(|error| usage(format!("{} cannot be read: {error}", file.display())))
}

/// The changes that the lines say, each with the number of its line. Nothing is done if one of them says nothing.
fn changes_of(text: &str, family: Option<Family>, fib: u16) -> Result<Vec<(usize, RouteMessage)>, Failure> {
    let lines = (1..).zip(text.lines()).map(|(number, line)| (number, line.trim()));
    let lines = lines.filter(|(_number, line)| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|(number, line)| match change_of(line, family) {
            Ok((verb, typed)) => Ok((number, typed.into_message(verb, fib))),
            Err(failure) => Err(failure.in_line(number)),
        })
        .collect()
}

fn change_of(line: &str, family: Option<Family>) -> Result<(Message, Typed), Failure> {
    let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
    match words.split_first() {
        Some((verb, words)) if verb == "add" => Ok((Message::Add, route(words, family)?)),
        Some((verb, words)) if verb == "change" => Ok((Message::Change, changed(words, family)?)),
        Some((verb, words)) if verb == "del" || verb == "delete" => Ok((Message::Delete, deletion(words, family)?)),
        _other => Err(usage(format!("expected `add`, `change` or `del`, found `{line}`"))),
    }
}

/// Changes that one request says: as many as fit whatever they say.
const STEP: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_a_change_in_each_line() {
        let text =
            "# routes\nadd 10.0.0.0/8 via 192.0.2.2\n\n  change 10.0.0.0/8 mtu 1400\ndel 10.0.0.0/8 via 192.0.2.2\n";
        let changes = changes_of(text, None, 3).unwrap();
        let said: Vec<_> = changes.iter().map(|(line, change)| (*line, change.verb, change.fib)).collect();
        assert_eq!(said, [(2, Message::Add, 3), (4, Message::Change, 3), (5, Message::Delete, 3)]);
    }

    #[test]
    fn a_line_that_says_nothing_is_named_and_nothing_is_done() {
        for line in ["frob 10.0.0.0/8", "add 10.0.0.0/8", "add", "change 10.0.0.0/8"] {
            let failure = changes_of(&format!("add blackhole 10.0.0.0/8\n{line}\n"), None, 0).unwrap_err();
            assert!(format!("{failure:?}").contains("line 2: "), "{failure:?}");
        }
    }
}
