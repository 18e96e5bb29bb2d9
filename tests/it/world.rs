//! A sandbox in this process on virtual time, the shipped playbooks' inputs, and one run in it.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use orchestrate::aws::{self, Settings};
use orchestrate::cli::sandboxed::{model_plane, seed_for};
use orchestrate::engine::journal::{Crash, Entry, Journal, JournalError, MemoryJournal, Record};
use orchestrate::engine::{Clock, End, Engine, Inject, Kinds, Ledger, RunId, RunState};
use orchestrate::plan::{GivenInputs, Plan, compile};
use orchestrate::playbook::Source;
use orchestrate::steps::redis::{DataPlane, Wire};
use orchestrate::steps::{Env, Registry, catalog, registry};
use orchestrate_sandbox::{
    Call, Clock as SandboxClock, Limits, Outcome, Sandbox, Seed, ServerPolicy,
};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use crate::tap::Tap;

/// The id of every run in these tests: resource names depend on it, and worlds are compared by name.
pub(crate) const RUN: &str = "01h3kq7xw2";
/// Enough keys to fill every shard, few enough to compare often.
const KEYS: u64 = 24;
/// How many times as fast as AWS a quick sandbox is.
const QUICK: f64 = 30.0;

/// Every shipped playbook, by file name.
pub(crate) const SHIPPED: [&str; 18] = [
    "quickstart",
    "elasticache-to-memorydb",
    "elasticache-to-memorydb-approved",
    "serverless-to-memorydb",
    "provision-memorydb",
    "scale-memorydb",
    "cleanup-migration",
    "cleanup-serverless-migration",
    "failover-drill",
    "scale",
    "engine-upgrade",
    "park",
    "unpark",
    "decommission-source",
    "scheduled-export",
    "scheduled-export-memorydb",
    "export-fleet",
    "restore-drill",
];

/// Those that change or delete a replication group, which is their purpose.
pub(crate) const RUNBOOKS: [&str; 6] =
    ["failover-drill", "scale", "engine-upgrade", "park", "unpark", "decommission-source"];

/// Playbooks that take up what a run of another left behind.
pub(crate) const CLEANUPS: [(&str, &str); 4] = [
    ("cleanup-migration", "elasticache-to-memorydb"),
    ("cleanup-serverless-migration", "serverless-to-memorydb"),
    ("unpark", "park"),
    ("restore-drill", "scheduled-export"),
];

/// Kinds that read what they export.
const VERIFY: [&str; 4] = [
    "elasticache.export_latest",
    "elasticache.export_fleet",
    "elasticache.export_serverless",
    "memorydb.export_snapshot",
];

/// Playbooks that only the harness runs: kinds and shapes that no shipped one uses.
const UNSHIPPED: [&str; 10] = [
    "freeze-and-thaw",
    "create-and-delete",
    "commands",
    "gate",
    "members",
    "several",
    "changes",
    "export-manual",
    "export-serverless",
    "memorydb-snapshots",
];

/// Every playbook that must pass the harness.
pub(crate) fn all_playbooks() -> impl Iterator<Item = &'static str> {
    SHIPPED.into_iter().chain(UNSHIPPED)
}

pub(crate) fn playbook_path(name: &str) -> PathBuf {
    let folder = if UNSHIPPED.contains(&name) { "tests/playbooks" } else { "playbooks" };
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(folder).join(format!("{name}.yaml"))
}

