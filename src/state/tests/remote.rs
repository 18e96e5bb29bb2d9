//! Runs kept as objects: where they are, who gets them, and how the process before is shut out.

use std::time::Duration;

use super::line::{Happens, Line};
use super::{LENGTH, clock, entry, memory, other_run, run, store};
use crate::engine::journal::{Entry, JournalError, Record, encode};
use crate::state::{MemoryObjects, Objects, Opened, Store};

fn key(seq: u64) -> String {
    format!("runs/{}/journal/{seq:08}.json", run())
}

async fn begin(store: &dyn Store, entries: u64) -> Opened {
    let mut opened = store.create(&run()).await.unwrap();
    for seq in 1..=entries {
        opened.journal.append(&entry(seq, 1)).await.unwrap();
    }
    opened
}

#[tokio::test(start_paused = true)]
async fn each_run_has_a_folder_of_its_own_and_a_person_finds_it() {
    let clock = clock();
    let objects = memory(&clock);
    let one = store(objects.clone(), &clock, "laptop");
    assert_eq!(one.root(), "memory:");
    assert_eq!(one.journal(&run()), format!("memory:runs/{}/journal/", run()));
    assert_eq!(one.runs().await.unwrap(), []);
    let opened = begin(&one, 2).await;
    one.create(&other_run()).await.unwrap();
    assert_eq!(one.runs().await.unwrap(), [run(), other_run()]);
    let keys = objects.list("", None).await.unwrap();
    let [run, other] = [run(), other_run()];
    let expected = [
        format!("runs/{run}/journal/00000001.json"),
        format!("runs/{run}/journal/00000002.json"),
        format!("runs/{run}/lease.json"),
        format!("runs/{other}/lease.json"),
    ];
    assert_eq!(keys, expected);
    let loaded = store(objects, &clock, "ci").load(&run).await.unwrap();
    assert_eq!(loaded.entries, [entry(1, 1), entry(2, 1)]);
    let holder = loaded.holder.expect("somebody works on it");
    assert_eq!(
        (holder.who.as_str(), holder.ends_in),
        ("ops@laptop", Some(LENGTH + Duration::from_secs(2)))
    );
    opened.lease.release().await.unwrap();
    assert_eq!(one.holder(&run).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn a_run_is_begun_once_and_whoever_is_refused_lets_go_again() {
    let clock = clock();
    let objects = memory(&clock);
    let (one, two) = (store(objects.clone(), &clock, "one"), store(objects.clone(), &clock, "two"));
    let opened = begin(&one, 1).await;
    assert!(matches!(two.create(&run()).await, Err(JournalError::Held { .. })));
    assert!(matches!(two.open(&run()).await, Err(JournalError::Held { .. })));
    opened.lease.release().await.unwrap();
    let Err(JournalError::Io(there)) = two.create(&run()).await else { panic!("it is there") };
    assert_eq!(there.kind(), std::io::ErrorKind::AlreadyExists);
    assert_eq!(one.holder(&run()).await.unwrap(), None);
    objects.overwrite(&key(1), b"damage\n");
    assert!(matches!(two.open(&run()).await, Err(JournalError::Damaged { line: 1, .. })));
    assert_eq!(one.holder(&run()).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn whoever_takes_a_run_over_writes_it_down_under_a_higher_epoch() {
    let clock = clock();
    let objects = memory(&clock);
    let (one, two) = (store(objects.clone(), &clock, "one"), store(objects.clone(), &clock, "two"));
    let mut old = begin(&one, 2).await;
    clock.sleep(LENGTH + Duration::from_secs(2)).await;
    let new = two.open(&run()).await.unwrap();
    let over = |by: &str, held_by: &str, comment: Option<&str>| Record::TakenOver {
        by: by.to_owned(),
        held_by: held_by.to_owned(),
        comment: comment.map(str::to_owned),
    };
    let record = over("ops@two", "ops@one", None);
    let third = Entry { seq: 3, epoch: 2, at: clock.now(), record };
    assert_eq!(new.entries, [entry(1, 1), entry(2, 1), third.clone()]);
    assert_eq!((new.journal.epoch(), new.lease.epoch()), (2, 2));
    let error = old.journal.append(&entry(3, 1)).await.unwrap_err();
    assert!(matches!(error, JournalError::Lost { .. }), "{error}");
    // By force, with the words of whoever did it.
    let broken = one.unlock(&run(), "it fell into the sea").await.unwrap().expect("it was held");
    let record = over("ops@one", "ops@two", Some("it fell into the sea"));
    let fourth = Entry { seq: 4, epoch: 3, at: clock.now(), record };
    assert_eq!(broken.entries, [entry(1, 1), entry(2, 1), third, fourth]);
    assert_eq!(two.load(&run()).await.unwrap().entries, broken.entries);
    broken.lease.release().await.unwrap();
    assert!(one.unlock(&run(), "again").await.unwrap().is_none(), "nobody has it");
    // Given up is not taken over: nothing is written.
    let last = two.open(&run()).await.unwrap();
    assert_eq!((last.entries.len(), last.journal.epoch()), (4, 4));
}

#[tokio::test(start_paused = true)]
async fn an_epoch_is_above_that_of_the_last_entry_whatever_the_lease_says() {
    for (epoch, next) in [(1, 2), (2, 3), (7, 8)] {
        let clock = clock();
        let objects = memory(&clock);
        objects.overwrite(&key(1), encode(&entry(1, epoch)).as_bytes());
        // The lease is gone: a new one would begin at 1.
        let opened = store(objects, &clock, "ci").open(&run()).await.unwrap();
        assert_eq!((opened.journal.epoch(), opened.lease.epoch()), (next, next));
    }
}

/// Before each of the next `times` writings of an entry, somebody else writes one under this epoch.
fn late(line: &Line, times: u64, epoch: u64) {
    // The lease itself is written first, and once more where its epoch is raised.
    line.next(Happens::Arrives);
    for seq in 3..3 + times {
        let writes = move |objects: &MemoryObjects| {
            objects.overwrite(&key(seq), encode(&entry(seq, epoch)).as_bytes());
        };
        line.next(Happens::After(Box::new(writes)));
    }
}

#[tokio::test(start_paused = true)]
async fn late_entries_of_the_process_before_count_and_those_of_another_shut_this_one_out() {
    // How many come late, and under which epoch; this process has the second one.
    for (times, epoch, goes_on) in
        [(1, 1, true), (3, 1, true), (4, 1, false), (1, 2, false), (1, 3, false)]
    {
        let clock = clock();
        let line = Line::to(memory(&clock), &clock);
        let _dead = begin(&store(line.inner.clone(), &clock, "laptop"), 2).await;
        clock.sleep(LENGTH + Duration::from_secs(2)).await;
        late(&line, times, epoch);
        let opened = store(line.clone(), &clock, "ci").open(&run()).await;
        if goes_on {
            let opened = opened.unwrap();
            let numbers: Vec<u64> = opened.entries.iter().map(|entry| entry.seq).collect();
            assert_eq!(numbers, (1..=3 + times).collect::<Vec<u64>>(), "{times} late ones");
            opened.lease.check().unwrap();
            assert_eq!(opened.lease.epoch(), 2);
        } else {
            let error = opened.err().expect("it is shut out");
            assert!(matches!(error, JournalError::Lost { .. }), "{times} under {epoch}: {error}");
        }
    }
}
