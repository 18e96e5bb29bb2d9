//! Tree to playbook: form only. What the step kinds take is checked by `plan`.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::arg::{Arg, ArgValue, interpolate};
use super::diagnostic::{Code, Diagnostic, Diagnostics, suggestion};
use super::duration::parse_timeout;
use super::fields::{Fields, check_name};
use super::input::{InputDecl, InputType};
use super::model::{GuardNode, Playbook};
use super::schedule::lower_schedule;
use super::source::{Located, Source, Span};
use super::step::lower_items;
use super::tree::{Key, Node, Value};
use super::yaml;

const KEYS: &[&str] = &[
    "playbook",
    "name",
    "description",
    "guard",
    "inputs",
    "timeout",
    "schedule",
    "guards",
    "steps",
    "outputs",
];
const INPUT_KEYS: &[&str] = &["type", "description", "default", "enum", "example"];

/// Reads a playbook's form. `bare_kinds` are the step kinds without a dot in their name.
///
/// Gives what could be understood, and all problems; `None` if there is no mapping to look at.
pub fn read(source: &Source, bare_kinds: &BTreeSet<&str>) -> (Option<Playbook>, Diagnostics) {
    let mut problems = Diagnostics::new(source.clone());
    let playbook = yaml::parse(source, &mut problems)
        .and_then(|node| lower(&node, source, bare_kinds, &mut problems));
    problems.sort();
    (playbook, problems)
}

fn lower(
    node: &Node,
    source: &Source,
    bare_kinds: &BTreeSet<&str>,
    problems: &mut Diagnostics,
) -> Option<Playbook> {
    let fields = Fields::of(node, "the playbook".to_owned(), problems)?;
    fields.only(KEYS, problems);
    lower_version(&fields, problems);
    let name = fields.required_text("name", problems);
    if let Some(name) = &name {
        check_name(name, '-', "a playbook's name", problems);
    }
    let inputs = lower_inputs(&fields, problems);
    let items = match fields.required("steps", problems) {
        Some(node) => lower_items(node, source, bare_kinds, problems),
        None => Vec::new(),
    };
    Some(Playbook {
        // A playbook without a name has been reported; the rest is still worth looking at.
        name: name.unwrap_or_else(|| Located::new(String::new(), fields.span())),
        description: fields.text("description", problems),
        guard: fields.get("guard").and_then(|node| lower_guard(node, source, problems)),
        inputs,
        timeout: fields.get("timeout").and_then(|node| lower_timeout(node, source, problems)),
        schedule: fields.get("schedule").and_then(|node| lower_schedule(node, source, problems)),
        guards: fields
            .get("guards")
            .map_or_else(Vec::new, |node| lower_guards(node, source, problems)),
        items,
        outputs: fields.get("outputs").and_then(|node| lower_outputs(node, source, problems)),
    })
}

fn lower_outputs(node: &Node, source: &Source, problems: &mut Diagnostics) -> Option<Arg> {
    let fields = Fields::of(node, "`outputs`".to_owned(), problems)?;
    for (key, _) in fields.entries() {
        check_name(&Located::new(key.name.clone(), key.span), '_', "an output's name", problems);
    }
    Some(interpolate(node, source, problems))
}

fn lower_version(fields: &Fields<'_>, problems: &mut Diagnostics) {
    let Some(node) = fields.required("playbook", problems) else { return };
    if node.value != Value::Str("v1".to_owned()) {
        problems.push(
            Diagnostic::error(
                Code::Version,
                node.span,
                "this version of the playbook language is not known",
            )
            .help("write `playbook: v1`"),
        );
    }
}

