use aws_sdk_memorydb::Client;
use aws_sdk_memorydb::operation::describe_clusters::DescribeClustersOutput;
use aws_sdk_memorydb::operation::update_cluster::UpdateClusterOutput;
use aws_sdk_memorydb::types::Shard;
use aws_smithy_mocks::mock;

use super::*;
use crate::steps::testing::{self, Rules};

fn cluster(status: &str, shards: i32, nodes: i32, node_type: &str) -> DescribeClustersOutput {
    let shard = Shard::builder().name("0001").number_of_nodes(nodes).build();
    let found = Cluster::builder()
        .name("prod")
        .status(status)
        .node_type(node_type)
        .number_of_shards(shards)
        .shards(shard)
        .engine("redis")
        .engine_version("7.1")
        .acl_name("app")
        .parameter_group_name("default.memorydb-redis7")
        .parameter_group_status("in-sync")
        .build();
    DescribeClustersOutput::builder().clusters(found).build()
}

fn shape() -> Shape {
    Shape::of(&cluster("available", 2, 2, "db.r7g.large").clusters.unwrap()[0])
}

fn spec(args: Value) -> Spec {
    testing::spec(args)
}

#[test]
fn only_what_differs_is_changed_and_in_one_order() {
    let same =
        spec(json!({"name": "prod", "shards": 2, "node_type": "db.r7g.large", "acl": "App"}));
    assert_eq!(change::wanted(&same, &shape()).unwrap(), []);
    let all = spec(json!({
        "name": "prod", "replicas_per_shard": 2, "shards": 3, "node_type": "db.r7g.xlarge", "acl": "other",
        "engine": "valkey", "engine_version": "7.3", "parameter_group": "own", "snapshot_retention_days": 7,
    }));
    let words: Vec<String> =
        change::wanted(&all, &shape()).unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(
        words,
        [
            "engine valkey 7.3",
            "ACL other",
            "node type db.r7g.xlarge",
            "3 shards",
            "2 replicas in each shard",
            "7 days of snapshots"
        ]
    );
}

#[test]
fn an_engine_is_never_downgraded() {
    for (engine, version, good) in [
        ("redis", Some("7.1"), true),
        ("redis", Some("6.2"), false),
        ("valkey", Some("7.2"), true),
        ("valkey", None, true),
    ] {
        assert_eq!(
            change::downgrade(&shape(), engine, version).is_ok(),
            good,
            "{engine} {version:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn each_change_is_asked_for_alone_and_waited_for() {
    let describe = mock!(Client::describe_clusters)
        .match_requests(|r| r.cluster_name() == Some("prod"))
        .sequence()
        .output(|| cluster("available", 2, 2, "db.r7g.large"))
        .times(2)
        .output(|| cluster("updating", 2, 2, "db.r7g.large"))
        .output(|| cluster("available", 2, 2, "db.r7g.xlarge"))
        .times(2)
        .output(|| cluster("updating", 2, 2, "db.r7g.xlarge"))
        .output(|| cluster("available", 3, 2, "db.r7g.xlarge"))
        .times(2)
        .build();
    let node_type = mock!(Client::update_cluster)
        .match_requests(|r| {
            r.node_type() == Some("db.r7g.xlarge") && r.shard_configuration().is_none()
        })
        .then_output(|| UpdateClusterOutput::builder().build());
    let shards = mock!(Client::update_cluster)
        .match_requests(|r| r.shard_configuration().is_some_and(|s| s.shard_count() == 3))
        .then_output(|| UpdateClusterOutput::builder().build());
    let rules = vec![&describe, &node_type, &shards];
    let env = testing::env(Rules { memorydb: rules, ..Rules::default() });
    let spec = spec(json!({"name": "Prod", "node_type": "db.r7g.xlarge", "shards": 3}));
    let cx = testing::cx("scale");
    let (prepared, _) = UpdateCluster::prepare(&env, &spec, &cx).await.unwrap();
    let done = UpdateCluster::execute(&env, &spec, &prepared, &cx).await.unwrap();
    let Done::Changed(output) = done else { panic!("{done:?}") };
    assert_eq!((output.shards, output.node_type.as_str()), (3, "db.r7g.xlarge"));
    assert_eq!((node_type.num_calls(), shards.num_calls()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn what_somebody_else_changed_since_is_left() {
    let describe =
        mock!(Client::describe_clusters).then_output(|| cluster("available", 5, 2, "db.r7g.large"));
    let env = testing::env(Rules { memorydb: vec![&describe], ..Rules::default() });
    let spec = spec(json!({"name": "prod", "shards": 3}));
    let prepared =
        Prepared { name: "prod".to_owned(), before: shape(), changes: vec![Change::Shards(3)] };
    let mut cx = testing::cx("scale");
    // Never asked for: nothing is even looked at.
    assert_eq!(
        UpdateCluster::undo(&env, &spec, &prepared, &cx).await.unwrap(),
        Vec::<String>::new()
    );
    assert_eq!(describe.num_calls(), 0);
    cx.note = Some(json!({"asked": [0]}));
    assert_eq!(
        UpdateCluster::undo(&env, &spec, &prepared, &cx).await.unwrap(),
        Vec::<String>::new()
    );
    assert!(describe.num_calls() > 0);
}
