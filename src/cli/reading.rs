//! The reading that every run begins with.

use std::rc::Rc;

use super::view::{around, timeline};
use crate::engine::{Clock, Cx, Finding, Kinds, Ledger, RunId};
use crate::plan::{Plan, PlannedStep};
use crate::steps::all;
use crate::survey::Survey;

/// What every step's read-only checks find, all made at once; by step id, in the order of the plan.
pub async fn read(
    plan: &Plan,
    kinds: &dyn Kinds,
    survey: &Survey,
    clock: &Clock,
    run: &RunId,
) -> Vec<(String, Vec<Finding>)> {
    survey.begin();
    let checks = plan
        .steps()
        .map(|step| async { (step.id.clone(), read_step(plan, step, kinds, clock, run).await) });
    futures::future::join_all(checks).await
}

/// What one step's read-only checks find.
pub async fn read_step(
    plan: &Plan,
    step: &PlannedStep,
    kinds: &dyn Kinds,
    clock: &Clock,
    run: &RunId,
) -> Vec<Finding> {
    let Some(kind) = kinds.kind(&step.kind) else { return Vec::new() };
    let ledger = Rc::new(Ledger::none(clock.clone(), Rc::new(|_| {})));
    let mut cx = Cx::reading(run.clone(), &step.id, ledger, clock.clone());
    cx.accept_no_way_back = step.accept_no_way_back;
    cx.around = around(plan, step, &timeline(plan, &all()));
    kind.preflight(&step.args.partial(), &cx).await
}
