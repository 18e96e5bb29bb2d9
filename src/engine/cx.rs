//! What a step may use of the engine: the clock, waits, notes to the journal. Nothing here names a service.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use jiff::Timestamp;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::clock::Clock;
use super::event::{EventKind, Look};
use super::failure::{Class, Failure};
use super::helm::Helm;
use super::id::RunId;
use super::journal::Record;
use super::kind::Around;
use super::ledger::Ledger;
use super::machine::Decision;
use super::pace::Pace;
use super::wait::{GONE, Meaning, Seen, VISIBLE_WITHIN, Wait, next_look};

/// One step's view of its run.
pub struct Cx {
    /// The run.
    pub run: RunId,
    /// The step's id.
    pub step: String,
    /// The one clock.
    pub clock: Clock,
    /// Whether the playbook lets a pivot go ahead though its way back is not proved.
    pub accept_no_way_back: bool,
    /// The answer, if the step asked and somebody answered.
    pub decision: Option<Decision>,
    /// The note an earlier attempt left.
    pub note: Option<Value>,
    /// When the run began.
    pub began: Timestamp,
    /// While it is being rolled back: whether every step had succeeded, so that nothing had gone wrong.
    pub completed: bool,
    /// The plan around the step; known while it is read before a run, empty during one.
    pub around: Around,
    /// Which of many things this is the view of, where a step does the same for each.
    pub item: Option<String>,
    pub(super) ledger: Rc<Ledger>,
    pub(super) pace: Rc<Pace>,
    pub(super) helm: Rc<Helm>,
    pub(super) cancel: CancellationToken,
    pub(super) deadline: Rc<Cell<Option<Timestamp>>>,
    /// Whether the step is held by a pause right now.
    pub(super) held: Rc<Cell<bool>>,
    /// The part of the step that this is the view of; its notes stand under this name in the step's.
    pub(super) part: Vec<String>,
    pub(super) rng: RefCell<StdRng>,
}

impl Cx {
    /// A context for reading before any run: records nothing, never cancelled.
    #[must_use]
    pub fn reading(run: RunId, step: &str, ledger: Rc<Ledger>, clock: Clock) -> Self {
        let rng = RefCell::new(seeded(&run, step));
        Self {
            run,
            step: step.to_owned(),
            began: clock.now(),
            completed: false,
            clock,
            accept_no_way_back: false,
            decision: None,
            note: None,
            around: Around::default(),
            item: None,
            ledger,
            pace: Rc::default(),
            helm: Rc::default(),
            cancel: CancellationToken::new(),
            deadline: Rc::default(),
            held: Rc::default(),
            part: Vec::new(),
            rng,
        }
    }

    /// The view of a part of the step, with notes of its own: a step that does what two kinds do lets each keep its own
    /// account of how far it got. Parts have parts.
    #[must_use]
    pub fn part(&self, name: &str) -> Self {
        let mut part = self.part.clone();
        part.push(name.to_owned());
        let seed = format!("{}.{}", self.step, part.join("."));
        Self {
            run: self.run.clone(),
            step: self.step.clone(),
            clock: self.clock.clone(),
            began: self.began,
            completed: self.completed,
            accept_no_way_back: self.accept_no_way_back,
            decision: self.decision.clone(),
            note: self.note.clone(),
            around: Around::default(),
            item: self.item.clone(),
            ledger: Rc::clone(&self.ledger),
            pace: Rc::clone(&self.pace),
            helm: Rc::clone(&self.helm),
            cancel: self.cancel.clone(),
            deadline: Rc::clone(&self.deadline),
            held: Rc::clone(&self.held),
            part,
            rng: RefCell::new(seeded(&self.run, &seed)),
        }
    }

    /// As `part`, for one of many things of the same sort: what it makes is named after the item too.
    #[must_use]
    pub fn each(&self, item: &str) -> Self {
        Self { item: Some(item.to_owned()), ..self.part(item) }
    }

