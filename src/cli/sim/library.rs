//! What is simulated: the shipped playbooks and smaller ones, each with its plan, the world it begins in, and the world an
//! undisturbed run ends in.

use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use orchestrate_sandbox::{Clock as SandboxClock, Sandbox, Seed, ServerPolicy};
use serde_json::{Map, Value};

use super::disk::Disk;
use super::life::{Fate, Life, Reach};
use super::process::{Order, Process};
use super::tape::Tape;
use crate::cli::sandboxed::seed_for;
use crate::engine::journal::Rest;
use crate::engine::{Clock, RunState};
use crate::plan::{GivenInputs, Plan, compile};
use crate::playbook::Source;
use crate::steps::catalog;

/// The run's id: resource names depend on it, and worlds are compared by name.
pub(super) const RUN: &str = "01h3kq7xw2";
/// The id of a run that must come before.
const EARLIER: &str = "01h3kq7aaa";
/// How many times as fast as AWS a quick sandbox is: the fewer looks a wait takes, the more runs there are.
const QUICK: f64 = 30.0;
/// Enough keys to fill every shard, few enough to compare often.
const KEYS: u64 = 24;

/// A playbook that can be simulated.
struct Written {
    name: &'static str,
    text: &'static str,
    /// How often it is drawn, out of the sum of all.
    weight: u32,
    /// How many times as fast as AWS its sandbox is.
    speed: f64,
    inputs: &'static [&'static str],
    /// The playbook whose run comes first, and leaves its outputs.
    after: Option<&'static str>,
}

const MIGRATION: &[&str] = &[
    "source=prod",
    "bucket=acme-migration",
    "target=prod-mdb",
    "shards=3",
    "acl=prod-app",
    "subnet_group=prod-private",
    "endpoint_parameter=/prod/redis/endpoint",
];
const COMPARED: &[&str] = &[
    "source=prod",
    "bucket=acme-migration",
    "target=prod-mdb",
    "shards=3",
    "acl=prod-app",
    "subnet_group=prod-private",
    "endpoint_parameter=/prod/redis/endpoint",
    "source_password=secretsmanager:prod/redis#reader",
    "target_password=secretsmanager:prod/redis#reader",
];

macro_rules! written {
    ($($weight:literal x $speed:tt $path:literal $name:literal $inputs:expr, $after:expr;)*) => {
        [$(Written {
            name: $name,
            text: include_str!(concat!($path, $name, ".yaml")),
            weight: $weight,
            speed: $speed,
            inputs: $inputs,
            after: $after,
        }),*]
    };
}

const PROVISION: &[&str] =
    &["name=shop", "subnets=subnet-0a1b2c3d,subnet-4e5f6a7b", "replicas_per_shard=1"];
const SCALE: &[&str] =
    &["cluster=shop", "node_type=db.r7g.xlarge", "shards=2", "replicas_per_shard=2"];

const DRILL: &[&str] =
    &["replication_group=prod", "canary_user=app", "canary_password=secretsmanager:prod/redis#app"];
const SCALE_GROUP: &[&str] =
    &["replication_group=prod", "node_type=cache.r7g.xlarge", "replicas_per_shard=2", "shards=3"];

