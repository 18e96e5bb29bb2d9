//! A tiny world for the engine: named things that are made, become available, and go. Every run in it is also a test
//! of `RunState`: after each record the live state must equal what the journal's lines replay to.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::{Rc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use crate::engine::journal::{
    Change, Crash, Entry, Journal, MemoryJournal, Record, Resource, Role, RollbackReason, decode,
    encode,
};
use crate::engine::{
    Class, Clock, Cx, End, Engine, Event, EventKind, Failure, Finding, GONE, Helm, Inject, Kind,
    Kinds, Ledger, Outcome, Prepared, RunState, Seen, Sink, States, Wait, Wanted,
};
use crate::plan::{Effect, FORMAT, Plan, PlannedStep, Stage, Template, UndoPolicy, Writes};

/// What a fake does when it is called; without a script it does its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Fails without any effect.
    Fail(Class),
    /// Does its work, then fails: an answer was lost.
    FailAfter(Class),
    /// Never answers and does not notice that the run is stopped.
    Hang,
    /// Sleeps so many seconds of the run's time, then does its work.
    Sleep(u64),
    /// Asks a person, unless one has approved.
    Ask,
    /// Leaves a note and fails in passing.
    NoteAndFail,
    /// Works, and claims that the run was stopped.
    ClaimStopped,
}

/// What there is, and what was done to it.
#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) things: BTreeMap<String, Timestamp>,
    pub(super) made: BTreeMap<String, u32>,
    pub(super) removed: BTreeMap<String, u32>,
    /// `step.method`, in order.
    pub(super) calls: Vec<String>,
    /// Notes and decisions that `execute` was given, in order.
    pub(super) given: Vec<(Option<Value>, Option<bool>)>,
}

impl World {
    pub(super) fn calls_of(&self, call: &str) -> usize {
        self.calls.iter().filter(|c| *c == call).count()
    }

    /// What there is and how often each was made: two worlds with the same history of changes are equal in it.
    pub(super) fn summary(&self) -> (Vec<String>, BTreeMap<String, u32>) {
        (self.things.keys().cloned().collect(), self.made.clone())
    }
}

#[derive(Default)]
struct Fake {
    step: String,
    world: Rc<RefCell<World>>,
    mutates: bool,
    ready_secs: u64,
    prepare: RefCell<VecDeque<Act>>,
    execute: RefCell<VecDeque<Act>>,
    undo: RefCell<VecDeque<Act>>,
}

const STATES: States =
    States { pending: &["creating"], success: &["available"], terminal: &["failed"] };
const LEAVING: States = States { pending: &["available"], success: &[GONE], terminal: &[] };

impl Fake {
    fn look(&self, name: &str, now: Timestamp) -> Seen {
        match self.world.borrow().things.get(name) {
            None => Seen::gone(),
            Some(ready) if now >= *ready => Seen::state("available"),
            Some(_) => Seen::state("creating"),
        }
    }

    fn wait(&self, name: &str, states: States) -> Wait {
        let expected = Duration::from_secs(self.ready_secs);
        Wait { subject: format!("thing \"{name}\""), service: "World", states, expected }
    }

    async fn make(&self, name: &str, cx: &Cx) -> Result<Change, Failure> {
        if !self.mutates {
            return Ok(Change::Unchanged);
        }
        let there = self.world.borrow().things.contains_key(name);
        if !there {
            let ready = SignedDuration::from_secs(self.ready_secs.cast_signed());
            let mut world = self.world.borrow_mut();
            world.things.insert(name.to_owned(), cx.clock.now() + ready);
            *world.made.entry(name.to_owned()).or_default() += 1;
        }
        cx.note(json!({ "made": name })).await?;
        let wait = self.wait(name, STATES);
        cx.wait(&wait, || async { Ok(self.look(name, cx.clock.now())) }, || async { None }).await?;
        Ok(if there { Change::Adopted } else { Change::Changed })
    }

    async fn remove(&self, name: &str, cx: &Cx) -> Result<Vec<String>, Failure> {
        let was = self.world.borrow_mut().things.remove(name);
        if was.is_some() {
            *self.world.borrow_mut().removed.entry(name.to_owned()).or_default() += 1;
        }
        let wait = self.wait(name, LEAVING);
        cx.wait(&wait, || async { Ok(self.look(name, cx.clock.now())) }, || async { None }).await?;
        Ok(was.iter().map(|_| format!("removed {name}")).collect())
    }
}

fn failing(class: Class) -> Failure {
    Failure::new(class, "the world refuses")
}

#[async_trait(?Send)]
impl Kind for Fake {
    fn timeout(&self) -> Duration {
        Duration::from_secs(3600)
    }

