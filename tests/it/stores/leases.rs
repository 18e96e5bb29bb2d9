//! Leases: two processes, bad lines, clocks that differ. On virtual time.

use std::rc::Rc;
use std::time::Duration;

use async_trait::async_trait;
use orchestrate::aws::{Gate, Op};
use orchestrate::engine::journal::{Entry, JournalError, Record, encode};
use orchestrate::engine::{Class, Clock, Failure};
use orchestrate::plan::Plan;
use orchestrate::state::{
    Expect, Found, Lease, LeaseGate, LeaseTerms, MemoryObjects, Objects, Opened, Put, Remote,
    Store, Who, keep,
};
use serde_json::Map;

use super::places::{LENGTH, Line, Place, Trouble, entry, run};
use crate::world::{compiled, virtually};

fn plan() -> Plan {
    compiled("quickstart", Map::new())
}

async fn begin(store: &dyn Store, entries: u64) -> Opened {
    let mut opened = store.create(&run()).await.expect("a new run");
    for seq in 1..=entries {
        opened.journal.append(&entry(seq, 1, &plan())).await.expect("written");
    }
    opened
}

/// Runs a test on both places that are reached over a line.
fn on_both(test: impl AsyncFn(&Place)) {
    virtually(async { test(&Place::memory()).await });
    virtually(async { test(&Place::s3().await).await });
}

const READ: Op = Op::read("Test", "Change");

#[test]
fn a_lease_that_is_renewed_is_never_taken_and_one_that_is_not_is() {
    on_both(async |place| {
        let laptop = place.process();
        let ci = place.process();
        let opened = begin(laptop.as_ref(), 2).await;
        let hours = async {
            for _ in 0..40 {
                place.clock.sleep(Duration::from_secs(181)).await;
                let refused = ci.open(&run()).await.err().expect("it is held");
                let JournalError::Held { holder, ends_in } = refused else { panic!("{refused}") };
                assert_eq!(holder, "ops@host0");
                assert!(ends_in <= LENGTH + Duration::from_secs(2), "{ends_in:?}");
                opened.lease.check().expect("it is good all the time");
            }
        };
        tokio::select! {
        biased;
                   () = hours => {}
                   lost = keep(opened.lease.as_ref(), &place.clock) => panic!("{lost}"),
               }
        // The laptop is closed.
        let closed = place.clock.now();
        let taken = loop {
            match ci.open(&run()).await {
                Ok(taken) => break taken,
                Err(JournalError::Held { .. }) => place.clock.sleep(Duration::from_secs(1)).await,
                Err(other) => panic!("{other}"),
            }
        };
        let waited = place.clock.since(closed);
        assert!(waited > Duration::from_secs(40) && waited < Duration::from_secs(65), "{waited:?}");
        assert_eq!(taken.journal.epoch(), 2);
        let last = taken.entries.last().expect("entries");
        let over = Record::TakenOver {
            by: "ops@host1".to_owned(),
            held_by: "ops@host0".to_owned(),
            comment: None,
        };
        assert_eq!((&last.record, last.epoch), (&over, 2), "it is written down");
    });
}

#[test]
fn a_process_that_cannot_renew_stops_before_another_may_begin() {
    on_both(async |place| {
        let (laptop, line) = place.process_over_a_line();
        let opened = begin(laptop.as_ref(), 1).await;
        let ci = place.process();
        line.dead.set(true);
        let cut = place.clock.now();
        let (mut stopped, mut taken) = (None, None);
        let watching = async {
            while taken.is_none() {
                place.clock.sleep(Duration::from_secs(1)).await;
                if opened.lease.check().is_err() {
                    stopped.get_or_insert(place.clock.since(cut));
                }
                if ci.open(&run()).await.is_ok() {
                    taken = Some(place.clock.since(cut));
                }
            }
        };
        tokio::select! {
        biased;
                   () = watching => {}
                   _ = keep(opened.lease.as_ref(), &place.clock) => panic!("nothing is heard"),
               }
        let (stopped, taken) = (stopped.expect("it stopped"), taken.expect("it was taken"));
        assert!(stopped + LENGTH / 4 <= taken, "stopped after {stopped:?}, taken after {taken:?}");
    });
}

