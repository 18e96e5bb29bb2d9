//! `memorydb.update_cluster`: changes a cluster in place, one thing after the other.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_memorydb::types::Cluster;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::cluster::{self, LONGEST_CLUSTER_NAME, SERVICE};
use crate::aws::memorydb_arn;
use crate::engine::journal::{Resource, Role};
use crate::engine::{Class, Cx, Failure, Finding, Seen, States, Wait};
use crate::permissions::Phases;
use crate::plan::{Effect, Fault, UndoPolicy};
use crate::steps::creation;
use crate::steps::{Action, Done, Env, Need, Sketch, Step, Touch, action};
use change::{Change, Shape};

mod change;
mod preflight;

const STATES: States = States {
    pending: &["creating", "updating", "snapshotting", "modifying", SETTLING],
    success: &["available"],
    terminal: &["create-failed", "restore-failed", "incompatible-network", "deleting"],
};
/// State of the wait: available, and the change is not in effect yet.
const SETTLING: &str = "settling";

/// Changes a MemoryDB cluster: what of it is asked for, one after the other, each waited for until it is in effect.
///
/// MemoryDB takes one sort of change at a time. The order is: engine (with its parameter group), parameter group, ACL, node
/// type, shards, replicas, days that snapshots are kept. What is so already is not asked for. Clients stay connected while
/// nodes are replaced one by one; every shard fails over once for a new node type or engine. Port, TLS, subnet group and KMS
/// key cannot be changed at all.
///
/// ```yaml
/// - id: scale
///   memorydb.update_cluster: { name: prod-mdb, node_type: db.r7g.xlarge, shards: 4 }
/// ```
///
/// Undone by putting back what this step changed, in the opposite order. **An engine is never downgraded**: a new engine or
/// version stays, and the rollback says so. What somebody else has changed again since stays, too.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// The cluster's name.
    name: String,
    /// Such as `db.r7g.xlarge`; one of those that MemoryDB allows this cluster to change to.
    #[serde(default)]
    node_type: Option<String>,
    /// How many shards.
    #[serde(default)]
    shards: Option<u32>,
    /// Replicas in each shard, 0 to 5.
    #[serde(default)]
    replicas_per_shard: Option<u32>,
    /// The parameter group.
    #[serde(default)]
    parameter_group: Option<String>,
    /// The ACL whose users may enter.
    #[serde(default)]
    acl: Option<String>,
    /// `redis` or `valkey`. From Valkey there is no way back to Redis.
    #[serde(default)]
    #[schemars(extend("enum" = ["redis", "valkey", null]))]
    engine: Option<String>,
    /// Major and minor version, such as `7.3`.
    #[serde(default)]
    engine_version: Option<String>,
    /// For how many days daily snapshots are kept, 0 to 35.
    #[serde(default)]
    snapshot_retention_days: Option<u8>,
}

/// The intent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Prepared {
    name: String,
    /// As it was.
    before: Shape,
    /// What is changed, in order.
    changes: Vec<Change>,
}

/// The cluster.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// Its name, in lower case.
    name: String,
    /// Its node type.
    node_type: String,
    /// How many shards it has.
    shards: u32,
    /// Replicas of each.
    replicas_per_shard: u32,
    /// `redis` or `valkey`.
    engine: String,
    /// Major and minor version.
    engine_version: String,
    /// Its ACL.
    acl: String,
    /// Its parameter group.
    parameter_group: String,
    /// What was changed, in words.
    changed: Vec<String>,
}

/// `memorydb.update_cluster`.
pub(crate) struct UpdateCluster;

