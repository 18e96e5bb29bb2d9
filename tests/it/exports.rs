//! Exports that count, what is kept of them, and the drill.

use orchestrate::engine::journal::{Crash, Entry, Record, Rest};
use orchestrate::engine::{End, Inject, Strike};
use orchestrate_sandbox::{Fault, FaultKind, FaultPlan, Seed};
use serde_json::Value;

use crate::harness::{run, succeeded};
use crate::world::{Disturb, Done, World, virtually, written};

const EXPORT: &str = "
playbook: v1
name: exported
steps:
  - id: export
    elasticache.export_latest: { replication_group: prod, bucket: exports, max_age: 0s }
";

const PRUNE: &str = "
playbook: v1
name: pruned
steps:
  - id: prune
    s3.prune_exports: { bucket: exports, clusters: [prod], keep: { last: 1 } }
";

const FIND: &str = "
playbook: v1
name: found
steps:
  - id: newest
    s3.newest_export: { bucket: exports, cluster: prod }
";

fn export(max_age: &str) -> String {
    EXPORT.replace("0s", max_age)
}

async fn ready(change: impl FnOnce(&mut Seed)) -> World {
    World::seeded(written(EXPORT), change).await
}

/// Runs another playbook in this world, as a run of that id.
async fn then(world: &mut World, text: &str, run: &str) -> Done {
    world.plan = written(text);
    world.run(&Disturb { run, ..Disturb::default() }).await
}

fn output(done: &Done, step: &str) -> Value {
    let mut outputs = done.journal.entries().into_iter().filter_map(|entry| match entry.record {
        Record::Succeeded { step: of, output, .. } if of == step => Some(output),
        _ => None,
    });
    outputs.next_back().unwrap_or_else(|| panic!("{step} succeeded\n{}", done.story()))
}

fn keys(world: &World) -> Vec<String> {
    let objects = world.sandbox.world()["s3"]["exports"]["objects"].clone();
    objects.as_object().expect("the bucket").keys().cloned().collect()
}

fn failure(done: &Done) -> String {
    let mut all = done.journal.entries().into_iter().filter_map(|entry| match entry.record {
        Record::Failed { failure, .. } => Some(failure.to_string()),
        _ => None,
    });
    all.next_back().unwrap_or_default()
}

/// The manifest comes last, and a step that fails before it leaves neither files nor a snapshot.
#[test]
fn an_export_that_loses_a_file_has_no_manifest_and_leaves_nothing() {
    virtually(async {
        let world = ready(|_| {}).await;
        let clean = world.sandbox.world();
        let fault = Fault::new("elasticache", "CopySnapshot", FaultKind::MissingObjects);
        world.sandbox.set_faults(FaultPlan::of([fault]));
        let done = world.run(&Disturb::default()).await;
        assert_eq!(done.end, End::Rest(Rest::RolledBack), "{}", done.story());
        assert!(failure(&done).contains("objects are missing"), "{}", failure(&done));
        crate::harness::same(&clean, &world.sandbox.world()).expect("nothing is left");
        assert!(!world.sandbox.calls().iter().any(|call| call.operation == "PutObject"));
    });
}

#[test]
fn a_snapshot_is_not_exported_twice() {
    virtually(async {
        let mut world = ready(|_| {}).await;
        let first = then(&mut world, &export("1d"), "01h3kq7aaa").await;
        let second = then(&mut world, &export("1d"), "01h3kq7bbb").await;
        assert_eq!(output(&first, "export"), output(&second, "export"));
        assert_eq!(output(&first, "export")["automatic"], true);
        let copies = world.sandbox.calls();
        assert_eq!(copies.iter().filter(|call| call.operation == "CopySnapshot").count(), 1);
        assert!(!copies.iter().any(|call| call.operation == "CreateSnapshot"), "no manual quota");
    });
}

