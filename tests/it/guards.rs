//! Guards of a run: what is seen in the background stops it, and nothing is changed after that.

use std::rc::Rc;
use std::time::Duration;

use jiff::Timestamp;
use orchestrate::cli::guards::GuardEye;
use orchestrate::engine::journal::{MemoryJournal, Record, Rest, Steer};
use orchestrate::engine::{End, Engine, Helm, Ledger, RunId, RunState};
use orchestrate::plan::Plan;
use orchestrate::state::{GuardGate, MemoryObjects, Watch, ask, wanted};
use orchestrate_sandbox::{Seed, SeedAlarmState, SeedMetric, SeedPoint};
use tokio_util::sync::CancellationToken;

use crate::harness::same;
use crate::world::{RUN, World, virtually, written};

const STEPS: &str = "
  - id: parameters
    memorydb.create_parameter_group: { name: guarded, family: memorydb_valkey7 }
  - id: cluster
    memorydb.create_cluster: { name: guarded, node_type: db.r7g.large, acl: open-access, tls: false }
  - id: team
    memorydb.create_acl: { name: team, users: [app] }
  - id: rest
    pause: { for: 30m }
";

fn plan(guards: &str) -> Plan {
    written(&format!("playbook: v1\nname: guarded\nguards:\n{guards}\nsteps:{STEPS}"))
}

const ON_ALARM: &str = "
  - { id: errors, alarm: shop-errors, on_breach: pause }
";
const ON_METRIC: &str = "
  - id: busy
    namespace: Shop/Orders
    metric: Failed
    statistic: Sum
    at_most: 0
    on_breach: rollback
";

fn alarm(seed: &mut Seed, states: &[(i64, &str)]) {
    // An ACL needs a user.
    users(seed);
    seed.alarms[0].states = states
        .iter()
        .map(|(after_minutes, state)| SeedAlarmState {
            after_minutes: *after_minutes,
            state: (*state).to_owned(),
            reason: "orders fail".to_owned(),
        })
        .collect();
}

fn users(seed: &mut Seed) {
    seed.memorydb_users.push(orchestrate_sandbox::SeedUser {
        name: "app".to_owned(),
        access_string: "on ~* +@all".to_owned(),
        passwords: vec!["sandbox-password-of-no-value".to_owned()],
        ..Default::default()
    });
}

fn failing(seed: &mut Seed, values: &[(i64, Option<f64>)]) {
    users(seed);
    let point = |(after_minutes, value): &(i64, Option<f64>)| SeedPoint {
        after_minutes: *after_minutes,
        value: *value,
    };
    seed.metrics.push(SeedMetric {
        namespace: "Shop/Orders".to_owned(),
        metric: "Failed".to_owned(),
        values: values.iter().map(point).collect(),
        ..SeedMetric::default()
    });
}

/// A process that works on the run, with what people and guards write beside its journal.
struct Process<'a> {
    world: &'a World,
    objects: MemoryObjects,
    journal: MemoryJournal,
}

impl<'a> Process<'a> {
    fn new(world: &'a World) -> Self {
        let objects = MemoryObjects::new(world.clock.clone());
        Self { world, objects, journal: MemoryJournal::default() }
    }

    async fn ledger(&self) -> Rc<Ledger> {
        let clock = self.world.clock.clone();
        let header = Record::Started {
            run: RUN.parse().expect("a run id"),
            tool: "test".to_owned(),
            by: "tester".to_owned(),
            account: "123456789012".to_owned(),
            region: "us-east-1".to_owned(),
            embedded: true,
            plan: Box::new(self.world.plan.clone()),
        };
        let journal = Box::new(self.journal.clone());
        Rc::new(Ledger::begin(journal, header, clock, Rc::new(|_| {})).await.expect("a header"))
    }

