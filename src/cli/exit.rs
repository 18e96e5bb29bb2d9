//! Exit codes: documented in docs/cli.md, stable.

/// Why the process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Everything asked for was done.
    Done = 0,
    /// A step failed; everything this run had changed was put back.
    RolledBack = 1,
    /// The command line is wrong.
    Usage = 2,
    /// The playbook or its inputs are wrong; nothing was called.
    InvalidPlaybook = 3,
    /// The run is stuck: a person is needed.
    Stuck = 4,
    /// Refused before the first change: guard, credentials, reachability, or a check that would fail.
    Refused = 5,
    /// Another process works on the run, or the run is not in a state for this command.
    Locked = 6,
    /// An approval is outstanding.
    Waiting = 7,
    /// `plan` found nothing that would fail, and could not find everything out; or `advise` cannot tell.
    CannotKnow = 8,
    /// This is a bug.
    Bug = 70,
    /// The state directory or a journal cannot be read or written.
    State = 74,
    /// Stopped by a signal; can be resumed.
    Interrupted = 130,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
