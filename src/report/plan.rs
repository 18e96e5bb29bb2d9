//! The plan as a tree, before anything runs.

use std::time::Duration;

use serde::Serialize;

use super::style::Style;
use super::words::{duration, escape};
use crate::engine::{Finding, Verdict};

/// A plan as a person reads it.
#[derive(Clone, Debug, Serialize)]
pub struct PlanView {
    /// The playbook's name.
    pub playbook: String,
    /// Its description.
    pub description: Option<String>,
    /// The plan's digest.
    pub digest: String,
    /// What becomes of writes made after the copy, if the plan moves data.
    pub writes: Option<String>,
    /// Stages: each a list of steps that may run at the same time.
    pub stages: Vec<Vec<StepView>>,
}

/// A step as a person reads it.
#[derive(Clone, Debug, Serialize)]
pub struct StepView {
    /// Its id.
    pub id: String,
    /// Its kind.
    pub kind: String,
    /// What it does.
    pub does: String,
    /// How it is undone, or why not.
    pub undo: Option<String>,
    /// What it loses or gives up.
    pub loses: Option<String>,
    /// Whether the applications move with it.
    pub pivot: bool,
    /// How long it usually takes, in seconds.
    pub expected_secs: u64,
    /// When it gives up, in seconds.
    pub timeout_secs: u64,
}

/// The plan as text.
#[must_use]
pub fn render_plan(view: &PlanView, style: Style) -> String {
    let mut out = format!("{} {}\n", style.bold("Plan"), style.bold(&escape(&view.playbook)));
    if let Some(description) = &view.description {
        out += &format!("  {}\n", escape(description.trim()));
    }
    if let Some(writes) = &view.writes {
        out += &format!("  {} {}\n", style.warn("writes:"), escape(writes));
    }
    let steps: usize = view.stages.iter().map(Vec::len).sum();
    let total: u64 =
        view.stages.iter().filter_map(|s| s.iter().map(|v| v.expected_secs).max()).sum();
    let mut seen = 0;
    for stage in &view.stages {
        if stage.len() > 1 {
            out += &format!("  │ {}\n", style.dim("at the same time:"));
        }
        for step in stage {
            seen += 1;
            out += &render_step(step, seen == steps, stage.len() > 1, style);
        }
    }
    out += &format!(
        "  {}\n",
        style.dim(&format!(
            "{steps} step{}, about {}; plan {}",
            if steps == 1 { "" } else { "s" },
            duration(Duration::from_secs(total)),
            &view.digest[..view.digest.len().min(12)]
        ))
    );
    out
}

fn render_step(step: &StepView, last: bool, indent: bool, style: Style) -> String {
    let (branch, trunk) = if last { ("└─", "  ") } else { ("├─", "│ ") };
    let deep = if indent { "  " } else { "" };
    let pivot =
        if step.pivot { style.warn("  ◆ the applications move here") } else { String::new() };
    let mut out =
        format!("  {branch}{deep} {}  {}{pivot}\n", style.bold(&step.id), style.dim(&step.kind));
    let mut line = |text: String| out.push_str(&format!("  {trunk}{deep}   {text}\n"));
    line(escape(&step.does));
    if let Some(loses) = &step.loses {
        line(style.warn(&format!("loses: {}", escape(loses))));
    }
    if let Some(undo) = &step.undo {
        line(style.dim(&format!("undo: {}", escape(undo))));
    }
    if step.expected_secs >= 60 {
        line(style.dim(&format!(
            "about {}, gives up after {}",
            duration(Duration::from_secs(step.expected_secs)),
            duration(Duration::from_secs(step.timeout_secs))
        )));
    }
    out
}

/// What reading the account told, step by step.
#[must_use]
pub fn render_findings(findings: &[(String, Vec<Finding>)], style: Style) -> String {
    let mut out = String::new();
    for (step, findings) in findings {
        for finding in findings {
            let mark = match finding.verdict {
                Verdict::Ok => style.good("ok         "),
                Verdict::CannotKnow => style.warn("cannot know"),
                Verdict::WillFail => style.bad("will fail  "),
            };
            out += &format!("  {mark}  {}  {}\n", style.bold(step), escape(&finding.what));
            if let Some(mend) = &finding.mend {
                out += &format!("               to mend: {}\n", escape(mend));
            }
        }
    }
    out
}
