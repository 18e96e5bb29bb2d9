//! The table of transitions: which record may follow where a step stands, and what it makes of it.

use serde_json::json;

use super::world::{Act, Fixture, pivot, plan};
use crate::engine::journal::{Change, Entry, Record, Resource, Rest, Role, RollbackReason, Steer};
use crate::engine::{Class, Failure, Phase, Progress, RunState, StepState, Undo};
use crate::plan::{Effect, Plan, Template, UndoPolicy};

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
    // An answer of yes is not forgotten, nor one that the step has gone on with.
    for words in ["a:start a:ask a:yes stuck resume", "a:start a:ask a:no a:start stuck resume"] {
        assert!(state(plan("a"), words).step("a").decision.is_some(), "{words}");
    }
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

/// The state of step `a` after these records, a minute apart, and the minute of the last one.
fn step_after(records: Vec<Record>) -> (StepState, RunState) {
    let mut state = RunState::begin(&entry(1, header(plan("a")))).expect("a header");
    for record in records {
        let seq = state.seq + 1;
        let at = minute(seq);
        state.apply(&Entry { seq, epoch: seq, at, record }).expect("legal");
        assert_eq!((state.seq, state.epoch, state.last_at), (seq, seq, at));
    }
    (state.step("a").clone(), state)
}

fn minute(seq: u64) -> jiff::Timestamp {
    let begin: jiff::Timestamp = "2026-03-01T12:00:00Z".parse().expect("a timestamp");
    begin + jiff::SignedDuration::from_mins(seq.cast_signed())
}

#[test]
fn what_each_record_of_a_step_says_is_in_its_state() {
    let a = || "a".to_owned();
    let resource = Resource {
        what: "thing".to_owned(),
        name: "one".to_owned(),
        arn: Some("arn:one".to_owned()),
        role: Role::Creates,
    };
    let mut records = Vec::new();
    let mut then = |record: Record| {
        records.push(record);
        step_after(records.clone()).0
    };
    let step = then(Record::StepStarted { step: a(), attempt: 1 });
    assert_eq!((step.progress, step.attempts), (Progress::Running, 1));
    assert_eq!((step.started_at, step.ended_at), (Some(minute(2)), None));
    let step = then(Record::Intended {
        step: a(),
        prepared: json!({"name": "one"}),
        resources: vec![resource.clone()],
    });
    assert_eq!((step.prepared, step.resources), (Some(json!({"name": "one"})), vec![resource]));
    let (subject, state) = ("thing one".to_owned(), "creating".to_owned());
    let step = then(Record::Observed { step: a(), subject, state });
    assert_eq!(step.observed, Some(("thing one".to_owned(), "creating".to_owned())));
    let step = then(Record::Noted { step: a(), note: json!({"half": "done"}), part: Vec::new() });
    assert_eq!(step.note, Some(json!({"half": "done"})));
    let failed =
        Record::AttemptFailed { step: a(), attempt: 1, failure: failure(), retry_in_secs: Some(1) };
    let step = then(failed);
    assert_eq!((step.progress, step.failure), (Progress::Running, Some(failure())));
    let step = then(Record::StepStarted { step: a(), attempt: 2 });
    assert_eq!((step.attempts, step.started_at), (2, Some(minute(2))), "it began when it began");
    let question = "go on?".to_owned();
    let step = then(Record::ApprovalAsked { step: a(), question: question.clone() });
    assert_eq!((step.progress, step.question), (Progress::Asking, Some(question)));
    let (by, comment) = ("ops".to_owned(), Some("fine".to_owned()));
    let step = then(Record::Decided { step: a(), approved: true, by, comment });
    let decision = step.decision.expect("an answer");
    assert!(decision.approved);
    assert_eq!((decision.by.as_str(), decision.comment.as_deref()), ("ops", Some("fine")));
    assert_eq!(decision.at, minute(9));
    let step = then(Record::StepStarted { step: a(), attempt: 3 });
    assert!(step.decision.is_some(), "the answer stays until it is asked again");
    let output = json!({"name": "one"});
    let step =
        then(Record::Succeeded { step: a(), change: Change::Adopted, output: output.clone() });
    assert_eq!((step.progress, step.change), (Progress::Succeeded, Some(Change::Adopted)));
    assert_eq!((step.output, step.failure, step.ended_at), (Some(output), None, Some(minute(11))));
    let reason = RollbackReason::Asked { by: "ops".to_owned(), past_pivot: false };
    then(Record::RollbackStarted { reason });
    let step = then(Record::UndoStarted { step: a(), attempt: 1 });
    assert_eq!((step.undo, step.undo_attempts), (Undo::Running, 1));
    let failed = Record::UndoAttemptFailed {
        step: a(),
        attempt: 1,
        failure: failure(),
        retry_in_secs: Some(1),
    };
    let step = then(failed);
    assert_eq!((step.failure, step.undo_failure), (None, Some(failure())));
    assert_eq!(then(Record::UndoStarted { step: a(), attempt: 2 }).undo_attempts, 2);
    let mut fails = records.clone();
    fails.push(Record::UndoFailed { step: a(), failure: Failure::new(Class::Fatal, "never") });
    let (step, state) = step_after(fails);
    assert_eq!(
        (step.undo, step.undo_failure),
        (Undo::Failed, Some(Failure::new(Class::Fatal, "never")))
    );
    assert!(state.undo_failed().is_some());
    let mut leaves = records.clone();
    leaves.push(Record::Left { step: a(), reason: "nothing brings it back".to_owned() });
    let (step, _) = step_after(leaves);
    let words = vec!["nothing brings it back".to_owned()];
    assert_eq!((step.undo, step.undo_words), (Undo::Left, words));
    records.push(Record::Undone { step: a(), did: vec!["removed one".to_owned()] });
    let (step, state) = step_after(records);
    assert_eq!((step.undo, step.undo_words), (Undo::Undone, vec!["removed one".to_owned()]));
    assert!(state.undo_failed().is_none() && state.to_undo().is_empty());
}

