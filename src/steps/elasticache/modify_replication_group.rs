//! `elasticache.modify_replication_group`: node type, parameter group, user groups, retention.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::change::{Change, Outcome};
use super::group;
use super::look::SERVICE;
use super::values::Values;
use crate::aws::Op;
use crate::engine::journal::Resource;
use crate::engine::{Cx, Failure, Finding};
use crate::permissions::Phases;
use crate::plan::{Effect, Fault, UndoPolicy};
use crate::steps::creation;
use crate::steps::{Action, Done, Env, Need, Sketch, Step, Touch, action};

/// A change of node type replaces every node, one after the other (no figures are published).
const EXPECTED: Duration = Duration::from_secs(12 * 60);

/// Changes a replication group in place: its node type, its parameter group, its RBAC user groups, for how many days daily
/// snapshots are kept. At least one of them; each one that is so already is left alone.
///
/// `apply_immediately` has no default, because AWS's own is a trap: a call without it ends well and changes nothing before
/// the maintenance window. With `true` a new node type is carried out now: **every node is replaced, and each shard's
/// primary hands over once, so that connections break and writes pause for seconds**. With `false` the new node type waits
/// for the window, and the step is done once AWS shows that it waits. Everything else is carried out now either way.
///
/// A group that is `modifying`, or that has another change pending, is not touched. The step is done when the group is
/// available, nothing is pending and the new values are seen.
///
/// Undone by putting the former values back, unless somebody else has changed them meanwhile. A node type that still waits
/// for its window is withdrawn by asking for the former one; AWS does not document a way, so the undo looks whether nothing
/// is pending any more, and fails if something is.
///
/// ```yaml
/// - id: bigger
///   elasticache.modify_replication_group:
///     replication_group: prod
///     node_type: cache.r7g.xlarge
///     apply_immediately: true
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// The replication group.
    pub(crate) replication_group: String,
    /// Whether a new node type is carried out now (true) or in the maintenance window (false).
    pub(crate) apply_immediately: bool,
    /// Such as `cache.r7g.xlarge`.
    #[serde(default)]
    pub(crate) node_type: Option<String>,
    /// A parameter group of the engine's family.
    #[serde(default)]
    pub(crate) parameter_group: Option<String>,
    /// The ids of its RBAC user groups, all of them. Access changes at once: clients whose user is not among them are cut
    /// off.
    #[serde(default)]
    pub(crate) user_groups: Option<Vec<String>>,
    /// For how many days daily snapshots are kept, 0 to 35. 0 ends daily snapshots.
    #[serde(default)]
    pub(crate) snapshot_retention_days: Option<u32>,
}

/// The intent, and what is put back.
#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Prepared(Change);

/// The group afterwards.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// The replication group.
    pub(crate) replication_group: String,
    /// What it had before, in words.
    pub(crate) before: String,
    /// What it has now, or will have after its maintenance window, in words.
    pub(crate) after: String,
}

impl Output {
    pub(super) fn of(change: &Change) -> Self {
        Self {
            replication_group: change.group.clone(),
            before: change.before.words(),
            after: change.wanted.words(),
        }
    }
}

/// What `execute` of the four kinds of changes gives.
pub(super) fn done(outcome: Outcome, output: Output) -> Done<Output> {
    match outcome {
        Outcome::Changed => Done::Changed(output),
        Outcome::Adopted => Done::Adopted(output),
        Outcome::Unchanged => Done::Unchanged(output),
    }
}

/// `elasticache.modify_replication_group`.
pub(crate) struct ModifyReplicationGroup;

