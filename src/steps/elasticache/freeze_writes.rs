//! `elasticache.freeze_writes`: nobody writes to the source any more, or the playbook accepts what is lost.

use std::collections::BTreeSet;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::access::{self, FrozenUser, Turn, Turned};
use super::source::{self, Source};
use crate::engine::journal::Resource;
use crate::engine::{Class, Cx, Failure, Finding};
use crate::permissions::Phases;
use crate::plan::{Effect, Fault, UndoPolicy};
use crate::steps::{Action, Done, Env, Need, Sketch, Step, Touch, action};

/// A replica may trail its primary; its own lag is not asked for. The metric ReplicationLag is in seconds, and well
/// below this in health (ElastiCache user guide, metrics).
const SETTLE: Duration = Duration::from_secs(10);

/// Takes the right to write away from every RBAC user of a replication group or serverless cache, so that a snapshot
/// taken afterwards misses nothing.
///
/// Each user that may write gets its own access string with ` -@write` behind it. That takes effect on open connections
/// too, and also stops writes from scripts and functions, since the server checks the commands inside them. Reads go on;
/// keys still expire. Clients see `NOPERM` on writes until the endpoint is switched or writes are thawed: plan for it.
///
/// **Undone** by putting back the exact access strings, also by `elasticache.thaw_writes`. A string that somebody else
/// changed meanwhile is left and reported.
///
/// A source **without RBAC** (an AUTH token, or no authentication) has no users to change. Then stop the writers yourself
/// and say so by name, `accept_lost_writes_of: <source>`, or move it to RBAC first. The same argument accepts the loss
/// where writers cannot be stopped at all: **every write made after a shard's snapshot is lost then**.
///
/// Users that other replication groups or serverless caches share would be frozen there as well. That is refused unless
/// `also_freezes` names those. The user with the id `default`, which ElastiCache makes, cannot be modified: put a user of
/// your own with the name `default` in its place.
///
/// ```yaml
/// - id: freeze
///   elasticache.freeze_writes: { replication_group: prod }
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
// Inside `allOf`, where the plan's own reading of schemas leaves it alone: `check` says it in better words.
#[schemars(extend("allOf" = [{
    "oneOf": [{ "required": ["replication_group"] }, { "required": ["serverless_cache"] }],
}]))]
pub(crate) struct Spec {
    /// The replication group whose writers are stopped. Either this or `serverless_cache`.
    #[serde(default)]
    pub(crate) replication_group: Option<String>,
    /// The serverless cache whose writers are stopped.
    #[serde(default)]
    pub(crate) serverless_cache: Option<String>,
    /// Changes nothing, and accepts that writes made after each shard's snapshot are lost. Must be the source's name.
    #[serde(default)]
    pub(crate) accept_lost_writes_of: Option<String>,
    /// Other replication groups and serverless caches that share its users, and whose writes may stop too.
    #[serde(default)]
    pub(crate) also_freezes: Vec<String>,
}

/// The intent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Prepared {
    /// The name of the replication group or serverless cache.
    group: String,
    /// Those who may write, as they are now.
    users: Vec<FrozenUser>,
    user_groups: Vec<String>,
    accepted: bool,
}

/// Who cannot write any more.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// Whether writes are stopped; false if their loss was accepted instead.
    pub(crate) frozen: bool,
    /// The users that lost the right to write, with the access strings they had. For `elasticache.thaw_writes`.
    pub(crate) users: Vec<FrozenUser>,
    /// In words, what becomes of writes.
    pub(crate) statement: String,
}

/// `elasticache.freeze_writes`.
pub(crate) struct FreezeWrites;

