//! The plan as a tree, before anything runs.

use std::time::Duration;

use serde::Serialize;

use super::style::Style;
use super::words::{counted, duration, escape, fitted};
use crate::engine::journal::Role;
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
    /// What is watched while it runs, a sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub guards: Vec<String>,
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
    /// What it creates, changes and deletes.
    pub touches: Vec<TouchView>,
    /// Whether the applications move with it.
    pub pivot: bool,
    /// How long it usually takes, in seconds.
    pub expected_secs: u64,
    /// When it gives up, in seconds.
    pub timeout_secs: u64,
}

/// Something a step creates, changes or deletes.
#[derive(Clone, Debug, Serialize)]
pub struct TouchView {
    /// What happens to it.
    pub role: Role,
    /// What it is, with its name as far as it is known.
    pub what: String,
}

/// The plan as text.
#[must_use]
pub fn render_plan(view: &PlanView, style: Style) -> String {
    let mut out = format!("{} {}\n", style.bold("Plan"), style.bold(&escape(&view.playbook)));
    if let Some(description) = &view.description {
        out += &fitted(&escape(description.trim()), 2, 2, style);
    }
    if let Some(writes) = &view.writes {
        out += &fitted(&format!("{} {}", style.warn("what is lost:"), escape(writes)), 2, 4, style);
    }
    for guard in &view.guards {
        out += &fitted(&format!("{} {}", style.dim("guard"), escape(guard)), 2, 4, style);
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
            "{}{}, about {}; plan {}",
            counted(steps, "step"),
            tally(view),
            duration(Duration::from_secs(total)),
            &view.digest[..view.digest.len().min(12)]
        ))
    );
    out
}

/// ", 3 to create, 2 to change".
fn tally(view: &PlanView) -> String {
    let touches = || view.stages.iter().flatten().flat_map(|step| &step.touches);
    let mut out = String::new();
    for (role, verb) in
        [(Role::Creates, "create"), (Role::Changes, "change"), (Role::Deletes, "delete")]
    {
        let count = touches().filter(|touch| touch.role == role).count();
        if count > 0 {
            out += &format!(", {count} to {verb}");
        }
    }
    out
}

fn render_step(step: &StepView, last: bool, indent: bool, style: Style) -> String {
    let (branch, trunk) = if last { ("└─", "  ") } else { ("├─", "│ ") };
    let deep = if indent { "  " } else { "" };
    let pivot =
        if step.pivot { style.warn("  ◆ the applications move here") } else { String::new() };
    let mut out =
        format!("  {branch}{deep} {}  {}{pivot}\n", style.bold(&step.id), style.dim(&step.kind));
    let gutter = format!("  {trunk}{deep}   ");
    let room = Style {
        columns: style
            .columns
            .map(|columns| columns.saturating_sub(gutter.chars().count()).max(20)),
        ..style
    };
    let mut line = |text: String| {
        for part in fitted(&text, 0, 2, room).lines() {
            out.push_str(&format!("{gutter}{part}\n"));
        }
    };
    line(escape(&step.does));
    if let Some(loses) = &step.loses {
        line(style.warn(&format!("loses: {}", escape(loses))));
    }
    for touch in &step.touches {
        let (mark, verb) = match touch.role {
            Role::Creates => (style.good("+"), "creates"),
            Role::Changes => (style.warn("~"), "changes"),
            Role::Deletes => (style.bad("-"), "deletes"),
        };
        line(format!("{mark} {verb} {}", escape(&touch.what)));
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

/// What reading the account told: what is well first, so that what is not stands where the eye ends.
#[must_use]
pub fn render_findings(findings: &[(String, Vec<Finding>)], style: Style) -> String {
    let of = |verdict: Verdict| {
        let all = findings.iter().flat_map(|(step, found)| found.iter().map(move |f| (step, f)));
        all.filter(move |(_, finding)| finding.verdict == verdict)
    };
    let mut out = String::new();
    let (remarks, plain): (Vec<_>, Vec<_>) =
        of(Verdict::Ok).partition(|(_, finding)| finding.mend.is_some());
    let (unknown, failing): (Vec<_>, Vec<_>) =
        (of(Verdict::CannotKnow).collect(), of(Verdict::WillFail).collect());
    for (step, finding) in plain.iter().chain(&remarks).chain(&unknown).chain(&failing) {
        out += &render_finding(step, finding, style);
    }
    let (ok, unknown, failing) = (plain.len() + remarks.len(), unknown.len(), failing.len());
    if ok + unknown + failing > 0 {
        out += &format!("  {}: {ok} ok", counted(ok + unknown + failing, "check"));
        if !remarks.is_empty() {
            out += &format!(" ({} with a remark)", remarks.len());
        }
        for (count, words) in [(unknown, "cannot know"), (failing, "will fail")] {
            if count > 0 {
                out += &format!(", {count} {words}");
            }
        }
        out.push('\n');
    }
    out
}

/// How much longer the run takes by what was read than by its arguments alone; nothing, if it does not.
#[must_use]
pub fn render_longer(findings: &[(String, Vec<Finding>)], total: Duration, style: Style) -> String {
    let waits: Vec<String> = findings
        .iter()
        .filter_map(|(step, found)| {
            let longest = found.iter().max_by_key(|finding| finding.adds_secs)?;
            let longer = duration(Duration::from_secs(longest.adds_secs));
            let told = format!("{longer} more at \"{}\" [{}]", escape(step), longest.check);
            (longest.adds_secs > 0).then_some(told)
        })
        .collect();
    if waits.is_empty() {
        return String::new();
    }
    let text =
        format!("by what was read the run takes about {}: {}", duration(total), waits.join(", "));
    fitted(&style.warn(&text), 2, 4, style)
}

fn render_finding(step: &str, finding: &Finding, style: Style) -> String {
    let mark = match finding.verdict {
        Verdict::Ok if finding.mend.is_some() => style.good("ok, but    "),
        Verdict::Ok => style.good("ok         "),
        Verdict::CannotKnow => style.warn("cannot know"),
        Verdict::WillFail => style.bad("will fail  "),
    };
    let line = format!(
        "{mark}  {}  {}  {}",
        style.bold(&escape(step)),
        escape(&finding.what),
        style.dim(&format!("[{}]", finding.check))
    );
    let mut out = fitted(&line, 2, 15, style);
    if let Some(mend) = &finding.mend {
        let mut lines = mend.lines();
        out += &format!("               to mend: {}\n", escape(lines.next().unwrap_or_default()));
        for line in lines {
            out += &format!("                 {}\n", escape(line));
        }
    }
    out
}
