//! Steering a run from outside: pause, hold, cancel.
//!
//! People write what they want where the run's journal is kept. The process that works on the run reads it every few
//! seconds and makes each difference a record; from then on it counts. What counts is told by the run's state alone,
//! so that a process which takes the run up stands where the one before it stood.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::clock::Clock;
use super::failure::{Class, Failure};
use super::journal::{Record, Steer};
use super::ledger::Ledger;
use super::machine::RunState;

/// Who asked for something, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// User and host.
    pub by: String,
    /// When, by their clock.
    pub at: Timestamp,
    /// Their words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// What people want of a run; the whole of it, not the latest word, so that reading it twice or late means the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// That it begins, calls and looks at nothing more for now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<Asked>,
    /// That these steps do not begin.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub holds: BTreeMap<String, Asked>,
    /// Who lifted a pause or a hold last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifted: Option<Asked>,
    /// That it stops and is undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel: Option<Asked>,
}

impl Wanted {
    /// What has to be recorded so that the run's state says what is wanted. What the run cannot heed any more, such as
    /// a hold before a step that has begun, is left out.
    #[must_use]
    pub fn changes(&self, state: &RunState) -> Vec<(Steer, Asked)> {
        if let Some(asked) = self.cancel.as_ref().filter(|_| state.may_steer(&Steer::Cancel)) {
            // Alone: to lift a pause first would let one more call leave.
            return vec![(Steer::Cancel, asked.clone())];
        }
        let mut changes = Vec::new();
        let lifted = |at| {
            let nobody = || Asked { by: "somebody".to_owned(), at, comment: None };
            self.lifted.clone().unwrap_or_else(nobody)
        };
        match (&self.pause, &state.paused) {
            (Some(asked), None) => changes.push((Steer::Pause, asked.clone())),
            (None, Some(paused)) => changes.push((Steer::GoOn, lifted(paused.at))),
            _ => {}
        }
        for (before, asked) in &self.holds {
            changes.push((Steer::Hold { before: before.clone() }, asked.clone()));
        }
        for (before, held) in &state.holds {
            if !self.holds.contains_key(before) {
                changes.push((Steer::LetGo { before: before.clone() }, lifted(held.at)));
            }
        }
        changes.retain(|(steer, _)| state.may_steer(steer));
        changes
    }
}

/// Wakes whoever waits when somebody has steered the run.
#[derive(Debug, Default)]
pub struct Helm {
    turned: Notify,
}

impl Helm {
    /// Makes what is wanted count: records each difference, and wakes whoever waits for it.
    ///
    /// # Errors
    /// `Class::Journal`.
    pub async fn heed(&self, ledger: &Ledger, wanted: &Wanted) -> Result<(), Failure> {
        for (steer, asked) in ledger.state(|state| wanted.changes(state)) {
            let Asked { by, comment, .. } = asked;
            ledger.record(Record::Steered { steer, by, comment }).await?;
            self.turned.notify_waiters();
        }
        Ok(())
    }

    /// Returns once the run is not paused and `step` is not held. Gives for how long it was.
    ///
    /// # Errors
    /// `Interrupted` if the run is stopped meanwhile.
    pub(super) async fn pass(
        &self,
        ledger: &Ledger,
        step: Option<&str>,
        cancel: &CancellationToken,
        clock: &Clock,
    ) -> Result<Duration, Failure> {
        let began = clock.now();
        loop {
            let turned = self.turned.notified();
            let held = ledger.peek(|state| {
                let held = step.is_some_and(|step| state.holds.contains_key(step));
                (state.paused.is_some() || held) && state.cancelled.is_none()
            });
            if !held.unwrap_or(false) {
                return Ok(clock.since(began));
            }
            tokio::select! {
                biased;
                () = cancel.cancelled() => {
                    return Err(Failure::new(Class::Interrupted, super::run::STOPPED));
                }
                () = turned => {}
            }
        }
    }

    /// Returns once a cancel counts.
    pub(super) async fn cancelled(&self, ledger: &Ledger) {
        loop {
            let turned = self.turned.notified();
            if ledger.state(|state| state.cancelled.is_some() && !state.past_pivot()) {
                return;
            }
            turned.await;
        }
    }
}