#[test]
fn a_process_whose_run_was_taken_over_writes_and_changes_nothing_more() {
    on_both(async |place| {
        let laptop = place.process();
        let mut old = begin(laptop.as_ref(), 2).await;
        place.clock.sleep(LENGTH + Duration::from_secs(5)).await;
        let ci = place.process();
        let new = ci.open(&run()).await.expect("its lease has ended");
        let before = ci.load(&run()).await.expect("reads").entries;
        let gate = LeaseGate::new(Rc::clone(&old.lease), place.clock.clone());
        let refused = gate.pass(READ).await.expect_err("no change passes");
        assert_eq!(refused.class, Class::Journal);
        assert!(refused.to_string().contains("ops@host1"), "{refused}");
        let error = old.journal.append(&entry(3, 1, &plan())).await.expect_err("refused");
        assert!(matches!(error, JournalError::Lost { .. }), "{error}");
        let lost = keep(old.lease.as_ref(), &place.clock).await;
        assert!(matches!(lost, JournalError::Lost { .. }), "{lost}");
        assert_eq!(ci.load(&run()).await.expect("reads").entries, before);
        // What it gives up is not its own.
        old.lease.release().await.expect("nothing to do");
        new.lease.check().expect("the other one has it still");
        assert!(place.process().open(&run()).await.is_err());
    });
}

#[test]
fn the_number_of_an_entry_shuts_out_a_writer_whose_lease_says_nothing() {
    // Two writers that both believe to hold a lease: what a stopped clock or a forged object would make.
    virtually(async {
        let place = Place::memory();
        let mut one = begin(place.process().as_ref(), 2).await;
        let mut two = begin_beside(&place).await;
        two.journal.append(&entry(3, 2, &plan())).await.expect("first come");
        let error = one.journal.append(&entry(3, 1, &plan())).await.expect_err("refused");
        assert!(matches!(error, JournalError::Lost { epoch: 2, .. }), "{error}");
        let error = one.journal.append(&entry(4, 1, &plan())).await.expect_err("for good");
        assert!(matches!(error, JournalError::Lost { .. }), "{error}");
        let entries = place.process().load(&run()).await.expect("reads").entries;
        assert_eq!(entries.iter().map(|e| e.epoch).collect::<Vec<_>>(), [1, 1, 2]);
    });
}

/// A second writer, taken while the first believes that it has the lease.
async fn begin_beside(place: &Place) -> Opened {
    let key = format!("runs/{}/lease.json", run());
    let objects = place.objects();
    let there = objects.get(&key).await.expect("reads").expect("a lease");
    let text = String::from_utf8(there.bytes.clone()).expect("text");
    let released = text.replace("\"released\":false", "\"released\":true");
    let put = objects.put(&key, released.into_bytes(), Expect::Tag(there.tag)).await;
    assert!(matches!(put, Ok(Put::Stored(_))));
    place.process().open(&run()).await.expect("it looks free")
}

#[test]
fn an_outage_holds_changes_back_and_lets_them_go_afterwards() {
    on_both(async |place| {
        let (laptop, line) = place.process_over_a_line();
        let mut opened = begin(laptop.as_ref(), 1).await;
        line.dead.set(true);
        place.clock.sleep(Duration::from_secs(120)).await;
        let gate = LeaseGate::new(Rc::clone(&opened.lease), place.clock.clone());
        let began = place.clock.now();
        let healing = async {
            place.clock.sleep(Duration::from_secs(90)).await;
            line.dead.set(false);
        };
        let next = entry(2, 1, &plan());
        let (passed, written, ()) =
            futures::join!(gate.pass(READ), opened.journal.append(&next), healing);
        passed.expect("nobody has taken the run meanwhile");
        written.expect("nor written in it");
        assert!(place.clock.since(began) >= Duration::from_secs(90), "held back until then");
        let loaded = place.process().load(&run()).await.expect("reads");
        assert_eq!(loaded.entries.len(), 2);
    });
}

