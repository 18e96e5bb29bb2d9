//! What the engine needs of a step kind. Typed kinds live in `steps`; here their data is JSON.

use std::borrow::Cow;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::cx::Cx;
use super::failure::{Class, Failure};
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Which check: a stable name such as "source.state".
    pub check: Cow<'static, str>,
    /// What it means.
    pub verdict: Verdict,
    /// What was looked at and what was seen.
    pub what: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mend: Option<String>,
    /// The facts the plan rests on here, by name. A saved plan is refused when one of them has changed, so they hold
    /// nothing that changes by itself: no sizes, counts or times.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub seen: Map<String, Value>,
    /// How much longer the step takes by what was seen here than its arguments tell, in seconds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub adds_secs: u64,
}

// The form is serde's.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(secs: &u64) -> bool {
    *secs == 0
}

impl Finding {
    fn new(verdict: Verdict, check: &'static str, what: impl Into<String>) -> Self {
        let (check, what) = (Cow::Borrowed(check), what.into());
        Self { check, verdict, what, mend: None, seen: Map::new(), adds_secs: 0 }
    }

    /// Nothing stands against the step here.
    pub fn ok(check: &'static str, what: impl Into<String>) -> Self {
        Self::new(Verdict::Ok, check, what)
    }

    /// The step would fail.
    pub fn will_fail(
        check: &'static str,
        what: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self::new(Verdict::WillFail, check, what).mend(mend)
    }

    /// It could not be read.
    pub fn cannot_know(check: &'static str, what: impl Into<String>) -> Self {
        Self::new(Verdict::CannotKnow, check, what)
    }

    /// What a failed read, or a rule that the step itself would keep, means: a fault that may pass, or a right that is
    /// missing for the look alone, says nothing about the step.
    #[must_use]
    pub fn of(check: &'static str, failure: &Failure) -> Self {
        let unread = failure.class.may_pass() || failure.class == Class::Denied;
        let verdict = if unread { Verdict::CannotKnow } else { Verdict::WillFail };
        let mut finding = Self::new(verdict, check, failure.to_string());
        finding.mend.clone_from(&failure.mend);
        finding
    }

    /// Says what to do about it; nothing, if there is nothing to say.
    #[must_use]
    pub fn mend(mut self, mend: impl Into<String>) -> Self {
        self.mend = Some(mend.into()).filter(|mend| !mend.is_empty());
        self
    }

    /// Says that the step takes so much longer than its arguments tell.
    #[must_use]
    pub fn adds(mut self, longer: Duration) -> Self {
        self.adds_secs = longer.as_secs();
        self
    }

    /// Keeps a fact that the plan rests on.
    #[must_use]
    pub fn seen(mut self, name: &str, fact: impl Into<Value>) -> Self {
        self.seen.insert(name.to_owned(), fact.into());
        self
    }
}

/// What a step may know of the plan around it while it only reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Around {
    /// The steps whose outputs this step's arguments come from, also by way of others; nearest first.
    pub upstream: Vec<Upstream>,
    /// The steps that draw on this one likewise.
    pub downstream: Vec<Upstream>,
    /// How long after the run's start this step begins, by what steps usually take.
    pub begins_after: Duration,
    /// How long the whole run usually takes.
    pub run_takes: Duration,
    /// How long this step may take before it gives up.
    pub may_take: Option<Duration>,
}

/// A step that another one draws on, or that draws on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// Its id.
    pub step: String,
    /// Its kind.
    pub kind: String,
    /// Its arguments, with `null` where only the run knows.
    pub args: Value,
}

impl Around {
    /// The arguments of the nearest upstream step of a kind.
    #[must_use]
    pub fn upstream(&self, kind: &str) -> Option<&Upstream> {
        self.upstream.iter().find(|step| step.kind == kind)
    }

    /// The first step of a kind that draws on this one.
    #[must_use]
    pub fn downstream(&self, kind: &str) -> Option<&Upstream> {
        self.downstream.iter().find(|step| step.kind == kind)
    }
}

/// A step kind, with its arguments, intent and output as JSON.
#[async_trait(?Send)]
pub trait Kind {
    /// How long one run of the step may take unless the playbook says otherwise.
    fn timeout(&self) -> Duration;

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
