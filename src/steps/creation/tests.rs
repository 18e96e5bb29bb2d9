use std::cell::Cell;

use super::*;
use crate::engine::journal::{MemoryJournal, Record};
use crate::steps::testing;

/// A look that sees nothing, but not without end.
fn nothing(looks: &Cell<u32>) -> impl Future<Output = Result<Option<()>, Failure>> + use<> {
    count(looks);
    async { Ok(None) }
}

fn count(looks: &Cell<u32>) {
    looks.set(looks.get() + 1);
    assert!(looks.get() < 1_000, "it looks without end");
}

/// The notes in a journal, as far as the call got.
fn notes(journal: &MemoryJournal) -> Vec<Value> {
    let entries = journal.entries().into_iter();
    entries
        .filter_map(|entry| match entry.record {
            Record::Noted { note, .. } => Some(note["call"].clone()),
            _ => None,
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn steps_of_one_run_do_not_want_the_same_name() {
    let name = |step: &str| default_name(&testing::cx(step), "snapshot", 40);
    assert_eq!(name("snapshot"), "orc-0test0test-snapshot");
    assert_eq!(name("copy[2]"), "orc-0test0test-snapshot-copy-2");
    let (a, b) = (name("the-first-of-all-the-snapshots"), name("the-first-of-all-the-snapshoty"));
    assert_ne!(a, b);
    for name in [a, b, name("a[1]"), name("__")] {
        assert_eq!(checked_name("snapshot name", &name, 40).unwrap(), name);
    }
}

#[test]
fn names_the_services_refuse_are_refused_here() {
    for name in ["", "1abc", "a--b", "a-", "a_b", "straße", &"a".repeat(41)] {
        assert_eq!(checked_name("x", name, 40).unwrap_err().class, Class::Fatal, "{name}");
    }
    assert_eq!(checked_name("x", "Prod-1", 40).unwrap(), "prod-1");
}

#[tokio::test(start_paused = true)]
async fn what_was_asked_for_is_looked_for_until_it_shows() {
    let mut cx = testing::cx("snapshot");
    cx.note = Some(json!({ "call": "asked" }));
    let looks = Cell::new(0);
    let look = || {
        looks.set(looks.get() + 1);
        let seen = (looks.get() == 4).then_some(());
        async move { Ok(seen) }
    };
    assert_eq!(look_for_made(&cx, look).await.unwrap(), Some(()));
    let none = Cell::new(0);
    let before = cx.clock.now();
    assert_eq!(look_for_made(&cx, || nothing(&none)).await.unwrap(), None);
    assert!(cx.clock.since(before) >= VISIBLE_WITHIN);
    assert!(none.get() < 20, "further and further apart: {}", none.get());
    // A clock that somebody sets while it looks does not end the looking.
    let clock = cx.clock.clone();
    looks.set(0);
    let meanwhile = || {
        clock.step(3_600_000);
        look()
    };
    assert_eq!(until_visible(&cx, meanwhile).await.unwrap(), Some(()));
    cx.note = None;
    let before = cx.clock.now();
    assert_eq!(look_for_made(&cx, || nothing(&none)).await.unwrap(), None);
    assert_eq!(cx.clock.since(before), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_look_that_lags_is_not_the_last_word_for_a_minute() {
    let cx = testing::cx("switch");
    let (waited, looks) = (Waited::default(), Cell::new(0));
    let look = || {
        looks.set(looks.get() + 1);
        let seen = looks.get() < 4;
        async move { Ok(seen) }
    };
    assert!(!unless_lagging(&cx, &waited, look, |done| *done).await.unwrap());
    let more = Cell::new(0);
    let done = || {
        count(&more);
        async { Ok(true) }
    };
    assert!(unless_lagging(&cx, &waited, done, |done| *done).await.unwrap());
    assert!(waited.get() > LAGS_FOR);
    assert!(more.get() < 20, "further and further apart: {}", more.get());
    // Whoever has waited once waits no second time.
    let before = cx.clock.now();
    assert!(unless_lagging(&cx, &waited, done, |done| *done).await.unwrap());
    assert_eq!(cx.clock.since(before), Duration::ZERO);
    // A clock that somebody sets while it looks does not end the looking.
    let (waited, clock) = (Waited::default(), cx.clock.clone());
    looks.set(0);
    let meanwhile = || {
        clock.step(3_600_000);
        look()
    };
    assert!(!unless_lagging(&cx, &waited, meanwhile, |done| *done).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn what_was_seen_before_is_not_taken_for_gone_after_one_answer() {
    let mut cx = testing::cx("snapshot");
    cx.note = Some(json!({ "call": "taken" }));
    let looks = Cell::new(0);
    let look = || {
        looks.set(looks.get() + 1);
        let seen = (looks.get() % 2 == 0).then_some(());
        async move { Ok(seen) }
    };
    assert_eq!(look_for_made(&cx, look).await.unwrap(), Some(()));
    assert_eq!(unless_gone(&cx, look).await.unwrap(), Some(()));
}

#[tokio::test(start_paused = true)]
async fn a_step_that_has_waited_a_minute_to_the_instant_looks_once_more() {
    let cx = testing::cx("switch");
    for (before, looks) in [(59_999, 2), (60_000, 2), (60_001, 1)] {
        let (waited, seen) = (Waited::new(Duration::from_millis(before)), Cell::new(0));
        let look = || {
            count(&seen);
            async { Ok(true) }
        };
        assert!(unless_lagging(&cx, &waited, look, |done| *done).await.unwrap());
        assert_eq!(seen.get(), looks, "after {before} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn how_far_a_call_got_is_written_down_and_once() {
    let (cx, journal) = testing::recording_cx("snapshot").await;
    assert_eq!(call_state(&cx), Call::Never);
    for state in [Call::Asked, Call::Asked, Call::Taken, Call::Taken, Call::Over] {
        note_call(&cx, state).await.unwrap();
        assert_eq!(call_state(&cx), state);
    }
    assert_eq!(notes(&journal), ["asked", "taken", "over"]);
}

#[tokio::test(start_paused = true)]
async fn a_call_is_written_down_before_it_is_made_and_forgotten_only_if_it_alone_was_refused() {
    use Call::{Asked, Never, Over, Refused, Taken};
    for (before, answer, after) in [
        (Never, None, Asked),
        (Never, Some(Class::Fatal), Refused),
        (Never, Some(Class::Throttled), Refused),
        (Never, Some(Class::Denied), Refused),
        // Nobody knows what has become of it.
        (Never, Some(Class::Ambiguous), Asked),
        (Never, Some(Class::Conflict), Asked),
        // An earlier one may still show, whatever becomes of this one.
        (Asked, Some(Class::Fatal), Asked),
        (Taken, Some(Class::Fatal), Asked),
        (Asked, None, Asked),
        (Refused, Some(Class::Fatal), Refused),
        (Refused, Some(Class::Ambiguous), Asked),
        (Over, Some(Class::Fatal), Refused),
    ] {
        let (cx, journal) = testing::recording_cx("snapshot").await;
        if before != Never {
            note_call(&cx, before).await.unwrap();
        }
        let request = async {
            assert_eq!(notes(&journal).last(), Some(&json!("asked")), "durable first");
            answer.map_or(Ok(7), |class| Err(Failure::new(class, "no")))
        };
        let answered = ask(&cx, request).await.map_err(|failure| failure.class);
        assert_eq!(answered, answer.map_or(Ok(7), Err));
        assert_eq!(call_state(&cx), after, "{before:?}, then {answer:?}");
    }
}

#[test]
fn what_was_seen_a_moment_ago_and_is_not_found_now_is_busy() {
    for (class, becomes) in [
        (Class::NotFound, Class::Busy),
        (Class::Busy, Class::Busy),
        (Class::Denied, Class::Denied),
        (Class::Transient, Class::Transient),
    ] {
        let failure = not_deleted(Failure::new(class, "no"));
        assert_eq!((failure.class, failure.message.as_str()), (becomes, "no"));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_letter_or_digit_in_a_step_s_id_is_one_hyphen_in_a_name_and_none_at_its_ends() {
    for (step, name) in [
        ("_a__b", "orc-0test0test-snapshot-a-b"),
        ("a[1]", "orc-0test0test-snapshot-a-1"),
        ("A.b", "orc-0test0test-snapshot-a-b"),
        ("__", "orc-0test0test-snapshot"),
        ("Snapshot", "orc-0test0test-snapshot"),
    ] {
        assert_eq!(default_name(&testing::cx(step), "snapshot", 40), name, "{step}");
    }
}

#[test]
fn an_argument_that_is_known_and_empty_is_a_fault_and_no_other() {
    let fault = empty_fault(&json!({ "name": "" }), "name").expect("a fault");
    let expected = Fault::new("`name` is empty").key("name").mend("name the one that is meant");
    assert_eq!(fault, expected);
    for args in [json!({ "name": "x" }), json!({}), json!({ "name": null }), json!({ "x": "" })] {
        assert_eq!(empty_fault(&args, "name"), None, "{args}");
    }
}

#[test]
fn a_name_that_is_refused_is_a_fault_of_its_argument() {
    let faults = name_faults(&json!({ "to": "a--b" }), "to", "snapshot name", 40);
    let refused = checked_name("snapshot name", "a--b", 40).unwrap_err();
    assert_eq!(faults, [Fault::from(refused).key("to")]);
    assert!(faults[0].message.contains("snapshot name \"a--b\" cannot be used"), "{faults:?}");
    for args in [json!({ "to": "a-b" }), json!({}), json!({ "to": 7 })] {
        assert_eq!(name_faults(&args, "to", "snapshot name", 40), [], "{args}");
    }
}
