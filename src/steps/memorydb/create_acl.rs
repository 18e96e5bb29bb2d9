//! `memorydb.create_acl`: who may enter a cluster.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_memorydb::types::{Acl, Tag};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::cluster::{self, LONGEST_CLUSTER_NAME, SERVICE};
use super::made::{self, Made, Prepared};
use crate::engine::journal::Resource;
use crate::engine::{Cx, Failure, Finding};
use crate::permissions::{Foreseen, Phases};
use crate::plan::{Effect, Fault, UndoPolicy};
use crate::steps::creation;
use crate::steps::{Action, Done, Env, Sketch, Step, Touch, action};

/// Users of one ACL (MemoryDB developer guide, quotas).
pub(super) const MOST_USERS: usize = 100;

/// Creates a MemoryDB ACL from users that exist, and waits until it is active.
///
/// A cluster has one ACL: `memorydb.create_cluster` names it, `memorydb.update_cluster` changes it, `memorydb.update_acl`
/// changes who is in it.
///
/// ```yaml
/// - id: acl
///   memorydb.create_acl:
///     name: prod-app
///     users: ["${{ steps.app.name }}", "${{ steps.reader.name }}"]
/// ```
///
/// An ACL of that name fails the step, unless this run made it before its answer was lost. With `adopt: true` one with just
/// these users is taken as it is, and a rollback leaves it.
///
/// Undone by deleting the ACL, if it is this run's own. No cluster may use it then.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// Its name: at most 40 letters, digits and hyphens; stored in lower case.
    name: String,
    /// The names of its users, 1 to 100.
    #[schemars(length(min = 1, max = 100))]
    users: Vec<String>,
    /// Whether an ACL that is there already is taken as it is.
    #[serde(default)]
    adopt: bool,
}

/// The ACL.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// Its name, in lower case.
    name: String,
    /// Its ARN.
    arn: String,
    /// The names of its users, sorted.
    users: Vec<String>,
}

/// `memorydb.create_acl`.
pub(crate) struct CreateAcl;

/// Names as MemoryDB stores them, each once.
pub(super) fn folded(users: &[String]) -> BTreeSet<String> {
    users.iter().map(|user| user.to_ascii_lowercase()).collect()
}

