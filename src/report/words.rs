//! How times, names and facts are worded, once for every report.

use std::time::Duration;

use super::style::Style;
use crate::engine::journal::{Change, Record, Steer};
use crate::engine::{Failure, Look};

/// "3.2s", "41s", "6m 12s", "2h 05m".
#[must_use]
pub fn duration(d: Duration) -> String {
    let secs = d.as_secs();
    match secs {
        0..10 => format!("{:.1}s", d.as_secs_f64()),
        10..60 => format!("{secs}s"),
        60..3600 => format!("{}m {:02}s", secs / 60, secs % 60),
        _ => format!("{}h {:02}m", secs / 3600, secs % 3600 / 60),
    }
}

/// An instant to the second.
#[must_use]
pub fn instant(at: jiff::Timestamp) -> String {
    at.round(jiff::Unit::Second).unwrap_or(at).to_string()
}

/// Text from outside, made safe for a terminal: control characters are shown as escapes.
#[must_use]
pub fn escape(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let control = c.is_control() && c != '\n' && c != '\t';
            let escaped: Vec<char> = if control { c.escape_default().collect() } else { vec![c] };
            escaped
        })
        .collect()
}

/// The same for text that must stay in its line.
#[must_use]
pub fn escape_line(text: &str) -> String {
    escape(text).replace(['\n', '\t'], " ")
}

/// A number of things: "1 check", "2 checks".
#[must_use]
pub fn counted(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// Text broken between words to fit the terminal, or a hundred columns: the first line indented by `first`, the others by
/// `rest`.
pub(super) fn wrapped(text: &str, first: usize, rest: usize, style: Style) -> String {
    broken(text, first, rest, style.columns.unwrap_or(100))
}

/// The same for the terminal alone: text that goes elsewhere stays in one line, to be searched and cut.
pub(super) fn fitted(text: &str, first: usize, rest: usize, style: Style) -> String {
    broken(text, first, rest, style.columns.unwrap_or(usize::MAX))
}

fn broken(text: &str, first: usize, rest: usize, columns: usize) -> String {
    let mut out = String::new();
    let mut line = " ".repeat(first);
    let mut used = first;
    let mut empty = true;
    // Blanks at the front are layout, and stay.
    let body = text.trim_start_matches(' ');
    let lead = text.len() - body.len();
    line.push_str(&" ".repeat(lead));
    used += lead;
    for word in body.trim_end().split(' ') {
        let width = visible(word);
        if !empty && used + 1 + width > columns {
            out += line.trim_end();
            out.push('\n');
            line = " ".repeat(rest);
            used = rest;
            empty = true;
        }
        if !empty {
            line.push(' ');
            used += 1;
        }
        line += word;
        used += width;
        empty = false;
    }
    out += line.trim_end();
    out.push('\n');
    out
}

/// Characters that take room: escapes do not.
pub(super) fn visible(text: &str) -> usize {
    let mut count = 0;
    let mut inside = false;
    for c in text.chars() {
        match (inside, c) {
            (false, '\x1b') => inside = true,
            (true, 'm') => inside = false,
            (false, _) => count += 1,
            (true, _) => {}
        }
    }
    count
}

/// A failure over several lines: what, why, what AWS said, the mend. Without indentation.
pub(super) fn failure_lines(failure: &Failure) -> Vec<String> {
    let mut lines = vec![escape(&failure.message)];
    for cause in &failure.causes {
        lines.push(format!("because: {}", escape(cause)));
    }
    if let Some(answer) = &failure.answer
        && let (Some(code), Some(id)) = (&answer.code, &answer.request_id)
        && !failure.to_string().contains(id.as_str())
    {
        lines.push(format!(
            "AWS: {} {} said {code} (request {id})",
            answer.service, answer.operation
        ));
    }
    if let Some(mend) = &failure.mend {
        lines.push(format!("to mend: {}", escape(mend)));
    }
    lines
}

/// One look as half a sentence: `cluster "x" is creating (34%), 4m 10s of about 18m`; progress that is not a wait as
/// `comparing: 4,200 of 10,000 keys`.
pub(super) fn look(look: &Look) -> String {
    let detail = look.detail.as_ref().map(|d| format!(" ({})", escape(d))).unwrap_or_default();
    let (subject, state) = (escape(&look.subject), escape(&look.state));
    if look.expected.is_zero() {
        return format!("{subject}: {state}{detail}");
    }
    let (elapsed, expected) = (duration(look.elapsed), duration(look.expected));
    format!("{subject} is {state}{detail}, {elapsed} of about {expected}")
}

/// What a step says of its result, if its output holds a `statement`.
pub(super) fn statement(output: &serde_json::Value) -> Option<&str> {
    output.get("statement")?.as_str()
}

fn done(change: Change) -> &'static str {
    match change {
        Change::Changed => "done",
        Change::Adopted => "done: took what this run had made before",
        Change::Unchanged => "done: nothing had to change",
    }
}

