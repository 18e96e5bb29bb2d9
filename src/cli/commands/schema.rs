//! `orchestrate schema`.

use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::plan::playbook_schema;
use crate::steps::catalog;

/// Prints the JSON Schema, with `--json` on one line.
pub(super) fn run(output: Output) -> Result<Exit, CommandError> {
    let schema = playbook_schema(&catalog());
    output.json(&schema);
    output.say(&format!("{schema:#}"));
    Ok(Exit::Done)
}
