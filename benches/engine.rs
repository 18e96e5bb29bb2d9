//! The figures of docs/figures.md about journal and engine alone: `cargo bench --bench engine`.
//!
//! - time to append a record and sync it, in the folder that BENCH_DIR names or else under target/;
//! - time to take up a journal of 10,000 records: lock, read, check, and replay;
//! - what the engine takes for a step that does nothing, with a journal in memory and with a synced one.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use orchestrate::engine::journal::{
    Change, Entry, FileJournal, Journal, MemoryJournal, Record, Resource, Rest, Role, encode,
};
use orchestrate::engine::{
    Clock, Cx, End, Engine, Failure, Finding, Kind, Kinds, Ledger, Outcome, Prepared, RunState,
};
use orchestrate::plan::{Effect, FORMAT, Plan, PlannedStep, Stage, Template, UndoPolicy, Writes};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

const APPENDS: usize = 3_000;
const RECORDS: usize = 10_000;
const STEPS: usize = 1_000;
const TIMES: usize = 11;

fn main() {
    let folder = std::env::var_os("BENCH_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from);
    let place = tempfile::tempdir_in(&folder).expect("a folder to measure in");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let (half, most, written) = appends(&place.path().join("appends.jsonl")).await;
        println!(
            "append and sync          p50 {half:.2} ms, p99 {most:.2} ms of {APPENDS} records of {written} bytes, on {}",
            file_system(&folder)
        );
        let (taken, bytes) = taken_up(&place.path().join("long.jsonl"));
        println!(
            "take up a journal        {taken:.1} ms for {RECORDS} records of {STEPS} steps, {:.1} MB, median of {TIMES}",
            bytes as f64 / 1e6
        );
        let mut memory = Vec::new();
        let mut synced = Vec::new();
        for nth in 0..TIMES {
            memory.push(run(Box::new(MemoryJournal::default())).await);
            let path = place.path().join(format!("run{nth}.jsonl"));
            synced.push(run(Box::new(FileJournal::create(&path).expect("a journal"))).await);
        }
        for (what, times) in [("in memory", memory), ("with syncs", synced)] {
            let wall = middle(times.iter().map(|(wall, _)| wall.as_secs_f64() * 1e3));
            let cpu = middle(times.iter().map(|(_, cpu)| cpu.as_secs_f64() * 1e3));
            println!(
                "a step, {what:<16} {:.3} ms by the clock, {:.3} ms of CPU, of {STEPS} steps that do nothing, median of {TIMES}",
                wall / STEPS as f64,
                cpu / STEPS as f64
            );
        }
    });
}

