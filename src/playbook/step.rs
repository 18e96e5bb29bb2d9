//! The entries of `steps`.

use std::collections::{BTreeSet, HashMap};

use super::arg::{Arg, ArgValue, interpolate};
use super::diagnostic::{Code, Diagnostic, Diagnostics, closest};
use super::fields::{Fields, check_name};
use super::lower::lower_timeout;
use super::model::{Item, ParallelNode, StepNode};
use super::source::{Located, Source, Span};
use super::tree::{Key, Node, Value};

/// What a step may say beside its kind.
pub(crate) const STEP_KEYS: &[&str] =
    &["id", "description", "timeout", "for_each", "max_parallel", "accept_no_way_back", "keep"];
/// How other tools name a step's kind, and its arguments.
const FOREIGN_KINDS: &[&str] = &["type", "kind", "uses", "action"];
const FOREIGN_ARGS: &[&str] = &["with", "args", "params", "parameters"];
const PARALLEL_KEYS: &[&str] = &["parallel", "description", "max_parallel"];
/// How many lanes run at once if a playbook does not say.
pub(crate) const DEFAULT_PARALLEL: u32 = 4;
pub(crate) const MAX_PARALLEL: u32 = 10;

struct Lowering<'a> {
    source: &'a Source,
    bare_kinds: &'a BTreeSet<&'a str>,
    problems: &'a mut Diagnostics,
    ids: HashMap<String, Span>,
}

pub(super) fn lower_items(
    node: &Node,
    source: &Source,
    bare_kinds: &BTreeSet<&str>,
    problems: &mut Diagnostics,
) -> Vec<Item> {
    let Some(entries) = list(node, "`steps`", problems) else { return Vec::new() };
    let mut lowering = Lowering { source, bare_kinds, problems, ids: HashMap::new() };
    entries.iter().filter_map(|entry| lowering.item(entry)).collect()
}

fn list<'a>(node: &'a Node, what: &str, problems: &mut Diagnostics) -> Option<&'a [Node]> {
    let problem = match &node.value {
        Value::Seq(entries) if !entries.is_empty() => return Some(entries),
        Value::Seq(_) | Value::Null => format!("{what} has no step"),
        _ => format!("{what} must be a list of steps, and this is {}", node.describe()),
    };
    problems.push(
        Diagnostic::error(Code::WrongType, node.span, problem)
            .help("each step starts with `- id: …` on a line of its own"),
    );
    None
}

