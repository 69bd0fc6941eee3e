//! What all nouns share: whom to ask, and whether a person or a program reads the answer.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use control_api::client::Client;
use control_api::{Family, Reply, Request};
use serde::Serialize;

use crate::failure::Failure;
use crate::table::Paint;

/// Options that every noun has, before or after it, and below its own in its help.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// The socket of the ferryd to talk to.
    #[arg(short, long, global = true, display_order = 900, value_name = "PATH", env = "FERRY_SOCKET", default_value = control_api::DEFAULT_SOCKET)]
    socket: PathBuf,
    /// Print one line of JSON, errors included.
    #[arg(short, long, global = true, display_order = 901)]
    json: bool,
    /// Only IPv4; `default` is 0.0.0.0/0.
    #[arg(short = '4', global = true, display_order = 902, conflicts_with = "ipv6")]
    ipv4: bool,
    /// Only IPv6; `default` is ::/0.
    #[arg(short = '6', global = true, display_order = 903)]
    ipv6: bool,
}

/// Those options, as nouns use them.
#[derive(Debug)]
pub(crate) struct Context {
    common: Common,
    paint: Paint,
}

impl Context {
    pub(crate) fn new(common: Common) -> Self {
        let is_seen = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|no| no.is_empty());
        Self { common, paint: Paint { on: is_seen } }
    }

    /// Whether a program reads.
    pub(crate) fn json(&self) -> bool {
        self.common.json
    }

    /// The family asked for, if any.
    pub(crate) fn family(&self) -> Option<Family> {
        match (self.common.ipv4, self.common.ipv6) {
            (true, _) => Some(Family::Ipv4),
            (false, true) => Some(Family::Ipv6),
            (false, false) => None,
        }
    }

    /// What ferryd answers.
    pub(crate) fn ask(&self, request: &Request) -> Result<Reply, Failure> {
        Ok(self.client()?.ask(request)?)
    }

    /// A connection to ferryd.
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        Ok(Client::connect(&self.common.socket, PATIENCE)?)
    }

    /// Prints `answer` as JSON, or what `human` makes of it.
    pub(crate) fn say(&self, answer: &impl Serialize, human: impl FnOnce(Paint) -> String) -> Result<(), Failure> {
        self.say_also(answer, human).map(|_printed| ())
    }

    /// The same of one of many.
    pub(crate) fn say_also(
        &self,
        answer: &impl Serialize,
        human: impl FnOnce(Paint) -> String,
    ) -> Result<Printed, Failure> {
        let text = if self.json() {
            let mut line = serde_json::to_string(answer).map_err(|error| Failure::internal(error.to_string()))?;
            line.push('\n');
            line
        } else {
            human(self.paint)
        };
        print(&text)
    }
}

/// Prints to standard output. A reader that has seen enough, as `head` does, is no failure.
pub(crate) fn print(text: &str) -> Result<Printed, Failure> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::internal(format!("cannot write the answer: {error}")))
        }
        Ok(()) => Ok(Printed::ToSomebody),
        Err(_) => Ok(Printed::ToNobody),
    }
}

/// Whether anybody reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Printed {
    /// Somebody does.
    ToSomebody,
    /// Nobody does any more.
    ToNobody,
}

/// Longer than ferryd lets its control thread think, so that its own word for that arrives.
const PATIENCE: Duration = Duration::from_secs(15);
