//! One run in full, or many in a line each, from their journals.

use super::guards::guard_words;
use super::next::Place;
use super::style::Style;
use super::summary::render_summary;
use super::words::{duration, escape, instant};
use crate::engine::journal::Rest;
use crate::engine::{Phase, Progress, RunState, StepState, Undo};

/// All there is to know about a run. `alive`: a process works on it right now.
#[must_use]
pub fn render_status(state: &RunState, place: &Place, alive: bool, style: Style) -> String {
    let header = &state.header;
    let mut out = format!(
        "{}  {}\n  begun {} by {}, account {}, region {}\n",
        style.bold(&format!("run {}", header.run)),
        state.plan.playbook,
        instant(header.at),
        escape(&header.by),
        header.account,
        header.region
    );
    out += &format!(
        "  {}\n\n",
        style.dim(&format!("last record {} (number {})", instant(state.last_at), state.seq))
    );
    for guard in &state.plan.guards {
        out += &format!("  {} {}\n", style.dim("guard"), escape(&guard_words(guard)));
    }
    for (planned, step) in state.steps() {
        let (mark, word) = mark(step, alive, style);
        let took = match (step.started_at, step.ended_at) {
            (Some(from), Some(to)) => {
                let d = std::time::Duration::try_from(to.duration_since(from)).unwrap_or_default();
                style.dim(&format!("  {}", duration(d)))
            }
            _ => String::new(),
        };
        out += &format!(
            "  {mark} {:<16} {} {word}{took}\n",
            planned.id,
            style.dim(&format!("{:<30}", planned.kind))
        );
        if let Some((subject, seen)) = &step.observed
            && step.progress == Progress::Running
        {
            out += &format!("      {} was {} when last seen\n", escape(subject), escape(seen));
        }
    }
    out += &render_summary(state, place, alive, style);
    out
}

fn mark(step: &StepState, alive: bool, style: Style) -> (String, &'static str) {
    match (step.undo, step.progress) {
        (Undo::Undone, _) => (style.warn("↩"), "undone"),
        (Undo::Left, _) => (style.warn("↩"), "left as it is"),
        (Undo::Running, _) => (style.warn("↩"), "undo begun"),
        (Undo::Failed, _) => (style.bad("✘"), "could not be undone"),
        (Undo::NotBegun, Progress::Pending) => (style.dim("·"), "not begun"),
        (Undo::NotBegun, Progress::Running) if alive => (style.warn("▸"), "running"),
        (Undo::NotBegun, Progress::Running) => (style.warn("▸"), "begun, not finished"),
        (Undo::NotBegun, Progress::Asking) => match &step.decision {
            None => (style.warn("?"), "waits for an approval"),
            Some(decision) if decision.approved => (style.good("?"), "approved"),
            Some(_) => (style.bad("?"), "rejected"),
        },
        (Undo::NotBegun, Progress::Succeeded) => (style.good("✔"), "done"),
        (Undo::NotBegun, Progress::Failed) => (style.bad("✘"), "failed"),
    }
}

/// A run in one line.
#[must_use]
pub fn render_run_line(state: &RunState, alive: bool, style: Style) -> String {
    let word = match (&state.rest, &state.phase) {
        (Some(Rest::Waiting { .. }), _) if alive => style.warn("asks on its terminal"),
        _ if alive && state.paused.is_some() => style.warn("paused"),
        (_, Phase::Back(_)) if alive => style.warn("rolling back"),
        _ if alive => style.good("running"),
        (Some(Rest::Succeeded), _) => style.good("succeeded"),
        (Some(Rest::RolledBack), _) => style.warn("rolled back"),
        (Some(Rest::Cancelled), _) => style.warn("cancelled"),
        (Some(Rest::Waiting { .. }), _) => style.warn("waiting for approval"),
        (Some(Rest::Stuck { .. }), _) => style.bad("STUCK"),
        (None, Phase::Forward) if state.rejected().is_some() => style.warn("rejected: resume"),
        (None, Phase::Forward) if state.asking().is_some() => style.good("approved: resume"),
        (None, Phase::Forward) => style.warn("stopped: resume or roll back"),
        (None, Phase::Back(_)) => style.warn("stopped while rolling back: resume"),
    };
    let sandbox = if state.header.embedded { style.dim("  (sandbox)") } else { String::new() };
    format!(
        "{}  {}  {:<32} {word}{sandbox}",
        state.header.run,
        instant(state.header.at),
        state.plan.playbook
    )
}
