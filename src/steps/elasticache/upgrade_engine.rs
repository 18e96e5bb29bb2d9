//! `elasticache.upgrade_engine`: a newer engine version in place, or Valkey in place of Redis OSS.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::change::Change;
use super::group;
use super::modify_replication_group::{Output, done, needs, unknown};
use super::values::{Values, is_version};
use crate::engine::journal::Resource;
use crate::engine::{Cx, Failure, Finding};
use crate::permissions::Phases;
use crate::plan::{Effect, Fault, UndoPolicy};
use crate::steps::creation;
use crate::steps::{Action, Done, Env, Need, Sketch, Step, Touch, action};
use crate::survey::Group;

const EXPECTED: Duration = Duration::from_secs(30 * 60);

/// Upgrades the engine of a replication group in place, now: to a newer version, or from Redis OSS to Valkey.
///
/// AWS replaces the nodes shard by shard, replicas first; each primary hands over once, so that **connections break and
/// writes to that shard pause for seconds**. A group without replicas is down while its node is upgraded, and without a
/// snapshot its data may be lost with it.
///
/// **There is no way back**: no engine can be downgraded. Take a snapshot first (`elasticache.create_snapshot`); a new
/// group can be made of it with the old version. A group with a parameter group of its own needs one of the new family
/// in the same call: `parameter_group`.
///
/// ```yaml
/// - id: upgrade
///   elasticache.upgrade_engine: { replication_group: prod, engine: valkey, engine_version: "8.1" }
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// The replication group.
    pub(crate) replication_group: String,
    /// `valkey` to move from Redis OSS to Valkey; its own engine if left out.
    #[serde(default)]
    #[schemars(extend("enum" = ["redis", "valkey", null]))]
    pub(crate) engine: Option<String>,
    /// Major and minor version, such as `8.1`; AWS chooses the patch.
    pub(crate) engine_version: String,
    /// A parameter group of the new family, where the present one is not AWS's own.
    #[serde(default)]
    pub(crate) parameter_group: Option<String>,
}

/// The intent.
#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Prepared(Change);

/// `elasticache.upgrade_engine`.
pub(crate) struct UpgradeEngine;

