use aws_sdk_elasticache::Client;
use aws_sdk_elasticache::operation::describe_cache_clusters::DescribeCacheClustersOutput;
use aws_sdk_elasticache::operation::describe_replication_groups::DescribeReplicationGroupsOutput;
use aws_sdk_elasticache::operation::modify_replication_group::ModifyReplicationGroupOutput;
use aws_sdk_elasticache::types::{CacheCluster, ReplicationGroup};
use aws_smithy_mocks::mock;
use serde_json::json;

use super::*;
use crate::steps::testing::{self, Rules};

fn shown(status: &str, node_type: &str) -> DescribeReplicationGroupsOutput {
    let group = ReplicationGroup::builder()
        .replication_group_id("prod")
        .status(status)
        .engine("redis")
        .cache_node_type(node_type)
        .member_clusters("prod-001");
    DescribeReplicationGroupsOutput::builder().replication_groups(group.build()).build()
}

fn node() -> DescribeCacheClustersOutput {
    let node = CacheCluster::builder().cache_cluster_id("prod-001").engine_version("7.1.0");
    DescribeCacheClustersOutput::builder().cache_clusters(node.build()).build()
}

fn bigger() -> Change {
    let values =
        |node_type: &str| Values { node_type: Some(node_type.to_owned()), ..Values::default() };
    let (before, wanted) = (values("cache.r7g.large"), values("cache.r7g.xlarge"));
    Change { group: "prod".to_owned(), before, wanted, at_once: true }
}

#[tokio::test(start_paused = true)]
async fn available_from_before_the_change_is_not_taken_for_done() {
    let describe = mock!(Client::describe_replication_groups)
        .sequence()
        .output(|| shown("available", "cache.r7g.large"))
        .times(3)
        .output(|| shown("modifying", "cache.r7g.large"))
        .times(2)
        .output(|| shown("available", "cache.r7g.large"))
        .output(|| shown("available", "cache.r7g.xlarge"))
        .build();
    let nodes = mock!(Client::describe_cache_clusters).then_output(node);
    let modify = mock!(Client::modify_replication_group)
        .match_requests(|request| {
            request.apply_immediately() == Some(true)
                && request.cache_node_type() == Some("cache.r7g.xlarge")
                && request.engine().is_none()
                && request.snapshotting_cluster_id().is_none()
        })
        .then_output(|| ModifyReplicationGroupOutput::builder().build());
    let env =
        testing::env(Rules { elasticache: vec![&describe, &nodes, &modify], ..Rules::default() });
    let cx = testing::cx("bigger");
    let expected = Duration::from_secs(600);
    let outcome = bigger().carry_out(&env, &cx, expected).await.unwrap();
    assert_eq!((outcome, modify.num_calls()), (Outcome::Changed, 1));
    assert_eq!(describe.num_calls(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_change_that_aws_gave_up_is_told_after_ten_minutes() {
    let describe = mock!(Client::describe_replication_groups)
        .then_output(|| shown("available", "cache.r7g.large"));
    let nodes = mock!(Client::describe_cache_clusters).then_output(node);
    let modify = mock!(Client::modify_replication_group)
        .then_output(|| ModifyReplicationGroupOutput::builder().build());
    let env =
        testing::env(Rules { elasticache: vec![&describe, &nodes, &modify], ..Rules::default() });
    let cx = testing::cx("bigger");
    let expected = Duration::from_secs(600);
    let failure = bigger().carry_out(&env, &cx, expected).await.unwrap_err();
    assert_eq!(failure.class, Class::Terminal);
    assert!(failure.to_string().contains("not carried out"), "{failure}");
    assert!(failure.mend.is_some_and(|mend| mend.contains("describe-events")));
    assert_eq!(modify.num_calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_somebody_else_made_of_the_group_is_left() {
    let describe = mock!(Client::describe_replication_groups)
        .then_output(|| shown("available", "cache.r7g.4xlarge"));
    let nodes = mock!(Client::describe_cache_clusters).then_output(node);
    let env = testing::env(Rules { elasticache: vec![&describe, &nodes], ..Rules::default() });
    let mut cx = testing::cx("bigger");
    let expected = Duration::from_secs(600);
    // Before anything was asked for it is no reason to change it either.
    let failure = bigger().carry_out(&env, &cx, expected).await.unwrap_err();
    assert_eq!(failure.class, Class::Conflict, "{failure}");
    cx.note = Some(json!({ "call": "over" }));
    let did = bigger().take_back(&env, &cx, expected).await.unwrap();
    assert!(did.len() == 1 && did[0].starts_with("left replication group"), "{did:?}");
}
