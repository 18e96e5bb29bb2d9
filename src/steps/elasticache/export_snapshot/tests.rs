//! Request shape, adoption, refusals and undo, against mocked clients.

use aws_sdk_elasticache::Client as ElastiCache;
use aws_sdk_elasticache::error::ErrorMetadata;
use aws_sdk_elasticache::operation::copy_snapshot::{CopySnapshotError, CopySnapshotOutput};
use aws_sdk_elasticache::operation::describe_events::DescribeEventsOutput;
use aws_sdk_elasticache::operation::describe_snapshots::DescribeSnapshotsOutput;
use aws_sdk_elasticache::types::{DataTieringStatus, Event, NodeSnapshot, Snapshot};
use aws_sdk_s3::Client as S3;
use aws_sdk_s3::operation::delete_object::DeleteObjectOutput;
use aws_sdk_s3::operation::get_bucket_encryption::GetBucketEncryptionOutput;
use aws_sdk_s3::operation::get_bucket_location::GetBucketLocationOutput;
use aws_sdk_s3::operation::get_bucket_policy::GetBucketPolicyOutput;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{BucketLocationConstraint, Object, ServerSideEncryption};
use aws_smithy_mocks::{Rule, mock};
use serde_json::json;

use super::*;
use crate::engine::Class;
use crate::steps::exports::landing::Landing;
use crate::steps::exports::out::Prepared;
use crate::steps::testing::{self, Rules};

const TARGET: &str = "orc-0test0test-export";

fn shown(status: &str) -> DescribeSnapshotsOutput {
    let node = |id: &str| NodeSnapshot::builder().node_group_id(id).cache_size("3 MB").build();
    let snapshot = Snapshot::builder()
        .snapshot_name("snap")
        .replication_group_id("prod")
        .snapshot_status(status)
        .node_snapshots(node("0001"))
        .node_snapshots(node("0007"))
        .build();
    DescribeSnapshotsOutput::builder().snapshots(snapshot).build()
}

fn objects(keys: &[&str]) -> ListObjectsV2Output {
    let objects = keys.iter().map(|key| Object::builder().key(*key).size(40).build()).collect();
    ListObjectsV2Output::builder().set_contents(Some(objects)).build()
}

const BOTH: [&str; 2] = ["orc-0test0test-export-0001.rdb", "orc-0test0test-export-0007.rdb"];

fn bucket() -> [Rule; 3] {
    [
        mock!(S3::get_bucket_location).then_output(|| GetBucketLocationOutput::builder().build()),
        mock!(S3::get_bucket_encryption)
            .then_output(|| GetBucketEncryptionOutput::builder().build()),
        mock!(S3::get_bucket_policy).then_output(|| {
            let policy = json!({"Statement": [{
                "Effect": "Allow",
                "Principal": {"Service": "us-east-1.elasticache-snapshot.amazonaws.com"},
                "Action": "s3:*",
            }]});
            GetBucketPolicyOutput::builder().policy(policy.to_string()).build()
        }),
    ]
}

fn reads(encryption: ServerSideEncryption) -> [Rule; 2] {
    [
        mock!(S3::head_object).then_output(move || {
            HeadObjectOutput::builder()
                .content_length(40)
                .server_side_encryption(encryption.clone())
                .build()
        }),
        mock!(S3::get_object).match_requests(|r| r.range() == Some("bytes=0-8")).then_output(
            || GetObjectOutput::builder().body(ByteStream::from_static(b"REDIS0011")).build(),
        ),
    ]
}

fn copies() -> Rule {
    mock!(ElastiCache::copy_snapshot)
        .match_requests(|r| {
            r.source_snapshot_name() == Some("snap")
                && r.target_snapshot_name() == Some(TARGET)
                && r.target_bucket() == Some("exports")
                && r.kms_key_id().is_none()
        })
        .then_output(|| CopySnapshotOutput::builder().build())
}

fn spec() -> Spec {
    testing::spec(json!({"snapshot": "Snap", "bucket": "exports"}))
}

fn intent() -> Prepared {
    Prepared {
        landing: Landing {
            of: Of::ElastiCache,
            snapshot: "snap".to_owned(),
            bucket: "exports".to_owned(),
            target: TARGET.to_owned(),
            node_groups: vec!["0001".to_owned(), "0007".to_owned()],
        },
        bytes: 0,
        source: Some("prod".to_owned()),
        source_is_node: false,
    }
}

