//! `elasticache.delete_replication_group`: removes a group, keeping its data and what it was like.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_elasticache::types::{CacheCluster, ReplicationGroup, Tag};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::look::{self, LONGEST_SNAPSHOT_NAME, SERVICE};
use super::modify_replication_group::{needs, unknown};
use super::recorded::Recorded;
use crate::aws::{Op, call, elasticache_arn, found};
use crate::cost::CostEffect;
use crate::engine::journal::{Resource, Role};
use crate::engine::{Class, Cx, Failure, Finding, GONE, Seen, States, Wait};
use crate::permissions::{Foreseen, Phases};
use crate::plan::{Effect, Fault, UndoPolicy};
use crate::steps::creation;
use crate::steps::{Action, Cargo, Done, Env, Need, Sketch, Step, Touch, action, ownership};

const SNAPSHOT_STATES: States = States {
    pending: &["creating", "copying", "restoring", "exporting"],
    success: &["available"],
    terminal: &["failed", "deleting"],
};
const GONE_STATES: States = States {
    pending: &["deleting", "available", "modifying", "snapshotting", "create-failed"],
    success: &[GONE],
    terminal: &[],
};
const EXPECTED: Duration = Duration::from_secs(12 * 60);

/// Deletes an ElastiCache replication group, and waits until it is gone.
///
/// `final_snapshot` keeps its data: AWS takes a last snapshot under that name before it deletes. The step writes into that
/// snapshot's tags what the group was like (node type, parameters, networks, users, windows, endpoint) and the group's
/// own tags, so that `elasticache.create_replication_group` with `as_recorded: true` makes it again from the snapshot and
/// nothing else. A group with an AUTH token is refused, since the token cannot be read back, unless `accept_lost_auth_token`
/// says that it may be lost: a group that is made again needs users then. Automatic snapshots are deleted with the group by
/// AWS; manual ones stay.
///
/// Without `final_snapshot` the data is gone; that has to be accepted by name, `accept_data_loss_of: <group>`.
///
/// A group that is busy is waited for. One that is not there fails the step, and so does one that somebody has made since the
/// run began: what is deleted is what the plan has shown. Stop the writers first: writes made after the
/// snapshot are lost.
///
/// No rollback runs this step back by itself: make the group again from its final snapshot.
///
/// ```yaml
/// - id: remove
///   elasticache.delete_replication_group: { replication_group: prod, final_snapshot: prod-last }
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// The replication group.
    pub(crate) replication_group: String,
    /// The name of the snapshot to keep. At most 40 letters, digits and hyphens.
    #[serde(default)]
    pub(crate) final_snapshot: Option<String>,
    /// Whether a group may go whose AUTH token nobody can read back. Everything else is written down.
    #[serde(default)]
    pub(crate) accept_lost_auth_token: bool,
    /// Deletes the data too. Must be the group's name.
    #[serde(default)]
    pub(crate) accept_data_loss_of: Option<String>,
}

/// The intent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Prepared {
    group: String,
    /// When the group that is meant was created. Another group of its name is another group.
    created: Option<i64>,
    final_snapshot: Option<String>,
    /// The tags that the snapshot gets.
    record: BTreeMap<String, String>,
    endpoint: String,
}

/// The group that is gone.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// Its id.
    pub(crate) replication_group: String,
    /// The snapshot that was kept; "" if none.
    pub(crate) final_snapshot: String,
    /// Where it was reached, as `host:port`.
    pub(crate) endpoint: String,
}

/// `elasticache.delete_replication_group`.
pub(crate) struct DeleteReplicationGroup;

