//! Carries out the runs of occurrences, as `run` and `resume` do, but that the run was named before it began.

use std::rc::Rc;
use std::time::Duration;

use async_trait::async_trait;

use super::account::{Account, Connect};
use super::claims::Clusters;
use super::commands::resume::{Way, go_on, permit};
use super::drive::{Beginning, Manner, drive, myself};
use super::error::CommandError;
use super::exit::Exit;
use super::output::Output;
use super::reading::read;
use super::state::Runs;
use crate::engine::journal::{JournalError, Record, Rest, RollbackReason};
use crate::engine::{Phase, Progress, RunId, RunState, Verdict};
use crate::plan::Plan;
use crate::schedule::{Open, key};
use crate::scheduler::{Book, Ended, Export, Outcome, Worked, Worker};
use crate::state::{Opened, keep};
use crate::steps::permissions_findings;

/// How many reasons of a refusal are told; `plan` tells all.
const MOST_REASONS: usize = 3;

/// Carries out the runs of one playbook's occurrences.
pub(crate) struct PlaybookWorker<'a> {
    /// The playbook's name.
    pub(crate) playbook: &'a str,
    /// Where runs are kept.
    pub(crate) runs: &'a Runs,
    /// The plan, as the playbook stands when a run begins.
    pub(crate) plan: &'a dyn Fn() -> Result<Plan, CommandError>,
    /// What connects to the account.
    pub(crate) connect: &'a dyn Connect,
    /// Whether the schedule pauses once an occurrence has failed.
    pub(crate) pauses: &'a dyn Fn() -> bool,
    /// Who watches a run.
    pub(crate) manner: &'a dyn Fn(&Open) -> Manner,
    /// For how long it is tried to begin a run before it counts as refused.
    pub(crate) patience: Duration,
    pub(crate) output: Output,
}

#[async_trait(?Send)]
impl Worker for PlaybookWorker<'_> {
    async fn work(&self, open: &Open) -> Worked {
        let run: RunId = match open.run.parse() {
            Ok(run) => run,
            Err(error) => return Worked::NotNow(error.to_string()),
        };
        let worked = self.as_it_stands(open, &run).await;
        if let Worked::NotNow(why) = &worked {
            let line = format!("run {run} is not worked on, and will be tried again: {why}\n");
            self.say(open, &line);
        }
        worked
    }
}