fn noted(call: &str) -> Cx {
    let mut cx = testing::cx("export");
    cx.note = Some(json!({ "call": call }));
    cx
}

#[tokio::test(start_paused = true)]
async fn the_export_is_done_when_the_source_is_back_and_every_object_is_there() {
    let describe = mock!(ElastiCache::describe_snapshots)
        .sequence()
        .output(|| shown("available"))
        .times(3)
        .output(|| shown("copying"))
        .times(3)
        .output(|| shown("available"))
        .repeatedly()
        .build();
    // Empty for prepare, execute's first look and the first of the wait; none is asked for while the source is busy; then
    // one object is late.
    let list = mock!(S3::list_objects_v2)
        .match_requests(|r| r.prefix() == Some("orc-0test0test-export-"))
        .sequence()
        .output(|| objects(&["orc-0test0test-export-notes.rdb"]))
        .times(3)
        .output(|| objects(&BOTH[..1]))
        .times(2)
        .output(|| objects(&BOTH))
        .repeatedly()
        .build();
    let (copy, bucket, reads) = (copies(), bucket(), reads(ServerSideEncryption::Aes256));
    let mut s3 = vec![&list];
    s3.extend(bucket.iter().chain(&reads));
    let env = testing::env(Rules { elasticache: vec![&describe, &copy], s3, ..Rules::default() });
    let cx = testing::cx("export");
    let (prepared, resources) = ExportSnapshot::prepare(&env, &spec(), &cx).await.unwrap();
    assert_eq!(resources.len(), 2);
    let done = ExportSnapshot::execute(&env, &spec(), &prepared, &cx).await.unwrap();
    let Done::Changed(output) = done else { panic!("{done:?}") };
    assert_eq!(output.keys, BOTH);
    assert_eq!(output.objects[1], format!("arn:aws:s3:::exports/{}", BOTH[1]));
    assert_eq!((output.rdb_version, output.bytes), (11, 80));
    assert_eq!(copy.num_calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_never_copies_twice() {
    let describe = mock!(ElastiCache::describe_snapshots)
        .sequence()
        .output(|| shown("available"))
        .times(2)
        .output(|| shown("copying"))
        .times(2)
        .output(|| shown("available"))
        .repeatedly()
        .build();
    let list = mock!(S3::list_objects_v2)
        .sequence()
        .output(|| objects(&[]))
        .times(4)
        .output(|| objects(&BOTH))
        .repeatedly()
        .build();
    let (copy, reads) = (copies(), reads(ServerSideEncryption::Aes256));
    let mut s3 = vec![&list];
    s3.extend(&reads);
    let env = testing::env(Rules { elasticache: vec![&describe, &copy], s3, ..Rules::default() });
    let cx = noted("asked");
    let done = ExportSnapshot::execute(&env, &spec(), &intent(), &cx).await.unwrap();
    assert!(matches!(done, Done::Adopted(_)), "{done:?}");
    assert_eq!(copy.num_calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_never_arrived_is_made_again_after_looking_long_enough() {
    let describe = mock!(ElastiCache::describe_snapshots).then_output(|| shown("available"));
    let list = mock!(S3::list_objects_v2)
        .sequence()
        .output(|| objects(&[]))
        .times(12)
        .output(|| objects(&BOTH))
        .repeatedly()
        .build();
    let (copy, reads) = (copies(), reads(ServerSideEncryption::Aes256));
    let mut s3 = vec![&list];
    s3.extend(&reads);
    let env = testing::env(Rules { elasticache: vec![&describe, &copy], s3, ..Rules::default() });
    let cx = noted("asked");
    let before = cx.clock.now();
    let done = ExportSnapshot::execute(&env, &spec(), &intent(), &cx).await.unwrap();
    assert!(matches!(done, Done::Changed(_)), "{done:?}");
    assert_eq!(copy.num_calls(), 1);
    assert!(cx.clock.since(before) >= Duration::from_secs(120));
}

#[tokio::test(start_paused = true)]
async fn missing_objects_fail_the_step_with_the_reason_from_the_events() {
    let describe = mock!(ElastiCache::describe_snapshots)
        .sequence()
        .output(|| shown("available"))
        .output(|| shown("copying"))
        .times(2)
        .output(|| shown("available"))
        .repeatedly()
        .build();
    let list = mock!(S3::list_objects_v2)
        .sequence()
        .output(|| objects(&[]))
        .times(3)
        .output(|| objects(&BOTH[..1]))
        .repeatedly()
        .build();
    let events = mock!(ElastiCache::describe_events).then_output(|| {
        let event = Event::builder().message("Export of snapshot 'snap' failed. Denied").build();
        DescribeEventsOutput::builder().events(event).build()
    });
    let copy = copies();
    let elasticache = vec![&describe, &copy, &events];
    let env = testing::env(Rules { elasticache, s3: vec![&list], ..Rules::default() });
    let cx = testing::cx("export");
    let failure = ExportSnapshot::execute(&env, &spec(), &intent(), &cx).await.unwrap_err();
    assert_eq!(failure.class, Class::Terminal);
    let words = failure.to_string();
    assert!(words.contains("1 of 2 objects are missing") && words.contains("Denied"), "{words}");
    assert_eq!(copy.num_calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn files_that_were_there_before_are_never_taken_for_ours() {
    let describe = mock!(ElastiCache::describe_snapshots).then_output(|| shown("available"));
    let list = mock!(S3::list_objects_v2).then_output(|| objects(&BOTH[1..]));
    let (copy, bucket) = (copies(), bucket());
    let mut s3 = vec![&list];
    s3.extend(&bucket);
    let env = testing::env(Rules { elasticache: vec![&describe, &copy], s3, ..Rules::default() });
    let cx = testing::cx("export");
    let failure = ExportSnapshot::prepare(&env, &spec(), &cx).await.unwrap_err();
    assert_eq!(failure.class, Class::Conflict);
    assert!(failure.message.contains("already contains"), "{failure}");
    let failure = ExportSnapshot::execute(&env, &spec(), &intent(), &cx).await.unwrap_err();
    assert_eq!(failure.class, Class::Conflict);
    let did = ExportSnapshot::undo(&env, &spec(), &intent(), &cx).await.unwrap();
    assert!(did.is_empty());
    assert_eq!(copy.num_calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn each_documented_refusal_says_what_to_mend() {
    for (said, mend) in [
        ("The S3 bucket exports is outside of the region.", "bucket in us-east-1"),
        ("The S3 bucket exports does not exist.", "create bucket \"exports\""),
        ("The S3 bucket exports is not owned by the authenticated user.", "account 123456789012"),
        (
            "The authenticated user does not have sufficient permissions to perform the desired activity.",
            "s3:ListAllMyBuckets",
        ),
        (
            "Elasticache was unable to validate the authenticated user has access on the S3 bucket.",
            "no narrower resource",
        ),
        (
            "ElastiCache has not been granted READ_ACP permissions exports on the S3 Bucket.",
            "us-east-1.elasticache-snapshot.amazonaws.com",
        ),
    ] {
        let describe = mock!(ElastiCache::describe_snapshots).then_output(|| shown("available"));
        let list = mock!(S3::list_objects_v2).then_output(|| objects(&[]));
        let copy = mock!(ElastiCache::copy_snapshot).then_error(move || {
            let meta = ErrorMetadata::builder().code("InvalidParameterValue").message(said);
            CopySnapshotError::generic(meta.build())
        });
        let elasticache = vec![&describe, &copy];
        let env = testing::env(Rules { elasticache, s3: vec![&list], ..Rules::default() });
        let cx = testing::cx("export");
        let failure = ExportSnapshot::execute(&env, &spec(), &intent(), &cx).await.unwrap_err();
        assert_eq!(failure.class, Class::Fatal);
        assert!(failure.to_string().contains(said), "{failure}");
        assert!(failure.mend.as_ref().unwrap().contains(mend), "{failure:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn sources_and_buckets_that_cannot_work_are_refused_before_anything_is_asked() {
    let tiered = mock!(ElastiCache::describe_snapshots).then_output(|| {
        let snapshot = Snapshot::builder().snapshot_status("available");
        let snapshot = snapshot.data_tiering(DataTieringStatus::Enabled).build();
        DescribeSnapshotsOutput::builder().snapshots(snapshot).build()
    });
    let env = testing::env(Rules { elasticache: vec![&tiered], ..Rules::default() });
    let cx = testing::cx("export");
    let failure = ExportSnapshot::prepare(&env, &spec(), &cx).await.unwrap_err();
    assert!(failure.message.contains("data tiering"), "{failure}");

    let describe = mock!(ElastiCache::describe_snapshots).then_output(|| shown("available"));
    let mut bucket = bucket();
    bucket[0] = mock!(S3::get_bucket_location).then_output(|| {
        let place = BucketLocationConstraint::EuCentral1;
        GetBucketLocationOutput::builder().location_constraint(place).build()
    });
    let s3 = bucket.iter().collect();
    let env = testing::env(Rules { elasticache: vec![&describe], s3, ..Rules::default() });
    let failure = ExportSnapshot::prepare(&env, &spec(), &cx).await.unwrap_err();
    assert!(failure.message.contains("eu-central-1"), "{failure}");
}

#[tokio::test(start_paused = true)]
async fn files_under_a_kms_key_are_refused() {
    let describe = mock!(ElastiCache::describe_snapshots).then_output(|| shown("available"));
    let list = mock!(S3::list_objects_v2).then_output(|| objects(&BOTH));
    let reads = reads(ServerSideEncryption::AwsKms);
    let mut s3 = vec![&list];
    s3.extend(&reads);
    let env = testing::env(Rules { elasticache: vec![&describe], s3, ..Rules::default() });
    let cx = noted("taken");
    let failure = ExportSnapshot::execute(&env, &spec(), &intent(), &cx).await.unwrap_err();
    assert_eq!(failure.class, Class::Fatal);
    assert!(failure.to_string().contains("aws:kms"), "{failure}");
}

#[tokio::test(start_paused = true)]
async fn undo_waits_for_the_export_and_deletes_the_expected_keys_alone() {
    let describe = mock!(ElastiCache::describe_snapshots)
        .sequence()
        .output(|| shown("copying"))
        .times(3)
        .output(|| shown("available"))
        .repeatedly()
        .build();
    let list = mock!(S3::list_objects_v2)
        .sequence()
        .output(|| objects(&[]))
        .times(3)
        .output(|| objects(&[BOTH[0], BOTH[1], "orc-0test0test-export-0003.rdb"]))
        .times(2)
        .output(|| objects(&["orc-0test0test-export-0003.rdb"]))
        .repeatedly()
        .build();
    let delete = mock!(S3::delete_object)
        .match_requests(|r| r.key().is_some_and(|key| BOTH.contains(&key)))
        .then_output(|| DeleteObjectOutput::builder().build());
    let s3 = vec![&list, &delete];
    let env = testing::env(Rules { elasticache: vec![&describe], s3, ..Rules::default() });
    let cx = noted("taken");
    let did = ExportSnapshot::undo(&env, &spec(), &intent(), &cx).await.unwrap();
    assert_eq!(did.len(), 2, "{did:?}");
    assert_eq!(delete.num_calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn undo_after_a_refusal_leaves_files_that_somebody_else_wrote_meanwhile() {
    let describe = mock!(ElastiCache::describe_snapshots).then_output(|| shown("available"));
    let list = mock!(S3::list_objects_v2).then_output(|| objects(&BOTH));
    let delete = mock!(S3::delete_object).then_output(|| DeleteObjectOutput::builder().build());
    let env = testing::env(Rules {
        elasticache: vec![&describe],
        s3: vec![&list, &delete],
        ..Rules::default()
    });
    let did = ExportSnapshot::undo(&env, &spec(), &intent(), &noted("refused")).await.unwrap();
    assert!(did.is_empty(), "{did:?}");
    assert_eq!(delete.num_calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_vanishes_before_it_is_read_is_missed() {
    let describe = mock!(ElastiCache::describe_snapshots).then_output(|| shown("available"));
    let list = mock!(S3::list_objects_v2)
        .sequence()
        .output(|| objects(&BOTH))
        .times(2)
        .output(|| objects(&BOTH[..1]))
        .repeatedly()
        .build();
    let reads = reads(ServerSideEncryption::Aes256);
    let mut s3 = vec![&list];
    s3.extend(&reads);
    let env = testing::env(Rules { elasticache: vec![&describe], s3, ..Rules::default() });
    let failure =
        ExportSnapshot::execute(&env, &spec(), &intent(), &noted("taken")).await.unwrap_err();
    assert_eq!(failure.class, Class::Conflict);
    assert!(failure.to_string().contains("-0007.rdb was there and is gone"), "{failure}");
}
