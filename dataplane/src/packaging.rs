//! What a package has beside `ferryd`: a man page, and what shells complete. Printed by the program itself, so that neither
//! can differ from it.

use std::io;

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::{Args, answer};

pub(crate) fn print_man() -> io::Result<()> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Args::command()).section("8").render(&mut page)?;
    answer(&page)
}

pub(crate) fn print_completion(shell: Shell) -> io::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "ferryd", &mut script);
    answer(&script)
}
