//! What is different when the source is a serverless cache: files that AWS names, and an end that nobody announces.

use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use orchestrate::cli::reading::read;
use orchestrate::engine::journal::Rest;
use orchestrate::engine::{End, Finding, Verdict};
use orchestrate::plan::{GivenInputs, compile};
use orchestrate::playbook::Source;
use orchestrate::steps::catalog;
use orchestrate_sandbox::{Fault, FaultKind, FaultPlan, Seed};
use serde_json::Map;

use crate::harness::{no_more_changes, same, succeeded};
use crate::meanwhile::{Meanwhile, When};
use crate::world::{Disturb, Done, RUN, World, compiled, virtually, written};

const NAME: &str = "serverless-to-memorydb";
const EXPORT: &str = "elasticache.export_serverless_snapshot";
const BUCKET: &str = "acme-migration";

fn snapshot_name() -> String {
    format!("orc-{RUN}-snapshot")
}

async fn seeded(change: impl FnOnce(&mut Seed)) -> World {
    World::seeded(compiled(NAME, Map::new()), change).await
}

/// The playbook with these faults, which must come back to a clean slate and say these words.
async fn comes_back(change: impl FnOnce(&mut Seed), faults: Vec<Fault>, words: &[&str]) -> Done {
    let world = seeded(change).await;
    let clean = world.sandbox.world();
    world.sandbox.set_faults(FaultPlan::of(faults));
    let done = world.run(&Disturb::default()).await;
    assert_eq!(done.end, End::Rest(Rest::RolledBack), "{}", done.story());
    same(&clean, &world.sandbox.world()).unwrap_or_else(|e| panic!("{e}\n{}", done.story()));
    for word in words {
        assert!(done.story().contains(word), "no \"{word}\" in\n{}", done.story());
    }
    done
}

fn fault(operation: &str, kind: FaultKind) -> Fault {
    Fault::new("elasticache", operation, kind)
}

fn terminal(reason: &str) -> FaultKind {
    FaultKind::TerminalState { state: "failed".to_owned(), reason: reason.to_owned() }
}

/// Nobody can count the files, so the export passes; a key of the source that is not on the target does not.
#[test]
fn a_file_that_the_export_lost_is_found_by_the_comparison() {
    let lost = fault("ExportServerlessCacheSnapshot", FaultKind::MissingObjects);
    let done = virtually(comes_back(|_| {}, vec![lost], &["compare: failed"]));
    assert!(!done.story().contains("export: failed"), "{}", done.story());
}

#[test]
fn failures_that_only_events_explain_are_explained() {
    let snapshot = fault("CreateServerlessCacheSnapshot", terminal("the request timed out"));
    virtually(comes_back(|_| {}, vec![snapshot], &["ended as failed", "the request timed out"]));
    let export = fault("ExportServerlessCacheSnapshot", terminal("bucket does not exist"));
    virtually(comes_back(|_| {}, vec![export], &["has no new file", "bucket does not exist"]));
}

#[test]
fn sources_that_cannot_be_moved_or_frozen_are_refused() {
    virtually(comes_back(
        |seed| seed.serverless_caches[0].engine = "memcached".to_owned(),
        Vec::new(),
        &["is a Memcached cache"],
    ));
    virtually(comes_back(
        |seed| seed.serverless_caches[0].user_group = None,
        Vec::new(),
        &["serverless cache \"prod\" has no RBAC users"],
    ));
    // A replication group of the same name, with the same users: it would be frozen too.
    let twin = |seed: &mut Seed| {
        seed.replication_groups.push(orchestrate_sandbox::SeedReplicationGroup {
            id: "prod".to_owned(),
            user_group: seed.serverless_caches[0].user_group.clone(),
            ..orchestrate_sandbox::SeedReplicationGroup::default()
        });
    };
    virtually(comes_back(twin, Vec::new(), &["also write to prod"]));
}

/// Each of these faults alone; the run must succeed, and end in the world of a run without it.
async fn survives(faults: Vec<Fault>) {
    let plain = seeded(|_| {}).await;
    plain.run(&Disturb::default()).await;
    for fault in faults {
        let world = seeded(|_| {}).await;
        let place = format!("{fault:?}");
        world.sandbox.set_faults(FaultPlan::of([fault]));
        let done = world.run(&Disturb::default()).await;
        succeeded(&done).unwrap_or_else(|e| panic!("{place}: {e}"));
        same(&plain.sandbox.world(), &world.sandbox.world())
            .unwrap_or_else(|e| panic!("{place}: {e}"));
        no_more_changes(&plain, &world).unwrap_or_else(|e| panic!("{place}: {e}"));
    }
}