    async fn preflight(&self, _: &Value, _: &Cx) -> Vec<Finding> {
        Vec::new()
    }

    async fn prepare(&self, _: &Value, cx: &Cx) -> Result<Prepared, Failure> {
        self.world.borrow_mut().calls.push(format!("{}.prepare", self.step));
        let act = self.prepare.borrow_mut().pop_front();
        match act {
            Some(Act::Fail(class) | Act::FailAfter(class)) => return Err(failing(class)),
            Some(Act::Hang) => std::future::pending().await,
            Some(Act::Sleep(secs)) => cx.sleep(Duration::from_secs(secs)).await?,
            _ => {}
        }
        let name = cx.resource_name(&self.step);
        let resource = Resource {
            what: "thing".to_owned(),
            name: name.clone(),
            arn: None,
            role: Role::Creates,
        };
        Ok(Prepared { value: json!({ "name": name }), resources: vec![resource] })
    }

    async fn execute(&self, _: &Value, prepared: &Value, cx: &Cx) -> Result<Outcome, Failure> {
        let decision = cx.decision.as_ref().map(|d| d.approved);
        {
            let mut world = self.world.borrow_mut();
            world.calls.push(format!("{}.execute", self.step));
            world.given.push((cx.note.clone(), decision));
        }
        let name = prepared["name"].as_str().unwrap_or_default();
        let act = if decision.is_some() && self.execute.borrow().front() == Some(&Act::Ask) {
            self.execute.borrow_mut().pop_front();
            None
        } else if self.execute.borrow().front() == Some(&Act::Ask) {
            // Asks as long as nobody has answered.
            Some(Act::Ask)
        } else {
            self.execute.borrow_mut().pop_front()
        };
        let mut lost = None;
        match act {
            Some(Act::Fail(class)) => return Err(failing(class)),
            Some(Act::FailAfter(class)) => lost = Some(class),
            Some(Act::Hang) => std::future::pending().await,
            Some(Act::Sleep(secs)) => cx.sleep(Duration::from_secs(secs)).await?,
            Some(Act::Ask) => return Ok(Outcome::Ask { question: "go on?".to_owned() }),
            Some(Act::NoteAndFail) => {
                cx.note(json!({ "half": "done" })).await?;
                return Err(failing(Class::Ambiguous));
            }
            Some(Act::ClaimStopped) => return Err(failing(Class::Interrupted)),
            None => {}
        }
        let change = self.make(name, cx).await?;
        match lost {
            Some(class) => Err(failing(class)),
            None => Ok(Outcome::Done { change, output: json!({ "name": name }) }),
        }
    }

    async fn undo(&self, _: &Value, prepared: &Value, cx: &Cx) -> Result<Vec<String>, Failure> {
        self.world.borrow_mut().calls.push(format!("{}.undo", self.step));
        let name = prepared["name"].as_str().unwrap_or_default();
        let act = self.undo.borrow_mut().pop_front();
        match act {
            Some(Act::Fail(class)) => Err(failing(class)),
            Some(Act::FailAfter(class)) => {
                self.remove(name, cx).await?;
                Err(failing(class))
            }
            Some(Act::Hang) => std::future::pending().await,
            Some(Act::Sleep(secs)) => {
                cx.sleep(Duration::from_secs(secs)).await?;
                self.remove(name, cx).await
            }
            _ => self.remove(name, cx).await,
        }
    }
}

/// A plan of one-lane stages: `plan("a b c")`; `plan("a (b c|d)2 e")` has a stage of two lanes, two at once.
pub(super) fn plan(text: &str) -> Plan {
    let step = |id: &str| PlannedStep {
        id: id.to_owned(),
        kind: id.to_owned(),
        description: None,
        args: Template::Literal(json!({})),
        timeout_secs: None,
        effect: Effect::Mutates(UndoPolicy::Undo),
        accept_no_way_back: false,
        keep: false,
    };
    let lane = |lane: &str| lane.split_whitespace().map(step).collect::<Vec<_>>();
    let mut stages = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('(') {
            let (lanes, after) = inner.split_once(')').expect("a closing bracket");
            let (most, after) = after.split_at(1);
            let max_parallel = most.parse().expect("a digit after the bracket");
            stages.push(Stage { max_parallel, lanes: lanes.split('|').map(lane).collect() });
            rest = after.trim();
        } else {
            let (id, after) = rest.split_once(' ').unwrap_or((rest, ""));
            stages.push(Stage { max_parallel: 1, lanes: vec![lane(id)] });
            rest = after.trim();
        }
    }
    Plan {
        format: FORMAT,
        playbook: "fake".to_owned(),
        description: None,
        digest: String::new(),
        guard: None,
        inputs: Map::new(),
        timeout_secs: None,
        writes: Writes::NotConcerned,
        guards: Vec::new(),
        stages,
        outputs: None,
    }
}

