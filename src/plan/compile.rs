//! Playbook to plan.

use std::collections::BTreeMap;

use serde_json::Value;

use super::catalog::Catalog;
use super::check::{check, check_tree};
use super::fill::{Fill, fill};
use super::inputs::{GivenInputs, resolve};
use super::model::{FORMAT, Guard, Plan, PlannedStep, Stage, Writes};
use super::pivot::check_pivots;
use super::template::{Reference, Template};
use crate::playbook::{
    Arg, ArgValue, Code, Diagnostic, Diagnostics, Expr, Item, Located, Part, Playbook, Root,
    Segment, Source, StepNode, is_account, not_an_account, parse_timeout,
};

/// Compiles a playbook. The same text, catalog and inputs give the same plan.
///
/// On error all problems of text and inputs come together. Warnings do not stop it; [`check`] gives them.
pub fn compile(
    source: &Source,
    catalog: &Catalog,
    given: &GivenInputs,
) -> Result<Plan, Diagnostics> {
    let (playbook, mut problems) = check(source, catalog);
    let Some(mut playbook) = playbook else { return Err(problems) };
    let inputs = resolve(&playbook, given, &mut problems);
    // From here on inputs are values, and what a value can be wrong about is checked once more; also beside an input that
    // has none, so that nobody mends one fault to be told of the next.
    let mut of_values = Diagnostics::new(source.clone());
    let known = Fill { inputs: Some(&inputs), item: None };
    fill_playbook(&mut playbook, &known, &mut of_values);
    check_tree(&playbook, catalog, &mut of_values);
    let writes = check_pivots(&playbook, catalog, &mut of_values);
    let mut compiler = Compiler { catalog, counts: BTreeMap::new(), problems: of_values };
    let mut plan = compiler.plan(&playbook, writes);
    if problems.has_errors() || compiler.problems.has_errors() {
        for problem in compiler.problems.items() {
            let told =
                |other: &Diagnostic| other.code == problem.code && other.span == problem.span;
            if !problems.items().iter().any(told) {
                problems.push(problem.clone());
            }
        }
        problems.sort();
        return Err(problems);
    }
    plan.inputs = inputs;
    plan.digest = plan.compute_digest();
    Ok(plan)
}

fn fill_playbook(playbook: &mut Playbook, known: &Fill<'_>, problems: &mut Diagnostics) {
    let guard = playbook.guard.iter_mut().flat_map(|guard| [&mut guard.account, &mut guard.region]);
    for arg in guard.chain([&mut playbook.timeout, &mut playbook.outputs]).flatten() {
        fill(arg, known, problems);
    }
    playbook.guards.iter_mut().for_each(|guard| fill(guard, known, problems));
    for item in &mut playbook.items {
        let steps = match item {
            Item::Step(step) => std::slice::from_mut(step.as_mut()),
            Item::Parallel(parallel) => &mut parallel.steps,
        };
        for step in steps {
            let early = [&mut step.timeout, &mut step.for_each].into_iter().flatten();
            early.chain([&mut step.args]).for_each(|arg| fill(arg, known, problems));
        }
    }
}

struct Compiler<'a> {
    catalog: &'a Catalog,
    /// How many items each `for_each` step has.
    counts: BTreeMap<String, usize>,
    problems: Diagnostics,
}

