//! A playbook against the catalog: kinds, arguments, references, and the way back.

use std::collections::BTreeSet;

use serde_json::Value;

use super::catalog::{Catalog, Effect, Fault, KindInfo, UndoPolicy};
use super::fill::{Fill, fill};
use super::fit::{Place, fit};
use super::pivot::check_pivots;
use super::scope::{Scope, Site, Typing};
use super::shape::Schema;
use crate::playbook::{
    Arg, ArgValue, Code, Diagnostic, Diagnostics, Expr, Hint, Item, Playbook, Root, Segment,
    Source, Span, StepNode, closest, read, suggestion,
};

/// Checks a playbook as far as that goes without inputs. Gives what could be understood, and all problems.
pub fn check(source: &Source, catalog: &Catalog) -> (Option<Playbook>, Diagnostics) {
    let bare: BTreeSet<&str> =
        catalog.kinds.keys().copied().filter(|kind| !kind.contains('.')).collect();
    let (playbook, mut problems) = read(source, &bare);
    if let Some(playbook) = &playbook {
        check_tree(playbook, catalog, &mut problems);
        check_unused(playbook, &mut problems);
        problems.sort();
    }
    (playbook, problems)
}

/// Checks everything that depends on values: done once on the text, and again when inputs are filled in.
pub(super) fn check_tree(playbook: &Playbook, catalog: &Catalog, problems: &mut Diagnostics) {
    let lists = playbook
        .steps()
        .filter(|step| step.for_each.is_some())
        .map(|step| step.id.value.as_str())
        .collect();
    let mut checker = Checker { catalog, scope: Scope::new(playbook), lists, problems };
    checker.early(playbook.timeout.as_ref(), "timeout");
    if let Some(guard) = &playbook.guard {
        checker.guard(guard.account.as_ref(), "account");
        checker.guard(guard.region.as_ref(), "region");
    }
    checker.guards(&playbook.guards);
    for item in &playbook.items {
        match item {
            Item::Step(step) => {
                checker.step(step, BTreeSet::new());
                checker.finish(step);
            }
            Item::Parallel(parallel) => {
                let ids: BTreeSet<_> =
                    parallel.steps.iter().map(|step| step.id.value.as_str()).collect();
                for step in &parallel.steps {
                    checker.step(step, ids.clone());
                }
                parallel.steps.iter().for_each(|step| checker.finish(step));
            }
        }
    }
    if let Some(outputs) = &playbook.outputs {
        checker.scope.leave();
        let found = checker.scope.check(outputs, Site::Args, &checker.lists);
        found.into_iter().for_each(|problem| checker.problems.push(problem));
    }
    check_pivots(playbook, catalog, problems);
}

struct Checker<'a, 'p> {
    catalog: &'a Catalog,
    scope: Scope<'a>,
    lists: BTreeSet<&'a str>,
    problems: &'p mut Diagnostics,
}

