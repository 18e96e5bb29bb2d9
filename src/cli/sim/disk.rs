//! The place where one simulated run is kept. A state directory: the bytes of its journal, and which process holds it. Or a
//! bucket that machines share: its objects (`bucket` is the way to them).
//!
//! It does in memory what the journal file does on a disk: a line counts once it is whole and synced, a torn tail is cut by
//! the next writer, one process writes at a time. Processes reach it by `create`, `open` and `read` alone.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::Flaw;
use super::bucket::Object;
use super::life::{Life, Write};
use crate::engine::Clock;
use crate::engine::journal::{Entry, Journal, JournalError, encode, parse};
use crate::state::{Expect, Found, Put};

/// What a write meets while the disk is in trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// It fails, and leaves nothing.
    Full,
    /// It fails half way, and what it left cannot be taken back.
    Torn,
    /// The line is whole, its sync fails, and it cannot be taken back.
    Unsynced,
    /// Neither reading for a writer nor writing works.
    ReadOnly,
}

#[derive(Debug, Default)]
struct State {
    /// The file; none before its creation.
    bytes: Option<Vec<u8>>,
    /// How much of it is whole, synced lines.
    durable: usize,
    holder: Option<u32>,
    trouble: Option<Trouble>,
    /// What is in the bucket.
    objects: BTreeMap<String, Object>,
    writings: u64,
}

/// A clone is another handle on the same disk.
#[derive(Clone, Debug)]
pub(super) struct Disk {
    state: Arc<Mutex<State>>,
    flaw: Option<Flaw>,
    /// The clock of the bucket, if it is one.
    bucket: Option<Clock>,
}

impl Disk {
    pub(super) fn new(flaw: Option<Flaw>) -> Self {
        Self { state: Arc::default(), flaw, bucket: None }
    }

    /// A bucket with a clock of its own.
    pub(super) fn bucket(clock: Clock, flaw: Option<Flaw>) -> Self {
        Self { state: Arc::default(), flaw, bucket: Some(clock) }
    }

    pub(super) fn is_bucket(&self) -> bool {
        self.bucket.is_some()
    }

    pub(super) fn flaw(&self) -> Option<Flaw> {
        self.flaw
    }

    /// An object, and its age as S3 tells it: the difference of two instants in whole seconds.
    pub(super) fn object(&self, key: &str) -> Option<Found> {
        let now = self.bucket.as_ref()?.now().as_second();
        let state = self.state();
        state.objects.get(key).map(|(bytes, writing, at)| {
            let age = u64::try_from(now - at.as_second()).unwrap_or_default();
            let (bytes, tag) = (bytes.clone(), writing.to_string());
            Found { bytes, tag, age: Some(Duration::from_secs(age)) }
        })
    }

    pub(super) fn objects(&self, prefix: &str) -> Vec<String> {
        self.state().objects.keys().filter(|key| key.starts_with(prefix)).cloned().collect()
    }

    /// Writes an object if what is there is as expected.
    pub(super) fn write_object(&self, key: &str, bytes: Vec<u8>, expect: &Expect) -> Put {
        let Some(clock) = &self.bucket else { return Put::Refused };
        let mut state = self.state();
        let there = state.objects.get(key).map(|(_, writing, _)| writing.to_string());
        let as_expected = match expect {
            Expect::Absent => there.is_none(),
            Expect::Tag(tag) => there.as_ref() == Some(tag),
        };
        if !as_expected {
            return Put::Refused;
        }
        state.writings += 1;
        let writing = state.writings;
        state.objects.insert(key.to_owned(), (bytes, writing, clock.now()));
        Put::Stored(writing.to_string())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The journal of a new run. A file without a whole first line is what a process left that died before it began.
    pub(super) fn create(&self, life: &Arc<Life>) -> Result<DiskJournal, JournalError> {
        let mut state = self.state();
        self.lock(&mut state, life)?;
        (state.bytes, state.durable) = (Some(Vec::new()), 0);
        Ok(self.journal(life))
    }

    fn journal(&self, life: &Arc<Life>) -> DiskJournal {
        let (disk, life) = (self.clone(), Arc::clone(life));
        DiskJournal { disk, life, epoch: 1, last: String::new(), failed: false }
    }

    /// The journal of a run, to go on with it, and what it holds.
    pub(super) fn open(&self, life: &Arc<Life>) -> Result<(DiskJournal, Vec<Entry>), JournalError> {
        let mut state = self.state();
        self.lock(&mut state, life)?;
        // Let go of again if what it holds does not read back.
        let mut journal = self.journal(life);
        let reading = parse(Path::new("journal"), state.bytes.as_deref().unwrap_or_default());
        let sound = reading.as_ref().map_or(0, |reading| reading.sound_bytes);
        if reading.is_ok() {
            let sound = usize::try_from(sound).unwrap_or(usize::MAX);
            if let Some(bytes) = &mut state.bytes {
                bytes.truncate(sound);
            }
            state.durable = sound;
        }
        drop(state);
        let entries = reading?.entries;
        journal.epoch = entries.last().map_or(0, |entry| entry.epoch) + 1;
        Ok((journal, entries))
    }

    fn lock(&self, state: &mut State, life: &Life) -> Result<(), JournalError> {
        if state.trouble == Some(Trouble::ReadOnly) {
            return Err(JournalError::Io(io::Error::other("read-only file system")));
        }
        if state.holder.is_some() && self.flaw != Some(Flaw::NoLock) {
            return Err(JournalError::Locked);
        }
        state.holder = Some(life.id);
        Ok(())
    }

    /// What the run's journal holds, without locking it.
    pub(super) fn read(&self) -> Result<Vec<Entry>, JournalError> {
        parse(Path::new("journal"), &self.bytes()).map(|reading| reading.entries)
    }

    /// The bytes of the file, or of the objects that stand for it, one after the other.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let state = self.state();
        if self.is_bucket() {
            let entries = state.objects.iter().filter(|(key, _)| key.contains("/journal/"));
            return entries.flat_map(|(_, (bytes, ..))| bytes.iter().copied()).collect();
        }
        state.bytes.clone().unwrap_or_default()
    }

