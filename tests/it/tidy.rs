//! What no compiler checks: who may use whom, file sizes, what may be in the tree and in the lock file.
//!
//! Reads the sources as text. Each failure says what to do.

mod source;
mod tree;

use source::{expect_none, files, from_root, paths, read, words};

/// The order in which data flows: each module, and which others it may use.
const EDGES: &[(&str, &[&str])] = &[
    ("schedule", &[]),
    ("playbook", &["schedule"]),
    ("plan", &["playbook"]),
    ("engine", &["plan", "playbook"]),
    ("aws", &["engine"]),
    ("facts", &[]),
    ("cost", &[]),
    ("advise", &["cost"]),
    ("survey", &["aws", "engine"]),
    ("init", &["aws", "engine", "facts", "survey"]),
    ("permissions", &["plan", "playbook"]),
    ("steps", &["aws", "cost", "engine", "facts", "permissions", "plan", "playbook", "survey"]),
    ("state", &["aws", "engine"]),
    ("scheduler", &["engine", "schedule", "state"]),
    ("report", &["advise", "cost", "engine", "plan", "playbook"]),
    (
        "cli",
        &[
            "advise",
            "aws",
            "cost",
            "engine",
            "facts",
            "init",
            "permissions",
            "plan",
            "playbook",
            "report",
            "schedule",
            "scheduler",
            "state",
            "steps",
            "survey",
        ],
    ),
];

#[test]
fn data_flows_one_way_through_the_modules() {
    let mut problems = Vec::new();
    for file in files("src", "rs") {
        let (module, depth) = file.module();
        if matches!(module, "lib" | "main") {
            continue;
        }
        let allowed = EDGES.iter().find(|(name, _)| *name == module);
        let Some((_, allowed)) = allowed else {
            problems.push(format!("{}: no rule for the module `{module}`", file.path));
            continue;
        };
        for named in paths(&file.code()) {
            let Some([to, ..]) = from_root(&named.path, depth) else { continue };
            let part = EDGES.iter().any(|(name, _)| name == to);
            if part && to != module && !allowed.contains(&to.as_str()) {
                problems.push(format!("{}:{}: `{module}` uses `{to}`", file.path, named.line));
            }
        }
    }
    expect_none(
        &problems,
        "move the code to the side that may know both, or hand the value in; ARCHITECTURE.md has the map, and EDGES in \
         this test the rules. A new part of the program needs a line in both",
    );
}

#[test]
fn playbook_plan_cost_and_advise_are_pure() {
    let mut problems = Vec::new();
    let impure_std = [["std", "env"], ["std", "fs"], ["std", "net"], ["std", "process"]];
    for folder in ["src/playbook", "src/schedule", "src/plan", "src/cost", "src/advise"] {
        // Instants are what a schedule is about; they are handed in.
        let handed = |word: &str| folder == "src/schedule" && word == "Timestamp";
        for file in files(folder, "rs") {
            let code = file.code();
            for (number, line) in code.lines().enumerate() {
                // As a word of Rust: it is also one of the services.
                if ["async fn", "async move", "async {", "async |"].iter().any(|a| line.contains(a))
                {
                    problems.push(format!("{}:{}: `async`", file.path, number + 1));
                }
                for word in words(line) {
                    let outside = matches!(word, "tokio" | "fs_err" | "rand" | "await")
                        || (matches!(word, "Timestamp" | "SystemTime" | "Instant")
                            && !handed(word))
                        || word.starts_with("aws_");
                    if outside {
                        problems.push(format!("{}:{}: `{word}`", file.path, number + 1));
                    }
                }
            }
            for named in paths(&code) {
                if impure_std.iter().any(|bad| named.path.iter().take(2).eq(bad.iter())) {
                    let path = named.path.join("::");
                    problems.push(format!("{}:{}: `{path}`", file.path, named.line));
                }
            }
        }
    }
    expect_none(
        &problems,
        "reading and planning depend on nothing but text and inputs; read files, clock and environment in src/cli and \
         hand the values in",
    );
}