impl<'a> Checker<'a, '_> {
    fn step(&mut self, step: &'a StepNode, siblings: BTreeSet<&'a str>) {
        self.scope.enter(&step.id.value, siblings);
        self.early(step.timeout.as_ref(), "timeout");
        self.early(step.for_each.as_ref(), "for_each");
        if let Some(Arg { value: ArgValue::Expr(expr), span }) = &step.for_each {
            self.list(expr, *span);
        }
        self.scope.set_item(step.for_each.is_some());
        let found = self.scope.check(&step.args, Site::Args, &self.lists);
        let readable = found.is_empty();
        found.into_iter().for_each(|problem| self.problems.push(problem));
        if step.kind.value.is_empty() {
            return;
        }
        let Some(kind) = self.catalog.get(&step.kind.value) else {
            self.unknown_kind(step);
            return;
        };
        self.accept(step, kind);
        self.keep(step, kind);
        match &step.for_each {
            // Items written out are known now, so each is checked as if it stood there itself.
            Some(Arg { value: ArgValue::Seq(items), .. }) if readable => {
                for item in items {
                    let mut args = step.args.clone();
                    fill(&mut args, &Fill { inputs: None, item: Some(item) }, self.problems);
                    self.args(step, &args, kind);
                }
            }
            _ => self.args(step, &step.args, kind),
        }
    }

    fn args(&mut self, step: &StepNode, args: &Arg, kind: &KindInfo) {
        self.fitting(args, kind, &format!("`{}`", kind.name), step.kind.span);
    }

    fn fitting(&mut self, args: &Arg, kind: &KindInfo, what: &str, head: Span) {
        let loss = kind.accepts_loss.as_deref();
        let place = Place { what, head, loss };
        let typing = Typing { scope: &self.scope, lists: &self.lists };
        let schema = Schema::new(&kind.spec_schema);
        let found = fit(args, schema, place, &typing);
        // The kind's own rules may rely on the form: what has not got it is not known to them.
        let mut known = args.known_but(&|span| found.iter().any(|problem| problem.span == span));
        if let Some(map) = known.as_object_mut() {
            map.retain(|name, _| schema.property(name).is_some());
            for name in schema.required() {
                map.entry(name).or_insert(Value::Null);
            }
        }
        let faults = (kind.check)(&known);
        let of_fault = |fault| invalid(fault, args, head);
        faults.into_iter().map(of_fault).for_each(|problem| self.problems.push(problem));
        found.into_iter().for_each(|problem| self.problems.push(problem));
    }

    fn finish(&mut self, step: &'a StepNode) {
        let output = self.catalog.get(&step.kind.value).map(|kind| &kind.output_schema);
        self.scope.finish(&step.id.value, output);
    }

    fn early(&mut self, arg: Option<&Arg>, key: &'static str) {
        let Some(arg) = arg else { return };
        for problem in self.scope.check(arg, Site::Early(key), &self.lists) {
            self.problems.push(problem);
        }
    }

    /// A guard is text: read as a number, an account would lose its leading zeros.
    fn guard(&mut self, arg: Option<&Arg>, key: &str) {
        self.early(arg, "guard");
        let Some(Arg { value: ArgValue::Expr(expr), span }) = arg else { return };
        let Ok(ty) = self.scope.lookup(expr, Site::Early("guard"), &self.lists) else { return };
        if ty.types().and(super::shape::Types::STRING).is_none() {
            let message = format!("`{key}` must be text, and `{expr}` is {}", ty.types());
            let help = match key {
                "account" => {
                    "declare the input as `type: string`: a number loses its leading zeros"
                }
                _ => "declare the input as `type: string`",
            };
            self.problems.push(Diagnostic::error(Code::WrongType, *span, message).help(help));
        }
    }

    /// Guards are watched from the first step on: they can name inputs, and no output.
    fn guards(&mut self, guards: &[Arg]) {
        let mut ids: BTreeSet<&str> = BTreeSet::new();
        for guard in guards {
            let before = self.problems.items().len();
            self.early(Some(guard), "guards");
            let readable = self.problems.items().len() == before;
            if let Some(Arg { value: ArgValue::Str(id), span }) = guard.get("id")
                && !ids.insert(id)
            {
                let message = format!("another guard has the id `{id}`");
                let problem = Diagnostic::error(Code::DuplicateId, *span, message);
                self.problems.push(problem.help("give each guard an id of its own"));
            }
            if let Some(info) = self.catalog.guard.as_ref().filter(|_| readable) {
                self.fitting(guard, info, "a guard", guard.span);
            }
        }
    }

    fn list(&mut self, expr: &Expr, span: Span) {
        let Ok(ty) = self.scope.lookup(expr, Site::Early("for_each"), &self.lists) else { return };
        if ty.types().and(super::shape::Types::ARRAY).is_none() {
            let message = format!("`for_each` must be a list, and `{expr}` is {}", ty.types());
            self.problems.push(
                Diagnostic::error(Code::WrongType, span, message)
                    .help("declare the input as `type: list`, or write a list: `[a, b]`"),
            );
        }
    }

    fn accept(&mut self, step: &StepNode, kind: &KindInfo) {
        if let Some(accept) = &step.accept_no_way_back
            && !kind.effect.is_pivot()
        {
            self.problems.push(
                Diagnostic::error(
                    Code::NotAPivot,
                    accept.span,
                    format!("`{}` is not a pivot, so there is no way back to give up", kind.name),
                )
                .help("remove `accept_no_way_back`"),
            );
        }
    }

    fn keep(&mut self, step: &StepNode, kind: &KindInfo) {
        if let Some(keep) = &step.keep
            && kind.effect != Effect::Mutates(UndoPolicy::Undo)
        {
            self.problems.push(
                Diagnostic::error(
                    Code::NothingToKeep,
                    keep.span,
                    format!(
                        "a rollback does not undo `{}`, so there is nothing to keep",
                        kind.name
                    ),
                )
                .help("remove `keep`"),
            );
        }
    }

    fn unknown_kind(&mut self, step: &StepNode) {
        let wrong = step.kind.value.as_str();
        let names = || self.catalog.kinds.keys().copied();
        // A right verb under a wrong service is as likely as a misspelt one.
        let verb = wrong.rsplit('.').next().unwrap_or_default();
        let same_verb = names().find(|name| name.rsplit('.').next() == Some(verb));
        let help = match closest(wrong, names()).or(same_verb) {
            Some(word) => Hint::word(wrong, word),
            None => suggestion(wrong, names(), "step kinds")
                .or("`orchestrate steps` lists the step kinds"),
        };
        self.problems.push(
            Diagnostic::error(
                Code::UnknownKind,
                step.kind.span,
                format!("there is no step kind `{wrong}`"),
            )
            .hint(help),
        );
    }
}

