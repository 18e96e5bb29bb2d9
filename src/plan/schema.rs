//! The JSON Schema of playbooks, for editors.

use serde_json::{Map, Value, json};

use super::catalog::{Catalog, KindInfo};
use super::editor::{describe, exemplify, list_words, snippet};
use super::schema_schedule::schedule;
use crate::playbook::{DEFAULT_PARALLEL, InputType, MAX_PARALLEL};

const EXPRESSION: &str = "#/$defs/expression";

/// The schema of playbooks (draft 2020-12), for yaml-language-server and other checkers. It knows every
/// kind's arguments and their documentation; references, durations and the rules of a kind only the program checks.
pub fn playbook_schema(catalog: &Catalog) -> Value {
    let mut defs = Map::new();
    defs.insert(
        "expression".to_owned(),
        json!({
            "type": "string",
            "pattern": r"\$\{\{.*\}\}",
            "description": "An expression: `${{ inputs.<name> }}`, `${{ steps.<id>.<output> }}`, `${{ run.id }}`, \
                            `${{ run.started }}`, `${{ item }}`, or a call of `join`, `lower`, `date`, `tag` or `default`.",
        }),
    );
    let mut kinds = Map::new();
    for kind in catalog.kinds.values() {
        kinds.insert(kind.name.to_owned(), kind_schema(kind, &mut defs));
    }
    let snippets: Vec<Value> = catalog.kinds.values().filter_map(snippet).collect();
    defs.insert("duration".to_owned(), duration());
    defs.insert("input".to_owned(), input());
    defs.insert("step".to_owned(), step(kinds, snippets));
    defs.insert("parallel".to_owned(), parallel());
    if let Some(guard) = &catalog.guard {
        let guard = kind_schema(guard, &mut defs);
        defs.insert("guard".to_owned(), guard);
    }
    let guards = match &catalog.guard {
        Some(_) => json!({ "$ref": "#/$defs/guard" }),
        None => json!({ "type": "object" }),
    };
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "orchestrate playbook",
        "type": "object",
        "required": ["playbook", "name", "steps"],
        "additionalProperties": false,
        "properties": {
            "playbook": { "const": "v1", "description": "The version of the playbook language." },
            "name": {
                "type": "string",
                "pattern": "^[a-z][a-z0-9-]{0,39}$",
                "description": "The playbook's name; names of created resources may start with it.",
                "examples": ["move-sessions"],
            },
            "description": { "type": "string", "description": "What it does, for people." },
            "guard": {
                "type": "object",
                "additionalProperties": false,
                "minProperties": 1,
                "description": "Where the playbook may run; anywhere else it refuses.",
                "properties": {
                    "account": {
                        "type": "string",
                        "pattern": r"^[0-9]{12}$|\$\{\{.*\}\}",
                        "description": "The AWS account id: 12 digits, quoted.",
                        "examples": ["123456789012"],
                    },
                    "region": {
                        "type": "string",
                        "description": "The AWS region.",
                        "examples": ["us-east-1"],
                    },
                },
            },
            "inputs": {
                "type": "object",
                "description": "What must or may be given when the playbook is run.",
                "propertyNames": { "pattern": "^[a-z][a-z0-9_]{0,39}$" },
                "additionalProperties": { "$ref": "#/$defs/input" },
            },
            "timeout": { "$ref": "#/$defs/duration", "description": "How long the run may take." },
            "schedule": schedule(),
            "guards": {
                "type": "array",
                "description": "CloudWatch alarms and metrics that are watched while the run is on.",
                "items": guards,
            },
            "steps": {
                "type": "array",
                "minItems": 1,
                "description": "What is done, in this order.",
                "items": {
                    "if": { "type": "object", "required": ["parallel"] },
                    "then": { "$ref": "#/$defs/parallel" },
                    "else": { "$ref": "#/$defs/step" },
                },
            },
            "outputs": {
                "type": "object",
                "description": "What the run leaves: shown at its end, and taken by `--inputs-from`.",
                "propertyNames": { "pattern": "^[a-z][a-z0-9_]{0,39}$" },
                "additionalProperties": { "description": "A value, or an expression over inputs and outputs of steps." },
            },
        },
        "$defs": defs,
        "defaultSnippets": [{
            "label": "playbook",
            "description": "A new playbook",
            "body": { "playbook": "v1", "name": "${1:my-playbook}", "steps": [{ "id": "${2:wait}", "${3:pause}": { "${4:for}": "${5:10s}" } }] },
        }],
    });
    describe(&mut schema);
    schema
}