    /// Makes an attempt, and more of them while it fails with what may pass, as the engine does with steps: for a step that
    /// does the same for many things, where one that has to wait does not begin the others anew.
    ///
    /// # Errors
    /// Of the last attempt; of sleeping.
    pub async fn persist<T, A>(&self, mut attempt: impl FnMut() -> A) -> Result<T, Failure>
    where
        A: Future<Output = Result<T, Failure>>,
    {
        let mut tries = super::retry::Tries::default();
        loop {
            let failure = match attempt().await {
                Ok(done) => return Ok(done),
                Err(failure) => failure,
            };
            if matches!(failure.class, Class::Journal | Class::Interrupted) {
                return Err(failure);
            }
            if let (Class::Throttled, Some(answer)) = (failure.class, &failure.answer) {
                self.pace.throttled(&answer.service, &self.clock);
            }
            let pause = tries.pause(failure.class, &mut *self.rng.borrow_mut());
            let Some(pause) = pause else { return Err(failure) };
            self.warn(format!("{failure}; trying again"));
            self.sleep(pause).await.map_err(|stopped| match stopped.class {
                Class::TimedOut => stopped.because(failure.to_string()),
                _ => stopped,
            })?;
        }
    }

    /// Waits until a look shows a success state, and gives what it showed.
    ///
    /// Looks that fail with a passing fault are borne; a resource that is not there is borne for two minutes unless
    /// `(not found)` is among the success states. `reason` is asked when a terminal state is seen, since a status says
    /// no why: it reads the service's events. A look only reads: it is dropped when the run is stopped.
    ///
    /// # Errors
    /// `Terminal` on a terminal state, `NotFound` if the resource stays away, `TimedOut` at the step's deadline,
    /// `Interrupted` when the run is stopped, or whatever a look fails with for good.
    pub async fn wait<L, R>(
        &self,
        wait: &Wait,
        mut look: impl FnMut() -> L,
        reason: impl FnOnce() -> R,
    ) -> Result<Seen, Failure>
    where
        L: Future<Output = Result<Seen, Failure>>,
        R: Future<Output = Option<String>>,
    {
        let started = self.clock.now();
        let mut last: Option<String> = None;
        let mut fault: Option<Failure> = None;
        let mut faults = 0_u32;
        let mut unheard_of = BTreeSet::new();
        // Since when nothing was there, look after look. One stale answer long after the start proves nothing.
        let mut gone_since = Some(started);
        let mut over = false;
        loop {
            self.pass().await?;
            if !over && let Err(stopped) = self.hold(wait.service).await {
                return Err(last_words(stopped, wait, last.as_deref(), fault.as_ref()));
            }
            // A look changes nothing, so one that hangs need not be heard out when the run is stopped.
            let seen = tokio::select! {
                biased;
                seen = look() => seen,
                () = self.cancel.cancelled() => return Err(stopped_by_somebody()),
            };
            let elapsed = self.clock.since(started);
            let mut next = next_look(elapsed, wait.expected, &mut *self.rng.borrow_mut());
            match seen {
                Ok(seen) => {
                    (faults, fault) = (0, None);
                    let gone_for = (seen.state == GONE)
                        .then(|| self.clock.since(*gone_since.get_or_insert(self.clock.now())));
                    if gone_for.is_none() {
                        gone_since = None;
                    }
                    self.pace.answered(wait.service);
                    let changed = last.as_deref() != Some(&seen.state);
                    if changed {
                        self.ledger
                            .record(Record::Observed {
                                step: self.step.clone(),
                                subject: wait.subject.clone(),
                                state: seen.state.clone(),
                            })
                            .await?;
                        last = Some(seen.state.clone());
                    }
                    let meaning = wait.states.meaning(&seen.state);
                    let settled = matches!(meaning, Meaning::Success | Meaning::Terminal);
                    self.tell_look(wait, &seen, elapsed, (!settled).then_some(next));
                    match meaning {
                        Meaning::Success => return Ok(seen),
                        Meaning::Terminal => {
                            let mut failure = Failure::new(
                                Class::Terminal,
                                format!("{} ended as {}", wait.subject, seen.state),
                            );
                            if let Some(reason) = reason().await {
                                failure = failure.because(reason);
                            }
                            return Err(failure);
                        }
                        Meaning::Unknown if unheard_of.insert(seen.state.clone()) => {
                            self.warn(format!(
                                "{} is \"{}\", a state this program has not heard of; waiting on",
                                wait.subject, seen.state
                            ));
                        }
                        Meaning::Pending if gone_for.is_some_and(|gone| gone > VISIBLE_WITHIN) => {
                            return Err(Failure::new(
                                Class::NotFound,
                                format!("{} does not exist", wait.subject),
                            ));
                        }
                        _ => {}
                    }
                }
                Err(failure) if failure.class.may_pass() => {
                    faults += 1;
                    if failure.class == Class::Throttled {
                        self.pace.throttled(wait.service, &self.clock);
                    }
                    if let Some(pause) = super::retry::pause(
                        failure.class,
                        faults.min(5),
                        &mut *self.rng.borrow_mut(),
                    ) {
                        // After a fault look again soon; a service that asks for fewer calls gets no earlier one.
                        next = if failure.class == Class::Throttled {
                            next.max(pause)
                        } else {
                            next.min(pause)
                        };
                    }
                    self.warn(format!(
                        "could not look at {}: {failure}; looking again",
                        wait.subject
                    ));
                    fault = Some(failure);
                }
                Err(failure) => {
                    return Err(failure.context(format!("lost sight of {}", wait.subject)));
                }
            }
            if let Err(stopped) = self.sleep(next).await {
                // Looks may be minutes apart by then: one more, before hours of work are given up.
                if stopped.class == Class::TimedOut && !over {
                    over = true;
                    continue;
                }
                return Err(last_words(stopped, wait, last.as_deref(), fault.as_ref()));
            }
        }
    }

