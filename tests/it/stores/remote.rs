//! What somebody meets who sets a bucket up, and journals of objects that somebody has touched.

use std::rc::Rc;

use orchestrate::engine::Class;
use orchestrate::engine::journal::JournalError;
use orchestrate::state::{Bucket, LeaseTerms, MemoryObjects, Objects, Remote, Store, Who};
use serde_json::Map;

use super::places::{Place, bucket, entry, run};
use crate::world::{compiled, virtually};

#[test]
fn a_bucket_that_is_missing_or_elsewhere_is_refused_in_clear_words() {
    virtually(async {
        let clock = Place::memory().clock;
        for (name, region, word) in [
            ("acme-other", "us-east-1", "create bucket \"acme-other\""),
            ("acme-orchestrate", "eu-west-1", "?region="),
        ] {
            let objects = bucket(&clock, name, region).await;
            let list = objects.list("runs/", Some('/')).await.err();
            let put = objects.put("x", Vec::new(), orchestrate::state::Expect::Absent).await.err();
            for failure in [objects.get("x").await.err(), list, put] {
                let failure = failure.expect("it cannot be used");
                assert!(!failure.class.may_pass(), "{failure}");
                assert!(failure.message.contains(&format!("s3://{name}/team/a")), "{failure}");
                let mend = failure.mend.clone().expect("what to do");
                assert!(mend.contains(word), "{mend}");
            }
        }
        let fine = bucket(&clock, "acme-orchestrate", "us-east-1").await;
        assert_eq!(fine.get("x").await.expect("it can be read"), None);
    });
}

#[test]
fn a_journal_without_one_of_its_objects_is_damaged() {
    virtually(async {
        let clock = Place::memory().clock;
        let objects = MemoryObjects::new(clock.clone());
        let who = Who { name: "ops@host".to_owned(), token: "one".to_owned() };
        let store = Remote::new(Rc::new(objects.clone()), clock, who, LeaseTerms::default());
        let plan = compiled("quickstart", Map::new());
        let mut opened = store.create(&run()).await.expect("a new run");
        for seq in 1..=3 {
            opened.journal.append(&entry(seq, 1, &plan)).await.expect("written");
        }
        objects.remove(&format!("runs/{}/journal/00000002.json", run()));
        let error = store.load(&run()).await.expect_err("it is refused");
        let JournalError::Damaged { line: 2, why, .. } = &error else { panic!("{error}") };
        assert!(why.contains("missing"), "{why}");
    });
}

#[test]
fn a_lease_that_is_no_lease_is_not_written_over() {
    virtually(async {
        let clock = Place::memory().clock;
        let objects = MemoryObjects::new(clock.clone());
        let key = format!("runs/{}/lease.json", run());
        objects.overwrite(&key, b"who are you");
        let who = Who { name: "ops@host".to_owned(), token: "one".to_owned() };
        let store = Remote::new(Rc::new(objects.clone()), clock, who, LeaseTerms::default());
        let Some(JournalError::Store(failure)) = store.create(&run()).await.err() else {
            panic!("it must be refused")
        };
        assert_eq!(failure.class, Class::Fatal);
        assert!(failure.message.contains("does not read back as a lease"), "{failure}");
        let there = objects.get(&key).await.expect("reads").expect("there");
        assert_eq!(there.bytes, b"who are you");
    });
}

#[test]
fn where_the_state_is_is_read_from_a_url() {
    let parsed = Bucket::parse("s3://acme-state/team/a/?region=eu-west-1").expect("a URL");
    let expected = Bucket {
        name: "acme-state".to_owned(),
        prefix: "team/a/".to_owned(),
        region: Some("eu-west-1".to_owned()),
    };
    assert_eq!(parsed, expected);
    assert_eq!(parsed.to_string(), "s3://acme-state/team/a?region=eu-west-1");
    assert_eq!(Bucket::parse("s3://acme-state").expect("a URL").prefix, "");
    for wrong in ["https://acme", "s3://", "s3://ACME/x", "s3://acme?zone=1", "s3://acme?region="] {
        assert!(Bucket::parse(wrong).is_err(), "{wrong}");
    }
}
