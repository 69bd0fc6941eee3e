//! `ferry timer`: timers on routes, in the words of rt_timer(9).

use clap::{Args, Subcommand};
use control_api::{QueueName, Reply, Request};

use crate::context::Context;
use crate::failure::Failure;
use crate::route::parse_prefix;
use crate::table::{Table, count, word};

#[derive(Debug, Args)]
pub(crate) struct Timer {
    /// The table that the route is in; 0 is that of ports which name no other.
    #[arg(long, global = true, value_name = "N", default_value_t = 0)]
    fib: u16,
    /// What to do; `list` if nothing is said.
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List the queues, how long timers on them run, and how many there are.
    #[command(visible_alias = "show")]
    List,
    /// Make a queue whose timers run for SECONDS.
    Create {
        /// Its name: at most 32 of a-z, 0-9, `-` and `_`, a letter first.
        queue: QueueName,
        /// How long timers on it run; 0 is until the next second.
        seconds: u64,
    },
    /// Let timers on a queue, those that are running included, run for SECONDS. `redirect 0` switches redirects off.
    Change {
        /// Its name.
        queue: QueueName,
        /// How long timers on it run.
        seconds: u64,
    },
    /// Take a queue away; the routes on it stay, unless --run-actions is given.
    Destroy {
        /// Its name.
        queue: QueueName,
        /// Delete the routes on it now.
        #[arg(long)]
        run_actions: bool,
    },
    /// Let a static route be deleted once it has been on QUEUE for the queue's time; one that is on a queue starts anew.
    Add {
        /// Its name.
        queue: QueueName,
        /// The route; or `default`.
        prefix: String,
    },
    /// Take a route off its queue, so that it stays.
    Clear {
        /// The route; or `default`.
        prefix: String,
    },
}

impl Timer {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let network = |prefix: &str| {
            parse_prefix(prefix, context.family()).map_err(|wrong| wrong.with_hint("see `ferry timer --help`"))
        };
        let fib = self.fib;
        match self.verb.unwrap_or(Verb::List) {
            Verb::List => list(context),
            Verb::Create { queue, seconds } => {
                change(context, &Request::TimerCreate { queue, period_seconds: seconds })
            }
            Verb::Change { queue, seconds } => {
                change(context, &Request::TimerChange { queue, period_seconds: seconds })
            }
            Verb::Destroy { queue, run_actions } => change(context, &Request::TimerDestroy { queue, run_actions }),
            Verb::Add { queue, prefix } => change(context, &Request::TimerAdd { queue, fib, to: network(&prefix)? }),
            Verb::Clear { prefix } => clear(context, &Request::TimerClear { fib, to: network(&prefix)? }),
        }
    }
}

fn change(context: &Context, request: &Request) -> Result<(), Failure> {
    let Reply::Done = context.ask(request)? else { return Err(Failure::unexpected_answer()) };
    context.say(&serde_json::json!({ "done": true }), |_paint| String::new())
}

fn clear(context: &Context, request: &Request) -> Result<(), Failure> {
    let Reply::TimersCleared(timers) = context.ask(request)? else { return Err(Failure::unexpected_answer()) };
    context.say(&serde_json::json!({ "done": true, "timers": timers }), |_paint| match timers {
        0 => "no timers\n".to_owned(),
        1 => "1 timer\n".to_owned(),
        several => format!("{several} timers\n"),
    })
}

fn list(context: &Context) -> Result<(), Failure> {
    let Reply::Timers(queues) = context.ask(&Request::TimerList)? else { return Err(Failure::unexpected_answer()) };
    context.say(&queues, |paint| {
        let mut table = Table::new(["queue", "seconds", "timers"]);
        for queue in &queues {
            table.row([word(queue.queue.to_string()), count(queue.period_seconds), count(queue.timers as u64)]);
        }
        table.render(paint)
    })
}
