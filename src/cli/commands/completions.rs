//! `orchestrate completions`.

use clap::CommandFactory;
use clap_complete::{Shell, generate};

use crate::cli::args::Cli;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::output::Output;

/// Prints the completions of a shell.
pub(super) fn run(shell: Shell) -> Result<Exit, CommandError> {
    let mut text = Vec::new();
    generate(shell, &mut Cli::command(), "orchestrate", &mut text);
    Output::from_env(false).say(&String::from_utf8_lossy(&text));
    Ok(Exit::Done)
}