/// Changes one step of a plan.
pub(super) fn with(mut plan: Plan, id: &str, change: impl FnOnce(&mut PlannedStep)) -> Plan {
    let mut steps = plan.stages.iter_mut().flat_map(|s| s.lanes.iter_mut().flatten());
    change(steps.find(|s| s.id == id).expect("a step of the plan"));
    plan
}

pub(super) fn pivot(plan: Plan, id: &str) -> Plan {
    with(plan, id, |step| step.effect = Effect::Mutates(UndoPolicy::Pivot))
}

/// A plan, its world, and the journal of the one run in it.
pub(super) struct Fixture {
    pub(super) clock: Clock,
    pub(super) world: Rc<RefCell<World>>,
    pub(super) events: Rc<RefCell<Vec<Event>>>,
    pub(super) journal: MemoryJournal,
    pub(super) cancel: CancellationToken,
    /// What people want of the run, each so many seconds after a process begins.
    pub(super) wanted: Vec<(u64, Wanted)>,
    pub(super) inject: Inject,
    /// Calls made when the journal first failed.
    pub(super) calls_at_death: Rc<Cell<Option<usize>>>,
    plan: Plan,
    fakes: BTreeMap<String, Fake>,
}

impl Kinds for Fixture {
    fn kind(&self, name: &str) -> Option<&dyn Kind> {
        self.fakes.get(name).map(|fake| fake as &dyn Kind)
    }
}

/// Notes how many calls had been made when a write first failed.
struct Watched {
    journal: MemoryJournal,
    crash: Option<Crash>,
    world: Rc<RefCell<World>>,
    calls_at_death: Rc<Cell<Option<usize>>>,
}

#[async_trait(?Send)]
impl Journal for Watched {
    fn epoch(&self) -> u64 {
        self.journal.epoch()
    }

    async fn append(&mut self, entry: &Entry) -> Result<(), crate::engine::journal::JournalError> {
        let mut journal = self.journal.clone();
        if let Some(crash) = self.crash {
            journal = journal.crashing(crash);
        }
        journal.append(entry).await.inspect_err(|_| {
            if self.calls_at_death.get().is_none() {
                self.calls_at_death.set(Some(self.world.borrow().calls.len()));
            }
        })
    }
}

impl Fixture {
    /// Every step of the plan makes one thing, which takes a minute to become available.
    pub(super) fn new(plan: Plan) -> Self {
        let world: Rc<RefCell<World>> = Rc::default();
        let fakes = plan
            .steps()
            .map(|planned| {
                let fake = Fake {
                    step: planned.id.clone(),
                    world: Rc::clone(&world),
                    mutates: planned.effect.mutates(),
                    ready_secs: 60,
                    ..Fake::default()
                };
                (planned.kind.clone(), fake)
            })
            .collect();
        let base = "2026-03-01T12:00:00Z".parse().expect("a timestamp");
        Self {
            clock: Clock::tokio(base, 1.0),
            world,
            events: Rc::default(),
            journal: MemoryJournal::default(),
            cancel: CancellationToken::new(),
            wanted: Vec::new(),
            inject: Inject::default(),
            calls_at_death: Rc::default(),
            plan,
            fakes,
        }
    }

    pub(super) fn forget_kind(mut self, kind: &str) -> Self {
        self.fakes.remove(kind);
        self
    }

    pub(super) fn prepares(self, step: &str, acts: &[Act]) -> Self {
        self.fakes[step].prepare.borrow_mut().extend(acts);
        self
    }

    pub(super) fn executes(self, step: &str, acts: &[Act]) -> Self {
        self.fakes[step].execute.borrow_mut().extend(acts);
        self
    }

    pub(super) fn undoes(self, step: &str, acts: &[Act]) -> Self {
        self.fakes[step].undo.borrow_mut().extend(acts);
        self
    }

    pub(super) fn header(&self) -> Record {
        Record::Started {
            run: "0123456789".parse().expect("a run id"),
            tool: "0.0.0".to_owned(),
            by: "test".to_owned(),
            account: "123456789012".to_owned(),
            region: "us-east-1".to_owned(),
            embedded: false,
            plan: Box::new(self.plan.clone()),
        }
    }

    pub(super) async fn begin(&self) -> End {
        self.process(None, Vec::new()).await
    }