/// The data of a cluster that came up empty is not taken for a backup of it.
#[test]
fn a_size_far_from_the_last_ones_stops_the_export() {
    virtually(async {
        let mut world = ready(|seed| seed.replication_groups[0].keys = 4000).await;
        succeeded(&then(&mut world, EXPORT, "01h3kq7aaa").await).expect("the first");
        let small =
            World::seeded(written(EXPORT), |seed| seed.replication_groups[0].keys = 1).await;
        // The same bucket, seen from a cluster that has lost its data: its manifest is carried over.
        let manifest = keys(&world).into_iter().find(|key| key.ends_with(".json")).expect("one");
        let body = world.aws.s3.get_object().bucket("exports").key(&manifest).send().await;
        let body = body.expect("it is there").body.collect().await.expect("whole").into_bytes();
        let put = small.aws.s3.put_object().bucket("exports").key(&manifest).body(body.into());
        put.send().await.expect("it is put");
        let done = small.run(&Disturb { run: "01h3kq7bbb", ..Disturb::default() }).await;
        assert!(failure(&done).contains("hundredths apart"), "{}", failure(&done));
        assert_eq!(keys(&small), [manifest], "what failed is gone");
        // A person says that it is so small now: this one passes, and the next is held against it.
        let mut small = small;
        let accepted = EXPORT.replace("bucket: exports", "bucket: exports, accept_size: true");
        assert_ne!(accepted, EXPORT);
        succeeded(&then(&mut small, &accepted, "01h3kq7ccc").await).expect("accepted");
        succeeded(&then(&mut small, EXPORT, "01h3kq7ddd").await).expect("an ordinary one");
        let key = "prod-01h3kq7ddd-export.manifest.json";
        let found = small.aws.s3.get_object().bucket("exports").key(key).send().await;
        let body = found.expect("it").body.collect().await.expect("whole").into_bytes();
        let manifest: Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(manifest["band"]["exports"], 1, "{manifest}");
    });
}

/// One whose file somebody deleted counts for nothing: neither for a restore nor for what is kept.
#[test]
fn a_damaged_export_takes_nobodys_place() {
    virtually(async {
        // Data of every type, for once.
        let mut world = ready(|seed| seed.replication_groups[0].every_type = true).await;
        let older = then(&mut world, EXPORT, "01h3kq7aaa").await;
        let newer = then(&mut world, EXPORT, "01h3kq7bbb").await;
        let lost = output(&newer, "export")["objects"][0].as_str().expect("an ARN").to_owned();
        let lost = lost.rsplit('/').next().expect("a key");
        let delete = world.aws.s3.delete_object().bucket("exports").key(lost).send().await;
        delete.expect("somebody deletes it");
        let found = then(&mut world, FIND, "01h3kq7ccc").await;
        assert_eq!(output(&found, "newest")["manifest"], output(&older, "export")["manifest"]);
        // The whole one stays though only one is kept and it is not the newest.
        let pruned = then(&mut world, PRUNE, "01h3kq7ddd").await;
        assert_eq!(output(&pruned, "prune")["kept"], 1);
        let whole = output(&older, "export")["manifest"].as_str().expect("a URI").to_owned();
        assert!(keys(&world).iter().any(|key| whole.ends_with(key.as_str())));
    });
}

#[test]
fn files_that_no_manifest_names_are_never_deleted() {
    virtually(async {
        // The first has the name of a set that goes: nobody but its manifest says what belongs to a set.
        let strange = ["prod-01h3kq7aaa-export-0099.rdb", "prod-backup.rdb", "notes.txt"];
        let mut world = ready(|_| {}).await;
        for id in ["01h3kq7aaa", "01h3kq7bbb", "01h3kq7ccc"] {
            succeeded(&then(&mut world, EXPORT, id).await).expect("an export");
        }
        for key in strange {
            let body = aws_sdk_s3::primitives::ByteStream::from_static(b"REDIS0011");
            let put = world.aws.s3.put_object().bucket("exports").key(key).body(body);
            put.send().await.expect("it is put");
        }
        let before = keys(&world).len();
        let done = then(&mut world, PRUNE, "01h3kq7ddd").await;
        assert_eq!(output(&done, "prune")["deleted"].as_array().map(Vec::len), Some(2));
        let left = keys(&world);
        assert_eq!(before - left.len(), 2 * 3, "two sets of two files and a manifest");
        assert!(strange.iter().all(|key| left.iter().any(|left| left == key)), "{left:?}");
        // What the plan says is what happened, and saying it deletes nothing.
        let again = then(&mut world, PRUNE, "01h3kq7eee").await;
        assert_eq!(output(&again, "prune")["deleted"], serde_json::json!([]));
    });
}

