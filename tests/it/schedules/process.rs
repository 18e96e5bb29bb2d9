//! Real processes: occurrences by command, `serve`, and a `kill -9` every few seconds.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::program::{Place, Served, signal};

/// Takes a snapshot: a change of the account that can be counted, and fewer than the twenty that a day allows.
fn playbook(name: &str, schedule: &str) -> String {
    format!(
        "playbook: v1\nname: {name}\nschedule:\n{schedule}steps:\n  - id: snapshot\n    elasticache.create_snapshot: {{ replication_group: demo }}\n"
    )
}

fn sandbox(place: &Place, playbook: &str) -> Served {
    Served::start(place, &["--speed", "600", "--no-servers", playbook])
}

/// A run takes some seconds, one that is taken back a minute.
fn eventually(what: &str, mut so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < Duration::from_secs(120), "never happened: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn head(place: &Place, name: &str) -> Value {
    let path = place.state().join("schedules").join(name).join("head.json");
    let text = std::fs::read_to_string(path).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

/// What is written down of the occurrences that ended.
fn ended(place: &Place, name: &str) -> Vec<Value> {
    let folder = place.state().join("schedules").join(name).join("occurrences");
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut all: Vec<Value> = entries
        .filter_map(|entry| {
            let path = entry.expect("an entry").path();
            let json = path.extension().is_some_and(|ending| ending == "json");
            json.then(|| {
                serde_json::from_slice(&std::fs::read(path).expect("it reads")).expect("JSON")
            })
        })
        .collect();
    all.sort_by_key(|occurrence| occurrence["at"].as_str().map(str::to_owned));
    all
}

#[test]
fn an_occurrence_is_carried_out_once_however_many_commands_name_it() {
    let place = Place::new();
    let file = place.write("p.yaml", playbook("once", "  cron: \"0 * * * *\"\n"));
    let file = file.to_str().expect("UTF-8");
    let served = sandbox(&place, file);
    let at = "2026-11-23T02:00:00Z";
    let command = ["run", "--yes", "--occurrence", at, file];
    let mut children: Vec<Child> = (0..3)
        .map(|_| {
            let mut command = served.command(&place, &command);
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts")
        })
        .collect();
    let codes: Vec<i32> =
        children.iter_mut().map(|c| c.wait().expect("it ends").code().expect("a code")).collect();
    assert!(codes.contains(&0) && codes.iter().all(|code| [0, 6].contains(code)), "{codes:?}");
    let again = served.run(&place, &command);
    again.ends_with(0).says("already ran: run ").says("succeeded");
    assert_eq!((served.effects("CreateSnapshot"), place.runs().len()), (1, 1));
    // The next one is another.
    served
        .run(&place, &["run", "--yes", "--occurrence", "2026-11-23T03:00:00Z", file])
        .ends_with(0);
    assert_eq!(served.effects("CreateSnapshot"), 2);
    served
        .run(&place, &["run", "--yes", "--occurrence", "2026-11-23T03:30:00Z", file])
        .ends_with(2)
        .says("the nearest are 2026-11-23T03:00:00Z and 2026-11-23T04:00:00Z");
    served
        .run(&place, &["run", "--yes", "--occurrence", "2099-01-01T00:00:00Z", file])
        .ends_with(2);
}

#[test]
fn a_killed_occurrence_is_taken_up_by_the_next_command_and_not_begun_again() {
    let place = Place::new();
    let file = place.write("p.yaml", playbook("killed", "  cron: \"0 * * * *\"\n"));
    let file = file.to_str().expect("UTF-8");
    let served = sandbox(&place, file);
    for (hour, millis) in [(1, 60), (2, 250), (3, 700), (4, 1500), (5, 2500)] {
        let at = format!("2026-11-23T{hour:02}:00:00Z");
        let command = ["run", "--yes", "--occurrence", &at, file];
        let mut child = served
            .command(&place, &command)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        std::thread::sleep(Duration::from_millis(millis));
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
        let said = served.run(&place, &command);
        assert_eq!(said.code, Some(0), "killed after {millis} ms\n{}", said.all());
        assert_eq!(served.effects("CreateSnapshot"), hour, "killed after {millis} ms");
        assert_eq!(ended(&place, "killed").len(), hour);
    }
}

#[test]
fn a_failed_occurrence_pauses_and_is_filled_in_and_what_has_a_success_is_left_alone() {
    let place = Place::new();
    let text = playbook("filled", "  cron: \"0 * * * *\"\n  pause_on_failure: true\n");
    let file = place.write("p.yaml", &text);
    let file = file.to_str().expect("UTF-8");
    let served = sandbox(&place, file);
    let run = |at: &str| served.run(&place, &["run", "--yes", "--occurrence", at, file]);
    run("2026-11-23T01:00:00Z").ends_with(0);
    // An assertion that fails once everything before it was done.
    let failing = format!(
        "{text}  - id: never\n    assert: {{ that: [{{ value: \"${{{{ steps.snapshot.name }}}}\", equals: other }}], message: as planned }}\n"
    );
    std::fs::write(file, failing).expect("written");
    run("2026-11-23T02:00:00Z").ends_with(1);
    run("2026-11-23T02:00:00Z").ends_with(1).says("already ran");
    run("2026-11-23T03:00:00Z").ends_with(6).says("is paused");
    std::fs::write(file, &text).expect("written");
    let list = served.run(&place, &["schedule", "list", file]);
    list.ends_with(0).says("paused by pause_on_failure").says("rolled back").says("succeeded");
    served.run(&place, &["schedule", "resume", file]).ends_with(0);
    let span = [
        "schedule",
        "backfill",
        file,
        "--from",
        "2026-11-23T01:00:00Z",
        "--to",
        "2026-11-23T03:00:00Z",
    ];
    // Without a yes it shows what it would do, and does nothing.
    let shown = served.run(&place, &span);
    shown.ends_with(2).says("2 of 3").says("2026-11-23T02:00:00Z  again: it has failed");
    let before = served.effects("CreateSnapshot");
    let said = served.run(&place, &[span.as_slice(), &["--yes"]].concat());
    said.ends_with(0);
    assert_eq!(served.effects("CreateSnapshot"), before + 2);
    served.run(&place, &[span.as_slice(), &["--yes"]].concat()).ends_with(0).says("nothing to do");
    assert_eq!(served.effects("CreateSnapshot"), before + 2);
}

/// `serve` as a process.
struct Serving {
    child: Child,
    address: String,
}

impl Serving {
    fn start(served: &Served, place: &Place, dir: &str) -> Self {
        let mut command =
            served.command(place, &["serve", "--json", dir, "--listen", "127.0.0.1:0"]);
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
        let mut reader = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        reader.read_line(&mut line).expect("it says where it is");
        let said: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{line:?}: {e}"));
        std::thread::spawn(move || std::io::copy(&mut reader, &mut std::io::sink()));
        let address = said["data"]["address"].as_str().expect("an address").to_owned();
        Self { child, address }
    }

    fn ask(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .expect("sent");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("an answer");
        let code = text.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a code");
        (code, text.split_once("\r\n\r\n").expect("a body").1.to_owned())
    }

    fn metric(&self, name: &str) -> f64 {
        let text = self.ask("/metrics").1;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in\n{text}")).parse().expect("a number")
    }

    fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }
}

