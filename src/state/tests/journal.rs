//! A journal of objects: what a writer does about every answer, and what a reader makes of every damage.

use std::rc::Rc;
use std::time::Duration;

use super::line::{Happens, Line};
use super::{TERMS, at, clock, entry, memory, run, who};
use crate::engine::journal::{Entry, Journal, JournalError, Record, encode};
use crate::engine::{Class, Clock};
use crate::state::lease::{Lease, acquire};
use crate::state::object_journal::{ObjectJournal, read};
use crate::state::{MemoryObjects, Objects};

const FOLDER: &str = "runs/x/journal/";

fn key(seq: u64) -> String {
    format!("{FOLDER}{seq:08}.json")
}

async fn writer(clock: &Clock) -> (Rc<Line>, ObjectJournal) {
    let line = Line::to(memory(clock), clock);
    let objects: Rc<dyn Objects> = line.clone();
    let taken = acquire(&objects, "runs/x/lease.json", clock, &who("laptop"), TERMS, false).await;
    let (lease, _) = taken.unwrap();
    let (folder, lease, clock) = (FOLDER.to_owned(), Rc::new(lease), clock.clone());
    (line, ObjectJournal { objects, folder, lease, clock })
}

/// The objects of a journal of three entries.
fn three(objects: &MemoryObjects) {
    for seq in 1..=3 {
        objects.overwrite(&key(seq), encode(&entry(seq, 1)).as_bytes());
    }
}

fn damaged(error: JournalError) -> (usize, String) {
    match error {
        JournalError::Damaged { line, why, .. } => (line, why),
        other => panic!("{other}"),
    }
}

#[tokio::test(start_paused = true)]
async fn each_entry_is_an_object_named_by_its_number_and_they_read_back_in_order() {
    let clock = clock();
    let (line, mut journal) = writer(&clock).await;
    assert_eq!(journal.epoch(), 1);
    journal.lease.raise(4).await.unwrap();
    assert_eq!(journal.epoch(), 4, "it is the lease's");
    let entries: Vec<Entry> = (1..=12).map(|seq| entry(seq, 4)).collect();
    for entry in &entries {
        journal.append(entry).await.unwrap();
        let found = line.inner.get(&key(entry.seq)).await.unwrap().expect("an object");
        assert_eq!(found.bytes, encode(entry).as_bytes());
    }
    assert_eq!(read(line.as_ref(), FOLDER).await.unwrap(), entries);
}

#[tokio::test(start_paused = true)]
async fn an_entry_whose_answer_was_lost_is_written_once_and_half_an_entry_is_written_over() {
    let clock = clock();
    let (line, mut journal) = writer(&clock).await;
    for class in [Class::Ambiguous, Class::Throttled, Class::Transient] {
        line.next(if class == Class::Ambiguous {
            Happens::AnswerLost
        } else {
            Happens::Fails(class)
        });
        journal.append(&entry(1, 1)).await.unwrap();
        assert_eq!(read(line.as_ref(), FOLDER).await.unwrap(), [entry(1, 1)]);
        line.inner.remove(&key(1));
    }
    let half = encode(&entry(1, 1))[..20].to_owned();
    line.inner.overwrite(&key(1), half.as_bytes());
    let before = line.written.get();
    journal.append(&entry(1, 1)).await.unwrap();
    assert_eq!(line.written.get() - before, 2, "refused, then under the tag of what is there");
    assert_eq!(read(line.as_ref(), FOLDER).await.unwrap(), [entry(1, 1)]);
}

#[tokio::test(start_paused = true)]
async fn an_entry_under_a_number_that_is_taken_ends_the_writer() {
    let clock = clock();
    for (there, epoch) in [(encode(&entry(1, 7)), 7), ("no entry\n".to_owned(), 0)] {
        let (line, mut journal) = writer(&clock).await;
        line.inner.overwrite(&key(1), there.as_bytes());
        for seq in [1, 2] {
            let error = journal.append(&entry(seq, 1)).await.unwrap_err();
            let JournalError::Lost { by, epoch: under } = error else { panic!("{error}") };
            assert_eq!((by.as_str(), under), ("another process", epoch));
        }
        assert!(journal.lease.check().is_err(), "nor may it change anything");
        assert_eq!(line.inner.get(&key(1)).await.unwrap().unwrap().bytes, there.as_bytes());
        assert_eq!(line.inner.get(&key(2)).await.unwrap(), None);
    }
}