#[test]
fn a_failed_step_tells_when_and_why_and_an_answer_does_not_outlive_its_question() {
    let a = || "a".to_owned();
    let begun = || Record::StepStarted { step: a(), attempt: 1 };
    let (step, state) = step_after(vec![begun(), Record::Failed { step: a(), failure: failure() }]);
    assert_eq!((step.progress, step.failure), (Progress::Failed, Some(failure())));
    assert_eq!(step.ended_at, Some(minute(3)));
    assert_eq!(state.failed().map(|(planned, _)| planned.id.as_str()), Some("a"));
    let ask = || Record::ApprovalAsked { step: a(), question: "go on?".to_owned() };
    let no = Record::Decided { step: a(), approved: false, by: "ops".to_owned(), comment: None };
    let (step, state) = step_after(vec![begun(), ask(), no.clone()]);
    assert!(step.decision.is_some_and(|decision| !decision.approved));
    assert_eq!(state.rejected().map(|(planned, _)| planned.id.as_str()), Some("a"));
    assert_eq!(state.asking().map(|(planned, _)| planned.id.as_str()), Some("a"));
    let again = Record::StepStarted { step: a(), attempt: 2 };
    let (step, state) = step_after(vec![begun(), ask(), no, again, ask()]);
    assert_eq!(step.decision, None, "put again");
    assert!(state.rejected().is_none() && state.failed().is_none());
}

