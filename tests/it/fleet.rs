//! Two hundred clusters exported by one process, and beside it the same job as a loop of one 15 s poller for each.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_elasticache::error::ProvideErrorMetadata;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use orchestrate::aws::Settings;
use orchestrate::cli::sandboxed::seed_for;
use orchestrate::engine::End;
use orchestrate::engine::journal::{Record, Rest};
use orchestrate_sandbox::{
    Call, Fault, FaultKind, FaultPlan, Limits, Outcome, SeedReplicationGroup,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::harness::succeeded;
use crate::program::{Place, Served};
use crate::world::{Disturb, World, virtually, written};

const MANY: usize = 200;
/// What an export takes in the sandbox, unless a fault stretches it.
const EXPORT: f64 = 240.0;
/// AWS publishes no rates: these are of the order at which people report "Rate exceeded" (see docs/exports.md).
const LIMITS: Limits = Limits { rate: 5.0, burst: 20.0 };

fn fleet(parallel: usize) -> String {
    format!(
        "
playbook: v1
name: fleet
steps:
  - id: exports
    elasticache.export_fleet: {{ pattern: 'g*', bucket: exports, max_parallel: {parallel} }}
"
    )
}

/// How long each export takes: from half to one and a half of the usual, drawn once for both ways.
fn lengths() -> Vec<f64> {
    let mut rng = StdRng::seed_from_u64(11);
    (0..MANY).map(|_| rng.random_range(0.5..1.5)).collect()
}

/// Groups with a few small keys and a daily snapshot of five hours ago each.
fn groups(many: usize) -> Vec<SeedReplicationGroup> {
    let group = |n| SeedReplicationGroup {
        id: format!("g{n:03}"),
        keys: 4,
        every_type: false,
        snapshot_retention_days: 3,
        snapshot_window: "22:00-23:00".to_owned(),
        automatic_snapshots: vec![5],
        ..SeedReplicationGroup::default()
    };
    (0..many).map(group).collect()
}

async fn world(many: usize, parallel: usize) -> World {
    let world = World::within(written(&fleet(parallel)), Some(LIMITS), |seed| {
        seed.replication_groups = groups(many);
    })
    .await;
    let slow = |(n, length): (usize, &f64)| {
        Fault::new("elasticache", "CopySnapshot", FaultKind::SlowTransition(*length))
            .nth(u32::try_from(n + 1).expect("few"))
    };
    let lengths = lengths();
    world.sandbox.set_faults(FaultPlan::of(lengths.iter().enumerate().map(slow)));
    world
}

struct Figures {
    control: usize,
    all: usize,
    throttled: usize,
    minutes: f64,
    busiest: usize,
    late: Vec<f64>,
}

impl Figures {
    /// `seen` gives when it was noticed that the export with this target was over.
    fn of(calls: &[Call], seen: &BTreeMap<String, Timestamp>) -> Self {
        let lengths = lengths();
        let copies: Vec<&Call> = calls
            .iter()
            .filter(|call| call.operation == "CopySnapshot" && call.outcome == Outcome::Ok)
            .collect();
        assert_eq!(copies.len(), MANY);
        let late = copies.iter().zip(&lengths).map(|(call, length)| {
            let seen = seen.get(&call.resource).expect("each is noticed");
            seen.duration_since(call.at).as_secs_f64() - EXPORT * length
        });
        let late: Vec<f64> = late.collect();
        let begin = copies[0].at;
        let end = *seen.values().max().expect("some");
        let looks: Vec<&Call> = calls
            .iter()
            .filter(|call| call.at >= begin && call.at <= end && call.service == "elasticache")
            .filter(|call| call.operation.starts_with("Describe"))
            .collect();
        let mut minutes: BTreeMap<i64, usize> = BTreeMap::new();
        for call in &looks {
            *minutes.entry(call.at.as_second() / 60).or_default() += 1;
        }
        Self {
            control: looks.len(),
            all: calls.len(),
            throttled: calls.iter().filter(|call| call.fault == Some("rate_limit")).count(),
            minutes: end.duration_since(begin).as_secs_f64() / 60.0,
            busiest: minutes.values().copied().max().unwrap_or(0),
            late,
        }
    }

    fn mean_late(&self) -> f64 {
        self.late.iter().sum::<f64>() / self.late.len() as f64
    }

    fn a_second(&self) -> f64 {
        self.control as f64 / (self.minutes * 60.0)
    }

    fn print(&self, name: &str) {
        println!(
            "{name}: {:.2} looks a second ({} in {:.1} min; {} in the busiest minute), {} calls in all, {} throttled, seen \
             {:.1} s late on average, {:.1} s at worst",
            self.a_second(),
            self.control,
            self.minutes,
            self.busiest,
            self.all,
            self.throttled,
            self.mean_late(),
            self.late.iter().copied().fold(0.0, f64::max),
        );
    }
}

async fn exported(parallel: usize) -> Figures {
    let world = world(MANY, parallel).await;
    let done = world.run(&Disturb::default()).await;
    succeeded(&done).expect("the fleet is exported");
    let calls = world.sandbox.calls();
    // Once an export is seen to be over, its files are looked at.
    let mut seen = BTreeMap::new();
    for call in calls.iter().filter(|call| call.operation == "HeadObject") {
        if let Some(target) =
            call.resource.strip_prefix("exports/").and_then(|k| k.split_once("-0001.rdb"))
        {
            seen.entry(target.0.to_owned()).or_insert(call.at);
        }
    }
    Figures::of(&calls, &seen)
}

/// One task a cluster: asks for its export, then describes the snapshot every 15 s.
async fn polled() -> Figures {
    let world = world(MANY, MANY).await;
    // Two hundred loops know nothing of one another: nobody paces them.
    let settings = Settings {
        clock: world.clock.clone(),
        region: Some("us-east-1".to_owned()),
        path_style: true,
        in_process: Some(world.sandbox.http_client()),
        paced: false,
    };
    let unpaced = orchestrate::aws::connect(&settings).await.expect("an in-process connection");
    let described = world.sandbox.part("elasticache")["snapshots"].clone();
    let snapshots: Vec<String> = described.as_object().expect("by name").keys().cloned().collect();
    assert_eq!(snapshots.len(), MANY);
    let seen = std::cell::RefCell::new(BTreeMap::new());
    let one = |(n, snapshot): (usize, String)| {
        let (clients, clock, seen) = (unpaced.clone(), world.clock.clone(), &seen);
        async move {
            // Spread over their 15 s: all at one instant would be turned away almost all.
            clock.sleep(Duration::from_millis(75) * u32::try_from(n).expect("few")).await;
            let target = format!("g{n:03}-polled");
            let client = &clients.elasticache;
            loop {
                let copy = client.copy_snapshot().source_snapshot_name(&snapshot);
                let copy = copy.target_snapshot_name(&target).target_bucket("exports").send().await;
                let Err(error) = copy else { break };
                let code = error.code().unwrap_or_default().to_owned();
                assert!(code.starts_with("Throttl"), "{code}: {error:?}");
                clock.sleep(Duration::from_secs(15)).await;
            }
            loop {
                clock.sleep(Duration::from_secs(15)).await;
                let found = client.describe_snapshots().snapshot_name(&snapshot).send().await;
                let status = found.ok().and_then(|found| {
                    found.snapshots?.first()?.snapshot_status().map(str::to_owned)
                });
                if status.as_deref() == Some("available") {
                    seen.borrow_mut().insert(target, clock.now());
                    return;
                }
            }
        }
    };
    snapshots
        .into_iter()
        .enumerate()
        .map(one)
        .collect::<FuturesUnordered<_>>()
        .collect::<()>()
        .await;
    let seen = seen.into_inner();
    Figures::of(&world.sandbox.calls(), &seen)
}

#[test]
fn two_hundred_clusters_take_less_than_a_call_a_second_and_no_throttle() {
    let ours = virtually(exported(MANY));
    ours.print("one process, 200 at once");
    let ten = virtually(exported(10));
    ten.print("one process, 10 at once");
    let polled = virtually(polled());
    polled.print("200 pollers of 15 s");
    for figures in [&ours, &ten] {
        assert_eq!(figures.throttled, 0);
        assert!(figures.a_second() <= 1.0, "{}", figures.a_second());
        assert!(figures.mean_late() <= 20.0, "{}", figures.mean_late());
    }
    assert!(polled.throttled > 0, "the sandbox throttles nobody, and shows nothing");
}

/// What a process holds at most so far, in MiB; nothing once it is gone.
fn peak_mib(process: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? / 1024.0)
}

