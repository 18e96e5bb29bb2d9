//! `orchestrate schedule`.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::occurrence::{Asking, schedule_of, span, time};
use super::plan::{Intended, intended};
use crate::cli::args::{PlaybookArgs, ScheduleCommand};
use crate::cli::ask;
use crate::cli::drive::myself;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::state::Runs;
use crate::engine::{Clock, Failure};
use crate::report::{counted, instant};
use crate::schedule::{Paused, Reason, Schedule};
use crate::scheduler::{Book, lift, pause};

/// More than these are not filled in at once: whoever means them says so in parts.
const MOST: usize = 500;

pub(super) async fn run(
    command: ScheduleCommand,
    runs: &impl AsyncFn() -> Result<Runs, CommandError>,
    ca: Option<PathBuf>,
    output: Output,
) -> Result<Exit, CommandError> {
    match command {
        ScheduleCommand::Next { playbook, count, after } => {
            next(&playbook, count, after.as_deref(), output)
        }
        ScheduleCommand::List { playbook, count } => {
            list(&playbook, count, &runs().await?, output).await
        }
        ScheduleCommand::Pause { playbook, comment } => {
            let (name, schedule) = scheduled(&playbook, output)?;
            let runs = runs().await?;
            let book = Book::new(runs.store().objects(), &name);
            let paused = Paused { by: myself(), at: runs.clock.now(), comment };
            pause(&book, &schedule, &paused).await.map_err(unkept)?;
            output.say(&format!("{name} is paused: nothing more is begun; `orchestrate schedule resume` lets it go on"));
            output.json(
                &serde_json::json!({ "event": "schedule_paused", "data": { "playbook": name } }),
            );
            Ok(Exit::Done)
        }
        ScheduleCommand::Resume { playbook } => {
            let (name, schedule) = scheduled(&playbook, output)?;
            let runs = runs().await?;
            let book = Book::new(runs.store().objects(), &name);
            lift(&book, &schedule, runs.clock.now()).await.map_err(unkept)?;
            output.say(&format!("{name} goes on; what came due while it was paused is left out, and `orchestrate schedule backfill` runs it"));
            output.json(
                &serde_json::json!({ "event": "schedule_resumed", "data": { "playbook": name } }),
            );
            Ok(Exit::Done)
        }
        ScheduleCommand::Backfill { playbook, from, to, yes } => {
            let (from, to) = (time(&from)?, to.as_deref().map(time).transpose()?);
            backfill(&playbook, from, to, yes, &runs().await?, ca, output).await
        }
    }
}

fn scheduled(playbook: &Path, output: Output) -> Result<(String, Schedule), CommandError> {
    let (name, schedule) = schedule_of(playbook, output)?;
    let none = || {
        CommandError::new(Exit::Usage, format!("{name} has no schedule"))
            .hint("add `schedule:` to the playbook; docs/schedules.md shows how")
    };
    Ok((name.clone(), schedule.ok_or_else(none)?))
}

fn unkept(failure: Failure) -> CommandError {
    CommandError::refused(failure.context("what is kept of the schedule cannot be read or changed"))
}

fn next(
    playbook: &Path,
    count: u32,
    after: Option<&str>,
    output: Output,
) -> Result<Exit, CommandError> {
    let (name, schedule) = scheduled(playbook, output)?;
    let after = after.map(time).transpose()?.unwrap_or_else(|| Clock::system().now());
    output.say(&format!("{name}: {}", schedule.cadence));
    for at in schedule.cadence.iter(after).take(count as usize) {
        let due = schedule.due(&name, at);
        let local = at.to_zoned(schedule.cadence.zone().clone()).strftime("%a %F %T %Z");
        let begins = if due == at { String::new() } else { format!(", begins {due}") };
        let dark = schedule.dark(due);
        let left_out = if dark { ", left out: blackout" } else { "" };
        output.say(&format!("  {at}  {local}{begins}{left_out}"));
        output.json(&serde_json::json!({ "event": "occurrence", "data": {
            "playbook": name, "at": at, "due": due, "blackout": dark,
        }}));
    }
    Ok(Exit::Done)
}

