//! Runs kept in a local directory: `runs/<run>/journal.jsonl`, and small files beside.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use async_trait::async_trait;
use fs_err::{File, OpenOptions};
use sha2::{Digest, Sha256};

use super::lease::Lease;
use super::objects::{Expect, Found, Objects, Put};
use super::store::{Holder, Loaded, Opened, Store};
use crate::engine::journal::{FileJournal, Journal, JournalError, folders_to_sync, read};
use crate::engine::{Class, Failure, RunId};

/// Runs kept in a local directory. The lock on a run is a lock on its journal: it dies with its process, so that there is
/// nothing to break and no lease to renew.
#[derive(Clone, Debug)]
pub struct Directory {
    files: Files,
}

/// The small files: written under a lock on the whole directory, and put in place by a rename.
#[derive(Clone, Debug)]
struct Files {
    root: PathBuf,
}

struct ProcessLease {
    epoch: u64,
}

impl Directory {
    /// Runs kept under `root`, which is made with the first of them.
    #[must_use]
    pub fn new(root: PathBuf) -> Self {
        Self { files: Files { root } }
    }

    /// The file of a run's journal.
    #[must_use]
    pub fn path(&self, run: &RunId) -> PathBuf {
        self.files.root.join("runs").join(run.as_str()).join("journal.jsonl")
    }

    fn opened(journal: FileJournal, entries: Vec<crate::engine::journal::Entry>) -> Opened {
        let lease = Rc::new(ProcessLease { epoch: journal.epoch() });
        Opened { journal: Box::new(journal), lease, entries }
    }
}

/// A run's folder without a journal is what a process leaves that died between making the two.
fn never(error: JournalError, path: &Path) -> JournalError {
    match error {
        JournalError::Io(error) if error.kind() == io::ErrorKind::NotFound => {
            JournalError::Empty(path.to_owned())
        }
        other => other,
    }
}

#[async_trait(?Send)]
impl Store for Directory {
    fn root(&self) -> String {
        self.files.root.display().to_string()
    }

    fn journal(&self, run: &RunId) -> String {
        self.path(run).display().to_string()
    }

    fn objects(&self) -> &dyn Objects {
        &self.files
    }

    async fn runs(&self) -> Result<Vec<RunId>, JournalError> {
        let entries = match fs_err::read_dir(self.files.root.join("runs")) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(JournalError::Io(error)),
        };
        let mut runs: Vec<RunId> =
            entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
        runs.sort();
        Ok(runs)
    }

    async fn load(&self, run: &RunId) -> Result<Loaded, JournalError> {
        let path = self.path(run);
        let entries = read(&path).map_err(|error| never(error, &path))?.entries;
        Ok(Loaded { entries, holder: self.holder(run).await? })
    }

    async fn holder(&self, run: &RunId) -> Result<Option<Holder>, JournalError> {
        let held = matches!(FileJournal::probe(&self.path(run)), Err(JournalError::Locked));
        Ok(held.then(|| Holder { who: "a process on this machine".to_owned(), ends_in: None }))
    }

    async fn create(&self, run: &RunId) -> Result<Opened, JournalError> {
        let path = self.path(run);
        let journal = match FileJournal::create(&path) {
            Err(JournalError::Io(error)) if error.kind() == io::ErrorKind::AlreadyExists => {
                FileJournal::begin_again(&path)?
            }
            made => made?,
        };
        Ok(Self::opened(journal, Vec::new()))
    }

    async fn open(&self, run: &RunId) -> Result<Opened, JournalError> {
        let path = self.path(run);
        let (journal, entries) = FileJournal::open(&path).map_err(|error| never(error, &path))?;
        Ok(Self::opened(journal, entries))
    }

    async fn unlock(&self, run: &RunId, _comment: &str) -> Result<Option<Opened>, JournalError> {
        match self.holder(run).await? {
            None => Ok(None),
            Some(_) => Err(JournalError::Locked),
        }
    }
}

#[async_trait(?Send)]
impl Lease for ProcessLease {
    fn epoch(&self) -> u64 {
        self.epoch
    }