#[test]
fn the_engine_names_no_service() {
    let names = ["elasticache", "memorydb", "route53", "secretsmanager", "ssm", "sts", "s3"];
    let mut problems = Vec::new();
    for file in files("src/engine", "rs") {
        for (number, line) in file.code().lines().enumerate() {
            let lower = line.to_lowercase();
            let named = words(&lower).any(|word| {
                names.contains(&word) || names.iter().take(4).any(|name| word.contains(name))
            });
            if named || lower.contains("aws_sdk") || lower.contains("route 53") {
                problems.push(format!("{}:{}: {}", file.path, number + 1, line.trim()));
            }
        }
    }
    expect_none(
        &problems,
        "what is true of one service belongs to its step kind or to src/aws; the engine is given it as a value",
    );
}

#[test]
fn the_reference_of_the_simulation_knows_nothing_of_the_engine() {
    let mut judges = files("src/cli/sim/check", "rs");
    judges.extend(files("src/cli/sim", "rs").into_iter().filter(|f| f.path.ends_with("/check.rs")));
    assert!(judges.len() >= 3, "the reference is elsewhere now: this test looks at nothing");
    let mut problems = Vec::new();
    for file in judges {
        for (number, line) in file.code().lines().enumerate() {
            if words(line).any(|word| matches!(word, "engine" | "report" | "steps" | "plan")) {
                problems.push(format!("{}:{}: {}", file.path, number + 1, line.trim()));
            }
        }
    }
    expect_none(
        &problems,
        "a judge that shares code with what it judges shares its mistakes; read the worlds, the requests and the bytes",
    );
}

#[test]
fn steps_do_not_write_the_journal() {
    let data = ["Resource", "Role", "Change"];
    let pens = ["Ledger", "Journal", "FileJournal", "MemoryJournal", "RunState", "Engine"];
    let mut problems = Vec::new();
    for file in files("src/steps", "rs") {
        let (_, depth) = file.module();
        for named in paths(&file.code()) {
            let Some([part, rest @ ..]) = from_root(&named.path, depth) else { continue };
            if part != "engine" {
                continue;
            }
            let bad = match rest {
                [first] => pens.contains(&first.as_str()) || first == "journal" || first == "*",
                [first, second, ..] if first == "journal" => !data.contains(&second.as_str()),
                [first, ..] => pens.contains(&first.as_str()),
                [] => true,
            };
            if bad {
                let path = named.path.join("::");
                problems.push(format!("{}:{}: `{path}`", file.path, named.line));
            }
        }
    }
    expect_none(
        &problems,
        "a step tells the engine what is to be written, by what it returns and by `cx.note`; of the journal it uses \
         the data types Resource, Role and Change alone",
    );
}

#[test]
fn aws_knows_of_the_engine_only_failures_and_the_clock() {
    let known = ["Answer", "Class", "Clock", "Failure"];
    let mut problems = Vec::new();
    for file in files("src/aws", "rs") {
        let (_, depth) = file.module();
        for named in paths(&file.code()) {
            let Some([part, rest @ ..]) = from_root(&named.path, depth) else { continue };
            let fine = rest.first().is_some_and(|name| known.contains(&name.as_str()));
            if part == "engine" && !fine {
                let path = named.path.join("::");
                problems.push(format!("{}:{}: `{path}`", file.path, named.line));
            }
        }
    }
    expect_none(&problems, "policy (retries, waits, adoption) belongs to the engine and the steps");
}

#[test]
fn the_environment_is_read_by_the_commands_alone() {
    let mut problems = Vec::new();
    for file in files("src", "rs").into_iter().filter(|file| !file.path.starts_with("src/cli/")) {
        for named in paths(&file.code()) {
            if named.path.iter().take(2).eq(["std", "env"].iter()) {
                problems.push(format!("{}:{}: `std::env`", file.path, named.line));
            }
        }
    }
    expect_none(&problems, "read it in src/cli and hand the value in");
}