pub(crate) fn inputs(name: &str) -> Vec<String> {
    let migration = [
        "source=prod",
        "bucket=acme-migration",
        "target=prod-mdb",
        "shards=3",
        "acl=prod-app",
        "subnet_group=prod-private",
        "endpoint_parameter=/prod/redis/endpoint",
    ];
    let passwords = [
        "source_password=secretsmanager:prod/redis#reader",
        "target_password=secretsmanager:prod/redis#reader",
    ];
    if name == "commands" {
        return vec![format!("hook={}", *HOOK)];
    }
    let chosen: Vec<&str> = match name {
        "elasticache-to-memorydb" => migration.to_vec(),
        "provision-memorydb" => {
            vec!["name=shop", "subnets=subnet-0a1b2c3d,subnet-4e5f6a7b", "replicas_per_shard=1"]
        }
        "scale-memorydb" => {
            vec!["cluster=shop", "node_type=db.r7g.xlarge", "shards=2", "replicas_per_shard=2"]
        }
        "elasticache-to-memorydb-approved" | "serverless-to-memorydb" => {
            [migration.as_slice(), &passwords].concat()
        }
        "failover-drill" => vec![
            "replication_group=prod",
            "canary_user=app",
            "canary_password=secretsmanager:prod/redis#app",
        ],
        "scale" => vec![
            "replication_group=prod",
            "node_type=cache.r7g.xlarge",
            "replicas_per_shard=2",
            "shards=3",
        ],
        "engine-upgrade" => vec!["replication_group=prod", "engine_version=8.1"],
        "park" | "unpark" => vec!["replication_group=prod"],
        "decommission-source" => vec!["replication_group=prod", "final_snapshot=prod-final"],
        "scheduled-export" => vec!["group=prod", "bucket=acme-exports"],
        "scheduled-export-memorydb" => vec!["cluster=prod-mdb", "bucket=acme-exports"],
        "export-fleet" => vec!["pattern=prod-*", "bucket=acme-exports"],
        "restore-drill" => vec!["cluster=prod", "bucket=acme-exports"],
        _ => Vec::new(),
    };
    chosen.into_iter().map(str::to_owned).collect()
}

/// A playbook written in a test.
pub(crate) fn written(text: &str) -> Plan {
    let given = GivenInputs { arguments: Vec::new(), file: None, earlier: Map::new() };
    compile(&Source::new("test.yaml".to_owned(), text.to_owned()), &catalog(), &given)
        .unwrap_or_else(|problems| panic!("it does not compile:\n{}", problems.render(false)))
}

/// A shipped playbook with the inputs of `inputs`.
pub(crate) fn compiled(name: &str, earlier: Map<String, Value>) -> Plan {
    edited(name, &[], earlier)
}

/// The same, with words replaced that must be there.
pub(crate) fn edited(name: &str, edits: &[(&str, &str)], earlier: Map<String, Value>) -> Plan {
    let path = playbook_path(name);
    let text = std::fs::read_to_string(&path).expect("the shipped playbook is there");
    let text = edits.iter().fold(text, |text, (from, to)| {
        assert!(text.contains(from), "{name}: no \"{from}\" to replace");
        text.replace(from, to)
    });
    let given = GivenInputs { arguments: inputs(name), file: None, earlier };
    compile(&Source::new(path.display().to_string(), text), &catalog(), &given)
        .unwrap_or_else(|problems| panic!("{name} does not compile:\n{}", problems.render(false)))
}

/// Something on this machine that takes every message.
static HOOK: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let mut request = Vec::new();
            let mut buffer = [0_u8; 4096];
            while !request.ends_with(b"}") {
                match stream.read(&mut buffer) {
                    Ok(count @ 1..) => request.extend_from_slice(&buffer[..count]),
                    _ => break,
                }
            }
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n");
        }
    });
    url
});

thread_local! {
    static SPEED: Cell<f64> = const { Cell::new(1.0) };
    static RECORDING: RefCell<Option<std::fs::File>> = const { RefCell::new(None) };
}

/// From now on the worlds of this thread write down what their sandboxes are asked and answer.
pub(crate) fn record_to(path: &std::path::Path) {
    let file = std::fs::File::create(path).expect("a file for the recording");
    RECORDING.set(Some(file));
}

/// From now on AWS's lifecycles are so many times as fast in the worlds of this thread: the fewer looks a wait takes, the more
/// runs there are. For tests in which it does not matter when something happens, but after which write.
pub(crate) fn hurry(speed: f64) {
    SPEED.set(speed);
}

#[derive(Debug)]
struct Shared(Clock);

impl SandboxClock for Shared {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
}

/// A sandbox with what a plan needs, and the step kinds connected to it. Must be made inside a paused runtime.
pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) clock: Clock,
    pub(crate) registry: Registry,
    pub(crate) plan: Plan,
    /// The way other people reach the same account.
    pub(crate) aws: aws::Clients,
    /// What the kinds act with.
    pub(crate) env: Rc<Env>,
    /// Which step made which call.
    pub(crate) tap: Tap,
}