impl Step for ModifyReplicationGroup {
    const KIND: &'static str = "elasticache.modify_replication_group";
    const SUMMARY: &'static str =
        "change a replication group's node type, parameters, users or snapshot retention";
    const ACTIONS: &'static [Action] = &[
        action(
            "elasticache:DescribeReplicationGroups",
            "replicationgroup:{replication_group}",
            Phases::ALL,
        ),
        action("elasticache:DescribeCacheClusters", "cluster:{replication_group}-*", Phases::ALL),
        action(
            "elasticache:ListAllowedNodeTypeModifications",
            "replicationgroup:{replication_group}",
            Phases::PLAN,
        )
        .when("node_type")
        .helps("whether the node type can be changed to this one is not told"),
        action(
            "elasticache:ModifyReplicationGroup",
            "replicationgroup:{replication_group}",
            Phases::RUN_UNDO,
        ),
        // Both the new and the former one: an undo gives the former one back (service authorization reference).
        action("elasticache:ModifyReplicationGroup", "parametergroup:*", Phases::RUN_UNDO)
            .when("parameter_group"),
        action("elasticache:ModifyReplicationGroup", "usergroup:*", Phases::RUN_UNDO)
            .when("user_groups"),
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
        let given = ["node_type", "parameter_group", "user_groups", "snapshot_retention_days"];
        if given.iter().all(|key| args.get(*key).is_none()) {
            faults.push(
                Fault::new("nothing is to be changed")
                    .mend(format!("give at least one of {}", given.join(", "))),
            );
        }
        if args["snapshot_retention_days"].as_u64().is_some_and(|days| days > 35) {
            faults.push(
                Fault::new("snapshots can be kept for 35 days at most")
                    .key("snapshot_retention_days")
                    .mend("give a number from 0 to 35"),
            );
        }
        faults
    }

    fn sketch(args: &Value) -> Sketch {
        let group = args["replication_group"].as_str().unwrap_or("…");
        let node_type = args["node_type"].as_str();
        let mut what = Vec::new();
        what.extend(node_type.map(|t| format!("node type {t}")));
        what.extend(args["parameter_group"].as_str().map(|g| format!("parameter group {g}")));
        what.extend(args["user_groups"].as_array().map(|g| {
            let ids: Vec<_> = g.iter().map(|id| id.as_str().unwrap_or("…")).collect();
            format!("user groups {}", ids.join(", "))
        }));
        what.extend(
            args["snapshot_retention_days"]
                .as_u64()
                .map(|days| format!("daily snapshots kept for {days} days")),
        );
        if what.is_empty() {
            what.push("settings that come from an earlier step".to_owned());
        }
        let now = args["apply_immediately"].as_bool();
        let when = match (node_type, now) {
            (Some(_), Some(true)) => " IMMEDIATELY",
            (Some(_), Some(false)) => " (the node type in its maintenance window)",
            _ => "",
        };
        Sketch {
            does: format!("give replication group \"{group}\" {}{when}", what.join(", ")),
            undo: Some("put the former values back".to_owned()),
            loses: (node_type.is_some() && now != Some(false)).then(|| {
                format!(
                    "connections to \"{group}\": its nodes are replaced now, and writes to each shard pause for seconds"
                )
            }),
        }
    }

    fn takes(args: &Value) -> Duration {
        if args["node_type"].is_string() { EXPECTED } else { Duration::from_secs(5 * 60) }
    }

    fn touches(args: &Value) -> Vec<Touch> {
        let group = args["replication_group"].as_str().unwrap_or("…");
        vec![Touch::changes(format!("replication group \"{group}\""))]
    }

    fn needs(args: &Value) -> Vec<Need> {
        needs(args)
    }

    async fn preflight(env: &Env, args: &Value, _cx: &Cx) -> Vec<Finding> {
        let Some(id) = args["replication_group"].as_str() else { return vec![unknown()] };
        let (mut findings, group) = group::state_findings(env, id).await;
        let (Some(group), Some(wanted)) = (group, args["node_type"].as_str()) else {
            return findings;
        };
        findings.push(node_type(env, id, &group.node_type, wanted).await);
        findings
    }

    async fn prepare(
        env: &Env,
        spec: &Spec,
        _cx: &Cx,
    ) -> Result<(Prepared, Vec<Resource>), Failure> {
        let mut user_groups = spec.user_groups.clone();
        if let Some(groups) = &mut user_groups {
            groups.sort();
        }
        let wanted = Values {
            node_type: spec.node_type.clone(),
            parameter_group: spec.parameter_group.clone(),
            user_groups,
            retention_days: spec.snapshot_retention_days,
            ..Values::default()
        };
        let group = group::need(env, &spec.replication_group).await?;
        let change = Change::planned(&group, wanted, spec.apply_immediately)?;
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
            failure.context(format!("failed to modify replication group \"{}\"", change.group))
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

/// The group that must be there.
pub(super) fn needs(args: &Value) -> Vec<Need> {
    let group = args["replication_group"].as_str();
    group.map(|group| Need::ReplicationGroup(group.to_owned())).into_iter().collect()
}

pub(super) fn unknown() -> Finding {
    Finding::cannot_know("group.state", "the replication group is not known yet")
}

/// Whether AWS lets the group have that node type.
async fn node_type(env: &Env, id: &str, is: &str, wanted: &str) -> Finding {
    const CHECK: &str = "group.node_type";
    if is == wanted {
        return Finding::ok(CHECK, format!("its nodes are {wanted} already"));
    }
    let op = Op::read(SERVICE, "ListAllowedNodeTypeModifications");
    let client = &env.aws.elasticache;
    let request = || client.list_allowed_node_type_modifications().replication_group_id(id).send();
    let answer = match env.survey.ask(op, request).await {
        Ok(answer) => answer,
        Err(failure) => return Finding::of(CHECK, &failure),
    };
    let (up, down) = (answer.scale_up_modifications(), answer.scale_down_modifications());
    if up.iter().chain(down).any(|allowed| allowed == wanted) {
        let direction = if down.iter().any(|t| t == wanted) { "smaller" } else { "no smaller" };
        let what = format!("AWS allows {wanted} in place of {is}; it is {direction}");
        return Finding::ok(CHECK, what).seen("node_type", is);
    }
    Finding::will_fail(
        CHECK,
        format!("AWS does not let {is} be changed to {wanted}"),
        format!("choose one of {}", [up, down].concat().join(", ")),
    )
}
