//! The figures of docs/figures.md, measured on the program itself: `cargo bench --bench figures`.
//!
//! - time from process start to the first output;
//! - CPU of a simulated two-hour migration, engine, steps, SDK and sandbox together, on virtual time;
//! - peak resident memory of a migration over loopback, comparison of 10,000 keys included.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use orchestrate::aws::{self, Settings};
use orchestrate::cli::sandboxed::{model_plane, seed_for};
use orchestrate::engine::journal::{MemoryJournal, Record, Rest};
use orchestrate::engine::{Clock, End, Engine, Ledger};
use orchestrate::plan::{GivenInputs, Plan, compile};
use orchestrate::playbook::Source;
use orchestrate::steps::{Env, catalog, registry};
use orchestrate_sandbox::{Clock as SandboxClock, Sandbox, ServerPolicy, Timings};
use tokio_util::sync::CancellationToken;

const PLAYBOOK: &str = "playbooks/quickstart.yaml";
const RUNS: usize = 20;

fn main() {
    println!(
        "start to first output    median {:.1} ms, slowest {:.1} ms of {RUNS}",
        start().0,
        start().1
    );
    let (cpu, hours, calls) = cpu();
    println!(
        "CPU of a migration       {cpu:.1} ms for {hours:.2} simulated hours and {calls} calls, mean of {RUNS}"
    );
    match memory() {
        Ok(mib) => println!("peak resident memory     {mib:.1} MiB of a migration over loopback"),
        Err(why) => println!("peak resident memory     not measured: {why}"),
    }
}

