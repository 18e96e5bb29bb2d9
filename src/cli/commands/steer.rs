//! `orchestrate pause`, `hold`, `cancel`, and what `resume` does to a run that is being worked on.
//!
//! Each writes what is wanted beside the run's journal, and then looks whether the process that works on the run has
//! taken note, which is a record.

use std::time::Duration;

use crate::cli::drive::myself;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::state::{Known, Runs};
use crate::engine::journal::{JournalError, Steer};
use crate::engine::{Asked, Progress, RunId, RunState, Wanted};
use crate::state::ask;

/// How long a command waits for the run to take note, in looks of the process that works on it.
const LOOKS: u32 = 4;
/// Added to that: looks take time too.
const AT_LEAST: Duration = Duration::from_secs(5);

pub(super) async fn pause(
    given: Option<&str>,
    comment: Option<String>,
    runs: &Runs,
    output: Output,
) -> Result<Exit, CommandError> {
    let (id, known) = find(given, runs).await?;
    working("pause", &id, &known, runs)?;
    if known.state.paused.is_some() {
        output.say(&format!("run {id} is paused already"));
        return Ok(Exit::Done);
    }
    let asked = asked(comment, runs);
    put(&id, runs, |wanted| wanted.pause = Some(asked.clone())).await?;
    heeded(&id, &Steer::Pause, runs, output, |state| state.paused.is_some()).await
}

pub(super) async fn hold(
    given: Option<&str>,
    before: &str,
    comment: Option<String>,
    runs: &Runs,
    output: Output,
) -> Result<Exit, CommandError> {
    let (id, known) = find(given, runs).await?;
    let state = &known.state;
    unfinished("hold", &id, state)?;
    let Some((_, step)) = state.steps().find(|(planned, _)| planned.id == before) else {
        let steps: Vec<&str> = state.steps().map(|(planned, _)| planned.id.as_str()).collect();
        return Err(CommandError::new(Exit::Usage, format!("run {id} has no step \"{before}\""))
            .hint(format!("its steps are: {}", steps.join(", "))));
    };
    if step.progress != Progress::Pending {
        return Err(CommandError::new(
            Exit::Locked,
            format!("step \"{before}\" of run {id} has begun already; nothing was held"),
        )
        .hint(format!("`{}` stops the run where it is", runs.typed("pause", &id))));
    }
    let asked = asked(comment, runs);
    put(&id, runs, |wanted| {
        wanted.holds.insert(before.to_owned(), asked.clone());
    })
    .await?;
    if !known.alive() {
        output.say(&format!("run {id} will be held before step \"{before}\" once it is resumed"));
        return Ok(Exit::Done);
    }
    let steer = Steer::Hold { before: before.to_owned() };
    heeded(&id, &steer, runs, output, |state| state.holds.contains_key(before)).await
}

pub(super) async fn cancel(
    given: Option<&str>,
    comment: Option<String>,
    runs: &Runs,
    output: Output,
) -> Result<Exit, CommandError> {
    let (id, known) = find(given, runs).await?;
    let state = &known.state;
    unfinished("cancel", &id, state)?;
    if !known.alive() {
        return Err(CommandError::new(Exit::Locked, format!("no process works on run {id}"))
            .hint(format!("`{}` undoes what it has done", runs.typed("rollback", &id))));
    }
    if !state.may_steer(&Steer::Cancel) {
        let why = match &state.cancelled {
            _ if state.past_pivot() || state.in_pivot().is_some() => {
                "the applications have been switched over, or are being: to go back could lose writes"
            }
            Some(_) => "it is being cancelled already",
            None => "it is being rolled back already",
        };
        return Err(CommandError::new(Exit::Locked, format!("run {id} cannot be cancelled"))
            .because(why)
            .hint(format!("`{}` shows where it is", runs.typed("status", &id))));
    }
    let asked = asked(comment, runs);
    // A cancel is not held up by an earlier pause.
    put(&id, runs, |wanted| {
        *wanted = Wanted { cancel: Some(asked.clone()), ..Wanted::default() };
    })
    .await?;
    heeded(&id, &Steer::Cancel, runs, output, |state| {
        state.cancelled.is_some() || state.phase != crate::engine::Phase::Forward
    })
    .await
}

