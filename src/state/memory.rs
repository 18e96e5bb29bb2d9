//! Objects in memory: for tests, and for runs that nobody has to find again.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use async_trait::async_trait;
use jiff::Timestamp;

use super::objects::{Expect, Found, Objects, Put};
use crate::engine::{Clock, Failure};

/// Objects in memory, shared by every clone.
#[derive(Clone)]
pub struct MemoryObjects {
    clock: Clock,
    kept: Rc<RefCell<Kept>>,
}

#[derive(Default)]
struct Kept {
    /// Bytes, the number of their writing, and when that was.
    objects: BTreeMap<String, (Vec<u8>, u64, Timestamp)>,
    writings: u64,
}

impl MemoryObjects {
    /// Nothing yet.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { clock, kept: Rc::default() }
    }

    /// Puts bytes there whatever is there: for tests that damage something.
    pub fn overwrite(&self, key: &str, bytes: &[u8]) {
        let mut kept = self.kept.borrow_mut();
        kept.writings += 1;
        let writing = (bytes.to_vec(), kept.writings, self.clock.now());
        kept.objects.insert(key.to_owned(), writing);
    }

    /// Takes an object away.
    pub fn remove(&self, key: &str) {
        self.kept.borrow_mut().objects.remove(key);
    }
}

#[async_trait(?Send)]
impl Objects for MemoryObjects {
    fn place(&self, key: &str) -> String {
        format!("memory:{key}")
    }

    async fn get(&self, key: &str) -> Result<Option<Found>, Failure> {
        let kept = self.kept.borrow();
        Ok(kept.objects.get(key).map(|(bytes, writing, at)| Found {
            bytes: bytes.clone(),
            tag: writing.to_string(),
            age: Some(self.clock.since(*at)),
        }))
    }

    async fn put(&self, key: &str, bytes: Vec<u8>, expect: Expect) -> Result<Put, Failure> {
        let there = self.kept.borrow().objects.get(key).map(|(_, writing, _)| writing.to_string());
        let as_expected = match &expect {
            Expect::Absent => there.is_none(),
            Expect::Tag(tag) => there.as_ref() == Some(tag),
        };
        if !as_expected {
            return Ok(Put::Refused);
        }
        self.overwrite(key, &bytes);
        Ok(Put::Stored(self.kept.borrow().writings.to_string()))
    }

    async fn list(&self, prefix: &str, delimiter: Option<char>) -> Result<Vec<String>, Failure> {
        let kept = self.kept.borrow();
        let keys = kept.objects.keys().filter(|key| key.starts_with(prefix));
        let cut = |key: &String| {
            let end = delimiter.and_then(|delimiter| key[prefix.len()..].find(delimiter));
            end.map_or(key.clone(), |end| key[..=prefix.len() + end].to_owned())
        };
        Ok(keys.map(cut).collect::<BTreeSet<String>>().into_iter().collect())
    }
}
