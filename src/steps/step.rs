//! The one shape of a step kind, and its erasure to what the engine runs.

use std::marker::PhantomData;
use std::rc::Rc;
use std::time::Duration;

use async_trait::async_trait;
use schemars::{JsonSchema, generate::SchemaSettings};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::env::Env;
use super::need::Need;
use crate::cost::CostEffect;
use crate::engine::journal::{Change, Resource, Role};
use crate::engine::{Cx, Failure, Finding, Kind, Outcome, Prepared};
use crate::permissions::{self, Action, Foreseen, Guest};
use crate::plan::{Effect, Fault, KindInfo};

/// How `Step::execute` ended.
#[derive(Clone, Debug)]
pub enum Done<T> {
    /// Something was changed now.
    Changed(T),
    /// This run's own earlier work was found and taken.
    Adopted(T),
    /// Nothing had to change.
    Unchanged(T),
    /// A person must answer first.
    Ask(String),
}

/// What a step does, for the plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sketch {
    /// One sentence without a period: `create snapshot "orc-…" of replication group "prod"`.
    pub does: String,
    /// How a rollback undoes it, likewise.
    pub undo: Option<String>,
    /// What is lost, or given up, by this step, in plain words.
    pub loses: Option<String>,
}

/// Something a step creates, changes or deletes, before its exact name is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Touch {
    /// What happens to it.
    pub role: Role,
    /// What it is, in the service's words, with its name as far as it is known: `MemoryDB cluster "prod-mdb"`.
    pub what: String,
}

impl Touch {
    /// Something that is created.
    pub fn creates(what: impl Into<String>) -> Self {
        Self { role: Role::Creates, what: what.into() }
    }

    /// Something that is changed.
    pub fn changes(what: impl Into<String>) -> Self {
        Self { role: Role::Changes, what: what.into() }
    }

    /// Something that is deleted.
    pub fn deletes(what: impl Into<String>) -> Self {
        Self { role: Role::Deletes, what: what.into() }
    }
}

/// The data that a plan moves, as far as reading its source told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cargo {
    /// Its size in RDB files.
    pub bytes: Option<u64>,
    /// How many files: one for each shard of the source.
    pub files: u32,
}

/// A step kind. The doc comment of its `Spec` is the user documentation.
///
/// Everything the engine relies on: `prepare` only reads; what it returns is durable before `execute`; `execute` and
/// `undo` are idempotent, begin by looking, and touch only what this run made or what `prepare` recorded.
#[allow(async_fn_in_trait, reason = "runs on one thread; no Send bound is wanted")]
pub trait Step: 'static {
    /// The key in a playbook: "elasticache.create_snapshot".
    const KIND: &'static str;
    /// One line for lists.
    const SUMMARY: &'static str;
    /// Every permission any method may need, and no other: a test runs each kind with exactly these, and without each.
    const ACTIONS: &'static [Action];
    /// What its outputs will look like: the permissions of later steps that refer to them are as narrow as these.
    const OUTPUTS: &'static [Foreseen] = &[];
    /// The services it lets reach into a bucket.
    const GUESTS: &'static [Guest] = &[];
    /// What it does to the world and how that is undone.
    const EFFECT: Effect;
    /// How long it may take unless the playbook says otherwise.
    const TIMEOUT: Duration;
    /// How long it usually takes, whatever its arguments.
    const EXPECTED: Duration;
    /// Whether it takes the copy of the data that later goes live.
    const COPIES_DATA: bool = false;
    /// Whether the source takes no more writes after it.
    const STOPS_WRITES: bool = false;
    /// Whether the source takes writes again after it.
    const RESUMES_WRITES: bool = false;
    /// The argument by which a playbook accepts by name that writes after the copy are lost.
    const ACCEPTS_LOSS: Option<&'static str> = None;

    /// The arguments. Its doc comment is the kind's documentation; each field's doc comment is shown too.
    type Spec: DeserializeOwned + JsonSchema;
    /// The intent, and all that the undo needs. Never holds a secret.
    type Prepared: Serialize + DeserializeOwned;
    /// What later steps may refer to. Never holds a secret.
    type Output: Serialize + JsonSchema;

    /// The rules that the schema of `Spec` cannot say, for `validate`. `args` fit the schema, but hold `null` where a
    /// value is not known yet: nothing is said of that.
    fn check(args: &Value) -> Vec<Fault> {
        let _ = args;
        Vec::new()
    }

    /// What it does, for the plan. `args` may hold `null` where an output of an earlier step is referred to.
    fn sketch(args: &Value) -> Sketch;

    /// How long it usually takes with these arguments. `args` as in `sketch`.
    fn takes(args: &Value) -> Duration {
        let _ = args;
        Self::EXPECTED
    }

    /// What it creates, changes or deletes, for the plan. `args` as in `sketch`. A kind that changes nothing has none.
    fn touches(args: &Value) -> Vec<Touch> {
        let _ = args;
        Vec::new()
    }

    /// What it does to the bill. `args` as in `sketch`.
    fn costs(args: &Value, cargo: Cargo) -> Vec<CostEffect> {
        let _ = (args, cargo);
        Vec::new()
    }

    /// What must exist for it, so that the sandbox can provide it. `args` as in `sketch`.
    fn needs(args: &Value) -> Vec<Need> {
        let _ = args;
        Vec::new()
    }

    /// Read-only checks before anything runs. `args` as in `sketch`.
    async fn preflight(env: &Env, args: &Value, cx: &Cx) -> Vec<Finding> {
        let _ = (env, args, cx);
        Vec::new()
    }

    /// Read-only: decides names, checks they are free or this run's own, records what undo needs.
    ///
    /// # Errors
    /// If the step cannot be carried out; nothing has been changed then.
    async fn prepare(
        env: &Env,
        spec: &Self::Spec,
        cx: &Cx,
    ) -> Result<(Self::Prepared, Vec<Resource>), Failure>;

    /// Carries the intent out, and waits until it is done.
    ///
    /// # Errors
    /// A passing class makes the engine call it again; anything else fails the step.
    async fn execute(
        env: &Env,
        spec: &Self::Spec,
        prepared: &Self::Prepared,
        cx: &Cx,
    ) -> Result<Done<Self::Output>, Failure>;

    /// Undoes what `execute` did, as far as it got. Says what it did, a sentence each; nothing if there was nothing.
    ///
    /// # Errors
    /// As `execute`.
    async fn undo(
        env: &Env,
        spec: &Self::Spec,
        prepared: &Self::Prepared,
        cx: &Cx,
    ) -> Result<Vec<String>, Failure> {
        let _ = (env, spec, prepared, cx);
        Ok(Vec::new())
    }
}

