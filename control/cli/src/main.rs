//! `ferry`: the tool to talk to a running ferryd with, in the words of `ip(8)`.
//!
//! One file per noun. A noun is its words on the command line, the request they mean, and how its answer is shown; what
//! all share is in [`context`]: where to ask, and whether a person or a program reads.
//!
//! A person reads tables on standard output and errors on standard error. With `--json` everything is one JSON value on
//! one line of standard output, an error too: `{"error":{"kind":...,"message":...}}`. Either way the exit code tells what
//! happened ([`EXIT_CODES`]).

mod address;
mod completion;
mod config;
mod context;
mod drops;
mod failure;
mod fpm;
mod man;
mod monitor;
mod neigh;
mod pmtu;
mod port;
mod redirect;
mod replay;
mod route;
mod stats;
mod table;
mod timer;
mod version;
mod worker;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use context::{Common, Context};
use failure::Failure;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return failure::of_the_command_line(&error),
    };
    let context = Context::new(args.common);
    match args.noun.run(&context) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(context.json()),
    }
}

/// Talks to a running ferryd, and replays captures without one.
#[derive(Debug, Parser)]
#[command(name = "ferry", version, after_help = EXIT_CODES, infer_subcommands = true, max_term_width = 120)]
struct Args {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    noun: Noun,
}

#[derive(Debug, Subcommand)]
enum Noun {
    /// The routes: show, add, replace, delete, or ask for the one a packet takes.
    Route(route::Route),
    /// The neighbours on the ports' links.
    #[command(visible_alias = "neighbour")]
    Neigh(neigh::Neigh),
    /// The ports' addresses: show, add, delete.
    #[command(visible_alias = "addr")]
    Address(address::Address),
    /// The ports and what went through them.
    Port(port::Port),
    /// Timers that delete routes: queues of them, and which routes are on one.
    Timer(timer::Timer),
    /// The session with a routing daemon that tells its routes: how it is, and what came of it.
    Fpm(fpm::Fpm),
    /// Take a redirect: what ICMP may say to a host, said by a person.
    Redirect(redirect::Redirect),
    /// Hear that a path carries less than its first link: what ICMP may say to a host, said by a person.
    Pmtu(pmtu::Pmtu),
    /// The configuration: what another would change, and running by it.
    Config(config::Config),
    /// What happens to routes, addresses and links, as it happens: a line for each event, until Ctrl-C.
    Monitor(monitor::Monitor),
    /// The workers, and which receive queues each polls.
    Worker(worker::Worker),
    /// What became of packets, by worker.
    Stats,
    /// What was dropped, and why.
    Drops(drops::Drops),
    /// Let captures run through the forwarder, offline: without ferryd, DPDK or root.
    Replay(replay::Options),
    /// The versions of this tool and of ferryd.
    Version,
    /// Print what a shell needs to complete command lines.
    Completion(completion::Completion),
    /// Write the man pages into a folder.
    Man(man::Man),
}

impl Noun {
    fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Route(route) => route.run(context),
            Self::Neigh(neigh) => neigh.run(context),
            Self::Address(address) => address.run(context),
            Self::Port(port) => port.run(context),
            Self::Timer(timer) => timer.run(context),
            Self::Fpm(fpm) => fpm.run(context),
            Self::Redirect(redirect) => redirect.run(context),
            Self::Pmtu(pmtu) => pmtu.run(context),
            Self::Config(config) => config.run(context),
            Self::Monitor(monitor) => monitor.run(context),
            Self::Worker(worker) => worker.run(context),
            Self::Stats => stats::run(context),
            Self::Drops(drops) => drops.run(context),
            Self::Replay(replay) => replay.run(context),
            Self::Version => version::run(context),
            Self::Completion(completion) => completion.run(context),
            Self::Man(man) => man.run(context),
        }
    }
}

/// What `ferry` exits with; a kind of error is the `kind` in its JSON.
const EXIT_CODES: &str = "\
Exit codes:
   0  done
   1  internal, unknown: a defect, or the output could not be written
   2  usage: the command line could not be read
   3  invalid, family_mismatch, not_supported, too_large, too_many, unsupported_version
   4  exists
   5  not_found, no_such_table
   6  unreachable_gateway, gateway_itself, gateway_loop, host_unreachable
   7  unknown_port
   8  not_allowed, restart_needed
   9  busy, timeout: try again
  10  not_running, shutting_down
  11  permission_denied
  12  `config diff` alone: something would change, and can be reloaded";

#[cfg(test)]
mod tests {
    use control_api::ErrorKind;

    use super::*;

    #[test]
    fn the_help_names_every_kind_of_error_beside_its_exit_code() {
        for kind in ErrorKind::ALL {
            let beside = format!("{:>4}  ", kind.exit_code());
            let line = EXIT_CODES.lines().find(|line| line.starts_with(&beside)).unwrap();
            assert!(line.contains(kind.name()), "{kind} in {line}");
            assert_ne!(kind.exit_code(), config::DIFFERS, "{kind}");
        }
    }

    #[test]
    fn the_command_line_is_sound() {
        use clap::CommandFactory;
        Args::command().debug_assert();
    }
}