/// A fault at the value it speaks of, or at the nearest value around it that is written out.
fn invalid(fault: Fault, args: &Arg, head: Span) -> Diagnostic {
    let mut at = args;
    for hop in &fault.path {
        let next = match (hop, &at.value) {
            (Segment::Field(name), _) => at.get(name),
            (Segment::Index(index), ArgValue::Seq(items)) => items.get(*index),
            (Segment::Index(_), _) => None,
        };
        let Some(next) = next else { break };
        at = next;
    }
    let whole = std::ptr::eq(at, args) || at.span.start == at.span.end;
    let span = if whole { head } else { at.span };
    let problem = Diagnostic::error(Code::InvalidArgument, span, fault.message)
        .help("`orchestrate steps <kind>` tells the rules of a kind");
    let problem = if fault.secret { problem.masked() } else { problem };
    problem.hint(fault.mend)
}

fn check_unused(playbook: &Playbook, problems: &mut Diagnostics) {
    let mut used = BTreeSet::new();
    let guard = playbook.guard.iter().flat_map(|guard| [&guard.account, &guard.region]);
    let heads = guard.chain([&playbook.timeout, &playbook.outputs]);
    let steps = playbook.steps().flat_map(|step| [&step.timeout, &step.for_each]);
    let args = playbook.steps().map(|step| &step.args).chain(&playbook.guards);
    for arg in heads.chain(steps).flatten().chain(args) {
        let leaves = arg.expressions().into_iter().flat_map(Expr::leaves);
        used.extend(leaves.filter_map(|expr| match &expr.root {
            Root::Input(name) => Some(name.value.as_str()),
            _ => None,
        }));
    }
    for input in playbook.inputs.iter().filter(|input| !used.contains(input.name.value.as_str())) {
        let message = format!("input `{}` is never used", input.name.value);
        problems.push(
            Diagnostic::warning(Code::UnusedInput, input.name.span, message).help(format!(
                "use it as \"${{{{ inputs.{} }}}}\", or remove it",
                input.name.value
            )),
        );
    }
}
