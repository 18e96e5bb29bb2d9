//! Which files count, request shape, adoption, refusals and undo, against mocked clients.

use std::sync::{Arc, Mutex};

use aws_sdk_elasticache::Client as ElastiCache;
use aws_sdk_elasticache::error::ErrorMetadata;
use aws_sdk_elasticache::operation::describe_events::DescribeEventsOutput;
use aws_sdk_elasticache::operation::describe_serverless_cache_snapshots::DescribeServerlessCacheSnapshotsOutput;
use aws_sdk_elasticache::operation::export_serverless_cache_snapshot::{
    ExportServerlessCacheSnapshotError, ExportServerlessCacheSnapshotOutput,
};
use aws_sdk_elasticache::types::Event;
use aws_sdk_s3::Client as S3;
use aws_sdk_s3::operation::delete_object::DeleteObjectOutput;
use aws_sdk_s3::operation::get_bucket_encryption::GetBucketEncryptionOutput;
use aws_sdk_s3::operation::get_bucket_location::GetBucketLocationOutput;
use aws_sdk_s3::operation::get_bucket_policy::GetBucketPolicyOutput;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{Object, ServerSideEncryption};
use aws_smithy_mocks::{Rule, mock};

use super::*;
use crate::steps::testing::{self, Rules};

/// What the service shows: the snapshot's states and the bucket's keys, by the time since the first look.
type Story = &'static [(u64, &'static str, &'static [&'static str])];

/// The rules of an account in which the export goes like this.
struct Account {
    rules: Vec<Rule>,
    s3: Vec<Rule>,
    /// Keys that were deleted.
    gone: Arc<Mutex<Vec<String>>>,
}

/// The other serverless snapshot of every account.
const OTHER: &str = "snap-eu";

fn account(story: Story) -> Account {
    account_with(
        story,
        mock!(ElastiCache::export_serverless_cache_snapshot)
            .match_requests(|r| {
                r.serverless_cache_snapshot_name() == Some("snap")
                    && r.s3_bucket_name() == Some("exports")
            })
            .then_output(|| ExportServerlessCacheSnapshotOutput::builder().build()),
    )
}

fn account_with(story: Story, export: Rule) -> Account {
    let started = tokio::time::Instant::now();
    let now = move || {
        let passed = started.elapsed().as_secs();
        *story.iter().rev().find(|(from, ..)| *from <= passed).unwrap()
    };
    let snapshot = |name: &str, status: &str| {
        ServerlessCacheSnapshot::builder()
            .serverless_cache_snapshot_name(name)
            .status(status)
            .build()
    };
    let describe =
        mock!(ElastiCache::describe_serverless_cache_snapshots).then_compute_output(move |r| {
            let answer = DescribeServerlessCacheSnapshotsOutput::builder();
            let answer = answer.serverless_cache_snapshots(snapshot("snap", now().1));
            match r.serverless_cache_snapshot_name() {
                Some(_) => answer.build(),
                None => answer.serverless_cache_snapshots(snapshot(OTHER, "available")).build(),
            }
        });
    let events = mock!(ElastiCache::describe_events)
        .match_requests(|r| r.source_identifier() == Some("snap"))
        .then_output(|| {
            let event = Event::builder().message(
                "Failed to export snapshot for cache prod. Could not export snapshot to bucket 'exports' because ElastiCache does not have permissions to the bucket.",
            );
            DescribeEventsOutput::builder().events(event.build()).build()
        });
    let gone: Arc<Mutex<Vec<String>>> = Arc::default();
    let (hidden, deleting) = (Arc::clone(&gone), Arc::clone(&gone));
    let list = mock!(S3::list_objects_v2)
        .match_requests(|r| r.prefix() == Some("snap"))
        .then_compute_output(move |_| {
            let hidden = hidden.lock().unwrap();
            let keys = now().2.iter().filter(|key| !hidden.iter().any(|gone| gone == **key));
            let objects = keys.map(|key| Object::builder().key(*key).size(40).build()).collect();
            ListObjectsV2Output::builder().set_contents(Some(objects)).build()
        });
    let delete = mock!(S3::delete_object).then_compute_output(move |r| {
        deleting.lock().unwrap().push(r.key().unwrap().to_owned());
        DeleteObjectOutput::builder().build()
    });
    let s3 = vec![
        list,
        delete,
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
        mock!(S3::head_object).then_output(|| {
            let head = HeadObjectOutput::builder().content_length(40);
            head.server_side_encryption(ServerSideEncryption::Aes256).build()
        }),
        mock!(S3::get_object).match_requests(|r| r.range() == Some("bytes=0-8")).then_output(
            || GetObjectOutput::builder().body(ByteStream::from_static(b"REDIS0011")).build(),
        ),
    ];
    Account { rules: vec![describe, export, events], s3, gone }
}

