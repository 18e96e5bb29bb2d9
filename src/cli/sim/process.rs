//! One simulated `orchestrate` process: what `migrate`, `resume`, `rollback` and `approve` do, but for the screen.

use std::rc::Rc;
use std::sync::Arc;

use orchestrate_sandbox::{Sandbox, http_client};
use tokio_util::sync::CancellationToken;

use super::Flaw;
use super::bucket;
use super::disk::Disk;
use super::life::Life;
use super::network::{Delays, Way};
use super::tape::Tape;
use crate::aws::{self, Clients, Settings};
use crate::cli::commands::{resume, rollback};
use crate::cli::sandboxed::model_plane;
use crate::engine::journal::{Entry, Journal, JournalError, Record, Rest, RollbackReason};
use crate::engine::{Clock, End, Engine, EventKind, Failure, Ledger, RunState, Sink};
use crate::plan::Plan;
use crate::report::{Place, Style, render_summary};
use crate::state::{Lease, LeaseGate, Opened, keep};
use crate::steps::{Env, Registry, registry};

/// What a person asks of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// `migrate`.
    Begin,
    /// `resume`.
    Resume,
    /// `rollback`, and whether `--past-pivot`.
    Rollback(bool),
    /// `approve`, or `approve --reject`.
    Approve(bool),
}

/// How a process ended that was not killed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// As the engine ended.
    Engine(End),
    /// It wrote an answer down.
    Answered,
    /// It refused, before it changed anything. `locked`: because another process works on the run.
    Refused { locked: bool, why: String },
}

/// What every process of a simulation works with.
pub(super) struct Process<'a> {
    pub(super) sandbox: &'a Sandbox,
    pub(super) disk: &'a Disk,
    pub(super) tape: &'a Tape,
    pub(super) plan: &'a Plan,
    pub(super) run: &'static str,
    /// The seed of the network's delays.
    pub(super) delays: Option<u64>,
}

/// A run that is this process's.
struct Taken {
    journal: Box<dyn Journal>,
    /// None where the lock dies with its process.
    lease: Option<Rc<dyn Lease>>,
    entries: Vec<Entry>,
}

/// Gives the lease up at the end; if that fails, it ends by itself.
async fn given_up(ending: Ending, lease: Option<Rc<dyn Lease>>) -> Ending {
    if let Some(lease) = lease {
        let _ = lease.release().await;
    }
    ending
}

const SOMEBODY: &str = "somebody";

fn refused(why: impl ToString) -> Ending {
    Ending::Refused { locked: false, why: why.to_string() }
}

fn unusable(error: &JournalError) -> Ending {
    let locked = matches!(
        error,
        JournalError::Locked | JournalError::Held { .. } | JournalError::Lost { .. }
    );
    Ending::Refused { locked, why: error.to_string() }
}