fn lower_guard(node: &Node, source: &Source, problems: &mut Diagnostics) -> Option<GuardNode> {
    let fields = Fields::of(node, "`guard`".to_owned(), problems)?;
    fields.only(&["account", "region"], problems);
    let account = fields.get("account").and_then(|node| lower_account(node, source, problems));
    let region = fields.get("region").and_then(|node| {
        let arg = interpolate(node, source, problems);
        if is_text(&arg) {
            return Some(arg);
        }
        let message = format!("`region` must be text, and this is {}", node.describe());
        problems.push(
            Diagnostic::error(Code::WrongType, node.span, message)
                .help("write it like `us-east-1`"),
        );
        None
    });
    if fields.entries().is_empty() {
        let message = "`guard` needs `account`, `region` or both";
        problems.push(
            Diagnostic::error(Code::MissingKey, node.span, message)
                .help("add one of them, or remove `guard`"),
        );
    }
    Some(GuardNode { span: node.span, account, region })
}

/// The form alone: what a guard takes is checked against its schema, like the arguments of a step.
fn lower_guards(node: &Node, source: &Source, problems: &mut Diagnostics) -> Vec<Arg> {
    let Value::Seq(items) = &node.value else {
        let message = format!("`guards` must be a list, and this is {}", node.describe());
        problems.push(
            Diagnostic::error(Code::WrongType, node.span, message)
                .help("write `- id: …` for each, and what it watches below"),
        );
        return Vec::new();
    };
    let guard = |item: &Node| {
        let fields = Fields::of(item, "a guard".to_owned(), problems)?;
        if let Some(id) = fields.required_text("id", problems) {
            check_name(&id, '_', "a guard's id", problems);
        }
        Some(interpolate(item, source, problems))
    };
    items.iter().filter_map(guard).collect()
}

fn lower_account(node: &Node, source: &Source, problems: &mut Diagnostics) -> Option<Arg> {
    let arg = interpolate(node, source, problems);
    let written = source.slice(node.span);
    match &arg.value {
        ArgValue::Str(text) if is_account(text) => return Some(arg),
        ArgValue::Expr(_) | ArgValue::Text(_) => return Some(arg),
        ArgValue::Int(_) if is_account(written) => {
            let problem = Diagnostic::error(
                Code::WrongType,
                node.span,
                "an account id must be quoted: YAML reads this one as a number and may lose its \
                 leading zeros",
            );
            problems.push(problem.help(format!("write \"{written}\"")));
        }
        ArgValue::Int(_) => problems.push(not_an_account(written, node.span)),
        ArgValue::Str(text) => problems.push(not_an_account(text, node.span)),
        _ => problems.push(
            Diagnostic::error(
                Code::WrongType,
                node.span,
                format!("`account` must be text, and this is {}", node.describe()),
            )
            .help("write the account's 12 digits in quotes"),
        ),
    }
    None
}

/// The refusal of a text that is no account id.
pub(crate) fn not_an_account(text: &str, span: Span) -> Diagnostic {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let message = format!("an account id is text of exactly 12 digits, and this is `{text}`");
    let help = match digits.len() {
        12 => format!("write \"{digits}\""),
        0 => "`aws sts get-caller-identity` shows the id of the account".to_owned(),
        count => format!(
            "it has {count} digits, and leading zeros count; `aws sts get-caller-identity` shows the whole id"
        ),
    };
    Diagnostic::error(Code::InvalidValue, span, message).help(help)
}

pub(crate) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

pub(super) fn is_text(arg: &Arg) -> bool {
    matches!(arg.value, ArgValue::Str(_) | ArgValue::Text(_) | ArgValue::Expr(_))
}

/// A timeout as text is checked here; an expression is looked at when its input is known.
pub(super) fn lower_timeout(
    node: &Node,
    source: &Source,
    problems: &mut Diagnostics,
) -> Option<Arg> {
    let arg = interpolate(node, source, problems);
    let problem = match &arg.value {
        ArgValue::Expr(_) => return Some(arg),
        ArgValue::Str(text) => match parse_timeout(text) {
            Ok(_) => return Some(arg),
            Err(problem) => problem,
        },
        ArgValue::Int(_) | ArgValue::Float(_) => {
            "the unit is missing; write `90s`, `15m` or `3h`".to_owned()
        }
        _ => "write it like `90s`, `15m`, `3h`".to_owned(),
    };
    let written = source.slice(node.span).lines().next().unwrap_or_default();
    problems.push(
        Diagnostic::error(Code::BadDuration, node.span, format!("`{written}` is not a timeout"))
            .help(problem),
    );
    None
}

