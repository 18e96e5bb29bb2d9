//! Looks after one playbook.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use futures::future::LocalBoxFuture;
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::book::{Book, Ended};
use crate::engine::{Asked, Clock, Failure, RunId};
use crate::schedule::{Head, Open, Reason, Schedule, decide};
use crate::state::ask;

/// Until a run is tried again that could not be worked on.
const AGAIN: Duration = Duration::from_secs(15);
/// Until a run is looked at again that another process works on.
const BUSY: Duration = Duration::from_secs(60);
/// Until a run is looked at again that waits for a person.
const WAITING: Duration = Duration::from_secs(60);
/// Between two tries while the place that keeps all this does not answer: the first, and the longest.
const TROUBLE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// How far a run was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Worked {
    /// To its end.
    Ended(Box<Ended>),
    /// It waits for a person; with words if it failed.
    Waits(Option<String>),
    /// Another process works on it.
    Busy,
    /// It could not be worked on, and may be a little later: why.
    NotNow(String),
    /// This process is stopping.
    Stopped,
}

/// Carries runs out.
#[async_trait(?Send)]
pub trait Worker {
    /// Takes the run of a submitted occurrence to its next rest: begins it if it never began, goes on with it if it
    /// stopped, and tells of its end if it has come to that. The same run is begun once, whoever tries.
    async fn work(&self, open: &Open) -> Worked;
}

/// What is declared now: it may change, or go away.
#[derive(Debug, Default)]
pub struct Offer {
    schedule: RefCell<Option<Schedule>>,
    changed: Notify,
}

impl Offer {
    /// A schedule as it is declared.
    #[must_use]
    pub fn new(schedule: Schedule) -> Self {
        Self { schedule: RefCell::new(Some(schedule)), changed: Notify::new() }
    }

    /// Another declaration takes its place. With none, what is open is carried to its end and nothing more is begun.
    pub fn replace(&self, schedule: Option<Schedule>) {
        if *self.schedule.borrow() != schedule {
            self.schedule.replace(schedule);
            self.changed.notify_one();
        }
    }

    /// The declaration.
    #[must_use]
    pub fn get(&self) -> Option<Schedule> {
        self.schedule.borrow().clone()
    }
}

/// What was seen last, for whoever asks how it goes.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The head.
    pub head: Option<Head>,
    /// When it was read.
    pub looked: Option<Timestamp>,
    /// When the next occurrence begins.
    pub next: Option<Timestamp>,
    /// How long after it was due the last occurrence was submitted that was due in time.
    pub lag: Option<Duration>,
    /// Why nothing can be read or written now.
    pub trouble: Option<String>,
    /// Runs that this process works on.
    pub working: usize,
}

/// Looks after one playbook: submits what is due, and carries out what is open.
pub struct Attendant<'a> {
    /// What is kept of it.
    pub book: Book<'a>,
    /// The clock.
    pub clock: Clock,
    /// Who submits: user, host and process.
    pub by: String,
    /// Names runs.
    pub name: &'a dyn Fn(Timestamp) -> RunId,
    /// Carries runs out.
    pub worker: &'a dyn Worker,
    /// What is declared.
    pub offer: &'a Offer,
    /// What is told of it.
    pub seen: &'a RefCell<Seen>,
    /// The longest time between two looks: as long as a clock that was set, or a word of somebody else, goes unnoticed.
    pub rhythm: Duration,
}

enum Fared {
    Settled,
    Later(Duration),
}