    fn check(&self) -> Result<(), JournalError> {
        Ok(())
    }

    fn rhythm(&self) -> Option<Duration> {
        None
    }

    async fn renew(&self) -> Result<(), JournalError> {
        Ok(())
    }

    async fn release(&self) -> Result<(), JournalError> {
        Ok(())
    }
}

impl Files {
    /// Held while a condition is checked and the write that depends on it is made.
    fn lock(&self) -> io::Result<File> {
        folder(&self.root)?;
        let file = private(OpenOptions::new().write(true).create(true).truncate(false))
            .open(self.root.join("objects.lock"))?;
        file.file().lock()?;
        Ok(file)
    }

    fn read(&self, key: &str) -> io::Result<Option<Found>> {
        match fs_err::read(self.root.join(key)) {
            Ok(bytes) => {
                let digest = Sha256::digest(&bytes);
                let tag = digest.iter().map(|byte| format!("{byte:02x}")).collect();
                Ok(Some(Found { bytes, tag, age: None }))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn write(&self, key: &str, bytes: &[u8], expect: &Expect) -> io::Result<Put> {
        let _lock = self.lock()?;
        let there = self.read(key)?;
        let as_expected = match expect {
            Expect::Absent => there.is_none(),
            Expect::Tag(tag) => there.is_some_and(|found| found.tag == *tag),
        };
        if !as_expected {
            return Ok(Put::Refused);
        }
        let path = self.root.join(key);
        let parent = path.parent().unwrap_or(&self.root);
        let to_sync = folders_to_sync(parent)?;
        folder(parent)?;
        let fresh = path.with_extension("new");
        let mut file =
            private(OpenOptions::new().write(true).create(true).truncate(true)).open(&fresh)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs_err::rename(&fresh, &path)?;
        // The name must survive a power cut, not only the bytes; so must those of folders made just now.
        for folder in to_sync {
            File::open(folder)?.sync_all()?;
        }
        self.read(key)?.map(|found| Put::Stored(found.tag)).ok_or_else(|| {
            io::Error::other(format!("{}: gone right after it was written", path.display()))
        })
    }
}

/// Options for a file that only its owner may read.
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    {
        use fs_err::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options
}

fn folder(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    let named =
        |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    builder.create(path).map_err(named)
}

fn failed(error: io::Error) -> Failure {
    Failure::new(Class::Fatal, "the state directory cannot be used")
        .because(error.to_string())
        .mend("free space or mend its permissions; --state-dir or ORCHESTRATE_STATE_DIR names another one")
}

#[async_trait(?Send)]
impl Objects for Files {
    fn place(&self, key: &str) -> String {
        self.root.join(key).display().to_string()
    }

    async fn get(&self, key: &str) -> Result<Option<Found>, Failure> {
        self.read(key).map_err(failed)
    }

    async fn put(&self, key: &str, bytes: Vec<u8>, expect: Expect) -> Result<Put, Failure> {
        self.write(key, &bytes, &expect).map_err(failed)
    }

    async fn list(&self, prefix: &str, delimiter: Option<char>) -> Result<Vec<String>, Failure> {
        let mut keys = std::collections::BTreeSet::new();
        let mut folders = vec![String::new()];
        while let Some(folder) = folders.pop() {
            let entries = match fs_err::read_dir(self.root.join(&folder)) {
                Ok(entries) => entries,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(failed(error)),
            };
            for entry in entries {
                let entry = entry.map_err(failed)?;
                let key = format!("{folder}{}", entry.file_name().to_string_lossy());
                if entry.file_type().map_err(failed)?.is_dir() {
                    folders.push(format!("{key}/"));
                } else if key.starts_with(prefix) {
                    let end = delimiter.and_then(|d| key[prefix.len()..].find(d));
                    keys.insert(
                        end.map_or(key.clone(), |end| key[..=prefix.len() + end].to_owned()),
                    );
                }
            }
        }
        Ok(keys.into_iter().collect())
    }
}