/// Median and slowest time to the first byte of output, in milliseconds.
fn start() -> (f64, f64) {
    let mut times: Vec<f64> = (0..RUNS)
        .map(|_| {
            let begun = Instant::now();
            let mut child = Command::new(env!("CARGO_BIN_EXE_orchestrate"))
                .args(["plan", PLAYBOOK])
                .env("AWS_REGION", "us-east-1")
                .env("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
                .env("AWS_EC2_METADATA_DISABLED", "true")
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .expect("the program starts");
            let mut first = [0];
            let mut out = child.stdout.take().expect("its output is piped");
            out.read_exact(&mut first).expect("it says something");
            let time = begun.elapsed().as_secs_f64() * 1e3;
            child.kill().expect("it can be killed");
            child.wait().expect("it ends");
            time
        })
        .collect();
    times.sort_by(f64::total_cmp);
    (times[RUNS / 2], times[RUNS - 1])
}

#[derive(Debug)]
struct Shared(Clock);

impl SandboxClock for Shared {
    fn now(&self) -> jiff::Timestamp {
        self.0.now()
    }
}

/// Mean CPU in milliseconds from the first record to the last, the simulated hours between them, and the calls.
fn cpu() -> (f64, f64, usize) {
    let text = std::fs::read_to_string(PLAYBOOK).expect("the shipped playbook is there");
    let source = Source::new(PLAYBOOK, text);
    let plan = compile(&source, &catalog(), &GivenInputs::default()).expect("it compiles");
    let (mut spent, mut hours, mut calls) = (Duration::ZERO, 0.0, 0);
    for _ in 0..RUNS {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .expect("a runtime");
        let (time, simulated, made) = runtime.block_on(migrate(&plan));
        calls = made;
        spent += time;
        hours = simulated.as_secs_f64() / 3600.0;
    }
    (spent.as_secs_f64() * 1e3 / RUNS as f64, hours, calls)
}

async fn migrate(plan: &Plan) -> (Duration, Duration, usize) {
    let clock = Clock::tokio("2026-11-23T03:00:00Z".parse().expect("a timestamp"), 1.0);
    let mut timings = Timings::default();
    timings.snapshot = Duration::from_secs(35 * 60);
    timings.export = Duration::from_secs(25 * 60);
    timings.cluster_create = Duration::from_secs(60 * 60);
    let sandbox = Sandbox::builder()
        .clock(Arc::new(Shared(clock.clone())))
        .timings(timings)
        .servers(ServerPolicy::Off)
        .build()
        .expect("the model needs nothing");
    let mut seed = seed_for(plan);
    for group in &mut seed.replication_groups {
        group.keys = 100;
    }
    sandbox.seed(seed).await.expect("the seed fits");
    let settings = Settings {
        clock: clock.clone(),
        region: Some("us-east-1".to_owned()),
        path_style: true,
        in_process: Some(sandbox.http_client()),
        paced: false,
    };
    let clients = aws::connect(&settings).await.expect("an in-process connection");
    let identity = aws::identify(&clients).await.expect("the sandbox knows who we are");
    let data = Rc::new(model_plane(sandbox.clone(), clock.clone()));
    let registry = registry(&Rc::new(Env::new(clients, identity, data, &clock)));
    let header = Record::Started {
        run: "01h3kq7xw2".parse().expect("a run id"),
        tool: "bench".to_owned(),
        by: "bench".to_owned(),
        account: "123456789012".to_owned(),
        region: "us-east-1".to_owned(),
        embedded: true,
        plan: Box::new(plan.clone()),
    };
    let begun = clock.now();
    let before = cpu_time();
    let journal = Box::new(MemoryJournal::default());
    let ledger = Ledger::begin(journal, header, clock.clone(), Rc::new(|_| {})).await;
    let ledger = ledger.expect("a ledger");
    let engine = Engine::new(&registry, Rc::new(ledger), clock.clone(), CancellationToken::new());
    let end = engine.run().await;
    assert_eq!(end, End::Rest(Rest::Succeeded));
    (cpu_time() - before, clock.since(begun), sandbox.calls().len())
}

/// CPU of this process so far, from the scheduler: nanoseconds, where clock ticks would be 10 ms.
fn cpu_time() -> Duration {
    let text = std::fs::read_to_string("/proc/self/schedstat").expect("a Linux kernel");
    let nanos = text.split(' ').next().and_then(|n| n.parse().ok()).expect("nanoseconds");
    Duration::from_nanos(nanos)
}

/// Peak resident memory in MiB of `migrate` against a sandbox in another process.
fn memory() -> Result<f64, String> {
    let state = tempfile::tempdir().map_err(|e| e.to_string())?;
    let mut sandbox = Command::new(env!("CARGO_BIN_EXE_orchestrate"))
        .args(["sandbox", "--json", "--port", "0", "--speed", "400", PLAYBOOK])
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| e.to_string())?;
    let mut line = String::new();
    let mut reader = BufReader::new(sandbox.stdout.take().ok_or("no output")?);
    reader.read_line(&mut line).map_err(|e| e.to_string())?;
    let said: serde_json::Value = serde_json::from_str(&line).map_err(|e| e.to_string())?;
    let environment = said["data"]["environment"].as_object().ok_or("no environment")?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_orchestrate"));
    command.args(["migrate", "--yes", PLAYBOOK]).stdout(Stdio::null()).stderr(Stdio::null());
    command.env("ORCHESTRATE_STATE_DIR", state.path());
    for (name, value) in environment {
        command.env(name, value.as_str().unwrap_or_default());
    }
    let mut migration = command.spawn().map_err(|e| e.to_string())?;
    let mut peak = 0.0_f64;
    let ended = loop {
        let status = std::fs::read_to_string(format!("/proc/{}/status", migration.id()));
        let high = status.ok().and_then(|s| {
            let line = s.lines().find(|l| l.starts_with("VmHWM:"))?.to_owned();
            line.split_whitespace().nth(1)?.parse::<f64>().ok()
        });
        peak = peak.max(high.unwrap_or(0.0) / 1024.0);
        if let Some(ended) = migration.try_wait().map_err(|e| e.to_string())? {
            break ended;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    sandbox.kill().map_err(|e| e.to_string())?;
    sandbox.wait().map_err(|e| e.to_string())?;
    if ended.success() { Ok(peak) } else { Err(format!("the migration ended with {ended}")) }
}
