//! What must hold for every playbook, whatever it does. Each check gives the first thing that does not hold, so that a
//! deliberately broken step can be shown to be caught.

use orchestrate::engine::journal::{Record, Rest, RollbackReason};
use orchestrate::engine::{End, Inject, Kinds, Strike};
use orchestrate::plan::{Effect, UndoPolicy};
use serde_json::Value;

use crate::world::{Disturb, Done, World, tally};

pub(crate) type Check = Result<(), String>;

/// Every step fails once, before and after it did its work; the run must come back to a clean slate.
pub(crate) async fn fail_each_step(name: &str, kinds: Option<Wrap>) -> Check {
    let ids: Vec<String> = World::before(name).await.plan.steps().map(|s| s.id.clone()).collect();
    for id in ids {
        for strike in [Strike::BeforeExecute, Strike::AfterExecute] {
            let world = World::before(name).await;
            let clean = world.sandbox.world();
            let inject = Inject { fail: Some((id.clone(), strike)), ..Inject::default() };
            let done = run(&world, inject, kinds).await;
            let at = format!("{name}: step {id} failing {strike:?}");
            if done.end != End::Rest(Rest::RolledBack) {
                return Err(format!("{at}: ended as {:?}\n{}", done.end, done.story()));
            }
            failed_there(&done, &id).map_err(|e| format!("{at}: {e}"))?;
            // What a kind declares irreversible stays; everything else is as it was.
            if !left_something(&done) {
                same_but_kept(&clean, &world.sandbox.world()).map_err(|e| format!("{at}: {e}"))?;
            }
            intent_before_call(&done).map_err(|e| format!("{at}: {e}"))?;
        }
    }
    Ok(())
}

/// Every step is carried out twice; the world must be as after once.
pub(crate) async fn every_step_twice(name: &str, kinds: Option<Wrap>) -> Check {
    let (once, twice) = (World::before(name).await, World::before(name).await);
    let plain = run(&once, Inject::default(), kinds).await;
    succeeded(&plain)?;
    let inject = Inject { execute_twice: true, ..Inject::default() };
    let doubled = run(&twice, inject, kinds).await;
    succeeded(&doubled)?;
    same(&once.sandbox.world(), &twice.sandbox.world())
        .map_err(|e| format!("{name}: every step twice: {e}"))
}

/// A whole run is rolled back, each undo carried out twice; the world must be as before.
pub(crate) async fn every_undo_twice(name: &str, kinds: Option<Wrap>) -> Check {
    let world = World::before(name).await;
    let clean = world.sandbox.world();
    let done = run(&world, Inject::default(), kinds).await;
    succeeded(&done)?;
    let back =
        roll_back(&world, &done, Inject { undo_twice: true, ..Inject::default() }, kinds).await;
    if back.end != End::Rest(Rest::RolledBack) {
        return Err(format!("{name}: rolling back ended as {:?}\n{}", back.end, back.story()));
    }
    if left_something(&back) {
        return Ok(());
    }
    same_but_kept(&clean, &world.sandbox.world())
        .map_err(|e| format!("{name}: every undo twice: {e}"))
}

/// Wraps the world's kinds, to break one of them.
pub(crate) type Wrap = for<'a> fn(&'a dyn Kinds) -> Box<dyn Kinds + 'a>;

pub(crate) async fn run(world: &World, inject: Inject, wrap: Option<Wrap>) -> Done {
    let wrapped = wrap.map(|wrap| wrap(&world.registry));
    let kinds: Option<&dyn Kinds> = wrapped.as_deref();
    world.run(&Disturb { inject, kinds, ..Disturb::default() }).await
}

pub(crate) async fn roll_back(
    world: &World,
    done: &Done,
    inject: Inject,
    wrap: Option<Wrap>,
) -> Done {
    let wrapped = wrap.map(|wrap| wrap(&world.registry));
    let kinds: Option<&dyn Kinds> = wrapped.as_deref();
    let reason = RollbackReason::Asked { by: "tester".to_owned(), past_pivot: true };
    let disturb = Disturb { inject, kinds, ..Disturb::default() };
    world.take_up(done, vec![Record::RollbackStarted { reason }], &disturb).await
}

pub(crate) fn succeeded(done: &Done) -> Check {
    if done.end == End::Rest(Rest::Succeeded) {
        return intent_before_call(done);
    }
    Err(format!("ended as {:?} instead of succeeding\n{}", done.end, done.story()))
}

fn failed_there(done: &Done, id: &str) -> Check {
    let state = done.state();
    match state.failed() {
        Some((step, _)) if step.id == id => Ok(()),
        Some((step, _)) => Err(format!("step {} failed instead\n{}", step.id, done.story())),
        None => Err("no step failed".to_owned()),
    }
}

/// Kinds that nothing brings back and that leave nothing in the world: around them everything must be as it was. Points of
/// metrics are left out by `same_but_kept`.
const LEAVES_NOTHING: [&str; 4] =
    ["cloudwatch.put_metric", "memorydb.failover_shard", "notify.sns", "notify.webhook"];