#[test]
fn an_answer_that_is_lost_makes_nothing_twice() {
    let kinds = [
        FaultKind::LostResponse,
        FaultKind::ServerErrorAfter,
        FaultKind::ServerErrorBefore,
        FaultKind::Timeout,
        FaultKind::Throttle,
    ];
    let each = |kind: &FaultKind| {
        ["CreateServerlessCacheSnapshot", "ExportServerlessCacheSnapshot"]
            .map(|operation| fault(operation, kind.clone()))
    };
    virtually(survives(kinds.iter().flat_map(each).collect()));
}

#[test]
fn reads_that_are_stale_or_find_nothing_are_borne() {
    let describe = "DescribeServerlessCacheSnapshots";
    let mut faults = Vec::new();
    for nth in 2..=5 {
        faults.push(fault(describe, FaultKind::StaleRead).nth(nth));
        faults.push(Fault::new("s3", "ListObjectsV2", FaultKind::StaleRead).nth(nth));
    }
    faults.push(fault("DescribeServerlessCaches", FaultKind::StaleRead).nth(2));
    // Not in the first looks: there "not found" is an answer.
    faults.extend((4..=8).map(|nth| fault(describe, FaultKind::NotFound).nth(nth)));
    virtually(survives(faults));
}

#[test]
fn slow_transitions_are_waited_for() {
    virtually(async {
        let world = seeded(|_| {}).await;
        let slow = Fault::new("*", "*", FaultKind::SlowTransition(6.0)).times(u32::MAX);
        world.sandbox.set_faults(FaultPlan::of([slow]));
        succeeded(&world.run(&Disturb::default()).await).unwrap_or_else(|e| panic!("{e}"));
    });
}

async fn put(world: &World, key: &str) {
    let request = world.aws.s3.put_object().bucket(BUCKET).key(key);
    request.body(ByteStream::from_static(b"not yours")).send().await.expect("an object");
}

/// What was there before, and what comes with it under the same name, is never taken for the export's nor deleted.
#[test]
fn other_people_s_files_under_the_snapshot_s_name_are_left() {
    virtually(async {
        let world = seeded(|_| {}).await;
        put(&world, &format!("{}-notes.txt", snapshot_name())).await;
        let clean = world.sandbox.world();
        let done = world.run(&Disturb::default()).await;
        succeeded(&done).unwrap_or_else(|e| panic!("{e}"));
        let inject = orchestrate::engine::Inject::default();
        let back = crate::harness::roll_back(&world, &done, inject, None).await;
        assert_eq!(back.end, End::Rest(Rest::RolledBack), "{}", back.story());
        same(&clean, &world.sandbox.world()).unwrap_or_else(|e| panic!("{e}"));
    });
    // This one the export would have to overwrite.
    virtually(async {
        let world = seeded(|_| {}).await;
        put(&world, &format!("{}-0002.rdb", snapshot_name())).await;
        let theirs = world.sandbox.world();
        let done = world.run(&Disturb::default()).await;
        assert_eq!(done.end, End::Rest(Rest::RolledBack), "{}", done.story());
        assert!(done.story().contains("which this run did not write"), "{}", done.story());
        same(&theirs, &world.sandbox.world()).unwrap_or_else(|e| panic!("{e}"));
    });
}

/// It appears when the run has looked and not yet asked: the run stops and leaves it.
#[test]
fn a_file_that_appears_before_the_export_is_asked_for_is_left() {
    virtually(async {
        let key = format!("{}-0001.rdb", snapshot_name());
        let reference = seeded(|_| {}).await;
        put(&reference, &key).await;
        let world = seeded(|_| {}).await;
        let kinds = Meanwhile::new(&world.registry, EXPORT, When::BeforeExecute, put(&world, &key));
        let done = world.run(&Disturb { kinds: Some(&kinds), ..Disturb::default() }).await;
        assert_eq!(done.end, End::Rest(Rest::RolledBack), "{}", done.story());
        same(&reference.sandbox.world(), &world.sandbox.world()).unwrap_or_else(|e| panic!("{e}"));
    });
}

/// Somebody puts a file beside the export after it ended; a rollback knows its own.
#[test]
fn a_file_that_comes_later_under_the_same_name_survives_the_rollback() {
    virtually(async {
        let key = format!("{}-copy.rdb", snapshot_name());
        let reference = seeded(|_| {}).await;
        put(&reference, &key).await;
        let world = seeded(|_| {}).await;
        let done = world.run(&Disturb::default()).await;
        succeeded(&done).unwrap_or_else(|e| panic!("{e}"));
        put(&world, &key).await;
        let inject = orchestrate::engine::Inject::default();
        let back = crate::harness::roll_back(&world, &done, inject, None).await;
        assert_eq!(back.end, End::Rest(Rest::RolledBack), "{}", back.story());
        world.clock.sleep(Duration::from_secs(3600)).await;
        world.aws.elasticache.describe_users().send().await.expect("an answer");
        same(&reference.sandbox.world(), &world.sandbox.world()).unwrap_or_else(|e| panic!("{e}"));
    });
}

