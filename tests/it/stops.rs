//! What a run that is stopped, asks, or is looked at from elsewhere tells: nothing but what is so.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::program::{BINARY, Place, Served, eventually, signal};

const QUICKSTART: &str = "playbooks/quickstart.yaml";

const ASKS: &str = "\
playbook: v1
name: asks
steps:
  - id: go
    approve: { message: Go on? }
  - id: rest
    pause: { for: 1h }
outputs:
  said: \"${{ steps.go.approved_by }}\"
";

fn asks(place: &Place) -> String {
    text(place.write("asks.yaml", ASKS))
}

fn rests(place: &Place) -> String {
    let steps = "playbook: v1\nname: rests\nsteps:\n  - id: rest\n    pause: { for: 1h }\n";
    text(place.write("rests.yaml", steps))
}

fn text(path: PathBuf) -> String {
    path.into_os_string().into_string().expect("UTF-8")
}

fn only_run(place: &Place) -> String {
    let mut runs = place.runs();
    assert_eq!(runs.len(), 1, "one run");
    runs.remove(0)
}

#[test]
fn the_certificate_of_a_sandbox_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    let served = Served::start(&place, &[QUICKSTART]);
    let (_, ca) = served.environment.iter().find(|(name, _)| name == "SSL_CERT_FILE").unwrap();
    let mode = std::fs::metadata(ca).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "{ca}");
}

/// A sandbox with nothing in it: enough to be somebody.
fn empty(place: &Place) -> Served {
    Served::start(place, &["--no-servers"])
}

#[test]
fn a_run_at_work_is_said_to_run() {
    let place = Place::new();
    let served = empty(&place);
    let file = rests(&place);
    let mut child = served.command(&place, &["run", &file]).stdout(Stdio::null()).spawn().unwrap();
    eventually("it rests", || place.runs().len() == 1 && waits(&served, &place));
    let status = served.run(&place, &["status"]);
    status.ends_with(0).says("rests is running.").says("a process is working on it");
    assert!(!status.out.contains("stopped"), "{}", status.all());
    let refused = served.run(&place, &["rollback", "--yes"]);
    refused.ends_with(6).says("another process");
    assert!(!refused.out.contains("To be undone"), "{}", refused.all());
    signal(&child, 2);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    served.run(&place, &["status"]).says("rests stopped on its way.");
}

fn waits(served: &Served, place: &Place) -> bool {
    served.run(place, &["status"]).out.contains("pause")
}

#[test]
fn an_answer_is_told_until_the_run_goes_on() {
    for (flag, word, then) in [
        ("--comment=x", "was approved at step \"go\"", "go on where it stopped"),
        ("--reject", "was rejected at step \"go\"", "roll back, because step \"go\" was rejected"),
    ] {
        let place = Place::new();
        let served = empty(&place);
        let file = asks(&place);
        served.run(&place, &["run", &file]).ends_with(7).says("waits for an approval");
        served.run(&place, &["approve", flag]).ends_with(0);
        let status = served.run(&place, &["status"]);
        status.says(word).says(then);
        assert!(!status.out.contains("waits for an approval"), "{}", status.all());
        served.run(&place, &["runs"]).says(": resume");
    }
}

/// A terminal is what is tested here; `script` (util-linux) makes one.
#[test]
fn ctrl_c_at_a_question_leaves_the_run_waiting() {
    let place = Place::new();
    let served = empty(&place);
    let file = asks(&place);
    let mut command = Command::new("script");
    command
        .args(["-qefc", &format!("exec {BINARY} run {file}"), "/dev/null"])
        .envs(served.command(&place, &[]).get_envs().filter_map(|(k, v)| Some((k, v?))))
        .env("TERM", "xterm")
        .env("SHELL", "/bin/sh")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = command.spawn().expect("`script` is there");
    let mut out = child.stdout.take().unwrap();
    let mut seen = String::new();
    let mut bytes = [0_u8; 4096];
    while !seen.contains("leaves the run waiting") {
        let read = out.read(&mut bytes).unwrap();
        assert!(read > 0, "it ended before it asked:\n{seen}");
        seen.push_str(&String::from_utf8_lossy(&bytes[..read]));
    }
    let elsewhere = served.run(&place, &["status"]);
    elsewhere.says("on the terminal where it runs").says("orchestrate approve");
    let mut keys = child.stdin.take().unwrap();
    keys.write_all(b"\x03").unwrap();
    std::thread::spawn(move || std::io::copy(&mut out, &mut std::io::sink()));
    eventually("it ends", || child.try_wait().unwrap().is_some());
    assert_eq!(child.wait().unwrap().code(), Some(7));
    served.run(&place, &["status"]).says("orchestrate approve").says("Nothing runs meanwhile");
}

