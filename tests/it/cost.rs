//! `orchestrate cost` and `orchestrate advise` as processes.

use std::io::{Read, Write};
use std::process::Stdio;

use serde_json::Value;

use crate::program::{BINARY, Place, Served};

/// Nine nodes: the month that was worked out by hand.
const NINE: [&str; 7] = ["cost", "--node-type", "r7g.xlarge", "--shards", "3", "--replicas", "2"];

/// Answers to every question, of somebody who may lose nothing.
const STRICT: [&str; 23] = [
    "advise",
    "--loss",
    "nothing",
    "--only-copy",
    "yes",
    "--loss-forbidden",
    "no",
    "--recovery",
    "minutes",
    "--regions",
    "one",
    "--write-latency",
    "milliseconds",
    "--peak-write",
    "12.5",
    "--budget",
    "any",
    "--evicts",
    "no",
    "--cluster-clients",
    "yes",
    "--auth",
    "user-and-password",
];

const GROUPS: &str = r#"{ "replication_groups": [
    { "id": "plain", "engine": "redis", "engine_version": "7.1.0", "shards": 3, "replicas": 2,
      "cluster_mode": true, "tls": true, "node_type": "cache.r7g.xlarge" },
    { "id": "nine", "engine": "valkey", "engine_version": "9.0.1", "shards": 2, "cluster_mode": true,
      "tls": true, "durability": "default" },
    { "id": "kept", "engine": "valkey", "engine_version": "9.0.1", "shards": 2, "cluster_mode": true,
      "tls": true, "durability": "sync" }
] }"#;

fn served(place: &Place) -> Served {
    let seed = place.write("seed.json", GROUPS);
    Served::start(place, &["--no-servers", "--seed", seed.to_str().expect("UTF-8")])
}

/// Nothing but reads reached the sandbox.
#[track_caller]
fn only_read(served: &Served) {
    let calls = served.ask("calls");
    let names = calls.as_array().expect("a list").iter().map(|call| &call["operation"]);
    let changes: Vec<_> = names
        .filter_map(Value::as_str)
        .filter(|name| !name.starts_with("Describe") && !name.starts_with("Get"))
        .collect();
    assert!(changes.is_empty(), "{changes:?}");
}

fn data(out: &str) -> Value {
    let value: Value = serde_json::from_str(out).unwrap_or_else(|e| panic!("{e}: {out}"));
    value["data"].clone()
}

#[test]
fn the_comparison_reads_well_and_calls_nothing_a_quote() {
    let said = Place::new().run(&NINE);
    said.ends_with(0);
    let lines: Vec<&str> = said.out.lines().collect();
    let line = |name: &str| {
        let found = lines.iter().find(|line| line.trim_start().starts_with(name));
        found.unwrap_or_else(|| panic!("no {name} in\n{}", said.out)).split_whitespace().collect()
    };
    let row: Vec<&str> = line("ElastiCache, Redis OSS  (today)");
    assert_eq!(row[4..], ["2,871.09", "34,453.08"]);
    let row: Vec<&str> = line("ElastiCache, Valkey");
    assert_eq!(row[2..], ["2,296.87", "27,562.46", "-574.22", "-20.0%"]);
    let row: Vec<&str> = line("MemoryDB, Redis OSS");
    assert_eq!(row[3..], ["4,053.69+", "48,644.28+", "+1,182.60", "+41.2%"]);
    said.says("not a quote").says("730 hours").says("2026-09-09").says("UNSURE");
    said.says("6,570 node-hours at 0.437 [1]").says("[1] AWS price list");
    said.says("how much is written is not given").says("MemoryDB is always in cluster mode");
    assert!(lines.iter().all(|line| line.chars().count() <= 100), "{}", said.out);
    assert!(!said.out.contains('\x1b'), "no colour without a terminal");
}

