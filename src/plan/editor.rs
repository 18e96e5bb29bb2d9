//! What an editor shows of a schema beyond what it allows: words in Markdown, examples, and steps to fill in.
//!
//! `markdownDescription`, `markdownEnumDescriptions` and `defaultSnippets` are keywords of yaml-language-server and of
//! VS Code's JSON service; other checkers pass over keywords they do not know.

use serde_json::{Map, Value, json};

use super::catalog::KindInfo;
use crate::playbook::{Diagnostics, Node, Source, Value as Yaml, parse_yaml};

/// Gives every description that holds Markdown as such, too: a plain one is shown with its marks. Takes away defaults of
/// null: they help nobody who writes, and yaml-language-server 1.25 ends the completion of a whole step at one
/// (`toYamlStringScalar(null)` in its yamlCompletion.js).
pub(super) fn describe(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            let text = map.get("description").and_then(Value::as_str).unwrap_or_default();
            if text.contains(['`', '*', '\n', '[', '<', '_'])
                && !map.contains_key("markdownDescription")
            {
                map.insert("markdownDescription".to_owned(), Value::from(text));
            }
            if map.get("default") == Some(&Value::Null) {
                map.remove("default");
            }
            // Elsewhere a `description` is a value, not a schema's.
            let data = ["default", "examples", "const", "enum", "defaultSnippets"];
            map.iter_mut()
                .filter(|(key, _)| !data.contains(&key.as_str()))
                .for_each(|(_, inner)| describe(inner));
        }
        Value::Array(items) => items.iter_mut().for_each(describe),
        _ => {}
    }
}

/// Makes one list of a choice among words: editors complete the words of an `enum`, and say what each is.
pub(super) fn list_words(schema: &mut Map<String, Value>) {
    let Some(Value::Array(branches)) = schema.get("oneOf") else { return };
    let mut words = Vec::new();
    let mut about = Vec::new();
    for branch in branches {
        let found = match (branch.get("const"), branch.get("enum")) {
            (Some(word @ Value::String(_)), _) => vec![word.clone()],
            (None, Some(Value::Array(words))) => words.clone(),
            _ => return,
        };
        let text = branch.get("description").cloned().unwrap_or_else(|| Value::from(""));
        about.extend(found.iter().map(|_| text.clone()));
        words.extend(found);
    }
    schema.remove("oneOf");
    schema.insert("enum".to_owned(), Value::Array(words));
    schema.insert("markdownEnumDescriptions".to_owned(), Value::Array(about));
}

/// Adds to each argument of a kind the value it has in the kind's documentation.
pub(super) fn exemplify(schema: &mut Map<String, Value>, kind: &KindInfo) {
    let Some((_, Value::Object(args))) = example(kind) else { return };
    let Some(Value::Object(properties)) = schema.get_mut("properties") else { return };
    for (name, value) in args {
        if let Some(Value::Object(property)) = properties.get_mut(&name) {
            property.entry("examples").or_insert_with(|| json!([value]));
        }
    }
}

/// A step of this kind to fill in: the arguments that it must have, with the values of its documentation.
pub(super) fn snippet(kind: &KindInfo) -> Option<Value> {
    let (id, args) = example(kind)?;
    let required = kind.spec_schema.get("required").and_then(Value::as_array);
    let required: Vec<&str> = required.into_iter().flatten().filter_map(Value::as_str).collect();
    let args = args.as_object().cloned().unwrap_or_default();
    let kept = args
        .into_iter()
        .filter(|(name, _)| required.is_empty() || required.contains(&name.as_str()));
    let mut stop = 1;
    let id = placeholder(&id, &mut stop);
    let body: Map<String, Value> =
        kept.map(|(name, value)| (name, fill_in(value, &mut stop))).collect();
    Some(json!({
        "label": kind.name,
        "description": kind.summary,
        "markdownDescription": kind.docs,
        "body": { "id": id, kind.name: body },
    }))
}

/// The step that a kind's documentation shows: its id and its arguments.
fn example(kind: &KindInfo) -> Option<(String, Value)> {
    let text = kind.docs.split("```yaml\n").nth(1)?.split("```").next()?;
    let source = Source::new(kind.name, text);
    let root = parse_yaml(&source, &mut Diagnostics::new(source.clone()))?;
    let Yaml::Seq(steps) = &root.value else { return None };
    steps.iter().find_map(|step| {
        let args = step.get(kind.name)?;
        let id = match &step.get("id")?.value {
            Yaml::Str(id) => id.clone(),
            _ => return None,
        };
        Some((id, plain(args)))
    })
}

fn plain(node: &Node) -> Value {
    match &node.value {
        Yaml::Null => Value::Null,
        Yaml::Bool(flag) => Value::from(*flag),
        Yaml::Int(number) => Value::from(*number),
        Yaml::Float(number) => Value::from(*number),
        Yaml::Str(text) => Value::from(text.as_str()),
        Yaml::Seq(items) => items.iter().map(plain).collect(),
        Yaml::Map(entries) => {
            entries.iter().map(|(key, node)| (key.name.clone(), plain(node))).collect()
        }
    }
}

/// A value with a stop of the cursor at each scalar.
fn fill_in(value: Value, stop: &mut usize) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(|item| fill_in(item, stop)).collect(),
        Value::Object(map) => {
            map.into_iter().map(|(key, value)| (key, fill_in(value, stop))).collect()
        }
        Value::String(text) => Value::from(placeholder(&quoted(&text), stop)),
        other => Value::from(placeholder(&other.to_string(), stop)),
    }
}

/// A snippet is inserted as it stands: what YAML would read as something else than text is quoted here.
fn quoted(text: &str) -> String {
    let begins = |c: char| c.is_ascii_alphabetic() || c == '/';
    let bare = text.starts_with(begins)
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-:".contains(c))
        && !text.ends_with(':')
        && !matches!(text, "true" | "false" | "null");
    if bare { text.to_owned() } else { Value::from(text).to_string() }
}

fn placeholder(text: &str, stop: &mut usize) -> String {
    let escaped = text.replace('\\', "\\\\").replace('$', "\\$").replace('}', "\\}");
    let number = *stop;
    *stop += 1;
    format!("${{{number}:{escaped}}}")
}