/// After a migration both services have a cluster of one name: each keeps its own last export.
#[test]
fn exports_of_two_services_under_one_name_are_two_histories() {
    virtually(async {
        let mut world = ready(|_| {}).await;
        for id in ["01h3kq7aaa", "01h3kq7bbb"] {
            succeeded(&then(&mut world, EXPORT, id).await).expect("an export");
        }
        let older = "prod-01h3kq7aaa-export.manifest.json";
        let found = world.aws.s3.get_object().bucket("exports").key(older).send().await;
        let body = found.expect("it").body.collect().await.expect("whole").into_bytes();
        let text = String::from_utf8(body.to_vec()).expect("JSON");
        let (own, other) = ("\"service\": \"elasticache\"", "\"service\": \"memorydb\"");
        assert!(text.contains(own), "{text}");
        let body = text.replace(own, other).into_bytes();
        let put = world.aws.s3.put_object().bucket("exports").key(older).body(body.into());
        put.send().await.expect("it is put");
        let done = then(&mut world, PRUNE, "01h3kq7ccc").await;
        assert_eq!(output(&done, "prune")["deleted"], serde_json::json!([]));
        assert_eq!(output(&done, "prune")["kept"], 2);
        // Which of them a drill is to restore, nobody guesses.
        let done = then(&mut world, FIND, "01h3kq7ddd").await;
        assert!(failure(&done).contains("in elasticache and in memorydb"), "{}", failure(&done));
        let meant = FIND.replace("cluster: prod", "cluster: prod, service: memorydb");
        let done = then(&mut world, &meant, "01h3kq7eee").await;
        assert_eq!(output(&done, "newest")["manifest"], format!("s3://exports/{older}"));
    });
}

/// Between the intent and the deletion somebody deletes what was to stay: then nothing goes.
#[test]
fn nothing_is_deleted_once_one_that_was_to_stay_is_gone() {
    virtually(async {
        let two = async || {
            let mut world = ready(|_| {}).await;
            for id in ["01h3kq7aaa", "01h3kq7bbb"] {
                succeeded(&then(&mut world, EXPORT, id).await).expect("an export");
            }
            world.plan = written(PRUNE);
            world
        };
        let plain = two().await.run(&Disturb { run: "01h3kq7ccc", ..Disturb::default() }).await;
        let intended = |entry: &&Entry| matches!(entry.record, Record::Intended { .. });
        let at = plain.journal.entries().iter().find(intended).expect("an intent").seq;
        let world = two().await;
        let crash = Some(Crash { at, written: true });
        let disturb = Disturb { run: "01h3kq7ccc", crash, ..Disturb::default() };
        let dead = world.run(&disturb).await;
        let newest = "prod-01h3kq7bbb-export.manifest.json";
        let delete = world.aws.s3.delete_object().bucket("exports").key(newest).send().await;
        delete.expect("somebody deletes it");
        let before = keys(&world);
        let resumed = Record::Resumed { by: "another process".to_owned() };
        let done = world.take_up(&dead, vec![resumed], &Disturb::default()).await;
        assert!(failure(&done).contains("were to stay"), "{}", done.story());
        assert_eq!(keys(&world), before);
    });
}

/// A fleet of which nothing was exported has failed, however many may fail.
#[test]
fn a_fleet_without_an_export_is_no_success() {
    virtually(async {
        let world = World::before("export-fleet").await;
        let fault = Fault::new("elasticache", "CopySnapshot", FaultKind::Denied).times(1000);
        world.sandbox.set_faults(FaultPlan::of([fault]));
        let done = world.run(&Disturb::default()).await;
        assert_eq!(done.end, End::Rest(Rest::RolledBack), "{}", done.story());
        assert!(failure(&done).contains("; 0 of 3 were exported"), "{}", failure(&done));
    });
}

