//! ElastiCache Serverless: caches, their snapshots, and exports whose files nobody chooses.

use aws_sdk_elasticache::types::{ServerlessCacheSnapshot, SourceType, Tag};
use orchestrate_sandbox::{Fault, FaultKind, FaultPlan, Seed, SeedBucket, SeedServerlessCache};

use crate::support::{BUCKET, Clients, clients, code, message, shop, sleep};

/// The shop, with a serverless cache `carts` of the same users as `cart`.
fn shop_with(change: impl FnOnce(&mut SeedServerlessCache)) -> Seed {
    let mut cache = SeedServerlessCache {
        name: "Carts".into(),
        user_group: Some("apps".into()),
        security_groups: vec!["sg-1".into(), "sg-2".into()],
        subnets: vec!["subnet-1".into()],
        keys: 200,
        ..SeedServerlessCache::default()
    };
    change(&mut cache);
    Seed { serverless_caches: vec![cache], ..shop() }
}

async fn carts() -> Clients {
    clients(shop_with(|_| {})).await
}

impl Clients {
    async fn cache_snapshot(&self, name: &str) -> ServerlessCacheSnapshot {
        let describe = self.elasticache.describe_serverless_cache_snapshots();
        let answer = describe.serverless_cache_snapshot_name(name).send().await.unwrap();
        answer.serverless_cache_snapshots()[0].clone()
    }

    /// A snapshot of `carts`, available.
    async fn snapshot_of_carts(&self, name: &str) {
        let create = self.elasticache.create_serverless_cache_snapshot();
        let create = create.serverless_cache_snapshot_name(name).serverless_cache_name("carts");
        create.send().await.unwrap();
        sleep(7 * 60).await;
    }

    async fn export_to(&self, name: &str, bucket: &str) -> Result<(), String> {
        let export = self.elasticache.export_serverless_cache_snapshot();
        let export = export.serverless_cache_snapshot_name(name).s3_bucket_name(bucket);
        match export.send().await {
            Ok(_) => Ok(()),
            refused => Err(message(refused)),
        }
    }