impl Compiler<'_> {
    fn plan(&mut self, playbook: &Playbook, writes: Writes) -> Plan {
        let guard = playbook.guard.as_ref().map(|guard| Guard {
            account: guard.account.as_ref().and_then(|arg| self.account(arg)),
            region: guard.region.as_ref().and_then(|arg| self.text(arg, "region")),
        });
        Plan {
            format: FORMAT,
            playbook: playbook.name.value.clone(),
            description: playbook.description.as_ref().map(|text| text.value.clone()),
            digest: String::new(),
            guard,
            inputs: serde_json::Map::new(),
            timeout_secs: playbook.timeout.as_ref().and_then(|arg| self.timeout(arg)),
            writes,
            guards: playbook.guards.iter().map(Arg::known).collect(),
            stages: playbook.items.iter().filter_map(|item| self.stage(item)).collect(),
            outputs: playbook.outputs.as_ref().map(|arg| self.template(arg)),
        }
    }

    /// `None` for a `for_each` over nothing.
    fn stage(&mut self, item: &Item) -> Option<Stage> {
        let (max_parallel, lanes) = match item {
            Item::Step(step) => match &step.for_each {
                None => (1, vec![vec![self.step(step, step.id.value.clone(), &step.args)?]]),
                Some(list) => (step.max_parallel, self.each(step, list)),
            },
            Item::Parallel(parallel) => {
                let lane = |step: &StepNode| {
                    Some(vec![self.step(step, step.id.value.clone(), &step.args)?])
                };
                (parallel.max_parallel, parallel.steps.iter().filter_map(lane).collect())
            }
        };
        (!lanes.is_empty()).then_some(Stage { max_parallel, lanes })
    }

    fn each(&mut self, step: &StepNode, list: &Arg) -> Vec<Vec<PlannedStep>> {
        let ArgValue::Seq(items) = &list.value else {
            if is_open(list) {
                return Vec::new();
            }
            let message = format!("`for_each` must be a list, and this is {}", list.describe());
            let problem = Diagnostic::error(Code::WrongType, list.span, message);
            self.problems.push(problem.help("give the input a value, or write a list: `[a, b]`"));
            return Vec::new();
        };
        self.counts.insert(step.id.value.clone(), items.len());
        let lane = |(index, item): (usize, &Arg)| {
            let mut args = step.args.clone();
            let known = Fill { inputs: None, item: Some(item) };
            fill(&mut args, &known, &mut self.problems);
            Some(vec![self.step(step, format!("{}[{index}]", step.id.value), &args)?])
        };
        items.iter().enumerate().filter_map(lane).collect()
    }

    fn step(&mut self, step: &StepNode, id: String, args: &Arg) -> Option<PlannedStep> {
        // A kind that is not in the catalog has been reported by the check.
        let kind = self.catalog.get(&step.kind.value)?;
        Some(PlannedStep {
            id,
            kind: kind.name.to_owned(),
            description: step.description.clone(),
            args: self.template(args),
            timeout_secs: step.timeout.as_ref().and_then(|arg| self.timeout(arg)),
            effect: kind.effect.clone(),
            accept_no_way_back: step.accept_no_way_back.as_ref().is_some_and(|flag| flag.value),
            keep: step.keep.as_ref().is_some_and(|flag| flag.value),
        })
    }

    fn template(&mut self, arg: &Arg) -> Template {
        let template = match &arg.value {
            ArgValue::Null => Template::Literal(Value::Null),
            ArgValue::Bool(flag) => Template::Literal(Value::from(*flag)),
            ArgValue::Int(number) => Template::Literal(Value::from(*number)),
            ArgValue::Float(number) => Template::Literal(Value::from(*number)),
            ArgValue::Str(text) => Template::Literal(Value::from(text.as_str())),
            ArgValue::Expr(expr) => self.expression(expr),
            ArgValue::Text(parts) => Template::Concat(
                parts
                    .iter()
                    .map(|part| match part {
                        Part::Text(text) => Template::Literal(Value::from(text.as_str())),
                        Part::Expr(expr) => self.expression(expr),
                    })
                    .collect(),
            ),
            ArgValue::Seq(items) => {
                Template::Seq(items.iter().map(|item| self.template(item)).collect())
            }
            ArgValue::Map(entries) => Template::Map(
                entries.iter().map(|(key, arg)| (key.name.clone(), self.template(arg))).collect(),
            ),
        };
        match template {
            // What holds no reference is one literal: shorter in the journal, and easier to read there.
            Template::Seq(_) | Template::Map(_) => match template.known() {
                Some(value) => Template::Literal(value),
                None => template,
            },
            other => other,
        }
    }

    fn expression(&mut self, expr: &Expr) -> Template {
        match &expr.root {
            Root::Step(id) => self.output(expr, id),
            Root::RunId => Template::Ref(Reference::RunId),
            Root::RunStarted => Template::Ref(Reference::RunStarted),
            Root::Call(function, args) => Template::Call {
                function: function.value,
                args: args.iter().map(|arg| self.expression(arg)).collect(),
            },
            Root::Value(arg) => self.template(arg),
            // One that has no value by now has been reported.
            Root::Input(_) | Root::Item | Root::Unread => Template::Literal(Value::Null),
        }
    }

    fn output(&mut self, expr: &Expr, id: &Located<String>) -> Template {
        let path: Vec<Segment> = expr.path.iter().map(|hop| hop.value.clone()).collect();
        let Some(count) = self.counts.get(&id.value).copied() else {
            return Template::Ref(Reference::Output { step: id.value.clone(), path });
        };
        let item = |index: usize, path: Vec<Segment>| {
            Template::Ref(Reference::Output { step: format!("{}[{index}]", id.value), path })
        };
        match path.as_slice() {
            [output, Segment::Index(index), rest @ ..] => {
                if *index >= count {
                    let message =
                        format!("step `{}` has {count} item(s) here, counted from 0", id.value);
                    let problem = Diagnostic::error(Code::UnknownOutput, expr.span, message);
                    self.problems
                        .push(problem.help("take a smaller index, or give the step more items"));
                }
                let path = [output].into_iter().chain(rest).cloned().collect();
                item(*index, path)
            }
            _ => Template::Seq((0..count).map(|index| item(index, path.clone())).collect()),
        }
    }

    fn timeout(&mut self, arg: &Arg) -> Option<u64> {
        // An input left out is a timeout not written. A guard, though, must never vanish that way.
        if arg.value == ArgValue::Null {
            return None;
        }
        let text = self.text(arg, "timeout")?;
        let problem = match parse_timeout(&text) {
            Ok(seconds) => return Some(seconds),
            Err(problem) => problem,
        };
        let message = format!("`{text}` is not a timeout");
        self.problems.push(Diagnostic::error(Code::BadDuration, arg.span, message).help(problem));
        None
    }

    fn account(&mut self, arg: &Arg) -> Option<String> {
        let text = self.text(arg, "account")?;
        if !is_account(&text) {
            self.problems.push(not_an_account(&text, arg.span));
        }
        Some(text)
    }

    /// The text of a value that must be known.
    fn text(&mut self, arg: &Arg, key: &str) -> Option<String> {
        if let ArgValue::Str(text) = &arg.value {
            return Some(text.clone());
        }
        if is_open(arg) {
            return None;
        }
        let message = format!("`{key}` must be text, and this is {}", arg.describe());
        let problem = Diagnostic::error(Code::WrongType, arg.span, message);
        self.problems.push(problem.help("write a text, or give the input one"));
        None
    }
}

/// Whether an input that it refers to has no value, which has been reported.
fn is_open(arg: &Arg) -> bool {
    matches!(arg.value, ArgValue::Expr(_) | ArgValue::Text(_))
}
