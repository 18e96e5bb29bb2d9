//! The table of transitions: which record may follow where a step stands, and what it makes of it.

use serde_json::json;

use super::world::{Act, Fixture, pivot, plan};
use crate::engine::journal::{Change, Entry, Record, Resource, Rest, RollbackReason};
use crate::engine::{Class, Failure, Progress, RunState, Undo};
use crate::plan::Plan;

fn header(plan: Plan) -> Record {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let _inside = runtime.enter();
    Fixture::new(plan).header()
}

fn entry(seq: u64, record: Record) -> Entry {
    Entry { seq, epoch: 1, at: "2026-03-01T12:00:00Z".parse().expect("a timestamp"), record }
}

/// The state after `words`, each `step:record` or a record of the run.
fn state(plan: Plan, words: &str) -> RunState {
    let mut state = RunState::begin(&entry(1, header(plan))).expect("a header");
    for word in words.split_whitespace() {
        let next = entry(state.seq + 1, record(word));
        state.apply(&next).unwrap_or_else(|error| panic!("{word}: {error}"));
    }
    state
}

fn failure() -> Failure {
    Failure::new(Class::Denied, "no")
}

fn record(word: &str) -> Record {
    let (step, verb) = word.split_once(':').unwrap_or(("a", word));
    let step = step.to_owned();
    let by = "test".to_owned();
    let resources: Vec<Resource> = Vec::new();
    match verb {
        "start" => Record::StepStarted { step, attempt: 1 },
        "intend" => Record::Intended { step, prepared: json!({}), resources },
        "observe" => Record::Observed { step, subject: String::new(), state: String::new() },
        "note" => Record::Noted { step, note: json!(1), part: Vec::new() },
        "retry" => {
            Record::AttemptFailed { step, attempt: 1, failure: failure(), retry_in_secs: Some(1) }
        }
        "succeed" => Record::Succeeded { step, change: Change::Changed, output: json!({}) },
        "fail" => Record::Failed { step, failure: failure() },
        "ask" => Record::ApprovalAsked { step, question: String::new() },
        "yes" => Record::Decided { step, approved: true, by, comment: None },
        "no" => Record::Decided { step, approved: false, by, comment: None },
        "undo" => Record::UndoStarted { step, attempt: 1 },
        "undo_retry" => Record::UndoAttemptFailed {
            step,
            attempt: 1,
            failure: failure(),
            retry_in_secs: Some(1),
        },
        "undone" => Record::Undone { step, did: Vec::new() },
        "leave" => Record::Left { step, reason: String::new() },
        "undo_fail" => Record::UndoFailed { step, failure: failure() },
        "resume" => Record::Resumed { by },
        "interrupt" => Record::Interrupted { by },
        "back" => Record::RollbackStarted { reason: RollbackReason::StepFailed { step } },
        "rollback" => {
            Record::RollbackStarted { reason: RollbackReason::Asked { by, past_pivot: false } }
        }
        "rollback!" => {
            Record::RollbackStarted { reason: RollbackReason::Asked { by, past_pivot: true } }
        }
        "done" => Record::Rested(Rest::Succeeded),
        "rolled_back" => Record::Rested(Rest::RolledBack),
        "cancelled" => Record::Rested(Rest::Cancelled),
        "waiting" => Record::Rested(Rest::Waiting { step }),
        "stuck" => Record::Rested(Rest::Stuck { step, failure: failure() }),
        other => panic!("no record {other}"),
    }
}

pub(super) const ALL: &str = "start intend observe note retry succeed fail ask yes no undo \
    undo_retry undone leave undo_fail resume interrupt back rollback rollback! done rolled_back \
    cancelled waiting stuck";

/// The records that may follow `words`, out of all. Those refused must leave the state as it is.
fn legal(plan: Plan, words: &str) -> String {
    let before = state(plan, words);
    let mut legal = Vec::new();
    for word in ALL.split_whitespace() {
        let mut after = before.clone();
        match after.apply(&entry(before.seq + 1, record(word))) {
            Ok(()) => legal.push(word),
            Err(_) => assert_eq!(after, before, "{word} was refused and changed something"),
        }
        let mut after = before.clone();
        assert!(after.apply(&entry(before.seq + 2, record(word))).is_err(), "a gap");
        assert!(after.apply(&entry(before.seq, record(word))).is_err(), "twice");
        assert_eq!(after, before);
    }
    legal.join(" ")
}

#[test]
fn the_table_of_transitions() {
    // Always legal: somebody takes the run up, it is stopped, it is stuck.
    for (words, expected) in [
        ("", "start resume interrupt back rollback rollback! stuck"),
        (
            "start",
            "start intend observe note retry succeed fail ask resume interrupt back rollback \
             rollback! stuck",
        ),
        (
            "start intend",
            "start observe note retry succeed fail ask resume interrupt back rollback rollback! \
             stuck",
        ),
        ("start ask", "start yes no resume interrupt back rollback rollback! waiting stuck"),
        ("start succeed", "resume interrupt back rollback rollback! done stuck"),
        ("start fail", "resume interrupt back rollback rollback! stuck"),
        ("start fail stuck", "resume interrupt back rollback rollback! stuck"),
        ("start fail stuck resume", "start resume interrupt back rollback rollback! stuck"),
        ("start back", "resume interrupt rollback rollback! rolled_back cancelled stuck"),
        ("start intend back", "undo leave resume interrupt rollback rollback! stuck"),
        (
            "start intend back undo",
            "observe note undo undo_retry undone leave undo_fail resume interrupt rollback \
             rollback! stuck",
        ),
        (
            "start intend back undo undone",
            "resume interrupt rollback rollback! rolled_back cancelled stuck",
        ),
        ("start intend back undo undo_fail", "resume interrupt rollback rollback! stuck"),
        (
            "start intend back undo undo_fail resume",
            "undo leave resume interrupt rollback rollback! stuck",
        ),
    ] {
        assert_eq!(legal(plan("a"), words), expected, "after \"{words}\"");
    }
}