    async fn snapshot_events(&self, name: &str) -> Vec<String> {
        let events = self.elasticache.describe_events().source_identifier(name);
        let events = events.source_type(SourceType::ServerlessCacheSnapshot).send().await.unwrap();
        events.events().iter().map(|event| event.message().unwrap().to_owned()).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn a_cache_is_described_as_the_sdk_reads_it() {
    let aws = carts().await;
    let describe = || aws.elasticache.describe_serverless_caches();
    let answer = describe().serverless_cache_name("CARTS").send().await.unwrap();
    let cache = &answer.serverless_caches()[0];
    assert_eq!(cache.serverless_cache_name(), Some("carts"));
    assert_eq!((cache.status(), cache.engine()), (Some("available"), Some("valkey")));
    assert_eq!(cache.major_engine_version(), Some("8"));
    assert_eq!(cache.full_engine_version(), Some("8.0"));
    assert_eq!(cache.user_group_id(), Some("apps"));
    assert_eq!(cache.security_group_ids(), ["sg-1", "sg-2"]);
    assert_eq!(cache.subnet_ids(), ["subnet-1"]);
    let endpoint = cache.endpoint().unwrap();
    let model = aws.sandbox.model(endpoint.address().unwrap(), endpoint.port().unwrap() as u16);
    assert!(model.unwrap().keys() >= 200);
    assert!(cache.reader_endpoint().unwrap().address().is_some());
    assert_eq!(describe().send().await.unwrap().serverless_caches().len(), 1);
    let missing = describe().serverless_cache_name("nobody").send().await;
    assert_eq!(code(missing), "ServerlessCacheNotFoundFault");
    let groups = aws.elasticache.describe_user_groups().user_group_id("apps").send().await.unwrap();
    assert_eq!(groups.user_groups()[0].serverless_caches(), ["carts"]);
    assert_eq!(groups.user_groups()[0].replication_groups(), ["cart"]);
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_is_exported_under_names_that_begin_with_its_own_and_restored_with_every_key() {
    let aws = carts().await;
    let create = aws.elasticache.create_serverless_cache_snapshot();
    let create = create.serverless_cache_snapshot_name("Nightly").serverless_cache_name("Carts");
    let tag = Tag::builder().key("who").value("me").build();
    let made = create.tags(tag.clone()).send().await.unwrap();
    let made = made.serverless_cache_snapshot().unwrap();
    assert_eq!(made.serverless_cache_snapshot_name(), Some("nightly"));
    assert_eq!((made.status(), made.bytes_used_for_cache()), (Some("creating"), None));
    sleep(7 * 60).await;
    let found = aws.cache_snapshot("nightly").await;
    assert_eq!((found.status(), found.snapshot_type()), (Some("available"), Some("manual")));
    assert!(found.bytes_used_for_cache().unwrap().parse::<u64>().unwrap() > 0);
    let of = found.serverless_cache_configuration().unwrap();
    assert_eq!((of.serverless_cache_name(), of.engine()), (Some("carts"), Some("valkey")));
    let tags = aws.elasticache.list_tags_for_resource().resource_name(found.arn().unwrap());
    assert_eq!(tags.send().await.unwrap().tag_list(), [tag]);

    aws.export_to("nightly", BUCKET).await.unwrap();
    assert_eq!(aws.cache_snapshot("nightly").await.status(), Some("exporting"));
    assert!(aws.objects().await.is_empty());
    sleep(5 * 60).await;
    assert_eq!(aws.cache_snapshot("nightly").await.status(), Some("available"));
    assert_eq!(aws.objects().await, ["nightly-0001.rdb", "nightly-0002.rdb"]);
    // An export that went well is told by no event.
    assert_eq!(aws.snapshot_events("nightly").await, ["Snapshot nightly created for cache carts."]);
    aws.create_from("copy", &["nightly-0001.rdb", "nightly-0002.rdb"]).await;
    sleep(20 * 60).await;
    assert_eq!(aws.cluster("copy").await.status(), Some("available"));
    let world = aws.sandbox.world();
    let keys = &world["elasticache"]["serverless_caches"]["carts"]["keys"];
    assert_eq!(&world["memorydb"]["clusters"]["copy"]["keys"], keys);
    assert!(keys.as_u64() >= Some(200), "{keys}");
}

#[tokio::test(start_paused = true)]
async fn the_seed_says_how_many_files_an_export_has_and_what_they_are_called() {
    let seed = shop_with(|cache| {
        cache.partitions = 1;
        cache.export_suffix = ".rdb".into();
    });
    let aws = clients(seed).await;
    aws.snapshot_of_carts("one").await;
    aws.export_to("one", BUCKET).await.unwrap();
    sleep(5 * 60).await;
    assert_eq!(aws.objects().await, ["one.rdb"]);
}

#[tokio::test(start_paused = true)]
async fn taken_names_busy_caches_and_busy_snapshots_are_refused_with_their_wire_codes() {
    let aws = clients(shop_with(|cache| cache.status = "modifying".into())).await;
    let create = |aws: &Clients, name: &str, cache: &str| {
        let create = aws.elasticache.create_serverless_cache_snapshot();
        create.serverless_cache_snapshot_name(name).serverless_cache_name(cache).send()
    };
    assert_eq!(code(create(&aws, "one", "carts").await), "InvalidServerlessCacheStateFault");
    assert_eq!(code(create(&aws, "one", "nobody").await), "ServerlessCacheNotFoundFault");
    let aws = carts().await;
    aws.snapshot_of_carts("one").await;
    let again = create(&aws, "ONE", "carts").await;
    assert_eq!(code(again), "ServerlessCacheSnapshotAlreadyExistsFault");
    aws.export_to("one", BUCKET).await.unwrap();
    let export = aws.elasticache.export_serverless_cache_snapshot();
    let export = export.serverless_cache_snapshot_name("one").s3_bucket_name(BUCKET).send().await;
    assert_eq!(code(export), "InvalidServerlessCacheSnapshotStateFault");
    let delete = |name: &str| {
        let delete = aws.elasticache.delete_serverless_cache_snapshot();
        delete.serverless_cache_snapshot_name(name).send()
    };
    assert_eq!(code(delete("one").await), "InvalidServerlessCacheSnapshotStateFault");
    assert_eq!(code(delete("two").await), "ServerlessCacheSnapshotNotFoundFault");
    sleep(5 * 60).await;
    let deleted = delete("one").await.unwrap();
    assert_eq!(deleted.serverless_cache_snapshot().unwrap().status(), Some("deleting"));
    sleep(60).await;
    let gone = aws.elasticache.describe_serverless_cache_snapshots();
    let gone = gone.serverless_cache_snapshot_name("one").send().await;
    assert_eq!(code(gone), "ServerlessCacheSnapshotNotFoundFault");
}

#[tokio::test(start_paused = true)]
async fn the_twenty_fifth_snapshot_of_a_day_is_refused_and_pages_hold_every_one_once() {
    let aws = carts().await;
    for n in 0..24 {
        aws.snapshot_of_carts(&format!("s{n}")).await;
    }
    let create = aws.elasticache.create_serverless_cache_snapshot();
    let create = create.serverless_cache_snapshot_name("late").serverless_cache_name("carts");
    assert_eq!(code(create.send().await), "ServerlessCacheSnapshotQuotaExceededFault");
    let (mut found, mut token, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = aws.elasticache.describe_serverless_cache_snapshots().max_results(10);
        let page = page.serverless_cache_name("carts").set_next_token(token).send().await.unwrap();
        found.extend(page.serverless_cache_snapshots.unwrap_or_default());
        pages += 1;
        token = page.next_token;
        if token.is_none() {
            break;
        }
    }
    found.dedup();
    assert_eq!((found.len(), pages), (24, 3));
    let page = aws.elasticache.describe_serverless_cache_snapshots().max_results(51);
    assert_eq!(code(page.send().await), "InvalidParameterValue");
}

#[tokio::test(start_paused = true)]
async fn a_bucket_is_refused_with_elasticache_s_own_words() {
    let mut seed = shop_with(|_| {});
    let bucket = |name: &str, region: Option<&str>, owner: Option<&str>| SeedBucket {
        name: name.into(),
        region: region.map(str::to_owned),
        owner: owner.map(str::to_owned),
        ..SeedBucket::default()
    };
    seed.buckets.extend([
        bucket("far", Some("eu-west-1"), None),
        bucket("theirs", None, Some("999999999999")),
        bucket("closed", None, None),
    ]);
    let aws = clients(seed).await;
    aws.snapshot_of_carts("one").await;
    for (bucket, words) in [
        ("nowhere", "The S3 bucket nowhere does not exist."),
        ("far", "The S3 bucket far is outside of the region."),
        ("theirs", "The S3 bucket theirs is not owned by the authenticated user."),
        ("closed", "ElastiCache has not been granted READ permissions closed on the S3 Bucket."),
    ] {
        assert_eq!(aws.export_to("one", bucket).await.unwrap_err(), words);
    }
    assert_eq!(aws.cache_snapshot("one").await.status(), Some("available"));
}

#[tokio::test(start_paused = true)]
async fn an_object_in_the_way_ends_the_export_and_only_an_event_tells() {
    let aws = carts().await;
    aws.snapshot_of_carts("one").await;
    let put = aws.s3.put_object().bucket(BUCKET).key("one-0002.rdb");
    put.body(aws_sdk_s3::primitives::ByteStream::from_static(b"theirs")).send().await.unwrap();
    aws.export_to("one", BUCKET).await.unwrap();
    sleep(5 * 60).await;
    assert_eq!(aws.cache_snapshot("one").await.status(), Some("available"));
    assert_eq!(aws.objects().await, ["one-0002.rdb"]);
    let told = aws.snapshot_events("one").await.pop().unwrap();
    assert_eq!(
        told,
        "Failed to export snapshot for cache carts. Could not export snapshot to bucket 'exports' because there is already an object with the same name in the bucket."
    );
}

#[tokio::test(start_paused = true)]
async fn faults_reach_snapshots_and_exports() {
    let aws = carts().await;
    let fault = |operation: &str, kind| Fault::new("elasticache", operation, kind);
    let terminal = |state: &str| FaultKind::TerminalState {
        state: state.into(),
        reason: "of an internal error".into(),
    };
    aws.sandbox.set_faults(FaultPlan::of([
        fault("CreateServerlessCacheSnapshot", terminal("failed")),
        fault("CreateServerlessCacheSnapshot", FaultKind::SlowTransition(2.0)).nth(2),
        fault("ExportServerlessCacheSnapshot", FaultKind::MissingObjects),
        fault("ExportServerlessCacheSnapshot", terminal("failed")).nth(2),
        fault("DescribeServerlessCacheSnapshots", FaultKind::NotFound).nth(3),
    ]));
    aws.snapshot_of_carts("one").await;
    assert_eq!(aws.cache_snapshot("one").await.status(), Some("failed"));
    assert!(aws.snapshot_events("one").await[0].contains("failed because of an internal error"));
    aws.snapshot_of_carts("two").await;
    assert_eq!(aws.cache_snapshot("two").await.status(), Some("creating"));
    let describe = aws.elasticache.describe_serverless_cache_snapshots();
    let missing = describe.serverless_cache_snapshot_name("two").send().await;
    assert_eq!(code(missing), "ServerlessCacheSnapshotNotFoundFault");
    sleep(7 * 60).await;
    aws.export_to("two", BUCKET).await.unwrap();
    sleep(5 * 60).await;
    assert_eq!(aws.objects().await, ["two-0001.rdb"]);
    aws.export_to("two", BUCKET).await.unwrap();
    sleep(5 * 60).await;
    let told = aws.snapshot_events("two").await.pop().unwrap();
    assert!(told.starts_with("Failed to export snapshot"), "{told}");
}

/// A change of a user reaches the servers of the cache too: the model accepts or refuses its rules.
#[tokio::test(start_paused = true)]
async fn a_user_of_a_cache_is_changed_like_any_other() {
    let aws = carts().await;
    let modify = aws.elasticache.modify_user().user_id("app").access_string("on ~* +@all -@write");
    modify.send().await.unwrap();
    sleep(60).await;
    let users = aws.elasticache.describe_users().user_id("app").send().await.unwrap();
    assert_eq!(users.users()[0].status(), Some("active"));
}
