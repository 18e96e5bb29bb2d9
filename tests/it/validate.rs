//! `orchestrate validate` over many files, and what it tells other programs.

use std::io::Write;
use std::process::Stdio;

use orchestrate::playbook::Code;
use serde_json::Value;

use crate::program::{Place, Said};

const GOOD: &str = "playbook: v1\nname: good\nsteps:\n  - id: wait\n    pause: { for: 10s }\n";
const BAD: &str = "playbook: v1\nname: bad\nsteps:\n  - id: wait\n    timeuot: 1h\n    pause: { for: 10s }\n  - id: wait\n    pause: { for: 5s }\n";
const WARNED: &str = "playbook: v1\nname: warned\ninputs: { a: { type: string, description: d } }\nsteps:\n  - id: wait\n    pause: { for: 10s }\n";

fn lines(said: &Said) -> Vec<Value> {
    said.out
        .lines()
        .map(|line| serde_json::from_str(line).expect("one JSON object a line"))
        .collect()
}

fn text(path: &std::path::Path) -> String {
    path.to_str().expect("UTF-8").to_owned()
}

#[test]
fn a_bad_file_does_not_hide_the_others() {
    let place = Place::new();
    let [bad, good] =
        [("bad.yaml", BAD), ("good.yaml", GOOD)].map(|(n, t)| text(&place.write(n, t)));
    let said = place.run(&["validate", "nowhere.yaml", &bad, &good]);
    said.ends_with(3).says("nowhere.yaml").says("bad.yaml:5:5").says("good.yaml: ok");
    assert!(said.err.contains("did you mean `timeout`?"), "{}", said.all());
}

#[test]
fn every_diagnostic_is_one_object_for_machines() {
    let place = Place::new();
    let [bad, warned] =
        [("bad.yaml", BAD), ("warned.yaml", WARNED)].map(|(n, t)| text(&place.write(n, t)));
    let said = place.run(&["validate", "--json", &bad, &warned, "nowhere.yaml"]);
    said.ends_with(3);
    let lines = lines(&said);
    let events: Vec<&str> = lines.iter().filter_map(|line| line["event"].as_str()).collect();
    assert_eq!(events, ["diagnostic", "diagnostic", "invalid", "diagnostic", "valid", "error"]);
    let first = &lines[0]["data"];
    assert_eq!(
        *first,
        serde_json::json!({
            "file": bad, "line": 5, "column": 5, "end_line": 5, "end_column": 12, "code": "P0020", "severity": "error",
            "message": "step `wait` has no key `timeuot`", "help": "did you mean `timeout`?", "suggestion": "timeout",
            "related": [],
        })
    );
    let second = &lines[1]["data"];
    assert_eq!(second["code"], "P0030");
    assert_eq!(second["related"][0]["line"], 4);
    assert_eq!(second["related"][0]["message"], "first time");
    assert_eq!(lines[2]["data"], serde_json::json!({ "file": bad, "errors": 2, "warnings": 0 }));
    assert_eq!(lines[3]["data"]["severity"], "warning");
    assert_eq!(lines[4]["data"], serde_json::json!({ "file": warned, "errors": 0, "warnings": 1 }));
    assert_eq!(lines[5]["data"]["file"], "nowhere.yaml");
}

#[test]
fn a_file_named_twice_is_checked_once() {
    let place = Place::new();
    let good = text(&place.write("good.yaml", GOOD));
    let again = good.replace("good.yaml", "./good.yaml");
    let said = place.run(&["validate", &good, &again, &good]);
    said.ends_with(0);
    assert_eq!(said.out.matches(": ok").count(), 1, "{}", said.all());
}

#[test]
fn a_directory_stands_for_its_playbooks() {
    let place = Place::new();
    std::fs::create_dir_all(place.path("books/deeper.yaml")).expect("folders");
    place.write("books/b.yaml", BAD);
    place.write("books/a.yml", GOOD);
    place.write("books/readme.md", "no playbook");
    place.write("books/deeper.yaml/c.yaml", BAD);
    let books = text(&place.path("books"));
    let said = place.run(&["validate", &books]);
    said.ends_with(3).says("a.yml: ok").says("b.yaml:5:5");
    assert!(!said.err.contains("c.yaml") && !said.err.contains("readme"), "{}", said.all());
    std::fs::create_dir(place.path("empty")).expect("a folder");
    place
        .run(&["validate", &text(&place.path("empty"))])
        .ends_with(3)
        .says("no file that ends in .yaml");
}

