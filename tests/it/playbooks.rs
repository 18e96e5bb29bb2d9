//! The harness over every shipped playbook, and two broken steps that it must catch.

use async_trait::async_trait;
use orchestrate::engine::journal::Rest;
use orchestrate::engine::{
    Cx, End, Failure, Finding, Inject, Kind, Kinds, Outcome, Prepared, Strike, Undo,
};
use orchestrate::report::undoing;
use serde_json::Value;

use crate::harness::{
    every_step_twice, every_undo_twice, fail_each_step, roll_back, run, succeeded,
};
use crate::world::{CLEANUPS, SHIPPED, World, all_playbooks, compiled, virtually};

#[test]
fn every_step_of_every_playbook_fails_to_a_clean_slate() {
    for name in all_playbooks() {
        virtually(fail_each_step(name, None)).unwrap_or_else(|e| panic!("{e}"));
    }
}

#[test]
fn every_step_of_every_playbook_runs_twice_as_once() {
    for name in all_playbooks() {
        virtually(every_step_twice(name, None)).unwrap_or_else(|e| panic!("{e}"));
    }
}

#[test]
fn every_undo_of_every_playbook_runs_twice_as_once() {
    for name in all_playbooks() {
        virtually(every_undo_twice(name, None)).unwrap_or_else(|e| panic!("{e}"));
    }
}

#[test]
fn every_shipped_playbook_is_under_the_harness() {
    let folder = crate::world::playbook_path("x");
    let folder = folder.parent().expect("a folder");
    let mut found: Vec<String> = std::fs::read_dir(folder)
        .expect("the folder of playbooks")
        .filter_map(|entry| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            name.strip_suffix(".yaml").map(str::to_owned)
        })
        .collect();
    found.sort();
    let mut known = SHIPPED.map(str::to_owned).to_vec();
    known.sort();
    assert_eq!(found, known, "list new playbooks in tests/it/world.rs");
}

#[test]
fn every_kind_is_under_the_harness() {
    // All but those that compile only with the outputs of another's run.
    let by_itself = |name: &&str| {
        *name == "restore-drill" || CLEANUPS.iter().all(|(cleanup, _)| cleanup != name)
    };
    let plans = all_playbooks().filter(by_itself);
    let mut used: Vec<String> = plans
        .flat_map(|name| compiled(name, serde_json::Map::new()).stages)
        .flat_map(|stage| stage.lanes.into_iter().flatten())
        .map(|step| step.kind)
        // The clean-ups compile only after a migration; these are their own.
        .chain(
            [
                "s3.delete_objects",
                "elasticache.delete_snapshot",
                "elasticache.delete_serverless_snapshot",
            ]
            .map(str::to_owned),
        )
        .collect();
    used.sort();
    used.dedup();
    let all: Vec<String> =
        orchestrate::steps::all().iter().map(|kind| kind.info.name.to_owned()).collect();
    assert_eq!(used, all, "put the new kind into a playbook of playbooks/ or tests/playbooks/");
}

/// Which group a playbook may delete: because that is what it is there for, or because its rollback takes back a group that
/// it made.
const MAY_DELETE: [(&str, &str); 3] =
    [("park", "prod"), ("decommission-source", "prod"), ("changes", "durable")];

/// Neither a run nor its rollback ever asks for the deletion of a source, and no code does.
#[test]
fn the_source_is_never_deleted() {
    for name in all_playbooks() {
        virtually(async {
            let world = World::before(name).await;
            let before = world.sandbox.calls().len();
            let done = run(&world, Inject::default(), None).await;
            succeeded(&done).unwrap_or_else(|e| panic!("{name}: {e}"));
            let forward = world.sandbox.calls().len();
            roll_back(&world, &done, Inject::default(), None).await;
            for (at, call) in world.sandbox.calls().into_iter().enumerate().skip(before) {
                let deletes =
                    ["DeleteReplicationGroup", "DeleteCacheCluster", "DeleteServerlessCache"];
                let may = MAY_DELETE.contains(&(name, call.resource.as_str()));
                // What a run made, only its rollback deletes.
                let own = name == "changes" && at < forward;
                let deletes = deletes.contains(&call.operation.as_str());
                assert!(!deletes || (may && !own), "{name}: {call:?}");
            }
        });
    }
}

