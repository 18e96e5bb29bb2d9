//! Objects in memory stand in for S3 in many tests: they must keep to what S3 does.

use std::time::Duration;

use super::{clock, memory};
use crate::state::{Expect, Objects, Put};

fn stored(put: Put) -> String {
    match put {
        Put::Stored(tag) => tag,
        Put::Refused => panic!("it was refused"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_to_memory_happens_under_its_condition_and_names_itself() {
    let clock = clock();
    let objects = memory(&clock);
    assert_eq!(objects.place("a/b"), "memory:a/b");
    assert_eq!(objects.get("a").await, Ok(None));
    let put = async |bytes: &[u8], expect: Expect| {
        objects.put("a", bytes.to_vec(), expect).await.unwrap()
    };
    assert_eq!(put(b"x", Expect::Tag("1".to_owned())).await, Put::Refused, "nothing is there");
    let first = stored(put(b"x", Expect::Absent).await);
    assert_eq!(put(b"y", Expect::Absent).await, Put::Refused, "something is there");
    let second = stored(put(b"x", Expect::Tag(first.clone())).await);
    assert_ne!(first, second, "each writing has a tag of its own");
    assert_eq!(put(b"y", Expect::Tag(first)).await, Put::Refused, "it was written over");
    clock.sleep(Duration::from_secs(7)).await;
    let found = objects.get("a").await.unwrap().unwrap();
    assert_eq!((found.bytes.as_slice(), &found.tag), (&b"x"[..], &second));
    assert_eq!(found.age, Some(Duration::from_secs(7)));
    objects.overwrite("a", b"damage");
    let found = objects.get("a").await.unwrap().unwrap();
    assert_eq!((found.bytes.as_slice(), found.age), (&b"damage"[..], Some(Duration::ZERO)));
    assert_ne!(found.tag, second);
    objects.remove("a");
    assert_eq!(objects.get("a").await, Ok(None));
}

#[tokio::test(start_paused = true)]
async fn keys_in_memory_are_listed_in_order_and_cut_at_the_delimiter() {
    let objects = memory(&clock());
    for key in ["runs/one/b", "runs/one/a", "runs/two/a", "run", "claims/x"] {
        objects.overwrite(key, b"x");
    }
    let list = async |prefix: &str, delimiter| objects.list(prefix, delimiter).await.unwrap();
    assert_eq!(list("runs/", Some('/')).await, ["runs/one/", "runs/two/"]);
    assert_eq!(list("runs/", None).await, ["runs/one/a", "runs/one/b", "runs/two/a"]);
    assert_eq!(list("runs/one/", Some('/')).await, ["runs/one/a", "runs/one/b"]);
    assert_eq!(list("nothing", None).await, Vec::<String>::new());
}