/// Those of no weight are not drawn: they are tried by name, with every fault of every operation. The others' weights are
/// such that small runs are many and whole migrations are some: the latter cost ten times as much.
static WRITTEN: [Written; 24] = written![
    340 x QUICK "playbooks/" "parameter" &[], None;
    125 x QUICK "playbooks/" "swap" &[], None;
    180 x QUICK "playbooks/" "cluster" &[], None;
    120 x QUICK "playbooks/" "freeze" &[], None;
    100 x QUICK "playbooks/" "brief" &[], None;
    60 x QUICK "playbooks/" "lanes" &[], None;
    5 x 1.0 "../../../playbooks/" "quickstart" &[], None;
    5 x 1.0 "../../../playbooks/" "elasticache-to-memorydb" MIGRATION, None;
    3 x 1.0 "../../../playbooks/" "elasticache-to-memorydb-approved" COMPARED, None;
    3 x 1.0 "../../../playbooks/" "serverless-to-memorydb" COMPARED, None;
    1 x 1.0 "../../../playbooks/" "cleanup-migration" &[], Some("elasticache-to-memorydb");
    1 x 1.0 "../../../playbooks/" "cleanup-serverless-migration" &[], Some("serverless-to-memorydb");
    0 x QUICK "../../../playbooks/" "provision-memorydb" PROVISION, None;
    0 x QUICK "../../../playbooks/" "scale-memorydb" SCALE, None;
    0 x QUICK "../../../playbooks/" "failover-drill" DRILL, None;
    0 x QUICK "../../../playbooks/" "scale" SCALE_GROUP, None;
    0 x QUICK "../../../playbooks/" "engine-upgrade" &["replication_group=prod", "engine_version=8.1"], None;
    0 x QUICK "../../../playbooks/" "park" &["replication_group=prod"], None;
    0 x QUICK "../../../playbooks/" "unpark" &["replication_group=prod"], Some("park");
    0 x QUICK "../../../playbooks/" "decommission-source" &["replication_group=prod", "final_snapshot=prod-final"], None;
    0 x QUICK "../../../playbooks/" "scheduled-export" &["group=prod", "bucket=exports"], None;
    0 x QUICK "../../../playbooks/" "scheduled-export-memorydb" &["cluster=prod-mdb", "bucket=exports"], None;
    // Within a limit of errors a fault leaves a group out, which is right and another world.
    0 x QUICK "../../../playbooks/" "export-fleet" &["pattern=prod-*", "bucket=exports", "max_errors=0"], None;
    0 x QUICK "../../../playbooks/" "restore-drill" &["cluster=prod", "bucket=exports"], Some("scheduled-export");
];

/// What a playbook is there to do to a replication group; to any other the reference forbids it. Rolling back, `unpark`
/// deletes the group that it made.
fn meant(name: &str) -> &'static [&'static str] {
    match name {
        "scale" | "engine-upgrade" => &["ModifyReplicationGroup"],
        "park" | "unpark" | "decommission-source" => &["DeleteReplicationGroup"],
        _ => &[],
    }
}

/// A playbook, ready to be simulated.
pub(super) struct Known {
    pub(super) name: &'static str,
    /// What it may do to a replication group.
    pub(super) meant: &'static [&'static str],
    pub(super) plan: Plan,
    seed: Seed,
    speed: f64,
    after: Option<(Plan, &'static str)>,
    /// The world before the run.
    pub(super) before: Value,
    /// The world after a run that nothing disturbs.
    pub(super) after_undisturbed: Value,
    /// How far the process of such a run comes.
    pub(super) reach: Reach,
}

/// All playbooks; each is made ready when it is first drawn. Shared between threads.
#[derive(Default)]
pub struct Library {
    known: [OnceLock<Known>; WRITTEN.len()],
    quick: [OnceLock<Known>; WRITTEN.len()],
}

#[derive(Debug)]
struct Shared(Clock);

impl SandboxClock for Shared {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
}

impl Library {
    /// The names of all playbooks.
    pub fn names() -> impl Iterator<Item = &'static str> {
        WRITTEN.iter().map(|written| written.name)
    }

    /// The playbook of that name, or the one that `draw` falls on.
    ///
    /// # Panics
    /// If there is no playbook of that name.
    pub(super) fn find(&self, name: Option<&str>, draw: impl FnOnce(u32) -> u32) -> &Known {
        let index = match name {
            Some(name) => WRITTEN.iter().position(|written| written.name == name),
            None => {
                let mut left = draw(WRITTEN.iter().map(|written| written.weight).sum());
                WRITTEN.iter().position(|written| {
                    let here = left < written.weight;
                    left = left.saturating_sub(written.weight);
                    here
                })
            }
        };
        let index = index.expect("callers take names from this list, and draw below the sum");
        self.known[index].get_or_init(|| get_ready(&WRITTEN[index], WRITTEN[index].speed))
    }

    /// The playbook of that name in a quick sandbox.
    ///
    /// # Panics
    /// If there is none of that name.
    pub(super) fn quick(&self, name: &str) -> &Known {
        let index = WRITTEN.iter().position(|written| written.name == name);
        let index = index.expect("callers take names from this list");
        self.quick[index].get_or_init(|| get_ready(&WRITTEN[index], QUICK))
    }
}

fn written(name: &str) -> &'static Written {
    WRITTEN.iter().find(|written| written.name == name).expect("the list names only its own")
}