/// Whoever rolls back a run that has succeeded is told whose data goes with what is removed.
#[test]
fn a_rollback_says_what_it_removes_and_whose_data_goes_with_it() {
    virtually(async {
        let world = World::before("provision-memorydb").await;
        let done = run(&world, Inject::default(), None).await;
        succeeded(&done).expect("it is made");
        let words = undoing(&done.state());
        for part in [
            "removes MemoryDB cluster \"shop\"",
            "WHAT WAS WRITTEN TO MemoryDB cluster \"shop\" IS LOST",
        ] {
            assert!(words.contains(part), "{part} is not in\n{words}");
        }
        let world = World::before("unpark").await;
        let words = undoing(&run(&world, Inject::default(), None).await.state());
        assert!(words.contains("stays as it is: the playbook keeps"), "{words}");
        assert!(!words.contains("IS LOST"), "{words}");
    });
}

/// What is the only copy of the data by then, or the only way back, no rollback removes: neither that of a step that fails
/// after it, nor one that is asked for when all is done.
#[test]
fn what_a_playbook_keeps_no_rollback_removes() {
    for (name, kept, last, never) in [
        ("unpark", "group", "snapshot", "DeleteReplicationGroup"),
        ("engine-upgrade", "snapshot", "upgrade", "DeleteSnapshot"),
    ] {
        for fail in [Some((last.to_owned(), Strike::AfterExecute)), None] {
            virtually(async {
                let world = World::before(name).await;
                let before = world.sandbox.calls().len();
                let inject = Inject { fail, ..Inject::default() };
                let mut done = run(&world, inject, None).await;
                if matches!(done.end, End::Rest(Rest::Succeeded)) {
                    done = roll_back(&world, &done, Inject::default(), None).await;
                }
                assert_eq!(done.end, End::Rest(Rest::RolledBack), "{name}\n{}", done.story());
                let calls = world.sandbox.calls().into_iter().skip(before);
                let deleted = calls.into_iter().find(|call| call.operation == never);
                assert!(deleted.is_none(), "{name}: {deleted:?}\n{}", done.story());
                assert_eq!(done.state().step(kept).undo, Undo::Left, "{name}");
            });
        }
    }
}

/// The harness must see an undo that forgets a resource.
#[test]
fn the_harness_catches_an_undo_that_forgets() {
    let caught = virtually(fail_each_step("quickstart", Some(forgetful)));
    let words = caught.expect_err("the harness let a forgotten resource pass");
    assert!(words.contains("left over"), "{words}");
    virtually(every_undo_twice("quickstart", Some(forgetful)))
        .expect_err("a whole rollback let a forgotten resource pass");
}

/// The harness must see a change that is made before its intent is durable.
#[test]
fn the_harness_catches_a_call_before_its_intent() {
    let caught = virtually(every_step_twice("quickstart", Some(hasty)));
    let words = caught.expect_err("the harness let a call before its intent pass");
    assert!(words.contains("before its intent was durable"), "{words}");
}

const BROKEN: &str = "elasticache.create_snapshot";

fn forgetful<'a>(kinds: &'a dyn Kinds) -> Box<dyn Kinds + 'a> {
    let inner = kinds.kind(BROKEN).expect("the kind exists");
    Box::new(Wrapped { kinds, broken: Broken { inner, hasty: false } })
}

fn hasty<'a>(kinds: &'a dyn Kinds) -> Box<dyn Kinds + 'a> {
    let inner = kinds.kind(BROKEN).expect("the kind exists");
    Box::new(Wrapped { kinds, broken: Broken { inner, hasty: true } })
}

struct Wrapped<'a> {
    kinds: &'a dyn Kinds,
    broken: Broken<'a>,
}

impl Kinds for Wrapped<'_> {
    fn kind(&self, name: &str) -> Option<&dyn Kind> {
        if name == BROKEN { Some(&self.broken) } else { self.kinds.kind(name) }
    }
}

/// Creates its snapshot while it should only be reading, or never deletes it.
struct Broken<'a> {
    inner: &'a dyn Kind,
    hasty: bool,
}

#[async_trait(?Send)]
impl Kind for Broken<'_> {
    fn timeout(&self) -> std::time::Duration {
        self.inner.timeout()
    }

    async fn preflight(&self, args: &Value, cx: &Cx) -> Vec<Finding> {
        self.inner.preflight(args, cx).await
    }

    async fn prepare(&self, args: &Value, cx: &Cx) -> Result<Prepared, Failure> {
        let prepared = self.inner.prepare(args, cx).await?;
        if self.hasty {
            self.inner.execute(args, &prepared.value, cx).await?;
        }
        Ok(prepared)
    }

    async fn execute(&self, args: &Value, prepared: &Value, cx: &Cx) -> Result<Outcome, Failure> {
        self.inner.execute(args, prepared, cx).await
    }

    async fn undo(&self, args: &Value, prepared: &Value, cx: &Cx) -> Result<Vec<String>, Failure> {
        if self.hasty { self.inner.undo(args, prepared, cx).await } else { Ok(Vec::new()) }
    }
}
