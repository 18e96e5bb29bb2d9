//! Runs that are steered from outside: paused, held, cancelled.

use std::collections::BTreeMap;
use std::time::Duration;

use super::world::{Fixture, pivot, plan, with};
use crate::engine::journal::{Crash, Record, Rest, RollbackReason, Steer};
use crate::engine::{Asked, End, Wanted};

fn asked() -> Asked {
    Asked {
        by: "ops@host".to_owned(),
        at: "2026-03-01T12:00:00Z".parse().expect("a timestamp"),
        comment: Some("why".to_owned()),
    }
}

fn pause() -> Wanted {
    Wanted { pause: Some(asked()), ..Wanted::default() }
}

fn go_on() -> Wanted {
    Wanted { lifted: Some(asked()), ..Wanted::default() }
}

fn hold(before: &str) -> Wanted {
    let holds = BTreeMap::from([(before.to_owned(), asked())]);
    Wanted { holds, ..Wanted::default() }
}

fn cancel() -> Wanted {
    Wanted { cancel: Some(asked()), ..Wanted::default() }
}

fn steers(fixture: &Fixture) -> Vec<(Steer, String)> {
    let records = fixture.records().into_iter();
    records
        .filter_map(|record| match record {
            Record::Steered { steer, by, .. } => Some((steer, by)),
            _ => None,
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_paused_run_does_nothing_until_it_is_told_to_go_on() {
    let hour = 3_600;
    for at in [0, 1, 10, 30, 59, 61, 80] {
        // Its step has a tenth of the time that the pause lasts.
        let brief = with(plan("a b"), "a", |step| step.timeout_secs = Some(360));
        let mut brief = with(brief, "b", |step| step.timeout_secs = Some(360));
        brief.timeout_secs = Some(720);
        let mut fixture = Fixture::new(brief);
        fixture.wanted = vec![(at, pause()), (at + hour, go_on())];
        let idle = async {
            fixture.clock.sleep(Duration::from_secs(at + 1)).await;
            let before = fixture.world.borrow().calls.len();
            fixture.clock.sleep(Duration::from_secs(hour - 2)).await;
            let after = fixture.world.borrow().calls.len();
            // What was in flight is heard out; nothing follows it.
            assert!(after <= before + 1, "paused at {at} s: {before} calls, then {after}");
            assert!(fixture.state().paused.is_some());
            std::future::pending::<()>().await;
        };
        let end = tokio::select! {
        biased;
                   end = fixture.begin() => end,
                   () = idle => unreachable!("it waits for ever"),
               };
        assert_eq!(end, End::Rest(Rest::Succeeded), "paused at {at} s");
        let who = "ops@host".to_owned();
        assert_eq!(steers(&fixture), [(Steer::Pause, who.clone()), (Steer::GoOn, who)]);
        let took = fixture.clock.since(fixture.state().header.at);
        assert!(took > Duration::from_secs(hour), "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_held_step_does_not_begin_and_those_beside_it_do() {
    let text = "a (b|c)2 d";
    let mut fixture = Fixture::new(plan(text));
    fixture.wanted = vec![(5, hold("b")), (1_000, go_on())];
    let looking = async {
        fixture.clock.sleep(Duration::from_secs(900)).await;
        assert_eq!(fixture.things(), ["a", "c"], "held before b, and d waits for b");
        std::future::pending::<()>().await;
    };
    let end = tokio::select! {
    biased;
           end = fixture.begin() => end,
           () = looking => unreachable!("it waits for ever"),
       };
    assert_eq!(end, End::Rest(Rest::Succeeded));
    let of = |before: &str| before.to_owned();
    let words: Vec<Steer> = steers(&fixture).into_iter().map(|(steer, _)| steer).collect();
    assert_eq!(words, [Steer::Hold { before: of("b") }, Steer::LetGo { before: of("b") }]);
}

#[tokio::test(start_paused = true)]
async fn a_hold_that_comes_too_late_or_names_nothing_is_not_recorded() {
    let mut fixture = Fixture::new(plan("a b"));
    fixture.wanted = vec![(90, hold("a")), (91, hold("nothing"))];
    assert_eq!(fixture.begin().await, End::Rest(Rest::Succeeded));
    assert_eq!(steers(&fixture), []);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_run_is_undone_wherever_it_was() {
    let who = "ops@host".to_owned();
    for at in (0..150).step_by(7) {
        let mut fixture = Fixture::new(plan("a b c"));
        fixture.wanted = vec![(at, cancel())];
        let end = fixture.begin().await;
        assert_eq!(end, End::Rest(Rest::Cancelled), "at {at}");
        assert_eq!(fixture.things(), [""; 0], "at {at}");
        assert_eq!(steers(&fixture), [(Steer::Cancel, who.clone())]);
        let by = who.clone();
        let reason = RollbackReason::Cancelled { by };
        assert!(fixture.records().contains(&Record::RollbackStarted { reason }), "at {at}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancel_lifts_a_pause_and_its_rollback_can_be_paused() {
    let mut fixture = Fixture::new(plan("a b"));
    let paused_cancel = Wanted { pause: Some(asked()), ..cancel() };
    fixture.wanted = vec![(70, pause()), (200, cancel()), (201, paused_cancel), (2_000, cancel())];
    assert_eq!(fixture.begin().await, End::Rest(Rest::Cancelled));
    assert_eq!(fixture.things(), [""; 0]);
    let words: Vec<Steer> = steers(&fixture).into_iter().map(|(steer, _)| steer).collect();
    assert_eq!(words[..2], [Steer::Pause, Steer::Cancel]);
}

#[tokio::test(start_paused = true)]
async fn a_cancel_after_the_switch_over_is_not_heeded() {
    let mut fixture = Fixture::new(pivot(plan("a b c"), "b"));
    fixture.wanted = vec![(150, cancel())];
    assert_eq!(fixture.begin().await, End::Rest(Rest::Succeeded));
    assert_eq!(steers(&fixture), []);
    assert_eq!(fixture.things(), ["a", "b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn a_process_that_dies_at_any_write_of_a_cancelled_run_leaves_one_that_is_undone() {
    let fixture = || {
        let mut fixture = Fixture::new(plan("a b c"));
        fixture.wanted = vec![(80, cancel())];
        fixture
    };
    let whole = fixture();
    whole.begin().await;
    let writes = whole.records().len() as u64;
    let cancelled = whole.records().iter().position(|r| matches!(r, Record::Steered { .. }));
    let cancelled = cancelled.expect("it was cancelled") as u64 + 1;
    for at in cancelled..=writes {
        for written in [true, false] {
            let mut run = fixture();
            let end = run.process(Some(Crash { at, written }), Vec::new()).await;
            assert!(matches!(end, End::Broken(_)), "{at} {written}: {end:?}");
            run.wanted = vec![(0, cancel())];
            let resumed = run.resume().await;
            assert_eq!(resumed, End::Rest(Rest::Cancelled), "{at} {written}");
            assert_eq!(run.things(), [""; 0], "{at} {written}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_paused_run_can_be_stopped_and_the_next_process_stands_where_it_stood() {
    let mut fixture = Fixture::new(plan("a b"));
    fixture.wanted = vec![(10, pause())];
    let end = tokio::select! {
    biased;
           end = fixture.begin() => end,
           end = async {
               fixture.clock.sleep(Duration::from_secs(500)).await;
               fixture.cancel.cancel();
               std::future::pending().await
           } => end,
       };
    assert_eq!(end, End::Interrupted);
    fixture.cancel = tokio_util::sync::CancellationToken::new();
    fixture.wanted = vec![(1_000, go_on())];
    let began = fixture.clock.now();
    assert_eq!(fixture.resume().await, End::Rest(Rest::Succeeded));
    assert!(fixture.clock.since(began) >= Duration::from_secs(1_000), "still paused until then");
}