impl World {
    /// The world in which a shipped playbook is about to run. A clean-up needs a migration first; it is carried out.
    pub(crate) async fn before(name: &str) -> Self {
        let Some((_, migration)) = CLEANUPS.iter().find(|(cleanup, _)| *cleanup == name) else {
            return Self::for_plan(compiled(name, Map::new())).await;
        };
        let mut world = Self::for_plan(compiled(migration, Map::new())).await;
        let done = world.run(&Disturb { run: "01h3kq7aaa", ..Disturb::default() }).await;
        assert_eq!(done.end, End::Rest(orchestrate::engine::journal::Rest::Succeeded));
        world.plan = compiled(name, done.state().playbook_outputs());
        world
    }

    pub(crate) async fn for_plan(plan: Plan) -> Self {
        Self::seeded(plan, |_| {}).await
    }

    /// The world in which the quickstart is about to run, changed beforehand.
    pub(crate) async fn changed(change: impl FnOnce(&mut Seed)) -> Self {
        Self::seeded(compiled("quickstart", Map::new()), change).await
    }

    /// The world a plan needs, changed beforehand.
    pub(crate) async fn seeded(plan: Plan, change: impl FnOnce(&mut Seed)) -> Self {
        Self::within(plan, None, change).await
    }

    /// The same, held to limits of calls a second, by a process that keeps its pace.
    pub(crate) async fn within(
        plan: Plan,
        limits: Option<Limits>,
        change: impl FnOnce(&mut Seed),
    ) -> Self {
        let clock = Clock::tokio("2026-11-23T03:00:00Z".parse().expect("a timestamp"), 1.0);
        // The fewer looks a wait takes, the more places to die there is time for: these wait more than they do.
        let quick = RUNBOOKS.contains(&plan.playbook.as_str()) || plan.playbook == "changes";
        let mut builder = Sandbox::builder()
            .clock(Arc::new(Shared(clock.clone())))
            .speed(if quick { QUICK } else { SPEED.get() })
            .servers(ServerPolicy::Off);
        if let Some(file) = RECORDING.with_borrow(|file| file.as_ref().map(|f| f.try_clone())) {
            builder = builder.record(file.expect("a second handle"));
        }
        if let Some(limits) = limits {
            builder = builder.limits(limits);
        }
        let sandbox = builder.build().expect("the model needs nothing");
        let mut seed = seed_for(&plan);
        for group in &mut seed.replication_groups {
            group.keys = KEYS;
        }
        for cache in &mut seed.serverless_caches {
            cache.keys = KEYS;
        }
        for cluster in &mut seed.clusters {
            cluster.keys = KEYS;
        }
        // A verified export reads every file to its end, and those of every type have megabytes.
        if plan.steps().any(|step| VERIFY.contains(&step.kind.as_str())) {
            seed.replication_groups.iter_mut().for_each(|group| group.every_type = false);
            seed.serverless_caches.iter_mut().for_each(|cache| cache.every_type = false);
        }
        change(&mut seed);
        sandbox.seed(seed).await.expect("the seed fits");
        let tap = Tap::default();
        let http = tap.client(sandbox.http_client());
        let settings = Settings {
            clock: clock.clone(),
            region: Some("us-east-1".to_owned()),
            path_style: true,
            in_process: Some(http),
            paced: limits.is_some(),
        };
        let data = Rc::new(model_plane(sandbox.clone(), clock.clone()));
        Self::connected(plan, sandbox, clock, tap, settings, data).await
    }

    /// A world of real servers in real time, AWS's lifecycles `speed` times as fast; changed beforehand.
    pub(crate) async fn real(plan: Plan, speed: f64, change: impl FnOnce(&mut Seed)) -> Self {
        let clock = Clock::system();
        let sandbox = Sandbox::builder().servers(ServerPolicy::Auto).speed(speed).build();
        Self::served(plan, sandbox.expect("there is a server program"), clock, change).await
    }

    /// A world of real servers on a clock that runs `speed` times as fast, for AWS and for the run: as `--sandbox` has it.
    pub(crate) async fn hurried(plan: Plan, speed: f64, change: impl FnOnce(&mut Seed)) -> Self {
        let clock = Clock::tokio(Timestamp::now(), speed);
        let builder = Sandbox::builder().clock(Arc::new(Shared(clock.clone())));
        let sandbox = builder.servers(ServerPolicy::Auto).build();
        Self::served(plan, sandbox.expect("there is a server program"), clock, change).await
    }

