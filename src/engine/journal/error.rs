//! Why a journal cannot be used.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::engine::Failure;

/// The journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Another process writes it, on this machine.
    #[error("another process is working on this run")]
    Locked,
    /// Another process has the lease, perhaps on another machine.
    #[error("{holder} is working on this run; its lease ends in {} s unless it is renewed", .ends_in.as_secs())]
    Held {
        /// Who: user and host.
        holder: String,
        /// Until the lease ends if it is not renewed.
        ends_in: Duration,
    },
    /// Another process has taken the run over: this one may write and change nothing more.
    #[error("{by} has taken this run over under epoch {epoch}")]
    Lost {
        /// Who.
        by: String,
        /// Its fencing epoch.
        epoch: u64,
    },
    /// The lease could not be renewed in time. Nobody may have taken the run over yet, but somebody may at any moment.
    #[error("the lease on this run could not be renewed in time: {0}")]
    Lapsed(String),
    /// The place where journals are kept did not do what was asked.
    #[error(transparent)]
    Store(Failure),
    /// A line other than the last does not read back.
    #[error("{path}: line {line} is damaged ({why})", path = path.display())]
    Damaged {
        /// The journal.
        path: PathBuf,
        /// Counts from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// A line is whole, but this version does not know what it says.
    #[error("{path}: line {line} was written by another version of orchestrate ({why}); go on with that version", path = path.display())]
    Foreign {
        /// The journal.
        path: PathBuf,
        /// Counts from 1.
        line: usize,
        /// What is not known.
        why: String,
    },
    /// There is no complete first line.
    #[error("{path}: the journal is empty: the run died before it began", path = .0.display())]
    Empty(PathBuf),
    /// Reading or writing failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The process is dead (tests only).
    #[error("the process died here")]
    Dead,
}