impl Step for UpdateCluster {
    const KIND: &'static str = "memorydb.update_cluster";
    const SUMMARY: &'static str =
        "change node type, shards, replicas, parameter group, ACL or engine of a MemoryDB cluster";
    const ACTIONS: &'static [Action] = &[
        action("memorydb:DescribeClusters", "cluster/{name}", Phases::ALL),
        action("memorydb:ListAllowedNodeTypeUpdates", "cluster/{name}", Phases::PLAN)
            .when("node_type")
            .helps("whether the cluster can have the node type is told by the run alone"),
        action("memorydb:UpdateCluster", "cluster/{name}", Phases::RUN_UNDO),
        // Also what is put back by an undo, whose name the plan does not know.
        action("memorydb:UpdateCluster", "acl/*", Phases::RUN_UNDO).when("acl"),
        action("memorydb:UpdateCluster", "parametergroup/*", Phases::RUN_UNDO)
            .when("parameter_group"),
        action("memorydb:DescribeEvents", "*", Phases::RUN_UNDO)
            .helps("if the service fails at it, its reason is not told"),
    ];
    const EFFECT: Effect = Effect::Mutates(UndoPolicy::Undo);
    const TIMEOUT: Duration = Duration::from_secs(6 * 3600);
    const EXPECTED: Duration = Duration::from_secs(25 * 60);

    type Spec = Spec;
    type Prepared = Prepared;
    type Output = Output;

    fn check(args: &Value) -> Vec<Fault> {
        let mut faults = creation::name_faults(args, "name", "cluster name", LONGEST_CLUSTER_NAME);
        let asked = args.as_object().map_or(0, |args| args.keys().filter(|k| *k != "name").count());
        if asked == 0 {
            faults.push(
                Fault::new("it changes nothing")
                    .mend("write what is to change, such as `shards: 4`"),
            );
        }
        if args["shards"].as_u64() == Some(0) {
            faults.push(
                Fault::new("a cluster has at least one shard")
                    .key("shards")
                    .mend("write 1 or more"),
            );
        }
        if args["replicas_per_shard"].as_u64().is_some_and(|replicas| replicas > 5) {
            let fault = Fault::new("a shard has at most five replicas").key("replicas_per_shard");
            faults.push(fault.mend("write 0 to 5"));
        }
        if args["snapshot_retention_days"].as_u64().is_some_and(|days| days > 35) {
            let fault =
                Fault::new("snapshots are kept 35 days at most").key("snapshot_retention_days");
            faults.push(fault.mend("write 0 to 35"));
        }
        if args["engine_version"].as_str().is_some_and(|version| version.split('.').count() != 2) {
            let fault =
                Fault::new("MemoryDB takes major and minor version alone").key("engine_version");
            faults.push(fault.mend("write it like \"7.3\"; MemoryDB chooses the patch"));
        }
        faults
    }

    fn sketch(args: &Value) -> Sketch {
        let name = args["name"].as_str().unwrap_or("…");
        let word = |(key, value): (&String, &Value)| {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let value = if value == "null" { "…".to_owned() } else { value };
            format!("{} {value}", key.replace('_', " "))
        };
        let words = args.as_object().into_iter().flatten().filter(|(key, _)| *key != "name");
        let words: Vec<String> = words.map(word).collect();
        let engine = args.get("engine").is_some() || args.get("engine_version").is_some();
        Sketch {
            does: format!("change MemoryDB cluster \"{name}\": {}", words.join(", ")),
            undo: Some(match engine {
                true => "put back all but the engine, which is never downgraded".to_owned(),
                false => "put it back as it was".to_owned(),
            }),
            loses: engine.then(|| "the way back to the former engine version".to_owned()),
        }
    }

    fn touches(args: &Value) -> Vec<Touch> {
        vec![Touch::changes(format!(
            "MemoryDB cluster \"{}\"",
            args["name"].as_str().unwrap_or("…")
        ))]
    }

    fn needs(args: &Value) -> Vec<Need> {
        let mut needs: Vec<Need> =
            args["name"].as_str().map(|name| Need::Cluster(name.to_owned())).into_iter().collect();
        let acl =
            args["acl"].as_str().filter(|acl| !acl.eq_ignore_ascii_case(cluster::OPEN_ACCESS));
        needs.extend(acl.map(|acl| Need::Acl(acl.to_owned())));
        let group = args["parameter_group"].as_str().filter(|g| !g.starts_with("default."));
        needs.extend(group.map(|group| Need::ParameterGroup {
            name: group.to_owned(),
            family: "memorydb_redis7".to_owned(),
        }));
        needs
    }

    async fn preflight(env: &Env, args: &Value, _cx: &Cx) -> Vec<Finding> {
        preflight::findings(env, args).await
    }

    async fn prepare(
        env: &Env,
        spec: &Spec,
        cx: &Cx,
    ) -> Result<(Prepared, Vec<Resource>), Failure> {
        let _ = cx;
        let name = creation::checked_name("cluster name", &spec.name, LONGEST_CLUSTER_NAME)?;
        let found = there(env, &name).await?;
        let before = Shape::of(&found);
        let changes = change::wanted(spec, &before)?;
        let resource = Resource {
            what: "MemoryDB cluster".to_owned(),
            arn: Some(memorydb_arn(&env.identity, "cluster", &name)),
            name: name.clone(),
            role: Role::Changes,
        };
        let resources = (!changes.is_empty()).then_some(resource).into_iter().collect();
        Ok((Prepared { name, before, changes }, resources))
    }

    async fn execute(
        env: &Env,
        _spec: &Spec,
        prepared: &Prepared,
        cx: &Cx,
    ) -> Result<Done<Output>, Failure> {
        let name = &prepared.name;
        let failed =
            |f: Failure| f.context(format!("failed to change MemoryDB cluster \"{name}\""));
        let mut called = false;
        for (index, change) in prepared.changes.iter().enumerate() {
            called |= bring(env, name, change, index, cx).await.map_err(failed)?;
        }
        let found = wait(env, name, cx, |_| true).await.map_err(failed)?;
        let output = Shape::of(&found).output(name, &prepared.changes);
        Ok(if called {
            Done::Changed(output)
        } else if asked(cx).is_empty() {
            Done::Unchanged(output)
        } else {
            Done::Adopted(output)
        })
    }

    async fn undo(
        env: &Env,
        _spec: &Spec,
        prepared: &Prepared,
        cx: &Cx,
    ) -> Result<Vec<String>, Failure> {
        let name = &prepared.name;
        let asked = asked(cx);
        let mut did = Vec::new();
        for (index, change) in prepared.changes.iter().enumerate().rev() {
            if !asked.contains(&index) {
                continue;
            }
            let Some(found) = cluster::cluster(env, name).await? else {
                cx.warn(format!("cluster \"{name}\" is gone: nothing can be put back"));
                return Ok(did);
            };
            let Some(back) = change.back(&prepared.before) else {
                cx.warn(format!(
                    "{change} of cluster \"{name}\" stays: an engine is never downgraded"
                ));
                did.push(format!("left {change} of \"{name}\": an engine is never downgraded"));
                continue;
            };
            // One that is being changed shows what it was, or what it will be; wait until it shows what it is.
            let found = match found.status().is_some_and(|s| s.eq_ignore_ascii_case("available")) {
                true => found,
                false => wait(env, name, cx, |_| true).await?,
            };
            if !change.in_effect(&found) && !back.in_effect(&found) {
                cx.warn(format!(
                    "somebody else has changed {change} of cluster \"{name}\" since; it was left"
                ));
                continue;
            }
            let index = prepared.changes.len() + index;
            if bring(env, name, &back, index, cx).await? {
                did.push(format!("put {back} of MemoryDB cluster \"{name}\" back"));
            }
        }
        Ok(did)
    }
}

