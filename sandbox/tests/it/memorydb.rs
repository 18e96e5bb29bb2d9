//! MemoryDB: refusals at once, failures later, snapshots of its own.

use aws_sdk_memorydb::types::{AuthenticationMode, InputAuthenticationType};
use aws_sdk_s3::types::ServerSideEncryption;
use orchestrate_sandbox::SeedBucket;

use crate::support::{BUCKET, clients, code, shop, sleep};

#[tokio::test(start_paused = true)]
async fn what_is_wrong_with_a_file_shows_only_in_the_events() {
    let aws = clients(shop()).await;
    aws.export("nightly").await;
    aws.create_from("copy", &["nightly-0001.rdb", "nightly-0003.rdb"]).await;
    sleep(20 * 60).await;
    assert_eq!(aws.cluster("copy").await.status(), Some("restore-failed"));
    assert_eq!(
        aws.cluster_events("copy").await,
        [
            "Restore from nightly-0003.rdb failed for node copy-0001-001. The file does not exist in the S3 bucket."
        ]
    );
    aws.memorydb.delete_cluster().cluster_name("copy").send().await.unwrap();
    sleep(10 * 60).await;
    let gone = aws.memorydb.describe_clusters().cluster_name("copy").send().await;
    assert_eq!(code(gone), "ClusterNotFoundFault");
}

