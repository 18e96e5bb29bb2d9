//! What an expression may name at its place, and the type of what it names.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::fit::TypeOf;
use super::shape::{Schema, Ty, Types};
use super::typing;
use crate::playbook::{
    Arg, ArgValue, Code, Diagnostic, Expr, InputType, Located, Part, Playbook, Root, Segment,
    quoted_list, suggestion,
};

/// Where an expression stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Site {
    /// In a step's arguments: all that has run by then is known.
    Args,
    /// In `for_each`, `timeout` or `guard`: only inputs are known.
    Early(&'static str),
}

/// What is known at one place of the playbook.
pub(super) struct Scope<'a> {
    inputs: BTreeMap<&'a str, Value>,
    /// Every step's id, wherever it stands.
    ids: BTreeSet<&'a str>,
    done: BTreeMap<&'a str, Ty<'a>>,
    siblings: BTreeSet<&'a str>,
    current: Option<&'a str>,
    item: Option<Ty<'a>>,
}

impl<'a> Scope<'a> {
    pub(super) fn new(playbook: &'a Playbook) -> Self {
        let inputs = playbook.inputs.iter().map(|input| {
            let nullable = input.default == Some(Value::Null);
            (input.name.value.as_str(), input_schema(input.kind, nullable))
        });
        Self {
            inputs: inputs.collect(),
            ids: playbook.steps().map(|step| step.id.value.as_str()).collect(),
            done: BTreeMap::new(),
            siblings: BTreeSet::new(),
            current: None,
            item: None,
        }
    }

    /// Moves to a step. `item` is the type of `item`, if the step has one.
    pub(super) fn enter(&mut self, id: &'a str, siblings: BTreeSet<&'a str>) {
        self.current = Some(id);
        self.siblings = siblings;
        self.item = None;
    }

    /// Moves behind the last step, where every output is known.
    pub(super) fn leave(&mut self) {
        self.current = None;
        self.siblings = BTreeSet::new();
        self.item = None;
    }

    pub(super) fn set_item(&mut self, item: bool) {
        self.item = item.then_some(Ty::ANY);
    }

    /// From here on the step's output is known.
    pub(super) fn finish(&mut self, id: &'a str, output: Option<&'a Value>) {
        self.done.insert(id, output.map_or(Ty::ANY, |schema| Ty::of(Schema::new(schema))));
        self.current = None;
        self.item = None;
    }

    /// Every problem with what the expressions of a value name, and with what their functions are given.
    pub(super) fn check(&self, arg: &Arg, site: Site, lists: &BTreeSet<&str>) -> Vec<Diagnostic> {
        let mut problems = Vec::new();
        for expr in arg.expressions() {
            self.visit(expr, site, lists, &mut problems);
        }
        if problems.is_empty() {
            self.check_joins(arg, lists, &mut problems);
        }
        problems
    }

    fn check_joins(&self, arg: &Arg, lists: &BTreeSet<&str>, problems: &mut Vec<Diagnostic>) {
        match &arg.value {
            ArgValue::Text(parts) => {
                for part in parts {
                    let Part::Expr(expr) = part else { continue };
                    let Ok(ty) = self.lookup(expr, Site::Args, lists) else { continue };
                    if ty.types().and(Types::JOINABLE).is_none() {
                        let message =
                            format!("`{expr}` is {}, which cannot be joined to text", ty.types());
                        problems.push(
                            Diagnostic::error(Code::NotJoinable, expr.span, message).help(
                                "name one field or item of it, or let the expression stand alone",
                            ),
                        );
                    }
                }
            }
            ArgValue::Seq(items) => {
                items.iter().for_each(|item| self.check_joins(item, lists, problems));
            }
            ArgValue::Map(entries) => {
                entries.iter().for_each(|(_, arg)| self.check_joins(arg, lists, problems));
            }
            _ => {}
        }
    }