    /// Sleeps, unless the step's time is up or the run is stopped first.
    ///
    /// # Errors
    /// `TimedOut`, `Interrupted`.
    pub async fn sleep(&self, duration: Duration) -> Result<(), Failure> {
        let left = self.deadline.get().map(|d| {
            Duration::try_from(d.duration_since(self.clock.now())).unwrap_or(Duration::ZERO)
        });
        let nap = left.map_or(duration, |left| left.min(duration));
        tokio::select! {
            // In this order, so that a run repeats, and a stopped one does not go on after a pause of nothing.
            biased;
            () = self.cancel.cancelled() => Err(stopped_by_somebody()),
            () = self.clock.sleep(nap) => {
                if left.is_some_and(|left| left <= duration) {
                    Err(Failure::new(Class::TimedOut, "the step's time is up"))
                } else {
                    Ok(())
                }
            }
        }
    }

    /// Gives why, once the step's time is up or the run is stopped: for work that is broken off then instead of being heard
    /// out.
    pub async fn stopped(&self) -> Failure {
        loop {
            if let Err(stopped) = self.sleep(Duration::from_secs(3600)).await {
                return stopped;
            }
        }
    }

    /// Holds a call to `service` back while that service asks for fewer.
    ///
    /// # Errors
    /// As `sleep`.
    pub async fn hold(&self, service: &str) -> Result<(), Failure> {
        let held = self.pace.hold(service, &self.clock);
        if held.is_zero() { Ok(()) } else { self.sleep(held).await }
    }

    /// Makes a fact durable that a later attempt or the undo needs; it replaces an earlier note.
    ///
    /// # Errors
    /// `Journal`.
    pub async fn note(&self, note: Value) -> Result<(), Failure> {
        let (step, part) = (self.step.clone(), self.part.clone());
        self.ledger.record(Record::Noted { step, note, part }).await
    }

