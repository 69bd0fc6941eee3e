//! `ferry neigh`: in the words of `ip neigh`.

use clap::{Args, Subcommand};
use control_api::{Family, NeighbourState, Reply, Request};

use crate::context::Context;
use crate::failure::Failure;
use crate::table::{Table, Tone, toned, word};

#[derive(Debug, Args)]
pub(crate) struct Neigh {
    /// What to do; `show` if nothing is said.
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show neighbours: all, or those behind a port (dev PORT).
    #[command(visible_alias = "list")]
    Show {
        /// `dev PORT`.
        #[arg(value_name = "WORDS", num_args = 0..=2)]
        words: Vec<String>,
    },
}

impl Neigh {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let Verb::Show { words } = self.verb.unwrap_or(Verb::Show { words: Vec::new() });
        let dev = match words.as_slice() {
            [] => None,
            [word, port] if word == "dev" => Some(port.clone()),
            [port] if port != "dev" => Some(port.clone()),
            _other => return Err(Failure::usage(format!("expected `dev PORT`, found `{}`", words.join(" ")))),
        };
        show(context, dev)
    }
}

fn show(context: &Context, dev: Option<String>) -> Result<(), Failure> {
    let Reply::Neighbours(mut neighbours) = context.ask(&Request::NeighShow { dev })? else {
        return Err(Failure::unexpected_answer());
    };
    neighbours.retain(|neighbour| context.family().is_none_or(|family| family == Family::of(neighbour.dst)));
    context.say(&neighbours, |paint| {
        let mut table = Table::new(["address", "dev", "lladdr", "state", "confirmed"]);
        for neighbour in &neighbours {
            let state = neighbour.state;
            table.row([
                word(neighbour.dst.to_string()),
                word(&neighbour.dev),
                word(neighbour.lladdr.map(|mac| mac.to_string()).unwrap_or_default()),
                toned(state.name(), tone(state)),
                word(neighbour.age_seconds.map(|age| format!("{age} s ago")).unwrap_or_default()),
            ]);
        }
        if table.is_empty() { "no neighbours\n".to_owned() } else { table.render(paint) }
    })
}

fn tone(state: NeighbourState) -> Tone {
    match state {
        NeighbourState::Reachable | NeighbourState::Permanent => Tone::Good,
        NeighbourState::Incomplete | NeighbourState::Stale => Tone::Doubtful,
        NeighbourState::Failed => Tone::Bad,
    }
}