fn lower_inputs(fields: &Fields<'_>, problems: &mut Diagnostics) -> Vec<InputDecl> {
    let Some(node) = fields.get("inputs") else { return Vec::new() };
    let Some(inputs) = Fields::of(node, "`inputs`".to_owned(), problems) else { return Vec::new() };
    let lower = |(key, node): &(Key, Node)| {
        let name = Located::new(key.name.clone(), key.span);
        check_name(&name, '_', "an input's name", problems);
        lower_input(name, node, problems)
    };
    inputs.entries().iter().filter_map(lower).collect()
}

/// An input whose type is unknown is still declared, as text: its uses are not each a problem.
fn lower_input(
    name: Located<String>,
    node: &Node,
    problems: &mut Diagnostics,
) -> Option<InputDecl> {
    let fields = Fields::of(node, format!("input `{}`", name.value), problems)?;
    fields.only(INPUT_KEYS, problems);
    let mut kind = InputType::String;
    if let Some(written) = fields.required_text("type", problems) {
        match InputType::of_name(&written.value) {
            Some(known) => kind = known,
            None => {
                let names = InputType::ALL.map(InputType::name);
                problems.push(
                    Diagnostic::error(
                        Code::InvalidValue,
                        written.span,
                        format!("there is no input type `{}`", written.value),
                    )
                    .hint(suggestion(&written.value, names, "types")),
                );
            }
        }
    }
    let description = fields.required_text("description", problems);
    let mut take = |key: &str, kind: InputType| {
        let node = fields.get(key)?;
        if key == "default" && node.value == Value::Null {
            return Some(Json::Null);
        }
        let problem = kind.take(node).map_err(|problem| {
            Diagnostic::error(Code::WrongType, node.span, format!("`{key}`: {problem}"))
                .help(format!("it has the type of the input: {kind}"))
        });
        problem.map_err(|problem| problems.push(problem)).ok()
    };
    let default = take("default", kind);
    let example = take("example", kind);
    let allowed = lower_allowed(&fields, kind, problems);
    let decl = InputDecl {
        name,
        kind,
        description: description.map(|text| text.value).unwrap_or_default(),
        default,
        allowed,
        example,
    };
    for (key, value) in [("default", &decl.default), ("example", &decl.example)] {
        if let (Some(value), Some(node)) = (value, fields.get(key))
            && let Err(problem) = decl.permits(value)
        {
            let message = format!("`{key}`: {problem}");
            problems.push(
                Diagnostic::error(Code::InvalidValue, node.span, message)
                    .help("write one of them, or add this one to `enum`"),
            );
        }
    }
    Some(decl)
}

fn lower_allowed(fields: &Fields<'_>, kind: InputType, problems: &mut Diagnostics) -> Vec<Json> {
    let Some(node) = fields.get("enum") else { return Vec::new() };
    let each = if kind == InputType::List { InputType::String } else { kind };
    let Value::Seq(items) = &node.value else {
        problems.push(
            Diagnostic::error(Code::WrongType, node.span, "`enum` must be a list")
                .help("write `enum: [a, b]`"),
        );
        return Vec::new();
    };
    if items.is_empty() {
        let message = "`enum` allows nothing at all";
        problems.push(
            Diagnostic::error(Code::InvalidValue, node.span, message)
                .help("list the allowed values, or remove `enum`"),
        );
    }
    let take = |item: &Node| match each.take(item) {
        Ok(value) => Some(value),
        Err(problem) => {
            problems.push(
                Diagnostic::error(Code::WrongType, item.span, problem)
                    .help(format!("each value that is allowed is {each}")),
            );
            None
        }
    };
    items.iter().filter_map(take).collect()
}
