//! Guards of a run: alarms and limits that are watched while it is on. A breach reaches the run as a person's `pause` or
//! `cancel` does: written beside its journal, then recorded in it, with the guard's name and what it saw.
//!
//! A process that dies between the sight and the record leaves nothing behind: the next one looks before its first step, and
//! sees it again. One that dies after the record finds the run paused, or cancelled.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;

use super::control::{ask, wanted};
use super::objects::Objects;
use crate::aws::{Gate, Op};
use crate::engine::journal::Steer;
use crate::engine::{Asked, Class, Clock, EventKind, Failure, Helm, Ledger, Phase, RunId};

/// How often guards are looked at: CloudWatch weighs alarms once a minute.
pub const RHYTHM: Duration = Duration::from_secs(30);
/// How long nothing can be read before that is as good as no data: throttles and lost answers pass.
const BLIND: Duration = Duration::from_secs(180);
/// What a guard is called where people are named.
const BY: &str = "guard ";

/// What a guard is seen to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    /// Within its limit.
    Well,
    /// Breached: what was seen.
    Breached(String),
    /// Nothing is known: why.
    Unknown(String),
}

/// Looks at guards.
#[async_trait(?Send)]
pub trait Eye {
    /// What each is seen to be, in their order.
    ///
    /// # Errors
    /// If nothing could be read.
    async fn look(&self, guards: &[Value]) -> Result<Vec<Sight>, Failure>;
}

/// What was said of a guard that stops nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Said {
    /// It sees nothing.
    Blind,
    /// It is breached while the run stands still anyway.
    Too,
}

/// Watches the guards of one run.
pub struct Watch {
    eye: Rc<dyn Eye>,
    clock: Clock,
    /// What was seen of which guard, from that moment until the run has taken note.
    seen: RefCell<BTreeMap<String, String>>,
    /// Guards on which the run has acted and which have not been well since: a person who lets it go on in spite of one is
    /// not stopped by it again. Nothing before the first look.
    known: RefCell<Option<BTreeSet<String>>>,
    /// Guards of which it was said already that nothing is known, or that they are breached while the run stands still.
    told: RefCell<BTreeSet<(String, Said)>>,
    /// Since when nothing could be read.
    blind: Cell<Option<Timestamp>>,
}

impl Watch {
    /// A watch that looks through `eye`.
    #[must_use]
    pub fn new(eye: Rc<dyn Eye>, clock: Clock) -> Self {
        Self {
            eye,
            clock,
            seen: RefCell::default(),
            known: RefCell::default(),
            told: RefCell::default(),
            blind: Cell::default(),
        }
    }

    /// Looks once, and lets the run take note of what it sees. Before the first step, and then every half minute.
    pub async fn once(&self, objects: &dyn Objects, run: &RunId, helm: &Helm, ledger: &Ledger) {
        let guards = ledger.state(|state| match state.phase {
            Phase::Forward => state.plan.guards.clone(),
            Phase::Back(_) => Vec::new(),
        });
        if guards.is_empty() {
            return;
        }
        // An earlier process may have been told to go on in spite of one.
        self.known.borrow_mut().get_or_insert_with(|| {
            ledger.state(|state| {
                let by = state.overruled.iter().filter_map(|by| by.strip_prefix(BY));
                by.map(str::to_owned).collect()
            })
        });
        let sights = self.eye.look(&guards).await;
        let blind = match &sights {
            Ok(_) => None,
            Err(_) => Some(self.blind.get().unwrap_or_else(|| self.clock.now())),
        };
        self.blind.set(blind);
        // One answer that is lost is no breach yet.
        let for_long = blind.is_some_and(|since| self.clock.since(since) >= BLIND);
        let sights = sights.unwrap_or_else(|failure| {
            vec![Sight::Unknown(format!("it cannot be read: {failure}")); guards.len()]
        });
        for (guard, sight) in guards.iter().zip(sights) {
            let id = guard["id"].as_str().unwrap_or("guard").to_owned();
            let seen = self.seen.borrow().get(&id).cloned();
            let what = match (sight, seen) {
                (Sight::Well, _) => {
                    self.seen.borrow_mut().remove(&id);
                    self.told.borrow_mut().retain(|(of, _)| *of != id);
                    if let Some(known) = self.known.borrow_mut().as_mut() {
                        known.remove(&id);
                    }
                    continue;
                }
                (Sight::Breached(what), _) => what,
                (Sight::Unknown(why), _)
                    if guard["no_data"] == "breach" && (blind.is_none() || for_long) =>
                {
                    why
                }
                // What was seen counts until something else is.
                (Sight::Unknown(_), Some(what)) => what,
                (Sight::Unknown(why), None) => {
                    self.tell(ledger, &id, Said::Blind, format!("guard {id} sees nothing: {why}"));
                    continue;
                }
            };
            if self.known.borrow().as_ref().is_some_and(|known| known.contains(&id)) {
                continue;
            }
            self.act(objects, run, helm, ledger, guard, what).await;
        }
    }