/// Lets a run go on that a process works on and that is paused, or held before a step. `false` if it is neither.
pub(super) async fn go_on(
    id: &RunId,
    known: &Known,
    runs: &Runs,
    output: Output,
) -> Result<bool, CommandError> {
    let state = &known.state;
    if state.paused.is_some() {
        lift(id, runs, false).await?;
        heeded(id, &Steer::GoOn, runs, output, |state| state.paused.is_none()).await?;
        return Ok(true);
    }
    let held = state.runnable().into_iter().find(|step| state.holds.contains_key(&step.id));
    let Some(step) = held.filter(|step| state.step(&step.id).progress == Progress::Pending) else {
        return Ok(false);
    };
    let before = step.id.clone();
    lift(id, runs, true).await?;
    let steer = Steer::LetGo { before: before.clone() };
    heeded(id, &steer, runs, output, |state| !state.holds.contains_key(&before)).await?;
    Ok(true)
}

/// Takes back that the run is to be paused; with `holds`, also that it is to be held.
pub(super) async fn lift(id: &RunId, runs: &Runs, holds: bool) -> Result<(), CommandError> {
    let lifted = asked(None, runs);
    put(id, runs, |wanted| {
        let held = holds && !wanted.holds.is_empty();
        if wanted.pause.take().is_some() || held {
            wanted.lifted = Some(lifted.clone());
        }
        if held {
            wanted.holds.clear();
        }
    })
    .await
}

fn asked(comment: Option<String>, runs: &Runs) -> Asked {
    Asked { by: myself(), at: runs.clock.now(), comment }
}

async fn find(given: Option<&str>, runs: &Runs) -> Result<(RunId, Known), CommandError> {
    let id = runs.find(given).await?;
    let known = runs.load(&id).await?;
    Ok((id, known))
}

async fn put(id: &RunId, runs: &Runs, change: impl FnMut(&mut Wanted)) -> Result<(), CommandError> {
    ask(runs.store().objects(), id, change)
        .await
        .map_err(|error: JournalError| CommandError::state("it could not be asked", &error))
}

fn unfinished(what: &str, id: &RunId, state: &RunState) -> Result<(), CommandError> {
    use crate::engine::journal::Rest;
    if matches!(state.rest, Some(Rest::Succeeded | Rest::RolledBack | Rest::Cancelled)) {
        return Err(CommandError::new(
            Exit::Locked,
            format!("there is nothing to {what} in run {id}: it is finished"),
        ));
    }
    Ok(())
}

fn working(what: &str, id: &RunId, known: &Known, runs: &Runs) -> Result<(), CommandError> {
    unfinished(what, id, &known.state)?;
    if known.alive() {
        return Ok(());
    }
    Err(CommandError::new(
        Exit::Locked,
        format!("no process works on run {id}: there is nothing to {what}"),
    )
    .hint(format!("`{}` shows where it stopped", runs.typed("status", id))))
}

/// Looks until the run has taken note, for as long as that takes a process that is alive.
async fn heeded(
    id: &RunId,
    steer: &Steer,
    runs: &Runs,
    output: Output,
    done: impl Fn(&RunState) -> bool,
) -> Result<Exit, CommandError> {
    let watch = runs.clock.stopwatch();
    let limit = runs.rhythm * LOOKS + AT_LEAST;
    let noted = loop {
        if done(&runs.load(id).await?.state) {
            break true;
        }
        if watch.elapsed() > limit {
            break false;
        }
        runs.clock.sleep(runs.rhythm / 2).await;
    };
    let what = match steer {
        Steer::Pause => "pauses: it begins, calls and looks at nothing more".to_owned(),
        Steer::GoOn => "goes on".to_owned(),
        Steer::Hold { before } => format!("will be held before step \"{before}\""),
        Steer::LetGo { before } => format!("goes on with step \"{before}\""),
        Steer::Cancel => "is cancelled: it stops at its next safe point, and is undone".to_owned(),
    };
    output.json(&serde_json::json!({ "event": "steered", "data": {
        "run": id, "steer": steer, "noted": noted,
    }}));
    if noted {
        output.say(&format!("run {id} {what}"));
        return Ok(Exit::Done);
    }
    output.say(&format!("run {id} was told, and has not taken note yet"));
    output.complain(&format!(
        "warning: the process that works on it may be dead, or cut off from {}; `{}` shows whether it takes note\n",
        runs.store().root(),
        runs.typed("status", id)
    ));
    Ok(Exit::Done)
}