fn middle(times: impl Iterator<Item = f64>) -> f64 {
    let mut times: Vec<f64> = times.collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// A plan of steps in a row, each in a stage of its own.
fn plan() -> Plan {
    let step = |number: usize| PlannedStep {
        id: format!("step-{number}"),
        kind: "nothing".to_owned(),
        description: None,
        args: Template::Literal(json!({"cluster": "prod", "number": number})),
        timeout_secs: None,
        effect: Effect::Mutates(UndoPolicy::Undo),
        accept_no_way_back: false,
        keep: false,
    };
    let stages = (0..STEPS).map(|n| Stage { max_parallel: 1, lanes: vec![vec![step(n)]] });
    Plan {
        format: FORMAT,
        playbook: "long".to_owned(),
        description: None,
        digest: String::new(),
        guard: None,
        inputs: Map::new(),
        timeout_secs: None,
        writes: Writes::NotConcerned,
        guards: Vec::new(),
        stages: stages.collect(),
        outputs: None,
    }
}

fn header() -> Record {
    Record::Started {
        run: "01h3kq7xw2".parse().expect("a run id"),
        tool: "bench".to_owned(),
        by: "bench@host".to_owned(),
        account: "123456789012".to_owned(),
        region: "us-east-1".to_owned(),
        embedded: false,
        plan: Box::new(plan()),
    }
}

fn entry(seq: usize, record: Record) -> Entry {
    let at = "2026-11-23T03:00:00Z".parse().expect("a timestamp");
    Entry { seq: seq as u64, epoch: 1, at, record }
}

/// The ten records of a step that waits a little.
fn records(step: &str) -> Vec<Record> {
    let step = || step.to_owned();
    let seen = |state: &str| Record::Observed {
        step: step(),
        subject: "snapshot \"orc-01h3kq7xw2-snapshot\"".to_owned(),
        state: state.to_owned(),
    };
    let resource = Resource {
        what: "ElastiCache snapshot".to_owned(),
        name: "orc-01h3kq7xw2-snapshot".to_owned(),
        arn: Some("arn:aws:elasticache:us-east-1:123456789012:snapshot:orc".to_owned()),
        role: Role::Creates,
    };
    let prepared = json!({"name": "orc-01h3kq7xw2-snapshot", "replication_group": "prod"});
    let mut all = vec![
        Record::StepStarted { step: step(), attempt: 1 },
        Record::Intended { step: step(), prepared, resources: vec![resource] },
        Record::Noted { step: step(), note: json!({"call": "asked"}), part: Vec::new() },
        Record::Noted { step: step(), note: json!({"call": "taken"}), part: Vec::new() },
    ];
    all.extend(["(not found)", "creating", "copying", "modifying", "available"].map(seen));
    let output = json!({"name": "orc-01h3kq7xw2-snapshot", "endpoint": "prod.example.com:6379"});
    all.push(Record::Succeeded { step: step(), change: Change::Changed, output });
    all
}

/// Half and 99 of 100 appends take no longer, in milliseconds; and the mean length of a record.
async fn appends(path: &Path) -> (f64, f64, usize) {
    let mut journal = FileJournal::create(path).expect("a journal");
    journal.append(&entry(1, header())).await.expect("written");
    let (mut times, mut bytes) = (Vec::new(), 0);
    for (record, seq) in records("step-0").iter().cycle().zip(2..APPENDS + 2) {
        let entry = entry(seq, record.clone());
        bytes += encode(&entry).len();
        let begun = Instant::now();
        journal.append(&entry).await.expect("written");
        times.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    (times[APPENDS / 2], times[APPENDS * 99 / 100], bytes / APPENDS)
}

/// Milliseconds to take up a journal of many records, and its length.
fn taken_up(path: &Path) -> (f64, usize) {
    let of_steps = (0..STEPS).flat_map(|number| records(&format!("step-{number}")));
    let all = std::iter::once(header()).chain(of_steps).take(RECORDS);
    let text: String = all.zip(1..).map(|(record, seq)| encode(&entry(seq, record))).collect();
    std::fs::write(path, &text).expect("written");
    let times = (0..TIMES).map(|_| {
        let begun = Instant::now();
        let (journal, entries) = FileJournal::open(path).expect("it reads back");
        let state = RunState::replay(&entries).expect("it makes sense");
        let time = begun.elapsed().as_secs_f64() * 1e3;
        assert_eq!((entries.len(), state.seq), (RECORDS, RECORDS as u64));
        drop(journal);
        time
    });
    (middle(times), text.len())
}

/// A kind that does nothing, and every name is its own.
struct Nothing;

impl Kinds for Nothing {
    fn kind(&self, _: &str) -> Option<&dyn Kind> {
        Some(self)
    }
}

#[async_trait(?Send)]
impl Kind for Nothing {
    fn timeout(&self) -> Duration {
        Duration::from_secs(60)
    }

    async fn preflight(&self, _: &Value, _: &Cx) -> Vec<Finding> {
        Vec::new()
    }

    async fn prepare(&self, _: &Value, _: &Cx) -> Result<Prepared, Failure> {
        Ok(Prepared { value: json!({"name": "nothing"}), resources: Vec::new() })
    }

    async fn execute(&self, _: &Value, _: &Value, _: &Cx) -> Result<Outcome, Failure> {
        Ok(Outcome::Done { change: Change::Unchanged, output: json!({"name": "nothing"}) })
    }

    async fn undo(&self, _: &Value, _: &Value, _: &Cx) -> Result<Vec<String>, Failure> {
        Ok(Vec::new())
    }
}

/// One run of many steps: by the clock, and CPU.
async fn run(journal: Box<dyn Journal>) -> (Duration, Duration) {
    let clock = Clock::system();
    let ledger = Ledger::begin(journal, header(), clock.clone(), Rc::new(|_| {})).await;
    let ledger = Rc::new(ledger.expect("a ledger"));
    let (begun, before) = (Instant::now(), cpu_time());
    let end = Engine::new(&Nothing, ledger, clock, CancellationToken::new()).run().await;
    assert_eq!(end, End::Rest(Rest::Succeeded));
    (begun.elapsed(), cpu_time() - before)
}

/// CPU of this process so far, from the scheduler.
fn cpu_time() -> Duration {
    let text = std::fs::read_to_string("/proc/self/schedstat").expect("a Linux kernel");
    let nanos = text.split(' ').next().and_then(|n| n.parse().ok()).expect("nanoseconds");
    Duration::from_nanos(nanos)
}

/// The kind of file system that a folder is on, from the longest mount point above it.
fn file_system(folder: &Path) -> String {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap_or_default();
    let mut above = BTreeSet::new();
    for line in mounts.lines() {
        let mut words = line.split(' ').skip(1);
        if let (Some(at), Some(kind)) = (words.next(), words.next())
            && folder.starts_with(at)
        {
            above.insert((at.len(), kind.to_owned()));
        }
    }
    above.pop_last().map_or_else(|| "an unknown file system".to_owned(), |(_, kind)| kind)
}