    /// Says something of a guard, once until it is well again.
    fn tell(&self, ledger: &Ledger, id: &str, said: Said, warning: String) {
        if self.told.borrow_mut().insert((id.to_owned(), said)) {
            ledger.tell(EventKind::Warned { step: None, warning });
        }
    }

    async fn act(
        &self,
        objects: &dyn Objects,
        run: &RunId,
        helm: &Helm,
        ledger: &Ledger,
        guard: &Value,
        what: String,
    ) {
        let id = guard["id"].as_str().unwrap_or("guard");
        self.seen.borrow_mut().insert(id.to_owned(), what.clone());
        let may_cancel = ledger.state(|state| state.may_steer(&Steer::Cancel));
        let back = guard["on_breach"] == "rollback" && may_cancel;
        // Whoever lifts the pause of another has not heard of this one: it pauses the run in its own name then.
        if let (false, Some(other)) = (back, ledger.state(|state| state.paused.clone())) {
            let warning = format!(
                "guard {id} is breached too, while the run is paused by {}: {what}",
                other.by
            );
            self.tell(ledger, id, Said::Too, warning);
            return;
        }
        // Past the pivot a way back loses writes: a person decides on it.
        let comment = match guard["on_breach"] == "rollback" && !back {
            true => format!("{what}; past the switch-over nothing is rolled back by itself"),
            false => what,
        };
        let by = format!("{BY}{id}");
        let asked = Asked { by, at: self.clock.now(), comment: Some(comment) };
        let change = |wanted: &mut crate::engine::Wanted| match back {
            true => wanted.cancel = Some(asked.clone()),
            false => {
                wanted.pause.get_or_insert_with(|| asked.clone());
            }
        };
        let noted = match ask(objects, run, change).await {
            Ok(()) => match wanted(objects, run).await {
                // A ledger that cannot be written ends the run by itself.
                Ok(wanted) => helm.heed(ledger, &wanted).await.is_ok(),
                Err(_) => false,
            },
            Err(error) => {
                let warning =
                    format!("guard {id} is breached and the run could not be told: {error}");
                ledger.tell(EventKind::Warned { step: None, warning });
                false
            }
        };
        // Until it is noted no change leaves, and the next look tries again. A person who paused the run in the same moment
        // has been noted in its place.
        let ours = ledger.state(|state| {
            let steered = [&state.paused, &state.cancelled].into_iter().flatten();
            steered.into_iter().any(|steered| steered.by == asked.by)
        });
        if noted && ours {
            self.seen.borrow_mut().remove(id);
            if let Some(known) = self.known.borrow_mut().as_mut() {
                known.insert(id.to_owned());
            }
        }
    }

    /// Looks for as long as it is polled.
    pub async fn on(
        &self,
        objects: &dyn Objects,
        run: &RunId,
        helm: &Helm,
        ledger: &Ledger,
    ) -> Infallible {
        loop {
            self.clock.sleep(RHYTHM).await;
            self.once(objects, run, helm, ledger).await;
        }
    }
}

/// Lets changes pass while no guard is breached. A change that is refused was not called: its step is tried again once the
/// run goes on. What a rollback changes always passes.
pub struct GuardGate {
    watch: Rc<Watch>,
    ledger: Rc<Ledger>,
}

impl GuardGate {
    /// A gate that closes with what `watch` sees.
    #[must_use]
    pub fn new(watch: Rc<Watch>, ledger: Rc<Ledger>) -> Self {
        Self { watch, ledger }
    }
}

#[async_trait(?Send)]
impl Gate for GuardGate {
    async fn pass(&self, op: Op) -> Result<(), Failure> {
        let seen = self.watch.seen.borrow();
        let seen = seen.iter().next().map(|(id, what)| format!("{BY}{id}: {what}"));
        let why = self.ledger.state(|state| {
            let by_guard = |by: &str| by.starts_with(BY);
            let stopped = [&state.paused, &state.cancelled].into_iter().flatten();
            let noted = stopped.filter(|steered| by_guard(&steered.by)).map(|steered| {
                format!("{}: {}", steered.by, steered.comment.clone().unwrap_or_default())
            });
            match state.phase {
                Phase::Forward => seen.or_else(|| noted.into_iter().next()),
                Phase::Back(_) => None,
            }
        });
        let Some(why) = why else { return Ok(()) };
        let message = format!("{} {} was not called: a guard is breached", op.service, op.name);
        Err(Failure::new(Class::Busy, message).because(why))
    }
}
