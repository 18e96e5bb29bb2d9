//! Guards of a run: what is seen in the background stops it, and nothing is changed after that.

use std::rc::Rc;
use std::time::Duration;

use jiff::Timestamp;
use orchestrate::aws::{Clients, Gates};
use orchestrate::cli::guards::GuardEye;
use orchestrate::cli::sandboxed::model_plane;
use orchestrate::engine::journal::{MemoryJournal, Record, Rest, Steer};
use orchestrate::engine::{End, Engine, Helm, Ledger, RunId, RunState, Verdict};
use orchestrate::plan::Plan;
use orchestrate::state::{GuardGate, MemoryObjects, Watch, ask, wanted};
use orchestrate::steps::{Env, guard, registry};
use orchestrate_sandbox::{
    Fault, FaultKind, FaultPlan, Seed, SeedAlarmState, SeedMetric, SeedPoint,
};
use tokio_util::sync::CancellationToken;

use crate::harness::same;
use crate::permissions::{hold, needed};
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

    /// The next process takes the run up, in which the first one's place is.
    fn taken_up(&self) -> (Self, Rc<Ledger>) {
        let (objects, journal) = (self.objects.clone(), self.journal.clone());
        let (clock, entries) = (self.world.clock.clone(), journal.entries());
        let ledger = Ledger::resume(Box::new(journal.clone()), &entries, clock, Rc::new(|_| {}));
        let ledger = Rc::new(ledger.expect("a journal of this engine"));
        (Process { world: self.world, objects, journal }, ledger)
    }

    /// Works on the run to its rest. `lift`: how long after a pause a person lets it go on.
    async fn run(&self, ledger: &Rc<Ledger>, lift: Option<Duration>) -> End {
        let (world, clock) = (self.world, self.world.clock.clone());
        let run: RunId = RUN.parse().expect("a run id");
        let helm = Rc::new(Helm::default());
        let eye = Rc::new(GuardEye { env: Rc::clone(&world.env), clock: clock.clone() });
        let watch = Rc::new(Watch::new(eye, clock.clone()));
        // Its own gates: those of a process that has died are gone with it.
        let aws = Clients { gates: Gates::default(), ..world.aws.clone() };
        let gate = GuardGate::new(Rc::clone(&watch), Rc::clone(ledger));
        aws.gates.add(Rc::new(gate));
        let data = Rc::new(model_plane(world.sandbox.clone(), clock.clone()));
        let env = Rc::new(Env::new(aws, world.env.identity.clone(), data, &clock));
        let registry = registry(&env);
        watch.once(&self.objects, &run, &helm, ledger).await;
        let engine =
            Engine::new(&registry, Rc::clone(ledger), clock.clone(), CancellationToken::new())
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
        let (next, ledger) = process.taken_up();
        let run = next.run(&ledger, None);
        let still = tokio::time::timeout(Duration::from_secs(14_400), run).await;
        assert!(still.is_err(), "it is paused: {still:?}");
        let state = RunState::replay(&next.journal.entries()).expect("it replays");
        assert_eq!(state.paused.expect("it is paused").by, "guard errors");
        assert_eq!(changes_between(&world, taken_up, world.clock.now()), Vec::<String>::new());
    });
}

/// Steers and by whom, without when and why.
fn words(journal: &MemoryJournal) -> Vec<(Steer, String)> {
    let by = |why: String| why.split(':').next().unwrap_or_default().to_owned();
    steered(journal).into_iter().map(|(_, steer, why)| (steer, by(why))).collect()
}

/// Whether a step had begun and not ended at a moment.
fn was_on(journal: &MemoryJournal, step: &str, at: Timestamp) -> bool {
    let until = journal.entries().into_iter().take_while(|entry| entry.at <= at);
    let mut on = false;
    for entry in until {
        match entry.record {
            Record::StepStarted { step: id, .. } if id == step => on = true,
            Record::Succeeded { step: id, .. } if id == step => on = false,
            _ => {}
        }
    }
    on
}

