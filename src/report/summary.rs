//! How a run ended, for the person who has to go on from here.

use super::next::{Place, next_commands};
use super::style::Style;
use super::words::{escape, failure_lines, visible};
use crate::engine::journal::{Change, Rest, Role, RollbackReason};
use crate::engine::{Failure, Phase, Progress, RunState, STOPPED, StepState, Undo};
use crate::plan::Writes;

/// The end of a run, or where it was stopped. `place`: where it is kept.
#[must_use]
pub fn render_summary(state: &RunState, place: &Place, alive: bool, style: Style) -> String {
    let mut out = format!("\n{}\n", headline(state, alive, style));
    if let (None, Some(by)) = (&state.rest, state.interrupted.as_ref().filter(|by| *by != STOPPED))
    {
        out += &block(&style.warn("why"), "", &[escape(by)]);
    }
    for (id, failure) in failures(state) {
        out += &block(&style.bad("failed"), id, &failure_lines(failure));
    }
    if let Some(Rest::Waiting { step }) = &state.rest {
        let question = state.step(step).question.clone().unwrap_or_default();
        out += &block(&style.warn("asks"), step, &[escape(&question)]);
    }
    for (planned, step) in state.steps() {
        match step.undo {
            Undo::Undone if !step.undo_words.is_empty() => {
                let words: Vec<String> = step.undo_words.iter().map(|w| escape(w)).collect();
                out += &block("undone", &planned.id, &words);
            }
            Undo::Left => {
                let words: Vec<String> = step.undo_words.iter().map(|w| escape(w)).collect();
                out += &block(&style.warn("left"), &planned.id, &words);
            }
            _ => {}
        }
    }
    out += &standing(state, style);
    let undone = matches!(state.phase, Phase::Back(_));
    for (name, value) in state.playbook_outputs().into_iter().filter(|_| !undone) {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        out += &block("output", &name, &[escape(&text)]);
    }
    if let Some(writes) = writes(state) {
        out += &block("writes", "", &[writes]);
    }
    out += &format!("  {:<8} {}   {}\n", "run", state.header.run, style.dim(&place.journal));
    for next in next_commands(state, alive, place) {
        out +=
            &format!("  {} {}   {}\n", style.bold("next    "), next.command, style.dim(&next.why));
    }
    if state.header.embedded && !alive {
        out += &format!(
            "  {}\n",
            style.dim("it ran in a sandbox inside this process; the sandbox is gone, nothing of it is left")
        );
    }
    out
}

fn headline(state: &RunState, alive: bool, style: Style) -> String {
    let name = &state.plan.playbook;
    match (&state.rest, &state.phase) {
        (Some(Rest::Succeeded), _) => style.good(&format!("{name} succeeded.")),
        (Some(Rest::RolledBack), Phase::Back(RollbackReason::Asked { .. })) => {
            style.warn(&format!("{name} was rolled back, as asked."))
        }
        (Some(Rest::RolledBack), _) => style.bad(&format!("{name} failed and was rolled back.")),
        (Some(Rest::Cancelled), Phase::Back(RollbackReason::Cancelled { by })) => style
            .warn(&format!("{name} was cancelled by {} and rolled back.", escape(by))),
        (Some(Rest::Cancelled), _) => style.warn(&format!("{name} was rejected and rolled back.")),
        (Some(Rest::Waiting { .. }), _) if alive => {
            style.warn(&format!("{name} waits for an approval, on the terminal where it runs."))
        }
        (Some(Rest::Waiting { .. }), _) => {
            style.warn(&format!("{name} waits for an approval. Nothing runs meanwhile."))
        }
        (Some(Rest::Stuck { step, .. }), Phase::Back(_)) => style.bad(&format!(
            "{name} is STUCK: step \"{step}\" could not be undone. A person is needed."
        )),
        (Some(Rest::Stuck { step, .. }), Phase::Forward) => style.bad(&format!(
            "{name} is STUCK: step \"{step}\" failed after the applications had moved. They stay on the new endpoint. A person is needed."
        )),
        (None, _) if alive && let Some(paused) = &state.paused => {
            style.warn(&format!("{name} is paused by {}.", escape(&paused.by)))
        }
        (None, Phase::Back(_)) if alive => style.warn(&format!("{name} is being rolled back.")),
        (None, Phase::Forward) if alive => style.good(&format!("{name} is running.")),
        (None, Phase::Back(_)) => {
            style.warn(&format!("{name} stopped in the middle of rolling back."))
        }
        (None, Phase::Forward) => style.warn(&format!("{name} {}.", stopped(state))),
    }
}