/// What a serverless cache's export leaves is what every other's does: files, a manifest that names them, no snapshot.
#[test]
fn a_serverless_cache_is_exported_with_a_manifest_and_no_snapshot_is_left() {
    const SERVERLESS: &str = "
playbook: v1
name: exported
steps:
  - id: export
    elasticache.export_serverless: { serverless_cache: prod, bucket: exports }
  - id: newest
    s3.newest_export: { bucket: exports, cluster: prod }
";
    virtually(async {
        let mut world = World::for_plan(written(SERVERLESS)).await;
        let done = then(&mut world, SERVERLESS, "01h3kq7aaa").await;
        succeeded(&done).expect("it is exported");
        let made = output(&done, "export");
        assert_eq!(made, output(&done, "newest"));
        assert!(made["key_count"].as_u64() > Some(0), "{made}");
        assert_eq!(made["objects"].as_array().map(Vec::len), Some(keys(&world).len() - 1));
        let deleted = world.sandbox.calls().into_iter();
        let deleted = deleted.filter(|call| call.operation == "DeleteServerlessCacheSnapshot");
        assert_eq!(deleted.count(), 1);
        // One that loses a file is out of the band of those before it.
        let fault =
            Fault::new("elasticache", "ExportServerlessCacheSnapshot", FaultKind::MissingObjects);
        world.sandbox.set_faults(FaultPlan::of([fault]));
        let done = then(
            &mut world,
            &SERVERLESS.replace("prod, bucket", "prod, band_percent: 10, bucket"),
            "01h3kq7bbb",
        )
        .await;
        assert_eq!(done.end, End::Rest(Rest::RolledBack), "{}", done.story());
        assert!(failure(&done).contains("hundredths apart"), "{}", failure(&done));
        assert!(!keys(&world).iter().any(|key| key.contains("01h3kq7bbb")), "{:?}", keys(&world));
    });
}

#[test]
fn in_a_versioned_bucket_exactly_the_verified_versions_go_for_good() {
    virtually(async {
        let mut world = ready(|seed| seed.buckets[0].versioning = true).await;
        let first = then(&mut world, EXPORT, "01h3kq7aaa").await;
        succeeded(&then(&mut world, EXPORT, "01h3kq7bbb").await).expect("an export");
        succeeded(&then(&mut world, PRUNE, "01h3kq7ccc").await).expect("pruned");
        assert_eq!(world.sandbox.world()["s3"]["exports"]["older_versions"], serde_json::json!({}));
        let gone = output(&first, "export")["objects"][0].as_str().expect("an ARN").to_owned();
        assert!(!keys(&world).iter().any(|key| gone.ends_with(key.as_str())));
    });
}

#[test]
fn a_set_under_object_lock_is_left_whole_and_told() {
    virtually(async {
        let mut world = ready(|seed| {
            seed.buckets[0].versioning = true;
            seed.buckets[0].object_lock_days = Some(30);
        })
        .await;
        for id in ["01h3kq7aaa", "01h3kq7bbb"] {
            succeeded(&then(&mut world, EXPORT, id).await).expect("an export");
        }
        let before = keys(&world);
        let done = then(&mut world, PRUNE, "01h3kq7ccc").await;
        let told = output(&done, "prune");
        assert_eq!(told["deleted"], serde_json::json!([]));
        let locked = told["locked"][0].as_str().expect("one is told");
        assert!(locked.contains("01h3kq7aaa") && locked.contains("retained until"), "{locked}");
        assert_eq!(before, keys(&world));
    });
}

fn clusters(world: &World) -> Value {
    world.sandbox.world()["memorydb"]["clusters"].clone()
}

/// What the rollback says that it did of a step.
fn undone(done: &Done, step: &str) -> Vec<String> {
    done.state().step(step).undo_words.clone()
}

const FAILED: &str = "put 1 of metric Orchestrate/RestoreFailures";