async fn list(
    playbook: &Path,
    count: usize,
    runs: &Runs,
    output: Output,
) -> Result<Exit, CommandError> {
    let (name, _) = schedule_of(playbook, output)?;
    let book = Book::new(runs.store().objects(), &name);
    let (head, _) = book.head().await.map_err(unkept)?;
    let Some(head) = head else {
        output.say(&format!("{name}: no occurrence yet"));
        return Ok(Exit::Done);
    };
    output.json(&serde_json::json!({ "event": "schedule", "data": head }));
    output.say(&format!("{name}: {}, decided up to {}", head.cadence, instant(head.decided)));
    if let Some(paused) = &head.paused {
        let why = paused.comment.as_ref().map(|words| format!(": {words}")).unwrap_or_default();
        output.say(&format!("  paused by {} at {}{why}", paused.by, instant(paused.at)));
    }
    for skip in &head.skips {
        let until = if skip.count > 1 { format!(" to {}", skip.last) } else { String::new() };
        output.say(&format!(
            "  {}{until}  left out: {} ({})",
            skip.first,
            skip.why.name(),
            skip.count
        ));
    }
    let times = book.times().await.map_err(unkept)?;
    for at in &times[times.len().saturating_sub(count)..] {
        let Some(done) = book.occurrence(*at).await.map_err(unkept)? else { continue };
        output.json(&serde_json::json!({ "event": "occurrence", "data": done }));
        for run in &done.runs {
            let words = run.words.as_ref().map(|words| format!(" ({words})")).unwrap_or_default();
            let outcome = run.outcome.name().replace('_', " ");
            output.say(&format!("  {at}  run {}  {outcome}{words}", run.run));
        }
    }
    for open in &head.open {
        let state = if open.stuck { "stuck: a person is needed" } else { "not finished" };
        output.say(&format!("  {}  run {}  {state}", open.at, open.run));
    }
    if let Some(at) = head.buffered {
        output.say(&format!("  {at}  waits for the one before it"));
    }
    Ok(Exit::Done)
}

async fn backfill(
    args: &PlaybookArgs,
    from: Timestamp,
    to: Option<Timestamp>,
    yes: bool,
    runs: &Runs,
    ca: Option<PathBuf>,
    output: Output,
) -> Result<Exit, CommandError> {
    let (name, schedule) = scheduled(&args.playbook, output)?;
    let now = runs.clock.now();
    let all = span(&schedule, from, to.unwrap_or(now).min(now));
    let book = Book::new(runs.store().objects(), &name);
    let (head, _) = book.head().await.map_err(unkept)?;
    let open: Vec<Timestamp> =
        head.iter().flat_map(|head| &head.open).map(|open| open.at).collect();
    let mut missing = Vec::new();
    for at in &all {
        let done = book.occurrence(*at).await.map_err(unkept)?;
        let has = done.as_ref().is_some_and(crate::scheduler::Occurrence::succeeded);
        if !has && !open.contains(at) {
            missing.push((*at, done.is_some()));
        }
    }
    if missing.is_empty() {
        output.say(&format!(
            "{name}: each of {} has a success or is not finished; nothing to do",
            counted(all.len(), "occurrence")
        ));
        return Ok(Exit::Done);
    }
    if missing.len() > MOST {
        return Err(CommandError::new(
            Exit::Usage,
            format!(
                "{} are without success; at most {MOST} are run at once",
                counted(missing.len(), "occurrence")
            ),
        )
        .hint("choose a shorter span with --from and --to"));
    }
    output.say(&format!(
        "{name}: {} of {} would be run, one after the other:",
        missing.len(),
        counted(all.len(), "occurrence")
    ));
    for (at, failed) in &missing {
        output.say(&format!("  {at}{}", if *failed { "  again: it has failed" } else { "" }));
        output.json(&serde_json::json!({ "event": "backfill", "data": { "playbook": name, "at": at, "again": failed } }));
    }
    let Intended { plan, .. } = intended(args, false, runs, output).await?;
    ask::yes("Run them?", yes)?;
    let asking = Asking { runs, plan: &plan, schedule: Some(&schedule), ca, output };
    for (at, _) in missing {
        let exit = asking.carry_out(at, Reason::Backfilled).await?;
        if exit != Exit::Done {
            return Ok(exit);
        }
    }
    Ok(Exit::Done)
}