/// What the program knows of a kind without running it.
#[derive(Clone, Debug)]
pub struct About {
    /// What the plan needs.
    pub info: KindInfo,
    /// What it declares of permissions.
    pub permissions: permissions::Kind,
    /// How long it may take, unless the playbook says otherwise.
    pub timeout: Duration,
    /// How long it usually takes.
    pub expected: Duration,
    /// How long it usually takes with these arguments.
    pub takes: fn(&Value) -> Duration,
    /// What it does, for the plan.
    pub sketch: fn(&Value) -> Sketch,
    /// What it creates, changes or deletes.
    pub touches: fn(&Value) -> Vec<Touch>,
    /// What it does to the bill.
    pub costs: fn(&Value, Cargo) -> Vec<CostEffect>,
    /// What must exist for it.
    pub needs: fn(&Value) -> Vec<Need>,
}

/// What there is to know about a kind.
#[must_use]
pub fn about<S: Step>() -> About {
    let spec_schema = schema::<S::Spec>();
    let docs = spec_schema.get("description").and_then(Value::as_str).unwrap_or_default();
    About {
        info: KindInfo {
            name: S::KIND,
            summary: S::SUMMARY.into(),
            docs: docs.to_owned().into(),
            output_schema: schema::<S::Output>(),
            effect: S::EFFECT,
            copies_data: S::COPIES_DATA,
            stops_writes: S::STOPS_WRITES,
            resumes_writes: S::RESUMES_WRITES,
            accepts_loss: S::ACCEPTS_LOSS.map(Into::into),
            spec_schema,
            check: S::check,
        },
        permissions: permissions::Kind {
            actions: S::ACTIONS,
            outputs: S::OUTPUTS,
            guests: S::GUESTS,
        },
        timeout: S::TIMEOUT,
        expected: S::EXPECTED,
        takes: S::takes,
        sketch: S::sketch,
        touches: S::touches,
        costs: S::costs,
        needs: S::needs,
    }
}

/// A rule that `prepare` keeps, too, as `check` tells it.
impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        Self { message: failure.to_string(), mend: failure.mend, ..Self::default() }
    }
}

pub(super) fn schema<T: JsonSchema>() -> Value {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>().to_value()
}

/// A kind with its types erased.
pub(super) struct Erased<S> {
    env: Rc<Env>,
    step: PhantomData<S>,
}

impl<S: Step> Erased<S> {
    pub(super) fn boxed(env: Rc<Env>) -> Box<dyn Kind> {
        Box::new(Self { env, step: PhantomData })
    }

    fn spec(args: &Value) -> Result<S::Spec, Failure> {
        serde_json::from_value(args.clone()).map_err(|error| {
            Failure::fatal(format!("the arguments of {} do not fit", S::KIND))
                .because(error.to_string())
        })
    }

    fn prepared(value: &Value) -> Result<S::Prepared, Failure> {
        serde_json::from_value(value.clone()).map_err(|error| {
            Failure::fatal(format!("the recorded intent of {} does not read back", S::KIND))
                .because(error.to_string())
                .mend("go on with the version of orchestrate that began this run")
        })
    }
}

fn json(value: impl Serialize, what: &str) -> Result<Value, Failure> {
    serde_json::to_value(value)
        .map_err(|error| Failure::fatal(format!("{what} is not JSON")).because(error.to_string()))
}

#[async_trait(?Send)]
impl<S: Step> Kind for Erased<S> {
    fn timeout(&self) -> Duration {
        S::TIMEOUT
    }

    async fn preflight(&self, args: &Value, cx: &Cx) -> Vec<Finding> {
        S::preflight(&self.env, args, cx).await
    }

    async fn prepare(&self, args: &Value, cx: &Cx) -> Result<Prepared, Failure> {
        let (prepared, resources) = S::prepare(&self.env, &Self::spec(args)?, cx).await?;
        Ok(Prepared { value: json(prepared, "the intent")?, resources })
    }

    async fn execute(&self, args: &Value, prepared: &Value, cx: &Cx) -> Result<Outcome, Failure> {
        let (spec, prepared) = (Self::spec(args)?, Self::prepared(prepared)?);
        let (change, output) = match S::execute(&self.env, &spec, &prepared, cx).await? {
            Done::Changed(output) => (Change::Changed, output),
            Done::Adopted(output) => (Change::Adopted, output),
            Done::Unchanged(output) => (Change::Unchanged, output),
            Done::Ask(question) => return Ok(Outcome::Ask { question }),
        };
        Ok(Outcome::Done { change, output: json(output, "the output")? })
    }

    async fn undo(&self, args: &Value, prepared: &Value, cx: &Cx) -> Result<Vec<String>, Failure> {
        S::undo(&self.env, &Self::spec(args)?, &Self::prepared(prepared)?, cx).await
    }
}
