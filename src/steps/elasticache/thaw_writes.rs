//! `elasticache.thaw_writes`: gives back what `elasticache.freeze_writes` took.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::access::{self, FrozenUser, Turn, Turned};
use super::freeze_writes;
use super::source::{self, Source};
use crate::engine::journal::Resource;
use crate::engine::{Cx, Failure, Finding};
use crate::permissions::Phases;
use crate::plan::{Effect, Fault, UndoPolicy};
use crate::steps::{Action, Done, Env, Need, Sketch, Step, Touch, action};

/// Gives users of a replication group or serverless cache the right to write back: each gets the exact access string it
/// had before `elasticache.freeze_writes`.
///
/// Use it where a run ends with the source still in service. After an endpoint swap leave the source frozen: whoever
/// still writes to it writes into nowhere. A string that somebody else changed meanwhile is left and reported.
///
/// Undone by freezing the same users again.
///
/// ```yaml
/// - id: thaw
///   elasticache.thaw_writes: { replication_group: prod, users: "${{ steps.freeze.users }}" }
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
// As for `elasticache.freeze_writes`.
#[schemars(extend("allOf" = [{
    "oneOf": [{ "required": ["replication_group"] }, { "required": ["serverless_cache"] }],
}]))]
pub(crate) struct Spec {
    /// The replication group whose writers may write again. Either this or `serverless_cache`.
    #[serde(default)]
    pub(crate) replication_group: Option<String>,
    /// The serverless cache whose writers may write again.
    #[serde(default)]
    pub(crate) serverless_cache: Option<String>,
    /// The users and their access strings, from the `users` output of `elasticache.freeze_writes`.
    pub(crate) users: Vec<FrozenUser>,
}

/// The intent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Prepared {
    /// The name of the replication group or serverless cache.
    group: String,
    users: Vec<FrozenUser>,
    user_groups: Vec<String>,
}

/// Who can write again.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// The ids of the users.
    pub(crate) users: Vec<String>,
}

/// `elasticache.thaw_writes`.
pub(crate) struct ThawWrites;

