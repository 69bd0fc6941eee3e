//! `ferry port`: the ports, as `ip -s link` and `ip addr` show interfaces.

mod rss;

use std::fmt::Write;

use clap::{Args, Subcommand};
use control_api::{Link, Port as Shown, Reply, Request};

use crate::context::Context;
use crate::failure::Failure;
use crate::table::{Paint, Table, Tone, count, toned, word};

#[derive(Debug, Args)]
pub(crate) struct Port {
    /// What to do; `show` if nothing is said.
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show all ports, or one.
    #[command(visible_alias = "list")]
    Show {
        /// The port's name.
        #[arg(value_name = "PORT")]
        name: Option<String>,
    },
    /// Show what comes in through each receive queue, and how flows are spread over them.
    Rss {
        /// The port's name.
        #[arg(value_name = "PORT")]
        name: Option<String>,
    },
    /// Take a port down or up, or let it carry packets of another length while it runs: PORT up, PORT down, PORT mtu BYTES.
    #[command(override_usage = "ferry port set PORT up|down|mtu BYTES")]
    Set {
        /// The port's name.
        #[arg(value_name = "PORT")]
        name: String,
        /// What is to be other, and how.
        #[arg(value_name = "up|down|mtu BYTES", required = true)]
        words: Vec<String>,
    },
}

impl Port {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self.verb.unwrap_or(Verb::Show { name: None }) {
            Verb::Show { name } => Self::show(name, context),
            Verb::Rss { name } => rss::run(name, context),
            Verb::Set { name, words } => Self::set(name, &words, context),
        }
    }

    fn set(name: String, words: &[String], context: &Context) -> Result<(), Failure> {
        let request = match words {
            [what, bytes] if what == "mtu" => bytes.parse().ok().map(|mtu| Request::PortSet { name, mtu }),
            [turn] if turn == "up" || turn == "down" => Some(Request::PortTurn { name, up: turn == "up" }),
            _other => None,
        };
        let usage = || Failure::usage(format!("expected `up`, `down` or `mtu BYTES`, found `{}`", words.join(" ")));
        let request = request.ok_or_else(|| usage().with_hint("see `ferry port --help`"))?;
        let Reply::Done = context.ask(&request)? else {
            return Err(Failure::unexpected_answer());
        };
        context.say(&serde_json::json!({ "done": true }), |_paint| String::new())
    }

    fn show(name: Option<String>, context: &Context) -> Result<(), Failure> {
        let Reply::Ports(ports) = context.ask(&Request::PortShow { name })? else {
            return Err(Failure::unexpected_answer());
        };
        context.say(&ports, |paint| if ports.is_empty() { "no ports\n".to_owned() } else { show(&ports, paint) })
    }
}

/// What each port is, and then what went through them side by side.
fn show(ports: &[Shown], paint: Paint) -> String {
    let mut text = String::new();
    let mut table = Table::new(["port", "link", "mtu", "address", "driver", "device"]);
    for port in ports {
        let link = match port.operstate {
            link @ Link::Up => toned(link.name(), Tone::Good),
            Link::Down if port.admin_down => toned("admin down", Tone::Bad),
            link @ Link::Down => toned(link.name(), Tone::Bad),
            link @ Link::Unknown => toned(link.name(), Tone::Doubtful),
        };
        let mtu = word(port.mtu.to_string());
        table.row([
            word(&port.ifname),
            link,
            mtu,
            word(port.address.to_string()),
            word(&port.driver),
            word(&port.device),
        ]);
    }
    text.push_str(&table.render(paint));

    let mut table = Table::new(["port", "addresses"]);
    for port in ports.iter().filter(|port| !port.addresses.is_empty()) {
        let addresses: Vec<_> = port.addresses.iter().map(ToString::to_string).collect();
        table.row([word(&port.ifname), word(addresses.join(" "))]);
    }
    if !table.is_empty() {
        let _memory = write!(text, "\n{}", table.render(paint));
    }

    let mut table = Table::new(["port", "unused", "because another host"]);
    for (port, unused) in ports.iter().flat_map(|port| port.unused.iter().map(move |unused| (port, unused))) {
        let why = if unused.duplicate { toned("has it", Tone::Bad) } else { toned("may have it", Tone::Doubtful) };
        table.row([word(&port.ifname), word(unused.address.to_string()), why]);
    }
    if !table.is_empty() {
        let _memory = write!(text, "\n{}", table.render(paint));
    }

    let mut table =
        Table::new(["port", "rx packets", "rx bytes", "tx packets", "tx bytes", "missed", "errors", "no buffer"]);
    for port in ports {
        let mut row = vec![word(&port.ifname)];
        row.extend([port.rx.packets, port.rx.bytes, port.tx.packets, port.tx.bytes].map(count));
        if let Some(hardware) = port.hardware {
            row.extend([hardware.missed, hardware.errors, hardware.no_buffer].map(count));
        }
        table.row(row);
    }
    let _memory = write!(text, "\n{}", table.render(paint));

    let mut table =
        Table::new(["port", "kernel interface", "namespace", "to kernel", "from kernel", "lost", "refused"]);
    for (port, tap) in ports.iter().filter_map(|port| Some((port, port.tap.as_ref()?))) {
        let mut row = vec![word(&port.ifname), word(&tap.ifname), word(tap.netns.as_deref().unwrap_or("-"))];
        row.extend([tap.counts.to_kernel, tap.counts.from_kernel, tap.counts.lost, tap.counts.refused].map(count));
        table.row(row);
    }
    if !table.is_empty() {
        let _memory = write!(text, "\n{}", table.render(paint));
    }
    text
}
