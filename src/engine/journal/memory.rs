//! A journal in memory, for plans and for tests that kill a run at a chosen write.

use std::cell::RefCell;
use std::rc::Rc;

use async_trait::async_trait;

use super::{Entry, Journal, JournalError};

/// Which write kills the process, and whether the write itself is still durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crash {
    /// The entry's number.
    pub at: u64,
    /// Whether the entry is durable before the process dies.
    pub written: bool,
}

/// Entries in memory, shared by every clone.
#[derive(Clone, Debug)]
pub struct MemoryJournal {
    entries: Rc<RefCell<Vec<Entry>>>,
    epoch: u64,
    crash: Option<Crash>,
}

impl MemoryJournal {
    /// A journal that already holds `entries`.
    #[must_use]
    pub fn with(entries: Vec<Entry>) -> Self {
        let epoch = entries.last().map_or(0, |entry| entry.epoch) + 1;
        Self { entries: Rc::new(RefCell::new(entries)), epoch, crash: None }
    }

    /// The same journal, whose writer dies at `crash`.
    #[must_use]
    pub fn crashing(mut self, crash: Crash) -> Self {
        self.crash = Some(crash);
        self
    }

    /// What has been written.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        self.entries.borrow().clone()
    }
}

impl Default for MemoryJournal {
    fn default() -> Self {
        Self::with(Vec::new())
    }
}

#[async_trait(?Send)]
impl Journal for MemoryJournal {
    fn epoch(&self) -> u64 {
        self.epoch
    }

    async fn append(&mut self, entry: &Entry) -> Result<(), JournalError> {
        match self.crash {
            // A writer that cannot tell whether it was written writes again.
            None if self.entries.borrow().last() == Some(entry) => Ok(()),
            Some(crash) if entry.seq > crash.at => Err(JournalError::Dead),
            Some(crash) if entry.seq == crash.at => {
                if crash.written {
                    self.entries.borrow_mut().push(entry.clone());
                }
                Err(JournalError::Dead)
            }
            _ => {
                self.entries.borrow_mut().push(entry.clone());
                Ok(())
            }
        }
    }
}