    /// How many bytes of the file would survive a power cut, as whole lines.
    pub(super) fn durable(&self) -> usize {
        let state = self.state();
        if self.is_bucket() {
            let entries = state.objects.iter().filter(|(key, _)| key.contains("/journal/"));
            return entries.map(|(_, (bytes, ..))| bytes.len()).sum();
        }
        state.durable
    }

    /// From now on, or no longer.
    pub(super) fn trouble(&self, trouble: Option<Trouble>) {
        self.state().trouble = trouble;
    }

    pub(super) fn troubles(&self) -> Option<Trouble> {
        self.state().trouble
    }

    pub(super) fn troubled(&self) -> bool {
        self.troubles().is_some()
    }
}

/// The one writer of a simulated journal.
pub(super) struct DiskJournal {
    disk: Disk,
    life: Arc<Life>,
    epoch: u64,
    /// The last line that this writer wrote.
    last: String,
    failed: bool,
}

impl Drop for DiskJournal {
    fn drop(&mut self) {
        let mut state = self.disk.state();
        if state.holder == Some(self.life.id) {
            state.holder = None;
        }
        if self.disk.flaw == Some(Flaw::NoSync) && self.life.is_dead() {
            let durable = state.durable;
            if let Some(bytes) = &mut state.bytes {
                bytes.truncate(durable);
            }
        }
    }
}

#[async_trait(?Send)]
impl Journal for DiskJournal {
    fn epoch(&self) -> u64 {
        self.epoch
    }

    async fn append(&mut self, entry: &Entry) -> Result<(), JournalError> {
        if self.life.is_dead() {
            return Err(JournalError::Dead);
        }
        let failed = |why: &'static str| Err(JournalError::Io(io::Error::other(why)));
        if self.failed {
            return failed("an earlier write failed");
        }
        let line = encode(entry);
        if line == self.last {
            return Ok(());
        }
        let mut state = self.disk.state();
        if let Some(trouble) = self.life.trouble_of_next_write() {
            state.trouble = Some(trouble);
        }
        let trouble = state.trouble;
        let death = self.life.writing();
        let Some(bytes) = &mut state.bytes else { return failed("the file is gone") };
        if let Some(trouble) = trouble {
            self.failed = true;
            match trouble {
                Trouble::Full | Trouble::ReadOnly => {}
                Trouble::Torn => bytes.extend_from_slice(&line.as_bytes()[..line.len() / 2]),
                Trouble::Unsynced => bytes.extend_from_slice(line.as_bytes()),
            }
            return failed("no space left on device");
        }
        let cut = match death {
            Some(Write::Before) => 0,
            Some(Write::Torn(share)) => line.len().saturating_sub(1) * usize::from(share) / 256,
            Some(Write::After) | None => line.len(),
        };
        bytes.extend_from_slice(&line.as_bytes()[..cut]);
        let synced = self.disk.flaw != Some(Flaw::NoSync) || entry.seq.is_multiple_of(4);
        if cut == line.len() && synced {
            state.durable = state.bytes.as_ref().map_or(0, Vec::len);
        }
        match death {
            Some(_) => {
                self.life.kill();
                Err(JournalError::Dead)
            }
            None => {
                drop(state);
                self.last = line;
                Ok(())
            }
        }
    }
}
