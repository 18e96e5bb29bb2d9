//! The suite: each test runs on every place.

use orchestrate::engine::journal::JournalError;
use orchestrate::engine::{Asked, RunId, Wanted};
use orchestrate::state::{Claim, Opened, ask, claim, disclaim, wanted};
use serde_json::Map;

use super::places::{Place, entry, run};
use crate::world::{compiled, virtually};

/// Runs a test on every place, each on a clock of its own.
fn everywhere(test: impl AsyncFn(&Place)) {
    virtually(async { test(&Place::directory()).await });
    virtually(async { test(&Place::memory()).await });
    virtually(async { test(&Place::s3().await).await });
}

/// Begins the run in a process of its own, and writes `entries` of it.
async fn begun(place: &Place, entries: u64) -> Opened {
    let plan = compiled("quickstart", Map::new());
    let mut opened = place.process().create(&run()).await.expect("a new run");
    assert_eq!(opened.entries.len(), 0);
    for seq in 1..=entries {
        let epoch = opened.journal.epoch();
        opened.journal.append(&entry(seq, epoch, &plan)).await.expect("written");
    }
    opened
}

#[test]
fn what_was_written_is_read_by_everybody_and_taken_up_under_a_higher_epoch() {
    everywhere(async |place| {
        let plan = compiled("quickstart", Map::new());
        let first = begun(place, 3).await;
        assert_eq!((first.journal.epoch(), first.lease.epoch()), (1, 1));
        let reader = place.process();
        assert_eq!(reader.runs().await.expect("a list"), [run()]);
        let loaded = reader.load(&run()).await.expect("reads");
        let expected: Vec<_> = (1..=3).map(|seq| entry(seq, 1, &plan)).collect();
        assert_eq!(loaded.entries, expected);
        assert!(loaded.holder.is_some(), "somebody works on it");
        first.lease.release().await.expect("given up");
        drop(first);
        assert!(reader.load(&run()).await.expect("reads").holder.is_none());
        let mut second = place.process().open(&run()).await.expect("nobody has it");
        assert_eq!(second.entries, expected);
        assert_eq!(second.journal.epoch(), 2, "under a higher epoch");
        second.journal.append(&entry(4, 2, &plan)).await.expect("goes on");
        let last = reader.load(&run()).await.expect("reads").entries.pop().expect("entries");
        assert_eq!((last.seq, last.epoch), (4, 2));
    });
}

#[test]
fn a_run_that_somebody_works_on_is_not_given_to_another() {
    everywhere(async |place| {
        let first = begun(place, 1).await;
        let refused = place.process().open(&run()).await.err().expect("it is refused");
        assert!(matches!(refused, JournalError::Locked | JournalError::Held { .. }), "{refused}");
        assert!(place.process().create(&run()).await.is_err(), "a run is never begun twice");
        first.lease.release().await.expect("given up");
        drop(first);
        assert!(place.process().create(&run()).await.is_err(), "nor when it lies there");
        let second = place.process().open(&run()).await.expect("free again");
        assert_eq!(second.entries.len(), 1);
    });
}

#[test]
fn an_entry_may_be_written_twice_and_counts_once() {
    everywhere(async |place| {
        let plan = compiled("quickstart", Map::new());
        let mut opened = begun(place, 2).await;
        opened.journal.append(&entry(2, 1, &plan)).await.expect("the same again");
        opened.journal.append(&entry(3, 1, &plan)).await.expect("and on");
        let loaded = place.process().load(&run()).await.expect("reads");
        let numbers: Vec<u64> = loaded.entries.iter().map(|entry| entry.seq).collect();
        assert_eq!(numbers, [1, 2, 3]);
    });
}

#[test]
fn a_torn_end_is_cut_off_and_written_over() {
    everywhere(async |place| {
        let plan = compiled("quickstart", Map::new());
        let opened = begun(place, 3).await;
        opened.lease.release().await.expect("given up");
        drop(opened);
        place.damage(3, |line| Some(line[..line.len() / 2].to_owned())).await;
        assert_eq!(place.process().load(&run()).await.expect("reads").entries.len(), 2);
        let mut opened = place.process().open(&run()).await.expect("opens");
        assert_eq!(opened.entries.len(), 2);
        let next = entry(3, opened.journal.epoch(), &plan);
        opened.journal.append(&next).await.expect("written over");
        let loaded = place.process().load(&run()).await.expect("reads");
        assert_eq!(loaded.entries.last(), Some(&next));
    });
}

