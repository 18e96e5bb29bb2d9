//! What a journal record means. Live run, resume, status and replay all go through `RunState::apply`.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

use super::failure::Failure;
use super::id::RunId;
use super::journal::{Change, Entry, Record, Resource, Rest, RollbackReason, Steer};
use crate::plan::{Effect, Plan, PlannedStep, ResolveError, RunFacts, Stage, Template, UndoPolicy};

/// Who may work where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Header {
    /// The run.
    pub run: RunId,
    /// The version that began it.
    pub tool: String,
    /// Who began it.
    pub by: String,
    /// The account it works in.
    pub account: String,
    /// The region it works in.
    pub region: String,
    /// Whether it ran in a sandbox inside its process.
    pub embedded: bool,
    /// When it began.
    pub at: Timestamp,
}

/// How far a step has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// Not begun.
    #[default]
    Pending,
    /// Begun.
    Running,
    /// It asked a person and waits.
    Asking,
    /// Done.
    Succeeded,
    /// Failed for good.
    Failed,
}

/// How far the undo of a step has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Undo {
    /// Not begun, or not called for.
    #[default]
    NotBegun,
    /// Begun.
    Running,
    /// Its changes are gone.
    Undone,
    /// Its changes stay, as declared.
    Left,
    /// It could not be undone.
    Failed,
}

/// A person's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// Yes or no.
    pub approved: bool,
    /// Who.
    pub by: String,
    /// Their words.
    pub comment: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// What the journal says of one step.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct StepState {
    /// Forward.
    pub progress: Progress,
    /// Back.
    pub undo: Undo,
    /// Attempts so far.
    pub attempts: u32,
    /// Attempts to undo so far.
    pub undo_attempts: u32,
    /// When the first attempt began.
    pub started_at: Option<Timestamp>,
    /// When it succeeded or failed.
    pub ended_at: Option<Timestamp>,
    /// The intent, once durable.
    pub prepared: Option<Value>,
    /// What it touches.
    pub resources: Vec<Resource>,
    /// The kind's latest note.
    pub note: Option<Value>,
    /// The last state AWS showed: subject and state.
    pub observed: Option<(String, String)>,
    /// What it did.
    pub change: Option<Change>,
    /// What later steps may refer to.
    pub output: Option<Value>,
    /// The latest failure forward; none once it has succeeded.
    pub failure: Option<Failure>,
    /// The latest failure of its undo; none once that is done.
    pub undo_failure: Option<Failure>,
    /// What it asked.
    pub question: Option<String>,
    /// The answer.
    pub decision: Option<Decision>,
    /// What its undo did, or why its changes stay.
    pub undo_words: Vec<String>,
    /// The sequence number at which it was intended or, once done, completed.
    order: u64,
}

/// What a run is doing.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Going on.
    Forward,
    /// Going back.
    Back(RollbackReason),
}

/// Somebody steered the run, and it counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Steered {
    /// Who asked.
    pub by: String,
    /// Their words.
    pub comment: Option<String>,
    /// When the run took note.
    pub at: Timestamp,
}

/// The meaning of a journal.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunState {
    /// Who and where.
    pub header: Header,
    /// What the run does.
    #[serde(skip)]
    pub plan: Plan,
    /// Forward or back.
    pub phase: Phase,
    /// Set while the run rests.
    pub rest: Option<Rest>,
    /// The signal that stopped it last, if nothing happened since.
    pub interrupted: Option<String>,
    /// When the latest record was written.
    pub last_at: Timestamp,
    /// Records so far.
    pub seq: u64,
    /// The highest fencing epoch so far: a writer of a lower one has been shut out.
    pub epoch: u64,
    /// Set while the run is paused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<Steered>,
    /// Seconds for which it was paused, all pauses that are over.
    #[serde(skip)]
    pub paused_secs: u64,
    /// Who had paused it when somebody let it go on all the same.
    #[serde(skip)]
    pub overruled: BTreeSet<String>,
    /// The steps that may not begin, and who said so.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub holds: BTreeMap<String, Steered>,
    /// Set from the moment that a cancel counts until the rollback begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancelled: Option<Steered>,
    steps: BTreeMap<String, StepState>,
    /// Stages from the first on whose steps have all succeeded, which none ever takes back: looked through once, so that
    /// replay does not grow with the square of the steps.
    #[serde(skip)]
    finished: usize,
}