#[test]
fn an_outage_that_lasts_ends_the_run_and_not_its_safety() {
    virtually(async {
        let place = Place::memory();
        let (laptop, line) = place.process_over_a_line();
        let mut opened = begin(laptop.as_ref(), 1).await;
        line.dead.set(true);
        let gate = LeaseGate::new(Rc::clone(&opened.lease), place.clock.clone());
        place.clock.sleep(LENGTH).await;
        let refused = gate.pass(READ).await.expect_err("no change without the lease");
        assert_eq!(refused.class, Class::Journal);
        opened.journal.append(&entry(2, 1, &plan())).await.expect_err("not written");
        line.dead.set(false);
        let taken = place.process().open(&run()).await.expect("taken up");
        assert_eq!(taken.entries.len(), 2, "the header, and that it was taken over");
    });
}

#[test]
fn answers_that_are_lost_are_looked_into() {
    use Trouble::{AnswerLost, Throttled, Unanswered};
    for trouble in [AnswerLost, Unanswered, Throttled] {
        on_both(async |place| {
            let (laptop, line) = place.process_over_a_line();
            // Of taking the lease, of an entry, of a renewal, of giving it up.
            line.writes.borrow_mut().push_back(trouble);
            let mut opened = laptop.create(&run()).await.expect("taken");
            assert_eq!(opened.lease.epoch(), 1, "{trouble:?}: its own writing is not another's");
            line.writes.borrow_mut().push_back(trouble);
            opened.journal.append(&entry(1, 1, &plan())).await.expect("written");
            line.writes.borrow_mut().push_back(trouble);
            opened.lease.renew().await.expect_err("it is not known");
            opened.lease.renew().await.expect("now it is");
            opened.lease.check().expect("good");
            line.writes.borrow_mut().push_back(trouble);
            opened.lease.release().await.expect("given up");
            assert_eq!(place.process().open(&run()).await.expect("free").entries.len(), 1);
        });
    }
}

#[test]
fn a_broken_lock_is_written_down_and_shuts_its_holder_out() {
    on_both(async |place| {
        let mut dead = begin(place.process().as_ref(), 2).await;
        let ci = place.process();
        let words = "the laptop fell into the sea";
        let broken = ci.unlock(&run(), words).await.expect("broken").expect("it was held");
        assert_eq!(broken.journal.epoch(), 2);
        let record = &broken.entries.last().expect("entries").record;
        let Record::TakenOver { by, held_by, comment } = record else { panic!("{record:?}") };
        assert_eq!((by.as_str(), held_by.as_str()), ("ops@host1", "ops@host0"));
        assert_eq!(comment.as_deref(), Some(words));
        broken.lease.release().await.expect("given up");
        drop(broken);
        let error = dead.journal.append(&entry(3, 1, &plan())).await.expect_err("shut out");
        assert!(matches!(error, JournalError::Lost { .. }), "{error}");
        assert!(ci.unlock(&run(), words).await.expect("looks").is_none(), "nobody has it now");
        assert_eq!(ci.open(&run()).await.expect("free").journal.epoch(), 3);
    });
}

#[test]
fn epochs_never_start_again_even_if_somebody_deletes_the_lease() {
    virtually(async {
        let clock = Clock::tokio("2026-11-23T03:00:00Z".parse().expect("a timestamp"), 1.0);
        let objects = MemoryObjects::new(clock.clone());
        let store = |token: &str| {
            let who = Who { name: token.to_owned(), token: token.to_owned() };
            let objects = Rc::new(objects.clone());
            Remote::new(objects, clock.clone(), who, LeaseTerms { length: LENGTH })
        };
        let first = begin(&store("one"), 1).await;
        first.lease.release().await.expect("given up");
        for epoch in 2..=3 {
            let mut opened = store("two").open(&run()).await.expect("free");
            let seq = opened.entries.len() as u64 + 1;
            opened.journal.append(&entry(seq, epoch, &plan())).await.expect("written");
            opened.lease.release().await.expect("given up");
        }
        objects.remove(&format!("runs/{}/lease.json", run()));
        let opened = store("three").open(&run()).await.expect("free");
        assert_eq!((opened.journal.epoch(), opened.lease.epoch()), (4, 4));
        // A lease that is gone under its holder is not taken for its own any more.
        objects.remove(&format!("runs/{}/lease.json", run()));
        let lost = opened.lease.renew().await.expect_err("it is gone");
        assert!(matches!(lost, JournalError::Lost { .. }), "{lost}");
    });
}