    /// Returns once the run is not paused. The step's time is longer by as much.
    pub(super) async fn pass(&self) -> Result<(), Failure> {
        self.held.set(true);
        let held = self.helm.pass(&self.ledger, None, &self.cancel, &self.clock).await;
        self.held.set(false);
        if let (Some(deadline), held) = (self.deadline.get(), held?) {
            self.deadline.set(super::run::later(deadline, held));
        }
        Ok(())
    }

    /// The fencing epoch of the process that works on the run; 0 while nothing is recorded.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.ledger.epoch()
    }

    /// The step's latest note: of this attempt, of an earlier one, or of an earlier process.
    #[must_use]
    pub fn noted(&self) -> Option<Value> {
        // The part alone is copied: a step of many parts reads its notes often.
        let of = |note: &Value| {
            let mut place = note;
            for name in &self.part {
                place = place.get(name)?;
            }
            Some(place.clone())
        };
        match self.ledger.noted(&self.step, of) {
            Some(found) => found,
            None => self.note.as_ref().and_then(of),
        }
    }

    /// Says something odd that does not stop the step.
    pub fn warn(&self, warning: impl Into<String>) {
        let step = Some(self.step.clone());
        self.ledger.tell(EventKind::Warned { step, warning: warning.into() });
    }

    /// Shows progress that is not a wait: "4,200 of 10,000 keys compared".
    pub fn progress(&self, subject: &str, state: &str, detail: Option<String>, started: Timestamp) {
        self.ledger.tell(EventKind::Looked(Look {
            step: self.step.clone(),
            subject: subject.to_owned(),
            state: state.to_owned(),
            detail,
            elapsed: self.clock.since(started),
            expected: Duration::ZERO,
            next: None,
        }));
    }

    /// A name for a resource of this step: `orc-<run>-<suffix>`, lower case as both services store names.
    #[must_use]
    pub fn resource_name(&self, suffix: &str) -> String {
        format!("orc-{}-{suffix}", self.run).to_ascii_lowercase()
    }

    /// Random numbers, seeded from run and step so that a run can be repeated.
    pub fn random<T>(&self, draw: impl FnOnce(&mut StdRng) -> T) -> T {
        draw(&mut self.rng.borrow_mut())
    }

    fn tell_look(&self, wait: &Wait, seen: &Seen, elapsed: Duration, next: Option<Duration>) {
        self.ledger.tell(EventKind::Looked(Look {
            step: self.step.clone(),
            subject: wait.subject.clone(),
            state: seen.state.clone(),
            detail: seen.detail.clone(),
            elapsed,
            expected: wait.expected,
            next,
        }));
    }
}

fn stopped_by_somebody() -> Failure {
    Failure::new(Class::Interrupted, super::run::STOPPED)
}

/// Says with a wait's end by the clock what was seen last, or why nothing was.
fn last_words(
    stopped: Failure,
    wait: &Wait,
    last: Option<&str>,
    fault: Option<&Failure>,
) -> Failure {
    if stopped.class != Class::TimedOut {
        return stopped;
    }
    let stopped = match last {
        Some(state) => stopped.because(format!("{} was \"{state}\" when last seen", wait.subject)),
        None => stopped,
    };
    match fault {
        Some(fault) => stopped.because(format!("the last look failed: {fault}")),
        None => stopped,
    }
}

/// A generator that gives the same numbers for the same run and step.
pub(super) fn seeded(run: &RunId, step: &str) -> StdRng {
    let mut seed = [0_u8; 32];
    for (index, byte) in run.as_str().bytes().chain(step.bytes()).enumerate() {
        let slot = &mut seed[index % 32];
        *slot = slot.wrapping_mul(31).wrapping_add(byte);
    }
    StdRng::from_seed(seed)
}
