//! The journal: what a run has promised and done, durable before the world changes.

mod error;
mod file;
mod memory;
mod record;

use async_trait::async_trait;

pub use error::JournalError;
pub use file::{
    Durable, FileJournal, Reading, Unreadable, decode, encode, folders_to_sync, parse, read,
};
pub use memory::{Crash, MemoryJournal};
pub use record::{Change, Entry, Record, Resource, Rest, Role, RollbackReason, Steer};

/// Where entries go. An entry that `append` has returned survives the death of this process, and of this machine where
/// the journal is kept elsewhere.
#[async_trait(?Send)]
pub trait Journal {
    /// The fencing epoch of this writer: higher than that of every writer before it, and in each of its entries. A
    /// journal that has an entry of a higher epoch takes none of a lower one.
    fn epoch(&self) -> u64;

    /// Writes one entry durably. To write the same entry again is allowed, and changes nothing: a writer that cannot
    /// tell whether it was written does so.
    ///
    /// # Errors
    /// If it is not certain that the entry is durable. The run must then change nothing more.
    async fn append(&mut self, entry: &Entry) -> Result<(), JournalError>;
}