/// A record that cannot follow those before it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("record {seq} ({what}) cannot follow what came before it")]
pub struct Illegal {
    /// The record's number.
    pub seq: u64,
    /// What it says.
    pub what: String,
}

impl RunState {
    /// The state that a journal's first record makes.
    ///
    /// # Errors
    /// If the record is not a header.
    pub fn begin(entry: &Entry) -> Result<Self, Illegal> {
        let Record::Started { run, tool, by, account, region, embedded, plan } = &entry.record
        else {
            return Err(Illegal { seq: entry.seq, what: "the header is missing".to_owned() });
        };
        Ok(Self {
            header: Header {
                run: run.clone(),
                tool: tool.clone(),
                by: by.clone(),
                account: account.clone(),
                region: region.clone(),
                embedded: *embedded,
                at: entry.at,
            },
            steps: plan.steps().map(|s| (s.id.clone(), StepState::default())).collect(),
            plan: (**plan).clone(),
            phase: Phase::Forward,
            rest: None,
            interrupted: None,
            last_at: entry.at,
            seq: entry.seq,
            epoch: entry.epoch,
            paused: None,
            paused_secs: 0,
            overruled: BTreeSet::new(),
            holds: BTreeMap::new(),
            cancelled: None,
            finished: 0,
        })
    }

    /// The state that a whole journal makes.
    ///
    /// # Errors
    /// If the entries cannot follow one another.
    pub fn replay(entries: &[Entry]) -> Result<Self, Illegal> {
        let (first, rest) = entries
            .split_first()
            .ok_or_else(|| Illegal { seq: 0, what: "the journal is empty".to_owned() })?;
        let mut state = Self::begin(first)?;
        for entry in rest {
            state.apply(entry)?;
        }
        Ok(state)
    }

    /// Whether the record may come next.
    ///
    /// # Errors
    /// If it cannot follow what came before.
    pub fn check(&self, entry: &Entry) -> Result<(), Illegal> {
        let next = entry.seq == self.seq + 1 && entry.epoch >= self.epoch;
        if next && self.may_follow(&entry.record) {
            return Ok(());
        }
        let what = serde_json::to_value(&entry.record)
            .ok()
            .and_then(|v| Some(v.get("type")?.as_str()?.to_owned()))
            .unwrap_or_default();
        let of = entry.record.step().map(|s| format!(" of step {s}")).unwrap_or_default();
        Err(Illegal { seq: entry.seq, what: format!("{what}{of}") })
    }

    /// Takes the next record in.
    ///
    /// # Errors
    /// If it cannot follow what came before; the state is then unchanged.
    pub fn apply(&mut self, entry: &Entry) -> Result<(), Illegal> {
        self.check(entry)?;
        self.seq = entry.seq;
        self.epoch = entry.epoch;
        self.last_at = entry.at;
        // What people say from outside leaves a run at rest where it is.
        if matches!(entry.record, Record::Steered { .. } | Record::TakenOver { .. }) {
            self.take(entry);
            return Ok(());
        }
        self.interrupted = None;
        if matches!(entry.record, Record::Resumed { .. } | Record::RollbackStarted { .. }) {
            self.forgive();
        }
        if !matches!(entry.record, Record::Rested(_)) {
            self.rest = None;
        }
        self.take(entry);
        if matches!(entry.record, Record::Succeeded { .. }) {
            self.pass_stages();
        }
        Ok(())
    }

    fn pass_stages(&mut self) {
        let done = |stage: &Stage| {
            let mut steps = stage.lanes.iter().flatten();
            steps.all(|step| self.step(&step.id).progress == Progress::Succeeded)
        };
        let passed = self.plan.stages.iter().skip(self.finished).take_while(|stage| done(stage));
        self.finished += passed.count();
    }

