//! `ferry man`: the man pages, one for each command, written by the tool itself, so that they cannot differ from it.

use std::path::{Path, PathBuf};
use std::{fs, io};

use clap::{Args, CommandFactory as _};

use crate::context::Context;
use crate::failure::Failure;

#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Where `ferry.1`, `ferry-route.1` and the others are written; made if it is not there.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

impl Man {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let directory = self.directory.as_path();
        let pages = write_pages(directory).map_err(|error| {
            let message = format!("the man pages cannot be written into `{}`: {error}", directory.display());
            Failure::internal(message).with_hint("name a folder that may be written to")
        })?;
        context.say(&serde_json::json!({ "written": pages }), |_paint| {
            pages.iter().map(|page| format!("{}\n", page.display())).collect()
        })
    }
}

/// The pages, in the order of their names.
fn write_pages(directory: &Path) -> io::Result<Vec<PathBuf>> {
    fs::create_dir_all(directory)?;
    let mut pages = Vec::new();
    let mut command = crate::Args::command().disable_help_subcommand(true);
    command.build();
    write_page(&command, directory, &mut pages)?;
    pages.sort();
    Ok(pages)
}

/// The page of a command, and those of the commands below it.
fn write_page(command: &clap::Command, directory: &Path, pages: &mut Vec<PathBuf>) -> io::Result<()> {
    let page = clap_mangen::Man::new(command.clone());
    let path = directory.join(page.get_filename());
    page.render(&mut fs::File::create(&path)?)?;
    pages.push(path);
    command.get_subcommands().try_for_each(|below| write_page(below, directory, pages))
}
