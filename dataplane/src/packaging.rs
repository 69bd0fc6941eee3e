//! What a package has beside `ferryd`: a man page, and what shells complete. Printed by the program itself, so that neither
//! can differ from it.

use std::io::{self, Write as _};

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::Args;

pub(crate) fn print_man() -> io::Result<()> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Args::command()).section("8").render(&mut page)?;
    print(&page)
}

pub(crate) fn print_completion(shell: Shell) -> io::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "ferryd", &mut script);
    print(&script)
}

/// A reader that has seen enough is no failure.
fn print(text: &[u8]) -> io::Result<()> {
    match io::stdout().write_all(text) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}
