//! Whole runs of the one step: what the engine does with its failures and with a process that dies.

use std::rc::Rc;

use tokio_util::sync::CancellationToken;

use super::tests::{NEW, assert_old, parameter, record, secret, world};
use super::world::Shared;
use super::*;
use crate::engine::journal::{Crash, Entry, MemoryJournal, Record, Rest, RollbackReason};
use crate::engine::{Clock, End, Engine, Ledger};
use crate::plan::{FORMAT, Plan, PlannedStep, Stage, Template, Writes};
use crate::steps::registry;

fn plan(targets: &[Value]) -> Plan {
    let step = PlannedStep {
        id: "step".to_owned(),
        kind: Swap::KIND.to_owned(),
        description: None,
        args: Template::Literal(json!({"to": NEW, "targets": targets})),
        timeout_secs: None,
        effect: Swap::EFFECT,
        accept_no_way_back: false,
        keep: false,
    };
    Plan {
        outputs: None,
        format: FORMAT,
        playbook: "swap".to_owned(),
        description: None,
        digest: String::new(),
        guard: None,
        inputs: serde_json::Map::new(),
        timeout_secs: None,
        writes: Writes::NotConcerned,
        guards: Vec::new(),
        stages: vec![Stage { max_parallel: 1, lanes: vec![vec![step]] }],
    }
}

async fn begin(
    journal: MemoryJournal,
    clock: &Clock,
    targets: &[Value],
) -> Result<Ledger, Failure> {
    let header = Record::Started {
        embedded: false,
        run: "0test0test".parse().unwrap(),
        tool: "0".to_owned(),
        by: "test".to_owned(),
        account: "123456789012".to_owned(),
        region: "us-east-1".to_owned(),
        plan: Box::new(plan(targets)),
    };
    Ledger::begin(Box::new(journal), header, clock.clone(), Rc::new(|_| {})).await
}

async fn run(shared: &Shared, ledger: Ledger, clock: &Clock) -> End {
    let kinds = registry(&Rc::new(shared.env(&[])));
    let ledger = Rc::new(ledger);
    Engine::new(&kinds, ledger, clock.clone(), CancellationToken::new()).run().await
}

fn resume(entries: Vec<Entry>, clock: &Clock) -> Ledger {
    let journal = Box::new(MemoryJournal::with(entries.clone()));
    Ledger::resume(journal, &entries, clock.clone(), Rc::new(|_| {})).unwrap()
}

fn clock() -> Clock {
    Clock::tokio("2026-01-01T00:00:00Z".parse().unwrap(), 1.0)
}

#[tokio::test(start_paused = true)]
async fn a_refused_run_rolls_back_to_a_clean_slate() {
    let targets = [secret(), parameter("/a"), record(), parameter("/b")];
    for refused in
        ["PutSecretValue", "Move AWSCURRENT", "PutParameter /a", "Upsert", "PutParameter /b"]
    {
        let (shared, clock) = (world(), clock());
        shared.lock().denied.insert(refused.to_owned());
        let ledger = begin(MemoryJournal::default(), &clock, &targets).await.unwrap();
        assert_eq!(run(&shared, ledger, &clock).await, End::Rest(Rest::RolledBack), "{refused}");
        assert_old(&shared.lock());
    }
}

#[tokio::test(start_paused = true)]
async fn a_target_changed_by_somebody_else_before_its_turn_does_not_block_the_rollback() {
    let (shared, clock) = (world(), clock());
    // While the first target is written, somebody changes the second.
    shared.lock().meddlers.insert("PutParameter /a".to_owned(), |world| {
        world.parameters.get_mut("/b").unwrap().push("third.x:7".to_owned());
    });
    let targets = [parameter("/a"), parameter("/b")];
    let ledger = begin(MemoryJournal::default(), &clock, &targets).await.unwrap();
    assert_eq!(run(&shared, ledger, &clock).await, End::Rest(Rest::RolledBack));
    shared.lock().parameters.get_mut("/b").unwrap().pop();
    assert_old(&shared.lock());
}

#[tokio::test(start_paused = true)]
async fn a_run_that_dies_at_any_write_can_go_on_or_back() {
    let targets = [secret(), parameter("/a"), record(), parameter("/b")];
    let whole = MemoryJournal::default();
    let clock = clock();
    let ledger = begin(whole.clone(), &clock, &targets).await.unwrap();
    assert_eq!(run(&world(), ledger, &clock).await, End::Rest(Rest::Succeeded));
    let writes = whole.entries().len() as u64;
    assert!(writes > 8, "a note before each of four targets, and the wait");
    for at in 2..=writes {
        for (written, back) in [(true, false), (false, false), (true, true), (false, true)] {
            let shared = world();
            let journal = MemoryJournal::default();
            let dying = journal.clone().crashing(Crash { at, written });
            let ledger = begin(dying, &clock, &targets).await.unwrap();
            assert!(matches!(run(&shared, ledger, &clock).await, End::Broken(_)), "{at}");
            let ledger = resume(journal.entries(), &clock);
            ledger.record(Record::Resumed { by: "test".to_owned() }).await.unwrap();
            if back {
                let by = "test".to_owned();
                let reason = RollbackReason::Asked { by, past_pivot: true };
                ledger.record(Record::RollbackStarted { reason }).await.unwrap();
                let end = run(&shared, ledger, &clock).await;
                assert_eq!(end, End::Rest(Rest::RolledBack), "{at} {written}");
                assert_old(&shared.lock());
            } else {
                let end = run(&shared, ledger, &clock).await;
                assert_eq!(end, End::Rest(Rest::Succeeded), "{at} {written}");
                let world = shared.lock();
                assert_eq!((world.parameter("/a"), world.parameter("/b")), (NEW, NEW));
                assert_eq!(world.parameters["/a"].len(), 3, "written once");
                assert_eq!(world.record.as_ref().unwrap().value, "new.example.com.");
                assert!(world.labelled("AWSCURRENT").is_some_and(|id| id != "v2"));
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_target_changed_by_somebody_else_after_the_swap_needs_a_person() {
    let (shared, clock) = (world(), clock());
    let targets = [parameter("/a"), parameter("/b")];
    let journal = MemoryJournal::default();
    let ledger = begin(journal.clone(), &clock, &targets).await.unwrap();
    assert_eq!(run(&shared, ledger, &clock).await, End::Rest(Rest::Succeeded));
    shared.lock().parameters.get_mut("/b").unwrap().push("third.x:7".to_owned());
    let ledger = resume(journal.entries(), &clock);
    let reason = RollbackReason::Asked { by: "test".to_owned(), past_pivot: true };
    ledger.record(Record::RollbackStarted { reason }).await.unwrap();
    let end = run(&shared, ledger, &clock).await;
    let End::Rest(Rest::Stuck { failure, .. }) = end else { panic!("{end:?}") };
    assert_eq!(failure.class, Class::Conflict);
    assert!(
        failure.causes.contains(&"SSM parameter \"/a\" names the old endpoint again".to_owned())
    );
}