#[tokio::test(start_paused = true)]
async fn files_deleted_during_a_restore_are_missed() {
    let aws = clients(shop()).await;
    aws.export("nightly").await;
    aws.create_from("copy", &["nightly-0001.rdb", "nightly-0002.rdb"]).await;
    sleep(60).await;
    aws.s3.delete_object().bucket(BUCKET).key("nightly-0002.rdb").send().await.unwrap();
    sleep(20 * 60).await;
    assert_eq!(aws.cluster("copy").await.status(), Some("restore-failed"));
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_no_snapshot_fails_the_restore_in_the_servers_words() {
    let aws = clients(shop()).await;
    let put = aws.s3.put_object().bucket(BUCKET).key("junk-0001.rdb");
    put.body(b"not an rdb file at all".to_vec().into()).send().await.unwrap();
    aws.create_from("copy", &["junk-0001.rdb"]).await;
    sleep(20 * 60).await;
    assert_eq!(aws.cluster("copy").await.status(), Some("restore-failed"));
    let events = aws.cluster_events("copy").await;
    assert!(
        events[0].starts_with("Restore from junk-0001.rdb failed for node copy-0001-001. "),
        "{events:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn files_under_kms_cannot_be_restored() {
    let mut seed = shop();
    seed.buckets = vec![SeedBucket {
        name: BUCKET.into(),
        ready_for_exports: true,
        kms_key: Some("alias/backups".into()),
        ..SeedBucket::default()
    }];
    let aws = clients(seed).await;
    aws.export("nightly").await;
    let head = aws.s3.head_object().bucket(BUCKET).key("nightly-0001.rdb").send().await.unwrap();
    assert_eq!(head.server_side_encryption(), Some(&ServerSideEncryption::AwsKms));
    aws.create_from("copy", &["nightly-0001.rdb", "nightly-0002.rdb"]).await;
    sleep(20 * 60).await;
    assert_eq!(aws.cluster("copy").await.status(), Some("restore-failed"));
    assert!(aws.cluster_events("copy").await[0].contains("SSE-KMS"));
}

#[tokio::test(start_paused = true)]
async fn what_the_request_shows_is_refused_at_once() {
    let aws = clients(shop()).await;
    let create = || {
        let create = aws.memorydb.create_cluster().cluster_name("new").node_type("db.r7g.large");
        create.acl_name("open-access").tls_enabled(false)
    };
    let value = "InvalidParameterValueException";
    assert_eq!(code(create().node_type("cache.r7g.large").send().await), value);
    assert_eq!(code(create().engine_version("7.1.1").send().await), value);
    assert_eq!(code(create().snapshot_arns("arn:aws:s3:::exports").send().await), value);
    assert_eq!(code(create().snapshot_arns("arn:aws:s3:::exports/a,b").send().await), value);
    assert_eq!(code(create().acl_name("nobody").send().await), "ACLNotFoundFault");
    let both = create().snapshot_arns("arn:aws:s3:::exports/a").snapshot_name("s").send().await;
    assert_eq!(code(both), "InvalidParameterCombinationException");
    assert_eq!(code(create().subnet_group_name("x").send().await), "SubnetGroupNotFoundFault");
    let group = create().parameter_group_name("x").send().await;
    assert_eq!(code(group), "ParameterGroupNotFoundFault");
    let many = create().num_shards(50).num_replicas_per_shard(1).send().await;
    assert_eq!(code(many), "NodeQuotaForClusterExceededFault");
    create().send().await.unwrap();
    assert_eq!(code(create().send().await), "ClusterAlreadyExistsFault");
    let delete = aws.memorydb.delete_cluster().cluster_name("new").send().await;
    assert_eq!(code(delete), "InvalidClusterStateFault");
}

#[tokio::test(start_paused = true)]
async fn an_acl_must_be_active_and_needs_tls() {
    let aws = clients(shop()).await;
    let mode = AuthenticationMode::builder().r#type(InputAuthenticationType::Password);
    let mode = mode.passwords("correct-horse-battery").build();
    let user = aws.memorydb.create_user().user_name("app").access_string("on ~* +@all");
    user.authentication_mode(mode).send().await.unwrap();
    aws.memorydb.create_acl().acl_name("app").user_names("app").send().await.unwrap();
    let create = |tls| {
        let create = aws.memorydb.create_cluster().cluster_name("new").node_type("db.r7g.large");
        create.acl_name("app").tls_enabled(tls).send()
    };
    assert_eq!(code(create(true).await), "InvalidACLStateFault");
    sleep(60).await;
    assert_eq!(code(create(false).await), "InvalidParameterCombinationException");
    create(true).await.unwrap();
    let acls = aws.memorydb.describe_acls().acl_name("app").send().await.unwrap();
    assert_eq!(acls.acls()[0].clusters(), ["new"]);
}

#[tokio::test(start_paused = true)]
async fn a_cluster_is_snapshotted_and_restored_by_name() {
    let aws = clients(shop()).await;
    aws.export("nightly").await;
    aws.create_from("copy", &["nightly-0001.rdb", "nightly-0002.rdb"]).await;
    sleep(20 * 60).await;
    aws.cluster("copy").await;
    let snapshot = aws.memorydb.create_snapshot().cluster_name("copy").snapshot_name("own");
    snapshot.send().await.unwrap();
    assert_eq!(aws.cluster("copy").await.status(), Some("snapshotting"));
    sleep(10 * 60).await;
    assert_eq!(aws.cluster("copy").await.status(), Some("available"));
    let create = aws.memorydb.create_cluster().cluster_name("again").node_type("db.t4g.small");
    let create = create.acl_name("open-access").tls_enabled(false).snapshot_name("own");
    create.send().await.unwrap();
    let delete = aws.memorydb.delete_snapshot().snapshot_name("own").send().await;
    assert_eq!(code(delete), "InvalidSnapshotStateFault");
    sleep(20 * 60).await;
    assert_eq!(aws.cluster("again").await.status(), Some("available"));
    let world = aws.sandbox.world();
    let clusters = &world["memorydb"]["clusters"];
    assert_eq!(clusters["again"]["keys"], clusters["copy"]["keys"]);
    aws.memorydb.delete_snapshot().snapshot_name("own").send().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_cluster_with_automatic_snapshots_is_snapshotting_before_it_is_available() {
    let aws = clients(shop()).await;
    let create = aws.memorydb.create_cluster().cluster_name("new").node_type("db.r7g.large");
    let create = create.acl_name("open-access").tls_enabled(false).snapshot_retention_limit(1);
    create.send().await.unwrap();
    sleep(19 * 60).await;
    assert_eq!(aws.cluster("new").await.status(), Some("snapshotting"));
    sleep(7 * 60).await;
    assert_eq!(aws.cluster("new").await.status(), Some("available"));
}

#[tokio::test(start_paused = true)]
async fn what_is_offered_can_be_asked_for() {
    let aws = clients(shop()).await;
    let versions = aws.memorydb.describe_engine_versions().engine("valkey").send().await.unwrap();
    let versions: Vec<_> =
        versions.engine_versions().iter().map(|v| v.engine_version().unwrap()).collect();
    assert_eq!(versions, ["7.3", "7.2"]);
    let groups = aws.memorydb.describe_parameter_groups().send().await.unwrap();
    assert_eq!(groups.parameter_groups().len(), 3);
    let subnets = aws.memorydb.describe_subnet_groups().send().await.unwrap();
    assert_eq!(subnets.subnet_groups()[0].name(), Some("default"));
    let users = aws.memorydb.describe_users().user_name("default").send().await.unwrap();
    assert_eq!(users.users()[0].acl_names(), ["open-access"]);
}

#[tokio::test(start_paused = true)]
async fn an_engine_older_than_the_file_cannot_load_it() {
    let aws = clients(shop()).await;
    let put = aws.s3.put_object().bucket(BUCKET).key("new-0001.rdb");
    put.body(b"REDIS0011".to_vec().into()).send().await.unwrap();
    let create = aws.memorydb.create_cluster().cluster_name("old").node_type("db.r7g.large");
    let create = create.acl_name("open-access").tls_enabled(false).engine_version("6.2");
    let arn = format!("arn:aws:s3:::{BUCKET}/new-0001.rdb");
    create.snapshot_arns(arn).send().await.unwrap();
    sleep(20 * 60).await;
    assert_eq!(aws.cluster("old").await.status(), Some("restore-failed"));
    assert_eq!(
        aws.cluster_events("old").await,
        [
            "Restore from new-0001.rdb failed for node old-0001-001. Can't handle RDB format version 11"
        ]
    );
}
