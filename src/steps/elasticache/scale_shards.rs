//! `elasticache.scale_shards`: how many shards a group with cluster mode has.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::change::Change;
use super::group;
use super::modify_replication_group::{Output, done, needs, unknown};
use super::values::{Values, shard_ids};
use crate::engine::journal::Resource;
use crate::engine::{Cx, Failure, Finding};
use crate::permissions::Phases;
use crate::plan::{Effect, Fault, UndoPolicy};
use crate::steps::creation;
use crate::steps::{Action, Done, Env, Need, Sketch, Step, Touch, action};
use crate::survey::Group;

/// AWS moves slot by slot; how long that takes hangs on the data. No figures are published.
const EXPECTED: Duration = Duration::from_secs(20 * 60);

/// Changes how many shards a replication group in cluster mode has, while it serves.
///
/// AWS moves hash slots between shards, key by key. That costs processor time for its whole duration; very large values
/// block their shard while they move. **Fewer shards must hold all the data**: AWS does not say beforehand whether they
/// can, and gives the resharding up halfway if not. With fewer shards the ones with the lowest ids stay, unless `retain`
/// names others.
///
/// Clients must follow MOVED and ASK. The step is done when the shards are there and nothing is pending.
///
/// Undone by going back to the former number; the shards that were added are the ones that go.
///
/// ```yaml
/// - id: shards
///   elasticache.scale_shards: { replication_group: prod, shards: 4 }
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// The replication group.
    pub(crate) replication_group: String,
    /// How many shards it is to have.
    pub(crate) shards: u32,
    /// The ids of the shards that stay, when there are to be fewer.
    #[serde(default)]
    pub(crate) retain: Vec<String>,
}

/// The intent, and what is put back.
#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Prepared(Change);

/// `elasticache.scale_shards`.
pub(crate) struct ScaleShards;

impl Step for ScaleShards {
    const KIND: &'static str = "elasticache.scale_shards";
    const SUMMARY: &'static str = "change how many shards a replication group has";
    const ACTIONS: &'static [Action] = &[
        action(
            "elasticache:DescribeReplicationGroups",
            "replicationgroup:{replication_group}",
            Phases::ALL,
        ),
        action("elasticache:DescribeCacheClusters", "cluster:{replication_group}-*", Phases::ALL),
        action(
            "elasticache:ModifyReplicationGroupShardConfiguration",
            "replicationgroup:{replication_group}",
            Phases::RUN_UNDO,
        ),
    ];
    const EFFECT: Effect = Effect::Mutates(UndoPolicy::Undo);
    const TIMEOUT: Duration = Duration::from_secs(12 * 3600);
    const EXPECTED: Duration = EXPECTED;

    type Spec = Spec;
    type Prepared = Prepared;
    type Output = Output;

    fn check(args: &Value) -> Vec<Fault> {
        let mut faults: Vec<Fault> =
            creation::empty_fault(args, "replication_group").into_iter().collect();
        if args["shards"].as_u64() == Some(0) {
            let fault = Fault::new("a replication group has at least one shard").key("shards");
            faults.push(fault.mend("give a number from 1"));
        }
        faults
    }

    fn sketch(args: &Value) -> Sketch {
        let group = args["replication_group"].as_str().unwrap_or("…");
        let count = args["shards"].as_u64().map_or("…".to_owned(), |n| n.to_string());
        Sketch {
            does: format!("reshard replication group \"{group}\" to {count} shards"),
            undo: Some("go back to the former number".to_owned()),
            loses: None,
        }
    }

    fn touches(args: &Value) -> Vec<Touch> {
        let group = args["replication_group"].as_str().unwrap_or("…");
        vec![Touch::changes(format!("shards of replication group \"{group}\""))]
    }

    fn needs(args: &Value) -> Vec<Need> {
        needs(args)
    }

    async fn preflight(env: &Env, args: &Value, _cx: &Cx) -> Vec<Finding> {
        const CHECK: &str = "group.shards";
        let Some(id) = args["replication_group"].as_str() else { return vec![unknown()] };
        let (mut findings, group) = group::state_findings(env, id).await;
        let wanted = args["shards"].as_u64().and_then(|n| u32::try_from(n).ok());
        let retain = args["retain"].as_array().into_iter().flatten();
        let retain: Vec<String> = retain.filter_map(|id| id.as_str().map(str::to_owned)).collect();
        if let (Some(group), Some(wanted)) = (group, wanted) {
            let have = group.shards.len();
            findings.push(match layout(&group, wanted, &retain) {
                Err(failure) => Finding::of(CHECK, &failure),
                Ok(ids) if ids.len() < have => Finding::cannot_know(
                    CHECK,
                    format!("whether {wanted} shards hold what {have} do now: AWS finds out while it moves the data"),
                )
                .mend("see that DatabaseMemoryUsagePercentage stays below 75 with that many shards"),
                Ok(_) => Finding::ok(CHECK, format!("\"{id}\" has {have} shards"))
                    .seen("shards", have),
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
        let shards = Some(layout(&group, spec.shards, &spec.retain)?);
        let change = Change::planned(&group, Values { shards, ..Values::default() }, true)?;
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
            failure.context(format!("failed to reshard replication group \"{}\"", change.group))
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

/// The ids of the shards it will have. Of new ones AWS chooses the ids: here they are placeholders that count.
fn layout(group: &Group, wanted: u32, retain: &[String]) -> Result<Vec<String>, Failure> {
    let (id, have, wanted) = (&group.id, shard_ids(group), wanted as usize);
    if !group.cluster_enabled && wanted != 1 {
        return Err(Failure::fatal(format!(
            "replication group \"{id}\" has cluster mode off, and so one shard for ever"
        ))
        .mend("scale it up by its node type, or move it to a group with cluster mode on"));
    }
    if wanted >= have.len() {
        let new = (have.len()..wanted).map(|n| format!("new-{}", n + 1));
        return Ok(have.iter().cloned().chain(new).collect());
    }
    if retain.is_empty() {
        return Ok(have.into_iter().take(wanted).collect());
    }
    let mut retain = retain.to_vec();
    retain.sort();
    retain.dedup();
    if let Some(unknown) = retain.iter().find(|id| !have.contains(id)) {
        return Err(Failure::fatal(format!(
            "replication group \"{id}\" has no shard \"{unknown}\""
        ))
        .mend(format!("its shards are {}", have.join(", "))));
    }
    if retain.len() != wanted {
        let named = retain.len();
        return Err(Failure::fatal(format!("`retain` names {named} shards, `shards` is {wanted}"))
            .mend("name exactly the shards that stay"));
    }
    Ok(retain)
}
