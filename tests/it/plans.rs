//! Plans as a person meets them: what `plan` reads, how long it takes, what it ends with, and plans that are kept.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::checks;
use crate::foreign::stranger;
use crate::program::{Place, Said, Served};
use crate::world;

const MIGRATION: &str = "playbooks/elasticache-to-memorydb.yaml";
/// What "over a network" is taken to be.
const LATENCY: &str = "20";
const WITHIN: Duration = Duration::from_secs(2);

/// Arguments for the shipped migration, after `first`.
fn migration<'a>(first: &[&'a str], inputs: &'a [String]) -> Vec<&'a str> {
    let given = inputs.iter().flat_map(|input| ["--input", input]);
    first.iter().copied().chain([MIGRATION]).chain(given).collect()
}

fn inputs() -> Vec<String> {
    world::inputs("elasticache-to-memorydb")
}

/// A healthy account for the shipped migration, on real servers: plan and run ask whether the old endpoint answers.
fn healthy(place: &Place, more: &[&str]) -> Served {
    let inputs = inputs();
    let mut arguments = migration(&[], &inputs);
    arguments.extend(["--speed", "100000"]);
    arguments.extend(more);
    Served::start(place, &arguments)
}

fn plan(served: &Served, place: &Place, more: &[&str]) -> Said {
    let inputs = inputs();
    let mut arguments = migration(&["plan"], &inputs);
    arguments.extend(more);
    served.run(place, &arguments)
}

/// The operations that changed something, or would have.
fn changes(served: &Served) -> Vec<Value> {
    let calls = served.ask("calls");
    let calls = calls.as_array().expect("a list of calls").iter();
    calls.filter(|call| call["mutating"] == true).cloned().collect()
}

#[track_caller]
fn assert_untouched(served: &Served) {
    let changes = changes(served);
    assert!(changes.is_empty(), "it claims to read only, and called {changes:#?}");
}

#[test]
fn a_plan_takes_two_seconds_at_most_over_a_network_and_changes_nothing() {
    let place = Place::new();
    let served = healthy(&place, &["--latency", LATENCY]);
    let begun = Instant::now();
    let said = plan(&served, &place, &[]);
    let took = begun.elapsed();
    assert!(matches!(said.code, Some(0 | 8)), "{}", said.all());
    assert!(took < WITHIN, "it took {took:?}\n{}", said.all());
    let calls = served.ask("calls").as_array().map_or(0, Vec::len);
    assert!(calls >= 10, "only {calls} calls: what did it look at?");
    assert_untouched(&served);
}

#[test]
fn a_plan_says_what_is_created_changed_and_lost_and_how_each_step_is_undone() {
    let place = Place::new();
    let served = healthy(&place, &[]);
    let said = plan(&served, &place, &[]);
    for words in [
        "what is lost: writes after the snapshot, unless writes are stopped: step \"freeze\"",
        "+ creates ElastiCache snapshot",
        "+ creates S3 objects s3://acme-migration/",
        "+ creates MemoryDB cluster \"prod-mdb\"",
        "~ changes SSM parameter",
        "the applications move here",
        "undo: delete the cluster",
        "3 to create, 2 to change",
    ] {
        said.says(words);
    }
    let inputs = inputs();
    let mut accepting = migration(&["plan"], &inputs);
    accepting.extend(["--input", "accept_lost_writes_of=prod"]);
    served.run(&place, &accepting).says("NOT stopped").says("LOST");
}

#[test]
fn the_exit_code_tells_ok_will_fail_and_cannot_know() {
    let place = Place::new();
    let served = healthy(&place, &[]);
    let missing: Vec<String> = inputs()
        .into_iter()
        .map(|input| input.replace("bucket=acme-migration", "bucket=nobody-made-this"))
        .collect();
    served
        .run(&place, &migration(&["plan"], &missing))
        .ends_with(5)
        .says("there is no bucket \"nobody-made-this\"")
        .says("to mend:");
    assert_untouched(&served);
    let faults = json!({ "faults": [{ "service": "s3", "operation": "GetBucketPolicy", "times": 100, "kind": "denied" }] });
    let faults = place.write("faults.json", faults.to_string());
    let path = faults.to_str().expect("UTF-8");
    let denied = healthy(&place, &["--faults", path]);
    plan(&denied, &place, &[]).ends_with(8).says("cannot know").says("GetBucketPolicy");
}

#[test]
fn a_source_that_is_not_reached_from_here_is_told_before_anything_is_stopped() {
    let place = Place::new();
    let served = healthy(&place, &["--no-servers"]);
    plan(&served, &place, &[])
        .ends_with(5)
        .says("does not answer from here")
        .says("[swap.way_back]")
        .says("run this where the source can be reached");
    assert_untouched(&served);
}

#[test]
fn the_wait_for_a_record_is_part_of_the_time_a_plan_tells() {
    let place = Place::new();
    let record = "targets: [{ route53_record: redis.internal.example.com, zone: Z0000000DEMO }]";
    let text = checks::MIGRATION
        .replace("targets: [{ ssm_parameter: /demo/redis/endpoint }]", record)
        .replace(
            "name: checked",
            "name: checked\nguard: { account: \"123456789012\", region: us-east-1 }",
        );
    let file = place.write("record.yaml", text);
    let file = file.to_str().expect("UTF-8");
    let served = Served::start(&place, &["--no-servers", "--speed", "100000", file]);
    let said = served.run(&place, &["plan", "--json", file]);
    let lines = said.out.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let cost = lines.into_iter().find(|line| line["event"] == "plan_cost").expect("a cost");
    let minutes = &cost["data"]["run_minutes"];
    served
        .run(&place, &["plan", file])
        .says("by what was read the run takes about")
        .says("1m 00s more at \"switch\" [swap.ttl]")
        .says(&format!("if it takes {minutes} minutes"));
}

