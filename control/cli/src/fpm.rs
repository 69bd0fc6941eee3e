//! `ferry fpm`: the session with a routing daemon, and what came of it.

use std::fmt::Write;

use clap::{Args, Subcommand};
use control_api::{Fpm as Shown, FpmState, Reply, Request};

use crate::context::Context;
use crate::failure::Failure;
use crate::table::{Paint, Table, Tone, count, toned, word};

#[derive(Debug, Args)]
pub(crate) struct Fpm {
    /// What to do; `show` if nothing is said.
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show how the session is, how many routes the daemon has told and how many of them are stale, and what was counted.
    Show,
    /// Remove at once what the daemon has not told again since its last session ended.
    Sweep,
}

impl Fpm {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self.verb.unwrap_or(Verb::Show) {
            Verb::Show => {
                let Reply::Fpm(fpm) = context.ask(&Request::FpmShow)? else {
                    return Err(Failure::unexpected_answer());
                };
                context.say(&fpm, |paint| show(&fpm, paint))
            }
            Verb::Sweep => {
                let Reply::Flushed(swept) = context.ask(&Request::FpmSweep)? else {
                    return Err(Failure::unexpected_answer());
                };
                context.say(&serde_json::json!({ "swept": swept }), |_paint| format!("{swept} routes swept\n"))
            }
        }
    }
}

fn show(fpm: &Shown, paint: Paint) -> String {
    let mut session =
        Table::new(["listening at", "session", "for", "daemon", "sessions", "routes", "stale", "next hops"]);
    let state = match fpm.state {
        FpmState::Settled => Tone::Good,
        FpmState::Waiting | FpmState::Replaying => Tone::Doubtful,
        FpmState::Lost => Tone::Bad,
    };
    let number = |number: usize| count(number.try_into().unwrap_or(u64::MAX));
    session.row([
        word(fpm.listen.to_string()),
        toned(fpm.state.name(), state),
        word(format!("{} s", fpm.state_seconds)),
        word(fpm.peer.map_or_else(|| "-".to_owned(), |peer| peer.to_string())),
        count(fpm.sessions),
        number(fpm.routes),
        number(fpm.stale),
        number(fpm.next_hops),
    ]);
    let mut text = session.render(paint);
    if let Some(reason) = &fpm.last_end {
        let _memory = writeln!(text, "the last session ended because {reason}");
    }
    let mut protocols = Table::new(["protocol", "routes"]);
    for (protocol, routes) in &fpm.protocols {
        protocols.row([word(protocol), number(*routes)]);
    }
    let mut counts = Table::new(["counted", "since the start"]);
    for (name, counted) in fpm.counts.iter().filter(|(_name, counted)| **counted > 0) {
        counts.row([word(name), count(*counted)]);
    }
    for table in [protocols, counts] {
        if !table.is_empty() {
            let _memory = write!(text, "\n{}", table.render(paint));
        }
    }
    text
}