impl Step for DeleteReplicationGroup {
    const KIND: &'static str = "elasticache.delete_replication_group";
    const SUMMARY: &'static str =
        "delete a replication group, with a final snapshot that tells what it was like";
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
            "elasticache:ListTagsForResource",
            "replicationgroup:{replication_group}",
            Phases::PLAN_RUN,
        )
        .when("final_snapshot"),
        action("elasticache:DescribeSnapshots", "snapshot:{final_snapshot}", Phases::PLAN_RUN),
        action(
            "elasticache:DeleteReplicationGroup",
            "replicationgroup:{replication_group}",
            Phases::RUN,
        ),
        action("elasticache:DeleteReplicationGroup", "snapshot:{final_snapshot}", Phases::RUN),
        // Asked for when a final snapshot is (ElastiCache API reference, DeleteReplicationGroup).
        action("elasticache:CreateSnapshot", "replicationgroup:{replication_group}", Phases::RUN)
            .when("final_snapshot"),
        action("elasticache:CreateSnapshot", "snapshot:{final_snapshot}", Phases::RUN),
        action("elasticache:ListTagsForResource", "snapshot:{final_snapshot}", Phases::RUN),
        action("elasticache:AddTagsToResource", "snapshot:{final_snapshot}", Phases::RUN),
    ];
    const OUTPUTS: &'static [Foreseen] = &[("final_snapshot", "{final_snapshot:lower}")];
    const EFFECT: Effect = Effect::Mutates(UndoPolicy::Manual(std::borrow::Cow::Borrowed(
        "make the group again from its final snapshot: elasticache.create_replication_group with `from_snapshot` and \
         `as_recorded: true`, as unpark.yaml does",
    )));
    const TIMEOUT: Duration = Duration::from_secs(4 * 3600);
    const EXPECTED: Duration = EXPECTED;

    type Spec = Spec;
    type Prepared = Prepared;
    type Output = Output;

    fn check(args: &Value) -> Vec<Fault> {
        let mut faults: Vec<Fault> =
            creation::empty_fault(args, "replication_group").into_iter().collect();
        let (what, longest) = ("final snapshot name", LONGEST_SNAPSHOT_NAME);
        faults.extend(creation::name_faults(args, "final_snapshot", what, longest));
        let given = |key: &str| args.get(key).is_some();
        match (given("final_snapshot"), given("accept_data_loss_of")) {
            (false, false) => faults.push(
                Fault::new("neither a final snapshot is named nor the loss of the data accepted")
                    .mend("name a `final_snapshot`; to delete the data, name the group as `accept_data_loss_of`"),
            ),
            (true, true) => faults.push(
                Fault::new("a final snapshot is named, and the loss of the data accepted")
                    .key("accept_data_loss_of")
                    .mend("give one of the two"),
            ),
            _ => {}
        }
        if let (Some(group), Some(named)) =
            (args["replication_group"].as_str(), args["accept_data_loss_of"].as_str())
            && !group.eq_ignore_ascii_case(named)
        {
            faults.push(
                Fault::new(format!(
                    "`accept_data_loss_of` says \"{named}\", the group is \"{group}\""
                ))
                .key("accept_data_loss_of")
                .mend(format!("write {group} if its data is to be deleted")),
            );
        }
        faults
    }

    fn sketch(args: &Value) -> Sketch {
        let group = args["replication_group"].as_str().unwrap_or("…");
        let kept = args.get("final_snapshot").is_some();
        let snapshot = args["final_snapshot"].as_str().unwrap_or("…");
        Sketch {
            does: match kept {
                true => format!(
                    "delete replication group \"{group}\", with final snapshot \"{snapshot}\""
                ),
                false => format!("delete replication group \"{group}\" AND ITS DATA"),
            },
            undo: None,
            loses: Some(match kept {
                true => {
                    format!("replication group \"{group}\"; its data stays in the final snapshot")
                }
                false => {
                    format!("replication group \"{group}\" and all its data; accepted by name")
                }
            }),
        }
    }

    fn touches(args: &Value) -> Vec<Touch> {
        let group = args["replication_group"].as_str().unwrap_or("…");
        let snapshot = args["final_snapshot"].as_str();
        let mut touches = vec![Touch::deletes(format!("replication group \"{group}\""))];
        touches.extend(snapshot.map(|s| Touch::creates(format!("ElastiCache snapshot \"{s}\""))));
        touches
    }

    fn costs(args: &Value, _cargo: Cargo) -> Vec<CostEffect> {
        let kept = args.get("final_snapshot").is_some();
        kept.then_some(CostEffect::ElastiCacheSnapshot { bytes: None }).into_iter().collect()
    }

    fn needs(args: &Value) -> Vec<Need> {
        needs(args)
    }

    async fn preflight(env: &Env, args: &Value, _cx: &Cx) -> Vec<Finding> {
        let Some(id) = args["replication_group"].as_str() else { return vec![unknown()] };
        let group = match env.survey.group(id).await {
            Ok(group) => group,
            Err(failure) => return vec![Finding::of("group.state", &failure)],
        };
        let Some(group) = group.as_ref() else {
            return vec![Finding::of("group.state", &nobody(id))];
        };
        let mut findings = vec![match super::group::at_rest(group) {
            Ok(()) => {
                Finding::ok("group.state", format!("replication group \"{id}\" is available"))
            }
            Err(failure) if failure.class == Class::Busy => {
                Finding::cannot_know("group.state", failure.to_string())
                    .mend(super::group::waits(env, id))
            }
            Err(failure) => Finding::of("group.state", &failure),
        }];
        if let Err(failure) = &group.node {
            findings.push(Finding::of("group.state", failure));
        }
        let Some(snapshot) = args["final_snapshot"].as_str() else { return findings };
        findings.push(match look::snapshot(env, &snapshot.to_ascii_lowercase()).await {
            Ok(None) => {
                Finding::ok("snapshot.name", format!("no snapshot is called \"{snapshot}\" yet"))
            }
            Ok(Some(_)) => Finding::of("snapshot.name", &taken(snapshot)),
            Err(failure) => Finding::of("snapshot.name", &failure),
        });
        let without_token = args["accept_lost_auth_token"].as_bool() == Some(true);
        findings.push(match record(env, id, without_token).await {
            Ok(_) => Finding::ok(
                "group.record",
                "what the group is like fits into the tags of its last snapshot",
            ),
            Err(failure) => Finding::of("group.record", &failure),
        });
        findings
    }

    async fn prepare(
        env: &Env,
        spec: &Spec,
        cx: &Cx,
    ) -> Result<(Prepared, Vec<Resource>), Failure> {
        let id = spec.replication_group.to_ascii_lowercase();
        let name = |name: &String| {
            creation::checked_name("final snapshot name", name, LONGEST_SNAPSHOT_NAME)
        };
        let final_snapshot = spec.final_snapshot.as_ref().map(name).transpose()?;
        let accepted =
            spec.accept_data_loss_of.as_ref().is_some_and(|n| n.eq_ignore_ascii_case(&id));
        if final_snapshot.is_none() && !accepted {
            return Err(Failure::fatal(format!("the data of replication group \"{id}\" would be gone"))
                .mend("name a `final_snapshot`; to delete the data, name the group as `accept_data_loss_of`"));
        }
        // One "not found" may come from before the group was made, or while it is busy.
        let group = creation::until_visible(cx, || look::group(env, &id)).await?;
        let mut prepared = Prepared {
            group: id.clone(),
            created: None,
            final_snapshot,
            record: BTreeMap::new(),
            endpoint: String::new(),
        };
        // Nobody is to believe that it was parked, or its data kept, because a name was misspelt.
        let group = group.ok_or_else(|| nobody(&id))?;
        at_rest(&group, &id)?;
        later_than_the_run(env, cx, &group, &id).await?;
        prepared.created = Some(created(&group));
        prepared.endpoint = look::endpoint(&group).unwrap_or_default();
        let resource = |what: &str, kind: &str, name: &str, role| Resource {
            what: what.to_owned(),
            name: name.to_owned(),
            arn: Some(elasticache_arn(&env.identity, kind, name)),
            role,
        };
        let mut resources =
            vec![resource("replication group", "replicationgroup", &id, Role::Deletes)];
        if let Some(snapshot) = &prepared.final_snapshot {
            if look::snapshot(env, snapshot).await?.is_some() {
                return Err(taken(snapshot));
            }
            prepared.record = record(env, &id, spec.accept_lost_auth_token).await?.tags();
            resources.push(resource("ElastiCache snapshot", "snapshot", snapshot, Role::Creates));
        }
        Ok((prepared, resources))
    }

    async fn execute(
        env: &Env,
        _spec: &Spec,
        prepared: &Prepared,
        cx: &Cx,
    ) -> Result<Done<Output>, Failure> {
        let id = &prepared.group;
        let what = || format!("failed to delete replication group \"{id}\"");
        let output = Output {
            replication_group: id.clone(),
            final_snapshot: prepared.final_snapshot.clone().unwrap_or_default(),
            endpoint: prepared.endpoint.clone(),
        };
        let Some(meant) = prepared.created else { return Ok(Done::Unchanged(output)) };
        let asked = creation::call_state(cx);
        let found = match asked {
            creation::Call::Over => None,
            _ => creation::until_visible(cx, || look::group(env, id)).await?,
        };
        let found = found.filter(|group| created(group) == meant);
        if let Some(group) = &found {
            delete(env, cx, prepared, group).await.map_err(|f| f.context(what()))?;
        }
        if let Some(snapshot) = &prepared.final_snapshot {
            wait_kept(env, cx, snapshot).await.map_err(|f| f.context(what()))?;
            write_down(env, snapshot, &prepared.record).await?;
        }
        if found.is_some() {
            wait_gone(env, cx, id, meant).await.map_err(|f| f.context(what()))?;
            creation::note_call(cx, creation::Call::Over).await?;
        }
        Ok(if found.is_some() { Done::Changed(output) } else { Done::Adopted(output) })
    }
}

