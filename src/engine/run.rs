//! Carries a plan out: starts what may run, retries, rolls back, comes to rest.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::clock::Clock;
use super::cx::{Cx, seeded};
use super::failure::{Class, Failure};
use super::helm::Helm;
use super::inject::{Inject, Strike};
use super::journal::{Record, Rest, RollbackReason};
use super::kind::{Around, Kind, Kinds, Outcome};
use super::ledger::Ledger;
use super::machine::{Phase, Progress};
use super::pace::Pace;
use super::retry;
use crate::plan::PlannedStep;

/// What a run that somebody stopped says of it.
pub(crate) const STOPPED: &str = "the run was stopped";
/// How long past its deadline a step may take to notice that its time is up.
const GRACE: Duration = Duration::from_secs(30);

/// How a call of `Engine::run` ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// At rest.
    Rest(Rest),
    /// Stopped by a signal; the run can be resumed or rolled back.
    Interrupted,
    /// The journal could not be written; nothing was changed after that.
    Broken(Failure),
}

/// How one step ended, if it did not fail.
enum StepEnd {
    Done,
    Asked,
}

/// Carries one run out. Everything it knows of the run is in the ledger.
pub struct Engine<'a> {
    pub(super) kinds: &'a dyn Kinds,
    pub(super) ledger: Rc<Ledger>,
    pub(super) clock: Clock,
    pub(super) pace: Rc<Pace>,
    pub(super) cancel: CancellationToken,
    pub(super) inject: Inject,
    pub(super) helm: Rc<Helm>,
    /// And for how long the run had been paused when it was set.
    run_deadline: Cell<Option<(Timestamp, u64)>>,
    /// Why the run stopped by itself before it came to rest.
    halted: RefCell<Option<String>>,
}

impl<'a> Engine<'a> {
    /// An engine for the run in `ledger`. Cancelling `cancel` drains it to a point from which it can be resumed.
    #[must_use]
    pub fn new(
        kinds: &'a dyn Kinds,
        ledger: Rc<Ledger>,
        clock: Clock,
        cancel: CancellationToken,
    ) -> Self {
        Self {
            kinds,
            ledger,
            clock,
            pace: Rc::default(),
            cancel,
            inject: Inject::default(),
            helm: Rc::default(),
            run_deadline: Cell::new(None),
            halted: RefCell::default(),
        }
    }

    /// The same engine, disturbed as `inject` says (tests only).
    #[must_use]
    pub fn disturbed(mut self, inject: Inject) -> Self {
        self.inject = inject;
        self
    }

    /// The same engine, steered through `helm`.
    #[must_use]
    pub fn steered(mut self, helm: Rc<Helm>) -> Self {
        self.helm = helm;
        self
    }

    /// Goes on, forward or back, until the run rests, is stopped, or cannot write its journal.
    pub async fn run(&self) -> End {
        let timeout = self.ledger.state(|s| s.plan.timeout_secs);
        let deadline = timeout.and_then(|secs| self.after(Duration::from_secs(secs)));
        let paused = self.ledger.state(|s| s.paused_secs);
        self.run_deadline.set(deadline.map(|deadline| (deadline, paused)));
        match self.to_rest().await {
            Ok(rest) => match self.ledger.record(Record::Rested(rest.clone())).await {
                Ok(()) => End::Rest(rest),
                Err(failure) => End::Broken(failure),
            },
            Err(failure) if failure.class == Class::Interrupted => {
                let by = self.halted.take().unwrap_or(failure.message);
                match self.ledger.record(Record::Interrupted { by }).await {
                    Ok(()) => End::Interrupted,
                    Err(failure) => End::Broken(failure),
                }
            }
            Err(failure) => End::Broken(failure),
        }
    }

