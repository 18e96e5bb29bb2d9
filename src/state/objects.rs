//! Named bytes, written under a condition: all that is asked of a place that keeps runs.

use std::time::Duration;

use async_trait::async_trait;

use crate::engine::Failure;

/// What is under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Names these very bytes, or this very writing of them: S3's ETag.
    pub tag: String,
    /// How long ago they were written, by one clock: that of the place. None if it does not say.
    pub age: Option<Duration>,
}

/// What must be under a key for a write to happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Nothing.
    Absent,
    /// What this tag names.
    Tag(String),
}

/// How a conditional write ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Put {
    /// It is durable, and has this tag.
    Stored(String),
    /// Something else than expected is there. Nothing was written.
    Refused,
}

/// Named bytes. Reads and listings show every write that has ended before (S3 user guide, "Amazon S3 data consistency
/// model").
#[async_trait(?Send)]
pub trait Objects {
    /// How a person finds `key`: a path or a URL.
    fn place(&self, key: &str) -> String;

    /// What is under `key`.
    ///
    /// # Errors
    /// A passing class, or one with a mend.
    async fn get(&self, key: &str) -> Result<Option<Found>, Failure>;

    /// Writes `bytes` under `key` if what is there is as expected; whole or not at all.
    ///
    /// # Errors
    /// As `get`; `Ambiguous` if it may have been written.
    async fn put(&self, key: &str, bytes: Vec<u8>, expect: Expect) -> Result<Put, Failure>;

    /// The keys that begin with `prefix`, in byte order. With `delimiter` each is cut after the first one that follows
    /// the prefix, and said once.
    ///
    /// # Errors
    /// As `get`.
    async fn list(&self, prefix: &str, delimiter: Option<char>) -> Result<Vec<String>, Failure>;
}
