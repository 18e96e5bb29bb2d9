//! `orchestrate runs`.

use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::state::Runs;
use crate::report::render_run_line;

/// Lists every run, oldest first, also those whose journal does not read back.
pub(super) async fn run(runs: &Runs, output: Output) -> Result<Exit, CommandError> {
    let ids = runs.ids().await?;
    if ids.is_empty() {
        output.say("no runs yet");
    }
    for id in ids {
        match runs.load(&id).await {
            Ok(known) => {
                output.say(&render_run_line(&known.state, known.alive(), output.style));
                output.json(&serde_json::json!({ "event": "run", "data": {
                    "run": id, "playbook": known.state.plan.playbook, "begun": known.state.header.at,
                    "rest": known.state.rest, "alive": known.alive(), "journal": known.place,
                }}));
            }
            Err(error) => {
                output.say(&format!("{id}  its journal does not read back"));
                output.complain(&error.render(output.err_style));
                output.json(&error.json());
            }
        }
    }
    Ok(Exit::Done)
}
