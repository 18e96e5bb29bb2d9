//! `orchestrate rollback`.

use std::path::PathBuf;

use super::resume::{still_there, take_up};
use crate::cli::ask;
use crate::cli::drive::myself;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::state::Runs;
use crate::engine::journal::{JournalError, Record, Rest, RollbackReason};
use crate::engine::{Phase, RunState};
use crate::report::{render_status, undoing};

pub(super) async fn run(
    given: Option<&str>,
    past_pivot: bool,
    yes: bool,
    runs: Runs,
    ca: Option<PathBuf>,
    output: Output,
) -> Result<Exit, CommandError> {
    let id = runs.find(given).await?;
    let known = runs.load(&id).await?;
    let state = &known.state;
    still_there(state)?;
    output.say(&render_status(state, &runs.place(&id), known.alive(), output.style));
    // A lease may be that of a process that is dead: then its end is waited for.
    if known.holder.as_ref().is_some_and(|holder| holder.ends_in.is_none()) {
        return Err(CommandError::state(
            &format!("run {id} cannot be taken up"),
            &JournalError::Locked,
        ));
    }
    permit(state, past_pivot)?;
    output.say(&undoing(state));
    ask::yes("Undo this run?", yes)?;
    let seen = state.seq;
    let permit = |state: &RunState, last: u64| {
        if last == seen {
            return permit(state, past_pivot);
        }
        let run = &state.header.run;
        Err(CommandError::new(Exit::Locked, format!("run {run} went on before it could be locked"))
            .because("what would be undone is no longer what was shown; nothing was changed")
            .hint(format!("`orchestrate status {run}` shows where it is now")))
    };
    take_up(&id, permit, &runs, ca, output).await
}

/// What to add to the journal to go back, or why the run does not go back.
pub(in crate::cli) fn permit(
    state: &RunState,
    past_pivot: bool,
) -> Result<Vec<Record>, CommandError> {
    let run = &state.header.run;
    if matches!(state.rest, Some(Rest::RolledBack | Rest::Cancelled)) {
        return Err(CommandError::new(
            Exit::Locked,
            format!("run {run} has been rolled back already"),
        ));
    }
    if state.past_pivot() && !past_pivot {
        return Err(CommandError::new(
            Exit::Refused,
            "the applications have moved to the new endpoint; nothing was changed",
        )
        .because("putting the old endpoint back loses, for the applications, every write made to the new cluster since the swap")
        .hint(format!("if that is what you want: `orchestrate rollback {run} --past-pivot`")));
    }
    if let Some(pivot) = state.in_pivot().filter(|_| !past_pivot) {
        return Err(CommandError::new(
            Exit::Refused,
            format!(
                "the run stopped inside step \"{}\": the applications may have moved to the new endpoint; nothing was changed",
                pivot.id
            ),
        )
        .because("if they have, putting the old endpoint back loses, for them, every write made to the new cluster since")
        .hint(format!("`orchestrate resume {run}` finishes the step"))
        .hint(format!("to go back all the same: `orchestrate rollback {run} --past-pivot`")));
    }
    Ok(match state.phase {
        Phase::Back(_) if !past_pivot => vec![Record::Resumed { by: myself() }],
        _ => vec![Record::RollbackStarted {
            reason: RollbackReason::Asked { by: myself(), past_pivot },
        }],
    })
}
