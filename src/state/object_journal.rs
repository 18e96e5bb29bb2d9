//! A journal of which each entry is an object of its own, named by the entry's number.
//!
//! The objects put one after the other are the file that a local journal is. One object an entry: a run has a hundred
//! entries over hours, an object is written by one request that either happens or does not, and the condition "nothing
//! is there yet" on the entry's number shuts out every other writer, whatever its clock says: who comes second finds the
//! number taken. Segments would save requests that cost next to nothing, and would have to be read, changed and written
//! anew under every entry.

use std::rc::Rc;
use std::time::Duration;

use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt};

use super::lease::{Lease, ObjectLease};
use super::objects::{Expect, Objects, Put};
use crate::engine::journal::{Entry, Journal, JournalError, Unreadable, decode, encode};
use crate::engine::{Clock, Failure};

/// How long an entry is tried to be written while the place does not answer. Nothing is changed meanwhile.
const PATIENCE: Duration = Duration::from_secs(600);
/// Between two tries: the first, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));
/// Objects read at a time.
const ABREAST: usize = 16;
/// Digits of an entry's number in its key: byte order is the order of numbers.
const DIGITS: usize = 8;

/// The writer of a journal of objects.
pub(super) struct ObjectJournal {
    pub(super) objects: Rc<dyn Objects>,
    /// Where its entries are: `runs/<run>/journal/`.
    pub(super) folder: String,
    pub(super) lease: Rc<ObjectLease>,
    pub(super) clock: Clock,
}

fn key(folder: &str, seq: u64) -> String {
    format!("{folder}{seq:0DIGITS$}.json")
}

#[async_trait(?Send)]
impl Journal for ObjectJournal {
    fn epoch(&self) -> u64 {
        self.lease.epoch()
    }

    async fn append(&mut self, entry: &Entry) -> Result<(), JournalError> {
        let line = encode(entry);
        let key = key(&self.folder, entry.seq);
        let mut expect = Expect::Absent;
        let began = self.clock.stopwatch();
        let mut pause = PAUSES.0;
        loop {
            let failed = match self.write(&key, &line, &mut expect).await {
                Ok(true) => return Ok(()),
                Ok(false) => continue,
                Err(JournalError::Store(failure)) if failure.class.may_pass() => {
                    JournalError::Store(failure)
                }
                Err(lapsed @ JournalError::Lapsed(_)) => lapsed,
                Err(other) => return Err(other),
            };
            if began.elapsed() > PATIENCE {
                return Err(failed);
            }
            self.clock.sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }
}

impl ObjectJournal {
    /// Tries once. `false`: what is there is half an entry, to be written over.
    async fn write(
        &self,
        key: &str,
        line: &str,
        expect: &mut Expect,
    ) -> Result<bool, JournalError> {
        // Whoever takes the run over reads the journal after the lease has ended: no entry may come later.
        if let Err(JournalError::Lapsed(_)) = self.lease.check() {
            self.lease.renew().await?;
        }
        self.lease.check()?;
        let put = self.objects.put(key, line.as_bytes().to_vec(), expect.clone()).await;
        match put.map_err(JournalError::Store)? {
            Put::Stored(_) => return Ok(true),
            Put::Refused => {}
        }
        let Some(found) = self.objects.get(key).await.map_err(JournalError::Store)? else {
            *expect = Expect::Absent;
            return Ok(false);
        };
        if found.bytes == line.as_bytes() {
            // Written by an earlier try whose answer was lost.
            return Ok(true);
        }
        if !found.bytes.ends_with(b"\n") {
            *expect = Expect::Tag(found.tag);
            return Ok(false);
        }
        let epoch = parse(self.objects.as_ref(), key, 0, &found.bytes).map_or(0, |e| e.epoch);
        self.lease.lose("another process".to_owned(), epoch);
        Err(JournalError::Lost { by: "another process".to_owned(), epoch })
    }
}

/// Reads a journal. A last object that is half an entry is left out, as a torn line of a file is.
///
/// # Errors
/// `Empty`, `Damaged`, `Foreign`, `Store`.
pub(super) async fn read(objects: &dyn Objects, folder: &str) -> Result<Vec<Entry>, JournalError> {
    let keys = objects.list(folder, None).await.map_err(JournalError::Store)?;
    let damaged = |line: usize, why: &str| JournalError::Damaged {
        path: objects.place(folder).into(),
        line,
        why: why.to_owned(),
    };
    for (index, found) in keys.iter().enumerate() {
        let seq = index as u64 + 1;
        if *found != key(folder, seq) {
            let why = format!("it is missing; {} comes next", objects.place(found));
            return Err(damaged(index + 1, &why));
        }
    }
    let bodies: Vec<Vec<u8>> = futures::stream::iter(&keys)
        .map(|key| async move {
            let found = objects.get(key).await?;
            found.map(|found| found.bytes).ok_or_else(|| {
                Failure::fatal(format!("{} was deleted a moment ago", objects.place(key)))
            })
        })
        .buffered(ABREAST)
        .try_collect()
        .await
        .map_err(JournalError::Store)?;
    let mut entries = Vec::new();
    for (index, (key, bytes)) in keys.iter().zip(&bodies).enumerate() {
        if index + 1 == keys.len() && !bytes.ends_with(b"\n") {
            break;
        }
        let entry = parse(objects, key, index + 1, bytes)?;
        if entry.seq != index as u64 + 1 {
            return Err(damaged(index + 1, &format!("it is numbered {}", entry.seq)));
        }
        entries.push(entry);
    }
    if entries.is_empty() {
        return Err(JournalError::Empty(objects.place(folder).into()));
    }
    Ok(entries)
}

fn parse(
    objects: &dyn Objects,
    key: &str,
    line: usize,
    bytes: &[u8],
) -> Result<Entry, JournalError> {
    let path = || objects.place(key).into();
    let text = std::str::from_utf8(bytes).ok().and_then(|text| text.strip_suffix('\n'));
    let Some(text) = text else {
        let why = "it is not one line of UTF-8".to_owned();
        return Err(JournalError::Damaged { path: path(), line, why });
    };
    decode(text).map_err(|why| match why {
        Unreadable::Damaged(why) => JournalError::Damaged { path: path(), line, why },
        Unreadable::Foreign(why) => JournalError::Foreign { path: path(), line, why },
    })
}