    /// Works on the run to its rest. `lift`: how long after a pause a person lets it go on.
    async fn run(&self, ledger: &Rc<Ledger>, lift: Option<Duration>) -> End {
        let (world, clock) = (self.world, self.world.clock.clone());
        let run: RunId = RUN.parse().expect("a run id");
        let helm = Rc::new(Helm::default());
        let eye = Rc::new(GuardEye { env: Rc::clone(&world.env), clock: clock.clone() });
        let watch = Rc::new(Watch::new(eye, clock.clone()));
        world.env.aws.gates.add(Rc::new(GuardGate::new(Rc::clone(&watch), Rc::clone(ledger))));
        watch.once(&self.objects, &run, &helm, ledger).await;
        let engine = Engine::new(
            &world.registry,
            Rc::clone(ledger),
            clock.clone(),
            CancellationToken::new(),
        )
        .steered(Rc::clone(&helm));
        let lifting = async {
            let Some(lift) = lift else { return std::future::pending::<()>().await };
            while ledger.state(|state| state.paused.is_none()) {
                clock.sleep(Duration::from_secs(5)).await;
            }
            clock.sleep(lift).await;
            ask(&self.objects, &run, |wanted| wanted.pause = None).await.expect("memory");
            let wanted = wanted(&self.objects, &run).await.expect("memory");
            helm.heed(ledger, &wanted).await.expect("a journal");
            std::future::pending::<()>().await;
        };
        tokio::select! {
            end = engine.run() => end,
            never = watch.on(&self.objects, &run, &helm, ledger) => match never {},
            () = lifting => unreachable!("it never ends"),
        }
    }
}

/// When the run was steered, by whom, and why.
fn steered(journal: &MemoryJournal) -> Vec<(Timestamp, Steer, String)> {
    let entries = journal.entries().into_iter();
    let steered = entries.filter_map(|entry| match entry.record {
        Record::Steered { steer, by, comment } => {
            Some((entry.at, steer, format!("{by}: {}", comment.unwrap_or_default())))
        }
        _ => None,
    });
    steered.collect()
}

fn changes_between(world: &World, from: Timestamp, to: Timestamp) -> Vec<String> {
    let calls = world.sandbox.calls().into_iter();
    let within = calls.filter(|call| call.mutating && call.at > from && call.at < to);
    within.map(|call| format!("{} {}", call.operation, call.at)).collect()
}

#[test]
fn an_alarm_pauses_the_run_and_nothing_is_changed_until_a_person_lets_it_go_on() {
    virtually(async {
        // The alarm begins while the cluster is made, and does not end.
        let states = |seed: &mut Seed| alarm(seed, &[(-60, "OK"), (5, "ALARM")]);
        let world = World::seeded(plan(ON_ALARM), states).await;
        let began = world.clock.now();
        let process = Process::new(&world);
        let ledger = process.ledger().await;
        let end = process.run(&ledger, Some(Duration::from_secs(7200))).await;
        assert_eq!(end, End::Rest(Rest::Succeeded));
        let steered = steered(&process.journal);
        let [(paused, Steer::Pause, why), (lifted, Steer::GoOn, _)] = steered.as_slice() else {
            panic!("{steered:?}")
        };
        assert_eq!(why, "guard errors: alarm \"shop-errors\" is in ALARM: orders fail");
        let detected = world.clock.since(began).as_secs();
        assert!(paused.duration_since(began).as_secs() <= 5 * 60 + 40, "{detected}");
        assert!(lifted.duration_since(*paused).as_secs() >= 7200);
        assert_eq!(changes_between(&world, *paused, *lifted), Vec::<String>::new());
        // The person's word counts, though the alarm goes on: the run was not stopped by it again.
        assert_eq!(steered.len(), 2);
        assert!(world.sandbox.world()["memorydb"]["acls"]["team"].is_object());
    });
}

#[test]
fn a_metric_beyond_its_limit_rolls_the_run_back_to_a_clean_slate() {
    virtually(async {
        let values = |seed: &mut Seed| failing(seed, &[(-60, Some(0.0)), (25, Some(3.0))]);
        let world = World::seeded(plan(ON_METRIC), values).await;
        let clean = world.sandbox.world();
        let process = Process::new(&world);
        let ledger = process.ledger().await;
        let end = process.run(&ledger, None).await;
        assert_eq!(end, End::Rest(Rest::Cancelled));
        let steered = steered(&process.journal);
        assert_eq!(steered.len(), 1, "{steered:?}");
        assert!(
            steered[0].2.contains("guard busy: Shop/Orders Failed Sum is 3, and must be at most 0")
        );
        same(&clean, &world.sandbox.world()).unwrap_or_else(|e| panic!("{e}"));
    });
}

