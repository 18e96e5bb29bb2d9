//! The rule about the way back, and about writes that a copy does not have.

use super::catalog::{Catalog, KindInfo};
use super::model::Writes;
use crate::playbook::{Arg, ArgValue, Code, Diagnostic, Diagnostics, Item, Playbook, StepNode};

/// A copy of the data that a later pivot puts live.
struct Copy<'a> {
    step: &'a StepNode,
    writes: Option<Writes>,
}

/// Reports pivots where none may stand, and copies whose later writes would silently be lost. Gives what
/// becomes of those writes.
pub(super) fn check_pivots(
    playbook: &Playbook,
    catalog: &Catalog,
    problems: &mut Diagnostics,
) -> Writes {
    let mut stopped: Option<Writes> = None;
    let mut copies: Vec<Copy<'_>> = Vec::new();
    let mut pivot: Option<&StepNode> = None;
    let mut writes = Writes::NotConcerned;
    for item in &playbook.items {
        let (steps, parallel) = match item {
            Item::Step(step) => (std::slice::from_ref(step.as_ref()), false),
            Item::Parallel(parallel) => (parallel.steps.as_slice(), true),
        };
        let known = || {
            steps
                .iter()
                .filter(|step| !is_empty(step))
                .filter_map(|step| Some((step, catalog.get(&step.kind.value)?)))
        };
        for (step, kind) in known().filter(|(_, kind)| kind.copies_data) {
            let writes = stopped.clone().or_else(|| accepted(step, kind));
            copies.push(Copy { step, writes });
        }
        for (step, kind) in known().filter(|(_, kind)| kind.effect.is_pivot()) {
            check_place(step, parallel, problems);
            match pivot {
                Some(first) => several(first, step, problems),
                None => writes = settle(step, kind, &copies, problems),
            }
            pivot = pivot.or(Some(step));
        }
        // A step beside a copy does not stop writes before it.
        for (step, kind) in known() {
            if kind.stops_writes {
                stopped = stopped.or_else(|| Some(stop(step, kind)));
            }
            if kind.resumes_writes {
                stopped = None;
            }
        }
    }
    writes
}

/// A `for_each` over nothing does nothing.
fn is_empty(step: &StepNode) -> bool {
    matches!(&step.for_each, Some(Arg { value: ArgValue::Seq(items), .. }) if items.is_empty())
}

/// A step that stops writes, unless its own arguments say that it need not.
fn stop(step: &StepNode, kind: &KindInfo) -> Writes {
    accepted(step, kind).unwrap_or_else(|| Writes::StoppedBy { step: step.id.value.clone() })
}

/// Whether a step's arguments accept the loss; an expression does, unless it turns out empty.
fn accepted(step: &StepNode, kind: &KindInfo) -> Option<Writes> {
    let argument = kind.accepts_loss.as_deref()?;
    match &step.args.get(argument)?.value {
        ArgValue::Null | ArgValue::Bool(false) => None,
        ArgValue::Str(text) if text.is_empty() => None,
        _ => Some(Writes::LossAccepted {
            step: step.id.value.clone(),
            argument: argument.to_owned(),
        }),
    }
}

fn settle(
    pivot: &StepNode,
    kind: &KindInfo,
    copies: &[Copy<'_>],
    problems: &mut Diagnostics,
) -> Writes {
    let by_pivot = accepted(pivot, kind);
    let mut writes = Writes::NotConcerned;
    for copy in copies {
        match copy.writes.as_ref().or(by_pivot.as_ref()) {
            // One lossy copy makes the whole switch lossy.
            Some(found) if !matches!(writes, Writes::LossAccepted { .. }) => writes = found.clone(),
            Some(_) => {}
            None => lost(copy.step, pivot, problems),
        }
    }
    writes
}

fn lost(copy: &StepNode, pivot: &StepNode, problems: &mut Diagnostics) {
    problems.push(
        Diagnostic::error(
            Code::WritesLost,
            copy.kind.span,
            format!(
                "writes after the snapshot are lost: nothing stops them before step `{}` copies \
                 the data that step `{}` puts live",
                copy.id.value, pivot.id.value
            ),
        )
        .label("the copy is taken here")
        .related(pivot.kind.span, "and goes live here")
        .help(
            "stop writes in a step before the copy (`elasticache.freeze_writes`), or accept the \
             loss by name in the step's arguments",
        ),
    );
}

fn several(first: &StepNode, second: &StepNode, problems: &mut Diagnostics) {
    problems.push(
        Diagnostic::error(
            Code::SeveralPivots,
            second.kind.span,
            "a playbook has at most one pivot: the way back of a second one could not be proved",
        )
        .label("second pivot")
        .related(first.kind.span, "first pivot")
        .help("give one step all the targets, or make two playbooks"),
    );
}

fn check_place(step: &StepNode, parallel: bool, problems: &mut Diagnostics) {
    let place = match (parallel, step.for_each.is_some()) {
        (true, _) => "parallel",
        (_, true) => "for_each",
        _ => return,
    };
    problems.push(
        Diagnostic::error(
            Code::PivotPlace,
            step.kind.span,
            format!("`{}` is a pivot, and a pivot cannot stand in `{place}`", step.kind.value),
        )
        .help("give it a place of its own in `steps`"),
    );
}
