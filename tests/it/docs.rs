//! Documents that are generated, and commands that documents show. `UPDATE_DOCS=1 tests/run docs` writes the former anew.

use std::path::{Path, PathBuf};

use orchestrate::playbook::Code;
use serde_json::Value;

use crate::program::{BINARY, Place, Said, Served};
use crate::world::{SHIPPED, playbook_path};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Compares a document with what it should be, or writes it.
#[track_caller]
fn must_be(path: &str, wanted: &str) {
    let full = root().join(path);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&full, wanted).expect("the document can be written");
        return;
    }
    let found = std::fs::read_to_string(&full).unwrap_or_default();
    assert!(
        found == wanted,
        "{path} is not up to date: run `UPDATE_DOCS=1 tests/run docs` and commit it"
    );
}

fn kinds() -> Vec<String> {
    let said = Place::new().run(&["steps", "--json"]);
    let lines =
        said.out.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON lines"));
    lines.map(|line| line["data"]["name"].as_str().expect("a name").to_owned()).collect()
}

#[test]
fn the_documentation_of_the_kinds_is_generated() {
    let place = Place::new();
    let mut text = String::from(
        "# Step kinds\n\n<!-- Generated from the source: `UPDATE_DOCS=1 tests/run docs`. -->\n\nWhat a playbook can do. `orchestrate steps <kind>` shows the same on the terminal.\n",
    );
    for kind in kinds() {
        let said = place.run(&["steps", &kind]);
        said.ends_with(0);
        text += &format!("\n{}", said.out);
    }
    must_be("docs/steps.md", &text);
}

#[test]
fn the_list_of_diagnostic_codes_is_generated() {
    let mut text = String::from(
        "# Diagnostic codes\n\n<!-- Generated from the source: `UPDATE_DOCS=1 tests/run docs`. -->\n\nWhat `orchestrate validate`, and every command that reads a playbook, may say of it and of its inputs. Each message has\nfile, line and column, and what to do. Codes are stable: none changes its meaning, and none is used again.\n\n| code | meaning |\n|---|---|\n",
    );
    for code in Code::ALL {
        text += &format!("| {} | {} |\n", code.as_str(), code.meaning());
    }
    must_be("docs/diagnostics.md", &text);
}

#[test]
fn the_schema_is_generated() {
    must_be("docs/playbook.schema.json", &Place::new().run(&["schema"]).ends_with(0).out);
}

#[test]
fn the_reference_of_the_commands_is_generated() {
    let place = Place::new();
    let names = [
        "",
        "validate",
        "plan",
        "iam",
        "migrate",
        "run",
        "resume",
        "approve",
        "rollback",
        "status",
        "runs",
        "steps",
        "schema",
        "sandbox",
        "completions",
    ];
    let mut text = String::new();
    for name in names {
        let arguments: Vec<&str> = [name, "--help"].into_iter().filter(|a| !a.is_empty()).collect();
        let said = place.run(&arguments);
        said.ends_with(0);
        let lines: Vec<&str> = said.out.lines().map(str::trim_end).collect();
        let title = if name.is_empty() { String::new() } else { format!(" {name}") };
        text += &format!("### `orchestrate{title}`\n\n```text\n{}\n```\n\n", lines.join("\n"));
    }
    let page = read(&root().join("docs/cli.md"));
    let (head, rest) = page.split_once("<!-- generated: commands -->\n").expect("the first marker");
    let (_, tail) = rest.split_once("<!-- end -->").expect("the second marker");
    let wanted = format!("{head}<!-- generated: commands -->\n\n{text}<!-- end -->{tail}");
    must_be("docs/cli.md", &wanted);
}

#[test]
fn every_shipped_playbook_fits_the_schema_by_an_independent_validator() {
    let schema: Value =
        serde_json::from_str(&read(&root().join("docs/playbook.schema.json"))).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let python = root().join("target/venv/bin/python");
    assert!(python.exists(), "tests/run installs what this test needs; run that");
    for name in SHIPPED {
        let said: Said = std::process::Command::new(&python)
            .args([
                "-c",
                "import sys, json, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))",
            ])
            .arg(playbook_path(name))
            .output()
            .expect("python starts")
            .into();
        said.ends_with(0);
        let playbook: Value = serde_json::from_str(&said.out).expect("JSON");
        let problems: Vec<String> = validator
            .iter_errors(&playbook)
            .map(|e| format!("{}: {e}", e.instance_path()))
            .collect();
        assert!(problems.is_empty(), "{name}: {problems:?}");
    }
}

/// Every kind has an example in its documentation, and the example is a playbook's step.
#[test]
fn the_examples_of_the_kinds_validate() {
    let place = Place::new();
    for kind in kinds() {
        let said = place.run(&["steps", &kind]);
        let example = said.out.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next());
        let example = example.unwrap_or_else(|| panic!("{kind} has no example"));
        assert!(example.contains(&kind), "the example of {kind} does not use it");
        let lines: String = example.lines().map(|line| format!("  {line}\n")).collect();
        let text = format!("playbook: v1\nname: example\nsteps:\n{lines}");
        let path = place.write("example.yaml", &text);
        let said = place.run(&["validate", path.to_str().expect("UTF-8")]);
        // What an example refers to need not stand in it; anything else must be right.
        let other = said.err.lines().filter(|l| l.starts_with("error[")).find(|l| {
            !["P0040", "P0041", "P0042", "P0043", "P0044", "P0045"]
                .iter()
                .any(|code| l.contains(code))
        });
        assert!(other.is_none(), "{kind}: {}\n{text}", said.all());
    }
}

