//! What to type next, for every state a run can be in.

use serde::Serialize;

use crate::engine::journal::Rest;
use crate::engine::{Phase, RunState};
use crate::plan::UndoPolicy;

/// A command and why one would give it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NextCommand {
    /// To be typed as it stands.
    pub command: String,
    /// What it does.
    pub why: String,
}

fn next(command: String, why: &str) -> NextCommand {
    NextCommand { command, why: why.to_owned() }
}

/// Where a run is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its journal.
    pub journal: String,
    /// What commands need to find it: empty, or ` --state-dir …`.
    pub flags: String,
}

/// What can be done with a run. `alive`: a process works on it right now.
#[must_use]
pub fn next_commands(state: &RunState, alive: bool, place: &Place) -> Vec<NextCommand> {
    let mut next = commands(state, alive);
    for next in &mut next {
        next.command += &place.flags;
    }
    next
}

fn commands(state: &RunState, alive: bool) -> Vec<NextCommand> {
    let run = &state.header.run;
    if alive && let Some(Rest::Waiting { .. }) = state.rest {
        return vec![next(
            format!("orchestrate approve {run}"),
            "it asks on the terminal where it runs: answer there, or press Ctrl-C there and then give this command",
        )];
    }
    if alive && state.paused.is_some() {
        return vec![next(
            format!("orchestrate resume {run}"),
            "it is paused: let it go on, in the process that works on it",
        )];
    }
    let held = state.runnable().into_iter().find(|step| state.holds.contains_key(&step.id));
    if alive && let Some(step) = held {
        return vec![next(
            format!("orchestrate resume {run}"),
            &format!("it is held before step \"{}\": let that begin", step.id),
        )];
    }
    if alive {
        return vec![next(
            format!("orchestrate status {run}"),
            "a process is working on it; look again",
        )];
    }
    if state.header.embedded {
        return Vec::new();
    }
    let back = if state.past_pivot() {
        next(
            format!("orchestrate rollback {run} --past-pivot"),
            "put the old endpoint back and undo the rest; writes made to the new cluster since the swap are lost to the old one",
        )
    } else if let Some(pivot) = state.in_pivot() {
        next(
            format!("orchestrate rollback {run} --past-pivot"),
            &format!(
                "put back what step \"{}\" may have switched and undo the rest; writes made to a new endpoint meanwhile are lost to the old one",
                pivot.id
            ),
        )
    } else {
        next(format!("orchestrate rollback {run}"), "undo what this run has done")
    };
    let on = next(format!("orchestrate resume {run}"), "go on where it stopped");
    if state.rest.is_none() && state.phase == Phase::Forward && !state.past_pivot() {
        // Already decided, only not begun: going on means going back.
        let then = if let Some((step, _)) = state.failed() {
            Some(format!("roll back, because step \"{}\" failed", step.id))
        } else {
            state
                .rejected()
                .map(|(step, _)| format!("roll back, because step \"{}\" was rejected", step.id))
        };
        if let Some(then) = then {
            return vec![next(format!("orchestrate resume {run}"), &then)];
        }
    }
    match (&state.rest, &state.phase) {
        (Some(Rest::Succeeded), _) if undoable(state) => vec![back],
        (Some(Rest::Succeeded), _) => Vec::new(),
        (Some(Rest::RolledBack | Rest::Cancelled), _) => Vec::new(),
        (Some(Rest::Waiting { step }), _) => vec![
            next(
                format!("orchestrate approve {run}"),
                &format!("say yes to step \"{step}\", then resume"),
            ),
            next(format!("orchestrate approve {run} --reject"), "say no; resume then rolls back"),
            back,
        ],
        (Some(Rest::Stuck { .. }), Phase::Back(_)) => {
            vec![next(format!("orchestrate resume {run}"), "once mended: go on rolling back")]
        }
        (Some(Rest::Stuck { .. }), Phase::Forward) => {
            vec![next(format!("orchestrate resume {run}"), "once mended: try the step again"), back]
        }
        (None, Phase::Back(_)) => {
            vec![next(format!("orchestrate resume {run}"), "go on rolling back")]
        }
        (None, Phase::Forward) => vec![on, back],
    }
}

/// Whether a rollback would bring anything back.
fn undoable(state: &RunState) -> bool {
    state
        .to_undo()
        .into_iter()
        .any(|step| matches!(state.undo_policy(step), UndoPolicy::Undo | UndoPolicy::Pivot))
}