    fn may_follow(&self, record: &Record) -> bool {
        let forward = self.phase == Phase::Forward;
        let step = record.step().map(|id| self.steps.get(id));
        let Some(step) = step else {
            return match record {
                Record::Started { .. } => false,
                Record::RollbackStarted { reason } => {
                    // A second rollback only widens the first: past the pivot, or after it got stuck.
                    let asked = matches!(reason, RollbackReason::Asked { .. });
                    let past = matches!(reason, RollbackReason::Asked { past_pivot: true, .. });
                    (forward || asked) && (past || !self.past_pivot())
                }
                Record::Rested(rest) => self.may_rest(rest),
                Record::Steered { steer, .. } => self.may_steer(steer),
                _ => true,
            };
        };
        let Some(step) = step else { return false };
        match record {
            Record::StepStarted { .. } => {
                forward
                    && step.progress != Progress::Failed
                    && self
                        .runnable()
                        .iter()
                        .any(|planned| Some(planned.id.as_str()) == record.step())
            }
            Record::Intended { .. } => {
                forward && step.progress == Progress::Running && step.prepared.is_none()
            }
            Record::AttemptFailed { .. } | Record::Failed { .. } | Record::Succeeded { .. } => {
                forward && step.progress == Progress::Running
            }
            Record::Observed { .. } | Record::Noted { .. } => {
                if forward {
                    step.progress == Progress::Running
                } else {
                    step.undo == Undo::Running
                }
            }
            Record::ApprovalAsked { .. } => forward && step.progress == Progress::Running,
            Record::Decided { .. } => forward && step.progress == Progress::Asking,
            Record::UndoStarted { .. } | Record::Left { .. } => {
                !forward
                    && step.prepared.is_some()
                    && matches!(step.undo, Undo::NotBegun | Undo::Running)
            }
            Record::UndoAttemptFailed { .. }
            | Record::Undone { .. }
            | Record::UndoFailed { .. } => !forward && step.undo == Undo::Running,
            _ => false,
        }
    }

    /// Whether somebody may ask this of the run as it is now.
    #[must_use]
    pub fn may_steer(&self, steer: &Steer) -> bool {
        let forward = self.phase == Phase::Forward;
        match steer {
            Steer::Pause => self.paused.is_none(),
            Steer::GoOn => self.paused.is_some(),
            Steer::Hold { before } => {
                let pending =
                    self.steps.get(before).is_some_and(|s| s.progress == Progress::Pending);
                forward && pending && !self.holds.contains_key(before)
            }
            Steer::LetGo { before } => self.holds.contains_key(before),
            Steer::Cancel => {
                forward
                    && self.cancelled.is_none()
                    && !self.past_pivot()
                    && self.in_pivot().is_none()
            }
        }
    }

    fn may_rest(&self, rest: &Rest) -> bool {
        let forward = self.phase == Phase::Forward;
        match rest {
            Rest::Succeeded => forward && self.runnable().is_empty(),
            Rest::Waiting { step } => {
                forward && self.steps.get(step).is_some_and(|s| s.progress == Progress::Asking)
            }
            Rest::RolledBack | Rest::Cancelled => {
                !forward && self.to_undo().is_empty() && self.undo_failed().is_none()
            }
            Rest::Stuck { step, .. } => self.steps.contains_key(step),
        }
    }

    /// Somebody takes the run up again. An undo that failed is always tried again. On a stuck run, a step that failed
    /// gets another chance and a rejected question is put again; where the rest was not yet recorded they keep their
    /// meaning, so that a crash in between cannot turn a rollback into a retry.
    fn forgive(&mut self) {
        let stuck = matches!(self.rest, Some(Rest::Stuck { .. }));
        for step in self.steps.values_mut() {
            if step.undo == Undo::Failed {
                step.undo = Undo::NotBegun;
            }
            if !stuck || self.phase != Phase::Forward {
                continue;
            }
            if step.progress == Progress::Failed {
                step.progress = Progress::Pending;
            }
            if step.progress == Progress::Asking && !step.approved().unwrap_or(true) {
                step.decision = None;
            }
        }
    }

    fn take(&mut self, entry: &Entry) {
        match &entry.record {
            Record::Rested(rest) => {
                self.rest = Some(rest.clone());
                return;
            }
            Record::RollbackStarted { reason } => {
                self.phase = Phase::Back(reason.clone());
                self.cancelled = None;
                return;
            }
            Record::Interrupted { by } => {
                self.interrupted = Some(by.clone());
                return;
            }
            Record::Steered { steer, by, comment } => {
                let (by, comment) = (by.clone(), comment.clone());
                self.steer(steer, Steered { by, comment, at: entry.at });
                return;
            }
            _ => {}
        }
        let Some(step) = entry.record.step().and_then(|id| self.steps.get_mut(id)) else { return };
        step.take(entry);
    }