fn nobody(id: &str) -> Failure {
    Failure::new(Class::NotFound, format!("there is no replication group \"{id}\""))
        .mend("see whether the name is right; if it was deleted before, there is nothing to do")
}

/// Refuses a group that somebody made after the run began: whoever read the plan has not seen it.
async fn later_than_the_run(
    env: &Env,
    cx: &Cx,
    group: &ReplicationGroup,
    id: &str,
) -> Result<(), Failure> {
    let began = cx.began.as_second();
    if group.replication_group_create_time().is_none_or(|at| at.secs() <= began) {
        return Ok(());
    }
    let arn = elasticache_arn(&env.identity, "replicationgroup", id);
    let tags = tags(env, &arn).await?;
    if ownership::is_ours(cx, tags.iter().map(|(key, value)| (key.as_str(), value.as_str()))) {
        return Ok(());
    }
    Err(Failure::new(
        Class::Conflict,
        format!("replication group \"{id}\" was made after this run began, and not by it"),
    )
    .mend("nothing was deleted; if it is to go, begin a new run, whose plan shows it"))
}

fn taken(snapshot: &str) -> Failure {
    Failure::new(Class::Conflict, format!("a snapshot \"{snapshot}\" exists already"))
        .mend("choose another `final_snapshot`, or delete that one if it is not needed")
}

