//! A place that keeps schedules and loses answers, runs that take a while, and schedulers that die.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use orchestrate::engine::{Class, Clock, Failure, RunId};
use orchestrate::schedule::Open;
use orchestrate::scheduler::{Ended, Outcome, Worked, Worker};
use orchestrate::state::{Expect, Found, MemoryObjects, Objects, Put, wanted};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;

/// A write of a head that took effect.
pub(super) struct Written {
    /// By the clock of whoever wrote it.
    pub(super) at: Timestamp,
    pub(super) head: Value,
}

/// The place itself, and all that was written into heads.
pub(super) struct Kept {
    pub(super) objects: MemoryObjects,
    pub(super) heads: RefCell<Vec<Written>>,
    /// Out of order until this instant of the true clock.
    pub(super) out: Cell<Option<Timestamp>>,
    /// Of how many requests one loses its answer; 0 for none.
    pub(super) lossy: Cell<u32>,
    pub(super) rng: RefCell<StdRng>,
    pub(super) clock: Clock,
}

impl Kept {
    pub(super) fn new(clock: &Clock, seed: u64) -> Rc<Self> {
        Rc::new(Self {
            objects: MemoryObjects::new(clock.clone()),
            heads: RefCell::default(),
            out: Cell::default(),
            lossy: Cell::new(0),
            rng: RefCell::new(StdRng::seed_from_u64(seed)),
            clock: clock.clone(),
        })
    }
}

/// One process's way to it. Before and after each effect is a place to die at.
pub(super) struct Way {
    pub(super) kept: Rc<Kept>,
    pub(super) clock: Clock,
}

impl Way {
    async fn there(&self) -> Result<(), Failure> {
        tokio::task::yield_now().await;
        if self.kept.out.get().is_some_and(|until| self.kept.clock.now() < until) {
            return Err(Failure::new(Class::Transient, "the place does not answer"));
        }
        Ok(())
    }

    async fn back(&self) -> Result<(), Failure> {
        tokio::task::yield_now().await;
        let lossy = self.kept.lossy.get();
        if lossy > 0 && self.kept.rng.borrow_mut().random_ratio(1, lossy) {
            return Err(Failure::new(Class::Ambiguous, "the answer was lost"));
        }
        Ok(())
    }
}

#[async_trait(?Send)]
impl Objects for Way {
    fn place(&self, key: &str) -> String {
        self.kept.objects.place(key)
    }

    async fn get(&self, key: &str) -> Result<Option<Found>, Failure> {
        self.there().await?;
        let found = self.kept.objects.get(key).await;
        self.back().await?;
        found
    }

    async fn put(&self, key: &str, bytes: Vec<u8>, expect: Expect) -> Result<Put, Failure> {
        self.there().await?;
        let put = self.kept.objects.put(key, bytes.clone(), expect).await;
        if key.ends_with("head.json") && matches!(put, Ok(Put::Stored(_))) {
            let head = serde_json::from_slice(&bytes).expect("a head is JSON");
            self.kept.heads.borrow_mut().push(Written { at: self.clock.now(), head });
        }
        self.back().await?;
        put
    }

    async fn list(&self, prefix: &str, delimiter: Option<char>) -> Result<Vec<String>, Failure> {
        self.there().await?;
        self.kept.objects.list(prefix, delimiter).await
    }
}

/// A run as the world has it, whatever becomes of processes.
#[derive(Clone, Debug)]
pub(super) struct Ran {
    pub(super) at: Timestamp,
    pub(super) begun: Timestamp,
    pub(super) takes: Duration,
    pub(super) ended: Option<Timestamp>,
    pub(super) outcome: Outcome,
    holder: Option<u64>,
}

/// What the world did, and what it should never have been asked.
pub(super) struct World {
    pub(super) clock: Clock,
    pub(super) runs: RefCell<BTreeMap<String, Ran>>,
    /// The run of each time, and what is not finished.
    of: RefCell<BTreeMap<Timestamp, String>>,
    unfinished: RefCell<BTreeSet<String>>,
    pub(super) broken: RefCell<Vec<String>>,
    pub(super) rng: RefCell<StdRng>,
    /// Minutes that a run takes at most.
    pub(super) longest: u64,
    /// Of how many runs one fails; 0 for none.
    pub(super) fails: u32,
}

impl World {
    pub(super) fn new(clock: &Clock, seed: u64, longest: u64, fails: u32) -> Rc<Self> {
        Rc::new(Self {
            clock: clock.clone(),
            runs: RefCell::default(),
            of: RefCell::default(),
            unfinished: RefCell::default(),
            broken: RefCell::default(),
            rng: RefCell::new(StdRng::seed_from_u64(seed ^ 0x5eed)),
            longest,
            fails,
        })
    }
}