#[test]
fn no_data_is_unknown_and_stops_only_where_the_playbook_says_so() {
    virtually(async {
        let text = format!("{ON_METRIC}    no_data: breach\n");
        for (guards, end) in [(ON_METRIC, Rest::Succeeded), (&*text, Rest::Cancelled)] {
            let world = World::seeded(plan(guards), |seed| failing(seed, &[(-60, None)])).await;
            let process = Process::new(&world);
            let ledger = process.ledger().await;
            assert_eq!(process.run(&ledger, None).await, End::Rest(end), "{guards}");
        }
    });
}

#[test]
fn a_process_that_dies_before_it_could_record_what_it_saw_leaves_it_to_the_next_one() {
    virtually(async {
        let states = |seed: &mut Seed| alarm(seed, &[(-60, "OK"), (5, "ALARM")]);
        let world = World::seeded(plan(ON_ALARM), states).await;
        let process = Process::new(&world);
        // This one never looks: it dies in the sixth minute.
        let ledger = process.ledger().await;
        let engine = Engine::new(
            &world.registry,
            Rc::clone(&ledger),
            world.clock.clone(),
            CancellationToken::new(),
        );
        let died = tokio::time::timeout(Duration::from_secs(350), engine.run()).await;
        assert!(died.is_err(), "{died:?}");
        let taken_up = world.clock.now();
        let next = Process {
            world: &world,
            objects: process.objects.clone(),
            journal: process.journal.clone(),
        };
        let entries = next.journal.entries();
        let journal = next.journal.clone();
        let ledger = Rc::new(
            Ledger::resume(Box::new(journal), &entries, world.clock.clone(), Rc::new(|_| {}))
                .expect("a journal of this engine"),
        );
        let run = next.run(&ledger, None);
        let still = tokio::time::timeout(Duration::from_secs(86_400), run).await;
        assert!(still.is_err(), "it is paused: {still:?}");
        let state = RunState::replay(&next.journal.entries()).expect("it replays");
        assert_eq!(state.paused.expect("it is paused").by, "guard errors");
        assert_eq!(changes_between(&world, taken_up, world.clock.now()), Vec::<String>::new());
    });
}

#[test]
fn guards_are_checked_like_steps() {
    use orchestrate::plan::{GivenInputs, compile};
    use orchestrate::playbook::Source;
    let problems = |guards: &str| {
        let text = format!("playbook: v1\nname: guarded\nguards:\n{guards}\nsteps:{STEPS}");
        let given =
            GivenInputs { arguments: Vec::new(), file: None, earlier: serde_json::Map::new() };
        let source = Source::new("test.yaml".to_owned(), text);
        compile(&source, &orchestrate::steps::catalog(), &given)
            .map(drop)
            .map_err(|problems| problems.render(false))
    };
    assert_eq!(problems(ON_ALARM), Ok(()));
    for (guards, words) in [
        ("  - { id: a, alarm: x }", "a guard needs `on_breach`"),
        ("  - { id: a, alarm: x, on_breach: stop }", "pause"),
        ("  - { id: a, alarm: x, on_breach: pause, colour: red }", "has no key `colour`"),
        ("  - { alarm: x, on_breach: pause }", "a guard needs `id`"),
        (
            "  - { id: a, alarm: x, on_breach: pause }\n  - { id: a, alarm: y, on_breach: pause }",
            "another guard has the id `a`",
        ),
        ("  - { id: a, alarm: '${{ steps.team.name }}', on_breach: pause }", "guards"),
        (
            "  - { id: a, namespace: AWS/MemoryDB, metric: WriteLatency, dimensions: { ClusterName: x }, at_most: 1, on_breach: pause }",
            "SuccessfulWriteRequestLatency",
        ),
        ("  on: x", "must be a list"),
    ] {
        let said = problems(guards).expect_err(guards);
        assert!(said.contains(words), "{guards}: {said}");
    }
}