#[test]
fn time_and_chance_have_one_source() {
    let clocks = ["Timestamp::now(", "SystemTime::now(", "Instant::now(", "Zoned::now("];
    let chance = ["rand::rng(", "thread_rng(", "rand::random("];
    let mut problems = Vec::new();
    for file in files("src", "rs") {
        if file.path.starts_with("src/cli/") || file.path == "src/engine/clock.rs" {
            continue;
        }
        for (number, line) in file.code().lines().enumerate() {
            if let Some(found) = clocks.iter().chain(&chance).find(|call| line.contains(**call)) {
                problems.push(format!("{}:{}: `{found}…)`", file.path, number + 1));
            }
        }
    }
    expect_none(
        &problems,
        "take the time from the run's Clock and random numbers from `cx.random`: only then does a test see hours pass \
         in milliseconds, and a seed repeat a run",
    );
}

#[test]
fn one_file_names_the_yaml_crate() {
    let mut problems = Vec::new();
    for file in files("src", "rs") {
        if file.path == "src/playbook/yaml.rs" {
            continue;
        }
        for (number, line) in file.code().lines().enumerate() {
            if words(line).any(|word| word == "saphyr_parser") {
                problems.push(format!("{}:{}", file.path, number + 1));
            }
        }
    }
    expect_none(&problems, "use the tree that src/playbook/yaml.rs gives");
}

#[test]
fn clients_are_built_in_one_place() {
    let builders = ["aws_config", "SdkConfig", "from_conf", "aws_smithy_http_client"];
    let mut problems = Vec::new();
    for file in files("src", "rs").into_iter().filter(|file| !file.path.starts_with("src/aws/")) {
        for (number, line) in file.code().lines().enumerate() {
            let built = line.split("Client::new(").next().filter(|before| *before != line);
            let client = built.is_some_and(|before| !before.ends_with(source::is_word));
            if client || words(line).any(|word| builders.contains(&word)) {
                problems.push(format!("{}:{}: {}", file.path, number + 1, line.trim()));
            }
        }
    }
    expect_none(
        &problems,
        "add what is needed to src/aws/clients.rs: retries off, one clock and one TLS stack hold for every client \
         only because all of them are built there",
    );
}

#[test]
fn the_sandbox_knows_nothing_of_orchestrate() {
    let mut problems = Vec::new();
    for file in files("sandbox", "rs") {
        for (number, line) in file.text.lines().enumerate() {
            let comment = line.trim_start().starts_with("//");
            let named =
                words(line).any(|word| word == "orchestrate") && line.contains("orchestrate::");
            if named && !comment {
                problems.push(format!("{}:{}: {}", file.path, number + 1, line.trim()));
            }
        }
    }
    for (number, line) in read("sandbox/Cargo.toml").lines().enumerate() {
        let key = line.split(['=', '.']).next().unwrap_or_default().trim();
        if key == "orchestrate" {
            problems.push(format!("sandbox/Cargo.toml:{}: {line}", number + 1));
        }
    }
    expect_none(
        &problems,
        "a stand-in that shares code with what it tests shares its mistakes; speak to it over the wire",
    );
}

#[test]
fn nothing_is_unwrapped_outside_tests() {
    let mut problems = Vec::new();
    for folder in ["src", "sandbox/src"] {
        for file in files(folder, "rs") {
            for (number, line) in file.code().lines().enumerate() {
                if line.contains(".unwrap()") || line.contains(".unwrap_err()") {
                    problems.push(format!("{}:{}: {}", file.path, number + 1, line.trim()));
                }
            }
        }
    }
    expect_none(
        &problems,
        "return the error; or, where it cannot happen, `expect` with the invariant in words",
    );
}