#[test]
fn a_run_begun_with_nohup_outlives_its_terminal() {
    let place = Place::new();
    let served = empty(&place);
    let file = rests(&place);
    let mut command = Command::new("nohup");
    let mut child = command
        .args([BINARY, "run", &file])
        .envs(served.command(&place, &[]).get_envs().filter_map(|(k, v)| Some((k, v?))))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    eventually("it rests", || place.runs().len() == 1 && waits(&served, &place));
    signal(&child, 1);
    std::thread::sleep(Duration::from_millis(500));
    assert!(child.try_wait().unwrap().is_none(), "SIGHUP ended it");
    signal(&child, 15);
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn inputs_are_taken_only_from_a_run_whose_results_stand() {
    let place = Place::new();
    let served = empty(&place);
    let file = asks(&place);
    served.run(&place, &["run", &file]).ends_with(7);
    let run = only_run(&place);
    let plan = ["plan", &file, "--inputs-from", &run];
    served.run(&place, &plan).ends_with(6).says("has not succeeded");
    served.run(&place, &["rollback", "--yes", &run]).ends_with(0);
    served.run(&place, &plan).ends_with(6).says("was rolled back");
}

#[test]
fn an_approval_is_not_taken_for_a_sandbox_that_is_gone() {
    let place = Place::new();
    let file = asks(&place);
    place.run(&["run", "--sandbox", &file]).ends_with(7);
    place.run(&["approve"]).ends_with(6).says("that sandbox ended with the process");
}

#[test]
fn a_run_killed_inside_the_pivot_may_have_moved_the_applications() {
    let place = Place::new();
    let served = Served::start(&place, &["--speed", "4000", "--no-servers", QUICKSTART]);
    let file = place.write("move.yaml", MOVE);
    let file = text(file);
    served.run(&place, &["migrate", "--yes", &file]).ends_with(0);
    let run = only_run(&place);
    // What a kill after the change and before its record leaves.
    let journal = std::fs::read_to_string(place.journal(&run)).unwrap();
    let cut = journal.lines().position(|line| line.contains("\"intended\"")).expect("an intent");
    let kept: String = journal.lines().take(cut + 1).map(|line| format!("{line}\n")).collect();
    std::fs::write(place.journal(&run), kept).unwrap();
    served
        .run(&place, &["status"])
        .says("may have been switched over, or not")
        .says(&format!("rollback {run} --past-pivot"));
    served.run(&place, &["rollback", "--yes"]).ends_with(5).says("may have moved");
    served
        .run(&place, &["rollback", "--yes", "--past-pivot"])
        .ends_with(0)
        .says("names the old endpoint again");
}

/// Nothing but the pivot.
const MOVE: &str = "\
playbook: v1
name: move
steps:
  - id: switch
    accept_no_way_back: true
    endpoint.swap:
      to: new.example.com:6379
      targets:
        - ssm_parameter: /demo/redis/endpoint
";

#[test]
fn a_command_that_cannot_connect_names_the_account_of_the_run() {
    let place = Place::new();
    let served = empty(&place);
    let file = asks(&place);
    served.run(&place, &["run", &file]).ends_with(7);
    let mut nowhere = served.command(&place, &["resume"]);
    let said = crate::program::Said::from(nowhere.env_remove("AWS_REGION").output().unwrap());
    said.ends_with(5).says("works in account 123456789012, region us-east-1");
}

#[test]
fn a_file_that_is_not_there_is_told_to_machines_too() {
    let place = Place::new();
    let said = place.run(&["validate", "--json", "/nonexistent.yaml"]);
    let line: serde_json::Value = serde_json::from_str(said.ends_with(3).out.trim()).unwrap();
    assert_eq!(line["event"], "error", "{}", said.all());
}

#[test]
fn two_unfinished_runs_do_not_rely_on_one_stop_of_writes() {
    let inputs = crate::world::inputs("serverless-to-memorydb");
    let mut serverless = vec!["playbooks/serverless-to-memorydb.yaml"];
    serverless.extend(inputs.iter().flat_map(|input| ["--input", input.as_str()]));
    let group = "replication group \"demo\"";
    let cache = "serverless cache \"prod\"";
    for (playbook, source) in [(vec![QUICKSTART], group), (serverless, cache)] {
        let place = Place::new();
        let mut sandbox = vec!["--speed", "60"];
        sandbox.extend(&playbook);
        let served = Served::start(&place, &sandbox);
        let mut migrate = vec!["migrate", "--yes"];
        migrate.extend(&playbook);
        let mut first = served.command(&place, &migrate).stdout(Stdio::null()).spawn().unwrap();
        eventually("the first run is at work", || served.effects("ModifyUser") > 0);
        let run = only_run(&place);
        let refused = || served.run(&place, &migrate);
        let said = refused();
        said.ends_with(6).says(&format!("run {run} works on {source} too"));
        said.says("the source take writes again");
        signal(&first, 2);
        first.wait().unwrap();
        refused().ends_with(6);
        assert_eq!(place.runs(), [run], "no second run was begun");
    }
}

#[test]
fn a_run_that_never_began_is_told_to_have_changed_nothing() {
    let place = Place::new();
    let folder = place.state().join("runs/0wh61xxwts");
    std::fs::create_dir_all(&folder).unwrap();
    place.run(&["status"]).ends_with(74).says("nothing was changed in AWS by it");
    std::fs::write(folder.join("journal.jsonl"), "{\"crc\":").unwrap();
    place.run(&["status"]).ends_with(74).says("nothing was changed in AWS by it");
}

/// A playbook whose one step sleeps for ten minutes and a fraction that nobody else sleeps for.
fn sleeps(place: &Place, more: &str) -> (String, String) {
    let seconds = format!(
        "600.{:06}",
        place.state().to_string_lossy().bytes().fold(7u32, |sum, byte| {
            sum.wrapping_mul(31).wrapping_add(u32::from(byte)) % 1_000_000
        })
    );
    let steps = format!(
        "playbook: v1\nname: sleeps\nsteps:\n  - id: nap\n{more}    exec: {{ command: [/bin/sleep, '{seconds}'], limit: 10m }}\n"
    );
    (text(place.write("sleeps.yaml", steps)), seconds)
}

/// Whether some process has this among its arguments.
fn at_work(argument: &str) -> bool {
    let processes = std::fs::read_dir("/proc").expect("proc is there").filter_map(Result::ok);
    let lines = processes.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines
        .into_iter()
        .any(|line| line.split(|byte| *byte == 0).any(|arg| arg == argument.as_bytes()))
}

#[test]
fn a_command_is_killed_when_the_run_is_stopped_and_when_its_step_s_time_is_up() {
    let place = Place::new();
    let served = empty(&place);
    let (file, seconds) = sleeps(&place, "");
    let mut child =
        served.command(&place, &["run", "--yes", &file]).stdout(Stdio::null()).spawn().unwrap();
    eventually("it sleeps", || at_work(&seconds));
    signal(&child, 2);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(!at_work(&seconds), "the command outlived its run");
    served.run(&place, &["status"]).says("sleeps stopped on its way.");

    let place = Place::new();
    let served = empty(&place);
    let (file, seconds) = sleeps(&place, "    timeout: 2s\n");
    let said = served.run(&place, &["run", "--yes", &file]);
    said.says("command /bin/sleep was killed").says("time is up");
    assert!(!at_work(&seconds), "the command outlived its step");
}
