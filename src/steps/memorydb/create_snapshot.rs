//! `memorydb.create_snapshot`: a manual snapshot of a cluster.

use std::cell::RefCell;
use std::time::Duration;

use aws_sdk_memorydb::types::{Snapshot, Tag};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::cluster::{self, LONGEST_SNAPSHOT_NAME, SERVICE};
use super::snapshots::{self, snapshot};
use crate::aws::memorydb_arn;
use crate::cost::CostEffect;
use crate::engine::journal::{Resource, Role};
use crate::engine::{Class, Cx, Failure, Finding, Seen, States, Wait};
use crate::permissions::{Foreseen, Phases};
use crate::plan::{Effect, Fault, UndoPolicy};
use crate::steps::creation::{self, Call};
use crate::steps::exports::Shown;
use crate::steps::{Action, Cargo, Done, Env, Need, Sketch, Step, Touch, action, ownership};

/// As for ElastiCache: no figures are published.
const EXPECTED: Duration = Duration::from_secs(8 * 60);
/// Snapshot status: creating, available, restoring, copying, deleting (MemoryDB API reference, Snapshot).
const STATES: States = States {
    pending: &["creating", "copying", "restoring", "exporting"],
    success: &["available"],
    terminal: &["failed", "deleting"],
};

/// The snapshot that is made, in permissions; without `name` its name begins with the run's.
const MADE: &str = "snapshot/{name|orc-*-snapshot*}";

/// Takes a manual snapshot of a MemoryDB cluster and waits until it is available.
///
/// Each shard is snapshotted at its own instant (`created_at`). While it is taken the cluster is `snapshotting`, and AWS
/// takes no other call on it. AWS allows 20 manual snapshots of a cluster in 24 hours. A manual snapshot is kept until
/// somebody deletes it, for example with `memorydb.delete_snapshot`.
///
/// Undone by deleting the snapshot, if it is this run's own.
///
/// ```yaml
/// - id: snapshot
///   memorydb.create_snapshot: { cluster: prod-mdb }
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// The cluster to snapshot.
    pub(crate) cluster: String,
    /// The snapshot's name; `orc-<run>-snapshot` if left out. Letters, digits and hyphens.
    #[serde(default)]
    pub(crate) name: Option<String>,
}

impl Spec {
    /// A snapshot of a cluster, named after the run.
    pub(crate) fn of(cluster: &str) -> Self {
        Self { cluster: cluster.to_owned(), name: None }
    }
}

/// The intent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Prepared {
    name: String,
    arn: String,
    cluster: String,
}

/// The snapshot.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// Its name, in lower case.
    pub(crate) name: String,
    /// Its ARN.
    pub(crate) arn: String,
    /// How many shards it has.
    pub(crate) shards: u32,
    /// `redis` or `valkey`.
    pub(crate) engine: String,
    /// Major and minor version.
    pub(crate) engine_version: String,
    /// Its size as AWS rounds it; 0 if AWS does not say.
    pub(crate) bytes: u64,
    /// The instant of each shard's snapshot. Later writes are not in it.
    pub(crate) created_at: Vec<String>,
}

/// `memorydb.create_snapshot`.
pub(crate) struct CreateSnapshot;

