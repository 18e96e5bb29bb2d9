//! The main road: snapshot, export, restore.

use std::time::Duration;

use aws_sdk_elasticache::types::Tag;

use crate::support::{BUCKET, clients, shop, sleep};

#[tokio::test(start_paused = true)]
async fn a_snapshot_is_exported_and_becomes_a_cluster_with_every_key() {
    let aws = clients(shop()).await;
    let group = aws.elasticache.describe_replication_groups().replication_group_id("Orders");
    let group = group.send().await.unwrap().replication_groups()[0].clone();
    assert!(group.configuration_endpoint().unwrap().address().is_some());
    assert_eq!(group.node_groups()[1].slots(), Some("8192-16383"));

    let tag = Tag::builder().key("run").value("r1").build();
    let create = aws.elasticache.create_snapshot().snapshot_name("Orders-Snap");
    let made = create.replication_group_id("orders").tags(tag).send().await.unwrap();
    let made = made.snapshot().unwrap();
    assert_eq!(made.snapshot_name(), Some("orders-snap"));
    assert_eq!(made.node_snapshots()[0].cache_size(), Some(""));
    assert_eq!(aws.group_status("orders").await, "snapshotting");

    sleep(10).await;
    assert_eq!(aws.snapshot_status("orders-snap").await, "creating");
    let mut waited = 10;
    while aws.snapshot_status("orders-snap").await != "available" {
        sleep(20).await;
        waited += 20;
    }
    assert_eq!(waited, 370);
    assert_eq!(aws.group_status("orders").await, "available");
    let tags = aws.elasticache.list_tags_for_resource().resource_name(made.arn().unwrap());
    assert_eq!(tags.send().await.unwrap().tag_list()[0].value(), Some("r1"));

    let copy = aws.elasticache.copy_snapshot().source_snapshot_name("orders-snap");
    copy.target_snapshot_name("Orders-Copy").target_bucket(BUCKET).send().await.unwrap();
    assert_eq!(aws.snapshot_status("orders-snap").await, "copying");
    assert!(aws.objects().await.is_empty());
    sleep(5 * 60).await;
    assert_eq!(aws.snapshot_status("orders-snap").await, "available");
    assert_eq!(aws.objects().await, ["orders-copy-0001.rdb", "orders-copy-0002.rdb"]);
    let head = aws.s3.get_object().bucket(BUCKET).key("orders-copy-0001.rdb").range("bytes=0-4");
    let magic = head.send().await.unwrap().body.collect().await.unwrap().into_bytes();
    assert_eq!(&magic[..], b"REDIS");

    aws.create_from("orders-mdb", &["orders-copy-0001.rdb", "orders-copy-0002.rdb"]).await;
    sleep(60).await;
    let cluster = aws.cluster("orders-mdb").await;
    assert_eq!(cluster.status(), Some("creating"));
    assert_eq!(cluster.cluster_endpoint().unwrap().address(), None);
    sleep(18 * 60).await;
    let cluster = aws.cluster("orders-mdb").await;
    assert_eq!(cluster.status(), Some("available"));
    assert_eq!(cluster.shards().len(), 3);
    assert_eq!(aws.cluster_events("orders-mdb").await, ["Cluster created."]);

    let endpoint = cluster.cluster_endpoint().unwrap();
    let target = aws.sandbox.model(endpoint.address().unwrap(), endpoint.port() as u16).unwrap();
    let from = group.configuration_endpoint().unwrap();
    let source = aws.sandbox.model(from.address().unwrap(), from.port().unwrap() as u16).unwrap();
    assert!(source.keys() >= 500);
    assert_eq!(target.keys(), source.keys());
    assert!(source.entries().all(|entry| target.get(&entry.key) == Some(entry)));
}

#[tokio::test(start_paused = true)]
async fn an_hour_of_waiting_takes_no_real_time() {
    let started = std::time::Instant::now();
    let aws = clients(shop()).await;
    for _ in 0..60 {
        sleep(60).await;
        aws.group_status("orders").await;
    }
    assert!(started.elapsed() < Duration::from_secs(30), "it took {:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn two_runs_of_the_same_effect_leave_the_same_world() {
    let mut worlds = Vec::new();
    for wait in [0, 999] {
        let aws = clients(shop()).await;
        sleep(wait).await;
        aws.export("nightly").await;
        aws.create_from("copy", &["nightly-0001.rdb", "nightly-0002.rdb"]).await;
        sleep(20 * 60).await;
        assert_eq!(aws.cluster("copy").await.status(), Some("available"));
        worlds.push(aws.sandbox.world());
    }
    assert_eq!(worlds[0], worlds[1]);
    assert!(worlds[0]["memorydb"]["clusters"]["copy"]["keys"].as_u64() >= Some(500));
}

#[tokio::test(start_paused = true)]
async fn the_caller_is_the_account_of_the_sandbox() {
    let aws = clients(shop()).await;
    let who = aws.sts.get_caller_identity().send().await.unwrap();
    assert_eq!(who.account(), Some("123456789012"));
    assert_eq!(who.arn(), Some("arn:aws:iam::123456789012:user/sandbox"));
}