#[test]
fn serve_answers_health_and_metrics_and_reloads_without_dropping_what_runs() {
    let place = Place::new();
    let dir = place.path("playbooks");
    std::fs::create_dir(&dir).expect("a folder");
    let file = dir.join("p.yaml");
    let text = playbook("served", "  every: 3s\n  overlap: skip\n");
    std::fs::write(&file, &text).expect("written");
    let served = sandbox(&place, file.to_str().expect("UTF-8"));
    let mut serving = Serving::start(&served, &place, dir.to_str().expect("UTF-8"));
    eventually("an occurrence succeeded", || !ended(&place, "served").is_empty());
    assert_eq!(serving.ask("/healthz"), (200, "ok\n".to_owned()));
    assert_eq!(serving.ask("/elsewhere").0, 404);
    assert!(serving.metric("orchestrate_occurrences_submitted_total{playbook=\"served\"}") >= 1.0);
    assert!(
        serving.metric("orchestrate_runs_total{playbook=\"served\",outcome=\"succeeded\"}") >= 1.0
    );
    assert!(serving.metric("orchestrate_api_calls_total{service=\"ElastiCache\"}") >= 2.0);
    assert!(serving.metric("orchestrate_schedule_lag_seconds{playbook=\"served\"}") < 60.0);
    // What becomes invalid keeps its last good version, and says so.
    std::fs::write(&file, text.replace("every: 3s", "every: often")).expect("written");
    let invalid = format!("orchestrate_invalid_playbook{{file=\"{}\"}}", file.display());
    eventually("it is told", || serving.ask("/metrics").1.contains(&invalid));
    let before = ended(&place, "served").len();
    eventually("it goes on", || ended(&place, "served").len() > before + 1);
    // A playbook that is changed is taken in its new version; the run under way is not dropped.
    let slow = text.replace("every: 3s", "every: 1h");
    std::fs::write(&file, slow).expect("written");
    eventually("it is mended", || !serving.ask("/metrics").1.contains(&invalid));
    eventually("what ran has ended", || {
        head(&place, "served")["open"].as_array().is_some_and(Vec::is_empty)
    });
    for occurrence in ended(&place, "served") {
        assert_eq!(occurrence["runs"][0]["outcome"], "succeeded", "{occurrence}");
    }
    assert_eq!(head(&place, "served")["cadence"], "every 3600 s");
    // In order.
    signal(&serving.child, 15);
    let code = serving.child.wait().expect("it ends").code();
    assert_eq!(code, Some(0));
}