    /// `Err` only for `Interrupted` and `Journal`; every other failure becomes a rest.
    async fn to_rest(&self) -> Result<Rest, Failure> {
        loop {
            let phase = self.ledger.state(|s| s.phase.clone());
            if let Phase::Back(reason) = phase {
                return self.unwind(&reason).await;
            }
            let failed = self.ledger.state(|s| s.failed().map(|(p, _)| p.id.clone()));
            if let Some(step) = failed {
                if self.ledger.state(super::RunState::past_pivot) {
                    let failure = self.ledger.state(|s| s.step(&step).failure.clone());
                    let failure = failure.unwrap_or_else(|| Failure::fatal("the step failed"));
                    return Ok(Rest::Stuck { step, failure });
                }
                let reason = RollbackReason::StepFailed { step };
                self.ledger.record(Record::RollbackStarted { reason }).await?;
                continue;
            }
            // A switch-over that was faster wins: it is not gone back over unless somebody says so.
            let cancelled = self
                .ledger
                .state(|s| s.cancelled.as_ref().filter(|_| !s.past_pivot()).map(|c| c.by.clone()));
            if let Some(by) = cancelled {
                let reason = RollbackReason::Cancelled { by };
                self.ledger.record(Record::RollbackStarted { reason }).await?;
                continue;
            }
            if let Some(step) = self.ledger.state(|s| s.rejected().map(|(p, _)| p.id.clone())) {
                if self.ledger.state(super::RunState::past_pivot) {
                    return Ok(Rest::Stuck { failure: rejected_past_pivot(&step), step });
                }
                let reason = RollbackReason::Rejected { step };
                self.ledger.record(Record::RollbackStarted { reason }).await?;
                continue;
            }
            let asking = self.ledger.state(|s| {
                s.asking()
                    .filter(|(_, state)| state.decision.is_none())
                    .map(|(planned, _)| planned.id.clone())
            });
            if let Some(step) = asking {
                return Ok(Rest::Waiting { step });
            }
            if self.ledger.state(|s| s.runnable().is_empty()) {
                if self.ledger.state(|s| s.paused.is_none()) {
                    return Ok(Rest::Succeeded);
                }
                // Whoever paused it has not said yet that all is well, and may cancel it.
                self.pass(None).await?;
                continue;
            }
            self.stopped()?;
            self.forward().await?;
        }
    }

    /// Runs steps until one fails or asks, or all are done.
    async fn forward(&self) -> Result<(), Failure> {
        let siblings = self.cancel.child_token();
        let mut running = FuturesUnordered::new();
        let mut in_flight = BTreeSet::new();
        let mut stop = false;
        loop {
            // Asked here too: a step that has ended just now must not be followed by one more.
            let cancelled = self.ledger.state(|s| s.cancelled.is_some() && !s.past_pivot());
            if cancelled && !stop {
                stop = true;
                siblings.cancel();
            }
            if !stop && !self.cancel.is_cancelled() {
                let ready = self
                    .ledger
                    .state(|s| s.runnable().into_iter().cloned().collect::<Vec<PlannedStep>>());
                for planned in ready {
                    if in_flight.insert(planned.id.clone()) {
                        let cancel = siblings.clone();
                        running.push(async move {
                            let end = self.step(&planned, cancel).await;
                            (planned.id, end)
                        });
                    }
                }
            }
            let next = tokio::select! {
                biased;
                next = running.next() => next,
                // Drained as by a signal, and then undone.
                () = self.helm.cancelled(&self.ledger), if !stop => {
                    stop = true;
                    siblings.cancel();
                    continue;
                }
            };
            let Some((id, end)) = next else { return Ok(()) };
            in_flight.remove(&id);
            match end {
                Ok(StepEnd::Done) => {}
                Ok(StepEnd::Asked) => stop = true,
                Err(failure) if failure.class == Class::Journal => return Err(failure),
                Err(failure) if failure.class == Class::Interrupted => stop = true,
                Err(_) => {
                    stop = true;
                    siblings.cancel();
                }
            }
        }
    }

    /// One step through all its attempts. `Err` if it failed for good (recorded), was stopped, or the journal broke.
    async fn step(
        &self,
        planned: &PlannedStep,
        cancel: CancellationToken,
    ) -> Result<StepEnd, Failure> {
        let Some(kind) = self.kinds.kind(&planned.kind) else {
            self.start(planned).await?;
            return self
                .fail(
                    planned,
                    Failure::fatal(format!(
                        "this version of orchestrate has no step kind \"{}\"",
                        planned.kind
                    )),
                )
                .await;
        };
        self.pass(Some(&planned.id)).await?;
        if cancel.is_cancelled() {
            return Err(Failure::new(Class::Interrupted, STOPPED));
        }
        let out_of_time = self.run_deadline().filter(|deadline| *deadline <= self.clock.now());
        if out_of_time.is_some() {
            self.start(planned).await?;
            let failure =
                Failure::new(Class::TimedOut, "the run's time was up before the step began");
            return self.fail(planned, failure).await;
        }
        let mut deadline = match (self.after(self.timeout(planned, kind)), self.run_deadline()) {
            (Some(step), Some(run)) => Some(step.min(run)),
            (step, run) => step.or(run),
        };
        let mut tries = retry::Tries::default();
        loop {
            // A new one each time: it carries what the attempt before has noted.
            let cx = self.cx(planned, cancel.clone(), deadline);
            let attempt = self.start(planned).await?;
            let result = self.in_time(&cx, self.attempt(planned, kind, &cx)).await;
            let failure = match result {
                Ok(Outcome::Done { change, output }) => {
                    let step = planned.id.clone();
                    self.ledger.record(Record::Succeeded { step, change, output }).await?;
                    return Ok(StepEnd::Done);
                }
                Ok(Outcome::Ask { question }) => {
                    let step = planned.id.clone();
                    self.ledger.record(Record::ApprovalAsked { step, question }).await?;
                    return Ok(StepEnd::Asked);
                }
                Err(failure) => failure,
            };
            let record = |failure, retry_in_secs| {
                let step = planned.id.clone();
                Record::AttemptFailed { step, attempt, failure, retry_in_secs }
            };
            if let Some(failure) = self.given_up(failure, &cx, &mut tries, record).await? {
                return self.fail(planned, failure).await;
            }
            // Somebody, or a guard, may have paused the run meanwhile; the step's time is longer by as much.
            cx.pass().await?;
            deadline = cx.deadline.get();
        }
    }