impl Process<'_> {
    /// Does what was asked. `clock` is the machine's that it runs on.
    pub(super) async fn obey(
        &self,
        life: &Arc<Life>,
        clock: &Clock,
        cancel: &CancellationToken,
        order: Order,
    ) -> Ending {
        if order == Order::Begin {
            let (kinds, clients) = match self.connect(life, clock).await {
                Ok(connected) => connected,
                Err(failure) => return refused(failure),
            };
            let taken = match self.take(life, clock, true).await {
                Ok(taken) => taken,
                Err(error) => return unusable(&error),
            };
            self.gate(&clients, taken.lease.as_ref(), clock);
            let journal = taken.journal;
            let ledger = Ledger::begin(journal, self.header(), clock.clone(), self.sink(life));
            let ending = match ledger.await {
                Ok(ledger) => {
                    self.drive(life, ledger, &kinds, clock, cancel, taken.lease.as_deref()).await
                }
                Err(failure) => Ending::Engine(End::Broken(failure)),
            };
            return given_up(ending, taken.lease).await;
        }
        let taken = match self.take(life, clock, false).await {
            Ok(taken) => taken,
            Err(error) => return unusable(&error),
        };
        let lease = taken.lease.clone();
        let ending = self.go_on(life, clock, cancel, order, taken).await;
        given_up(ending, lease).await
    }

    /// What a command does with a run that is this process's.
    async fn go_on(
        &self,
        life: &Arc<Life>,
        clock: &Clock,
        cancel: &CancellationToken,
        order: Order,
        taken: Taken,
    ) -> Ending {
        let Taken { journal, lease, entries } = taken;
        let ledger = match Ledger::resume(journal, &entries, clock.clone(), self.sink(life)) {
            Ok(ledger) => ledger,
            Err(error) => return refused(format!("the journal contradicts itself: {error}")),
        };
        let permitted = ledger.state(|state| match order {
            Order::Begin | Order::Resume => {
                resume::permit(state).map_err(|e| e.render(Style::default()))
            }
            Order::Rollback(past) => {
                rollback::permit(state, past).map_err(|e| e.render(Style::default()))
            }
            Order::Approve(approved) => answer(state, approved),
        });
        let more = match permitted {
            Ok(more) => more,
            Err(why) => return refused(why),
        };
        if let Order::Approve(_) = order {
            for record in more {
                if let Err(failure) = ledger.record(record).await {
                    return Ending::Engine(End::Broken(failure));
                }
            }
            return Ending::Answered;
        }
        let (kinds, clients) = match self.connect(life, clock).await {
            Ok(connected) => connected,
            Err(failure) => return refused(failure),
        };
        self.gate(&clients, lease.as_ref(), clock);
        for record in more {
            if let Err(failure) = ledger.record(anonymous(record)).await {
                return Ending::Engine(End::Broken(failure));
            }
        }
        self.drive(life, ledger, &kinds, clock, cancel, lease.as_deref()).await
    }

    /// Takes the run, wherever it is kept.
    async fn take(
        &self,
        life: &Arc<Life>,
        clock: &Clock,
        new: bool,
    ) -> Result<Taken, JournalError> {
        if self.disk.is_bucket() {
            let run = self.run.parse().expect("the simulation's ids are run ids");
            let delays = Delays::of(self.delays.map(|seed| seed.wrapping_add(u64::from(life.id))));
            let opened = bucket::take(self.disk, life, clock, delays, &run, new).await?;
            let Opened { journal, lease, entries } = opened;
            return Ok(Taken { journal, lease: Some(lease), entries });
        }
        let (journal, entries) =
            if new { (self.disk.create(life)?, Vec::new()) } else { self.disk.open(life)? };
        Ok(Taken { journal: Box::new(journal), lease: None, entries })
    }

    /// No change leaves without the lease.
    fn gate(&self, clients: &Clients, lease: Option<&Rc<dyn Lease>>, clock: &Clock) {
        if let Some(lease) = lease
            && self.disk.flaw() != Some(Flaw::NoGate)
        {
            clients.gates.add(Rc::new(LeaseGate::new(Rc::clone(lease), clock.clone())));
        }
    }

    async fn connect(
        &self,
        life: &Arc<Life>,
        clock: &Clock,
    ) -> Result<(Registry, Clients), Failure> {
        let way = Way::new(self.sandbox, self.disk, self.tape, life, self.delays);
        let settings = Settings {
            clock: clock.clone(),
            region: Some("us-east-1".to_owned()),
            path_style: true,
            in_process: Some(http_client(Arc::new(way))),
            paced: false,
        };
        let clients = aws::connect(&settings).await?;
        let identity = aws::identify(&clients).await?;
        let data = Rc::new(model_plane(self.sandbox.clone(), clock.clone()));
        let kinds = registry(&Rc::new(Env::new(clients.clone(), identity, data, clock)));
        Ok((kinds, clients))
    }

    async fn drive(
        &self,
        life: &Arc<Life>,
        ledger: Ledger,
        kinds: &Registry,
        clock: &Clock,
        cancel: &CancellationToken,
        lease: Option<&dyn Lease>,
    ) -> Ending {
        let ledger = Rc::new(ledger);
        let engine = Engine::new(kinds, Rc::clone(&ledger), clock.clone(), cancel.clone());
        let keeping = async {
            if let Some(lease) = lease {
                keep(lease, clock).await;
                // Another process has the run: this one comes to its end at its next record.
                cancel.cancel();
            }
            std::future::pending::<()>().await;
        };
        let end = tokio::select! {
            biased;
            () = keeping => End::Interrupted,
            end = engine.run() => end,
        };
        if let End::Rest(Rest::Stuck { .. }) = end {
            let place = Place { journal: String::new(), flags: String::new() };
            life.say(ledger.state(|s| render_summary(s, &place, false, Style::default())));
        }
        Ending::Engine(end)
    }

    fn header(&self) -> Record {
        Record::Started {
            run: self.run.parse().expect("the simulation's ids are run ids"),
            tool: env!("CARGO_PKG_VERSION").to_owned(),
            by: SOMEBODY.to_owned(),
            account: "123456789012".to_owned(),
            region: "us-east-1".to_owned(),
            embedded: false,
            plan: Box::new(self.plan.clone()),
        }
    }

    fn sink(&self, life: &Life) -> Sink {
        if !self.tape.is_traced() {
            return Rc::new(|_| {});
        }
        let (tape, process) = (self.tape.clone(), life.id);
        Rc::new(move |event| match &event.kind {
            EventKind::Recorded(record) => {
                tape.say(format_args!("p{process} record {}", in_brief(record)));
            }
            EventKind::Warned { warning, .. } => {
                tape.say(format_args!("p{process} warns {warning}"));
            }
            EventKind::Looked(_) => {}
        })
    }
}

/// A record without the bulk: what a reader of a trace wants of it.
fn in_brief(record: &Record) -> String {
    let mut value = serde_json::to_value(record).unwrap_or_default();
    let Some(fields) = value.as_object_mut() else { return value.to_string() };
    for bulky in ["plan", "prepared", "output"] {
        fields.shift_remove(bulky);
    }
    value.to_string()
}

/// Who gives commands is the reader of this machine's environment, and no part of a simulation.
fn anonymous(record: Record) -> Record {
    let by = SOMEBODY.to_owned();
    match record {
        Record::Resumed { .. } => Record::Resumed { by },
        Record::RollbackStarted { reason: RollbackReason::Asked { past_pivot, .. } } => {
            Record::RollbackStarted { reason: RollbackReason::Asked { by, past_pivot } }
        }
        other => other,
    }
}

/// The record of an answer, or why there is nothing to answer.
fn answer(state: &RunState, approved: bool) -> Result<Vec<Record>, String> {
    match state.asking() {
        Some((step, asking)) if asking.decision.is_none() => Ok(vec![Record::Decided {
            step: step.id.clone(),
            approved,
            by: SOMEBODY.to_owned(),
            comment: None,
        }]),
        _ => Err("the run asks for no approval".to_owned()),
    }
}
