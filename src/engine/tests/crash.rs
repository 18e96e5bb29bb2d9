//! The process dies at every write, forward and back; the next one must end in the same world.

use super::world::{Act, Fixture, pivot, plan};
use crate::engine::journal::{Crash, Record, Rest};
use crate::engine::{Class, End};

/// Takes the run up until it rests for good, answering questions with yes. Stuck runs are resumed once each time.
async fn finish(fixture: &Fixture, mut end: End) -> End {
    for _ in 0..10 {
        end = match end {
            End::Rest(Rest::Waiting { step }) => fixture.decide(&step, true).await,
            End::Rest(Rest::Stuck { .. }) => fixture.resume().await,
            End::Broken(_) | End::Interrupted => fixture.resume().await,
            End::Rest(_) => return end,
        };
    }
    panic!("the run does not come to rest: {end:?}")
}

/// Kills the run at every write, before and after it is durable, and once more at every write of the second process.
async fn survives_every_crash(build: impl Fn() -> Fixture) {
    let whole = build();
    let end = finish(&whole, whole.begin().await).await;
    let writes = whole.journal.entries().len() as u64;
    for at in 1..=writes {
        for written in [false, true] {
            let fixture = build();
            let died = fixture.process(Some(Crash { at, written }), Vec::new()).await;
            // A run that rests in between (a question, stuck) does not reach later writes in its first process.
            if fixture.journal.entries().is_empty() {
                continue;
            }
            assert_eq!(finish(&fixture, died).await, end, "entry {at}, written: {written}");
            assert_eq!(fixture.summary(), whole.summary(), "entry {at}, written: {written}");
            assert!(
                fixture.world.borrow().made.values().all(|made| *made == 1),
                "entry {at}, written: {written}: made twice"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_succeeds_survives_every_crash() {
    survives_every_crash(|| {
        Fixture::new(plan("a b c")).executes("b", &[Act::FailAfter(Class::Ambiguous)])
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_run_with_lanes_survives_every_crash() {
    survives_every_crash(|| Fixture::new(plan("a (b c|d|e f)2 g"))).await;
}

#[tokio::test(start_paused = true)]
async fn a_question_survives_every_crash_and_the_answer_is_not_lost() {
    survives_every_crash(|| Fixture::new(plan("a ask c")).executes("ask", &[Act::Ask])).await;
}

#[tokio::test(start_paused = true)]
async fn a_rollback_survives_every_crash() {
    // Injected, so that it fails in every process alike.
    survives_every_crash(|| {
        let mut fixture = Fixture::new(plan("a b c"));
        fixture.inject.fail = Some(("c".to_owned(), crate::engine::Strike::AfterExecute));
        fixture.undoes("b", &[Act::FailAfter(Class::Transient)])
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_rollback_of_lanes_survives_every_crash() {
    survives_every_crash(|| {
        let mut fixture = Fixture::new(plan("a (b c|d e)2"));
        fixture.inject.fail = Some(("e".to_owned(), crate::engine::Strike::AfterExecute));
        fixture
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_was_recorded_is_rolled_back_by_the_next_process_not_tried_again() {
    let build = || Fixture::new(plan("a b")).executes("b", &[Act::FailAfter(Class::Denied)]);
    let whole = build();
    whole.begin().await;
    let failed = whole
        .journal
        .entries()
        .into_iter()
        .find(|e| matches!(e.record, Record::Failed { .. }))
        .expect("b failed");
    let fixture = build();
    fixture.process(Some(Crash { at: failed.seq, written: true }), Vec::new()).await;
    assert_eq!(fixture.resume().await, End::Rest(Rest::RolledBack));
    assert_eq!(fixture.world.borrow().calls_of("b.execute"), 1);
    assert!(fixture.things().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_answer_is_still_known_after_a_crash_between_it_and_the_steps_end() {
    let fixture = Fixture::new(plan("ask")).executes("ask", &[Act::Ask]);
    fixture.begin().await;
    let (step, by) = ("ask".to_owned(), "test".to_owned());
    let decided = Record::Decided { step, approved: true, by, comment: None };
    // Dies right after the step has begun anew.
    let at = fixture.state().seq + 2;
    fixture.process(Some(Crash { at, written: true }), vec![decided]).await;
    assert_eq!(fixture.resume().await, End::Rest(Rest::Succeeded));
    let given = fixture.world.borrow().given.clone();
    assert_eq!(given.last().map(|(_, decision)| *decision), Some(Some(true)));
}

#[tokio::test(start_paused = true)]
async fn past_the_pivot_a_crash_never_turns_into_a_rollback() {
    let build = || {
        let mut fixture = Fixture::new(pivot(plan("a swap c"), "swap"));
        fixture.inject.fail = Some(("c".to_owned(), crate::engine::Strike::AfterExecute));
        fixture
    };
    let whole = build();
    whole.begin().await;
    for at in 2..=whole.journal.entries().len() as u64 {
        for written in [false, true] {
            let fixture = build();
            fixture.process(Some(Crash { at, written }), Vec::new()).await;
            for _ in 0..3 {
                let end = fixture.resume().await;
                assert!(matches!(end, End::Rest(Rest::Stuck { .. })), "entry {at}: {end:?}");
            }
            assert_eq!(fixture.things(), ["a", "c", "swap"], "entry {at}");
        }
    }
}