impl Step for CreateSnapshot {
    const KIND: &'static str = "memorydb.create_snapshot";
    const SUMMARY: &'static str = "take a manual snapshot of a MemoryDB cluster";
    const ACTIONS: &'static [Action] = &[
        action("memorydb:DescribeClusters", "cluster/{cluster}", Phases::PLAN_RUN),
        action("memorydb:DescribeSnapshots", MADE, Phases::ALL),
        action("memorydb:ListTags", MADE, Phases::RUN_UNDO),
        // Of the cluster and of the snapshot's own ARN (service authorization reference, CreateSnapshot).
        action("memorydb:CreateSnapshot", "cluster/{cluster}", Phases::RUN),
        action("memorydb:CreateSnapshot", MADE, Phases::RUN),
        action("memorydb:TagResource", MADE, Phases::RUN),
        action("memorydb:DescribeEvents", "*", Phases::RUN)
            .helps("if the service fails at it, its reason is not told"),
        action("memorydb:DeleteSnapshot", MADE, Phases::UNDO),
    ];
    const OUTPUTS: &'static [Foreseen] = &[("name", "{name:lower|orc-*-snapshot*}")];
    const EFFECT: Effect = Effect::Mutates(UndoPolicy::Undo);
    const TIMEOUT: Duration = Duration::from_secs(4 * 3600);
    const EXPECTED: Duration = EXPECTED;

    type Spec = Spec;
    type Prepared = Prepared;
    type Output = Output;

    fn check(args: &Value) -> Vec<Fault> {
        let mut faults =
            creation::name_faults(args, "name", "snapshot name", LONGEST_SNAPSHOT_NAME);
        faults.extend(creation::empty_fault(args, "cluster"));
        faults
    }

    fn sketch(args: &Value) -> Sketch {
        let cluster = args["cluster"].as_str().unwrap_or("…");
        let name = args["name"].as_str().map_or_else(
            || "a snapshot".to_owned(),
            |name| format!("snapshot \"{}\"", name.to_ascii_lowercase()),
        );
        Sketch {
            does: format!("take {name} of MemoryDB cluster \"{cluster}\""),
            undo: Some("delete the snapshot".to_owned()),
            loses: None,
        }
    }

    fn touches(args: &Value) -> Vec<Touch> {
        let name = args["name"].as_str().map_or_else(
            || "(its name comes from the run)".to_owned(),
            |name| format!("\"{}\"", name.to_ascii_lowercase()),
        );
        vec![Touch::creates(format!("MemoryDB snapshot {name}"))]
    }

    fn costs(_args: &Value, _cargo: Cargo) -> Vec<CostEffect> {
        // Snapshots up to the size of the cluster are free (MemoryDB pricing).
        Vec::new()
    }

    fn needs(args: &Value) -> Vec<Need> {
        args["cluster"].as_str().map(|c| Need::Cluster(c.to_owned())).into_iter().collect()
    }

    async fn preflight(env: &Env, args: &Value, _cx: &Cx) -> Vec<Finding> {
        let Some(name) = args["cluster"].as_str() else {
            return vec![Finding::cannot_know("source.state", "the cluster is not known yet")];
        };
        let mut findings = vec![match at_rest(env, name).await {
            Ok(()) => {
                Finding::ok("source.state", format!("MemoryDB cluster \"{name}\" is available"))
            }
            Err(failure) => Finding::of("source.state", &failure),
        }];
        if let Some(name) = args["name"].as_str() {
            findings.push(match snapshot(env, &name.to_ascii_lowercase()).await {
                Ok(None) => {
                    Finding::ok("snapshot.name", format!("no snapshot is called \"{name}\" yet"))
                }
                Ok(Some(_)) => Finding::will_fail(
                    "snapshot.name",
                    format!("a MemoryDB snapshot \"{name}\" exists already"),
                    "choose another `name`, or leave it out",
                ),
                Err(failure) => Finding::cannot_know("snapshot.name", failure.to_string()),
            });
        }
        findings
    }

    async fn prepare(
        env: &Env,
        spec: &Spec,
        cx: &Cx,
    ) -> Result<(Prepared, Vec<Resource>), Failure> {
        let name = match &spec.name {
            Some(name) => creation::checked_name("snapshot name", name, LONGEST_SNAPSHOT_NAME)?,
            None => creation::default_name(cx, "snapshot", LONGEST_SNAPSHOT_NAME),
        };
        at_rest(env, &spec.cluster).await?;
        let arn = memorydb_arn(&env.identity, "snapshot", &name);
        let cluster = spec.cluster.to_ascii_lowercase();
        let prepared = Prepared { name: name.clone(), arn: arn.clone(), cluster };
        if let Some(found) = snapshot(env, &name).await? {
            ours_or_fail(env, cx, &prepared, &found).await?;
        }
        let what = "MemoryDB snapshot".to_owned();
        Ok((prepared, vec![Resource { what, name, arn: Some(arn), role: Role::Creates }]))
    }

    async fn execute(
        env: &Env,
        _spec: &Spec,
        prepared: &Prepared,
        cx: &Cx,
    ) -> Result<Done<Output>, Failure> {
        let what = format!(
            "failed to create snapshot \"{}\" of MemoryDB cluster \"{}\"",
            prepared.name, prepared.cluster
        );
        let adopted = match snapshot(env, &prepared.name).await? {
            Some(found) => {
                ours_or_fail(env, cx, prepared, &found).await?;
                true
            }
            None => {
                create(env, prepared, cx).await.map_err(|f| explain(f).context(what.clone()))?
            }
        };
        let found = wait_available(env, prepared, cx).await.map_err(|f| f.context(what))?;
        let shown = Shown::from(&found);
        let output = Output {
            name: prepared.name.clone(),
            arn: prepared.arn.clone(),
            shards: u32::try_from(shown.shards.len()).unwrap_or(u32::MAX),
            engine: shown.engine,
            engine_version: shown.engine_version,
            bytes: shown.bytes,
            created_at: shown.taken_at,
        };
        Ok(if adopted { Done::Adopted(output) } else { Done::Changed(output) })
    }

    async fn undo(
        env: &Env,
        _spec: &Spec,
        prepared: &Prepared,
        cx: &Cx,
    ) -> Result<Vec<String>, Failure> {
        if creation::call_state(cx) == Call::Never {
            return Ok(Vec::new());
        }
        let look = || snapshot(env, &prepared.name);
        let Some(found) = creation::look_for_made(cx, look).await? else { return Ok(Vec::new()) };
        if found.status().unwrap_or_default() != "deleting" {
            if !cluster::is_ours(env, cx, &prepared.arn).await? {
                cx.warn(format!("snapshot \"{}\" is not this run's; it was left", prepared.name));
                return Ok(Vec::new());
            }
            snapshots::delete(env, &prepared.name).await?;
        }
        snapshots::wait_gone(env, cx, &prepared.name).await?;
        creation::note_call(cx, Call::Over).await?;
        Ok(vec![format!("deleted snapshot \"{}\"", prepared.name)])
    }
}