impl Step for UpgradeEngine {
    const KIND: &'static str = "elasticache.upgrade_engine";
    const SUMMARY: &'static str = "upgrade a replication group's engine in place";
    const ACTIONS: &'static [Action] = &[
        action(
            "elasticache:DescribeReplicationGroups",
            "replicationgroup:{replication_group}",
            Phases::PLAN_RUN,
        ),
        action(
            "elasticache:DescribeCacheClusters",
            "cluster:{replication_group}-*",
            Phases::PLAN_RUN,
        ),
        action(
            "elasticache:ModifyReplicationGroup",
            "replicationgroup:{replication_group}",
            Phases::RUN,
        ),
        action(
            "elasticache:ModifyReplicationGroup",
            "parametergroup:{parameter_group}",
            Phases::RUN,
        ),
    ];
    const EFFECT: Effect = Effect::Mutates(UndoPolicy::None(std::borrow::Cow::Borrowed(
        "an engine cannot be downgraded; make a new group with the old version from the snapshot taken before",
    )));
    const TIMEOUT: Duration = Duration::from_secs(6 * 3600);
    const EXPECTED: Duration = EXPECTED;

    type Spec = Spec;
    type Prepared = Prepared;
    type Output = Output;

    fn check(args: &Value) -> Vec<Fault> {
        let mut faults: Vec<Fault> =
            creation::empty_fault(args, "replication_group").into_iter().collect();
        if let Some(version) = args["engine_version"].as_str()
            && numbers(version).is_none()
        {
            faults.push(
                Fault::new(format!("\"{version}\" is not an engine version"))
                    .key("engine_version")
                    .mend("write it like \"8.1\""),
            );
        }
        faults
    }

    fn sketch(args: &Value) -> Sketch {
        let group = args["replication_group"].as_str().unwrap_or("…");
        let engine = args["engine"].as_str().unwrap_or("its engine");
        let version = args["engine_version"].as_str().unwrap_or("…");
        Sketch {
            does: format!(
                "upgrade replication group \"{group}\" to {engine} {version} IMMEDIATELY"
            ),
            undo: None,
            loses: Some(format!(
                "the way back to the old engine; and connections to \"{group}\": writes to each shard pause for seconds"
            )),
        }
    }

    fn touches(args: &Value) -> Vec<Touch> {
        let group = args["replication_group"].as_str().unwrap_or("…");
        vec![Touch::changes(format!("engine of replication group \"{group}\""))]
    }

    fn needs(args: &Value) -> Vec<Need> {
        needs(args)
    }

    async fn preflight(env: &Env, args: &Value, _cx: &Cx) -> Vec<Finding> {
        const CHECK: &str = "group.engine";
        let Some(id) = args["replication_group"].as_str() else { return vec![unknown()] };
        let (mut findings, group) = group::state_findings(env, id).await;
        if let (Some(group), Some(version)) = (group, args["engine_version"].as_str()) {
            let (engine, own) = (args["engine"].as_str(), args["parameter_group"].as_str());
            let is = group.engine_version().unwrap_or("(version not told)").to_owned();
            findings.push(match upgradable(&group, engine, version, own) {
                Ok(()) => Finding::ok(CHECK, format!("\"{id}\" runs {} {is}", group.engine))
                    .seen("engine", format!("{} {is}", group.engine)),
                Err(failure) => Finding::of(CHECK, &failure),
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
        let wanted = Values {
            engine: spec.engine.as_ref().map(|engine| engine.to_ascii_lowercase()),
            engine_version: Some(spec.engine_version.clone()),
            parameter_group: spec.parameter_group.clone(),
            ..Values::default()
        };
        let change = Change::planned(&group, wanted, true)?;
        let (engine, own) = (spec.engine.as_deref(), spec.parameter_group.as_deref());
        upgradable(&group, engine, &spec.engine_version, own)?;
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
            failure.context(format!("failed to upgrade replication group \"{}\"", change.group))
        })?;
        Ok(done(outcome, Output::of(change)))
    }
}

fn numbers(version: &str) -> Option<Vec<u32>> {
    version.split('.').map(|part| part.parse().ok()).collect()
}

/// Whether there is a way from what the group runs to what is wanted (ElastiCache user guide, engine versions and
/// upgrading: no downgrade, and none from Valkey to Redis OSS).
fn upgradable(
    group: &Group,
    engine: Option<&str>,
    version: &str,
    parameter_group: Option<&str>,
) -> Result<(), Failure> {
    let id = &group.id;
    let wanted = engine.map_or_else(|| group.engine.clone(), str::to_ascii_lowercase);
    let is = group.engine_version().unwrap_or_default().to_owned();
    let crossing = wanted != group.engine;
    if crossing && wanted != "valkey" {
        return Err(Failure::fatal(format!(
            "replication group \"{id}\" runs {}, which cannot become {wanted}",
            group.engine
        ))
        .because("AWS upgrades Redis OSS to Valkey, and not the other way")
        .mend("make a new group, and move the data"));
    }
    let older = numbers(version).zip(numbers(&is)).is_some_and(|(wanted, is)| wanted < is);
    if !crossing && older && !is_version(&is, version) {
        return Err(Failure::fatal(format!(
            "replication group \"{id}\" runs {} {is}, which cannot be downgraded to {version}",
            group.engine
        ))
        .mend("make a new group with the older version from a snapshot that it can read"));
    }
    let major = |version: &str| version.split('.').next().unwrap_or_default().to_owned();
    let own = group.node.as_ref().ok().and_then(|node| node.parameter_group.clone());
    let own = own.filter(|name| !name.starts_with("default."));
    if let (Some(own), None) = (own, parameter_group)
        && (crossing || major(version) != major(&is))
    {
        return Err(Failure::fatal(format!(
            "replication group \"{id}\" has the parameter group \"{own}\", which {wanted} {version} cannot use"
        ))
        .mend(format!(
            "create a parameter group of family {wanted}{} with the same values, and name it as `parameter_group`",
            major(version)
        )));
    }
    Ok(())
}