    pub(super) async fn resume(&self) -> End {
        self.process(None, vec![Record::Resumed { by: "test".to_owned() }]).await
    }

    pub(super) async fn roll_back(&self, past_pivot: bool) -> End {
        let reason = RollbackReason::Asked { by: "test".to_owned(), past_pivot };
        self.process(None, vec![Record::RollbackStarted { reason }]).await
    }

    pub(super) async fn decide(&self, step: &str, approved: bool) -> End {
        let (step, by) = (step.to_owned(), "test".to_owned());
        self.process(None, vec![Record::Decided { step, approved, by, comment: None }]).await
    }

    /// One process: begins the run or takes it up, adds `more`, goes on. It dies at `crash`.
    pub(super) async fn process(&self, crash: Option<Crash>, more: Vec<Record>) -> End {
        let live: Rc<OnceCell<Weak<Ledger>>> = Rc::default();
        // What the lines written so far replay to; it takes each new line in as it is written.
        let replayed = RefCell::new(match &self.journal.entries()[..] {
            [] => None,
            entries => Some(RunState::replay(&through_text(entries)).expect("legal entries")),
        });
        let sink: Sink = {
            let (live, events) = (Rc::clone(&live), Rc::clone(&self.events));
            let journal = self.journal.clone();
            Rc::new(move |event: &Event| {
                events.borrow_mut().push(event.clone());
                if !matches!(event.kind, EventKind::Recorded(_)) {
                    return;
                }
                let entry =
                    through_text(&[journal.entries().pop().expect("just written")]).remove(0);
                let mut replayed = replayed.borrow_mut();
                let replayed = match &mut *replayed {
                    Some(state) => {
                        state.apply(&entry).expect("a legal entry");
                        state
                    }
                    none => none.insert(RunState::begin(&entry).expect("a header")),
                };
                if let Some(ledger) = live.get().and_then(Weak::upgrade) {
                    ledger.state(|state| assert_eq!(&*replayed, state));
                }
            })
        };
        let journal = Box::new(Watched {
            journal: self.journal.clone(),
            crash,
            world: Rc::clone(&self.world),
            calls_at_death: Rc::clone(&self.calls_at_death),
        });
        let entries = self.journal.entries();
        let ledger = if entries.is_empty() {
            match Ledger::begin(journal, self.header(), self.clock.clone(), sink).await {
                Ok(ledger) => ledger,
                Err(failure) => return End::Broken(failure),
            }
        } else {
            Ledger::resume(journal, &entries, self.clock.clone(), sink).expect("legal entries")
        };
        let ledger = Rc::new(ledger);
        live.set(Rc::downgrade(&ledger)).expect("set once");
        for record in more {
            if let Err(failure) = ledger.record(record).await {
                return End::Broken(failure);
            }
        }
        let helm = Rc::new(Helm::default());
        let people = async {
            let began = self.clock.now();
            for (at, wanted) in &self.wanted {
                let at = std::time::Duration::from_secs(*at);
                self.clock.sleep(at.saturating_sub(self.clock.since(began))).await;
                // A process that is dead hears nothing.
                let _ = helm.heed(&ledger, wanted).await;
            }
            std::future::pending::<End>().await
        };
        let engine = Engine::new(self, Rc::clone(&ledger), self.clock.clone(), self.cancel.clone())
            .disturbed(self.inject.clone())
            .steered(Rc::clone(&helm));
        tokio::select! {
            biased;
            end = people => end,
            end = engine.run() => end,
        }
    }

    pub(super) fn state(&self) -> RunState {
        RunState::replay(&self.journal.entries()).expect("legal entries")
    }

    pub(super) fn records(&self) -> Vec<Record> {
        self.journal.entries().into_iter().map(|entry| entry.record).collect()
    }

    pub(super) fn summary(&self) -> (Vec<String>, BTreeMap<String, u32>) {
        self.world.borrow().summary()
    }

    /// The steps that have things in the world now.
    pub(super) fn things(&self) -> Vec<String> {
        let world = self.world.borrow();
        world.things.keys().map(|name| name.replace("orc-0123456789-", "")).collect()
    }

    pub(super) fn undone_in_order(&self) -> Vec<String> {
        self.records()
            .into_iter()
            .filter_map(|record| match record {
                Record::Undone { step, .. } => Some(step),
                _ => None,
            })
            .collect()
    }
}

/// The entries as they come back from a journal's lines.
pub(super) fn through_text(entries: &[Entry]) -> Vec<Entry> {
    entries.iter().map(|e| decode(encode(e).trim_end()).expect("a line just written")).collect()
}
