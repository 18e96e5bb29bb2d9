//! docs/playbook.schema.json by a validator that nobody here wrote: Python's jsonschema.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::program::{Place, Said};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// What the validator says of each file, in the order given.
fn check(files: &[PathBuf]) -> Vec<(PathBuf, Vec<String>)> {
    let python = root().join("target/venv/bin/python");
    assert!(python.exists(), "tests/run installs what this test needs; run that");
    let said: Said = Command::new(&python)
        .arg(root().join("tests/foreign/check_schema.py"))
        .arg(root().join("docs/playbook.schema.json"))
        .args(files)
        .output()
        .expect("python starts")
        .into();
    said.ends_with(0);
    let all: Value = serde_json::from_str(&said.out).expect("JSON");
    let told = |path: &PathBuf| {
        let found = all[path.to_str().expect("UTF-8")].as_array().expect("a list");
        found.iter().map(|text| text.as_str().expect("text").to_owned()).collect()
    };
    files.iter().map(|path| (path.clone(), told(path))).collect()
}

fn yaml_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the folder");
    let files = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut files: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|e| e == "yaml")).collect();
    files.sort();
    files
}

/// The playbooks that a page shows.
fn shown(page: &str, place: &Place) -> Vec<PathBuf> {
    let text = std::fs::read_to_string(root().join(page)).expect("a page");
    let blocks = text.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let name = page.replace(['/', '.'], "-");
    blocks.enumerate().map(|(n, block)| place.write(&format!("{name}-{n}.yaml"), block)).collect()
}

#[test]
fn every_playbook_fits_the_schema_by_an_independent_validator() {
    let place = Place::new();
    let mut files = yaml_files(&root().join("playbooks"));
    files.extend(yaml_files(&root().join("tests/playbooks")));
    assert!(files.len() > 6, "the playbooks were not found");
    files.extend(shown("docs/playbook.md", &place));
    for (path, problems) in check(&files) {
        assert!(problems.is_empty(), "{}: {problems:#?}", path.display());
    }
}

/// Mistakes that a schema can see, made in a playbook that is right.
const MISTAKES: &[(&str, &str, &str)] = &[
    ("a key that is not known", "timeout: 90m", "timeuot: 90m"),
    ("a key of a kind that is not known", "replication_group:", "replication_groop:"),
    ("a key at the top that is not known", "name: x", "name: x\ncolour: red"),
    ("a kind that is not known", "elasticache.create_snapshot", "elasticache.create_snapshoot"),
    ("text where a number is due", "shards: 2", "shards: many"),
    ("a number where text is due", "node_type: db.r7g.large", "node_type: 7"),
    ("a word that is none of the choice", "engine: valkey", "engine: memcached"),
    ("no kind at all", "    pause: { for: 10s }\n", ""),
    (
        "two kinds in one step",
        "    pause: { for: 10s }",
        "    pause: { for: 10s }\n    approve: { message: x }",
    ),
    ("no id", "  - id: wait\n    pause:", "  - pause:"),
    ("no required argument", "node_type: db.r7g.large", ""),
    ("another version", "playbook: v1", "playbook: v2"),
    ("a name in capitals", "name: x", "name: X"),
    ("an account that is a number", "account: \"123456789012\"", "account: 123456789012"),
    ("an input without a type", "{ type: integer, description: d", "{ description: d"),
    ("an input with a type that is none", "type: integer", "type: number"),
    ("a default of another type", "default: 2", "default: two"),
    ("max_parallel beyond its limit", "max_parallel: 2", "max_parallel: 11"),
    ("steps that are no list", "steps:", "steps: {}\nother:"),
];

const RIGHT: &str = r#"playbook: v1
name: x
guard: { account: "123456789012", region: us-east-1 }
inputs:
  shards: { type: integer, description: d, default: 2 }
steps:
  - id: wait
    pause: { for: 10s }
  - id: snapshot
    timeout: 90m
    elasticache.create_snapshot:
      replication_group: demo
  - parallel:
      - id: cluster
        memorydb.create_cluster:
          name: demo-mdb
          node_type: db.r7g.large
          shards: 2
          acl: app
          engine: valkey
    max_parallel: 2
"#;

#[test]
fn the_schema_refuses_what_the_program_refuses() {
    let place = Place::new();
    let right = place.write("right.yaml", RIGHT);
    let bad: Vec<PathBuf> = MISTAKES
        .iter()
        .enumerate()
        .map(|(n, (what, from, to))| {
            assert!(RIGHT.contains(from), "{what}: no `{from}` to change");
            place.write(&format!("{n}.yaml"), RIGHT.replacen(from, to, 1))
        })
        .collect();
    let all: Vec<PathBuf> = [right.clone()].into_iter().chain(bad).collect();
    let mut checked = check(&all).into_iter();
    let (_, clean) = checked.next().expect("the right one");
    assert!(clean.is_empty(), "{clean:#?}");
    for ((path, problems), (what, ..)) in checked.zip(MISTAKES) {
        assert!(!problems.is_empty(), "the schema accepts {what}");
        place.run(&["validate", path.to_str().expect("UTF-8")]).ends_with(3);
    }
    let warnings = place.run(&["validate", right.to_str().expect("UTF-8")]);
    warnings.ends_with(0);
}

/// Everything that can be written has words to show: no property without a description.
#[test]
fn every_property_of_the_schema_is_described() {
    fn walk(place: &str, value: &Value, missing: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                for (key, inner) in map {
                    let place = format!("{place}/{key}");
                    // Conditions narrow what is described elsewhere.
                    if ["if", "then", "examples", "default", "defaultSnippets"]
                        .contains(&key.as_str())
                    {
                        continue;
                    }
                    if let ("properties", Value::Object(properties)) = (key.as_str(), inner) {
                        for (name, property) in properties {
                            let text = property.get("description").and_then(Value::as_str);
                            if text.is_none_or(|text| text.trim().is_empty()) {
                                missing.push(format!("{place}/{name}"));
                            }
                        }
                    }
                    walk(&place, inner, missing);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| walk(place, item, missing)),
            _ => {}
        }
    }
    let text =
        std::fs::read_to_string(root().join("docs/playbook.schema.json")).expect("the schema");
    let schema: Value = serde_json::from_str(&text).expect("JSON");
    let mut missing = Vec::new();
    walk("", &schema, &mut missing);
    assert!(missing.is_empty(), "without a description: {missing:#?}");
}
