//! `orchestrate run --occurrence`: exactly one occurrence, however often the command is given.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::plan::{Intended, intended};
use super::run::embedded;
use crate::cli::account::Aws;
use crate::cli::args::RunArgs;
use crate::cli::ask;
use crate::cli::drive::{Manner, myself};
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::playbook_file;
use crate::cli::state::Runs;
use crate::cli::worker::PlaybookWorker;
use crate::engine::{Failure, RunId};
use crate::plan::{Plan, check};
use crate::report::{duration, instant};
use crate::schedule::{Open, Reason, Schedule, key};
use crate::scheduler::{Answer, Book, Ended, Occurrence, Outcome, Worked, Worker, ask_for};
use crate::steps::catalog;

/// For how long a run that cannot begin is tried again.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two tries.
const AGAIN: Duration = Duration::from_secs(10);

pub(super) async fn run(
    args: RunArgs,
    at: &str,
    runs: &Runs,
    ca: Option<PathBuf>,
    output: Output,
) -> Result<Exit, CommandError> {
    if embedded(&args) {
        return Err(CommandError::new(
            Exit::Usage,
            "`--occurrence` cannot be used with `--sandbox`",
        )
        .because(
            "that sandbox ends with this process, and no other could go on with the occurrence",
        ));
    }
    let Intended { plan, saved } = intended(&args.playbook, false, runs, output).await?;
    let schedule = match saved {
        Some(_) => None,
        None => schedule_of(&args.playbook.playbook, output)?.1,
    };
    let now = runs.clock.now();
    let at = meant(at, &plan.playbook, schedule.as_ref(), now)?;
    if schedule.as_ref().is_some_and(|schedule| schedule.dark(now)) {
        output.say(&format!("{}: left out, since now is in a blackout", key(&plan.playbook, at)));
        return Ok(Exit::Done);
    }
    if plan.steps().any(|step| step.effect.mutates()) {
        ask::yes("Carry this occurrence out?", args.yes)?;
    }
    let asked = Asking { runs, plan: &plan, schedule: schedule.as_ref(), ca, output };
    asked.carry_out(at, Reason::Asked).await
}

/// The name of a playbook, and its schedule.
pub(super) fn schedule_of(
    path: &Path,
    output: Output,
) -> Result<(String, Option<Schedule>), CommandError> {
    let source = playbook_file::read(path, output)?;
    let (playbook, problems) = check(&source, &catalog());
    match playbook {
        Some(playbook) if !problems.has_errors() => {
            Ok((playbook.name.value, playbook.schedule.map(|schedule| schedule.value)))
        }
        _ => Err(playbook_file::invalid(&problems, output)),
    }
}

/// A time as it is typed.
pub(super) fn time(text: &str) -> Result<Timestamp, CommandError> {
    let wrong = || {
        CommandError::new(Exit::Usage, format!("\"{text}\" is no time"))
            .hint("write it in UTC, to the second: 2026-11-23T02:15:00Z")
    };
    let at: Timestamp = text.parse().map_err(|_| wrong())?;
    // What is named by seconds has no parts of them.
    Timestamp::from_second(at.as_second()).map_err(|_| wrong())
}

/// The occurrence that is meant.
fn meant(
    text: &str,
    playbook: &str,
    schedule: Option<&Schedule>,
    now: Timestamp,
) -> Result<Timestamp, CommandError> {
    let usage = |what: String| CommandError::new(Exit::Usage, what);
    if text == "now" {
        let schedule = schedule.ok_or_else(|| {
            usage(format!("{playbook} has no schedule, so that `now` names no occurrence")).hint(
                "add `schedule:` to the playbook, or name the time, such as 2026-11-23T02:15:00Z",
            )
        })?;
        return schedule
            .cadence
            .latest(now)
            .ok_or_else(|| usage(format!("no time of the schedule of {playbook} has come yet")));
    }
    let at = time(text)?;
    if at > now {
        return Err(usage(format!("{} is still to come", key(playbook, at)))
            .hint("give the command when its time has come"));
    }
    let Some(schedule) = schedule.filter(|schedule| !schedule.cadence.has(at)) else {
        return Ok(at);
    };
    let before = schedule.cadence.latest(at).map(|time| time.to_string());
    let after = schedule.cadence.after(at).map(|time| time.to_string());
    let near: Vec<String> = before.into_iter().chain(after).collect();
    Err(usage(format!("the schedule of {playbook} ({}) has no time {at}", schedule.cadence))
        .hint(format!("the nearest are {}; `now` takes the newest", near.join(" and "))))
}

/// Somebody wants occurrences of a playbook carried out.
pub(super) struct Asking<'a> {
    pub(super) runs: &'a Runs,
    pub(super) plan: &'a Plan,
    pub(super) schedule: Option<&'a Schedule>,
    pub(super) ca: Option<PathBuf>,
    pub(super) output: Output,
}

