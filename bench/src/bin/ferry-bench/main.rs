//! `ferry-bench`: what ferry's worker costs, measured beside its peers on the same ports.

mod churn;
mod contestant;
mod cores;
mod dut;
mod flood;
mod forward;
mod generate;
mod generator;
mod lane;
mod outcome;
mod picture;
mod ports;
mod progress;
mod replay;
mod rfc2544;
mod traffic;
mod worker;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Measures ferry's worker beside its peers.
#[derive(Debug, Parser)]
#[command(name = "ferry-bench", version)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// One worker on one core: what a packet costs it, by stages and engines, and beside `dpdk-testpmd`. Three minutes as it
    /// is.
    Forward(forward::Options),
    /// A flood of packets to nobody, or of expired ones, and what it costs others; over ports in memory.
    Flood(flood::Options),
    /// A paced load on two ports, every packet numbered and timed: what was lost, late, twice or out of order.
    Generate(generate::Options),
    /// Throughput, latency, loss, bursts and recovery of ferryd or `dpdk-testpmd` over vhost, or of what is between two ports.
    /// Four minutes as it is.
    Rfc2544(rfc2544::Options),
    /// Packets that ferryd loses while routes change, counters are read and neighbours come and go. Three to four minutes as
    /// it is.
    Churn(churn::Options),
    /// Captures into a running ferryd, and whether it does with each packet what `ferry replay` says.
    Replay(replay::Options),
    /// One worker that forwards until its standard input ends; for each line there, prints the packets it has received.
    #[command(hide = true)]
    Worker(worker::Options),
    /// Keeps everybody who may run elsewhere off a core until its standard input ends.
    #[command(hide = true)]
    ClearCore(cores::Options),
}

fn main() -> ExitCode {
    let outcome = match Args::parse().command {
        Command::Forward(options) => forward::run(&options),
        Command::Flood(options) => flood::run(&options),
        Command::Generate(options) => generate::run(&options),
        Command::Rfc2544(options) => rfc2544::run(&options),
        Command::Churn(options) => churn::run(&options),
        Command::Replay(options) => replay::run(&options),
        Command::Worker(options) => worker::run(&options),
        Command::ClearCore(options) => cores::run(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_options_of_every_command_are_in_order() {
        Args::command().debug_assert();
    }
}
