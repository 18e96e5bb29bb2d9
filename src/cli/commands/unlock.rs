//! `orchestrate unlock`.

use crate::cli::ask;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::state::Runs;
use crate::engine::journal::JournalError;
use crate::report::duration;

/// Breaks the lease of a process that is believed to be dead, and writes down who did it and why.
pub(super) async fn run(
    given: Option<&str>,
    comment: &str,
    yes: bool,
    runs: &Runs,
    output: Output,
) -> Result<Exit, CommandError> {
    if comment.trim().is_empty() {
        return Err(CommandError::new(Exit::Usage, "--comment is empty")
            .hint("say how you know that the process is dead; it is kept in the journal"));
    }
    let id = runs.find(given).await?;
    let holder = runs.store().holder(&id).await;
    let holder =
        holder.map_err(|e| CommandError::state(&format!("run {id} cannot be read"), &e))?;
    let Some(holder) = holder else {
        output.say(&format!("no process has run {id}: there is nothing to unlock"));
        return Ok(Exit::Done);
    };
    let Some(ends_in) = holder.ends_in else {
        let error =
            CommandError::state(&format!("run {id} cannot be unlocked"), &JournalError::Locked);
        return Err(error.because("the lock of a run in a directory dies with its process, so that the process is alive on this machine")
            .hint("stop that process; Ctrl-C drains it to a safe point"));
    };
    output.say(&format!(
        "{} has run {id}; its lease ends by itself in {} unless it is renewed.",
        holder.who,
        duration(ends_in)
    ));
    output.say("If that process is alive, it may make one more change before it notices.");
    ask::yes("Is it dead for certain?", yes)?;
    let broken = runs.store().unlock(&id, comment).await;
    let broken =
        broken.map_err(|e| CommandError::state(&format!("run {id} cannot be unlocked"), &e))?;
    if let Some(opened) = broken {
        opened.lease.release().await.map_err(|error| {
            CommandError::state("the lock was broken, and could not be given up", &error)
                .hint("it ends by itself")
        })?;
    }
    output.say(&format!("run {id} is unlocked; `{}` goes on", runs.typed("resume", &id)));
    output.json(
        &serde_json::json!({ "event": "unlocked", "data": { "run": id, "held_by": holder.who } }),
    );
    Ok(Exit::Done)
}