    /// The type of what an expression gives, or the first reason why it gives nothing here. `lists` are the ids of
    /// `for_each` steps, whose outputs are lists.
    pub(super) fn lookup(
        &self,
        expr: &Expr,
        site: Site,
        lists: &BTreeSet<&str>,
    ) -> Result<Ty<'_>, Box<Diagnostic>> {
        let mut problems = Vec::new();
        let ty = self.visit(expr, site, lists, &mut problems);
        match problems.into_iter().next() {
            Some(problem) => Err(Box::new(problem)),
            None => Ok(ty),
        }
    }

    /// The type of what an expression gives. Adds all that is wrong with it.
    fn visit(
        &self,
        expr: &Expr,
        site: Site,
        lists: &BTreeSet<&str>,
        problems: &mut Vec<Diagnostic>,
    ) -> Ty<'_> {
        match &expr.root {
            Root::Call(function, args) => {
                let before = problems.len();
                let types: Vec<_> =
                    args.iter().map(|arg| self.visit(arg, site, lists, problems)).collect();
                // What is given cannot be judged where it does not exist.
                if problems.len() > before {
                    return Ty::ANY;
                }
                typing::of_call(function, args, &types, problems)
            }
            Root::Value(arg) => {
                for inner in arg.expressions() {
                    self.visit(inner, site, lists, problems);
                }
                typing::of_value(arg)
            }
            _ => self.named(expr, site, lists).unwrap_or_else(|problem| {
                problems.push(*problem);
                Ty::ANY
            }),
        }
    }

    /// The type of what a reference names, or why it names nothing here.
    fn named(
        &self,
        expr: &Expr,
        site: Site,
        lists: &BTreeSet<&str>,
    ) -> Result<Ty<'_>, Box<Diagnostic>> {
        let start = match &expr.root {
            Root::Input(name) => match self.inputs.get(name.value.as_str()) {
                Some(schema) => Ty::of(Schema::new(schema)),
                None => return Err(Box::new(self.unknown_input(name))),
            },
            Root::RunId | Root::RunStarted | Root::Step(_) | Root::Item if site != Site::Args => {
                let Site::Early(key) = site else { return Ok(Ty::ANY) };
                let message = format!(
                    "`{key}` is needed before the run, and `{expr}` is known only during it"
                );
                return Err(Box::new(
                    Diagnostic::error(Code::NotYetKnown, expr.span, message).help("use an input"),
                ));
            }
            Root::RunId | Root::RunStarted => typing::plain(Types::STRING),
            Root::Call(..) | Root::Value(_) | Root::Unread => Ty::ANY,
            Root::Item => match &self.item {
                Some(ty) => ty.clone(),
                None => {
                    let message = "`item` is known only in a step with `for_each`";
                    let problem = Diagnostic::error(Code::ItemOutside, expr.span, message);
                    return Err(Box::new(
                        problem.help("add `for_each` to the step, or use an input"),
                    ));
                }
            },
            Root::Step(id) => return self.lookup_step(expr, id, lists),
        };
        walk(expr, start, 0)
    }

    fn lookup_step(
        &self,
        expr: &Expr,
        id: &Located<String>,
        lists: &BTreeSet<&str>,
    ) -> Result<Ty<'_>, Box<Diagnostic>> {
        let name = id.value.as_str();
        let fail = |code, message: String| Diagnostic::error(code, id.span, message);
        let Some(output) = self.done.get(name) else {
            return Err(Box::new(if self.current == Some(name) {
                fail(Code::LaterStep, format!("step `{name}` cannot use its own output"))
                    .help("name a step that runs before it")
            } else if self.siblings.contains(name) {
                fail(
                    Code::SiblingLane,
                    format!("step `{name}` runs at the same time, so its output is not known here"),
                )
                .help("move one of the two steps out of `parallel`")
            } else if self.ids.contains(name) {
                fail(
                    Code::LaterStep,
                    format!("step `{name}` runs later, so its output is not known here"),
                )
                .help("steps run in the order written; move it up")
            } else {
                fail(Code::UnknownStep, format!("there is no step `{name}`"))
                    .help("a step is named by its `id`")
                    .hint(suggestion(name, self.done.keys().copied(), "steps before this one"))
                    .hint(self.done.is_empty().then(|| "no step runs before this one".to_owned()))
            }));
        };
        let Some(first) = expr.path.first() else {
            let known = quoted_list(output.schemas.iter().flat_map(|schema| schema.properties()));
            let help = match known.is_empty() {
                true => "`orchestrate steps <kind>` lists the outputs of a kind".to_owned(),
                false => format!("outputs of `{name}`: {known}"),
            };
            return Err(Box::new(
                fail(
                    Code::UnknownOutput,
                    format!("an output of step `{name}` is missing: `steps.{name}.<output>`"),
                )
                .hint(help),
            ));
        };
        let mut ty = output.hop(&first.value).map_err(|known| {
            let message = format!("step `{name}` has no output `{}`", first.value);
            Box::new(
                Diagnostic::error(Code::UnknownOutput, first.span, message).hint(
                    suggestion(&first.value.to_string(), known, "its outputs")
                        .or("`orchestrate steps <kind>` lists the outputs of a kind"),
                ),
            )
        })?;
        if lists.contains(name) {
            ty.list = true;
        }
        walk(expr, ty, 1)
    }

    fn unknown_input(&self, name: &Located<String>) -> Diagnostic {
        let message = format!("there is no input `{}`", name.value);
        let known = self.inputs.keys().copied();
        let help = match self.inputs.is_empty() {
            true => "declare it under `inputs`".into(),
            false => suggestion(&name.value, known, "inputs").or("declare it under `inputs`"),
        };
        Diagnostic::error(Code::UnknownInput, name.span, message).hint(help)
    }
}

/// Follows the rest of an expression's path, from hop `from` on.
fn walk<'t>(expr: &Expr, mut ty: Ty<'t>, from: usize) -> Result<Ty<'t>, Box<Diagnostic>> {
    for hop in &expr.path[from..] {
        ty = ty.hop(&hop.value).map_err(|known| {
            let what = ty.types();
            let message = match &hop.value {
                Segment::Index(_) => format!("this is {what}, and only a list has items"),
                Segment::Field(name) if known.is_empty() => {
                    format!("this is {what}, which has no field `{name}`")
                }
                Segment::Field(name) => format!("there is no field `{name}` here"),
            };
            let help = suggestion(&hop.value.to_string(), known, "its fields")
                .or("end the expression before this");
            Box::new(Diagnostic::error(Code::UnknownOutput, hop.span, message).hint(help))
        })?;
    }
    Ok(ty)
}

fn input_schema(kind: InputType, nullable: bool) -> Value {
    let name = match kind {
        InputType::String | InputType::Duration => "string",
        InputType::Integer => "integer",
        InputType::Boolean => "boolean",
        InputType::List => "array",
    };
    let types = if nullable { json!([name, "null"]) } else { json!(name) };
    match kind {
        InputType::List => json!({ "type": types, "items": { "type": "string" } }),
        _ => json!({ "type": types }),
    }
}

/// A scope that answers what an expression gives, and stays silent about what was reported already.
pub(super) struct Typing<'s, 'a> {
    pub(super) scope: &'s Scope<'a>,
    pub(super) lists: &'s BTreeSet<&'s str>,
}

impl<'s> TypeOf<'s> for Typing<'s, '_> {
    fn type_of(&self, expr: &Expr) -> Ty<'s> {
        self.scope.lookup(expr, Site::Args, self.lists).unwrap_or(Ty::ANY)
    }
}
