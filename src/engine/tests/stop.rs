//! Stopping, and a journal that cannot be written.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::world::{Act, Fixture, plan, with};
use crate::engine::journal::{Crash, Record, Rest};
use crate::engine::{Class, End, Strike};
use crate::plan::{Effect, Reference, Template};

/// Runs, and stops the run after `secs` of its time.
async fn begin_and_stop(fixture: &Fixture, secs: u64) -> End {
    tokio::select! {
        biased;
        end = fixture.begin() => end,
        end = async {
            fixture.clock.sleep(Duration::from_secs(secs)).await;
            fixture.cancel.cancel();
            std::future::pending::<End>().await
        } => end,
    }
}

/// Injected, so that it fails in every process alike.
fn failing_at_b() -> Fixture {
    let mut fixture = Fixture::new(plan("a b"));
    fixture.inject.fail = Some(("b".to_owned(), Strike::AfterExecute));
    fixture
}

#[tokio::test(start_paused = true)]
async fn a_run_stopped_anywhere_goes_on_to_the_same_world() {
    // prepare, execute and its wait, the pause after a fault, the undo and its pause.
    let fixtures: [fn() -> Fixture; 4] = [
        || Fixture::new(plan("a b")).prepares("b", &[Act::Sleep(100)]),
        || Fixture::new(plan("a b")).executes("b", &[Act::Fail(Class::Capacity), Act::Sleep(100)]),
        || failing_at_b().undoes("b", &[Act::Sleep(100)]),
        || failing_at_b().undoes("a", &[Act::Fail(Class::Capacity)]),
    ];
    for (index, fixture) in fixtures.iter().enumerate() {
        let whole = fixture();
        let end = whole.begin().await;
        let mut stopped = 0;
        for secs in 0..60 {
            let mut run = fixture();
            let first = begin_and_stop(&run, secs * 5).await;
            if first == end {
                continue;
            }
            assert_eq!(first, End::Interrupted, "case {index} at {secs}");
            assert!(matches!(run.records().last(), Some(Record::Interrupted { .. })));
            stopped += 1;
            run.cancel = CancellationToken::new();
            assert_eq!(run.resume().await, end, "case {index} at {secs}");
            assert_eq!(run.summary(), whole.summary(), "case {index} at {secs}");
        }
        assert!(stopped > 10, "case {index} was hardly ever stopped");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stopped_run_begins_no_further_step_even_if_steps_never_sleep() {
    let mut planned = plan("a b c d");
    for id in ["a", "b", "c", "d"] {
        planned = with(planned, id, |step| step.effect = Effect::ReadOnly);
    }
    let fixture = Fixture::new(planned);
    fixture.cancel.cancel();
    assert_eq!(fixture.begin().await, End::Interrupted);
    assert!(fixture.world.borrow().calls.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_stopped_rollback_begins_no_further_undo() {
    let mut fixture = Fixture::new(plan("a b"));
    assert_eq!(fixture.begin().await, End::Rest(Rest::Succeeded));
    fixture.cancel.cancel();
    assert_eq!(fixture.roll_back(false).await, End::Interrupted);
    assert_eq!(fixture.things(), ["a", "b"]);
    fixture.cancel = CancellationToken::new();
    assert_eq!(fixture.resume().await, End::Rest(Rest::RolledBack));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_done_when_it_is_stopped_is_done() {
    let mut fixture = Fixture::new(plan("a"));
    assert_eq!(fixture.begin().await, End::Rest(Rest::Succeeded));
    fixture.cancel = CancellationToken::new();
    fixture.cancel.cancel();
    assert_eq!(fixture.resume().await, End::Rest(Rest::Succeeded));
}

#[tokio::test(start_paused = true)]
async fn after_a_failed_write_no_kind_is_called_any_more() {
    let build = || {
        Fixture::new(plan("a (b|c|d)3 e"))
            .executes("b", &[Act::Fail(Class::Transient)])
            .executes("c", &[Act::Sleep(200)])
            .executes("e", &[Act::FailAfter(Class::Fatal)])
    };
    let whole = build();
    assert_eq!(whole.begin().await, End::Rest(Rest::RolledBack));
    for at in 1..=whole.journal.entries().len() as u64 {
        for written in [false, true] {
            let fixture = build();
            let end = fixture.process(Some(Crash { at, written }), Vec::new()).await;
            let End::Broken(failure) = end else { panic!("entry {at}: {end:?}") };
            assert_eq!(failure.class, Class::Journal);
            let calls = fixture.world.borrow().calls.len();
            assert_eq!(fixture.calls_at_death.get(), Some(calls), "entry {at}");
            assert_eq!(fixture.journal.entries().len() as u64, at - u64::from(!written));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_taken_up_again_began_when_it_first_began() {
    let mut planned = plan("a b");
    let started = Template::Ref(Reference::RunStarted);
    planned.outputs = Some(Template::Map(BTreeMap::from([("at".to_owned(), started)])));
    let mut run = Fixture::new(planned).executes("b", &[Act::Sleep(100)]);
    run.clock.sleep(Duration::from_millis(1_500)).await;
    assert_eq!(begin_and_stop(&run, 90).await, End::Interrupted);
    run.clock.sleep(Duration::from_secs(3_600)).await;
    run.cancel = CancellationToken::new();
    assert_eq!(run.resume().await, End::Rest(Rest::Succeeded));
    // Whole seconds, cut off: names made of it stay short.
    assert_eq!(run.state().playbook_outputs()["at"], "2026-03-01T12:00:01Z");
}