impl Lowering<'_> {
    fn item(&mut self, node: &Node) -> Option<Item> {
        let fields = Fields::of(node, "a step".to_owned(), self.problems)?;
        if let Some(steps) = fields.get("parallel") {
            return self.parallel(&fields, steps).map(Item::Parallel);
        }
        self.step(node, false).map(|step| Item::Step(Box::new(step)))
    }

    fn parallel(&mut self, fields: &Fields<'_>, steps: &Node) -> Option<ParallelNode> {
        for (key, _) in fields.entries() {
            if PARALLEL_KEYS.contains(&key.name.as_str()) {
                continue;
            }
            let problem = Diagnostic::error(
                Code::UnknownKey,
                key.span,
                format!("`parallel` has no key `{}`", key.name),
            );
            self.problems.push(problem.help("it belongs to the steps inside"));
        }
        fields.text("description", self.problems);
        let entries = list(steps, "`parallel`", self.problems)?;
        let steps = entries.iter().filter_map(|entry| self.step(entry, true)).collect();
        let max_parallel = self.max_parallel(fields);
        Some(ParallelNode { span: fields.span(), max_parallel, steps })
    }

    fn step(&mut self, node: &Node, in_parallel: bool) -> Option<StepNode> {
        let mut fields = Fields::of(node, "a step".to_owned(), self.problems)?;
        if let Some((key, _)) = fields.entry("parallel") {
            let message = "`parallel` cannot stand inside `parallel`";
            self.problems.push(
                Diagnostic::error(Code::Nesting, key.span, message)
                    .help("put its steps beside the others, or after this `parallel`"),
            );
            return None;
        }
        let id = fields.required_text("id", self.problems);
        if let Some(id) = &id {
            fields.name_it(format!("step `{}`", id.value));
            self.claim(id);
        }
        if let (true, Some((key, _))) = (in_parallel, fields.entry("for_each")) {
            self.problems.push(
                Diagnostic::error(
                    Code::Nesting,
                    key.span,
                    "`for_each` cannot stand inside `parallel`",
                )
                .help(
                    "a `for_each` step already runs its items side by side; give it its own place",
                ),
            );
        }
        let description = fields.text("description", self.problems).map(|text| text.value);
        let timeout =
            fields.get("timeout").and_then(|node| lower_timeout(node, self.source, self.problems));
        let for_each = fields.get("for_each").and_then(|node| self.for_each(node));
        let max_parallel = self.max_parallel(&fields);
        if let (Some((key, _)), None) = (fields.entry("max_parallel"), fields.get("for_each")) {
            let message = "`max_parallel` is for `for_each` and `parallel`";
            let problem = Diagnostic::error(Code::UnknownKey, key.span, message);
            self.problems.push(problem.help("remove it, or add `for_each`"));
        }
        let accept_no_way_back =
            self.flag("accept_no_way_back", "if there may be no way back", &fields);
        let keep = self.flag("keep", "if a rollback is to leave what the step has made", &fields);
        let head = fields.entries().first().map_or(fields.span(), |(key, _)| key.span);
        // A step without one kind has been reported; its id stays known to the steps after it.
        let (kind, args) = match self.kind(&fields) {
            Some((key, args)) => (Located::new(key.name.clone(), key.span), self.args(args)),
            None => {
                let none = Arg { span: head, value: ArgValue::Map(Vec::new()) };
                (Located::new(String::new(), head), none)
            }
        };
        Some(StepNode {
            span: fields.span(),
            // A step without an id has been reported; nothing can refer to it.
            id: id.unwrap_or_else(|| Located::new(String::new(), head)),
            kind,
            args,
            description,
            timeout,
            for_each,
            max_parallel,
            accept_no_way_back,
            keep,
        })
    }

    fn claim(&mut self, id: &Located<String>) {
        check_name(id, '_', "a step's id", self.problems);
        if let Some(first) = self.ids.get(&id.value) {
            self.problems.push(
                Diagnostic::error(
                    Code::DuplicateId,
                    id.span,
                    format!("two steps have the id `{}`", id.value),
                )
                .label("second time")
                .related(*first, "first time")
                .help("give each step an id of its own"),
            );
            return;
        }
        self.ids.insert(id.value.clone(), id.span);
    }

    /// The one key that says what the step does.
    fn kind<'n>(&mut self, fields: &Fields<'n>) -> Option<&'n (Key, Node)> {
        if self.foreign(fields) {
            return None;
        }
        let mut kinds = Vec::new();
        for entry in fields.entries() {
            let name = entry.0.name.as_str();
            if STEP_KEYS.contains(&name) {
                continue;
            }
            if name.contains('.') || self.bare_kinds.contains(name) {
                kinds.push(entry);
                continue;
            }
            let bare = self.bare_kinds.iter().copied();
            let known: Vec<&str> = STEP_KEYS.iter().copied().chain(bare).collect();
            if closest(name, known.iter().copied()).is_some() {
                fields.unknown(&entry.0, &known, self.problems);
            } else {
                let problem = Diagnostic::error(
                    Code::UnknownKey,
                    entry.0.span,
                    format!("{} has no key `{name}`", fields.what()),
                );
                self.problems
                    .push(problem.help("arguments go under the step kind, one level deeper"));
            }
        }
        match kinds.as_slice() {
            [one] => Some(one),
            [] => {
                let head = fields.entries().first().map_or(fields.span(), |(key, _)| key.span);
                self.problems.push(
                    Diagnostic::error(
                        Code::NoKind,
                        head,
                        format!("{} does not say what to do", fields.what()),
                    )
                    .help("add a step kind as a key; `orchestrate steps` lists them"),
                );
                None
            }
            [first, second, ..] => {
                self.problems.push(
                    Diagnostic::error(
                        Code::SeveralKinds,
                        second.0.span,
                        format!("{} says two things to do", fields.what()),
                    )
                    .related(first.0.span, "the first")
                    .help("a step does one thing; make two steps"),
                );
                None
            }
        }
    }

    /// Whether the step has the shape of other tools: `type: pause` and `with: …`. Reports that as one problem.
    fn foreign(&mut self, fields: &Fields<'_>) -> bool {
        let is_kind = |name: &str| name.contains('.') || self.bare_kinds.contains(name);
        if fields.entries().iter().any(|(key, _)| is_kind(&key.name)) {
            return false;
        }
        let named = FOREIGN_KINDS.iter().find_map(|name| fields.entry(name));
        let Some((key, Node { value: Value::Str(kind), .. })) = named else { return false };
        let args = FOREIGN_ARGS.iter().find(|name| fields.get(name).is_some());
        let instead = match args {
            Some(args) => format!("`{}: {kind}` and `{args}:`", key.name),
            None => format!("`{}: {kind}`", key.name),
        };
        let problem = Diagnostic::error(
            Code::NoKind,
            key.span,
            format!("{} does not say what to do: the kind is the key itself", fields.what()),
        );
        self.problems
            .push(problem.help(format!(
                "write `{kind}:` with its arguments under it, instead of {instead}"
            )));
        true
    }

    /// A kind without arguments may be written `approve:` with nothing after it.
    fn args(&mut self, node: &Node) -> Arg {
        let arg = interpolate(node, self.source, self.problems);
        match arg.value {
            ArgValue::Null => Arg { span: arg.span, value: ArgValue::Map(Vec::new()) },
            _ => arg,
        }
    }

    fn for_each(&mut self, node: &Node) -> Option<Arg> {
        let arg = interpolate(node, self.source, self.problems);
        if matches!(arg.value, ArgValue::Seq(_) | ArgValue::Expr(_)) {
            return Some(arg);
        }
        self.problems.push(
            Diagnostic::error(
                Code::WrongType,
                node.span,
                format!("`for_each` must be a list, and this is {}", node.describe()),
            )
            .help("write `[a, b]`, or an expression that gives a list: \"${{ inputs.names }}\""),
        );
        None
    }

    fn max_parallel(&mut self, fields: &Fields<'_>) -> u32 {
        let Some(node) = fields.get("max_parallel") else { return DEFAULT_PARALLEL };
        if let Value::Int(number) = node.value
            && let Ok(number @ 1..=MAX_PARALLEL) = u32::try_from(number)
        {
            return number;
        }
        let message = format!("`max_parallel` must be a whole number from 1 to {MAX_PARALLEL}");
        self.problems.push(
            Diagnostic::error(Code::InvalidValue, node.span, message)
                .help(format!("leave it out for {DEFAULT_PARALLEL} at once")),
        );
        DEFAULT_PARALLEL
    }

    /// A key that is `true` or `false`; `when` says what the former is for.
    fn flag(&mut self, name: &str, when: &str, fields: &Fields<'_>) -> Option<Located<bool>> {
        let (key, node) = fields.entry(name)?;
        if let Value::Bool(flag) = node.value {
            return Some(Located::new(flag, key.span));
        }
        let help = match &node.value {
            Value::Str(text) if matches!(text.to_lowercase().as_str(), "yes" | "on" | "true") => {
                "write `true`, without quotes".to_owned()
            }
            _ => format!("write `true` {when}, or leave it out"),
        };
        self.problems.push(
            Diagnostic::error(
                Code::WrongType,
                node.span,
                format!("`{name}` must be written out as `true` or `false`"),
            )
            .help(help),
        );
        None
    }
}
