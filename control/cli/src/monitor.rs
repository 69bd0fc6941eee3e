//! `ferry monitor`: what happens to routes, addresses and links, as it happens, in the way of `route monitor`.

use clap::Args;
use control_api::{RouteEvent, Told};

use crate::context::{Context, Printed};
use crate::failure::Failure;

#[derive(Debug, Args)]
pub(crate) struct Monitor {
    /// Only what concerns this table of routes, and what concerns all; by default every table.
    #[arg(long, value_name = "N")]
    fib: Option<u16>,
}

impl Monitor {
    /// Prints a line for each event until ferryd hangs up, or nobody reads any more.
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let mut client = context.client()?;
        client.follow(self.fib)?;
        loop {
            let told = client.next_event()?;
            if context.say_also(&told, |_paint| sentence(&told))? == Printed::ToNobody {
                return Ok(());
            }
        }
    }
}

/// An event as one reads it; before it, in a line of its own, what was lost.
fn sentence(told: &Told) -> String {
    let lost = match told.lost {
        0 => String::new(),
        1 => "(1 event lost)\n".to_owned(),
        lost => format!("({lost} events lost)\n"),
    };
    format!("{lost}{}\n", words(&told.event).join(" "))
}

fn words(event: &RouteEvent) -> Vec<String> {
    let RouteEvent {
        kind, fib, flags, errno, seq, pid, dst, gateway, dev, ifa, author, address, operstate, mtu, ..
    } = event;
    let mut words = vec![kind.name().to_owned()];
    let mut say = |word: &str, value: Option<String>| {
        words.extend(value.into_iter().flat_map(|value| [word.to_owned(), value]).filter(|word| !word.is_empty()));
    };
    say("", dst.map(|dst| dst.to_string()));
    say("", address.map(|address| address.to_string()));
    say("via", gateway.map(|gateway| gateway.to_string()));
    say("dev", dev.clone());
    say("src", ifa.map(|ifa| ifa.to_string()));
    say("from", author.map(|author| author.to_string()));
    say("link", operstate.map(|link| link.name().to_owned()));
    say("mtu", mtu.map(|mtu| mtu.to_string()));
    let letters = flags.letters();
    say("flags", Some(letters).filter(|letters| !letters.is_empty()));
    say("table", fib.map(|fib| fib.to_string()));
    say("pid", Some(pid).filter(|pid| **pid > 0).map(u32::to_string));
    say("seq", Some(seq).filter(|seq| **seq > 0).map(u32::to_string));
    say("failed", errno.as_ref().map(|errno| errno.to_string()));
    words
}