/// The changes that were asked for, by their place; those of the undo are counted on.
fn asked(cx: &Cx) -> BTreeSet<usize> {
    let note = cx.noted();
    let list = note.as_ref().and_then(|note| note["asked"].as_array());
    let numbers = list.into_iter().flatten().filter_map(Value::as_u64);
    numbers.filter_map(|number| usize::try_from(number).ok()).collect()
}

async fn there(env: &Env, name: &str) -> Result<Cluster, Failure> {
    cluster::cluster(env, name).await?.ok_or_else(|| {
        Failure::new(Class::NotFound, format!("there is no MemoryDB cluster \"{name}\"")).mend(
            format!("aws memorydb describe-clusters --region {} lists them", env.identity.region),
        )
    })
}

/// Makes one change unless it is in effect, and waits until it is. Gives whether it was asked for now. That it is asked for
/// is written down first.
async fn bring(
    env: &Env,
    name: &str,
    change: &Change,
    index: usize,
    cx: &Cx,
) -> Result<bool, Failure> {
    let already = asked(cx);
    // Whatever is going on there comes to its end first: MemoryDB takes one change at a time.
    let found = wait(env, name, cx, |_| true).await?;
    let waited = creation::Waited::default();
    let found = match already.contains(&index) && change.in_effect(&found) {
        true => {
            creation::unless_lagging(cx, &waited, || there(env, name), |f| change.in_effect(f))
                .await?
        }
        false => found,
    };
    if change.in_effect(&found) {
        return Ok(false);
    }
    if !already.contains(&index) {
        let asked: BTreeSet<usize> = already.into_iter().chain([index]).collect();
        cx.note(json!({ "asked": asked })).await?;
    }
    let request = change.request(env.aws.memorydb.update_cluster().cluster_name(name));
    match env.aws.change(SERVICE, "UpdateCluster", request.send()).await {
        Ok(_) => {}
        // Asked for already: an answer was lost, or reads lag.
        Err(failure) if failure.code() == Some("NoOperationFault") => {}
        Err(failure) => return Err(explain(failure).context(format!("{change} was refused"))),
    }
    wait(env, name, cx, |found| change.in_effect(found)).await?;
    Ok(true)
}