fn created(group: &ReplicationGroup) -> i64 {
    group.replication_group_create_time().map_or(0, aws_smithy_types::DateTime::secs)
}

fn at_rest(group: &ReplicationGroup, id: &str) -> Result<(), Failure> {
    match group.status().unwrap_or("unknown").to_ascii_lowercase().as_str() {
        "available" | "create-failed" | "deleting" => Ok(()),
        status => Err(Failure::new(
            Class::Busy,
            format!("replication group \"{id}\" is {status}; it can be deleted after that"),
        )),
    }
}

/// What the group is like, read anew.
async fn record(env: &Env, id: &str, without_token: bool) -> Result<Recorded, Failure> {
    let group = look::need_group(env, id).await?;
    let node = match group.member_clusters().first() {
        None => None,
        Some(member) => Some(first_node(env, member).await?),
    };
    let arn = elasticache_arn(&env.identity, "replicationgroup", id);
    Recorded::of(&group, node.as_ref(), tags(env, &arn).await?, without_token)
}

/// A node that the group lists. Not to be found is what ElastiCache answers of what it is working on: without the node its
/// parameters and networks would go unrecorded.
async fn first_node(env: &Env, id: &str) -> Result<CacheCluster, Failure> {
    let request = env.aws.elasticache.describe_cache_clusters().cache_cluster_id(id);
    let answer = found(call(Op::read(SERVICE, "DescribeCacheClusters"), request.send()).await)?;
    answer.and_then(|answer| answer.cache_clusters?.into_iter().next()).ok_or_else(|| {
        Failure::new(Class::Busy, format!("node \"{id}\" of the group is not shown now"))
    })
}