#[test]
fn the_comparison_as_json_has_every_source() {
    let place = Place::new();
    let said = place.run(&[&NINE[..], &["--written-gb", "20000", "--json"]].concat());
    said.ends_with(0);
    let comparison = &data(&said.out)["comparison"];
    let rows = comparison["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), 6);
    for row in rows {
        for item in row["month"]["items"].as_array().expect("items") {
            assert!(item["source"]["title"].is_string() && item["source"]["as_of"].is_string());
        }
    }
    let valkey = &rows[5];
    assert_eq!(valkey["service"], "memorydb");
    // 9 × 730 × 0.4319, and 20,000 GB less 10,240 at 0.04.
    assert_eq!(valkey["month"]["total"], "3227.983");
    assert_eq!(rows[3]["service"]["durable_elasticache"], "sync");
}

#[test]
fn a_bad_price_file_and_a_missing_one_are_one_clear_message() {
    let place = Place::new();
    let bad = place.write("prices.json", "{ \"format\": \"orchestrate-prices-1\", \"colour\": 1 }");
    let missing = place.path("nowhere.json");
    for (path, words) in [(bad, "unknown field `colour`"), (missing, "nowhere.json")] {
        let path = path.to_str().expect("UTF-8");
        let said = place.run(&[&NINE[..], &["--prices", path]].concat());
        said.ends_with(3).says(words);
        assert_eq!(said.err.matches("error: ").count(), 1, "{}", said.all());
        assert!(said.out.is_empty(), "{}", said.all());
    }
}

#[test]
fn the_price_file_in_the_program_can_be_replaced_by_a_copy_of_it() {
    let place = Place::new();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/data/prices.json");
    let text = std::fs::read_to_string(path).expect("the price file");
    let changed = place.write("prices.json", text.replace("0.4370", "0.5"));
    let changed = changed.to_str().expect("UTF-8");
    place.run(&[&NINE[..], &["--prices", changed]].concat()).ends_with(0).says("3,285.00");
}

#[test]
fn what_has_no_price_is_named_with_what_has() {
    let place = Place::new();
    let cost = |more: &[&str]| place.run(&[&["cost"], more].concat());
    cost(&["--node-type", "r7g.xxlarge"]).ends_with(2).says("did you mean r7g.xlarge");
    cost(&["--node-type", "r6g.large"]).ends_with(2).says("r6g.large").says("--prices");
    cost(&["--node-type", "large"]).ends_with(2).says("no node type");
    cost(&["--node-type", "r7g.large", "--region", "eu-west-9"]).ends_with(2).says("us-east-1");
    cost(&["--node-type", "r7g.large", "--data-gb", "-5"]).ends_with(2);
    cost(&["--node-type", "r7g.large", "--reserved", "5yr"]).ends_with(2).says("no-upfront");
    cost(&[]).ends_with(2).says("--node-type").says("--from");
}

#[test]
fn reserved_prices_that_are_not_known_are_not_made_up() {
    let said = Place::new().run(&[&NINE[..], &["--reserved", "3yr-all-upfront"]].concat());
    said.ends_with(0).says("careful: reserved prices were asked for");
    let words = said.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("no figure in the price file, counted on demand"), "{}", said.out);
    assert!(words.contains("not below 1,291.99"), "{}", said.out);
}

#[test]
fn the_shape_is_read_from_a_live_group_without_changing_anything() {
    let place = Place::new();
    let served = served(&place);
    let said = served.run(&place, &["cost", "--from", "plain", "--region", "us-east-1"]);
    said.ends_with(0).says("2,871.09").says("replication group \"plain\": redis 7.1.0");
    said.says("DescribeReplicationGroups shows none for it");
    let kept = served.run(&place, &["cost", "--from", "kept", "--region", "us-east-1"]);
    kept.ends_with(0).says("durable ElastiCache (sync), Valkey  (today)");
    kept.says("Durability sync, EffectiveDurability sync");
    let words = kept.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("AWS's pages disagree"), "{}", kept.out);
    let calls = served.ask("calls").to_string();
    assert!(!calls.contains("DescribeUsers"), "who logs in is not asked for a price");
    served
        .run(&place, &["cost", "--from", "nobody", "--region", "us-east-1"])
        .ends_with(2)
        .says("no replication group \"nobody\"");
    only_read(&served);
}

#[test]
fn advice_names_its_reasons_what_they_rest_on_and_what_it_costs() {
    let place = Place::new();
    let shape = ["--node-type", "r7g.xlarge", "--shards", "3", "--replicas", "2"];
    let odds = ["--loss-costs", "10000", "--losses-a-year", "0.5", "--engine", "valkey"];
    let said = place.run(&[&STRICT[..], &shape, &odds].concat());
    said.ends_with(0).says("make it durable: Valkey 9, Durability sync");
    said.says("no acknowledged write may be lost").says("What this rests on").says("[1]");
    said.says("ElastiCache user guide");
    let words = said.out.split_whitespace().collect::<Vec<_>>().join(" ");
    for expected in [
        "12 × 413.44 = 4,961.24 a year",
        "4,961.24 / 10,000.00 = it pays from 0.5 losses a year",
        "it pays if one loss costs more than 9,922.49",
        "0.5 × 10,000.00 = 5,000.00 a year, less 4,961.24 = +38.76 a year",
        "AWS's pages disagree",
        "not a quote",
    ] {
        assert!(words.contains(expected), "no {expected:?} in\n{}", said.out);
    }
    assert!(said.out.lines().all(|line| line.chars().count() <= 100), "{}", said.out);
}

