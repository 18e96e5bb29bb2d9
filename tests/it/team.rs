//! A team's state: real processes over loopback, with homes of their own, that share nothing but a bucket.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::program::{Place, Said, Served, eventually, signal};

const QUICKSTART: &str = "playbooks/quickstart.yaml";
/// In the bucket that the quickstart needs, which the sandbox has for it.
const STATE: &str = "s3://demo-migration/team/a";

/// A machine: its own home, and the shared state.
struct Machine {
    place: Place,
    lease: &'static str,
}

impl Machine {
    fn new(lease: &'static str) -> Self {
        Self { place: Place::new(), lease }
    }

    fn command(&self, served: &Served, arguments: &[&str]) -> std::process::Command {
        let mut command = served.command(&self.place, arguments);
        command
            .env_remove("ORCHESTRATE_STATE_DIR")
            .env("ORCHESTRATE_STATE", STATE)
            .env("ORCHESTRATE_LEASE_SECONDS", self.lease);
        command
    }

    fn run(&self, served: &Served, arguments: &[&str]) -> Said {
        self.command(served, arguments).output().expect("the program starts").into()
    }

    fn start(&self, served: &Served, arguments: &[&str]) -> Child {
        let mut command = self.command(served, arguments);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts")
    }

    /// The state of the only run, as `status` tells it.
    fn status(&self, served: &Served) -> Value {
        let said = self.run(served, &["status", "--json"]);
        serde_json::from_str(said.ends_with(0).out.trim()).expect("JSON")
    }

    fn rests(&self, served: &Served) -> Option<String> {
        Some(self.status(served)["data"]["state"]["rest"]["rest"].as_str()?.to_owned())
    }
}

/// With real servers: the runs go on to their end, which compares every key.
fn sandbox(machine: &Machine, speed: &str) -> Served {
    Served::start(&machine.place, &["--speed", speed, QUICKSTART])
}

const MADE_ONCE: [&str; 3] = ["CreateSnapshot", "CopySnapshot", "CreateCluster"];

#[test]
fn a_laptop_that_dies_at_step_three_is_resumed_from_another_machine() {
    let laptop = Machine::new("4");
    let ci = Machine::new("4");
    let served = sandbox(&laptop, "400");
    let mut child = laptop.start(&served, &["migrate", "--yes", QUICKSTART]);
    eventually("step three, the export, is begun", || served.effects("CopySnapshot") == 1);
    child.kill().expect("it can be killed");
    child.wait().expect("it ends");
    let world = served.ask("world").to_string();
    assert!(world.contains("/journal/00000001.json"), "the journal is in the bucket");
    let began = Instant::now();
    let resumed = ci.run(&served, &["resume"]);
    resumed.ends_with(0).says("quickstart succeeded").says("waiting up to");
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    resumed.says("taken over by tester@");
    for operation in MADE_ONCE {
        assert_eq!(served.effects(operation), 1, "{operation}");
    }
    assert_eq!(laptop.rests(&served).as_deref(), Some("succeeded"), "both see the same");
    let state = &ci.status(&served)["data"]["state"];
    assert_eq!(state["epoch"], 2, "the second process wrote last");
    let world = served.ask("world").to_string();
    assert!(world.contains("orchestrate:epoch"), "what was made names the epoch");
    assert!(!laptop.place.state().exists(), "nothing is kept on the laptop");
}

#[test]
fn a_laptop_that_slept_while_its_run_was_taken_over_changes_nothing_when_it_wakes() {
    let laptop = Machine::new("4");
    let ci = Machine::new("4");
    let served = sandbox(&laptop, "400");
    let mut child = laptop.start(&served, &["migrate", "--yes", QUICKSTART]);
    eventually("the snapshot is begun", || served.effects("CreateSnapshot") == 1);
    // SIGSTOP and SIGCONT by number, as on every Linux that this is tested on.
    signal(&child, 19);
    ci.run(&served, &["resume"]).ends_with(0).says("taken over by tester@");
    let changes = || {
        let calls = served.ask("calls");
        let calls = calls.as_array().expect("calls").clone();
        let state = |call: &Value| call["resource"].to_string().contains("team/a/");
        calls.iter().filter(|call| call["mutating"] == true && !state(call)).count()
    };
    let before = changes();
    signal(&child, 18);
    let code = child.wait().expect("it ends").code();
    assert_eq!(code, Some(74), "it has lost its run");
    assert_eq!(changes(), before, "it changed nothing more");
    assert_eq!(ci.rests(&served).as_deref(), Some("succeeded"));
    for operation in MADE_ONCE {
        assert_eq!(served.effects(operation), 1, "{operation}");
    }
}