#[test]
fn a_header_comes_first_and_never_again() {
    assert!(RunState::replay(&[]).is_err());
    assert!(RunState::begin(&entry(1, record("resume"))).is_err());
    let again = [entry(1, header(plan("a"))), entry(2, header(plan("a")))];
    let refused = RunState::replay(&again).expect_err("a second header");
    assert_eq!(refused.to_string(), "record 2 (started) cannot follow what came before it");
    let unknown = state(plan("a"), "").check(&entry(2, record("z:start")));
    assert_eq!(
        unknown.expect_err("no such step").to_string(),
        "record 2 (step_started of step z) cannot follow what came before it"
    );
}

#[test]
fn steps_begin_in_the_plans_order_only() {
    let refused = |plan: Plan, words: &str, next: &str| {
        let state = state(plan, words);
        state.check(&entry(state.seq + 1, record(next))).is_err()
    };
    assert!(refused(plan("a b"), "", "b:start"));
    assert!(!refused(plan("a b"), "a:start a:succeed", "b:start"));
    assert!(refused(plan("(a b|c|d)2"), "a:start", "d:start"));
    assert!(!refused(plan("(a b|c|d)2"), "a:start c:start c:succeed", "d:start"));
    assert!(refused(plan("(a b|c|d)2"), "c:start c:succeed", "b:start"));
}

#[test]
fn what_may_run_is_the_front_of_each_lane() {
    let ids = |state: &RunState| {
        state.runnable().iter().map(|s| s.id.clone()).collect::<Vec<_>>().join(" ")
    };
    let two = || plan("(a b|c|d e)2 f");
    assert_eq!(ids(&state(two(), "")), "a c");
    assert_eq!(ids(&state(two(), "c:start c:succeed")), "a d");
    assert_eq!(ids(&state(two(), "a:start a:succeed c:start c:succeed")), "b d");
    let most = "a:start a:succeed c:start c:succeed b:start b:succeed d:start d:succeed";
    assert_eq!(ids(&state(two(), most)), "e");
    assert_eq!(ids(&state(two(), &format!("{most} e:start e:succeed"))), "f");
}

#[test]
fn undo_takes_what_is_in_flight_first_and_then_the_latest_completed() {
    let words = "(a|b|c|d)4";
    let state = state(
        plan(words),
        "a:start a:intend b:start b:intend c:start c:intend d:start d:intend \
         c:succeed a:succeed a:rollback",
    );
    let order: Vec<&str> = state.to_undo().iter().map(|s| s.id.as_str()).collect();
    assert_eq!(order, ["d", "b", "a", "c"]);
}

#[test]
fn past_the_pivot_only_a_rollback_that_says_so_is_legal() {
    let swapped = || pivot(plan("a b"), "a");
    let inside = state(swapped(), "a:start a:intend");
    assert!(!inside.past_pivot());
    let past = state(swapped(), "a:start a:intend a:succeed");
    assert!(past.past_pivot());
    let may = |word: &str| past.check(&entry(past.seq + 1, record(word))).is_ok();
    assert!(!may("b:back") && !may("rollback") && may("rollback!"));
    let back = state(swapped(), "a:start a:intend a:succeed rollback! a:undo a:undone");
    assert!(!back.past_pivot());
}

#[test]
fn only_a_recorded_stuck_forgives_a_failed_step() {
    let crashed = state(plan("a"), "a:start a:fail resume");
    assert_eq!(crashed.step("a").progress, Progress::Failed);
    let stuck = state(plan("a"), "a:start a:fail stuck resume");
    assert_eq!(stuck.step("a").progress, Progress::Pending);
    let undo = state(plan("a"), "a:start a:intend a:back a:undo a:undo_fail resume");
    assert_eq!(undo.step("a").undo, Undo::NotBegun);
    let rejected = state(plan("a"), "a:start a:ask a:no stuck resume");
    assert!(rejected.step("a").decision.is_none());
}

#[tokio::test(start_paused = true)]
async fn every_beginning_of_a_journal_replays() {
    let fixture = Fixture::new(plan("a (b|c)2")).executes("c", &[Act::FailAfter(Class::Fatal)]);
    fixture.begin().await;
    let entries = fixture.journal.entries();
    for end in 1..=entries.len() {
        assert!(RunState::replay(&entries[..end]).is_ok(), "{end} entries");
    }
}

#[test]
fn a_record_of_a_lower_epoch_cannot_follow() {
    let mut state = state(plan("a"), "start");
    let of = |seq, epoch| Entry { epoch, ..entry(seq, Record::Resumed { by: "x".to_owned() }) };
    state.apply(&of(3, 4)).expect("a higher epoch may");
    for (epoch, may) in [(1, false), (3, false), (4, true), (5, true)] {
        assert_eq!(state.check(&of(4, epoch)).is_ok(), may, "{epoch}");
    }
}