#[test]
fn a_damaged_middle_is_refused_and_named() {
    everywhere(async |place| {
        let opened = begun(place, 4).await;
        opened.lease.release().await.expect("given up");
        drop(opened);
        place.damage(2, |line| Some(line.replace("number 2", "number 7"))).await;
        for error in [
            place.process().load(&run()).await.expect_err("it is refused"),
            place.process().open(&run()).await.err().expect("it is refused"),
        ] {
            let JournalError::Damaged { line, why, .. } = &error else { panic!("{error}") };
            assert_eq!((*line, why.as_str()), (2, "its checksum does not match"));
        }
        // Whoever was refused has let go again.
        assert!(place.process().holder(&run()).await.expect("reads").is_none());
    });
}

#[test]
fn an_entry_that_is_missing_in_the_middle_is_damage() {
    everywhere(async |place| {
        let opened = begun(place, 4).await;
        opened.lease.release().await.expect("given up");
        drop(opened);
        place.damage(3, |_| None).await;
        let error = place.process().load(&run()).await.expect_err("it is refused");
        assert!(matches!(error, JournalError::Damaged { line: 3, .. }), "{error}");
    });
}

#[test]
fn a_run_that_died_before_its_header_is_empty() {
    everywhere(async |place| {
        let opened = begun(place, 0).await;
        let error = place.process().load(&run()).await.expect_err("nothing to read");
        assert!(matches!(error, JournalError::Empty(_)), "{error}");
        opened.lease.release().await.expect("given up");
        drop(opened);
        let error = place.process().open(&run()).await.err().expect("nothing to go on with");
        assert!(matches!(error, JournalError::Empty(_)), "{error}");
        let unknown: RunId = "01h3kq7xw3".parse().expect("a run id");
        assert!(matches!(place.process().open(&unknown).await.err(), Some(JournalError::Empty(_))));
    });
}

#[test]
fn what_is_asked_of_a_run_is_read_by_everybody_and_no_ask_undoes_another() {
    everywhere(async |place| {
        let (one, two) = (place.process(), place.process());
        let nothing = wanted(one.objects(), &run()).await.expect("reads");
        assert_eq!(nothing, Wanted::default());
        let asked = |by: &str| Asked {
            by: by.to_owned(),
            at: place.clock.now(),
            comment: Some("the database is slow".to_owned()),
        };
        let (pause, hold, run) = (asked("a@one"), asked("b@two"), run());
        let (pausing, holding) = futures::join!(
            ask(one.objects(), &run, |wanted| wanted.pause = Some(pause.clone())),
            ask(two.objects(), &run, |wanted| {
                wanted.holds.insert("switch".to_owned(), hold.clone());
            }),
        );
        pausing.expect("asked");
        holding.expect("asked");
        let both = wanted(place.process().objects(), &run).await.expect("reads");
        assert_eq!((both.pause, both.holds.get("switch")), (Some(pause), Some(&hold)));
    });
}

#[test]
fn a_cluster_is_claimed_by_one_unfinished_run_at_a_time() {
    everywhere(async |place| {
        let key = "clusters/123456789012/us-east-1/replication-group/prod.json";
        let other: RunId = "01h3kq7xw9".parse().expect("a run id");
        let claims = |run: &RunId| Claim {
            run: run.clone(),
            playbook: "quickstart".to_owned(),
            by: "ops@host".to_owned(),
            at: place.clock.now(),
            free: false,
        };
        let opened = begun(place, 2).await;
        let (one, two) = (place.process(), place.process());
        let (mine, theirs) = (claims(&run()), claims(&other));
        assert_eq!(claim(one.as_ref(), key, &mine).await.expect("asked"), None);
        assert_eq!(claim(one.as_ref(), key, &mine).await.expect("asked"), None, "once more");
        let refused = claim(two.as_ref(), key, &theirs).await.expect("asked");
        assert_eq!(refused, Some(mine.clone()), "the one in the way is named");
        // It stopped: it will go on or back.
        opened.lease.release().await.expect("given up");
        drop(opened);
        assert_eq!(claim(two.as_ref(), key, &theirs).await.expect("asked"), Some(mine));
        disclaim(two.as_ref(), key, &other).await.expect("asked");
        assert!(claim(two.as_ref(), key, &theirs).await.expect("asked").is_some(), "not its own");
        disclaim(one.as_ref(), key, &run()).await.expect("given back");
        assert_eq!(claim(two.as_ref(), key, &theirs).await.expect("asked"), None);
    });
}