/// The commands in fenced blocks of a page: those after `$ ` in consoles, every line in `sh` blocks.
fn commands(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut language = None;
    for line in page.lines() {
        if let Some(fence) = line.strip_prefix("```") {
            language = if language.is_some() { None } else { Some(fence.to_owned()) };
            continue;
        }
        match language.as_deref() {
            Some("console") => found.extend(line.strip_prefix("$ ").map(str::to_owned)),
            Some("sh") if !line.trim_start().starts_with('#') && !line.trim().is_empty() => {
                found.push(line.to_owned());
            }
            _ => {}
        }
    }
    found
}

/// Commands that the tests are themselves part of, or that build the program the tests run.
const NOT_HERE: [&str; 3] = ["tests/run", ".ci/run", "cargo install --path ."];

const INPUTS: &str = "source: prod
bucket: acme-migration
target: prod-mdb
shards: 3
acl: prod-app
subnet_group: prod-private
endpoint_parameter: /prod/redis/endpoint
";

#[test]
fn every_command_that_a_document_shows_works() {
    let mut pages: Vec<PathBuf> =
        ["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md"].map(|p| root().join(p)).to_vec();
    let docs = std::fs::read_dir(root().join("docs")).expect("docs");
    pages.extend(
        docs.filter_map(|e| Some(e.ok()?.path()))
            .filter(|p| p.extension().is_some_and(|e| e == "md")),
    );
    let mut ran = std::collections::BTreeSet::new();
    for page in pages {
        for command in commands(&read(&page)) {
            // One page says `cargo run --` where another says `orchestrate`.
            let same = command.replace("cargo run -- ", "orchestrate ");
            if !NOT_HERE.contains(&command.trim()) && ran.insert(same) {
                works(&page, &command);
            }
        }
    }
    let ran = ran.len();
    assert!(ran >= 8, "only {ran} commands were found");
}

fn works(page: &Path, command: &str) {
    let place = Place::new();
    let inputs = place.write("my-inputs.yaml", INPUTS);
    let command = command
        .replace("cargo run -- ", "orchestrate ")
        .replace("my-inputs.yaml", inputs.to_str().expect("UTF-8"));
    let bin = Path::new(BINARY).parent().expect("the binary's folder");
    let path = format!(
        "{}:{}:{}",
        bin.display(),
        root().join("target/venv/bin").display(),
        std::env::var("PATH").unwrap_or_default()
    );
    // Commands against AWS go to a sandbox that holds what they need.
    let alone = command.contains("--sandbox")
        || !(command.contains("plan ")
            || command.contains("migrate ")
            || command.starts_with("aws "));
    let inputs = inputs.to_str().expect("UTF-8").to_owned();
    let served = (!alone).then(|| {
        let playbook = if command.starts_with("aws ") {
            vec!["playbooks/quickstart.yaml"]
        } else {
            vec!["playbooks/elasticache-to-memorydb.yaml", "--inputs", &inputs]
        };
        Served::start(&place, &[vec!["--speed", "600"], playbook].concat())
    });
    let journal = place.run(&["run", "--sandbox", small(&place).to_str().expect("UTF-8")]);
    journal.ends_with(0);
    let run = place.runs().pop().expect("a run");
    let command = command.replace("journal.jsonl", place.journal(&run).to_str().expect("UTF-8"));
    // The plan's question is answered as a person would who has read it.
    let command = if command.contains(" migrate ") && served.is_some() {
        format!("{command} --yes")
    } else {
        command
    };
    let command = if command.starts_with("orchestrate sandbox") {
        format!("timeout --preserve-status -s INT 3 {command} --port 0")
    } else {
        command
    };
    let mut shell = place.command(&[]);
    let mut bash = std::process::Command::new("bash");
    bash.args(["-c", &command]).current_dir(root()).env_clear();
    for (name, value) in shell.stdin(std::process::Stdio::null()).get_envs() {
        if let Some(value) = value {
            bash.env(name, value);
        }
    }
    if let Some(served) = &served {
        bash.envs(served.environment.iter().cloned());
        bash.env("AWS_DEFAULT_REGION", "us-east-1");
    }
    bash.env("PATH", path);
    let said: Said = bash.output().expect("bash starts").into();
    assert_eq!(said.code, Some(0), "{}: `{command}`\n{}", page.display(), said.all());
}

fn small(place: &Place) -> PathBuf {
    place.write(
        "small.yaml",
        "playbook: v1\nname: small\nsteps:\n  - id: snapshot\n    elasticache.create_snapshot: { replication_group: demo }\n",
    )
}
