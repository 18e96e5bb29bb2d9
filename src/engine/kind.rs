//! What the engine needs of a step kind. Typed kinds live in `steps`; here their data is JSON.

use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;
use serde_json::Value;

use super::cx::Cx;
use super::failure::Failure;
use super::journal::{Change, Resource};

/// What `prepare` learned: durable before `execute` may change anything.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The intent and all that the undo needs.
    pub value: Value,
    /// What will be touched, for status and reports.
    pub resources: Vec<Resource>,
}

/// How `execute` ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Done.
    Done {
        /// What it did to the world.
        change: Change,
        /// What later steps may refer to.
        output: Value,
    },
    /// A person must answer first; the run rests.
    Ask {
        /// What they are asked.
        question: String,
    },
}

/// What reading tells about a step before anything runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing stands against it.
    Ok,
    /// It cannot be known by reading.
    CannotKnow,
    /// The step would fail.
    WillFail,
}

/// One check made before anything runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it means.
    pub verdict: Verdict,
    /// What was looked at and what was seen.
    pub what: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mend: Option<String>,
}

impl Finding {
    /// Nothing stands against the step here.
    pub fn ok(what: impl Into<String>) -> Self {
        Self { verdict: Verdict::Ok, what: what.into(), mend: None }
    }

    /// The step would fail.
    pub fn will_fail(what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { verdict: Verdict::WillFail, what: what.into(), mend: Some(mend.into()) }
    }

    /// It could not be read.
    pub fn cannot_know(what: impl Into<String>) -> Self {
        Self { verdict: Verdict::CannotKnow, what: what.into(), mend: None }
    }
}

/// A step kind, with its arguments, intent and output as JSON.
#[async_trait(?Send)]
pub trait Kind {
    /// How long one run of the step may take unless the playbook says otherwise.
    fn timeout(&self) -> Duration;

    /// How long it usually takes.
    fn expected(&self) -> Duration;

    /// Read-only checks, before anything runs. References to outputs of earlier steps are `null` in `args`.
    async fn preflight(&self, args: &Value, cx: &Cx) -> Vec<Finding>;

    /// Read-only: decides names, records what undo will need.
    async fn prepare(&self, args: &Value, cx: &Cx) -> Result<Prepared, Failure>;

    /// Carries the intent out. Idempotent: looks for its own earlier work first and takes it.
    async fn execute(&self, args: &Value, prepared: &Value, cx: &Cx) -> Result<Outcome, Failure>;

    /// Undoes it. Idempotent; touches only what this run made. Says what it did, a sentence each.
    async fn undo(&self, args: &Value, prepared: &Value, cx: &Cx) -> Result<Vec<String>, Failure>;
}

/// All step kinds of this program.
pub trait Kinds {
    /// The kind of that name.
    fn kind(&self, name: &str) -> Option<&dyn Kind>;
}