#[test]
fn what_each_record_of_the_run_says_is_in_its_state() {
    let by = || "ops@host".to_owned();
    let (_, state) = step_after(Vec::new());
    assert_eq!(state.header.run.as_str(), "0123456789");
    let header = &state.header;
    assert_eq!((header.tool.as_str(), header.by.as_str()), ("0.0.0", "test"));
    assert_eq!((header.account.as_str(), header.region.as_str()), ("123456789012", "us-east-1"));
    assert!(!header.embedded && header.at == minute(0), "{header:?}");
    assert_eq!((state.phase, state.rest, state.interrupted), (Phase::Forward, None, None));
    let (_, state) = step_after(vec![Record::Interrupted { by: "SIGINT".to_owned() }]);
    assert_eq!(state.interrupted.as_deref(), Some("SIGINT"));
    let began = Record::StepStarted { step: "a".to_owned(), attempt: 1 };
    let (_, state) = step_after(vec![Record::Interrupted { by: "SIGINT".to_owned() }, began]);
    assert_eq!(state.interrupted, None, "it goes on");
    let stuck = Rest::Stuck { step: "a".to_owned(), failure: failure() };
    let (_, state) = step_after(vec![Record::Rested(stuck.clone())]);
    assert_eq!(state.rest, Some(stuck.clone()));
    let over = Record::TakenOver { by: by(), held_by: "laptop".to_owned(), comment: None };
    let (_, state) = step_after(vec![Record::Rested(stuck.clone()), over]);
    assert_eq!(state.rest, Some(stuck.clone()), "who has it is no news of the run");
    let (_, state) = step_after(vec![Record::Rested(stuck), Record::Resumed { by: by() }]);
    assert_eq!(state.rest, None);
    let reason = RollbackReason::Asked { by: by(), past_pivot: true };
    let (_, state) = step_after(vec![Record::RollbackStarted { reason: reason.clone() }]);
    assert_eq!(state.phase, Phase::Back(reason));
}

#[test]
fn what_people_say_from_outside_counts_from_its_record_to_its_end() {
    let steer = |steer: Steer| Record::Steered {
        steer,
        by: "ops".to_owned(),
        comment: Some("wait".to_owned()),
    };
    let hold = || Steer::Hold { before: "a".to_owned() };
    let let_go = || Steer::LetGo { before: "a".to_owned() };
    let (_, state) = step_after(vec![steer(Steer::Pause), steer(hold())]);
    let paused = state.paused.clone().expect("paused");
    assert_eq!((paused.by.as_str(), paused.comment.as_deref()), ("ops", Some("wait")));
    assert_eq!((paused.at, state.paused_secs), (minute(2), 0));
    assert_eq!(state.holds.get("a").map(|held| held.at), Some(minute(3)));
    assert!(!state.may_steer(&Steer::Pause) && !state.may_steer(&hold()), "they count already");
    assert!(state.may_steer(&Steer::GoOn) && state.may_steer(&let_go()));
    let on = vec![steer(Steer::Pause), steer(hold()), steer(Steer::GoOn), steer(let_go())];
    let (_, state) = step_after(on.clone());
    assert_eq!((state.paused.is_none(), state.paused_secs, state.holds.len()), (true, 120, 0));
    assert!(!state.may_steer(&Steer::GoOn) && !state.may_steer(&let_go()));
    let twice = [on, vec![steer(Steer::Pause), steer(Steer::GoOn)]].concat();
    assert_eq!(step_after(twice).1.paused_secs, 180, "all pauses");
    let (_, state) = step_after(vec![steer(Steer::Pause), steer(hold()), steer(Steer::Cancel)]);
    assert!(state.paused.is_none() && state.holds.is_empty(), "a cancel is not held up");
    assert_eq!(state.cancelled.as_ref().map(|cancel| cancel.at), Some(minute(4)));
    assert!(!state.may_steer(&Steer::Cancel), "once is enough");
    let reason = RollbackReason::Cancelled { by: "ops".to_owned() };
    let (_, state) = step_after(vec![steer(Steer::Cancel), Record::RollbackStarted { reason }]);
    assert!(state.cancelled.is_none(), "it has begun");
    for wanted in [hold(), Steer::Cancel] {
        assert!(!state.may_steer(&wanted), "{wanted:?} on the way back");
    }
    let (_, fresh) = step_after(Vec::new());
    assert!(fresh.check(&Entry { epoch: 2, ..entry(2, steer(Steer::Pause)) }).is_ok());
    let refused = fresh.check(&Entry { epoch: 2, ..entry(2, steer(Steer::GoOn)) });
    assert!(refused.is_err(), "there is no pause to end");
    let begun = vec![Record::StepStarted { step: "a".to_owned(), attempt: 1 }];
    let (_, state) = step_after(begun);
    assert!(!state.may_steer(&hold()), "it has begun");
    assert!(!state.may_steer(&Steer::Hold { before: "z".to_owned() }), "there is none");
    assert!(state.may_steer(&Steer::Cancel));
}

