//! Who is frozen, who is not, and that exact strings come back, against mocked clients.

use std::sync::{Arc, Mutex};

use aws_sdk_elasticache::Client;
use aws_sdk_elasticache::operation::describe_replication_groups::DescribeReplicationGroupsOutput;
use aws_sdk_elasticache::operation::describe_serverless_caches::DescribeServerlessCachesOutput;
use aws_sdk_elasticache::operation::describe_user_groups::DescribeUserGroupsOutput;
use aws_sdk_elasticache::operation::describe_users::DescribeUsersOutput;
use aws_sdk_elasticache::operation::modify_user::ModifyUserOutput;
use aws_sdk_elasticache::types::{ReplicationGroup, ServerlessCache, User, UserGroup};
use aws_smithy_mocks::{Rule, mock};
use serde_json::json;

use super::*;
use crate::steps::testing::{self, Rules};

/// Access strings by user id, as a service would keep them.
type Access = Arc<Mutex<std::collections::BTreeMap<String, String>>>;

fn access(users: &[(&str, &str)]) -> Access {
    let users = users.iter().map(|(id, access)| ((*id).to_owned(), (*access).to_owned()));
    Arc::new(Mutex::new(users.collect()))
}

/// A group "prod" with user group "team", whose users are all of `access`; "shared" is another group's.
fn rules(
    access: &Access,
    groups: &'static [&'static str],
    sharing: &'static [&'static str],
) -> Vec<Rule> {
    let group = mock!(Client::describe_replication_groups).then_output(move || {
        let mut group =
            ReplicationGroup::builder().replication_group_id("prod").status("available");
        for id in groups {
            group = group.user_group_ids(*id);
        }
        DescribeReplicationGroupsOutput::builder().replication_groups(group.build()).build()
    });
    let ids: Vec<String> = access.lock().unwrap().keys().cloned().collect();
    let user_group = mock!(Client::describe_user_groups).then_output(move || {
        let mut group = UserGroup::builder().user_group_id("team").status("active");
        for id in &ids {
            group = group.user_ids(id);
        }
        for id in sharing {
            group = group.replication_groups(*id);
        }
        DescribeUserGroupsOutput::builder().user_groups(group.build()).build()
    });
    let seen = Arc::clone(access);
    let users = mock!(Client::describe_users).then_compute_output(move |r| {
        let id = r.user_id().unwrap();
        let mut answer = DescribeUsersOutput::builder();
        if let Some(access) = seen.lock().unwrap().get(id) {
            let user = User::builder().user_id(id).user_name(id).status("active");
            answer = answer.users(user.access_string(access).user_group_ids("team").build());
        }
        answer.build()
    });
    let kept = Arc::clone(access);
    let modify = mock!(Client::modify_user).then_compute_output(move |r| {
        let access = r.access_string().unwrap().to_owned();
        kept.lock().unwrap().insert(r.user_id().unwrap().to_owned(), access);
        ModifyUserOutput::builder().build()
    });
    vec![group, user_group, users, modify]
}

fn env(rules: &[Rule]) -> Env {
    testing::env(Rules { elasticache: rules.iter().collect(), ..Rules::default() })
}

fn spec(more: &[(&str, Value)]) -> Spec {
    let mut args = json!({"replication_group": "prod"});
    for (key, value) in more {
        args[*key] = value.clone();
    }
    testing::spec(args)
}

