//! The lease itself: who gets it, until when it counts, and what its object says.

use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};

use super::line::{Happens, Line};
use super::{LENGTH, TERMS, clock, memory, who};
use crate::engine::journal::JournalError;
use crate::engine::{Class, Clock};
use crate::state::lease::{ObjectLease, acquire, holder};
use crate::state::{Expect, Lease, MemoryObjects, Objects, Put, keep};

const KEY: &str = "runs/x/lease.json";

async fn take(
    objects: &Rc<dyn Objects>,
    clock: &Clock,
    name: &str,
    force: bool,
) -> Result<(ObjectLease, Option<String>), JournalError> {
    acquire(objects, KEY, clock, &who(name), TERMS, force).await
}

/// One process, its lease taken over a good line.
async fn taken(clock: &Clock) -> (Rc<Line>, Rc<dyn Objects>, ObjectLease) {
    let line = Line::to(memory(clock), clock);
    let objects: Rc<dyn Objects> = line.clone();
    let (lease, before) = take(&objects, clock, "laptop", false).await.unwrap();
    assert_eq!(before, None);
    (line, objects, lease)
}

async fn body(objects: &dyn Objects) -> Value {
    let found = objects.get(KEY).await.unwrap().expect("a lease");
    serde_json::from_slice(&found.bytes).unwrap()
}

/// What another process writes, whatever is there.
fn of_another(epoch: u64) -> Vec<u8> {
    let body = json!({
        "epoch": epoch, "holder": "ops@ci", "token": "token of ci", "length_ms": 60_000,
        "count": 0, "released": false,
    });
    serde_json::to_vec(&body).unwrap()
}

fn held(error: JournalError) -> (String, Duration) {
    match error {
        JournalError::Held { holder, ends_in } => (holder, ends_in),
        other => panic!("{other}"),
    }
}