#[test]
fn metrics_tell_how_old_the_newest_verified_export_of_a_cluster_is() {
    let place = Place::new();
    let dir = place.path("playbooks");
    std::fs::create_dir(&dir).expect("a folder");
    let file = dir.join("p.yaml");
    let text = "playbook: v1\nname: exports\nschedule:\n  every: 3s\n  overlap: skip\nsteps:\n  - id: export\n    elasticache.export_latest: { replication_group: demo, bucket: exports }\n";
    std::fs::write(&file, text).expect("written");
    let served = sandbox(&place, file.to_str().expect("UTF-8"));
    let serving = Serving::start(&served, &place, dir.to_str().expect("UTF-8"));
    let age =
        "orchestrate_newest_verified_export_age_seconds{playbook=\"exports\",cluster=\"demo\"}";
    assert!(!serving.ask("/metrics").1.contains(age), "nothing is verified yet");
    eventually("an export was verified", || serving.ask("/metrics").1.contains(age));
    let first = serving.metric(age);
    assert!((0.0..120.0).contains(&first), "{first}");
    for service in ["ElastiCache", "S3"] {
        let of = |metric: &str| {
            serving.metric(&format!("orchestrate_api_{metric}_total{{service=\"{service}\"}}"))
        };
        assert!(of("calls") >= 2.0, "{service}");
        assert!(of("throttled") < 1.0, "{service}");
    }
    serving.kill();
}

#[test]
fn serve_stops_runs_where_the_next_start_goes_on_with_them() {
    let place = Place::new();
    let dir = place.path("playbooks");
    std::fs::create_dir(&dir).expect("a folder");
    let text = playbook("stopped", "  every: 2s\n")
        .replace("steps:\n", "steps:\n  - id: wait\n    pause: { for: 4s }\n");
    let file = dir.join("p.yaml");
    std::fs::write(&file, text).expect("written");
    let served = sandbox(&place, file.to_str().expect("UTF-8"));
    let dir = dir.to_str().expect("UTF-8");
    let mut serving = Serving::start(&served, &place, dir);
    eventually("a run has begun", || !place.runs().is_empty());
    std::thread::sleep(Duration::from_millis(500));
    signal(&serving.child, 15);
    assert_eq!(serving.child.wait().expect("it ends").code(), Some(0));
    let run = place.runs().remove(0);
    assert_eq!(head(&place, "stopped")["open"][0]["run"], Value::from(run.clone()));
    let serving = Serving::start(&served, &place, dir);
    eventually("the run is at its end", || {
        ended(&place, "stopped").iter().any(|o| o["runs"][0]["run"] == run.as_str())
    });
    serving.kill();
}