#[test]
fn a_run_that_is_being_worked_on_is_not_taken_by_another_machine() {
    let laptop = Machine::new("4");
    let ci = Machine::new("4");
    let served = sandbox(&laptop, "150");
    let mut child = laptop.start(&served, &["migrate", "--yes", QUICKSTART]);
    eventually("the snapshot is begun", || served.effects("CreateSnapshot") == 1);
    let refused = ci.run(&served, &["resume"]);
    refused.ends_with(6).says("is working on this run").says("orchestrate unlock");
    let rollback = ci.run(&served, &["rollback", "--yes"]);
    rollback.ends_with(6).says("is working on this run");
    assert_eq!(child.try_wait().expect("it is asked"), None, "the first one goes on");
    signal(&child, 2);
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    // It gave its lease up: nobody has to wait for its end.
    let said = ci.run(&served, &["rollback", "--yes"]);
    said.ends_with(0).says("rolled back");
    assert!(!said.err.contains("waiting up to"), "{}", said.all());
}

#[test]
fn a_broken_lock_lets_another_machine_go_on_at_once_and_is_in_the_journal() {
    let laptop = Machine::new("600");
    let ci = Machine::new("600");
    let served = sandbox(&laptop, "400");
    let mut child = laptop.start(&served, &["migrate", "--yes", QUICKSTART]);
    eventually("the snapshot is begun", || served.effects("CreateSnapshot") == 1);
    child.kill().expect("it can be killed");
    child.wait().expect("it ends");
    ci.run(&served, &["unlock", "--comment", " ", "--yes"]).ends_with(2);
    ci.run(&served, &["unlock", "--comment", "it burned"]).ends_with(2).says("no terminal");
    let said = ci.run(&served, &["unlock", "--comment", "it burned", "--yes"]);
    said.ends_with(0).says("is unlocked");
    ci.run(&served, &["unlock", "--comment", "again", "--yes"])
        .ends_with(0)
        .says("nothing to unlock");
    let resumed = ci.run(&served, &["resume"]);
    resumed.ends_with(0).says("quickstart succeeded");
    for operation in MADE_ONCE {
        assert_eq!(served.effects(operation), 1, "{operation}");
    }
    assert_eq!(ci.status(&served)["data"]["state"]["epoch"], 3);
}

#[test]
fn a_run_is_paused_held_and_cancelled_from_another_machine() {
    let laptop = Machine::new("8");
    let ci = Machine::new("8");
    let served = sandbox(&laptop, "400");
    let mut child = laptop.start(&served, &["migrate", "--yes", QUICKSTART]);
    eventually("the run is begun", || served.effects("ModifyUser") > 0);
    ci.run(&served, &["hold", "--before", "nothing"]).ends_with(2).says("its steps are: freeze");
    let held = ci.run(&served, &["hold", "--before", "cluster", "-m", "the DBA is asleep"]);
    held.ends_with(0).says("will be held before step \"cluster\"");
    ci.run(&served, &["pause"]).ends_with(0).says("pauses");
    let calls = |served: &Served| {
        let calls = served.ask("calls");
        let calls = calls.as_array().expect("calls").clone();
        calls.iter().filter(|call| call["service"] == "elasticache").count()
    };
    std::thread::sleep(Duration::from_millis(300));
    let before = calls(&served);
    std::thread::sleep(Duration::from_millis(2_500));
    assert_eq!(calls(&served), before, "a paused run looks at nothing");
    assert_eq!(
        ci.run(&served, &["status"]).ends_with(0).says("is paused by tester@").code,
        Some(0)
    );
    ci.run(&served, &["resume"]).ends_with(0).says("goes on");
    eventually("the check is done", || {
        ci.status(&served)["data"]["next"][0]["why"].to_string().contains("held before step")
    });
    std::thread::sleep(Duration::from_millis(1_000));
    assert_eq!(served.effects("CreateCluster"), 0, "held");
    ci.run(&served, &["resume"]).ends_with(0).says("goes on with step \"cluster\"");
    eventually("the cluster is begun", || served.effects("CreateCluster") == 1);
    ci.run(&served, &["cancel", "-m", "not today"]).ends_with(0).says("is cancelled");
    assert_eq!(child.wait().expect("it ends").code(), Some(1), "rolled back");
    assert_eq!(ci.rests(&served).as_deref(), Some("cancelled"));
    ci.run(&served, &["status"]).ends_with(0).says("was cancelled by tester@");
    ci.run(&served, &["cancel"]).ends_with(6).says("it is finished");
    assert_eq!(served.effects("DeleteCluster"), 1);
}

