//! Request shape, adoption, refusals and undo, against mocked clients.

use aws_sdk_elasticache::Client;
use aws_sdk_elasticache::error::ErrorMetadata;
use aws_sdk_elasticache::operation::create_snapshot::{CreateSnapshotError, CreateSnapshotOutput};
use aws_sdk_elasticache::operation::delete_snapshot::DeleteSnapshotOutput;
use aws_sdk_elasticache::operation::describe_events::DescribeEventsOutput;
use aws_sdk_elasticache::operation::describe_replication_groups::DescribeReplicationGroupsOutput;
use aws_sdk_elasticache::operation::describe_snapshots::{
    DescribeSnapshotsError, DescribeSnapshotsOutput,
};
use aws_sdk_elasticache::operation::list_tags_for_resource::ListTagsForResourceOutput;
use aws_sdk_elasticache::types::error::{SnapshotAlreadyExistsFault, SnapshotNotFoundFault};
use aws_sdk_elasticache::types::{Event, NodeGroup, NodeGroupMember, NodeSnapshot};
use aws_smithy_mocks::{Rule, mock};
use aws_smithy_types::DateTime;
use serde_json::json;

use super::*;
use crate::engine::Verdict;
use crate::steps::testing::{self, Rules};

const NAME: &str = "orc-0test0test-snapshot";

fn group(status: &'static str, cluster_mode: bool, node_type: &'static str) -> Rule {
    let member = |id: &str, role: &str| {
        NodeGroupMember::builder().cache_cluster_id(id).current_role(role).build()
    };
    mock!(Client::describe_replication_groups).then_output(move || {
        let shard = NodeGroup::builder()
            .node_group_id("0001")
            .node_group_members(member("prod-001", "primary"))
            .node_group_members(member("prod-003", "replica"))
            .node_group_members(member("prod-002", "replica"))
            .build();
        let group = ReplicationGroup::builder()
            .replication_group_id("prod")
            .status(status)
            .cluster_enabled(cluster_mode)
            .cache_node_type(node_type)
            .node_groups(shard)
            .build();
        DescribeReplicationGroupsOutput::builder().replication_groups(group).build()
    })
}

fn shown(status: &str) -> DescribeSnapshotsOutput {
    let node = |id: &str, at: i64| {
        NodeSnapshot::builder()
            .node_group_id(id)
            .cache_size("3 MB")
            .snapshot_create_time(DateTime::from_secs(at))
            .build()
    };
    let snapshot = Snapshot::builder()
        .snapshot_name(NAME)
        .replication_group_id("prod")
        .snapshot_status(status)
        .engine("valkey")
        .engine_version("7.2.6")
        .cache_node_type("cache.r7g.large")
        .node_snapshots(node("0007", 1_700_000_009))
        .node_snapshots(node("0001", 1_700_000_005))
        .build();
    DescribeSnapshotsOutput::builder().snapshots(snapshot).build()
}

fn missing() -> DescribeSnapshotsError {
    let meta = ErrorMetadata::builder().code("SnapshotNotFoundFault").build();
    DescribeSnapshotsError::SnapshotNotFoundFault(
        SnapshotNotFoundFault::builder().meta(meta).build(),
    )
}

fn tags(step: &'static str) -> Rule {
    mock!(Client::list_tags_for_resource).then_output(move || {
        let tags = testing::own_tags(step);
        let tags = tags.iter().map(|(key, value)| Tag::builder().key(*key).value(value).build());
        ListTagsForResourceOutput::builder().set_tag_list(Some(tags.collect())).build()
    })
}

fn created() -> Rule {
    mock!(Client::create_snapshot).then_output(|| CreateSnapshotOutput::builder().build())
}

fn spec() -> Spec {
    testing::spec(json!({"replication_group": "prod"}))
}

fn intent(node: Option<&str>) -> Prepared {
    Prepared {
        name: NAME.to_owned(),
        arn: format!("arn:aws:elasticache:us-east-1:123456789012:snapshot:{NAME}"),
        group: "prod".to_owned(),
        node: node.map(str::to_owned),
        endpoint: String::new(),
        tls: false,
    }
}

