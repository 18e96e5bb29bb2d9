//! `orchestrate approve`.

use std::rc::Rc;

use super::resume::still_there;
use crate::cli::drive::myself;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::state::Runs;
use crate::engine::journal::{Entry, Record};
use crate::engine::{Clock, RunId, RunState};
use crate::report::{instant, writes};
use crate::state::Opened;

/// Writes the answer into the journal, and gives the run it was for. Calls nothing.
pub(super) async fn run(
    given: Option<&str>,
    approved: bool,
    comment: Option<String>,
    runs: &Runs,
    output: Output,
) -> Result<RunId, CommandError> {
    let id = runs.find(given).await?;
    let opened = runs.open(&id, output).await?;
    let lease = Rc::clone(&opened.lease);
    let answered = answer(&id, approved, comment, opened, output).await;
    // If this fails it ends by itself.
    let _ = lease.release().await;
    answered?;
    Ok(id)
}

async fn answer(
    id: &RunId,
    approved: bool,
    comment: Option<String>,
    opened: Opened,
    output: Output,
) -> Result<(), CommandError> {
    let Opened { mut journal, entries, .. } = opened;
    let contradiction = |error: crate::engine::Illegal| {
        CommandError::new(Exit::State, format!("the journal of run {id} contradicts itself"))
            .because(error.to_string())
    };
    let state = RunState::replay(&entries).map_err(contradiction)?;
    still_there(&state)?;
    let Some((step, asking)) = state.asking() else {
        return Err(CommandError::new(Exit::Locked, format!("run {id} asks for no approval"))
            .hint(format!("`orchestrate status {id}` shows where it is")));
    };
    if let Some(decision) = &asking.decision {
        let word = if decision.approved { "approved" } else { "rejected" };
        return Err(CommandError::new(
            Exit::Locked,
            format!(
                "step \"{}\" was {word} by {} at {}",
                step.id,
                decision.by,
                instant(decision.at)
            ),
        )
        .hint(format!("`orchestrate resume {id}` goes on")));
    }
    if let Some(writes) = writes(&state) {
        output.say(&format!("  writes   {writes}"));
    }
    let record = Record::Decided { step: step.id.clone(), approved, by: myself(), comment };
    let epoch = journal.epoch();
    let entry = Entry { seq: state.seq + 1, epoch, at: Clock::system().now(), record };
    state.check(&entry).map_err(contradiction)?;
    journal
        .append(&entry)
        .await
        .map_err(|e| CommandError::state("the answer could not be written", &e))?;
    let (word, then) = if approved { ("approved", "go on") } else { ("rejected", "roll back") };
    output.say(&format!("{word}: step \"{}\" of run {id}", step.id));
    output.say(&format!("  next     orchestrate resume {id}   {then}"));
    output.json(
        &serde_json::json!({ "event": "decided", "data": { "run": id, "approved": approved }}),
    );
    Ok(())
}