#[test]
fn a_cancel_comes_too_late_once_the_applications_may_have_moved() {
    let swapped = || pivot(plan("a b"), "a");
    for (words, may, inside) in [
        ("", true, false),
        ("a:start", true, false),
        ("a:start a:intend", false, true),
        ("a:start a:intend a:succeed", false, false),
    ] {
        let state = state(swapped(), words);
        assert_eq!(state.may_steer(&Steer::Cancel), may, "{words}");
        assert_eq!(state.in_pivot().is_some(), inside, "{words}");
    }
    let plain = state(plan("a b"), "a:start a:intend");
    assert!(plain.may_steer(&Steer::Cancel) && plain.in_pivot().is_none());
    let back = state(swapped(), "a:start a:intend a:rollback");
    assert!(back.in_pivot().is_none(), "on the way back it is undone");
}

#[test]
fn who_asks_last_without_an_answer_is_named_first() {
    let two = || plan("(a|b)2");
    let named = |words: &str| state(two(), words).asking().map(|(planned, _)| planned.id.clone());
    assert_eq!(named("a:start a:ask b:start b:ask").as_deref(), Some("a"));
    assert_eq!(named("a:start a:ask a:yes b:start b:ask").as_deref(), Some("b"));
    assert_eq!(named("a:start a:ask a:yes b:start").as_deref(), Some("a"));
    assert_eq!(named("a:start b:start"), None);
    assert!(state(two(), "a:start a:ask a:yes").rejected().is_none());
}

#[test]
fn the_outputs_of_what_succeeded_are_those_of_the_playbook() {
    let mut given = plan("a b");
    given.outputs = Some(Template::Literal(json!({"endpoint": "new"})));
    let done = state(given, "a:start a:succeed");
    assert_eq!(done.playbook_outputs().get("endpoint"), Some(&json!("new")));
    assert_eq!(done.outputs().keys().collect::<Vec<_>>(), ["a"]);
    let mut mapped = plan("a");
    let named = |name: &str| (name.to_owned(), Template::Literal(json!(name)));
    mapped.outputs = Some(Template::Map([named("one"), named("two")].into()));
    let outputs = state(mapped, "").playbook_outputs();
    assert_eq!(
        outputs.into_iter().collect::<Vec<_>>(),
        [("one".to_owned(), json!("one")), ("two".to_owned(), json!("two"))]
    );
    assert!(state(plan("a"), "").playbook_outputs().is_empty());
    let steps: Vec<&str> = done.steps().map(|(planned, _)| planned.id.as_str()).collect();
    assert_eq!(steps, ["a", "b"]);
}

#[test]
fn what_a_rollback_does_is_what_the_step_declares() {
    let with = |effect: Effect| {
        let plan = super::world::with(plan("a"), "a", |step| step.effect = effect);
        state(plan.clone(), "").undo_policy(&plan.stages[0].lanes[0][0]).clone()
    };
    assert_eq!(with(Effect::Mutates(UndoPolicy::Pivot)), UndoPolicy::Pivot);
    let UndoPolicy::None(why) = with(Effect::ReadOnly) else { panic!("nothing to undo") };
    assert_eq!(why, "it changes nothing");
}