#[tokio::test(start_paused = true)]
async fn the_whole_group_is_taken_with_cluster_mode_on_and_tagged_as_ours() {
    let group = group("available", true, "cache.r7g.large");
    let describe = mock!(Client::describe_snapshots)
        .sequence()
        .error(missing)
        .times(3)
        .output(|| shown("creating"))
        .times(2)
        .output(|| shown("available"))
        .repeatedly()
        .build();
    let create = mock!(Client::create_snapshot)
        .match_requests(|r| {
            let own = testing::own_tags("snapshot");
            r.snapshot_name() == Some(NAME)
                && r.replication_group_id() == Some("prod")
                && r.cache_cluster_id().is_none()
                && own.iter().all(|(key, value)| {
                    r.tags().iter().any(|t| t.key() == Some(key) && t.value() == Some(value))
                })
        })
        .then_output(|| CreateSnapshotOutput::builder().build());
    let env =
        testing::env(Rules { elasticache: vec![&group, &describe, &create], ..Rules::default() });
    let cx = testing::cx("snapshot");
    let (prepared, resources) = CreateSnapshot::prepare(&env, &spec(), &cx).await.unwrap();
    assert_eq!(resources[0].arn.as_deref(), Some(intent(None).arn.as_str()));
    let done = CreateSnapshot::execute(&env, &spec(), &prepared, &cx).await.unwrap();
    let Done::Changed(output) = done else { panic!("{done:?}") };
    assert_eq!((output.shards, output.bytes), (2, 6 << 20));
    assert_eq!(output.node_groups, ["0001", "0007"]);
    assert_eq!(output.created_at, ["2023-11-14T22:13:25Z", "2023-11-14T22:13:29Z"]);
    assert_eq!(create.num_calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_replica_is_taken_with_cluster_mode_off_unless_another_node_is_preferred() {
    let group = group("available", false, "cache.r7g.large");
    let describe = mock!(Client::describe_snapshots).then_error(missing);
    let env = testing::env(Rules { elasticache: vec![&group, &describe], ..Rules::default() });
    let cx = testing::cx("snapshot");
    let (prepared, _) = CreateSnapshot::prepare(&env, &spec(), &cx).await.unwrap();
    assert_eq!(prepared.node.as_deref(), Some("prod-002"));
    let prefer = |node: &str| json!({"replication_group": "prod", "prefer_node": node});
    let primary = testing::spec(prefer("prod-001"));
    let (prepared, _) = CreateSnapshot::prepare(&env, &primary, &cx).await.unwrap();
    assert_eq!(prepared.node.as_deref(), Some("prod-001"));
    let unknown = testing::spec(prefer("prod-009"));
    let failure = CreateSnapshot::prepare(&env, &unknown, &cx).await.unwrap_err();
    assert!(failure.mend.unwrap().contains("prod-002"));
}

#[tokio::test(start_paused = true)]
async fn a_busy_group_is_waited_for_and_a_tiered_one_refused() {
    let cx = testing::cx("snapshot");
    for (status, node_type, class) in [
        ("modifying", "cache.r7g.large", Class::Busy),
        ("create-failed", "cache.r7g.large", Class::Fatal),
        ("available", "cache.r6gd.xlarge", Class::Fatal),
    ] {
        let group = group(status, true, node_type);
        let taken = mock!(Client::describe_snapshots)
            .then_output(|| DescribeSnapshotsOutput::builder().build());
        let env = testing::env(Rules { elasticache: vec![&group, &taken], ..Rules::default() });
        let failure = CreateSnapshot::prepare(&env, &spec(), &cx).await.unwrap_err();
        assert_eq!(failure.class, class, "{status} {node_type}");
        let args = json!({"replication_group": "prod", "name": null});
        let found = CreateSnapshot::preflight(&env, &args, &cx).await;
        let of = ["source.state", "source.data_tiering"];
        let worst = found.iter().filter(|f| of.contains(&&*f.check)).map(|f| f.verdict).max();
        let expected = if class == Class::Busy { Verdict::CannotKnow } else { Verdict::WillFail };
        assert_eq!(worst, Some(expected), "{found:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn our_own_snapshot_is_adopted_and_not_made_again() {
    let describe = mock!(Client::describe_snapshots).then_output(|| shown("available"));
    let (tags, create) = (tags("snapshot"), created());
    let rules = vec![&describe, &tags, &create];
    let env = testing::env(Rules { elasticache: rules, ..Rules::default() });
    let cx = testing::cx("snapshot");
    let done = CreateSnapshot::execute(&env, &spec(), &intent(None), &cx).await.unwrap();
    assert!(matches!(done, Done::Adopted(_)), "{done:?}");
    assert_eq!(create.num_calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_name_taken_by_a_lost_answer_is_adopted_once_it_shows() {
    let describe = mock!(Client::describe_snapshots)
        .sequence()
        .error(missing)
        .times(4)
        .output(|| shown("available"))
        .repeatedly()
        .build();
    let create = mock!(Client::create_snapshot).then_error(|| {
        let meta = ErrorMetadata::builder().code("SnapshotAlreadyExistsFault").build();
        CreateSnapshotError::SnapshotAlreadyExistsFault(
            SnapshotAlreadyExistsFault::builder().meta(meta).build(),
        )
    });
    let tags = tags("snapshot");
    let rules = vec![&describe, &tags, &create];
    let env = testing::env(Rules { elasticache: rules, ..Rules::default() });
    let cx = testing::cx("snapshot");
    let done = CreateSnapshot::execute(&env, &spec(), &intent(None), &cx).await.unwrap();
    assert!(matches!(done, Done::Adopted(_)), "{done:?}");
    assert_eq!(create.num_calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn somebody_else_s_snapshot_is_left_alone_with_the_differences_named() {
    let describe = mock!(Client::describe_snapshots).then_output(|| shown("available"));
    let (tags, create) = (tags("another-step"), created());
    let delete =
        mock!(Client::delete_snapshot).then_output(|| DeleteSnapshotOutput::builder().build());
    let rules = vec![&describe, &tags, &create, &delete];
    let env = testing::env(Rules { elasticache: rules, ..Rules::default() });
    let mut cx = testing::cx("snapshot");
    let intent = intent(Some("prod-002"));
    let failure = CreateSnapshot::execute(&env, &spec(), &intent, &cx).await.unwrap_err();
    assert_eq!(failure.class, Class::Conflict);
    assert!(failure.causes[0].contains("of prod, not of prod-002"), "{failure}");
    cx.note = Some(json!({"call": "taken"}));
    let did = CreateSnapshot::undo(&env, &spec(), &intent, &cx).await.unwrap();
    assert_eq!(did, Vec::<String>::new());
    assert_eq!((create.num_calls(), delete.num_calls()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_failed_snapshot_ends_with_the_reason_from_the_events() {
    let describe = mock!(Client::describe_snapshots)
        .sequence()
        .error(missing)
        .output(|| shown("creating"))
        .output(|| shown("failed"))
        .repeatedly()
        .build();
    let events = mock!(Client::describe_events)
        .match_requests(|r| r.source_identifier() == Some("prod"))
        .then_output(|| {
            let event = |at, message: &str| {
                Event::builder().date(DateTime::from_secs(at)).message(message).build()
            };
            DescribeEventsOutput::builder()
                .events(event(1, "Snapshot failed for snapshot with ID 'other'"))
                .events(event(
                    2,
                    &format!("Snapshot failed for snapshot with ID '{NAME}'. No memory"),
                ))
                .events(event(3, "Replication group prod modified"))
                .build()
        });
    let create = created();
    let rules = vec![&describe, &events, &create];
    let env = testing::env(Rules { elasticache: rules, ..Rules::default() });
    let cx = testing::cx("snapshot");
    let failure = CreateSnapshot::execute(&env, &spec(), &intent(None), &cx).await.unwrap_err();
    assert_eq!(failure.class, Class::Terminal);
    assert!(failure.to_string().contains("No memory"), "{failure}");
}

#[tokio::test(start_paused = true)]
async fn a_spent_quota_says_what_to_do() {
    let describe = mock!(Client::describe_snapshots).then_error(missing);
    let create = mock!(Client::create_snapshot).then_error(|| {
        CreateSnapshotError::generic(
            ErrorMetadata::builder().code("SnapshotQuotaExceededFault").message("20 taken").build(),
        )
    });
    let env = testing::env(Rules { elasticache: vec![&describe, &create], ..Rules::default() });
    let cx = testing::cx("snapshot");
    let failure = CreateSnapshot::execute(&env, &spec(), &intent(None), &cx).await.unwrap_err();
    assert_eq!(failure.class, Class::Quota);
    assert!(failure.mend.unwrap().contains("24 hours"));
}

#[tokio::test(start_paused = true)]
async fn undo_finds_what_a_lost_answer_made_and_removes_it_once() {
    let describe = mock!(Client::describe_snapshots)
        .sequence()
        .error(missing)
        .times(2)
        .output(|| shown("available"))
        .output(|| shown("deleting"))
        .error(missing)
        .repeatedly()
        .build();
    let delete =
        mock!(Client::delete_snapshot).then_output(|| DeleteSnapshotOutput::builder().build());
    let tags = tags("snapshot");
    let rules = vec![&describe, &tags, &delete];
    let env = testing::env(Rules { elasticache: rules, ..Rules::default() });
    let mut cx = testing::cx("snapshot");
    let nothing = CreateSnapshot::undo(&env, &spec(), &intent(None), &cx).await.unwrap();
    assert!(nothing.is_empty(), "nothing was asked for yet");
    cx.note = Some(json!({"call": "asked"}));
    let did = CreateSnapshot::undo(&env, &spec(), &intent(None), &cx).await.unwrap();
    assert_eq!(did, [format!("deleted snapshot \"{NAME}\"")]);
    let again = CreateSnapshot::undo(&env, &spec(), &intent(None), &cx).await.unwrap();
    assert!(again.is_empty());
    assert_eq!(delete.num_calls(), 1);
}