fn listed(users: &BTreeSet<String>) -> String {
    users.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

impl Made for Spec {
    type Found = Acl;
    const WHAT: &'static str = "MemoryDB ACL";
    const ARN: &'static str = "acl";
    const LONGEST: usize = LONGEST_CLUSTER_NAME;

    fn name(&self) -> &str {
        &self.name
    }

    fn adopts(&self) -> bool {
        self.adopt
    }

    async fn find(env: &Env, name: &str) -> Result<Option<Acl>, Failure> {
        cluster::acl(env, name).await
    }

    fn status(found: &Acl) -> Option<&str> {
        found.status()
    }

    async fn differences(&self, _env: &Env, found: &Acl) -> Result<Vec<String>, Failure> {
        let (shown, wanted) = (folded(found.user_names()), folded(&self.users));
        Ok(made::differ("users", &listed(&wanted), &listed(&shown)).into_iter().collect())
    }

    async fn create(&self, env: &Env, cx: &Cx, name: &str, tags: Vec<Tag>) -> Result<(), Failure> {
        let users = folded(&self.users).into_iter().collect();
        let request = env.aws.memorydb.create_acl().acl_name(name).set_user_names(Some(users));
        let request = request.set_tags(Some(tags));
        let asked = creation::ask(cx, env.aws.change(SERVICE, "CreateACL", request.send())).await;
        asked.map(drop).map_err(|failure| match failure.code() {
            Some("UserNotFoundFault") => {
                failure.mend("make its users first: `memorydb.create_user`")
            }
            _ => failure,
        })
    }

    async fn delete(env: &Env, name: &str) -> Result<(), Failure> {
        let request = env.aws.memorydb.delete_acl().acl_name(name);
        env.aws.change(SERVICE, "DeleteACL", request.send()).await.map(drop)
    }
}

/// What can be said against names of users, as far as they are known.
pub(super) fn user_faults(args: &Value, key: &str) -> Vec<Fault> {
    let users = args[key].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut faults = Vec::new();
    if users.len() > MOST_USERS {
        let fault = Fault::new(format!("an ACL has at most {MOST_USERS} users")).key(key);
        faults.push(fault.mend("leave some out"));
    }
    for (index, user) in users.iter().enumerate() {
        if user.as_str().is_some_and(|user| user.eq_ignore_ascii_case("default")) {
            let fault = Fault::new("only the ACL open-access has the user `default`");
            faults.push(fault.key(key).item(index).mend("name another user"));
        }
    }
    faults
}

impl Step for CreateAcl {
    const KIND: &'static str = "memorydb.create_acl";
    const SUMMARY: &'static str = "create a MemoryDB ACL from users";
    const ACTIONS: &'static [Action] = &[
        action("memorydb:DescribeACLs", "acl/{name}", Phases::ALL),
        action("memorydb:ListTags", "acl/{name}", Phases::RUN_UNDO),
        action("memorydb:CreateACL", "user/{users}", Phases::RUN),
        action("memorydb:TagResource", "acl/{name}", Phases::RUN),
        action("memorydb:DeleteACL", "acl/{name}", Phases::UNDO),
    ];
    const OUTPUTS: &'static [Foreseen] = &[("name", "{name:lower}")];
    const EFFECT: Effect = Effect::Mutates(UndoPolicy::Undo);
    const TIMEOUT: Duration = Duration::from_secs(30 * 60);
    const EXPECTED: Duration = Duration::from_secs(60);

    type Spec = Spec;
    type Prepared = Prepared;
    type Output = Output;

    fn check(args: &Value) -> Vec<Fault> {
        let mut faults = creation::name_faults(args, "name", "ACL name", LONGEST_CLUSTER_NAME);
        if args["name"].as_str().is_some_and(|name| name.eq_ignore_ascii_case(cluster::OPEN_ACCESS))
        {
            let fault = Fault::new("every account has the ACL open-access already").key("name");
            faults.push(fault.mend("choose another name"));
        }
        faults.extend(user_faults(args, "users"));
        faults
    }

    fn sketch(args: &Value) -> Sketch {
        let name = args["name"].as_str().map_or("…".to_owned(), str::to_ascii_lowercase);
        let users = args["users"].as_array().map(Vec::as_slice).unwrap_or_default();
        let users: Vec<&str> = users.iter().map(|user| user.as_str().unwrap_or("…")).collect();
        Sketch {
            does: format!("create MemoryDB ACL \"{name}\" of users {}", users.join(", ")),
            undo: Some("delete the ACL".to_owned()),
            loses: None,
        }
    }

    fn touches(args: &Value) -> Vec<Touch> {
        let name = args["name"].as_str().map_or("…".to_owned(), str::to_ascii_lowercase);
        vec![Touch::creates(format!("MemoryDB ACL \"{name}\""))]
    }

    async fn preflight(env: &Env, args: &Value, _cx: &Cx) -> Vec<Finding> {
        let Some(name) = args["name"].as_str() else { return Vec::new() };
        let users = args["users"].as_array().into_iter().flatten();
        let users = users.map(|user| user.as_str().unwrap_or("(made by this run)").to_owned());
        let spec = Spec {
            name: name.to_owned(),
            users: users.collect(),
            adopt: args["adopt"].as_bool().unwrap_or(false),
        };
        vec![made::finding(env, &spec).await]
    }

    async fn prepare(
        env: &Env,
        spec: &Spec,
        cx: &Cx,
    ) -> Result<(Prepared, Vec<Resource>), Failure> {
        made::prepare(env, spec, cx).await
    }

    async fn execute(
        env: &Env,
        spec: &Spec,
        prepared: &Prepared,
        cx: &Cx,
    ) -> Result<Done<Output>, Failure> {
        let output = |found: &Acl| Output {
            name: prepared.name.clone(),
            arn: prepared.arn.clone(),
            users: folded(found.user_names()).into_iter().collect(),
        };
        made::execute(env, spec, prepared, cx, output).await
    }

    async fn undo(
        env: &Env,
        _spec: &Spec,
        prepared: &Prepared,
        cx: &Cx,
    ) -> Result<Vec<String>, Failure> {
        made::undo::<Spec>(env, prepared, cx).await
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_memorydb::Client;
    use aws_sdk_memorydb::error::ErrorMetadata;
    use aws_sdk_memorydb::operation::create_acl::{CreateACLError, CreateAclOutput};
    use aws_sdk_memorydb::operation::delete_acl::DeleteAclOutput;
    use aws_sdk_memorydb::operation::describe_acls::DescribeAcLsOutput;
    use aws_sdk_memorydb::operation::list_tags::ListTagsOutput;
    use aws_sdk_memorydb::types::error::UserNotFoundFault;
    use aws_smithy_mocks::mock;
    use serde_json::json;

    use super::*;
    use crate::steps::testing::{self, Rules};

    fn shown() -> DescribeAcLsOutput {
        let acl = Acl::builder().name("team").status("active").user_names("app").user_names("ops");
        DescribeAcLsOutput::builder().acls(acl.build()).build()
    }

    fn nothing() -> DescribeAcLsOutput {
        DescribeAcLsOutput::builder().build()
    }

    fn own() -> ListTagsOutput {
        let tags = testing::own_tags("team");
        let tags = tags.iter().map(|(k, v)| Tag::builder().key(*k).value(v).build()).collect();
        ListTagsOutput::builder().set_tag_list(Some(tags)).build()
    }

    fn spec() -> Spec {
        testing::spec(json!({"name": "Team", "users": ["ops", "App", "app"]}))
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_made_of_its_users_once_each_and_goes_again() {
        let describe = mock!(Client::describe_acls)
            .sequence()
            .output(nothing)
            .times(2)
            .output(shown)
            .times(2)
            .output(nothing)
            .times(9)
            .build();
        let create = mock!(Client::create_acl)
            .match_requests(|r| {
                r.acl_name() == Some("team")
                    && r.user_names() == ["app", "ops"]
                    && r.tags().len() == 3
            })
            .then_output(|| CreateAclOutput::builder().build());
        let delete = mock!(Client::delete_acl)
            .match_requests(|r| r.acl_name() == Some("team"))
            .then_output(|| DeleteAclOutput::builder().build());
        let list = mock!(Client::list_tags).then_output(own);
        let rules = vec![&describe, &create, &delete, &list];
        let env = testing::env(Rules { memorydb: rules, ..Rules::default() });
        let mut cx = testing::cx("team");
        let (prepared, _) = CreateAcl::prepare(&env, &spec(), &cx).await.unwrap();
        let done = CreateAcl::execute(&env, &spec(), &prepared, &cx).await.unwrap();
        let Done::Changed(output) = done else { panic!("{done:?}") };
        assert_eq!(output.users, ["app", "ops"]);
        cx.note = Some(json!({"call": "taken"}));
        let did = CreateAcl::undo(&env, &spec(), &prepared, &cx).await.unwrap();
        assert_eq!(did, ["deleted MemoryDB ACL \"team\""]);
        assert_eq!((create.num_calls(), delete.num_calls()), (1, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_user_who_is_not_there_is_to_be_made_first() {
        let describe = mock!(Client::describe_acls).then_output(nothing);
        let create = mock!(Client::create_acl).then_error(|| {
            let meta = ErrorMetadata::builder().code("UserNotFoundFault").build();
            CreateACLError::UserNotFoundFault(UserNotFoundFault::builder().meta(meta).build())
        });
        let env = testing::env(Rules { memorydb: vec![&describe, &create], ..Rules::default() });
        let cx = testing::cx("team");
        let (prepared, _) = CreateAcl::prepare(&env, &spec(), &cx).await.unwrap();
        let failure = CreateAcl::execute(&env, &spec(), &prepared, &cx).await.unwrap_err();
        let mend = failure.mend.unwrap_or_default();
        assert!(mend.contains("memorydb.create_user"), "{mend}");
    }
}