/// Where a run stopped that goes forward and is not at rest.
fn stopped(state: &RunState) -> String {
    if let Some((step, _)) = state.failed() {
        return format!("failed at step \"{}\", and stopped before anything was undone", step.id);
    }
    if let Some((step, _)) = state.rejected() {
        return format!("was rejected at step \"{}\"; nothing is undone yet", step.id);
    }
    if let Some((step, _)) = state.asking() {
        return format!("was approved at step \"{}\", and has not gone on yet", step.id);
    }
    if let Some(step) = state.in_pivot() {
        return format!(
            "stopped in step \"{}\": the applications may have been switched over, or not",
            step.id
        );
    }
    "stopped on its way".to_owned()
}

fn failures(state: &RunState) -> Vec<(&str, &Failure)> {
    let mut found: Vec<(&str, &Failure)> = state
        .steps()
        .flat_map(|(planned, step)| {
            let forward = step.failure.as_ref().filter(|_| step.progress == Progress::Failed);
            let back = step.undo_failure.as_ref().filter(|_| step.undo == Undo::Failed);
            forward.into_iter().chain(back).map(|failure| (planned.id.as_str(), failure))
        })
        .collect();
    if let Some(Rest::Stuck { step, failure }) = &state.rest
        && !found.iter().any(|(id, _)| id == step)
    {
        found.push((step, failure));
    }
    found
}

/// What this run made or changed and has not undone.
fn standing(state: &RunState, style: Style) -> String {
    let mut lines = Vec::new();
    let done = |step: &StepState| step.progress == Progress::Succeeded;
    let gone: Vec<(&str, &str)> = state
        .steps()
        .filter(|(_, step)| done(step))
        .flat_map(|(_, step)| &step.resources)
        .filter(|resource| resource.role == Role::Deletes)
        .map(|resource| (resource.what.as_str(), resource.name.as_str()))
        .collect();
    for (planned, step) in state.steps() {
        let untouched = done(step) && step.change == Some(Change::Unchanged);
        if matches!(step.undo, Undo::Undone | Undo::Left) || untouched {
            continue;
        }
        for resource in &step.resources {
            let removed = gone.contains(&(resource.what.as_str(), resource.name.as_str()));
            // Whoever is stuck in its undo is told what it is about.
            if removed && resource.role != Role::Deletes && step.undo == Undo::NotBegun {
                continue;
            }
            let verb = match (resource.role, step.progress) {
                (Role::Creates, Progress::Succeeded) => "made",
                (Role::Creates, _) => "may have made",
                (Role::Changes, Progress::Succeeded) => "changed",
                (Role::Changes, _) => "may have changed",
                (Role::Deletes, Progress::Succeeded) => "deleted",
                (Role::Deletes, _) => "may have deleted",
            };
            let seen = match &step.observed {
                Some((_, seen)) if step.progress != Progress::Succeeded => {
                    format!(", last seen {}", escape(seen))
                }
                _ => String::new(),
            };
            let name = escape(&resource.name);
            let undo = match step.undo {
                Undo::Running | Undo::Failed => "; its undo was begun, and may have been done",
                _ => "",
            };
            lines.push(format!("{verb} {} \"{name}\" ({}{seen}{undo})", resource.what, planned.id));
        }
    }
    if lines.is_empty() { String::new() } else { block(&style.bold("stands"), "", &lines) }
}

/// What becomes of writes, said whenever data moves: in summaries, and beside every question a person is asked.
#[must_use]
pub fn writes(state: &RunState) -> Option<String> {
    match &state.plan.writes {
        Writes::NotConcerned => None,
        Writes::StoppedBy { step } => {
            let step_state = state.step(step);
            let statement = step_state.output.as_ref().and_then(|o| o.get("statement")?.as_str());
            Some(match (step_state.undo, statement) {
                (Undo::Undone, _) => "the source takes writes again".to_owned(),
                (Undo::Running | Undo::Failed, _) => format!(
                    "the right to write was being given back (step \"{step}\"): the source may take writes again, or not"
                ),
                (_, Some(statement)) => escape(statement),
                (_, None) => format!("to be stopped by step \"{step}\""),
            })
        }
        Writes::LossAccepted { step, argument } => Some(format!(
            "writes made to the source after each shard's snapshot instant are not in the copy; accepted by name at {step}.{argument}"
        )),
    }
}

fn block(label: &str, id: &str, lines: &[String]) -> String {
    let mut out = String::new();
    let pad = 8_usize.saturating_sub(visible(label));
    let lines = lines.iter().flat_map(|text| text.split('\n'));
    for (index, line) in lines.enumerate() {
        if index == 0 {
            let id = if id.is_empty() { String::new() } else { format!("{id}: ") };
            out += &format!("  {label}{} {id}{line}\n", " ".repeat(pad));
        } else {
            out += &format!("           {line}\n");
        }
    }
    out
}