fn lost(error: JournalError) -> (String, u64) {
    match error {
        JournalError::Lost { by, epoch } => (by, epoch),
        other => panic!("{other}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_says_whose_it_is_until_when_and_counts_its_writings() {
    let clock = clock();
    let (line, objects, lease) = taken(&clock).await;
    let expected = |count: u64, released: bool| {
        json!({
            "epoch": 1, "holder": "ops@laptop", "token": "token of laptop", "length_ms": 60_000,
            "count": count, "released": released,
        })
    };
    assert_eq!(body(line.as_ref()).await, expected(0, false));
    for count in 1..=3 {
        lease.renew().await.unwrap();
        assert_eq!(body(line.as_ref()).await, expected(count, false));
    }
    lease.release().await.unwrap();
    assert_eq!(body(line.as_ref()).await, expected(4, true));
    for (epoch, count) in [(2, 5), (3, 7)] {
        let (lease, before) = take(&objects, &clock, "laptop", false).await.unwrap();
        assert_eq!((lease.epoch(), before), (epoch, None), "it was given up");
        assert_eq!(body(line.as_ref()).await["count"], count, "no two writings are the same");
        lease.release().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_counts_for_three_quarters_of_its_length_and_not_an_instant_longer() {
    let clock = clock();
    let (_, _, lease) = taken(&clock).await;
    assert_eq!(lease.rhythm(), Some(LENGTH / 4));
    lease.check().unwrap();
    clock.sleep(Duration::from_millis(44_999)).await;
    lease.check().unwrap();
    clock.sleep(Duration::from_millis(1)).await;
    let lapsed = lease.check().unwrap_err();
    assert!(matches!(lapsed, JournalError::Lapsed(_)), "{lapsed}");
    assert!(lapsed.to_string().contains("45 s ago, and it lasts 60 s"), "{lapsed}");
    lease.renew().await.unwrap();
    lease.check().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_another_s_from_its_end_on_and_two_seconds_are_added_for_rounding() {
    let clock = clock();
    let (line, objects, old) = taken(&clock).await;
    assert_eq!(holder(line.as_ref(), "nobody").await.unwrap(), None);
    for (after, left) in [(0, 62_000), (20_000, 42_000), (41_999, 1)] {
        clock.sleep(Duration::from_millis(after)).await;
        let left = Duration::from_millis(left);
        let found = holder(line.as_ref(), KEY).await.unwrap();
        assert_eq!(found, Some(("ops@laptop".to_owned(), left)));
        let refused = take(&objects, &clock, "ci", false).await.err().expect("it is held");
        assert_eq!(held(refused), ("ops@laptop".to_owned(), left));
    }
    clock.sleep(Duration::from_millis(1)).await;
    assert_eq!(holder(line.as_ref(), KEY).await.unwrap(), None);
    let (new, before) = take(&objects, &clock, "ci", false).await.unwrap();
    assert_eq!((new.epoch(), before.as_deref()), (2, Some("ops@laptop")));
    // The one before finds out at its next writing, and does not believe in its lease from then on.
    assert_eq!(lost(old.renew().await.unwrap_err()), ("ops@ci".to_owned(), 2));
    assert_eq!(lost(old.check().unwrap_err()), ("ops@ci".to_owned(), 2));
    old.release().await.unwrap();
    new.check().unwrap();
    assert_eq!(body(line.as_ref()).await["holder"], "ops@ci");
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_was_given_up_is_free_at_once_and_counts_no_more() {
    let clock = clock();
    let (line, objects, lease) = taken(&clock).await;
    lease.release().await.unwrap();
    assert_eq!(holder(line.as_ref(), KEY).await.unwrap(), None);
    let (by, epoch) = lost(lease.check().unwrap_err());
    assert_eq!((by.as_str(), epoch), ("this process, which has given it up", 1));
    assert!(take(&objects, &clock, "ci", false).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_second_process_with_the_same_name_and_token_is_a_second_process() {
    let clock = clock();
    let (_, objects, _lease) = taken(&clock).await;
    let refused = take(&objects, &clock, "laptop", false).await.err().expect("it is held");
    assert_eq!(held(refused).0, "ops@laptop");
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_broken_by_force_under_a_higher_epoch() {
    let clock = clock();
    let (_, objects, old) = taken(&clock).await;
    let (new, before) = take(&objects, &clock, "ci", true).await.unwrap();
    assert_eq!((new.epoch(), before.as_deref()), (2, Some("ops@laptop")));
    lost(old.renew().await.unwrap_err());
}

#[tokio::test(start_paused = true)]
async fn a_lease_whose_answer_was_lost_is_taken_for_its_own_and_for_nobody_else_s() {
    let clock = clock();
    let line = Line::to(memory(&clock), &clock);
    let objects: Rc<dyn Objects> = line.clone();
    line.next(Happens::AnswerLost);
    let (lease, before) = take(&objects, &clock, "laptop", false).await.unwrap();
    assert_eq!((lease.epoch(), before), (1, None), "nobody had it before");
    lease.check().unwrap();
    lease.release().await.unwrap();
    // The same, but what is there afterwards is what another process has written.
    let overtakes = |objects: &MemoryObjects| objects.overwrite(KEY, &of_another(5));
    line.next(Happens::FailsAfter(Class::Ambiguous, Box::new(overtakes)));
    let refused = take(&objects, &clock, "laptop", false).await.err().expect("it is held");
    assert_eq!(held(refused).0, "ops@ci");
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_second_looks_again_and_gives_up_after_twenty_races() {
    let clock = clock();
    let line = Line::to(memory(&clock), &clock);
    let objects: Rc<dyn Objects> = line.clone();
    // Somebody was there, and has given it up again.
    let overtakes = |objects: &MemoryObjects| {
        let body = String::from_utf8(of_another(5)).unwrap();
        objects.overwrite(KEY, body.replace("false", "true").as_bytes());
    };
    line.next(Happens::After(Box::new(overtakes)));
    let (lease, before) = take(&objects, &clock, "laptop", false).await.unwrap();
    assert_eq!((lease.epoch(), before), (6, None));
    lease.release().await.unwrap();
    line.written.set(0);
    line.refuses.set(true);
    let refused = take(&objects, &clock, "laptop", false).await.err().expect("never first");
    assert_eq!(held(refused), ("somebody who is taking it at the same time".to_owned(), LENGTH));
    assert_eq!(line.written.get(), 21, "the first try, and twenty after lost races");
}

/// A place that tells no age, and takes longer over a write than a lease lasts.
#[tokio::test(start_paused = true)]
async fn a_lease_that_was_written_a_moment_ago_is_as_young_as_it_is_whatever_was_seen_before_it() {
    let clock = clock();
    let (line, objects, lease) = taken(&clock).await;
    lease.release().await.unwrap();
    line.ageless.set(true);
    line.takes.set(Duration::from_secs(90));
    let overtakes = |objects: &MemoryObjects| objects.overwrite(KEY, &of_another(5));
    line.next(Happens::After(Box::new(overtakes)));
    let refused = take(&objects, &clock, "laptop", false).await.err().expect("it is held");
    assert_eq!(held(refused).0, "ops@ci");
}

#[tokio::test(start_paused = true)]
async fn a_passing_fault_is_borne_for_half_a_minute_and_no_other_for_an_instant() {
    let clock = clock();
    let line = Line::to(memory(&clock), &clock);
    let objects: Rc<dyn Objects> = line.clone();
    for (class, least, most) in [(Class::Transient, 30_001, 31_000), (Class::Denied, 0, 0)] {
        line.dead.set(Some(class));
        let began = clock.now();
        let error = take(&objects, &clock, "laptop", false).await.err().expect("no answer");
        let JournalError::Store(failure) = error else { panic!("{error}") };
        assert_eq!(failure.class, class);
        let borne = clock.since(began).as_millis();
        assert!((least..=most).contains(&borne), "{class:?}: {borne} ms");
    }
    line.dead.set(None);
    line.next(Happens::Fails(Class::Throttled));
    let began = clock.now();
    let (lease, _) = take(&objects, &clock, "laptop", false).await.unwrap();
    assert_eq!(clock.since(began), Duration::from_millis(500), "a moment later");
    // The same while it is given up; the writing that was refused changes nothing.
    line.dead.set(Some(Class::Transient));
    let began = clock.now();
    assert!(matches!(lease.release().await, Err(JournalError::Store(_))));
    assert!(clock.since(began) > Duration::from_secs(30));
    line.dead.set(None);
    line.next(Happens::Fails(Class::Transient));
    lease.release().await.unwrap();
    assert_eq!(body(line.as_ref()).await["released"], true);
}

#[tokio::test(start_paused = true)]
async fn an_epoch_is_raised_and_never_lowered() {
    let clock = clock();
    let (line, _, lease) = taken(&clock).await;
    for (least, epoch) in [(1, 1), (5, 5), (5, 5), (3, 5)] {
        lease.raise(least).await.unwrap();
        assert_eq!(
            (lease.epoch(), body(line.as_ref()).await["epoch"].clone()),
            (epoch, json!(epoch))
        );
    }
    assert_eq!(line.written.get(), 2, "what is high enough is not written again");
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_lost_to_whoever_wrote_into_it_and_kept_over_its_own_lost_answers() {
    let clock = clock();
    let own = |released: bool| {
        let body = json!({
            "epoch": 1, "holder": "ops@laptop", "token": "token of laptop", "length_ms": 60_000,
            "count": 9, "released": released,
        });
        serde_json::to_vec(&body).unwrap()
    };
    for (there, by) in [
        (Some(of_another(2)), Some(("ops@ci", 2))),
        (Some(own(true)), Some(("ops@laptop", 1))),
        (None, Some(("somebody who deleted its lease", 0))),
        (Some(own(false)), None),
    ] {
        let (line, _, lease) = taken(&clock).await;
        match there {
            Some(bytes) => line.inner.overwrite(KEY, &bytes),
            None => line.inner.remove(KEY),
        }
        let renewed = lease.renew().await;
        let Some((by, epoch)) = by else {
            renewed.unwrap();
            assert_eq!(body(line.as_ref()).await["count"], 10, "it counts on from there");
            continue;
        };
        assert_eq!(lost(renewed.unwrap_err()), (by.to_owned(), epoch));
        assert_eq!(lost(lease.check().unwrap_err()), (by.to_owned(), epoch));
        lease.found_again();
        lease.check().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_who_took_a_run_over_is_named_and_not_the_last() {
    let (_, _, lease) = taken(&clock()).await;
    lease.lose("one".to_owned(), 2);
    lease.lose("two".to_owned(), 3);
    assert_eq!(lost(lease.check().unwrap_err()), ("one".to_owned(), 2));
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_kept_by_renewing_it_in_its_rhythm_and_sooner_after_a_fault() {
    let clock = clock();
    let (line, _, lease) = taken(&clock).await;
    let before = line.written.get();
    let keeping = async {
        tokio::select! {
            biased;
            lost = keep(&lease, &clock) => panic!("{lost}"),
            () = clock.sleep(Duration::from_secs(31)) => {}
        }
    };
    keeping.await;
    assert_eq!(line.written.get() - before, 2, "after 15 and 30 s");
    // A renewal that fails is made up for after a quarter of the rhythm: 3.75 s.
    line.next(Happens::Fails(Class::Transient));
    let before = line.written.get();
    tokio::select! {
        biased;
        lost = keep(&lease, &clock) => panic!("{lost}"),
        () = clock.sleep(Duration::from_millis(18_700)) => {}
    }
    assert_eq!(line.written.get() - before, 1, "not yet");
    line.next(Happens::Fails(Class::Transient));
    tokio::select! {
        biased;
        lost = keep(&lease, &clock) => panic!("{lost}"),
        () = clock.sleep(Duration::from_millis(18_800)) => {}
    }
    assert_eq!(line.written.get() - before, 3, "at 15 s, and at 18.75 s");
    line.inner.overwrite(KEY, &of_another(2));
    let began = clock.now();
    assert_eq!(lost(keep(&lease, &clock).await), ("ops@ci".to_owned(), 2));
    assert_eq!(clock.since(began), Duration::from_secs(15), "told at once");
    // Its object is left as the other one wrote it.
    let found = line.inner.get(KEY).await.unwrap().unwrap();
    assert_eq!(found.bytes, of_another(2));
    let over = line.put(KEY, Vec::new(), Expect::Absent).await.unwrap();
    assert_eq!(over, Put::Refused);
}
