//! What is kept of a simulation while it runs: every request with its fate, and a trace for people.

use std::fmt::Arguments;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use orchestrate_sandbox::{Call, Sandbox};
use serde_json::{Value, json};

use crate::engine::Clock;

/// A request that left a process.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    /// The process.
    pub(super) process: u32,
    /// Its place in the order in which requests left.
    pub(super) order: u64,
    /// How many bytes of the journal were durable when it left.
    pub(super) durable: usize,
    /// What the sandbox's log says of it.
    pub(super) call: Call,
    /// What applications read, and the clusters, right after it took effect.
    pub(super) sight: Option<Value>,
}

#[derive(Debug)]
struct State {
    began: Timestamp,
    sent: Vec<Sent>,
    left: u64,
    trace: Option<Vec<String>>,
}

/// A clone is another hand on the same tape.
#[derive(Clone, Debug)]
pub(super) struct Tape {
    clock: Clock,
    state: Arc<Mutex<State>>,
}

/// The services that applications read endpoints from.
pub(super) const READ_FROM: [&str; 3] = ["ssm", "secretsmanager", "route53"];

impl Tape {
    pub(super) fn new(clock: Clock, traced: bool) -> Self {
        let state =
            State { began: clock.now(), sent: Vec::new(), left: 0, trace: traced.then(Vec::new) };
        Self { clock, state: Arc::new(Mutex::new(state)) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_traced(&self) -> bool {
        self.state().trace.is_some()
    }

    /// A line of the trace, with the time since the beginning.
    pub(super) fn say(&self, line: Arguments<'_>) {
        let now = self.clock.now();
        let mut state = self.state();
        let millis = now.duration_since(state.began).as_millis();
        let Some(trace) = &mut state.trace else { return };
        let (seconds, millis) = (millis / 1000, millis % 1000);
        let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        trace.push(format!("{hours:03}:{minutes:02}:{seconds:02}.{millis:03} {line}"));
    }

    /// The number of the next request to leave.
    pub(super) fn leaves(&self) -> u64 {
        let mut state = self.state();
        state.left += 1;
        state.left
    }

    /// Keeps a request that has been carried out.
    pub(super) fn landed(
        &self,
        sandbox: &Sandbox,
        process: u32,
        order: u64,
        durable: usize,
        call: Call,
    ) {
        if self.is_traced() {
            let effect = if call.effect { ", took effect" } else { "" };
            let fault = call.fault.map(|fault| format!(", fault {fault}")).unwrap_or_default();
            let (service, operation) = (&call.service, &call.operation);
            let (resource, outcome) = (&call.resource, &call.outcome);
            self.say(format_args!(
                "p{process} call {service} {operation} {resource} -> {outcome:?}{effect}{fault}"
            ));
        }
        let service = call.service.as_str();
        let seen = call.effect && (READ_FROM.contains(&service) || service == "memorydb");
        let sight = seen.then(|| sight(sandbox));
        self.state().sent.push(Sent { process, order, durable, call, sight });
    }

    /// Everything kept: the requests, and the trace if there is one.
    pub(super) fn take(&self) -> (Vec<Sent>, Vec<String>) {
        let mut state = self.state();
        (std::mem::take(&mut state.sent), state.trace.take().unwrap_or_default())
    }
}

/// What applications read, by service, and the clusters.
pub(super) fn sight(sandbox: &Sandbox) -> Value {
    let [ssm, secrets, records] = READ_FROM.map(|service| sandbox.part(service));
    json!({
        "ssm": ssm, "secretsmanager": secrets, "route53": records,
        "memorydb": sandbox.part("memorydb"),
    })
}