/// Whether a rollback left something because its kind says that nothing brings it back.
pub(crate) fn left_something(done: &Done) -> bool {
    let state = done.state();
    state.steps().any(|(planned, step)| {
        let stays =
            matches!(&planned.effect, Effect::Mutates(UndoPolicy::None(_) | UndoPolicy::Manual(_)));
        (stays || planned.keep)
            && !LEAVES_NOTHING.contains(&planned.kind.as_str())
            && step.undo == orchestrate::engine::Undo::Left
    })
}

/// As `same`, but for what a rollback keeps on purpose, and nothing else: exports that have a manifest, which are no worse
/// for a later step that failed, each with the files of its name; and points of metrics, which CloudWatch never deletes.
pub(crate) fn same_but_kept(wanted: &Value, found: &Value) -> Check {
    same(&without_kept(wanted), &without_kept(found))
}

fn without_kept(world: &Value) -> Value {
    const MANIFEST: &str = ".manifest.json";
    let mut world = world.clone();
    if let Some(monitoring) = world["monitoring"].as_object_mut() {
        monitoring.remove("points");
    }
    for (_, bucket) in world["s3"].as_object_mut().into_iter().flatten() {
        let Some(objects) = bucket["objects"].as_object_mut() else { continue };
        let exports = objects.keys().filter_map(|key| key.strip_suffix(MANIFEST));
        let exports: Vec<String> = exports.map(|export| format!("{export}-")).collect();
        objects.retain(|key, _| {
            let whole = key.strip_suffix(MANIFEST).is_none();
            whole && !exports.iter().any(|export| key.starts_with(export.as_str()))
        });
    }
    world
}

/// Between the beginning of a step and its intent nothing may change. Steps beside it may change something meanwhile,
/// so this says nothing of plans with lanes.
pub(crate) fn intent_before_call(done: &Done) -> Check {
    if done.state().plan.stages.iter().any(|stage| stage.lanes.len() > 1) {
        return Ok(());
    }
    let mut begun: Option<(String, usize)> = None;
    for (record, changes) in done.seen.borrow().iter() {
        match record {
            Record::StepStarted { step, .. } => begun = Some((step.clone(), *changes)),
            Record::Intended { step, .. } => {
                if let Some((id, before)) = &begun
                    && id == step
                    && before != changes
                {
                    return Err(format!(
                        "step {step} changed something {} time(s) before its intent was durable",
                        changes - before
                    ));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Two worlds must be equal; otherwise the first places where they differ.
pub(crate) fn same(wanted: &Value, found: &Value) -> Check {
    let mut differences = Vec::new();
    differ("", wanted, found, &mut differences);
    if differences.is_empty() {
        return Ok(());
    }
    differences.truncate(8);
    Err(format!("the worlds differ:\n  {}", differences.join("\n  ")))
}

/// But for points of metrics: CloudWatch knows no way to ask whether one is there, so that one whose answer was lost is put
/// again, as the kinds say.
pub(crate) fn same_changes(wanted: &World, found: &World) -> Check {
    let changes = |world: &World| {
        let changes = world.changes().into_iter();
        tally(&changes.filter(|call| call.operation != "PutMetricData").collect::<Vec<_>>())
    };
    same(&changes(wanted), &changes(found))
}

/// No operation was answered with success more often than in the undisturbed world.
pub(crate) fn no_more_changes(wanted: &World, found: &World) -> Check {
    let (wanted, found) = (tally(&wanted.answered()), tally(&found.answered()));
    let empty = serde_json::Map::new();
    for (operation, times) in found.as_object().unwrap_or(&empty) {
        if times.as_u64() > wanted.get(operation).and_then(Value::as_u64) {
            return Err(format!(
                "{operation} took effect {times} times instead of {:?}",
                wanted.get(operation)
            ));
        }
    }
    Ok(())
}

fn differ(path: &str, wanted: &Value, found: &Value, out: &mut Vec<String>) {
    match (wanted, found) {
        (Value::Object(a), Value::Object(b)) => {
            for (key, value) in a {
                match b.get(key) {
                    Some(other) => differ(&format!("{path}/{key}"), value, other, out),
                    None => out.push(format!("{path}/{key} is gone: was {value}")),
                }
            }
            for (key, value) in b.iter().filter(|(key, _)| !a.contains_key(*key)) {
                out.push(format!("{path}/{key} is left over: {value}"));
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (x, y)) in a.iter().zip(b).enumerate() {
                differ(&format!("{path}/{index}"), x, y, out);
            }
        }
        _ if wanted == found => {}
        // Which of the run's processes made it, which is what a crash changes.
        (Value::String(_), Value::String(_)) if path.ends_with("/tags/orchestrate:epoch") => {}
        _ => out.push(format!("{path}: was {wanted}, is {found}")),
    }
}
