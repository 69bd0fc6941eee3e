//! `ferry drops`: what was dropped, and why.

use clap::Args;
use control_api::{Reply, Request};

use crate::context::Context;
use crate::failure::Failure;
use crate::table::{Table, count, word};

#[derive(Debug, Args)]
pub(crate) struct Drops {
    /// Show the reasons nothing was dropped for, too; with --json they always are there.
    #[arg(short, long)]
    all: bool,
}

impl Drops {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let Reply::Drops(drops) = context.ask(&Request::Drops)? else { return Err(Failure::unexpected_answer()) };
        context.say(&drops, |paint| {
            let mut table = Table::new(["reason", "packets", "meaning"]);
            for drop in drops.iter().filter(|drop| self.all || drop.packets > 0) {
                table.row([word(&drop.reason), count(drop.packets), word(&drop.explanation)]);
            }
            if table.is_empty() { "nothing was dropped\n".to_owned() } else { table.render(paint) }
        })
    }
}
