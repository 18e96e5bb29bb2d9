//! Back: order, declared policies, the pivot, undo that fails.

use super::world::{Act, Fixture, pivot, plan, with};
use crate::engine::journal::{Crash, Record, Rest};
use crate::engine::{Class, End, Phase, Undo};
use crate::plan::{Effect, UndoPolicy};

fn is_stuck_at(end: &End, id: &str) -> bool {
    matches!(end, End::Rest(Rest::Stuck { step, .. }) if step == id)
}

#[tokio::test(start_paused = true)]
async fn undo_goes_backwards_and_leaves_what_is_declared_to_stay() {
    let planned = with(plan("a b c d"), "b", |step| {
        step.effect = Effect::Mutates(UndoPolicy::None("it is kept".into()));
    });
    let planned = with(planned, "c", |step| {
        step.effect = Effect::Mutates(UndoPolicy::Manual("drop it by hand".into()));
    });
    let fixture = Fixture::new(planned).executes("d", &[Act::FailAfter(Class::Fatal)]);
    assert_eq!(fixture.begin().await, End::Rest(Rest::RolledBack));
    assert_eq!(fixture.undone_in_order(), ["d", "a"]);
    assert_eq!(fixture.things(), ["b", "c"]);
    let state = fixture.state();
    assert_eq!(state.step("b").undo_words, ["it is kept"]);
    assert_eq!(state.step("c").undo_words, ["drop it by hand"]);
}