#[tokio::test(start_paused = true)]
async fn writers_lose_the_right_and_get_their_exact_strings_back() {
    let access = access(&[
        ("app", "on ~app:* +@all"),
        ("default-off", "off ~* -@all"),
        ("reader", "on ~* -@all +@read"),
    ]);
    let rules = rules(&access, &["team"], &["prod"]);
    let (env, cx, spec) = (env(&rules), testing::cx("freeze"), spec(&[]));
    let (prepared, resources) = FreezeWrites::prepare(&env, &spec, &cx).await.unwrap();
    assert_eq!(resources.len(), 1);
    let done = FreezeWrites::execute(&env, &spec, &prepared, &cx).await.unwrap();
    let Done::Changed(output) = done else { panic!("{done:?}") };
    assert!(output.frozen && output.users[0].access_string == "on ~app:* +@all");
    assert_eq!(access.lock().unwrap()["app"], "on ~app:* +@all -@write");
    let again = FreezeWrites::execute(&env, &spec, &prepared, &cx).await.unwrap();
    assert!(matches!(again, Done::Adopted(_)), "{again:?}");
    let did = FreezeWrites::undo(&env, &spec, &prepared, &cx).await.unwrap();
    assert_eq!(did, ["gave user \"app\" the right to write back"]);
    assert!(FreezeWrites::undo(&env, &spec, &prepared, &cx).await.unwrap().is_empty());
    let access = access.lock().unwrap();
    assert_eq!(access["app"], "on ~app:* +@all");
    assert_eq!(access["reader"], "on ~* -@all +@read");
    assert_eq!(rules[3].num_calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn undo_puts_the_others_back_though_one_was_changed_by_somebody_else() {
    let access = access(&[("a", "on ~* +@all"), ("b", "on ~* +@all")]);
    let rules = rules(&access, &["team"], &["prod"]);
    let (env, cx, spec) = (env(&rules), testing::cx("freeze"), spec(&[]));
    let (prepared, _) = FreezeWrites::prepare(&env, &spec, &cx).await.unwrap();
    FreezeWrites::execute(&env, &spec, &prepared, &cx).await.unwrap();
    access.lock().unwrap().insert("a".to_owned(), "on ~* +get".to_owned());
    let failure = FreezeWrites::undo(&env, &spec, &prepared, &cx).await.unwrap_err();
    assert_eq!(failure.class, Class::Conflict);
    assert!(failure.to_string().contains("user \"a\" has \"on ~* +get\""), "{failure}");
    let access = access.lock().unwrap();
    assert_eq!((access["a"].as_str(), access["b"].as_str()), ("on ~* +get", "on ~* +@all"));
}

#[tokio::test(start_paused = true)]
async fn the_loss_is_accepted_by_name_alone() {
    let env = env(&[]);
    let cx = testing::cx("freeze");
    let accepting = spec(&[("accept_lost_writes_of", json!("prod"))]);
    let (prepared, resources) = FreezeWrites::prepare(&env, &accepting, &cx).await.unwrap();
    assert!(resources.is_empty());
    let done = FreezeWrites::execute(&env, &accepting, &prepared, &cx).await.unwrap();
    let Done::Unchanged(output) = done else { panic!("{done:?}") };
    assert!(!output.frozen && output.statement.contains("are lost"), "{output:?}");
    assert!(FreezeWrites::undo(&env, &accepting, &prepared, &cx).await.unwrap().is_empty());
    for other in ["staging", "true", "PROD"] {
        let other = spec(&[("accept_lost_writes_of", json!(other))]);
        let failure = FreezeWrites::prepare(&env, &other, &cx).await.unwrap_err();
        assert_eq!(failure.class, Class::Fatal);
    }
}

#[tokio::test(start_paused = true)]
async fn a_group_without_rbac_is_told_what_to_do() {
    let access = access(&[]);
    let rules = rules(&access, &[], &[]);
    let (env, cx) = (env(&rules), testing::cx("freeze"));
    let failure = FreezeWrites::prepare(&env, &spec(&[]), &cx).await.unwrap_err();
    assert_eq!(failure.class, Class::Fatal);
    assert!(failure.mend.unwrap().contains("accept_lost_writes_of: prod"));
}

#[tokio::test(start_paused = true)]
async fn users_shared_with_other_groups_are_frozen_only_where_that_is_allowed() {
    let access = access(&[("app", "on ~* +@all")]);
    let rules = rules(&access, &["team"], &["prod", "billing"]);
    let (env, cx) = (env(&rules), testing::cx("freeze"));
    let failure = FreezeWrites::prepare(&env, &spec(&[]), &cx).await.unwrap_err();
    assert!(failure.message.contains("billing"), "{failure}");
    let allowed = spec(&[("also_freezes", json!(["billing"]))]);
    let (prepared, _) = FreezeWrites::prepare(&env, &allowed, &cx).await.unwrap();
    assert_eq!(prepared.users.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn users_that_cannot_be_frozen_surely_are_refused() {
    for (id, string, words) in
        [("default", "on ~* +@all", "modify it"), ("app", "on ~* -@all (~x +set)", "selectors")]
    {
        let access = access(&[(id, string)]);
        let rules = rules(&access, &["team"], &["prod"]);
        let (env, cx) = (env(&rules), testing::cx("freeze"));
        let failure = FreezeWrites::prepare(&env, &spec(&[]), &cx).await.unwrap_err();
        assert!(failure.message.contains(words), "{failure}");
        assert_eq!(rules[3].num_calls(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn one_answer_that_a_user_is_not_there_leaves_no_writer_unfrozen() {
    let access = access(&[("app", "on ~* +@all")]);
    let mut rules = rules(&access, &["team"], &["prod"]);
    let cx = testing::cx("freeze");
    let prepared = {
        let env = env(&rules);
        FreezeWrites::prepare(&env, &spec(&[]), &cx).await.unwrap().0
    };
    let (seen, looks) = (Arc::clone(&access), Arc::new(Mutex::new(0)));
    rules[2] = mock!(Client::describe_users).then_compute_output(move |r| {
        let mut looks = looks.lock().unwrap();
        *looks += 1;
        let mut answer = DescribeUsersOutput::builder();
        if *looks > 1 {
            let access = seen.lock().unwrap()[r.user_id().unwrap()].clone();
            let user = User::builder().user_id("app").status("active").access_string(access);
            answer = answer.users(user.build());
        }
        answer.build()
    });
    FreezeWrites::execute(&env(&rules), &spec(&[]), &prepared, &cx).await.unwrap();
    assert_eq!(access.lock().unwrap()["app"], "on ~* +@all -@write");
}

fn cache(user_group: Option<&'static str>) -> Rule {
    mock!(Client::describe_serverless_caches)
        .match_requests(|r| r.serverless_cache_name() == Some("prod"))
        .then_output(move || {
            let cache = ServerlessCache::builder().serverless_cache_name("prod");
            let cache = cache.set_user_group_id(user_group.map(str::to_owned)).build();
            DescribeServerlessCachesOutput::builder().serverless_caches(cache).build()
        })
}

/// The same user group lets into a replication group of the cache's own name: that is another deployment.
#[tokio::test(start_paused = true)]
async fn a_serverless_cache_s_writers_are_stopped_in_the_same_way() {
    let access = access(&[("app", "on ~* +@all")]);
    let mut rules = rules(&access, &["team"], &["prod"]);
    rules.push(cache(Some("team")));
    let (env, cx) = (env(&rules), testing::cx("freeze"));
    let args = json!({"serverless_cache": "prod"});
    let failure = FreezeWrites::prepare(&env, &testing::spec(args), &cx).await.unwrap_err();
    assert!(failure.message.contains("also write to prod"), "{failure}");
    let spec: Spec = testing::spec(json!({"serverless_cache": "prod", "also_freezes": ["prod"]}));
    let (prepared, _) = FreezeWrites::prepare(&env, &spec, &cx).await.unwrap();
    let done = FreezeWrites::execute(&env, &spec, &prepared, &cx).await.unwrap();
    assert!(matches!(done, Done::Changed(_)), "{done:?}");
    assert_eq!(access.lock().unwrap()["app"], "on ~* +@all -@write");
    FreezeWrites::undo(&env, &spec, &prepared, &cx).await.unwrap();
    assert_eq!(access.lock().unwrap()["app"], "on ~* +@all");
}

#[tokio::test(start_paused = true)]
async fn a_serverless_cache_without_rbac_is_told_what_to_do_and_its_loss_is_accepted_by_its_name() {
    let rules = [cache(None)];
    let (env, cx) = (env(&rules), testing::cx("freeze"));
    let args = json!({"serverless_cache": "prod"});
    let failure = FreezeWrites::prepare(&env, &testing::spec(args), &cx).await.unwrap_err();
    assert!(failure.message.contains("serverless cache \"prod\" has no RBAC"), "{failure}");
    let mend = failure.mend.unwrap();
    assert!(mend.contains("ModifyServerlessCache") && mend.contains("accept_lost_writes_of: prod"));
    let accepting = json!({"serverless_cache": "prod", "accept_lost_writes_of": "prod"});
    let (prepared, _) = FreezeWrites::prepare(&env, &testing::spec(accepting), &cx).await.unwrap();
    assert!(prepared.accepted);
    let both = json!({"serverless_cache": "prod", "replication_group": "prod"});
    let failure = FreezeWrites::prepare(&env, &testing::spec(both), &cx).await.unwrap_err();
    assert_eq!(failure.class, Class::Fatal);
}
