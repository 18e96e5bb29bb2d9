//! `elasticache.scale_replicas`: how many replicas each shard has.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::change::Change;
use super::group;
use super::modify_replication_group::{Output, done, needs, unknown};
use super::values::Values;
use crate::engine::journal::Resource;
use crate::engine::{Cx, Failure, Finding};
use crate::permissions::Phases;
use crate::plan::{Effect, Fault, UndoPolicy};
use crate::steps::creation;
use crate::steps::{Action, Done, Env, Need, Sketch, Step, Touch, action};
use crate::survey::Group;

const EXPECTED: Duration = Duration::from_secs(10 * 60);
/// The most replicas of a shard (ElastiCache user guide, quotas).
const MOST: u64 = 5;

/// Changes how many replicas each shard of a replication group has, up or down, now: AWS knows no later for it.
///
/// More replicas copy the data from their primaries, which costs those memory and processor time meanwhile. Fewer
/// replicas break the connections of clients that read from those removed. **A shard without a replica has nobody to take
/// over: when its node fails, its data is gone.** With cluster mode off, Multi-AZ keeps one; so does durability. A group
/// whose shards have different numbers is refused, since an undo could not give each its own back.
///
/// Undone by the former number, unless somebody else has changed it meanwhile.
///
/// ```yaml
/// - id: replicas
///   elasticache.scale_replicas: { replication_group: prod, replicas_per_shard: 2 }
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// The replication group.
    pub(crate) replication_group: String,
    /// How many replicas each shard is to have, 0 to 5.
    pub(crate) replicas_per_shard: u32,
}

/// The intent, and what is put back.
#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Prepared(Change);

/// `elasticache.scale_replicas`.
pub(crate) struct ScaleReplicas;

impl Step for ScaleReplicas {
    const KIND: &'static str = "elasticache.scale_replicas";
    const SUMMARY: &'static str = "change how many replicas each shard of a group has";
    const ACTIONS: &'static [Action] = &[
        action(
            "elasticache:DescribeReplicationGroups",
            "replicationgroup:{replication_group}",
            Phases::ALL,
        ),
        action("elasticache:DescribeCacheClusters", "cluster:{replication_group}-*", Phases::ALL),
        action(
            "elasticache:IncreaseReplicaCount",
            "replicationgroup:{replication_group}",
            Phases::RUN_UNDO,
        ),
        action(
            "elasticache:DecreaseReplicaCount",
            "replicationgroup:{replication_group}",
            Phases::RUN_UNDO,
        ),
    ];
    const EFFECT: Effect = Effect::Mutates(UndoPolicy::Undo);
    const TIMEOUT: Duration = Duration::from_secs(4 * 3600);
    const EXPECTED: Duration = EXPECTED;

    type Spec = Spec;
    type Prepared = Prepared;
    type Output = Output;

    fn check(args: &Value) -> Vec<Fault> {
        let mut faults: Vec<Fault> =
            creation::empty_fault(args, "replication_group").into_iter().collect();
        if args["replicas_per_shard"].as_u64().is_some_and(|n| n > MOST) {
            faults.push(
                Fault::new(format!("a shard has at most {MOST} replicas"))
                    .key("replicas_per_shard")
                    .mend(format!("give a number from 0 to {MOST}")),
            );
        }
        faults
    }

    fn sketch(args: &Value) -> Sketch {
        let group = args["replication_group"].as_str().unwrap_or("…");
        let count = args["replicas_per_shard"].as_u64().map_or("…".to_owned(), |n| n.to_string());
        Sketch {
            does: format!("give each shard of replication group \"{group}\" {count} replicas"),
            undo: Some("go back to the former number".to_owned()),
            loses: (args["replicas_per_shard"].as_u64() == Some(0)).then(|| {
                format!("whoever could take over in a shard of \"{group}\": when a node fails its data is gone")
            }),
        }
    }

    fn touches(args: &Value) -> Vec<Touch> {
        let group = args["replication_group"].as_str().unwrap_or("…");
        vec![Touch::changes(format!("nodes of replication group \"{group}\""))]
    }

    fn needs(args: &Value) -> Vec<Need> {
        needs(args)
    }

    async fn preflight(env: &Env, args: &Value, _cx: &Cx) -> Vec<Finding> {
        let Some(id) = args["replication_group"].as_str() else { return vec![unknown()] };
        let (mut findings, group) = group::state_findings(env, id).await;
        let wanted = args["replicas_per_shard"].as_u64().and_then(|n| u32::try_from(n).ok());
        if let (Some(group), Some(wanted)) = (group, wanted) {
            findings.push(match allowed(env, &group, wanted) {
                Ok(()) => Finding::ok(
                    "group.replicas",
                    format!("each shard of \"{id}\" has {} replicas", group.replicas()),
                )
                .seen("replicas", group.replicas()),
                Err(failure) => Finding::of("group.replicas", &failure),
            });
        }
        findings
    }

    async fn prepare(
        env: &Env,
        spec: &Spec,
        _cx: &Cx,
    ) -> Result<(Prepared, Vec<Resource>), Failure> {
        let group = group::need(env, &spec.replication_group).await?;
        let wanted = Values { replicas: Some(spec.replicas_per_shard), ..Values::default() };
        let change = Change::planned(&group, wanted, true)?;
        allowed(env, &group, spec.replicas_per_shard)?;
        let resources = change.resources(env);
        Ok((Prepared(change), resources))
    }

    async fn execute(
        env: &Env,
        _spec: &Spec,
        Prepared(change): &Prepared,
        cx: &Cx,
    ) -> Result<Done<Output>, Failure> {
        let outcome = change.carry_out(env, cx, EXPECTED).await.map_err(|failure| {
            failure.context(format!("failed to change the replicas of \"{}\"", change.group))
        })?;
        Ok(done(outcome, Output::of(change)))
    }

    async fn undo(
        env: &Env,
        _spec: &Spec,
        Prepared(change): &Prepared,
        cx: &Cx,
    ) -> Result<Vec<String>, Failure> {
        change.take_back(env, cx, EXPECTED).await
    }
}