impl Step for FreezeWrites {
    const KIND: &'static str = "elasticache.freeze_writes";
    const SUMMARY: &'static str =
        "stop writes to a group or serverless cache, or accept by name that they are lost";
    // Which user groups and users a group has is known when the run gets there.
    const ACTIONS: &'static [Action] = &[
        action(
            "elasticache:DescribeReplicationGroups",
            "replicationgroup:{replication_group}",
            Phases::PLAN_RUN,
        )
        .unless("accept_lost_writes_of"),
        action(
            "elasticache:DescribeServerlessCaches",
            "serverlesscache:{serverless_cache}",
            Phases::PLAN_RUN,
        )
        .unless("accept_lost_writes_of"),
        action("elasticache:DescribeUserGroups", "usergroup:*", Phases::ALL)
            .unless("accept_lost_writes_of"),
        action("elasticache:DescribeUsers", "user:*", Phases::ALL).unless("accept_lost_writes_of"),
        action("elasticache:ModifyUser", "user:*", Phases::RUN_UNDO)
            .unless("accept_lost_writes_of"),
    ];
    const EFFECT: Effect = Effect::Mutates(UndoPolicy::Undo);
    const TIMEOUT: Duration = Duration::from_secs(30 * 60);
    const EXPECTED: Duration = Duration::from_secs(60);
    const STOPS_WRITES: bool = true;
    const ACCEPTS_LOSS: Option<&'static str> = Some("accept_lost_writes_of");

    type Spec = Spec;
    type Prepared = Prepared;
    type Output = Output;

    fn check(args: &Value) -> Vec<Fault> {
        Source::faults(args)
    }

    fn sketch(args: &Value) -> Sketch {
        let source = source::shown(args);
        if args["accept_lost_writes_of"].as_str().is_some_and(|name| !name.is_empty()) {
            return Sketch {
                does: format!("stop no writes to {source}"),
                undo: None,
                loses: Some(format!(
                    "writes made to {source} after each shard's snapshot; accepted by name in the playbook"
                )),
            };
        }
        Sketch {
            does: format!("take the right to write from every user of {source}"),
            undo: Some("put the exact access strings back".to_owned()),
            loses: None,
        }
    }

    fn touches(args: &Value) -> Vec<Touch> {
        if args["accept_lost_writes_of"].as_str().is_some_and(|name| !name.is_empty()) {
            return Vec::new();
        }
        let source = source::shown(args);
        vec![Touch::changes(format!("access strings of the ElastiCache users of {source}"))]
    }

    fn needs(args: &Value) -> Vec<Need> {
        Source::needs(args)
    }

    async fn preflight(env: &Env, args: &Value, _cx: &Cx) -> Vec<Finding> {
        let known = Source::known(args).and_then(|_| serde_json::from_value(args.clone()).ok());
        let Some(spec): Option<Spec> = known else {
            return vec![Finding::cannot_know("source.writers", "the source is not known yet")];
        };
        match plan(env, &spec).await {
            Ok(prepared) if prepared.accepted => {
                vec![Finding::ok("source.writers", lost(&prepared.group))]
            }
            Ok(prepared) if prepared.users.is_empty() => {
                vec![Finding::cannot_know(
                    "source.writers",
                    format!(
                        "no user can write to \"{}\" as it is; whether it stays so depends on whoever took the right, perhaps another run",
                        prepared.group
                    ),
                )]
            }
            Ok(prepared) => vec![Finding::ok(
                "source.writers",
                format!(
                    "{} can write to \"{}\" and will lose the right: {}",
                    match prepared.users.len() {
                        1 => "one user".to_owned(),
                        n => format!("{n} users"),
                    },
                    prepared.group,
                    names(&prepared.users)
                ),
            )],
            Err(failure) if failure.class.may_pass() || failure.class == Class::Denied => {
                vec![Finding::cannot_know("source.writers", failure.to_string())]
            }
            Err(failure) => vec![Finding::will_fail(
                "source.writers",
                failure.to_string(),
                failure.mend.clone().unwrap_or_default(),
            )],
        }
    }

    async fn prepare(
        env: &Env,
        spec: &Spec,
        _cx: &Cx,
    ) -> Result<(Prepared, Vec<Resource>), Failure> {
        let prepared = plan(env, spec).await?;
        let resources = prepared.users.iter().map(|user| user.resource(env)).collect();
        Ok((prepared, resources))
    }

    async fn execute(
        env: &Env,
        _spec: &Spec,
        prepared: &Prepared,
        cx: &Cx,
    ) -> Result<Done<Output>, Failure> {
        if prepared.accepted {
            let statement = lost(&prepared.group);
            return Ok(Done::Unchanged(Output { frozen: false, users: Vec::new(), statement }));
        }
        let what = || format!("failed to stop writes to \"{}\"", prepared.group);
        let turned = access::turn_all(env, cx, &prepared.users, Turn::Freeze).await;
        let turned = turned.map_err(|failure| failure.context(what()))?;
        access::wait_groups(env, cx, &prepared.user_groups).await.map_err(|f| f.context(what()))?;
        let changed = turned.iter().any(|(_, turned)| *turned == Turned::Changed);
        if changed {
            cx.sleep(SETTLE).await?;
        }
        let statement = if prepared.users.is_empty() {
            format!(
                "no user of \"{}\" could write in the first place; writes are missing from the copy if somebody gave the right back after the snapshot",
                prepared.group
            )
        } else {
            format!(
                "no user of \"{}\" can write: {} lost the right, so no write after the snapshot can be missing from it",
                prepared.group,
                names(&prepared.users)
            )
        };
        let output = Output { frozen: true, users: prepared.users.clone(), statement };
        Ok(match (changed, prepared.users.is_empty()) {
            (true, _) => Done::Changed(output),
            (false, true) => Done::Unchanged(output),
            (false, false) => Done::Adopted(output),
        })
    }

    async fn undo(
        env: &Env,
        _spec: &Spec,
        prepared: &Prepared,
        cx: &Cx,
    ) -> Result<Vec<String>, Failure> {
        thaw(env, cx, &prepared.users, &prepared.user_groups).await
    }
}

