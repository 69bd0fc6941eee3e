//! The two hosts on the wires of the router that `scripts/nic-lab` starts in a machine of its own.
//!
//! Each wire is a TCP connection on which QEMU carries the frames of one emulated card. The hosts find the router by ARP,
//! answer when it looks for them, and then send numbered packets to each other through it, in both directions and both
//! families, at a steady pace: what QEMU cannot hand over at once it keeps, so a source without a pace would measure
//! QEMU's memory. Every packet must come out on the other side, whole, in its place, from the router's station and with
//! one hop less; anything else is named and ends the program with a status other than 0.

mod flow;
mod host;
mod wire;

use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::Parser;
use serde::Serialize;

use crate::flow::{Flow, Report};
use crate::host::{HOSTS, Host};

/// Sends numbered packets through a router between two of QEMU's socket wires, and checks each that comes out.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// The TCP port of the wire on the left.
    #[arg(long)]
    left: u16,
    /// The TCP port of the wire on the right.
    #[arg(long)]
    right: u16,
    /// Packets a second, over all four flows.
    #[arg(long, default_value_t = 2000)]
    pps: u32,
    /// How long to send, in seconds.
    #[arg(long, default_value_t = 10)]
    seconds: u32,
    /// How long the router may take to come up, in seconds.
    #[arg(long, default_value_t = 180)]
    patience: u64,
    /// Prints the result as JSON.
    #[arg(long)]
    json: bool,
}

/// What was sent and what came of it.
#[derive(Debug, Serialize)]
struct Outcome {
    passed: bool,
    packets_per_second: u32,
    seconds: u32,
    flows: Vec<Report>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    match run(&args) {
        Ok(outcome) => {
            if args.json {
                println!("{}", serde_json::to_string(&outcome).expect("numbers and names have a form in JSON"));
            } else {
                outcome.flows.iter().for_each(|report| println!("{report}"));
            }
            if outcome.passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<Outcome, String> {
    let deadline = Instant::now() + Duration::from_secs(args.patience);
    let [left, right] = HOSTS;
    let mut hosts = [Host::connect(left, args.left, deadline)?, Host::connect(right, args.right, deadline)?];
    for host in &mut hosts {
        host.find_router(deadline)?;
        eprintln!("{} found the router at {}", host.name(), host.router());
    }
    let mut flows = Flow::between(&hosts);
    open(&mut hosts, &mut flows, deadline)?;
    send(&mut hosts, &mut flows, args)?;
    let flows: Vec<_> = flows.iter().map(Flow::report).collect();
    let passed = flows.iter().all(Report::is_perfect);
    Ok(Outcome { passed, packets_per_second: args.pps, seconds: args.seconds, flows })
}

/// Lets the router find the hosts: a packet of each flow until one has come out, which is not counted.
fn open(hosts: &mut [Host; 2], flows: &mut [Flow], deadline: Instant) -> Result<(), String> {
    while let Some(closed) = flows.iter().find(|flow| !flow.is_open()) {
        if Instant::now() > deadline {
            return Err(format!("no packet of the flow {closed} came out of the router"));
        }
        for flow in flows.iter().filter(|flow| !flow.is_open()) {
            flow.knock(&mut hosts[flow.from()])?;
        }
        exchange(hosts, flows, Instant::now() + Duration::from_millis(200))?;
    }
    // What was sent while the way was found is through by now.
    exchange(hosts, flows, Instant::now() + Duration::from_millis(500))
}

/// Sends at the pace asked for, and waits for what is still on its way.
fn send(hosts: &mut [Host; 2], flows: &mut [Flow], args: &Args) -> Result<(), String> {
    let total = u64::from(args.pps) * u64::from(args.seconds);
    let start = Instant::now();
    let mut sent = 0;
    let mut place = 0;
    while sent < total {
        let due = (start.elapsed().as_secs_f64() * f64::from(args.pps)).min(total as f64);
        while (sent as f64) < due {
            let flow = &mut flows[place];
            flow.send(&mut hosts[flow.from()])?;
            place = (place + 1) % flows.len();
            sent += 1;
        }
        exchange(hosts, flows, Instant::now() + Duration::from_millis(1))?;
    }
    let deadline = Instant::now() + LAST_WAIT;
    while flows.iter().any(|flow| flow.is_waiting()) && Instant::now() < deadline {
        exchange(hosts, flows, Instant::now() + Duration::from_millis(50))?;
    }
    Ok(())
}

/// Takes what comes in until `until`: questions are answered, numbered packets checked.
fn exchange(hosts: &mut [Host; 2], flows: &mut [Flow], until: Instant) -> Result<(), String> {
    loop {
        for (place, host) in hosts.iter_mut().enumerate() {
            while let Some(frame) = host.receive()? {
                if let Some(flow) = flows.iter_mut().find(|flow| flow.to() == place && flow.is_of(&frame)) {
                    flow.check(&frame, host);
                }
            }
            host.flush()?;
        }
        if Instant::now() >= until {
            return Ok(());
        }
        sleep(Duration::from_micros(200));
    }
}

/// How long the last packets may take.
const LAST_WAIT: Duration = Duration::from_secs(5);
