//! `orchestrate rollback`.

use std::path::PathBuf;

use super::resume::{still_there, take_up};
use crate::cli::ask;
use crate::cli::drive::myself;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::state::Runs;
use crate::engine::Phase;
use crate::engine::journal::{Record, Rest, RollbackReason};
use crate::report::render_status;

pub(super) async fn run(
    given: Option<&str>,
    past_pivot: bool,
    yes: bool,
    runs: Runs,
    ca: Option<PathBuf>,
    output: Output,
) -> Result<Exit, CommandError> {
    let id = runs.find(given)?;
    let known = runs.load(&id)?;
    let state = &known.state;
    still_there(state)?;
    output.say(&render_status(state, &known.path.display().to_string(), known.alive, output.style));
    if matches!(state.rest, Some(Rest::RolledBack | Rest::Cancelled)) {
        return Err(CommandError::new(
            Exit::Locked,
            format!("run {id} has been rolled back already"),
        ));
    }
    if state.past_pivot() && !past_pivot {
        return Err(CommandError::new(
            Exit::Refused,
            "the applications have moved to the new endpoint; nothing was changed",
        )
        .because("putting the old endpoint back loses, for the applications, every write made to the new cluster since the swap")
        .hint(format!("if that is what you want: `orchestrate rollback {id} --past-pivot`")));
    }
    let steps: Vec<&str> = state.to_undo().iter().map(|step| step.id.as_str()).collect();
    if steps.is_empty() {
        output.say("  This run has changed nothing yet.");
    } else {
        output.say(&format!("  To be undone, in this order: {}", steps.join(", ")));
    }
    ask::yes("Undo this run?", yes)?;
    let more = match state.phase {
        Phase::Back(_) if !past_pivot => vec![Record::Resumed { by: myself() }],
        _ => vec![Record::RollbackStarted {
            reason: RollbackReason::Asked { by: myself(), past_pivot },
        }],
    };
    take_up(&id, more, &runs, ca, output).await
}
