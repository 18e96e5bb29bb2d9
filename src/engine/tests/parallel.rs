//! Lanes that run at the same time.

use super::world::{Act, Fixture, plan};
use crate::engine::journal::{Record, Rest};
use crate::engine::{Class, End, Undo};

/// The greatest number of steps that were at work at once.
fn most_at_once(fixture: &Fixture) -> usize {
    let (mut now, mut most) = (0_usize, 0);
    for record in fixture.records() {
        match record {
            Record::StepStarted { attempt: 1, .. } => now += 1,
            Record::Succeeded { .. } | Record::Failed { .. } => now -= 1,
            _ => {}
        }
        most = most.max(now);
    }
    most
}

#[tokio::test(start_paused = true)]
async fn no_more_lanes_run_at_once_than_the_stage_allows() {
    for (text, most) in
        [("(a b|c|d e|f)1", 1), ("(a b|c|d e|f)2", 2), ("(a b|c|d e|f)3", 3), ("(a b|c|d e|f)9", 4)]
    {
        let fixture = Fixture::new(plan(text));
        assert_eq!(fixture.begin().await, End::Rest(Rest::Succeeded));
        assert_eq!(most_at_once(&fixture), most, "{text}");
        assert_eq!(fixture.things().len(), 6);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lane_runs_in_order_and_a_stage_waits_for_all_of_the_one_before() {
    let fixture = Fixture::new(plan("(a b|c d)2 e")).executes("c", &[Act::Sleep(900)]);
    fixture.begin().await;
    let calls = fixture.world.borrow().calls.clone();
    let place = |call: &str| calls.iter().position(|c| c == call).expect("called");
    assert!(place("a.execute") < place("b.prepare"));
    assert!(place("b.execute") < place("d.prepare"), "b did not wait for c");
    assert!(place("d.execute") < place("e.prepare"));
}

#[tokio::test(start_paused = true)]
async fn when_one_lane_fails_the_others_are_stopped_and_undone() {
    let fixture = Fixture::new(plan("(a b|c|d)3 e"))
        .executes("c", &[Act::Sleep(3000)])
        .executes("d", &[Act::Fail(Class::Transient), Act::FailAfter(Class::Fatal)]);
    let began = fixture.clock.now();
    assert_eq!(fixture.begin().await, End::Rest(Rest::RolledBack));
    assert!(fixture.clock.since(began).as_secs() < 1000, "c was not waited for");
    assert!(fixture.things().is_empty());
    let state = fixture.state();
    assert_eq!(state.step("c").undo, Undo::Undone);
    assert_eq!(fixture.world.borrow().calls_of("e.prepare"), 0);
    let world = fixture.world.borrow();
    assert!(world.made.values().all(|made| *made == 1));
}

#[tokio::test(start_paused = true)]
async fn two_open_questions_are_each_put_once_and_answered_one_after_the_other() {
    let fixture =
        Fixture::new(plan("(a|b)2 c")).executes("a", &[Act::Ask]).executes("b", &[Act::Ask]);
    let waiting = |step: &str| End::Rest(Rest::Waiting { step: step.to_owned() });
    assert_eq!(fixture.begin().await, waiting("a"));
    assert_eq!(fixture.decide("a", true).await, waiting("b"));
    assert_eq!(fixture.state().asking().map(|(p, _)| p.id.clone()).as_deref(), Some("b"));
    assert_eq!(fixture.decide("b", true).await, End::Rest(Rest::Succeeded));
    let asked = |r: &Record| matches!(r, Record::ApprovalAsked { .. });
    assert_eq!(fixture.records().into_iter().filter(asked).count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_no_counts_though_another_question_is_open() {
    let fixture =
        Fixture::new(plan("(a|b)2 c")).executes("a", &[Act::Ask]).executes("b", &[Act::Ask]);
    fixture.begin().await;
    assert_eq!(fixture.decide("b", false).await, End::Rest(Rest::Cancelled));
    assert!(fixture.things().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_question_in_one_lane_lets_the_steps_at_work_finish() {
    let fixture = Fixture::new(plan("(a|b c)2")).executes("a", &[Act::Ask]);
    assert_eq!(fixture.begin().await, End::Rest(Rest::Waiting { step: "a".to_owned() }));
    assert_eq!(fixture.things(), ["b"], "b ends, c does not begin");
    assert_eq!(fixture.decide("a", true).await, End::Rest(Rest::Succeeded));
    assert_eq!(fixture.things(), ["a", "b", "c"]);
}