    async fn served(
        plan: Plan,
        sandbox: Sandbox,
        clock: Clock,
        change: impl FnOnce(&mut Seed),
    ) -> Self {
        let ca = sandbox.ca_pem().expect("these are real servers").into_bytes();
        let mut seed = seed_for(&plan);
        for group in &mut seed.replication_groups {
            group.keys = KEYS;
        }
        change(&mut seed);
        sandbox.seed(seed).await.expect("the seed fits");
        let tap = Tap::default();
        let settings = Settings {
            clock: clock.clone(),
            region: Some("us-east-1".to_owned()),
            path_style: true,
            in_process: Some(tap.client(sandbox.http_client())),
            paced: false,
        };
        Self::connected(plan, sandbox, clock, tap, settings, Rc::new(Wire::new(Some(ca)))).await
    }

    async fn connected(
        plan: Plan,
        sandbox: Sandbox,
        clock: Clock,
        tap: Tap,
        settings: Settings,
        data: Rc<dyn DataPlane>,
    ) -> Self {
        let clients = aws::connect(&settings).await.expect("an in-process connection");
        let identity = aws::identify(&clients).await.expect("the sandbox knows who we are");
        let env = Rc::new(Env::new(clients.clone(), identity, data, &clock));
        let registry = registry(&env);
        Self { sandbox, clock, registry, plan, aws: clients, env, tap }
    }

    /// Changes that took effect so far.
    pub(crate) fn changes(&self) -> Vec<Call> {
        effective(&self.sandbox)
    }

    /// Changes that were answered with success so far.
    pub(crate) fn answered(&self) -> Vec<Call> {
        let calls = self.sandbox.calls().into_iter();
        calls.filter(|call| call.mutating && call.outcome == Outcome::Ok).collect()
    }

    /// Begins a run and takes it to its end; approvals are given at once.
    pub(crate) async fn run(&self, disturb: &Disturb<'_>) -> Done {
        let header = Record::Started {
            run: disturb.run.parse::<RunId>().expect("a run id"),
            tool: "test".to_owned(),
            by: "tester".to_owned(),
            account: "123456789012".to_owned(),
            region: "us-east-1".to_owned(),
            embedded: true,
            plan: Box::new(self.plan.clone()),
        };
        let journal = MemoryJournal::default();
        let watched = self.watch(&journal, disturb.crash);
        let begun =
            Ledger::begin(Box::new(watched.clone()), header, self.clock.clone(), Rc::new(|_| {}))
                .await;
        match begun {
            Ok(ledger) => self.drive(ledger, &journal, &watched, disturb).await,
            Err(failure) => Done { end: End::Broken(failure), journal, seen: watched.seen },
        }
    }

    /// Takes up the run that `before` left behind, after adding `more`.
    pub(crate) async fn take_up(
        &self,
        before: &Done,
        more: Vec<Record>,
        disturb: &Disturb<'_>,
    ) -> Done {
        let entries = before.journal.entries();
        let journal = MemoryJournal::with(entries.clone());
        let watched = self.watch(&journal, disturb.crash);
        let ledger = Ledger::resume(
            Box::new(watched.clone()),
            &entries,
            self.clock.clone(),
            Rc::new(|_| {}),
        )
        .expect("the surviving entries follow one another");
        for record in more {
            if let Err(failure) = ledger.record(record).await {
                return Done { end: End::Broken(failure), journal, seen: watched.seen };
            }
        }
        self.drive(ledger, &journal, &watched, disturb).await
    }

    fn watch(&self, journal: &MemoryJournal, crash: Option<Crash>) -> Watched {
        let inner = match crash {
            Some(crash) => journal.clone().crashing(crash),
            None => journal.clone(),
        };
        Watched { inner, sandbox: self.sandbox.clone(), seen: Rc::default() }
    }

