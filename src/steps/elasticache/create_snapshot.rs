//! `elasticache.create_snapshot`: a manual snapshot of a replication group.

use std::cell::RefCell;
use std::time::Duration;

use aws_sdk_elasticache::types::{ReplicationGroup, Snapshot, Tag};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::look::{self, LONGEST_SNAPSHOT_NAME, SERVICE};
use super::source_checks;
use crate::aws::elasticache_arn;
use crate::cost::CostEffect;
use crate::engine::journal::{Resource, Role};
use crate::engine::{Class, Cx, Failure, Finding, Seen, States, Wait};
use crate::permissions::{Foreseen, Phases};
use crate::plan::{Effect, Fault, UndoPolicy};
use crate::steps::creation::{self, Call};
use crate::steps::{Action, Cargo, Done, Env, Need, Sketch, Step, Touch, action, ownership};

/// Between the first call and `available`: snapshots of a few GB take minutes (no figures are published).
const EXPECTED: Duration = Duration::from_secs(8 * 60);
/// SnapshotStatus: creating, available, restoring, copying, deleting (ElastiCache API reference, Snapshot); "failed" is
/// in the user guide's list of notifications alone.
const STATES: States = States {
    pending: &["creating", "copying", "restoring", "exporting"],
    success: &["available"],
    terminal: &["failed", "deleting"],
};
const GONE_STATES: States = States {
    pending: &["deleting", "available", "failed"],
    success: &[crate::engine::GONE],
    terminal: &[],
};

/// The snapshot that is made, in permissions; without `name` its name begins with the run's.
const MADE: &str = "snapshot:{name|orc-*-snapshot*}";

/// Takes a manual snapshot of a replication group and waits until it is available.
///
/// With cluster mode on the whole group is taken. With cluster mode off one node is: a replica where there is one, so
/// that the primary is spared; `prefer_node` chooses another.
///
/// Each shard is snapshotted at its own instant (`created_at`), and **writes made after that instant are not in the
/// snapshot**. Stop the writers first, for example with `elasticache.freeze_writes`.
///
/// While the snapshot is taken the group is `snapshotting`, and AWS takes no other call on it. AWS allows 20 manual
/// snapshots of a node, or of a group in cluster mode, in 24 hours. A group with data tiering (`cache.r6gd`) is
/// refused, since its snapshots cannot be exported.
///
/// Undone by deleting the snapshot, if it is this run's own.
///
/// ```yaml
/// - id: snapshot
///   elasticache.create_snapshot: { replication_group: prod }
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// The replication group to snapshot.
    pub(crate) replication_group: String,
    /// The snapshot's name; `orc-<run>-snapshot` if left out. At most 40 letters, digits and hyphens.
    #[serde(default)]
    pub(crate) name: Option<String>,
    /// With cluster mode off: the node to snapshot, such as `prod-002`.
    #[serde(default)]
    pub(crate) prefer_node: Option<String>,
}

impl Spec {
    /// A snapshot of a replication group, named after the run.
    pub(crate) fn of(group: &str) -> Self {
        Self { replication_group: group.to_owned(), name: None, prefer_node: None }
    }
}

/// The intent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Prepared {
    name: String,
    arn: String,
    group: String,
    /// The node to snapshot; none with cluster mode on.
    node: Option<String>,
    /// Where the source is reached, as `host:port`.
    endpoint: String,
    /// Whether the source speaks TLS.
    tls: bool,
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
    /// The ids of its node groups, in order.
    pub(crate) node_groups: Vec<String>,
    /// `redis` or `valkey`.
    pub(crate) engine: String,
    /// The engine's full version.
    pub(crate) engine_version: String,
    /// The node type of its source.
    pub(crate) node_type: String,
    /// Its size as AWS rounds it; 0 if AWS does not say.
    pub(crate) bytes: u64,
    /// The instant of each shard's snapshot, in the order of `node_groups`. Later writes are not in it.
    pub(crate) created_at: Vec<String>,
    /// Where the source is reached, as `host:port`: its configuration endpoint, or its primary with cluster mode off.
    pub(crate) endpoint: String,
    /// Whether the source speaks TLS.
    pub(crate) tls: bool,
}