fn compiled(written: &Written, earlier: Map<String, Value>) -> Plan {
    let arguments = written.inputs.iter().map(|input| (*input).to_owned()).collect();
    let given = GivenInputs { arguments, file: None, earlier };
    let source = Source::new(format!("{}.yaml", written.name), written.text);
    compile(&source, &catalog(), &given).expect("the playbooks of the simulation compile")
}

/// Runs a playbook undisturbed, to know what it does. On a thread of its own: the caller may be inside a runtime.
fn get_ready(written: &'static Written, speed: f64) -> Known {
    let work = move || {
        super::virtually(async {
            let first = written.after.map(self::written);
            let earlier = first.map(|first| (compiled(first, Map::new()), EARLIER));
            let outputs = match &earlier {
                None => Map::new(),
                Some((plan, run)) => {
                    let seed = small(seed_for(plan));
                    let (world, clock) = world(&seed, speed).await;
                    let (state, _) = undisturbed(&world, &clock, plan, run).await;
                    state.playbook_outputs()
                }
            };
            let plan = compiled(written, outputs);
            let seed = small(seed_for(earlier.as_ref().map_or(&plan, |(plan, _)| plan)));
            let mut known = Known {
                name: written.name,
                meant: meant(written.name),
                plan,
                seed,
                speed,
                after: earlier,
                before: Value::Null,
                after_undisturbed: Value::Null,
                reach: Reach::default(),
            };
            let (sandbox, clock) = known.begin().await;
            known.before = sandbox.world();
            let (_, reach) = undisturbed(&sandbox, &clock, &known.plan, RUN).await;
            known.after_undisturbed = settled(&sandbox).await;
            known.reach = reach;
            known
        })
    };
    let thread = std::thread::Builder::new().stack_size(super::STACK).spawn(work);
    thread.expect("a thread starts").join().expect("an undisturbed run succeeds")
}

impl Known {
    /// A sandbox in which the run is about to begin, and its clock.
    pub(super) async fn begin(&self) -> (Sandbox, Clock) {
        let (sandbox, clock) = world(&self.seed, self.speed).await;
        if let Some((plan, run)) = &self.after {
            undisturbed(&sandbox, &clock, plan, run).await;
        }
        (sandbox, clock)
    }
}

fn small(mut seed: Seed) -> Seed {
    seed.replication_groups.iter_mut().for_each(|group| group.keys = KEYS);
    seed.serverless_caches.iter_mut().for_each(|cache| cache.keys = KEYS);
    seed.clusters.iter_mut().for_each(|cluster| cluster.keys = KEYS);
    seed
}

async fn world(seed: &Seed, speed: f64) -> (Sandbox, Clock) {
    let base = Timestamp::from_second(1_795_402_800).expect("2026-11-23T03:00:00Z is a time");
    let clock = Clock::tokio(base, 1.0);
    let builder = Sandbox::builder().clock(Arc::new(Shared(clock.clone()))).speed(speed);
    let sandbox = builder.servers(ServerPolicy::Off).build().expect("the model needs nothing");
    sandbox.seed(seed.clone()).await.expect("what a plan needs fits together");
    (sandbox, clock)
}

async fn undisturbed(
    sandbox: &Sandbox,
    clock: &Clock,
    plan: &Plan,
    run: &'static str,
) -> (RunState, Reach) {
    let disk = Disk::new(None);
    let life = Arc::new(Life::new(0, Fate::default()));
    let tape = Tape::new(clock.clone(), false);
    let process = Process { sandbox, disk: &disk, tape: &tape, plan, run, delays: None };
    let mut order = Order::Begin;
    loop {
        super::life_of(&process, &life, clock, order).await;
        let entries = disk.read().expect("an undisturbed journal reads back");
        let state = RunState::replay(&entries).expect("and makes sense");
        match state.rest {
            Some(Rest::Waiting { .. })
                if state.asking().is_some_and(|(_, s)| s.decision.is_none()) =>
            {
                order = Order::Approve(true);
            }
            Some(Rest::Succeeded) => return (state, life.reach()),
            None if matches!(order, Order::Approve(_)) => order = Order::Resume,
            rest => panic!("an undisturbed run of {} ended as {rest:?}", plan.playbook),
        }
    }
}

/// The world once time has brought everything that it was going to bring.
pub(super) async fn settled(sandbox: &Sandbox) -> Value {
    tokio::time::sleep(std::time::Duration::from_secs(3600)).await;
    sandbox.settle().await;
    sandbox.world()
}