    /// Writes down that an attempt failed, forward or back, and pauses until the next one. Gives why there is none, if there
    /// is none: the caller writes that down.
    ///
    /// # Errors
    /// What ends the run rather than the step.
    pub(super) async fn given_up(
        &self,
        failure: Failure,
        cx: &Cx,
        tries: &mut retry::Tries,
        record: impl Fn(Failure, Option<u64>) -> Record,
    ) -> Result<Option<Failure>, Failure> {
        if self.ends_run(&failure, cx) {
            return Err(failure);
        }
        if let Some(why) = halts(&failure) {
            self.ledger.record(record(failure, None)).await?;
            return Err(self.halt(why));
        }
        self.slow_down(&failure);
        let Some(pause) = cx.random(|rng| tries.pause(failure.class, rng)) else {
            return Ok(Some(failure));
        };
        self.ledger.record(record(failure.clone(), Some(pause.as_secs()))).await?;
        match cx.sleep(pause).await {
            Ok(()) => Ok(None),
            Err(stopped) if stopped.class == Class::TimedOut => {
                Ok(Some(stopped.because(failure.to_string())))
            }
            Err(stopped) => Err(stopped),
        }
    }

    async fn attempt(
        &self,
        planned: &PlannedStep,
        kind: &dyn Kind,
        cx: &Cx,
    ) -> Result<Outcome, Failure> {
        let args = self.args(planned)?;
        let prepared = match self.ledger.state(|s| s.step(&planned.id).prepared.clone()) {
            Some(prepared) => prepared,
            None => {
                let prepared = kind.prepare(&args, cx).await?;
                if planned.effect.mutates() {
                    self.ledger
                        .record(Record::Intended {
                            step: planned.id.clone(),
                            prepared: prepared.value.clone(),
                            resources: prepared.resources,
                        })
                        .await?;
                }
                prepared.value
            }
        };
        self.strike(planned, Strike::BeforeExecute)?;
        let mut outcome = kind.execute(&args, &prepared, cx).await?;
        if self.inject.execute_twice {
            outcome = kind.execute(&args, &prepared, cx).await?;
        }
        self.strike(planned, Strike::AfterExecute)?;
        Ok(outcome)
    }

    fn strike(&self, planned: &PlannedStep, strike: Strike) -> Result<(), Failure> {
        if self.inject.strikes(&planned.id, strike) {
            return Err(Failure::fatal("a failure was injected here by a test"));
        }
        Ok(())
    }

    /// Records that an attempt begins, and gives its number.
    async fn start(&self, planned: &PlannedStep) -> Result<u32, Failure> {
        let attempt = self.ledger.state(|s| s.step(&planned.id).attempts) + 1;
        self.ledger.record(Record::StepStarted { step: planned.id.clone(), attempt }).await?;
        Ok(attempt)
    }

    /// Whether a failure is the run's rather than the step's. A kind that claims to have been stopped when nobody
    /// stopped it has failed like any other.
    fn ends_run(&self, failure: &Failure, cx: &Cx) -> bool {
        match failure.class {
            Class::Journal => true,
            Class::Interrupted => cx.cancel.is_cancelled(),
            _ => false,
        }
    }

    /// Stops the whole run, to be taken up again: a rollback would be refused for the same reason, and hours of work
    /// would be thrown away for a login.
    fn halt(&self, why: String) -> Failure {
        self.halted.replace(Some(why.clone()));
        self.cancel.cancel();
        Failure::new(Class::Interrupted, why)
    }

    /// Returns once the run is not paused, and `step`, which is about to begin, is not held.
    pub(super) async fn pass(&self, step: Option<&str>) -> Result<(), Failure> {
        self.helm.pass(&self.ledger, step, &self.cancel, &self.clock).await.map(drop)
    }

    /// When the run's time is up. Pauses do not count.
    fn run_deadline(&self) -> Option<Timestamp> {
        let (deadline, before) = self.run_deadline.get()?;
        let paused = self.ledger.state(|s| s.paused_secs) - before;
        later(deadline, Duration::from_secs(paused))
    }