#[tokio::test(start_paused = true)]
async fn an_entry_is_tried_for_ten_minutes_in_longer_and_longer_pauses() {
    let clock = clock();
    let (line, mut journal) = writer(&clock).await;
    line.dead.set(Some(Class::Transient));
    // So that one of the tries ends after ten minutes exactly.
    line.takes.set(Duration::from_millis(4_250));
    let began = clock.now();
    let first = entry(1, 1);
    let trying = journal.append(&first);
    let watching = async {
        clock.sleep(Duration::from_secs(4)).await;
        clock.sleep(Duration::from_millis(251)).await;
        line.takes.set(Duration::ZERO);
    };
    let (error, ()) = futures::join!(trying, watching);
    let error = error.unwrap_err();
    assert!(matches!(error, JournalError::Store(_) | JournalError::Lapsed(_)), "{error}");
    assert!(clock.since(began) > Duration::from_secs(600), "{:?}", clock.since(began));
    assert!(clock.since(began) < Duration::from_secs(620), "{:?}", clock.since(began));
    let tries = line.written.get();
    assert!((50..100).contains(&tries), "{tries} tries");
    // What does not pass is not tried again.
    line.dead.set(None);
    journal.lease.renew().await.unwrap();
    line.dead.set(Some(Class::Denied));
    let began = clock.now();
    let error = journal.append(&entry(1, 1)).await.unwrap_err();
    assert!(matches!(error, JournalError::Store(_)), "{error}");
    assert_eq!(clock.since(began), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn no_entry_is_written_after_the_lease_has_lapsed_until_it_is_renewed() {
    let clock = clock();
    let (line, mut journal) = writer(&clock).await;
    clock.sleep(Duration::from_secs(50)).await;
    line.next(Happens::Fails(Class::Transient));
    let began = clock.now();
    journal.append(&entry(1, 1)).await.unwrap();
    assert_eq!(clock.since(began), Duration::from_millis(250), "its renewal failed once");
    journal.lease.check().unwrap();
    assert_eq!(read(line.as_ref(), FOLDER).await.unwrap(), [entry(1, 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_last_object_that_is_half_an_entry_is_left_out_and_any_other_is_damage() {
    let objects = memory(&clock());
    let error = read(objects.as_ref(), FOLDER).await.unwrap_err();
    assert!(matches!(error, JournalError::Empty(_)), "{error}");
    three(&objects);
    let half = |seq: u64| encode(&entry(seq, 1))[..30].to_owned();
    objects.overwrite(&key(3), half(3).as_bytes());
    assert_eq!(read(objects.as_ref(), FOLDER).await.unwrap(), [entry(1, 1), entry(2, 1)]);
    objects.overwrite(&key(2), half(2).as_bytes());
    let error = read(objects.as_ref(), FOLDER).await.unwrap_err();
    assert_eq!(damaged(error), (2, "it is not one line of UTF-8".to_owned()));
    objects.remove(&key(3));
    objects.remove(&key(2));
    objects.overwrite(&key(1), half(1).as_bytes());
    let error = read(objects.as_ref(), FOLDER).await.unwrap_err();
    assert!(matches!(error, JournalError::Empty(_)), "{error}");
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_with_a_journal_of_objects_is_told_with_its_number() {
    let objects = memory(&clock());
    let told = async || damaged(read(objects.as_ref(), FOLDER).await.unwrap_err());
    for seq in 1..=2 {
        three(&objects);
        objects.remove(&key(seq));
        let next = seq + 1;
        let why = format!("it is missing; memory:{} comes next", key(next));
        assert_eq!(told().await, (usize::try_from(seq).unwrap(), why));
    }
    for seq in 1..=3 {
        let line = usize::try_from(seq).unwrap();
        three(&objects);
        objects.overwrite(&key(seq), encode(&entry(9, 1)).as_bytes());
        assert_eq!(told().await, (line, "it is numbered 9".to_owned()));
        let changed = encode(&entry(seq, 1)).replace("2026", "2027");
        objects.overwrite(&key(seq), changed.as_bytes());
        assert_eq!(told().await, (line, "its checksum does not match".to_owned()));
        objects.overwrite(&key(seq), b"\xff\n");
        assert_eq!(told().await, (line, "it is not one line of UTF-8".to_owned()));
    }
    three(&objects);
    let resumed = Record::Resumed { by: run().to_string() };
    let text = encode(&Entry { seq: 2, epoch: 1, at: at(), record: resumed });
    let rest = text.trim_end().split_once("\",").unwrap().1.replace("resumed", "teleported");
    let foreign = format!("{{\"crc\":\"{:08x}\",{rest}\n", crc32fast::hash(rest.as_bytes()));
    objects.overwrite(&key(2), foreign.as_bytes());
    let error = read(objects.as_ref(), FOLDER).await.unwrap_err();
    assert!(matches!(error, JournalError::Foreign { line: 2, .. }), "{error}");
}
