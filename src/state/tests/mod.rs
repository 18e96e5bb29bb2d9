//! What must hold of leases, journals of objects, claims and the gates, without any service and on virtual time.

mod bucket;
mod claim;
mod control;
mod directory;
mod gates;
mod journal;
mod lease;
mod line;
mod memory;
mod remote;

use std::rc::Rc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Map;

use super::{LeaseTerms, MemoryObjects, Objects, Remote, Who};
use crate::engine::journal::{Entry, Record};
use crate::engine::{Clock, RunId};
use crate::plan::{FORMAT, Plan, Writes};

const LENGTH: Duration = Duration::from_secs(60);
const TERMS: LeaseTerms = LeaseTerms { length: LENGTH };

fn at() -> Timestamp {
    "2026-11-23T03:00:00Z".parse().unwrap()
}

fn clock() -> Clock {
    Clock::tokio(at(), 1.0)
}

fn run() -> RunId {
    "01h3kq7xw2".parse().unwrap()
}

fn other_run() -> RunId {
    "01h3kq7xw9".parse().unwrap()
}

/// A process of somebody, with a token of its own.
fn who(name: &str) -> Who {
    Who { name: format!("ops@{name}"), token: format!("token of {name}") }
}

fn memory(clock: &Clock) -> Rc<MemoryObjects> {
    Rc::new(MemoryObjects::new(clock.clone()))
}

fn store(objects: Rc<dyn Objects>, clock: &Clock, name: &str) -> Remote {
    Remote::new(objects, clock.clone(), who(name), TERMS)
}

/// The header of a run in which nothing is to be done.
fn header(run: &RunId) -> Record {
    let plan = Plan {
        format: FORMAT,
        playbook: "nothing".to_owned(),
        description: None,
        digest: String::new(),
        guard: None,
        inputs: Map::new(),
        timeout_secs: None,
        writes: Writes::NotConcerned,
        guards: Vec::new(),
        stages: Vec::new(),
        outputs: None,
    };
    Record::Started {
        run: run.clone(),
        tool: "test".to_owned(),
        by: "ops@host".to_owned(),
        account: "123456789012".to_owned(),
        region: "us-east-1".to_owned(),
        embedded: false,
        plan: Box::new(plan),
    }
}

/// An entry as any run has it; the first is a header.
fn entry(seq: u64, epoch: u64) -> Entry {
    let record =
        if seq == 1 { header(&run()) } else { Record::Resumed { by: format!("number {seq}") } };
    Entry { seq, epoch, at: at(), record }
}
