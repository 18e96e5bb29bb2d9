//! A plan with what the step kinds say about it, for the report.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::engine::{Around, Finding, Upstream};
use crate::plan::{Effect, Plan, PlannedStep, UndoPolicy, Writes};
use crate::report::{PlanView, StepView, TouchView, guard_words};
use crate::steps::{About, Need, guard};

/// What a person reads before a run.
#[must_use]
pub(crate) fn plan_view(plan: &Plan, kinds: &[About]) -> PlanView {
    PlanView {
        playbook: plan.playbook.clone(),
        description: plan.description.clone(),
        digest: plan.digest.clone(),
        writes: plan_writes(plan),
        guards: plan.guards.iter().map(guard_words).collect(),
        stages: plan
            .stages
            .iter()
            .map(|stage| stage.lanes.iter().flatten().map(|s| step_view(s, kinds)).collect())
            .collect(),
    }
}

fn step_view(step: &PlannedStep, kinds: &[About]) -> StepView {
    let about = kinds.iter().find(|about| about.info.name == step.kind);
    let sketch = about.map(|about| (about.sketch)(&step.args.partial())).unwrap_or_default();
    let undo = match &step.effect {
        Effect::ReadOnly => None,
        Effect::Mutates(UndoPolicy::None(reason)) => Some(format!("none: {reason}")),
        Effect::Mutates(UndoPolicy::Manual(text)) => Some(format!("by hand: {text}")),
        Effect::Mutates(UndoPolicy::Undo) if step.keep => {
            let undo = sketch.undo.unwrap_or_else(|| "undo it".to_owned());
            Some(format!("{undo}, unless it has succeeded: then it stays"))
        }
        Effect::Mutates(UndoPolicy::Undo | UndoPolicy::Pivot) => sketch.undo,
    };
    StepView {
        id: step.id.clone(),
        kind: step.kind.clone(),
        does: step
            .description
            .clone()
            .map_or(sketch.does.clone(), |d| format!("{} ({})", sketch.does, d.trim())),
        undo,
        loses: sketch.loses,
        touches: about
            .map(|about| (about.touches)(&step.args.partial()))
            .unwrap_or_default()
            .into_iter()
            .map(|touch| TouchView { role: touch.role, what: touch.what })
            .collect(),
        pivot: step.effect.is_pivot(),
        expected_secs: about.map_or(0, |about| takes(step, about).as_secs()),
        timeout_secs: about.map_or(0, |about| may_take(step, about).as_secs()),
    }
}

/// How long a step usually takes, with its arguments as far as they are known.
fn takes(step: &PlannedStep, about: &About) -> Duration {
    (about.takes)(&step.args.partial())
}

/// How long a step may take before it gives up.
fn may_take(step: &PlannedStep, about: &About) -> Duration {
    step.timeout_secs.map_or(about.timeout, Duration::from_secs)
}

/// What becomes of writes made after the copy, if the plan puts one live.
pub(crate) fn plan_writes(plan: &Plan) -> Option<String> {
    match &plan.writes {
        Writes::NotConcerned => None,
        Writes::StoppedBy { step } => Some(format!(
            "writes after the snapshot, unless writes are stopped: step \"{step}\" stops them before the copy is taken; they stay stopped after the swap, and come back on rollback"
        )),
        Writes::LossAccepted { step, argument } => Some(format!(
            "writes after the snapshot, unless writes are stopped, and they are NOT stopped: writes made to the source after each shard's snapshot instant are LOST; accepted by name at {step}.{argument}"
        )),
    }
}

/// When each step begins and the run ends, by what steps usually take.
pub(crate) struct Timeline {
    begins: BTreeMap<String, Duration>,
    may_take: BTreeMap<String, Duration>,
    ends: Duration,
}

impl Timeline {
    /// When the run ends.
    pub(crate) fn ends(&self) -> Duration {
        self.ends
    }
}

/// By the arguments alone.
#[must_use]
pub(crate) fn timeline(plan: &Plan, kinds: &[About]) -> Timeline {
    timeline_after(plan, kinds, &[])
}

/// How much longer a step takes by what was read: its longest wait, since such waits are one.
fn adds(step: &PlannedStep, findings: &[(String, Vec<Finding>)]) -> Duration {
    let of_step = findings.iter().filter(|(id, _)| *id == step.id).flat_map(|(_, found)| found);
    Duration::from_secs(of_step.map(|finding| finding.adds_secs).max().unwrap_or(0))
}

/// Lanes of a stage run side by side as far as `max_parallel` lets them; that limit is not weighed here.
#[must_use]
pub(crate) fn timeline_after(
    plan: &Plan,
    kinds: &[About],
    findings: &[(String, Vec<Finding>)],
) -> Timeline {
    let (mut begins, mut longest_by_step) = (BTreeMap::new(), BTreeMap::new());
    let mut stage_begins = Duration::ZERO;
    for stage in &plan.stages {
        let mut longest = Duration::ZERO;
        for lane in &stage.lanes {
            let mut at = Duration::ZERO;
            for step in lane {
                begins.insert(step.id.clone(), stage_begins + at);
                let about = kinds.iter().find(|about| about.info.name == step.kind);
                let Some(about) = about else { continue };
                longest_by_step.insert(step.id.clone(), may_take(step, about));
                at += takes(step, about) + adds(step, findings);
            }
            longest = longest.max(at);
        }
        stage_begins += longest;
    }
    Timeline { begins, may_take: longest_by_step, ends: stage_begins }
}

/// What a step may know of the plan around it.
#[must_use]
pub(crate) fn around(plan: &Plan, step: &PlannedStep, timeline: &Timeline) -> Around {
    let told = |steps: Vec<&PlannedStep>| {
        let tell = |step: &PlannedStep| Upstream {
            step: step.id.clone(),
            kind: step.kind.clone(),
            args: step.args.partial(),
        };
        steps.into_iter().map(tell).collect()
    };
    Around {
        upstream: told(plan.upstream(step)),
        downstream: told(plan.downstream(step)),
        begins_after: timeline.begins.get(&step.id).copied().unwrap_or_default(),
        run_takes: timeline.ends,
        may_take: timeline.may_take.get(&step.id).copied(),
    }
}

/// What must exist before the plan runs, that no earlier step of it makes.
#[must_use]
pub(crate) fn needs(plan: &Plan, kinds: &[About]) -> Vec<Need> {
    let mut needs: Vec<Need> = plan.guards.iter().flat_map(guard::needs).collect();
    for step in plan.steps() {
        let Some(about) = kinds.iter().find(|about| about.info.name == step.kind) else { continue };
        let args: Value = step.args.partial();
        for need in (about.needs)(&args) {
            if !needs.contains(&need) {
                needs.push(need);
            }
        }
    }
    needs
}