fn duration() -> Value {
    json!({
        "type": "string",
        "description": "A duration: 90s, 15m, 3h, 1h 30m, 2d (a day is 24 hours).",
        "examples": ["15m", "3h"],
    })
}

fn input() -> Value {
    // What a default, an example and an allowed value are, by the type.
    let of_type = |kind: InputType| {
        let one = match kind {
            InputType::String => json!({ "type": "string" }),
            InputType::Integer => json!({ "type": "integer" }),
            InputType::Boolean => json!({ "type": "boolean" }),
            InputType::Duration => json!({ "type": ["string", "integer"] }),
            InputType::List => json!({ "type": "array", "items": { "type": "string" } }),
        };
        let allowed =
            if kind == InputType::List { json!({ "type": "string" }) } else { one.clone() };
        json!({
            "if": { "properties": { "type": { "const": kind.name() } }, "required": ["type"] },
            "then": { "properties": {
                "default": { "anyOf": [one, { "type": "null" }] },
                "example": one,
                "enum": { "items": allowed },
            } },
        })
    };
    let about = InputType::ALL.map(|kind| match kind {
        InputType::String => "Any text.",
        InputType::Integer => "A whole number.",
        InputType::Boolean => "`true` or `false`.",
        InputType::Duration => "A time such as `90m`.",
        InputType::List => "A list of texts.",
    });
    json!({
        "title": "input",
        "type": "object",
        "required": ["type", "description"],
        "additionalProperties": false,
        "properties": {
            "type": {
                "enum": InputType::ALL.map(InputType::name),
                "markdownEnumDescriptions": about,
                "description": "What is taken.",
            },
            "description": {
                "type": "string",
                "description": "What it is. Shown to whoever has to give it.",
            },
            "default": {
                "description": "The value if none is given. Without a default the input is required; \
                                `null` means that it may be left out.",
            },
            "enum": {
                "type": "array",
                "minItems": 1,
                "description": "The only values allowed; of a list, its items.",
            },
            "example": { "description": "A value to show when it is missing." },
        },
        "allOf": InputType::ALL.map(of_type),
        "defaultSnippets": [{
            "label": "input",
            "description": "An input that must be given",
            "body": { "type": "${1|string,integer,boolean,duration,list|}", "description": "${2:What it is.}" },
        }],
    })
}

fn step(kinds: Map<String, Value>, snippets: Vec<Value>) -> Value {
    let one_of: Vec<Value> = kinds.keys().map(|kind| json!({ "required": [kind] })).collect();
    let mut properties = Map::new();
    for (key, schema) in [
        (
            "id",
            json!({
                "type": "string",
                "pattern": "^[a-z][a-z0-9_]{0,39}$",
                "description": "The step's id; later steps name its outputs as `${{ steps.<id>.<output> }}`.",
                "examples": ["snapshot"],
            }),
        ),
        ("description", json!({ "type": "string", "description": "What it is for, for people." })),
        (
            "timeout",
            json!({ "$ref": "#/$defs/duration", "description": "How long the step may take." }),
        ),
        (
            "for_each",
            json!({
                "anyOf": [{ "type": "array" }, { "$ref": EXPRESSION }],
                "description": "Runs the step once for each item, which is `${{ item }}`; its outputs \
                                become lists.",
                "examples": [["sessions", "carts"], "${{ inputs.groups }}"],
            }),
        ),
        ("max_parallel", max_parallel()),
        (
            "accept_no_way_back",
            json!({
                "type": "boolean",
                "description": "Lets a pivot go ahead though the way back could not be proved.",
            }),
        ),
        (
            "keep",
            json!({
                "type": "boolean",
                "description": "A rollback leaves what the step has made, once it has succeeded.",
            }),
        ),
    ] {
        properties.insert(key.to_owned(), schema);
    }
    properties.extend(kinds);
    json!({
        "title": "step",
        "type": "object",
        "required": ["id"],
        "additionalProperties": false,
        "properties": properties,
        "oneOf": one_of,
        "defaultSnippets": snippets,
    })
}