impl Asking<'_> {
    /// Carries one out, if that is to be done: submits it, or takes it up where another process left it.
    pub(super) async fn carry_out(&self, at: Timestamp, why: Reason) -> Result<Exit, CommandError> {
        let Self { runs, plan, output, .. } = self;
        let playbook = plan.playbook.as_str();
        let book = Book::new(runs.store().objects(), playbook);
        let connect = Aws { ca: self.ca.clone() };
        let pauses = || self.schedule.is_some_and(|schedule| schedule.pause_on_failure);
        let worker = PlaybookWorker {
            playbook,
            runs,
            plan: &|| Ok((*plan).clone()),
            connect: &connect,
            pauses: &pauses,
            manner: &|_| Manner::Alone,
            patience: PATIENCE,
            output: *output,
        };
        let submitted = runs.clock.now();
        let run = RunId::new(submitted, &mut rand::rng()).to_string();
        let open = Open { at, run, why, submitted, by: myself(), cancel: false, stuck: false };
        loop {
            let answer = ask_for(&book, self.schedule, &open, runs.clock.now());
            let (open, own) = match answer.await.map_err(CommandError::refused)? {
                Answer::Submitted(open) => {
                    self.tell(&open, "is carried out by run");
                    (open, true)
                }
                Answer::Open(open) => {
                    self.tell(
                        &open,
                        "was submitted before, and is taken up if nobody is at it: run",
                    );
                    (open, true)
                }
                Answer::Other(other) => {
                    self.tell(
                        &other,
                        "is not finished, and is taken up first if nobody is at it: run",
                    );
                    (other, false)
                }
                Answer::Done(done) => return Ok(self.done(&done)),
                Answer::Paused(paused) => {
                    let why = paused.comment.map(|words| format!(": {words}")).unwrap_or_default();
                    return Err(CommandError::new(
                        Exit::Locked,
                        format!("the schedule of {playbook} is paused; nothing was changed"),
                    )
                    .because(format!("paused by {} at {}{why}", paused.by, instant(paused.at)))
                    .hint("`orchestrate schedule resume` lets it go on"));
                }
            };
            match worker.work(&open).await {
                Worked::Ended(end) => {
                    let settled = book.settle(&open, &end, pauses()).await;
                    settled.map_err(|failure| self.unsettled(&open, failure))?;
                    if own {
                        return Ok(exit_of(&end));
                    }
                }
                Worked::Waits(words) => {
                    let (exit, what) = match &words {
                        Some(words) => (Exit::Stuck, words.as_str()),
                        None => (Exit::Waiting, "it waits for an approval"),
                    };
                    if let Some(words) = &words {
                        let stuck = book.stuck(&open, runs.clock.now(), words, pauses()).await;
                        stuck.map_err(CommandError::refused)?;
                    }
                    if own {
                        return Ok(exit);
                    }
                    return Err(self.in_the_way(&open).because(what.to_owned()));
                }
                Worked::Busy => {
                    return Err(self
                        .in_the_way(&open)
                        .because("a process works on it now".to_owned()));
                }
                Worked::Stopped => return Ok(Exit::Interrupted),
                Worked::NotNow(why) => {
                    // One's own is given up by the worker; another's is nothing to wait for.
                    if !own && runs.clock.since(submitted) > PATIENCE {
                        return Err(self.in_the_way(&open).because(why));
                    }
                    self.output.say(&format!("trying again in {}", duration(AGAIN)));
                    runs.clock.sleep(AGAIN).await;
                }
            }
        }
    }

    fn tell(&self, open: &Open, what: &str) {
        let key = key(&self.plan.playbook, open.at);
        self.output.say(&format!("{key} {what} {}", open.run));
        self.output.json(&serde_json::json!({ "event": "occurrence", "data": {
            "occurrence": key, "run": open.run, "why": open.why,
        }}));
    }

    fn done(&self, done: &Occurrence) -> Exit {
        let Some(last) = done.runs.last() else { return Exit::Done };
        let words = last.words.as_ref().map(|words| format!(" ({words})")).unwrap_or_default();
        let outcome = last.outcome.name().replace('_', " ");
        self.output.say(&format!("{}: already ran: run {}, {outcome}{words}", done.key, last.run));
        self.output.json(&serde_json::json!({ "event": "already_ran", "data": done }));
        exit_of(last)
    }

    fn unsettled(&self, open: &Open, failure: Failure) -> CommandError {
        CommandError::refused(failure.context(format!(
            "run {} came to its end, and that could not be written down",
            open.run
        )))
        .hint("give the command again: it does that alone")
    }

    fn in_the_way(&self, open: &Open) -> CommandError {
        let key = key(&self.plan.playbook, open.at);
        let run = &open.run;
        let status = format!("orchestrate status {run}{}", self.runs.flags());
        CommandError::new(Exit::Locked, format!("{key} is not finished: run {run}")).hint(format!(
            "`{status}` shows where it is; the command can be given again at any time"
        ))
    }
}

fn exit_of(end: &Ended) -> Exit {
    match end.outcome {
        Outcome::Succeeded | Outcome::Cancelled => Exit::Done,
        Outcome::RolledBack => Exit::RolledBack,
        Outcome::Refused => Exit::Refused,
    }
}

/// The times of a schedule from one to another, both included.
pub(super) fn span(schedule: &Schedule, from: Timestamp, to: Timestamp) -> Vec<Timestamp> {
    let before = from.checked_sub(SignedDuration::from_secs(1)).unwrap_or(from);
    schedule.cadence.iter(before).take_while(|at| *at <= to).collect()
}