#[test]
fn a_breach_during_the_last_step_still_pauses_or_rolls_back() {
    for (guards, end, steers) in [
        (ON_ALARM.to_owned(), Rest::Succeeded, vec![Steer::Pause, Steer::GoOn]),
        (ON_ALARM.replace("pause", "rollback"), Rest::Cancelled, vec![Steer::Cancel]),
    ] {
        virtually(async {
            let states = |seed: &mut Seed| alarm(seed, &[(-60, "OK"), (40, "ALARM")]);
            let world = World::seeded(plan(&guards), states).await;
            let clean = world.sandbox.world();
            let process = Process::new(&world);
            let ledger = process.ledger().await;
            let ended = process.run(&ledger, Some(Duration::from_secs(600))).await;
            assert_eq!(ended, End::Rest(end.clone()), "{guards}");
            let steered = steered(&process.journal);
            assert!(was_on(&process.journal, "rest", steered[0].0), "{steered:?}");
            let seen: Vec<Steer> = steered.into_iter().map(|(_, steer, _)| steer).collect();
            assert_eq!(seen, steers);
            if end == Rest::Cancelled {
                same(&clean, &world.sandbox.world()).unwrap_or_else(|e| panic!("{e}"));
            }
        });
    }
}

/// What takes back is not stopped by what it may be the cure for.
#[test]
fn a_rollback_is_not_guarded() {
    virtually(async {
        let guards = format!(
            "{}  - {{ id: late, alarm: shop-late, on_breach: pause }}\n",
            ON_ALARM.replace("pause", "rollback")
        );
        // The cluster is being made for eighteen minutes, and can be deleted only after that.
        let states = |seed: &mut Seed| {
            alarm(seed, &[(-60, "OK"), (5, "ALARM")]);
            let late = [(-60, "OK"), (7, "ALARM")];
            seed.alarms[1].states = late
                .map(|(after_minutes, state)| SeedAlarmState {
                    after_minutes,
                    state: state.to_owned(),
                    reason: String::new(),
                })
                .into();
        };
        let world = World::seeded(plan(&guards), states).await;
        let (clean, began) = (world.sandbox.world(), world.clock.now());
        let process = Process::new(&world);
        let ledger = process.ledger().await;
        let end = process.run(&ledger, None).await;
        assert_eq!(end, End::Rest(Rest::Cancelled));
        assert!(world.clock.since(began) > Duration::from_secs(8 * 60), "it was over too soon");
        assert_eq!(words(&process.journal), [(Steer::Cancel, "guard errors".to_owned())]);
        same(&clean, &world.sandbox.world()).unwrap_or_else(|e| panic!("{e}"));
    });
}

#[test]
fn a_cloudwatch_that_cannot_be_read_is_no_breach_before_it_lasts() {
    let strict = ON_ALARM.replace("pause }", "pause, no_data: breach }");
    let blind = |nth, times| {
        let fault = Fault::new("monitoring", "DescribeAlarms", FaultKind::Throttle);
        FaultPlan::of([fault.nth(nth).times(times)])
    };
    for (guards, faults, stops) in [
        (ON_ALARM, blind(1, 100_000), false),
        (&*strict, blind(3, 4), false),
        (&*strict, blind(3, 100_000), true),
    ] {
        virtually(async {
            let states = |seed: &mut Seed| alarm(seed, &[(-60, "OK")]);
            let world = World::seeded(plan(guards), states).await;
            world.sandbox.set_faults(faults);
            let began = world.clock.now();
            let process = Process::new(&world);
            let ledger = process.ledger().await;
            let run = process.run(&ledger, None);
            let end = tokio::time::timeout(Duration::from_secs(14_400), run).await;
            if !stops {
                assert_eq!(end.expect("it ends"), End::Rest(Rest::Succeeded));
                assert_eq!(words(&process.journal), []);
                return;
            }
            assert!(end.is_err(), "it is paused: {end:?}");
            let steered = steered(&process.journal);
            let [(at, Steer::Pause, why)] = steered.as_slice() else { panic!("{steered:?}") };
            assert!(why.contains("guard errors: it cannot be read: CloudWatch refused"), "{why}");
            // The third look is a minute after the first.
            let after = at.duration_since(began).as_secs();
            assert!((240..=300).contains(&after), "{after}");
        });
    }
}