/// `elasticache.create_snapshot`.
pub(crate) struct CreateSnapshot;

impl Step for CreateSnapshot {
    const KIND: &'static str = "elasticache.create_snapshot";
    const SUMMARY: &'static str = "take a manual snapshot of a replication group";
    const ACTIONS: &'static [Action] = &[
        action(
            "elasticache:DescribeReplicationGroups",
            "replicationgroup:{replication_group}",
            Phases::PLAN_RUN,
        ),
        // Of the group and whatever was taken of it: how many snapshots today's quota has left, how large they are.
        action("elasticache:DescribeSnapshots", "*", Phases::PLAN)
            .helps("what is left of the quota of snapshots is not told"),
        action("elasticache:DescribeCacheClusters", "*", Phases::PLAN)
            .helps("engine version, parameters and maintenance window of the source are not told"),
        action("elasticache:DescribeCacheParameters", "*", Phases::PLAN)
            .helps("what the source's parameters mean for the move is not told"),
        action("elasticache:DescribeUserGroups", "*", Phases::PLAN)
            .helps("which users of the source cannot be had in MemoryDB is not told"),
        action("elasticache:DescribeUsers", "*", Phases::PLAN)
            .helps("which users of the source cannot be had in MemoryDB is not told"),
        action("elasticache:DescribeSnapshots", MADE, Phases::ALL),
        action("elasticache:ListTagsForResource", MADE, Phases::RUN_UNDO),
        // The snapshot's own ARN is needed beside the source's (service authorization reference, CreateSnapshot), which is
        // the group with cluster mode on and one of its nodes with it off.
        action("elasticache:CreateSnapshot", "replicationgroup:{replication_group}", Phases::RUN),
        action("elasticache:CreateSnapshot", "cluster:{replication_group}-*", Phases::RUN),
        action("elasticache:CreateSnapshot", "cluster:{prefer_node}", Phases::RUN),
        action("elasticache:CreateSnapshot", MADE, Phases::RUN),
        action("elasticache:AddTagsToResource", MADE, Phases::RUN),
        action("elasticache:DescribeEvents", "*", Phases::RUN)
            .helps("if the service fails at it, its reason is not told"),
        action("elasticache:DeleteSnapshot", MADE, Phases::UNDO),
    ];
    const OUTPUTS: &'static [Foreseen] = &[("name", "{name:lower|orc-*-snapshot*}")];
    const EFFECT: Effect = Effect::Mutates(UndoPolicy::Undo);
    const TIMEOUT: Duration = Duration::from_secs(4 * 3600);
    const EXPECTED: Duration = EXPECTED;
    const COPIES_DATA: bool = true;

    type Spec = Spec;
    type Prepared = Prepared;
    type Output = Output;

    fn check(args: &Value) -> Vec<Fault> {
        let mut faults =
            creation::name_faults(args, "name", "snapshot name", LONGEST_SNAPSHOT_NAME);
        faults.extend(creation::empty_fault(args, "replication_group"));
        faults
    }

    fn sketch(args: &Value) -> Sketch {
        let group = args["replication_group"].as_str().unwrap_or("…");
        let name = args["name"].as_str().map_or_else(
            || "a snapshot".to_owned(),
            |name| format!("snapshot \"{}\"", name.to_ascii_lowercase()),
        );
        Sketch {
            does: format!("take {name} of replication group \"{group}\""),
            undo: Some("delete the snapshot".to_owned()),
            loses: None,
        }
    }

    fn touches(args: &Value) -> Vec<Touch> {
        let name = args["name"].as_str().map_or_else(
            || "(its name comes from the run)".to_owned(),
            |name| format!("\"{}\"", name.to_ascii_lowercase()),
        );
        vec![Touch::creates(format!("ElastiCache snapshot {name}"))]
    }

    fn costs(_args: &Value, cargo: Cargo) -> Vec<CostEffect> {
        vec![CostEffect::ElastiCacheSnapshot { bytes: cargo.bytes }]
    }

    fn needs(args: &Value) -> Vec<Need> {
        args["replication_group"]
            .as_str()
            .map(|group| vec![Need::ReplicationGroup(group.to_owned())])
            .unwrap_or_default()
    }

    async fn preflight(env: &Env, args: &Value, cx: &Cx) -> Vec<Finding> {
        let Some(id) = args["replication_group"].as_str() else {
            return vec![Finding::cannot_know(
                "source.state",
                "the replication group is not known yet",
            )];
        };
        let mut findings = match look::need_group(env, id).await {
            Err(failure) => vec![Finding::of("source.state", &failure)],
            Ok(group) => {
                let node = node_of(&group, id, args["prefer_node"].as_str());
                let state = match node.as_ref().map(|_| at_rest(&group, id)) {
                    Err(failure) => Finding::of("source.state", failure),
                    Ok(Err(failure)) => Finding::of("source.state", &failure),
                    Ok(Ok(())) => Finding::ok(
                        "source.state",
                        format!("replication group \"{id}\" is available"),
                    ),
                };
                let node = node.ok().flatten();
                let what =
                    node.as_ref().map_or("the whole group".to_owned(), |n| format!("node {n}"));
                let mut findings = vec![state.seen("group", id).seen("snapshotted", what)];
                let node = node.as_deref();
                findings.extend(source_checks::findings(env, cx, id, node, EXPECTED).await);
                findings
            }
        };
        if let Some(name) = args["name"].as_str() {
            findings.push(match look::snapshot(env, &name.to_ascii_lowercase()).await {
                Ok(None) => {
                    Finding::ok("snapshot.name", format!("no snapshot is called \"{name}\" yet"))
                }
                Ok(Some(_)) => Finding::will_fail(
                    "snapshot.name",
                    format!("a snapshot \"{name}\" exists already"),
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
        let group = look::need_group(env, &spec.replication_group).await?;
        let node = source(&group, &spec.replication_group, spec.prefer_node.as_deref())?;
        let endpoint = look::endpoint(&group).unwrap_or_default();
        let tls = group.transit_encryption_enabled().unwrap_or_default();
        let group = group.replication_group_id().unwrap_or(&spec.replication_group).to_owned();
        let arn = elasticache_arn(&env.identity, "snapshot", &name);
        let prepared =
            Prepared { name: name.clone(), arn: arn.clone(), group, node, endpoint, tls };
        if let Some(found) = look::snapshot(env, &name).await? {
            ours_or_fail(env, cx, &prepared, &found).await?;
        }
        let what = "ElastiCache snapshot".to_owned();
        Ok((prepared, vec![Resource { what, name, arn: Some(arn), role: Role::Creates }]))
    }

    async fn execute(
        env: &Env,
        _spec: &Spec,
        prepared: &Prepared,
        cx: &Cx,
    ) -> Result<Done<Output>, Failure> {
        let what = attempt(prepared);
        let adopted = match look::snapshot(env, &prepared.name).await? {
            Some(found) => {
                ours_or_fail(env, cx, prepared, &found).await?;
                true
            }
            None => {
                create(env, prepared, cx).await.map_err(|f| explain(f).context(what.clone()))?
            }
        };
        let found = wait_available(env, prepared, cx).await.map_err(|f| f.context(what))?;
        let output = output(prepared, &found);
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
        let look = || look::snapshot(env, &prepared.name);
        let Some(found) = creation::look_for_made(cx, look).await? else { return Ok(Vec::new()) };
        let status = found.snapshot_status().unwrap_or_default().to_ascii_lowercase();
        if status != "deleting" {
            if !look::is_ours(env, cx, &prepared.arn).await? {
                cx.warn(format!("snapshot \"{}\" is not this run's; it was left", prepared.name));
                return Ok(Vec::new());
            }
            delete(env, &prepared.name).await?;
        }
        wait_gone(env, cx, &prepared.name).await?;
        creation::note_call(cx, Call::Over).await?;
        Ok(vec![format!("deleted snapshot \"{}\"", prepared.name)])
    }
}

fn attempt(prepared: &Prepared) -> String {
    format!(
        "failed to create snapshot \"{}\" of replication group \"{}\"",
        prepared.name, prepared.group
    )
}

/// What CreateSnapshot is to be given: a node with cluster mode off, else `None` for the whole group. An error if it
/// cannot be snapshotted now.
fn source(
    group: &ReplicationGroup,
    id: &str,
    prefer: Option<&str>,
) -> Result<Option<String>, Failure> {
    if look::tiered(group.data_tiering(), group.cache_node_type()) {
        return Err(Failure::fatal(format!(
            "replication group \"{id}\" uses data tiering ({})",
            group.cache_node_type().unwrap_or("r6gd")
        ))
        .because("ElastiCache cannot export snapshots of groups with data tiering")
        .mend("copy the data online instead, for example with RIOT or RedisShake"));
    }
    let node = node_of(group, id, prefer)?;
    at_rest(group, id)?;
    Ok(node)
}

/// The node to snapshot with cluster mode off: the call takes the id of one, and a replica spares the primary (ElastiCache
/// user guide, taking manual backups; CreateSnapshot).
fn node_of(
    group: &ReplicationGroup,
    id: &str,
    prefer: Option<&str>,
) -> Result<Option<String>, Failure> {
    if group.cluster_enabled() == Some(true) {
        if prefer.is_some() {
            return Err(Failure::fatal(format!(
                "`prefer_node` is given, but replication group \"{id}\" has cluster mode on"
            ))
            .mend("leave `prefer_node` out: with cluster mode on the whole group is snapshotted"));
        }
        return Ok(None);
    }
    let members: Vec<_> =
        group.node_groups().iter().flat_map(|shard| shard.node_group_members()).collect();
    let ids = || members.iter().filter_map(|member| member.cache_cluster_id());
    let node = match prefer {
        Some(wanted) => ids().find(|id| id.eq_ignore_ascii_case(wanted)).ok_or_else(|| {
            Failure::fatal(format!("replication group \"{id}\" has no node \"{wanted}\""))
                .mend(format!("its nodes are {}", ids().collect::<Vec<_>>().join(", ")))
        })?,
        None => {
            let mut replicas: Vec<_> = members
                .iter()
                .filter(|m| m.current_role().is_some_and(|r| r.eq_ignore_ascii_case("replica")))
                .filter_map(|m| m.cache_cluster_id())
                .collect();
            replicas.sort_unstable();
            let first = replicas.first().copied().or_else(|| ids().next());
            first.or_else(|| group.member_clusters().first().map(String::as_str)).ok_or_else(
                || Failure::fatal(format!("replication group \"{id}\" shows no nodes")),
            )?
        }
    };
    Ok(Some(node.to_owned()))
}

/// Whether it can be snapshotted now.
fn at_rest(group: &ReplicationGroup, id: &str) -> Result<(), Failure> {
    let status = group.status().unwrap_or("unknown");
    match status.to_ascii_lowercase().as_str() {
        "available" => Ok(()),
        "create-failed" | "deleting" => Err(Failure::fatal(format!(
            "replication group \"{id}\" is {status}; there is nothing to snapshot"
        ))
        .mend("name another group in the playbook")),
        _ => Err(Failure::new(
            Class::Busy,
            format!(
                "replication group \"{id}\" is {status}; it can be snapshotted when it is available"
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
    if look::is_ours(env, cx, &prepared.arn).await? {
        return Ok(());
    }
    let mut differences = Vec::new();
    let intended = prepared.node.as_ref().unwrap_or(&prepared.group);
    let source = look::source_of(found).map_or_else(|| "something else".to_owned(), |(_, id)| id);
    if !source.eq_ignore_ascii_case(intended) {
        differences.push(format!("it is a snapshot of {source}, not of {intended}"));
    }
    if let Some(at) = look::taken_at(found).into_iter().find(|at| !at.is_empty()) {
        differences.push(format!("it was taken at {at}"));
    }
    Err(ownership::not_ours(&format!("snapshot \"{}\"", prepared.name), &differences))
}

/// Creates it. Gives whether an earlier call had done so already.
async fn create(env: &Env, prepared: &Prepared, cx: &Cx) -> Result<bool, Failure> {
    let mut request = env.aws.elasticache.create_snapshot().snapshot_name(&prepared.name);
    request = match &prepared.node {
        Some(node) => request.cache_cluster_id(node),
        None => request.replication_group_id(&prepared.group),
    };
    for (key, value) in ownership::tags(cx) {
        request = request.tags(Tag::builder().key(key).value(value).build());
    }
    match creation::ask(cx, env.aws.change(SERVICE, "CreateSnapshot", request.send())).await {
        Ok(_) => Ok(false),
        Err(failure) if failure.class == Class::Conflict => {
            let look = || look::snapshot(env, &prepared.name);
            match creation::until_visible(cx, look).await? {
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
        Class::Quota => failure.mend(
            "AWS allows 20 manual snapshots of a node, or of a group in cluster mode, in 24 hours: wait, or with \
             cluster mode off name another node in `prefer_node`",
        ),
        Class::Denied => failure.mend(
            "allow elasticache:CreateSnapshot on the replication group or node and on the snapshot's own ARN, and \
             elasticache:AddTagsToResource on the snapshot",
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
    let ticket = env.snapshots.join();
    let look = || async {
        let Some(found) = look::waited_snapshot(env, cx, &ticket, &prepared.name).await? else {
            return Ok(Seen::gone());
        };
        creation::note_call(cx, Call::Taken).await?;
        let seen = Seen::state(found.snapshot_status().unwrap_or("unknown"));
        last.replace(Some(found));
        Ok(seen)
    };
    let why = || async {
        let (source_type, source) = source_of(prepared);
        look::reason(env, source_type, &source, &prepared.name).await
    };
    cx.wait(&wait, look, why).await.map_err(|failure| match failure.class {
        Class::Terminal => failure.mend(
            "too little free memory is the usual cause (see reserved-memory-percent in the ElastiCache user guide): \
             mend it, then run again",
        ),
        _ => failure,
    })?;
    last.into_inner()
        .ok_or_else(|| Failure::fatal("the snapshot was available and is not any more"))
}

fn source_of(prepared: &Prepared) -> (aws_sdk_elasticache::types::SourceType, String) {
    use aws_sdk_elasticache::types::SourceType;
    match &prepared.node {
        Some(node) => (SourceType::CacheCluster, node.clone()),
        None => (SourceType::ReplicationGroup, prepared.group.clone()),
    }
}

fn output(prepared: &Prepared, found: &Snapshot) -> Output {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let node_groups = look::node_groups(found);
    Output {
        name: prepared.name.clone(),
        arn: found.arn().unwrap_or(&prepared.arn).to_owned(),
        shards: u32::try_from(node_groups.len()).unwrap_or(u32::MAX),
        node_groups,
        engine: text(found.engine()),
        engine_version: text(found.engine_version()),
        node_type: text(found.cache_node_type()),
        bytes: look::bytes(found),
        created_at: look::taken_at(found),
        endpoint: prepared.endpoint.clone(),
        tls: prepared.tls,
    }
}

/// Asks for the deletion of a snapshot that was seen just now.
pub(super) async fn delete(env: &Env, name: &str) -> Result<(), Failure> {
    let request = env.aws.elasticache.delete_snapshot().snapshot_name(name);
    env.aws
        .change(SERVICE, "DeleteSnapshot", request.send())
        .await
        .map(drop)
        .map_err(creation::not_deleted)
        .map_err(|failure| failure.context(format!("failed to delete snapshot \"{name}\"")))
}

/// Waits until a snapshot is gone.
pub(super) async fn wait_gone(env: &Env, cx: &Cx, name: &str) -> Result<(), Failure> {
    let wait = Wait {
        subject: format!("snapshot \"{name}\""),
        service: SERVICE,
        states: GONE_STATES,
        expected: Duration::from_secs(60),
    };
    let look = || async {
        let found = creation::unless_gone(cx, || look::snapshot(env, name)).await?;
        Ok(found.map_or_else(Seen::gone, |s| Seen::state(s.snapshot_status().unwrap_or("unknown"))))
    };
    cx.wait(&wait, look, || async { None }).await.map(drop)
}

#[cfg(test)]
mod tests;
