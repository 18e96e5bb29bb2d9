//! The reading that every run begins with.

use std::rc::Rc;

use super::view::{around, timeline};
use crate::engine::{Clock, Cx, Finding, Kinds, Ledger, RunId};
use crate::plan::Plan;
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
    let ledger = Rc::new(Ledger::none(clock.clone(), Rc::new(|_| {})));
    let timeline = timeline(plan, &all());
    let checks = plan.steps().filter_map(|step| {
        let kind = kinds.kind(&step.kind)?;
        let mut cx = Cx::reading(run.clone(), &step.id, Rc::clone(&ledger), clock.clone());
        cx.around = around(plan, step, &timeline);
        let args = step.args.partial();
        Some(async move { (step.id.clone(), kind.preflight(&args, &cx).await) })
    });
    futures::future::join_all(checks).await
}
