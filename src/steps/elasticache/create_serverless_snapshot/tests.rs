//! Request shape, adoption, refusals and undo, against mocked clients.

use aws_sdk_elasticache::Client;
use aws_sdk_elasticache::error::ErrorMetadata;
use aws_sdk_elasticache::operation::create_serverless_cache_snapshot::{
    CreateServerlessCacheSnapshotError, CreateServerlessCacheSnapshotOutput,
};
use aws_sdk_elasticache::operation::delete_serverless_cache_snapshot::DeleteServerlessCacheSnapshotOutput;
use aws_sdk_elasticache::operation::describe_events::DescribeEventsOutput;
use aws_sdk_elasticache::operation::describe_serverless_cache_snapshots::{
    DescribeServerlessCacheSnapshotsError, DescribeServerlessCacheSnapshotsOutput,
};
use aws_sdk_elasticache::operation::describe_serverless_caches::DescribeServerlessCachesOutput;
use aws_sdk_elasticache::operation::list_tags_for_resource::ListTagsForResourceOutput;
use aws_sdk_elasticache::types::{Endpoint, Event, ServerlessCacheConfiguration};
use aws_smithy_mocks::{Rule, mock};
use aws_smithy_types::DateTime;
use serde_json::json;

use super::*;
use crate::engine::Verdict;
use crate::steps::testing::{self, Rules};

const NAME: &str = "orc-0test0test-snapshot";

fn cache(status: &'static str, engine: &'static str) -> Rule {
    mock!(Client::describe_serverless_caches)
        .match_requests(|r| r.serverless_cache_name() == Some("prod"))
        .then_output(move || {
            let endpoint = Endpoint::builder().address("prod.example.com").port(6379).build();
            let cache = ServerlessCache::builder()
                .serverless_cache_name("prod")
                .status(status)
                .engine(engine)
                .major_engine_version("8")
                .full_engine_version("8.0")
                .endpoint(endpoint)
                .build();
            DescribeServerlessCachesOutput::builder().serverless_caches(cache).build()
        })
}

fn shown(status: &str) -> DescribeServerlessCacheSnapshotsOutput {
    let of = ServerlessCacheConfiguration::builder().serverless_cache_name("prod").engine("valkey");
    let snapshot = ServerlessCacheSnapshot::builder()
        .serverless_cache_snapshot_name(NAME)
        .status(status)
        .create_time(DateTime::from_secs(1_700_000_005))
        .bytes_used_for_cache("4096")
        .serverless_cache_configuration(of.build())
        .build();
    DescribeServerlessCacheSnapshotsOutput::builder().serverless_cache_snapshots(snapshot).build()
}

fn missing() -> DescribeServerlessCacheSnapshotsError {
    let code = ErrorMetadata::builder().code("ServerlessCacheSnapshotNotFoundFault");
    DescribeServerlessCacheSnapshotsError::generic(code.build())
}

fn refusal(code: &'static str) -> Rule {
    mock!(Client::create_serverless_cache_snapshot).then_error(move || {
        let meta = ErrorMetadata::builder().code(code).build();
        CreateServerlessCacheSnapshotError::generic(meta)
    })
}

fn tags(step: &'static str) -> Rule {
    mock!(Client::list_tags_for_resource)
        .match_requests(|r| {
            let arn = r.resource_name().unwrap_or_default();
            arn.ends_with(&format!(":123456789012:serverlesscachesnapshot:{NAME}"))
        })
        .then_output(move || {
            let tags = testing::own_tags(step);
            let tags = tags.iter().map(|(k, value)| Tag::builder().key(*k).value(value).build());
            ListTagsForResourceOutput::builder().set_tag_list(Some(tags.collect())).build()
        })
}

fn created() -> Rule {
    mock!(Client::create_serverless_cache_snapshot)
        .then_output(|| CreateServerlessCacheSnapshotOutput::builder().build())
}

fn deleted() -> Rule {
    mock!(Client::delete_serverless_cache_snapshot)
        .match_requests(|r| r.serverless_cache_snapshot_name() == Some(NAME))
        .then_output(|| DeleteServerlessCacheSnapshotOutput::builder().build())
}

fn spec() -> Spec {
    testing::spec(json!({"serverless_cache": "prod"}))
}