#[test]
fn clocks_that_are_hours_apart_do_not_matter() {
    virtually(async {
        let base: jiff::Timestamp = "2026-11-23T03:00:00Z".parse().expect("a timestamp");
        let objects = MemoryObjects::new(Clock::tokio(base, 1.0));
        let store = |token: &str, hours: i64| {
            let off = base + jiff::SignedDuration::from_hours(hours);
            let who = Who { name: token.to_owned(), token: token.to_owned() };
            let terms = LeaseTerms { length: LENGTH };
            Remote::new(Rc::new(objects.clone()), Clock::tokio(off, 1.0), who, terms)
        };
        for (token, hours) in [("fast", 5), ("slow", -5)] {
            let run = format!("01h3kq7x{}", if hours > 0 { "a1" } else { "a2" });
            let run = run.parse().expect("a run id");
            let _held = store("holder", -hours).create(&run).await.expect("taken");
            let other = store(token, hours);
            tokio::time::sleep(LENGTH - Duration::from_secs(1)).await;
            let early = other.open(&run).await.err().expect("held");
            assert!(matches!(early, JournalError::Held { .. }), "{token}: {early}");
            tokio::time::sleep(Duration::from_secs(4)).await;
            let late = other.open(&run).await.err().expect("no header was written");
            assert!(matches!(late, JournalError::Empty(_)), "{token}: {late}");
        }
    });
}

/// Lets the process before write one more entry at the very moment at which the next one wants to shut it out.
struct Late {
    inner: Rc<dyn Objects>,
    entry: Entry,
}

#[async_trait(?Send)]
impl Objects for Late {
    fn place(&self, key: &str) -> String {
        self.inner.place(key)
    }

    async fn get(&self, key: &str) -> Result<Option<Found>, Failure> {
        self.inner.get(key).await
    }

    async fn put(&self, key: &str, bytes: Vec<u8>, expect: Expect) -> Result<Put, Failure> {
        if key.ends_with(&format!("{:08}.json", self.entry.seq)) {
            let late = encode(&self.entry).into_bytes();
            self.inner.put(key, late, Expect::Absent).await?;
        }
        self.inner.put(key, bytes, expect).await
    }

    async fn list(&self, prefix: &str, delimiter: Option<char>) -> Result<Vec<String>, Failure> {
        self.inner.list(prefix, delimiter).await
    }
}

#[test]
fn a_last_entry_of_the_process_before_that_comes_late_counts() {
    virtually(async {
        let place = Place::memory();
        let _dead = begin(place.process().as_ref(), 2).await;
        tokio::time::sleep(LENGTH + Duration::from_secs(5)).await;
        let late = entry(3, 1, &plan());
        let objects = Rc::new(Late { inner: place.objects(), entry: late.clone() });
        let who = Who { name: "ci".to_owned(), token: "ci".to_owned() };
        let terms = LeaseTerms { length: LENGTH };
        let store = Remote::new(objects, place.clock.clone(), who, terms);
        let opened = store.open(&run()).await.expect("taken over");
        assert_eq!(opened.entries.len(), 4);
        assert_eq!(opened.entries[2], late, "it is read, not written over");
        assert!(matches!(opened.entries[3].record, Record::TakenOver { .. }));
        opened.lease.check().expect("it is the new one's");
    });
}

#[test]
fn two_that_take_a_run_at_the_same_time_do_not_both_get_it() {
    on_both(async |place| {
        let opened = begin(place.process().as_ref(), 1).await;
        opened.lease.release().await.expect("given up");
        let (one, two) = (place.process(), place.process());
        let run = run();
        let (a, b) = futures::join!(one.open(&run), two.open(&run));
        assert!(a.is_ok() != b.is_ok(), "one of them");
    });
}

#[test]
fn a_lease_is_written_about_four_times_in_its_length() {
    virtually(async {
        let place = Place::memory();
        let (laptop, line): (_, Line) = place.process_over_a_line();
        let opened = begin(laptop.as_ref(), 1).await;
        let before = line.arrived.get();
        let lease: &dyn Lease = opened.lease.as_ref();
        tokio::select! {
        biased;
                   _ = keep(lease, &place.clock) => panic!("nobody takes it"),
                   // Not at the instant of a renewal.
                   () = place.clock.sleep(LENGTH * 10 + Duration::from_secs(5)) => {}
               }
        assert_eq!(line.arrived.get() - before, 40);
    });
}
