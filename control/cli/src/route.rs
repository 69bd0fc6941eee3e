//! `ferry route`: in the words of `ip route`, and of `route(8)` for what `ip` has no words for.
//!
//! A route that `ip(8)` could say too is asked for as such; one with flags, metrics or a table of its own as a message.

mod batch;
mod shown;
mod typed;
mod words;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use control_api::{Reply, Request, RouteFilter};

use self::shown::{get, show};
use self::typed::{changed, deleted, locked, route};
use self::words::filter;
pub(crate) use self::words::parse_prefix;
use crate::context::Context;
use crate::failure::Failure;

#[derive(Debug, Args)]
pub(crate) struct Route {
    /// The table of routes; 0 is that of ports which name no other.
    #[arg(long, global = true, value_name = "N", default_value_t = 0)]
    fib: u16,
    /// What to do; `show` if nothing is said.
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show routes: all, PREFIX, root PREFIX (and below), match PREFIX (and above); [dev PORT].
    #[command(visible_alias = "list")]
    #[command(override_usage = "ferry route show [[root|match] PREFIX] [dev PORT]")]
    Show {
        /// Which routes.
        #[arg(value_name = "WHICH")]
        words: Vec<String>,
    },
    /// Add a route: PREFIX via GATEWAY [dev PORT], PREFIX dev PORT [lladdr MAC], blackhole PREFIX,
    /// unreachable PREFIX, prohibit PREFIX.
    ///
    /// After it may stand flags (proto1 proto2 proto3 reject blackhole pinned cloning xresolve, nostatic ...) and metrics,
    /// each as `NAME [lock] NUMBER` (mtu hopcount expire recvpipe sendpipe ssthresh rtt rttvar weight).
    ///
    /// Several routes to one PREFIX: those of the lowest `priority N` (1 to 63, 8 if not said) count. With `mpath` a route
    /// shares with those that have its priority, each as much as its `weight N` says.
    ///
    /// With `count` packets that are sent by it are counted, and shown as `pksent`.
    #[command(override_usage = ADD_USAGE)]
    Add {
        /// The route; PREFIX may be `default`.
        #[arg(value_name = "ROUTE", required = true)]
        words: Vec<String>,
    },
    /// Add a route, or put it in place of the one to the same PREFIX.
    #[command(override_usage = REPLACE_USAGE)]
    Replace {
        /// The route, as for `add`.
        #[arg(value_name = "ROUTE", required = true)]
        words: Vec<String>,
    },
    /// Change a route: PREFIX [via GATEWAY] [dev PORT], `count` or `nocount`, flags and metrics as for `add`; what is not
    /// said stays.
    ///
    /// Where flags are said, all that can be changed are: proto1 proto2 proto3 reject blackhole xresolve, and static
    /// unless `nostatic` is said.
    #[command(override_usage = CHANGE_USAGE)]
    Change {
        /// The route, as for `add`.
        #[arg(value_name = "ROUTE", required = true)]
        words: Vec<String>,
    },
    /// Lock metrics, so that only people change them: PREFIX METRIC... [unlock METRIC...].
    #[command(override_usage = "ferry route lock PREFIX METRIC... [unlock METRIC...]")]
    Lock {
        /// The route and its metrics.
        #[arg(value_name = "METRICS", required = true)]
        words: Vec<String>,
    },
    /// Add, change and delete many routes, read from FILE: a line for each, as after `ferry route`.
    ///
    /// Each thousand lines become visible to packets in one step. A line that is refused leaves the others.
    Batch {
        /// The file, or `-` for standard input; lines that begin with `#` are passed over.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Delete all static routes, or those that `show` would show for the same words; pinned ones stay.
    #[command(override_usage = "ferry route flush [[root|match] PREFIX] [dev PORT]")]
    Flush {
        /// Which routes.
        #[arg(value_name = "WHICH")]
        words: Vec<String>,
    },
    /// Delete a route.
    #[command(visible_alias = "delete")]
    #[command(override_usage = "ferry route del PREFIX [via GATEWAY] [dev PORT] [priority N] [pinned]")]
    Del {
        /// Its PREFIX, or `default`; and of several routes to it, which.
        #[arg(value_name = "PREFIX", required = true)]
        words: Vec<String>,
    },
    /// Ask which route a packet to ADDRESS takes, or for the one to exactly PREFIX.
    Get {
        /// The packet's destination, or a PREFIX with its length.
        #[arg(value_name = "ADDRESS|PREFIX")]
        address: String,
        /// Tell metrics as this system does: those FreeBSD 12 does not supply are left out.
        #[arg(long, value_name = "SYSTEM", value_parser = ["freebsd12"])]
        compat: Option<String>,
    },
}

const ADD_USAGE: &str = "\
ferry route add PREFIX via GATEWAY [dev PORT]
       ferry route add PREFIX dev PORT [lladdr MAC]
       ferry route add blackhole|unreachable|prohibit PREFIX
       each with [priority N] [count] [FLAG]... [METRIC [lock] NUMBER]... after it";

const CHANGE_USAGE: &str = "\
ferry route change PREFIX [via GATEWAY] [dev PORT [lladdr MAC]] [count|nocount] [FLAG]... [METRIC [lock] NUMBER]...";

const REPLACE_USAGE: &str = "\
ferry route replace PREFIX via GATEWAY [dev PORT]
       ferry route replace PREFIX dev PORT
       ferry route replace blackhole|unreachable|prohibit PREFIX";

impl Route {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let family = context.family();
        let fib = self.fib;
        match self.verb.unwrap_or(Verb::Show { words: Vec::new() }) {
            Verb::Show { words } => show(context, RouteFilter { fib, ..filter(&words, family)? }),
            Verb::Flush { words } => flush(context, RouteFilter { fib, ..filter(&words, family)? }),
            Verb::Batch { file } => batch::run(context, &file, fib),
            Verb::Add { words } => change(context, &route(&words, family)?.added(fib)),
            Verb::Replace { words } => change(context, &route(&words, family)?.replaced(fib)?),
            Verb::Change { words } => change(context, &changed(&words, family)?.changed(fib)),
            Verb::Lock { words } => change(context, &locked(&words, family, fib)?),
            Verb::Del { words } => change(context, &deleted(&words, family, fib)?),
            Verb::Get { address, compat } => get(context, &address, fib, compat.is_some()),
        }
    }
}

fn change(context: &Context, request: &Request) -> Result<(), Failure> {
    match context.ask(request)? {
        // As with `ip`, no news is good news.
        Reply::Done => context.say(&serde_json::json!({ "done": true }), |_paint| String::new()),
        Reply::Route(route) => context.say(&route, |_paint| String::new()),
        _another => Err(Failure::unexpected_answer()),
    }
}

fn flush(context: &Context, filter: RouteFilter) -> Result<(), Failure> {
    let Reply::Flushed(count) = context.ask(&Request::RouteFlush { filter })? else {
        return Err(Failure::unexpected_answer());
    };
    context.say(&serde_json::json!({ "flushed": count }), |_paint| match count {
        1 => "1 route deleted\n".to_owned(),
        count => format!("{count} routes deleted\n"),
    })
}