/// Puts the exact strings back, and says for whom.
pub(super) async fn thaw(
    env: &Env,
    cx: &Cx,
    users: &[FrozenUser],
    user_groups: &[String],
) -> Result<Vec<String>, Failure> {
    let turned = access::turn_all(env, cx, users, Turn::Thaw).await?;
    access::wait_groups(env, cx, user_groups).await?;
    Ok(turned
        .into_iter()
        .filter_map(|(user, turned)| match turned {
            Turned::Changed => Some(format!("gave user \"{}\" the right to write back", user.id)),
            Turned::Gone => Some(format!("user \"{}\" is gone; nothing to put back", user.id)),
            Turned::Already | Turned::Foreign(_) => None,
        })
        .collect())
}

fn names(users: &[FrozenUser]) -> String {
    let names: Vec<_> = users.iter().map(|user| user.id.as_str()).collect();
    if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }
}

fn lost(group: &str) -> String {
    format!(
        "writes made to \"{group}\" after each shard's snapshot instant are lost; accepted by name in the playbook"
    )
}

/// Decides who loses the right to write. Reads only.
async fn plan(env: &Env, spec: &Spec) -> Result<Prepared, Failure> {
    let source = Source::of(spec.replication_group.as_deref(), spec.serverless_cache.as_deref())?;
    let id = source.name();
    // A playbook may hand an input through whose default is empty.
    match spec.accept_lost_writes_of.as_deref().filter(|name| !name.is_empty()) {
        Some(name) if name == id => {
            return Ok(Prepared {
                group: id.to_owned(),
                users: Vec::new(),
                user_groups: Vec::new(),
                accepted: true,
            });
        }
        Some(name) => {
            return Err(Failure::fatal(format!(
                "`accept_lost_writes_of` says \"{name}\", but the {} is \"{id}\"",
                source.what()
            ))
            .mend(format!(
                "write accept_lost_writes_of: {id} if losing its writes is meant; leave it out to stop writes"
            )));
        }
        None => {}
    }
    let attached = source.access(env).await?;
    if attached.user_groups.is_empty() {
        return Err(no_rbac(&source, attached.auth_token));
    }
    let (all, others) = access::users_of(env, &source, &attached.user_groups).await?;
    let allowed: BTreeSet<_> = spec.also_freezes.iter().map(|id| id.to_ascii_lowercase()).collect();
    let unforeseen: Vec<_> =
        others.iter().filter(|id| !allowed.contains(&id.to_ascii_lowercase())).cloned().collect();
    if !unforeseen.is_empty() {
        let unforeseen = unforeseen.join(", ");
        return Err(Failure::fatal(format!(
            "the users of \"{id}\" also write to {unforeseen}; writes there would stop too"
        ))
        .mend(format!(
            "give \"{id}\" users and a user group of its own, or allow it: also_freezes: [{unforeseen}]"
        )));
    }
    let mut users = Vec::new();
    for user in all.iter().filter(|user| access::can_write(user)) {
        let user_id = user.user_id().unwrap_or_default();
        let access_string = user.access_string().unwrap_or_default();
        // ElastiCache's own user cannot be modified (ElastiCache user guide, role-based access control).
        if user_id == "default" {
            return Err(Failure::fatal(format!(
                "the user \"default\" of \"{id}\" may write, and ElastiCache does not let anybody modify it"
            ))
            .mend(
                "put another user with the name default, and no right to write, in its place in the user group; or stop \
                 the writers yourself and say accept_lost_writes_of",
            ));
        }
        if access::has_selectors(access_string) {
            return Err(Failure::fatal(format!(
                "user \"{user_id}\" has selectors in its access string, and -@write does not reach into them"
            ))
            .because(access_string.to_owned())
            .mend("take the selectors out of its access string, or stop this user's writers yourself"));
        }
        if user.status().is_some_and(|status| !status.eq_ignore_ascii_case("active")) {
            return Err(Failure::new(
                Class::Busy,
                format!("user \"{user_id}\" is {}", user.status().unwrap_or_default()),
            ));
        }
        users.push(FrozenUser {
            id: user_id.to_owned(),
            name: user.user_name().unwrap_or_default().to_owned(),
            access_string: access_string.to_owned(),
        });
    }
    Ok(Prepared { group: id.to_owned(), users, user_groups: attached.user_groups, accepted: false })
}

fn no_rbac(source: &Source, token: bool) -> Failure {
    let (what, id) = (source.what(), source.name());
    let how = if token { "an AUTH token" } else { "no authentication" };
    let attach = match source {
        Source::Group(_) => "ModifyReplicationGroup UserGroupIdsToAdd",
        Source::Cache(_) => "ModifyServerlessCache UserGroupId",
    };
    Failure::fatal(format!("{what} \"{id}\" has no RBAC users whose writes could be stopped"))
        .because(format!("it uses {how}, and no user group is attached"))
        .mend(format!(
            "stop the writers yourself and say so with accept_lost_writes_of: {id}, or attach a user group to \"{id}\" \
             ({attach}) and run again"
        ))
}

#[cfg(test)]
mod tests;
