//! `ferry address`: in the words of `ip address`.

use std::net::IpAddr;

use clap::{Args, Subcommand};
use control_api::{InterfaceAddress, Reply, Request};
use serde::Serialize;

use crate::context::Context;
use crate::failure::Failure;
use crate::table::{Table, Tone, toned, word};

#[derive(Debug, Args)]
pub(crate) struct Address {
    /// What to do; `show` if nothing is said.
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show the ports' addresses: all, or those of a port (dev PORT).
    #[command(visible_alias = "list", override_usage = "ferry address show [dev PORT]")]
    Show {
        /// `dev PORT`.
        #[arg(value_name = "WORDS", num_args = 0..=2)]
        words: Vec<String>,
    },
    /// Give a port one more address: ADDRESS/LEN dev PORT. It is gone when ferryd ends: the configuration is what stays.
    #[command(override_usage = "ferry address add ADDRESS/LEN dev PORT")]
    Add {
        /// The address, the length of its network, and the port.
        #[arg(value_name = "ADDRESS", required = true)]
        words: Vec<String>,
    },
    /// Take an address of a port away: ADDRESS[/LEN] dev PORT. One of the configuration is back when ferryd
    /// starts again or reloads it.
    #[command(visible_alias = "delete", override_usage = "ferry address del ADDRESS[/LEN] dev PORT")]
    Del {
        /// The address and the port.
        #[arg(value_name = "ADDRESS", required = true)]
        words: Vec<String>,
    },
}

impl Address {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self.verb.unwrap_or(Verb::Show { words: Vec::new() }) {
            Verb::Show { words } => show(context, dev(&words)?),
            Verb::Add { words } => change(context, &added(&words)?),
            Verb::Del { words } => change(context, &deleted(&words)?),
        }
    }
}

/// Reads `ADDRESS/LEN dev PORT`.
fn added(words: &[String]) -> Result<Request, Failure> {
    let (address, dev) = of_port(words)?;
    let address = address.parse::<InterfaceAddress>().map_err(|error| usage(error.to_string()))?;
    Ok(Request::AddressAdd { address, dev })
}

/// Reads `ADDRESS[/LEN] dev PORT`.
fn deleted(words: &[String]) -> Result<Request, Failure> {
    let (text, dev) = of_port(words)?;
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(Request::AddressDel { address, len: None, dev });
    }
    let own = text.parse::<InterfaceAddress>().map_err(|error| usage(error.to_string()))?;
    Ok(Request::AddressDel { address: own.address(), len: Some(own.len()), dev })
}

fn of_port(words: &[String]) -> Result<(&str, String), Failure> {
    match words {
        [address, word, port] if word == "dev" => Ok((address, port.clone())),
        [address] => Err(usage(format!("of which port is {address}? add `dev PORT`"))),
        _other => Err(usage(format!("expected `ADDRESS dev PORT`, found `{}`", words.join(" ")))),
    }
}

fn dev(words: &[String]) -> Result<Option<String>, Failure> {
    match words {
        [] => Ok(None),
        [word, port] if word == "dev" => Ok(Some(port.clone())),
        _other => Err(usage(format!("expected `dev PORT`, found `{}`", words.join(" ")))),
    }
}

fn usage(message: impl Into<String>) -> Failure {
    Failure::usage(message).with_hint("see `ferry address --help`")
}

fn change(context: &Context, request: &Request) -> Result<(), Failure> {
    match context.ask(request)? {
        // As with `ip`, no news is good news.
        Reply::Done => context.say(&serde_json::json!({ "done": true }), |_paint| String::new()),
        _another => Err(Failure::unexpected_answer()),
    }
}

/// An address as it is shown.
#[derive(Debug, Serialize)]
struct Shown {
    address: InterfaceAddress,
    dev: String,
    state: &'static str,
}

fn show(context: &Context, dev: Option<String>) -> Result<(), Failure> {
    let Reply::Ports(ports) = context.ask(&Request::PortShow { name: dev })? else {
        return Err(Failure::unexpected_answer());
    };
    let of_port = |port: &control_api::Port| {
        let state = |own: IpAddr| match port.unused.iter().find(|unused| unused.address == own) {
            None => IN_USE,
            Some(unused) if unused.duplicate => DUPLICATE,
            Some(_tried) => TENTATIVE,
        };
        let shown =
            |own: &InterfaceAddress| Shown { address: *own, dev: port.ifname.clone(), state: state(own.address()) };
        port.addresses.iter().map(shown).collect::<Vec<_>>()
    };
    let shown: Vec<_> = ports.iter().flat_map(of_port).collect();
    context.say(&shown, |paint| {
        let mut table = Table::new(["address", "dev", "state"]);
        for Shown { address, dev, state } in &shown {
            let tone = match *state {
                IN_USE => Tone::Good,
                DUPLICATE => Tone::Bad,
                _tentative => Tone::Doubtful,
            };
            table.row([word(address.to_string()), word(dev.clone()), toned(*state, tone)]);
        }
        if table.is_empty() { "no addresses\n".to_owned() } else { table.render(paint) }
    })
}

const IN_USE: &str = "in_use";
/// It is tried: another host may have it.
const TENTATIVE: &str = "tentative";
/// Another host has it.
const DUPLICATE: &str = "duplicate";

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn an_address_is_read_as_ip_reads_it() {
        let dev = || "left".to_owned();
        assert_eq!(
            added(&words("192.0.2.9/24 dev left")),
            Ok(Request::AddressAdd { address: "192.0.2.9/24".parse().unwrap(), dev: dev() })
        );
        for (line, len) in [("2001:db8::9 dev left", None), ("2001:db8::9/64 dev left", Some(64))] {
            let address = "2001:db8::9".parse().unwrap();
            assert_eq!(deleted(&words(line)), Ok(Request::AddressDel { address, len, dev: dev() }), "{line}");
        }
    }

    #[test]
    fn words_that_make_no_address_are_refused_for_their_reason() {
        for (line, reason) in [
            ("192.0.2.9/24", "of which port is 192.0.2.9/24? add `dev PORT`"),
            ("192.0.2.9/24 on left", "expected `ADDRESS dev PORT`, found `192.0.2.9/24 on left`"),
        ] {
            let expected = Failure::usage(reason).with_hint("see `ferry address --help`");
            assert_eq!(added(&words(line)), Err(expected), "{line}");
        }
        for line in ["192.0.2.9 dev left", "192.0.2.0/24 dev left", "192.0.2.9/33 dev left", "left dev left"] {
            assert!(added(&words(line)).is_err(), "{line}");
        }
    }
}
