//! `ferry completion`: what a shell needs to complete command lines, printed by the tool itself, so that it cannot differ.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use crate::context::Context;
use crate::failure::Failure;

#[derive(Debug, Args)]
pub(crate) struct Completion {
    /// The shell.
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

impl Completion {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut crate::Args::command(), "ferry", &mut script);
        let script = String::from_utf8(script).map_err(|error| Failure::internal(error.to_string()))?;
        context.say(&serde_json::json!({ "shell": self.shell.to_string(), "script": script }), |_paint| script.clone())
    }
}