#[test]
fn a_person_s_word_counts_in_the_next_process_too_until_the_guard_was_well() {
    for (states, expected) in [
        (vec![(-60, "OK"), (5, "ALARM")], vec!["guard errors", "somebody"]),
        (
            vec![(-60, "OK"), (5, "ALARM"), (125, "OK"), (135, "ALARM")],
            vec!["guard errors", "somebody", "guard errors"],
        ),
    ] {
        virtually(async {
            let world = World::seeded(plan(ON_ALARM), |seed| alarm(seed, &states)).await;
            let first = Process::new(&world);
            let ledger = first.ledger().await;
            let run = first.run(&ledger, None);
            let still = tokio::time::timeout(Duration::from_secs(2 * 3600), run).await;
            assert!(still.is_err(), "it is paused: {still:?}");
            drop(ledger);
            // `orchestrate resume` takes the pause back, and begins a process, which hears of that first.
            let run: RunId = RUN.parse().expect("a run id");
            ask(&first.objects, &run, |wanted| wanted.pause = None).await.expect("memory");
            let (next, ledger) = first.taken_up();
            let lifted = wanted(&next.objects, &run).await.expect("memory");
            Helm::default().heed(&ledger, &lifted).await.expect("a journal");
            let run = next.run(&ledger, None);
            let end = tokio::time::timeout(Duration::from_secs(14_400), run).await;
            let by: Vec<String> = words(&next.journal).into_iter().map(|(_, by)| by).collect();
            assert_eq!(by, expected);
            match expected.len() {
                2 => assert_eq!(end.expect("it ends"), End::Rest(Rest::Succeeded)),
                _ => assert!(end.is_err(), "it is paused again: {end:?}"),
            }
        });
    }
}

/// Who lets the run go on in spite of one guard has not heard of the other.
#[test]
fn each_guard_pauses_the_run_in_its_own_name() {
    virtually(async {
        let guards = format!("{ON_ALARM}  - {{ id: late, alarm: shop-late, on_breach: pause }}\n");
        let states = |seed: &mut Seed| {
            alarm(seed, &[(-60, "OK"), (5, "ALARM")]);
            seed.alarms[1].states = seed.alarms[0].states.clone();
        };
        let world = World::seeded(plan(&guards), states).await;
        let process = Process::new(&world);
        let ledger = process.ledger().await;
        let run = process.run(&ledger, Some(Duration::from_secs(3600)));
        let still = tokio::time::timeout(Duration::from_secs(14_400), run).await;
        assert!(still.is_err(), "it is paused: {still:?}");
        let by: Vec<String> = words(&process.journal).into_iter().map(|(_, by)| by).collect();
        assert_eq!(by, ["guard errors", "somebody", "guard late"]);
        let steered = steered(&process.journal);
        // In between nothing left, though the run went on for up to half a minute.
        assert_eq!(changes_between(&world, steered[0].0, world.clock.now()), Vec::<String>::new());
    });
}

/// What a guard shows before a run, and what it takes to look at it.
#[test]
fn what_guards_show_is_told_before_the_run_and_their_permissions_are_printed() {
    let guards = format!("{ON_ALARM}{ON_METRIC}");
    let denied = "the caller may not look";
    for (state, value, verdicts) in [
        ("OK", Some(0.0), [Verdict::Ok, Verdict::Ok]),
        ("ALARM", Some(2.0), [Verdict::WillFail, Verdict::WillFail]),
        ("INSUFFICIENT_DATA", None, [Verdict::CannotKnow, Verdict::CannotKnow]),
    ] {
        virtually(async {
            let states = |seed: &mut Seed| {
                failing(seed, &[(-60, value)]);
                alarm(seed, &[(-60, state)]);
            };
            let world = World::seeded(plan(&guards), states).await;
            hold(&world, &needed(&world.plan));
            let found = guard::findings(&world.env, &world.plan, world.clock.now()).await;
            let seen: Vec<Verdict> = found.iter().map(|finding| finding.verdict).collect();
            assert_eq!(seen, verdicts, "{found:?}");
            for finding in found.iter().filter(|finding| finding.verdict != Verdict::Ok) {
                assert!(finding.mend.is_some(), "{finding:?}");
            }
            for action in ["cloudwatch:DescribeAlarms", "cloudwatch:GetMetricData"] {
                let mut rest = needed(&world.plan);
                rest.retain(|grant| grant.action != action);
                hold(&world, &rest);
                let found = guard::findings(&world.env, &world.plan, world.clock.now()).await;
                assert_eq!(found.len(), 1, "{denied}: {found:?}");
                assert_eq!(found[0].verdict, Verdict::CannotKnow, "{denied}: {found:?}");
                assert!(found[0].what.contains(action), "{denied}: {found:?}");
            }
        });
    }
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