impl PlaybookWorker<'_> {
    fn say(&self, open: &Open, line: &str) {
        match (self.manner)(open) {
            Manner::Alone => self.output.complain(line),
            Manner::Among { label, .. } => self.output.complain(&format!("{label}  {line}")),
        }
        self.output.json(&serde_json::json!({ "event": "occurrence", "data": {
            "occurrence": key(self.playbook, open.at), "run": open.run, "message": line.trim_end(),
        }}));
    }

    async fn as_it_stands(&self, open: &Open, run: &RunId) -> Worked {
        let store = self.runs.store();
        match store.holder(run).await {
            Ok(Some(_)) => return Worked::Busy,
            Ok(None) => {}
            Err(error) => return Worked::NotNow(error.to_string()),
        }
        let loaded = match store.load(run).await {
            Ok(loaded) => loaded,
            Err(JournalError::Empty(_)) => return self.begin(open, run).await,
            Err(error @ (JournalError::Damaged { .. } | JournalError::Foreign { .. })) => {
                return Worked::Waits(Some(error.to_string()));
            }
            Err(error) => return Worked::NotNow(error.to_string()),
        };
        let state = match RunState::replay(&loaded.entries) {
            Ok(state) => state,
            Err(error) => return Worked::Waits(Some(error.to_string())),
        };
        match self.end(open, &state) {
            Some(Worked::Waits(_)) if open.cancel => {}
            Some(worked) => return worked,
            None => {}
        }
        self.resume(open, run).await
    }

    /// What a run at rest has come to.
    fn end(&self, open: &Open, state: &RunState) -> Option<Worked> {
        let (outcome, words) = match state.rest.as_ref()? {
            Rest::Succeeded => (Outcome::Succeeded, None),
            Rest::Waiting { .. } => return Some(Worked::Waits(None)),
            Rest::Stuck { step, failure } => {
                return Some(Worked::Waits(Some(format!("stuck at step {step}: {failure}"))));
            }
            Rest::RolledBack | Rest::Cancelled => match &state.phase {
                Phase::Back(RollbackReason::StepFailed { step }) => {
                    let why = state.step(step).failure.as_ref();
                    let why = why.map(|why| format!(": {why}")).unwrap_or_default();
                    (Outcome::RolledBack, Some(format!("step {step} failed{why}")))
                }
                _ => (Outcome::Cancelled, None),
            },
        };
        let done = state.steps().filter(|(_, step)| step.progress == Progress::Succeeded);
        let succeeded = outcome == Outcome::Succeeded;
        let exports = done
            .filter_map(|(_, step)| step.output.as_ref().filter(|_| succeeded))
            .flat_map(Export::all_in)
            .collect();
        Some(Worked::Ended(Box::new(self.ended(open, outcome, words, exports))))
    }

    fn ended(
        &self,
        open: &Open,
        outcome: Outcome,
        words: Option<String>,
        exports: Vec<Export>,
    ) -> Ended {
        Ended {
            run: open.run.clone(),
            why: open.why,
            by: open.by.clone(),
            submitted: open.submitted,
            ended: self.runs.clock.now(),
            outcome,
            words,
            exports,
        }
    }

    /// What the run has come to, by its journal, after it was driven.
    async fn told(&self, open: &Open, run: &RunId, driven: Result<Exit, CommandError>) -> Worked {
        let state = match self.runs.store().load(run).await {
            Ok(loaded) => RunState::replay(&loaded.entries).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match (state, driven) {
            (Ok(state), Ok(exit)) => match self.end(open, &state) {
                Some(worked) => worked,
                None if exit == Exit::Interrupted => Worked::Stopped,
                None => Worked::NotNow("it stopped before its end".to_owned()),
            },
            (_, Err(error)) => Worked::NotNow(error.in_a_line()),
            (Err(why), _) => Worked::NotNow(why),
        }
    }

    async fn begin(&self, open: &Open, run: &RunId) -> Worked {
        let opened = match self.runs.store().create(run).await {
            Ok(opened) => opened,
            Err(JournalError::Locked | JournalError::Held { .. }) => return Worked::Busy,
            // Begun by another process between the look and now: the next look tells what it is.
            Err(error) => return Worked::NotNow(error.to_string()),
        };
        let lease = Rc::clone(&opened.lease);
        let worked = self.begin_under_lease(open, run, opened).await;
        // If this fails it ends by itself.
        let _ = lease.release().await;
        worked
    }

    async fn begin_under_lease(&self, open: &Open, run: &RunId, opened: Opened) -> Worked {
        // Whoever had the run a moment ago may have given it up for good.
        let book = Book::new(self.runs.store().objects(), self.playbook);
        match book.head().await {
            Ok((Some(head), _)) if head.open.iter().any(|known| known.run == open.run) => {}
            Ok(_) => return Worked::NotNow("another process has finished it".to_owned()),
            Err(failure) => return Worked::NotNow(failure.to_string()),
        }
        let ready = tokio::select! {
            ready = self.ready(run) => ready,
            lost = keep(opened.lease.as_ref(), &self.runs.clock) => {
                return Worked::NotNow(lost.to_string());
            }
        };
        let (plan, account) = match ready {
            Ok(ready) => ready,
            Err(error) => return self.refused(open, &book, &error).await,
        };
        let by = format!("{} for {}", myself(), key(self.playbook, open.at));
        let header = Record::Started {
            run: run.clone(),
            tool: env!("CARGO_PKG_VERSION").to_owned(),
            by,
            account: account.identity.account.clone(),
            region: account.identity.region.clone(),
            embedded: account.is_embedded(),
            plan: Box::new(plan),
        };
        let (beginning, manner) = (Beginning::New(Box::new(header)), (self.manner)(open));
        let driven = drive(&account, opened, self.runs, beginning, &manner, self.output).await;
        account.close().await;
        self.told(open, run, driven).await
    }

    /// All that is looked at before a run begins. Claims the clusters.
    async fn ready(&self, run: &RunId) -> Result<(Plan, Account), CommandError> {
        let plan = (self.plan)()?;
        let account = self.connect.connect(&plan).await?;
        match self.permitted(&plan, &account, run).await {
            Ok(()) => Ok((plan, account)),
            Err(error) => {
                account.close().await;
                Err(error)
            }
        }
    }

    async fn permitted(
        &self,
        plan: &Plan,
        account: &Account,
        run: &RunId,
    ) -> Result<(), CommandError> {
        account.not_halted(plan).await?;
        // Before much is read: what another run does there would only look like faults.
        Clusters::of(plan, account).claim(run, self.runs).await?;
        let (kinds, survey) = (&account.registry, &account.env.survey);
        let checks = read(plan, kinds, survey, &account.clock, run);
        let (checks, caller) = futures::join!(checks, permissions_findings(&account.env, plan));
        let found = checks.iter().flat_map(|(_, found)| found).chain(&caller);
        let fails: Vec<_> = found.filter(|found| found.verdict == Verdict::WillFail).collect();
        if let Some(first) = fails.first() {
            let what = format!("checks would fail, such as {}", first.check);
            let error = CommandError::new(Exit::Refused, what);
            let told = fails.iter().take(MOST_REASONS);
            return Err(told
                .fold(error, |error, found| error.because(found.what.clone()))
                .hint("`orchestrate plan` tells all of them, and what to do"));
        }
        Ok(())
    }

    /// A run that cannot begin is tried again for a while. Given up, that is written down while this process still has
    /// it: no other can begin it in between.
    async fn refused(&self, open: &Open, book: &Book<'_>, error: &CommandError) -> Worked {
        let why = error.in_a_line();
        if self.runs.clock.since(open.submitted) < self.patience {
            return Worked::NotNow(why);
        }
        let end = self.ended(open, Outcome::Refused, Some(why.clone()), Vec::new());
        match book.settle(open, &end, (self.pauses)()).await {
            Ok(()) => {
                self.say(open, &format!("run {} was never begun: {why}\n", open.run));
                Worked::Ended(Box::new(end))
            }
            Err(failure) => Worked::NotNow(failure.to_string()),
        }
    }

    async fn resume(&self, open: &Open, run: &RunId) -> Worked {
        let opened = match self.runs.store().open(run).await {
            Ok(opened) => opened,
            Err(JournalError::Locked | JournalError::Held { .. }) => return Worked::Busy,
            Err(error) => return Worked::NotNow(error.to_string()),
        };
        let lease = Rc::clone(&opened.lease);
        let manner = (self.manner)(open);
        // What people have asked of the run stands.
        let way = Way { connect: self.connect, manner: &manner, lifts: false };
        let driven =
            go_on(run, |state, _| permit(state), self.runs, opened, &way, self.output).await;
        let _ = lease.release().await;
        self.told(open, run, driven).await
    }
}
