//! Claims: one unfinished run to a cluster.

use std::time::Duration;

use super::{at, clock, entry, header, memory, other_run, run, store};
use crate::engine::journal::{Entry, JournalError, Record, Rest, RollbackReason, encode};
use crate::engine::{Failure, RunId};
use crate::state::{Claim, MemoryObjects, Objects, Store, claim, claimed, disclaim};

const KEY: &str = "clusters/123456789012/us-east-1/replication-group/prod.json";

fn wants(run: &RunId) -> Claim {
    Claim {
        run: run.clone(),
        playbook: "quickstart".to_owned(),
        by: "ops@host".to_owned(),
        at: at(),
        free: false,
    }
}

/// The journal of a run that did this after it began.
fn journal(objects: &MemoryObjects, records: Vec<Record>) {
    for (index, record) in [vec![header(&run())], records].concat().into_iter().enumerate() {
        let seq = index as u64 + 1;
        let key = format!("runs/{}/journal/{seq:08}.json", run());
        let entry = Entry { seq, epoch: 1, at: at(), record };
        objects.overwrite(&key, encode(&entry).as_bytes());
    }
}

fn back() -> Record {
    Record::RollbackStarted { reason: RollbackReason::Cancelled { by: "ops@host".to_owned() } }
}

#[tokio::test(start_paused = true)]
async fn a_claim_holds_others_up_until_its_run_is_finished_or_it_is_given_back() {
    let failure = Failure::fatal("no");
    for (records, holds) in [
        (vec![], true),
        (vec![Record::Interrupted { by: "SIGINT".to_owned() }], true),
        (vec![back()], true),
        (vec![Record::Rested(Rest::Succeeded)], false),
        (vec![back(), Record::Rested(Rest::RolledBack)], false),
        (vec![back(), Record::Rested(Rest::Cancelled)], false),
        // Taken up again after it was finished: whatever that is for.
        (vec![Record::Rested(Rest::Succeeded), Record::Resumed { by: "me".to_owned() }], true),
        // A journal that contradicts itself.
        (vec![Record::UndoFailed { step: "x".to_owned(), failure }], true),
    ] {
        let clock = clock();
        let objects = memory(&clock);
        let store = store(objects.clone(), &clock, "host");
        journal(&objects, records.clone());
        let (mine, theirs) = (wants(&run()), wants(&other_run()));
        assert_eq!(claimed(&store, KEY).await.unwrap(), None);
        assert_eq!(claim(&store, KEY, &mine).await.unwrap(), None);
        let there = holds.then_some(mine);
        assert_eq!(claimed(&store, KEY).await.unwrap(), there, "{records:?}");
        assert_eq!(claim(&store, KEY, &theirs).await.unwrap(), there, "{records:?}");
        let now: Claim =
            serde_json::from_slice(&objects.get(KEY).await.unwrap().unwrap().bytes).unwrap();
        assert_eq!(now.run, if holds { run() } else { other_run() }, "{records:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_claim_of_a_run_without_a_header_holds_others_up_while_somebody_works_on_it() {
    let clock = clock();
    let objects = memory(&clock);
    let store = store(objects.clone(), &clock, "host");
    let mine = wants(&run());
    claim(&store, KEY, &mine).await.unwrap();
    assert_eq!(claimed(&store, KEY).await.unwrap(), None, "it died before it began");
    let opened = store.create(&run()).await.unwrap();
    assert_eq!(claimed(&store, KEY).await.unwrap(), Some(mine.clone()), "it is about to begin");
    opened.lease.release().await.unwrap();
    assert_eq!(claimed(&store, KEY).await.unwrap(), None);
    // What cannot be read may be anything.
    let first = format!("runs/{}/journal/00000001.json", run());
    objects.overwrite(&first, b"damage\n");
    assert_eq!(claimed(&store, KEY).await.unwrap(), Some(mine.clone()));
    let line = encode(&entry(1, 1));
    let rest = line.trim_end().split_once("\",").unwrap().1;
    let rest = rest.replace("\"format\":1", "\"format\":9");
    let foreign = format!("{{\"crc\":\"{:08x}\",{rest}\n", crc32fast::hash(rest.as_bytes()));
    objects.overwrite(&first, foreign.as_bytes());
    assert_eq!(claimed(&store, KEY).await.unwrap(), Some(mine));
}

#[tokio::test(start_paused = true)]
async fn a_claim_is_given_back_by_its_own_run_and_may_be_made_again() {
    let clock = clock();
    let objects = memory(&clock);
    let store = store(objects.clone(), &clock, "host");
    // Both go on: what is said of claims follows from the claims alone.
    journal(&objects, vec![]);
    let opened = store.create(&other_run()).await.unwrap();
    let (mine, theirs) = (wants(&run()), wants(&other_run()));
    disclaim(&store, KEY, &run()).await.unwrap();
    assert_eq!(objects.get(KEY).await.unwrap(), None, "there was none");
    claim(&store, KEY, &mine).await.unwrap();
    let tag = async || objects.get(KEY).await.unwrap().unwrap().tag;
    let before = tag().await;
    clock.sleep(Duration::from_secs(1)).await;
    assert_eq!(claim(&store, KEY, &mine).await.unwrap(), None, "once more");
    disclaim(&store, KEY, &other_run()).await.unwrap();
    assert_eq!(tag().await, before, "neither writes anything");
    assert_eq!(claimed(&store, KEY).await.unwrap(), Some(mine.clone()));
    disclaim(&store, KEY, &run()).await.unwrap();
    assert_eq!(claimed(&store, KEY).await.unwrap(), None, "though it is not finished");
    let free = tag().await;
    disclaim(&store, KEY, &run()).await.unwrap();
    assert_eq!(tag().await, free, "it is free already");
    assert_eq!(claim(&store, KEY, &mine).await.unwrap(), None);
    assert_eq!(claimed(&store, KEY).await.unwrap(), Some(mine), "made again");
    disclaim(&store, KEY, &run()).await.unwrap();
    assert_eq!(claim(&store, KEY, &theirs).await.unwrap(), None, "free for another");
    assert_eq!(claimed(&store, KEY).await.unwrap(), Some(theirs));
    opened.lease.release().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_no_claim_is_named_and_not_written_over() {
    let clock = clock();
    let objects = memory(&clock);
    let store = store(objects.clone(), &clock, "host");
    objects.overwrite(KEY, b"who are you");
    let mine = wants(&run());
    for error in [
        claim(&store, KEY, &mine).await.map(drop),
        claimed(&store, KEY).await.map(drop),
        disclaim(&store, KEY, &run()).await,
    ] {
        let JournalError::Store(failure) = error.unwrap_err() else { panic!("another error") };
        assert_eq!(failure.message, format!("memory:{KEY} does not read back as a claim"));
    }
    assert_eq!(objects.get(KEY).await.unwrap().unwrap().bytes, b"who are you");
}