#[tokio::test(start_paused = true)]
async fn a_failure_after_the_pivot_undoes_nothing_until_asked() {
    let fixture = Fixture::new(pivot(plan("a swap c"), "swap"))
        .executes("c", &[Act::Fail(Class::Fatal), Act::Fail(Class::Fatal)]);
    assert!(is_stuck_at(&fixture.begin().await, "c"));
    assert_eq!(fixture.things(), ["a", "swap"]);
    // Resume gives the failed step another chance; it fails again; nothing is undone.
    assert!(is_stuck_at(&fixture.resume().await, "c"));
    assert_eq!(fixture.world.borrow().calls_of("c.execute"), 2);
    // A rollback that does not say so does not go past the pivot.
    assert!(matches!(fixture.roll_back(false).await, End::Broken(_)));
    assert_eq!(fixture.things(), ["a", "swap"]);
    assert!(fixture.undone_in_order().is_empty());
    assert_eq!(fixture.roll_back(true).await, End::Rest(Rest::RolledBack));
    assert_eq!(fixture.undone_in_order(), ["c", "swap", "a"]);
    assert!(fixture.things().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_the_playbook_keeps_stays_once_it_is_done() {
    let keep = |plan| with(plan, "b", |step| step.keep = true);
    let fixture = Fixture::new(keep(plan("a b c"))).executes("c", &[Act::FailAfter(Class::Fatal)]);
    assert_eq!(fixture.begin().await, End::Rest(Rest::RolledBack));
    assert_eq!(fixture.undone_in_order(), ["c", "a"]);
    assert_eq!(
        (fixture.things(), fixture.state().step("b").undo),
        (vec!["b".to_owned()], Undo::Left)
    );
    // Half-made it serves nobody.
    let fixture = Fixture::new(keep(plan("a b"))).executes("b", &[Act::FailAfter(Class::Fatal)]);
    assert_eq!(fixture.begin().await, End::Rest(Rest::RolledBack));
    assert_eq!(fixture.undone_in_order(), ["b", "a"]);
    assert!(fixture.things().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_stuck_run_succeeds_once_the_cause_is_mended() {
    let fixture =
        Fixture::new(pivot(plan("a swap c"), "swap")).executes("c", &[Act::Fail(Class::Fatal)]);
    assert!(is_stuck_at(&fixture.begin().await, "c"));
    assert_eq!(fixture.resume().await, End::Rest(Rest::Succeeded));
    assert_eq!(fixture.things(), ["a", "c", "swap"]);
}

#[tokio::test(start_paused = true)]
async fn a_no_after_the_pivot_undoes_nothing_and_can_be_asked_again() {
    let fixture = Fixture::new(pivot(plan("swap ask"), "swap")).executes("ask", &[Act::Ask]);
    assert_eq!(fixture.begin().await, End::Rest(Rest::Waiting { step: "ask".to_owned() }));
    assert!(is_stuck_at(&fixture.decide("ask", false).await, "ask"));
    assert_eq!(fixture.things(), ["swap"]);
    assert_eq!(fixture.resume().await, End::Rest(Rest::Waiting { step: "ask".to_owned() }));
    assert_eq!(fixture.decide("ask", true).await, End::Rest(Rest::Succeeded));
}

#[tokio::test(start_paused = true)]
async fn a_pivot_that_fails_half_way_is_put_back() {
    let fixture = Fixture::new(pivot(plan("a swap"), "swap"))
        .executes("swap", &[Act::FailAfter(Class::Fatal)]);
    assert_eq!(fixture.begin().await, End::Rest(Rest::RolledBack));
    assert_eq!(fixture.undone_in_order(), ["swap", "a"]);
}

#[tokio::test(start_paused = true)]
async fn an_undo_that_fails_stops_the_rollback_and_resume_tries_it_again() {
    let fixture = Fixture::new(plan("a b c"))
        .executes("c", &[Act::Fail(Class::Fatal)])
        .undoes("b", &[Act::Fail(Class::Transient), Act::Fail(Class::Denied)]);
    assert!(is_stuck_at(&fixture.begin().await, "b"));
    assert_eq!(fixture.things(), ["a", "b"], "what lies before the failed undo is not touched");
    assert_eq!(fixture.state().step("b").undo_attempts, 2);
    assert_eq!(fixture.resume().await, End::Rest(Rest::RolledBack));
    assert!(fixture.things().is_empty());
    assert_eq!(fixture.undone_in_order(), ["c", "b", "a"]);
}

#[tokio::test(start_paused = true)]
async fn a_rollback_killed_just_before_it_says_stuck_does_not_go_on_behind_the_failed_undo() {
    let script = |fixture: Fixture| {
        fixture
            .executes("c", &[Act::Fail(Class::Fatal)])
            .undoes("b", &[Act::Fail(Class::Denied), Act::Fail(Class::Denied)])
    };
    let whole = script(Fixture::new(plan("a b c")));
    whole.begin().await;
    let failed = whole
        .journal
        .entries()
        .into_iter()
        .find(|e| matches!(e.record, Record::UndoFailed { .. }))
        .expect("the undo failed");
    let fixture = script(Fixture::new(plan("a b c")));
    let crash = Crash { at: failed.seq, written: true };
    assert!(matches!(fixture.process(Some(crash), Vec::new()).await, End::Broken(_)));
    // The next process without a word of a person: nothing is touched.
    assert!(is_stuck_at(&fixture.process(None, Vec::new()).await, "b"));
    assert_eq!(fixture.things(), ["a", "b"]);
    // And with one: the failed undo comes first again.
    assert!(is_stuck_at(&fixture.resume().await, "b"));
    assert_eq!(fixture.things(), ["a", "b"]);
    assert_eq!(fixture.resume().await, End::Rest(Rest::RolledBack));
}

#[tokio::test(start_paused = true)]
async fn a_stuck_run_can_be_killed_and_taken_up() {
    let fixture = Fixture::new(pivot(plan("swap b"), "swap"))
        .executes("b", &[Act::Fail(Class::Fatal), Act::Fail(Class::Fatal)]);
    assert!(is_stuck_at(&fixture.begin().await, "b"));
    let at = fixture.state().seq + 1;
    for written in [false, true] {
        let resumed = vec![Record::Resumed { by: "test".to_owned() }];
        let end = fixture.process(Some(Crash { at, written }), resumed).await;
        assert!(matches!(end, End::Broken(_)));
        assert_eq!(fixture.things(), ["swap"]);
    }
    // The second time the word "resumed" was durable: b has its chance.
    assert!(is_stuck_at(&fixture.process(None, Vec::new()).await, "b"));
    assert_eq!(fixture.world.borrow().calls_of("b.execute"), 2);
    assert_eq!(fixture.resume().await, End::Rest(Rest::Succeeded));
}

#[tokio::test(start_paused = true)]
async fn an_undo_that_never_answers_is_given_up_within_its_time() {
    let fixture = Fixture::new(plan("a b"))
        .executes("b", &[Act::Fail(Class::Fatal)])
        .undoes("a", &[Act::Hang]);
    let began = fixture.clock.now();
    assert!(is_stuck_at(&fixture.begin().await, "a"));
    assert!(fixture.clock.since(began).as_secs() < 2 * 3600);
    assert_eq!(fixture.state().step("a").undo, Undo::Failed);
}

#[tokio::test(start_paused = true)]
async fn a_finished_run_is_undone_when_asked() {
    let fixture = Fixture::new(plan("a b"));
    assert_eq!(fixture.begin().await, End::Rest(Rest::Succeeded));
    assert_eq!(fixture.roll_back(false).await, End::Rest(Rest::RolledBack));
    assert_eq!(fixture.undone_in_order(), ["b", "a"]);
    assert!(fixture.things().is_empty());
    assert!(matches!(fixture.state().phase, Phase::Back(_)));
}

#[tokio::test(start_paused = true)]
async fn an_answer_decides_and_is_not_asked_for_twice() {
    for approved in [true, false] {
        let fixture = Fixture::new(plan("a ask c")).executes("ask", &[Act::Ask]);
        let waiting = End::Rest(Rest::Waiting { step: "ask".to_owned() });
        assert_eq!(fixture.begin().await, waiting);
        assert_eq!(fixture.resume().await, waiting, "nobody answered");
        let end = fixture.decide("ask", approved).await;
        let rest = if approved { Rest::Succeeded } else { Rest::Cancelled };
        assert_eq!(end, End::Rest(rest));
        assert_eq!(fixture.things().is_empty(), !approved);
        let asked = |r: &Record| matches!(r, Record::ApprovalAsked { .. });
        assert_eq!(fixture.records().into_iter().filter(asked).count(), 1);
    }
}