/// That the cluster can be snapshotted now.
pub(in crate::steps) async fn at_rest(env: &Env, name: &str) -> Result<(), Failure> {
    let found = cluster::cluster(env, &name.to_ascii_lowercase()).await?.ok_or_else(|| {
        Failure::new(
            Class::NotFound,
            format!(
                "there is no MemoryDB cluster \"{name}\" in {} of account {}",
                env.identity.region, env.identity.account
            ),
        )
        .mend("check the name, the region and the account; `aws memorydb describe-clusters` lists them")
    })?;
    if found.data_tiering().is_some_and(|t| t.as_str() == "true") {
        return Err(Failure::fatal(format!("MemoryDB cluster \"{name}\" uses data tiering"))
            .because("MemoryDB cannot export snapshots of clusters with data tiering")
            .mend("copy the data online instead, for example with RIOT or RedisShake"));
    }
    match found.status().unwrap_or("unknown").to_ascii_lowercase().as_str() {
        "available" => Ok(()),
        status @ ("create-failed" | "restore-failed" | "deleting") => Err(Failure::fatal(format!(
            "MemoryDB cluster \"{name}\" is {status}; there is nothing to snapshot"
        ))
        .mend("name another cluster in the playbook; `aws memorydb describe-clusters` lists them")),
        status => Err(Failure::new(
            Class::Busy,
            format!(
                "MemoryDB cluster \"{name}\" is {status}; it can be snapshotted when it is available"
            ),
        )
        .mend("wait until it is available; the run waits for it, too")),
    }
}

async fn ours_or_fail(
    env: &Env,
    cx: &Cx,
    prepared: &Prepared,
    found: &Snapshot,
) -> Result<(), Failure> {
    if cluster::is_ours(env, cx, &prepared.arn).await? {
        return Ok(());
    }
    let of = found.cluster_configuration().and_then(|of| of.name()).unwrap_or("something else");
    let mut differences = Vec::new();
    if !of.eq_ignore_ascii_case(&prepared.cluster) {
        differences.push(format!("it is a snapshot of {of}, not of {}", prepared.cluster));
    }
    Err(ownership::not_ours(&format!("MemoryDB snapshot \"{}\"", prepared.name), &differences))
}

/// Creates it. Gives whether an earlier call had done so already.
async fn create(env: &Env, prepared: &Prepared, cx: &Cx) -> Result<bool, Failure> {
    let mut request = env
        .aws
        .memorydb
        .create_snapshot()
        .cluster_name(&prepared.cluster)
        .snapshot_name(&prepared.name);
    for (key, value) in ownership::tags(cx) {
        request = request.tags(Tag::builder().key(key).value(value).build());
    }
    match creation::ask(cx, env.aws.change(SERVICE, "CreateSnapshot", request.send())).await {
        Ok(_) => Ok(false),
        Err(failure) if failure.class == Class::Conflict => {
            match creation::until_visible(cx, || snapshot(env, &prepared.name)).await? {
                Some(found) => {
                    ours_or_fail(env, cx, prepared, &found).await?;
                    Ok(true)
                }
                None => Err(failure),
            }
        }
        Err(failure) => Err(failure),
    }
}

fn explain(failure: Failure) -> Failure {
    match failure.class {
        Class::Quota => failure
            .mend("AWS allows 20 manual snapshots of a cluster in 24 hours: wait, or use an automatic one"),
        Class::Denied => failure.mend(
            "allow memorydb:CreateSnapshot on the cluster and on the snapshot's own ARN, and memorydb:TagResource on \
             the snapshot",
        ),
        _ => failure,
    }
}

async fn wait_available(env: &Env, prepared: &Prepared, cx: &Cx) -> Result<Snapshot, Failure> {
    let wait = Wait {
        subject: format!("snapshot \"{}\"", prepared.name),
        service: SERVICE,
        states: STATES,
        expected: EXPECTED,
    };
    let last = RefCell::new(None);
    let ticket = env.memorydb_snapshots.join();
    let look = || async {
        let found = snapshots::waited_snapshot(env, cx, &ticket, &prepared.name).await?;
        let Some(found) = found else { return Ok(Seen::gone()) };
        creation::note_call(cx, Call::Taken).await?;
        let seen = Seen::state(found.status().unwrap_or("unknown"));
        last.replace(Some(found));
        Ok(seen)
    };
    cx.wait(&wait, look, || cluster::reason(env, &prepared.cluster)).await?;
    last.into_inner()
        .ok_or_else(|| Failure::fatal("the snapshot was available and is not any more"))
}