    /// `Interrupted` once somebody has stopped the run: a point where nothing is half done.
    pub(super) fn stopped(&self) -> Result<(), Failure> {
        if self.cancel.is_cancelled() {
            return Err(Failure::new(Class::Interrupted, STOPPED));
        }
        Ok(())
    }

    async fn fail(&self, planned: &PlannedStep, failure: Failure) -> Result<StepEnd, Failure> {
        self.ledger
            .record(Record::Failed { step: planned.id.clone(), failure: failure.clone() })
            .await?;
        Err(failure)
    }

    /// The step's arguments with the outputs of earlier steps filled in.
    pub(super) fn args(&self, planned: &PlannedStep) -> Result<Value, Failure> {
        self.ledger.state(|s| {
            s.resolve(&planned.args, &s.outputs()).map_err(|error| {
                Failure::fatal(format!("the arguments of step {} do not resolve", planned.id))
                    .because(error.to_string())
            })
        })
    }

    pub(super) fn cx(
        &self,
        planned: &PlannedStep,
        cancel: CancellationToken,
        deadline: Option<Timestamp>,
    ) -> Cx {
        // An answer holds until the step asks again, also over a crash between the answer and the step's success.
        let (run, began, completed, note, decision, attempts) = self.ledger.state(|s| {
            let step = s.step(&planned.id);
            (
                s.header.run.clone(),
                s.header.at,
                s.steps().all(|(_, step)| step.progress == Progress::Succeeded),
                step.note.clone(),
                step.decision.clone(),
                step.attempts + step.undo_attempts,
            )
        });
        Cx {
            // Another draw each time the step is taken up, the same one when the run is repeated.
            rng: RefCell::new(seeded(&run, &format!("{}#{attempts}", planned.id))),
            run,
            step: planned.id.clone(),
            clock: self.clock.clone(),
            began,
            completed,
            accept_no_way_back: planned.accept_no_way_back,
            decision,
            note,
            around: Around::default(),
            item: None,
            ledger: Rc::clone(&self.ledger),
            pace: Rc::clone(&self.pace),
            helm: Rc::clone(&self.helm),
            cancel,
            deadline: Rc::new(Cell::new(deadline)),
            held: Rc::default(),
            part: Vec::new(),
        }
    }

    /// Ends an attempt that does not notice by itself that its time is up.
    pub(super) async fn in_time<T>(
        &self,
        cx: &Cx,
        attempt: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let mut attempt = std::pin::pin!(attempt);
        loop {
            // Read anew each time: a pause moves it.
            let Some(deadline) = cx.deadline.get() else { return attempt.await };
            let left = Duration::try_from(deadline.duration_since(self.clock.now()))
                .unwrap_or(Duration::ZERO);
            tokio::select! {
                biased;
                result = &mut attempt => return result,
                () = self.clock.sleep(left + GRACE) => {}
            }
            if cx.deadline.get() == Some(deadline) && !cx.held.get() {
                return Err(Failure::new(
                    Class::TimedOut,
                    "the step's time is up and it did not answer",
                ));
            }
        }
    }

    pub(super) fn timeout(&self, planned: &PlannedStep, kind: &dyn Kind) -> Duration {
        planned.timeout_secs.map_or_else(|| kind.timeout(), Duration::from_secs)
    }

    fn slow_down(&self, failure: &Failure) {
        if let (Class::Throttled, Some(answer)) = (failure.class, &failure.answer) {
            self.pace.throttled(&answer.service, &self.clock);
        }
    }

    pub(super) fn after(&self, duration: Duration) -> Option<Timestamp> {
        self.clock.now().checked_add(SignedDuration::try_from(duration).ok()?).ok()
    }
}

/// A deadline moved by the time that a run was held.
pub(super) fn later(deadline: Timestamp, by: Duration) -> Option<Timestamp> {
    SignedDuration::try_from(by).ok().and_then(|by| deadline.checked_add(by).ok())
}

/// Why a failure stops the whole run, if it does.
fn halts(failure: &Failure) -> Option<String> {
    match failure.class {
        Class::Expired => {
            Some("the AWS credentials have expired; renew them, then resume".to_owned())
        }
        Class::Halted => Some(failure.to_string()),
        _ => None,
    }
}

fn rejected_past_pivot(step: &str) -> Failure {
    Failure::new(
        Class::Conflict,
        format!("step {step} was rejected after the applications had been switched over; nothing was undone"),
    )
    .mend(
        "`orchestrate resume` asks again; `orchestrate rollback --past-pivot` switches the applications back, \
         which loses what they have written since",
    )
}
