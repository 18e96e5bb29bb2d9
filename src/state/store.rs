//! What a place that keeps runs must do.

use std::rc::Rc;
use std::time::Duration;

use async_trait::async_trait;

use super::lease::Lease;
use super::objects::Objects;
use crate::engine::RunId;
use crate::engine::journal::{Entry, Journal, JournalError};

/// Who works on a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// User and host, where it is known.
    pub who: String,
    /// Until its lease ends if it is not renewed; none where the lock dies with its process.
    pub ends_in: Option<Duration>,
}

/// A run that was read without being taken up.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Its journal.
    pub entries: Vec<Entry>,
    /// The process that works on it.
    pub holder: Option<Holder>,
}

/// A run that this process may work on.
pub struct Opened {
    /// Where its entries go.
    pub journal: Box<dyn Journal>,
    /// For how long.
    pub lease: Rc<dyn Lease>,
    /// What was written so far.
    pub entries: Vec<Entry>,
}

/// A place that keeps runs.
#[async_trait(?Send)]
pub trait Store {
    /// How a person names it.
    fn root(&self) -> String;

    /// How a person finds the journal of a run.
    fn journal(&self, run: &RunId) -> String;

    /// Where it keeps what people ask of runs, and which clusters are taken.
    fn objects(&self) -> &dyn Objects;

    /// All runs, oldest first.
    ///
    /// # Errors
    /// `Io` or `Store`.
    async fn runs(&self) -> Result<Vec<RunId>, JournalError>;

    /// Reads a run without taking it up, also while another process writes it.
    ///
    /// # Errors
    /// `Empty` if it died before it began; `Damaged`, `Foreign`; `Io`, `Store`.
    async fn load(&self, run: &RunId) -> Result<Loaded, JournalError>;

    /// Who works on a run, if somebody does.
    ///
    /// # Errors
    /// `Io`, `Store`.
    async fn holder(&self, run: &RunId) -> Result<Option<Holder>, JournalError>;

    /// Makes the journal of a new run, with nothing in it, and takes it. One that a process left which died before its
    /// first record is as good as none.
    ///
    /// # Errors
    /// If there is one already, or it cannot be made; nothing has been changed then.
    async fn create(&self, run: &RunId) -> Result<Opened, JournalError>;

    /// Takes a run up that nobody works on.
    ///
    /// # Errors
    /// `Locked` or `Held` if somebody does; as `load` otherwise.
    async fn open(&self, run: &RunId) -> Result<Opened, JournalError>;

    /// Takes a run from whoever has it, and writes down that this was done and why. `None` if nobody had it.
    ///
    /// # Errors
    /// `Locked` where the lock dies with its process, so that there is one; as `load` otherwise.
    async fn unlock(&self, run: &RunId, comment: &str) -> Result<Option<Opened>, JournalError>;
}