    fn steer(&mut self, steer: &Steer, steered: Steered) {
        match steer {
            Steer::Pause => self.paused = Some(steered),
            Steer::GoOn => {
                if let Some(paused) = self.paused.take() {
                    let secs = steered.at.duration_since(paused.at).as_secs();
                    self.paused_secs += u64::try_from(secs).unwrap_or_default();
                    self.overruled.insert(paused.by);
                }
            }
            Steer::Hold { before } => {
                self.holds.insert(before.clone(), steered);
            }
            Steer::LetGo { before } => {
                self.holds.remove(before);
            }
            // A cancel is not to be held up; the rollback can be paused again.
            Steer::Cancel => {
                (self.paused, self.holds) = (None, BTreeMap::new());
                self.cancelled = Some(steered);
            }
        }
    }

    /// What the journal says of a step.
    ///
    /// # Panics
    /// If the plan has no such step.
    #[must_use]
    pub fn step(&self, id: &str) -> &StepState {
        self.steps.get(id).expect("callers take step ids from the plan")
    }

    /// Steps with what the journal says of them, in the plan's order.
    pub fn steps(&self) -> impl Iterator<Item = (&PlannedStep, &StepState)> {
        self.plan.steps().map(|planned| (planned, self.step(&planned.id)))
    }

    /// The outputs of every step that succeeded.
    #[must_use]
    pub fn outputs(&self) -> BTreeMap<String, Value> {
        self.steps
            .iter()
            .filter_map(|(id, step)| Some((id.clone(), step.output.clone()?)))
            .collect()
    }

    /// The step that has failed for good, if one has.
    #[must_use]
    pub fn failed(&self) -> Option<(&PlannedStep, &StepState)> {
        self.steps().find(|(_, step)| step.progress == Progress::Failed)
    }

    /// The step that asks a person; if every question is answered, one that was and has not gone on yet.
    #[must_use]
    pub fn asking(&self) -> Option<(&PlannedStep, &StepState)> {
        let asking = || self.steps().filter(|(_, step)| step.progress == Progress::Asking);
        asking().find(|(_, step)| step.decision.is_none()).or_else(|| asking().next())
    }

    /// The step whose question was answered with no.
    #[must_use]
    pub fn rejected(&self) -> Option<(&PlannedStep, &StepState)> {
        self.steps()
            .find(|(_, step)| step.progress == Progress::Asking && step.approved() == Some(false))
    }

    /// The step whose undo has failed for good.
    pub(super) fn undo_failed(&self) -> Option<(&PlannedStep, &StepState)> {
        self.steps().find(|(_, step)| step.undo == Undo::Failed)
    }

    /// Fills the holes of a template. `run.started` is the time of the journal's first record, whoever goes on with it.
    pub(super) fn resolve(
        &self,
        template: &Template,
        outputs: &BTreeMap<String, Value>,
    ) -> Result<Value, ResolveError> {
        let started = self.header.at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        template.resolve(&RunFacts { id: self.header.run.as_str(), started: &started }, outputs)
    }

    /// What the playbook's `outputs` are worth so far; those that need a step that has not succeeded are left out.
    #[must_use]
    pub fn playbook_outputs(&self) -> Map<String, Value> {
        let outputs = self.outputs();
        match &self.plan.outputs {
            Some(Template::Map(entries)) => entries
                .iter()
                .filter_map(|(name, value)| {
                    Some((name.clone(), self.resolve(value, &outputs).ok()?))
                })
                .collect(),
            Some(Template::Literal(Value::Object(values))) => values.clone(),
            _ => Map::new(),
        }
    }

    /// The steps that may run now: in the first unfinished stage, the first unfinished step of each lane, no more lanes
    /// than the stage allows. Empty when every step is done. Includes steps that run already or ask.
    #[must_use]
    pub fn runnable(&self) -> Vec<&PlannedStep> {
        for stage in self.plan.stages.iter().skip(self.finished) {
            let open: Vec<&PlannedStep> = stage
                .lanes
                .iter()
                .filter_map(|lane| {
                    lane.iter().find(|s| self.step(&s.id).progress != Progress::Succeeded)
                })
                .collect();
            if !open.is_empty() {
                let most = usize::try_from(stage.max_parallel).unwrap_or(1).max(1);
                return open.into_iter().take(most).collect();
            }
        }
        Vec::new()
    }

    /// Whether the applications have been switched over and not back.
    #[must_use]
    pub fn past_pivot(&self) -> bool {
        self.steps().any(|(planned, step)| {
            planned.effect.is_pivot()
                && step.progress == Progress::Succeeded
                && step.undo != Undo::Undone
        })
    }

