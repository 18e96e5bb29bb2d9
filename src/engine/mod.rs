//! Plan → run: a pure state machine over a durable journal, with attempts, waits, retries and rollback.
//!
//! Names no AWS service. `machine` decides what a journal record means, for live runs, resume, status and replay alike;
//! `ledger` is the only pen; `run` goes forward, `unwind` back.

mod clock;
mod cx;
mod event;
mod failure;
mod helm;
mod id;
mod inject;
pub mod journal;
mod kind;
mod ledger;
mod machine;
mod pace;
mod retry;
mod run;
#[cfg(test)]
mod tests;
mod unwind;
mod wait;

pub use clock::{Clock, Stopwatch};
pub use cx::Cx;
pub use event::{Event, EventKind, Look, Sink};
pub use failure::{Answer, Class, Failure};
pub use helm::{Asked, Helm, Wanted};
pub use id::{NotARunId, RunId};
pub use inject::{Inject, Strike};
pub use kind::{Around, Finding, Kind, Kinds, Outcome, Prepared, Upstream, Verdict};
pub use ledger::Ledger;
pub use machine::{Decision, Header, Illegal, Phase, Progress, RunState, Steered, StepState, Undo};
pub(crate) use run::STOPPED;
pub use run::{End, Engine};
pub use wait::{GONE, Meaning, Seen, States, Wait, next_look};