impl Account {
    fn env(&self) -> Env {
        let (elasticache, s3) = (self.rules.iter().collect(), self.s3.iter().collect());
        testing::env(Rules { elasticache, s3, ..Rules::default() })
    }

    fn exports(&self) -> usize {
        self.rules[1].num_calls()
    }

    fn gone(&self) -> Vec<String> {
        self.gone.lock().unwrap().clone()
    }
}

fn spec() -> Spec {
    testing::spec(json!({"snapshot": "Snap", "bucket": "exports"}))
}

fn intent(before: &[&str]) -> Prepared {
    Prepared {
        arrivals: Arrivals {
            snapshot: "snap".to_owned(),
            bucket: "exports".to_owned(),
            before: before.iter().map(|key| (*key).to_owned()).collect(),
        },
        bytes: 0,
    }
}

fn noted(note: Value) -> Cx {
    let mut cx = testing::cx("export");
    cx.note = Some(note);
    cx
}

async fn execute(account: &Account, before: &[&str], cx: &Cx) -> Result<Done<Output>, Failure> {
    ExportServerlessSnapshot::execute(&account.env(), &spec(), &intent(before), cx).await
}

async fn undo(account: &Account, before: &[&str], cx: &Cx) -> Vec<String> {
    let env = account.env();
    ExportServerlessSnapshot::undo(&env, &spec(), &intent(before), cx).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_is_new_under_the_snapshot_s_name_is_the_export_once_the_bucket_is_quiet() {
    const OLD: &str = "snap-notes.txt";
    let account = account(&[
        (0, "available", &[OLD]),
        (10, "EXPORTING", &[OLD]),
        (200, "exporting", &[OLD, "snap-a.rdb"]),
        // The last file shows only after the snapshot is back; so does the file of a snapshot with a longer name.
        (300, "available", &[OLD, "snap-a.rdb"]),
        (330, "AVAILABLE", &[OLD, "snap-a.rdb", "snap-b.rdb", "snap-eu-0001.rdb"]),
    ]);
    let (env, cx) = (account.env(), testing::cx("export"));
    let (prepared, resources) =
        ExportServerlessSnapshot::prepare(&env, &spec(), &cx).await.unwrap();
    assert_eq!(prepared.arrivals.before, [OLD]);
    assert_eq!(resources[0].name, "s3://exports/snap*");
    let done = ExportServerlessSnapshot::execute(&env, &spec(), &prepared, &cx).await.unwrap();
    let Done::Changed(output) = done else { panic!("{done:?}") };
    assert_eq!(output.keys, ["snap-a.rdb", "snap-b.rdb"]);
    assert_eq!(output.objects[0], "arn:aws:s3:::exports/snap-a.rdb");
    assert_eq!((output.rdb_version, output.bytes), (11, 80));
    assert_eq!(account.exports(), 1);
}

#[tokio::test(start_paused = true)]
async fn files_that_the_export_would_overwrite_are_in_its_way() {
    let account = account(&[(0, "available", &["snap-0001.rdb"])]);
    let cx = testing::cx("export");
    let failure = ExportServerlessSnapshot::prepare(&account.env(), &spec(), &cx).await;
    let failure = failure.unwrap_err();
    assert_eq!(failure.class, Class::Conflict);
    assert!(failure.message.contains("already contains \"snap-0001.rdb\""), "{failure}");
    // They came between the intent and the call: nobody has been asked for anything yet.
    let failure = execute(&account, &[], &cx).await.unwrap_err();
    assert_eq!(failure.class, Class::Conflict);
    assert!(undo(&account, &[], &cx).await.is_empty());
    assert_eq!((account.exports(), account.gone().len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_never_exports_twice() {
    let account = account(&[
        (0, "available", &[]),
        (30, "exporting", &[]),
        (100, "available", &["snap-0001.rdb"]),
    ]);
    let done = execute(&account, &[], &noted(json!({"call": "asked"}))).await.unwrap();
    assert!(matches!(done, Done::Adopted(_)), "{done:?}");
    assert_eq!(account.exports(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_never_arrived_is_made_again_after_looking_long_enough() {
    let account = account(&[
        (0, "available", &[]),
        (150, "exporting", &[]),
        (300, "available", &["snap.rdb"]),
    ]);
    let cx = noted(json!({"call": "asked"}));
    let done = execute(&account, &[], &cx).await.unwrap();
    assert!(matches!(done, Done::Changed(_)), "{done:?}");
    assert_eq!(account.exports(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_export_that_was_not_seen_to_begin_is_given_more_time_to_be_complete() {
    let account = account(&[
        (0, "available", &["snap-1.rdb"]),
        (200, "available", &["snap-1.rdb", "snap-2.rdb"]),
    ]);
    let cx = noted(json!({"call": "taken"}));
    let done = execute(&account, &[], &cx).await.unwrap();
    let Done::Adopted(output) = done else { panic!("{done:?}") };
    assert_eq!(output.keys, ["snap-1.rdb", "snap-2.rdb"]);
}

#[tokio::test(start_paused = true)]
async fn an_export_without_files_fails_with_the_reason_from_the_events() {
    let account = account(&[(0, "available", &[]), (10, "exporting", &[]), (90, "available", &[])]);
    let cx = testing::cx("export");
    let failure = execute(&account, &[], &cx).await.unwrap_err();
    assert_eq!(failure.class, Class::Terminal);
    let words = failure.to_string();
    assert!(words.contains("has no new file under \"snap\""), "{words}");
    assert!(words.contains("does not have permissions to the bucket"), "{words}");
    assert!(undo(&account, &[], &cx).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_refusal_says_what_to_mend_and_leaves_nothing_to_undo() {
    let refused = mock!(ElastiCache::export_serverless_cache_snapshot).then_error(|| {
        let meta = ErrorMetadata::builder().code("InvalidParameterValue").message(
            "ElastiCache has not been granted READ_ACP permissions exports on the S3 Bucket.",
        );
        ExportServerlessCacheSnapshotError::generic(meta.build())
    });
    let account = account_with(&[(0, "available", &[])], refused);
    let failure = execute(&account, &[], &testing::cx("export")).await.unwrap_err();
    assert_eq!(failure.class, Class::Fatal);
    assert!(failure.mend.unwrap().contains("us-east-1.elasticache-snapshot.amazonaws.com"));
    let theirs = self::account(&[(0, "available", &["snap-0001.rdb"])]);
    assert!(undo(&theirs, &[], &noted(json!({"call": "refused"}))).await.is_empty());
    assert!(theirs.gone().is_empty());
}

#[tokio::test(start_paused = true)]
async fn undo_waits_for_the_export_and_deletes_what_it_brought_alone() {
    let account = account(&[
        (0, "exporting", &["snap-old.rdb"]),
        (120, "available", &["snap-old.rdb", "snap-0001.rdb", "snap-eu-0001.rdb"]),
    ]);
    let cx = noted(json!({"call": "taken"}));
    let did = undo(&account, &["snap-old.rdb"], &cx).await;
    assert_eq!(did, ["deleted s3://exports/snap-0001.rdb"]);
    assert_eq!(account.gone(), ["snap-0001.rdb"]);
}

/// Days later somebody has put another file there: it is not this run's, since the run knows its own.
#[tokio::test(start_paused = true)]
async fn undo_deletes_the_recorded_files_alone_and_at_once() {
    let account = account(&[(0, "available", &["snap-0001.rdb", "snap-late.rdb"])]);
    let before = tokio::time::Instant::now();
    let cx = noted(json!({"call": "taken", "keys": ["snap-0001.rdb", "snap-0002.rdb"]}));
    let did = undo(&account, &[], &cx).await;
    assert_eq!(did, ["deleted s3://exports/snap-0001.rdb"]);
    assert_eq!(account.gone(), ["snap-0001.rdb"]);
    assert_eq!(before.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_recorded_file_that_is_gone_is_missed() {
    let account = account(&[(0, "available", &["snap-0001.rdb"])]);
    let cx = noted(json!({"call": "taken", "keys": ["snap-0001.rdb", "snap-0002.rdb"]}));
    let failure = execute(&account, &[], &cx).await.unwrap_err();
    assert_eq!(failure.class, Class::Conflict);
    assert!(failure.to_string().contains("snap-0002.rdb was there and is gone"), "{failure}");
}
