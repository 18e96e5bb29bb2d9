//! `orchestrate status`.

use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::state::Runs;
use crate::report::{next_commands, render_status};

/// Shows one run. Never locks it.
pub(super) async fn run(
    given: Option<&str>,
    runs: &Runs,
    output: Output,
) -> Result<Exit, CommandError> {
    let id = runs.find(given).await?;
    let known = runs.load(&id).await?;
    let place = runs.place(&id);
    output.say(&render_status(&known.state, &place, known.alive(), output.style));
    output.json(&serde_json::json!({ "event": "status", "data": {
        "state": known.state, "alive": known.alive(), "holder": known.holder.as_ref().map(|holder| &holder.who), "journal": place.journal,
        "next": next_commands(&known.state, known.alive(), &place),
    }}));
    Ok(Exit::Done)
}
