//! Whose is it? Things of the wanted names that somebody else made, and this run's own from before a crash.

use orchestrate::engine::End;
use orchestrate::engine::journal::Rest;
use orchestrate_sandbox::{Fault, FaultKind, FaultPlan};
use serde_json::Value;

use crate::harness::same;
use crate::meanwhile::{Meanwhile, When};
use crate::world::{Disturb, Done, RUN, World, virtually};

/// What somebody else may have made first: the step it stands in the way of, and its name.
const SNAPSHOT: &str = "elasticache.create_snapshot";
const EXPORT: &str = "elasticache.export_snapshot";
const CLUSTER: &str = "memorydb.create_cluster";

fn snapshot_name() -> String {
    format!("orc-{RUN}-snapshot")
}

fn export_key() -> String {
    format!("orc-{RUN}-export-0002.rdb")
}

async fn make(world: &World, kind: &str) {
    match kind {
        SNAPSHOT => {
            let request = world.aws.elasticache.create_snapshot().snapshot_name(snapshot_name());
            request.replication_group_id("demo").send().await.expect("a snapshot");
        }
        EXPORT => {
            let body = aws_sdk_s3::primitives::ByteStream::from_static(b"REDIS0011 not yours");
            let request = world.aws.s3.put_object().bucket("demo-migration").key(export_key());
            request.body(body).send().await.expect("an object");
        }
        _ => {
            let request = world.aws.memorydb.create_cluster().cluster_name("demo-mdb");
            let request = request.node_type("db.r7g.xlarge").acl_name("open-access");
            request.tls_enabled(false).send().await.expect("a cluster");
        }
    }
    // Until everything is at rest, so that worlds can be compared.
    world.clock.sleep(std::time::Duration::from_secs(3600)).await;
    world.aws.elasticache.describe_snapshots().send().await.expect("an answer");
}

fn stopped_with(done: &Done, words: &[&str]) {
    assert_eq!(done.end, End::Rest(Rest::RolledBack), "{}", done.story());
    for word in words {
        assert!(done.story().contains(word), "no \"{word}\" in\n{}", done.story());
    }
}

/// Somebody else's is there before the run.
async fn theirs_before(kind: &str, words: &[&str]) {
    let world = World::before("quickstart").await;
    make(&world, kind).await;
    let theirs = world.sandbox.world();
    let done = world.run(&Disturb::default()).await;
    stopped_with(&done, words);
    same(&theirs, &world.sandbox.world()).unwrap_or_else(|e| panic!("{kind}: {e}"));
}

/// Somebody else's appears when the run has looked and not yet acted.
async fn theirs_meanwhile(kind: &str, words: &[&str]) {
    let reference = World::before("quickstart").await;
    make(&reference, kind).await;
    let world = World::before("quickstart").await;
    let kinds = Meanwhile::new(&world.registry, kind, When::BeforeExecute, make(&world, kind));
    let done = world.run(&Disturb { kinds: Some(&kinds), ..Disturb::default() }).await;
    stopped_with(&done, words);
    same(&reference.sandbox.world(), &world.sandbox.world())
        .unwrap_or_else(|e| panic!("{kind}: {e}"));
}

/// Words that each refusal must hold.
const DIFFS: [(&str, &[&str]); 3] = [
    (SNAPSHOT, &["was not made by this run", "it was taken at"]),
    (EXPORT, &["which this run did not write", "export-0002.rdb"]),
    (
        CLUSTER,
        &["was not made by this run", "its node type is db.r7g.xlarge, intended is db.r7g.large"],
    ),
];

#[test]
fn somebody_else_s_resource_stops_the_run_with_a_diff_and_is_left_alone() {
    for (kind, words) in DIFFS {
        virtually(theirs_before(kind, words));
    }
}

#[test]
fn somebody_else_s_resource_that_appears_meanwhile_is_left_alone_too() {
    for (kind, words) in DIFFS {
        virtually(theirs_meanwhile(kind, words));
    }
}

/// The export is refused, since somebody else's file was faster than the look could tell; the rollback must not take
/// it for its own.
#[test]
fn a_refused_export_deletes_nothing_of_somebody_else() {
    virtually(async {
        let reference = World::before("quickstart").await;
        make(&reference, EXPORT).await;
        let world = World::before("quickstart").await;
        let deed = async {
            make(&world, EXPORT).await;
            // The next listing does not show it yet.
            let stale = Fault::new("s3", "ListObjectsV2", FaultKind::StaleRead);
            world.sandbox.set_faults(FaultPlan::of([stale]));
        };
        let kinds = Meanwhile::new(&world.registry, EXPORT, When::BeforeExecute, deed);
        let done = world.run(&Disturb { kinds: Some(&kinds), ..Disturb::default() }).await;
        stopped_with(&done, &["which this run did not write"]);
        same(&reference.sandbox.world(), &world.sandbox.world()).unwrap_or_else(|e| panic!("{e}"));
    });
}

/// Somebody deletes the snapshot after it was exported: the run needs it no more.
#[test]
fn a_snapshot_deleted_after_its_export_does_not_matter() {
    virtually(async {
        let world = World::before("quickstart").await;
        let delete = async {
            let request = world.aws.elasticache.delete_snapshot().snapshot_name(snapshot_name());
            request.send().await.expect("a deletion");
        };
        let kinds = Meanwhile::new(&world.registry, EXPORT, When::AfterExecute, delete);
        let done = world.run(&Disturb { kinds: Some(&kinds), ..Disturb::default() }).await;
        assert_eq!(done.end, End::Rest(Rest::Succeeded), "{}", done.story());
    });
}

/// Somebody deletes it before the export: the run says so and unwinds.
#[test]
fn a_snapshot_deleted_before_its_export_ends_the_run_honestly() {
    virtually(async {
        let world = World::before("quickstart").await;
        let clean = world.sandbox.world();
        let delete = async {
            let request = world.aws.elasticache.delete_snapshot().snapshot_name(snapshot_name());
            request.send().await.expect("a deletion");
            world.clock.sleep(std::time::Duration::from_secs(60)).await;
        };
        let kinds = Meanwhile::new(&world.registry, SNAPSHOT, When::AfterExecute, delete);
        let done = world.run(&Disturb { kinds: Some(&kinds), ..Disturb::default() }).await;
        stopped_with(&done, &["there is no snapshot"]);
        same(&clean, &world.sandbox.world()).unwrap_or_else(|e| panic!("{e}"));
    });
}

/// Deleted between the export and the reading of its files: fewer files must never pass for all of them.
#[test]
fn a_file_deleted_before_the_restore_stops_the_run() {
    virtually(async {
        let world = World::before("quickstart").await;
        let clean: Value = world.sandbox.world();
        let delete = async {
            let request = world.aws.s3.delete_object().bucket("demo-migration").key(export_key());
            request.send().await.expect("a deletion");
        };
        let kinds = Meanwhile::new(&world.registry, EXPORT, When::AfterExecute, delete);
        let done = world.run(&Disturb { kinds: Some(&kinds), ..Disturb::default() }).await;
        stopped_with(&done, &["there is no object s3://demo-migration/"]);
        same(&clean, &world.sandbox.world()).unwrap_or_else(|e| panic!("{e}"));
    });
}