/// The program as it is, all two hundred at once, against a sandbox in a process of its own: what is measured is the
/// exporter alone. Both are hurried alike.
#[test]
fn two_hundred_clusters_take_one_process_less_than_a_hundred_mebibytes() {
    const HURRIED: &str = "40";
    let place = Place::new();
    let mut seed = seed_for(&written(&fleet(MANY)));
    seed.replication_groups = groups(MANY);
    // This sandbox has the machine's time, and its groups are not to begin their backups in the middle of it.
    let hour = (Timestamp::now().as_second() / 3600 + 12) % 24;
    for group in &mut seed.replication_groups {
        group.snapshot_window = format!("{hour:02}:00-{hour:02}:59");
    }
    let seed = place.write("seed.json", serde_json::to_vec(&seed).expect("JSON"));
    let playbook = place.write("fleet.yaml", fleet(MANY));
    let (seed, playbook) = (seed.display().to_string(), playbook.display().to_string());
    let served =
        Served::start(&place, &["--speed", HURRIED, "--no-servers", "--seed", seed.as_str()]);
    let mut command = served.command(&place, &["run", "--yes", playbook.as_str()]);
    command.env("ORCHESTRATE_TEST_CLOCK", HURRIED);
    command.stdout(std::process::Stdio::null());
    let begin = std::time::Instant::now();
    let mut child = command.spawn().expect("the program starts");
    let mut peak: f64 = 0.0;
    let ended = loop {
        peak = peak.max(peak_mib(child.id()).unwrap_or(0.0));
        match child.try_wait().expect("it is ours") {
            Some(ended) => break ended,
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    let took = begin.elapsed().as_secs_f64();
    println!(
        "peak resident memory of the exporting process: {peak:.1} MiB, {took:.0} s at {HURRIED} times the speed"
    );
    assert!(ended.success(), "{ended:?}");
    let calls = served.ask("calls");
    let calls = calls.as_array().expect("a list");
    let of = |operation: &str| calls.iter().filter(|call| call["operation"] == operation).count();
    assert_eq!(of("CopySnapshot"), MANY);
    assert_eq!(of("PutObject"), MANY, "a manifest each");
    assert!(peak > 5.0, "nothing was measured");
    assert!(peak <= 100.0, "{peak} MiB");
}

/// Enough for a ramp up to ten.
const FEW: usize = 30;

/// What is refused to one group costs one group: the first goes alone.
#[test]
fn a_fleet_that_fails_begins_no_other_and_says_what_was_exported() {
    virtually(async {
        let world = world(FEW, 10).await;
        let fault = Fault::new("elasticache", "CopySnapshot", FaultKind::Denied).times(1000);
        world.sandbox.set_faults(FaultPlan::of([fault]));
        let done = world.run(&Disturb::default()).await;
        assert_eq!(done.end, End::Rest(Rest::RolledBack));
        let asked =
            world.sandbox.calls().into_iter().filter(|call| call.operation == "CopySnapshot");
        assert_eq!(asked.count(), 1, "{}", done.story());
    });
}

/// Groups that fail within the limit are told, and leave nothing.
#[test]
fn a_group_that_fails_within_the_limit_leaves_nothing_and_stops_nobody() {
    virtually(async {
        let text = fleet(10).replace("max_parallel: 10", "max_parallel: 10, max_errors: 2");
        let mut world = world(FEW, 10).await;
        world.plan = written(&text);
        let denied = |nth| Fault::new("elasticache", "CopySnapshot", FaultKind::Denied).nth(nth);
        world.sandbox.set_faults(FaultPlan::of([denied(3), denied(8)]));
        let done = world.run(&Disturb::default()).await;
        succeeded(&done).expect("two may fail");
        let output = done.journal.entries().into_iter().find_map(|entry| match entry.record {
            Record::Succeeded { output, .. } => Some(output),
            _ => None,
        });
        let output = output.expect("the step succeeded");
        assert_eq!(output["failed"].as_array().map(Vec::len), Some(2), "{}", output["failed"]);
        assert_eq!(output["clusters"].as_array().map(Vec::len), Some(FEW - 2));
        let objects = world.sandbox.world()["s3"]["exports"]["objects"].clone();
        let objects = objects.as_object().expect("a bucket");
        assert_eq!(objects.len(), (FEW - 2) * 2, "a file and a manifest for each");
    });
}