fn intent() -> Prepared {
    Prepared {
        name: NAME.to_owned(),
        arn: format!("arn:aws:elasticache:us-east-1:123456789012:serverlesscachesnapshot:{NAME}"),
        cache: "prod".to_owned(),
        engine_version: "8.0".to_owned(),
        endpoint: "prod.example.com:6379".to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn the_snapshot_is_tagged_as_ours_and_states_count_without_case() {
    let cache = cache("AVAILABLE", "valkey");
    let describe = mock!(Client::describe_serverless_cache_snapshots)
        .sequence()
        .error(missing)
        .times(3)
        .output(|| shown("CREATING"))
        .times(2)
        .output(|| shown("AVAILABLE"))
        .repeatedly()
        .build();
    let create = mock!(Client::create_serverless_cache_snapshot)
        .match_requests(|r| {
            let own = testing::own_tags("snapshot");
            r.serverless_cache_snapshot_name() == Some(NAME)
                && r.serverless_cache_name() == Some("prod")
                && own.iter().all(|(key, value)| {
                    r.tags().iter().any(|t| t.key() == Some(key) && t.value() == Some(value))
                })
        })
        .then_output(|| CreateServerlessCacheSnapshotOutput::builder().build());
    let rules = vec![&cache, &describe, &create];
    let env = testing::env(Rules { elasticache: rules, ..Rules::default() });
    let cx = testing::cx("snapshot");
    let (prepared, resources) =
        CreateServerlessSnapshot::prepare(&env, &spec(), &cx).await.unwrap();
    assert_eq!(resources[0].arn.as_deref(), Some(intent().arn.as_str()));
    let done = CreateServerlessSnapshot::execute(&env, &spec(), &prepared, &cx).await.unwrap();
    let Done::Changed(output) = done else { panic!("{done:?}") };
    assert_eq!((output.bytes, output.tls), (4096, true));
    assert_eq!((output.engine.as_str(), output.engine_version.as_str()), ("valkey", "8.0"));
    assert_eq!(output.created_at, "2023-11-14T22:13:25Z");
    assert_eq!(output.endpoint, "prod.example.com:6379");
    assert_eq!(create.num_calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_busy_cache_is_waited_for_and_memcached_refused() {
    let cx = testing::cx("snapshot");
    for (status, engine, class, verdict) in [
        ("modifying", "valkey", Class::Busy, Verdict::CannotKnow),
        ("CREATE-FAILED", "valkey", Class::Fatal, Verdict::WillFail),
        ("available", "memcached", Class::Fatal, Verdict::WillFail),
    ] {
        let cache = cache(status, engine);
        let none = mock!(Client::describe_serverless_cache_snapshots)
            .then_output(|| DescribeServerlessCacheSnapshotsOutput::builder().build());
        let env = testing::env(Rules { elasticache: vec![&cache, &none], ..Rules::default() });
        let failure = CreateServerlessSnapshot::prepare(&env, &spec(), &cx).await.unwrap_err();
        assert_eq!(failure.class, class, "{status} {engine}");
        let args = json!({"serverless_cache": "prod", "name": null});
        let found = CreateServerlessSnapshot::preflight(&env, &args, &cx).await;
        assert_eq!(found[0].verdict, verdict, "{status} {engine}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_taken_by_a_lost_answer_is_adopted_once_it_shows() {
    let describe = mock!(Client::describe_serverless_cache_snapshots)
        .sequence()
        .error(missing)
        .times(4)
        .output(|| shown("available"))
        .repeatedly()
        .build();
    let create = refusal("ServerlessCacheSnapshotAlreadyExistsFault");
    let tags = tags("snapshot");
    let rules = vec![&describe, &tags, &create];
    let env = testing::env(Rules { elasticache: rules, ..Rules::default() });
    let cx = testing::cx("snapshot");
    let done = CreateServerlessSnapshot::execute(&env, &spec(), &intent(), &cx).await.unwrap();
    assert!(matches!(done, Done::Adopted(_)), "{done:?}");
    assert_eq!(create.num_calls(), 1);
    let again = CreateServerlessSnapshot::execute(&env, &spec(), &intent(), &cx).await.unwrap();
    assert!(matches!(again, Done::Adopted(_)), "{again:?}");
    assert_eq!(create.num_calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn somebody_else_s_snapshot_is_left_alone_with_the_differences_named() {
    let describe =
        mock!(Client::describe_serverless_cache_snapshots).then_output(|| shown("available"));
    let (tags, create, delete) = (tags("another-step"), created(), deleted());
    let rules = vec![&describe, &tags, &create, &delete];
    let env = testing::env(Rules { elasticache: rules, ..Rules::default() });
    let mut cx = testing::cx("snapshot");
    let mut intent = intent();
    intent.cache = "staging".to_owned();
    let failure = CreateServerlessSnapshot::execute(&env, &spec(), &intent, &cx).await.unwrap_err();
    assert_eq!(failure.class, Class::Conflict);
    assert!(failure.causes[0].contains("of prod, not of staging"), "{failure}");
    cx.note = Some(json!({"call": "taken"}));
    let did = CreateServerlessSnapshot::undo(&env, &spec(), &intent, &cx).await.unwrap();
    assert_eq!(did, Vec::<String>::new());
    assert_eq!((create.num_calls(), delete.num_calls()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_failed_snapshot_ends_with_the_reason_from_the_events() {
    let describe = mock!(Client::describe_serverless_cache_snapshots)
        .sequence()
        .error(missing)
        .output(|| shown("creating"))
        .output(|| shown("failed"))
        .repeatedly()
        .build();
    let events = mock!(Client::describe_events)
        .match_requests(|r| {
            r.source_identifier() == Some(NAME)
                && r.source_type().map(|t| t.as_str()) == Some("serverless-cache-snapshot")
        })
        .then_output(|| {
            let text = format!(
                "Failed to create snapshot for cache prod. Snapshot {NAME} creation failed because of an internal error"
            );
            let event = Event::builder().date(DateTime::from_secs(1)).message(text).build();
            DescribeEventsOutput::builder().events(event).build()
        });
    let create = created();
    let rules = vec![&describe, &events, &create];
    let env = testing::env(Rules { elasticache: rules, ..Rules::default() });
    let cx = testing::cx("snapshot");
    let failure =
        CreateServerlessSnapshot::execute(&env, &spec(), &intent(), &cx).await.unwrap_err();
    assert_eq!(failure.class, Class::Terminal);
    assert!(failure.to_string().contains("an internal error"), "{failure}");
}

#[tokio::test(start_paused = true)]
async fn a_spent_quota_says_what_to_do_and_a_missing_role_is_not_waited_for() {
    for (code, class) in [
        ("ServerlessCacheSnapshotQuotaExceededFault", Class::Quota),
        ("ServiceLinkedRoleNotFoundFault", Class::Fatal),
        ("InvalidServerlessCacheStateFault", Class::Busy),
    ] {
        let describe = mock!(Client::describe_serverless_cache_snapshots).then_error(missing);
        let create = refusal(code);
        let rules = vec![&describe, &create];
        let env = testing::env(Rules { elasticache: rules, ..Rules::default() });
        let cx = testing::cx("snapshot");
        let failure =
            CreateServerlessSnapshot::execute(&env, &spec(), &intent(), &cx).await.unwrap_err();
        assert_eq!(failure.class, class, "{code}");
        let quota = failure.mend.is_some_and(|mend| mend.contains("24 manual snapshots"));
        assert_eq!(quota, class == Class::Quota, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn undo_finds_what_a_lost_answer_made_and_removes_it_once() {
    let describe = mock!(Client::describe_serverless_cache_snapshots)
        .sequence()
        .error(missing)
        .times(2)
        .output(|| shown("available"))
        .output(|| shown("deleting"))
        .error(missing)
        .repeatedly()
        .build();
    let (delete, tags) = (deleted(), tags("snapshot"));
    let rules = vec![&describe, &tags, &delete];
    let env = testing::env(Rules { elasticache: rules, ..Rules::default() });
    let mut cx = testing::cx("snapshot");
    let nothing = CreateServerlessSnapshot::undo(&env, &spec(), &intent(), &cx).await.unwrap();
    assert!(nothing.is_empty(), "nothing was asked for yet");
    cx.note = Some(json!({"call": "asked"}));
    let did = CreateServerlessSnapshot::undo(&env, &spec(), &intent(), &cx).await.unwrap();
    assert_eq!(did, [format!("deleted serverless snapshot \"{NAME}\"")]);
    let again = CreateServerlessSnapshot::undo(&env, &spec(), &intent(), &cx).await.unwrap();
    assert!(again.is_empty());
    assert_eq!(delete.num_calls(), 1);
}