#[test]
fn without_a_terminal_every_missing_flag_is_listed_and_nothing_hangs() {
    let place = Place::new();
    let said = place.run(&["advise", "--loss", "nothing"]);
    said.ends_with(2).says("10 questions").says("--only-copy").says("--auth").says("--answers");
    assert!(!said.err.contains("--loss ("), "{}", said.all());
    // Nor with a standard input that stays open and says nothing.
    let mut child = place
        .command(&["advise"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let status = child.wait().expect("it ends by itself");
    assert_eq!(status.code(), Some(2));
    let wrong = place.run(&["advise", "--loss", "some"]);
    wrong.ends_with(2).says("\"some\" is no answer to loss").says("ten-seconds");
}

#[test]
fn requests_that_cannot_carry_what_is_written_are_told() {
    let place = Place::new();
    let asked = |million: &str| {
        let flags = ["cost", "--node-type", "r7g.large", "--region", "us-east-1", "--data-gb", "1"];
        let more = ["--written-gb", "100", "--ecpus", million];
        place.run(&[flags.as_slice(), &more].concat())
    };
    asked("5").ends_with(0).says("take 104.86 million ECPUs at least");
    let said = asked("200");
    said.ends_with(0);
    assert!(!said.all().contains("million ECPUs at least"), "{}", said.all());
}

#[test]
fn answers_may_stand_in_a_file_and_flags_win() {
    let place = Place::new();
    let lines: Vec<String> =
        STRICT[1..].chunks(2).map(|pair| format!("{}: {}\n", &pair[0][2..], pair[1])).collect();
    let file = place.write("answers.yaml", lines.concat());
    let file = file.to_str().expect("UTF-8");
    let strict = place.run(&["advise", "--answers", file]);
    strict.ends_with(0).says("Durability sync").says("no cluster is named");
    let json = place.run(&["advise", "--answers", file, "--regions", "write-everywhere", "--json"]);
    json.ends_with(0);
    let said = data(&json.out);
    assert_eq!(said["advice"]["advice"]["recommendation"], "memorydb");
    assert_eq!(said["answers"]["loss"], "nothing");
    let bad = place.write("bad.yaml", "colour: red\nregions: one\nloss: [much]\n");
    let bad = bad.to_str().expect("UTF-8");
    place
        .run(&["advise", "--answers", bad])
        .ends_with(3)
        .says("2 answers are wrong")
        .says("bad.yaml:1:1: there is no question \"colour\"")
        .says("bad.yaml:3:7: loss: an answer is one word or number");
    let list = place.write("list.yaml", "- loss\n");
    let list = list.to_str().expect("UTF-8");
    place.run(&["advise", "--answers", list]).ends_with(3).says("no file of answers");
}

#[test]
fn advice_that_depends_on_what_is_unknown_says_so_and_has_its_own_exit_code() {
    let mut answers = STRICT;
    answers[2] = "unknown";
    answers[4] = "no";
    answers[8] = "never";
    let said = Place::new().run(&answers);
    said.ends_with(8).says("cannot tell yet").says("What is missing").says("--loss:");
}

#[test]
fn whoever_has_durability_already_is_told_to_stay() {
    let place = Place::new();
    let served = served(&place);
    let from = |group| {
        served.run(&place, &[&STRICT[..], &["--from", group, "--region", "us-east-1"]].concat())
    };
    let kept = from("kept");
    kept.ends_with(0).says("stay: this cluster is durable already (sync)");
    kept.says("EffectiveDurability sync");
    let nine = from("nine");
    nine.ends_with(0).says("make it durable").says("EffectiveDurability disabled");
    let words = nine.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("AWS's pages disagree"), "{}", nine.out);
    assert!(words.contains("modify-replication-group --durability"), "{}", nine.out);
    assert!(!words.contains("upgrade the engine"), "{}", nine.out);
    only_read(&served);
}

/// A terminal of its own, with what is typed on it before anything is asked.
const TERMINAL: &str = r#"
import os, pty, sys
child, terminal = pty.fork()
if child == 0:
    os.execv(sys.argv[1], sys.argv[1:])
os.write(terminal, sys.stdin.buffer.read())
said = b""
while True:
    try:
        more = os.read(terminal, 65536)
    except OSError:
        break
    if not more:
        break
    said += more
sys.stdout.buffer.write(said)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"#;

#[test]
fn at_a_terminal_the_questions_are_asked() {
    let place = Place::new();
    let mut python = std::process::Command::new("python3")
        .args(["-c", TERMINAL, BINARY, "advise"])
        .env("ORCHESTRATE_STATE_DIR", place.state())
        .env("NO_COLOR", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 starts; tests/run says what the tests need");
    let typed = "some\neverything\nno\nno\nnever\none\n\n\n\n\n\n\n";
    let mut stdin = python.stdin.take().expect("a pipe");
    stdin.write_all(typed.as_bytes()).expect("it is read");
    drop(stdin);
    let mut said = String::new();
    python.stdout.take().expect("a pipe").read_to_string(&mut said).expect("UTF-8");
    let status = python.wait().expect("it ends");
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(said.contains("What may be missing afterwards?"), "{said}");
    assert!(said.contains("\"some\" is no answer to loss"), "{said}");
    assert!(said.contains("stay on ElastiCache as it is"), "{said}");
}
