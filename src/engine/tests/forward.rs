//! Forward: success, failure at each point, retries, time.

use std::time::Duration;

use super::world::{Act, Fixture, plan, with};
use crate::engine::journal::{Change, Record, Rest};
use crate::engine::{Class, End, Inject, Progress, Strike};
use crate::plan::{Effect, UndoPolicy};

fn failure_of(fixture: &Fixture, step: &str) -> crate::engine::Failure {
    fixture.state().step(step).failure.clone().expect("a failure")
}

#[tokio::test(start_paused = true)]
async fn a_run_makes_everything_once_and_in_order() {
    let fixture = Fixture::new(plan("a b c"));
    assert_eq!(fixture.begin().await, End::Rest(Rest::Succeeded));
    assert_eq!(fixture.things(), ["a", "b", "c"]);
    assert_eq!(
        fixture.world.borrow().calls,
        ["a.prepare", "a.execute", "b.prepare", "b.execute", "c.prepare", "c.execute"]
    );
    let state = fixture.state();
    assert!(state.steps().all(|(_, s)| s.progress == Progress::Succeeded));
    assert!(state.steps().all(|(_, s)| s.change == Some(Change::Changed)));
}

#[tokio::test(start_paused = true)]
async fn a_step_that_fails_before_or_after_its_change_leaves_nothing_behind() {
    for failing in ["a", "b", "c"] {
        for strike in [Strike::BeforeExecute, Strike::AfterExecute] {
            for twice in [false, true] {
                let mut fixture = Fixture::new(plan("a b c"));
                fixture.inject = Inject {
                    fail: Some((failing.to_owned(), strike)),
                    execute_twice: twice,
                    undo_twice: twice,
                };
                assert_eq!(fixture.begin().await, End::Rest(Rest::RolledBack), "{failing}");
                let world = fixture.world.borrow();
                assert!(world.things.is_empty(), "{failing} {strike:?}");
                assert!(world.made.values().all(|made| *made == 1));
                assert_eq!(world.made, world.removed, "{failing} {strike:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_passing_fault_is_tried_again_and_the_lost_thing_adopted() {
    for class in
        [Class::Transient, Class::Throttled, Class::Busy, Class::Ambiguous, Class::Capacity]
    {
        let fixture =
            Fixture::new(plan("a")).executes("a", &[Act::Fail(class), Act::FailAfter(class)]);
        assert_eq!(fixture.begin().await, End::Rest(Rest::Succeeded), "{class:?}");
        let state = fixture.state();
        assert_eq!(state.step("a").attempts, 3);
        assert_eq!(state.step("a").change, Some(Change::Adopted));
        assert_eq!(fixture.summary().1.into_values().collect::<Vec<_>>(), [1]);
        // The intent is decided once: a retry must not invent a second name.
        assert_eq!(fixture.world.borrow().calls_of("a.prepare"), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lasting_fault_is_not_tried_again() {
    for class in [
        Class::Denied,
        Class::NotFound,
        Class::Conflict,
        Class::Quota,
        Class::Terminal,
        Class::TimedOut,
        Class::Fatal,
    ] {
        let fixture = Fixture::new(plan("a")).executes("a", &[Act::Fail(class)]);
        assert_eq!(fixture.begin().await, End::Rest(Rest::RolledBack), "{class:?}");
        assert_eq!(fixture.world.borrow().calls_of("a.execute"), 1);
        assert_eq!(failure_of(&fixture, "a").class, class);
    }
}

#[tokio::test(start_paused = true)]
async fn eight_passing_faults_in_a_row_are_enough() {
    let fixture = Fixture::new(plan("a")).executes("a", &[Act::Fail(Class::Transient); 20]);
    assert_eq!(fixture.begin().await, End::Rest(Rest::RolledBack));
    assert_eq!(fixture.world.borrow().calls_of("a.execute"), 8);
}

#[tokio::test(start_paused = true)]
async fn a_busy_resource_is_asked_until_the_steps_time_is_up() {
    let planned = with(plan("a"), "a", |step| step.timeout_secs = Some(1800));
    let fixture = Fixture::new(planned).executes("a", &[Act::Fail(Class::Busy); 500]);
    let began = fixture.clock.now();
    assert_eq!(fixture.begin().await, End::Rest(Rest::RolledBack));
    let failed = fixture.state().step("a").ended_at.expect("an end");
    let took = Duration::try_from(failed.duration_since(began)).expect("forward in time");
    assert!((1800..1900).contains(&took.as_secs()), "{took:?}");
    let failure = failure_of(&fixture, "a");
    assert_eq!(failure.class, Class::TimedOut);
    assert!(failure.to_string().contains("the world refuses"), "{failure}");
    assert!(fixture.world.borrow().calls_of("a.execute") > 30);
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_never_answers_is_given_up() {
    for hangs_in_prepare in [true, false] {
        let planned = with(plan("a"), "a", |step| step.timeout_secs = Some(600));
        let mut fixture = Fixture::new(planned);
        fixture = if hangs_in_prepare {
            fixture.prepares("a", &[Act::Hang])
        } else {
            fixture.executes("a", &[Act::Hang])
        };
        let began = fixture.clock.now();
        assert_eq!(fixture.begin().await, End::Rest(Rest::RolledBack));
        assert!(fixture.clock.since(began) < Duration::from_secs(900));
        assert_eq!(failure_of(&fixture, "a").class, Class::TimedOut);
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_out_of_time_begins_nothing_more_and_can_still_be_undone() {
    let mut planned = with(plan("a b c"), "c", |step| {
        step.effect = Effect::Mutates(UndoPolicy::Undo);
    });
    planned.timeout_secs = Some(90);
    // The undo has to wait, which it could not if the run's deadline were its own.
    let fixture = Fixture::new(planned)
        .executes("b", &[Act::Sleep(600)])
        .undoes("a", &[Act::Fail(Class::Busy), Act::Sleep(120)]);
    assert_eq!(fixture.begin().await, End::Rest(Rest::RolledBack));
    assert_eq!(failure_of(&fixture, "b").class, Class::TimedOut);
    assert!(fixture.things().is_empty());
    assert_eq!(fixture.world.borrow().calls_of("c.prepare"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_step_does_not_begin_once_the_runs_time_is_up() {
    let mut planned = plan("a b");
    planned.timeout_secs = Some(30);
    // a overstays within its grace and succeeds, without ever asking the clock.
    let planned = with(planned, "b", |step| step.effect = Effect::ReadOnly);
    let fixture = Fixture::new(planned).executes("a", &[Act::Sleep(29)]);
    assert_eq!(fixture.begin().await, End::Rest(Rest::RolledBack));
    assert_eq!(fixture.world.borrow().calls_of("b.execute"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_later_attempt_sees_the_note_of_an_earlier_one() {
    let fixture = Fixture::new(plan("a")).executes("a", &[Act::NoteAndFail]);
    assert_eq!(fixture.begin().await, End::Rest(Rest::Succeeded));
    let given = fixture.world.borrow().given.clone();
    assert_eq!(given[0].0, None);
    assert_eq!(given[1].0, Some(serde_json::json!({ "half": "done" })));
}

#[tokio::test(start_paused = true)]
async fn a_kind_this_version_lacks_fails_its_step_and_rolls_back() {
    let fixture = Fixture::new(plan("a b")).forget_kind("b");
    assert_eq!(fixture.begin().await, End::Rest(Rest::RolledBack));
    assert!(fixture.things().is_empty());
    assert!(failure_of(&fixture, "b").message.contains("no step kind \"b\""));
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_claims_to_be_stopped_when_nobody_stopped_it_fails() {
    let fixture = Fixture::new(plan("a")).executes("a", &[Act::ClaimStopped]);
    assert_eq!(fixture.begin().await, End::Rest(Rest::RolledBack));
}

#[tokio::test(start_paused = true)]
async fn a_step_that_only_reads_has_no_intent_and_no_undo() {
    let planned = with(plan("a b"), "a", |step| step.effect = Effect::ReadOnly);
    let fixture = Fixture::new(planned).executes("b", &[Act::Fail(Class::Fatal)]);
    assert_eq!(fixture.begin().await, End::Rest(Rest::RolledBack));
    let about_a = |record: &Record| record.step() == Some("a");
    assert!(!fixture.records().iter().any(|r| about_a(r) && matches!(r, Record::Intended { .. })));
    assert_eq!(fixture.undone_in_order(), ["b"]);
}