impl Attendant<'_> {
    /// Goes on until it is stopped; or, once nothing is declared any more, until nothing is open. What it works on is
    /// drained first: the worker is told to stop by whoever stops this.
    pub async fn attend(&self, stop: &CancellationToken) {
        let mut working: FuturesUnordered<LocalBoxFuture<'_, (String, Fared)>> =
            FuturesUnordered::new();
        let mut taken = BTreeSet::new();
        let mut later: BTreeMap<String, (crate::engine::Stopwatch, Duration)> = BTreeMap::new();
        let mut trouble = TROUBLE.0;
        loop {
            let stopping = stop.is_cancelled();
            let mut pause = self.rhythm;
            if !stopping {
                match self.turn().await {
                    Ok((head, wake)) => {
                        trouble = TROUBLE.0;
                        later.retain(|_, (since, pause)| since.elapsed() < *pause);
                        for open in &head.open {
                            if later.contains_key(&open.run) || !taken.insert(open.run.clone()) {
                                continue;
                            }
                            let (open, stop) = (open.clone(), stop.clone());
                            working.push(Box::pin(async move {
                                let run = open.run.clone();
                                (run, self.carry(open, &stop).await)
                            }));
                        }
                        if head.open.is_empty() && self.offer.get().is_none() {
                            return;
                        }
                        let until = wake.map(|wake| wake.duration_since(self.clock.now()));
                        let until =
                            until.map(|until| Duration::try_from(until).unwrap_or_default());
                        pause = until.unwrap_or(self.rhythm).min(self.rhythm);
                        for (since, rest) in later.values() {
                            pause = pause.min(rest.saturating_sub(since.elapsed()));
                        }
                        // Never a loop without a rest.
                        pause = pause.max(Duration::from_millis(5));
                    }
                    Err(failure) => {
                        self.seen.borrow_mut().trouble = Some(failure.to_string());
                        pause = trouble;
                        trouble = (trouble * 2).min(TROUBLE.1);
                    }
                }
            }
            self.seen.borrow_mut().working = working.len();
            if stopping && working.is_empty() {
                return;
            }
            // In a fixed order, so that a simulation repeats.
            tokio::select! {
                biased;
                Some((run, fared)) = working.next(), if !working.is_empty() => {
                    taken.remove(&run);
                    if let Fared::Later(pause) = fared {
                        later.insert(run, (self.clock.stopwatch(), pause));
                    }
                }
                () = self.clock.sleep(pause), if !stopping => {}
                () = self.offer.changed.notified(), if !stopping => {}
                () = stop.cancelled(), if !stopping => {}
            }
        }
    }

    /// Reads, decides, and writes what was decided. Gives what counts now, and when there is something to decide again.
    async fn turn(&self) -> Result<(Head, Option<Timestamp>), Failure> {
        loop {
            let (found, expect) = self.book.head().await?;
            let now = self.clock.now();
            let Some(schedule) = self.offer.get() else {
                let head = found.unwrap_or_else(|| Head::new(self.book.playbook(), "", now));
                self.told(&head, now, None);
                return Ok((head, None));
            };
            let before = found.clone().unwrap_or_else(|| {
                Head::new(self.book.playbook(), &schedule.cadence.to_string(), now)
            });
            let mut name = || (self.name)(now).to_string();
            let decided = decide(&schedule, &before, now, &self.by, &mut name);
            if found.as_ref() != Some(&decided.head)
                && !self.book.write(&decided.head, expect).await?
            {
                continue;
            }
            for open in decided.head.open.iter().filter(|open| open.cancel) {
                self.cancel(open).await?;
            }
            self.lag(&schedule, &before, &decided.head);
            self.told(&decided.head, now, decided.wake);
            return Ok((decided.head, decided.wake));
        }
    }

    /// Asks the run of an occurrence to stop and go back, for another one. Asked again it writes nothing.
    async fn cancel(&self, open: &Open) -> Result<(), Failure> {
        let Ok(run) = open.run.parse::<RunId>() else { return Ok(()) };
        let (by, at) = (self.by.clone(), self.clock.now());
        let comment = Some("the next occurrence is due, and `overlap` is cancel_other".to_owned());
        let asked = Asked { by, at, comment };
        let done = ask(self.book.objects(), &run, |wanted| {
            if wanted.cancel.is_none() {
                wanted.cancel = Some(asked.clone());
            }
        });
        done.await.map_err(|error| Failure::fatal(error.to_string()))
    }

    fn lag(&self, schedule: &Schedule, before: &Head, after: &Head) {
        let fresh = after.open.iter().find(|open| {
            open.why == Reason::Due && !before.open.iter().any(|known| known.run == open.run)
        });
        if let Some(open) = fresh {
            let late = open.submitted.duration_since(schedule.due(self.book.playbook(), open.at));
            self.seen.borrow_mut().lag = Duration::try_from(late).ok();
        }
    }

    fn told(&self, head: &Head, now: Timestamp, next: Option<Timestamp>) {
        let mut seen = self.seen.borrow_mut();
        seen.head = Some(head.clone());
        seen.looked = Some(now);
        seen.next = next;
        seen.trouble = None;
    }

    /// Carries one open occurrence as far as it goes.
    async fn carry(&self, open: Open, stop: &CancellationToken) -> Fared {
        let pauses = || self.offer.get().is_some_and(|schedule| schedule.pause_on_failure);
        match self.worker.work(&open).await {
            Worked::Ended(end) => {
                // Until it is written down it is not over: the next process would only find it so again.
                let mut trouble = TROUBLE.0;
                while let Err(failure) = self.book.settle(&open, &end, pauses()).await {
                    self.seen.borrow_mut().trouble = Some(failure.to_string());
                    tokio::select! {
                        biased;
                        () = self.clock.sleep(trouble) => trouble = (trouble * 2).min(TROUBLE.1),
                        () = stop.cancelled() => return Fared::Later(AGAIN),
                    }
                }
                Fared::Settled
            }
            Worked::Waits(words) => {
                let now = self.clock.now();
                if let Some(words) = words
                    && let Err(failure) = self.book.stuck(&open, now, &words, pauses()).await
                {
                    self.seen.borrow_mut().trouble = Some(failure.to_string());
                }
                Fared::Later(WAITING)
            }
            Worked::Busy => Fared::Later(BUSY),
            Worked::NotNow(_) | Worked::Stopped => Fared::Later(AGAIN),
        }
    }
}