#[test]
fn serve_killed_every_few_seconds_for_two_minutes_loses_and_doubles_no_occurrence() {
    const PERIOD: i64 = 10;
    let place = Place::new();
    let dir = place.path("playbooks");
    std::fs::create_dir(&dir).expect("a folder");
    let schedule =
        format!("  every: {PERIOD}s\n  grace: 1s\n  catch_up: all\n  overlap: buffer_one\n");
    let file = dir.join("p.yaml");
    std::fs::write(&file, playbook("hunted", &schedule)).expect("written");
    let served = sandbox(&place, file.to_str().expect("UTF-8"));
    let dir = dir.to_str().expect("UTF-8");
    let begun = Instant::now();
    let mut kills = 0;
    // Not a multiple of anything: deaths fall everywhere.
    let lives = [3_100, 700, 4_300, 1_900, 5_300, 2_300, 3_700];
    while begun.elapsed() < Duration::from_secs(120) {
        let serving = Serving::start(&served, &place, dir);
        std::thread::sleep(Duration::from_millis(lives[kills % lives.len()]));
        serving.kill();
        kills += 1;
    }
    let mut last = Serving::start(&served, &place, dir);
    // Until all that came due in the two minutes has come to its end.
    let until = Timestamp::now();
    let instant = |value: &Value| value.as_str().and_then(|at| at.parse::<Timestamp>().ok());
    let settled = || {
        let head = head(&place, "hunted");
        let open = head["open"].as_array().cloned().unwrap_or_default();
        let mut left = open.iter().map(|open| &open["at"]).chain([&head["buffered"]]);
        let early = left.any(|at| instant(at).is_some_and(|at| at <= until));
        instant(&head["decided"]).is_some_and(|decided| decided > until) && !early
    };
    let waited = Instant::now();
    while !settled() {
        assert!(
            waited.elapsed() < Duration::from_secs(180),
            "never settled: {}",
            head(&place, "hunted")
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    signal(&last.child, 15);
    last.child.wait().expect("it ends");
    let head = head(&place, "hunted");
    let all = ended(&place, "hunted");
    let times: BTreeSet<Timestamp> =
        all.iter().filter_map(|occurrence| instant(&occurrence["at"])).collect();
    // Every time from the first one on has one run that succeeded; or, on a machine too slow for them, a reason.
    let mut holes = 0;
    let mut expected = *times.first().expect("some ran");
    while expected <= until {
        holes += u64::from(!times.contains(&expected));
        expected += SignedDuration::from_secs(PERIOD);
    }
    let reasons = head["tally"]["skipped"].as_object().cloned().unwrap_or_default();
    let left_out: u64 = reasons.values().filter_map(Value::as_u64).sum();
    assert!(reasons.keys().all(|why| why == "overlap"), "{reasons:?}");
    assert!(holes <= left_out, "{holes} are lost, {left_out} were left out: {}", head["skips"]);
    assert!(times.len() >= 8, "only {} in two minutes", times.len());
    let mut runs = BTreeSet::new();
    for occurrence in &all {
        let of = occurrence["runs"].as_array().expect("runs");
        assert_eq!((of.len(), &of[0]["outcome"]), (1, &"succeeded".into()), "{occurrence}");
        runs.insert(of[0]["run"].as_str().expect("a run").to_owned());
    }
    let open = head["open"].as_array().expect("a list").len();
    let named = head["open"].as_array().into_iter().flatten();
    runs.extend(named.filter_map(|open| open["run"].as_str().map(str::to_owned)));
    let there: BTreeSet<String> = place.runs().into_iter().collect();
    assert!(there.is_subset(&runs), "every run is that of an occurrence: {there:?}, {runs:?}");
    let effects = served.effects("CreateSnapshot");
    let right = (all.len()..=all.len() + open).contains(&effects);
    assert!(right, "{effects} snapshots for {} runs, {open} open", all.len());
    println!("{kills} kills, {} occurrences, {left_out} left out", all.len());
}