#[test]
fn a_kept_plan_is_carried_out() {
    let place = Place::new();
    let served = healthy(&place, &[]);
    let (kept, file) = kept(&place, &served);
    assert_eq!(mode(&kept), 0o600, "a plan is its owner's alone");
    served.run(&place, &["plan", &file]).says("from");
    served.run(&place, &["migrate", &file, "--yes"]).ends_with(0);
    assert_eq!(served.effects("CreateCluster"), 1);
}

#[test]
fn a_kept_plan_is_refused_when_the_world_has_changed_and_names_what() {
    let place = Place::new();
    let served = healthy(&place, &[]);
    let (_, file) = kept(&place, &served);
    let elsewhere = "somebody-else.example.com:6379";
    put_parameter(&served, "/prod/redis/endpoint", elsewhere);
    let before = changes(&served).len();
    for command in ["migrate", "plan"] {
        let mut arguments = vec![command, &file];
        if command == "migrate" {
            arguments.push("--yes");
        }
        served
            .run(&place, &arguments)
            .ends_with(6)
            .says("the account is not as it was")
            .says("switch")
            .says(elsewhere);
    }
    assert_eq!(changes(&served).len(), before, "a refused plan changes nothing");
    assert!(place.runs().is_empty(), "and begins no run");
}

#[test]
fn a_plan_file_that_is_not_what_was_written_is_refused() {
    let place = Place::new();
    let served = healthy(&place, &[]);
    let (kept, file) = kept(&place, &served);
    let text = std::fs::read_to_string(&kept).expect("the plan");
    for (name, changed, words) in [
        ("edited", text.replace("db.r7g.large", "db.r7g.16xlarge"), "the digest differs"),
        (
            "newer",
            text.replace("\"orchestrate_plan\": 1", "\"orchestrate_plan\": 2"),
            "does not read",
        ),
        ("more", text.replacen('{', "{ \"surprise\": 1,", 1), "surprise"),
    ] {
        assert_ne!(changed, text, "{name}");
        let path = place.write(&format!("{name}.json"), changed);
        let path = path.to_str().expect("UTF-8");
        served.run(&place, &["migrate", path, "--yes"]).ends_with(6).says(words);
    }
    served.run(&place, &["migrate", &file, "--yes", "--input", "a=b"]).ends_with(2).says("inputs");
    let cut = place.write("cut.json", &text[..text.len() / 2]);
    let said = served.run(&place, &["migrate", cut.to_str().expect("UTF-8"), "--yes"]);
    said.ends_with(6).says("it is not whole");
    assert_untouched(&served);
}

#[test]
fn a_plan_that_cannot_be_kept_says_so_and_leaves_what_was_there() {
    let place = Place::new();
    let served = healthy(&place, &[]);
    let missing = place.path("no/such/folder/plan.json");
    let said = plan(&served, &place, &["--out", missing.to_str().expect("UTF-8")]);
    said.ends_with(74).says("the plan cannot be written");
    let notes = place.write("notes.txt", "mine");
    for there in [notes.to_str().expect("UTF-8"), "/dev/null", "-"] {
        plan(&served, &place, &["--out", there]).ends_with(2).says("left alone");
    }
    assert_eq!(std::fs::read_to_string(&notes).expect("it is there"), "mine");
    place
        .run(&["plan", "playbooks/quickstart.yaml", "--sandbox", "--out", "plan.json"])
        .ends_with(2)
        .says("`--sandbox`");
}

#[test]
fn a_kept_plan_is_for_its_own_region_alone() {
    let place = Place::new();
    let served = healthy(&place, &[]);
    let (_, file) = kept(&place, &served);
    let mut command = served.command(&place, &["migrate", &file, "--yes"]);
    command.env("AWS_REGION", "eu-west-1");
    let said: Said = command.output().expect("the program starts").into();
    said.ends_with(6).says("region was us-east-1, is eu-west-1");
    assert_untouched(&served);
}

#[test]
fn an_endpoint_that_is_no_url_is_named() {
    let place = Place::new();
    for value in ["", "localhost:4566"] {
        let mut command = place.command(&["cost", "--from", "demo", "--region", "us-east-1"]);
        command.env("AWS_ENDPOINT_URL", value);
        let said: Said = command.output().expect("the program starts").into();
        said.ends_with(5).says("AWS_ENDPOINT_URL").says("unset AWS_ENDPOINT_URL");
    }
}

/// A plan of the migration, kept in a file.
fn kept(place: &Place, served: &Served) -> (std::path::PathBuf, String) {
    let path = place.path("plan.json");
    let file = path.to_str().expect("UTF-8").to_owned();
    let said = plan(served, place, &["--out", &file]);
    assert!(matches!(said.code, Some(0 | 8)), "{}", said.all());
    (path, file)
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).expect("the file").permissions().mode() & 0o777
}

/// Somebody else changes a parameter.
fn put_parameter(served: &Served, name: &str, value: &str) {
    let arguments = ["ssm", "put-parameter", "--name", name, "--value", value, "--overwrite"];
    stranger(served, "aws", &arguments).ends_with(0);
}