#[test]
fn a_run_in_a_directory_is_paused_and_cancelled_from_another_terminal() {
    let place = Place::new();
    let served = Served::start(&place, &["--speed", "60", QUICKSTART]);
    let mut command = served.command(&place, &["migrate", "--yes", QUICKSTART]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    eventually("the snapshot is begun", || served.effects("CreateSnapshot") == 1);
    served.run(&place, &["pause"]).ends_with(0).says("pauses");
    let locked = served.run(&place, &["unlock", "--comment", "x", "--yes"]);
    locked.ends_with(6).says("alive on this machine");
    served.run(&place, &["resume"]).ends_with(0).says("goes on");
    served.run(&place, &["cancel"]).ends_with(0).says("is cancelled");
    assert_eq!(child.wait().expect("it ends").code(), Some(1));
    let run = place.runs().pop().expect("a run");
    let world = served.ask("world").to_string();
    assert!(!world.contains(&format!("orc-{run}")), "something is left over");
    served.run(&place, &["pause"]).ends_with(6).says("it is finished");
}

#[test]
fn the_stop_lever_stops_every_change_and_the_run_goes_on_once_it_is_released() {
    let laptop = Machine::new("8");
    let served = sandbox(&laptop, "150");
    let mut child = laptop.start(&served, &["migrate", "--yes", QUICKSTART]);
    eventually("the snapshot is begun", || served.effects("CreateSnapshot") == 1);
    let engaged = laptop.run(&served, &["lever", "engage", "--comment", "the bill"]);
    engaged.ends_with(0).says("ENGAGED");
    assert_eq!(child.wait().expect("it ends").code(), Some(130), "stopped, to be resumed");
    assert_eq!(served.effects("CopySnapshot"), 0, "the change after the lever did not leave");
    let status = laptop.run(&served, &["status"]);
    status.ends_with(0).says("the stop lever of account 123456789012").says("the bill");
    laptop.run(&served, &["resume"]).ends_with(5).says("is engaged");
    laptop.run(&served, &["rollback", "--yes"]).ends_with(5).says("is engaged");
    // Whatever somebody writes in a hurry engages it.
    let loose = ["lever", "release", "--comment", "paid"];
    laptop.run(&served, &loose).ends_with(0).says("released");
    laptop.run(&served, &["lever", "status"]).ends_with(0).says("released (released by tester@");
    laptop.run(&served, &["resume"]).ends_with(0).says("quickstart succeeded");
    for operation in MADE_ONCE {
        assert_eq!(served.effects(operation), 1, "{operation}");
    }
}

#[test]
fn two_playbooks_do_not_work_on_one_replication_group_at_once() {
    let laptop = Machine::new("8");
    let ci = Machine::new("8");
    let served = sandbox(&laptop, "150");
    let other = ci.place.write(
        "backup.yaml",
        "playbook: v1\nname: backup\nsteps:\n  - id: snapshot\n    elasticache.create_snapshot: { replication_group: Demo }\n",
    );
    let other = other.display().to_string();
    let mut child = laptop.start(&served, &["migrate", "--yes", QUICKSTART]);
    eventually("the run is begun", || served.effects("ModifyUser") > 0);
    let run = laptop.status(&served)["data"]["state"]["header"]["run"].clone();
    let run = run.as_str().expect("a run").to_owned();
    let refused = ci.run(&served, &["run", "--yes", &other]);
    refused.ends_with(6).says(&format!("run {run} works on replication group \"demo\" too"));
    refused.says("it carries out quickstart, begun by tester@").says("orchestrate status");
    eventually("the snapshot is begun", || served.effects("CreateSnapshot") == 1);
    signal(&child, 2);
    child.wait().expect("it ends");
    ci.run(&served, &["run", "--yes", &other]).ends_with(6).says("is not finished");
    laptop.run(&served, &["rollback", "--yes"]).ends_with(0);
    ci.run(&served, &["run", "--yes", &other]).ends_with(0).says("backup succeeded");
    // The way back of a run that was done, too, is not gone while another works there.
    assert_eq!(served.effects("CreateSnapshot"), 2);
}

#[test]
fn a_bucket_that_cannot_be_used_is_told_with_what_to_do() {
    let laptop = Machine::new("8");
    let served = sandbox(&laptop, "150");
    let missing = laptop.run(&served, &["runs", "--state", "s3://acme-nowhere/x"]);
    missing.ends_with(74).says("create bucket \"acme-nowhere\"");
    let begin = ["migrate", "--yes", QUICKSTART, "--state", "s3://acme-nowhere/x"];
    laptop.run(&served, &begin).ends_with(74).says("nothing was changed");
    assert_eq!(served.effects("ModifyUser"), 0);
    laptop.run(&served, &["runs", "--state", "gs://x/y"]).ends_with(2).says("only s3://");
    laptop.run(&served, &["runs"]).ends_with(0).says("no runs yet");
}
