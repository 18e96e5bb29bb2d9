//! The main road with real servers: `redis-server` 7.0 or later must be on `PATH`. Real time, sped up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_sdk_memorydb::types::Cluster;
use orchestrate_sandbox::{Sandbox, ServerPolicy, SystemClock};

use crate::support::{BUCKET, config, shop};

async fn until<F: Future<Output = bool>>(what: &str, mut done: impl FnMut() -> F) {
    let started = Instant::now();
    while !done().await {
        assert!(started.elapsed() < Duration::from_secs(60), "{what} took over a minute");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn keys(host: &str, port: u16) -> u64 {
    let client = redis::Client::open(format!("redis://{host}:{port}")).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    redis::cmd("DBSIZE").query_async(&mut connection).await.unwrap()
}

#[tokio::test]
async fn a_real_servers_snapshot_is_served_by_the_restored_cluster() {
    let builder = Sandbox::builder().clock(Arc::new(SystemClock)).speed(2000.0);
    let sandbox = builder.servers(ServerPolicy::Auto).build().unwrap();
    let plane = sandbox.describe_data();
    assert!(plane.starts_with("real servers"), "this test needs redis-server: {plane}");
    sandbox.seed(shop()).await.unwrap();
    let config = config(&sandbox);
    let elasticache = aws_sdk_elasticache::Client::new(&config);
    let memorydb = aws_sdk_memorydb::Client::new(&config);

    let create = elasticache.create_snapshot().snapshot_name("nightly");
    create.replication_group_id("orders").send().await.unwrap();
    let available = || async {
        let described = elasticache.describe_snapshots().snapshot_name("nightly").send().await;
        described.is_ok_and(|d| d.snapshots()[0].snapshot_status() == Some("available"))
    };
    until("the snapshot", available).await;
    let copy = elasticache.copy_snapshot().source_snapshot_name("nightly");
    copy.target_snapshot_name("nightly").target_bucket(BUCKET).send().await.unwrap();
    until("the export", available).await;
    let create = memorydb.create_cluster().cluster_name("copy").node_type("db.r7g.large");
    let create = create.acl_name("open-access").tls_enabled(false).num_shards(3);
    let arn = |n: u8| format!("arn:aws:s3:::{BUCKET}/nightly-000{n}.rdb");
    create.snapshot_arns(arn(1)).snapshot_arns(arn(2)).send().await.unwrap();
    let cluster = || async {
        let named = memorydb.describe_clusters().cluster_name("copy").show_shard_details(true);
        named.send().await.ok().map(|described| described.clusters()[0].clone())
    };
    let restored = |cluster: Option<Cluster>| {
        cluster.is_some_and(|cluster| cluster.status() == Some("available"))
    };
    until("the cluster", || async { restored(cluster().await) }).await;

    let mut target = 0;
    for shard in cluster().await.unwrap().shards() {
        let endpoint = shard.nodes()[0].endpoint().unwrap();
        let here = keys(endpoint.address().unwrap(), endpoint.port() as u16).await;
        assert!(here > 0, "a shard of the target is empty");
        target += here;
    }
    let given = sandbox.world()["memorydb"]["clusters"]["copy"]["keys"].as_u64();
    assert_eq!(given, Some(target));
    assert!(target >= 500, "{target} keys");
    sandbox.stop().await;
}