/// One process's hands.
pub(super) struct Hands<'a> {
    pub(super) world: Rc<World>,
    pub(super) way: &'a Way,
    pub(super) process: u64,
}

/// Lets go of a run when the process dies.
struct Held<'a> {
    world: &'a World,
    run: String,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if let Some(ran) = self.world.runs.borrow_mut().get_mut(&self.run) {
            ran.holder = None;
        }
    }
}

impl Hands<'_> {
    fn take(&self, open: &Open) -> Option<Ran> {
        let world = &self.world;
        let mut runs = world.runs.borrow_mut();
        if let Some(ran) = runs.get_mut(&open.run) {
            if ran.ended.is_none() && ran.holder.is_some() {
                return None;
            }
            if ran.ended.is_none() {
                ran.holder = Some(self.process);
            }
            return Some(ran.clone());
        }
        let now = world.clock.now();
        if let Some(other) = world.unfinished.borrow().first() {
            let said = format!("{} begins while {other} is not finished", open.run);
            world.broken.borrow_mut().push(said);
        }
        if let Some(other) = world.of.borrow_mut().insert(open.at, open.run.clone()) {
            world.broken.borrow_mut().push(format!("{} is begun again, as {other}", open.at));
        }
        world.unfinished.borrow_mut().insert(open.run.clone());
        let mut rng = world.rng.borrow_mut();
        // Most are short; some go on into the next occurrence.
        let most = if rng.random_ratio(1, 8) { world.longest * 60 } else { 180 };
        let takes = Duration::from_secs(rng.random_range(20..=most.min(world.longest * 60)));
        let fails = world.fails > 0 && rng.random_ratio(1, world.fails);
        let outcome = if fails { Outcome::RolledBack } else { Outcome::Succeeded };
        let holder = Some(self.process);
        let ran = Ran { at: open.at, begun: now, takes, ended: None, outcome, holder };
        runs.insert(open.run.clone(), ran.clone());
        Some(ran)
    }
}

#[async_trait(?Send)]
impl Worker for Hands<'_> {
    async fn work(&self, open: &Open) -> Worked {
        let (world, run) = (&self.world, open.run.clone());
        tokio::task::yield_now().await;
        let Some(mut ran) = self.take(open) else { return Worked::Busy };
        if ran.ended.is_none() {
            let _held = Held { world, run: run.clone() };
            let id: RunId = run.parse().expect("a run id");
            loop {
                tokio::task::yield_now().await;
                if let Ok(wanted) = wanted(self.way, &id).await
                    && wanted.cancel.is_some()
                {
                    ran.outcome = Outcome::Cancelled;
                    break;
                }
                let left = ran.takes.saturating_sub(world.clock.since(ran.begun));
                if left.is_zero() {
                    break;
                }
                tokio::time::sleep(left.min(Duration::from_secs(120))).await;
            }
            ran.ended = Some(world.clock.now());
            ran.holder = None;
            world.unfinished.borrow_mut().remove(&run);
            world.runs.borrow_mut().insert(run, ran.clone());
            tokio::task::yield_now().await;
        }
        Worked::Ended(Box::new(Ended {
            run: open.run.clone(),
            why: open.why,
            by: open.by.clone(),
            submitted: open.submitted,
            ended: self.way.clock.now(),
            outcome: ran.outcome,
            words: None,
            exports: Vec::new(),
        }))
    }
}

/// Polls `work` so many times at most; then it is dead. Gives how often it was polled if it ended by itself.
pub(super) async fn until_poll(work: impl Future<Output = ()>, most: u64) -> Option<u64> {
    let mut work = pin!(work);
    let mut polls = 0;
    poll_fn(|cx| {
        if polls == most {
            return Poll::Ready(None);
        }
        polls += 1;
        work.as_mut().poll(cx).map(|()| Some(polls))
    })
    .await
}

/// Ids of runs that differ.
pub(super) fn names() -> impl Fn(Timestamp) -> RunId {
    let rng = RefCell::new(StdRng::seed_from_u64(7));
    let last = RefCell::new(std::collections::BTreeSet::new());
    move |now| {
        loop {
            // A clock that stands still gives the same minute again and again.
            let id = RunId::new(now, &mut *rng.borrow_mut());
            if last.borrow_mut().insert(id.clone()) {
                return id;
            }
        }
    }
}

pub(super) fn plus(at: Timestamp, secs: i64) -> Timestamp {
    at + SignedDuration::from_secs(secs)
}
