//! Documents that are generated, and commands that documents show. `UPDATE_DOCS=1 tests/run docs` writes the former anew.

use std::path::{Path, PathBuf};

use orchestrate::playbook::Code;
use serde_json::Value;

use crate::program::{BINARY, Place, Said, Served};

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

/// The same for the part of a document that is generated.
#[track_caller]
fn must_hold(path: &str, part: &str, wanted: &str) {
    let page = read(&root().join(path));
    let open = format!("<!-- generated: {part} -->\n");
    let (head, rest) = page.split_once(&open).expect("the first marker");
    let (_, tail) = rest.split_once("<!-- end -->").expect("the second marker");
    must_be(path, &format!("{head}{open}\n{}\n\n<!-- end -->{tail}", wanted.trim_end()));
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
    let mut table = String::from("| code | meaning |\n|---|---|\n");
    for code in Code::ALL {
        let (code, meaning) = (code.as_str(), code.meaning());
        table += &format!("| [{code}](#{}) | {meaning} |\n", code.to_lowercase());
    }
    must_hold("docs/errors.md", "codes", &table);
}

#[test]
fn the_list_of_checks_is_generated() {
    let mut text = String::from(
        "# Checks before a run\n\n<!-- Generated from the source: `UPDATE_DOCS=1 tests/run docs`. -->\n\nWhat `orchestrate plan` looks at, and every command that runs a playbook. Each check ends as ok, will fail, or cannot\nknow, and says why and what to do. \"ok, but\" is ok with a remark: the run goes through, and something about it is worth\nknowing before. \"Cannot know\" is also said where AWS stops nothing and people may still be locked out: whether clients\ncope with TLS, a login or a protocol that changes under them is written nowhere that can be read. Names are stable: none\nchanges its meaning, and none is used again.\n\n| check | what it looks at |\n|---|---|\n",
    );
    for (name, what) in orchestrate::steps::checks::ALL {
        text += &format!("| `{name}` | {what} |\n");
    }
    must_be("docs/checks.md", &text);
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
        "init",
        "plan",
        "iam",
        "migrate",
        "run",
        "schedule",
        "schedule next",
        "schedule list",
        "schedule pause",
        "schedule resume",
        "schedule backfill",
        "serve",
        "resume",
        "approve",
        "rollback",
        "status",
        "runs",
        "cost",
        "advise",
        "steps",
        "schema",
        "sandbox",
        "sim",
        "completions",
    ];
    let mut text = String::new();
    for name in names {
        let arguments: Vec<&str> = name.split_whitespace().chain(["--help"]).collect();
        let said = place.run(&arguments);
        said.ends_with(0);
        let lines: Vec<&str> = said.out.lines().map(str::trim_end).collect();
        let title = if name.is_empty() { String::new() } else { format!(" {name}") };
        text += &format!("### `orchestrate{title}`\n\n```text\n{}\n```\n\n", lines.join("\n"));
    }
    must_hold("docs/cli.md", "commands", &text);
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

/// The playbooks that the pages of the language and of schedules show.
fn shown() -> Vec<String> {
    let page = read(&root().join("docs/playbook.md")) + &read(&root().join("docs/schedules.md"));
    let blocks = page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.map(str::to_owned).collect()
}

#[test]
fn the_playbooks_that_the_language_page_shows_are_right() {
    let place = Place::new();
    let shown = shown();
    assert!(shown.len() > 10, "only {} playbooks were found", shown.len());
    for text in shown {
        let path = place.write("shown.yaml", &text);
        let said = place.run(&["validate", path.to_str().expect("UTF-8")]);
        said.ends_with(0);
        assert_eq!(said.err, "", "{text}");
    }
}

#[test]
fn the_functions_of_the_language_page_run() {
    let text = shown().into_iter().find(|text| text.contains("name: with-functions"));
    let place = Place::new();
    let path = place.write("functions.yaml", text.expect("the example of functions"));
    let said = place.run(&["run", "--sandbox", path.to_str().expect("UTF-8")]);
    said.ends_with(0);
    let run = place.runs().pop().expect("a run");
    let journal = read(&place.journal(&run));
    let mut lines = journal.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let header = lines.next().expect("a header");
    let at = header["at"].as_str().expect("a time").replace(['-', ':'], "").replace('T', "-");
    let intent = lines.find(|line| line["record"]["type"] == "intended").expect("an intent");
    // Demo in lower case, and the time of the journal's first record.
    assert_eq!(intent["record"]["resources"][0]["name"], format!("demo-{}", &at[..15]));
    let day = &header["at"].as_str().expect("a time")[..10];
    said.says(&format!("begun: {day}")).says("s3:::demo-migration/");
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
    let mut found = std::collections::BTreeMap::new();
    for page in pages {
        for command in commands(&read(&page)) {
            // One page says `cargo run --` where another says `orchestrate`.
            let same = command.replace("cargo run -- ", "orchestrate ");
            if !NOT_HERE.contains(&command.trim()) {
                found.entry(same).or_insert((page.clone(), command));
            }
        }
    }
    assert!(found.len() >= 8, "only {} commands were found", found.len());
    // Most of them wait for a sandbox, whose lifecycles take seconds: a few at a time.
    let left = std::sync::Mutex::new(found.into_values());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let next = left.lock().expect("nobody panics with it").next();
                    let Some((page, command)) = next else { return };
                    works(&page, &command);
                }
            });
        }
    });
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
            || command.contains("--from ")
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
        format!("timeout --preserve-status -s INT 8 {command} --port 0")
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