impl Step for ThawWrites {
    const KIND: &'static str = "elasticache.thaw_writes";
    const SUMMARY: &'static str = "give back the right to write that freeze_writes took";
    const ACTIONS: &'static [Action] = &[
        action(
            "elasticache:DescribeReplicationGroups",
            "replicationgroup:{replication_group}",
            Phases::PLAN_RUN,
        ),
        action(
            "elasticache:DescribeServerlessCaches",
            "serverlesscache:{serverless_cache}",
            Phases::PLAN_RUN,
        ),
        action("elasticache:DescribeUserGroups", "usergroup:*", Phases::RUN_UNDO),
        action("elasticache:DescribeUsers", "user:{users.id}", Phases::RUN_UNDO),
        action("elasticache:ModifyUser", "user:{users.id}", Phases::RUN_UNDO),
    ];
    const EFFECT: Effect = Effect::Mutates(UndoPolicy::Undo);
    const TIMEOUT: Duration = Duration::from_secs(30 * 60);
    const EXPECTED: Duration = Duration::from_secs(60);
    const RESUMES_WRITES: bool = true;

    type Spec = Spec;
    type Prepared = Prepared;
    type Output = Output;

    fn check(args: &Value) -> Vec<Fault> {
        Source::faults(args)
    }

    fn sketch(args: &Value) -> Sketch {
        Sketch {
            does: format!("let the users of {} write again", source::shown(args)),
            undo: Some("take the right to write from the same users again".to_owned()),
            loses: None,
        }
    }

    fn touches(args: &Value) -> Vec<Touch> {
        let source = source::shown(args);
        vec![Touch::changes(format!("access strings of the ElastiCache users of {source}"))]
    }

    fn needs(args: &Value) -> Vec<Need> {
        Source::needs(args)
    }

    async fn preflight(env: &Env, args: &Value, _cx: &Cx) -> Vec<Finding> {
        let Some(source) = Source::known(args) else {
            return vec![Finding::cannot_know("source.writers", "the source is not known yet")];
        };
        match source.access(env).await {
            Ok(_) => Vec::new(),
            Err(failure) => vec![Finding::of("source.writers", &failure)],
        }
    }

    async fn prepare(
        env: &Env,
        spec: &Spec,
        _cx: &Cx,
    ) -> Result<(Prepared, Vec<Resource>), Failure> {
        let source =
            Source::of(spec.replication_group.as_deref(), spec.serverless_cache.as_deref())?;
        let user_groups = source.access(env).await?.user_groups;
        let resources = spec.users.iter().map(|user| user.resource(env)).collect();
        let group = source.name().to_owned();
        Ok((Prepared { group, users: spec.users.clone(), user_groups }, resources))
    }

    async fn execute(
        env: &Env,
        _spec: &Spec,
        prepared: &Prepared,
        cx: &Cx,
    ) -> Result<Done<Output>, Failure> {
        let did = freeze_writes::thaw(env, cx, &prepared.users, &prepared.user_groups).await;
        let did = did.map_err(|failure| {
            failure.context(format!("failed to let writes to \"{}\" go on", prepared.group))
        })?;
        let users = prepared.users.iter().map(|user| user.id.clone()).collect();
        let output = Output { users };
        Ok(if did.is_empty() { Done::Unchanged(output) } else { Done::Changed(output) })
    }

    async fn undo(
        env: &Env,
        _spec: &Spec,
        prepared: &Prepared,
        cx: &Cx,
    ) -> Result<Vec<String>, Failure> {
        let turned = access::turn_all(env, cx, &prepared.users, Turn::Freeze).await?;
        access::wait_groups(env, cx, &prepared.user_groups).await?;
        Ok(turned
            .into_iter()
            .filter(|(_, turned)| *turned == Turned::Changed)
            .map(|(user, _)| format!("took the right to write from user \"{}\" again", user.id))
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_elasticache::Client;
    use aws_sdk_elasticache::operation::describe_replication_groups::DescribeReplicationGroupsOutput;
    use aws_sdk_elasticache::operation::describe_users::DescribeUsersOutput;
    use aws_sdk_elasticache::operation::modify_user::ModifyUserOutput;
    use aws_sdk_elasticache::types::{ReplicationGroup, User};
    use aws_smithy_mocks::mock;
    use serde_json::json;

    use super::*;
    use crate::engine::Class;
    use crate::steps::testing::{self, Rules};

    fn user(access: &str) -> DescribeUsersOutput {
        let user = User::builder().user_id("app").access_string(access).status("active").build();
        DescribeUsersOutput::builder().users(user).build()
    }

    fn spec() -> Spec {
        testing::spec(json!({"replication_group": "prod", "users": [
            {"id": "app", "name": "app", "access_string": "on ~* +@all"}
        ]}))
    }

    fn group() -> aws_smithy_mocks::Rule {
        mock!(Client::describe_replication_groups).then_output(|| {
            let group = ReplicationGroup::builder().replication_group_id("prod").build();
            DescribeReplicationGroupsOutput::builder().replication_groups(group).build()
        })
    }

    #[tokio::test(start_paused = true)]
    async fn the_exact_string_is_put_back() {
        let group = group();
        let users = mock!(Client::describe_users)
            .sequence()
            .output(|| user("on ~* +@all -@write"))
            .output(|| user("on ~* +@all"))
            .repeatedly();
        let users = users.build();
        let modify = mock!(Client::modify_user)
            .match_requests(|r| r.access_string() == Some("on ~* +@all"))
            .then_output(|| ModifyUserOutput::builder().build());
        let env =
            testing::env(Rules { elasticache: vec![&group, &users, &modify], ..Rules::default() });
        let (spec, cx) = (spec(), testing::cx("thaw"));
        let (prepared, _) = ThawWrites::prepare(&env, &spec, &cx).await.unwrap();
        let done = ThawWrites::execute(&env, &spec, &prepared, &cx).await.unwrap();
        assert!(matches!(done, Done::Changed(_)), "{done:?}");
        let again = ThawWrites::execute(&env, &spec, &prepared, &cx).await.unwrap();
        assert!(matches!(again, Done::Unchanged(_)), "{again:?}");
        assert_eq!(modify.num_calls(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_string_somebody_else_changed_is_left() {
        let group = group();
        let users = mock!(Client::describe_users).then_output(|| user("on ~* -@all +@read"));
        let env = testing::env(Rules { elasticache: vec![&group, &users], ..Rules::default() });
        let (spec, cx) = (spec(), testing::cx("thaw"));
        let (prepared, _) = ThawWrites::prepare(&env, &spec, &cx).await.unwrap();
        let failure = ThawWrites::execute(&env, &spec, &prepared, &cx).await.unwrap_err();
        assert_eq!(failure.class, Class::Conflict);
        assert!(failure.to_string().contains("on ~* -@all +@read"), "{failure}");
    }
}
