//! One simulated `orchestrate` process: what `migrate`, `resume`, `rollback` and `approve` do, but for the screen.

use std::rc::Rc;
use std::sync::Arc;

use orchestrate_sandbox::{Sandbox, http_client};
use tokio_util::sync::CancellationToken;

use super::disk::Disk;
use super::life::Life;
use super::network::Way;
use super::tape::Tape;
use crate::aws::{self, Settings};
use crate::cli::commands::{resume, rollback};
use crate::cli::sandboxed::model_plane;
use crate::engine::journal::{Journal, Record, Rest, RollbackReason};
use crate::engine::{Clock, End, Engine, EventKind, Failure, Ledger, RunState, Sink};
use crate::plan::Plan;
use crate::report::{Place, Style, render_summary};
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

const SOMEBODY: &str = "somebody";

fn refused(why: impl ToString) -> Ending {
    Ending::Refused { locked: false, why: why.to_string() }
}

fn unusable(error: &crate::engine::journal::JournalError) -> Ending {
    let locked = matches!(error, crate::engine::journal::JournalError::Locked);
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
            let kinds = match self.connect(life, clock).await {
                Ok(kinds) => kinds,
                Err(failure) => return refused(failure),
            };
            let journal = match self.disk.create(life) {
                Ok(journal) => Box::new(journal),
                Err(error) => return unusable(&error),
            };
            let ledger = Ledger::begin(journal, self.header(), clock.clone(), self.sink(life));
            return match ledger.await {
                Ok(ledger) => self.drive(life, ledger, &kinds, clock, cancel).await,
                Err(failure) => Ending::Engine(End::Broken(failure)),
            };
        }
        let (journal, entries) = match self.disk.open(life) {
            Ok(opened) => opened,
            Err(error) => return unusable(&error),
        };
        let journal: Box<dyn Journal> = Box::new(journal);
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
        let kinds = match self.connect(life, clock).await {
            Ok(kinds) => kinds,
            Err(failure) => return refused(failure),
        };
        for record in more {
            if let Err(failure) = ledger.record(anonymous(record)).await {
                return Ending::Engine(End::Broken(failure));
            }
        }
        self.drive(life, ledger, &kinds, clock, cancel).await
    }

    async fn connect(&self, life: &Arc<Life>, clock: &Clock) -> Result<Registry, Failure> {
        let way = Way::new(self.sandbox, self.disk, self.tape, life, self.delays);
        let settings = Settings {
            clock: clock.clone(),
            region: Some("us-east-1".to_owned()),
            path_style: true,
            in_process: Some(http_client(Arc::new(way))),
        };
        let clients = aws::connect(&settings).await?;
        let identity = aws::identify(&clients).await?;
        let data = Rc::new(model_plane(self.sandbox.clone(), clock.clone()));
        Ok(registry(&Rc::new(Env::new(clients, identity, data, clock))))
    }

    async fn drive(
        &self,
        life: &Arc<Life>,
        ledger: Ledger,
        kinds: &Registry,
        clock: &Clock,
        cancel: &CancellationToken,
    ) -> Ending {
        let ledger = Rc::new(ledger);
        let engine = Engine::new(kinds, Rc::clone(&ledger), clock.clone(), cancel.clone());
        let end = engine.run().await;
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
