use std::io;

/// Why something inside a cluster could not be done.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DataError {
    /// No usable server program where one was asked for by name.
    #[error("cannot use {program} as a server: {reason}")]
    Program { program: String, reason: String },
    /// A server did not come up; `reason` ends with its own last words.
    #[error("could not start {program}: {reason}")]
    Start { program: String, reason: String },
    /// A snapshot file that cannot be loaded, in the server's own words.
    #[error("{file} was refused: {reason}")]
    Refused { file: String, reason: String },
    /// A user whose name or access string the cluster does not take.
    #[error("user {user} was refused: {reason}")]
    User { user: String, reason: String },
    /// A cluster that cannot be built as asked.
    #[error("cluster {cluster} cannot be built: {reason}")]
    Spec { cluster: String, reason: String },
    /// A running server answered with an error, or did not answer.
    #[error("{during} failed: {reason}")]
    Server { during: String, reason: String },
    /// Files, pipes or certificates of the sandbox itself.
    #[error("{during}: {reason}")]
    Local { during: String, reason: String },
    /// The cluster was stopped, or the whole data plane with it.
    #[error("cluster {cluster} has been stopped")]
    Stopped { cluster: String },
}

impl DataError {
    pub(crate) fn local(during: impl Into<String>, error: &io::Error) -> Self {
        Self::Local { during: during.into(), reason: error.to_string() }
    }

    pub(crate) fn server(during: impl Into<String>, error: impl std::fmt::Display) -> Self {
        Self::Server { during: during.into(), reason: error.to_string() }
    }

    pub(crate) fn refused(file: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Refused { file: file.into(), reason: reason.into() }
    }
}
