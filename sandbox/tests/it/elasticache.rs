//! ElastiCache: refusals, pages, quotas, users.

use orchestrate_sandbox::SeedBucket;

use crate::support::{BUCKET, clients, code, message, shop, sleep};

#[tokio::test(start_paused = true)]
async fn a_group_without_cluster_mode_is_snapshotted_by_node_only() {
    let aws = clients(shop()).await;
    let create = || aws.elasticache.create_snapshot().snapshot_name("one");
    let by_group = create().replication_group_id("cart").send().await;
    assert_eq!(code(by_group), "InvalidParameterCombination");
    let by_node = create().cache_cluster_id("orders-0001-001").send().await;
    assert_eq!(code(by_node), "InvalidParameterCombination");
    assert_eq!(code(create().send().await), "InvalidParameterCombination");
    let made = create().cache_cluster_id("cart-002").send().await.unwrap();
    assert_eq!(made.snapshot().unwrap().cache_cluster_id(), Some("cart-002"));
    assert_eq!(aws.group_status("cart").await, "snapshotting");
}

#[tokio::test(start_paused = true)]
async fn a_busy_group_and_a_taken_name_are_refused_with_their_wire_codes() {
    let aws = clients(shop()).await;
    let create = |name: &str| {
        aws.elasticache.create_snapshot().snapshot_name(name).replication_group_id("orders").send()
    };
    create("one").await.unwrap();
    assert_eq!(code(create("two").await), "InvalidReplicationGroupState");
    assert_eq!(code(create("ONE").await), "SnapshotAlreadyExistsFault");
    let node = aws.elasticache.create_snapshot().snapshot_name("x").cache_cluster_id("nobody-001");
    assert_eq!(code(node.send().await), "CacheClusterNotFound");
    let group = aws.elasticache.describe_replication_groups().replication_group_id("nobody");
    assert_eq!(code(group.send().await), "ReplicationGroupNotFoundFault");
    let error = create("a--b").await.unwrap_err().into_service_error();
    assert!(error.is_invalid_parameter_value_exception(), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_new_snapshot_is_not_found_at_first() {
    let aws = clients(shop()).await;
    let create = aws.elasticache.create_snapshot().snapshot_name("one");
    create.replication_group_id("orders").send().await.unwrap();
    let describe = || aws.elasticache.describe_snapshots().snapshot_name("one").send();
    assert_eq!(code(describe().await), "SnapshotNotFoundFault");
    sleep(3).await;
    assert_eq!(describe().await.unwrap().snapshots().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_twenty_first_snapshot_of_a_day_is_refused_and_the_next_day_it_is_not() {
    let aws = clients(shop()).await;
    for n in 0..20 {
        aws.snapshot(&format!("s{n}")).await;
    }
    let create = || {
        aws.elasticache
            .create_snapshot()
            .snapshot_name("late")
            .replication_group_id("orders")
            .send()
    };
    assert_eq!(code(create().await), "SnapshotQuotaExceededFault");
    sleep(24 * 3600).await;
    create().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn snapshots_come_in_pages_and_every_one_once() {
    let aws = clients(shop()).await;
    for n in 0..12 {
        aws.snapshot(&format!("s{n}")).await;
        let copy = aws.elasticache.copy_snapshot().source_snapshot_name(format!("s{n}"));
        copy.target_snapshot_name(format!("c{n}")).send().await.unwrap();
    }
    sleep(600).await;
    let pages = aws.elasticache.describe_snapshots().max_records(20).into_paginator();
    let mut sizes = Vec::new();
    let mut names = std::collections::BTreeSet::new();
    let mut stream = pages.send();
    while let Some(page) = stream.next().await {
        let page = page.unwrap();
        sizes.push(page.snapshots().len());
        names.extend(page.snapshots().iter().map(|s| s.snapshot_name().unwrap().to_owned()));
    }
    assert_eq!(sizes, [20, 4]);
    assert_eq!(names.len(), 24);
    let small = aws.elasticache.describe_snapshots().max_records(5).send().await;
    assert_eq!(code(small), "InvalidParameterValue");
}

#[tokio::test(start_paused = true)]
async fn an_export_is_refused_with_the_reason_the_bucket_gives() {
    let mut seed = shop();
    let bucket = |name: &str| SeedBucket { name: name.into(), ..SeedBucket::default() };
    seed.buckets.extend([
        SeedBucket { region: Some("eu-west-1".into()), ..bucket("far") },
        SeedBucket { owner: Some("999999999999".into()), ..bucket("foreign") },
        bucket("bare"),
    ]);
    let aws = clients(seed).await;
    aws.export("nightly").await;
    let export = |bucket: &str, target: &str| {
        let copy = aws.elasticache.copy_snapshot().source_snapshot_name("nightly");
        copy.target_snapshot_name(target).target_bucket(bucket).send()
    };
    for (bucket, text) in [
        ("far", "The S3 bucket far is outside of the region."),
        ("foreign", "The S3 bucket foreign is not owned by the authenticated user."),
        ("nowhere", "The S3 bucket nowhere does not exist."),
        ("bare", "ElastiCache has not been granted READ permissions bare on the S3 Bucket."),
    ] {
        assert_eq!(message(export(bucket, "x").await), text);
    }
    let again = export(BUCKET, "nightly").await;
    assert_eq!(
        message(again),
        "The S3 bucket exports already contains an object with key nightly-0001.rdb."
    );
    export(BUCKET, "weekly").await.unwrap();
    assert_eq!(code(export(BUCKET, "monthly").await), "InvalidSnapshotState");
    let delete = aws.elasticache.delete_snapshot().snapshot_name("nightly").send().await;
    assert_eq!(code(delete), "InvalidSnapshotState");
}

#[tokio::test(start_paused = true)]
async fn a_deleted_snapshot_is_gone_after_a_while() {
    let aws = clients(shop()).await;
    aws.snapshot("one").await;
    aws.elasticache.delete_snapshot().snapshot_name("one").send().await.unwrap();
    assert_eq!(aws.snapshot_status("one").await, "deleting");
    sleep(60).await;
    let again = aws.elasticache.delete_snapshot().snapshot_name("one").send().await;
    assert_eq!(code(again), "SnapshotNotFoundFault");
}

#[tokio::test(start_paused = true)]
async fn a_changed_user_is_modifying_before_it_is_active() {
    let aws = clients(shop()).await;
    let modify =
        |access: &str| aws.elasticache.modify_user().user_id("app").access_string(access).send();
    let changed = modify("on ~* +@all -@write").await.unwrap();
    assert_eq!(changed.status(), Some("modifying"));
    assert_eq!(code(modify("on ~* +@all").await), "InvalidUserState");
    sleep(30).await;
    let users = aws.elasticache.describe_users().user_id("app").send().await.unwrap();
    let user = &users.users()[0];
    assert_eq!(user.status(), Some("active"));
    assert_eq!(user.access_string(), Some("on ~* +@all -@write"));
    assert_eq!(user.user_group_ids(), ["apps"]);
    assert_eq!(user.authentication().unwrap().password_count(), Some(1));
    let nobody = aws.elasticache.modify_user().user_id("nobody").access_string("on").send().await;
    assert_eq!(code(nobody), "UserNotFound");
}

#[tokio::test(start_paused = true)]
async fn the_engine_version_is_on_the_nodes() {
    let aws = clients(shop()).await;
    let nodes = aws.elasticache.describe_cache_clusters().show_cache_node_info(true);
    let nodes = nodes.send().await.unwrap();
    let ids: Vec<_> =
        nodes.cache_clusters().iter().map(|c| c.cache_cluster_id().unwrap()).collect();
    assert_eq!(
        ids,
        [
            "cart-001",
            "cart-002",
            "orders-0001-001",
            "orders-0001-002",
            "orders-0002-001",
            "orders-0002-002"
        ]
    );
    assert!(nodes.cache_clusters().iter().all(|c| c.engine_version() == Some("7.1.0")));
}

#[tokio::test(start_paused = true)]
async fn a_person_can_make_and_remove_a_group() {
    let aws = clients(shop()).await;
    let create = aws.elasticache.create_replication_group().replication_group_id("New");
    let create = create.replication_group_description("for a try").num_node_groups(2);
    create.send().await.unwrap();
    sleep(60).await;
    assert_eq!(aws.group_status("new").await, "creating");
    sleep(600).await;
    assert_eq!(aws.group_status("new").await, "available");
    aws.elasticache.delete_replication_group().replication_group_id("new").send().await.unwrap();
    sleep(600).await;
    let gone = aws.elasticache.describe_replication_groups().replication_group_id("new").send();
    assert_eq!(code(gone.await), "ReplicationGroupNotFoundFault");
}
