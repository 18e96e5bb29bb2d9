//! Real processes over loopback: the quickstart with real servers, kills, signals.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::program::{Place, Said, Served, eventually, processes_with, signal};

const QUICKSTART: &str = "playbooks/quickstart.yaml";

fn start_migration(served: &Served, place: &Place) -> Child {
    served
        .command(place, &["migrate", "--yes", QUICKSTART])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the migration starts")
}

#[test]
fn the_quickstart_moves_real_servers_in_one_process() {
    let place = Place::new();
    let said = place.run(&["migrate", "--sandbox", QUICKSTART]);
    said.ends_with(0).says("quickstart succeeded").says("redis-server");
    assert!(!said.out.contains("sandbox-password"), "a secret was shown");
    let run = place.runs().pop().expect("a run");
    let journal = std::fs::read_to_string(place.journal(&run)).expect("its journal");
    assert!(!journal.contains("sandbox-password"), "a secret was journaled");
    let compared = journal
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON lines"))
        .find(|line| line["record"]["step"] == "compare" && line["record"]["type"] == "succeeded")
        .expect("the comparison succeeded");
    let output = &compared["record"]["output"];
    assert!(output["compared"].as_u64() >= Some(10_000), "{output}");
    assert_eq!(output["source_keys"], output["target_keys"]);
}

#[test]
fn a_serverless_cache_is_moved_with_real_servers_and_every_key_compared() {
    let place = Place::new();
    let inputs = crate::world::inputs("serverless-to-memorydb");
    let mut arguments = vec!["migrate", "--sandbox", "playbooks/serverless-to-memorydb.yaml"];
    arguments.extend(inputs.iter().flat_map(|input| ["--input", input.as_str()]));
    let said = place.run(&arguments);
    said.ends_with(0).says("serverless-to-memorydb succeeded").says("redis-server");
    let run = place.runs().pop().expect("a run");
    let journal = std::fs::read_to_string(place.journal(&run)).expect("its journal");
    let output = |step: &str| {
        let lines = journal.lines();
        lines
            .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON lines"))
            .find(|line| line["record"]["step"] == step && line["record"]["type"] == "succeeded")
            .expect("the step succeeded")["record"]["output"]
            .clone()
    };
    assert_eq!(output("export")["objects"].as_array().map(Vec::len), Some(2));
    let compared = output("compare");
    assert!(compared["compared"].as_u64() >= Some(10_000), "{compared}");
    assert_eq!(compared["source_keys"], compared["target_keys"]);
}

#[test]
fn the_quickstart_runs_unchanged_over_loopback_and_nothing_outlives_the_sandbox() {
    let place = Place::new();
    let served = Served::start(&place, &["--speed", "400", QUICKSTART]);
    served.run(&place, &["migrate", "--yes", QUICKSTART]).ends_with(0).says("succeeded");
    let world = served.ask("world").to_string();
    assert!(world.contains("demo-mdb"), "{world}");
    for operation in ["CreateSnapshot", "CopySnapshot", "CreateCluster"] {
        assert_eq!(served.effects(operation), 1, "{operation}");
    }
    let mark = format!("orchestrate-sandbox-{}", served.pid());
    let servers = processes_with("redis-server");
    assert!(!servers.is_empty(), "real servers are running");
    served.kill();
    eventually("every server is gone", || processes_with(&mark).is_empty());
}

#[test]
fn killed_at_any_instant_the_run_is_taken_up_and_makes_nothing_twice() {
    // With real servers, which take the time they take; what the program itself waits for passes twenty times as fast.
    let hurried = |mut command: Command| {
        command.env("ORCHESTRATE_TEST_CLOCK", "20");
        command
    };
    for millis in [150, 500, 1_000, 1_700, 2_600] {
        let place = Place::new();
        let served = Served::start(&place, &["--speed", "400", QUICKSTART]);
        let mut child = hurried(served.command(&place, &["migrate", "--yes", QUICKSTART]))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the migration starts");
        std::thread::sleep(Duration::from_millis(millis));
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
        let Some(run) = place.runs().pop() else { continue };
        let status = served.run(&place, &["status", &run]);
        if !status.out.contains("orchestrate resume") {
            // Nothing to resume: it was done, or had not written its first record.
            assert!(
                status.out.contains("succeeded") || status.code == Some(74),
                "{}",
                status.all()
            );
            continue;
        }
        let resumed = hurried(served.command(&place, &["resume", &run])).output();
        let resumed = Said::from(resumed.expect("it starts"));
        assert_eq!(resumed.code, Some(0), "killed after {millis} ms\n{}", resumed.all());
        for operation in ["CreateSnapshot", "CopySnapshot", "CreateCluster"] {
            assert_eq!(served.effects(operation), 1, "{operation}, killed after {millis} ms");
        }
    }
}

#[test]
fn one_signal_drains_the_run_which_status_then_tells_how_to_go_on_or_back() {
    let place = Place::new();
    let served = Served::start(&place, &["--speed", "60", QUICKSTART]);
    let mut child = start_migration(&served, &place);
    eventually("the snapshot is begun", || served.effects("CreateSnapshot") == 1);
    signal(&child, 2);
    let ended = child.wait().expect("it ends");
    assert_eq!(ended.code(), Some(130));
    let run = place.runs().pop().expect("a run");
    let status = served.run(&place, &["status", &run]);
    status.ends_with(0).says("orchestrate resume").says("orchestrate rollback");
    served.run(&place, &["rollback", "--yes", &run]).ends_with(0).says("rolled back");
    let world = served.ask("world").to_string();
    assert!(!world.contains(&format!("orc-{run}")), "something is left over: {world}");
}

#[test]
fn two_signals_end_the_process_at_once() {
    let place = Place::new();
    let served = Served::start(&place, &["--speed", "10", QUICKSTART]);
    let mut child = start_migration(&served, &place);
    eventually("the snapshot is begun", || served.effects("CreateSnapshot") == 1);
    signal(&child, 15);
    signal(&child, 15);
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
}