fn explain(failure: Failure) -> Failure {
    match (failure.class, failure.code()) {
        (Class::Quota, _) => {
            failure.mend("ask for fewer nodes, or have the quota raised (Service Quotas, MemoryDB)")
        }
        (Class::Capacity, _) => failure
            .mend("AWS has no free nodes of this type now: wait, or choose another node type"),
        (_, Some("ParameterGroupNotFoundFault")) => {
            failure.mend("make it first: `memorydb.create_parameter_group`")
        }
        (_, Some("ACLNotFoundFault")) => failure.mend("make it first: `memorydb.create_acl`"),
        _ => failure,
    }
}

async fn wait(
    env: &Env,
    name: &str,
    cx: &Cx,
    done: impl Fn(&Cluster) -> bool,
) -> Result<Cluster, Failure> {
    let wait = Wait {
        subject: format!("cluster \"{name}\""),
        service: SERVICE,
        states: STATES,
        expected: Duration::from_secs(15 * 60),
    };
    let last = RefCell::new(None);
    let ticket = env.clusters.join();
    let look = || async {
        let Some(found) = cluster::waited_cluster(env, cx, &ticket, name).await? else {
            return Ok(Seen::gone());
        };
        let seen = seen(&found, &done);
        last.replace(Some(found));
        Ok(seen)
    };
    let why = || async { cluster::reason(env, name).await };
    cx.wait(&wait, look, why).await?;
    last.into_inner().ok_or_else(|| Failure::fatal("the wait for the cluster ended without a look"))
}

/// `available` counts only when nothing is being applied, and the change shows.
fn seen(found: &Cluster, done: &impl Fn(&Cluster) -> bool) -> Seen {
    let status = found.status().unwrap_or("unknown").to_ascii_lowercase();
    if status != "available" {
        let moved =
            found.pending_updates().and_then(|pending| pending.resharding()?.slot_migration()).map(
                |migration| format!("{:.0} % of the slots moved", migration.progress_percentage()),
            );
        return Seen { state: status, detail: moved };
    }
    let pending = found.pending_updates();
    let parameters = found
        .parameter_group_status()
        .filter(|s| !["in-sync", "active"].iter().any(|done| s.eq_ignore_ascii_case(done)));
    let open = if pending.is_some_and(|p| p.acls().is_some_and(|a| a.acl_to_apply().is_some())) {
        Some("ACL being applied".to_owned())
    } else if pending.is_some_and(|p| p.resharding().is_some()) {
        Some("slots being moved".to_owned())
    } else if let Some(status) = parameters {
        Some(format!("parameters {status}"))
    } else if done(found) {
        None
    } else {
        Some("the change does not show yet".to_owned())
    };
    match open {
        None => Seen::state("available"),
        Some(detail) => Seen { state: SETTLING.to_owned(), detail: Some(detail) },
    }
}

#[cfg(test)]
mod tests;
