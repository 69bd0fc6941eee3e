//! `ferry worker`: the workers, and the map of receive queues to them.

use clap::{Args, Subcommand};
use control_api::{PortQueue, QueuePlace, Reply, Request, Stats};
use serde::Serialize;

use crate::context::Context;
use crate::failure::Failure;
use crate::table::{Paint, Table, Tone, count, toned, word};

#[derive(Debug, Args)]
pub(crate) struct Worker {
    /// What to do; `show` if nothing is said.
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show the workers, how busy they are, and what each polls.
    #[command(visible_alias = "list")]
    Show,
    /// The map of receive queues to workers.
    Map {
        /// What to do; `show` if nothing is said.
        #[command(subcommand)]
        verb: Option<MapVerb>,
    },
}

#[derive(Debug, Subcommand)]
enum MapVerb {
    /// Show which worker polls each receive queue.
    Show,
    /// Let workers poll other queues while they run: PORT:QUEUE=CORE ... Queues that are not named stay where they are.
    Set {
        /// A receive queue and the core of the worker that is to poll it, as in `left:0=2`.
        #[arg(value_name = "PORT:QUEUE=CORE", required = true, value_parser = move_of)]
        moves: Vec<QueuePlace>,
    },
}

impl Worker {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self.verb.unwrap_or(Verb::Show) {
            Verb::Show => show(context),
            Verb::Map { verb } => {
                let request = match verb.unwrap_or(MapVerb::Show) {
                    MapVerb::Show => Request::QueueMapShow,
                    MapVerb::Set { moves } => Request::QueueMapSet { queues: moves },
                };
                let map = map(&request, context)?;
                context.say(&map, |paint| shown_map(&map, paint))
            }
        }
    }
}

fn move_of(text: &str) -> Result<QueuePlace, String> {
    let wrong = || "expected PORT:QUEUE=CORE, as in `left:0=2`".to_owned();
    let (queue, core) = text.split_once('=').ok_or_else(wrong)?;
    let queue: PortQueue = queue.parse().map_err(|_error| wrong())?;
    Ok(QueuePlace { queue, core: core.parse().map_err(|_error| wrong())?, moving: false })
}

fn map(request: &Request, context: &Context) -> Result<Vec<QueuePlace>, Failure> {
    match context.ask(request)? {
        Reply::QueueMap(map) => Ok(map),
        _other => Err(Failure::unexpected_answer()),
    }
}

fn shown_map(map: &[QueuePlace], paint: Paint) -> String {
    if map.is_empty() {
        return "no receive queues\n".to_owned();
    }
    let mut table = Table::new(["queue", "core", ""]);
    for place in map {
        let remark = if place.moving { toned("on its way", Tone::Doubtful) } else { word("") };
        table.row([word(place.queue.to_string()), word(place.core.to_string()), remark]);
    }
    table.render(paint)
}

/// A worker as it is shown.
#[derive(Debug, Serialize)]
struct Shown {
    core: usize,
    turns: u64,
    idle_turns: u64,
    sleeps: u64,
    slept_micros: u64,
    received: u64,
    queues: Vec<String>,
}

fn show(context: &Context) -> Result<(), Failure> {
    let Reply::Stats(stats) = context.ask(&Request::Stats)? else { return Err(Failure::unexpected_answer()) };
    let map = map(&Request::QueueMapShow, context)?;
    let workers = workers(&stats, &map);
    context.say(&workers, |paint| table(&workers, paint))
}

fn workers(stats: &Stats, map: &[QueuePlace]) -> Vec<Shown> {
    let shown = |worker: &control_api::WorkerStats| Shown {
        core: worker.core,
        turns: worker.turns,
        idle_turns: worker.idle_turns,
        sleeps: worker.sleeps,
        slept_micros: worker.slept_micros,
        received: worker.counts.received,
        queues: map.iter().filter(|place| place.core == worker.core).map(|place| place.queue.to_string()).collect(),
    };
    stats.workers.iter().map(shown).collect()
}

fn table(workers: &[Shown], paint: Paint) -> String {
    let mut table = Table::new(["core", "received", "turns", "idle turns", "sleeps", "slept ms", "polls"]);
    for worker in workers {
        let mut row = vec![word(worker.core.to_string())];
        let Shown { received, turns, idle_turns, sleeps, slept_micros, .. } = *worker;
        row.extend([received, turns, idle_turns, sleeps, slept_micros / 1000].map(count));
        row.push(if worker.queues.is_empty() {
            toned("nothing", Tone::Doubtful)
        } else {
            word(worker.queues.join(" "))
        });
        table.row(row);
    }
    table.render(paint)
}