#[test]
fn a_dash_is_standard_input() {
    let place = Place::new();
    for (playbook, code) in [(GOOD, 0), (BAD, 3), ("", 3)] {
        let mut child = place
            .command(&["validate", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut pipe = child.stdin.take().expect("its input is piped");
        pipe.write_all(playbook.as_bytes()).expect("it reads");
        drop(pipe);
        let said: Said = child.wait_with_output().expect("it ends").into();
        said.ends_with(code).says("<stdin>");
    }
}

#[test]
fn a_file_that_may_not_be_read_is_named() {
    let place = Place::new();
    let good = text(&place.write("good.yaml", GOOD));
    // Unreadable for root too: a link to itself.
    std::os::unix::fs::symlink("loop.yaml", place.path("loop.yaml")).expect("a link");
    let said = place.run(&["validate", &text(&place.path("loop.yaml")), &good]);
    said.ends_with(3).says("loop.yaml: the file cannot be read").says("good.yaml: ok");
}

/// What the SARIF standard (2.1.0) requires, as far as it can be said in a few lines.
#[test]
fn a_sarif_log_names_every_rule_and_every_place() {
    let place = Place::new();
    let bad = text(&place.write("bad file.yaml", BAD));
    let good = text(&place.write("good.yaml", GOOD));
    let said = place.run(&["validate", "--format", "sarif", &bad, &good, "nowhere.yaml"]);
    said.ends_with(3);
    assert_eq!(said.err, "", "nothing is said besides");
    let log: Value = serde_json::from_str(&said.out).expect("one JSON document");
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().expect("rules");
    let ids: Vec<&str> = rules.iter().filter_map(|rule| rule["id"].as_str()).collect();
    assert_eq!(ids, Code::ALL.iter().map(|code| code.as_str()).collect::<Vec<_>>());
    let results = run["results"].as_array().expect("results");
    assert_eq!(results.len(), 2);
    for result in results {
        let index =
            usize::try_from(result["ruleIndex"].as_u64().expect("a number")).expect("small");
        assert_eq!(rules[index]["id"], result["ruleId"], "the index names the rule");
        assert_eq!(result["level"], "error");
        let physical = &result["locations"][0]["physicalLocation"];
        let uri = physical["artifactLocation"]["uri"].as_str().expect("a URI");
        assert!(uri.ends_with("bad%20file.yaml"), "{uri}");
        let region = &physical["region"];
        let number = |key: &str| region[key].as_u64().expect("a number");
        assert!(number("startLine") >= 1 && number("startColumn") >= 1);
        assert!(
            (number("startLine"), number("startColumn"))
                <= (number("endLine"), number("endColumn"))
        );
    }
    let change = &results[0]["fixes"][0]["artifactChanges"][0]["replacements"][0];
    assert_eq!(change["insertedContent"]["text"], "timeout");
    assert_eq!(change["deletedRegion"]["startColumn"], 5);
    assert_eq!(results[1]["relatedLocations"][0]["message"]["text"], "first time");
    let invocation = &run["invocations"][0];
    assert_eq!(invocation["exitCode"], 3);
    assert_eq!(invocation["executionSuccessful"], false, "one file was not read");
    let unread = invocation["toolExecutionNotifications"][0]["message"]["text"].as_str();
    assert!(unread.expect("why").contains("cannot be read"));
    assert_eq!(run["artifacts"].as_array().expect("the files").len(), 3);
    place.run(&["validate", "--json", "--format", "sarif", &good]).ends_with(2);
}

#[test]
fn a_kept_plan_is_no_broken_playbook() {
    let place = Place::new();
    let playbook = place.write("good.yaml", GOOD);
    let served = crate::program::Served::start(&place, &["--no-servers", &text(&playbook)]);
    let kept = text(&place.path("plan.json"));
    served.run(&place, &["plan", &text(&playbook), "--out", &kept]).ends_with(0);
    place.run(&["validate", &kept]).ends_with(0).says("plan.json: ok");
    let whole = std::fs::read_to_string(&kept).expect("the plan");
    let half = text(&place.write("half.json", &whole[..whole.len() / 2]));
    for command in [&["validate", &half][..], &["migrate", &half], &["iam", &half]] {
        let said = place.run(command);
        said.says("this saved plan cannot be carried out").says("it is not whole");
        assert!(!said.all().contains("P0005"), "{}", said.all());
        assert_ne!(said.code, Some(0));
    }
    let edited = text(&place.write("edited.json", whole.replace("10s", "20s")));
    let said = place.run(&["validate", &edited]);
    said.ends_with(3).says("the digest differs");
}

#[test]
fn a_fault_of_form_hides_no_rule_of_the_kind() {
    let place = Place::new();
    let text = "playbook: v1\nname: two\nsteps:\n  - id: cluster\n    memorydb.create_cluster:\n      name: Bad--Name\n      \
                node_type: db.r7g.large\n      acl: demo\n      engine: valky\n      shards: 501\n";
    let file = place.write("two.yaml", text);
    place
        .run(&["validate", file.to_str().expect("UTF-8")])
        .ends_with(3)
        .says("did you mean `valkey`?")
        .says("P0032");
}

#[test]
fn of_an_expression_that_cannot_be_read_nothing_else_is_said() {
    let place = Place::new();
    let text = "playbook: v1\nname: one\nsteps:\n  - id: cluster\n    memorydb.create_cluster:\n      name: \"${{ lower( }}\"\n      \
                node_type: db.r7g.large\n      acl: demo\n      engine: valkey\n";
    let file = place.write("one.yaml", text);
    let said = place.run(&["validate", file.to_str().expect("UTF-8")]);
    said.ends_with(3);
    let codes: Vec<&str> = said.err.lines().filter(|line| line.contains("error[")).collect();
    assert!(codes.len() == 1 && codes[0].contains("P0040"), "{}", said.all());
}
