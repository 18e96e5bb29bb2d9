//! The inputs a person gave, against those the playbook declares.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::playbook::{
    Code, Diagnostic, Diagnostics, InputDecl, Node, Playbook, Source, Span, Value as Yaml,
    parse_yaml, suggestion,
};

/// Inputs as given: `name=value` arguments, and a file that is one mapping of names to values.
/// An argument wins over the file.
#[derive(Clone, Debug, Default)]
pub struct GivenInputs {
    /// Each as written after `--input`: `name=value`.
    pub arguments: Vec<String>,
    /// The file of `--inputs`.
    pub file: Option<Source>,
    /// Outputs of an earlier run. They fill inputs that are given neither way, before any default; names that the
    /// playbook does not declare are passed over.
    pub earlier: Map<String, Value>,
}

/// One given value and where it came from.
struct Given {
    source: Source,
    /// The name as written.
    name: Span,
    /// The whole value.
    value: Span,
    content: Content,
}

enum Content {
    Text(String),
    Node(Node),
}

/// What was given and could not be read. It has been reported; what it held is not missing, too.
#[derive(Default)]
struct Unread {
    file: bool,
    arguments: Vec<String>,
}

impl Unread {
    /// Whether the input `name` may be in it. An argument that begins with the name of an input is that one's.
    fn may_hold(&self, name: &str, playbook: &Playbook) -> bool {
        let begins = |argument: &str, name: &str| {
            argument
                .strip_prefix(name)
                .is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
        };
        let nobodys =
            |argument: &str| !playbook.inputs.iter().any(|decl| begins(argument, &decl.name.value));
        self.file || self.arguments.iter().any(|text| begins(text, name) || nobodys(text))
    }
}

/// Gives a value to every declared input. Reports every input that is missing, wrong or unknown.
pub(super) fn resolve(
    playbook: &Playbook,
    given: &GivenInputs,
    problems: &mut Diagnostics,
) -> Map<String, Value> {
    let mut found = BTreeMap::new();
    let mut unread = Unread::default();
    if let Some(file) = &given.file {
        read_file(file, &mut found, &mut unread, problems);
    }
    read_arguments(&given.arguments, &mut found, &mut unread, problems);
    let mut values = Map::new();
    for decl in &playbook.inputs {
        let name = decl.name.value.as_str();
        match (found.remove(name), given.earlier.get(name).or(decl.default.as_ref())) {
            (Some(given), _) => {
                if let Some(value) = take(decl, &given, problems) {
                    values.insert(name.to_owned(), value);
                }
            }
            (None, Some(default)) => {
                values.insert(name.to_owned(), default.clone());
            }
            (None, None) if unread.may_hold(name, playbook) => {}
            (None, None) => problems.push(missing(decl)),
        }
    }
    for (name, given) in found {
        let declared = playbook.inputs.iter().map(|decl| decl.name.value.as_str());
        let message = format!("playbook `{}` has no input `{name}`", playbook.name.value);
        let help = match playbook.inputs.is_empty() {
            true => "it takes no inputs".into(),
            false => suggestion(&name, declared, "its inputs"),
        };
        problems.push(
            Diagnostic::error(Code::UndeclaredInput, given.name, message)
                .hint(help)
                .within(&given.source),
        );
    }
    values
}

fn read_file(
    file: &Source,
    found: &mut BTreeMap<String, Given>,
    unread: &mut Unread,
    problems: &mut Diagnostics,
) {
    let mut own = Diagnostics::new(file.clone());
    let node = parse_yaml(file, &mut own);
    for problem in own.items() {
        problems.push(problem.clone().within(file));
    }
    match node {
        Some(Node { value: Yaml::Map(entries), .. }) => {
            for (key, node) in entries {
                let (name, value) = (key.span, node.span);
                let content = Content::Node(node);
                found.insert(key.name, Given { source: file.clone(), name, value, content });
            }
        }
        Some(node) => {
            unread.file = true;
            problems.push(
                Diagnostic::error(
                    Code::BadInput,
                    node.span,
                    format!("an inputs file must be a mapping, and this is {}", node.describe()),
                )
                .help("one `name: value` on each line")
                .within(file),
            );
        }
        None => unread.file = true,
    }
}

fn read_arguments(
    arguments: &[String],
    found: &mut BTreeMap<String, Given>,
    unread: &mut Unread,
    problems: &mut Diagnostics,
) {
    let mut first: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, argument) in arguments.iter().enumerate() {
        let source = Source::new("--input", argument.as_str());
        let whole = Span::new(0, argument.len());
        let Some((name, text)) = argument.split_once('=') else {
            let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let text = argument.trim();
            let (name, rest) = text.split_at(text.find(|c| !word(c)).unwrap_or(text.len()));
            let value = rest.trim_start_matches([':', ' ']);
            let help = match (name, value) {
                ("", _) => "write it like `source=prod`".to_owned(),
                (name, "") => format!("write `{name}=…`, with the value after the `=`"),
                (name, value) => format!("write `{name}={value}`"),
            };
            problems.push(
                Diagnostic::error(Code::BadInput, whole, "an input is given as `name=value`")
                    .help(help)
                    .within(&source),
            );
            unread.arguments.push(argument.trim().to_owned());
            continue;
        };
        if first.insert(name, index).is_some() {
            problems.push(
                Diagnostic::error(
                    Code::BadInput,
                    Span::new(0, name.len()),
                    format!("input `{name}` is given twice"),
                )
                .help("a list is given in one argument, its items separated by commas")
                .within(&source),
            );
            continue;
        }
        let given = Given {
            name: Span::new(0, name.len()),
            value: Span::new(name.len() + 1, argument.len()),
            content: Content::Text(text.to_owned()),
            source,
        };
        found.insert(name.to_owned(), given);
    }
}

fn take(decl: &InputDecl, given: &Given, problems: &mut Diagnostics) -> Option<Value> {
    let name = &decl.name.value;
    let value = match &given.content {
        Content::Text(text) => decl.kind.read(text),
        Content::Node(node) if node.value == Yaml::Null && decl.default == Some(Value::Null) => {
            Ok(Value::Null)
        }
        Content::Node(node) => decl.kind.take(node),
    };
    let value = value.and_then(|value| decl.permits(&value).map(|()| value));
    let problem = match value {
        Ok(value) => return Some(value),
        Err(problem) => problem,
    };
    let message = format!("input `{name}`: {problem}");
    problems.push(
        Diagnostic::error(Code::BadInput, given.value, message)
            .help(format!("`{name}`: {}", decl.description))
            .within(&given.source),
    );
    None
}

fn missing(decl: &InputDecl) -> Diagnostic {
    let name = &decl.name.value;
    let example = match &decl.example {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) => {
            items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")
        }
        Some(other) => other.to_string(),
        None => "…".to_owned(),
    };
    let about = decl.description.lines().next().unwrap_or_default();
    Diagnostic::error(Code::MissingInput, decl.name.span, format!("input `{name}` was not given"))
        .label(about)
        .help(format!("give it with `--input {name}={example}`, or in a file with `--inputs`"))
}
