//! `ferry neigh`: in the words of `ip neigh`.

use std::net::IpAddr;

use clap::{Args, Subcommand};
use control_api::{Family, NeighbourState, Reply, Request};
use packet::ethernet::MacAddr;

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
    /// Say which station a neighbour is: ADDRESS lladdr MAC dev PORT. It stays until it is deleted.
    #[command(override_usage = "ferry neigh add ADDRESS lladdr MAC dev PORT")]
    Add {
        /// The neighbour.
        #[arg(value_name = "NEIGHBOUR", required = true)]
        words: Vec<String>,
    },
    /// The same, whatever was known of it.
    #[command(override_usage = "ferry neigh replace ADDRESS lladdr MAC dev PORT")]
    Replace {
        /// The neighbour, as for `add`.
        #[arg(value_name = "NEIGHBOUR", required = true)]
        words: Vec<String>,
    },
    /// Forget a neighbour: ADDRESS dev PORT. It may be found again.
    #[command(visible_alias = "delete", override_usage = "ferry neigh del ADDRESS dev PORT")]
    Del {
        /// The neighbour.
        #[arg(value_name = "NEIGHBOUR", required = true)]
        words: Vec<String>,
    },
    /// Forget the neighbours that were learnt: all, or those behind a port (dev PORT).
    Flush {
        /// `dev PORT`.
        #[arg(value_name = "WORDS", num_args = 0..=2)]
        words: Vec<String>,
        /// Also those that a person has set.
        #[arg(long)]
        permanent: bool,
    },
}

impl Neigh {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self.verb.unwrap_or(Verb::Show { words: Vec::new() }) {
            Verb::Show { words } => show(context, dev(&words)?),
            Verb::Add { words } => {
                let (address, dev, lladdr) = Neighbour::read(&words)?.with_station()?;
                change(context, &Request::NeighAdd { address, dev, lladdr })
            }
            Verb::Replace { words } => {
                let (address, dev, lladdr) = Neighbour::read(&words)?.with_station()?;
                change(context, &Request::NeighReplace { address, dev, lladdr })
            }
            Verb::Del { words } => {
                let Neighbour { address, dev, .. } = Neighbour::read(&words)?;
                change(context, &Request::NeighDel { address, dev })
            }
            Verb::Flush { words, permanent } => flush(context, dev(&words)?, permanent),
        }
    }
}

/// A neighbour as it is typed: an address, and then `lladdr MAC` and `dev PORT` in any order.
struct Neighbour {
    address: IpAddr,
    dev: String,
    lladdr: Option<MacAddr>,
}

impl Neighbour {
    fn read(words: &[String]) -> Result<Self, Failure> {
        let usage = |message: String| Failure::usage(message).with_hint("see `ferry neigh --help`");
        let (address, rest) = words.split_first().ok_or_else(|| usage("expected an address".to_owned()))?;
        let address = address.parse().map_err(|_no_address| usage(format!("`{address}` is not an IP address")))?;
        let (mut dev, mut lladdr) = (None, None);
        for pair in rest.chunks(2) {
            match pair {
                [word, port] if word == "dev" && dev.is_none() => dev = Some(port.clone()),
                [word, mac] if word == "lladdr" && lladdr.is_none() => {
                    lladdr = Some(mac.parse().map_err(|_no_mac| usage(format!("`{mac}` is not a MAC address")))?);
                }
                // What ferry sets is permanent, as it is by default in `ip neigh`.
                [word, state] if word == "nud" && state == "permanent" => {}
                _other => {
                    return Err(usage(format!("expected `lladdr MAC` or `dev PORT`, found `{}`", pair.join(" "))));
                }
            }
        }
        let dev = dev.ok_or_else(|| usage(format!("which port is {address} behind? add `dev PORT`")))?;
        Ok(Self { address, dev, lladdr })
    }

    fn with_station(self) -> Result<(IpAddr, String, MacAddr), Failure> {
        let Self { address, dev, lladdr } = self;
        let missing = || Failure::usage(format!("which station is {address}? add `lladdr MAC`"));
        Ok((address, dev, lladdr.ok_or_else(missing)?))
    }
}

fn dev(words: &[String]) -> Result<Option<String>, Failure> {
    match words {
        [] => Ok(None),
        [word, port] if word == "dev" => Ok(Some(port.clone())),
        [port] if port != "dev" => Ok(Some(port.clone())),
        _other => Err(Failure::usage(format!("expected `dev PORT`, found `{}`", words.join(" ")))),
    }
}

fn change(context: &Context, request: &Request) -> Result<(), Failure> {
    let Reply::Done = context.ask(request)? else { return Err(Failure::unexpected_answer()) };
    context.say(&serde_json::json!({ "done": true }), |_paint| String::new())
}

fn flush(context: &Context, dev: Option<String>, permanent: bool) -> Result<(), Failure> {
    let Reply::Flushed(count) = context.ask(&Request::NeighFlush { dev, permanent })? else {
        return Err(Failure::unexpected_answer());
    };
    context.say(&serde_json::json!({ "flushed": count }), |_paint| match count {
        1 => "1 neighbour forgotten\n".to_owned(),
        count => format!("{count} neighbours forgotten\n"),
    })
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
            let router = if neighbour.router { " router" } else { "" };
            table.row([
                word(neighbour.dst.to_string()),
                word(&neighbour.dev),
                word(neighbour.lladdr.map(|mac| mac.to_string()).unwrap_or_default()),
                toned(format!("{}{router}", state.name()), tone(state)),
                word(neighbour.age_seconds.map(|age| format!("{age} s ago")).unwrap_or_default()),
            ]);
        }
        if table.is_empty() { "no neighbours\n".to_owned() } else { table.render(paint) }
    })
}

fn tone(state: NeighbourState) -> Tone {
    match state {
        NeighbourState::Reachable | NeighbourState::Permanent => Tone::Good,
        NeighbourState::Incomplete | NeighbourState::Stale | NeighbourState::Delay | NeighbourState::Probe => {
            Tone::Doubtful
        }
        NeighbourState::Failed => Tone::Bad,
    }
}
