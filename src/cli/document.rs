//! A kind's documentation as text, from its types. `docs/steps.md` and `orchestrate steps <kind>` are made of it.

use serde_json::Value;

use crate::plan::{Effect, UndoPolicy};
use crate::report::duration;
use crate::steps::About;

/// Markdown: what the kind does, its arguments, outputs, undo and permissions.
#[must_use]
pub(crate) fn document(about: &About) -> String {
    let info = &about.info;
    let mut out = format!("## `{}`\n\n{}\n", info.name, info.docs.trim());
    out += &format!(
        "\nUsually takes about {}; gives up after {} unless `timeout` says otherwise.\n",
        duration(about.expected),
        duration(about.timeout)
    );
    out += &format!("\nUndo: {}\n", undo(&info.effect));
    out += "\n### Arguments\n\n";
    out += &properties(&info.spec_schema, true);
    out += "\n### Outputs\n\n";
    out += &properties(&info.output_schema, false);
    if !about.permissions.actions.is_empty() {
        out += "\n### Permissions\n\n";
        for action in about.permissions.actions {
            out += &format!("- `{}` on `{}`", action.name, action.resource);
            out += &format!(" ({})", action.phases);
            if let Some(path) = action.when {
                out += &format!("; only with `{path}`");
            }
            if let Some(path) = action.unless {
                out += &format!("; not with `{path}`");
            }
            out += "\n";
        }
    }
    out
}

fn undo(effect: &Effect) -> String {
    match effect {
        Effect::ReadOnly => "nothing to undo; it changes nothing.".to_owned(),
        Effect::Mutates(UndoPolicy::Undo) => "a rollback undoes it.".to_owned(),
        Effect::Mutates(UndoPolicy::Pivot) => {
            "the applications move with it. A rollback on its own stops here; `orchestrate rollback --past-pivot` puts the old endpoint back."
                .to_owned()
        }
        Effect::Mutates(UndoPolicy::None(reason)) => format!("none: {reason}."),
        Effect::Mutates(UndoPolicy::Manual(text)) => format!("by hand: {text}."),
    }
}

fn properties(schema: &Value, with_required: bool) -> String {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return "None.\n".to_owned();
    };
    if properties.is_empty() {
        return "None.\n".to_owned();
    }
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .map(|names| names.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let mut out = String::new();
    for (name, property) in properties {
        let text = property.get("description").and_then(Value::as_str).unwrap_or_default();
        let text = text.replace('\n', " ");
        let mut marks = vec![type_of(property)];
        if with_required && required.contains(&name.as_str()) {
            marks.push("required".to_owned());
        }
        if let Some(default) = property.get("default").filter(|d| !d.is_null()) {
            marks.push(format!("default `{default}`"));
        }
        out += &format!("- `{name}` ({}): {text}\n", marks.join(", "));
    }
    out
}

fn type_of(property: &Value) -> String {
    match property.get("type") {
        Some(Value::String(one)) if one == "array" => {
            let items = property.get("items").map_or_else(|| "values".to_owned(), type_of);
            format!("list of {items}")
        }
        Some(Value::String(one)) => one.clone(),
        Some(Value::Array(many)) => many
            .iter()
            .filter_map(Value::as_str)
            .filter(|one| *one != "null")
            .collect::<Vec<_>>()
            .join(" or "),
        _ => "object".to_owned(),
    }
}