/// Whether AWS lets it have so many. With cluster mode off Multi-AZ needs one; with cluster mode on there may be none
/// (ElastiCache API reference, DecreaseReplicaCount). A durable group needs one in each shard (ElastiCache user guide,
/// configuring durability).
fn allowed(env: &Env, group: &Group, wanted: u32) -> Result<(), Failure> {
    let (id, region) = (&group.id, &env.identity.region);
    let most = group.shards.iter().map(|shard| shard.nodes.len()).max().unwrap_or(1);
    let have = group.replicas();
    if most != have as usize + 1 {
        return Err(Failure::fatal(format!(
            "the shards of replication group \"{id}\" have {have} to {} replicas",
            most.saturating_sub(1)
        ))
        .because("an undo could not give each shard its own number back")
        .mend(format!(
            "give every shard the same number first: aws elasticache increase-replica-count --replication-group-id {id} \
             --new-replica-count {} --apply-immediately --region {region}",
            most.saturating_sub(1)
        )));
    }
    let durable = group.durability.as_ref().and_then(|durable| durable.effective.as_deref());
    if wanted == 0 && durable.is_some_and(|mode| matches!(mode, "sync" | "async")) {
        return Err(Failure::fatal(format!(
            "replication group \"{id}\" is durable, and needs a replica in each shard"
        ))
        .mend("keep one replica"));
    }
    if wanted == 0 && have > 0 && !group.cluster_enabled && group.multi_az {
        return Err(Failure::fatal(format!(
            "replication group \"{id}\" cannot lose its last replica while Multi-AZ is on"
        ))
        .mend(format!(
            "keep one replica, or turn it off first: aws elasticache modify-replication-group --replication-group-id {id} \
             --no-multi-az-enabled --no-automatic-failover-enabled --apply-immediately --region {region}"
        )));
    }
    Ok(())
}