    async fn drive(
        &self,
        ledger: Ledger,
        journal: &MemoryJournal,
        watched: &Watched,
        disturb: &Disturb<'_>,
    ) -> Done {
        let ledger = Rc::new(ledger);
        let kinds: &dyn Kinds = disturb.kinds.unwrap_or(&self.registry);
        let engine =
            Engine::new(kinds, Rc::clone(&ledger), self.clock.clone(), CancellationToken::new())
                .disturbed(disturb.inject.clone());
        loop {
            let end = engine.run().await;
            if let End::Rest(orchestrate::engine::journal::Rest::Waiting { step }) = &end {
                let yes = Record::Decided {
                    step: step.clone(),
                    approved: true,
                    by: "tester".to_owned(),
                    comment: None,
                };
                if ledger.record(yes).await.is_ok() {
                    continue;
                }
                let failure = orchestrate::engine::Failure::fatal("died while approving");
                return Done {
                    end: End::Broken(failure),
                    journal: journal.clone(),
                    seen: Rc::clone(&watched.seen),
                };
            }
            return Done { end, journal: journal.clone(), seen: Rc::clone(&watched.seen) };
        }
    }
}

/// What to disturb in a run.
pub(crate) struct Disturb<'a> {
    pub(crate) run: &'a str,
    pub(crate) inject: Inject,
    pub(crate) crash: Option<Crash>,
    /// Other kinds than the world's own.
    pub(crate) kinds: Option<&'a dyn Kinds>,
}

impl Default for Disturb<'_> {
    fn default() -> Self {
        Self { run: RUN, inject: Inject::default(), crash: None, kinds: None }
    }
}

/// Each record as it was written, with the number of changes that had taken effect by then.
type Seen = Rc<RefCell<Vec<(Record, usize)>>>;

/// How a run ended, and what it left.
pub(crate) struct Done {
    pub(crate) end: End,
    pub(crate) journal: MemoryJournal,
    pub(crate) seen: Seen,
}

impl Done {
    pub(crate) fn state(&self) -> RunState {
        RunState::replay(&self.journal.entries()).expect("a journal of this engine replays")
    }

    /// Everything the journal says went wrong, for messages.
    pub(crate) fn story(&self) -> String {
        let lines = self.journal.entries().into_iter().filter_map(|entry| match entry.record {
            Record::AttemptFailed { step, failure, .. } => {
                Some(format!("{step}: attempt failed: {failure}"))
            }
            Record::Failed { step, failure } => Some(format!("{step}: failed: {failure}")),
            Record::UndoAttemptFailed { step, failure, .. } => {
                Some(format!("{step}: undo attempt failed: {failure}"))
            }
            Record::UndoFailed { step, failure } => Some(format!("{step}: undo failed: {failure}")),
            Record::Rested(rest) => Some(format!("rest: {rest:?}")),
            _ => None,
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// A journal that notes how many changes had taken effect when each record was written.
#[derive(Clone)]
struct Watched {
    inner: MemoryJournal,
    sandbox: Sandbox,
    seen: Seen,
}

#[async_trait(?Send)]
impl Journal for Watched {
    fn epoch(&self) -> u64 {
        self.inner.epoch()
    }

    async fn append(&mut self, entry: &Entry) -> Result<(), JournalError> {
        let changes = self.sandbox.count(is_effective);
        self.seen.borrow_mut().push((entry.record.clone(), changes));
        self.inner.append(entry).await
    }
}

fn effective(sandbox: &Sandbox) -> Vec<Call> {
    sandbox.calls().into_iter().filter(is_effective).collect()
}

fn is_effective(call: &Call) -> bool {
    call.mutating && !matches!(call.outcome, Outcome::Error(_))
}

/// Calls that nothing can be looked at after: AWS shows neither messages nor single points. Their kinds say that they are
/// made at least once, and so they count once.
const AT_LEAST_ONCE: [&str; 2] = ["Publish", "PutMetricData"];

/// The changes by operation, so that two histories can be compared without their order in time.
pub(crate) fn tally(changes: &[Call]) -> Value {
    let mut counts: std::collections::BTreeMap<String, u32> = std::collections::BTreeMap::new();
    for call in changes {
        let count = counts.entry(format!("{} {}", call.operation, call.resource)).or_default();
        if *count == 0 || !AT_LEAST_ONCE.contains(&call.operation.as_str()) {
            *count += 1;
        }
    }
    json!(counts)
}

/// Runs a test on virtual time: a runtime of its own, paused from the beginning.
pub(crate) fn virtually<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime")
        .block_on(test)
}