const BESIDE: &str = "
playbook: v1
name: beside
steps:
  - parallel:
      - id: one
        elasticache.create_serverless_snapshot: { serverless_cache: carts, name: nightly }
      - id: two
        elasticache.create_serverless_snapshot: { serverless_cache: orders, name: nightly-eu }
  - parallel:
      - id: first
        elasticache.export_serverless_snapshot: { snapshot: '${{ steps.one.name }}', bucket: exports }
      - id: second
        elasticache.export_serverless_snapshot: { snapshot: '${{ steps.two.name }}', bucket: exports }
  - id: gate
    assert:
      that:
        - value: \"${{ steps.first.keys }}\"
          equals: [nightly-0001.rdb, nightly-0002.rdb]
        - value: \"${{ steps.second.keys }}\"
          equals: [nightly-eu-0001.rdb, nightly-eu-0002.rdb]
";

#[test]
fn exports_side_by_side_whose_names_begin_alike_are_told_apart() {
    virtually(async {
        let world = World::seeded(written(BESIDE), |_| {}).await;
        let done = world.run(&Disturb::default()).await;
        succeeded(&done).unwrap_or_else(|e| panic!("{e}"));
    });
}

#[test]
fn a_copy_of_a_cache_that_takes_writes_is_refused_like_any_other() {
    let text = "
playbook: v1
name: lossy
steps:
  - id: snapshot
    elasticache.create_serverless_snapshot: { serverless_cache: prod }
  - id: switch
    endpoint.swap: { to: 'a.example.com:6379', targets: [{ ssm_parameter: /a }] }
";
    let given = GivenInputs { arguments: Vec::new(), file: None, earlier: Map::new() };
    let problems = compile(&Source::new("lossy.yaml", text), &catalog(), &given);
    let shown = problems.expect_err("it loses writes").render(false);
    assert!(shown.contains("P0050"), "{shown}");
}

/// What reading says of the snapshot step by this name.
async fn finding(world: &World, check: &str) -> Finding {
    let run = RUN.parse().expect("a run id");
    let found = read(&world.plan, &world.registry, &world.env.survey, &world.clock, &run).await;
    let of_step = found.into_iter().find(|(step, _)| step == "snapshot").expect("the step").1;
    of_step.into_iter().find(|finding| finding.check == check).expect("the check")
}

#[test]
fn an_engine_whose_files_memorydb_does_not_read_is_found_before_the_run() {
    virtually(async {
        let seed = |engine: &'static str, major: &'static str, full: &'static str| {
            move |seed: &mut Seed| {
                let cache = &mut seed.serverless_caches[0];
                cache.engine = engine.to_owned();
                cache.major_version = major.to_owned();
                cache.full_version = full.to_owned();
            }
        };
        let world = seeded(seed("valkey", "8", "8.0")).await;
        let found = finding(&world, "source.engine").await;
        assert_eq!((found.verdict, found.mend.as_ref()), (Verdict::Ok, None), "{found:?}");
        let world = seeded(seed("redis", "99", "99.0")).await;
        assert_eq!(finding(&world, "source.engine").await.verdict, Verdict::CannotKnow);
        let world = seeded(seed("valkey", "9", "9.0")).await;
        let found = finding(&world, "source.engine").await;
        assert_eq!(found.verdict, Verdict::WillFail, "{found:?}");
        assert!(found.what.contains("VALKEY080"), "{found:?}");
        assert!(world.changes().is_empty());
    });
    // An older target: what the files say ends the run before the cluster is made.
    let inputs = serde_json::json!({ "engine": "redis", "engine_version": "7.1" });
    let older = compiled(NAME, inputs.as_object().expect("a map").clone());
    virtually(async {
        let world = World::seeded(older, |_| {}).await;
        let found = finding(&world, "source.engine").await;
        assert_eq!(found.verdict, Verdict::WillFail, "{found:?}");
        let done = world.run(&Disturb::default()).await;
        assert_eq!(done.end, End::Rest(Rest::RolledBack), "{}", done.story());
    });
}

#[test]
fn a_quota_that_is_spent_is_found_before_the_run() {
    virtually(async {
        let world = seeded(|_| {}).await;
        assert_eq!(finding(&world, "source.snapshot_quota").await.verdict, Verdict::Ok);
        for n in 0..24 {
            let request = world.env.aws.elasticache.create_serverless_cache_snapshot();
            let request = request.serverless_cache_snapshot_name(format!("mine-{n}"));
            request.serverless_cache_name("prod").send().await.expect("within the quota");
        }
        world.clock.sleep(Duration::from_secs(3600)).await;
        let found = finding(&world, "source.snapshot_quota").await;
        assert_eq!(found.verdict, Verdict::WillFail, "{found:?}");
        let done = world.run(&Disturb::default()).await;
        assert_eq!(done.end, End::Rest(Rest::RolledBack), "{}", done.story());
        let fault = "ServerlessCacheSnapshotQuotaExceededFault";
        assert!(done.story().contains(fault), "{}", done.story());
    });
}