    /// The pivot that was begun and whose outcome the journal does not tell: the applications may have been switched over
    /// ever since.
    #[must_use]
    pub fn in_pivot(&self) -> Option<&PlannedStep> {
        let forward = self.phase == Phase::Forward;
        self.steps()
            .find(|(planned, step)| {
                let open = step.progress == Progress::Running && step.prepared.is_some();
                forward && open && planned.effect.is_pivot()
            })
            .map(|(planned, _)| planned)
    }

    /// The steps a rollback has still to undo, first one first: those in flight, then the completed ones, latest first.
    #[must_use]
    pub fn to_undo(&self) -> Vec<&PlannedStep> {
        let mut open: Vec<(&PlannedStep, &StepState)> = self
            .steps()
            .filter(|(_, step)| {
                step.prepared.is_some() && matches!(step.undo, Undo::NotBegun | Undo::Running)
            })
            .collect();
        open.sort_by_key(|(_, step)| {
            (step.progress == Progress::Succeeded, std::cmp::Reverse(step.order))
        });
        open.into_iter().map(|(planned, _)| planned).collect()
    }

    /// What a rollback would do with a step's changes. What the playbook keeps is undone only while it is not done.
    #[must_use]
    pub fn undo_policy<'a>(&self, planned: &'a PlannedStep) -> &'a UndoPolicy {
        static NOTHING: UndoPolicy =
            UndoPolicy::None(std::borrow::Cow::Borrowed("it changes nothing"));
        static KEPT: UndoPolicy = UndoPolicy::None(std::borrow::Cow::Borrowed(
            "the playbook keeps what this step has made",
        ));
        if planned.keep && self.step(&planned.id).progress == Progress::Succeeded {
            return &KEPT;
        }
        match &planned.effect {
            Effect::Mutates(policy) => policy,
            Effect::ReadOnly => &NOTHING,
        }
    }
}

impl StepState {
    /// The answer to its question, if there is one.
    fn approved(&self) -> Option<bool> {
        self.decision.as_ref().map(|decision| decision.approved)
    }

    fn take(&mut self, entry: &Entry) {
        match &entry.record {
            Record::StepStarted { attempt, .. } => {
                self.progress = Progress::Running;
                self.attempts = *attempt;
                self.started_at.get_or_insert(entry.at);
                self.ended_at = None;
            }
            Record::Intended { prepared, resources, .. } => {
                self.prepared = Some(prepared.clone());
                self.resources.clone_from(resources);
                self.order = entry.seq;
            }
            Record::Observed { subject, state, .. } => {
                self.observed = Some((subject.clone(), state.clone()));
            }
            Record::Noted { note, part, .. } => match part.as_slice() {
                [] => self.note = Some(note.clone()),
                part => {
                    let mut place = self.note.get_or_insert_with(|| Value::Object(Map::new()));
                    for name in part {
                        if !place.is_object() {
                            *place = Value::Object(Map::new());
                        }
                        place = &mut place[name];
                    }
                    *place = note.clone();
                }
            },
            Record::AttemptFailed { failure, .. } => {
                self.failure = Some(failure.clone());
            }
            Record::UndoAttemptFailed { failure, .. } => {
                self.undo_failure = Some(failure.clone());
            }
            Record::Succeeded { change, output, .. } => {
                self.progress = Progress::Succeeded;
                self.change = Some(*change);
                self.output = Some(output.clone());
                self.failure = None;
                self.ended_at = Some(entry.at);
                self.order = entry.seq;
            }
            Record::Failed { failure, .. } => {
                self.progress = Progress::Failed;
                self.failure = Some(failure.clone());
                self.ended_at = Some(entry.at);
            }
            Record::ApprovalAsked { question, .. } => {
                self.progress = Progress::Asking;
                self.question = Some(question.clone());
                self.decision = None;
            }
            Record::Decided { approved, by, comment, .. } => {
                self.decision = Some(Decision {
                    approved: *approved,
                    by: by.clone(),
                    comment: comment.clone(),
                    at: entry.at,
                });
            }
            Record::UndoStarted { attempt, .. } => {
                self.undo = Undo::Running;
                self.undo_attempts = *attempt;
            }
            Record::Undone { did, .. } => {
                self.undo = Undo::Undone;
                self.undo_failure = None;
                self.undo_words.clone_from(did);
            }
            Record::Left { reason, .. } => {
                self.undo = Undo::Left;
                self.undo_words = vec![reason.clone()];
            }
            Record::UndoFailed { failure, .. } => {
                self.undo = Undo::Failed;
                self.undo_failure = Some(failure.clone());
            }
            _ => {}
        }
    }
}