/// The tags of a resource.
pub(super) async fn tags(env: &Env, arn: &str) -> Result<BTreeMap<String, String>, Failure> {
    let request = env.aws.elasticache.list_tags_for_resource().resource_name(arn);
    let answer = call(Op::read(SERVICE, "ListTagsForResource"), request.send()).await;
    let answer = answer.map_err(|mut failure| {
        // ElastiCache answers "not found" for the tags of what it is working on.
        if failure.class == Class::NotFound {
            failure.class = Class::Busy;
        }
        failure.context(format!("could not read the tags of {arn}"))
    })?;
    let pair =
        |tag: &Tag| Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned()));
    Ok(answer.tag_list().iter().filter_map(pair).collect())
}

async fn delete(
    env: &Env,
    cx: &Cx,
    prepared: &Prepared,
    group: &ReplicationGroup,
) -> Result<(), Failure> {
    let id = &prepared.group;
    at_rest(group, id)?;
    if group.status().is_some_and(|status| status.eq_ignore_ascii_case("deleting")) {
        return Ok(());
    }
    let request = env
        .aws
        .elasticache
        .delete_replication_group()
        .replication_group_id(id)
        .retain_primary_cluster(false)
        .set_final_snapshot_identifier(prepared.final_snapshot.clone());
    let begun = creation::call_state(cx) != creation::Call::Never;
    let answer = env.aws.change(SERVICE, "DeleteReplicationGroup", request.send());
    creation::ask(cx, answer).await.map_err(creation::not_deleted).map_err(|mut failure| {
        // The snapshot that is in the way is the one that an earlier call began.
        if begun && failure.class == Class::Conflict {
            failure.class = Class::Busy;
        }
        failure
    })?;
    creation::note_call(cx, creation::Call::Taken).await
}

async fn wait_kept(env: &Env, cx: &Cx, snapshot: &str) -> Result<(), Failure> {
    let wait = Wait {
        subject: format!("final snapshot \"{snapshot}\""),
        service: SERVICE,
        states: SNAPSHOT_STATES,
        expected: Duration::from_secs(8 * 60),
    };
    let ticket = env.snapshots.join();
    let look = || async {
        let found = look::waited_snapshot(env, cx, &ticket, snapshot).await?;
        Ok(found.map_or_else(Seen::gone, |s| Seen::state(s.snapshot_status().unwrap_or("unknown"))))
    };
    cx.wait(&wait, look, || async { None }).await.map(drop)
}

/// Writes what the group was like into the snapshot's tags, unless that is there.
async fn write_down(
    env: &Env,
    snapshot: &str,
    record: &BTreeMap<String, String>,
) -> Result<(), Failure> {
    let arn = elasticache_arn(&env.identity, "snapshot", snapshot);
    let there = tags(env, &arn).await?;
    let missing = record.iter().filter(|(key, value)| there.get(*key) != Some(*value));
    let tag = |(key, value): (&String, &String)| Tag::builder().key(key).value(value).build();
    let missing: Vec<Tag> = missing.map(tag).collect();
    if missing.is_empty() {
        return Ok(());
    }
    // The group may be gone by now, so that nobody could read them again. Tags hold no quotes (ElastiCache user guide).
    let by_hand: Vec<String> =
        record.iter().map(|(key, value)| format!("'Key={key},Value={value}'")).collect();
    let by_hand = format!(
        "write them by hand, or the group cannot be made again as it was: `aws elasticache add-tags-to-resource --region {} \
         --resource-name {arn} --tags {}`",
        env.identity.region,
        by_hand.join(" ")
    );
    let request = env.aws.elasticache.add_tags_to_resource().resource_name(&arn);
    let request = request.set_tags(Some(missing));
    let answer = env.aws.change(SERVICE, "AddTagsToResource", request.send()).await;
    answer.map(drop).map_err(|failure| {
        failure
            .context(format!(
                "could not write down in the tags of \"{snapshot}\" what the group was like"
            ))
            .mend(by_hand)
    })
}

async fn wait_gone(env: &Env, cx: &Cx, id: &str, meant: i64) -> Result<(), Failure> {
    let wait = Wait {
        subject: format!("replication group \"{id}\""),
        service: SERVICE,
        states: GONE_STATES,
        expected: EXPECTED,
    };
    let look = || async {
        let found = creation::unless_gone(cx, || look::group(env, id)).await?;
        let found = found.filter(|group| created(group) == meant);
        Ok(found.map_or_else(Seen::gone, |g| Seen::state(g.status().unwrap_or("unknown"))))
    };
    cx.wait(&wait, look, || async { None }).await.map(drop)
}