/// A journaled fact as a sentence about its step, or about the run. `None` for facts only machines need.
pub(super) fn record(record: &Record) -> Option<String> {
    Some(match record {
        Record::Started { run, account, region, .. } => {
            format!("run {run} begins in account {account}, region {region}")
        }
        Record::Resumed { by } => format!("taken up again by {}", escape(by)),
        Record::StepStarted { attempt: 1, .. } => "begins".to_owned(),
        Record::StepStarted { attempt, .. } => format!("attempt {attempt} begins"),
        Record::Intended { .. } | Record::Noted { .. } => return None,
        Record::Observed { subject, state, .. } => {
            format!("{} is {}", escape(subject), escape(state))
        }
        Record::AttemptFailed { failure, retry_in_secs, .. } => {
            let again =
                retry_in_secs.map(|s| format!("; trying again in {s}s")).unwrap_or_default();
            format!("attempt failed: {}{again}", escape(&failure.to_string()))
        }
        Record::Succeeded { change, output, .. } => match (statement(output), change) {
            (Some(statement), _) => format!("done: {}", escape(statement)),
            (None, change) => done(*change).to_owned(),
        },
        Record::Failed { failure, .. } => format!("FAILED: {}", escape(&failure.to_string())),
        Record::ApprovalAsked { question, .. } => format!("asks: {}", escape(question)),
        Record::Decided { approved, by, comment, .. } => {
            let word = if *approved { "approved" } else { "rejected" };
            let comment = comment.as_ref().map(|c| format!(": {}", escape(c))).unwrap_or_default();
            format!("{word} by {}{comment}", escape(by))
        }
        Record::Interrupted { by } => {
            format!("stopped ({}); what AWS has begun goes on there", escape(by))
        }
        Record::RollbackStarted { .. } => "rolling back".to_owned(),
        Record::UndoStarted { attempt: 1, .. } => "undo begins".to_owned(),
        Record::UndoStarted { attempt, .. } => format!("undo attempt {attempt} begins"),
        Record::UndoAttemptFailed { failure, retry_in_secs, .. } => {
            let again =
                retry_in_secs.map(|s| format!("; trying again in {s}s")).unwrap_or_default();
            format!("undo attempt failed: {}{again}", escape(&failure.to_string()))
        }
        Record::Undone { did, .. } if did.is_empty() => {
            "undone: there was nothing to undo".to_owned()
        }
        Record::Undone { did, .. } => format!("undone: {}", escape(&did.join("; "))),
        Record::Left { reason, .. } => format!("left as it is: {}", escape(reason)),
        Record::UndoFailed { failure, .. } => {
            format!("COULD NOT BE UNDONE: {}", escape(&failure.to_string()))
        }
        Record::Steered { steer, by, comment } => {
            let comment = comment.as_ref().map(|c| format!(": {}", escape(c))).unwrap_or_default();
            let what = match steer {
                Steer::Pause => "paused".to_owned(),
                Steer::GoOn => "goes on, as told".to_owned(),
                Steer::Hold { before } => format!("to be held before step \"{before}\", as told"),
                Steer::LetGo { before } => format!("step \"{before}\" may begin, as told"),
                Steer::Cancel => "cancelled".to_owned(),
            };
            format!("{what} by {}{comment}", escape(by))
        }
        Record::TakenOver { by, held_by, comment: None } => {
            let (by, from) = (escape(by), escape(held_by));
            format!("taken over by {by}: the lease of {from} had ended")
        }
        Record::TakenOver { by, held_by, comment: Some(comment) } => {
            let (by, from) = (escape(by), escape(held_by));
            format!("unlocked by {by}, who broke the lease of {from}: {}", escape(comment))
        }
        Record::Rested(_) => return None,
    })
}