/// However the drill ends, its cluster is gone, and a metric tells how it ended.
#[test]
fn the_drills_cluster_goes_whatever_happens() {
    virtually(async {
        let ids: Vec<String> =
            World::before("restore-drill").await.plan.steps().map(|step| step.id.clone()).collect();
        let mut ways: Vec<Option<(String, Strike)>> = vec![None];
        for id in ids {
            ways.push(Some((id.clone(), Strike::BeforeExecute)));
            ways.push(Some((id, Strike::AfterExecute)));
        }
        for fail in ways {
            let world = World::before("restore-drill").await;
            let inject = Inject { fail: fail.clone(), ..Inject::default() };
            let done = run(&world, inject, None).await;
            let wanted = if fail.is_some() { Rest::RolledBack } else { Rest::Succeeded };
            assert_eq!(done.end, End::Rest(wanted), "{fail:?}\n{}", done.story());
            assert_eq!(clusters(&world), serde_json::json!({}), "{fail:?}");
            let told = if fail.is_some() { vec![FAILED.to_owned()] } else { Vec::new() };
            assert_eq!(undone(&done, "if_it_fails"), told, "{fail:?}");
            if fail.is_none() {
                let outputs = done.state().playbook_outputs();
                let seconds = outputs["rto_seconds"].as_f64().expect("a time");
                assert!((60.0..7200.0).contains(&seconds), "{seconds}");
                assert_eq!(output(&done, "record")["value"].as_f64(), Some(seconds));
                assert_eq!(output(&done, "well")["value"], 0.0);
                let points = &world.sandbox.world()["monitoring"]["points"];
                for metric in ["Orchestrate/RestoreSeconds", "Orchestrate/RestoreFailures"] {
                    assert_eq!(
                        points[metric],
                        serde_json::json!([{ "Cluster": "prod" }]),
                        "{points}"
                    );
                }
            }
        }
    });
}

/// The process dies at each write of the rollback of a drill that failed with its cluster up; another takes it over.
#[test]
fn the_drills_cluster_goes_though_the_process_dies_while_it_fails() {
    virtually(async {
        let fail = || Inject {
            fail: Some(("count".to_owned(), Strike::AfterExecute)),
            ..Inject::default()
        };
        let plain = run(&World::before("restore-drill").await, fail(), None).await;
        let entries = plain.journal.entries();
        let failed = |entry: &&Entry| matches!(&entry.record, Record::Failed { .. });
        let first = entries.iter().find(failed).expect("it failed").seq;
        for at in first..=entries.len() as u64 {
            let world = World::before("restore-drill").await;
            let crash = Some(Crash { at, written: at % 2 == 0 });
            let disturb = Disturb { crash, inject: fail(), ..Disturb::default() };
            let dead = world.run(&disturb).await;
            assert!(matches!(dead.end, End::Broken(_)), "{at}: {:?}", dead.end);
            let mut done = dead;
            if done.state().rest.is_none() {
                let resumed = Record::Resumed { by: "another process".to_owned() };
                let inject = Disturb { inject: fail(), ..Disturb::default() };
                done = world.take_up(&done, vec![resumed], &inject).await;
            }
            assert_eq!(done.state().rest, Some(Rest::RolledBack), "{at}\n{}", done.story());
            assert_eq!(clusters(&world), serde_json::json!({}), "{at}");
        }
    });
}

/// What a restored cluster serves is held against the manifest, not against the files it was restored from.
#[test]
fn a_drill_that_counts_other_than_the_manifest_fails_and_says_so() {
    virtually(async {
        let world = World::before("restore-drill").await;
        let bucket = "acme-exports";
        let objects = world.sandbox.world()["s3"][bucket]["objects"].clone();
        let objects = objects.as_object().expect("the bucket");
        let key = objects.keys().find(|key| key.ends_with(".manifest.json")).expect("a manifest");
        let found = world.aws.s3.get_object().bucket(bucket).key(key).send().await.expect("it");
        let body = found.body.collect().await.expect("whole").into_bytes();
        let mut manifest: Value = serde_json::from_slice(&body).expect("JSON");
        let keys = manifest["keys"].as_u64().expect("a number");
        manifest["keys"] = Value::from(keys + 1);
        manifest["keys_with_expiry"] = Value::from(0);
        let body = serde_json::to_vec(&manifest).expect("JSON");
        let put = world.aws.s3.put_object().bucket(bucket).key(key).body(body.into());
        put.send().await.expect("it is put");
        let done = world.run(&Disturb::default()).await;
        assert_eq!(done.end, End::Rest(Rest::RolledBack), "{}", done.story());
        assert!(failure(&done).contains("keys, and should have"), "{}", failure(&done));
        assert_eq!(clusters(&world), serde_json::json!({}));
        assert_eq!(undone(&done, "if_it_fails"), [FAILED]);
    });
}
