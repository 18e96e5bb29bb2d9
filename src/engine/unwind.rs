//! Rollback: what this run did, backwards.

use std::time::Duration;

use super::failure::{Class, Failure};
use super::journal::{Record, Rest, RollbackReason};
use super::kind::Kind;
use super::machine::Progress;
use super::retry;
use super::run::Engine;
use crate::plan::{PlannedStep, UndoPolicy};

/// The least time an undo gets, however short its step's own timeout is.
const LEAST_UNDO: Duration = Duration::from_secs(30 * 60);

impl Engine<'_> {
    /// Undoes every step that intended a change, latest first. Stops at the first that cannot be undone: going on could
    /// delete what the applications have been pointed at.
    pub(super) async fn unwind(&self, reason: &RollbackReason) -> Result<Rest, Failure> {
        loop {
            // Also one that failed just before a crash: nothing behind it is touched.
            let failed = self.ledger.state(|s| {
                s.undo_failed()
                    .map(|(planned, step)| (planned.id.clone(), step.undo_failure.clone()))
            });
            if let Some((step, failure)) = failed {
                let failure = failure.unwrap_or_else(|| Failure::fatal("the undo failed"));
                return Ok(Rest::Stuck { step, failure });
            }
            let next = self.ledger.state(|s| s.to_undo().first().copied().cloned());
            let Some(planned) = next else { break };
            self.stopped()?;
            self.pass(None).await?;
            if let Err(failure) = self.undo(&planned).await {
                if matches!(failure.class, Class::Journal | Class::Interrupted) {
                    return Err(failure);
                }
                return Ok(Rest::Stuck { step: planned.id, failure });
            }
        }
        Ok(match reason {
            RollbackReason::Rejected { .. } | RollbackReason::Cancelled { .. } => Rest::Cancelled,
            RollbackReason::StepFailed { .. } | RollbackReason::Asked { .. } => Rest::RolledBack,
        })
    }

    async fn undo(&self, planned: &PlannedStep) -> Result<(), Failure> {
        match self.ledger.state(|s| s.undo_policy(planned).clone()) {
            UndoPolicy::None(reason) | UndoPolicy::Manual(reason) => {
                let done =
                    self.ledger.state(|s| s.step(&planned.id).progress == Progress::Succeeded);
                let reason = match done {
                    true => reason.into_owned(),
                    false => format!("whatever it has done by now stays ({reason})"),
                };
                let step = planned.id.clone();
                self.ledger.record(Record::Left { step, reason }).await
            }
            UndoPolicy::Undo | UndoPolicy::Pivot => match self.kinds.kind(&planned.kind) {
                Some(kind) => self.compensate(planned, kind).await,
                None => Err(Failure::fatal(format!(
                    "this version of orchestrate has no step kind \"{}\"",
                    planned.kind
                ))),
            },
        }
    }

    async fn compensate(&self, planned: &PlannedStep, kind: &dyn Kind) -> Result<(), Failure> {
        // The run's own time limit is not for the way back: a run that is out of time could never be undone.
        let deadline = self.after(self.timeout(planned, kind).max(LEAST_UNDO));
        let mut tries = retry::Tries::default();
        loop {
            let cx = self.cx(planned, self.cancel.clone(), deadline);
            let attempt = self.ledger.state(|s| s.step(&planned.id).undo_attempts) + 1;
            self.ledger.record(Record::UndoStarted { step: planned.id.clone(), attempt }).await?;
            let failure = match self.in_time(&cx, self.undo_once(planned, kind, &cx)).await {
                Ok(did) => {
                    let step = planned.id.clone();
                    return self.ledger.record(Record::Undone { step, did }).await;
                }
                Err(failure) => failure,
            };
            let record = |failure, retry_in_secs| {
                let step = planned.id.clone();
                Record::UndoAttemptFailed { step, attempt, failure, retry_in_secs }
            };
            if let Some(failure) = self.given_up(failure, &cx, &mut tries, record).await? {
                return self.undo_failed(planned, failure).await;
            }
        }
    }

    async fn undo_once(
        &self,
        planned: &PlannedStep,
        kind: &dyn Kind,
        cx: &super::Cx,
    ) -> Result<Vec<String>, Failure> {
        let args = self.args(planned)?;
        let prepared = self.ledger.state(|s| s.step(&planned.id).prepared.clone());
        let prepared = prepared.unwrap_or_default();
        let did = kind.undo(&args, &prepared, cx).await?;
        if self.inject.undo_twice {
            kind.undo(&args, &prepared, cx).await?;
        }
        Ok(did)
    }

    async fn undo_failed(&self, planned: &PlannedStep, failure: Failure) -> Result<(), Failure> {
        let step = planned.id.clone();
        self.ledger.record(Record::UndoFailed { step, failure: failure.clone() }).await?;
        Err(failure)
    }
}