fn parallel() -> Value {
    json!({
        "title": "parallel",
        "type": "object",
        "required": ["parallel"],
        "additionalProperties": false,
        "properties": {
            "parallel": {
                "type": "array",
                "minItems": 1,
                "description": "Steps that run at the same time.",
                "items": { "$ref": "#/$defs/step" },
            },
            "description": { "type": "string", "description": "What it is for, for people." },
            "max_parallel": max_parallel(),
        },
    })
}

fn max_parallel() -> Value {
    json!({
        "type": "integer",
        "minimum": 1,
        "maximum": MAX_PARALLEL,
        "default": DEFAULT_PARALLEL,
        "description": "How many may run at once.",
    })
}

/// One kind's arguments; its definitions move to the shared ones under the kind's name.
fn kind_schema(kind: &KindInfo, defs: &mut Map<String, Value>) -> Value {
    let mut schema = kind.spec_schema.clone();
    adapt(&mut schema, kind.name);
    let Value::Object(map) = &mut schema else { return schema };
    map.remove("$schema");
    // Editors show the title of the nearest schema around as a heading.
    map.insert("title".to_owned(), Value::from(kind.name));
    if let Some(Value::Object(own)) = map.remove("$defs") {
        defs.extend(own.into_iter().map(|(name, def)| (format!("{}.{name}", kind.name), def)));
    }
    exemplify(map, kind);
    let nothing_required =
        map.get("required").and_then(Value::as_array).is_none_or(|list| list.is_empty());
    if nothing_required && map.get("type") == Some(&Value::from("object")) {
        map.insert("type".to_owned(), json!(["object", "null"]));
    }
    let docs = if kind.docs.is_empty() { &kind.summary } else { &kind.docs };
    map.insert("description".to_owned(), Value::from(docs.as_ref()));
    schema
}

/// Renames references, and lets an expression stand wherever a value may.
fn adapt(schema: &mut Value, kind: &str) {
    let Value::Object(map) = schema else { return };
    list_words(map);
    if let Some(Value::String(target)) = map.get_mut("$ref") {
        *target = target.replacen("#/$defs/", &format!("#/$defs/{kind}."), 1);
    }
    for keyword in ["anyOf", "oneOf", "allOf"] {
        if let Some(Value::Array(list)) = map.get_mut(keyword) {
            list.iter_mut().for_each(|branch| adapt(branch, kind));
        }
    }
    if let Some(Value::Object(defs)) = map.get_mut("$defs") {
        defs.values_mut().for_each(|def| adapt(def, kind));
    }
    if let Some(Value::Object(properties)) = map.get_mut("properties") {
        properties.values_mut().for_each(|property| adapt_leaf(property, kind));
    }
    for keyword in ["items", "additionalProperties"] {
        if let Some(inner @ Value::Object(_)) = map.get_mut(keyword) {
            adapt_leaf(inner, kind);
        }
    }
}

fn adapt_leaf(schema: &mut Value, kind: &str) {
    adapt(schema, kind);
    let Value::Object(map) = schema else { return };
    if takes_any_text(map) {
        return;
    }
    let mut outer = Map::new();
    for keyword in ["description", "default", "examples", "deprecated"] {
        if let Some(value) = map.remove(keyword) {
            outer.insert(keyword.to_owned(), value);
        }
    }
    let inner = std::mem::take(map);
    outer.insert("anyOf".to_owned(), json!([inner, { "$ref": EXPRESSION }]));
    *map = outer;
}

fn takes_any_text(map: &Map<String, Value>) -> bool {
    let text = match map.get("type") {
        Some(Value::String(name)) => name == "string",
        Some(Value::Array(names)) => names.iter().any(|name| name == "string"),
        _ => false,
    };
    let narrowed = ["enum", "const", "pattern", "format", "maxLength"];
    text && !narrowed.iter().any(|keyword| map.contains_key(*keyword))
}
