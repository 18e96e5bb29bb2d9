//! The journal: what a run has promised and done, durable before the world changes.

mod file;
mod memory;
mod record;

pub use file::{FileJournal, JournalError, Reading, Unreadable, decode, encode, parse, read};
pub use memory::{Crash, MemoryJournal};
pub use record::{Change, Entry, Record, Resource, Rest, Role, RollbackReason};

/// Where entries go. An entry that `append` has returned survives the death of this process.
pub trait Journal {
    /// Writes one entry durably.
    ///
    /// # Errors
    /// If it is not certain that the entry is durable. The run must then change nothing more.
    fn append(&mut self, entry: &Entry) -> Result<(), JournalError>;
}
